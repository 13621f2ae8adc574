"""Strawberry, default setup: its own ASGI view, its depth limiter, typed objects, a DataLoader per request."""

from base64 import urlsafe_b64decode
from collections.abc import Sequence
from enum import Enum
from typing import Any

import strawberry
from starlette.applications import Starlette
from starlette.routing import Route
from strawberry.asgi import GraphQL
from strawberry.extensions import QueryDepthLimiter

from bench.peers.python_peer import STORE, Caller, bounded, catalogue_of, older_entries
from bench.serving import serve
from bench.snapshot_views import (
    Document,
    encoded,
    entries_of,
    offers_of,
    points_of,
    rewards_of,
    status_of,
)

DEPTH_MAX = 16


@strawberry.enum
class Channel(Enum):
    """Where something happened."""

    APP = "APP"
    WEB = "WEB"
    STORE = "STORE"
    KIOSK = "KIOSK"
    AGENT = "AGENT"
    SOCIAL = "SOCIAL"
    PARTNER = "PARTNER"
    SYSTEM = "SYSTEM"


@strawberry.enum
class EntryKind(Enum):
    """Why points moved."""

    EARN = "EARN"
    CONFIRM = "CONFIRM"
    BURN = "BURN"
    HOLD = "HOLD"
    RELEASE = "RELEASE"
    EXPIRE = "EXPIRE"
    ADJUST = "ADJUST"
    REVERSE = "REVERSE"
    TRANSFER = "TRANSFER"


@strawberry.enum
class OfferKind(Enum):
    """What an offer gives."""

    PERCENT_OFF = "PERCENT_OFF"
    AMOUNT_OFF = "AMOUNT_OFF"
    FREE_DELIVERY = "FREE_DELIVERY"
    MULTIPLIER = "MULTIPLIER"
    BONUS_POINTS = "BONUS_POINTS"
    GIFT = "GIFT"
    EARLY_ACCESS = "EARLY_ACCESS"
    INVITATION = "INVITATION"
    SERVICE = "SERVICE"


@strawberry.enum
class OfferState(Enum):
    """How far a member has used an offer."""

    AVAILABLE = "AVAILABLE"
    ACTIVATED = "ACTIVATED"
    REDEEMED = "REDEEMED"
    EXPIRED = "EXPIRED"


@strawberry.enum
class RewardKind(Enum):
    """How a reward is delivered."""

    PHYSICAL = "PHYSICAL"
    DIGITAL_CODE = "DIGITAL_CODE"
    DISCOUNT = "DISCOUNT"
    SERVICE = "SERVICE"
    DONATION = "DONATION"
    PARTNER = "PARTNER"


@strawberry.type
class Profile:
    """A member's profile."""

    first_name: str | None


@strawberry.type
class Tier:
    """A status level."""

    key: str
    name: str
    rank: int
    benefits: list[str]

    @classmethod
    def of(cls, tier: Document) -> "Tier":
        """Return a localised tier."""
        return cls(key=tier["key"], name=tier["name"], rank=tier["rank"], benefits=tier["benefits"])


@strawberry.type
class TierProgress:
    """The progress to the next tier."""

    tier: Tier
    missing: int
    ratio: float


@strawberry.type
class Status:
    """A member's tier."""

    tier: Tier
    since: str
    next: TierProgress | None


@strawberry.type
class ExpiringPoints:
    """Points that expire, and the day."""

    points: int
    on: str


@strawberry.type
class Points:
    """A member's balances."""

    available: int
    pending: int
    expiring: list[ExpiringPoints]


@strawberry.type
class LedgerEntry:
    """One movement of points."""

    id: strawberry.ID
    kind: EntryKind
    points: int
    balance: int
    occurred_at: str
    channel: Channel
    label: str


@strawberry.type
class LedgerEntryEdge:
    """An entry in its list."""

    node: LedgerEntry


@strawberry.type
class LedgerEntryConnection:
    """A page of the ledger."""

    edges: list[LedgerEntryEdge]


@strawberry.type
class Offer:
    """Something a member may use."""

    key: str
    kind: OfferKind
    title: str
    description: str
    ends_at: str | None


@strawberry.type
class MemberOffer:
    """An offer with its state for a member."""

    offer: Offer
    state: OfferState
    uses_left: int | None
    expires_at: str | None


@strawberry.type
class MemberOfferEdge:
    """An offer in its list."""

    node: MemberOffer


@strawberry.type
class MemberOfferConnection:
    """A page of offers."""

    edges: list[MemberOfferEdge]


@strawberry.type
class Reward:
    """Something that points buy."""

    id: strawberry.ID
    key: str
    kind: RewardKind
    title: str
    description: str
    image: str | None
    category: str
    points: int

    @classmethod
    def of(cls, reward: Document) -> "Reward":
        """Return a localised reward."""
        names = ("id", "key", "title", "description", "image", "category", "points")
        return cls(kind=RewardKind(reward["kind"]), **{name: reward[name] for name in names})


@strawberry.type
class RewardEdge:
    """A reward in its list."""

    node: Reward


@strawberry.type
class RewardConnection:
    """A page of the catalogue."""

    edges: list[RewardEdge]


