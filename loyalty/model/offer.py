"""Offers: their terms, their audience, and the use that each member has made of them."""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol
from urllib.parse import quote

from loyalty.kernel.channel import Channel
from loyalty.kernel.text import Text
from loyalty.kernel.window import Window
from loyalty.model.expression import Expression
from loyalty.model.supply import CounterKey, CounterKind


class OfferKind(StrEnum):
    """The public API's kinds of offers."""

    PERCENT_OFF = "PERCENT_OFF"
    AMOUNT_OFF = "AMOUNT_OFF"
    FREE_DELIVERY = "FREE_DELIVERY"
    MULTIPLIER = "MULTIPLIER"
    BONUS_POINTS = "BONUS_POINTS"
    GIFT = "GIFT"
    EARLY_ACCESS = "EARLY_ACCESS"
    INVITATION = "INVITATION"
    SERVICE = "SERVICE"


EARNING_KINDS = frozenset({OfferKind.MULTIPLIER, OfferKind.BONUS_POINTS})


class OfferState(StrEnum):
    """The state of an offer for one member."""

    AVAILABLE = "AVAILABLE"
    ACTIVATED = "ACTIVATED"
    REDEEMED = "REDEEMED"
    EXPIRED = "EXPIRED"


class CodeKind(StrEnum):
    """How members get a code: one shared by all, one derived from each member's number, or one from a loaded pool."""

    SHARED = "shared"
    MEMBER = "member"
    POOL = "pool"


@dataclass(frozen=True, slots=True)
class OfferCode:
    """The code of an offer at the till. `text` is the shared code, the prefix of members' codes, or the pool's name."""

    kind: CodeKind
    text: str


@dataclass(frozen=True, slots=True)
class Audience:
    """The members that an offer or a reward is for: in one of each kind that is not empty. Empty: every member."""

    tiers: frozenset[str] = frozenset()
    segments: frozenset[str] = frozenset()
    lists: frozenset[str] = frozenset()

    def includes(self, segmentation: "AudienceInput") -> bool:
        """Return whether the audience includes a member."""
        return (
            (not self.tiers or segmentation.tier in self.tiers)
            and (not self.segments or any(segmentation.in_segment(key) for key in self.segments))
            and (not self.lists or not self.lists.isdisjoint(segmentation.lists))
        )


class AudienceInput(Protocol):
    """The segmentation input: the properties of one member that audiences are matched against."""

    @property
    def tier(self) -> str:
        """The key of the member's tier."""

    @property
    def lists(self) -> frozenset[str]:
        """The lists that the member is on."""

    def in_segment(self, key: str) -> bool:
        """Return whether the member is in a segment now."""


EVERYBODY = Audience()


@dataclass(frozen=True, slots=True)
class Offer:
    """One offer. It can be used from `starts_at` until `ends_at` (None: without end), within its `window`.

    - `uses_per_member_max`, `uses_max` and `budget` are None if unlimited. A budget is in points for EARNING_KINDS,
      else in the programme's `BudgetUnit`.
    - Its value is `percent` off the purchase (at most `amount_max` money), `amount` of money, `factor` on the
      purchase's points, `points`, or the `reward` that a GIFT grants. `qualifying`: its points count towards tiers.
    - `restores_use_on_refund`: refunding the whole purchase restores the use.
    - `topics` such as `category:COFFEE` or `brand:Private` and `weight` (higher: earlier) rank it.

    Empty `channels`, `stores` or `partners` do not restrict it.
    """

    key: str
    kind: OfferKind
    title: Text
    description: Text
    terms: Text
    starts_at: datetime
    ends_at: datetime | None = None
    image: str | None = None
    window: Window | None = None
    channels: frozenset[Channel] = frozenset()
    stores: frozenset[str] = frozenset()
    partners: frozenset[str] = frozenset()
    audience: Audience = EVERYBODY
    needs_activation: bool = False
    uses_per_member_max: int | None = 1
    uses_max: int | None = None
    budget: int | None = None
    restores_use_on_refund: bool = False
    code: OfferCode | None = None
    percent: Decimal | None = None
    amount_max: Decimal | None = None
    amount: Decimal | None = None
    factor: Decimal | None = None
    points: int | None = None
    reward: str | None = None
    qualifying: bool = False
    topics: frozenset[str] = frozenset()
    weight: int = 0

    @property
    def uses_counter_key(self) -> CounterKey:
        """The counter of uses by all members."""
        return CounterKey(CounterKind.USES, self.key)

    @property
    def budget_counter_key(self) -> CounterKey:
        """The counter of what was charged to its budget."""
        return CounterKey(CounterKind.BUDGET, self.key)

    @property
    def has_shared_limit(self) -> bool:
        """Whether all members share a limit: a number of uses or a budget."""
        return self.uses_max is not None or self.budget is not None

    def counters(self) -> frozenset[CounterKey]:
        """Return the counters of its shared limits."""
        limited = {self.uses_counter_key: self.uses_max, self.budget_counter_key: self.budget}
        return frozenset(counter for counter, limit in limited.items() if limit is not None)

    def has_ended(self, now: datetime) -> bool:
        """Return whether it has ended."""
        return self.ends_at is not None and self.ends_at <= now


@dataclass(frozen=True, slots=True)
class OfferUse:
    """One member's use of one offer. MongoDB stores the fields under these names.

    `uses` and `redeemed_at` are of the uses that count. `code` is the pool code that the member got. `seen` is how
    often the member saw the offer. What each use gave is stored with its purchase; see `Consequence`.
    """

    activated_at: datetime | None = None
    code: str | None = None
    uses: int = 0
    redeemed_at: datetime | None = None
    seen: int = 0
    refused_at: datetime | None = None

    def with_use(self, at: datetime) -> "OfferUse":
        """Return the state after one more use."""
        return replace(self, uses=self.uses + 1, redeemed_at=at)

    def with_uses_restored(self, uses: int) -> "OfferUse":
        """Return the state after some uses were restored."""
        left = max(0, self.uses - uses)
        return replace(self, uses=left, redeemed_at=self.redeemed_at if left else None)


NO_USE = OfferUse()


def purchase_reference(sender: str, key: str) -> str:
    """Return a purchase's reference across senders: a key is unique only for its sender."""
    return f"{quote(sender, safe='')}/{quote(key, safe='')}"


def uses_left(offer: Offer, use: OfferUse) -> int | None:
    """Return how often a member may still use an offer; None if unlimited."""
    return None if offer.uses_per_member_max is None else max(0, offer.uses_per_member_max - use.uses)


def offer_state(offer: Offer, use: OfferUse, now: datetime) -> OfferState:
    """Return the state of an offer for a member; REDEEMED only when no use is left."""
    if uses_left(offer, use) == 0:
        return OfferState.REDEEMED
    if offer.has_ended(now):
        return OfferState.EXPIRED
    return OfferState.ACTIVATED if use.activated_at is not None else OfferState.AVAILABLE


@dataclass(frozen=True, slots=True)
class Segment:
    """A named group of members: those for which `condition` (CEL over `member`) is true."""

    key: str
    name: Text
    condition: Expression
