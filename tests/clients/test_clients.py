"""The clients' own tests, which need Node and no browser: merging of live updates, outbox, scanner, pass."""

import shutil
import subprocess

import pytest
from support.requirement import browser_is_required

from gateway.config import CLIENTS_DIST

CLIENTS = CLIENTS_DIST.parent
SECONDS_MAX = 120


def test_the_clients_own_tests_pass() -> None:
    npm = shutil.which("npm")
    if npm is None or not (CLIENTS / "node_modules").is_dir():
        reason = "THE CLIENTS WERE NOT TESTED: there is no npm here, or they are not installed (make clients)"
        if browser_is_required():
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    ran = subprocess.run(  # noqa: S603 - our own tests
        [npm, "test"], cwd=CLIENTS, capture_output=True, text=True, timeout=SECONDS_MAX, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
