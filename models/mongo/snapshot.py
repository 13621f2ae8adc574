"""The snapshot: a member's state with its newest entries and affinity, so that a home screen is one read.

`recent` holds the newest entries, newest first: at least RECENT_ENTRIES_MIN if the member has that many, and always all
of the newest version, which the live feed sends. `entries` is the number of all entries ever. The rows of `recent` are
stored as one JSON text, because every commit copies them and most readers use few of them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any, cast, overload
from zoneinfo import ZoneInfo

import orjson

from loyalty.kernel.channel import Channel
from loyalty.kernel.fast_dataclass import fast_init
from loyalty.model.consent import ConsentPurpose
from loyalty.model.decision import Decision
from loyalty.model.event import PURCHASE, Event
from loyalty.model.explanation import Explanation
from loyalty.model.ledger import Entry, EntryKind, Record
from loyalty.model.member import Member, next_settlement_at
from loyalty.model.notice import Notice
from loyalty.rules.affinity import NO_AFFINITY, AffinityWeights, add_purchase_packed
from models.mongo.bson import Document, utc_moment
from models.mongo.ledger import explanation_of, explanation_row, notice_of, notice_row
from models.mongo.member import member_document, member_of

RECENT_ENTRIES_MIN = 20
NO_AFFINITY_TEXT = b""


@fast_init
@dataclass(frozen=True, slots=True)
class EntryView:
    """A ledger entry with the version of its record and its `index` in that record."""

    member: str
    version: int
    index: int
    recorded_at: datetime
    kind: EntryKind
    points: int
    balance: int
    occurred_at: datetime
    channel: Channel
    explanations: tuple[Explanation, ...]
    label: str
    params: Mapping[str, str | int]

    def list_values(self) -> tuple[Any, ...]:
        """Return kind, points, balance, version, occurred_at, recorded_at and channel, for compiled operations."""
        return (
            self.kind,
            self.points,
            self.balance,
            self.version,
            self.occurred_at,
            self.recorded_at,
            self.channel,
        )


Row = list[Any]
# Separates rows in the stored text. JSON text has no newline within a row, so that the text can be split here.
BETWEEN_ROWS = b",\n"


class Rows(Sequence[Row]):
    """The newest entries as stored, newest first. Their JSON text is parsed when they are first used."""

    __slots__ = ("_rows", "text")

    def __init__(self, text: bytes = b"[]") -> None:
        self.text = text
        self._rows: tuple[Row, ...] | None = None

    @classmethod
    def of(cls, rows: Iterable[Row]) -> "Rows":
        """Return the given rows, newest first, as their text."""
        return cls.of_texts(map(orjson.dumps, rows))

    @classmethod
    def of_texts(cls, texts: Iterable[bytes]) -> "Rows":
        """Return the rows of some texts, newest first, each of one row or more."""
        return cls(b"[" + BETWEEN_ROWS.join(texts) + b"]")

    def _all(self) -> tuple[Row, ...]:
        if self._rows is None:
            self._rows = tuple(orjson.loads(self.text))
        return self._rows

    def __len__(self) -> int:
        return len(self._all())

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Row, ...]: ...
    def __getitem__(self, index: int | slice) -> Row | tuple[Row, ...]:
        return self._all()[index]

    def __iter__(self) -> Iterator[Row]:
        return iter(self._all())

    def __eq__(self, other: object) -> bool:
        return self._all() == tuple(other) if isinstance(other, Rows | tuple) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return f"Rows.of({self._all()!r})"

    def rows_of_newest_version(self, version: int) -> list[Row]:
        """Return the rows of the newest version, which must be `version`, without parsing older rows."""
        if self._rows is not None or BETWEEN_ROWS not in self.text:
            return [row for row in self._all() if row[0] == version]
        found: list[Row] = []
        begin = 1
        while begin:
            end = self.text.find(BETWEEN_ROWS, begin)
            row = orjson.loads(self.text[begin : end if end >= 0 else -1])
            if row[0] != version:
                break
            found.append(row)
            begin = end + len(BETWEEN_ROWS) if end >= 0 else 0
        return found

    def prepended(self, newer: Iterable[Row], keep: int) -> "Rows":
        """Return `newer` followed by these rows, `keep` rows in all, without parsing these."""
        texts = [*map(orjson.dumps, newer)]
        breaks = self.text.count(BETWEEN_ROWS)
        if not breaks:  # at most one row, or a text written before rows were separated by newlines
            return Rows.of_texts([*texts, *map(orjson.dumps, self._all()[: keep - len(texts)])])
        end = len(self.text) - 1
        for _ in range(breaks + 1 + len(texts) - keep):
            end = self.text.rfind(BETWEEN_ROWS, 0, end)
        if end > 1:
            texts.append(self.text[1:end])
        return Rows.of_texts(texts)


@fast_init
@dataclass(frozen=True, slots=True)
class Snapshot:
    """A member at one version. `as_of` is the moment for its time-dependent figures, None for now.

    `rows` are the newest entries as stored; `recent` and `newest_version_entries` return views of them. `entries_count`
    is the number of all entries. `notices` are those of this version. `affinity_text` is learned from purchases, as
    JSON, empty for none, whatever the member consented to: only `affinity` may be used.
    """

    member: Member
    rows: Rows
    entries_count: int
    next_settlement_at: datetime | None
    recorded_at: datetime
    as_of: datetime | None = field(default=None)
    notices: tuple[Notice, ...] = ()
    affinity_text: bytes = NO_AFFINITY_TEXT

    @property
    def affinity(self) -> AffinityWeights:
        """The affinity that may be used: learned from purchases, none without consent to personalisation."""
        is_allowed = self.member.profile.allows(ConsentPurpose.PERSONALISATION)
        return _affinity_of(self.affinity_text) if is_allowed else NO_AFFINITY

    @property
    def version(self) -> int:
        """The member's version."""
        return self.member.version

    def recent(self, *, first: int, after: tuple[int, int] | None = None) -> tuple[EntryView, ...]:
        """Return up to `first` stored entries older than `after` (version, index), newest first."""
        older = (row for row in self.rows if after is None or (row[0], row[1]) < after)
        return tuple(_view_of(self.member.id, row) for row in islice(older, first))

    def page(self, *, first: int, after: tuple[int, int] | None = None) -> tuple[tuple[EntryView, ...], bool] | None:
        """Return the `first` newest entries older than `after` (version, index), and whether there are more.

        None if the snapshot does not have them all: read the ledger.
        """
        rows = tuple(self.rows)
        start = 0 if after is None else next((n for n, row in enumerate(rows) if (row[0], row[1]) < after), len(rows))
        end = start + first
        if (end > len(rows) or start == len(rows)) and len(rows) < self.entries_count:
            return None
        # The rows are the newest entries without a gap, so the position of a row is the number of newer entries.
        member = self.member.id
        return tuple([_view_of(member, row) for row in rows[start:end]]), end < self.entries_count

    def newest_version_entries(self) -> tuple[EntryView, ...]:
        """Return the entries of the newest version, oldest first."""
        return tuple(_view_of(self.member.id, row) for row in reversed(self.rows.rows_of_newest_version(self.version)))


