import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta, timezone
from decimal import Decimal
from struct import iter_unpack, pack
from typing import Any

import orjson
import pytest
from support.clients.resolver_client import ResolverClient
from support.clock import Clock
from support.outcome import committed
from support.programme_files import programme_source

from loyalty.model.event import Purchase
from loyalty.model.ledger import Account, record_hash
from models.mongo.collection import Collection
from models.mongo.ledger import record_document, record_id, record_of, tier_status_document
from models.programmes.programme_store import apply_file
from resolvers.audit.audit import Findings, audit

# Edits bypass MongoDB's validators, as an administrator can.


async def lived_in(resolver_client: ResolverClient) -> list[str]:
    """Return three members with purchases, refunds, adjustments and expired points."""
    members = [await resolver_client.member(email=f"member-{number}@example.org") for number in range(3)]
    for member in members:
        await resolver_client.buy(member, "50.00")
        bought = resolver_client.key()
        await resolver_client.buy(member, "20.00", key=bought)
        await resolver_client.refund(member, bought)
        await resolver_client.adjust(member, -10)
    resolver_client.clock.advance(days=400)
    for member in members:
        await resolver_client.buy(member, "30.00")
    return sorted(members)


async def faults_of(resolver_client: ResolverClient) -> dict[str, tuple[str, ...]]:
    findings = await audit(resolver_client.services.database)
    assert findings.members_with_faults_count == len(findings.members_with_faults)
    return {broken.member: broken.faults for broken in findings.members_with_faults}


async def edit(collection: Collection, filter_: dict[str, Any], change: dict[str, Any]) -> None:
    result = await collection.update_one(filter_, change, bypass_document_validation=True)
    assert result.modified_count == 1


async def test_an_empty_database_passes(resolver_client: ResolverClient) -> None:
    assert await audit(resolver_client.services.database) == Findings()


async def test_database_with_every_kind_of_event_passes(resolver_client: ResolverClient) -> None:
    await lived_in(resolver_client)
    progress: list[tuple[int, int]] = []
    findings = await audit(
        resolver_client.services.database, on_progress=lambda done, total: progress.append((done, total))
    )
    assert (findings.members, findings.records, findings.members_with_faults) == (3, 18, [])
    assert {account: points for account, points in findings.balances.items() if points} == {
        Account.ISSUED: -240,
        Account.AVAILABLE: 90,
        Account.EXPIRED: 120,
        Account.DEDUCTED: 30,
    }
    assert progress[-1] == (3, 3)


async def test_every_programmes_members_are_audited(resolver_client: ResolverClient) -> None:
    await resolver_client.member()
    cafe = ResolverClient(
        resolver_client.services, resolver_client.clock, programme="coffee", keys=resolver_client.keys
    )
    member = await cafe.member()
    assert (await audit(resolver_client.services.database)).members == 2
    await edit(resolver_client.services.database.members, {"_id": member}, {"$set": {"balances.available": 11}})
    assert list(await faults_of(resolver_client)) == [member]


async def test_more_members_than_a_page_are_audited(resolver_client: ResolverClient) -> None:
    await asyncio.gather(*(resolver_client.member() for _ in range(205)))
    findings = await audit(resolver_client.services.database)
    assert (findings.members, findings.records, findings.members_with_faults_count) == (205, 205, 0)
    await resolver_client.services.database.records.delete_many({})
    findings = await audit(resolver_client.services.database)
    assert (findings.members, findings.members_with_faults_count, len(findings.members_with_faults)) == (205, 205, 100)
    assert {broken.faults for broken in findings.members_with_faults} == {("the member has no ledger",)}


Change = dict[str, Any] | Callable[[dict[str, Any]], dict[str, Any]]


def lots_edited(edit_cells: Callable[[list[int]], list[int]]) -> Change:
    """Return an edit of a member's packed lots: three numbers for each, the second is its points."""

    def change(document: dict[str, Any]) -> dict[str, Any]:
        cells = edit_cells([cell for (cell,) in iter_unpack("<q", document["lots"])])
        return {"$set": {"lots": pack(f"<{len(cells)}q", *cells)}}

    return change


def newest_edited(edit_rows: Callable[[list[Any]], list[Any]]) -> Change:
    """Return an edit of a member's newest entries."""
    return lambda document: {"$set": {"recent": orjson.dumps(edit_rows(orjson.loads(document["recent"])))}}


