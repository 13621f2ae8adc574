"""Input coercion of variables: fast functions for values that clearly fit; graphql-core handles the rest."""

from collections.abc import Callable, Iterable
from typing import Any

from graphql import (
    GRAPHQL_MAX_INT,
    GRAPHQL_MIN_INT,
    GraphQLEnumType,
    GraphQLFloat,
    GraphQLID,
    GraphQLInputObjectType,
    GraphQLInt,
    GraphQLList,
    GraphQLNonNull,
    GraphQLSchema,
    GraphQLString,
    VariableDefinitionNode,
    is_required_input_field,
)
from graphql.execution.values import VariableValues, get_variable_values
from graphql.pyutils import Undefined
from graphql.type import GraphQLBoolean
from graphql.utilities import type_from_ast
from graphql.utilities.coerce_input_value import coerce_default_value

from gateway.operations.compiler.arguments import CONSTANT

Coerce = Callable[[Any], Any]


class Misfit(Exception):  # noqa: N818 - not an error yet: graphql-core decides
    """A value that does not clearly fit; graphql-core decides whether it is valid."""


class Variables:
    """Coerces the variables of one operation."""

    def __init__(self, schema: GraphQLSchema, definitions: Iterable[VariableDefinitionNode]) -> None:
        self._types: list[tuple[str, Coerce, Any]] = []
        known: dict[Any, Coerce] = {}
        for definition in definitions:
            kind: Any = type_from_ast(schema, definition.type)
            coerce = _coerce_of(kind, known) if kind is not None else _misfit
            missing = _misfit if isinstance(kind, GraphQLNonNull) else Undefined
            if definition.default_value is not None:
                missing = _default(schema, definition)
            self._types.append((definition.variable.name.value, coerce, missing))

    def coerce(self, raw: dict[str, Any]) -> dict[str, Any]:
        """Return the coerced variables.

        Raises:
            Misfit: graphql-core has to coerce them.
        """
        coerced: dict[str, Any] = {}
        for name, coerce, missing in self._types:
            if name in raw:
                coerced[name] = coerce(raw[name])
            elif missing is _misfit:
                raise Misfit
            elif missing is not Undefined:
                coerced[name] = missing
        return coerced


def _misfit(_value: Any) -> Any:
    """Coerce nothing. In place of a default: the value is required, or its default must be coerced on each call."""
    raise Misfit


def _default(schema: GraphQLSchema, definition: VariableDefinitionNode) -> Any:
    """Return the default of a variable if it is immutable, else `_misfit`."""
    found = get_variable_values(schema, [definition], {})
    value = found.coerced.get(definition.variable.name.value) if isinstance(found, VariableValues) else _misfit
    return value if isinstance(value, CONSTANT) else _misfit


def _coerce_of(kind: Any, known: dict[Any, Coerce]) -> Coerce:
    """Return the function for a type; `known` caches functions, because input objects can be recursive."""
    if isinstance(kind, GraphQLNonNull):
        return _present_of(kind.of_type, known)
    present = _present_of(kind, known)
    return lambda value: None if value is None else present(value)


def _present_of(kind: Any, known: dict[Any, Coerce]) -> Coerce:
    """Return the function for non-null values of a type."""
    if kind not in known:
        if isinstance(kind, GraphQLInputObjectType):
            fields: list[Any] = []
            known[kind] = _object(kind, fields)
            fields += [
                (name, field.out_name or name, _coerce_of(field.type, known), _when_missing(field))
                for name, field in kind.fields.items()
            ]
        elif isinstance(kind, GraphQLList):
            known[kind] = _list(_coerce_of(kind.of_type, known))
        elif isinstance(kind, GraphQLEnumType):
            known[kind] = _enum(kind)
        else:
            known[kind] = _SCALARS.get(kind) or _scalar(kind)
    return known[kind]


def _string(value: Any) -> Any:
    if value.__class__ is not str:
        raise Misfit
    return value


def _int(value: Any) -> Any:
    if value.__class__ is not int or not GRAPHQL_MIN_INT <= value <= GRAPHQL_MAX_INT:
        raise Misfit
    return value


def _float(value: Any) -> Any:
    if value.__class__ is not float:
        raise Misfit
    return GraphQLFloat.coerce_input_value(value)


def _boolean(value: Any) -> Any:
    if value.__class__ is not bool:
        raise Misfit
    return value


_SCALARS: dict[Any, Coerce] = {
    GraphQLString: _string,
    GraphQLID: _string,
    GraphQLInt: _int,
    GraphQLFloat: _float,
    GraphQLBoolean: _boolean,
}


def _scalar(kind: Any) -> Coerce:
    def coerced(value: Any) -> Any:
        if value is None:
            raise Misfit
        try:
            found = kind.coerce_input_value(value)
        except Exception:  # noqa: BLE001 - graphql-core coerces again, and formulates the error
            raise Misfit from None
        if found is Undefined:
            raise Misfit
        return found

    return coerced


def _enum(kind: GraphQLEnumType) -> Coerce:
    names = {name: kind.coerce_input_value(name) for name in kind.values}

    def coerced(value: Any) -> Any:
        if value.__class__ is not str or value not in names:
            raise Misfit
        return names[value]

    return coerced


def _list(coerce: Coerce) -> Coerce:
    def coerced(value: Any) -> Any:
        if value.__class__ is not list:
            raise Misfit
        return [coerce(item) for item in value]

    return coerced


def _when_missing(field: Any) -> Callable[[], Any] | None:
    """Return the function for the value of an input field that is left out; None if it has none then.

    A default is made by each call, because whoever gets a list may change it.
    """
    default = coerce_default_value(field)
    if default is Undefined:
        return _left_to_graphql_core if is_required_input_field(field) else None
    if isinstance(default, CONSTANT):
        return lambda: default
    if isinstance(default, list) and all(isinstance(item, CONSTANT) for item in default):
        return lambda: [*default]
    return _left_to_graphql_core  # graphql-core makes it


def _left_to_graphql_core() -> Any:
    raise Misfit


def _object(kind: GraphQLInputObjectType, fields: list[Any]) -> Coerce:
    def coerced(value: Any) -> Any:
        if value.__class__ is not dict:
            raise Misfit
        found: dict[str, Any] = {}
        present = 0
        for name, out, coerce, missing in fields:
            if name in value:
                present += 1
                found[out] = coerce(value[name])
            elif missing is not None:
                found[out] = missing()
        if present != len(value) or (kind.is_one_of and (present != 1 or None in found.values())):
            raise Misfit
        return kind.out_type(found)

    return coerced
