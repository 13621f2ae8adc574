"""Compiles and evaluates the conditions and formulas of programme files: Common Expression Language (CEL), in Rust."""

import re
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any

import cel

from loyalty.model.event import PurchaseLine
from loyalty.model.expression import ExpressionError

VARIABLES = ("event", "member", "earned")
LINE_FIELDS = ("sku", "quantity", "amount", "category", "brand")
TEXT_FIELDS = frozenset({"sku", "category", "brand"})
CACHED_MAX = 10_000
FAULT_LENGTH_MAX = 200
# The values of a line that conditions can read; must agree with loyalty/rules/expression_variables.py.
_READ: dict[str, Callable[[PurchaseLine], Any]] = {
    "sku": lambda line: line.sku,
    "quantity": lambda line: float(line.quantity),
    "amount": lambda line: float(line.amount),
    "category": lambda line: line.category or "",
    "brand": lambda line: line.brand or "",
}
_MISSING = object()
_MEMBER = re.compile(r"\bmember\b")
# Not followed by a call, an index or a third path step; `\b` stops the match from ending inside a name.
_MEMBER_PATH = re.compile(r"\bmember\.(\w+(?:\.\w+)?)\b(?!\s*[.(\[])")
_BOUND_BY_MACRO = re.compile(r"\.\s*(?:all|exists|exists_one|existsOne|filter|map)\s*\(\s*(\w+)\s*,")
_FAULTS = (ValueError, TypeError, KeyError, RuntimeError, ZeroDivisionError, OverflowError, IndexError)


class InvalidExpression(ValueError):  # noqa: N818 - shown to the author of a programme
    """The text is not a CEL expression, or uses an unknown name; the message says which names are allowed."""


class CelExpression:
    """A compiled CEL expression over `event`, `member` and `earned`."""

    __slots__ = ("_program", "names", "source")

    def __init__(self, source: str) -> None:
        """Compile `source`.

        Raises:
            InvalidExpression: it does not parse.
        """
        self.source = source
        try:
            self._program = cel.compile(source)
        except _FAULTS as error:
            raise InvalidExpression(str(error).replace("\n", " ")) from error
        self.names = tuple(self._program.variables())

    @classmethod
    def over_event(cls, source: str) -> "CelExpression":
        """Compile an expression over `VARIABLES`; raises InvalidExpression also for any other variable."""
        expression = cls(source)
        expression.require_known_variables(VARIABLES)
        return expression

    def require_known_variables(self, names: tuple[str, ...]) -> None:
        """Raise InvalidExpression for any variable but `names` and those that a macro binds, `x` in `.map(x, ...)`."""
        allowed = {*names, *_BOUND_BY_MACRO.findall(self.source)}
        unknown = sorted(name for name in self.names if name not in allowed)
        if unknown:
            raise InvalidExpression(f"unknown variable {unknown[0]!r}; use {', '.join(names)}")

    def evaluate(self, variables: Mapping[str, Any]) -> Any:
        """Return the value; raises ExpressionError if a name is missing or a type does not fit."""
        # Pass only the variables that the expression uses: converting each value for the evaluator costs time.
        return self.execute({name: variables[name] for name in self.names if name in variables})

    def execute(self, variables: dict[str, Any]) -> Any:
        """Return the value for exactly these variables; raises ExpressionError as `evaluate` does."""
        try:
            return self._program.execute(variables)
        except KeyError as error:
            raise ExpressionError(f"unknown name {error}") from error
        except _FAULTS as error:
            raise ExpressionError(" ".join(str(error).split())[:FAULT_LENGTH_MAX]) from error

    def check(self, variables: Mapping[str, Any]) -> None:
        """Evaluate once over sample values, so that errors which no event could avoid are found when a file is checked.

        Raises:
            InvalidExpression: a name does not exist, or an operator does not accept its operands' types.
        """
        try:
            self._program.execute({name: variables[name] for name in self.names if name in variables})
        except KeyError as error:
            raise InvalidExpression(f"unknown name {error}; check the spelling") from error
        except TypeError as error:
            raise InvalidExpression(" ".join(str(error).split())[:FAULT_LENGTH_MAX]) from error
        except _FAULTS:
            return  # depends on the values: a division by zero, an index out of range


