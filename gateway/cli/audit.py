"""`carillon audit`: proves that the stored data is consistent."""

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
    for offer, over in findings.budget_overruns.items():
        out.print(
            f"offer {offer}: its budget is exceeded by {over:,} (points, or hundredths of the currency)", markup=False
        )
    if findings.waiting:
        out.print(f"{findings.waiting:,} events wait for their purchase; the first {len(findings.waiting_events)}:")
    for waiting in findings.waiting_events:
        out.print(
            f"waiting: {waiting.type} {waiting.key} of sender {waiting.sender} for purchase {waiting.waits_for} "
            f"of member {waiting.number}, until {waiting.until:%Y-%m-%d %H:%M} UTC",
            markup=False,
        )
    for broken in findings.members_with_faults:
        for fault in broken.faults:
            out.print(f"member {broken.number} ({broken.member}): {fault}", style="red", markup=False)
    for supply in findings.supplies_with_faults:
        for fault in supply.faults:
            out.print(f"{supply.name}: {fault}", style="red", markup=False)


def audit(data_dir: DataDir = None) -> None:
    """Prove that every point, order, hold, unit of stock and code is accounted for. Exit with 1 if a proof fails."""

    async def run(database: Database, _settings: Settings) -> int:
        with progress_bar(err, "Auditing members") as on_progress:
            findings = await run_audit(database, on_progress=on_progress)
        _print_findings(findings)
        audited = (
            f"{findings.members:,} members, {findings.records:,} versions, {findings.orders:,} orders, "
            f"{findings.holds:,} holds, {findings.codes:,} codes, {findings.counters:,} counters"
        )
        if findings.is_clean:
            out.print(
                f"All proofs hold: {audited}; points conserved, lots = balance, one record per version, "
                "hash chains intact, each event counted once, newest entries, caps and write-offs as in the ledger, "
                "each number, card, e-mail and phone leads to its member, orders and holds = points spent and held, "
                "each code in one place, counters = quantities taken."
            )
            return 0
        if findings.members_with_faults_count:
            out.print(
                f"{findings.members_with_faults_count:,} of {findings.members:,} members failed; "
                f"the first {len(findings.members_with_faults)} are listed above.",
                style="red",
            )
        if findings.supplies_with_faults_count:
            out.print(
                f"{findings.supplies_with_faults_count:,} counters and codes failed; "
                f"the first {len(findings.supplies_with_faults)} are listed above.",
                style="red",
            )
        return 1

    raise typer.Exit(with_database("audit", data_dir, run))
