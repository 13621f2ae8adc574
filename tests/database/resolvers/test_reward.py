import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo import AsyncMongoClient
from support.corner import Corner
from support.queries import Queries
from support.shop import Shop, committed

from loyalty.model.offer import Audience
from loyalty.model.reward import Reward
from models.mongo.database import Database
from models.mongo.snapshot import Snapshot
from models.mongod.server import EmbeddedServer
from models.programmes.programme_store import Programmes
from models.reads.reader import Reader
from resolvers.core.actor import Role
from resolvers.core.context import Context
from resolvers.core.fault import BadInput
from resolvers.offer import ranked as ranked_offers
from resolvers.personalisation import Outlook, prefetch_supply
from resolvers.reward import Standing, appointments, listed, open_span, public_programme, ranked, stock_left

TOMORROW_AT_TEN = datetime(2026, 6, 16, 14, 0, tzinfo=UTC)


async def standings(shop: Corner, member: str, **about: Any) -> dict[str, Standing]:
    context = shop.context(Role.MEMBER, member=member)
    told: dict[str, Any] = {"channel": None, "category": None, "eligible": None, "first": 50, "after": None, **about}
    page, more = await ranked(context, Outlook(context, await seen(shop, member)), **told)
    assert not more
    return {found.reward.key: standing for found, standing in page}


async def seen(shop: Corner, member: str) -> Snapshot:
    snapshot = await shop.services.reader.member("grocer", member)
    assert snapshot is not None
    return snapshot


def one(shop: Shop, key: str) -> Reward:
    return shop.services.programmes.get("grocer").catalogue.rewards[key]


async def test_a_reward_says_what_keeps_a_member_from_it(corner: Corner) -> None:
    member = await corner.earn(70)
    await corner.place(member, "once")
    told = await standings(corner, member)
    assert {
        key: (one.eligible, one.missing_points, [why.reason for why in one.reasons]) for key, one in told.items()
    } == {
        "bowl": (True, 0, []),
        "meal": (True, 0, []),
        "mug": (False, 40, []),
        "film": (False, 40, []),
        "boxed-film": (False, 40, []),
        "talk": (False, 40, []),
        "once": (False, 0, ["reward_limit"]),
        "gold-only": (False, 0, ["reward_tier"]),
    }
    assert {*await standings(corner, member, eligible=True)} == {"bowl", "meal"}


async def test_what_is_gone_is_shown_as_gone(corner: Corner) -> None:
    member = await corner.earn(700)
    committed(await corner.order(member, "mug", quantity=5))
    assert [why.reason for why in (await standings(corner, member))["mug"].reasons] == ["out_of_stock"]
    programme = corner.services.programmes.get("grocer")
    context = corner.context(Role.TILL)
    assert await stock_left(context, programme, programme.catalogue.rewards.values()) == {
        "mug": 0,
        "boxed-film": 3,
        "film": 5,
    }
    assert await stock_left(context, programme, [one(corner, "bowl")]) == {}


async def test_a_held_piece_is_not_left(corner: Corner) -> None:
    member = await corner.earn(100)
    committed(await corner.hold(member, "mug"))
    programme = corner.services.programmes.get("grocer")
    assert await stock_left(corner.context(), programme, [one(corner, "mug")]) == {"mug": 4}
    corner.clock.advance(minutes=5)
    await corner.buy(member, "1.00")
    assert await stock_left(corner.context(), programme, [one(corner, "mug")]) == {"mug": 5}


