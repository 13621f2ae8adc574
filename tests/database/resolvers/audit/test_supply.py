import asyncio
from typing import Any

import pytest
from support.clients.full_programme_client import FULL_PROGRAMME, RELATIVE, FullProgrammeClient
from support.clients.resolver_client import ResolverClient
from support.outcome import committed, refused

from loyalty.kernel.refusal import RefusalCode
from loyalty.model.order import OrderState
from models.commits.request import Committed
from models.mongo.collection import Collection
from models.mongo.ids import code_id
from resolvers.audit.audit import Findings, audit
from resolvers.sweeper import settle_all_due

# Edits bypass MongoDB's validators, as an administrator can.


@pytest.fixture
async def full_client(resolver_client: ResolverClient) -> FullProgrammeClient:
    return await FullProgrammeClient.opened(resolver_client)


async def visited(full_client: FullProgrammeClient) -> str:
    """Return a member with each command once: orders, cancellation, return, exchange, holds, redemptions."""
    member = await full_client.member()
    bought = full_client.key()
    await full_client.buy(member, "500.00", key=bought)
    breads = await full_client.order(member, "bread", 4)
    await full_client.advance(breads, OrderState.FULFILLED, OrderState.RETURNED, quantity=1)
    await full_client.cancel(await full_client.order(member, "cake", recipient=RELATIVE))
    await full_client.order(member, "cake")
    loaf = await full_client.order(member, "bread")
    await full_client.advance(loaf, OrderState.FULFILLED, OrderState.EXCHANGED, exchange_for="bouquet")
    film = await full_client.order(member, "film")
    await full_client.advance(film, OrderState.RETURNED)
    await full_client.order(member, "film")
    await full_client.cancel(await full_client.order(member, "bouquet"))
    await full_client.order(member, "massage", appointment=full_client.appointment(11))
    await full_client.cancel(await full_client.order(member, "massage", appointment=full_client.appointment(12)))
    await full_client.hold(member, None, 7)
    await full_client.hold(member, "film")
    await full_client.hold(member, "bread")
    await full_client.order(member, "film", hold=(await full_client.hold(member, "film")).id)
    await full_client.order(member, "bread", 2, hold=(await full_client.hold(member, "bread")).id)
    await full_client.release(member, await full_client.hold(member, "bouquet"))
    await full_client.activate(member, "voucher")
    await full_client.redeem(member, "double", bought)
    await full_client.redeem(member, "loaf")
    await full_client.redeem(member, "five-off", bought)
    later = full_client.key()
    for offer in ("double", "tenth-off", "five-off"):
        committed(await full_client.redeem(member, offer, later))
    await full_client.buy(member, "80.00", key=later)
    back = full_client.key()
    await full_client.redeem(member, "double", back)
    await full_client.redeem(member, "five-off", back)
    await full_client.buy(member, "30.00", key=back)
    committed(await full_client.refund(member, back))
    await full_client.redeem(member, "five-off", "never-sent")
    return member


async def audit_report(resolver_client: ResolverClient) -> str:
    """Return the faults of an audit in one line."""
    findings = await audit(resolver_client.services.database)
    members = [f"member {fault}" for broken in findings.members_with_faults for fault in broken.faults]
    supplies = [f"{broken.name}: {fault}" for broken in findings.supplies_with_faults for fault in broken.faults]
    assert findings.is_clean == (not members + supplies)
    return "; ".join(members + supplies)


async def edit(collection: Collection, filter_: dict[str, Any], change: dict[str, Any]) -> None:
    result = await collection.update_one(filter_, change, bypass_document_validation=True)
    assert result.modified_count == 1


