"""The rows that only need the contenders: one function each, measured in turn.

A row asks everyone for the same thing, round after round, and keeps tokens per second
or seconds; the first round of all is for warming up and is thrown away.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from tests.bench import work
from tests.bench.bounds import quotients
from tests.bench.record import Record
from tests.bench.served import Served
from tests.bench.team import NotMeasured, Team
from tests.bench.texts import COPY_TASK, Prompts

__all__ = [
    "PEER",
    "SMALL",
    "Bench",
    "Sizes",
    "batch8",
    "decode",
    "in_turn",
    "paged",
    "prefill",
    "prefix",
    "rate",
    "roofs",
    "spec",
]

PEER, OTHER = "llama.cpp", "transformers"
DRAFTS = 4

T = TypeVar("T")
Call = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is computed; the defaults are what the bounds are about."""

    prompt: int = 32  # tokens
    answer: int = 128
    short: int = 64  # tokens of an answer in a batch
    batch: int = 8
    long: int = 512  # tokens of a long prompt
    context: int = 1024  # cached, or seen by a step
    rest: int = 32  # tokens of a prompt that are not cached
    streams: int = 32
    windows: int = 4  # of text whose logits are compared
    window: int = 500


SMALL = Sizes(8, 64, 6, 3, 24, 32, 8, 4, 2, 6)  # to see that everything runs


@dataclass(slots=True)
class Bench:
    """What a row is given."""

    team: Team
    record: Record
    prompts: Prompts
    rounds: int
    tick: Callable[[], object]  # a round of one contender is done
    sizes: Sizes = Sizes()
    serve: Callable[[], Served] = Served

    def note(self, sentence: str) -> None:
        """Say once what was not measured."""
        if sentence not in self.record.notes:
            self.record.notes.append(sentence)

    def present(self, *names: str) -> list[str]:
        """Those of `names` that can be measured here; the others are noted."""
        for name in names:
            if not self.team.has(name):
                self.note(f"{name}: not measured, it is not installed")
        return [name for name in names if self.team.has(name)]


def in_turn(bench: Bench, calls: Mapping[str, Callable[[], T]]) -> dict[str, list[T]]:
    """Each call once unmeasured, then A B C A B C ... for all rounds."""
    for call in calls.values():
        call()
        bench.tick()
    found: dict[str, list[T]] = {name: [] for name in calls}
    for _ in range(bench.rounds):
        for name, call in calls.items():
            found[name].append(call())
            bench.tick()
    return found


def rate(bench: Bench, who: str, prompts: list[list[int]], num_tokens: int) -> float:
    """Tokens/s of a greedy decode."""
    found = bench.team.ask(who, "decode", prompts, num_tokens)
    return float(found["tokens"] / found["wall_s"])


def roofs(bench: Bench) -> None:
    """Copy and read bandwidth, and products by number format."""
    ask = bench.team.ask
    products: dict[str, list[float]] = {}

    def multiply() -> float:
        for name, found in ask("machine", "products").items():
            products.setdefault(name, []).append(found)
        return 0.0

    copy, read = (lambda: ask("machine", "copy")), (lambda: ask("machine", "read"))
    found = in_turn(bench, {"copy": copy, "read": read, "multiply": multiply})
    for name in ("copy", "read"):
        gigabytes = [value / 1e9 for value in found[name]]
        bench.record.add("roofs", f"{name} bandwidth", "GB/s", gigabytes)
        bench.record.roofs[name] = max(found[name])
    for name, values in products.items():
        bench.record.add(
            "roofs", f"{name} product", "GFLOP/s", [v / 1e9 for v in values]
        )
        bench.record.roofs[name] = max(values)
    bench.team.dismiss("machine")


def decode(bench: Bench) -> None:
    """One stream: 128 tokens after a prompt of 32."""
    sizes = bench.sizes
    prompts = [bench.prompts.fresh(sizes.prompt)]
    calls: dict[str, Call] = {
        who: (lambda who=who: rate(bench, who, prompts, sizes.answer))  # type: ignore[misc]
        for who in bench.present("ours", PEER, OTHER)
    }
    calls["copy"] = lambda: float(bench.team.ask("machine", "copy"))
    found = in_turn(bench, calls)
    context = sizes.prompt + sizes.answer // 2
    for who in ("ours", PEER, OTHER):
        if who in found:
            is_packed = who != OTHER
            least = work.bytes_a_step(context=context, is_packed=is_packed)
            work_ = work.operations(tokens=1, start=context, scored=1)
            bound = limit(bench, least, work_, 1)
            bench.record.add("decode", who, "tokens/s", found[who], bound=bound)
    for key, who in (
        ("decode_vs_llama_cpp", PEER),
        ("decode_vs_transformers", OTHER),
    ):
        if who in found:
            bench.record.ratios[key] = quotients(found["ours"], found[who])
    num_bytes = work.bytes_a_step(context=context)
    moved = [num_bytes * value for value in found["ours"]]  # bytes/s
    bench.record.ratios["decode_of_roof"] = quotients(moved, found["copy"])
    bench.team.dismiss("machine")
    bench.team.dismiss(OTHER)


def limit(
    bench: Bench, num_bytes: float, num_operations: float, n: int
) -> float | None:
    """Tokens/s that the roofs allow a step that gives `n` tokens, if they are known."""
    if not bench.record.roofs:
        return None
    return n / work.bound_s(num_bytes, num_operations, bench.record.roofs)


