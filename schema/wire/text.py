"""Texts for people: every sentence comes from the catalogue in fr, en or ar, and only through this file."""

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from functools import cache, lru_cache
from pathlib import Path

import yaml
from icu4py.messageformat import MessageFormat

from loyalty.kernel.channel import Channel
from loyalty.kernel.text import Text, is_right_to_left
from loyalty.kernel.vocabulary import Unit
from loyalty.model.explanation import Explanation
from loyalty.model.member import Member
from loyalty.model.notice import Notice
from loyalty.model.programme import Programme
from loyalty.rules.ranking import RankingReason
from models.definitions.programme_file import LOCALES
from models.mongo.snapshot import EntryView
from resolvers.core.context import Context
from resolvers.core.reading import read_or_unavailable
from schema.wire.accept import weighted
from schema.wire.enums import TextDirection
from schema.wire.unit import counted, in_unit

DEFAULT_LOCALE = "en"
_TEXTS = Path(__file__).parents[1] / "texts"
Params = Mapping[str, str | float]
# Arabic has Latin digits, here and in the screens: see docs/decisions/0022-texts-are-icu-messages.md.
_ICU_LOCALES = {"en": "en", "fr": "fr", "ar": "ar-u-nu-latn"}
# The branches of a plural hold no further arguments: a test holds the catalogue to that.
_PLURAL = re.compile(r"\{(\w+), plural,(?: (?:=\d+|\w+) \{[^{}]*\})+\}")
_ARGUMENT = re.compile(r"\{(\w+)[,}]")
_FORMATTED = re.compile(r"\{\w+,")


@cache
def catalogue(locale: str) -> Mapping[str, Mapping[str, str]]:
    """Return all sentences of a locale, by section and reason."""
    texts: Mapping[str, Mapping[str, str]] = yaml.safe_load((_TEXTS / f"{locale}.yaml").read_text(encoding="utf-8"))
    return texts


def arguments(message: str) -> frozenset[str]:
    """Return the names of the arguments of an ICU message."""
    return frozenset(_ARGUMENT.findall(_PLURAL.sub(r"{\1}", message)))


def _compiled(message: str, locale: str) -> Callable[[Params], str]:
    """Return what fills a message in; it raises KeyError when a parameter is missing."""
    if "'" not in message and _FORMATTED.search(message) is None:
        return message.format_map  # plain arguments only: four times as fast as ICU
    compiled, names = MessageFormat(message, _ICU_LOCALES[locale]), arguments(message)
    # Without the look-up, ICU would write a missing argument as `{name}` into the sentence.
    return lambda params: compiled.format({name: params[name] for name in names})


@lru_cache(maxsize=128)  # by language, and by each brand with its own word for points
def _sentences(locale: str, unit: Unit | None) -> Mapping[str, Mapping[str, Callable[[Params], str]]]:
    return {
        section: {
            reason: _compiled(in_unit(message, unit, locale) if unit is not None else message, locale)
            for reason, message in messages.items()
        }
        for section, messages in catalogue(locale).items()
    }


def sentence(section: str, reason: str, locale: str, params: Params, programme: Programme | None = None) -> str:
    """Return a sentence of the catalogue with its parameters filled in; KeyError if one is missing.

    The parameters of plurals and numbers are numbers, all others are text. Points have the programme's own name.
    """
    unit = programme.vocabulary.unit if programme is not None else None
    return _sentences(locale, unit)[section][reason](params)


def unit_for(count: int, programme: Programme, locale: str) -> str:
    """Return the programme's word for a number of points."""
    unit = programme.vocabulary.unit
    if unit is None:
        return sentence("wallet", "unit", locale, {"points": count})
    return counted(unit, count, locale, _ICU_LOCALES[locale])


def wallet_name(programme: Programme, locale: str) -> str:
    """Return the name of the programme's points."""
    wallet = programme.vocabulary.wallet
    return wallet.name.in_locale(locale) if wallet is not None else catalogue(locale)["wallet"]["name"]


