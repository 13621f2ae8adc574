"""Finds the operations that select certain fields, whose data is then read before the operation is executed."""

from typing import Any

from graphql import DocumentNode, FieldNode, GraphQLSchema, TypeInfo, TypeInfoVisitor, Visitor, visit
from graphql.utilities import separate_operations


class _Selection(Visitor):
    """Looks for fields, by their coordinates such as `Member.offers`."""

    def __init__(self, types: TypeInfo, coordinates: frozenset[str]) -> None:
        super().__init__()
        self._types, self._coordinates = types, coordinates
        self.found = False

    def enter_field(self, node: FieldNode, *_: Any) -> None:
        """Compare the coordinates of one field."""
        parent = self._types.get_parent_type()
        self.found = self.found or (parent is not None and f"{parent.name}.{node.name.value}" in self._coordinates)


def selects_any(schema: GraphQLSchema, document: DocumentNode, name: str | None, coordinates: frozenset[str]) -> bool:
    """Return whether an operation of a valid document selects one of the fields `coordinates`, itself or in a fragment.

    `@skip` and `@include` are ignored.
    """
    operations = separate_operations(document)
    # Without a name, a document has one operation.
    operation = operations[name] if name is not None else next(iter(operations.values()))
    types = TypeInfo(schema)
    selection = _Selection(types, coordinates)
    visit(operation, TypeInfoVisitor(types, selection))
    return selection.found
