"""GraphQL over HTTP: POST and GET on /graphql, as in the working draft of the specification.

GET runs queries only. Its answers carry an ETag; a request with that ETag gets 304 while the answer is unchanged. A
client that accepts `application/graphql-response+json` gets it, with the status codes of the draft; others get
`application/json`. A browser that opens the path without a query is redirected to the playground.
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
from gateway.config import OperationLimits
from gateway.observability.logs import request_id
from gateway.operations.document_limits import exceeded
from gateway.operations.executor import Answer, InvalidOperation, failure_answer, fault_answer
from gateway.operations.persisted import RequestParameters
from gateway.state import CHANNEL_HEADER, State, address_of
from loyalty.kernel.fast_dataclass import fast_init
from models.reads.dependencies import recording
from resolvers.core.actor import Actor
from resolvers.core.operation_error import (
    Forbidden,
    LimitExceeded,
    OperationError,
    Unauthenticated,
    Unavailable,
    UnknownOperation,
)
from schema.wire.accept import weighted
from schema.wire.error import reported
from schema.wire.json_levels import LEVELS_MAX, deeper_than, may_be_deeper_than
from schema.wire.text import DEFAULT_LOCALE, accepted_locale

JSON = "application/json"
GRAPHQL_RESPONSE = "application/graphql-response+json"
# The media type sent for each one that a client may accept.
RESPONSE_TYPES = {GRAPHQL_RESPONSE: GRAPHQL_RESPONSE, JSON: JSON, "application/*": GRAPHQL_RESPONSE, "*/*": JSON}
NOSNIFF = (b"x-content-type-options", b"nosniff")
"""Forbids browsers to guess another content type."""

HTML = "text/html"
PLAYGROUND = "/playground/"
LENGTH_DIGITS_MAX = 20
VARY = f"accept, accept-language, authorization, {CHANNEL_HEADER}"

log = structlog.get_logger(__name__)


class BadRequest(Exception):  # noqa: N818 - answered with its status
    """The request is not a GraphQL request; `message` says what to send instead."""

    def __init__(self, status: int, message: str, **headers: str) -> None:
        super().__init__(message)
        self.status, self.message, self.headers = status, message, headers


@lru_cache(maxsize=256)  # a few clients send the same few headers
def negotiated_type(accept: str | None) -> str:
    """Return the media type of the response: of our two types, the one that the client prefers.

    Raises:
        BadRequest: the client accepts neither.
    """
    if accept is None or not accept.strip():
        return JSON
    found = [
        (weight, RESPONSE_TYPES[accepted])
        for accepted, weight in weighted(accept)
        if weight > 0 and accepted in RESPONSE_TYPES
    ]
    if not found:
        raise BadRequest(406, f"Accept {GRAPHQL_RESPONSE} or {JSON}.")
    return max(found, key=lambda one: one[0])[1]  # of equal weights, the first


def prefers_html(accept: str | None) -> bool:
    """Return whether the client names HTML, and prefers it to our own types, as browsers do."""
    weights = dict(weighted(accept or ""))
    html = weights.get(HTML, 0.0)
    return html > 0 and all(html > weights.get(own, 0.0) for own in (JSON, GRAPHQL_RESPONSE))


async def limited_body(request: Request, limits: OperationLimits) -> bytes:
    """Return the body of a request, as `_body` does."""
    return await _body(request.receive, request.headers.get("content-length", ""), limits)


def parameters_of(body: Any) -> RequestParameters:
    """Return the parameters in a JSON body, or in a query string parsed to the same form.

    Raises:
        BadRequest: a parameter is missing or has the wrong type.
    """
    if isinstance(body, list):
        raise BadRequest(400, "Send one operation at a time; many events go into one recordEvents.")
    if not isinstance(body, dict):
        raise BadRequest(400, "The body is a JSON object with query or documentId, and optionally variables.")
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
    """Return the text, the documentId and Apollo's hash of a request; only a text and its hash may be sent together."""
    query, document_id, sha256 = body.get("query"), body.get("documentId"), _apollo_hash(persisted)
    if document_id is not None and (not isinstance(document_id, str) or not document_id):
        raise BadRequest(400, "documentId is a string, and not empty.")
    if query == "" and (document_id or sha256):
        query = None  # graphql-transport-ws requires a query, so clients send it empty
    if query is not None and not isinstance(query, str):
        raise BadRequest(400, "query is a string.")
    if document_id is not None and (query is not None or sha256 is not None):
        raise BadRequest(400, "documentId identifies the operation. Leave out query and persistedQuery.")
    if query is None and document_id is None and sha256 is None:
        raise BadRequest(400, "query is missing. Send query, or documentId.")
    return query, document_id, sha256


