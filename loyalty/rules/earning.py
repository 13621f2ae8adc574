"""Earning: evaluates the programme's rules for an event, with an explanation for each rule."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_DOWN, ROUND_HALF_UP, ROUND_UP, Decimal
from itertools import compress
from typing import Any

from loyalty.kernel.calendar import period_name
from loyalty.kernel.period import LimitPeriod
from loyalty.kernel.proportion import in_units, spread
from loyalty.model.event import Event, Grant
from loyalty.model.explanation import Explanation, RuleOutcome
from loyalty.model.expression import ExpressionError
from loyalty.model.member import Member
from loyalty.model.programme import POINTS_MAX, Cap, EarningRule, ExactRate, Programme, Rate, Rounding, Stacking
from loyalty.rules.availability import Obstacle, Visit, obstacles
from loyalty.rules.expression_variables import event_variables, member_variables
from loyalty.rules.money_paid import as_paid, paid_by_part, weights_in_units
from loyalty.rules.segmentation import SegmentationInput

CAP_PERIODS_KEPT = 400
DAY_LENGTH = len("2024-12-31")
_SCOPE = ("event", "member", "earned")

_REASON = {
    Obstacle.OVER: RuleOutcome.WINDOW,
    Obstacle.NOT_YET: RuleOutcome.WINDOW,
    Obstacle.WEEKDAY: RuleOutcome.WEEKDAY,
    Obstacle.HOURS: RuleOutcome.HOURS,
    Obstacle.CHANNEL: RuleOutcome.CHANNEL,
    Obstacle.STORE: RuleOutcome.STORE,
    Obstacle.PARTNER: RuleOutcome.PARTNER,
    Obstacle.TIER: RuleOutcome.TIER,
}
_ROUNDING = {Rounding.DOWN: ROUND_DOWN, Rounding.HALF_UP: ROUND_HALF_UP, Rounding.UP: ROUND_UP}


@dataclass(slots=True)
class EarningResult:
    """The result of all rules for one event, which has `parts` parts; see `paid_by_part()`.

    `cap_usage`: points given so far by rule and cap period.
    """

    parts: int
    cap_usage: Mapping[str, Mapping[str, int]]
    grants: list[Grant] = field(default_factory=list)
    explanations: list[Explanation] = field(default_factory=list)

    @property
    def points(self) -> int:
        """The points of all grants."""
        return sum([grant.points for grant in self.grants])

    @property
    def qualifying(self) -> int:
        """The points that count towards the next tier."""
        return sum([grant.points for grant in self.grants if grant.qualifying])


def whole_points(value: Any, rounding: Rounding) -> int:
    """Return a rule's result as whole points.

    Raises:
        ExpressionError: it is not a number from 0 to POINTS_MAX.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise ExpressionError(f"points must be a number, got {type(value).__name__}")
    # repr() of a float is its shortest decimal form: 0.1 becomes a tenth and not 0.1000000000000000055.
    number = value if isinstance(value, Decimal) else Decimal(repr(value))
    if not number.is_finite() or not 0 <= number <= POINTS_MAX:
        raise ExpressionError(f"points must be from 0 to {POINTS_MAX}, got {value}")
    return int(number.quantize(Decimal(1), rounding=_ROUNDING[rounding]))


class _Variables(Mapping[str, Any]):
    """The variables of expressions, each computed on first use."""

    def __init__(self, event: Event, member: Member, programme: Programme, earned: EarningResult) -> None:
        self._event, self._member, self._programme, self._earned = event, member, programme, earned
        self._computed: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name == "earned":
            return self._earned.points
        if name not in self._computed:
            if name == "event":
                self._computed[name] = event_variables(self._event, self._programme)
            elif name == "member":
                self._computed[name] = member_variables(self._member, self._programme, self._event.occurred_at)
            else:
                raise KeyError(name)
        return self._computed[name]

    def __contains__(self, name: object) -> bool:
        return name in _SCOPE

    def __iter__(self) -> Iterator[str]:
        return iter(_SCOPE)

    def __len__(self) -> int:
        return len(_SCOPE)


