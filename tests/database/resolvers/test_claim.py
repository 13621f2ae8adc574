import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from support.clients.catalogue_client import CatalogueClient
from support.clients.resolver_client import ResolverClient
from support.outcome import committed, refused

from loyalty.kernel.channel import Channel
from loyalty.kernel.refusal import Refusal, RefusalCode
from loyalty.model.activity_limit import ActivityLimit, LimitedActor, Measure, Span
from loyalty.model.event import OPEN_CLAIMS_MAX, Event, Purchase
from loyalty.model.explanation import RuleOutcome
from loyalty.model.references.senders import SenderRule, Senders
from models.commits.request import Committed, Outcome
from models.programmes.programme_store import Programmes
from resolvers import claim as claims
from resolvers.audit.audit import audit
from resolvers.core.actor import Role
from resolvers.core.member import MemberKey
from resolvers.event import EventOfMember, preview, record, record_many
from resolvers.waiting import count_arrived

PROVIDED: dict[str, Any] = {"key": "n", "accepts": True, "reason": "the shopper showed it"}


class Shop:
    """A tablet, a till and staff of one store."""

    def __init__(self, client: ResolverClient) -> None:
        self.client = client

    def sale(self, total: str, receipt: str | None = None, **about: Any) -> Event:
        purchase = Purchase(Decimal(total), "USD", receipt=receipt)
        return self.client.purchase_event(total, **{"store": "367", **about, "purchase": purchase})

    async def send(self, role: Role, member: str, event: Event) -> Outcome:
        return await record(self.client.context(role), EventOfMember(event, MemberKey("id", member)))

    async def type(self, member: str, total: str, receipt: str | None = None, **about: Any) -> Outcome:
        return await self.send(Role.KIOSK, member, self.sale(total, receipt, **about))

    async def ring(self, member: str, total: str, receipt: str | None = None, **about: Any) -> Outcome:
        return await self.send(Role.TILL, member, self.sale(total, receipt, **about))

    async def decide(self, claimed: Outcome, *, accepts: bool = True, key: str | None = None) -> Outcome:
        record_ = committed(claimed).record
        return await claims.decide_claim(
            self.client.context(Role.AGENT),
            key=key or self.client.key(),
            entry=(record_.member, record_.version, len(record_.entries) - 1),
            accepts=accepts,
            reason="the shopper showed it",
        )

    async def points(self, member: str) -> int:
        snapshot = await self.client.services.reader.member("grocer", member)
        assert snapshot is not None
        return snapshot.member.available

    async def waiting(self, member: str) -> list[str | None]:
        found = await claims.open_claims(self.client.context(Role.AGENT), member)
        return [one.event.purchase.receipt if one.event.purchase is not None else None for one in found]

    async def faults(self) -> list[tuple[str, ...]]:
        return [one.faults for one in (await audit(self.client.services.database)).members_with_faults]


@pytest.fixture
def shop(resolver_client: ResolverClient) -> Shop:
    return Shop(resolver_client)


def reason_of(outcome: Outcome) -> tuple[RefusalCode, str]:
    refusal = refused(outcome)
    return refusal.code, refusal.reason


def why(outcome: Outcome) -> list[RuleOutcome]:
    return [one.reason for entry in committed(outcome).record.entries for one in entry.explanations]


COUNTED = (RefusalCode.ALREADY_EXISTS, "receipt_counted")
CLAIMED = (RefusalCode.ALREADY_EXISTS, "receipt_claimed")
OTHER_TOTAL = (RefusalCode.CONFLICT, "receipt_total")


# Who counts, and when


@pytest.mark.parametrize("receipt", [None, "4711"])
async def test_purchase_typed_at_a_tablet_gives_nothing(shop: Shop, receipt: str | None) -> None:
    member = await shop.client.member()
    claimed = await shop.type(member, "999.99", receipt)
    assert why(claimed) == [RuleOutcome.AWAITS_RECEIPT if receipt else RuleOutcome.AWAITS_STAFF]
    assert [entry.points for entry in committed(claimed).record.entries] == [0]
    assert committed(claimed).snapshot.member.event_counts == {}
    assert (await shop.points(member), await shop.waiting(member)) == (0, [receipt])
    assert await shop.faults() == []


