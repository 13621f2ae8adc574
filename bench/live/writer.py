"""Writes live changes in its own process: `python -m bench.live.writer URL DATABASE DIRECTORY MEMBERS`.

It reads commands as JSON lines: `{"reset": true}` resets every member to its first version; `{"members": 10,
"rate": 600, "seconds": 2, "file": F}` replaces 600 documents per second, members in turn, and writes to F when each
was sent and acknowledged (monotonic clock, seconds). Documents scheduled for the same tick go in one bulk, as in a
group commit; the next bulk is sent when a majority has acknowledged the last one.
"""

import asyncio
import sys
from pathlib import Path
from time import monotonic
from typing import Any

import orjson
import uvloop
from bson.raw_bson import RawBSONDocument
from pymongo import ReplaceOne

from bench.live.world import versions_of
from models.mongo.database import Database, connect

TICK_SECONDS = 0.005
RESET_AT_ONCE = 100


class Writer:
    """Replaces members with their next versions."""

    def __init__(self, database: Database, directory: Path, members: int) -> None:
        self._database = database
        self._versions = [[RawBSONDocument(one) for one in versions_of(directory, n)] for n in range(members)]
        self._next = [1] * members

    async def reset(self) -> None:
        """Reset every member to its first version."""
        self._next = [1] * len(self._next)
        first = [versions[0] for versions in self._versions]
        for start in range(0, len(first), RESET_AT_ONCE):
            await self._write(first[start : start + RESET_AT_ONCE])

    async def _write(self, documents: list[RawBSONDocument]) -> None:
        requests: list[Any] = [ReplaceOne({"_id": one["_id"]}, one, upsert=True) for one in documents]
        await self._database.members.bulk_write(requests, ordered=True)

    async def run(self, members: int, rate: float, seconds: float) -> list[Any]:
        """Replace documents; return [sent, acknowledged, [[member, version], ...]] of each bulk.

        Raises:
            IndexError: a member has no version left.
        """
        written: list[Any] = []
        begin, done, total = monotonic(), 0, round(rate * seconds)
        while done < total:
            target = min(total, int((monotonic() - begin) * rate) + 1)
            if target <= done:
                await asyncio.sleep(TICK_SECONDS)
                continue
            turn = [n % members for n in range(done, target)]
            replaced, documents = [], []
            for member in turn:
                document = self._versions[member][self._next[member]]
                self._next[member] += 1
                replaced.append([member, document["version"]])
                documents.append(document)
            sent = monotonic()
            await self._write(documents)
            written.append([sent, monotonic(), replaced])
            done = target
            await asyncio.sleep(TICK_SECONDS)
        return written


async def main() -> None:
    """Run commands until the end of the input."""
    url, name, directory, members = sys.argv[1:]
    database = connect(url, name=name)
    writer = Writer(database, Path(directory), int(members))
    print("ready", flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        command = orjson.loads(line)
        if command.get("reset"):
            await writer.reset()
        else:
            try:
                written = await writer.run(command["members"], command["rate"], command["seconds"])
            except IndexError:
                print("no versions left", flush=True)
                continue
            Path(command["file"]).write_bytes(orjson.dumps(written))  # noqa: ASYNC240 - nothing else runs
        print("done", flush=True)
    await database.close()


if __name__ == "__main__":
    uvloop.run(main())
