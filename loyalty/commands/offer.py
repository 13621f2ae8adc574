"""Offers: activated, redeemed, released, seen and refused; what a use gives, and the purchase that it is bound to.

An offer is judged at the time, channel, store and partner of its purchase. If the purchase is still to come, the use is
judged as it is reported, and again when the purchase is recorded: a use that gives nothing then does not count.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import ROUND_DOWN, Decimal
from zoneinfo import ZoneInfo

from loyalty.commands.allocation import free_code, needs_of_rewards, segmentation_input
from loyalty.commands.consequences import needs_of_consequences, reverse, use_restored
from loyalty.commands.decision_builder import BALANCE_MAX, DecisionBuilder
from loyalty.commands.open_redemptions import names_no_sender, resolved_reference, uses_that_may_be_for
from loyalty.commands.place_order import grant
from loyalty.commands.registry import Members, handles
from loyalty.kernel.calendar import day_of
from loyalty.kernel.channel import Channel
from loyalty.kernel.proportion import allocate_proportionally, spread
from loyalty.kernel.refusal import Refusal, RefusalCode
from loyalty.model.decision import Decision
from loyalty.model.event import (
    ACTIVATION,
    OFFER_RULE,
    PURCHASE,
    REDEMPTION,
    Consequence,
    ConsequenceEnd,
    Event,
    Grant,
    Purchase,
    RecordedEvent,
    is_ahead,
)
from loyalty.model.explanation import Explanation, RuleOutcome
from loyalty.model.facts import Needs, combined
from loyalty.model.ledger import Cause
from loyalty.model.member import Member
from loyalty.model.notice import NoticeKind
from loyalty.model.offer import (
    EARNING_KINDS,
    EVERYBODY,
    Audience,
    CodeKind,
    Offer,
    OfferKind,
    OfferUse,
    purchase_reference,
    uses_left,
)
from loyalty.model.programme import Programme
from loyalty.model.references.senders import open_reference, split_reference
from loyalty.model.supply import CodeState, CodeTransition
from loyalty.rules.availability import ANYWHERE, Obstacle, Visit, obstacles, outcome_of
from loyalty.rules.earning import EarningResult
from loyalty.rules.money_paid import paid_by_part, weights_of
from loyalty.rules.offer_cost import MONEY_KINDS, WHOLE_PERCENT, cost_at_most, cost_of, stated_cost
from loyalty.rules.refund import points_reversed

NOTED_MAX = 100
# Purchases of one member that offers were used for and that have not been recorded yet.
PENDING_PURCHASES_MAX = 500


@dataclass(frozen=True, slots=True)
class ActivateOffer:
    """Activate an offer. `channel` None: not known."""

    offer: str
    channel: Channel | None
    cause: Cause


@dataclass(frozen=True, slots=True)
class RedeemOffer:
    """Use an offer. `purchase` is the reference of its purchase, counted already or still to come.

    `occurred_at` is the till's own time: it may have been offline. `names_sender`: the caller named the purchase's
    sender; otherwise the purchase may also be of another sender that this one may refer to.
    """

    offer: str
    purchase: str | None
    channel: Channel
    store: str | None
    occurred_at: datetime
    cause: Cause
    names_sender: bool = False


@dataclass(frozen=True, slots=True)
class ReleaseOffer:
    """Undo the use of an offer whose sale never came about. `purchase` is the reference that the use named."""

    offer: str
    purchase: str
    channel: Channel
    cause: Cause
    names_sender: bool = False


@dataclass(frozen=True, slots=True)
class RecordOfferViews:
    """Note which offers a member has seen, and which it refused."""

    seen: tuple[str, ...]
    refused: tuple[str, ...]
    cause: Cause


def _not_eligible(reason: str, **params: str | int) -> Refusal:
    return Refusal(RefusalCode.NOT_ELIGIBLE, reason, ("offer",), params)


def unusable_reason(offer: Offer, at: datetime, programme: Programme, channel: Channel | None) -> Refusal | None:
    """Return why nobody can use an offer at a moment on a channel (None: on any), or None."""
    visit = Visit(at, at.astimezone(programme.zone), channel)
    return _obstacle_refusal(offer, visit, programme.zone, stores=ANYWHERE, audience=EVERYBODY)


def _obstacle_refusal(
    offer: Offer, visit: Visit, zone: ZoneInfo, *, stores: frozenset[str], audience: Audience
) -> Refusal | None:
    """Return why an offer is not available; `stores` and `audience` are the offer's own, or those that fit all."""
    found = obstacles(
        visit,
        starts_at=offer.starts_at,
        ends_at=offer.ends_at,
        window=offer.window,
        channels=offer.channels,
        stores=stores,
        audience=audience,
    )
    match next(found, None):
        case None:
            return None
        case Obstacle.OVER:
            return Refusal(RefusalCode.EXPIRED, "offer_over", ("offer",))
        case Obstacle.NOT_YET:
            return _not_eligible("offer_not_yet", day=day_of(offer.starts_at, zone).isoformat())
        case Obstacle.WEEKDAY | Obstacle.HOURS:
            return _not_eligible("offer_window")
        case Obstacle.CHANNEL:
            return _not_eligible("offer_channel", channels=", ".join(sorted(offer.channels)))
        case Obstacle.STORE:
            return _not_eligible("offer_store")
        case _:
            return _not_eligible("offer_audience")


