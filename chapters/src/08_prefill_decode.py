# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 8 · Prefill and decode
#
# ![Layer 8 of 12: compute](images/layer_08.svg)
#
# One plot explains why a prompt is cheap by the token and an answer is not, why
# servers batch, why they cut prompts into chunks, and why guessing ahead pays. You
# measure it on your own machine and then use it four times.
#
# *40 minutes · needs the weights (98 MB, fetched once); no GPU, no key. At the end
# you can say what bounds a step, choose a chunk size for a latency you promise, and
# tell when speculation is a loss.*

# %% tags=["plumbing"]
# If labkit is missing: this book has no public address yet to install it from, so run
# `make lab` in a copy of the project and open the chapter there.
from labkit.book import start

lab = start(chapter=8)

# %% [markdown]
# **Scene.** Your question about "strawberry" 🍓 is 34 tokens with its system message.
# Their keys and values live in blocks (chapter 7), and a sampler will pick each token
# (chapter 9). In between, something has to compute: first, in one pass, all tokens of
# the prompt that the cache does not hold, *prefill*; then one token a pass, *decode*.
# The same weights, the same code, and two very different bills. The lit part of the
# recorded life is this chapter's layer.

# %%
from labkit.book import claim
from labkit.records import Layer
from labkit.widgets import SchedulerDebugger, TraceBar

recorded = lab.replay_trace("10_request")
TraceBar(recorded, lit=Layer.COMPUTE)

# %% tags=["nbval-check-output"]
asked, cached = recorded.meta["prompt_tokens"], recorded.meta["cached_tokens"]
lab.md(
    f"The same question had been asked before the recording: **{cached} of {asked}** "
    f"tokens came from the cache (chapter 7); prefill computed **{asked - cached}**."
)

# %% [markdown]
# ## 8.1 What does one more token in a pass cost?
#
# A *pass* runs the model once over some new tokens. One token takes some time. How
# many tokens may one pass compute before it takes twice as long as that? (The largest
# pass tried below has 512.)

# %%
guess_knee = lab.predict("Tokens for the price of two", between=(1, 512))
guess_knee

# %% [markdown]
# First the machine without any model. How fast does it move bytes, and how fast does
# it multiply? These are its two *roofs*; their quotient, the *ridge*, is how many
# operations it can do while one byte comes in. (An operation counts the same on floats
# and, in our kernels, on whole numbers of 16 bits; both are called FLOP here.)

# %% tags=["measurement"]
from labkit.labs.compute.stopwatch import PassShape, Stopwatch, measure_roofs, pass_work
from labkit.clock import SystemClock

clock = SystemClock()
roofs, work = measure_roofs(lab.model, clock), pass_work(lab.model)
lab.md(
    f"This machine copies **{roofs.bytes_per_s / 1e9:.1f} GB/s** and multiplies "
    f"**{roofs.flop_per_s / 1e9:,.0f} GFLOP/s**: ridge **{roofs.ridge:.1f} FLOP/B**. "
    f"One token reads **{work.weight_bytes / 1e6:.1f} MB** of weights."
)

# %% [markdown]
# Now passes of the real model, after 128 tokens of context, timed in turn; the best of
# three counts, since a busy neighbour can only make a pass slower.

# %% tags=["measurement"]
from labkit.figures.roofs import Roofs, batch_lines, crossing, knee, pass_lines
from labkit.figures.roofs import share_lines

watch = Stopwatch(lab.model, clock)
sizes = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 128, 256, 512)
shapes = [PassShape(new=n, context=128 + n) for n in sizes]
seconds = watch.seconds(shapes, rounds=3, pick=min)
live = {n: 1000 * s for n, s in zip(sizes, seconds, strict=True)}  # ms
guess_knee.reveal(knee(live), "Just now, here.")

# %% [markdown]
# And the plot of this book: your passes above the two bounds of *your* machine. Both
# axes are logarithmic: equal steps are equal factors.

# %% tags=["measurement"]
from labkit.widgets.figure import LiteFigure

LiteFigure(pass_lines(live, roofs, work))

# %% tags=["nbval-check-output"]
claim("a pass of four tokens costs less than four of one", live[4] < 4 * live[1])
claim("one of sixteen costs less than sixteen", live[16] < 16 * live[1])
claim(
    "far to the right, twice the tokens take nearly twice the time",
    live[512] > 1.5 * live[256],
)
claim("no token is free: sixteen take longer than one", live[16] > live[1])

# %% [markdown]
# **Why.** A pass of *n* tokens reads every weight once: *N* in the layers and *H* in
# the head, *b* bytes each. It uses the layers' *n* times and the head's once, two
# operations each time. With *P* FLOP/s and *W* bytes/s:
#
# $$t(n)\ge\max\left(\frac{2(Nn+H)}{P},\ \frac{(N+H)\,b}{W}\right),\qquad
# n^{*}=\frac{P}{W}\cdot\frac{b}{2}\cdot\frac{N+H}{N}-\frac{H}{N}$$
#
# Left of *n\** memory is the bound and arithmetic waits; right of it the reverse
# (Williams, Waterman and Patterson, *Roofline*, 2009). In a large model *H* is small,
# and *n\** is the ridge times *b*/2. Real kernels stay above both lines. Where there
# is a C compiler ours reads the file's 4-bit blocks and multiplies whole numbers of 16
# bits; its roof is that one instruction with nothing else to do.


