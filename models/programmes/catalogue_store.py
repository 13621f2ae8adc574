"""Stores the offers, rewards and contents that change without a release; every version is kept for ever.

Changes of one programme's catalogue are serialised in turns: each transaction increments the programme's turn number,
so that of two concurrent ones the second conflicts and restarts from a fresh read. So no two offers get the same code,
and a process that has seen a turn has seen all turns before it. Managers make few changes; imports store many
definitions per turn.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from collections.abc import Collection as Some
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar

from pymongo import ReturnDocument
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import DuplicateKeyError

from loyalty.kernel.digest import content_digest
from loyalty.kernel.refusal import Refusal, RefusalCode
from loyalty.model.catalogue import Catalogue, code_lookup_key
from loyalty.model.offer import Offer
from loyalty.model.programme import Programme
from loyalty.model.reward import Reward
from models.definitions.author_error import DefinitionError, InvalidDefinition
from models.definitions.catalogue_file import CatalogueItem, Definition, ItemKind, parse_definition, parse_stored
from models.mongo.bson import Document
from models.mongo.database import Database
from models.mongo.ids import joined_id
from models.mongo.supply import pools_with_codes

TURN_ATTEMPTS = 5
TURN_SECONDS_MAX = 8.0
IMPORT_BATCH = 500
FAULTS_REPORTED_MAX = 100

# MongoDB reads only the first index entry of each item, however many versions it has (a distinct scan).
NEWEST_VERSIONS: list[Mapping[str, Any]] = [
    {"$sort": {"item": 1, "version": -1}},
    {"$group": {"_id": "$item", "newest": {"$first": "$$ROOT"}}},
    {"$replaceRoot": {"newRoot": "$newest"}},
]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class StoredItem:
    """The stored item and its version; `replayed` if the key had been used before and nothing changed."""

    kind: ItemKind
    item: CatalogueItem
    version: int
    retired: bool = False
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class ImportResult:
    """How many definitions of an import were stored as a new version, and how many equal the stored one."""

    new_count: int
    unchanged_count: int


@dataclass(frozen=True, slots=True)
class _ChangeRequest:
    """The idempotency of a change: the stored id of its key, the key itself, and the digest of its content."""

    id: str
    key: str
    digest: str


@dataclass(frozen=True, slots=True)
class CodeOwner:
    """Who has a code: `kind` is offer or pool, `name` the key of the offer or the name of the pool."""

    kind: str
    name: str

    def fault(self, code: str) -> str:
        """Return what is wrong with another offer that has the code, for the author of a file."""
        return f"{self.kind} {self.name!r} already uses code {code.rstrip('-')!r}; choose another code"

    def refusal(self, code: str) -> Refusal:
        """Return the refusal of another offer that has the code."""
        path, shown, name = ("definition", "code"), code.rstrip("-"), self.name
        if self.kind == "pool":
            return Refusal(RefusalCode.ALREADY_EXISTS, "code_in_pool", path, {"code": shown, "other": name})
        return Refusal(RefusalCode.ALREADY_EXISTS, "code_in_offer", path, {"code": shown, "offer": name, "other": name})


class _Refused(Exception):  # noqa: N818 - caught in this module
    """Carries a refusal out of a transaction, and aborts it."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.reason)
        self.refusal = refusal


def item_id(programme: str, kind: ItemKind, key: str) -> str:
    """Return the id of an offer, a reward or a content, without its version."""
    return joined_id(programme, kind.value, key)


def is_in_file(catalogue: Catalogue, kind: ItemKind, key: str) -> bool:
    """Return whether the programme file defines the item."""
    own = {
        ItemKind.OFFER: catalogue.file_offers,
        ItemKind.REWARD: catalogue.file_rewards,
        ItemKind.CONTENT: catalogue.file_contents,
    }
    return key in own[kind]


async def _next_turn(database: Database, programme: str, session: AsyncClientSession) -> int:
    """Return the next turn of a programme. A transaction that read before another one's turn conflicts and restarts."""
    mark: Document | None = await database.marks.find_one_and_update(
        {"_id": f"catalogue/{programme}"},
        {"$inc": {"turn": 1}},
        upsert=True,
        return_document=ReturnDocument.AFTER,
        session=session,
    )
    return mark["turn"] if mark else 1


