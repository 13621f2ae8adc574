"""Time travel over the ledger: a member one version ago, and the proof that a snapshot is its ledger's sum."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date

from loyalty.days import Days
from loyalty.ledger import Account, Entry, LotKey, Record, Standing, record_hash
from loyalty.lot import Lot, Lots
from loyalty.member import Member
from loyalty.tier import LIFETIME_BUCKET


def rewind(member: Member, record: Record, before: Standing) -> Member:
    """Return `member`, which stands at the version of `record`, as it stood before it.

    `before` is the standing of the record that precedes (records carry their own). Exact in version, balances and
    lots. The profile is the present one: the ledger keeps no personal data. Qualifying days that are forgotten since
    stay so.
    """
    balances = dict(member.balances)
    points = {lot.key: lot.points for lot in member.lots}
    expired = {lot.key: lot.expired for lot in member.lots}
    for entry in record.entries:
        for posting in entry.postings:
            balances[posting.account] = balances.get(posting.account, 0) - posting.points
            if posting.lot is None:
                continue
            if posting.account is Account.AVAILABLE:
                points[posting.lot] = points.get(posting.lot, 0) - posting.points
            elif posting.account is Account.EXPIRED:
                expired[posting.lot] = max(0, expired.get(posting.lot, 0) - posting.points)
    lots = [Lot(key, points.get(key, 0), expired.get(key, 0)) for key in points.keys() | expired.keys()]
    qualifying = dict(member.qualifying)
    for day, gained in record.qualified:
        qualifying[day] = max(0, qualifying.get(day, 0) - gained)
    return replace(
        member,
        version=record.version - 1,
        head=record.previous_hash,
        standing=before,
        balances=balances,
        lots=Lots.of(lot for lot in lots if lot.points or lot.expired),
        qualifying=Days.of(qualifying),
    )


@dataclass(slots=True)
class Proof:
    """The ledger of one member added up record by record, in bounded memory, then held against its snapshot.

    Feed every record in order of version to `add`, then ask `faults`.
    """

    member: str
    version: int = 0
    head: str = ""
    balances: dict[Account, int] = field(default_factory=dict)
    lots: dict[LotKey, int] = field(default_factory=dict)
    qualifying: dict[date, int] = field(default_factory=dict)
    standing: Standing | None = None
    found: list[str] = field(default_factory=list)

    def add(self, record: Record) -> None:
        """Add one record: its version, its hash and the running balance of each entry are proved on the way."""
        if record.version != self.version + 1:
            self.found.append(f"version {self.version} is followed by {record.version}")
        if record.previous_hash != self.head:
            self.found.append(f"version {record.version} is not chained to the one before it")
        if record.hash != record_hash(record):
            self.found.append(f"version {record.version} does not match its own hash")
        self.version, self.head, self.standing = record.version, record.hash, record.standing
        for entry in record.entries:
            self._add_entry(entry, record.version)
        for day, points in record.qualified:
            self.qualifying[day] = self.qualifying.get(day, 0) + points

    def _add_entry(self, entry: Entry, version: int) -> None:
        if sum(posting.points for posting in entry.postings) != 0:
            self.found.append(f"version {version} has postings that do not sum to zero")
        for posting in entry.postings:
            self.balances[posting.account] = self.balances.get(posting.account, 0) + posting.points
            if posting.lot is not None and posting.account is Account.AVAILABLE:
                self.lots[posting.lot] = self.lots.get(posting.lot, 0) + posting.points
        if entry.balance != self.balances.get(Account.AVAILABLE, 0):
            self.found.append(f"version {version} says a balance of {entry.balance}, its entries give another")

    def faults(self, member: Member) -> list[str]:
        """Return everything that does not hold between the ledger and the snapshot; nothing where all holds."""
        found = list(self.found)
        if member.version != self.version:
            found.append(f"the snapshot is at version {member.version}, the ledger at {self.version}")
        if member.head != self.head:
            found.append("the snapshot is chained to another record than the last one")
        if member.standing != self.standing:
            found.append("the snapshot's tier is not the last record's")
        ours = {account: points for account, points in self.balances.items() if points}
        theirs = {account: points for account, points in member.balances.items() if points}
        if ours != theirs:
            found.append(f"balances: the snapshot says {_told(theirs)}, the ledger {_told(ours)}")
        if sum(theirs.values()) != 0:
            found.append(f"points are not conserved: the accounts sum to {sum(theirs.values())}")
        return [*found, *self._lot_faults(member), *self._day_faults(member)]

    def _lot_faults(self, member: Member) -> Iterator[str]:
        lots = Lots.of(member.lots)
        if not lots.is_sound:
            yield "the lots are not in spending order"
            return
        if {key: points for key, points in self.lots.items() if points} != {
            lot.key: lot.points for lot in lots if lot.points
        }:
            yield "the open lots are not those of the ledger"
        if sum(lot.points for lot in lots) != max(0, member.available):
            yield "the open lots do not sum to the available balance"

    def _day_faults(self, member: Member) -> Iterator[str]:
        days = Days.of(member.qualifying)
        if not days.is_sound:
            yield "the qualifying days are not in order"
        elif any(self.qualifying.get(day, 0) != points for day, points in days.rows() if day != LIFETIME_BUCKET):
            yield "the qualifying days are not those of the ledger"


def _told(balances: dict[Account, int]) -> str:
    return ", ".join(f"{account.value} {points}" for account, points in sorted(balances.items())) or "nothing"
