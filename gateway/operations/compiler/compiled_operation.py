"""An operation: compiled for the variants of it that are asked for, and executed."""

from collections import deque
from collections.abc import Awaitable, Coroutine
from types import CoroutineType
from typing import Any

from graphql import (
    DirectiveNode,
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    VariableNode,
    execute,
    get_operation_ast,
)
from graphql.execution import execute_subscription_event
from graphql.execution.executor import Executor
from graphql.language import Visitor, visit

from gateway.operations.compiler.emit import Compiler, NotCompilable
from gateway.operations.compiler.runtime import Execution, Unforeseen
from gateway.operations.compiler.variables import Misfit, Variables

VARIANTS_MAX = 16
CHARACTERS_MAX = 5_000_000

__all__ = ["CHARACTERS_MAX", "CompiledOperation", "NotCompilable", "Room"]


class _Conditions(Visitor):
    """Finds the variables that `@skip` and `@include` depend on."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, None] = {}

    def enter_directive(self, node: DirectiveNode, *_: Any) -> None:
        """Look at one directive."""
        if node.name.value in {"skip", "include"}:
            for argument in node.arguments or ():
                if isinstance(argument.value, VariableNode):
                    self.found[argument.value.name.value] = None


class _Variant:
    """The functions for one combination of the variables that decide what is asked for, and the size of their text."""

    __slots__ = ("guards", "run", "size")

    def __init__(self, core: Executor[Any]) -> None:
        compiler = Compiler(core)
        self.run = compiler.compile()
        self.guards = tuple(compiler.guards)
        self.size = compiler.size


class Room:
    """How much compiled code there is in all, in characters of its text; each takes some 7 bytes of memory.

    Where there is no more room, what was compiled longest ago is forgotten, and compiled again if it is asked for.
    """

    def __init__(self, characters_max: int) -> None:
        self._characters_max = characters_max
        self._characters = 0
        self._kept: deque[tuple[dict[tuple[Any, ...], _Variant], tuple[Any, ...]]] = deque()

    def take(self, variants: dict[tuple[Any, ...], _Variant], key: tuple[Any, ...], variant: _Variant) -> None:
        """Add a variant to its operation's, and forget the oldest of all operations where that is too much."""
        variants[key] = variant
        self._kept.append((variants, key))
        self._characters += variant.size
        while self._characters > self._characters_max and len(self._kept) > 1:
            oldest, forgotten = self._kept.popleft()
            self._characters -= oldest.pop(forgotten).size


class CompiledOperation:
    """A valid operation of a valid document; see the package for what it is."""

    def __init__(
        self,
        schema: GraphQLSchema,
        document: DocumentNode,
        operation_name: str | None = None,
        *,
        room: Room | None = None,
    ) -> None:
        """Prepare an operation; it is compiled when it is first executed. `room` is shared with other operations.

        Raises:
            NotCompilable: the document has no such operation.
        """
        node = get_operation_ast(document, operation_name)
        if node is None:
            raise NotCompilable
        self.node: OperationDefinitionNode = node
        self._schema, self._document, self._name = schema, document, operation_name
        self._variables = Variables(schema, node.variable_definitions or ())
        conditions = _Conditions()
        visit(document, conditions)
        self._conditions = tuple(conditions.found)
        self._variants: dict[tuple[Any, ...], _Variant] = {}
        self._room = room or Room(CHARACTERS_MAX)
        self.left_to_core = False
        """Whether graphql-core executes it from now on."""

    def execute(self, root: Any, context: Any, raw: dict[str, Any]) -> ExecutionResult | Awaitable[ExecutionResult]:
        """Execute the operation, or one event of it where it is a subscription, whose payload is the root then."""
        if self.left_to_core:
            return self._by_core(root, context, raw)
        try:
            values = self._variables.coerce(raw)
        except Misfit:
            # graphql-core coerces it after all, or says why it cannot be.
            core = self._core(root, context, raw)
            if isinstance(core, list):
                return ExecutionResult(None, core)
            values = core.variable_values.coerced
        variant = self._variants.get(tuple([values.get(name) for name in self._conditions]))
        if variant is None:
            variant = self._compiled(values, root, context, raw)
            if variant is None:
                return self._by_core(root, context, raw)
        return self._run(variant, Execution(context, root, raw, values, self._core_of))

    def _run(self, variant: _Variant, execution: Execution) -> ExecutionResult | Awaitable[ExecutionResult]:
        for guard in variant.guards:
            try:
                guard(execution.context)
            except Exception:  # noqa: BLE001 - it is asked again at its field, where its error has a place
                execution.denied = True
                break
        try:
            data = variant.run(execution.root, None, execution)
        except GraphQLError as error:
            execution.add(error, ())
            data = None
        except Unforeseen:
            return self._again(execution.root, execution.context, execution.raw)
        if data.__class__ is CoroutineType:
            return self._awaited(data, execution)
        return ExecutionResult(data, execution.errors or None)

    async def _awaited(self, data: Coroutine[Any, Any, Any], execution: Execution) -> ExecutionResult:
        try:
            return ExecutionResult(await data, execution.errors or None)
        except GraphQLError as error:
            execution.add(error, ())
            return ExecutionResult(None, execution.errors)
        except Unforeseen:
            again = self._again(execution.root, execution.context, execution.raw)
            return again if isinstance(again, ExecutionResult) else await again

    def _again(self, root: Any, context: Any, raw: dict[str, Any]) -> ExecutionResult | Awaitable[ExecutionResult]:
        """Leave to graphql-core what could not be foreseen, this time and from now on."""
        self.left_to_core = True
        if self.node.operation is OperationType.MUTATION:
            # It has changed something already, and must not do so twice.
            raise RuntimeError("a mutation returned what compiled code cannot complete: tell the compiler less of it")
        return self._by_core(root, context, raw)

    def _compiled(self, values: dict[str, Any], root: Any, context: Any, raw: dict[str, Any]) -> _Variant | None:
        """Compile the variant that some variables ask for; None where it is left to graphql-core."""
        if len(self._variants) >= VARIANTS_MAX:
            return None
        core = self._core(root, context, raw)
        if isinstance(core, list):
            self.left_to_core = True
            return None
        try:
            variant = _Variant(core)
        except (NotCompilable, RecursionError):
            self.left_to_core = True
            return None
        self._room.take(self._variants, tuple([values.get(name) for name in self._conditions]), variant)
        return variant

    def _by_core(self, root: Any, context: Any, raw: dict[str, Any]) -> ExecutionResult | Awaitable[ExecutionResult]:
        if self.node.operation is OperationType.SUBSCRIPTION:
            core = self._core(root, context, raw)
            return ExecutionResult(None, core) if isinstance(core, list) else execute_subscription_event(core)
        return execute(self._schema, self._document, root, context, raw, self._name)

    def _core(self, root: Any, context: Any, raw: dict[str, Any]) -> Executor[Any] | list[GraphQLError]:
        return Executor.build(self._schema, self._document, root, context, raw, self._name)

    def _core_of(self, execution: Execution) -> Executor[Any]:
        core = self._core(execution.root, execution.context, execution.raw)
        assert not isinstance(core, list)  # noqa: S101 - the same variables were coerced before
        return core
