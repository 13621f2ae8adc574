"""Migrations convert what earlier releases stored; stopped anywhere, they continue, and the audit holds after them."""

import asyncio
import random
from datetime import timedelta
from typing import Any

import pytest
from support.clients.resolver_client import ResolverClient
from support.documents import documents
from support.programme_files import programme_source
from support.servers.command_line import migrate_with_a_kill

from loyalty.kernel.canonical import stored_identity
from models.loading.code_pool import load_codes
from models.migrations import canonical_identities, runner
from models.migrations.runner import migrate
from models.mongo.database import Database
from models.mongo.ids import code_id, identity_key
from models.mongod.server import EmbeddedServer
from models.programmes.programme_store import apply_file
from resolvers.audit.audit import audit
from resolvers.core.actor import Role
from resolvers.core.member import MemberKey, look_up
from resolvers.profile import update_profile

# What earlier releases stored: e-mails folded, phones without punctuation, cards as they were.
FORMER = {"email": "sam@exämple.org", "phone": "2125550123", "card": "card-1"}


@pytest.fixture
async def applied(resolver_client: ResolverClient, migrated_database: Database) -> ResolverClient:
    """The grocer's programme, stored as gateways apply it."""
    database = migrated_database
    await apply_file(database, programme_source("grocer"), now=resolver_client.clock(), applied_by="tests")
    return resolver_client


async def former_member(resolver_client: ResolverClient, **fields: str) -> str:
    """Enrol a member, and store its identities as an earlier release did."""
    database = resolver_client.services.database
    member = await resolver_client.member()
    profile = {f"profile.{kind}": value for kind, value in fields.items() if kind != "card"}
    cards = [value for kind, value in fields.items() if kind == "card"]
    await database.members.update_one({"_id": member}, {"$set": {**profile, "cards": cards}})
    for kind, value in fields.items():
        document = {"_id": identity_key("grocer", kind, value), "programme": "grocer", "member": member}
        await database.identities.replace_one({"_id": document["_id"]}, document, upsert=True)
    return member


async def faults_of(database: Database) -> list[str]:
    findings = await audit(database)
    return [fault for broken in findings.members_with_faults for fault in broken.faults] + [
        f"{supply.name}: {fault}" for supply in findings.supplies_with_faults for fault in supply.faults
    ]


async def found(resolver_client: ResolverClient, kind: str, value: str) -> str | None:
    snapshot = await look_up(resolver_client.context(Role.AGENT), MemberKey(kind, value))
    return snapshot.member.id if snapshot is not None else None


async def identities(database: Database) -> list[dict[str, Any]]:
    return await database.identities.find({}, sort=[("_id", 1)]).to_list()


async def test_identities_of_earlier_releases_are_found_in_every_way_of_writing(applied: ResolverClient) -> None:
    database = applied.services.database
    member = await former_member(applied, **FORMER)
    assert "no identity points from its card to it" in await faults_of(database)
    await migrate(database)
    for kind, value in (
        ("email", "SAM@xn--exmple-cua.org"),
        ("phone", "+1 212 555 0123"),
        ("phone", "(212) 555-0123"),
        ("card", "CARD 1"),
    ):
        assert await found(applied, kind, value) == member
    assert await faults_of(database) == []
    stored = await database.members.find_one({"_id": member})
    assert stored is not None
    assert (stored["profile"]["email"], stored["cards"], stored["version"]) == ("sam@exämple.org", ["card-1"], 1)


async def test_a_migration_that_is_done_changes_nothing_and_does_not_run_again(applied: ResolverClient) -> None:
    database = applied.services.database
    await former_member(applied, **FORMER)
    await migrate(database)
    before = await documents(database)
    programmes = await database.programmes.distinct("programme")
    assert await migrate(database) == len(runner.MIGRATIONS) * len(programmes)  # one look at each mark
    assert await documents(database) == before
    late = await former_member(applied, card="card-2")
    await migrate(database)
    assert await found(applied, "card", "card-2") is None
    await migrate(database, again=True)
    assert await found(applied, "card", "card-2") == late


@pytest.mark.parametrize("older_first", [True, False])
@pytest.mark.parametrize(
    ("kind", "one", "two"),
    [
        ("email", "sam@exämple.org", "sam@xn--exmple-cua.org"),
        ("phone", "2125550123", "+12125550123"),
        ("card", "card-1", "CARD1"),
    ],
)
async def test_the_older_of_two_members_keeps_what_both_have(
    applied: ResolverClient, kind: str, one: str, two: str, older_first: bool
) -> None:
    database = applied.services.database
    first, second = await former_member(applied, **{kind: one}), await former_member(applied, **{kind: two})
    older, younger = (first, second) if older_first else (second, first)
    stored = await database.members.find_one({"_id": older})
    assert stored is not None
    await database.members.update_one(
        {"_id": older}, {"$set": {"enrolled_at": stored["enrolled_at"] - timedelta(days=9)}}
    )
    await migrate(database)
    for text in (one, two):
        assert await found(applied, kind, text) == older
    [listed] = (await audit(database)).members_with_faults
    assert (listed.member, listed.faults) == (
        younger,
        (f"its {kind} is also that of member {stored['number']}, who had it first; correct one of the two profiles",),
    )
    if kind != "card":
        context, by = applied.context(Role.AGENT), MemberKey("id", younger)
        await update_profile(context, key=applied.key(), member=by, typed={kind: None})
        assert await faults_of(database) == []
        assert await found(applied, kind, one) == older


