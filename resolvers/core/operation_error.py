"""Defines the errors that stop an operation, other than refusals, as a closed list of codes."""

# ruff: noqa: N818 - the subclasses are named after the API's codes, and not all are server errors

from collections.abc import Mapping

from loyalty.kernel.refusal import Refusal


class OperationError(Exception):
    """An operation failed. `code` is the API's `extensions.code`, `reason` the text's key, `params` its parameters."""

    code = "INTERNAL"

    def __init__(self, reason: str, **params: str | float) -> None:
        super().__init__(reason)
        self.reason = reason
        self.params: Mapping[str, str | float] = params


class Unauthenticated(OperationError):
    """Authentication is required: the token is missing, invalid or expired."""

    code = "UNAUTHENTICATED"


class Forbidden(OperationError):
    """The actor is authenticated, and no rule allows the operation."""

    code = "FORBIDDEN"


class BadInput(OperationError):
    """The operation or its input is invalid; a retry fails again."""

    code = "BAD_USER_INPUT"


class UnknownOperation(OperationError):
    """The registered operation is unknown; the code is the one that Apollo's clients expect."""

    code = "PERSISTED_QUERY_NOT_FOUND"


class LimitExceeded(OperationError):
    """A limit was exceeded: `limit` is its name, `value` its value, `setting` the setting that changes it."""

    code = "LIMIT_EXCEEDED"

    def __init__(self, limit: str, *, value: float, setting: str) -> None:
        super().__init__(f"limit_{limit}", limit=limit, most=value, setting=setting)
        self.limit, self.value, self.setting = limit, value, setting


class Refused(OperationError):
    """A refusal, in an operation without `userErrors`: it has the refusal's code and sentence."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.reason, **refusal.params)
        self.code, self.refusal = refusal.code.value, refusal


class Unavailable(OperationError):
    """A temporary failure; the caller can retry, a mutation with the same key."""

    code = "UNAVAILABLE"
