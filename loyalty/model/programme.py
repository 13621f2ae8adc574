"""A programme: its tiers, earning rules, expiry and policies as immutable values.

A brand writes its programme as a file (see `models/definitions/programme_file.py`); each change becomes a version.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from zoneinfo import ZoneInfo

from loyalty.kernel.channel import Channel
from loyalty.kernel.currency import HUNDREDTHS, BudgetUnit
from loyalty.kernel.period import ExpiryPolicy, LimitPeriod
from loyalty.kernel.text import Text
from loyalty.kernel.vocabulary import NO_VOCABULARY, Vocabulary
from loyalty.kernel.window import Window
from loyalty.model.activity_limit import ActivityLimit
from loyalty.model.catalogue import Catalogue
from loyalty.model.expression import AttributesSchema, Expression, LineCondition
from loyalty.model.offer import Segment
from loyalty.model.references.senders import Senders


class Rounding(StrEnum):
    """How fractional points are rounded to whole points."""

    DOWN = "down"
    HALF_UP = "half_up"
    UP = "up"


class Stacking(StrEnum):
    """How a rule combines with the others.

    `add`: its points are added to theirs. `best`: of the rules in the same `stacking_group`, only the one that gives
    the most applies. `exclusive`: once it applies, rules of lower priority do not.
    """

    ADD = "add"
    BEST = "best"
    EXCLUSIVE = "exclusive"


class SpentPointsPolicy(StrEnum):
    """What a refund does with points that are already spent: debit the member, or write them off."""

    NEGATIVE = "negative"
    WRITE_OFF = "write_off"


class TierAfterRefund(StrEnum):
    """What a refund does with the tier that its purchase gave.

    `reviewed`: the tier becomes the one that the remaining points qualify for, at once. `kept`: the member keeps it to
    the end of its period.
    """

    REVIEWED = "reviewed"
    KEPT = "kept"


class EffectsAfterRefund(StrEnum):
    """What a refund does with the orders that its purchase gave: gifts of offers and instant rewards.

    `reversed`: they are cancelled if their state allows it. `kept`: they stay.
    """

    REVERSED = "reversed"
    KEPT = "kept"


class QualificationKind(StrEnum):
    """How the qualification period runs.

    `calendar_year` starts on the same day each year; a tier reached in one year is kept to the end of the next.
    `rolling` is the last N months; a tier is kept for N months after the last day that met its threshold.
    `lifetime` never ends, and a tier is never lost.
    """

    CALENDAR_YEAR = "calendar_year"
    ROLLING = "rolling"
    LIFETIME = "lifetime"


@dataclass(frozen=True, slots=True)
class Tier:
    """A status level. `rank` counts from 0, the entry tier; `threshold` is in qualifying points.

    With `may_order_for_relatives`, members of this tier may order rewards for a relative.
    """

    key: str
    name: Text
    rank: int
    threshold: int
    benefits: tuple[Text, ...] = ()
    may_order_for_relatives: bool = False


@dataclass(frozen=True, slots=True)
class QualificationPeriod:
    """The qualification period. `months` is for `rolling`, `year_start` (month, day) for `calendar_year`."""

    kind: QualificationKind
    months: int = 12
    year_start: tuple[int, int] = (1, 1)


@dataclass(frozen=True, slots=True)
class Rate:
    """`points` for each `per` of the money paid on the matching lines, rounded to whole points by `rounding`."""

    points: Decimal
    per: Decimal
    rounding: Rounding


@dataclass(frozen=True, slots=True)
class Cap:
    """The most points that one rule gives one member in each `period`."""

    points: int
    period: LimitPeriod


@dataclass(frozen=True, slots=True)
class EarningRule:
    """How one type of event earns points: by `rate` or by `points`; the other is None.

    `condition` and `points` read `event`, `member` and `earned`, the points that earlier rules gave for this event.
    `lines` is evaluated for each receipt line; the rule's points count only for the lines where it is true.
    Empty `channels`, `stores`, `partners` or `tiers` do not restrict the rule.
    """

    key: str
    name: Text
    event_type: str
    rate: Rate | None = None
    points: Expression | None = None
    rounding: Rounding = Rounding.DOWN
    condition: Expression | None = None
    lines: LineCondition | None = None
    priority: int = 0
    stacking: Stacking = Stacking.ADD
    stacking_group: str = ""
    cap: Cap | None = None
    window: Window | None = None
    channels: frozenset[Channel] = frozenset()
    stores: frozenset[str] = frozenset()
    partners: frozenset[str] = frozenset()
    tiers: frozenset[str] = frozenset()
    qualifying: bool = True


@dataclass(frozen=True, slots=True)
class EventType:
    """A type of event that the programme accepts. `name` labels it in the ledger; `attributes` is its schema."""

    key: str
    name: Text | None = None
    attributes: AttributesSchema | None = None


@dataclass(frozen=True, slots=True)
class Brand:
    """A brand's CSS colours, such as #0B3D2E. White text is readable on both."""

    colour: str = "#1F3A5F"
    accent: str = "#8A5A00"


