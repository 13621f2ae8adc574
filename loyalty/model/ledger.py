"""The ledger: append-only, double-entry, one hash-chained record for each version of a member.

Points move between the accounts of one member. `issued` is where points come from: it stands below zero by what was
given, so that the postings of every entry sum to zero and, at any time,

    -issued = available + pending + held + redeemed + expired + deducted + written_off

`written_off` is zero or negative: points that were spent before a refund took away their reason, borne by the brand.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from loyalty.kernel.channel import Channel
from loyalty.kernel.digest import exact_digest, plain_moment
from loyalty.kernel.fast_dataclass import quick
from loyalty.model.explanation import Explanation
from loyalty.model.notice import Notice


class Account(StrEnum):
    """Where points can stand."""

    ISSUED = "issued"
    AVAILABLE = "available"
    PENDING = "pending"
    HELD = "held"
    REDEEMED = "redeemed"
    EXPIRED = "expired"
    DEDUCTED = "deducted"
    WRITTEN_OFF = "written_off"

    # Of the string, which it equals; Enum's own is written in Python, and every balance is found by it.
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


@quick
@dataclass(frozen=True, slots=True)
class LotKey:
    """Which lot: the day its points were earned, and the last day they may be spent (None: for ever)."""

    earned_on: date
    expires_on: date | None


@quick
@dataclass(frozen=True, slots=True)
class Posting:
    """`points` more (or fewer) on one account; on `available` and `expired`, of one lot.

    A posting on `available` without a lot is a debt: points taken back that were spent already.
    """

    account: Account
    points: int
    lot: LotKey | None = None


@quick
@dataclass(frozen=True, slots=True)
class Entry:
    """One movement, as a shopper sees it. `points` is the change of the available balance, `balance` what it became."""

    kind: EntryKind
    points: int
    balance: int
    occurred_at: datetime
    channel: Channel
    postings: tuple[Posting, ...]
    why: tuple[Explanation, ...] = ()
    label: str = ""
    params: Mapping[str, str | int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Hold the ledger's two laws where an entry is made, so that none can be made wrong."""
        total = moved = 0
        for posting in self.postings:
            total += posting.points
            if posting.account is Account.AVAILABLE:
                moved += posting.points
        if total != 0:
            raise ValueError(f"unbalanced entry: its postings sum to {total}, not to 0")
        if moved != self.points:
            raise ValueError(f"the entry says {self.points} points, its postings move {moved}")


@quick
@dataclass(frozen=True, slots=True)
class Standing:
    """A member's tier: since when, and until when at the least (None: without end)."""

    tier: str
    since: datetime
    until: datetime | None


@quick
@dataclass(frozen=True, slots=True)
class Cause:
    """Who asked for a change: the operation, the actor's role and subject, the caller's key, and a reason if due."""

    operation: str
    role: str
    subject: str
    key: str
    reason: str | None = None


@quick
@dataclass(frozen=True, slots=True)
class Record:
    """All that one version of a member changed. `qualified` adds points to days of the qualification.

    `notices` tell the same in a shopper's terms.
    """

    member: str
    version: int
    recorded_at: datetime
    cause: Cause
    entries: tuple[Entry, ...]
    qualified: tuple[tuple[date, int], ...]
    standing: Standing
    previous_hash: str
    hash: str
    notices: tuple[Notice, ...] = ()

    @property
    def why(self) -> tuple[Explanation, ...]:
        """Every explanation of this version, entry by entry."""
        return tuple(explanation for entry in self.entries for explanation in entry.why)


def balances_after(balances: Mapping[Account, int], entries: Iterable[Entry]) -> dict[Account, int]:
    """Return the balances once the postings of `entries` are added."""
    result = dict(balances)
    for entry in entries:
        for posting in entry.postings:
            result[posting.account] = result.get(posting.account, 0) + posting.points
    return result


def _lot_content(lot: LotKey) -> list[str | None]:
    return [lot.earned_on.isoformat(), lot.expires_on.isoformat() if lot.expires_on is not None else None]


def _entry_content(entry: Entry) -> dict[str, Any]:
    return {
        "kind": entry.kind,
        "points": entry.points,
        "balance": entry.balance,
        "occurred_at": plain_moment(entry.occurred_at),
        "channel": entry.channel,
        "postings": [[p.account, p.points, _lot_content(p.lot) if p.lot else None] for p in entry.postings],
        "why": [[w.rule, w.points, w.applied, w.reason, dict(w.params)] for w in entry.why],
        "label": entry.label,
        "params": dict(entry.params),
    }


def sealed(record: Record) -> Record:
    """Return a record that was just made, and that nobody else has yet, with the hash that it must carry."""
    object.__setattr__(record, "hash", record_hash(record))
    return record


def record_hash(record: Record) -> str:
    """Return the hash that a record must carry: over its content, chained to the record before it."""
    cause, standing = record.cause, record.standing
    until = standing.until
    content = {
        "member": record.member,
        "version": record.version,
        "recorded_at": plain_moment(record.recorded_at),
        "cause": [cause.operation, cause.role, cause.subject, cause.key, cause.reason],
        "entries": [_entry_content(entry) for entry in record.entries],
        "qualified": [[day.isoformat(), points] for day, points in record.qualified],
        "standing": [standing.tier, plain_moment(standing.since), plain_moment(until) if until is not None else None],
    }
    if record.notices:  # records from before there were any keep their hashes
        content["notices"] = [[notice.kind, dict(notice.params)] for notice in record.notices]
    return exact_digest(content, after=record.previous_hash)
