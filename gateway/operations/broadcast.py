"""Live updates, executed and serialised once for all subscribers that get the same answers.

A subscription starts alone, with a source of its own: no other subscriber needs its first state, or the versions that
it missed since `after`. Once it is up to date it joins a broadcast: one source, one execution per update, and the
payload sent to every subscriber. Subscribers share a broadcast if everything that an answer can depend on is equal
(`_Key`). Updates are executed in a context built from the key alone, so an answer cannot depend on anything else.

Only updates of members are broadcast, because they have versions. A subscriber joins with the version that it got last
and receives the newer ones: no gap and no duplicate, whichever side is ahead. The queue of a subscriber is bounded. A
slow one delays no other: its waiting updates are merged into the newest state, which is marked `resync`.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from contextvars import Context as Variables
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final
from weakref import WeakKeyDictionary

import orjson
from graphql import FieldNode, FragmentDefinitionNode, Node, Visitor, visit
from graphql.language import VariableNode

from gateway.observability.metrics import Metrics
from gateway.operations.compiler import CompiledOperation
from gateway.operations.executor import Answer, Executor, Operation, cancel_all
from models.live.hub import BACKLOG_MAX
from resolvers.core.context import Context
from resolvers.core.operation_error import OperationError
from schema.subscription import MemberUpdate
from schema.wire.error import reported

RECENT_MAX = 4
"""How many of its newest answers a broadcast holds for joining subscribers, which lack those now on their way."""

BATCH_MAX = 16
"""How many updates a broadcast executes before it sends them, so that other tasks run in between."""

NEVER = datetime.max.replace(tzinfo=UTC)

Events = AsyncGenerator[Any, None]


class Failure(Exception):  # noqa: N818 - reported as INTERNAL, with the id under which it was logged
    """An unexpected error, logged once under `id` for all subscribers."""

    def __init__(self, id_: str) -> None:
        super().__init__(id_)
        self.id = id_


class EncodedAnswer:
    """A serialised answer; `version` orders the updates of one member, and is 0 for other answers.

    `executed` is false if the answer has errors and no `data`, because nothing was executed.
    """

    __slots__ = ("errors", "event", "executed", "merged", "payload", "version")

    def __init__(self, answer: Answer, event: Any = None) -> None:
        self.executed: Final = "data" in answer
        self.errors: Final[list[Any]] = answer.get("errors", [])
        self.payload: Final = orjson.dumps(answer)
        self.event: Final = event
        self.version: Final[int] = event.version if isinstance(event, MemberUpdate) else 0
        self.merged: asyncio.Task[EncodedAnswer] | None = None


class Batch:
    """Answers sent in one write, oldest first: those that were executed while earlier ones were being sent.

    `head` and `frames` belong to the transport: the bytes before each payload, and the frames built with them.
    """

    __slots__ = ("answers", "executed", "frames", "head")

    def __init__(self, answers: Sequence[EncodedAnswer]) -> None:
        self.answers: Final = answers
        self.executed: Final = all(answer.executed for answer in answers)
        self.head = self.frames = b""

    def after(self, version: int) -> "Batch | None":
        """Return the answers newer than `version`, None if there are none."""
        if self.answers[0].version > version:
            return self
        newer = [answer for answer in self.answers if answer.version > version]
        return Batch(newer) if newer else None


@dataclass(frozen=True, slots=True)
class _Key:
    """Everything that the answer to an update can depend on, besides the update.

    `variables` are those that the answer can depend on, as JSON. `context` holds role, programme and, for role member,
    the member itself; language and channel; and nothing else of the caller. `member` is the watched member, by id: the
    card in an argument may belong to another member tomorrow.
    """

    query: str
    operation: str | None
    variables: bytes
    context: tuple[Any, ...]
    member: str


class Subscriber:
    """One subscription: passes answers to its transport, or queues them while the transport accepts none.

    `push` hands a batch to the transport at once, or returns False. `wake` is called when there is an answer to `take`,
    and when the subscription has ended.
    """

    __slots__ = (
        *("_broadcast", "_is_sending", "_merging", "_push", "_queue", "_wake"),
        *("ended", "error", "transport", "version"),
    )

    def __init__(self, transport: str, push: Callable[[Batch], bool], wake: Callable[[], None]) -> None:
        self.transport, self._push, self._wake = transport, push, wake
        self.version = 0
        self.ended = False
        self.error: Exception | None = None
        self._broadcast: _Broadcast | None = None
        self._queue: deque[EncodedAnswer] | None = None
        self._is_sending = self._merging = False

    @property
    def joined(self) -> bool:
        """Whether this has joined a broadcast and not left it; the broadcast may have ended."""
        return self._broadcast is not None

    @property
    def has_pending(self) -> bool:
        """Whether there is an answer to take, or an end to report."""
        return bool(self._queue) or self.ended

    def put(self, batch: Batch) -> int:
        """Accept the updates that are newer than `version`; return how many the transport has taken already."""
        newer = batch.after(self.version)
        if newer is None:
            return 0
        self.version = newer.answers[-1].version
        if not self._is_sending and not self._queue and self._push(newer):
            return len(newer.answers)
        for answer in newer.answers:
            self._enqueue(answer)
        self._wake()
        return 0

    def _enqueue(self, answer: EncodedAnswer) -> None:
        if self._queue is None:
            self._queue = deque()
        if len(self._queue) >= BACKLOG_MAX:
            self._merging = True
        if self._merging:
            # Until the merged state is taken, every newer update becomes part of it.
            self._queue.clear()
        self._queue.append(answer)

    async def take(self) -> EncodedAnswer | None:
        """Return the next answer to send, None if none waits; call it once the one before has been sent."""
        self._is_sending = False
        if not self._queue:
            return None
        self._is_sending = True
        answer = self._queue.popleft()
        if not self._merging or self._broadcast is None:
            return answer
        self._merging = False
        return await self._broadcast.merged(answer)

    def finish(self, error: Exception | None) -> None:
        """End the subscription; `error` is the reason, None if its source ended."""
        self.ended, self.error = True, error
        self._wake()

    def join(self, broadcast: "_Broadcast") -> None:
        """Receive the answers of a broadcast from now on."""
        self._broadcast = broadcast

    def leave(self) -> None:
        """Leave the broadcast, and drop the waiting answers."""
        broadcast, self._broadcast = self._broadcast, None
        if broadcast is not None:
            broadcast.leave(self)
        self._queue = None


class _Broadcast:
    """One source that many subscribers share."""

    def __init__(
        self, broadcaster: "Broadcaster", key: _Key, operation: Operation, context: Context, first: EncodedAnswer
    ) -> None:
        self._broadcaster, self._key, self._operation, self._context = broadcaster, key, operation, context
        self._version = first.version
        self._subscribers: dict[str, set[Subscriber]] = {}
        self._recent: deque[EncodedAnswer] = deque([first], RECENT_MAX)
        self._unsent: list[EncodedAnswer] = []
        self._task: asyncio.Task[None] | None = None

    def start(self, events: Events) -> None:
        """Take over a source, whose last event has been sent as `first`."""
        # In an empty context: the context variables of the first subscriber's request are not for the others.
        self._task = asyncio.get_running_loop().create_task(self._run(events), context=Variables())

    def join(self, subscriber: Subscriber, version: int) -> bool:
        """Add a subscriber that got `version` last; return False if the next version is no longer held."""
        missing = [answer for answer in self._recent if answer.version > version]
        if version < self._version and (len(missing) == len(self._recent) or missing[0].version > version + 1):
            return False
        subscriber.version = version
        subscriber.join(self)
        self._subscribers.setdefault(subscriber.transport, set()).add(subscriber)
        if missing:
            subscriber.put(Batch(missing))
        return True

    def leave(self, subscriber: Subscriber) -> None:
        """Remove a subscriber; the last one ends the broadcast."""
        self._subscribers[subscriber.transport].discard(subscriber)
        if not any(self._subscribers.values()):
            self._broadcaster.remove(self._key, self)
            if self._task is not None:
                self._broadcaster.cancel(self._task)

    def recent_answer(self, update: MemberUpdate) -> EncodedAnswer | None:
        """Return the answer to the same change, if it is one of the newest; None otherwise.

        The feed hands the same snapshot to every source. A first state is never shared: it is that of its own moment.
        """
        if not update.entries and not update.notices:
            return None
        for answer in self._recent:
            if answer.event.member.snapshot is update.member.snapshot and answer.event.resync == update.resync:
                return answer if answer.event.entries or answer.event.notices else None
        return None

    async def merged(self, answer: EncodedAnswer) -> EncodedAnswer:
        """Return the state of an update, marked `resync`, in place of that update and the dropped ones before it."""
        if answer.merged is None:
            state = replace(answer.event, entries=[], notices=[], resync=True)
            executing = self._broadcaster.execute(self._operation, state, self._context)
            answer.merged = asyncio.get_running_loop().create_task(executing, context=Variables())
        return await asyncio.shield(answer.merged)

    async def _run(self, events: Events) -> None:
        reason: Exception | None = None
        try:
            async with aclosing(events):
                async for event in events:
                    self._send_soon(await self._broadcaster.execute(self._operation, event, self._context))
                    if len(self._unsent) >= BATCH_MAX:
                        await asyncio.sleep(0)
        except OperationError as fault:
            reason = fault
        except Exception as error:  # noqa: BLE001 - the callers get an id, the log has the details
            reason = Failure(reported(error))
        finally:
            self._broadcaster.remove(self._key, self)
        self._send()
        for subscribers in self._subscribers.values():
            for subscriber in subscribers:
                subscriber.finish(reason)

    def _send_soon(self, answer: EncodedAnswer) -> None:
        """Send an answer once no further update waits to be executed."""
        if not self._unsent:
            asyncio.get_running_loop().call_soon(self._send)
        self._unsent.append(answer)

    def _send(self) -> None:
        if not self._unsent:
            return
        batch = Batch(self._unsent)
        self._unsent = []
        self._version = batch.answers[-1].version
        self._recent.extend(batch.answers)
        for transport, subscribers in self._subscribers.items():
            sent = 0
            for subscriber in subscribers:
                try:
                    sent += subscriber.put(batch)
                except Exception as error:  # noqa: BLE001 - the error of one socket must not reach the others
                    subscriber.finish(Failure(reported(error)))
            if sent:
                self._broadcaster.count_deliveries(transport, sent)


@dataclass(slots=True)
class Broadcaster:
    """All broadcasts of one process."""

    executor: Executor
    metrics: Metrics
    _broadcasts: dict[_Key, _Broadcast] = field(default_factory=dict)
    _ending: set[asyncio.Task[None]] = field(default_factory=set)
    # Bounded by the executor's cache of documents, which holds the operations.
    _answer_variables: WeakKeyDictionary[CompiledOperation, frozenset[str]] = field(default_factory=WeakKeyDictionary)

    async def begin(
        self, operation: Operation, context: Context, subscriber: Subscriber
    ) -> AsyncGenerator[EncodedAnswer, None]:
        """Yield the answers up to the one with which the subscriber joins a broadcast.

        Each answer counts as sent when the next one is requested. If the subscriber has not joined at the end
        (`subscriber.joined`), the subscription is over.
        """
        # Who subscribes decides which member it may watch: by a pass, and how often it may guess.
        events = await self.executor.source(operation, context)
        context = _shared_context(context)
        self.executor.count_subscription(events, subscriber.transport)
        if isinstance(events, dict):
            yield EncodedAnswer(events)
            return
        key: _Key | None = None
        handed_over = False
        try:
            async for event in events:
                update = event if isinstance(event, MemberUpdate) else None
                if update is not None:
                    key = key or self._key(operation, context, update.member.snapshot.member.id)
                broadcast = self._broadcasts.get(key) if key is not None else None
                answer = broadcast.recent_answer(update) if broadcast is not None and update is not None else None
                answer = answer or await self.execute(operation, event, context)
                yield answer
                self.count_deliveries(subscriber.transport, 1)
                if key is None:
                    continue
                broadcast = self._broadcasts.get(key)
                if broadcast is None:
                    broadcast = self._broadcasts[key] = _Broadcast(self, key, operation, context, answer)
                    broadcast.join(subscriber, answer.version)
                    handed_over = True
                    broadcast.start(events)
                    return
                if broadcast.join(subscriber, answer.version):
                    return
        finally:
            if not handed_over:
                await events.aclose()

    async def stream(
        self, operation: Operation, context: Context, transport: str
    ) -> AsyncGenerator[EncodedAnswer, None]:
        """Yield all answers of a subscription, for a transport that takes them one by one.

        Raises:
            Fault: the subscription ended with it.
            Failure: the subscription ended with an unexpected error, which has been logged.
        """
        arrived = asyncio.Event()
        subscriber = Subscriber(transport, lambda _batch: False, arrived.set)
        try:
            async with aclosing(self.begin(operation, context, subscriber)) as first_answers:
                async for answer in first_answers:
                    yield answer
            while subscriber.joined:
                next_answer = await subscriber.take()
                if next_answer is not None:
                    yield next_answer
                    self.count_deliveries(transport, 1)
                elif subscriber.ended:
                    if subscriber.error is not None:
                        raise subscriber.error
                    return
                else:
                    arrived.clear()
                    await arrived.wait()
        finally:
            subscriber.leave()

    async def execute(self, operation: Operation, event: Any, context: Context) -> EncodedAnswer:
        """Execute one event and serialise its answer."""
        self.metrics.executed_updates.inc()
        return EncodedAnswer(await self.executor.update(operation, event, context), event)

    def count_deliveries(self, transport: str, count: int) -> None:
        """Count updates that were sent."""
        self.metrics.count_deliveries(transport, count)

    def cancel(self, task: asyncio.Task[None]) -> None:
        """Cancel the task of a broadcast, which closes its source; return without waiting for it."""
        ending = asyncio.get_running_loop().create_task(cancel_all([task]))
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)

    def remove(self, key: _Key, broadcast: _Broadcast) -> None:
        """Remove a broadcast, so that no subscriber joins it any more."""
        if self._broadcasts.get(key) is broadcast:
            del self._broadcasts[key]

    def _key(self, operation: Operation, context: Context, member: str) -> _Key:
        request = operation.request
        names = self._answer_variables_of(operation)
        variables = {name: value for name, value in (request.variables or {}).items() if name in names}
        return _Key(
            request.query,
            request.operation_name,
            orjson.dumps(variables, option=orjson.OPT_SORT_KEYS),
            (context.actor, context.locale, context.declared_channel),
            member,
        )

    def _answer_variables_of(self, operation: Operation) -> frozenset[str]:
        names = self._answer_variables.get(operation.compiled)
        if names is None:
            names = self._answer_variables[operation.compiled] = answer_variables(operation)
        return names


def _shared_context(context: Context) -> Context:
    """Return a context that holds only what an answer may depend on: no subject, no expiry, no address."""
    actor = context.actor
    shared_actor = replace(actor, subject="", expires_at=NEVER) if actor is not None else None
    return Context(context.services, shared_actor, context.locale, context.channel)


class _VariableNames(Visitor):
    """Collects the names of the variables in a part of a document."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def enter_variable(self, node: VariableNode, *_: Any) -> None:
        """Collect one name."""
        self.names.add(node.name.value)


def answer_variables(operation: Operation) -> frozenset[str]:
    """Return the names of the variables that the answer to an event can depend on.

    Those in the arguments of a root field are left out: they select the events (which member, after which version).
    """
    used = _VariableNames()
    parts: list[Node] = [node for node in operation.document.definitions if isinstance(node, FragmentDefinitionNode)]
    for selection in operation.node.selection_set.selections:
        if isinstance(selection, FieldNode):
            parts += selection.directives or ()
            parts += [selection.selection_set] if selection.selection_set is not None else []
        else:
            parts.append(selection)
    for part in parts:
        visit(part, used)
    return frozenset(used.names)
