"""Ids and cursors: what was given out comes back as it was, and nothing else is taken."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resolvers.core.operation_error import BadInput
from schema.wire.ids import cursor, entry_id, from_cursor, from_global_id, global_id

KINDS = st.text(string.ascii_letters, min_size=1, max_size=20)
PARTS = st.lists(st.text(string.ascii_letters + string.digits + "-_/", max_size=20), min_size=1, max_size=4)
NUMBERS = st.integers(0, 2**53)


@given(KINDS, PARTS)
def test_id_comes_back_as_it_was_given_out(kind: str, parts: list[str]) -> None:
    id_ = global_id(kind, *parts)
    assert set(id_) <= set(string.ascii_letters + string.digits + "-_")
    assert from_global_id(id_) == (kind, parts)


@given(st.text(string.ascii_letters + string.digits + "-_/", max_size=40), NUMBERS, NUMBERS)
def test_id_of_an_entry_is_that_of_any_node(member: str, version: int, index: int) -> None:
    assert entry_id(member, version, index) == global_id("LedgerEntry", member, version, index)


@given(NUMBERS, NUMBERS)
def test_cursor_comes_back_as_it_was_given_out(version: int, index: int) -> None:
    assert from_cursor(cursor(version, index)) == (version, index)


@given(st.text(max_size=300))
def test_whatever_is_sent_as_an_id_is_decoded_or_refused(text: str) -> None:
    try:
        kind, parts = from_global_id(text)
    except BadInput:
        return
    # Two texts never stand for the same thing.
    assert global_id(kind, *parts) == text


@given(st.text(max_size=300))
def test_whatever_is_sent_as_a_cursor_is_decoded_or_refused(text: str) -> None:
    try:
        version, index = from_cursor(text)
    except BadInput:
        return
    assert cursor(version, index) == text


@pytest.mark.parametrize(
    "text", ["!", "a", "é", "\x00", "TWVtYmVy\n", "TWVt YmVy", "TWVtYmVyOmE=", "_____w", "x" * 201]
)
def test_garbage_is_no_id(text: str) -> None:
    with pytest.raises(BadInput) as refused:
        from_global_id(text)
    assert refused.value.reason == "id_invalid"


@pytest.mark.parametrize("text", ["", "1", "1:2:3", "-1:0", "a:b", "1.0:0", "٣:0", "01:0", " 1:0"])
def test_a_text_that_is_not_two_numbers_is_no_cursor(text: str) -> None:
    with pytest.raises(BadInput) as refused:
        from_cursor(global_id(*text.split(":")))
    assert refused.value.reason == "cursor_invalid"
