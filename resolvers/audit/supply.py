"""What the audit proves of what members share: counters of stock, appointments, offers' uses and budgets; free codes.

Stock and appointments are what orders and holds took; uses are what members keep of their offers. Neither may be more
than any version of the catalogue ever allowed. Three things cannot be proved, and nothing is said of them:

- A member forgets an offer OFFERS_KEPT_DAYS after its end, so that more uses may be counted than members keep.
- A budget is what purchases say was counted for their offers. What an offer cost without a purchase is told nowhere:
  where there may have been such a use, the counter may say more. Where an offer was out of the catalogue for a time, or
  had a budget or was returnable in some versions only, costs of purchases that came back may be in it or not.
- A counter at nothing: all that it counted may have come back.
"""

from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from pymongo.asynchronous.client_session import AsyncClientSession

from loyalty.commands.decision_builder import OFFERS_KEPT_DAYS
from loyalty.commands.offer import HUNDREDTHS
from loyalty.model.offer import EARNING_KINDS, OfferKind
from loyalty.model.supply import CounterKey, Supply
from models.definitions.catalogue_file import Kind
from models.mongo.database import Database
from models.mongo.ids import counter_id
from models.mongo.supply import counter_of
from models.programmes.catalogue_history import Past, PastCatalogue
from resolvers.audit.decode import Unreadable, read

BATCH = 1000
# These may cost something without a purchase, and so may what has a maximum; what the others cost is told with their
# purchase, or is nothing.
_COSTS_ALONE = frozenset({OfferKind.AMOUNT_OFF, OfferKind.BONUS_POINTS})
_KIND = {Supply.STOCK: Kind.REWARD, Supply.SLOT: Kind.REWARD, Supply.USES: Kind.OFFER, Supply.BUDGET: Kind.OFFER}
_SOURCE = {
    Supply.STOCK: "orders and holds",
    Supply.SLOT: "orders and holds",
    Supply.USES: "members",
    Supply.BUDGET: "purchases",
}


@dataclass(frozen=True, slots=True)
class BrokenSupply:
    """Something shared that does not hold: a counter or a code, and what."""

    name: str
    faults: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Stand:
    """A counter that was looked at. `counter` is None where its document cannot be read, `broken` where it holds.

    `overrun` is by how much a budget was outrun, in points or hundredths of the currency's unit. That is no fault: what
    the till took off is counted, whatever it is.
    """

    counter: CounterKey | None
    broken: BrokenSupply | None
    overrun: int = 0


@dataclass(slots=True)
class _Costs:
    """What purchases say that one offer cost, and in how many uses; apart for purchases that came back whole."""

    kept: int = 0
    kept_uses: int = 0
    back: int = 0
    back_uses: int = 0

    def add(self, cost: int, *, is_back: bool) -> None:
        """Add one use."""
        if is_back:
            self.back += cost
            self.back_uses += 1
        else:
            self.kept += cost
            self.kept_uses += 1


class Reckoning:
    """What should stand on the counters of one programme, added up from what members, orders and purchases say.

    `only` are the keys of rewards and offers that it is about, None for all. A document that cannot be read is left
    out: it is a finding of its member. `waiting` counts the uses whose purchase is still to come, `ahead` what they
    cost. `latest` is the newest moment at which any member was changed.
    """

    def __init__(self, only: Collection[str] | None = None) -> None:
        self.taken: Counter[CounterKey] = Counter()
        self.costs: dict[str, _Costs] = {}
        self.waiting: Counter[str] = Counter()
        self.ahead: Counter[str] = Counter()
        self.latest = datetime.min.replace(tzinfo=UTC)
        self._only = only

    def add_order(self, document: dict[str, Any]) -> None:
        """Add what an order took."""
        took = read(lambda told: [(counter_of(row[:3]), int(row[3])) for row in told["took"]], document)
        for counter, pieces in [] if isinstance(took, Unreadable) else took:
            self._take(counter, pieces)

    def add_member(self, document: dict[str, Any]) -> None:
        """Add what a member's holds took, the uses of offers that it keeps, and the offers that wait for a purchase."""
        told = read(_kept_by, document)
        if isinstance(told, Unreadable):
            return
        taken, waiting, changed_at = told
        for counter, pieces in taken:
            self._take(counter, pieces)
        for key, cost in waiting:
            if self._counts(key):
                self.waiting[key] += 1
                self.ahead[key] += cost
        self.latest = max(self.latest, changed_at)

    def add_event(self, document: dict[str, Any]) -> None:
        """Add what the offers of a purchase cost."""
        told = read(_costs_of, document) if document.get("offers") else ([], False)
        if isinstance(told, Unreadable):
            return
        offers, is_back = told
        for key, cost in offers:
            if self._counts(key):
                self.costs.setdefault(key, _Costs()).add(cost, is_back=is_back)

    def counters(self) -> set[CounterKey]:
        """Return the counters that should stand at something, as far as it is known."""
        spent = {CounterKey(Supply.BUDGET, key) for key, costs in self.costs.items() if costs.kept or costs.back}
        spent |= {CounterKey(Supply.BUDGET, key) for key, cost in self.ahead.items() if cost}
        return {counter for counter, pieces in self.taken.items() if pieces} | spent

    def _counts(self, key: str) -> bool:
        return self._only is None or key in self._only

    def _take(self, counter: CounterKey, pieces: int) -> None:
        if self._counts(counter.key):
            self.taken[counter] += pieces


