"""A programme: its tiers, earning rules, expiry and policies, as values that never change.

Programmes are written as files (see `models/definitions/programme_file.py`); a changed file becomes a new version.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from zoneinfo import ZoneInfo

from loyalty.kernel.channel import Channel
from loyalty.kernel.period import CapPeriod, Expiry
from loyalty.kernel.text import Text
from loyalty.kernel.window import Window
from loyalty.model.catalogue import Catalogue
from loyalty.model.expression import AttributesCheck, Expression, LineCondition
from loyalty.model.offer import Segment


class Rounding(StrEnum):
    """How a fraction of a point becomes a whole number."""

    DOWN = "down"
    HALF_UP = "half_up"
    UP = "up"


class Stacking(StrEnum):
    """What a rule does beside the others.

    `add`: gives besides them. `best`: of the rules with the same group only the one that gives most counts.
    `exclusive`: once it applies, no rule of lower priority does.
    """

    ADD = "add"
    BEST = "best"
    EXCLUSIVE = "exclusive"


class SpentPoints(StrEnum):
    """What becomes of points that a refund should take back but that were spent."""

    NEGATIVE = "negative"
    WRITE_OFF = "write_off"


class QualificationKind(StrEnum):
    """What a qualification period is.

    `calendar_year` starts on the same day each year; a tier reached in one is kept to the end of the next.
    `rolling` is the last so many months; a tier is kept for as long after the last day that met its threshold.
    `lifetime` never ends, and a tier is never lost.
    """

    CALENDAR_YEAR = "calendar_year"
    ROLLING = "rolling"
    LIFETIME = "lifetime"


@dataclass(frozen=True, slots=True)
class Tier:
    """A status level. `rank` counts from 0, the level everybody has; `threshold` is in qualifying points.

    `relatives` is a benefit: its members may order rewards for a relative.
    """

    key: str
    name: Text
    rank: int
    threshold: int
    benefits: tuple[Text, ...] = ()
    relatives: bool = False


@dataclass(frozen=True, slots=True)
class Qualification:
    """How long points count towards a tier. `months` is for `rolling`, `starts` (month, day) for `calendar_year`."""

    kind: QualificationKind
    months: int = 12
    starts: tuple[int, int] = (1, 1)


@dataclass(frozen=True, slots=True)
class Rate:
    """`points` for each whole or begun `per` (see `rounding`) of the money paid on the lines that count."""

    points: Decimal
    per: Decimal
    rounding: Rounding


@dataclass(frozen=True, slots=True)
class Cap:
    """At most `points` in `period` from one rule for one member."""

    points: int
    period: CapPeriod


@dataclass(frozen=True, slots=True)
class EarningRule:
    """What one kind of event gives. Points come from `rate`, or from `points`; the other is None.

    `condition` and `points` see `event`, `member` and `earned` (what the rules before gave for this event); `lines`
    is evaluated for each receipt line as a list, and narrows `rate` to the lines where it is true.
    """

    key: str
    name: Text
    event: str
    rate: Rate | None = None
    points: Expression | None = None
    rounding: Rounding = Rounding.DOWN
    condition: Expression | None = None
    lines: LineCondition | None = None
    priority: int = 0
    stacking: Stacking = Stacking.ADD
    group: str = ""
    cap: Cap | None = None
    window: Window | None = None
    channels: frozenset[Channel] = frozenset()
    stores: frozenset[str] = frozenset()
    partners: frozenset[str] = frozenset()
    tiers: frozenset[str] = frozenset()
    qualifying: bool = True


@dataclass(frozen=True, slots=True)
class EventType:
    """A type of event that the programme knows; `name` labels it in the ledger, `attributes` checks them."""

    key: str
    name: Text | None = None
    attributes: AttributesCheck | None = None


@dataclass(frozen=True, slots=True)
class Brand:
    """What a brand looks like: CSS colours, such as #0B3D2E. White text can be read on both."""

    colour: str = "#1F3A5F"
    accent: str = "#8A5A00"


PLAIN = Brand()


@dataclass(frozen=True, slots=True)
class Programme:
    """One version of a brand's programme. Tiers come by rank, rules by falling priority.

    `grace_days` is how long points last that come back from an order when their own time is over.
    """

    key: str
    version: int
    name: str
    currency: str
    locale: str
    zone: ZoneInfo
    tiers: tuple[Tier, ...]
    qualification: Qualification
    expiry: Expiry
    spent_points: SpentPoints
    rules: tuple[EarningRule, ...]
    event_types: Mapping[str, EventType]
    catalogue: Catalogue = field(default_factory=Catalogue)
    segments: Mapping[str, Segment] = field(default_factory=dict)
    grace_days: int = 0
    brand: Brand = PLAIN
    rules_by_event: Mapping[str, Sequence[EarningRule]] = field(init=False)
    _tiers_by_key: Mapping[str, Tier] = field(init=False, repr=False, compare=False)
    _rules_by_key: Mapping[str, EarningRule] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index tiers and rules, the latter also by the event they are for, so that an event walks only its own."""
        by_event: dict[str, list[EarningRule]] = {}
        for rule in self.rules:
            by_event.setdefault(rule.event, []).append(rule)
        object.__setattr__(self, "rules_by_event", by_event)
        # Of two with the same key the first counts.
        object.__setattr__(self, "_tiers_by_key", {tier.key: tier for tier in reversed(self.tiers)})
        object.__setattr__(self, "_rules_by_key", {rule.key: rule for rule in reversed(self.rules)})

    def tier(self, key: str) -> Tier:
        """Return the tier called `key`; the first one where a programme no longer has it."""
        return self._tiers_by_key.get(key) or self.tiers[0]

    def rule(self, key: str) -> EarningRule | None:
        """Return the rule called `key`, or None where a programme no longer has it."""
        return self._rules_by_key.get(key)
