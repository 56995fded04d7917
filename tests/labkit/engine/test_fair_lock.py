"""Turns in the order of asking, again and again by one thread, and Ctrl-C meanwhile."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator

import pytest

from labkit.engine.fair_lock import FairLock
from tests.support.running import wait_until


def started(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def num_waiting(lock: FairLock) -> int:
    return len(lock._waiting)


def test_threads_are_served_in_the_order_in_which_they_asked() -> None:
    lock, order = FairLock(), list[int]()

    def work(number: int) -> None:
        with lock:
            order.append(number)

    with lock:
        for number in range(5):
            started(lambda number=number: work(number))
            wait_until(lambda n=number: num_waiting(lock) == n + 1, "it waits")
        order.append(-1)
    wait_until(lambda: len(order) == 6, "all were served")
    assert order == [-1, 0, 1, 2, 3, 4]


def test_loop_that_takes_it_at_once_again_lets_others_in_between() -> None:
    lock, served = FairLock(), threading.Event()

    def wait_for_it() -> None:
        with lock:
            served.set()

    thread = None
    for turn in range(100):
        with lock:
            if turn == 3:
                thread = started(wait_for_it)
                wait_until(lambda: num_waiting(lock) == 1, "it waits")
        if turn >= 3:
            with lock:
                assert served.is_set()
            break
    assert thread is not None
    thread.join(5)


def test_thread_that_has_it_may_take_it_again() -> None:
    lock, others = FairLock(), list[str]()

    def ask() -> None:
        with lock:
            others.append("in")

    with lock:
        with lock:
            thread = started(ask)
            wait_until(lambda: num_waiting(lock) == 1, "it waits")
        assert others == []
    thread.join(5)
    assert others == ["in"]


def test_error_inside_gives_it_back() -> None:
    lock = FairLock()
    with pytest.raises(ValueError, match="inside"), lock:
        raise ValueError("inside")
    thread = started(lock.__enter__)
    thread.join(5)
    assert not thread.is_alive()


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Python's own handler, also where whoever started the tests ignores Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_while_waiting_leaves_the_queue() -> None:
    lock, main = FairLock(), threading.get_ident()
    is_held, may_end = threading.Event(), threading.Event()

    def hold() -> None:
        with lock:
            is_held.set()
            wait_until(lambda: num_waiting(lock) == 1, "the main thread waits")
            signal.pthread_kill(main, signal.SIGINT)
            may_end.wait(10)

    thread = started(hold)
    is_held.wait(10)
    with pytest.raises(KeyboardInterrupt):
        lock.__enter__()
    assert num_waiting(lock) == 0
    may_end.set()
    thread.join(5)
    with lock:
        assert num_waiting(lock) == 0
