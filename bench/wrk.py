"""wrk, the load generator: prepared requests over kept connections, every answer looked at in passing."""

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
"""Long: a slow peer on many connections is to be told as slow, not as failing."""
GRACE_SECONDS = 60
MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class Prepared:
    """A file of requests. `count` is how many, `bytes_min` how many bytes a right answer has at bytes_min."""

    file: Path
    count: int
    bytes_min: int
    pick: bool


@dataclass(frozen=True, slots=True)
class Driven:
    """What one run of wrk saw. `sent` counts what was sent, `cpu_seconds` is wrk's own."""

    sent: int
    answered: int
    seconds: float
    bytes: int
    p50_ms: float
    p99_ms: float
    cpu_seconds: float


def require_wrk() -> None:
    """Make sure that wrk is there; on Debian, root installs it.

    Raises:
        BenchError: it is not, and says how to have it.
    """
    if shutil.which("wrk") is None and os.geteuid() == 0 and shutil.which("apt-get"):
        subprocess.run(["apt-get", "install", "-y", "-q", "wrk"], check=False)  # noqa: S607
    if shutil.which("wrk") is None:
        raise BenchError("wrk, the load generator, is not installed: apt-get install wrk")


def prepare(file: Path, requests: Sequence[tuple[str, bytes]], *, bytes_min: int, pick: bool) -> Prepared:
    """Write requests (a token or nothing, and the body) for wrk to send."""
    with file.open("wb") as out:
        for token, body in requests:
            out.write(token.encode() + b"\t" + body + b"\n")
    return Prepared(file, len(requests), bytes_min, pick)


async def drive(port: int, prepared: Prepared, *, connections: int, seconds: int, place: int) -> Driven:
    """Send prepared requests for some whole seconds; `place` is where to begin, or the seed of a random choice.

    Raises:
        BenchError: an answer was wrong, or a connection failed.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    process = await asyncio.create_subprocess_exec(
        "wrk",
        *("-t", "1", "-c", str(connections), "-d", f"{seconds}s", "--timeout", f"{TIMEOUT_SECONDS}s"),
        *("-s", str(SCRIPT), f"http://127.0.0.1:{port}", "--"),
        *(str(prepared.file), "pick" if prepared.pick else "walk", str(place), str(prepared.bytes_min)),
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
    told = dict(line.split(" ", 1) for line in text.splitlines() if line.count(" ") >= 1)
    try:
        sent, answered, micros, size, failed, wrong, p50, p99 = (
            int(told[name]) for name in ("sent", "answered", "microseconds", "bytes", "failed", "wrong", "p50", "p99")
        )
    except (KeyError, ValueError):
        raise BenchError(f"wrk said: {text[-1000:]}") from None
    if failed or wrong:
        raise BenchError(f"of {answered} answers {failed} failed and {wrong} were wrong, such as {told.get('sample')}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Driven(sent, answered, micros / MICROSECONDS, size, p50 / 1_000, p99 / 1_000, cpu)
