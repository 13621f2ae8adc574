"""Checks CEL expressions before any event: names, fields, functions, macros and the kinds of operands, in every branch.

The evaluator finds an unknown function or a wrong operand only when it evaluates it, which may be for a rare event, or
after `&&` and `||`, which ignore the error of an operand that does not matter.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from itertools import product
from typing import NoReturn

from models.definitions.cel_kinds import (
    BOOL,
    BYTES,
    CONTAINERS,
    DOUBLE,
    FUNCTIONS,
    INT,
    METHODS,
    NULL,
    NUMBERS,
    STRING,
    TYPE,
    UINT,
    UNKNOWN,
    Kind,
    Kinds,
    is_unknown,
    list_of,
    merged,
    operated,
)

_TOKEN = re.compile(
    r"""(?P<space>\s+|//[^\n]*)
    |(?P<text>(?:[bB][rR]?|[rR][bB]?)?(?:\"\"\"(?:\\.|.)*?\"\"\"|'''(?:\\.|.)*?'''|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))
    |(?P<number>0[xX][0-9a-fA-F]+[uU]?|(?:\d+\.\d+|\.\d+|\d+)(?:[eE][+-]?\d+)?[uU]?)
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<sign>&&|\|\||[<>=!]=|[-+*/%<>!?:.,()\[\]{}])""",
    re.VERBOSE | re.DOTALL,
)
_PLAIN_TEXT = re.compile(r"""['"]([^'"\\]*)['"]""")
_PRECEDENCE = (("||",), ("&&",), ("<", "<=", ">", ">=", "==", "!=", "in"), ("+", "-"), ("*", "/", "%"))
_CONSTANTS = {"true": BOOL, "false": BOOL, "null": NULL}
_TYPES = frozenset({"int", "uint", "double", "bool", "string", "bytes", "list", "map", "null_type", "type"})
_MACROS = frozenset({"all", "exists", "exists_one", "existsOne", "map", "filter"})


CONDITION = frozenset({BOOL.name}), "write a comparison, for example member.rank >= 1"
FORMULA = NUMBERS, "write a number of points"


class KindError(ValueError):
    """An expression that fails for some event whatever its values; the message says why, for its author."""


def require_kinds(source: str, variables: Mapping[str, Kind], use: tuple[frozenset[str], str]) -> None:
    """Check an expression, which the evaluator has parsed, for its `use`: CONDITION or FORMULA.

    Raises:
        KindError: a name, a field or a function does not exist, an operand does not fit, or a result does not.
    """
    allowed, expected = use
    wrong = {kind.name for kind in _Check(source, variables).whole()} - {*allowed, UNKNOWN.name}
    if wrong:
        raise KindError(f"results in {' or '.join(sorted(wrong))}; {expected}")


def _tokens(source: str) -> list[tuple[str, str]]:
    found, place = [], 0
    while place < len(source):
        match = _TOKEN.match(source, place)
        if match is None:
            raise KindError(f"{source[place : place + 20]!r} is not supported here")
        if match.lastgroup != "space":
            found.append((str(match.lastgroup), match.group()))
        place = match.end()
    return found


class _Check:
    """Reads an expression once, from left to right, and works out the kinds of its parts (recursive descent)."""

    def __init__(self, source: str, variables: Mapping[str, Kind]) -> None:
        self._tokens = [*_tokens(source), ("end", "")]
        self._place = 0
        self._names: dict[str, Kinds] = {name: (kind,) for name, kind in variables.items()}
        self._variables = tuple(variables)

    def whole(self) -> Kinds:
        kinds = self._expression()
        if self._tokens[self._place][0] != "end":
            self._unsupported()
        return kinds

    # Tokens

    def _next(self) -> tuple[str, str]:
        token = self._tokens[self._place]
        self._place += 1
        return token

    def _is_at(self, *signs: str, ahead: int = 0) -> bool:
        place = min(self._place + ahead, len(self._tokens) - 1)
        kind, text = self._tokens[place]
        return kind in {"sign", "name"} and text in signs

    def _take(self, *signs: str) -> str | None:
        return self._next()[1] if self._is_at(*signs) else None

    def _require(self, sign: str) -> None:
        if self._take(sign) is None:
            self._unsupported()

    def _unsupported(self) -> NoReturn:
        raise KindError(f"{self._tokens[self._place][1]!r} is not supported here")

    # Operators

    def _expression(self) -> Kinds:
        condition = self._binary(0)
        if self._take("?") is None:
            return condition
        self._bool(condition, "?")
        then = self._binary(0)
        self._require(":")
        return merged(then, self._expression())

    def _binary(self, level: int) -> Kinds:
        if level == len(_PRECEDENCE):
            return self._unary()
        left = self._binary(level + 1)
        while operator := self._take(*_PRECEDENCE[level]):
            right = self._binary(level + 1)
            if operator in {"&&", "||"}:
                self._bool(left, operator)
                self._bool(right, operator)
                left = (BOOL,)
            else:
                left = self._operated(operator, left, right)
        return left

    def _operated(self, operator: str, left: Kinds, right: Kinds) -> Kinds:
        results: list[Kind] = []
        for one, other in product(left, right):
            result = operated(operator, one, other)
            if result is None:
                raise KindError(
                    f"{operator!r} does not accept {one.name} and {other.name}; convert one, for example double(x)"
                )
            results.append(result)
        return merged(tuple(results))

    @staticmethod
    def _bool(kinds: Kinds, operator: str) -> None:
        for kind in kinds:
            if kind not in {BOOL, UNKNOWN}:
                raise KindError(f"{operator!r} needs true or false, and gets {kind.name}; write a comparison")

    def _unary(self) -> Kinds:
        if self._take("!"):
            self._bool(kinds := self._unary(), "!")
            return kinds
        if self._take("-"):
            kinds = self._unary()
            for kind in kinds:
                if kind not in {INT, DOUBLE, UNKNOWN}:
                    raise KindError(f"'-' does not accept {kind.name}")
            return kinds
        return self._member()

    # Fields, indices, calls

    def _member(self) -> Kinds:
        kinds = self._primary()
        while sign := self._take(".", "["):
            kinds = self._index(kinds) if sign == "[" else self._selected(kinds)
        return kinds

    def _selected(self, kinds: Kinds) -> Kinds:
        group, name = self._next()
        if group != "name":
            self._unsupported()
        if self._take("(") is None:
            return self._field(kinds, name)
        return self._macro(kinds, name) if name in _MACROS else self._method(kinds, name)

    def _field(self, kinds: Kinds, name: str) -> Kinds:
        found: list[Kinds] = []
        for kind in kinds:
            if is_unknown(kind):
                return (UNKNOWN,)
            if kind.name != "map":
                raise KindError(f"{kind.name} has no field {name!r}")
            if kind.fields is not None and name not in kind.fields:
                raise KindError(f"unknown name {name!r}; use {', '.join(sorted(kind.fields))}")
            found.append(kind.fields[name] if kind.fields is not None else kind.items or (UNKNOWN,))
        return merged(*found)

    def _index(self, kinds: Kinds) -> Kinds:
        group, text = self._tokens[self._place]
        plain = _PLAIN_TEXT.fullmatch(text) if group == "text" and self._is_at("]", ahead=1) else None
        constant = plain.group(1) if plain is not None else None
        index = self._expression()
        self._require("]")
        if constant is not None and all(kind.name == "map" for kind in kinds):
            return self._field(kinds, constant)
        found: list[Kinds] = []
        for kind, by in product(kinds, index):
            wanted = {"list": {"int", "uint"}, "map": {"string", "int", "uint", "bool"}}.get(kind.name)
            if is_unknown(kind):
                return (UNKNOWN,)
            if wanted is None or (by.name not in wanted and not is_unknown(by)):
                raise KindError(f"{kind.name} has no index of {by.name}")
            items = kind.items or (UNKNOWN,)
            # Which field of an object it is, only the index says.
            found.append(items if kind.name == "list" or len(items) == 1 else (UNKNOWN,))
        return merged(*found)

    def _arguments(self) -> list[Kinds]:
        """Return the kinds of arguments up to the closing bracket, which is taken."""
        found: list[Kinds] = []
        while self._take(")") is None:
            if found:
                self._require(",")
            found.append(self._expression())
        return found

    def _method(self, kinds: Kinds, name: str) -> Kinds:
        if name not in METHODS:
            raise KindError(f"unknown function {name!r}; use {', '.join(sorted({*METHODS, *_MACROS}))}")
        receivers, expected, result = METHODS[name]
        self._fits(name, kinds, receivers)
        given = self._arguments()
        if len(given) != len(expected):
            raise KindError(f"{name}() takes {len(expected)} arguments, and gets {len(given)}")
        for one, wanted in zip(given, expected, strict=True):
            self._fits(name, one, {wanted})
        return (result,)

    @staticmethod
    def _fits(name: str, kinds: Kinds, allowed: Collection[str]) -> None:
        for kind in kinds:
            if kind.name not in allowed and not is_unknown(kind):
                raise KindError(f"{name}() does not accept {kind.name}, only {', '.join(sorted(allowed))}")

    def _function(self, name: str) -> Kinds:
        if name == "has":
            return self._has()
        if name not in FUNCTIONS:
            raise KindError(f"unknown function {name!r}; use {', '.join(sorted({*FUNCTIONS, 'has'}))}")
        allowed, result = FUNCTIONS[name]
        given = self._arguments()
        if len(given) != 1:
            raise KindError(f"{name}() takes 1 argument, and gets {len(given)}")
        self._fits(name, given[0], allowed)
        return (result,)

    def _has(self) -> Kinds:
        """`has(a.b)`: whether a field exists; so it may be unknown, and what it is a field of may not."""
        kinds = self._primary()
        while self._take("."):
            group, name = self._next()
            if group != "name":
                self._unsupported()
            if self._is_at(")"):
                if not all(kind.name == "map" or is_unknown(kind) for kind in kinds):
                    raise KindError(f"{kinds[0].name} has no field {name!r}")
                break
            kinds = self._field(kinds, name)
        self._require(")")
        return (BOOL,)

    # Macros, which bind a name

    def _macro(self, kinds: Kinds, name: str) -> Kinds:
        for kind in kinds:
            if kind.name not in CONTAINERS and not is_unknown(kind):
                raise KindError(f"{name}() does not accept {kind.name}, only list and map")
        group, bound = self._next()
        if group != "name" or not self._is_at(","):
            raise KindError(f"{name}() takes a name and an expression, for example {name}(x, x > 1)")
        self._require(",")
        with self._bound(bound, merged(*(self._elements(kind) for kind in kinds))):
            results = self._arguments()
        if not 1 <= len(results) <= (2 if name == "map" else 1):
            raise KindError(f"{name}() takes a name and an expression, for example {name}(x, x > 1)")
        if name != "map":
            self._bool(results[0], f"{name}()")
            return (list_of(merged(*(self._elements(kind) for kind in kinds))),) if name == "filter" else (BOOL,)
        if len(results) > 1:
            self._bool(results[0], "map()")
        return (list_of(results[-1]),)

    @staticmethod
    def _elements(kind: Kind) -> Kinds:
        """Return the kinds that a macro binds its name to: a list's items, a map's keys."""
        if kind.name == "map":
            return (STRING if kind.fields is not None else UNKNOWN,)
        return kind.items or (UNKNOWN,)

    @contextmanager
    def _bound(self, name: str, kinds: Kinds) -> Iterator[None]:
        before = dict(self._names)
        self._names[name] = kinds
        yield
        self._names = before

    # Literals and names

    def _primary(self) -> Kinds:
        group, text = self._next()
        if group == "number":
            return (_number(text),)
        if group == "text":
            return (BYTES if text[0] in "bB" else STRING,)
        if text == "(":
            kinds = self._expression()
            self._require(")")
            return kinds
        if text == "[":
            return (list_of(merged(*self._items("]"))),)
        if text == "{":
            return (Kind("map", merged(*self._entries())),)
        if text == ".":
            group, text = self._next()
        if group != "name":
            self._place -= 1
            self._unsupported()
        return self._named(text)

    def _named(self, name: str) -> Kinds:
        if self._take("("):
            return self._function(name)
        if name in self._names:
            return self._names[name]
        if name in _CONSTANTS:
            return (_CONSTANTS[name],)
        if name in _TYPES:
            return (TYPE,)
        raise KindError(f"unknown variable {name!r}; use {', '.join(self._variables)}")

    def _items(self, end: str) -> list[Kinds]:
        found: list[Kinds] = []
        while self._take(end) is None:
            if found:
                self._require(",")
                if self._take(end):  # a comma after the last item
                    break
            found.append(self._expression())
        return found

    def _entries(self) -> list[Kinds]:
        found: list[Kinds] = []
        while self._take("}") is None:
            if found:
                self._require(",")
            self._expression()
            self._require(":")
            found.append(self._expression())
        return found


def _number(text: str) -> Kind:
    if text[-1] in "uU":
        return UINT
    is_hexadecimal = text[:2].lower() == "0x"
    return DOUBLE if not is_hexadecimal and any(sign in text for sign in ".eE") else INT
