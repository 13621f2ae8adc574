"""Programmes, rules, receipts and moments for tests, as values of the domain."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from loyalty.kernel.period import ExpiryPolicy, LimitPeriod
from loyalty.kernel.text import Text
from loyalty.model.event import (
    BUILT_IN_EVENT_TYPES,
    ENGINE_EVENT_TYPES,
    PURCHASE,
    Purchase,
    PurchaseLine,
)
from loyalty.model.programme import (
    Cap,
    EarningRule,
    EventType,
    Programme,
    QualificationKind,
    QualificationPeriod,
    Rate,
    Rounding,
    SpentPointsPolicy,
    Tier,
)
from loyalty.rules.ledger_proof import StableCaps
from models.definitions.cel import CelExpression, CelLineCondition
from models.definitions.event_attributes import JsonSchemaCheck

PARIS = ZoneInfo("Europe/Paris")
NEVER = ExpiryPolicy()
CALENDAR_YEAR = QualificationPeriod(QualificationKind.CALENDAR_YEAR)
ROLLING_YEAR = QualificationPeriod(QualificationKind.ROLLING, months=12)
LIFETIME = QualificationPeriod(QualificationKind.LIFETIME)


def moment(text: str, zone: ZoneInfo = PARIS) -> datetime:
    """Return the moment in UTC of a local time such as `2024-03-01 10:00`, with or without an offset."""
    read = datetime.fromisoformat(text)
    return (read if read.tzinfo else read.replace(tzinfo=zone)).astimezone(UTC)


def text(words: str) -> Text:
    """Return a text in English."""
    return Text({"en": words}, "en")


def tiers(*thresholds: int) -> tuple[Tier, ...]:
    """Return the tiers base, silver, gold and platinum with these thresholds."""
    names = ("base", "silver", "gold", "platinum")
    return tuple(Tier(names[rank], text(names[rank]), rank, threshold) for rank, threshold in enumerate(thresholds))


def per_euro(key: str = "basket", *, points: str = "1", per: str = "1", **changes: Any) -> EarningRule:
    """Return a rule that earns `points` for each `per` of money."""
    rounding = changes.pop("rounding", Rounding.DOWN)
    rate = Rate(Decimal(points), Decimal(per), rounding)
    return _rule(key, rate=rate, rounding=rounding, **changes)


def flat(key: str, points: str, **changes: Any) -> EarningRule:
    """Return a rule whose points are a CEL expression."""
    return _rule(key, points=CelExpression.over_event(points), **changes)


def _rule(key: str, *, when: str | None = None, lines: str | None = None, **changes: Any) -> EarningRule:
    return EarningRule(
        key=key,
        name=text(key),
        event_type=changes.pop("event", PURCHASE),
        condition=CelExpression.over_event(when) if when else None,
        lines=CelLineCondition(lines) if lines else None,
        **changes,
    )


def cap(points: int, period: LimitPeriod = LimitPeriod.DAY) -> Cap:
    """Return a cap."""
    return Cap(points, period)


def programme(
    *rules: EarningRule,
    thresholds: Sequence[int] = (0, 100, 300),
    qualification: QualificationPeriod = CALENDAR_YEAR,
    expiry: ExpiryPolicy = NEVER,
    spent_points: SpentPointsPolicy = SpentPointsPolicy.NEGATIVE,
    zone: ZoneInfo = PARIS,
    currency: str = "EUR",
    attributes: Mapping[str, Mapping[str, Any]] | None = None,
    **more: Any,
) -> Programme:
    """Return a programme; without rules, it earns a point per euro."""
    declared = attributes or {}
    types = {
        key: EventType(key, None, JsonSchemaCheck(declared[key]) if key in declared else None)
        for key in (*BUILT_IN_EVENT_TYPES, *ENGINE_EVENT_TYPES, *declared)
    }
    return Programme(
        key="test",
        version=1,
        name="Test",
        currency=currency,
        locale="en",
        zone=zone,
        tiers=tiers(*thresholds),
        qualification=qualification,
        expiry=expiry,
        spent_points_policy=spent_points,
        rules=tuple(sorted(rules or (per_euro(),), key=lambda rule: -rule.priority)),
        event_types=types,
        **more,
    )


def line(sku: str, amount: str, quantity: str = "1", *, category: str | None = None, brand: str | None = None) -> Any:
    """Return a receipt line."""
    return PurchaseLine(sku, Decimal(quantity), Decimal(amount), category, brand)


def receipt(total: str | None, *lines: PurchaseLine, currency: str = "EUR") -> Purchase:
    """Return a receipt; without a total, the sum of its lines."""
    paid = Decimal(total) if total is not None else sum((one.amount for one in lines), Decimal(0))
    return Purchase(paid, currency, lines)


def caps_of(programme: Programme) -> StableCaps:
    """Return the caps of a programme that never changed them."""
    periods = {rule.key: rule.cap.period for rule in programme.rules if rule.cap is not None}
    return StableCaps(programme.zone, periods, programme.version)
