"""Audits shared supplies: the counters of stock, appointments, offers' uses and budgets, and the states of codes.

The counters of stock and appointments must equal what orders and holds took, those of uses what members store of their
offers. Neither can exceed the highest limit that a version of the catalogue had. Three things cannot be checked and are
not reported:

- A member drops its use of an offer OFFERS_KEPT_DAYS after the offer's end, so a counter can have more uses than the
  members store.
- A budget counts what each recorded use was charged, until it is restored. Releases up to 0.2.0 stored less: the cost
  of a use without a purchase nowhere, so the counter can be higher; and of a returned purchase not whether its cost was
  restored, so it may be in the counter if the offer was out of the catalogue for a time, or had a budget or was
  returnable in some versions only.
- A missing counter with an expected value of 0: everything that it counted can have been returned.
"""

from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from pymongo.asynchronous.client_session import AsyncClientSession

from loyalty.commands.decision_builder import OFFERS_KEPT_DAYS
from loyalty.kernel import canonical
from loyalty.kernel.currency import BudgetUnit
from loyalty.model.offer import EARNING_KINDS, OfferKind
from loyalty.model.supply import CounterKey, CounterKind
from models.definitions.catalogue_file import ItemKind
from models.definitions.programme_file import read_programme
from models.mongo.database import Database
from models.mongo.event import consequence_of
from models.mongo.ids import counter_id
from models.mongo.supply import counter_of
from models.programmes.catalogue_history import CatalogueHistory, PastDefinitions
from models.programmes.catalogue_store import shared_codes
from models.programmes.programme_store import newest_version
from resolvers.audit.consequences import USE_FIELDS, is_unexplained_use, stored_uses
from resolvers.audit.decode import Unreadable, decode

BATCH = 1000
# Kinds that can have a cost without a purchase, as can an offer with a maximum. The cost of the others is stored with
# their purchase, or is 0.
_COSTS_WITHOUT_PURCHASE = frozenset({OfferKind.AMOUNT_OFF, OfferKind.BONUS_POINTS})
_KIND = {
    CounterKind.STOCK: ItemKind.REWARD,
    CounterKind.SLOT: ItemKind.REWARD,
    CounterKind.USES: ItemKind.OFFER,
    CounterKind.BUDGET: ItemKind.OFFER,
}
_SOURCE = {
    CounterKind.STOCK: "orders and holds",
    CounterKind.SLOT: "orders and holds",
    CounterKind.USES: "members",
    CounterKind.BUDGET: "purchases",
}


@dataclass(frozen=True, slots=True)
class BrokenSupply:
    """A counter or a code with its faults, each a sentence."""

    name: str
    faults: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CounterCheck:
    """The check of one counter. `counter` is None if its document cannot be read, `broken` is None if it has no fault.

    `overrun` is how much a budget was exceeded, in points or the programme's `BudgetUnit`. That is not a fault:
    discounts that a till gave are counted even beyond the budget.
    """

    counter: CounterKey | None
    broken: BrokenSupply | None
    overrun: int = 0


@dataclass(slots=True)
class _Costs:
    """The costs and uses of one offer that are stored; those whose purchase an earlier release returned apart."""

    kept: int = 0
    kept_uses: int = 0
    returned: int = 0
    returned_uses: int = 0

    def add(self, cost: int, uses: int, *, may_be_restored: bool) -> None:
        """Add what one use takes."""
        if may_be_restored:
            self.returned += cost
            self.returned_uses += uses
        else:
            self.kept += cost
            self.kept_uses += uses