NEWEST = "the newest entries in the snapshot differ from the ledger's"
SNAPSHOT_EDITS: list[tuple[Change, str]] = [
    ({"$inc": {"entries": 1}}, "the snapshot counts 7 entries, the ledger has 6"),
    ({"$inc": {"entries": -1}}, "the snapshot counts 5 entries, the ledger has 6"),
    (newest_edited(lambda rows: rows[1:]), NEWEST),
    (newest_edited(lambda rows: rows[:-1]), NEWEST),
    (newest_edited(lambda rows: [*rows, rows[-1]]), NEWEST),
    (newest_edited(lambda rows: [[*rows[0][:4], rows[0][4] + 1, *rows[0][5:]], *rows[1:]]), NEWEST),
    (newest_edited(lambda rows: [*rows[:-1], [*rows[-1][:9], "adjust", rows[-1][10]]]), NEWEST),
    (newest_edited(lambda _rows: []), NEWEST),
    ({"$set": {"recent": b"no rows"}}, "the newest entries in the snapshot cannot be read: JSONDecodeError"),
    ({"$set": {"capped": {"basket": {"ever": 10_000}}}}, "the cap of rule 'basket': the snapshot counts 10000"),
    ({"$set": {"write_offs": [[2, 5]]}}, "the snapshot says that 5 written-off points are not made good, the ledger 0"),
    ({"$set": {"number": "000000000"}}, "no identity points from its number to it"),
    ({"$set": {"cards": ["C-1"]}}, "no identity points from its card to it"),
    ({"$set": {"profile.email": "other@example.org"}}, "no identity points from its email to it"),
    ({"$set": {"profile.phone": "+33600000000"}}, "no identity points from its phone to it"),
    ({"$unset": {"profile.email": 1}}, "an identity (email) points to it, which the member does not have"),
    ({"$inc": {"balances.available": 1}}, "balances: the snapshot says"),
    ({"$inc": {"balances.available": 1, "balances.issued": -1}}, "balances: the snapshot says"),
    (lots_edited(lambda cells: [cells[0], cells[1] + 1, *cells[2:]]), "the open lots are not those of the ledger"),
    (lots_edited(lambda cells: [*cells[3:], *cells[:3]]), "the lots are not in spending order"),
    (lots_edited(lambda cells: cells[:-1]), "cannot be read: ValueError: packed lots of"),
    ({"$set": {"lots": b"\0"}}, "cannot be read"),
    ({"$set": {"lots": []}}, "the open lots do not sum to the available balance"),
    ({"$set": {"lots": b""}}, "the open lots do not sum to the available balance"),
    ({"$inc": {"version": 1}}, "the snapshot is at version 7, the ledger at 6"),
    ({"$inc": {"version": -1}}, "the snapshot is at version 5, the ledger at 6"),
    ({"$set": {"head": "0" * 64}}, "the snapshot is chained to another record than the last one"),
    ({"$set": {"standing.tier": "gold"}}, "the snapshot's tier is not the last record's"),
    ({"$set": {"qualifying": {"2026-06-15": 7000}}}, "the qualifying days are not those of the ledger"),
    ({"$set": {"qualifying": pack("<4q", 739_700, 5, 739_600, 5)}}, "the qualifying days are not in order"),
    ({"$set": {"qualifying": bytes(16)}}, "the qualifying days are not in order"),
    ({"$set": {"qualifying": bytes(8)}}, "cannot be read: ValueError: packed days of"),
    ({"$set": {"balances.secret": 5}}, "cannot be read"),
    ({"$set": {"lots": [["no day", None, 30, 0]]}}, "cannot be read"),
    ({"$unset": {"standing": 1}}, "cannot be read"),
    ({"$set": {"programme": "coffee"}}, "the member has no ledger"),
]
RECORD_EDITS: list[tuple[int, dict[str, Any], str]] = [
    (2, {"$inc": {"entries.0.points": 1}}, "version 2 cannot be read: ValueError: the entry says 51 points"),
    (2, {"$inc": {"entries.0.postings.0.1": 1}}, "version 2 cannot be read: ValueError: unbalanced entry"),
    (
        2,
        {"$inc": {"entries.0.points": 1, "entries.0.postings.0.1": -1, "entries.0.postings.1.1": 1}},
        "version 2 does not match its own hash",
    ),
    (2, {"$inc": {"entries.0.balance": 1}}, "version 2 says a balance of 51"),
    (2, {"$set": {"cause.reason": "a favour"}}, "version 2 does not match its own hash"),
    (2, {"$set": {"cause.whim": "a favour"}}, "version 2 cannot be read"),
    (2, {"$set": {"hash": "0" * 64}}, "version 3 is not chained to the one before it"),
    (2, {"$set": {"previous_hash": "0" * 64}}, "version 2 is not chained to the one before it"),
    (6, {"$set": {"hash": "0" * 64}}, "version 6 does not match its own hash"),
    (3, {"$set": {"version": 30}}, "version 2 is followed by 30"),
    (5, {"$set": {"entries": []}}, "version 5 does not match its own hash"),
]


