"""Ranks a member's offers; activates, redeems and releases them, and records which were seen and declined."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from loyalty.commands.offer import ActivateOffer, RecordOfferViews, RedeemOffer, ReleaseOffer, unusable_reason
from loyalty.kernel import canonical
from loyalty.kernel.channel import Channel
from loyalty.kernel.refusal import Refusal, RefusalCode
from loyalty.model.event import Discount, Purchase
from loyalty.model.ledger import IMPORTED
from loyalty.model.member import Member
from loyalty.model.offer import CodeKind, Offer, OfferState, OfferUse, purchase_reference
from loyalty.rules.member_code import is_valid_proof, member_code, split_code
from loyalty.rules.ranking import RankedOffer, rank_offers
from models.commits.request import Outcome
from resolvers.core.actor import Actor, Role
from resolvers.core.command import cause_of, member_to_act_for, run_command, text_refusal
from resolvers.core.context import Context
from resolvers.core.guessing import callers, guarded
from resolvers.core.idempotency_key import key_refusal
from resolvers.core.member import MemberKey, require_may_see
from resolvers.core.reading import read_or_unavailable
from resolvers.personalisation import Personalisation, exhausted_offers_among

TEXT_LENGTH_MAX = 200
PERSONAL_CODES = frozenset({CodeKind.MEMBER, CodeKind.POOL})
OPEN = frozenset({OfferState.AVAILABLE, OfferState.ACTIVATED})


@dataclass(frozen=True, slots=True)
class RedemptionInput:
    """A redemption as a till sends it: the offer or its code, the purchase, where and when."""

    key: str
    channel: Channel
    member: MemberKey | None = None
    offer: str | None = None
    code: str | None = None
    purchase_key: str | None = None
    purchase_sender: str | None = None
    store: str | None = None
    occurred_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ReleaseInput:
    """The release of a use as a till sends it: the offer or its code, and the purchase that never came about."""

    key: str
    channel: Channel
    purchase_key: str
    member: MemberKey | None = None
    offer: str | None = None
    code: str | None = None
    purchase_sender: str | None = None
    store: str | None = None


async def ranked_page(
    context: Context,
    personalisation: Personalisation,
    *,
    channel: Channel | None,
    states: AbstractSet[OfferState] | None,
    first: int,
    after: tuple[int, str] | None,
) -> tuple[list[RankedOffer], bool]:
    """Return a page of a member's offers, best first, and whether there are more.

    Offers that all members together have used up are left out. If a programme limits many offers, only the counters of
    the page's offers are read. `after` is the rank and key of the last offer before the page.
    """
    programme, member = context.programme(), personalisation.snapshot.member
    exhausted: frozenset[str] | None = frozenset()
    if programme.catalogue.limited_offers:
        segmentation, left = await personalisation.segmentation_and_supply()
        exhausted = left.exhausted_offers
    else:
        segmentation = await personalisation.segmentation()

    def page_without(exhausted: AbstractSet[str]) -> tuple[list[RankedOffer], bool]:
        return rank_offers(
            programme.catalogue,
            member,
            segmentation,
            personalisation.topic_scores,
            channel=channel,
            now=context.now(),
            zone=programme.zone,
            states=states,
            exhausted=exhausted,
            first=first,
            after=after,
        )

    if exhausted is not None:
        return page_without(exhausted)
    known: set[str] = set()
    exhausted = frozenset()
    page, more = page_without(exhausted)
    while limited := {
        found.offer.key: found.offer for found in page if found.offer.has_shared_limit and found.offer.key not in known
    }:
        known.update(limited)
        gone = await exhausted_offers_among(context, programme, limited)
        if not gone:
            break
        exhausted |= gone
        page, more = page_without(exhausted)
    return page, more


def _is_out_of_reach(actor: Actor, offer: Offer) -> bool:
    """Return whether an offer has personal codes, and the actor is a shared screen without the member's app.

    Anybody can type the number on a card. A till's staff sees who shows it.
    """
    return (
        actor.role is Role.KIOSK
        and not actor.is_proven
        and offer.code is not None
        and offer.code.kind in PERSONAL_CODES
    )


def code_for(context: Context, offer: Offer, use: OfferUse, member: Member, state: OfferState) -> str | None:
    """Return the code that the till scans for a member's offer; None if it cannot be redeemed now or has no code."""
    programme, code = context.programme(), offer.code
    if code is None or state not in OPEN or (offer.needs_activation and use.activated_at is None):
        return None
    if _is_out_of_reach(context.require_actor(), offer):
        return None
    if unusable_reason(offer, context.now(), programme, None) is not None:
        return None
    if code.kind is CodeKind.SHARED:
        return code.text
    if code.kind is CodeKind.POOL:
        return use.code
    return member_code(
        code.text,
        programme=programme.key,
        offer=offer.key,
        number=member.number,
        secret=context.services.code_secret,
    )