class ExpectedCounters:
    """The expected values of one programme's counters, summed up from members, orders and purchases.

    `only` are the keys of rewards and offers to include, None for all. A document that cannot be read is left out: the
    audit of its member reports it. `pending` counts the uses whose purchase is still to come, `pending_costs` their
    costs. `unexplained_uses` counts the redemptions of releases that did not store what they took. `latest` is the
    newest time at which a member was changed.
    """

    def __init__(self, only: Collection[str] | None = None) -> None:
        self.taken: Counter[CounterKey] = Counter()
        self.costs: dict[str, _Costs] = {}
        self.pending: Counter[str] = Counter()
        self.pending_costs: Counter[str] = Counter()
        self.unexplained_uses = 0
        self.latest = datetime.min.replace(tzinfo=UTC)
        self._only = only

    def add_order(self, document: dict[str, Any]) -> None:
        """Add the pieces that an order took."""
        took = decode(lambda order: [(counter_of(row[:3]), int(row[3])) for row in order["took"]], document)
        for counter, pieces in [] if isinstance(took, Unreadable) else took:
            self._take(counter, pieces)

    def add_member(self, document: dict[str, Any]) -> None:
        """Add the pieces of a member's holds, its stored uses of offers, and its uses that wait for a purchase."""
        decoded = decode(_uses_of, document)
        if isinstance(decoded, Unreadable):
            return
        taken, pending, changed_at = decoded
        for counter, pieces in taken:
            self._take(counter, pieces)
        for key, cost in pending:
            if self._counts(key):
                self.pending[key] += 1
                self.pending_costs[key] += cost
        self.latest = max(self.latest, changed_at)

    def add_event(self, document: dict[str, Any]) -> None:
        """Add what the offers used with an event took."""
        if is_unexplained_use(document):
            self.unexplained_uses += 1
        decoded = decode(stored_uses, document)
        if isinstance(decoded, Unreadable):
            return
        uses, may_be_restored = decoded
        for use in uses:
            if use.offer is not None and self._counts(use.offer):
                costs = self.costs.setdefault(use.offer, _Costs())
                costs.add(use.charge, use.uses, may_be_restored=may_be_restored)

    def counters(self) -> set[CounterKey]:
        """Return the counters whose expected value is known to be above 0."""
        spent = {
            CounterKey(CounterKind.BUDGET, key) for key, costs in self.costs.items() if costs.kept or costs.returned
        }
        spent |= {CounterKey(CounterKind.BUDGET, key) for key, cost in self.pending_costs.items() if cost}
        return {counter for counter, pieces in self.taken.items() if pieces} | spent

    def _counts(self, key: str) -> bool:
        return self._only is None or key in self._only

    def _take(self, counter: CounterKey, pieces: int) -> None:
        if self._counts(counter.key):
            self.taken[counter] += pieces


def _uses_of(member: dict[str, Any]) -> tuple[list[tuple[CounterKey, int]], list[tuple[str, int]], datetime]:
    taken = [(counter_of(row), 1) for hold in member.get("holds", ()) for row in hold["took"]]
    uses = member.get("offers", {}).items()
    taken += [(CounterKey(CounterKind.USES, key), int(use.get("uses", 0))) for key, use in uses]
    waiting = [consequence_of(row) for _, rows in member.get("bound", ()) for row in rows]
    pending = [(use.offer, use.charge) for use in waiting if use.offer is not None]
    return taken, pending, member["recorded_at"]


def is_forgettable(definitions: PastDefinitions, moment: datetime) -> bool:
    """Return whether members can have dropped their uses of an offer by `moment`."""
    known = [definition for definition in definitions if definition is not None]
    ends = [
        date.fromisoformat(str(definition["last_day"]))
        for definition in known
        if definition.get("last_day") is not None
    ]
    return not known or any((moment.date() - last_day).days >= OFFERS_KEPT_DAYS for last_day in ends)


