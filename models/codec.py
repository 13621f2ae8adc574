"""Domain values to BSON documents and back. Plain dictionaries: on the hot paths a model per document is dear.

Days are ISO strings, moments UTC dates (milliseconds), money and shares of a line exact numbers as text.
"""

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Any

from loyalty.event import Channel, CountedEvent, Event, Grant, Purchase, PurchaseLine
from loyalty.explanation import Explanation, Reason
from loyalty.ledger import Account, Cause, Entry, EntryKind, LotKey, Posting, Record, Standing
from loyalty.lot import Lot
from loyalty.member import Member, Profile

Document = dict[str, Any]


# The same few hundred days are written again and again: every lot and qualifying day, with every commit.
_iso = lru_cache(maxsize=20_000)(date.isoformat)


def _day(value: date | None) -> str | None:
    return _iso(value) if value is not None else None


def _to_day(value: str | None) -> date | None:
    return date.fromisoformat(value) if value is not None else None


def without_none(document: Mapping[str, Any]) -> Document:
    """Return the document without fields that are None."""
    return {key: value for key, value in document.items() if value is not None}


def standing_document(standing: Standing) -> Document:
    """Return a standing as it is stored."""
    return {"tier": standing.tier, "since": standing.since, "until": standing.until}


def standing_of(document: Mapping[str, Any]) -> Standing:
    """Return the standing of a document."""
    return Standing(document["tier"], document["since"], document["until"])


def explanation_row(explanation: Explanation) -> list[Any]:
    """Return an explanation as a compact row."""
    params = dict(explanation.params)
    return [explanation.rule, explanation.points, explanation.applied, explanation.reason.value, params]


def explanation_of(row: list[Any]) -> Explanation:
    """Return the explanation of a row."""
    return Explanation(row[0], row[1], applied=row[2], reason=Reason(row[3]), params=row[4])


def entry_document(entry: Entry) -> Document:
    """Return an entry as the ledger keeps it."""
    return {
        "kind": entry.kind.value,
        "points": entry.points,
        "balance": entry.balance,
        "occurred_at": entry.occurred_at,
        "channel": entry.channel.value,
        "postings": [
            [p.account.value, p.points, *((_day(p.lot.earned_on), _day(p.lot.expires_on)) if p.lot else ())]
            for p in entry.postings
        ],
        "why": [explanation_row(explanation) for explanation in entry.why],
        "label": entry.label,
        "params": dict(entry.params),
    }


def _posting_of(row: list[Any]) -> Posting:
    lot = None
    if len(row) > 2:  # noqa: PLR2004 - account, points, and then the lot's two days
        lot = LotKey(date.fromisoformat(row[2]), _to_day(row[3]))
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
        why=tuple(explanation_of(row) for row in document["why"]),
        label=document["label"],
        params=document["params"],
    )


def record_id(member: str, version: int) -> str:
    """Return the `_id` of the ledger's record of one version."""
    return f"{member}:{version}"


def record_document(record: Record, programme: str) -> Document:
    """Return a record as the ledger keeps it."""
    return {
        "_id": record_id(record.member, record.version),
        "programme": programme,
        "member": record.member,
        "version": record.version,
        "recorded_at": record.recorded_at,
        "cause": without_none({name: getattr(record.cause, name) for name in Cause.__slots__}),
        "entries": [entry_document(entry) for entry in record.entries],
        "qualified": [[day.isoformat(), points] for day, points in record.qualified],
        "standing": standing_document(record.standing),
        "previous_hash": record.previous_hash,
        "hash": record.hash,
    }


def record_of(document: Mapping[str, Any]) -> Record:
    """Return the record of a document."""
    return Record(
        member=document["member"],
        version=document["version"],
        recorded_at=document["recorded_at"],
        cause=Cause(**document["cause"]),
        entries=tuple(entry_of(entry) for entry in document["entries"]),
        qualified=tuple((date.fromisoformat(day), points) for day, points in document["qualified"]),
        standing=standing_of(document["standing"]),
        previous_hash=document["previous_hash"],
        hash=document["hash"],
    )


def profile_document(profile: Profile) -> Document:
    """Return a profile as it is stored: only what is filled in."""
    document = without_none({name: getattr(profile, name) for name in Profile.__slots__})
    if profile.birth_date is not None:
        document["birth_date"] = profile.birth_date.isoformat()
    return document


