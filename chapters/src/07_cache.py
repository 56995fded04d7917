# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 7 · KV cache, paging, prefix caching
#
# ![Layer 7 of 12: cache](images/layer_07.svg)
#
# A model that reads a prompt keeps keys and values for every token. This chapter opens
# the memory of a running engine: how much room keys and values take, where they lie,
# who shares them, and who can find out.
#
# *40 minutes. It needs the weights (98 MB, fetched once), no GPU and no key. At the end
# you can say how many users fit on a GPU, why a prompt missed the cache and what that
# cost, and what a stranger could learn from it.*
#
# **Click into the first cell and press Shift+Enter; then go on in the same way.**

# %% tags=["plumbing"]
from labkit.book import start

lab = start(chapter=7)
lab.opening()
# If labkit is missing: this book has no public address yet to install it from, so run
# `make lab` in a copy of the project and open the chapter there.

# %% [markdown]
# **Scene.** You asked how many r's are in "strawberry" 🍓. The request has become 34
# token ids. Before the model computes anything, the engine does two things: it looks
# for a request that began in the same way, so that its keys and values can be used
# again, and it sets memory aside for the tokens that are not found. The bar above shows
# the recorded life of the request, and the lit layer is this chapter's. The cache takes
# next to no time itself, but it decides how long its neighbour, *compute*, takes.

# %% tags=["plumbing"]
from itertools import pairwise, takewhile
from random import Random
from statistics import median

import torch

from labkit.book import claim
from labkit.book.cards import read_cards
from labkit.figures.drawings import Lines, Series
from labkit.figures.kv import KVLoad, kv_sums
from labkit.records import BlockEventKind, Layer
from labkit.sequence import SamplingParams
from labkit.widgets import BlockMap, KVCalculator, PrefixMissExplainer, TraceBar
from labkit.widgets.figure import LiteFigure

once, again = lab.replay_trace("first"), lab.replay_trace("again")
cards = read_cards()  # dated facts: shapes, GPUs, prices, each with its source

# %% [markdown]
# ## 7.1 What does one token leave behind?
#
# In every layer, attention turns a token into a *key* and a *value*. Later tokens are
# compared with the key, and take from the value in proportion to how well they match.
# Both are kept in memory, because no later token changes them: this memory is the *KV
# cache*. Our model has 30 layers, 3 key/value heads in each layer and 64 numbers in
# each head. How many bytes does one token leave in the cache, if a number takes 2
# bytes?

# %%
guess_bytes = lab.predict("Bytes that one token leaves", between=(0, 100_000))
guess_bytes

# %%
engine, shape = lab.engine, lab.model.config
ids = engine.tokenizer.encode(engine.template.render(lab.request), allow_special=True)
greedy = SamplingParams(max_tokens=12, temperature=0.0)
answer = list(engine.stream(ids, greedy, request="ours"))
guess_bytes.reveal(shape.kv_bytes_per_token(2))

# %% [markdown]
# The formula behind the answer is short, and the tensors are real. The next cell reads
# from the engine's own memory what our prompt has left in the first layer.

# %% tags=["nbval-check-output"]
keys, values = engine.kv.read(0, torch.arange(len(ids)))  # layer 0, our first slots
size = keys.element_size()
lab.md(
    f"In the first layer, our keys are a tensor of {tuple(keys.shape)} "
    f"numbers, our values one of {tuple(values.shape)}; a number takes {size} bytes "
    f"here. All layers together hold "
    f"**{engine.kv.num_bytes // engine.kv.num_slots:,} bytes for each token**."
)

# %% tags=["plumbing", "nbval-check-output"]
counted = engine.kv.num_slots * shape.kv_bytes_per_token(size)
full = 8192 * shape.kv_bytes_per_token(4)
claim(
    "The cache's tensors are as large as the formula says.",
    engine.kv.num_bytes == counted,
)
claim("Our prompt has 34 tokens.", len(ids) == 34)
claim(
    "One token leaves 23,040 bytes in bfloat16.", shape.kv_bytes_per_token(2) == 23_040
)
claim(
    "At 8,192 tokens in float32 the cache is larger than the model in bfloat16.",
    full > 2 * 134_515_008,
)

# %% [markdown]
# **Why.** A model with $L$ layers, $H_{kv}$ key/value heads of $d_h$ numbers and $b$
# bytes a number leaves
#
# $$2\cdot L\cdot H_{kv}\cdot d_h\cdot b\ \text{bytes a token,}$$
#
# where the 2 stands for a key and a value. To save memory, designers reduce $H_{kv}$.
# In *multi-head attention* (MHA) every query head has a key/value head of its own. In
# *grouped-query attention* (GQA, [Ainslie et al.
# 2023](https://arxiv.org/abs/2305.13245)) several query heads share one. DeepSeek's
# *multi-head latent attention* (MLA) keeps a single vector for each layer instead.

# %% [markdown]
# The calculator stacks the weights and the cache of a number of conversations into the
# memory of a GPU. Move **Sequences at once** until they no longer fit, then change the
# model. Look at the line that marks the end of the memory. Vendors count memory in GB
# of 10⁹ bytes; the calculator, like the tables of this chapter, uses GiB of 2³⁰ bytes.

# %%
calculator = KVCalculator(
    cards.models, cards.gpus, "Llama-3-8B", "H100 SXM", KVLoad(batch=16)
)
calculator

