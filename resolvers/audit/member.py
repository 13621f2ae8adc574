"""What the audit proves of one member: its ledger and its events, and beside them its identities, orders and codes."""

from collections import deque
from collections.abc import Iterator
from datetime import date
from typing import Any

from pymongo.asynchronous.client_session import AsyncClientSession

from loyalty.model.ledger import Record
from loyalty.model.member import Member
from loyalty.rules.ledger_proof import Caps, Proof
from models.mongo.database import Database
from models.mongo.ids import identity_key
from models.mongo.ledger import record_of
from models.mongo.member import member_of
from models.mongo.snapshot import RECENT_ENTRIES, EntryView, Rows, entry_views, row_of, snapshot_of
from resolvers.audit.decode import Unreadable, read
from resolvers.audit.order import Shopping
from resolvers.audit.supply import Reckoning

SETTLE = "settle"
# Told to MongoDB: among several indexes it may take one by which every page reads the whole collection.
_ORDERS_OF_MEMBERS = [("programme", 1), ("member", 1), ("placed_at", -1), ("_id", -1)]
_OF_MEMBERS = [("member", 1)]
EVENT_FIELDS = dict.fromkeys(
    ("member", "version", "operation", "sender", "key", "orders", "hold.id", "offers", "returned", "earned_on"), 1
)


class _Newest:
    """The newest entries of a ledger, as many as a snapshot holds at the most, and how many there are in all."""

    def __init__(self) -> None:
        self._in_all = 0
        self._version = 0
        self._kept: deque[Record] = deque()
        self._kept_entries = 0

    def add(self, record: Record) -> None:
        self._version = record.version
        if not record.entries:
            return
        self._in_all += len(record.entries)
        self._kept.append(record)
        self._kept_entries += len(record.entries)
        while self._kept_entries - len(self._kept[0].entries) >= RECENT_ENTRIES:
            self._kept_entries -= len(self._kept.popleft().entries)

    def faults(self, document: dict[str, Any]) -> Iterator[str]:
        """Return what does not hold between a snapshot's newest entries, its count of all, and the ledger."""
        if document["entries"] != self._in_all:
            yield f"the snapshot counts {document['entries']} entries, the ledger has {self._in_all}"
        rows = Rows(document["recent"])
        views = [view for record in reversed(self._kept) for view in reversed(entry_views(record))]
        of_version = sum(view.version == self._version for view in views)
        if len(rows) < max(min(self._in_all, RECENT_ENTRIES), of_version) or not _same(rows, views, document):
            yield "the newest entries in the snapshot are not those of the ledger"


def _same(rows: Rows, views: list[EntryView], document: dict[str, Any]) -> bool:
    newest = views[: len(rows)]
    # Where the text is another, rows may still say the same: in an earlier form, or of a moment in another zone.
    return Rows.of(map(row_of, newest)).text == rows.text or [*snapshot_of(document).recent(first=len(rows))] == newest


