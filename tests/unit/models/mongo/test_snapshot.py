from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

import bson
import orjson
from bson import CodecOptions
from hypothesis import given
from hypothesis import strategies as st
from support.life import Life, lives, thorough
from support.programme import read

from loyalty.commands.enrol import Enrol
from loyalty.commands.record_event import RecordEvent
from loyalty.kernel.channel import Channel
from loyalty.kernel.membership_number import number_from
from loyalty.model.event import Event, Purchase
from loyalty.model.ledger import Cause
from loyalty.model.member import Profile
from models.mongo.snapshot import (
    RECENT_ENTRIES,
    Rows,
    Snapshot,
    entry_views,
    next_snapshot,
    snapshot_document,
    snapshot_of,
)

PROGRAMMES = [read("grocer"), read("coffee")]
ANY_LIFE = st.sampled_from(PROGRAMMES).flatmap(lives)


def snapshots(life: Life) -> list[Snapshot]:
    """Return the snapshot of each version of a life."""
    told: list[Snapshot] = []
    for decision in life.decisions:
        before = told[-1] if told else None
        told.append(next_snapshot(before, decision, life.programme.zone))
    return told


def stored(snapshot: Snapshot) -> Snapshot:
    options: CodecOptions[Mapping[str, Any]] = CodecOptions(tz_aware=True)
    return snapshot_of(bson.decode(bson.encode(snapshot_document(snapshot)), options))


@thorough(20)
@given(ANY_LIFE)
def test_a_snapshot_comes_back_as_it_was(life: Life) -> None:
    for snapshot in snapshots(life):
        assert stored(snapshot) == snapshot
        assert stored(snapshot).recent(first=50) == snapshot.recent(first=50)


@thorough(20)
@given(ANY_LIFE)
def test_the_newest_entries_are_there_newest_first_and_all_of_the_newest_version(life: Life) -> None:
    everything: list[Any] = []
    for snapshot, record in zip(snapshots(life), life.records, strict=True):
        views = entry_views(record)
        everything = [*reversed(views), *everything]
        assert snapshot.entries == len(everything)
        assert snapshot.of_version() == views
        kept = max(RECENT_ENTRIES, len(views))
        assert snapshot.recent(first=1000) == tuple(everything[:kept])
        assert snapshot.recent(first=3) == tuple(everything[:3])


@thorough(20)
@given(ANY_LIFE, st.integers(1, 7))
def test_the_newest_entries_page_by_place(life: Life, size: int) -> None:
    snapshot = snapshots(life)[-1]
    told: list[Any] = []
    after: tuple[int, int] | None = None
    while page := snapshot.recent(first=size, after=after):
        told += page
        after = (page[-1].version, page[-1].index)
    assert tuple(told) == snapshot.recent(first=1000)


@thorough(20)
@given(ANY_LIFE, st.integers(0, 7), st.data())
def test_a_page_is_told_where_all_of_it_is_held(life: Life, size: int, data: st.DataObject) -> None:
    snapshot = snapshots(life)[-1]
    held = snapshot.recent(first=1000)
    last = data.draw(st.none() | st.sampled_from(held)) if held else None
    older = held if last is None else held[held.index(last) + 1 :]
    is_whole = len(held) == snapshot.entries
    page = snapshot.page(first=size, after=(last.version, last.index) if last is not None else None)
    if not is_whole and (not older or len(older) < size):
        assert page is None
    else:
        assert page == (older[:size], len(older) > size or not is_whole)


def purchase(life: Life, key: str) -> RecordEvent:
    event = Event(key, "till", "purchase", life.now, Channel.STORE, purchase=Purchase(Decimal(5), "EUR"))
    return RecordEvent(event, Cause("event", "till", "till", key))


def test_a_version_of_more_entries_than_are_kept_is_whole_and_the_next_one_is_bounded_again() -> None:
    life = Life(read("coffee"))
    number, cause = number_from(7), Cause("enrol", "till", "till", "form")
    life.decide(Enrol("member", number, Profile("en"), None, Channel.STORE, None, life.now, cause))
    for day in range(25):
        life.now += timedelta(days=1)
        life.decide(purchase(life, f"day-{day}"))
    life.now += timedelta(days=400)
    life.decide(purchase(life, "long after"))
    newest = snapshots(life)[-1]
    # The welcome's lot and those of 25 days expired; then the purchase.
    assert (len(newest.of_version()), len(newest.rows), newest.entries) == (27, 27, 26 + 27)
    life.decide(purchase(life, "and once more"))
    newest = snapshots(life)[-1]
    assert (len(newest.of_version()), len(newest.rows), newest.entries) == (1, 20, 26 + 28)


ANY_ROWS = st.lists(st.lists(st.text() | st.integers(-(2**53), 2**53) | st.none(), min_size=1), max_size=8)


@thorough(200)
@given(ANY_ROWS, ANY_ROWS, st.integers(1, 12), st.booleans())
def test_newer_rows_go_before_older_ones_of_which_as_many_are_kept_as_there_is_room_for(
    newer: list[list[Any]], older: list[list[Any]], room: int, stored_on_one_line: bool
) -> None:
    keep = max(room, len(newer))
    rows = Rows(orjson.dumps(older)) if stored_on_one_line else Rows.of(older)
    after = rows.after(newer, keep)
    assert after == tuple([*newer, *older][:keep])
    assert orjson.loads(after.text) == [*after]
    assert (len(after), after[:2]) == (min(keep, len(newer) + len(older)), tuple([*newer, *older][:keep][:2]))
    assert after.after([], keep) == after


@thorough(200)
@given(st.lists(st.tuples(st.integers(1, 4), st.text()), max_size=8), st.booleans(), st.booleans())
def test_the_rows_of_the_newest_version_are_found_without_reading_those_before_it(
    versions: list[tuple[int, str]], stored_on_one_line: bool, was_read_before: bool
) -> None:
    stored = sorted(([version, text] for version, text in versions), key=lambda row: -row[0])
    newest = stored[0][0] if stored else 1
    rows = Rows(orjson.dumps(stored)) if stored_on_one_line else Rows.of(stored)
    if was_read_before:
        len(rows)
    assert rows.of_version(newest) == [row for row in stored if row[0] == newest]
    assert rows.of_version(newest + 1) == []
