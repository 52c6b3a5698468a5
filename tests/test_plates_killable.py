"""The pool of killable processes: what a bad item costs, and what is left behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

from plates.killable import Died, Done, Failed, KillablePool, PoolError, TimedOut
from tests import deadly_items
from tests.deadly_items import double, obey


def _children() -> set[int]:
    return {p.pid for p in psutil.Process().children(recursive=True)}


@pytest.fixture
def left() -> Callable[[], set[int]]:
    """The children that are there and were not before: the process that runs the tests
    may have had some from other files, such as multiprocessing's resource tracker."""
    before = _children()
    return lambda: _children() - before


def test_results_come_in_the_order_of_the_items(left: Callable[[], set[int]]) -> None:
    with KillablePool(2) as pool:
        results = list(pool.map(double, range(10_000), timeout_s=60, batch=100))

    assert results == [Done(2 * i) for i in range(10_000)]
    assert not left()


@pytest.mark.parametrize(
    ("order", "outcome"),
    [
        ("abort", Died(-signal.SIGABRT)),
        ("kill", Died(-signal.SIGKILL)),
        ("segfault", Died(-signal.SIGSEGV)),
        ("exit", Died(3)),
        ("loop", TimedOut(0.5)),
        ("sleep", TimedOut(0.5)),
    ],
)
@pytest.mark.parametrize("batch", [1, 4])
def test_a_bad_item_costs_itself_alone(
    order: str, outcome: Died | TimedOut, batch: int
) -> None:
    items = ["a", "b", order, "c", "d", "large"]

    with KillablePool(1) as pool:
        results = list(pool.map(obey, items, timeout_s=0.5, batch=batch))

    expected = [Done(item) for item in "ab"], outcome, [Done(item) for item in "cd"]
    assert results[:5] == [*expected[0], expected[1], *expected[2]]
    assert results[5] == Done("x" * 5_000_000)


def test_an_exception_is_the_result_of_its_item() -> None:
    with KillablePool(1) as pool:
        results = list(pool.map(obey, ["error", "a"], timeout_s=60))

    failed, done = results
    assert isinstance(failed, Failed)
    assert isinstance(failed.exception, ValueError)
    assert str(failed.exception) == "bad item"
    assert done == Done("a")


def test_what_cannot_be_sent_is_told_in_words() -> None:
    with KillablePool(1) as pool:
        (odd,) = pool.map(obey, ["unportable"], timeout_s=60)
        (value,) = pool.map(deadly_items.unsendable, [1], timeout_s=60)

    assert isinstance(odd, Failed)
    assert str(odd.exception) == "Unportable: one"
    assert isinstance(value, Failed)
    assert "lambda" in str(value.exception) or "local object" in str(value.exception)


def test_a_memory_bomb_fails_under_its_cap() -> None:
    with KillablePool(1, memory_bytes=1 << 30) as pool:
        bomb, after = pool.map(obey, ["memory", "a"], timeout_s=60)

    assert isinstance(bomb, Failed)
    assert isinstance(bomb.exception, MemoryError)
    assert after == Done("a")


def test_an_item_whose_process_died_by_chance_is_tried_again(tmp_path: Path) -> None:
    with KillablePool(1) as pool:
        (first,) = pool.map(deadly_items.die_once, [str(tmp_path / "a")], timeout_s=60)
        (second,) = pool.map(
            deadly_items.die_once, [str(tmp_path / "b")], timeout_s=60, attempts=1
        )

    assert first == Done("second time")
    assert second == Died(-signal.SIGABRT)


def test_many_deaths_lose_no_item() -> None:
    items = [
        ("abort" if i % 10 == 5 else "error" if i % 7 == 0 else str(i))
        for i in range(80)
    ]

    with KillablePool(2) as pool:
        results = list(pool.map(obey, items, timeout_s=60, batch=8, attempts=1))

    kinds = {"abort": Died, "error": Failed}
    assert [type(result) for result in results] == [kinds.get(i, Done) for i in items]


