"""What an event earns: the programme's rules, one after the other, each with its explanation."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import ROUND_DOWN, ROUND_HALF_UP, ROUND_UP, Decimal
from typing import Any

from loyalty.kernel.calendar import cap_span, day_of, months_later
from loyalty.kernel.period import CapPeriod
from loyalty.kernel.window import within_hours
from loyalty.model.event import Event, Grant
from loyalty.model.explanation import Explanation, Reason
from loyalty.model.expression import ExpressionFault
from loyalty.model.member import Member
from loyalty.model.programme import EarningRule, Programme, Rounding, Stacking

POINTS_MAX = 1_000_000_000
CAPPED_DAYS_KEPT = 400
DAY_LENGTH = len("2024-12-31")
_SCOPE = ("event", "member", "earned")

_ROUNDING = {Rounding.DOWN: ROUND_DOWN, Rounding.HALF_UP: ROUND_HALF_UP, Rounding.UP: ROUND_UP}


@dataclass(slots=True)
class Earned:
    """What all rules gave for one event. `capped` is what each capped rule has given now in each span."""

    grants: list[Grant] = field(default_factory=list)
    why: list[Explanation] = field(default_factory=list)
    capped: dict[str, dict[str, int]] = field(default_factory=dict)

    @property
    def points(self) -> int:
        """All points of all rules."""
        return sum(grant.points for grant in self.grants)

    @property
    def qualifying(self) -> int:
        """The points that count towards the next tier."""
        return sum(grant.points for grant in self.grants if grant.qualifying)


def whole_points(value: Any, rounding: Rounding) -> int:
    """Return the whole number of points of a rule's result.

    Raises:
        ExpressionFault: it is no number, is below zero, or is more than any event may give.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise ExpressionFault(f"points must be a number, got {type(value).__name__}")
    # repr() of a float is its shortest decimal form: 0.1 is taken as a tenth and not as 0.1000000000000000055.
    number = value if isinstance(value, Decimal) else Decimal(repr(value))
    if not number.is_finite() or not 0 <= number <= POINTS_MAX:
        raise ExpressionFault(f"points must be from 0 to {POINTS_MAX}, got {value}")
    return int(number.quantize(Decimal(1), rounding=_ROUNDING[rounding]))


def _whole_numbers(weights: Sequence[Decimal]) -> list[int]:
    """Return weights as whole numbers in the same proportion, those below zero as 0."""
    digits: list[tuple[str, str]] = []
    decimals = 0
    for weight in weights:
        # Text, and not a quotient of decimals, which would be cut off: exact whatever the number of digits.
        text = str(weight) if weight > 0 else "0"
        whole, _, part = (text if "E" not in text else format(weight, "f")).partition(".")
        decimals = max(decimals, len(part))
        digits.append((whole, part))
    return [int(whole + part.ljust(decimals, "0")) for whole, part in digits]


def spread(points: int, weights: Sequence[Decimal]) -> tuple[int, ...]:
    """Return `points` in whole parts in proportion to `weights`, summing exactly to `points` (largest remainder)."""
    return _spread(points, _whole_numbers(weights))


