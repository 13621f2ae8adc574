"""Caches types that are built from immutable objects: offers, rewards and tiers, per language and channel."""

from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

ENTRIES_MAX = 20_000


class TypeCache:
    """Caches what was built from objects, by the identity of the objects; when full, it is emptied.

    It holds the objects too, so that no other object gets the same identity meanwhile.
    """

    def __init__(self) -> None:
        self._entries: dict[tuple[Any, ...], tuple[Any, object, object]] = {}

    def of(self, build: Callable[..., T], item: object, whole: object, *words: Any) -> T:
        """Return `build(item, whole, *words)`, from the cache if it was built before."""
        key = (id(item), id(whole), *words)
        entry = self._entries.get(key)
        if entry is None:
            if len(self._entries) >= ENTRIES_MAX:
                self._entries.clear()
            entry = self._entries[key] = build(item, whole, *words), item, whole
        built: T = entry[0]
        return built
