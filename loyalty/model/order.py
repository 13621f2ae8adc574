"""Orders of rewards: their content, their state, and which role may move them from one state to another."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from hashlib import sha256
from urllib.parse import quote

from loyalty.kernel.channel import Channel
from loyalty.kernel.text import Text
from loyalty.model.ledger import Cause, LotKey
from loyalty.model.reward import FULFILLED_ON_PLACEMENT, RewardKind
from loyalty.model.supply import CounterKey

QUANTITY_MAX = 100
NUMBER_LENGTH = 12
# Crockford's base 32: without I, L, O and U, which people misread.
CODE_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


class OrderState(StrEnum):
    """The public API's states of an order."""

    PLACED = "PLACED"
    CONFIRMED = "CONFIRMED"
    PREPARING = "PREPARING"
    SHIPPED = "SHIPPED"
    DELIVERED = "DELIVERED"
    FULFILLED = "FULFILLED"
    CANCELLED = "CANCELLED"
    RETURN_REQUESTED = "RETURN_REQUESTED"
    RETURNED = "RETURNED"
    EXCHANGED = "EXCHANGED"


# Roles as `Cause.role` names them.
STAFF = frozenset({"agent", "manager", "service"})
STAFF_OR_TILL = STAFF | {"till"}
STAFF_OR_MEMBER = STAFF | {"member"}

_S = OrderState
# The allowed transitions and the roles that may make them. `CancelOrder` makes those to CANCELLED.
TRANSITIONS: Mapping[OrderState, Mapping[OrderState, frozenset[str]]] = {
    _S.PLACED: {_S.CONFIRMED: STAFF, _S.FULFILLED: STAFF_OR_TILL, _S.CANCELLED: STAFF_OR_MEMBER},
    _S.CONFIRMED: {_S.PREPARING: STAFF, _S.FULFILLED: STAFF_OR_TILL, _S.CANCELLED: STAFF_OR_MEMBER},
    _S.PREPARING: {_S.SHIPPED: STAFF, _S.FULFILLED: STAFF_OR_TILL, _S.CANCELLED: STAFF},
    _S.SHIPPED: {_S.DELIVERED: STAFF, _S.RETURNED: STAFF},
    _S.DELIVERED: {_S.RETURN_REQUESTED: STAFF_OR_MEMBER, _S.RETURNED: STAFF, _S.EXCHANGED: STAFF},
    _S.FULFILLED: {_S.RETURN_REQUESTED: STAFF_OR_MEMBER, _S.RETURNED: STAFF, _S.EXCHANGED: STAFF},
    _S.RETURN_REQUESTED: {_S.RETURNED: STAFF, _S.EXCHANGED: STAFF, _S.DELIVERED: STAFF, _S.FULFILLED: STAFF},
    _S.CANCELLED: {},
    _S.RETURNED: {},
    _S.EXCHANGED: {},
}
FINAL_STATES = frozenset({_S.CANCELLED, _S.RETURNED, _S.EXCHANGED})
# Orders of these kinds are sent if they have an address; without one, or with a store, they are collected there.
_SENT_OR_COLLECTED = frozenset({RewardKind.PHYSICAL, RewardKind.PARTNER})
_USED_IN_STORE = frozenset({RewardKind.DISCOUNT, RewardKind.SERVICE})


@dataclass(frozen=True, slots=True)
class OrderStep:
    """One state change in an order's history. `role` is the actor's; `note` is shown to the member."""

    state: OrderState
    at: datetime
    role: str
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Recipient:
    """The relative who receives the reward. MongoDB stores the fields under these names."""

    name: str
    email: str | None = None
    phone: str | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """The address a reward is sent to, or the store where it is collected. MongoDB stores these field names."""

    name: str
    line1: str
    postal_code: str
    city: str
    country: str
    line2: str | None = None
    store: str | None = None


@dataclass(frozen=True, slots=True)
class OrderedReward:
    """A copy of the reward as ordered, so that the order can be shown after the reward leaves the catalogue.

    `points` is the price of one piece. MongoDB stores the fields under these names.
    """

    key: str
    kind: RewardKind
    title: Text
    description: Text
    category: str
    points: int
    image: str | None = None
    partner: str | None = None


@dataclass(frozen=True, slots=True)
class VoucherUse:
    """The use of an order's voucher: when, in which store (None: the till named none) and on which channel."""

    at: datetime
    store: str | None
    channel: Channel


