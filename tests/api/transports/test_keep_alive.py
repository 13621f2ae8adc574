"""Idle connections outlive the idle time of clients and load balancers, so that no request meets a closing one."""

import asyncio

from httpx import URL
from support.servers.gateway import GatewayProcess

from gateway.config import Settings

CLIENT_SECONDS = 5
"""After so long, httpx closes an idle connection. A server that waits as long races with it."""

LOAD_BALANCER_SECONDS = 60
REQUEST = b"GET /healthz HTTP/1.1\r\nhost: gateway\r\n\r\n"


async def test_connection_that_was_idle_longer_than_clients_wait_still_answers(
    development_gateway: GatewayProcess,
) -> None:
    url = URL(development_gateway.url)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    for pause in (0, CLIENT_SECONDS + 1):
        await asyncio.sleep(pause)
        writer.write(REQUEST)
        async with asyncio.timeout(10):
            assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
            await reader.readexactly(int(length.split(b":")[1]))
    writer.close()


def test_default_is_longer_than_load_balancers_wait() -> None:
    assert Settings.model_fields["keep_alive_seconds"].default > LOAD_BALANCER_SECONDS
