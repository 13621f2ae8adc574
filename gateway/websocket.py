"""Live operations on a WebSocket: the graphql-transport-ws protocol.

The token comes in `connection_init` as `{"Authorization": "Bearer TOKEN"}` (or in the handshake's header). The socket
is closed with 4403 when the token ends, and with 1012 when the gateway drains: clients reconnect with `after`.
"""

import asyncio
from contextlib import aclosing, suppress
from typing import Any

import orjson
import structlog
from graphql import OperationType
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from gateway.auth import bearer
from gateway.clock import now
from gateway.execution import Answer, GraphQLRequest, InvalidOperation, cancelled, fault_answer
from gateway.http import BadRequest, parameters_of
from gateway.logs import request_id
from gateway.state import CHANNEL_HEADER, State
from resolvers.actor import Actor
from resolvers.fault import Fault, LimitExceeded
from schema.error import reported
from schema.text import DEFAULT_LOCALE, accepted_locale, sentence

PROTOCOL = "graphql-transport-ws"
INIT_TIMEOUT_SECONDS = 5
REASON_BYTES_MAX = 120

BAD_MESSAGE, UNAUTHORIZED, FORBIDDEN, NO_PROTOCOL, INIT_TIMEOUT = 4400, 4401, 4403, 4406, 4408
SUBSCRIBER_EXISTS, TOO_MANY, INTERNAL, RESTART = 4409, 4429, 4500, 1012

log = structlog.get_logger(__name__)


class _Close(Exception):  # noqa: N818 - ends one socket
    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


