"""Compiled operations against graphql-core, on random schemas whose values fail in every way."""

import os
from collections.abc import Callable
from decimal import Decimal
from enum import Enum
from functools import partial
from inspect import isawaitable
from random import Random
from typing import Any, Protocol

import pytest
from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLArgument,
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLError,
    GraphQLField,
    GraphQLFloat,
    GraphQLID,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInt,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLString,
    GraphQLUnionType,
    OperationType,
    execute,
    parse,
)
from graphql.execution import execute_subscription_event
from graphql.execution.executor import Executor
from support.random_operations import RandomOperations

from gateway.operations.compiler import HINT, Attribute, CodeBudget, CompiledOperation, Instances, Method, Unchanged

# Number of different operations that are compared; a long run takes 20000.
OPERATIONS = int(os.environ.get("OPERATIONS", "600"))
SCHEMAS = 5


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Denied(Exception):  # noqa: N818 - what it is called is not the matter here
    pass


def _money(value: Any) -> str:
    if not isinstance(value, Decimal):
        raise TypeError(f"no money: {value!r}")
    return f"{value:.2f}"


Money = GraphQLScalarType("Money", serialize=_money, parse_value=lambda value: Decimal(str(value)))


def _moment(value: object) -> str:
    if isinstance(value, str):
        return value
    if not isinstance(value, int):
        raise TypeError(f"no moment: {value!r}")
    return f"+{value}"


Moment = GraphQLScalarType("Moment", serialize=_moment, extensions={HINT: Unchanged(str)})
ColourType = GraphQLEnumType("Colour", Colour)
Want: GraphQLInputObjectType = GraphQLInputObjectType(
    "Want",
    lambda: {
        "text": GraphQLInputField(GraphQLString, default_value="none"),
        "count": GraphQLInputField(GraphQLNonNull(GraphQLInt), out_name="number"),
        "colours": GraphQLInputField(GraphQLList(GraphQLNonNull(ColourType))),
        "deeper": GraphQLInputField(Want),
    },
)
One = GraphQLInputObjectType(
    "One", {"a": GraphQLInputField(GraphQLInt), "b": GraphQLInputField(GraphQLString)}, is_one_of=True
)


class Chooser(Protocol):
    def choice(self, values: list[Any], /) -> Any: ...


LEAVES: dict[str, tuple[GraphQLScalarType | GraphQLEnumType, Callable[[Chooser], Any]]] = {
    "string": (GraphQLString, lambda r: r.choice(["x", "", 7, True, 1.5, Decimal(3), ["no"], object])),
    "int": (GraphQLInt, lambda r: r.choice([1, -5, 2**31, "4", 2.0, 2.5, True, "x"])),
    "float": (GraphQLFloat, lambda r: r.choice([1.5, 2, float("nan"), float("inf"), "1.5", True])),
    "boolean": (GraphQLBoolean, lambda r: r.choice([True, False, 1, 0, "yes", float("nan")])),
    "id": (GraphQLID, lambda r: r.choice(["a", 5, 2.0, True, b"x"])),
    "colour": (ColourType, lambda r: r.choice([Colour.RED, Colour.BLUE, "red", "green", ["red"], 4])),
    "moment": (Moment, lambda r: r.choice(["1970", "", 5, 2.5, b"x"])),
    "money": (Money, lambda r: r.choice([Decimal("1.5"), 3, "x"])),
}


class Thing:
    """A value whose attributes are drawn from its seed, the same each time they are read."""

    def __init__(self, seed: str, faults: float, kind: str) -> None:
        self.seed, self.faults, self.kind = seed, faults, kind
        self.kept: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return value_of(self, name)


class Box(Thing):
    pass


class Bag(Thing):
    pass


class Tin(Thing):
    pass


CLASSES: dict[str, type[Thing]] = {"Box": Box, "Bag": Bag, "Tin": Tin}


def value_of(thing: Thing, name: str, *more: Any) -> Any:
    """Return the value of a field of a thing, or raise if the seed says so."""
    random = Random(f"{thing.seed}.{name}.{more!r}")  # noqa: S311 - the same each time
    chance = random.random()
    if chance < thing.faults / 3:
        raise random.choice([ValueError("broken"), GraphQLError("shown"), KeyError("gone")])
    if chance < thing.faults / 2:
        return ValueError("returned")
    field = FIELDS[name]
    return _draw(field, random, thing, f"{thing.seed}.{name}")


