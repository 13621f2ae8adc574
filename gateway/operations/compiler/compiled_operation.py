"""An operation, compiled for its requested variants, and executed."""

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
from gateway.operations.compiler.runtime import Execution, UnexpectedValue
from gateway.operations.compiler.variables import Misfit, Variables

VARIANTS_MAX = 16
CHARACTERS_MAX = 5_000_000

__all__ = ["CHARACTERS_MAX", "CodeBudget", "CompiledOperation", "NotCompilable"]


class _Conditions(Visitor):
    """Finds the variables that `@skip` and `@include` depend on."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, None] = {}

    def enter_directive(self, node: DirectiveNode, *_: Any) -> None:
        """Collect the variables of one directive."""
        if node.name.value in {"skip", "include"}:
            for argument in node.arguments or ():
                if isinstance(argument.value, VariableNode):
                    self.found[argument.value.name.value] = None


class _Variant:
    """The functions for one combination of `@skip` and `@include` variables; `size` is their text in characters."""

    __slots__ = ("_names", "guards", "run", "size")

    def __init__(self, core: Executor[Any]) -> None:
        compiler = Compiler(core)
        self.run = compiler.compile()
        self.guards = tuple(compiler.guards)
        self.size = compiler.size
        self._names = compiler.names

    def __del__(self) -> None:
        # Functions and their global names refer to each other. Full garbage collections are rare, so an evicted variant
        # has to end this circle itself. Its executions hold it until they end.
        names = getattr(self, "_names", None)
        if names is not None:
            names.clear()


class CodeBudget:
    """Bounds the compiled code of all operations, in characters of its text; each takes some 7 bytes of memory.

    Beyond the bound, the variants compiled longest ago are evicted, and compiled again on demand.
    """

    def __init__(self, characters_max: int) -> None:
        self._characters_max = characters_max
        self._characters = 0
        self._oldest_first: deque[tuple[dict[tuple[Any, ...], _Variant], tuple[Any, ...]]] = deque()

    def take(self, variants: dict[tuple[Any, ...], _Variant], key: tuple[Any, ...], variant: _Variant) -> None:
        """Add a variant to its operation's `variants`; evict the oldest variants of all operations beyond the bound."""
        variants[key] = variant
        self._oldest_first.append((variants, key))
        self._characters += variant.size
        while self._characters > self._characters_max and len(self._oldest_first) > 1:
            evicted, evicted_key = self._oldest_first.popleft()
            self._characters -= evicted.pop(evicted_key).size


class CompiledOperation:
    """A valid operation of a valid document; the package's docstring explains compilation."""

    def __init__(
        self,
        schema: GraphQLSchema,
        document: DocumentNode,
        operation_name: str | None = None,
        *,
        budget: CodeBudget | None = None,
    ) -> None:
        """Prepare an operation; its first execution compiles it. Operations can share a `budget`.

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
        self._budget = budget or CodeBudget(CHARACTERS_MAX)
        self.left_to_core = False
        """True if graphql-core executes this operation from now on."""

    def execute(self, root: Any, context: Any, raw: dict[str, Any]) -> ExecutionResult | Awaitable[ExecutionResult]:
        """Execute the operation with `raw` variables; for a subscription, one event, whose payload is `root`."""
        if self.left_to_core:
            return self._by_core(root, context, raw)
        try:
            values = self._variables.coerce(raw)
        except Misfit:
            # graphql-core coerces the variables, or reports why it cannot.
            core = self._core(root, context, raw)
            if isinstance(core, list):
                return ExecutionResult(None, core)
            values = core.variable_values.coerced
        variant = self._variants.get(tuple([values.get(name) for name in self._conditions]))
        if variant is None:
            variant = self._compile(values, root, context, raw)
            if variant is None:
                return self._by_core(root, context, raw)
        return self._run(variant, Execution(context, root, raw, values, self._core_of, code=variant))

    def _run(self, variant: _Variant, execution: Execution) -> ExecutionResult | Awaitable[ExecutionResult]:
        for guard in variant.guards:
            try:
                guard(execution.context)
            except Exception:  # noqa: BLE001 - it is called again at its field, where its error gets a path
                execution.denied = True
                break
        try:
            data = variant.run(execution.root, None, execution)
        except GraphQLError as error:
            execution.add_error(error, ())
            data = None
        except UnexpectedValue:
            return self._fall_back(execution.root, execution.context, execution.raw)
        if data.__class__ is CoroutineType:
            return self._await_result(data, execution)
        return ExecutionResult(data, execution.errors or None)

    async def _await_result(self, data: Coroutine[Any, Any, Any], execution: Execution) -> ExecutionResult:
        try:
            return ExecutionResult(await data, execution.errors or None)
        except GraphQLError as error:
            execution.add_error(error, ())
            return ExecutionResult(None, execution.errors)
        except UnexpectedValue:
            result = self._fall_back(execution.root, execution.context, execution.raw)
            return result if isinstance(result, ExecutionResult) else await result

    def _fall_back(self, root: Any, context: Any, raw: dict[str, Any]) -> ExecutionResult | Awaitable[ExecutionResult]:
        """Execute with graphql-core, now and from now on, because a value was unexpected."""
        self.left_to_core = True
        if self.node.operation is OperationType.MUTATION:
            # It may have written already, and must not write twice.
            raise RuntimeError("a mutation returned a value that compiled code cannot complete: remove its hint")
        return self._by_core(root, context, raw)

    def _compile(self, values: dict[str, Any], root: Any, context: Any, raw: dict[str, Any]) -> _Variant | None:
        """Return the variant for some variables, newly compiled; None if graphql-core has to execute it."""
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
        self._budget.take(self._variants, tuple([values.get(name) for name in self._conditions]), variant)
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
        assert not isinstance(core, list)  # noqa: S101 - the same variables have been coerced before
        return core
