from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.builders import line, receipt

from loyalty.kernel.channel import Channel
from loyalty.model.event import PURCHASE, REFUND, Event, Purchase
from loyalty.rules.affinity import (
    HALF_LIFE_DAYS,
    NO_AFFINITY,
    PRIOR_SPEND_HUNDREDTHS,
    TOPICS_MAX,
    AffinityShares,
    AffinityWeights,
    add_purchase,
    affinity_share,
)

ZONE = ZoneInfo("Europe/Paris")
NOW = datetime(2024, 6, 1, 12, tzinfo=UTC)
COFFEE, OWN = "category:COFFEE", "brand:Private"


def bought(purchase: Purchase | None, *, days_ago: int = 0, kind: str = PURCHASE) -> Event:
    return Event("k", "till", kind, NOW - timedelta(days=days_ago), Channel.STORE, purchase=purchase)


def weights_of(*events: Event) -> AffinityWeights:
    weights = NO_AFFINITY
    for event in events:
        weights = add_purchase(weights, event, ZONE)
    return weights


def test_affinity_is_the_topics_share_of_the_money() -> None:
    lines = (
        line("a", "600.00", category="COFFEE", brand="Private"),
        line("b", "300.00", category="TEA", brand="Private"),
        line("c", "80.00"),
    )
    weights = weights_of(bought(receipt(None, *lines)))
    # Unknown purchases count as another 20.00.
    assert affinity_share(weights, COFFEE, NOW) == pytest.approx(0.6, abs=1e-3)
    assert affinity_share(weights, OWN, NOW) == pytest.approx(0.9, abs=1e-3)
    assert affinity_share(weights, "category:WINE", NOW) == 0
    assert all(
        AffinityShares(weights, NOW).share(topic) == affinity_share(weights, topic, NOW)
        for topic in (*weights.topics, "none")
    )


def test_small_old_purchases_have_a_small_affinity() -> None:
    weights = weights_of(bought(receipt(None, line("a", "20.00", category="COFFEE"))))
    assert Decimal(PRIOR_SPEND_HUNDREDTHS) == Decimal("20.00") * 100
    assert affinity_share(weights, COFFEE, NOW) == pytest.approx(1 / 2, abs=1e-2)
    assert affinity_share(weights, COFFEE, NOW + timedelta(days=HALF_LIFE_DAYS)) == pytest.approx(1 / 3, abs=1e-2)
    assert affinity_share(weights, COFFEE, NOW + timedelta(days=30 * HALF_LIFE_DAYS)) < 1e-6


def test_what_was_bought_a_half_life_ago_counts_half() -> None:
    old = bought(receipt(None, line("a", "100.00", category="TEA")), days_ago=HALF_LIFE_DAYS)
    new = bought(receipt(None, line("a", "100.00", category="COFFEE")))
    weights = weights_of(old, new)
    assert weights.topics[COFFEE] == 2 * weights.topics["category:TEA"]


@pytest.mark.parametrize(
    "event",
    [
        bought(receipt("12.00")),
        bought(None),
        bought(receipt(None, line("a", "5.00", category="TEA")), kind=REFUND),
        bought(receipt(None, line("a", "5.00", category="TEA")), kind="visit"),
    ],
)
def test_only_purchase_lines_count_for_affinity(event: Event) -> None:
    assert add_purchase(NO_AFFINITY, event, ZONE) is NO_AFFINITY


def test_free_and_refunded_lines_do_not_count_for_affinity() -> None:
    weights = weights_of(bought(receipt(None, line("a", "0", category="TEA"), line("b", "-3.00", category="WINE"))))
    assert weights == NO_AFFINITY
    assert affinity_share(NO_AFFINITY, COFFEE, NOW) == 0


def test_the_topics_are_bounded_and_the_heaviest_stay() -> None:
    lines = [line("a", str(1000 - n), category=f"C{n:03}") for n in range(3 * TOPICS_MAX)]
    weights = weights_of(*(bought(receipt(None, one)) for one in lines))
    assert len(weights.topics) <= TOPICS_MAX
    assert {f"category:C{n:03}" for n in range(20)} <= weights.topics.keys()
    # Dropped topics still count in the total.
    assert weights.total == sum(weights_of(bought(receipt(None, one))).total for one in lines)


def test_new_favourite_overtakes_the_old_one() -> None:
    many = [bought(receipt(None, line("a", "50.00", category=f"C{n}")), days_ago=400) for n in range(TOPICS_MAX)]
    weekly = [bought(receipt(None, line("a", "9.00", category="COFFEE")), days_ago=7 * n) for n in range(20, -1, -1)]
    assert affinity_share(weights_of(*many, *weekly), COFFEE, NOW) > affinity_share(
        weights_of(*many), "category:C0", NOW
    )


events = st.lists(
    st.builds(
        lambda cents, category, brand, days: bought(
            receipt(None, line("a", str(Decimal(cents) / 100), category=category, brand=brand)), days_ago=days
        ),
        st.integers(1, 100_000),
        st.sampled_from(["COFFEE", "TEA", "WINE", None]),
        st.sampled_from(["Private", "National", None]),
        st.integers(0, 1_500),
    ),
    max_size=20,
)


@given(events, st.randoms(use_true_random=False))
def test_affinity_does_not_depend_on_the_order(events: list[Event], chance: st.DataObject) -> None:
    mixed = list(events)
    chance.shuffle(mixed)  # type: ignore[attr-defined]
    assert weights_of(*mixed) == weights_of(*events)


@given(events)
def test_the_compact_form_is_exact(events: list[Event]) -> None:
    weights = weights_of(*events)
    assert AffinityWeights.unpack(orjson.loads(orjson.dumps(weights.packed()))) == weights
