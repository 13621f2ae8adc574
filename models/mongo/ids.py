"""Builds `_id`s from values that callers send. Each part is percent-encoded, so that two `_id`s cannot collide."""

import re
from functools import lru_cache
from urllib.parse import quote, unquote

from loyalty.model.event import ReceiptKey
from loyalty.model.supply import CounterKey


def joined_id(*parts: str) -> str:
    """Return the parts, percent-encoded and joined by slashes."""
    return "/".join(quote(part, safe="") for part in parts)


_IS_PLAIN = re.compile(r"[A-Za-z0-9_.~-]+").fullmatch
# Cached because a till sends thousands of events.
_sender = lru_cache(maxsize=10_000)(joined_id)


def event_key(programme: str, operation: str, sender: str, key: str) -> str:
    """Return the text that identifies an idempotency key in a record of the ledger; a key counts once, for ever."""
    # Most keys need no encoding, and quote() takes several times what it takes to see that.
    encoded = key if _IS_PLAIN(key) else quote(key, safe="")
    return f"{_sender(programme, operation, sender)}/{encoded}"


def event_id(programme: str, operation: str, reference: str) -> str:
    """Return the text of the idempotency key that `reference` names, as `purchase_reference()` returns it."""
    return f"{joined_id(programme, operation)}/{reference}"


def counter_id(programme: str, counter: CounterKey) -> str:
    """Return the `_id` of a shared counter."""
    at = [counter.at.isoformat()] if counter.at is not None else []
    return joined_id(programme, counter.kind, counter.key, *at)


def receipt_id(programme: str, receipt: ReceiptKey) -> str:
    """Return the `_id` of a receipt; it belongs to one purchase or claim, for ever."""
    return joined_id(programme, receipt.store, receipt.day.isoformat(), receipt.number)


def code_id(programme: str, pool: str, code: str) -> str:
    """Return the `_id` of a code of a pool."""
    return joined_id(programme, pool, code)


def audience_id(programme: str, member: str) -> str:
    """Return the `_id` of the document with a member's audience lists."""
    return joined_id(programme, member)


def identity_key(programme: str, kind: str, value: str) -> str:
    """Return the `_id` of an identity; `kind` is number, card, email or phone."""
    return joined_id(programme, kind, value)


def identity_parts(id_: str) -> tuple[str, str]:
    """Return the kind and the value in the `_id` of an identity."""
    kind, _, value = id_.partition("/")[2].partition("/")
    return unquote(kind), unquote(value)