async def test_everything_that_members_do_with_offers_and_rewards_passes(full_client: FullProgrammeClient) -> None:
    members = [await visited(full_client) for _ in range(2)]
    findings = await audit(full_client.services.database)
    assert (findings.members_with_faults, findings.supplies_with_faults) == ([], [])
    assert (findings.members, findings.orders, findings.holds, findings.codes) == (2, 28, 6, 90)
    assert findings.counters == await full_client.services.database.counters.count_documents({})
    full_client.clock.advance(hours=2)
    assert await settle_all_due(full_client.services) == 2
    findings = await audit(full_client.services.database)
    assert (findings.is_clean, findings.holds) == (True, 0)
    full_client.clock.advance(days=500)
    for member in members:
        await full_client.buy(member, "5.00")
    assert await audit_report(full_client) == ""


ORDER_EDITS: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"quantity": 4}, {"$inc": {"points": 1}}, "its lots have a different sum"),
    ({"quantity": 4}, {"$inc": {"points_returned": 1}}, "redeemed: the snapshot has"),
    ({"quantity": 4}, {"$inc": {"lots.0.2": -1}}, "its lots have a different sum"),
    ({"quantity": 4}, {"$set": {"lots": []}}, "its lots have a different sum"),
    ({"quantity": 4}, {"$set": {"returned": 5}}, "has 5 of 4 pieces returned"),
    ({"quantity": 4}, {"$set": {"returned": 2}}, "returned 10 points, its returned pieces are worth 20"),
    ({"quantity": 4}, {"$set": {"state": "CANCELLED"}}, "is CANCELLED, and 3 of its 4 pieces are not returned"),
    ({"quantity": 4}, {"$set": {"state": "PREPARING"}}, "is PREPARING, its history ends with RETURNED"),
    ({"quantity": 4}, {"$set": {"took.0.3": 4}}, "has a counter that does not count its 3 unreturned pieces"),
    ({"quantity": 4}, {"$set": {"took": []}}, "counter stock/bread: "),
    ({"quantity": 4}, {"$set": {"version": 99}}, "is at version 99"),
    ({"quantity": 4}, {"$inc": {"version": -1}}, "its last event at"),
    (
        {"quantity": 4},
        {"$set": {"number": "0000-0000-0000"}},
        "no recorded event created order 0000-0000-0000",
    ),
    ({"quantity": 4}, {"$set": {"member": "nobody"}}, "the member does not exist, but orders or codes of it do"),
    ({"quantity": 4}, {"$set": {"history": "long"}}, "cannot be read"),
    ({"quantity": 4}, {"$unset": {"reward": 1}}, "cannot be read"),
    ({"quantity": 4}, {"$set": {"programme": "grocer"}}, "which the member does not have"),
    ({"reward.key": "film", "state": "FULFILLED"}, {"$unset": {"code": 1}}, "has no code"),
    ({"reward.key": "film", "state": "FULFILLED"}, {"$set": {"code": "films-29"}}, "is not assigned to it"),
    ({"reward.key": "film", "state": "FULFILLED"}, {"$set": {"pool": "flowers"}}, "is in pool 'films', not in"),
    (
        {"reward.key": "film", "state": "RETURNED"},
        {"$set": {"state": "FULFILLED"}},
        "0 of its 1 pieces are not returned",
    ),
    ({"reward.key": "massage", "state": "PLACED"}, {"$set": {"took.0.1": "bread"}}, "counter slot/massage/"),
]
MEMBER_EDITS: list[tuple[dict[str, Any], str]] = [
    ({"$inc": {"balances.held": 1}}, "held: the snapshot has 38, its holds sum to 37"),
    ({"$inc": {"balances.redeemed": 1}}, "redeemed: the snapshot has"),
    ({"$inc": {"holds.0.points": 1}}, "has 8 points, its lots have a different sum"),
    ({"$inc": {"holds.0.lots.0.2": 1}}, "has 7 points, its lots have a different sum"),
    ({"$set": {"holds.0.id": "another"}}, "no recorded event created hold another"),
    ({"$unset": {"holds": 1}}, "held: the snapshot has 37, its holds sum to 0"),
    ({"$unset": {"holds": 1}}, "for hold/"),
    ({"$unset": {"holds": 1}}, "counter stock/bread: "),
    ({"$set": {"holds.1.code": "films-29"}}, "is not assigned to it"),
    ({"$set": {"holds.2.took": []}}, "counter stock/bread: "),
    ({"$set": {"ordered": []}}, "limit 'cake' counts 0 orders in '2026-06', not 1"),
    ({"$inc": {"offers.double.uses": 1}}, "counter uses/double: it is 2, members sum to 3"),
    ({"$inc": {"offers.double.uses": 1}}, "the snapshot counts 3 uses of offer 'double', its events sum to 2"),
    ({"$inc": {"offers.five-off.uses": -1}}, "the snapshot counts 3 uses of offer 'five-off', its events sum to 4"),
    ({"$unset": {"offers.loaf": 1}}, "the snapshot counts 0 uses of offer 'loaf', its events sum to 1"),
    ({"$unset": {"offers": 1}}, "counter uses/double: it is 2, members sum to 0"),
    ({"$unset": {"offers.voucher": 1}}, "is given for offer/voucher, which does not have it"),
    ({"$set": {"offers.voucher.code": "washes-29"}}, "code 'washes-29' of offer 'voucher' is not assigned"),
]


