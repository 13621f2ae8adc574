"""The rules' language: the Common Expression Language (CEL), compiled once, evaluated by Rust."""

import re
from collections.abc import Mapping
from typing import Any

import cel

from loyalty.programme import ExpressionFault

VARIABLES = ("event", "member", "earned")
FAULT_LENGTH_MAX = 200
_BOUND_BY_MACRO = re.compile(r"\.\s*(?:all|exists|exists_one|existsOne|filter|map)\s*\(\s*(\w+)\s*,")
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
        # The line break ends a comment at the end of the source, which would swallow the brackets.
        return cls(f"event.purchase.lines.map(line, ({source}\n))")

    def allow(self, names: tuple[str, ...]) -> None:
        """Refuse any variable but `names` and those that a macro binds, `x` in `.map(x, ...)`."""
        allowed = {*names, *_BOUND_BY_MACRO.findall(self.source)}
        unknown = sorted(name for name in self._program.variables() if name not in allowed)
        if unknown:
            raise InvalidExpression(f"unknown variable {unknown[0]!r}: rules see {', '.join(names)}")

    def evaluate(self, variables: Mapping[str, Any]) -> Any:
        """Return the value; raises ExpressionFault where the expression does not fit the variables."""
        try:
            return self._program.execute(dict(variables))
        except KeyError as error:
            raise ExpressionFault(f"there is no {error}") from error
        except _FAULTS as error:
            raise ExpressionFault(" ".join(str(error).split())[:FAULT_LENGTH_MAX]) from error
