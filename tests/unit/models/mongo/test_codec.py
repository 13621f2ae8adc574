from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import bson
import pytest
from bson import CodecOptions
from hypothesis import given
from hypothesis import strategies as st
from support.member_histories import MemberHistory, member_histories, profiles
from support.programme_files import programme_from_file
from support.property_settings import property_settings

from loyalty.kernel.channel import Channel
from loyalty.kernel.refusal import Refusal, RefusalCode
from loyalty.kernel.text import Text
from loyalty.model.event import (
    CLAIM_LASTS,
    Claim,
    ClaimState,
    Consequence,
    ConsequenceEnd,
    Event,
    Grant,
    Purchase,
    PurchaseLine,
    RecordedEvent,
)
from loyalty.model.hold import Hold
from loyalty.model.ledger import Cause, LotKey, Record, RecordRef, record_hash, seal
from loyalty.model.member import Profile
from loyalty.model.offer import OfferUse
from loyalty.model.order import Delivery, Order, OrderedReward, OrderState, OrderStep, Recipient, VoucherUse
from loyalty.model.qualifying_days import QualifyingDays
from loyalty.model.references.waiting import WAITING_MAX, Waiting, WaitingEvent
from loyalty.model.reward import RewardKind
from loyalty.model.supply import CounterKey, CounterKind
from models.mongo.bson import Document, without_none
from models.mongo.event import (
    amended_fields,
    consequence_of,
    consequence_rows,
    consequences_of,
    counted_event_of,
    event_fields,
    is_counted,
    refusal_of,
    refused_fields,
    waiting_event_of,
    waiting_fields,
)
from models.mongo.ledger import cause_document, record_document, record_id, record_of
from models.mongo.member import (
    hold_document,
    hold_of,
    member_document,
    member_of,
    packed_bytes,
    profile_document,
    profile_of,
    use_document,
    use_of,
)
from models.mongo.order import order_document, order_of

PROGRAMMES = [programme_from_file("grocer"), programme_from_file("coffee")]
ANY_LIFE = st.sampled_from(PROGRAMMES).flatmap(member_histories)


def stored(document: Document) -> dict[str, Any]:
    """Return a document after a round trip through BSON."""
    options: CodecOptions[dict[str, Any]] = CodecOptions(tz_aware=True)
    return bson.decode(bson.encode(document), options)


@property_settings(20)
@given(ANY_LIFE)
def test_member_round_trips(history: MemberHistory) -> None:
    for decision in history.decisions:
        assert member_of(stored(member_document(decision.member))) == decision.member


@property_settings(20)
@given(ANY_LIFE)
def test_member_stored_before_lots_and_days_were_packed_round_trips(history: MemberHistory) -> None:
    for decision in history.decisions:
        member = decision.member
        before = {
            **member_document(member),
            "lots": [
                [
                    lot.key.earned_on.isoformat(),
                    lot.key.expires_on.isoformat() if lot.key.expires_on else None,
                    lot.points,
                    lot.expired_points,
                ]
                for lot in member.lots
            ],
            "qualifying": {day.isoformat(): points for day, points in member.qualifying_days.items()},
        }
        assert member_of(stored(before)) == member


def test_what_is_packed_is_stored_little_end_first_on_every_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    days = QualifyingDays.of({date(2026, 1, 5): 60})
    result = b"".join(number.to_bytes(8, "little") for number in (date(2026, 1, 5).toordinal(), 60))
    assert packed_bytes(days.packed) == result
    monkeypatch.setattr("sys.byteorder", "big")
    assert packed_bytes(days.packed) == b"".join(result[at : at + 8][::-1] for at in (0, 8))
    assert packed_bytes(packed_bytes(days.packed)) == days.packed


@property_settings(20)
@given(ANY_LIFE)
def test_record_round_trips_and_matches_its_hash(history: MemberHistory) -> None:
    for record in history.records:
        document = stored(record_document(record, history.programme.key))
        assert document["_id"] == record_id("member", record.version)
        back: Record = record_of(document)
        assert back == record
        assert record_hash(back) == record.hash
        part = seal(replace(record, command=RecordRef("m-2", 7)))
        assert record_of(stored(record_document(part, history.programme.key))) == part
        assert "command" not in document


@property_settings(20)
@given(ANY_LIFE)
def test_counted_event_round_trips(history: MemberHistory) -> None:
    for key, counted in history.counted.items():
        about = {"cause": {"key": key, "subject": "till"}, "member": "member", "version": counted.version}
        assert counted_event_of(stored({**about, **event_fields(counted)})) == counted


def test_every_field_of_a_consequence_round_trips() -> None:
    day = date(2026, 1, 5)
    whole = Consequence(
        "offer/tea",
        1,
        250,
        "o-1",
        "2026-W25",
        False,
        "s-1",
        (Grant("used", (3,), True),),
        day,
        day,
        ConsequenceEnd.GONE,
    )
    tier = Consequence("tier/base", since=datetime(2026, 1, 5, 12, tzinfo=UTC))
    for one in (whole, tier, Consequence("instant/big"), Consequence("offer/tea", returnable=True, uses=1)):
        [row] = consequence_rows([one])
        assert consequence_of(stored(row)) == one


def test_consequences_of_earlier_releases_are_read() -> None:
    purchase = {"type": "purchase", "offers": [["tea", 250]], "orders": ["o-1"]}
    uses = (Consequence("offer/tea", uses=1, charge=250), Consequence("instant/", order="o-1"))
    assert consequences_of(purchase) == uses
    assert consequences_of({**purchase, "consequences": []}) == ()
    assert consequences_of({"type": "refund", "orders": ["o-1"]}) == ()
    assert consequence_of(["tea", 250]) == uses[0]


