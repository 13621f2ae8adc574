"""Descriptions of the served schema: where each one is written, and a check that none is missing.

A type, an input, an interface and a field with a resolver are described by the docstring of their class or method. All
other elements (attributes, arguments, input fields, enum values, scalars) pass `description=`. An argument called
`input` takes the description of its input type.
"""

from collections.abc import Iterator
from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    is_introspection_type,
    is_specified_directive,
    is_specified_scalar_type,
)

STRAWBERRY = "strawberry-definition"
"""The key of Strawberry's own definition in the `extensions` of a type or field."""

Described = GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType


def from_docstring(documented: Any) -> str | None:
    """Return the docstring of a class or function as a description, on one line; None without one."""
    docstring = vars(documented).get("__doc__") if isinstance(documented, type) else documented.__doc__
    # A dataclass without a docstring gets its signature as one.
    if not docstring or docstring.startswith(f"{documented.__name__}("):
        return None
    return " ".join(docstring.split())


def describe(schema: GraphQLSchema) -> None:
    """Give each type the docstring of its class, and each argument `input` the description of its input type."""
    described = [
        kind for kind in schema.type_map.values() if isinstance(kind, Described) and STRAWBERRY in kind.extensions
    ]
    for kind in described:
        kind.description = from_docstring(kind.extensions[STRAWBERRY].origin)
    for name, argument in _arguments(schema):
        if name == "input" and argument.description is None:
            argument.description = get_named_type(argument.type).description


def _arguments(schema: GraphQLSchema) -> Iterator[tuple[str, GraphQLArgument]]:
    for kind in schema.type_map.values():
        if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType):
            for definition in kind.fields.values():
                yield from definition.args.items()


def undescribed(schema: GraphQLSchema) -> list[str]:
    """Return the coordinates of all elements without a description, sorted.

    For example `Member`, `Member.status`, `Query.member(by:)`, `EnrolInput.key`, `Channel.APP`, `@cost`, `@cost(of:)`.
    What GraphQL itself specifies (introspection types, built-in scalars and directives) is left out.
    """
    missing = [name for name, description in _descriptions(schema) if not (description or "").strip()]
    return sorted(missing)


def _descriptions(schema: GraphQLSchema) -> Iterator[tuple[str, str | None]]:
    for kind in schema.type_map.values():
        if not is_introspection_type(kind) and not is_specified_scalar_type(kind):
            yield from _descriptions_of_type(kind)
    for directive in schema.directives:
        if not is_specified_directive(directive):
            yield f"@{directive.name}", directive.description
            for name, argument in directive.args.items():
                yield f"@{directive.name}({name}:)", argument.description


def _descriptions_of_type(kind: GraphQLNamedType) -> Iterator[tuple[str, str | None]]:
    yield kind.name, kind.description
    if isinstance(kind, GraphQLEnumType):
        for name, value in kind.values.items():
            yield f"{kind.name}.{name}", value.description
    if isinstance(kind, Described):
        for name, field in kind.fields.items():
            yield f"{kind.name}.{name}", field.description
    if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType):
        for name, definition in kind.fields.items():
            for argument_name, argument in definition.args.items():
                yield f"{kind.name}.{name}({argument_name}:)", argument.description
