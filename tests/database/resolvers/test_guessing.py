"""Wrong look-ups are counted: by token, tablet and address, for all gateways; the wait after them doubles."""

import asyncio
from dataclasses import replace

import pytest
from support.clients.resolver_client import ResolverClient

from loyalty.kernel.channel import Channel
from loyalty.kernel.refusal import Refusal, RefusalCode
from models.commits.request import Committed
from resolvers.core.actor import Role
from resolvers.core.context import Bounds, Context
from resolvers.core.guesses import SPAN, Guesses
from resolvers.core.member import MemberKey, find_permitted, find_to_record, look_up
from resolvers.core.operation_error import Refused
from resolvers.enrol import EnrolmentInput, enrol
from resolvers.event import EventOfMember, record_all
from resolvers.offer import RedemptionInput, redeem
from resolvers.profile import add_card

FREE = 2
TILL_FREE = 3 * FREE
UNKNOWN = MemberKey("card", "nobody's")


def actor_context(resolver_client: ResolverClient, role: Role = Role.TILL, *, subject: str = "till-1") -> Context:
    """Return the context of a caller that may be wrong FREE times (a till three times as often)."""
    context = resolver_client.context(role, subject=subject)
    return replace(context, services=replace(context.services, bounds=Bounds(guesses_max=FREE)), address="198.51.100.7")


async def guess(context: Context, times: int) -> list[str]:
    """Look an unknown card up; return an answer for each time."""

    async def one() -> str:
        try:
            return "unknown" if await find_permitted(context, UNKNOWN) is None else "found"
        except Refused as error:
            return error.reason

    return [await one() for _ in range(times)]


@pytest.mark.parametrize("kind", ["number", "card"])
async def test_till_waits_after_too_many_wrong_look_ups(resolver_client: ResolverClient, kind: str) -> None:
    number = (await resolver_client.enrol(card="C-1")).snapshot.member.number
    context = actor_context(resolver_client)
    right = MemberKey(kind, {"number": number, "card": "C-1"}[kind])
    for _ in range(TILL_FREE):
        assert await look_up(context, MemberKey(kind, "4000000000")) is None
    for key in (MemberKey(kind, "4000000001"), right):
        with pytest.raises(Refused) as caught:
            await look_up(context, key)
        assert (caught.value.code, caught.value.params) == ("LIMIT_REACHED", {"seconds": 1})
    resolver_client.clock.advance(seconds=1)
    assert await look_up(context, right) is not None


async def test_each_wrong_look_up_after_that_doubles_the_wait(resolver_client: ResolverClient) -> None:
    context = actor_context(resolver_client)
    await guess(context, TILL_FREE)
    for wait in (1, 2, 4, 8, 16, 32, 64, 128, 256, 512):
        resolver_client.clock.advance(seconds=wait - 0.001)
        assert (await guess(context, 1))[0].startswith("attempts")
        resolver_client.clock.advance(seconds=0.001)
        # The wait is over, but the attempts are not forgotten: this one counts, and is not answered either.
        assert (await guess(context, 1))[0].startswith("attempts")
    resolver_client.clock.advance(seconds=SPAN.total_seconds() - 0.001)
    assert (await guess(context, 1))[0].startswith("attempts")


async def test_wrong_look_ups_are_forgotten_after_a_quiet_quarter_of_an_hour(resolver_client: ResolverClient) -> None:
    context = actor_context(resolver_client)
    await guess(context, TILL_FREE + 1)
    resolver_client.clock.advance(seconds=SPAN.total_seconds())
    assert await guess(context, TILL_FREE) == ["unknown"] * TILL_FREE


async def test_right_look_ups_cost_nothing(resolver_client: ResolverClient) -> None:
    await resolver_client.enrol(card="C-1")
    context = actor_context(resolver_client)
    for _ in range(5 * TILL_FREE):
        assert await find_permitted(context, MemberKey("card", "C-1")) is not None


async def test_concurrent_guesses_are_answered_as_one_after_the_other(resolver_client: ResolverClient) -> None:
    context = actor_context(resolver_client)
    answers = await asyncio.gather(*(guess(context, 1) for _ in range(40)))
    assert [answer for [answer] in answers].count("unknown") == TILL_FREE


async def test_another_gateway_knows_after_one_wrong_look_up(resolver_client: ResolverClient) -> None:
    context = actor_context(resolver_client)
    other = replace(context, services=replace(context.services, guesses=Guesses()))
    await guess(context, TILL_FREE)
    assert [answer.split("_")[0] for answer in await guess(other, 2)] == ["attempts", "attempts"]


async def test_one_till_does_not_lock_another_out(resolver_client: ResolverClient) -> None:
    await guess(actor_context(resolver_client, subject="till-1"), TILL_FREE)
    assert await guess(actor_context(resolver_client, subject="till-2"), 1) == ["unknown"]


