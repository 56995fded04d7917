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
# A model reads your prompt once and keeps notes. This chapter opens the notes of a
# running engine: what they weigh, where they lie, who shares them, and who can tell.
#
# *40 minutes · needs the weights (98 MB, fetched once); no GPU, no key. At the end you
# can say how many users fit on a GPU, why a prompt missed the cache, what that cost,
# and what a stranger could learn from it.*

# %% tags=["plumbing"]
from labkit.book import start

lab = start(chapter=7)
lab.opening()
# If labkit is missing: this book has no public address yet to install it from, so run
# `make lab` in a copy of the project and open the chapter there.

# %% [markdown]
# **Scene.** You asked how many r's are in "strawberry" 🍓. The request is now 34 token
# ids. Before the model computes anything, the engine looks whether somebody has sent
# the same beginning before, and finds memory for what is about to be computed. Below
# is the recorded life of the request, asked for the second time. The lit layer has no
# time of its own there: you will see what it does to its neighbour.

# %%
from labkit.book import claim
from labkit.records import Layer
from labkit.widgets import BlockMap, KVCalculator, PrefixMissExplainer, TraceBar

again = lab.replay_trace("again")
TraceBar(again, lit=Layer.CACHE)

# %% [markdown]
# ## 7.1 What does one token leave behind?
#
# In every layer a token is turned into a *key*, by which later tokens find it, and a
# *value*, which they take from it. Both are kept, since no later token changes them.
# Our model has 30 layers, 3 key/value heads a layer and 64 numbers a head. How many
# bytes does one token leave, at 2 bytes a number?

# %%
guess_bytes = lab.predict("Bytes that one token leaves", between=(0, 100_000))
guess_bytes

# %%
from labkit.sequence import SamplingParams

greedy = SamplingParams(max_tokens=12, temperature=0.0)
engine, shape = lab.engine, lab.model.config
ids = engine.tokenizer.encode(engine.template.render(lab.request), allow_special=True)
answer = list(engine.stream(ids, greedy, request="ours"))
guess_bytes.reveal(shape.kv_bytes_per_token(2))

# %% [markdown]
# The formula is short; the tensors are real. Here are the engine's own:

# %% tags=["nbval-check-output"]
import torch

store = engine.kv
keys, values = store.read(0, torch.arange(len(ids)))  # layer 0, our first slots
size = keys.element_size()
lab.md(
    f"Keys and values of our prompt in one layer are {tuple(keys.shape)} and "
    f"{tuple(values.shape)} numbers of {size} bytes. All layers together: "
    f"**{store.num_bytes // store.num_slots:,} bytes a token**."
)

# %% tags=["nbval-check-output"]
claim(
    "the cache's tensors are as large as the formula says, to the byte",
    store.num_bytes == store.num_slots * shape.kv_bytes_per_token(size),
)
claim("our prompt has 34 tokens", len(ids) == 34)
claim("23,040 bytes a token in bfloat16", shape.kv_bytes_per_token(2) == 23_040)
claim(
    "at full context, in float32, the cache outweighs the model in bfloat16",
    8192 * shape.kv_bytes_per_token(4) > 2 * 134_515_008,
)

# %% [markdown]
# **Why.** With $L$ layers, $H_{kv}$ key/value heads of $d_h$ numbers and $b$ bytes a
# number, a token leaves
#
# $$2\cdot L\cdot H_{kv}\cdot d_h\cdot b\ \text{bytes.}$$
#
# The factor that a designer may choose is $H_{kv}$. In *multi-head attention* (MHA)
# it equals the number of query heads; in *grouped-query attention* (GQA, [Ainslie et
# al. 2023](https://arxiv.org/abs/2305.13245)) several query heads share one key/value
# head. DeepSeek's latent attention (MLA) keeps one vector a layer instead. Turn the
# controls: what fits on a GPU, and what would have? GPUs are sold in units of 10⁹
# bytes (GB); the calculator counts in GiB, 2³⁰ bytes, as the tables here do.

# %%
from labkit.book.cards import read_cards

cards = read_cards()  # dated facts: shapes, GPUs, prices, each with its source
calculator = KVCalculator(cards.models, cards.gpus, "Llama-3-8B", "H100 SXM")
calculator

# %% tags=["nbval-check-output"]
rows = []
for name in cards.models:
    s = calculator.show(name, context=8192)
    ratio, gib = s.token_mha / s.token, s.sequence / 2**30
    kind = cards.models[name].attention
    rows.append((name, kind, f"{s.token:,}", f"{ratio:.0f}", f"{gib:.2f}"))
eight = calculator.show("Llama-3-8B")
heads = ["kind", "bytes a token", "MHA, times as many", "GiB at 8,192 tokens"]
lab.table(["model", *heads], rows)

