"""The kinds of values in CEL expressions, and which kinds its operators and functions accept.

They are those of the evaluator (`cel`), which has no type checker: it converts nothing, and fails only at the operand
that it evaluates. `Kinds` is a set, because the branches of `? :` can differ.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Kind:
    """The kind of a value. A list or map has items; an object is a map of which every field is known."""

    name: str
    items: "Kinds | None" = None
    fields: "Mapping[str, Kinds] | None" = None

    def __hash__(self) -> int:
        return hash(self.name)


Kinds = tuple[Kind, ...]

INT, UINT, DOUBLE = Kind("int"), Kind("uint"), Kind("double")
STRING, BYTES, BOOL, NULL = Kind("string"), Kind("bytes"), Kind("bool"), Kind("null")
TIMESTAMP, DURATION, TYPE = Kind("timestamp"), Kind("duration"), Kind("type")
# Known only when an event is evaluated: the attributes of an event.
UNKNOWN = Kind("any")

NUMBERS = frozenset({"int", "uint", "double"})
CONTAINERS = frozenset({"list", "map"})
_ARITHMETIC = {
    "+": {**{(name, name): name for name in (*NUMBERS, "string", "bytes", "list", "duration")}},
    "-": {**{(name, name): name for name in (*NUMBERS, "duration")}, ("timestamp", "timestamp"): "duration"},
    "*": {(name, name): name for name in NUMBERS},
    "/": {(name, name): name for name in NUMBERS},
    "%": {("int", "int"): "int", ("uint", "uint"): "uint"},
}
_ARITHMETIC["+"]["timestamp", "duration"] = _ARITHMETIC["-"]["timestamp", "duration"] = "timestamp"
_ORDERED = NUMBERS | {"string", "bool", "bytes", "timestamp", "duration"}
_OF_TIME = ("getHours", "getMinutes", "getSeconds", "getMilliseconds")
_OF_DATE = ("getFullYear", "getMonth", "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear")
_SIZED = CONTAINERS | {"string", "bytes"}
ANY = NUMBERS | _SIZED | {"bool", "null", "timestamp", "duration", "type"}
# Name: the kinds of the one argument, and the kind of the result (None: that of the argument).
FUNCTIONS: Mapping[str, tuple[frozenset[str], Kind]] = {
    "size": (_SIZED, INT),
    "int": (NUMBERS | {"string"}, INT),
    "uint": (NUMBERS | {"string"}, UINT),
    "double": (NUMBERS | {"string"}, DOUBLE),
    "string": (NUMBERS | {"string", "bytes", "timestamp", "duration"}, STRING),
    "bytes": (frozenset({"string", "bytes"}), BYTES),
    "timestamp": (frozenset({"string", "timestamp"}), TIMESTAMP),
    "duration": (frozenset({"string", "duration"}), DURATION),
    "type": (ANY, TYPE),
    "dyn": (ANY, UNKNOWN),
}
# Name: the kinds of the receiver, those of the arguments, and the kind of the result.
METHODS: Mapping[str, tuple[frozenset[str], tuple[str, ...], Kind]] = {
    "size": (_SIZED, (), INT),
    **{name: (frozenset({"string"}), ("string",), BOOL) for name in ("startsWith", "endsWith", "contains", "matches")},
    **{name: (frozenset({"timestamp", "duration"}), (), INT) for name in _OF_TIME},
    **{name: (frozenset({"timestamp"}), (), INT) for name in _OF_DATE},
}


def list_of(items: Kinds) -> Kind:
    """Return the kind of a list."""
    return Kind("list", items)


def kind_of(value: Any) -> Kind:
    """Return the kind of a sample value; an empty dict or list stands for any content."""
    if isinstance(value, Mapping):
        fields = {name: (kind_of(item),) for name, item in value.items()}
        return Kind("map", merged(*fields.values()), fields) if fields else UNKNOWN
    if isinstance(value, list | tuple):
        return list_of((kind_of(value[0]),) if value else (UNKNOWN,))
    return {bool: BOOL, int: INT, float: DOUBLE, str: STRING}[type(value)]


def merged(*several: Kinds) -> Kinds:
    """Return the kinds that occur in any of `several`; UNKNOWN if there is none."""
    return tuple(dict.fromkeys(kind for kinds in several for kind in kinds)) or (UNKNOWN,)


def is_unknown(*kinds: Kind) -> bool:
    """Return whether any of the kinds is known only at run time."""
    return UNKNOWN in kinds


def operated(operator: str, left: Kind, right: Kind) -> Kind | None:
    """Return the kind of the result of a binary operator; None if it does not accept these kinds."""
    if operator in {"==", "!="}:
        return BOOL if _comparable(left, right) else None
    if operator == "in":
        return _contained(left, right)
    if is_unknown(left, right):
        return UNKNOWN if operator in _ARITHMETIC else BOOL
    if operator in _ARITHMETIC:
        name = _ARITHMETIC[operator].get((left.name, right.name))
        if name == "list":
            return list_of(merged(left.items or (), right.items or ()))
        return Kind(name) if name is not None else None
    both = {left.name, right.name}
    return BOOL if both <= NUMBERS or (len(both) == 1 and both <= _ORDERED) else None


def _comparable(left: Kind, right: Kind) -> bool:
    """Return whether two values can be equal at all."""
    both = {left.name, right.name}
    return is_unknown(left, right) or len(both) == 1 or both <= NUMBERS or "null" in both


def _contained(left: Kind, right: Kind) -> Kind | None:
    if is_unknown(right):
        return BOOL
    if right.name not in CONTAINERS:
        return None
    members = right.items or (UNKNOWN,) if right.name == "list" else (STRING if right.fields else UNKNOWN,)
    return BOOL if any(_comparable(left, member) for member in members) else None
