"""A response's head is written together with its body, and at once if the body may come much later."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message, Receive, Scope, Send
from support.property_settings import property_settings
from uvicorn.config import Config
from uvicorn.server import ServerState

from gateway.config import Limits
from gateway.transports.connection import http_protocol
from gateway.transports.joining_transport import JoiningTransport

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n"
STREAM_HEAD = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


class Transport:
    """A transport that records what is written to it."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.is_closed = False

    def write(self, data: bytes) -> None:
        assert not self.is_closed
        self.writes.append(data)

    def close(self) -> None:
        self.is_closed = True

    def is_closing(self) -> bool:
        return self.is_closed

    def get_extra_info(self, _name: str) -> None:
        return None

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ([HEAD, b"ok"], [HEAD + b"ok"]),
        ([HEAD, b"o", b"k"], [HEAD + b"o", b"k"]),
        ([HEAD, b""], [HEAD]),
        ([HEAD], [HEAD]),
        ([STREAM_HEAD, b"2\r\nok\r\n"], [STREAM_HEAD, b"2\r\nok\r\n"]),
        ([STREAM_HEAD, HEAD, b"ok"], [STREAM_HEAD, HEAD, b"ok"]),  # a body that looks like a head
        ([HEAD, HEAD, b"ok"], [HEAD + HEAD, b"ok"]),
        ([b"HTTP/1.1 100 Continue\r\n\r\n", HEAD, b"ok"], [b"HTTP/1.1 100 Continue\r\n\r\n", HEAD, b"ok"]),
    ],
)
def test_head_is_joined_with_the_start_of_its_body(written: list[bytes], sent: list[bytes]) -> None:
    transport = Transport()
    joining = JoiningTransport(transport)  # type: ignore[arg-type]
    for data in written:
        joining.write(data)
    joining.close()
    assert (transport.writes, joining.is_closing()) == (sent, True)


@property_settings(200)
@given(st.lists(st.one_of(st.sampled_from([HEAD, STREAM_HEAD, b""]), st.binary(max_size=5)), max_size=6))
def test_nothing_is_lost_or_reordered(written: list[bytes]) -> None:
    transport = Transport()
    joining = JoiningTransport(transport)  # type: ignore[arg-type]
    for data in written:
        joining.write(data)
    joining.close()
    assert b"".join(transport.writes) == b"".join(written)


def response(*headers: tuple[bytes, bytes]) -> Message:
    return {"type": "http.response.start", "status": 200, "headers": headers}


def part(body: bytes, *, more: bool = False) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": more}


async def answered(
    request: bytes, answer: Callable[[Send, list[bytes]], Awaitable[None]], *, reads_body: bool = False
) -> list[bytes]:
    """Return what the protocol writes for requests; `answer` sends each response, and sees what is written so far."""
    transport = Transport()

    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        if reads_body:
            await receive()
        await answer(send, transport.writes)

    config, state = Config(app, lifespan="off", log_config=None), ServerState()
    config.load()
    protocol: Any = http_protocol(Limits())(config, state, {}, asyncio.get_running_loop())
    protocol.connection_made(transport)
    protocol.data_received(request)
    while state.tasks:
        await asyncio.gather(*state.tasks)
    protocol.connection_lost(None)
    return transport.writes


def requests(method: bytes, count: int = 1) -> bytes:
    return b"%b / HTTP/1.1\r\nhost: a\r\n\r\n" % method * count


async def whole(send: Send, _writes: list[bytes]) -> None:
    await send(response((b"content-length", b"2")))
    await send(part(b"ok"))


async def test_each_pipelined_answer_is_one_write() -> None:
    writes = await answered(requests(b"GET", 3), whole)
    assert len(writes) == 3
    for text in writes:
        assert text.startswith(b"HTTP/1.1 200 OK\r\n")
        assert text.endswith(b"\r\ncontent-length: 2\r\n\r\nok")


async def test_request_that_expects_100_continue_gets_it_at_once() -> None:
    request = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\nok"
    first, *rest = await answered(request, whole, reads_body=True)
    assert first == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert b"".join(rest).endswith(b"\r\ncontent-length: 2\r\n\r\nok")


async def test_answer_to_head_does_not_wait_for_a_body() -> None:
    [head] = await answered(requests(b"HEAD"), whole)
    assert head.endswith(b"\r\ncontent-length: 2\r\n\r\n")


async def test_head_of_a_stream_is_written_before_its_first_part() -> None:
    async def stream(send: Send, writes: list[bytes]) -> None:
        await send(response((b"content-type", b"text/event-stream")))
        assert len(writes) == 1
        await send(part(b"ok", more=True))
        assert len(writes) == 2
        await send(part(b""))

    writes = await answered(requests(b"GET"), stream)
    assert writes[1:] == [b"2\r\nok\r\n", b"0\r\n\r\n"]


async def test_head_is_written_if_the_application_fails_before_the_body() -> None:
    async def failing(send: Send, _writes: list[bytes]) -> None:
        await send(response((b"content-length", b"2")))
        raise ValueError

    [head] = await answered(requests(b"GET"), failing)
    assert head.endswith(b"\r\ncontent-length: 2\r\n\r\n")
