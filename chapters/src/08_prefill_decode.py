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
# measure it on your own machine and then use it five times.
#
# *40 minutes · needs the weights (98 MB, fetched once); no GPU, no key. At the end
# you can say what bounds a step, choose a chunk size for a latency you promise, and
# tell when speculation is a loss.*

# %%
import importlib.util
import os
import subprocess
import sys

if importlib.util.find_spec("labkit") is None:  # Colab, or a bare kernel
    if not os.path.exists("labkit-book"):
        clone = ["git", "clone", "-q", "--depth=1", "https://github.com/OWNER/REPO"]
        subprocess.run([*clone, "labkit-book"], check=True)
    subprocess.run([sys.executable, "labkit-book/scripts/colab.py"], check=True)
    os.chdir("labkit-book/chapters")
    importlib.invalidate_caches()

from labkit.book import start

lab = start(chapter=8)

# %% [markdown]
# **Scene.** Your question about "strawberry" 🍓 is 34 tokens with its system message.
# Their keys and values will live in blocks (chapter 7), and a sampler will pick each
# token (chapter 9). In between, something has to compute: all 34 tokens of the prompt
# in one pass, *prefill*, and then one token a pass, *decode*. The same weights, the
# same code, and two very different bills. The lit part of the recorded life is this
# chapter's layer.

# %%
from labkit.book import claim
from labkit.records import Layer
from labkit.widgets import SchedulerDebugger, TraceBar

recorded = lab.replay_trace("10_request")
TraceBar(recorded, lit=Layer.COMPUTE)

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
from labkit.book.stopwatch import PassShape, Stopwatch, linear_params
from labkit.book.stopwatch import measure_roofs, weight_bytes
from labkit.clock import SystemClock

clock = SystemClock()
roofs = measure_roofs(lab.model, clock)
num_bytes, weights = weight_bytes(lab.model), linear_params(lab.model.config)
lab.md(
    f"This machine copies **{roofs.bytes_per_s / 1e9:.1f} GB/s** and multiplies "
    f"**{roofs.flop_per_s / 1e9:,.0f} GFLOP/s**: ridge **{roofs.ridge:.1f} FLOP/B**. "
    f"One token reads **{num_bytes / 1e6:.1f} MB** of weights."
)

# %% [markdown]
# Now four passes of the real model, after 128 tokens of context, timed in turn. Then
# the plot of this book: your four points, a recording of a whole sweep, and the two
# bounds of *your* machine. Both axes are logarithmic: equal steps double.

# %% tags=["measurement"]
watch = Stopwatch(lab.model, clock)
sizes = (1, 4, 16, 64)
shapes = [PassShape(new=n, context=128 + n) for n in sizes]
seconds = watch.seconds(shapes, rounds=3)
live = {n: 1000 * s for n, s in zip(sizes, seconds, strict=True)}  # ms

# %% tags=["measurement"]
from labkit.figures.roofs import batch_lines, knee, pass_lines, share_lines
from labkit.widgets.figure import LiteFigure

sweep = lab.replay_measured("sweep")


def points(name):
    return {n: sweep[name][str(n)] for n in sorted(map(int, sweep[name]))}


LiteFigure(
    pass_lines(
        points("pass_ms"),
        live,
        roofs,
        weight_bytes=num_bytes,
        flop_per_token=2 * weights,
    )
)

# %%
passes = points("pass_ms")
guess_knee.reveal(knee(passes), sweep.origin)

# %% tags=["nbval-check-output"]
claim("a pass of four tokens costs less than four of one", live[4] < 4 * live[1])
claim("one of sixteen costs less than sixteen", live[16] < 16 * live[1])
claim(
    "far to the right, twice the tokens take nearly twice the time",
    passes[512] > 1.5 * passes[256],
)
claim("no token is free: sixteen take longer than one", live[16] > live[1])

