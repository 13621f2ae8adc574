"""Relay ids and cursors: opaque outside, checked when they come back."""

from base64 import urlsafe_b64decode, urlsafe_b64encode

from resolvers.fault import BadInput

ID_LENGTH_MAX = 200


def _encode(text: str) -> str:
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decode(text: str, reason: str) -> list[str]:
    if len(text) > ID_LENGTH_MAX:
        raise BadInput(reason)
    try:
        told = urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    except ValueError as error:
        raise BadInput(reason) from error
    # The decoder passes over what is not of its alphabet: one thing has one id, as caches and clients expect.
    if _encode(told) != text:
        raise BadInput(reason)
    return told.split(":")


def global_id(kind: str, *parts: str | int) -> str:
    """Return the id of a node, unique over all types."""
    return _encode(":".join((kind, *map(str, parts))))


def from_global_id(text: str) -> tuple[str, list[str]]:
    """Return the type and the parts of an id; raises BadInput for what is no id of ours."""
    kind, *parts = _decode(text, "id_invalid")
    return kind, parts


def cursor(version: int, index: int) -> str:
    """Return the cursor of a ledger entry."""
    return _encode(f"{version}:{index}")


def from_cursor(text: str) -> tuple[int, int]:
    """Return the version and index of a cursor; raises BadInput for what is no cursor of ours."""
    match _decode(text, "cursor_invalid"):
        case [version, index] if version.isdecimal() and index.isdecimal():
            place = int(version), int(index)
            if cursor(*place) == text:
                return place
    raise BadInput("cursor_invalid")
