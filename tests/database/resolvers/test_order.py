import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from support.clients.catalogue_client import CatalogueClient
from support.clients.resolver_client import ResolverClient
from support.documents import documents
from support.outcome import committed, refused

from loyalty.kernel.refusal import Refusal, RefusalCode
from loyalty.model.ledger import Account, Cause, EntryKind
from loyalty.model.order import Delivery, OrderState, Recipient
from models.commits.request import Committed, Outcome
from models.mongo.order import order_of
from resolvers import order as orders
from resolvers.audit.audit import audit
from resolvers.core.actor import Role
from resolvers.core.member import MemberKey
from resolvers.core.operation_error import Forbidden

TOMORROW_AT_TEN = datetime(2026, 6, 16, 14, 0, tzinfo=UTC)


def sorted_out(outcomes: list[Outcome]) -> tuple[int, list[tuple[RefusalCode, str]]]:
    """Return the number of committed outcomes and the distinct refusals."""
    done = [outcome for outcome in outcomes if isinstance(outcome, Committed)]
    others = {(outcome.code, outcome.reason) for outcome in outcomes if isinstance(outcome, Refusal)}
    assert len(done) + sum(isinstance(outcome, Refusal) for outcome in outcomes) == len(outcomes)
    return len(done), sorted(others)


async def balances(resolver_client: ResolverClient) -> dict[str, int]:
    """Return the sums of all members' accounts, as the audit adds them; it must find no fault."""
    findings = await audit(resolver_client.services.database)
    assert findings.members_with_faults == []
    assert findings.supplies_with_faults == []
    return {account.value: points for account, points in findings.balances.items() if points}


async def stock_taken(resolver_client: CatalogueClient, counter: str) -> int:
    document = await resolver_client.services.database.counters.find_one({"_id": counter})
    return document["taken"] if document is not None else 0


async def test_an_order_takes_points_a_piece_and_a_code_together(catalogue_client: CatalogueClient) -> None:
    member = await catalogue_client.earn(130)
    outcome = committed(await catalogue_client.try_order(member, "boxed-film", key="checkout-1"))
    [order] = outcome.orders
    assert (order.state, order.points, order.quantity, order.code, order.pool) == (
        OrderState.PLACED,
        100,
        1,
        "films-0",
        "films",
    )
    assert outcome.snapshot.member.balances == {Account.ISSUED: -130, Account.AVAILABLE: 30, Account.REDEEMED: 100}
    assert [(entry.kind, entry.points) for entry in outcome.record.entries] == [(EntryKind.BURN, -100)]
    assert outcome.record.cause == Cause("place-order", "till", "till", "checkout-1")
    database = catalogue_client.services.database
    stored = await database.orders.find_one({"_id": order.id})
    assert stored is not None
    assert order_of(stored) == order
    assert await stock_taken(catalogue_client, "grocer/stock/boxed-film") == 1
    code = await database.codes.find_one({"code": "films-0"})
    assert code is not None
    assert (code["state"], code["holder"], code["member"]) == ("given", f"order/{order.id}", member)


async def test_the_same_key_gives_the_same_order_and_with_other_content_is_refused(
    catalogue_client: CatalogueClient,
) -> None:
    member = await catalogue_client.earn(300)
    first = committed(await catalogue_client.try_order(member, "mug", key="checkout-1"))
    before = await documents(catalogue_client.services.database)
    again = committed(await catalogue_client.try_order(member, "mug", key="checkout-1"))
    assert (again.replayed, again.orders, again.record) == (True, first.orders, first.record)
    for about in ({"quantity": 2}, {"recipient": Recipient("Ann")}, {"delivery": delivery()}):
        refusal = refused(await catalogue_client.try_order(member, "mug", key="checkout-1", **about))
        assert (refusal.code, refusal.path) == (RefusalCode.KEY_REUSED, ("key",))
    assert refused(await catalogue_client.try_order(member, "bowl", key="checkout-1")).code is RefusalCode.KEY_REUSED
    assert await documents(catalogue_client.services.database) == before


async def test_replay_returns_the_present_order(catalogue_client: CatalogueClient) -> None:
    member = await catalogue_client.earn(100)
    order = await catalogue_client.order(member, "mug", key="checkout-1")
    await catalogue_client.cancel(order.id)
    again = committed(await catalogue_client.try_order(member, "mug", key="checkout-1"))
    assert (again.replayed, again.orders[0].state, again.snapshot.member.available) == (
        True,
        OrderState.CANCELLED,
        100,
    )


