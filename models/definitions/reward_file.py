"""Parses rewards, from a programme file or from a manager's definition, and a file's instant rewards."""

from typing import Annotated

from pydantic import Field, StringConstraints, model_validator

from loyalty.kernel.channel import Channel
from loyalty.model.reward import NO_TERMS, AppointmentCalendar, InstantReward, Reward, RewardKind, VoucherTerms
from models.definitions.names_in_scope import Scope
from models.definitions.shared_shapes import (
    AudienceShape,
    Hours,
    Image,
    Key,
    LimitShape,
    LocalizedText,
    Names,
    Number,
    Shape,
    Weekday,
    Weight,
    WindowShape,
    iso_weekdays,
    read_hours,
    topics,
)
from models.definitions.yaml_lines import Path

# Kinds that are handed out as a code from a pool.
POOL_KINDS = frozenset({RewardKind.DIGITAL_CODE, RewardKind.DISCOUNT, RewardKind.PARTNER})


class AppointmentsShape(Shape):
    """The calendar of a service."""

    weekdays: tuple[Weekday, ...] = ()
    hours: Hours
    minutes: int = Field(ge=5, le=1440)
    capacity: int = Field(default=1, ge=1, le=10_000)
    days_ahead: int = Field(default=30, ge=1, le=365)

    @model_validator(mode="after")
    def _fits_a_day(self) -> "AppointmentsShape":
        start, end = (clock.hour * 60 + clock.minute for clock in read_hours(self.hours))
        if end - start < self.minutes:
            raise ValueError(f"an appointment of {self.minutes} minutes does not fit into {self.hours}; widen hours")
        return self

    def appointments(self) -> AppointmentCalendar:
        """Return the calendar."""
        weekdays, hours = iso_weekdays(self.weekdays), read_hours(self.hours)
        return AppointmentCalendar(weekdays, hours, self.minutes, self.capacity, self.days_ahead)


class VoucherShape(Shape):
    """What the voucher of an order says."""

    days: int | None = Field(default=None, ge=0, le=3650)
    worth: Number | None = Field(default=None, ge=0, le=1_000_000)

    def terms(self) -> VoucherTerms:
        """Return the terms."""
        return VoucherTerms(self.days, self.worth)


class RewardShape(Shape):
    """One reward."""

    key: Key
    kind: RewardKind
    title: LocalizedText
    description: LocalizedText
    category: Key
    points: int = Field(ge=0, le=1_000_000_000)
    image: Image | None = None
    partner: Annotated[str, StringConstraints(min_length=1, max_length=100)] | None = None
    stock: int | None = Field(default=None, ge=0, le=1_000_000_000)
    pool: Key | None = None
    audience: AudienceShape | None = None
    channels: tuple[Channel, ...] = ()
    window: WindowShape | None = None
    limit: LimitShape | None = None
    appointments: AppointmentsShape | None = None
    categories: Names = ()
    brands: Names = ()
    weight: Weight = 0
    voucher: VoucherShape | None = None

    @model_validator(mode="after")
    def _fits_its_kind(self) -> "RewardShape":
        if self.kind is RewardKind.DIGITAL_CODE and self.pool is None:
            raise ValueError("kind DIGITAL_CODE needs pool, the name of its pool of codes; add it")
        if self.pool is not None and self.kind not in POOL_KINDS:
            raise ValueError(
                f"pool is only for kinds {', '.join(sorted(POOL_KINDS))}, and this reward is {self.kind}; remove it"
            )
        if self.pool is not None and self.stock is not None:
            raise ValueError("the codes of its pool are the stock of a reward; remove stock")
        if self.appointments is not None and self.kind is not RewardKind.SERVICE:
            raise ValueError(f"appointments are only for kind SERVICE, and this reward is {self.kind}; remove them")
        if self.kind is RewardKind.PARTNER and self.partner is None:
            raise ValueError("kind PARTNER needs partner, the name of the partner that supplies it; add it")
        if self.voucher is not None and (self.pool is not None or self.kind is RewardKind.DONATION):
            raise ValueError("voucher is for rewards that are collected or used in a store; remove it")
        return self


class InstantRewardShape(Shape):
    """One reward that a purchase of at least `minimum` triggers."""

    key: Key
    name: LocalizedText
    reward: Key
    minimum: Number = Field(ge=0, le=1_000_000)
    limit: LimitShape | None = None
    window: WindowShape | None = None
    audience: AudienceShape | None = None
    channels: tuple[Channel, ...] = ()
    stores: Names = ()


def read_reward(path: Path, shape: RewardShape, scope: Scope) -> Reward:
    """Return the reward at `path`; unknown names and bad texts are added to `scope.faults`."""
    return Reward(
        key=shape.key,
        kind=shape.kind,
        title=scope.text((*path, "title"), shape.title),
        description=scope.text((*path, "description"), shape.description),
        category=shape.category,
        points=shape.points,
        image=shape.image,
        partner=shape.partner,
        stock=shape.stock,
        pool=shape.pool,
        audience=scope.audience((*path, "audience"), shape.audience),
        channels=frozenset(shape.channels),
        window=shape.window.window() if shape.window else None,
        limit=shape.limit.limit() if shape.limit else None,
        appointments=shape.appointments.appointments() if shape.appointments else None,
        topics=topics(shape.categories, shape.brands),
        weight=shape.weight,
        voucher=shape.voucher.terms() if shape.voucher is not None else NO_TERMS,
    )


def read_instant_reward(path: Path, shape: InstantRewardShape, scope: Scope) -> InstantReward:
    """Return the instant reward at `path`; unknown names and bad texts are added to `scope.faults`."""
    scope.check_reward((*path, "reward"), shape.reward)
    return InstantReward(
        key=shape.key,
        name=scope.text((*path, "name"), shape.name),
        reward=shape.reward,
        minimum_total=shape.minimum,
        limit=shape.limit.limit() if shape.limit else None,
        window=shape.window.window() if shape.window else None,
        audience=scope.audience((*path, "audience"), shape.audience),
        channels=frozenset(shape.channels),
        stores=frozenset(shape.stores),
    )
