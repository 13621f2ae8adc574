"""GraphQL over HTTP: POST and GET on /graphql, as the specification's working draft says it.

GET runs queries only. The answer is `application/graphql-response+json` for who accepts it (with status codes that mean
something), else `application/json`.
"""

from typing import Any

import orjson
import structlog
from graphql import OperationType
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from gateway.auth import bearer
from gateway.execution import Answer, GraphQLRequest, InvalidOperation, fault_answer
from gateway.logs import request_id
from gateway.state import CHANNEL_HEADER, State
from resolvers.actor import Actor
from resolvers.fault import Fault, LimitExceeded, Unauthenticated
from schema.error import reported
from schema.text import DEFAULT_LOCALE, accepted_locale, sentence

JSON = "application/json"
GRAPHQL_RESPONSE = "application/graphql-response+json"
ACCEPT_LENGTH_MAX = 1000

log = structlog.get_logger(__name__)


class BadRequest(Exception):  # noqa: N818 - answered with its status
    """A request that is no GraphQL request; `message` says what to send instead."""

    def __init__(self, status: int, message: str, **headers: str) -> None:
        super().__init__(message)
        self.status, self.message, self.headers = status, message, headers


def media_type(accept: str | None) -> str:
    """Return what to answer with: the better of the two types we serve that the client accepts.

    Raises:
        BadRequest: it accepts neither.
    """
    if accept is None or not accept.strip():
        return JSON
    best: tuple[float, str] | None = None
    for part in accept[:ACCEPT_LENGTH_MAX].split(","):
        kind, *parameters = (piece.strip().lower() for piece in part.split(";"))
        quality = next((_quality(p[2:]) for p in parameters if p.startswith("q=")), 1.0)
        served = {GRAPHQL_RESPONSE: GRAPHQL_RESPONSE, JSON: JSON, "application/*": GRAPHQL_RESPONSE, "*/*": JSON}.get(
            kind
        )
        if served is not None and quality > 0 and (best is None or quality > best[0]):
            best = (quality, served)
    if best is None:
        raise BadRequest(406, f"Accept {GRAPHQL_RESPONSE} or {JSON}.")
    return best[1]


