import json
from datetime import date, time
from decimal import Decimal
from pathlib import Path

import pytest

import models
from loyalty.kernel.channel import Channel
from loyalty.kernel.period import EndOf, ExpiryPolicy, LimitPeriod
from loyalty.kernel.window import Window
from loyalty.model.activity_limit import ActivityLimit, LimitedActor, Measure, Span
from loyalty.model.programme import (
    DEFAULT_BRAND,
    Brand,
    Cap,
    EffectsAfterRefund,
    QualificationKind,
    QualificationPeriod,
    Rate,
    Rounding,
    SpentPointsPolicy,
    Stacking,
    TierAfterRefund,
)
from loyalty.model.references.senders import SenderRule, Senders
from models.definitions.programme_file import (
    FILE_BYTES_MAX,
    DefinitionError,
    Difference,
    InvalidProgramme,
    differences,
    read_programme,
    source_digest,
)

FILES = Path(models.__file__).parent.parent / "programmes"

SMALL = """\
programme: corner
name: The Corner
currency: EUR
locale: en
time_zone: Europe/Paris
tiers:
  - {key: base, name: Base, threshold: 0}
"""

WHOLE = """\
programme: corner
name: The Corner
currency: EUR
locale: fr
time_zone: Europe/Paris
tiers:
  - key: base
    name: Base
    threshold: 0
  - key: gold
    name: {fr: Or, en: Gold}
    threshold: 500
    benefits:
      - {fr: Un café, en: A coffee}
qualification: {period: rolling, months: 6}
expiry: {months: 12, end_of: quarter}
refunds: {spent_points: write_off, tier: kept, effects: kept}
event_types:
  visit: {name: Visite}
  parking:
    attributes: {type: object, required: [minutes]}
rules:
  - key: low
    name: Bas
    event: parking
    points: event.attributes.minutes
    cap: {points: 60, per: week}
    tiers: gold
    qualifying: false
  - key: high
    name: {fr: Haut}
    event: purchase
    when: event.purchase.total > 5.0
    lines: line.category == "tea"
    rate: {points: 0.1, per: 1}
    rounding: half_up
    priority: 7
    stacking: best
    group: tea
    window: {first_day: 2024-03-01, last_day: 2024-03-31, weekdays: [monday, sunday], hours: 22:00-02:00}
    channels: [APP, WEB]
    stores: [lyon, paris]
    partners: bakery
"""


def faults(source: str) -> list[str]:
    with pytest.raises(InvalidProgramme) as caught:
        read_programme(source)
    assert str(caught.value) == "\n".join(str(fault) for fault in caught.value.faults)
    return [str(fault) for fault in caught.value.faults]


def changed(written: str, instead: str) -> str:
    assert WHOLE.count(written) == 1
    return WHOLE.replace(written, instead)


def test_the_shortest_programme_has_every_default() -> None:
    programme = read_programme(SMALL)
    assert (programme.key, programme.version, programme.name) == ("corner", 0, "The Corner")
    assert (programme.currency, programme.locale, programme.zone.key) == ("EUR", "en", "Europe/Paris")
    assert [(tier.key, tier.rank, tier.threshold, tier.benefits) for tier in programme.tiers] == [("base", 0, 0, ())]
    assert programme.qualification == QualificationPeriod(QualificationKind.CALENDAR_YEAR, 12, (1, 1))
    assert programme.expiry == ExpiryPolicy()
    assert programme.spent_points_policy is SpentPointsPolicy.NEGATIVE
    assert programme.tier_after_refund is TierAfterRefund.REVIEWED
    assert programme.effects_after_refund is EffectsAfterRefund.REVERSED
    assert programme.brand == DEFAULT_BRAND
    assert programme.rules == ()
    assert sorted(programme.event_types) == [
        "activation",
        "enrolment",
        "profile_completed",
        "purchase",
        "redemption",
        "refund",
        "review",
        "visit",
    ]


