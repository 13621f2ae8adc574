"""The committed table of rights."""

from resolvers.core.actor import Role
from schema.build import RIGHTS_FILE


def committed_rights() -> list[tuple[str, Role, str]]:
    """Return field, role and mark of each cell of the committed table."""
    lines = RIGHTS_FILE.read_text(encoding="utf-8").splitlines()
    head, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    return [(name, Role(role), mark) for name, *marks in rows for role, mark in zip(head[1:], marks, strict=True)]
