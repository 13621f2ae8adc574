"""Checks that a gateway cleans up after clients that are gone."""

import asyncio

from support.servers.gateway import GatewayProcess

WITHIN_SECONDS = 10


async def wait_for_no_connections(gateway: GatewayProcess, transport: str) -> None:
    """Wait until a gateway counts no live connection."""
    async with asyncio.timeout(WITHIN_SECONDS), gateway.client() as client:
        line = f'carillon_sockets{{transport="{transport}"}} 0.0'
        while line not in (await client.get("/metrics")).text:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.05)


def internal_error_count(gateway: GatewayProcess) -> int:
    """Return the number of internal errors in a gateway's log. A client that disconnects causes none."""
    return gateway.output.read_text(encoding="utf-8", errors="replace").count("internal_error")