async def expect_found(
    resolver_client: ResolverClient, collection: Collection, filter_: dict[str, Any], change: Change, fault: str
) -> None:
    """Edit one document, check that the audit names its member with this fault, and restore it."""
    document = await collection.find_one(filter_)
    assert document is not None
    await edit(collection, {"_id": document["_id"]}, change(document) if callable(change) else change)
    faults = await faults_of(resolver_client)
    await collection.replace_one({"_id": document["_id"]}, document)
    assert list(faults) == [document.get("member", document["_id"])]
    [result] = faults.values()
    assert fault in "; ".join(result)


async def test_a_snapshot_that_was_edited_is_found(resolver_client: ResolverClient, subtests: pytest.Subtests) -> None:
    _, broken, _ = await lived_in(resolver_client)
    for change, fault in SNAPSHOT_EDITS:
        with subtests.test(f"{change} {fault}"):
            await expect_found(
                resolver_client, resolver_client.services.database.members, {"_id": broken}, change, fault
            )
    assert await faults_of(resolver_client) == {}


async def test_a_record_that_was_edited_is_found(resolver_client: ResolverClient, subtests: pytest.Subtests) -> None:
    _, broken, _ = await lived_in(resolver_client)
    for version, change, fault in RECORD_EDITS:
        with subtests.test(str(change)):
            filter_ = {"member": broken, "version": version}
            await expect_found(resolver_client, resolver_client.services.database.records, filter_, change, fault)
    assert await faults_of(resolver_client) == {}


async def test_a_snapshot_that_fell_back_to_an_earlier_version_is_found(resolver_client: ResolverClient) -> None:
    _, broken, _ = await lived_in(resolver_client)
    earlier = await resolver_client.services.database.members.find_one({"_id": broken})
    assert earlier is not None
    await resolver_client.buy(broken, "5.00")
    await resolver_client.services.database.members.replace_one({"_id": broken}, earlier)
    faults = await faults_of(resolver_client)
    assert faults[broken][0] == "the snapshot is at version 6, the ledger at 7"


@pytest.mark.parametrize(
    ("version", "fault"),
    [
        (1, "version 0 is followed by 2"),
        (3, "version 2 is followed by 4"),
        (6, "the snapshot is at version 6, the ledger at 5"),
    ],
)
async def test_a_record_that_was_removed_is_found(resolver_client: ResolverClient, version: int, fault: str) -> None:
    _, broken, _ = await lived_in(resolver_client)
    await resolver_client.services.database.records.delete_one({"member": broken, "version": version})
    faults = await faults_of(resolver_client)
    assert list(faults) == [broken]
    assert fault in faults[broken]


async def test_a_key_that_was_removed_or_edited_is_found(
    resolver_client: ResolverClient, subtests: pytest.Subtests
) -> None:
    _, broken, _ = await lived_in(resolver_client)
    records, filter_ = resolver_client.services.database.records, {"member": broken, "version": 2}
    record = await records.find_one(filter_)
    assert record is not None
    key = record["cause"]["key"]
    edits: list[tuple[dict[str, Any], str]] = [
        ({"$unset": {"key": ""}}, f"the event of key {key!r} is missing"),
        ({"$set": {"key": "another"}}, f"version 2 owns another key than that of event {key!r}"),
        ({"$set": {"waited": 1}}, f"event {key!r} does not match the record of version 1"),
    ]
    for change, fault in edits:
        with subtests.test(str(change)):
            await expect_found(resolver_client, records, filter_, change, fault)
    assert await faults_of(resolver_client) == {}


async def test_a_record_under_another_id_is_found(resolver_client: ResolverClient) -> None:
    one, two, _ = await lived_in(resolver_client)
    records = resolver_client.services.database.records
    record = await records.find_one_and_delete({"member": two, "version": 2})
    assert record is not None
    for id_, fault in (
        (record_id(two, 9), "version 2 is stored under another id"),
        (record_id(one, 9), "version 1 is followed by 3"),
    ):
        await records.insert_one({**record, "_id": id_})
        faults = await faults_of(resolver_client)
        assert list(faults) == [two]
        assert fault in faults[two]
        await records.delete_one({"_id": id_})


