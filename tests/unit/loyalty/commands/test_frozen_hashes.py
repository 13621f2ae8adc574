"""Hashes of decisions that must never change: stored ledgers were hashed with them."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from support.builders import CALENDAR_YEAR, LIFETIME, ROLLING_YEAR, cap, flat, line, per_euro, programme, receipt
from support.catalogue import instant, reward
from support.member_scenario import MemberScenario, assert_member_invariants
from support.order_scenario import catalogue_programme

from loyalty.kernel.channel import Channel
from loyalty.kernel.digest import content_digest
from loyalty.kernel.period import EndOf, ExpiryPolicy, LimitPeriod
from loyalty.kernel.refusal import Refusal
from loyalty.kernel.window import Window
from loyalty.model.decision import Decision
from loyalty.model.event import PURCHASE, REFUND, Purchase, PurchaseLine
from loyalty.model.member import Member
from loyalty.model.programme import Programme, Rounding, SpentPointsPolicy, Stacking

BRANDS = ("Private", "National", None)
CATEGORIES = ("COFFEE", "DAIRY", None, "WINE")
MORNINGS = Window(weekdays=frozenset({1, 2, 3, 4, 5}))

PLAIN = programme(
    per_euro(priority=100),
    per_euro("own", lines='line.brand == "Private"', per="2", priority=50),
    thresholds=(0, 60, 200),
    qualification=ROLLING_YEAR,
    expiry=ExpiryPolicy(months=1, end_of=EndOf.MONTH),
)
EVERY_KIND = programme(
    per_euro("thirds", points="1", per="3", rounding=Rounding.HALF_UP, priority=90),
    per_euro("tenths", points="0.7", per="0.1", rounding=Rounding.UP, lines="line.amount > 3.0", priority=80),
    per_euro("app", channels=frozenset({Channel.APP}), priority=70),
    per_euro("store", stores=frozenset({"lyon"}), cap=cap(30), priority=60),
    per_euro("weekdays", window=MORNINGS, qualifying=False, priority=50),
    flat("best-one", "7", stacking=Stacking.BEST, stacking_group="best", priority=45),
    flat("best-two", "earned / 2", stacking=Stacking.BEST, stacking_group="best", priority=44),
    flat("fails", "event.attributes.cups", priority=40),
    flat("silver", "20", tiers=frozenset({"silver"}), cap=cap(50, LimitPeriod.MONTH), priority=30),
    flat("large", "earned", when="event.purchase.total > 12.0", stacking=Stacking.EXCLUSIVE, priority=20),
    flat("after", "5", when="member.events.purchase >= 3", priority=10),
    flat("visit", "event.attributes.cups * 2", event="visit", cap=cap(8, LimitPeriod.WEEK)),
    thresholds=(0, 200, 1500),
    qualification=CALENDAR_YEAR,
    expiry=ExpiryPolicy(days=45),
    spent_points=SpentPointsPolicy.WRITE_OFF,
    currency="KWD",
)
WITH_GIFTS = catalogue_programme(
    reward("mug", 100), instants=(instant("mug", "mug", "40"),), qualification=LIFETIME, currency="JPY"
)


def basket(number: int, currency: str) -> Purchase:
    """Return a receipt, with discounts on lines or on all, a delivery, or no lines, by its number."""
    unit = Decimal(1) if currency == "JPY" else Decimal("0.01")
    lines = [
        PurchaseLine(
            f"sku-{(number + place) % 5}",
            Decimal((number + place) % 3 + 1),
            Decimal((number * 37 + place * 271) % 1900 + 5) * unit,
            CATEGORIES[(number + place) % 4],
            BRANDS[(number * 2 + place) % 3],
        )
        for place in range(number % 5)
    ]
    if number % 4 == 1 and lines:
        lines.append(line(lines[0].sku, str(-2 * unit), category="COFFEE"))
    total = sum((one.amount for one in lines), Decimal(0)) if lines else Decimal(number * 211 % 9000) * unit
    off = (Decimal(0), Decimal(0), 3 * unit, -250 * unit)[number % 4]
    return receipt(str(max(Decimal(0), total - off)), *lines, currency=currency)


def story(rules: Programme) -> Iterator[str]:
    """Yield the first digits of the hash of each decision, or the reason of its refusal."""
    scenario = MemberScenario.of(rules)
    now = scenario.at("2024-02-05 09:30")
    for number in range(24):
        now += timedelta(hours=7 + 29 * (number % 7), seconds=number, milliseconds=number * 7)
        about: dict[str, Any] = {
            "channel": (Channel.STORE, Channel.APP, Channel.WEB)[number % 3],
            "store": (None, "lyon", "lille")[number % 3],
            "key": f"event-{number}",
        }
        if number % 6 == 4:
            command = scenario.event("visit", now, attributes={"cups": number % 4}, **about)
        elif number % 6 == 5:
            back = None if number % 4 == 1 else basket(number - 3, rules.currency)
            command = scenario.event(REFUND, now, refund_of=f"event-{number - 3}", purchase=back, **about)
        else:
            at = now - timedelta(days=(0, 0, 2, 50)[number % 4])
            command = scenario.event(PURCHASE, at, purchase=basket(number, rules.currency), **about)
        outcome = scenario.do(command, now)
        if isinstance(outcome, Decision):
            assert_member_invariants(scenario)
            yield outcome.record.hash[:8]
        else:
            yield outcome.reason if isinstance(outcome, Refusal) else "nothing"
    yield state_digest(scenario.now)[:8]


def state_digest(member: Member) -> str:
    """Return the digest of what a ledger alone does not say about its member."""
    content = {
        "lots": [[lot.key.earned_on, lot.key.expires_on, lot.points, lot.expired_points] for lot in member.lots],
        "days": [[day, points] for day, points in member.qualifying_days.items()],
        "counts": dict(member.event_counts),
        "caps": {rule: dict(spans) for rule, spans in member.cap_usage.items()},
        "orders": {key: dict(spans) for key, spans in member.order_counts.items()},
    }
    return content_digest(content)


FROZEN = {
    "plain": """
        7f4328f3 a72cde9c 24eee6fb event_expired eebe3bba 5d57f305 5c4f004f event_expired db78554e 0750570a
        f706a583 b2313eeb b9829c27 95d406fd 14f89546 event_expired 4a255809 961cc32b 3e6c36b9 a49a659b
        4042eaad fafaa62c b1015ca5 394b2e5a 0c6b03a7
    """,
    "every kind": """
        1811bcf2 6c3aea47 4813278c event_expired 8197b421 34041619 65d25099 event_expired c30a75e2 2562b579
        4193f925 b509541b 7e9efa34 8cb996ec 10438e9b event_expired a7f901ca 5a4633ef 5c3fae7a event_expired
        73b76dc0 cc7a841d d4ffdc69 61e830e7 1585d37f
    """,
    "with gifts": """
        7bb7d701 88dd46b5 fa786db1 54a79736 c8c6c4bd a154d273 65787229 d910b62a 8794e4b2 88cdc1ea 4a16a5c8
        bc466612 9380eb18 98e5c422 a7df3f62 cba3bd89 b5324939 93dbf5ff 34367a8e 605cfd8f 1c0790ef f98bccee
        35f61af3 bf0e4c0c 944f22b9
    """,
}


@pytest.mark.parametrize("name", ["plain", "every kind", "with gifts"])
def test_decisions_have_the_hashes_that_they_always_had(name: str) -> None:
    rules = {"plain": PLAIN, "every kind": EVERY_KIND, "with gifts": WITH_GIFTS}[name]
    assert [*story(rules)] == FROZEN[name].split()
