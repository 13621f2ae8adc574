"""The cost of an operation: how many fields its answer has, roughly, with the sizes of its lists.

A page counts as many items as its `first` asks for. Other lists count LIST_SIZE items, those of introspection the
average in the schema. Introspection is counted apart; `__typename` costs nothing at the root.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, cast

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    get_introspection_query,
    get_named_type,
    parse,
)

LIST_SIZE = 10
PAGE_ARGUMENT = "first"
PAGE_ITEMS = "edges"
TYPENAME = "__typename"


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of an operation's data, and that of its introspection."""

    data: int
    introspection: int


class Costs:
    """Computes the costs of operations of one schema; a page has `page_default` items unless `first` says otherwise."""

    def __init__(self, schema: GraphQLSchema, *, page_default: int, page_max: int) -> None:
        self.schema, self._page_default, self._page_max = schema, page_default, page_max
        self._introspection_sizes: Final = _introspection_sizes(schema)

    def of(
        self, document: DocumentNode, operation: OperationDefinitionNode, variables: Mapping[str, Any] | None
    ) -> Cost:
        """Return the cost of an operation with its variables; for None, the most that it can cost with any."""
        data, introspection = (
            _Count(self, document, operation, variables, introspection=introspection).total
            for introspection in (False, True)
        )
        return Cost(data, introspection)

    @cached_property
    def of_whole_schema(self) -> int:
        """The cost of asking for the whole schema, as GraphiQL does."""
        document = parse(
            get_introspection_query(
                specified_by_url=True,
                directive_is_repeatable=True,
                schema_description=True,
                input_value_deprecation=True,
                one_of=True,
            )
        )
        return self.of(document, cast("OperationDefinitionNode", document.definitions[0]), {}).introspection

    def items(
        self,
        parent: Any,
        node: FieldNode,
        variables: Mapping[str, Any] | None,
        defaults: Mapping[str, Any],
    ) -> int:
        """Return how many objects a field has, 1 if it is no list; `defaults` are those of the variables."""
        definition = self.schema.get_field(parent, node.name.value)
        if definition is None:
            return 1
        if PAGE_ARGUMENT in definition.args:
            return self._page_size(node, variables, defaults)
        kind = definition.type.of_type if isinstance(definition.type, GraphQLNonNull) else definition.type
        if not isinstance(kind, GraphQLList) or node.name.value == PAGE_ITEMS:
            return 1
        return self._introspection_sizes.get((parent.name, node.name.value), LIST_SIZE)

    def _page_size(self, node: FieldNode, variables: Mapping[str, Any] | None, defaults: Mapping[str, Any]) -> int:
        sent: Any = next((one.value for one in node.arguments or () if one.name.value == PAGE_ARGUMENT), None)
        if isinstance(sent, VariableNode):
            name = sent.name.value
            if variables is None:
                return self._page_max
            if name in variables:
                value = variables[name]
                return self._within(value) if isinstance(value, int) else self._page_default
            sent = defaults.get(name)
        return self._within(int(sent.value)) if isinstance(sent, IntValueNode) else self._page_default

    def _within(self, first: int) -> int:
        # Any other number is refused when the field is resolved.
        return min(max(first, 0), self._page_max)


class _Count:
    """Counts the introspection of an operation, or all else. A fragment is counted once, and added for each spread."""

    def __init__(
        self,
        costs: Costs,
        document: DocumentNode,
        operation: OperationDefinitionNode,
        variables: Mapping[str, Any] | None,
        *,
        introspection: bool,
    ) -> None:
        self._costs, self._variables, self._introspection = costs, variables, introspection
        self._fragments = {
            node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)
        }
        self._defaults = {one.variable.name.value: one.default_value for one in operation.variable_definitions or ()}
        self._counted: dict[str, int] = {}
        self._root = costs.schema.get_root_type(operation.operation)
        self.total = self._of(self._root, operation.selection_set)

    def _of(self, kind: Any, selections: SelectionSetNode) -> int:
        total = 0
        for node in selections.selections:
            if isinstance(node, FieldNode):
                total += self._of_field(kind, node)
            elif isinstance(node, FragmentSpreadNode):
                total += self._of_fragment(node.name.value)
            elif isinstance(node, InlineFragmentNode):
                condition = node.type_condition
                inner = kind if condition is None else self._costs.schema.get_type(condition.name.value)
                total += self._of(inner, node.selection_set)
        return total

    def _of_fragment(self, name: str) -> int:
        if name not in self._counted:
            fragment = self._fragments[name]
            kind = self._costs.schema.get_type(fragment.type_condition.name.value)
            self._counted[name] = self._of(kind, fragment.selection_set)
        return self._counted[name]

    def _of_field(self, kind: Any, node: FieldNode) -> int:
        name = node.name.value
        if kind is self._root and (name == TYPENAME or name.startswith("__") != self._introspection):
            return 0
        definition = self._costs.schema.get_field(kind, name)
        if definition is None or node.selection_set is None:
            return 1
        items = self._costs.items(kind, node, self._variables, self._defaults)
        return 1 + items * self._of(get_named_type(definition.type), node.selection_set)


def _introspection_sizes(schema: GraphQLSchema) -> dict[tuple[str, str], int]:
    """Return the average number of items of introspection's lists, over all types; 1 for the short ones."""
    kinds = [*schema.type_map.values()]
    fields = [
        field
        for kind in kinds
        if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType)
        for field in kind.fields.values()
    ]

    def average(items: int, owners: int) -> int:
        return max(1, round(items / max(1, owners)))

    inputs = sum(len(kind.fields) for kind in kinds if isinstance(kind, GraphQLInputObjectType))
    values = sum(len(kind.values) for kind in kinds if isinstance(kind, GraphQLEnumType))
    return {
        ("__Schema", "types"): len(kinds),
        ("__Schema", "directives"): len(schema.directives),
        ("__Type", "fields"): average(len(fields), len(kinds)),
        ("__Type", "inputFields"): average(inputs, len(kinds)),
        ("__Type", "enumValues"): average(values, len(kinds)),
        ("__Type", "possibleTypes"): 1,
        ("__Type", "interfaces"): 1,
        ("__Field", "args"): average(sum(len(field.args) for field in fields), len(fields)),
        ("__Directive", "args"): 1,
        ("__Directive", "locations"): 1,
    }
