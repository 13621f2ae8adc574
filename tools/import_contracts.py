"""An import-linter contract of our own: a package may import what a list names, and nothing else.

import-linter's `forbidden` contract is a deny-list, which a new dependency passes until somebody remembers to add it.
"""

import sys
from typing import cast

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output

STANDARD_LIBRARY = "(standard library)"


class AllowOnlyContract(Contract):
    """Holds `package` to its own modules and to `allowed`: top-level packages, or STANDARD_LIBRARY for all of it."""

    type_name = "allow_only"

    package = fields.StringField()
    allowed = fields.SetField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:  # noqa: ARG002 - import-linter's signature
        """Return the imports of the package that the list does not name."""
        package, allowed = cast("str", self.package), cast("set[str]", self.allowed)
        if STANDARD_LIBRARY in allowed:
            allowed = allowed | sys.stdlib_module_names
        modules = {package, *graph.find_descendants(package)}
        found = sorted(
            (importer, imported)
            for importer in modules
            for imported in graph.find_modules_directly_imported_by(importer)
            if imported not in modules and imported.partition(".")[0] not in allowed
        )
        return ContractCheck(kept=not found, metadata={"found": found})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Print each import that is not allowed."""
        for importer, imported in check.metadata["found"]:
            output.print_error(f"{importer} imports {imported}, which is not on the list of what it may import.")
