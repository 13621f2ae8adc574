"""The shapes that the sections of a programme file share: keys, texts, numbers, windows, audiences, limits."""

from collections.abc import Iterable, Mapping
from datetime import date, time
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PlainSerializer,
    StringConstraints,
    Tag,
    model_validator,
)

from loyalty.kernel.period import LimitPeriod
from loyalty.kernel.window import Window
from loyalty.model.reward import Limit

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
WORDS_LENGTH_MAX = 20_000
NAMES_MAX = 10_000
# Thousands of offers repeat the same texts, audiences and topics: each distinct one is held in memory once.
INTERNED_MAX = 10_000
FIRST_DAY = date(2000, 1, 1)
LAST_DAY = date(2199, 12, 31)


def _decimal(value: Any) -> Any:
    """Return a YAML number as text, so that `0.1` becomes exactly a tenth."""
    if isinstance(value, bool):
        return value
    return str(value) if isinstance(value, int | float) else value


def _plain(value: Decimal) -> str:
    """Return the normal form of a number: 5.00 becomes 5."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _text(value: Any) -> Any:
    return {"": value} if isinstance(value, str) else value


def listed(value: Any) -> Any:
    """Return a single text as a list of it."""
    return [value] if isinstance(value, str) else value


def _expression(value: Any) -> Any:
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _wording_kind(value: Any) -> str:
    return "<channel>" if isinstance(value, dict) else "<text>"


Key = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
TextValue = Annotated[str, StringConstraints(max_length=WORDS_LENGTH_MAX)]
# Texts by locale; under a channel's name, that channel's own texts by locale.
LocalizedText = Annotated[
    dict[
        str,
        Annotated[
            Annotated[TextValue, Tag("<text>")] | Annotated[dict[str, TextValue], Tag("<channel>")],
            Discriminator(_wording_kind),
        ],
    ],
    BeforeValidator(_text),
]
Number = Annotated[Decimal, BeforeValidator(_decimal), PlainSerializer(_plain, return_type=str, when_used="json")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=100)]
# Tuples, because pydantic does not copy an immutable default for each of thousands of offers.
Names = Annotated[tuple[Name, ...], BeforeValidator(listed), Field(max_length=NAMES_MAX)]
Cel = Annotated[str, BeforeValidator(_expression), StringConstraints(min_length=1, max_length=2000)]
Image = Annotated[str, StringConstraints(pattern=r"^(https://|/)\S{1,500}$")]
Day = Annotated[date, Field(ge=FIRST_DAY, le=LAST_DAY)]
Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
Hours = Annotated[str, StringConstraints(pattern=r"^\d\d:\d\d-\d\d:\d\d$")]
Weight = Annotated[int, Field(ge=-1000, le=1000)]


class Shape(BaseModel):
    """A mapping that accepts no unknown field."""

    model_config = ConfigDict(extra="forbid")


class ClockShape(Shape):
    """Weekdays and hours."""

    weekdays: tuple[Weekday, ...] = ()
    hours: Hours | None = None

    @model_validator(mode="after")
    def _valid_hours(self) -> "ClockShape":
        if self.hours is not None:
            read_hours(self.hours)
        return self

    def window(self) -> Window | None:
        """Return the window; None if it is always open."""
        if not self.weekdays and self.hours is None:
            return None
        return Window(None, None, iso_weekdays(self.weekdays), read_hours(self.hours) if self.hours else None)


class WindowShape(Shape):
    """Days, weekdays and hours."""

    first_day: Day | None = None
    last_day: Day | None = None
    weekdays: tuple[Weekday, ...] = ()
    hours: Hours | None = None

    @model_validator(mode="after")
    def _in_order(self) -> "WindowShape":
        require_order(self.first_day, self.last_day)
        if self.hours is not None:
            read_hours(self.hours)
        return self

    def window(self) -> Window:
        """Return the window."""
        hours = read_hours(self.hours) if self.hours else None
        return Window(self.first_day, self.last_day, iso_weekdays(self.weekdays), hours)


class AudienceShape(Shape):
    """The members that something is for; empty means everybody."""

    tiers: Names = ()
    segments: Names = ()
    lists: Names = ()


class LimitShape(Shape):
    """The most orders that one member can place in each period."""

    orders: int = Field(ge=1, le=1_000_000)
    per: LimitPeriod

    def limit(self) -> Limit:
        """Return the limit."""
        return Limit(self.orders, self.per)


def require_order(first_day: date | None, last_day: date | None) -> None:
    """Raise ValueError for a span of days that ends before it begins."""
    if first_day and last_day and last_day < first_day:
        raise ValueError("last_day is before first_day; swap them")


def read_hours(text: str) -> tuple[time, time]:
    """Return the start and end of hours such as `18:00-20:00`; raises ValueError for anything else."""
    try:
        start, end = (time.fromisoformat(part) for part in text.split("-"))
    except ValueError as error:
        raise ValueError(f"hours {text!r} are not valid; write for example 18:00-20:00") from error
    return start, end


def iso_weekdays(names: Iterable[str]) -> frozenset[int]:
    """Return the ISO numbers of weekdays, 1 for Monday."""
    return frozenset(WEEKDAYS.index(day) + 1 for day in names)


@lru_cache(maxsize=INTERNED_MAX)
def topics(categories: tuple[str, ...], brands: tuple[str, ...]) -> frozenset[str]:
    """Return topics as the ranking names them: `category:NAME` and `brand:NAME`."""
    return frozenset([*(f"category:{name}" for name in categories), *(f"brand:{name}" for name in brands)])


_HINTS = {
    "missing": "is missing; add it",
    "extra_forbidden": "is not a known field; check the spelling or remove it",
    "string_pattern_mismatch": "must match the pattern {pattern}",
}


def error_message(error: Mapping[str, Any]) -> str:
    """Return the message for one of pydantic's errors: what is wrong and how to fix it."""
    template = _HINTS.get(error["type"], "{msg}")
    return template.format(msg=str(error["msg"]).removeprefix("Value error, "), **error.get("ctx", {}))


def error_path(error: Mapping[str, Any]) -> tuple[str | int, ...]:
    """Return the path of one of pydantic's errors, without union tags such as `<text>`."""
    return tuple(step for step in error["loc"] if not str(step).startswith("<"))
