"""The import of the real data: every basket an event, through the same committer as live ones, keys = basket ids.

It can be interrupted anywhere and run again: what was counted is answered, not counted. The data is of 2017; so that
its members live in the present, all of it is moved by the same whole number of weeks, fixed at the first import of a
database.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import partial

from pymongo import ReturnDocument

from loyalty.kernel.channel import Channel
from loyalty.kernel.refusal import Refusal
from loyalty.model.event import PURCHASE, Event, Purchase
from models.commits.committer import Overloaded, Unavailable
from models.commits.request import Committed, Outcome
from models.loading.complete_journey import LAST_DAY, Basket, CompleteJourney
from models.mongo.database import Database
from resolvers.core import fault
from resolvers.core.actor import Actor, Role
from resolvers.core.context import Context, Services
from resolvers.enrol import Newcomer, enrol
from resolvers.event import submit

MARK = "complete-journey"
PROGRAMME = "grocer"
IN_FLIGHT_MAX = 1000
ENROLLED_AT_ONCE = 100
AGAIN_MAX = 30
AGAIN_AFTER_SECONDS = 2


class HouseholdRefused(Exception):  # noqa: N818 - told to whoever imports
    """A household's card is another member's already: this database is not the import's alone."""


class ImportInterrupted(Exception):  # noqa: N818 - told to whoever imports
    """MongoDB stopped answering for long; what was counted stays counted."""


@dataclass(frozen=True, slots=True)
class _Sent:
    event: Event
    member: str
    outcome: asyncio.Future[Outcome]


@dataclass(slots=True)
class Tally:
    """What an import did. `points` are those of the baskets it counted."""

    counted: int = 0
    replayed: int = 0
    refused: int = 0
    points: int = 0

    def add(self, outcome: Outcome) -> None:
        """Count one outcome."""
        if not isinstance(outcome, Committed):
            self.refused += 1
        elif outcome.replayed:
            self.replayed += 1
        else:
            self.counted += 1
            self.points += sum(entry.points for entry in outcome.record.entries if entry.kind == "EARN")


def card_of(household: int) -> str:
    """Return the card that a household is enrolled with."""
    return f"household-{household}"


async def shift_of(database: Database, now: datetime) -> timedelta:
    """Return by how much this database's data is moved: whole weeks, so that its last day is in the week before now."""
    last = datetime.combine(LAST_DAY, time(23, 59), UTC)
    weeks = max(0, (now - last) // timedelta(weeks=1))
    # The first import decides, for all later ones: a moved event would be another event under the same key.
    mark = await database.marks.find_one_and_update(
        {"_id": MARK}, {"$setOnInsert": {"weeks": weeks}}, upsert=True, return_document=ReturnDocument.AFTER
    )
    return timedelta(weeks=mark["weeks"] if mark else weeks)


async def imported_households(database: Database) -> int:
    """Return how many households were imported whole."""
    mark = await database.marks.find_one({"_id": MARK})
    return int(mark.get("households", 0)) if mark else 0


def importer(services: Services) -> Context:
    """Return the context of the import: a service of its own name, whose keys are the data's."""
    expires_at = datetime.max.replace(tzinfo=UTC)
    return Context(services, Actor(Role.SERVICE, PROGRAMME, MARK, expires_at))


async def import_journey(
    services: Services,
    *,
    households: int | None = None,
    until: date | None = None,
    in_flight_max: int = IN_FLIGHT_MAX,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Tally:
    """Import the baskets of the first `households` (None: all) up to and including `until`, in the data's calendar.

    At most `in_flight_max` baskets wait to be committed. `on_progress` is told how many are done, and of how many.

    Raises:
        DataMissing: the data set is not installed.
    """
    journey = await asyncio.to_thread(CompleteJourney)
    context = importer(services)
    shift = await shift_of(services.database, services.clock())
    numbers = await asyncio.to_thread(journey.households, households)
    baskets = await asyncio.to_thread(lambda: journey.baskets(numbers, until=until))
    total = len(baskets)
    members = await _enrol_all(context, baskets.first_of_each_household(), shift)
    tally = Tally()
    waiting: list[_Sent] = []
    for number, basket in enumerate(baskets, start=1):
        event, member = _event(basket, shift), members[basket.household]
        waiting.append(_Sent(event, member, submit(context, event, member)))
        if len(waiting) >= in_flight_max:
            # Half is awaited, so that the committer always has a group to gather.
            await _settle(context, waiting, max(1, in_flight_max // 2), tally)
            on_progress(number - len(waiting), total)
    await _settle(context, waiting, len(waiting), tally)
    on_progress(total, total)
    if until is None:
        await services.database.marks.update_one({"_id": MARK}, {"$max": {"households": len(numbers)}})
    return tally


async def _settle(context: Context, waiting: list[_Sent], count: int, tally: Tally) -> None:
    """Await the first of what was sent; what MongoDB did not answer in time is sent again, under the same key."""
    sent = waiting[:count]
    del waiting[:count]
    unanswered: list[_Sent] = []
    for one, outcome in zip(
        sent, await asyncio.gather(*(one.outcome for one in sent), return_exceptions=True), strict=True
    ):
        if isinstance(outcome, Unavailable):
            unanswered.append(one)
        elif isinstance(outcome, BaseException):
            raise outcome
        else:
            tally.add(outcome)
    again = (partial(submit, context, one.event, one.member) for one in unanswered)
    for outcome in await asyncio.gather(*map(until_answered, again)):
        tally.add(outcome)


async def until_answered(ask: Callable[[], Awaitable[Outcome]]) -> Outcome:
    """Ask, under the same key each time, until MongoDB answers in time.

    Raises:
        ImportInterrupted: it did not for long.
    """
    for _ in range(AGAIN_MAX):
        try:
            return await ask()
        except (Unavailable, Overloaded, fault.Unavailable):
            await asyncio.sleep(AGAIN_AFTER_SECONDS)
    raise ImportInterrupted("MongoDB does not answer; run the import again when it does: nothing counts twice")


async def _enrol_all(context: Context, first: dict[int, datetime], shift: timedelta) -> dict[int, str]:
    """Enrol each household at its first basket; return its member."""
    households = [*first]
    members: dict[int, str] = {}
    for start in range(0, len(households), ENROLLED_AT_ONCE):
        some = households[start : start + ENROLLED_AT_ONCE]
        outcomes = await asyncio.gather(*(_enrol(context, household, first[household] + shift) for household in some))
        members |= dict(zip(some, outcomes, strict=True))
    return members


async def _enrol(context: Context, household: int, at: datetime) -> str:
    newcomer = Newcomer(
        key=card_of(household),
        channel=Channel.STORE,
        first_name="Household",
        last_name=str(household),
        card=card_of(household),
    )
    outcome = await enrol(context, newcomer, occurred_at=at)
    if isinstance(outcome, Committed):
        return outcome.snapshot.member.id
    reason = outcome.reason if isinstance(outcome, Refusal) else "unchanged"
    raise HouseholdRefused(f"household {household} cannot be enrolled: {reason}; import into a database of its own")


def _event(basket: Basket, shift: timedelta) -> Event:
    return Event(
        key=str(basket.basket),
        sender=MARK,
        type=PURCHASE,
        occurred_at=basket.at + shift,
        channel=Channel.STORE,
        store=str(basket.store),
        purchase=Purchase(basket.total, "USD", basket.lines),
    )
