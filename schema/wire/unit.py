"""The brand's word for its points, in the sentences that are written for "points"."""

import re
from collections.abc import Mapping

from icu4py.messageformat import MessageFormat

from loyalty.kernel.vocabulary import Unit

# The forms of the noun in the texts; after a brace it is the name of an argument.
# Arabic joins articles and pronouns to it, so it may stand inside a word.
_NOUNS = {
    "en": re.compile(r"(?<!\{)\b([Pp])oints?\b"),
    "fr": re.compile(r"(?:\b([Dd]|[Ll])([ea]) )?(?<!\{)\b([Pp])oints?\b"),
    "ar": re.compile("نقطتين|نقطتان|نقاط|نقطة"),
}
_SINGULAR = frozenset({"point", "نقطة"})
_DUAL = frozenset({"نقطتين", "نقطتان"})
# A file gives the dual as a subject; after a verb or a preposition it ends otherwise.
OBLIQUE_DUAL, DUAL_ENDING, OBLIQUE_ENDING = "نقطتين", "ان", "ين"
_BRANCH = re.compile(r"((?:=\d+|zero|one|two|few|many|other) )\{([^{}]*)\}")
_NAME = re.compile(r"(`[^`]*`)")
_VOWELS = frozenset("aeiouyhàâéèêëîïôûœ")


def counted(unit: Unit, count: int, locale: str, icu_locale: str) -> str:
    """Return the word for `count` points."""
    branches = " ".join(f"{form} {{{_quoted(word)}}}" for form, word in unit.in_locale(locale).items())
    return MessageFormat(f"{{count, plural, {branches}}}", icu_locale).format({"count": count})


def in_unit(message: str, unit: Unit, locale: str) -> str:
    """Return an ICU message in which the word for points is the brand's; names of the API in backticks stay."""
    forms = {form: _quoted(word) for form, word in unit.in_locale(locale).items()}
    parts = _NAME.split(message)
    return "".join(part if part.startswith("`") else _replaced(part, forms, locale) for part in parts)


def _replaced(message: str, forms: Mapping[str, str], locale: str) -> str:
    done, last = [], 0
    for branch in _BRANCH.finditer(message):
        start, form = branch.group(1), branch.group(1).strip()
        done.append(_noun(message[last : branch.start()], forms, locale, None))
        done.append(f"{start}{{{_noun(branch.group(2), forms, locale, form)}}}")
        last = branch.end()
    return "".join([*done, _noun(message[last:], forms, locale, None)])


def _noun(text: str, forms: Mapping[str, str], locale: str, form: str | None) -> str:
    """Return a text with the noun replaced, in the form of its plural branch, else in that of the noun itself."""

    def word(found: re.Match[str]) -> str:
        noun = found.group(0)
        article = ""
        if locale == "fr" and found.group(1) is not None:
            article, noun = noun.split(" ", 1)
        chosen = form if form is not None and form in forms else _form_of(noun, locale, in_branch=form is not None)
        put = forms.get(chosen, forms["other"])
        if noun == OBLIQUE_DUAL:
            put = put.removesuffix(DUAL_ENDING) + OBLIQUE_ENDING if put.endswith(DUAL_ENDING) else put
        if noun[0] == "P":
            put = put[:1].upper() + put[1:]
        if not article:
            return put
        return f"{article[0]}\u2019{put}" if put[0].lower() in _VOWELS else f"{article} {put}"

    return _NOUNS[locale].sub(word, text)


def _form_of(noun: str, locale: str, *, in_branch: bool) -> str:
    if in_branch:
        return "other"
    if noun.lower() in _SINGULAR:
        return "one"
    if noun in _DUAL:
        return "two"
    return "few" if locale == "ar" else "other"


def _quoted(word: str) -> str:
    """Return a word for an ICU message, where an apostrophe would begin a quotation."""
    return word.replace("'", "\u2019")
