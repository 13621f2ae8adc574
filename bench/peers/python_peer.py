"""The common part of the Python peers: verified tokens, and reads through a DataLoader per request."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import jwt
from aiodataloader import DataLoader
from pymongo import AsyncMongoClient
from starlette.applications import Starlette

from bench.snapshot_views import Catalogue, Document, catalogues

PROGRAMME = "grocer"
PAGE_MAX = 100
CATALOGUES = catalogues(Path(os.environ["PROGRAMME_FILE"]))
_LOCALE = "en"


class Refused(Exception):  # noqa: N818 - answered as a GraphQL error
    """The caller is not authenticated or not allowed, or an argument is invalid."""


class Store:
    """The database's collections, available while the application runs."""

    def __init__(self) -> None:
        self.client: AsyncMongoClient[dict[str, Any]] | None = None

    def collection(self, name: str) -> Any:
        """Return a collection."""
        if self.client is None:
            raise RuntimeError("the application has not started")
        return self.client[os.environ["DATABASE"]][name]

    @asynccontextmanager
    async def lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        """Stay connected while the application runs."""
        async with AsyncMongoClient[dict[str, Any]](os.environ["MONGODB_URL"], tz_aware=True) as self.client:
            yield


STORE = Store()


def claims_of(header: str | None) -> dict[str, Any] | None:
    """Return the verified claims of an Authorization header; None without one.

    Raises:
        Refused: the token is not valid.
    """
    if header is None:
        return None
    try:
        return jwt.decode(
            header.removeprefix("Bearer "),
            os.environ["JWT_KEY"],
            algorithms=["HS256"],
            issuer=os.environ["JWT_ISSUER"],
            audience=os.environ["JWT_AUDIENCE"],
        )
    except jwt.InvalidTokenError as error:
        raise Refused("the token is not valid") from error


class Caller:
    """The caller of one request, with the loaders of this request."""

    def __init__(self, header: str | None) -> None:
        self._claims = claims_of(header)
        self.members: DataLoader[str, Document | None] = DataLoader(_reader(os.environ["MEMBERS"]))
        self.identities: DataLoader[str, Document | None] = DataLoader(_reader("identities"))

    def require(self, *roles: str) -> dict[str, Any]:
        """Return the caller's claims.

        Raises:
            Refused: the caller has none of the roles.
        """
        if self._claims is None or self._claims["role"] not in roles:
            raise Refused("not allowed")
        return self._claims

    async def me(self) -> Document | None:
        """Return the token's member."""
        return await self.members.load(self.require("member")["member"])

    async def member(self, id_: str | None, number: str | None) -> Document | None:
        """Return a member by id or number."""
        self.require("kiosk", "till", "agent", "manager", "service")
        if id_ is None:
            identity = await self.identities.load(f"{PROGRAMME}/number/{number}")
            id_ = identity["member"] if identity is not None else None
        return await self.members.load(id_) if id_ is not None else None


def _reader(name: str) -> Any:
    async def read(ids: list[str]) -> list[Document | None]:
        found = {one["_id"]: one async for one in STORE.collection(name).find({"_id": {"$in": ids}})}
        return [found.get(id_) for id_ in ids]

    return read


def catalogue_of(member: Document | None = None) -> Catalogue:
    """Return the programme in a member's language, or in English without a member."""
    return CATALOGUES[member["profile"]["locale"] if member is not None else _LOCALE]


def bounded(first: int) -> int:
    """Return the size of a page.

    Raises:
        Refused: it is negative or greater than PAGE_MAX.
    """
    if not 0 <= first <= PAGE_MAX:
        raise Refused(f"first must be 0 to {PAGE_MAX}")
    return first


async def older_entries(member: Document, first: int, after: tuple[int, int]) -> list[dict[str, Any]]:
    """Return a page of the ledger after a version and index, in the form of `entries_of`."""
    labels, version, index = catalogue_of(member).labels, *after
    # The `_id`s of the ledger sort by member and version (models/mongo/ledger.py).
    older = {"_id": {"$gte": f"{member['_id']}/", "$lte": f"{member['_id']}/{version:010d}"}, "programme": PROGRAMME}
    nodes: list[dict[str, Any]] = []
    async for record in STORE.collection("entries").find(older).sort("_id", -1).limit(first + 1):
        rows = record["entries"][:index] if record["version"] == version else record["entries"]
        nodes += [
            {
                "position": (record["version"], number),
                "kind": entry["kind"],
                "points": entry["points"],
                "balance": entry["balance"],
                "occurredAt": entry["occurred_at"].isoformat(),
                "channel": entry["channel"],
                "label": labels[entry["params"]["type"] if entry["label"] == "event" else entry["label"]],
            }
            for number, entry in reversed([*enumerate(rows)])
        ]
    return nodes[:first]