@lru_cache(maxsize=256)  # called for every response, with few different tags
def served(tag: str | None) -> str | None:
    """Return the locale we serve for a language tag (`fr-CH` is served as `fr`), or None."""
    language = (tag or "").split("-", maxsplit=1)[0].lower()
    return language if language in LOCALES else None


@lru_cache(maxsize=256)  # a few clients send the same few headers
def accepted_locale(header: str | None) -> str | None:
    """Return the best locale we serve for an Accept-Language header (RFC 9110, 12.5.4), or None."""
    found = [(weight, locale) for tag, weight in weighted(header or "") if weight > 0 and (locale := served(tag))]
    return max(found, key=lambda one: one[0])[1] if found else None  # the first of those of the same weight


def locale_of(context: Context, member: Member | None = None) -> str:
    """Return the locale of the response: the request's, else the member's, else the programme's, else English."""
    if context.locale is not None:
        return context.locale
    own = served(member.profile.locale) if member is not None else None
    if own is not None:
        return own
    programme = context.services.programmes.find(context.actor.programme) if context.actor is not None else None
    return programme.locale if programme is not None else DEFAULT_LOCALE


async def response_locale(context: Context, member: str | None = None) -> str:
    """Return the locale of the response if no member is loaded: reads `member`, or else the calling member."""
    known = member or (context.actor.member if context.actor is not None else None)
    if context.locale is not None or context.actor is None or known is None:
        return locale_of(context)
    snapshot = await read_or_unavailable(context.services.reader.member(context.actor.programme, known))
    return locale_of(context, snapshot.member if snapshot is not None else None)


def text_direction(locale: str) -> TextDirection:
    """Return the writing direction of a locale."""
    return TextDirection.RTL if is_right_to_left(locale) else TextDirection.LTR


def direction_of(text: Text, locale: str, channel: Channel | None) -> TextDirection:
    """Return the writing direction of a text, in the language that it is shown in."""
    return text_direction(text.resolved_locale(locale, channel))


def _gone(kind: str, locale: str) -> str:
    """Return what to call an offer, reward, rule or segment that the programme no longer has."""
    return catalogue(locale)["gone"][kind]


def _in_words(section: str, keys: str, locale: str) -> str:
    """Return a list of keys, such as states or channels, in words."""
    words = catalogue(locale)[section]
    return ", ".join(words[key] for key in keys.split(", ") if key)


def _day(day: date, locale: str) -> str:
    month = catalogue(locale)["months"][str(day.month)]
    return sentence("dates", "day", locale, {"day": day.day, "month": month, "year": str(day.year)})


def _moment(iso: str, locale: str) -> str:
    """Return the day of a moment, in its own time zone, and its time unless that is midnight."""
    moment = datetime.fromisoformat(iso)
    day, time = _day(moment.date(), locale), moment.strftime("%H:%M")
    return day if time == "00:00" else sentence("dates", "moment", locale, {"day": day, "time": time})


def _named(params: Params, programme: Programme, locale: str) -> dict[str, str | float]:
    """Return parameters in which names replace the keys of tiers, offers, rewards, periods, purposes and states."""
    catalogue_, named = programme.catalogue, dict(params)
    for name, known in (("offer", catalogue_.offers), ("reward", catalogue_.rewards)):
        if name in named:
            item = known.get(str(named[name]))
            named[name] = item.title.in_locale(locale) if item is not None else _gone(name, locale)
    if "tier" in named:
        named["tier"] = programme.tier(str(named["tier"])).name.in_locale(locale)
    if "period" in named:
        named["period"] = catalogue(locale)["periods"][str(named["period"])]
    if "purpose" in named:
        purpose = catalogue(locale)["purposes"][str(named["purpose"])]
        on = catalogue(locale)["contacts"].get(str(named.get("contact")))
        named["purpose"] = f"{purpose} ({on})" if on is not None else purpose
    return named


