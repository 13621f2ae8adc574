import asyncio

import pytest
from support.clients.resolver_client import ResolverClient
from support.documents import documents
from support.outcome import committed, refused

from loyalty.kernel.refusal import Refusal, RefusalCode
from loyalty.model.ledger import Account, Cause, EntryKind
from models.commits.request import Committed, Outcome
from resolvers.adjustment import adjust
from resolvers.core.actor import Role
from resolvers.core.member import MemberKey


async def correct(
    resolver_client: ResolverClient,
    member: str,
    points: int,
    *,
    key: str = "case-1",
    reason: str = "a lost receipt",
    subject: str = "agent",
) -> Outcome:
    context = resolver_client.context(Role.AGENT, subject=subject)
    return await adjust(context, key=key, member=MemberKey("id", member), points=points, reason=reason)


async def test_added_points_have_actor_and_reason_in_the_ledger(resolver_client: ResolverClient) -> None:
    member = await resolver_client.member()
    outcome = committed(await correct(resolver_client, member, 40, reason="  a lost receipt ", subject="agent-7"))
    assert outcome.record.cause == Cause("adjust", "agent", "agent-7", "case-1", "a lost receipt")
    [entry] = outcome.record.entries
    assert (entry.kind, entry.points, entry.balance) == (EntryKind.ADJUST, 40, 40)
    assert outcome.snapshot.member.balances == {Account.ISSUED: -40, Account.AVAILABLE: 40}
    assert outcome.snapshot.member.qualifying_days == {}
    assert [lot.points for lot in outcome.snapshot.member.lots] == [40]


async def test_points_are_deducted_oldest_first(resolver_client: ResolverClient) -> None:
    member = await resolver_client.member()
    await resolver_client.buy(member, "30.00")
    resolver_client.clock.advance(days=40)
    await resolver_client.buy(member, "20.00")
    outcome = committed(await correct(resolver_client, member, -35))
    assert outcome.snapshot.member.balances == {Account.ISSUED: -50, Account.AVAILABLE: 15, Account.DEDUCTED: 35}
    assert [lot.points for lot in outcome.snapshot.member.lots] == [15]
    assert outcome.snapshot.member.qualifying_days != {}  # a tier is of what was earned


async def test_the_same_key_counts_once_and_with_other_content_is_refused(resolver_client: ResolverClient) -> None:
    member = await resolver_client.member()
    first = committed(await correct(resolver_client, member, 40))
    before = await documents(resolver_client.services.database)
    again = committed(await correct(resolver_client, member, 40, reason=" a lost receipt"))
    assert (again.replayed, again.record) == (True, first.record)
    for outcome in (
        await correct(resolver_client, member, 41),
        await correct(resolver_client, member, 40, reason="another"),
    ):
        assert refused(outcome).code is RefusalCode.KEY_REUSED
    assert await documents(resolver_client.services.database) == before
    assert not committed(await correct(resolver_client, member, 40, subject="agent-2")).replayed


async def test_a_key_of_an_adjustment_is_not_that_of_an_event(resolver_client: ResolverClient) -> None:
    member = await resolver_client.member()
    await resolver_client.buy(member, "5.00", key="case-1")
    assert not committed(await correct(resolver_client, member, 40, subject="till")).replayed


async def test_invalid_adjustment_is_refused_and_changes_nothing(
    resolver_client: ResolverClient, subtests: pytest.Subtests
) -> None:
    member = await resolver_client.member()
    await resolver_client.buy(member, "30.00")
    before = await documents(resolver_client.services.database)
    wrong = {
        "more than there is": (
            correct(resolver_client, member, -31),
            RefusalCode.INSUFFICIENT_POINTS,
            "insufficient_points",
        ),
        "nothing": (correct(resolver_client, member, 0), RefusalCode.INVALID, "adjustment_zero"),
        "no reason": (correct(resolver_client, member, 5, reason=" "), RefusalCode.INVALID, "reason_missing"),
        "a story": (correct(resolver_client, member, 5, reason="x" * 501), RefusalCode.INVALID, "text_too_long"),
        "no key": (correct(resolver_client, member, 5, key=""), RefusalCode.INVALID, "key_missing"),
        "too much": (correct(resolver_client, member, 2**31 - 30), RefusalCode.LIMIT_REACHED, "balance_limit"),
        "nobody": (correct(resolver_client, "nobody", 5), RefusalCode.NOT_FOUND, "member_not_found"),
    }
    for name, (attempt, code, reason) in wrong.items():
        with subtests.test(name):
            refusal = refused(await attempt)
            assert (refusal.code, refusal.reason) == (code, reason)
    assert await documents(resolver_client.services.database) == before


async def test_one_of_two_concurrent_deductions_over_the_balance_is_refused(
    resolver_client: ResolverClient,
) -> None:
    member = await resolver_client.member()
    await resolver_client.buy(member, "30.00")
    outcomes = await asyncio.gather(*(correct(resolver_client, member, -20, key=f"case-{n}") for n in range(2)))
    assert [type(outcome) for outcome in outcomes] == [Committed, Refusal]
    assert refused(outcomes[1]).params == {"available": 10, "asked": 20}
    snapshot = await resolver_client.services.reader.member("grocer", member)
    assert snapshot is not None
    assert snapshot.member.available == 10
