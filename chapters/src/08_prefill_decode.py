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
# One plot explains why a token of a prompt is cheap and a token of an answer is not.
# You measure this plot on your own machine. Then you use it to see why servers batch
# their users, why they cut long prompts into chunks, and when guessing ahead pays.
#
# *40 minutes · needs the weights (98 MB, fetched once); no GPU, no key. At the end you
# can say what limits a step, choose a chunk size for a latency that you promise, and
# tell when speculation is a loss.*
#
# **Click into the first cell and press Shift+Enter; then go on in the same way.**

# %% tags=["plumbing"]
from labkit.book import start

lab = start(chapter=8)
lab.opening()
# If labkit is missing: this book has no public address yet to install it from, so run
# `make lab` in a copy of the project and open the chapter there.

# %% [markdown]
# **Scene.** Your question about "strawberry" 🍓 is 34 tokens long, its system message
# included. Chapter 7 kept the keys and values of these tokens in blocks. Now something
# has to compute. First the model computes all tokens of the prompt that the cache does
# not hold, in one pass: this is *prefill*. Then it computes the answer, one token a
# pass: this is *decode*. Both use the same weights and the same code, but a token costs
# far more in one of them than in the other. The lit part of the picture above is this
# chapter's layer.

# %% tags=["plumbing"]
from labkit.book import claim
from labkit.book.cards import read_cards
from labkit.clock import SystemClock
from labkit.config import EngineConfig
from labkit.engine.scheduler import Scheduler
from labkit.figures.pace import percentile
from labkit.figures.roofs import batch_lines, crossing, draft_lines, knee, pass_lines
from labkit.figures.roofs import share_lines
from labkit.labs.compute.stopwatch import PassShape, Stopwatch, measure_roofs, pass_work
from labkit.labs.compute.sweep import Sweep
from labkit.labs.compute.traffic import Replayer, run_task, stall_arrivals, step_costs
from labkit.labs.compute.traffic import stream_gaps_ms
from labkit.records import Layer
from labkit.widgets import SchedulerDebugger, TraceBar
from labkit.widgets.figure import LiteFigure

clock, sweep = SystemClock(), Sweep(lab.replay_measured("sweep"))
recorded = lab.replay_trace("10_request")

# %% tags=["plumbing", "nbval-check-output"]
asked, cached = recorded.meta["prompt_tokens"], recorded.meta["cached_tokens"]
lab.md(
    f"The same question had been asked before the recording was made. So **{cached} of "
    f"{asked}** tokens came from the cache, and prefill computed only "
    f"**{asked - cached}**."
)

# %% [markdown]
# ## 8.1 What does one more token in a pass cost?
#
# A *pass* runs the model once over some new tokens. It reads all weights from memory,
# and it multiplies them with each of the tokens. So a pass of two tokens reads as much
# as a pass of one, but it multiplies twice as much.
#
# **Predict.** Take the time of a pass of one token, and double it. How many tokens can
# one pass compute in that time? The largest pass tried below has 512 tokens.

# %% tags=["plumbing"]
guess_knee = lab.predict(
    "How many tokens can a pass compute in the time of two passes of one token?",
    between=(1, 512),
    unit="tokens",
)
guess_knee

# %% [markdown]
# Two speeds of your machine limit every pass. One is how many bytes it can move in a
# second, in GB/s. The other is how many arithmetic operations it can do in a second, in
# GFLOP/s: 10⁹ operations, where a multiplication and an addition count as two. No
# program gets above them, so they are called the *memory roof* and the *arithmetic
# roof*.
#
# Both are measured without the model. For the first, memory is copied. For the second,
# the processor repeats the instruction that our kernels multiply with, on int16, in a
# loop that does nothing else. (Without our kernels it is a large float32 matmul.)

# %%
roofs, work = measure_roofs(lab.model, clock), pass_work(lab.model)

# %% tags=["plumbing", "measurement"]
lab.md(
    f"This machine moves **{roofs.bytes_per_s / 1e9:.1f} GB/s** and computes "
    f"**{roofs.flop_per_s / 1e9:,.0f} GFLOP/s**. So it can do **{roofs.ridge:.1f}** "
    "operations while one byte arrives; this number is called the *ridge*. "
    f"A pass has to read **{work.weight_bytes / 1e6:.1f} MB** of weights."
)

# %% [markdown]
# Now you time passes of the real model. Each pass follows 128 tokens of context. The
# sizes take turns and the best of three times counts, because a busy neighbour can only
# make a pass slower.

# %% tags=["measurement"]
watch = Stopwatch(lab.model, clock, progress=lab.progress)
sizes = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 128, 256, 512)
live = watch.ms({n: PassShape(new=n, context=128 + n) for n in sizes})
lab.compare_times(list(live.values()), [sweep.ms("pass_ms")[n] for n in live])
guess_knee.reveal(knee(live), "Measured just now, on your machine.")

# %% [markdown]
# The next picture is the one that this chapter is about. Both axes are logarithmic, so
# equal steps are equal factors. Look at two things: how flat the measured line is on
# the left, and which of the dashed lines it runs beside on the right.

# %% tags=["measurement"]
LiteFigure(pass_lines(live, roofs, work))

# %% tags=["plumbing", "measurement"]
bend = knee(live)
lab.md(
    f"From 1 token to {bend} tokens, the time grew {live[bend] / live[1]:.1f} times. "
    f"From 256 to 512 tokens, it grew {live[512] / live[256]:.1f} times, while the "
    "number of tokens grew 2 times. Between the two the line bends, and the bend is "
    "called the *knee*."
)

# %% tags=["nbval-check-output"]
claim("A pass of 4 tokens takes less than four passes of 1.", live[4] < 4 * live[1])
claim("A pass of 16 tokens takes less than sixteen of 1.", live[16] < 16 * live[1])
claim(
    "From 256 to 512 tokens, the time of a pass grows more than 1.5 times.",
    live[512] > 1.5 * live[256],
)
claim("No token is free: a pass of 16 takes longer than one of 1.", live[16] > live[1])

