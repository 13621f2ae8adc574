"""Releases, and what follows from purchases, through the committer and two processes."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from support.clients.catalogue_client import CatalogueClient
from support.documents import documents
from support.outcome import committed, refused

from loyalty.kernel.channel import Channel
from loyalty.kernel.refusal import RefusalCode
from loyalty.model.event import REFUND, Event
from loyalty.model.explanation import RuleOutcome
from loyalty.model.order import OrderState
from resolvers import event as events
from resolvers.audit.audit import audit
from resolvers.core.member import MemberKey
from resolvers.event import EventOfMember
from resolvers.offer import TEXT_LENGTH_MAX


async def counters(client: CatalogueClient) -> dict[str, int]:
    found = client.services.database.counters.find({"taken": {"$ne": 0}})
    return {f"{row['kind']}/{row['key']}": row["taken"] async for row in found}


async def states(client: CatalogueClient, member: str) -> list[str]:
    found = client.services.database.orders.find({"member": member}, sort=[("placed_at", 1), ("_id", 1)])
    return [row["state"] async for row in found]


async def all_holds(client: CatalogueClient) -> None:
    findings = await audit(client.services.database)
    assert (findings.members_with_faults, findings.supplies_with_faults) == ([], [])


async def test_a_use_is_released_once_and_a_retry_gets_the_first_answer(catalogue_client: CatalogueClient) -> None:
    client = catalogue_client
    member = await client.member()
    committed(await client.redeem(member, offer="gift", purchase_key="void"))
    assert await counters(client) == {"stock/mug": 1, "uses/gift": 1}
    first = committed(await client.release_offer(member, offer="gift", purchase_key="void", key="release-1"))
    [order] = first.orders
    assert (order.state, await counters(client)) == (OrderState.CANCELLED, {})
    again = committed(await client.release_offer(member, offer="gift", purchase_key="void", key="release-1"))
    assert (again.replayed, again.record) == (True, first.record)
    before = await documents(client.services.database)
    reused = refused(await client.release_offer(member, offer="gift", purchase_key="other", key="release-1"))
    twice = refused(await client.release_offer(member, offer="gift", purchase_key="void"))
    assert (reused.code, twice.code, twice.reason) == (
        RefusalCode.KEY_REUSED,
        RefusalCode.NOT_FOUND,
        "offer_use_not_found",
    )
    assert await documents(client.services.database) == before
    committed(await client.redeem(member, offer="gift", purchase_key="void"))
    await all_holds(client)


async def test_what_is_not_waiting_for_its_purchase_is_not_released(
    catalogue_client: CatalogueClient, subtests: pytest.Subtests
) -> None:
    client = catalogue_client
    member, other = await client.member(), await client.member()
    committed(await client.redeem(member, code="FIVE"))
    committed(await client.redeem(member, offer="double", purchase_key="sold"))
    await client.buy(member, "30.00", key="sold")
    committed(await client.redeem(member, offer="gift", purchase_key="void"))
    [gift] = await client.services.database.orders.find({"member": member}).to_list()
    committed(await client.advance(gift["_id"], OrderState.FULFILLED))
    before = await documents(client.services.database)
    long = "x" * (TEXT_LENGTH_MAX + 1)
    wrong: dict[str, tuple[str | None, dict[str, Any], RefusalCode, str, tuple[str, ...]]] = {
        "recorded": (
            member,
            {"offer": "double", "purchase_key": "sold"},
            RefusalCode.CONFLICT,
            "offer_purchase_recorded",
            ("purchaseKey",),
        ),
        "without a purchase": (
            member,
            {"code": "FIVE", "purchase_key": "any"},
            RefusalCode.NOT_FOUND,
            "offer_use_not_found",
            ("purchaseKey",),
        ),
        "unknown purchase": (
            member,
            {"offer": "gift", "purchase_key": "other"},
            RefusalCode.NOT_FOUND,
            "offer_use_not_found",
            ("purchaseKey",),
        ),
        "another member": (
            other,
            {"offer": "gift", "purchase_key": "void"},
            RefusalCode.NOT_FOUND,
            "offer_use_not_found",
            ("purchaseKey",),
        ),
        "handed over": (
            member,
            {"offer": "gift", "purchase_key": "void"},
            RefusalCode.CONFLICT,
            "offer_gift_gone",
            ("purchaseKey",),
        ),
        "unknown code": (
            member,
            {"code": "SIX", "purchase_key": "void"},
            RefusalCode.NOT_FOUND,
            "code_not_found",
            ("code",),
        ),
        "no offer": (member, {"purchase_key": "void"}, RefusalCode.INVALID, "offer_or_code", ("offer",)),
        "nobody": (None, {"code": "FIVE", "purchase_key": "void"}, RefusalCode.INVALID, "member_missing", ("member",)),
        "another sender": (
            member,
            {"offer": "gift", "purchase_key": "void", "purchase_sender": "another"},
            RefusalCode.NOT_FOUND,
            "purchase_sender_not_found",
            ("purchaseSender",),
        ),
        "too long": (
            member,
            {"offer": "gift", "purchase_key": long},
            RefusalCode.INVALID,
            "text_too_long",
            ("purchaseKey",),
        ),
        "no key": (
            member,
            {"offer": "gift", "purchase_key": "void", "key": ""},
            RefusalCode.INVALID,
            "key_missing",
            ("key",),
        ),
    }
    for name, (who, about, code, reason, path) in wrong.items():
        with subtests.test(name):
            refusal = refused(await client.release_offer(who, **about))
            assert (refusal.code, refusal.reason, refusal.path) == (code, reason, path)
    assert await documents(client.services.database) == before


async def test_codes_name_what_is_released(catalogue_client: CatalogueClient) -> None:
    client = catalogue_client
    member = await client.member()
    committed(await client.activate(member, "pooled"))
    snapshot = await client.services.reader.member("grocer", member)
    assert snapshot is not None
    pooled = snapshot.member.offer_use("pooled").code
    for code in ("FIVE", pooled):
        committed(await client.redeem(member, code=code, purchase_key="void"))
        committed(await client.release_offer(member, code=code, purchase_key="void", purchase_sender="till"))
    assert await counters(client) == {}
    # The code is still the member's, and can be used.
    committed(await client.redeem(code=pooled, purchase_key="sold"))
    await all_holds(client)


async def test_a_release_and_its_purchase_may_be_concurrent(
    catalogue_client: CatalogueClient, other_catalogue_client: CatalogueClient
) -> None:
    members = [await catalogue_client.member() for _ in range(8)]
    for place, member in enumerate(members):
        committed(await catalogue_client.redeem(member, offer="double", purchase_key=f"basket-{place}"))
    calls: list[Any] = []
    for place, member in enumerate(members):
        event = catalogue_client.purchase_event("10.00", key=f"basket-{place}")
        about: dict[str, Any] = {"offer": "double", "purchase_key": f"basket-{place}"}
        calls += [other_catalogue_client.release_offer(member, **about) for _ in range(2)]
        calls.append(catalogue_client.record(member, event))
    outcomes = await asyncio.gather(*calls)
    doubled = 0
    for place, member in enumerate(members):
        one, two, bought = outcomes[3 * place : 3 * place + 3]
        points = committed(bought).snapshot.member.available
        snapshot = await catalogue_client.services.reader.member("grocer", member)
        assert snapshot is not None
        released = [not hasattr(outcome, "code") for outcome in (one, two)].count(True)
        # Either one release came first and nothing was doubled, or the purchase did and nothing was released.
        assert (released, snapshot.member.available, snapshot.member.offer_use("double").uses) in {
            (1, 10, 0),
            (0, 20, 1),
        }
        assert points <= 20
        doubled += 1 - released
    assert await counters(catalogue_client) == (
        {"uses/double": doubled, "budget/double": 10 * doubled} if doubled else {}
    )
    await all_holds(catalogue_client)


async def test_refunds_of_many_gifts_are_concurrent_and_restore_each_once(
    catalogue_client: CatalogueClient, other_catalogue_client: CatalogueClient
) -> None:
    members = [await catalogue_client.member() for _ in range(5)]
    for place, member in enumerate(members):
        await catalogue_client.buy(member, "10.00", key=f"basket-{place}")
        committed(await catalogue_client.redeem(member, offer="gift", purchase_key=f"basket-{place}"))
    assert await counters(catalogue_client) == {"stock/mug": 5, "uses/gift": 5}
    clients = (catalogue_client, other_catalogue_client)
    outcomes = await asyncio.gather(
        *(client.refund(member, f"basket-{place}") for place, member in enumerate(members) for client in clients)
    )
    assert sum(not hasattr(outcome, "code") for outcome in outcomes) == len(members)
    # The gift is not returnable: its order is cancelled, and its use stays.
    assert await counters(catalogue_client) == {"uses/gift": 5}
    for member in members:
        assert await states(catalogue_client, member) == ["CANCELLED"]
    await all_holds(catalogue_client)


async def test_a_purchase_its_offers_and_its_refund_are_decided_in_one_group(catalogue_client: CatalogueClient) -> None:
    client = catalogue_client
    member = await client.member()
    outcomes = await asyncio.gather(
        client.redeem(member, offer="gift", purchase_key="basket"),
        client.record(member, client.purchase_event("600.00", key="basket")),
        client.refund(member, "basket"),
    )
    for outcome in outcomes:
        committed(outcome)
    assert await states(client, member) == ["CANCELLED", "CANCELLED"]
    await all_holds(client)


async def test_the_preview_of_a_refund_says_which_orders_it_cancels(catalogue_client: CatalogueClient) -> None:
    client = catalogue_client
    member = await client.member()
    bought = committed(await client.record(member, client.purchase_event("600.00", key="basket")))
    [order] = bought.orders
    event = Event("back", "till", REFUND, client.clock(), Channel.STORE, refund_of="basket")
    outcome = committed(await events.preview(client.context(), EventOfMember(event, MemberKey("id", member))))
    assert [one.state for one in outcome.orders] == [OrderState.CANCELLED]
    assert RuleOutcome.ORDER_CANCELLED in {why.reason for why in outcome.record.explanations}
    stored = await client.services.reader.order("grocer", order.id)
    assert stored is not None
    assert stored.state is OrderState.PLACED


async def test_an_imported_purchase_of_long_ago_gets_no_instant_reward_and_fills_no_debt(
    catalogue_client: CatalogueClient,
) -> None:
    client = catalogue_client
    member = await client.member()
    event = client.purchase_event("900.00", key="old")
    old = Event(
        event.key, "till", event.type, client.clock() - timedelta(days=60), Channel.STORE, purchase=event.purchase
    )
    outcome = committed(await events.submit(client.context(), old, member, imported=True))
    assert outcome.orders == ()
    assert RuleOutcome.TOO_LATE in {why.reason for why in outcome.record.explanations}