def profile_of(document: Mapping[str, Any]) -> Profile:
    """Return the profile of a document."""
    return Profile(**{**document, "birth_date": _to_day(document.get("birth_date"))})


def member_document(member: Member) -> Document:
    """Return a member's state as it is stored; `models/snapshot.py` adds what only readers need."""
    return {
        "_id": member.id,
        "programme": member.programme,
        "number": member.number,
        "version": member.version,
        "enrolled_at": member.enrolled_at,
        "profile": profile_document(member.profile),
        "standing": standing_document(member.standing),
        "balances": {account.value: points for account, points in member.balances.items()},
        "lots": [[_iso(lot.key.earned_on), _day(lot.key.expires_on), lot.points, lot.expired] for lot in member.lots],
        "qualifying": {_iso(day): points for day, points in member.qualifying.items()},
        "counted": dict(member.counted),
        "capped": {rule: dict(spans) for rule, spans in member.capped.items()},
        "cards": list(member.cards),
        "head": member.head,
        "programme_version": member.programme_version,
    }


def member_of(document: Mapping[str, Any]) -> Member:
    """Return the member's state of a document."""
    return Member(
        id=document["_id"],
        programme=document["programme"],
        number=document["number"],
        version=document["version"],
        enrolled_at=document["enrolled_at"],
        profile=profile_of(document["profile"]),
        standing=standing_of(document["standing"]),
        balances={Account(account): points for account, points in document["balances"].items()},
        lots=tuple(
            Lot(LotKey(date.fromisoformat(earned_on), _to_day(expires_on)), points, expired)
            for earned_on, expires_on, points, expired in document["lots"]
        ),
        qualifying={date.fromisoformat(day): points for day, points in document["qualifying"].items()},
        counted=document["counted"],
        capped=document["capped"],
        cards=tuple(document["cards"]),
        head=document["head"],
        programme_version=document["programme_version"],
    )


def _line_document(line: PurchaseLine) -> Document:
    return without_none(
        {
            "sku": line.sku,
            "quantity": str(line.quantity),
            "amount": str(line.amount),
            "category": line.category,
            "brand": line.brand,
        }
    )


def _purchase_of(document: Mapping[str, Any] | None) -> Purchase | None:
    if document is None:
        return None
    lines = tuple(
        PurchaseLine(
            row["sku"], Decimal(row["quantity"]), Decimal(row["amount"]), row.get("category"), row.get("brand")
        )
        for row in document["lines"]
    )
    return Purchase(Decimal(document["total"]), document["currency"], lines)


def event_fields(counted: CountedEvent) -> Document:
    """Return what is kept of a counted event, besides its key."""
    event = counted.event
    purchase = event.purchase
    return without_none(
        {
            "type": event.type,
            "occurred_at": event.occurred_at,
            "channel": event.channel.value,
            "store": event.store,
            "partner": event.partner,
            "refund_of": event.refund_of,
            "attributes": dict(event.attributes) or None,
            "purchase": {
                "total": str(purchase.total),
                "currency": purchase.currency,
                "lines": [_line_document(line) for line in purchase.lines],
            }
            if purchase
            else None,
            "grants": [[grant.rule, list(grant.by_line), grant.qualifying] for grant in counted.grants],
            "earned_on": counted.earned_on.isoformat(),
            "expires_on": _day(counted.expires_on),
            "returned": returned_rows(counted.returned),
        }
    )


def returned_rows(returned: Iterable[Fraction]) -> list[str]:
    """Return the shares of lines returned, exactly."""
    return [str(share) for share in returned]


def counted_event_of(document: Mapping[str, Any]) -> CountedEvent:
    """Return the counted event of a document."""
    event = Event(
        key=document["key"],
        sender=document["sender"],
        type=document["type"],
        occurred_at=document["occurred_at"],
        channel=Channel(document["channel"]),
        store=document.get("store"),
        partner=document.get("partner"),
        purchase=_purchase_of(document.get("purchase")),
        refund_of=document.get("refund_of"),
        attributes=document.get("attributes", {}),
    )
    return CountedEvent(
        event=event,
        member=document["member"],
        version=document["version"],
        grants=tuple(Grant(rule, tuple(by_line), qualifying) for rule, by_line, qualifying in document["grants"]),
        earned_on=date.fromisoformat(document["earned_on"]),
        expires_on=_to_day(document.get("expires_on")),
        returned=tuple(Fraction(share) for share in document["returned"]),
    )
