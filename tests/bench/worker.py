"""`python -m tests.bench.worker NAME {...}`: one contender in a process of its own.

Reads one command a line, answers one line. It sleeps between commands, and ends at once
when the process that started it is gone, whatever it is doing. Imports nothing but the
standard library before it knows whom to load.
"""

from __future__ import annotations

import importlib
import json
import os
import queue
import sys
import threading
from typing import IO, Any

__all__ = ["CONTENDERS", "main", "serve"]

CONTENDERS = {
    "ours": "tests.bench.contenders.ours:Ours",
    "llama.cpp": "tests.bench.contenders.llama_cpp:LlamaCpp",
    "transformers": "tests.bench.contenders.hugging_face:HuggingFace",
    "machine": "tests.bench.contenders.machine:Machine",
    "judge": "tests.bench.contenders.judge:Judge",
    "fake": "tests.bench.contenders.fake:Fake",
}


def main(arguments: list[str]) -> int:
    """Load the contender called by name, then obey."""
    name, options = arguments
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")  # ours alone
    os.dup2(2, 1)  # what a library prints must not look like an answer
    commands: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(commands,), daemon=True).start()
    module, _, kind = CONTENDERS[name].partition(":")
    try:
        contender = getattr(importlib.import_module(module), kind)(
            **json.loads(options)
        )
    except Exception as error:  # told to whoever started us
        _say(answers, {"error": f"{type(error).__name__}: {error}"})
        return 1
    _say(answers, {"value": None})
    serve(contender, commands, answers)
    return 0


def serve(
    contender: object, commands: queue.SimpleQueue[str], answers: IO[str]
) -> None:
    """Carry out commands; an error is an answer, not an end."""
    while True:
        command = json.loads(commands.get())
        try:
            verb = getattr(contender, command["verb"])
            answer: dict[str, Any] = {"value": verb(*command["arguments"])}
        except Exception as error:  # told to whoever asked
            answer = {"error": f"{type(error).__name__}: {error}"}
        _say(answers, answer)


def _listen(commands: queue.SimpleQueue[str]) -> None:
    for line in sys.stdin:
        commands.put(line)
    os._exit(0)  # nobody is left to answer


def _say(answers: IO[str], answer: dict[str, Any]) -> None:
    answers.write(json.dumps(answer) + "\n")
    answers.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