def kinds_of(identities: list[dict[str, Any]]) -> list[str]:
    return sorted(identity["_id"].split("/")[1] for identity in identities)


async def test_an_identity_that_was_removed_or_given_to_another_is_found(
    resolver_client: ResolverClient, subtests: pytest.Subtests
) -> None:
    fields = {"email": "lucy@example.org", "phone": "+33611223344", "card": "C 77/1"}
    one, two = await resolver_client.member(**fields), await resolver_client.member()
    identities = resolver_client.services.database.identities
    own = await identities.find({"member": one}).to_list()
    assert kinds_of(own) == ["card", "email", "number", "phone"]
    assert await faults_of(resolver_client) == {}
    for identity, kind in ((identity, identity["_id"].split("/")[1]) for identity in own):
        missing = f"no identity points from its {kind} to it"
        with subtests.test(kind):
            await identities.delete_one({"_id": identity["_id"]})
            assert await faults_of(resolver_client) == {one: (missing,)}
            await identities.insert_one({**identity, "member": two})
            assert await faults_of(resolver_client) == {
                one: (missing,),
                two: (f"an identity ({kind}) points to it, which the member does not have",),
            }
            await identities.replace_one({"_id": identity["_id"]}, identity)
    assert await faults_of(resolver_client) == {}


async def test_identity_of_a_missing_member_is_found(resolver_client: ResolverClient) -> None:
    await resolver_client.member()
    for programme in ("grocer", "gone"):
        stray = {"_id": f"{programme}/card/C-1", "programme": programme, "member": f"nobody of {programme}"}
        await resolver_client.services.database.identities.insert_one(stray)
    assert await faults_of(resolver_client) == {
        f"nobody of {programme}": ("the member does not exist, but identities of it do",)
        for programme in ("gone", "grocer")
    }


async def test_edited_cap_counter_is_found(resolver_client: ResolverClient, subtests: pytest.Subtests) -> None:
    cafe = ResolverClient(
        resolver_client.services, resolver_client.clock, programme="coffee", keys=resolver_client.keys
    )
    member = await cafe.member()
    for _ in range(3):
        committed(await cafe.record(member, cafe.purchase_event("0", type="visit", purchase=None)))
        cafe.clock.advance(days=8)
    document = await cafe.services.database.members.find_one({"_id": member})
    assert document is not None
    [(rule, spans)] = document["capped"].items()
    assert len(spans) == 3
    assert await faults_of(cafe) == {}
    [span, *_] = spans
    changes: tuple[dict[str, dict[str, Any]], ...] = (
        {"$set": {"capped": {}}},
        {"$unset": {f"capped.{rule}.{span}": 1}},
        {"$inc": {f"capped.{rule}.{span}": -1}},
        {"$inc": {f"capped.{rule}.{span}": 1}},
        {"$set": {f"capped.{rule}.2020-01-01": 1}},
    )
    for change in changes:
        with subtests.test(str(change)):
            fault = f"the cap of rule {rule!r}: the snapshot counts"
            await expect_found(cafe, cafe.services.database.members, {"_id": member}, change, fault)


async def test_caps_that_a_new_version_of_the_programme_changed_pass(resolver_client: ResolverClient) -> None:
    cafe = ResolverClient(
        resolver_client.services, resolver_client.clock, programme="coffee", keys=resolver_client.keys
    )
    member = await cafe.member()
    for per in ("day", "week", "month"):
        text = programme_source("coffee").replace("per: day", f"per: {per}").replace("cap: {points: 5, per: week}", "")
        document, _ = await apply_file(cafe.services.database, text, now=cafe.clock(), applied_by="tests")
        cafe.services.programmes.apply_version(document)
        for _ in range(2):
            committed(await cafe.record(member, cafe.purchase_event("0", type="visit", purchase=None)))
            cafe.clock.advance(days=8)
    assert await faults_of(cafe) == {}