def entry_views(record: Record) -> tuple[EntryView, ...]:
    """Return the entries of a record as views, in order."""
    return tuple(_view(record, index, entry) for index, entry in enumerate(record.entries))


def _view(record: Record, index: int, entry: Entry) -> EntryView:
    return EntryView(
        member=record.member,
        version=record.version,
        index=index,
        recorded_at=record.recorded_at,
        kind=entry.kind,
        points=entry.points,
        balance=entry.balance,
        occurred_at=entry.occurred_at,
        channel=entry.channel,
        explanations=entry.explanations,
        label=entry.label,
        params=entry.params,
    )


def row_of(view: EntryView) -> Row:
    """Return an entry as a snapshot's row."""
    return _row(view.version, view.index, view.recorded_at.isoformat(), view)


def _row(version: int, index: int, recorded_at: str, entry: Entry | EntryView) -> Row:
    return [
        version,
        index,
        recorded_at,
        entry.kind.value,
        entry.points,
        entry.balance,
        entry.occurred_at.isoformat(),
        entry.channel.value,
        [explanation_row(explanation) for explanation in entry.explanations],
        entry.label,
        dict(entry.params),
    ]


class RowView:
    """A snapshot's row with the attributes of an EntryView, each converted only when it is read."""

    __slots__ = ("_row", "member")

    def __init__(self, member: str, row: Row) -> None:
        self.member, self._row = member, row

    @property
    def version(self) -> int:
        """The member's version."""
        version: int = self._row[0]
        return version

    @property
    def index(self) -> int:
        """Its index in the record of its version."""
        index: int = self._row[1]
        return index

    @property
    def recorded_at(self) -> datetime:
        """When it was committed."""
        return datetime.fromisoformat(self._row[2])

    @property
    def kind(self) -> EntryKind:
        """The kind of entry."""
        return EntryKind(self._row[3])

    @property
    def points(self) -> int:
        """The signed change of the available balance."""
        points: int = self._row[4]
        return points

    @property
    def balance(self) -> int:
        """The available balance after it."""
        balance: int = self._row[5]
        return balance

    @property
    def occurred_at(self) -> datetime:
        """When it happened."""
        return datetime.fromisoformat(self._row[6])

    @property
    def channel(self) -> Channel:
        """The channel in which it happened."""
        return Channel(self._row[7])

    @property
    def explanations(self) -> tuple[Explanation, ...]:
        """The explanation of each rule."""
        return tuple(explanation_of(explanation) for explanation in self._row[8])

    @property
    def label(self) -> str:
        """The key of its text in the catalogue of texts."""
        label: str = self._row[9]
        return label

    @property
    def params(self) -> Mapping[str, str | int]:
        """The parameters of its text."""
        params: Mapping[str, str | int] = self._row[10]
        return params

    def list_values(self) -> tuple[Any, ...]:
        """Return the values of EntryView.list_values() as stored, because the response needs the stored form anyway."""
        version, _, recorded_at, kind, points, balance, occurred_at, channel, _, _, _ = self._row
        return kind, points, balance, version, occurred_at, recorded_at, channel

    def to_entry_view(self) -> EntryView:
        """Return the row as an EntryView."""
        return EntryView(**{name: getattr(self, name) for name in EntryView.__slots__})

    def __eq__(self, other: object) -> bool:
        if isinstance(other, RowView):
            return self.member == other.member and self._row == other._row
        return self.to_entry_view() == other

    def __hash__(self) -> int:
        return hash((self.member, self.version, self.index))

    def __repr__(self) -> str:
        return repr(self.to_entry_view())


