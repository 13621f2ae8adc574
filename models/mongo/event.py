"""The event of an idempotency key, as the ledger stores it: fields of the record in which its command was committed.

The record of a command's first member owns the key. `key` is its text (`event_key()`), unique in the ledger, and
`digest` that of the content that was sent. Sender, operation and the caller's own key are in `cause`, and
the member and the version are the record's. Besides the event's own fields, there may be `orders`, `hold`, `others` (of
the command's other members), `receipt` and `claim`.

An event that waits for its purchase has `waiting`, in the record of the version in which it began to wait. That record
owns the key until the event is counted: then the key and the event move to the record that counts it, and `waited` is
the version in which it waited. One that is refused in the end has `refused` instead.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from pymongo import ASCENDING, IndexModel

from loyalty.commands.registry import EVENT_OPERATION
from loyalty.kernel.channel import Channel
from loyalty.kernel.refusal import Refusal, RefusalCode
from loyalty.model.event import (
    INSTANT_RULE,
    NOT_RETURNED,
    OFFER_RULE,
    PURCHASE,
    Claim,
    ClaimState,
    Consequence,
    ConsequenceEnd,
    Discount,
    Event,
    Grant,
    MoneyReturned,
    Purchase,
    PurchaseLine,
    RecordedEvent,
)
from loyalty.model.ledger import Cause
from loyalty.model.references.waiting import Waiting, WaitingEvent
from models.mongo.bson import Document, day_text, from_iso, to_day, utc_moment, without_none


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
    discounts = tuple(
        Discount(Decimal(row["amount"]), row.get("offer"), row.get("code")) for row in document.get("discounts", ())
    )
    return Purchase(Decimal(document["total"]), document["currency"], lines, discounts, document.get("receipt"))


def _purchase_document(purchase: Purchase) -> Document:
    return without_none(
        {
            "total": str(purchase.total),
            "currency": purchase.currency,
            "lines": [_line_document(line) for line in purchase.lines],
            "discounts": [
                without_none({"amount": str(one.amount), "offer": one.offer, "code": one.code})
                for one in purchase.discounts
            ]
            or None,
            "receipt": purchase.receipt,
        }
    )


def _sent_fields(event: Event) -> Document:
    """Return an event as its sender reported it, without the fields of its key; None for those that it lacks."""
    return {
        "type": event.type,
        "occurred_at": event.occurred_at,
        "channel": event.channel.value,
        "store": event.store,
        "partner": event.partner,
        "refund_of": event.refund_of,
        "ref_sender": event.ref_sender,
        "attributes": dict(event.attributes) or None,
        "purchase": _purchase_document(event.purchase) if event.purchase else None,
    }


def waiting_fields(waiting: WaitingEvent) -> Document:
    """Return the stored fields of an event that waits for its purchase, without those of its key."""
    return {
        **without_none(_sent_fields(waiting.event)),
        "waiting": {"reference": waiting.waiting.reference, "until": waiting.waiting.until},
    }


def refused_fields(refusal: Refusal) -> Document:
    """Return the fields that a waiting event gets when it is refused in the end: its key answers with the refusal."""
    return {"refused": [refusal.code.value, refusal.reason, list(refusal.path), dict(refusal.params)]}


def refusal_of(document: Mapping[str, Any]) -> Refusal | None:
    """Return why an event that waited was not counted; None for one that waits or is counted."""
    if "refused" not in document:
        return None
    code, reason, path, params = document["refused"]
    return Refusal(RefusalCode(code), reason, tuple(path), params)


def waiting_event_of(document: Mapping[str, Any]) -> WaitingEvent:
    """Return the waiting event of a document."""
    cause = replace(Cause(**document["cause"]), operation=EVENT_OPERATION)
    stored = document["waiting"]
    waiting = Waiting(cause.subject, cause.key, stored["reference"], utc_moment(stored["until"]))
    return WaitingEvent(_sent_event_of(document), cause, waiting)


def _claim_document(claim: Claim) -> Document:
    return {"state": claim.state.value, "until": claim.until, "entry": claim.entry}


def _claim_of(document: Mapping[str, Any] | None) -> Claim | None:
    if document is None:
        return None
    return Claim(document["until"], document["entry"], ClaimState(document["state"]))


# The fields that a record loses when the event that waited in it is counted in another one.
WAITING_FIELDS = (
    *("key", "digest", "waiting", "type", "occurred_at", "channel", "store", "partner"),
    *("refund_of", "ref_sender", "attributes", "purchase"),
)


def event_fields(recorded: RecordedEvent) -> Document:
    """Return the stored fields of a counted event, without those of its key."""
    return without_none(
        {
            **_sent_fields(recorded.event),
            "grants": grant_rows(recorded.grants),
            "earned_on": recorded.earned_on.isoformat(),
            "expires_on": day_text(recorded.expires_on),
            "returned": returned_rows(recorded.shares_returned),
            "consequences": consequence_rows(recorded.consequences) or None,
            "money_returned": money_row(recorded.returned),
            "claim": _claim_document(recorded.claim) if recorded.claim is not None else None,
        }
    )


def amended_fields(recorded: RecordedEvent) -> Document:
    """Return the stored fields of a recorded event that a refund, an offer or the decision on a claim can change."""
    fields: Document = {
        "grants": grant_rows(recorded.grants),
        "returned": returned_rows(recorded.shares_returned),
        "consequences": consequence_rows(recorded.consequences),
        "money_returned": money_row(recorded.returned),
    }
    if recorded.claim is not None:
        fields |= {"claim": _claim_document(recorded.claim), "expires_on": day_text(recorded.expires_on)}
    return without_none(fields)


def grant_rows(grants: Iterable[Grant]) -> list[list[Any]]:
    """Return grants as compact rows: rule, points by line, qualifying."""
    return [[grant.rule, list(grant.by_line), grant.qualifying] for grant in grants]


def _grants_of(rows: Iterable[list[Any]]) -> tuple[Grant, ...]:
    return tuple(Grant(rule, tuple(by_line), qualifying) for rule, by_line, qualifying in rows)


def consequence_rows(consequences: Iterable[Consequence]) -> list[Document]:
    """Return consequences as stored; fields that have their default are left out."""
    return [
        without_none(
            {
                "rule": one.rule,
                "uses": one.uses or None,
                "charge": one.charge or None,
                "order": one.order,
                "span": one.span or None,
                "returnable": one.returnable,
                "store": one.store,
                "grants": grant_rows(one.grants) or None,
                "earned_on": day_text(one.earned_on),
                "expires_on": day_text(one.expires_on),
                "end": one.end.value if one.end is not None else None,
                "since": one.since,
            }
        )
        for one in consequences
    ]


def consequence_of(row: Mapping[str, Any] | list[Any]) -> Consequence:
    """Return the consequence of a row; releases up to 0.2.0 stored an offer and its charge only."""
    if isinstance(row, list):
        return Consequence(f"{OFFER_RULE}{row[0]}", uses=1, charge=int(row[1]))
    return Consequence(
        rule=row["rule"],
        uses=int(row.get("uses", 0)),
        charge=int(row.get("charge", 0)),
        order=row.get("order"),
        span=row.get("span", ""),
        returnable=row.get("returnable"),
        store=row.get("store"),
        grants=_grants_of(row.get("grants", ())),
        earned_on=to_day(row.get("earned_on")),
        expires_on=to_day(row.get("expires_on")),
        end=ConsequenceEnd(row["end"]) if "end" in row else None,
        since=row.get("since"),
    )


def consequences_of(document: Mapping[str, Any]) -> tuple[Consequence, ...]:
    """Return the consequences of a counted event's document.

    Releases up to 0.2.0 stored the offers used for it; its orders are the instant rewards given with it.
    """
    if "consequences" in document:
        return tuple(map(consequence_of, document["consequences"]))
    uses = map(consequence_of, document.get("offers", ()))
    orders = document.get("orders", ()) if document["type"] == PURCHASE else ()
    return (*uses, *(Consequence(INSTANT_RULE, order=order) for order in orders))


def returned_rows(shares: Iterable[Fraction]) -> list[str]:
    """Return the returned share of each part as an exact fraction in text."""
    return ["0" if share is NOT_RETURNED else str(share) for share in shares]


def money_row(returned: MoneyReturned | None) -> list[str] | None:
    """Return the money of a purchase's refunds as exact fractions in text: total, spread."""
    return [str(returned.total), str(returned.spread)] if returned is not None else None