def _used_up(offer: Offer, use: OfferUse, builder: DecisionBuilder) -> Refusal | None:
    """Return which of its limits an offer has reached, or None."""
    if uses_left(offer, use) == 0:
        return Refusal(RefusalCode.LIMIT_REACHED, "offer_used", ("offer",), {"uses": offer.uses_per_member_max or 0})
    if offer.uses_max is not None and builder.counter(offer.uses_counter_key) >= offer.uses_max:
        return Refusal(RefusalCode.LIMIT_REACHED, "offer_used_up", ("offer",))
    if offer.budget is not None and builder.counter(offer.budget_counter_key) >= offer.budget:
        return Refusal(RefusalCode.LIMIT_REACHED, "offer_used_up", ("offer",))
    return None


def _engagement(kind: str, offer: Offer, cause: Cause, at: datetime, channel: Channel) -> Event:
    """Return an activation or redemption as an event, which rules may reward."""
    attributes = {"offer": offer.key, "kind": offer.kind.value}
    return Event(cause.key, cause.subject, kind, at, channel, attributes=attributes)


def _found(programme: Programme, key: str) -> Offer | Refusal:
    offer = programme.catalogue.offers.get(key)
    return offer if offer is not None else Refusal(RefusalCode.NOT_FOUND, "offer_not_found", ("offer",))


def needs_of_offers(keys: Iterable[str], programme: Programme, *, activates: bool = False) -> Needs:
    """Return what using some offers may depend on."""
    offers = [offer for offer in map(programme.catalogue.offers.get, keys) if offer is not None]
    counters = frozenset(counter for offer in offers for counter in offer.counters())
    pools = [offer.code.text for offer in offers if offer.code is not None and offer.code.kind is CodeKind.POOL]
    lists = any(offer.audience.lists for offer in offers)
    return Needs(counters, dict.fromkeys(pools, 1) if activates else {}, lists=lists)


def _needs(command: ActivateOffer | RedeemOffer, _members: Members, programme: Programme) -> Needs:
    offer = programme.catalogue.offers.get(command.offer)
    rewards = (offer.reward,) if offer is not None and offer.reward is not None else ()
    offers = needs_of_offers((command.offer,), programme, activates=isinstance(command, ActivateOffer))
    return combined([offers, needs_of_rewards(rewards, programme)])