def _draw(kind: Any, random: Random, thing: Thing, seed: str) -> Any:
    if random.random() < thing.faults:
        return None
    if isinstance(kind, GraphQLNonNull):
        return _draw(kind.of_type, random, thing, seed)
    if isinstance(kind, GraphQLList):
        if random.random() < thing.faults / 3:
            return random.choice([5, "text", {}])
        items = [_draw(kind.of_type, random, thing, f"{seed}.{n}") for n in range(random.randint(0, 3))]
        collections: list[Callable[[list[Any]], Any]] = [list, tuple, iter]
        return random.choice(collections)(items)
    if isinstance(kind, GraphQLObjectType):
        wrong = random.random() < thing.faults / 4
        name = random.choice([*CLASSES]) if wrong else kind.name
        return CLASSES[name](seed, thing.faults, name)
    if isinstance(kind, GraphQLInterfaceType | GraphQLUnionType):
        name = random.choice([*CLASSES])
        if random.random() < thing.faults / 4:
            return Thing(seed, thing.faults, random.choice(["Nothing", "Want", "Query"]))
        return CLASSES[name](seed, thing.faults, name)
    draw = next(draw for leaf, draw in LEAVES.values() if leaf is kind)
    if random.random() < 1 - thing.faults:
        return draw(_First())
    return draw(random)


class _First:
    """Chooses the first value, which is a valid one."""

    def choice(self, values: list[Any], /) -> Any:
        return values[0]


FIELDS: dict[str, Any] = {}


def _is_of(name: str) -> Callable[[Any, Any], bool]:
    return lambda value, _info: isinstance(value, CLASSES[name])


ARGUMENTS = {
    "n": GraphQLArgument(GraphQLInt, default_value=3),
    "want": GraphQLArgument(Want, out_name="wanted"),
    "colour": GraphQLArgument(ColourType),
    "must": GraphQLArgument(GraphQLNonNull(GraphQLString), default_value="m"),
    "one": GraphQLArgument(One),
}
WAYS = ("attribute", "method", "async", "either", "default")


class Resolvers:
    """One field's resolvers of every kind; each has the guard in front or inside."""

    def __init__(self, name: str) -> None:
        self.name = name

    def guard(self, context: Any) -> None:
        if self.name in context:
            raise Denied(f"not {self.name}")

    def alone(self, source: Any, **given: Any) -> Any:
        return value_of(source, self.name, sorted(given.items(), key=str)) if given else getattr(source, self.name)

    def guarded(self, source: Any, info: Any, **given: Any) -> Any:
        self.guard(info.context)
        return self.alone(source, **given)

    async def bare(self, source: Any, _info: Any, **given: Any) -> Any:
        return self.alone(source, **given)

    async def asynchronous(self, source: Any, info: Any, **given: Any) -> Any:
        self.guard(info.context)
        return self.alone(source, **given)

    def either(self, source: Any, info: Any, **given: Any) -> Any:
        way = self.asynchronous if len(source.seed) % 2 else self.guarded
        return way(source, info, **given)


def _field(name: str, kind: Any, way: str, *, known: bool) -> GraphQLField:
    """Return a field with a resolver of a random kind."""
    FIELDS[name] = kind
    ours = Resolvers(name)
    if way == "default":
        return GraphQLField(kind)
    arguments, resolve, hint = {
        "attribute": ({}, ours.guarded, Attribute(name, ours.guard)),
        "method": (ARGUMENTS, ours.guarded, Method(ours.alone, guard=ours.guard)),
        "async": (ARGUMENTS, ours.asynchronous, Method(ours.bare, takes_execution=True, guard=ours.guard)),
        "either": (ARGUMENTS, ours.either, Method(ours.either, takes_execution=True, maybe_awaitable=True)),
    }[way]
    return GraphQLField(kind, arguments, resolve=resolve, extensions={HINT: hint} if known else None)


KEYS = (*LEAVES, *(f"{one}s" for one in LEAVES), "one", "some", "union", "any", "anys", "deep")


def _kind_of(key: str, random: Random, kinds: dict[str, Any]) -> Any:
    """Return the type named, with random nullability on every level."""

    def maybe(kind: Any) -> Any:
        return GraphQLNonNull(kind) if random.random() < 0.5 else kind

    base = LEAVES[key.removesuffix("s")][0] if key.removesuffix("s") in LEAVES else None
    inner = base or {"union": kinds["union"], "any": kinds["any"], "anys": kinds["any"]}.get(key)
    kind = maybe(inner or kinds[random.choice([*CLASSES])])
    if key in ("some", "anys", "deep") or (base is not None and key.endswith("s")):
        kind = GraphQLList(kind)
        if key == "deep":
            kind = GraphQLList(maybe(kind))
        kind = maybe(kind)
    return kind


def _fields(name: str, random: Random, kinds: dict[str, Any], *, known: bool) -> dict[str, GraphQLField]:
    found = {
        f"{key}{name}": _field(f"{key}{name}", _kind_of(key, random, kinds), random.choice(WAYS), known=known)
        for key in KEYS
    }
    seed = GraphQLField(GraphQLNonNull(GraphQLString), extensions={HINT: Attribute("seed")})
    return {**found, "seed": seed}


