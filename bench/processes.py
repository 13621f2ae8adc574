"""The processes of a bench: start and stop them, read their output, measure their CPU time and memory."""

import asyncio
import os
import re
import resource
import shlex
import signal
import sys
import time
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop

from bench.http import BenchError
from bench.interpreter import prefer_optimised

START_SECONDS_MAX, STOP_SECONDS_MAX = 60, 60
OUTPUT_SHOWN_MAX = 2_000
INTERRUPTED = 130
# The word may come before or after the address.
_ADDRESS = re.compile(r"^(?=.*listening).*127\.0\.0\.1:(\d+)", re.MULTILINE)
_STEAL = 7
IDLE_WAIT_SECONDS_MAX, IDLE_POLL_SECONDS, IDLE_CPU_SHARE = 60, 0.2, 0.1
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU time so far in seconds, and resident memory in MiB."""

    cpu_seconds: float
    rss_mib: float


def _children(pid: int) -> list[int]:
    try:
        tasks = [*Path(f"/proc/{pid}/task").iterdir()]
        return [int(child) for task in tasks for child in (task / "children").read_text(encoding="ascii").split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def process_tree(pid: int, *, without: int | None = None) -> list[int]:
    """Return a process and all its descendants, except `without` and its descendants."""
    children = [child for child in _children(pid) if child != without]
    return [pid, *(each for child in children for each in process_tree(child, without=without))]


def usage(pid: int, *, without: int | None = None) -> Usage:
    """Return the usage of a process and its descendants, except `without`; those that have ended count nothing."""
    seconds = mib = 0.0
    for each in process_tree(pid, without=without):
        try:
            stat = Path(f"/proc/{each}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
            pages = int(Path(f"/proc/{each}/statm").read_text(encoding="ascii").split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        seconds += (int(stat[11]) + int(stat[12])) / _TICKS
        mib += pages * os.sysconf("SC_PAGE_SIZE") / 2**20
    return Usage(seconds, mib)


async def wait_until_idle(pid: int) -> None:
    """Wait until a server is idle: a slow one keeps answering for seconds after its load has ended."""
    deadline = time.monotonic() + IDLE_WAIT_SECONDS_MAX
    before = usage(pid).cpu_seconds
    while time.monotonic() < deadline:
        await asyncio.sleep(IDLE_POLL_SECONDS)
        now = usage(pid).cpu_seconds
        if now - before < IDLE_CPU_SHARE * IDLE_POLL_SECONDS:
            return
        before = now


class StealTime:
    """The share of CPU time that the host gave to other machines, since this object was created."""

    def __init__(self) -> None:
        self._before = _cpu_times()

    def share(self) -> float:
        """Return the stolen share of all CPU time, 0 to 1."""
        elapsed = [after - before for before, after in zip(self._before, _cpu_times(), strict=True)]
        return elapsed[_STEAL] / sum(elapsed) if sum(elapsed) else 0.0


def _cpu_times() -> list[int]:
    """Return the ticks of user, nice, system, idle, iowait, irq, softirq and steal (proc(5))."""
    first = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0]
    return [int(ticks) for ticks in first.split()[1 : _STEAL + 2]]


def server_environment(**settings: str) -> dict[str, str]:
    """Return the environment of a measured server: that of this process without CARILLON_*, with `settings`."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("CARILLON_")}
    return {**inherited, **settings}


@asynccontextmanager
async def started(
    command: Sequence[str], output: Path, environment: Mapping[str, str]
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a server with its output in a file and the highest limit of open files, and stop it afterwards."""
    with output.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdout=file,
            stderr=file,
            cwd=Path(__file__).parents[1],
            env=environment,
            # Ctrl-C ends the bench, and the bench ends the servers.
            start_new_session=True,
            preexec_fn=raise_open_files_limit,
        )
    try:
        yield process
    finally:
        await stop(process)


async def port_of(process: asyncio.subprocess.Process, output: Path, command: Sequence[str]) -> int:
    """Wait until a server prints its address; return the port."""
    deadline = time.monotonic() + START_SECONDS_MAX
    while process.returncode is None and time.monotonic() < deadline:
        if found := _ADDRESS.search(read_output(output)):
            return int(found[1])
        await asyncio.sleep(0.05)
    raise BenchError(f"{shlex.join(command)} did not start:\n{read_output(output)[-OUTPUT_SHOWN_MAX:]}")


def read_output(output: Path) -> str:
    """Return the output of a server so far."""
    return output.read_text(encoding="utf-8", errors="replace")


async def stop(process: asyncio.subprocess.Process) -> None:
    """Stop a process: SIGTERM, then SIGKILL after STOP_SECONDS_MAX."""
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(STOP_SECONDS_MAX):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


def raise_open_files_limit() -> None:
    """Raise the limit of open files and sockets to the hard limit."""
    _, hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard_limit, hard_limit))


def run_bench(bench: Coroutine[Any, Any, None]) -> int:
    """Run a bench, on an optimised interpreter if there is one; return 0, 1 after an error, or INTERRUPTED.

    SIGTERM cancels it, so that servers are stopped and directories removed then too.
    """

    async def cancelled_by_sigterm() -> None:
        task = asyncio.current_task()
        if task is not None:
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        await bench

    prefer_optimised()
    raise_open_files_limit()
    try:
        uvloop.run(cancelled_by_sigterm())
    except (BenchError, OSError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        return INTERRUPTED
    return 0