async def test_order_to_collect_in_a_store_needs_no_address(catalogue_client: CatalogueClient) -> None:
    member = await catalogue_client.earn(100)
    nowhere = {"name": "", "line1": "", "postal_code": "", "city": "", "country": ""}
    refusal = refused(await catalogue_client.try_order(member, "mug", delivery=delivery(**nowhere, store=" ")))
    assert refusal.path == ("delivery", "name")
    order = await catalogue_client.order(member, "mug", delivery=delivery(**nowhere, store="330"))
    assert order.delivery is not None
    assert order.delivery.store == "330"


def delivery(**about: Any) -> Delivery:
    fields: dict[str, Any] = {"name": "Lee", "line1": "1 Way", "postal_code": "1", "city": "Here", "country": "US"}
    return Delivery(**{**fields, **about})


async def test_invalid_order_is_refused_and_changes_nothing(
    catalogue_client: CatalogueClient, subtests: pytest.Subtests
) -> None:
    member, poor = await catalogue_client.earn(700), await catalogue_client.earn(20)
    await catalogue_client.order(member, "once")
    before = await documents(catalogue_client.services.database)
    wrong: dict[str, tuple[Any, RefusalCode, str, tuple[str, ...]]] = {
        "no such reward": (
            catalogue_client.try_order(member, "x"),
            RefusalCode.NOT_FOUND,
            "reward_not_found",
            ("reward",),
        ),
        "none": (
            catalogue_client.try_order(member, "mug", quantity=0),
            RefusalCode.INVALID,
            "quantity_range",
            ("quantity",),
        ),
        "too few": (
            catalogue_client.try_order(member, "mug", quantity=6),
            RefusalCode.OUT_OF_STOCK,
            "too_few",
            ("quantity",),
        ),
        "poor": (
            catalogue_client.try_order(poor, "mug"),
            RefusalCode.INSUFFICIENT_POINTS,
            "insufficient_points",
            ("reward",),
        ),
        "twice": (catalogue_client.try_order(member, "once"), RefusalCode.LIMIT_REACHED, "reward_limit", ("reward",)),
        "gold": (catalogue_client.try_order(member, "gold-only"), RefusalCode.NOT_ELIGIBLE, "reward_tier", ("reward",)),
        "relative": (
            catalogue_client.try_order(member, "mug", recipient=Recipient("Ann")),
            RefusalCode.NOT_ELIGIBLE,
            "relative_tier",
            ("recipient",),
        ),
        "nameless": (
            catalogue_client.try_order(member, "mug", recipient=Recipient(" ")),
            RefusalCode.INVALID,
            "recipient_name",
            ("recipient", "name"),
        ),
        "email": (
            catalogue_client.try_order(member, "mug", recipient=Recipient("Ann", email="ann")),
            RefusalCode.INVALID,
            "email_invalid",
            ("recipient", "email"),
        ),
        "phone": (
            catalogue_client.try_order(member, "mug", recipient=Recipient("Ann", phone="ann")),
            RefusalCode.INVALID,
            "phone_invalid",
            ("recipient", "phone"),
        ),
        "a story": (
            catalogue_client.try_order(member, "mug", recipient=Recipient("Ann", message="x" * 501)),
            RefusalCode.INVALID,
            "text_too_long",
            ("recipient", "message"),
        ),
        "city": (
            catalogue_client.try_order(member, "mug", delivery=delivery(city=" ")),
            RefusalCode.INVALID,
            "delivery_field",
            ("delivery", "city"),
        ),
        "country": (
            catalogue_client.try_order(member, "mug", delivery=delivery(country="USA")),
            RefusalCode.INVALID,
            "country_invalid",
            ("delivery", "country"),
        ),
        "line": (
            catalogue_client.try_order(member, "mug", delivery=delivery(line2="x" * 201)),
            RefusalCode.INVALID,
            "text_too_long",
            ("delivery", "line2"),
        ),
        "no appointment": (
            catalogue_client.try_order(member, "talk"),
            RefusalCode.INVALID,
            "appointment_missing",
            ("appointment",),
        ),
        "no hold": (
            catalogue_client.try_order(member, "mug", hold="x"),
            RefusalCode.NOT_FOUND,
            "hold_not_found",
            ("hold",),
        ),
        "no key": (catalogue_client.try_order(member, "mug", key=" "), RefusalCode.INVALID, "key_missing", ("key",)),
        "nobody": (catalogue_client.try_order("nobody", "mug"), RefusalCode.NOT_FOUND, "member_not_found", ("member",)),
    }
    for name, (attempt, code, reason, path) in wrong.items():
        with subtests.test(name):
            refusal = refused(await attempt)
            assert (refusal.code, refusal.reason, refusal.path) == (code, reason, path)
    assert await documents(catalogue_client.services.database) == before