@pytest.mark.parametrize("role", [Role.TILL, Role.AGENT, Role.MANAGER, Role.SERVICE])
async def test_claim_counts_once_when_its_receipt_arrives(shop: Shop, role: Role) -> None:
    member = await shop.client.member()
    await shop.type(member, "50", "A 0047-11")
    assert committed(await shop.send(role, member, shop.sale("50.00", "a004711"))).record.entries[0].points == 50
    assert (await shop.points(member), await shop.waiting(member)) == (50, [])
    assert reason_of(await shop.ring(member, "50", "A-004711")) == COUNTED
    assert reason_of(await shop.type(member, "50", "A-004711")) == COUNTED
    assert await shop.points(member) == 50
    assert await shop.faults() == []


async def test_claim_after_the_till_is_refused(shop: Shop) -> None:
    member, other = await shop.client.member(), await shop.client.member()
    await shop.ring(member, "50", "4711")
    for who in (member, other):
        assert reason_of(await shop.type(who, "50", "4711")) == COUNTED
        assert reason_of(await shop.type(who, "51", "4711")) == OTHER_TOTAL
        assert reason_of(await shop.ring(who, "50", "4711")) == COUNTED
    assert [await shop.points(who) for who in (member, other)] == [50, 0]


async def test_other_total_writes_nothing(shop: Shop) -> None:
    member = await shop.client.member()
    claimed = await shop.type(member, "999.99", "4711")
    assert reason_of(await shop.ring(member, "9.99", "4711")) == OTHER_TOTAL
    assert (await shop.points(member), await shop.waiting(member)) == (0, ["4711"])
    committed(await shop.decide(claimed, accepts=False))
    assert committed(await shop.ring(member, "9.99", "4711")).record.entries[0].points == 9
    assert await shop.faults() == []


async def test_first_claim_waits_and_the_second_is_refused(shop: Shop) -> None:
    member, other = await shop.client.member(), await shop.client.member()
    await shop.type(member, "50", "4711")
    assert reason_of(await shop.type(other, "50", "4711")) == CLAIMED
    assert reason_of(await shop.type(member, "50", "4711")) == CLAIMED
    assert reason_of(await shop.type(other, "40", "4711")) == OTHER_TOTAL
    assert [await shop.waiting(who) for who in (member, other)] == [["4711"], []]


@pytest.mark.parametrize("total", ["50", "9.99"])
async def test_till_knows_who_bought(shop: Shop, total: str) -> None:
    buyer, stranger = await shop.client.member(), await shop.client.member()
    claimed = await shop.type(stranger, "50", "4711")
    committed(await shop.ring(buyer, total, "4711"))
    assert [await shop.points(who) for who in (buyer, stranger)] == [int(Decimal(total)), 0]
    assert await shop.waiting(stranger) == []
    assert reason_of(await shop.decide(claimed)) == (RefusalCode.CONFLICT, "claim_decided")
    assert await shop.faults() == []


async def test_receipts_differ_by_store_and_day(shop: Shop) -> None:
    member = await shop.client.member()
    await shop.ring(member, "10", "1")
    await shop.ring(member, "10", "1", store="368")
    await shop.ring(member, "10", "1", store=None)
    await shop.ring(member, "10", "1", occurred_at=shop.client.clock() - timedelta(days=1))
    await shop.ring(member, "10", "2")
    await shop.ring(member, "10")
    await shop.ring(member, "10")
    assert await shop.points(member) == 70
    assert await shop.faults() == []


async def test_day_of_a_receipt_is_the_brands(shop: Shop) -> None:
    member = await shop.client.member()
    midnight = datetime(2026, 6, 15, tzinfo=ZoneInfo("America/New_York"))
    await shop.ring(member, "10", "1", occurred_at=midnight - timedelta(minutes=1))
    await shop.ring(member, "10", "1", occurred_at=midnight)
    for minutes in (-60, 60):
        outcome = await shop.ring(member, "10", "1", occurred_at=midnight + timedelta(minutes=minutes))
        assert reason_of(outcome) == COUNTED
    assert await shop.points(member) == 20


