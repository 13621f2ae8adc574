"""How deep JSON that a caller sends can be nested: deeper, Python, MongoDB or the response could not hold it."""

from typing import Any

LEVELS_MAX = 64


def deeper_than(levels: int, value: Any) -> bool:
    """Return whether lists and objects are nested in more than `levels` levels; visits each at most once a place."""
    level = [value] if isinstance(value, dict | list) else []
    while level and levels:
        levels -= 1
        level = [
            item
            for part in level
            for item in (part.values() if isinstance(part, dict) else part)
            if isinstance(item, dict | list)
        ]
    return bool(level)