def test_everything_that_can_be_written_is_read() -> None:
    programme = read_programme(WHOLE, version=3)
    assert programme.version == 3
    gold = programme.tier("gold")
    assert (gold.rank, gold.threshold, gold.name.in_locale("en"), gold.name.in_locale("ar")) == (1, 500, "Gold", "Or")
    assert [benefit.in_locale("en-GB") for benefit in gold.benefits] == ["A coffee"]
    assert programme.qualification == QualificationPeriod(QualificationKind.ROLLING, 6)
    assert programme.expiry == ExpiryPolicy(months=12, end_of=EndOf.QUARTER)
    assert programme.spent_points_policy is SpentPointsPolicy.WRITE_OFF
    assert programme.tier_after_refund is TierAfterRefund.KEPT
    assert programme.effects_after_refund is EffectsAfterRefund.KEPT
    visit, parking = programme.event_types["visit"], programme.event_types["parking"]
    assert visit.name is not None
    assert (visit.name.in_locale("fr"), visit.attributes) == ("Visite", None)
    assert parking.attributes is not None
    assert parking.attributes.fault({}) == "'minutes' is a required property"

    high, low = programme.rules
    assert [rule.key for rule in programme.rules_by_event_type["purchase"]] == ["high"]
    assert high.rate == Rate(Decimal("0.1"), Decimal(1), Rounding.HALF_UP)
    assert high.condition is not None
    assert high.condition.source == "event.purchase.total > 5.0"
    assert high.lines is not None
    assert (high.points, high.priority, high.stacking, high.stacking_group) == (None, 7, Stacking.BEST, "tea")
    assert high.window == Window(date(2024, 3, 1), date(2024, 3, 31), frozenset({1, 7}), (time(22, 0), time(2, 0)))
    assert high.channels == {Channel.APP, Channel.WEB}
    assert (set(high.stores), set(high.partners), set(high.tiers)) == ({"lyon", "paris"}, {"bakery"}, set())
    assert (high.cap, high.qualifying) == (None, True)
    assert low.points is not None
    assert (low.points.source, low.rate, low.rounding) == ("event.attributes.minutes", None, Rounding.DOWN)
    assert (low.cap, set(low.tiers), low.qualifying) == (Cap(60, LimitPeriod.WEEK), {"gold"}, False)


@pytest.mark.parametrize("name", ["coffee", "grocer"])
def test_the_programmes_of_the_project_are_valid_in_three_languages(name: str) -> None:
    programme = read_programme((FILES / f"{name}.yaml").read_text(encoding="utf-8"))
    assert programme.key == name
    texts = [tier.name for tier in programme.tiers] + [rule.name for rule in programme.rules]
    texts += [benefit for tier in programme.tiers for benefit in tier.benefits]
    catalogue = programme.catalogue
    texts += [segment.name for segment in programme.segments.values()]
    texts += [text for offer in catalogue.offers.values() for text in (offer.title, offer.description)]
    texts += [text for reward in catalogue.rewards.values() for text in (reward.title, reward.description)]
    texts += [text for content in catalogue.contents.values() for text in (content.title, content.body)]
    texts += [instant.name for instant in catalogue.instant_rewards]
    texts += [offer.terms for offer in catalogue.offers.values() if offer.terms.in_locale(programme.locale)]
    assert all(set(text.by_locale) == {"fr", "en", "ar"} for text in texts)
    assert all(set(own) == {"fr", "en", "ar"} for text in texts for own in text.by_channel.values())


def test_a_brand_has_its_colours() -> None:
    programme = read_programme(f'{SMALL}brand: {{colour: "#0b5D3b"}}\n')
    assert programme.brand == Brand("#0b5D3b", DEFAULT_BRAND.accent)


@pytest.mark.parametrize(
    ("colour", "fault"),
    [
        ("#FFCC00", "white text on #FFCC00 has a contrast of 1.51; use a darker colour (4.5 or more)"),
        ("#777777", "white text on #777777 has a contrast of 4.48; use a darker colour (4.5 or more)"),
        ("green", "must match the pattern ^#[0-9A-Fa-f]{6}$"),
    ],
)
def test_a_colour_that_white_text_cannot_be_read_on_is_refused(colour: str, fault: str) -> None:
    assert faults(f'{SMALL}brand:\n  accent: "{colour}"\n') == [f"line 9: brand.accent: {fault}"]