# %%
def reached(n):
    """Share of the matrix roof that a pass of n tokens gets."""
    return roofs.multiply_ms(work.flop(n)) / live[n]


reads, most_reached = roofs.read_ms(work.weight_bytes) / live[1], reached(512)

# %% tags=["measurement"]
per_token = {n: ms / n for n, ms in live.items()}
lab.md(
    f"At one token a pass you reach **{reads:.0%}** of the copy roof and "
    f"**{reached(1):.0%}** of the matrix roof; at 512, **{most_reached:.0%}** of the "
    f"matrix roof. A token costs **{per_token[1]:.2f} ms** alone and "
    f"**{per_token[64]:.2f} ms** among 64: the whole of prefill's advantage."
)

# %% [markdown]
# Your guess was about another point than *n\**: where a pass has become *twice* as
# long. With both roofs reached that is 2*n\**. A pass that reaches less of the copy
# roof starts from a longer time and has its knee later; one that reaches less of the
# matrix roof climbs faster and has it earlier.

# %% tags=["measurement"]
n_star = crossing(roofs, work)
lab.md(
    f"Your bounds meet at ***n*\\* = {n_star:.1f}** tokens. Twice that is "
    f"**{2 * n_star:.1f}**; times {most_reached:.2f} / {reads:.2f}, for what your "
    f"passes reach, about **{2 * n_star * most_reached / reads:.1f}**. Measured: "
    f"**{knee(live)}**, the last size tried that took no longer than two passes."
)

# %% [markdown]
# Longer measurements further down come from another machine, whose knee is its own:

# %%
from dataclasses import replace

sweep = lab.replay_measured("sweep")


def points(name):
    return {n: sweep[name][str(n)] for n in sorted(map(int, sweep[name]))}


# %%
there = replace(work, weight_bytes=sweep["weight_bytes"])
n_there = crossing(Roofs(**sweep["roofs"]), there)
lab.md(
    f"{sweep.origin} There *n*\\* is **{n_there:.1f}**, and a pass takes twice as long "
    f"after **{knee(points('pass_ms'))}** tokens."
)

# %% [markdown]
# **In production.** The same knee on a GPU lies far to the right. For the H100 SXM,
# Glenn Lockwood's notes give 989.4 TFLOP/s in bfloat16 without sparsity and 3.35 TB/s
# ([H100](https://glennklockwood.com/garden/processors/h100), read November 2026); the
# ridge is exercise 1. With 2:4 sparsity, which no dense model gets, they give 1,978.9.

# %% tags=["nbval-check-output"]
dense, sparse = 989.4, 1978.9
claim("half of the larger figure is sparsity", round(sparse / dense, 2) == 2)

# %% [markdown]
# ## 8.2 How many users fit in one step?
#
# A token of your answer and a token of somebody else's answer need the same weights.
# Put sixteen users in one pass: how many times the tokens per second of one user come
# out, all together?

# %%
guess_batch = lab.predict("Tokens/s of 16 users over those of 1", between=(1, 16))
guess_batch

# %% tags=["measurement"]
users = (1, 4, 16)
shapes = [PassShape(rows=n, context=128) for n in users]
seconds = watch.seconds(shapes, rounds=3)
together = {n: 1000 * s for n, s in zip(users, seconds, strict=True)}  # ms a step
guess_batch.reveal(round(16 * together[1] / together[16], 1), "Just now, here.")

# %%
batch = points("batch_ms")
LiteFigure(batch_lines(batch))

# %% tags=["nbval-check-output"]
claim("sixteen users in a step beat sixteen steps", together[16] < 16 * together[1])
claim("each of them waits longer for a token than alone", together[16] > together[1])
most, fewest = max(batch), min(batch)
claim(
    f"recorded: {most} together get more tokens a second than {fewest} alone",
    most / batch[most] > fewest / batch[fewest],
)

# %% [markdown]
# **Why.** It is the plot of 8.1 again with users on the x axis: nearly flat, then the
# knee, then a straight line along which a larger batch only makes everybody wait.
# *Continuous batching* decides anew for each step who is in it (Orca, 2022), so nobody
# waits for the longest answer of a batch. Our scheduler's whole decision is one
# function:

# %%
from labkit.engine.scheduler import Scheduler

lab.source(Scheduler.plan)

# %% [markdown]
# ## 8.3 What is not shared in a batch?
#
# Weights are shared. Your context is not: each sequence's keys and values are read for
# that sequence alone. Take 1,024 tokens of context instead of 32. For one user this
# adds some time to each step. For eight users together, how much?

# %%
choices = ["as much as one user's", "about twice as much", "many times as much"]
guess_share = lab.predict("Eight users' context adds to a step", options=choices)
guess_share

# %%
by_rows = {
    int(r): {int(n): ms for n, ms in line.items()}
    for r, line in sweep["context_ms"].items()
}
kept = {rows: line[1024] - line[32] for rows, line in by_rows.items()}
times = kept[8] / kept[1]
note = f"Recorded: {times:.1f} times. Each reads its own keys and values."
guess_share.reveal(choices[(times > 1.5) + (times > 3)], note)