@dataclass(slots=True)
class _Evaluation:
    """The evaluation of one event, whose lines have what was paid for them. `parts`: see `paid_by_part()`.

    `units` are the parts in whole units, of which `units_in_one` make one of the currency.
    """

    event: Event
    member: Member
    programme: Programme
    scope: _Variables
    parts: tuple[Decimal, ...]
    units: list[int]
    units_in_one: int
    _weights: Sequence[int] = ()
    _visit: Visit | None = None

    def visit(self) -> Visit:
        """Return when, where and by which member it happened."""
        if self._visit is None:
            event = self.event
            local = event.occurred_at.astimezone(self.programme.zone)
            segmentation = SegmentationInput(self.member, self.programme, frozenset(), event.occurred_at)
            self._visit = Visit(event.occurred_at, local, event.channel, event.store, event.partner, segmentation)
        return self._visit

    def matching(self, rule: EarningRule) -> list[bool] | None:
        """Return for each part whether `rule` counts it; None if it counts all."""
        if rule.lines is None:
            return None
        if self.event.purchase is None or not self.event.purchase.lines:
            return [False] * len(self.parts)
        hits = rule.lines.matches(self.event.purchase.lines, self.scope)
        return hits if len(hits) == len(self.parts) else [*hits, False]  # no line says what else was paid for

    def points_of(self, rule: EarningRule) -> tuple[int, ...]:
        """Return the points of `rule` by part, before its cap."""
        hits = self.matching(rule)
        if rule.rate is not None:
            return self._spread(self._points_by_rate(rule.rate, rule.prepared.rate, hits), hits)
        if rule.points is None:
            raise ExpressionError("the rule has neither a rate nor points")
        return self._spread(whole_points(rule.points.evaluate(self.scope), rule.rounding), hits)

    def _points_by_rate(self, rate: Rate, exact: ExactRate | None, hits: list[bool] | None) -> int:
        if exact is not None:
            units = sum(self.units) if hits is None else sum(compress(self.units, hits))
            points = exact.whole_points(units, self.units_in_one)
            if points is not None:
                return points
        purchase = self.event.purchase
        if hits is not None:
            money = sum(compress(self.parts, hits), Decimal(0))
        else:
            money = purchase.total if purchase is not None else Decimal(0)
        return whole_points(max(money, Decimal(0)) * rate.points / rate.per, rate.rounding)

    def _spread(self, points: int, hits: list[bool] | None) -> tuple[int, ...]:
        """Split points over the counted parts in proportion to their money."""
        if not points:
            return (0,) * len(self.parts)
        if not self._weights:
            self._weights = weights_in_units(self.event.purchase, self.units)
        if hits is None:
            return spread(points, self._weights)
        return spread(points, [part if hit else 0 for part, hit in zip(self._weights, hits, strict=True)])


def _uncovered_reason(rule: EarningRule, evaluation: _Evaluation) -> RuleOutcome | None:
    """Return why a rule is not for an event, or None."""
    obstacle = next(
        obstacles(
            evaluation.visit(),
            window=rule.window,
            channels=rule.channels,
            stores=rule.stores,
            partners=rule.partners,
            audience=rule.prepared.audience,
        ),
        None,
    )
    return _REASON[obstacle] if obstacle is not None else None


def _cap_room(member: Member, rule: EarningRule, cap: Cap, day: date) -> tuple[str, int] | None:
    """Return the rule's cap period and the points left in it; None if the event is too old to know."""
    spans = member.cap_usage.get(rule.key, {})
    # Names of another length are from an earlier version of the programme with another period.
    days = [span for span in spans if cap.period is LimitPeriod.DAY and len(span) == DAY_LENGTH]
    newest = max(days, default="")
    if newest and (date.fromisoformat(newest) - day).days > CAP_PERIODS_KEPT:
        return None
    span = period_name(day, cap.period)
    return span, max(0, cap.points - spans.get(span, 0))


def _not_applied(rule: str, reason: RuleOutcome, **params: str | int) -> Explanation:
    return Explanation(rule, 0, applied=False, reason=reason, params=params)


# What a rule gives, why, and the cap period that it counts in; "" without a cap.
_Applied = tuple[Grant, Explanation, str]


