# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 9 · Sampling
#
# ![Layer 9 of 12: sampling](images/layer_09.svg)
#
# A model gives one number for every token of its vocabulary, and then one token has to
# be chosen. This chapter opens each step between the two, lets you turn every knob, and
# shows that the same settings give different texts in different engines.
#
# *40 minutes · needs the weights (98 MB, fetched once); no GPU, no key. At the end you
# can say what each sampling setting does to the probabilities, in which order, and why
# the same settings are not the same elsewhere.*
#
# **Press Shift+Enter in the first cell, and again in each one that follows.** Folded
# cells make tables, pictures and checks; a click on their dots opens them.

# %% tags=["plumbing"]
from labkit.book import start

lab = start(chapter=9)
lab.opening()
# If labkit is missing: this book has no public address yet to install it from, so run
# `make lab` in a copy of the project and open the chapter there.

# %% [markdown]
# **Scene.** Your question about "strawberry" 🍓 has been tokenized and the model has
# read it. What came out is a vector with one number for each token of the vocabulary.
# These numbers are called *logits*: the larger a token's logit, the likelier the token
# comes next. No text exists yet. Something has to choose a single token from the
# vector, and then do the same again for the next one. This looks like a detail, but
# four well-known engines do it in four ways.

# %% tags=["plumbing"]
import math

import torch

from labkit.book import claim
from labkit.figures.drawings import Lines, Series
from labkit.labs.sampling.bench import Bench, preset_orders, total_variation
from labkit.labs.sampling.logits import prompt_ids
from labkit.records import Layer
from labkit.sampling.pipeline import draw, exponential_noise
from labkit.widgets import BranchTree, OrderCompare, SamplingBench, TraceBar
from labkit.widgets.figure import LiteFigure
from labkit.widgets.order_compare import title_of
from labkit.widgets.sampling_bench import STAGES


def ids_of(question):
    user = {"role": "user", "content": question}
    return prompt_ids(lab.engine, [*lab.request[:1], user])


# %% [markdown]
# ## 9.1 How many tokens are still in the running?
#
# The *softmax* turns logits into probabilities: numbers above 0 that add up to 1. All
# of them together are the model's *distribution*. Every token has a probability in it,
# however small. *Top-p* is a filter that cuts off the unlikely tail. It goes through
# the tokens from the likeliest down, keeps them until their probabilities add up to
# *p*, and drops all the others. The tokens that it keeps are called the *nucleus*.
#
# Take *p* = 0.95 and set nothing else. How many tokens of the whole vocabulary can
# still become the first token of the answer?

# %%
guess_kept = lab.predict("Tokens that survive top-p 0.95", between=(1, 49_152))
guess_kept

# %%
ids = prompt_ids(lab.engine, lab.request)
bench = Bench.at(lab.engine, ids)  # the logits that choose the answer's first token
nucleus = bench.run({"top_p": 0.95}, ["top_p"])[1]
guess_kept.reveal(nucleus.kept)

# %% tags=["plumbing", "nbval-check-output"]
claim(
    "Top-p 0.95 keeps less than a tenth of the vocabulary for the first token.",
    nucleus.kept < len(bench.logits) / 10,
)

# %% [markdown]
# Now turn the knobs yourself. Each row below is one *stage*: a function that takes
# logits and gives logits. Look at three numbers in its row. *Survivors* counts the
# tokens that are left. *Probability moved* says how much of the distribution the stage
# has shifted from some tokens to others. *Entropy* measures how uncertain the choice
# still is, in *nats*: it is 0 when one token is certain, and ln *n* when *n* tokens are
# equally likely.
#
# The last row draws the token. Its random noise stays the same until you change it, so
# if another token is picked, a knob was the cause. A stage can be moved: drag its
# handle, or press an arrow key on it.

# %%
label = lab.engine.tokenizer.label
lab.follow(
    SamplingBench(bench, label, preset_orders(STAGES), temperature=0.8, top_p=0.95)
)

# %% tags=["plumbing"]
before, *_, cut, _ = bench.run({"temperature": 0.8, "top_p": 0.95}, STAGES)
lab.md(
    f"With its opening settings the bench keeps **{cut.kept:,}** of {before.kept:,} "
    f"tokens, and the entropy falls from {before.entropy:.2f} to "
    f"**{cut.entropy:.2f} nats**. "
    "*Typical* keeps the tokens whose surprise is nearest to the entropy. The two "
    "penalties that are greyed out count tokens of the answer; no token of it exists "
    "yet, so they have nothing to count until section 9.3."
)

# %% [markdown]
# "Top-p 0.9 keeps 90 % of the tokens" is a common belief. To test it, take a sentence
# that a person has written, and stop before each of its tokens. Look at two columns:
# how many tokens the filter allowed at that place, and whether the person's own token
# was one of them.

# %%
tale = "The lighthouse stood on a rock in the sea, and every night its light turned."
text = lab.engine.tokenizer.encode(tale)
places = Bench.along(lab.engine, ids_of("Tell me a story."), text)
allowed = [place.probs("labkit", top_p=0.9) > 0 for place in places]
sizes = [int(each.sum()) for each in allowed]
was_in = [bool(each[token]) for each, token in zip(allowed, text, strict=True)]

# %% tags=["plumbing"]
rows = [
    (label(i), f"{size:,}", "yes" if is_in else "no")
    for i, size, is_in in zip(text, sizes, was_in, strict=True)
]
lab.table(["the person's token", "tokens allowed, p = 0.9", "was it allowed?"], rows)

