"""Errors in words: refusals as `userErrors`, everything else as GraphQL errors with a code and no internals."""

from typing import Any, Self
from uuid import uuid4

import strawberry
import structlog
from graphql import GraphQLError

from loyalty.kernel import refusal
from resolvers.core.context import Context
from resolvers.core.fault import Fault, LimitExceeded
from schema.wire.access import REACHED, field, resolver
from schema.wire.enums import RefusalCode
from schema.wire.text import locale_asked, sentence
from schema.wire.text import refused as words_of

log = structlog.get_logger(__name__)
Info = strawberry.Info[Context, None]


@strawberry.type(description="A refusal that the caller can act on; nothing was written.")
class UserError:
    """One reason why nothing was written."""

    code: RefusalCode = field(REACHED)
    path: list[str] = field(REACHED, description="Where in the arguments.")
    refused: strawberry.Private[refusal.Refusal]

    @resolver(REACHED, description="What is wrong and what to do, in the language of the request, else of the member.")
    async def message(self, info: Info) -> str:
        """Return the refusal in words."""
        return await self.words(info.context)

    @classmethod
    def of(cls, refused: refusal.Refusal, *place: str) -> Self:
        """Return a refusal; `place` is that of the input within a batch."""
        return cls(code=refused.code, path=["input", *place, *refused.path], refused=refused)

    async def words(self, context: Context) -> str:
        """Return it in words; a member is told in its own language where the request names none."""
        programme = context.programme() if context.actor is not None else None
        return words_of(self.refused.reason, self.refused.params, programme, await locale_asked(context))


def as_refusal(error: Exception) -> refusal.Refusal:
    """Return the fault of one item of a batch as its refusal: its neighbours' answers must not be lost with it."""
    if isinstance(error, Fault):
        return refusal.Refusal(refusal.RefusalCode.CONFLICT, "not_committed", ("key",))
    return refusal.Refusal(refusal.RefusalCode.CONFLICT, "not_decided", ("key",), {"id": reported(error)})


def reported(error: BaseException, **about: Any) -> str:
    """Log what went wrong on our side, and return the id to tell the caller."""
    id_ = uuid4().hex
    log.error("internal_error", id=id_, exc_info=error, **about)
    return id_


def fault_message(fault: Fault, locale: str) -> str:
    """Return a fault in words."""
    return sentence("faults", fault.reason, locale, fault.params)


def fault_extensions(fault: Fault) -> dict[str, Any]:
    """Return what a program can act on: the code and, for a limit, which one and where it is set."""
    extensions: dict[str, Any] = {"code": fault.code}
    if isinstance(fault, LimitExceeded):
        extensions |= {"limit": fault.limit, "max": fault.most, "setting": fault.setting}
    return extensions


def failure(id_: str, locale: str) -> dict[str, Any]:
    """Return something that went wrong on our side, as it is sent: the id by which the log has the rest."""
    return {
        "message": sentence("faults", "internal", locale, {"id": id_}),
        "extensions": {"code": "INTERNAL", "id": id_},
    }


def formatted(error: GraphQLError, locale: str) -> dict[str, Any]:
    """Return an error as it is sent: known faults in words, wrong operations as they are, the rest as an id."""
    original = error.original_error
    while isinstance(original, GraphQLError) and original.original_error is not None:
        original = original.original_error
    sent: dict[str, Any] = {}
    if isinstance(original, Fault):
        sent["message"] = fault_message(original, locale)
        sent["extensions"] = fault_extensions(original)
    elif original is None or isinstance(original, GraphQLError):
        sent["message"] = error.message
        sent["extensions"] = {"code": "BAD_USER_INPUT", **(error.extensions or {})}
    else:
        sent |= failure(reported(original, path=error.path), locale)
    if error.locations:
        sent["locations"] = [location.formatted for location in error.locations]
    if error.path is not None:
        sent["path"] = error.path
    return sent
