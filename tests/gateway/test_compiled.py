"""Compiled operations beside graphql-core's, on a schema whose values fail in every way that values can fail."""

import os
from collections.abc import Callable
from decimal import Decimal
from enum import Enum
from inspect import isawaitable
from random import Random
from typing import Any

import pytest
from graphql import (
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
)
from graphql.execution.executor import Executor
from support.operations import Operations

from gateway.compiled import KNOWN, Attribute, CompiledOperation, Instances, Method

OPERATIONS = int(os.environ.get("OPERATIONS", "3000"))


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Denied(Exception):
    pass


def _money(value: Any) -> str:
    if not isinstance(value, Decimal):
        raise TypeError(f"no money: {value!r}")
    return f"{value:.2f}"


Money = GraphQLScalarType("Money", serialize=_money, parse_value=lambda value: Decimal(str(value)))
ColourType = GraphQLEnumType("Colour", Colour)
Want = GraphQLInputObjectType(
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

LEAVES = {
    "string": (GraphQLString, lambda r: r.choice(["x", "", 7, True, 1.5, Decimal(3), ["no"], object])),
    "int": (GraphQLInt, lambda r: r.choice([1, -5, 2**31, "4", 2.0, 2.5, True, "x"])),
    "float": (GraphQLFloat, lambda r: r.choice([1.5, 2, float("nan"), float("inf"), "1.5", True])),
    "boolean": (GraphQLBoolean, lambda r: r.choice([True, False, 1, 0, "yes", float("nan")])),
    "id": (GraphQLID, lambda r: r.choice(["a", 5, 2.0, True, b"x"])),
    "colour": (ColourType, lambda r: r.choice([Colour.RED, Colour.BLUE, "red", "green", ["red"], 4])),
    "money": (Money, lambda r: r.choice([Decimal("1.5"), 3, "x"])),
}


class Thing:
    """A value whose attributes are drawn from its seed, the same each time they are read."""

    def __init__(self, seed: str, faults: float, kind: str) -> None:
        self.seed, self.faults, self.kind, self.kept = seed, faults, kind, {}

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
    """Return what a field of a thing resolves to; raise where its lot is to fail."""
    random = Random(f"{thing.seed}.{name}.{more!r}")
    chance = random.random()
    if chance < thing.faults / 3:
        raise random.choice([ValueError("broken"), GraphQLError("told"), KeyError("gone")])
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
        return random.choice([list, tuple, iter])(items)
    if isinstance(kind, GraphQLObjectType):
        wrong = random.random() < thing.faults / 4
        name = random.choice([*CLASSES]) if wrong else kind.name
        return CLASSES[name](seed, thing.faults, name)
    if isinstance(kind, GraphQLInterfaceType | GraphQLUnionType):
        name = random.choice([*CLASSES])
        if random.random() < thing.faults / 4:
            return Thing(seed, thing.faults, random.choice(["Nothing", "Want", "Query"]))
        return CLASSES[name](seed, thing.faults, name)
    _, draw = next(leaf for leaf in LEAVES.values() if leaf[0] is kind)
    if random.random() < 1 - thing.faults:
        return draw(_First())
    return draw(random)


class _First:
    """Chooses the first, which is the right one."""

    def choice(self, values: list[Any]) -> Any:
        return values[0]


FIELDS: dict[str, Any] = {}


def _is_of(name: str) -> Callable[[Any, Any], bool]:
    return lambda value, _info: isinstance(value, CLASSES[name])


def _field(name: str, kind: Any, way: str, known: bool) -> GraphQLField:
    """Return a field that is resolved in one of the ways that fields are."""
    FIELDS[name] = kind
    arguments = {
        "n": GraphQLArgument(GraphQLInt, default_value=3),
        "want": GraphQLArgument(Want, out_name="wanted"),
        "colour": GraphQLArgument(ColourType),
        "must": GraphQLArgument(GraphQLNonNull(GraphQLString), default_value="m"),
        "one": GraphQLArgument(One),
    }

    def plain(source: Any, _info: Any, **given: Any) -> Any:
        return value_of(source, name, sorted(given.items(), key=str)) if given else getattr(source, name)

    def guard(context: Any) -> None:
        if name in context:
            raise Denied(f"not {name}")

    def guarded(source: Any, info: Any, **given: Any) -> Any:
        guard(info.context)
        return plain(source, info, **given)

    async def asynchronous(source: Any, info: Any, **given: Any) -> Any:
        guard(info.context)
        return plain(source, info, **given)

    async def bare(source: Any, info: Any, **given: Any) -> Any:
        return plain(source, info, **given)

    def either(source: Any, info: Any, **given: Any) -> Any:
        return asynchronous(source, info, **given) if len(source.seed) % 2 else guarded(source, info, **given)

    def alone(source: Any, **given: Any) -> Any:
        return plain(source, None, **given)

    if way == "attribute":
        told: Any = Attribute(name, guard)
        return GraphQLField(kind, resolve=guarded, extensions={KNOWN: told} if known else None)
    if way == "method":
        told = Method(alone, guard=guard)
        return GraphQLField(kind, arguments, resolve=guarded, extensions={KNOWN: told} if known else None)
    if way == "async":
        told = Method(bare, takes_execution=True, guard=guard)
        return GraphQLField(kind, arguments, resolve=asynchronous, extensions={KNOWN: told} if known else None)
    if way == "either":
        told = Method(either, takes_execution=True, maybe_awaitable=True)
        return GraphQLField(kind, arguments, resolve=either, extensions={KNOWN: told} if known else None)
    return GraphQLField(kind)


def _schema(seed: int, *, known: bool) -> GraphQLSchema:
    """Return a schema of three types with every kind of field, all of it drawn from a seed."""
    random = Random(seed)
    FIELDS.clear()
    kinds: dict[str, Any] = {}
    ways = ["attribute", "method", "async", "either", "default"]

    def fields(name: str) -> Callable[[], dict[str, GraphQLField]]:
        def made() -> dict[str, GraphQLField]:
            found = {}
            for key in (*LEAVES, *(f"{one}s" for one in LEAVES), "one", "some", "union", "any", "anys", "deep"):
                own = f"{key}{name}"
                base = LEAVES[key.removesuffix("s")][0] if key.removesuffix("s") in LEAVES else None
                kind: Any = base
                if key in ("one", "some", "deep"):
                    kind = kinds[random.choice([*CLASSES])]
                elif key == "union":
                    kind = union
                elif key in ("any", "anys"):
                    kind = interface
                if random.random() < 0.5:
                    kind = GraphQLNonNull(kind)
                if key in ("some", "anys", "deep") or (base is not None and key.endswith("s")):
                    kind = GraphQLList(kind)
                    if key == "deep":
                        kind = GraphQLList(GraphQLNonNull(kind) if random.random() < 0.5 else kind)
                    if random.random() < 0.5:
                        kind = GraphQLNonNull(kind)
                found[own] = _field(own, kind, random.choice(ways), known)
            found["seed"] = GraphQLField(GraphQLNonNull(GraphQLString), extensions={KNOWN: Attribute("seed")})
            return found

        return made

    interface = GraphQLInterfaceType(
        "Any",
        {"seed": GraphQLField(GraphQLNonNull(GraphQLString))},
        resolve_type=None if random.random() < 0.5 else lambda value, _info, _kind: getattr(value, "kind", None),
    )
    for name, cls in CLASSES.items():
        kinds[name] = GraphQLObjectType(
            name,
            fields(name),
            interfaces=[interface],
            # Of a type that tells its class, the schema can find the type of a value, too.
            is_type_of=_is_of(name) if random.random() < 0.7 or known else None,
            extensions={KNOWN: Instances(cls, "kept" if random.random() < 0.5 else None)} if known else None,
        )
    union = GraphQLUnionType("AnyOf", [*kinds.values()], resolve_type=lambda value, _info, _kind: value.kind)
    query = GraphQLObjectType(
        "Query",
        lambda: {
            **{f"get{name}": _root(kind, name) for name, kind in kinds.items()},
            "strict": GraphQLField(GraphQLNonNull(kinds["Box"]), resolve=lambda root, _info: root),
            "any": GraphQLField(interface, resolve=lambda root, _info: root),
        },
    )
    mutation = GraphQLObjectType(
        "Mutation",
        lambda: {
            f"{way}{name}": _root(kind, name, way=way) for name, kind in kinds.items() for way in ("make", "await")
        },
    )
    subscription = GraphQLObjectType("Subscription", lambda: {"boxed": GraphQLField(kinds["Box"], resolve=_itself)})
    return GraphQLSchema(query, mutation, subscription)


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


def _scalar(kind: Any, name: str, random: Random) -> Any:
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


def told(result: ExecutionResult) -> Any:
    """Return all that a client sees of a result, in order."""
    return (
        repr(result.data),
        [(error.message, error.path, error.locations, error.extensions) for error in result.errors or ()],
    )


async def both(
    schema: GraphQLSchema, compiled: CompiledOperation, document: Any, root: Any, variables: Any, denied: Any
) -> tuple[Any, Any]:
    """Execute an operation with graphql-core and compiled."""
    results = []
    for way in ("core", "compiled"):
        context: dict[str, Any] = dict.fromkeys(denied, True)
        if way == "compiled":
            result: Any = compiled.execute(root(), context, variables)
        elif compiled.node.operation is OperationType.SUBSCRIPTION:
            core = Executor.build(schema, document, root(), context, variables)
            result = (
                core.execute_operation(serially=False) if isinstance(core, Executor) else ExecutionResult(None, core)
            )
        else:
            result = execute(schema, document, root(), context, variables)
        if isawaitable(result):
            result = await result
        results.append((told(result), context.get("steps")))
    return results[0], results[1]


# Where one of several awaitables fails, graphql-core drops the others, and what they would have awaited; so do we.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore:coroutine.*never awaited")
@pytest.mark.parametrize("known", [True, False], ids=["told", "untold"])
@pytest.mark.parametrize("kind", [*OperationType])
async def test_compiled_operations_answer_as_graphql_core_does(kind: OperationType, known: bool) -> None:
    compared = failed = 0
    for seed in range(6):
        schema = _schema(seed, known=known)
        random = Random(f"{kind}{known}{seed}")
        made = Operations(schema, random, lambda told, name: _scalar(told, name, random), depth=4, width=4).valid(kind)  # noqa: B023
        for _ in range(OPERATIONS // 36 + 1):
            document, variables = next(made)
            if random.random() < 0.05:
                variables = {name: random.choice([None, [], {}, "x", 5]) for name in variables}
            compiled = CompiledOperation(schema, document)
            faults = random.choice([0, 0, 0.05, 0.3])
            denied = random.sample([*FIELDS], 3) if random.random() < 0.3 else []
            for turn in range(2):
                core, ours = await both(
                    schema,
                    compiled,
                    document,
                    lambda: Box(f"{seed}.{turn}", faults, "Box"),
                    variables,
                    denied,
                )
                assert ours == core, f"{document.loc.source.body}\n{variables}"
            assert not compiled.left_to_core
            compared += 1
            failed += bool(core[0][1])
    assert compared > OPERATIONS // 6
    assert failed > compared // 10, "hardly anything went wrong, so hardly anything was compared"
