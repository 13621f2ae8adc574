from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.builders import flat, programme
from support.member_scenario import MemberScenario
from support.property_settings import property_settings

from loyalty.kernel.period import EndOf, ExpiryPolicy
from loyalty.model.ledger import LotKey
from loyalty.model.lot import Lot, Lots, draw, overdue_lots, prune_expired, spending_order, with_points


def key(earned: str, expires: str | None = None) -> LotKey:
    return LotKey(date.fromisoformat(earned), date.fromisoformat(expires) if expires else None)


EARLY = key("2024-01-10", "2024-06-30")
LATE = key("2024-03-10", "2024-12-31")
EVER = key("2023-01-01")
LOTS = (Lot(EARLY, 10), Lot(LATE, 20), Lot(EVER, 30))


def test_the_lot_that_expires_first_is_spent_first() -> None:
    assert sorted((LOTS[2], LOTS[0], LOTS[1]), key=spending_order) == list(LOTS)
    assert draw(reversed(LOTS), 25) == [(EARLY, 10), (LATE, 15)]


def test_of_lots_that_expire_together_the_one_earned_first_is_spent_first() -> None:
    older, newer = key("2024-01-01", "2024-12-31"), key("2024-02-01", "2024-12-31")
    assert draw([Lot(newer, 5), Lot(older, 5)], 6) == [(older, 5), (newer, 1)]


def test_a_named_lot_is_spent_before_all_others() -> None:
    assert draw(LOTS, 35, first_lot=EVER) == [(EVER, 30), (EARLY, 5)]
    assert draw(LOTS, 5, first_lot=key("2020-01-01")) == [(EARLY, 5)]


def test_no_more_is_spent_than_there_is() -> None:
    assert draw(LOTS, 61) == [(EARLY, 10), (LATE, 20), (EVER, 30)]
    assert draw([], 5) == []
    assert draw(LOTS, 0) == []


def test_an_empty_lot_gives_nothing() -> None:
    assert draw([Lot(EARLY, 0, expired_points=4), Lot(LATE, 3)], 5) == [(LATE, 3)]


def test_points_of_one_day_share_a_lot() -> None:
    assert with_points(LOTS, LATE, 5) == (Lot(EARLY, 10), Lot(LATE, 25), Lot(EVER, 30))


def test_a_new_lot_is_put_in_its_place() -> None:
    between = key("2024-02-10", "2024-09-30")
    assert [lot.key for lot in with_points(LOTS, between, 1)] == [EARLY, between, LATE, EVER]


def test_an_emptied_lot_is_gone_unless_points_of_it_expired() -> None:
    assert with_points(LOTS, EARLY, -10) == (Lot(LATE, 20), Lot(EVER, 30))
    assert with_points(LOTS, EARLY, -10, expired=10)[0] == Lot(EARLY, 0, expired_points=10)


@pytest.mark.parametrize(("points", "expired"), [(-11, 0), (0, -1)])
def test_a_lot_cannot_fall_below_zero(points: int, expired: int) -> None:
    with pytest.raises(ValueError, match="would fall below zero"):
        with_points(LOTS, EARLY, points, expired=expired)


def test_a_lot_is_overdue_on_the_day_after_its_last() -> None:
    assert overdue_lots(LOTS, date(2024, 6, 30)) == []
    assert overdue_lots(LOTS, date(2024, 7, 1)) == [Lot(EARLY, 10)]
    assert overdue_lots([Lot(EARLY, 0, expired_points=10)], date(2024, 7, 1)) == []


def test_points_are_summed_by_the_last_day_they_can_be_spent_those_that_never_expire_last() -> None:
    june = key("2024-02-01", "2024-06-30")
    lots = Lots.of(
        [*LOTS, Lot(june, 5), Lot(key("2024-05-05", "2025-05-05"), 0, expired_points=7), Lot(key("2024-01-02"), 1)]
    )
    assert lots.points_by_expiry_day() == [(EARLY.expires_on, 15), (LATE.expires_on, 20), (None, 31)]
    assert Lots().points_by_expiry_day() == []


def test_what_expired_is_remembered_for_400_days() -> None:
    lapsed = (Lot(EARLY, 0, expired_points=10), Lot(EVER, 30))
    assert prune_expired(lapsed, date(2025, 8, 4)) == lapsed
    assert prune_expired(lapsed, date(2025, 8, 5)) == (Lot(EVER, 30),)