# %% [markdown]
# **Why.** A pass of *n* tokens reads every weight once: *N* weights in the layers and
# *H* in the head, of *b* bytes each. (The head is the last matrix. It gives each token
# of the vocabulary a score, its *logit*.) The pass multiplies *n* tokens in the layers
# and one token in the head, with two operations for each weight. With *P* operations a
# second and *W* bytes a second:
#
# $$t(n)\ge\max\left(\frac{2(Nn+H)}{P},\ \frac{(N+H)\,b}{W}\right),\qquad
# n^{*}=\frac{P}{W}\cdot\frac{b}{2}\cdot\frac{N+H}{N}-\frac{H}{N}$$
#
# Up to *n\** tokens the pass waits for memory, so more tokens cost little. Beyond *n\**
# it waits for arithmetic, so each token costs its full time. This is the *roofline
# model* (Williams, Waterman and Patterson, 2009).

# %% tags=["plumbing", "measurement"]
per_token = {n: ms / n for n, ms in live.items()}
reached = {n: roofs.multiply_ms(work.flop(n)) / live[n] for n in live}
copied = roofs.read_ms(work.weight_bytes) / live[1]
n_star = crossing(roofs, work)
expected_knee = 2 * n_star * reached[512] / copied
lab.md(
    f"A pass of one token reaches **{copied:.0%}** of the memory roof and "
    f"**{reached[1]:.0%}** of the arithmetic roof. A pass of 512 tokens reaches "
    f"**{reached[512]:.0%}** of the arithmetic roof. So a token costs "
    f"**{per_token[1]:.2f} ms** alone, and **{per_token[64]:.2f} ms** among 64: this "
    "is the whole advantage of prefill."
    + (
        " (The memory roof is that of a copy, which also writes. A pass only reads, "
        "so it can come out above this roof.)"
        if copied > 1
        else ""
    )
)

# %% tags=["plumbing", "measurement"]
close = 0.5 < knee(live) / expected_knee < 2
lab.md(
    f"On your machine *n\\** is **{n_star:.1f}** tokens. If passes came equally close "
    f"to both roofs, their time would double at about 2 *n\\**. Yours reach "
    f"{reached[512]:.0%} of the arithmetic roof and {copied:.0%} of the memory roof. "
    f"So the formula expects the knee at 2 × {n_star:.1f} × {reached[512]:.2f} / "
    f"{copied:.2f} = **{expected_knee:.1f}** tokens. The largest size that stayed "
    f"within two passes was **{knee(live)}**, "
    + ("which agrees." if close else "which does not agree: a busy machine does this.")
)

# %% tags=["plumbing"]
lab.md(
    f"Some measurements below take long, so they were recorded. {sweep.origin} On that "
    f"machine *n\\** is **{sweep.crossing(work):.1f}**, and the time has doubled at "
    f"**{knee(sweep.ms('pass_ms'))}** tokens."
)

# %% [markdown]
# **In production.** On a GPU the knee lies far to the right. For NVIDIA's H100 SXM,
# Glenn Lockwood's notes give 989.4 TFLOP/s in bfloat16 and 3.35 TB/s
# ([H100](https://glennklockwood.com/garden/processors/h100), read November 2026);
# exercise 1 asks for the ridge. They also give 1,978.9 TFLOP/s for weights of which two
# in four are zero ("2:4 sparsity"). A model with ordinary weights does not get this
# figure.

# %% tags=["nbval-check-output"]
dense, sparse = 989.4, 1978.9
claim("The sparse figure is twice the dense one.", round(sparse / dense, 2) == 2)

# %% [markdown]
# ## 8.2 How many users fit into one step?
#
# A token of your answer and a token of somebody else's answer need the same weights. So
# a server puts the next token of every user into one pass; such a pass is a *step* of
# the engine, and the users in it are a *batch*. The tokens per second of all users
# together are the *throughput*.
#
# **Predict.** Compare the throughput of sixteen users with that of one. How many times
# as high is it?

# %% tags=["plumbing"]
guess_batch = lab.predict(
    "How many times the throughput of one user do sixteen users get together?",
    between=(1, 16),
    unit="times",
)
guess_batch

# %% tags=["measurement"]
together = watch.ms({n: PassShape(rows=n, context=128) for n in (1, 4, 16)}, rounds=5)
gain_of_16 = 16 * together[1] / together[16]
guess_batch.reveal(round(gain_of_16, 1), "Measured just now, on your machine.")

# %% [markdown]
# The recorded measurement goes up to 64 users. Look at where the upper line flattens,
# and at what each single user still gets there.

# %%
batch = sweep.ms("batch_ms")
LiteFigure(batch_lines(batch))

# %% tags=["plumbing", "nbval-check-output"]
rate = {n: 1000 * n / ms for n, ms in batch.items()}
lab.md(
    f"From 1 to 8 users the throughput grew {rate[8] / rate[1]:.1f} times, and from 8 "
    f"to 64 users only {rate[64] / rate[8]:.1f} times. Each of 64 users gets "
    f"{rate[64] / 64:.0f} tokens a second; one user alone gets {rate[1]:.0f}."
)

# %% tags=["nbval-check-output"]
claim(
    "A step of 16 users takes less time than 16 steps of one user.",
    together[16] < 16 * together[1],
)
claim("Each of 16 users waits longer for a token than one.", together[16] > together[1])
claim("Recorded: 64 users get more tokens a second than 1.", rate[64] > rate[1])

# %% [markdown]
# **Why.** This is the plot of 8.1 again, with users in place of tokens. It is nearly
# flat at first, then it has a knee, and then a larger batch only makes everybody wait
# longer. Answers have different lengths, so a fixed batch would have to wait for the
# longest one. *Continuous batching* decides for each step anew who takes part (Orca,
# 2022). In our scheduler, this decision is one function:

