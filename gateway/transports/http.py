"""GraphQL over HTTP: POST and GET on /graphql, as the specification's working draft says it.

GET runs queries only, and its answers carry an ETag: who sends it back is told 304 while nothing has changed. The
answer is `application/graphql-response+json` for who accepts it (with status codes that mean something), else
`application/json`.
"""

from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from time import perf_counter
from typing import Any, Self

import orjson
import structlog
from graphql import OperationType
from starlette.datastructures import QueryParams
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gateway.auth.verifier import bearer
from gateway.observability.logs import request_id
from gateway.operations.executor import Answer, InvalidOperation, failure_answer, fault_answer
from gateway.operations.persisted import RequestParameters
from gateway.state import CHANNEL_HEADER, State, address_of
from models.reads.dependencies import recording
from resolvers.core.actor import Actor
from resolvers.core.fault import DocumentUnknown, Fault, Forbidden, LimitExceeded, Unauthenticated, Unavailable
from schema.wire.accept import weighted
from schema.wire.error import reported
from schema.wire.text import DEFAULT_LOCALE, accepted_locale

JSON = "application/json"
GRAPHQL_RESPONSE = "application/graphql-response+json"
# What is sent for each media type that a client may accept.
SERVED = {GRAPHQL_RESPONSE: GRAPHQL_RESPONSE, JSON: JSON, "application/*": GRAPHQL_RESPONSE, "*/*": JSON}
VARY = f"accept, accept-language, authorization, {CHANNEL_HEADER}"

log = structlog.get_logger(__name__)


class BadRequest(Exception):  # noqa: N818 - answered with its status
    """A request that is no GraphQL request; `message` says what to send instead."""

    def __init__(self, status: int, message: str, **headers: str) -> None:
        super().__init__(message)
        self.status, self.message, self.headers = status, message, headers


@lru_cache(maxsize=256)  # a few clients send the same few headers
def media_type(accept: str | None) -> str:
    """Return what to answer with: the better of the two types we serve that the client accepts.

    Raises:
        BadRequest: it accepts neither.
    """
    if accept is None or not accept.strip():
        return JSON
    found = [(weight, SERVED[kind]) for kind, weight in weighted(accept) if weight > 0 and kind in SERVED]
    if not found:
        raise BadRequest(406, f"Accept {GRAPHQL_RESPONSE} or {JSON}.")
    return max(found, key=lambda one: one[0])[1]  # the first of those of the same weight


async def limited_body(request: Request, most: int) -> bytes:
    """Return the body of a request, as `_body` does."""
    return await _body(request.receive, request.headers.get("content-length", ""), most)


def _too_large(most: int) -> LimitExceeded:
    return LimitExceeded("body", most=most, setting="CARILLON_LIMIT_BODY")


def parameters_of(body: Any) -> RequestParameters:
    """Return what a JSON body or the query string asks for.

    Raises:
        BadRequest: a parameter is missing or has the wrong type.
    """
    if isinstance(body, list):
        raise BadRequest(400, "Send one operation at a time; many events go into one recordEvents.")
    if not isinstance(body, dict):
        raise BadRequest(400, "The body is a JSON object with query or documentId, and perhaps variables.")
    name, variables, extensions = body.get("operationName"), body.get("variables"), body.get("extensions")
    if name is not None and not isinstance(name, str):
        raise BadRequest(400, "operationName is a string.")
    if variables is not None and not isinstance(variables, dict):
        raise BadRequest(400, "variables is an object.")
    if extensions is not None and not isinstance(extensions, dict):
        raise BadRequest(400, "extensions is an object.")
    query, document_id, sha256 = _named(body, (extensions or {}).get("persistedQuery"))
    return RequestParameters(query, document_id, sha256, name or None, variables)


def _named(body: dict[str, Any], persisted: Any) -> tuple[str | None, str | None, str | None]:
    """Return the text, the documentId and Apollo's hash of a request: a text may come with its hash, no more."""
    query, document_id, sha256 = body.get("query"), body.get("documentId"), _apollo_hash(persisted)
    if document_id is not None and (not isinstance(document_id, str) or not document_id):
        raise BadRequest(400, "documentId is a string, and not empty.")
    if query == "" and (document_id or sha256):
        query = None  # clients of graphql-transport-ws cannot leave it out
    if query is not None and not isinstance(query, str):
        raise BadRequest(400, "query is no string.")
    if document_id is not None and (query is not None or sha256 is not None):
        raise BadRequest(400, "documentId stands for the operation by itself. Leave out query and persistedQuery.")
    if query is None and document_id is None and sha256 is None:
        raise BadRequest(400, "query is missing. Send query, or documentId.")
    return query, document_id, sha256


