"""The rows that need more: a server, a fresh process, a judge, a GPU, a profiler."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench import work
from tests.bench.bounds import quotients
from tests.bench.rows import PEER, Bench, in_turn, rate
from tests.bench.served import Stream
from tests.bench.team import ROOT, NotMeasured
from tests.bench.texts import QUESTIONS, windows

__all__ = ["cuda", "profile", "quality", "server", "server32", "start"]

START_LIMIT_S = 120.0
FIRST_TOKEN = """
from labkit.clock import SystemClock
from labkit.engine import load
from labkit.sequence import SamplingParams
engine = load(device="cpu")
ids = engine.tokenizer.encode("Once upon a time")
event = next(engine.stream(ids, SamplingParams(max_tokens=8, temperature=0)))
print(event.text, flush=True)
"""


def server(bench: Bench) -> None:
    """One stream over HTTP, first text to last, against the engine alone."""
    sizes = bench.sizes
    question = QUESTIONS[0]
    prompt = bench.team.ask("ours", "chat_ids", question)
    with bench.serve() as served:

        def through() -> float:
            (stream,), _ = served.ask([question], sizes.answer)
            whole([stream], sizes.answer)
            assert stream.first_s is not None, "a whole stream has text"
            assert stream.last_s is not None, "a whole stream has text"
            return (sizes.answer - 1) / (stream.last_s - stream.first_s)

        calls = {
            "engine alone": lambda: rate(bench, "ours", [prompt], sizes.answer),
            "over HTTP": through,
        }
        found = in_turn(bench, calls)
    for name, samples in found.items():
        bench.record.add("server", name, "tokens/s", samples)
    ratios = quotients(found["over HTTP"], found["engine alone"])
    bench.record.ratios["server_vs_engine"] = ratios


def server32(bench: Bench) -> None:
    """32 streams at once, everything timed, against the engine's batch of 32."""
    sizes = bench.sizes
    questions = QUESTIONS[: sizes.streams]
    prompts = [bench.team.ask("ours", "chat_ids", question) for question in questions]
    with bench.serve() as served:

        def through() -> float:
            streams, wall_s = served.ask(questions, sizes.short)
            whole(streams, sizes.short)
            return sizes.streams * sizes.short / wall_s

        def alone() -> float:
            answer = bench.team.ask("ours", "answer", prompts, sizes.short)
            return float(answer["tokens"] / answer["wall_s"])

        found = in_turn(bench, {"batch of 32": alone, "32 streams": through})
    for name, samples in found.items():
        bench.record.add("server32", name, "tokens/s", samples)
    bench.record.ratios["server32"] = quotients(
        found["32 streams"], found["batch of 32"]
    )


def whole(streams: list[Stream], num_tokens: int) -> None:
    """Refuse to count streams that broke off or ended early."""
    told = [s.usage().get("completion_tokens") if s.is_whole else None for s in streams]
    complete = told.count(num_tokens)
    if complete != len(streams):
        raise NotMeasured(f"{complete} of {len(streams)} streams were complete")


def start(bench: Bench) -> None:
    """A new Python process, from its start to the first token, weights cached."""

    def once() -> float:
        started = time.perf_counter()
        with subprocess.Popen(
            [sys.executable, "-c", FIRST_TOKEN],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as process:
            assert process.stdout is not None, "asked for a pipe"
            try:
                line = process.stdout.readline()
                wall_s = time.perf_counter() - started
                process.wait(START_LIMIT_S)
            finally:
                process.kill()
        if not line:
            raise NotMeasured("the first token did not come")
        return wall_s

    samples = in_turn(bench, {"start": once})["start"]
    bench.record.add("start", "ours", "s to first token", samples, is_time=True)
    bench.record.ratios["start_warm_s"] = samples


def quality(bench: Bench) -> None:
    """Distance of each contender's logits from the float32 reference, on text.

    The reference is the GGUF's own numbers, dequantised to float32 and computed the
    plain way. What the GGUF itself lost against the model it was made from cannot be
    known here: those weights are not in it.
    """
    sizes = bench.sizes
    parts = windows(bench.prompts.ids, sizes.window, sizes.windows)
    found = {}
    with tempfile.TemporaryDirectory(prefix="labkit-bench-") as folder:
        path = str(Path(folder) / "logits.npy")
        for who in bench.present("ours", PEER):
            bench.team.ask(who, "logits", parts, path)
            found[who] = bench.team.ask("judge", "compare", parts, path)
            bench.tick()
    bench.team.dismiss("judge")
    bench.record.quality = {
        "compared": "one token a pass, against the GGUF dequantised to float32; "
        "what the GGUF lost against its source cannot be known from it",
        **found["ours"],
        "others": {who: value for who, value in found.items() if who != "ours"},
    }


def cuda(bench: Bench) -> None:
    """The same engine on a GPU: tokens/s, time a step, share of bandwidth."""
    sizes = bench.sizes
    if bench.team.ask("machine", "facts")["cuda"] is None:
        bench.note("No CUDA device was at hand, so its rows were not measured")
        return
    bandwidth = float(bench.team.ask("machine on cuda", "copy"))
    bench.record.add("cuda", "copy bandwidth", "GB/s", [bandwidth / 1e9])
    prompts = [bench.prompts.fresh(sizes.prompt) for _ in range(sizes.batch)]

    def speed(n: int) -> float:
        return rate(bench, "ours on cuda", prompts[:n], sizes.answer)

    def read_long() -> float:
        prompt = bench.prompts.fresh(sizes.long)
        return sizes.long / float(bench.team.ask("ours on cuda", "prefill", prompt))

    calls: dict[str, Callable[[], float]] = {
        "batch of 1": lambda: speed(1),
        f"batch of {sizes.batch}": lambda: speed(sizes.batch),
        f"prompt of {sizes.long}": read_long,
    }
    samples = in_turn(bench, calls)
    context = sizes.prompt + sizes.answer // 2
    for name, n in (("batch of 1", 1), (f"batch of {sizes.batch}", sizes.batch)):
        step_ms = [1e3 * n / value for value in samples[name]]
        # bfloat16: half of what float32 reads
        num_bytes = work.bytes_a_step(context=context, rows=n, is_packed=False) / 2
        bound = 1e3 * num_bytes / bandwidth
        bench.record.add("cuda", name, "tokens/s", samples[name])
        bench.record.add("cuda", name, "ms a step", step_ms, bound=bound, is_time=True)
    long = f"prompt of {sizes.long}"
    bench.record.add("cuda", long, "tokens/s", samples[long])
    bench.team.dismiss("machine")
    bench.team.dismiss("ours on cuda")
    bench.team.dismiss("machine on cuda")


def profile(bench: Bench) -> None:
    """A decode step by operation, printed; no bound hangs on it."""
    sizes = bench.sizes
    text = bench.team.ask("ours", "profile", bench.prompts.fresh(sizes.prompt))
    bench.tick()
    bench.record.profile = text
