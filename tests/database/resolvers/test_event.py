from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from support.clients.full_programme_client import FullProgrammeClient
from support.clients.resolver_client import ResolverClient
from support.documents import counts, documents
from support.outcome import committed, refused

from loyalty.kernel.channel import Channel
from loyalty.kernel.refusal import Refusal, RefusalCode
from loyalty.model.event import Discount, Event, Purchase, PurchaseLine
from loyalty.model.explanation import Explanation, RuleOutcome
from loyalty.model.ledger import Account, Cause, EntryKind, LotKey
from loyalty.model.lot import Lot
from models.commits.committer import Committer
from models.commits.request import Committed, Outcome
from models.mongo.event import counted_event_of
from resolvers.core.actor import Role
from resolvers.core.context import Bounds
from resolvers.core.member import MemberKey
from resolvers.core.operation_error import LimitExceeded, Unavailable
from resolvers.event import EventOfMember, preview, record, record_many, submit


def sent(member: str, event: Event) -> EventOfMember:
    return EventOfMember(event, MemberKey("id", member))


def receipt(*lines: tuple[str, str, str | None], total: str | None = None) -> Purchase:
    """Return a receipt; lines are (sku, amount, brand)."""
    rows = tuple(PurchaseLine(sku, Decimal(1), Decimal(amount), brand=brand) for sku, amount, brand in lines)
    return Purchase(Decimal(total) if total else sum((row.amount for row in rows), Decimal(0)), "USD", rows)


def points(outcome: Outcome) -> list[int]:
    return [entry.points for entry in committed(outcome).record.entries]


def reasons(outcomes: list[Outcome | Exception]) -> list[str | int]:
    """Return the reason of each refusal and the version of each counted event."""
    return [
        outcome.reason if isinstance(outcome, Refusal) else outcome.record.version
        for outcome in outcomes
        if isinstance(outcome, Refusal | Committed)
    ]


def taking_off(*amounts: str, code: str | None = None) -> dict[str, Purchase]:
    """Return the field of a purchase with discounts."""
    return {"purchase": Purchase(Decimal(1), "USD", (), tuple(Discount(Decimal(one), None, code) for one in amounts))}


BASKET = receipt(("milk", "4.49", "Private"), ("bread", "3.50", "Private"), ("steak", "15.98", "National"))


# One event


async def test_discounts_are_stored_and_part_of_the_content(resolver_client: ResolverClient) -> None:
    member = await resolver_client.member()
    stated = (Discount(Decimal("1.50"), "spring", "SPRING"), Discount(Decimal(2), None, None))
    event = resolver_client.purchase_event("10", key="one", purchase=Purchase(Decimal(10), "USD", (), stated))
    committed(await resolver_client.record(member, event))
    row = await resolver_client.services.database.records.find_one({"cause.key": "one"})
    assert row is not None
    assert row["purchase"]["discounts"] == [{"amount": "1.50", "offer": "spring", "code": "SPRING"}, {"amount": "2"}]
    assert counted_event_of(row).event.purchase == event.purchase
    assert committed(await resolver_client.record(member, event)).replayed
    for other in ((), stated[:1], (stated[0], replace(stated[1], amount=Decimal(3)))):
        changed = replace(event, purchase=Purchase(Decimal(10), "USD", (), other))
        assert refused(await resolver_client.record(member, changed)).code is RefusalCode.KEY_REUSED


async def test_a_purchase_is_counted_with_all_that_follows_from_it(resolver_client: ResolverClient) -> None:
    member = await resolver_client.member()
    event = resolver_client.purchase_event("0", key="receipt-1", purchase=BASKET, store="367")
    outcome = committed(await resolver_client.record(member, event))
    assert not outcome.replayed
    assert outcome.record.cause == Cause("event", "till", "till", "receipt-1")
    [entry] = outcome.record.entries
    assert (entry.kind, entry.points, entry.balance, entry.occurred_at) == (
        EntryKind.EARN,
        26,
        26,
        resolver_client.clock(),
    )
    assert entry.explanations == (
        Explanation("basket", 23, applied=True, reason=RuleOutcome.AWARDED),
        Explanation("own-brand", 3, applied=True, reason=RuleOutcome.AWARDED),
    )
    after = outcome.snapshot.member
    assert (after.version, after.available, after.event_counts) == (2, 26, {"purchase": 1})
    assert after.lots == (Lot(LotKey(date(2026, 6, 15), date(2027, 6, 30)), 26),)
    stored = await resolver_client.services.database.records.find_one({"cause.key": "receipt-1"})
    assert stored is not None
    assert (stored["cause"]["subject"], stored["member"], stored["version"], stored["store"]) == (
        "till",
        member,
        2,
        "367",
    )