def _try_rule(evaluation: _Evaluation, rule: EarningRule) -> _Applied | Explanation:
    """Return what a rule gives, or only the explanation of why it gives nothing."""
    refused = rule.prepared.refused
    if not rule.prepared.is_unrestricted:
        outside = _uncovered_reason(rule, evaluation)
        if outside:
            return refused[outside]
    try:
        if rule.condition is not None and rule.condition.evaluate(evaluation.scope) is not True:
            return refused[RuleOutcome.CONDITION]
        by_line = evaluation.points_of(rule)
    except ExpressionError as fault:
        return _not_applied(rule.key, RuleOutcome.RULE_ERROR, fault=str(fault))
    due = sum(by_line)
    if not due:
        return refused[RuleOutcome.NO_POINTS]
    if rule.cap is not None:
        return _capped(evaluation, rule, rule.cap, by_line, due)
    given = Explanation(rule.key, due, applied=True, reason=RuleOutcome.AWARDED)
    return Grant(rule.key, by_line, rule.qualifying), given, ""


def _capped(
    evaluation: _Evaluation, rule: EarningRule, cap: Cap, by_line: tuple[int, ...], due: int
) -> _Applied | Explanation:
    """Return what a rule with a cap gives of the points that are due."""
    room = _cap_room(evaluation.member, rule, cap, evaluation.visit().local.date())
    if room is None:
        return _not_applied(rule.key, RuleOutcome.TOO_LATE, days=CAP_PERIODS_KEPT)
    span, most = room
    if most == 0:
        return _not_applied(rule.key, RuleOutcome.CAP_REACHED, cap=cap.points)
    if due <= most:
        given = Explanation(rule.key, due, applied=True, reason=RuleOutcome.AWARDED)
        return Grant(rule.key, by_line, rule.qualifying), given, span
    reduced = Explanation(rule.key, most, applied=True, reason=RuleOutcome.CAPPED, params={"cap": cap.points})
    return Grant(rule.key, spread(most, by_line), rule.qualifying), reduced, span


def earn(event: Event, member: Member, programme: Programme) -> EarningResult:
    """Return the grants that `event` gives to `member`, and an explanation for every rule of its type.

    Rules are evaluated by descending priority. A rule whose expression fails gives nothing, and its explanation says
    why; it never fails the event.
    """
    rules = programme.rules_by_event_type.get(event.type, ())
    parts = paid_by_part(event.purchase)
    earned = EarningResult(len(parts), member.cap_usage)
    event = as_paid(event, parts)
    scope = _Variables(event, member, programme, earned)
    evaluation = _Evaluation(event, member, programme, scope, parts, *in_units(parts))
    applied: dict[str, _Applied] = {}
    explained: dict[str, Explanation] = {}
    best_by_group: dict[str, str] = {}
    exclusive: str | None = None
    for rule in rules:
        if exclusive is not None:
            explained[rule.key] = _not_applied(rule.key, RuleOutcome.EXCLUDED, by=exclusive)
            continue
        result = _try_rule(evaluation, rule)
        if isinstance(result, Explanation):
            explained[rule.key] = result
            continue
        if rule.stacking is Stacking.BEST:
            best = best_by_group.get(rule.stacking_group)
            if best is not None and applied[best][0].points >= result[0].points:
                explained[rule.key] = _not_applied(rule.key, RuleOutcome.NOT_BEST, by=best)
                continue
            if best is not None:
                del applied[best]
                explained[best] = _not_applied(best, RuleOutcome.NOT_BEST, by=rule.key)
            best_by_group[rule.stacking_group] = rule.key
        applied[rule.key] = result
        earned.grants = [grant for grant, _, _ in applied.values()]
        if rule.stacking is Stacking.EXCLUSIVE:
            exclusive = rule.key
    for grant, explanation, span in applied.values():
        explained[grant.rule] = explanation
        if span:
            spans = earned.cap_usage.get(grant.rule, {})
            used = {**spans, span: spans.get(span, 0) + grant.points}
            earned.cap_usage = {**earned.cap_usage, grant.rule: used}
    earned.explanations = [explained[rule.key] for rule in rules]
    return earned


def prune_cap_periods(cap_usage: Mapping[str, Mapping[str, int]], programme: Programme) -> dict[str, dict[str, int]]:
    """Return `cap_usage` without the oldest cap periods and without rules that no longer exist or have a cap."""
    kept: dict[str, dict[str, int]] = {}
    for key, spans in cap_usage.items():
        rule = programme.rule(key)
        if rule is None or rule.cap is None:
            continue
        keep = sorted(spans)[-CAP_PERIODS_KEPT:]
        kept[key] = {span: spans[span] for span in keep if spans[span]}
    return {key: spans for key, spans in kept.items() if spans}
