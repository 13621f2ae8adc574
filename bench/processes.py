"""What processes take: CPU time and memory, of a server with all that it started."""

import asyncio
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

_STEAL = 7
QUIET_SECONDS_MAX, QUIET_LOOK_SECONDS, QUIET_SHARE = 60, 0.2, 0.1
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


def family(pid: int) -> list[int]:
    """Return a process and all that it started, and they."""
    return [pid, *(each for child in _children(pid) for each in family(child))]


def usage(pid: int) -> Usage:
    """Return what a process and its children have taken; nothing for those that are gone."""
    seconds = mib = 0.0
    for each in family(pid):
        try:
            stat = Path(f"/proc/{each}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
            pages = int(Path(f"/proc/{each}/statm").read_text(encoding="ascii").split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        seconds += (int(stat[11]) + int(stat[12])) / _TICKS
        mib += pages * os.sysconf("SC_PAGE_SIZE") / 2**20
    return Usage(seconds, mib)


async def quiet(pid: int) -> None:
    """Wait until a server has done what it was sent last: a slow one answers for seconds after its load has gone."""
    deadline = time.monotonic() + QUIET_SECONDS_MAX
    before = usage(pid).cpu_seconds
    while time.monotonic() < deadline:
        await asyncio.sleep(QUIET_LOOK_SECONDS)
        now = usage(pid).cpu_seconds
        if now - before < QUIET_SHARE * QUIET_LOOK_SECONDS:
            return
        before = now


class Stolen:
    """How much of this machine's CPU time its host has given to others, since this was made."""

    def __init__(self) -> None:
        self._before = _cpu_times()

    def share(self) -> float:
        """Return the share of all CPU time, 0 to 1."""
        since = [after - before for before, after in zip(self._before, _cpu_times(), strict=True)]
        return since[_STEAL] / sum(since) if sum(since) else 0.0


def _cpu_times() -> list[int]:
    """Return the ticks of user, nice, system, idle, iowait, irq, softirq and steal (proc(5))."""
    first = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0]
    return [int(ticks) for ticks in first.split()[1 : _STEAL + 2]]


def leave_in_order() -> None:
    """Have SIGTERM cancel the running task: servers are stopped and directories removed, whoever ends the bench."""
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
