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
# A model gives numbers; a token has to be chosen. This chapter opens every stage in
# between, turns each knob, and shows that the same knobs mean different things.
#
# *35 minutes · needs the weights (98 MB, fetched once); no GPU, no key. At the end
# you can say what any sampling knob did to a distribution, in which order, and why
# the same settings give other texts elsewhere.*

# %% tags=["plumbing"]
from labkit.book import start

lab = start(chapter=9)
lab.opening()
# If labkit is missing: this book has no public address yet to install it from, so run
# `make lab` in a copy of the project and open the chapter there.

# %% [markdown]
# **Scene.** Your question about "strawberry" 🍓 has been read: 34 tokens went through
# the model, and what came out is one vector of numbers, a *logit* for each token of
# the vocabulary. No text yet. Something has to turn that vector into a single token,
# and then again for the next. It looks like a detail. Here you find that four engines
# do it in four ways. The lit part of the recorded life is this chapter's layer.

# %%
from labkit.book import claim
from labkit.records import Layer
from labkit.widgets import BranchTree, OrderCompare, SamplingBench, TraceBar

recorded = lab.replay_trace("10_request")
TraceBar(recorded, lit=Layer.SAMPLING)

# %% [markdown]
# ## 9.1 How many tokens are still in the running?
#
# A *softmax* makes shares out of logits: every token gets one, however small. *Top-p*
# keeps the likeliest tokens until their shares together reach *p*, and drops the
# tail. With *p* = 0.95 and nothing else, how many of the 49,152 tokens may still be
# the first word of the answer?

# %%
guess_kept = lab.predict("Tokens that survive top-p 0.95", between=(1, 49_152))
guess_kept

# %%
from labkit.labs.sampling.bench import Bench, preset_orders, total_variation
from labkit.widgets.sampling_bench import STAGES


def ids_of(question, system=lab.request[:1]):
    messages = [*system, {"role": "user", "content": question}]
    text = lab.engine.template.render(messages)
    return lab.engine.tokenizer.encode(text, allow_special=True)


# %%
ids = ids_of(lab.request[1]["content"])
bench = Bench.at(lab.engine, ids)  # the vector that chooses the first token
nucleus = bench.run({"top_p": 0.95}, ["top_p"])[1]
guess_kept.reveal(nucleus.kept)

# %% [markdown]
# Now turn the knobs yourself. Each row is a stage; it says how many tokens survive
# it, how much of the mass it moved, and the *entropy* that is left (how many nats of
# surprise). The noise of the draw is frozen, so when the picked token changes, your
# knob did it. Move a stage by dragging its handle, or with arrow keys, Home and End.
# *Typical* keeps the tokens whose surprise is nearest to the entropy
# ([arXiv 2202.00666](https://arxiv.org/abs/2202.00666)). The penalties: 9.3; two of
# them count what is written, and nothing is yet.

# %%
label = lab.engine.tokenizer.label
SamplingBench(bench, label, preset_orders(STAGES), temperature=0.8, top_p=0.95)

# %% [markdown]
# "Top-p 0.9 keeps 90 % of the tokens" is what many people think. Take a sentence that
# is written already and look at each of its tokens in turn: how many tokens were
# allowed at its place, and was it among them?

# %%
from labkit.labs.sampling.logits import next_logits

tale = "The lighthouse stood on a rock in the sea, and every night its light turned."
opening, text = ids_of("Tell me a story."), lab.engine.tokenizer.encode(tale)
logits = next_logits(lab.engine.model, [*opening, *text[:-1]], last=len(text))
allowed = [Bench(row).probs("labkit", top_p=0.9) > 0 for row in logits]
sizes = [int(each.sum()) for each in allowed]
was_in = [bool(each[i]) for each, i in zip(allowed, text, strict=True)]

# %%
rows = [
    (label(i), f"{size:,}", "yes" if is_in else "no")
    for i, size, is_in in zip(text, sizes, was_in, strict=True)
]
lab.table(["token", "allowed in its place, p = 0.9", "was it among them?"], rows)

# %%
claim("top-p leaves a small part of the vocabulary", nucleus.kept < 4_915)
claim(
    "the nucleus breathes: the largest is 20 times the smallest",
    max(sizes) > 20 * min(sizes),
)
claim("a person's sentence leaves the nucleus now and then", not all(was_in))

