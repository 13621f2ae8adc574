"""Passes that tills read: bound to the caller that presents them first."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any

import pytest
from support.clients.resolver_client import ResolverClient
from support.clients.tablet import Tablet, member_pass
from support.outcome import code_and_reason, committed, refused

from loyalty.kernel.refusal import Refusal, RefusalCode
from loyalty.rules.member_pass import LEEWAY, PASS_TTL, USE_TTL
from resolvers import adjustment
from resolvers import event as events
from resolvers import preference as preferences
from resolvers.core.actor import Role
from resolvers.core.context import Context
from resolvers.core.member import MemberKey, look_up, watched_member
from resolvers.core.operation_error import Forbidden, Refused
from resolvers.event import EventOfMember
from resolvers.pass_stream import pass_uses
from resolvers.tablets.session import SessionView

USED = (RefusalCode.CONFLICT, "pass_used")
EXPIRED = (RefusalCode.EXPIRED, "pass_expired")
UNKNOWN = (RefusalCode.NOT_FOUND, "pass_unknown")
Presented = str | Refusal | None
Operation = Callable[[ResolverClient, Context, MemberKey], Awaitable[Presented]]


async def queried(_client: ResolverClient, context: Context, key: MemberKey) -> Presented:
    found = await look_up(context, key)
    return found.member.id if found is not None else None


async def watched(_client: ResolverClient, context: Context, key: MemberKey) -> Presented:
    return await watched_member(context, key)


async def recorded(client: ResolverClient, context: Context, key: MemberKey) -> Presented:
    outcome = await events.record(context, EventOfMember(client.purchase_event("10.00"), key))
    return outcome if isinstance(outcome, Refusal) else committed(outcome).snapshot.member.id


async def in_a_batch(client: ResolverClient, context: Context, key: MemberKey) -> Presented:
    sent = [EventOfMember(client.purchase_event("10.00"), one) for one in (MemberKey("card", "nobody"), key, key)]
    unknown, first, second = await events.record_many(context, sent)
    assert isinstance(unknown, Refusal)
    assert isinstance(first, Refusal) is isinstance(second, Refusal)
    return first if isinstance(first, Refusal) else committed(first).snapshot.member.id  # type: ignore[arg-type]


async def previewed(client: ResolverClient, context: Context, key: MemberKey) -> Presented:
    outcome = await events.preview(context, EventOfMember(client.purchase_event("10.00"), key))
    return outcome if isinstance(outcome, Refusal) else committed(outcome).snapshot.member.id


async def adjusted(client: ResolverClient, context: Context, key: MemberKey) -> Presented:
    outcome = await adjustment.adjust(context, key=client.key(), member=key, points=1, reason="a reason")
    return outcome if isinstance(outcome, Refusal) else committed(outcome).snapshot.member.id


async def preferred(client: ResolverClient, context: Context, key: MemberKey) -> Presented:
    outcome = await preferences.set_preferences(context, key=client.key(), member=key, topics=("category:TEA",))
    return outcome if isinstance(outcome, Refusal) else committed(outcome).snapshot.member.id


OPERATIONS = (queried, watched, recorded, in_a_batch, previewed, adjusted, preferred)


async def present(operation: Operation, client: ResolverClient, context: Context, code: str) -> Presented:
    """Present a pass in an operation; return the member or the refusal."""
    try:
        return await operation(client, context, MemberKey("pass", code))
    except Refused as refused_:
        return refused_.refusal


def reason(found: Presented) -> tuple[RefusalCode, str]:
    assert isinstance(found, Refusal)
    return code_and_reason(found)


@pytest.mark.parametrize("first", OPERATIONS, ids=lambda one: one.__name__)
async def test_the_first_caller_uses_a_pass_in_every_operation_and_no_other_caller_does(
    resolver_client: ResolverClient, first: Operation
) -> None:
    member = await resolver_client.member()
    code = member_pass(resolver_client, member).code
    one, other = (resolver_client.context(subject=name) for name in ("till-1", "till-2"))
    assert await present(first, resolver_client, one, code) == member
    for operation in OPERATIONS:
        assert reason(await present(operation, resolver_client, other, code)) == USED
        # Its own use goes on after the minute in which the app shows the pass.
        resolver_client.clock.advance(seconds=80)
        assert await present(operation, resolver_client, one, code) == member
    resolver_client.clock.advance(seconds=USE_TTL.total_seconds() - 7 * 80 - 1)
    assert await present(first, resolver_client, one, code) == member
    resolver_client.clock.advance(seconds=1)
    for operation in OPERATIONS:
        assert reason(await present(operation, resolver_client, one, code)) == EXPIRED
        assert reason(await present(operation, resolver_client, other, code)) == USED


async def test_a_role_is_part_of_the_caller(resolver_client: ResolverClient) -> None:
    code = member_pass(resolver_client, await resolver_client.member()).code
    await present(queried, resolver_client, resolver_client.context(Role.TILL, subject="anna"), code)
    agent = resolver_client.context(Role.AGENT, subject="anna")
    assert reason(await present(queried, resolver_client, agent, code)) == USED


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.__name__)
async def test_of_many_callers_at_once_exactly_one_is_bound(
    resolver_client: ResolverClient, operation: Operation
) -> None:
    member = await resolver_client.member()
    code = member_pass(resolver_client, member).code
    callers = [resolver_client.context(subject=f"till-{n}") for n in range(12)]
    found = await asyncio.gather(*(present(operation, resolver_client, caller, code) for caller in callers))
    assert found.count(member) == 1
    assert {reason(one) for one in found if one != member} == {USED}
    bound = callers[found.index(member)]
    assert await present(queried, resolver_client, bound, code) == member


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.__name__)
async def test_expired_foreign_and_made_up_passes_are_refused(
    resolver_client: ResolverClient, operation: Operation
) -> None:
    member, context = await resolver_client.member(), resolver_client.context()
    coffee = ResolverClient(resolver_client.services, resolver_client.clock, "coffee", resolver_client.keys)
    foreign = member_pass(coffee, await coffee.member()).code
    code = member_pass(resolver_client, member).code
    changed = [code[:-1] + ("A" if code[-1] != "A" else "B"), code.replace("CP1", "CP2"), "", "CP1....", "C" * 201]
    for text in (foreign, *changed):
        assert reason(await present(operation, resolver_client, context, text)) == UNKNOWN
    early = member_pass(resolver_client, member).code
    resolver_client.clock.advance(seconds=(PASS_TTL + LEEWAY).total_seconds() - 1)
    assert await present(operation, resolver_client, context, early) == member
    resolver_client.clock.advance(seconds=1)
    assert reason(await present(operation, resolver_client, context, code)) == EXPIRED


async def test_who_may_not_see_the_member_does_not_use_up_the_pass(resolver_client: ResolverClient) -> None:
    member, stranger = await resolver_client.member(), await resolver_client.member()
    code = member_pass(resolver_client, member).code
    tablet = await Tablet.enrolled(resolver_client)
    for context in (resolver_client.context(Role.MEMBER, member=stranger), await tablet.context()):
        for operation in (queried, watched, preferred):
            with pytest.raises(Forbidden):
                await present(operation, resolver_client, context, code)
    assert await present(queried, resolver_client, resolver_client.context(), code) == member


async def test_a_till_and_a_tablet_that_read_one_pass_exclude_each_other(resolver_client: ResolverClient) -> None:
    member, till = await resolver_client.member(), resolver_client.context()
    tablet = await Tablet.enrolled(resolver_client)
    first, second = member_pass(resolver_client, member).code, member_pass(resolver_client, member).code
    assert await present(queried, resolver_client, till, first) == member
    assert code_and_reason(await tablet.refused("pass", first)) == USED
    await tablet.opened("pass", second)
    assert reason(await present(queried, resolver_client, till, second)) == USED
    for _ in range(6):
        code = member_pass(resolver_client, member).code
        by_till, by_tablet = await asyncio.gather(
            present(queried, resolver_client, till, code), tablet.open("pass", code)
        )
        assert (by_till == member) is not isinstance(by_tablet, SessionView)


async def test_the_app_hears_of_each_use_of_its_pass_once(resolver_client: ResolverClient) -> None:
    member, stranger = await resolver_client.member(), await resolver_client.member()
    till, other = resolver_client.context(), resolver_client.context(subject="till-2")
    tablet = await Tablet.enrolled(resolver_client)
    own = pass_uses(resolver_client.context(Role.MEMBER, member=member))
    strange = pass_uses(resolver_client.context(Role.MEMBER, member=stranger))
    async with aclosing(own), aclosing(strange):
        assert [await anext(own), await anext(strange)] == [None, None]
        heard, nothing = asyncio.ensure_future(anext(own)), asyncio.ensure_future(anext(strange))
        code = member_pass(resolver_client, member).code
        await present(queried, resolver_client, till, code)
        assert await asyncio.wait_for(heard, 10) == resolver_client.clock()
        heard = asyncio.ensure_future(anext(own))
        for context in (till, other, till):
            await present(recorded, resolver_client, context, code)
        await asyncio.sleep(0.5)
        assert not heard.done()
        await tablet.opened("pass", member_pass(resolver_client, member).code)
        assert await asyncio.wait_for(heard, 10) == resolver_client.clock()
        assert not nothing.done()
        nothing.cancel()
        await asyncio.wait({nothing})
    # The member's version is that of its two purchases: to read a pass changes nothing.
    found = await resolver_client.services.reader.member("grocer", member)
    assert found is not None
    assert found.version == 3


async def test_a_retry_with_a_key_is_the_same_use(resolver_client: ResolverClient) -> None:
    member, till = await resolver_client.member(), resolver_client.context()
    key = MemberKey("pass", member_pass(resolver_client, member).code)
    event: Any = resolver_client.purchase_event("10.00")
    first = committed(await events.record(till, EventOfMember(event, key)))
    resolver_client.clock.advance(minutes=9)
    again = committed(await events.record(till, EventOfMember(event, key)))
    assert (again.replayed, again.record) == (True, first.record)
    by_number = MemberKey("number", first.snapshot.member.number)
    assert committed(await events.record(till, EventOfMember(event, by_number))).replayed
    other = resolver_client.context(subject="till-2")
    assert code_and_reason(refused(await events.record(other, EventOfMember(event, key)))) == USED
