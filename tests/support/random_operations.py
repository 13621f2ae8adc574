"""Random operations over any schema, to compare two executors; most of them are valid."""

import json
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from graphql import (
    DocumentNode,
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLSchema,
    OperationType,
    get_named_type,
    is_abstract_type,
    is_composite_type,
    is_leaf_type,
    parse,
    validate,
)

Value = Callable[[Any, str], Any]
"""Returns a JSON value for a scalar type and the name of its argument."""


class RandomOperations:
    """Generates documents with one operation, and its variables."""

    def __init__(self, schema: GraphQLSchema, random: Random, value: Value, *, depth: int = 5, width: int = 5) -> None:
        """`depth` and `width` bound the levels, and the selections of each."""
        self._schema, self._random, self._value = schema, random, value
        self._depth, self._width = depth, width

    def valid(
        self, kind: OperationType, *, without: frozenset[str] = frozenset()
    ) -> Iterator[tuple[DocumentNode, dict[str, Any]]]:
        """Yield valid operations without end; root fields in `without` are not selected."""
        while True:
            text, variables = self.make(kind, without)
            document = parse(text)
            if not validate(self._schema, document):
                yield document, variables

    def make(self, kind: OperationType, without: frozenset[str]) -> tuple[str, dict[str, Any]]:
        """Return the text of an operation, which may be invalid, and its variables."""
        self._names = 0
        self._variables: dict[str, str] = {}
        self._values: dict[str, Any] = {}
        self._fragments: dict[str, tuple[str, str]] = {}
        root = self._schema.get_root_type(kind)
        self._root, self._without = root, without
        body = self._selection(root, self._depth)
        declared = (
            f"({', '.join(f'${name}: {type_}' for name, type_ in self._variables.items())})" if self._variables else ""
        )
        fragments = "".join(f"\nfragment {name} on {on} {text}" for name, (on, text) in self._fragments.items())
        return f"{kind.value} Made{declared} {body}{fragments}", self._values

    def _next(self, prefix: str) -> str:
        self._names += 1
        return f"{prefix}{self._names}"

    def _selection(self, kind: Any, depth: int) -> str:
        random = self._random
        parts = []
        for _ in range(random.randint(1, self._width)):
            choice = random.random()
            if choice < 0.08:
                parts.append("__typename" if random.random() < 0.7 else f"{self._next('t')}: __typename")
            elif choice < 0.18 and depth > 0:
                parts.append(
                    f"... on {self._condition(kind)}{self._directive()} {{ __typename }}"
                    if depth < 1
                    else self._inline(kind, depth)
                )
            elif choice < 0.24 and depth > 0:
                parts.append(f"...{self._fragment(kind, depth)}{self._directive()}")
            elif (field := self._field(kind, depth)) is not None:
                parts.append(field)
        return "{ " + (" ".join(parts) or "__typename") + " }"

    def _condition(self, kind: Any) -> str:
        """Return the name of a type that a value of `kind` may have."""
        possible = [kind.name]
        if is_abstract_type(kind):
            possible += [one.name for one in self._schema.get_possible_types(kind)]
        else:
            possible += [one.name for one in kind.interfaces]
        return str(self._random.choice(possible))

    def _inline(self, kind: Any, depth: int) -> str:
        if self._random.random() < 0.3:
            return f"...{self._directive()} {self._selection(kind, depth - 1)}"
        on = self._condition(kind)
        return f"... on {on}{self._directive()} {self._selection(self._schema.type_map[on], depth - 1)}"

    def _fragment(self, kind: Any, depth: int) -> str:
        on = self._condition(kind)
        known = [name for name, (condition, _) in self._fragments.items() if condition == on]
        if known and self._random.random() < 0.5:
            return self._random.choice(known)
        name = self._next("F")
        text = self._selection(self._schema.type_map[on], depth - 1)
        self._fragments[name] = (on, text)
        return name

    def _field(self, kind: Any, depth: int) -> str | None:
        without = self._without if kind is self._root else frozenset()
        fields = {name: field for name, field in getattr(kind, "fields", {}).items() if name not in without}
        if depth <= 0:
            fields = {name: field for name, field in fields.items() if is_leaf_type(get_named_type(field.type))}
        if not fields:
            return None
        name = self._random.choice([*fields])
        field = fields[name]
        arguments = self._arguments(field.args)
        alias = f"{self._next('a')}: " if arguments or self._random.random() < 0.15 else ""
        below = ""
        if is_composite_type(get_named_type(field.type)):
            below = " " + self._selection(get_named_type(field.type), depth - 1)
        return f"{alias}{name}{arguments}{self._directive()}{below}"

    def _directive(self) -> str:
        random = self._random
        if random.random() > 0.1:
            return ""
        name = random.choice(["skip", "include"])
        if random.random() < 0.3:
            return f" @{name}(if: {random.choice(['true', 'false'])})"
        variable = self._variable("Boolean!", random.random() < 0.5)
        return f" @{name}(if: ${variable})"

    def _variable(self, type_: str, value: Any) -> str:
        name = self._next("v")
        self._variables[name] = type_
        self._values[name] = value
        return name

    def _arguments(self, arguments: dict[str, GraphQLArgument]) -> str:
        random, parts = self._random, []
        for name, argument in arguments.items():
            required = isinstance(argument.type, GraphQLNonNull)
            if not required and random.random() < 0.5:
                continue
            parts.append(f"{name}: {self._argument(argument, name)}")
        return f"({', '.join(parts)})" if parts else ""

    def _argument(self, argument: GraphQLArgument, name: str) -> str:
        random = self._random
        value = self._json(argument.type, name)
        if random.random() < 0.5:
            return self._literal(argument.type, value, name)
        type_ = str(argument.type)
        choice = random.random()
        if choice < 0.2 and not type_.endswith("!"):
            variable = self._variable(type_, None)
            del self._values[variable]
            return f"${variable}"
        if choice < 0.35:
            type_ = f"{type_.removesuffix('!')} = {self._literal(argument.type, value, name, constant=True)}"
            variable = self._variable(type_, value)
            if random.random() < 0.7:
                del self._values[variable]
            return f"${variable}"
        if choice < 0.45 and not type_.endswith("!"):
            type_ = f"{type_}!"
        return f"${self._variable(type_, value)}"

    def _json(self, kind: Any, name: str) -> Any:
        random = self._random
        if isinstance(kind, GraphQLNonNull):
            while (value := self._json(kind.of_type, name)) is None:
                pass
            return value
        if random.random() < 0.08:
            return None
        if isinstance(kind, GraphQLList):
            return [self._json(kind.of_type, name) for _ in range(random.randint(0, 3))]
        if isinstance(kind, GraphQLEnumType):
            return random.choice([*kind.values])
        if isinstance(kind, GraphQLInputObjectType):
            if kind.is_one_of:
                field = random.choice([*kind.fields])
                return {field: self._json(GraphQLNonNull(kind.fields[field].type), field)}
            return {
                field: self._json(one.type, field)
                for field, one in kind.fields.items()
                if isinstance(one.type, GraphQLNonNull) or random.random() < 0.5
            }
        return self._value(kind, name)

    def _literal(self, kind: Any, value: Any, name: str, *, constant: bool = False) -> str:
        """Return a value as a literal, now and then with a variable in it."""
        if isinstance(kind, GraphQLNonNull):
            return self._literal(kind.of_type, value, name, constant=constant)
        if value is None:
            return "null"
        if isinstance(kind, GraphQLList) and isinstance(value, list):
            return "[" + ", ".join(self._part(kind.of_type, one, name, constant=constant) for one in value) + "]"
        if isinstance(kind, GraphQLEnumType):
            return str(value)
        if isinstance(kind, GraphQLInputObjectType):
            parts = (
                f"{field}: {self._part(kind.fields[field].type, one, field, constant=constant)}"
                for field, one in value.items()
            )
            return "{" + ", ".join(parts) + "}"
        if isinstance(value, dict):
            return "{" + ", ".join(f"{field}: {json.dumps(one)}" for field, one in value.items()) + "}"
        return json.dumps(value, ensure_ascii=False)

    def _part(self, kind: Any, value: Any, name: str, *, constant: bool) -> str:
        if not constant and self._random.random() < 0.1:
            return f"${self._variable(str(kind), value)}"
        return self._literal(kind, value, name, constant=constant)