@handles(ActivateOffer, operation="activate", needs=_needs)
def activate(command: ActivateOffer, builder: DecisionBuilder) -> Decision | Refusal:
    """Return the decision to activate an offer, once."""
    offer = _found(builder.programme, command.offer)
    if isinstance(offer, Refusal):
        return offer
    use, zone = builder.member.offer_use(offer.key), builder.programme.zone
    refusal = unusable_reason(offer, builder.now, builder.programme, command.channel)
    if refusal is None and not offer.needs_activation:
        refusal = Refusal(RefusalCode.INVALID, "offer_no_activation", ("offer",))
    if refusal is None and use.activated_at is not None:
        refusal = Refusal(RefusalCode.ALREADY_EXISTS, "offer_activated", ("offer",))
    if refusal is None:
        segmentation = segmentation_input(builder, offer.audience)
        visit = Visit(builder.now, builder.now.astimezone(zone), command.channel, segmentation=segmentation)
        refusal = _obstacle_refusal(offer, visit, zone, stores=ANYWHERE, audience=offer.audience)
    refusal = refusal or _used_up(offer, use, builder)
    if refusal is not None:
        return refusal
    if offer.code is not None and offer.code.kind is CodeKind.POOL:
        code = free_code(offer.code.text, builder)
        if code is None:
            return Refusal(RefusalCode.OUT_OF_STOCK, "offer_codes_gone", ("offer",))
        builder.code_moves.append(
            CodeTransition(offer.code.text, code, CodeState.FREE, CodeState.ISSUED, f"offer/{offer.key}")
        )
        use = replace(use, code=code)
    builder.set_offer(offer.key, replace(use, activated_at=builder.now, refused_at=None))
    builder.notice(NoticeKind.OFFER_ACTIVATED, offer=offer.key)
    channel = command.channel or Channel.SYSTEM
    builder.record_engagement(_engagement(ACTIVATION, offer, command.cause, builder.now, channel))
    return builder.close(command.cause)


@handles(RecordOfferViews, operation="note-offers")
def record_offer_views(command: RecordOfferViews, builder: DecisionBuilder) -> Decision | Refusal:
    """Return the decision to note which offers a member saw and refused."""
    if len(command.seen) + len(command.refused) > NOTED_MAX:
        return Refusal(RefusalCode.LIMIT_REACHED, "offers_noted_max", ("seen",), {"max": NOTED_MAX})
    for field, keys in (("seen", command.seen), ("refused", command.refused)):
        for place, key in enumerate(keys):
            if key not in builder.programme.catalogue.offers:
                return Refusal(RefusalCode.NOT_FOUND, "offer_not_found", (field, str(place)))
    for key in command.seen:
        use = builder.member.offer_use(key)
        builder.set_offer(key, replace(use, seen=use.seen + 1))
    for key in command.refused:
        builder.set_offer(key, replace(builder.member.offer_use(key), refused_at=builder.now))
    return builder.close(command.cause)


def _counted(purchase: RecordedEvent | None) -> RecordedEvent | None:
    """Return the purchase of a use if it counts; an offer waits for a claim as for a purchase that is still to come."""
    return purchase if purchase is not None and purchase.is_counted else None


def _purchase_of(command: RedeemOffer | ReleaseOffer) -> str | None:
    return command.purchase


