"""Runs the numbered migrations of every programme, and records how far each has come in the collection `marks`.

A migration works in steps. The transaction of a step also records it, so that a process that is stopped in the middle
leaves whole steps behind, and the next run continues after them. Two processes may run one at the same time: a step
that was done already changes nothing.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from pymongo.asynchronous.client_session import AsyncClientSession

from loyalty.model.programme import Programme
from models.definitions.programme_file import read_programme
from models.migrations import canonical_codes, canonical_identities, events_in_ledger
from models.mongo.database import Database
from models.mongo.ids import joined_id
from models.programmes.programme_store import newest_versions

STEP_SECONDS_MAX = 60.0

log = structlog.get_logger(__name__)

# Converts what comes after an `_id`; returns the last `_id` that it converted, None once there is no more.
Step = Callable[[Database, Programme, str, AsyncClientSession], Awaitable[str | None]]


@dataclass(frozen=True, slots=True)
class Migration:
    """One migration. `number` never changes; `basis` is what its result depends on: if that changes, it runs again.

    `finish` runs once all programmes are converted, also if nothing was left to convert.
    """

    number: int
    name: str
    step: Step
    basis: Callable[[Programme], str | None] = lambda _programme: None
    finish: Callable[[Database], Awaitable[None]] | None = None


MIGRATIONS: Sequence[Migration] = (
    Migration(1, "canonical identities", canonical_identities.step, basis=lambda programme: programme.country),
    Migration(2, "canonical codes", canonical_codes.step),
    Migration(3, "events in the ledger", events_in_ledger.step, finish=events_in_ledger.finish),
)


async def migrate(
    database: Database, *, again: bool = False, on_progress: Callable[[Migration, str], None] = lambda _one, _key: None
) -> int:
    """Run what is left of every migration, in order of their numbers; return the number of steps.

    `again` runs them from the beginning: for what gateways of an earlier release wrote meanwhile. `on_progress` gets
    the migration and the programme before each step.
    """
    programmes = [
        read_programme(document["source"], version=document["version"]) async for document in newest_versions(database)
    ]
    steps = 0
    for migration in sorted(MIGRATIONS, key=lambda one: one.number):
        for programme in programmes:
            if again:
                await database.marks.delete_one({"_id": _mark_id(migration, programme)})
            steps += await _run(database, migration, programme, on_progress)
        if migration.finish is not None:
            await migration.finish(database)
    return steps


def _mark_id(migration: Migration, programme: Programme) -> str:
    return f"migration/{joined_id(str(migration.number), programme.key)}"


async def _run(
    database: Database, migration: Migration, programme: Programme, on_progress: Callable[[Migration, str], None]
) -> int:
    mark_id, basis = _mark_id(migration, programme), migration.basis(programme)
    steps, is_done = 0, False

    async def act(session: AsyncClientSession) -> bool:
        mark: dict[str, Any] | None = await database.marks.find_one({"_id": mark_id}, session=session)
        if mark is None or mark["basis"] != basis:
            mark = {"after": "", "done": False}
        if mark["done"]:
            return True
        last = await migration.step(database, programme, mark["after"], session)
        done = {"basis": basis, "after": last or "", "done": last is None}
        await database.marks.update_one({"_id": mark_id}, {"$set": done}, upsert=True, session=session)
        return last is None

    while not is_done:
        on_progress(migration, programme.key)
        is_done = await database.transact(act, seconds_max=STEP_SECONDS_MAX)
        steps += 1
    if steps > 1:
        log.info("migrated", migration=migration.number, name=migration.name, programme=programme.key, steps=steps)
    return steps