# %% tags=["plumbing", "nbval-check-output"]
many = kv_sums(cards.models["Llama-3-8B"], cards.gpus["H100 SXM"], KVLoad(8192, 16))
lab.md(
    "Before you move anything, the calculator shows 16 conversations of 8,192 tokens "
    f"with Llama-3-8B: they take {many.batch / 2**30:.0f} GiB beside the weights, and "
    f"{many.max_sequences} would fit. The table has one conversation with each model, "
    "at the longest context that the model takes."
)

# %% tags=["plumbing", "nbval-check-output"]
rows = []
for name, model in cards.models.items():
    s = kv_sums(model, cards.gpus["H100 SXM"], KVLoad(model.max_context))
    ratio = f"{s.token_mha / s.token:.0f} x"
    gib = f"{s.sequence / 2**30:.2f}"
    limit = f"{model.max_context:,}"
    rows.append((name, model.attention, f"{s.token:,}", ratio, limit, gib))
heads = ["bytes a token", "MHA takes", "longest context", "GiB at that length"]
lab.table(["model", "attention", *heads], rows)

# %% tags=["plumbing", "nbval-check-output"]
h100, small = cards.gpus["H100 SXM"], cards.models["SmolLM2-135M"]
eight = kv_sums(cards.models["Llama-3-8B"], h100, KVLoad(8192))
long = kv_sums(cards.models["Llama-3.1-405B"], h100, KVLoad(131_072))
claim(
    "52 conversations of 8,192 tokens fit beside Llama-3-8B on one H100.",
    eight.max_sequences == 52,
)
claim("131,072 tokens of Llama-3.1-405B take 63 GiB.", long.sequence == 63 * 2**30)
claim(
    "With MHA, Llama-3.1-405B would take 16 times as much.",
    long.token_mha == 16 * long.token,
)
claim(
    "With MHA, our model would take 3 times as much.",
    small.numbers("MHA") == 69_120 // 2,
)
claim(
    "DeepSeek's latent vector is larger than our model's 3 heads.",
    small.numbers("MLA") > 23_040 // 2,
)

# %% [markdown]
# Does sharing heads lose information, or does it only save memory? The next cell takes
# the real keys and values of our prompt, copies each head three times, and lets nine
# query heads attend to both caches.

# %% tags=["plumbing", "nbval-check-output"]
from labkit.model.attention import attend

cache = engine.kv.read(29, torch.arange(32).unsqueeze(0))  # last layer: [1, 32, 3, 64]
copied = [part.repeat_interleave(3, dim=2) for part in cache]  # [1, 32, 9, 64]
noise = torch.Generator().manual_seed(0)
queries = torch.randn(1, 1, 9, 64, generator=noise).to(cache[0])
seen = torch.ones(1, 1, 32, dtype=torch.bool)
shared, separate = attend(queries, *cache, seen), attend(queries, *copied, seen)
claim(
    "The copied cache has three times the bytes.",
    copied[0].nbytes == 3 * cache[0].nbytes,
)
claim(
    "The copied heads and the shared ones give the same outputs.",
    torch.allclose(shared, separate, atol=1e-4),
)

# %% [markdown]
# So a model that was trained with shared heads gains nothing from separate copies. GQA
# does not save everything, though: computing the queries costs as much as before.
#
# **In production.** Llama 3, Qwen 2.5 and Mistral use GQA, and DeepSeek-V3 uses MLA.
# OPT-13B, the example of the paper on paging, has MHA and leaves 800 KiB a token. The
# book's file of dated facts, `labkit/book/data/cards.json`, names the source of every
# row of the table and marks what was taken from a second hand.

# %% [markdown]
# ## 7.2 What would the next token cost without a cache?
#
# Without a cache, every new token means that all tokens before it are computed again.
# You ask for 256 tokens after a prompt of 34. How many times as many token computations
# does the model do for the whole answer, compared with a model that has a cache?

# %%
guess_work = lab.predict("Times as many token computations", between=(1, 1000))
guess_work

# %%
prompt, new = len(ids), 256
with_cache = prompt + new - 1  # each token once; the last one is never computed
without_cache = sum(prompt + i for i in range(new))
guess_work.reveal(round(without_cache / with_cache))

# %% tags=["nbval-check-output"]
rows = [("kept", f"{with_cache:,}"), ("not kept", f"{without_cache:,}")]
lab.table(["keys and values", "token computations"], rows)

# %% [markdown]
# The package has a second, slower way to generate: `labkit.model.reference` keeps
# nothing. We let it generate 6 tokens to see that it says the same as the engine.

# %% tags=["nbval-check-output"]
from labkit.model.reference import generate

slow = generate(lab.model.decoder, ids, 6, engine.tokenizer.eos_ids)
fast = [event.token_id for event in answer[:6]]
claim("The same tokens come out with and without a cache.", slow == fast)

# %% [markdown]
# A longer answer was recorded with both. Look at how the two lines go on from left to
# right; each point is one new token.

# %% tags=["plumbing"]
measured = lab.replay_measured("without")
places = tuple(float(i) for i in measured["position"])
lines = [
    Series("no cache", places, tuple(measured["without_ms"]), Layer.COMPUTE),
    Series("cache", places, tuple(measured["with_ms"]), Layer.CACHE),
]
slow_ms, fast_ms = round(median(lines[0].y[-16:])), round(median(lines[1].y[-16:]), 2)
times_slower = slow_ms / fast_ms
title = f"At the end a token takes {times_slower:.0f} times as long without a cache"
alt = f"Median of the last 16: {slow_ms} ms without a cache, {fast_ms:.2f} ms with one."
LiteFigure(Lines(title, alt, "tokens so far", "milliseconds a token", tuple(lines)))

