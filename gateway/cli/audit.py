"""`carillon audit`: the proof that everything adds up."""

import typer

from gateway.cli.common import DataDir, with_database
from gateway.cli.console import err, out
from gateway.cli.progress import progress_bar
from gateway.config import Settings
from models.mongo.database import Database
from resolvers.audit.audit import Findings
from resolvers.audit.audit import audit as run_audit


def _print_findings(findings: Findings) -> None:
    for account, points in sorted(findings.balances.items()):
        out.print(f"  {account.value:<12} {points:>15,}")
    for offer, over in findings.overruns.items():
        out.print(f"offer {offer}: its budget is outrun by {over:,} (points, or hundredths of money)", markup=False)
    for broken in findings.broken:
        for fault in broken.faults:
            out.print(f"member {broken.number} ({broken.member}): {fault}", style="red", markup=False)
    for supply in findings.broken_supplies:
        for fault in supply.faults:
            out.print(f"{supply.name}: {fault}", style="red", markup=False)


def audit(data_dir: DataDir = None) -> None:
    """Prove that every point, order, hold, piece and code is accounted for. Exit 1 where something does not hold."""

    async def run(database: Database, _settings: Settings) -> int:
        with progress_bar(err, "Auditing members") as on_progress:
            findings = await run_audit(database, on_progress=on_progress)
        _print_findings(findings)
        looked_at = (
            f"{findings.members:,} members, {findings.records:,} versions, {findings.orders:,} orders, "
            f"{findings.holds:,} holds, {findings.codes:,} codes, {findings.counters:,} counters"
        )
        if findings.all_holds:
            out.print(
                f"Everything holds: {looked_at}; points conserved, lots = balance, a record for each version, "
                "hash chains whole, each event counted once, newest entries, caps and write-offs as in the ledger, "
                "each number, card, e-mail and phone its member's, orders and holds = points spent and held, "
                "each code in one place, counters = what was taken."
            )
            return 0
        if findings.broken_count:
            out.print(
                f"{findings.broken_count:,} of {findings.members:,} members do not hold; "
                f"the first {len(findings.broken)} are named above.",
                style="red",
            )
        if findings.broken_supply_count:
            out.print(
                f"{findings.broken_supply_count:,} counters and codes do not hold; "
                f"the first {len(findings.broken_supplies)} are named above.",
                style="red",
            )
        return 1

    raise typer.Exit(with_database("audit", data_dir, run))