async def test_sender_is_the_caller_whatever_the_event_says(resolver_client: ResolverClient) -> None:
    member = await resolver_client.member()
    await resolver_client.record(
        member, resolver_client.purchase_event("5.00", key="receipt", sender="somebody else"), subject="till-7"
    )
    stored = await resolver_client.services.database.records.find_one({"cause.key": "receipt"})
    assert stored is not None
    assert stored["cause"]["subject"] == "till-7"


async def test_replayed_key_matches_however_its_numbers_are_written(resolver_client: ResolverClient) -> None:
    member = await resolver_client.member()
    first = committed(await resolver_client.record(member, resolver_client.purchase_event("12.50", key="receipt")))
    before = await documents(resolver_client.services.database)
    again = committed(await resolver_client.record(member, resolver_client.purchase_event("12.500", key="receipt")))
    assert (again.replayed, again.record) == (True, first.record)
    assert await documents(resolver_client.services.database) == before


OTHER_CONTENT: list[dict[str, Any]] = [
    {"purchase": Purchase(Decimal("12.51"), "USD")},
    {"purchase": Purchase(Decimal("12.50"), "USD", (PurchaseLine("a", Decimal(1), Decimal("12.50")),))},
    {"store": "367"},
    {"channel": Channel.APP},
    {"attributes": {"gift": True}},
    {"partner": "bank"},
]


async def test_a_key_with_other_content_is_refused_and_changes_nothing(
    resolver_client: ResolverClient, subtests: pytest.Subtests
) -> None:
    member = await resolver_client.member()
    event = resolver_client.purchase_event("12.50", key="receipt")
    await resolver_client.record(member, event)
    before = await documents(resolver_client.services.database)
    for change in OTHER_CONTENT:
        with subtests.test(str(change)):
            refusal = refused(await resolver_client.record(member, replace(event, **change)))
            assert (refusal.code, refusal.path) == (RefusalCode.KEY_REUSED, ("key",))
    assert await documents(resolver_client.services.database) == before


async def test_a_key_with_another_time_or_member_is_refused(resolver_client: ResolverClient) -> None:
    member, other = await resolver_client.member(), await resolver_client.member()
    event = resolver_client.purchase_event("12.50", key="receipt")
    await resolver_client.record(member, event)
    later = replace(event, occurred_at=event.occurred_at + timedelta(seconds=1))
    assert refused(await resolver_client.record(member, later)).code is RefusalCode.KEY_REUSED
    assert refused(await resolver_client.record(other, event)).code is RefusalCode.KEY_REUSED


async def test_event_of_an_unknown_member_is_refused_and_changes_nothing(resolver_client: ResolverClient) -> None:
    await resolver_client.member()
    context, before = resolver_client.context(Role.SERVICE), await documents(resolver_client.services.database)
    for key in (MemberKey("id", "nobody"), MemberKey("card", "no-card"), MemberKey("email", "no@example.org")):
        refusal = refused(await record(context, EventOfMember(resolver_client.purchase_event("5.00"), key)))
        assert refusal == Refusal(RefusalCode.NOT_FOUND, "member_not_found", ("member",))
    assert await documents(resolver_client.services.database) == before


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
    (taking_off("-0.01"), "discount_negative", ("purchase", "discounts", "0", "amount")),
    (taking_off("1", "1e10"), "number_out_of_range", ("purchase", "discounts", "1", "amount")),
    (taking_off("1", code="x" * 201), "text_too_long", ("purchase", "discounts", "0", "code")),
    (taking_off(*["1"] * 101), "too_many_discounts", ("purchase", "discounts")),
    ({"purchase": receipt(("a", "1", None), (" ", "1", None))}, "sku_missing", ("purchase", "lines", "1", "sku")),
    ({"purchase": receipt(("a", "1", LONG))}, "text_too_long", ("purchase", "lines", "0", "brand")),
    (
        {"purchase": receipt(("a", "1e10", None), total="1")},
        "number_out_of_range",
        ("purchase", "lines", "0", "amount"),
    ),
]