async def _transact(database: Database, body: Callable[[AsyncClientSession], Awaitable[T]]) -> T | Refusal:
    """Run `body` in a transaction; a refusal from it aborts it and is returned."""
    for attempt in range(1, TURN_ATTEMPTS + 1):
        try:
            return await database.transact(body, seconds_max=TURN_SECONDS_MAX)
        except _Refused as refused:
            return refused.refusal
        except DuplicateKeyError:  # two transactions created the programme's turn number at once
            if attempt == TURN_ATTEMPTS:
                raise
    raise AssertionError("unreachable: the last attempt returns or raises")


async def put(
    database: Database,
    programme: Programme,
    kind: ItemKind,
    definition: Mapping[str, Any],
    *,
    request: str,
    now: datetime,
    changed_by: str,
) -> StoredItem | Refusal:
    """Store a definition as the next version of its offer, reward or content.

    `request` is the caller's idempotency key, unique for each `changed_by` (role and subject), for ever. Refused are a
    key that was used with another content, an item that the programme file defines, and a code of another offer.

    Raises:
        InvalidDefinition: lists every error found.
    """
    defined = parse_definition(kind, definition, programme)
    sent = _ChangeRequest(joined_id(programme.key, changed_by, request), request, defined.digest)

    async def act(session: AsyncClientSession) -> StoredItem:
        replayed = await _replayed(database, programme, sent, session)
        if replayed is not None:
            return replayed
        if defined.faults:
            raise InvalidDefinition(list(defined.faults))
        if is_in_file(programme.catalogue, kind, defined.item.key):
            raise _Refused(_in_file(defined.item.key))
        newest = await _newest_of(database, [item_id(programme.key, kind, defined.item.key)], session)
        owners = await _code_owners(database, programme, [defined], session)
        if owners:
            [(code, owner)] = owners.items()
            raise _Refused(owner.refusal(code))
        version = max((found["version"] for found in newest.values()), default=0) + 1
        turn = await _next_turn(database, programme.key, session)
        document = _document(programme.key, defined, version=version, turn=turn, now=now, changed_by=changed_by)
        await database.catalogue.insert_one({**document, "request": sent.id}, session=session)
        item = parse_stored(kind, defined.content, programme, version=version)
        return StoredItem(kind, item, version)

    return await _transact(database, act)


async def retire(
    database: Database,
    programme: Programme,
    kind: ItemKind,
    key: str,
    *,
    request: str,
    now: datetime,
    changed_by: str,
) -> StoredItem | Refusal:
    """Remove an offer, a reward or a content from the catalogue: store a next version that is marked as retired.

    Refused are an item that the programme file defines, and one that is not stored or is retired already.
    """
    digest = content_digest({"kind": kind.value, "retired": key})
    sent = _ChangeRequest(joined_id(programme.key, changed_by, request), request, digest)

    async def act(session: AsyncClientSession) -> StoredItem:
        replayed = await _replayed(database, programme, sent, session)
        if replayed is not None:
            return replayed
        if is_in_file(programme.catalogue, kind, key):
            raise _Refused(_in_file(key))
        [before] = (await _newest_of(database, [item_id(programme.key, kind, key)], session)).values() or [None]
        if before is None or before["retired"]:
            raise _Refused(Refusal(RefusalCode.NOT_FOUND, "item_unknown", ("key",), {"key": key}))
        version = before["version"] + 1
        turn = await _next_turn(database, programme.key, session)
        document = {
            **before,
            "_id": f"{before['item']}/{version}",
            "version": version,
            "turn": turn,
            "digest": digest,
            "code": None,
            "retired": True,
            "request": sent.id,
            "changed_at": now,
            "changed_by": changed_by,
        }
        await database.catalogue.insert_one(document, session=session)
        return _stored(document, programme)

    return await _transact(database, act)


