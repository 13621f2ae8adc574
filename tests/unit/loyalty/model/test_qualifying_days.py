from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.property_settings import property_settings

from loyalty.model.qualifying_days import QualifyingDays


@given(
    days=st.dictionaries(st.dates(date(2022, 1, 1), date(2022, 3, 1)), st.integers(1, 200), max_size=12),
    day=st.dates(date(2021, 12, 25), date(2022, 3, 8)),
    other=st.dates(date(2021, 12, 25), date(2022, 3, 8)),
    points=st.integers(-250, 250),
)
@property_settings(300)
def test_packed_days_are_a_mapping_of_days(days: dict[date, int], day: date, other: date, points: int) -> None:
    packed = QualifyingDays.of(days)
    assert packed == days
    assert dict(packed) == days
    assert [*packed] == sorted(days)
    assert packed.rows() == sorted(days.items())
    assert (len(packed), packed.get(day), day in packed) == (len(days), days.get(day), day in days)
    assert packed.last() == max(days, default=None)
    assert packed.before(day) == max((one for one in days if one < day), default=None)
    assert packed.since(day) == {one: sum_ for one, sum_ in days.items() if one >= day}
    first, end = sorted((day, other))
    assert packed.total(first, end) == sum(sum_ for one, sum_ in days.items() if first <= one < end)
    assert packed.total() == sum(days.values())
    assert packed.with_points(day, points) == {
        one: sum_ for one, sum_ in {**days, day: days.get(day, 0) + points}.items() if sum_ > 0
    }
    assert QualifyingDays.of({**days, date(2000, 1, 1): 0}) == packed
    assert hash(QualifyingDays.of(dict(sorted(days.items())))) == hash(packed)
    assert repr(packed) == f"Days.of({dict(sorted(days.items()))!r})"
    with pytest.raises(KeyError):
        packed[date(1999, 1, 1)]
