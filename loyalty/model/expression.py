"""What the rules of a programme are made of: compiled expressions and checks, whoever compiles them."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from loyalty.model.event import PurchaseLine


class Expression(Protocol):
    """A compiled expression of the rules' language (CEL)."""

    @property
    def source(self) -> str:
        """The text it was compiled from."""

    def evaluate(self, variables: Mapping[str, Any]) -> Any:
        """Return its value.

        Raises:
            ExpressionFault: the expression does not fit the event, a missing attribute or a wrong type.
        """


class LineCondition(Protocol):
    """A compiled condition on the lines of a purchase."""

    @property
    def source(self) -> str:
        """The text it was compiled from."""

    def matches(self, lines: Sequence[PurchaseLine], variables: Mapping[str, Any]) -> list[bool]:
        """Return which of the lines it is true of; `variables` are those of the rules' other expressions.

        Raises:
            ExpressionFault: the condition does not fit the event.
        """


class ExpressionFault(Exception):  # noqa: N818 - a fault in a programme's rule, told to its author
    """An expression that cannot be evaluated for an event; carries the evaluator's own words."""


class AttributesCheck(Protocol):
    """A compiled JSON Schema of an event type's attributes."""

    def fault(self, attributes: Mapping[str, Any]) -> str | None:
        """Return the first thing wrong with `attributes`, as a sentence with its path, or None."""