async def expect_fault(
    full_client: FullProgrammeClient,
    collection: Collection,
    filter_: dict[str, Any],
    change: dict[str, Any],
    fault: str,
) -> None:
    """Edit one document, check that the audit reports this fault, and restore it."""
    document = await collection.find_one(filter_)
    assert document is not None
    await edit(collection, {"_id": document["_id"]}, change)
    said = await audit_report(full_client)
    await collection.replace_one({"_id": document["_id"]}, document)
    assert said
    assert fault in said


async def test_an_order_that_was_edited_is_found(full_client: FullProgrammeClient, subtests: pytest.Subtests) -> None:
    await visited(full_client)
    for filter_, change, fault in ORDER_EDITS:
        with subtests.test(str(change)):
            await expect_fault(full_client, full_client.services.database.orders, filter_, change, fault)
    assert await audit_report(full_client) == ""


async def test_a_member_whose_holds_or_offers_were_edited_is_found(
    full_client: FullProgrammeClient, subtests: pytest.Subtests
) -> None:
    member = await visited(full_client)
    for change, fault in MEMBER_EDITS:
        with subtests.test(str(change)):
            await expect_fault(full_client, full_client.services.database.members, {"_id": member}, change, fault)
    assert await audit_report(full_client) == ""


async def test_an_order_that_was_removed_is_found(full_client: FullProgrammeClient, subtests: pytest.Subtests) -> None:
    await visited(full_client)
    orders = full_client.services.database.orders
    for document in await orders.find({}).to_list():
        with subtests.test(document["reward"]["key"], state=document["state"]):
            await orders.delete_one({"_id": document["_id"]})
            said = await audit_report(full_client)
            await orders.insert_one(document)
            assert f"names order {document['_id']}, which the member does not have" in said
    assert await audit_report(full_client) == ""


async def test_order_without_an_event_is_found(full_client: FullProgrammeClient) -> None:
    await visited(full_client)
    orders = full_client.services.database.orders
    document = await orders.find_one({"reward.key": "massage", "state": "PLACED"})
    assert document is not None
    await orders.insert_one({**document, "_id": "another", "number": "AAAA-AAAA-AAAA"})
    said = await audit_report(full_client)
    assert "no recorded event created order AAAA-AAAA-AAAA" in said
    assert "it is 1, orders and holds sum to 2" in said


async def test_event_without_its_order_or_hold_is_found(full_client: FullProgrammeClient) -> None:
    await visited(full_client)
    records = full_client.services.database.records
    placed = {"cause.operation": "place-order"}
    await expect_fault(full_client, records, placed, {"$unset": {"orders": 1}}, "no recorded event created")
    await expect_fault(full_client, records, placed, {"$set": {"orders": 5}}, "cannot be read")
    first_hold = {"cause.operation": "hold", "hold.points": 7}
    await expect_fault(full_client, records, first_hold, {"$unset": {"hold": 1}}, "no recorded event created")
    assert await audit_report(full_client) == ""