# %% [markdown]
# **Why.** With logits $z_i$ and temperature $T$, shares are
# $p_i=\mathrm{softmax}(z_i/T)$. Top-k keeps the k best; top-p the fewest with
# $\sum p_i\ge p$; min-p those with $p_i\ge m\cdot\max_j p_j$. Top-k cuts at a rank,
# top-p at a mass, min-p at a height. Each drops logits to $-\infty$, so the next
# softmax shares out what is left.

# %% [markdown]
# ## 9.2 Is the order of the stages a detail?
#
# vLLM, transformers, llama.cpp and SGLang know the same knobs. Set temperature 2 and
# top-p 0.9 in all of them. One vector, the same knobs. How much of the mass do the
# two engines that disagree most place differently?

# %%
guess_apart = lab.predict("Share placed differently, in %", between=(0, 100), unit="%")
guess_apart

# %%
hot = {"temperature": 2.0, "top_p": 0.9}
views = bench.compare(hot)
apart = max(max(view.distances) for view in views)
guess_apart.reveal(round(100 * apart, 1))

# %% [markdown]
# Below are the four orders at temperature 1, where they agree. Turn the temperature
# to 2 and look at where each of them has it.

# %%
OrderCompare(bench, label, temperature=1.0, top_p=0.9)

# %% [markdown]
# The difference has one cause. A temperature above 1 flattens the distribution, so a
# nucleus that is cut *after* it has to be wide. llama.cpp cuts first and heats what
# is left. Draw the size of the nucleus against the temperature.

# %%
from labkit.figures.drawings import Lines, Series
from labkit.widgets.figure import LiteFigure

heats = [0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0]


def nucleus_sizes(engine):
    knobs = [{"temperature": heat, "top_p": 0.9} for heat in heats]
    return [float((bench.probs(engine, **k) > 0).sum()) for k in knobs]


first, last = nucleus_sizes("transformers"), nucleus_sizes("llama_cpp")

# %%
series = (
    Series(
        "temperature first", tuple(heats), tuple(first), Layer.SAMPLING, "line+dots"
    ),
    Series("temperature last", tuple(heats), tuple(last), Layer.NETWORK, "line+dots"),
)
title = f"At temperature 2 the nucleus has {first[-1]:,.0f} tokens, or {last[-1]:,.0f}"
alt = f"Top-p 0.9; at temperature 1 both orders keep {first[3]:,.0f} tokens."
axes = ("temperature", "tokens in the nucleus")
LiteFigure(Lines(title, alt, *axes, series, y_scale="log10"))

# %%
same = bench.compare({"temperature": 1.0, "top_p": 0.9})
same_apart = max(max(view.distances) for view in same)
claim("at temperature 1, top-p alone is the same in all four", same_apart < 0.001)
claim("at temperature 2 it is not: over 30 % lies elsewhere", apart > 0.3)
claim("cut first, and the nucleus never changes", len(set(last)) == 1)
claim("heat first, and it grows tenfold from 1 to 2", first[-1] > 10 * first[3])

# %% [markdown]
# It was expected that all four agree whenever the temperature is 1. Set top-k 50 and
# top-p 0.9, then a min-p of 0.05 as well. Distance is the *total variation*: the share
# of the mass that two engines place differently.

# %%
from labkit.widgets.order_compare import title_of

mild = {"temperature": 1.0, "top_k": 50, "top_p": 0.9}
without, with_min_p = bench.compare(mild), bench.compare({**mild, "min_p": 0.05})
rows = [
    (title_of(a.name), a.kept, f"{a.distances[0]:.3f}", b.kept, f"{b.distances[0]:.3f}")
    for a, b in zip(without, with_min_p, strict=True)
]
lab.table(["engine", "no min-p", "to vLLM", "min-p 0.05", "to vLLM"], rows)

# %%
kept_by = {view.name: view.kept for view in without}
kept_min_p = {view.name: view.kept for view in with_min_p}
claim("judged jointly, more survive", kept_by["sglang"] > kept_by["vllm"])
claim("min-p first, fewer survive", kept_min_p["vllm"] < kept_min_p["llama_cpp"])

# %% [markdown]
# What a filter keeps is made to add up to 1 again, so its shares grow, and the next
# top-p is reached sooner. SGLang judges all filters on the model's own distribution:
# its top-p does not see shares that top-k made larger, and more tokens survive. vLLM
# runs min-p *before* top-k and top-p; it reaches top-p sooner and keeps fewer. In the
# others min-p cuts last, or at the same time.

