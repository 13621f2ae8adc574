"""Using offers: who may activate and redeem one, and what it gives. Once per use, bound to its purchase."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal

from loyalty.commands.allocation import free_code, shopper_for
from loyalty.commands.decision_builder import BALANCE_MAX, Draft
from loyalty.commands.place_order import grant
from loyalty.kernel.channel import Channel
from loyalty.kernel.refusal import Refusal, RefusalCode
from loyalty.kernel.window import is_open
from loyalty.model.decision import Decision
from loyalty.model.event import ACTIVATION, CLOCK_SKEW_MAX, REDEMPTION, CountedEvent, Event, Grant, Purchase
from loyalty.model.explanation import Explanation, Reason
from loyalty.model.facts import Facts, Needs
from loyalty.model.ledger import Cause
from loyalty.model.notice import NoticeKind
from loyalty.model.offer import EARNING_KINDS, CodeKind, Offer, OfferKind, OfferUse, purchase_ref, uses_left
from loyalty.model.programme import Programme
from loyalty.model.supply import CodeMove, CodeState
from loyalty.rules.earning import Earned, spread

NOTED_MAX = 100
HUNDREDTHS = 100
OFFER_RULE = "offer/"


@dataclass(frozen=True, slots=True)
class ActivateOffer:
    """A member takes an offer up. `channel` is where, None where it is not known."""

    offer: str
    channel: Channel | None
    cause: Cause


@dataclass(frozen=True, slots=True)
class RedeemOffer:
    """A member uses an offer. `purchase` is the reference of its purchase, counted already or still to come.

    `bought` is that purchase where it was counted. `occurred_at` is the till's own time, for one that was offline.
    """

    offer: str
    purchase: str | None
    channel: Channel
    store: str | None
    occurred_at: datetime
    cause: Cause
    bought: CountedEvent | None = None


@dataclass(frozen=True, slots=True)
class NoteOffers:
    """A member has seen some offers, or wants no more of them."""

    seen: tuple[str, ...]
    refused: tuple[str, ...]
    cause: Cause


def _not_eligible(reason: str, **params: str | int) -> Refusal:
    return Refusal(RefusalCode.NOT_ELIGIBLE, reason, ("offer",), params)


def unusable(offer: Offer, at: datetime, programme: Programme, channel: Channel | None) -> Refusal | None:
    """Return why nobody can use an offer at this moment on this channel, or None. No channel means any."""
    if offer.is_over(at):
        return Refusal(RefusalCode.EXPIRED, "offer_over", ("offer",))
    if at < offer.starts_at:
        day = offer.starts_at.astimezone(programme.zone).date().isoformat()
        return _not_eligible("offer_not_yet", day=day)
    if offer.window is not None and not is_open(offer.window, at, programme.zone):
        return _not_eligible("offer_window")
    if offer.channels and channel is not None and channel not in offer.channels:
        return _not_eligible("offer_channel", channels=", ".join(sorted(offer.channels)))
    return None


def _used_up(offer: Offer, use: OfferUse, facts: Facts) -> Refusal | None:
    """Return which of its limits an offer has reached, or None."""
    if uses_left(offer, use) == 0:
        return Refusal(RefusalCode.LIMIT_REACHED, "offer_used", ("offer",), {"uses": offer.uses_per_member or 0})
    if offer.uses_in_all is not None and facts.taken_of(offer.uses_counter) >= offer.uses_in_all:
        return Refusal(RefusalCode.LIMIT_REACHED, "offer_used_up", ("offer",))
    if offer.budget is not None and facts.taken_of(offer.budget_counter) >= offer.budget:
        return Refusal(RefusalCode.LIMIT_REACHED, "offer_used_up", ("offer",))
    return None


def _outside(offer: Offer, draft: Draft, facts: Facts) -> Refusal | None:
    return None if offer.audience.fits(shopper_for(draft, offer.audience, facts)) else _not_eligible("offer_audience")


def _engagement(kind: str, offer: Offer, cause: Cause, at: datetime, channel: Channel) -> Event:
    """Return what a member did with an offer as an event, which rules may reward."""
    attributes = {"offer": offer.key, "kind": offer.kind.value}
    return Event(cause.key, cause.subject, kind, at, channel, attributes=attributes)


def _found(programme: Programme, key: str) -> Offer | Refusal:
    offer = programme.catalogue.offers.get(key)
    return offer if offer is not None else Refusal(RefusalCode.NOT_FOUND, "offer_not_found", ("offer",))


def activate(command: ActivateOffer, draft: Draft, facts: Facts) -> Decision | Refusal:
    """Return the decision to let a member take an offer up, once."""
    offer = _found(draft.programme, command.offer)
    if isinstance(offer, Refusal):
        return offer
    use = draft.member.offer_use(offer.key)
    refusal = unusable(offer, draft.now, draft.programme, command.channel)
    if refusal is None and not offer.needs_activation:
        refusal = Refusal(RefusalCode.INVALID, "offer_no_activation", ("offer",))
    if refusal is None and use.activated_at is not None:
        refusal = Refusal(RefusalCode.ALREADY_EXISTS, "offer_activated", ("offer",))
    refusal = refusal or _used_up(offer, use, facts) or _outside(offer, draft, facts)
    if refusal is not None:
        return refusal
    if offer.code is not None and offer.code.kind is CodeKind.POOL:
        code = free_code(offer.code.text, draft, facts)
        if code is None:
            return Refusal(RefusalCode.OUT_OF_STOCK, "offer_codes_gone", ("offer",))
        draft.codes.append(CodeMove(offer.code.text, code, CodeState.FREE, CodeState.GIVEN, f"offer/{offer.key}"))
        use = replace(use, code=code)
    draft.set_offer(offer.key, replace(use, activated_at=draft.now, refused_at=None))
    draft.notice(NoticeKind.OFFER_ACTIVATED, offer=offer.key)
    channel = command.channel or Channel.SYSTEM
    draft.engage(_engagement(ACTIVATION, offer, command.cause, draft.now, channel))
    return draft.close(command.cause)


def note(command: NoteOffers, draft: Draft) -> Decision | Refusal:
    """Return the decision to note what a member saw and refused."""
    if len(command.seen) + len(command.refused) > NOTED_MAX:
        return Refusal(RefusalCode.LIMIT_REACHED, "offers_noted_max", ("seen",), {"max": NOTED_MAX})
    for field, keys in (("seen", command.seen), ("refused", command.refused)):
        for place, key in enumerate(keys):
            if key not in draft.programme.catalogue.offers:
                return Refusal(RefusalCode.NOT_FOUND, "offer_not_found", (field, str(place)))
    for key in command.seen:
        use = draft.member.offer_use(key)
        draft.set_offer(key, replace(use, seen=use.seen + 1))
    for key in command.refused:
        draft.set_offer(key, replace(draft.member.offer_use(key), refused_at=draft.now))
    return draft.close(command.cause)


def redeem(command: RedeemOffer, draft: Draft, facts: Facts) -> Decision | Refusal:
    """Return the decision to use an offer: it counts, and gives what it gives now or when its purchase is told."""
    offer = _found(draft.programme, command.offer)
    if isinstance(offer, Refusal):
        return offer
    refusal = _unredeemable(offer, command, draft, facts)
    if refusal is not None:
        return refusal
    draft.set_offer(offer.key, draft.member.offer_use(offer.key).used(command.occurred_at, command.purchase))
    draft.notice(NoticeKind.OFFER_REDEEMED, offer=offer.key)
    event = _engagement(REDEMPTION, offer, command.cause, command.occurred_at, command.channel)
    event = replace(event, store=command.store)
    draft.engage(event)
    draft.taken[offer.uses_counter] += 1
    amended: CountedEvent | None = None
    if command.bought is not None:
        amended = _act_in_counted(offer, command.bought, event, draft, facts)
    elif command.purchase is not None:
        # The most that it can cost is counted now: purchases that are still to come must not outrun the budget.
        draft.bind(command.purchase, offer.key, _cost(offer, _money_off(offer, None), draft))
    elif offer.kind is OfferKind.BONUS_POINTS:
        points = _within_budget(offer, offer.points or 0, facts)
        draft.give_bonus(event, points, _given(offer, points), qualifying=offer.qualifying)
        _cost(offer, points, draft)
    else:
        _cost(offer, _money_off(offer, None), draft)
    if draft.member.lifetime > BALANCE_MAX:
        return Refusal(RefusalCode.LIMIT_REACHED, "balance_limit", ("offer",), {"max": BALANCE_MAX})
    if offer.kind is OfferKind.GIFT and offer.reward is not None:
        granted = grant(draft, facts, offer.reward, origin=f"{OFFER_RULE}{offer.key}", cause=command.cause)
        if isinstance(granted, Refusal):
            return replace(granted, path=("offer",))
    return draft.close(command.cause, amended=amended)


def _unredeemable(offer: Offer, command: RedeemOffer, draft: Draft, facts: Facts) -> Refusal | None:
    use = draft.member.offer_use(offer.key)
    if command.occurred_at > draft.now + CLOCK_SKEW_MAX:
        return Refusal(RefusalCode.INVALID, "occurred_in_future", ("occurredAt",))
    refusal = unusable(offer, command.occurred_at, draft.programme, command.channel)
    if refusal is not None:
        return refusal
    if offer.stores and command.store not in offer.stores:
        return _not_eligible("offer_store")
    if offer.needs_activation and use.activated_at is None:
        return _not_eligible("offer_not_activated")
    # Who has activated an offer keeps it, whatever became of the tier or the segment since.
    if use.activated_at is None:
        refusal = _outside(offer, draft, facts)
    return refusal or _used_up(offer, use, facts) or _purchase_refusal(offer, command, draft)


def _purchase_refusal(offer: Offer, command: RedeemOffer, draft: Draft) -> Refusal | None:
    """Return what is wrong with the purchase that an offer is to be used for, or None."""
    bought = command.bought
    if offer.kind is OfferKind.MULTIPLIER and command.purchase is None:
        return Refusal(RefusalCode.INVALID, "purchase_key_missing", ("purchaseKey",))
    if command.purchase is not None and command.purchase in draft.member.offer_use(offer.key).purchases:
        return Refusal(RefusalCode.CONFLICT, "offer_used_for_purchase", ("purchaseKey",))
    if bought is None:
        return None
    if bought.member != draft.member.id or bought.event.purchase is None:
        return Refusal(RefusalCode.CONFLICT, "purchase_of_another", ("purchaseKey",))
    if all(share == 1 for share in bought.returned):
        return Refusal(RefusalCode.CONFLICT, "refund_done", ("purchaseKey",))
    if offer.partners and bought.event.partner not in offer.partners:
        return _not_eligible("offer_partner")
    return None


def _money_off(offer: Offer, purchase: Purchase | None) -> int:
    """Return what an offer costs on a purchase, in hundredths of the currency's unit; the most, where that is not told.

    A PERCENT_OFF without a maximum has no such most: until its purchase is told, it costs nothing.
    """
    if offer.kind is OfferKind.AMOUNT_OFF and offer.amount is not None:
        return int(offer.amount * HUNDREDTHS)
    if offer.kind is not OfferKind.PERCENT_OFF or offer.percent is None:
        return 0
    most = int(offer.maximum * HUNDREDTHS) if offer.maximum is not None else None
    if purchase is None:
        return most or 0
    # The percent of a price in hundredths: price x 100 x percent / 100.
    share = int((max(purchase.total, Decimal(0)) * offer.percent).quantize(Decimal(1), ROUND_HALF_UP))
    return share if most is None else min(share, most)


def _within_budget(offer: Offer, points: int, facts: Facts) -> int:
    return points if offer.budget is None else max(0, min(points, offer.budget - facts.taken_of(offer.budget_counter)))


def _cost(offer: Offer, cost: int, draft: Draft) -> int:
    """Count what an offer costs against its budget, if it has one; return what was counted, to be given back later."""
    if offer.budget is None:
        return 0
    draft.taken[offer.budget_counter] += cost
    return cost


def _given(offer: Offer, points: int) -> Explanation:
    reason = Reason.GIVEN if points else Reason.NOTHING_DUE
    return Explanation(f"{OFFER_RULE}{offer.key}", points, applied=bool(points), reason=reason)


def _bonus(offer: Offer, grants: Iterable[Grant], purchase: Purchase | None) -> Grant:
    """Return what an offer that earns gives for a purchase that earned `grants`, spread over its lines."""
    by_line = [sum(parts) for parts in zip(*(given.by_line for given in grants), strict=True)]
    lines = max(1, len(purchase.lines) if purchase is not None else 0)
    base = by_line or [0] * lines
    if offer.kind is OfferKind.MULTIPLIER and offer.factor is not None:
        more = (offer.factor - 1) * sum(base)
        points = int(max(more, Decimal(0)).quantize(Decimal(1), ROUND_DOWN))
        weights = [Decimal(part) for part in base]
    else:
        points = offer.points or 0
        weights = [line.amount for line in purchase.lines] if purchase is not None and purchase.lines else [Decimal(1)]
    return Grant(f"{OFFER_RULE}{offer.key}", spread(points, weights), offer.qualifying)


def _limited(offer: Offer, bonus: Grant, facts: Facts) -> tuple[Grant, Explanation]:
    """Return a bonus within the offer's budget, and why it is what it is."""
    points = _within_budget(offer, bonus.points, facts)
    if points == bonus.points:
        return bonus, _given(offer, points)
    cut = replace(bonus, by_line=spread(points, [Decimal(part) for part in bonus.by_line]))
    told = replace(_given(offer, points), reason=Reason.CAPPED, params={"cap": offer.budget or 0})
    return cut, told


