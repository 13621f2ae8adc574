"""Gateways with other settings on the MongoDB of the shared one, and members."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from support.clients.api import ApiMember, enrol
from support.clients.two_gateways import TwoGateways
from support.programme_files import PROGRAMMES
from support.servers.command_line import run_carillon
from support.servers.gateway import SHARED_BY_TESTS, GatewayProcess


@pytest.fixture
async def api_member(development_gateway: GatewayProcess) -> ApiMember:
    """Enrol a member."""
    return await enrol(development_gateway)


@pytest.fixture(scope="session")
def second_gateway(
    development_gateway: GatewayProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GatewayProcess]:
    """Start a second gateway on the same MongoDB."""
    output = tmp_path_factory.mktemp("second") / "output.log"
    gateway = GatewayProcess.start(
        "serve",
        data_dir=development_gateway.data_dir,
        output=output,
        CARILLON_DRAIN_SECONDS="0",
        CARILLON_LOG_LEVEL="debug",
        **SHARED_BY_TESTS,
    )
    yield gateway
    assert gateway.stop() == 0, output.read_text(errors="replace")


@pytest.fixture
async def two_gateways(
    development_gateway: GatewayProcess, second_gateway: GatewayProcess
) -> AsyncIterator[TwoGateways]:
    """Connect to both gateways."""
    async with TwoGateways.connected(development_gateway, second_gateway) as two_gateways:
        yield two_gateways


@pytest.fixture
async def coffee_programme(two_gateways: TwoGateways) -> str:
    """Apply the programme of the coffee house on both gateways; return its key."""
    file = str(PROGRAMMES / "coffee.yaml")
    ran = await run_carillon("programme", "apply", file, "--data-dir", two_gateways.data_dir())
    assert ran.code == 0, ran.err
    async with asyncio.timeout(15):
        for gateway in two_gateways.gateways:
            till = gateway.token("till", programme="coffee")
            while not (await gateway.ask(till, "{ programme { name } }"))["data"]:  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.05)
    return "coffee"


@pytest.fixture(scope="session")
def low_limits_gateway(
    development_gateway: GatewayProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GatewayProcess]:
    """Start a gateway with low limits on the same MongoDB."""
    output = tmp_path_factory.mktemp("low-limits") / "output.log"
    gateway = GatewayProcess.start(
        "serve",
        data_dir=development_gateway.data_dir,
        output=output,
        CARILLON_DRAIN_SECONDS="0",
        CARILLON_LIMIT_SOCKETS="2",
        CARILLON_LIMIT_OPERATIONS="2",
        CARILLON_LIMIT_BODY="20000",
        CARILLON_LIMIT_TIME="0.0001",
        CARILLON_LIMIT_REPLAY="3",
        **SHARED_BY_TESTS,
        CARILLON_CORS_ORIGINS="https://shop.example, https://app.example",
    )
    yield gateway
    assert gateway.stop() == 0, output.read_text(errors="replace")