async def test_edited_write_off_is_found(resolver_client: ResolverClient) -> None:
    cafe = ResolverClient(
        resolver_client.services, resolver_client.clock, programme="coffee", keys=resolver_client.keys
    )
    member, bought = await cafe.member(), resolver_client.key()
    purchase = Purchase(Decimal(20), "EUR")
    committed(await cafe.record(member, cafe.purchase_event("20", key=bought, purchase=purchase)))
    committed(await cafe.adjust(member, -45))
    committed(await cafe.refund(member, bought))
    document = await cafe.services.database.members.find_one({"_id": member})
    assert document is not None
    [[version, points]] = document["write_offs"]
    assert (version, points) == (4, 35)
    assert await faults_of(cafe) == {}
    for write_offs, fault in (
        ([], "the snapshot says that 0 written-off points are not made good, the ledger 35"),
        ([[4, 36]], "the snapshot says that 36 written-off points are not made good, the ledger 35"),
        ([[3, 35]], "the write-offs are not those of the ledger"),
    ):
        change = {"$set": {"write_offs": write_offs}}
        await expect_found(cafe, cafe.services.database.members, {"_id": member}, change, fault)


async def test_more_entries_than_a_snapshot_holds_pass(resolver_client: ResolverClient) -> None:
    member = await resolver_client.member()
    for _ in range(25):
        await resolver_client.buy(member, "3.00")
    assert await faults_of(resolver_client) == {}
    await edit(resolver_client.services.database.members, {"_id": member}, {"$set": {"entries": 20}})
    assert await faults_of(resolver_client) == {member: ("the snapshot counts 20 entries, the ledger has 25",)}


async def test_moments_that_came_in_another_zone_pass(resolver_client: ResolverClient) -> None:
    member = await resolver_client.member()
    at = resolver_client.clock().astimezone(timezone(timedelta(hours=5, minutes=30)))
    await resolver_client.buy(member, "3.00", occurred_at=at)
    assert await faults_of(resolver_client) == {}


async def test_a_member_that_was_removed_is_found(resolver_client: ResolverClient) -> None:
    _, broken, _ = await lived_in(resolver_client)
    await resolver_client.services.database.members.delete_one({"_id": broken})
    findings = await audit(resolver_client.services.database)
    assert [(found.member, found.number, found.faults) for found in findings.members_with_faults] == [
        (broken, "?", ("the member does not exist, but records or events of it do",))
    ]
    assert findings.members == 2


async def test_a_member_that_was_removed_with_its_ledger_leaves_its_identities(resolver_client: ResolverClient) -> None:
    member = await resolver_client.member()
    await resolver_client.services.database.members.delete_one({"_id": member})
    await resolver_client.services.database.records.delete_many({"member": member})
    assert await faults_of(resolver_client) == {member: ("the member does not exist, but identities of it do",)}


async def test_several_broken_members_are_each_named_by_number(resolver_client: ResolverClient) -> None:
    one, two, three = await lived_in(resolver_client)
    await edit(resolver_client.services.database.members, {"_id": one}, {"$inc": {"balances.available": 1}})
    await resolver_client.services.database.records.delete_one({"member": three, "version": 3})
    findings = await audit(resolver_client.services.database)
    numbers = {row["_id"]: row["number"] async for row in resolver_client.services.database.members.find({})}
    assert [(found.member, found.number) for found in findings.members_with_faults] == [
        (one, numbers[one]),
        (three, numbers[three]),
    ]
    assert (findings.members, findings.members_with_faults_count) == (3, 2)
    assert two not in {found.member for found in findings.members_with_faults}


async def test_it_passes_while_traffic_is_running(resolver_client: ResolverClient) -> None:
    bought: list[str] = []
    audits: list[Findings] = []

    async def till(member: str) -> None:
        while len(bought) < 300 or len(audits) < 6:
            bought.append(key := resolver_client.key())
            await resolver_client.buy(member, "3.00", key=key)
            if len(bought) % 3 == 0:
                await resolver_client.refund(member, key)
            if len(bought) % 10 == 0:
                await resolver_client.member()

    members = [await resolver_client.member() for _ in range(10)]
    tills = asyncio.gather(*(till(member) for member in members))
    while not tills.done():
        audits.append(await audit(resolver_client.services.database))
    await tills
    assert [findings.members_with_faults for findings in audits] == [[]] * len(audits)
    last = await audit(resolver_client.services.database)
    assert (last.members_with_faults, last.members, last.records) == (
        [],
        await resolver_client.services.database.members.count_documents({}),
        await resolver_client.services.database.records.count_documents({}),
    )


