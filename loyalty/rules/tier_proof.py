"""Audits a member's tier: its points explain the tier that it had after they last changed."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from loyalty.kernel.calendar import day_of
from loyalty.model.ledger import EntryKind, Record
from loyalty.model.member import Member
from loyalty.model.programme import Programme, TierAfterRefund
from loyalty.model.qualifying_days import QualifyingDays
from loyalty.rules.tier import qualified_tier

# Until every gateway decides by a new version of the programme.
ADOPTED_WITHIN = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class RunningProgramme:
    """The newest version of a programme, and since when it runs."""

    programme: Programme
    since: datetime


@dataclass(slots=True)
class TierAudit:
    """Follows the records of one member in order of version; the newest that changed qualifying points is proved.

    Later records leave the tier alone, or end it with its period. Records that an earlier version of the programme
    decided are not proved.
    """

    _changed: Record | None = None

    def add(self, record: Record) -> None:
        """Add a record."""
        if record.qualifying_points:
            self._changed = record

    def faults(self, member: Member, running: RunningProgramme | None) -> list[str]:
        """Return what the tier should be instead, as a sentence; empty if the points explain it."""
        record, days = self._changed, QualifyingDays.of(member.qualifying_days)
        if record is None or running is None or record.recorded_at < running.since + ADOPTED_WITHIN:
            return []
        if not days.is_valid:
            return []  # the proof of the ledger says so
        programme = running.programme
        today = day_of(record.recorded_at, programme.zone)
        tier = programme.tier(record.tier_status.tier)
        qualified = qualified_tier(programme, days, today).tier
        says = f"version {record.version} says tier {tier.key}"
        if qualified.rank > tier.rank:
            return [f"{says}, and the points reach {qualified.key}"]
        if qualified.rank < tier.rank and _is_review(record, programme):
            for day, points in record.qualifying_points:
                days = days.with_points(day, -points)
            if qualified_tier(programme, days, today).tier.rank >= tier.rank:
                return [f"{says} after a refund, and the points that are left reach {qualified.key}"]
        return []


def _is_review(record: Record, programme: Programme) -> bool:
    """Return whether a record is of a refund that takes a tier at once."""
    is_refund = any(entry.kind is EntryKind.REVERSE for entry in record.entries)
    return is_refund and programme.tier_after_refund is TierAfterRefund.REVIEWED
