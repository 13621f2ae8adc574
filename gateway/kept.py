"""What texts come to, kept by the text itself and bounded: the texts that were not asked for longest go first."""

from collections import OrderedDict
from typing import Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """At most `count_max` values, whose texts have at most `characters_max` characters together.

    The bound on characters is what bounds memory: a parsed document takes up to 400 bytes for each of its characters.
    """

    def __init__(self, *, count_max: int, characters_max: int) -> None:
        self._count_max, self._characters_max = count_max, characters_max
        self._values: OrderedDict[str, T] = OrderedDict()
        self._characters = 0

    def get(self, text: str) -> T | None:
        """Return what is kept for a text, or None."""
        value = self._values.get(text)
        if value is not None:
            self._values.move_to_end(text)
        return value

    def put(self, text: str, value: T) -> None:
        """Keep the value of a text that nothing is kept for yet."""
        self._values[text] = value
        self._characters += len(text)
        while len(self._values) > self._count_max or self._characters > self._characters_max:
            oldest, _ = self._values.popitem(last=False)
            self._characters -= len(oldest)
