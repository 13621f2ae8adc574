"""What is made once of what never changes: offers, rewards and tiers in one language, as one channel words them."""

from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

KEPT_MAX = 20_000


class Made:
    """Keeps what was made of things, found by which they are; when there is no more room, it begins anew.

    The things themselves are kept with it, so that no other can have the same identity meanwhile.
    """

    def __init__(self) -> None:
        self._made: dict[tuple[Any, ...], tuple[Any, object, object]] = {}

    def of(self, make: Callable[..., T], item: object, whole: object, *words: Any) -> T:
        """Return `make(item, whole, *words)`: what it was the first time."""
        key = (id(item), id(whole), *words)
        known = self._made.get(key)
        if known is None:
            if len(self._made) >= KEPT_MAX:
                self._made.clear()
            known = self._made[key] = make(item, whole, *words), item, whole
        made: T = known[0]
        return made
