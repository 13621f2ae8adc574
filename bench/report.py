"""The report: the median, minimum and maximum of each figure over its rounds, and the machine."""

import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import orjson

from bench.gateway import Site
from bench.loads.load import Round
from gateway.observability.interpreter import described
from models.mongo.database import Database

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("graphql-core", "strawberry-graphql", "starlette", "uvicorn", "uvloop", "httptools", "pymongo", "orjson")
HEAD = (
    *("load", "connections", "per second", "min to max", "gateway us CPU each", "mongod us CPU each"),
    *("p50 ms", "p99 ms", "after the answer, p50 ms", "p99 ms"),
    *("gateway CPU", "mongod CPU", "load CPU"),
)


@dataclass(frozen=True, slots=True)
class Measured:
    """A load on a number of connections, and its rounds; `unit` is the name of the counted items."""

    load: str
    unit: str
    connections: int
    rounds: Sequence[Round]


async def machine(site: Site) -> dict[str, str]:
    """Describe the machine and the software."""
    return await machine_of(site.database)


async def machine_of(database: Database) -> dict[str, str]:
    """Describe this machine and the software, with the version of a database's server."""
    info = await database.client.server_info()
    load = ", ".join(f"{average:.1f}" for average in os.getloadavg())
    return {
        "CPU": f"{_cpu_model()}, {len(os.sched_getaffinity(0))} cores",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.1f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "load before (1, 5, 15 minutes)": load,
        "Python": described(),
        "MongoDB": str(info["version"]),
        "Carillon": version("carillon"),
        "packages": ", ".join(f"{name} {version(name)}" for name in PACKAGES),
    }


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def _middle(rounds: Sequence[Round], figure: Callable[[Round], float | None]) -> float | None:
    """Return the median of a figure; None if no round has it."""
    known = [value for value in map(figure, rounds) if value is not None]
    return median(known) if known else None


def _row(measured: Measured) -> list[str]:
    rounds = measured.rounds
    rates = [one.per_second for one in rounds]
    milliseconds = (
        _middle(rounds, lambda one: one.latency.p50_ms),
        _middle(rounds, lambda one: one.latency.p99_ms),
        _middle(rounds, lambda one: one.after_answer.p50_ms if one.after_answer else None),
        _middle(rounds, lambda one: one.after_answer.p99_ms if one.after_answer else None),
    )
    shares = [median(getattr(one, name) for one in rounds) for name in ("gateway_cpu", "mongod_cpu", "load_cpu")]
    return [
        measured.load,
        f"{measured.connections}",
        f"{median(rates):,.0f} {measured.unit}",
        f"{min(rates):,.0f} to {max(rates):,.0f}",
        *(f"{median(getattr(one, name) for one in rounds):,.0f}" for name in ("gateway_us", "mongod_us")),
        *("" if value is None else f"{value:.1f}" for value in milliseconds),
        *(f"{value:.0%}" for value in shares),
    ]


def markdown(measured: Sequence[Measured], described: dict[str, str], settings: dict[str, Any]) -> str:
    """Return the report as Markdown."""
    parameters = ", ".join(f"{name} {value}" for name, value in settings.items())
    lines = [
        "| " + " | ".join(HEAD) + " |",
        "| --- |" + " ---: |" * (len(HEAD) - 1),
        *("| " + " | ".join(_row(one)) + " |" for one in measured),
        "",
        f"Medians of interleaved rounds ({parameters}), every answer checked; CPU in shares of one core.",
        "",
        *(f"- {name}: {value}" for name, value in described.items()),
    ]
    return "\n".join(lines) + "\n"


def write(text: str, measured: Sequence[Measured], described: dict[str, str], settings: dict[str, Any]) -> None:
    """Write the report to bench/results/ as Markdown, and every round as JSON."""
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    figures = [{**asdict(one), "rounds": [each.record() for each in one.rounds]} for one in measured]
    record = {"machine": described, "settings": settings, "measured": figures}
    file.with_suffix(".md").write_text(text, encoding="utf-8")
    file.with_suffix(".json").write_bytes(orjson.dumps(record, option=orjson.OPT_INDENT_2) + b"\n")
