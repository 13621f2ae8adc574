"""Domain values to BSON documents and back. Plain dictionaries: on the hot paths a model per document is dear.

Days are ISO strings, moments UTC dates (milliseconds), money and shares of a line exact numbers as text.
"""

import sys
from array import array
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Any

from loyalty.kernel.channel import Channel
from loyalty.kernel.text import Text
from loyalty.model.consent import Consent, ConsentPurpose, ContactChannel
from loyalty.model.event import NOTHING, CountedEvent, Event, Grant, Purchase, PurchaseLine
from loyalty.model.explanation import Explanation, Reason
from loyalty.model.hold import Hold
from loyalty.model.ledger import Account, Cause, Entry, EntryKind, LotKey, Posting, Record, Standing
from loyalty.model.lot import Lot, Lots
from loyalty.model.member import Member, Profile
from loyalty.model.notice import Notice, NoticeKind
from loyalty.model.offer import OfferUse
from loyalty.model.order import Delivery, Order, Ordered, OrderState, OrderStep, Recipient
from loyalty.model.qualifying_days import Days
from loyalty.model.reward import RewardKind
from loyalty.model.supply import CounterKey, Supply

Document = dict[str, Any]


# The same few hundred days are written again and again: every lot and qualifying day, with every commit.
_iso = lru_cache(maxsize=20_000)(date.isoformat)
_from_iso = lru_cache(maxsize=20_000)(date.fromisoformat)


def _day(value: date | None) -> str | None:
    return _iso(value) if value is not None else None


def _to_day(value: str | None) -> date | None:
    return _from_iso(value) if value is not None else None


def moment_of(value: datetime) -> datetime:
    """Return a moment that was read, in Python's own UTC: PyMongo's is written in Python, and asked at every turn."""
    return value.replace(tzinfo=UTC)


def without_none(document: Mapping[str, Any]) -> Document:
    """Return the document without fields that are None."""
    return {key: value for key, value in document.items() if value is not None}


def standing_document(standing: Standing) -> Document:
    """Return a standing as it is stored."""
    return {"tier": standing.tier, "since": standing.since, "until": standing.until}


def standing_of(document: Mapping[str, Any]) -> Standing:
    """Return the standing of a document."""
    until = document["until"]
    return Standing(document["tier"], moment_of(document["since"]), moment_of(until) if until is not None else None)


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
        lot = LotKey(_from_iso(row[2]), _to_day(row[3]))
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
        "notices": [notice_row(notice) for notice in record.notices],
    }


def record_of(document: Mapping[str, Any]) -> Record:
    """Return the record of a document."""
    return Record(
        member=document["member"],
        version=document["version"],
        recorded_at=moment_of(document["recorded_at"]),
        cause=Cause(**document["cause"]),
        entries=tuple(entry_of(entry) for entry in document["entries"]),
        qualified=tuple((_from_iso(day), points) for day, points in document["qualified"]),
        standing=standing_of(document["standing"]),
        previous_hash=document["previous_hash"],
        hash=document["hash"],
        notices=tuple(notice_of(row) for row in document.get("notices", ())),
    )


def profile_document(profile: Profile) -> Document:
    """Return a profile as it is stored: only what is filled in."""
    document = without_none({name: getattr(profile, name) or None for name in Profile.__slots__})
    if profile.preferences:
        document["preferences"] = list(profile.preferences)
    if profile.consents:
        document["consents"] = [_consent_row(consent) for consent in profile.consents]
    if profile.birth_date is not None:
        document["birth_date"] = profile.birth_date.isoformat()
    return document


def profile_of(document: Mapping[str, Any]) -> Profile:
    """Return the profile of a document."""
    kept = {
        "birth_date": _to_day(document.get("birth_date")),
        "preferences": tuple(document.get("preferences", ())),
        "consents": tuple(_consent_of(row) for row in document.get("consents", ())),
    }
    return Profile(**{**document, **kept})


def _consent_row(consent: Consent) -> list[Any]:
    channel = consent.channel.value if consent.channel is not None else None
    return [consent.purpose.value, channel, consent.granted, consent.changed_at, consent.via.value]


def _consent_of(row: list[Any]) -> Consent:
    purpose, channel, granted, changed_at, via = row
    on = ContactChannel(channel) if channel is not None else None
    return Consent(ConsentPurpose(purpose), on, granted, moment_of(changed_at), Channel(via))


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
        "lots": packed_bytes(Lots.of(member.lots).packed),
        "qualifying": packed_bytes(Days.of(member.qualifying).packed),
        "counted": dict(member.counted),
        "capped": {rule: dict(spans) for rule, spans in member.capped.items()},
        "cards": list(member.cards),
        "head": member.head,
        "programme_version": member.programme_version,
        **_shopping_document(member),
    }


