"""Live updates, executed and serialised once for all who are told the same.

Each subscription begins alone, on a source of its own: its first state, or what it missed since `after`, is nobody
else's. Once it is up to date it follows a line: one source, one execution for each update, and the payload handed to
every follower. A line is found by all that an answer can depend on (`_Key`), and its updates are executed in a context
that is made of that key alone: what is not in the key cannot be in the answer.

Only updates of members are followed, because they have versions. A follower joins with the version it was told last,
and is told the versions after that: there is no gap and no double, whoever is ahead. The queue of each follower is
bounded. One that takes nothing for too long holds up nobody: its updates are merged into the newest state, which says
so (`resync`).
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
from gateway.operations.executor import Answer, Executor, Operation, cancelled
from models.live.hub import BACKLOG_MAX
from resolvers.core.context import Context
from resolvers.core.fault import Fault
from schema.subscription import MemberUpdate
from schema.wire.error import reported

RECENT_MAX = 4
"""How many of its last updates a line keeps for those who join: they are behind by what is on its way just now."""

BATCH_MAX = 16
"""How many updates a line executes before it tells them: others have their turn as well."""

NEVER = datetime.max.replace(tzinfo=UTC)

Values = AsyncGenerator[Any, None]


class Failure(Exception):  # noqa: N818 - told as INTERNAL, with the id under which it was logged
    """Something that went wrong on our side, logged once for all who followed."""

    def __init__(self, id_: str) -> None:
        super().__init__(id_)
        self.id = id_


class Told:
    """An answer, serialised; `version` orders the updates of one member, 0 where it has none.

    `ran` is false for what is no result but a refusal: `payload` is an answer all the same.
    """

    __slots__ = ("errors", "merged", "payload", "ran", "value", "version")

    def __init__(self, answer: Answer, value: Any = None) -> None:
        self.ran: Final = "data" in answer
        self.errors: Final[list[Any]] = answer.get("errors", [])
        self.payload: Final = orjson.dumps(answer)
        self.value: Final = value
        self.version: Final[int] = value.version if isinstance(value, MemberUpdate) else 0
        self.merged: asyncio.Task[Told] | None = None


class Batch:
    """Answers that are told together, oldest first: what came while others were being told is one write for a socket.

    `frames` is a transport's own, for what stands before each payload (`head`).
    """

    __slots__ = ("frames", "head", "ran", "tolds")

    def __init__(self, tolds: Sequence[Told]) -> None:
        self.tolds: Final = tolds
        self.ran: Final = all(told.ran for told in tolds)
        self.head = self.frames = b""

    def after(self, version: int) -> "Batch | None":
        """Return what is newer than a version."""
        if self.tolds[0].version > version:
            return self
        newer = [told for told in self.tolds if told.version > version]
        return Batch(newer) if newer else None


@dataclass(frozen=True, slots=True)
class _Key:
    """All that an update's answer can depend on, besides the update.

    `variables` are those that the answer can depend on, as JSON. `context` holds role, programme and, for role member,
    the member itself; language and channel; and nothing else of who asks. `member` is who is watched: a card in the
    arguments may stand for somebody else tomorrow.
    """

    query: str
    operation: str | None
    variables: bytes
    context: tuple[Any, ...]
    member: str


class Follower:
    """One subscription: hands on what it is told, or keeps it while its transport takes nothing.

    `push` hands answers to the transport at once, or says no. `wake` is called when there is something to `take`,
    and when the end has come.
    """

    __slots__ = ("_line", "_merging", "_push", "_taking", "_waiting", "_wake", "end", "ended", "transport", "version")

    def __init__(self, transport: str, push: Callable[[Batch], bool], wake: Callable[[], None]) -> None:
        self.transport, self._push, self._wake = transport, push, wake
        self.version = 0
        self.ended = False
        self.end: Exception | None = None
        self._line: _Line | None = None
        self._waiting: deque[Told] | None = None
        self._taking = self._merging = False

    @property
    def follows(self) -> bool:
        """Say whether this follows a line, or did until the line ended."""
        return self._line is not None

    @property
    def is_awaited(self) -> bool:
        """Say whether there is something to take, or the end to be told."""
        return bool(self._waiting) or self.ended

    def put(self, batch: Batch) -> int:
        """Take over updates that are not known yet; return how many are on their way already."""
        newer = batch.after(self.version)
        if newer is None:
            return 0
        self.version = newer.tolds[-1].version
        if not self._taking and not self._waiting and self._push(newer):
            return len(newer.tolds)
        for told in newer.tolds:
            self._keep(told)
        self._wake()
        return 0

    def _keep(self, told: Told) -> None:
        if self._waiting is None:
            self._waiting = deque()
        if len(self._waiting) >= BACKLOG_MAX:
            self._merging = True
        if self._merging:
            # Whatever comes until it is taken is part of the same merged state.
            self._waiting.clear()
        self._waiting.append(told)

    async def take(self) -> Told | None:
        """Return the next update to send, None where none waits; the one before has been sent by then."""
        self._taking = False
        if not self._waiting:
            return None
        self._taking = True
        told = self._waiting.popleft()
        if not self._merging or self._line is None:
            return told
        self._merging = False
        return await self._line.merged(told)

    def finish(self, end: Exception | None) -> None:
        """Say that nothing more comes, and why."""
        self.ended, self.end = True, end
        self._wake()

    def join(self, line: "_Line") -> None:
        """Follow a line from here on."""
        self._line = line

    def leave(self) -> None:
        """Follow no longer."""
        line, self._line = self._line, None
        if line is not None:
            line.leave(self)
        self._waiting = None


class _Line:
    """One source that many follow."""

    def __init__(self, live: "Live", key: _Key, operation: Operation, context: Context, begin: Told) -> None:
        self._live, self._key, self._operation, self._context = live, key, operation, context
        self._position = begin.version
        self._followers: dict[str, set[Follower]] = {}
        self._recent: deque[Told] = deque([begin], RECENT_MAX)
        self._upcoming: list[Told] = []
        self._task: asyncio.Task[None] | None = None

    def start(self, values: Values) -> None:
        """Go on with a source, whose last event is the beginning."""
        # In variables of its own: those of the request that happened to be first are nobody else's.
        self._task = asyncio.get_running_loop().create_task(self._run(values), context=Variables())

    def join(self, follower: Follower, version: int) -> bool:
        """Let who was told `version` follow from there; False where that is too long ago."""
        behind = [told for told in self._recent if told.version > version]
        if version < self._position and (len(behind) == len(self._recent) or behind[0].version > version + 1):
            return False
        follower.version = version
        follower.join(self)
        self._followers.setdefault(follower.transport, set()).add(follower)
        if behind:
            follower.put(Batch(behind))
        return True

    def leave(self, follower: Follower) -> None:
        """Let a follower go; the last one ends the line."""
        self._followers[follower.transport].discard(follower)
        if not any(self._followers.values()):
            self._live.forget(self._key, self)
            if self._task is not None:
                self._live.end(self._task)

    def known(self, value: MemberUpdate) -> Told | None:
        """Return the answer for a change that was told just now: the very same, as the feed brought it to both.

        A first state is never among them: it is told for its own moment.
        """
        if not value.entries and not value.notices:
            return None
        for told in self._recent:
            if told.value.member.snapshot is value.member.snapshot and told.value.resync == value.resync:
                return told if told.value.entries or told.value.notices else None
        return None

    async def merged(self, told: Told) -> Told:
        """Return the answer that tells an update as a state, after others that were not told."""
        if told.merged is None:
            state = replace(told.value, entries=[], notices=[], resync=True)
            made = self._live.make(self._operation, state, self._context)
            told.merged = asyncio.get_running_loop().create_task(made, context=Variables())
        return await asyncio.shield(told.merged)

    async def _run(self, values: Values) -> None:
        end: Exception | None = None
        try:
            async with aclosing(values):
                async for value in values:
                    self._tell_soon(await self._live.make(self._operation, value, self._context))
                    if len(self._upcoming) >= BATCH_MAX:
                        await asyncio.sleep(0)
        except Fault as fault:
            end = fault
        except Exception as error:  # noqa: BLE001 - the callers get an id, the log gets the rest
            end = Failure(reported(error))
        finally:
            self._live.forget(self._key, self)
        self._tell()
        for followers in self._followers.values():
            for follower in followers:
                follower.finish(end)

    def _tell_soon(self, told: Told) -> None:
        """Tell an update once nothing more waits to be executed."""
        if not self._upcoming:
            asyncio.get_running_loop().call_soon(self._tell)
        self._upcoming.append(told)

    def _tell(self) -> None:
        if not self._upcoming:
            return
        batch = Batch(self._upcoming)
        self._upcoming = []
        self._position = batch.tolds[-1].version
        self._recent.extend(batch.tolds)
        for transport, followers in self._followers.items():
            sent = 0
            for follower in followers:
                try:
                    sent += follower.put(batch)
                except Exception as error:  # noqa: BLE001 - what is wrong with one socket is nobody else's
                    follower.finish(Failure(reported(error)))
            if sent:
                self._live.delivered(transport, sent)


@dataclass(slots=True)
class Live:
    """All lines of one process."""

    executor: Executor
    metrics: Metrics
    _lines: dict[_Key, _Line] = field(default_factory=dict)
    _ending: set[asyncio.Task[None]] = field(default_factory=set)
    # Bounded by the executor's cache of documents, which holds the operations.
    _reaching: WeakKeyDictionary[CompiledOperation, frozenset[str]] = field(default_factory=WeakKeyDictionary)

    async def begin(self, operation: Operation, context: Context, follower: Follower) -> AsyncGenerator[Told, None]:
        """Give what a subscription is told before it can follow a line; `follower.follows` says whether it does then.

        Each answer is sent when the next is asked for. Where it does not follow, the subscription is over.
        """
        context = _shared(context)
        values = await self.executor.source(operation, context)
        self.executor.count_begun(values, follower.transport)
        if isinstance(values, dict):
            yield Told(values)
            return
        key: _Key | None = None
        handed_on = False
        try:
            async for value in values:
                update = value if isinstance(value, MemberUpdate) else None
                if update is not None:
                    key = key or self._key(operation, context, update.member.snapshot.member.id)
                line = self._lines.get(key) if key is not None else None
                told = line.known(update) if line is not None and update is not None else None
                told = told or await self.make(operation, value, context)
                yield told
                self.delivered(follower.transport, 1)
                if key is None:
                    continue
                line = self._lines.get(key)
                if line is None:
                    line = self._lines[key] = _Line(self, key, operation, context, told)
                    line.join(follower, told.version)
                    handed_on = True
                    line.start(values)
                    return
                if line.join(follower, told.version):
                    return
        finally:
            if not handed_on:
                await values.aclose()

    async def stream(self, operation: Operation, context: Context, transport: str) -> AsyncGenerator[Told, None]:
        """Give all that a subscription is told, to who takes it one by one.

        Raises:
            Fault: what ended it.
            Failure: it ended for a reason that was logged.
        """
        arrived = asyncio.Event()
        follower = Follower(transport, lambda _batch: False, arrived.set)
        try:
            async with aclosing(self.begin(operation, context, follower)) as begun:
                async for told in begun:
                    yield told
            while follower.follows:
                told_next = await follower.take()
                if told_next is not None:
                    yield told_next
                    self.delivered(transport, 1)
                elif follower.ended:
                    if follower.end is not None:
                        raise follower.end
                    return
                else:
                    arrived.clear()
                    await arrived.wait()
        finally:
            follower.leave()

    async def make(self, operation: Operation, value: Any, context: Context) -> Told:
        """Execute one event and serialise its answer."""
        self.metrics.executed_updates.inc()
        return Told(await self.executor.update(operation, value, context), value)

    def delivered(self, transport: str, count: int) -> None:
        """Count updates that were sent."""
        self.metrics.count_deliveries(transport, count)

    def end(self, task: asyncio.Task[None]) -> None:
        """End a line's task, which closes its source; nobody waits for it."""
        ending = asyncio.get_running_loop().create_task(cancelled([task]))
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)

    def forget(self, key: _Key, line: _Line) -> None:
        """Let nobody join a line any more."""
        if self._lines.get(key) is line:
            del self._lines[key]

    def _key(self, operation: Operation, context: Context, member: str) -> _Key:
        request = operation.request
        reaching = self._reaching_variables(operation)
        variables = {name: value for name, value in (request.variables or {}).items() if name in reaching}
        return _Key(
            request.query,
            request.operation_name,
            orjson.dumps(variables, option=orjson.OPT_SORT_KEYS),
            (context.actor, context.locale, context.told_channel),
            member,
        )

    def _reaching_variables(self, operation: Operation) -> frozenset[str]:
        found = self._reaching.get(operation.compiled)
        if found is None:
            found = self._reaching[operation.compiled] = reaching_variables(operation)
        return found


def _shared(context: Context) -> Context:
    """Return a context that holds of who asks only what an answer may depend on."""
    actor = context.actor
    known = replace(actor, subject="", expires_at=NEVER) if actor is not None else None
    return Context(context.services, known, context.locale, context.channel)


class _Variables(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def enter_variable(self, node: VariableNode, *_: Any) -> None:
        """Take note of a variable that is used."""
        self.names.add(node.name.value)


def reaching_variables(operation: Operation) -> frozenset[str]:
    """Return the variables that the answer for an event can depend on.

    The arguments of a root field choose the events (which member, after which version); an answer is made of the event.
    """
    used = _Variables()
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
