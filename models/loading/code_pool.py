"""Loads pools of codes from files. A code is one document, never deleted, so that it cannot become free again."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from pymongo.errors import BulkWriteError

from loyalty.kernel import canonical
from loyalty.model.catalogue import Catalogue
from loyalty.model.supply import CodeState
from loyalty.rules.member_code import offer_with_code
from models.mongo.bson import Document
from models.mongo.database import Database
from models.mongo.ids import code_id
from models.mongo.supply import pools_with_codes

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

    `taken` of the refused lines have a code of another pool, of an offer, or of an earlier line.
    `refused_lines` holds the first REPORTED_LINES_MAX refused lines: line number, from 1, and the reason.
    """

    loaded: int = 0
    duplicates: int = 0
    refused: int = 0
    taken: int = 0
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
    if not canonical.visible(code).isprintable():
        return "contains unprintable characters"
    return None if canonical.code(code) else "contains no letter or digit"


class _Loader:
    """Loads the codes of one file: what it has read so far, and the result."""

    def __init__(self, database: Database, programme: str, pool: str, catalogue: Catalogue) -> None:
        self._db, self._programme, self._pool, self._catalogue = database, programme, pool, catalogue
        self._lines: dict[str, Line] = {}
        self.tally = LoadedCodes()

    async def load(self, batch: list[Line]) -> None:
        """Add the codes of a batch that are valid, and that neither this pool nor anything else has."""
        new: dict[str, Line] = {}
        for line in batch:
            number, text = line
            reason = _reason_to_refuse(text)
            if reason is not None:
                self.tally.add_refused(number, reason)
                continue
            code = canonical.code(text)
            if code in self._lines:
                self._repeat(line, self._lines[code])
                continue
            self._lines[code] = line
            offer = offer_with_code(self._catalogue, code)
            if offer is not None:
                self._take(number, f"offer {offer.key!r} already has the code {text!r}")
            else:
                new[code] = line
        await self._insert(new)

    def _repeat(self, line: Line, first: Line) -> None:
        if line[1] == first[1]:
            self.tally.duplicates += 1
        else:
            self._take(line[0], f"{line[1]!r} is the same code as {first[1]!r} in line {first[0]}")

    def _take(self, number: int, reason: str) -> None:
        self.tally.add_refused(number, reason)
        self.tally.taken += 1

    async def _insert(self, new: dict[str, Line]) -> None:
        """Insert the codes that no pool has; those of a load that runs at the same time may win."""
        while new:
            owners = await pools_with_codes(self._db.codes, self._programme, new)
            for code, owner in owners.items():
                number, text = new.pop(code)
                if owner == self._pool:
                    self.tally.duplicates += 1
                else:
                    self._take(number, f"pool {owner!r} already has the code {text!r}")
            inserted = await _insert_new(self._db, [self._document(code, text) for code, (_, text) in new.items()])
            self.tally.loaded += len(inserted)
            new = {code: line for code, line in new.items() if code not in inserted}

    def _document(self, code: str, text: str) -> Document:
        shown = canonical.visible(text)
        return {
            "_id": code_id(self._programme, self._pool, shown),
            "programme": self._programme,
            "pool": self._pool,
            "code": shown,
            "canonical": code,
            "state": CodeState.FREE.value,
        }


async def load_codes(
    database: Database,
    programme: str,
    pool: str,
    lines: Iterable[str],
    *,
    catalogue: Catalogue | None = None,
    on_progress: Callable[[int], None] = lambda _done: None,
) -> LoadedCodes:
    """Add the codes of a file, one per line, to a pool. A code that the pool already has does not change.

    A code that another pool or an offer of `catalogue` has is refused: typed at a till, it would mean both.
    It can be interrupted at any point and run again. `on_progress` gets the number of lines processed.

    Raises:
        InvalidLoad: the name of the pool is invalid, or there are more than CODES_MAX lines.
    """
    checked_name(pool, "pool")
    loader = _Loader(database, programme, pool, catalogue or Catalogue())
    tally = loader.tally
    rest = filled_lines(lines, CODES_MAX)
    while batch := list(islice(rest, BATCH)):
        await loader.load(batch)
        on_progress(tally.loaded + tally.duplicates + tally.refused)
    return tally


async def _insert_new(database: Database, documents: list[Document]) -> set[str]:
    """Insert the documents whose code is new; return the canonical forms of those."""
    if not documents:
        return set()
    refused: set[int] = set()
    try:
        await database.codes.insert_many(documents, ordered=False)
    except BulkWriteError as error:
        faults = error.details.get("writeErrors", [])
        if error.details.get("writeConcernErrors") or any(fault.get("code") != _DUPLICATE_KEY for fault in faults):
            raise
        refused = {fault["index"] for fault in faults}
    return {document["canonical"] for place, document in enumerate(documents) if place not in refused}


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