# %% tags=["measurement"]
grid = [(rows, seen) for rows in (1, 8) for seen in (32, 1024)]
seconds = watch.seconds([PassShape(rows, 1, seen) for rows, seen in grid], rounds=5)
took = {place: 1000 * s for place, s in zip(grid, seconds, strict=True)}
added = {rows: took[rows, 1024] - took[rows, 32] for rows in (1, 8)}
lab.table(
    ["users, here", "32 tokens, ms", "1,024 tokens, ms", "added, ms"],
    [
        (r, f"{took[r, 32]:.1f}", f"{took[r, 1024]:.1f}", f"{added[r]:.1f}")
        for r in (1, 8)
    ],
)

# %% [markdown]
# Recorded over more lengths, as a share of each pass. What the context adds is counted
# from the fastest pass of the same batch:

# %%
shares = {
    rows: {n: 100 * (1 - min(line.values()) / ms) for n, ms in line.items() if n > 32}
    for rows, line in by_rows.items()
}
LiteFigure(share_lines(shares))

# %% tags=["nbval-check-output"]
claim("recorded: eight contexts add more than three times one", kept[8] > 3 * kept[1])

# %% [markdown]
# **Why.** With *H* query heads on *H_kv* heads of keys and values of size *d_h*, a
# token that looks back over *S* tokens does $4LHd_hS$ operations and reads
# $2LH_{kv}d_hSb$ bytes. In bfloat16 that is *H/H_kv* operations a byte, whatever the
# batch: attention in decode stays on the memory side for ever. Two lengths follow
# from the shape of a model alone: where keys and values weigh as much as the weights,
# and where attention does as many operations as all matrices of the layers (the head
# left out). A prompt's tokens see half of it on average, so a whole prompt gets there
# at twice the length.

# %%
import math

from labkit.weights.parameters import tensor_shapes

shape = lab.model.config
params = sum(math.prod(s) for s in tensor_shapes(shape).values())
embedding = shape.vocab_size * shape.width
heaviest = params * 2 / shape.kv_bytes_per_token(2)  # bfloat16
attention = 4 * shape.num_layers * shape.num_heads * shape.head_dim  # FLOP a token seen
level = 2 * (params - embedding) / attention

