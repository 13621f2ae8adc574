"""Operations from text to result, the same on every transport: parse, limit, validate and compile once, then execute.

Documents are cached by their text, bounded in number and size, so that a client's operations are parsed, validated and
compiled once in the life of the process.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Iterable, Mapping
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, cast

import structlog
from cachetools import LRUCache
from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    GraphQLSchema,
    ListTypeNode,
    NonNullTypeNode,
    OperationDefinitionNode,
    OperationType,
    create_source_event_stream,
    get_operation_ast,
)
from graphql import Executor as GraphQLExecutor

from gateway.config import Limits, OperationLimits
from gateway.observability.metrics import Metrics
from gateway.operations.compiler import CHARACTERS_MAX, CodeBudget, CompiledOperation
from gateway.operations.cost import Costs
from gateway.operations.document_limits import (
    check_document,
    check_lengths,
    exceeded,
    parse_limited,
    too_deep,
    validate_limited,
)
from gateway.operations.prefetch import selects_any
from resolvers.core.context import Context
from resolvers.core.operation_error import BadInput, LimitExceeded, OperationError
from resolvers.personalisation import prefetch_supply
from schema.types.member import SUPPLY_FIELDS
from schema.wire.error import failure, fault_extensions, fault_message, formatted
from schema.wire.input_bounds import TEXTS, check_list
from schema.wire.page import FIRST_DEFAULT
from schema.wire.text import locale_of

CACHED_DOCUMENTS_MAX = 1000
CACHED_TEXT_LENGTH_MAX = 16_384
CACHED_CHARACTERS_MAX = 400_000
"""A parsed document takes up to 400 bytes for each of its characters."""

ANONYMOUS_SHARE = 4
"""Callers without a token share a cache of their own, this part of the size: they evict nothing of the others."""

ERRORS_MAX = 50
"""Errors in an answer; they repeat paths, and a list can have one for each item."""

VALIDATION_ERRORS_MAX = 20
CANCEL_AGAIN_SECONDS = 0.5
SUBSCRIPTION_HINT = (
    "A subscription is not answered by plain HTTP. "
    "Use graphql-transport-ws on this path, or graphql-sse on /graphql/stream."
)

log = structlog.get_logger(__name__)

Answer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class GraphQLRequest:
    """The text of a document, the operation to execute, and its variables."""

    query: str
    operation_name: str | None = None
    variables: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Operation:
    """A valid operation, ready to execute."""

    document: DocumentNode
    compiled: CompiledOperation
    request: GraphQLRequest
    prefetches_supply: bool
    only_introspects: bool

    @property
    def node(self) -> OperationDefinitionNode:
        """The operation's definition in its document."""
        return self.compiled.node

    @property
    def type(self) -> OperationType:
        """Query, mutation or subscription."""
        return self.compiled.node.operation

    @property
    def name(self) -> str | None:
        """The operation's name in its document."""
        return self.compiled.node.name.value if self.compiled.node.name else None

    @property
    def variables(self) -> dict[str, Any]:
        """The variables as they were sent."""
        return dict(self.request.variables or {})


@dataclass(frozen=True, slots=True)
class _Checked:
    """An operation within the limits. `depends_on_sizes`: with other variables, its cost could be past the limit.

    `bounded` are the variables whose length has to be checked.
    """

    compiled: CompiledOperation
    prefetches_supply: bool
    only_introspects: bool
    depends_on_sizes: bool
    bounded: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Document:
    """A document that is valid and within the limits, with its operations that were requested; or its errors."""

    text_length: int
    document: DocumentNode | None
    errors: "list[GraphQLError] | OperationError | None" = None
    operations: dict[str | None, _Checked] = field(default_factory=dict)


