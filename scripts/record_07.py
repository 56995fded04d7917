"""Chapter 7's slow runs: one request twice, decoding without a cache, a side channel.

`python -m scripts.record 7` on a machine that does nothing else. The two traces are
what the real server sent; the rest is measured on an engine of its own.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch

from labkit.book.lab import REQUEST
from labkit.clock import Clock, SystemClock
from labkit.config import EngineConfig
from labkit.engine import Engine
from labkit.engine.load import load
from labkit.labs.cache.prefix_probe import PrefixProbe
from labkit.labs.recordings import Measured
from labkit.model import reference
from labkit.net.client import LabClient
from labkit.net.discover import find_server
from labkit.sequence import SamplingParams
from labkit.trace import Scalar, Trace
from scripts.record import run

__all__ = ["record"]

NEW_TOKENS = 256
LOOKS = 40  # of each kind
SECRET = "Diagnosis: {}. " + "Advise the patient in plain words. " * 16
Made = Mapping[str, Scalar]


def record(
    made: Made, folder: Path, tokens: int = NEW_TOKENS, looks: int = LOOKS
) -> int:
    """Write the chapter's files; 0 when all are there."""
    clock = SystemClock()
    folder.mkdir(parents=True, exist_ok=True)
    traces(made, folder, clock)
    engine = load(config=EngineConfig(num_blocks=512))
    facts = {**made, "model": engine.model_name}
    for name, values in (
        ("without", without(engine, clock, tokens)),
        ("side_channel", side_channel(PrefixProbe(engine, clock), looks)),
    ):
        Measured(f"07_{name}", facts, values).save(folder / f"07_{name}.json")
        sys.stdout.write(f"07_{name}.json written\n")
    return 0


def traces(made: Made, folder: Path, clock: Clock) -> None:
    """The book's request by a server that has never seen it, and once more."""
    with LabClient(find_server(clock).url, clock) as client:
        run(client, [{"role": "user", "content": "Warm up."}])
        for name in ("first", "again"):
            trace = run(client, REQUEST).trace()
            keep(trace, {**made, "model": client.model}, folder, name)


def keep(trace: Trace, facts: Made, folder: Path, name: str) -> None:
    """Save `trace` with its provenance and without what belongs to one run only."""
    compute = trace.meta.pop("device", None)
    for key in ("origin_s", "received_unix"):
        trace.meta.pop(key, None)
    prompt = REQUEST[1]["content"]
    trace.meta.update({**facts, "prompt": prompt, "computed_on": compute})
    trace.save(folder / f"07_{name}.json")
    sys.stdout.write(f"07_{name}.json: {trace.meta.get('cached_tokens')} cached\n")


def without(engine: Engine, clock: Clock, num_tokens: int) -> dict[str, Any]:
    """Milliseconds of each new token, by the engine and by the slow reference."""
    text = engine.template.render(REQUEST)
    ids = engine.tokenizer.encode(text, allow_special=True)
    knobs = SamplingParams(max_tokens=num_tokens, temperature=0.0, ignore_eos=True)
    stamps, tokens = [clock.now()], []
    for event in engine.stream(ids, knobs):
        stamps.append(clock.now())
        tokens.append(event.token_id)
    decoder = engine.model.decoder
    slow, slow_stamps = list[int](), [clock.now()]
    for _ in range(num_tokens):
        slow += reference.generate(decoder, [*ids, *slow], 1)
        slow_stamps.append(clock.now())
    return {
        "position": [len(ids) + i for i in range(1, num_tokens)],
        "with_ms": gaps(stamps)[1:],  # the first one is the prefill
        "without_ms": gaps(slow_stamps)[1:],
        "same_tokens": tokens == slow,
        "threads": torch.get_num_threads(),
    }


def gaps(stamps: Sequence[float]) -> list[float]:
    """Milliseconds between neighbours."""
    return [round((b - a) * 1000, 3) for a, b in pairwise(stamps)]


def side_channel(probe: PrefixProbe, looks: int) -> dict[str, list[float]]:
    """First-token times for a prefix that another tenant sent, and for one it did not.

    The attacker shares the victim's cache, or has a salt of its own.
    """
    found: dict[str, list[float]] = {}
    for salt in ("", "attacker"):
        for i in range(looks):
            secret = probe_ids(probe, f"illness {i}")
            other = probe_ids(probe, f"ailment {i}")
            probe.after()
            probe.time(secret, "victim" if salt else None)
            kind = "salted" if salt else "shared"
            pairs = [("hit", secret), ("miss", other)]
            for what, ids in pairs if i % 2 else reversed(pairs):
                ms = round(probe.time(ids, salt or None).ms, 3)
                found.setdefault(f"{kind}_{what}_ms", []).append(ms)
    return found


def probe_ids(probe: PrefixProbe, name: str) -> list[int]:
    """A record's token ids."""
    return probe.engine.tokenizer.encode(SECRET.format(name))