def _spread(points: int, weights: Sequence[int]) -> tuple[int, ...]:
    whole = sum(weights)
    if not whole:
        weights, whole = [1] * len(weights), len(weights)
    parts = [points * weight // whole for weight in weights]
    rest = points - sum(parts)
    if rest:
        by_remainder = sorted(range(len(parts)), key=lambda i: (-(points * weights[i] % whole), i))
        for index in by_remainder[:rest]:
            parts[index] += 1
    return tuple(parts)


def event_variables(event: Event, programme: Programme) -> dict[str, Any]:
    """Return `event` as the rules' expressions see it; money as a double, for comparisons."""
    local = event.occurred_at.astimezone(programme.zone)
    purchase = event.purchase
    return {
        "type": event.type,
        "channel": event.channel.value,
        "store": event.store or "",
        "partner": event.partner or "",
        "weekday": local.isoweekday(),
        "hour": local.hour,
        "day": local.date().isoformat(),
        "attributes": dict(event.attributes),
        "purchase": {
            "total": float(purchase.total) if purchase else 0.0,
            "lines": [
                {
                    "sku": line.sku,
                    "quantity": float(line.quantity),
                    "amount": float(line.amount),
                    "category": line.category or "",
                    "brand": line.brand or "",
                }
                for line in (purchase.lines if purchase else ())
            ],
        },
    }


def _birthday_in(birth_date: date, year: int) -> date:
    """Return the day of a birthday in `year`: 28 February for 29 February in a year that lacks it."""
    return months_later(birth_date, 12 * (year - birth_date.year))


def member_variables(member: Member, programme: Programme, at: datetime) -> dict[str, Any]:
    """Return `member` as the rules' expressions see it at a moment, before an event of then is counted."""
    today = day_of(at, programme.zone)
    birth_date = member.profile.birth_date
    return {
        "tier": member.standing.tier,
        "rank": programme.tier(member.standing.tier).rank,
        "available": member.available,
        "lifetime": member.lifetime,
        "locale": member.profile.locale,
        "completion": member.profile.completion,
        "birthday": birth_date is not None and _birthday_in(birth_date, today.year) == today,
        "tenure_days": max(0, (today - day_of(member.enrolled_at, programme.zone)).days),
        "events": {key: member.counted.get(key, 0) for key in programme.event_types},
    }


def _outside(rule: EarningRule, event: Event, member: Member, local: datetime) -> Reason | None:
    """Return what keeps the event out of the rule's reach, or None."""
    window = rule.window
    if rule.channels and event.channel not in rule.channels:
        return Reason.CHANNEL
    if rule.stores and event.store not in rule.stores:
        return Reason.STORE
    if rule.partners and event.partner not in rule.partners:
        return Reason.PARTNER
    if rule.tiers and member.standing.tier not in rule.tiers:
        return Reason.TIER
    if window is None:
        return None
    if (window.first_day and local.date() < window.first_day) or (window.last_day and local.date() > window.last_day):
        return Reason.WINDOW
    if window.weekdays and local.isoweekday() not in window.weekdays:
        return Reason.WEEKDAY
    if window.hours and not within_hours(local, window.hours):
        return Reason.HOURS
    return None


class _Scope(Mapping[str, Any]):
    """The variables of the rules' expressions, each made for the first expression that names it."""

    def __init__(self, event: Event, member: Member, programme: Programme, earned: Earned) -> None:
        self._event, self._member, self._programme, self._earned = event, member, programme, earned
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name == "earned":
            return self._earned.points
        if name not in self._made:
            if name == "event":
                self._made[name] = event_variables(self._event, self._programme)
            elif name == "member":
                self._made[name] = member_variables(self._member, self._programme, self._event.occurred_at)
            else:
                raise KeyError(name)
        return self._made[name]

    def __contains__(self, name: object) -> bool:
        return name in _SCOPE

    def __iter__(self) -> Iterator[str]:
        return iter(_SCOPE)

    def __len__(self) -> int:
        return len(_SCOPE)


@dataclass(slots=True)
class _Calculation:
    """One event on its way through the rules; `parts` is the money of each line, or of the whole without any."""

    event: Event
    member: Member
    programme: Programme
    local: datetime
    scope: _Scope
    parts: tuple[Decimal, ...]
    whole: Sequence[int] = ()

    def matching(self, rule: EarningRule) -> list[bool] | None:
        """Return which lines count for `rule`; None for all."""
        if rule.lines is None:
            return None
        if self.event.purchase is None or not self.event.purchase.lines:
            return [False] * len(self.parts)
        return rule.lines.matches(self.event.purchase.lines, self.scope)

    def points_of(self, rule: EarningRule) -> tuple[int, ...]:
        """Return what `rule` gives on each line before its cap."""
        hits = self.matching(rule)
        if rule.rate is None:
            if rule.points is None:
                raise ExpressionFault("the rule has neither a rate nor points")
            return self._spread(whole_points(rule.points.evaluate(self.scope), rule.rounding), hits)
        purchase = self.event.purchase
        if hits is not None:
            money = sum((part for part, hit in zip(self.parts, hits, strict=True) if hit), Decimal(0))
        else:
            money = purchase.total if purchase is not None else Decimal(0)
        points = max(money, Decimal(0)) * rule.rate.points / rule.rate.per
        return self._spread(whole_points(points, rule.rate.rounding), hits)

    def _spread(self, points: int, hits: list[bool] | None) -> tuple[int, ...]:
        """Spread points over the lines that count, by the money of each."""
        if not points:
            return (0,) * len(self.parts)
        if not self.whole:
            self.whole = _whole_numbers(self.parts)
        if hits is None:
            return _spread(points, self.whole)
        return _spread(points, [part if hit else 0 for part, hit in zip(self.whole, hits, strict=True)])


def _money_by_line(event: Event) -> tuple[Decimal, ...]:
    """Return the money of each line, or of the whole where there are none: what grants are spread over."""
    purchase = event.purchase
    if purchase is None:
        return (Decimal(0),)
    return tuple(line.amount for line in purchase.lines) or (purchase.total,)


def _fits_cap(member: Member, rule: EarningRule, day: date) -> tuple[str, int] | None:
    """Return the span of the rule's cap and what is left in it; None where the event is too late to know."""
    cap = rule.cap
    if cap is None:
        return "", POINTS_MAX
    spans = member.capped.get(rule.key, {})
    # Spans of another length were kept by an earlier version of the programme, under another period.
    days = [span for span in spans if cap.period is CapPeriod.DAY and len(span) == DAY_LENGTH]
    newest = max(days, default="")
    if newest and (date.fromisoformat(newest) - day).days > CAPPED_DAYS_KEPT:
        return None
    span = cap_span(day, cap.period)
    return span, max(0, cap.points - spans.get(span, 0))


def _capped(by_line: tuple[int, ...], most: int) -> tuple[int, ...]:
    total = sum(by_line)
    return by_line if total <= most else spread(most, tuple(Decimal(points) for points in by_line))


def _unapplied(rule: str, reason: Reason, **params: str | int) -> Explanation:
    return Explanation(rule, 0, applied=False, reason=reason, params=params)


def _try_rule(calculation: _Calculation, rule: EarningRule) -> tuple[Grant, Explanation, str] | Explanation:
    """Return the rule's grant with its explanation and cap span, or the explanation of why it gives nothing."""
    outside = _outside(rule, calculation.event, calculation.member, calculation.local)
    if outside:
        return _unapplied(rule.key, outside)
    try:
        if rule.condition is not None and rule.condition.evaluate(calculation.scope) is not True:
            return _unapplied(rule.key, Reason.CONDITION)
        by_line = calculation.points_of(rule)
    except ExpressionFault as fault:
        return _unapplied(rule.key, Reason.FAULT, fault=str(fault))
    if not sum(by_line):
        return _unapplied(rule.key, Reason.NOTHING_DUE)
    room = _fits_cap(calculation.member, rule, calculation.local.date())
    if room is None:
        return _unapplied(rule.key, Reason.TOO_LATE, days=CAPPED_DAYS_KEPT)
    span, most = room
    cap_points = rule.cap.points if rule.cap else 0
    if most == 0:
        return _unapplied(rule.key, Reason.CAP_REACHED, cap=cap_points)
    given = _capped(by_line, most)
    points = sum(given)
    reason = Reason.CAPPED if points < sum(by_line) else Reason.GIVEN
    params: dict[str, str | int] = {"cap": cap_points} if reason is Reason.CAPPED else {}
    grant = Grant(rule.key, given, rule.qualifying)
    return grant, Explanation(rule.key, points, applied=True, reason=reason, params=params), span


def earn(event: Event, member: Member, programme: Programme) -> Earned:
    """Return what `event` gives to `member`: the grants that apply and an explanation for every rule of its type.

    Rules are tried by falling priority. A rule whose expression does not fit the event gives nothing and says so; it
    never fails the event.
    """
    rules = programme.rules_by_event.get(event.type, ())
    earned = Earned(capped={rule: dict(spans) for rule, spans in member.capped.items()})
    local = event.occurred_at.astimezone(programme.zone)
    scope = _Scope(event, member, programme, earned)
    calculation = _Calculation(event, member, programme, local, scope, _money_by_line(event))
    given: dict[str, tuple[Grant, Explanation, str]] = {}
    told: dict[str, Explanation] = {}
    leaders: dict[str, str] = {}
    exclusive: str | None = None
    for rule in rules:
        if exclusive is not None:
            told[rule.key] = _unapplied(rule.key, Reason.EXCLUDED, by=exclusive)
            continue
        result = _try_rule(calculation, rule)
        if isinstance(result, Explanation):
            told[rule.key] = result
            continue
        if rule.stacking is Stacking.BEST:
            leader = leaders.get(rule.group)
            if leader is not None and given[leader][0].points >= result[0].points:
                told[rule.key] = _unapplied(rule.key, Reason.OUTDONE, by=leader)
                continue
            if leader is not None:
                del given[leader]
                told[leader] = _unapplied(leader, Reason.OUTDONE, by=rule.key)
            leaders[rule.group] = rule.key
        given[rule.key] = result
        earned.grants = [grant for grant, _, _ in given.values()]
        if rule.stacking is Stacking.EXCLUSIVE:
            exclusive = rule.key
    for grant, explanation, span in given.values():
        told[grant.rule] = explanation
        if span:
            spans = earned.capped.setdefault(grant.rule, {})
            spans[span] = spans.get(span, 0) + grant.points
    earned.why = [told[rule.key] for rule in rules]
    return earned


def without_old_spans(capped: Mapping[str, Mapping[str, int]], programme: Programme) -> dict[str, dict[str, int]]:
    """Return what capped rules gave, without spans too old to matter and rules that are no more."""
    kept: dict[str, dict[str, int]] = {}
    for key, spans in capped.items():
        rule = programme.rule(key)
        if rule is None or rule.cap is None:
            continue
        keep = sorted(spans)[-CAPPED_DAYS_KEPT:]
        kept[key] = {span: spans[span] for span in keep if spans[span]}
    return {key: spans for key, spans in kept.items() if spans}