def test_a_number_is_taken_as_it_is_written() -> None:
    programme = read_programme(changed("rate: {points: 0.1, per: 1}", 'rate: {points: 1, per: "0.30"}'))
    assert programme.rules[0].rate == Rate(Decimal(1), Decimal("0.30"), Rounding.HALF_UP)


def test_points_may_be_a_plain_number() -> None:
    programme = read_programme(changed("points: event.attributes.minutes", "points: 5"))
    assert programme.rules[1].points is not None
    assert programme.rules[1].points.evaluate({}) == 5


def test_rules_of_one_priority_stay_in_the_order_they_are_written() -> None:
    rules = "".join(f"  - {{key: {key}, name: Rule, event: visit, points: 1}}\n" for key in ("c", "a", "b"))
    assert [rule.key for rule in read_programme(f"{SMALL}rules:\n{rules}").rules] == ["c", "a", "b"]


def test_an_alias_repeats_what_its_anchor_says() -> None:
    source = SMALL.replace("name: Base,", "name: &words {en: Base},") + (
        "  - {key: gold, name: *words, threshold: 5}\n"
    )
    assert read_programme(source).tiers[1].name.in_locale("en") == "Base"


# Errors name the line and the fix


@pytest.mark.parametrize(
    ("written", "instead", "fault"),
    [
        ("name: The Corner\n", "", "line 1: name: is missing; add it"),
        ("currency: EUR", "currency: eur", "line 3: currency: must match the pattern ^[A-Z]{3}$"),
        *(
            (
                "currency: EUR",
                f"currency: {code}",
                f"line 3: currency: unknown currency '{code}'; write a code of ISO 4217 such as EUR",
            )
            for code in ("EUX", "ZZZ", "XAU", "XXX", "BTC")
        ),
        ("locale: fr", "locale: de", "line 4: locale: Input should be 'fr', 'en' or 'ar'"),
        (
            "time_zone: Europe/Paris",
            "time_zone: Paris",
            "line 5: time_zone: unknown time zone 'Paris'; write an IANA name such as Europe/Paris",
        ),
        ("refunds:", "refund:", "line 17: refund: is not a known field; check the spelling or remove it"),
        (
            "    threshold: 0",
            "    threshold: 1",
            "line 9: tiers.0.threshold: the first tier is for everybody; set its threshold to 0",
        ),
        (
            "    threshold: 500",
            "    threshold: 0",
            "line 12: tiers.1.threshold: must be higher than the tier before it; list tiers from low to high",
        ),
        ("  - key: gold", "  - key: Gold", "line 10: tiers.1.key: must match the pattern ^[a-z][a-z0-9-]{0,39}$"),
        (
            "{fr: Or, en: Gold}",
            "{en: Gold}",
            "line 11: tiers.1.name: has no text in the programme's default locale 'fr'; add one",
        ),
        (
            "{fr: Un café, en: A coffee}",
            "{fr: Un café, de: Ein Kaffee}",
            "line 14: tiers.1.benefits.0: unsupported locale 'de'; use fr, en, ar",
        ),
        (
            "months: 6}",
            "months: 0}",
            "line 15: qualification.months: Input should be greater than or equal to 1",
        ),
        (
            "{period: rolling, months: 6}",
            "{period: calendar_year, months: 6}",
            "line 15: qualification: months is only for period rolling, and this is calendar_year; remove it",
        ),
        (
            "{period: rolling, months: 6}",
            "{period: lifetime, starts: 04-01}",
            "line 15: qualification: starts is only for period calendar_year, and this is lifetime; remove it",
        ),
        (
            "{period: rolling, months: 6}",
            "{starts: 02-29}",
            "line 15: qualification: starts cannot be 29 February, which most years do not have; write 03-01",
        ),
        (
            "{period: rolling, months: 6}",
            "{starts: 04-31}",
            "line 15: qualification: starts 04-31 is not a month and day; write for example 04-01",
        ),
        (
            "{months: 12, end_of",
            "{months: -1, end_of",
            "line 16: expiry.months: Input should be greater than or equal to 0",
        ),
        ("end_of: quarter", "end_of: week", "line 16: expiry.end_of: Input should be 'month', 'quarter' or 'year'"),
        (
            "spent_points: write_off",
            "spent_points: forget",
            "line 17: refunds.spent_points: Input should be 'negative' or 'write_off'",
        ),
        ("tier: kept", "tier: lost", "line 17: refunds.tier: Input should be 'reviewed' or 'kept'"),
        ("effects: kept", "effects: both", "line 17: refunds.effects: Input should be 'reversed' or 'kept'"),
        (
            "{type: object, required: [minutes]}",
            "{type: objekt}",
            (
                "line 21: event_types.parking.attributes: invalid JSON Schema: 'objekt' is not valid "
                "under any of the given schemas"
            ),
        ),
        (
            "{type: object, required: [minutes]}",
            "{$ref: '#/$defs/minutes'}",
            (
                "line 21: event_types.parking.attributes: $ref '#/$defs/minutes' does not resolve; "
                "write #/$defs/NAME and define NAME under $defs"
            ),
        ),
        (
            "  visit: {name: Visite}",
            "  refund: {attributes: {}}",
            ("line 19: event_types.refund.attributes: 'refund' is built in and cannot have attributes; remove them"),
        ),
        (
            "    event: parking",
            "    event: park",
            (
                "line 25: rules.0.event: event 'park' is not declared or earns no points; "
                "use one of activation, enrolment, parking, profile_completed, purchase, redemption, review, visit"
            ),
        ),
        (
            "    event: parking",
            "    event: refund",
            (
                "line 25: rules.0.event: event 'refund' is not declared or earns no points; "
                "use one of activation, enrolment, parking, profile_completed, purchase, redemption, review, visit"
            ),
        ),
        (
            "    points: event.attributes.minutes\n",
            "",
            "line 23: rules.0: a rule has either rate or points; write exactly one of them",
        ),
        (
            "    points: event.attributes.minutes",
            "    points: minutes",
            ("line 26: rules.0.points: invalid expression: unknown variable 'minutes'; use event, member, earned"),
        ),
        (
            "    points: event.attributes.minutes",
            "    rate: {points: 1, per: 1}",
            "line 23: rules.0: rate needs an amount, which event 'parking' does not have; write points instead",
        ),
        (
            "{points: 60, per: week}",
            "{points: 0, per: week}",
            "line 27: rules.0.cap.points: Input should be greater than 0",
        ),
        (
            "{points: 60, per: week}",
            "{points: 60, per: fortnight}",
            "line 27: rules.0.cap.per: Input should be 'day', 'week', 'month', 'year' or 'ever'",
        ),
        (
            "    tiers: gold",
            "    tiers: platinum",
            "line 28: rules.0.tiers: unknown tier 'platinum'; define it under tiers",
        ),
        ("  - key: high", "  - key: low", "line 30: rules.1.key: key 'low' is used twice; choose another key"),
        (
            '    lines: line.category == "tea"',
            "    lines: line.amount > limit",
            ("line 34: rules.1.lines: invalid expression: unknown variable 'limit'; use event, member, earned, line"),
        ),
        (
            "    rate: {points: 0.1, per: 1}",
            "    points: 5",
            "line 30: rules.1: lines is only for rules with rate; with points, filter the lines in the expression",
        ),
        ("per: 1}", "per: 0}", "line 35: rules.1.rate.per: Input should be greater than 0"),
        ("per: 1}", "per: .inf}", "line 35: rules.1.rate.per: Input should be a finite number"),
        (
            "    rounding: half_up",
            "    rounding: half_even",
            "line 36: rules.1.rounding: Input should be 'down', 'half_up' or 'up'",
        ),
        (
            "    group: tea\n",
            "",
            "line 30: rules.1: group and stacking: best go together; write both or neither",
        ),
        (
            "    stacking: best\n",
            "",
            "line 30: rules.1: group and stacking: best go together; write both or neither",
        ),
        (
            "last_day: 2024-03-31",
            "last_day: 2024-02-29",
            "line 40: rules.1.window: last_day is before first_day; swap them",
        ),
        ("last_day: 2024-03-31", "last_day: 2024-02-30", "line 40: invalid YAML: day is out of range for month"),
        (
            "hours: 22:00-02:00",
            "hours: 22:00-25:00",
            "line 40: rules.1.window: hours '22:00-25:00' are not valid; write for example 18:00-20:00",
        ),
        (
            "weekdays: [monday, sunday]",
            "weekdays: [Monday]",
            (
                "line 40: rules.1.window.weekdays.0: Input should be 'monday', 'tuesday', 'wednesday', 'thursday', "
                "'friday', 'saturday' or 'sunday'"
            ),
        ),
        (
            "channels: [APP, WEB]",
            "channels: [APP, TILL]",
            (
                "line 41: rules.1.channels.1: Input should be 'APP', 'WEB', 'STORE', 'KIOSK', 'AGENT', 'SOCIAL', "
                "'PARTNER' or 'SYSTEM'"
            ),
        ),
    ],
)
def test_a_fault_names_the_line_the_place_and_the_fix(written: str, instead: str, fault: str) -> None:
    assert faults(changed(written, instead)) == [fault]


