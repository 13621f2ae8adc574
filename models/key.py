"""Keys of documents that are found by what people and machines send: quoted, so that no two can be confused."""

from urllib.parse import quote


def joined(*parts: str) -> str:
    """Return one `_id` of several parts."""
    return "/".join(quote(part, safe="") for part in parts)


def event_key(programme: str, operation: str, sender: str, key: str) -> str:
    """Return the `_id` under which an operation's key counts, once, for ever."""
    return joined(programme, operation, sender, key)


def identity_key(programme: str, kind: str, value: str) -> str:
    """Return the `_id` of one of the ways to say which member: number, card, email or phone."""
    return joined(programme, kind, value)
