"""Content digests: the same content has the same digest on every machine, for ever."""

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from hashlib import sha256
from typing import Any


def _plain(value: Any) -> str:
    """Write a value that JSON has no word for: equal values, however written, give one text."""
    if isinstance(value, Decimal):
        return format(value.normalize(), "f") if value else "0"
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Fraction):
        return str(value)
    raise TypeError(f"a digest cannot be made of {type(value).__name__}")


def content_digest(content: Mapping[str, Any], *, after: str = "") -> str:
    """Return the SHA-256, in hexadecimal, of `content` as canonical JSON.

    Keys are sorted, decimals lose trailing zeros and times are written in UTC, so `5.0` and `5.00`, or 12:00+02:00 and
    10:00Z, are the same content. `after` chains the digest to an earlier one.
    """
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_plain)
    return sha256(f"{after}\n{text}".encode()).hexdigest()