@pytest.mark.parametrize("code", ["EUR", "USD", "JPY", "KRW", "KWD", "TND", "XOF", "MRU", "ISK"])
def test_currencies_in_use_are_known(code: str) -> None:
    assert read_programme(changed("currency: EUR", f"currency: {code}")).currency == code


def test_all_faults_are_reported_in_the_order_of_lines() -> None:
    source = (
        changed("currency: EUR", "currency: euro").replace("per: week", "per: weekday").replace("rules:", "rule:", 1)
    )
    result = faults(source)
    assert [fault.split(":")[0] for fault in result] == ["line 3", "line 22"]
    source = changed("tiers: gold", "tiers: silver").replace("time_zone: Europe/Paris", "time_zone: Mars/Base")
    assert [fault.split(":")[0] for fault in faults(source)] == ["line 5", "line 28"]


def test_expression_that_does_not_parse_is_reported_with_its_line() -> None:
    [fault] = faults(changed("event.purchase.total > 5.0", "event.purchase.total >"))
    assert fault.startswith("line 33: rules.1.when: invalid expression: Failed to parse expression")
    assert "\n" not in fault


def test_duplicate_tier_is_refused() -> None:
    source = f"{SMALL}  - {{key: base, name: Again, threshold: 5}}\n"
    assert faults(source) == ["line 8: tiers.1.key: key 'base' is used twice; choose another key"]