# %% tags=["plumbing"]
lab.md(
    f"The nucleus changes its size at every token: from **{min(sizes):,}** to "
    f"**{max(sizes):,}**. The person's token was outside it at "
    f"**{was_in.count(False)}** of {len(text)} places."
)

# %%
claim(
    "The largest nucleus of the sentence is over 20 times as large as the smallest.",
    max(sizes) > 20 * min(sizes),
)
claim(
    "A sentence that a person wrote has tokens that top-p 0.9 would not allow.",
    not all(was_in),
)

# %% [markdown]
# **Why.** With logits $z_i$ and temperature $T$, the probabilities are
# $p_i=\mathrm{softmax}(z_i/T)$. Each filter has a rule of its own:
#
# - *top-k* keeps the $k$ likeliest tokens, whatever their probabilities are;
# - *top-p* keeps the fewest of the likeliest tokens with $\sum p_i\ge p$;
# - *min-p* keeps the tokens with $p_i\ge m\cdot\max_j p_j$, so its limit depends on the
#   likeliest one.
#
# A filter drops a token by setting its logit to $-\infty$. The next softmax then gives
# it probability 0, and divides what is left by its sum. Where the model is sure, the
# nucleus is small; where many words fit, it is large. (Top-p:
# [arXiv 1904.09751](https://arxiv.org/abs/1904.09751); typical:
# [arXiv 2202.00666](https://arxiv.org/abs/2202.00666).)

# %% [markdown]
# ## 9.2 Is the order of the stages a detail?
#
# vLLM, transformers, llama.cpp and SGLang have the same knobs, but they run the stages
# in different orders. Set temperature 2 and top-p 0.9 in all four, on one vector of
# logits. Then measure how far two of the resulting distributions are apart by their
# *total variation*: the part of the probability that would have to move from some
# tokens to others to make the two equal. It is 0 % for equal distributions, and 100 %
# if no token is possible in both.
#
# How far apart are the two engines that differ most?

# %%
guess_apart = lab.predict(
    "Total variation between the two engines that differ most",
    between=(0, 100),
    unit="%",
)
guess_apart

# %%
views = bench.compare({"temperature": 2.0, "top_p": 0.9})
apart = max(max(view.distances) for view in views)
guess_apart.reveal(round(100 * apart, 1))

# %% [markdown]
# Below are the four engines at temperature 1. Look at the four bars of one token: they
# are equally high. Now move *Temperature* to 2, and look at the bars on the far right,
# which add up all the other tokens.

# %%
lab.follow(OrderCompare(bench, label, temperature=1.0, top_p=0.9))

# %% tags=["plumbing"]
by_kept = sorted(views, key=lambda view: view.kept)
lab.md(
    f"At temperature 2, {title_of(by_kept[0].name)} keeps **{by_kept[0].kept:,}** "
    f"tokens and {title_of(by_kept[-1].name)} keeps **{by_kept[-1].kept:,}**. To "
    "make one of the two engines that differ most into the other, "
    f"**{100 * apart:.0f} %** of the probability would have to move."
)

# %% [markdown]
# The difference has one cause. A temperature above 1 makes the distribution flatter. If
# top-p is applied after that, it needs many more tokens to reach its sum. llama.cpp
# applies top-p first and the temperature last, so its nucleus is that of the model's
# own distribution. The next picture shows the size of the nucleus at eight
# temperatures. Look at the two lines right of temperature 1.

# %%
heats = [0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0]


def nucleus_sizes(engine):
    knobs = [{"temperature": heat, "top_p": 0.9} for heat in heats]
    return [float((bench.probs(engine, **k) > 0).sum()) for k in knobs]


first, last = nucleus_sizes("transformers"), nucleus_sizes("llama_cpp")

# %% tags=["plumbing"]
dots = "line+dots"
series = (
    Series("temperature first", tuple(heats), tuple(first), Layer.SAMPLING, dots),
    Series("temperature last", tuple(heats), tuple(last), Layer.NETWORK, dots),
)
title = (
    f"At temperature 2 the nucleus has {first[-1]:,.0f} tokens with the temperature "
    f"first, {last[-1]:,.0f} with it last"
)
alt = f"Top-p 0.9; at temperature 1 both orders keep {first[3]:,.0f} tokens."
axes = ("temperature", "tokens in the nucleus")
LiteFigure(Lines(title, alt, *axes, series, y_scale="log10"))

# %% tags=["plumbing"]
grown = first[-1] / first[3]
lab.md(
    f"From temperature 1 to 2 the nucleus grows **{grown:,.0f} times** as large where "
    "the temperature comes first"
    + (", and not at all where it comes last." if len(set(last)) == 1 else ".")
)

# %% tags=["plumbing"]
calm = bench.compare({"temperature": 1.0, "top_p": 0.9})
claim(
    "At temperature 1, top-p alone gives the same distribution in all four engines.",
    max(max(view.distances) for view in calm) < 0.001,
)
claim(
    "At temperature 2, over 30 % of the probability would have to move.",
    apart > 0.3,
)
claim(
    "If top-p comes before the temperature, the temperature never changes the nucleus.",
    len(set(last)) == 1,
)
claim(
    "If the temperature comes first, the nucleus grows over tenfold from 1 to 2.",
    first[-1] > 10 * first[3],
)

# %% [markdown]
# One might expect all four engines to agree whenever the temperature is 1. The next
# table tests this with two filters at once (top-k 50, top-p 0.9), and then with three
# (min-p 0.05 as well). Look for distances to vLLM that are not 0.