# %% [markdown]
# Two toys you can check with a pencil. Four tokens with shares .5, .3, .15, .05,
# temperature 2, top-p .75. And .4, .3, .2, .1 with top-k 2 and top-p .5: one after
# the other, or, as SGLang does, both judged on the first distribution.

# %% tags=["nbval-check-output"]
import torch

pencil = Bench(torch.tensor([0.5, 0.3, 0.15, 0.05]).log())
kept = {v.name: v.kept for v in pencil.compare({"temperature": 2.0, "top_p": 0.75})}
joint = Bench(torch.tensor([0.4, 0.3, 0.2, 0.1]).log())
both = {v.name: v.kept for v in joint.compare({"top_k": 2, "top_p": 0.5})}
rows = [(title_of(name), kept[name], both[name]) for name in kept]
lab.table(["engine", "heated, top-p .75", "top-k 2, top-p .5"], rows)

# %% tags=["nbval-check-output"]
claim(
    "temperature first keeps 3, last keeps 2",
    (kept["vllm"], kept["llama_cpp"]) == (3, 2),
)
claim("in sequence 1 survives, jointly 2", (both["vllm"], both["sglang"]) == (1, 2))

# %% [markdown]
# **In production** (code read 2026): vLLM runs penalties, temperature, min-p, then
# top-k and top-p ([sampler.py](https://github.com/vllm-project/vllm/blob/main/vllm/v1/sample/sampler.py));
# transformers penalties, temperature, top-k, top-p, min-p
# ([utils.py](https://github.com/huggingface/transformers/blob/main/src/transformers/generation/utils.py));
# llama.cpp ends with temperature
# ([common.h](https://github.com/ggml-org/llama.cpp/blob/master/common/common.h));
# SGLang judges top-k and top-p jointly
# ([sampler.py](https://github.com/sgl-project/sglang/blob/main/python/sglang/srt/layers/sampler.py)).
# And some take the knobs away: Claude Opus 4.7 answers 400, "`temperature` is
# deprecated for this model"
# ([inspect_ai#3721](https://github.com/UKGovernmentBEIS/inspect_ai/issues/3721),
# 2026-04).

# %% [markdown]
# ## 9.3 Is a repetition penalty harmless?
#
# The *repetition penalty* θ divides the logit of a token seen before, or multiplies
# it if it is negative. Logits mean nothing by themselves: add 10 to all of them and
# the softmax gives the same shares. Take logits 2, 1, −1 and θ = 1.3 on the first:
# its share falls from .705 to .601. Now add 10 to all three logits *first*. What is
# its share after the penalty?

# %%
guess_shift = lab.predict("Share of the first token", between=(0, 1))
guess_shift


# %%
def penalised(logits, shift, penalty=1.3):
    shifted = torch.tensor(logits) + shift
    seen = Bench(shifted, prompt_ids=[0])
    return float(seen.probs("transformers", repetition_penalty=penalty)[0])


at_0, at_10 = penalised([2.0, 1.0, -1.0], 0), penalised([2.0, 1.0, -1.0], 10)
guess_shift.reveal(round(at_10, 3), "Same shares before, same penalty.")

# %% tags=["nbval-check-output"]
lab.table(
    ["constant added", "share of the first token"],
    [(0, f"{at_0:.3f}"), (10, f"{at_10:.3f}")],
)

# %% [markdown]
# The same on a real vector. The prompt below contains the answer, so its first token
# counts as seen. Watch that token's share while a constant that no softmax can see is
# added to all logits.

# %%
city = "Canberra"
question = f"{city} is the capital of Australia. Name the capital of Australia."
asked_ids = ids_of(question)
asked = Bench.at(lab.engine, asked_ids)
wanted = lab.engine.tokenizer.encode(city)[0]
shifts = [float(shift) for shift in range(-40, 21, 5)]


# %%
def share_at(shift, penalty):
    moved = Bench(asked.logits + shift, asked_ids)
    return 100 * float(moved.probs("vllm", repetition_penalty=penalty)[wanted])


curves = {p: [share_at(shift, p) for shift in shifts] for p in (1.0, 1.1, 1.3)}