def _schema(seed: int, *, known: bool) -> GraphQLSchema:
    """Return a schema of three types with every kind of field, all of it drawn from a seed."""
    random = Random(seed)  # noqa: S311 - the same each time
    FIELDS.clear()
    kinds: dict[str, Any] = {}
    kinds["any"] = GraphQLInterfaceType(
        "Any",
        {"seed": GraphQLField(GraphQLNonNull(GraphQLString))},
        resolve_type=None if random.random() < 0.5 else lambda value, _info, _kind: getattr(value, "kind", None),
    )
    for name, cls in CLASSES.items():
        kinds[name] = GraphQLObjectType(
            name,
            partial(_fields, name, random, kinds, known=known),
            interfaces=[kinds["any"]],
            # For types with a class the schema can find the type of a value itself.
            is_type_of=_is_of(name) if random.random() < 0.7 or known else None,
            extensions={HINT: Instances(cls, "kept" if random.random() < 0.5 else None)} if known else None,
        )
    things = [kinds[name] for name in CLASSES]
    kinds["union"] = GraphQLUnionType("AnyOf", things, resolve_type=lambda value, _info, _kind: value.kind)
    query = {
        **{f"get{kind.name}": _root(kind, kind.name) for kind in things},
        "strict": GraphQLField(GraphQLNonNull(kinds["Box"]), resolve=_itself),
        "any": GraphQLField(kinds["any"], resolve=_itself),
    }
    mutation = {f"{way}{kind.name}": _root(kind, kind.name, way=way) for kind in things for way in ("make", "await")}
    return GraphQLSchema(
        GraphQLObjectType("Query", query),
        GraphQLObjectType("Mutation", mutation),
        GraphQLObjectType("Subscription", {"boxed": GraphQLField(kinds["Box"], resolve=_itself)}),
    )


def _itself(root: Any, _info: Any) -> Any:
    return root


def _root(kind: Any, name: str, way: str = "await") -> GraphQLField:
    def make(root: Any, info: Any, n: int = 0) -> Any:
        steps = info.context.setdefault("steps", [])
        steps.append((info.path.as_list(), n))
        if n == 13:
            raise ValueError("thirteen")
        return CLASSES[name](f"{root.seed}.{n}.{len(steps) if way == 'make' else ''}", root.faults, name)

    async def awaited(root: Any, info: Any, n: int = 0) -> Any:
        return make(root, info, n)

    nullable = len(name + way) % 2
    return GraphQLField(
        kind if nullable else GraphQLNonNull(kind),
        {"n": GraphQLArgument(GraphQLInt, default_value=0)},
        resolve=awaited if way == "await" else make,
    )


def _scalar(random: Random, kind: Any, name: str) -> Any:
    if name == "n" and random.random() < 0.2:
        return 13
    return {
        "String": random.choice(["", "text", "é"]),
        "Int": random.randint(-3, 3),
        "Float": random.choice([1, 1.5]),
        "Boolean": random.random() < 0.5,
        "ID": "id",
        "Money": "2.50",
    }[kind.name]


async def answered(execution: Any) -> Any:
    """Return all that a client sees of a result, in order."""
    result: ExecutionResult = await execution if isawaitable(execution) else execution
    errors = [(error.message, error.path, error.locations, error.extensions) for error in result.errors or ()]
    return repr(result.data), errors


def by_core(schema: GraphQLSchema, document: DocumentNode, root: Any, context: Any, variables: Any) -> Any:
    """Execute an operation with graphql-core, a subscription for one event."""
    core = Executor.build(schema, document, root, context, variables)
    if isinstance(core, list):
        return ExecutionResult(None, core)
    is_event = core.operation.operation is OperationType.SUBSCRIPTION
    return execute_subscription_event(core) if is_event else execute(schema, document, root, context, variables)


