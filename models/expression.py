"""The rules' language: the Common Expression Language (CEL), compiled once, evaluated by Rust."""

from collections.abc import Mapping
from typing import Any

import cel

from loyalty.programme import ExpressionFault

VARIABLES = ("event", "member", "earned")
_FAULTS = (ValueError, TypeError, KeyError, RuntimeError, ZeroDivisionError, OverflowError, IndexError)


class InvalidExpression(ValueError):  # noqa: N818 - told to the author of a programme
    """A text that is no expression, or names what rules cannot see; says what is allowed."""


class CelExpression:
    """A compiled CEL expression over `event`, `member` and `earned`."""

    __slots__ = ("_program", "source")

    def __init__(self, source: str) -> None:
        """Compile `source`.

        Raises:
            InvalidExpression: it does not parse, or names another variable.
        """
        self.source = source
        try:
            self._program = cel.compile(source)
        except _FAULTS as error:
            raise InvalidExpression(str(error).replace("\n", " ")) from error

    @classmethod
    def over_event(cls, source: str) -> "CelExpression":
        """Compile an expression over the rules' variables."""
        expression = cls(source)
        expression.allow(VARIABLES)
        return expression

    @classmethod
    def over_lines(cls, source: str) -> "CelExpression":
        """Compile a condition over `line`, evaluated for all lines of a purchase in one run as a list of booleans."""
        cls(source).allow((*VARIABLES, "line"))
        return cls(f"event.purchase.lines.map(line, ({source}))")

    def allow(self, names: tuple[str, ...]) -> None:
        """Refuse any variable but `names`; the ones that a macro binds come with one of these."""
        unknown = [name for name in self._program.variables() if name not in names]
        bound = any(macro in self.source for macro in (".map(", ".filter(", ".exists(", ".all(", ".exists_one("))
        if unknown and not bound:
            raise InvalidExpression(f"unknown variable {unknown[0]!r}: rules see {', '.join(names)}")

    def evaluate(self, variables: Mapping[str, Any]) -> Any:
        """Return the value; raises ExpressionFault where the expression does not fit the variables."""
        try:
            return self._program.execute(dict(variables))
        except _FAULTS as error:
            raise ExpressionFault(str(error)) from error