async def test_claim_lapses_and_its_receipt_stays_with_tills(shop: Shop) -> None:
    member = await shop.client.member()
    sale = shop.sale("50", "4711")
    claimed = await shop.send(Role.KIOSK, member, sale)
    shop.client.clock.advance(days=7)
    assert await shop.waiting(member) == []
    assert reason_of(await shop.decide(claimed)) == (RefusalCode.EXPIRED, "claim_lapsed")
    late = replace(sale, key="another")
    assert reason_of(await shop.send(Role.KIOSK, member, late)) == CLAIMED
    assert committed(await shop.send(Role.TILL, member, late)).record.entries[0].points == 50
    assert await shop.points(member) == 50
    assert await shop.faults() == []


async def test_replayed_claim_is_the_first_answer(shop: Shop) -> None:
    member = await shop.client.member()
    sale = shop.sale("50", "47-11")
    first = committed(await shop.send(Role.KIOSK, member, sale))
    again = committed(await shop.send(Role.KIOSK, member, sale))
    assert (again.replayed, again.record) == (True, first.record)
    other = replace(sale, purchase=replace(sale.purchase or Purchase(Decimal(1), "USD"), receipt="4712"))
    assert reason_of(await shop.send(Role.KIOSK, member, other))[0] is RefusalCode.KEY_REUSED
    assert await shop.waiting(member) == ["47-11"]


async def test_preview_gives_what_the_record_gives_and_writes_nothing(shop: Shop) -> None:
    member = await shop.client.member()
    for role, receipt in ((Role.KIOSK, "1"), (Role.KIOSK, None), (Role.TILL, "1")):
        sent = EventOfMember(shop.sale("50", receipt), MemberKey("id", member))
        seen = committed(await preview(shop.client.context(role), sent))
        assert [entry.points for entry in seen.record.entries] == [0 if role is Role.KIOSK else 50]
    assert await shop.waiting(member) == []
    await shop.ring(member, "50", "1")
    for role in (Role.KIOSK, Role.TILL):
        sent = EventOfMember(shop.sale("50", "1"), MemberKey("id", member))
        assert reason_of(await preview(shop.client.context(role), sent)) == COUNTED


async def test_visit_at_a_tablet_counts(shop: Shop) -> None:
    member = await shop.client.member()
    visit = shop.client.purchase_event("0", type="visit", purchase=None, channel=Channel.KIOSK)
    assert committed(await shop.send(Role.KIOSK, member, visit)).snapshot.member.event_counts == {"visit": 1}


async def test_open_claims_of_a_member_are_bounded(shop: Shop) -> None:
    member, other = await shop.client.member(), await shop.client.member()
    batch = [EventOfMember(shop.sale("5", str(n)), MemberKey("id", member)) for n in range(1, OPEN_CLAIMS_MAX + 4)]
    outcomes = await record_many(shop.client.context(Role.KIOSK), batch)
    assert sum(isinstance(one, Committed) for one in outcomes) == OPEN_CLAIMS_MAX
    refusals = {one.code for one in outcomes if isinstance(one, Refusal)}
    assert refusals == {RefusalCode.LIMIT_REACHED}
    committed(await shop.type(other, "5", "99"))
    committed(await shop.ring(member, "5", "1"))
    committed(await shop.type(member, "5", "98"))
    assert len(await shop.waiting(member)) == OPEN_CLAIMS_MAX
    shop.client.clock.advance(days=8)
    committed(await shop.type(member, "5", "97"))
    assert await shop.waiting(member) == ["97"]


async def test_claims_of_one_batch_share_a_receipt_once(shop: Shop) -> None:
    member, other = await shop.client.member(), await shop.client.member()
    batch = [EventOfMember(shop.sale("5", "1"), MemberKey("id", who)) for who in (member, other, member)]
    outcomes = await record_many(shop.client.context(Role.KIOSK), batch)
    assert sum(isinstance(one, Committed) for one in outcomes) == 1
    batch = [EventOfMember(shop.sale("5", "1"), MemberKey("id", who)) for who in (other, member, other)]
    outcomes = await record_many(shop.client.context(Role.TILL), batch)
    assert sum(isinstance(one, Committed) for one in outcomes) == 1
    assert sum([await shop.points(who) for who in (member, other)]) == 5
    assert await shop.faults() == []


# What staff decide