class _Session:
    """One socket from its first message to its last."""

    def __init__(self, websocket: WebSocket, state: State) -> None:
        self._socket = websocket
        self._state = state
        self._actor: Actor | None = None
        self._locale: str | None = None
        self._channel: str | None = None
        self._operations: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Speak the protocol until either side closes."""
        try:
            async with asyncio.timeout(INIT_TIMEOUT_SECONDS):
                await self._init(await self._first())
        except TimeoutError:
            raise _Close(INIT_TIMEOUT, "Connection initialisation timeout") from None
        address = self._socket.client.host if self._socket.client else ""
        try:
            with self._state.connections.opened("websocket", self._actor, address):
                await self._send({"type": "connection_ack"})
                await self._serve()
        except LimitExceeded as fault:
            raise _Close(TOO_MANY, f"{fault.code}: {self._words(fault)}") from None

    async def _serve(self) -> None:
        reading = asyncio.create_task(self._read_all())
        leaving = asyncio.create_task(self._state.connections.leaving.wait())
        try:
            done, _ = await asyncio.wait(
                {reading, leaving}, timeout=self._seconds_left(), return_when=asyncio.FIRST_COMPLETED
            )
            if reading in done:
                await reading
            elif leaving in done:
                raise _Close(RESTART, "Service restart: reconnect, and bring `after`")
            else:
                raise _Close(FORBIDDEN, "Forbidden: the token has expired")
        finally:
            await cancelled([reading, leaving, *self._operations.values()])

    def _seconds_left(self) -> float | None:
        if self._actor is None:
            return None
        return max(0.0, (self._actor.expires_at - now()).total_seconds())

    async def _receive(self) -> dict[str, Any]:
        message = await self._socket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message["code"])
        text = message.get("text")
        if text is None:
            raise _Close(BAD_MESSAGE, "Send messages as text")
        if len(text) > self._state.limits.body:
            raise _Close(BAD_MESSAGE, f"LIMIT_EXCEEDED: a message has at most {self._state.limits.body} bytes")
        try:
            parsed = orjson.loads(text)
        except orjson.JSONDecodeError:
            raise _Close(BAD_MESSAGE, "Messages are JSON") from None
        if not isinstance(parsed, dict) or not isinstance(parsed.get("type"), str):
            raise _Close(BAD_MESSAGE, "Messages are objects with a type")
        return parsed

    async def _send(self, message: dict[str, Any]) -> None:
        # Whoever is gone gets nothing: the reader learns of it too, and ends the session.
        if self._socket.application_state is WebSocketState.CONNECTED:
            with suppress(WebSocketDisconnect):
                # Text, not bytes: clients of the protocol do not read binary frames.
                await self._socket.send_text(orjson.dumps(message).decode())

    async def _first(self) -> dict[str, Any]:
        """Return connection_init; what may come at any time may come before it."""
        while (message := await self._receive())["type"] != "connection_init":
            if message["type"] == "subscribe":
                raise _Close(UNAUTHORIZED, "Unauthorized: connection_init comes first")
            await self._answer(message)
        return message

    async def _init(self, message: dict[str, Any]) -> None:
        told = {str(key).lower(): value for key, value in self._payload(message).items() if isinstance(value, str)}
        headers = self._socket.headers
        self._locale = accepted_locale(told.get("accept-language") or headers.get("accept-language"))
        self._channel = told.get(CHANNEL_HEADER) or headers.get(CHANNEL_HEADER)
        try:
            token = bearer(told.get("authorization") or headers.get("authorization"))
            self._actor = await self._state.verifier.verify(token) if token is not None else None
        except Fault as fault:
            raise _Close(FORBIDDEN, f"Forbidden: {self._words(fault)}") from None

    async def _read_all(self) -> None:
        while True:
            message = await self._receive()
            match message["type"]:
                case "subscribe":
                    await self._subscribe(message)
                case "connection_init":
                    raise _Close(TOO_MANY, "Too many initialisation requests")
                case _:
                    await self._answer(message)

    async def _answer(self, message: dict[str, Any]) -> None:
        """Answer a message that may come at any time."""
        match message["type"]:
            case "ping":
                payload = self._payload(message)
                await self._send({"type": "pong", "payload": payload} if payload else {"type": "pong"})
            case "pong":
                self._payload(message)
            case "complete":
                await self._complete(message)
            case _:
                raise _Close(BAD_MESSAGE, "Unknown type of message")

    def _payload(self, message: dict[str, Any]) -> dict[str, Any]:
        payload = message.get("payload")
        if payload is not None and not isinstance(payload, dict):
            raise _Close(BAD_MESSAGE, f"The payload of {message['type']} is an object")
        return payload or {}

    def _id(self, message: dict[str, Any]) -> str:
        id_ = message.get("id")
        if not isinstance(id_, str) or not id_:
            raise _Close(BAD_MESSAGE, "The message needs an id")
        return id_

    async def _subscribe(self, message: dict[str, Any]) -> None:
        id_ = self._id(message)
        try:
            request = parameters_of(message.get("payload"))
        except BadRequest as error:
            raise _Close(BAD_MESSAGE, error.message) from None
        if id_ in self._operations:
            raise _Close(SUBSCRIBER_EXISTS, f"Subscriber for {id_} already exists")
        if len(self._operations) >= self._state.limits.operations:
            most = self._state.limits.operations
            await self._refuse(id_, LimitExceeded("operations", most=most, setting="CARILLON_LIMIT_OPERATIONS"))
            return
        self._operations[id_] = asyncio.create_task(self._operate(id_, request))

    async def _complete(self, message: dict[str, Any]) -> None:
        task = self._operations.pop(self._id(message), None)
        if task is not None:
            await cancelled([task])

    async def _operate(self, id_: str, request: GraphQLRequest) -> None:
        """Run one operation. What is wrong with it ends it alone, never the socket."""
        try:
            completed = await self._results(id_, request)
        except InvalidOperation as error:
            await self._send({"id": id_, "type": "error", "payload": error.answer(self._spoken())["errors"]})
        except Fault as fault:
            await self._refuse(id_, fault)
        except Exception as error:  # noqa: BLE001 - the caller gets an id, the log gets the rest
            failure = reported(error)
            words = sentence("faults", "internal", self._spoken(), {"id": failure})
            body = [{"message": words, "extensions": {"code": "INTERNAL", "id": failure}}]
            await self._send({"id": id_, "type": "error", "payload": body})
        else:
            if completed:
                await self._send({"id": id_, "type": "complete"})
        finally:
            if self._operations.get(id_) is asyncio.current_task():
                del self._operations[id_]

    async def _results(self, id_: str, request: GraphQLRequest) -> bool:
        """Send every result; False where the last one was an error, which ends an operation by itself."""
        executor = self._state.executor
        operation = executor.prepare(request)
        context = self._state.context(self._actor, self._locale, self._channel)
        if operation.type is not OperationType.SUBSCRIPTION:
            return await self._next(id_, await executor.execute(operation, context, "websocket"))
        async with aclosing(executor.subscribe(operation, context, "websocket")) as answers:
            async for answer in answers:
                if not await self._next(id_, answer):
                    return False
        return True

    async def _next(self, id_: str, answer: Answer) -> bool:
        ran = "data" in answer
        kind, payload = ("next", answer) if ran else ("error", answer["errors"])
        await self._send({"id": id_, "type": kind, "payload": payload})
        return ran

    async def _refuse(self, id_: str, fault: Fault) -> None:
        payload = fault_answer(fault, self._spoken())["errors"]
        await self._send({"id": id_, "type": "error", "payload": payload})

    def _words(self, fault: Fault) -> str:
        return str(fault_answer(fault, self._spoken())["errors"][0]["message"])

    def _spoken(self) -> str:
        return self._locale or DEFAULT_LOCALE


class GraphQLWebSocket:
    """The endpoint of live operations."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def handle(self, websocket: WebSocket) -> None:
        """Speak with one client until it goes, or has to."""
        if PROTOCOL not in websocket.scope.get("subprotocols", []):
            await websocket.accept()
            await websocket.close(NO_PROTOCOL, f"Subprotocol not acceptable: use {PROTOCOL}")
            return
        await websocket.accept(PROTOCOL)
        structlog.contextvars.bind_contextvars(request=request_id(websocket.headers.get("x-request-id")))
        try:
            await _Session(websocket, self._state).run()
        except WebSocketDisconnect:
            pass
        except _Close as close:
            await _closed(websocket, close.code, close.reason)
        except Exception as error:  # noqa: BLE001 - the log gets what it was
            await _closed(websocket, INTERNAL, f"INTERNAL: {reported(error)}")


async def _closed(websocket: WebSocket, code: int, reason: str) -> None:
    """Close a socket that may be closed already. A reason has at most 123 bytes (RFC 6455)."""
    short = reason.encode()[:REASON_BYTES_MAX].decode(errors="ignore")
    try:
        await websocket.close(code, short)
    except (RuntimeError, WebSocketDisconnect):
        log.debug("socket_gone", code=code)
