"""The transport of one HTTP response: it writes the head together with the start of the body.

uvloop sends each write at once, so that a small answer took two system calls and two packets: a tenth of the time of a
cached answer.
"""

import asyncio

CONTENT_LENGTH = b"\r\ncontent-length: "


class JoiningTransport:
    """What uvicorn uses of a transport to answer one request; HEAD needs another, for no body follows its head.

    Only a head with a content-length waits: the body of any other, such as a stream of events, may come much later.
    """

    __slots__ = ("_head", "_transport")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head: bytes | None = None  # empty once it is written

    def write(self, data: bytes) -> None:
        """Hold the head, or write data after it."""
        if self._head is None and CONTENT_LENGTH in data:
            self._head = data
        else:
            self._transport.write(self._head + data if self._head else data)
            self._head = b""

    def close(self) -> None:
        """Write a head that has no body, and close."""
        if self._head:
            self._transport.write(self._head)
        self._transport.close()

    def is_closing(self) -> bool:
        """Return whether the transport is closing."""
        return self._transport.is_closing()
