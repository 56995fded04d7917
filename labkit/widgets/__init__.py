"""The book's widgets; each takes records or a source with one method, no engine.

| class | shows |
|---|---|
| `TraceBar(trace, lit)` | a request's life in twelve layers, or several on one scale |
| `StreamView(source, messages, **knobs)` | tokens arriving and their stamps |
| `SSEInspector(recordings, relay)` | bytes, frames and events under faults |
| `TTFTWaterfall(traces)` | the parts of the time to first text |
| `SchedulerDebugger(source, arrivals)` | the scheduler by step, and other set-ups |
| `BlockMap(frames)` | the block pool by step: owners, counts, hash chains |
| `PrefixMissExplainer(pairs, words, card)` | where two prompts part, and the cost |
| `KVCalculator(models, gpus)` | what keys and values weigh |
| `SamplingBench(source, label)` | sampling stages: knobs, order, what each one did |
| `OrderCompare(source, label)` | one distribution in the orders of four engines |
| `BranchTree(source, label)` | other candidates taken, on shared blocks |
| `AskBox(source, messages)` | a prompt of the reader's own, and its answer |
| `MarkdownRace(text)` | what three ways to render a stream cost |

`labkit.widgets.figure.LiteFigure` is apart: it imports plotly, which takes its time.
"""

from labkit.widgets.ask_box import AskBox
from labkit.widgets.base import LabWidget
from labkit.widgets.block_map import BlockMap
from labkit.widgets.branch_tree import BranchTree
from labkit.widgets.kv_calculator import KVCalculator
from labkit.widgets.markdown_race import MarkdownRace
from labkit.widgets.order_compare import OrderCompare
from labkit.widgets.prefix_miss_explainer import PrefixMissExplainer
from labkit.widgets.sampling_bench import SamplingBench
from labkit.widgets.scheduler_debugger import SchedulerDebugger
from labkit.widgets.sse_inspector import SSEInspector
from labkit.widgets.stream_view import StreamView
from labkit.widgets.trace_bar import TraceBar
from labkit.widgets.ttft_waterfall import TTFTWaterfall

__all__ = [
    "AskBox",
    "BlockMap",
    "BranchTree",
    "KVCalculator",
    "LabWidget",
    "MarkdownRace",
    "OrderCompare",
    "PrefixMissExplainer",
    "SSEInspector",
    "SamplingBench",
    "SchedulerDebugger",
    "StreamView",
    "TTFTWaterfall",
    "TraceBar",
]