async def activate(context: Context, *, key: str, member: MemberKey | None, offer: str) -> Outcome:
    """Activate an offer for a member."""
    found = await member_to_act_for(context, member)
    if isinstance(found, Refusal):
        return found
    command = ActivateOffer(offer, context.channel, cause_of(context, ActivateOffer, key))
    return await run_command(context, command, found, {"offer": offer})


async def record_offer_views(
    context: Context, *, key: str, member: MemberKey | None, seen: tuple[str, ...], declined: tuple[str, ...]
) -> Outcome:
    """Record which offers a member has seen, and which it declined."""
    found = await member_to_act_for(context, member)
    if isinstance(found, Refusal):
        return found
    command = RecordOfferViews(seen, declined, cause_of(context, RecordOfferViews, key))
    return await run_command(context, command, found, {"seen": [*seen], "refused": [*declined]})


async def redeem(context: Context, request: RedemptionInput, *, imported: bool = False) -> Outcome:
    """Redeem an offer at the till, by its key or code. A purchase key binds the use to that purchase.

    An `imported` redemption may be so old that its points have expired; its ledger record says that it was imported.
    """
    target = await _checked_target(context, request)
    if isinstance(target, Refusal):
        return target
    member, offer, purchase = target
    found = context.programme().catalogue.offers.get(offer)
    if found is not None and _is_out_of_reach(context.require_actor(), found):
        return Refusal(RefusalCode.NOT_ELIGIBLE, "code_needs_pass", ("code" if request.code is not None else "offer",))
    command = RedeemOffer(
        offer=offer,
        purchase=purchase,
        channel=request.channel,
        store=request.store,
        occurred_at=request.occurred_at or context.now(),
        cause=cause_of(context, RedeemOffer, request.key, IMPORTED if imported else None),
        names_sender=request.purchase_sender is not None,
    )
    content = {"offer": offer, "purchase": purchase, "channel": request.channel, "store": request.store}
    return await run_command(context, command, member, {**content, "occurred_at": request.occurred_at})


async def release(context: Context, request: ReleaseInput) -> Outcome:
    """Undo the use of an offer whose sale never came about, before its purchase is recorded."""
    target = await _checked_target(context, request)
    if isinstance(target, Refusal):
        return target
    member, offer, purchase = target
    if purchase is None:
        return Refusal(RefusalCode.INVALID, "purchase_key_missing", ("purchaseKey",))
    cause, is_named = cause_of(context, ReleaseOffer, request.key), request.purchase_sender is not None
    command = ReleaseOffer(offer, purchase, request.channel, cause, is_named)
    content = {"offer": offer, "purchase": purchase, "channel": request.channel, "store": request.store}
    return await run_command(context, command, member, {**content})


def purchase_of(context: Context, key: str, sender: str | None) -> str:
    """Return the reference of the purchase that an offer is used for; `sender` None: the caller.

    Whether the caller may refer to that sender is decided with the command.
    """
    return purchase_reference(sender if sender is not None else context.require_actor().subject, key)


def _sender_refusal(request: RedemptionInput | ReleaseInput) -> Refusal | None:
    """Return a refusal if a sender is blank, or is named without a purchase; else None."""
    if request.purchase_sender is None:
        return None
    if request.purchase_key is None:
        return Refusal(RefusalCode.INVALID, "purchase_key_of_sender", ("purchaseKey",))
    if not request.purchase_sender.strip():
        return Refusal(RefusalCode.INVALID, "sender_empty", ("purchaseSender",))
    return None


