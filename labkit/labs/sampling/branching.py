"""Branches of one answer on the real engine, with the blocks that they stand on.

A branch is a fork: it shares its parent's blocks and the model reads only what they do
not hold. What is told about blocks and tokens was seen by an observer of the engine's
steps, whose lock is held while a branch grows: a stream in a cell goes on with it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from labkit.engine import Engine
from labkit.errors import InputError
from labkit.labs.sampling.logits import prompt_ids
from labkit.records import BlockEventKind, Branch, BranchToken, StepReport, TokenEvent
from labkit.sequence import SamplingParams

__all__ = ["Brancher", "closest_call"]

FOUND = (BlockEventKind.HIT, BlockEventKind.SHARE)


class Brancher:
    """`Brancher(engine, prompt_ids, max_tokens=24)`; each branch has `max_tokens`."""

    def __init__(
        self,
        engine: Engine,
        prompt_ids: Sequence[int],
        *,
        max_tokens: int = 24,
        num_candidates: int = 5,
    ) -> None:
        self._engine = engine
        self._prompt_ids = tuple(prompt_ids)
        self._params = SamplingParams(
            max_tokens=max_tokens, temperature=0.0, top_logprobs=num_candidates
        )
        self._made: dict[str, Branch] = {}
        self._lines: dict[str, tuple[BranchToken, ...]] = {}  # whole outputs

    def asked(self, messages: Sequence[Mapping[str, str]]) -> Brancher:
        """The same for the answer to `messages`."""
        return Brancher(
            self._engine,
            prompt_ids(self._engine, messages),
            max_tokens=self._params.max_tokens,
            num_candidates=self._params.top_logprobs or 1,
        )

    def grow(self, parent: str | None, at: int, token_id: int | None) -> Branch:
        """The answer itself (no parent), or `parent` with `token_id` at place `at`."""
        with self._engine.lock:
            if parent is None:
                name = self._engine.add(self._prompt_ids, self._params)
                return self._follow(name, None, (), None)
            return self._fork(parent, at, token_id)

    def _fork(self, parent: str, at: int, token_id: int | None) -> Branch:
        if parent not in self._made:
            raise InputError(f"branch {parent!r} is not here; use {[*self._made]}")
        head = self._lines[parent][:at]
        params = replace(self._params, max_tokens=at + self._params.max_tokens)
        name = self._engine.fork(parent, at=at, token_id=token_id, params=params)
        chosen = None if token_id is None else self._swap(parent, at, token_id)
        return self._follow(name, parent, head, chosen)

    def _swap(self, parent: str, at: int, token_id: int) -> BranchToken:
        """The token put in place of the parent's, with what the model gave it."""
        top = self._lines[parent][at].top
        found = dict(top).get(token_id)
        if found is None:
            raise InputError(f"token {token_id} is no candidate there: {dict(top)}")
        return BranchToken(token_id, found, top)

    def _follow(
        self,
        name: str,
        parent: str | None,
        head: tuple[BranchToken, ...],
        chosen: BranchToken | None,
    ) -> Branch:
        """Step to the branch's end, watching."""
        seen: list[StepReport] = []
        stop = self._engine.observe(seen.append)
        try:
            while not any(e.finish for report in seen for e in _own(report, name)):
                self._engine.step()
        finally:
            stop()
        drawn = [
            BranchToken(event.token_id, event.logprob, event.top)
            for report in seen
            for event in _own(report, name)
            if event.token_id is not None and event.logprob is not None
        ]
        own = (*(() if chosen is None else (chosen,)), *drawn)
        blocks, num_found = _table(seen, name)
        branch = Branch(
            name=name,
            parent=parent,
            start=len(head),
            tokens=own,
            blocks=blocks,
            num_shared=num_found if parent else 0,
            num_computed=sum(
                part.num_tokens
                for report in seen
                for part in report.scheduled
                if part.request == name
            ),
        )
        self._made[name], self._lines[name] = branch, (*head, *own)
        return branch


def closest_call(branch: Branch, ends: Collection[int] = ()) -> int:
    """Place among the branch's own tokens where the two best were most alike.

    Places where one of the two is among `ends` are passed over: no text goes on there.
    """
    gaps = {
        place: first - second
        for place, token in enumerate(branch.tokens)
        for (best, first), (other, second) in [token.top[:2]]
        if best not in ends and other not in ends
    }
    return min(gaps, key=gaps.__getitem__)


def _own(report: StepReport, name: str) -> list[TokenEvent]:
    return [event for event in report.emitted if event.request == name]


def _table(seen: Sequence[StepReport], name: str) -> tuple[tuple[int, ...], int]:
    """The blocks of a request in order, and how many of the first it found there."""
    table: list[int] = []
    found: list[bool] = []
    for event in (e for report in seen for e in report.block_events):
        if event.request != name:
            continue
        if event.kind in (*FOUND, BlockEventKind.TAKE):
            table.append(event.block)
            found.append(event.kind in FOUND)
        elif event.kind is BlockEventKind.COPY and event.source in table:
            place = table.index(event.source)
            table[place], found[place] = event.block, False
    return tuple(table), found.index(False) if False in found else len(found)
