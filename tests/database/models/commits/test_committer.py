import asyncio
import os
import signal
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.clients.request_factory import RequestFactory
from support.documents import counts, documents
from support.outcome import committed, refused

from loyalty.kernel.refusal import Refusal, RefusalCode
from loyalty.model.decision import NothingToSettle
from loyalty.model.programme import EventType, Programme
from models.commits.committer import Committer, Overloaded, Unavailable
from models.commits.request import Committed, Outcome, Request
from models.mongo.database import Database, connect
from models.mongo.ledger import record_of
from models.mongod.server import EmbeddedServer
from models.reads.reader import Reader


async def commit_all(requests: list[Request], *committers: Committer) -> list[Outcome]:
    """Commit requests at once, turn by turn through each of the committers."""
    turns = [committers[place % len(committers)] for place in range(len(requests))]
    return await asyncio.gather(*(turn.commit(request) for turn, request in zip(turns, requests, strict=True)))


def versions(outcomes: list[Outcome]) -> list[int]:
    return [committed(outcome).record.version for outcome in outcomes]


def codes(outcomes: list[Outcome]) -> list[RefusalCode]:
    return [outcome.code for outcome in outcomes if isinstance(outcome, Refusal)]


async def available(database: Database, member: str) -> int:
    snapshot = await Reader(database).member("grocer", member)
    assert snapshot is not None
    return snapshot.member.available


# A key counts once


async def test_a_key_sent_fifty_times_at_once_counts_once(
    database: Database, committer: Committer, request_factory: RequestFactory
) -> None:
    member = await request_factory.member(committer)
    outcomes = await commit_all([request_factory.buy(member, "12.00", key="receipt") for _ in range(50)], committer)
    assert sorted(committed(outcome).replayed for outcome in outcomes) == [False] + [True] * 49
    assert {committed(outcome).record.hash for outcome in outcomes} == {committed(outcomes[0]).record.hash}
    assert versions(outcomes) == [2] * 50
    assert await counts(database) == (1, 2, 2)
    assert await available(database, member) == 12


async def test_a_key_sent_fifty_times_at_once_to_two_processes_counts_once(
    database: Database, committer: Committer, other_committer: Committer, request_factory: RequestFactory
) -> None:
    member = await request_factory.member(committer)
    outcomes = await commit_all(
        [request_factory.buy(member, "12.00", key="receipt") for _ in range(50)], committer, other_committer
    )
    assert sorted(committed(outcome).replayed for outcome in outcomes) == [False] + [True] * 49
    assert versions(outcomes) == [2] * 50
    assert await counts(database) == (1, 2, 2)
    assert await available(database, member) == 12


async def test_a_key_that_was_counted_is_answered_with_its_first_record_and_the_present_state(
    database: Database, committer: Committer, request_factory: RequestFactory
) -> None:
    member = await request_factory.member(committer)
    first = committed(await committer.commit(request_factory.buy(member, "12.00", key="receipt")))
    await committer.commit(request_factory.buy(member, "5.00"))
    before = await documents(database)
    again = committed(await committer.commit(request_factory.buy(member, "12.00", key="receipt")))
    assert (again.replayed, again.record) == (True, first.record)
    assert (again.snapshot.version, again.snapshot.member.available) == (3, 17)
    assert await documents(database) == before


async def test_a_key_with_other_content_is_refused_and_changes_nothing(
    database: Database, committer: Committer, request_factory: RequestFactory
) -> None:
    member = await request_factory.member(committer)
    await committer.commit(request_factory.buy(member, "12.00", key="receipt"))
    before = await documents(database)
    refusal = refused(await committer.commit(request_factory.buy(member, "12.01", key="receipt")))
    assert refusal == Refusal(RefusalCode.KEY_REUSED, "key_reused", ("key",), {"key": "receipt"})
    assert await documents(database) == before


async def test_a_key_used_for_two_members_at_once_counts_for_one(
    database: Database, committer: Committer, other_committer: Committer, request_factory: RequestFactory
) -> None:
    members = [await request_factory.member(committer) for _ in range(10)]
    outcomes = await commit_all(
        [request_factory.buy(member, "12.00", key="receipt") for member in members], committer, other_committer
    )
    assert codes(outcomes) == [RefusalCode.KEY_REUSED] * 9
    assert await counts(database) == (10, 11, 11)
    assert sorted([await available(database, member) for member in members]) == [0] * 9 + [12]