async def test_many_tokens_of_one_address_share_its_count(resolver_client: ResolverClient) -> None:
    for number in range(100 * FREE // TILL_FREE + 1):
        await guess(actor_context(resolver_client, subject=f"stolen-{number}"), TILL_FREE)
    assert (await guess(actor_context(resolver_client, subject="fresh"), 1))[0].startswith("attempts")
    elsewhere = replace(actor_context(resolver_client, subject="fresh"), address="203.0.113.9")
    assert await guess(elsewhere, 1) == ["unknown"]


@pytest.mark.parametrize("role", [Role.SERVICE, Role.MANAGER])
async def test_back_ends_that_may_read_everybody_never_wait(resolver_client: ResolverClient, role: Role) -> None:
    context = actor_context(resolver_client, role)
    assert await guess(context, 50) == ["unknown"] * 50


async def test_batch_is_answered_up_to_the_event_that_was_one_too_many(resolver_client: ResolverClient) -> None:
    number = (await resolver_client.enrol(card="C-1")).snapshot.member.number
    context = actor_context(resolver_client)
    known = MemberKey("number", number)
    keys = [known, *(MemberKey("card", f"guess-{n}") for n in range(TILL_FREE + 1)), known]
    found = await find_to_record(context, keys)
    assert isinstance(found[0], str)
    assert found[1 : TILL_FREE + 1] == [None] * TILL_FREE
    assert [getattr(one, "code", None) for one in found[TILL_FREE + 1 :]] == [RefusalCode.LIMIT_REACHED] * 2
    sent = EventOfMember(resolver_client.purchase_event("10.00"), known)
    [waiting] = await record_all(context, [sent])
    assert isinstance(waiting, Refusal)
    assert (waiting.code, waiting.path) == (RefusalCode.LIMIT_REACHED, ("member",))
    resolver_client.clock.advance(seconds=2)
    assert isinstance((await record_all(context, [sent]))[0], Committed)


async def test_tablet_learns_only_of_some_people_that_they_are_members(resolver_client: ResolverClient) -> None:
    for number in range(FREE + 1):
        await resolver_client.member(phone=f"+3361122330{number}")
    context = actor_context(resolver_client, Role.KIOSK, subject="tablet")

    async def refusal(phone: str) -> tuple[RefusalCode, str] | None:
        outcome = await enrol(context, EnrolmentInput(resolver_client.key(), Channel.KIOSK, phone=phone))
        return (outcome.code, outcome.reason.split("_")[0]) if isinstance(outcome, Refusal) else None

    for number in range(FREE):
        assert await refusal(f"+3361122330{number}") == (RefusalCode.ALREADY_EXISTS, "phone")
    assert await refusal(f"+3361122330{FREE}") == (RefusalCode.LIMIT_REACHED, "attempts")
    assert await refusal("+33611223399") == (RefusalCode.LIMIT_REACHED, "attempts")
    resolver_client.clock.advance(seconds=1)
    assert await refusal("+33611223399") is None


async def test_till_does_not_try_many_codes(resolver_client: ResolverClient) -> None:
    member = await resolver_client.member()
    context = actor_context(resolver_client)

    async def refusal(code: str) -> RefusalCode:
        sent = RedemptionInput(
            key=resolver_client.key(),
            member=MemberKey("id", member),
            offer=None,
            code=code,
            purchase_key=None,
            channel=Channel.STORE,
            store=None,
            occurred_at=None,
        )
        outcome = await redeem(context, sent)
        assert isinstance(outcome, Refusal)
        return outcome.code

    codes = [await refusal(f"GUESS{number}") for number in range(TILL_FREE + 2)]
    assert codes == [*[RefusalCode.NOT_FOUND] * TILL_FREE, *[RefusalCode.LIMIT_REACHED] * 2]


async def test_member_learns_only_of_some_people_that_they_are_members(resolver_client: ResolverClient) -> None:
    for number in range(FREE + 1):
        await resolver_client.member(card=f"C-{number}")
    member = await resolver_client.member()
    context = actor_context(resolver_client, Role.MEMBER, subject=member)
    context = replace(context, actor=replace(context.require_actor(), member=member))

    async def refusal(card: str) -> RefusalCode | None:
        outcome = await add_card(context, key=resolver_client.key(), member=None, card=card)
        return outcome.code if isinstance(outcome, Refusal) else None

    codes = [await refusal(f"C-{number}") for number in range(FREE + 1)]
    assert codes == [*[RefusalCode.ALREADY_EXISTS] * FREE, RefusalCode.LIMIT_REACHED]
    resolver_client.clock.advance(seconds=1)
    assert await refusal("C-new") is None