# %%
lab.source(Scheduler.plan)

# %% [markdown]
# ## 8.3 What is not shared in a batch?
#
# The users of a batch share the weights, but not their contexts. The keys and values of
# each user's earlier tokens are read for this user alone.
#
# **Predict.** A user who looks back on 1,024 tokens instead of 32 makes each step
# longer by some milliseconds. Now eight users do so in one batch. How many times as
# many milliseconds do their contexts add?

# %% tags=["plumbing"]
choices = ["as much as one user's", "about twice as much", "many times as much"]
guess_share = lab.predict("What eight contexts add to a step", options=choices)
guess_share

# %%
times = sweep.context_ratio
guess_share.reveal(
    choices[(times > 1.5) + (times > 3)],
    f"Recorded: {times:.1f} times as much, because each context is read on its own.",
)

# %% tags=["plumbing", "measurement"]
grid = {
    (rows, seen): PassShape(rows, 1, seen) for rows in (1, 8) for seen in (32, 1024)
}
took = watch.ms(grid, rounds=5)
lab.table(
    ["users, on your machine", "32 tokens, ms", "1,024 tokens, ms", "added, ms"],
    [
        (n, *(f"{ms:.1f}" for ms in (took[n, 32], took[n, 1024])), f"{more:.1f}")
        for n in (1, 8)
        for more in [took[n, 1024] - took[n, 32]]
    ],
)

# %% [markdown]
# The next picture shows the recorded share of the context in the time of a step. Look
# at where each line reaches one half.

# %%
LiteFigure(share_lines(sweep.context_shares))

# %% tags=["plumbing", "nbval-check-output"]
ends = {rows: line[1024] for rows, line in sweep.context_shares.items()}
lab.md(
    f"At 1,024 tokens the context takes {ends[1]:.0f} % of a step for one user, and "
    f"{ends[8]:.0f} % for eight. So the longer the contexts, the less a batch saves."
)

# %% tags=["nbval-check-output"]
claim("Recorded: eight contexts add more than three times one.", times > 3)

# %% [markdown]
# **Why.** Let the model have $L$ layers and $H$ query heads of $d_h$ numbers, which
# share $H_{kv}$ heads of keys and values. A token that looks back on $S$ tokens then
# does $4LHd_hS$ operations, and reads $2LH_{kv}d_hSb$ bytes. In bfloat16 ($b = 2$)
# these are $H/H_{kv}$ operations a byte, whatever the batch is. This is far below the
# ridge of a GPU, so attention in decode always waits for memory there.
#
# Two lengths follow from the model's shape alone: where the cache of one sequence
# weighs as much as the model, and where a token spends as many operations on attention
# as on the matrices of the layers.

# %% tags=["plumbing"]
import math

from labkit.weights.parameters import tensor_shapes

shape = lab.model.config
params = sum(math.prod(s) for s in tensor_shapes(shape).values())
head = shape.vocab_size * shape.width
heaviest = params * 2 / shape.kv_bytes_per_token(2)  # bfloat16
attention = 4 * shape.num_layers * shape.num_heads * shape.head_dim  # FLOP a token seen
level = 2 * (params - head) / attention

# %% tags=["nbval-check-output"]
claim("The model has 134,515,008 weights.", params == 134_515_008)
claim("11,677 tokens of cache weigh as much as the model.", round(heaviest) == 11_677)
claim(
    "At 3,073 tokens of context, attention does as many operations as the matrices.",
    round(level) == 3_073,
)
per_byte = shape.num_heads // shape.num_kv_heads
claim("In decode, attention does 3 operations for each byte it reads.", per_byte == 3)

# %% [markdown]
# So a prompt of twice the length takes more than twice as long, because its tokens also
# look back further. These are the recorded times to prefill a whole prompt in one pass:

# %% tags=["plumbing", "nbval-check-output"]
prompts = sweep.ms("prompt_ms")
rows = [(f"{n:,}", f"{ms:,.0f}", f"{ms / n:.2f}") for n, ms in prompts.items()]
lab.table(["tokens of the prompt", "one pass, ms", "for each token, ms"], rows)

# %% tags=["nbval-check-output"]
each = {n: ms / n for n, ms in prompts.items()}
claim(
    "A token of a prompt of 2,048 costs more than one of 256.", each[2048] > each[256]
)

# %% [markdown]
# ## 8.4 Who pays for somebody else's long prompt?
#
# Four people, ann, ben, cho and dov, are reading their answers. Then somebody sends a
# book of 1,000 tokens. If one step computes the whole prompt, the four get no token
# until this step is done. The time between two tokens of an answer is called a *gap*.
#
# **Predict.** How many times as long as the usual (median) gap is the worst one?

# %% tags=["plumbing"]
guess_stall = lab.predict(
    "How many times the usual gap is the worst gap?", between=(1, 500), unit="times"
)
guess_stall


# %% tags=["plumbing"]
def num_tokens(messages):  # of a prompt of your own
    return len(lab.tokenizer.encode(lab.engine.template.render(messages)))


# %%
costs = step_costs(lab.replay_measured("costs"))
source = Replayer(stall_arrivals(costs), costs, num_tokens)
budgets = (1024, 512, 256, 128, 64)  # tokens that a step may compute
runs = {n: source.run(EngineConfig(max_step_tokens=n)) for n in budgets}
whole, small = runs[1024], runs[128]
guess_stall.reveal(round(whole.worst_gap_ms / percentile(whole.gaps_ms, 50)))

# %% [markdown]
# Below, the real scheduler runs on a virtual clock; each step takes as long as such a
# step was measured to take. A bracket marks the worst gap of each person. Move **Step**
# with the arrow keys or press **Play**, and watch the long step of *book*. Then choose
# fewer **Tokens a step**, and press **Run the same arrivals**. A prompt of your own, in
# the box at the top, arrives together with the book.

