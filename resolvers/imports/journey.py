"""Imports the data set's baskets as events, through the same committer as live ones, with basket ids as keys.

It can be interrupted at any point and run again: recorded baskets are replayed, not recorded twice. The data is from
2017; to make its members current, all of it is shifted by the same whole number of weeks, fixed by the first import
into a database.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import partial

from pymongo import ReturnDocument

from loyalty.kernel.channel import Channel
from loyalty.kernel.refusal import Refusal
from loyalty.model.consent import ConsentPurpose
from loyalty.model.event import PURCHASE, Event, Purchase
from models.commits.committer import Overloaded, Unavailable
from models.commits.request import Committed, Outcome
from models.loading.complete_journey import LAST_DAY, Basket, CompleteJourney
from models.mongo.database import Database
from resolvers.consent import set_consents
from resolvers.core import operation_error
from resolvers.core.actor import Actor, Role
from resolvers.core.context import Context, Services
from resolvers.core.member import MemberKey
from resolvers.enrol import EnrolmentInput, enrol
from resolvers.event import submit

MARK = "complete-journey"
PROGRAMME = "grocer"
IN_FLIGHT_MAX = 1000
ENROLLED_AT_ONCE = 100
RETRIES_MAX = 30
RETRY_AFTER_SECONDS = 2


class HouseholdRefused(Exception):  # noqa: N818 - shown to the operator
    """Another member has a household's card: the import needs a database of its own."""


class ImportInterrupted(Exception):  # noqa: N818 - shown to the operator
    """MongoDB did not answer for RETRIES_MAX attempts; recorded baskets stay recorded."""


@dataclass(frozen=True, slots=True)
class _Sent:
    event: Event
    member: str
    outcome: asyncio.Future[Outcome]


@dataclass(slots=True)
class ImportResult:
    """The result of an import. `points` were earned by the `counted` baskets, those not recorded before."""

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
    """Return the card number of a household."""
    return f"household-{household}"


async def date_shift(database: Database, now: datetime) -> timedelta:
    """Return the shift of this database's data: whole weeks, so that its last day is in the week before `now`."""
    last = datetime.combine(LAST_DAY, time(23, 59), UTC)
    weeks = max(0, (now - last) // timedelta(weeks=1))
    # The first import fixes the shift: with another one, later events would have other content under the same key.
    mark = await database.marks.find_one_and_update(
        {"_id": MARK}, {"$setOnInsert": {"weeks": weeks}}, upsert=True, return_document=ReturnDocument.AFTER
    )
    return timedelta(weeks=mark["weeks"] if mark else weeks)


async def imported_households(database: Database) -> int:
    """Return how many households were imported with all their baskets."""
    mark = await database.marks.find_one({"_id": MARK})
    return int(mark.get("households", 0)) if mark else 0


def import_context(services: Services) -> Context:
    """Return the context of the import: a service with its own subject, so that its keys are its own."""
    expires_at = datetime.max.replace(tzinfo=UTC)
    return Context(services, Actor(Role.SERVICE, PROGRAMME, MARK, expires_at))


async def import_journey(
    services: Services,
    *,
    households: int | None = None,
    until: date | None = None,
    in_flight_max: int = IN_FLIGHT_MAX,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> ImportResult:
    """Import the baskets of the first `households` (None: all) up to and including `until`, in the data's calendar.

    At most `in_flight_max` baskets wait for their commit. `on_progress` gets the baskets done and their total.

    Raises:
        DataMissing: the data set is not installed.
        HouseholdRefused, ImportInterrupted: the import cannot continue.
    """
    journey = await asyncio.to_thread(CompleteJourney)
    context = import_context(services)
    shift = await date_shift(services.database, services.clock())
    numbers = await asyncio.to_thread(journey.households, households)
    baskets = await asyncio.to_thread(lambda: journey.baskets(numbers, until=until))
    total = len(baskets)
    members = await _enrol_all(context, baskets.first_of_each_household(), shift)
    tally = ImportResult()
    waiting: list[_Sent] = []
    for number, basket in enumerate(baskets, start=1):
        event, member = _event(basket, shift), members[basket.household]
        waiting.append(_Sent(event, member, submit(context, event, member, imported=True)))
        if len(waiting) >= in_flight_max:
            # Await only half, so that the committer always has commands for a group.
            await _collect(context, waiting, max(1, in_flight_max // 2), tally)
            on_progress(number - len(waiting), total)
    await _collect(context, waiting, len(waiting), tally)
    on_progress(total, total)
    if until is None:
        await services.database.marks.update_one({"_id": MARK}, {"$max": {"households": len(numbers)}})
    return tally


async def _collect(context: Context, waiting: list[_Sent], count: int, tally: ImportResult) -> None:
    """Await the first `count` outcomes; retry those that MongoDB did not answer in time, under the same key."""
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
    retries = (partial(submit, context, one.event, one.member, imported=True) for one in unanswered)
    for outcome in await asyncio.gather(*map(retry_until_committed, retries)):
        tally.add(outcome)


async def retry_until_committed(send: Callable[[], Awaitable[Outcome]]) -> Outcome:
    """Call `send`, which must use the same key each time, until MongoDB answers in time.

    Raises:
        ImportInterrupted: it did not in RETRIES_MAX attempts.
    """
    for _ in range(RETRIES_MAX):
        try:
            return await send()
        except (Unavailable, Overloaded, operation_error.Unavailable):
            await asyncio.sleep(RETRY_AFTER_SECONDS)
    raise ImportInterrupted("MongoDB does not answer; run the import again when it does: no basket is recorded twice")


async def _enrol_all(context: Context, first: dict[int, datetime], shift: timedelta) -> dict[int, str]:
    """Enrol each household, with its consent, at the time of its first basket; return the member by household."""
    households = [*first]
    members: dict[int, str] = {}
    for start in range(0, len(households), ENROLLED_AT_ONCE):
        some = households[start : start + ENROLLED_AT_ONCE]
        outcomes = await asyncio.gather(*(_enrol(context, household, first[household] + shift) for household in some))
        members |= dict(zip(some, outcomes, strict=True))
    return members


async def _enrol(context: Context, household: int, at: datetime) -> str:
    newcomer = EnrolmentInput(
        key=card_of(household),
        channel=Channel.STORE,
        first_name="Household",
        last_name=str(household),
        card=card_of(household),
    )
    outcome = await enrol(context, newcomer, occurred_at=at)
    if isinstance(outcome, Committed):
        member = outcome.snapshot.member.id
        await retry_until_committed(lambda: _consent(context, household, member))
        return member
    reason = outcome.reason if isinstance(outcome, Refusal) else "unchanged"
    raise HouseholdRefused(f"household {household} cannot be enrolled: {reason}; import into an empty database")


async def _consent(context: Context, household: int, member: str) -> Outcome:
    """Record the household's consent to personalisation, which the data does not have, once: a later refusal stays."""
    return await set_consents(
        context,
        key=card_of(household),
        member=MemberKey("id", member),
        consents=((ConsentPurpose.PERSONALISATION, None, True),),
    )


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
