from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from support.documents import counts, documents
from support.market import Market
from support.shop import Shop, committed, refused

from loyalty.kernel.channel import Channel
from loyalty.kernel.refusal import Refusal, RefusalCode
from loyalty.model.event import Event, Purchase, PurchaseLine
from loyalty.model.explanation import Explanation, Reason
from loyalty.model.ledger import Account, Cause, EntryKind, LotKey
from loyalty.model.lot import Lot
from models.commits.committer import Committer
from models.commits.request import Committed, Outcome
from resolvers.core.actor import Role
from resolvers.core.context import Bounds
from resolvers.core.fault import LimitExceeded, Unavailable
from resolvers.core.member import MemberKey
from resolvers.event import Told, preview, record, record_many


def told(member: str, event: Event) -> Told:
    return Told(event, MemberKey("id", member))


def receipt(*lines: tuple[str, str, str | None], total: str | None = None) -> Purchase:
    """Return a receipt; lines are (sku, amount, brand)."""
    rows = tuple(PurchaseLine(sku, Decimal(1), Decimal(amount), brand=brand) for sku, amount, brand in lines)
    return Purchase(Decimal(total) if total else sum((row.amount for row in rows), Decimal(0)), "USD", rows)


def points(outcome: Outcome) -> list[int]:
    return [entry.points for entry in committed(outcome).record.entries]


def reasons(outcomes: list[Outcome | Exception]) -> list[str | int]:
    """Return the reason of each refusal, the version of each event that was counted."""
    return [
        outcome.reason if isinstance(outcome, Refusal) else outcome.record.version
        for outcome in outcomes
        if isinstance(outcome, Refusal | Committed)
    ]


BASKET = receipt(("milk", "4.49", "Private"), ("bread", "3.50", "Private"), ("steak", "15.98", "National"))


# One event


async def test_a_purchase_is_counted_with_all_that_follows_from_it(shop: Shop) -> None:
    member = await shop.member()
    event = shop.purchase_event("0", key="receipt-1", purchase=BASKET, store="367")
    outcome = committed(await shop.record(member, event))
    assert not outcome.replayed
    assert outcome.record.cause == Cause("event", "till", "till", "receipt-1")
    [entry] = outcome.record.entries
    assert (entry.kind, entry.points, entry.balance, entry.occurred_at) == (EntryKind.EARN, 26, 26, shop.clock())
    assert entry.why == (
        Explanation("basket", 23, applied=True, reason=Reason.GIVEN),
        Explanation("own-brand", 3, applied=True, reason=Reason.GIVEN),
    )
    after = outcome.snapshot.member
    assert (after.version, after.available, after.counted) == (2, 26, {"purchase": 1})
    assert after.lots == (Lot(LotKey(date(2026, 6, 15), date(2027, 6, 30)), 26),)
    kept = await shop.services.database.events.find_one({"key": "receipt-1"})
    assert kept is not None
    assert (kept["sender"], kept["member"], kept["version"], kept["store"]) == ("till", member, 2, "367")


async def test_the_sender_is_who_asks_whatever_the_event_says(shop: Shop) -> None:
    member = await shop.member()
    await shop.record(member, shop.purchase_event("5.00", key="receipt", sender="somebody else"), subject="till-7")
    kept = await shop.services.database.events.find_one({"key": "receipt"})
    assert kept is not None
    assert kept["sender"] == "till-7"


async def test_a_key_sent_again_is_answered_however_its_numbers_are_written(shop: Shop) -> None:
    member = await shop.member()
    first = committed(await shop.record(member, shop.purchase_event("12.50", key="receipt")))
    before = await documents(shop.services.database)
    again = committed(await shop.record(member, shop.purchase_event("12.500", key="receipt")))
    assert (again.replayed, again.record) == (True, first.record)
    assert await documents(shop.services.database) == before


OTHER_CONTENT: list[dict[str, Any]] = [
    {"purchase": Purchase(Decimal("12.51"), "USD")},
    {"purchase": Purchase(Decimal("12.50"), "USD", (PurchaseLine("a", Decimal(1), Decimal("12.50")),))},
    {"store": "367"},
    {"channel": Channel.APP},
    {"attributes": {"gift": True}},
    {"partner": "bank"},
]