@pytest.mark.parametrize("state", ClaimState)
def test_claimed_purchase_round_trips(state: ClaimState) -> None:
    at = datetime(2026, 6, 15, 16, 0, 0, 123000, tzinfo=UTC)
    purchase = Purchase(Decimal("9.99"), "USD", receipt="A 00-1")
    event = Event("key", "tablet", "purchase", at, Channel.KIOSK, "367", purchase=purchase)
    claim = Claim(at + CLAIM_LASTS, 2, state)
    claimed = RecordedEvent(event, "member", 3, (), date(2026, 6, 15), None, (Fraction(0),), claim=claim)
    about = {"cause": {"key": "key", "subject": "tablet"}, "member": "member", "version": 3}
    assert counted_event_of(stored({**about, **event_fields(claimed)})) == claimed
    assert amended_fields(claimed)["claim"] == event_fields(claimed)["claim"]


@property_settings(40)
@given(ANY_LIFE)
def test_order_round_trips(history: MemberHistory) -> None:
    for decision in history.decisions:
        for order in decision.orders:
            document = stored(order_document(order, history.programme.key))
            assert (document["_id"], document["programme"]) == (order.id, history.programme.key)
            assert order_of(document) == order


@property_settings(40)
@given(ANY_LIFE)
def test_hold_and_use_of_an_offer_round_trip(history: MemberHistory) -> None:
    for decision in history.decisions:
        for hold in (*decision.member.holds, decision.hold):
            assert hold is None or hold_of(stored(hold_document(hold))) == hold
        for use in decision.member.offer_uses.values():
            assert use_of(stored(use_document(use))) == use


def test_every_field_of_order_and_hold_round_trips() -> None:
    text = Text({"en": "A film", "fr": "Un film"}, "en", {Channel.KIOSK: {"en": "Film"}})
    lots = ((LotKey(date(2026, 1, 5), date(2027, 1, 31)), 60), (LotKey(date(2026, 1, 6), None), 40))
    at = datetime(2026, 6, 15, 16, 0, 0, 123000, tzinfo=UTC)
    took = (CounterKey(CounterKind.STOCK, "film"), CounterKey(CounterKind.SLOT, "film", at))
    order = Order(
        id="o",
        number="AAAA-BBBB-CCCC",
        member="m",
        reward=OrderedReward("film", RewardKind.PARTNER, text, text, "leisure", 50, "/film.jpg", "Cinemas"),
        quantity=2,
        points=100,
        state=OrderState.SHIPPED,
        placed_at=at,
        channel=Channel.KIOSK,
        history=(OrderStep(OrderState.PLACED, at, "till"), OrderStep(OrderState.SHIPPED, at, "agent", "a note")),
        lots=lots,
        points_returned=50,
        returned=1,
        recipient=Recipient("Ann", "ann@example.org", "+33600000000", "Enjoy"),
        delivery=Delivery("Ann", "1 Way", "1", "Here", "FR", "Left door", "s-1"),
        appointment=at,
        tracking_url="https://parcels.example/1",
        took=((took[0], 2), (took[1], 1)),
        pool="films",
        code="f-1",
        limit_key="film/relative",
        limit_span="2026-W25",
        placed_version=7,
        origin="order/p",
        exchanged_for="q",
        version=9,
        voucher_expires_at=at,
        voucher_worth=Decimal("2.50"),
        voucher_use=VoucherUse(at, "330", Channel.STORE),
    )
    assert order_of(stored(order_document(order, "grocer"))) == order
    assert stored(order_document(order, "grocer"))["programme"] == "grocer"
    hold = Hold("h", 100, at, lots, "film", took, "films", "f-1", 7)
    assert hold_of(stored(hold_document(hold))) == hold
    bare = Hold("h", 0, at, ())
    assert hold_of(stored(hold_document(bare))) == bare
    use = OfferUse(at, "c-1", 2, at, 3, at)
    assert use_of(stored(use_document(use))) == use
    # As releases up to 0.2.0 stored it.
    assert use_of({**use_document(use), "purchases": ["till/a"]}) == use
    assert (use_document(OfferUse()), use_of({})) == ({}, OfferUse())


@property_settings(20)
@given(profiles())
def test_profile_round_trips(profile: Profile) -> None:
    assert profile_of(stored(profile_document(profile))) == profile


def test_unknown_fields_are_not_stored() -> None:
    assert profile_document(Profile("en", last_name="Lee")) == {"locale": "en", "last_name": "Lee"}
    assert without_none({"a": None, "b": 0, "c": "", "d": []}) == {"b": 0, "c": "", "d": []}


def test_an_event_that_waits_round_trips_and_one_that_was_refused_says_why() -> None:
    at = datetime(2026, 6, 1, 12, tzinfo=UTC)
    purchase = Purchase(Decimal("5.00"), "EUR", (PurchaseLine("a", Decimal(1), Decimal("5.00")),))
    event = Event("back", "till/1", "refund", at, Channel.STORE, "s-1", None, purchase, "sold", {}, "web shop")
    for reason in (None, "import"):
        cause = Cause("event", "till", "till/1", "back", reason)
        waits = WaitingEvent(event, cause, Waiting("till/1", "back", "web%20shop/sold", at + WAITING_MAX))
        waiting_record = {"cause": cause_document(replace(cause, operation="wait")), "version": 7}
        document = stored({**waiting_record, **waiting_fields(waits)})
        assert waiting_event_of(document) == waits
        assert (is_counted(document), refusal_of(document)) == (False, None)
    refusal = Refusal(RefusalCode.NOT_FOUND, "purchase_never_arrived", ("refundOf",), {"key": "sold", "days": 30})
    refused = stored(refused_fields(refusal))
    assert (is_counted(refused), refusal_of(refused)) == (False, refusal)
