"""Follows MongoDB's change stream: one stream per process, never one per subscriber.

Members are written by replacement, so each change carries the whole snapshot of its version, in commit order.
The stream resumes from its token after a failover. If MongoDB rejects the token (too old, for example), a new stream is
opened and the hub publishes a gap: watchers resynchronise.
The token is kept in memory only: a process that starts has no watchers yet, and new watchers send `after`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import structlog
from bson import CodecOptions, DatetimeConversion
from pymongo.errors import OperationFailure, PyMongoError

from models.live.hub import Hub
from models.mongo.bson import Document
from models.mongo.database import Database
from models.mongo.snapshot import snapshot_of
from models.programmes.programme_store import newest_versions

# ChangeStreamHistoryLost, ChangeStreamFatalError, InvalidResumeToken, CappedPositionLost
TOKEN_LOST_CODES = frozenset({286, 280, 260, 136})
RETRY_SECONDS_MIN = 0.1
RETRY_SECONDS_MAX = 5.0
AWAIT_MS = 1000

# Lenient decoding, so that one bad document does not end the stream; a reader of the value reports the error.
LENIENT_CODEC: CodecOptions[Document] = CodecOptions(
    tz_aware=True,
    datetime_conversion=DatetimeConversion.DATETIME_AUTO,
    unicode_decode_error_handler="replace",
)

log = structlog.get_logger(__name__)


async def _nothing() -> None:
    """Do nothing."""


class ChangeFeed:
    """Follows the database and publishes changes to the hub. Run `run` as one task for the life of the process."""

    def __init__(
        self,
        database: Database,
        hub: Hub,
        *,
        on_programme: Callable[[Mapping[str, Any]], None],
        on_item: Callable[[Mapping[str, Any]], None] = lambda _document: None,
        catch_up: Callable[[], Awaitable[None]] = _nothing,
        on_lag: Callable[[float], None] = lambda _seconds: None,
    ) -> None:
        """Set the callbacks.

        `on_programme` gets each stored programme version, `on_item` each stored version of an offer, reward or content,
        `on_lag` the seconds from commit to arrival. `catch_up` reads items that the stream did not deliver: those
        stored before it was open, or for a programme that was not loaded yet.
        """
        self._db = database
        self._hub = hub
        self._on_programme = on_programme
        self._on_item = on_item
        self._catch_up = catch_up
        self._on_lag = on_lag
        self._token: Mapping[str, Any] | None = None
        self._opening = False
        self._opened_before = False
        self._missed = False
        self._behind = True
        self._pause_seconds = RETRY_SECONDS_MIN
        self.is_open = asyncio.Event()

    async def run(self) -> None:
        """Follow until cancelled. After a database error, wait and resume from the last token."""
        while True:
            try:
                await self._follow()
            except OperationFailure as error:
                if self._token is not None and self._is_token_lost(error):
                    log.warning("feed_token_lost", code=error.code)
                    self._token = None
                else:
                    log.warning("feed_interrupted", error=type(error).__name__, code=error.code)
            except PyMongoError as error:
                log.warning("feed_interrupted", error=type(error).__name__)
            await asyncio.sleep(self._pause_seconds)
            self._pause_seconds = min(self._pause_seconds * 2, RETRY_SECONDS_MAX)

    def _is_token_lost(self, error: OperationFailure) -> bool:
        """Return whether an error means that the stream can never be resumed from its token.

        MongoDB rejects an unreadable token when the stream is opened, with whatever code its parser fails with (9, 15,
        40647, 50811 and others). Since 4.4, errors after which the same token may work again carry a label.
        """
        lost = error.code in TOKEN_LOST_CODES or error.has_error_label("NonResumableChangeStreamError")
        return lost or (self._opening and not error.has_error_label("ResumableChangeStreamError"))

    async def _follow(self) -> None:
        collections = (self._db.members, self._db.programmes, self._db.catalogue, self._db.used_credentials)
        names = [collection.name for collection in collections]
        pipeline = [{"$match": {"ns.coll": {"$in": names}, "operationType": {"$in": ["insert", "replace"]}}}]
        if self._token is None:
            self._behind, self._missed = True, self._opened_before
        # Changes are decoded even if nobody watches: finding the member in raw BSON takes three times as long.
        database = self._db.db.with_options(codec_options=LENIENT_CODEC)
        self._opening = True
        async with await database.watch(pipeline, resume_after=self._token, max_await_time_ms=AWAIT_MS) as stream:
            self._opening, self._opened_before = False, True
            # The token of the first reply marks the position from which no change is missed.
            self._token = stream.resume_token or self._token
            self._pause_seconds = RETRY_SECONDS_MIN
            try:
                await self._read_missing()
                self.is_open.set()
                if self._missed:
                    self._hub.publish_gap()
                    self._missed = False
                while stream.alive:
                    change = await stream.try_next()
                    if change is not None:
                        self._publish_safely(change)
                    if self._behind:
                        await self._read_missing()
            finally:
                # Read once, at the end: each read copies it. Changes before it were all published, so none is repeated.
                self._token = stream.resume_token or self._token

    async def _read_missing(self) -> None:
        """Read what the stream does not deliver: documents stored before it was open, or before their programme."""
        if self._behind:
            async for programme in newest_versions(self._db):
                self._publish_programme(programme)
            await self._catch_up()
            self._behind = False

    def _publish_safely(self, change: Mapping[str, Any]) -> None:
        """Publish one change. If it cannot be read, publish a gap instead of ending the feed."""
        try:
            self._publish(change)
        except Exception:
            log.exception("change_unreadable", collection=change["ns"]["coll"], document=str(change["documentKey"]))
            self._hub.publish_gap()

    def _publish_programme(self, document: Mapping[str, Any]) -> None:
        """Publish a programme version. If it cannot be read (a newer gateway wrote it), keep the running version."""
        try:
            self._on_programme(document)
        except Exception:
            log.exception("programme_unreadable", programme=document["_id"])

    def _publish(self, change: Mapping[str, Any]) -> None:
        document = change["fullDocument"]
        if change["ns"]["coll"] == self._db.programmes.name:
            self._publish_programme(document)
            self._behind = True  # its catalogue may not be loaded yet
            return
        if change["ns"]["coll"] == self._db.catalogue.name:
            self._on_item(document)
            return
        if change["ns"]["coll"] == self._db.used_credentials.name:
            self._hub.publish_pass_use(document.get("member"))
            return
        if not self._hub.has_watchers(change["documentKey"]["_id"]):
            return
        if "wallTime" in change:  # since MongoDB 6.0
            self._on_lag(max(0.0, (datetime.now(UTC) - change["wallTime"]).total_seconds()))
        self._hub.publish(snapshot_of(document))
