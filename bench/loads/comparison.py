"""The table that compares Carillon with its peers: medians, minimum and maximum, Carillon's multiple."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from statistics import median
from typing import Any

import orjson

from bench.loads.measure import Measured
from bench.plot import bars
from bench.report import RESULTS
from bench.servers import CARILLON_KEY, KINDS

HEAD = (
    *("load", "connections", "server", "per second", "min to max", "Carillon's multiple", "p50 ms", "p99 ms"),
    *("server CPU", "us CPU each", "mongod CPU", "memory MiB"),
)


def _row(one: Measured, own: float | None) -> list[str]:
    rates = [each.per_second for each in one.rounds]
    middle = {
        name: median(getattr(each, name) for each in one.rounds)
        for name in ("p50_ms", "p99_ms", "server_cpu", "server_us", "mongod_cpu", "server_rss_mib")
    }
    return [
        one.load.name,
        str(one.load.connections),
        KINDS[one.server].title,
        f"{one.per_second:,.0f}",
        f"{min(rates):,.0f} to {max(rates):,.0f}",
        f"{own / one.per_second:.2f} x" if own is not None and one.per_second and one.server != CARILLON_KEY else "",
        f"{middle['p50_ms']:.1f}",
        f"{middle['p99_ms']:.1f}",
        f"{middle['server_cpu']:.0%}",
        f"{middle['server_us']:,.0f}",
        f"{middle['mongod_cpu']:.0%}",
        f"{middle['server_rss_mib']:.0f}",
    ]


def _by_load(measured: Sequence[Measured]) -> list[list[Measured]]:
    return [list(group) for _, group in groupby(measured, key=lambda one: one.load)]


def markdown(measured: Sequence[Measured], described: dict[str, str], settings: dict[str, Any]) -> str:
    """Return the comparison as Markdown."""
    rows: list[list[str]] = []
    for group in _by_load(measured):
        own = next((one.per_second for one in group if one.server == CARILLON_KEY), None)
        rows += [_row(one, own) for one in group]
    parameters = ", ".join(f"{name} {value}" for name, value in settings.items())
    lines = [
        "| " + " | ".join(HEAD) + " |",
        "| --- | ---: | --- |" + " ---: |" * (len(HEAD) - 3),
        *("| " + " | ".join(row) + " |" for row in rows),
        "",
        f"Medians of interleaved rounds ({parameters}); CPU in shares of one core. Each server is one process. Every",
        "answer was checked for errors, and samples before and after each load were compared field by field.",
        "",
        *(f"- {name}: {value}" for name, value in described.items()),
    ]
    return "\n".join(lines) + "\n"


def write(
    text: str,
    measured: Sequence[Measured],
    described: dict[str, str],
    settings: dict[str, Any],
    events: Mapping[str, Any],
) -> None:
    """Write the comparison to bench/results/: the table, every round as JSON, and a plot of each load.

    `events` are the rounds of the event loads, which only Carillon runs, as JSON values.
    """
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / f"peers-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    record = {
        "machine": described,
        "settings": settings,
        "measured": [one.record() for one in measured],
        "events": events,
    }
    file.with_suffix(".md").write_text(text, encoding="utf-8")
    file.with_suffix(".json").write_bytes(orjson.dumps(record, option=orjson.OPT_INDENT_2) + b"\n")
    for group in _by_load(measured):
        load = group[0].load
        plot = bars(
            f"{load.name}, {load.connections} connections: answers per second",
            [
                (KINDS[one.server].title, one.per_second, [each.per_second for each in one.rounds])
                for one in sorted(group, key=lambda one: -one.per_second)
            ],
        )
        name = f"{file.name}-{load.read}-{load.choice}-{load.connections}.svg"
        (RESULTS / name).write_text(plot, encoding="utf-8")
