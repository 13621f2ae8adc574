"""Validates variables in input types with `@oneOf`, where graphql-core 3.3 does not see a required input type."""

from typing import Any

from graphql import (
    GraphQLError,
    GraphQLInputObjectType,
    GraphQLNonNull,
    OperationDefinitionNode,
    ValidationContext,
    ValidationRule,
    is_nullable_type,
    type_from_ast,
)


class OneOfVariables(ValidationRule):
    """Refuses nullable variables in a `@oneOf` input type: null is none of its fields.

    graphql-core checks it in VariablesInAllowedPositionRule, but not if the position's type is non-null (`MemberKey!`).
    """

    context: ValidationContext

    def leave_operation_definition(self, operation: OperationDefinitionNode, *_: Any) -> None:
        """Check all variables that an operation uses, in its fragments too."""
        definitions = {one.variable.name.value: one for one in operation.variable_definitions or ()}
        for usage in self.context.get_recursive_variable_usages(operation):
            parent, name = usage.parent_type, usage.node.name.value
            definition = usage.fragment_variable_definition or definitions.get(name)
            if definition is None or not isinstance(parent, GraphQLNonNull):
                continue
            kind = type_from_ast(self.context.schema, definition.type)
            one_of: Any = parent.of_type
            if isinstance(one_of, GraphQLInputObjectType) and one_of.is_one_of and is_nullable_type(kind):
                message = (
                    f"Variable '${name}' is of type '{kind}' but must be non-nullable to be used for OneOf "
                    f"Input Object '{one_of}'."
                )
                self.report_error(GraphQLError(message, [definition, usage.node]))