# %%
layers = (Layer.NETWORK, Layer.CACHE, Layer.SAMPLING)
series = tuple(
    Series(f"penalty {p}", tuple(shifts), tuple(curve), layer, "line+dots")
    for (p, curve), layer in zip(curves.items(), layers, strict=True)
)
low, high = min(curves[1.3]), max(curves[1.3])
title = f"The same penalty, 1.3, leaves {label(wanted)!r} {low:.4f} % or {high:.2f} %"
alt = f"Without a penalty it has {curves[1.0][0]:.2f} % whatever is added."
axes = ("constant added to all logits", f"share of {label(wanted)!r}, %")
LiteFigure(Lines(title, alt, *axes, series))

# %%
toy = (round(at_0, 3), round(at_10, 3))
claim("the toy's shares are .601 and .131", toy == (0.601, 0.131))
still = max(curves[1.0]) / min(curves[1.0])
claim("the softmax alone does not see the constant", still < 1.001)
claim("under the penalty it decides: over tenfold", high > 10 * low)
logit = float(asked.logits[wanted])
peak = shifts[curves[1.3].index(high)]
nearest = min(shifts, key=lambda shift: abs(logit + shift))
claim(
    f"its logit is {logit:.1f}; the peak is where it is nearest to 0",
    peak == nearest,
)

# %% [markdown]
# **Why.** The penalty takes $z(1-1/\theta)$ off a logit $z>0$, and $|z|(\theta-1)$ off
# a negative one. It grows with the distance from zero, and where the constant brings
# the logit to zero it does nothing: there the curves peak. CTRL (arXiv 1909.05858)
# only divides; transformers added the branch for negative logits in 2019
# ([#2303](https://github.com/huggingface/transformers/pull/2303)). Frequency and
# presence penalties *subtract* the same from any logit,
# $z_i-\alpha_f\,c_i-\alpha_p[c_i>0]$ with counts $c_i$. transformers has an open
# proposal for a penalty on log-probabilities
# ([#48642](https://github.com/huggingface/transformers/pull/48642), 2026-09), which
# points out that its beam search has worked that way all along.

# %% [markdown]
# What counts as "seen" differs as well. The repetition penalty of vLLM and
# transformers looks at prompt and output; vLLM's frequency and presence penalties see
# the output only. In llama.cpp all three look at the last 64 tokens of both. The same
# prompt under each rule, and again with a long tail:

# %%
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

# %%
logs = {
    rule: [float(b.probs(engine, **k)[wanted].log()) for b in (asked, far)]
    for rule, (engine, k) in rules.items()
}
rows = [(rule, *(f"{value:.2f}" for value in pair)) for rule, pair in logs.items()]
lab.table(["rule", "log-prob, short prompt", "long prompt"], rows)

# %%
none, whole_text, recent, output_only, recent_frequency = logs.values()
claim("the prompt's answer is held against it", whole_text[0] < none[0] - 1)
claim("vLLM's frequency penalty leaves the first token alone", output_only == none)
claim("llama.cpp's sees the prompt", recent_frequency[0] < none[0] - 0.5)
is_out = wanted not in tail_ids[-64:]
claim("in the long prompt the name is not among the last 64", is_out)
claim("so llama.cpp's window spares it there", recent[1] > whole_text[1])

# %% [markdown]
# The bench in 9.1 had nothing to count. Here "no," stands three times already. Turn
# *frequency*: it comes off once for every occurrence. *Presence* comes off once,
# however often the token was written.

# %%
so_far = lab.engine.tokenizer.encode(" no, no, no,")
again = Bench.at(lab.engine, ids_of("Write the word no ten times."), so_far)
SamplingBench(again, label, preset_orders(STAGES), frequency_penalty=0.5)

# %%
by_count = again.probs("labkit", frequency_penalty=0.5)
at_once = again.probs("labkit", presence_penalty=1.5)
three_times = total_variation(by_count, at_once) < 1e-6
claim("three times 0.5 of frequency is 1.5 of presence", three_times)

# %% [markdown]
# And where repetition is the syntax? JSON says `"` and `}` again and again. Do not
# ask what a small model writes; ask what it thinks of *right* JSON: how often is the
# right next token still the likeliest?

