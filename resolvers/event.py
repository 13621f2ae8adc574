"""Records events, each once per key, one at a time or in a batch; and previews them without writing."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

import bson
from bson.errors import BSONError

from loyalty.commands.decide import decide, needs
from loyalty.commands.record_event import RecordEvent
from loyalty.commands.registry import EVENT_OPERATION
from loyalty.kernel.digest import canonical_moment, canonical_number, content_digest, fast_content_digest
from loyalty.kernel.receipt_number import canonical_receipt
from loyalty.kernel.refusal import Refusal, RefusalCode
from loyalty.model.decision import Decision, NothingToSettle
from loyalty.model.event import REFUND, Discount, Event, Purchase, PurchaseLine, RecordedEvent
from loyalty.model.ledger import IMPORTED, Cause
from models.commits.committer import Overloaded
from models.commits.committer import Unavailable as CommitUnavailable
from models.commits.references import references_of
from models.commits.request import Committed, Outcome, Request
from models.mongo.event import refusal_of, still_waits
from models.mongo.snapshot import snapshot_after
from resolvers.core.actor import Role
from resolvers.core.context import Context
from resolvers.core.idempotency_key import key_refusal
from resolvers.core.member import MemberKey, find_permitted_or_refusal, find_to_record, load
from resolvers.core.operation_error import Forbidden, LimitExceeded, Unavailable
from resolvers.core.reading import read_or_unavailable
from resolvers.offer import with_proved_codes

LINES_MAX = 1000
DISCOUNTS_MAX = 100
TEXT_LENGTH_MAX = 200
ATTRIBUTES_DEPTH_MAX = 20
ATTRIBUTES_BYTES_MAX = 16_384
MONEY_MAX = 1_000_000_000
MONEY_DECIMALS_MAX = 6
# The text of most amounts that are neither too large nor have too many decimals.
_SHORT_NUMBER = re.compile(r"-?[0-9]{1,9}(?:\.[0-9]{1,6})?").fullmatch


@dataclass(frozen=True, slots=True)
class EventOfMember:
    """An event as sent, and its member. `event.sender` is ignored: the actor is the sender.

    `ref` is the general name of `event.refund_of`: they may not differ.
    """

    event: Event
    member: MemberKey
    ref: str | None = None

    def refusal(self) -> Refusal | None:
        """Return a refusal if the size or form of the event is invalid, or None; reads nothing."""
        if self.ref is None:
            return shape_refusal(self.event)
        if self.event.type != REFUND:
            return Refusal(RefusalCode.INVALID, "refund_of_unexpected", ("ref",))
        if self.event.refund_of is not None and self.event.refund_of != self.ref:
            return Refusal(RefusalCode.INVALID, "ref_differs", ("ref",))
        return shape_refusal(self.referring())

    def referring(self) -> Event:
        """Return the event with the key that it refers to in `refund_of`, whichever name it was sent under."""
        return self.event if self.ref is None else replace(self.event, refund_of=self.ref)


def _not_found() -> Refusal:
    return Refusal(RefusalCode.NOT_FOUND, "member_not_found", ("member",))


def _too_long(path: tuple[str, ...]) -> Refusal:
    return Refusal(RefusalCode.INVALID, "text_too_long", path, {"max": TEXT_LENGTH_MAX})


def _line_refusal(line: PurchaseLine) -> Refusal | None:
    """Return the refusal of a line, with a path within it, or None."""
    if not line.sku.strip():
        return Refusal(RefusalCode.INVALID, "sku_missing", ("sku",))
    if len(line.sku) > TEXT_LENGTH_MAX:
        return _too_long(("sku",))
    if line.category is not None and len(line.category) > TEXT_LENGTH_MAX:
        return _too_long(("category",))
    if line.brand is not None and len(line.brand) > TEXT_LENGTH_MAX:
        return _too_long(("brand",))
    return _number_refusal(line.amount, "amount") or _number_refusal(line.quantity, "quantity")


def _number_refusal(number: Decimal, *path: str) -> Refusal | None:
    """Return the refusal of a number that is too large or has too many decimals, or None."""
    if _SHORT_NUMBER(str(number)) or _is_reasonable(number):
        return None
    return Refusal(RefusalCode.INVALID, "number_out_of_range", path, {"max": MONEY_MAX})


def _is_reasonable(number: Decimal) -> bool:
    if not number.is_finite() or not -MONEY_MAX <= number <= MONEY_MAX:
        return False
    return int(number.as_tuple().exponent) >= -MONEY_DECIMALS_MAX


def _is_shallow(value: Any, levels: int) -> bool:
    """Return whether a JSON value is nested at most `levels` deep."""
    if not isinstance(value, Mapping | list):
        return True
    below = value.values() if isinstance(value, Mapping) else value
    return levels > 0 and all(_is_shallow(item, levels - 1) for item in below)


def _stored_bytes(attributes: Mapping[str, Any]) -> int | None:
    """Return the size of the attributes as BSON, None if they cannot be stored."""
    try:
        return len(bson.encode(attributes))
    except (BSONError, OverflowError, UnicodeError):
        return None


def shape_refusal(event: Event) -> Refusal | None:
    """Return a refusal if the size or form of an event is invalid, or None; reads nothing."""
    refusal = key_refusal(event.key)
    if refusal is not None:
        return refusal
    for path, text in (
        ("store", event.store),
        ("partner", event.partner),
        ("refundOf", event.refund_of),
        ("refSender", event.ref_sender),
    ):
        if len(text or "") > TEXT_LENGTH_MAX:
            return _too_long((path,))
    if event.refund_of is not None and not event.refund_of.strip():
        return Refusal(RefusalCode.INVALID, "refund_of_missing", ("refundOf",))
    if event.ref_sender is not None and not event.ref_sender.strip():
        return Refusal(RefusalCode.INVALID, "sender_empty", ("refSender",))
    if not isinstance(event.attributes, Mapping):
        return Refusal(RefusalCode.INVALID, "attributes_not_object", ("attributes",))
    if event.attributes and not _is_shallow(event.attributes, ATTRIBUTES_DEPTH_MAX):
        return Refusal(RefusalCode.INVALID, "attributes_too_deep", ("attributes",), {"max": ATTRIBUTES_DEPTH_MAX})
    size = _stored_bytes(event.attributes) if event.attributes else 0
    if size is None:
        fault = "a value cannot be stored (a whole number of more than 64 bits, or a NUL character in a name)"
        return Refusal(RefusalCode.INVALID, "attributes_invalid", ("attributes",), {"fault": fault})
    if size > ATTRIBUTES_BYTES_MAX:
        return Refusal(RefusalCode.INVALID, "attributes_too_large", ("attributes",), {"max": ATTRIBUTES_BYTES_MAX})
    return _purchase_refusal(event.purchase) if event.purchase is not None else None


def _purchase_refusal(purchase: Purchase) -> Refusal | None:
    refusal = _number_refusal(purchase.total, "purchase", "total")
    if refusal is not None:
        return refusal
    if len(purchase.lines) > LINES_MAX:
        return Refusal(RefusalCode.INVALID, "too_many_lines", ("purchase", "lines"), {"max": LINES_MAX})
    if purchase.receipt is not None:
        path = ("purchase", "receipt")
        if len(purchase.receipt) > TEXT_LENGTH_MAX:
            return _too_long(path)
        if not canonical_receipt(purchase.receipt):
            return Refusal(RefusalCode.INVALID, "receipt_invalid", path)
    for index, line in enumerate(purchase.lines):
        refusal = _line_refusal(line)
        if refusal is not None:
            return replace(refusal, path=("purchase", "lines", str(index), *refusal.path))
    return _discounts_refusal(purchase.discounts) if purchase.discounts else None


def _discounts_refusal(discounts: Sequence[Discount]) -> Refusal | None:
    if len(discounts) > DISCOUNTS_MAX:
        return Refusal(RefusalCode.INVALID, "too_many_discounts", ("purchase", "discounts"), {"max": DISCOUNTS_MAX})
    for index, one in enumerate(discounts):
        path = ("purchase", "discounts", str(index))
        refusal = _number_refusal(one.amount, *path, "amount")
        if refusal is not None:
            return refusal
        if one.amount < 0:
            return Refusal(RefusalCode.INVALID, "discount_negative", (*path, "amount"))
        if len(one.code or "") > TEXT_LENGTH_MAX:
            return _too_long((*path, "code"))
    return None


def event_digest(event: Event, member: str) -> str:
    """Return the digest of an event's content. A key that is reused with another digest is refused."""
    purchase = event.purchase
    # `fast_content_digest` is faster, but for content without floats only; attributes can contain them.
    digest = content_digest if event.attributes else fast_content_digest
    return digest(
        {
            "member": member,
            "type": event.type,
            "occurred_at": canonical_moment(event.occurred_at),
            "channel": event.channel,
            "store": event.store,
            "partner": event.partner,
            "refund_of": event.refund_of,
            "attributes": dict(event.attributes),
            # Events that name no sender keep the digest of releases that did not know the field.
            **({"ref_sender": event.ref_sender} if event.ref_sender is not None else {}),
            "purchase": [
                canonical_number(purchase.total),
                purchase.currency,
                [
                    [
                        line.sku,
                        canonical_number(line.quantity),
                        canonical_number(line.amount),
                        line.category,
                        line.brand,
                    ]
                    for line in purchase.lines
                ],
                # Purchases without discounts keep the digest of releases that did not know them.
                *(
                    [[[canonical_number(one.amount), one.offer, one.code] for one in purchase.discounts]]
                    if purchase.discounts
                    else []
                ),
                # Nor do those without a receipt know it.
                *([canonical_receipt(purchase.receipt)] if purchase.receipt is not None else []),
            ]
            if purchase
            else None,
        }
    )


