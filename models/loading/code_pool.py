"""Loads pools of codes from files. A code is one document, never deleted, so that it cannot become free again."""

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
REPORTED_LINES_MAX = 10
BATCH = 1000
NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
_DUPLICATE_KEY = 11000

Line = tuple[int, str]


class InvalidLoad(Exception):  # noqa: N818 - shown to the operator
    """The name of the pool or list is invalid, or its file is too long; the message says what to do."""


@dataclass(slots=True)
class LoadedCodes:
    """The result of loading a file: new codes, codes that were in the pool already, and refused lines.

    `refused_lines` holds the first REPORTED_LINES_MAX refused lines: line number, from 1, and the reason.
    """

    loaded: int = 0
    duplicates: int = 0
    refused: int = 0
    refused_lines: list[Line] = field(default_factory=list)

    def add_refused(self, number: int, reason: str) -> None:
        """Count a line that is not a valid code."""
        self.refused += 1
        if len(self.refused_lines) < REPORTED_LINES_MAX:
            self.refused_lines.append((number, reason))


def checked_name(name: str, kind: str) -> str:
    """Return the name of a pool or list if it is valid in programme files. `kind` is `pool` or `list`.

    Raises:
        InvalidLoad: it is not.
    """
    if NAME.fullmatch(name) is None:
        raise InvalidLoad(f"{name!r} is not a valid {kind} name: use up to 40 of a-z, 0-9 and -, with a letter first")
    return name


def filled_lines(lines: Iterable[str], lines_max: int) -> Iterator[Line]:
    """Yield the lines that are not blank, stripped, with their numbers from 1.

    Raises:
        InvalidLoad: there are more than `lines_max`.
    """
    filled = 0
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if not text:
            continue
        filled += 1
        if filled > lines_max:
            raise InvalidLoad(
                f"line {number}: more than {lines_max:,} lines that are not blank; load the file in parts"
            )
        yield number, text


def _reason_to_refuse(code: str) -> str | None:
    if len(code) > CODE_LENGTH_MAX:
        return f"{len(code)} characters; a code has at most {CODE_LENGTH_MAX}"
    return None if code.isprintable() else "contains unprintable characters"


async def load_codes(
    database: Database,
    programme: str,
    pool: str,
    lines: Iterable[str],
    *,
    on_progress: Callable[[int], None] = lambda _done: None,
) -> LoadedCodes:
    """Add the codes of a file, one per line, to a pool. A code that the pool already has does not change.

    It can be interrupted at any point and run again. `on_progress` gets the number of lines processed.

    Raises:
        InvalidLoad: the name of the pool is invalid, or there are more than CODES_MAX lines.
    """
    checked_name(pool, "pool")
    tally = LoadedCodes()
    rest = filled_lines(lines, CODES_MAX)
    while batch := list(islice(rest, BATCH)):
        documents: list[Document] = []
        for number, code in batch:
            reason = _reason_to_refuse(code)
            if reason is not None:
                tally.add_refused(number, reason)
                continue
            fields = {"programme": programme, "pool": pool, "code": code, "state": CodeState.FREE.value}
            documents.append({"_id": code_id(programme, pool, code), **fields})
        known = await _insert(database, documents)
        tally.duplicates += known
        tally.loaded += len(documents) - known
        on_progress(tally.loaded + tally.duplicates + tally.refused)
    return tally


async def _insert(database: Database, documents: list[Document]) -> int:
    """Insert the documents whose `_id` is new; return how many were not."""
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