def _apollo_hash(persisted: Any) -> str | None:
    """Return the hash in Apollo's extension, None if it is not sent."""
    if persisted is None:
        return None
    hash_ = persisted.get("sha256Hash") if isinstance(persisted, dict) and persisted.get("version") == 1 else None
    if not isinstance(hash_, str) or not hash_:
        raise BadRequest(400, 'extensions.persistedQuery is {"version": 1, "sha256Hash": "HASH"}.')
    return hash_


def parameters_of_query(params: QueryParams) -> RequestParameters:
    """Return the parameters in a query string, where variables and extensions are JSON."""
    body: dict[str, Any] = dict(params)
    for name in ("variables", "extensions"):
        if body.get(name):
            body[name] = parsed_json(body[name], name)
        else:
            body.pop(name, None)
    return parameters_of(body)


def parsed_json(text: bytes | str, name: str) -> Any:
    """Return parsed JSON; raise BadRequest if it is invalid or nested too deeply, with `name` in the message.

    Everything that a client sends as JSON is parsed here, on every transport.
    """
    try:
        parsed = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise BadRequest(400, f"{name} is not JSON: {error}.") from None
    if may_be_deeper_than(LEVELS_MAX, text) and deeper_than(LEVELS_MAX, parsed):
        raise BadRequest(400, f"{name} is nested in more than {LEVELS_MAX} levels.")
    return parsed


async def actor_of_request(request: Request, state: State) -> Actor | None:
    """Return the actor of the request's token, None without one; raise Unauthenticated if the token is not valid."""
    token = bearer(request.headers.get("authorization"))
    return await state.verifier.verify(token) if token is not None else None


def locale_of_request(request: Request) -> str | None:
    """Return the served language that the request prefers, or None."""
    return accepted_locale(request.headers.get("accept-language"))


def respond(answer: Answer, status: int, media_type: str = JSON, **headers: str) -> Response:
    """Return an answer as JSON."""
    return _response(orjson.dumps(answer), status, media_type, **headers)


@lru_cache(maxsize=8)
def _common_headers(media_type: str, caching: str) -> tuple[tuple[bytes, bytes], ...]:
    headers = {"content-type": f"{media_type}; charset=utf-8", "cache-control": caching, "vary": VARY}
    return tuple((name.encode(), value.encode()) for name, value in headers.items())