def _request(context: Context, event: Event, member: str, now: datetime, *, imported: bool = False) -> Request:
    actor = context.require_actor()
    digest = event_digest(event, member)
    event = Event(
        event.key,
        actor.subject,
        event.type,
        event.occurred_at,
        event.channel,
        event.store,
        event.partner,
        with_proved_codes(context, event.purchase),
        event.refund_of,
        event.attributes,
        event.ref_sender,
    )
    return Request(
        command=RecordEvent(
            event,
            Cause(EVENT_OPERATION, actor.role, actor.subject, event.key, IMPORTED if imported else None),
            # A tablet's screen cannot tell a clerk from a shopper.
            is_typed=actor.role is Role.KIOSK,
        ),
        member=member,
        programme=context.programme(),
        now=now,
        digest=digest,
    )


def submit(context: Context, event: Event, member: str, *, imported: bool = False) -> asyncio.Future[Outcome]:
    """Submit an event of a known member to the committer, with the actor as sender. Events are decided in call order.

    An `imported` event may be so old that its points have expired; its ledger record says that it was imported.

    Raises:
        Overloaded: too many commands are waiting.
    """
    return context.services.committer.submit(_request(context, event, member, context.now(), imported=imported))


async def record(context: Context, sent: EventOfMember) -> Outcome:
    """Record one event; returns once it is durable. A repeated key returns the first outcome."""
    [outcome] = await record_all(context, [sent])
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


