"""The table that compares Carillon with its peers: medians, minimum and maximum, Carillon's multiple."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

import orjson

from bench.loads.measure import Measured
from bench.plot import bars
from bench.report import RESULTS
from bench.servers import CARILLON_KEY, KINDS

HEAD = (
    *("load", "connections", "server", "per second", "Carillon's multiple of the rate", "min to max"),
    *("server us CPU each", "mongod us CPU each"),
    *("Carillon's multiple by CPU of the server", "by CPU of server and mongod"),
    *("p50 ms", "p99 ms", "server CPU", "mongod CPU", "memory MiB"),
)


def _multiple(peer: float, own: float) -> str:
    """Return how many times the peer's figure is of Carillon's; empty without either."""
    return f"{peer / own:.2f} x" if peer and own else ""


def _row(one: Measured, own: Measured | None) -> list[str]:
    """Return the row of a server; `own` is Carillon's load, unless the row is Carillon's or it was not measured.

    Multiples above 1 say that Carillon answers more per second, or takes less CPU for an answer.
    """
    rates = [each.per_second for each in one.rounds]
    server_us, mongod_us = one.figure("server_us"), one.figure("mongod_us")
    multiples = ("", "", "")
    if own is not None:
        own_server_us, own_mongod_us = own.figure("server_us"), own.figure("mongod_us")
        multiples = (
            _multiple(own.per_second, one.per_second),
            _multiple(server_us, own_server_us),
            _multiple(server_us + mongod_us, own_server_us + own_mongod_us),
        )
    return [
        one.load.name,
        str(one.load.connections),
        KINDS[one.server].title,
        f"{one.per_second:,.0f}",
        multiples[0],
        f"{min(rates):,.0f} to {max(rates):,.0f}",
        f"{server_us:,.0f}",
        f"{mongod_us:,.0f}",
        *multiples[1:],
        f"{one.figure('p50_ms'):.1f}",
        f"{one.figure('p99_ms'):.1f}",
        f"{one.figure('server_cpu'):.0%}",
        f"{one.figure('mongod_cpu'):.0%}",
        f"{one.figure('server_rss_mib'):.0f}",
    ]


def _by_load(measured: Sequence[Measured]) -> list[list[Measured]]:
    return [list(group) for _, group in groupby(measured, key=lambda one: one.load)]


def markdown(measured: Sequence[Measured]) -> str:
    """Return the comparison as a Markdown table; empty if nothing was measured."""
    rows: list[list[str]] = []
    for group in _by_load(measured):
        own = next((one for one in group if one.server == CARILLON_KEY), None)
        rows += [_row(one, own if one is not own else None) for one in group]
    if not rows:
        return ""
    lines = [
        "| " + " | ".join(HEAD) + " |",
        "| --- | ---: | --- |" + " ---: |" * (len(HEAD) - 3),
        *("| " + " | ".join(row) + " |" for row in rows),
    ]
    return "\n".join(lines) + "\n"


def description(described: Mapping[str, str], settings: Mapping[str, Any]) -> str:
    """Return how it was measured, and on what, as Markdown."""
    parameters = ", ".join(f"{name} {value}" for name, value in settings.items())
    lines = [
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
