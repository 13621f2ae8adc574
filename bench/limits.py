"""The upper limit of Python and MongoDB: Starlette and orjson without GraphQL, the answers built by hand.

`python -m bench.limits one|batched|memory`: one read per request, one batched read for all requests in flight, or
no database at all for members requested before (answers are recomputed from snapshots in memory). PyJWT verifies
tokens; up to TOKENS_MAX verified tokens are cached. It listens on a free port and prints the address.
"""

import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import jwt
import orjson
from aiodataloader import DataLoader
from pymongo import AsyncMongoClient
from pymongo.asynchronous.collection import AsyncCollection
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bench.serving import serve
from bench.snapshot_views import (
    Answer,
    Catalogue,
    Document,
    catalogues,
    entries_of,
    offers_of,
    points_of,
    rewards_of,
    status_of,
)

TOKENS_MAX = 10_000
BATCH_MAX = 500
PROGRAMME = "grocer"
Read = Callable[[str], Awaitable[Document | None]]


def _home(member: Document, catalogue: Catalogue) -> Answer:
    status = status_of(member, catalogue)
    tier, following = status["tier"], status["next"]
    offers, rewards = offers_of(member, catalogue), rewards_of(member, catalogue)
    for one in offers:
        offer = one["offer"]
        one["offer"] = {name: offer[name] for name in ("key", "title", "description", "kind", "endsAt")}
    for one in rewards:
        reward = one["reward"]
        one["reward"] = {name: reward[name] for name in ("key", "title", "description", "points", "kind", "image")}
    return {
        "me": {
            "number": member["number"],
            "version": member["version"],
            "profile": {"firstName": member["profile"].get("first_name")},
            "status": {
                "tier": {name: tier[name] for name in ("key", "name", "rank", "benefits")},
                "since": status["since"],
                "next": following and {**following, "tier": {"name": following["tier"]["name"]}},
            },
            "points": points_of(member),
            "activity": {"edges": [{"node": entry} for entry in entries_of(member, catalogue)]},
            "offers": {"edges": [{"node": one} for one in offers]},
            "rewards": {"edges": [{"node": one} for one in rewards]},
        }
    }


def _kiosk(member: Document, catalogue: Catalogue) -> Answer:
    status = status_of(member, catalogue)
    following = status["next"]
    return {
        "member": {
            "number": member["number"],
            "version": member["version"],
            "status": {
                "tier": {"name": status["tier"]["name"]},
                "next": following and {"missing": following["missing"], "ratio": following["ratio"]},
            },
            "points": {"available": member["balances"]["available"]},
        }
    }


class Tokens:
    """A cache of verified tokens by their text. They expire after the end of a run."""

    def __init__(self, key: str, issuer: str, audience: str) -> None:
        self._key, self._issuer, self._audience = key, issuer, audience
        self._claims: dict[str, dict[str, Any]] = {}

    def claims(self, header: str) -> dict[str, Any]:
        """Return the claims of an Authorization header; raises jwt.InvalidTokenError."""
        token = header.removeprefix("Bearer ")
        found = self._claims.get(token)
        if found is None:
            found = jwt.decode(token, self._key, algorithms=["HS256"], issuer=self._issuer, audience=self._audience)
            if len(self._claims) >= TOKENS_MAX:
                del self._claims[next(iter(self._claims))]
            self._claims[token] = found
        return found


class Reads:
    """The three ways to read: `member` by id, `identity` by key."""

    def __init__(self, mode: str, members: AsyncCollection[Any], identities: AsyncCollection[Any]) -> None:
        self._collections = {"member": members, "identity": identities}
        self._cached: dict[str, Document | None] = {}
        self.member, self.identity = self._reader("member", mode), self._reader("identity", mode)

    def _reader(self, name: str, mode: str) -> Read:
        collection = self._collections[name]

        async def one(id_: str) -> Document | None:
            found: Document | None = await collection.find_one({"_id": id_})
            return found

        async def cached(id_: str) -> Document | None:
            if id_ not in self._cached:
                self._cached[id_] = await one(id_)
            return self._cached[id_]

        async def many(ids: list[str]) -> list[Document | None]:
            found = {document["_id"]: document async for document in collection.find({"_id": {"$in": [*set(ids)]}})}
            return [found.get(id_) for id_ in ids]

        if mode == "batched":
            loader: DataLoader[str, Document | None] = DataLoader(many, cache=False, max_batch_size=BATCH_MAX)
            return loader.load
        return one if mode == "one" else cached


def application(mode: str) -> Starlette:
    """Return the application that reads in one of the three ways."""
    by_locale = catalogues(Path(os.environ["PROGRAMME_FILE"]))
    tokens = Tokens(os.environ["JWT_KEY"], os.environ["JWT_ISSUER"], os.environ["JWT_AUDIENCE"])
    reads: list[Reads] = []

    async def answer(request: Request) -> Response:
        body = orjson.loads(await request.body())
        try:
            claims = tokens.claims(request.headers["authorization"])
        except (KeyError, jwt.InvalidTokenError):
            return Response(status_code=401)
        read, number = reads[0], (body.get("variables") or {}).get("number")
        id_ = claims.get("member")
        if number is not None:
            identity = await read.identity(f"{PROGRAMME}/number/{number}")
            id_ = identity and identity["member"]
        member = await read.member(id_) if id_ else None
        if member is None:
            return Response(status_code=404)
        catalogue = by_locale[member["profile"]["locale"]]
        data = _kiosk(member, catalogue) if number is not None else _home(member, catalogue)
        return Response(orjson.dumps({"data": data}), media_type="application/json")

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with AsyncMongoClient[dict[str, Any]](os.environ["MONGODB_URL"], tz_aware=True) as client:
            database = client[os.environ["DATABASE"]]
            # A DataLoader belongs to the running loop.
            reads.append(Reads(mode, database[os.environ["MEMBERS"]], database.identities))
            yield

    return Starlette(routes=[Route("/graphql", answer, methods=["POST"])], lifespan=lifespan)


if __name__ == "__main__":
    serve(application(sys.argv[1]))