# %% tags=["plumbing"]
mild = {"temperature": 1.0, "top_k": 50, "top_p": 0.9}
without, with_min_p = bench.compare(mild), bench.compare({**mild, "min_p": 0.05})
rows = [
    (title_of(a.name), a.kept, f"{a.distances[0]:.3f}", b.kept, f"{b.distances[0]:.3f}")
    for a, b in zip(without, with_min_p, strict=True)
]
gap = "distance to vLLM"
head = ["engine", "kept by two filters", gap, "kept by three", gap]
lab.table(head, rows)

# %% tags=["plumbing"]
kept_by = {view.name: view.kept for view in without}
kept_min_p = {view.name: view.kept for view in with_min_p}
claim(
    "SGLang, which judges top-k and top-p jointly, keeps more tokens than vLLM.",
    kept_by["sglang"] > kept_by["vllm"],
)
claim(
    "vLLM, which runs min-p first, keeps fewer tokens than llama.cpp.",
    kept_min_p["vllm"] < kept_min_p["llama_cpp"],
)

# %% [markdown]
# **Why.** After a filter, the probabilities of the survivors are divided by their sum,
# so each of them grows. A later top-p therefore reaches its sum sooner and keeps fewer
# tokens. SGLang judges all filters on the model's own distribution, so its top-p does
# not see any probability grow, and more tokens survive. vLLM runs min-p before top-k
# and top-p, and so its top-p keeps fewer tokens than elsewhere. In the other engines
# min-p comes last, or is judged together with the others.

# %% [markdown]
# The same can be checked with a pencil in two small cases. In the first, four tokens
# have the probabilities .5, .3, .15 and .05; the temperature is 2 and top-p is .75. In
# the second they are .4, .3, .2 and .1, with top-k 2 and top-p .5. The table has the
# number of tokens that survive in each engine. Look for the engine that differs from
# the others: it is not the same one in both cases.

# %% tags=["plumbing", "nbval-check-output"]
pencil = Bench(torch.tensor([0.5, 0.3, 0.15, 0.05]).log())
kept = {v.name: v.kept for v in pencil.compare({"temperature": 2.0, "top_p": 0.75})}
joint = Bench(torch.tensor([0.4, 0.3, 0.2, 0.1]).log())
both = {v.name: v.kept for v in joint.compare({"top_k": 2, "top_p": 0.5})}
rows = [(title_of(name), kept[name], both[name]) for name in kept]
lab.table(["engine", "temperature 2, top-p .75", "top-k 2, top-p .5"], rows)

# %% tags=["plumbing", "nbval-check-output"]
claim(
    "In the first case 3 tokens survive in vLLM and 2 in llama.cpp.",
    (kept["vllm"], kept["llama_cpp"]) == (3, 2),
)
claim(
    "In the second case 1 token survives in vLLM and 2 in SGLang.",
    (both["vllm"], both["sglang"]) == (1, 2),
)

# %% [markdown]
# **In production** (code read 2026). vLLM runs penalties, temperature, min-p, then
# top-k and top-p
# ([sampler.py](https://github.com/vllm-project/vllm/blob/main/vllm/v1/sample/sampler.py)).
# transformers runs penalties, temperature, top-k, top-p, min-p
# ([utils.py](https://github.com/huggingface/transformers/blob/main/src/transformers/generation/utils.py)).
# llama.cpp runs the temperature last
# ([common.h](https://github.com/ggml-org/llama.cpp/blob/master/common/common.h)).
# SGLang judges top-k and top-p jointly
# ([sampler.py](https://github.com/sgl-project/sglang/blob/main/python/sglang/srt/layers/sampler.py)).
# Some services take the knobs away: Claude Opus 4.7 answers with status 400 and
# "`temperature` is deprecated for this model"
# ([inspect_ai#3721](https://github.com/UKGovernmentBEIS/inspect_ai/issues/3721),
# 2026-04).

# %% [markdown]
# ## 9.3 Is a repetition penalty harmless?
#
# A *repetition penalty* θ makes tokens that were seen before less likely. It divides
# such a token's logit by θ if the logit is positive, and multiplies it by θ if it is
# negative. But only the differences between logits matter: add 10 to all of them, and
# the softmax gives exactly the same probabilities.
#
# Take the logits 2, 1 and −1, and a penalty of 1.3 on the first token. Its probability
# falls from .705 to .601. Now add 10 to all three logits *before* the penalty. What is
# the first token's probability then?

# %%
guess_shift = lab.predict("Probability of the first token", between=(0, 1))
guess_shift

# %% tags=["nbval-check-output"]
three = Bench(torch.tensor([2.0, 1.0, -1.0]), prompt_ids=[0])  # the first was seen
penalty = {"repetition_penalty": 1.3}
at_0 = float(three.probs("transformers", **penalty)[0])
at_10 = float(three.shifted(10).probs("transformers", **penalty)[0])
guess_shift.reveal(round(at_10, 3), "The model's distribution was the same.")

# %% tags=["plumbing", "nbval-check-output"]
free = float(three.probs("transformers")[0])
claim(
    "The first token has .705 without a penalty, .601 with it, and .131 with it after "
    "10 was added.",
    [round(value, 3) for value in (free, at_0, at_10)] == [0.705, 0.601, 0.131],
)

# %% [markdown]
# The same happens to a real vector. The prompt below contains the answer, so the first
# token of the answer counts as seen. The picture shows this token's probability while a
# constant is added to all logits. Look at the line without a penalty first: it is flat.