# %%
valid = '[{"name": "Ann", "age": 31}, {"name": "Bob", "age": 45}, {"name": "Cleo"}]'
asked_json = ids_of("Write a JSON array of people with name and age.")
right = lab.engine.tokenizer.encode(valid)
vectors = next_logits(lab.engine.model, [*asked_json, *right[:-1]], last=len(right))


def judged(penalty):
    places = [Bench(v, asked_json, right[:i]) for i, v in enumerate(vectors)]
    found = [b.probs("vllm", repetition_penalty=penalty) for b in places]
    best = sum(int(q.argmax()) == t for q, t in zip(found, right, strict=True))
    return best, sum(float(q[t].log()) for q, t in zip(found, right, strict=True))


# %%
verdicts = {penalty: judged(penalty) for penalty in (1.0, 1.1, 1.2, 1.3, 1.5)}
rows = [
    (penalty, best, f"{total / len(right):.2f}")
    for penalty, (best, total) in verdicts.items()
]
best_of = f"right token is best, of {len(right)}"
lab.table(["repetition penalty", best_of, "mean log-prob"], rows)

# %%
best, log_probs = zip(*verdicts.values(), strict=True)
claim("a penalty of 1.5 makes right JSON less likely", log_probs[-1] < log_probs[0])
claim("and fewer of its tokens come first", best[-1] < best[0])

# %% [markdown]
# If the mean log-prob rises at a penalty of 1.1, that is what was measured: a mild
# penalty takes mass from wrong tokens, too. It is not a gain for greedy decoding,
# which asks only which token comes first.

# %% [markdown]
# ## 9.4 Where does the chance come from?
#
# The textbook adds up shares until a random number is passed. Engines run a race
# instead: each token draws a waiting time from an exponential law, divides it by its
# share, and the *first to arrive* wins. Is that the same lottery? Draw 20,000 times
# from .4, .3, .2, .1. How often does the first win, in %?

# %%
guess_race = lab.predict("Wins of the first token, in %", between=(0, 100), unit="%")
guess_race

# %%
from labkit.sampling.pipeline import exponential_noise

p = torch.tensor([0.4, 0.3, 0.2, 0.1])
noise = torch.stack([exponential_noise(7, place, 4) for place in range(20_000)])
wins = torch.bincount((noise / p).argmin(dim=1), minlength=4)
guess_race.reveal(round(100 * wins[0].item() / 20_000, 2))

# %%
want = 20_000 * p
chi_square = float(((wins - want) ** 2 / want).sum())
lab.md(
    f"χ² = **{chi_square:.2f}**; above 16.27 one would doubt it "
    "(3 degrees of freedom, 0.1 %)."
)

# %%
claim("the race gives the distribution, without a cumulative sum", chi_square < 16.27)
claim(
    "equal seed and place, equal noise",
    torch.equal(noise[5], exponential_noise(7, 5, 4)),
)
cold = bench.run({"temperature": 0.0}, ["temperature"])[-1]
claim(
    "temperature 0 is no division: it takes the best",
    cold.top[0][0] == int(bench.logits.argmax()),
)

# %%
from labkit.sampling.pipeline import draw

lab.source(draw)

# %% [markdown]
# **Why it is done so.** With $E_i$ drawn from $\mathrm{Exp}(1)$, the time $E_i/p_i$
# has rate $p_i$, and of independent exponential times number *i* is the first with
# probability $p_i/\sum_j p_j$. An argmax needs no order and no running sum, so a GPU
# likes it. vLLM does the same (`random_sample`). For you it has another use: freeze
# the noise, and two settings can be compared token by token, as the bench above does.

# %% [markdown]
# ## 9.5 What do you get when you set nothing?
#
# "I use the defaults" names another distribution in each engine. labkit changes
# nothing. transformers is greedy with nothing set, and takes top-k 50 once it samples.
# llama.cpp has temperature 0.8, top-k 40, top-p 0.95 and min-p 0.05. vLLM reads the
# model's own `generation_config` unless told not to; where that sets nothing, it does
# what labkit does. Out of 49,152 tokens, how many survive llama.cpp's defaults on our
# vector?

# %%
guess_open = lab.predict("Tokens that survive llama.cpp's defaults", between=(1, 40))
guess_open