def test_a_key_written_twice_is_refused() -> None:
    assert faults(f"{SMALL}name: Again\n") == ["line 8: name: is written twice; keep one"]


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("", "line 1: the file is not a mapping; start it with `programme: KEY`"),
        ("# nothing yet\n", "line 1: the file is not a mapping; start it with `programme: KEY`"),
        ("- programme: corner\n", "line 1: the file is not a mapping; start it with `programme: KEY`"),
        ("programme:\n\t- corner\n", "line 2: invalid YAML: found character '\\t' that cannot start any token"),
        ("programme: [corner\n", "line 2: invalid YAML: expected ',' or ']', but got '<stream end>'"),
        (f"{SMALL}---\nname: Another\n", "line 8: invalid YAML: but found another document"),
        (f"{SMALL}? [a, b]\n: c\n", "line 8: invalid YAML: found unhashable key"),
        (f"{SMALL}expiry: *never\n", "line 8: invalid YAML: found undefined alias 'never'"),
        (f"{SMALL}expiry: {{months: 0b_}}\n", "line 8: invalid YAML: invalid literal for int() with base 2: ''"),
        (
            f"{SMALL}event_types: &all\n  visit: *all\n",
            "line 8: event_types.visit.visit: nested more than 50 levels deep; flatten it",
        ),
        ("[" * 3000, "line 1: nested more than 50 levels deep; flatten it"),
        (f"{SMALL}1: one\n", "line 8: 1: Keys should be strings"),
    ],
)
def test_file_that_is_no_programme_is_reported_with_its_line(source: str, fault: str) -> None:
    assert faults(source) == [fault]


@pytest.mark.parametrize("character", ["\x00", "\ud800"])
def test_character_that_yaml_does_not_allow_is_reported(character: str) -> None:
    [fault] = faults(f"{SMALL}# {character}\n")
    assert fault.startswith("line 1: invalid YAML: unacceptable character")


