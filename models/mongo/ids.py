"""Keys of documents that are found by what people and machines send: quoted, so that no two can be confused."""

from functools import lru_cache
from urllib.parse import quote

from loyalty.model.supply import CounterKey


def joined(*parts: str) -> str:
    """Return one `_id` of several parts."""
    return "/".join(quote(part, safe="") for part in parts)


# A till sends thousands of events.
_sender = lru_cache(maxsize=10_000)(joined)


def event_key(programme: str, operation: str, sender: str, key: str) -> str:
    """Return the `_id` under which an operation's key counts, once, for ever."""
    return f"{_sender(programme, operation, sender)}/{quote(key, safe='')}"


def counter_id(programme: str, counter: CounterKey) -> str:
    """Return the `_id` of a counter of what is shared."""
    at = [counter.at.isoformat()] if counter.at is not None else []
    return joined(programme, counter.kind, counter.key, *at)


def code_id(programme: str, pool: str, code: str) -> str:
    """Return the `_id` of a code of a pool."""
    return joined(programme, pool, code)


def audience_id(programme: str, member: str) -> str:
    """Return the `_id` of the lists that a member is on."""
    return joined(programme, member)


def identity_key(programme: str, kind: str, value: str) -> str:
    """Return the `_id` of one of the ways to say which member: number, card, email or phone."""
    return joined(programme, kind, value)
