"""Parses programme files: YAML in, `loyalty.Programme` out, errors that name the line and the fix.

pydantic declares the shape; the line numbers come from PyYAML's nodes. `carillon programme` parses files, and every
gateway parses the stored versions.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from hashlib import sha256
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, ValidationError, model_validator

from loyalty.kernel.canonical import COUNTRIES
from loyalty.kernel.channel import Channel
from loyalty.kernel.currency import CURRENCIES, BudgetUnit, budget_decimals_of
from loyalty.kernel.period import ExpiryPolicy, LimitPeriod
from loyalty.kernel.text import Text
from loyalty.model.activity_limit import ActivityLimit, LimitedActor, Measure, Span
from loyalty.model.event import BUILT_IN_EVENT_TYPES, ENGINE_EVENT_TYPES, REFUND
from loyalty.model.offer import Segment
from loyalty.model.programme import (
    DEFAULT_BRAND,
    Brand,
    Cap,
    EarningRule,
    EffectsAfterRefund,
    EventType,
    Programme,
    QualificationKind,
    QualificationPeriod,
    Rate,
    Rounding,
    SpentPointsPolicy,
    Stacking,
    Tier,
    TierAfterRefund,
)
from loyalty.model.references.senders import SenderRule, Senders
from models.definitions.author_error import DefinitionError, InvalidProgramme
from models.definitions.catalogue_file import CatalogueShape, read_catalogue
from models.definitions.cel import CelExpression, CelLineCondition, CelMemberCondition, InvalidExpression
from models.definitions.cel_check import CONDITION, FORMULA, KindError, require_kinds
from models.definitions.cel_kinds import UNKNOWN, Kind, kind_of
from models.definitions.event_attributes import JsonSchemaCheck, attribute_kinds
from models.definitions.names_in_scope import LOCALES, Scope
from models.definitions.shared_shapes import (
    Cel,
    Key,
    LocalizedText,
    Names,
    Number,
    Shape,
    WindowShape,
    error_message,
    error_path,
    listed,
)
from models.definitions.vocabulary_file import ExpiryShape, VocabularyShape, read_vocabulary
from models.definitions.yaml_lines import FILE_BYTES_MAX, Lines, Path, load_yaml

__all__ = [
    "FILE_BYTES_MAX",
    "LOCALES",
    "DefinitionError",
    "Difference",
    "InvalidProgramme",
    "differences",
    "read_programme",
    "source_digest",
]


SENDERS_MAX = 200


def _sender_pattern(text: str) -> str:
    """Raise ValueError for a text that is no pattern of a sender."""
    if not text or text != text.strip() or any(char.isspace() or not char.isprintable() for char in text):
        raise ValueError("a sender is a token's `sub`, without blanks; write for example till-* or webshop")
    if unknown := sorted({*text} & {*"?[]{}()^$\\,"}):
        raise ValueError(f"{''.join(unknown)} has no meaning here: * alone stands for any characters")
    if "**" in text:
        raise ValueError("write * once: it stands for any number of characters")
    return text


SenderPattern = Annotated[str, StringConstraints(max_length=200), AfterValidator(_sender_pattern)]


class _Tier(Shape):
    key: Key
    name: LocalizedText
    threshold: int = Field(ge=0, le=1_000_000_000)
    benefits: list[LocalizedText] = Field(default=[])
    relatives: bool = False


class _Qualification(Shape):
    period: QualificationKind = QualificationKind.CALENDAR_YEAR
    months: int = Field(default=12, ge=1, le=60)
    starts: Annotated[str, StringConstraints(pattern=r"^\d\d-\d\d$")] = "01-01"

    @model_validator(mode="after")
    def _fits_its_period(self) -> "_Qualification":
        month, day = (int(part) for part in self.starts.split("-"))
        for name, period in (("months", QualificationKind.ROLLING), ("starts", QualificationKind.CALENDAR_YEAR)):
            if name in self.model_fields_set and self.period is not period:
                raise ValueError(
                    f"{name} is only for period {period.value}, and this is {self.period.value}; remove it"
                )
        if (month, day) == (2, 29):
            raise ValueError("starts cannot be 29 February, which most years do not have; write 03-01")
        try:
            date(2001, month, day)
        except ValueError as error:
            raise ValueError(f"starts {self.starts} is not a month and day; write for example 04-01") from error
        return self


class _Rate(Shape):
    points: Number = Field(gt=0, le=1_000_000)
    per: Number = Field(gt=0, le=1_000_000)


class _Cap(Shape):
    points: int = Field(gt=0, le=1_000_000_000)
    per: LimitPeriod


class _Rule(Shape):
    key: Key
    name: LocalizedText
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
    window: WindowShape | None = None
    channels: tuple[Channel, ...] = ()
    stores: Names = ()
    partners: Names = ()
    tiers: Names = ()
    qualifying: bool = True

    @model_validator(mode="after")
    def _consistent(self) -> "_Rule":
        if (self.rate is None) == (self.points is None):
            raise ValueError("a rule has either rate or points; write exactly one of them")
        if (self.stacking is Stacking.BEST) != bool(self.group):
            raise ValueError("group and stacking: best go together; write both or neither")
        if self.rate is not None and self.event != "purchase":
            raise ValueError(f"rate needs an amount, which event {self.event!r} does not have; write points instead")
        if self.lines is not None and self.rate is None:
            raise ValueError("lines is only for rules with rate; with points, filter the lines in the expression")
        return self


class _EventType(Shape):
    name: LocalizedText | None = None
    attributes: dict[str, Any] | None = None


class _Profile(Shape):
    attributes: dict[str, Any] | None = None


class _Refunds(Shape):
    spent_points: SpentPointsPolicy = SpentPointsPolicy.NEGATIVE
    tier: TierAfterRefund = TierAfterRefund.REVIEWED
    effects: EffectsAfterRefund = EffectsAfterRefund.REVERSED


class _Sender(Shape):
    who: SenderPattern
    may_refer_to: Annotated[
        tuple[SenderPattern, ...], BeforeValidator(listed), Field(min_length=1, max_length=SENDERS_MAX)
    ]


class _Orders(Shape):
    grace_days: int = Field(default=0, ge=0, le=3660)


class _ActivityLimit(Shape):
    of: LimitedActor
    events: int | None = Field(default=None, ge=1, le=1_000_000_000)
    points: int | None = Field(default=None, ge=1, le=1_000_000_000)
    adjustment: int | None = Field(default=None, ge=1, le=1_000_000_000)
    per: Span
    then: Literal["allow", "hold", "refuse", "second_person"] = "refuse"

    @model_validator(mode="after")
    def _consistent(self) -> "_ActivityLimit":
        if len(self.measures) != 1:
            raise ValueError("a limit has exactly one of events, points and adjustment; write one limit for each")
        if self.then != "refuse":
            raise ValueError(f"then: {self.then} does not exist yet; write then: refuse")
        if self.of is LimitedActor.TILL and self.adjustment is not None:
            raise ValueError("a till adjusts no points; limit its events or points")
        return self

    @property
    def measures(self) -> list[tuple[Measure, int]]:
        """The measures that are limited."""
        limits = {Measure.EVENTS: self.events, Measure.POINTS: self.points, Measure.ADJUSTMENT: self.adjustment}
        return [(measure, most) for measure, most in limits.items() if most is not None]


class _Segment(Shape):
    key: Key
    name: LocalizedText
    when: Cel


def _legible(colour: str) -> str:
    """Raise ValueError for a colour on which white text is not legible."""
    contrast = 1.05 / (_luminance(colour) + 0.05)
    if contrast < WHITE_TEXT_CONTRAST_MIN:
        raise ValueError(f"white text on {colour} has a contrast of {contrast:.2f}; use a darker colour (4.5 or more)")
    return colour


def _luminance(colour: str) -> float:
    """Return the relative luminance of a colour (WCAG 2.2)."""
    red, green, blue = (_linear(int(colour[place : place + 2], 16) / 255) for place in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4  # noqa: PLR2004 - WCAG's constants


# WCAG 2.2, success criterion 1.4.3, level AA.
WHITE_TEXT_CONTRAST_MIN = 4.5
Colour = Annotated[str, StringConstraints(pattern=r"^#[0-9A-Fa-f]{6}$"), AfterValidator(_legible)]


class _Brand(Shape):
    colour: Colour = DEFAULT_BRAND.colour
    accent: Colour = DEFAULT_BRAND.accent


class _File(CatalogueShape, VocabularyShape):
    programme: Key
    name: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
    country: str | None = None
    locale: Literal["fr", "en", "ar"]
    time_zone: str
    tiers: list[_Tier] = Field(min_length=1, max_length=50)
    qualification: _Qualification = _Qualification()
    expiry: ExpiryShape = ExpiryShape()
    refunds: _Refunds = _Refunds()
    orders: _Orders = _Orders()
    brand: _Brand = _Brand()
    senders: list[_Sender] = Field(default=[], max_length=SENDERS_MAX)
    profile: _Profile = _Profile()
    event_types: dict[Key, _EventType] = Field(default={})
    rules: list[_Rule] = Field(default=[], max_length=1000)
    segments: list[_Segment] = Field(default=[], max_length=200)
    limits: list[_ActivityLimit] = Field(default=[], max_length=50)

    @model_validator(mode="after")
    def _points_are_described_once(self) -> "_File":
        if self.wallets and "expiry" in self.model_fields_set:
            raise ValueError("expiry belongs to the wallet in a file with wallets; move it there")
        if self.wallets and "spent_points" in self.refunds.model_fields_set:
            raise ValueError("refunds.spent_points belongs to the wallet in a file with wallets; move it there")
        return self


def _parse(source: str) -> tuple[_File, Lines]:
    raw, lines = load_yaml(source)
    try:
        return _File.model_validate(raw), lines
    except ValidationError as error:
        faults = [lines.fault(error_path(dict(found)), error_message(dict(found))) for found in error.errors()]
        raise InvalidProgramme(sorted(faults, key=lambda fault: fault.line)) from error


class _Builder:
    """Builds a programme from a parsed file; checks what pydantic cannot, such as references between sections."""

    def __init__(self, file: _File, lines: Lines, version: int, budget_decimals: int | None) -> None:
        self.file, self.version = file, version
        self.budget_decimals = budget_decimals_of(file.currency) if budget_decimals is None else budget_decimals
        known = file.time_zone in available_timezones()
        self.scope = Scope(
            lines,
            locale=file.locale,
            zone=ZoneInfo(file.time_zone if known else "UTC"),
            budget_unit=BudgetUnit(file.currency, self.budget_decimals),
            tiers=frozenset(tier.key for tier in file.tiers),
            segments=frozenset(segment.key for segment in file.segments),
            is_stored=version > 0,
        )
        if file.currency not in CURRENCIES:
            self.fault(("currency",), f"unknown currency {file.currency!r}; write a code of ISO 4217 such as EUR")
        if file.country is not None and file.country not in COUNTRIES:
            self.fault(("country",), f"unknown country {file.country!r}; write a code of ISO 3166-1 such as FR")
        if not known:
            self.fault(("time_zone",), f"unknown time zone {file.time_zone!r}; write an IANA name such as Europe/Paris")

    def build(self) -> Programme:
        """Return the programme, or raise InvalidProgramme with every error found."""
        file = self.file
        tiers = self.tiers()
        event_types = self.event_types()
        rules = [self.rule(index, rule, event_types) for index, rule in enumerate(file.rules)]
        self.scope.check_unique(("rules",), (rule.key for rule in file.rules))
        self.scope.check_unique(("segments",), (segment.key for segment in file.segments))
        segments = [self.segment(("segments", index), segment) for index, segment in enumerate(file.segments)]
        catalogue = read_catalogue(file, self.scope)
        activity_limits = self.activity_limits()
        profile_attributes = self.attributes(("profile", "attributes"), file.profile.attributes)
        vocabulary = read_vocabulary(file, self.scope)
        points = file.wallets[0] if file.wallets else None
        expiry = points.expiry if points is not None else file.expiry
        if self.scope.faults:
            raise InvalidProgramme(sorted(self.scope.faults, key=lambda fault: fault.line))
        return Programme(
            key=file.programme,
            version=self.version,
            name=file.name,
            currency=file.currency,
            locale=file.locale,
            zone=self.scope.zone,
            tiers=tiers,
            qualification=QualificationPeriod(
                file.qualification.period,
                file.qualification.months,
                (int(file.qualification.starts[:2]), int(file.qualification.starts[3:])),
            ),
            expiry=ExpiryPolicy(expiry.months, expiry.days, expiry.end_of),
            spent_points_policy=points.spent_points if points is not None else file.refunds.spent_points,
            rules=tuple(sorted(rules, key=lambda rule: -rule.priority)),
            event_types=event_types,
            catalogue=catalogue,
            segments={segment.key: segment for segment in segments if segment is not None},
            returned_points_grace_days=file.orders.grace_days,
            brand=Brand(file.brand.colour, file.brand.accent),
            senders=Senders(tuple(SenderRule(rule.who, rule.may_refer_to) for rule in file.senders)),
            tier_after_refund=file.refunds.tier,
            effects_after_refund=file.refunds.effects,
            activity_limits=activity_limits,
            budget_decimals=self.budget_decimals,
            country=file.country,
            profile_attributes=profile_attributes,
            vocabulary=vocabulary,
        )

    def activity_limits(self) -> tuple[ActivityLimit, ...]:
        """Return the limits of activity; report one that is there twice."""
        found: dict[tuple[LimitedActor, Measure, Span], ActivityLimit] = {}
        for index, limit in enumerate(self.file.limits):
            [(measure, most)] = limit.measures
            key = limit.of, measure, limit.per
            if key in found:
                self.fault(
                    ("limits", index), f"{measure} of {limit.of} per {limit.per} are limited already; remove one"
                )
            found[key] = ActivityLimit(limit.of, measure, most, limit.per)
        return tuple(found.values())

    def fault(self, path: Path, message: str) -> None:
        """Add one error."""
        self.scope.fault(path, message)

    def text(self, path: Path, words: Mapping[str, str | Mapping[str, str]]) -> Text:
        """Return the text at `path`."""
        return self.scope.text(path, words)

    def tiers(self) -> tuple[Tier, ...]:
        """Return the tiers, lowest rank first."""
        tiers = self.file.tiers
        self.scope.check_unique(("tiers",), (tier.key for tier in tiers))
        if tiers[0].threshold != 0:
            self.fault(("tiers", 0, "threshold"), "the first tier is for everybody; set its threshold to 0")
        for index in range(1, len(tiers)):
            if tiers[index].threshold <= tiers[index - 1].threshold:
                self.fault(
                    ("tiers", index, "threshold"), "must be higher than the tier before it; list tiers from low to high"
                )
        return tuple(
            Tier(
                tier.key,
                self.text(("tiers", rank, "name"), tier.name),
                rank,
                tier.threshold,
                tuple(self.text(("tiers", rank, "benefits", i), words) for i, words in enumerate(tier.benefits)),
                tier.relatives,
            )
            for rank, tier in enumerate(tiers)
        )

    def event_types(self) -> dict[str, EventType]:
        """Return the built-in event types and the declared ones, by key."""
        types = {key: EventType(key) for key in (*BUILT_IN_EVENT_TYPES, *ENGINE_EVENT_TYPES)}
        for key, declared in self.file.event_types.items():
            path = ("event_types", key)
            if key in {REFUND, *ENGINE_EVENT_TYPES} and declared.attributes is not None:
                self.fault((*path, "attributes"), f"{key!r} is built in and cannot have attributes; remove them")
            name = self.text((*path, "name"), declared.name) if declared.name else None
            types[key] = EventType(key, name, self.attributes((*path, "attributes"), declared.attributes))
        return types

    def attributes(self, path: Path, schema: dict[str, Any] | None) -> JsonSchemaCheck | None:
        """Return the compiled schema of attributes; None if `schema` is None or invalid."""
        try:
            return JsonSchemaCheck(schema, is_stored=self.version > 0) if schema is not None else None
        except ValueError as error:
            self.fault(path, str(error))
            return None

    def expression(
        self, path: Path, source: str | None, event: str, use: tuple[frozenset[str], str], *, lines: bool = False
    ) -> Any:
        """Return the compiled expression of a rule for an event type; None if `source` is None or invalid."""
        if source is None:
            return None
        try:
            expression = CelLineCondition(source) if lines else CelExpression.over_event(source)
            if "attributes" not in source:  # their shape is not known here: only their JSON Schema describes it
                expression.check(self.sample_variables())
            self.check_kinds(source, self.rule_kinds(event, lines=lines), use)
        except (InvalidExpression, KindError) as error:
            self.fault(path, f"invalid expression: {error}")
            return None
        return expression

    def check_kinds(self, source: str, kinds: Mapping[str, Kind], use: tuple[frozenset[str], str]) -> None:
        """Check an expression in every branch; raise KindError.

        A stored version is not checked: an earlier release accepted it, and its rule gives nothing.
        """
        if self.version == 0:
            require_kinds(source, kinds, use)

    def rule_kinds(self, event: str, *, lines: bool) -> dict[str, Kind]:
        """Return the kinds of the variables of a rule's expressions; `lines` for its condition over lines."""
        sample = self.sample_variables()
        kinds = {name: kind_of(value) for name, value in sample.items()}
        fields = kinds["event"].fields or {}
        declared = self.file.event_types.get(event)
        attributes = attribute_kinds(declared.attributes) if declared and declared.attributes is not None else UNKNOWN
        kinds["event"] = replace(kinds["event"], fields={**fields, "attributes": (attributes,)})
        if lines:
            kinds["line"] = kind_of(sample["event"]["purchase"]["lines"][0])
        return kinds

    def sample_variables(self) -> dict[str, Any]:
        """Return variables as rules get them (`loyalty/rules/earning.py`), with arbitrary values."""
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
                "attributes": {},
                "birthday": False,
                "tenure_days": 10,
                "events": dict.fromkeys((*BUILT_IN_EVENT_TYPES, *ENGINE_EVENT_TYPES, *self.file.event_types), 1),
            },
            "earned": 10,
        }

    def segment(self, path: Path, segment: _Segment) -> Segment | None:
        """Return one segment; None if its condition is invalid."""
        name = self.text((*path, "name"), segment.name)
        member = {"member": self.sample_variables()["member"]}
        try:
            condition = CelMemberCondition(segment.when)
            condition.require_known_variables(("member",))
            if "attributes" not in segment.when:  # only their JSON Schema describes them
                condition.check(member)
            self.check_kinds(segment.when, {"member": kind_of(member["member"])}, CONDITION)
        except (InvalidExpression, KindError) as error:
            self.fault((*path, "when"), f"invalid expression: {error}")
            return None
        return Segment(segment.key, name, condition)

    def rule(self, index: int, rule: _Rule, event_types: Mapping[str, EventType]) -> EarningRule:
        """Return one earning rule."""
        path = ("rules", index)
        if rule.event not in event_types or rule.event == REFUND:
            known = ", ".join(sorted(key for key in event_types if key != REFUND))
            self.fault((*path, "event"), f"event {rule.event!r} is not declared or earns no points; use one of {known}")
        self.scope.check_tiers((*path, "tiers"), rule.tiers)
        return EarningRule(
            key=rule.key,
            name=self.text((*path, "name"), rule.name),
            event_type=rule.event,
            rate=Rate(rule.rate.points, rule.rate.per, rule.rounding) if rule.rate else None,
            points=self.expression((*path, "points"), rule.points, rule.event, FORMULA),
            rounding=rule.rounding,
            condition=self.expression((*path, "when"), rule.when, rule.event, CONDITION),
            lines=self.expression((*path, "lines"), rule.lines, rule.event, CONDITION, lines=True),
            priority=rule.priority,
            stacking=rule.stacking,
            stacking_group=rule.group,
            cap=Cap(rule.cap.points, rule.cap.per) if rule.cap else None,
            window=rule.window.window() if rule.window else None,
            channels=frozenset(rule.channels),
            stores=frozenset(rule.stores),
            partners=frozenset(rule.partners),
            tiers=frozenset(rule.tiers),
            qualifying=rule.qualifying,
        )


def read_programme(source: str, *, version: int = 0, budget_decimals: int | None = None) -> Programme:
    """Return the programme that a YAML text describes, as `version`; 0 for a text that is not stored yet.

    `budget_decimals` are those that it already counts budgets in; None for those of its currency.

    Raises:
        InvalidProgramme: lists every error found, each with its line and the fix.
    """
    file, lines = _parse(source)
    return _Builder(file, lines, version, budget_decimals).build()


def source_digest(source: str) -> str:
    """Return the SHA-256 digest of a programme file's content; comments and layout do not change it."""
    file, _ = _parse(source)
    # Without defaults, so that a field added in a later version of Carillon does not change the digest of older files.
    return sha256(file.model_dump_json(exclude_defaults=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Difference:
    """One place where two programmes differ; `before` or `after` is None if one does not have it."""

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
    """Return where the file `after` differs from the file `before` (None: no version applied yet)."""
    old = _flat(_parse(before)[0].model_dump(mode="json"), ()) if before is not None else {}
    new = _flat(_parse(after)[0].model_dump(mode="json"), ())
    places = sorted(old.keys() | new.keys())
    return [
        Difference(".".join(place), old.get(place), new.get(place))
        for place in places
        if old.get(place) != new.get(place)
    ]
