"""Lets managers change offers, rewards and contents without a release, in addition to those of the programme file."""

from collections.abc import AsyncGenerator, Awaitable, Mapping
from dataclasses import replace
from typing import TypeVar

from pymongo.errors import PyMongoError

from loyalty.kernel.refusal import Refusal, RefusalCode
from loyalty.model.catalogue import Content
from loyalty.model.programme import Programme
from models.definitions.author_error import InvalidDefinition
from models.definitions.catalogue_file import ItemKind
from models.programmes import catalogue_store
from models.programmes.catalogue_store import StoredItem
from resolvers.core.command import staff_id
from resolvers.core.context import Context
from resolvers.core.idempotency_key import key_refusal
from resolvers.core.operation_error import Unavailable

T = TypeVar("T")


async def _write_or_unavailable(write: Awaitable[T]) -> T:
    try:
        return await write
    except PyMongoError as error:
        raise Unavailable("commit_unavailable") from error


async def save(context: Context, *, key: str, kind: ItemKind, definition: object) -> StoredItem | Refusal:
    """Store a definition, in the format of a programme file's section, as the next version of its item."""
    refusal = key_refusal(key)
    if refusal is not None:
        return refusal
    if not isinstance(definition, Mapping):
        return _invalid_definition("it is not an object")
    try:
        stored = await _write_or_unavailable(
            catalogue_store.put(
                context.services.database,
                context.programme(),
                kind,
                definition,
                request=key,
                now=context.now(),
                changed_by=staff_id(context),
            )
        )
    except InvalidDefinition as error:
        return _invalid_definition("; ".join(str(fault) for fault in error.faults))
    return _with_path(stored, "definition", "key")


def _invalid_definition(fault: str) -> Refusal:
    return Refusal(RefusalCode.INVALID, "definition_invalid", ("definition",), {"fault": fault})


async def retire(context: Context, *, key: str, kind: ItemKind, item: str) -> StoredItem | Refusal:
    """Remove an offer, a reward or a content from the catalogue."""
    refusal = key_refusal(key)
    if refusal is not None:
        return refusal
    stored = await _write_or_unavailable(
        catalogue_store.retire(
            context.services.database,
            context.programme(),
            kind,
            item,
            request=key,
            now=context.now(),
            changed_by=staff_id(context),
        )
    )
    return _with_path(stored, "item")


def _with_path(stored: StoredItem | Refusal, *path: str) -> StoredItem | Refusal:
    """Point a refusal of the item at the argument with its key: `key` itself is the idempotency key there."""
    if isinstance(stored, Refusal) and stored.reason in {"item_in_file", "item_unknown"}:
        return replace(stored, path=path)
    return stored


async def content_changes(context: Context, programme: Programme, key: str) -> AsyncGenerator[Content | None, None]:
    """Yield a content now and after each change, None while it does not exist. Quick changes are merged."""
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
