"""Limits of activity between two gateways, which share only the database."""

import asyncio
from dataclasses import replace

import pytest
from support.clients.request_factory import RequestFactory
from support.outcome import committed

from loyalty.kernel.refusal import Refusal, RefusalCode
from loyalty.model.activity_limit import ActivityLimit, LimitedActor, Measure, Span
from loyalty.model.programme import Programme
from models.commits.committer import Committer
from models.commits.request import Committed, Outcome
from models.mongo.database import Database
from resolvers.audit.audit import audit


@pytest.fixture
def request_factory(grocer: Programme, clock: object) -> RequestFactory:
    limits = (
        ActivityLimit(LimitedActor.AGENT, Measure.ADJUSTMENT, 5000, Span.DAY),
        ActivityLimit(LimitedActor.TILL, Measure.POINTS, 100, Span.HOUR),
        ActivityLimit(LimitedActor.CARD, Measure.EVENTS, 3, Span.DAY),
    )
    return RequestFactory(replace(grocer, activity_limits=limits), clock)  # type: ignore[arg-type]


def counted(outcomes: list[Outcome]) -> int:
    """Return how many were committed; the others must be refused by a limit."""
    refusals = [outcome for outcome in outcomes if isinstance(outcome, Refusal)]
    assert {refusal.code for refusal in refusals} <= {RefusalCode.LIMIT_REACHED}
    assert {refusal.reason.split("_")[0] for refusal in refusals} <= {"activity"}
    return sum(isinstance(outcome, Committed) for outcome in outcomes)


async def taken(database: Database, kind: str) -> list[int]:
    """Return the counters of a kind of limit, such as `agent/adjustment`."""
    found = await database.counters.find({"kind": "activity", "key": {"$regex": f"^{kind}/"}}).to_list()
    return sorted(document["taken"] for document in found)


async def test_two_gateways_together_keep_to_the_limit_of_an_agent(
    database: Database, request_factory: RequestFactory, committer: Committer, other_committer: Committer
) -> None:
    members = [await request_factory.member(committer) for _ in range(4)]
    requests = [request_factory.adjust(members[n % 4], 700) for n in range(24)]
    outcomes = await asyncio.gather(
        *((committer, other_committer)[n % 2].commit(one) for n, one in enumerate(requests))
    )
    assert counted(outcomes) == 7
    assert await taken(database, "agent/adjustment") == [4900]
    again = await asyncio.gather(*(other_committer.commit(one) for one in requests))
    replayed = [isinstance(outcome, Committed) and outcome.replayed for outcome in again]
    assert replayed == [isinstance(outcome, Committed) for outcome in outcomes]
    assert await taken(database, "agent/adjustment") == [4900]
    assert isinstance(await committer.commit(request_factory.adjust(members[0], 100)), Committed)
    assert await taken(database, "agent/adjustment") == [5000]
    assert (await audit(database)).supplies_with_faults == []


async def test_events_and_points_are_counted_once_for_each_limit_and_refused_ones_not(
    database: Database, request_factory: RequestFactory, committer: Committer, other_committer: Committer
) -> None:
    member = await request_factory.member(committer)
    purchases = [request_factory.buy(member, "10.00", sender=f"till-{n}") for n in range(8)]
    outcomes = await asyncio.gather(
        *((committer, other_committer)[n % 2].commit(one) for n, one in enumerate(purchases))
    )
    assert counted(outcomes) == 3
    assert await taken(database, "card/events") == [3]
    assert await taken(database, "till/points") == [10, 10, 10]
    one = next(request for request, outcome in zip(purchases, outcomes, strict=True) if isinstance(outcome, Committed))
    refund = request_factory.refund(member, one.command.cause.key, sender=one.command.cause.subject)
    committed(await committer.commit(refund))
    assert await taken(database, "card/events") == [3]
    request_factory.clock.advance(days=1)
    committed(await committer.commit(request_factory.buy(member, "10.00")))
    assert await taken(database, "card/events") == [1, 3]
    assert (await audit(database)).supplies_with_faults == []


async def test_one_group_counts_its_own_commands(request_factory: RequestFactory, committer: Committer) -> None:
    members = [await request_factory.member(committer) for _ in range(30)]
    requests = [request_factory.buy(member, "7.00") for member in members]
    assert counted(await asyncio.gather(*(committer.commit(one) for one in requests))) == 14


async def test_counters_are_deleted_after_their_time(
    database: Database, request_factory: RequestFactory, committer: Committer
) -> None:
    committed(await committer.commit(request_factory.adjust(await request_factory.member(committer), 5)))
    [counter] = await database.counters.find({"kind": "activity"}).to_list()
    assert counter["forget_at"] > counter["at"]
    indexes = await database.counters.index_information()
    assert any(index.get("expireAfterSeconds") == 0 for index in indexes.values())


async def test_audit_finds_a_counter_above_the_ledger(
    database: Database, request_factory: RequestFactory, committer: Committer
) -> None:
    committed(await committer.commit(request_factory.adjust(await request_factory.member(committer), 5)))
    await database.counters.update_one({"kind": "activity"}, {"$inc": {"taken": 1}})
    [broken] = (await audit(database)).supplies_with_faults
    assert broken.faults == ("it is 6, and the ledger holds 5 of that time",)
    await database.counters.update_one({"kind": "activity"}, {"$set": {"key": "nobody"}})
    [broken] = (await audit(database)).supplies_with_faults
    assert broken.faults[0].startswith("cannot be read: ValueError")