@pytest.mark.parametrize("receipt", [None, "4711"])
async def test_staff_accept_a_claim_at_its_own_time(shop: Shop, receipt: str | None) -> None:
    member = await shop.client.member()
    at = shop.client.clock() - timedelta(days=2)
    sale = shop.sale("50", receipt, occurred_at=at)
    claimed = await shop.send(Role.KIOSK, member, sale)
    accepted = committed(await shop.decide(claimed, key="decided"))
    assert [(entry.points, entry.occurred_at) for entry in accepted.record.entries] == [(50, at)]
    assert accepted.record.cause.reason == "the shopper showed it"
    assert accepted.snapshot.member.event_counts == {"purchase": 1}
    assert committed(await shop.decide(claimed, key="decided")).replayed
    assert reason_of(await shop.decide(claimed)) == (RefusalCode.CONFLICT, "claim_decided")
    if receipt is not None:
        assert reason_of(await shop.ring(member, "50", receipt, occurred_at=at)) == COUNTED
    assert (await shop.points(member), await shop.waiting(member)) == (50, [])
    assert await shop.faults() == []
    refund = shop.client.purchase_event("0", type="refund", purchase=None, refund_of=sale.key)
    committed(await shop.send(Role.KIOSK, member, refund))
    assert await shop.points(member) == 0
    assert await shop.faults() == []


async def test_refused_claim_gives_nothing(shop: Shop) -> None:
    member = await shop.client.member()
    claimed = await shop.type(member, "50")
    assert why(await shop.decide(claimed, accepts=False)) == [RuleOutcome.CLAIM_REFUSED]
    assert reason_of(await shop.decide(claimed)) == (RefusalCode.CONFLICT, "claim_decided")
    assert (await shop.points(member), await shop.waiting(member)) == (0, [])


async def test_only_an_entry_of_a_claim_can_be_decided(shop: Shop) -> None:
    member = await shop.client.member()
    counted = await shop.ring(member, "50", "1")
    claimed = committed(await shop.type(member, "50", "2"))
    agent = shop.client.context(Role.AGENT)
    version = claimed.record.version
    for entry in (None, ("nobody", 1, 0), (member, version, 1), (member, version + 1, 0)):
        outcome = await claims.decide_claim(agent, entry=entry, **PROVIDED)
        assert reason_of(outcome) == (RefusalCode.NOT_FOUND, "claim_not_found")
    assert reason_of(await shop.decide(counted))[0] is RefusalCode.NOT_FOUND
    empty: dict[str, Any] = {**PROVIDED, "reason": " "}
    assert reason_of(await claims.decide_claim(agent, entry=(member, version, 0), **empty))[1] == "reason_missing"
    stranger = replace(shop.client, programme="coffee").context(Role.AGENT)
    outcome = await claims.decide_claim(stranger, entry=(member, version, 0), **PROVIDED)
    assert reason_of(outcome)[0] is RefusalCode.NOT_FOUND


async def test_claim_cannot_be_refunded(shop: Shop) -> None:
    member = await shop.client.member()
    sale = shop.sale("50", "4711")
    await shop.send(Role.KIOSK, member, sale)
    refund = shop.client.purchase_event("0", type="refund", purchase=None, refund_of=sale.key)
    assert reason_of(await shop.send(Role.KIOSK, member, refund)) == (RefusalCode.CONFLICT, "purchase_waits")


def with_programme(client: ResolverClient, **rules: Any) -> Shop:
    """Return a shop whose programme has other rules."""
    programme = replace(client.services.programmes.get(client.programme), **rules)
    programmes = Programmes(client.services.database, [programme])
    return Shop(replace(client, services=replace(client.services, programmes=programmes)))