async def test_keys_are_each_senders_own(committer: Committer, request_factory: RequestFactory) -> None:
    member = await request_factory.member(committer)
    requests = [request_factory.buy(member, "12.00", key="receipt", sender=sender) for sender in ("a", "a/b", "b")]
    # What could be confused if keys were only joined: sender "a" with key "b/receipt", sender "a/b" with "receipt".
    requests.append(request_factory.buy(member, "12.00", key="b/receipt", sender="a"))
    outcomes = await commit_all(requests, committer)
    assert [committed(outcome).replayed for outcome in outcomes] == [False] * 4
    assert versions(outcomes) == [2, 3, 4, 5]


async def test_an_enrolment_sent_ten_times_to_two_processes_makes_one_member(
    database: Database, committer: Committer, other_committer: Committer, request_factory: RequestFactory
) -> None:
    outcomes = await commit_all(
        [request_factory.enrol(key="form", email="sam@example.org") for _ in range(10)], committer, other_committer
    )
    assert sorted(committed(outcome).replayed for outcome in outcomes) == [False] + [True] * 9
    assert len({committed(outcome).snapshot.member.id for outcome in outcomes}) == 1
    assert await counts(database) == (1, 1, 1)
    assert await database.identities.count_documents({}) == 2


# Order


async def test_commands_of_one_member_are_decided_in_the_order_they_came(
    committer: Committer, request_factory: RequestFactory
) -> None:
    one, two = [await request_factory.member(committer) for _ in range(2)]
    requests = [request_factory.buy(member, f"{total}.00") for total in range(1, 101) for member in (one, two)]
    futures = [committer.submit(request) for request in requests]
    outcomes = [committed(await future) for future in futures]
    for member in (one, two):
        own = [outcome for outcome in outcomes if outcome.record.member == member]
        assert [outcome.record.version for outcome in own] == [*range(2, 102)]
        assert [outcome.record.entries[0].points for outcome in own] == [*range(1, 101)]
        assert [outcome.record.entries[0].balance for outcome in own] == [n * (n + 1) // 2 for n in range(1, 101)]


async def test_many_commands_of_one_member_in_one_group_get_consecutive_versions(
    database: Database, request_factory: RequestFactory
) -> None:
    sizes: list[int] = []
    async with Committer(database, on_group=lambda size, _seconds: sizes.append(size)) as committer:
        member = await request_factory.member(committer)
        sizes.clear()
        futures = [committer.submit(request_factory.buy(member, "1.00")) for _ in range(30)]
        outcomes = [await future for future in futures]
    assert sizes == [30]
    assert versions(outcomes) == [*range(2, 32)]
    records = [record_of(row) for row in await database.records.find({"member": member}).sort("version").to_list()]
    assert [record.version for record in records] == [*range(1, 32)]
    assert [after.previous_hash for after in records[1:]] == [before.hash for before in records[:-1]]


# One bad command


class Broken:
    """A check of attributes with a fault of its own."""

    def fault(self, attributes: Mapping[str, Any]) -> str | None:
        raise RuntimeError(f"cannot check {len(attributes)} attributes")


async def expect_neighbours_survive(
    database: Database, committer: Committer, request_factory: RequestFactory, bad: Request, same_member: str
) -> Exception:
    """Commit a bad command in the middle of a group; return the outcome that its caller gets."""
    other = await request_factory.member(committer)
    before = await counts(database)
    good = [request_factory.buy(member, "3.00") for member in (same_member, other, same_member, other)]
    futures = [committer.submit(request) for request in (*good[:2], bad, *good[2:])]
    outcomes = await asyncio.gather(*futures, return_exceptions=True)
    fault = outcomes.pop(2)
    outcomes_of_others = [committed(outcome) for outcome in outcomes if not isinstance(outcome, BaseException)]
    assert [outcome.record.member for outcome in outcomes_of_others] == [same_member, other, same_member, other]
    assert [outcome.record.version for outcome in outcomes_of_others] == [2, 2, 3, 3]
    assert [outcome.record.entries[0].balance for outcome in outcomes_of_others] == [3, 3, 6, 6]
    assert await counts(database) == (before[0], before[1] + 4, before[2] + 4)
    assert isinstance(fault, Exception)
    return fault


async def test_a_command_that_cannot_be_decided_fails_alone(
    database: Database, committer: Committer, request_factory: RequestFactory, grocer: Programme
) -> None:
    member = await request_factory.member(committer)
    types = {**grocer.event_types, "visit": EventType("visit", None, Broken())}
    bad = request_factory.event(member, "visit", programme=replace(grocer, event_types=types))
    fault = await expect_neighbours_survive(database, committer, request_factory, bad, member)
    assert (type(fault), str(fault)) == (RuntimeError, "cannot check 0 attributes")


@pytest.mark.usefixtures("changed_validators")
async def test_a_command_whose_document_mongodb_refuses_fails_alone(
    database: Database, committer: Committer, request_factory: RequestFactory
) -> None:
    member = await request_factory.member(committer)
    await database.db.command("collMod", "entries", validator={"store": {"$ne": "closed"}})
    bad = request_factory.buy(member, "3.00", store="closed")
    fault = await expect_neighbours_survive(database, committer, request_factory, bad, member)
    assert "Document failed validation" in str(fault)
    assert not isinstance(fault, Unavailable)  # to send it again would not help


async def test_a_command_that_cannot_be_written_as_bson_fails_alone(
    database: Database, committer: Committer, request_factory: RequestFactory
) -> None:
    member = await request_factory.member(committer)
    bad = request_factory.event(member, "visit", attributes={"steps": 2**70})
    fault = await expect_neighbours_survive(database, committer, request_factory, bad, member)
    assert isinstance(fault, OverflowError)


async def test_a_member_that_cannot_be_read_fails_alone(
    database: Database, committer: Committer, request_factory: RequestFactory
) -> None:
    member, broken = [await request_factory.member(committer) for _ in range(2)]
    await database.members.update_one({"_id": broken}, {"$set": {"lots": [["not a day", None, 1, 0]]}})
    bad = request_factory.buy(broken, "3.00")
    fault = await expect_neighbours_survive(database, committer, request_factory, bad, member)
    assert isinstance(fault, ValueError)


async def test_enrolments_under_identities_that_are_taken_are_refused_alone(
    database: Database, committer: Committer, request_factory: RequestFactory
) -> None:
    identities: dict[str, Any] = {"card": "card-1", "email": "sam@example.org", "phone": "+33612345678"}
    first = await request_factory.member(committer, **identities)
    before = await documents(database)
    requests = [request_factory.enrol(**{kind: value}) for kind, value in identities.items()]
    outcomes = await commit_all(
        [*requests, request_factory.buy(first, "3.00"), request_factory.enrol(card="card-2")], committer
    )
    assert [(refused(outcome).code, refused(outcome).reason, refused(outcome).path) for outcome in outcomes[:3]] == [
        (RefusalCode.ALREADY_EXISTS, "card_taken", ("card",)),
        (RefusalCode.ALREADY_EXISTS, "email_taken", ("email",)),
        (RefusalCode.ALREADY_EXISTS, "phone_taken", ("phone",)),
    ]
    assert versions(outcomes[3:]) == [2, 1]
    after = await documents(database)
    assert [len(after[name]) - len(before[name]) for name in ("members", "entries", "identities")] == [1, 2, 2]


# Two processes


async def test_sixty_four_commands_on_one_member_through_two_processes_all_count_once(
    database: Database, committer: Committer, other_committer: Committer, request_factory: RequestFactory
) -> None:
    member = await request_factory.member(committer)
    totals = [*range(1, 65)]
    outcomes = await commit_all(
        [request_factory.buy(member, f"{total}.00") for total in totals], committer, other_committer
    )
    assert [committed(outcome).replayed for outcome in outcomes] == [False] * 64
    assert sorted(versions(outcomes)) == [*range(2, 66)]
    records = [record_of(row) for row in await database.records.find({"member": member}).sort("version").to_list()]
    assert [record.version for record in records] == [*range(1, 66)]
    points = [record.entries[0].points for record in records[1:]]
    assert sorted(points) == totals
    assert [record.entries[0].balance for record in records[1:]] == [sum(points[: n + 1]) for n in range(64)]
    assert [after.previous_hash for after in records[1:]] == [before.hash for before in records[:-1]]
    # Each process keeps the order of its own callers.
    for own in (outcomes[::2], outcomes[1::2]):
        assert versions(own) == sorted(versions(own))
    assert await available(database, member) == sum(totals)


@pytest.mark.parametrize("processes", [1, 2])
async def test_of_two_refunds_of_one_purchase_at_once_one_takes_the_points_back(
    database: Database,
    committer: Committer,
    other_committer: Committer,
    request_factory: RequestFactory,
    processes: int,
) -> None:
    for bought in ("first", "second", "third"):
        member = await request_factory.member(committer)
        await committer.commit(request_factory.buy(member, "40.00", key=bought))
        await committer.commit(request_factory.buy(member, "7.00"))
        outcomes = await commit_all(
            [request_factory.refund(member, bought) for _ in range(2)], *(committer, other_committer)[:processes]
        )
        [counted] = [outcome for outcome in outcomes if isinstance(outcome, Committed)]
        assert [entry.points for entry in counted.record.entries] == [-40]
        [refusal] = [outcome for outcome in outcomes if isinstance(outcome, Refusal)]
        assert (refusal.code, refusal.reason) == (RefusalCode.INVALID, "refund_done")
        assert await available(database, member) == 7


async def test_partial_refunds_at_once_never_take_more_than_the_purchase_gave(
    database: Database, committer: Committer, other_committer: Committer, request_factory: RequestFactory
) -> None:
    member = await request_factory.member(committer)
    await committer.commit(request_factory.buy(member, "40.00", key="receipt"))
    outcomes = await commit_all(
        [request_factory.refund(member, "receipt", total="8.00") for _ in range(10)], committer, other_committer
    )
    taken = [outcome.record.entries[0].points for outcome in outcomes if isinstance(outcome, Committed)]
    assert taken == [-8] * 5
    assert codes(outcomes) == [RefusalCode.INVALID] * 5
    assert await available(database, member) == 0


@pytest.mark.parametrize("identity", [{"email": "sam@example.org"}, {"card": "CARD1"}])
async def test_of_many_enrolments_at_once_under_one_identity_one_wins(
    database: Database,
    committer: Committer,
    other_committer: Committer,
    request_factory: RequestFactory,
    identity: dict[str, Any],
) -> None:
    [kind] = identity
    outcomes = await commit_all([request_factory.enrol(**identity) for _ in range(20)], committer, other_committer)
    [winner] = [outcome for outcome in outcomes if isinstance(outcome, Committed)]
    assert [outcome for outcome in outcomes if outcome is not winner] == [
        Refusal(RefusalCode.ALREADY_EXISTS, f"{kind}_taken", (kind,))
    ] * 19
    assert await counts(database) == (1, 1, 1)
    assert await Reader(database).member_id_by("grocer", kind, identity[kind]) == winner.snapshot.member.id
    assert await database.identities.count_documents({}) == 2


async def test_two_processes_settling_one_member_settle_it_once(
    database: Database, committer: Committer, other_committer: Committer, request_factory: RequestFactory
) -> None:
    member = await request_factory.member(committer)
    await committer.commit(request_factory.buy(member, "9.00"))
    request_factory.clock.advance(days=400)
    outcomes = await commit_all([request_factory.settle(member) for _ in range(8)], committer, other_committer)
    assert versions([outcome for outcome in outcomes if not isinstance(outcome, NothingToSettle)]) == [3]
    assert await counts(database) == (1, 3, 2)
    assert await available(database, member) == 0


# Callers


async def test_a_caller_that_stops_waiting_does_not_stop_its_command(
    database: Database, committer: Committer, request_factory: RequestFactory
) -> None:
    member = await request_factory.member(committer)
    callers = [asyncio.create_task(committer.commit(request_factory.buy(member, "2.00"))) for _ in range(5)]
    await asyncio.sleep(0)  # the commands are taken; nothing is committed yet
    for caller in callers[::2]:
        caller.cancel()
    outcomes = await asyncio.gather(*callers, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes[::2]] == [asyncio.CancelledError] * 3
    assert versions([outcome for outcome in outcomes if isinstance(outcome, Committed)]) == [3, 5]
    await committer.drain()
    assert await available(database, member) == 10


async def test_more_commands_than_may_wait_are_refused_and_not_counted(
    database: Database, request_factory: RequestFactory
) -> None:
    async with Committer(database, pending_max=10) as committer:
        member = await request_factory.member(committer)
        futures = [committer.submit(request_factory.buy(member, "1.00")) for _ in range(10)]
        with pytest.raises(Overloaded, match="10 commands are waiting; try again in a moment with the same key"):
            committer.submit(request_factory.buy(member, "1.00"))
        assert versions([await future for future in futures]) == [*range(2, 12)]
        await committer.commit(request_factory.buy(member, "1.00"))  # there is room again
    assert await available(database, member) == 11


async def test_the_end_of_a_committer_answers_every_command_it_took(
    database: Database, request_factory: RequestFactory
) -> None:
    async with Committer(database) as committer:
        members = [await request_factory.member(committer) for _ in range(5)]
        futures = [committer.submit(request_factory.buy(member, "1.00")) for _ in range(60) for member in members]
    assert [future.done() for future in futures] == [True] * 300
    assert sorted(versions([future.result() for future in futures])) == sorted([*range(2, 62)] * 5)


async def test_a_member_of_another_programme_is_not_found(
    database: Database, committer: Committer, request_factory: RequestFactory, coffee: Programme
) -> None:
    member = await request_factory.member(committer)
    before = await documents(database)
    refusal = refused(await committer.commit(request_factory.event(member, "visit", programme=coffee)))
    assert refusal == Refusal(RefusalCode.NOT_FOUND, "member_not_found", ("member",))
    assert await documents(database) == before


# MongoDB's own accidents


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.usefixtures("lost_server")
async def test_without_mongodb_callers_fail_in_time(tmp_path: Path, request_factory: RequestFactory) -> None:
    server = await asyncio.to_thread(EmbeddedServer.start, tmp_path, purpose="a test", cache_gib=0.25)
    database = connect(server.url, timeout_ms=500)
    await database.prepare()
    async with Committer(database, transaction_seconds_max=1) as committer:
        members = [await request_factory.member(committer) for _ in range(3)]
        await asyncio.to_thread(server.stop)
        calls = [committer.commit(request_factory.buy(member, "1.00")) for member in members]
        async with asyncio.timeout(10):
            outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [Unavailable] * 3
    await database.close()


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.usefixtures("lost_server")
async def test_what_was_acknowledged_before_mongod_was_killed_is_there_once(
    tmp_path: Path, request_factory: RequestFactory
) -> None:
    server = await asyncio.to_thread(EmbeddedServer.start, tmp_path, purpose="a test", cache_gib=0.25)
    database = connect(server.url)
    await database.prepare()
    acknowledged: dict[str, Committed] = {}
    enough = asyncio.Event()

    async def till(member: str, number: int) -> None:
        """Send twenty-five receipts, each until it is answered."""
        for receipt in range(25):
            request = request_factory.buy(member, "1.00", key=f"{number}/{receipt}")
            while True:
                try:
                    acknowledged[request.command.cause.key] = committed(await committer.commit(request))
                except Unavailable:
                    await asyncio.sleep(0.1)
                else:
                    break
            if len(acknowledged) == 100:
                enough.set()

    async with Committer(database) as committer:
        members = [await request_factory.member(committer) for _ in range(4)]
        tills = [asyncio.create_task(till(members[number % 4], number)) for number in range(16)]
        await enough.wait()
        os.kill(server.pid, signal.SIGKILL)
        await asyncio.to_thread(server.stop)
        assert 100 <= len(acknowledged) < 400
        server = await asyncio.to_thread(EmbeddedServer.start, tmp_path, purpose="a test", cache_gib=0.25)
        async with asyncio.timeout(30):
            await asyncio.gather(*tills)
    assert len(acknowledged) == 400
    for key, outcome in acknowledged.items():
        event = await database.records.find_one({"cause.subject": "till", "cause.key": key})
        assert event is not None
        assert (event["member"], event["version"]) == (outcome.record.member, outcome.record.version)
    assert await counts(database) == (4, 404, 404)
    for member in members:
        assert await available(database, member) == 100
    await database.close()
    await asyncio.to_thread(server.stop)
