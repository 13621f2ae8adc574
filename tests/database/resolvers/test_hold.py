import asyncio
from typing import Any

import pytest
from support.corner import Corner
from support.documents import documents
from support.shop import Shop, committed, refused

from loyalty.kernel.refusal import Refusal, RefusalCode
from loyalty.model.ledger import Account, EntryKind
from models.commits.request import Committed
from resolvers.audit.audit import audit
from resolvers.core.actor import Role
from resolvers.sweeper import settle_due


async def taken(shop: Corner, counter: str) -> int:
    document = await shop.services.database.counters.find_one({"_id": counter})
    return document["taken"] if document is not None else 0


async def code_states(shop: Corner, pool: str) -> list[str]:
    return [document["state"] async for document in shop.services.database.codes.find({"pool": pool}).sort("_id")]


async def all_holds(shop: Shop) -> None:
    findings = await audit(shop.services.database)
    assert findings.broken == []
    assert findings.broken_supplies == []


async def test_a_hold_keeps_points_a_piece_and_a_code_that_its_order_gets(corner: Corner) -> None:
    member = await corner.earn(100)
    outcome = committed(await corner.hold(member, "boxed-film", key="cart-1"))
    hold = outcome.hold
    assert hold is not None
    assert (hold.points, hold.reward, hold.pool, hold.code) == (100, "boxed-film", "films", "films-0")
    assert outcome.snapshot.member.balances == {Account.ISSUED: -100, Account.AVAILABLE: 0, Account.HELD: 100}
    assert outcome.snapshot.due_at == hold.expires_at
    assert await taken(corner, "grocer/stock/boxed-film") == 1
    assert await code_states(corner, "films") == ["held", "free", "free", "free", "free"]
    again = committed(await corner.hold(member, "boxed-film", key="cart-1"))
    assert (again.replayed, again.hold) == (True, hold)
    await all_holds(corner)

    order = await corner.place(member, "boxed-film", hold=hold.id)
    assert (order.code, order.points) == ("films-0", 100)
    assert await taken(corner, "grocer/stock/boxed-film") == 1
    assert await code_states(corner, "films") == ["given", "free", "free", "free", "free"]
    await all_holds(corner)


async def test_a_hold_lets_go_by_itself_and_is_over_afterwards(corner: Corner) -> None:
    member = await corner.earn(100)
    hold = committed(await corner.hold(member, "boxed-film", ttl_seconds=60)).hold
    assert hold is not None
    corner.clock.advance(seconds=59.999)
    assert await settle_due(corner.services) == 0
    corner.clock.advance(seconds=0.001)
    assert await settle_due(corner.services) == 1
    snapshot = await corner.services.reader.member("grocer", member)
    assert snapshot is not None
    assert (snapshot.member.available, snapshot.member.holds, snapshot.member.lapsed) == (100, (), (hold.id,))
    [entry] = snapshot.of_version()
    assert (entry.kind, entry.points, entry.occurred_at) == (EntryKind.RELEASE, 100, hold.expires_at)
    assert await taken(corner, "grocer/stock/boxed-film") == 0
    assert await code_states(corner, "films") == ["free"] * 5
    before = await documents(corner.services.database)
    for attempt in (corner.order(member, "boxed-film", hold=hold.id), corner.release(member, hold.id)):
        refusal = refused(await attempt)
        assert (refusal.code, refusal.reason, refusal.path) == (RefusalCode.EXPIRED, "hold_lapsed", ("hold",))
    assert await documents(corner.services.database) == before
    await all_holds(corner)


async def test_the_last_code_of_a_lapsed_hold_can_be_ordered_before_anybody_settles(corner: Corner) -> None:
    member = await corner.earn(700)
    for _ in range(4):
        await corner.place(member, "film")
    committed(await corner.hold(member, "film", ttl_seconds=60))
    corner.clock.advance(seconds=60)
    assert (await corner.place(member, "film")).code == "films-4"
    assert await code_states(corner, "films") == ["given"] * 5
    await all_holds(corner)


async def test_a_hold_is_released_by_its_member_or_staff_and_by_nobody_else(corner: Corner) -> None:
    ann, bob = await corner.earn(100), await corner.earn(100)
    hold = committed(await corner.hold(ann, "mug")).hold
    assert hold is not None
    before = await documents(corner.services.database)
    attempts = [
        corner.release(ann, hold.id, role=Role.MEMBER, of=bob),
        corner.release(bob, hold.id, role=Role.MEMBER, of=bob),
        corner.release(ann, "another"),
    ]
    for attempt in attempts:
        refusal = refused(await attempt)
        assert (refusal.code, refusal.reason, refusal.path) == (RefusalCode.NOT_FOUND, "hold_not_found", ("hold",))
    assert await documents(corner.services.database) == before
    outcome = committed(await corner.release(ann, hold.id, role=Role.MEMBER, of=ann))
    assert (outcome.hold, outcome.snapshot.member.available) == (hold, 100)
    assert await taken(corner, "grocer/stock/mug") == 0
    await all_holds(corner)


