"""Enrolment: a person becomes a member."""

from dataclasses import dataclass
from datetime import datetime

from loyalty.commands.decision_builder import BALANCE_MAX, DecisionBuilder
from loyalty.commands.registry import handles
from loyalty.kernel.channel import Channel
from loyalty.kernel.refusal import Refusal, RefusalCode
from loyalty.model.decision import Decision
from loyalty.model.event import ENROLMENT, Event
from loyalty.model.ledger import Cause, TierStatus
from loyalty.model.member import Member, Profile
from loyalty.model.programme import Programme
from loyalty.rules.earning import earn


@dataclass(frozen=True, slots=True)
class Enrol:
    """Create a member."""

    member: str
    number: str
    profile: Profile
    card: str | None
    channel: Channel
    store: str | None
    occurred_at: datetime
    cause: Cause


def _newcomer(command: Enrol, programme: Programme, _now: datetime) -> Member:
    return Member(
        id=command.member,
        programme=programme.key,
        number=command.number,
        version=0,
        enrolled_at=command.occurred_at,
        profile=command.profile,
        tier_status=TierStatus(programme.tiers[0].key, command.occurred_at, None),
        cards=(command.card,) if command.card else (),
    )


def _claims(command: Enrol) -> dict[str, str | None]:
    profile = command.profile
    return {"number": command.number, "card": command.card, "email": profile.email, "phone": profile.phone}


@handles(Enrol, operation="enrol", creates=_newcomer, claims=_claims)
def enrol(command: Enrol, builder: DecisionBuilder) -> Decision | Refusal:
    """Return the decision to enrol a new member."""
    birth_date = command.profile.birth_date
    if birth_date is not None and birth_date > builder.today:
        return Refusal(RefusalCode.INVALID, "birth_date_future", ("birthDate",))
    event = Event(
        key=command.cause.key,
        sender=command.cause.subject,
        type=ENROLMENT,
        occurred_at=command.occurred_at,
        channel=command.channel,
        store=command.store,
    )
    earned = earn(event, builder.before, builder.programme)
    if earned.points > BALANCE_MAX:
        return Refusal(RefusalCode.LIMIT_REACHED, "balance_limit", ("member",), {"max": BALANCE_MAX})
    if earned.explanations:
        builder.earn(event, earned, builder.lot_days(event.occurred_at))
    return builder.close(command.cause)
