"""A programme: its tiers, earning rules, expiry and policies as immutable values.

A brand writes its programme as a file (see `models/definitions/programme_file.py`); each change becomes a version.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from zoneinfo import ZoneInfo

from loyalty.kernel.channel import Channel
from loyalty.kernel.currency import HUNDREDTHS, BudgetUnit
from loyalty.kernel.period import ExpiryPolicy, LimitPeriod
from loyalty.kernel.text import Text
from loyalty.kernel.vocabulary import NO_VOCABULARY, Vocabulary
from loyalty.kernel.window import Window
from loyalty.model.activity_limit import ActivityLimit
from loyalty.model.catalogue import Catalogue
from loyalty.model.explanation import Explanation, RuleOutcome
from loyalty.model.expression import AttributesSchema, Expression, LineCondition
from loyalty.model.offer import EVERYBODY, Audience, Segment
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


# More points are a fault of the rule.
POINTS_MAX = 1_000_000_000
# Up to these, money and rates as whole numbers give the points that decimals of 28 digits give. A quotient of decimals
# below POINTS_MAX is wrong by at most 5e-19, and the exact one is a whole or half number of points, or at least
# 1 / (2 * PER_MAX * UNITS_IN_ONE_MAX) = 5e-17 away from it: both are rounded alike.
COEFFICIENT_MAX = 10**12
PER_MAX = 10**10
UNITS_MAX = 10**15
UNITS_IN_ONE_MAX = 10**6


@dataclass(frozen=True, slots=True)
class ExactRate:
    """A rate in lowest terms: `points` for each `per` of money, as whole numbers."""

    points: int
    per: int
    rounding: Rounding

    @classmethod
    def of(cls, rate: Rate) -> "ExactRate | None":
        """Return a rate in whole numbers; None if these might round another way than decimals do."""
        exact = Fraction(rate.points) / Fraction(rate.per)
        coefficient = int("".join(map(str, rate.points.as_tuple().digits)))
        if max(coefficient, exact.numerator) > COEFFICIENT_MAX or exact.denominator > PER_MAX:
            return None
        return cls(exact.numerator, exact.denominator, rate.rounding)

    def whole_points(self, units: int, units_in_one: int) -> int | None:
        """Return the whole points for money in units of which `units_in_one` make one of the currency.

        None if decimals might round another way, or if they are more than an event may give.
        """
        if units > UNITS_MAX or units_in_one > UNITS_IN_ONE_MAX:
            return None
        earned, per = units * self.points, self.per * units_in_one
        if earned >= (POINTS_MAX - 1) * per:
            return None
        if self.rounding is Rounding.DOWN:
            return earned // per
        return -(-earned // per) if self.rounding is Rounding.UP else (2 * earned + per) // (2 * per)


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
    Empty `channels`, `stores`, `partners` or `tiers` do not restrict the rule. `prepared` is computed from the rest.
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
    prepared: "PreparedRule" = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Prepare what every event needs, once."""
        object.__setattr__(self, "prepared", PreparedRule.of(self))


# Why a rule gives nothing, when nothing of the event is part of the sentence.
PLAIN_OUTCOMES = (
    RuleOutcome.CONDITION,
    RuleOutcome.CHANNEL,
    RuleOutcome.STORE,
    RuleOutcome.PARTNER,
    RuleOutcome.TIER,
    RuleOutcome.WINDOW,
    RuleOutcome.WEEKDAY,
    RuleOutcome.HOURS,
    RuleOutcome.NO_POINTS,
)


@dataclass(frozen=True, slots=True)
class PreparedRule:
    """What a rule's definition alone says about every event: computed once for each version of a programme.

    `is_unrestricted`: the rule is for every moment, place and member. `audience` has its tiers. `rate` is None if there
    is none, or if it has too many digits. `refused` explains why it gives nothing, by the reasons in PLAIN_OUTCOMES.
    """

    is_unrestricted: bool
    audience: Audience
    rate: ExactRate | None
    refused: Mapping[RuleOutcome, Explanation]

    @classmethod
    def of(cls, rule: EarningRule) -> "PreparedRule":
        """Return the prepared form of a rule."""
        return cls(
            not (rule.window or rule.channels or rule.stores or rule.partners or rule.tiers),
            Audience(rule.tiers) if rule.tiers else EVERYBODY,
            ExactRate.of(rule.rate) if rule.rate is not None else None,
            {reason: Explanation(rule.key, 0, applied=False, reason=reason) for reason in PLAIN_OUTCOMES},
        )


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
