"""Interfaces of compiled expressions and schemas, so that the domain does not depend on their compilers."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from loyalty.model.event import PurchaseLine


class Expression(Protocol):
    """A compiled CEL expression."""

    @property
    def source(self) -> str:
        """The source text."""

    def evaluate(self, variables: Mapping[str, Any]) -> Any:
        """Return the value for `variables`.

        Raises:
            ExpressionError: an attribute is missing or a type is wrong.
        """


class LineCondition(Protocol):
    """A compiled condition on single lines of a purchase."""

    @property
    def source(self) -> str:
        """The source text."""

    def matches(self, lines: Sequence[PurchaseLine], variables: Mapping[str, Any]) -> list[bool]:
        """Return for each line whether the condition is true; `variables` are those of the rule's other expressions.

        Raises:
            ExpressionError: an attribute is missing or a type is wrong.
        """


class ExpressionError(Exception):
    """An expression cannot be evaluated for an event; carries the evaluator's message."""


class AttributesSchema(Protocol):
    """A compiled JSON Schema of an event type's attributes."""

    def fault(self, attributes: Mapping[str, Any]) -> str | None:
        """Return the first fault in `attributes` as a sentence with its path, or None."""