def offer_of_member_code(context: Context, code: str) -> tuple[str, str] | None:
    """Return the offer and the membership number of a member's own code, in normal form; None unless it is genuine."""
    programme, secret, parts = context.programme(), context.services.code_secret, split_code(code)
    if parts is None:
        return None
    prefix, number, proof = parts
    for offer in programme.catalogue.offers_by_prefix(prefix):
        if is_valid_proof(proof, programme=programme.key, offer=offer.key, number=number, secret=secret):
            return offer.key, number
    return None


def with_proved_codes(context: Context, purchase: Purchase | None) -> Purchase | None:
    """Return a purchase whose discounts name the offers of members' own codes, if these are genuine."""
    if purchase is None or not purchase.discounts or not any(one.code for one in purchase.discounts):
        return purchase
    proved = tuple(_with_proved_code(context, one) for one in purchase.discounts)
    return replace(purchase, discounts=proved)


def _with_proved_code(context: Context, discount: Discount) -> Discount:
    if discount.code is None or discount.offer is not None:
        return discount
    own = offer_of_member_code(context, canonical.code(discount.code))
    return replace(discount, offer=own[0]) if own is not None else discount


async def _checked_target(
    context: Context, request: RedemptionInput | ReleaseInput
) -> tuple[str, str, str | None] | Refusal:
    """Return the member, the offer's key and the purchase's reference of a use or a release, or a refusal.

    Raises:
        Forbidden: the actor has no access to that member.
    """
    refusal = (
        key_refusal(request.key)
        or text_refusal(request.code, TEXT_LENGTH_MAX, "code")
        or text_refusal(request.purchase_key, TEXT_LENGTH_MAX, "purchaseKey")
        or text_refusal(request.purchase_sender, TEXT_LENGTH_MAX, "purchaseSender")
        or _sender_refusal(request)
        or text_refusal(request.store, TEXT_LENGTH_MAX, "store")
    )
    if refusal is not None:
        return refusal
    target = await _target(context, request)
    if isinstance(target, Refusal):
        return target
    member, offer = target
    require_may_see(context.require_actor(), member)
    if request.purchase_key is None:
        return member, offer, None
    return member, offer, purchase_of(context, request.purchase_key, request.purchase_sender)


async def _target(context: Context, request: RedemptionInput | ReleaseInput) -> tuple[str, str] | Refusal:
    """Return the member and the offer key of a use or a release, or a refusal."""
    named: str | None = None
    if request.member is not None or context.require_actor().member is not None:
        found = await member_to_act_for(context, request.member)
        if isinstance(found, Refusal):
            return found
        named = found
    if request.code is None:
        if request.offer is None:
            return Refusal(RefusalCode.INVALID, "offer_or_code", ("offer",))
        if named is None:
            return Refusal(RefusalCode.INVALID, "member_missing", ("member",))
        return named, request.offer
    by_code = await guarded(context, callers(context), partial(_by_code, context, request.code))
    if isinstance(by_code, Refusal):
        return by_code
    owner, offer = by_code
    if request.offer is not None and request.offer != offer:
        return Refusal(RefusalCode.CONFLICT, "code_of_another_offer", ("code",))
    if owner is not None and named is not None and owner != named:
        return Refusal(RefusalCode.CONFLICT, "code_of_another_member", ("code",))
    member = owner or named
    return (member, offer) if member is not None else Refusal(RefusalCode.INVALID, "member_missing", ("member",))


async def _by_code(context: Context, text: str) -> tuple[str | None, str] | Refusal:
    """Return the member (None: anyone) and the offer key of a code; a refusal of an unknown one."""
    programme, code, reader = context.programme(), canonical.code(text), context.services.reader
    unknown = Refusal(RefusalCode.NOT_FOUND, "code_not_found", ("code",))
    shared = programme.catalogue.offer_by_code(code)
    if shared is not None:
        return None, shared.key
    own = offer_of_member_code(context, code)
    if own is not None:
        offer, number = own
        member = await read_or_unavailable(reader.member_id_by(programme.key, "number", number))
        return (member, offer) if member is not None else unknown
    return await read_or_unavailable(reader.code_holder(programme.key, code)) or unknown
