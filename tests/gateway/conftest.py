"""Members to act on, and gateways of other settings beside the shared one, on the same MongoDB."""

from collections.abc import Iterator

import pytest
from support.api import Person, enrol
from support.gateway import GatewayProcess


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
