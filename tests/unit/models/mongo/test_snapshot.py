from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import bson
import orjson
from bson import CodecOptions
from hypothesis import given
from hypothesis import strategies as st
from support.member_histories import MemberHistory, member_histories
from support.programme_files import programme_from_file
from support.property_settings import property_settings

from loyalty.commands.enrol import Enrol
from loyalty.commands.record_event import RecordEvent
from loyalty.kernel.channel import Channel
from loyalty.kernel.membership_number import number_from
from loyalty.model.consent import Consent, ConsentPurpose, ContactChannel
from loyalty.model.event import Event, Purchase
from loyalty.model.ledger import Cause
from loyalty.model.member import Profile
from loyalty.rules.affinity import NO_AFFINITY
from models.mongo.snapshot import (
    RECENT_ENTRIES_MIN,
    Rows,
    Snapshot,
    entry_views,
    snapshot_after,
    snapshot_document,
    snapshot_of,
)

PROGRAMMES = [programme_from_file("grocer"), programme_from_file("coffee")]
ANY_LIFE = st.sampled_from(PROGRAMMES).flatmap(member_histories)


def snapshots(history: MemberHistory) -> list[Snapshot]:
    """Return the snapshot of each version of a history."""
    result: list[Snapshot] = []
    for decision in history.decisions:
        before = result[-1] if result else None
        result.append(snapshot_after(before, decision, history.programme.zone))
    return result


def stored(snapshot: Snapshot) -> Snapshot:
    options: CodecOptions[Mapping[str, Any]] = CodecOptions(tz_aware=True)
    return snapshot_of(bson.decode(bson.encode(snapshot_document(snapshot)), options))


@property_settings(20)
@given(ANY_LIFE)
def test_snapshot_round_trips(history: MemberHistory) -> None:
    for snapshot in snapshots(history):
        assert stored(snapshot) == snapshot
        assert stored(snapshot).recent(first=50) == snapshot.recent(first=50)


@property_settings(20)
@given(ANY_LIFE)
def test_the_newest_entries_are_there_newest_first_and_all_of_the_newest_version(history: MemberHistory) -> None:
    everything: list[Any] = []
    for snapshot, record in zip(snapshots(history), history.records, strict=True):
        views = entry_views(record)
        everything = [*reversed(views), *everything]
        assert snapshot.entries_count == len(everything)
        assert snapshot.newest_version_entries() == views
        kept = max(RECENT_ENTRIES_MIN, len(views))
        assert snapshot.recent(first=1000) == tuple(everything[:kept])
        assert snapshot.recent(first=3) == tuple(everything[:3])


@property_settings(20)
@given(ANY_LIFE, st.integers(1, 7))
def test_the_newest_entries_page_by_place(history: MemberHistory, size: int) -> None:
    snapshot = snapshots(history)[-1]
    result: list[Any] = []
    after: tuple[int, int] | None = None
    while page := snapshot.recent(first=size, after=after):
        result += page
        after = (page[-1].version, page[-1].index)
    assert tuple(result) == snapshot.recent(first=1000)


@property_settings(20)
@given(ANY_LIFE, st.integers(0, 7), st.data())
def test_page_is_returned_only_if_the_snapshot_holds_all_of_it(
    history: MemberHistory, size: int, data: st.DataObject
) -> None:
    snapshot = snapshots(history)[-1]
    held = snapshot.recent(first=1000)
    last = data.draw(st.none() | st.sampled_from(held)) if held else None
    older = held if last is None else held[held.index(last) + 1 :]
    is_whole = len(held) == snapshot.entries_count
    page = snapshot.page(first=size, after=(last.version, last.index) if last is not None else None)
    if not is_whole and (not older or len(older) < size):
        assert page is None
    else:
        assert page == (older[:size], len(older) > size or not is_whole)