# %%
names = ["labkit, nothing set", "transformers, sampling", "llama.cpp, nothing set"]
llama = {"temperature": 0.8, "top_k": 40, "top_p": 0.95, "min_p": 0.05}
untouched, hf = bench.probs("labkit"), bench.probs("transformers", top_k=50)
outcomes = [untouched, hf, bench.probs("llama_cpp", **llama)]
survivors_of = [int((q > 0).sum()) for q in outcomes]
guess_open.reveal(survivors_of[-1])

# %%
entropies = [float(torch.special.entr(q).sum()) for q in outcomes]
apart_of = [total_variation(untouched, q) for q in outcomes]
rows = [
    (name, f"{count:,}", f"{entropy:.2f}", f"{tv:.2f}")
    for name, count, entropy, tv in zip(
        names, survivors_of, entropies, apart_of, strict=True
    )
]
lab.table(
    ["defaults", "survivors", "entropy, nats", "total variation from labkit's"], rows
)

# %% [markdown]
# Does it show in the text? Eight answers were drawn under each set of defaults.
# *Distinct pairs* is the number of different pairs of neighbouring tokens, over all
# pairs in the eight answers: 1 where no pair is written twice.

# %%
told = lab.replay_measured("sampling")
lab.md(told.origin)

# %%
ways = told["defaults"]
rows = [
    (name, f"{way['distinct_2']:.2f}", way["texts"][0][:60].rpartition(" ")[0] + " …")
    for name, way in zip(names, ways, strict=True)
]
lab.table(["defaults", "distinct pairs", "one of the answers begins"], rows)

# %%
claim(
    "each set of defaults is narrower than the one before",
    entropies == sorted(entropies, reverse=True),
)
variety = [w["distinct_2"] for w in ways]
claim("the narrowest writes the least varied answers", min(variety) == variety[-1])

# %% [markdown]
# **In production.** The fallbacks are in the code:
# `GenerationConfig._get_default_generation_params` in transformers 5.23;
# `common_params_sampling` in llama.cpp's common.h; and `generation_config: str =
# "auto"` in vLLM's `config/model.py` (read 2026-11): "the generation config will be
# loaded from model path". Send every knob you rely on. Even a log-probability has a
# default: vLLM reports `raw_logprobs`, before any stage, as our engine does; other
# modes report them after.

# %% [markdown]
# ## 9.6 Why does the surest text go round in circles?
#
# Greedy decoding always takes the best token. Over 256 tokens of three stories, what
# share of the 4-token runs stood in the same text before? Guess for temperature 0.

# %%
guess_loop = lab.predict(
    "Repeated 4-token runs at temperature 0, in %", between=(0, 100), unit="%"
)
guess_loop

# %%
stories = told["loops"]
temps = sorted({run["temperature"] for run in stories})


def mean_of(what):
    found = [[r[what] for r in stories if r["temperature"] == t] for t in temps]
    return [sum(values) / len(values) for values in found]


repeats, sure = mean_of("repeated"), mean_of("logprob")
guess_loop.reveal(round(100 * repeats[0], 1))

# %% tags=["plumbing"]
series = (
    Series("repeated", tuple(temps), tuple(repeats), Layer.SAMPLING, "line+dots"),
)
first_share, last_share = 100 * repeats[0], 100 * repeats[-1]
title = (
    f"{first_share:.0f} % of greedy text is said again, "
    f"{last_share:.0f} % at temperature {temps[-1]}"
)
alt = "; ".join(
    f"T {t}: {100 * r:.0f} %, log-prob {s:.2f}"
    for t, r, s in zip(temps, repeats, sure, strict=True)
)
axes = ("temperature", "share of 4-token runs that repeat")
LiteFigure(Lines(title, alt, *axes, series))

# %%
ends = {r["temperature"]: " ".join(r["end"].split())[-72:] for r in stories[::-1]}
ends = {t: f"… {end.partition(' ')[2]}" for t, end in ends.items()}  # whole words
rows = [(t, f"{s:.2f}", ends[t]) for t, s in zip(temps, sure, strict=True)]
lab.table(["temperature", "mean log-prob", "how a story ends"], rows)

# %%
claim("greedy text repeats itself more than hot text", repeats[0] > repeats[-1])
claim("the price: each token is less likely to the model", sure[-1] < sure[0])
lab.md(told.origin)

# %% [markdown]
# **Why.** The more often a phrase stands in the context, the likelier the model finds
# it, and greedy decoding never leaves the likeliest path: a loop feeds itself.
# Holtzman and others named it *degeneration* and proposed top-p against it
# ([arXiv 1904.09751](https://arxiv.org/abs/1904.09751)). If the curve above does not
# fall everywhere, that is what was measured: a little heat can also fall into a loop
# that greedy text missed.

