"""What stops an operation besides a refusal: a closed list of codes, each carrying what its sentence needs."""

from collections.abc import Mapping


class Fault(Exception):  # noqa: N818 - the codes are the API's, and not all are errors of ours
    """An operation that cannot go on. `code` is the API's `extensions.code`, `reason` names the sentence."""

    code = "INTERNAL"

    def __init__(self, reason: str, **params: str | float) -> None:
        super().__init__(reason)
        self.reason = reason
        self.params: Mapping[str, str | float] = params


class Unauthenticated(Fault):
    """Nobody is known to ask: no token, or one that is not valid (any more)."""

    code = "UNAUTHENTICATED"


class Forbidden(Fault):
    """The actor is known, and no rule lets it do this."""

    code = "FORBIDDEN"


class BadInput(Fault):
    """The operation itself is wrong; sending it again will not help."""

    code = "BAD_USER_INPUT"


class DocumentUnknown(Fault):
    """An operation is named that is not known here; the code is the one that Apollo's clients know."""

    code = "PERSISTED_QUERY_NOT_FOUND"


class LimitExceeded(Fault):
    """A limit of this installation; `limit` names it, `most` is its value, `setting` is where operators change it."""

    code = "LIMIT_EXCEEDED"

    def __init__(self, limit: str, *, most: float, setting: str) -> None:
        super().__init__(f"limit_{limit}", limit=limit, most=most, setting=setting)
        self.limit, self.most, self.setting = limit, most, setting


class Unavailable(Fault):
    """It may work in a moment; a mutation is sent again with the same key."""

    code = "UNAVAILABLE"
