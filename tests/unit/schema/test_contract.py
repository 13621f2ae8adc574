"""What outsiders depend on: the contract, the committed schema, and who may use which field."""

from pathlib import Path
from typing import Any

import pytest
import strawberry
from graphql import (
    ExecutionResult,
    GraphQLObjectType,
    build_schema,
    execute,
    find_breaking_changes,
    find_dangerous_changes,
    get_named_type,
    is_composite_type,
    parse,
    subscribe,
)
from support.shop import Shop

from loyalty.kernel.channel import Channel
from resolvers.core.actor import Role
from resolvers.core.context import Context
from resolvers.core.fault import Forbidden, Unauthenticated
from schema.build import RIGHTS_FILE, SDL_FILE, executable_schema, sdl
from schema.wire.access import AccessUndeclared, field, only, resolver, rights_table, rules
from schema.wire.resolver_binding import NotDirect, resolve_directly

CONTRACTS = [Path(__file__).with_name(name) for name in ("contract.graphql", "contract-offers.graphql")]
# What is more than the contracts ask for: arguments and input fields that may be left out.
MORE = {
    "Member.offers(channel:)",
    "Member.rewards(channel:)",
    "Query.rewards(channel:)",
    "Query.rewards(programme:)",
    "AdvanceOrderInput.exchangeFor",
    "AdvanceOrderInput.quantity",
    "RedeemOfferInput.occurredAt",
}

# How each guarded field is reached, and what it is asked for. A new one has to be added here to be let in.
PATHS = {"Query": (), "Mutation": (), "Member": ("Query.member",), "Profile": ("Query.member", "Member.profile")}
ARGUMENTS = {
    "Query.node": "(id: $id)",
    "Query.member": "(by: $by)",
    "Mutation.enrol": "(input: {key: $key, channel: STORE})",
    "Mutation.recordEvent": "(input: $event)",
    "Mutation.recordEvents": "(input: [$event])",
    "Mutation.previewEvent": "(input: $event)",
    "Mutation.adjustPoints": '(input: {key: $key, member: $by, points: 1, reason: "a reason"})',
    "Mutation.activateOffer": "(input: {key: $key, member: $by, offer: $id})",
    "Mutation.redeemOffer": "(input: {key: $key, member: $by, offer: $id, channel: STORE})",
    "Mutation.noteOffers": "(input: {key: $key, member: $by, seen: [$id]})",
    "Mutation.inviteDevice": '(input: {key: $key, name: "Entrance"})',
    "Mutation.revokeDevice": "(input: {key: $key, device: $id})",
    "Mutation.openSession": '(input: {key: $key, by: {card: "C-1"}})',
    "Mutation.confirmSession": '(input: {key: $key, digits: "000000"})',
    "Mutation.endSession": "(input: {key: $key})",
    "Mutation.setConsents": "(input: {key: $key, member: $by, consents: [{purpose: MARKETING, granted: true}]})",
    "Mutation.setPreferences": '(input: {key: $key, member: $by, topics: ["category:COFFEE"]})',
    "Mutation.placeOrder": "(input: {key: $key, member: $by, reward: $id, channel: STORE})",
    "Mutation.cancelOrder": "(input: {key: $key, order: $id})",
    "Mutation.advanceOrder": "(input: {key: $key, order: $id, state: CONFIRMED})",
    "Mutation.hold": "(input: {key: $key, member: $by, reward: $id})",
    "Mutation.release": "(input: {key: $key, hold: $id})",
    "Mutation.saveCatalogueItem": "(input: {key: $key, kind: OFFER, definition: {}})",
    "Mutation.retireCatalogueItem": '(input: {key: $key, kind: OFFER, item: "nothing"})',
    "Subscription.memberChanged": "(by: $by)",
    "Subscription.contentChanged": '(key: "nothing")',
}
VARIABLES = {"id": "ID!", "by": "MemberKey!", "key": "String!", "event": "RecordEventInput!"}


def committed_rights() -> list[tuple[str, Role, str]]:
    """Return field, role and mark of each cell of the committed table."""
    lines = RIGHTS_FILE.read_text(encoding="utf-8").splitlines()
    head, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    return [(name, Role(role), mark) for name, *marks in rows for role, mark in zip(head[1:], marks, strict=True)]


