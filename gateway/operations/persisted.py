"""Find the operation of a request, on every transport: the client sends its text, or its name.

A name is `documentId` (the draft of GraphQL over HTTP) or the hash in `extensions.persistedQuery` (Apollo's clients).
It is looked up among the registered operations, then in the cache of texts that arrived with their hash. If only
registered operations may run, the brand's back ends and staff tools may still send their own texts; other callers
cannot run texts from that cache.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from cachetools import LRUCache
from graphql import GraphQLError

from gateway.observability.metrics import Metrics
from gateway.operations.executor import Executor, GraphQLRequest, InvalidOperation, Operation
from gateway.operations.manifest import SHA256_PREFIX, Manifest, sha256_hex
from resolvers.core.actor import Actor, Role
from resolvers.core.operation_error import BadInput, Forbidden, UnknownOperation

TRUSTED_ROLES = frozenset({Role.TILL, Role.AGENT, Role.MANAGER, Role.SERVICE})
CACHED_TEXTS_MAX = 1000
CACHED_CHARACTERS_MAX = 1_000_000
REPORTED_ID_LENGTH_MAX = 100
# Apollo's clients send the text when they get exactly this message.
APOLLO_NOT_FOUND = "PersistedQueryNotFound"


@dataclass(frozen=True, slots=True)
class RequestParameters:
    """The parameters of a request on any transport: a text, a documentId, or a hash with or without its text."""

    query: str | None
    document_id: str | None = None
    sha256: str | None = None
    operation_name: str | None = None
    variables: Mapping[str, Any] | None = None


def texts_by_hash() -> LRUCache[str, str]:
    """Return a cache of the texts that were sent with their hash, bounded in number and in characters."""
    size_min = CACHED_CHARACTERS_MAX // CACHED_TEXTS_MAX
    return LRUCache(CACHED_CHARACTERS_MAX, getsizeof=lambda text: max(len(text), size_min))


class Operations:
    """Looks up the operations of requests, and decides which may run; one per process."""

    def __init__(self, executor: Executor, manifest: Manifest, metrics: Metrics, *, only_registered: bool) -> None:
        self._executor: Final = executor
        self._manifest: Final = manifest
        self._only_registered: Final = only_registered
        self._texts: Final = texts_by_hash()
        self._metrics: Final = metrics
        for name in manifest.names():
            metrics.know_operation(name)

    def prepare(self, parameters: RequestParameters, actor: Actor | None, *, streamed: bool = True) -> Operation:
        """Return the operation of a request; `streamed`: the transport can send several results.

        Raises:
            InvalidOperation: it is unknown, forbidden, or cannot be executed.
        """
        text = self._text(parameters, actor)
        request = GraphQLRequest(text, parameters.operation_name, parameters.variables)
        operation = self._executor.prepare(request, anonymous=actor is None, streamed=streamed)
        if parameters.sha256 is not None and parameters.query is not None:
            self._cache(parameters.sha256, text)
        if actor is not None and actor.role in TRUSTED_ROLES:
            self._metrics.know_operation(operation.name)
        return operation

    def _cache(self, sha256: str, text: str) -> None:
        """Cache a text that came with its hash; one that is larger than the whole cache is sent again each time."""
        if sha256 not in self._texts and len(text) <= CACHED_CHARACTERS_MAX:
            self._texts[sha256] = text

    def _text(self, parameters: RequestParameters, actor: Actor | None) -> str:
        is_trusted = actor is not None and actor.role in TRUSTED_ROLES
        may_send_texts = is_trusted or not self._only_registered
        if parameters.query is None:
            return self._named(parameters, may_send_texts=may_send_texts)
        if not may_send_texts and not self._manifest.contains(parameters.query):
            self._metrics.count_document("refused")
            raise InvalidOperation(Forbidden("operation_unregistered"))
        if parameters.sha256 is not None and sha256_hex(parameters.query) != parameters.sha256:
            raise InvalidOperation(BadInput("document_hash_wrong"))
        self._metrics.count_document("own_text" if is_trusted else "text")
        return parameters.query

    def _named(self, parameters: RequestParameters, *, may_send_texts: bool) -> str:
        id_ = parameters.document_id or parameters.sha256 or ""
        registered = self._manifest.find(id_)
        if registered is not None:
            self._metrics.count_document("registered")
            return registered
        # A caller who may not send texts must not run a text that another caller sent.
        cached = self._texts.get(id_.removeprefix(SHA256_PREFIX)) if may_send_texts else None
        if cached is not None:
            self._metrics.count_document("remembered")
            return cached
        self._metrics.count_document("unknown")
        if parameters.document_id is None:
            raise InvalidOperation([GraphQLError(APOLLO_NOT_FOUND, extensions={"code": UnknownOperation.code})])
        raise InvalidOperation(UnknownOperation("document_unknown", id=id_[:REPORTED_ID_LENGTH_MAX]))
