"""Collection `members`: one snapshot per member."""

import sys
from array import array
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any, ClassVar

import beanie
from pymongo import ASCENDING, IndexModel

from loyalty.kernel.channel import Channel
from loyalty.model.consent import Consent, ConsentPurpose, ContactChannel
from loyalty.model.hold import Hold
from loyalty.model.ledger import Account, LotKey
from loyalty.model.lot import Lot, Lots
from loyalty.model.member import Member, Profile
from loyalty.model.offer import OfferUse
from loyalty.model.qualifying_days import QualifyingDays
from loyalty.model.references.waiting import Waiting
from models.mongo.bson import Document, from_iso, lot_rows, lots_of, to_day, utc_moment, without_none
from models.mongo.event import consequence_of, consequence_rows
from models.mongo.ledger import tier_status_document, tier_status_of
from models.mongo.schema import INTEGER, OBJECT, STRING, document_validator
from models.mongo.supply import counter_of, counter_row


def profile_document(profile: Profile) -> Document:
    """Return a profile as stored: only the fields that are filled in."""
    document: Document = {name: value for name in Profile.__slots__ if (value := getattr(profile, name))}
    for name in document.keys() & _PROFILE_STORED:
        document[name] = _PROFILE_STORED[name](document[name])
    return document


def profile_of(document: Mapping[str, Any]) -> Profile:
    """Return the profile of a document."""
    fields = dict(document)
    for name in document.keys() & _PROFILE_READ:
        fields[name] = _PROFILE_READ[name](document[name])
    return Profile(**fields)


def _consent_row(consent: Consent) -> list[Any]:
    channel = consent.channel.value if consent.channel is not None else None
    return [consent.purpose.value, channel, consent.granted, consent.changed_at, consent.via.value]


def _consent_of(row: list[Any]) -> Consent:
    purpose, channel, granted, changed_at, via = row
    on = ContactChannel(channel) if channel is not None else None
    return Consent(ConsentPurpose(purpose), on, granted, utc_moment(changed_at), Channel(via))


# How fields of profiles are stored and read that are not what MongoDB has.
_PROFILE_STORED: Mapping[str, Callable[[Any], Any]] = {
    "preferences": list,
    "consents": lambda consents: [_consent_row(consent) for consent in consents],
    "preferred_contact": lambda contact: contact.value,
    "birth_date": date.isoformat,
}
_PROFILE_READ: Mapping[str, Callable[[Any], Any]] = {
    "preferences": tuple,
    "consents": lambda rows: tuple([_consent_of(row) for row in rows]),
    "preferred_contact": lambda contact: ContactChannel(contact) if contact else None,
    "birth_date": to_day,
}


def member_document(member: Member) -> Document:
    """Return a member's state as stored; models/mongo/snapshot.py adds the fields that only readers need."""
    return {
        "_id": member.id,
        "programme": member.programme,
        "number": member.number,
        "version": member.version,
        "enrolled_at": member.enrolled_at,
        "profile": profile_document(member.profile),
        "standing": tier_status_document(member.tier_status),
        "balances": {account.value: points for account, points in member.balances.items()},
        "lots": packed_bytes(Lots.of(member.lots).packed),
        "qualifying": packed_bytes(QualifyingDays.of(member.qualifying_days).packed),
        "counted": dict(member.event_counts),
        "capped": {rule: dict(spans) for rule, spans in member.cap_usage.items()},
        "cards": list(member.cards),
        "head": member.head_hash,
        "programme_version": member.programme_version,
        **_shopping_document(member),
    }


def _shopping_document(member: Member) -> Document:
    """Return the fields for offers and rewards; empty ones, as for most members, are not stored."""
    return {
        stored: convert(value)
        for stored, (name, convert, _) in _SHOPPING_FIELDS.items()
        if (value := getattr(member, name))
    }