def test_too_long_number_is_reported() -> None:
    [fault] = faults(f"{SMALL}expiry: {{months: {'9' * 5000}}}\n")
    assert fault.startswith("line 8: invalid YAML: Exceeds the limit (4300 digits)")


def test_short_file_cannot_expand_without_bound() -> None:
    bomb = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12))
    [fault] = faults(bomb)
    assert fault.endswith("the file has more than 200000 values; use fewer aliases")


def test_a_file_that_is_too_large_is_refused_unread() -> None:
    assert faults("#" * (FILE_BYTES_MAX + 1)) == ["line 1: the file is larger than 1000000 bytes; split the programme"]


def test_fault_without_a_place_has_its_line() -> None:
    assert str(DefinitionError(7, "", "odd")) == "line 7: odd"
    assert str(DefinitionError(7, "rules", "odd")) == "line 7: rules: odd"


# Comparing


def test_comments_and_layout_do_not_change_the_digest() -> None:
    laid_out = "# A comment\n" + SMALL.replace(
        "  - {key: base, name: Base, threshold: 0}", "  -   key: base\n      threshold: 0\n      name: 'Base'\n"
    )
    assert laid_out != SMALL
    assert source_digest(laid_out) == source_digest(SMALL)
    assert source_digest(SMALL.replace("threshold: 0", "threshold: 1")) != source_digest(SMALL)


def test_two_programmes_differ_where_they_differ() -> None:
    after = changed("threshold: 500", "threshold: 400").replace("priority: 7", "priority: 8")
    assert differences(WHOLE, after) == [
        Difference("rules.high.priority", 7, 8),
        Difference("tiers.gold.threshold", 500, 400),
    ]
    assert differences(WHOLE, WHOLE) == []


def test_added_removed_or_moved_rule_is_listed_by_its_key() -> None:
    one = "  - {key: one, name: One, event: visit, points: 1}\n"
    two = "  - {key: two, name: Two, event: visit, points: 2}\n"
    result = differences(f"{SMALL}rules:\n{one}{two}", f"{SMALL}rules:\n{two}")
    assert {difference.place for difference in result if difference.place.startswith("rules.two")} == {
        "rules.two.position"
    }
    assert Difference("rules.one.points", "1", None) in result


def test_against_nothing_everything_is_new() -> None:
    result = differences(None, SMALL)
    assert Difference("programme", None, "corner") in result
    assert all(difference.before is None for difference in result)


def test_misspelt_names_and_mixed_types_in_expressions_are_reported_before_any_event() -> None:
    one = "rules:\n  - {{key: one, name: One, event: visit, points: '{}'}}\n"
    [misspelt] = faults(SMALL + one.format("member.tenure_day"))
    assert misspelt.endswith("rules.0.points: invalid expression: unknown name 'tenure_day'; check the spelling")
    [mixed] = faults(SMALL + one.format("earned * 0.5"))
    assert "rules.0.points: invalid expression: " in mixed
    assert "CEL does not coerce between types" in mixed
    assert read_programme(SMALL + one.format("event.attributes.minutes / 10")).rules[0].key == "one"


def test_senders_say_who_may_refer_to_whose_events() -> None:
    rules = 'senders:\n  - {who: "till-*", may_refer_to: ["webshop", "till-*"]}\n  - {who: desk, may_refer_to: "*"}\n'
    assert read_programme(SMALL + rules).senders == Senders(
        (SenderRule("till-*", ("webshop", "till-*")), SenderRule("desk", ("*",)))
    )
    assert read_programme(SMALL).senders == read_programme(f"{SMALL}senders: []\n").senders == Senders()
    assert source_digest(SMALL) == source_digest(f"{SMALL}senders: []\n") != source_digest(SMALL + rules)


