"""Words: three languages that say the same, and a sentence for every reason that the code can give."""

import ast
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

import pytest
from support.programme_files import programme_from_file

from loyalty.kernel.channel import Channel
from loyalty.kernel.period import LimitPeriod
from loyalty.kernel.refusal import Refusal
from loyalty.model.explanation import Explanation, RuleOutcome
from loyalty.model.ledger import EntryKind
from loyalty.model.notice import Notice, NoticeKind
from loyalty.model.order import OrderState
from loyalty.rules.eligibility import Ineligibility
from loyalty.rules.ranking import RankingReason
from models.definitions.programme_file import LOCALES
from models.mongo.snapshot import EntryView
from resolvers.core import operation_error
from schema.wire.text import (
    accepted_locale,
    arguments,
    catalogue,
    entry_label,
    explanation_sentence,
    motive_sentence,
    notice_sentence,
    refusal_sentence,
    sentence,
    served,
)

ROOT = Path(__file__).parents[4]
FAULTS = {kind.__name__ for kind in operation_error.OperationError.__subclasses__()} - {"LimitExceeded"}
# Parameters that the reader fills in itself, whatever the reason.
ALWAYS_THERE = {"rule", "points"}


# The counts that tell the forms of the three languages apart.
COUNTS = (0, 1, 2, 3, 10, 11, 100, 1000)
# The branches that the languages need for whole numbers. French counts exact millions as `many`, before a noun that
# follows with "de"; beside digits `other` reads as well.
BRANCHES = {
    "en": {"one", "other"},
    "fr": {"one", "other"},
    "ar": {"zero", "one", "two", "few", "many", "other"},
}
# Parameters that are numbers in every sentence but these, where they are text.
NUMBERS = {"points", "max", "most", "cap", "days", "uses", "orders", "minutes", "seconds", "available", "left", "asked"}
TEXT = {("refund_exceeds", "left"), ("order_step", "asked"), ("order_step_role", "asked")}
PLURAL = re.compile(r"\{(\w+), plural,((?: (?:=\d+|\w+) \{[^{}]*\})+)\}")


def messages(locale: str) -> Iterator[tuple[str, str, str]]:
    """Give every message of a locale with its section and reason."""
    for section, texts in catalogue(locale).items():
        yield from ((section, reason, text) for reason, text in texts.items())


