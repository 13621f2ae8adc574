"""The weighted lists of Accept fields."""

import pytest

from schema.wire.accept import ITEMS_MAX, weighted


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("", []),
        ("fr", [("fr", 1.0)]),
        ("fr-CH, fr;q=0.9, en;q=0.8, *;q=0.5", [("fr-ch", 1.0), ("fr", 0.9), ("en", 0.8), ("*", 0.5)]),
        ("GZIP ; Q=0.5 ,br", [("gzip", 0.5), ("br", 1.0)]),
        ("text/html;level=1;q=0.4", [("text/html", 0.4)]),
        ("gzip;q=0, identity; q=0.000", [("gzip", 0.0), ("identity", 0.0)]),
        ("a;q=", [("a", 0.0)]),
        ("a;q=high, b;q=nan, c;q=-1, d;q=2, e;q=inf", [(name, 0.0) for name in "abcde"]),
        (", ,;q=1,en", [("en", 1.0)]),
    ],
)
def test_values_come_with_their_weights(header: str, found: list[tuple[str, float]]) -> None:
    assert weighted(header) == found


def test_a_long_header_is_bounded() -> None:
    assert len(weighted("a," * 10_000)) == ITEMS_MAX
    assert weighted("x" * 1_000_000)[0][1] == 1.0