# %%
city = "Canberra"
question = f"{city} is the capital of Australia. Name the capital of Australia."
asked = Bench.at(lab.engine, ids_of(question))
wanted = lab.engine.tokenizer.encode(city)[0]
shifts = [float(shift) for shift in range(-40, 21, 5)]


def percent_at(shift, penalty):
    probs = asked.shifted(shift).probs("vllm", repetition_penalty=penalty)
    return 100 * float(probs[wanted])


# %% tags=["plumbing"]
curves = {p: [percent_at(shift, p) for shift in shifts] for p in (1.0, 1.1, 1.3)}
layers = (Layer.NETWORK, Layer.CACHE, Layer.SAMPLING)
names = ("no penalty", "penalty 1.1", "penalty 1.3")
series = tuple(
    Series(name, tuple(shifts), tuple(curve), layer, "line+dots")
    for name, curve, layer in zip(names, curves.values(), layers, strict=True)
)
low, high = min(curves[1.3]), max(curves[1.3])
title = f"Penalty 1.3 leaves {label(wanted)!r} between {low:.4f} % and {high:.2f} %"
alt = f"Without a penalty it has {curves[1.0][0]:.2f} % whatever is added."
axes = ("constant added to all logits", f"probability of {label(wanted)!r}, %")
LiteFigure(Lines(title, alt, *axes, series))

# %% tags=["plumbing"]
logit = float(asked.logits[wanted])
peak = shifts[curves[1.3].index(high)]
nearest = min(shifts, key=lambda shift: abs(logit + shift))
lab.md(
    f"The model gives {label(wanted)!r} a logit of **{logit:.1f}**. The line of "
    f"penalty 1.3 is highest where **{peak:g}** is added, which brings the logit to "
    f"**{logit + peak:.1f}**."
)

# %% tags=["plumbing"]
claim(
    "Without a penalty, the constant does not change the probability.",
    max(curves[1.0]) / min(curves[1.0]) < 1.001,
)
claim(
    "With penalty 1.3, the constant changes the probability over tenfold.",
    high > 10 * low,
)
claim(
    "The penalty does least where the constant brings the logit nearest to 0.",
    peak == nearest,
)

# %% [markdown]
# **Why.** The penalty takes $z(1-1/\theta)$ off a logit $z>0$, and $|z|(\theta-1)$ off
# a negative one. So it grows with the distance of the logit from 0, and at 0 it does
# nothing. The *frequency* and *presence* penalties have no such fault, because they
# subtract: $z_i-\alpha_f\,c_i-\alpha_p[c_i>0]$, where $c_i$ counts how often token $i$
# was written. The repetition penalty comes from CTRL ([arXiv
# 1909.05858](https://arxiv.org/abs/1909.05858)), which only divides; transformers added
# the case of negative logits in 2019
# ([#2303](https://github.com/huggingface/transformers/pull/2303)).

# %% [markdown]
# The engines also disagree about which tokens were "seen". In vLLM and transformers the
# repetition penalty looks at prompt and output. vLLM's frequency and presence penalties
# look at the output only. In llama.cpp all three look at the last 64 tokens of prompt
# and output together. The table has the *log-probability* of the same token (the
# natural logarithm of its probability; 0 would be certain) under each rule: once after
# the short prompt above, once after a long one with the name far from its end.

# %% tags=["plumbing"]
tail_ids = ids_of(question + " Answer in one word, please." * 12)
far = Bench.at(lab.engine, tail_ids)
repetition, frequency = {"repetition_penalty": 1.3}, {"frequency_penalty": 1.0}
rules = {
    "no penalty": ("vllm", {}),
    "repetition 1.3, vLLM: prompt and output": ("vllm", repetition),
    "repetition 1.3, llama.cpp: last 64 tokens": ("llama_cpp", repetition),
    "frequency 1, vLLM: output only": ("vllm", frequency),
    "frequency 1, llama.cpp: last 64 tokens": ("llama_cpp", frequency),
}
logs = {
    rule: [float(b.probs(engine, **k)[wanted].log()) for b in (asked, far)]
    for rule, (engine, k) in rules.items()
}
rows = [(rule, *(f"{value:.2f}" for value in pair)) for rule, pair in logs.items()]
lab.table(["rule", "log-probability, short prompt", "long prompt"], rows)

# %% tags=["plumbing"]
none, whole_text, recent, output_only, recent_frequency = logs.values()
claim(
    "vLLM's repetition penalty makes an answer that the prompt contains less likely.",
    whole_text[0] < none[0] - 1,
)
claim(
    "vLLM's frequency penalty does not change the first token of an answer.",
    output_only == none,
)
claim(
    "llama.cpp's frequency penalty counts the prompt, so it does change it.",
    recent_frequency[0] < none[0] - 0.5,
)
claim(
    "In the long prompt the name is not among the last 64 tokens, and so llama.cpp "
    "penalises it less than vLLM does.",
    wanted not in tail_ids[-64:] and recent[1] > whole_text[1],
)

# %% [markdown]
# In the bench of section 9.1 the frequency and presence penalties had nothing to count.
# In the next one, "no," has been written three times already. Turn *frequency*, and
# look at the bar of "no": the penalty is subtracted from its logit once for each
# occurrence. Then turn *presence*: it is subtracted once, however often the token was
# written.

# %%
so_far = lab.engine.tokenizer.encode(" no, no, no,")
again = Bench.at(lab.engine, ids_of("Write the word no ten times."), so_far)
SamplingBench(again, label, preset_orders(STAGES), frequency_penalty=0.5)

