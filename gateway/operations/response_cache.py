"""Whole answers, kept in memory, and given again only when a read has just proved that all they rest on is the same.

An answer is kept by what was asked, word for word, and by all about who asked that an answer can depend on. Before it
is given, the versions of its members and the counters that it shows are read, in one batch with those of all requests
in flight: so it is as fresh as an answer that is made anew, and costs an eighth.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.lru_cache import Kept
from gateway.operations.answer_expiry import valid_until
from models.programmes.programme_store import Programmes
from models.reads.dependencies import Proof, Rests
from models.reads.reader import Reader
from resolvers.core.context import Context
from resolvers.core.fault import Unavailable
from resolvers.core.member import answered

Key = tuple[bytes, str, tuple[Any, ...] | None, str | None, str | None]
"""What was asked, by which method, by whom, in which language and on which channel."""

PROOF_SECONDS_MAX = 2.0
OVERHEAD_BYTES = 1000
"""What an answer takes besides its own bytes and those of what was asked, about."""


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """An answer in bytes, with the name of its operation; `until` when time alone may make another of it."""

    body: bytes
    name: str | None
    rests: Rests
    turn: int
    until: datetime | None
    size: int


class Answers:
    """The answers of one process, at most `bytes_max` in all; those that were not asked for longest go first."""

    def __init__(
        self,
        reader: Reader,
        programmes: Programmes,
        clock: Callable[[], datetime],
        *,
        bytes_max: int,
        seconds_max: float = PROOF_SECONDS_MAX,
    ) -> None:
        self._reader, self._programmes, self._clock = reader, programmes, clock
        self._seconds_max = seconds_max
        self._answers = Kept[Key, KeptAnswer](size_max=bytes_max, size_of=lambda _, answer: answer.size)

    @property
    def turn(self) -> int:
        """What programmes and catalogues are at; an answer is of one turn."""
        return self._programmes.turn

    async def current(self, key: Key) -> KeptAnswer | None:
        """Return the answer to what was asked before, if it still holds."""
        answer = self._answers.get(key)
        if answer is None:
            return None
        over = answer.until is not None and self._clock() >= answer.until
        if over or answer.turn != self.turn or not await self._holds(answer):
            self._answers.drop(key, answer)
            return None
        if answer.turn != self.turn:  # it was another one while the read was under way
            return None
        return answer

    async def _holds(self, answer: KeptAnswer) -> bool:
        if answer.rests.is_nothing:
            return True
        try:
            async with asyncio.timeout(self._seconds_max):
                return await answered(self._reader.holds(answer.rests))
        except (Unavailable, TimeoutError):
            return False  # who makes the answer anew says what is wrong

    def keep(self, key: Key, body: bytes, name: str | None, *, turn: int, proof: Proof, context: Context) -> None:
        """Keep an answer, unless it is for this once; `turn` is what it was when the answer was begun."""
        if not proof.lasts or turn != self.turn:
            return
        now = self._clock()
        # Who is nobody may ask for any programme's catalogue.
        about = [context.actor.programme] if context.actor is not None else self._programmes.keys()
        programmes = [programme for brand in about if (programme := self._programmes.find(brand)) is not None]
        if not programmes:
            return
        until = valid_until(proof, programmes, now)
        size = len(key[0]) + len(body) + OVERHEAD_BYTES
        if until is not None and until <= now:
            return
        self._answers.put(key, KeptAnswer(body, name, proof.rests(), turn, until, size))