async def test_a_key_with_other_content_is_refused_and_changes_nothing(shop: Shop, subtests: pytest.Subtests) -> None:
    member = await shop.member()
    event = shop.purchase_event("12.50", key="receipt")
    await shop.record(member, event)
    before = await documents(shop.services.database)
    for change in OTHER_CONTENT:
        with subtests.test(str(change)):
            refusal = refused(await shop.record(member, replace(event, **change)))
            assert (refusal.code, refusal.path) == (RefusalCode.KEY_REUSED, ("key",))
    assert await documents(shop.services.database) == before


async def test_a_key_with_another_time_or_member_is_refused(shop: Shop) -> None:
    member, other = await shop.member(), await shop.member()
    event = shop.purchase_event("12.50", key="receipt")
    await shop.record(member, event)
    later = replace(event, occurred_at=event.occurred_at + timedelta(seconds=1))
    assert refused(await shop.record(member, later)).code is RefusalCode.KEY_REUSED
    assert refused(await shop.record(other, event)).code is RefusalCode.KEY_REUSED


async def test_an_event_of_nobody_is_refused_and_changes_nothing(shop: Shop) -> None:
    await shop.member()
    before = await documents(shop.services.database)
    for key in (MemberKey("id", "nobody"), MemberKey("card", "no-card"), MemberKey("email", "no@example.org")):
        refusal = refused(await record(shop.context(), Told(shop.purchase_event("5.00"), key)))
        assert refusal == Refusal(RefusalCode.NOT_FOUND, "member_not_found", ("member",))
    assert await documents(shop.services.database) == before


LONG = "x" * 201


WRONG: list[tuple[dict[str, Any], str, tuple[str, ...]]] = [
    ({"key": " "}, "key_missing", ("key",)),
    ({"key": LONG}, "text_too_long", ("key",)),
    ({"store": LONG}, "text_too_long", ("store",)),
    ({"partner": LONG}, "text_too_long", ("partner",)),
    ({"type": "refund", "refund_of": LONG}, "text_too_long", ("refundOf",)),
    ({"type": "refund"}, "refund_of_missing", ("refundOf",)),
    ({"refund_of": "another"}, "refund_of_unexpected", ("refundOf",)),
    ({"type": "unheard-of"}, "event_type_unknown", ("type",)),
    ({"type": "enrolment"}, "event_type_unknown", ("type",)),
    ({"type": "visit"}, "purchase_unexpected", ("purchase",)),
    ({"purchase": None}, "purchase_missing", ("purchase",)),
    ({"attributes": [1]}, "attributes_not_object", ("attributes",)),
    ({"purchase": Purchase(Decimal(-1), "USD")}, "total_negative", ("purchase", "total")),
    ({"purchase": Purchase(Decimal("NaN"), "USD")}, "number_out_of_range", ("purchase", "total")),
    ({"purchase": Purchase(Decimal("1e10"), "USD")}, "number_out_of_range", ("purchase", "total")),
    ({"purchase": Purchase(Decimal("0.0000001"), "USD")}, "number_out_of_range", ("purchase", "total")),
    ({"purchase": Purchase(Decimal(1), "EUR")}, "currency_mismatch", ("purchase", "currency")),
    ({"purchase": receipt(*[("a", "1", None)] * 1001)}, "too_many_lines", ("purchase", "lines")),
    ({"purchase": receipt(("a", "1", None), (" ", "1", None))}, "sku_missing", ("purchase", "lines", "1", "sku")),
    ({"purchase": receipt(("a", "1", LONG))}, "text_too_long", ("purchase", "lines", "0", "brand")),
    (
        {"purchase": receipt(("a", "1e10", None), total="1")},
        "number_out_of_range",
        ("purchase", "lines", "0", "amount"),
    ),
]


async def test_an_event_that_is_wrong_is_refused_and_changes_nothing(shop: Shop, subtests: pytest.Subtests) -> None:
    member = await shop.member()
    before = await documents(shop.services.database)
    for change, reason, path in WRONG:
        with subtests.test(reason, path=path):
            event = replace(shop.purchase_event("5.00"), **change)
            refusal = refused(await shop.record(member, event))
            assert (refusal.code, refusal.reason, refusal.path) == (RefusalCode.INVALID, reason, path)
            assert refused(await preview(shop.context(), told(member, event))) == refusal
    assert await documents(shop.services.database) == before


