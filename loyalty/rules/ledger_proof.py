"""Audits a snapshot against its ledger: replays the records, and rewinds a member to an earlier version."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from zoneinfo import ZoneInfo

from loyalty.kernel.calendar import day_of, period_name
from loyalty.kernel.period import LimitPeriod
from loyalty.model.explanation import Explanation, RuleOutcome
from loyalty.model.ledger import Account, Entry, EntryKind, LotKey, Record, TierStatus, record_hash
from loyalty.model.lot import Lot, Lots
from loyalty.model.member import Member
from loyalty.model.qualifying_days import QualifyingDays
from loyalty.rules.earning import CAP_PERIODS_KEPT
from loyalty.rules.tier import LIFETIME_OLD_DAYS


def rewind(member: Member, record: Record, before: TierStatus) -> Member:
    """Return `member`, which is at the version of `record`, as it was one version earlier.

    `before` is the tier status in the preceding record. Version, balances and lots are exact. The profile stays the
    current one, because the ledger holds no personal data; qualifying days that were dropped since stay dropped.
    """
    balances = dict(member.balances)
    points = {lot.key: lot.points for lot in member.lots}
    expired = {lot.key: lot.expired_points for lot in member.lots}
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
    qualifying = dict(member.qualifying_days)
    for day, gained in record.qualifying_points:
        qualifying[day] = max(0, qualifying.get(day, 0) - gained)
    return replace(
        member,
        version=record.version - 1,
        head_hash=record.previous_hash,
        tier_status=before,
        balances=balances,
        lots=Lots.of(lot for lot in lots if lot.points or lot.expired_points),
        qualifying_days=QualifyingDays.of(qualifying),
    )


@dataclass(frozen=True, slots=True)
class StableCaps:
    """The rules whose cap period never changed between versions of the programme, and the brand's zone.

    `version` is the newest version of the programme that was compared.
    """

    zone: ZoneInfo
    periods: Mapping[str, LimitPeriod]
    version: int


NO_CAPS = StableCaps(ZoneInfo("UTC"), {}, 0)


@dataclass(slots=True)
class _Given:
    """Points that capped rules gave for a day, or that a refund reversed (negative; its day follows later)."""

    version: int
    day: date | None
    points: dict[str, int]


@dataclass(slots=True)
class LedgerAudit:
    """Replays the ledger of one member and compares the result with its snapshot.

    Pass every record in order of version to `add()` and each refund to `add_refund()`, then call `faults()`. For the
    rules in `caps`, the points within each cap period are replayed; for other rules, the snapshot may not show more
    than they ever gave.
    """

    member: str
    caps: StableCaps = NO_CAPS
    version: int = 0
    head: str = ""
    balances: dict[Account, int] = field(default_factory=dict)
    lots: dict[LotKey, int] = field(default_factory=dict)
    qualifying: dict[date, int] = field(default_factory=dict)
    tier_status: TierStatus | None = None
    chain_faults: list[str] = field(default_factory=list)
    written_off: dict[int, int] = field(default_factory=dict)
    _given: list[_Given] = field(default_factory=list)
    _given_in_all: dict[str, int] = field(default_factory=dict)
    _refunded_days: dict[int, date] = field(default_factory=dict)

    def add(self, record: Record) -> None:
        """Add one record, and check its version, its hash and the running balance of each entry."""
        if record.version != self.version + 1:
            self.chain_faults.append(f"version {self.version} is followed by {record.version}")
        if record.previous_hash != self.head:
            self.chain_faults.append(f"version {record.version} is not chained to the one before it")
        if record.hash != record_hash(record):
            self.chain_faults.append(f"version {record.version} does not match its own hash")
        self.version, self.head, self.tier_status = record.version, record.hash, record.tier_status
        for entry in record.entries:
            self._add_entry(entry, record.version)
        for day, points in record.qualifying_points:
            self.qualifying[day] = self.qualifying.get(day, 0) + points

    def _add_entry(self, entry: Entry, version: int) -> None:
        if sum(posting.points for posting in entry.postings) != 0:
            self.chain_faults.append(f"version {version} has postings that do not sum to zero")
        for posting in entry.postings:
            self.balances[posting.account] = self.balances.get(posting.account, 0) + posting.points
            if posting.lot is not None and posting.account is Account.AVAILABLE:
                self.lots[posting.lot] = self.lots.get(posting.lot, 0) + posting.points
            if posting.account is Account.WRITTEN_OFF and posting.points < 0:
                self.written_off[version] = self.written_off.get(version, 0) - posting.points
        self._add_given(entry, version)
        if entry.balance != self.balances.get(Account.AVAILABLE, 0):
            self.chain_faults.append(f"version {version} says a balance of {entry.balance}, its entries give another")

    def _add_given(self, entry: Entry, version: int) -> None:
        """Note the points that each rule gave in an entry, and those that were reversed."""
        earned = entry.kind is EntryKind.EARN
        within: dict[date | None, dict[str, int]] = {}
        for why in entry.explanations:
            if not why.points or (not earned and why.reason is not RuleOutcome.REVERSED):
                continue
            if why.rule in self.caps.periods:
                day = day_of(entry.occurred_at, self.caps.zone) if earned else _stated_day(why)
                points = within.setdefault(day, {})
                points[why.rule] = points.get(why.rule, 0) + why.points
            elif earned:
                self._given_in_all[why.rule] = self._given_in_all.get(why.rule, 0) + why.points
        for day, points in within.items():
            self._given.append(_Given(version, day, points))

    def add_refund(self, version: int, earned_on: date) -> None:
        """Add the day on which the points reversed by the refund in `version` were earned; records do not hold it."""
        self._refunded_days[version] = earned_on

    def faults(self, member: Member) -> list[str]:
        """Return every difference between the ledger and the snapshot as a sentence; empty if they agree."""
        found = list(self.chain_faults)
        if member.version != self.version:
            found.append(f"the snapshot is at version {member.version}, the ledger at {self.version}")
        if member.head_hash != self.head:
            found.append("the snapshot is chained to another record than the last one")
        if member.tier_status != self.tier_status:
            found.append("the snapshot's tier is not the last record's")
        ours = {account: points for account, points in self.balances.items() if points}
        theirs = {account: points for account, points in member.balances.items() if points}
        if ours != theirs:
            found.append(f"balances: the snapshot says {_balances_text(theirs)}, the ledger {_balances_text(ours)}")
        if sum(theirs.values()) != 0:
            found.append(f"points are not conserved: the accounts sum to {sum(theirs.values())}")
        return [
            *found,
            *self._lot_faults(member),
            *self._day_faults(member),
            *self._write_off_faults(member),
            *self._cap_faults(member),
        ]

    def _lot_faults(self, member: Member) -> Iterator[str]:
        lots = Lots.of(member.lots)
        if not lots.is_valid:
            yield "the lots are not in spending order"
            return
        if {key: points for key, points in self.lots.items() if points} != {
            lot.key: lot.points for lot in lots if lot.points
        }:
            yield "the open lots are not those of the ledger"
        if sum(lot.points for lot in lots) != max(0, member.available):
            yield "the open lots do not sum to the available balance"

    def _day_faults(self, member: Member) -> Iterator[str]:
        days = QualifyingDays.of(member.qualifying_days)
        if not days.is_valid:
            yield "the qualifying days are not in order"
        elif any(self.qualifying.get(day, 0) != points for day, points in days.rows() if day != LIFETIME_OLD_DAYS):
            yield "the qualifying days are not those of the ledger"

    def _write_off_faults(self, member: Member) -> Iterator[str]:
        """Check the unrecovered write-offs: their sum exactly, and each against what its version wrote off.

        Records do not say which write-off a returned order or hold recovered. The first row may combine several: above
        the limit, a member merges the oldest.
        """
        left = sum(points for _, points in member.open_write_offs)
        owed = -self.balances.get(Account.WRITTEN_OFF, 0)
        if left != owed:
            yield f"the snapshot says that {left} written-off points are not made good, the ledger {owed}"
            return
        versions = [version for version, _ in member.open_write_offs]
        later = versions[1] if len(versions) > 1 else self.version + 1
        for place, (version, points) in enumerate(member.open_write_offs):
            end = later if place == 0 else version + 1
            most = sum(part for at, part in self.written_off.items() if version <= at < end)
            if version not in self.written_off or not 0 < points <= most or versions != sorted({*versions}):
                yield "the write-offs are not those of the ledger"
                return

    def _cap_faults(self, member: Member) -> Iterator[str]:
        """Check the points that rules gave within their caps, as far as the ledger shows what counted."""
        # Caps of a newer programme version are unknown here.
        replayed = self._capped() if member.programme_version <= self.caps.version else None
        for rule in sorted({*member.cap_usage, *(replayed or {})}):
            stored = dict(member.cap_usage.get(rule, {}))
            if rule not in self.caps.periods:
                given_max = self._given_in_all.get(rule, 0)
                if sum(stored.values()) > given_max or min(stored.values(), default=0) < 0:
                    total = sum(stored.values())
                    yield f"the cap of rule {rule!r}: the snapshot counts {total}, it gave {given_max} in all"
            elif replayed is not None and stored != replayed.get(rule, {}):
                yield f"the cap of rule {rule!r}: the snapshot counts {stored}, the ledger {replayed.get(rule, {})}"

    def _capped(self) -> dict[str, dict[str, int]] | None:
        """Return the points that each rule gave in each cap period; None if the day of a refund is unknown."""
        capped: dict[str, dict[str, int]] = {}
        for given in self._given:
            day = given.day or self._refunded_days.get(given.version)
            if day is None:
                return None
            for rule, points in given.points.items():
                if given.day is None and rule not in capped:
                    continue
                spans, span = capped.setdefault(rule, {}), period_name(day, self.caps.periods[rule])
                spans[span] = max(0, spans.get(span, 0) + points)
                kept = {name: spans[name] for name in sorted(spans)[-CAP_PERIODS_KEPT:] if spans[name]}
                capped[rule] = kept
                if not kept:
                    del capped[rule]
        return capped


def _stated_day(why: Explanation) -> date | None:
    """Return the day of the points that an explanation says were reversed; None: that of the refunded purchase."""
    stated = why.params.get("day")
    return date.fromisoformat(str(stated)) if stated is not None else None


def _balances_text(balances: dict[Account, int]) -> str:
    return ", ".join(f"{account.value} {points}" for account, points in sorted(balances.items())) or "nothing"
