"""Fixtures for tests/api and tests/browser: the gateway that these tests share."""

from collections.abc import Iterator

import pytest

from support.servers.gateway import SHARED_BY_TESTS, GatewayProcess


@pytest.fixture(scope="session")
def development_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """Run `carillon up` with five households of the real data, for every test that needs no other settings."""
    folder = tmp_path_factory.mktemp("gateway")
    gateway = GatewayProcess.start(
        "up",
        "--households",
        "5",
        data_dir=folder / "data",
        output=folder / "output.log",
        **SHARED_BY_TESTS,
    )
    yield gateway
    assert gateway.stop() == 0, gateway.output.read_text(errors="replace")
