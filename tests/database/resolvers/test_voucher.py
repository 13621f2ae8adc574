"""Vouchers through two processes, and orders found by what a shopper shows."""

import asyncio
import random
from dataclasses import replace
from typing import Any

import pytest
from support.clients.catalogue_client import CatalogueClient
from support.clients.resolver_client import ResolverClient
from support.outcome import code_and_reason, committed, refused

from loyalty.kernel.channel import Channel
from loyalty.kernel.refusal import Refusal, RefusalCode
from loyalty.model.notice import NoticeKind
from loyalty.model.order import Delivery, Order, OrderState, grouped
from loyalty.rules.voucher_code import voucher_code
from models.commits.request import Committed, Outcome
from models.mongo.ledger import record_id
from resolvers import voucher as vouchers
from resolvers.audit.audit import audit
from resolvers.core.actor import Role
from resolvers.voucher import VoucherInput

AT_STORE = Delivery("Ann", "1 Way", "1", "Here", "FR", store="330")
UNKNOWN = (RefusalCode.NOT_FOUND, "voucher_not_found")


def code_of(client: ResolverClient, order: Order) -> str:
    return voucher_code(order.number, programme=client.programme, secret=client.services.code_secret)


async def redeem(client: CatalogueClient, code: str, *, role: Role = Role.TILL, **about: Any) -> Outcome:
    """Redeem a voucher at a till."""
    fields: dict[str, Any] = {"key": client.key(), "channel": Channel.STORE, "store": "330", **about}
    return await vouchers.redeem(client.context(role), VoucherInput(code=code, **fields))


async def faults(client: ResolverClient) -> list[str]:
    findings = await audit(client.services.database)
    return [fault for broken in findings.members_with_faults for fault in broken.faults]


async def test_a_voucher_that_two_processes_redeem_at_once_is_used_once(
    catalogue_client: CatalogueClient, other_catalogue_client: CatalogueClient
) -> None:
    member = await catalogue_client.earn(200)
    orders = [await catalogue_client.order(member, "bowl") for _ in range(3)]
    for order in orders:
        code = code_of(catalogue_client, order)
        clients = (catalogue_client, other_catalogue_client)
        outcomes = await asyncio.gather(
            *(redeem(client, code, store=f"store-{n}") for n, client in enumerate(clients * 5))
        )
        [won] = [outcome for outcome in outcomes if isinstance(outcome, Committed)]
        use = won.orders[0].voucher_use
        assert use is not None
        lost = [outcome for outcome in outcomes if isinstance(outcome, Refusal)]
        assert len(lost) == 9
        assert {code_and_reason(one) for one in lost} == {(RefusalCode.CONFLICT, "voucher_used_in_store")}
        assert {one.params["store"] for one in lost} == {use.store}
        assert [notice.kind for notice in won.record.notices] == [NoticeKind.VOUCHER_USED]
    assert await faults(catalogue_client) == []


async def test_a_use_and_a_cancellation_at_once_exclude_each_other(
    catalogue_client: CatalogueClient, other_catalogue_client: CatalogueClient
) -> None:
    member = await catalogue_client.earn(1000)
    for _ in range(8):
        order = await catalogue_client.order(member, "bowl")
        code = code_of(catalogue_client, order)
        outcomes = await asyncio.gather(redeem(catalogue_client, code), other_catalogue_client.cancel(order.id))
        assert sum(isinstance(outcome, Committed) for outcome in outcomes) == 1
    assert await faults(catalogue_client) == []


async def test_a_replay_gives_the_same_and_other_content_is_refused(catalogue_client: CatalogueClient) -> None:
    member = await catalogue_client.earn(100)
    order = await catalogue_client.order(member, "bowl")
    code = code_of(catalogue_client, order)
    first = committed(await redeem(catalogue_client, code, key="use-1"))
    catalogue_client.clock.advance(hours=3)
    again = committed(await redeem(catalogue_client, code.lower().replace("-", " "), key="use-1"))
    assert (again.replayed, again.orders, again.record) == (True, first.orders, first.record)
    for changed in ({"store": "331"}, {"channel": Channel.WEB}, {"occurred_at": catalogue_client.clock()}):
        other = refused(await redeem(catalogue_client, code, key="use-1", **changed))
        assert other.code is RefusalCode.KEY_REUSED
    assert code_and_reason(refused(await redeem(catalogue_client, code, key="use-2")))[0] is RefusalCode.CONFLICT


