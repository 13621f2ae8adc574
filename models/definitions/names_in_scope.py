"""The scope in which definitions are parsed: locale, time zone, known names; collects the errors found."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Protocol
from zoneinfo import ZoneInfo

from loyalty.kernel.channel import Channel
from loyalty.kernel.currency import BudgetUnit, decimals_of, fits_currency
from loyalty.kernel.text import Text
from loyalty.model.offer import EVERYBODY, Audience
from loyalty.model.reward import Reward
from models.definitions.author_error import DefinitionError
from models.definitions.shared_shapes import INTERNED_MAX, AudienceShape
from models.definitions.yaml_lines import Path

LOCALES = ("fr", "en", "ar")
_SERVED = frozenset(LOCALES)
# Shared by all texts without a wording of their own for a channel: thousands of offers have three such texts each.
_NO_WORDINGS: Mapping[Channel, Mapping[str, str]] = {}
_CHANNELS = {channel.value: channel for channel in Channel}


@lru_cache(maxsize=INTERNED_MAX)
def _text(by_locale: tuple[tuple[str, str], ...], default: str) -> Text:
    return Text(dict(by_locale), default, _NO_WORDINGS)


@lru_cache(maxsize=INTERNED_MAX)
def _audience(tiers: tuple[str, ...], segments: tuple[str, ...], lists: tuple[str, ...]) -> Audience:
    return Audience(frozenset(tiers), frozenset(segments), frozenset(lists))


class SourceLines(Protocol):
    """Knows the line of each place in the source."""

    def fault(self, path: Path, message: str) -> DefinitionError:
        """Return an error at `path` with its line."""


class NoSourceLines:
    """Places of a definition that came in no file."""

    def fault(self, path: Path, message: str) -> DefinitionError:
        """Return an error at `path` with line 0."""
        return DefinitionError(0, ".".join(str(step) for step in path), message)


class Scope:
    """Parses texts, checks names and collects errors in `faults`. `rewards` are the known rewards by key.

    `is_stored`: an earlier release accepted and stored it, so rules that came later are not checked.
    """

    def __init__(
        self,
        places: SourceLines,
        *,
        locale: str,
        zone: ZoneInfo,
        budget_unit: BudgetUnit,
        tiers: Collection[str],
        segments: Collection[str],
        rewards: Mapping[str, Reward] | None = None,
        is_stored: bool = False,
    ) -> None:
        self._places = places
        self._is_stored = is_stored
        self.budget_unit = budget_unit
        self.locale = locale
        self.zone = zone
        self.tiers = tiers
        self.segments = segments
        self.rewards: Mapping[str, Reward] = rewards or {}
        self.faults: list[DefinitionError] = []

    def fault(self, path: Path, message: str) -> None:
        """Add one error."""
        self.faults.append(self._places.fault(path, message))

    def check_unique(self, path: Path, keys: Iterable[str]) -> None:
        """Report each key that occurs more than once."""
        used: set[str] = set()
        for index, key in enumerate(keys):
            if key in used:
                self.fault((*path, index, "key"), f"key {key!r} is used twice; choose another key")
            used.add(key)

    def text(self, path: Path, words: Mapping[str, str | Mapping[str, str]]) -> Text:
        """Return a text. The key "" means the programme's default locale, which every text needs."""
        plain = {name: text for name, text in words.items() if isinstance(text, str) and name not in _CHANNELS}
        by_locale = self._by_locale(path, plain)
        by_channel = _NO_WORDINGS
        if len(plain) < len(words):
            by_channel = self._by_channel(path, {name: words[name] for name in words if name not in plain})
        if self.locale not in by_locale:
            self.fault(path, f"has no text in the programme's default locale {self.locale!r}; add one")
        return Text(by_locale, self.locale, by_channel) if by_channel else _text(tuple(by_locale.items()), self.locale)

    def optional_text(self, path: Path, words: Mapping[str, str | Mapping[str, str]] | None) -> Text:
        """Return a text; the empty text for None."""
        return self.text(path, words if words is not None else {"": ""})

    def _by_locale(self, path: Path, wordings: Mapping[str, str]) -> dict[str, str]:
        by_locale = {locale or self.locale: text for locale, text in wordings.items()}
        if not by_locale.keys() <= _SERVED:
            unknown = next(locale for locale in by_locale if locale not in _SERVED)
            self.fault(path, f"unsupported locale {unknown!r}; use {', '.join(LOCALES)}")
        return by_locale

    def _by_channel(
        self, path: Path, wordings: Mapping[str, str | Mapping[str, str]]
    ) -> Mapping[Channel, Mapping[str, str]]:
        by_channel: dict[Channel, Mapping[str, str]] = {}
        for name, wording in wordings.items():
            if name not in _CHANNELS:
                self.fault(path, f"unknown channel {name!r}; use {', '.join(_CHANNELS)}")
                continue
            by_channel[_CHANNELS[name]] = self._by_locale(path, {"": wording} if isinstance(wording, str) else wording)
        return by_channel

    def check_tiers(self, path: Path, tiers: Sequence[str]) -> None:
        """Report each tier that is not defined."""
        for tier in tiers:
            if tier not in self.tiers:
                self.fault(path, f"unknown tier {tier!r}; define it under tiers")

    def check_money(self, path: Path, money: Decimal | None) -> None:
        """Report an amount that is not a whole number of the currency's minor units."""
        currency = self.budget_unit.currency
        if money is None or self._is_stored or fits_currency(money, currency):
            return
        decimals = decimals_of(currency)
        most = f"at most {decimals} decimals" if decimals else "no decimals"
        self.fault(path, f"{money} is not an amount in {currency}; write one with {most}")

    def audience(self, path: Path, shape: AudienceShape | None) -> Audience:
        """Return an audience (everybody for None); report unknown tiers and segments."""
        if shape is None:
            return EVERYBODY
        self.check_tiers((*path, "tiers"), shape.tiers)
        for segment in shape.segments:
            if segment not in self.segments:
                known = f", or use: {', '.join(sorted(self.segments))}" if self.segments else ""
                self.fault((*path, "segments"), f"unknown segment {segment!r}; define it under segments{known}")
        return _audience(shape.tiers, shape.segments, shape.lists)

    def check_reward(self, path: Path, key: str) -> None:
        """Report a reward that is not defined, or that needs an appointment and so cannot be given at once."""
        reward = self.rewards.get(key)
        if reward is None:
            self.fault(path, f"unknown reward {key!r}; add it to rewards")
        elif reward.appointments is not None:
            self.fault(path, f"reward {key!r} needs an appointment, which nobody can choose here; use another reward")