@pytest.mark.parametrize("accepts", [True, False])
@pytest.mark.parametrize("receipt", [None, "4711"])
async def test_refund_that_came_first_waits_until_its_claim_counts(
    shop: Shop, receipt: str | None, accepts: bool
) -> None:
    member = await shop.client.member()
    sale = shop.sale("50", receipt)
    refund = shop.client.purchase_event("0", type="refund", purchase=None, refund_of=sale.key)
    assert committed(await shop.send(Role.KIOSK, member, refund)).waiting
    claimed = await shop.send(Role.KIOSK, member, sale)
    assert committed(claimed).waiting
    assert await count_arrived(shop.client.services) == 0
    assert committed(await shop.send(Role.KIOSK, member, refund)).waiting
    assert await shop.faults() == []
    committed(await shop.decide(claimed, accepts=accepts))
    assert committed(await shop.send(Role.KIOSK, member, refund)).waiting is not accepts
    assert committed(await shop.send(Role.KIOSK, member, sale)).waiting is False
    snapshot = await shop.client.services.reader.member("grocer", member)
    assert snapshot is not None
    assert [entry.points for entry in snapshot.recent(first=9) if entry.points] == ([-50, 50] if accepts else [])
    assert await count_arrived(shop.client.services) == 0
    assert await shop.faults() == []


async def test_waiting_says_whether_a_claim_may_still_count(shop: Shop) -> None:
    member = await shop.client.member()
    sale = shop.sale("50", "4711")
    context, sent = shop.client.context(Role.KIOSK), EventOfMember(sale, MemberKey("id", member))
    assert committed(await preview(context, sent)).waiting
    assert committed(await record(context, sent)).waiting
    assert committed(await preview(context, sent)).waiting
    assert not committed(await shop.ring(member, "50", "4711")).waiting
    assert not committed(await record(context, sent)).waiting
    assert not committed(await preview(context, sent)).waiting


async def test_claim_with_the_key_of_a_purchase_is_not_meant(resolver_client: ResolverClient) -> None:
    rules = SenderRule("till-*", ("till-*", "kiosk"))
    shop = with_programme(resolver_client, senders=Senders((rules,)))
    member, other = await shop.client.member(), await shop.client.member()
    await shop.type(other, "50", key="order-1")
    await shop.send(Role.KIOSK, member, shop.sale("50", key="order-2"))
    for key in ("order-1", "order-2"):
        committed(await shop.client.record(member, shop.sale("50", key=key), subject="till-1"))
        refund = shop.client.purchase_event("0", type="refund", purchase=None, refund_of=key)
        assert not committed(await shop.client.record(member, refund, subject="till-2")).waiting
    assert await shop.points(member) == 0
    assert await shop.faults() == []


async def test_claim_of_another_member_does_not_stop_a_refund_from_waiting(resolver_client: ResolverClient) -> None:
    shop = with_programme(resolver_client, senders=Senders((SenderRule("till-*", ("till-*", "kiosk")),)))
    member, other = await shop.client.member(), await shop.client.member()
    await shop.type(other, "50", key="order-1")
    refund = shop.client.purchase_event("0", type="refund", purchase=None, refund_of="order-1")
    assert committed(await shop.client.record(member, refund, subject="till-2")).waiting
    committed(await shop.client.record(member, shop.sale("50", key="order-1"), subject="till-1"))
    assert await shop.points(member) == 0
    assert await shop.faults() == []


async def test_limits_see_a_claim_when_it_counts(resolver_client: ResolverClient) -> None:
    limit = ActivityLimit(LimitedActor.CARD, Measure.EVENTS, 1, Span.DAY)
    shop = with_programme(resolver_client, activity_limits=(limit,))
    member = await shop.client.member()
    first, second, third = [await shop.type(member, "50") for _ in range(3)]
    committed(await shop.decide(first, accepts=False))
    committed(await shop.decide(second))
    refusal = refused(await shop.decide(third))
    assert (refusal.code, refusal.reason, refusal.path) == (
        RefusalCode.LIMIT_REACHED,
        "activity_events_day",
        ("entry",),
    )
    assert refused(await shop.ring(member, "5")).reason == "activity_events_day"
    findings = await audit(shop.client.services.database)
    assert (findings.members_with_faults, findings.supplies_with_faults) == ([], [])


@pytest.mark.parametrize("receipt", ["", " ", "-", "\u200b"])
async def test_receipt_without_letter_or_digit_is_refused(shop: Shop, receipt: str) -> None:
    member = await shop.client.member()
    for role in (Role.KIOSK, Role.TILL):
        refusal = refused(await shop.send(role, member, shop.sale("5", receipt)))
        assert (refusal.code, refusal.path) == (RefusalCode.INVALID, ("purchase", "receipt"))


# Offers