COUNTER_EDITS: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"kind": "stock"}, {"$inc": {"taken": 1}}, "counter stock/bread: it is 9, orders and holds sum to 8"),
    ({"kind": "stock"}, {"$set": {"taken": -1}}, "counter stock/bread: it is -1"),
    ({"kind": "stock"}, {"$set": {"taken": 41}}, "it is 41, and its limit was never above 40"),
    ({"kind": "stock"}, {"$set": {"taken": "many"}}, "cannot be read"),
    ({"kind": "stock"}, {"$set": {"key": "film"}}, "counts stock/film"),
    ({"kind": "stock"}, {"$set": {"programme": "grocer"}}, "counter stock/bread: it is 0"),
    ({"kind": "slot", "taken": 1}, {"$inc": {"taken": 1}}, "it is 2, orders and holds sum to 1"),
    ({"kind": "slot", "taken": 1}, {"$set": {"taken": 3}}, "it is 3, and its limit was never above 2"),
    ({"kind": "slot", "taken": 0}, {"$inc": {"taken": 1}}, "it is 1, orders and holds sum to 0"),
    ({"kind": "uses", "key": "double"}, {"$inc": {"taken": 1}}, "counter uses/double: it is 3, members sum to 2"),
    ({"kind": "uses", "key": "double"}, {"$set": {"taken": 41}}, "its limit was never above 40"),
    ({"kind": "uses", "key": "tenth-off"}, {"$inc": {"taken": -1}}, "uses/tenth-off: it is 0, members sum to 1"),
    ({"kind": "budget", "key": "double"}, {"$inc": {"taken": 1}}, "budget/double: it is 581, purchases sum to 580"),
    ({"kind": "budget", "key": "five-off"}, {"$inc": {"taken": -1}}, "it is 1999, purchases sum to 2000"),
]


async def test_a_counter_that_was_edited_is_found(full_client: FullProgrammeClient, subtests: pytest.Subtests) -> None:
    await visited(full_client)
    counters = full_client.services.database.counters
    for filter_, change, fault in COUNTER_EDITS:
        with subtests.test(str(filter_), change=str(change)):
            await expect_fault(full_client, counters, {**filter_, "programme": "market"}, change, fault)
    for document in await counters.find({"taken": {"$gt": 0}}).to_list():
        with subtests.test("removed", counter=document["_id"]):
            await counters.delete_one({"_id": document["_id"]})
            said = await audit_report(full_client)
            await counters.insert_one(document)
            assert ": it is 0, " in said
    assert await audit_report(full_client) == ""


CODE_EDITS: list[tuple[str, dict[str, Any], str]] = [
    ("given", {"$set": {"state": "void"}}, " is void, not given"),
    ("given", {"$set": {"state": "held"}}, " is held, not given"),
    ("given", {"$set": {"state": "free"}}, " is free, not given"),
    ("given", {"$set": {"state": "free"}}, "it is free, and its holder is "),
    ("given", {"$set": {"state": "free"}, "$unset": {"holder": 1, "member": 1}}, "is not assigned to it"),
    ("given", {"$unset": {"member": 1}}, "is not assigned to it"),
    ("given", {"$unset": {"holder": 1}}, "it is given, and its holder is nobody"),
    ("given", {"$set": {"holder": "order/another"}}, "is given for order/another, which does not have it"),
    ("given", {"$set": {"member": "nobody"}}, "the member does not exist, but orders or codes of it do"),
    ("given", {"$set": {"pool": "shows"}}, "is in pool 'shows', not in"),
    ("held", {"$set": {"state": "given"}}, " is given, not held"),
    ("held", {"$set": {"state": "free"}, "$unset": {"holder": 1, "member": 1}}, "is not assigned to it"),
    ("void", {"$set": {"state": "given"}}, " is given, not void"),
    ("void", {"$set": {"state": "free"}, "$unset": {"holder": 1, "member": 1}}, "is not assigned to it"),
    ("free", {"$set": {"state": "given"}}, "it is given, and its holder is nobody"),
    ("free", {"$set": {"state": "void"}}, "it is void, and its holder is nobody"),
    ("free", {"$set": {"member": "nobody"}}, "it is free, and its holder is nobody"),
]