def test_items_are_taken_only_as_results_are_used() -> None:
    taken = 0

    def items() -> Iterator[int]:
        nonlocal taken
        while taken < 1000:
            taken += 1
            yield taken

    with KillablePool(1) as pool:
        results = pool.map(double, items(), timeout_s=60, batch=2, in_flight=6)
        assert [next(results) for _ in range(3)] == [Done(2), Done(4), Done(6)]
        assert taken <= 9
        results.close()  # type: ignore[attr-defined]
        assert list(pool.map(double, [5], timeout_s=60)) == [Done(10)]


def test_a_slow_reader_makes_no_item_late() -> None:
    with KillablePool(1) as pool:
        results = pool.map(obey, ["large"] * 4, timeout_s=0.4, batch=4)
        first = next(results)
        time.sleep(0.8)

        assert [first, *results] == [Done("x" * 5_000_000)] * 4


def test_few_items_start_one_process_and_processes_are_kept() -> None:
    with KillablePool(2) as pool:
        first = set(pool.map(deadly_items.process_id, range(5), timeout_s=60, batch=8))
        second = set(pool.map(deadly_items.process_id, range(5), timeout_s=60, batch=8))

        assert len(first) == 1
        assert first == second


def test_the_initializer_runs_once_in_each_process() -> None:
    with KillablePool(1, initializer=deadly_items.begin) as pool:
        assert list(pool.map(double, [1], timeout_s=60)) == [Done(2)]
        result = list(
            pool.map(deadly_items.setting, ["KILLABLE_STARTED"], timeout_s=60)
        )

    assert result == [Done("once")]


@pytest.mark.parametrize(
    ("initializer", "message"),
    [
        (deadly_items.fail_to_begin, "OSError: no licence"),
        (deadly_items.die_at_begin, "3 children ended at start, last: SIGABRT"),
    ],
)
def test_children_that_cannot_start_are_told(initializer: object, message: str) -> None:
    with (
        KillablePool(1, initializer=initializer) as pool,  # type: ignore[arg-type]
        pytest.raises(PoolError, match=message),
    ):
        list(pool.map(double, [1], timeout_s=60))


def test_a_function_that_no_child_can_import_is_refused(
    left: Callable[[], set[int]],
) -> None:
    def local(item: int) -> int:
        return item

    with KillablePool(1) as pool, pytest.raises(Exception, match="local"):
        list(pool.map(local, [1], timeout_s=60))

    assert not left()


def test_an_idle_process_that_dies_is_replaced() -> None:
    with KillablePool(1) as pool:
        (first,) = pool.map(deadly_items.process_id, [0], timeout_s=60)
        assert isinstance(first, Done)
        os.kill(first.value, signal.SIGKILL)
        (second,) = pool.map(deadly_items.process_id, [0], timeout_s=60)

    assert isinstance(second, Done)
    assert second.value != first.value


def test_the_children_die_with_the_parent() -> None:
    code = (
        "import sys; from plates.killable import KillablePool;"
        "from tests.deadly_items import obey, process_id;"
        "pool = KillablePool(1);"
        "results = pool.map(process_id, [0], timeout_s=60);"
        "print(next(results).value, flush=True); list(results);"
        "list(pool.map(obey, ['loop'], timeout_s=600))"
    )
    root = Path(__file__).parents[1]
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=root
    ) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        assert child.is_running()
        time.sleep(0.3)  # it is in the loop by now, as far as that can be known
        parent.kill()
        child.wait(timeout=10)

    assert not child.is_running()


def test_open_files_and_processes_are_all_given_back(
    left: Callable[[], set[int]],
) -> None:
    before = psutil.Process().num_fds()
    for _ in range(3):
        with KillablePool(2) as pool:
            list(pool.map(obey, ["a", "abort", "b", "c"], timeout_s=60))

    assert psutil.Process().num_fds() == before
    assert not left()