def test_points_earned_at_different_times_form_lots_of_their_day_in_the_brands_zone() -> None:
    scenario = MemberScenario.of(programme(expiry=ExpiryPolicy(months=6)))
    scenario.buy("2024-03-01 00:10", "10")
    scenario.buy("2024-03-01 23:50", "5")
    scenario.buy("2024-03-02 00:10", "7")
    assert scenario.lots == [("2024-03-01", "2024-09-01", 15), ("2024-03-02", "2024-09-02", 7)]


def test_the_lot_of_a_backdated_purchase_has_the_age_of_the_purchase() -> None:
    scenario = MemberScenario.of(programme(expiry=ExpiryPolicy(months=6)))
    scenario.buy("2024-05-01 12:00", "10")
    scenario.buy("2024-02-01 12:00", "20", now="2024-05-02 12:00")
    assert scenario.lots == [("2024-02-01", "2024-08-01", 20), ("2024-05-01", "2024-11-01", 10)]
    scenario.adjust("2024-05-03 12:00", -25)
    assert scenario.lots == [("2024-05-01", "2024-11-01", 5)]


def test_points_that_expire_together_stay_apart_by_the_day_they_were_earned() -> None:
    scenario = MemberScenario.of(programme(expiry=ExpiryPolicy(months=12, end_of=EndOf.YEAR)))
    scenario.buy("2024-05-01 12:00", "10")
    scenario.buy("2024-06-01 12:00", "10")
    assert scenario.lots == [("2024-05-01", "2025-12-31", 10), ("2024-06-01", "2025-12-31", 10)]


def test_points_without_expiry_are_one_lot_a_day_for_ever() -> None:
    scenario = MemberScenario.of(programme(flat("visit", "5", event="visit")))
    scenario.happen("visit", "2024-05-01 12:00")
    assert scenario.settle("2099-01-01 12:00").__class__.__name__ == "NothingToSettle"
    assert scenario.lots == [("2024-05-01", None, 5)]


KEYS = st.builds(
    LotKey,
    st.dates(date(2024, 1, 1), date(2024, 1, 20)),
    st.none() | st.dates(date(2024, 1, 25), date(2024, 2, 10)),
)
ANY_LOTS = st.dictionaries(KEYS, st.tuples(st.integers(0, 2**40), st.integers(0, 2**40)), max_size=12).map(
    lambda found: [Lot(key, points, expired) for key, (points, expired) in found.items() if points or expired]
)


@given(lots=ANY_LOTS, key=KEYS, points=st.integers(-50, 50), expired=st.integers(0, 50))
@property_settings(300)
def test_packed_lots_are_a_sequence_of_lots_in_spending_order(
    lots: list[Lot], key: LotKey, points: int, expired: int
) -> None:
    packed, ordered = Lots.of(lots), sorted(lots, key=spending_order)
    assert packed == tuple(ordered)
    assert packed == ordered
    assert (len(packed), [*packed], packed[:3]) == (len(lots), ordered, tuple(ordered[:3]))
    assert Lots(packed.packed) == packed
    assert hash(packed) == hash(tuple(ordered))
    assert packed.contains(key) is any(lot.key == key for lot in lots)
    open_ends = [lot.key.expires_on for lot in lots if lot.points and lot.key.expires_on is not None]
    assert packed.next_expiry_day() == min(open_ends, default=None)
    for today in (date(2024, 1, 24), date(2024, 2, 1), date(2024, 2, 11)):
        lapsed = [lot for lot in ordered if (lot.key.expires_on or date.max) < today]
        assert overdue_lots(packed, today) == [lot for lot in lapsed if lot.points]
        assert packed.without_old(today) == [lot for lot in ordered if lot.points or lot not in lapsed]
    was = next((lot for lot in lots if lot.key == key), Lot(key, 0))
    if was.points + points >= 0:
        changed = Lot(key, was.points + points, was.expired_points + expired)
        others = [lot for lot in lots if lot.key != key]
        kept = [*others, changed] if changed.points or changed.expired_points else others
        assert with_points(packed, key, points, expired=expired) == sorted(kept, key=spending_order)