async def test_a_code_that_was_edited_is_found(full_client: FullProgrammeClient, subtests: pytest.Subtests) -> None:
    await visited(full_client)
    codes = full_client.services.database.codes
    assert await codes.count_documents({"state": {"$ne": "free"}, "pool": "films"}) == 4
    for state, change, fault in CODE_EDITS:
        with subtests.test(state, change=str(change)):
            await expect_fault(full_client, codes, {"state": state, "pool": {"$ne": "washes"}}, change, fault)
    assert await audit_report(full_client) == ""


async def test_a_code_in_two_places_is_found(full_client: FullProgrammeClient) -> None:
    one, two = await full_client.member(), await full_client.member()
    for member in (one, two):
        await full_client.buy(member, "50.00")
    given, other = await full_client.order(one, "film"), await full_client.order(two, "film")
    orders = full_client.services.database.orders
    await expect_fault(
        full_client,
        orders,
        {"_id": other.id},
        {"$set": {"code": given.code}},
        f"code {given.code!r} of order {other.number}",
    )
    code = await full_client.services.database.codes.find_one({"_id": code_id("market", "films", given.code or "")})
    assert code is not None
    await full_client.services.database.codes.insert_one(
        {**code, "_id": "another", "pool": "flowers", "canonical": None}
    )
    assert f"code {given.code!r} of order/{given.id} is in pools" in await audit_report(full_client)


async def test_several_broken_supplies_are_counted_beside_broken_members(full_client: FullProgrammeClient) -> None:
    member = await visited(full_client)
    await full_client.services.database.counters.delete_many({"kind": "stock"})
    await full_client.services.database.codes.update_many({"state": "free"}, {"$set": {"state": "given"}})
    await edit(full_client.services.database.members, {"_id": member}, {"$inc": {"balances.redeemed": 1}})
    findings = await audit(full_client.services.database)
    free = 90 - await full_client.services.database.codes.count_documents({"holder": {"$exists": True}})
    assert (findings.members_with_faults_count, findings.supplies_with_faults_count) == (1, 1 + free)
    assert findings.supplies_with_faults[0].name == "counter stock/bread"
    assert len(findings.supplies_with_faults) == 1 + free


async def test_limits_that_were_lowered_later_pass(full_client: FullProgrammeClient) -> None:
    member = await full_client.member()
    await full_client.buy(member, "500.00")
    await full_client.order(member, "bread", 20)
    for _ in range(2):
        await full_client.order(member, "massage", appointment=full_client.appointment(11))
    await full_client.apply(FULL_PROGRAMME.replace("stock: 40", "stock: 5").replace("capacity: 2", "capacity: 1"))
    assert refused(await full_client.try_order(member, "bread")).code is RefusalCode.OUT_OF_STOCK
    assert await audit_report(full_client) == ""
    without = FULL_PROGRAMME[: FULL_PROGRAMME.index("rewards:")] + "rewards: []\n"
    await full_client.apply(without.replace("    reward: bread\n", "").replace("kind: GIFT", "kind: SERVICE"))
    assert await audit_report(full_client) == ""
    await edit(full_client.services.database.counters, {"kind": "stock"}, {"$inc": {"taken": 20}})
    assert "it is 41, and its limit was never above 40" in await audit_report(full_client)