def _shopping_fields(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a member for offers and rewards that its document has."""
    return {
        _SHOPPING_FIELDS[stored][0]: _SHOPPING_FIELDS[stored][2](document[stored])
        for stored in document.keys() & _SHOPPING_FIELDS
    }


def use_document(use: OfferUse) -> Document:
    """Return a member's use of an offer as stored; empty fields are left out."""
    stored = {name: getattr(use, name) for name in OfferUse.__slots__}
    return {name: value for name, value in stored.items() if value}


def use_of(document: Mapping[str, Any]) -> OfferUse:
    """Return a member's use of an offer from its document."""
    # Releases up to 0.2.0 stored the purchases of the last uses with them.
    return OfferUse(**{name: value for name, value in document.items() if name != "purchases"})


def hold_document(hold: Hold) -> Document:
    """Return a hold as stored within its member."""
    return without_none(
        {
            "id": hold.id,
            "points": hold.points,
            "expires_at": hold.expires_at,
            "lots": lot_rows(hold.lots),
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
            "lots": lots_of(document["lots"]),
            "took": tuple(counter_of(row) for row in document["took"]),
        }
    )


# The fields for offers and rewards: by the name that is stored, the member's name, and how it is stored and read.
_SHOPPING_FIELDS: Mapping[str, tuple[str, Callable[[Any], Any], Callable[[Any], Any]]] = {
    "holds": (
        "holds",
        lambda holds: [hold_document(hold) for hold in holds],
        lambda rows: tuple(map(hold_of, rows)),
    ),
    "lapsed": ("expired_holds", list, tuple),
    "offers": (
        "offer_uses",
        lambda uses: {key: use_document(use) for key, use in uses.items()},
        lambda documents: {key: use_of(document) for key, document in documents.items()},
    ),
    "bound": (
        "pending_uses",
        lambda pending: [[purchase, consequence_rows(uses)] for purchase, uses in pending.items()],
        lambda rows: {purchase: tuple(map(consequence_of, uses)) for purchase, uses in rows},
    ),
    "ordered": ("order_counts", lambda counts: [[key, dict(spans)] for key, spans in counts.items()], dict),
    "write_offs": (
        "open_write_offs",
        lambda write_offs: [list(write_off) for write_off in write_offs],
        lambda rows: tuple((version, points) for version, points in rows),
    ),
    "waiting": (
        "waiting",
        lambda waiting: [[one.sender, one.key, one.reference, one.until] for one in waiting],
        lambda rows: tuple(
            Waiting(sender, key, reference, utc_moment(until)) for sender, key, reference, until in rows
        ),
    ),
}


def packed_bytes(packed: bytes) -> bytes:
    """Convert packed 64-bit integers between this machine's byte order and the stored one, little endian."""
    if sys.byteorder == "little":
        return packed
    cells = array("q", packed)
    cells.byteswap()
    return cells.tobytes()


def _member_lots(stored: bytes | list[list[Any]]) -> Lots:
    if isinstance(stored, bytes):
        return Lots(packed_bytes(stored))
    # The format of snapshots written before lots were packed.
    return Lots.of(
        Lot(LotKey(from_iso(earned_on), to_day(expires_on)), points, expired)
        for earned_on, expires_on, points, expired in stored
    )


def _member_days(stored: bytes | dict[str, int]) -> QualifyingDays:
    if isinstance(stored, bytes):
        return QualifyingDays(packed_bytes(stored))
    return QualifyingDays.of({from_iso(day): points for day, points in stored.items()})


def member_of(document: Mapping[str, Any]) -> Member:
    """Return the member of a document."""
    return Member(
        id=document["_id"],
        programme=document["programme"],
        number=document["number"],
        version=document["version"],
        enrolled_at=utc_moment(document["enrolled_at"]),
        profile=profile_of(document["profile"]),
        tier_status=tier_status_of(document["standing"]),
        balances={Account(account): points for account, points in document["balances"].items()},
        lots=_member_lots(document["lots"]),
        qualifying_days=_member_days(document["qualifying"]),
        event_counts=document["counted"],
        cap_usage=document["capped"],
        cards=tuple(document["cards"]),
        head_hash=document["head"],
        programme_version=document["programme_version"],
        **_shopping_fields(document),
    )


class MemberDocument(beanie.Document):
    """One snapshot per member: all that a home screen shows, so that it is one read. `_id` is the member's id."""

    id: str  # type: ignore[assignment]  # Beanie's way to choose another type than ObjectId
    programme: str
    number: str
    version: int
    enrolled_at: datetime
    profile: dict[str, Any]
    standing: dict[str, Any]
    balances: dict[str, int]
    lots: bytes | list[list[Any]]
    qualifying: bytes | dict[str, int]
    counted: dict[str, int]
    capped: dict[str, dict[str, int]]
    cards: list[str]
    head: str
    programme_version: int
    recent: bytes
    entries: int
    due_at: datetime | None
    recorded_at: datetime

    class Settings:
        name = "members"
        indexes: ClassVar = [
            IndexModel([("programme", ASCENDING), ("_id", ASCENDING)], unique=True),
            # Finds a member by its scanned number in one read, without `identities`.
            IndexModel([("programme", ASCENDING), ("number", ASCENDING)], unique=True),
            # For the sweeper: only members with a moment at which they must be settled.
            IndexModel([("due_at", ASCENDING)], partialFilterExpression={"due_at": {"$type": "date"}}),
        ]

    validator: ClassVar = document_validator(
        {
            "_id": STRING,
            "programme": STRING,
            "number": STRING,
            "version": {**INTEGER, "minimum": 1},
            "profile": OBJECT,
            "standing": {"bsonType": "object", "required": ["tier", "since", "until"]},
            "balances": {
                "bsonType": "object",
                # `available` can be negative if the programme allows it after a refund; the ledger's rules check that.
                # Of the other accounts, only `issued` and `written_off` can be below zero.
                "properties": {
                    "issued": {**INTEGER, "maximum": 0},
                    "available": INTEGER,
                    "pending": {**INTEGER, "minimum": 0},
                    "held": {**INTEGER, "minimum": 0},
                    "redeemed": {**INTEGER, "minimum": 0},
                    "expired": {**INTEGER, "minimum": 0},
                    "deducted": {**INTEGER, "minimum": 0},
                    "written_off": {**INTEGER, "maximum": 0},
                },
                "additionalProperties": False,
            },
            # Packed; an array or an object in snapshots written before packing.
            "lots": {"bsonType": ["binData", "array"]},
            "qualifying": {"bsonType": ["binData", "object"]},
            "head": {**STRING, "minLength": 64, "maxLength": 64},
            "recent": {"bsonType": "binData"},
            "entries": {**INTEGER, "minimum": 0},
        }
    )
