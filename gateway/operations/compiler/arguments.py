"""A field's arguments: constant, directly from variables, or else coerced by graphql-core on each call."""

from collections.abc import Callable, Iterable, Iterator
from datetime import date
from decimal import Decimal
from enum import Enum
from keyword import iskeyword
from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLError,
    GraphQLNonNull,
    ListValueNode,
    NonNullTypeNode,
    ObjectValueNode,
    ValueNode,
    VariableDefinitionNode,
    VariableNode,
)
from graphql.execution.values import VariableValues, get_argument_values
from graphql.pyutils import Undefined
from graphql.utilities.coerce_input_value import coerce_default_value

from gateway.operations.compiler.runtime import Place

# Immutable values are coerced once; all others on each call, as graphql-core does.
CONSTANT = (str, int, float, bool, type(None), date, Decimal, Enum)


def variables_in(value: ValueNode) -> Iterator[VariableNode]:
    """Yield the variables in a value, nested ones included."""
    waiting = [value]
    while waiting:
        node = waiting.pop()
        if isinstance(node, VariableNode):
            yield node
        elif isinstance(node, ListValueNode):
            waiting += node.values
        elif isinstance(node, ObjectValueNode):
            waiting += [field.value for field in node.fields]


def call_arguments(
    bind: Callable[[str, Any], str],
    add: Callable[[str], None],
    place: Place,
    place_name: str,
    variables: Iterable[VariableDefinitionNode],
) -> str:
    """Return the text of a call's arguments for a field; first `add` the lines that prepare them."""
    definition, node = place.definition, place.nodes[0]
    if not definition.args and not node.arguments:
        return ""
    values = {argument.name.value: argument.value for argument in node.arguments or ()}
    used = {name: value for name, value in values.items() if any(variables_in(value))}
    constants = _constants(place, frozenset(used))
    types = {one.variable.name.value: one for one in variables}
    if (
        constants is None
        or any(iskeyword(argument.out_name or name) for name, argument in definition.args.items())
        or not all(_is_direct(value, definition.args[name], types) for name, value in used.items())
    ):
        add(f"g = x.arguments({place_name})")
        return ", **g"
    text = "".join(f", {name}={bind('constant', value)}" for name, value in constants.items())
    optional = []
    for name, value in used.items():
        argument = definition.args[name]
        out, variable = argument.out_name or name, value.name.value  # type: ignore[attr-defined]
        if _is_present(types[variable]):
            text += f", {out}=x.values[{variable!r}]"
        else:
            optional.append((out, variable, coerce_default_value(argument)))
    if optional:
        add("g = {}")
        for out, variable, default in optional:
            add(f"if {variable!r} in x.values: g[{out!r}] = x.values[{variable!r}]")
            if default is not Undefined:
                add(f"else: g[{out!r}] = {bind('default', default)}")
        text += ", **g"
    return text


def _constants(place: Place, variable: frozenset[str]) -> dict[str, Any] | None:
    """Return the arguments that do not depend on variables; None if they must be coerced on each call."""
    node = place.nodes[0]
    fixed = [argument for argument in node.arguments or () if argument.name.value not in variable]
    rest = {name: one for name, one in place.definition.args.items() if name not in variable}
    probe = type(place.definition)(place.definition.type, args=rest)
    copy = type(node)(name=node.name, arguments=tuple(fixed))
    try:
        constants = get_argument_values(probe, copy, VariableValues({}, {}))
    except (GraphQLError, TypeError):
        return None
    return constants if all(isinstance(value, CONSTANT) for value in constants.values()) else None


def _is_present(variable: VariableDefinitionNode) -> bool:
    """Return whether a variable always has a value."""
    return isinstance(variable.type, NonNullTypeNode) or variable.default_value is not None


def _is_direct(value: ValueNode, argument: GraphQLArgument, types: dict[str, VariableDefinitionNode]) -> bool:
    """Return whether an argument is just a variable, all of whose values fit, and its default is constant."""
    if not isinstance(value, VariableNode) or value.name.value not in types:
        return False
    variable = types[value.name.value]
    if isinstance(argument.type, GraphQLNonNull) and not isinstance(variable.type, NonNullTypeNode):
        return False
    return isinstance(coerce_default_value(argument), (*CONSTANT, type(Undefined)))
