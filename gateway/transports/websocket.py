"""Live operations on a WebSocket: the graphql-transport-ws protocol.

The token comes in `connection_init` as `{"Authorization": "Bearer TOKEN"}` (or in the handshake's header). The socket
is closed with 4403 when the token ends, and with 1012 when the gateway drains: clients reconnect with `after`.

A socket that has nothing but live subscriptions has one task, the reader. The task that broadcasts an update writes it
directly, as a prebuilt frame, if the server supports that (`gateway/transports/frames.py`) and the socket accepts it.
Otherwise a task of the socket sends the waiting updates at its pace.
"""

import asyncio
from collections.abc import Coroutine
from contextlib import aclosing, suppress
from typing import Any

import orjson
import structlog
from graphql import OperationType
from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from gateway.auth.claims import seconds_left
from gateway.auth.verifier import bearer
from gateway.config import OperationLimits
from gateway.observability.logs import request_id
from gateway.operations.broadcast import Batch, EncodedAnswer, Failure, Subscriber
from gateway.operations.document_limits import exceeded
from gateway.operations.executor import InvalidOperation, cancel_all, failure_answer, fault_answer
from gateway.operations.persisted import RequestParameters
from gateway.state import CHANNEL_HEADER, State, address_of
from gateway.transports.frames import allow_bytes_of, text_frame, write_frames_of
from gateway.transports.http import BadRequest, parameters_of, parsed_json
from resolvers.core.actor import Actor
from resolvers.core.operation_error import LimitExceeded, OperationError
from schema.wire.error import reported
from schema.wire.text import DEFAULT_LOCALE, accepted_locale

PROTOCOL = "graphql-transport-ws"
INIT_TIMEOUT_SECONDS = 5
REASON_BYTES_MAX = 120
ID_LENGTH_MAX = 200
ECHOED_BYTES_MAX = 1000
"""Bytes of the payload of a ping, which the pong repeats."""

BAD_MESSAGE, UNAUTHORIZED, FORBIDDEN, NO_PROTOCOL, INIT_TIMEOUT = 4400, 4401, 4403, 4406, 4408
SUBSCRIBER_EXISTS, TOO_MANY, INTERNAL, RESTART = 4409, 4429, 4500, 1012

log = structlog.get_logger(__name__)


class _Close(Exception):  # noqa: N818 - ends one socket
    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


class _Gone(Exception):  # noqa: N818 - the client has closed the socket, or is gone
    pass


class _Operation:
    """One operation of a socket: has a task while it has work to do, and a subscriber if it is a subscription."""

    __slots__ = ("_head", "_session", "_work", "_write", "id", "subscriber", "task")

    def __init__(self, session: "_Session", id_: str) -> None:
        self._session, self.id = session, id_
        self._write = session.write_frames
        self._head = b'{"id":' + orjson.dumps(id_) + b',"type":"next","payload":'
        self.subscriber: Subscriber | None = None
        self.task: asyncio.Task[None] | None = None
        self._work: Coroutine[Any, Any, bool | None] | None = None

    def subscribe(self) -> Subscriber:
        """Create the subscriber through which a broadcast sends updates to this operation."""
        self.subscriber = Subscriber("websocket", self._push, self._wake)
        return self.subscriber

    def run(self, work: Coroutine[Any, Any, bool | None]) -> None:
        """Run some of the operation's work in a task; `work` returns whether it completed, None if it continues."""
        self._work = work
        self.task = asyncio.create_task(self._run(work))

    async def _run(self, work: Coroutine[Any, Any, bool | None]) -> None:
        self._work = None
        if await self._session.finished(self, work):
            return
        self.task = None
        if self.subscriber is not None and self.subscriber.has_pending:
            self._wake()

    async def stop(self) -> None:
        """End without a message to the client."""
        if self.subscriber is not None:
            self.subscriber.leave()
        if self.task is not None:
            await cancel_all([self.task])
        self.discard()

    def discard(self) -> None:
        """Close work whose task was cancelled before its first step: nothing else ends it."""
        if self._work is not None:
            self._work.close()
            self._work = None

    async def next(self, result: EncodedAnswer) -> bool:
        """Send a result; return False if it is an error message, which ends the operation."""
        if not result.executed:
            await self._session.send({"id": self.id, "type": "error", "payload": result.errors})
            return False
        await self._session.send_text((self._head + result.payload + b"}").decode())
        return True

    def _push(self, batch: Batch) -> bool:
        if self._write is None or not batch.executed:
            return False
        if batch.head != self._head:
            # Operations with the same id, which clients of one kind have, share the frames.
            batch.head = self._head
            batch.frames = b"".join([text_frame(self._head, update.payload, b"}") for update in batch.answers])
        return self._write(batch.frames)

    def _wake(self) -> None:
        if self.task is None:
            self.run(self._drain())

    async def _drain(self) -> bool | None:
        """Send the waiting updates; return as `_run` expects."""
        subscriber = self.subscriber
        if subscriber is None:
            return None
        while (update := await subscriber.take()) is not None:
            if not await self.next(update):
                return False
            self._session.count_delivery()
        if subscriber.ended and subscriber.error is not None:
            raise subscriber.error
        return True if subscriber.ended else None