async def check_counters(
    database: Database,
    past: CatalogueHistory,
    programme: str,
    expected: ExpectedCounters,
    *,
    session: AsyncClientSession | None = None,
    only: Collection[str] | None = None,
) -> AsyncIterator[CounterCheck]:
    """Compare every counter with its expected value and its limit. A missing counter is compared as 0.

    `only` are the keys of rewards and offers to check, None for all.
    """
    missing = expected.counters()
    batch: dict[CounterKey, int] = {}
    # Those of activity are checked against the ledger, in activity.py.
    query: dict[str, Any] = {"programme": programme, "kind": {"$ne": CounterKind.ACTIVITY}}
    query |= {"key": {"$in": [*only]}} if only is not None else {}
    async for document in database.counters.find(query, session=session):
        decoded = decode(_counter_and_taken, document)
        if isinstance(decoded, Unreadable) or counter_id(programme, decoded[0]) != document["_id"]:
            fault = (
                f"cannot be read: {decoded.reason}"
                if isinstance(decoded, Unreadable)
                else f"counts {_name(decoded[0])}"
            )
            yield CounterCheck(None, BrokenSupply(f"counter {document['_id']}", (fault,)))
            continue
        missing.discard(decoded[0])
        batch[decoded[0]] = decoded[1]
        if len(batch) == BATCH:
            for check in await _check_batch(past, expected, batch, session):
                yield check
            batch = {}
    for check in await _check_batch(past, expected, batch, session):
        yield check
    for check in await _check_batch(past, expected, dict.fromkeys(sorted(missing), 0), session):
        if check.broken is not None:
            yield check


def _counter_and_taken(document: dict[str, Any]) -> tuple[CounterKey, int]:
    return counter_of([document["kind"], document["key"], document["at"]]), int(document["taken"])


def _name(counter: CounterKey) -> str:
    at = f"/{counter.at.isoformat()}" if counter.at is not None else ""
    return f"{counter.kind}/{counter.key}{at}"


async def _check_batch(
    past: CatalogueHistory,
    expected: ExpectedCounters,
    taken: Mapping[CounterKey, int],
    session: AsyncClientSession | None,
) -> list[CounterCheck]:
    by_kind: dict[ItemKind, dict[str, PastDefinitions]] = {}
    for kind in (ItemKind.OFFER, ItemKind.REWARD):
        keys = {counter.key for counter in taken if _KIND[counter.kind] is kind}
        by_kind[kind] = await past.definitions(kind, keys, session) if keys else {}
    found: list[CounterCheck] = []
    for counter, pieces in taken.items():
        definitions = by_kind[_KIND[counter.kind]][counter.key]
        faults = tuple(_faults(counter, pieces, expected, definitions))
        broken = BrokenSupply(f"counter {_name(counter)}", faults) if faults else None
        found.append(CounterCheck(counter, broken, _overrun(counter, pieces, definitions, past.budget_unit)))
    return found


def _faults(counter: CounterKey, taken: int, expected: ExpectedCounters, definitions: PastDefinitions) -> Iterable[str]:
    low, high = _bounds(counter, expected, definitions)
    if taken < low or (high is not None and taken > high):
        values = f"{low}" if low == high else f"{low} or more" if high is None else f"{low} to {high}"
        yield f"it is {taken}, {_SOURCE[counter.kind]} sum to {values}"
    limit = _limit(counter, definitions)
    if limit is not None and taken > limit:
        yield f"it is {taken}, and its limit was never above {limit}"


def _overrun(counter: CounterKey, taken: int, definitions: PastDefinitions, unit: BudgetUnit) -> int:
    """Return by how much a budget counter exceeds the largest budget that the offer ever had."""
    if counter.kind is not CounterKind.BUDGET:
        return 0
    budgets = [
        (definition["kind"], Decimal(str(definition["budget"])))
        for definition in definitions
        if definition is not None and definition.get("budget") is not None
    ]
    limits = [int(budget) if kind in EARNING_KINDS else unit.count(budget) for kind, budget in budgets]
    return max(0, taken - max(limits, default=taken))


def _bounds(counter: CounterKey, expected: ExpectedCounters, definitions: PastDefinitions) -> tuple[int, int | None]:
    """Return the lowest and highest possible value of a counter; None for no upper bound."""
    taken = expected.taken[counter]
    if counter.kind is CounterKind.BUDGET:
        return _budget_bounds(counter.key, expected, definitions)
    if counter.kind is CounterKind.USES and is_forgettable(definitions, expected.latest):
        return taken, None
    return taken, taken


