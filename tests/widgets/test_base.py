"""What every widget has: a still, a summary, one script, no stray keywords."""

from __future__ import annotations

import base64
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import traitlets

from labkit.errors import ConfigError
from labkit.figures.drawings import Table
from labkit.net.relay import relay
from labkit.text.markdown import MarkdownStream
from labkit.widgets import (
    BlockMap,
    BranchTree,
    KVCalculator,
    MarkdownRace,
    OrderCompare,
    PrefixMissExplainer,
    SamplingBench,
    SchedulerDebugger,
    SSEInspector,
    StreamView,
    TraceBar,
    TTFTWaterfall,
)
from labkit.widgets.ask_box import AskBox
from labkit.widgets.assets import ASSETS, read, serve
from labkit.widgets.base import STATIC, LabWidget
from labkit.widgets.markdown_count import NAMES, count_race
from tests.support.benches import FourOrders, Stages, TwoWays
from tests.support.pools import CARD, GPUS, MODELS, PAIRS, WORDS, pool_frames
from tests.support.requests import MARKDOWN, chunks, openai_frames, trace
from tests.support.schedules import ARRIVALS, Again

MAKERS = {
    "AskBox": lambda **k: AskBox(None, [{"role": "user", "content": "How?"}], **k),
    "TraceBar": lambda **k: TraceBar(trace(), **k),
    "TTFTWaterfall": lambda **k: TTFTWaterfall([trace()], **k),
    "StreamView": lambda **k: StreamView(None, [], **k),
    "SSEInspector": lambda **k: SSEInspector({"openai": openai_frames()}, relay, **k),
    "SchedulerDebugger": lambda **k: SchedulerDebugger(Again(), ARRIVALS, **k),
    "BlockMap": lambda **k: BlockMap(pool_frames(), 4, **k),
    "PrefixMissExplainer": lambda **k: PrefixMissExplainer(PAIRS, WORDS, CARD, **k),
    "KVCalculator": lambda **k: KVCalculator(MODELS, GPUS, **k),
    "SamplingBench": lambda **k: SamplingBench(Stages(), **k),
    "OrderCompare": lambda **k: OrderCompare(FourOrders(), **k),
    "BranchTree": lambda **k: BranchTree(TwoWays(), **k),
    "MarkdownRace": lambda **k: MarkdownRace(MARKDOWN, **k),
}
EVERY = pytest.mark.parametrize("make", MAKERS.values(), ids=list(MAKERS))


class Counter(LabWidget, page="trace_bar"):
    """A widget of this test's own."""

    total = traitlets.Int(0).tag(sync=True)

    def __init__(self, **unknown: object) -> None:
        super().__init__(unknown)

    def record(self) -> Table:
        return Table("A counter", "It counts.", ("n",), ((str(self.total),),))

    def handle(self, op, message) -> None:
        if op != "add":
            super().handle(op, message)
        self.total = self.total + message["by"]


@EVERY
def test_unknown_keyword_is_refused_by_name(make) -> None:
    with pytest.raises(ConfigError, match=r"has no setting 'colour'"):
        make(colour="red")


def test_refusal_names_the_nearest_keyword() -> None:
    with pytest.raises(ConfigError, match=r"did you mean chunk_chars\?"):
        MarkdownRace(MARKDOWN, chunk_char=3)
    with pytest.raises(ConfigError, match=r"did you mean max_tokens\?"):
        StreamView(None, [], max_token=3)


@EVERY
def test_bundle_has_live_view_still_and_words(make) -> None:
    widget = make()
    data, _ = widget._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data
    assert data["text/plain"] == widget.summary()
    assert data["text/html"].startswith('<img class="dark-light" alt="')
    encoded = re.search(r'base64,([^"]+)">$', data["text/html"])
    assert encoded is not None
    assert base64.b64decode(encoded[1]).decode() == widget.still()


@EVERY
def test_repr_is_short_and_has_no_address(make) -> None:
    assert re.fullmatch(r"<\w+: .{5,120}>", repr(make()))


@EVERY
def test_page_code_is_one_module_without_imports(make) -> None:
    script = str(make()._esm)
    assert script.count("export default") == 1
    assert not re.search(r"^\s*import\b", script, re.MULTILINE)


def test_messages_from_many_threads_lose_nothing() -> None:
    counter = Counter()
    work = [
        threading.Thread(
            target=lambda: [
                counter._receive(0, {"op": "add", "by": 1}, []) for _ in "x" * 50
            ]
        )
        for _ in range(8)
    ]
    for thread in work:
        thread.start()
    for thread in work:
        thread.join()
    assert counter.total == 400


def test_changes_from_the_page_wait_for_the_lock() -> None:
    counter = Counter()
    thread = threading.Thread(target=counter.set_state, args=({"total": 7},))
    with counter._lock:
        thread.start()
        thread.join(0.05)
        assert counter.total == 0
    thread.join()
    assert counter.total == 7


