"""Commands of several members, through the committers of two processes: both or neither, once, in order."""

import asyncio
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from random import Random

import pytest
from bson import ObjectId
from pymongo.errors import OperationFailure, PyMongoError
from support.catalogue import reward
from support.clients.request_factory import RequestFactory
from support.clients.several_member_requests import SeveralMemberRequests
from support.documents import documents
from support.member_scenario import ledger_faults
from support.outcome import committed, refused

from loyalty.kernel.refusal import Refusal, RefusalCode
from loyalty.model.catalogue import Catalogue
from loyalty.model.ledger import RecordRef
from loyalty.model.programme import Programme
from models.commits.committer import Committer, Unavailable
from models.commits.request import Committed, Outcome, Request
from models.mongo.database import Database
from models.mongo.ledger import record_id, record_of
from models.mongo.member import member_of
from models.mongo.snapshot import snapshot_of


@pytest.fixture
def request_factory(request_factory: RequestFactory) -> RequestFactory:
    shelf = Catalogue([], [reward("mug", 10, stock=3)])
    return replace(request_factory, programme=replace(request_factory.programme, catalogue=shelf))


@pytest.fixture
def several_member_requests(request_factory: RequestFactory) -> SeveralMemberRequests:
    return SeveralMemberRequests(request_factory)


async def members(request_factory: RequestFactory, committer: Committer, *points: int) -> list[str]:
    """Enrol members with this many points each."""
    made = [await request_factory.member(committer) for _ in points]
    await asyncio.gather(
        *(
            committer.commit(request_factory.adjust(member, given))
            for member, given in zip(made, points, strict=True)
            if given
        )
    )
    return made


async def available(database: Database, *ids: str) -> list[int]:
    found = {document["_id"]: member_of(document) async for document in database.members.find({"_id": {"$in": [*ids]}})}
    return [found[id_].available for id_ in ids]


async def expect_proved(database: Database, *ids: str) -> None:
    """See that every member is what its hash-chained ledger says, and that no record's command is missing."""
    for id_ in ids:
        document = await database.members.find_one({"_id": id_})
        assert document is not None
        records = [record_of(row) for row in await database.records.find({"member": id_}).sort("version").to_list()]
        assert ledger_faults(records, snapshot_of(document).member) == []
        for record in records:
            if record.command is not None:
                first = await database.records.find_one(
                    {"_id": record_id(record.command.member, record.command.version)}
                )
                assert first is not None
                assert record_of(first).cause == record.cause


async def test_both_members_are_written_in_one_transaction_and_the_second_names_the_first(
    database: Database,
    committer: Committer,
    request_factory: RequestFactory,
    several_member_requests: SeveralMemberRequests,
) -> None:
    giver, taker = await members(request_factory, committer, 10, 0)
    outcome = committed(await committer.commit(several_member_requests.passing(giver, taker, points=4, key="once")))
    [other] = outcome.others
    assert (outcome.record.member, outcome.record.version, outcome.record.command) == (giver, 3, None)
    assert (other.record.member, other.record.version, other.record.command) == (taker, 2, RecordRef(giver, 3))
    assert (outcome.snapshot.member.available, other.snapshot.member.available) == (6, 4)
    assert await available(database, giver, taker) == [6, 4]
    stored = await database.records.find_one({"_id": record_id(taker, 2)})
    assert stored is not None
    assert stored["command"] == {"member": giver, "version": 3}
    assert record_of(stored) == other.record
    assert "command" not in (await database.records.find_one({"_id": record_id(giver, 3)}) or {"command"})
    event = await database.records.find_one({"cause.key": "once"})
    assert event is not None
    assert (event["member"], event["version"], event["others"]) == (giver, 3, [[taker, 2, []]])
    await expect_proved(database, giver, taker)


async def test_a_refusal_by_the_state_of_either_member_changes_neither(
    database: Database,
    committer: Committer,
    request_factory: RequestFactory,
    several_member_requests: SeveralMemberRequests,
    coffee: Programme,
) -> None:
    giver, full = await members(request_factory, committer, 10, 999_999)
    stranger = committed(await committer.commit(request_factory.enrol(programme=coffee))).snapshot.member.id
    before = await documents(database)
    refusals = [
        (
            several_member_requests.passing(giver, full, points=11),
            RefusalCode.INSUFFICIENT_POINTS,
            "insufficient_points",
            ("points",),
        ),
        (several_member_requests.passing(giver, full, points=2), RefusalCode.LIMIT_REACHED, "received_max", ("to",)),
        (several_member_requests.passing(giver, giver), RefusalCode.INVALID, "same_member", ("to",)),
        (several_member_requests.passing(giver, "nobody"), RefusalCode.NOT_FOUND, "member_not_found", ("to",)),
        (several_member_requests.passing(giver, stranger), RefusalCode.NOT_FOUND, "member_not_found", ("to",)),
        (several_member_requests.passing("nobody", giver), RefusalCode.NOT_FOUND, "member_not_found", ("member",)),
    ]
    for request, *expected in refusals:
        refusal = refused(await committer.commit(request))
        assert [refusal.code, refusal.reason, refusal.path] == expected
    assert await documents(database) == before