@pytest.mark.parametrize("by_staff", [True, False])
async def test_offer_of_a_claim_gives_when_it_counts(catalogue_client: CatalogueClient, by_staff: bool) -> None:
    shop = Shop(catalogue_client)
    member = await shop.client.member()
    sale = shop.sale("50", "4711")
    claimed = await shop.send(Role.KIOSK, member, sale)
    committed(await catalogue_client.redeem(member, offer="double", purchase_key=sale.key, role=Role.KIOSK))
    assert await shop.points(member) == 0
    till = shop.sale("50", "4711")
    committed(await shop.decide(claimed) if by_staff else await shop.send(Role.TILL, member, till))
    assert await shop.points(member) == 100
    findings = await audit(shop.client.services.database)
    assert (findings.members_with_faults, findings.supplies_with_faults) == ([], [])


async def test_offer_used_for_a_claim_and_for_its_till_counts_once(catalogue_client: CatalogueClient) -> None:
    shop = Shop(catalogue_client)
    member = await shop.client.member()
    claimed, till = shop.sale("50", "4711"), shop.sale("50", "4711")
    committed(await shop.send(Role.KIOSK, member, claimed))
    committed(await catalogue_client.redeem(member, offer="bonus", purchase_key=claimed.key, role=Role.KIOSK))
    committed(await catalogue_client.redeem(member, offer="bonus", purchase_key=till.key))
    counted = committed(await shop.send(Role.TILL, member, till)).snapshot.member
    assert (counted.available, counted.offer_use("bonus").uses, counted.pending_uses) == (70, 1, {})
    findings = await audit(shop.client.services.database)
    assert (findings.members_with_faults, findings.supplies_with_faults) == ([], [])


# Races


async def test_two_processes_credit_a_receipt_once(
    catalogue_client: CatalogueClient, other_catalogue_client: CatalogueClient
) -> None:
    one, other = Shop(catalogue_client), Shop(other_catalogue_client)
    members = [await one.client.member() for _ in range(4)]
    for receipt in range(1, 6):
        outcomes = await asyncio.gather(
            *(shop.type(member, "5", str(receipt)) for shop in (one, other) for member in members)
        )
        assert sum(isinstance(outcome, Committed) for outcome in outcomes) == 1
        claimed = next(outcome for outcome in outcomes if isinstance(outcome, Committed))
        outcomes = await asyncio.gather(
            *(shop.ring(member, "5", str(receipt)) for shop in (one, other) for member in members),
            one.decide(claimed),
            other.decide(claimed),
        )
        assert sum(isinstance(outcome, Committed) for outcome in outcomes) == 1
    assert sum([await one.points(member) for member in members]) == 25
    assert await one.faults() == []


# The audit


@pytest.mark.parametrize(
    ("collection", "filter_", "change", "fault"),
    [
        ("entries", {"claim.state": "matched"}, {"$set": {"claim.state": "accepted"}}, "does not belong to it"),
        ("entries", {"claim.state": "open"}, {"$set": {"grants": [["base", [50], True]]}}, "gave points"),
        (
            "entries",
            {"receipt": {"$exists": True}, "claim": None},
            {"$unset": {"receipt": ""}},
            "is not stored with it",
        ),
        ("receipts", {}, {"$set": {"event": "grocer/event/kiosk/other"}}, "is no event of it"),
        ("receipts", {}, {"$set": {"member": "another"}}, "does not belong to it"),
    ],
)
async def test_audit_notices_a_receipt_that_counts_twice(
    shop: Shop, collection: str, filter_: dict[str, Any], change: dict[str, Any], fault: str
) -> None:
    member = await shop.client.member()
    await shop.type(member, "50", "1")
    await shop.ring(member, "50", "1")
    await shop.type(member, "50")
    assert await shop.faults() == []
    stored = shop.client.services.database.db[collection]
    assert (await stored.update_one(filter_, change, bypass_document_validation=True)).modified_count == 1
    assert any(fault in sentence for faults in await shop.faults() for sentence in faults)


async def test_audit_notices_a_lost_receipt(shop: Shop) -> None:
    member = await shop.client.member()
    await shop.ring(member, "50", "1")
    await shop.client.services.database.receipts.delete_many({})
    assert any("does not belong to it" in sentence for faults in await shop.faults() for sentence in faults)
