"""Buttons pressed on the page's thread while a cell streams from the same engine."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from labkit.clock import SystemClock
from labkit.engine import Engine
from labkit.labs.cache.pool_log import PoolLog
from labkit.labs.cache.prefix_probe import PrefixProbe
from labkit.labs.compute.traffic import Replayer
from labkit.labs.sampling.bench import Bench
from labkit.labs.sampling.branching import Brancher
from labkit.records import StepReport
from labkit.widgets import (
    BlockMap,
    BranchTree,
    OrderCompare,
    PrefixMissExplainer,
    SamplingBench,
    SchedulerDebugger,
)
from labkit.widgets.base import LabWidget
from labkit.workload import Arrival, CostPoint, StepCosts
from tests.support.engines import HELLO, knobs, tiny_engine
from tests.support.pools import CARD, PAIRS, WORDS
from tests.support.running import wait_until

GREEDY = knobs(max_tokens=40, temperature=0.0)
COSTS = StepCosts((CostPoint(0, 0.0, 0.1), CostPoint(100, 0.0, 1.1)), "t", "-", "-")
PROMPT = (7, 8, 9, 10, 11)

Press = Callable[[], Any]


def sent(widget: LabWidget, op: str, **values: Any) -> None:
    """What a click on the page sends, as it arrives in Python."""
    widget._receive(widget, {"op": op, **values}, [])


def of_block_map(engine: Engine) -> Press:
    log = PoolLog(engine)
    shown = BlockMap(log.frames, engine.config.block_size, pool=log)

    def press() -> None:
        engine.add(PROMPT, knobs(max_tokens=3, temperature=0.0))
        for _ in range(4):
            sent(shown, "step")
        assert shown.num_frames > 1

    return press


def of_branch_tree(engine: Engine) -> Press:
    tree = BranchTree(Brancher(engine, PROMPT, max_tokens=6))
    first = tree.branches[0]

    def press() -> None:
        at = len(tree.branches) % 5
        token_id = first.tokens[at].top[1][0]
        sent(tree, "fork", branch=first.name, at=at, id=token_id)
        assert tree.problem == ""
        assert len(tree.branches) > 1

    return press


def of_explainer(engine: Engine) -> Press:
    probe = PrefixProbe(
        Engine(engine.model, engine.config, SystemClock()), SystemClock()
    )
    explainer = PrefixMissExplainer(PAIRS, WORDS, CARD, measure=probe.measure)

    def press() -> None:
        explainer.texts = ["abcdefghijklmnop", "abcdefgh-jklmnop"]
        sent(explainer, "run")
        assert explainer.times is not None
        assert explainer.times.cached == 8

    return press


def of_debugger(engine: Engine) -> Press:
    source = Replayer([Arrival("a", 0.0, 9, 4)], COSTS)
    debugger = SchedulerDebugger(source, source.times_s)
    return lambda: sent(debugger, "rerun", knobs={"max_step_tokens": 16})


def of_bench(engine: Engine) -> Press:
    bench = SamplingBench(Bench.at(engine, PROMPT))
    return lambda: bench.set_state({"knobs": {"temperature": 1.5, "top_p": 0.9}})


def of_orders(engine: Engine) -> Press:
    orders = OrderCompare(Bench.at(engine, PROMPT))
    return lambda: orders.set_state({"knobs": {"temperature": 1.5, "top_p": 0.9}})


def tokens_of(engine: Engine) -> list[int | None]:
    return [event.token_id for event in engine.stream(HELLO, GREEDY)]


@pytest.fixture(scope="module")
def alone() -> list[int | None]:
    return tokens_of(tiny_engine())


@pytest.mark.parametrize(
    "make",
    [of_block_map, of_branch_tree, of_explainer, of_debugger, of_bench, of_orders],
)
def test_button_pressed_while_a_cell_streams_changes_no_token(
    make: Callable[[Engine], Press], alone: list[int | None]
) -> None:
    engine = tiny_engine()
    press, failures = make(engine), list[BaseException]()
    is_streaming = threading.Event()

    def page() -> None:
        is_streaming.wait(60)
        try:
            for _ in range(5):
                press()
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=page)
    thread.start()
    seen: list[int | None] = []
    for event in engine.stream(HELLO, GREEDY):
        is_streaming.set()
        seen.append(event.token_id)
    again = tokens_of(engine)
    thread.join(60)
    assert not thread.is_alive(), "the page's thread hangs"
    assert not failures, failures
    assert (seen, again) == (alone, alone)
    engine.check()


def test_observer_that_shows_a_frame_on_a_widget_does_not_wait_for_its_button() -> None:
    """The button's thread waits for the engine, an observer of it for the widget."""
    engine = tiny_engine()
    log = PoolLog(engine)
    shown = BlockMap(log.frames, pool=log)
    can_press = threading.Event()

    def show(report: StepReport) -> None:
        if not can_press.is_set():
            can_press.set()
            wait_until(lambda: bool(engine.lock._waiting), "the button waits")
        shown.append(log.frames[-1])

    def press() -> None:
        can_press.wait(60)
        sent(shown, "step")

    engine.observe(show)
    engine.add(HELLO, knobs(2))
    threads = [threading.Thread(target=t, daemon=True) for t in (press, engine.step)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), "button and cell wait for each other"
    assert shown.num_frames >= 3