def _budget_bounds(key: str, expected: ExpectedCounters, definitions: PastDefinitions) -> tuple[int, int | None]:
    known = [definition for definition in definitions if definition is not None]
    costs = expected.costs.get(key, _Costs())
    costs = replace(costs, kept=costs.kept + expected.pending_costs[key])
    if not expected.unexplained_uses and not costs.returned:
        return costs.kept, costs.kept
    if not known:
        return costs.kept, None
    returnable = {bool(definition.get("returnable")) for definition in known}
    low, high, uses = costs.kept, costs.kept + costs.returned, costs.kept_uses
    if (
        returnable == {True}
        and None not in definitions
        and all(definition.get("budget") is not None for definition in known)
    ):
        high = low
    elif returnable == {False}:
        low, uses = high, uses + costs.returned_uses
    if not any(
        definition["kind"] in _COSTS_WITHOUT_PURCHASE or definition.get("maximum") is not None for definition in known
    ):
        return low, high
    # If all uses that members store belong to a purchase, recorded or still to come, no use had a cost without one.
    stored_uses = expected.taken[CounterKey(CounterKind.USES, key)]
    is_exact = low == high and not is_forgettable(definitions, expected.latest)
    return (low, high) if is_exact and stored_uses == uses + expected.pending[key] else (low, None)


def _limit(counter: CounterKey, definitions: PastDefinitions) -> int | None:
    """Return the highest limit of any version of the catalogue; None if a version had none, or no version is known."""
    known = [definition for definition in definitions if definition is not None]
    if counter.kind is CounterKind.STOCK:
        limits = [definition.get("stock") for definition in known]
    elif counter.kind is CounterKind.SLOT:
        # A version without appointments allowed no booking.
        calendars = [definition["appointments"] for definition in known if definition.get("appointments") is not None]
        limits = [calendar.get("capacity", 1) for calendar in calendars]
    elif counter.kind is CounterKind.USES:
        limits = [(definition.get("uses") or {}).get("in_all") for definition in known]
    else:
        return None
    known_limits = [limit for limit in limits if limit is not None]
    return max(known_limits) if known_limits and len(known_limits) == len(limits) else None


async def reread_expected(
    database: Database, programme: str, only: Collection[str], session: AsyncClientSession
) -> ExpectedCounters:
    """Return the expected values of the counters of some rewards and offers, read in the session's snapshot."""
    expected = ExpectedCounters(only)
    here = {"programme": programme}
    took = {**here, "took.0": {"$exists": True}}
    async for document in database.orders.find(took, {"took": 1}, session=session):
        expected.add_order(document)
    fields = dict.fromkeys(("holds", "offers", "bound", "recorded_at"), 1)
    async for document in database.members.find(here, fields, session=session):
        expected.add_member(document)
    used = {
        "$or": [{"cause.operation": "redeem"}, {"offers.0": {"$exists": True}}, {"consequences.0": {"$exists": True}}]
    }
    async for document in database.records.find({**here, **used}, USE_FIELDS, session=session):
        expected.add_event(document)
    return expected


async def broken_codes(database: Database, programme: str) -> AsyncIterator[BrokenSupply]:
    """Yield the codes that are free and have a holder, or are not free and have none."""
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
        yield BrokenSupply(name, (f"it is {document['state']}, and its holder is {holder}",))


async def ambiguous_codes(database: Database, programme: str) -> AsyncIterator[BrokenSupply]:
    """Yield the codes that mean two things when they are typed: two codes of pools, or the code of another offer."""
    async for document in database.codes.find({"programme": programme, "canonical": {"$not": {"$type": "string"}}}):
        same = {"programme": programme, "canonical": canonical.code(document["code"])}
        other = await database.codes.find_one(same)
        reason = "it has no canonical form; run `carillon migrate`"
        if other is not None:
            same_as = f"code {other['code']!r} of pool {other['pool']!r}"
            reason = f"it is the same as {same_as}, and cannot be redeemed by its text"
        yield BrokenSupply(f"code {document['code']!r} of pool {document['pool']!r}", (reason,))
    stored = await newest_version(database, programme)
    if stored is None:
        return
    running = read_programme(stored["source"], version=stored["version"])
    for code, owners in (await shared_codes(database, running)).items():
        names = " and ".join(f"{owner.kind} {owner.name!r}" for owner in owners)
        yield BrokenSupply(f"code {code!r}", (f"it is the code of {names}",))
