"""What is kept in memory, bounded in number and size: what was not asked for longest goes first."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


def characters(text: str, _value: object) -> int:
    """Return the size of what is kept of a text: a parsed document takes up to 400 bytes for each of its characters."""
    return len(text)


def _nothing(_key: Any, _value: Any) -> int:
    return 0


class Kept(Generic[K, T]):
    """At most `count_max` values, and of at most `size_max` together, as `size_of` counts them."""

    def __init__(
        self, *, count_max: int | None = None, size_max: int = 0, size_of: Callable[[K, T], int] = _nothing
    ) -> None:
        self._count_max, self._size_max, self._size_of = count_max, size_max, size_of
        self._values: OrderedDict[K, T] = OrderedDict()
        self._size = 0

    def __contains__(self, key: K) -> bool:
        return key in self._values

    def get(self, key: K) -> T | None:
        """Return what is kept under a key, or None. It is asked for by that."""
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
        return value

    def put(self, key: K, value: T) -> None:
        """Keep a value, in place of the one that may be there; one that is too large by itself drives no other out."""
        self.drop(key)
        size = self._size_of(key, value)
        if size > self._size_max:
            return
        self._values[key] = value
        self._size += size
        while self._size > self._size_max or (self._count_max is not None and len(self._values) > self._count_max):
            self.drop(next(iter(self._values)))

    def drop(self, key: K, value: T | None = None) -> None:
        """Forget what is kept under a key, where it is `value` still."""
        kept = self._values.get(key)
        if kept is not None and (value is None or kept is value):
            del self._values[key]
            self._size -= self._size_of(key, kept)
