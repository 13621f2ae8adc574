"""Tiers: computed from the points earned on each day of the qualification period, never from the balance.

The result depends on sums by day, so events may arrive in any order. Only the guarantee is stored: a member is promoted
at once, and demoted at the end of the period at the earliest, or by a refund. See decisions 0006 and 0026.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from loyalty.kernel.calendar import day_from_ordinal, day_of, end_of, months_later, rolling_period_start, start_of
from loyalty.model.event import TIER_RULE, Consequence
from loyalty.model.ledger import TierStatus
from loyalty.model.programme import Programme, QualificationKind, Tier
from loyalty.model.qualifying_days import QualifyingDays

LIFETIME_OLD_DAYS = date(1900, 1, 1)
LIFETIME_DAYS_KEPT = 800


@dataclass(frozen=True, slots=True)
class QualifiedTier:
    """The tier that the points qualify for: reached on `since`, kept to the end of `last_day` (None: for ever).

    `since` is None for the entry tier, and if the day is no longer stored.
    """

    tier: Tier
    since: date | None
    last_day: date | None


@dataclass(frozen=True, slots=True)
class TierProgress:
    """Progress to the next tier, in qualifying points. `ends_at` ends the period; None if rolling or lifetime."""

    tier: Tier
    points_earned: int
    points_required: int
    ends_at: datetime | None

    @property
    def points_missing(self) -> int:
        """Qualifying points still to earn, 0 or more."""
        return max(0, self.points_required - self.points_earned)

    @property
    def ratio(self) -> float:
        """The completed fraction, 0 to 1."""
        return min(1.0, max(0.0, self.points_earned / self.points_required)) if self.points_required else 1.0


@dataclass(frozen=True, slots=True)
class Review:
    """A refund, which may take a tier at once.

    `tier_before` is the tier that the member had before its purchase, and since when; None if the purchase changed
    neither.
    """

    tier_before: tuple[str, datetime] | None = None

    def since_of(self, tier: Tier, reached: datetime) -> datetime:
        """Return since when the member would have a tier without the purchase; `reached` if that is not known."""
        if self.tier_before is not None and self.tier_before[0] == tier.key:
            return self.tier_before[1]
        return reached


def _year_start(today: date, starts: tuple[int, int]) -> date:
    """Return the first day of the qualification year that `today` is in."""
    this_year = date(today.year, *starts)
    return this_year if today >= this_year else date(today.year - 1, *starts)


def _crossing(days: list[tuple[date, int]], threshold: int) -> date | None:
    """Return the day since which the running sum of `days` has been at least `threshold`; None if it is below."""
    total = 0
    reached: date | None = None
    for day, points in days:
        total += points
        if total < threshold:
            reached = None
        elif reached is None:
            reached = day
    return reached


def _rolling_sum(days: QualifyingDays, months: int, today: date) -> int:
    """Return the points of a rolling period of `months` that ends on `today`."""
    return days.total(rolling_period_start(today, months), today + timedelta(days=1))


def _between(days: QualifyingDays, first: date, end: date) -> list[tuple[date, int]]:
    """Return the days in [first, end), in order."""
    return [(day, points) for day, points in days.rows() if first <= day < end]


def _by_calendar_year(programme: Programme, days: QualifyingDays, today: date) -> QualifiedTier:
    starts = programme.qualification.year_start
    this = _year_start(today, starts)
    previous, following = months_later(this, -12), months_later(this, 12)
    after_next = months_later(this, 24)
    current_days, previous_days = _between(days, this, following), _between(days, previous, this)
    for tier in reversed(programme.tiers[1:]):
        earlier, later = _crossing(previous_days, tier.threshold), _crossing(current_days, tier.threshold)
        if later or earlier:
            end = after_next if later else following
            return QualifiedTier(tier, earlier or later, end - timedelta(days=1))
    return QualifiedTier(programme.tiers[0], None, None)


def _by_rolling_months(programme: Programme, days: QualifyingDays, today: date) -> QualifiedTier:
    months = programme.qualification.months
    sums = _rolling_sums(days, months, today)
    for tier in reversed(programme.tiers[1:]):
        qualifying_days = [day for day, total in sums if total >= tier.threshold]
        if qualifying_days:
            last_day = months_later(day_from_ordinal(qualifying_days[-1]), months) - timedelta(days=1)
            return QualifiedTier(tier, day_from_ordinal(qualifying_days[0]), last_day)
    return QualifiedTier(programme.tiers[0], None, None)


def _rolling_sums(days: QualifyingDays, months: int, today: date) -> list[tuple[int, int]]:
    """Return the days of the rolling period that ends on `today`, as ordinals, each with the sum of its own period."""
    ordinals, points = days.columns()
    start = bisect_left(ordinals, rolling_period_start(today, months).toordinal())
    end = bisect_right(ordinals, today.toordinal())
    sums: list[tuple[int, int]] = []
    oldest, total = 0, sum(points[:start])
    for place in range(start, end):
        day = ordinals[place]
        total += points[place]
        first = rolling_period_start(day_from_ordinal(day), months).toordinal()
        while ordinals[oldest] < first:
            total -= points[oldest]
            oldest += 1
        sums.append((day, total))
    return sums


def _by_lifetime(programme: Programme, days: QualifyingDays) -> QualifiedTier:
    ordered = days.rows()
    for tier in reversed(programme.tiers[1:]):
        reached = _crossing(ordered, tier.threshold)
        if reached:
            return QualifiedTier(tier, reached if reached != LIFETIME_OLD_DAYS else None, None)
    return QualifiedTier(programme.tiers[0], None, None)


def qualified_tier(programme: Programme, days: Mapping[date, int], today: date) -> QualifiedTier:
    """Return the highest tier whose threshold the qualifying points of `days` meet on `today`, and until when.

    The programme's `qualification` selects which days count; see `QualificationKind`.
    """
    kind, packed = programme.qualification.kind, QualifyingDays.of(days)
    if kind is QualificationKind.CALENDAR_YEAR:
        return _by_calendar_year(programme, packed, today)
    if kind is QualificationKind.ROLLING:
        return _by_rolling_months(programme, packed, today)
    return _by_lifetime(programme, packed)


def _reached_on(programme: Programme, days: QualifyingDays, tier: Tier, day: date) -> bool:
    """Return whether points were earned on `day` and the member qualified for `tier` at its end."""
    return day in days and _counted_on(programme, days, day) >= tier.threshold


def _counted_on(programme: Programme, days: QualifyingDays, day: date) -> int:
    """Return the points that counted towards tiers at the end of `day`."""
    return days.total(_first_counted(programme, day), day + timedelta(days=1))


def _counted_only_on(day: date | None, programme: Programme, days: QualifyingDays, start: date | None) -> int:
    """Return the points before `start` that still counted at the end of `day`."""
    return days.total(_first_counted(programme, day), start) if day is not None and start is not None else 0


def _first_counted(programme: Programme, day: date) -> date | None:
    """Return the first day whose points counted towards tiers at the end of `day`; None for ever."""
    qualification = programme.qualification
    if qualification.kind is QualificationKind.ROLLING:
        return rolling_period_start(day, qualification.months)
    if qualification.kind is QualificationKind.CALENDAR_YEAR:
        return _year_start(day, qualification.year_start)
    return None


def _guaranteed_until(programme: Programme, tier_status: TierStatus, now: datetime) -> datetime | None:
    """Return when a tier that the points no longer qualify for ends: with the current period or its guarantee."""
    if programme.qualification.kind is QualificationKind.CALENDAR_YEAR:
        this = _year_start(day_of(now, programme.zone), programme.qualification.year_start)
        period_end = start_of(months_later(this, 12), programme.zone)
        return min(tier_status.guaranteed_until, period_end) if tier_status.guaranteed_until else period_end
    if programme.qualification.kind is QualificationKind.ROLLING and tier_status.guaranteed_until is None:
        today = day_of(now, programme.zone)
        return start_of(months_later(today, programme.qualification.months), programme.zone)
    return tier_status.guaranteed_until


def reevaluate_tier(
    programme: Programme,
    tier_status: TierStatus,
    days: Mapping[date, int],
    *,
    enrolled_at: datetime,
    now: datetime,
    review: Review | None = None,
) -> TierStatus:
    """Return the member's tier at `now`: promoted at once, demoted only when the period has ended.

    A member whose points no longer qualify (after a change of the programme) keeps the tier to the end of the period;
    with `review`, it falls at once to the tier that the points qualify for. A demotion takes effect when the old tier
    ended, even if it is computed later.
    """
    days = QualifyingDays.of(days)
    while True:
        has_ended = tier_status.guaranteed_until is not None and tier_status.guaranteed_until <= now
        moment = tier_status.guaranteed_until if has_ended and tier_status.guaranteed_until else now
        qualified = qualified_tier(programme, days, day_of(moment, programme.zone))
        current = programme.tier(tier_status.tier)
        until = end_of(qualified.last_day, programme.zone) if qualified.last_day else None
        reached = max(start_of(qualified.since, programme.zone), enrolled_at) if qualified.since else moment
        if qualified.tier.rank > current.rank:
            tier_status = TierStatus(qualified.tier.key, reached, until)
        elif qualified.tier.rank == current.rank:
            since = tier_status.since
            # Backdated events may reach the tier earlier, unless it began as a demotion from a higher one.
            if _reached_on(programme, days, current, day_of(since, programme.zone)):
                since = min(since, reached)
            elif review is not None:
                since = review.since_of(current, since)
            tier_status = TierStatus(current.key, since, until)
        elif has_ended:
            tier_status = TierStatus(qualified.tier.key, moment, until)
        elif review is not None:
            tier_status = TierStatus(qualified.tier.key, review.since_of(qualified.tier, reached), until)
        else:
            tier_status = TierStatus(current.key, tier_status.since, _guaranteed_until(programme, tier_status, now))
        if not has_ended:
            return tier_status


def tier_consequence(before: TierStatus, after: TierStatus) -> tuple[Consequence, ...]:
    """Return what a purchase did to its member's tier, for its refund: nothing, or the tier before it and its start.

    A backdated purchase may only move the start.
    """
    if (before.tier, before.since) == (after.tier, after.since):
        return ()
    return (Consequence(f"{TIER_RULE}{before.tier}", since=before.since),)


def tier_after_gain_on(
    day: date,
    programme: Programme,
    tier_status: TierStatus,
    days: QualifyingDays,
    *,
    enrolled_at: datetime,
    now: datetime,
) -> TierStatus:
    """Do as `reevaluate_tier()`, if the only change since `tier_status` is more points on one day."""
    last = days.last()
    is_newest = last is None or day >= last
    reevaluate = reevaluate_tier_after_gain if is_newest else reevaluate_tier
    return reevaluate(programme, tier_status, days, enrolled_at=enrolled_at, now=now)


def reevaluate_tier_after_gain(
    programme: Programme,
    tier_status: TierStatus,
    days: QualifyingDays,
    *,
    enrolled_at: datetime,
    now: datetime,
) -> TierStatus:
    """Do as `reevaluate_tier()`, faster, if the only change since `tier_status` is more points on the last day.

    What qualified for the tier before still does, so only that day can give a higher tier or prolong the current one.
    """
    prolonged = _prolonged_standing(programme, tier_status, days, now)
    return prolonged or reevaluate_tier(programme, tier_status, days, enrolled_at=enrolled_at, now=now)


def _prolonged_standing(
    programme: Programme, tier_status: TierStatus, days: QualifyingDays, now: datetime
) -> TierStatus | None:
    """Return the tier status if the last day keeps or prolongs it; None if all days must be evaluated."""
    tier, until, last = programme.tier(tier_status.tier), tier_status.guaranteed_until, days.last()
    if last is None or tier.key != tier_status.tier or tier_status.since > now or (until is not None and until <= now):
        return None
    qualification, today = programme.qualification, day_of(now, programme.zone)
    is_endless = not tier.rank or qualification.kind is QualificationKind.LIFETIME
    if last > today or is_endless is not (until is None):
        return None
    if tier.rank and last <= day_of(tier_status.since, programme.zone):
        return None
    # Include the day before the last: a till with a fast clock may have reported it before it began.
    previous = days.before(last)
    start = _first_counted(programme, last)
    counted = days.total(start)
    following = programme.tiers[tier.rank + 1 : tier.rank + 2]
    # The sum is an upper bound of what counted on each of the two days.
    if following and counted + _counted_only_on(previous, programme, days, start) >= following[0].threshold:
        return None
    if is_endless:
        return tier_status
    if counted >= tier.threshold:
        qualifying_day = last
    elif previous is not None and _counted_on(programme, days, previous) >= tier.threshold:
        qualifying_day = previous
    else:
        return tier_status
    if qualification.kind is QualificationKind.CALENDAR_YEAR:
        this = _year_start(today, qualification.year_start)
        end = months_later(this, 24) if qualifying_day >= this else today
    else:
        end = months_later(qualifying_day, qualification.months)
    if end <= today:  # a day whose period has ended prolongs nothing
        return tier_status
    return TierStatus(tier_status.tier, tier_status.since, end_of(end - timedelta(days=1), programme.zone))


def tier_progress(
    programme: Programme, tier_status: TierStatus, days: Mapping[date, int], *, now: datetime
) -> TierProgress | None:
    """Return the progress to the next higher tier; None in the highest."""
    rank = programme.tier(tier_status.tier).rank
    if rank + 1 >= len(programme.tiers):
        return None
    following = programme.tiers[rank + 1]
    today, packed = day_of(now, programme.zone), QualifyingDays.of(days)
    before: datetime | None = None
    kind = programme.qualification.kind
    if kind is QualificationKind.CALENDAR_YEAR:
        first = _year_start(today, programme.qualification.year_start)
        end = months_later(first, 12)
        before = start_of(end, programme.zone)
        earned = packed.total(first, end)
    elif kind is QualificationKind.ROLLING:
        earned = _rolling_sum(packed, programme.qualification.months, today)
    else:
        earned = packed.total()
    return TierProgress(following, earned, following.threshold, before)


def prune_qualifying_days(programme: Programme, days: Mapping[date, int], *, now: datetime) -> QualifyingDays:
    """Return the days to store: two qualification periods; for `lifetime` all, old ones summed in LIFETIME_OLD_DAYS."""
    today = day_of(now, programme.zone)
    kept = QualifyingDays.of(days)
    kind = programme.qualification.kind
    if kind is QualificationKind.LIFETIME:
        horizon = today - timedelta(days=LIFETIME_DAYS_KEPT)
        old = kept.total(None, horizon)
        kept = kept.since(horizon)
        return kept.with_points(LIFETIME_OLD_DAYS, old) if old else kept
    months = 12 if kind is QualificationKind.CALENDAR_YEAR else programme.qualification.months
    if kind is QualificationKind.CALENDAR_YEAR:
        return kept.since(months_later(_year_start(today, programme.qualification.year_start), -12))
    return kept.since(months_later(today, -2 * months))