class CelMemberCondition(CelExpression):
    """A condition over `member`, with a cache of results by the values it reads: few combinations occur."""

    __slots__ = ("_cache", "_paths")

    def __init__(self, source: str) -> None:
        """Compile `source`; raises InvalidExpression as CelExpression does."""
        super().__init__(source)
        paths = {tuple(path.split(".")) for path in _MEMBER_PATH.findall(source)}
        # Any other use of `member` than member.name or member.name.name may read every field: it is not cached.
        plain = self.names == ("member",) and len(_MEMBER.findall(source)) == len(_MEMBER_PATH.findall(source))
        self._paths = tuple(sorted(paths)) if plain else None
        self._cache: dict[tuple[Any, ...], Any] = {}

    def evaluate(self, variables: Mapping[str, Any]) -> Any:
        """Return the value; raises ExpressionError if a name is missing or a type does not fit."""
        if self._paths is None:
            return super().evaluate(variables)
        try:
            values = tuple([_at(variables["member"], path) for path in self._paths])
            result = self._cache.get(values, _MISSING)
        except (KeyError, TypeError):
            return super().evaluate(variables)  # its error names the missing field
        if result is _MISSING:
            result = super().evaluate(variables)
            if len(self._cache) >= CACHED_MAX:
                self._cache.clear()
            self._cache[values] = result
        return result


def _at(value: Any, path: tuple[str, ...]) -> tuple[type, Any]:
    """Return the type and value at a path. The type is there because 1 and 1.0 are equal as dict keys."""
    for name in path:
        value = value[name]
    return type(value), value


class CelLineCondition:
    """A condition over `line`, evaluated once for each distinct combination of the fields that it reads.

    If it reads only a line's text fields (`TEXT_FIELDS`), results are cached across purchases: the same products recur.
    """

    __slots__ = ("_expression", "_fields", "_known", "_outer", "_text", "source")

    def __init__(self, source: str) -> None:
        """Compile `source`; raises InvalidExpression as CelExpression does."""
        self.source = source
        self._expression = CelExpression(source)
        self._expression.require_known_variables((*VARIABLES, "line"))
        named = tuple(name for name in LINE_FIELDS if re.search(rf"\b{name}\b", source))
        self._fields = named or LINE_FIELDS
        self._outer = tuple(name for name in self._expression.names if name in VARIABLES)
        is_cached = not self._outer and TEXT_FIELDS.issuperset(self._fields)
        self._text = attrgetter(*self._fields) if is_cached else None
        # Whether a line is one of the condition's, by the text of its fields; empty unless results are cached.
        self._known: dict[Any, bool] = {}

    def check(self, variables: Mapping[str, Any]) -> None:
        """Evaluate once over sample values; raises InvalidExpression as CelExpression does."""
        self._expression.check({**variables, "line": variables["event"]["purchase"]["lines"][0]})

    def evaluate(self, variables: Mapping[str, Any]) -> list[Any]:
        """Return the value for each line of `event.purchase`; raises ExpressionError as CelExpression does."""
        lines = variables["event"]["purchase"]["lines"]
        return self._values([tuple(line[name] for name in self._fields) for line in lines], variables)

    def matches(self, lines: Sequence[PurchaseLine], variables: Mapping[str, Any]) -> list[bool]:
        """Return for each line whether the condition is true; raises ExpressionError as CelExpression does."""
        if self._text is None:
            return self._evaluated(lines, variables)
        texts = [*map(self._text, lines)]
        try:
            return [self._known[text] for text in texts]
        except KeyError:
            matches = self._evaluated(lines, variables)
            if len(self._known) > CACHED_MAX:
                self._known.clear()
            self._known.update(zip(texts, matches, strict=True))
            return matches

    def _evaluated(self, lines: Sequence[PurchaseLine], variables: Mapping[str, Any]) -> list[bool]:
        read = [_READ[name] for name in self._fields]
        values = self._values([tuple(value(line) for value in read) for line in lines], variables)
        return [value is True for value in values]

    def _values(self, rows: list[tuple[Any, ...]], variables: Mapping[str, Any]) -> list[Any]:
        """Return the value for each row; a row holds the values of `_fields`."""
        results: dict[tuple[Any, ...], Any] = {}
        outer = {name: variables[name] for name in self._outer}
        for row in rows:
            if row not in results:
                results[row] = self._expression.execute({**outer, "line": dict(zip(self._fields, row, strict=True))})
        return [results[row] for row in rows]