# %%
by_count = again.probs("labkit", frequency_penalty=0.5)
at_once = again.probs("labkit", presence_penalty=1.5)
claim(
    "After three occurrences, a frequency penalty of 0.5 equals a presence penalty of "
    "1.5.",
    total_variation(by_count, at_once) < 1e-6,
)

# %% [markdown]
# What if repetition is part of the syntax? JSON repeats `"` and `}` all the time. A
# small model's own JSON may be wrong for other reasons, so we give it *correct* JSON
# and look at each token: is the correct token still the likeliest one, and what is its
# mean log-probability?

# %%
valid = '[{"name": "Ann", "age": 31}, {"name": "Bob", "age": 45}, {"name": "Cleo"}]'
asked_json = ids_of("Write a JSON array of people with name and age.")
right = lab.engine.tokenizer.encode(valid)
places = Bench.along(lab.engine, asked_json, right)


def judged(penalty):
    found = [place.probs("vllm", repetition_penalty=penalty) for place in places]
    best = sum(int(q.argmax()) == t for q, t in zip(found, right, strict=True))
    logs = [float(q[t].log()) for q, t in zip(found, right, strict=True)]
    return best, sum(logs) / len(logs)


# %% tags=["plumbing"]
verdicts = {penalty: judged(penalty) for penalty in (1.0, 1.1, 1.2, 1.3, 1.5)}
rows = [(penalty, best, f"{mean:.2f}") for penalty, (best, mean) in verdicts.items()]
best_of = f"correct token is the likeliest, of {len(right)}"
lab.table(["repetition penalty", best_of, "mean log-probability"], rows)

# %% tags=["plumbing"]
best, mean_logs = zip(*verdicts.values(), strict=True)
rises = mean_logs[1] > mean_logs[0]
helped = (
    f"At penalty 1.1 the mean rises from {mean_logs[0]:.2f} to **{mean_logs[1]:.2f}**: "
    "a mild penalty takes some probability from wrong tokens, too. Greedy decoding, "
    "which takes the likeliest token, gains nothing: the correct token is the "
    f"likeliest at **{best[1]}** places, and without a penalty at {best[0]}."
)
lab.md(helped if rises else "Even the mildest penalty of the table lowers the mean.")

# %% tags=["plumbing"]
claim(
    "A repetition penalty of 1.5 makes correct JSON less likely.",
    mean_logs[-1] < mean_logs[0],
)
claim(
    "With a penalty of 1.5, the correct token is the likeliest at fewer places.",
    best[-1] < best[0],
)

# %% [markdown]
# **In production.** transformers has an open proposal for a repetition penalty on
# log-probabilities instead of logits
# ([#48642](https://github.com/huggingface/transformers/pull/48642), 2026-09). A
# constant then cancels out, because a log-probability is a logit minus the logarithm of
# the sum over all of them. The proposal points out that the library's beam search has
# worked on log-probabilities all along.

# %% [markdown]
# ## 9.4 Where does the chance come from?
#
# The textbook method adds up probabilities until the sum passes a random number.
# Engines use another method, the *exponential race*. For each token they draw a waiting
# time from the exponential distribution with mean 1, and divide it by the token's
# probability. The token with the *shortest* time wins and is the next token.
#
# Is this the same lottery? Let four tokens with the probabilities .4, .3, .2 and .1
# race 20,000 times. How often does the first token win?

# %%
guess_race = lab.predict("Wins of the first token, in %", between=(0, 100), unit="%")
guess_race

# %%
p = torch.tensor([0.4, 0.3, 0.2, 0.1])
races = lab.progress(range(20_000), "Running the races")
noise = torch.stack([exponential_noise(7, place, 4) for place in races])
wins = torch.bincount((noise / p).argmin(dim=1), minlength=4)
guess_race.reveal(round(100 * wins[0].item() / 20_000, 2))

# %% [markdown]
# To judge all four tokens at once we use the *chi-square test*. Its number χ² adds up
# the squared differences between the wins and the expected wins, each divided by the
# expected wins. For four tokens, chance alone makes it larger than 16.27 only once in a
# thousand trials.

# %%
want = 20_000 * p
chi_square = float(((wins - want) ** 2 / want).sum())
lab.md(f"For these races, χ² = **{chi_square:.2f}**.")

# %% tags=["plumbing"]
claim(
    "The race draws each token with its probability: χ² is below 16.27.",
    chi_square < 16.27,
)
claim(
    "Equal seed and equal place in the output give equal noise.",
    torch.equal(noise[5], exponential_noise(7, 5, 4)),
)
cold = bench.run({"temperature": 0.0}, ["temperature"])[-1]
claim(
    "At temperature 0 nothing is divided: the engine takes the largest logit.",
    cold.top[0][0] == int(bench.logits.argmax()),
)

# %% [markdown]
# This is the engine's own code. Rows at temperature 0 take the largest logit, and all
# the others run the race.

# %%
lab.source(draw)

# %% [markdown]
# **Why.** With $E_i$ drawn from $\mathrm{Exp}(1)$, the time $E_i/p_i$ is exponential
# with rate $p_i$. Of several independent exponential times, number *i* is the shortest
# with probability $p_i/\sum_j p_j$, which is $p_i$ here. The race needs no sorted list
# and no running sum, only one argmax, and a GPU computes that fast. It has a second use
# for you: when the noise is frozen, two settings can be compared token by token, as in
# the bench above. vLLM's `random_sample` runs the same race.

