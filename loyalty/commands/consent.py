"""Consenting: a member agrees to something, or no longer.

What holds now is in the member's profile. Every change is a notice of its version: in the hash-chained ledger, for
ever, with who said it and when, so that it can be shown and not be altered.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from loyalty.commands.decision_builder import Draft
from loyalty.kernel.channel import Channel
from loyalty.kernel.refusal import Refusal, RefusalCode
from loyalty.model.consent import Consent, ConsentPurpose, ContactChannel
from loyalty.model.decision import Decision
from loyalty.model.ledger import Cause, Record
from loyalty.model.notice import Notice, NoticeKind


@dataclass(frozen=True, slots=True)
class SetConsents:
    """A member agrees to some things and refuses others; what is not named stays as it is."""

    consents: tuple[tuple[ConsentPurpose, ContactChannel | None, bool], ...]
    via: Channel
    cause: Cause


def set_consents(command: SetConsents, draft: Draft) -> Decision | Refusal:
    """Return the decision to keep what a member agrees to."""
    if not command.consents:
        return Refusal(RefusalCode.INVALID, "consents_missing", ("consents",))
    held = {consent.about: consent for consent in draft.member.profile.consents}
    named = set[tuple[ConsentPurpose, ContactChannel | None]]()
    for place, (purpose, channel, granted) in enumerate(command.consents):
        about = purpose, channel
        if about in named:
            return Refusal(RefusalCode.INVALID, "consent_twice", ("consents", str(place)))
        named.add(about)
        before = held.get(about)
        if before is not None and before.granted is granted:
            continue
        held[about] = Consent(purpose, channel, granted, draft.now, command.via)
        kind = NoticeKind.CONSENT_GIVEN if granted else NoticeKind.CONSENT_WITHDRAWN
        on = {"contact": channel.value} if channel is not None else {}
        draft.notice(kind, purpose=purpose.value, **on, via=command.via.value)
    draft.member = replace(draft.member, profile=replace(draft.member.profile, consents=tuple(held.values())))
    return draft.close(command.cause)


def consents_of(record: Record) -> list[Consent]:
    """Return the changes of a member's consents in one version."""
    return [consent for notice in record.notices if (consent := _told(notice, record.recorded_at)) is not None]


def _told(notice: Notice, at: datetime) -> Consent | None:
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
