"""Consequences: what a purchase led to besides its points, and how a refund or a release reverses it.

Every offer used for a purchase and every instant reward given with it is one `Consequence`, stored with the purchase.
One policy reverses all of them (docs/decisions/0026-consequences-follow-their-purchase.md):

- A gift or an instant reward is cancelled if the state of its order allows it, and the programme's `refunds.effects`
  does. Otherwise the order stays, and so does the use that gave it.
- A use is restored with its budget and with what rules gave for it, if its offer is returnable.
- Offers follow when the whole purchase is returned, an instant reward as soon as the rest is below its minimum.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from fractions import Fraction

from loyalty.commands.advance_order import cancel_granted
from loyalty.commands.decision_builder import DecisionBuilder
from loyalty.kernel.channel import Channel
from loyalty.model.event import INSTANT_RULE, Consequence, ConsequenceEnd, Event, RecordedEvent
from loyalty.model.explanation import Explanation, RuleOutcome
from loyalty.model.facts import NO_NEEDS, Needs
from loyalty.model.ledger import Cause
from loyalty.model.notice import NoticeKind
from loyalty.model.order import TRANSITIONS, Order, OrderState
from loyalty.model.programme import EffectsAfterRefund
from loyalty.model.supply import CounterKey, CounterKind
from loyalty.rules.refund import share_returned

# The goods are back, or never left.
BACK = frozenset({OrderState.CANCELLED, OrderState.RETURNED})


def needs_of_consequences(consequences: Iterable[Consequence]) -> Needs:
    """Return what reversing some consequences may depend on: the orders that they placed."""
    orders = frozenset(one.order for one in consequences if one.order is not None)
    return Needs(orders=orders) if orders else NO_NEEDS


def reverse_consequences(
    purchase: RecordedEvent, returned: RecordedEvent, refund: Event, builder: DecisionBuilder, cause: Cause
) -> tuple[RecordedEvent, list[Explanation]]:
    """Reverse what no longer follows from a purchase; return it as it is stored from now on, and what happened.

    `purchase` is as it was before the refund, `returned` as it is after it.
    """
    left: list[Consequence] = []
    explained: list[Explanation] = []
    for one in purchase.consequences:
        if one.end is None and (returned.is_returned or _is_below_minimum(one, returned, builder)):
            ended, why = reverse(one, builder, cause, at=refund.occurred_at, channel=refund.channel)
            explained += why
            left.append(ended)
        else:
            left.append(one)
    return replace(returned, consequences=tuple(left)), explained


def _is_below_minimum(consequence: Consequence, returned: RecordedEvent, builder: DecisionBuilder) -> bool:
    """Return whether what is left of a purchase would not have given an instant reward."""
    instants = builder.programme.catalogue.instant_rewards if consequence.offer is None else ()
    instant = next((one for one in instants if f"{INSTANT_RULE}{one.key}" == consequence.rule), None)
    return instant is not None and _kept_total(returned) < instant.minimum_total


def _kept_total(returned: RecordedEvent) -> Fraction:
    """Return how much of what was paid was not returned."""
    purchase = returned.event.purchase
    if purchase is None:
        return Fraction(0)
    return Fraction(purchase.total) * (1 - share_returned(returned))


def reverse(
    consequence: Consequence,
    builder: DecisionBuilder,
    cause: Cause,
    *,
    at: datetime,
    channel: Channel,
    never_happened: bool = False,
) -> tuple[Consequence, list[Explanation]]:
    """Reverse one consequence as far as the policy allows; return it as it ended, and explanations.

    `at` and `channel` are of what reverses it. `never_happened`: the purchase never came about, or the offer was not
    for it; then the use is restored even if the offer is not returnable, and the programme keeps nothing.
    """
    end, explained = _end_order(consequence, builder, cause, never_happened=never_happened)
    ended = replace(consequence, end=end)
    if end is not ConsequenceEnd.REVERSED:
        return ended, explained
    if consequence.span:
        builder.count_order(consequence.rule, consequence.span, -1)
    offer = consequence.offer
    if offer is None:
        return ended, explained
    if not never_happened and not _is_returnable(consequence, offer, builder):
        return ended, [*explained, Explanation(consequence.rule, 0, applied=False, reason=RuleOutcome.USE_STAYS)]
    builder.reverse_use(consequence, offer, at=at, channel=channel)
    builder.set_offer(offer, builder.member.offer_use(offer).with_uses_restored(consequence.uses))
    builder.counter_changes[CounterKey(CounterKind.USES, offer)] -= consequence.uses
    builder.counter_changes[CounterKey(CounterKind.BUDGET, offer)] -= consequence.charge
    builder.notice(NoticeKind.OFFER_RETURNED, offer=offer)
    return replace(ended, uses=0, charge=0, grants=()), [*explained, use_restored(consequence.rule)]


def use_restored(rule: str) -> Explanation:
    """Return the explanation that the use of an offer does not count."""
    return Explanation(rule, 0, applied=True, reason=RuleOutcome.USE_RESTORED)


def _is_returnable(consequence: Consequence, key: str, builder: DecisionBuilder) -> bool:
    if consequence.returnable is not None:
        return consequence.returnable
    # Releases up to 0.2.0 did not store it.
    offer = builder.programme.catalogue.offers.get(key)
    return offer is not None and offer.restores_use_on_refund


def _end_order(
    consequence: Consequence, builder: DecisionBuilder, cause: Cause, *, never_happened: bool
) -> tuple[ConsequenceEnd, list[Explanation]]:
    """Cancel the order of a consequence if that is possible and wanted."""
    order = builder.facts.orders.get(consequence.order or "")
    if order is None or order.state in BACK:
        return ConsequenceEnd.REVERSED, []
    if not never_happened and builder.programme.effects_after_refund is EffectsAfterRefund.KEPT:
        return ConsequenceEnd.KEPT, [_of_order(order, consequence, RuleOutcome.ORDER_KEPT)]
    if OrderState.CANCELLED not in TRANSITIONS[order.state] and not order.is_withdrawable:
        return ConsequenceEnd.GONE, [_of_order(order, consequence, RuleOutcome.ORDER_STAYS)]
    cancel_granted(order, builder, cause)
    return ConsequenceEnd.REVERSED, [_of_order(order, consequence, RuleOutcome.ORDER_CANCELLED)]


def _of_order(order: Order, consequence: Consequence, reason: RuleOutcome) -> Explanation:
    rule = order.origin or consequence.rule
    params = {"order": order.number, "reward": order.reward.key, "state": order.state.value}
    return Explanation(rule, 0, applied=reason is RuleOutcome.ORDER_CANCELLED, reason=reason, params=params)