# %% [markdown]
# **Why.** A pass of *n* tokens reads each of the *N* weights once and uses it *n*
# times (two operations each). With *b* bytes a weight, *P* FLOP/s and *W* bytes/s:
#
# $$t(n)\ge\max\left(\frac{2Nn}{P},\ \frac{Nb}{W}\right),\qquad
# n^{*}=\frac{P}{W}\cdot\frac{b}{2}$$
#
# Left of the knee *n\** memory is the bound and arithmetic waits; right of it the
# reverse (Williams, Waterman and Patterson, *Roofline*, 2009). Real kernels stay above
# both lines. Where there is a C compiler ours reads the file's 4-bit blocks and
# multiplies whole numbers of 16 bits; its roof is that one instruction with nothing
# else to do.

# %% tags=["measurement"]
reads = num_bytes / roofs.bytes_per_s * 1000 / live[1]
works = 2 * weights / roofs.flop_per_s * 1000 / live[1]
per_token = {n: ms / n for n, ms in live.items()}
lab.md(
    f"At one token a pass you reach **{reads:.0%}** of the copy roof and "
    f"**{works:.0%}** of the matrix roof. A token costs **{per_token[1]:.2f} ms** "
    f"alone and **{per_token[64]:.2f} ms** among 64: the whole of prefill's advantage."
)

# %% [markdown]
# **In production.** The same knee on a GPU lies far to the right. For the H100 SXM,
# Glenn Lockwood's notes give 989.4 TFLOP/s in bfloat16 without sparsity and 3.35 TB/s
# ([H100](https://glennklockwood.com/garden/processors/h100), read November 2026); the
# ridge is exercise 1. The next table's last column is the same line with sparsity,
# which no dense model gets.

# %% tags=["nbval-check-output"]
dense, sparse, memory = 989.4e12, 1978.9e12, 3.35e12
rows = [
    (name, f"{f / memory:.0f}")
    for name, f in (("dense", dense), ("2:4 sparse", sparse))
]
lab.table(["FLOP/s taken", "ridge, FLOP/B"], rows)

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
    "recorded: the largest batch gives the most tokens a second of one and all",
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
guess_share = lab.predict(
    "Eight users' context adds to a step",
    options=["as much as one user's", "about twice as much", "many times as much"],
)
guess_share

# %% tags=["measurement"]
grid = [(rows, seen) for rows in (1, 8) for seen in (32, 1024)]
seconds = watch.seconds([PassShape(rows, 1, seen) for rows, seen in grid], rounds=5)
took = {place: 1000 * s for place, s in zip(grid, seconds, strict=True)}
added = {rows: took[rows, 1024] - took[rows, 32] for rows in (1, 8)}
lab.table(
    ["users", "32 tokens, ms", "1,024 tokens, ms", "added, ms"],
    [
        (r, f"{took[r, 32]:.1f}", f"{took[r, 1024]:.1f}", f"{added[r]:.1f}")
        for r in (1, 8)
    ],
)

# %%
guess_share.reveal("many times as much", "Each reads its own keys and values.")

# %%
by_rows = {
    int(r): {int(n): ms for n, ms in line.items()}
    for r, line in sweep["context_ms"].items()
}
shares = {
    rows: {n: 100 * (1 - min(line.values()) / ms) for n, ms in line.items() if n > 32}
    for rows, line in by_rows.items()
}
LiteFigure(share_lines(shares))

# %% tags=["nbval-check-output"]
kept = {rows: line[1024] - line[32] for rows, line in by_rows.items()}
claim("recorded: eight contexts add more than three times one", kept[8] > 3 * kept[1])

# %% [markdown]
# **Why.** With *H* query heads on *H_kv* heads of keys and values of size *d_h*, a
# token that looks back over *S* tokens does $4LHd_hS$ operations and reads
# $2LH_{kv}d_hSb$ bytes. In bfloat16 that is *H/H_kv* operations a byte, whatever the
# batch: attention in decode stays on the memory side for ever. Two lengths follow
# from the shape of a model alone: where keys and values weigh as much as the weights,
# and where attention does as many operations as all matrices.

# %% tags=["nbval-check-output"]
import math

from labkit.weights.parameters import tensor_shapes