async def test_member_orders_for_itself_only_and_a_till_for_any_card(
    catalogue_client: CatalogueClient,
) -> None:
    ann, bob = await catalogue_client.earn(100), await catalogue_client.earn(100, card="card-bob")
    own = committed(await catalogue_client.try_order(None, "mug", role=Role.MEMBER, of=ann))
    assert (own.orders[0].member, own.orders[0].history[0].role) == (ann, "member")
    before = await documents(catalogue_client.services.database)
    with pytest.raises(Forbidden):
        await catalogue_client.try_order(bob, "mug", role=Role.MEMBER, of=ann)
    with pytest.raises(Forbidden):
        await catalogue_client.try_order(MemberKey("email", "bob@example.org"), "mug")
    refusal = refused(await catalogue_client.try_order(None, "mug"))
    assert (refusal.code, refusal.reason) == (RefusalCode.INVALID, "member_missing")
    assert await documents(catalogue_client.services.database) == before
    assert (await catalogue_client.order(MemberKey("card", "card-bob"), "mug")).member == bob


async def test_an_order_of_somebody_else_is_not_found(catalogue_client: CatalogueClient) -> None:
    ann, bob = await catalogue_client.earn(100), await catalogue_client.earn(100)
    order = await catalogue_client.order(ann, "mug")
    before = await documents(catalogue_client.services.database)
    attempts = [
        catalogue_client.cancel(order.id, role=Role.MEMBER, member=bob),
        catalogue_client.advance(order.id, OrderState.RETURN_REQUESTED, role=Role.MEMBER, member=bob),
        catalogue_client.cancel("nothing"),
        catalogue_client.advance("nothing", OrderState.CONFIRMED),
    ]
    for attempt in attempts:
        refusal = refused(await attempt)
        assert (refusal.code, refusal.reason, refusal.path) == (RefusalCode.NOT_FOUND, "order_not_found", ("order",))
    assert await documents(catalogue_client.services.database) == before


async def test_cancelling_restores_everything_in_every_document(catalogue_client: CatalogueClient) -> None:
    member = await catalogue_client.earn(100)
    order = await catalogue_client.order(member, "boxed-film")
    outcome = committed(
        await catalogue_client.cancel(order.id, role=Role.MEMBER, member=member, key="no", reason="a mistake")
    )
    [back] = outcome.orders
    assert (back.state, back.points_returned, back.returned, back.lots, back.took, back.code) == (
        OrderState.CANCELLED,
        100,
        1,
        (),
        (),
        None,
    )
    assert [(step.state, step.role, step.note) for step in back.history] == [
        (OrderState.PLACED, "till", None),
        (OrderState.CANCELLED, "member", "a mistake"),
    ]
    assert outcome.snapshot.member.available == 100
    assert await stock_taken(catalogue_client, "grocer/stock/boxed-film") == 0
    code = await catalogue_client.services.database.codes.find_one({"code": "films-0"})
    assert code is not None
    assert {name: code[name] for name in ("state", "holder", "member") if name in code} == {"state": "free"}
    again = committed(
        await catalogue_client.cancel(order.id, role=Role.MEMBER, member=member, key="no", reason="a mistake")
    )
    assert (again.replayed, again.orders) == (True, (back,))
    before = await documents(catalogue_client.services.database)
    refusal = refused(await catalogue_client.cancel(order.id))
    assert (refusal.code, refusal.reason) == (RefusalCode.CONFLICT, "order_not_cancellable")
    assert await documents(catalogue_client.services.database) == before
    assert await balances(catalogue_client) == {"issued": -100, "available": 100}


async def test_the_code_of_a_cancelled_order_is_given_to_the_next(catalogue_client: CatalogueClient) -> None:
    member = await catalogue_client.earn(300)
    order = await catalogue_client.order(member, "boxed-film")
    await catalogue_client.cancel(order.id)
    assert (await catalogue_client.order(member, "film")).code == "films-0"
    assert await balances(catalogue_client) == {"issued": -300, "available": 200, "redeemed": 100}


