"""What processes take: CPU time and memory, of a server with all that it started."""

import os
from dataclasses import dataclass
from pathlib import Path

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
