"""`carillon serve --workers 2`: two gateways on one address."""

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.clients.api import enrol, next_update, watch
from support.servers.gateway import GatewayProcess

QUERY = "{ me { version } }"


def workers_of(gateway: GatewayProcess) -> set[int]:
    """Return the worker processes: the children with a command line of multiprocessing."""
    pid = gateway.process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return {int(child) for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()}


def alive(workers: set[int]) -> set[int]:
    """Return the processes that have not ended."""
    return {worker for worker in workers if Path(f"/proc/{worker}").exists()}


def started(beside: GatewayProcess, folder: Path) -> GatewayProcess:
    """Start two workers on the MongoDB of another gateway."""
    return GatewayProcess.start(
        "serve",
        "--workers",
        "2",
        data_dir=beside.data_dir,
        output=folder / "output.log",
        CARILLON_DRAIN_SECONDS="0",
    )


@pytest.fixture(scope="module")
def working(development_gateway: GatewayProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    gateway = started(development_gateway, tmp_path_factory.mktemp("workers"))
    yield gateway
    assert gateway.stop() == 0, gateway.output.read_text(errors="replace")


@pytest.fixture
def ending(development_gateway: GatewayProcess, tmp_path: Path) -> Iterator[GatewayProcess]:
    """Start workers for a test that ends them."""
    gateway = started(development_gateway, tmp_path)
    yield gateway
    if gateway.process.poll() is None:
        gateway.stop()


async def _counted(gateway: GatewayProcess) -> float:
    async with gateway.client() as client:
        text = (await client.get("/metrics")).text
    return sum(float(line.split()[1]) for line in text.splitlines() if line.startswith("carillon_requests_total"))


async def test_workers_serve_one_address_and_sum_their_metrics(working: GatewayProcess) -> None:
    assert len(workers_of(working)) == 2
    api_member = await enrol(working)
    before = await _counted(working)
    answers = await asyncio.gather(*(working.ask(api_member.token(), QUERY) for _ in range(40)))
    assert answers == [{"data": {"me": {"version": 1}}}] * 40
    assert await _counted(working) == before + 40


async def test_socket_of_one_worker_gets_commits_of_another(working: GatewayProcess) -> None:
    api_member = await enrol(working)
    # Several sockets and purchases on separate connections, spread over both workers.
    async with (
        working.socket(api_member.token()) as first,
        working.socket(api_member.token()) as second,
        working.socket(api_member.token()) as third,
    ):
        watching = (first, second, third)
        for socket in watching:
            await watch(socket)
        assert [(await next_update(socket))["version"] for socket in watching] == [1, 1, 1]
        for version in range(2, 6):
            await api_member.buy("10.00", gateway=working)
            assert [(await next_update(socket))["version"] for socket in watching] == [version] * 3


async def test_crashed_worker_is_replaced_while_the_other_serves(working: GatewayProcess) -> None:
    api_member = await enrol(working)
    fallen, staying = workers_of(working)
    os.kill(fallen, signal.SIGKILL)
    async with asyncio.timeout(30):
        while len(workers_of(working)) < 2 or fallen in workers_of(working):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.05)
    assert staying in workers_of(working)
    async with asyncio.timeout(30):
        while not working.is_ready():  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.05)
    assert (await working.ask(api_member.token(), QUERY))["data"] == {"me": {"version": 1}}
    assert "worker_exited" in working.output.read_text(encoding="utf-8")


async def test_all_workers_drain_at_the_first_signal(ending: GatewayProcess) -> None:
    workers = workers_of(ending)
    assert ending.stop() == 0
    assert alive(workers) == set()


async def test_workers_end_when_their_parent_is_gone(ending: GatewayProcess) -> None:
    workers = workers_of(ending)
    ending.kill()
    async with asyncio.timeout(30):
        while alive(workers):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.05)
