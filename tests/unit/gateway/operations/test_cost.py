"""The cost of operations: the sizes of lists, through aliases, fragments and variables; the limits without a token."""

from typing import Any

import pytest
from graphql import build_schema, get_introspection_query, get_operation_ast, parse
from hypothesis import given
from hypothesis import strategies as st
from support.property_settings import property_settings

from gateway.config import AnonymousLimits, InvalidSettings, Limits, read_limits
from gateway.observability.metrics import Metrics
from gateway.operations.compiler_hints import compilable_schema
from gateway.operations.cost import Cost, Costs
from gateway.operations.executor import Executor, GraphQLRequest, InvalidOperation
from resolvers.core.operation_error import LimitExceeded

SCHEMA = build_schema(
    """
    type Query { items(first: Int, after: String): ItemConnection!, one: Item, tags: [Item!]! }
    type ItemConnection { edges: [Edge!]!, total: Int }
    type Edge { node: Item!, cursor: String }
    type Item { name: String, words: [String!]!, items(first: Int = 3): ItemConnection!, parent: Item, tags: [Item] }
    """
)
COSTS = Costs(SCHEMA, page_default=20, page_max=100)


def cost_of(text: str, variables: dict[str, Any] | None = None) -> Cost:
    document = parse(text)
    operation = get_operation_ast(document)
    assert operation is not None
    return COSTS.of(document, operation, variables)


@pytest.mark.parametrize(
    ("text", "variables", "cost"),
    [
        ("{ __typename }", {}, 0),
        ("{ one { name } }", {}, 2),
        ("{ one { words } }", {}, 2),
        ("{ tags { name } }", {}, 11),
        ("{ items { edges { node { name } } total } }", {}, 1 + 20 * 4),
        ("{ items(first: 5) { edges { node { name } } } }", {}, 1 + 5 * 3),
        ("{ items(first: 0) { edges { node { name } } } }", {}, 1),
        ("{ items(first: -5) { edges { node { name } } } }", {}, 1),
        ("{ items(first: 99999) { edges { node { name } } } }", {}, 1 + 100 * 3),
        ("{ items(first: null) { edges { node { name } } } }", {}, 1 + 20 * 3),
        ("query ($n: Int) { items(first: $n) { edges { node { name } } } }", {"n": 7}, 1 + 7 * 3),
        ("query ($n: Int) { items(first: $n) { edges { node { name } } } }", {"n": None}, 1 + 20 * 3),
        ("query ($n: Int) { items(first: $n) { edges { node { name } } } }", {}, 1 + 20 * 3),
        ("query ($n: Int = 2) { items(first: $n) { edges { node { name } } } }", {}, 1 + 2 * 3),
        ("query ($n: Int = 2) { items(first: $n) { edges { node { name } } } }", None, 1 + 100 * 3),
        ("{ items(first: 10) { edges { node { items(first: 10) { total } } } } }", {}, 1 + 10 * (2 + 1 + 10)),
        ("{ a: one { name } b: one { name } }", {}, 4),
        ("{ ...F ...F } fragment F on Query { one { name } }", {}, 4),
        ("{ tags { ...F } } fragment F on Item { name parent { ...G } } fragment G on Item { name }", {}, 1 + 10 * 3),
        ("{ ... on Query { ... { one { name } } } }", {}, 2),
    ],
)
def test_cost_counts_the_sizes_of_lists(text: str, variables: dict[str, Any] | None, cost: int) -> None:
    assert cost_of(text, variables) == Cost(cost, 0)


def test_introspection_is_counted_apart() -> None:
    cost = cost_of("{ __schema { types { name } } one { name } __typename }")
    assert cost == Cost(2, 2 + len(SCHEMA.type_map))
    assert cost_of("{ ...F } fragment F on Query { a: __schema { types { name } } }").data == 0


@property_settings(60)
@given(st.lists(st.integers(0, 100), min_size=1, max_size=4))
def test_nested_pages_multiply(sizes: list[int]) -> None:
    text, items = "name", 0
    for size in reversed(sizes):
        text = f"items(first: {size}) {{ edges {{ node {{ {text} }} }} }}"
        items = 1 + size * (2 + (items or 1))
    assert cost_of(f"{{ {text} }}", {}).data == items


# The limits of the served schema


@pytest.fixture(scope="module")
def executor() -> Executor:
    return Executor(compilable_schema(), Limits(), Metrics())


def refusal_of(executor: Executor, text: str, *, anonymous: bool, **variables: Any) -> LimitExceeded | None:
    try:
        executor.prepare(GraphQLRequest(text, None, variables), anonymous=anonymous)
    except InvalidOperation as invalid:
        return invalid.errors if isinstance(invalid.errors, LimitExceeded) else None
    return None


def rewards(first: object, alias: int = 0) -> str:
    return f"a{alias}: rewards(first: {first}) {{ edges {{ node {{ id title points description kind }} }} }} "


