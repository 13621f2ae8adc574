"""References: the purchases that a group's commands refer to, of their own sender or of another.

A reference without a sender is open: it may lead to a purchase of any sender that the caller may refer to. Its own
sender's purchase is read with the commands' keys, those of others are found by the key.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from pymongo.asynchronous.client_session import AsyncClientSession

from loyalty.commands.registry import EVENT_OPERATION
from loyalty.model.event import PURCHASE, RecordedEvent
from loyalty.model.facts import Facts
from loyalty.model.references.senders import ReferenceFault, Senders, resolve
from loyalty.model.references.waiting import WAITING_PER_PROGRAMME_MAX, WAITING_PER_SENDER_MAX
from models.commits.request import Request
from models.mongo.bson import Document
from models.mongo.database import Database
from models.mongo.event import COUNTED_PURCHASE, counted_event_of, is_counted, is_unconfirmed, waiting_in
from models.mongo.uncancelled import uncancelled

# A key that this many senders have used identifies no purchase.
SENDERS_OF_KEY_MAX = 10_000

Referred = RecordedEvent | ReferenceFault | None


@dataclass(frozen=True, slots=True)
class _OpenReference:
    """A reference by key alone: the programme, the sender that refers, the key, and the member that it is for."""

    programme: str
    sender: str
    key: str
    member: str

    @classmethod
    def of(cls, request: Request) -> "_OpenReference | None":
        """Return the open reference of a request, or None."""
        if request.open_reference is None:
            return None
        sender, key = request.open_reference
        return cls(request.programme.key, sender, key, request.member)


@dataclass(frozen=True, slots=True)
class _Found:
    """An event under the key of a reference, as `resolve()` judges it."""

    sender: str
    member: str
    type: str
    document: Document


class References:
    """What the references of some requests lead to; `events` are the documents that were read, by key."""

    def __init__(self, database: Database, events: dict[str, Document], session: AsyncClientSession | None) -> None:
        self._db, self._events, self._session = database, events, session
        # By programme and key, the events that an open reference may lead to.
        self._under: dict[tuple[str, str], set[str]] = {}
        self._of_other_members: set[_OpenReference] = set()
        # By programme and sender, how many events of the sender and of the programme wait.
        self._waiting: dict[tuple[str, str], tuple[int, int]] = {}

    async def read(self, requests: Iterable[Request]) -> None:
        """Read what the references of requests lead to, after the events under the requests' own keys."""
        referring = [request for request in requests if request.purchase_key is not None]
        opened = [(request, one) for request in referring if (one := _OpenReference.of(request)) is not None]
        for request, one in opened:
            ids = self._under.setdefault((one.programme, one.key), set())
            if request.purchase_key in self._events:
                ids.add(request.purchase_key)
        await self._read_purchases(opened)
        for request, one in opened:
            senders = request.programme.senders
            if self.referred(request) is None and await self._is_of_other_member(one, senders):
                self._of_other_members.add(one)
        for request in referring:
            sender = (request.programme.key, request.command.cause.subject)
            if sender not in self._waiting and self.referred(request) is None:
                self._waiting[sender] = await self._count_waiting(*sender)

    async def _read_purchases(self, opened: Iterable[tuple[Request, _OpenReference]]) -> None:
        """Read the purchases of the references' members under their keys, of every sender."""
        wanted = [
            {"cause.key": one.key, "member": one.member, "type": PURCHASE, "programme": one.programme}
            for request, one in opened
            if self.referred(request) is None or request.programme.senders.refers_to_others(one.sender)
        ]
        if not wanted:
            return
        async for document in self._db.records.find({"$or": wanted}, session=self._session):
            self._events.setdefault(document["key"], document)
            self._under[document["programme"], document["cause"]["key"]].add(document["key"])

    async def _is_of_other_member(self, reference: _OpenReference, senders: Senders) -> bool:
        """Return whether a sender that may be referred to has a purchase of another member under the key."""
        if not senders.refers_to_others(reference.sender):
            return False
        query = {"cause.key": reference.key, "programme": reference.programme, **COUNTED_PURCHASE}
        fields = {"cause.subject": 1, "member": 1}
        found = self._db.records.find(query, fields, limit=SENDERS_OF_KEY_MAX, session=self._session)
        async for document in found:
            sender = document["cause"]["subject"]
            if document["member"] != reference.member and senders.may_refer(reference.sender, sender):
                return True
        return False

    async def _count_waiting(self, programme: str, sender: str) -> tuple[int, int]:
        """Return how many events of a sender, and of the programme, wait; both up to their limits."""
        waiting = waiting_in(programme)
        count, of_sender = self._db.records.count_documents, {**waiting, "cause.subject": sender}
        return (
            await count(of_sender, limit=WAITING_PER_SENDER_MAX, session=self._session),
            await count(waiting, limit=WAITING_PER_PROGRAMME_MAX, session=self._session),
        )

    def referred(self, request: Request) -> Referred:
        """Return the purchase that a command refers to, or why it refers to none; None if it may still come."""
        named = self._events.get(request.purchase_key) if request.purchase_key is not None else None
        opened = _OpenReference.of(request)
        if opened is None:
            return _event_of(named)
        ids = self._under.get((opened.programme, opened.key), ())
        found = _resolved(opened, [self._events[id_] for id_ in ids], request.programme.senders)
        if found is ReferenceFault.REFUSED and named is not None:
            return _event_of(named)  # the command says what is wrong with it
        return ReferenceFault.REFUSED if found is None and opened in self._of_other_members else found

    def added_to(self, facts: Facts, request: Request) -> Facts:
        """Return the facts of a command with what its reference leads to."""
        found = self.referred(request)
        of_sender, of_all = self.waiting(request)
        return replace(
            facts,
            purchase=found if isinstance(found, RecordedEvent) else None,
            reference_fault=found if isinstance(found, ReferenceFault) else None,
            sender_waiting=of_sender,
            programme_waiting=of_all,
        )

    def waiting(self, request: Request) -> tuple[int, int]:
        """Return how many events of a request's sender, and of its programme, wait."""
        return self._waiting.get((request.programme.key, request.command.cause.subject), (0, 0))

    def add(self, request: Request, id_: str, *, waits: bool) -> None:
        """Add an event that an earlier command of the group has recorded."""
        cause = request.command.cause
        if (under := self._under.get((request.programme.key, cause.key))) is not None:
            under.add(id_)
        if waits:
            of_sender, of_all = self.waiting(request)
            self._waiting[request.programme.key, cause.subject] = (of_sender + 1, of_all + 1)


@uncancelled
async def references_of(database: Database, request: Request) -> References:
    """Return what the reference of one request leads to now, outside of a transaction."""
    key = request.purchase_key
    document = await database.records.find_one({"key": key}) if key is not None else None
    references = References(database, {document["key"]: document} if document is not None else {}, None)
    await references.read([request])
    return references


def _event_of(document: Document | None) -> Referred:
    if document is None:
        return None
    return counted_event_of(document) if is_counted(document) else ReferenceFault.REFUSED


def _resolved(reference: _OpenReference, documents: Iterable[Document], senders: Senders) -> Referred:
    found = [
        _Found(one["cause"]["subject"], one["member"], one["type"], one)
        for one in documents
        if one["cause"]["operation"] == EVENT_OPERATION and is_counted(one)
    ]
    claims = [one for one in found if is_unconfirmed(one.document)]
    purchase = resolve([one for one in found if one not in claims], reference.sender, reference.member, senders)
    if purchase is None and claims:
        # Only if no purchase is meant; a claim of another member stops nothing.
        own = [one for one in claims if one.member == reference.member]
        purchase = resolve(own, reference.sender, reference.member, senders)
    return counted_event_of(purchase.document) if isinstance(purchase, _Found) else purchase