async def test_free_appointments_are_told_with_the_places_left(corner: Corner) -> None:
    member = await corner.earn(100)
    programme, talk = corner.services.programmes.get("grocer"), one(corner, "talk")
    corner.clock.moment = datetime(2026, 6, 15, 22, 0, tzinfo=UTC)
    free = await appointments(corner.context(), programme, talk, first=3)
    assert free == [(TOMORROW_AT_TEN.replace(hour=14 + n // 2, minute=30 * (n % 2)), 1) for n in range(3)]
    order = await corner.place(member, "talk", appointment=TOMORROW_AT_TEN)
    free = await appointments(corner.context(), programme, talk, first=2)
    assert [at for at, _ in free] == [TOMORROW_AT_TEN.replace(minute=30), TOMORROW_AT_TEN.replace(hour=15)]
    await corner.cancel(order.id)
    assert (await appointments(corner.context(), programme, talk, first=1))[0][0] == TOMORROW_AT_TEN
    assert await appointments(corner.context(), programme, one(corner, "mug"), first=3) == []


def test_the_catalogue_is_paged_by_points_and_key(corner: Corner) -> None:
    programme = corner.services.programmes.get("grocer")
    keys: list[str] = []
    after: tuple[int, str] | None = None
    while True:
        page, more = listed(programme, category=None, points_max=None, first=3, after=after)
        keys += [reward.key for reward in page]
        if not more:
            break
        after = (page[-1].points, page[-1].key)
    assert keys == ["gold-only", "once", "meal", "bowl", "boxed-film", "film", "mug", "talk"]
    cheap, _ = listed(programme, category="things", points_max=30, first=20, after=None)
    assert [reward.key for reward in cheap] == ["gold-only", "once", "meal"]
    assert listed(programme, category="others", points_max=None, first=20, after=None) == ([], False)


def test_a_reward_says_from_when_and_until_when_it_is_there(shop: Shop) -> None:
    grocer = shop.services.programmes.get("grocer")
    gift = grocer.catalogue.rewards["gift-wednesday"]
    begins, ends = datetime(2026, 6, 17, 4, 0, tzinfo=UTC), datetime(2026, 6, 18, 4, 0, tzinfo=UTC)
    assert open_span(gift, grocer, shop.clock()) == (begins, ends)
    assert open_span(gift, grocer, begins) == (None, ends)
    assert open_span(grocer.catalogue.rewards["bread"], grocer, shop.clock()) == (None, None)
    assert gift.window is not None
    last = replace(gift, window=replace(gift.window, last_day=datetime(2026, 6, 10, tzinfo=UTC).date()))
    assert open_span(last, grocer, shop.clock()) == (None, datetime(2026, 6, 11, 4, 0, tzinfo=UTC))


async def test_the_catalogue_is_anybodys_where_it_is_known_which(shop: Shop) -> None:
    nobody = Context(shop.services, None)
    assert public_programme(nobody, "coffee").key == "coffee"
    assert public_programme(shop.context(), None).key == "grocer"
    for key, reason in ((None, "programme_missing"), ("tea", "programme_unknown")):
        with pytest.raises(BadInput, match=reason):
            public_programme(nobody, key)
    alone = Programmes(shop.services.database, [shop.services.programmes.get("coffee")])
    assert public_programme(Context(replace(shop.services, programmes=alone), None), None).key == "coffee"


async def test_what_a_page_rests_on_is_asked_at_once_for_offers_and_rewards(
    corner: Corner, mongod: EmbeddedServer
) -> None:
    member = await corner.earn(70)
    queries = Queries()
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(mongod.url, tz_aware=True, event_listeners=[queries])
    reader = Reader(Database(client, corner.services.database.db.name))
    shop = replace(corner, services=replace(corner.services, reader=reader))
    catalogue = shop.services.programmes.get("grocer").catalogue
    listed_one = replace(one(shop, "mug"), key="for-vips", audience=Audience(lists=frozenset({"vip"})))
    catalogue.put_reward(listed_one)
    try:
        context = shop.context(Role.MEMBER, member=member)
        outlook = Outlook(context, await seen(shop, member))
        (found, _), _ = await asyncio.gather(
            ranked(context, outlook, channel=None, category=None, eligible=None, first=50, after=None),
            ranked_offers(context, outlook, channel=None, states=None, first=50, after=None),
        )
    finally:
        catalogue.drop_reward("for-vips")
        await client.close()
    assert "for-vips" in {standing.reward.key for _, standing in found}
    assert [*map(sorted, queries.asked)] == [sorted("members"), ["audiences", "codes", "counters"]]


async def has_mugs(context: Context, snapshot: Snapshot) -> bool:
    _, supply = await Outlook(context, snapshot).known()
    return "mug" not in supply.out_of_stock


async def test_supply_that_was_prefetched_is_shown_beside_older_versions_of_the_same_catalogue_only(
    corner: Corner,
) -> None:
    member = await corner.earn(1000)
    catalogue, mug = corner.context(Role.MEMBER, member=member).programme().catalogue, one(corner, "mug")

    async def prefetched() -> Context:
        corner.clock.moment += timedelta(seconds=1)
        context = prefetch_supply(corner.context(Role.MEMBER, member=member))
        # The read is under way: it is sent with those of others.
        await has_mugs(corner.context(Role.MEMBER, member=member), await seen(corner, member))
        corner.clock.moment += timedelta(seconds=1)
        return context

    catalogue.put_reward(replace(mug, stock=2))
    try:
        await corner.place(member, "mug")
        context, before = await prefetched(), await seen(corner, member)
        assert await has_mugs(context, before)
        await corner.place(member, "mug")
        assert await has_mugs(context, before), "the read is of the moment when it was started"
        assert not await has_mugs(context, await seen(corner, member)), "this version is newer than the read"

        catalogue.put_reward(replace(mug, stock=3))
        assert await has_mugs(context, await seen(corner, member))
        context = await prefetched()
        assert await has_mugs(context, await seen(corner, member))
        catalogue.put_reward(replace(mug, stock=2))
        assert not await has_mugs(context, await seen(corner, member)), "the read is of another catalogue"
    finally:
        catalogue.put_reward(mug)


def test_nothing_is_prefetched_without_a_token(shop: Shop) -> None:
    assert prefetch_supply(Context(shop.services, None)).prefetched is None