@handles(RedeemOffer, operation="redeem", needs=_needs, refers_to=_purchase_of, refers_openly=names_no_sender)
def redeem(command: RedeemOffer, builder: DecisionBuilder) -> Decision | Refusal:
    """Return the decision to use an offer: the use counts, and gives now, or when its purchase is recorded.

    A use that gives nothing for a recorded purchase does not count; an entry says so.
    """
    offer = _found(builder.programme, command.offer)
    if isinstance(offer, Refusal):
        return offer
    reference = resolved_reference(command, builder)
    if isinstance(reference, Refusal):
        return reference
    command = replace(command, purchase=reference) if reference != command.purchase else command
    refusal = _unredeemable(offer, command, builder)
    if refusal is not None:
        return refusal
    event = _engagement(REDEMPTION, offer, command.cause, command.occurred_at, command.channel)
    event = replace(event, store=command.store)
    purchase = _counted(builder.facts.purchase)
    gain = _gain(offer, purchase, builder) if purchase is not None else _gain_without_purchase(offer, command, builder)
    if gain.is_nothing:
        builder.explain_use(event, [gain.why or _given(offer, 0), use_restored(gain.rule)])
        builder.notice(NoticeKind.OFFER_RETURNED, offer=offer.key)
        return builder.close(command.cause, consequences=())
    use = _count_use(offer, command, event, gain, builder)
    if gain.bonus is not None and gain.why is not None:
        if purchase is not None:
            builder.add_bonus(event, purchase, gain.bonus, gain.why)
        else:
            builder.give_bonus(event, gain.bonus.points, gain.why, qualifying=offer.qualifying)
    if builder.member.lifetime_points > BALANCE_MAX:
        return Refusal(RefusalCode.LIMIT_REACHED, "balance_limit", ("offer",), {"max": BALANCE_MAX})
    if offer.kind is OfferKind.GIFT and offer.reward is not None:
        granted = grant(builder, offer.reward, origin=use.rule, cause=command.cause)
        if isinstance(granted, Refusal):
            return replace(granted, path=("offer",))
        use = replace(use, order=granted.id)
    return _close_use(command, use, gain, builder)


def _close_use(command: RedeemOffer, use: Consequence, gain: "_Gain", builder: DecisionBuilder) -> Decision:
    """Store a use: with its purchase, or in the member until that counts, or with its own key."""
    purchase = _counted(builder.facts.purchase)
    if purchase is not None:
        grants = (*purchase.grants, gain.bonus) if gain.bonus is not None else purchase.grants
        amended = replace(purchase, grants=grants, consequences=(*purchase.consequences, use))
        return builder.close(command.cause, amended_purchase=amended, consequences=())
    if command.purchase is not None:
        builder.add_pending_use(command.purchase, replace(use, store=command.store))
        return builder.close(command.cause, consequences=())
    return builder.close(command.cause, consequences=(use,))


def _count_use(
    offer: Offer, command: RedeemOffer, event: Event, gain: "_Gain", builder: DecisionBuilder
) -> Consequence:
    """Count a use and what it costs, and credit what rules give for the use itself."""
    builder.set_offer(offer.key, builder.member.offer_use(offer.key).with_use(command.occurred_at))
    builder.notice(NoticeKind.OFFER_REDEEMED, offer=offer.key)
    rewarded = builder.record_engagement(event)
    builder.counter_changes[offer.uses_counter_key] += 1
    use = Consequence(
        gain.rule,
        uses=1,
        charge=_charge_budget(offer, gain.cost, builder),
        returnable=offer.restores_use_on_refund,
    )
    if rewarded is None or not any(given.points for given in rewarded.grants):
        return use
    return replace(use, grants=rewarded.grants, earned_on=rewarded.earned_on, expires_on=rewarded.expires_on)


def _released(command: ReleaseOffer, member: Member, programme: Programme) -> list[str]:
    """Return the references of the uses that a release undoes: the caller's, and of those that it may refer to."""
    is_open = not command.names_sender and programme.senders.refers_to_others(command.cause.subject)
    purchase = open_reference(command.purchase) if is_open else command.purchase
    return [
        reference
        for reference, _ in uses_that_may_be_for(member, purchase, programme.senders)
        if reference == command.purchase
        or programme.senders.may_refer(command.cause.subject, split_reference(reference)[0])
    ]


def _needs_of_release(command: ReleaseOffer, members: Members, programme: Programme) -> Needs:
    (member,) = members
    if member is None:
        return needs_of_consequences(())
    uses = [use for reference in _released(command, member, programme) for use in member.pending_uses[reference]]
    return needs_of_consequences(uses)