@property_settings(20)
@given(
    ANY_LIFE,
    st.dictionaries(
        st.tuples(st.sampled_from(ConsentPurpose), st.none() | st.sampled_from(ContactChannel)), st.booleans()
    ),
)
def test_affinity_is_readable_only_with_consent_to_personalisation_as_a_whole(
    history: MemberHistory, answers: dict[tuple[ConsentPurpose, ContactChannel | None], bool]
) -> None:
    snapshot = replace(snapshots(history)[-1], affinity_text=b'[0,4,{"category:COFFEE":2}]')
    consents = tuple(
        Consent(purpose, channel, granted=granted, changed_at=history.now, via=Channel.APP)
        for (purpose, channel), granted in answers.items()
    )
    member = replace(snapshot.member, profile=replace(snapshot.member.profile, consents=consents))
    is_allowed = answers.get((ConsentPurpose.PERSONALISATION, None), False)
    for one in (replace(snapshot, member=member), stored(replace(snapshot, member=member))):
        assert (one.affinity != NO_AFFINITY) is is_allowed


def purchase(history: MemberHistory, key: str) -> RecordEvent:
    event = Event(key, "till", "purchase", history.now, Channel.STORE, purchase=Purchase(Decimal(5), "EUR"))
    return RecordEvent(event, Cause("event", "till", "till", key))


def test_a_version_of_more_entries_than_are_stored_is_complete_and_the_next_one_is_bounded_again() -> None:
    history = MemberHistory(programme_from_file("coffee"))
    number, cause = number_from(7), Cause("enrol", "till", "till", "form")
    history.decide(Enrol("member", number, Profile("en"), None, Channel.STORE, None, history.now, cause))
    for day in range(25):
        history.now += timedelta(days=1)
        history.decide(purchase(history, f"day-{day}"))
    history.now += timedelta(days=400)
    history.decide(purchase(history, "long after"))
    newest = snapshots(history)[-1]
    # The lots of the welcome and of 25 days expired; then the purchase.
    assert (len(newest.newest_version_entries()), len(newest.rows), newest.entries_count) == (27, 27, 26 + 27)
    history.decide(purchase(history, "and once more"))
    newest = snapshots(history)[-1]
    assert (len(newest.newest_version_entries()), len(newest.rows), newest.entries_count) == (1, 20, 26 + 28)


ANY_ROWS = st.lists(st.lists(st.text() | st.integers(-(2**53), 2**53) | st.none(), min_size=1), max_size=8)


@property_settings(200)
@given(ANY_ROWS, ANY_ROWS, st.integers(1, 12), st.booleans())
def test_newer_rows_come_first_and_the_oldest_are_dropped(
    newer: list[list[Any]], older: list[list[Any]], room: int, stored_on_one_line: bool
) -> None:
    keep = max(room, len(newer))
    rows = Rows(orjson.dumps(older)) if stored_on_one_line else Rows.of(older)
    after = rows.prepended(newer, keep)
    assert after == tuple([*newer, *older][:keep])
    assert orjson.loads(after.text) == [*after]
    assert (len(after), after[:2]) == (min(keep, len(newer) + len(older)), tuple([*newer, *older][:keep][:2]))
    assert after.prepended([], keep) == after


@property_settings(200)
@given(st.lists(st.tuples(st.integers(1, 4), st.text()), max_size=8), st.booleans(), st.booleans())
def test_the_rows_of_the_newest_version_are_found_without_reading_those_before_it(
    versions: list[tuple[int, str]], stored_on_one_line: bool, was_read_before: bool
) -> None:
    newest_first = sorted(versions, key=lambda row: -row[0])
    stored = [[version, text] for version, text in newest_first]
    newest = newest_first[0][0] if newest_first else 1
    rows = Rows(orjson.dumps(stored)) if stored_on_one_line else Rows.of(stored)
    if was_read_before:
        len(rows)
    assert rows.rows_of_newest_version(newest) == [row for row in stored if row[0] == newest]
    assert rows.rows_of_newest_version(newest + 1) == []
