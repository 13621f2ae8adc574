"""Leaves: output coercion of scalars and enums."""

from collections.abc import Callable
from enum import Enum
from typing import Any

from graphql import GraphQLEnumType, GraphQLLeafType
from graphql.execution.executor import Executor
from graphql.pyutils import Undefined

from gateway.operations.compiler.runtime import not_null, refuse_awaitable

_complete = Executor.complete_leaf_value


class EnumFunction:
    """Completes the values of an enum; `known` caches the names of values seen so far, by class and value."""

    def __init__(self, complete: Callable[[Any], Any]) -> None:
        self._complete = complete
        self.known: dict[type, dict[Any, Any]] = {}

    def __call__(self, value: Any) -> Any:
        """Return the name of a value."""
        name = self._complete(value)
        if isinstance(value, Enum | str) and name is not None:
            self.known.setdefault(value.__class__, {})[value] = name
        return name


def leaf_function(kind: GraphQLLeafType, null_message: str | None, *, trusted: bool) -> Callable[[Any], Any]:
    """Return the function that completes a leaf as graphql-core does; `null_message` is the error if it is non-null."""
    coerce = kind.coerce_output_value

    def complete(value: Any) -> Any:
        if isinstance(value, Exception):
            raise value
        if value is None or value is Undefined:
            return None if null_message is None else not_null(null_message)
        if not trusted:
            refuse_awaitable(value)
        coerced = coerce(value)
        # graphql-core raises the error of a value that coerces to nothing.
        return coerced if coerced is not None and coerced is not Undefined else _complete(kind, value)

    return EnumFunction(complete) if isinstance(kind, GraphQLEnumType) else complete