@handles(
    ReleaseOffer,
    operation="release-offer",
    needs=_needs_of_release,
    refers_to=_purchase_of,
    refers_openly=names_no_sender,
)
def release(command: ReleaseOffer, builder: DecisionBuilder) -> Decision | Refusal:
    """Return the decision to undo a use that waits for its purchase, with everything that it gave.

    Refused once the purchase is recorded (a refund undoes the use then), or once its gift was handed over.
    """
    reference = resolved_reference(command, builder)
    if isinstance(reference, Refusal):
        return reference
    purchase = builder.facts.purchase
    if purchase is not None and purchase.member == builder.member.id and _is_used_for(command.offer, purchase):
        return Refusal(RefusalCode.CONFLICT, "offer_purchase_recorded", ("purchaseKey",))
    released = _released(command, builder.member, builder.programme)
    uses = [use for waiting in released for use in builder.take_pending_uses(waiting, command.offer)]
    if not uses:
        return Refusal(RefusalCode.NOT_FOUND, "offer_use_not_found", ("purchaseKey",))
    explained: list[Explanation] = []
    for use in uses:
        ended, why = reverse(use, builder, command.cause, at=builder.now, channel=command.channel, never_happened=True)
        if ended.end is ConsequenceEnd.GONE:
            return Refusal(RefusalCode.CONFLICT, "offer_gift_gone", ("purchaseKey",))
        explained += why
    builder.explain_release(command.offer, explained, command.channel)
    return builder.close(command.cause)


def _unredeemable(offer: Offer, command: RedeemOffer, builder: DecisionBuilder) -> Refusal | None:
    if is_ahead(command.occurred_at, builder.now):
        return Refusal(RefusalCode.INVALID, "occurred_in_future", ("occurredAt",))
    refusal = builder.expired_event(builder.lot_days(command.occurred_at), command.cause)
    if refusal is not None:
        return refusal
    use, zone = builder.member.offer_use(offer.key), builder.programme.zone
    visit, audience = _visit(command, builder), _audience(offer, use)
    visit = replace(visit, segmentation=segmentation_input(builder, audience))
    refusal = _obstacle_refusal(offer, visit, zone, stores=offer.stores, audience=audience)
    if refusal is None and not _is_activated(offer, use, visit.at, zone):
        refusal = _not_eligible("offer_not_activated")
    return refusal or _used_up(offer, use, builder) or _purchase_refusal(offer, command, builder)


def _visit(command: RedeemOffer, builder: DecisionBuilder) -> Visit:
    """Return when and where an offer is judged: at its purchase if that is recorded, else as the use says."""
    purchase, zone = builder.facts.purchase, builder.programme.zone
    if purchase is not None and purchase.member == builder.member.id:
        return _visit_of(purchase.event, command.store, zone)
    return Visit(command.occurred_at, command.occurred_at.astimezone(zone), command.channel, command.store)


def _visit_of(event: Event, store: str | None, zone: ZoneInfo) -> Visit:
    """Return when and where a purchase was made; `store` is where the offer was used, if the purchase names none."""
    at = event.occurred_at
    return Visit(at, at.astimezone(zone), event.channel, event.store or store, event.partner)


def _audience(offer: Offer, use: OfferUse) -> Audience:
    # A member who has activated an offer keeps it, even after leaving its tier or segment.
    return EVERYBODY if offer.needs_activation or use.activated_at is not None else offer.audience


def _is_activated(offer: Offer, use: OfferUse, at: datetime, zone: ZoneInfo) -> bool:
    """Return whether an offer was activated by the day of a moment, if it must be."""
    if not offer.needs_activation:
        return True
    return use.activated_at is not None and day_of(use.activated_at, zone) <= day_of(at, zone)


def _is_used_for(offer: str, purchase: RecordedEvent) -> bool:
    return any(one.offer == offer and one.uses for one in purchase.consequences)


