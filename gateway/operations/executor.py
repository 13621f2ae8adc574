"""Operations from text to result, the same on every transport: parse, limit, validate and compile once, then execute.

Documents are cached by their text, bounded in number and size, so that a client's operations are parsed, validated and
compiled once in the life of the process.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Mapping
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
    OperationDefinitionNode,
    OperationType,
    create_source_event_stream,
    get_operation_ast,
)
from graphql import Executor as GraphQLExecutor

from gateway.config import Limits
from gateway.observability.metrics import Metrics
from gateway.operations.compiler import CHARACTERS_MAX, CodeBudget, CompiledOperation
from gateway.operations.document_limits import check_document, check_numbers, parse_limited, too_deep, validate_limited
from gateway.operations.prefetch import selects_any
from resolvers.core.context import Context
from resolvers.core.operation_error import BadInput, LimitExceeded, OperationError
from resolvers.personalisation import prefetch_supply
from schema.types.member import SUPPLY_FIELDS
from schema.wire.error import failure, fault_extensions, fault_message, formatted
from schema.wire.text import locale_of

CACHED_DOCUMENTS_MAX = 1000
CACHED_TEXT_LENGTH_MAX = 16_384
CACHED_CHARACTERS_MAX = 400_000
"""A parsed document takes up to 400 bytes for each of its characters."""

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
class _Document:
    """A document that is valid and within the limits, with its operations that were requested; or its errors."""

    text_length: int
    document: DocumentNode | None
    errors: "list[GraphQLError] | OperationError | None" = None
    operations: dict[str | None, tuple[CompiledOperation, bool]] = field(default_factory=dict)


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


def checked_document(schema: GraphQLSchema, text: str, limits: Limits) -> DocumentNode:
    """Parse and validate a document within the limits.

    Raises:
        InvalidOperation: it does not parse, is past a limit, or is not valid.
    """
    try:
        document = parse_limited(text, limits)
        check_numbers(document, text)
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


class Executor:
    """Executes operations on one schema under the limits."""

    def __init__(self, schema: GraphQLSchema, limits: Limits, metrics: Metrics) -> None:
        self._schema = schema
        self.limits = limits
        self._metrics = metrics
        self._budget = CodeBudget(CHARACTERS_MAX)
        size_min = CACHED_CHARACTERS_MAX // CACHED_DOCUMENTS_MAX
        self._documents = LRUCache[str, _Document](
            CACHED_CHARACTERS_MAX, getsizeof=lambda document: max(document.text_length, size_min)
        )

    def prepare(self, request: GraphQLRequest, *, streamed: bool = True) -> Operation:
        """Return the operation of a request; `streamed` if the transport can send more than one answer.

        Raises:
            InvalidOperation: it does not parse, is past a limit, is not valid, or does not say which operation.
        """
        checked = self._document(request.query)
        if checked.document is None:
            raise InvalidOperation(checked.errors or [])
        found = checked.operations.get(request.operation_name)
        if found is None:
            found = self._operation(checked.document, request.operation_name)
            checked.operations[request.operation_name] = found
        compiled, prefetches_supply = found
        if compiled.node.operation is OperationType.SUBSCRIPTION and not streamed:
            raise InvalidOperation([GraphQLError(SUBSCRIPTION_HINT)])
        return Operation(checked.document, compiled, request, prefetches_supply)

    def _operation(self, document: DocumentNode, name: str | None) -> tuple[CompiledOperation, bool]:
        """Return an operation, to be compiled when it is first executed, and whether it prefetches supply."""
        if get_operation_ast(document, name) is not None:
            compiled = CompiledOperation(self._schema, document, name, budget=self._budget)
            # A mutation would prefetch what it is about to change.
            is_query = compiled.node.operation is OperationType.QUERY
            return compiled, is_query and selects_any(self._schema, document, name, SUPPLY_FIELDS)
        if name is None:
            error = GraphQLError("The document has several operations: say which with operationName.")
        else:
            error = GraphQLError(f"The document has no operation named {name[:100]!r}.")
        raise InvalidOperation([error])

    def _document(self, text: str) -> _Document:
        cached = self._documents.get(text)
        if cached is None:
            cached = self._checked(text)
            if len(text) <= CACHED_TEXT_LENGTH_MAX:
                self._documents[text] = cached
        return cached

    def _checked(self, text: str) -> _Document:
        try:
            return _Document(len(text), checked_document(self._schema, text, self.limits))
        except InvalidOperation as invalid:
            return _Document(len(text), None, _without_traces(invalid.errors))

    async def execute(self, operation: Operation, context: Context, transport: str) -> Answer:
        """Return the result of a query or mutation, within the limit of time."""
        started = perf_counter()
        if operation.prefetches_supply:
            context = prefetch_supply(context)
        try:
            result = operation.compiled.execute(None, context, operation.variables)
            if not isinstance(result, ExecutionResult):
                async with asyncio.timeout(self.limits.time):
                    result = await result
        except TimeoutError:
            fault = LimitExceeded("time", value=self.limits.time, setting="CARILLON_LIMIT_TIME")
            answer = {"data": None, **fault_answer(fault, locale_of(context))}
        else:
            answer = self._answer(result, context)
        name = operation.name
        seconds = perf_counter() - started
        outcome = _outcome(answer)
        self._metrics.count_operation(name, transport, outcome, seconds)
        log.debug("operation", name=name, type=operation.type.value, outcome=outcome, ms=round(seconds * 1000, 2))
        return answer

    def _answer(self, result: ExecutionResult, context: Context) -> Answer:
        if not result.errors:
            return {"data": result.data}
        locale = locale_of(context)
        errors = [formatted(error, locale) for error in result.errors]
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
