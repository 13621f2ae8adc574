"""The audit: proves on the live database that every point is accounted for. A stream, in bounded memory.

Members are read in pages by id; the ledger and the events of the same range of ids are streamed beside them. Gateways
may go on writing: a member that moved on while its page was read is read again before anything is said about it.
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from loyalty.ledger import Account
from loyalty.member import Member
from loyalty.replay import Proof
from models.codec import member_of, record_of
from models.database import Database

PAGE = 200
FAULTS_KEPT_MAX = 100
SETTLE = "settle"
_ID_MIN, _ID_MAX = "", "\uffff"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Broken:
    """A member for whom something does not hold, and what."""

    member: str
    number: str
    faults: tuple[str, ...]


@dataclass(slots=True)
class Findings:
    """What an audit found. `broken` keeps the first FAULTS_KEPT_MAX members, `broken_count` counts all."""

    members: int = 0
    records: int = 0
    balances: dict[Account, int] = field(default_factory=dict)
    broken: list[Broken] = field(default_factory=list)
    broken_count: int = 0

    def add(self, broken: Broken) -> None:
        """Note a broken member."""
        self.broken_count += 1
        if len(self.broken) < FAULTS_KEPT_MAX:
            self.broken.append(broken)


async def audit(
    database: Database, *, on_progress: Callable[[int, int], None] = lambda _done, _total: None
) -> Findings:
    """Prove, for every member: conservation, lots = balance, a record for each version, the hash chain, events once.

    `on_progress` is told how many members are done, and of about how many.
    """
    findings = Findings()
    total = await database.members.estimated_document_count()
    for programme in await _programmes(database):
        last = _ID_MIN
        while True:
            page = await database.members.find(
                {"programme": programme, "_id": {"$gt": last}}, sort=[("_id", 1)], limit=PAGE
            ).to_list()
            first, last = last, page[-1]["_id"] if page else _ID_MAX
            await _audit_page(database, programme, page, (first, last), findings)
            on_progress(findings.members, max(total, findings.members))
            if not page:
                break
    return findings


async def _programmes(database: Database) -> list[str]:
    """Return every programme that has a member, a record or an event: a lost member must not hide what it left."""
    keys: set[str] = set()
    for collection in (database.members, database.entries, database.events):
        keys.update(await collection.distinct("programme"))
    return sorted(keys)


async def _audit_page(
    database: Database, programme: str, page: list[dict[str, Any]], ids: tuple[str, str], findings: Findings
) -> None:
    members = {document["_id"]: document for document in page}
    found: dict[str, _Ledger] = {}
    async for ledger in _ledgers(database, programme, ids):
        found[ledger.proof.member] = ledger
        findings.records += ledger.records
    async for event in _events(database, programme, ids):
        found.setdefault(event["member"], _Ledger(event["member"])).count(event)
    for id_ in sorted(members.keys() | found.keys()):
        faults = await _faults(database, programme, id_, members.get(id_), found.get(id_))
        document = members.get(id_)
        if faults:
            findings.add(Broken(id_, document["number"] if document else "?", tuple(faults)))
        if document is not None:
            findings.members += 1
            member = _read(member_of, document)
            for account, points in member.balances.items() if isinstance(member, Member) else ():
                findings.balances[account] = findings.balances.get(account, 0) + points


class _Ledger:
    """The ledger of one member as the audit streams by: its proof, and which keys its records say were counted."""

    def __init__(self, member: str) -> None:
        self.proof = Proof(member)
        self.records = 0
        self.keys: dict[tuple[str, str, str], int] = {}
        self.faults: list[str] = []

    def add(self, document: dict[str, Any]) -> None:
        """Add a record."""
        self.records += 1
        record = _read(record_of, document)
        if isinstance(record, _Unreadable):
            self.faults.append(f"version {document['version']} cannot be read: {record.reason}")
            return
        self.proof.add(record)
        cause = record.cause
        if cause.operation != SETTLE:
            key = (cause.operation, cause.subject, cause.key)
            if key in self.keys:
                self.faults.append(f"key {cause.key!r} was counted twice")
            self.keys[key] = record.version

    def count(self, event: dict[str, Any]) -> None:
        """Hold an event against the record that counted it."""
        version = self.keys.pop((event["operation"], event["sender"], event["key"]), None)
        if version != event["version"]:
            self.faults.append(f"event {event['key']!r} is not what version {event['version']} counted")

    def all_faults(self) -> list[str]:
        """Return what is wrong between records and events."""
        return self.faults + [f"key {key[2]!r} was counted, and its event is gone" for key in self.keys]


async def _ledgers(database: Database, programme: str, ids: tuple[str, str]) -> AsyncIterator[_Ledger]:
    """Tell the ledger of each member of a range, record by record."""
    cursor = database.entries.find(
        {"programme": programme, "member": {"$gt": ids[0], "$lte": ids[1]}},
        sort=[("programme", 1), ("member", 1), ("version", 1)],
    )
    ledger: _Ledger | None = None
    async for document in cursor:
        if ledger is None or ledger.proof.member != document["member"]:
            if ledger is not None:
                yield ledger
            ledger = _Ledger(document["member"])
        ledger.add(document)
    if ledger is not None:
        yield ledger


async def _events(database: Database, programme: str, ids: tuple[str, str]) -> AsyncIterator[dict[str, Any]]:
    cursor = database.events.find(
        {"programme": programme, "member": {"$gt": ids[0], "$lte": ids[1]}},
        {"member": 1, "version": 1, "operation": 1, "sender": 1, "key": 1},
    )
    async for document in cursor:
        yield document


async def _faults(
    database: Database, programme: str, id_: str, document: dict[str, Any] | None, ledger: _Ledger | None
) -> list[str]:
    """Return what does not hold for one member; one that moved on while it was read is read again, at one moment."""
    faults = _compared(document, ledger)
    if not faults:
        return []
    again: _Ledger | None = None
    of_member = {"programme": programme, "member": id_}
    async with database.client.start_session(snapshot=True) as session:
        document = await database.members.find_one({"_id": id_}, session=session)
        async for row in database.entries.find(of_member, sort=[("version", 1)], session=session):
            again = again or _Ledger(id_)
            again.add(row)
        async for event in database.events.find(of_member, session=session):
            again = again or _Ledger(id_)
            again.count(event)
    return _compared(document, again)


def _compared(document: dict[str, Any] | None, ledger: _Ledger | None) -> list[str]:
    if document is None:
        return ["there are records or events of a member that is not there"]
    if ledger is None:
        return ["the member has no ledger"]
    member = _read(member_of, document)
    if isinstance(member, _Unreadable):
        return [f"the snapshot cannot be read: {member.reason}", *ledger.all_faults()]
    return ledger.proof.faults(member) + ledger.all_faults()


@dataclass(frozen=True, slots=True)
class _Unreadable:
    """A document that is no longer what the code writes, and why."""

    reason: str


def _read(of: Callable[[dict[str, Any]], T], document: dict[str, Any]) -> T | _Unreadable:
    """Return the value of a document. That it has none is a finding like any other, and does not end the audit."""
    try:
        return of(document)
    except Exception as error:  # noqa: BLE001 - whatever was done to the document
        return _Unreadable(f"{type(error).__name__}: {error}")
