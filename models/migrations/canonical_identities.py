"""Migration 1: brings the identities of members to canonical form (`loyalty/kernel/canonical.py`).

Where two members have what is the same in canonical form, the one that was enrolled first keeps it. The other keeps the
text in its profile, but is no longer found by it; `carillon audit` lists it until somebody corrects the profile.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from pymongo import DeleteOne, InsertOne, ReplaceOne
from pymongo.asynchronous.client_session import AsyncClientSession

from loyalty.kernel import canonical
from loyalty.model.programme import Programme
from models.mongo.bson import Document
from models.mongo.database import Database
from models.mongo.ids import identity_key

MEMBERS_PER_STEP = 100
_FIELDS = {"number": 1, "cards": 1, "profile.email": 1, "profile.phone": 1, "enrolled_at": 1}

Age = tuple[datetime, str]


def _texts_of(member: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    profile = member["profile"]
    yield "number", member["number"]
    yield from (("card", card) for card in member["cards"])
    yield from ((kind, profile[kind]) for kind in ("email", "phone") if profile.get(kind))


def _identities_of(member: Mapping[str, Any], programme: Programme) -> set[str]:
    """Return the identities that a member has to have, in canonical form."""
    return {
        identity_key(programme.key, kind, canonical.stored_identity(kind, text, programme.country))
        for kind, text in _texts_of(member)
    }


def _age(member: Mapping[str, Any]) -> Age:
    return member["enrolled_at"], member["_id"]


class _Owners:
    """Who owns the identities that a step reads, now and after it."""

    def __init__(self, documents: list[Document], members: list[Document]) -> None:
        self._before = {document["_id"]: document["member"] for document in documents}
        self.now = dict(self._before)
        self._ages = {member["_id"]: _age(member) for member in members}

    def settle(self, member: str, wanted: set[str]) -> None:
        """Give a member the identities that it has to have, and that no older member has; take the others away."""
        for id_ in [id_ for id_, owner in self.now.items() if owner == member and id_ not in wanted]:
            del self.now[id_]
        for id_ in wanted:
            owner = self.now.get(id_)
            # An owner without a document is a fault that the audit reports; it is no reason to refuse the identity.
            if owner is None or owner not in self._ages or self._ages[member] < self._ages[owner]:
                self.now[id_] = member

    def writes(self, programme: str) -> list[InsertOne[Document] | ReplaceOne[Document] | DeleteOne]:
        """Return the writes that lead from before to now."""
        gone = [DeleteOne({"_id": id_}) for id_ in self._before if id_ not in self.now]
        moved: list[InsertOne[Document] | ReplaceOne[Document]] = []
        for id_, member in self.now.items():
            document = {"_id": id_, "programme": programme, "member": member}
            if id_ not in self._before:
                moved.append(InsertOne(document))
            elif self._before[id_] != member:
                moved.append(ReplaceOne({"_id": id_}, document))
        return [*gone, *moved]


async def step(database: Database, programme: Programme, after: str, session: AsyncClientSession) -> str | None:
    """Convert the identities of the members after `after`; return the last one's id, None if there are no more."""
    here = {"programme": programme.key, "_id": {"$gt": after}}
    members = await database.members.find(
        here, _FIELDS, sort=[("_id", 1)], limit=MEMBERS_PER_STEP, session=session
    ).to_list()
    if not members:
        return None
    wanted = {member["_id"]: _identities_of(member, programme) for member in members}
    ids = sorted({id_ for some in wanted.values() for id_ in some})
    query = {"$or": [{"member": {"$in": [*wanted]}}, {"_id": {"$in": ids}}]}
    documents = await database.identities.find(query, session=session).to_list()
    others = {document["member"] for document in documents} - wanted.keys()
    older = await database.members.find({"_id": {"$in": [*others]}}, _FIELDS, session=session).to_list()
    owners = _Owners(documents, [*members, *older])
    for member in sorted(members, key=_age):
        owners.settle(member["_id"], wanted[member["_id"]])
    writes = owners.writes(programme.key)
    if writes:
        await database.identities.bulk_write(writes, session=session)
    last: str = members[-1]["_id"]
    return last
