"""Rewards: what members can order for points, under which limits, and the calendar of bookable services."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from zoneinfo import ZoneInfo

from loyalty.kernel.calendar import day_of, period_name
from loyalty.kernel.channel import Channel
from loyalty.kernel.period import LimitPeriod
from loyalty.kernel.text import Text
from loyalty.kernel.window import Window, moment_at
from loyalty.model.offer import EVERYBODY, Audience
from loyalty.model.supply import CounterKey, CounterKind

RELATIVE_SUFFIX = "/relative"


class RewardKind(StrEnum):
    """The public API's kinds of rewards."""

    PHYSICAL = "PHYSICAL"
    DIGITAL_CODE = "DIGITAL_CODE"
    DISCOUNT = "DISCOUNT"
    SERVICE = "SERVICE"
    DONATION = "DONATION"
    PARTNER = "PARTNER"


# These need no delivery or service: the order is fulfilled when it is placed.
FULFILLED_ON_PLACEMENT = frozenset({RewardKind.DIGITAL_CODE, RewardKind.DISCOUNT, RewardKind.DONATION})


@dataclass(frozen=True, slots=True)
class Limit:
    """The most orders of one member in each period, in the brand's zone."""

    orders: int
    period: LimitPeriod


@dataclass(frozen=True, slots=True)
class AppointmentCalendar:
    """The calendar of a service: an appointment every `minutes` within `hours`, each with `capacity` places.

    `hours` are local times [start, end) in the brand's zone, and an appointment ends within them. A time that daylight
    saving skips is not an appointment. Empty `weekdays` (ISO, 1 to 7) mean every day. Members can book from now until
    `days_ahead` days from now.
    """

    weekdays: frozenset[int]
    hours: tuple[time, time]
    minutes: int
    capacity: int
    days_ahead: int

    def on_day(self, day: date, zone: ZoneInfo) -> Iterator[datetime]:
        """Yield every appointment of a day in order, in UTC."""
        if self.weekdays and day.isoweekday() not in self.weekdays:
            return
        start, end = (clock.hour * 60 + clock.minute for clock in self.hours)
        for minute in range(start, end - self.minutes + 1, self.minutes):
            clock = time(minute // 60, minute % 60)
            at = moment_at(day, clock, zone)
            if at.astimezone(zone).time() == clock:
                yield at

    def upcoming(self, now: datetime, zone: ZoneInfo) -> Iterator[datetime]:
        """Yield every appointment that can be booked now, the next one first."""
        today = day_of(now, zone)
        for ahead in range(self.days_ahead + 1):
            yield from (at for at in self.on_day(today + timedelta(days=ahead), zone) if at > now)

    def is_bookable(self, at: datetime, now: datetime, zone: ZoneInfo) -> bool:
        """Return whether `at` is an appointment that can be booked now."""
        day = day_of(at, zone)
        if at <= now or day > day_of(now, zone) + timedelta(days=self.days_ahead):
            return False
        return at in self.on_day(day, zone)


@dataclass(frozen=True, slots=True)
class VoucherTerms:
    """What the voucher of an order says: for how many days after placing it may be used, and the worth of one piece.

    None: without end, or without a stated worth. The last day ends at midnight in the brand's zone.
    """

    days: int | None = None
    worth: Decimal | None = None

    def expires_at(self, placed_at: datetime, zone: ZoneInfo) -> datetime | None:
        """Return when the voucher of an order placed at a moment expires; None if it never does."""
        if self.days is None:
            return None
        return moment_at(day_of(placed_at, zone) + timedelta(days=self.days + 1), time(), zone)


NO_TERMS = VoucherTerms()


@dataclass(frozen=True, slots=True)
class Reward:
    """One reward. `points` is the price of one piece.

    `stock` is the number of pieces, those already ordered included (None: unlimited). `pool` is the pool that its codes
    come from. `topics` and `weight` rank it as they rank offers. Empty `channels` do not restrict it.
    """

    key: str
    kind: RewardKind
    title: Text
    description: Text
    category: str
    points: int
    image: str | None = None
    partner: str | None = None
    stock: int | None = None
    pool: str | None = None
    audience: Audience = EVERYBODY
    channels: frozenset[Channel] = frozenset()
    window: Window | None = None
    limit: Limit | None = None
    appointments: AppointmentCalendar | None = None
    topics: frozenset[str] = frozenset()
    weight: int = 0
    voucher: VoucherTerms = NO_TERMS

    @property
    def is_open_to_all(self) -> bool:
        """Whether any member may order it, on any channel, at any time, without a limit."""
        return self.audience is EVERYBODY and self.window is None and self.limit is None and not self.channels

    @property
    def is_unrestricted(self) -> bool:
        """Whether only its price can keep a member from ordering it: nothing else restricts it."""
        return self.stock is None and self.pool is None and self.is_open_to_all

    @property
    def stock_counter_key(self) -> CounterKey:
        """The counter of pieces ordered or held."""
        return CounterKey(CounterKind.STOCK, self.key)

    def slot_counter_key(self, at: datetime) -> CounterKey:
        """Return the counter of places booked at one appointment."""
        return CounterKey(CounterKind.SLOT, self.key, at)

    def limit_key(self, *, for_relative: bool) -> str:
        """Return the key that orders count under against the limit; orders for a relative count separately."""
        return f"{self.key}{RELATIVE_SUFFIX}" if for_relative else self.key

    def limit_period(self, now: datetime, zone: ZoneInfo) -> str:
        """Return the limit's current period as `period_name()` names it; empty if there is no limit."""
        return period_name(day_of(now, zone), self.limit.period) if self.limit is not None else ""


@dataclass(frozen=True, slots=True)
class InstantReward:
    """A reward granted at once, for no points, with a purchase of at least `minimum_total` in the programme's currency.

    `limit` is per member. Empty `channels` or `stores` do not restrict it.
    """

    key: str
    name: Text
    reward: str
    minimum_total: Decimal
    limit: Limit | None = None
    window: Window | None = None
    audience: Audience = EVERYBODY
    channels: frozenset[Channel] = frozenset()
    stores: frozenset[str] = frozenset()
