"""Words for people: every sentence comes from the catalogue in fr, en or ar, here and nowhere else."""

from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path

import yaml

from loyalty.kernel.channel import Channel
from loyalty.kernel.text import Text, is_right_to_left
from loyalty.model.explanation import Explanation
from loyalty.model.member import Member
from loyalty.model.notice import Notice
from loyalty.model.programme import Programme
from loyalty.rules.ranking import Motive
from models.definitions.programme_file import LOCALES
from models.mongo.snapshot import EntryView
from resolvers.core.context import Context
from resolvers.core.member import answered
from schema.wire.accept import weighted
from schema.wire.enums import TextDirection

DEFAULT_LOCALE = "en"
_TEXTS = Path(__file__).parents[1] / "texts"


@cache
def catalogue(locale: str) -> Mapping[str, Mapping[str, str]]:
    """Return all sentences of a locale, by section and reason."""
    texts: Mapping[str, Mapping[str, str]] = yaml.safe_load((_TEXTS / f"{locale}.yaml").read_text(encoding="utf-8"))
    return texts


def sentence(section: str, reason: str, locale: str, params: Mapping[str, str | int]) -> str:
    """Return a sentence of the catalogue with its parameters filled in."""
    return catalogue(locale)[section][reason].format_map(params)


@lru_cache(maxsize=256)  # every answer asks, and members have few
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
    """Return the locale to answer in: the request's, else the member's, else the programme's, else English."""
    if context.locale is not None:
        return context.locale
    own = served(member.profile.locale) if member is not None else None
    if own is not None:
        return own
    programme = context.services.programmes.find(context.actor.programme) if context.actor is not None else None
    return programme.locale if programme is not None else DEFAULT_LOCALE


async def locale_asked(context: Context, member: str | None = None) -> str:
    """Return the locale to answer in where no member is at hand: that of `member`, or of the actor itself, is read."""
    who = member or (context.actor.member if context.actor is not None else None)
    if context.locale is not None or context.actor is None or who is None:
        return locale_of(context)
    snapshot = await answered(context.services.reader.member(context.actor.programme, who))
    return locale_of(context, snapshot.member if snapshot is not None else None)


def told(text: Text, locale: str) -> str:
    """Return one of a programme's own texts."""
    return text.in_locale(locale)


def running(locale: str) -> TextDirection:
    """Return how the words of a locale run."""
    return TextDirection.RTL if is_right_to_left(locale) else TextDirection.LTR


def direction_of(text: Text, locale: str, channel: Channel | None) -> TextDirection:
    """Return how the words of a text run, in the language that it is told in."""
    return running(text.locale_told(locale, channel))


def _named(params: Mapping[str, str | int], programme: Programme, locale: str) -> dict[str, str | int]:
    """Return parameters with the keys of tiers, offers and rewards in words."""
    catalogue_, named = programme.catalogue, dict(params)
    for name, known in (("offer", catalogue_.offers), ("reward", catalogue_.rewards)):
        if name in named:
            item = known.get(str(named[name]))
            named[name] = item.title.in_locale(locale) if item is not None else named[name]
    if "tier" in named:
        named["tier"] = programme.tier(str(named["tier"])).name.in_locale(locale)
    if "period" in named:
        named["period"] = catalogue(locale)["periods"][str(named["period"])]
    if "purpose" in named:
        purpose = catalogue(locale)["purposes"][str(named["purpose"])]
        on = catalogue(locale)["contacts"].get(str(named.get("contact")))
        named["purpose"] = f"{purpose} ({on})" if on is not None else purpose
    for name in ("state", "asked", "following"):
        if name in named:
            states = catalogue(locale)["states"]
            named[name] = ", ".join(states.get(state, state) for state in str(named[name]).split(", "))
    return named


def refused(reason: str, params: Mapping[str, str | int], programme: Programme | None, locale: str) -> str:
    """Return why something is refused, and what to do."""
    named = _named(params, programme, locale) if programme is not None else params
    return sentence("refusals", reason, locale, named)


def motivated(motive: Motive, params: Mapping[str, str | int], programme: Programme, locale: str) -> str:
    """Return why a member is shown something."""
    named = _named(params, programme, locale)
    if "topic" in named:
        named["topic"] = str(named["topic"]).partition(":")[2].capitalize()
    if "segment" in named:
        segment = programme.segments.get(str(named["segment"]))
        named["segment"] = segment.name.in_locale(locale) if segment is not None else named["segment"]
    return sentence("motives", motive.value, locale, named)


def noticed(notice: Notice, programme: Programme, locale: str) -> str:
    """Return what happened, in one sentence."""
    return sentence("notices", notice.kind.value, locale, _named(notice.params, programme, locale))


def _rule_name(programme: Programme, key: str, locale: str) -> str:
    """Return the name of a rule, or of the offer or instant reward that gave something."""
    kind, _, name = key.partition("/")
    if kind == "offer" and name in programme.catalogue.offers:
        return programme.catalogue.offers[name].title.in_locale(locale)
    if kind == "instant":
        instant = next((one for one in programme.catalogue.instant_rewards if one.key == name), None)
        return instant.name.in_locale(locale) if instant is not None else name
    rule = programme.rule(key)
    return rule.name.in_locale(locale) if rule is not None else key


def explained(explanation: Explanation, programme: Programme, locale: str) -> str:
    """Return why a rule gave what it gave, in one sentence."""
    params = _named(explanation.params, programme, locale)
    if "by" in params:
        params["by"] = _rule_name(programme, str(params["by"]), locale)
    params["rule"] = _rule_name(programme, explanation.rule, locale)
    params["points"] = explanation.points
    return sentence("reasons", explanation.reason.value, locale, params)


def labelled(entry: EntryView, programme: Programme, locale: str) -> str:
    """Return the one line that a shopper reads for a ledger entry."""
    if entry.label != "event":
        name = f"{entry.label}_for" if "reward" in entry.params else entry.label
        return sentence("labels", name, locale, _named(entry.params, programme, locale))
    key = str(entry.params["type"])
    declared = programme.event_types.get(key)
    if declared is not None and declared.name is not None:
        return declared.name.in_locale(locale)
    return catalogue(locale)["labels"].get(key, key)
