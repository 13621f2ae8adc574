"""The protocols' own clients and audits, unmodified, against a running gateway."""

import fcntl
import functools
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import orjson
import pytest
from support.clients.api import enrol
from support.servers.gateway import GatewayProcess

CLIENTS = Path(__file__).parents[3] / "clients" / "conformance"
AUDITS = 61
NODE_MAJOR_MIN = 20
SCRIPT_WITHIN_SECONDS = 120
INSTALL_WITHIN_SECONDS = 300


@functools.cache
def node_missing() -> str | None:
    """Return why Node's clients cannot run here, or None."""
    if shutil.which("npm") is None:
        return "there is no npm"
    try:
        ran = subprocess.run(["node", "--version"], check=True, capture_output=True, text=True)  # noqa: S607
    except (OSError, subprocess.CalledProcessError):
        return "there is no node"
    version = ran.stdout.strip()
    major = version.lstrip("v").split(".")[0]
    if not major.isdecimal() or int(major) < NODE_MAJOR_MIN:
        return f"node {version} is too old"
    return None


pytestmark = pytest.mark.skipif(
    node_missing() is not None,
    reason=f"THE PROTOCOLS' OWN CLIENTS WERE NOT RUN: {node_missing()}; install Node {NODE_MAJOR_MIN} or newer",
)


@pytest.fixture(scope="session")
def installed_clients() -> Path:
    # One test process at a time, since they share these files.
    with (CLIENTS / "package.json").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (CLIENTS / "node_modules").is_dir():
            ran = subprocess.run(
                ["npm", "ci", "--silent"],  # noqa: S607
                cwd=CLIENTS,
                check=False,
                capture_output=True,
                text=True,
                timeout=INSTALL_WITHIN_SECONDS,
            )
            assert ran.returncode == 0, ran.stdout + ran.stderr
    return CLIENTS


def run_script(directory: Path, script: str, *arguments: str, **environment: str) -> list[dict[str, Any]]:
    """Run a script; return the JSON objects that it printed, one a line."""
    ran = subprocess.run(  # noqa: S603
        ["node", script, *arguments],  # noqa: S607
        cwd=directory,
        env=os.environ | environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=SCRIPT_WITHIN_SECONDS,
    )
    assert ran.returncode == 0, ran.stderr + ran.stdout
    return [orjson.loads(line) for line in ran.stdout.splitlines()]


async def test_graphql_http_audits(development_gateway: GatewayProcess, installed_clients: Path) -> None:
    *audits, last = run_script(installed_clients, "audit.mjs", f"{development_gateway.url}/graphql")
    assert [audit for audit in audits if audit["status"] != "ok"] == []
    assert len({audit["id"] for audit in audits}) == AUDITS
    assert last["summary"] == {"total": AUDITS, "ok": AUDITS, "notice": 0, "warn": 0, "error": 0}


@pytest.mark.parametrize(("script", "checks"), [("ws.mjs", 10), ("sse.mjs", 18)])
async def test_live_clients(
    development_gateway: GatewayProcess, installed_clients: Path, script: str, checks: int
) -> None:
    api_member = await enrol(development_gateway)
    *seen, last = run_script(
        installed_clients,
        script,
        GATEWAY_URL=development_gateway.url,
        MEMBER_TOKEN=api_member.token(),
        TILL_TOKEN=development_gateway.token("till"),
    )
    assert all(check["ok"] for check in seen)
    assert last["summary"] == {"ok": checks}