def _view_of(member: str, row: Row) -> EntryView:
    # RowView has every attribute of EntryView; a protocol would only repeat them.
    return cast("EntryView", RowView(member, row))


def snapshot_after(before: Snapshot | None, decision: Decision, zone: ZoneInfo) -> Snapshot:
    """Return the snapshot that follows `before` (None: the first) once `decision` is committed."""
    member, record, counted = decision.member, decision.record, decision.recorded_event
    affinity = before.affinity_text if before is not None else NO_AFFINITY_TEXT
    if counted is not None and counted.event.type == PURCHASE:
        affinity = _affinity_after(affinity, counted.event, zone)
    recorded_at = record.recorded_at.isoformat()
    newest = [_row(record.version, index, recorded_at, entry) for index, entry in enumerate(record.entries)]
    older = before.rows if before is not None else Rows()
    return Snapshot(
        member=member,
        rows=older.prepended(reversed(newest), max(RECENT_ENTRIES_MIN, len(newest))),
        entries_count=(before.entries_count if before is not None else 0) + len(newest),
        next_settlement_at=next_settlement_at(member, zone),
        recorded_at=record.recorded_at,
        notices=record.notices,
        affinity_text=affinity,
    )


def _affinity_after(text: bytes, event: Event, zone: ZoneInfo) -> bytes:
    known = orjson.loads(text) if text else NO_AFFINITY.packed()
    learned = add_purchase_packed(known, event, zone)
    return orjson.dumps(learned) if learned is not known else text


def _affinity_of(text: bytes) -> AffinityWeights:
    return AffinityWeights.unpack(orjson.loads(text)) if text else NO_AFFINITY


def snapshot_document(snapshot: Snapshot) -> Document:
    """Return a snapshot as stored."""
    return {
        **member_document(snapshot.member),
        "recent": snapshot.rows.text,
        "entries": snapshot.entries_count,
        "due_at": snapshot.next_settlement_at,
        "recorded_at": snapshot.recorded_at,
        "notices": [notice_row(notice) for notice in snapshot.notices],
        "taste": snapshot.affinity_text,
    }


def snapshot_of(document: Mapping[str, Any]) -> Snapshot:
    """Return the snapshot of a document."""
    member, due = member_of(document), document["due_at"]
    return Snapshot(
        member=member,
        rows=Rows(document["recent"]),
        entries_count=document["entries"],
        next_settlement_at=utc_moment(due) if due is not None else None,
        recorded_at=utc_moment(document["recorded_at"]),
        notices=tuple(notice_of(row) for row in document.get("notices", ())),
        affinity_text=document.get("taste", NO_AFFINITY_TEXT),
    )