async def test_unknown_codes_are_not_found(catalogue_client: CatalogueClient, resolver_client: ResolverClient) -> None:
    member = await catalogue_client.earn(100)
    order = await catalogue_client.order(member, "bowl")
    code = code_of(catalogue_client, order)
    chance = random.Random(7)  # noqa: S311 - guesses of a test
    guesses = [grouped("".join(chance.choices("0123456789ABCDEFGHJKMNPQRSTVWXYZ", k=12))) for _ in range(20)]
    for guess in (*guesses, order.number, f"{code}0", code[:-1], "", "CP1.x.y.z.w", "🥖" * 12):
        assert code_and_reason(refused(await redeem(catalogue_client, guess))) == UNKNOWN
    too_long = refused(await redeem(catalogue_client, "7" * 201))
    assert code_and_reason(too_long) == (RefusalCode.INVALID, "text_too_long")
    # The code of a pool, the voucher of another programme, and an order without a voucher.
    film = await catalogue_client.order(await catalogue_client.earn(100), "film")
    assert code_and_reason(refused(await redeem(catalogue_client, code_of(catalogue_client, film)))) == UNKNOWN
    coffee = replace(catalogue_client, services=resolver_client.services, programme="coffee")
    assert code_and_reason(refused(await redeem(coffee, code))) == UNKNOWN
    assert await vouchers.find_by_number(coffee.context(), order.number) is None


@pytest.mark.parametrize("typed", [str.lower, lambda code: code.replace("-", ""), lambda code: f"\u200f {code}\n"])
async def test_an_order_is_found_by_number_and_code_as_typed(catalogue_client: CatalogueClient, typed: Any) -> None:
    member, other = await catalogue_client.earn(100), await catalogue_client.earn(0)
    order = await catalogue_client.order(member, "bowl")
    number, code = typed(order.number), typed(code_of(catalogue_client, order))
    for role in (Role.TILL, Role.AGENT, Role.MANAGER):
        context = catalogue_client.context(role)
        assert await vouchers.find_by_number(context, number) == order
        assert await vouchers.find_by_code(context, code) == order
    own = catalogue_client.context(Role.MEMBER, member=member)
    assert await vouchers.find_by_number(own, number) == order
    stranger = catalogue_client.context(Role.MEMBER, member=other)
    assert await vouchers.find_by_number(stranger, number) is None
    assert await vouchers.find_by_code(stranger, code) is None


async def test_who_sees_a_voucher(catalogue_client: CatalogueClient) -> None:
    member = await catalogue_client.earn(100)
    order = await catalogue_client.order(member, "bowl")
    code = code_of(catalogue_client, order)

    def seen(order: Order, *, is_presented: bool = False) -> dict[str, bool]:
        found = {}
        for role in Role:
            context = catalogue_client.context(role, member=member if role is Role.MEMBER else None)
            shown = vouchers.code_of(context, order, is_presented=is_presented)
            assert shown in {None, code}
            found[role.value] = shown is not None
        return found

    always = {"member": True, "agent": True, "manager": True, "kiosk": False}
    assert seen(order) == {**always, "till": False, "service": False}
    assert seen(order, is_presented=True) == {**always, "till": True, "service": True}
    used = committed(await redeem(catalogue_client, code)).orders[0]
    assert seen(used) == {**always, "till": True, "service": True}
    assert not any(seen(replace(order, state=OrderState.CANCELLED)).values())


