"""The clock, and the fixtures with servers for every folder but tests/unit.

A session fixture exists once in each process that runs tests: the processes share only the repository's files.
"""

from pathlib import Path

import pytest
from hypothesis import settings
from support.clock import Clock
from support.property_settings import QUICK_PROFILE

UNIT = Path(__file__).parent / "unit"
FIXTURES_WITH_SERVERS = ("support.servers.database_fixtures", "support.servers.gateway_fixtures")


def pytest_configure(config: pytest.Config) -> None:
    """Load the fixtures with servers, which import every floor, unless only tests of tests/unit are to run."""
    settings.register_profile(QUICK_PROFILE)
    if all(_is_unit(config, argument) for argument in config.args):
        return
    for name in FIXTURES_WITH_SERVERS:
        config.pluginmanager.import_plugin(name)


def _is_unit(config: pytest.Config, argument: str) -> bool:
    path = config.invocation_params.dir / argument.partition("::")[0]
    return path.resolve().is_relative_to(UNIT)


@pytest.fixture
def clock() -> Clock:
    return Clock()
