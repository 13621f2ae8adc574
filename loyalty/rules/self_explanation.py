"""Explains the entries that no rule decided: adjustments, orders, holds and expiries."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from loyalty.model.explanation import Explanation, RuleOutcome
from loyalty.model.ledger import EntryKind

ORDER_REVERSED_LABEL = "order_back"


class EntryLike(Protocol):
    """What an explanation is computed from: an entry of a record, or a view of one."""

    @property
    def kind(self) -> EntryKind:
        """The kind of entry."""

    @property
    def points(self) -> int:
        """The signed change of the available balance."""

    @property
    def occurred_at(self) -> datetime:
        """When it happened."""

    @property
    def recorded_at(self) -> datetime:
        """When it was committed."""

    @property
    def explanations(self) -> tuple[Explanation, ...]:
        """The explanations that are stored with it."""

    @property
    def label(self) -> str:
        """The key of its text."""

    @property
    def params(self) -> Mapping[str, str | int]:
        """The parameters of its text."""


def is_of_time(entry: EntryLike) -> bool:
    """Return whether the clock caused an entry, not the command of its record: an expiry, or the end of a hold."""
    if entry.kind is EntryKind.RELEASE:
        return entry.occurred_at < entry.recorded_at
    return entry.kind is EntryKind.EXPIRE


def explanations_of(entry: EntryLike) -> Sequence[Explanation]:
    """Return every explanation of an entry: its own if no rule decided it, then the stored ones.

    Their points sum to those of the entry.
    """
    found = _own_outcome(entry)
    if found is None:
        return entry.explanations
    rule, outcome = found
    points = entry.points - sum(explanation.points for explanation in entry.explanations)
    return (Explanation(rule, points, applied=True, reason=outcome, params=entry.params), *entry.explanations)


def _own_outcome(entry: EntryLike) -> tuple[str, RuleOutcome] | None:
    match entry.kind:
        case EntryKind.ADJUST:
            return "adjustment", RuleOutcome.GIVEN_BY_STAFF if entry.points > 0 else RuleOutcome.DEDUCTED_BY_STAFF
        case EntryKind.BURN:
            return "order", RuleOutcome.SPENT
        case EntryKind.REVERSE if entry.label == ORDER_REVERSED_LABEL:
            return "order", RuleOutcome.RESTORED
        case EntryKind.HOLD:
            return "hold", RuleOutcome.HELD
        case EntryKind.RELEASE:
            return "hold", RuleOutcome.LAPSED if is_of_time(entry) else RuleOutcome.RELEASED
        case EntryKind.EXPIRE:
            return "expiry", RuleOutcome.EXPIRED
    return None