def _apollo_hash(persisted: Any) -> str | None:
    """Return the hash of Apollo's extension, where there is one."""
    if persisted is None:
        return None
    hash_ = persisted.get("sha256Hash") if isinstance(persisted, dict) and persisted.get("version") == 1 else None
    if not isinstance(hash_, str) or not hash_:
        raise BadRequest(400, 'extensions.persistedQuery is {"version": 1, "sha256Hash": "HASH"}.')
    return hash_


def parameters_of_query(params: QueryParams) -> RequestParameters:
    """Return the request of a query string; variables and extensions are JSON in it."""
    body: dict[str, Any] = dict(params)
    for name in ("variables", "extensions"):
        if body.get(name):
            body[name] = parsed_json(body[name], name)
        else:
            body.pop(name, None)
    return parameters_of(body)


def parsed_json(text: bytes | str, name: str) -> Any:
    """Return parsed JSON; raises BadRequest where it is none."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise BadRequest(400, f"{name} is not JSON: {error}.") from None


async def actor_of_request(request: Request, state: State) -> Actor | None:
    """Return who asks; None where no token is sent. Raises Unauthenticated for a token that is not valid."""
    token = bearer(request.headers.get("authorization"))
    return await state.verifier.verify(token) if token is not None else None


def locale_of_request(request: Request) -> str | None:
    """Return the language that the request asks for, or None."""
    return accepted_locale(request.headers.get("accept-language"))


def respond(answer: Answer, status: int, kind: str = JSON, **headers: str) -> Response:
    """Return an answer as JSON."""
    return _response(orjson.dumps(answer), status, kind, **headers)


def _response(body: bytes, status: int, kind: str, **headers: str) -> Response:
    told = {"content-type": f"{kind}; charset=utf-8", "cache-control": "no-store", "vary": VARY, **headers}
    return Response(body, status, told)


def bad_request(error: BadRequest, kind: str = JSON) -> Response:
    """Return the answer to what is no GraphQL request."""
    body = {"errors": [{"message": error.message, "extensions": {"code": "BAD_USER_INPUT"}}]}
    return respond(body, error.status, kind, **error.headers)


_STATUS = {
    Unauthenticated.code: 401,
    Forbidden.code: 403,
    DocumentUnknown.code: 404,
    Unavailable.code: 503,
}


def fault_status(fault: Fault) -> int:
    """Return the status of a request that a fault kept from running at all."""
    if isinstance(fault, LimitExceeded):
        return {"body": 413, "sockets": 429}.get(fault.limit, 400)
    return _STATUS.get(fault.code, 400)


def invalid_status(invalid: InvalidOperation) -> int:
    """Return the status of a request whose operation cannot be executed."""
    return fault_status(invalid.errors) if isinstance(invalid.errors, Fault) else _STATUS.get(invalid.code, 400)


def fault_response(fault: Fault, locale: str | None, kind: str = JSON) -> Response:
    """Return the answer to a request that a fault kept from running at all."""
    headers = {"www-authenticate": "Bearer"} if isinstance(fault, Unauthenticated) else {}
    return respond(fault_answer(fault, locale or DEFAULT_LOCALE), fault_status(fault), kind, **headers)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the headers of a request say."""

    method: str
    query: bytes
    content_type: str
    content_length: str
    accept: str | None
    locale: str | None
    authorization: str | None
    channel: str | None
    request_id: str | None
    none_match: str | None
    address: str | None

    @classmethod
    def of(cls, scope: Scope) -> Self:
        """Return what a scope says; of a header that is sent twice, the first."""
        told = {name: value.decode("latin-1") for name, value in reversed(scope["headers"])}
        get = told.get
        return cls(
            scope["method"],
            scope["query_string"],
            get(b"content-type", ""),
            get(b"content-length", ""),
            get(b"accept"),
            accepted_locale(get(b"accept-language")),
            get(b"authorization"),
            get(_CHANNEL),
            get(b"x-request-id"),
            get(b"if-none-match"),
            address_of(scope),
        )


_CHANNEL = CHANNEL_HEADER.encode()