# Where one of several awaitables fails, graphql-core drops the others, and what they would have awaited; so do we.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore:coroutine.*never awaited")
@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
@pytest.mark.parametrize("kind", [*OperationType])
async def test_compiled_operations_answer_as_graphql_core_does(kind: OperationType, known: bool) -> None:
    compared = failed = 0
    for seed in range(SCHEMAS):
        schema, random = _schema(seed, known=known), Random(f"{kind}{known}{seed}")  # noqa: S311 - the same each time
        made = RandomOperations(schema, random, partial(_scalar, random), depth=4, width=3).valid(kind)
        for _ in range(OPERATIONS // (6 * SCHEMAS)):
            document, variables = next(made)
            if random.random() < 0.05:
                variables = {name: random.choice([None, [], {}, "x", 5]) for name in variables}
            compiled = CompiledOperation(schema, document)
            denied = dict.fromkeys(random.sample([*FIELDS], 3) if random.random() < 0.3 else [], True)
            for faults in (0, random.choice([0.05, 0.3])):
                result = Box(f"{seed}", faults, "Box"), Box(f"{seed}", faults, "Box")
                contexts = {**denied}, {**denied}
                core = await answered(by_core(schema, document, result[0], contexts[0], variables))
                ours = await answered(compiled.execute(result[1], contexts[1], variables))
                where = f"{document.loc.source.body if document.loc else ''}\n{variables}"
                assert ours == core, where
                assert contexts[0].get("steps") == contexts[1].get("steps"), where
                failed += bool(core[1])
            assert not compiled.left_to_core
            compared += 1
    assert compared == OPERATIONS // (6 * SCHEMAS) * SCHEMAS
    assert failed > compared // 5, "hardly anything went wrong, so hardly anything was compared"


async def test_operation_of_many_variants_is_left_to_graphql_core_past_their_limit() -> None:
    schema = _schema(0, known=True)
    names = [f"v{n}" for n in range(5)]
    fields = " ".join(f"{name}: __typename @skip(if: ${name})" for name in names)
    document = parse(f"query ({', '.join(f'${name}: Boolean!' for name in names)}) {{ {fields} t: __typename }}")
    compiled = CompiledOperation(schema, document)
    for number in range(32):
        variables = {name: bool(number >> place & 1) for place, name in enumerate(names)}
        root = Box("0", 0, "Box")
        ours = await answered(compiled.execute(root, {}, variables))
        assert ours == await answered(by_core(schema, document, root, {}, variables))


async def test_oldest_compiled_variant_is_evicted_and_recompiled() -> None:
    schema, budget, root = _schema(0, known=True), CodeBudget(1), Box("0", 0, "Box")
    texts = [
        "{ strict { seed } }",
        "{ strict { __typename } }",
        "query ($v: Boolean!) { strict { seed @skip(if: $v) __typename } }",
    ]
    compiled = [(parse(text), CompiledOperation(schema, parse(text), budget=budget)) for text in texts]
    for turn in range(4):
        for document, operation in compiled:
            variables = {"v": turn % 2 == 0}
            ours = await answered(operation.execute(root, {}, variables))
            assert ours == await answered(by_core(schema, document, root, {}, variables))
    assert not any(operation.left_to_core for _, operation in compiled)


async def test_argument_named_like_a_python_keyword_is_passed() -> None:
    field = GraphQLField(
        GraphQLString, {"from": GraphQLArgument(GraphQLString)}, resolve=lambda *_, **given: given.get("from")
    )
    compiled = CompiledOperation(
        GraphQLSchema(GraphQLObjectType("Query", {"echo": field})), parse('{ echo(from: "x") }')
    )
    assert (await answered(compiled.execute(None, None, {})))[0] == "{'echo': 'x'}"
    assert not compiled.left_to_core


@pytest.mark.parametrize("query", ["{ __schema { queryType { name } } }", '{ __type(name: "Box") { name } }'])
async def test_introspection_is_left_to_graphql_core(query: str) -> None:
    schema, document = _schema(0, known=True), parse(query)
    compiled = CompiledOperation(schema, document)
    assert await answered(compiled.execute(None, {}, {})) == await answered(by_core(schema, document, None, {}, {}))
    assert compiled.left_to_core


def _listing(*, mutation: bool) -> GraphQLSchema:
    async def later() -> str:
        return "later"

    field = GraphQLField(GraphQLList(GraphQLString), resolve=lambda *_: [later(), later()])
    root = GraphQLObjectType("Query", {"words": field})
    return GraphQLSchema(root, GraphQLObjectType("Mutation", {"words": field}) if mutation else None)


# The awaitables of a list that could not be completed are dropped with it.
@pytest.mark.filterwarnings("ignore:coroutine.*never awaited", "ignore::pytest.PytestUnraisableExceptionWarning")
async def test_query_with_awaitables_in_a_list_is_executed_by_graphql_core() -> None:
    compiled = CompiledOperation(_listing(mutation=False), parse("{ words }"))
    for _ in range(2):
        result = compiled.execute(None, None, {})
        assert isawaitable(result)
        assert (await result).data == {"words": ["later", "later"]}
    assert compiled.left_to_core


@pytest.mark.filterwarnings("ignore:coroutine.*never awaited", "ignore::pytest.PytestUnraisableExceptionWarning")
async def test_mutation_is_never_executed_twice() -> None:
    compiled = CompiledOperation(_listing(mutation=True), parse("mutation { words }"))
    with pytest.raises(RuntimeError, match="remove its hint"):
        await compiled.execute(None, None, {})  # type: ignore[misc]