async def test_stopped_anywhere_it_continues(applied: ResolverClient, monkeypatch: pytest.MonkeyPatch) -> None:
    database = applied.services.database
    monkeypatch.setattr(canonical_identities, "MEMBERS_PER_STEP", 3)
    chance = random.Random(7)  # noqa: S311 - not secret
    members = [
        await former_member(applied, card=f"card-{number % 8}", email=f"m{number}@exämple.org") for number in range(20)
    ]
    wanted = identity_key("grocer", "email", stored_identity("email", "m0@exämple.org", "US"))
    real, stops = database.transact, 0

    async def killed(body: Any, *, seconds_max: float) -> Any:
        nonlocal stops
        result = await real(body, seconds_max=seconds_max)
        if chance.random() < 0.5:
            stops += 1
            raise KeyboardInterrupt
        return result

    async def stopped_within(body: Any, *, seconds_max: float) -> Any:
        """Stop after the step's writes, before its transaction commits."""

        async def act(session: Any) -> Any:
            result = await body(session)
            if chance.random() < 0.5:
                raise ZeroDivisionError
            return result

        return await real(act, seconds_max=seconds_max)

    for stopping in (killed, stopped_within):
        for _ in range(6):
            monkeypatch.setattr(database, "transact", stopping)
            try:
                await migrate(database)
            except (KeyboardInterrupt, ZeroDivisionError):
                continue
    monkeypatch.setattr(database, "transact", real)
    await migrate(database)
    assert stops
    ids = {document["_id"]: document["member"] for document in await identities(database)}
    assert ids[wanted] == members[0]
    assert {ids[identity_key("grocer", "card", f"CARD{number}")] for number in range(8)} == {*members[:8]}
    assert len(await faults_of(database)) == 12
    before = await identities(database)
    await migrate(database, again=True)
    assert await identities(database) == before


async def test_two_processes_may_run_it_at_once(applied: ResolverClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(canonical_identities, "MEMBERS_PER_STEP", 2)
    database = applied.services.database
    members = [await former_member(applied, card=f"card-{number}") for number in range(15)]
    await asyncio.gather(*(migrate(database) for _ in range(3)))
    assert await faults_of(database) == []
    assert [await found(applied, "card", f"CARD {number}") for number in range(15)] == members


async def test_a_killed_process_continues(mongod: EmbeddedServer, applied: ResolverClient) -> None:
    database = applied.services.database
    members = [await former_member(applied, card=f"card-{number}") for number in range(450)]
    await migrate_with_a_kill(database, mongod.url, "migration/1/grocer")
    assert await faults_of(database) == []
    assert [await found(applied, "card", f"CARD {number}") for number in range(0, 450, 50)] == members[::50]


async def test_national_numbers_are_converted_when_the_programme_gets_a_country(applied: ResolverClient) -> None:
    database = applied.services.database
    source = programme_source("grocer")
    await apply_file(database, source.replace("country: US\n", ""), now=applied.clock(), applied_by="tests")
    member = await former_member(applied, phone="2125550123")
    await migrate(database)
    assert await faults_of(database) == []
    assert (await database.identities.find_one({"_id": "grocer/phone/2125550123"})) is not None
    await apply_file(database, source, now=applied.clock(), applied_by="tests")
    await migrate(database)
    assert await found(applied, "phone", "+1 (212) 555-0123") == member
    assert await faults_of(database) == []


async def test_codes_of_earlier_releases_get_a_canonical_form(applied: ResolverClient) -> None:
    database = applied.services.database

    def former(pool: str, code: str, **about: str) -> dict[str, Any]:
        fields = {"programme": "grocer", "pool": pool, "code": code, "state": "free", **about}
        return {"_id": code_id("grocer", pool, code), **fields}

    await database.codes.insert_many(
        [former("films", f"film-{number}") for number in range(1200)]
        + [former("circus", "Film 7"), former("theatre", "FILM-8", state="void", holder="order/1", member="m")]
    )
    await migrate(database)
    canonical = {code["_id"]: code.get("canonical") async for code in database.codes.find({})}
    assert canonical["grocer/films/film-1199"] == "FILM1199"
    assert (canonical["grocer/circus/Film%207"], canonical["grocer/films/film-7"]) == ("FILM7", None)
    faults = await faults_of(database)
    same = "it is the same as code 'Film 7' of pool 'circus', and cannot be redeemed by its text"
    assert f"code 'film-7' of pool 'films': {same}" in faults
    assert len([fault for fault in faults if "the same as" in fault]) == 2
    tally = await load_codes(database, "grocer", "films", ["FILM 1199", "film-7"])
    assert (tally.loaded, tally.duplicates, tally.taken) == (0, 1, 1)


def test_migrations_have_numbers_of_their_own() -> None:
    numbers = [migration.number for migration in runner.MIGRATIONS]
    assert numbers == [*range(1, len(numbers) + 1)]