class InvalidOperation(Exception):  # noqa: N818 - answered with its errors
    """A request that cannot be executed: its errors, before anything ran."""

    def __init__(self, errors: list[GraphQLError] | OperationError) -> None:
        super().__init__("the operation is not valid")
        self.errors = errors

    @property
    def code(self) -> str:
        """The code of the first error."""
        if isinstance(self.errors, OperationError):
            return self.errors.code
        return str((self.errors[0].extensions or {}).get("code", BadInput.code))

    def answer(self, locale: str) -> Answer:
        """Return the errors as they are sent. There is no `data`, because nothing was executed."""
        if isinstance(self.errors, OperationError):
            return fault_answer(self.errors, locale)
        return {"errors": [formatted(error, locale) for error in self.errors]}


def fault_answer(fault: OperationError, locale: str) -> Answer:
    """Return the answer that reports a fault."""
    return {"errors": [{"message": fault_message(fault, locale), "extensions": fault_extensions(fault)}]}


def failure_answer(id_: str, locale: str) -> Answer:
    """Return the answer that reports an unexpected error, by the id under which it was logged."""
    return {"errors": [failure(id_, locale)]}


def checked_document(schema: GraphQLSchema, text: str, limits: OperationLimits) -> DocumentNode:
    """Parse and validate a document within the limits.

    Raises:
        InvalidOperation: it does not parse, is past a limit, or is not valid.
    """
    try:
        document = parse_limited(text, limits)
        check_lengths(document, text)
        check_document(document, limits)
        errors = validate_limited(schema, document, limits, VALIDATION_ERRORS_MAX)
    except GraphQLError as error:
        raise InvalidOperation([error]) from None
    except LimitExceeded as fault:
        raise InvalidOperation(fault) from None
    except RecursionError:
        raise InvalidOperation(too_deep(limits)) from None
    if errors:
        raise InvalidOperation(errors)
    return document


def _without_traces(errors: list[GraphQLError] | OperationError) -> list[GraphQLError] | OperationError:
    """Return errors that will be cached, without the frames of the calls in which they were raised."""
    for error in [errors] if isinstance(errors, OperationError) else errors:
        error.__traceback__ = error.__context__ = error.__cause__ = None
    return errors


def _bounded_variables(node: OperationDefinitionNode) -> tuple[str, ...]:
    """Return the names of the variables that are texts or lists. Inputs are checked when they are built."""
    named: list[str] = []
    for definition in node.variable_definitions or ():
        kind: Any = definition.type.type if isinstance(definition.type, NonNullTypeNode) else definition.type
        if isinstance(kind, ListTypeNode) or kind.name.value in TEXTS:
            named.append(definition.variable.name.value)
    return tuple(named)


def _check_variables(names: Iterable[str], variables: Mapping[str, Any]) -> None:
    """Raise InvalidOperation if a text or list is too long."""
    try:
        for name in names:
            check_list(variables.get(name), f"${name}")
    except BadInput as fault:
        raise InvalidOperation(fault) from None