def branches(text: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Give the plurals of a message: what they count, and their branches."""
    for name, body in PLURAL.findall(text):
        yield name, dict(re.findall(r"(=\d+|\w+) \{([^{}]*)\}", body))


def calls(*floors: str) -> Iterator[ast.Call]:
    """Give every call in the modules of some floors."""
    for floor in floors:
        for file in sorted((ROOT / floor).rglob("*.py")):
            tree = ast.parse(file.read_text(encoding="utf-8"))
            yield from (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def name_of(call: ast.Call) -> str:
    """Return the last part of the name that is called."""
    return getattr(call.func, "id", getattr(call.func, "attr", ""))


def reasons_in(node: ast.expr, known: set[str]) -> set[str]:
    """Return the reasons of an expression: itself, either of two, or all that an f-string fits."""
    if isinstance(node, ast.IfExp):
        return reasons_in(node.body, known) | reasons_in(node.orelse, known)
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return {node.value}
    if isinstance(node, ast.JoinedStr):
        parts = (re.escape(str(part.value)) if isinstance(part, ast.Constant) else ".+" for part in node.values)
        pattern = re.compile("".join(parts))
        return {reason for reason in known if pattern.fullmatch(reason)} or {ast.unparse(node)}
    return set()


def given_to(call: ast.Call) -> set[str] | None:
    """Return the parameters that a call gives with its reason; None where only running it would tell."""
    place = 2 if name_of(call) == Ineligibility.__name__ else 3
    params = call.args[place] if len(call.args) > place and name_of(call) != "_missing" else None
    if params is None:
        return {keyword.arg for keyword in call.keywords if keyword.arg is not None}
    if isinstance(params, ast.Dict) and None not in params.keys:
        return {str(key.value) for key in params.keys if isinstance(key, ast.Constant)}
    return None


def refusals() -> Iterator[tuple[str, set[str] | None]]:
    """Give every reason of a refusal in the code, with the parameters it comes with."""
    known = set(catalogue("en")["refusals"])
    for call in calls("loyalty", "models", "resolvers", "schema"):
        if name_of(call) in {Refusal.__name__, Ineligibility.__name__, "_missing"} and len(call.args) > 1:
            yield from ((reason, given_to(call)) for reason in reasons_in(call.args[1], known))
        elif name_of(call) in {"_refused", "_invalid", "_not_eligible"}:
            named = {keyword.arg for keyword in call.keywords if keyword.arg is not None}
            yield from ((reason, named) for reason in reasons_in(call.args[0], known))


def faults() -> Iterator[tuple[str, set[str] | None]]:
    """Give every reason of a fault in the code, with the parameters it comes with."""
    for call in calls("resolvers", "schema", "gateway"):
        if name_of(call) in FAULTS and call.args:
            yield from ((reason, given_to(call)) for reason in reasons_in(call.args[0], set()))
        elif name_of(call) == "LimitExceeded":
            yield from ((f"limit_{reason}", {"most", "setting"}) for reason in reasons_in(call.args[0], set()))
        elif name_of(call) == "exceeded":
            yield from ((f"limit_{reason}", {"most", "setting"}) for reason in reasons_in(call.args[1], set()))


@pytest.mark.parametrize("locale", sorted(LOCALES))
def test_languages_have_the_same_sentences_with_the_same_parameters(locale: str) -> None:
    english, translated = catalogue("en"), catalogue(locale)
    assert {section: set(texts) for section, texts in translated.items()} == {
        section: set(texts) for section, texts in english.items()
    }
    for section, texts in translated.items():
        for key, text in texts.items():
            assert text.strip(), f"{section}.{key}"
            assert arguments(text) == arguments(english[section][key]), f"{section}.{key}"


def test_sentences_of_other_languages_are_translated() -> None:
    for locale in sorted({*LOCALES} - {"en"}):
        for section in ("refusals", "faults"):
            english, translated = catalogue("en")[section], catalogue(locale)[section]
            assert [key for key in english if translated[key] == english[key]] == []


def test_every_refusal_has_its_sentence_and_every_sentence_its_refusal() -> None:
    assert {reason for reason, _ in refusals()} == set(catalogue("en")["refusals"])


def test_every_fault_has_its_sentence_and_every_sentence_its_fault() -> None:
    assert {reason for reason, _ in faults()} | {"internal"} == set(catalogue("en")["faults"])


@pytest.mark.parametrize(("section", "found"), [("refusals", refusals), ("faults", faults)])
def test_sentences_are_given_the_parameters_that_they_need(section: str, found: object) -> None:
    assert callable(found)
    texts = catalogue("en")[section]
    missing = [
        (reason, arguments(texts[reason]) - given)
        for reason, given in found()
        if given is not None and not arguments(texts[reason]) <= given
    ]
    assert missing == []


@pytest.mark.parametrize(
    ("section", "kinds"),
    [
        ("reasons", RuleOutcome),
        ("motives", RankingReason),
        ("notices", NoticeKind),
        ("states", OrderState),
        ("periods", LimitPeriod),
        ("channels", Channel),
    ],
)
def test_every_reason_motive_notice_state_period_and_channel_has_its_words(section: str, kinds: type[StrEnum]) -> None:
    assert {kind.value for kind in kinds} == set(catalogue("en")[section])


def test_sentence_is_filled_in() -> None:
    assert sentence("refusals", "key_reused", "fr", {"key": "{a}"}) == (
        "La clé «\u00a0{a}\u00a0» a déjà servi pour autre chose. "
        "Choisissez une nouvelle clé ou renvoyez le même contenu."
    )


def test_sentence_without_one_of_its_parameters_is_an_error() -> None:
    for section, reason in (("notices", "points_earned"), ("notices", "tier_reached"), ("reasons", "given")):
        with pytest.raises(KeyError):
            sentence(section, reason, "en", {"rule": "A rule"})


def test_braces_of_a_message_are_quoted() -> None:
    assert '`{"cups": 2}`' in sentence("refusals", "attributes_not_object", "en", {})


@pytest.mark.parametrize("locale", sorted(LOCALES))
def test_plural_has_the_branches_of_its_language_and_no_arguments_in_them(locale: str) -> None:
    for section, reason, text in messages(locale):
        assert text.count(", plural,") == len(PLURAL.findall(text)), f"{section}.{reason}"
        for _, found in branches(text):
            assert {name for name in found if not name.startswith("=")} == BRANCHES[locale], f"{section}.{reason}"


@pytest.mark.parametrize("locale", sorted(LOCALES))
def test_number_is_formatted_and_text_is_not(locale: str) -> None:
    for section, reason, text in messages(locale):
        for name in arguments(text):
            is_number = (reason, name) == ("day", "day") or (name in NUMBERS and (reason, name) not in TEXT)
            assert (f"{{{name}, " in text) == is_number, f"{section}.{reason}: {name}"


def in_digits(count: int, locale: str) -> str:
    """Return a count up to 1,000 as a reader of the locale writes it."""
    return {"fr": "1\u202f000"}.get(locale, "1,000") if count == 1000 else str(count)


def category(count: int, locale: str) -> str:
    """Return the plural category of one of COUNTS."""
    if locale == "ar":
        return {0: "zero", 1: "one", 2: "two", 3: "few", 10: "few", 11: "many"}.get(count, "other")
    return "one" if count == 1 or (locale, count) == ("fr", 0) else "other"


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("locale", sorted(LOCALES))
def test_every_sentence_with_a_count_has_the_form_of_the_count(locale: str, count: int) -> None:
    counted = [(section, reason, text) for section, reason, text in messages(locale) if ", plural," in text]
    assert len(counted) > 30
    for section, reason, text in counted:
        params = {name: count if f"{{{name}, " in text else f"<{name}>" for name in arguments(text)}
        expected = text
        for plural in PLURAL.finditer(text):
            ((_, found),) = branches(plural[0])
            form = found.get(f"={count}", found[category(count, locale)])
            expected = expected.replace(plural[0], form.replace("#", in_digits(count, locale)))
        for name in params:
            expected = expected.replace(f"{{{name}, number}}", in_digits(count, locale))
            expected = expected.replace(f"{{{name}}}", f"<{name}>")
        assert sentence(section, reason, locale, params) == expected


# Whole sentences, as a reader of each language expects them.
SENTENCES = {
    ("notices", "points_expired", "points", "en"): (
        "0 points have expired.",
        "1 point has expired.",
        "2 points have expired.",
        "3 points have expired.",
        "10 points have expired.",
        "11 points have expired.",
        "100 points have expired.",
        "1,000 points have expired.",
    ),
    ("notices", "points_expired", "points", "fr"): (
        "0 point a expiré.",
        "1 point a expiré.",
        "2 points ont expiré.",
        "3 points ont expiré.",
        "10 points ont expiré.",
        "11 points ont expiré.",
        "100 points ont expiré.",
        "1\u202f000 points ont expiré.",
    ),
    ("notices", "points_expired", "points", "ar"): (
        "انتهت صلاحية 0 نقطة.",
        "انتهت صلاحية نقطة واحدة.",
        "انتهت صلاحية نقطتين.",
        "انتهت صلاحية 3 نقاط.",
        "انتهت صلاحية 10 نقاط.",
        "انتهت صلاحية 11 نقطة.",
        "انتهت صلاحية 100 نقطة.",
        "انتهت صلاحية 1,000 نقطة.",
    ),
    ("refusals", "too_few", "left", "en"): (
        "Only 0 are left. Order fewer.",
        "Only 1 is left. Order fewer.",
        "Only 2 are left. Order fewer.",
        "Only 3 are left. Order fewer.",
        "Only 10 are left. Order fewer.",
        "Only 11 are left. Order fewer.",
        "Only 100 are left. Order fewer.",
        "Only 1,000 are left. Order fewer.",
    ),
    ("motives", "ends_soon", "days", "ar"): (
        "ينتهي قريبًا: باقٍ 0 يوم",
        "ينتهي قريبًا: باقٍ يوم واحد",
        "ينتهي قريبًا: باقٍ يومان",
        "ينتهي قريبًا: باقٍ 3 أيام",
        "ينتهي قريبًا: باقٍ 10 أيام",
        "ينتهي قريبًا: باقٍ 11 يومًا",
        "ينتهي قريبًا: باقٍ 100 يوم",
        "ينتهي قريبًا: باقٍ 1,000 يوم",
    ),
}


@pytest.mark.parametrize(("section", "reason", "name", "locale"), SENTENCES)
def test_sentence_reads_well_with_any_count(section: str, reason: str, name: str, locale: str) -> None:
    sentences = tuple(sentence(section, reason, locale, {name: count}) for count in COUNTS)
    assert sentences == SENTENCES[section, reason, name, locale]


@pytest.mark.parametrize(
    ("opens", "locale", "when"),
    [
        ("2090-01-01T00:00-05:00", "en", "1 January 2090"),
        ("2090-01-01T00:00-05:00", "fr", "1er janvier 2090"),
        ("2090-01-01T00:00-05:00", "ar", "1 يناير 2090"),
        ("2090-12-31T14:30+01:00", "en", "31 December 2090 at 14:30"),
        ("2090-12-31T14:30+01:00", "fr", "31 décembre 2090 à 14:30"),
        ("2090-12-31T14:30+01:00", "ar", "31 ديسمبر 2090 الساعة 14:30"),
    ],
)
def test_day_of_a_refusal_is_written_as_readers_write_it(opens: str, locale: str, when: str) -> None:
    assert when in refusal_sentence("reward_window", {"opens": opens}, programme_from_file("coffee"), locale)
    if "T00:00" in opens:
        assert when in refusal_sentence("offer_not_yet", {"day": opens[:10]}, programme_from_file("coffee"), locale)


def test_reward_that_never_opens_again_is_over() -> None:
    over = refusal_sentence("reward_over", {}, programme_from_file("coffee"), "en")
    assert refusal_sentence("reward_window", {"opens": ""}, programme_from_file("coffee"), "en") == over


def test_keys_of_channels_and_states_are_shown_as_words() -> None:
    programme = programme_from_file("coffee")
    assert refusal_sentence("offer_channel", {"channels": "APP, STORE"}, programme, "en") == (
        "This offer is valid only here: app, store. Use it there."
    )
    params = {"state": "SHIPPED", "asked": "PLACED", "following": "DELIVERED, RETURN_REQUESTED"}
    assert refusal_sentence("order_step", params, programme, "fr") == (
        "Une commande ne peut pas passer de «\u00a0expédiée\u00a0» à «\u00a0enregistrée\u00a0». "
        "Choisissez l’un de ces états\u00a0: livrée, en attente de retour."
    )


@pytest.mark.parametrize("locale", sorted(LOCALES))
def test_items_that_a_programme_no_longer_has_are_described_without_their_keys(locale: str) -> None:
    programme, key = programme_from_file("coffee"), "removed-key"
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    entry = EntryView("m", 1, 0, moment, EntryKind.EARN, 1, 1, moment, Channel.STORE, (), "event", {"type": key})
    sentences = (
        entry_label(entry, programme, locale),
        entry_label(replace(entry, label="order", params={"reward": key}), programme, locale),
        notice_sentence(Notice(NoticeKind.OFFER_ACTIVATED, {"offer": key}), programme, locale),
        motive_sentence(RankingReason.FOR_SEGMENT, {"segment": key}, programme, locale),
        explanation_sentence(Explanation(key, 0, applied=False, reason=RuleOutcome.CONDITION), programme, locale),
        explanation_sentence(
            Explanation(f"instant/{key}", 0, applied=False, reason=RuleOutcome.LIMIT), programme, locale
        ),
        explanation_sentence(
            Explanation(key, 0, applied=False, reason=RuleOutcome.NOT_BEST, params={"by": key}), programme, locale
        ),
    )
    assert [words for words in sentences if key in words] == []


@pytest.mark.parametrize(
    ("locale", "ending"),
    [
        ("en", "2 stars deducted after a refund"),
        ("fr", "2 étoiles en moins après un remboursement"),
        ("ar", "خصم نجمتين بعد استرداد"),
    ],
)
def test_points_that_a_refund_takes_have_no_sign_beside_their_verb(locale: str, ending: str) -> None:
    taken = Explanation("visit", -2, applied=True, reason=RuleOutcome.REVERSED)
    assert explanation_sentence(taken, programme_from_file("coffee"), locale).endswith(ending)


@pytest.mark.parametrize(
    ("header", "locale"),
    [
        (None, None),
        ("", None),
        ("fr", "fr"),
        ("FR", "fr"),
        ("fr-CH", "fr"),
        ("ar-MA, fr;q=0.9", "ar"),
        ("de", None),
        ("*", None),
        ("de, fr;q=0.5", "fr"),
        ("en;q=0.5, fr;q=0.8", "fr"),
        ("en; q=0.5, fr; q=0.8", "fr"),
        ("en ;q=0.5 , fr ; Q=0.8", "fr"),
        ("fr, en", "fr"),
        ("fr;q=0, en;q=0.1", "en"),
        ("fr;q=0", None),
        ("fr;q=x, en", "en"),
        ("fr;q=nan", None),
        ("french", None),
        (", ".join(["de"] * 20 + ["fr"]), None),
        ("fr;level=1", "fr"),
        ("-;q=,;;", None),
    ],
)
def test_language_is_the_best_of_the_requested_ones_that_is_served(header: str | None, locale: str | None) -> None:
    assert accepted_locale(header) == locale


@pytest.mark.parametrize(
    ("tag", "locale"), [("fr", "fr"), ("ar-MA", "ar"), ("en-GB", "en"), ("de", None), ("", None), (None, None)]
)
def test_language_tag_is_served_by_its_language(tag: str | None, locale: str | None) -> None:
    assert served(tag) == locale
