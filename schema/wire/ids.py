"""Relay ids and cursors: opaque to clients, checked when clients send them back."""

from base64 import urlsafe_b64decode
from binascii import b2a_base64
from datetime import UTC, datetime, timedelta

from resolvers.core.operation_error import BadInput

ID_LENGTH_MAX = 200
MILLISECONDS_DIGITS = 14
PLACE_DIGITS_MAX = 18
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_URL_SAFE = bytes.maketrans(b"+/", b"-_")


def _encode(text: str) -> str:
    # base64.urlsafe_b64encode without its three inner calls: every page encodes dozens of these.
    return b2a_base64(text.encode(), newline=False).translate(_URL_SAFE, b"=").decode("ascii")


def _decode(text: str, reason: str) -> list[str]:
    if len(text) > ID_LENGTH_MAX:
        raise BadInput(reason)
    try:
        decoded = urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    except ValueError as error:
        raise BadInput(reason) from error
    # The decoder ignores characters outside its alphabet. One object has one id, as caches and clients expect.
    if _encode(decoded) != text:
        raise BadInput(reason)
    return decoded.split(":")


def global_id(kind: str, *parts: str | int) -> str:
    """Return a global id, unique over all types."""
    return _encode(":".join((kind, *map(str, parts))))


def entry_id(member: str, version: int, index: int) -> str:
    """Return the global id of a ledger entry, faster than `global_id`: a page has dozens."""
    return _encode(f"LedgerEntry:{member}:{version}:{index}")


def place_of_entry(text: str) -> tuple[str, int, int] | None:
    """Return the member, version and index in the id of a ledger entry; None for any other text."""
    member, *place = parts_of("LedgerEntry", text, 3)
    version, index = (int(part) if part.isdecimal() and len(part) <= PLACE_DIGITS_MAX else -1 for part in place)
    return (member, version, index) if member and version > 0 and index >= 0 else None


def from_global_id(text: str) -> tuple[str, list[str]]:
    """Return the type and the parts of a global id; raises BadInput for other text."""
    kind, *parts = _decode(text, "id_invalid")
    return kind, parts


def key_of(kind: str, text: str | None, programme: str) -> str:
    """Return the key in the id of a programme's offer or reward; empty for any other text."""
    match _decode_or_empty(text):
        case [found, brand, key] if (found, brand) == (kind, programme):
            return key
    return ""


def parts_of(kind: str, text: str, count: int) -> list[str]:
    """Return the `count` parts of an id of one kind; as many empty strings for any other text."""
    found, *parts = _decode_or_empty(text) or [""]
    return parts if found == kind and len(parts) == count else [""] * count


def _decode_or_empty(text: str | None) -> list[str]:
    try:
        return _decode(text, "id_invalid") if text is not None else []
    except BadInput:
        return []


def ranked_cursor(score: int, key: str) -> str:
    """Return the cursor of an item in an order by score and key."""
    return _encode(f"{score}:{key}")


def from_ranked_cursor(text: str) -> tuple[int, str]:
    """Return the score and key of a cursor; raises BadInput for other text."""
    match _decode(text, "cursor_invalid"):
        case [score, key] if score.removeprefix("-").isdecimal() and key:
            return int(score), key
    raise BadInput("cursor_invalid")


def order_cursor(placed_at: datetime, key: str) -> str:
    """Return the cursor of an order: when it was placed, in milliseconds, and its id."""
    return _encode(f"{round(placed_at.timestamp() * 1000)}:{key}")


def from_order_cursor(text: str) -> tuple[datetime, str]:
    """Return the moment and id of an order's cursor; raises BadInput for other text."""
    match _decode(text, "cursor_invalid"):
        case [moment, key] if moment.isdecimal() and len(moment) <= MILLISECONDS_DIGITS and key:
            return EPOCH + timedelta(milliseconds=int(moment)), key
    raise BadInput("cursor_invalid")


def is_place(text: str) -> bool:
    """Return whether text is a version or an index: a whole number that MongoDB can compare with stored ones."""
    return text.isdecimal() and len(text) <= PLACE_DIGITS_MAX


def cursor(version: int, index: int) -> str:
    """Return the cursor of a ledger entry."""
    return _encode(f"{version}:{index}")


def from_cursor(text: str) -> tuple[int, int]:
    """Return the version and index of a cursor; raises BadInput for other text."""
    match _decode(text, "cursor_invalid"):
        case [version, index] if is_place(version) and is_place(index):
            place = int(version), int(index)
            if cursor(*place) == text:
                return place
    raise BadInput("cursor_invalid")