@dataclass(frozen=True, slots=True)
class Order:
    """One order of `quantity` pieces for `points` in total. MongoDB stores the fields under these names.

    - `lots`: the lots that paid, less the points returned to them. `points_returned`, `returned`: points and pieces
      returned so far.
    - `took`: the shared counters it occupies. `pool` and `code`: its code.
    - `limit_key` and `limit_span`: the limit and period it counts against; empty if none.
    - `placed_version`: the member's version that spent its points; see `loyalty/commands/advance_order.py`.
    - `origin`: the offer or instant reward that granted it, or the order it replaces; None if the member ordered it.
    - `exchanged_for`: the id of the order that replaced it. `version`: the member's version at its last change.
    - `voucher_expires_at`, `voucher_worth`: what the reward said of its voucher; the worth is that of one piece, in the
      programme's currency. `voucher_use`: its use at a till.
    """

    id: str
    number: str
    member: str
    reward: OrderedReward
    quantity: int
    points: int
    state: OrderState
    placed_at: datetime
    channel: Channel
    history: tuple[OrderStep, ...]
    lots: tuple[tuple[LotKey, int], ...] = ()
    points_returned: int = 0
    returned: int = 0
    recipient: Recipient | None = None
    delivery: Delivery | None = None
    appointment: datetime | None = None
    tracking_url: str | None = None
    took: tuple[tuple[CounterKey, int], ...] = ()
    pool: str | None = None
    code: str | None = None
    limit_key: str = ""
    limit_span: str = ""
    placed_version: int = 0
    origin: str | None = None
    exchanged_for: str | None = None
    version: int = 0
    voucher_expires_at: datetime | None = None
    voucher_worth: Decimal | None = None
    voucher_use: VoucherUse | None = None

    @property
    def has_voucher(self) -> bool:
        """Whether it is collected or used in a store, with a voucher; a code from a pool is a voucher of its own."""
        if self.pool is not None:
            return False
        if self.reward.kind in _SENT_OR_COLLECTED:
            return self.delivery is None or self.delivery.store is not None
        return self.reward.kind in _USED_IN_STORE

    @property
    def used_at(self) -> datetime | None:
        """When its voucher was used: at a till, or because staff handed it over without reading the voucher."""
        if self.voucher_use is not None:
            return self.voucher_use.at
        if self.reward.kind in FULFILLED_ON_PLACEMENT:
            return None
        return next((step.at for step in self.history if step.state is OrderState.FULFILLED), None)

    @property
    def is_withdrawable(self) -> bool:
        """Whether it is fulfilled, and its voucher was not used: what it was given for can still be undone."""
        return self.state is OrderState.FULFILLED and self.has_voucher and self.used_at is None

    @property
    def code_is_revealed(self) -> bool:
        """Whether the code was revealed to the member: true once the order was ever fulfilled or delivered."""
        return any(step.state in {OrderState.FULFILLED, OrderState.DELIVERED} for step in self.history)

    @property
    def state_before_request(self) -> OrderState:
        """The state before the return was requested: DELIVERED or FULFILLED."""
        states = [step.state for step in self.history]
        return OrderState.DELIVERED if OrderState.DELIVERED in states else OrderState.FULFILLED


def idempotency_seed(programme: str, cause: Cause, name: str = "") -> str:
    """Return a unique seed for ids, from the caller's idempotency key; `name` separates several items of one key."""
    return "/".join(quote(part, safe="") for part in (programme, cause.operation, cause.subject, cause.key, name))


def order_number(seed: str) -> str:
    """Return an order number for people, three groups of four characters; equal seeds give equal numbers."""
    digest = int.from_bytes(sha256(seed.encode()).digest()[:8])
    return grouped("".join(CODE_ALPHABET[digest >> 5 * place & 31] for place in range(NUMBER_LENGTH)))


def grouped(characters: str) -> str:
    """Return twelve characters in three groups of four, joined by dashes."""
    return "-".join(characters[start : start + 4] for start in range(0, NUMBER_LENGTH, 4))


def id_from_seed(seed: str) -> str:
    """Return a 24-digit hexadecimal id; equal seeds give equal ids, so that a retry creates the same item."""
    return sha256(seed.encode()).hexdigest()[:24]


def points_to_return(order: Order, returned: int) -> int:
    """Return the points to return for `returned` pieces in total, rounded down; the last piece completes the price."""
    return order.points * returned // order.quantity
