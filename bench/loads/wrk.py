"""wrk, the load generator: sends prepared requests on keep-alive connections; checks each answer's status and size."""

import asyncio
import os
import resource
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.http import BenchError

SCRIPT = Path(__file__).with_name("walk.lua")
TIMEOUT_SECONDS = 60
"""Long, so that a slow peer on many connections counts as slow and not as failing."""
GRACE_SECONDS = 60
MICROSECONDS = 1_000_000
FIGURES = ("sent", "answered", "microseconds", "bytes", "failed", "wrong", "p50", "p99")
"""The lines that the script prints, in the order in which `drive` reads them."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A file of `count` requests. `bytes_min` is the minimum size of a right answer; `pick` sends them at random."""

    file: Path
    count: int
    bytes_min: int
    pick: bool


@dataclass(frozen=True, slots=True)
class Driven:
    """The result of one run of wrk. `sent` is the number of sent requests, `cpu_seconds` is wrk's own CPU time."""

    sent: int
    answered: int
    seconds: float
    bytes: int
    p50_ms: float
    p99_ms: float
    cpu_seconds: float


def require_wrk() -> None:
    """Check that wrk is installed; root on Debian installs it.

    Raises:
        BenchError: it is not installed.
    """
    if shutil.which("wrk") is None and os.geteuid() == 0 and shutil.which("apt-get"):
        subprocess.run(["apt-get", "install", "-y", "-q", "wrk"], check=False)  # noqa: S607
    if shutil.which("wrk") is None:
        raise BenchError("wrk, the load generator, is not installed: apt-get install wrk")


def prepare(file: Path, requests: Sequence[tuple[str, bytes]], *, bytes_min: int, pick: bool) -> Prepared:
    """Write requests (token or an empty string, and body) to a file for wrk."""
    with file.open("wb") as out:
        for token, body in requests:
            out.write(token.encode() + b"\t" + body + b"\n")
    return Prepared(file, len(requests), bytes_min, pick)


async def drive(port: int, prepared: Prepared, *, connections: int, seconds: int, offset: int) -> Driven:
    """Send prepared requests for `seconds`; `offset` is the index of the first, or the seed of the random choice.

    Raises:
        BenchError: an answer was wrong, or a connection failed.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    process = await asyncio.create_subprocess_exec(
        "wrk",
        *("-t", "1", "-c", str(connections), "-d", f"{seconds}s", "--timeout", f"{TIMEOUT_SECONDS}s"),
        *("-s", str(SCRIPT), f"http://127.0.0.1:{port}", "--"),
        *(str(prepared.file), "pick" if prepared.pick else "walk", str(offset), str(prepared.bytes_min)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(seconds + GRACE_SECONDS):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    text = output.decode(errors="replace")
    figures = dict(line.split(" ", 1) for line in text.splitlines() if line.count(" ") >= 1)
    try:
        sent, answered, micros, size, failed, wrong, p50, p99 = (int(figures[name]) for name in FIGURES)
    except (KeyError, ValueError):
        raise BenchError(f"unexpected output of wrk: {text[-1000:]}") from None
    if failed or wrong:
        raise BenchError(
            f"of {answered} answers {failed} failed and {wrong} were wrong, such as {figures.get('sample')}"
        )
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Driven(sent, answered, micros / MICROSECONDS, size, p50 / 1_000, p99 / 1_000, cpu)