async def put_many(
    database: Database,
    programme: Programme,
    definitions: Iterable[tuple[ItemKind, Mapping[str, Any]]],
    *,
    now: datetime,
    changed_by: str,
) -> ImportResult:
    """Store many definitions, IMPORT_BATCH in each turn; one that equals the stored version is left as it is.

    So an interrupted import can be run again. An offer can refer to a reward before it in `definitions`.

    Raises:
        InvalidDefinition: places begin with the position in `definitions`, from 0; that batch is not stored.
    """
    rewards = dict(programme.catalogue.rewards)
    used: set[tuple[ItemKind, str]] = set()
    rest = iter(enumerate(definitions))
    new = unchanged = 0
    while batch := list(islice(rest, IMPORT_BATCH)):
        defined = _defined(batch, programme, rewards, used)

        async def act(session: AsyncClientSession, defined: Mapping[str, tuple[int, Definition]] = defined) -> int:
            newest = await _newest_of(database, [*defined], session)
            changed = {
                item: (position, one)
                for item, (position, one) in defined.items()
                if item not in newest or newest[item]["digest"] != one.digest
            }
            owners = await _code_owners(database, programme, [one for _, one in changed.values()], session)
            _refuse_codes(changed.values(), owners)
            if not changed:
                return 0
            turn = await _next_turn(database, programme.key, session)
            documents = [
                _document(
                    programme.key,
                    one,
                    version=newest[item]["version"] + 1 if item in newest else 1,
                    turn=turn,
                    now=now,
                    changed_by=changed_by,
                )
                for item, (_, one) in changed.items()
            ]
            await database.catalogue.insert_many(documents, ordered=False, session=session)
            return len(documents)

        stored = await _transact(database, act)
        if isinstance(stored, Refusal):
            raise TypeError(f"an import raises InvalidDefinition instead of a refusal: {stored}")
        new += stored
        unchanged += len(defined) - stored
    return ImportResult(new, unchanged)


def _defined(
    batch: Iterable[tuple[int, tuple[ItemKind, Mapping[str, Any]]]],
    programme: Programme,
    rewards: dict[str, Reward],
    used: set[tuple[ItemKind, str]],
) -> dict[str, tuple[int, Definition]]:
    """Return a batch's definitions and positions by item id; adds to `rewards` and `used`. Raises InvalidDefinition."""
    faults: list[DefinitionError] = []
    defined: dict[str, tuple[int, Definition]] = {}
    for position, (kind, definition) in batch:
        try:
            one = parse_definition(kind, definition, programme, path=(position,), rewards=rewards)
        except InvalidDefinition as invalid:
            faults += invalid.faults
            continue
        key = one.item.key
        faults += one.faults
        if is_in_file(programme.catalogue, kind, key):
            faults.append(DefinitionError(0, f"{position}.key", f"the programme file defines {key!r}; change it there"))
        if (kind, key) in used:
            faults.append(DefinitionError(0, f"{position}.key", f"key {key!r} is used twice; choose another key"))
        used.add((kind, key))
        if isinstance(one.item, Reward):
            rewards[key] = one.item
        defined[item_id(programme.key, kind, key)] = position, one
    if faults:
        raise InvalidDefinition(faults[:FAULTS_REPORTED_MAX])
    return defined


def _refuse_codes(changed: Iterable[tuple[int, Definition]], owners: Mapping[str, CodeOwner]) -> None:
    """Raise InvalidDefinition if an offer has the code of a pool or of another offer, in the batch or the catalogue."""
    faults: list[DefinitionError] = []
    taken = dict(owners)
    for position, one in changed:
        name = code_lookup_key(one.item) if isinstance(one.item, Offer) else None
        if name is None:
            continue
        if name in taken:
            faults.append(DefinitionError(0, f"{position}.code", taken[name].fault(name)))
        taken[name] = CodeOwner("offer", one.item.key)
    if faults:
        raise InvalidDefinition(faults[:FAULTS_REPORTED_MAX])


def _in_file(key: str) -> Refusal:
    return Refusal(RefusalCode.CONFLICT, "item_in_file", ("key",), {"key": key})


def _document(
    programme: str, defined: Definition, *, version: int, turn: int, now: datetime, changed_by: str
) -> Document:
    item = item_id(programme, defined.kind, defined.item.key)
    return {
        "_id": f"{item}/{version}",
        "programme": programme,
        "kind": defined.kind.value,
        "key": defined.item.key,
        "item": item,
        "version": version,
        "turn": turn,
        "definition": defined.content,
        "digest": defined.digest,
        "code": code_lookup_key(defined.item) if isinstance(defined.item, Offer) else None,
        "retired": False,
        "request": None,
        "changed_at": now,
        "changed_by": changed_by,
    }


def _stored(document: Mapping[str, Any], programme: Programme, *, replayed: bool = False) -> StoredItem:
    kind, version = ItemKind(document["kind"]), document["version"]
    item = parse_stored(kind, document["definition"], programme, version=version)
    return StoredItem(kind, item, version, document["retired"], replayed)