def _shopping_document(member: Member) -> Document:
    """Return what a member has to do with offers and rewards; most have little or nothing, and then nothing is kept."""
    parts = {
        "holds": [hold_document(hold) for hold in member.holds],
        "lapsed": list(member.lapsed),
        "offers": {key: use_document(use) for key, use in member.offers.items()},
        "bound": [[purchase, [list(offer) for offer in offers]] for purchase, offers in member.bound.items()],
        "ordered": [[key, dict(spans)] for key, spans in member.ordered.items()],
        "write_offs": [list(write_off) for write_off in member.write_offs],
    }
    return {name: part for name, part in parts.items() if part}


def use_document(use: OfferUse) -> Document:
    """Return what a member did with an offer as it is stored."""
    stored = {name: getattr(use, name) for name in OfferUse.__slots__}
    return {name: value for name, value in {**stored, "purchases": list(use.purchases)}.items() if value}


def use_of(document: Mapping[str, Any]) -> OfferUse:
    """Return what a member did with an offer."""
    return OfferUse(**{**document, "purchases": tuple(document.get("purchases", ()))})


def counter_row(counter: CounterKey) -> list[Any]:
    """Return which counter, as a compact row."""
    return [counter.kind.value, counter.key, counter.at]


def counter_fields(programme: str, counter: CounterKey) -> Document:
    """Return what a counter's document says besides how much was taken."""
    return {"programme": programme, "kind": counter.kind.value, "key": counter.key, "at": counter.at}


def counter_of(row: list[Any]) -> CounterKey:
    """Return the counter of a row."""
    return CounterKey(Supply(row[0]), row[1], row[2])


def _lot_rows(lots: Iterable[tuple[LotKey, int]]) -> list[list[Any]]:
    return [[_iso(lot.earned_on), _day(lot.expires_on), points] for lot, points in lots]


def _lots_of(rows: Iterable[list[Any]]) -> tuple[tuple[LotKey, int], ...]:
    return tuple((LotKey(_from_iso(earned_on), _to_day(expires_on)), points) for earned_on, expires_on, points in rows)


def hold_document(hold: Hold) -> Document:
    """Return a hold as it is stored, within its member."""
    return without_none(
        {
            "id": hold.id,
            "points": hold.points,
            "expires_at": hold.expires_at,
            "lots": _lot_rows(hold.lots),
            "reward": hold.reward,
            "took": [counter_row(counter) for counter in hold.took],
            "pool": hold.pool,
            "code": hold.code,
            "version": hold.version,
        }
    )


def hold_of(document: Mapping[str, Any]) -> Hold:
    """Return the hold of a document."""
    return Hold(
        **{
            **document,
            "lots": _lots_of(document["lots"]),
            "took": tuple(counter_of(row) for row in document["took"]),
        }
    )


def text_document(text: Text) -> Document:
    """Return a text as it is stored."""
    by_channel = {channel.value: dict(wordings) for channel, wordings in text.by_channel.items()}
    document: Document = {"by_locale": dict(text.by_locale), "default": text.default}
    return {**document, "by_channel": by_channel} if by_channel else document


def text_of(document: Mapping[str, Any]) -> Text:
    """Return the text of a document."""
    by_channel = {Channel(channel): wordings for channel, wordings in document.get("by_channel", {}).items()}
    return Text(document["by_locale"], document["default"], by_channel)


def order_document(order: Order, programme: str) -> Document:
    """Return an order as it is stored."""
    reward = order.reward
    return without_none(
        {
            "_id": order.id,
            "programme": programme,
            "number": order.number,
            "member": order.member,
            "reward": without_none(
                {
                    **{name: getattr(reward, name) for name in Ordered.__slots__},
                    "kind": reward.kind.value,
                    "title": text_document(reward.title),
                    "description": text_document(reward.description),
                }
            ),
            "quantity": order.quantity,
            "points": order.points,
            "state": order.state.value,
            "placed_at": order.placed_at,
            "channel": order.channel.value,
            "history": [[step.state.value, step.at, step.by, step.note] for step in order.history],
            "lots": _lot_rows(order.lots),
            "points_returned": order.points_returned,
            "returned": order.returned,
            "recipient": _fields(order.recipient) if order.recipient else None,
            "delivery": _fields(order.delivery) if order.delivery else None,
            "appointment": order.appointment,
            "tracking_url": order.tracking_url,
            "took": [[*counter_row(counter), pieces] for counter, pieces in order.took],
            "pool": order.pool,
            "code": order.code,
            "limit_key": order.limit_key,
            "limit_span": order.limit_span,
            "placed_version": order.placed_version,
            "origin": order.origin,
            "exchanged_for": order.exchanged_for,
            "version": order.version,
        }
    )