def _kept_by(member: dict[str, Any]) -> tuple[list[tuple[CounterKey, int]], list[tuple[str, int]], datetime]:
    taken = [(counter_of(row), 1) for hold in member.get("holds", ()) for row in hold["took"]]
    uses = member.get("offers", {}).items()
    taken += [(CounterKey(Supply.USES, key), int(use.get("uses", 0))) for key, use in uses]
    waiting = [(key, int(cost)) for _, offers in member.get("bound", ()) for key, cost in offers]
    return taken, waiting, member["recorded_at"]


def _costs_of(event: dict[str, Any]) -> tuple[list[tuple[str, int]], bool]:
    is_back = all(Fraction(share) == 1 for share in event["returned"])
    return [(key, int(cost)) for key, cost in event["offers"]], is_back


def is_forgettable(definitions: Past, moment: datetime) -> bool:
    """Say whether members may keep nothing any more, at a moment, of what they did with an offer."""
    known = [said for said in definitions if said is not None]
    ends = [date.fromisoformat(str(said["last_day"])) for said in known if said.get("last_day") is not None]
    return not known or any((moment.date() - last_day).days >= OFFERS_KEPT_DAYS for last_day in ends)


async def stands(
    database: Database,
    past: PastCatalogue,
    programme: str,
    reckoning: Reckoning,
    *,
    session: AsyncClientSession | None = None,
    only: Collection[str] | None = None,
) -> AsyncIterator[Stand]:
    """Hold every counter against what it should be; one that should be there and is not stands at 0, and is broken.

    `only` are the keys of rewards and offers to look at, None for all.
    """
    missing = reckoning.counters()
    batch: dict[CounterKey, int] = {}
    query: dict[str, Any] = {"programme": programme} | ({"key": {"$in": [*only]}} if only is not None else {})
    async for document in database.counters.find(query, session=session):
        told = read(_counter_and_taken, document)
        if isinstance(told, Unreadable) or counter_id(programme, told[0]) != document["_id"]:
            fault = f"cannot be read: {told.reason}" if isinstance(told, Unreadable) else f"counts {_name(told[0])}"
            yield Stand(None, BrokenSupply(f"counter {document['_id']}", (fault,)))
            continue
        missing.discard(told[0])
        batch[told[0]] = told[1]
        if len(batch) == BATCH:
            for stand in await _held_against(past, reckoning, batch, session):
                yield stand
            batch = {}
    for stand in await _held_against(past, reckoning, batch, session):
        yield stand
    for stand in await _held_against(past, reckoning, dict.fromkeys(sorted(missing), 0), session):
        if stand.broken is not None:
            yield stand


def _counter_and_taken(document: dict[str, Any]) -> tuple[CounterKey, int]:
    return counter_of([document["kind"], document["key"], document["at"]]), int(document["taken"])


def _name(counter: CounterKey) -> str:
    at = f"/{counter.at.isoformat()}" if counter.at is not None else ""
    return f"{counter.kind}/{counter.key}{at}"


async def _held_against(
    past: PastCatalogue, reckoning: Reckoning, taken: Mapping[CounterKey, int], session: AsyncClientSession | None
) -> list[Stand]:
    said: dict[Kind, dict[str, Past]] = {}
    for kind in (Kind.OFFER, Kind.REWARD):
        keys = {counter.key for counter in taken if _KIND[counter.kind] is kind}
        said[kind] = await past.definitions(kind, keys, session) if keys else {}
    found: list[Stand] = []
    for counter, pieces in taken.items():
        definitions = said[_KIND[counter.kind]][counter.key]
        faults = tuple(_faults(counter, pieces, reckoning, definitions))
        broken = BrokenSupply(f"counter {_name(counter)}", faults) if faults else None
        found.append(Stand(counter, broken, _overrun(counter, pieces, definitions)))
    return found


