"""Programmes as files: YAML in, `loyalty.Programme` out, errors that name the line and the fix.

The shape is declared with pydantic, the line numbers come from PyYAML's nodes. Read by `carillon programme`, and by
every gateway from the version that is stored.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal
from hashlib import sha256
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, available_timezones

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from loyalty.event import BUILT_IN_EVENT_TYPES, OWN_EVENT_TYPES, REFUND, Channel
from loyalty.period import CapPeriod, EndOf, Expiry
from loyalty.programme import (
    Cap,
    EarningRule,
    EventType,
    Programme,
    Qualification,
    QualificationKind,
    Rate,
    Rounding,
    SpentPoints,
    Stacking,
    Tier,
)
from loyalty.text import Text
from loyalty.window import Window
from models.attributes import JsonSchemaCheck
from models.expression import CelExpression, CelLineCondition, InvalidExpression

FILE_BYTES_MAX = 1_000_000
PLACES_MAX = 200_000
DEPTH_MAX = 50
LOCALES = ("fr", "en", "ar")
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong in a programme file: its line (from 1), the place in the file's own words, and the fix."""

    line: int
    place: str
    message: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.place}: {self.message}" if self.place else f"line {self.line}: {self.message}"


class InvalidProgramme(Exception):  # noqa: N818 - an answer to the author of a file
    """A programme file that cannot run; `faults` lists everything that is wrong with it."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = faults


def _decimal(value: Any) -> Any:
    """Take a YAML number as it is written: `0.1` is a tenth."""
    if isinstance(value, bool):
        return value
    return str(value) if isinstance(value, int | float) else value


def _text(value: Any) -> Any:
    return {"": value} if isinstance(value, str) else value


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _expression(value: Any) -> Any:
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


Key = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
Words = Annotated[dict[str, str], BeforeValidator(_text)]
Number = Annotated[Decimal, BeforeValidator(_decimal)]
Keys = Annotated[list[str], BeforeValidator(_listed)]
Cel = Annotated[str, BeforeValidator(_expression), StringConstraints(min_length=1, max_length=2000)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Tier(_Section):
    key: Key
    name: Words
    threshold: int = Field(ge=0, le=1_000_000_000)
    benefits: list[Words] = []


class _Qualification(_Section):
    period: QualificationKind = QualificationKind.CALENDAR_YEAR
    months: int = Field(default=12, ge=1, le=60)
    starts: Annotated[str, StringConstraints(pattern=r"^\d\d-\d\d$")] = "01-01"

    @model_validator(mode="after")
    def _fits_its_period(self) -> "_Qualification":
        month, day = (int(part) for part in self.starts.split("-"))
        for name, period in (("months", QualificationKind.ROLLING), ("starts", QualificationKind.CALENDAR_YEAR)):
            if name in self.model_fields_set and self.period is not period:
                raise ValueError(f"{name} is for period: {period.value}; this one is {self.period.value}, remove it")
        if (month, day) == (2, 29):
            raise ValueError("starts: a period cannot start on 29 February, which most years lack; write 03-01")
        try:
            date(2001, month, day)
        except ValueError as error:
            raise ValueError(f"starts: {self.starts} is no month and day; write for example 04-01") from error
        return self


class _Expiry(_Section):
    months: int = Field(default=0, ge=0, le=1200)
    days: int = Field(default=0, ge=0, le=36500)
    end_of: EndOf | None = None


class _Rate(_Section):
    points: Number = Field(gt=0, le=1_000_000)
    per: Number = Field(gt=0, le=1_000_000)


class _Cap(_Section):
    points: int = Field(gt=0, le=1_000_000_000)
    per: CapPeriod


class _Window(_Section):
    first_day: date | None = None
    last_day: date | None = None
    weekdays: list[Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]] = []
    hours: Annotated[str, StringConstraints(pattern=r"^\d\d:\d\d-\d\d:\d\d$")] | None = None

    @model_validator(mode="after")
    def _in_order(self) -> "_Window":
        if self.first_day and self.last_day and self.last_day < self.first_day:
            raise ValueError("last_day is before first_day; swap them")
        if self.hours is not None:
            _hours(self.hours)
        return self


class _Rule(_Section):
    key: Key
    name: Words
    event: str
    rate: _Rate | None = None
    points: Cel | None = None
    rounding: Rounding = Rounding.DOWN
    when: Cel | None = None
    lines: Cel | None = None
    priority: int = Field(default=0, ge=-1000, le=1000)
    stacking: Stacking = Stacking.ADD
    group: str = ""
    cap: _Cap | None = None
    window: _Window | None = None
    channels: list[Channel] = []
    stores: Keys = []
    partners: Keys = []
    tiers: Keys = []
    qualifying: bool = True

    @model_validator(mode="after")
    def _gives_one_way(self) -> "_Rule":
        if (self.rate is None) == (self.points is None):
            raise ValueError("a rule gives either a rate or points; write one of them")
        if (self.stacking is Stacking.BEST) != bool(self.group):
            raise ValueError("group and stacking: best belong together; write both or neither")
        if self.rate is not None and self.event != "purchase":
            raise ValueError(f"rate counts money, which {self.event!r} has none of; write points instead")
        if self.lines is not None and self.rate is None:
            raise ValueError("lines narrows a rate; with points, use the lines in the expression itself")
        return self


class _EventType(_Section):
    name: Words | None = None
    attributes: dict[str, Any] | None = None


class _Refunds(_Section):
    spent_points: SpentPoints = SpentPoints.NEGATIVE


class _File(_Section):
    programme: Key
    name: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
    locale: Literal["fr", "en", "ar"]
    time_zone: str
    tiers: list[_Tier] = Field(min_length=1, max_length=50)
    qualification: _Qualification = _Qualification()
    expiry: _Expiry = _Expiry()
    refunds: _Refunds = _Refunds()
    event_types: dict[Key, _EventType] = {}
    rules: list[_Rule] = Field(default=[], max_length=1000)


def _hours(text: str) -> tuple[time, time]:
    try:
        start, end = (time.fromisoformat(part) for part in text.split("-"))
    except ValueError as error:
        raise ValueError(f"hours: {text!r} are no hours; write for example 18:00-20:00") from error
    return start, end


class _Loader(yaml.SafeLoader):
    """Reads YAML; a value that cannot be made, such as 30 February, is told with its line as other errors are."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """Return the value of a node."""
        try:
            return super().construct_object(node, deep)
        except ValueError as error:
            raise yaml.constructor.ConstructorError(None, None, str(error), node.start_mark) from error


class _Lines:
    """Where each place of a YAML text stands, by its path."""

    def __init__(self, source: str) -> None:
        self.by_path: dict[tuple[str, ...], int] = {}
        root = yaml.compose(source, Loader=yaml.SafeLoader)
        if root is not None:
            self._walk(root, ())

    def _walk(self, node: yaml.Node, path: tuple[str, ...]) -> None:
        line = node.start_mark.line + 1
        if len(path) > DEPTH_MAX:
            raise InvalidProgramme([Fault(line, ".".join(path[:3]), f"nested more than {DEPTH_MAX} deep; flatten it")])
        if len(self.by_path) > PLACES_MAX:  # an alias in an alias in an alias: a short file that means a long one
            raise InvalidProgramme([Fault(line, "", f"more than {PLACES_MAX} places; use fewer aliases")])
        self.by_path.setdefault(path, line)
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                step = (*path, str(key.value))
                if step in self.by_path:
                    raise InvalidProgramme([Fault(key.start_mark.line + 1, ".".join(step), "written twice; keep one")])
                self.by_path[step] = key.start_mark.line + 1
                self._walk(value, step)
        elif isinstance(node, yaml.SequenceNode):
            for index, value in enumerate(node.value):
                self._walk(value, (*path, str(index)))

    def fault(self, path: tuple[str | int, ...], message: str) -> Fault:
        """Return a fault at `path`, or at the nearest place above it that is written."""
        steps = tuple(str(step) for step in path)
        known = steps
        while known not in self.by_path and known:
            known = known[:-1]
        return Fault(self.by_path.get(known, 1), ".".join(steps), message)


_HINTS = {
    "missing": "is missing; add it",
    "extra_forbidden": "is not known here; check the spelling or remove it",
    "string_pattern_mismatch": "does not have the form {pattern}",
}


def _hint(error: Mapping[str, Any]) -> str:
    hint = _HINTS.get(error["type"], "{msg}")
    return hint.format(msg=str(error["msg"]).removeprefix("Value error, "), **error.get("ctx", {}))


def _parse(source: str) -> tuple[_File, _Lines]:
    if len(source.encode(errors="replace")) > FILE_BYTES_MAX:
        raise InvalidProgramme([Fault(1, "", f"the file is larger than {FILE_BYTES_MAX} bytes; split the programme")])
    try:
        lines = _Lines(source)
        raw = yaml.load(source, Loader=_Loader)  # noqa: S506 - a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise InvalidProgramme([Fault(mark.line + 1 if mark else 1, "", f"not YAML: {error.problem}")]) from error
    except yaml.YAMLError as error:
        raise InvalidProgramme([Fault(1, "", f"not YAML: {error}")]) from error
    except RecursionError as error:
        raise InvalidProgramme([Fault(1, "", f"nested more than {DEPTH_MAX} deep; flatten it")]) from error
    if not isinstance(raw, dict):
        raise InvalidProgramme([Fault(1, "", "a programme is a mapping; begin with `programme: KEY`")])
    try:
        return _File.model_validate(raw), lines
    except ValidationError as error:
        faults = [lines.fault(found["loc"], _hint(dict(found))) for found in error.errors()]
        raise InvalidProgramme(sorted(faults, key=lambda fault: fault.line)) from error


class _Builder:
    """Turns a parsed file into a programme, collecting what only makes sense across its parts."""

    def __init__(self, file: _File, lines: _Lines, version: int) -> None:
        self.file, self.lines, self.version = file, lines, version
        self.faults: list[Fault] = []

    def build(self) -> Programme:
        """Return the programme, or raise InvalidProgramme with every fault found."""
        file = self.file
        if file.time_zone not in available_timezones():
            self.fault(("time_zone",), f"{file.time_zone!r} is no IANA time zone; write for example Europe/Paris")
        tiers = self.tiers()
        event_types = self.event_types()
        rules = [self.rule(index, rule, event_types, tiers) for index, rule in enumerate(file.rules)]
        self.unique("rules", [rule.key for rule in file.rules])
        if self.faults:
            raise InvalidProgramme(sorted(self.faults, key=lambda fault: fault.line))
        return Programme(
            key=file.programme,
            version=self.version,
            name=file.name,
            currency=file.currency,
            locale=file.locale,
            zone=ZoneInfo(file.time_zone),
            tiers=tiers,
            qualification=Qualification(
                file.qualification.period,
                file.qualification.months,
                (int(file.qualification.starts[:2]), int(file.qualification.starts[3:])),
            ),
            expiry=Expiry(file.expiry.months, file.expiry.days, file.expiry.end_of),
            spent_points=file.refunds.spent_points,
            rules=tuple(sorted(rules, key=lambda rule: -rule.priority)),
            event_types=event_types,
        )

    def fault(self, path: tuple[str | int, ...], message: str) -> None:
        """Note one fault."""
        self.faults.append(self.lines.fault(path, message))

    def unique(self, section: str, keys: list[str]) -> None:
        """Note the second of any two that have the same key."""
        for index, key in enumerate(keys):
            if key in keys[:index]:
                self.fault((section, index, "key"), f"{key!r} is used twice; keys are unique")

    def text(self, path: tuple[str | int, ...], words: Mapping[str, str]) -> Text:
        """Return a text; a plain string is in the programme's own locale, which every text must have."""
        by_locale = {locale or self.file.locale: text for locale, text in words.items()}
        unknown = [locale for locale in by_locale if locale not in LOCALES]
        if unknown:
            self.fault(path, f"locale {unknown[0]!r} is not served; use {', '.join(LOCALES)}")
        if self.file.locale not in by_locale:
            self.fault(path, f"has no text in the programme's own locale {self.file.locale!r}; add it")
        return Text(by_locale, self.file.locale)

    def tiers(self) -> tuple[Tier, ...]:
        """Return the tiers by rank."""
        tiers = self.file.tiers
        self.unique("tiers", [tier.key for tier in tiers])
        if tiers[0].threshold != 0:
            self.fault(("tiers", 0, "threshold"), "the first tier is everybody's: its threshold is 0")
        for index in range(1, len(tiers)):
            if tiers[index].threshold <= tiers[index - 1].threshold:
                self.fault(
                    ("tiers", index, "threshold"), "must be above the tier before it; list tiers from low to high"
                )
        return tuple(
            Tier(
                tier.key,
                self.text(("tiers", rank, "name"), tier.name),
                rank,
                tier.threshold,
                tuple(self.text(("tiers", rank, "benefits", i), words) for i, words in enumerate(tier.benefits)),
            )
            for rank, tier in enumerate(tiers)
        )

    def event_types(self) -> dict[str, EventType]:
        """Return the built-in event types and the declared ones, by key."""
        types = {key: EventType(key) for key in (*BUILT_IN_EVENT_TYPES, *OWN_EVENT_TYPES)}
        for key, declared in self.file.event_types.items():
            path = ("event_types", key)
            if key in {REFUND, *OWN_EVENT_TYPES} and declared.attributes is not None:
                self.fault((*path, "attributes"), f"{key!r} is built in and has no attributes of its own; remove them")
            name = self.text((*path, "name"), declared.name) if declared.name else None
            check = None
            if declared.attributes is not None:
                try:
                    check = JsonSchemaCheck(declared.attributes)
                except ValueError as error:
                    self.fault((*path, "attributes"), str(error))
            types[key] = EventType(key, name, check)
        return types

    def expression(self, path: tuple[str | int, ...], source: str | None, *, lines: bool = False) -> Any:
        """Return the compiled expression, None where there is none to compile."""
        if source is None:
            return None
        try:
            expression = CelLineCondition(source) if lines else CelExpression.over_event(source)
            if "attributes" not in source:  # whose shape only their own JSON Schema tells
                expression.rehearse(self.made_up())
        except InvalidExpression as error:
            self.fault(path, f"not a CEL expression: {error}")
            return None
        return expression

    def made_up(self) -> dict[str, Any]:
        """Return variables of the shape that rules see (`loyalty/earning.py`), with values of no meaning."""
        line = {"sku": "sku", "quantity": 1.0, "amount": 10.0, "category": "category", "brand": "brand"}
        return {
            "event": {
                "type": "purchase",
                "channel": "STORE",
                "store": "store",
                "partner": "",
                "weekday": 1,
                "hour": 12,
                "day": "2026-01-01",
                "attributes": {},
                "purchase": {"total": 10.0, "lines": [line]},
            },
            "member": {
                "tier": self.file.tiers[0].key,
                "rank": 0,
                "available": 10,
                "lifetime": 10,
                "locale": self.file.locale,
                "completion": 0.5,
                "birthday": False,
                "tenure_days": 10,
                "events": dict.fromkeys((*BUILT_IN_EVENT_TYPES, *OWN_EVENT_TYPES, *self.file.event_types), 1),
            },
            "earned": 10,
        }

    def rule(
        self, index: int, rule: _Rule, event_types: Mapping[str, EventType], tiers: tuple[Tier, ...]
    ) -> EarningRule:
        """Return one earning rule."""
        path = ("rules", index)
        if rule.event not in event_types or rule.event == REFUND:
            known = ", ".join(sorted(key for key in event_types if key != REFUND))
            self.fault((*path, "event"), f"{rule.event!r} earns nothing or is not declared; known: {known}")
        for tier in rule.tiers:
            if tier not in {known.key for known in tiers}:
                self.fault((*path, "tiers"), f"there is no tier {tier!r}")
        window = rule.window
        return EarningRule(
            key=rule.key,
            name=self.text((*path, "name"), rule.name),
            event=rule.event,
            rate=Rate(rule.rate.points, rule.rate.per, rule.rounding) if rule.rate else None,
            points=self.expression((*path, "points"), rule.points),
            rounding=rule.rounding,
            condition=self.expression((*path, "when"), rule.when),
            lines=self.expression((*path, "lines"), rule.lines, lines=True),
            priority=rule.priority,
            stacking=rule.stacking,
            group=rule.group,
            cap=Cap(rule.cap.points, rule.cap.per) if rule.cap else None,
            window=Window(
                window.first_day,
                window.last_day,
                frozenset(WEEKDAYS.index(day) + 1 for day in window.weekdays),
                _hours(window.hours) if window.hours else None,
            )
            if window
            else None,
            channels=frozenset(rule.channels),
            stores=frozenset(rule.stores),
            partners=frozenset(rule.partners),
            tiers=frozenset(rule.tiers),
            qualifying=rule.qualifying,
        )