# %% tags=["nbval-check-output"]
claim("the model has 134,515,008 parameters", params == 134_515_008)
claim("at 11,677 tokens the cache weighs as much", round(heaviest) == 11_677)
claim("a token that sees 3,073 spends as much on them", round(level) == 3_073)
claim("a prompt of 6,146 does, all in all", round(2 * level) == 6_146)
claim("3 operations for each byte of cache", shape.num_heads // shape.num_kv_heads == 3)

# %% [markdown]
# So a prompt of twice the length takes more than twice as long. The recorded times to
# prefill a prompt in one pass, from an empty cache:

# %%
prompts = points("prompt_ms")
rows = [(f"{n:,}", f"{ms:,.0f}", f"{ms / n:.2f}") for n, ms in prompts.items()]
lab.table(["prompt, tokens", "one pass, ms", "a token, ms"], rows)

# %% tags=["nbval-check-output"]
claim(
    "a token of the longest prompt costs more than one of 256",
    prompts[2048] / 2048 > prompts[256] / 256,
)

# %% [markdown]
# ## 8.4 Who pays for somebody else's long prompt?
#
# Four people, ann, ben, cho and dov, read their answers. Then somebody sends a book
# of 1,000 tokens. If the step takes the whole prompt, the four get no token until it
# is done. How many times their usual gap is the worst one?

# %%
guess_stall = lab.predict("Worst gap over usual gap", between=(1, 500))
guess_stall

# %%
from labkit.config import EngineConfig
from labkit.figures.pace import percentile
from labkit.labs.compute.traffic import Replayer, stall_arrivals, step_costs

measured = lab.replay_measured("costs")
costs = step_costs(measured)
source = Replayer(stall_arrivals(costs), costs)

# %%
runs = {
    n: source.run(EngineConfig(max_step_tokens=n)) for n in (1024, 512, 256, 128, 64)
}
whole, small = runs[1024], runs[128]
usual = percentile(whole.gaps_ms, 50)
guess_stall.reveal(round(whole.worst_gap_ms / usual))

# %% [markdown]
# Below is the real scheduler on a virtual clock; each step costs what such a step was
# measured to cost. Move **Step** with the arrow keys and read the plan, the queues,
# the budget and the blocks. Then choose a smaller **Tokens a step** and run *the same
# arrivals* again. A bracket marks the worst gap.

# %%
SchedulerDebugger(source, source.times_s, EngineConfig(max_step_tokens=1024))

# %%
lab.md(f"Costs: {measured.origin}")

# %% [markdown]
# The cure is to compute the prompt in parts, each together with everybody's next
# token: *chunked prefill*. The budget is what a step may compute; decodes take theirs
# first and the chunk gets the rest. Read the table from its promise: which worst gap
# may you allow, and which budget is the largest that keeps it? (Exercise 3 has the
# sum.)

# %%
rows = [
    (
        f"{n:,}",
        f"{run.worst_gap_ms:,.0f}",
        f"{run.lanes[-1].ttft_ms:,.0f}",
        len(run.steps),
    )
    for n, run in runs.items()
]
lab.table(["tokens a step", "worst gap, ms", "book's first token, ms", "steps"], rows)

# %%
compared = SchedulerDebugger(source, source.times_s, EngineConfig(max_step_tokens=1024))
compared.rerun(max_step_tokens=128)
compared

# %% tags=["nbval-check-output"]
claim(
    "128 tokens a step cut the worst gap by more than half",
    small.worst_gap_ms < whole.worst_gap_ms / 2,
)
claim(
    "every run computes the same tokens",
    len({sum(len(x.tokens_ms) for x in run.lanes) for run in runs.values()}) == 1,
)

# %% [markdown]
# And the book? It shares each step with four streams and its chunks read the weights
# again and again, so one expects it to pay. In the replay:

# %% tags=["nbval-check-output"]
at_once, in_parts = whole.lanes[-1].ttft_ms, small.lanes[-1].ttft_ms
how = "later" if in_parts > at_once else "earlier"
lab.md(
    f"In chunks of 128 its first token comes **{abs(in_parts - at_once):,.0f} ms "
    f"{how}**, after {in_parts:,.0f} ms; at once it took {at_once:,.0f} ms."
)

# %% [markdown]
# Chunks alone do not do it; the order in a step has to be right as well:

# %%
eager = source.run(EngineConfig(max_step_tokens=128, policy="prefill-first"))
lab.table(
    ["128 tokens a step", "worst gap, ms"],
    [(run.setup[0], f"{run.worst_gap_ms:,.0f}") for run in (small, eager)],
)

# %% tags=["nbval-check-output"]
claim(
    "prompts first: the same chunks do not help",
    eager.worst_gap_ms > whole.worst_gap_ms / 2,
)

# %% [markdown]
# A replay is only as good as its prices. So the same traffic also ran on the real
# engine, once with the whole prompt in a step and once in chunks, and the gaps were
# stamped:

# %%
from labkit.labs.compute.traffic import stream_gaps_ms

stall = lab.replay_measured("stall")
real = {int(n): stream_gaps_ms(run) for n, run in stall.values.items()}
rows = [
    (f"{n:,}", f"{percentile(g, 50):.0f}", f"{max(g):,.0f}", f"{worst:,.0f}")
    for n, g in real.items()
    for worst in [runs[n].worst_gap_ms]
]
lab.table(["tokens a step", "median gap, ms", "worst gap, ms", "in the replay"], rows)

# %% tags=["nbval-check-output"]
claim(
    "the real engine agrees: chunks cut the worst gap",
    max(real[128]) < max(real[1024]),
)

# %% [markdown]
# **In production.** Sarathi-Serve made this schedule known; its abstract reports 2.6
# times the capacity for Mistral-7B on one A100
# ([OSDI 2024](https://papers.cool/venue/agrawal@osdi24@USENIX)). In vLLM, "once chunked
# prefill is enabled, the policy is changed to prioritize decode requests"
# ([vllm#7874](https://github.com/vllm-project/vllm/pull/7874), 2024), and the knob is
# `max_num_batched_tokens`. The other camp gives each phase its own GPUs, as
# [DistServe](https://yinminzhong.com/publication/distserve/) does: no interference, and
# a cache to carry over.

# %% [markdown]
# ## 8.5 Does temperature 0 give the same answer twice?
#
# Greedy decoding draws nothing: it takes the largest logit. Ask our question alone,
# then again while three and while fifteen others are computed in the same steps, with
# PyTorch's matrix products in float32. What is the same?

# %%
guess_same = lab.predict(
    "Alone against in company",
    options=["the same bits", "other bits, same tokens", "other tokens"],
)
guess_same

# %%
from labkit.engine import Engine
from labkit.model.fetch import weights_path
from labkit.model.weights import load_model
from labkit.sequence import SamplingParams

float_model = load_model(weights_path(), device="cpu", kernels="torch")


# %%
def answer(model, others, **knobs):
    """Our request's token events among `others` more requests."""
    engine = Engine(model, EngineConfig(prefix_caching=False), clock)
    ids = engine.tokenizer.encode(engine.template.render(lab.request))
    usual = {"max_tokens": 16, "temperature": 0.0, "top_logprobs": 2}
    greedy = SamplingParams(**(usual | knobs))
    mine, *_ = [engine.add([*ids, *ids[:i]], greedy) for i in range(others + 1)]
    events = []
    while engine.has_work:
        events += [e for e in engine.step().emitted if e.request == mine]
    return [(e.token_id, e.logprob, e.top) for e in events]


# %%
def tokens(events):
    return [token for token, *_ in events]


def changes(answers):
    """Largest change of a log-probability, by the number of others."""
    alone, *_ = answers.values()
    return {
        n: max(abs(a[1] - b[1]) for a, b in zip(alone, events, strict=False))
        for n, events in answers.items()
        if n
    }


# %%
found = {n: answer(float_model, n) for n in (0, 3, 15)}
company = changes(found)

# %% tags=["measurement"]
is_same = all(tokens(events) == tokens(found[0]) for events in found.values())
bits = "the same bits" if not any(company.values()) else "other bits, same tokens"
guess_same.reveal(bits if is_same else "other tokens")

# %% [markdown]
# And the engine that you have used all along, with kernels that were written to sum in
# one order, whoever is beside you:

# %% tags=["measurement"]
own = {n: answer(lab.model, n) for n in (0, 3, 15)}
rows = [
    (name, n, f"{delta:.2g}", tokens(each[n]) == tokens(each[0]))
    for name, each in (("PyTorch's products", found), ("this engine", own))
    for n, delta in changes(each).items()
]
lab.table(["computed with", "others", "largest change", "same tokens"], rows)

# %% tags=["nbval-check-output"]
claim("asked alone twice, every bit is the same", answer(float_model, 0) == found[0])
claim("in company, some log-probability changes", max(company.values()) > 0)
has_kernels = lab.model.kernels == "native"  # a CPU and a C compiler
claim(
    "with our own kernels not one bit changes",
    not has_kernels or own[0] == own[3] == own[15],
)
claim(
    "addition is not associative in floating point",
    (0.1 + 0.2) + 0.3 != 0.1 + (0.2 + 0.3),
)

# %% [markdown]
# **Why.** A matrix product of another shape adds in another order, and rounding makes
# the sums differ in their last bits. A token flips only where the best two candidates
# are nearer to each other than that, which is rare: one answer hardly shows it, a
# thousand do. So make it happen. Where the answer begins, `logit_bias` lifts the second
# candidate by exactly what it lacks when you ask alone; then the last bits decide.

# %%
closest = min(best - next_ for _, _, ((_, best), (_, next_)) in found[0])
_, _, ((_, best), (second, next_)) = found[0][0]
lifted = {"max_tokens": 1, "logit_bias": ((second, best - next_),)}
first_tokens = {n: tokens(answer(float_model, n, **lifted))[0] for n in (0, 3, 15)}
flips = len(set(first_tokens.values())) > 1

# %% tags=["measurement"]
lab.md(
    f"In our answer the nearest two are **{closest:.2f}** apart, the largest change is "
    f"**{max(company.values()):.1g}**. Lifted, the answer begins with "
    + ", ".join(
        f"**{lab.tokenizer.label(token)}** ({n} others)"
        for n, token in first_tokens.items()
    )
    + (": other company, another token." if flips else ": no flip on this machine.")
)

# %% [markdown]
# From a flip on the texts part. Nothing is random: who else is in the step is just not
# yours to choose. Our kernels give each token its own sums, in an order that the batch
# has no part in; on a GPU the fastest products for 4 rows and for 4,000 are different
# programs.

# %% [markdown]
# **In production.** Thinking Machines is reported to have got 80 different texts from
# 1,000 greedy requests, and one with kernels that ignore the batch
# ([10 September 2025](https://thinkingmachines.ai/blog/defeating-nondeterminism-in-llm-inference/)).
# vLLM offers that as `VLLM_BATCH_INVARIANT=1`, in beta and for recent NVIDIA GPUs
# ([docs](https://docs.vllm.ai/en/latest/features/batch_invariance/), read November
# 2026). A seed does not help: greedy decoding has no noise to seed.

# %% [markdown]
# ## 8.6 What may prefill leave out?
#
# Prefill makes hidden states for all tokens of the prompt, but only the last one
# chooses the next token. The *head*, which turns a hidden state into 49,152 logits, is
# the largest matrix of the model. What share of all its weights?

# %%
guess_head = lab.predict("Weights in the head", between=(0, 100), unit="%")
guess_head

# %% tags=["nbval-check-output"]
guess_head.reveal(round(100 * embedding / params, 1))

# %% tags=["measurement"]
scored = [PassShape(new=128, context=128, scored=n) for n in (1, 128)]
one, every = (1000 * s for s in watch.seconds(scored, rounds=5, pick=min))
extra = embedding / (params - embedding)  # every token through the head as well
more = f"**{every / one - 1:.0%} more**" if every > one else "no more than noise"
lab.md(
    f"To score all tokens is **{extra:.0%}** more arithmetic. A prompt of 128 takes "
    f"**{one:.0f} ms** with one row of logits and **{every:.0f} ms** with 128: {more}."
)

# %% tags=["nbval-check-output"]
claim("the head holds 21 % of the weights", round(100 * embedding / params) == 21)
claim("scoring all is 27 % more arithmetic", round(100 * extra) == 27)

# %% [markdown]
# So the engine asks for logits by number: `num_logits` says for each sequence of a step
# how many of its last tokens are scored, one where a token is sampled and more where
# drafts are judged. Only those rows go through the head:

# %%
from labkit.model.inputs import ForwardInputs

lab.source(ForwardInputs.logit_indices)

# %% [markdown]
# ## 8.7 Can four tokens be checked for the price of one?
#
# Left of the knee extra tokens are cheap, so guess. A *draft* of *g* tokens is judged
# in one pass: all that agree stand, and the pass gives one more in any case. Say each
# guess stands with 80 %, and four are made. How many tokens does a pass give on
# average?

# %%
guess_verify = lab.predict("Tokens a pass", between=(1, 5))
guess_verify


# %% tags=["nbval-check-output"]
def expected(chance, ahead):
    """Tokens a pass: 1 + a + a² + … + a^g."""
    return (1 - chance ** (ahead + 1)) / (1 - chance)


guess_verify.reveal(round(expected(0.8, 4), 2))

# %% [markdown]
# That is what a pass gives. What does it cost to judge four tokens, that is, to compute
# and to score them in one pass?

# %% tags=["measurement"]
judged = points("judge_ms")
asks = [PassShape(new=n, context=128 + n, scored=n) for n in (1, 4)]
plain_ms, four_ms = (1000 * s for s in watch.seconds(asks, rounds=5, pick=min))
lab.md(
    f"A plain pass takes **{plain_ms:.2f} ms** here, one that judges four "
    f"**{four_ms:.2f} ms**: **{four_ms / plain_ms:.2f} times** the price of one, where "
    f"four passes cost four times. Recorded: {judged[4] / judged[1]:.2f} times."
)


# %%
def speed_up(chance, ahead, draft_cost, judge_cost=1.0):
    """Against plain decoding; costs are shares of a plain pass."""
    return expected(chance, ahead) / (ahead * draft_cost + judge_cost)


# %% tags=["nbval-check-output"]
cases = [(0.8, 4, 0.05, 1), (0.8, 4, 0.05, 1.5), (0.8, 4, 0.3, 1), (0.5, 8, 0.3, 1)]
rows = [
    (a, g, c, j, f"{expected(a, g):.2f}", f"{speed_up(a, g, c, j):.2f}")
    for a, g, c, j in cases
]
lab.table(
    ["a guess stands", "guesses", "one costs", "judging costs", "tokens", "speed-up"],
    rows,
)

# %% tags=["nbval-check-output"]
claim("four good guesses give 3.36 tokens a pass", round(expected(0.8, 4), 2) == 3.36)
claim("eight poor ones that cost something are a loss", speed_up(0.5, 8, 0.3) < 1)
claim("recorded: to judge four costs more than one pass", judged[4] > judged[1])
claim("and less than four", judged[4] < 4 * judged[1])

# %% [markdown]
# **The law stays.** Draft from *q*, and let *p* be the model's own law. Accept a
# guess with chance $\min(1, p/q)$; if it falls, draw from $\max(0, p-q)$, normalised.
# What comes out has the law *p*, however bad *q* is (Leviathan et al., arXiv
# 2211.17192; Chen et al., arXiv 2302.01318). Here is the package's own function on a
# law of three tokens.

# %%
import torch

from labkit.sampling.verify import reject

p, q = torch.tensor([0.6, 0.3, 0.1]), torch.tensor([0.4, 0.5, 0.1])
dice = torch.Generator().manual_seed(8)
guesses = torch.multinomial(q, 4000, replacement=True, generator=dice).tolist()
drawn = [
    reject(torch.stack([p, p]), q[None], [d], seed, 0) for seed, d in enumerate(guesses)
]
stood = sum(count for count, _ in drawn) / len(drawn)

# %% tags=["nbval-check-output"]
pairs = zip(guesses, drawn, strict=True)
first = [d if count else token for d, (count, token) in pairs]
counts = [first.count(token) for token in range(3)]
wanted = [4000 * float(chance) for chance in p]
chi2 = sum((c - w) ** 2 / w for c, w in zip(counts, wanted, strict=True))
lab.table(
    ["token", "drawn", "expected"],
    [(t, counts[t], f"{wanted[t]:.0f}") for t in range(3)],
)

# %% tags=["nbval-check-output"]
overlap = float(torch.minimum(p, q).sum())
claim("acceptance is the overlap of the two laws, 0.8", abs(overlap - 0.8) < 1e-6)
claim("and so many guesses stood", abs(stood - overlap) < 0.03)
claim("chi-square sees no other law (99 %, two degrees)", chi2 < 9.21)

# %% [markdown]
# **Guesses for nothing.** The cheapest drafter is the text itself: look up the last
# few tokens, and guess that they go on as they did before. Copying has much to look
# up; a story has nothing. Our engine does this with `max_drafts`. The same greedy
# answers, plain and with drafts, recorded:

# %%
drafts = lab.replay_measured("drafts")
plain, ahead = "0", "4"


def rate(run):
    return (len(run["token_ids"]) - 1) / run["seconds"]


# %%
rows = [
    (
        task,
        runs_[ahead]["num_drafted"],
        runs_[ahead]["num_accepted"],
        f"{(len(runs_[ahead]['token_ids']) - 1) / runs_[ahead]['num_steps']:.2f}",
        f"{rate(runs_[ahead]) / rate(runs_[plain]):.2f}",
    )
    for task, runs_ in drafts.values.items()
]
lab.table(["task", "drafted", "stood", "tokens a step", "speed-up"], rows)

# %% tags=["nbval-check-output"]
from labkit.labs.compute.traffic import run_task

live_runs = [run_task(lab.engine_with(max_drafts=n), "copying", 40) for n in (0, 4)]
claim(
    "greedy, plain and drafted, token for token",
    live_runs[0].token_ids == live_runs[1].token_ids,
)
claim(
    "copying takes fewer steps with drafts",
    live_runs[1].num_steps < live_runs[0].num_steps,
)

# %% [markdown]
# **And in a batch?** The flat part of the plot is spent only once: by drafts or by
# users. Below, the recorded times of plain steps and of steps that judge four guesses
# for everybody, and what that means when guesses stand with 80 %. Our engine drafts
# less the more sequences run.

# %%
from labkit.figures.drawings import Lines, Series

heavy, given = points("drafted_batch_ms"), sweep["drafted"]
gain = {n: expected(0.8, given) * batch[n] / heavy[n] for n in sorted(batch)}

# %% tags=["plumbing"]
xs = tuple(map(float, gain))
lines = (
    Series("speed-up", xs, tuple(gain.values()), Layer.COMPUTE, "line+dots"),
    Series("no gain", xs, (1.0,) * len(xs), Layer.CLIENT, "dash"),
)
low, told = min(gain.values()), "; ".join(f"{n}: {g:.2f}" for n, g in gain.items())
LiteFigure(
    Lines(
        f"Four guesses for everybody: speed-up {gain[1]:.1f} alone, {low:.1f} at worst",
        f"Speed-up by batch. {told}.",
        "sequences that decode together",
        "speed-up",
        lines,
        x_scale="log2",
    )
)

# %% tags=["nbval-check-output"]
claim("drafts gain less in the largest batch than alone", gain[most] < gain[1])

# %% [markdown]
# **In production.** vLLM recommends speculation for "medium-to-low QPS, memory-bound
# workloads" and lists n-gram, suffix, draft-model, EAGLE and MTP drafters
# ([docs](https://docs.vllm.ai/en/latest/features/speculative_decoding/), read November
# 2026). DeepSeek-V3 has a trained head for the second token ahead; its report (arXiv
# 2412.19437, section 5.4.3) gives 85 to 90 % acceptance and 1.8 times the tokens a
# second.

# %% tags=["nbval-check-output"]
rows = [(f"{a:.0%}", f"{expected(a, 1):.2f}") for a in (0.85, 0.90)]
lab.table(["acceptance, one guess", "tokens a pass"], rows)

# %% [markdown]
# ## 8.8 What does a readable model cost?
#
# Your engine computes with kernels in C (where there is a compiler), which read the
# file's 4-bit blocks. It has the same model once more, in PyTorch with float32 weights:
# a file that you can read from top to bottom, and the reference that the kernels are
# tested against. You met it in 8.5 as `float_model`. An engine takes `kernels="native"`
# or `kernels="torch"`, and says which of them computes:

# %%
print(lab.engine, lab.engine_with(kernels="torch"), sep="\n")

# %% [markdown]
# This is PyTorch's pass through the layers:

# %%
from labkit.model.decoder import Decoder

lab.source(Decoder._run)

# %% [markdown]
# Race the two. For one token alone, how many times as long does PyTorch take?

# %%
guess_race = lab.predict("PyTorch's time over the kernels'", between=(0.1, 100))
guess_race

# %% tags=["measurement"]
racers = {"PyTorch": float_model, "C": lab.model}
tasks = {
    "one token": PassShape(context=128),
    "a token for each of 8 users": PassShape(rows=8, context=128),
    "a prompt of 128": PassShape(new=128, context=128),
}
race = {}
for name, model in racers.items():
    seconds = Stopwatch(model, clock).seconds(list(tasks.values()), rounds=3, pick=min)
    race[name] = dict(zip(tasks, seconds, strict=True))
guess_race.reveal(round(race["PyTorch"]["one token"] / race["C"]["one token"], 1))

# %% tags=["measurement"]
rows = [
    (
        task,
        *(f"{1000 * race[name][task]:.1f}" for name in racers),
        f"{race['PyTorch'][task] / race['C'][task]:.1f}",
    )
    for task in tasks
]
lab.table(["a pass computes", "PyTorch, ms", "C, ms", "times as long"], rows)

# %% [markdown]
# **Why.** For a token alone the bytes decide (8.1): float32 has several times as many
# as 4-bit blocks. PyTorch also pays for hundreds of separate calls in each pass. For a
# prompt the arithmetic decides: the kernels multiply whole numbers of 16 bits, many in
# one instruction. The answer is the same text:

# %% tags=["nbval-check-output"]
read_by = {name: pass_work(model).weight_bytes for name, model in racers.items()}
claim(
    "PyTorch reads more than five times the bytes for a token",
    not has_kernels or read_by["PyTorch"] > 5 * read_by["C"],
)
claim(
    "and for a token alone it takes longer",
    not has_kernels or race["PyTorch"]["one token"] > race["C"]["one token"],
)
claim("token for token the same greedy answer", tokens(found[0]) == tokens(own[0]))

# %% [markdown]
# **In production.** Serving engines keep both, too. vLLM and SGLang call hand-written
# kernels, such as FlashAttention and FlashInfer for attention or Marlin for 4-bit
# weights; llama.cpp writes its own. What explains a model and what serves it are two
# programs, and a test that compares their numbers is what holds them together.

# %% [markdown]
# ## What you may have heard
#
# | you may have heard | what settles it |
# |---|---|
# | "100 % busy is bound by arithmetic." | 8.1: share of the matrix roof, one token. |
# | "A token is a token." | 8.1: one token alone against one among 64. |
# | "The FLOPS on the box are yours." | 8.1: half of the printed ones are sparse. |
# | "Temperature 0 is reproducible." | 8.5: other company, other bits; the tie. |
# | "Drafting approximates the model." | 8.7: law and greedy text are the model's. |
# | "Always speculate, and far ahead." | 8.7: poor guesses and full batches lose. |

# %% tags=["nbval-check-output"]
claim("a prompt's token costs less than an answer's", per_token[64] < per_token[1])
claim(
    "decode reaches less of the matrix roof than a pass of 64",
    reached(1) < reached(64),
)

# %% [markdown]
# ## Exercises
#
# **1.** Give the ridge of a GPU in whole FLOP per byte. Reported figures: H100 SXM
# 989.4 TFLOP/s and 3.35 TB/s. Put the H100's number, or a function of (flop_per_s,
# bytes_per_s), in place of `...` and run the cell.

# %% tags=["exercise", "nbval-check-output"]
lab.check("8.1", ...)

# %% [markdown]
# <details><summary>Hint</summary>
#
# How many operations fit into the time that one byte takes? Round at the end.
# </details>
# <details><summary>Solution</summary>
#
# 989.4e12 / 3.35e12, rounded, in the next cell.
# </details>

# %% tags=["solution", "nbval-check-output"]
# One way to do it
lab.check("8.1", lambda flop_per_s, bytes_per_s: round(flop_per_s / bytes_per_s))

# %% [markdown]
# **2.** A model of 8,030,261,248 parameters in bfloat16 decodes alone on a GPU of
# 4.8 TB/s (reported for the H200). What is the least time a token can take, in
# milliseconds to two places? A number, or a function of (parameters, bytes_each,
# bytes_per_s) that gives milliseconds.

# %% tags=["exercise", "nbval-check-output"]
lab.check("8.2", ...)

# %% [markdown]
# <details><summary>Hint</summary>
#
# Left of the knee only one of the two terms of 8.1 counts. It gives seconds; the
# answer is in milliseconds, rounded to two places.
# </details>
# <details><summary>Solution</summary>
#
# Every byte of weights once: 16.06 GB at 4.8 TB/s, in the next cell.
# </details>

# %% tags=["solution", "nbval-check-output"]
# One way to do it
lab.check("8.2", lambda n, size, rate: round(1000 * n * size / rate, 2))

# %% [markdown]
# **3.** You promise that no gap is longer than `promise_ms`. A step takes `token_ms`
# for each of its tokens, but never less than `read_ms`; `streams` sequences decode in
# every step. How many tokens may the chunk of a prompt have (0, if no step is fast
# enough)? Promise 50 ms where a step takes at least 2 ms, a token 0.5 ms, and four
# streams decode; or write a function of (promise_ms, read_ms, token_ms, streams).

# %% tags=["exercise", "nbval-check-output"]
lab.check("8.3", ...)

# %% [markdown]
# <details><summary>Hint</summary>
#
# How many tokens fit into the promise? The streams take theirs first. Then look at the
# two cases in which nothing is left.
# </details>
# <details><summary>Solution</summary>
#
# What fits, less the streams, in the next cell. Try the budget in the debugger.
# </details>


# %% tags=["solution", "nbval-check-output"]
# One way to do it
def chunk(promise_ms, read_ms, token_ms, streams):
    if promise_ms < read_ms:
        return 0
    return max(0, int(promise_ms // token_ms) - streams)


lab.check("8.3", chunk)

# %% [markdown]
# ## Where you are
#
# What the cache did not hold of the prompt went through in one pass, which gave the
# first token; each further token had a pass of its own; and you know what each of them
# waited for.

# %%
from collections import Counter

from labkit.book.cards import read_cards
from labkit.figures.timeline import life

own = life(recorded).cells[Layer.COMPUTE.chapter - 1]
spans = Counter(s.name for s in recorded.spans if s.layer is Layer.COMPUTE)
num_passes = spans["prefill"] + spans["decode"]

# %%
lab.md(
    f"This layer took **{own.ms:.0f} ms** of {recorded.end_s * 1000:.0f} ms in "
    f"**{own.spans} spans**: {spans['queue']} wait in the queue, {spans['prefill']} "
    f"prefill of {asked - cached} tokens and {spans['decode']} decodes. So there were "
    f"**{num_passes} passes**, each of which read the weights, "
    f"**{num_passes * work.weight_bytes / 1e6:,.0f} MB** in all."
)

# %% tags=["nbval-check-output"]
card, told = read_cards().prices["Claude Sonnet 5"], recorded.meta["completion_tokens"]
prompt_cost, answer_cost = card.cost(plain=asked), card.cost(output=told)
lab.md(
    f"At the prices of {card.model} (card of {card.date}) the {asked} tokens in would "
    f"cost **{100 * prompt_cost:.4f} cents** and the {told} out **"
    f"{100 * answer_cost:.4f} cents**: a token of the answer costs "
    f"{card.output / card.input:.0f} times one of the prompt. That it needs a pass of "
    "its own is one reason."
)

# %%
TraceBar(recorded, lit=Layer.COMPUTE)

# %% [markdown]
# **What production systems do differently.** They split one model over many GPUs, so
# that a third roof, the links between them, joins the two you measured; they replay
# traces of millions of arrivals before they change a knob; and they draft with trained
# heads. **Next door**: the pass ended with 49,152 logits. In chapter 9 they become one
# token.

# %% [markdown]
# ## Sources
#
# - Williams, Waterman and Patterson, *Roofline*, Communications of the ACM, 2009
# - Yu et al., *Orca: A Distributed Serving System for Transformer-Based Generative
#   Models*, OSDI 2022
# - Agrawal et al., *Taming Throughput-Latency Tradeoff in LLM Inference with
#   Sarathi-Serve*, OSDI 2024, arXiv 2403.02310; Zhong et al., *DistServe*, OSDI 2024
# - Glenn Lockwood, *H100*, glennklockwood.com/garden/processors/h100
# - Thinking Machines, *Defeating Nondeterminism in LLM Inference*, 2025-09-10
# - vLLM pull request 7874; vLLM documentation, batch invariance and speculative
#   decoding, read 2026-11
# - Leviathan et al., arXiv 2211.17192; Chen et al., arXiv 2302.01318; DeepSeek-V3,
#   arXiv 2412.19437
# - The outline follows *End-to-End LLM Stack Trace: From Keystroke to Streamed Token*
#   (2026, CC0)
