"""The wrong attempts that one process knows of, and how long their callers have to wait."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cachetools import LRUCache

SPAN = timedelta(minutes=15)
"""After this time without a wrong attempt, all are forgotten; nobody waits longer."""

NO_WAIT = timedelta(0)
GUESSERS_MAX = 10_000
DOUBLED_MAX = 30


@dataclass(frozen=True, slots=True)
class Guesser:
    """Whose wrong attempts are counted, and how many are free within SPAN.

    `shared`: the count of all gateways is read before each attempt; otherwise after the first wrong one.
    """

    id: str
    free: int
    shared: bool = False

    def wait(self, wrong: int) -> timedelta:
        """Return for how long no attempt is allowed after the last of `wrong` ones: 1 s, then twice as long each."""
        if wrong < self.free:
            return NO_WAIT
        return min(timedelta(seconds=2 ** min(wrong - self.free, DOUBLED_MAX)), SPAN)


class Guesses:
    """The wrong attempts that one process knows of, by guesser: how many, and when the last one was."""

    def __init__(self) -> None:
        self._counts = LRUCache[str, tuple[int, datetime]](GUESSERS_MAX)

    def wait(self, guessers: Sequence[Guesser], now: datetime) -> timedelta:
        """Return for how long none of the guessers may try."""
        longest = NO_WAIT
        for guesser in guessers:
            known = self._counts.get(guesser.id)
            if known is not None:
                wrong, last = known
                longest = max(longest, last + guesser.wait(wrong) - now)
        return longest

    def wrong(self, guesser: Guesser, now: datetime) -> int:
        """Return how often a guesser was wrong."""
        wrong, last = self._counts.get(guesser.id, (0, now))
        return wrong if now - last < SPAN else 0

    def count(self, guesser: Guesser, times: int, now: datetime) -> None:
        """Count wrong attempts."""
        self._counts[guesser.id] = self.wrong(guesser, now) + times, now

    def learn(self, guesser: Guesser, wrong: int, last: datetime) -> None:
        """Note the count of all gateways, if it is higher than the one known here."""
        if wrong > self.wrong(guesser, last):
            self._counts[guesser.id] = wrong, last