# %% tags=["nbval-check-output"]
long = calculator.show("Llama-3-70B", context=131_072)
calculator.show("Llama-3-8B", context=8192)
small = cards.models["SmolLM2-135M"]
claim("Llama-3-8B on an H100: 52 chats of 8,192 tokens fit", eight.max_sequences == 52)
claim("one of 131,072 with Llama-3-70B takes 40 GiB", long.sequence == 40 * 2**30)
claim("there MHA would take 8 times as much", long.token_mha == 8 * long.token)
claim("and here 3 times", small.numbers("MHA") == 3 * small.numbers())
latent = small.numbers("MLA")
claim("DeepSeek's latent would outweigh our three heads", latent > small.numbers())

# %% [markdown]
# Is sharing heads a loss of information, or only of storage? Take the real keys of our
# prompt, copy each head three times, and let nine query heads look at both caches.

# %% tags=["nbval-check-output"]
from labkit.model.attention import attend

cache = store.read(29, torch.arange(32).unsqueeze(0))  # last layer: [1, 32, 3, 64]
copied = [part.repeat_interleave(3, dim=2) for part in cache]  # [1, 32, 9, 64]
noise = torch.Generator().manual_seed(0)
queries = torch.randn(1, 1, 9, 64, generator=noise).to(cache[0])
seen = torch.ones(1, 1, 32, dtype=torch.bool)
shared, separate = attend(queries, *cache, seen), attend(queries, *copied, seen)
claim("three times the bytes", copied[0].nbytes == 3 * cache[0].nbytes)
claim("the same outputs", torch.allclose(shared, separate, atol=1e-4))

# %% [markdown]
# So in a model that was trained with shared heads, unsharing them buys nothing. Note
# what GQA does *not* save: the projection of the queries costs the same operations.
#
# **In production.** Llama 3, Qwen 2.5 and Mistral use GQA, DeepSeek-V3 MLA. OPT-13B,
# the example of the paging paper, has MHA: 800 KiB a token. Rows of the table that
# were taken second-hand are marked so in the book's file of dated facts
# (`labkit/book/data/cards.json`).

# %% [markdown]
# ## 7.2 What would the next token cost without it?
#
# Without a cache, every new token means computing all tokens before it again. You ask
# for 256 tokens after a 34-token prompt. How many times as many tokens does the model
# compute in all, without the cache?

# %%
guess_work = lab.predict("Tokens computed, times as many", between=(1, 1000))
guess_work

# %%
prompt, new = len(ids), 256
kept = prompt + new - 1  # each token once; the last one need not be computed
again_and_again = sum(prompt + i for i in range(new))
guess_work.reveal(round(again_and_again / kept))

# %% tags=["nbval-check-output"]
rows = [("kept", f"{kept:,}"), ("not kept", f"{again_and_again:,}")]
lab.table(["keys and values", "tokens computed"], rows)

# %% [markdown]
# The slow truth is in the package: `labkit.model.reference` keeps nothing. Twelve
# tokens are enough to see that it says the same; a longer answer was recorded.

# %% tags=["nbval-check-output"]
from labkit.model.reference import generate

slow = generate(lab.model.decoder, ids, 12, engine.tokenizer.eos_ids)
fast = [event.token_id for event in answer]
claim("with and without a cache the same tokens come out", slow == fast)

# %%
from statistics import median

from labkit.figures.drawings import Lines, Series
from labkit.widgets.figure import LiteFigure

measured = lab.replay_measured("without")
tokens = tuple(float(i) for i in measured["position"])
lines = [
    Series("no cache", tokens, tuple(measured["without_ms"]), Layer.COMPUTE),
    Series("cache", tokens, tuple(measured["with_ms"]), Layer.CACHE),
]

# %%
slow_ms, fast_ms = round(median(lines[0].y[-16:])), round(median(lines[1].y[-16:]), 2)
title = f"At the end a token takes {slow_ms / fast_ms:.0f} times as long without"
alt = (
    f"Last 16 tokens, medians: {slow_ms} ms without a cache, {fast_ms:.2f} ms with one."
)
LiteFigure(Lines(title, alt, "tokens so far", "milliseconds a token", tuple(lines)))

# %%
lab.md(f"{alt} {measured.origin}")


# %% tags=["nbval-check-output"]
def growth(line):
    third = len(line.y) // 3
    return median(line.y[-third:]) / median(line.y[:third])


claim("without a cache a token's price grows", growth(lines[0]) > 1.2)
claim("with one it grows less", growth(lines[1]) < growth(lines[0]))
claim("all recorded tokens are the same too", measured["same_tokens"])