async def _replayed(
    database: Database, programme: Programme, sent: _ChangeRequest, session: AsyncClientSession
) -> StoredItem | None:
    """Return the result of the first use of a key, or None; raises _Refused if the content differs."""
    document = await database.catalogue.find_one({"request": sent.id}, session=session)
    if document is None:
        return None
    if document["digest"] != sent.digest:
        raise _Refused(Refusal(RefusalCode.KEY_REUSED, "key_reused", ("key",), {"key": sent.key}))
    return _stored(document, programme, replayed=True)


async def _newest_of(database: Database, items: list[str], session: AsyncClientSession | None) -> dict[str, Document]:
    """Return the newest stored version of each item by item id."""
    pipeline = [{"$match": {"item": {"$in": items}}}, *NEWEST_VERSIONS]
    cursor = await database.catalogue.aggregate(pipeline, session=session)
    return {document["item"]: document async for document in cursor}


async def _code_owners(
    database: Database, programme: Programme, defined: Iterable[Definition], session: AsyncClientSession
) -> dict[str, CodeOwner]:
    """Return those of the definitions' codes that another offer (in the file or stored) or a pool has, and which."""
    wanted: dict[str, set[str]] = {}
    for one in defined:
        name = code_lookup_key(one.item) if isinstance(one.item, Offer) else None
        if name is not None:
            wanted.setdefault(name, set()).add(one.item.key)
    if not wanted:
        return {}
    changing = {key for keys in wanted.values() for key in keys}
    catalogue = programme.catalogue
    own = {code_lookup_key(catalogue.offers[key]): key for key in catalogue.file_offers}
    owners = {name: CodeOwner("offer", own[name]) for name in wanted if name in own}
    return {**await _stored_owners(database, programme.key, wanted, changing, session), **owners}


async def _stored_owners(
    database: Database,
    programme: str,
    codes: Some[str],
    changing: Some[str],
    session: AsyncClientSession | None = None,
) -> dict[str, CodeOwner]:
    """Return those of some codes that a pool or a stored offer has, except the offers `changing`."""
    pools = await pools_with_codes(database.codes, programme, codes, session)
    owners = {name: CodeOwner("pool", pool) for name, pool in pools.items()}
    # Older versions still have their codes: only the newest version of each offer counts.
    query = {"programme": programme, "code": {"$in": [*codes]}, "key": {"$nin": [*changing]}}
    candidates = {found["item"] async for found in database.catalogue.find(query, {"item": 1}, session=session)}
    if candidates:
        newest = await _newest_of(database, [*candidates], session)
        owners |= {
            found["code"]: CodeOwner("offer", found["key"]) for found in newest.values() if found["code"] in codes
        }
    return owners


async def code_faults(database: Database, programme: Programme) -> list[tuple[int, str]]:
    """Return what is wrong with the codes of a programme file: the position of each offer, and a sentence.

    Wrong is a code that a pool has, or an offer that a manager saved under a key that the file does not define.
    """
    offers = programme.catalogue.offers
    names = {position: code_lookup_key(offer) for position, offer in enumerate(offers.values())}
    codes = {name for name in names.values() if name is not None}
    owners = await _stored_owners(database, programme.key, codes, offers.keys()) if codes else {}
    return [(position, owners[name].fault(name)) for position, name in names.items() if name in owners]


async def shared_codes(database: Database, programme: Programme) -> dict[str, list[CodeOwner]]:
    """Return the codes that several offers, in the file or stored, or an offer and a pool have, with all of these."""
    file = programme.catalogue.offers
    owners: dict[str, list[CodeOwner]] = {}
    stored = [{"$match": {"programme": programme.key, "kind": ItemKind.OFFER.value}}, *NEWEST_VERSIONS]
    cursor = await database.catalogue.aggregate(stored)
    codes = [(code_lookup_key(offer), key) for key, offer in file.items()]
    codes += [(found["code"], found["key"]) async for found in cursor if found["key"] not in file]
    for code, key in codes:
        if code is not None:
            owners.setdefault(code, []).append(CodeOwner("offer", key))
    for code, pool in (await pools_with_codes(database.codes, programme.key, owners)).items():
        owners[code].append(CodeOwner("pool", pool))
    return {code: some for code, some in owners.items() if len(some) > 1}