DEFAULT_BRAND = Brand()


NO_SENDERS = Senders()


@dataclass(frozen=True, slots=True)
class Programme:
    """One version of a brand's programme. Tiers are in order of rank, rules by descending priority.

    `returned_points_grace_days` is how many days points last that an order returns after they would have expired.
    `senders` says whose events a sender may refer to.
    `budget_decimals` are those of `budget_unit`.
    `country` (ISO 3166-1) is where national phone numbers are; None: people write the country code.
    `profile_attributes` is the schema of members' own attributes; None: they have none.
    """

    key: str
    version: int
    name: str
    currency: str
    locale: str
    zone: ZoneInfo
    tiers: tuple[Tier, ...]
    qualification: QualificationPeriod
    expiry: ExpiryPolicy
    spent_points_policy: SpentPointsPolicy
    rules: tuple[EarningRule, ...]
    event_types: Mapping[str, EventType]
    catalogue: Catalogue = field(default_factory=Catalogue)
    segments: Mapping[str, Segment] = field(default_factory=dict)
    returned_points_grace_days: int = 0
    brand: Brand = DEFAULT_BRAND
    senders: Senders = NO_SENDERS
    tier_after_refund: TierAfterRefund = TierAfterRefund.REVIEWED
    effects_after_refund: EffectsAfterRefund = EffectsAfterRefund.REVERSED
    activity_limits: tuple[ActivityLimit, ...] = ()
    budget_decimals: int = HUNDREDTHS
    country: str | None = None
    profile_attributes: AttributesSchema | None = None
    vocabulary: Vocabulary = NO_VOCABULARY
    rules_by_event_type: Mapping[str, Sequence[EarningRule]] = field(init=False)
    _tiers_by_key: Mapping[str, Tier] = field(init=False, repr=False, compare=False)
    _rules_by_key: Mapping[str, EarningRule] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index tiers and rules by key, and rules by event type, so that an event evaluates only its own rules."""
        by_event: dict[str, list[EarningRule]] = {}
        for rule in self.rules:
            by_event.setdefault(rule.event_type, []).append(rule)
        object.__setattr__(self, "rules_by_event_type", by_event)
        # If two have the same key, the first one wins.
        object.__setattr__(self, "_tiers_by_key", {tier.key: tier for tier in reversed(self.tiers)})
        object.__setattr__(self, "_rules_by_key", {rule.key: rule for rule in reversed(self.rules)})

    @property
    def budget_unit(self) -> BudgetUnit:
        """The unit in which budgets of money are counted."""
        return BudgetUnit(self.currency, self.budget_decimals)

    def tier(self, key: str) -> Tier:
        """Return the tier with this key; the entry tier if this version no longer has it."""
        return self._tiers_by_key.get(key) or self.tiers[0]

    def rule(self, key: str) -> EarningRule | None:
        """Return the rule with this key, or None if this version no longer has it."""
        return self._rules_by_key.get(key)