async def test_an_event_from_the_future_is_refused_past_five_minutes(shop: Shop) -> None:
    member = await shop.member()
    soon = shop.purchase_event("5.00", occurred_at=shop.clock() + timedelta(minutes=5))
    assert committed(await shop.record(member, soon)).record.version == 2
    later = shop.purchase_event("5.00", occurred_at=shop.clock() + timedelta(minutes=5, milliseconds=1))
    refusal = refused(await shop.record(member, later))
    assert (refusal.reason, refusal.path) == ("occurred_in_future", ("occurredAt",))


async def test_attributes_that_no_database_can_hold_are_refused(shop: Shop) -> None:
    member = await shop.member()
    before = await documents(shop.services.database)
    for attributes in ({"steps": 2**63}, {"deep": [{"steps": -(2**70)}]}, {"a\0b": 1}, {"name": "\ud800"}):
        visit = shop.purchase_event("0", type="visit", purchase=None, attributes=attributes)
        refusal = refused(await shop.record(member, visit))
        assert (refusal.code, refusal.reason) == (RefusalCode.INVALID, "attributes_invalid")
        assert refusal.path == ("attributes",)
    assert await documents(shop.services.database) == before


async def test_too_many_waiting_commands_are_a_fault_that_says_to_send_again(shop: Shop) -> None:
    member = await shop.member()
    async with Committer(shop.services.database, pending_max=2) as committer:
        services = replace(shop.services, committer=committer)
        context = replace(shop.context(), services=services)
        batch = [told(member, shop.purchase_event("1.00")) for _ in range(4)]
        outcomes = await record_many(context, batch)
        assert reasons(outcomes) == [2, 3]
        faults = outcomes[2:]
        assert [(type(fault), str(fault)) for fault in faults] == [(Unavailable, "overloaded")] * 2
        assert [committed(await record(context, item)).replayed for item in batch] == [True, True, False, False]


# Many


async def test_a_batch_counts_each_on_its_own_in_order_with_refusals_in_between(shop: Shop) -> None:
    one, two = await shop.member(), await shop.member(card="card-2")
    first = shop.purchase_event("10.00", key="first")
    batch = [
        told(one, first),
        told(one, shop.purchase_event("1.00", type="unheard-of")),
        Told(shop.purchase_event("20.00"), MemberKey("card", "card-2")),
        told(one, shop.purchase_event("0", type="refund", purchase=None, refund_of="nothing")),
        told(one, shop.purchase_event("30.00")),
        told("nobody", shop.purchase_event("1.00")),
        told(one, shop.purchase_event("11.00", key="first")),
        told(one, first),
        told(one, shop.purchase_event("0", type="refund", purchase=None, refund_of="first")),
        told(two, shop.purchase_event("40.00")),
    ]
    outcomes = await record_many(shop.context(), batch)
    assert reasons(outcomes) == [
        2,
        "event_type_unknown",
        2,
        "purchase_not_found",
        3,
        "member_not_found",
        "key_reused",
        2,
        4,
        3,
    ]
    assert [outcome.replayed for outcome in outcomes if isinstance(outcome, Committed)] == [
        *(False, False, False, True, False, False)
    ]
    snapshots = [await shop.services.reader.member("grocer", member) for member in (one, two)]
    assert [snapshot and snapshot.member.available for snapshot in snapshots] == [30, 60]
    assert await counts(shop.services.database) == (2, 7, 7)


async def test_a_batch_of_five_hundred_keeps_its_order_and_one_more_is_refused_whole(shop: Shop) -> None:
    member = await shop.member()
    batch = [told(member, shop.purchase_event(f"{number}.00")) for number in range(1, 501)]
    outcomes = [
        committed(outcome) for outcome in await record_many(shop.context(), batch) if isinstance(outcome, Committed)
    ]
    assert [outcome.record.version for outcome in outcomes] == [*range(2, 502)]
    assert [points(outcome) for outcome in outcomes] == [[number] for number in range(1, 501)]
    before = await counts(shop.services.database)
    with pytest.raises(LimitExceeded) as caught:
        await record_many(shop.context(), [*batch, batch[0]])
    assert (caught.value.limit, caught.value.most) == ("batch", 500)
    assert await counts(shop.services.database) == before == (1, 501, 501)


async def test_the_bound_of_a_batch_is_the_installations(shop: Shop) -> None:
    member = await shop.member()
    context = replace(shop.context(), services=replace(shop.services, bounds=Bounds(batch_max=2)))
    batch = [told(member, shop.purchase_event("1.00")) for _ in range(3)]
    with pytest.raises(LimitExceeded):
        await record_many(context, batch)
    assert reasons(await record_many(context, batch[:2])) == [2, 3]