def grants_of(document: Mapping[str, Any]) -> tuple[Grant, ...]:
    """Return the grants of a document."""
    return _grants_of(document["grants"])


def shares_of(document: Mapping[str, Any]) -> tuple[Fraction, ...]:
    """Return the returned share of each part."""
    return tuple(NOT_RETURNED if share == "0" else Fraction(share) for share in document["returned"])


def _sent_event_of(document: Mapping[str, Any]) -> Event:
    return Event(
        key=document["cause"]["key"],
        sender=document["cause"]["subject"],
        type=document["type"],
        occurred_at=document["occurred_at"],
        channel=Channel(document["channel"]),
        store=document.get("store"),
        partner=document.get("partner"),
        purchase=_purchase_of(document.get("purchase")),
        refund_of=document.get("refund_of"),
        attributes=document.get("attributes", {}),
        ref_sender=document.get("ref_sender"),
    )


# Fields of purchases that count: tills send them, or staff have accepted them as claims.
COUNTED_PURCHASE: Document = {"type": PURCHASE, "claim.state": {"$in": [None, ClaimState.ACCEPTED.value]}}


def is_counted(document: Mapping[str, Any]) -> bool:
    """Return whether an event counts: it neither waits for its purchase nor was refused after it waited."""
    return "waiting" not in document and "refused" not in document