# %%
large = EngineConfig(max_step_tokens=1024)
lab.follow(SchedulerDebugger(source, source.times_s, large))

# %% tags=["plumbing", "nbval-check-output"]
lab.md(
    f"With 1,024 tokens a step, the four wait **{whole.worst_gap_ms:,.0f} ms** for one "
    f"token; their usual gap is {percentile(whole.gaps_ms, 50):.1f} ms. "
    + lab.replay_measured("costs").origin.replace("Recorded", "The costs were recorded")
)

# %% [markdown]
# The cure is *chunked prefill*: the prompt is computed in parts, each together with
# everybody's next token. The *token budget* says how many tokens a step may compute.
# Answers take theirs first, and the prompt gets what is left.
#
# To use the table, decide which worst gap you can accept. Then take the largest budget
# whose row stays below it.

# %% tags=["plumbing", "nbval-check-output"]
lab.table(
    ["token budget", "worst gap, ms", "first token of the book, ms", "steps"],
    [
        (f"{n:,}", f"{run.worst_gap_ms:,.0f}", f"{run.lanes[-1].ttft_ms:,.0f}", steps)
        for n, run in runs.items()
        for steps in [len(run.steps)]
    ],
)

# %% [markdown]
# This picture compares the budgets 1,024 ("before") and 128 ("after"). Look at the
# brackets, and at the rows of *book*.

# %%
compared = SchedulerDebugger(source, source.times_s, large)
compared.rerun(max_step_tokens=128)
compared

# %% tags=["plumbing", "nbval-check-output"]
at_once, in_parts = whole.lanes[-1].ttft_ms, small.lanes[-1].ttft_ms
how = "later" if in_parts > at_once else "earlier"
lab.md(
    f"The worst gap is {small.worst_gap_ms:,.0f} ms, not {whole.worst_gap_ms:,.0f} ms. "
    f"The first token of the book came **{abs(in_parts - at_once):,.0f} ms {how}**, "
    f"after {in_parts:,.0f} ms instead of {at_once:,.0f} ms"
    + (
        ", because its chunks share each step with four answers."
        if in_parts > at_once
        else "."
    )
)

# %% tags=["nbval-check-output"]
half_ms = whole.worst_gap_ms / 2
claim("A budget of 128 more than halves the worst gap.", small.worst_gap_ms < half_ms)
totals = {sum(len(lane.tokens_ms) for lane in run.lanes) for run in runs.values()}
claim("Every budget computes the same number of tokens.", len(totals) == 1)

# %% [markdown]
# Chunks alone do not do it. The order within a step matters as well: the policy
# *prefill-first* gives the tokens of a step to prompts before answers.

# %% tags=["nbval-check-output"]
eager = source.run(EngineConfig(max_step_tokens=128, policy="prefill-first"))
claim("With prefill-first, the worst gap is not halved.", eager.worst_gap_ms > half_ms)

# %% [markdown]
# A replay is only as good as its costs. So the same requests were also sent to the real
# engine, with the whole prompt in one step and in chunks, and every token was timed:

# %% tags=["plumbing", "nbval-check-output"]
stall = lab.replay_measured("stall")
real = {int(n): stream_gaps_ms(run) for n, run in stall.values.items()}
lab.table(
    ["token budget", "median gap, ms", "worst gap, ms", "worst gap in the replay, ms"],
    [
        (
            f"{n:,}",
            f"{percentile(gaps, 50):.0f}",
            f"{max(gaps):,.0f}",
            f"{replayed:,.0f}",
        )
        for n, gaps in real.items()
        for replayed in [runs[n].worst_gap_ms]
    ],
)

# %% tags=["nbval-check-output"]
worst = {n: max(gaps) for n, gaps in real.items()}
claim("In the real engine, chunks halve the worst gap.", worst[128] < worst[1024] / 2)

# %% [markdown]
# **In production.** Sarathi-Serve made this schedule known; its abstract reports 2.6
# times the capacity for Mistral-7B on one A100
# ([OSDI 2024](https://papers.cool/venue/agrawal@osdi24@USENIX)). In vLLM, "once chunked
# prefill is enabled, the policy is changed to prioritize decode requests"
# ([vllm#7874](https://github.com/vllm-project/vllm/pull/7874), 2024), and the budget is
# called `max_num_batched_tokens`.
# [DistServe](https://yinminzhong.com/publication/distserve/) instead gives prefill and
# decode GPUs of their own. Then neither disturbs the other, but the cache has to be
# sent from one to the other.

# %% [markdown]
# ## 8.5 Does temperature 0 give the same answer twice?
#
# At temperature 0 decoding is *greedy*: each step takes the token with the largest
# logit, and nothing is drawn at random. So the same question should always get the same
# answer.
#
# **Predict.** Your question is computed alone, then in the same steps as 3 others, then
# as 15 others. All of it runs in PyTorch, in float32. What is the same?

# %% tags=["plumbing"]
guess_same = lab.predict(
    "What does the answer in a batch have in common with the answer alone?",
    options=["the same bits", "same tokens, other bits", "not even all tokens"],
)
guess_same

# %% tags=["plumbing"]
from labkit.labs.compute.company import Company, closest_call, has_same_bits
from labkit.labs.compute.company import largest_change, token_ids
from labkit.model.fetch import weights_path
from labkit.model.weights import load_model

numbers = (0, 3, 15)  # of other requests in the same steps
float_model = load_model(weights_path(), device="cpu", kernels="torch")

# %%
torch_asks = Company(float_model, lab.request, clock)
kernel_asks = Company(lab.model, lab.request, clock)
found = torch_asks.answers(lab.progress(numbers, "Asking in company"))
own = kernel_asks.answers(numbers)

