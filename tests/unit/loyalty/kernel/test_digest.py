from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.property_settings import property_settings

from loyalty.kernel.channel import Channel
from loyalty.kernel.digest import canonical_moment, canonical_number, content_digest, fast_content_digest, sent_only

MONEY = st.decimals(min_value=-(10**9), max_value=10**9, places=6)
MOMENTS = st.datetimes(min_value=datetime(1971, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds the zone
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5) | st.integers(-(10**6), 10**6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def test_the_digest_of_known_content_never_changes() -> None:
    content = {
        "total": Decimal("12.50"),
        "at": datetime(2024, 3, 1, 10, 0, tzinfo=UTC),
        "day": date(2024, 3, 1),
        "share": Fraction(1, 3),
        "channel": Channel.APP,
        "words": "thé ☕",
        "lines": [["milk", None, True]],
    }
    assert content_digest(content) == "b8b658e0c13d21a8a2f46c419f89c4c940e89aae8ad57c09831a95c73cb887d0"
    assert (
        content_digest(content, previous="head") == "565be896784e90eb7faaa518dd42ecd356da7e505bd7c6c82dd61b7de63f8961"
    )


def test_the_order_of_keys_does_not_count() -> None:
    assert content_digest({"a": 1, "b": {"c": 2, "d": 3}}) == content_digest({"b": {"d": 3, "c": 2}, "a": 1})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Decimal("5.0"), Decimal("5.00")),
        (Decimal(100), Decimal("1E+2")),
        (Decimal("0.00"), Decimal("-0")),
        (Decimal("1000000.10"), Decimal("1000000.1")),
        (5.0, 5),
        (-0.0, 0),
        (1e16, 10**16),
        ([{"a": 2.0}], [{"a": 2}]),
        ((1, 2), [1, 2]),
        (datetime(2024, 3, 1, 12, 0, tzinfo=timezone(timedelta(hours=2))), datetime(2024, 3, 1, 10, 0, tzinfo=UTC)),
    ],
)
def test_equal_content_written_differently_has_one_digest(one: Any, other: Any) -> None:
    assert content_digest({"x": one}) == content_digest({"x": other})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Decimal("5.0"), Decimal("5.01")),
        (Decimal("1.0000000000000000000000000000001"), Decimal("1.0000000000000000000000000000002")),
        (Decimal(10000000000000000000000000000001), Decimal(10000000000000000000000000000002)),
        (1, True),
        (0.5, 0.25),
        (5.5, 5),
        ("5.0", "5"),
        (None, ""),
        ([1, 2], [2, 1]),
        ({"a": 1}, {"a": 1, "b": None}),
        (datetime(2024, 3, 1, 10, 0, tzinfo=UTC), datetime(2024, 3, 1, 10, 0, 0, 1000, tzinfo=UTC)),
    ],
)
def test_other_content_has_another_digest(one: Any, other: Any) -> None:
    assert content_digest({"x": one}) != content_digest({"x": other})


def test_content_that_json_cannot_write_is_a_fault_of_the_caller() -> None:
    with pytest.raises(TypeError, match="a digest cannot be made of set"):
        content_digest({"x": {1}})


@given(money=MONEY, when=MOMENTS, zeros=st.integers(0, 20), hours=st.integers(-14, 14), extra=JSON)
@property_settings(200)
def test_zeros_zones_and_the_order_of_keys_never_count(
    money: Decimal, when: datetime, zeros: int, hours: int, extra: Any
) -> None:
    rewritten = Decimal(f"{money:f}{'0' * zeros}") if "." in f"{money:f}" else money
    there = when.astimezone(timezone(timedelta(hours=hours)))
    one = content_digest({"total": money, "at": when, "attributes": extra})
    assert content_digest({"attributes": extra, "at": there, "total": rewritten}) == one
    assert content_digest({"attributes": extra, "at": there, "total": rewritten}, previous=one) != one


@given(
    words=st.text(),
    extra=st.dictionaries(st.text(max_size=3), JSON, max_size=3),
    big=st.integers(),
    money=st.decimals(allow_nan=False, allow_infinity=False),
    when=MOMENTS,
    share=st.fractions(),
)
@property_settings(500)
def test_content_without_floats_has_the_same_digest_whoever_writes_it(
    *, words: str, extra: Any, big: int, money: Decimal, when: datetime, share: Fraction
) -> None:
    content = {
        "words": [words, Channel.APP, None, True],
        "controls": "".join(map(chr, range(0x20))) + "\x7f\u2028\U0001f514",
        "extra": extra,
        "big": big,
        "money": money,
        "when": when,
        "day": when.date(),
        "share": share,
        words: (1, 2),
    }
    assert fast_content_digest(content) == content_digest(content)
    assert fast_content_digest(content, previous="head") == content_digest(content, previous="head")
    written = {**content, "money": canonical_number(money), "when": canonical_moment(when)}
    assert fast_content_digest(written) == content_digest(content)


def test_fields_that_were_not_sent_are_in_no_digest() -> None:
    sent = {"a": 1, "b": {"c": "x"}, "d": [None, 0], "e": "", "f": False, "g": {}}
    assert sent_only({**sent, "later": None, "b": {"c": "x", "later": None}}) == sent
    assert content_digest(sent_only({**sent, "later": None})) == content_digest(sent_only(sent))