async def refunded_in_parts(resolver_client: ResolverClient) -> str:
    """Return a member with a purchase of 100 points, of which 30 by a total and 20 of a line were reversed."""
    member = await resolver_client.member()
    bought = resolver_client.purchase_event("100.00", ("a", "80.00"), ("b", "20.00"), key="parts")
    committed(await resolver_client.record(member, bought))
    await resolver_client.buy(member, "7.00", key="other")
    for back in (Purchase(Decimal("30.00"), "USD"), resolver_client.purchase_event("20.00", ("b", "20.00")).purchase):
        refund = resolver_client.purchase_event("0", type="refund", purchase=back, refund_of="parts")
        committed(await resolver_client.record(member, refund))
    return member


REFUND_EDITS: list[tuple[str, dict[str, Any], str]] = [
    ("parts", {"$set": {"returned": ["1", "1"]}}, "reversed 50 points of 'basket', its returned shares demand 100"),
    ("parts", {"$set": {"returned": ["0", "0"]}}, "reversed 50 points of 'basket', its returned shares demand 0"),
    ("other", {"$set": {"returned": ["1/2"]}}, "reversed 0 points of 'basket', its returned shares demand 3"),
    ("parts", {"$set": {"returned": ["3/2", "1"]}}, "a returned share that is not between 0 and 1"),
    ("parts", {"$set": {"returned": ["1"]}}, "other parts in its points than in its returned shares"),
    ("parts", {"$set": {"grants.0.1": [90, 20]}}, "reversed 50 points of 'basket', its returned shares demand 53"),
    ("other", {"$set": {"grants.0.1": [8]}}, "stores 8 points of 'basket', its record gave 7"),
    ("parts", {"$set": {"cause.key": "renamed"}}, "the purchase 'parts' of the refund in version 4 is missing"),
]


async def test_a_purchase_whose_refunds_were_edited_is_found(
    resolver_client: ResolverClient, subtests: pytest.Subtests
) -> None:
    member = await refunded_in_parts(resolver_client)
    records = resolver_client.services.database.records
    for key, change, fault in REFUND_EDITS:
        with subtests.test(f"{key} {change}"):
            await expect_found(resolver_client, records, {"member": member, "cause.key": key}, change, fault)
    assert await faults_of(resolver_client) == {}


async def test_a_purchase_that_an_earlier_release_refunded_is_refunded_to_the_end(
    resolver_client: ResolverClient,
) -> None:
    member = await resolver_client.member()
    lines = [(sku, "1.50") for sku in "abcd"]
    committed(await resolver_client.record(member, resolver_client.purchase_event("8.00", *lines, key="old")))
    # As the earlier release stored it: no part beyond the lines, and its points rounded down by line.
    records, filter_ = resolver_client.services.database.records, {"member": member, "cause.key": "old"}
    await edit(records, filter_, {"$set": {"grants.0.1": [2, 2, 2, 2], "returned": ["0"] * 4}})
    half = resolver_client.purchase_event(
        "0", type="refund", purchase=Purchase(Decimal("4.00"), "USD"), refund_of="old"
    )
    assert committed(await resolver_client.record(member, half)).record.entries[0].points == -4
    rest = await resolver_client.refund(member, "old")
    assert committed(rest).record.entries[0].points == -4
    assert await faults_of(resolver_client) == {}


@pytest.mark.parametrize(
    ("is_refunded", "tier", "fault"),
    [
        (False, "green", "version 2 says tier green, and the points reach silver"),
        (True, "silver", "version 3 says tier silver after a refund, and the points that are left reach green"),
    ],
)
async def test_a_tier_that_the_points_do_not_explain_is_found_though_the_chain_holds(
    resolver_client: ResolverClient, clock: Clock, is_refunded: bool, tier: str, fault: str
) -> None:
    database, member, key = resolver_client.services.database, await resolver_client.member(), resolver_client.key()
    clock.advance(minutes=2)  # every gateway has the programme now
    await resolver_client.buy(member, "1500.00", key=key)
    if is_refunded:
        committed(await resolver_client.refund(member, key))
    assert await faults_of(resolver_client) == {}
    document = await database.records.find_one({"member": member}, sort=[("version", -1)])
    assert document is not None
    honest = record_of(document)
    forged = replace(honest, tier_status=replace(honest.tier_status, tier=tier))
    forged = replace(forged, hash=record_hash(forged))
    await database.records.update_one({"_id": document["_id"]}, {"$set": record_document(forged, "grocer")})
    change = {"standing": tier_status_document(forged.tier_status), "head": forged.hash}
    await database.members.update_one({"_id": member}, {"$set": change})
    assert await faults_of(resolver_client) == {member: (fault,)}