class _Ready(Response):
    """A response whose headers are ready: Starlette would build and look through them for each answer."""

    def __init__(self, body: bytes, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self.body, self.status_code, self.raw_headers, self.background = body, status, headers, None


def _response(body: bytes, status: int, media_type: str, *, caching: str = "no-store", **headers: str) -> Response:
    own = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    length = (b"content-length", b"%d" % len(body))
    return _Ready(body, status, [*own, length, *_common_headers(media_type, caching)])


def bad_request(error: BadRequest, media_type: str = JSON) -> Response:
    """Return the answer to a request that is not a GraphQL request."""
    body = {"errors": [{"message": error.message, "extensions": {"code": "BAD_USER_INPUT"}}]}
    return respond(body, error.status, media_type, **error.headers)


_STATUS = {
    Unauthenticated.code: 401,
    Forbidden.code: 403,
    UnknownOperation.code: 404,
    Unavailable.code: 503,
}


def fault_status(fault: OperationError) -> int:
    """Return the status of a request that a fault refused before its execution."""
    if isinstance(fault, LimitExceeded):
        return {"body": 413, "sockets": 429}.get(fault.limit, 400)
    return _STATUS.get(fault.code, 400)


def invalid_status(invalid: InvalidOperation) -> int:
    """Return the status of a request whose operation cannot be executed."""
    return (
        fault_status(invalid.errors) if isinstance(invalid.errors, OperationError) else _STATUS.get(invalid.code, 400)
    )


def fault_response(fault: OperationError, locale: str | None, media_type: str = JSON) -> Response:
    """Return the answer to a request that a fault refused before its execution."""
    headers = {"www-authenticate": "Bearer"} if isinstance(fault, Unauthenticated) else {}
    return respond(fault_answer(fault, locale or DEFAULT_LOCALE), fault_status(fault), media_type, **headers)


@fast_init
@dataclass(frozen=True, slots=True)
class _RequestHead:
    """The request line and the headers of a request, as far as they matter here."""

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
        """Return the head of a scope's request; of a repeated header, the first counts."""
        headers = {name: value.decode("latin-1") for name, value in reversed(scope["headers"])}
        get = headers.get
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
    """The endpoint of queries and mutations, as a bare ASGI application: every layer would cost every request."""

    METHODS = ("GET", "HEAD", "POST")

    def __init__(self, state: State) -> None:
        self._state = state
        self._limits, self._anonymous_limits = (state.limits.of_caller(anonymous=one) for one in (False, True))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; an error is answered too."""
        head = _RequestHead.of(scope)
        id_ = request_id(head.request_id)
        structlog.contextvars.bind_contextvars(request=id_)
        media_type = JSON
        try:
            media_type = negotiated_type(head.accept)
            response = await self._answer(head, media_type, receive)
        except ClientDisconnect:
            return
        except BadRequest as error:
            if head.method != "POST" and not head.query and prefers_html(head.accept):
                response = Response(None, 307, {"location": PLAYGROUND, "cache-control": "no-store", "vary": VARY})
            else:
                response = bad_request(error, media_type)
        except InvalidOperation as error:
            status = invalid_status(error) if media_type != JSON else 200
            response = respond(error.answer(head.locale or DEFAULT_LOCALE), status, media_type)
        except OperationError as fault:
            response = fault_response(fault, head.locale, media_type)
        except Exception as error:  # noqa: BLE001 - the caller gets an id, the log has the details
            response = respond(failure_answer(reported(error), head.locale or DEFAULT_LOCALE), 500, media_type)
        # Here and not in a layer around this one, which would cost every request.
        response.raw_headers += (NOSNIFF, (b"x-request-id", id_.encode("latin-1")))
        await send({"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers})
        await send({"type": "http.response.body", "body": response.body})

    async def _answer(self, head: _RequestHead, media_type: str, receive: Receive) -> Response:
        state, started = self._state, perf_counter()
        text = await self._text(head, receive)
        try:
            token = bearer(head.authorization)
            actor = await state.verifier.verify(token) if token is not None else None
        except OperationError:
            if len(text) <= self._anonymous_limits.body:
                _parameters(head, text)  # raises BadRequest, which takes precedence over an invalid token
            raise
        if actor is None and len(text) > self._anonymous_limits.body:  # with an Authorization header that is blank
            raise exceeded(self._anonymous_limits, "body")
        actor_key = _actor_key(actor) if actor is not None else None
        key = (text, head.method, actor_key, head.locale, head.channel)
        cached = await state.response_cache.get(key)
        if cached is not None:
            state.metrics.count_cached(cached.name, "http", perf_counter() - started)
            return _success(cached.body, head, media_type)
        operation = state.operations.prepare(_parameters(head, text), actor, streamed=False)
        if head.method != "POST" and operation.type is not OperationType.QUERY:
            raise BadRequest(405, "GET runs queries only. Send a mutation with POST.", allow="POST")
        context, turn = state.context(actor, head.locale, head.channel, head.address), state.response_cache.turn
        with recording() as recorded:
            answer = await state.executor.execute(operation, context, "http")
        if "errors" in answer:
            return respond(answer, 200 if "data" in answer or media_type == JSON else 400, media_type)
        body = orjson.dumps(answer)
        if operation.type is OperationType.QUERY:
            state.response_cache.put(key, body, operation.name, turn=turn, recording=recorded, context=context)
        return _success(body, head, media_type)

    async def _text(self, head: _RequestHead, receive: Receive) -> bytes:
        if head.method != "POST":
            return head.query
        if head.content_type != JSON and head.content_type.split(";")[0].strip().lower() != JSON:
            raise BadRequest(415, f"Send the body with Content-Type: {JSON}.")
        return await _body(receive, head.content_length, self._limits if head.authorization else self._anonymous_limits)


def _actor_key(actor: Actor) -> tuple[str | bool | None, ...]:
    """Return everything about an actor that an answer can depend on."""
    return actor.role, actor.programme, actor.subject, actor.member, actor.session, actor.is_proven


def _parameters(head: _RequestHead, text: bytes) -> RequestParameters:
    if head.method != "POST":
        return parameters_of_query(QueryParams(text))
    return parameters_of(parsed_json(text, "The body"))


async def _body(receive: Receive, content_length: str, limits: OperationLimits) -> bytes:
    """Return the body; stop reading past the limit.

    Raises:
        LimitExceeded: it is larger.
        ClientDisconnect: the client disconnected before the end of the body.
    """
    bytes_max = limits.body
    if content_length.isdecimal() and (len(content_length) > LENGTH_DIGITS_MAX or int(content_length) > bytes_max):
        raise exceeded(limits, "body")
    chunks: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > bytes_max:
            raise exceeded(limits, "body")
        chunks.append(chunk)
        more = message.get("more_body", False)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _success(body: bytes, head: _RequestHead, media_type: str) -> Response:
    """Return the response of an answer without errors: for GET with its ETag, or 304 if the client sent that ETag."""
    if head.method == "POST":
        return _response(body, 200, media_type)
    etag = f'"{blake2b(body, digest_size=16, person=media_type[-16:].encode()).hexdigest()}"'
    caching = "private, no-cache"
    if head.none_match is not None and (head.none_match.strip() == "*" or etag in entity_tags(head.none_match)):
        return Response(None, 304, {"etag": etag, "cache-control": caching, "vary": VARY})
    return _response(body, 200, media_type, caching=caching, etag=etag)


def entity_tags(none_match: str) -> list[str]:
    """Return the ETags of an If-None-Match header without `W/`, for weak comparison (RFC 9110, 13.1.2)."""
    return [tag.strip().removeprefix("W/") for tag in none_match.split(",")]