class GraphQLHttp:
    """The endpoint of queries and mutations: a bare ASGI application, for each request pays for every layer between."""

    METHODS = ("GET", "HEAD", "POST")

    def __init__(self, state: State) -> None:
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; whatever goes wrong is answered too."""
        asked = _Asked.of(scope)
        id_ = request_id(asked.request_id)
        structlog.contextvars.bind_contextvars(request=id_)
        kind = JSON
        try:
            kind = media_type(asked.accept)
            response = await self._answer(asked, kind, receive)
        except ClientDisconnect:
            return
        except BadRequest as error:
            response = bad_request(error, kind)
        except InvalidOperation as error:
            status = invalid_status(error) if kind != JSON else 200
            response = respond(error.answer(asked.locale or DEFAULT_LOCALE), status, kind)
        except Fault as fault:
            response = fault_response(fault, asked.locale, kind)
        except Exception as error:  # noqa: BLE001 - the caller gets an id, the log gets the rest
            response = respond(failure_answer(reported(error), asked.locale or DEFAULT_LOCALE), 500, kind)
        response.raw_headers.append((b"x-request-id", id_.encode("latin-1")))
        await send({"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers})
        await send({"type": "http.response.body", "body": response.body})

    async def _answer(self, asked: _Asked, kind: str, receive: Receive) -> Response:
        state, started = self._state, perf_counter()
        text = await self._text(asked, receive)
        try:
            token = bearer(asked.authorization)
            actor = await state.verifier.verify(token) if token is not None else None
        except Fault:
            _parameters(asked, text)  # what is no GraphQL request is told as such, whoever sends it
            raise
        # Everything about the actor that an answer can depend on.
        who = _who(actor) if actor is not None else None
        key = (text, asked.method, who, asked.locale, asked.channel)
        known = await state.response_cache.get(key)
        if known is not None:
            state.metrics.count_cached(known.name, "http", perf_counter() - started)
            return _sent(known.body, asked, kind)
        operation = state.operations.prepare(_parameters(asked, text), actor, streamed=False)
        if asked.method != "POST" and operation.type is not OperationType.QUERY:
            raise BadRequest(405, "GET runs queries only. Send a mutation with POST.", allow="POST")
        context, turn = state.context(actor, asked.locale, asked.channel, asked.address), state.response_cache.turn
        with recording() as recorded:
            answer = await state.executor.execute(operation, context, "http")
        if "errors" in answer:
            return respond(answer, 200 if "data" in answer or kind == JSON else 400, kind)
        body = orjson.dumps(answer)
        if operation.type is OperationType.QUERY:
            state.response_cache.put(key, body, operation.name, turn=turn, recording=recorded, context=context)
        return _sent(body, asked, kind)

    async def _text(self, asked: _Asked, receive: Receive) -> bytes:
        if asked.method != "POST":
            return asked.query
        if asked.content_type != JSON and asked.content_type.split(";")[0].strip().lower() != JSON:
            raise BadRequest(415, f"Send the body with Content-Type: {JSON}.")
        return await _body(receive, asked.content_length, self._state.limits.body)


def _who(actor: Actor) -> tuple[str | None, ...]:
    """Return all of an actor that an answer can depend on."""
    return actor.role, actor.programme, actor.subject, actor.member, actor.session


def _parameters(asked: _Asked, text: bytes) -> RequestParameters:
    if asked.method != "POST":
        return parameters_of_query(QueryParams(text))
    return parameters_of(parsed_json(text, "The body"))


async def _body(receive: Receive, declared: str, most: int) -> bytes:
    """Return the body; stops reading past the limit.

    Raises:
        LimitExceeded: it is larger.
        ClientDisconnect: the client went before it was whole.
    """
    if declared.isdecimal() and int(declared) > most:
        raise _too_large(most)
    chunks: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > most:
            raise _too_large(most)
        chunks.append(chunk)
        more = message.get("more_body", False)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _sent(body: bytes, asked: _Asked, kind: str) -> Response:
    """Return an answer without errors: to GET with what it can be known again by, or 304 where the client has it."""
    if asked.method == "POST":
        return _response(body, 200, kind)
    tag = f'"{blake2b(body, digest_size=16, person=kind[-16:].encode()).hexdigest()}"'
    headers = {"etag": tag, "cache-control": "private, no-cache", "vary": VARY}
    if asked.none_match is not None and (asked.none_match.strip() == "*" or tag in tags(asked.none_match)):
        return Response(None, 304, headers)
    return _response(body, 200, kind, **headers)


def tags(none_match: str) -> list[str]:
    """Return the tags of an If-None-Match header; they are compared weakly (RFC 9110, 13.1.2)."""
    return [tag.strip().removeprefix("W/") for tag in none_match.split(",")]