class MemberProof:
    """All that a member has left in the database, added up document by document."""

    def __init__(self, programme: str, member: str, caps: Caps) -> None:
        self.records = 0
        self.shopping = Shopping(member)
        self._programme = programme
        self._proof = Proof(member, caps)
        self._newest = _Newest()
        self._identities: set[str] = set()
        self._keys: dict[tuple[str, str, str], int] = {}
        self._found: list[str] = []
        self._has_ledger = False

    def add_record(self, document: dict[str, Any]) -> None:
        """Add a record, in order of version."""
        self.records += 1
        self._has_ledger = True
        record = read(record_of, document)
        if isinstance(record, Unreadable):
            self._found.append(f"version {document['version']} cannot be read: {record.reason}")
            return
        self._proof.add(record)
        self._newest.add(record)
        cause = record.cause
        if cause.operation != SETTLE:
            key = (cause.operation, cause.subject, cause.key)
            if key in self._keys:
                self._found.append(f"key {cause.key!r} was counted twice")
            self._keys[key] = record.version

    def add_identity(self, document: dict[str, Any]) -> None:
        """Add a way to say that it is this member who is meant."""
        self._identities.add(document["_id"])

    def add_event(self, event: dict[str, Any]) -> None:
        """Hold an event against the record that counted it, and the orders that it names against those there are."""
        self._has_ledger = True
        version = self._keys.pop((event["operation"], event["sender"], event["key"]), None)
        if version != event["version"]:
            self._found.append(f"event {event['key']!r} is not what version {event['version']} counted")
        outcome = read(self._add_told, event)
        if isinstance(outcome, Unreadable):
            self._found.append(f"event {event['key']!r} cannot be read: {outcome.reason}")

    def _add_told(self, event: dict[str, Any]) -> None:
        if "earned_on" in event:
            self._proof.add_refund(event["version"], date.fromisoformat(event["earned_on"]))
        self.shopping.add_event(event, self._programme)

    def faults(self, document: dict[str, Any] | None, forgotten: frozenset[str]) -> list[str]:
        """Return what does not hold between a member's snapshot and all else; nothing where all holds."""
        if document is None:
            orphans = "records or events" if self._has_ledger else "orders or codes"
            if not self._has_ledger and self.shopping.is_empty:
                orphans = "identities"
            return [f"there are {orphans} of a member that is not there"]
        if not self._has_ledger:
            return ["the member has no ledger"]
        counted = self._found + [f"key {key[2]!r} was counted, and its event is gone" for key in self._keys]
        member = read(member_of, document)
        if isinstance(member, Unreadable):
            return [f"the snapshot cannot be read: {member.reason}", *counted, *self.shopping.found]
        newest = read(lambda snapshot: [*self._newest.faults(snapshot)], document)
        if isinstance(newest, Unreadable):
            newest = [f"the newest entries in the snapshot cannot be read: {newest.reason}"]
        return [
            *self._proof.faults(member),
            *counted,
            *newest,
            *self._identity_faults(member),
            *self.shopping.faults(member, forgotten),
        ]

    def _identity_faults(self, member: Member) -> Iterator[str]:
        """Hold what a member is found by against what it says of itself; no fault tells personal data."""
        profile = member.profile
        own = {
            identity_key(self._programme, kind, value): kind
            for kind, value in (
                ("number", member.number),
                *(("card", card) for card in member.cards),
                ("email", profile.email),
                ("phone", profile.phone),
            )
            if value
        }
        for id_ in sorted(own.keys() - self._identities):
            yield f"its {own[id_]} leads to nobody, or to somebody else"
        for id_ in sorted(self._identities - own.keys()):
            kind = id_.split("/")[1] if id_.count("/") > 1 else "unknown kind"
            yield f"it is found by something of {kind} that is not its own"


async def read_proofs(
    database: Database,
    programme: str,
    members: dict[str, Any],
    *,
    caps: Caps,
    reckoning: Reckoning | None = None,
    session: AsyncClientSession | None = None,
) -> dict[str, MemberProof]:
    """Return the proof of each member that has left anything, of those whose id `members` (a filter) allows.

    What their orders and events say of shared counters is added to `reckoning`.
    """
    found: dict[str, MemberProof] = {}

    def proof(document: dict[str, Any]) -> MemberProof:
        member = document["member"]
        return found.get(member) or found.setdefault(member, MemberProof(programme, member, caps))

    here = {"programme": programme, "member": members}
    in_order = [("programme", 1), ("member", 1), ("version", 1)]
    async for document in database.entries.find(here, sort=in_order, session=session):
        proof(document).add_record(document)
    async for document in database.orders.find(here, hint=_ORDERS_OF_MEMBERS, session=session):
        proof(document).shopping.add_order(document)
        if reckoning is not None:
            reckoning.add_order(document)
    async for document in database.events.find(here, EVENT_FIELDS, session=session):
        proof(document).add_event(document)
        if reckoning is not None:
            reckoning.add_event(document)
    async for document in database.codes.find(here, hint=_OF_MEMBERS, session=session):
        proof(document).shopping.add_code(document)
    async for document in database.identities.find(here, hint=_OF_MEMBERS, session=session):
        proof(document).add_identity(document)
    return found