# %% tags=["plumbing", "measurement"]
changes = {n: largest_change(found[0], found[n]) for n in numbers[1:]}
tokens = {n: token_ids(answer) for n, answer in found.items()}
is_same = all(ids == tokens[0] for ids in tokens.values())
bits = "same tokens, other bits" if any(changes.values()) else "the same bits"
guess_same.reveal(bits if is_same else "not even all tokens")

# %% [markdown]
# The table says by how much the log-probability of any token changed, in *nats* (units
# of the natural logarithm). Compare PyTorch with the kernels in C that you have used
# all along:

# %% tags=["plumbing", "measurement"]
lab.table(
    ["computed by", "others in the step", "largest change, nats", "same tokens"],
    [
        (
            name,
            n,
            f"{largest_change(each[0], each[n]):.2g}",
            "yes" if token_ids(each[n]) == token_ids(each[0]) else "no",
        )
        for name, each in (("PyTorch", found), (f"{lab.model.kernels} kernels", own))
        for n in numbers[1:]
    ],
)

# %% tags=["nbval-check-output"]
again = has_same_bits(torch_asks.answer(0), found[0])
claim("Asked alone twice, every bit is the same.", again)
claim("In a batch, some of PyTorch's numbers change.", max(changes.values()) > 0)
has_kernels = lab.model.kernels == "native"  # a CPU and a C compiler
claim(
    "With the kernels in C, not one bit changes in a batch.",
    not has_kernels or all(has_same_bits(own[0], own[n]) for n in numbers),
)
orders = {(0.1 + 0.2) + 0.3, 0.1 + (0.2 + 0.3)}
claim("In floating point, another order gives another sum.", len(orders) == 2)

# %% [markdown]
# **Why.** A matmul of another shape adds in another order, and rounding makes the sums
# differ in their last bits. Another token wins only where the two best candidates are
# closer to each other than this difference. That is rare, so one answer hardly ever
# shows it, but a thousand answers do.
#
# You can make such a tie. At the first token, `logit_bias` raises the second candidate
# by exactly the gap to the best one, measured when you ask alone. Then the last bits
# decide.

# %%
tie = {n: torch_asks.first_token_at_a_tie(found[0], n) for n in numbers}

# %% tags=["plumbing", "measurement"]
winners = ", ".join(
    f"**{lab.tokenizer.label(token)}** beside {n} others" for n, token in tie.items()
)
lab.md(
    f"Without the tie, the two best are at least "
    f"**{closest_call(found[0]):.2f}** nats apart, and the largest change is "
    f"**{max(changes.values()):.1g}** nats. At the tie, the answer begins with "
    f"{winners}. "
    + (
        "So the other requests in the step decided which token came out."
        if len(set(tie.values())) > 1
        else "On this machine, the last bits did not change the token this time."
    )
)

# %% [markdown]
# Once a token differs, all later ones may differ, too. Nothing in this is random, but
# you cannot choose who else is in the step. Our kernels in C add each token's sums in
# an order that does not depend on the batch. On a GPU, the fastest matmuls for 4 rows
# and for 4,000 rows are different programs, so this costs speed.

# %% [markdown]
# **In production.** Thinking Machines is reported to have got 80 different texts from
# 1,000 greedy requests, and one text with kernels whose sums do not depend on the batch
# ([10 September
# 2025](https://thinkingmachines.ai/blog/defeating-nondeterminism-in-llm-inference/)).
# vLLM offers such kernels as `VLLM_BATCH_INVARIANT=1`, in beta and for recent NVIDIA
# GPUs ([docs](https://docs.vllm.ai/en/latest/features/batch_invariance/), read November
# 2026). A seed does not help, because greedy decoding draws nothing.

# %% [markdown]
# ## 8.6 What may prefill leave out?
#
# Prefill computes a hidden state for each token of the prompt, but only the last token
# chooses the next one. So only the last hidden state has to become logits. This is the
# work of the *head*, a matrix with a row for each of 49,152 tokens of the vocabulary.
#
# **Predict.** The head is the largest matrix of the model. What share of all weights
# does it hold?

# %% tags=["plumbing"]
guess_head = lab.predict(
    "What share of the model's weights is in the head?", between=(0, 100), unit="%"
)
guess_head

# %% tags=["nbval-check-output"]
guess_head.reveal(round(100 * head / params, 1))

# %% tags=["measurement"]
scored = {n: PassShape(new=128, context=128, scored=n) for n in (1, 128)}
scored_ms = watch.ms(scored, rounds=5)

# %% tags=["plumbing", "measurement"]
extra, more = head / (params - head), scored_ms[128] / scored_ms[1] - 1
logits_mb = 128 * shape.vocab_size * 4 / 1e6  # float32
why = (
    f"That is more than the arithmetic alone, because {logits_mb:.0f} MB of logits are "
    "written as well, and because the last layer, too, is left out for tokens without "
    "logits. What is still above that is the noise of a busy machine."
    if more > 1.2 * extra
    else "That is close to the arithmetic."
    if more > 0.8 * extra
    else "That is less than the arithmetic, so the smaller pass was disturbed: run the "
    "cell again on a quiet machine."
)
lab.md(
    f"Logits for all tokens need **{extra:.0%}** more arithmetic. A prompt of 128 "
    f"tokens takes **{scored_ms[1]:.0f} ms** with one row of logits, and "
    f"**{scored_ms[128]:.0f} ms** with 128 rows: **{more:+.0%}**. {why}"
)

# %% tags=["nbval-check-output"]
claim("The head holds 21 % of the weights.", round(100 * head / params) == 21)
claim("Logits for all tokens are 27 % more arithmetic.", round(100 * extra) == 27)

# %% [markdown]
# **Why.** A step of the engine says for each sequence how many of its last tokens
# become logits. Its name is `num_logits`: one where a token is sampled, none in the
# middle of a prompt, and several where drafts are judged (the next section). Only these
# rows go through the head:

