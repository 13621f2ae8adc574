"""Consents: a member agrees to something, or withdraws that.

The profile holds the present consents. Every change is also a notice of its version in the hash-chained ledger, with
the actor and the time: evidence that cannot be altered.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from loyalty.commands.decision_builder import DecisionBuilder
from loyalty.commands.registry import handles
from loyalty.kernel.channel import Channel
from loyalty.kernel.refusal import Refusal, RefusalCode
from loyalty.model.consent import Consent, ConsentPurpose, ContactChannel
from loyalty.model.decision import Decision
from loyalty.model.ledger import Cause, Record
from loyalty.model.notice import Notice, NoticeKind


@dataclass(frozen=True, slots=True)
class SetConsents:
    """Grant some consents and withdraw others; those not named stay as they are."""

    consents: tuple[tuple[ConsentPurpose, ContactChannel | None, bool], ...]
    via: Channel
    cause: Cause


@handles(SetConsents, operation="set-consents")
def set_consents(command: SetConsents, builder: DecisionBuilder) -> Decision | Refusal:
    """Return the decision to change a member's consents."""
    if not command.consents:
        return Refusal(RefusalCode.INVALID, "consents_missing", ("consents",))
    held = {consent.subject: consent for consent in builder.member.profile.consents}
    named = set[tuple[ConsentPurpose, ContactChannel | None]]()
    for place, (purpose, channel, granted) in enumerate(command.consents):
        about = purpose, channel
        if about in named:
            return Refusal(RefusalCode.INVALID, "consent_twice", ("consents", str(place)))
        named.add(about)
        before = held.get(about)
        if before is not None and before.granted is granted:
            continue
        held[about] = Consent(purpose, channel, granted, builder.now, command.via)
        kind = NoticeKind.CONSENT_GIVEN if granted else NoticeKind.CONSENT_WITHDRAWN
        on = {"contact": channel.value} if channel is not None else {}
        builder.notice(kind, purpose=purpose.value, **on, via=command.via.value)
    builder.member = replace(builder.member, profile=replace(builder.member.profile, consents=tuple(held.values())))
    return builder.close(command.cause)


def consents_of(record: Record) -> list[Consent]:
    """Return the consents that one version changed."""
    return [consent for notice in record.notices if (consent := _consent_of(notice, record.recorded_at)) is not None]


def _consent_of(notice: Notice, at: datetime) -> Consent | None:
    if notice.kind not in {NoticeKind.CONSENT_GIVEN, NoticeKind.CONSENT_WITHDRAWN}:
        return None
    contact = notice.params.get("contact")
    return Consent(
        ConsentPurpose(str(notice.params["purpose"])),
        ContactChannel(str(contact)) if contact is not None else None,
        notice.kind is NoticeKind.CONSENT_GIVEN,
        at,
        Channel(str(notice.params["via"])),
    )
