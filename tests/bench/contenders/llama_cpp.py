"""llama.cpp on the same GGUF, through its low-level batch interface.

Runs in an environment of its own, so this file imports the standard library, numpy and
llama_cpp only. It takes the fastest way there is: whole batches in one `llama_decode`,
the best token by argmax over the logits where they lie, no text, no Python objects.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import llama_cpp as lib
import numpy as np

__all__ = ["LlamaCpp"]

MAX_SEQUENCES = 8
CONTEXT = 4096  # tokens of all sequences together
UNIFIED = False  # a stream of its own for each sequence: the faster of the two
Tokens = Sequence[int]


class LlamaCpp:
    """One model and one context, all of whose sequences go through one batch."""

    def __init__(self, weights: str, threads: int) -> None:
        lib.llama_backend_init()
        lib.llama_log_set(_quiet, None)
        options = lib.llama_model_default_params()
        self._model = lib.llama_model_load_from_file(weights.encode(), options)
        assert self._model, f"llama.cpp cannot load {Path(weights).name}"
        self._context = self._open(threads)
        vocab = lib.llama_model_get_vocab(self._model)
        self._vocab_size = lib.llama_vocab_n_tokens(vocab)
        self._batch = lib.llama_batch_init(512, 0, 1)

    def _open(self, threads: int) -> Any:
        wish = lib.llama_context_default_params()
        wish.n_ctx, wish.n_batch, wish.n_ubatch = CONTEXT, 512, 512
        wish.n_seq_max = MAX_SEQUENCES
        wish.kv_unified = UNIFIED
        wish.n_threads = wish.n_threads_batch = threads
        wish.no_perf = True
        return lib.llama_init_from_model(self._model, wish)

    def facts(self) -> dict[str, Any]:
        """Version, and which instructions it was compiled for."""
        return {
            "llama_cpp": lib.__version__,
            "instructions": lib.llama_print_system_info().decode().strip(" |"),
            "tensor_bytes": lib.llama_model_size(self._model),
        }

    def decode(self, prompts: Sequence[Tokens], num_tokens: int) -> dict[str, Any]:
        """Greedy continuations of all prompts in one batch, the first token untimed."""
        self._forget()
        last = [self._read_prompt(p, place) for place, p in enumerate(prompts)]
        outputs = [[token] for token in last]
        started = time.perf_counter()
        for step in range(num_tokens - 1):
            rows = [
                (token, len(prompt) + step, place, True)
                for place, (token, prompt) in enumerate(zip(last, prompts, strict=True))
            ]
            self._run(rows)
            last = [self._best(place) for place in range(len(rows))]
            for output, token in zip(outputs, last, strict=True):
                output.append(token)
        wall_s = time.perf_counter() - started
        num_decoded = len(prompts) * (num_tokens - 1)
        return {"tokens": num_decoded, "wall_s": wall_s, "outputs": outputs}

    def prefill(self, prompt: Tokens) -> float:
        """Seconds from the prompt to its first token."""
        self._forget()
        started = time.perf_counter()
        self._read_prompt(prompt, 0)
        return time.perf_counter() - started

    def logits(self, windows: Sequence[Tokens], path: str) -> None:
        """Save float32 logits [windows, tokens, vocab], computed a token a pass."""
        found = np.empty(
            (len(windows), len(windows[0]), self._vocab_size), dtype=np.float32
        )
        for index, window in enumerate(windows):
            self._forget()
            for place, token in enumerate(window):
                self._run([(token, place, 0, True)])
                found[index, place] = self._row(0)
        np.save(path, found)

    def _forget(self) -> None:
        lib.llama_memory_clear(lib.llama_get_memory(self._context), False)

    def _read_prompt(self, prompt: Tokens, sequence: int) -> int:
        end = len(prompt) - 1
        self._run([(t, i, sequence, i == end) for i, t in enumerate(prompt)])
        return self._best(-1)

    def _run(self, rows: Sequence[tuple[int, int, int, bool]]) -> None:
        """Compute (token, position, sequence, wants logits) rows in one call."""
        batch = self._batch
        batch.n_tokens = len(rows)
        for i, (token, position, sequence, is_scored) in enumerate(rows):
            batch.token[i] = token
            batch.pos[i] = position
            batch.n_seq_id[i] = 1
            batch.seq_id[i][0] = sequence
            batch.logits[i] = is_scored
        code = lib.llama_decode(self._context, batch)
        assert code == 0, f"llama_decode gave {code}"

    def _row(self, place: int) -> Any:
        found = lib.llama_get_logits_ith(self._context, place)
        return np.ctypeslib.as_array(found, shape=(self._vocab_size,))

    def _best(self, place: int) -> int:
        return int(self._row(place).argmax())


@lib.llama_log_callback
def _quiet(_level: int, _text: bytes, _data: object) -> None:
    """llama.cpp's own words are not for the table."""