# Preview


async def expect_preview_is_what_recording_gives(shop: Shop, member: str, event: Event) -> Committed:
    before = await documents(shop.services.database)
    previewed = committed(await preview(shop.context(), told(member, event)))
    assert await documents(shop.services.database) == before
    recorded = committed(await shop.record(member, event))
    assert (previewed.replayed, recorded.replayed) == (False, False)
    assert previewed.record == recorded.record
    assert previewed.snapshot == recorded.snapshot
    return recorded


async def test_a_preview_writes_nothing_and_is_what_recording_then_gives(shop: Shop) -> None:
    member = await shop.member()
    await shop.buy(member, "990.00")
    recorded = await expect_preview_is_what_recording_gives(
        shop, member, shop.purchase_event("0", key="receipt", purchase=BASKET)
    )
    assert (points(recorded), recorded.snapshot.member.standing.tier) == ([26], "silver")
    refund = shop.purchase_event("0", type="refund", purchase=receipt(("milk", "4.49", None)), refund_of="receipt")
    assert points(await expect_preview_is_what_recording_gives(shop, member, refund)) == [-6]


async def test_a_preview_of_a_capped_visit_is_what_recording_then_gives(shop: Shop) -> None:
    cafe = Shop(shop.services, shop.clock, programme="coffee", keys=shop.keys)
    member = await cafe.member()
    given = [
        points(
            await expect_preview_is_what_recording_gives(
                cafe, member, cafe.purchase_event("0", type="visit", purchase=None)
            )
        )
        for _ in range(2)
    ]
    assert given == [[1], [0]]


async def test_a_preview_of_a_key_that_was_counted_is_its_first_answer(shop: Shop) -> None:
    member = await shop.member()
    event = shop.purchase_event("12.00", key="receipt")
    first = committed(await shop.record(member, event))
    await shop.buy(member, "5.00")
    before = await documents(shop.services.database)
    again = committed(await preview(shop.context(), told(member, event)))
    assert (again.replayed, again.record) == (True, first.record)
    assert (again.snapshot.version, again.snapshot.member.available) == (3, 17)
    other = replace(event, purchase=Purchase(Decimal("12.01"), "USD"))
    assert refused(await preview(shop.context(), told(member, other))).code is RefusalCode.KEY_REUSED
    # Another till's key of the same name is another key.
    fresh = committed(await preview(shop.context(subject="till-2"), told(member, event)))
    assert (fresh.replayed, points(fresh), fresh.snapshot.version) == (False, [12], 4)
    assert await documents(shop.services.database) == before


async def test_a_preview_for_nobody_is_refused(shop: Shop) -> None:
    for member in ("nobody", await Shop(shop.services, shop.clock, programme="coffee").member()):
        refusal = refused(await preview(shop.context(), told(member, shop.purchase_event("5.00"))))
        assert refusal == Refusal(RefusalCode.NOT_FOUND, "member_not_found", ("member",))


# Refunds


async def bought(shop: Shop) -> str:
    """Return a member with the basket under the key `receipt`: 23 points for its total, 3 for own brands."""
    member = await shop.member()
    await shop.record(member, shop.purchase_event("0", key="receipt", purchase=BASKET))
    return member


async def give_back(shop: Shop, member: str, purchase: Purchase | None, **about: Any) -> Outcome:
    subject = about.pop("subject", None)
    event = shop.purchase_event("0", type="refund", purchase=purchase, refund_of="receipt", **about)
    return await shop.record(member, event, subject=subject)


async def balances(shop: Shop, member: str) -> Mapping[Account, int]:
    snapshot = await shop.services.reader.member("grocer", member)
    assert snapshot is not None
    return {account: points for account, points in snapshot.member.balances.items() if points}


async def test_a_refund_takes_back_what_each_line_gave(shop: Shop) -> None:
    member = await bought(shop)
    # The basket's 23 points lie 4, 4 and 15 on its lines, the own brands' 3 points 2 and 1.
    taken = [
        points(await give_back(shop, member, receipt((sku, amount, None))))
        for sku, amount in (
            ("milk", "4.49"),
            ("steak", "7.99"),
            ("bread", "3.50"),
            ("steak", "7.99"),
        )
    ]
    assert taken == [[-6], [-7], [-5], [-8]]
    assert await balances(shop, member) == {}
    refusal = refused(await give_back(shop, member, receipt(("milk", "4.49", None))))
    assert (refusal.reason, refusal.path) == ("refund_done", ("refundOf",))


