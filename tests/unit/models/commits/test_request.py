from dataclasses import replace
from datetime import UTC, datetime

import pytest
from support.clients.several_member_requests import EnrolReferred, PassPoints
from support.programme_files import programme_from_file

from loyalty.commands.adjust_points import AdjustPoints
from loyalty.commands.enrol import Enrol
from loyalty.commands.offer import RedeemOffer
from loyalty.commands.record_event import RecordEvent
from loyalty.commands.registry import Command, OtherMember
from loyalty.commands.settle import Settle
from loyalty.kernel.channel import Channel
from loyalty.model.event import Event
from loyalty.model.ledger import Cause
from loyalty.model.member import Profile
from loyalty.model.offer import purchase_reference
from models.commits.request import Request
from models.mongo.ids import event_key

NOW = datetime(2026, 6, 15, tzinfo=UTC)
GROCER = programme_from_file("grocer")
CAUSE = Cause("act", "agent", "desk/7", "key 1")
REFUND = Event("back", "till", "refund", NOW, Channel.STORE, refund_of="receipt/1")
PURCHASE = event_key("grocer", "event", "till", "receipt/1")


def test_content_has_its_own_digest_and_that_of_an_earlier_release() -> None:
    sent = Request(AdjustPoints(1, CAUSE), "m-1", GROCER, NOW, "now", former_digest=lambda: "before")
    assert [sent.has_digest(digest) for digest in ("now", "before", "other")] == [True, True, False]
    assert not request(AdjustPoints(1, CAUSE)).has_digest("before")


def request(command: Command, member: str = "m-1", digest: str | None = "digest") -> Request:
    return Request(command, member, GROCER, NOW, digest)


def test_a_command_of_one_member_owns_its_key() -> None:
    made = request(AdjustPoints(1, CAUSE))
    assert (made.members, made.others, made.own_key) == (("m-1",), (), "grocer/act/desk%2F7/key%201")
    assert (made.purchase_key, made.identities()) == (None, {})


def test_only_the_systems_own_command_has_no_key() -> None:
    settle = Settle(Cause("settle", "system", "system", ""))
    assert [request(settle, digest=digest).own_key for digest in (None, "digest")] == [None, None]
    with pytest.raises(ValueError, match="AdjustPoints owns a key: give the digest of the content with it"):
        request(AdjustPoints(1, CAUSE), digest=None)


def test_a_refund_and_a_redemption_refer_to_the_key_of_their_purchase() -> None:
    redemption = RedeemOffer("tea", purchase_reference("till", "receipt/1"), Channel.STORE, None, NOW, CAUSE)
    assert request(RecordEvent(REFUND, CAUSE)).purchase_key == PURCHASE
    assert request(redemption).purchase_key == PURCHASE
    assert request(replace(redemption, purchase=None)).purchase_key is None
    assert request(RecordEvent(replace(REFUND, refund_of=None), CAUSE)).purchase_key is None


def test_the_members_of_a_command_are_distinct_its_others_as_it_names_them() -> None:
    made = request(PassPoints(("m-2", "m-1", "m-2"), 1, CAUSE))
    assert made.members == ("m-1", "m-2")
    assert made.others == [OtherMember(id_, ("to",)) for id_ in ("m-2", "m-1", "m-2")]


def test_an_enrolment_claims_identities_for_its_first_member() -> None:
    profile = Profile("en", email="sam@example.org", phone="+33612345678")
    enrolment = Enrol("m-1", "123", profile, "card 1", Channel.APP, None, NOW, CAUSE)
    assert request(enrolment).identities() == {
        "grocer/number/123": "number",
        "grocer/card/CARD1": "card",
        "grocer/email/sam%40example.org": "email",
        "grocer/phone/%2B33612345678": "phone",
    }
    referred = request(EnrolReferred("m-1", "123", "m-2", 5, CAUSE))
    assert (referred.members, referred.identities()) == (("m-1", "m-2"), {"grocer/number/123": "number"})