async def test_invalid_event_is_refused_and_changes_nothing(
    resolver_client: ResolverClient, subtests: pytest.Subtests
) -> None:
    member = await resolver_client.member()
    before = await documents(resolver_client.services.database)
    for change, reason, path in WRONG:
        with subtests.test(reason, path=path):
            event = replace(resolver_client.purchase_event("5.00"), **change)
            refusal = refused(await resolver_client.record(member, event))
            assert (refusal.code, refusal.reason, refusal.path) == (RefusalCode.INVALID, reason, path)
            assert refused(await preview(resolver_client.context(), sent(member, event))) == refusal
    assert await documents(resolver_client.services.database) == before


async def test_an_event_from_the_future_is_refused_past_five_minutes(resolver_client: ResolverClient) -> None:
    member = await resolver_client.member()
    soon = resolver_client.purchase_event("5.00", occurred_at=resolver_client.clock() + timedelta(minutes=5))
    assert committed(await resolver_client.record(member, soon)).record.version == 2
    later = resolver_client.purchase_event(
        "5.00", occurred_at=resolver_client.clock() + timedelta(minutes=5, milliseconds=1)
    )
    refusal = refused(await resolver_client.record(member, later))
    assert (refusal.reason, refusal.path) == ("occurred_in_future", ("occurredAt",))


async def test_attributes_that_no_database_can_hold_are_refused(resolver_client: ResolverClient) -> None:
    member = await resolver_client.member()
    before = await documents(resolver_client.services.database)
    for attributes in ({"steps": 2**63}, {"deep": [{"steps": -(2**70)}]}, {"a\0b": 1}, {"name": "\ud800"}):
        visit = resolver_client.purchase_event("0", type="visit", purchase=None, attributes=attributes)
        refusal = refused(await resolver_client.record(member, visit))
        assert (refusal.code, refusal.reason) == (RefusalCode.INVALID, "attributes_invalid")
        assert refusal.path == ("attributes",)
    assert await documents(resolver_client.services.database) == before


async def test_too_many_waiting_commands_are_a_retryable_fault(resolver_client: ResolverClient) -> None:
    member = await resolver_client.member()
    async with Committer(resolver_client.services.database, pending_max=2) as committer:
        services = replace(resolver_client.services, committer=committer)
        context = replace(resolver_client.context(), services=services)
        batch = [sent(member, resolver_client.purchase_event("1.00")) for _ in range(4)]
        outcomes = await record_many(context, batch)
        assert reasons(outcomes) == [2, 3]
        faults = outcomes[2:]
        assert [(type(fault), str(fault)) for fault in faults] == [(Unavailable, "overloaded")] * 2
        assert [committed(await record(context, item)).replayed for item in batch] == [True, True, False, False]


# Batches


async def test_a_batch_counts_each_on_its_own_in_order_with_refusals_in_between(
    resolver_client: ResolverClient,
) -> None:
    one, two = await resolver_client.member(), await resolver_client.member(card="card-2")
    first = resolver_client.purchase_event("10.00", key="first")
    batch = [
        sent(one, first),
        sent(one, resolver_client.purchase_event("1.00", type="unheard-of")),
        EventOfMember(resolver_client.purchase_event("20.00"), MemberKey("card", "card-2")),
        sent(one, resolver_client.purchase_event("0", type="refund", purchase=None, refund_of="nothing")),
        sent(one, resolver_client.purchase_event("30.00")),
        sent("nobody", resolver_client.purchase_event("1.00")),
        sent(one, resolver_client.purchase_event("11.00", key="first")),
        sent(one, first),
        sent(one, resolver_client.purchase_event("0", type="refund", purchase=None, refund_of="first")),
        sent(two, resolver_client.purchase_event("40.00")),
    ]
    outcomes = await record_many(resolver_client.context(), batch)
    assert reasons(outcomes) == [
        2,
        "event_type_unknown",
        2,
        3,
        4,
        "member_not_found",
        "key_reused",
        2,
        5,
        3,
    ]
    assert [outcome.replayed for outcome in outcomes if isinstance(outcome, Committed)] == [
        *(False, False, False, False, True, False, False)
    ]
    snapshots = [await resolver_client.services.reader.member("grocer", member) for member in (one, two)]
    assert [snapshot and snapshot.member.available for snapshot in snapshots] == [30, 60]
    assert await counts(resolver_client.services.database) == (2, 8, 8)


