"""Audits refunds: compares the points that they reversed of each purchase with what its returned shares demand."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from loyalty.model.event import Grant
from loyalty.model.explanation import RuleOutcome
from loyalty.model.ledger import EntryKind, Record
from loyalty.rules.refund import points_returned

EVENT_LABEL = "event"


@dataclass(frozen=True, slots=True)
class RefundedPurchase:
    """A purchase as it is stored after its refunds: its version, what it gave, and the shares returned.

    `by_earlier_release`: only earlier releases have refunded it; see `points_returned()`.
    """

    sender: str
    key: str
    version: int
    grants: Sequence[Grant]
    shares_returned: Sequence[Fraction]
    by_earlier_release: bool

    def fault(self) -> str | None:
        """Return what is wrong with the shares, or None."""
        if not all(0 <= share <= 1 for share in self.shares_returned):
            return f"purchase {self.key!r} has a returned share that is not between 0 and 1"
        if any(len(grant.by_line) != len(self.shares_returned) for grant in self.grants):
            return f"purchase {self.key!r} has other parts in its points than in its returned shares"
        return None

    def points(self) -> Counter[str]:
        """Return the points that it gave, by rule."""
        points: Counter[str] = Counter()
        for grant in self.grants:
            points[grant.rule] += grant.points
        return points

    def demanded(self) -> Counter[str]:
        """Return the points that its returned shares demand to be reversed, by rule."""
        points: Counter[str] = Counter()
        for grant in self.grants:
            points[grant.rule] += points_returned(
                grant.by_line, self.shares_returned, by_earlier_release=self.by_earlier_release
            )
        return points


@dataclass(slots=True)
class RefundAudit:
    """Collects one member's records, purchases and refunds, in any order, and reports the faults among them."""

    _given: dict[int, Counter[str]] = field(default_factory=dict)
    _reversed: dict[int, Counter[str]] = field(default_factory=dict)
    _purchases: dict[str, list[RefundedPurchase]] = field(default_factory=lambda: defaultdict(list))
    _refunds: list[tuple[str, str | None, str, int]] = field(default_factory=list)

    def add_record(self, record: Record) -> None:
        """Note what rules and offers gave for an event in a record, and what a refund in it reversed."""
        for entry in record.entries:
            if entry.label != EVENT_LABEL:
                continue
            if entry.kind is EntryKind.EARN:
                given = self._given.setdefault(record.version, Counter())
                given.update({why.rule: why.points for why in entry.explanations if why.points})
            elif entry.kind is EntryKind.REVERSE:
                points = self._reversed.setdefault(record.version, Counter())
                for why in entry.explanations:
                    if why.reason is RuleOutcome.REVERSED:
                        points[why.rule] -= why.points

    def add_purchase(self, purchase: RefundedPurchase) -> None:
        """Add a purchase, refunded or not."""
        self._purchases[purchase.key].append(purchase)

    def add_refund(self, sender: str, ref_sender: str | None, refund_of: str, version: int) -> None:
        """Add a refund: its own sender, that of its purchase if it says so, the purchase's key, and its version."""
        self._refunds.append((sender, ref_sender, refund_of, version))

    def faults(self) -> Iterator[str]:
        """Yield every purchase whose points were not reversed as its returned shares demand, as a sentence."""
        reversed_of: dict[int, Counter[str]] = defaultdict(Counter)
        for sender, ref_sender, refund_of, version in self._refunds:
            found = self._found(sender, ref_sender, refund_of)
            if found is None:
                yield f"the purchase {refund_of!r} of the refund in version {version} is missing"
            else:
                reversed_of[found.version] += self._reversed.get(version, Counter())
        for purchase in (one for found in self._purchases.values() for one in found):
            yield from self._faults_of(purchase, reversed_of[purchase.version])

    def _found(self, sender: str, ref_sender: str | None, key: str) -> RefundedPurchase | None:
        """Return the purchase of a refund: of the sender that it names, else of its own, else the only one."""
        found = self._purchases.get(key, [])
        by_sender = {one.sender: one for one in found}
        if ref_sender is not None:
            return by_sender.get(ref_sender)
        return by_sender.get(sender) or (found[0] if len(found) == 1 else None)

    def _faults_of(self, purchase: RefundedPurchase, reversed_points: Counter[str]) -> Iterator[str]:
        fault = purchase.fault()
        if fault is not None:
            yield fault
            return
        given, name = self._given.get(purchase.version, Counter()), f"purchase {purchase.key!r}"
        for rule, points in purchase.points().items():
            if rule in given and points != given[rule]:
                yield f"{name} stores {points} points of {rule!r}, its record gave {given[rule]}"
        for rule, demanded in purchase.demanded().items():
            # An offer that was used after a refund gave nothing for what was returned by then.
            least = demanded if rule in given else 0
            if not least <= reversed_points[rule] <= demanded:
                yield (
                    f"refunds of {name} reversed {reversed_points[rule]} points of {rule!r}, "
                    f"its returned shares demand {demanded}"
                )
