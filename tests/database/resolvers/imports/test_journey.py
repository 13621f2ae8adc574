import asyncio
import os
import signal
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from support.clients.resolver_client import ResolverClient
from support.complete_journey import Basket, baskets_of_the_first_two_households
from support.documents import counts, documents
from support.outcome import committed

from loyalty.kernel.channel import Channel
from loyalty.model.consent import Consent, ConsentPurpose
from loyalty.model.ledger import Account
from loyalty.rules.affinity import NO_AFFINITY
from models.commits.committer import Committer
from models.mongo.database import Database
from models.mongod.server import EmbeddedServer
from resolvers.audit.audit import audit
from resolvers.consent import history, set_consents
from resolvers.core.actor import Role
from resolvers.enrol import EnrolmentInput, enrol
from resolvers.imports.journey import HouseholdRefused, ImportResult, date_shift, import_journey, imported_households


@pytest.fixture(scope="module")
def baskets() -> dict[int, Basket]:
    return baskets_of_the_first_two_households()


async def state(database: Database) -> list[Any]:
    """Return the members' state without random ids."""
    rows = await database.members.find().sort("profile.last_name").to_list()
    names = ("version", "balances", "lots", "qualifying", "standing", "counted", "profile", "enrolled_at", "entries")
    return [[row[name] for name in names] for row in rows]


async def points_by_basket(database: Database) -> dict[int, int]:
    """Return the points of each basket from the ledger."""
    versions = {
        (event["member"], event["version"]): int(event["cause"]["key"])
        async for event in database.records.find({"cause.operation": "event"})
    }
    return {
        versions[record["member"], record["version"]]: sum(
            entry["points"] for entry in record["entries"] if entry["kind"] == "EARN"
        )
        async for record in database.records.find({"cause.operation": "event"})
    }


async def test_two_households_have_the_points_of_the_published_rule(
    resolver_client: ResolverClient, baskets: dict[int, Basket]
) -> None:
    progress: list[tuple[int, int]] = []
    tally = await import_journey(
        resolver_client.services, households=2, on_progress=lambda done, total: progress.append((done, total))
    )
    issued = sum(basket.points for basket in baskets.values())
    assert (tally, len(baskets)) == (ImportResult(counted=71, points=issued), 71)
    assert progress == [(71, 71)]
    assert await counts(resolver_client.services.database) == (2, 75, 75)
    assert await points_by_basket(resolver_client.services.database) == {
        number: basket.points for number, basket in baskets.items()
    }
    for household in (1, 2):
        row = await resolver_client.services.database.members.find_one({"profile.last_name": str(household)})
        assert row is not None
        points = sum(basket.points for basket in baskets.values() if basket.household == household)
        assert -row["balances"]["issued"] == points
        assert row["balances"]["available"] + row["balances"].get("expired", 0) == points
    findings = await audit(resolver_client.services.database)
    assert (findings.members_with_faults, findings.balances[Account.ISSUED]) == ([], -issued)
    assert await imported_households(resolver_client.services.database) == 2


async def test_data_is_shifted_to_the_present_by_whole_weeks(resolver_client: ResolverClient) -> None:
    await import_journey(resolver_client.services, households=1)
    newest = await resolver_client.services.database.records.find_one(
        {"cause.operation": "event"}, sort=[("occurred_at", -1)]
    )
    assert newest is not None
    last_in_file = datetime(2017, 12, 31, tzinfo=UTC)
    shift = await date_shift(resolver_client.services.database, resolver_client.clock())
    assert shift % timedelta(weeks=1) == timedelta(0)
    assert (
        timedelta(0)
        <= resolver_client.clock() - (datetime(2017, 12, 31, 23, 59, tzinfo=UTC) + shift)
        < timedelta(weeks=1)
    )
    assert newest["occurred_at"] - shift >= last_in_file - timedelta(days=31)
    resolver_client.clock.advance(days=30)
    assert await date_shift(resolver_client.services.database, resolver_client.clock()) == shift