async def test_a_step_has_a_note_and_a_tracking_address(
    catalogue_client: CatalogueClient, subtests: pytest.Subtests
) -> None:
    member = await catalogue_client.earn(100)
    order = await catalogue_client.order(member, "mug")
    for state in (OrderState.CONFIRMED, OrderState.PREPARING):
        committed(await catalogue_client.advance(order.id, state))
    before = await documents(catalogue_client.services.database)
    wrong: dict[str, tuple[dict[str, Any], str, str]] = {
        "a story": ({"note": "x" * 501}, "text_too_long", "note"),
        "long": ({"tracking_url": "https://a.example/" + "x" * 500}, "text_too_long", "trackingUrl"),
        "no address": ({"tracking_url": "javascript:alert(1)"}, "tracking_url_invalid", "trackingUrl"),
        "no host": ({"tracking_url": "https://"}, "tracking_url_invalid", "trackingUrl"),
        "broken": ({"tracking_url": "https://[x"}, "tracking_url_invalid", "trackingUrl"),
    }
    for name, (about, reason, path) in wrong.items():
        with subtests.test(name):
            refusal = refused(await catalogue_client.advance(order.id, OrderState.SHIPPED, **about))
            assert (refusal.code, refusal.reason, refusal.path) == (RefusalCode.INVALID, reason, (path,))
    assert await documents(catalogue_client.services.database) == before
    address = "https://parcels.example/1"
    outcome = committed(
        await catalogue_client.advance(order.id, OrderState.SHIPPED, note="left today", tracking_url=address)
    )
    [shipped] = outcome.orders
    assert (shipped.state, shipped.tracking_url, shipped.history[-1].note) == (
        OrderState.SHIPPED,
        address,
        "left today",
    )


async def test_exchange_returns_both_orders(catalogue_client: CatalogueClient) -> None:
    member = await catalogue_client.earn(100)
    order = await catalogue_client.order(member, "mug")
    committed(await catalogue_client.advance(order.id, OrderState.FULFILLED, role=Role.TILL))
    outcome = committed(await catalogue_client.advance(order.id, OrderState.EXCHANGED, key="swap"))
    following, first = outcome.orders
    assert (first.state, first.exchanged_for, first.points_returned) == (OrderState.EXCHANGED, following.id, 100)
    assert (following.state, following.origin, following.points) == (OrderState.PLACED, f"order/{order.id}", 100)
    again = committed(await catalogue_client.advance(order.id, OrderState.EXCHANGED, key="swap"))
    assert (again.replayed, again.orders) == (True, outcome.orders)
    assert await stock_taken(catalogue_client, "grocer/stock/mug") == 1
    assert await balances(catalogue_client) == {"issued": -100, "redeemed": 100}


async def test_orders_are_paged_newest_first(catalogue_client: CatalogueClient) -> None:
    member, other = await catalogue_client.earn(200), await catalogue_client.earn(100)
    placed = []
    for _ in range(3):
        placed.append(await catalogue_client.order(member, "bowl"))
        catalogue_client.clock.advance(minutes=1)
    await catalogue_client.order(other, "mug")
    context = catalogue_client.context(Role.MEMBER, member=member)
    page, more = await orders.page(context, member, first=2, after=None)
    assert ([order.id for order in page], more) == ([placed[2].id, placed[1].id], True)
    page, more = await orders.page(context, member, first=2, after=(page[-1].placed_at, page[-1].id))
    assert ([order.id for order in page], more) == ([placed[0].id], False)


# Scarce items


@pytest.mark.parametrize(("reward", "left", "reason"), [("mug", 5, "out_of_stock"), ("film", 5, "codes_gone")])
async def test_last_pieces_and_codes_are_never_oversold(
    catalogue_client: CatalogueClient, other_catalogue_client: CatalogueClient, reward: str, left: int, reason: str
) -> None:
    members = await asyncio.gather(*(catalogue_client.earn(100) for _ in range(40)))
    outcomes = await asyncio.gather(
        *(
            (catalogue_client, other_catalogue_client)[n % 2].try_order(member, reward)
            for n, member in enumerate(members)
        )
    )
    assert sorted_out([*outcomes]) == (left, [(RefusalCode.OUT_OF_STOCK, reason)])
    given = [outcome.orders[0] for outcome in outcomes if isinstance(outcome, Committed)]
    assert len({order.number for order in given}) == left
    if reward == "film":
        assert sorted(order.code or "" for order in given) == [f"films-{n}" for n in range(5)]
    assert await balances(catalogue_client) == {"issued": -4000, "available": 3500, "redeemed": 500}


