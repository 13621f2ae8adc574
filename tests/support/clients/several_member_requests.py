"""Commands of several members, for tests: points and gifts passed on, and an enrolment that rewards its referrer."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from loyalty.commands.allocation import insufficient_points, needs_of_rewards
from loyalty.commands.decision_builder import DecisionBuilder
from loyalty.commands.place_order import grant
from loyalty.commands.registry import Members, OtherMember, handles
from loyalty.kernel.digest import content_digest
from loyalty.kernel.membership_number import number_from
from loyalty.kernel.refusal import Refusal, RefusalCode
from loyalty.model.decision import Decision
from loyalty.model.facts import Needs
from loyalty.model.ledger import Cause, TierStatus
from loyalty.model.member import Member, Profile
from loyalty.model.programme import Programme
from models.commits.request import Request
from support.clients.request_factory import RequestFactory

RECEIVED_MAX = 1_000_000
TO = ("to",)


@dataclass(frozen=True, slots=True)
class PassPoints:
    """Pass points on from the first member to each of the others."""

    to: tuple[str, ...]
    points: int
    cause: Cause


def _recipients(command: PassPoints) -> Sequence[OtherMember]:
    return [OtherMember(member, TO) for member in command.to]


@handles(PassPoints, operation="pass-points", others=_recipients)
def pass_points(command: PassPoints, builder: DecisionBuilder) -> Decision | Refusal:
    """Return the decision to pass points on; nobody may have more than RECEIVED_MAX."""
    if len({builder.member.id, *command.to}) <= len(command.to):
        return Refusal(RefusalCode.INVALID, "same_member", TO)
    refusal = insufficient_points(builder, command.points * len(command.to), "points")
    if refusal is not None:
        return refusal
    for recipient in builder.others:
        if recipient.member.available + command.points > RECEIVED_MAX:
            return Refusal(RefusalCode.LIMIT_REACHED, "received_max", TO)
        recipient.adjust(command.points)
    builder.adjust(-command.points * len(command.to))
    return builder.close(command.cause)


@dataclass(frozen=True, slots=True)
class GiveReward:
    """Order a reward for the first member, and the same one for another, for no points."""

    to: str
    reward: str
    cause: Cause


def _needs(command: GiveReward, members: Members, programme: Programme) -> Needs:
    return needs_of_rewards((command.reward,) * len(members), programme)


def _given(command: GiveReward) -> Sequence[OtherMember]:
    return [OtherMember(command.to, TO)]


@handles(GiveReward, operation="give-reward", others=_given, needs=_needs)
def give_reward(command: GiveReward, builder: DecisionBuilder) -> Decision | Refusal:
    """Return the decision to give a reward to both members, or to neither."""
    for one in (builder, *builder.others):
        order = grant(one, command.reward, origin=f"gift/{one.member.id}", cause=command.cause)
        if isinstance(order, Refusal):
            return order
    return builder.close(command.cause)


@dataclass(frozen=True, slots=True)
class EnrolReferred:
    """Create a member, and give its referrer points."""

    member: str
    number: str
    referrer: str
    points: int
    cause: Cause


def _newcomer(command: EnrolReferred, programme: Programme, now: datetime) -> Member:
    standing = TierStatus(programme.tiers[0].key, now, None)
    return Member(command.member, programme.key, command.number, 0, now, Profile("en"), standing)


def _claims(command: EnrolReferred) -> dict[str, str | None]:
    return {"number": command.number}


def _referrer(command: EnrolReferred) -> Sequence[OtherMember]:
    return [OtherMember(command.referrer, ("referrer",))]


@handles(EnrolReferred, operation="enrol-referred", creates=_newcomer, claims=_claims, others=_referrer)
def enrol_referred(command: EnrolReferred, builder: DecisionBuilder) -> Decision | Refusal:
    """Return the decision to enrol a member and to reward its referrer."""
    (referrer,) = builder.others
    referrer.adjust(command.points)
    return builder.close(command.cause)


@dataclass
class SeveralMemberRequests:
    """Creates requests of several members, each with a new idempotency key."""

    request_factory: RequestFactory

    def _cause(self, operation: str, key: str | None) -> Cause:
        return Cause(operation, "member", "app", key or self.request_factory.key())

    def passing(self, giver: str, *to: str, points: int = 1, key: str | None = None) -> Request:
        """Return a request to pass points on."""
        command = PassPoints(to, points, self._cause("pass-points", key))
        digest = content_digest({"member": giver, "to": [*to], "points": points})
        return Request(command, giver, self.request_factory.programme, self.request_factory.clock(), digest)

    def giving(self, giver: str, to: str, reward: str, *, key: str | None = None) -> Request:
        """Return a request to give a reward."""
        command = GiveReward(to, reward, self._cause("give-reward", key))
        digest = content_digest({"member": giver, "to": to, "reward": reward})
        return Request(command, giver, self.request_factory.programme, self.request_factory.clock(), digest)

    def referring(self, referrer: str, newcomer: str, *, points: int = 5) -> Request:
        """Return a request to enrol somebody that a member referred."""
        number = number_from(next(self.request_factory.counter))
        command = EnrolReferred(newcomer, number, referrer, points, self._cause("enrol-referred", None))
        digest = content_digest({"referrer": referrer, "number": number})
        return Request(command, newcomer, self.request_factory.programme, self.request_factory.clock(), digest)