async def test_a_refund_by_total_takes_back_in_proportion(shop: Shop) -> None:
    member = await bought(shop)
    assert points(await give_back(shop, member, Purchase(Decimal("11.985"), "USD"))) == [-12]
    assert await balances(shop, member) == {Account.ISSUED: -14, Account.AVAILABLE: 14}
    before = await documents(shop.services.database)
    refusal = refused(await give_back(shop, member, Purchase(Decimal("11.99"), "USD")))
    assert (refusal.reason, refusal.path) == ("refund_exceeds", ("purchase", "total"))
    assert await documents(shop.services.database) == before
    assert points(await give_back(shop, member, Purchase(Decimal("11.985"), "USD"))) == [-14]


async def test_a_refund_of_all_takes_back_what_is_left(shop: Shop) -> None:
    member = await bought(shop)
    await give_back(shop, member, receipt(("milk", "4.49", None)))
    outcome = committed(await give_back(shop, member, None))
    [entry] = outcome.record.entries
    assert (entry.kind, entry.points, entry.balance) == (EntryKind.REVERSE, -20, 0)
    assert [(why.rule, why.points, why.reason) for why in entry.why] == [
        ("basket", -19, Reason.TAKEN_BACK),
        ("own-brand", -1, Reason.TAKEN_BACK),
    ]
    assert outcome.snapshot.member.qualifying == {}


async def test_a_refund_of_points_that_were_spent_leaves_a_debt(shop: Shop) -> None:
    member = await bought(shop)
    await shop.adjust(member, -20)
    outcome = committed(await give_back(shop, member, None))
    assert (points(outcome), outcome.snapshot.member.available) == ([-26], -20)
    assert points(await shop.buy(member, "25.00")) == [25]
    assert await balances(shop, member) == {Account.ISSUED: -25, Account.AVAILABLE: 5, Account.DEDUCTED: 20}


async def test_another_senders_or_members_purchase_is_not_found(shop: Shop) -> None:
    member, other = await bought(shop), await shop.member()
    before = await documents(shop.services.database)
    for refusal in (
        refused(await give_back(shop, member, None, subject="till-2")),
        refused(await give_back(shop, other, None)),
    ):
        assert refusal == Refusal(RefusalCode.NOT_FOUND, "purchase_not_found", ("refundOf",), {"key": "receipt"})
    assert await documents(shop.services.database) == before


async def test_a_refund_is_no_purchase_to_be_refunded(shop: Shop) -> None:
    member = await bought(shop)
    await give_back(shop, member, None, key="return")
    refusal = refused(await shop.refund(member, "return"))
    assert (refusal.code, refusal.reason) == (RefusalCode.NOT_FOUND, "purchase_not_found")


async def test_a_refund_of_the_purchase_before_it_in_one_batch_finds_it(shop: Shop) -> None:
    member = await shop.member()
    refund = shop.purchase_event("0", type="refund", purchase=None, refund_of="receipt")
    batch = [told(member, shop.purchase_event("9.00", key="receipt")), told(member, refund)]
    assert [
        points(outcome) for outcome in await record_many(shop.context(), batch) if isinstance(outcome, Committed)
    ] == [
        [9],
        [-9],
    ]


async def test_who_asks_is_in_the_ledger(shop: Shop) -> None:
    member = await shop.member()
    context = shop.context(Role.SERVICE, subject="web-shop")
    outcome = committed(await record(context, told(member, shop.purchase_event("5.00", key="order-1"))))
    assert outcome.record.cause == Cause("event", "service", "web-shop", "order-1")


async def test_preview_tells_the_gift_and_the_bonus_that_the_purchase_would_be_given(shop: Shop) -> None:
    market = await Market.opened(shop)
    member = await market.member()
    event = market.purchase_event("100.00")
    committed(await market.redeem(member, "double", event.key))
    shown = committed(await preview(market.context(), told(member, event)))
    assert [order.reward.key for order in shown.orders] == ["bread"]
    assert points(shown) == [200]
    database = market.services.database
    assert await database.orders.count_documents({}) == 0
    assert await database.counters.count_documents({"kind": "stock"}) == 0
    counted = committed(await market.record(member, event))
    assert (counted.record.entries, counted.orders) == (shown.record.entries, shown.orders)
    assert [order["_id"] async for order in database.orders.find({})] == [counted.orders[0].id]