EXCESSIVE = [
    ("aliases", 10, 50, lambda n: "{ rewards { " + " ".join(f"a{i}: __typename" for i in range(n)) + " } }"),
    ("roots", 5, 50, lambda n: "{ " + " ".join(f"a{i}: __typename" for i in range(n)) + " }"),
    ("tokens", 1000, 4000, lambda n: "{ rewards(pointsMax: 1) { edges { cursor " + "cursor " * n + "} } }"),
    ("characters", 16_384, 65_536, lambda n: "{ __typename } #" + "x" * n),
    ("cost", 2500, 20_000, lambda n: "{ " + "".join(rewards(100, alias) for alias in range(n // 700 + 1)) + " }"),
]


@pytest.mark.parametrize(("limit", "anonymous_most", "most", "text"), EXCESSIVE)
def test_limits_are_lower_without_a_token(
    executor: Executor, limit: str, anonymous_most: int, most: int, text: Any
) -> None:
    for anonymous, value, prefix in ((True, anonymous_most, "ANONYMOUS_"), (False, most, "")):
        if limit == "roots" and not anonymous:
            continue  # each root needs an alias, and those are as few
        refusal = refusal_of(executor, text(value + 1), anonymous=anonymous)
        assert refusal is not None
        setting = f"CARILLON_LIMIT_{prefix}{limit.upper()}"
        assert (refusal.limit, refusal.value, refusal.setting) == (limit, value, setting)
    for anonymous in (True, False):
        assert refusal_of(executor, text(anonymous_most // 20), anonymous=anonymous) is None


def test_cost_follows_the_variables_of_each_request(executor: Executor) -> None:
    text = "query ($first: Int) { " + "".join(rewards("$first", alias) for alias in range(5)) + " }"
    for first, is_refused in (
        (100, True),
        (20, False),
        (100, True),
        (None, False),
        (50, False),
        (90, True),
        (0, False),
    ):
        refusal = refusal_of(executor, text, anonymous=True, first=first)
        assert (refusal is not None) is is_refused
        assert refusal is None or refusal.limit == "cost"


@pytest.mark.parametrize("anonymous", [True, False])
def test_the_whole_schema_may_be_read_once_and_no_more(executor: Executor, anonymous: bool) -> None:
    whole = get_introspection_query(
        specified_by_url=True,
        directive_is_repeatable=True,
        schema_description=True,
        input_value_deprecation=True,
        one_of=True,
    )
    prepared = executor.prepare(GraphQLRequest(whole), anonymous=anonymous)
    assert prepared.only_introspects
    once = whole[whole.index("__schema") : whole.index("fragment FullType")].rstrip()[:-1]
    twice = whole.replace(once, f"a: {once} b: {once}")
    refusal = refusal_of(executor, twice, anonymous=anonymous)
    assert refusal is not None
    assert refusal.limit == "cost"
    mixed = whole.replace("__schema {", "rewards { pageInfo { hasNextPage } } __schema {", 1)
    assert refusal_of(executor, mixed, anonymous=anonymous) is not None


@property_settings(40)
@given(st.integers(1, 60), st.integers(0, 3))
def test_introspection_costs_more_with_each_alias(aliases: int, nesting: int) -> None:
    costs = Costs(compilable_schema(), page_default=20, page_max=100)
    inner = "name description fields { name type { name ofType { name } } args { name type { name } } }"
    for _ in range(nesting):
        inner = f"name fields {{ type {{ {inner} }} }}"
    text = "{ " + " ".join(f"a{i}: __schema {{ types {{ {inner} }} }}" for i in range(aliases)) + " }"
    document = parse(text)
    cost = costs.of(document, document.definitions[0], {}).introspection  # type: ignore[arg-type]
    single = parse(f"{{ __schema {{ types {{ {inner} }} }} }}")
    assert cost == aliases * costs.of(single, single.definitions[0], {}).introspection  # type: ignore[arg-type]


def test_limits_without_a_token_are_never_above_the_general_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARILLON_LIMIT_BODY", "2000")
    monkeypatch.setenv("CARILLON_LIMIT_ANONYMOUS_TOKENS", "60")
    limits = Limits().of_caller(anonymous=True)
    assert (limits.body, limits.setting("body")) == (2000, "CARILLON_LIMIT_BODY")
    assert (limits.tokens, limits.setting("tokens")) == (60, "CARILLON_LIMIT_ANONYMOUS_TOKENS")
    assert limits.aliases == AnonymousLimits().aliases


@pytest.mark.parametrize("variable", ["CARILLON_LIMIT_ANONYMOUS_COST", "CARILLON_LIMIT_COST"])
def test_an_invalid_limit_is_named(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "1")
    with pytest.raises(InvalidSettings, match=f"^{variable}: "):
        read_limits()


@pytest.mark.parametrize(
    "text", ["{ %s: __typename }", "query %s { __typename }", "{ ...%s } fragment %s on Query { __typename }"]
)
def test_names_are_bounded(executor: Executor, text: str) -> None:
    executor.prepare(GraphQLRequest(text.replace("%s", "a" * 100)))
    with pytest.raises(InvalidOperation) as refused:
        executor.prepare(GraphQLRequest(text.replace("%s", "a" * 101)))
    assert refused.value.answer("en")["errors"][0]["message"] == "A name has at most 100 characters."
