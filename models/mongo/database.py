"""Opens, checks and prepares the connection to MongoDB, once per process."""

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

from models.mongo.all import documents
from models.mongo.collection import Collection
from models.mongo.commit import CommitDocument
from models.mongo.identity import IdentityDocument
from models.mongo.ledger import RecordDocument
from models.mongo.member import MemberDocument
from models.mongo.order import OrderDocument
from models.mongo.programme import CatalogueDocument, ProgrammeDocument
from models.mongo.receipt import ReceiptDocument
from models.mongo.replica_set import require_replica_set
from models.mongo.supply import AudienceDocument, CodeDocument, CounterDocument
from models.mongo.tablet import DeviceDocument, SessionDocument, UsedCredentialDocument

T = TypeVar("T")

NAMESPACE_EXISTS = 48
MAJORITY = WriteConcern(w="majority", j=True)


class DatabaseUnavailable(Exception):  # noqa: N818 - shown to operators; callers get a text from the catalogue
    """MongoDB cannot be reached or used; the message says why."""


class Database:
    """One MongoDB database and its collections: those below that many files use, and any other with `collection()`.

    All reads use read concern `majority`, so that a failover cannot roll back data that a caller has seen.
    """

    def __init__(self, client: AsyncMongoClient[dict[str, Any]], name: str) -> None:
        self.client = client
        self.db: AsyncDatabase[dict[str, Any]] = client.get_database(
            name, read_concern=ReadConcern("majority"), write_concern=MAJORITY
        )
        self.members = self.collection(MemberDocument)
        self.commits = self.collection(CommitDocument)
        self.records = self.collection(RecordDocument)
        self.identities = self.collection(IdentityDocument)
        self.receipts = self.collection(ReceiptDocument)
        self.programmes = self.collection(ProgrammeDocument)
        self.catalogue = self.collection(CatalogueDocument)
        self.orders = self.collection(OrderDocument)
        self.counters = self.collection(CounterDocument)
        self.codes = self.collection(CodeDocument)
        self.audiences = self.collection(AudienceDocument)
        self.devices = self.collection(DeviceDocument)
        self.sessions = self.collection(SessionDocument)
        self.used_credentials = self.collection(UsedCredentialDocument)
        self.marks = Collection(self.db, "marks")

    def collection(self, document: type[Any]) -> Collection:
        """Return the collection of a document class."""
        return Collection(self.db, document.Settings.name)

    async def prepare(self) -> None:
        """Create missing collections and indexes, and install the validators.

        Raises:
            NotAReplicaSet: the server is not in a replica set, which transactions and change streams need.
            DatabaseUnavailable: the server cannot be reached.
        """
        try:
            require_replica_set(await self.client.admin.command("hello"))
            existing = set(await self.db.list_collection_names())
            for document in documents():
                await self._ensure_collection(document.Settings.name, document.validator, existing)
            await init_beanie(database=self.db, document_models=[*documents()])
        except PyMongoError as error:
            raise DatabaseUnavailable(f"MongoDB cannot be used: {error}") from error

    async def _ensure_collection(self, name: str, validator: Mapping[str, Any], existing: set[str]) -> None:
        if name not in existing:
            try:
                await self.db.create_collection(name, check_exists=False, validator=validator)
            except OperationFailure as error:
                if error.code != NAMESPACE_EXISTS:  # another gateway created it first, with the same validator
                    raise
            else:
                return
        await self.db.command("collMod", name, validator=validator)

    async def transact(self, body: Callable[[AsyncClientSession], Awaitable[T]], *, seconds_max: float) -> T:
        """Run `body` in a transaction and return its result, durable on a majority; run it again after a conflict.

        It reads from one snapshot. An exception from `body` aborts the transaction.

        Raises:
            PyMongoError: it did not commit within `seconds_max`, retries included.
        """
        # Without a timeout, with_transaction() retries for two minutes.
        with pymongo.timeout(seconds_max):
            async with self.client.start_session() as session:
                return await session.with_transaction(
                    body,
                    read_concern=ReadConcern("snapshot"),
                    write_concern=MAJORITY,
                    read_preference=ReadPreference.PRIMARY,
                )

    async def has_primary(self) -> bool:
        """Return whether MongoDB accepts writes now."""
        try:
            hello = await self.client.admin.command("hello")
        except PyMongoError:
            return False
        return bool(hello.get("isWritablePrimary"))

    async def close(self) -> None:
        """Close every connection."""
        await self.client.close()


def connect(url: str, *, name: str = "carillon", pool_size_max: int = 100, timeout_ms: int = 5000) -> Database:
    """Return the database at `url` without connecting yet.

    The database is the one that the URL names, or else `name`. The URL's pool and timeout options override the
    arguments.

    Raises:
        DatabaseUnavailable: it is not a MongoDB URL.
    """
    try:
        # In PyMongo, keyword arguments override the URL: pass only those that the URL does not set.
        in_url = {option.lower() for option, _ in parse_qsl(urlsplit(url).query)}
        defaults: dict[str, Any] = {
            "appname": "carillon",
            "maxPoolSize": pool_size_max,
            "serverSelectionTimeoutMS": timeout_ms,
            "connectTimeoutMS": timeout_ms,
        }
        client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(
            url, tz_aware=True, **{option: value for option, value in defaults.items() if option.lower() not in in_url}
        )
    except (ConfigurationError, ValueError) as error:
        raise DatabaseUnavailable(f"not a MongoDB URL: {error}; write mongodb://HOST:PORT/?replicaSet=NAME") from error
    default = client.get_default_database(name)
    return Database(client, default.name)