def _act_in_counted(offer: Offer, bought: CountedEvent, event: Event, draft: Draft, facts: Facts) -> CountedEvent:
    """Let an offer act in a purchase that was counted already; return the purchase as it is kept now."""
    cost = _money_off(offer, bought.event.purchase)
    if offer.kind in EARNING_KINDS:
        earned_by_rules = [given for given in bought.grants if not given.rule.startswith(OFFER_RULE)]
        bonus, why = _limited(offer, _bonus(offer, earned_by_rules, bought.event.purchase), facts)
        draft.add_bonus(event, bought, bonus, why)
        bought = replace(bought, grants=(*bought.grants, bonus))
        cost = bonus.points
    return replace(bought, offers=(*bought.offers, (offer.key, _cost(offer, cost, draft))))


def act_in_earning(event: Event, earned: Earned, draft: Draft, facts: Facts) -> tuple[tuple[str, int], ...]:
    """Let the offers that waited for a purchase act in its earning; return them with what was counted for each.

    A multiplier multiplies what the rules gave, never what another offer did, so that their order does not matter.
    """
    if not draft.member.bound:
        return ()
    used: list[tuple[str, int]] = []
    by_rules = list(earned.grants)
    for key, counted in draft.unbind(purchase_ref(event.sender, event.key)):
        offer = draft.programme.catalogue.offers.get(key)
        if offer is None:
            continue
        # What was reserved for a share of the purchase is settled; an amount stays what it was when it was used.
        cost = 0 if offer.kind is OfferKind.AMOUNT_OFF else _money_off(offer, event.purchase) - counted
        if offer.kind in EARNING_KINDS:
            bonus, why = _limited(offer, _bonus(offer, by_rules, event.purchase), facts)
            if offer.partners and event.partner not in offer.partners:
                bonus = replace(bonus, by_line=tuple(0 for _ in bonus.by_line))
                why = Explanation(bonus.rule, 0, applied=False, reason=Reason.PARTNER)
            earned.grants = [*earned.grants, bonus]
            earned.why = [*earned.why, why]
            cost = bonus.points
        used.append((key, counted + _cost(offer, cost, draft)))
    return tuple(used)


def give_back_uses(bought: CountedEvent, draft: Draft) -> None:
    """Give back the uses of offers whose purchase has come back whole, where the offer says so."""
    purchase = purchase_ref(bought.event.sender, bought.event.key)
    for key, cost in bought.offers:
        offer = draft.programme.catalogue.offers.get(key)
        if offer is None or not offer.returnable:
            continue
        draft.set_offer(key, draft.member.offer_use(key).given_back(purchase))
        draft.taken[offer.uses_counter] -= 1
        _cost(offer, -cost, draft)
        draft.notice(NoticeKind.OFFER_RETURNED, offer=key)


def needs_of_offers(keys: Iterable[str], programme: Programme, *, activates: bool = False) -> Needs:
    """Return what using some offers may depend on."""
    offers = [offer for offer in map(programme.catalogue.offers.get, keys) if offer is not None]
    counters = frozenset(counter for offer in offers for counter in offer.counters())
    pools = [offer.code.text for offer in offers if offer.code is not None and offer.code.kind is CodeKind.POOL]
    lists = any(offer.audience.lists for offer in offers)
    return Needs(counters, dict.fromkeys(pools, 1) if activates else {}, lists=lists)
