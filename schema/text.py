"""Words for people: every sentence comes from the catalogue in fr, en or ar, here and nowhere else."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import yaml

from loyalty.explanation import Explanation
from loyalty.member import Member
from loyalty.programme import Programme
from loyalty.text import Text
from models.programme_file import LOCALES
from models.snapshot import EntryView
from resolvers.context import Context

DEFAULT_LOCALE = "en"
_TEXTS = Path(__file__).parent / "texts"
ACCEPTED_LANGUAGES_MAX = 20


@cache
def catalogue(locale: str) -> Mapping[str, Mapping[str, str]]:
    """Return all sentences of a locale, by section and reason."""
    texts: Mapping[str, Mapping[str, str]] = yaml.safe_load((_TEXTS / f"{locale}.yaml").read_text(encoding="utf-8"))
    return texts


def sentence(section: str, reason: str, locale: str, params: Mapping[str, str | int]) -> str:
    """Return a sentence of the catalogue with its parameters filled in."""
    return catalogue(locale)[section][reason].format_map(params)


def served(tag: str | None) -> str | None:
    """Return the locale we serve for a language tag (`fr-CH` is served as `fr`), or None."""
    language = (tag or "").split("-", maxsplit=1)[0].lower()
    return language if language in LOCALES else None


def accepted_locale(header: str | None) -> str | None:
    """Return the best locale we serve for an Accept-Language header (RFC 9110, 12.5.4), or None."""
    best: tuple[float, str] | None = None
    for part in (header or "").split(",")[:ACCEPTED_LANGUAGES_MAX]:
        tag, *parameters = (piece.strip().lower() for piece in part.split(";"))
        weight = next((text[2:] for text in parameters if text.startswith("q=")), "1")
        try:
            quality = float(weight)
        except ValueError:
            continue
        locale = served(tag)
        if locale is not None and quality > 0 and (best is None or quality > best[0]):
            best = (quality, locale)
    return best[1] if best else None


def locale_of(context: Context, member: Member | None = None) -> str:
    """Return the locale to answer in: the request's, else the member's, else the programme's, else English."""
    if context.locale is not None:
        return context.locale
    own = served(member.profile.locale) if member is not None else None
    if own is not None:
        return own
    programme = context.services.programmes.find(context.actor.programme) if context.actor is not None else None
    return programme.locale if programme is not None else DEFAULT_LOCALE


def told(text: Text, locale: str) -> str:
    """Return one of a programme's own texts."""
    return text.in_locale(locale)


def _rule_name(programme: Programme, key: str, locale: str) -> str:
    rule = programme.rule(key)
    return rule.name.in_locale(locale) if rule is not None else key


def explained(explanation: Explanation, programme: Programme, locale: str) -> str:
    """Return why a rule gave what it gave, in one sentence."""
    params = dict(explanation.params)
    if "by" in params:
        params["by"] = _rule_name(programme, str(params["by"]), locale)
    params["rule"] = _rule_name(programme, explanation.rule, locale)
    params["points"] = explanation.points
    return sentence("reasons", explanation.reason.value, locale, params)


def labelled(entry: EntryView, programme: Programme, locale: str) -> str:
    """Return the one line that a shopper reads for a ledger entry."""
    if entry.label != "event":
        return catalogue(locale)["labels"][entry.label]
    key = str(entry.params["type"])
    declared = programme.event_types.get(key)
    if declared is not None and declared.name is not None:
        return declared.name.in_locale(locale)
    return catalogue(locale)["labels"].get(key, key)