async def test_what_cannot_be_held_is_refused_and_changes_nothing(corner: Corner, subtests: pytest.Subtests) -> None:
    member, poor = await corner.earn(150), await corner.earn(20)
    first = committed(await corner.hold(member, "bowl", key="cart-1"))
    assert first.hold is not None
    before = await documents(corner.services.database)
    wrong: dict[str, tuple[Any, RefusalCode, str, tuple[str, ...]]] = {
        "no time": (corner.hold(member, "mug", ttl_seconds=0), RefusalCode.INVALID, "hold_ttl", ("ttlSeconds",)),
        "too long": (corner.hold(member, "mug", ttl_seconds=3601), RefusalCode.INVALID, "hold_ttl", ("ttlSeconds",)),
        "nothing": (corner.hold(member), RefusalCode.INVALID, "hold_nothing", ("points",)),
        "no points": (corner.hold(member, points=0), RefusalCode.INVALID, "hold_points", ("points",)),
        "no reward": (corner.hold(member, "x"), RefusalCode.NOT_FOUND, "reward_not_found", ("reward",)),
        "poor": (corner.hold(poor, "mug"), RefusalCode.INSUFFICIENT_POINTS, "insufficient_points", ("reward",)),
        "more": (corner.hold(member, points=91), RefusalCode.INSUFFICIENT_POINTS, "insufficient_points", ("points",)),
        "gold": (corner.hold(member, "gold-only"), RefusalCode.NOT_ELIGIBLE, "reward_tier", ("reward",)),
        "reused": (corner.hold(member, "mug", key="cart-1"), RefusalCode.KEY_REUSED, "key_reused", ("key",)),
        "longer": (
            corner.hold(member, "bowl", key="cart-1", ttl_seconds=301),
            RefusalCode.KEY_REUSED,
            "key_reused",
            ("key",),
        ),
        "another": (
            corner.order(member, "mug", hold=first.hold.id),
            RefusalCode.CONFLICT,
            "hold_of_another_reward",
            ("hold",),
        ),
        "nobody": (corner.hold("nobody", "mug"), RefusalCode.NOT_FOUND, "member_not_found", ("member",)),
    }
    for name, (attempt, code, reason, path) in wrong.items():
        with subtests.test(name):
            refusal = refused(await attempt)
            assert (refusal.code, refusal.reason, refusal.path) == (code, reason, path)
    assert await documents(corner.services.database) == before


async def test_the_last_pieces_are_held_by_so_many_of_all_who_want_them_at_once(
    corner: Corner, other_corner: Corner
) -> None:
    members = await asyncio.gather(*(corner.earn(100) for _ in range(30)))
    outcomes = await asyncio.gather(
        *((corner, other_corner)[place % 2].hold(member, "mug") for place, member in enumerate(members))
    )
    held = [outcome for outcome in outcomes if isinstance(outcome, Committed)]
    assert len(held) == 5
    assert {outcome.reason for outcome in outcomes if isinstance(outcome, Refusal)} == {"out_of_stock"}
    corner.clock.advance(minutes=5)
    assert await settle_due(corner.services) == 5
    assert await taken(corner, "grocer/stock/mug") == 0
    await all_holds(corner)


async def test_a_hold_that_is_ordered_and_released_at_once_is_one_of_both(corner: Corner, other_corner: Corner) -> None:
    member = await corner.earn(100)
    for _ in range(5):
        hold = committed(await corner.hold(member, "mug")).hold
        assert hold is not None
        ordered, released = await asyncio.gather(
            corner.order(member, "mug", hold=hold.id), other_corner.release(member, hold.id)
        )
        assert sorted(type(outcome).__name__ for outcome in (ordered, released)) == ["Committed", "Refusal"]
        if isinstance(ordered, Committed):
            committed(await corner.cancel(ordered.orders[0].id))
    assert await taken(corner, "grocer/stock/mug") == 0
    snapshot = await corner.services.reader.member("grocer", member)
    assert snapshot is not None
    assert (snapshot.member.available, snapshot.member.balance(Account.HELD)) == (100, 0)
    await all_holds(corner)
