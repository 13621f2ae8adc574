"""How a committer puts commands into groups: in order for each member, one group at a time for each, no deadlock."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.clients.several_member_requests import PassPoints
from support.programme_files import programme_from_file
from support.property_settings import property_settings

from loyalty.commands.adjust_points import AdjustPoints
from loyalty.commands.registry import Command
from loyalty.model.decision import NothingToSettle
from loyalty.model.ledger import Cause
from models.commits.committer import GROUP_MAX, LANE_SHARE_MAX, Committer, Unavailable
from models.commits.request import Outcome, Request

NOW = datetime(2026, 6, 15, tzinfo=UTC)
GROCER = programme_from_file("grocer")


@dataclass
class Transactions:
    """A database whose transactions do nothing but take turns: what was in each, and what ran at the same time."""

    groups: list[list[Request]] = field(default_factory=list)
    running: list[set[str]] = field(default_factory=list)
    turns: int = 1
    broken: bool = False

    async def run(self, requests: list[Request]) -> list[Outcome | Exception]:
        members = {member for request in requests for member in request.members}
        assert not any(members & others for others in self.running), "a member is in two groups at once"
        self.running.append(members)
        self.groups.append(requests)
        for _ in range(self.turns + len(self.groups) % 3):
            await asyncio.sleep(0)
        self.running.remove(members)
        if self.broken:
            raise Unavailable("no primary")
        return [NothingToSettle() for _ in requests]


class Lanes(Committer):
    """A committer over transactions that do nothing."""

    def __init__(self, transactions: Transactions) -> None:
        super().__init__(cast("Any", None))
        self.transactions = transactions

    async def _transact(self, requests: list[Request]) -> list[Outcome | Exception]:
        return await self.transactions.run(requests)


def request(number: int, first: str, *others: str) -> Request:
    cause = Cause("act", "member", "app", f"key-{number}", "a reason")
    command: Command = PassPoints(others, 1, cause) if others else AdjustPoints(1, cause)
    return Request(command, first, GROCER, NOW, "digest")


@pytest.fixture
def transactions() -> Transactions:
    return Transactions()


@pytest.fixture
async def lanes(transactions: Transactions) -> AsyncIterator[Lanes]:
    async with Lanes(transactions) as committer:
        yield committer


def order_of(transactions: Transactions, member: str) -> list[str]:
    """Return the keys of a member's commands in the order of their groups."""
    return [one.command.cause.key for group in transactions.groups for one in group if member in one.members]


async def expect_all(lanes: Lanes, transactions: Transactions, requests: list[Request], *, at_once: int = 7) -> None:
    """Submit requests, see that all are answered, and that no member's commands changed places."""
    futures = []
    for number, one in enumerate(requests, start=1):
        futures.append(lanes.submit(one))
        if number % at_once == 0:
            await asyncio.sleep(0)
    async with asyncio.timeout(20):
        await asyncio.gather(*futures)
    assert sum(len(group) for group in transactions.groups) == len(requests)
    for member in {member for one in requests for member in one.members}:
        assert order_of(transactions, member) == [one.command.cause.key for one in requests if member in one.members]


async def test_members_passing_points_to_each_other_share_a_group(lanes: Lanes, transactions: Transactions) -> None:
    await expect_all(
        lanes, transactions, [request(0, "a", "b"), request(1, "b", "a"), request(2, "a"), request(3, "b")]
    )
    assert [len(group) for group in transactions.groups] == [4]


async def test_a_circle_of_commands_goes_round_without_waiting_for_itself(
    lanes: Lanes, transactions: Transactions
) -> None:
    ring = [f"m-{number}" for number in range(50)]
    requests = [request(turn, ring[turn % 50], ring[(turn + 1) % 50]) for turn in range(300)]
    await expect_all(lanes, transactions, requests)
    assert len(transactions.groups[0]) > 1


async def test_a_member_of_everybodys_commands_is_not_passed_over(lanes: Lanes, transactions: Transactions) -> None:
    requests: list[Request] = []
    for number in range(0, 900, 3):
        requests += [request(number, f"m-{number % 40}", "hub"), request(number + 1, "hub")]
        requests.append(request(number + 2, f"m-{number % 40}"))
    await expect_all(lanes, transactions, requests)


async def test_a_group_and_a_lanes_share_of_it_stay_bounded(lanes: Lanes, transactions: Transactions) -> None:
    alone = [request(number, "busy") for number in range(LANE_SHARE_MAX * 2)]
    many = [request(1_000 + number, f"m-{number}", f"n-{number}") for number in range(GROUP_MAX * 2)]
    await expect_all(lanes, transactions, [*alone, *many], at_once=1_000)
    assert max(len(group) for group in transactions.groups) == GROUP_MAX
    shares = [sum(one.member == "busy" for one in group) for group in transactions.groups]
    assert max(shares) == LANE_SHARE_MAX


async def test_without_mongodb_all_that_waits_is_answered_and_the_lanes_are_empty(
    lanes: Lanes, transactions: Transactions
) -> None:
    transactions.broken = True
    requests = [request(number, f"m-{number % 5}", f"m-{(number + 1) % 5}") for number in range(GROUP_MAX * 3)]
    futures = [lanes.submit(one) for one in requests]
    async with asyncio.timeout(20):
        outcomes = await asyncio.gather(*futures, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {Unavailable}
    await lanes.drain()
    transactions.broken, transactions.groups = False, []
    await expect_all(lanes, transactions, [request(5_000 + number, f"m-{number % 5}", "hub") for number in range(20)])


MEMBERS = st.lists(st.sampled_from("abcdef"), min_size=1, max_size=3, unique=True)


@property_settings(150)
@given(st.lists(MEMBERS, min_size=1, max_size=80), st.integers(1, 4))
def test_whatever_is_submitted_is_answered_in_the_order_of_each_member(wanted: list[list[str]], turns: int) -> None:
    async def run() -> None:
        transactions = Transactions(turns=turns)
        async with Lanes(transactions) as committer:
            requests = [request(number, *members) for number, members in enumerate(wanted)]
            await expect_all(committer, transactions, requests)

    asyncio.run(run())