def prefill(bench: Bench) -> None:
    """A prompt of 512 tokens to its first answer token, a new prompt each time."""
    sizes = bench.sizes
    calls: dict[str, Call] = {
        who: (
            lambda who=who: (
                sizes.long
                / float(  # type: ignore[misc]
                    bench.team.ask(who, "prefill", bench.prompts.fresh(sizes.long))
                )
            )
        )
        for who in bench.present("ours", PEER)
    }
    found = in_turn(bench, calls)
    needed = work.operations(tokens=sizes.long, start=0, scored=1)
    bound = limit(bench, work.bytes_a_step(context=sizes.long), needed, sizes.long)
    for who, samples in found.items():
        bench.record.add("prefill", who, "tokens/s", samples, bound=bound)
    if PEER in found:
        bench.record.ratios["prefill_vs_llama_cpp"] = quotients(
            found["ours"], found[PEER]
        )


def batch8(bench: Bench) -> None:
    """Eight sequences in one batch, against one and against llama.cpp's eight."""
    sizes = bench.sizes
    one, many, peer = "ours, 1", f"ours, {sizes.batch}", f"{PEER}, {sizes.batch}"
    prompts = [bench.prompts.fresh(sizes.prompt) for _ in range(sizes.batch)]
    length = sizes.short
    calls: dict[str, Call] = {
        one: lambda: rate(bench, "ours", prompts[:1], length),
        many: lambda: rate(bench, "ours", prompts, length),
    }
    if bench.present(PEER):
        calls[peer] = lambda: rate(bench, PEER, prompts, length)
    found = in_turn(bench, calls)
    context = sizes.prompt + length // 2
    for who, samples in found.items():
        rows = 1 if who == one else sizes.batch
        needed = rows * work.operations(tokens=1, start=context, scored=1)
        least = work.bytes_a_step(context=context, rows=rows)
        bound = limit(bench, least, needed, rows)
        bench.record.add("batch8", who, "tokens/s", samples, bound=bound)
    ratios = bench.record.ratios
    ratios["batch8_vs_batch1"] = quotients(found[many], found[one])
    if peer in found:
        ratios["batch8_vs_llama_cpp_batch8"] = quotients(found[many], found[peer])


def paged(bench: Bench) -> None:
    """A decode step at 1,024 tokens, blocks in no order against one run of slots."""
    sizes = bench.sizes
    calls: dict[str, Call] = {
        name: (
            lambda is_paged=is_paged: (
                1e3
                * float(  # type: ignore[misc]
                    bench.team.ask("ours", "step_at", sizes.context, is_paged)
                )
            )
        )
        for name, is_paged in (("paged", True), ("contiguous", False))
    }
    found = in_turn(bench, calls)
    for name, samples in found.items():
        bench.record.add("paged", name, "ms a step", samples, is_time=True)
    ratios = quotients(found["paged"], found["contiguous"])
    bench.record.ratios["paged_vs_contiguous"] = ratios


def prefix(bench: Bench) -> None:
    """First token of 1,056, with nothing and with 1,024 of them in the cache."""
    sizes = bench.sizes
    cold: list[int] = []
    hit = f"{sizes.context:,} cached"

    def first() -> float:
        cold[:] = bench.prompts.fresh(sizes.context + sizes.rest)
        return 1e3 * float(bench.team.ask("ours", "prefill", cold))

    def again() -> float:
        prompt = cold[: sizes.context] + bench.prompts.fresh(sizes.rest)
        answer = bench.team.ask("ours", "cached_prefill", prompt)
        if answer["cached"] != sizes.context:
            raise NotMeasured(
                f"the cache gave {answer['cached']} of {sizes.context} tokens"
            )
        return 1e3 * float(answer["wall_s"])

    found = in_turn(bench, {"cold": first, hit: again})
    for name, samples in found.items():
        bench.record.add("prefix", name, "ms to first token", samples, is_time=True)
    ratios = quotients(found[hit], found["cold"])
    bench.record.ratios["prefix_hit_ttft"] = ratios


def spec(bench: Bench) -> None:
    """Drafts from the text so far, where it repeats itself and where it does not."""
    sizes = bench.sizes
    ask = bench.team.ask
    copy, free = ask("ours", "encode", COPY_TASK), bench.prompts.fresh(sizes.prompt)

    def pair(prompt: list[int], heat: float) -> Any:
        """The answer without drafts and the one with them."""
        return ask("ours", "with_drafts", prompt, sizes.answer, DRAFTS, heat)

    calls = {"copy": lambda: pair(copy, 0.0), "free": lambda: pair(free, 0.9)}
    for task, pairs in in_turn(bench, calls).items():
        plain, ahead = (
            [a["tokens"] / a["wall_s"] for a in who] for who in zip(*pairs, strict=True)
        )
        pace = [answer["tokens"] / answer["steps"] for _, answer in pairs]
        drafted = f"{task}, {DRAFTS} drafts"
        bench.record.add("spec", f"{task}, plain", "tokens/s", plain)
        bench.record.add("spec", drafted, "tokens/s", ahead)
        bench.record.add("spec", drafted, "tokens a step", pace)
        bench.record.ratios[f"spec_{task}"] = quotients(ahead, plain)