async def test_a_replayed_key_gives_the_first_answer_for_both_and_another_content_is_refused(
    database: Database,
    committer: Committer,
    other_committer: Committer,
    request_factory: RequestFactory,
    several_member_requests: SeveralMemberRequests,
) -> None:
    giver, taker = await members(request_factory, committer, 10, 0)
    first = committed(await committer.commit(several_member_requests.passing(giver, taker, points=4, key="once")))
    await committer.commit(request_factory.adjust(taker, 100))
    before = await documents(database)
    for process in (committer, other_committer):
        again = committed(await process.commit(several_member_requests.passing(giver, taker, points=4, key="once")))
        assert (again.replayed, again.others[0].replayed) == (True, True)
        assert (again.record, again.others[0].record) == (first.record, first.others[0].record)
        # The members are shown as they are now: a channel never sees an older version than before.
        assert (again.snapshot.version, again.others[0].snapshot.version) == (3, 3)
        reused = refused(await process.commit(several_member_requests.passing(giver, taker, points=5, key="once")))
        assert reused == Refusal(RefusalCode.KEY_REUSED, "key_reused", ("key",), {"key": "once"})
    assert await documents(database) == before


async def test_a_key_sent_thirty_times_at_once_to_two_processes_counts_once(
    database: Database,
    committer: Committer,
    other_committer: Committer,
    request_factory: RequestFactory,
    several_member_requests: SeveralMemberRequests,
) -> None:
    giver, taker = await members(request_factory, committer, 10, 0)
    sends = [several_member_requests.passing(giver, taker, points=4, key="once") for _ in range(30)]
    outcomes = await in_turns(sends, committer, other_committer)
    assert sorted(committed(outcome).replayed for outcome in outcomes) == [False] + [True] * 29
    assert len({committed(outcome).others[0].record.hash for outcome in outcomes}) == 1
    assert await available(database, giver, taker) == [6, 4]


async def in_turns(requests: list[Request], *committers: Committer) -> list[Outcome]:
    turns = [committers[place % len(committers)] for place in range(len(requests))]
    async with asyncio.timeout(120):
        return await asyncio.gather(*(turn.commit(one) for turn, one in zip(turns, requests, strict=True)))


async def test_two_members_pass_points_to_each_other_at_once_two_hundred_times(
    database: Database,
    committer: Committer,
    other_committer: Committer,
    request_factory: RequestFactory,
    several_member_requests: SeveralMemberRequests,
) -> None:
    one, two = await members(request_factory, committer, 5, 5)
    for turn in range(200):
        # Each process needs the member that the other process changes.
        pair = [several_member_requests.passing(one, two), several_member_requests.passing(two, one)]
        outcomes = await in_turns(pair, committer, other_committer)
        versions = [
            {part.record.member: part.record.version for part in (outcome, *outcome.others)}
            for outcome in map(committed, outcomes)
        ]
        assert sorted(version[one] for version in versions) == [2 * turn + 3, 2 * turn + 4]
        assert [version[one] for version in versions] == [version[two] for version in versions]
    assert await available(database, one, two) == [5, 5]
    await expect_proved(database, one, two)


async def test_four_hundred_commands_of_two_members_wait_in_line_in_two_processes(
    database: Database,
    committer: Committer,
    other_committer: Committer,
    request_factory: RequestFactory,
    several_member_requests: SeveralMemberRequests,
) -> None:
    one, two = await members(request_factory, committer, 500, 500)
    requests = [several_member_requests.passing(*pair) for _ in range(200) for pair in ((one, two), (two, one))]
    outcomes = [committed(outcome) for outcome in await in_turns(requests, committer, other_committer)]
    for own in (outcomes[::2], outcomes[1::2]):
        versions = [outcome.record.version for outcome in own]
        assert versions == sorted(versions)
    of_one = [part.record for outcome in outcomes for part in (outcome, *outcome.others) if part.record.member == one]
    assert sorted(record.version for record in of_one) == [*range(3, 403)]
    assert await available(database, one, two) == [500, 500]
    await expect_proved(database, one, two)


async def test_a_crowd_passes_points_around_between_its_purchases(
    database: Database,
    committer: Committer,
    other_committer: Committer,
    request_factory: RequestFactory,
    several_member_requests: SeveralMemberRequests,
) -> None:
    crowd = await members(request_factory, committer, *[50] * 8)
    chance = Random(7)  # noqa: S311 - the same crowd every time
    requests: list[Request] = []
    for number in range(240):
        giver, *takers = chance.sample(crowd, 2 + number % 2)
        requests.append(
            request_factory.buy(giver, "1.00") if number % 4 == 0 else several_member_requests.passing(giver, *takers)
        )
    outcomes = await in_turns(requests, committer, other_committer)
    bought = sum(isinstance(outcome, Committed) and not outcome.others for outcome in outcomes)
    assert bought == 60
    assert sum(await available(database, *crowd)) == 8 * 50 + bought
    for own in (0, 1):
        last = Counter[str]()
        for outcome in outcomes[own::2]:
            for part in (outcome, *outcome.others) if isinstance(outcome, Committed) else ():
                assert part.record.version > last[part.record.member]
                last[part.record.member] = part.record.version
    await expect_proved(database, *crowd)


