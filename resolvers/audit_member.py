"""What the audit proves of one member: its ledger and its events, and beside them its orders, holds and codes."""

from typing import Any

from pymongo.asynchronous.client_session import AsyncClientSession

from loyalty.replay import Proof
from models.codec import member_of, record_of
from models.database import Database
from resolvers.audit_order import Shopping
from resolvers.audit_supply import Reckoning
from resolvers.unreadable import Unreadable, read

SETTLE = "settle"
# Told to MongoDB: among several indexes it may take one by which every page reads the whole collection.
_ORDERS_OF_MEMBERS = [("programme", 1), ("member", 1), ("placed_at", -1), ("_id", -1)]
_CODES_OF_MEMBERS = [("member", 1)]
EVENT_FIELDS = dict.fromkeys(
    ("member", "version", "operation", "sender", "key", "orders", "hold.id", "offers", "returned"), 1
)


class MemberProof:
    """All that a member has left in the database, added up document by document."""

    def __init__(self, member: str) -> None:
        self.records = 0
        self.shopping = Shopping(member)
        self._proof = Proof(member)
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
        cause = record.cause
        if cause.operation != SETTLE:
            key = (cause.operation, cause.subject, cause.key)
            if key in self._keys:
                self._found.append(f"key {cause.key!r} was counted twice")
            self._keys[key] = record.version

    def add_event(self, event: dict[str, Any], programme: str) -> None:
        """Hold an event against the record that counted it, and the orders that it names against those there are."""
        self._has_ledger = True
        version = self._keys.pop((event["operation"], event["sender"], event["key"]), None)
        if version != event["version"]:
            self._found.append(f"event {event['key']!r} is not what version {event['version']} counted")
        outcome = read(lambda told: self.shopping.add_event(told, programme), event)
        if isinstance(outcome, Unreadable):
            self._found.append(f"event {event['key']!r} cannot be read: {outcome.reason}")

    def faults(self, document: dict[str, Any] | None, forgotten: frozenset[str]) -> list[str]:
        """Return what does not hold between a member's snapshot and all else; nothing where all holds."""
        if document is None:
            orphans = "records or events" if self._has_ledger else "orders or codes"
            return [f"there are {orphans} of a member that is not there"]
        if not self._has_ledger:
            return ["the member has no ledger"]
        counted = self._found + [f"key {key[2]!r} was counted, and its event is gone" for key in self._keys]
        member = read(member_of, document)
        if isinstance(member, Unreadable):
            return [f"the snapshot cannot be read: {member.reason}", *counted, *self.shopping.found]
        return self._proof.faults(member) + counted + self.shopping.faults(member, forgotten)


async def read_proofs(
    database: Database,
    programme: str,
    members: dict[str, Any],
    *,
    reckoning: Reckoning | None = None,
    session: AsyncClientSession | None = None,
) -> dict[str, MemberProof]:
    """Return the proof of each member that has left anything, of those whose id `members` (a filter) allows.

    What their orders and events say of shared counters is added to `reckoning`.
    """
    found: dict[str, MemberProof] = {}

    def proof(document: dict[str, Any]) -> MemberProof:
        member = document["member"]
        return found.get(member) or found.setdefault(member, MemberProof(member))

    here = {"programme": programme, "member": members}
    in_order = [("programme", 1), ("member", 1), ("version", 1)]
    async for document in database.entries.find(here, sort=in_order, session=session):
        proof(document).add_record(document)
    async for document in database.orders.find(here, hint=_ORDERS_OF_MEMBERS, session=session):
        proof(document).shopping.add_order(document)
        if reckoning is not None:
            reckoning.add_order(document)
    async for document in database.events.find(here, EVENT_FIELDS, session=session):
        proof(document).add_event(document, programme)
        if reckoning is not None:
            reckoning.add_event(document)
    async for document in database.codes.find(here, hint=_CODES_OF_MEMBERS, session=session):
        proof(document).shopping.add_code(document)
    return found