# %% [markdown]
# ## 9.7 Where would the other token have led?
#
# At each place the model had other candidates. Take one, and go on from there. The
# engine does not read the text again: the branch stands on its parent's *blocks*, the
# cache of chapter 7, and only full blocks can be found again. First the answer, and
# where it was the closest call between two tokens that both go on:

# %%
import math

from labkit.labs.sampling.branching import Brancher, closest_call

tree = BranchTree(Brancher(lab.engine, ids, max_tokens=12), label)
answer = tree.branches[0]
place = closest_call(answer, lab.engine.tokenizer.eos_ids)
two = answer.tokens[place].top[:2]
best, other = (f"{label(i)} ({100 * math.exp(logprob):.1f} %)" for i, logprob in two)
size = lab.engine.config.block_size

# %%
lab.md(
    f"Token **{place + 1}** of the answer, {best}, was nearly {other}. The prompt has "
    f"**{len(ids)}** tokens, a block **{size}**."
)

# %% [markdown]
# The branch leaves there: it keeps the prompt and the tokens before that one, and has
# the other candidate in its place. How many tokens must the model read before it can
# write on?

# %%
guess_read = lab.predict("Tokens read before the branch goes on", between=(1, 43))
guess_read

# %%
other_id = two[1][0]
branch = tree.fork(answer.name, place, other_id)
unread = len(ids) + place + 1 - size * branch.num_shared
guess_read.reveal(unread, f"{branch.num_shared} blocks were there already.")

# %%
tree

# %% [markdown]
# In the tree, arrow keys walk along a branch. Enter goes to the candidates of the
# chosen token, Enter on one of them goes on with it, and Escape comes back. Hatched
# blocks are shared. A struck number is a block that was given back at the branch's end
# and that a later branch has written over.

# %%
claim("the branch begins with that candidate", branch.tokens[0].token_id == other_id)
num_full = (len(ids) + place) // size
claim("it stands on its parent's full blocks", branch.num_shared == num_full)
drawn = len(branch.tokens) - 1  # the last one drawn is never read
claim("nothing shared is read twice", branch.num_computed == unread + drawn - 1)

# %% [markdown]
# ## What you may have heard
#
# | you may have heard | what settles it |
# |---|---|
# | "The order is an implementation detail." | 9.2: same knobs, another distribution. |
# | "Temperature 0 divides by zero." | 9.4: it is an argmax. |
# | "Top-p 0.9 keeps 90 % of the tokens." | 9.1: from a few to hundreds. |
# | "A constant in the logits does no harm." | 9.3: not before a penalty. |
# | "A seed makes it reproducible." | Below: it fixes the noise, not the logits. |

# %%
rounded = bench.logits.bfloat16().float()  # the same vector, fewer digits
both = [v.softmax(dim=-1) for v in (bench.logits, rounded)]
noises = (exponential_noise(seed, 0, len(rounded)) for seed in range(300))
picks = [[int((q / noise).argmax()) for q in both] for noise in noises]
changed = sum(a != b for a, b in picks)
lab.md(f"Of 300 seeds, **{changed}** pick another token once digits are rounded away.")

# %%
picked = {bench.run({"seed": 3}, [])[-1].top[0][0] for _ in range(3)}
claim("equal logits and seed give the same token", len(picked) == 1)
claim("a seed does not protect you from other digits", changed > 0)

# %% [markdown]
# ## Exercises
#
# **1.** Shares .6, .2, .1, .06, .04; temperature 2; top-p .85. How many tokens survive
# when the temperature comes first? Put your number, or a function of (probs,
# temperature, top_p, is_heat_first) that answers for both orders, in place of `...`.

# %% tags=["exercise", "nbval-check-output"]
lab.check("9.1", ...)

# %% [markdown]
# <details><summary>Hint</summary>
#
# Heating by T turns shares into $p_i^{1/T}$, made to add up to 1 again.
# </details>
# <details><summary>Solution</summary>
#
# 4, and 3 the other way round: in the next cell.
# </details>