def _purchase_refusal(offer: Offer, command: RedeemOffer, builder: DecisionBuilder) -> Refusal | None:
    """Return why an offer cannot be used for its purchase, or None."""
    purchase = builder.facts.purchase
    if command.purchase is None:
        is_missing = offer.kind is OfferKind.MULTIPLIER
        return Refusal(RefusalCode.INVALID, "purchase_key_missing", ("purchaseKey",)) if is_missing else None
    if purchase is None:
        return _pending_refusal(offer, command.purchase, builder)
    if purchase.member != builder.member.id or purchase.event.type != PURCHASE:
        return Refusal(RefusalCode.CONFLICT, "purchase_of_another", ("purchaseKey",))
    if not purchase.is_counted:
        return _pending_refusal(offer, command.purchase, builder)  # it waits for its till, and the offer waits for it
    if _is_used_for(offer.key, purchase):
        return _used_for_purchase()
    if purchase.is_returned:
        return Refusal(RefusalCode.CONFLICT, "refund_done", ("purchaseKey",))
    if offer.partners and purchase.event.partner not in offer.partners:
        return _not_eligible("offer_partner")
    unknown = _unknown_cost(offer, purchase.event, builder)
    if unknown is not None:
        return replace(unknown, path=("purchaseKey",))
    if offer.kind in EARNING_KINDS:
        # Its points would go into the purchase's lot, and expire at once.
        refusal = builder.expired_event(builder.lot_days(purchase.event.occurred_at), command.cause)
        return replace(refusal, path=("purchaseKey",)) if refusal is not None else None
    return None


def _pending_refusal(offer: Offer, purchase: str, builder: DecisionBuilder) -> Refusal | None:
    """Return why an offer cannot be used for a purchase that is still to come, or None."""
    pending = builder.member.pending_uses
    waiting = uses_that_may_be_for(builder.member, purchase, builder.programme.senders)
    if any(use.offer == offer.key for _, uses in waiting for use in uses):
        return _used_for_purchase()
    if purchase not in pending and len(pending) >= PENDING_PURCHASES_MAX:
        params = {"max": PENDING_PURCHASES_MAX}
        return Refusal(RefusalCode.LIMIT_REACHED, "offer_purchases_pending", ("purchaseKey",), params)
    return None


def _used_for_purchase() -> Refusal:
    return Refusal(RefusalCode.CONFLICT, "offer_used_for_purchase", ("purchaseKey",))


def _cost(offer: Offer, purchase: Purchase | None, builder: DecisionBuilder) -> int | None:
    if purchase is None:
        return 0
    return cost_of(offer, purchase, builder.member, builder.programme.budget_unit)


def unknown_cost_refusal(event: Event, builder: DecisionBuilder) -> Refusal | None:
    """Return the refusal of a purchase that does not say what an offer with a budget took off, or None."""
    if not builder.member.pending_uses:
        return None
    waiting = builder.member.pending_uses.get(purchase_reference(event.sender, event.key), ())
    offers = (builder.programme.catalogue.offers.get(use.offer or "") for use in waiting)
    return next((refusal for offer in offers if (refusal := _unknown_cost(offer, event, builder))), None)


def _unknown_cost(offer: Offer | None, event: Event, builder: DecisionBuilder) -> Refusal | None:
    if offer is None or offer.budget is None or _cost(offer, event.purchase, builder) is not None:
        return None
    return Refusal(RefusalCode.INVALID, "offer_cost_unknown", ("purchase", "discounts"), {"offer": offer.key})


def _within_budget(offer: Offer, points: int, builder: DecisionBuilder) -> int:
    if offer.budget is None:
        return points
    return max(0, min(points, offer.budget - builder.counter(offer.budget_counter_key)))


def _charge_budget(offer: Offer, cost: int, builder: DecisionBuilder) -> int:
    """Charge what an offer costs to its budget, if it has one; return what was charged, which a return restores."""
    if offer.budget is None:
        return 0
    builder.counter_changes[offer.budget_counter_key] += cost
    return cost


def _given(offer: Offer, points: int) -> Explanation:
    reason = RuleOutcome.AWARDED if points else RuleOutcome.NO_POINTS
    return Explanation(f"{OFFER_RULE}{offer.key}", points, applied=bool(points), reason=reason)


