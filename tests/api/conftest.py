"""Members to act on, and gateways of other settings beside the shared one, on the same MongoDB."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from support.api import Person, enrol
from support.bazaar import Bazaar
from support.gateway import GatewayProcess
from support.programme import PROGRAMMES
from support.terminal import carillon


@pytest.fixture
async def person(development_gateway: GatewayProcess) -> Person:
    """Somebody who became a member a moment ago."""
    return await enrol(development_gateway)


@pytest.fixture(scope="session")
def second_gateway(
    development_gateway: GatewayProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GatewayProcess]:
    """Another process that serves the same MongoDB."""
    output = tmp_path_factory.mktemp("second") / "output.log"
    gateway = GatewayProcess.start(
        "serve",
        data_dir=development_gateway.data_dir,
        output=output,
        CARILLON_DRAIN_SECONDS="0",
        CARILLON_LOG_LEVEL="debug",
    )
    yield gateway
    assert gateway.stop() == 0, output.read_text(errors="replace")


@pytest.fixture
async def bazaar(development_gateway: GatewayProcess, second_gateway: GatewayProcess) -> AsyncIterator[Bazaar]:
    """Two gateways, and a manager who puts things on offer."""
    async with Bazaar.opened(development_gateway, second_gateway) as bazaar:
        yield bazaar


@pytest.fixture
async def coffee(bazaar: Bazaar) -> str:
    """The coffee house's programme, which both gateways run beside the grocer's."""
    file = str(PROGRAMMES / "coffee.yaml")
    ran = await carillon("programme", "apply", file, "--data-dir", bazaar.data_dir())
    assert ran.code == 0, ran.err
    async with asyncio.timeout(15):
        for gateway in bazaar.gateways:
            till = gateway.token("till", programme="coffee")
            while not (await gateway.ask(till, "{ programme { name } }"))["data"]:  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.05)
    return "coffee"


@pytest.fixture(scope="session")
def narrow_gateway(
    development_gateway: GatewayProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GatewayProcess]:
    """A gateway on the same MongoDB whose limits are soon reached."""
    output = tmp_path_factory.mktemp("narrow") / "output.log"
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
        CARILLON_CORS_ORIGINS="https://shop.example, https://app.example",
    )
    yield gateway
    assert gateway.stop() == 0, output.read_text(errors="replace")
