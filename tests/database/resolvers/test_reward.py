import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo import AsyncMongoClient
from support.clients.catalogue_client import CatalogueClient
from support.clients.resolver_client import ResolverClient
from support.outcome import committed
from support.query_log import QueryLog

from loyalty.model.offer import Audience
from loyalty.model.reward import Reward
from models.mongo.database import Database
from models.mongo.snapshot import Snapshot
from models.mongod.server import EmbeddedServer
from models.programmes.programme_store import Programmes
from models.reads.reader import Reader
from resolvers.core.actor import Role
from resolvers.core.context import Context
from resolvers.core.operation_error import BadInput
from resolvers.offer import ranked_page as ranked_offers
from resolvers.personalisation import Personalisation, prefetch_supply
from resolvers.reward import (
    RewardAvailability,
    appointments,
    catalogue_page,
    order_window,
    public_programme,
    ranked_page,
    stock_left,
)
from schema.wire.error import fault_message

TOMORROW_AT_TEN = datetime(2026, 6, 16, 14, 0, tzinfo=UTC)


async def availabilities(resolver_client: CatalogueClient, member: str, **about: Any) -> dict[str, RewardAvailability]:
    context = resolver_client.context(Role.MEMBER, member=member)
    fields: dict[str, Any] = {"channel": None, "category": None, "eligible": None, "first": 50, "after": None, **about}
    page, more = await ranked_page(context, Personalisation(context, await seen(resolver_client, member)), **fields)
    assert not more
    return {found.reward.key: availability for found, availability in page}


async def seen(resolver_client: CatalogueClient, member: str) -> Snapshot:
    snapshot = await resolver_client.services.reader.member("grocer", member)
    assert snapshot is not None
    return snapshot


def one(resolver_client: ResolverClient, key: str) -> Reward:
    return resolver_client.services.programmes.get("grocer").catalogue.rewards[key]