@strawberry.type
class MemberReward:
    """A reward with its eligibility for a member."""

    reward: Reward
    eligible: bool
    missing_points: int


@strawberry.type
class MemberRewardEdge:
    """A reward in its list."""

    node: MemberReward


@strawberry.type
class MemberRewardConnection:
    """A page of rewards."""

    edges: list[MemberRewardEdge]


def _page(nodes: Sequence[Document]) -> LedgerEntryConnection:
    return LedgerEntryConnection(
        edges=[
            LedgerEntryEdge(
                node=LedgerEntry(
                    id=strawberry.ID(node["id"]),
                    kind=EntryKind(node["kind"]),
                    points=node["points"],
                    balance=node["balance"],
                    occurred_at=node["occurredAt"],
                    channel=Channel(node["channel"]),
                    label=node["label"],
                )
            )
            for node in nodes
        ]
    )


def _offer(view: Document) -> MemberOffer:
    offer = view["offer"]
    return MemberOffer(
        offer=Offer(
            key=offer["key"],
            kind=OfferKind(offer["kind"]),
            title=offer["title"],
            description=offer["description"],
            ends_at=offer["endsAt"],
        ),
        state=OfferState(view["state"]),
        uses_left=view["usesLeft"],
        expires_at=view["expiresAt"],
    )


@strawberry.type
class Member:
    """A member."""

    number: str
    version: int
    document: strawberry.Private[Document]

    @strawberry.field
    def profile(self) -> Profile:
        """Return the member's profile."""
        return Profile(first_name=self.document["profile"].get("first_name"))

    @strawberry.field
    def status(self) -> Status:
        """Return the member's tier."""
        status = status_of(self.document, catalogue_of(self.document))
        following = status["next"]
        progress = following and TierProgress(
            tier=Tier.of(following["tier"]), missing=following["missing"], ratio=following["ratio"]
        )
        return Status(tier=Tier.of(status["tier"]), since=status["since"], next=progress)

    @strawberry.field
    def points(self) -> Points:
        """Return the member's balances."""
        points = points_of(self.document)
        expiring = [ExpiringPoints(**one) for one in points["expiring"]]
        return Points(available=points["available"], pending=points["pending"], expiring=expiring)

    @strawberry.field
    async def activity(self, first: int = 20, after: str | None = None) -> LedgerEntryConnection:
        """Return a page of the ledger."""
        if after is None:
            return _page(entries_of(self.document, catalogue_of(self.document), bounded(first)))
        version, index = map(int, urlsafe_b64decode(after + "=" * (-len(after) % 4)).decode().split(":"))
        nodes = await older_entries(self.document, bounded(first), (version, index))
        for node in nodes:
            node["id"] = encoded("LedgerEntry:{}:{}:{}".format(self.document["_id"], *node["position"]))
        return _page(nodes)

    @strawberry.field
    def offers(self, first: int = 20) -> MemberOfferConnection:
        """Return the first offers."""
        views = offers_of(self.document, catalogue_of(self.document), bounded(first))
        return MemberOfferConnection(edges=[MemberOfferEdge(node=_offer(one)) for one in views])

    @strawberry.field
    def rewards(self, first: int = 20) -> MemberRewardConnection:
        """Return the first rewards."""
        views = rewards_of(self.document, catalogue_of(self.document), bounded(first))
        return MemberRewardConnection(
            edges=[
                MemberRewardEdge(
                    node=MemberReward(
                        reward=Reward.of(one["reward"]), eligible=one["eligible"], missing_points=one["missingPoints"]
                    )
                )
                for one in views
            ]
        )


def _member(document: Document | None) -> Member | None:
    if document is None:
        return None
    return Member(number=document["number"], version=document["version"], document=document)


@strawberry.input
class MemberKey:
    """The key of a member: id or number."""

    id: strawberry.ID | None = None
    number: str | None = None


@strawberry.type
class Query:
    """The queries."""

    @strawberry.field
    async def me(self, info: strawberry.Info) -> Member | None:
        """Return the token's member."""
        return _member(await info.context["asker"].me())

    @strawberry.field
    async def member(self, info: strawberry.Info, by: MemberKey) -> Member | None:
        """Return a member by id or number."""
        return _member(await info.context["asker"].member(by.id, by.number))

    @strawberry.field
    def rewards(self, first: int = 20) -> RewardConnection:
        """Return the first rewards of the catalogue."""
        return RewardConnection(
            edges=[RewardEdge(node=Reward.of(reward)) for reward in catalogue_of().rewards[: bounded(first)]]
        )


class View(GraphQL[Any, None]):
    """Strawberry's view with the bench's context."""

    async def get_context(self, request: Any, response: Any) -> Any:
        """Return the context of a request."""
        return {"request": request, "response": response, "asker": Caller(request.headers.get("authorization"))}


def application() -> Starlette:
    """Return the application."""
    # A factory, because all requests would share an instance.
    schema = strawberry.Schema(Query, extensions=[lambda: QueryDepthLimiter(max_depth=DEPTH_MAX)])
    return Starlette(routes=[Route("/graphql", View(schema, graphql_ide=None))], lifespan=STORE.lifespan)


if __name__ == "__main__":
    serve(application())