# %% tags=["plumbing"]
from labkit.model.inputs import ForwardInputs

lab.source(ForwardInputs.logit_indices)

# %% [markdown]
# ## 8.7 Can four tokens be checked for the price of one?
#
# Left of the knee, further tokens of a pass are cheap. *Speculative decoding* uses
# this: something fast guesses the next few tokens, and the model checks the guesses,
# called *drafts*, in one pass. Drafts are *accepted* up to the first one that the model
# would not have chosen; this one and all later ones are *rejected*. In any case, the
# pass also gives one token of the model's own.
#
# **Predict.** Four tokens are drafted, and each is accepted with a probability of 80 %
# (the *acceptance rate*). How many tokens does a pass give on average?

# %% tags=["plumbing"]
from labkit.labs.compute.drafting import chi_square, draft_row, first_tokens
from labkit.labs.compute.drafting import speed_up, tokens_a_pass

guess_verify = lab.predict(
    "How many tokens does a pass give on average?", between=(1, 5), unit="tokens"
)
guess_verify

# %% tags=["nbval-check-output"]
lab.source(tokens_a_pass)

# %% tags=["nbval-check-output"]
guess_verify.reveal(round(tokens_a_pass(0.8, 4), 2))

# %% [markdown]
# This is what a pass gives. What does it cost to judge drafts, that is, to compute four
# tokens and their logits in one pass?

# %% tags=["measurement"]
asks = {n: PassShape(new=n, context=128 + n, scored=n) for n in (1, 4)}
judged_ms = watch.ms(asks, rounds=5)

# %% tags=["plumbing", "measurement"]
judged = sweep.ms("judge_ms")
lab.md(
    f"On your machine a pass of one token takes **{judged_ms[1]:.2f} ms**, and a pass "
    f"that judges four takes **{judged_ms[4]:.2f} ms**. So four tokens are judged for "
    f"the price of **{judged_ms[4] / judged_ms[1]:.2f} passes**. On the machine of the "
    f"recording it is {judged[4] / judged[1]:.2f} passes."
)

# %% [markdown]
# The speed-up is what a pass gives, divided by what drafting and judging cost. In the
# table, the second row has costlier judging than the first, the third has a costlier
# drafter, and the last has a drafter that is costly and often wrong.

# %% tags=["plumbing", "nbval-check-output"]
cases = [(0.8, 4, 0.05, 1), (0.8, 4, 0.05, 1.5), (0.8, 4, 0.3, 1), (0.5, 8, 0.3, 1)]
lab.table(
    ["acceptance", "drafts", "passes a draft", "passes to judge", "tokens", "speed-up"],
    [
        (*case, f"{tokens_a_pass(*case[:2]):.2f}", f"{gain:.2f}")
        for case in cases
        for gain in [speed_up(*case)]
    ],
)

# %% tags=["nbval-check-output"]
four = round(tokens_a_pass(0.8, 4), 2)
claim("Four drafts at 80 % acceptance give 3.36 tokens a pass.", four == 3.36)
poor = speed_up(0.5, 8, 0.3)
claim("Eight drafts at 50 % acceptance and 0.3 passes each are a loss.", poor < 1)
claim(
    "Recorded: to judge four tokens costs more than one pass and less than four.",
    judged[1] < judged[4] < 4 * judged[1],
)

# %% [markdown]
# **The answer stays the model's own.** At temperature 0 a draft is accepted if it is
# the token that the model chooses. With sampling, let *p* be the model's probabilities
# and *q* the drafter's. A draft is accepted with probability $\min(1, p/q)$. If it is
# rejected, the token is drawn from $\max(0, p-q)$, scaled to sum to 1. Then the tokens
# have the distribution *p*, however bad *q* is (Leviathan et al., arXiv 2211.17192;
# Chen et al., arXiv 2302.01318).
#
# Here the engine's own function draws 4,000 times, with a drafter that prefers the
# wrong token:

# %%
p, q = (0.6, 0.3, 0.1), (0.4, 0.5, 0.1)
drawn = first_tokens(p, q, 4000)
overlap = sum(map(min, p, q))

# %% tags=["plumbing", "nbval-check-output"]
lab.table(
    ["token", "p", "q", "drawn", "expected from p"],
    [
        (token, p[token], q[token], drawn.counts[token], f"{4000 * p[token]:.0f}")
        for token in range(3)
    ],
)

# %% tags=["nbval-check-output"]
claim(
    "The acceptance rate is the overlap of p and q, 0.8, within 0.03.",
    round(overlap, 9) == 0.8 and abs(drawn.acceptance - overlap) < 0.03,
)
claim(
    "A chi-square test at 99 % finds no difference from p.",
    chi_square(drawn.counts, p) < 9.21,  # two degrees of freedom
)

# %% [markdown]
# **Drafts for nothing.** The cheapest drafter is the text itself. *N-gram drafting*
# looks the last few tokens up in the text so far, and guesses that they go on as
# before. Our engine does this with `max_drafts`. In a task that copies there is much to
# look up; in a free story there is hardly anything. Recorded, greedy, with up to four
# drafts:

# %% tags=["plumbing", "nbval-check-output"]
tasks = lab.replay_measured("drafts").values
draft_rows = [(task, *draft_row(each, 4)) for task, each in tasks.items()]
lab.table(["task", "drafted", "accepted", "tokens a step", "speed-up"], draft_rows)

# %%
with_drafts, without = (
    run_task(lab.engine_with(max_drafts=n), "copying", 40) for n in (4, 0)
)

# %% tags=["nbval-check-output"]
is_equal = with_drafts.token_ids == without.token_ids
claim("Greedy answers with and without drafts are equal.", is_equal)
num_saved = without.num_steps - with_drafts.num_steps
claim("With drafts, the copying task takes fewer steps.", num_saved > 0)