async def test_a_batch_of_five_hundred_keeps_its_order_and_one_more_is_refused_whole(
    resolver_client: ResolverClient,
) -> None:
    member = await resolver_client.member()
    batch = [sent(member, resolver_client.purchase_event(f"{number}.00")) for number in range(1, 501)]
    outcomes = [
        committed(outcome)
        for outcome in await record_many(resolver_client.context(), batch)
        if isinstance(outcome, Committed)
    ]
    assert [outcome.record.version for outcome in outcomes] == [*range(2, 502)]
    assert [points(outcome) for outcome in outcomes] == [[number] for number in range(1, 501)]
    before = await counts(resolver_client.services.database)
    with pytest.raises(LimitExceeded) as caught:
        await record_many(resolver_client.context(), [*batch, batch[0]])
    assert (caught.value.limit, caught.value.value) == ("batch", 500)
    assert await counts(resolver_client.services.database) == before == (1, 501, 501)


async def test_batch_limit_is_a_setting(resolver_client: ResolverClient) -> None:
    member = await resolver_client.member()
    context = replace(resolver_client.context(), services=replace(resolver_client.services, bounds=Bounds(batch_max=2)))
    batch = [sent(member, resolver_client.purchase_event("1.00")) for _ in range(3)]
    with pytest.raises(LimitExceeded):
        await record_many(context, batch)
    assert reasons(await record_many(context, batch[:2])) == [2, 3]


# Preview


async def expect_preview_is_what_recording_gives(
    resolver_client: ResolverClient, member: str, event: Event
) -> Committed:
    before = await documents(resolver_client.services.database)
    previewed = committed(await preview(resolver_client.context(), sent(member, event)))
    assert await documents(resolver_client.services.database) == before
    recorded = committed(await resolver_client.record(member, event))
    assert (previewed.replayed, recorded.replayed) == (False, False)
    assert previewed.record == recorded.record
    assert previewed.snapshot == recorded.snapshot
    return recorded


async def test_a_preview_writes_nothing_and_is_what_recording_then_gives(resolver_client: ResolverClient) -> None:
    member = await resolver_client.member()
    await resolver_client.buy(member, "990.00")
    recorded = await expect_preview_is_what_recording_gives(
        resolver_client, member, resolver_client.purchase_event("0", key="receipt", purchase=BASKET)
    )
    assert (points(recorded), recorded.snapshot.member.tier_status.tier) == ([26], "silver")
    refund = resolver_client.purchase_event(
        "0", type="refund", purchase=receipt(("milk", "4.49", None)), refund_of="receipt"
    )
    assert points(await expect_preview_is_what_recording_gives(resolver_client, member, refund)) == [-6]


async def test_a_preview_of_a_capped_visit_is_what_recording_then_gives(resolver_client: ResolverClient) -> None:
    cafe = ResolverClient(
        resolver_client.services, resolver_client.clock, programme="coffee", keys=resolver_client.keys
    )
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


async def test_a_preview_of_a_key_that_was_counted_is_its_first_answer(resolver_client: ResolverClient) -> None:
    member = await resolver_client.member()
    event = resolver_client.purchase_event("12.00", key="receipt")
    first = committed(await resolver_client.record(member, event))
    await resolver_client.buy(member, "5.00")
    before = await documents(resolver_client.services.database)
    again = committed(await preview(resolver_client.context(), sent(member, event)))
    assert (again.replayed, again.record) == (True, first.record)
    assert (again.snapshot.version, again.snapshot.member.available) == (3, 17)
    other = replace(event, purchase=Purchase(Decimal("12.01"), "USD"))
    assert refused(await preview(resolver_client.context(), sent(member, other))).code is RefusalCode.KEY_REUSED
    # The same key from another till is another key.
    fresh = committed(await preview(resolver_client.context(subject="till-2"), sent(member, event)))
    assert (fresh.replayed, points(fresh), fresh.snapshot.version) == (False, [12], 4)
    assert await documents(resolver_client.services.database) == before


