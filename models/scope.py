"""What a part of a programme is read against: its locale and zone, what it may name; and the faults found so far."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Protocol
from zoneinfo import ZoneInfo

from loyalty.event import Channel
from loyalty.reward import Reward
from loyalty.text import Text
from models.fault import Fault
from models.shape import AudienceShape
from models.yaml_lines import Path

LOCALES = ("fr", "en", "ar")
# One for all texts that no channel words differently: there are three of them in each of many thousand offers.
_NO_WORDINGS: Mapping[Channel, Mapping[str, str]] = {}
_CHANNELS = {channel.value: channel for channel in Channel}


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
        by_locale: dict[str, str] = {}
        by_channel: dict[Channel, Mapping[str, str]] = {}
        for name, wording in words.items():
            if name in _CHANNELS:
                wordings = {"": wording} if isinstance(wording, str) else wording
                by_channel[_CHANNELS[name]] = self._by_locale(path, wordings)
            elif isinstance(wording, str):
                by_locale |= self._by_locale(path, {name: wording})
            else:
                self.fault(path, f"{name!r} is no channel; use {', '.join(_CHANNELS)}")
        if self.locale not in by_locale:
            self.fault(path, f"has no text in the programme's own locale {self.locale!r}; add it")
        return Text(by_locale, self.locale, by_channel or _NO_WORDINGS)

    def optional_text(self, path: Path, words: Mapping[str, str | Mapping[str, str]] | None) -> Text:
        """Return a text, an empty one where there is none."""
        return self.text(path, words if words is not None else {"": ""})

    def _by_locale(self, path: Path, wordings: Mapping[str, str]) -> dict[str, str]:
        by_locale = {locale or self.locale: text for locale, text in wordings.items()}
        unknown = [locale for locale in by_locale if locale not in LOCALES]
        if unknown:
            self.fault(path, f"locale {unknown[0]!r} is not served; use {', '.join(LOCALES)}")
        return by_locale

    def known_tiers(self, path: Path, tiers: Sequence[str]) -> None:
        """Note each tier that there is not."""
        for tier in tiers:
            if tier not in self.tiers:
                self.fault(path, f"there is no tier {tier!r}")

    def audience(self, path: Path, audience: AudienceShape) -> None:
        """Note what an audience names and there is not."""
        self.known_tiers((*path, "tiers"), audience.tiers)
        for segment in audience.segments:
            if segment not in self.segments:
                known = ", ".join(sorted(self.segments)) or "none"
                self.fault((*path, "segments"), f"there is no segment {segment!r}; known: {known}")

    def given_reward(self, path: Path, key: str) -> None:
        """Note a reward that cannot be given on the spot, or that there is not."""
        reward = self.rewards.get(key)
        if reward is None:
            self.fault(path, f"there is no reward {key!r}; add it to rewards")
        elif reward.appointments is not None:
            self.fault(path, f"{key!r} needs an appointment, which nobody chooses here; give another reward")