async def record_many(context: Context, batch: list[EventOfMember]) -> list[Outcome | Exception]:
    """Record a batch: each event independently, those of one member in the given order. Raises LimitExceeded."""
    most = context.services.bounds.batch_max
    if len(batch) > most:
        raise LimitExceeded("batch", value=most, setting="CARILLON_LIMIT_BATCH")
    return await record_all(context, batch)


async def record_all(context: Context, batch: list[EventOfMember]) -> list[Outcome | Exception]:
    """Record events; an error of one of them is returned in its place."""
    refusals = [sent.refusal() for sent in batch]
    members = await find_to_record(context, [sent.member for sent in batch])
    if await context.services.clock_fault() is not None:
        return [refusal or Unavailable("clock_wrong") for refusal in refusals]
    waiting: list[asyncio.Future[Outcome] | Refusal | Exception] = []
    committer, now = context.services.committer, context.now()
    # No await in this loop: the order of these calls is the order in which a member's events are decided.
    for sent, refusal, member in zip(batch, refusals, members, strict=True):
        if isinstance(member, Forbidden):
            waiting.append(member)
        elif refusal is not None:
            waiting.append(refusal)
        elif member is None:
            waiting.append(_not_found())
        elif isinstance(member, Refusal):
            waiting.append(member)
        else:
            try:
                waiting.append(committer.submit(_request(context, sent.referring(), member, now)))
            except Overloaded:
                waiting.append(Unavailable("overloaded"))
    futures = [item for item in waiting if isinstance(item, asyncio.Future)]
    if futures:
        # Unlike gather(), wait() does not cancel them when the caller is cancelled.
        await asyncio.wait(futures)
    return [_outcome(item) if isinstance(item, asyncio.Future) else item for item in waiting]


def _outcome(future: asyncio.Future[Outcome]) -> Outcome | Exception:
    error = future.exception()
    if error is None:
        return future.result()
    if isinstance(error, CommitUnavailable):
        return Unavailable("commit_unavailable")
    if isinstance(error, Exception):  # an error of one event does not affect the others
        return error
    raise error


async def preview(context: Context, sent: EventOfMember) -> Outcome:
    """Return the outcome that an event would have, without writing; for a key that was recorded, the first outcome.

    Raises:
        Forbidden: as `find_permitted`, because a preview is nothing but an answer about the member.
    """
    refusal = sent.refusal()
    if refusal is not None:
        return refusal
    member = await find_permitted_or_refusal(context, sent.member)
    if isinstance(member, Refusal):
        return member
    snapshot = await load(context, member) if member is not None else None
    if member is None or snapshot is None:
        return _not_found()
    request = _request(context, sent.referring(), member, context.now())
    command = request.command
    reader, actor, key = context.services.reader, context.require_actor(), sent.event.key
    counted = await read_or_unavailable(reader.event(actor.programme, EVENT_OPERATION, actor.subject, key))
    if counted is not None:
        if counted["digest"] != request.digest:
            return Refusal(RefusalCode.KEY_REUSED, "key_reused", ("key",), {"key": key})
        refused = refusal_of(counted)
        if refused is not None:
            return refused
        first = await read_or_unavailable(reader.record(counted["member"], counted["version"]))
        if first is None:
            raise LookupError("a recorded event has no ledger record")
        return Committed(snapshot, first, replayed=True, waiting=still_waits(counted, request.now))
    references = await read_or_unavailable(references_of(context.services.database, request))
    found = references.referred(request)
    purchase = found if isinstance(found, RecordedEvent) else None
    need = needs(command, snapshot.member, request.programme, purchase=purchase, now=request.now)
    facts = await read_or_unavailable(reader.facts(actor.programme, member, need, request.now))
    facts = references.added_to(facts, request)
    decision = decide(command, snapshot.member, request.programme, request.now, facts)
    if not isinstance(decision, Decision):
        return _not_found() if isinstance(decision, NothingToSettle) else decision
    after = snapshot_after(snapshot, decision, request.programme.zone)
    return Committed(after, decision.record, orders=decision.orders, waiting=decision.waits)