@pytest.mark.parametrize(
    ("rule", "fault"),
    [
        ("{who: till-1}", "senders.0.may_refer_to: is missing; add it"),
        ("{may_refer_to: [till-1]}", "senders.0.who: is missing; add it"),
        ("{who: a, may_refer_to: []}", "senders.0.may_refer_to: "),
        ("{who: a, may_refer_to: [b], may_refer: [c]}", "senders.0.may_refer: "),
        ('{who: "", may_refer_to: [b]}', "senders.0.who: a sender is a token's `sub`, without blanks"),
        ('{who: "till 1", may_refer_to: [b]}', "senders.0.who: a sender is a token's `sub`, without blanks"),
        ('{who: " till-1", may_refer_to: [b]}', "senders.0.who: a sender is a token's `sub`, without blanks"),
        ('{who: "till-\\u200b1", may_refer_to: [b]}', "senders.0.who: a sender is a token's `sub`, without blanks"),
        ('{who: a, may_refer_to: ["b", "**"]}', "senders.0.may_refer_to.1: write * once"),
        ('{who: "till-?", may_refer_to: [b]}', "senders.0.who: ? has no meaning here: * alone stands for any"),
        ('{who: "till-[0-9]", may_refer_to: [b]}', "senders.0.who: [] has no meaning here"),
        ('{who: "^till-.*$", may_refer_to: [b]}', "senders.0.who: $^ has no meaning here"),
        ('{who: "a,b", may_refer_to: [b]}', "senders.0.who: , has no meaning here"),
        (f'{{who: "{"a" * 201}", may_refer_to: [b]}}', "senders.0.who: "),
        ("{who: 12, may_refer_to: [b]}", "senders.0.who: "),
        ("till-1", "senders.0: "),
    ],
)
def test_a_malformed_rule_of_senders_is_refused_with_its_line(rule: str, fault: str) -> None:
    [found] = faults(f"{SMALL}senders:\n  - {rule}\n")
    assert found.startswith(f"line 9: {fault}"), found


CLOSED = {"type": "object", "properties": {"shop": {"type": "string"}, "cups": {}}, "additionalProperties": False}


@pytest.mark.parametrize(
    ("rule", "fault"),
    [
        ("when: bonus(event)", "rules.0.when: invalid expression: unknown function 'bonus'"),
        (
            "when: 'event.channel == \"APP\" || bonus(event)'",
            "rules.0.when: invalid expression: unknown function 'bonus'",
        ),
        (
            "when: 'event.channel != \"APP\" && member.rang > 1'",
            "rules.0.when: invalid expression: unknown name 'rang'",
        ),
        ("when: event.hour", "rules.0.when: invalid expression: results in int; write a comparison"),
        ("when: event.attributes.shop > 3", "rules.0.when: invalid expression: '>' does not accept string and int"),
        ("when: event.attributes.shops == 'a'", "rules.0.when: invalid expression: unknown name 'shops'"),
        ("lines: 'line.sku == \"a\" || line.price > 1.0'", "rules.0.lines: invalid expression: unknown name 'price'"),
        ("lines: line.amount", "rules.0.lines: invalid expression: results in double; write a comparison"),
    ],
)
def test_an_expression_of_a_rule_is_checked_in_every_branch(rule: str, fault: str) -> None:
    types = f"event_types:\n  purchase: {{attributes: {json.dumps(CLOSED)}}}\n"
    rules = f"rules:\n  - key: r\n    name: R\n    event: purchase\n    rate: {{points: 1, per: 1}}\n    {rule}\n"
    source = f"{SMALL}{types}{rules}"
    with pytest.raises(InvalidProgramme) as caught:
        read_programme(source)
    assert fault in str(caught.value)


def test_a_stored_version_with_an_unknown_function_is_still_read() -> None:
    source = SMALL + "rules:\n  - {key: r, name: R, event: visit, points: 5, when: bonus(event)}\n"
    source += "segments:\n  - {key: s, name: S, when: 'member.rank > 0 || bonus(member)'}\n"
    with pytest.raises(InvalidProgramme) as caught:
        read_programme(source)
    assert [fault.place for fault in caught.value.faults] == ["rules.0.when", "segments.0.when"]
    assert read_programme(source, version=3).rules[0].key == "r"


@pytest.mark.parametrize("points", ["member.tier", "earned > 1", "'5'", "bonus(event)"])
def test_points_that_are_no_number_are_refused(points: str) -> None:
    with pytest.raises(InvalidProgramme, match=r"rules\.0\.points: invalid expression"):
        read_programme(f'{SMALL}rules:\n  - {{key: r, name: R, event: visit, points: "{points}"}}\n')