class _Session:
    """One socket from its first message to its last."""

    __slots__ = (
        *("_actor", "_channel", "_ending", "_is_closing", "_locale", "_operations"),
        *("_receive_message", "_scope", "_send_message", "_state", "write_frames"),
    )

    def __init__(self, scope: Scope, receive: Receive, send: Send, state: State) -> None:
        self._scope, self._receive_message, self._send_message = scope, receive, send
        self._state = state
        self._actor: Actor | None = None
        self._locale: str | None = None
        self._channel: str | None = None
        self._operations: dict[str, _Operation] = {}
        self._ending: asyncio.Task[None] | None = None
        self._is_closing = False
        self.write_frames = write_frames_of(scope)

    async def run(self, endpoint: "GraphQLWebSocket") -> None:
        """Speak the protocol until either side closes."""
        try:
            await self._speak(endpoint)
        except _Gone:
            pass
        except _Close as close:
            await self._close(close.code, close.reason)
        except Exception as error:  # noqa: BLE001 - the log has the details
            await self._close(INTERNAL, f"INTERNAL: {reported(error)}")

    async def _speak(self, endpoint: "GraphQLWebSocket") -> None:
        try:
            async with asyncio.timeout(INIT_TIMEOUT_SECONDS):
                await self._init(await self._first())
        except TimeoutError:
            raise _Close(INIT_TIMEOUT, "Connection initialisation timeout") from None
        try:
            with self._state.connections.opened("websocket", self._actor, address_of(self._scope) or ""):
                await self.send({"type": "connection_ack"})
                await self._serve(endpoint)
        except LimitExceeded as fault:
            raise _Close(TOO_MANY, f"{fault.code}: {self._message(fault)}") from None

    async def _serve(self, endpoint: "GraphQLWebSocket") -> None:
        expiry = None
        if self._actor is not None:
            left = max(0.0, seconds_left(self._actor))
            expiry = asyncio.get_running_loop().call_later(left, self._expire)
        allow_bytes = allow_bytes_of(self._scope)
        if allow_bytes is not None:
            allow_bytes(self._limits.body)
        endpoint.opened(self)
        try:
            with self._state.tokens.watching(self._actor, self._expire):
                await self._read_all()
        finally:
            endpoint.closed(self)
            if expiry is not None:
                expiry.cancel()
            await self._stop_all()
            if self._ending is not None:
                await cancel_all([self._ending])

    @property
    def _limits(self) -> OperationLimits:
        return self._state.limits.of_caller(anonymous=self._actor is None)

    def _expire(self) -> None:
        self.end(FORBIDDEN, "Forbidden: the token has expired")

    def end(self, code: int, reason: str) -> None:
        """Close the socket in any state, which also ends the reader."""
        if self._ending is None:
            self._ending = asyncio.get_running_loop().create_task(self._end(code, reason))

    async def _end(self, code: int, reason: str) -> None:
        await self._stop_all()
        await self._close(code, reason)

    async def _stop_all(self) -> None:
        operations = [*self._operations.values()]
        self._operations.clear()
        for operation in operations:
            if operation.subscriber is not None:
                operation.subscriber.leave()
        await cancel_all([operation.task for operation in operations if operation.task is not None])
        for operation in operations:
            operation.discard()

    async def _close(self, code: int, reason: str) -> None:
        """Close the socket unless it is closing already. RFC 6455 limits a reason to 123 bytes."""
        if self._is_closing:
            return
        self._is_closing = True
        short = reason.encode()[:REASON_BYTES_MAX].decode(errors="ignore")
        try:
            await self._send_message({"type": "websocket.close", "code": code, "reason": short})
        except (OSError, RuntimeError):
            log.debug("socket_gone", code=code)

    async def _receive(self) -> dict[str, Any]:
        message = await self._receive_message()
        while self._ending is not None and message["type"] == "websocket.receive":
            message = await self._receive_message()
        if message["type"] == "websocket.disconnect":
            raise _Gone
        text = message.get("text")
        if text is None:
            raise _Close(BAD_MESSAGE, "Send messages as text")
        limits = self._limits
        if len(text) > limits.body:
            reason = f"LIMIT_EXCEEDED: a message has at most {limits.body} bytes ({limits.setting('body')})"
            raise _Close(BAD_MESSAGE, reason)
        try:
            parsed = parsed_json(text, "The message")
        except BadRequest as error:
            raise _Close(BAD_MESSAGE, error.message) from None
        if not isinstance(parsed, dict) or not isinstance(parsed.get("type"), str):
            raise _Close(BAD_MESSAGE, "Messages are objects with a type")
        return parsed

    async def send(self, message: dict[str, Any]) -> None:
        """Send a message."""
        await self.send_text(orjson.dumps(message).decode())

    async def send_text(self, text: str) -> None:
        """Send the text of a message, once the socket takes it."""
        # A closed socket is ignored here: the reader notices it too, and ends the session.
        if not self._is_closing:
            with suppress(OSError):
                # Text, not bytes: clients of the protocol do not read binary frames.
                await self._send_message({"type": "websocket.send", "text": text})

    def count_delivery(self) -> None:
        """Count an update that was sent from a queue."""
        self._state.broadcaster.count_deliveries("websocket", 1)

    async def _first(self) -> dict[str, Any]:
        """Return connection_init, and answer the messages that may precede it."""
        while (message := await self._receive())["type"] != "connection_init":
            if message["type"] == "subscribe":
                raise _Close(UNAUTHORIZED, "Unauthorized: connection_init comes first")
            await self._answer(message)
        return message

    async def _init(self, message: dict[str, Any]) -> None:
        sent = {str(key).lower(): value for key, value in self._payload(message).items() if isinstance(value, str)}
        headers = Headers(scope=self._scope)
        self._locale = accepted_locale(sent.get("accept-language") or headers.get("accept-language"))
        self._channel = sent.get(CHANNEL_HEADER) or headers.get(CHANNEL_HEADER)
        try:
            token = bearer(sent.get("authorization") or headers.get("authorization"))
            self._actor = await self._state.verifier.verify(token) if token is not None else None
        except OperationError as fault:
            raise _Close(FORBIDDEN, f"Forbidden: {self._message(fault)}") from None

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
        """Handle a message that is allowed at any time."""
        match message["type"]:
            case "ping":
                payload = self._payload(message)
                if len(orjson.dumps(payload)) > ECHOED_BYTES_MAX:
                    raise _Close(
                        BAD_MESSAGE, f"LIMIT_EXCEEDED: the payload of ping has at most {ECHOED_BYTES_MAX} bytes"
                    )
                await self.send({"type": "pong", "payload": payload} if payload else {"type": "pong"})
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
        if not isinstance(id_, str) or not 1 <= len(id_) <= ID_LENGTH_MAX:
            raise _Close(BAD_MESSAGE, f"The message needs an id of 1 to {ID_LENGTH_MAX} characters")
        return id_

    async def _subscribe(self, message: dict[str, Any]) -> None:
        id_ = self._id(message)
        try:
            parameters = parameters_of(message.get("payload"))
        except BadRequest as error:
            raise _Close(BAD_MESSAGE, error.message) from None
        if id_ in self._operations:
            raise _Close(SUBSCRIBER_EXISTS, f"Subscriber for {id_} already exists")
        if len(self._operations) >= self._limits.operations:
            await self._refuse(id_, exceeded(self._limits, "operations"))
            return
        operation = self._operations[id_] = _Operation(self, id_)
        operation.run(self._results(operation, parameters))

    async def _complete(self, message: dict[str, Any]) -> None:
        operation = self._operations.pop(self._id(message), None)
        if operation is not None:
            await operation.stop()

    async def finished(self, operation: _Operation, work: Coroutine[Any, Any, bool | None]) -> bool:
        """Do some of an operation's work; return False if it continues. Its errors end only this operation."""
        id_ = operation.id
        try:
            completed = await work
            if completed is None:
                return False
            if completed:
                await self.send({"id": id_, "type": "complete"})
        except InvalidOperation as error:
            await self.send({"id": id_, "type": "error", "payload": error.answer(self._language())["errors"]})
        except OperationError as fault:
            await self._refuse(id_, fault)
        except Exception as error:  # noqa: BLE001 - the caller gets an id, the log has the details
            failure = error.id if isinstance(error, Failure) else reported(error)
            payload = failure_answer(failure, self._language())["errors"]
            await self.send({"id": id_, "type": "error", "payload": payload})
        if operation.subscriber is not None:
            operation.subscriber.leave()
        if self._operations.get(id_) is operation:
            del self._operations[id_]
        return True

    async def _results(self, running: _Operation, parameters: RequestParameters) -> bool | None:
        """Send results; return False if the last one was an error, None if more come through the subscriber."""
        executor = self._state.executor
        operation = self._state.operations.prepare(parameters, self._actor)
        context = self._state.context(self._actor, self._locale, self._channel, address_of(self._scope))
        if operation.type is not OperationType.SUBSCRIPTION:
            return await running.next(EncodedAnswer(await executor.execute(operation, context, "websocket")))
        subscriber = running.subscribe()
        async with aclosing(self._state.broadcaster.begin(operation, context, subscriber)) as first_answers:
            async for result in first_answers:
                if not await running.next(result):
                    return False
        return None if subscriber.joined else True

    async def _refuse(self, id_: str, fault: OperationError) -> None:
        payload = fault_answer(fault, self._language())["errors"]
        await self.send({"id": id_, "type": "error", "payload": payload})

    def _message(self, fault: OperationError) -> str:
        return str(fault_answer(fault, self._language())["errors"][0]["message"])

    def _language(self) -> str:
        return self._locale or DEFAULT_LOCALE