# %% tags=["plumbing"]
last = prompt + new - 1
ratio = without_cache / with_cache
less = times_slower < last
why = (
    "That is less, because a long pass reads each weight once for all its tokens."
    if less
    else "That is not less: here a long pass gained nothing from its length."
)
lab.md(
    f"{alt} Two numbers should not be confused. Over the *whole* answer the model does "
    f"{ratio:.0f} times as many token computations. For the *last* token alone it does "
    f"{last} instead of 1, and it takes {times_slower:.0f} times as long. {why} "
    f"{measured.origin}"
)


# %% tags=["plumbing", "nbval-check-output"]
def growth(line):
    third = len(line.y) // 3
    return median(line.y[-third:]) / median(line.y[:third])


claim(
    "Without a cache, later tokens take longer than earlier ones.",
    growth(lines[0]) > 1.2,
)
claim(
    "With a cache, the time of a token grows more slowly.",
    growth(lines[1]) < growth(lines[0]),
)
claim("All recorded tokens are the same with both.", measured["same_tokens"])

# %% [markdown]
# **Why.** Without a cache, $n$ tokens cost $1+2+\dots+n=n(n+1)/2$ token computations;
# with a cache they cost $n$. One part still grows with a cache: the newest token
# attends to all tokens before it. That is one row of the attention matrix for each
# token, where a model without a cache computes the whole triangle again.

# %% [markdown]
# ## 7.3 Where do keys and values lie, and who holds them?
#
# Nobody knows in advance how long an answer will be. Memory is therefore handed out in
# *blocks* of a few tokens, like the pages of an operating system ([Kwon et al.
# 2023](https://arxiv.org/abs/2309.06180)). A full block gets a *hash*, computed from
# its tokens and from the hash of the block before it. A request whose beginning gives
# the same hash may use the same block.

# %% [markdown]
# We run a second engine with 40 small blocks of 4 tokens. Request A asks our question;
# request B asks another one that begins in the same way. How many of B's tokens are
# found in the cache, so that they need not be computed?

# %% tags=["nbval-check-output"]
question = {"role": "user", "content": "How many r's does the word have?"}
text = engine.template.render([lab.request[0], question])
ids_b = engine.tokenizer.encode(text, allow_special=True)
pairs = zip(ids, ids_b, strict=False)
num_shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
print(f"B has {len(ids_b)} tokens. The first {num_shared} are the same as A's.")

# %%
guess_found = lab.predict("Tokens of B found in the cache", between=(0, len(ids_b)))
guess_found

# %%
from labkit.labs.cache.pool_log import PoolLog

tiny = lab.engine_with(block_size=4, num_blocks=40)
log = PoolLog(tiny)  # a picture of the blocks after every step
eight_tokens = SamplingParams(max_tokens=8, temperature=0.0, top_logprobs=2)
tiny.add(ids, eight_tokens, request="ours")
log.step(), log.step()
tiny.add(ids_b, eight_tokens, request="other")
log.step()
found = tiny.cache_stats().hit_tokens
guess_found.reveal(found, f"{num_shared} are shared, but only full blocks have a hash.")

# %% [markdown]
# Now A's answer is *forked*: request C goes on from A's first token with the word that
# was the second choice for the next one. C shares all of A's blocks up to there. The
# last of them already holds the token that A chose. Before C writes its own token in
# that place, the engine gives it a copy of the block. This is *copy on write*.

# %%
rejected = log.reports[1].emitted[0].top[1][0]  # second best of A's second token
tiny.fork("ours", at=1, token_id=rejected, name="fork")
log.drain()
idle = log.frames[-1]  # A, B and C are done

# %% [markdown]
# Request D brings a long prompt, and too few blocks are free. Blocks that nobody holds
# are then *evicted*: their tokens are forgotten, and the block is used again. In the
# map below, look for four things: a block with several letters is shared; the dashed
# arrow is the copy; a dashed edge means *kept for reuse*; "evicted" appears when D
# arrives. **Play** runs through the steps, the slider goes to one of them, and Enter on
# a block tells its hash chain. D is not finished: **Run one engine step** continues it.
# If you ask a question of your own in the box at the top, it becomes the next request.

# %%
long_text = engine.template.render([{"role": "user", "content": "word " * 100}])
long_ids = engine.tokenizer.encode(long_text, allow_special=True)
tiny.add(long_ids, eight_tokens, request="long")
log.step(), log.step()
kinds = [{event.kind for event in frame.events} for frame in log.frames]
copy_step = next(i for i, here in enumerate(kinds) if BlockEventKind.COPY in here)
pool = lab.follow(BlockMap(log.frames, 4, engine.tokenizer.label, pool=log))
pool.at(copy_step)

# %% tags=["plumbing", "nbval-check-output"]
most = max(view.ref_count for frame in log.frames for view in frame.blocks)
evicted = [BlockEventKind.EVICT in here for here in kinds]
held = [view.block for view in idle.blocks if view.ref_count]
num_evicted = sum(
    event.kind is BlockEventKind.EVICT for frame in log.frames for event in frame.events
)
lab.md(
    f"C got its copy in step {copy_step}. At most {most} requests held one block at "
    f"the same time, and D evicted {num_evicted} blocks."
)

