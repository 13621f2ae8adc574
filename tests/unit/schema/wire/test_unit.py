import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.programme_files import programme_from_file

from loyalty.kernel.vocabulary import Unit
from loyalty.model.explanation import Explanation, RuleOutcome
from loyalty.model.notice import Notice, NoticeKind
from loyalty.rules.ranking import RankingReason
from schema.wire.text import catalogue, explanation_sentence, motive_sentence, notice_sentence, unit_for, wallet_name
from schema.wire.unit import in_unit

COFFEE, GROCER = programme_from_file("coffee"), programme_from_file("grocer")
STARS = COFFEE.vocabulary.unit
POINTS = {"en": r"\bpoints?\b", "fr": r"\bpoints?\b", "ar": "نقط|نقاط"}


def stars() -> Unit:
    assert STARS is not None
    return STARS


@pytest.mark.parametrize(
    ("locale", "words"),
    [
        ("en", {0: "stars", 1: "star", 2: "stars", 43: "stars"}),
        ("fr", {0: "étoile", 1: "étoile", 2: "étoiles", 43: "étoiles"}),
        ("ar", {0: "نجمة", 1: "نجمة", 2: "نجمتان", 3: "نجوم", 11: "نجمة", 100: "نجمة"}),
    ],
)
def test_unit_follows_the_grammar_of_the_language(locale: str, words: dict[int, str]) -> None:
    assert {count: unit_for(count, COFFEE, locale) for count in words} == words


def test_programme_without_a_name_for_its_points_has_points() -> None:
    assert [unit_for(count, GROCER, "en") for count in (1, 2)] == ["point", "points"]
    assert [wallet_name(one, "en") for one in (GROCER, COFFEE)] == ["Points", "Stars"]


@pytest.mark.parametrize("locale", ["en", "fr", "ar"])
def test_no_sentence_of_a_brand_with_stars_says_points(locale: str) -> None:
    for section, texts in catalogue(locale).items():
        for key, text in texts.items():
            put = re.sub(r"`[^`]*`", "", in_unit(text, stars(), locale))
            # Names of arguments are not words.
            words = re.sub(r"\{points\b", "{", put)
            if section != "wallet":
                assert re.search(POINTS[locale], words, re.IGNORECASE) is None, f"{section}.{key}: {put}"


@given(st.integers(0, 2_000_000), st.sampled_from(["en", "fr", "ar"]))
def test_sentences_count_in_the_brands_unit(count: int, locale: str) -> None:
    given_ = Explanation("stars", count, applied=True, reason=RuleOutcome.AWARDED)
    assert unit_for(count, COFFEE, locale) in explanation_sentence(given_, COFFEE, locale) or locale == "ar"
    notice = Notice(NoticeKind.POINTS_EARNED, {"points": count})
    assert re.search(POINTS[locale], notice_sentence(notice, COFFEE, locale)) is None
    assert re.search(POINTS[locale], notice_sentence(notice, GROCER, locale)) is not None


@pytest.mark.parametrize(("locale", "name"), [("en", "Tea"), ("fr", "Thé"), ("ar", "الشاي")])
def test_reason_of_an_offer_names_the_topic(locale: str, name: str) -> None:
    for reason in (RankingReason.PREFERENCE, RankingReason.FAVOURITE):
        assert name in motive_sentence(reason, {"topic": "category:TEA"}, COFFEE, locale)
        assert "Iced_tea" not in motive_sentence(reason, {"topic": "category:ICED_TEA"}, COFFEE, locale)


@pytest.mark.parametrize(
    ("text", "put"),
    [
        ("Donnez moins de points.", "Donnez moins d’étoiles."),
        ("Pas de point", "Pas d’étoile"),
        ("Points à expirer", "Étoiles à expirer"),
        ("Mettez `points` à 1 point", "Mettez `points` à 1 étoile"),
    ],
)
def test_french_elides_before_a_vowel(text: str, put: str) -> None:
    assert in_unit(text, stars(), "fr") == put