# %% [markdown]
# ## 9.5 What do you get when you set nothing?
#
# "I use the defaults" means a different distribution in each engine:
#
# - labkit changes nothing;
# - transformers takes the likeliest token; once it samples, it sets top-k 50;
# - llama.cpp sets temperature 0.8, top-k 40, top-p 0.95 and min-p 0.05;
# - vLLM reads the model's own `generation_config`, and otherwise changes nothing.
#
# Take the first token of the strawberry answer again. How many tokens survive
# llama.cpp's defaults?

# %%
guess_open = lab.predict("Tokens that survive llama.cpp's defaults", between=(1, 40))
guess_open

# %%
llama = {"temperature": 0.8, "top_k": 40, "top_p": 0.95, "min_p": 0.05}
untouched, hf = bench.probs("labkit"), bench.probs("transformers", top_k=50)
outcomes = [untouched, hf, bench.probs("llama_cpp", **llama)]
survivors_of = [int((q > 0).sum()) for q in outcomes]
guess_open.reveal(survivors_of[-1])

# %% tags=["plumbing"]
names = ["labkit, nothing set", "transformers, sampling", "llama.cpp, nothing set"]
entropies = [float(torch.special.entr(q).sum()) for q in outcomes]
apart_of = [total_variation(untouched, q) for q in outcomes]
rows = [
    (name, f"{count:,}", f"{entropy:.2f}", f"{tv:.2f}")
    for name, count, entropy, tv in zip(
        names, survivors_of, entropies, apart_of, strict=True
    )
]
head = ["defaults", "survivors", "entropy, nats", "total variation from labkit's"]
lab.table(head, rows)

# %%
claim(
    "Each set of defaults in the table has a lower entropy than the one above it.",
    entropies == sorted(entropies, reverse=True),
)

# %% [markdown]
# Can this be seen in the text? Eight answers were drawn under each set of defaults.
# Look at the column *distinct pairs*: the number of different pairs of neighbouring
# tokens, divided by the number of all pairs in the eight answers. It is 1 if no pair is
# ever written twice.

# %% tags=["plumbing"]
measured = lab.replay_measured("sampling")
ways = measured["defaults"]
rows = [
    (name, f"{way['distinct_2']:.2f}", way["texts"][0][:60].rpartition(" ")[0] + " …")
    for name, way in zip(names, ways, strict=True)
]
lab.table(["defaults", "distinct pairs", "one of the answers begins"], rows)

# %% tags=["plumbing"]
variety = [way["distinct_2"] for way in ways]
claim(
    "The narrowest defaults write the least varied answers.",
    min(variety) == variety[-1],
)
lab.md(measured.origin)

# %% [markdown]
# **In production.** The defaults are in the code:
# `GenerationConfig._get_default_generation_params` in transformers 5.23;
# `common_params_sampling` in llama.cpp's common.h; and `generation_config: str =
# "auto"` in vLLM's `config/model.py` (read 2026-11), with the words "the generation
# config will be loaded from model path". So send every setting that you rely on. Even a
# reported log-probability has a default: vLLM reports `raw_logprobs`, taken before any
# stage, as our engine does; its other modes report them after the stages.

# %% [markdown]
# ## 9.6 Why does the likeliest text go round in circles?
#
# *Greedy decoding* always takes the likeliest token. Three stories of 256 tokens were
# written this way, and three more at each of several temperatures. Then every run of
# four neighbouring tokens was looked up: had the same run already stood earlier in the
# same story? What share of the greedy runs were such repeats?

# %%
guess_loop = lab.predict(
    "Repeated 4-token runs at temperature 0, in %", between=(0, 100), unit="%"
)
guess_loop

# %% tags=["plumbing"]
stories = measured["loops"]
temps = sorted({run["temperature"] for run in stories})


def mean_of(what):
    found = [[r[what] for r in stories if r["temperature"] == t] for t in temps]
    return [sum(values) / len(values) for values in found]


repeats, sure = mean_of("repeated"), mean_of("logprob")
guess_loop.reveal(round(100 * repeats[0], 1))

# %% [markdown]
# In the picture, look at how the line runs from temperature 0 to the highest one. The
# table below it has the price: the mean log-probability of the tokens that were
# written.

# %% tags=["plumbing"]
series = (
    Series("repeated", tuple(temps), tuple(repeats), Layer.SAMPLING, "line+dots"),
)
title = (
    f"{100 * repeats[0]:.0f} % of the 4-token runs of greedy text are repeats, "
    f"{100 * repeats[-1]:.0f} % at temperature {temps[-1]}"
)
alt = "; ".join(
    f"T {t}: {100 * r:.0f} %, log-probability {s:.2f}"
    for t, r, s in zip(temps, repeats, sure, strict=True)
)
axes = ("temperature", "4-token runs that repeat, from 0 to 1")
LiteFigure(Lines(title, alt, *axes, series))

# %% tags=["plumbing"]
ends = {r["temperature"]: " ".join(r["end"].split())[-72:] for r in stories[::-1]}
ends = {t: f"… {end.partition(' ')[2]}" for t, end in ends.items()}  # whole words
rows = [(t, f"{s:.2f}", ends[t]) for t, s in zip(temps, sure, strict=True)]
lab.table(["temperature", "mean log-probability", "how a story ends"], rows)

# %% tags=["plumbing"]
rises = [t for t, a, b in zip(temps[1:], repeats, repeats[1:], strict=False) if b > a]
where = ", ".join(f"{t}" for t in rises)
lab.md(
    f"The repetition does not fall everywhere: it rises at temperature {where}. Three "
    "stories are few, and a little chance can also lead into a loop that greedy text "
    "happened to miss."
    if rises
    else "The repetition falls with every step of the temperature."
)