def operation_for(name: str) -> str:
    """Return an operation that asks for one field and for nothing beside it."""
    type_name, _, field_name = name.partition(".")
    steps = [*PATHS.get(type_name, ()), name]
    kind = executable_schema().type_map[type_name]
    assert isinstance(kind, GraphQLObjectType)
    inner = " { __typename }" if is_composite_type(get_named_type(kind.fields[field_name].type)) else ""
    for step in reversed(steps):
        inner = f" {{ {step.partition('.')[2]}{ARGUMENTS.get(step, '')}{inner} }}"
    used = [f"${variable}: {type_}" for variable, type_ in VARIABLES.items() if f"${variable}" in inner]
    verb = type_name.lower() if type_name in {"Mutation", "Subscription"} else "query"
    return f"{verb} {'(' + ', '.join(used) + ')' if used else ''}{inner}"


def variables(shop: Shop, number: str) -> dict[str, Any]:
    """Return a value for every variable that an operation may have."""
    event = {
        "key": shop.key(),
        "type": "visit",
        "member": {"number": number},
        "occurredAt": shop.clock().isoformat(),
        "channel": Channel.STORE.value,
    }
    return {"id": "UHJvZ3JhbW1lOmdyb2Nlcg", "by": {"number": number}, "key": shop.key(), "event": event}


async def faults_of(operation: str, context: Context, given: dict[str, Any]) -> list[Any]:
    """Run an operation; return what its errors were at their origin."""
    document, schema = parse(operation), executable_schema()
    ask = subscribe if operation.startswith("subscription") else execute
    result: Any = ask(schema, document, context_value=context, variable_values=given)
    if not isinstance(result, ExecutionResult) and not hasattr(result, "__anext__"):
        result = await result
    if not isinstance(result, ExecutionResult):
        first = await anext(result)
        await result.aclose()
        result = first
    return [error.original_error for error in result.errors or ()]


def test_served_schema_keeps_both_contracts_together() -> None:
    contract = build_schema("\n".join(path.read_text(encoding="utf-8") for path in CONTRACTS))
    assert find_breaking_changes(contract, executable_schema()) == []
    more = {change.description for change in find_dangerous_changes(contract, executable_schema())}
    assert more == {f"An optional {'argument' if '(' in name else 'field'} {name} was added." for name in MORE}


def test_committed_schema_is_what_is_served() -> None:
    assert SDL_FILE.read_text(encoding="utf-8") == sdl()


def test_committed_rights_are_those_in_force() -> None:
    assert RIGHTS_FILE.read_text(encoding="utf-8") == rights_table(executable_schema())


def test_every_field_has_a_row_for_every_role() -> None:
    rows = {(name, role) for name, role, _ in committed_rights()}
    assert rows == {(f"{type_}.{name}", role) for type_, name in rules(executable_schema()) for role in Role}


def test_field_without_a_rule_keeps_the_schema_from_being_built() -> None:
    @strawberry.type
    class Query:
        told: str = field(only(Role.AGENT), "A text.")

        @strawberry.field
        def forgotten(self) -> str:
            return "open to everybody"

    schema = strawberry.Schema(query=Query)._schema  # noqa: SLF001 - as schema.build does
    with pytest.raises(AccessUndeclared, match=r"Query\.forgotten has no access rule"):
        resolve_directly(schema)


def test_resolver_that_wants_more_than_its_arguments_keeps_the_schema_from_being_built() -> None:
    @strawberry.type
    class Query:
        @resolver(only(Role.AGENT))
        def told(self, root: strawberry.Parent[object], times: int) -> str:
            return str(root) * times

    schema = strawberry.Schema(query=Query)._schema  # noqa: SLF001 - as schema.build does
    with pytest.raises(NotDirect, match=r"told takes self, optionally info, and its arguments"):
        resolve_directly(schema)


async def test_rights_are_enforced_as_the_table_says(shop: Shop) -> None:
    committed = {(name, role): mark == "yes" for name, role, mark in committed_rights() if mark != "·"}
    found = {}
    for name, role in committed:
        member = (await shop.enrol()).snapshot.member
        context = shop.context(role, member=member.id if role is Role.MEMBER else None)
        faults = await faults_of(operation_for(name), context, variables(shop, member.number))
        refused = [fault for fault in faults if isinstance(fault, Forbidden | Unauthenticated)]
        found[name, role] = not refused
        if refused:
            [fault] = refused
            assert (fault.reason, fault.params["role"]) == ("field_forbidden", role)
            assert fault.params["field"] in {name, *PATHS.get(name.partition(".")[0], ())}
            unchanged = await shop.services.reader.member("grocer", member.id)
            assert unchanged is not None
            assert unchanged.version == 1
    assert found == committed


async def test_nobody_known_reaches_anything(shop: Shop) -> None:
    member = (await shop.enrol()).snapshot.member
    for name in sorted({name for name, _, mark in committed_rights() if mark != "·"}):
        faults = await faults_of(operation_for(name), Context(shop.services, None), variables(shop, member.number))
        assert [type(fault) for fault in faults] == [Unauthenticated], name