class _Documents:
    """The documents of callers with the same limits: checked once, while they are cached; `share`: of the cache."""

    def __init__(self, schema: GraphQLSchema, costs: Costs, limits: OperationLimits, *, share: int) -> None:
        self._schema, self._costs, self._limits = schema, costs, limits
        self._budget = CodeBudget(CHARACTERS_MAX // share)
        size_min = CACHED_CHARACTERS_MAX // CACHED_DOCUMENTS_MAX
        self._documents = LRUCache[str, _Document](
            CACHED_CHARACTERS_MAX // share, getsizeof=lambda document: max(document.text_length, size_min)
        )

    def operation(self, request: GraphQLRequest) -> Operation:
        """Return the operation of a request; raise InvalidOperation as `Executor.prepare` does."""
        checked = self._document(request.query)
        document = checked.document
        if document is None:
            raise InvalidOperation(checked.errors or [])
        found = checked.operations.get(request.operation_name)
        if found is None:
            found = self._checked_operation(document, request)
            checked.operations[request.operation_name] = found
        elif found.depends_on_sizes:
            self._check_cost(document, found.compiled.node, request.variables or {})
        if found.bounded and request.variables:
            _check_variables(found.bounded, request.variables)
        return Operation(document, found.compiled, request, found.prefetches_supply, found.only_introspects)

    def _checked_operation(self, document: DocumentNode, request: GraphQLRequest) -> _Checked:
        """Return an operation, to be compiled when it is first executed."""
        name = request.operation_name
        node = get_operation_ast(document, name)
        if node is None:
            if name is None:
                error = GraphQLError("The document has several operations: say which with operationName.")
            else:
                error = GraphQLError(f"The document has no operation named {name[:100]!r}.")
            raise InvalidOperation([error])
        depends_on_sizes = False
        try:
            only_introspects = self._check_cost(document, node, None)
        except InvalidOperation:
            depends_on_sizes = True
            only_introspects = self._check_cost(document, node, request.variables or {})
        compiled = CompiledOperation(self._schema, document, name, budget=self._budget)
        # A mutation would prefetch what it is about to change.
        prefetches_supply = node.operation is OperationType.QUERY and selects_any(
            self._schema, document, name, SUPPLY_FIELDS
        )
        return _Checked(compiled, prefetches_supply, only_introspects, depends_on_sizes, _bounded_variables(node))

    def _check_cost(
        self, document: DocumentNode, node: OperationDefinitionNode, variables: Mapping[str, Any] | None
    ) -> bool:
        """Check the cost of an operation; return whether it only introspects. One that does may read the schema once.

        Raises:
            InvalidOperation: it costs more than the limit.
        """
        cost = self._costs.of(document, node, variables)
        only_introspects = cost.introspection > 0 and cost.data == 0
        most = max(self._limits.cost, self._costs.of_whole_schema if only_introspects else 0)
        if cost.data + cost.introspection > most:
            raise InvalidOperation(exceeded(self._limits, "cost"))
        return only_introspects

    def _document(self, text: str) -> _Document:
        cached = self._documents.get(text)
        if cached is None:
            cached = self._checked(text)
            if len(text) <= CACHED_TEXT_LENGTH_MAX:
                self._documents[text] = cached
        return cached

    def _checked(self, text: str) -> _Document:
        try:
            return _Document(len(text), checked_document(self._schema, text, self._limits))
        except InvalidOperation as invalid:
            return _Document(len(text), None, _without_traces(invalid.errors))


class Executor:
    """Executes operations on one schema under the limits."""

    def __init__(self, schema: GraphQLSchema, limits: Limits, metrics: Metrics) -> None:
        self._schema = schema
        self.limits = limits
        self._metrics = metrics
        costs = Costs(schema, page_default=FIRST_DEFAULT, page_max=limits.page)
        self._documents = _Documents(schema, costs, limits, share=1)
        self._anonymous_documents = _Documents(schema, costs, limits.of_caller(anonymous=True), share=ANONYMOUS_SHARE)
        self._introspecting = asyncio.Semaphore(1)

    def prepare(self, request: GraphQLRequest, *, anonymous: bool = False, streamed: bool = True) -> Operation:
        """Return the operation of a request; `streamed` if the transport can send more than one answer.

        `anonymous` if it has no token: then lower limits apply.

        Raises:
            InvalidOperation: it does not parse, is past a limit, is not valid, or does not say which operation.
        """
        operation = (self._anonymous_documents if anonymous else self._documents).operation(request)
        if operation.type is OperationType.SUBSCRIPTION and not streamed:
            raise InvalidOperation([GraphQLError(SUBSCRIPTION_HINT)])
        return operation

    async def execute(self, operation: Operation, context: Context, transport: str) -> Answer:
        """Return the result of a query or mutation, within the limit of time."""
        started = perf_counter()
        if operation.prefetches_supply:
            context = prefetch_supply(context)
        try:
            if operation.only_introspects:
                result = await self._introspect(operation, context)
            else:
                result = operation.compiled.execute(None, context, operation.variables)
            if not isinstance(result, ExecutionResult):
                async with asyncio.timeout(self.limits.time):
                    result = await result
        except TimeoutError:
            answer = {"data": None, **fault_answer(exceeded(self.limits, "time"), locale_of(context))}
        except OperationError as fault:  # an input is too large
            answer = fault_answer(fault, locale_of(context))
        else:
            answer = self._answer(result, context)
        name = operation.name
        seconds = perf_counter() - started
        outcome = _outcome(answer)
        self._metrics.count_operation(name, transport, outcome, seconds)
        log.debug("operation", name=name, type=operation.type.value, outcome=outcome, ms=round(seconds * 1000, 2))
        return answer

    async def _introspect(self, operation: Operation, context: Context) -> ExecutionResult | Awaitable[ExecutionResult]:
        """Execute an operation that only introspects, in a thread: it takes graphql-core up to 0.1 s, without a pause.

        One at a time, so that the event loop gets its turn.
        """
        async with asyncio.timeout(self.limits.time), self._introspecting:
            return await asyncio.to_thread(operation.compiled.execute, None, context, operation.variables)

    def _answer(self, result: ExecutionResult, context: Context) -> Answer:
        if not result.errors:
            return {"data": result.data}
        locale = locale_of(context)
        errors = [formatted(error, locale) for error in result.errors[:ERRORS_MAX]]
        # A request that failed before it ran (variables that do not fit) has no data at all.
        if result.data is None and all(error.path is None for error in result.errors):
            return {"errors": errors}
        return {"data": result.data, "errors": errors}

    async def source(self, operation: Operation, context: Context) -> AsyncGenerator[Any, None] | Answer:
        """Return the events of a subscription, each to be executed by `update`; or the answer that refuses it.

        The events raise an error of their source unchanged.
        """
        built = GraphQLExecutor.build(
            self._schema,
            operation.document,
            context_value=context,
            raw_variable_values=operation.variables,
            operation_name=operation.request.operation_name,
        )
        if isinstance(built, list):
            return {"errors": self._answer(ExecutionResult(None, built), context)["errors"]}
        stream = create_source_event_stream(built)
        if not isinstance(stream, ExecutionResult | AsyncGenerator):
            stream = await cast("Any", stream)
        if isinstance(stream, ExecutionResult):
            return {"errors": self._answer(stream, context)["errors"]}
        return cast("AsyncGenerator[Any, None]", stream)

    def count_subscription(self, values: AsyncGenerator[Any, None] | Answer, transport: str) -> None:
        """Count a subscription by its outcome: `ok` if its source was opened, else the code of the first error."""
        outcome = _outcome(values) if isinstance(values, dict) else "ok"
        self._metrics.requests.labels(transport, outcome).inc()

    async def update(self, operation: Operation, value: Any, context: Context) -> Answer:
        """Return the answer of a subscription to one event of its source."""
        result = operation.compiled.execute(value, context, operation.variables)
        if not isinstance(result, ExecutionResult):
            result = await result
        return self._answer(result, context)


def _outcome(answer: Answer) -> str:
    """Return `ok`, or the code of the first error: a closed list, as a metric's label has to be."""
    errors = answer.get("errors")
    return str(errors[0]["extensions"]["code"]) if errors else "ok"


async def cancel_all(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks, and wait until all have ended, whatever their results.

    A cancellation can be lost: before Python 3.12, asyncio.wait_for drops one that arrives together with its result.
    A task that is still running is cancelled again.
    """
    cancelled = [*tasks]
    running = set(cancelled)
    while running:
        for task in running:
            task.cancel()
        _, running = await asyncio.wait(running, timeout=CANCEL_AGAIN_SECONDS)
    await asyncio.gather(*cancelled, return_exceptions=True)