# %% tags=["plumbing"]
claim(
    "Greedy text repeats itself more than text at the highest temperature.",
    repeats[0] > repeats[-1],
)
claim(
    "The tokens of the highest temperature are less likely than greedy ones.",
    sure[-1] < sure[0],
)
lab.md(measured.origin)

# %% [markdown]
# **Why.** The more often a phrase stands in the context, the likelier the model finds
# it again. Greedy decoding never leaves the likeliest path, so a loop feeds itself:
# each round makes the next one likelier. Holtzman and others called this *degeneration*
# and proposed top-p as the remedy ([arXiv
# 1904.09751](https://arxiv.org/abs/1904.09751)).

# %% [markdown]
# ## 9.7 Where would the other token have led?
#
# At each place of the answer the model had other candidates. You can take one of them
# and let the model go on from there. The engine does not read the whole text again for
# such a *branch*. It shares the *blocks* in which the cache of chapter 7 keeps keys and
# values, but only full blocks can be shared.
#
# First we generate the answer and find the place where its two best candidates
# (end-of-text aside) were closest.

# %%
from labkit.labs.sampling.branching import Brancher, closest_call

lab.section()
tree = BranchTree(Brancher(lab.engine, ids, max_tokens=12), label)
answer = tree.branches[0]
place = closest_call(answer, lab.engine.tokenizer.eos_ids)
two = answer.tokens[place].top[:2]

# %% tags=["plumbing"]
best, other = (f"{label(i)} ({100 * math.exp(logprob):.1f} %)" for i, logprob in two)
size = lab.engine.config.block_size
lab.md(
    f"It is token **{place + 1}** of the answer: the model took {best}, and the next "
    f"candidate was {other}. The prompt has **{len(ids)}** tokens, and a block holds "
    f"**{size}**."
)

# %% [markdown]
# The branch leaves at that place. It keeps the prompt and all earlier tokens of the
# answer, and has the other candidate in place of the chosen one. How many tokens does
# the model have to read before it can go on?

# %%
guess_read = lab.predict("Tokens read before the branch goes on", between=(1, 43))
guess_read

# %%
other_id = two[1][0]
branch = tree.fork(answer.name, place, other_id)
unread = len(ids) + place + 1 - size * branch.num_shared
guess_read.reveal(unread, f"The cache still had {branch.num_shared} full blocks.")

# %% [markdown]
# In the tree, each branch begins under the token that it leaves. Look at the blocks on
# the right: hatched ones are shared. Arrow keys walk along a branch, Enter goes to the
# candidates of a token, and *Go on* makes a new branch from one of them. A struck-out
# block belonged to a branch that has ended; a later branch has reused it.

# %%
lab.follow(tree)

# %% tags=["plumbing"]
num_full = (len(ids) + place) // size
drawn = len(branch.tokens) - 1  # the last one drawn is never read
claim(
    "The branch begins with the candidate that was chosen for it.",
    branch.tokens[0].token_id == other_id,
)
claim(
    "The branch shares every full block before the place where it leaves.",
    branch.num_shared == num_full,
)
claim(
    "The model reads no token of a shared block again.",
    branch.num_computed == unread + drawn - 1,
)

# %% [markdown]
# ## What you may have heard
#
# | you may have heard | what settles it |
# |---|---|
# | "The order of stages is a detail." | No: one order kept far more tokens (9.2). |
# | "Temperature 0 divides by zero." | No: the engine takes the largest logit (9.4). |
# | "Top-p 0.9 keeps 90 % of the tokens." | No: the number varied from token to token. |
# | "A constant in the logits is harmless." | No: it changes a penalty's effect (9.3). |
# | "A seed makes answers reproducible." | No: it fixes the noise only (cell below). |

# %%
rounded = bench.logits.bfloat16().float()  # the same vector with fewer digits
both = [v.softmax(dim=-1) for v in (bench.logits, rounded)]
noises = (exponential_noise(seed, 0, len(rounded)) for seed in range(300))
picks = [[int((q / noise).argmax()) for q in both] for noise in noises]
changed = sum(a != b for a, b in picks)

# %% tags=["plumbing"]
lab.section()
lab.md(
    f"Of 300 seeds, **{changed}** pick another token once the logits are rounded to "
    "bfloat16, as another GPU or another kernel might round them."
)

# %%
picked = {bench.run({"seed": 3}, [])[-1].top[0][0] for _ in range(3)}
claim("Equal logits and an equal seed give the same token.", len(picked) == 1)
claim(
    "An equal seed does not guarantee the same token if the logits differ slightly.",
    changed > 0,
)

# %% [markdown]
# ## Exercises
#
# **1.** Five tokens have the probabilities .6, .2, .1, .06 and .04; the temperature is
# 2 and top-p is .85. How many tokens survive if the temperature comes first? Put your
# number in place of `...`, or a function of (probs, temperature, top_p, is_heat_first)
# that answers for both orders.

# %% tags=["exercise", "nbval-check-output"]
lab.check("9.1", ...)

# %% [markdown]
# <details><summary>Hint</summary>
#
# Temperature T turns each probability into $p_i^{1/T}$, divided by their sum.
# </details>


# %% tags=["solution", "nbval-check-output"]
def nucleus_of(probs, temperature, top_p, is_heat_first):
    heat = [q ** (1 / temperature) for q in probs]
    judged = [h / sum(heat) for h in heat] if is_heat_first else probs
    total, count = 0.0, 0
    for prob in sorted(judged, reverse=True):
        if total < top_p:
            total, count = total + prob, count + 1
    return count


