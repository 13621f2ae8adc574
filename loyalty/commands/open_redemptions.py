"""Uses of offers for purchases of other senders: resolved to the purchase, or kept open until it is recorded."""

from collections.abc import Iterator
from typing import Protocol

from loyalty.commands.decision_builder import DecisionBuilder
from loyalty.kernel.refusal import Refusal, RefusalCode
from loyalty.model.event import Consequence, Event
from loyalty.model.ledger import Cause
from loyalty.model.member import Member
from loyalty.model.offer import purchase_reference
from loyalty.model.programme import Programme
from loyalty.model.references.senders import ReferenceFault, Senders, open_reference, split_reference


class OfferCommand(Protocol):
    """A command about the use of an offer; `names_sender`: its caller named the purchase's sender."""

    @property
    def purchase(self) -> str | None:
        """The reference of the purchase, or None."""

    @property
    def names_sender(self) -> bool:
        """Whether only that sender's purchase is meant."""

    @property
    def cause(self) -> Cause:
        """Who sends it."""


def names_no_sender(command: OfferCommand) -> bool:
    """Return whether the purchase may be of any sender that the caller may refer to."""
    return not command.names_sender


def resolved_reference(command: OfferCommand, builder: DecisionBuilder) -> str | Refusal | None:
    """Return the reference of a use's purchase: that of the recorded one, open while it is still to come."""
    if command.purchase is None:
        return None
    senders, caller, found = builder.programme.senders, command.cause.subject, builder.facts
    sender, key = split_reference(command.purchase)
    if command.names_sender and not senders.may_refer(caller, sender):
        return Refusal(RefusalCode.NOT_FOUND, "purchase_sender_not_found", ("purchaseSender",))
    if found.reference_fault is ReferenceFault.AMBIGUOUS:
        params = {"key": key, "field": "purchaseSender"}
        return Refusal(RefusalCode.INVALID, "reference_ambiguous", ("purchaseSender",), params)
    if found.reference_fault is ReferenceFault.REFUSED:
        return Refusal(RefusalCode.NOT_FOUND, "purchase_not_found", ("purchaseKey",), {"key": key})
    if found.purchase is not None and found.purchase.event.sender != sender:
        return purchase_reference(found.purchase.event.sender, found.purchase.event.key)
    if found.purchase is None and not command.names_sender and senders.refers_to_others(caller):
        return open_reference(command.purchase)
    return command.purchase


def uses_for(member: Member, event: Event, programme: Programme) -> Iterator[tuple[str, tuple[Consequence, ...]]]:
    """Yield the uses that wait for a purchase, by reference, open ones included."""
    for reference, uses in member.pending_uses.items():
        if programme.senders.fits(reference, event.sender, event.key):
            yield reference, uses


def uses_that_may_be_for(
    member: Member, purchase: str, senders: Senders
) -> Iterator[tuple[str, tuple[Consequence, ...]]]:
    """Yield the uses that wait for what may be the same purchase as a reference is to."""
    for reference, uses in member.pending_uses.items():
        if senders.overlap(reference, purchase):
            yield reference, uses


def bind_uses(waited_for: Event, purchase_event: Event, builder: DecisionBuilder) -> None:
    """Bind the uses that wait for one purchase, the open ones too, to another: to itself, or to that of its till."""
    purchase = purchase_reference(purchase_event.sender, purchase_event.key)
    for reference, uses in [*uses_for(builder.member, waited_for, builder.programme)]:
        if reference != purchase:
            builder.take_pending_uses(reference)
            for use in uses:
                builder.add_pending_use(purchase, use)