async def test_orders_of_the_earlier_release_have_the_same_vouchers(catalogue_client: CatalogueClient) -> None:
    member = await catalogue_client.earn(300)
    order, handed_over = [await catalogue_client.order(member, "bowl") for _ in range(2)]
    committed(await catalogue_client.advance(handed_over.id, OrderState.FULFILLED))
    stored = catalogue_client.services.database.orders
    document = await stored.find_one({"_id": order.id})
    # Nothing of a voucher is stored before its use, unless the reward says something of it.
    assert document is not None
    assert not [name for name in document if "voucher" in name]
    assert not await stored.find_one({"$expr": {"$eq": ["$number", code_of(catalogue_client, order)]}})
    committed(await redeem(catalogue_client, code_of(catalogue_client, order)))
    refusal = refused(await redeem(catalogue_client, code_of(catalogue_client, handed_over)))
    assert code_and_reason(refusal) == (RefusalCode.CONFLICT, "voucher_used")
    assert await faults(catalogue_client) == []


async def test_an_order_for_a_store_is_collected_there(catalogue_client: CatalogueClient) -> None:
    member = await catalogue_client.earn(100)
    code = code_of(catalogue_client, await catalogue_client.order(member, "bowl", delivery=AT_STORE))
    for store, expected in (("331", RefusalCode.NOT_ELIGIBLE), (None, RefusalCode.INVALID)):
        refusal = refused(await redeem(catalogue_client, code, store=store))
        assert (*code_and_reason(refusal), refusal.path) == (expected, "voucher_store", ("store",))
    assert committed(await redeem(catalogue_client, code)).orders[0].state is OrderState.FULFILLED


EDITS: list[tuple[dict[str, Any], str]] = [
    ({"$unset": {"voucher_use": 1}}, "is not used, 1 recorded events used it"),
    ({"$set": {"state": "CANCELLED"}}, "is CANCELLED, and its voucher was used"),
    ({"$set": {"history": []}}, "has a used voucher, its history no FULFILLED"),
    ({"$set": {"reward.kind": "DONATION"}}, "has a used voucher, and is neither collected nor used in a store"),
    ({"$set": {"voucher_use": 5}}, "cannot be read"),
]


async def test_the_audit_finds_edited_uses(catalogue_client: CatalogueClient, subtests: pytest.Subtests) -> None:
    member = await catalogue_client.earn(300)
    used, unused = [await catalogue_client.order(member, "bowl") for _ in range(2)]
    committed(await redeem(catalogue_client, code_of(catalogue_client, used)))
    orders, records = catalogue_client.services.database.orders, catalogue_client.services.database.records
    document = await orders.find_one({"_id": used.id})
    other = await orders.find_one({"_id": unused.id})
    assert document is not None
    assert other is not None
    for change, fault in EDITS:
        with subtests.test(str(change)):
            await orders.update_one({"_id": used.id}, change, bypass_document_validation=True)
            assert fault in "; ".join(await faults(catalogue_client))
            await orders.replace_one({"_id": used.id}, document, bypass_document_validation=True)
    with subtests.test("a use that no event made"):
        await orders.update_one({"_id": unused.id}, {"$set": {"voucher_use": document["voucher_use"]}})
        name = f"the voucher of order {unused.number}"
        assert f"{name} is used, 0 recorded events used it" in await faults(catalogue_client)
        await orders.replace_one({"_id": unused.id}, other)
    with subtests.test("a second event"):
        record = await records.find_one({"cause.operation": "redeem-voucher"})
        assert record is not None
        another = record_id(member, 99)
        await records.insert_one({**record, "_id": another, "version": 99, "key": "another"})
        found = await faults(catalogue_client)
        assert f"the voucher of order {used.number} is used, 2 recorded events used it" in found
        await records.delete_one({"_id": another})
    with subtests.test("one code twice"):
        # Codes are encrypted numbers. The unique index on numbers refuses it; without the index, the audit says so.
        await catalogue_client.services.database.db["orders"].drop_index("programme_1_number_1")
        await orders.update_one({"_id": unused.id}, {"$set": {"number": used.number}})
        assert f"no recorded event created order {used.number}" in await faults(catalogue_client)
        await orders.replace_one({"_id": unused.id}, other)
    assert await faults(catalogue_client) == []
