"""Notices: what a version changed, in a member's terms, as values. The schema floor puts them into words."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from loyalty.kernel.fast_dataclass import fast_init


class NoticeKind(StrEnum):
    """What happened to a member. MongoDB stores the values; the API serves the names."""

    WELCOME = "welcome"
    POINTS_EARNED = "points_earned"
    POINTS_TAKEN_BACK = "points_taken_back"
    POINTS_EXPIRED = "points_expired"
    POINTS_GIVEN = "points_given"
    POINTS_DEDUCTED = "points_deducted"
    POINTS_HELD = "points_held"
    POINTS_RELEASED = "points_released"
    TIER_REACHED = "tier_reached"
    TIER_LOST = "tier_lost"
    OFFER_ACTIVATED = "offer_activated"
    OFFER_REDEEMED = "offer_redeemed"
    OFFER_RETURNED = "offer_returned"
    ORDER_PLACED = "order_placed"
    ORDER_CONFIRMED = "order_confirmed"
    ORDER_PREPARING = "order_preparing"
    ORDER_SHIPPED = "order_shipped"
    ORDER_DELIVERED = "order_delivered"
    ORDER_FULFILLED = "order_fulfilled"
    ORDER_CANCELLED = "order_cancelled"
    ORDER_RETURN_REQUESTED = "order_return_requested"
    ORDER_RETURNED = "order_returned"
    ORDER_EXCHANGED = "order_exchanged"
    REWARD_GRANTED = "reward_granted"
    VOUCHER_USED = "voucher_used"
    CONSENT_GIVEN = "consent_given"
    CONSENT_WITHDRAWN = "consent_withdrawn"
    PROFILE_CHANGED = "profile_changed"
    CARD_ADDED = "card_added"
    CARD_REMOVED = "card_removed"


@fast_init
@dataclass(frozen=True, slots=True)
class Notice:
    """One thing that happened. `params` are `points`, `tier`, `offer`, `reward`, `order` or `purpose`, by kind."""

    kind: NoticeKind
    params: Mapping[str, str | int] = field(default_factory=dict)
