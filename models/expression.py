"""The rules' language: the Common Expression Language (CEL), compiled once, evaluated by Rust."""

import re
from collections.abc import Mapping
from typing import Any

import cel

from loyalty.expression import ExpressionFault

VARIABLES = ("event", "member", "earned")
LINE_FIELDS = ("sku", "quantity", "amount", "category", "brand")
FAULT_LENGTH_MAX = 200
_BOUND_BY_MACRO = re.compile(r"\.\s*(?:all|exists|exists_one|existsOne|filter|map)\s*\(\s*(\w+)\s*,")
_FAULTS = (ValueError, TypeError, KeyError, RuntimeError, ZeroDivisionError, OverflowError, IndexError)


class InvalidExpression(ValueError):  # noqa: N818 - told to the author of a programme
    """A text that is no expression, or names what rules cannot see; says what is allowed."""


class CelExpression:
    """A compiled CEL expression over `event`, `member` and `earned`."""

    __slots__ = ("_program", "names", "source")

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
        self.names = tuple(self._program.variables())

    @classmethod
    def over_event(cls, source: str) -> "CelExpression":
        """Compile an expression over the rules' variables."""
        expression = cls(source)
        expression.allow(VARIABLES)
        return expression

    def allow(self, names: tuple[str, ...]) -> None:
        """Refuse any variable but `names` and those that a macro binds, `x` in `.map(x, ...)`."""
        allowed = {*names, *_BOUND_BY_MACRO.findall(self.source)}
        unknown = sorted(name for name in self.names if name not in allowed)
        if unknown:
            raise InvalidExpression(f"unknown variable {unknown[0]!r}: rules see {', '.join(names)}")

    def evaluate(self, variables: Mapping[str, Any]) -> Any:
        """Return the value; raises ExpressionFault where the expression does not fit the variables."""
        # Only what is named is handed over: every value costs its way into the evaluator.
        return self.execute({name: variables[name] for name in self.names if name in variables})

    def execute(self, variables: dict[str, Any]) -> Any:
        """Return the value for exactly these variables."""
        try:
            return self._program.execute(variables)
        except KeyError as error:
            raise ExpressionFault(f"there is no {error}") from error
        except _FAULTS as error:
            raise ExpressionFault(" ".join(str(error).split())[:FAULT_LENGTH_MAX]) from error

    def rehearse(self, variables: Mapping[str, Any]) -> None:
        """Evaluate once over made-up values; what cannot fit any event is told to the author at once.

        Raises:
            InvalidExpression: a name is misspelt, or types are mixed that CEL does not mix.
        """
        try:
            self._program.execute({name: variables[name] for name in self.names if name in variables})
        except KeyError as error:
            raise InvalidExpression(f"there is no {error}") from error
        except TypeError as error:
            raise InvalidExpression(" ".join(str(error).split())[:FAULT_LENGTH_MAX]) from error
        except _FAULTS:
            return  # depends on the values: a division by zero, an index


class CelLineCondition:
    """A condition over `line`, evaluated once for each different line of a purchase as far as it looks at them."""

    __slots__ = ("_expression", "_fields", "_outer", "source")

    def __init__(self, source: str) -> None:
        """Compile `source`; raises InvalidExpression as CelExpression does."""
        self.source = source
        self._expression = CelExpression(source)
        self._expression.allow((*VARIABLES, "line"))
        named = tuple(name for name in LINE_FIELDS if re.search(rf"\b{name}\b", source))
        self._fields = named or LINE_FIELDS
        self._outer = tuple(name for name in self._expression.names if name in VARIABLES)

    def rehearse(self, variables: Mapping[str, Any]) -> None:
        """Evaluate once over made-up values; raises InvalidExpression as CelExpression does."""
        self._expression.rehearse({**variables, "line": variables["event"]["purchase"]["lines"][0]})

    def evaluate(self, variables: Mapping[str, Any]) -> list[Any]:
        """Return the value for each line of `event.purchase`; raises ExpressionFault where it does not fit."""
        outer = {name: variables[name] for name in self._outer}
        known: dict[tuple[Any, ...], Any] = {}
        values: list[Any] = []
        for line in variables["event"]["purchase"]["lines"]:
            seen = tuple(line[name] for name in self._fields)
            if seen not in known:
                known[seen] = self._expression.execute({**outer, "line": dict(zip(self._fields, seen, strict=True))})
            values.append(known[seen])
        return values
