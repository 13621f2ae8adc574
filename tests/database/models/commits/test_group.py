"""Commands on what members share, through committers of two processes."""

import asyncio
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from support.catalogue import offer, reward
from support.clients.request_factory import RequestFactory
from support.clock import Clock
from support.documents import documents
from support.outcome import committed, refused

from loyalty.commands.advance_order import CancelOrder
from loyalty.commands.hold import HoldPoints
from loyalty.commands.offer import RedeemOffer
from loyalty.commands.place_order import PlaceOrder
from loyalty.commands.registry import Command
from loyalty.kernel.channel import Channel
from loyalty.kernel.digest import content_digest
from loyalty.kernel.refusal import Refusal, RefusalCode
from loyalty.model.catalogue import Catalogue
from loyalty.model.ledger import Account, Cause
from loyalty.model.offer import OfferKind, purchase_reference
from loyalty.model.programme import Programme
from loyalty.model.reward import RewardKind
from models.commits.committer import Committer
from models.commits.request import Committed, Outcome, Request
from models.loading.code_pool import load_codes
from models.mongo.database import Database
from models.mongo.order import order_of


@pytest.fixture
def little(grocer: Programme) -> Programme:
    """The grocer with a catalogue of little."""
    rewards = [
        reward("mug", 10, stock=10),
        reward("film", 10, RewardKind.DIGITAL_CODE, pool="films"),
        reward("bread", 10, stock=100_000),
    ]
    offers = [
        offer("double", OfferKind.MULTIPLIER, factor=Decimal(2), budget=100_000),
        offer("unlimited", uses_per_member_max=None),
    ]
    return replace(grocer, catalogue=Catalogue(offers, rewards))


@pytest.fixture
def request_factory(little: Programme, clock: Clock) -> RequestFactory:
    return RequestFactory(little, clock)


def request(request_factory: RequestFactory, member: str, command: Command) -> Request:
    digest = content_digest({"member": member, "command": type(command).__name__})
    return Request(command, member, request_factory.programme, request_factory.clock(), digest)


def cause(request_factory: RequestFactory, key: str | None = None) -> Cause:
    return Cause("act", "agent", "till", key or request_factory.key())


def ordering(request_factory: RequestFactory, member: str, key: str, quantity: int = 1, **about: Any) -> Request:
    return request(request_factory, member, PlaceOrder(key, quantity, Channel.APP, cause(request_factory), **about))


def redeeming(request_factory: RequestFactory, member: str, key: str, purchase: str | None = None) -> Request:
    ref = purchase_reference("till", purchase) if purchase is not None else None
    command = RedeemOffer(key, ref, Channel.STORE, None, request_factory.clock(), cause(request_factory))
    return request(request_factory, member, command)


async def rich(request_factory: RequestFactory, committer: Committer, members: int) -> list[str]:
    """Enrol members with 10 points each."""
    made = await asyncio.gather(*(request_factory.member(committer) for _ in range(members)))
    await asyncio.gather(*(committer.commit(request_factory.buy(member, "10.00")) for member in made))
    return [*made]


async def all_of(requests: list[Request], *committers: Committer) -> list[Outcome]:
    """Commit requests at once, turn by turn through each of the committers."""
    turns = [committers[place % len(committers)] for place in range(len(requests))]
    return await asyncio.gather(*(turn.commit(one) for turn, one in zip(turns, requests, strict=True)))


async def taken(database: Database, counter: str) -> int:
    document = await database.counters.find_one({"_id": counter})
    return document["taken"] if document is not None else 0


async def test_a_hot_reward_is_ordered_by_two_hundred_at_once_through_two_processes(
    database: Database, committer: Committer, other_committer: Committer, request_factory: RequestFactory
) -> None:
    members = await rich(request_factory, committer, 200)
    outcomes = await all_of(
        [ordering(request_factory, member, "bread") for member in members], committer, other_committer
    )
    assert [type(outcome) for outcome in outcomes] == [Committed] * 200
    assert await taken(database, "grocer/stock/bread") == 200
    assert len({committed(outcome).orders[0].number for outcome in outcomes}) == 200
    assert await database.orders.count_documents({}) == 200


@pytest.mark.parametrize("gone", [("mug", "out_of_stock"), ("film", "codes_gone")])
async def test_the_last_ten_go_to_ten_of_two_hundred_through_two_processes(
    database: Database,
    committer: Committer,
    other_committer: Committer,
    request_factory: RequestFactory,
    gone: tuple[str, str],
) -> None:
    key, reason = gone
    await load_codes(database, "grocer", "films", [f"f-{number}" for number in range(10)])
    members = await rich(request_factory, committer, 200)
    outcomes = await all_of([ordering(request_factory, member, key) for member in members], committer, other_committer)
    assert sum(isinstance(outcome, Committed) for outcome in outcomes) == 10
    refused_with = {(outcome.code, outcome.reason) for outcome in outcomes if isinstance(outcome, Refusal)}
    assert refused_with == {(RefusalCode.OUT_OF_STOCK, reason)}
    assert await database.orders.count_documents({}) == 10
    assert await taken(database, "grocer/stock/mug") == (10 if key == "mug" else 0)
    given = await database.codes.count_documents({"state": "given"})
    assert given == (10 if key == "film" else 0)
    spent = await database.members.count_documents({f"balances.{Account.REDEEMED.value}": 10})
    assert spent == 10


