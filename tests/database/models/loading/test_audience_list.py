import asyncio
from datetime import timedelta

import pytest
from support.clients.resolver_client import ResolverClient
from support.clock import NOON

from models.loading.audience_list import AudienceListSummary, LoadedList, LoadSuperseded, audience_list, load_list
from models.loading.code_pool import InvalidLoad
from models.mongo.database import Database
from models.mongo.ids import audience_id, identity_key


async def lists_of(database: Database) -> dict[str, list[str]]:
    return {document["_id"]: document["lists"] async for document in database.audiences.find({})}


async def test_members_are_named_by_number_card_or_email(resolver_client: ResolverClient) -> None:
    database = resolver_client.services.database
    one = (await resolver_client.enrol()).snapshot.member
    two, three = await resolver_client.member(card="card-2"), await resolver_client.member(email="Three@Example.org")
    lines = [f" {one.number}\n", "", "card-2", "THREE@example.ORG", "card-2", one.number, "nobody", "no@body.org"]
    tally = await load_list(database, "grocer", "vip", lines, now=NOON)
    assert (tally.members, tally.removed, tally.unknown, tally.duplicates) == (3, 0, 2, 2)
    assert tally.unknown_lines == [(7, "nobody"), (8, "no@body.org")]
    assert await lists_of(database) == {audience_id("grocer", member): ["vip"] for member in (one.id, two, three)}
    assert await audience_list(database, "grocer", "vip") == AudienceListSummary(3, NOON)


async def test_loading_again_replaces_the_list_and_no_other(resolver_client: ResolverClient) -> None:
    database = resolver_client.services.database
    members = [await resolver_client.member(card=f"card-{number}") for number in range(4)]
    await load_list(database, "grocer", "vip", ["card-0", "card-1", "card-2"], now=NOON)
    await load_list(database, "grocer", "press", ["card-0"], now=NOON)
    tally = await load_list(database, "grocer", "vip", ["card-2", "card-3"], now=NOON + timedelta(days=1))
    assert (tally.members, tally.removed, tally.unknown) == (2, 2, 0)
    ids = [audience_id("grocer", member) for member in members]
    assert await lists_of(database) == {ids[0]: ["press"], ids[2]: ["vip"], ids[3]: ["vip"]}
    assert (await load_list(database, "grocer", "vip", [], now=NOON)).removed == 2
    assert await lists_of(database) == {ids[0]: ["press"]}
    assert await audience_list(database, "grocer", "unheard-of") == AudienceListSummary(0, None)


async def test_members_of_another_programme_are_not_listed(resolver_client: ResolverClient) -> None:
    cafe = ResolverClient(
        resolver_client.services, resolver_client.clock, programme="coffee", keys=resolver_client.keys
    )
    await cafe.member(card="card-1")
    tally = await load_list(resolver_client.services.database, "grocer", "vip", ["card-1"], now=NOON)
    assert (tally.members, tally.unknown) == (0, 1)


async def test_a_list_longer_than_a_batch_is_loaded(database: Database) -> None:
    await database.identities.insert_many(
        {"_id": identity_key("grocer", "card", f"CARD{n}"), "programme": "grocer", "member": f"m-{n}"}
        for n in range(2500)
    )
    done: list[int] = []
    lines = (f"card-{number}\n" for number in range(3000))
    tally = await load_list(database, "grocer", "vip", lines, now=NOON, on_progress=done.append)
    assert (tally.members, tally.unknown, len(tally.unknown_lines), done) == (2500, 500, 10, [1000, 2000, 3000])
    again = await load_list(database, "grocer", "vip", ["card-2499"], now=NOON)
    assert (again.members, again.removed) == (1, 2499)


async def test_overtaken_load_ends_and_keeps_the_newer_list(resolver_client: ResolverClient) -> None:
    database = resolver_client.services.database
    for number in range(3):
        await resolver_client.member(card=f"card-{number}")
    await load_list(database, "grocer", "vip", ["card-0"], now=NOON)
    first, second = await asyncio.gather(
        load_list(database, "grocer", "vip", ["card-1"] * 50_000, now=NOON),
        load_list(database, "grocer", "vip", ["card-2"], now=NOON),
        return_exceptions=True,
    )
    assert isinstance(first, LoadSuperseded)
    assert isinstance(second, LoadedList)
    assert [*(await lists_of(database)).values()] == [["vip"]]
    assert (await load_list(database, "grocer", "vip", ["card-2"], now=NOON)).removed == 0


async def test_a_list_that_no_programme_can_name_is_refused(database: Database) -> None:
    with pytest.raises(InvalidLoad, match="is not a valid list name"):
        await load_list(database, "grocer", "stamps.vip", ["A"], now=NOON)
