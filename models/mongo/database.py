"""The connection to MongoDB: opened, checked and prepared once for each process."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

import pymongo
from beanie import init_beanie
from pymongo import AsyncMongoClient
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import ConfigurationError, OperationFailure, PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.read_preferences import ReadPreference
from pymongo.write_concern import WriteConcern

from models.mongo.all import DOCUMENTS
from models.mongo.collection import Collection
from models.mongo.event import EventDocument
from models.mongo.identity import IdentityDocument
from models.mongo.ledger import RecordDocument
from models.mongo.member import MemberDocument
from models.mongo.order import OrderDocument
from models.mongo.programme import CatalogueDocument, ProgrammeDocument
from models.mongo.replica_set import require_replica_set
from models.mongo.supply import AudienceDocument, CodeDocument, CounterDocument
from models.mongo.tablet import DeviceDocument, SessionDocument, SpentDocument

T = TypeVar("T")

NAMESPACE_EXISTS = 48
MAJORITY = WriteConcern(w="majority", j=True)


class DatabaseUnavailable(Exception):  # noqa: N818 - told to operators and, in other words, to callers
    """MongoDB cannot be reached or used; says what to do."""


class Database:
    """One MongoDB database and its collections.

    All reads are of majority-committed data: what has once been shown cannot be rolled back by a failover.
    """

    def __init__(self, client: AsyncMongoClient[dict[str, Any]], name: str) -> None:
        self.client = client
        self.db: AsyncDatabase[dict[str, Any]] = client.get_database(
            name, read_concern=ReadConcern("majority"), write_concern=MAJORITY
        )
        self.members = self._collection(MemberDocument)
        self.entries = self._collection(RecordDocument)
        self.events = self._collection(EventDocument)
        self.identities = self._collection(IdentityDocument)
        self.programmes = self._collection(ProgrammeDocument)
        self.catalogue = self._collection(CatalogueDocument)
        self.orders = self._collection(OrderDocument)
        self.counters = self._collection(CounterDocument)
        self.codes = self._collection(CodeDocument)
        self.audiences = self._collection(AudienceDocument)
        self.devices = self._collection(DeviceDocument)
        self.sessions = self._collection(SessionDocument)
        self.spent = self._collection(SpentDocument)
        self.marks = Collection(self.db, "marks")

    def _collection(self, document: type[Any]) -> Collection:
        return Collection(self.db, document.Settings.name)

    async def prepare(self) -> None:
        """Create collections, validators and indexes where they are missing; refuse a server that is no replica set.

        Raises:
            NotAReplicaSet: transactions and change streams need one.
            DatabaseUnavailable: the server cannot be reached.
        """
        try:
            require_replica_set(await self.client.admin.command("hello"))
            existing = set(await self.db.list_collection_names())
            for document in DOCUMENTS:
                await self._ensure_collection(document.Settings.name, document.validator, existing)
            await init_beanie(database=self.db, document_models=[*DOCUMENTS])
        except PyMongoError as error:
            raise DatabaseUnavailable(f"MongoDB cannot be used: {error}") from error

    async def _ensure_collection(self, name: str, validator: Mapping[str, Any], existing: set[str]) -> None:
        if name not in existing:
            try:
                await self.db.create_collection(name, check_exists=False, validator=validator)
            except OperationFailure as error:
                if error.code != NAMESPACE_EXISTS:  # another gateway was first, with the same validator
                    raise
            else:
                return
        await self.db.command("collMod", name, validator=validator)

    async def transact(self, act: Callable[[AsyncClientSession], Awaitable[T]], *, seconds_max: float) -> T:
        """Run `act` in a transaction, again where it conflicts; return what it returned, durable on a majority.

        What it reads is of one moment. What it raises undoes it.

        Raises:
            PyMongoError: it did not come about within `seconds_max`, with all its retries.
        """
        # Left to itself, with_transaction() goes on trying for two minutes.
        with pymongo.timeout(seconds_max):
            async with self.client.start_session() as session:
                return await session.with_transaction(
                    act,
                    read_concern=ReadConcern("snapshot"),
                    write_concern=MAJORITY,
                    read_preference=ReadPreference.PRIMARY,
                )

    async def has_primary(self) -> bool:
        """Say whether MongoDB takes writes now."""
        try:
            hello = await self.client.admin.command("hello")
        except PyMongoError:
            return False
        return bool(hello.get("isWritablePrimary"))

    async def close(self) -> None:
        """Close every connection."""
        await self.client.close()


def connect(url: str, *, name: str = "carillon", pool_size_max: int = 100, timeout_ms: int = 5000) -> Database:
    """Return the database at `url`; nothing is sent yet.

    The database is the one that the URL names, else `name`; and what it says of the pool and of waiting holds.

    Raises:
        DatabaseUnavailable: the URL is no MongoDB URL.
    """
    try:
        # PyMongo lets an argument overrule the URL.
        decided = {option.lower() for option, _ in parse_qsl(urlsplit(url).query)}
        usual: dict[str, Any] = {
            "appname": "carillon",
            "maxPoolSize": pool_size_max,
            "serverSelectionTimeoutMS": timeout_ms,
            "connectTimeoutMS": timeout_ms,
        }
        client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(
            url, tz_aware=True, **{option: value for option, value in usual.items() if option.lower() not in decided}
        )
    except (ConfigurationError, ValueError) as error:
        raise DatabaseUnavailable(f"not a MongoDB URL: {error}; write mongodb://HOST:PORT/?replicaSet=NAME") from error
    default = client.get_default_database(name)
    return Database(client, default.name)