async def test_a_transaction_that_is_killed_commits_both_or_neither_and_a_retry_counts_once(
    database: Database,
    committer: Committer,
    other_committer: Committer,
    request_factory: RequestFactory,
    several_member_requests: SeveralMemberRequests,
) -> None:
    one, two = await members(request_factory, committer, 500, 500)
    aborted = await _aborted(database)
    killing = asyncio.create_task(_kill_transactions(database))
    requests = [several_member_requests.passing(*pair) for _ in range(60) for pair in ((one, two), (two, one))]

    async def until_answered(process: Committer, request: Request) -> Outcome:
        while True:
            try:
                return await process.commit(request)
            except (OperationFailure, Unavailable):  # the caller sends it again with the same key
                await asyncio.sleep(0.01)

    processes = (committer, other_committer)
    async with asyncio.timeout(120):
        outcomes = await asyncio.gather(
            *(until_answered(processes[place % 2], request) for place, request in enumerate(requests))
        )
    killing.cancel()
    assert await _aborted(database) > aborted
    assert [type(outcome) for outcome in outcomes] == [Committed] * 120
    assert await available(database, one, two) == [500, 500]
    assert await database.records.count_documents({"key": {"$regex": "^grocer/pass-points/"}}) == 120
    assert await database.records.count_documents({"command": {"$exists": True}}) == 120
    await expect_proved(database, one, two)


async def _aborted(database: Database) -> int:
    status = await database.client.admin.command("serverStatus")
    return int(status["transactions"]["totalAborted"])


async def _kill_transactions(database: Database) -> None:
    """Kill every session again and again, as an operator or a failover does."""
    while True:
        with suppress(PyMongoError):
            await database.client.admin.command("killAllSessions", [])
        await asyncio.sleep(0.02)


async def test_a_fault_of_one_document_leaves_no_part_of_the_command_behind(
    database: Database,
    committer: Committer,
    request_factory: RequestFactory,
    several_member_requests: SeveralMemberRequests,
) -> None:
    giver, taker, broken = await members(request_factory, committer, 10, 0, 0)
    await database.members.update_one({"_id": broken}, {"$set": {"lots": [["not a day", None, 1, 0]]}})
    before = await documents(database)
    faulty, good = (
        committer.submit(several_member_requests.passing(giver, broken)),
        committer.submit(several_member_requests.passing(giver, taker)),
    )
    with pytest.raises(ValueError, match="not a day"):
        await faulty
    assert committed(await good).record.version == 3
    after = await documents(database)
    assert len(after["entries"]) == len(before["entries"]) + 2
    assert [row for row in after["members"] if row["_id"] == broken] == [
        row for row in before["members"] if row["_id"] == broken
    ]


async def test_orders_of_both_members_are_made_replayed_and_refused_together(
    database: Database,
    committer: Committer,
    request_factory: RequestFactory,
    several_member_requests: SeveralMemberRequests,
) -> None:
    giver, taker = await members(request_factory, committer, 0, 0)
    first = committed(await committer.commit(several_member_requests.giving(giver, taker, "mug", key="gift")))
    orders = [part.orders[0] for part in (first, *first.others)]
    assert [order.member for order in orders] == [giver, taker]
    again = committed(await committer.commit(several_member_requests.giving(giver, taker, "mug", key="gift")))
    assert [part.orders for part in (again, *again.others)] == [(order,) for order in orders]
    assert refused(await committer.commit(several_member_requests.giving(giver, taker, "mug"))).reason == "out_of_stock"
    assert await database.orders.count_documents({}) == 2


async def test_a_command_may_create_its_first_member_and_change_another(
    database: Database,
    committer: Committer,
    request_factory: RequestFactory,
    several_member_requests: SeveralMemberRequests,
) -> None:
    [referrer] = await members(request_factory, committer, 0)
    newcomer = str(ObjectId())
    outcome = committed(await committer.commit(several_member_requests.referring(referrer, newcomer)))
    assert (outcome.record.member, outcome.record.version) == (newcomer, 1)
    assert outcome.others[0].record.command == RecordRef(newcomer, 1)
    assert await available(database, newcomer, referrer) == [0, 5]
    assert await database.identities.count_documents({"member": newcomer}) == 1
    missing = refused(await committer.commit(several_member_requests.referring("nobody", str(ObjectId()))))
    assert (missing.reason, missing.path) == ("member_not_found", ("referrer",))
    assert await database.members.count_documents({}) == 2
    await expect_proved(database, newcomer, referrer)