async def test_later_budget_and_retired_offer_pass(
    full_client: FullProgrammeClient,
) -> None:
    await full_client.apply(FULL_PROGRAMME.replace("    budget: 5000\n", ""))
    member, bought = await full_client.member(), full_client.key()
    await full_client.redeem(member, "double", bought)
    await full_client.buy(member, "50.00", key=bought)
    await full_client.apply(FULL_PROGRAMME)
    assert await audit_report(full_client) == ""
    start, end = FULL_PROGRAMME.index("  - key: five-off"), FULL_PROGRAMME.index("  - key: tenth-off")
    other = full_client.key()
    await full_client.redeem(member, "five-off", other)
    await full_client.apply(FULL_PROGRAMME[:start] + FULL_PROGRAMME[end:])
    await full_client.buy(member, "50.00", key=other)
    assert await audit_report(full_client) == ""


TENTH = "    percent: 10\n"
MOST = '    percent: 10\n    maximum: "4.00"\n    budget: "10.00"\n'


async def test_percent_offer_that_reserves_budget_passes(full_client: FullProgrammeClient) -> None:
    await full_client.apply(FULL_PROGRAMME.replace(TENTH, MOST))
    member = await full_client.member()
    counter = {"programme": "market", "kind": "budget", "key": "tenth-off"}
    keys = [full_client.key() for _ in range(2)]
    for key in keys:
        committed(await full_client.redeem(member, "tenth-off", key))
    assert await full_client.services.database.counters.distinct("taken", counter) == [800]
    assert await audit_report(full_client) == ""
    await full_client.buy(member, "12.34", key=keys[0])
    assert await full_client.services.database.counters.distinct("taken", counter) == [537]
    assert await audit_report(full_client) == ""
    committed(await full_client.redeem(member, "tenth-off"))
    assert await full_client.services.database.counters.distinct("taken", counter) == [937]
    assert await audit_report(full_client) == ""
    findings = await audit(full_client.services.database)
    assert findings.budget_overruns == {}
    await edit(full_client.services.database.counters, counter, {"$set": {"taken": 936}})
    assert "budget/tenth-off: it is 936, purchases sum to 937" in await audit_report(full_client)


async def test_overrun_budget_is_reported_and_no_fault(full_client: FullProgrammeClient) -> None:
    await full_client.apply(FULL_PROGRAMME.replace(TENTH, '    percent: 10\n    budget: "10.00"\n'))
    member, keys = await full_client.member(), [full_client.key() for _ in range(2)]
    for key in keys:
        committed(await full_client.redeem(member, "tenth-off", key))
    for key in keys:
        await full_client.buy(member, "80.00", key=key)
    late = refused(await full_client.redeem(member, "tenth-off", full_client.key()))
    assert late.code is RefusalCode.LIMIT_REACHED
    findings = await audit(full_client.services.database)
    assert (findings.is_clean, findings.budget_overruns) == (True, {"market/tenth-off": 778})


async def test_it_passes_while_orders_holds_and_offers_are_running(full_client: FullProgrammeClient) -> None:
    done: list[str] = []

    async def resolver_client(member: str) -> None:
        turn = 0
        while len(done) < 240:
            turn += 1
            done.append(key := full_client.key())
            if turn % 3 == 0:
                await full_client.redeem(member, "double", key)
            await full_client.buy(member, "60.00", key=key)
            placed = await full_client.try_order(member, ("bread", "film", "bouquet")[turn % 3])
            if turn % 4 and isinstance(placed, Committed) and placed.orders:
                await full_client.cancel(placed.orders[0])
            if turn % 5 == 0:
                await full_client.release(member, await full_client.hold(member, "bread"))
            if turn % 7 == 0:
                await full_client.refund(member, key)
            await full_client.try_order(member, "massage", appointment=full_client.appointment(10 + turn % 7))

    members = [await full_client.member() for _ in range(6)]
    running = asyncio.gather(*(resolver_client(member) for member in members))
    audits: list[Findings] = []
    while not running.done():
        audits.append(await audit(full_client.services.database))
    await running
    assert len(audits) > 3
    said = [findings.members_with_faults or findings.supplies_with_faults for findings in audits]
    assert said == [[]] * len(audits)
    assert await audit_report(full_client) == ""
