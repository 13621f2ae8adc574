"""What clients depend on: the contract, the committed schema, and the committed table of rights."""

from pathlib import Path

import pytest
import strawberry
from graphql import (
    GraphQLInputObjectType,
    build_schema,
    find_breaking_changes,
    find_dangerous_changes,
)
from support.rights import committed_rights

from resolvers.core.actor import Role
from schema.build import RIGHTS_FILE, SDL_FILE, executable_schema, sdl
from schema.wire.access import AccessUndeclared, field, only, resolver, rights_table, rules
from schema.wire.resolver_binding import NotDirect, resolve_directly

CONTRACTS = [
    Path(__file__).with_name(name)
    for name in ("contract.graphql", "contract-offers.graphql", "contract-profile.graphql")
]
# What is more than the contracts ask for: arguments and input fields that may be left out.
MORE = {
    "Member.offers(channel:)",
    "Member.rewards(channel:)",
    "Query.rewards(channel:)",
    "Query.rewards(programme:)",
    "AdvanceOrderInput.exchangeFor",
    "AdvanceOrderInput.quantity",
    "MemberKey.pass",
    "PurchaseInput.discounts",
    "RecordEventInput.ref",
    "RecordEventInput.refSender",
    "PurchaseInput.receipt",
    "RedeemOfferInput.occurredAt",
    "RedeemOfferInput.purchaseSender",
}


def test_served_schema_keeps_the_contracts_together() -> None:
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
        label: str = field(only(Role.AGENT), "A text.")

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
        def label(self, root: strawberry.Parent[object], times: int) -> str:
            return str(root) * times

    schema = strawberry.Schema(query=Query)._schema  # noqa: SLF001 - as schema.build does
    with pytest.raises(NotDirect, match=r"label takes self, optionally info, and its arguments"):
        resolve_directly(schema)


def test_input_types_with_one_of_are_checked_by_graphql_core() -> None:
    served = executable_schema().type_map
    declared = {
        name: kind.is_one_of
        for name, kind in build_schema(sdl()).type_map.items()
        if isinstance(kind, GraphQLInputObjectType)
    }
    assert {name: served[name].is_one_of for name in declared} == declared  # type: ignore[attr-defined]
    assert declared["MemberKey"]