async def test_appointment_is_booked_once_by_concurrent_orders(
    catalogue_client: CatalogueClient, other_catalogue_client: CatalogueClient
) -> None:
    members = await asyncio.gather(*(catalogue_client.earn(100) for _ in range(20)))
    outcomes = await asyncio.gather(
        *(
            (catalogue_client, other_catalogue_client)[n % 2].try_order(member, "talk", appointment=TOMORROW_AT_TEN)
            for n, member in enumerate(members)
        )
    )
    assert sorted_out([*outcomes]) == (1, [(RefusalCode.OUT_OF_STOCK, "appointment_taken")])
    assert await balances(catalogue_client) == {"issued": -2000, "available": 1900, "redeemed": 100}
    [winner] = [outcome for outcome in outcomes if isinstance(outcome, Committed)]
    await catalogue_client.cancel(winner.orders[0].id)
    assert (
        await catalogue_client.order(members[0], "talk", appointment=TOMORROW_AT_TEN)
    ).appointment == TOMORROW_AT_TEN


async def test_member_who_can_afford_one_of_many_concurrent_orders_gets_one(
    catalogue_client: CatalogueClient, other_catalogue_client: CatalogueClient
) -> None:
    member = await catalogue_client.earn(119)
    outcomes = await asyncio.gather(
        *((catalogue_client, other_catalogue_client)[n % 2].try_order(member, "bowl") for n in range(64))
    )
    assert sorted_out([*outcomes]) == (1, [(RefusalCode.INSUFFICIENT_POINTS, "insufficient_points")])
    assert await balances(catalogue_client) == {"issued": -119, "available": 59, "redeemed": 60}


async def test_checkout_sent_many_times_concurrently_is_one_order(
    catalogue_client: CatalogueClient, other_catalogue_client: CatalogueClient
) -> None:
    member = await catalogue_client.earn(500)
    outcomes = await asyncio.gather(
        *(
            (catalogue_client, other_catalogue_client)[n % 2].try_order(member, "mug", key="checkout-1")
            for n in range(30)
        )
    )
    assert sorted(committed(outcome).replayed for outcome in outcomes) == [False] + [True] * 29
    assert len({committed(outcome).orders[0].id for outcome in outcomes}) == 1
    assert await stock_taken(catalogue_client, "grocer/stock/mug") == 1
    assert await balances(catalogue_client) == {"issued": -500, "available": 400, "redeemed": 100}


async def test_order_cancelled_many_times_concurrently_restores_its_points_once(
    catalogue_client: CatalogueClient, other_catalogue_client: CatalogueClient
) -> None:
    member = await catalogue_client.earn(100)
    order = await catalogue_client.order(member, "mug")
    outcomes = await asyncio.gather(
        *((catalogue_client, other_catalogue_client)[n % 2].cancel(order.id) for n in range(16))
    )
    assert sorted_out([*outcomes]) == (1, [(RefusalCode.CONFLICT, "order_not_cancellable")])
    assert await stock_taken(catalogue_client, "grocer/stock/mug") == 0
    assert await balances(catalogue_client) == {"issued": -100, "available": 100}


async def test_many_concurrent_orders_and_cancellations_of_a_reward_are_all_answered(
    catalogue_client: CatalogueClient, other_catalogue_client: CatalogueClient
) -> None:
    members = await asyncio.gather(*(catalogue_client.earn(100) for _ in range(100)))

    async def order_and_cancel(place: int, member: str) -> int:
        client = (catalogue_client, other_catalogue_client)[place % 2]
        outcome = await client.try_order(member, "mug", role=Role.MEMBER, of=member)
        if isinstance(outcome, Refusal):
            assert outcome.reason == "out_of_stock"
            return 0
        committed(await client.cancel(committed(outcome).orders[0].id))
        return 1

    done = await asyncio.gather(*(order_and_cancel(place, member) for place, member in enumerate(members)))
    assert sum(done) >= 5
    assert await stock_taken(catalogue_client, "grocer/stock/mug") == 0
    assert await balances(catalogue_client) == {"issued": -10000, "available": 10000}