async def test_reward_lists_why_a_member_cannot_order_it(catalogue_client: CatalogueClient) -> None:
    member = await catalogue_client.earn(70)
    await catalogue_client.order(member, "once")
    result = await availabilities(catalogue_client, member)
    assert {
        key: (one.eligible, one.points_missing, [why.reason for why in one.reasons]) for key, one in result.items()
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
    assert {*await availabilities(catalogue_client, member, eligible=True)} == {"bowl", "meal"}


async def test_sold_out_reward_is_shown_as_sold_out(catalogue_client: CatalogueClient) -> None:
    member = await catalogue_client.earn(700)
    committed(await catalogue_client.try_order(member, "mug", quantity=5))
    assert [why.reason for why in (await availabilities(catalogue_client, member))["mug"].reasons] == ["out_of_stock"]
    programme = catalogue_client.services.programmes.get("grocer")
    context = catalogue_client.context(Role.TILL)
    assert await stock_left(context, programme, programme.catalogue.rewards.values()) == {
        "mug": 0,
        "boxed-film": 3,
        "film": 5,
    }
    assert await stock_left(context, programme, [one(catalogue_client, "bowl")]) == {}


async def test_held_piece_is_not_available(catalogue_client: CatalogueClient) -> None:
    member = await catalogue_client.earn(100)
    committed(await catalogue_client.hold(member, "mug"))
    programme = catalogue_client.services.programmes.get("grocer")
    assert await stock_left(catalogue_client.context(), programme, [one(catalogue_client, "mug")]) == {"mug": 4}
    catalogue_client.clock.advance(minutes=5)
    await catalogue_client.buy(member, "1.00")
    assert await stock_left(catalogue_client.context(), programme, [one(catalogue_client, "mug")]) == {"mug": 5}


async def test_free_appointments_have_their_places_left(catalogue_client: CatalogueClient) -> None:
    member = await catalogue_client.earn(100)
    programme, talk = catalogue_client.services.programmes.get("grocer"), one(catalogue_client, "talk")
    catalogue_client.clock.moment = datetime(2026, 6, 15, 22, 0, tzinfo=UTC)
    free = await appointments(catalogue_client.context(), programme, talk, first=3)
    assert free == [(TOMORROW_AT_TEN.replace(hour=14 + n // 2, minute=30 * (n % 2)), 1) for n in range(3)]
    order = await catalogue_client.order(member, "talk", appointment=TOMORROW_AT_TEN)
    free = await appointments(catalogue_client.context(), programme, talk, first=2)
    assert [at for at, _ in free] == [TOMORROW_AT_TEN.replace(minute=30), TOMORROW_AT_TEN.replace(hour=15)]
    await catalogue_client.cancel(order.id)
    assert (await appointments(catalogue_client.context(), programme, talk, first=1))[0][0] == TOMORROW_AT_TEN
    assert await appointments(catalogue_client.context(), programme, one(catalogue_client, "mug"), first=3) == []


def test_the_catalogue_is_paged_by_points_and_key(catalogue_client: CatalogueClient) -> None:
    programme = catalogue_client.services.programmes.get("grocer")
    keys: list[str] = []
    after: tuple[int, str] | None = None
    while True:
        page, more = catalogue_page(programme, category=None, points_max=None, first=3, after=after)
        keys += [reward.key for reward in page]
        if not more:
            break
        after = (page[-1].points, page[-1].key)
    assert keys == ["gold-only", "once", "meal", "bowl", "boxed-film", "film", "mug", "talk"]
    cheap, _ = catalogue_page(programme, category="things", points_max=30, first=20, after=None)
    assert [reward.key for reward in cheap] == ["gold-only", "once", "meal"]
    assert catalogue_page(programme, category="others", points_max=None, first=20, after=None) == ([], False)


def test_reward_has_its_first_and_last_moment(resolver_client: ResolverClient) -> None:
    grocer = resolver_client.services.programmes.get("grocer")
    gift = grocer.catalogue.rewards["gift-wednesday"]
    begins, ends = datetime(2026, 6, 17, 4, 0, tzinfo=UTC), datetime(2026, 6, 18, 4, 0, tzinfo=UTC)
    assert order_window(gift, grocer, resolver_client.clock()) == (begins, ends)
    assert order_window(gift, grocer, begins) == (None, ends)
    assert order_window(grocer.catalogue.rewards["bread"], grocer, resolver_client.clock()) == (None, None)
    assert gift.window is not None
    last = replace(gift, window=replace(gift.window, last_day=datetime(2026, 6, 10, tzinfo=UTC).date()))
    assert order_window(last, grocer, resolver_client.clock()) == (None, datetime(2026, 6, 11, 4, 0, tzinfo=UTC))


async def test_catalogue_is_public_if_the_programme_is_known(resolver_client: ResolverClient) -> None:
    nobody = Context(resolver_client.services, None)
    assert public_programme(nobody, "coffee").key == "coffee"
    assert public_programme(resolver_client.context(), None).key == "grocer"
    for key, reason in ((None, "programme_missing"), ("tea", "programme_unknown")):
        with pytest.raises(BadInput, match=reason):
            public_programme(nobody, key)
    alone = Programmes(resolver_client.services.database, [resolver_client.services.programmes.get("coffee")])
    assert public_programme(Context(replace(resolver_client.services, programmes=alone), None), None).key == "coffee"


@pytest.mark.parametrize("locale", ["en", "fr", "ar"])
async def test_with_no_programme_applied_the_error_says_to_apply_one(
    resolver_client: ResolverClient, locale: str
) -> None:
    nothing = replace(resolver_client.services, programmes=Programmes(resolver_client.services.database, []))
    without_token, with_token = Context(nothing, None), replace(resolver_client.context(), services=nothing)
    asked: list[tuple[Context, str | None, str]] = [
        (without_token, None, "programme_none"),
        (without_token, "grocer", "programme_unknown"),
        (with_token, None, "programme_unknown"),
    ]
    for context, key, reason in asked:
        with pytest.raises(BadInput, match=reason) as fault:
            public_programme(context, key)
        assert "`carillon programme apply FILE`" in fault_message(fault.value, locale)


async def test_availability_of_offers_and_rewards_is_one_query(
    catalogue_client: CatalogueClient, mongod: EmbeddedServer
) -> None:
    member = await catalogue_client.earn(70)
    query_log = QueryLog()
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(mongod.url, tz_aware=True, event_listeners=[query_log])
    reader = Reader(Database(client, catalogue_client.services.database.db.name))
    resolver_client = replace(catalogue_client, services=replace(catalogue_client.services, reader=reader))
    catalogue = resolver_client.services.programmes.get("grocer").catalogue
    listed_one = replace(one(resolver_client, "mug"), key="for-vips", audience=Audience(lists=frozenset({"vip"})))
    catalogue.upsert_reward(listed_one)
    try:
        context = resolver_client.context(Role.MEMBER, member=member)
        personalisation = Personalisation(context, await seen(resolver_client, member))
        (found, _), _ = await asyncio.gather(
            ranked_page(context, personalisation, channel=None, category=None, eligible=None, first=50, after=None),
            ranked_offers(context, personalisation, channel=None, states=None, first=50, after=None),
        )
    finally:
        catalogue.remove_reward("for-vips")
        await client.close()
    assert "for-vips" in {availability.reward.key for _, availability in found}
    assert [*map(sorted, query_log.collections)] == [sorted("members"), ["audiences", "codes", "counters"]]


async def has_mugs(context: Context, snapshot: Snapshot) -> bool:
    _, supply = await Personalisation(context, snapshot).segmentation_and_supply()
    return "mug" not in supply.out_of_stock


async def test_supply_that_was_prefetched_is_shown_beside_older_versions_of_the_same_catalogue_only(
    catalogue_client: CatalogueClient,
) -> None:
    member = await catalogue_client.earn(1000)
    catalogue, mug = (
        catalogue_client.context(Role.MEMBER, member=member).programme().catalogue,
        one(catalogue_client, "mug"),
    )

    async def prefetched() -> Context:
        catalogue_client.clock.moment += timedelta(seconds=1)
        context = prefetch_supply(catalogue_client.context(Role.MEMBER, member=member))
        # The read is under way: it is sent with those of others.
        await has_mugs(catalogue_client.context(Role.MEMBER, member=member), await seen(catalogue_client, member))
        catalogue_client.clock.moment += timedelta(seconds=1)
        return context

    catalogue.upsert_reward(replace(mug, stock=2))
    try:
        await catalogue_client.order(member, "mug")
        context, before = await prefetched(), await seen(catalogue_client, member)
        assert await has_mugs(context, before)
        await catalogue_client.order(member, "mug")
        assert await has_mugs(context, before), "the read is of the moment when it was started"
        assert not await has_mugs(context, await seen(catalogue_client, member)), "this version is newer than the read"

        catalogue.upsert_reward(replace(mug, stock=3))
        assert await has_mugs(context, await seen(catalogue_client, member))
        context = await prefetched()
        assert await has_mugs(context, await seen(catalogue_client, member))
        catalogue.upsert_reward(replace(mug, stock=2))
        assert not await has_mugs(context, await seen(catalogue_client, member)), "the read is of another catalogue"
    finally:
        catalogue.upsert_reward(mug)


def test_nothing_is_prefetched_without_a_token(resolver_client: ResolverClient) -> None:
    assert prefetch_supply(Context(resolver_client.services, None)).prefetched is None
