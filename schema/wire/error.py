"""Errors: refusals as `userErrors`, all others as GraphQL errors with a code and no internals."""

from typing import Any, Self
from uuid import uuid4

import strawberry
import structlog
from graphql import GraphQLError

from loyalty.kernel import refusal
from resolvers.core.context import Context
from resolvers.core.operation_error import Forbidden, LimitExceeded, OperationError, Refused
from schema.wire.access import REACHED, field, resolver
from schema.wire.enums import RefusalCode
from schema.wire.text import refusal_sentence, response_locale, sentence

MESSAGE_LENGTH_MAX = 400

log = structlog.get_logger(__name__)
Info = strawberry.Info[Context, None]


@strawberry.type
class UserError:
    """A refusal that the caller can act on; nothing was changed."""

    code: RefusalCode = field(REACHED, "The reason, for programs.")
    path: list[str] = field(
        REACHED,
        'Path to the wrong argument, such as `["input", "purchase", "total"]`; in a batch the index follows "input".',
    )
    refused: strawberry.Private[refusal.Refusal]

    @resolver(REACHED)
    async def message(self, info: Info) -> str:
        """What is wrong and what to do, for people, in the language of the request, else of the member."""
        return await self.words(info.context)

    @classmethod
    def of(cls, refused: refusal.Refusal, *place: str) -> Self:
        """Return a refusal; `place` is the index of the input within a batch."""
        return cls(code=refused.code, path=["input", *place, *refused.path], refused=refused)

    async def words(self, context: Context) -> str:
        """Return the message in the language of the request, else of the member."""
        programme = context.programme() if context.actor is not None else None
        return refusal_sentence(self.refused.reason, self.refused.params, programme, await response_locale(context))


def as_refusal(error: Exception) -> refusal.Refusal:
    """Return the fault of one item of a batch as its refusal, so that the results of the other items are not lost."""
    if isinstance(error, Forbidden) and error.reason == "lookup_by_forbidden":
        path = ("member", str(error.params["kind"]))
        return refusal.Refusal(refusal.RefusalCode.INVALID, "member_key_forbidden", path, _texts(error))
    if isinstance(error, OperationError):
        return refusal.Refusal(refusal.RefusalCode.CONFLICT, "not_committed", ("key",))
    return refusal.Refusal(refusal.RefusalCode.CONFLICT, "not_decided", ("key",), {"id": reported(error)})


def _texts(error: OperationError) -> dict[str, str | int]:
    return {name: str(value) for name, value in error.params.items()}


def reported(error: BaseException, **about: Any) -> str:
    """Log an internal error, and return the id to send to the caller."""
    id_ = uuid4().hex
    log.error("internal_error", id=id_, exc_info=error, **about)
    return id_


def fault_message(fault: OperationError, locale: str) -> str:
    """Return the message of a fault."""
    return sentence("refusals" if isinstance(fault, Refused) else "faults", fault.reason, locale, fault.params)


def fault_extensions(fault: OperationError) -> dict[str, Any]:
    """Return the code of a fault and, for a limit, its name, its value and its setting."""
    extensions: dict[str, Any] = {"code": fault.code}
    if isinstance(fault, LimitExceeded):
        extensions |= {"limit": fault.limit, "max": fault.value, "setting": fault.setting}
    return extensions


def shortened(message: str) -> str:
    """Return a message without the middle of a long one: it may repeat what the caller sent."""
    if len(message) <= MESSAGE_LENGTH_MAX:
        return message
    return f"{message[: MESSAGE_LENGTH_MAX // 2]} … {message[-MESSAGE_LENGTH_MAX // 2 :]}"


def failure(id_: str, locale: str) -> dict[str, Any]:
    """Return an internal error as it is sent, with the id under which the log has the details."""
    return {
        "message": sentence("faults", "internal", locale, {"id": id_}),
        "extensions": {"code": "INTERNAL", "id": id_},
    }


def formatted(error: GraphQLError, locale: str) -> dict[str, Any]:
    """Return an error as it is sent: faults with their message, invalid operations unchanged, others as an id."""
    original = error.original_error
    while isinstance(original, GraphQLError) and original.original_error is not None:
        original = original.original_error
    sent: dict[str, Any] = {}
    if isinstance(original, OperationError):
        sent["message"] = fault_message(original, locale)
        sent["extensions"] = fault_extensions(original)
    elif original is None or isinstance(original, GraphQLError):
        sent["message"] = shortened(error.message)
        sent["extensions"] = {"code": "BAD_USER_INPUT", **(error.extensions or {})}
    else:
        sent |= failure(reported(original, path=error.path), locale)
    if error.locations:
        sent["locations"] = [location.formatted for location in error.locations]
    if error.path is not None:
        sent["path"] = error.path
    return sent
