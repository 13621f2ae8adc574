"""What a part of a programme is read against: its locale and zone, what it may name; and the faults found so far."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Protocol
from zoneinfo import ZoneInfo

from loyalty.kernel.channel import Channel
from loyalty.kernel.text import Text
from loyalty.model.offer import EVERYBODY, Audience
from loyalty.model.reward import Reward
from models.definitions.author_error import Fault
from models.definitions.shared_shapes import SHARED_MAX, AudienceShape
from models.definitions.yaml_lines import Path

LOCALES = ("fr", "en", "ar")
_SERVED = frozenset(LOCALES)
# One for all texts that no channel words differently: there are three of them in each of many thousand offers.
_NO_WORDINGS: Mapping[Channel, Mapping[str, str]] = {}
_CHANNELS = {channel.value: channel for channel in Channel}


@lru_cache(maxsize=SHARED_MAX)
def _text(by_locale: tuple[tuple[str, str], ...], default: str) -> Text:
    return Text(dict(by_locale), default, _NO_WORDINGS)


@lru_cache(maxsize=SHARED_MAX)
def _audience(tiers: tuple[str, ...], segments: tuple[str, ...], lists: tuple[str, ...]) -> Audience:
    return Audience(frozenset(tiers), frozenset(segments), frozenset(lists))


class Places(Protocol):
    """Where the places of what an author wrote stand."""

    def fault(self, path: Path, message: str) -> Fault:
        """Return a fault at a place."""


class NoLines:
    """Places of what came in no file."""

    def fault(self, path: Path, message: str) -> Fault:
        """Return a fault at a place."""
        return Fault(0, ".".join(str(step) for step in path), message)


class Scope:
    """Reads texts and checks names, collecting what is wrong. `rewards` are those that may be given, by key."""

    def __init__(
        self,
        places: Places,
        *,
        locale: str,
        zone: ZoneInfo,
        tiers: Collection[str],
        segments: Collection[str],
        rewards: Mapping[str, Reward] | None = None,
    ) -> None:
        self._places = places
        self.locale = locale
        self.zone = zone
        self.tiers = tiers
        self.segments = segments
        self.rewards: Mapping[str, Reward] = rewards or {}
        self.faults: list[Fault] = []

    def fault(self, path: Path, message: str) -> None:
        """Note one fault."""
        self.faults.append(self._places.fault(path, message))

    def unique(self, path: Path, keys: Iterable[str]) -> None:
        """Note each of several keys that was used before."""
        used: set[str] = set()
        for index, key in enumerate(keys):
            if key in used:
                self.fault((*path, index, "key"), f"{key!r} is used twice; keys are unique")
            used.add(key)

    def text(self, path: Path, words: Mapping[str, str | Mapping[str, str]]) -> Text:
        """Return a text; a plain string is in the programme's own locale, which every text must have."""
        plain = {name: told for name, told in words.items() if isinstance(told, str) and name not in _CHANNELS}
        by_locale = self._by_locale(path, plain)
        by_channel = _NO_WORDINGS
        if len(plain) < len(words):
            by_channel = self._by_channel(path, {name: words[name] for name in words if name not in plain})
        if self.locale not in by_locale:
            self.fault(path, f"has no text in the programme's own locale {self.locale!r}; add it")
        return Text(by_locale, self.locale, by_channel) if by_channel else _text(tuple(by_locale.items()), self.locale)

    def optional_text(self, path: Path, words: Mapping[str, str | Mapping[str, str]] | None) -> Text:
        """Return a text, an empty one where there is none."""
        return self.text(path, words if words is not None else {"": ""})

    def _by_locale(self, path: Path, wordings: Mapping[str, str]) -> dict[str, str]:
        by_locale = {locale or self.locale: text for locale, text in wordings.items()}
        if not by_locale.keys() <= _SERVED:
            unknown = next(locale for locale in by_locale if locale not in _SERVED)
            self.fault(path, f"locale {unknown!r} is not served; use {', '.join(LOCALES)}")
        return by_locale

    def _by_channel(
        self, path: Path, wordings: Mapping[str, str | Mapping[str, str]]
    ) -> Mapping[Channel, Mapping[str, str]]:
        by_channel: dict[Channel, Mapping[str, str]] = {}
        for name, told in wordings.items():
            if name not in _CHANNELS:
                self.fault(path, f"{name!r} is no channel; use {', '.join(_CHANNELS)}")
                continue
            by_channel[_CHANNELS[name]] = self._by_locale(path, {"": told} if isinstance(told, str) else told)
        return by_channel

    def known_tiers(self, path: Path, tiers: Sequence[str]) -> None:
        """Note each tier that there is not."""
        for tier in tiers:
            if tier not in self.tiers:
                self.fault(path, f"there is no tier {tier!r}")

    def audience(self, path: Path, shape: AudienceShape | None) -> Audience:
        """Return an audience; note what it names and there is not."""
        if shape is None:
            return EVERYBODY
        self.known_tiers((*path, "tiers"), shape.tiers)
        for segment in shape.segments:
            if segment not in self.segments:
                known = ", ".join(sorted(self.segments)) or "none"
                self.fault((*path, "segments"), f"there is no segment {segment!r}; known: {known}")
        return _audience(shape.tiers, shape.segments, shape.lists)

    def given_reward(self, path: Path, key: str) -> None:
        """Note a reward that cannot be given on the spot, or that there is not."""
        reward = self.rewards.get(key)
        if reward is None:
            self.fault(path, f"there is no reward {key!r}; add it to rewards")
        elif reward.appointments is not None:
            self.fault(path, f"{key!r} needs an appointment, which nobody chooses here; give another reward")
