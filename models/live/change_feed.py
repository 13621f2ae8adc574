"""Follows MongoDB's change stream: one stream per process, never one per subscriber.

Each committed group of commands is one small document with the versions of its members (models/mongo/commit.py), so a
process pays next to nothing for members that nobody watches here. The snapshots of watched members are still in memory
if this process committed them; otherwise the newest are read, and watchers read skipped versions from the ledger.
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
        collections = (self._db.commits, self._db.programmes, self._db.catalogue, self._db.used_credentials)
        names = [collection.name for collection in collections]
        pipeline = [{"$match": {"ns.coll": {"$in": names}, "operationType": {"$in": ["insert", "replace"]}}}]
        if self._token is None:
            self._behind, self._missed = True, self._opened_before
        database = self._db.db.with_options(codec_options=LENIENT_CODEC)
        self._opening = True
        async with await database.watch(pipeline, resume_after=self._token, max_await_time_ms=AWAIT_MS) as stream:
            self._opening, self._opened_before = False, True
            # The token of the first reply marks the position from which no change is missed.
            delivered = self._token = stream.resume_token or self._token
            is_delivering = False
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
                        is_delivering = True
                        await self._publish_safely(change)
                        delivered, is_delivering = change["_id"], False
                    if self._behind:
                        await self._read_missing()
            finally:
                # A change whose members could not be read is delivered again. The stream's token is read once, at the
                # end, because each read copies it; it is newer than the last change if the stream was idle.
                self._token = delivered if is_delivering else stream.resume_token or self._token

    async def _read_missing(self) -> None:
        """Read what the stream does not deliver: documents stored before it was open, or before their programme."""
        if self._behind:
            async for programme in newest_versions(self._db):
                self._publish_programme(programme)
            await self._catch_up()
            self._behind = False

    async def _publish_safely(self, change: Mapping[str, Any]) -> None:
        """Publish one change. If it makes no sense, publish a gap instead of ending the feed.

        Raises:
            PyMongoError: the database did not answer.
        """
        try:
            await self._publish(change)
        except PyMongoError:
            raise
        except Exception:
            log.exception("change_unreadable", collection=change["ns"]["coll"], document=str(change["documentKey"]))
            self._hub.publish_gap()

    def _publish_programme(self, document: Mapping[str, Any]) -> None:
        """Publish a programme version. If it cannot be read (a newer gateway wrote it), keep the running version."""
        try:
            self._on_programme(document)
        except Exception:
            log.exception("programme_unreadable", programme=document["_id"])

    async def _publish(self, change: Mapping[str, Any]) -> None:
        collection, document = change["ns"]["coll"], change["fullDocument"]
        if collection == self._db.commits.name:
            await self._publish_commit(change, document["members"])
        elif collection == self._db.programmes.name:
            self._publish_programme(document)
            self._behind = True  # its catalogue may not be loaded yet
        elif collection == self._db.catalogue.name:
            self._on_item(document)
        else:
            self._hub.publish_pass_use(document.get("member"))

    async def _publish_commit(self, change: Mapping[str, Any], versions: Mapping[str, int]) -> None:
        """Publish what a group committed: each version that this process wrote, else each member's newest snapshot."""
        written = self._hub.take_written(change["documentKey"]["_id"])
        watched = self._hub.watched(versions)
        if not watched:
            return
        if "wallTime" in change:  # since MongoDB 6.0
            self._on_lag(max(0.0, (datetime.now(UTC) - change["wallTime"]).total_seconds()))
        newest = {snapshot.member.id: snapshot.version for snapshot in written}
        for snapshot in written:
            self._hub.publish(snapshot)
        if unknown := [member for member in watched if newest.get(member, 0) < versions[member]]:
            await self._publish_newest(unknown)

    async def _publish_newest(self, members: list[str]) -> None:
        """Read and publish the newest snapshots of some members, which may be newer than the commit.

        Raises:
            LookupError: a member is gone.
        """
        query = {"_id": {"$in": members}}
        documents = await self._db.members.find(query, batch_size=len(members) + 1).to_list()
        for document in documents:
            self._hub.publish(snapshot_of(document))
        if len(documents) < len(members):
            raise LookupError("a member that a commit names is gone")