shape = lab.model.config
params = sum(math.prod(s) for s in tensor_shapes(shape).values())
embedding = shape.vocab_size * shape.width
heaviest = params * 2 / shape.kv_bytes_per_token(2)  # bfloat16
attention = 4 * shape.num_layers * shape.num_heads * shape.head_dim  # FLOP a token seen
crossing = 2 * (params - embedding) / attention
claim("the model has 134,515,008 parameters", params == 134_515_008)
claim("at 11,677 tokens the cache weighs as much", round(heaviest) == 11_677)
claim("at 3,073 tokens attention computes as much", round(crossing) == 3_073)
claim("3 operations for each byte of cache", shape.num_heads // shape.num_kv_heads == 3)

# %% [markdown]
# So a prompt of twice the length takes more than twice as long, and your own machine
# is well into that curve. The recorded times to prefill a prompt in one pass:

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

# %% [markdown]
# Below is the real scheduler on a virtual clock; each step costs what such a step was
# measured to cost. Move **Step** with the arrow keys and read the plan, the queues,
# the budget and the blocks. Then choose a smaller **Tokens a step** and run *the same
# arrivals* again.

# %%
from labkit.book.traffic import Replayer, stall_arrivals, step_costs
from labkit.config import EngineConfig

measured = lab.replay_measured("costs")
costs = step_costs(measured)
source = Replayer(stall_arrivals(costs), costs)
debugger = SchedulerDebugger(source, source.times_s, EngineConfig(max_step_tokens=1024))
debugger

# %%
from labkit.figures.pace import percentile

whole = debugger.before
usual = percentile(whole.gaps_ms, 50)
guess_stall.reveal(round(whole.worst_gap_ms / usual), measured.origin)

# %% [markdown]
# The cure is to compute the prompt in parts, each together with everybody's next
# token: *chunked prefill*. The budget is what a step may compute; decodes take theirs
# first and the chunk gets the rest.

# %%
chunks = {n: debugger.rerun(max_step_tokens=n) for n in (512, 256, 64, 128)}
runs = {n: {1024: whole, **chunks}[n] for n in (1024, 512, 256, 128, 64)}
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
debugger

# %% tags=["nbval-check-output"]
small = chunks[128]
claim(
    "128 tokens a step cut the worst gap by more than half",
    small.worst_gap_ms < whole.worst_gap_ms / 2,
)
claim(
    "the book pays: its first token comes later",
    small.lanes[-1].ttft_ms > whole.lanes[-1].ttft_ms,
)
claim(
    "every run computes the same tokens",
    len({sum(len(x.tokens_ms) for x in run.lanes) for run in runs.values()}) == 1,
)

# %% tags=["nbval-check-output"]
eager = debugger.rerun(max_step_tokens=128, policy="prefill-first")
debugger.rerun(policy="decode-first")
claim(
    "prompts first: the same chunks do not help",
    eager.worst_gap_ms > small.worst_gap_ms,
)

# %% [markdown]
# A replay is only as good as its prices. So the same traffic also ran on the real
# engine, once with each budget, and the gaps were stamped:

# %%
from labkit.book.traffic import stream_gaps_ms

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

plain = load_model(weights_path(), device="cpu", quantise=False)


# %%
def answer(model, others):
    """Token ids and log-probabilities of our request among `others` more."""
    engine = Engine(model, EngineConfig(prefix_caching=False), clock)
    ids = engine.tokenizer.encode(engine.template.render(lab.request))
    greedy = SamplingParams(max_tokens=24, temperature=0.0, top_logprobs=0)
    mine, *_ = [
        engine.add([*ids, *ids[:i]] if i else ids, greedy) for i in range(others + 1)
    ]
    events = []
    while engine.has_work:
        events += [e for e in engine.step().emitted if e.request == mine]
    return [e.token_id for e in events], [e.logprob for e in events]


# %%
def changes(answers):
    """Largest change of a log-probability, by the number of others."""
    (_, alone), *_ = answers.values()
    return {
        n: max(abs(a - b) for a, b in zip(alone, logprobs, strict=False))
        for n, (_, logprobs) in answers.items()
        if n
    }


found = {n: answer(plain, n) for n in (0, 3, 15)}
company = changes(found)

# %% tags=["measurement"]
is_same = all(ids == found[0][0] for ids, _ in found.values())
bits = "the same bits" if not any(company.values()) else "other bits, same tokens"
guess_same.reveal(bits if is_same else "other tokens")

# %% [markdown]
# And the engine that you have used all along, with kernels that were written to sum in
# one order, whoever is beside you:

# %% tags=["measurement"]
own = {n: answer(lab.model, n) for n in (0, 3, 15)}
rows = [
    (name, n, f"{delta:.2g}", each[n][0] == each[0][0])
    for name, each in (("PyTorch's products", found), ("this engine", own))
    for n, delta in changes(each).items()
]
lab.table(["computed with", "others", "largest change", "same tokens"], rows)

# %% tags=["nbval-check-output"]
claim("asked alone twice, every bit is the same", answer(plain, 0) == found[0])
claim("in company, some log-probability changes", max(company.values()) > 0)
has_kernels = lab.model.decoder.packed is not None  # a CPU and a C compiler
claim(
    "with our own kernels not one bit changes",
    not has_kernels or own[0][1] == own[3][1] == own[15][1],
)
claim(
    "addition is not associative in floating point",
    (0.1 + 0.2) + 0.3 != 0.1 + (0.2 + 0.3),
)

# %% [markdown]
# **Why.** A matrix product of another shape adds in another order, and rounding makes
# the sums differ in their last bits. Where two candidates are nearly equal, a last
# bit decides, and from then on the texts part. Nothing is random: who else is in the
# step is just not yours to choose. Our kernels give each token its own sums, in an
# order that the batch has no part in. That costs them nothing here; on a GPU the
# fastest product for 4 rows and for 4,000 are different programs.

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

# %% tags=["measurement"]
guess_head.reveal(round(100 * embedding / params, 1))

# %% tags=["measurement"]
scored = [PassShape(new=128, context=128, scored=n) for n in (1, 128)]
one, every = (1000 * s for s in watch.seconds(scored, rounds=3))
lab.md(
    f"A prompt of 128 tokens takes **{one:.0f} ms** with one row of logits and "
    f"**{every:.0f} ms** with 128: scoring what nobody reads would add "
    f"**{every / one - 1:.0%}**."
)

# %% tags=["nbval-check-output"]
claim("the head holds 21 % of the weights", round(100 * embedding / params) == 21)

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


def speed_up(chance, ahead, draft_cost, judge_cost=1.0):
    """Against plain decoding; costs are shares of a plain pass."""
    return expected(chance, ahead) / (ahead * draft_cost + judge_cost)


cases = [(0.8, 4, 0.05), (0.8, 4, 0.3), (0.5, 8, 0.3)]
rows = [
    (a, g, c, f"{expected(a, g):.2f}", f"{speed_up(a, g, c):.2f}") for a, g, c in cases
]
lab.table(
    ["a guess stands", "guesses", "cost of one", "tokens a pass", "speed-up"], rows
)

# %%
guess_verify.reveal(round(expected(0.8, 4), 2))

# %% tags=["nbval-check-output"]
judged = points("judge_ms")
claim("four good guesses give 3.36 tokens a pass", round(expected(0.8, 4), 2) == 3.36)
claim("eight poor ones that cost something are a loss", speed_up(0.5, 8, 0.3) < 1)
claim("to judge four costs less than four passes", judged[4] < 4 * judged[1])

# %% [markdown]
# **The law stays.** Draft from *q*, and let *p* be the model's own law. Accept a
# guess with chance $\min(1, p/q)$; if it falls, draw from $\max(0, p-q)$, normalised.
# What comes out has the law *p*, however bad *q* is (Leviathan et al., arXiv
# 2211.17192; Chen et al., arXiv 2302.01318). Here is the package's own function on a
# law of three tokens.

# %% tags=["nbval-check-output"]
import torch

from labkit.sampling.verify import reject

p, q = torch.tensor([0.6, 0.3, 0.1]), torch.tensor([0.4, 0.5, 0.1])
dice = torch.Generator().manual_seed(8)
guesses = torch.multinomial(q, 4000, replacement=True, generator=dice).tolist()
drawn = [
    reject(torch.stack([p, p]), q[None], [d], seed, 0) for seed, d in enumerate(guesses)
]
stood = sum(count for count, _ in drawn) / len(drawn)
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
from labkit.book.traffic import run_task

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
# ## What you may have heard
#
# | you may have heard | what settles it |
# |---|---|
# | "100 % busy is bound by arithmetic." | 8.1: share of the matrix roof, one token. |
# | "A token is a token." | 8.1: one token alone against one among 64. |
# | "The FLOPS on the box are yours." | 8.1: half of the printed ones are sparse. |
# | "Temperature 0 is reproducible." | 8.5: same request, other company, other bits. |
# | "Drafting approximates the model." | 8.7: law and greedy text are the model's. |
# | "Always speculate, and far ahead." | 8.7: poor guesses and full batches lose. |

# %% tags=["nbval-check-output"]
claim("a prompt's token costs less than an answer's", per_token[64] < per_token[1])
claim(
    "decode reaches less of the matrix roof than a pass of 64",
    works < 2 * weights / roofs.flop_per_s * 1000 / per_token[64],
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
lab.check("8.1", lambda flop_per_s, bytes_per_s: round(flop_per_s / bytes_per_s))

# %% [markdown]
# **2.** A model of 8,030,261,248 parameters in bfloat16 decodes alone on a GPU of
# 4.8 TB/s (reported for the H200). What is the least time a token can take, in
# milliseconds to two places? A number, or a function of (parameters, bytes_each,
# bytes_per_s).

# %% tags=["exercise", "nbval-check-output"]
lab.check("8.2", ...)

# %% [markdown]
# <details><summary>Hint</summary>
#
# Left of the knee only one of the two terms of 8.1 counts.
# </details>
# <details><summary>Solution</summary>
#
# Every byte of weights once: 16.06 GB at 4.8 TB/s, in the next cell.
# </details>

# %% tags=["solution", "nbval-check-output"]
lab.check("8.2", lambda n, size, rate: round(1000 * n * size / rate, 2))

# %% [markdown]
# **3.** Write `tokens(chance, ahead)`: the tokens that a pass gives on average when
# each of `ahead` guesses stands with `chance`, given that those before it stood.

# %% tags=["exercise", "nbval-check-output"]
lab.check("8.3", ...)

# %% [markdown]
# <details><summary>Hint</summary>
#
# The first is certain; the second comes if one guess stood, the third if two did.
# </details>
# <details><summary>Solution</summary>
#
# 1 + a + a² + … up to g, in the next cell.
# </details>

# %% tags=["solution", "nbval-check-output"]
lab.check("8.3", lambda chance, ahead: sum(chance**i for i in range(ahead + 1)))

# %% [markdown]
# ## Where you are
#
# The prompt went through in one pass, each token of the answer in a pass of its own,
# and you know what each of them waited for.

# %%
from labkit.figures.timeline import life

own = life(recorded).cells[Layer.COMPUTE.chapter - 1]
num_passes = len(recorded.marks_named("token"))
lab.md(
    f"This layer took **{own.ms:.0f} ms** of {recorded.end_s * 1000:.0f} ms: "
    f"**{num_passes} passes**, each of which read the weights, "
    f"**{num_passes * num_bytes / 1e6:,.0f} MB** in all. It is what the bill is about: "
    "prompt tokens are cheap because they share a pass, and answer tokens are not."
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
# - Agrawal et al., *Taming Throughput-Latency Tradeoff in LLM Inference with
#   Sarathi-Serve*, OSDI 2024, arXiv 2403.02310; Zhong et al., *DistServe*, OSDI 2024
# - Glenn Lockwood, *H100*, glennklockwood.com/garden/processors/h100
# - vLLM pull request 7874; vLLM documentation, batch invariance and speculative
#   decoding, read 2026-11
# - Leviathan et al., arXiv 2211.17192; Chen et al., arXiv 2302.01318; DeepSeek-V3,
#   arXiv 2412.19437
# - The outline follows *End-to-End LLM Stack Trace: From Keystroke to Streamed Token*
#   (2026, CC0)
