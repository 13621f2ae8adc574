"""Parses offers, from a programme file or from a manager's definition."""

from dataclasses import replace
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from loyalty.kernel.calendar import end_of, start_of
from loyalty.kernel.channel import Channel
from loyalty.kernel.currency import BudgetUnit
from loyalty.kernel.window import end_of_window
from loyalty.model.offer import EARNING_KINDS, CodeKind, Offer, OfferCode, OfferKind
from models.definitions.names_in_scope import Scope
from models.definitions.shared_shapes import (
    AudienceShape,
    ClockShape,
    Day,
    Image,
    Key,
    LocalizedText,
    Names,
    Number,
    Shape,
    Weight,
    require_order,
    topics,
)
from models.definitions.yaml_lines import Path

UNLIMITED = "unlimited"
# The field that holds the value of each kind. The other kinds have no numeric value: their texts describe it.
VALUE_FIELDS = {
    OfferKind.PERCENT_OFF: "percent",
    OfferKind.AMOUNT_OFF: "amount",
    OfferKind.MULTIPLIER: "factor",
    OfferKind.BONUS_POINTS: "points",
    OfferKind.GIFT: "reward",
}


def _uses(value: Any) -> Any:
    if isinstance(value, str) and value != UNLIMITED:
        raise ValueError(f"must be a number of uses, or {UNLIMITED}")
    return None if value == UNLIMITED else value


class UsesShape(Shape):
    """How often an offer can be used: by each member (default 1), and in all (default unlimited)."""

    per_member: Annotated[Annotated[int, Field(ge=1, le=1_000_000)] | None, BeforeValidator(_uses)] = 1
    in_all: int | None = Field(default=None, ge=1, le=1_000_000_000)


class CodeShape(Shape):
    """The code that the till scans, of one of three kinds. No dashes: one separates a member's code from its prefix."""

    shared: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]{3,40}$")] | None = None
    member: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]{2,20}$")] | None = None
    pool: Key | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> "CodeShape":
        if sum(text is not None for text in (self.shared, self.member, self.pool)) != 1:
            raise ValueError("a code is either shared, member or pool; write exactly one of them")
        return self

    def code(self) -> OfferCode:
        """Return the code."""
        if self.shared is not None:
            return OfferCode(CodeKind.SHARED, self.shared)
        if self.member is not None:
            return OfferCode(CodeKind.MEMBER, self.member)
        return OfferCode(CodeKind.POOL, self.pool or "")


class OfferShape(Shape):
    """One offer."""

    key: Key
    kind: OfferKind
    title: LocalizedText
    description: LocalizedText
    terms: LocalizedText | None = None
    image: Image | None = None
    first_day: Day
    last_day: Day | None = None
    window: ClockShape | None = None
    channels: tuple[Channel, ...] = ()
    stores: Names = ()
    partners: Names = ()
    audience: AudienceShape | None = None
    activation: bool = False
    uses: UsesShape | None = None
    budget: Number | None = Field(default=None, gt=0, le=1_000_000_000)
    returnable: bool = False
    code: CodeShape | None = None
    percent: Number | None = Field(default=None, gt=0, le=100)
    maximum: Number | None = Field(default=None, gt=0, le=1_000_000)
    amount: Number | None = Field(default=None, gt=0, le=1_000_000)
    factor: Number | None = Field(default=None, gt=1, le=100)
    points: int | None = Field(default=None, ge=1, le=1_000_000)
    reward: Key | None = None
    qualifying: bool = False
    categories: Names = ()
    brands: Names = ()
    weight: Weight = 0

    @model_validator(mode="after")
    def _fits_its_kind(self) -> "OfferShape":
        require_order(self.first_day, self.last_day)
        for kind, name in VALUE_FIELDS.items():
            if kind is self.kind and getattr(self, name) is None:
                raise ValueError(f"kind {kind} needs {name}; add it")
            if kind is not self.kind and getattr(self, name) is not None:
                raise ValueError(f"{name} is only for kind {kind}, and this offer is {self.kind}; remove it")
        if self.maximum is not None and self.kind is not OfferKind.PERCENT_OFF:
            raise ValueError(
                f"maximum is only for kind {OfferKind.PERCENT_OFF}, and this offer is {self.kind}; remove it"
            )
        if self.qualifying and self.kind not in EARNING_KINDS:
            raise ValueError(f"qualifying is only for kinds that give points, and this offer is {self.kind}; remove it")
        if self.code is not None and self.code.pool is not None and not self.activation:
            raise ValueError("members get a code from a pool when they activate the offer; add activation: true")
        if self.kind in EARNING_KINDS and self.budget is not None and self.budget != self.budget.to_integral_value():
            raise ValueError(f"budget {self.budget} does not fit kind {self.kind}; write a whole number of points")
        return self

    def budget_of_counter(self, unit: BudgetUnit) -> int | None:
        """Return the budget in its counter's unit: points, or `unit`."""
        if self.budget is None:
            return None
        return int(self.budget) if self.kind in EARNING_KINDS else unit.count(self.budget)


def read_offer(path: Path, shape: OfferShape, scope: Scope) -> Offer:
    """Return the offer at `path`; unknown names and bad texts are added to `scope.faults`."""
    if shape.reward is not None:
        scope.check_reward((*path, "reward"), shape.reward)
    for name in ("budget", "maximum", "amount"):
        if shape.kind not in EARNING_KINDS:
            scope.check_money((*path, name), getattr(shape, name))
    window = shape.window.window() if shape.window else None
    starts_at = start_of(shape.first_day, scope.zone)
    ends_at = end_of(shape.last_day, scope.zone) if shape.last_day else None
    if window is not None and window.spans_midnight:
        # The hours of the first and the last day belong to those days, and end on the day after.
        window = replace(window, first_day=shape.first_day, last_day=shape.last_day)
        ends_at = end_of_window(window, scope.zone)
    return Offer(
        key=shape.key,
        kind=shape.kind,
        title=scope.text((*path, "title"), shape.title),
        description=scope.text((*path, "description"), shape.description),
        terms=scope.optional_text((*path, "terms"), shape.terms),
        starts_at=starts_at,
        ends_at=ends_at,
        image=shape.image,
        window=window,
        channels=frozenset(shape.channels),
        stores=frozenset(shape.stores),
        partners=frozenset(shape.partners),
        audience=scope.audience((*path, "audience"), shape.audience),
        needs_activation=shape.activation,
        uses_per_member_max=shape.uses.per_member if shape.uses else 1,
        uses_max=shape.uses.in_all if shape.uses else None,
        budget=shape.budget_of_counter(scope.budget_unit),
        restores_use_on_refund=shape.returnable,
        code=shape.code.code() if shape.code else None,
        percent=shape.percent,
        amount_max=shape.maximum,
        amount=shape.amount,
        factor=shape.factor,
        points=shape.points,
        reward=shape.reward,
        qualifying=shape.qualifying,
        topics=topics(shape.categories, shape.brands),
        weight=shape.weight,
    )
