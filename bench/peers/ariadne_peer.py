"""Ariadne: its own ASGI view, schema first, plain dictionaries, a DataLoader per request."""

from base64 import urlsafe_b64decode
from pathlib import Path
from typing import Any

from ariadne import ObjectType, QueryType, load_schema_from_path, make_executable_schema
from ariadne.asgi import GraphQL
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route

from bench.peers.python_peer import STORE, Caller, bounded, catalogue_of, older_entries
from bench.serving import serve
from bench.snapshot_views import Document, encoded, entries_of, offers_of, points_of, rewards_of, status_of

SCHEMA = Path(__file__).with_name("schema.graphql")
query, member = QueryType(), ObjectType("Member")
Nodes = dict[str, Any]


def _edges(nodes: list[Any]) -> Nodes:
    return {"edges": [{"node": node} for node in nodes]}


@query.field("me")
async def _me(_root: Any, info: Any) -> Document | None:
    asker: Caller = info.context["asker"]
    return await asker.me()


@query.field("member")
async def _found(_root: Any, info: Any, by: dict[str, str]) -> Document | None:
    asker: Caller = info.context["asker"]
    return await asker.member(by.get("id"), by.get("number"))


@query.field("rewards")
def _catalogue(_root: Any, _info: Any, first: int = 20) -> Nodes:
    return _edges(catalogue_of().rewards[: bounded(first)])


@member.field("profile")
def _profile(document: Document, _info: Any) -> Nodes:
    return {"firstName": document["profile"].get("first_name")}


@member.field("status")
def _status(document: Document, _info: Any) -> Nodes:
    return status_of(document, catalogue_of(document))


@member.field("points")
def _points(document: Document, _info: Any) -> Nodes:
    return points_of(document)


@member.field("activity")
async def _activity(document: Document, _info: Any, first: int = 20, after: str | None = None) -> Nodes:
    if after is None:
        return _edges(entries_of(document, catalogue_of(document), bounded(first)))
    version, index = map(int, urlsafe_b64decode(after + "=" * (-len(after) % 4)).decode().split(":"))
    nodes = await older_entries(document, bounded(first), (version, index))
    for node in nodes:
        node["id"] = encoded("LedgerEntry:{}:{}:{}".format(document["_id"], *node["position"]))
    return _edges(nodes)


@member.field("offers")
def _offers(document: Document, _info: Any, first: int = 20) -> Nodes:
    return _edges(offers_of(document, catalogue_of(document), bounded(first)))


@member.field("rewards")
def _rewards(document: Document, _info: Any, first: int = 20) -> Nodes:
    return _edges(rewards_of(document, catalogue_of(document), bounded(first)))


def _context(request: Request, _data: Any) -> Nodes:
    return {"request": request, "asker": Caller(request.headers.get("authorization"))}


def application() -> Starlette:
    """Return the application."""
    schema = make_executable_schema(load_schema_from_path(str(SCHEMA)), query, member)
    view = GraphQL(schema, context_value=_context, explorer=None)
    return Starlette(routes=[Route("/graphql", view)], lifespan=STORE.lifespan)


if __name__ == "__main__":
    serve(application())