# %% tags=["solution", "nbval-check-output"]
def nucleus_of(probs, temperature, top_p, is_heat_first):
    heat = [q ** (1 / temperature) for q in probs]
    judged = [h / sum(heat) for h in heat] if is_heat_first else probs
    total, count = 0.0, 0
    for share in sorted(judged, reverse=True):
        if total < top_p:
            total, count = total + share, count + 1
    return count


lab.check("9.1", nucleus_of)

# %% [markdown]
# **2.** Shares .35, .25, .2, .15, .05; top-k 3; top-p .7. How many survive when top-p
# sees what top-k left, made to add up to 1 again? Or a function of (probs, top_k,
# top_p, is_joint), where *joint* means: both look at the first distribution.

# %% tags=["exercise", "nbval-check-output"]
lab.check("9.2", ...)

# %% [markdown]
# <details><summary>Hint</summary>
#
# After top-k 3 the shares are 7/16, 5/16 and 4/16. How many of them make up .7?
# </details>
# <details><summary>Solution</summary>
#
# 2, and 3 jointly: in the next cell.
# </details>


# %% tags=["solution", "nbval-check-output"]
def survivors(probs, top_k, top_p, is_joint):
    best = sorted(probs, reverse=True)[:top_k]
    whole = sum(probs) if is_joint else sum(best)
    before = [sum(best[:i]) / whole for i in range(len(best))]
    return sum(mass < top_p for mass in before)


lab.check("9.2", survivors)

# %% [markdown]
# **3.** Logits 3, 2, 0; penalty 1.2 on the first; 6 is added to all of them before.
# The first token's share, to three places? Or a function of (logits, penalty, shift).

# %% tags=["exercise", "nbval-check-output"]
lab.check("9.3", ...)

# %% [markdown]
# <details><summary>Hint</summary>
#
# 9, 8 and 6 go into the penalty; only the first is divided. Below zero it would be
# multiplied.
# </details>
# <details><summary>Solution</summary>
#
# .348 (and .616 with −5 in place of 6): in the next cell.
# </details>


# %% tags=["solution", "nbval-check-output"]
def share_of_first(logits, penalty, shift):
    z = torch.tensor(logits) + shift
    z[0] = z[0] / penalty if z[0] > 0 else z[0] * penalty
    return float(z.softmax(dim=0)[0])


lab.check("9.3", share_of_first)

# %% [markdown]
# ## Where you are
#
# One vector became one token, and that again for each token of the answer. Here is
# the request's life once more, with this layer's share.

# %%
from labkit.figures.timeline import life

own = life(recorded).cells[Layer.SAMPLING.chapter - 1]
num_tokens = len(recorded.marks_named("token"))
num_bytes = 4 * len(bench.logits)
lab.md(
    f"This layer took **{own.ms:.2f} ms** of {recorded.end_s * 1000:.0f} ms for "
    f"{num_tokens} tokens, read **{num_bytes:,} bytes** of logits for each of them and "
    "gave back one number. It costs nothing on the bill, and decides what is on it: "
    "the length of the answer."
)

# %%
TraceBar(recorded, lit=Layer.SAMPLING)

# %% [markdown]
# **What production systems do differently.** They sample on the GPU, for hundreds of
# rows at once, in one fused kernel; they add stages for grammars, so that only valid
# JSON survives; and they let a small model guess ahead. vLLM lets a guess stand where a
# uniform number is at most $p/q$, the large model's share over the small one's; only
# the token in place of a refused guess is drawn by the race. **Next door**: in chapter
# 10 the token's id becomes text, and the text reaches the screen.

# %% [markdown]
# ## Sources
#
# - vLLM `v1/sample/sampler.py`, `v1/sample/rejection_sampler.py`, `config/model.py`;
#   transformers 5.23
#   `generation/utils.py`; llama.cpp `common/common.h`; SGLang `layers/sampler.py`
# - Keskar and others, *CTRL*, arXiv 1909.05858; transformers #2303 (2019)
# - Meister and others, *Locally Typical Sampling*, arXiv 2202.00666
# - Holtzman and others, *The Curious Case of Neural Text Degeneration*, arXiv
#   1904.09751
# - Hollows, proposal for a normalised penalty, transformers #47595 and #48642; note
#   arXiv 2607.09791
# - inspect_ai issue 3721 (temperature refused, 2026-04-20)
# - The outline follows *End-to-End LLM Stack Trace: From Keystroke to Streamed Token*
#   (2026, CC0)
