"""Words: three languages that say the same, and a sentence for every reason that the code can give."""

import ast
import re
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from string import Formatter

import pytest

from loyalty.kernel.period import CapPeriod
from loyalty.kernel.refusal import Refusal
from loyalty.model.explanation import Reason
from loyalty.model.notice import NoticeKind
from loyalty.model.order import OrderState
from loyalty.rules.eligibility import Missing
from loyalty.rules.ranking import Motive
from models.definitions.programme_file import LOCALES
from resolvers.core import fault
from schema.wire.text import accepted_locale, catalogue, sentence, served

ROOT = Path(__file__).parents[4]
FAULTS = {kind.__name__ for kind in fault.Fault.__subclasses__()} - {"LimitExceeded"}
# Parameters that the reader fills in itself, whatever the reason.
ALWAYS_THERE = {"rule", "points"}


def placeholders(text: str) -> set[str]:
    """Return the parameters of a sentence."""
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


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
    """Return the reasons that an expression stands for: itself, either of two, or all that an f-string fits."""
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
    place = 2 if name_of(call) == Missing.__name__ else 3
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
        if name_of(call) in {Refusal.__name__, Missing.__name__, "_missing"} and len(call.args) > 1:
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


@pytest.mark.parametrize("locale", sorted(LOCALES))
def test_languages_have_the_same_sentences_with_the_same_parameters(locale: str) -> None:
    english, told = catalogue("en"), catalogue(locale)
    assert {section: set(texts) for section, texts in told.items()} == {
        section: set(texts) for section, texts in english.items()
    }
    for section, texts in told.items():
        for key, text in texts.items():
            assert text.strip(), f"{section}.{key}"
            assert placeholders(text) == placeholders(english[section][key]), f"{section}.{key}"


def test_sentences_of_other_languages_are_translated() -> None:
    for locale in sorted({*LOCALES} - {"en"}):
        for section in ("refusals", "faults"):
            english, told = catalogue("en")[section], catalogue(locale)[section]
            assert [key for key in english if told[key] == english[key]] == []


def test_every_refusal_has_its_sentence_and_every_sentence_its_refusal() -> None:
    assert {reason for reason, _ in refusals()} == set(catalogue("en")["refusals"])


def test_every_fault_has_its_sentence_and_every_sentence_its_fault() -> None:
    assert {reason for reason, _ in faults()} | {"internal"} == set(catalogue("en")["faults"])


@pytest.mark.parametrize(("section", "found"), [("refusals", refusals), ("faults", faults)])
def test_sentences_are_given_the_parameters_that_they_need(section: str, found: object) -> None:
    assert callable(found)
    texts = catalogue("en")[section]
    missing = [
        (reason, placeholders(texts[reason]) - given)
        for reason, given in found()
        if given is not None and not placeholders(texts[reason]) <= given
    ]
    assert missing == []


@pytest.mark.parametrize(
    ("section", "kinds"),
    [
        ("reasons", Reason),
        ("motives", Motive),
        ("notices", NoticeKind),
        ("states", OrderState),
        ("periods", CapPeriod),
    ],
)
def test_every_reason_motive_notice_state_and_period_has_its_words(section: str, kinds: type[StrEnum]) -> None:
    assert {kind.value for kind in kinds} == set(catalogue("en")[section])


def test_sentence_is_filled_in() -> None:
    assert sentence("refusals", "key_reused", "fr", {"key": "{a}"}) == (
        "La clé « {a} » a servi pour un autre contenu. Choisissez une nouvelle clé ou renvoyez le même contenu."
    )


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
def test_language_is_the_best_of_those_asked_for_that_is_served(header: str | None, locale: str | None) -> None:
    assert accepted_locale(header) == locale


@pytest.mark.parametrize(
    ("tag", "locale"), [("fr", "fr"), ("ar-MA", "ar"), ("en-GB", "en"), ("de", None), ("", None), (None, None)]
)
def test_language_tag_is_served_by_its_language(tag: str | None, locale: str | None) -> None:
    assert served(tag) == locale
