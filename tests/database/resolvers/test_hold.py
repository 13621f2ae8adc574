import asyncio
from typing import Any

import pytest
from support.clients.catalogue_client import CatalogueClient
from support.clients.resolver_client import ResolverClient
from support.documents import documents
from support.outcome import committed, refused

from loyalty.kernel.refusal import Refusal, RefusalCode
from loyalty.model.ledger import Account, EntryKind
from models.commits.request import Committed
from resolvers.audit.audit import audit
from resolvers.core.actor import Role
from resolvers.sweeper import settle_all_due


async def taken(resolver_client: CatalogueClient, counter: str) -> int:
    document = await resolver_client.services.database.counters.find_one({"_id": counter})
    return document["taken"] if document is not None else 0


async def code_states(resolver_client: CatalogueClient, pool: str) -> list[str]:
    return [
        document["state"] async for document in resolver_client.services.database.codes.find({"pool": pool}).sort("_id")
    ]


async def all_holds(resolver_client: ResolverClient) -> None:
    findings = await audit(resolver_client.services.database)
    assert findings.members_with_faults == []
    assert findings.supplies_with_faults == []


async def test_hold_reserves_points_a_piece_and_a_code_for_its_order(catalogue_client: CatalogueClient) -> None:
    member = await catalogue_client.earn(100)
    outcome = committed(await catalogue_client.hold(member, "boxed-film", key="cart-1"))
    hold = outcome.hold
    assert hold is not None
    assert (hold.points, hold.reward, hold.pool, hold.code) == (100, "boxed-film", "films", "films-0")
    assert outcome.snapshot.member.balances == {Account.ISSUED: -100, Account.AVAILABLE: 0, Account.HELD: 100}
    assert outcome.snapshot.next_settlement_at == hold.expires_at
    assert await taken(catalogue_client, "grocer/stock/boxed-film") == 1
    assert await code_states(catalogue_client, "films") == ["held", "free", "free", "free", "free"]
    again = committed(await catalogue_client.hold(member, "boxed-film", key="cart-1"))
    assert (again.replayed, again.hold) == (True, hold)
    await all_holds(catalogue_client)

    order = await catalogue_client.order(member, "boxed-film", hold=hold.id)
    assert (order.code, order.points) == ("films-0", 100)
    assert await taken(catalogue_client, "grocer/stock/boxed-film") == 1
    assert await code_states(catalogue_client, "films") == ["given", "free", "free", "free", "free"]
    await all_holds(catalogue_client)


async def test_hold_lapses_and_cannot_be_used_afterwards(catalogue_client: CatalogueClient) -> None:
    member = await catalogue_client.earn(100)
    hold = committed(await catalogue_client.hold(member, "boxed-film", ttl_seconds=60)).hold
    assert hold is not None
    catalogue_client.clock.advance(seconds=59.999)
    assert await settle_all_due(catalogue_client.services) == 0
    catalogue_client.clock.advance(seconds=0.001)
    assert await settle_all_due(catalogue_client.services) == 1
    snapshot = await catalogue_client.services.reader.member("grocer", member)
    assert snapshot is not None
    assert (snapshot.member.available, snapshot.member.holds, snapshot.member.expired_holds) == (100, (), (hold.id,))
    [entry] = snapshot.newest_version_entries()
    assert (entry.kind, entry.points, entry.occurred_at) == (EntryKind.RELEASE, 100, hold.expires_at)
    assert await taken(catalogue_client, "grocer/stock/boxed-film") == 0
    assert await code_states(catalogue_client, "films") == ["free"] * 5
    before = await documents(catalogue_client.services.database)
    for attempt in (
        catalogue_client.try_order(member, "boxed-film", hold=hold.id),
        catalogue_client.release(member, hold.id),
    ):
        refusal = refused(await attempt)
        assert (refusal.code, refusal.reason, refusal.path) == (RefusalCode.EXPIRED, "hold_lapsed", ("hold",))
    assert await documents(catalogue_client.services.database) == before
    await all_holds(catalogue_client)


async def test_last_code_of_a_lapsed_hold_can_be_ordered_before_settlement(
    catalogue_client: CatalogueClient,
) -> None:
    member = await catalogue_client.earn(700)
    for _ in range(4):
        await catalogue_client.order(member, "film")
    committed(await catalogue_client.hold(member, "film", ttl_seconds=60))
    catalogue_client.clock.advance(seconds=60)
    assert (await catalogue_client.order(member, "film")).code == "films-4"
    assert await code_states(catalogue_client, "films") == ["given"] * 5
    await all_holds(catalogue_client)


async def test_hold_is_released_by_its_member_or_staff_only(catalogue_client: CatalogueClient) -> None:
    ann, bob = await catalogue_client.earn(100), await catalogue_client.earn(100)
    hold = committed(await catalogue_client.hold(ann, "mug")).hold
    assert hold is not None
    before = await documents(catalogue_client.services.database)
    attempts = [
        catalogue_client.release(ann, hold.id, role=Role.MEMBER, of=bob),
        catalogue_client.release(bob, hold.id, role=Role.MEMBER, of=bob),
        catalogue_client.release(ann, "another"),
    ]
    for attempt in attempts:
        refusal = refused(await attempt)
        assert (refusal.code, refusal.reason, refusal.path) == (RefusalCode.NOT_FOUND, "hold_not_found", ("hold",))
    assert await documents(catalogue_client.services.database) == before
    outcome = committed(await catalogue_client.release(ann, hold.id, role=Role.MEMBER, of=ann))
    assert (outcome.hold, outcome.snapshot.member.available) == (hold, 100)
    assert await taken(catalogue_client, "grocer/stock/mug") == 0
    await all_holds(catalogue_client)


