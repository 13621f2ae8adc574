"""Corrections of a profile: personal data and cards, by the member or by staff.

The ledger says that something was changed, and by which actor; it never holds the data.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from loyalty.commands.decision_builder import DecisionBuilder
from loyalty.commands.registry import handles
from loyalty.kernel import canonical
from loyalty.kernel.channel import Channel
from loyalty.kernel.refusal import Refusal, RefusalCode
from loyalty.model.decision import Decision
from loyalty.model.event import PROFILE_COMPLETED, Event
from loyalty.model.ledger import Cause
from loyalty.model.notice import NoticeKind

CARDS_MAX = 20
IDENTITIES = ("email", "phone")


@dataclass(frozen=True, slots=True)
class UpdateProfile:
    """Replace the fields in `changes`, named as in Profile; None clears one. `attributes` are merged by name."""

    changes: Mapping[str, Any]
    via: Channel
    cause: Cause


@dataclass(frozen=True, slots=True)
class AddCard:
    """Link another card to a member."""

    card: str
    cause: Cause


@dataclass(frozen=True, slots=True)
class RemoveCard:
    """Unlink a card from a member, for example a lost one."""

    card: str
    cause: Cause


def _changed_identities(command: UpdateProfile) -> Mapping[str, str | None]:
    return {kind: command.changes[kind] for kind in IDENTITIES if kind in command.changes}


def _replaced_identities(command: UpdateProfile) -> Mapping[str, str | None]:
    return dict.fromkeys(_changed_identities(command))


def _card_of(command: AddCard | RemoveCard) -> Mapping[str, str | None]:
    return {"card": command.card}


def _merged(before: Mapping[str, Any], changes: Mapping[str, Any] | None) -> Mapping[str, Any]:
    merged = {**before, **changes} if changes is not None else {}
    return {name: value for name, value in merged.items() if value is not None}


@handles(UpdateProfile, operation="update-profile", claims=_changed_identities, frees=_replaced_identities)
def update_profile(command: UpdateProfile, builder: DecisionBuilder) -> Decision | Refusal:
    """Return the decision to change a member's profile."""
    changes = dict(command.changes)
    birth_date = changes.get("birth_date")
    if birth_date is not None and birth_date > builder.today:
        return Refusal(RefusalCode.INVALID, "birth_date_future", ("birthDate",))
    before = builder.member.profile
    if "locale" in changes:
        changes["locale"] = changes["locale"] or builder.programme.locale
    if "attributes" in changes:
        changes["attributes"] = _merged(before.attributes, changes["attributes"])
        fault = _attributes_fault(changes["attributes"], builder)
        if fault is not None:
            return fault
    after = replace(before, **changes)
    if after != before:
        builder.member = replace(builder.member, profile=after)
        builder.notice(NoticeKind.PROFILE_CHANGED)
    if after.completion == 1 > before.completion and not builder.member.event_counts.get(PROFILE_COMPLETED):
        cause = command.cause
        builder.record_engagement(Event(cause.key, cause.subject, PROFILE_COMPLETED, builder.now, command.via))
    return builder.close(command.cause)


def _attributes_fault(attributes: Mapping[str, Any], builder: DecisionBuilder) -> Refusal | None:
    declared = builder.programme.profile_attributes
    if declared is None:
        return Refusal(RefusalCode.INVALID, "attributes_undeclared", ("attributes",)) if attributes else None
    fault = declared.fault(attributes)
    return (
        Refusal(RefusalCode.INVALID, "profile_attributes_invalid", ("attributes",), {"fault": fault}) if fault else None
    )


@handles(AddCard, operation="add-card", claims=_card_of)
def add_card(command: AddCard, builder: DecisionBuilder) -> Decision | Refusal:
    """Return the decision to link a card; nothing changes if it is the member's already."""
    cards = builder.member.cards
    if canonical.code(command.card) in map(canonical.code, cards):
        return builder.close(command.cause)
    if len(cards) >= CARDS_MAX:
        return Refusal(RefusalCode.LIMIT_REACHED, "cards_max", ("card",), {"max": CARDS_MAX})
    builder.member = replace(builder.member, cards=(*cards, command.card))
    builder.notice(NoticeKind.CARD_ADDED)
    return builder.close(command.cause)


@handles(RemoveCard, operation="remove-card", frees=_card_of)
def remove_card(command: RemoveCard, builder: DecisionBuilder) -> Decision | Refusal:
    """Return the decision to unlink a card. The last one may go: the membership number stays."""
    removed = canonical.code(command.card)
    cards = tuple(card for card in builder.member.cards if canonical.code(card) != removed)
    if len(cards) == len(builder.member.cards):
        return Refusal(RefusalCode.NOT_FOUND, "card_not_found", ("card",))
    builder.member = replace(builder.member, cards=cards)
    builder.notice(NoticeKind.CARD_REMOVED)
    return builder.close(command.cause)