# %% [markdown]
# **And in a batch?** The flat part of the plot can be used only once: either drafts
# fill it, or other users do. The next picture computes the speed-up from recorded
# steps, where everybody has four drafts and 80 % are accepted. Look at where the line
# falls below 1.

# %%
gains = sweep.draft_gains(0.8)
LiteFigure(draft_lines(gains, sweep.drafted))

# %% tags=["plumbing", "nbval-check-output"]
most = max(gains)
lab.md(
    f"Drafting makes decoding {gains[1]:.1f} times as fast alone, and with {most} "
    f"sequences in the batch {gains[most]:.2f} times as fast: "
    + ("a loss" if gains[most] < 1 else "still a gain")
    + ". Therefore our engine drafts less, the more sequences run."
)

# %% tags=["nbval-check-output"]
claim("Drafts gain less in a batch of 64 than alone.", gains[64] < gains[1])

# %% [markdown]
# **In production.** vLLM recommends speculation for "medium-to-low QPS, memory-bound
# workloads", that is, for few requests a second. It offers n-grams, small draft models
# and trained heads
# ([docs](https://docs.vllm.ai/en/latest/features/speculative_decoding/), read November
# 2026). DeepSeek-V3 has a trained head for the second token ahead. Its report (arXiv
# 2412.19437, section 5.4.3) gives 85 to 90 % acceptance and 1.8 times the tokens a
# second.

# %% tags=["nbval-check-output"]
given = [round(tokens_a_pass(a, 1), 2) for a in (0.85, 0.90)]
claim("At 85 % or 90 %, one draft gives 1.85 or 1.90 tokens.", given == [1.85, 1.90])

# %% [markdown]
# ## Extra: What does a readable model cost?
#
# The engine has the same model twice. One is in PyTorch with float32 weights: you can
# read it from top to bottom, and tests compare everything else with it. The other is
# the kernels in C, which read the 4-bit blocks of the weight file directly. You met
# both in 8.5.
#
# **Predict.** For a pass of one token, how many times as long does PyTorch take?

# %% tags=["plumbing"]
guess_race = lab.predict(
    "How many times as long as the C kernels does PyTorch take for one token?",
    between=(0.1, 100),
    unit="times",
)
guess_race

# %% tags=["plumbing"]
from labkit.model.decoder import Decoder

lab.source(Decoder._run)

# %% tags=["measurement"]
shapes = {
    "one token": PassShape(context=128),
    "a token for each of 8 users": PassShape(rows=8, context=128),
    "a prompt of 128 tokens": PassShape(new=128, context=128),
}
slow = Stopwatch(float_model, clock, progress=lab.progress).ms(shapes)
fast = watch.ms(shapes)
guess_race.reveal(round(slow["one token"] / fast["one token"], 1))

# %% tags=["plumbing", "measurement"]
lab.table(
    ["a pass computes", "PyTorch, ms", "C, ms", "times as long"],
    [
        (x, f"{slow[x]:.1f}", f"{fast[x]:.1f}", f"{slow[x] / fast[x]:.1f}")
        for x in shapes
    ],
)

# %% [markdown]
# **Why.** For one token the bytes decide (8.1), and float32 has several times as many
# bytes as 4-bit blocks. Also, PyTorch makes hundreds of separate calls in each pass.
# For a prompt the arithmetic decides, and the kernels multiply many int16 numbers in
# one instruction.

# %% tags=["nbval-check-output"]
float_bytes = pass_work(float_model).weight_bytes
claim(
    "For one token, PyTorch reads over five times the bytes, and takes longer.",
    not has_kernels
    or (float_bytes > 5 * work.weight_bytes and slow["one token"] > fast["one token"]),
)
same_tokens = tokens[0] == token_ids(own[0])
claim("PyTorch and the kernels choose the same greedy tokens.", same_tokens)

# %% [markdown]
# **In production.** Serving engines have both, too. vLLM and SGLang call hand-written
# kernels: FlashAttention and FlashInfer for attention, Marlin for 4-bit weights.
# llama.cpp writes its own. A test that compares their numbers with the readable model
# holds the two together.

# %% [markdown]
# ## What you may have heard

# %% tags=["plumbing", "nbval-check-output"]
lab.section()
heard = {
    "A processor that is 100 % busy is limited by its arithmetic.": "In 8.1 a pass of "
    "one token keeps it busy, but uses a small part of the arithmetic roof.",
    "A token is a token.": "In 8.1 a token takes longer alone than among 64.",
    "You get the FLOPS that are printed on the box.": "In 8.1 the larger of the two "
    "printed figures holds only where half of the weights are zero.",
    "Temperature 0 is reproducible.": "In 8.5 the others in a batch change the last "
    "bits of PyTorch's numbers, and those bits decide wherever two candidates tie.",
    "Speculation approximates the model.": "In 8.7 greedy answers stay the same, and "
    "sampled tokens have the model's own distribution.",
    "It always pays to draft far ahead.": "In 8.7 poor drafts and full batches make "
    "decoding slower.",
}
lab.table(["You may have heard", "What settles it"], heard.items())

# %% tags=["nbval-check-output"]
claim("A token costs less among 64 than alone.", per_token[64] < per_token[1])
claim(
    "A pass of 1 token reaches less of the arithmetic roof than a pass of 64.",
    reached[1] < reached[64],
)

# %% [markdown]
# ## Exercises
#
# **1.** Give the ridge of a GPU in FLOP per byte, rounded to a whole number. The
# reported figures of the H100 SXM are 989.4 TFLOP/s and 3.35 TB/s. Put its ridge in
# place of `...`, or a function of (flop_per_s, bytes_per_s), and run the cell.

# %% tags=["exercise", "nbval-check-output"]
lab.check("8.1", ...)

# %% [markdown]
# <details><summary>Hint</summary>
#
# How many operations fit into the time that one byte takes? Round at the end.
# </details>

