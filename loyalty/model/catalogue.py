"""The catalogue: a programme's offers, rewards and contents in memory, indexed by key, by code and for ranking.

It changes in place as its documents in MongoDB change. Decisions only read it.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from loyalty.kernel import canonical
from loyalty.kernel.calendar import day_of, end_of, start_of
from loyalty.kernel.text import Text
from loyalty.kernel.window import open_spans
from loyalty.model.offer import CodeKind, Offer
from loyalty.model.offer_index import WEIGHT_SCORE, OfferIndex
from loyalty.model.reward import InstantReward, Reward

NEXT_CHANGE_ITEMS_MAX = 5_000


@dataclass(frozen=True, slots=True)
class Content:
    """A text for a place in an app, a website or a screen. `version` grows with each change; 0 in a file."""

    key: str
    title: Text
    body: Text
    image: str | None = None
    version: int = 0


class Catalogue:
    """A programme's offers, rewards and contents. `version` grows with every change and validates cached results."""

    def __init__(
        self,
        offers: Iterable[Offer] = (),
        rewards: Iterable[Reward] = (),
        contents: Iterable[Content] = (),
        instant_rewards: Iterable[InstantReward] = (),
    ) -> None:
        self._offers: dict[str, Offer] = {}
        self._rewards = {reward.key: reward for reward in rewards}
        self._contents = {content.key: content for content in contents}
        self._by_code: dict[str, str] = {}
        self._index: OfferIndex | None = None
        self._listed: set[str] = set()
        self._limited_offers: dict[str, Offer] = {}
        self._limits: tuple[tuple[Reward, ...], tuple[str, ...], bool] | None = None
        self._reward_scores: tuple[tuple[str, Reward, int, bool], ...] | None = None
        self._edges: tuple[int, date, ZoneInfo, list[datetime]] | None = None
        self.instant_rewards = tuple(instant_rewards)
        self.version = 0
        for offer in offers:
            self.upsert_offer(offer)
        # Defined in the programme file. Managers add, change and retire the others without a release.
        self.file_offers = frozenset(self._offers)
        self.file_rewards = frozenset(self._rewards)
        self.file_contents = frozenset(self._contents)

    @property
    def offers(self) -> Mapping[str, Offer]:
        """All offers by key, current or not."""
        return self._offers

    @property
    def rewards(self) -> Mapping[str, Reward]:
        """All rewards by key."""
        return self._rewards

    @property
    def contents(self) -> Mapping[str, Content]:
        """All contents by key."""
        return self._contents

    @property
    def targets_lists(self) -> bool:
        """Whether any offer or reward targets a list, so that a decision must read the member's lists."""
        return bool(self._listed) or self._limited()[2]

    @property
    def limited_offers(self) -> Mapping[str, Offer]:
        """The offers with a limit that all members share, by key."""
        return self._limited_offers

    @property
    def stocked_rewards(self) -> tuple[Reward, ...]:
        """The rewards with limited stock."""
        return self._limited()[0]

    @property
    def code_pools(self) -> tuple[str, ...]:
        """The code pools that rewards use, each once."""
        return self._limited()[1]

    def _limited(self) -> tuple[tuple[Reward, ...], tuple[str, ...], bool]:
        if self._limits is None:
            rewards = self._rewards.values()
            pools = dict.fromkeys(reward.pool for reward in rewards if reward.pool is not None)
            stocked = tuple(reward for reward in rewards if reward.stock is not None)
            self._limits = stocked, tuple(pools), any(reward.audience.lists for reward in rewards)
        return self._limits

    def reward_scores(self) -> tuple[tuple[str, Reward, int, bool], ...]:
        """Return (key, reward, score of its weight, `is_unrestricted`) of each reward."""
        if self._reward_scores is None:
            self._reward_scores = tuple(
                (key, reward, WEIGHT_SCORE * reward.weight, reward.is_unrestricted)
                for key, reward in self._rewards.items()
            )
        return self._reward_scores

    def next_change_at(self, now: datetime, zone: ZoneInfo) -> datetime:
        """Return the first moment after `now` at which an offer or reward may start or end because of time.

        At the latest the end of the day, because windows depend on the day. With more than NEXT_CHANGE_ITEMS_MAX offers
        and rewards it is `now`: computing it would take too long.
        """
        if len(self._offers) + len(self._rewards) > NEXT_CHANGE_ITEMS_MAX:
            return now
        day = day_of(now, zone)
        if self._edges is None or self._edges[:3] != (self.version, day, zone):
            self._edges = (self.version, day, zone, sorted(self._edges_of(day, zone)))
        edges = self._edges[3]
        return edges[bisect_right(edges, now)]

    def _edges_of(self, day: date, zone: ZoneInfo) -> set[datetime]:
        first, last = start_of(day, zone), end_of(day, zone)
        found = {last}
        for offer in self._offers.values():
            found.update(moment for moment in (offer.starts_at, offer.ends_at) if moment is not None)
        windows = {offer.window for offer in self._offers.values()}
        windows |= {reward.window for reward in self._rewards.values()}
        for window in windows:
            if window is not None and window.hours is not None:
                found.update(moment for span in open_spans(window, day, zone) for moment in span)
        return {moment for moment in found if first < moment <= last}

    def offer_by_code(self, code: str) -> Offer | None:
        """Return the offer of a shared code, or None."""
        key = self._by_code.get(canonical.code(code))
        return self._offers[key] if key is not None else None

    def offers_by_prefix(self, prefix: str) -> Iterator[Offer]:
        """Yield the offers whose members' codes start with `prefix`."""
        key = self._by_code.get(f"{canonical.code(prefix)}-")
        if key is not None:
            yield self._offers[key]

    def offer_index(self, day: date, zone: ZoneInfo) -> OfferIndex:
        """Return the ranking index of a day; cached until another day or zone is read."""
        if self._index is None or (self._index.day, self._index.zone) != (day, zone):
            self._index = OfferIndex(self._offers.values(), day, zone)
        return self._index

    def upsert_offer(self, offer: Offer) -> None:
        """Add an offer, or replace the one with its key."""
        self.remove_offer(offer.key)
        self._offers[offer.key] = offer
        if offer.audience.lists:
            self._listed.add(offer.key)
        if offer.has_shared_limit:
            self._limited_offers[offer.key] = offer
        name = code_lookup_key(offer)
        if name is not None:
            self._by_code[name] = offer.key
        if self._index is not None:
            self._index.add(offer)
        self.version += 1

    def remove_offer(self, key: str) -> None:
        """Remove an offer if it exists."""
        offer = self._offers.pop(key, None)
        self._listed.discard(key)
        self._limited_offers.pop(key, None)
        if offer is None:
            return
        name = code_lookup_key(offer)
        if name is not None and self._by_code.get(name) == key:
            del self._by_code[name]
        if self._index is not None:
            self._index.remove(offer)
        self.version += 1

    def upsert_reward(self, reward: Reward) -> None:
        """Add a reward, or replace the one with its key."""
        self._rewards[reward.key] = reward
        self._limits = self._reward_scores = None
        self.version += 1

    def remove_reward(self, key: str) -> None:
        """Remove a reward if it exists."""
        if self._rewards.pop(key, None) is not None:
            self._limits = self._reward_scores = None
            self.version += 1

    def upsert_content(self, content: Content) -> None:
        """Add a content, or replace the one with its key."""
        self._contents[content.key] = content
        self.version += 1

    def remove_content(self, key: str) -> None:
        """Remove a content if it exists."""
        if self._contents.pop(key, None) is not None:
            self.version += 1


def code_lookup_key(offer: Offer) -> str | None:
    """Return the look-up key of an offer's code: the shared code, or the prefix of members' codes and a hyphen."""
    if offer.code is None or offer.code.kind is CodeKind.POOL:
        return None
    text = canonical.code(offer.code.text)
    return f"{text}-" if offer.code.kind is CodeKind.MEMBER else text