def _quality(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


async def limited_body(request: Request, most: int) -> bytes:
    """Return the body; stops reading past the limit.

    Raises:
        LimitExceeded: it is larger.
    """
    fault = LimitExceeded("body", most=most, setting="CARILLON_LIMIT_BODY")
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > most:
        raise fault
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > most:
            raise fault
        chunks.append(chunk)
    return b"".join(chunks)


def parameters_of(body: Any) -> GraphQLRequest:
    """Return the request that a JSON body or the query string describes.

    Raises:
        BadRequest: a parameter is missing or has the wrong type.
    """
    if isinstance(body, list):
        raise BadRequest(400, "Send one operation at a time; many events go into one recordEvents.")
    if not isinstance(body, dict):
        raise BadRequest(400, "The body is a JSON object with query, and optionally operationName and variables.")
    query, name, variables = body.get("query"), body.get("operationName"), body.get("variables")
    if not isinstance(query, str):
        raise BadRequest(400, "query is missing, or is no string.")
    if name is not None and not isinstance(name, str):
        raise BadRequest(400, "operationName is a string.")
    if variables is not None and not isinstance(variables, dict):
        raise BadRequest(400, "variables is an object.")
    extensions = body.get("extensions")
    if extensions is not None and not isinstance(extensions, dict):
        raise BadRequest(400, "extensions is an object.")
    return GraphQLRequest(query, name or None, variables)


def parameters_of_query(params: QueryParams) -> GraphQLRequest:
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


async def request_parameters(request: Request, body_max: int) -> GraphQLRequest:
    """Return what a GET or POST asks for."""
    if request.method == "GET":
        return parameters_of_query(request.query_params)
    content_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if content_type != JSON:
        raise BadRequest(415, f"Send the body with Content-Type: {JSON}.")
    return parameters_of(parsed_json(await limited_body(request, body_max), "The body"))


async def actor_of_request(request: Request, state: State) -> Actor | None:
    """Return who asks; None where no token is sent. Raises Unauthenticated for a token that is not valid."""
    token = bearer(request.headers.get("authorization"))
    return await state.verifier.verify(token) if token is not None else None


def locale_of_request(request: Request) -> str | None:
    """Return the language that the request asks for, or None."""
    return accepted_locale(request.headers.get("accept-language"))


def respond(answer: Answer, status: int, kind: str = JSON, **headers: str) -> Response:
    """Return an answer as JSON."""
    return Response(
        orjson.dumps(answer),
        status,
        {
            "content-type": f"{kind}; charset=utf-8",
            "cache-control": "no-store",
            "vary": "accept, accept-language, authorization",
            **headers,
        },
    )


def bad_request(error: BadRequest, kind: str = JSON) -> Response:
    """Return the answer to what is no GraphQL request."""
    body = {"errors": [{"message": error.message, "extensions": {"code": "BAD_USER_INPUT"}}]}
    return respond(body, error.status, kind, **error.headers)


def fault_status(fault: Fault) -> int:
    """Return the status of a request that a fault kept from running at all."""
    if isinstance(fault, LimitExceeded):
        return {"body": 413, "sockets": 429}.get(fault.limit, 400)
    return {"UNAUTHENTICATED": 401, "FORBIDDEN": 403, "UNAVAILABLE": 503}.get(fault.code, 400)


def fault_response(fault: Fault, locale: str | None, kind: str = JSON) -> Response:
    """Return the answer to a request that a fault kept from running at all."""
    headers = {"www-authenticate": "Bearer"} if isinstance(fault, Unauthenticated) else {}
    return respond(fault_answer(fault, locale or DEFAULT_LOCALE), fault_status(fault), kind, **headers)


class GraphQLHttp:
    """The endpoint of queries and mutations."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def handle(self, request: Request) -> Response:
        """Answer one request; whatever goes wrong is answered too."""
        id_ = request_id(request.headers.get("x-request-id"))
        structlog.contextvars.bind_contextvars(request=id_)
        locale = locale_of_request(request)
        kind = JSON
        try:
            kind = media_type(request.headers.get("accept"))
            response = await self._answer(request, locale, kind)
        except BadRequest as error:
            response = bad_request(error, kind)
        except Fault as fault:
            response = fault_response(fault, locale, kind)
        except Exception as error:  # noqa: BLE001 - the caller gets an id, the log gets the rest
            failure = reported(error)
            message = sentence("faults", "internal", locale or DEFAULT_LOCALE, {"id": failure})
            body = {"errors": [{"message": message, "extensions": {"code": "INTERNAL", "id": failure}}]}
            response = respond(body, 500, kind)
        finally:
            structlog.contextvars.unbind_contextvars("request")
        response.headers["x-request-id"] = id_
        return response

    async def _answer(self, request: Request, locale: str | None, kind: str) -> Response:
        strict = kind == GRAPHQL_RESPONSE
        parameters = await request_parameters(request, self._state.limits.body)
        actor = await actor_of_request(request, self._state)
        executor = self._state.executor
        try:
            operation = executor.prepare(parameters, streamed=False)
        except InvalidOperation as error:
            status = fault_status(error.errors) if isinstance(error.errors, Fault) else 400
            return respond(error.answer(locale or DEFAULT_LOCALE), status if strict else 200, kind)
        if request.method == "GET" and operation.type is not OperationType.QUERY:
            raise BadRequest(405, "GET runs queries only. Send a mutation with POST.", allow="POST")
        context = self._state.context(actor, locale, request.headers.get(CHANNEL_HEADER))
        answer = await executor.execute(operation, context, "http")
        return respond(answer, 200 if "data" in answer or not strict else 400, kind)