# The parameters of refusals that are keys, and the section that has them in words.
_KEYS = {"channels": "channels", "state": "states", "following": "states"}


def refusal_sentence(reason: str, params: Params, programme: Programme | None, locale: str) -> str:
    """Return the sentence that says why a call is refused, and what to do."""
    named = _named(params, programme, locale) if programme is not None else dict(params)
    for name, section in _KEYS.items():
        if name in named:
            named[name] = _in_words(section, str(named[name]), locale)
    if isinstance(named.get("asked"), str):  # a state; where points are asked, a number
        named["asked"] = _in_words("states", str(named["asked"]), locale)
    if "day" in named:
        named["day"] = _day(date.fromisoformat(str(named["day"])), locale)
    if "used" in named:
        named["used"] = _moment(str(named["used"]), locale)
    if "opens" in named:
        if not named["opens"]:  # it never opens again
            return sentence("refusals", "reward_over", locale, {})
        named["opens"] = _moment(str(named["opens"]), locale)
    return sentence("refusals", reason, locale, named, programme)


def motive_sentence(ranking_reason: RankingReason, params: Params, programme: Programme, locale: str) -> str:
    """Return the sentence that says why a member is shown an offer or reward."""
    named = _named(params, programme, locale)
    if "topic" in named:
        key = str(named["topic"])
        known = programme.vocabulary.topics.get(key)
        words = key.partition(":")[2].replace("_", " ").capitalize()
        named["topic"] = known.in_locale(locale) if known is not None else words
    if "segment" in named:
        segment = programme.segments.get(str(named["segment"]))
        named["segment"] = segment.name.in_locale(locale) if segment is not None else _gone("segment", locale)
    return sentence("motives", ranking_reason.value, locale, named, programme)


def notice_sentence(notice: Notice, programme: Programme, locale: str) -> str:
    """Return what happened, in one sentence."""
    return sentence("notices", notice.kind.value, locale, _named(notice.params, programme, locale), programme)


def _rule_name(programme: Programme, key: str, locale: str) -> str:
    """Return the name of a rule, or of an offer or instant reward that has the role of one."""
    kind, _, name = key.partition("/")
    if kind == "offer" and name in programme.catalogue.offers:
        return programme.catalogue.offers[name].title.in_locale(locale)
    if kind == "instant":
        instant = next((one for one in programme.catalogue.instant_rewards if one.key == name), None)
        return instant.name.in_locale(locale) if instant is not None else _gone("rule", locale)
    rule = programme.rule(key)
    return rule.name.in_locale(locale) if rule is not None else _gone("rule", locale)


def explanation_sentence(explanation: Explanation, programme: Programme, locale: str) -> str:
    """Return the sentence that says why a rule gave points, or gave none."""
    params = _named(explanation.params, programme, locale)
    if "by" in params:
        params["by"] = _rule_name(programme, str(params["by"]), locale)
    if "state" in params:
        params["state"] = _in_words("states", str(params["state"]), locale)
    if "day" in params:
        params["day"] = _day(date.fromisoformat(str(params["day"])), locale)
    params["rule"] = _rule_name(programme, explanation.rule, locale)
    params["points"] = abs(explanation.points)  # the sentence says which way they go
    return sentence("reasons", explanation.reason.value, locale, params, programme)


def entry_label(entry: EntryView, programme: Programme, locale: str) -> str:
    """Return the one line that a shopper reads for a ledger entry."""
    if entry.label != "event":
        name = f"{entry.label}_for" if "reward" in entry.params else entry.label
        return sentence("labels", name, locale, _named(entry.params, programme, locale), programme)
    key = str(entry.params["type"])
    declared = programme.event_types.get(key)
    if declared is not None and declared.name is not None:
        return declared.name.in_locale(locale)
    labels = catalogue(locale)["labels"]
    return labels.get(key, labels["event"])
