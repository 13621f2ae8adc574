"""What a manager changes without a release: offers, rewards and contents, beside those of the programme file."""

from collections.abc import AsyncGenerator, Awaitable, Mapping
from dataclasses import replace
from typing import TypeVar

from pymongo.errors import PyMongoError

from loyalty.kernel.refusal import Refusal, RefusalCode
from loyalty.model.catalogue import Content
from loyalty.model.programme import Programme
from models.definitions.author_error import InvalidDefinition
from models.definitions.catalogue_file import Kind
from models.programmes import catalogue_store
from models.programmes.catalogue_store import Stored
from resolvers.core.command import staff_of
from resolvers.core.context import Context
from resolvers.core.fault import Unavailable
from resolvers.core.idempotency_key import key_refusal

T = TypeVar("T")


async def _written(write: Awaitable[T]) -> T:
    try:
        return await write
    except PyMongoError as error:
        raise Unavailable("commit_unavailable") from error


async def save(context: Context, *, key: str, kind: Kind, definition: object) -> Stored | Refusal:
    """Store a definition, in the shape of a programme file's section, as the next version of what it names."""
    refusal = key_refusal(key)
    if refusal is not None:
        return refusal
    if not isinstance(definition, Mapping):
        return _unusable("it is no object")
    try:
        stored = await _written(
            catalogue_store.put(
                context.services.database,
                context.programme(),
                kind,
                definition,
                request=key,
                now=context.now(),
                changed_by=staff_of(context),
            )
        )
    except InvalidDefinition as error:
        return _unusable("; ".join(str(fault) for fault in error.faults))
    return _placed(stored, "definition", "key")


def _unusable(fault: str) -> Refusal:
    return Refusal(RefusalCode.INVALID, "definition_invalid", ("definition",), {"fault": fault})


async def retire(context: Context, *, key: str, kind: Kind, item: str) -> Stored | Refusal:
    """Take an offer, a reward or a content out of the catalogue."""
    refusal = key_refusal(key)
    if refusal is not None:
        return refusal
    stored = await _written(
        catalogue_store.retire(
            context.services.database,
            context.programme(),
            kind,
            item,
            request=key,
            now=context.now(),
            changed_by=staff_of(context),
        )
    )
    return _placed(stored, "item")


def _placed(stored: Stored | Refusal, *path: str) -> Stored | Refusal:
    """Return a refusal of the item itself with the place of its name in the arguments; `key` there is the caller's."""
    if isinstance(stored, Refusal) and stored.reason in {"item_in_file", "item_unknown"}:
        return replace(stored, path=path)
    return stored


async def content_changes(context: Context, programme: Programme, key: str) -> AsyncGenerator[Content | None, None]:
    """Tell a content as it is now, then each time it changes; None while there is none. Of quick changes the last."""
    programmes = context.services.programmes
    with programmes.watch(programme.key) as changed:
        last: Content | None = None
        is_first = True
        while True:
            changed.clear()
            content = programmes.get(programme.key).catalogue.contents.get(key)
            if is_first or content != last:
                yield content
            last, is_first = content, False
            await changed.wait()
