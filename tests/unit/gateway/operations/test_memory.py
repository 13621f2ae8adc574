"""Operations that strangers invent do not stay in memory: evicted ones are freed at once, and caches are bounded."""

import gc
import os
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from graphql import build_schema, parse

from gateway.config import Limits
from gateway.observability.metrics import Metrics
from gateway.operations import executor as executor_module
from gateway.operations.compiler import CodeBudget, CompiledOperation
from gateway.operations.executor import Executor, GraphQLRequest, InvalidOperation
from gateway.server import GC_THRESHOLDS

OPERATIONS = int(os.environ.get("OPERATIONS", "1500"))

SCHEMA = build_schema(
    """
    type Query { shop: Shop, find(by: By!): [Shop!]! }
    type Shop { name: String, items: [Item!]!, parent: Shop }
    type Item { id: ID!, price: Float }
    input By { name: String, first: Int }
    """
)
SHOP: dict[str, Any] = {"name": "a", "items": [{"id": "1", "price": 1.5}]}
ROOT = {"shop": SHOP, "find": lambda _info, **_: [SHOP]}

Texts = Callable[[int], str]
KINDS: dict[str, Texts] = {
    "valid": lambda n: f"query Q{n} {{ shop {{ a{n}: name items {{ id price }} parent {{ name }} }} }}",
    "fragments": lambda n: f"query Q{n} {{ ...F }} fragment F on Query {{ shop {{ a{n}: name }} }}",
    "variables": lambda n: f"query Q{n}($by: By = {{}}) {{ find(by: $by) {{ a{n}: name }} }}",
    "conditions": lambda n: f"query Q{n}($a: Boolean = true) {{ shop {{ a{n}: name @include(if: $a) name }} }}",
    "introspection": lambda n: f"query Q{n} {{ a{n}: __schema {{ queryType {{ name }} }} }}",
    "invalid": lambda n: f"query Q{n} {{ shop {{ unknown{n} }} }}",
    "no syntax": lambda n: f"query Q{n} {{ shop {{ name{n}",
    "past a limit": lambda n: "{ shop " * 40 + f"{{ a{n}: name }}" + "}" * 40,
}


@pytest.fixture
def small_caches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor_module, "CACHED_DOCUMENTS_MAX", 20)
    monkeypatch.setattr(executor_module, "CACHED_CHARACTERS_MAX", 4000)
    monkeypatch.setattr(executor_module, "CHARACTERS_MAX", 20_000)


@pytest.fixture
def without_collections() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def new_executor() -> Executor:
    return Executor(SCHEMA, Limits(), Metrics())


def run(executor: Executor, text: str, *, anonymous: bool) -> None:
    try:
        operation = executor.prepare(GraphQLRequest(text), anonymous=anonymous)
    except InvalidOperation:
        return
    assert operation.compiled.execute(ROOT, None, {}).errors is None  # type: ignore[union-attr]


@pytest.mark.usefixtures("small_caches", "without_collections")
@pytest.mark.parametrize("anonymous", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_evicted_operations_are_freed_without_a_full_collection(kind: str, anonymous: bool) -> None:
    executor, text = new_executor(), KINDS[kind]
    growth: list[int] = []
    for start in (0, 100, 200, 300):
        for number in range(start, start + 100):
            run(executor, text(number), anonymous=anonymous)
            # What the validation of one operation leaves, a collection of young objects frees.
            gc.collect(1)
        growth.append(len(gc.get_objects()))
    assert growth[3] - growth[1] < 500  # of thousands for each operation


def test_running_operation_survives_its_eviction() -> None:
    budget = CodeBudget(1)
    first, second = (
        CompiledOperation(SCHEMA, parse(f"{{ shop {{ a{n}: name items {{ id }} }} }}"), budget=budget) for n in (1, 2)
    )
    execution = first.execute({"shop": lambda _info: second_run(second)}, None, {})
    assert execution.data == {"shop": {"a1": "a", "items": [{"id": "1"}]}}  # type: ignore[union-attr]


def second_run(second: CompiledOperation) -> dict[str, Any]:
    """Evict the variant that is running."""
    assert second.execute(ROOT, None, {}).errors is None  # type: ignore[union-attr]
    return SHOP


@pytest.mark.usefixtures("small_caches")
def test_objects_stay_bounded_under_the_thresholds_of_the_server() -> None:
    before = gc.get_threshold()
    gc.collect()
    gc.set_threshold(*GC_THRESHOLDS)
    try:
        executor, counts = new_executor(), []
        for number in range(OPERATIONS):
            text = [*KINDS.values()][number % len(KINDS)]
            run(executor, text(number), anonymous=True)
            if number % (OPERATIONS // 10) == 0:
                counts.append(len(gc.get_objects()))
    finally:
        gc.set_threshold(*before)
    # Between two collections of young objects, their number grows by the first threshold.
    assert max(counts) - counts[0] < 3 * GC_THRESHOLDS[0]


def test_a_variant_is_freed_with_its_operation() -> None:
    gc.collect()
    gc.disable()
    try:
        compiled = CompiledOperation(SCHEMA, parse("{ shop { name } }"), budget=CodeBudget(10**6))
        assert compiled.execute(ROOT, None, {}).data == {"shop": {"name": "a"}}  # type: ignore[union-attr]
        (variant,) = compiled._variants.values()  # noqa: SLF001 - nothing else holds it
        freed = weakref.ref(variant.run)
        del variant, compiled
        gc.collect(1)
        assert freed() is None
    finally:
        gc.enable()