# %% [markdown]
# **Why.** Without a cache $n$ tokens cost $1+2+\dots+n=n(n+1)/2$ token computations,
# with one they cost $n$. What still grows with a cache is attention: the newest token
# looks at all others, which is one row of work and not a whole triangle.

# %% [markdown]
# ## 7.3 Where do the notes lie, and who holds them?
#
# Nobody knows how long an answer will be, so memory is handed out in *blocks* of a few
# tokens, like pages of an operating system ([Kwon et al.
# 2023](https://arxiv.org/abs/2309.06180)). A full block gets a hash: of its tokens and
# of its parent's hash. Whoever needs the same hash may hold the same block. We run a
# second engine with 40 tiny blocks of 4 tokens. A asks our question, B another one
# that begins alike. How many of B's tokens are found, not computed?

# %% tags=["nbval-check-output"]
from itertools import takewhile

question = {"role": "user", "content": "How many r's does the word have?"}
text = engine.template.render([lab.request[0], question])
ids_b = engine.tokenizer.encode(text, allow_special=True)
alike = takewhile(lambda pair: pair[0] == pair[1], zip(ids, ids_b, strict=False))
num_shared = sum(1 for _ in alike)
lab.md(f"B has {len(ids_b)} tokens; the first **{num_shared}** of them are A's too.")

# %%
guess_found = lab.predict("Tokens of B found in the cache", between=(0, len(ids_b)))
guess_found

# %%
from labkit.labs.cache.pool_log import PoolLog

tiny = lab.engine_with(block_size=4, num_blocks=40)
log = PoolLog(tiny)
eight_tokens = SamplingParams(max_tokens=8, temperature=0.0, top_logprobs=2)
tiny.add(ids, eight_tokens, request="ours")
log.step(), log.step()
tiny.add(ids_b, eight_tokens, request="other")
log.step()
found = tiny.cache_stats().hit_tokens
guess_found.reveal(found, f"{num_shared} are shared.")

# %% [markdown]
# Now a *fork*, C: it answers A's question too, but its second token is the candidate
# that A's sampler rejected. C shares A's blocks up to there. The last of them already
# holds the token that A chose; before C writes its own in that place, it gets a copy
# of the block: *copy on write*.

# %%
rejected = log.reports[1].emitted[0].top[1][0]  # second best of A's second token
tiny.fork("ours", at=1, token_id=rejected, name="fork")
log.drain()
idle = log.frames[-1]  # A, B and C are done

# %% [markdown]
# Then D brings a long prompt, and the pool is short: blocks that nobody holds are
# *evicted*, oldest first. Move the slider (arrow keys work) and watch owners come and
# go; choose a block with Enter: who holds it, and its hash chain. The map opens
# where C gets its copy. D is not done: **Run one engine
# step** goes on with it.

# %%
from labkit.records import BlockEventKind

long_text = engine.template.render([{"role": "user", "content": "word " * 100}])
long_ids = engine.tokenizer.encode(long_text, allow_special=True)
tiny.add(long_ids, eight_tokens, request="long")
log.step(), log.step()
kinds = [{event.kind for event in frame.events} for frame in log.frames]
copied = next(i for i, here in enumerate(kinds) if BlockEventKind.COPY in here)
pool = BlockMap(log.frames, 4, engine.tokenizer.label, log)
pool.at(copied)

