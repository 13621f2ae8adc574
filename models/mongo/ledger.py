"""Collection `entries`: the ledger, one record for each version of a member, with the event that it counted."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

import beanie

from loyalty.kernel.channel import Channel
from loyalty.model.explanation import Explanation, RuleOutcome
from loyalty.model.ledger import Account, Cause, Entry, EntryKind, LotKey, Posting, Record, RecordRef, TierStatus
from loyalty.model.notice import Notice, NoticeKind
from models.mongo.bson import Document, day_text, from_iso, to_day, utc_moment, without_none
from models.mongo.event import EVENT_INDEXES
from models.mongo.schema import ARRAY, DATE, INTEGER, STRING, document_validator

VERSION_MAX = 10**10 - 1
_RECORD_ID = "^[^/]+/[0-9]{10}$"


def tier_status_document(tier_status: TierStatus) -> Document:
    """Return a tier status as stored."""
    return {"tier": tier_status.tier, "since": tier_status.since, "until": tier_status.guaranteed_until}


def tier_status_of(document: Mapping[str, Any]) -> TierStatus:
    """Return the tier status of a document."""
    until = document["until"]
    return TierStatus(document["tier"], utc_moment(document["since"]), utc_moment(until) if until is not None else None)


def explanation_row(explanation: Explanation) -> list[Any]:
    """Return an explanation as a compact row: rule, points, applied, reason, params."""
    params = dict(explanation.params)
    return [explanation.rule, explanation.points, explanation.applied, explanation.reason.value, params]


def explanation_of(row: list[Any]) -> Explanation:
    """Return the explanation of a row."""
    return Explanation(row[0], row[1], applied=row[2], reason=RuleOutcome(row[3]), params=row[4])


def entry_document(entry: Entry) -> Document:
    """Return an entry as the ledger stores it."""
    return {
        "kind": entry.kind.value,
        "points": entry.points,
        "balance": entry.balance,
        "occurred_at": entry.occurred_at,
        "channel": entry.channel.value,
        "postings": [
            [p.account.value, p.points, *((day_text(p.lot.earned_on), day_text(p.lot.expires_on)) if p.lot else ())]
            for p in entry.postings
        ],
        "why": [explanation_row(explanation) for explanation in entry.explanations],
        "label": entry.label,
        "params": dict(entry.params),
    }


def _posting_of(row: list[Any]) -> Posting:
    lot = None
    if len(row) > 2:  # noqa: PLR2004 - account and points, then the lot's two days if it has one
        lot = LotKey(from_iso(row[2]), to_day(row[3]))
    return Posting(Account(row[0]), row[1], lot)


def entry_of(document: Mapping[str, Any]) -> Entry:
    """Return the entry of a document."""
    return Entry(
        kind=EntryKind(document["kind"]),
        points=document["points"],
        balance=document["balance"],
        occurred_at=document["occurred_at"],
        channel=Channel(document["channel"]),
        postings=tuple(_posting_of(row) for row in document["postings"]),
        explanations=tuple(explanation_of(row) for row in document["why"]),
        label=document["label"],
        params=document["params"],
    )


def record_id(member: str, version: int) -> str:
    """Return the `_id` of the ledger's record of one version. The `_id`s sort by member, then by version."""
    return f"{member}/{version:010d}"


def record_ids(member: str, first: int = 0, last: int = VERSION_MAX) -> Document:
    """Return the condition for the `_id`s of a member's records, of the versions from `first` to `last`."""
    return {"$gte": record_id(member, first), "$lte": record_id(member, last)}


def cause_document(cause: Cause) -> Document:
    """Return a cause as the ledger stores it."""
    return without_none({name: getattr(cause, name) for name in Cause.__slots__})


def record_document(record: Record, programme: str) -> Document:
    """Return a record as the ledger stores it."""
    document: Document = {
        "_id": record_id(record.member, record.version),
        "programme": programme,
        "member": record.member,
        "version": record.version,
        "recorded_at": record.recorded_at,
        "cause": cause_document(record.cause),
        "entries": [entry_document(entry) for entry in record.entries],
        "qualified": [[day.isoformat(), points] for day, points in record.qualifying_points],
        "standing": tier_status_document(record.tier_status),
        "previous_hash": record.previous_hash,
        "hash": record.hash,
        "notices": [notice_row(notice) for notice in record.notices],
    }
    if record.command is not None:
        document["command"] = {"member": record.command.member, "version": record.command.version}
    return document


def record_of(document: Mapping[str, Any]) -> Record:
    """Return the record of a document."""
    return Record(
        member=document["member"],
        version=document["version"],
        recorded_at=utc_moment(document["recorded_at"]),
        cause=Cause(**document["cause"]),
        entries=tuple(entry_of(entry) for entry in document["entries"]),
        qualifying_points=tuple((from_iso(day), points) for day, points in document["qualified"]),
        tier_status=tier_status_of(document["standing"]),
        previous_hash=document["previous_hash"],
        hash=document["hash"],
        notices=tuple(notice_of(row) for row in document.get("notices", ())),
        command=RecordRef(**document["command"]) if "command" in document else None,
    )


def notice_row(notice: Notice) -> list[Any]:
    """Return a notice as a compact row: kind, params."""
    return [notice.kind.value, dict(notice.params)]


def notice_of(row: list[Any]) -> Notice:
    """Return the notice of a row."""
    return Notice(NoticeKind(row[0]), row[1])


class RecordDocument(beanie.Document):
    """The ledger: one record for each version of a member, append-only, hash-chained.

    What the hash covers never changes. Of the event in a record (`models/mongo/event.py`), what a refund, an offer or
    the decision on a claim can change is amended.
    """

    id: str  # type: ignore[assignment]  # Beanie's way to choose another type than ObjectId
    programme: str
    member: str
    version: int
    recorded_at: datetime
    cause: dict[str, Any]
    entries: list[dict[str, Any]]
    qualified: list[list[Any]]
    standing: dict[str, Any]
    previous_hash: str
    hash: str

    class Settings:
        name = "entries"
        indexes: ClassVar = [*EVENT_INDEXES]

    validator: ClassVar = document_validator(
        {
            # It also refuses the records of gateways up to 0.3.0, which would not see the keys in this collection.
            "_id": {**STRING, "pattern": _RECORD_ID},
            "programme": STRING,
            "member": STRING,
            "version": {**INTEGER, "minimum": 1},
            "recorded_at": DATE,
            "cause": {"bsonType": "object", "required": ["operation", "role", "subject", "key"]},
            "entries": {
                "bsonType": "array",
                "items": {
                    "bsonType": "object",
                    "required": ["kind", "points", "balance", "occurred_at", "channel", "postings"],
                    "properties": {"points": INTEGER, "balance": INTEGER, "occurred_at": DATE, "postings": ARRAY},
                },
            },
            "previous_hash": STRING,
            "hash": {**STRING, "minLength": 64, "maxLength": 64},
        },
        optional={"key": STRING, "digest": {**STRING, "minLength": 64, "maxLength": 64}},
    )