async def test_preview_for_an_unknown_member_is_refused(resolver_client: ResolverClient) -> None:
    for member in (
        "nobody",
        await ResolverClient(resolver_client.services, resolver_client.clock, programme="coffee").member(),
    ):
        refusal = refused(
            await preview(resolver_client.context(), sent(member, resolver_client.purchase_event("5.00")))
        )
        assert refusal == Refusal(RefusalCode.NOT_FOUND, "member_not_found", ("member",))


# Refunds


async def bought(resolver_client: ResolverClient) -> str:
    """Return a member with the basket under the key `receipt`: 23 points for its total, 3 for own brands."""
    member = await resolver_client.member()
    await resolver_client.record(member, resolver_client.purchase_event("0", key="receipt", purchase=BASKET))
    return member


async def refund(resolver_client: ResolverClient, member: str, purchase: Purchase | None, **about: Any) -> Outcome:
    subject = about.pop("subject", None)
    event = resolver_client.purchase_event("0", type="refund", purchase=purchase, refund_of="receipt", **about)
    return await resolver_client.record(member, event, subject=subject)


async def balances(resolver_client: ResolverClient, member: str) -> Mapping[Account, int]:
    snapshot = await resolver_client.services.reader.member("grocer", member)
    assert snapshot is not None
    return {account: points for account, points in snapshot.member.balances.items() if points}


async def test_refund_reverses_the_points_of_each_line(resolver_client: ResolverClient) -> None:
    member = await bought(resolver_client)
    # The basket's 23 points lie 4, 4 and 15 on its lines, the own brands' 3 points 2 and 1.
    taken = [
        points(await refund(resolver_client, member, receipt((sku, amount, None))))
        for sku, amount in (
            ("milk", "4.49"),
            ("steak", "7.99"),
            ("bread", "3.50"),
            ("steak", "7.99"),
        )
    ]
    assert taken == [[-6], [-7], [-5], [-8]]
    assert await balances(resolver_client, member) == {}
    refusal = refused(await refund(resolver_client, member, receipt(("milk", "4.49", None))))
    assert (refusal.reason, refusal.path) == ("refund_done", ("refundOf",))


async def test_refund_by_total_reverses_points_in_proportion(resolver_client: ResolverClient) -> None:
    member = await bought(resolver_client)
    assert points(await refund(resolver_client, member, Purchase(Decimal("11.985"), "USD"))) == [-12]
    assert await balances(resolver_client, member) == {Account.ISSUED: -14, Account.AVAILABLE: 14}
    before = await documents(resolver_client.services.database)
    refusal = refused(await refund(resolver_client, member, Purchase(Decimal("11.99"), "USD")))
    assert (refusal.reason, refusal.path) == ("refund_exceeds", ("purchase", "total"))
    assert await documents(resolver_client.services.database) == before
    assert points(await refund(resolver_client, member, Purchase(Decimal("11.985"), "USD"))) == [-14]


async def test_full_refund_reverses_the_remaining_points(resolver_client: ResolverClient) -> None:
    member = await bought(resolver_client)
    await refund(resolver_client, member, receipt(("milk", "4.49", None)))
    outcome = committed(await refund(resolver_client, member, None))
    [entry] = outcome.record.entries
    assert (entry.kind, entry.points, entry.balance) == (EntryKind.REVERSE, -20, 0)
    assert [(why.rule, why.points, why.reason) for why in entry.explanations] == [
        ("basket", -19, RuleOutcome.REVERSED),
        ("own-brand", -1, RuleOutcome.REVERSED),
    ]
    assert outcome.snapshot.member.qualifying_days == {}


