"""The rules' language: the Common Expression Language (CEL), compiled once, evaluated by Rust."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import cel

from loyalty.model.event import PurchaseLine
from loyalty.model.expression import ExpressionFault

VARIABLES = ("event", "member", "earned")
LINE_FIELDS = ("sku", "quantity", "amount", "category", "brand")
WORDS = frozenset({"sku", "category", "brand"})
KEPT_MAX = 10_000
FAULT_LENGTH_MAX = 200
# A line as conditions see it, as `event_variables()` of loyalty/rules/earning.py does.
_READ: dict[str, Callable[[PurchaseLine], Any]] = {
    "sku": lambda line: line.sku,
    "quantity": lambda line: float(line.quantity),
    "amount": lambda line: float(line.amount),
    "category": lambda line: line.category or "",
    "brand": lambda line: line.brand or "",
}
_MISSING = object()
_MEMBER = re.compile(r"\bmember\b")
# Not followed by a call, an index or more of a path, nor by what would make it longer.
_MEMBER_PATH = re.compile(r"\bmember\.(\w+(?:\.\w+)?)\b(?!\s*[.(\[])")
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


class CelMemberCondition(CelExpression):
    """A condition over `member`. Members are alike in what it looks at: what it said of such values is kept."""

    __slots__ = ("_kept", "_paths")

    def __init__(self, source: str) -> None:
        """Compile `source`; raises InvalidExpression as CelExpression does."""
        super().__init__(source)
        paths = {tuple(path.split(".")) for path in _MEMBER_PATH.findall(source)}
        # Whatever is not read as member.name, or member.name.name, may look at all of it.
        plain = self.names == ("member",) and len(_MEMBER.findall(source)) == len(_MEMBER_PATH.findall(source))
        self._paths = tuple(sorted(paths)) if plain else None
        self._kept: dict[tuple[Any, ...], Any] = {}

    def evaluate(self, variables: Mapping[str, Any]) -> Any:
        """Return the value; raises ExpressionFault where the expression does not fit the variables."""
        if self._paths is None:
            return super().evaluate(variables)
        try:
            seen = tuple([_at(variables["member"], path) for path in self._paths])
            known = self._kept.get(seen, _MISSING)
        except (KeyError, TypeError):
            return super().evaluate(variables)  # says what there is not
        if known is _MISSING:
            known = super().evaluate(variables)
            if len(self._kept) >= KEPT_MAX:
                self._kept.clear()
            self._kept[seen] = known
        return known


def _at(value: Any, path: tuple[str, ...]) -> tuple[type, Any]:
    """Return the type and value at a path: 1 and 1.0 are one key, and not one value."""
    for name in path:
        value = value[name]
    return type(value), value


class CelLineCondition:
    """A condition over `line`, evaluated once for each different line of a purchase as far as it looks at them.

    Where it looks at nothing but a line's words, what it said of them is kept: products are bought again and again.
    """

    __slots__ = ("_expression", "_fields", "_kept", "_outer", "source")

    def __init__(self, source: str) -> None:
        """Compile `source`; raises InvalidExpression as CelExpression does."""
        self.source = source
        self._expression = CelExpression(source)
        self._expression.allow((*VARIABLES, "line"))
        named = tuple(name for name in LINE_FIELDS if re.search(rf"\b{name}\b", source))
        self._fields = named or LINE_FIELDS
        self._outer = tuple(name for name in self._expression.names if name in VARIABLES)
        self._kept: dict[tuple[Any, ...], Any] | None = (
            {} if not self._outer and WORDS.issuperset(self._fields) else None
        )

    def rehearse(self, variables: Mapping[str, Any]) -> None:
        """Evaluate once over made-up values; raises InvalidExpression as CelExpression does."""
        self._expression.rehearse({**variables, "line": variables["event"]["purchase"]["lines"][0]})

    def evaluate(self, variables: Mapping[str, Any]) -> list[Any]:
        """Return the value for each line of `event.purchase`; raises ExpressionFault where it does not fit."""
        lines = variables["event"]["purchase"]["lines"]
        return self._values([tuple(line[name] for name in self._fields) for line in lines], variables)

    def matches(self, lines: Sequence[PurchaseLine], variables: Mapping[str, Any]) -> list[bool]:
        """Return which of the lines it is true of; raises ExpressionFault where it does not fit."""
        read = [_READ[name] for name in self._fields]
        values = self._values([tuple(value(line) for value in read) for line in lines], variables)
        return [value is True for value in values]

    def _values(self, rows: list[tuple[Any, ...]], variables: Mapping[str, Any]) -> list[Any]:
        """Return the value for each row of `_fields`."""
        known = self._kept
        if known is None:
            known = {}
        elif len(known) > KEPT_MAX:
            known.clear()
        outer = {name: variables[name] for name in self._outer}
        for row in rows:
            if row not in known:
                known[row] = self._expression.execute({**outer, "line": dict(zip(self._fields, row, strict=True))})
        return [known[row] for row in rows]