def _bonus(offer: Offer, grants: Iterable[Grant], purchase: Purchase | None, parts: int | None = None) -> Grant:
    """Return what an earning offer gives for a purchase that earned `grants`, spread over its `parts`."""
    by_line = [sum(points) for points in zip(*(given.by_line for given in grants), strict=True)]
    paid = paid_by_part(purchase, parts)
    base = by_line or [0] * len(paid)
    if offer.kind is OfferKind.MULTIPLIER and offer.factor is not None:
        more = (offer.factor - 1) * sum(base)
        points = int(max(more, Decimal(0)).quantize(Decimal(1), ROUND_DOWN))
        weights = base
    else:
        points, weights = offer.points or 0, weights_of(purchase, paid)
    return Grant(f"{OFFER_RULE}{offer.key}", spread(points, weights), offer.qualifying)


def _limited(offer: Offer, bonus: Grant, builder: DecisionBuilder) -> tuple[Grant, Explanation]:
    """Return a bonus within the offer's budget, and its explanation."""
    points = _within_budget(offer, bonus.points, builder)
    if points == bonus.points:
        return bonus, _given(offer, points)
    cut = replace(bonus, by_line=allocate_proportionally(points, [Decimal(part) for part in bonus.by_line]))
    reason = RuleOutcome.CAPPED if points else RuleOutcome.CAP_REACHED
    return cut, replace(_given(offer, points), reason=reason, params={"cap": offer.budget or 0})


@dataclass(frozen=True, slots=True)
class _Gain:
    """What the use of an offer gives: `bonus` points, explained by `why`, at a `cost` to its budget.

    `is_nothing`: the use gives the member nothing, so it does not count.
    """

    rule: str
    cost: int = 0
    bonus: Grant | None = None
    why: Explanation | None = None
    is_nothing: bool = False


def _gain_without_purchase(offer: Offer, command: RedeemOffer, builder: DecisionBuilder) -> _Gain:
    """Return what an offer gives before its purchase is recorded, or without any."""
    rule = f"{OFFER_RULE}{offer.key}"
    if command.purchase is not None or offer.kind is not OfferKind.BONUS_POINTS:
        # The maximum cost is charged now: purchases that are still to come must not exceed the budget.
        return _Gain(rule, cost_at_most(offer, builder.programme.budget_unit))
    points = _within_budget(offer, offer.points or 0, builder)
    return _Gain(rule, points, Grant(rule, (points,), offer.qualifying), _given(offer, points), is_nothing=not points)


def _gain(offer: Offer, recorded: RecordedEvent, builder: DecisionBuilder) -> _Gain:
    """Return what an offer gives for a purchase that is recorded already."""
    rule, purchase = f"{OFFER_RULE}{offer.key}", recorded.event.purchase
    if offer.kind not in EARNING_KINDS:
        return _money_gain(offer, purchase, _cost(offer, purchase, builder) or 0, builder)
    by_rules = [given for given in recorded.grants if not given.rule.startswith(OFFER_RULE)]
    parts = len(recorded.shares_returned)
    bonus, why = _limited(offer, _bonus(offer, by_rules, purchase, parts), builder)
    remaining = bonus.points - points_reversed(recorded, bonus)
    return _Gain(rule, bonus.points, bonus, why, is_nothing=not remaining)


def _money_gain(offer: Offer, purchase: Purchase | None, cost: int, builder: DecisionBuilder) -> _Gain:
    """Return what an offer takes off a purchase, at a cost; nothing if the purchase says so, or had no price."""
    rule = f"{OFFER_RULE}{offer.key}"
    if purchase is None or offer.kind not in MONEY_KINDS:
        return _Gain(rule, cost)
    stated = stated_cost(offer, purchase, builder.member, builder.programme.budget_unit)
    is_worked_back = stated is None and offer.percent is not None and offer.percent < WHOLE_PERCENT
    if stated == 0 or (is_worked_back and cost == 0):
        why = Explanation(rule, 0, applied=False, reason=RuleOutcome.NOTHING_OFF)
        return _Gain(rule, cost, why=why, is_nothing=True)
    return _Gain(rule, cost)


