"""A programme with every kind of offer, reward, code pool and limit, and a client for it."""

from datetime import datetime
from typing import Any

from loyalty.commands.advance_order import AdvanceOrder, CancelOrder
from loyalty.commands.hold import HoldPoints, ReleaseHold
from loyalty.commands.offer import ActivateOffer, RedeemOffer
from loyalty.commands.place_order import PlaceOrder
from loyalty.commands.registry import Command
from loyalty.kernel.channel import Channel
from loyalty.kernel.digest import content_digest
from loyalty.model.hold import Hold
from loyalty.model.ledger import Cause
from loyalty.model.offer import purchase_reference
from loyalty.model.order import Order, OrderState, Recipient
from models.commits.request import Committed, Outcome, Request
from models.loading.code_pool import load_codes
from models.programmes.programme_store import apply_file
from support.outcome import committed
from support.clients.resolver_client import ResolverClient

FULL_PROGRAMME = """
programme: market
name: The Market
currency: USD
locale: en
time_zone: UTC
tiers:
  - key: guest
    name: {en: Guest}
    threshold: 0
    relatives: true
qualification: {period: lifetime}
expiry: {months: 3, end_of: month}
refunds: {spent_points: write_off}
orders: {grace_days: 30}
rules:
  - key: basket
    name: {en: A point per dollar}
    event: purchase
    rate: {points: 1, per: "1.00"}
offers:
  - key: double
    kind: MULTIPLIER
    title: {en: Double points}
    description: {en: On one basket.}
    first_day: 2026-01-01
    uses: {per_member: unlimited, in_all: 40}
    budget: 5000
    factor: 2
    returnable: true
  - key: five-off
    kind: AMOUNT_OFF
    title: {en: Five dollars off}
    description: {en: On one basket.}
    first_day: 2026-01-01
    uses: {per_member: unlimited}
    budget: "900.00"
    amount: "5.00"
  - key: tenth-off
    kind: PERCENT_OFF
    title: {en: Ten percent off}
    description: {en: On one basket.}
    first_day: 2026-01-01
    last_day: 2026-07-01
    uses: {per_member: unlimited}
    percent: 10
  - key: voucher
    kind: SERVICE
    title: {en: A car wash}
    description: {en: With a code of your own.}
    first_day: 2026-01-01
    last_day: 2026-07-01
    activation: true
    code: {pool: washes}
  - key: loaf
    kind: GIFT
    title: {en: A loaf}
    description: {en: On the house.}
    first_day: 2026-01-01
    uses: {per_member: unlimited}
    reward: bread
rewards:
  - key: bread
    kind: PHYSICAL
    title: {en: Bread}
    description: {en: A loaf.}
    category: food
    points: 10
    stock: 40
  - key: cake
    kind: PHYSICAL
    title: {en: Cake}
    description: {en: One a month.}
    category: food
    points: 10
    limit: {orders: 1, per: month}
  - key: film
    kind: DIGITAL_CODE
    title: {en: A film}
    description: {en: A code.}
    category: leisure
    points: 20
    pool: films
  - key: bouquet
    kind: PARTNER
    title: {en: A bouquet}
    description: {en: A code for a florist.}
    category: leisure
    points: 20
    partner: Rosewood
    pool: flowers
  - key: massage
    kind: SERVICE
    title: {en: A massage}
    description: {en: Half an hour.}
    category: care
    points: 15
    appointments: {hours: 10:00-18:00, minutes: 30, capacity: 2}
instant_rewards:
  - key: hundred
    name: {en: A loaf for a hundred}
    reward: bread
    minimum: 100
    limit: {orders: 2, per: day}
"""


class FullProgrammeClient(ResolverClient):
    """A ResolverClient for FULL_PROGRAMME that commits commands directly."""

    @classmethod
    async def opened(cls, resolver_client: ResolverClient) -> "FullProgrammeClient":
        """Apply the programme and load its codes."""
        client = cls(resolver_client.services, resolver_client.clock, programme="market", keys=resolver_client.keys)
        await client.apply(FULL_PROGRAMME)
        for pool in ("films", "flowers", "washes"):
            await load_codes(
                resolver_client.services.database, "market", pool, [f"{pool}-{number}" for number in range(30)]
            )
        return client

    async def apply(self, source: str) -> None:
        """Apply a file as the newest version of the programme."""
        document, _ = await apply_file(self.services.database, source, now=self.clock(), applied_by="tests")
        self.services.programmes.apply_version(document)

    async def send(self, operation: str, member: str, command: Any, *, role: str = "agent", **fields: Any) -> Outcome:
        """Commit a command for a member with a new key."""
        cause = Cause(operation, role, role, self.key(), "a reason")
        requested: Command = command(**fields, cause=cause)
        digest = content_digest({"key": cause.key})
        programme = self.services.programmes.get(self.programme)
        return await self.services.committer.commit(Request(requested, member, programme, self.clock(), digest))

    async def try_order(self, member: str, reward: str, quantity: int = 1, **about: Any) -> Outcome:
        """Order a reward; return the outcome."""
        fields = {"reward": reward, "quantity": quantity, "channel": Channel.APP, **about}
        return await self.send("place-order", member, PlaceOrder, **fields)

    async def order(self, member: str, reward: str, quantity: int = 1, **about: Any) -> Order:
        """Order a reward; fail the test if it is refused."""
        return committed(await self.try_order(member, reward, quantity, **about)).orders[0]

    async def cancel(self, order: Order) -> Outcome:
        """Cancel an order."""
        return await self.send("cancel-order", order.member, CancelOrder, order=order.id)

    async def advance(self, order: Order, *states: OrderState, **about: Any) -> Committed:
        """Advance an order through `states`; fail the test if it is refused. `about` belongs to the last state."""
        for state in states[:-1]:
            committed(await self.send("advance-order", order.member, AdvanceOrder, order=order.id, state=state))
        fields = {"order": order.id, "state": states[-1], **about}
        return committed(await self.send("advance-order", order.member, AdvanceOrder, **fields))

    async def hold(self, member: str, reward: str | None, points: int | None = None, seconds: int = 600) -> Hold:
        """Hold points or a reward; fail the test if it is refused."""
        fields: dict[str, Any] = {"reward": reward, "points": points, "ttl_seconds": seconds, "channel": Channel.APP}
        held = committed(await self.send("hold", member, HoldPoints, **fields)).hold
        assert held is not None
        return held

    async def release(self, member: str, hold: Hold) -> Outcome:
        """Release a hold."""
        return await self.send("release-hold", member, ReleaseHold, hold=hold.id)

    async def activate(self, member: str, offer: str) -> Outcome:
        """Activate an offer."""
        return await self.send("activate", member, ActivateOffer, offer=offer, channel=Channel.APP)

    async def redeem(self, member: str, offer: str, purchase: str | None = None) -> Outcome:
        """Redeem an offer at the till; `purchase` is the key of its purchase."""
        fields = {
            "offer": offer,
            "purchase": purchase_reference("till", purchase) if purchase is not None else None,
            "channel": Channel.STORE,
            "store": None,
            "occurred_at": self.clock(),
        }
        return await self.send("redeem", member, RedeemOffer, role="till", **fields)

    def appointment(self, hour: int) -> datetime:
        """Return an appointment of tomorrow."""
        return self.clock().replace(day=self.clock().day + 1, hour=hour, minute=0, second=0, microsecond=0)


RELATIVE = Recipient("Amina")
