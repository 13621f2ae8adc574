"""Enrolling: a person becomes a member."""

from dataclasses import dataclass
from datetime import datetime

from loyalty.commands.decision_builder import BALANCE_MAX, Draft
from loyalty.kernel.calendar import day_of
from loyalty.kernel.channel import Channel
from loyalty.kernel.refusal import Refusal, RefusalCode
from loyalty.model.decision import Decision
from loyalty.model.event import ENROLMENT, Event
from loyalty.model.ledger import Cause, Standing
from loyalty.model.member import Member, Profile
from loyalty.model.programme import Programme
from loyalty.rules.earning import earn


@dataclass(frozen=True, slots=True)
class Enrol:
    """Make somebody a member."""

    member: str
    number: str
    profile: Profile
    card: str | None
    channel: Channel
    store: str | None
    occurred_at: datetime
    cause: Cause


def enrol(command: Enrol, programme: Programme, now: datetime) -> Decision | Refusal:
    """Return the decision to enrol a new member."""
    birth_date = command.profile.birth_date
    if birth_date is not None and birth_date > day_of(now, programme.zone):
        return Refusal(RefusalCode.INVALID, "birth_date_future", ("birthDate",))
    newcomer = Member(
        id=command.member,
        programme=programme.key,
        number=command.number,
        version=0,
        enrolled_at=command.occurred_at,
        profile=command.profile,
        standing=Standing(programme.tiers[0].key, command.occurred_at, None),
        cards=(command.card,) if command.card else (),
    )
    event = Event(
        key=command.cause.key,
        sender=command.cause.subject,
        type=ENROLMENT,
        occurred_at=command.occurred_at,
        channel=command.channel,
        store=command.store,
    )
    draft = Draft(newcomer, programme, now)
    earned = earn(event, newcomer, programme)
    if earned.points > BALANCE_MAX:
        return Refusal(RefusalCode.LIMIT_REACHED, "balance_limit", ("member",), {"max": BALANCE_MAX})
    if earned.why:
        draft.earn(event, earned)
    return draft.close(command.cause)