def _faults(counter: CounterKey, taken: int, reckoning: Reckoning, definitions: Past) -> Iterable[str]:
    low, high = _bounds(counter, reckoning, definitions)
    if taken < low or (high is not None and taken > high):
        should = f"{low}" if low == high else f"{low} or more" if high is None else f"{low} to {high}"
        yield f"{taken} are counted, {_SOURCE[counter.kind]} say {should}"
    most = _most(counter, definitions)
    if most is not None and taken > most:
        yield f"{taken} are counted, and there never were more than {most}"


def _overrun(counter: CounterKey, taken: int, definitions: Past) -> int:
    """Return by how much a budget was outrun, by the largest that the offer ever had."""
    if counter.kind is not Supply.BUDGET:
        return 0
    budgets = [
        int(Decimal(str(said["budget"])) * (1 if said["kind"] in EARNING_KINDS else HUNDREDTHS))
        for said in definitions
        if said is not None and said.get("budget") is not None
    ]
    return max(0, taken - max(budgets, default=taken))


def _bounds(counter: CounterKey, reckoning: Reckoning, definitions: Past) -> tuple[int, int | None]:
    """Return the least and the most that a counter can stand at; None where there is no most."""
    reckoned = reckoning.taken[counter]
    if counter.kind is Supply.BUDGET:
        return _budget_bounds(counter.key, reckoning, definitions)
    if counter.kind is Supply.USES and is_forgettable(definitions, reckoning.latest):
        return reckoned, None
    return reckoned, reckoned


def _budget_bounds(key: str, reckoning: Reckoning, definitions: Past) -> tuple[int, int | None]:
    known = [said for said in definitions if said is not None]
    costs = reckoning.costs.get(key, _Costs())
    costs = replace(costs, kept=costs.kept + reckoning.ahead[key])
    if not known:
        return costs.kept, None
    returnable = {bool(said.get("returnable")) for said in known}
    low, high, uses = costs.kept, costs.kept + costs.back, costs.kept_uses
    if returnable == {True} and None not in definitions and all(said.get("budget") is not None for said in known):
        high = low
    elif returnable == {False}:
        low, uses = high, uses + costs.back_uses
    if not any(said["kind"] in _COSTS_ALONE or said.get("maximum") is not None for said in known):
        return low, high
    # Every use that members keep was for a purchase, told or still to come: then none cost anything without one.
    kept = reckoning.taken[CounterKey(Supply.USES, key)]
    is_all = low == high and not is_forgettable(definitions, reckoning.latest)
    return (low, high) if is_all and kept == uses + reckoning.waiting[key] else (low, None)


def _most(counter: CounterKey, definitions: Past) -> int | None:
    """Return the most that any version of the catalogue allowed; None where one had no limit, or none is known."""
    known = [said for said in definitions if said is not None]
    if counter.kind is Supply.STOCK:
        limits = [said.get("stock") for said in known]
    elif counter.kind is Supply.SLOT:
        # What had no appointments in some version could not be booked then.
        calendars = [said["appointments"] for said in known if said.get("appointments") is not None]
        limits = [calendar.get("capacity", 1) for calendar in calendars]
    elif counter.kind is Supply.USES:
        limits = [(said.get("uses") or {}).get("in_all") for said in known]
    else:
        return None
    told = [limit for limit in limits if limit is not None]
    return max(told) if told and len(told) == len(limits) else None


async def reckoned_again(
    database: Database, programme: str, only: Collection[str], session: AsyncClientSession
) -> Reckoning:
    """Return what should stand on the counters of some rewards and offers, read again, at the session's one moment."""
    reckoning = Reckoning(only)
    here = {"programme": programme}
    took = {**here, "took.0": {"$exists": True}}
    async for document in database.orders.find(took, {"took": 1}, session=session):
        reckoning.add_order(document)
    fields = dict.fromkeys(("holds", "offers", "bound", "recorded_at"), 1)
    async for document in database.members.find(here, fields, session=session):
        reckoning.add_member(document)
    bought = {**here, "offers.0": {"$exists": True}}
    async for document in database.events.find(bought, {"offers": 1, "returned": 1}, session=session):
        reckoning.add_event(document)
    return reckoning


async def broken_codes(database: Database, programme: str) -> AsyncIterator[BrokenSupply]:
    """Tell the codes that are free and somebody's, or not free and nobody's: what one document says by itself."""
    owned = {"holder": {"$type": "string"}, "member": {"$type": "string"}}
    query = {
        "programme": programme,
        "$or": [
            {"state": "free", "holder": {"$exists": True}},
            {"state": "free", "member": {"$exists": True}},
            {"state": {"$ne": "free"}, "$nor": [owned]},
        ],
    }
    async for document in database.codes.find(query):
        holder = document.get("holder") or "nobody"
        name = f"code {document['code']!r} of pool {document['pool']!r}"
        yield BrokenSupply(name, (f"it is {document['state']}, and belongs to {holder}",))