async def test_a_refund_of_points_that_were_spent_leaves_a_debt(resolver_client: ResolverClient) -> None:
    member = await bought(resolver_client)
    await resolver_client.adjust(member, -20)
    outcome = committed(await refund(resolver_client, member, None))
    assert (points(outcome), outcome.snapshot.member.available) == ([-26], -20)
    assert points(await resolver_client.buy(member, "25.00")) == [25]
    assert await balances(resolver_client, member) == {Account.ISSUED: -25, Account.AVAILABLE: 5, Account.DEDUCTED: 20}


async def test_another_senders_or_members_purchase_is_not_found(resolver_client: ResolverClient) -> None:
    member, other = await bought(resolver_client), await resolver_client.member()
    before = await documents(resolver_client.services.database)
    for refusal in (
        refused(await refund(resolver_client, member, None, subject="till-2")),
        refused(await refund(resolver_client, other, None)),
    ):
        assert refusal == Refusal(RefusalCode.NOT_FOUND, "purchase_not_found", ("refundOf",), {"key": "receipt"})
    assert await documents(resolver_client.services.database) == before


async def test_a_refund_is_no_purchase_to_be_refunded(resolver_client: ResolverClient) -> None:
    member = await bought(resolver_client)
    await refund(resolver_client, member, None, key="return")
    refusal = refused(await resolver_client.refund(member, "return"))
    assert (refusal.code, refusal.reason) == (RefusalCode.NOT_FOUND, "purchase_not_found")


async def test_a_refund_of_the_purchase_before_it_in_one_batch_finds_it(resolver_client: ResolverClient) -> None:
    member = await resolver_client.member()
    refund = resolver_client.purchase_event("0", type="refund", purchase=None, refund_of="receipt")
    batch = [sent(member, resolver_client.purchase_event("9.00", key="receipt")), sent(member, refund)]
    assert [
        points(outcome)
        for outcome in await record_many(resolver_client.context(), batch)
        if isinstance(outcome, Committed)
    ] == [
        [9],
        [-9],
    ]


async def test_actor_is_in_the_ledger(resolver_client: ResolverClient) -> None:
    member = await resolver_client.member()
    context = resolver_client.context(Role.SERVICE, subject="web-shop")
    outcome = committed(await record(context, sent(member, resolver_client.purchase_event("5.00", key="order-1"))))
    assert outcome.record.cause == Cause("event", "service", "web-shop", "order-1")


async def test_preview_includes_gift_and_bonus_of_the_purchase(
    resolver_client: ResolverClient,
) -> None:
    full_client = await FullProgrammeClient.opened(resolver_client)
    member = await full_client.member()
    event = full_client.purchase_event("100.00")
    committed(await full_client.redeem(member, "double", event.key))
    shown = committed(await preview(full_client.context(), sent(member, event)))
    assert [order.reward.key for order in shown.orders] == ["bread"]
    assert points(shown) == [200]
    database = full_client.services.database
    assert await database.orders.count_documents({}) == 0
    assert await database.counters.count_documents({"kind": "stock"}) == 0
    counted = committed(await full_client.record(member, event))
    assert (counted.record.entries, counted.orders) == (shown.record.entries, shown.orders)
    assert [order["_id"] async for order in database.orders.find({})] == [counted.orders[0].id]


async def test_an_event_whose_points_have_expired_is_refused_unless_it_is_imported(
    resolver_client: ResolverClient,
) -> None:
    member = await resolver_client.member()
    context, now = resolver_client.context(), resolver_client.clock()
    programme = context.programme()
    old = now - timedelta(days=3650)
    assert programme.expiry.months or programme.expiry.days
    event = resolver_client.purchase_event("5.00", occurred_at=old)
    before = await documents(resolver_client.services.database)
    refusal = refused(await preview(context, sent(member, event)))
    assert (refusal.code, refusal.reason, refusal.path) == ("EXPIRED", "event_expired", ("occurredAt",))
    assert refused(await resolver_client.record(member, event)) == refusal
    assert await documents(resolver_client.services.database) == before
    imported = committed(await submit(context, event, member, imported=True))
    assert imported.record.cause.reason == "import"
    assert [entry.kind for entry in imported.record.entries] == ["EARN", "EXPIRE"]
    assert committed(await resolver_client.record(member, event)).replayed