# %% tags=["plumbing", "nbval-check-output"]
claim("B found every full block that it shares with A.", found == num_shared // 4 * 4)
claim("B found fewer tokens than it shares with A.", found < num_shared)
claim("One block had three holders at the same time.", most == 3)
claim("No block was held when A, B and C were done.", not held)
claim("The long prompt evicted kept blocks.", any(evicted[idle.step + 1 :]))
claim(
    "No block was evicted before the long prompt came.",
    not any(evicted[: idle.step + 1]),
)

# %% [markdown]
# The engine's own code for copy on write:

# %%
from labkit.cache.manager import CacheManager

lab.source(CacheManager.writable)

# %% [markdown]
# **In production.** vLLM hashes the hash of the parent block, the block's tokens and
# extras such as a tenant's secret word (section 7.6), and it caches full blocks only
# ([design](https://docs.vllm.ai/en/latest/design/prefix_caching/), read November 2026).
# Like this engine, it evicts the end of a prompt before its beginning, because a block
# whose parent is gone can never be found. SGLang is reported to keep a radix tree over
# tokens instead (arXiv 2312.07104).

# %% [markdown]
# ## 7.4 How much of the memory holds nothing?
#
# The alternative to blocks is to reserve one *strip* for each request, as long as the
# answer might ever become. Requests of 24 to 1,000 tokens arrive at a pool with room
# for 8,192 tokens, and each gets a strip of 2,048. What part of the reserved memory
# holds a token?

# %%
guess_use = lab.predict("Reserved memory in use", between=(0, 100), unit="%")
guess_use

# %%
from labkit.labs.cache.filling import fill

dice = Random(7)
lengths = [dice.randint(24, 1000) for _ in range(400)]
strips = fill(lengths, block_size=16, reserve=2048)
guess_use.reveal(round(100 * strips.use, 1))

# %%
lab.source(fill)

# %% tags=["plumbing", "nbval-check-output"]
sizes = [2**power for power in range(9)]
by_size = {size: fill(lengths, size) for size in sizes}
rows = [(size, f.num_requests, f"{f.use:.1%}") for size, f in by_size.items()]
rows.append(("strips of 2,048", strips.num_requests, f"{strips.use:.1%}"))
lab.table(["block size, tokens", "requests that fit", "memory in use"], rows)

# %% [markdown]
# The same numbers as a picture. Look at how the wasted part grows with the block size.

# %% tags=["plumbing"]
waste = [100 * (1 - by_size[size].use) for size in sizes]
strip_waste = 100 * (1 - strips.use)
at = tuple(map(float, sizes))
dots = Series("blocks", at, tuple(waste), Layer.CACHE, "line+dots")
picture = Lines(
    f"Waste grows with the block: {waste[4]:.1f} % at 16, {waste[-1]:.0f} % at 256",
    f"With strips of 2,048 tokens, {strip_waste:.0f} % of the memory holds nothing.",
    "block size, tokens",
    "memory that holds nothing, %",
    (dots,),
    x_scale="log2",
)
LiteFigure(picture)

# %% tags=["plumbing", "nbval-check-output"]
lab.md(
    f"Blocks of 16 tokens waste {waste[4]:.1f} % of the memory, strips waste "
    f"{strip_waste:.0f} %. So {by_size[16].num_requests} requests fit in blocks "
    f"and {strips.num_requests} in strips."
)

# %% tags=["plumbing", "nbval-check-output"]
ends = -(-1000 // 16) * 16
claim("In blocks of 16, a request of 1,000 tokens wastes 8 places.", ends == 1008)
claim(
    "In a strip of 2,048, a request of 1,000 tokens wastes more than half.",
    1 - 1000 / 2048 > 0.5,
)
claim(
    "Blocks of 16 waste less than a tenth of what strips waste.",
    waste[4] < strip_waste / 10,
)
claim(
    "More than twice as many requests fit in blocks of 16.",
    by_size[16].num_requests > 2 * strips.num_requests,
)
claim("Waste grows with the block size.", waste[0] < waste[4] < waste[8])

# %% [markdown]
# **Why not blocks of one token?** The last block of a request is half empty on average,
# so a request wastes about half a block. Small blocks waste less, but there are more of
# them: the table of blocks grows, and attention has to read from more separate places.
# Sixteen tokens is vLLM's usual choice. **In production**: in the systems before
# paging, only 20.4 % to 38.2 % of the cache memory held tokens ([Kwon et al.
# 2023](https://arxiv.org/abs/2309.06180)). The same paper reports 2 to 4 times the
# throughput with blocks.

# %% [markdown]
# ## 7.5 Why did this prompt miss, and what is a hit worth?
#
# A system message has a policy of 100 sentences and one line with a clock, `Current
# time: …`. The clock stands either in front of the policy or behind it. Between two
# requests, one second passes. With blocks of 16 tokens, what part of the second prompt
# is found in the cache when the time stands *in front*?

# %%
guess_hit = lab.predict("Found, with the time in front", between=(0, 100), unit="%")
guess_hit

# %% tags=["plumbing"]
from labkit.clock import SystemClock
from labkit.labs.cache.miss_examples import examples
from labkit.labs.cache.prefix_probe import PrefixProbe
from labkit.widgets.prefix_miss_explainer import Words


def render(messages):
    return engine.template.render(messages)


def encode(text):
    return engine.tokenizer.encode(text, allow_special=True)


words = Words(encode, engine.tokenizer.label, render, render(lab.request))
card, pairs = cards.prices["Claude Sonnet 5"], examples()
probe = PrefixProbe(lab.engine_with(), SystemClock(), runs=1)

# %% tags=["measurement"]
explainer = lab.follow(PrefixMissExplainer(pairs, words, card, probe.measure))
misses = {name: explainer.of(name) for name in pairs}
first, last = misses["the time first"], misses["the time last"]
guess_hit.reveal(
    round(100 * first.hit_rate, 1), f"With the time behind: {last.hit_rate:.1%}."
)

# %% [markdown]
# There are more ways to lose a hit: the same tools in another order, one object with
# its keys in another order, a beginning-of-text token that is added twice (by the
# template and by the tokenizer), another template. Choose an example and look at the
# red mark in the two texts: everything behind it is computed again. Edit either prompt,
# or type one of your own in the box at the top, and press **Run both** to measure the
# *prefill* on this machine: the pass that computes what was not found. Costs use the
# price list of one model. A prompt below its minimum length is never cached there; then
# the widget says so.

# %% tags=["measurement"]
first_times = explainer.run()
explainer

# %% tags=["plumbing", "nbval-check-output"]
rows = [
    (name, m.cause, m.shared, m.hit, f"{m.hit_rate:.1%}") for name, m in misses.items()
]
lab.table(["example", "cause", "shared tokens", "tokens found", "hit rate"], rows)

# %% tags=["plumbing", "measurement"]
timings = []
for _ in range(2):
    probe.after(last.first.ids)
    timings.append(probe.time(last.second.ids))
behind = min(timings, key=lambda timing: timing.ms)
front_ms, behind_ms = first_times.second_ms, behind.ms
lab.md(
    f"With the time in front, the second prompt took {front_ms:,.0f} ms until its "
    f"first token; with the time behind the policy it took {behind_ms:,.0f} ms."
)

# %% tags=["plumbing", "nbval-check-output"]
claim(
    "The engine found as many tokens as the formula says, with the time in front.",
    first_times.cached == first.hit,
)
claim(
    "The engine found as many tokens as the formula says, with the time behind.",
    behind.cached == last.hit,
)
claim("The prompt with the time in front took longer.", front_ms > behind_ms)

# %% tags=["plumbing", "nbval-check-output"]
is_one_block = (first.shared, first.hit) == (25, 16)
named = all(m.cause != "other words" for m in misses.values())
short = not card.caches(len(last.second.ids))
claim(
    "With the time in front, 25 tokens are shared and 1 block is found.", is_one_block
)
claim(
    "With the time behind, 531 tokens are shared and 33 blocks are found.",
    (last.shared, last.hit) == (531, 528),
)
claim("The cause of every example was recognised.", named)
claim(f"These prompts are too short for {card.model} to cache.", short)

# %% [markdown]
# **Why.** A token's key depends on all tokens before it. So only a *prefix*, a common
# beginning, can be used again, and only its full blocks have a hash:
#
# $$\text{found}=\lfloor \text{shared}/\text{block}\rfloor\cdot\text{block}.$$

# %% [markdown]
# Money follows from it. An *agent* is a program that calls a model in a loop. Ours
# calls it 20 times. Its prompt begins with 10,000 tokens and grows by 1,000 with each
# call, and each call writes 500. Every call finds in the cache what the call before it
# has stored. What part of the bill without a cache is left?

# %%
guess_bill = lab.predict("Part of the bill that is left", between=(0, 100), unit="%")
guess_bill

# %%
prompts = [10_000 + 1_000 * call for call in range(20)]
uncached = sum(card.cost(plain=n, output=500) for n in prompts)
cached = card.cost(write=prompts[0], output=500) + sum(
    card.cost(read=before, write=now - before, output=500)
    for before, now in pairwise(prompts)
)
guess_bill.reveal(round(float(100 * cached / uncached), 1))

# %% tags=["plumbing", "nbval-check-output"]
lab.md(
    f"Without a cache the agent costs **USD {uncached:.3f}**, with one **USD "
    f"{cached:.4f}**, at the prices of {card.model} of {card.date} "
    f"({cards.about[card.model]})."
)


# %% tags=["plumbing", "nbval-check-output"]
def left(factor, uses):  # part of the price that is left; a read costs a tenth
    return (factor + (uses - 1) / 10) / uses


claim("The agent's prompts are long enough to be cached.", card.caches(prompts[0]))
claim("The agent pays less than a third.", cached * 3 < uncached)
claim(
    "A write at 1.25 times the price pays from the second use on.",
    left(1.25, 1) > 1 > left(1.25, 2),
)
claim(
    "A write at 2 times the price pays from the third use on.",
    left(2, 2) > 1 > left(2, 3),
)

# %% tags=["plumbing", "nbval-check-output"]
rules = [
    (r.vendor, f"{r.minimum_tokens:,}", r.step_tokens or "–", f"{r.write_factor}")
    for r in cards.rules.values()
]
lab.table(
    ["who caches", "from tokens", "in steps of", "price of a write, x input"], rules
)

# %% [markdown]
# **In production** nobody agrees, and the rules change, which is why they stand in one
# dated file. [OpenAI](https://developers.openai.com/api/docs/guides/prompt-caching)
# caches by itself, and from GPT-5.6 on it charges for writes and lets you mark
# breakpoints.
# [Anthropic](https://platform.claude.com/docs/en/build-with-claude/prompt-caching)
# takes breakpoints or places them for you.
# [DeepSeek](https://api-docs.deepseek.com/guides/kv_cache/) keeps prefixes on disk (all
# read November 2026). The makers of Manus are reported to call the hit rate the most
# important number of an agent in production.

# %% [markdown]
# ## 7.6 Who else can tell that you asked?
#
# A hit is fast. Whoever shares a cache with you can therefore send a guess at your
# prompt, measure the time to the first token, and learn whether you sent the same
# beginning. Here, a victim's medical record is in the cache. The attacker knows the
# form, sends it with four illnesses in two rounds, and keeps the faster time of each.
# Does the clock single out the right illness?

# %%
guess_leak = lab.predict("The clock singles out the illness", options=["yes", "no"])
guess_leak

# %% tags=["measurement"]
from labkit.labs.cache.side_channel import accuracy, attack, by_chance

illnesses, truth = ["asthma", "diabetes", "migraine", "gout"], "migraine"
form = "Diagnosis: {}. " + "Advise the patient in plain words. " * 16
guesses = {name: encode(form.format(name)) for name in illnesses}
shared = attack(probe, guesses, truth)
fastest = min(shared, key=lambda name: shared[name].ms)
guess_leak.reveal("yes" if fastest == truth else "no", f"The fastest was {fastest}.")

# %% [markdown]
# The defence is a *salt*: a secret word of each tenant that is mixed into the hashes.
# We repeat the attack with one salt for the victim and another for the attacker.

# %% tags=["measurement"]
salted = attack(probe, guesses, truth, victim="clinic", attacker="attacker")

# %% tags=["plumbing", "measurement"]
rows = [
    (
        n,
        f"{shared[n].ms:.0f}",
        shared[n].cached,
        f"{salted[n].ms:.0f}",
        salted[n].cached,
    )
    for n in illnesses
]
heads = ["ms, no salt", "found, no salt", "ms, salts", "found, salts"]
lab.table(["guess", *heads], rows)

# %% tags=["plumbing", "nbval-check-output"]
others = max(shared[n].cached for n in illnesses if n != truth)
claim("Without a salt, the right guess is found.", shared[truth].cached > others)
claim("Without a salt, the right guess is the fastest.", fastest == truth)
claim("With salts, no guess is found.", not any(t.cached for t in salted.values()))

# %% [markdown]
# One attack is an anecdote. Many were recorded: times for a prefix that is in the
# cache, and as many for one that is not, without a salt and with one. The attacker
# calls everything below a threshold a hit, and we give the attacker the best threshold
# there is. Look at the distance between the curves for hits and misses.

# %% tags=["plumbing"]
recorded = lab.replay_measured("side_channel")
lab.compare_times([shared["gout"].ms], recorded["shared_miss_ms"])
times = {
    "hit": recorded["shared_hit_ms"],
    "miss": recorded["shared_miss_ms"],
    "salted hit": recorded["salted_hit_ms"],
    "salted miss": recorded["salted_miss_ms"],
}
without_salt = accuracy(times["hit"], times["miss"])
with_salt = accuracy(times["salted hit"], times["salted miss"])
luck = by_chance(times["salted hit"], times["salted miss"])

# %% tags=["plumbing"]
every = sorted(ms for kind in times.values() for ms in kind)
limit = every[int(0.95 * len(every))]  # a few late answers would squeeze the rest


def curve(name, layer):
    near = [ms for ms in sorted(times[name]) if ms <= limit]
    part = [100 * (i + 1) / len(times[name]) for i in range(len(near))]
    return Series(name, (0.0, near[0], *near), (0.0, 0.0, *part), layer)


middles = ", ".join(f"{name} {median(ms):.1f} ms" for name, ms in times.items())
late = sum(ms > limit for ms in every)
alt = f"Medians: {middles}. {late} of {len(every)} answers took over {limit:.0f} ms."
told = f"The clock is right {without_salt:.0%} of the time, with a salt {with_salt:.0%}"
hues = [Layer.CACHE, Layer.COMPUTE, Layer.SAMPLING, Layer.NETWORK]
parts = tuple(curve(name, hue) for name, hue in zip(times, hues, strict=True))
axes = ("ms to the first token", "answers that came by then, %")
LiteFigure(Lines(told, alt, *axes, parts))

# %% tags=["plumbing"]
lab.md(
    f"{told}. With the labels *hit* and *miss* shuffled at random, the best threshold "
    f"is still right {luck:.0%} of the time. {alt} {recorded.origin}"
)

# %% [markdown]
# Why more than 50 % where there is nothing to find? The threshold was chosen on the
# same times that it then judges, so it profits from their accidents. Shuffling the
# labels shows by how much; this is called a *permutation test*.

# %% tags=["plumbing", "nbval-check-output"]
claim("Without a salt, the clock is right over 90 % of the time.", without_salt > 0.9)
claim(
    "With a salt, the clock is at most ten points better than shuffled labels.",
    with_salt < luck + 0.1,
)

# %% [markdown]
# **Why.** The salt is hashed into the first block, and every hash contains the one
# before it. Tenants with different salts therefore never find each other's blocks. That
# is also the price: they never save each other any work. **In production**: an audit of
# language model APIs found caches shared between users at seven providers ([Gu et al.
# 2025](https://arxiv.org/abs/2502.07776)). vLLM takes a `cache_salt` with the request.

# %% [markdown]
# ## 7.7 Is a cached answer the same answer?
#
# In exact arithmetic, yes. But a computer rounds, and the result depends on the order
# of the additions. In most programs that order depends on how many tokens one pass
# computes. We compute our 34 tokens in one pass, then as a cache does, 32 tokens in one
# pass and the rest in another, and then in three chunks. We begin with PyTorch's matmul
# in float32. By how much do the 49,152 logits differ at most?

# %%
choices = ["exactly 0", "less than 0.001", "more than 0.001"]
guess_delta = lab.predict("Largest difference, PyTorch, float32", options=choices)
guess_delta

# %% tags=["measurement"]
from labkit.labs.cache.splits import split_differences
from labkit.model.fetch import weights_path
from labkit.model.weights import load_model

ways, deltas = {"cached": [32, 2], "chunked": [12, 12, 10]}, {}
for dtype in lab.progress((torch.float32, torch.bfloat16), "With PyTorch", 2):
    plain = load_model(weights_path(), dtype=dtype, kernels="torch").decoder
    deltas[str(dtype)[6:]] = split_differences(plain, ids, ways)
worst = max(split.largest for split in deltas["float32"].values())
guess_delta.reveal(choices[0 if worst == 0 else 1 if worst < 0.001 else 2])

# %% [markdown]
# This engine has a matmul of its own, where the processor and a C compiler allow it. It
# adds the numbers of each token in one fixed order, whatever else is in the pass.

# %% tags=["plumbing", "measurement"]
has_kernels = lab.model.kernels == "native"
engine_name = "this engine's own" if has_kernels else "this engine, by PyTorch"
deltas[engine_name] = split_differences(lab.model.decoder, ids, ways)
rows = [
    (name, way, f"{split.largest:.6f}", "the same" if split.same_best else "another")
    for name, found_here in deltas.items()
    for way, split in found_here.items()
]
heads = ["computed", "largest difference of a logit", "most probable token"]
lab.table(["matmul", *heads], rows)

# %% tags=["plumbing", "nbval-check-output"]
coarse = max(split.largest for split in deltas["bfloat16"].values())
own = max(split.largest for split in deltas[engine_name].values())
same_best = all(split.same_best for split in deltas["float32"].values())
claim("PyTorch in float32 differs by less than 0.001.", worst < 0.001)
claim(
    "In bfloat16 one way at least differs over 100 times as much as in float32.",
    coarse > 100 * worst,
)
claim("With the engine's own matmul no bit differs.", own == 0 or not has_kernels)
claim("In float32 the most probable token stays the same.", same_best)

# %% tags=["plumbing", "measurement"]
equal = [way for way, split in deltas["bfloat16"].items() if split.largest == 0]
lab.md(
    f"In bfloat16 the way called *{equal[0]}* gave exactly the logits of one pass: by "
    "accident, PyTorch used the same program for both."
    if equal
    else "In bfloat16 both ways gave other logits than one pass."
)

# %% [markdown]
# **Why.** For each length of a pass PyTorch picks a program, and each program adds in
# an order of its own. Nothing promises that another machine picks the same programs.

# %% tags=["nbval-check-output"]
cold = list(lab.engine_with(prefix_caching=False).stream(ids, greedy))
warm = list(engine.stream(ids, greedy))
claim(
    "Our question gets the same answer with prefix caching and without it.",
    [e.token_id for e in cold] == [e.token_id for e in warm],
)

# %% [markdown]
# **In production.** vLLM's documentation says that prefix caching does not change the
# model's outputs. Read this as: not beyond rounding. Where two candidates are nearly
# equally probable, a difference of this size can swap them. Other people's requests in
# your batch have the same effect, and chapter 8 measures how large it is.

# %% [markdown]
# ## What you may have heard
#
# - *"The cache stores answers."* It stores keys and values. The next cells change one
#   late word: the hit stays, and the answer changes.
# - *"The same text anywhere in the prompt is a hit."* Only a beginning is. The next
#   cells move a paragraph, and nothing is found.
# - *"GQA saves work for the queries."* It does not. The last cell counts which weights
#   become fewer: only those of keys and values.
# - *"The KV cache is small."* One conversation of 131,072 tokens took 63 GiB in 7.1.
# - *"The order of JSON keys is cosmetic."* In 7.5, everything behind the first key that
#   moved was computed again.

# %% tags=["nbval-check-output"]
lab.section()


def ask(text):
    before = engine.cache_stats().hit_tokens
    tokens = [event.token_id for event in engine.stream(encode(text), greedy)]
    return engine.cache_stats().hit_tokens - before, tokens


notes = "The harbour has a red lamp, a blue boat and a green gate. " * 4
_ = ask(f"{notes}The lamp is")  # fills the cache

# %% tags=["nbval-check-output"]
found_gate, says_gate = ask(f"{notes}The gate is")
found_boat, says_boat = ask(f"{notes}The boat is")
found_moved, _ = ask(f"By the way. {notes}The gate is")
claim("A changed late word keeps the hit.", found_gate == found_boat > 0)
claim("A changed late word changes the answer.", says_gate != says_boat)
claim("A paragraph that moved is not found.", found_moved == 0)

# %% tags=["plumbing", "nbval-check-output"]
from dataclasses import replace

from labkit.labs.compute.stopwatch import linear_params

as_mha = replace(shape, num_kv_heads=shape.num_heads)
more = linear_params(as_mha) - linear_params(shape)  # weights that a token meets
added = (as_mha.num_kv_heads - shape.num_kv_heads) * shape.head_dim * shape.width
only_keys_and_values = more == 2 * shape.num_layers * added
claim("9 heads for 3 add only weights of keys and values.", only_keys_and_values)

# %% [markdown]
# ## Exercises
#
# Put a number, or a function, in place of `...` and run the cell. `lab.hint("7.1")`
# prints a hint.
#
# **1.** How many bytes does a token of Qwen2.5-7B leave in the cache, with 8 bits a
# number? It has 28 layers, 4 key/value heads and 128 numbers a head. If you write a
# function, its arguments are (layers, kv_heads, head_dim, element_bytes).

# %% tags=["exercise", "nbval-check-output"]
lab.check("7.1", ...)

# %% tags=["solution", "nbval-check-output"]
# 28 layers, 4 heads, 128 numbers, a key and a value, 1 byte each
lab.check("7.1", lambda layers, heads, dim, size: 2 * layers * heads * dim * size)

# %% [markdown]
# **2.** Two prompts share their first 700 tokens. How many tokens are found with blocks
# of 32? If you write a function, its arguments are (shared, step, minimum): below the
# minimum nothing is cached. OpenAI's older rule, steps of 128 from 1,024 tokens on, is
# one of the cases.

# %% tags=["exercise", "nbval-check-output"]
lab.check("7.2", ...)

# %% tags=["solution", "nbval-check-output"]
lab.check(
    "7.2",
    lambda shared, step, minimum: shared // step * step if shared >= minimum else 0,
)

# %% [markdown]
# **3.** How many sequences of 8,192 tokens fit beside Llama-3-8B in 90 % of the memory
# of an H200? The weights take 2 bytes for each of 8,030,261,248 parameters, a token
# takes 131,072 bytes of cache, and the GPU has 141 · 10⁹ bytes. If you write a
# function, its arguments are (memory, weights, token, context), in bytes and tokens.

# %% tags=["exercise", "nbval-check-output"]
lab.check("7.3", ...)


# %% tags=["solution", "nbval-check-output"]
def sequences(memory, weights, token, context):
    return int((0.9 * memory - weights) // (token * context))


sums = kv_sums(cards.models["Llama-3-8B"], cards.gpus["H200 SXM"], KVLoad(8192))
ours = sequences(141e9, 2 * 8_030_261_248, 131_072, 8192)
claim("The function agrees with the calculator.", ours == sums.max_sequences)
lab.check("7.3", sequences)

# %% [markdown]
# **4. Change the engine.** When memory is short, the engine evicts the block that was
# least recently used (*LRU*). Many users talk to one assistant, so its system prompt is
# found again and again; but now and then somebody sends long documents, and LRU throws
# the system prompt out to make room for them. Write a better rule. It gets the blocks
# that are kept, least recently used first, and returns the number of the one to evict.
# Each has a `block` number and `num_hits`: how often it was found since it was
# computed. The check runs your rule inside the engine's own cache.


# %% tags=["exercise", "nbval-check-output"]
def evict(kept):
    pass  # in place of this line; LRU would be: return kept[0].block


lab.check("7.4", evict)


# %% tags=["solution", "nbval-check-output"]
def least_often_found(kept):
    return min(kept, key=lambda one: one.num_hits).block  # of equals, the oldest


lab.check("7.4", least_often_found)

# %% [markdown]
# ## Where you are
#
# The request has its blocks, and some of them may already have been filled by somebody
# else. Below is the life of the request, asked for the first time and then again, on
# one scale. Compare the lengths of the two bars, and the part next to the cache,
# *compute*.

# %%
TraceBar([once, again], lit=Layer.CACHE, names=["first time", "second time"])

# %% tags=["plumbing"]
first_ms, again_ms = (t.named("prefill").duration_s * 1000 for t in (once, again))
hit = int(again.meta["cached_tokens"])
saved = card.cost(plain=hit) - card.cost(read=hit)
lab.md(
    f"Of {len(ids)} tokens, **{hit}** were found the second time: "
    f"**{hit * shape.kv_bytes_per_token(4):,} bytes** of keys and values in float32. "
    f"Prefill took {first_ms:.1f} ms the first time and **{again_ms:.1f} ms** the "
    f"second. At the prices of {card.model}, a million such hits would save **USD "
    f"{saved * 1_000_000:,.2f}**. But this vendor caches only prompts of "
    f"{card.minimum_tokens:,} tokens or more, so the saving on prompts as short as "
    "this one is nothing."
)

# %% tags=["plumbing", "nbval-check-output"]
claim("The first time, nothing was found.", once.meta["cached_tokens"] == 0)
claim("The second time, every full block was found.", hit == len(ids) // 16 * 16)
claim("The second prefill took less than half as long.", again_ms * 2 < first_ms)

# %% [markdown]
# **What production systems do differently.** They keep the cache across machines and on
# disks, send your request to the machine that knows your prefix, store keys and values
# in 8 bits or fewer, and separate tenants with salts. **Next**: chapter 8 computes the
# tokens that were not found, and asks why the first token is slow and the next one is
# not.

# %% [markdown]
# ## Sources
#
# - Kwon et al., *Efficient Memory Management for Large Language Model Serving with
#   PagedAttention*, arXiv 2309.06180
# - Ainslie et al., *GQA*, arXiv 2305.13245; DeepSeek-V3, arXiv 2412.19437
# - Zheng et al., *SGLang: Efficient Execution of Structured Language Model Programs*,
#   arXiv 2312.07104
# - Gu et al., *Auditing Prompt Caching in Language Model APIs*, ICML 2025, arXiv
#   2502.07776
# - vLLM, *Automatic Prefix Caching*, design page, read 2026-11
# - OpenAI, Anthropic, DeepSeek: pages on prompt caching, read 2026-11; prices, shapes
#   and GPUs with a source a row in `labkit/book/data/cards.json`
# - The outline follows *End-to-End LLM Stack Trace: From Keystroke to Streamed Token*
#   (2026, CC0)
