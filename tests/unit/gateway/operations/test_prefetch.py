"""Which operations start a read before they are executed."""

import pytest
from graphql import GraphQLObjectType, parse

from gateway.config import Limits
from gateway.observability.metrics import Metrics
from gateway.operations.compiler_hints import compilable_schema
from gateway.operations.executor import Executor, GraphQLRequest
from gateway.operations.prefetch import selects_any
from schema.types.member import SUPPLY_FIELDS

OFFERS = "offers { edges { node { state } } }"


@pytest.mark.parametrize(
    ("text", "name", "found"),
    [
        (f"{{ me {{ {OFFERS} }} }}", None, True),
        (f"{{ me {{ mine: {OFFERS} }} }}", None, True),
        ("{ me { rewards { edges { node { eligible } } } } }", None, True),
        (f"{{ me {{ ...Mine }} }} fragment Mine on Member {{ number {OFFERS} }}", None, True),
        (f"{{ me {{ ... on Member {{ {OFFERS} }} }} }}", None, True),
        (f'{{ node(id: "x") {{ ... on Member {{ {OFFERS} }} }} }}', None, True),
        ("{ me { number status { tier { key } } } }", None, False),
        ("{ rewards { edges { node { key } } } }", None, False),
        (f"query A {{ me {{ number }} }} query B {{ me {{ {OFFERS} }} }}", "A", False),
        (f"query A {{ me {{ number }} }} query B {{ me {{ {OFFERS} }} }}", "B", True),
        (f"query A {{ me {{ {OFFERS} }} }}", None, True),
    ],
)
def test_operations_that_select_offers_or_rewards_of_a_member_are_found(
    text: str, name: str | None, found: bool
) -> None:
    assert selects_any(compilable_schema(), parse(text), name, SUPPLY_FIELDS) is found
    prepared = Executor(compilable_schema(), Limits(), Metrics()).prepare(GraphQLRequest(text, name))
    assert prepared.prefetches_supply is found


def test_a_mutation_prefetches_nothing() -> None:
    text = f'mutation {{ setPreferences(input: {{key: "k", topics: []}}) {{ member {{ {OFFERS} }} }} }}'
    assert not Executor(compilable_schema(), Limits(), Metrics()).prepare(GraphQLRequest(text)).prefetches_supply


def test_fields_that_need_a_prefetch_exist() -> None:
    for coordinate in SUPPLY_FIELDS:
        type_name, field_name = coordinate.split(".")
        kind = compilable_schema().type_map[type_name]
        assert isinstance(kind, GraphQLObjectType)
        assert field_name in kind.fields
