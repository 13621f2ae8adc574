"""Texts for people in several languages, with an optional wording of its own for each channel."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from loyalty.kernel.channel import Channel

RIGHT_TO_LEFT = frozenset({"ar", "fa", "he", "ur"})


def language_of(locale: str) -> str:
    """Return the primary language of a BCP 47 tag: `fr` of `fr-CH`."""
    return locale.split("-", maxsplit=1)[0]


def is_right_to_left(locale: str) -> bool:
    """Return whether a locale is written from right to left."""
    return language_of(locale) in RIGHT_TO_LEFT


@dataclass(frozen=True, slots=True)
class Text:
    """A text by locale. `default` is the programme's locale, always in `by_locale`.

    `by_channel` holds the wordings of single channels, in some or all locales.
    """

    by_locale: Mapping[str, str]
    default: str
    by_channel: Mapping[Channel, Mapping[str, str]] = field(default_factory=dict)

    def in_locale(self, locale: str, channel: Channel | None = None) -> str:
        """Return the text in `locale`, else in its language without the region, else in the programme's locale.

        In the first of these that exists, the channel's own wording wins over the general one.
        """
        own = self._own(channel)
        # The common case first: most texts exist in the requested locale.
        tag = locale if locale in own or locale in self.by_locale else self.resolved_locale(locale, channel)
        return own[tag] if tag in own else self.by_locale[tag]

    def resolved_locale(self, locale: str, channel: Channel | None = None) -> str:
        """Return the locale of the text that `in_locale()` returns."""
        own = self._own(channel)
        tags = (locale, language_of(locale))
        return next((tag for tag in tags if tag in own or tag in self.by_locale), self.default)

    def _own(self, channel: Channel | None) -> Mapping[str, str]:
        return self.by_channel.get(channel, {}) if channel is not None else {}