class GraphQLWebSocket:
    """The endpoint of live operations, as a bare ASGI application: each layer in between would cost every message."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._sessions: set[_Session] = set()
        self._watching: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one client until either side closes."""
        if (await receive())["type"] != "websocket.connect":
            return
        try:
            if PROTOCOL not in scope.get("subprotocols", []):
                await send({"type": "websocket.accept"})
                reason = f"Subprotocol not acceptable: use {PROTOCOL}"
                await send({"type": "websocket.close", "code": NO_PROTOCOL, "reason": reason})
                return
            await send({"type": "websocket.accept", "subprotocol": PROTOCOL})
        except OSError:
            return
        structlog.contextvars.bind_contextvars(request=request_id(Headers(scope=scope).get("x-request-id")))
        await _Session(scope, receive, send, self._state).run(self)

    def opened(self, session: _Session) -> None:
        """Register a session, to close it when the gateway leaves: one task waits on behalf of all."""
        self._sessions.add(session)
        if self._watching is None:
            self._watching = asyncio.create_task(self._leave())

    def closed(self, session: _Session) -> None:
        """Unregister a session."""
        self._sessions.discard(session)
        if not self._sessions and self._watching is not None:
            self._watching.cancel()
            self._watching = None

    async def _leave(self) -> None:
        await self._state.connections.leaving.wait()
        for session in [*self._sessions]:
            session.end(RESTART, "Service restart: reconnect with `after`")
        self._watching = None