def is_unconfirmed(document: Mapping[str, Any]) -> bool:
    """Return whether an event is a claim that staff have not accepted."""
    claim = _claim_of(document.get("claim"))
    return claim is not None and claim.state is not ClaimState.ACCEPTED


def still_waits(document: Mapping[str, Any], now: datetime) -> bool:
    """Return whether an event may still count later: it waits for its purchase, or is a claim to be confirmed."""
    claim = _claim_of(document.get("claim"))
    return "waiting" in document or (claim is not None and claim.is_open(now))


def counted_event_of(document: Mapping[str, Any]) -> RecordedEvent:
    """Return the counted event of a document."""
    return RecordedEvent(
        event=_sent_event_of(document),
        member=document["member"],
        version=document["version"],
        grants=grants_of(document),
        earned_on=from_iso(document["earned_on"]),
        expires_on=to_day(document.get("expires_on")),
        shares_returned=shares_of(document),
        consequences=consequences_of(document),
        returned=MoneyReturned(*map(Fraction, document["money_returned"])) if "money_returned" in document else None,
        claim=_claim_of(document.get("claim")),
    )


def command_parts(document: Mapping[str, Any]) -> list[tuple[str, int, list[str]]]:
    """Return what the command of a key committed: (member, version, orders) of its first member, then of the others."""
    first = (document["member"], document["version"], document.get("orders", []))
    return [first, *((member, version, orders) for member, version, orders in document.get("others", ()))]


CLAIMS_INDEX = [("programme", ASCENDING), ("member", ASCENDING), ("claim.until", ASCENDING)]


def open_claims(programme: str, members: Iterable[str], now: datetime) -> Document:
    """Return the query for the claims of some members that wait; CLAIMS_INDEX covers it."""
    return {
        "programme": programme,
        "member": {"$in": [*members]},
        "claim.state": ClaimState.OPEN.value,
        "claim.until": {"$gt": now},
    }


def waiting_in(programme: str) -> Document:
    """Return the query for the events of a programme that wait; an index covers it."""
    return {"programme": programme, "waiting.until": {"$type": "date"}}


EVENT_INDEXES = (
    # An idempotency key counts once, for ever.
    IndexModel([("key", ASCENDING)], unique=True, partialFilterExpression={"key": {"$exists": True}}),
    # Each of the others serves one query, and costs other records nothing: purchases to which an event of another
    # sender may refer, events that wait, claims that wait.
    IndexModel([("cause.key", ASCENDING), ("member", ASCENDING)], partialFilterExpression={"type": PURCHASE}),
    IndexModel(
        [("programme", ASCENDING), ("waiting.until", ASCENDING), ("cause.subject", ASCENDING)],
        partialFilterExpression={"waiting.until": {"$type": "date"}},
    ),
    IndexModel(CLAIMS_INDEX, partialFilterExpression={"claim.state": ClaimState.OPEN.value}),
)