def needs_of_pending(uses: Iterable[Consequence], programme: Programme) -> Needs:
    """Return what recording a purchase may depend on because of the offers used for it."""
    waiting = [*uses]
    keys = [use.offer for use in waiting if use.offer is not None]
    return combined([needs_of_offers(keys, programme), needs_of_consequences(waiting)])


def apply_pending_uses(
    event: Event, earned: EarningResult, builder: DecisionBuilder, cause: Cause
) -> tuple[Consequence, ...]:
    """Apply the offers that waited for a purchase to its earning; return those that count.

    A multiplier multiplies what the rules gave, never what another offer gave, so their order does not matter. An offer
    that is not for this purchase, or gives nothing for it, is released.
    """
    if not builder.member.pending_uses:
        return ()
    counted: list[Consequence] = []
    by_rules = tuple(earned.grants)
    for use in builder.take_pending_uses(purchase_reference(event.sender, event.key)):
        offer = builder.programme.catalogue.offers.get(use.offer or "")
        if offer is None:  # gone from the programme: nothing says what it was, so it stays as it was used
            counted.append(replace(use, store=None))
            continue
        # The same offer may have been used for a claim and for the till's purchase, which are one.
        is_second = any(one.rule == use.rule for one in counted)
        gain = _Gain(use.rule, is_nothing=True) if is_second else _pending_gain(offer, use, event, by_rules, builder)
        why = [gain.why] if gain.why is not None else []
        if not gain.is_nothing:
            earned.grants = [*earned.grants, gain.bonus] if gain.bonus is not None else earned.grants
            earned.explanations = [*earned.explanations, *why]
            charge = _charge_budget(offer, gain.cost - use.charge, builder)
            counted.append(replace(use, charge=use.charge + charge, store=None))
            continue
        ended, restored = reverse(use, builder, cause, at=event.occurred_at, channel=event.channel, never_happened=True)
        earned.explanations = [*earned.explanations, *why, *restored]
        if ended.end is ConsequenceEnd.GONE:  # the gift was handed over meanwhile
            counted.append(replace(use, store=None))
    return tuple(counted)


def _pending_gain(
    offer: Offer, use: Consequence, event: Event, by_rules: Sequence[Grant], builder: DecisionBuilder
) -> _Gain:
    """Return what an offer gives for the purchase that it waited for."""
    rule, purchase = f"{OFFER_RULE}{offer.key}", event.purchase
    stated = (
        stated_cost(offer, purchase, builder.member, builder.programme.budget_unit) if purchase is not None else None
    )
    if not stated:
        # A till that states a discount for the offer has given it already.
        obstacle = _obstacle_to(offer, use, event, builder)
        if obstacle is not None:
            why = Explanation(rule, 0, applied=False, reason=obstacle)
            return _Gain(rule, why=why, is_nothing=True)
    if offer.kind in EARNING_KINDS:
        bonus, why = _limited(offer, _bonus(offer, by_rules, purchase), builder)
        return _Gain(rule, bonus.points, bonus, why, is_nothing=not bonus.points)
    # What was reserved becomes the actual cost; an amount stays as it was when it was used, unless stated.
    is_as_used = offer.kind is OfferKind.AMOUNT_OFF and stated is None
    cost = use.charge if is_as_used else _cost(offer, purchase, builder) or 0
    return _money_gain(offer, purchase, cost, builder)


def _obstacle_to(offer: Offer, use: Consequence, event: Event, builder: DecisionBuilder) -> RuleOutcome | None:
    """Return why an offer is not for a purchase, judged at the purchase's own time and place, or None."""
    zone = builder.programme.zone
    visit = _visit_of(event, use.store, zone)
    found = obstacles(
        visit,
        starts_at=offer.starts_at,
        ends_at=offer.ends_at,
        window=offer.window,
        channels=offer.channels,
        stores=offer.stores,
        partners=offer.partners,
    )
    obstacle = next(found, None)
    if obstacle is not None:
        return outcome_of(obstacle)
    is_activated = _is_activated(offer, builder.member.offer_use(offer.key), visit.at, zone)
    return None if is_activated else RuleOutcome.WINDOW
