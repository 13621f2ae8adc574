"""The limits of a document: size, depth, aliases and root fields (including its fragments), cost of validation."""

import re
from typing import Any, cast

from graphql import (
    DocumentNode,
    FieldNode,
    FloatValueNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    InlineFragmentNode,
    IntValueNode,
    NameNode,
    OperationDefinitionNode,
    SelectionSetNode,
    Visitor,
    parse,
    specified_rules,
    validate,
    visit,
)
from graphql.validation.rules import overlapping_fields_can_be_merged

from gateway.config import OperationLimits
from gateway.operations.one_of_rule import OneOfVariables
from resolvers.core.operation_error import LimitExceeded

# The messages of graphql-core, which has no error classes for these.
_TOO_LONG = "tokens. Parsing aborted."
_TOO_DEEP = "Document is nested too deeply. Parsing aborted."
_RULES = (*specified_rules, OneOfVariables)
# Every float has fewer digits; Python converts no number with more than 4300 to an int.
DIGITS_MAX = 300
NAME_LENGTH_MAX = 100
_LONG_NAME = re.compile(rf"\w{{{NAME_LENGTH_MAX + 1}}}", re.ASCII)
_MANY_DIGITS = re.compile(rf"[0-9.]{{{DIGITS_MAX - 10}}}")
_TOO_COMPLEX = "Validation aborted."


def exceeded(limits: OperationLimits, name: str) -> LimitExceeded:
    """Return the refusal of an operation that is past a limit."""
    return LimitExceeded(name, value=getattr(limits, name), setting=limits.setting(name))


def parse_limited(text: str, limits: OperationLimits) -> DocumentNode:
    """Parse a document; stop at the limit of tokens.

    Raises:
        LimitExceeded: it has more characters or tokens, or is nested too deeply to parse.
        GraphQLSyntaxError: it is not valid GraphQL.
    """
    if len(text) > limits.characters:
        raise exceeded(limits, "characters")
    try:
        document = parse(text, max_tokens=limits.tokens)
    except GraphQLSyntaxError as error:
        if error.description.endswith(_TOO_LONG):
            raise exceeded(limits, "tokens") from None
        if error.description.endswith(_TOO_DEEP):
            raise too_deep(limits) from None
        raise
    _unlink_tokens(document)
    return document


def _unlink_tokens(document: DocumentNode) -> None:
    """Cut the links between the tokens of a document: only the parser uses them.

    They form circles, which would keep the document in memory after it is evicted, until a full garbage collection.
    """
    token = document.loc.start_token if document.loc is not None else None
    while token is not None:
        following, token.prev, token.next = token.next, None, None
        token = following


def too_deep(limits: OperationLimits) -> LimitExceeded:
    """Return the refusal of a document that is nested too deeply."""
    return exceeded(limits, "depth")


class _Measure:
    """Depth and aliases of selection sets. A fragment is measured once, and counted for each spread."""

    def __init__(self, document: DocumentNode, depth_max: int) -> None:
        self._fragments = {
            node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)
        }
        self._measured: dict[str, tuple[int, int]] = {}
        self._in_progress: set[str] = set()
        self._depth_max = depth_max

    def of(self, selections: SelectionSetNode | None, level: int = 0) -> tuple[int, int]:
        """Return the levels and aliases below a selection set; does not descend below `depth_max`."""
        if selections is None or level > self._depth_max:
            return 0, 0
        depth = aliases = 0
        for node in selections.selections:
            if isinstance(node, FragmentSpreadNode):
                below, found = self._of_fragment(node.name.value)
            elif isinstance(node, FieldNode):
                below, found = self.of(node.selection_set, level + 1)
                below, found = below + 1, found + (node.alias is not None)
            else:
                below, found = self.of(cast("InlineFragmentNode", node).selection_set, level)
            depth, aliases = max(depth, below), aliases + found
        return depth, aliases

    def root_keys(self, selections: SelectionSetNode) -> set[str]:
        """Return the keys of an operation's answer."""
        keys: set[str] = set()
        seen: set[str] = set()
        waiting = [selections]
        while waiting:
            for node in waiting.pop().selections:
                if isinstance(node, FieldNode):
                    keys.add((node.alias or node.name).value)
                elif isinstance(node, InlineFragmentNode):
                    waiting.append(node.selection_set)
                elif isinstance(node, FragmentSpreadNode) and node.name.value not in seen:
                    seen.add(node.name.value)
                    fragment = self._fragments.get(node.name.value)
                    waiting += [fragment.selection_set] if fragment is not None else []
        return keys

    def _of_fragment(self, name: str) -> tuple[int, int]:
        fragment = self._fragments.get(name)
        if fragment is None or name in self._in_progress:
            return 0, 0  # unknown, or a cycle: validation reports it
        if name not in self._measured:
            self._in_progress.add(name)
            self._measured[name] = self.of(fragment.selection_set)
            self._in_progress.discard(name)
        return self._measured[name]


def validate_limited(
    schema: GraphQLSchema, document: DocumentNode, limits: OperationLimits, errors_max: int
) -> list[GraphQLError]:
    """Return the validation errors of a document, at most `errors_max`; stop at the limit of complexity.

    Raises:
        LimitExceeded: the validation would have to compare more fields or follow more fragments.
    """
    # graphql-core's only way to set it; it reads the value when a validation starts.
    overlapping_fields_can_be_merged.MAX_COMPLEXITY_BUDGET = limits.complexity
    errors = validate(schema, document, _RULES, max_errors=errors_max)
    if errors and errors[-1].message == _TOO_COMPLEX:
        raise exceeded(limits, "complexity")
    return errors


class _Lengths(Visitor):
    """Refuses the first number or name that is too long."""

    def enter_name(self, node: NameNode, *_: Any) -> None:
        if len(node.value) > NAME_LENGTH_MAX:
            raise GraphQLError(f"A name has at most {NAME_LENGTH_MAX} characters.", node)

    def enter_int_value(self, node: IntValueNode, *_: Any) -> None:
        _check_digits(node)

    def enter_float_value(self, node: FloatValueNode, *_: Any) -> None:
        _check_digits(node)


def _check_digits(node: IntValueNode | FloatValueNode) -> None:
    if len(node.value) > DIGITS_MAX:
        raise GraphQLError(f"A number has at most {DIGITS_MAX} digits.", node)


def check_lengths(document: DocumentNode, text: str) -> None:
    """Check the lengths of numbers and names in a document, whose text is `text`; raise GraphQLError for one too long.

    graphql-core converts numbers at several places, and does not expect that a conversion can fail. Names are repeated
    in answers, for each item of a list.
    """
    if _MANY_DIGITS.search(text) or _LONG_NAME.search(text):
        visit(document, _Lengths())


def check_document(document: DocumentNode, limits: OperationLimits) -> None:
    """Check every operation of a document against the limits of depth, aliases and roots; raise LimitExceeded."""
    measure = _Measure(document, limits.depth)
    for node in document.definitions:
        if not isinstance(node, OperationDefinitionNode):
            continue
        depth, aliases = measure.of(node.selection_set)
        if depth > limits.depth:
            raise too_deep(limits)
        if aliases > limits.aliases:
            raise exceeded(limits, "aliases")
        if len(measure.root_keys(node.selection_set)) > limits.roots:
            raise exceeded(limits, "roots")
