"""What must not stay of clients that are gone."""

import asyncio

from support.gateway import GatewayProcess

WITHIN_SECONDS = 10


async def expect_none_connected(gateway: GatewayProcess, transport: str) -> None:
    """Wait until a gateway counts no live connection; that clients went was no fault of its own."""
    async with asyncio.timeout(WITHIN_SECONDS), gateway.client() as client:
        line = f'carillon_sockets{{transport="{transport}"}} 0.0'
        while line not in (await client.get("/metrics")).text:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.05)
    assert "internal_error" not in gateway.output.read_text(encoding="utf-8")
