"""Collection `orders`: one document per order."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar

import beanie
from pymongo import ASCENDING, DESCENDING, IndexModel

from loyalty.kernel.channel import Channel
from loyalty.kernel.text import Text
from loyalty.model.order import Delivery, Order, OrderedReward, OrderState, OrderStep, Recipient, VoucherUse
from loyalty.model.reward import RewardKind
from models.mongo.bson import Document, lot_rows, lots_of, without_none
from models.mongo.schema import ARRAY, DATE, INTEGER, OBJECT, STRING, document_validator
from models.mongo.supply import counter_of, counter_row


def text_document(text: Text) -> Document:
    """Return a text as stored."""
    by_channel = {channel.value: dict(wordings) for channel, wordings in text.by_channel.items()}
    document: Document = {"by_locale": dict(text.by_locale), "default": text.default}
    return {**document, "by_channel": by_channel} if by_channel else document


def text_of(document: Mapping[str, Any]) -> Text:
    """Return the text of a document."""
    by_channel = {Channel(channel): wordings for channel, wordings in document.get("by_channel", {}).items()}
    return Text(document["by_locale"], document["default"], by_channel)


def order_document(order: Order, programme: str) -> Document:
    """Return an order as stored; fields that are None are left out."""
    reward = order.reward
    return without_none(
        {
            "_id": order.id,
            "programme": programme,
            "number": order.number,
            "member": order.member,
            "reward": without_none(
                {
                    **{name: getattr(reward, name) for name in OrderedReward.__slots__},
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
            "history": [[step.state.value, step.at, step.role, step.note] for step in order.history],
            "lots": lot_rows(order.lots),
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
            "voucher_expires_at": order.voucher_expires_at,
            "voucher_worth": str(order.voucher_worth) if order.voucher_worth is not None else None,
            "voucher_use": _use_document(order.voucher_use) if order.voucher_use is not None else None,
        }
    )


def _use_document(use: VoucherUse) -> Document:
    return without_none({"at": use.at, "store": use.store, "channel": use.channel.value})


def _use_of(document: Mapping[str, Any]) -> VoucherUse:
    return VoucherUse(document["at"], document.get("store"), Channel(document["channel"]))


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
            "reward": OrderedReward(**{**reward, **texts, "kind": RewardKind(reward["kind"])}),
            "state": OrderState(document["state"]),
            "channel": Channel(document["channel"]),
            "history": tuple(OrderStep(OrderState(state), at, by, note) for state, at, by, note in document["history"]),
            "lots": lots_of(document["lots"]),
            "recipient": Recipient(**document["recipient"]) if "recipient" in document else None,
            "delivery": Delivery(**document["delivery"]) if "delivery" in document else None,
            "took": tuple((counter_of(row[:3]), row[3]) for row in document["took"]),
            "voucher_worth": Decimal(document["voucher_worth"]) if "voucher_worth" in document else None,
            "voucher_use": _use_of(document["voucher_use"]) if "voucher_use" in document else None,
        }
    )


class OrderDocument(beanie.Document):
    """One order of a reward in its current state; the ledger has the points of each step."""

    id: str  # type: ignore[assignment]  # Beanie's way to choose another type than ObjectId
    programme: str
    number: str
    member: str
    state: str
    placed_at: datetime
    version: int

    class Settings:
        name = "orders"
        indexes: ClassVar = [
            IndexModel([("programme", ASCENDING), ("number", ASCENDING)], unique=True),
            IndexModel(
                [("programme", ASCENDING), ("member", ASCENDING), ("placed_at", DESCENDING), ("_id", DESCENDING)]
            ),
        ]

    validator: ClassVar = document_validator(
        {
            "_id": STRING,
            "programme": STRING,
            "number": STRING,
            "member": STRING,
            "reward": OBJECT,
            "quantity": {**INTEGER, "minimum": 1},
            "points": {**INTEGER, "minimum": 0},
            "points_returned": {**INTEGER, "minimum": 0},
            "returned": {**INTEGER, "minimum": 0},
            "state": STRING,
            "placed_at": DATE,
            "history": ARRAY,
            "version": {**INTEGER, "minimum": 1},
        }
    )
