"""Orders of rewards: what was ordered, where it stands, and which step may follow which, by whom."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from urllib.parse import quote

from loyalty.kernel.channel import Channel
from loyalty.kernel.text import Text
from loyalty.model.ledger import Cause, LotKey
from loyalty.model.reward import RewardKind
from loyalty.model.supply import CounterKey

QUANTITY_MAX = 100
NUMBER_LENGTH = 12
# Crockford's base 32: no I, L, O or U, which people misread.
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


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


# Roles as the ledger's causes name them.
STAFF = frozenset({"agent", "manager", "service"})
COUNTER = STAFF | {"till"}
SHOPPER = STAFF | {"member"}

_S = OrderState
# From each state, what may follow and who may do it. What is not here is refused. CANCELLED is reached by cancelling.
STEPS: Mapping[OrderState, Mapping[OrderState, frozenset[str]]] = {
    _S.PLACED: {_S.CONFIRMED: STAFF, _S.FULFILLED: COUNTER, _S.CANCELLED: SHOPPER},
    _S.CONFIRMED: {_S.PREPARING: STAFF, _S.FULFILLED: COUNTER, _S.CANCELLED: SHOPPER},
    _S.PREPARING: {_S.SHIPPED: STAFF, _S.FULFILLED: COUNTER, _S.CANCELLED: STAFF},
    _S.SHIPPED: {_S.DELIVERED: STAFF, _S.RETURNED: STAFF},
    _S.DELIVERED: {_S.RETURN_REQUESTED: SHOPPER, _S.RETURNED: STAFF, _S.EXCHANGED: STAFF},
    _S.FULFILLED: {_S.RETURN_REQUESTED: SHOPPER, _S.RETURNED: STAFF, _S.EXCHANGED: STAFF},
    _S.RETURN_REQUESTED: {_S.RETURNED: STAFF, _S.EXCHANGED: STAFF, _S.DELIVERED: STAFF, _S.FULFILLED: STAFF},
    _S.CANCELLED: {},
    _S.RETURNED: {},
    _S.EXCHANGED: {},
}
OVER = frozenset({_S.CANCELLED, _S.RETURNED, _S.EXCHANGED})


@dataclass(frozen=True, slots=True)
class OrderStep:
    """One step of an order's history: when, by which role, and a note for the member."""

    state: OrderState
    at: datetime
    by: str
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Recipient:
    """A relative whom the member gives the reward to."""

    name: str
    email: str | None = None
    phone: str | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """Where a reward is sent, or the store that it waits in."""

    name: str
    line1: str
    postal_code: str
    city: str
    country: str
    line2: str | None = None
    store: str | None = None


@dataclass(frozen=True, slots=True)
class Ordered:
    """The reward as it was ordered: an order can be shown when its reward is no longer in the catalogue."""

    key: str
    kind: RewardKind
    title: Text
    description: Text
    category: str
    points: int
    image: str | None = None
    partner: str | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """One order of `quantity` pieces for `points` in all.

    `lots` is where the points came from, as far as they have not gone back; `points_returned` and `returned` are the
    points and pieces that have. `took` is what it holds of what is shared, `pool` and `code` its code.
    `limit_key` and `limit_span` say what it counts against. `placed_version` is the member's in which its points were
    spent: see `loyalty/commands/advance_order.py`. `origin` names the offer or instant reward that gave it, the order
    it was exchanged for, or None where the member chose it. `version` is the member's at its last change.
    """

    id: str
    number: str
    member: str
    reward: Ordered
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

    @property
    def code_is_shown(self) -> bool:
        """Whether the member has been shown the code: once the order is fulfilled or delivered, and ever after."""
        return any(step.state in {OrderState.FULFILLED, OrderState.DELIVERED} for step in self.history)

    @property
    def before_request(self) -> OrderState:
        """The state that the order was in before its return was asked for."""
        states = [step.state for step in self.history]
        return OrderState.DELIVERED if OrderState.DELIVERED in states else OrderState.FULFILLED


def seed_of(programme: str, cause: Cause, name: str = "") -> str:
    """Return what tells apart all that is ever made: the caller's key, unique for ever, and `name` within it."""
    return "/".join(quote(part, safe="") for part in (programme, cause.operation, cause.subject, cause.key, name))


def order_number(seed: str) -> str:
    """Return the number of an order for people, three groups of four; the same seed gives the same number."""
    digest = int.from_bytes(sha256(seed.encode()).digest()[:8])
    characters = [_ALPHABET[digest >> 5 * place & 31] for place in range(NUMBER_LENGTH)]
    return "-".join("".join(characters[start : start + 4]) for start in range(0, NUMBER_LENGTH, 4))


def derived_id(seed: str) -> str:
    """Return the id of what a key made: the same key makes the same thing, whoever works it out."""
    return sha256(seed.encode()).hexdigest()[:24]


def points_for(order: Order, returned: int) -> int:
    """Return how many points all of `returned` pieces are worth: whole at the last piece, never more than they cost."""
    return order.points * returned // order.quantity
