"""One brand, many senders: references between them, and refunds that arrive before their purchase."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from itertools import permutations
from random import Random
from typing import Any

import pytest
from support.clients.catalogue_client import CatalogueClient
from support.clients.resolver_client import ResolverClient
from support.documents import documents
from support.outcome import committed, refused

from loyalty.kernel.channel import Channel
from loyalty.kernel.refusal import RefusalCode
from loyalty.model.event import Event
from loyalty.model.ledger import Account
from loyalty.model.references.senders import SenderRule, Senders
from loyalty.model.references.waiting import WAITING_MAX, WAITING_PER_MEMBER_MAX
from models.commits.committer import Committer
from models.commits.request import Committed, Outcome
from models.mongo.database import connect
from models.mongod.server import EmbeddedServer
from models.programmes.programme_store import Programmes
from models.reads.reader import Reader
from resolvers import event as events
from resolvers import offer as offers
from resolvers.audit.audit import Findings, audit
from resolvers.core.actor import Role
from resolvers.core.context import Services
from resolvers.core.member import MemberKey
from resolvers.event import EventOfMember
from resolvers.offer import RedemptionInput, ReleaseInput
from resolvers.sweeper import settle_all_due
from resolvers.waiting import count_arrived, page

TILLS = Senders((SenderRule("till-*", ("webshop", "till-*")), SenderRule("desk", ("*",))))


def with_senders(client: ResolverClient, senders: Senders) -> ResolverClient:
    """Return a client whose programme has these rules."""
    programme = replace(client.services.programmes.get(client.programme), senders=senders)
    programmes = Programmes(client.services.database, [programme])
    return replace(client, services=replace(client.services, programmes=programmes))


@pytest.fixture
def shop(resolver_client: ResolverClient) -> ResolverClient:
    """A brand whose tills refer to each other and to the web shop."""
    return with_senders(resolver_client, TILLS)


@pytest.fixture
async def other_shop(shop: ResolverClient, mongod: EmbeddedServer) -> AsyncIterator[ResolverClient]:
    """The same brand through another process."""
    other = connect(mongod.url, name=shop.services.database.db.name)
    async with Committer(other) as committer:
        services: Services = replace(shop.services, database=other, committer=committer, reader=Reader(other))
        yield replace(shop, services=services)
    await other.close()


async def buy(shop: ResolverClient, member: str, total: str, key: str, sender: str, **about: Any) -> Committed:
    return committed(await shop.record(member, shop.purchase_event(total, key=key, **about), subject=sender))


async def give_back(shop: ResolverClient, member: str, bought: str, sender: str, **about: Any) -> Outcome:
    fields: dict[str, Any] = {"type": "refund", "purchase": None, "refund_of": bought, **about}
    return await shop.record(member, shop.purchase_event("0", **fields), subject=sender)


async def available(shop: ResolverClient, member: str) -> int:
    snapshot = await shop.services.reader.member(shop.programme, member)
    assert snapshot is not None
    return snapshot.member.available


async def assert_holds(shop: ResolverClient) -> Findings:
    found = await audit(shop.services.database)
    assert found.is_clean, (found.members_with_faults, found.supplies_with_faults)
    return found


@pytest.mark.parametrize(
    ("seller", "returner", "ref_sender", "found"),
    [
        ("webshop", "till-1", None, True),
        ("webshop", "till-1", "webshop", True),
        ("till-2", "till-1", None, True),
        ("till-1", "till-1", "till-1", True),
        ("till-1", "till-1", None, True),
        ("partner/a b%", "desk", None, True),
        ("partner/a b%", "desk", "partner/a b%", True),
        ("webshop", "webshop", None, True),
        ("till-1", "webshop", None, False),
        ("till-1", "webshop", "till-1", False),
        ("partner", "till-1", None, False),
        ("partner", "till-1", "partner", False),
        ("webshop", "till", "webshop", False),
        ("webshop", "Till-1", None, False),
    ],
)
async def test_a_refund_finds_the_purchases_that_its_sender_may_refer_to(
    shop: ResolverClient, seller: str, returner: str, ref_sender: str | None, found: bool
) -> None:
    member = await shop.member()
    await buy(shop, member, "40.00", "order/1", seller)
    before = await documents(shop.services.database)
    outcome = await give_back(shop, member, "order/1", returner, ref_sender=ref_sender, key="back")
    if found:
        assert committed(outcome).waiting is False
        assert await available(shop, member) == 0
        again = await give_back(shop, member, "order/1", returner, ref_sender=ref_sender, key="back-2")
        assert refused(again).reason == "refund_done"
    else:
        refusal = refused(outcome)
        assert (refusal.code, refusal.reason, refusal.path) == (
            RefusalCode.NOT_FOUND,
            "purchase_not_found",
            ("refundOf",),
        )
        assert await documents(shop.services.database) == before
    await assert_holds(shop)


async def test_without_senders_a_sender_refers_to_its_own_events_only(resolver_client: ResolverClient) -> None:
    member = await resolver_client.member()
    await buy(resolver_client, member, "40.00", "order-1", "webshop")
    for named in (None, "webshop", "nobody"):
        outcome = await give_back(resolver_client, member, "order-1", "till-1", ref_sender=named)
        assert refused(outcome).reason == "purchase_not_found"
    assert await available(resolver_client, member) == 40


async def test_a_sender_that_may_not_be_named_is_refused_whether_or_not_the_purchase_exists(
    shop: ResolverClient,
) -> None:
    member = await shop.member()
    await buy(shop, member, "40.00", "sold", "partner")
    answers = [await give_back(shop, member, key, "till-1", ref_sender="partner") for key in ("sold", "never")]
    assert [(refused(one).code, refused(one).reason) for one in answers] == [
        (RefusalCode.NOT_FOUND, "purchase_not_found")
    ] * 2


async def test_a_key_of_several_senders_needs_the_sender(shop: ResolverClient) -> None:
    member, other = await shop.member(), await shop.member()
    await buy(shop, member, "10.00", "r-1", "till-1")
    await buy(shop, member, "20.00", "r-1", "webshop")
    await buy(shop, other, "70.00", "r-1", "till-3")
    for sender in ("till-1", "till-2"):
        refusal = refused(await give_back(shop, member, "r-1", sender))
        assert (refusal.code, refusal.reason, refusal.path) == (
            RefusalCode.INVALID,
            "reference_ambiguous",
            ("refSender",),
        )
    # Another member's purchase makes nothing ambiguous, and is never returned.
    committed(await give_back(shop, other, "r-1", "till-2"))
    committed(await give_back(shop, member, "r-1", "till-2", ref_sender="webshop"))
    assert (await available(shop, member), await available(shop, other)) == (10, 0)
    committed(await give_back(shop, member, "r-1", "till-1", ref_sender="till-1"))
    assert await available(shop, member) == 0
    await assert_holds(shop)


async def test_another_members_purchase_is_never_returned(shop: ResolverClient) -> None:
    member, other = await shop.member(), await shop.member()
    await buy(shop, other, "10.00", "r-1", "webshop")
    for named in (None, "webshop"):
        assert refused(await give_back(shop, member, "r-1", "till-1", ref_sender=named)).reason == "purchase_not_found"
    assert await available(shop, other) == 10


async def test_ref_is_the_general_name_of_refund_of(shop: ResolverClient) -> None:
    member = await shop.member()
    await buy(shop, member, "10.00", "r-1", "till-1")

    async def send(ref: str | None, **about: Any) -> Outcome:
        fields: dict[str, Any] = {"type": "refund", "purchase": None, "key": "back", **about}
        sent = EventOfMember(shop.purchase_event("0", **fields), MemberKey("id", member), ref)
        return await events.record(shop.context(subject="till-1"), sent)

    assert refused(await send("r-1", refund_of="r-2")).reason == "ref_differs"
    assert refused(await send("r-1", type="visit")).path == ("ref",)
    assert refused(await send(None, type="visit", ref_sender="till-1")).path == ("refSender",)
    assert refused(await send(" ")).reason == "refund_of_missing"
    assert refused(await send("r-1", ref_sender=" ")).reason == "sender_empty"
    assert refused(await send("r" * 201)).reason == "text_too_long"
    first = committed(await send("r-1"))
    for again in (await send("r-1"), await send("r-1", refund_of="r-1"), await send(None, refund_of="r-1")):
        assert (committed(again).replayed, committed(again).record) == (True, first.record)
    assert refused(await send("r-1", ref_sender="till-1")).reason == "key_reused"


@pytest.mark.parametrize(
    ("seller", "ref_sender"), [("till-1", None), ("till-1", "till-1"), ("webshop", None), ("webshop", "webshop")]
)
async def test_a_refund_that_arrives_first_counts_right_after_its_purchase(
    shop: ResolverClient, seller: str, ref_sender: str | None
) -> None:
    member = await shop.member()
    first = committed(await give_back(shop, member, "r-1", "till-1", key="back", ref_sender=ref_sender))
    assert (first.waiting, first.replayed, first.record.entries) == (True, False, ())
    replay = committed(await give_back(shop, member, "r-1", "till-1", key="back", ref_sender=ref_sender))
    assert (replay.waiting, replay.replayed, replay.record) == (True, True, first.record)
    other = await give_back(shop, member, "r-2", "till-1", key="back", ref_sender=ref_sender)
    assert refused(other).reason == "key_reused"
    [[waits], more] = await page(shop.context(Role.AGENT), first=5, after=None)
    assert (waits.sender, waits.key, waits.waits_for, waits.type, more) == ("till-1", "back", "r-1", "refund", False)
    assert (waits.since, waits.until) == (shop.clock(), shop.clock() + WAITING_MAX)
    assert (await assert_holds(shop)).waiting == 1

    sold_at = shop.clock()
    shop.clock.advance(hours=7)
    bought = await buy(shop, member, "30.00", "r-1", seller, occurred_at=sold_at)
    assert [entry.points for entry in bought.record.entries] == [30]
    assert bought.snapshot.member.available == 0
    assert await available(shop, member) == 0
    again = {"key": "back", "ref_sender": ref_sender, "occurred_at": sold_at}
    counted = committed(await give_back(shop, member, "r-1", "till-1", **again))
    assert (counted.waiting, counted.replayed, [e.points for e in counted.record.entries]) == (False, True, [-30])
    # The purchase arrives twice.
    assert (await buy(shop, member, "30.00", "r-1", seller, occurred_at=sold_at)).replayed
    assert await available(shop, member) == 0
    assert refused(await give_back(shop, member, "r-1", "till-1", key="back-2")).reason == "refund_done"
    assert (await assert_holds(shop)).waiting == 0


async def test_a_batch_may_have_the_refund_before_the_purchase(shop: ResolverClient) -> None:
    member = MemberKey("id", await shop.member())
    back = shop.purchase_event("0", type="refund", purchase=None, refund_of="r-1", key="back")
    batch = [back, shop.purchase_event("25.00", key="r-1"), shop.purchase_event("7.00"), back]
    outcomes = await events.record_many(shop.context(subject="till-1"), [EventOfMember(one, member) for one in batch])
    assert [committed(one).waiting for one in outcomes if isinstance(one, Committed)] == [True, False, False, False]
    assert await available(shop, member.value) == 7
    await assert_holds(shop)


async def test_parts_of_a_purchase_wait_together_and_never_exceed_it(shop: ResolverClient) -> None:
    member = await shop.member()
    for key, total in (("a", "20.00"), ("b", "20.00"), ("c", "10.00"), ("d", "1.00")):
        part = shop.purchase_event(total, type="refund", refund_of="r-1", key=key)
        assert committed(await shop.record(member, part, subject="till-1")).waiting
    await buy(shop, member, "50.00", "r-1", "webshop")
    assert await available(shop, member) == 0
    again = shop.purchase_event("1.00", type="refund", refund_of="r-1", key="d")
    refusal = refused(await shop.record(member, again, subject="till-1"))
    assert refusal.reason in {"refund_done", "refund_exceeds"}
    snapshot = await shop.services.reader.member("grocer", member)
    assert snapshot is not None
    assert [(one.label, one.points) for one in snapshot.recent(first=2)] == [("refund_refused", 0), ("event", -10)]
    assert snapshot.member.waiting == ()
    await assert_holds(shop)


async def test_a_refund_waits_only_for_a_purchase_of_its_member_and_of_a_sender_that_it_may_name(
    shop: ResolverClient,
) -> None:
    member, other = await shop.member(), await shop.member()
    assert committed(await give_back(shop, member, "r-1", "till-1", key="back")).waiting
    await buy(shop, other, "10.00", "r-1", "till-1")
    await buy(shop, member, "20.00", "r-1", "partner")
    assert (await available(shop, member), await available(shop, other)) == (20, 10)
    assert (await assert_holds(shop)).waiting == 1
    await buy(shop, member, "5.00", "r-1", "till-9")
    assert await available(shop, member) == 20
    assert (await assert_holds(shop)).waiting == 0


async def test_what_never_arrives_is_refused_after_a_documented_time(shop: ResolverClient) -> None:
    member = await shop.member()
    committed(await give_back(shop, member, "r-1", "till-1", key="back"))
    shop.clock.advance(seconds=WAITING_MAX.total_seconds() - 1)
    assert await settle_all_due(shop.services) == 0
    shop.clock.advance(seconds=1)
    assert await settle_all_due(shop.services) == 1
    refusal = refused(
        await give_back(shop, member, "r-1", "till-1", key="back", occurred_at=shop.clock() - WAITING_MAX)
    )
    assert (refusal.code, refusal.reason) == (RefusalCode.NOT_FOUND, "purchase_never_arrived")
    await buy(shop, member, "10.00", "r-1", "till-1")
    assert await available(shop, member) == 10
    committed(await give_back(shop, member, "r-1", "till-1", key="back-2"))
    assert await available(shop, member) == 0
    await assert_holds(shop)


async def test_waiting_is_bounded_for_each_member(shop: ResolverClient) -> None:
    member, other = await shop.member(), await shop.member()
    for number in range(WAITING_PER_MEMBER_MAX):
        assert committed(await give_back(shop, member, f"r-{number}", "till-1")).waiting
    refusal = refused(await give_back(shop, member, "one more", "till-1"))
    assert (refusal.code, refusal.reason) == (RefusalCode.LIMIT_REACHED, "waiting_max_member")
    assert committed(await give_back(shop, other, "one more", "till-1")).waiting
    await buy(shop, member, "10.00", "r-3", "till-1")
    assert committed(await give_back(shop, member, "one more", "till-1")).waiting


@pytest.mark.parametrize(("sender", "reason"), [("till-1", "waiting_max_sender"), ("till-2", "waiting_max_programme")])
async def test_waiting_is_bounded_for_each_sender_and_programme(
    shop: ResolverClient, sender: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loyalty.commands.record_event.WAITING_PER_SENDER_MAX", 3)
    monkeypatch.setattr("loyalty.commands.record_event.WAITING_PER_PROGRAMME_MAX", 3)
    members = [await shop.member() for _ in range(4)]
    outcomes = await asyncio.gather(*(give_back(shop, member, "r-1", "till-1") for member in members[:3]))
    assert [committed(one).waiting for one in outcomes] == [True] * 3
    assert refused(await give_back(shop, members[3], "r-1", sender)).reason == reason


async def test_a_preview_says_that_a_refund_would_wait(shop: ResolverClient) -> None:
    member = await shop.member()
    before = await documents(shop.services.database)
    back = shop.purchase_event("0", type="refund", purchase=None, refund_of="r-1", key="back")
    sent = EventOfMember(back, MemberKey("id", member))
    assert committed(await events.preview(shop.context(subject="till-1"), sent)).waiting
    assert await documents(shop.services.database) == before
    committed(await events.record(shop.context(subject="till-1"), sent))
    shown = committed(await events.preview(shop.context(subject="till-1"), sent))
    assert (shown.waiting, shown.replayed) == (True, True)
    await buy(shop, member, "10.00", "r-2", "webshop")
    other = EventOfMember(replace(back, key="back-2", refund_of="r-2"), MemberKey("id", member))
    shown = committed(await events.preview(shop.context(subject="till-1"), other))
    assert (shown.waiting, shown.snapshot.member.available) == (False, 0)


@pytest.mark.parametrize("seed", range(12))
async def test_purchase_and_refund_at_once_through_two_gateways_both_count(
    shop: ResolverClient, other_shop: ResolverClient, seed: int
) -> None:
    members = [await shop.member() for _ in range(4)]

    async def sell(client: ResolverClient, member: str) -> Outcome:
        await asyncio.sleep(0.001 * (seed % 4))
        return await buy(client, member, "10.00", f"r-{member}", "webshop")

    async def take_back(client: ResolverClient, member: str) -> Outcome:
        await asyncio.sleep(0.001 * (seed // 4))
        return await give_back(client, member, f"r-{member}", "till-1", key=f"back-{member}")

    await asyncio.gather(*(step for member in members for step in (sell(shop, member), take_back(other_shop, member))))
    assert [await available(shop, member) for member in members] == [0] * 4
    found = await assert_holds(shop)
    assert found.waiting == 0
    assert found.balances[Account.ISSUED] == 0


async def test_a_key_counts_once_although_one_of_its_events_waits(
    shop: ResolverClient, other_shop: ResolverClient
) -> None:
    """A refund that waits and the purchase of another member, under one key and at once through two gateways."""
    one, two = await shop.member(), await shop.member()
    for number in range(12):
        key = f"shared-{number}"
        purchase = other_shop.purchase_event("10.00", key=key)
        outcomes = await asyncio.gather(
            give_back(shop, one, f"never-{number}", "till-1", key=key),
            other_shop.record(two, purchase, subject="till-1"),
        )
        [lost] = [outcome for outcome in outcomes if not isinstance(outcome, Committed)]
        assert refused(lost).code is RefusalCode.KEY_REUSED
        assert await shop.services.database.records.count_documents({"cause.key": key}) == 1
    await assert_holds(shop)


@pytest.mark.parametrize("order", [*permutations(range(4))][::3])
async def test_events_count_the_same_in_every_order(shop: ResolverClient, order: Sequence[int]) -> None:
    member = await shop.member()
    steps: list[Callable[[], Awaitable[Outcome]]] = [
        lambda: buy(shop, member, "30.00", "a", "webshop"),
        lambda: buy(shop, member, "50.00", "b", "till-2"),
        lambda: give_back(shop, member, "a", "till-1"),
        lambda: shop.record(
            member, shop.purchase_event("20.00", type="refund", refund_of="b", ref_sender="till-2"), subject="till-3"
        ),
    ]
    for place in order:
        committed(await steps[place]())
    assert await available(shop, member) == 30
    assert (await assert_holds(shop)).waiting == 0


async def test_a_rule_that_is_added_later_counts_what_waits(resolver_client: ResolverClient) -> None:
    member = await resolver_client.member()
    committed(await give_back(resolver_client, member, "r-1", "till-1", key="back"))
    await buy(resolver_client, member, "10.00", "r-1", "webshop")
    assert await available(resolver_client, member) == 10
    assert await count_arrived(resolver_client.services) == 0
    shop = with_senders(resolver_client, TILLS)
    assert sum(await asyncio.gather(count_arrived(shop.services), count_arrived(shop.services))) == 1
    assert await available(shop, member) == 0
    await assert_holds(shop)


async def test_the_audit_finds_a_refund_that_waits_although_its_purchase_is_recorded(shop: ResolverClient) -> None:
    member = await shop.member()
    await buy(shop, member, "10.00", "sold", "till-1")
    committed(await give_back(shop, member, "r-1", "till-1", key="back"))
    records = shop.services.database.records
    await records.update_one({"cause.key": "back"}, {"$set": {"refund_of": "sold", "waiting.reference": "till-1/sold"}})
    [broken] = (await audit(shop.services.database)).members_with_faults
    assert [fault for fault in broken.faults if "waits although its purchase 'sold' is recorded" in fault]
    await records.update_one(
        {"cause.key": "back"}, {"$unset": {"waiting": ""}, "$set": {"refused": ["INVALID", "x", [], {}]}}
    )
    [broken] = (await audit(shop.services.database)).members_with_faults
    assert broken.faults == ("the snapshot says that event 'back' waits for its purchase, and it does not",)
    await records.update_one({"cause.key": "back"}, {"$unset": {"key": ""}})
    [broken] = (await audit(shop.services.database)).members_with_faults
    assert "the event of key 'back' is missing" in broken.faults


@pytest.fixture
def store(catalogue_client: CatalogueClient) -> CatalogueClient:
    """The small catalogue of a brand whose tills refer to each other and to the web shop."""
    programme = replace(catalogue_client.services.programmes.get("grocer"), senders=TILLS)
    programmes = Programmes(catalogue_client.services.database, [programme])
    return replace(catalogue_client, services=replace(catalogue_client.services, programmes=programmes))


async def redeem(store: CatalogueClient, member: str, offer: str, bought: str, sender: str, **about: Any) -> Outcome:
    fields: dict[str, Any] = {"key": store.key(), "channel": Channel.STORE, "purchase_key": bought, **about}
    request = RedemptionInput(member=MemberKey("id", member), offer=offer, **fields)
    return await offers.redeem(store.context(subject=sender), request)


@pytest.mark.parametrize("named", [None, "webshop"])
@pytest.mark.parametrize("redeemed_first", [True, False])
async def test_an_offer_is_used_for_a_purchase_of_another_sender_in_either_order(
    store: CatalogueClient, named: str | None, redeemed_first: bool
) -> None:
    member = await store.member()
    if redeemed_first:
        committed(await redeem(store, member, "double", "w-1", "till-1", purchase_sender=named))
    await buy(store, member, "30.00", "w-1", "webshop")
    if not redeemed_first:
        committed(await redeem(store, member, "double", "w-1", "till-1", purchase_sender=named))
    assert await available(store, member) == 60
    for sender in ("till-1", "till-2", "webshop"):
        refusal = refused(await redeem(store, member, "double", "w-1", sender))
        assert refusal.reason in {"offer_used", "offer_used_for_purchase"}
    await assert_holds(store)
    committed(await give_back(store, member, "w-1", "till-2"))
    snapshot = await store.services.reader.member("grocer", member)
    assert snapshot is not None
    use = snapshot.member.offer_use("double")
    assert (snapshot.member.available, use.uses, snapshot.member.pending_uses) == (0, 0, {})
    await assert_holds(store)


async def test_two_tills_cannot_use_an_offer_twice_for_a_purchase_that_is_still_to_come(store: CatalogueClient) -> None:
    member = await store.member()
    committed(await redeem(store, member, "bonus", "w-1", "till-1"))
    for sender, named in (("till-2", None), ("webshop", None), ("till-2", "webshop"), ("till-1", "till-1")):
        refusal = refused(await redeem(store, member, "bonus", "w-1", sender, purchase_sender=named))
        assert (refusal.code, refusal.reason) == (RefusalCode.CONFLICT, "offer_used_for_purchase")
    committed(await redeem(store, member, "bonus", "w-2", "till-2"))
    await buy(store, member, "10.00", "w-1", "webshop")
    assert await available(store, member) == 30
    await assert_holds(store)


async def test_an_offer_is_not_used_for_what_its_sender_may_not_refer_to(store: CatalogueClient) -> None:
    member, other = await store.member(), await store.member()
    await buy(store, member, "30.00", "p-1", "partner")
    await buy(store, other, "30.00", "w-9", "webshop")
    await buy(store, member, "30.00", "w-2", "webshop")
    await buy(store, member, "30.00", "w-2", "till-2")
    before = await documents(store.services.database)

    async def refusal(bought: str | None, named: str | None) -> tuple[str, str, tuple[str, ...]]:
        about = {"purchase_sender": named}
        found = refused(await redeem(store, member, "double", bought, "till-1", **about))  # type: ignore[arg-type]
        return found.code.value, found.reason, found.path

    not_found = ("NOT_FOUND", "purchase_not_found", ("purchaseKey",))
    assert await refusal("p-1", None) == not_found
    not_named = ("NOT_FOUND", "purchase_sender_not_found", ("purchaseSender",))
    assert await refusal("p-1", "partner") == await refusal("p-2", "partner") == not_named
    assert await refusal("w-9", None) == not_found
    assert await refusal("w-9", "webshop") == ("CONFLICT", "purchase_of_another", ("purchaseKey",))
    assert await refusal("w-2", None) == ("INVALID", "reference_ambiguous", ("purchaseSender",))
    assert await refusal("w-2", " ") == ("INVALID", "sender_empty", ("purchaseSender",))
    assert await refusal(None, "webshop") == ("INVALID", "purchase_key_of_sender", ("purchaseKey",))
    assert await documents(store.services.database) == before
    committed(await redeem(store, member, "double", "w-2", "till-1", purchase_sender="till-2"))
    assert await available(store, member) == 120


def stages(plan: dict[str, Any]) -> set[str]:
    """Return the stages of a query plan."""
    below = [plan[name] for name in ("inputStage", "queryPlan") if name in plan] + plan.get("inputStages", [])
    return {plan.get("stage", "")}.union(*(stages(one) for one in below))


@pytest.mark.parametrize(
    "query",
    [
        {"$or": [{"cause.key": key, "member": "m", "type": "purchase", "programme": "grocer"} for key in "ab"]},
        {"cause.key": "a", "type": "purchase", "programme": "grocer"},
        {"key": {"$in": ["grocer/event/till/a", "grocer/event/till/b"]}},
        {"programme": "grocer", "waiting.until": {"$type": "date"}},
        {"programme": "grocer", "waiting.until": {"$type": "date"}, "cause.subject": "till"},
    ],
)
async def test_references_and_waiting_events_are_found_by_an_index(shop: ResolverClient, query: dict[str, Any]) -> None:
    found = await shop.services.database.records.find(query).explain()
    used = stages(found["queryPlanner"]["winningPlan"])
    assert "IXSCAN" in used
    assert "COLLSCAN" not in used


@pytest.mark.parametrize("seed", range(8))
async def test_any_mixture_of_senders_gateways_and_orders_ends_with_everything_counted(
    shop: ResolverClient, other_shop: ResolverClient, seed: int
) -> None:
    """Keys recur among senders; every part of a purchase is returned at a random till, before or after it is sold."""
    chance = Random(seed)  # noqa: S311 - which cases are tested
    members = [await shop.member() for _ in range(3)]
    expected = dict.fromkeys(members, 0)
    calls: list[tuple[str, Event, str]] = []
    for number in range(8):
        member, seller = chance.choice(members), chance.choice(("webshop", "till-1", "till-2"))
        recurs = chance.choice((True, False))
        key = f"r-{number // 3}" if recurs else f"r-{number}-{seller}"
        parts = [chance.randint(1, 30) for _ in range(chance.randint(1, 4))]
        if any(event.key == key and sender == seller for _, event, sender in calls):
            continue
        back = parts[: chance.randint(0, len(parts))]
        expected[member] += sum(parts) - sum(back)
        calls.append((member, shop.purchase_event(f"{sum(parts)}.00", key=key), seller))
        for part in back:
            about = {
                "type": "refund",
                "refund_of": key,
                "ref_sender": seller if recurs else chance.choice((seller, None)),
            }
            calls.append((member, shop.purchase_event(f"{part}.00", **about), chance.choice(("till-1", "till-3"))))
    calls += chance.sample(calls, 3)
    chance.shuffle(calls)
    while calls:
        together, calls = calls[:4], calls[4:]
        outcomes = await asyncio.gather(
            *(
                chance.choice((shop, other_shop)).record(member, event, subject=sender)
                for member, event, sender in together
            )
        )
        assert all(isinstance(one, Committed) for one in outcomes), outcomes
    assert {member: await available(shop, member) for member in members} == expected
    assert (await assert_holds(shop)).waiting == 0


async def release(store: CatalogueClient, member: str, bought: str, sender: str, named: str | None = None) -> Outcome:
    about: dict[str, Any] = {"key": store.key(), "channel": Channel.STORE, "purchase_key": bought}
    request = ReleaseInput(member=MemberKey("id", member), offer="double", purchase_sender=named, **about)
    return await offers.release(store.context(subject=sender), request)


@pytest.mark.parametrize(
    ("named", "releaser", "released_as", "released"),
    [
        (None, "till-1", None, True),
        (None, "till-2", None, True),
        (None, "till-2", "webshop", True),
        ("webshop", "till-1", None, True),
        ("webshop", "webshop", None, True),
        (None, "webshop", None, False),
        (None, "partner", None, False),
    ],
)
async def test_a_use_for_another_senders_purchase_is_released_by_who_may_refer_to_it(
    store: CatalogueClient, named: str | None, releaser: str, released_as: str | None, released: bool
) -> None:
    member = await store.member()
    committed(await redeem(store, member, "double", "w-1", "till-1", purchase_sender=named))
    outcome = await release(store, member, "w-1", releaser, released_as)
    if released:
        assert committed(outcome).snapshot.member.pending_uses == {}
    else:
        assert refused(outcome).reason == "offer_use_not_found"
    assert refused(await release(store, member, "w-1", "till-1", "partner")).reason == "purchase_sender_not_found"
    await buy(store, member, "10.00", "w-1", "webshop")
    assert await available(store, member) == (10 if released else 20)
    await assert_holds(store)


async def test_a_refund_that_waited_cancels_the_gift_of_its_purchase(store: CatalogueClient) -> None:
    member = await store.member()
    committed(await give_back(store, member, "sold", "till-1"))
    committed(await redeem(store, member, "gift", "sold", "till-1"))
    await buy(store, member, "30.00", "sold", "till-1")
    [order] = await store.services.database.orders.find({"member": member}).to_list()
    assert order["state"] == "CANCELLED"
    await assert_holds(store)