def read_programme(source: str, *, version: int = 0) -> Programme:
    """Return the programme that a YAML text describes, as `version`.

    Raises:
        InvalidProgramme: with every fault found, each with its line and what to do.
    """
    file, lines = _parse(source)
    return _Builder(file, lines, version).build()


def source_digest(source: str) -> str:
    """Return the digest of what a programme file says: comments and layout do not count."""
    file, _ = _parse(source)
    return sha256(file.model_dump_json().encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Difference:
    """One place where two programmes differ; `before` or `after` is None where one has nothing there."""

    place: str
    before: Any
    after: Any


def _flat(value: Any, path: tuple[str, ...]) -> dict[tuple[str, ...], Any]:
    if isinstance(value, list) and value and all(isinstance(item, dict) and "key" in item for item in value):
        value = {item["key"]: {**item, "position": index} for index, item in enumerate(value)}
    if isinstance(value, dict) and value:
        return {place: leaf for key, item in value.items() for place, leaf in _flat(item, (*path, str(key))).items()}
    return {path: value}


def differences(before: str | None, after: str) -> list[Difference]:
    """Return where the programme of `after` differs from that of `before` (None: nothing runs yet)."""
    old = _flat(_parse(before)[0].model_dump(mode="json"), ()) if before is not None else {}
    new = _flat(_parse(after)[0].model_dump(mode="json"), ())
    places = sorted(old.keys() | new.keys())
    return [
        Difference(".".join(place), old.get(place), new.get(place))
        for place in places
        if old.get(place) != new.get(place)
    ]
