"""Builds rewards, offers and segments as values."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from loyalty.kernel.text import Text
from loyalty.model.offer import Offer, OfferKind, Segment
from loyalty.model.reward import InstantReward, Reward, RewardKind
from models.definitions.cel import CelExpression

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def _text(words: str) -> Text:
    return Text({"en": words}, "en")


def reward(key: str = "mug", points: int = 100, kind: RewardKind = RewardKind.PHYSICAL, **about: Any) -> Reward:
    """Return a reward."""
    return Reward(key, kind, _text(key), _text(key), "things", points, **about)


def offer(key: str, kind: OfferKind = OfferKind.PERCENT_OFF, **about: Any) -> Offer:
    """Return an offer that started years ago."""
    fields: dict[str, Any] = {"starts_at": LONG_AGO, **about}
    return Offer(key, kind, _text(key), _text(key), _text(key), **fields)


def instant(key: str, gives: str, minimum: str, **about: Any) -> InstantReward:
    """Return an instant reward."""
    return InstantReward(key, _text(key), gives, Decimal(minimum), **about)


def segment(key: str, when: str) -> Segment:
    """Return a segment of members."""
    return Segment(key, _text(key), CelExpression(when))