async def test_households_consent_to_personalisation_at_enrolment_and_may_withdraw(
    resolver_client: ResolverClient,
) -> None:
    await import_journey(resolver_client.services, households=2)
    households = [row["_id"] async for row in resolver_client.services.database.members.find()]
    assert len(households) == 2
    for member in households:
        snapshot = await resolver_client.services.reader.member("grocer", member)
        assert snapshot is not None
        given = Consent(
            ConsentPurpose.PERSONALISATION, None, granted=True, changed_at=resolver_client.clock(), via=Channel.SYSTEM
        )
        assert snapshot.member.profile.consents == (given,)
        assert await history(resolver_client.context(Role.AGENT), member) == [given]
        assert snapshot.affinity != NO_AFFINITY
    # The import does not overrule a member who refuses later.
    member = households[0]
    context = resolver_client.context(Role.MEMBER, member=member)
    answer = ((ConsentPurpose.PERSONALISATION, None, False),)
    committed(await set_consents(context, key=resolver_client.key(), member=None, consents=answer))
    await import_journey(resolver_client.services, households=2)
    snapshot = await resolver_client.services.reader.member("grocer", member)
    assert snapshot is not None
    assert [one.granted for one in snapshot.member.profile.consents] == [False]
    assert snapshot.affinity == NO_AFFINITY


async def test_second_run_replays_everything_and_changes_nothing(resolver_client: ResolverClient) -> None:
    await import_journey(resolver_client.services, households=2)
    before = await documents(resolver_client.services.database)
    resolver_client.clock.advance(days=20)
    assert await import_journey(resolver_client.services, households=2) == ImportResult(replayed=71)
    assert await documents(resolver_client.services.database) == before


async def test_a_run_that_was_interrupted_is_finished_by_the_next(
    resolver_client: ResolverClient, baskets: dict[int, Basket]
) -> None:
    database = resolver_client.services.database
    await import_journey(resolver_client.services, households=2)
    expected = await state(database)
    for name in ("members", "entries", "identities", "marks"):
        await database.db[name].delete_many({})

    def interrupt(done: int, _total: int) -> None:
        if done >= 20:
            running.cancel()

    running = asyncio.create_task(
        import_journey(resolver_client.services, households=2, in_flight_max=8, on_progress=interrupt)
    )
    with pytest.raises(asyncio.CancelledError):
        await running
    await resolver_client.services.committer.drain()
    _, _, events = await counts(database)
    assert 24 <= events < 75
    assert await imported_households(database) == 0

    tally = await import_journey(resolver_client.services, households=2)
    assert (tally.replayed, tally.counted, tally.refused) == (events - 4, 75 - events, 0)
    assert await state(database) == expected
    assert sum((await points_by_basket(database)).values()) == sum(basket.points for basket in baskets.values())
    assert (await audit(database)).members_with_faults == []


async def test_a_part_of_the_year_is_finished_by_the_whole(resolver_client: ResolverClient) -> None:
    part = await import_journey(resolver_client.services, households=2, until=date(2017, 6, 30))
    assert (0 < part.counted < 71, await imported_households(resolver_client.services.database)) == (True, 0)
    rest = await import_journey(resolver_client.services, households=2)
    assert (rest.replayed, rest.counted) == (part.counted, 71 - part.counted)


async def test_a_database_whose_cards_are_others_is_not_imported_into(resolver_client: ResolverClient) -> None:
    await enrol(resolver_client.context(), EnrolmentInput("form", Channel.STORE, card="household-1"))
    with pytest.raises(HouseholdRefused, match="household 1 cannot be enrolled: card_taken"):
        await import_journey(resolver_client.services, households=1)
    assert await resolver_client.services.database.records.count_documents({"cause.operation": "event"}) == 0


async def test_an_import_goes_on_after_mongodb_has_stalled(
    resolver_client: ResolverClient, mongod: EmbeddedServer
) -> None:
    stalled: list[int] = []

    def stall(done: int, _total: int) -> None:
        if not stalled:
            stalled.append(done)
            os.kill(mongod.pid, signal.SIGSTOP)
            asyncio.get_running_loop().call_later(1.5, os.kill, mongod.pid, signal.SIGCONT)

    async with Committer(resolver_client.services.database, transaction_seconds_max=0.5) as impatient:
        services = replace(resolver_client.services, committer=impatient)
        tally = await import_journey(services, households=2, in_flight_max=10, on_progress=stall)
    assert stalled == [5]
    assert (tally.counted + tally.replayed, tally.refused) == (71, 0)
    assert await counts(resolver_client.services.database) == (2, 75, 75)
    assert (await audit(resolver_client.services.database)).members_with_faults == []
