"""Audits what followed from one member's purchases: the uses of offers, and the orders that they gave.

The uses that a member stores of an offer must be those that its recorded events took and have not restored. Of a
purchase that was returned whole, every consequence must have ended, with its order cancelled or beyond cancelling.
Releases up to 0.2.0 stored less: how many uses a returned purchase and a redemption of theirs took is not known.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from typing import Any

from loyalty.commands.consequences import BACK
from loyalty.model.event import Consequence, ConsequenceEnd
from loyalty.model.member import Member
from loyalty.model.order import TRANSITIONS, OrderState
from models.mongo.event import consequences_of

REDEEM = "redeem"
USE_FIELDS = dict.fromkeys(("cause.operation", "type", "offers", "consequences", "returned"), 1)


def _has_uses(document: Mapping[str, Any]) -> bool:
    """Return whether an event stores uses of offers."""
    return bool(document.get("consequences") or document.get("offers"))


def is_unexplained_use(document: Mapping[str, Any]) -> bool:
    """Return whether an event is a redemption of a release that did not store with it what it took."""
    return document["cause"]["operation"] == REDEEM and "consequences" not in document


def stored_uses(document: Mapping[str, Any]) -> tuple[tuple[Consequence, ...], bool]:
    """Return what an event's offers took, and whether that may have been restored since.

    Of a purchase that was returned whole under a release up to 0.2.0, the document does not say.
    """
    if not _has_uses(document):
        return (), False
    return consequences_of(document), "consequences" not in document and _is_returned(document)


def _is_returned(document: Mapping[str, Any]) -> bool:
    return bool(document.get("returned")) and all(Fraction(share) == 1 for share in document["returned"])


class Consequences:
    """Collects what followed from one member's events. All orders must be added before the events."""

    def __init__(self) -> None:
        self._uses: Counter[str] = Counter()
        self._uncertain: Counter[str] = Counter()
        self._unexplained_uses = 0
        self._orders: dict[str, tuple[str, OrderState]] = {}
        self._found: list[str] = []

    def add_order(self, order: str, number: str, state: OrderState) -> None:
        """Add an order."""
        self._orders[order] = (number, state)

    def add_event(self, document: Mapping[str, Any]) -> None:
        """Add what an event led to, and check that it ended with a returned purchase."""
        self._unexplained_uses += is_unexplained_use(document)
        consequences, may_be_restored = stored_uses(document)
        for one in consequences:
            if one.offer is not None:
                (self._uncertain if may_be_restored else self._uses)[one.offer] += one.uses
        if "consequences" in document and _is_returned(document):
            self._found += self._end_faults(document["cause"]["key"], consequences)

    def _end_faults(self, purchase: str, consequences: Iterable[Consequence]) -> Iterator[str]:
        for one in consequences:
            number, state = self._orders.get(one.order or "", ("", None))
            name = f"purchase {purchase!r} is returned, and"
            if one.end is None:
                yield f"{name} {one.rule} was not reversed"
            elif state is not None and one.end is ConsequenceEnd.REVERSED and state not in BACK:
                yield f"{name} order {number} of {one.rule} is {state}"
            elif state is not None and one.end is ConsequenceEnd.GONE and OrderState.CANCELLED in TRANSITIONS[state]:
                yield f"{name} order {number} of {one.rule} is {state}, not cancelled"
            if one.end is ConsequenceEnd.REVERSED and one.returnable and (one.uses or one.charge):
                yield f"{name} the use of {one.rule} was not restored"

    def forgotten_offers(self, member: Member) -> Iterator[str]:
        """Yield the keys of offers that the member used and stores no use of: old ones are dropped."""
        return (key for key, uses in self._uses.items() if uses and key not in member.offer_uses)

    def faults(self, member: Member, forgotten: frozenset[str]) -> list[str]:
        """Return the faults between a member's uses and its events; of `forgotten` offers it stores none any more."""
        return [*self._found, *self._use_faults(member, forgotten)]

    def _use_faults(self, member: Member, forgotten: frozenset[str]) -> Iterator[str]:
        recorded = self._uses.copy()
        for waiting in member.pending_uses.values():
            recorded.update({use.offer: use.uses for use in waiting if use.offer is not None})
        for key in sorted(recorded.keys() | self._uncertain.keys() | member.offer_uses.keys()):
            if key in forgotten and key not in member.offer_uses:
                continue
            low, stored = recorded[key], member.offer_use(key).uses
            high = low + self._uncertain[key] + self._unexplained_uses
            if not low <= stored <= high:
                expected = f"{low}" if low == high else f"{low} to {high}"
                yield f"the snapshot counts {stored} uses of offer {key!r}, its events sum to {expected}"