async def test_a_use_of_one_offer_by_two_hundred_at_once_is_counted_two_hundred_times(
    database: Database, committer: Committer, other_committer: Committer, request_factory: RequestFactory
) -> None:
    members = await asyncio.gather(*(request_factory.member(committer) for _ in range(200)))
    outcomes = await all_of(
        [redeeming(request_factory, one, "unlimited") for one in members], committer, other_committer
    )
    assert [type(outcome) for outcome in outcomes] == [Committed] * 200
    assert await taken(database, "grocer/uses/unlimited") == 200


async def test_a_redemption_and_its_purchase_in_one_group_are_decided_again_each_on_its_own(
    database: Database, request_factory: RequestFactory
) -> None:
    groups: list[int] = []
    async with Committer(database, on_group=lambda size, _seconds: groups.append(size)) as committer:
        members = [await request_factory.member(committer) for _ in range(3)]
        groups.clear()
        requests = [
            one
            for place, member in enumerate(members)
            for one in (
                redeeming(request_factory, member, "double", f"basket-{place}"),
                request_factory.buy(member, "10.00", key=f"basket-{place}"),
            )
        ]
        outcomes = await all_of(requests, committer)
    assert groups == [6]
    assert [committed(outcome).record.version for outcome in outcomes] == [2, 3] * 3
    assert await taken(database, "grocer/budget/double") == 30
    balances = [document["balances"]["available"] async for document in database.members.find({})]
    assert balances == [20, 20, 20]


async def test_a_purchase_and_its_redemption_in_one_group_give_the_same(
    database: Database, committer: Committer, request_factory: RequestFactory
) -> None:
    member = await request_factory.member(committer)
    requests = [
        request_factory.buy(member, "10.00", key="basket"),
        redeeming(request_factory, member, "double", "basket"),
    ]
    outcomes = await all_of(requests, committer)
    assert [committed(outcome).snapshot.member.available for outcome in outcomes] == [10, 20]
    event = await database.records.find_one({"cause.key": "basket"})
    assert event is not None
    [use] = event["consequences"]
    assert event["grants"][-1] == ["offer/double", [10], False]
    assert (use["rule"], use["uses"], use["charge"]) == ("offer/double", 1, 10)
    assert await taken(database, "grocer/budget/double") == 10


async def test_an_order_and_its_cancellation_in_one_group_leave_nothing_taken(
    database: Database, committer: Committer, request_factory: RequestFactory
) -> None:
    await load_codes(database, "grocer", "films", ["f-0"])
    [member] = await rich(request_factory, committer, 1)
    placing = ordering(request_factory, member, "mug")
    placed = committed(await committer.commit(placing)).orders[0]
    back = request(request_factory, member, CancelOrder(placed.id, cause(request_factory)))
    again = ordering(request_factory, member, "film")
    outcomes = await all_of([back, again], committer)
    assert [committed(outcome).orders[0].state.value for outcome in outcomes] == ["CANCELLED", "FULFILLED"]
    stored = await database.orders.find_one({"_id": placed.id})
    assert stored is not None
    assert order_of(stored) == committed(outcomes[0]).orders[0]
    assert await taken(database, "grocer/stock/mug") == 0


async def test_a_refused_command_writes_nothing_beside_its_neighbours(
    database: Database, committer: Committer, request_factory: RequestFactory
) -> None:
    [member] = await rich(request_factory, committer, 1)
    poor = await request_factory.member(committer)
    outcomes = await all_of(
        [ordering(request_factory, poor, "mug"), ordering(request_factory, member, "mug")], committer
    )
    assert refused(outcomes[0]).reason == "insufficient_points"
    assert committed(outcomes[1]).orders[0].member == member
    assert await taken(database, "grocer/stock/mug") == 1
    before = await documents(database)
    for key, quantity in (("mug", 11), ("film", 1), ("nothing", 1)):
        refused(await committer.commit(ordering(request_factory, member, key, quantity)))
    assert await documents(database) == before


async def test_a_hold_is_answered_again_as_it_was_made(
    database: Database, committer: Committer, request_factory: RequestFactory
) -> None:
    [member] = await rich(request_factory, committer, 1)
    requested = HoldPoints("mug", None, 60, Channel.APP, cause(request_factory, "cart"))
    requests = [request(request_factory, member, requested) for _ in range(5)]
    outcomes = [committed(outcome) for outcome in await all_of(requests, committer)]
    assert [outcome.replayed for outcome in outcomes] == [False, True, True, True, True]
    assert {outcome.hold for outcome in outcomes} == {outcomes[0].hold}
    assert outcomes[0].hold is not None
    assert await taken(database, "grocer/stock/mug") == 1
    request_factory.clock.advance(seconds=60)
    committed(await committer.commit(request_factory.settle(member)))
    assert await taken(database, "grocer/stock/mug") == 0
    again = committed(await committer.commit(requests[0]))
    assert (again.replayed, again.hold, again.snapshot.member.holds) == (True, outcomes[0].hold, ())