# %% tags=["solution", "nbval-check-output"]
# One way to do it
lab.check("8.1", lambda flop_per_s, bytes_per_s: round(flop_per_s / bytes_per_s))

# %% [markdown]
# **2.** A model of 8,030,261,248 weights in bfloat16 decodes one sequence on a GPU of
# 4.8 TB/s (reported for the H200). What is the least time that a token can take, in
# milliseconds, rounded to two places? Give a number, or a function of (parameters,
# bytes_each, bytes_per_s) that returns milliseconds.

# %% tags=["exercise", "nbval-check-output"]
lab.check("8.2", ...)

# %% [markdown]
# <details><summary>Hint</summary>
#
# Left of the knee, only one of the two bounds of 8.1 counts. It gives seconds; the
# answer is in milliseconds.
# </details>

# %% tags=["solution", "nbval-check-output"]
# One way to do it: every byte of the weights is read once
lab.check("8.2", lambda n, size, rate: round(1000 * n * size / rate, 2))

# %% [markdown]
# **3.** You promise that no gap is longer than `promise_ms`. A step takes `token_ms`
# for each of its tokens, but never less than `read_ms`. In every step, `streams`
# sequences decode. How many prompt tokens may the same step compute as well (0 if even
# the decodes are too slow)? Promise 50 ms, where a step takes at least 2 ms and a token
# 0.5 ms, and four streams decode. Or write a function of (promise_ms, read_ms,
# token_ms, streams).

# %% tags=["exercise", "nbval-check-output"]
lab.check("8.3", ...)

# %% [markdown]
# <details><summary>Hint</summary>
#
# How many tokens fit into the promise? The streams take theirs first. Then look at the
# two cases in which nothing is left.
# </details>


# %% tags=["solution", "nbval-check-output"]
# One way to do it
def chunk(promise_ms, read_ms, token_ms, streams):
    if promise_ms < read_ms:
        return 0
    return max(0, int(promise_ms // token_ms) - streams)


lab.check("8.3", chunk)

# %% [markdown]
# **4. Change the engine.** While the book is being computed, *zoe* asks a short
# question of 40 tokens. With decode-first she waits until the whole book is done. Write
# a scheduling policy under which she does not wait. The four streams must not stall,
# and the book may wait at most a fifth longer than before. A policy is a class with
# `turns`: the order in which decodes, prompts under way and new arrivals take the
# tokens of a step. These are the two that the engine has:

# %% tags=["plumbing"]
from labkit.engine import policy
from labkit.engine.policy import Turn
from labkit.labs.compute.policy_trial import policy_trial

lab.source(policy)

# %% tags=["plumbing", "nbval-check-output"]
usual = policy_trial()  # the same requests under decode-first
lab.md(
    f"Under decode-first, zoe waits {usual.question_ms:.0f} ms for her first token, "
    f"and the book waits {usual.book_ms:.0f} ms for its own. The worst gap of the four "
    f"streams is {usual.worst_gap_ms:.0f} ms."
)


# %% tags=["exercise", "nbval-check-output"]
class MyPolicy:
    turns = ...  # such as (Turn.DECODES, Turn.PROMPTS, Turn.ARRIVALS)


lab.check("8.4", MyPolicy)

# %% [markdown]
# <details><summary>Hint</summary>
#
# Who takes the tokens that the four answers leave? It is whoever has the next turn.
# Under decode-first that is the book, which needs every one of them for many steps.
# </details>


# %% tags=["solution", "nbval-check-output"]
# One way to do it. If arrivals never stop, the book waits for ever: what would you add?
class NewestFirst:
    turns = (Turn.DECODES, Turn.ARRIVALS, Turn.PROMPTS)


lab.check("8.4", NewestFirst)

# %% [markdown]
# ## Where you are
#
# One pass computed what the cache did not hold of the prompt, and it gave the first
# token of the answer. Each further token had a pass of its own, and so had the token
# that ends the answer and is not shown. You know now what each of these passes waits
# for.

# %% tags=["plumbing", "nbval-check-output"]
from collections import Counter

from labkit.figures.timeline import life

own_part = life(recorded).cells[Layer.COMPUTE.chapter - 1]
spans = Counter(s.name for s in recorded.spans if s.layer is Layer.COMPUTE)
num_passes = spans["prefill"] + spans["decode"]
lab.md(
    f"In the recorded request, this layer took **{own_part.ms:.0f} ms** of "
    f"{recorded.end_s * 1000:.0f} ms: {spans['prefill']} prefill of {asked - cached} "
    f"tokens, and {spans['decode']} decodes. Each of the **{num_passes} passes** read "
    "all weights."
)

# %% tags=["plumbing"]
lab.md(
    f"That is **{num_passes * work.weight_bytes / 1e6:,.0f} MB** for "
    f"{recorded.meta['completion_tokens']} tokens of answer."
)

# %% tags=["plumbing", "nbval-check-output"]
card, told = read_cards().prices["Claude Sonnet 5"], recorded.meta["completion_tokens"]
prompt_cost, answer_cost = card.cost(plain=asked), card.cost(output=told)
lab.md(
    f"At the prices of {card.model} (card of {card.date}), the {asked} tokens of the "
    f"prompt would cost **{100 * prompt_cost:.4f} cents**, and the {told} tokens of "
    f"the answer **{100 * answer_cost:.4f} cents**. So a token of the answer costs "
    f"{card.output / card.input:.0f} times as much as one of the prompt. One reason is "
    "that it needs a pass of its own."
)

# %%
TraceBar(recorded, lit=Layer.COMPUTE)

# %% [markdown]
# **What production systems do differently.** They split one model over many GPUs, so
# the links between the GPUs become a third roof. Before they change a setting, they
# replay recorded traces of millions of requests. And they draft with trained heads.
#
# **Next.** The last pass ended with 49,152 logits. In
# [chapter 9](09_sampling.ipynb) they become one token.

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