def _fields(value: Recipient | Delivery) -> Document:
    return without_none({name: getattr(value, name) for name in type(value).__slots__})


def order_of(document: Mapping[str, Any]) -> Order:
    """Return the order of a document."""
    reward = document["reward"]
    fields = {name: document[name] for name in Order.__slots__ if name in document}
    texts = {"title": text_of(reward["title"]), "description": text_of(reward["description"])}
    return Order(
        **{
            **fields,
            "id": document["_id"],
            "reward": Ordered(**{**reward, **texts, "kind": RewardKind(reward["kind"])}),
            "state": OrderState(document["state"]),
            "channel": Channel(document["channel"]),
            "history": tuple(OrderStep(OrderState(state), at, by, note) for state, at, by, note in document["history"]),
            "lots": _lots_of(document["lots"]),
            "recipient": Recipient(**document["recipient"]) if "recipient" in document else None,
            "delivery": Delivery(**document["delivery"]) if "delivery" in document else None,
            "took": tuple((counter_of(row[:3]), row[3]) for row in document["took"]),
        }
    )


def notice_row(notice: Notice) -> list[Any]:
    """Return a notice as a compact row."""
    return [notice.kind.value, dict(notice.params)]


def notice_of(row: list[Any]) -> Notice:
    """Return the notice of a row."""
    return Notice(NoticeKind(row[0]), row[1])


def packed_bytes(packed: bytes) -> bytes:
    """Return packed whole numbers as they are stored, little end first, or what was stored as this machine packs it."""
    if sys.byteorder == "little":
        return packed
    cells = array("q", packed)
    cells.byteswap()
    return cells.tobytes()


def _member_lots(stored: bytes | list[list[Any]]) -> Lots:
    if isinstance(stored, bytes):
        return Lots(packed_bytes(stored))
    # As snapshots were stored before lots were packed.
    return Lots.of(
        Lot(LotKey(_from_iso(earned_on), _to_day(expires_on)), points, expired)
        for earned_on, expires_on, points, expired in stored
    )


def _member_days(stored: bytes | dict[str, int]) -> Days:
    if isinstance(stored, bytes):
        return Days(packed_bytes(stored))
    return Days.of({_from_iso(day): points for day, points in stored.items()})


def member_of(document: Mapping[str, Any]) -> Member:
    """Return the member's state of a document."""
    return Member(
        id=document["_id"],
        programme=document["programme"],
        number=document["number"],
        version=document["version"],
        enrolled_at=moment_of(document["enrolled_at"]),
        profile=profile_of(document["profile"]),
        standing=standing_of(document["standing"]),
        balances={Account(account): points for account, points in document["balances"].items()},
        lots=_member_lots(document["lots"]),
        qualifying=_member_days(document["qualifying"]),
        counted=document["counted"],
        capped=document["capped"],
        cards=tuple(document["cards"]),
        head=document["head"],
        programme_version=document["programme_version"],
        holds=tuple(hold_of(hold) for hold in document.get("holds", ())),
        lapsed=tuple(document.get("lapsed", ())),
        offers={key: use_of(use) for key, use in document.get("offers", {}).items()},
        bound={
            purchase: tuple((offer, cost) for offer, cost in offers) for purchase, offers in document.get("bound", ())
        },
        ordered=dict(document.get("ordered", ())),
        write_offs=tuple((version, points) for version, points in document.get("write_offs", ())),
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
            "grants": grant_rows(counted.grants),
            "earned_on": counted.earned_on.isoformat(),
            "expires_on": _day(counted.expires_on),
            "returned": returned_rows(counted.returned),
            "offers": [list(used) for used in counted.offers] or None,
        }
    )


def amended_fields(counted: CountedEvent) -> Document:
    """Return what a refund or an offer can change of a counted event."""
    return {
        "grants": grant_rows(counted.grants),
        "returned": returned_rows(counted.returned),
        "offers": [list(used) for used in counted.offers],
    }


def grant_rows(grants: Iterable[Grant]) -> list[list[Any]]:
    """Return what rules and offers gave for an event, as compact rows."""
    return [[grant.rule, list(grant.by_line), grant.qualifying] for grant in grants]


def returned_rows(returned: Iterable[Fraction]) -> list[str]:
    """Return the shares of lines returned, exactly."""
    return ["0" if share is NOTHING else str(share) for share in returned]


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
        earned_on=_from_iso(document["earned_on"]),
        expires_on=_to_day(document.get("expires_on")),
        returned=tuple(Fraction(share) for share in document["returned"]),
        offers=tuple((offer, cost) for offer, cost in document.get("offers", ())),
    )
