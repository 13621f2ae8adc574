"""The ledger: append-only and double-entry, one hash-chained record for each version of a member.

Points move between the accounts of one member. They come from `issued`, whose balance is the negative of all points
given. The postings of every entry sum to zero, and so at any time

    -issued = available + pending + held + redeemed + expired + deducted + written_off

`written_off` is zero or negative: points that were spent before a refund reversed them, a loss that the brand bears.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from loyalty.kernel.channel import Channel
from loyalty.kernel.digest import canonical_moment, fast_content_digest
from loyalty.kernel.fast_dataclass import fast_init
from loyalty.model.explanation import Explanation
from loyalty.model.notice import Notice


class Account(StrEnum):
    """The accounts of a member. MongoDB stores their values."""

    ISSUED = "issued"
    AVAILABLE = "available"
    PENDING = "pending"
    HELD = "held"
    REDEEMED = "redeemed"
    EXPIRED = "expired"
    DEDUCTED = "deducted"
    WRITTEN_OFF = "written_off"

    # Enum's own hash is a Python function, too slow for keys of every balance. Equal strings keep equal hashes.
    __hash__ = str.__hash__


class EntryKind(StrEnum):
    """The public API's kinds of ledger entries."""

    EARN = "EARN"
    CONFIRM = "CONFIRM"
    BURN = "BURN"
    HOLD = "HOLD"
    RELEASE = "RELEASE"
    EXPIRE = "EXPIRE"
    ADJUST = "ADJUST"
    REVERSE = "REVERSE"
    TRANSFER = "TRANSFER"

    __hash__ = str.__hash__  # see Account


@fast_init
@dataclass(frozen=True, slots=True)
class LotKey:
    """Identifies a lot: the day its points were earned and the last day to spend them (None: they never expire)."""

    earned_on: date
    expires_on: date | None


@fast_init
@dataclass(frozen=True, slots=True)
class Posting:
    """Adds `points` (negative: debits) to one account; on `available` and `expired`, to one lot.

    A posting on `available` without a lot changes the debt: a refund reversed points that were already spent, or new
    points repay them.
    """

    account: Account
    points: int
    lot: LotKey | None = None


@fast_init
@dataclass(frozen=True, slots=True)
class Entry:
    """One movement of points, as a member sees it.

    `points` is the change of the available balance, `balance` the available balance after it. `label` and `params`
    select its text in the text catalogue.

    Raises:
        ValueError: the postings do not sum to zero, or do not move `points` on the available account.
    """

    kind: EntryKind
    points: int
    balance: int
    occurred_at: datetime
    channel: Channel
    postings: tuple[Posting, ...]
    explanations: tuple[Explanation, ...] = ()
    label: str = ""
    params: Mapping[str, str | int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check the ledger's two invariants, so that no invalid entry can exist."""
        total = moved = 0
        for posting in self.postings:
            total += posting.points
            if posting.account is Account.AVAILABLE:
                moved += posting.points
        if total != 0:
            raise ValueError(f"unbalanced entry: its postings sum to {total}, not to 0")
        if moved != self.points:
            raise ValueError(f"the entry says {self.points} points, its postings move {moved}")


@fast_init
@dataclass(frozen=True, slots=True)
class TierStatus:
    """A member's tier, when it was reached, and until when it is guaranteed (None: without end)."""

    tier: str
    since: datetime
    guaranteed_until: datetime | None


IMPORTED = "import"


@fast_init
@dataclass(frozen=True, slots=True)
class Cause:
    """What caused a version: the operation, the actor's role and subject, its idempotency key and a reason.

    `reason` is required for adjustments; an imported event's or redemption's is IMPORTED. MongoDB stores the fields
    under these names.
    """

    operation: str
    role: str
    subject: str
    key: str
    reason: str | None = None


@fast_init
@dataclass(frozen=True, slots=True)
class RecordRef:
    """The record of one version of a member."""

    member: str
    version: int


@fast_init
@dataclass(frozen=True, slots=True)
class Record:
    """Everything that one version of a member changed.

    `qualifying_points` holds (day, qualifying points added), negative for a refund. `notices` say the same in a
    member's terms. `command` is set in the records of a command's other members: it names the record of its first
    member, which carries the key.
    """

    member: str
    version: int
    recorded_at: datetime
    cause: Cause
    entries: tuple[Entry, ...]
    qualifying_points: tuple[tuple[date, int], ...]
    tier_status: TierStatus
    previous_hash: str
    hash: str
    notices: tuple[Notice, ...] = ()
    command: RecordRef | None = None

    @property
    def explanations(self) -> tuple[Explanation, ...]:
        """The explanations of all entries, in order."""
        return tuple(explanation for entry in self.entries for explanation in entry.explanations)


def apply_postings(balances: Mapping[Account, int], postings: Iterable[Posting]) -> dict[Account, int]:
    """Return the balances after some postings; `balances` itself stays as it is."""
    result = dict(balances)
    for posting in postings:
        result[posting.account] = result.get(posting.account, 0) + posting.points
    return result


def apply_entries(balances: Mapping[Account, int], entries: Iterable[Entry]) -> dict[Account, int]:
    """Return the balances after the postings of `entries`; `balances` itself stays as it is."""
    return apply_postings(balances, (posting for entry in entries for posting in entry.postings))


def _lot_content(lot: LotKey) -> list[str | None]:
    return [lot.earned_on.isoformat(), lot.expires_on.isoformat() if lot.expires_on is not None else None]


def _entry_content(entry: Entry) -> dict[str, Any]:
    return {
        "kind": entry.kind,
        "points": entry.points,
        "balance": entry.balance,
        "occurred_at": canonical_moment(entry.occurred_at),
        "channel": entry.channel,
        "postings": [[p.account, p.points, _lot_content(p.lot) if p.lot else None] for p in entry.postings],
        "why": [[w.rule, w.points, w.applied, w.reason, dict(w.params)] for w in entry.explanations],
        "label": entry.label,
        "params": dict(entry.params),
    }


def seal(record: Record) -> Record:
    """Set the hash of a record in place and return it; nobody else may hold the record yet."""
    object.__setattr__(record, "hash", record_hash(record))
    return record


def record_hash(record: Record) -> str:
    """Return the SHA-256 of a record's content, chained to `previous_hash`, in hexadecimal."""
    cause, tier_status = record.cause, record.tier_status
    until = tier_status.guaranteed_until
    content = {
        "member": record.member,
        "version": record.version,
        "recorded_at": canonical_moment(record.recorded_at),
        "cause": [cause.operation, cause.role, cause.subject, cause.key, cause.reason],
        "entries": [_entry_content(entry) for entry in record.entries],
        "qualified": [[day.isoformat(), points] for day, points in record.qualifying_points],
        "standing": [
            tier_status.tier,
            canonical_moment(tier_status.since),
            canonical_moment(until) if until is not None else None,
        ],
    }
    if record.notices:  # records written before notices existed must keep their hashes
        content["notices"] = [[notice.kind, dict(notice.params)] for notice in record.notices]
    if record.command is not None:
        content["command"] = [record.command.member, record.command.version]
    return fast_content_digest(content, previous=record.previous_hash)