def test_limits_of_activity_are_read() -> None:
    source = SMALL + (
        "limits:\n  - {of: card, events: 20, per: hour, then: refuse}\n  - {of: till, points: 100000, per: hour}\n"
        "  - {of: agent, adjustment: 5000, per: day}\n"
    )
    assert read_programme(source).activity_limits == (
        ActivityLimit(LimitedActor.CARD, Measure.EVENTS, 20, Span.HOUR),
        ActivityLimit(LimitedActor.TILL, Measure.POINTS, 100_000, Span.HOUR),
        ActivityLimit(LimitedActor.AGENT, Measure.ADJUSTMENT, 5000, Span.DAY),
    )
    assert source_digest(SMALL) == source_digest(SMALL + "limits: []\n")


@pytest.mark.parametrize(
    ("limit", "fault"),
    [
        *(
            (
                f"{{of: card, events: 20, per: hour, then: {then}}}",
                f"then: {then} does not exist yet; write then: refuse",
            )
            for then in ("allow", "hold", "second_person")
        ),
        ("{of: card, events: 20, per: hour, then: warn}", "limits.0.then: Input should be 'allow', 'hold', 'refuse'"),
        ("{of: card, per: hour}", "a limit has exactly one of events, points and adjustment"),
        ("{of: card, events: 2, points: 5, per: hour}", "a limit has exactly one of events, points and adjustment"),
        ("{of: till, adjustment: 5, per: day}", "a till adjusts no points; limit its events or points"),
        ("{of: clerk, events: 5, per: day}", "limits.0.of: Input should be 'card', 'till' or 'agent'"),
        ("{of: till, events: 0, per: day}", "limits.0.events: Input should be greater than or equal to 1"),
        ("{of: till, events: 5, per: week}", "limits.0.per: Input should be 'hour' or 'day'"),
        ("{of: till, events: 5}", "limits.0.per: is missing; add it"),
        ("{of: till, visits: 5, per: day}", "limits.0.visits: is not a known field"),
        ("{of: till, events: 5, per: day}\n  - {of: till, events: 6, per: day}", "limits.1: events of till per day"),
    ],
)
def test_a_limit_that_cannot_be_kept_is_refused(limit: str, fault: str) -> None:
    with pytest.raises(InvalidProgramme) as caught:
        read_programme(f"{SMALL}limits:\n  - {limit}\n")
    assert fault in str(caught.value)


@pytest.mark.parametrize("country", ["FR", "US", "JP", "MA"])
def test_a_country_is_read(country: str) -> None:
    assert read_programme(changed("currency: EUR", f"currency: EUR\ncountry: {country}")).country == country
    assert read_programme(SMALL).country is None


@pytest.mark.parametrize("country", ["fr", "FRA", "XX", "ZZ", "France", "33", "''"])
def test_an_unknown_country_is_refused(country: str) -> None:
    source = changed("currency: EUR", f"currency: EUR\ncountry: {country}")
    with pytest.raises(InvalidProgramme, match=r"line 4: country: "):
        read_programme(source)


ATTRIBUTES = "profile: {attributes: {type: object, properties: {seat: {enum: [aisle, window]}}}}"


def test_attributes_of_members_are_declared_and_seen_by_conditions() -> None:
    source = (
        SMALL + ATTRIBUTES + "\nsegments: [{key: aisle, name: Aisle, when: 'member.attributes.seat == \"aisle\"'}]\n"
    )
    programme = read_programme(source)
    assert programme.profile_attributes is not None
    assert programme.profile_attributes.fault({"seat": "aisle"}) is None
    assert programme.profile_attributes.fault({"seat": "roof"}) is not None
    condition = programme.segments["aisle"].condition
    assert [condition.evaluate({"member": {"attributes": {"seat": seat}}}) for seat in ("aisle", "window")] == [
        True,
        False,
    ]
    assert read_programme(SMALL).profile_attributes is None
    with pytest.raises(InvalidProgramme, match=r"profile\.attributes: invalid JSON Schema"):
        read_programme(SMALL + "profile: {attributes: {type: thing}}\n")
