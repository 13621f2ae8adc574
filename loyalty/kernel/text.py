"""Texts for people, in each language they were written in, with another wording on a channel that wants one."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from loyalty.kernel.channel import Channel

RIGHT_TO_LEFT = frozenset({"ar", "fa", "he", "ur"})


def language_of(locale: str) -> str:
    """Return the language of a language tag: `fr` of `fr-CH`."""
    return locale.split("-", maxsplit=1)[0]


def is_right_to_left(locale: str) -> bool:
    """Say whether texts of a locale run from right to left."""
    return language_of(locale) in RIGHT_TO_LEFT


@dataclass(frozen=True, slots=True)
class Text:
    """A text for people in each language it was written in; `default` is the programme's own locale.

    `by_channel` holds the wordings of channels that have their own, in some or all languages.
    """

    by_locale: Mapping[str, str]
    default: str
    by_channel: Mapping[Channel, Mapping[str, str]] = field(default_factory=dict)

    def in_locale(self, locale: str, channel: Channel | None = None) -> str:
        """Return the text in `locale`, else in its language without the region, else in the programme's locale.

        A channel's own wording is taken in the first of these that it is written in.
        """
        own = self._own(channel)
        # Most texts are there in the very locale that is asked for.
        tag = locale if locale in own or locale in self.by_locale else self.locale_told(locale, channel)
        return own[tag] if tag in own else self.by_locale[tag]

    def locale_told(self, locale: str, channel: Channel | None = None) -> str:
        """Return the locale that `in_locale` answers in."""
        own = self._own(channel)
        tags = (locale, language_of(locale))
        return next((tag for tag in tags if tag in own or tag in self.by_locale), self.default)

    def _own(self, channel: Channel | None) -> Mapping[str, str]:
        return self.by_channel.get(channel, {}) if channel is not None else {}