def test_unknown_message_is_an_error_and_foreign_ones_are_not() -> None:
    counter = Counter()
    with pytest.raises(ConfigError, match="no message 'explode'"):
        counter._receive(0, {"op": "explode"}, [])
    counter._receive(0, {"custom": "of another library"}, [])
    counter._receive(0, "text", [])


def test_assets_are_those_of_the_list_and_no_others() -> None:
    for name in ASSETS:
        answer, buffers = serve({"id": "1", "name": name})
        assert answer["id"] == "1"
        assert buffers == [read(name)]
    answer, buffers = serve({"id": "2", "name": "../base.py"})
    assert "has no setting '../base.py'" in answer["error"]
    assert not buffers


def test_import_without_the_widget_library_names_the_remedy() -> None:
    code = "import sys; sys.modules['anywidget'] = None; import labkit.widgets"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "labkit.errors.ConfigError: labkit.widgets needs" in done.stderr
    assert "pip install 'labkit[book]'" in done.stderr


def test_stills_of_widgets_do_not_depend_on_the_hash_seed() -> None:
    code = (
        "from tests.widgets.test_base import MAKERS\n"
        "for make in MAKERS.values(): print(make().still())"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": "."},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("0", "1")
    }
    assert len(outputs) == 1
    assert outputs.pop().count(b"<svg") == len(MAKERS)


PAGE_FILES = sorted(STATIC.glob("*.js")) + sorted(STATIC.glob("*.css"))


@pytest.mark.parametrize("path", PAGE_FILES, ids=lambda p: p.name)
def test_page_files_are_short_and_ask_no_other_host(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith(("//", "/*", ".lab"))
    assert len(text.splitlines()) <= 200
    hosts = re.sub(r"http://www\.w3\.org/2000/svg", "", text)
    assert "://" not in hosts
    assert not re.search(r"\.id\s*=|id=\"|@import", text)


def test_text_of_a_stream_is_never_written_as_html() -> None:
    writers = [p.name for p in STATIC.glob("*.js") if "innerHTML" in p.read_text()]
    assert writers == ["race_lanes.js"]  # where it is what is measured, sanitised


def test_waterfall_shows_the_trace_that_is_chosen() -> None:
    widget = TTFTWaterfall([trace("cold"), trace("warm", prefill_s=0.01)])
    assert widget.names == ["cold", "warm"]
    widget.index = 1
    assert widget.record().title.startswith("warm: first text after 92.0 ms")
    with pytest.raises(traitlets.TraitError, match="there are 2 traces"):
        widget.index = 2
    with pytest.raises(ConfigError, match="at least one trace"):
        TTFTWaterfall([])


def test_race_shows_the_page_s_result_before_a_record_and_a_count() -> None:
    counted = MarkdownRace(MARKDOWN, chunk_chars=40)
    assert counted.race is None
    assert counted.record().y_title == "characters parsed, added up"
    lanes = [{"name": "full re-parse", "ms": [2.0], "nodes": [9]}]
    counted.result = {"chunk_chars": 40, "num_chunks": 1, "seen": [40], "lanes": lanes}
    assert counted.race is not None
    assert counted.race.lanes[0].nodes == (9,)
    assert counted.record().y_title == "milliseconds, added up"
    recorded = MarkdownRace(MARKDOWN, recorded=counted.race)
    assert recorded.record() == counted.record()


@pytest.mark.parametrize("strategy", NAMES)
def test_counts_are_what_each_strategy_really_parses(strategy) -> None:
    race = count_race(MARKDOWN, 9)
    stream = MarkdownStream(strategy)
    for start in range(0, len(MARKDOWN), 9):
        stream.feed(MARKDOWN[start : start + 9])
    lane = race.lanes[list(NAMES).index(strategy)]
    assert lane.parsed[-1] == stream.work.num_chars_parsed
    assert race.seen[-1] == len(MARKDOWN)


@pytest.mark.parametrize("size", [0, 2001])
def test_race_refuses_a_chunk_size_that_is_none(size) -> None:
    with pytest.raises(ConfigError, match="use 1 to 2,000"):
        MarkdownRace(MARKDOWN, chunk_chars=size)


def test_race_refuses_no_text_and_no_result() -> None:
    with pytest.raises(ConfigError, match="give a text"):
        MarkdownRace("")
    with pytest.raises(ConfigError, match="no record of a race"):
        MarkdownRace(MARKDOWN).result = {"lanes": []}


def test_recorded_stream_cannot_be_started() -> None:
    view = StreamView.from_chunks(chunks())
    assert (view.status, len(view.recorded), view.can_start) == ("done", 13, False)
    with pytest.raises(ConfigError, match="give it a source"):
        view.start()


def test_every_page_can_be_veiled_and_tells_when_its_kernel_has_ended() -> None:
    pages = [
        page for page in STATIC.glob("*.js") if "export default" in page.read_text()
    ]
    own = [page.name for page in pages if "lab.widget(render)" not in page.read_text()]
    assert own == ["figure.js"]  # plotly's render, which it puts behind the veil itself
