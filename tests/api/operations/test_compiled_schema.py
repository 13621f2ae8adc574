"""Compiled operations on our own schema against graphql-core: random operations on real members, errors included."""

import os
from collections.abc import Mapping
from functools import partial
from inspect import isawaitable
from random import Random
from typing import Any

import pytest
from graphql import DocumentNode, GraphQLError, OperationType, execute, get_named_type
from support.clients.resolver_client import ResolverClient
from support.random_operations import RandomOperations

from gateway.operations.compiler import CompiledOperation
from gateway.operations.compiler_hints import compilable_schema
from resolvers.core.actor import Role
from resolvers.core.context import Context
from resolvers.core.operation_error import OperationError
from schema.wire.ids import global_id

OPERATIONS = int(os.environ.get("OPERATIONS", "400"))
NOTHING_WRITTEN = "previewEvent"
FRESH_EACH_TIME = "pass"


async def _people(resolver_client: ResolverClient) -> list[str]:
    """Create members without points, with points, with an activated offer, and one whose document is unreadable."""
    people = [await resolver_client.member(first_name="Ada", card="4711", locale="fr"), await resolver_client.member()]
    for member in people[:1]:
        for day in range(8):
            resolver_client.clock.advance(days=9)
            await resolver_client.buy(member, f"{120 + day}.50", ("bread", "2.00"), key=f"basket-{day}")
        await resolver_client.refund(member, "basket-3")
        await resolver_client.adjust(member, -40)
    broken = await resolver_client.member(first_name="Broken")
    await resolver_client.buy(broken, "10.00")
    await resolver_client.services.database.members.update_one({"_id": broken}, {"$set": {"recent": b"[1]"}})
    return [*people, broken]


def _known(people: list[str], numbers: list[str]) -> Mapping[str, list[Any]]:
    """Return a value for an argument by its name; some are invalid."""
    ids = [global_id("Member", member) for member in people]
    return {
        "id": [*ids, global_id("Offer", "grocer", "produce-10"), global_id("LedgerEntry", people[0], 3, 0), "nonsense"],
        "number": [*numbers, "1"],
        "card": ["4711", "none"],
        "after": ["Mjow", "nonsense", global_id("x", 3)],
        "first": [0, 1, 3, 20, -1, 101],
        "key": ["produce-10", "mug", "basket-1", "unknown"],
        "programme": ["grocer", "elsewhere"],
        "type": ["purchase", "visit", "unheard"],
        "total": ["12.50", "x"],
        "currency": ["USD"],
        "occurredAt": ["2026-06-01T10:00:00Z", "yesterday"],
        "refundOf": ["basket-1", "none"],
    }


def _value(random: Random, known: Mapping[str, list[Any]], kind: Any, name: str) -> Any:
    if name in known:
        return random.choice(known[name])
    return {
        "String": "text",
        "Int": random.choice([0, 5, 50]),
        "Float": 1.5,
        "Boolean": random.random() < 0.5,
        "ID": "id",
        "Decimal": "3.50",
        "Date": "2026-06-01",
        "DateTime": "2026-06-01T10:00:00Z",
        "JSON": {"a": 1},
        "BigInt": "7",
    }[get_named_type(kind).name]


def _comparable(error: GraphQLError) -> tuple[Any, ...]:
    """Return everything that a client's view of an error depends on."""
    original = error.original_error
    while isinstance(original, GraphQLError) and original.original_error is not None:
        original = original.original_error
    about = (
        (original.code, original.reason, sorted(original.params.items()))
        if isinstance(original, OperationError)
        else ()
    )
    return error.message, error.path, error.locations, type(original), about


async def _answered(execution: Any) -> Any:
    result = await execution if isawaitable(execution) else execution
    # Concurrent reads return in the order in which MongoDB answers.
    return result.data, sorted([_comparable(error) for error in result.errors or ()], key=repr)


def _printed(document: DocumentNode) -> str:
    return document.loc.source.body if document.loc is not None else ""


@pytest.mark.parametrize("kind", [OperationType.QUERY, OperationType.MUTATION])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore:coroutine.*never awaited")
async def test_our_schema_compiled_answers_as_graphql_core_does(
    resolver_client: ResolverClient, kind: OperationType
) -> None:
    people = await _people(resolver_client)
    members = [await resolver_client.services.database.members.find_one({"_id": member}) for member in people]
    known = _known(people, [member["number"] for member in members if member])
    schema, random = compilable_schema(), Random(str(kind))  # noqa: S311 - the same each time
    root = schema.get_root_type(kind)
    assert root is not None
    written = {*root.fields} - {NOTHING_WRITTEN} if kind is OperationType.MUTATION else set[str]()
    without = frozenset({FRESH_EACH_TIME, *written})
    made = RandomOperations(schema, random, partial(_value, random, known), depth=7, width=4).valid(
        kind, without=without
    )
    wrong = filled = 0
    resolver_client.clock.advance(hours=1)
    for _ in range(OPERATIONS // 2):
        document, variables = next(made)
        role = random.choice([*Role, Role.MEMBER, Role.MEMBER, None])
        actor = (
            resolver_client.context(role, member=random.choice(people) if role is Role.MEMBER else None).actor
            if role
            else None
        )
        context = Context(resolver_client.services, actor, random.choice([None, "fr", "en", "ar"]))
        compiled = CompiledOperation(schema, document)
        core = await _answered(execute(schema, document, None, context, variables))
        ours = await _answered(compiled.execute(None, context, variables))
        assert ours == core, f"{role}\n{_printed(document)}\n{variables}"
        assert not compiled.left_to_core
        wrong += bool(core[1])
        filled += any(value for value in (core[0] or {}).values())
        if random.random() < 0.05:
            resolver_client.clock.advance(hours=7)
    assert min(wrong, filled) > OPERATIONS // 20, (wrong, filled)
