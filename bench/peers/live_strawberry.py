"""Strawberry, default setup: its own ASGI application and subscriptions, on a pub/sub of queues by member.

One change stream per process, as in Carillon and the Node peer. `python -m bench.peers.live_strawberry`.
"""

import asyncio
import os
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Self

import jwt
import orjson
import strawberry
from pymongo import AsyncMongoClient
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from strawberry.asgi import GraphQL
from strawberry.types import Info

from bench.serving import serve

TEXTS = orjson.loads(os.environ["TEXTS"])
_client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(os.environ["MONGODB_URL"], tz_aware=True)
_members = _client[os.environ["DATABASE"]]["members"]
_watching: defaultdict[str, set[asyncio.Queue["MemberUpdate"]]] = defaultdict(set)


@strawberry.type
class Tier:
    """A tier."""

    name: str


@strawberry.type
class Status:
    """A member's tier."""

    tier: Tier


@strawberry.type
class Points:
    """Balances."""

    available: int


@strawberry.type
class Member:
    """A member."""

    status: Status
    points: Points


@strawberry.type
class LedgerEntry:
    """A movement of points."""

    label: str
    points: int
    balance: int


@strawberry.type
class MemberUpdate:
    """One version of a member."""

    version: int
    member: Member
    entries: list[LedgerEntry]
    resync: bool

    @classmethod
    def of(cls, document: Mapping[str, Any], *, is_first: bool) -> Self:
        """Return the update of a stored member."""
        rows = [] if is_first else [row for row in orjson.loads(document["recent"]) if row[0] == document["version"]]
        return cls(
            version=document["version"],
            member=Member(
                status=Status(tier=Tier(name=TEXTS["tiers"][document["standing"]["tier"]])),
                points=Points(available=document["balances"].get("available", 0)),
            ),
            entries=[
                LedgerEntry(
                    label=TEXTS["labels"][row[10]["type"] if row[9] == "event" else row[9]],
                    points=row[4],
                    balance=row[5],
                )
                for row in reversed(rows)
            ],
            resync=False,
        )


@strawberry.type
class Query:
    """A schema needs a query type."""

    version: int = 0


@strawberry.type
class Subscription:
    """The measured subscription."""

    @strawberry.subscription
    async def member_changed(self, info: Info[Any, None]) -> AsyncGenerator[MemberUpdate, None]:
        """Yield every version of the token's member."""
        token = info.context["connection_params"]["Authorization"].removeprefix("Bearer ")
        claims = jwt.decode(
            token,
            os.environ["JWT_KEY"],
            algorithms=["HS256"],
            issuer=os.environ["JWT_ISSUER"],
            audience=os.environ["JWT_AUDIENCE"],
        )
        member, queue = claims["member"], asyncio.Queue[MemberUpdate]()
        _watching[member].add(queue)
        try:
            document = await _members.find_one({"_id": member})
            if document is None:
                return
            yield MemberUpdate.of(document, is_first=True)
            while True:
                update = await queue.get()
                if update.version > document["version"]:
                    yield update
        finally:
            _watching[member].discard(queue)


async def _follow() -> None:
    async with await _members.watch([{"$match": {"operationType": {"$in": ["insert", "replace"]}}}]) as stream:
        async for change in stream:
            queues = _watching.get(change["documentKey"]["_id"])
            if queues:
                update = MemberUpdate.of(change["fullDocument"], is_first=False)
                for queue in queues:
                    queue.put_nowait(update)


@asynccontextmanager
async def _lifespan(_app: Starlette) -> AsyncIterator[None]:
    following = asyncio.create_task(_follow())
    yield
    following.cancel()


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    schema = strawberry.Schema(query=Query, subscription=Subscription)
    serve(Starlette(lifespan=_lifespan, routes=[WebSocketRoute("/graphql", GraphQL[Any, None](schema))]))


if __name__ == "__main__":
    main()
