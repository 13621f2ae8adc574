"""Pools of codes, loaded from files. A code is one document for ever: once loaded it is never free a second time."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from pymongo.errors import BulkWriteError

from loyalty.model.supply import CodeState
from models.mongo.bson import Document
from models.mongo.database import Database
from models.mongo.ids import code_id

CODES_MAX = 1_000_000
CODE_LENGTH_MAX = 64
TOLD_MAX = 10
BATCH = 1000
NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
_DUPLICATE_KEY = 11000

Line = tuple[int, str]


class InvalidLoad(Exception):  # noqa: N818 - told to whoever loads
    """A pool or a list cannot be loaded under this name, or its file is too long; says what to do."""


@dataclass(slots=True)
class LoadedCodes:
    """What loading a file did: codes that are new, codes that were in the pool, and lines that are no codes.

    `told` are the first TOLD_MAX refused lines: their numbers, from 1, and why.
    """

    loaded: int = 0
    known: int = 0
    refused: int = 0
    told: list[Line] = field(default_factory=list)

    def refuse(self, number: int, reason: str) -> None:
        """Note a line that is no code."""
        self.refused += 1
        if len(self.told) < TOLD_MAX:
            self.told.append((number, reason))


def checked_name(name: str, what: str) -> str:
    """Return the name of a pool or a list, as programme files write such names.

    Raises:
        InvalidLoad: no programme could name it.
    """
    if NAME.fullmatch(name) is None:
        raise InvalidLoad(f"{name!r} is no name of a {what}: write up to 40 of a-z, 0-9 and -, beginning with a letter")
    return name


def filled_lines(lines: Iterable[str], most: int) -> Iterator[Line]:
    """Tell the lines that are not blank, without the spaces around them, with their numbers from 1.

    Raises:
        InvalidLoad: there are more than `most`.
    """
    filled = 0
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if not text:
            continue
        filled += 1
        if filled > most:
            raise InvalidLoad(f"line {number}: a file may have {most:,} lines that are not blank; load it in parts")
        yield number, text


def _fault(code: str) -> str | None:
    if len(code) > CODE_LENGTH_MAX:
        return f"{len(code)} characters; a code has {CODE_LENGTH_MAX} at most"
    return None if code.isprintable() else "characters that cannot be printed"


async def load_codes(
    database: Database,
    programme: str,
    pool: str,
    lines: Iterable[str],
    *,
    on_progress: Callable[[int], None] = lambda _done: None,
) -> LoadedCodes:
    """Add the codes of a file, one a line, to a pool. A code that is there already stays as it is, whoever has it.

    It can be interrupted anywhere and run again. `on_progress` is told how many lines are done.

    Raises:
        InvalidLoad: the pool cannot have this name, or there are more than CODES_MAX lines.
    """
    checked_name(pool, "pool")
    tally = LoadedCodes()
    rest = filled_lines(lines, CODES_MAX)
    while batch := list(islice(rest, BATCH)):
        documents: list[Document] = []
        for number, code in batch:
            reason = _fault(code)
            if reason is not None:
                tally.refuse(number, reason)
                continue
            fields = {"programme": programme, "pool": pool, "code": code, "state": CodeState.FREE.value}
            documents.append({"_id": code_id(programme, pool, code), **fields})
        known = await _insert(database, documents)
        tally.known += known
        tally.loaded += len(documents) - known
        on_progress(tally.loaded + tally.known + tally.refused)
    return tally


async def _insert(database: Database, documents: list[Document]) -> int:
    """Insert what is not there yet; return how many were."""
    if not documents:
        return 0
    try:
        await database.codes.insert_many(documents, ordered=False)
    except BulkWriteError as error:
        faults = error.details.get("writeErrors", [])
        if error.details.get("writeConcernErrors") or any(fault.get("code") != _DUPLICATE_KEY for fault in faults):
            raise
        return len(faults)
    return 0


async def pool_counts(database: Database, programme: str, pool: str) -> dict[CodeState, int]:
    """Return how many codes of a pool are in each state."""
    counts = dict.fromkeys(CodeState, 0)
    stages: list[Document] = [
        {"$match": {"programme": programme, "pool": pool}},
        {"$group": {"_id": "$state", "codes": {"$sum": 1}}},
    ]
    async for found in await database.codes.aggregate(stages):
        counts[CodeState(found["_id"])] = found["codes"]
    return counts
