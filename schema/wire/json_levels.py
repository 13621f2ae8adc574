"""How deep JSON that a caller sends can be nested: deeper, Python, MongoDB or the response could not hold it."""

from typing import Any

LEVELS_MAX = 64
# By exact type, which is what parsers return: isinstance() would take twice as long for each value of a batch.
_NESTING = frozenset((dict, list))


def deeper_than(levels: int, value: Any) -> bool:
    """Return whether parsed lists and objects are nested in more than `levels` levels; visits each once a place."""
    level = [value] if type(value) in _NESTING else []
    while level and levels:
        levels -= 1
        below: list[Any] = []
        for part in level:
            below += [item for item in (part.values() if type(part) is dict else part) if type(item) in _NESTING]
        level = below
    return bool(level)


def may_be_deeper_than(levels: int, text: bytes | str) -> bool:
    """Return False if a JSON text has too few brackets to be nested in more than `levels` levels."""
    if isinstance(text, str):
        return text.count("[") + text.count("{") > levels
    return text.count(b"[") + text.count(b"{") > levels