lab.check("9.1", nucleus_of)  # 4, and 3 in the other order

# %% [markdown]
# **2.** Five tokens have the probabilities .35, .25, .2, .15 and .05; top-k is 3 and
# top-p is .7. How many tokens survive if top-p comes after top-k? You can also give a
# function of (probs, top_k, top_p, is_joint), where *joint* means that both filters
# look at the first distribution.

# %% tags=["exercise", "nbval-check-output"]
lab.check("9.2", ...)

# %% [markdown]
# <details><summary>Hint</summary>
#
# After top-k 3 the probabilities are 7/16, 5/16 and 4/16. How many of them reach .7?
# </details>


# %% tags=["solution", "nbval-check-output"]
def survivors(probs, top_k, top_p, is_joint):
    best = sorted(probs, reverse=True)[:top_k]
    whole = sum(probs) if is_joint else sum(best)
    before = [sum(best[:i]) / whole for i in range(len(best))]
    return sum(total < top_p for total in before)


lab.check("9.2", survivors)  # 2, and 3 jointly

# %% [markdown]
# **3.** Three tokens have the logits 3, 2 and 0. First 6 is added to all of them, then
# a repetition penalty of 1.2 is applied to the first. What is the first token's
# probability, to three decimal places? You can also give a function of (logits,
# penalty, shift).

# %% tags=["exercise", "nbval-check-output"]
lab.check("9.3", ...)

# %% [markdown]
# <details><summary>Hint</summary>
#
# The penalty sees 9, 8 and 6, and divides only the 9. A negative logit would be
# multiplied.
# </details>


# %% tags=["solution", "nbval-check-output"]
def probability_of_first(logits, penalty, shift):
    z = torch.tensor(logits) + shift
    z[0] = z[0] / penalty if z[0] > 0 else z[0] * penalty
    return float(z.softmax(dim=0)[0])


lab.check("9.3", probability_of_first)  # .348, and .616 with -5 in place of 6

# %% [markdown]
# **4. A filter of your own.** Write a function that takes logits [rows, vocab] and
# gives logits [rows, vocab], where a dropped token has minus infinity. The check runs
# it as a stage in the engine's own sampler. A good filter keeps the likeliest token,
# keeps more tokens where the model is unsure, and (section 9.3) does not mind a
# constant. There is more than one right answer.


# %% tags=["exercise", "nbval-check-output"]
def my_filter(logits): ...


lab.check("9.4", my_filter)

# %% [markdown]
# <details><summary>Hint</summary>
#
# Compare each logit with the largest one of its row, `logits.amax(dim=-1,
# keepdim=True)`, and drop the rest with `torch.where(is_kept, logits, -torch.inf)`.
# </details>


# %% tags=["solution", "nbval-check-output"]
def top_n_sigma(logits, n=1.0):  # arXiv 2411.07641: at most n deviations below the best
    best, deviation = logits.amax(-1, keepdim=True), logits.std(-1, keepdim=True)
    return torch.where(logits < best - n * deviation, -torch.inf, logits)


lab.check("9.4", top_n_sigma)

# %% [markdown]
# ## Where you are
#
# One vector became one token, and then the same happened again for each token of the
# answer. Here is the recorded life of the request once more, with the time of this
# layer.

# %% tags=["plumbing"]
from labkit.figures.timeline import life

recorded = lab.replay_trace("10_request")
own = life(recorded).cells[Layer.SAMPLING.chapter - 1]
num_tokens = len(recorded.marks_named("token"))
num_bytes = 4 * len(bench.logits)
lab.md(
    f"Sampling took **{own.ms:.2f} ms** of {recorded.end_s * 1000:.0f} ms for "
    f"{num_tokens} tokens. For each token it read **{num_bytes:,} bytes** of logits "
    "and gave back one number. It costs nothing on the bill, but it decides the "
    "length of the answer, and that is on the bill."
)

# %%
TraceBar(recorded, lit=Layer.SAMPLING)

# %% [markdown]
# **What production systems do differently.** They sample on the GPU, for hundreds of
# rows at once, in one fused kernel. They add stages for grammars, so that only valid
# JSON survives. And they let a small model guess several tokens ahead: vLLM accepts a
# guess with probability $\min(1, p/q)$, where $p$ is the large model's probability of
# the token and $q$ the small model's. Only the token that replaces a rejected guess is
# drawn by the race.
#
# **Next door.** In chapter 10 the token's id becomes text, and the text reaches the
# screen.

# %% [markdown]
# ## Sources
#
# - vLLM `v1/sample/sampler.py`, `v1/sample/rejection_sampler.py`, `config/model.py`;
#   transformers 5.23 `generation/utils.py`; llama.cpp `common/common.h`; SGLang
#   `layers/sampler.py`
# - Keskar and others, *CTRL*, arXiv 1909.05858; transformers #2303 (2019)
# - Meister and others, *Locally Typical Sampling*, arXiv 2202.00666
# - Holtzman and others, *The Curious Case of Neural Text Degeneration*, arXiv
#   1904.09751
# - Tang and others, *Top-nσ: Not All Logits Are You Need*, arXiv 2411.07641
# - Hollows, proposal for a normalised penalty, transformers #47595 and #48642; note
#   arXiv 2607.09791
# - inspect_ai issue 3721 (temperature refused, 2026-04-20)
# - The outline follows *End-to-End LLM Stack Trace: From Keystroke to Streamed Token*
#   (2026, CC0)
