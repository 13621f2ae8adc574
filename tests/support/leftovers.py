"""What must not stay of clients that are gone."""

import asyncio

from support.gateway import GatewayProcess

WITHIN_SECONDS = 10


async def expect_none_connected(gateway: GatewayProcess, transport: str) -> None:
    """Wait until a gateway counts no live connection."""
    async with asyncio.timeout(WITHIN_SECONDS), gateway.client() as client:
        line = f'carillon_sockets{{transport="{transport}"}} 0.0'
        while line not in (await client.get("/metrics")).text:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.05)


def own_faults(gateway: GatewayProcess) -> int:
    """Return how often a gateway logged a fault of its own; that clients go is none."""
    return gateway.output.read_text(encoding="utf-8", errors="replace").count("internal_error")
