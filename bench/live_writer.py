"""The writer of live changes, a process of its own: `python -m bench.live_writer URL DATABASE PLACE MEMBERS`.

It takes commands as JSON lines: `{"reset": true}` puts every member back to its first version; `{"members": 10,
"rate": 600, "seconds": 2, "file": F}` replaces so many documents a second, of the members in turn, and writes to F
when each was sent and acknowledged (monotonic clock, seconds). What is due together goes in one bulk, as a group
commit's does, and the next one is sent when it is durable on a majority.
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

from bench.live_world import versions_of
from models.mongo.database import Database, connect

TICK_SECONDS = 0.005
RESET_AT_ONCE = 100


class Writer:
    """Puts the next version of each member in place."""

    def __init__(self, database: Database, place: Path, members: int) -> None:
        self._database = database
        self._versions = [[RawBSONDocument(one) for one in versions_of(place, n)] for n in range(members)]
        self._next = [1] * members

    async def reset(self) -> None:
        """Put every member back to its first version."""
        self._next = [1] * len(self._next)
        first = [versions[0] for versions in self._versions]
        for start in range(0, len(first), RESET_AT_ONCE):
            await self._write(first[start : start + RESET_AT_ONCE])

    async def _write(self, documents: list[RawBSONDocument]) -> None:
        requests: list[Any] = [ReplaceOne({"_id": one["_id"]}, one, upsert=True) for one in documents]
        await self._database.members.bulk_write(requests, ordered=True)

    async def run(self, members: int, rate: float, seconds: float) -> list[Any]:
        """Replace documents; return [sent, acknowledged, [[member, version], ...]] of each bulk."""
        written: list[Any] = []
        begin, done, total = monotonic(), 0, round(rate * seconds)
        while done < total:
            due = min(total, int((monotonic() - begin) * rate) + 1)
            if due <= done:
                await asyncio.sleep(TICK_SECONDS)
                continue
            turn = [n % members for n in range(done, due)]
            told, documents = [], []
            for member in turn:
                document = self._versions[member][self._next[member]]
                self._next[member] += 1
                told.append([member, document["version"]])
                documents.append(document)
            sent = monotonic()
            await self._write(documents)
            written.append([sent, monotonic(), told])
            done = due
            await asyncio.sleep(TICK_SECONDS)
        return written


async def main() -> None:
    """Do what is asked, until the end of the input."""
    url, name, place, members = sys.argv[1:]
    database = connect(url, name=name)
    writer = Writer(database, Path(place), int(members))
    print("ready", flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        asked = orjson.loads(line)
        if asked.get("reset"):
            await writer.reset()
        else:
            try:
                written = await writer.run(asked["members"], asked["rate"], asked["seconds"])
            except IndexError:
                print("there are no more versions", flush=True)
                continue
            Path(asked["file"]).write_bytes(orjson.dumps(written))  # noqa: ASYNC240 - nothing else runs
        print("done", flush=True)
    await database.close()


if __name__ == "__main__":
    uvloop.run(main())
