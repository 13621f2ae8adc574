"""Fields of inputs, each with its description."""

from typing import Any

import strawberry

KEY = (
    "Idempotency key that the caller chooses: 1 to 200 characters, unique for ever per caller and mutation. A call "
    "with the same key and content changes nothing and returns the first result with `replayed: true`; other content "
    "is refused with `KEY_REUSED`."
)
ACTED_FOR = (
    "The member to act for. Left out by a member, and by a tablet in a confirmed session: they act for themselves. "
    "Required for all other callers."
)


def required(description: str) -> Any:
    """Declare an input field that the caller must send."""
    return strawberry.field(description=description)


def optional(description: str) -> Any:
    """Declare an input field that the caller may leave out; it is then `UNSET`."""
    return strawberry.field(default=strawberry.UNSET, description=description)
