"""The older official client, openai 2.x, which cannot live beside 3.x in one folder.

`make test` installs it under .cache/openai2; `python -m tests.support.openai2 URL`
runs the calls below in a process that sees that folder first and prints JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

__all__ = ["VERSION", "calls", "run"]

VERSION = "2.54.0"
ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".cache" / "openai2"


def run(url: str) -> dict[str, Any]:
    """The results of `calls` under openai 2.x; fails with a sentence without it."""
    assert (FOLDER / "openai").is_dir(), (
        f"openai {VERSION} is not in {FOLDER.relative_to(ROOT)}: run `make test`, or "
        f"pip install --target .cache/openai2 openai=={VERSION}"
    )
    paths = os.pathsep.join([str(FOLDER), str(ROOT)])
    command = [sys.executable, "-m", "tests.support.openai2", url]
    done = subprocess.run(
        command,
        env={**os.environ, "PYTHONPATH": paths},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def calls(url: str) -> dict[str, Any]:
    """What a reader does with the client, one result a call; any 2.x or 3.x will do."""
    import openai

    client = openai.OpenAI(base_url=url + "/v1", api_key="none", max_retries=0)
    chat = client.chat.completions
    asked: dict[str, Any] = {
        "model": "m",
        "messages": [{"role": "user", "content": "hi"}],
        "max_tokens": 6,
        "seed": 5,
        "logit_bias": {str(3 + byte): 100 for byte in b"abc"},  # the tiny model's ids
    }
    whole = chat.create(**asked)
    usage = {"include_usage": True}
    chunks = list(chat.create(**asked, stream=True, stream_options=usage))
    with chat.stream(**asked) as stream:
        helped = [event.delta for event in stream if event.type == "content.delta"]
    scored = chat.create(**asked, logprobs=True, top_logprobs=2).choices[0].logprobs
    stopped = chat.create(**asked, stop=whole.choices[0].message.content[-1])
    return {
        "version": openai.__version__,
        "whole": whole.choices[0].message.content,
        "finish": whole.choices[0].finish_reason,
        "streamed": "".join(
            c.choices[0].delta.content or "" for c in chunks if c.choices
        ),
        "helper": "".join(helped),
        "usage": chunks[-1].usage.model_dump(),
        "whole_usage": whole.usage.model_dump(),
        "scores": [[len(e.top_logprobs), e.logprob] for e in scored.content],
        "stopped": [
            stopped.choices[0].message.content,
            stopped.choices[0].finish_reason,
        ],
        "models": [card.id for card in client.models.list()],
        "model": client.models.retrieve("a/b").id,
        "errors": [_error(chat, openai, **{**asked, **bad}) for bad in BAD],
    }


BAD: list[dict[str, Any]] = [
    {"temperature": 9},
    {"model": "absent"},
    {"tools": [{"type": "function", "function": {"name": "f"}}]},
    {"temperature": 9, "stream": True},
]


def _error(chat: Any, openai: Any, **asked: Any) -> list[Any]:
    try:
        chat.create(**asked)
    except openai.APIStatusError as error:
        return [type(error).__name__, error.status_code, error.code, error.param]
    return []


if __name__ == "__main__":
    sys.stdout.write(json.dumps(calls(sys.argv[1])))