async def test_invalid_hold_is_refused_and_changes_nothing(
    catalogue_client: CatalogueClient, subtests: pytest.Subtests
) -> None:
    member, poor = await catalogue_client.earn(150), await catalogue_client.earn(20)
    first = committed(await catalogue_client.hold(member, "bowl", key="cart-1"))
    assert first.hold is not None
    before = await documents(catalogue_client.services.database)
    wrong: dict[str, tuple[Any, RefusalCode, str, tuple[str, ...]]] = {
        "no time": (
            catalogue_client.hold(member, "mug", ttl_seconds=0),
            RefusalCode.INVALID,
            "hold_ttl",
            ("ttlSeconds",),
        ),
        "too long": (
            catalogue_client.hold(member, "mug", ttl_seconds=3601),
            RefusalCode.INVALID,
            "hold_ttl",
            ("ttlSeconds",),
        ),
        "nothing": (catalogue_client.hold(member), RefusalCode.INVALID, "hold_nothing", ("points",)),
        "no points": (catalogue_client.hold(member, points=0), RefusalCode.INVALID, "hold_points", ("points",)),
        "no reward": (catalogue_client.hold(member, "x"), RefusalCode.NOT_FOUND, "reward_not_found", ("reward",)),
        "poor": (
            catalogue_client.hold(poor, "mug"),
            RefusalCode.INSUFFICIENT_POINTS,
            "insufficient_points",
            ("reward",),
        ),
        "more": (
            catalogue_client.hold(member, points=91),
            RefusalCode.INSUFFICIENT_POINTS,
            "insufficient_points",
            ("points",),
        ),
        "gold": (catalogue_client.hold(member, "gold-only"), RefusalCode.NOT_ELIGIBLE, "reward_tier", ("reward",)),
        "reused": (catalogue_client.hold(member, "mug", key="cart-1"), RefusalCode.KEY_REUSED, "key_reused", ("key",)),
        "longer": (
            catalogue_client.hold(member, "bowl", key="cart-1", ttl_seconds=301),
            RefusalCode.KEY_REUSED,
            "key_reused",
            ("key",),
        ),
        "another": (
            catalogue_client.try_order(member, "mug", hold=first.hold.id),
            RefusalCode.CONFLICT,
            "hold_of_another_reward",
            ("hold",),
        ),
        "nobody": (catalogue_client.hold("nobody", "mug"), RefusalCode.NOT_FOUND, "member_not_found", ("member",)),
    }
    for name, (attempt, code, reason, path) in wrong.items():
        with subtests.test(name):
            refusal = refused(await attempt)
            assert (refusal.code, refusal.reason, refusal.path) == (code, reason, path)
    assert await documents(catalogue_client.services.database) == before


async def test_last_pieces_are_never_held_twice(
    catalogue_client: CatalogueClient, other_catalogue_client: CatalogueClient
) -> None:
    members = await asyncio.gather(*(catalogue_client.earn(100) for _ in range(30)))
    outcomes = await asyncio.gather(
        *(
            (catalogue_client, other_catalogue_client)[place % 2].hold(member, "mug")
            for place, member in enumerate(members)
        )
    )
    held = [outcome for outcome in outcomes if isinstance(outcome, Committed)]
    assert len(held) == 5
    assert {outcome.reason for outcome in outcomes if isinstance(outcome, Refusal)} == {"out_of_stock"}
    catalogue_client.clock.advance(minutes=5)
    assert await settle_all_due(catalogue_client.services) == 5
    assert await taken(catalogue_client, "grocer/stock/mug") == 0
    await all_holds(catalogue_client)


async def test_hold_ordered_and_released_concurrently_ends_one_way(
    catalogue_client: CatalogueClient, other_catalogue_client: CatalogueClient
) -> None:
    member = await catalogue_client.earn(100)
    for _ in range(5):
        hold = committed(await catalogue_client.hold(member, "mug")).hold
        assert hold is not None
        ordered, released = await asyncio.gather(
            catalogue_client.try_order(member, "mug", hold=hold.id), other_catalogue_client.release(member, hold.id)
        )
        assert sorted(type(outcome).__name__ for outcome in (ordered, released)) == ["Committed", "Refusal"]
        if isinstance(ordered, Committed):
            committed(await catalogue_client.cancel(ordered.orders[0].id))
    assert await taken(catalogue_client, "grocer/stock/mug") == 0
    snapshot = await catalogue_client.services.reader.member("grocer", member)
    assert snapshot is not None
    assert (snapshot.member.available, snapshot.member.balance(Account.HELD)) == (100, 0)
    await all_holds(catalogue_client)


async def test_concurrent_holds_of_a_limited_reward_keep_to_the_limit(
    catalogue_client: CatalogueClient, other_catalogue_client: CatalogueClient
) -> None:
    member = await catalogue_client.earn(100)
    clients = [catalogue_client, other_catalogue_client] * 4
    outcomes = await asyncio.gather(*(client.hold(member, "once", key=f"race-{n}") for n, client in enumerate(clients)))
    refusals = [outcome for outcome in outcomes if isinstance(outcome, Refusal)]
    assert [one.code for one in refusals] == [RefusalCode.LIMIT_REACHED] * (len(clients) - 1)
    await all_holds(catalogue_client)