# %% tags=["nbval-check-output"]
most = max(view.ref_count for frame in log.frames for view in frame.blocks)
claim("B found the whole blocks", found == num_shared // 4 * 4)
claim("and so less than the two prompts share", found < num_shared)
claim("some block had three holders at once", most >= 3)
held = [view.block for view in idle.blocks if view.ref_count]
claim("when A, B and C were done nobody held a block", not held)
evicted = [BlockEventKind.EVICT in here for here in kinds]
claim("the long prompt evicted kept blocks", any(evicted[idle.step + 1 :]))
claim("and nobody before it had to", not any(evicted[: idle.step + 1]))

# %%
from labkit.cache.manager import CacheManager

lab.source(CacheManager.writable)

# %% [markdown]
# **In production.** vLLM hashes the parent's hash, the block's tokens and extras such
# as a salt, and caches full blocks only
# ([design](https://docs.vllm.ai/en/latest/design/prefix_caching/), read November
# 2026). Tails go before heads there and here: a block without its parent can never be
# hit. SGLang is reported to keep a radix tree over tokens instead (arXiv 2312.07104).

# %% [markdown]
# ## 7.4 How much of the memory holds nothing?
#
# The alternative to blocks is to reserve, for each request, a strip as long as it might
# ever need. Requests of 24 to 1,000 tokens arrive at a pool of 8,192 slots, and a
# strip has 2,048. What share of the reserved slots holds a token?

# %%
guess_use = lab.predict("Reserved slots in use", between=(0, 100), unit="%")
guess_use

# %%
from random import Random

dice = Random(7)
lengths = [dice.randint(24, 1000) for _ in range(400)]


# %%
def admitted(block_size, reserve=0):
    """(requests in, share of held slots that hold a token) of a full pool."""
    cache = CacheManager(8192 // block_size, block_size, is_caching=False)
    taken = 0
    for i, length in enumerate(lengths):
        if cache.admit(f"r{i}", (), max(length, reserve)) is None:
            break
        taken += length
    return i, taken / (cache.counts().held * block_size)


# %%
strips = admitted(16, reserve=2048)
guess_use.reveal(round(100 * strips[1], 1))

# %% tags=["nbval-check-output"]
sizes = [2**power for power in range(9)]
by_size = {size: admitted(size) for size in sizes}
rows = [(size, n, f"{use:.1%}") for size, (n, use) in by_size.items()]
rows.append(("2,048 reserved", strips[0], f"{strips[1]:.1%}"))
lab.table(["block size", "requests admitted", "held slots in use"], rows)

# %% tags=["plumbing"]
waste = [100 * (1 - by_size[size][1]) for size in sizes]
places = tuple(map(float, sizes))
dots = Series("blocks", places, tuple(waste), Layer.CACHE, "line+dots")
lines = Lines(
    f"Waste grows with the block: {waste[4]:.1f} % at 16, {waste[-1]:.0f} % at 256",
    "Held slots that hold nothing, for blocks of 1 to 256 tokens; with strips of "
    f"2,048 slots it is {100 * (1 - strips[1]):.0f} %.",
    "block size, tokens",
    "held slots that hold nothing, %",
    (dots,),
    x_scale="log2",
)
LiteFigure(lines)

# %% tags=["nbval-check-output"]
claim(
    "a 1,000-token sequence wastes 8 slots in blocks of 16", -(-1000 // 16) * 16 == 1008
)
claim("in a strip of 2,048 it wastes more than half", 1 - 1000 / 2048 > 0.5)
claim(
    "blocks of 16 waste less than a tenth of what strips do",
    waste[4] < 10 * (1 - strips[1]),
)
claim("and admit more than twice the requests", by_size[16][0] > 2 * strips[0])
claim("waste grows with the block", waste[0] < waste[4] < waste[8])

# %% [markdown]
# **Why not blocks of one token?** A sequence's last block is half empty on average, so
# waste is about half a block a sequence. But the table of blocks, and the number of
# separate places that attention must read, grow with its inverse. Sixteen is vLLM's
# customary choice. **In production**: in the systems before paging only 20.4 % to
# 38.2 % of cache memory held a token's state ([Kwon et al.
# 2023](https://arxiv.org/abs/2309.06180)); the same paper reports 2 to 4 times the
# throughput.

# %% [markdown]
# ## 7.5 Why did this prompt miss, and what is a hit worth?
#
# A policy of 100 sentences, and a clock: `Current time: …` is either the first line of
# the system message or the last. One second passes between two requests. With blocks
# of 16, how much of the second prompt is a hit when the time stands *first*?

# %%
guess_hit = lab.predict("Hit, time first", between=(0, 100), unit="%")
guess_hit

# %%
from labkit.labs.cache.miss_examples import examples, stamped

lab.source(stamped)

# %% tags=["measurement"]
from labkit.labs.cache.prefix_probe import PrefixProbe
from labkit.clock import SystemClock
from labkit.widgets.prefix_miss_explainer import Words

reader = engine.tokenizer
words = Words(lambda text: reader.encode(text, allow_special=True), reader.label)
card, pairs = cards.prices["Claude Sonnet 5"], examples()
probe = PrefixProbe(lab.engine_with(), SystemClock(), runs=1)
explainer = PrefixMissExplainer(pairs, words, card, probe.measure)
misses = {name: explainer.of(name) for name in pairs}
first, last = misses["the time first"], misses["the time last"]
guess_hit.reveal(round(100 * first.hit_rate, 1), f"Time last: {last.hit_rate:.1%}.")

# %% [markdown]
# More ways to lose a hit: the same tools in another order, the same object with its
# keys in another order, the first token twice because template *and* tokenizer add it,
# another template. Choose one, edit either prompt, press **Run both**. The money is by
# the card of one model; where a prompt is too short for that model to cache it, the
# page says so.

# %% tags=["measurement"]
first_times = explainer.run()
explainer

# %% tags=["nbval-check-output"]
rows = [
    (name, m.cause, m.shared, m.hit, f"{m.hit_rate:.1%}") for name, m in misses.items()
]
lab.table(["example", "cause", "shared tokens", "hit tokens", "hit rate"], rows)

# %%
last_looks = []
for _ in range(2):
    probe.after(last.first.ids)
    last_looks.append(probe.time(last.second.ids))
last_look = min(last_looks, key=lambda look: look.ms)
long_ms, short_ms = first_times.second_ms, last_look.ms
claim("the engine found what the arithmetic says", first_times.cached == first.hit)
claim("in both cases", last_look.cached == last.hit)
claim("a long miss costs more than a short one", long_ms > short_ms)

# %% tags=["nbval-check-output"]
is_one_block = (first.shared, first.hit) == (25, 16)
claim("time first: 25 tokens shared, one block hit", is_one_block)
claim("time last: 531 shared, 33 blocks hit", (last.shared, last.hit) == (531, 528))
claim("every cause was named", all(m.cause != "other words" for m in misses.values()))
is_short = not card.caches(len(last.second.ids))
claim("all that is too short for the card's model to cache", is_short)

# %% [markdown]
# **Why.** A key depends on every token before it, so a prefix can be reused and nothing
# else; and only whole blocks have a hash:
#
# $$\text{hit}=\lfloor \text{shared}/\text{block}\rfloor\cdot\text{block}.$$
#
# Money follows. An agent calls the model 20 times; its prompt starts at 10,000 tokens
# and grows by 1,000 a call; it writes 500 a call. What share of the uncached bill is
# left when every call hits what the one before it wrote?

# %%
guess_bill = lab.predict("Share of the bill that is left", between=(0, 100), unit="%")
guess_bill

# %%
from itertools import pairwise

prompts = [10_000 + 1_000 * call for call in range(20)]
uncached = sum(card.cost(plain=n, output=500) for n in prompts)
cached = card.cost(write=prompts[0], output=500) + sum(
    card.cost(read=before, write=now - before, output=500)
    for before, now in pairwise(prompts)
)
guess_bill.reveal(round(float(100 * cached / uncached), 1))

# %% tags=["nbval-check-output"]
lab.md(
    f"Uncached **USD {uncached:.3f}**, cached **USD {cached:.4f}** with {card.model}: "
    f"card of {card.date}, {cards.about[card.model]}."
)


# %% tags=["nbval-check-output"]
def left(factor, uses):  # of the uncached price of the same prefix
    return (factor + (uses - 1) / 10) / uses


claim("the agent's prompts are long enough to be cached", card.caches(prompts[0]))
claim("the agent pays less than a third", cached * 3 < uncached)
claim("a write at 1.25 pays from the second use on", left(1.25, 1) > 1 > left(1.25, 2))
claim("a write at 2, kept for an hour, from the third", left(2, 2) > 1 > left(2, 3))

# %% tags=["nbval-check-output"]
rules = [
    (r.vendor, f"{r.minimum_tokens:,}", r.step_tokens or "–", f"{r.write_factor}")
    for r in cards.rules.values()
]
lab.table(["caches", "from tokens", "in steps of", "a write costs, times input"], rules)

# %% [markdown]
# **In production** nobody agrees, and rules move: hence one dated file.
# [OpenAI](https://developers.openai.com/api/docs/guides/prompt-caching) caches by
# itself, and from GPT-5.6 on charges for writes and takes breakpoints;
# [Anthropic](https://platform.claude.com/docs/en/build-with-claude/prompt-caching)
# takes breakpoints or places them for you;
# [DeepSeek](https://api-docs.deepseek.com/guides/kv_cache/) keeps prefix units on disk
# (all read November 2026). The makers of Manus are reported to call the hit rate the
# most important number of an agent in production.

# %% [markdown]
# ## 7.6 Who else can tell that you asked?
#
# A hit is fast. So whoever shares your cache can ask *"has anybody sent this
# beginning?"* and read the answer off a clock. A victim's record is in the cache; the
# attacker knows its form, tries four illnesses in two rounds, and keeps the faster look
# at each. Does the clock single out the right one?

# %%
guess_leak = lab.predict("The clock singles out the illness", options=["yes", "no"])
guess_leak

# %%
illnesses = ["asthma", "diabetes", "migraine", "gout"]
form = "Diagnosis: {}. " + "Advise the patient in plain words. " * 16
guesses = {name: words.encode(form.format(name)) for name in illnesses}
truth = "migraine"


# %%
def attack(victim, attacker):
    rounds = []
    for _ in range(2):  # the faster of two looks; noise only adds
        probe.after(words.encode("Warm up. " * 40))
        probe.time(guesses[truth], victim)
        rounds.append({n: probe.time(ids, attacker) for n, ids in guesses.items()})
    return {n: min((r[n] for r in rounds), key=lambda x: x.ms) for n in guesses}


# %% tags=["measurement"]
shared, salted = attack(None, None), attack("clinic", "attacker")
fastest = min(shared, key=lambda name: shared[name].ms)
guess_leak.reveal("yes" if fastest == truth else "no", f"Fastest: {fastest}.")

# %% [markdown]
# The same again with a *salt*: victim and attacker each mix a word of their own into
# the hashes.

# %% tags=["measurement"]
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
heads = ["no salt: ms", "no salt: hit tokens", "salt: ms", "salt: hit tokens"]
lab.table(["guess", *heads], rows)

# %% tags=["nbval-check-output"]
others = max(shared[n].cached for n in illnesses if n != truth)
claim("the right guess is a hit", shared[truth].cached > others)
claim("and the clock knows it", fastest == truth)
claim("with a salt no guess is a hit", not any(x.cached for x in salted.values()))

# %% [markdown]
# One look is an anecdote. Recorded: many looks at a prefix that is in the cache, and as
# many at one that is not, with a salt and without. The attacker says "hit" below the
# best threshold there is.

# %%
looks = lab.replay_measured("side_channel")
times = {
    "hit": looks["shared_hit_ms"],
    "miss": looks["shared_miss_ms"],
    "salted hit": looks["salted_hit_ms"],
    "salted miss": looks["salted_miss_ms"],
}


# %%


def accuracy(hits, misses):
    cuts = sorted([*hits, *misses])
    right = [sum(h <= c for h in hits) + sum(m > c for m in misses) for c in cuts]
    return max(right) / len(cuts)


open_door = accuracy(times["hit"], times["miss"])
apart = accuracy(times["salted hit"], times["salted miss"])

# %%
every = sorted(ms for kind in times.values() for ms in kind)
limit = every[int(0.95 * len(every))]  # a few late looks would squeeze the rest


def curve(name, layer):
    near = [ms for ms in sorted(times[name]) if ms <= limit]
    shares = [100 * (i + 1) / len(times[name]) for i in range(len(near))]
    return Series(name, (0.0, near[0], *near), (0.0, 0.0, *shares), layer)


# %%
middles = ", ".join(f"{name} {median(ms):.1f} ms" for name, ms in times.items())
late = sum(ms > limit for ms in every)
alt = f"Medians: {middles}. {late} of {len(every)} looks took over {limit:.0f} ms."
told = f"A clock is right on {open_door:.0%} of looks, with a salt on {apart:.0%}"
hues = [Layer.CACHE, Layer.COMPUTE, Layer.SAMPLING, Layer.NETWORK]
parts = tuple(curve(name, hue) for name, hue in zip(times, hues, strict=True))
LiteFigure(
    Lines(told, alt, "ms to the first token", "looks answered by then, %", parts)
)

# %%
mixed, coin = [*times["salted hit"], *times["salted miss"]], Random(0)


def by_luck():  # which of the salted looks are called hits is drawn by lot
    drawn, half = coin.sample(mixed, len(mixed)), len(mixed) // 2
    return accuracy(drawn[:half], drawn[half:])


luck = median(by_luck() for _ in range(200))
chance = f"Where lots say which looks are called hits, it is right on {luck:.0%}."
lab.md(f"{told}. {chance} {alt} {looks.origin}")

# %% [markdown]
# Why more than 50 % with nothing to find? The threshold was fitted to the same looks
# that it then judges, so it profits from their accidents. That is what the lot shows.

# %% tags=["nbval-check-output"]
claim("without a salt the clock is nearly always right", open_door > 0.9)
claim("with one it is at most ten points better than the lot", apart < luck + 0.1)

# %% [markdown]
# **Why.** The salt is hashed into the first block, and every hash depends on the one
# before it: tenants with different salts never meet. They also never help each other,
# which is the price. **In production**: an audit of language model APIs detected
# caches shared between users at seven providers ([Gu et al.
# 2025](https://arxiv.org/abs/2502.07776)). vLLM takes a `cache_salt` in the request.

# %% [markdown]
# ## 7.7 Is a cached answer the same answer?
#
# In exact arithmetic, yes. A computer adds in some order, and in most programs it
# depends on how many tokens a pass has. Compute our 34 tokens in one pass, and again as
# a cache does: 32 of them in one pass, the rest in another; or in three chunks. First
# with PyTorch's own matrix products: by how much do the 49,152 logits differ at most,
# in float32?

# %%
choices = ["exactly 0", "less than 0.001", "more than 0.001"]
guess_delta = lab.predict("Largest difference, PyTorch, float32", options=choices)
guess_delta

# %%
from labkit.labs.compute.passes import last_logits
from labkit.model.fetch import weights_path
from labkit.model.weights import load_model

ways = {"cached": [32, 2], "chunked": [12, 12, 10]}


# %%
def compared(decoder, name):
    whole = last_logits(decoder, ids, [len(ids)])
    for way, lengths in ways.items():
        parts = last_logits(decoder, ids, lengths)
        delta = float((whole - parts).abs().max())
        yield (name, way), (delta, bool(whole.argmax() == parts.argmax()))


# %% tags=["measurement"]
deltas = {}
for dtype in (torch.float32, torch.bfloat16):
    plain = load_model(weights_path(), dtype=dtype, kernels="torch").decoder
    deltas |= compared(plain, str(dtype)[6:])
worst = max(deltas["float32", way][0] for way in ways)
guess_delta.reveal(choices[0 if worst == 0 else 1 if worst < 0.001 else 2])

# %% [markdown]
# This engine has products of its own, where a processor and a C compiler allow them.
# They add each token's numbers in one order, whatever else is in the pass.

# %% tags=["measurement"]
has_kernels = lab.model.kernels == "native"
engine_name = "this engine's kernels" if has_kernels else "this engine, by PyTorch"
deltas |= compared(lab.model.decoder, engine_name)
rows = [
    (numbers, way, f"{delta:.6f}", "the same" if is_same else "another")
    for (numbers, way), (delta, is_same) in deltas.items()
]
heads = ["computed", "largest difference of a logit", "best token"]
lab.table(["numbers", *heads], rows)

# %% tags=["nbval-check-output"]
coarse = max(deltas["bfloat16", way][0] for way in ways)
own = max(deltas[engine_name, way][0] for way in ways)
is_led = all(deltas["float32", way][1] for way in ways)
claim("PyTorch, float32: the difference is tiny", worst < 0.001)
claim("bfloat16: in one way at least, over a hundred times that", coarse > 100 * worst)
claim("this engine's kernels: not one bit differs", own == 0 or not has_kernels)
claim("the best token stays the same in float32", is_led)

# %% [markdown]
# **Why.** For each length of a pass PyTorch picks a program, and each program adds in
# its own order. Two lengths may happen to get the same one; then a row of the table is
# 0, in bfloat16 too. Nothing promises that it stays so on another machine.

# %% tags=["nbval-check-output"]
cold = list(lab.engine_with(prefix_caching=False).stream(ids, greedy))
warm = list(engine.stream(ids, greedy))
claim(
    "our question, from the cache and without one, has the same answer",
    [e.token_id for e in cold] == [e.token_id for e in warm],
)

# %% [markdown]
# **In production.** vLLM's documentation says that prefix caching will not change
# model outputs. Read it as: not beyond rounding. Where two candidates are nearly equal
# a difference of this size can swap them. Other people's requests in your batch do the
# same: chapter 8 measures by how much.

# %% [markdown]
# ## What you may have heard
#
# | you may have heard | what settles it |
# |---|---|
# | "The cache stores answers." | Below: one late word changed; another answer. |
# | "The same text anywhere in the prompt hits." | Below: the paragraph moved, no hit. |
# | "GQA saves work in the queries." | Below: only keys and values project less. |
# | "The KV cache is small." | 7.1: 40 GiB for one chat of 131,072 tokens. |
# | "Order of JSON keys is cosmetic." | 7.5: hit lost from there on. |


# %%
def ask(text):
    before = engine.cache_stats().hit_tokens
    found = list(engine.stream(words.encode(text), greedy))
    return engine.cache_stats().hit_tokens - before, [e.token_id for e in found]


# %% tags=["nbval-check-output"]
notes = "The harbour has a red lamp, a blue boat and a green gate. " * 4
ask(f"{notes}The lamp is")
hit_gate, says_gate = ask(f"{notes}The gate is")
hit_boat, says_boat = ask(f"{notes}The boat is")
moved, _ = ask(f"By the way. {notes}The gate is")
claim("a late word changed: the hit stays", hit_gate == hit_boat > 0)
claim("and the answer changes", says_gate != says_boat)
claim("the paragraph moved: no hit", moved == 0)

# %% tags=["nbval-check-output"]
from dataclasses import replace

from labkit.labs.compute.stopwatch import linear_params

as_mha = replace(shape, num_kv_heads=shape.num_heads)
more = linear_params(as_mha) - linear_params(shape)  # weights that a token meets
added = (as_mha.num_kv_heads - shape.num_kv_heads) * shape.head_dim * shape.width
claim("9 heads for 3: only keys and values grow", more == 2 * shape.num_layers * added)

# %% [markdown]
# ## Exercises
#
# **1.** How many bytes does a token of Qwen2.5-7B leave in the cache, with 8 bits a
# number? It has 28 layers, 4 key/value heads and 128 numbers a head. Put your number,
# or a function of (layers, kv_heads, head_dim, element_bytes), in place of `...` and
# run the cell.

# %% tags=["exercise", "nbval-check-output"]
lab.check("7.1", ...)

# %% [markdown]
# <details><summary>Hint</summary>
#
# A key and a value, in every layer, for every key/value head.
# </details>
# <details><summary>Solution</summary>
#
# 2 · 28 · 4 · 128 · 1, in the next cell.
# </details>

# %% tags=["solution", "nbval-check-output"]
# a solution
qwen = cards.models["Qwen2.5-7B"]
qwen_shape = (qwen.num_layers, qwen.num_kv_heads, qwen.head_dim)
claim("Qwen2.5-7B has 28 layers, 4 heads, 128 numbers", qwen_shape == (28, 4, 128))
lab.check("7.1", lambda layers, heads, dim, size: 2 * layers * heads * dim * size)

# %% [markdown]
# **2.** Two prompts share 700 tokens. How many are a hit in blocks of 32? As a
# function: of (shared, step, minimum); below the minimum nothing is cached. (OpenAI's
# older rule, steps of 128 from 1,024 on, is among the cases.)

# %% tags=["exercise", "nbval-check-output"]
lab.check("7.2", ...)

# %% [markdown]
# <details><summary>Hint</summary>
#
# Whole steps only; and nothing at all below the minimum.
# </details>
# <details><summary>Solution</summary>
#
# 21 · 32, in the next cell.
# </details>

# %% tags=["solution", "nbval-check-output"]
# a solution
lab.check(
    "7.2",
    lambda shared, step, minimum: shared // step * step if shared >= minimum else 0,
)

# %% [markdown]
# **3.** How many sequences of 8,192 tokens fit beside Llama-3-8B in 90 % of an H200?
# Weights take 2 bytes for each of 8,030,261,248 parameters, a token of cache 131,072
# bytes, and the GPU has 141 · 10⁹ bytes. As a function: of (memory, weights, token,
# context), in bytes and tokens.

# %% tags=["exercise", "nbval-check-output"]
lab.check("7.3", ...)

# %% [markdown]
# <details><summary>Hint</summary>
#
# What is left of 90 % of the memory after the weights, in units of one sequence?
# </details>
# <details><summary>Solution</summary>
#
# (126.9 · 10⁹ − 16.06 · 10⁹) / 2³⁰, whole sequences only, in the next cell.
# </details>


# %% tags=["solution", "nbval-check-output"]
def sequences(memory, weights, token, context):
    return int((0.9 * memory - weights) // (token * context))


from labkit.figures.kv import KVLoad, kv_sums

sums = kv_sums(cards.models["Llama-3-8B"], cards.gpus["H200 SXM"], KVLoad(8192))
ours = sequences(141e9, 2 * 8_030_261_248, 131_072, 8192)
claim("the function agrees with the calculator", ours == sums.max_sequences)
lab.check("7.3", sequences)

# %% [markdown]
# ## Where you are
#
# The request has its blocks, and perhaps found some of them filled. Here is its life,
# first as it was asked for the first time and then again.

# %%
once = lab.replay_trace("first")
TraceBar(once, lit=Layer.CACHE)

# %%
TraceBar(again, lit=Layer.CACHE)

# %%
first_ms, again_ms = (t.named("prefill").duration_s * 1000 for t in (once, again))
hit = int(again.meta["cached_tokens"])
saved = card.cost(plain=hit) - card.cost(read=hit)
num_bytes = hit * shape.kv_bytes_per_token(4)
lab.md(
    f"Of {len(ids)} tokens **{hit}** were found, **{num_bytes:,} bytes** of float32 "
    f"keys and values. Prefill took {first_ms:.1f} ms the first time and "
    f"**{again_ms:.1f} ms** the second. At the prices of {card.model} a million such "
    f"hits would save **USD {saved * 1_000_000:,.2f}**, if prompts this short were "
    f"cached there; they are from {card.minimum_tokens:,} tokens on."
)

# %% tags=["nbval-check-output"]
claim("the first time nothing was known", once.meta["cached_tokens"] == 0)
claim("the second time all whole blocks were", hit == len(ids) // 16 * 16)
claim("and the prefill took less than half as long", again_ms * 2 < first_ms)

# %% [markdown]
# **What production systems do differently.** They keep the cache across machines and on
# disks, send you to the machine that knows your prefix, store keys and values in 8 bits
# or fewer, and guard shared prefixes with salts. **Next door**: chapter 8 computes what
# was not found, and asks why the first token is slow and the next one is not.

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
