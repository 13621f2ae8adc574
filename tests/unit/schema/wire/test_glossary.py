"""The glossary: one term for each thing, in the server's texts and the words of the screens, in three languages."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from schema.wire.text import catalogue

ROOT = Path(__file__).parents[4]
GLOSSARY_FILE = next((ROOT / "schema").rglob("glossary.yaml"))
LANGUAGES = ("en", "fr", "ar")
SCREENS = sorted(path.parent for path in (ROOT / "clients").glob("*/src/**/words/en.ts"))
# One line of a file of words: `}`, `name: {`, or names with their texts, as they are or in say("…").
KEY = r'(?:(?P<key>\w+)|"(?P<quoted>[^"]+)"):\s*'
TOKEN = re.compile(rf'\s*(?:{KEY}(?:(?P<open>\{{)|(?:say\(\s*)?"(?P<text>(?:[^"\\]|\\.)*)"\s*\)?)|(?P<close>\}})),?\s*')
VOWEL_SIGNS = re.compile("[\u064b-\u0652]")
NARROW, WIDE = "\u202f", "\u00a0"

Texts = Mapping[str, str]


def of_server(language: str) -> Texts:
    """Return the texts of the server by section and reason."""
    sections = catalogue(language).items()
    return {f"{section}.{reason}": text for section, texts in sections for reason, text in texts.items()}


def of_screen(folder: Path, language: str) -> Texts:
    """Return the words of a screen by their path; the files hold literals only, and a line that is not is an error."""
    source = (folder / f"{language}.ts").read_text(encoding="utf-8")
    start = re.search(rf"export const {language}: \w+ = \{{\s*", source)
    assert start is not None
    found: dict[str, str] = {}
    path: list[str] = []
    place, end = start.end(), source.rindex("};")
    while place < end:
        token = TOKEN.match(source, place)
        assert token is not None, f"{folder}/{language}.ts: {source[place : place + 60]!r}"
        key = token["key"] or token["quoted"]
        if token["close"]:
            path.pop()
        elif token["open"]:
            path.append(key)
        else:
            found[".".join((*path, key))] = token["text"].replace('\\"', '"')
        place = token.end()
    assert not path
    return found


def sources() -> Iterator[tuple[str, Mapping[str, Texts]]]:
    """Give every catalogue, in all languages."""
    yield "server", {language: of_server(language) for language in LANGUAGES}
    for folder in SCREENS:
        name = folder.relative_to(ROOT / "clients").parts[0]
        yield name, {language: of_screen(folder, language) for language in LANGUAGES}


SOURCES = dict(sources())
GLOSSARY: Mapping[str, Any] = yaml.safe_load(GLOSSARY_FILE.read_text(encoding="utf-8"))


def prose(text: str) -> str:
    """Return a text without names of the API, arguments, the syntax of plurals and Arabic vowel signs."""
    text = re.sub(r"`[^`]*`", "`", text)
    text = re.sub(r"\{\w+(?:, number(?:, [^}]*)?)?\}", "{}", text)
    text = re.sub(r"\{\w+, plural,", "", text)
    return VOWEL_SIGNS.sub("", text)


def finder(language: str, pattern: str) -> re.Pattern[str]:
    """Return what finds a word: a whole one, in Arabic also as a part of another."""
    pattern = VOWEL_SIGNS.sub("", pattern)
    return re.compile(pattern if language == "ar" else rf"(?<![\w-])(?:{pattern})(?!\w)", re.IGNORECASE)


def forms(term: str, entry: Mapping[str, Any], language: str) -> re.Pattern[str]:
    """Return what finds the forms of a term."""
    spelled = term if language == "en" else entry[language]
    default = re.escape(spelled) + ("" if language == "ar" else "s?")
    return finder(language, entry.get("find", {}).get(language, default))


@pytest.mark.parametrize("source", SOURCES)
def test_screens_and_server_have_every_text_in_every_language(source: str) -> None:
    texts = SOURCES[source]
    assert len(texts["en"]) > 10
    for language in LANGUAGES:
        assert set(texts[language]) == set(texts["en"])


@pytest.mark.parametrize("term", GLOSSARY["terms"])
def test_term_has_one_translation(term: str) -> None:
    entry = GLOSSARY["terms"][term]
    missing: list[tuple[str, str, str]] = []
    used = False
    for source, texts in SOURCES.items():
        for key, english in texts["en"].items():
            if forms(term, entry, "en").search(prose(english)) is None:
                continue
            used = True
            missing += [
                (f"{source}.{key}", english, texts[language][key])
                for language in ("fr", "ar")
                if forms(term, entry, language).search(prose(texts[language][key])) is None
            ]
    assert missing == []
    assert used, "a term that no text uses"


@pytest.mark.parametrize("language", LANGUAGES)
def test_other_words_for_a_term_appear_nowhere(language: str) -> None:
    found = [
        (f"{source}.{key}", word, term)
        for word, term in GLOSSARY["forbidden"][language].items()
        for source, texts in SOURCES.items()
        for key, text in texts[language].items()
        if finder(language, re.escape(word)).search(prose(text)) is not None
    ]
    assert found == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_apostrophes_are_typographic(language: str) -> None:
    straight = {
        f"{source}.{key}": text
        for source, texts in SOURCES.items()
        for key, text in texts[language].items()
        if "'" in text.replace("'{'", "").replace("'}'", "")
    }
    assert straight == {}


def test_french_has_its_unbreakable_spaces() -> None:
    wrong = re.compile(
        rf"[^{NARROW}][;!?](?!\w)"  # narrow before ; ! ?
        rf"|[^{WIDE}\w]:|\w:(?![\w/])"  # wide before a colon; category:COFFEE and https:// have none
        rf"|«[^{WIDE}]|[^{WIDE}]»"  # wide inside guillemets
        rf"|[{NARROW}{WIDE}] | [{NARROW}{WIDE}]"
    )
    found = {
        f"{source}.{key}": text
        for source, texts in SOURCES.items()
        for key, text in texts["fr"].items()
        if wrong.search(re.sub(r"`[^`]*`|::[.#]+", "`", text)) is not None
    }
    assert found == {}


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_has_doubled_or_trailing_spaces_or_marks_of_direction(language: str) -> None:
    untidy = {
        f"{source}.{key}": text
        for source, texts in SOURCES.items()
        for key, text in texts[language].items()
        if text != text.strip() or "  " in text or re.search("[\u200b-\u200f\u202a-\u202e\u2066-\u2069]", text)
    }
    assert untidy == {}
