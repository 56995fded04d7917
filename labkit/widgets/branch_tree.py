"""A tree of answers: take a rejected candidate and go on from there on shared blocks.

It takes a source whose `grow(parent, at, token_id)` gives a branch. It refuses a place
or a candidate that a branch does not have, and one that another branch has taken. The
invariant is that each branch's parent is in the tree, and no two have the same text.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Protocol

import traitlets

from labkit.errors import ConfigError, LabError
from labkit.figures.drawings import Table
from labkit.records import Branch, BranchToken
from labkit.widgets.base import LabWidget, Message
from labkit.widgets.branches import MAX_BRANCHES, Branches
from labkit.widgets.prompts import Messages, about

__all__ = ["BranchSource", "BranchTree"]


class BranchSource(Protocol):
    """The interface of a source that generates branches."""

    def grow(self, parent: str | None, at: int, token_id: int | None) -> Branch:
        """The first answer (no parent), or a fork of `parent` at output place `at`."""

    def asked(self, messages: Messages) -> BranchSource:
        """A source of branches of the answer to `messages`."""


class BranchTree(LabWidget, page="branch_tree", parts=("branch_lane", "branch_pick")):
    """`BranchTree(Brancher(engine, ids), tokenizer.label)`.

    Arrow keys go through the tokens of a branch; each shows what else could have stood
    there, Enter goes to these candidates and a button goes on with one of them.
    `fork()` does the same, `remove()` takes a branch away, `branches` has them.
    """

    hurried = frozenset({"fork"})  # waits for the engine, so it must not hold the lock
    drawn: traitlets.List[Any] = traitlets.List().tag(sync=True)
    title = traitlets.Unicode().tag(sync=True)
    problem = traitlets.Unicode().tag(sync=True)

    def __init__(
        self,
        source: BranchSource,
        label: Callable[[int], str] = str,
        **unknown: object,
    ) -> None:
        self._source = source
        self._label = label
        self._growing: set[tuple[str, int, int]] = set()  # parent, place, candidate
        self._about = ""
        super().__init__(unknown)
        self._tree = Branches(source.grow(None, 0, None))
        self._draw()

    @property
    def branches(self) -> list[Branch]:
        """All branches in the order in which they were made."""
        return self._tree.made

    def fork(self, branch: str, at: int, token_id: int) -> Branch:
        """Go on with candidate `token_id` in place of the token at place `at`."""
        with self._lock:
            tree, source = self._tree, self._source
            parent = tree.owner(tree.named(branch), at)
            wish = (parent.name, at, token_id)
            self._require_free(parent, at, token_id)
            self._growing.add(wish)
        try:  # the engine has a lock of its own
            made = source.grow(parent.name, at, token_id)
        finally:
            self._growing.discard(wish)
        with self._lock:
            if self._tree is not tree or parent not in tree.made:
                raise ConfigError("the branch that this one leaves was removed")
            tree.add(made)
            self._draw()
        return made

    def remove(self, branch: str) -> None:
        """Take a branch away, with all that leave it; the first answer stays."""
        with self._lock:
            self._tree.remove(branch)
            self._draw()

    def ask(self, messages: Messages) -> None:
        """Start anew with the answer to `messages`; the branches so far go."""
        source = self._source.asked(messages)
        first = source.grow(None, 0, None)
        with self._lock:
            self._source, self._tree = source, Branches(first)
            self._about = about(messages)
            self._draw()

    def handle(self, op: str, message: Message) -> None:
        """`fork` with branch, place and token id; `remove` with branch."""
        if op not in {"fork", "remove"}:
            return super().handle(op, message)
        name = str(message["branch"])
        try:
            self.problem = ""
            if op == "remove":
                self.remove(name)
            else:
                self.fork(name, int(message["at"]), int(message["id"]))
        except LabError as error:
            self.problem = str(error)
        return None

    def record(self) -> Table:
        """One row per branch: where it begins, its text, and its blocks."""
        rows = [
            (
                self._tree.letter(branch),
                self._left(branch),
                _cut("".join(self._label(token.token_id) for token in branch.tokens)),
                f"{branch.num_shared} of {len(branch.blocks)}",
                f"{branch.num_computed - _num_fed(branch)} + {_num_fed(branch)}",
            )
            for branch in self._tree.drawn()
        ]
        read = "tokens read: to go on + drawn"
        head = ("branch", "leaves", "its own text", "blocks shared", read)
        return Table(self._title(), self._alt(), head, tuple(rows))

    def _require_free(self, parent: Branch, at: int, token_id: int) -> None:
        """Raise `ConfigError` unless a new branch can leave there."""
        found = self._tree.token(parent, at)
        if token_id not in dict(found.top):
            raise ConfigError(
                f"token {token_id} is no candidate at place {at} of {parent.name}; "
                f"use one of {[i for i, _ in found.top]}"
            )
        if there := self._tree.takers(parent, at).get(token_id):
            letter = self._tree.letter(there)
            raise ConfigError(
                f"branch {letter} has token {token_id} at place {at}: choose another"
            )
        if (parent.name, at, token_id) in self._growing:
            raise ConfigError("this branch is being generated: wait for it")
        if len(self.branches) + len(self._growing) >= MAX_BRANCHES:
            raise ConfigError(f"{MAX_BRANCHES} branches are enough: remove one first")

    def _draw(self) -> None:
        self.title = self._title()
        self.drawn = [self._to_page(each) for each in self._tree.drawn()]

    def _left(self, branch: Branch) -> str:
        if branch.parent is None:
            return "the prompt"
        letter = self._tree.letter(self._tree.named(branch.parent))
        return f"{letter} at token {branch.start + 1}"

    def _title(self) -> str:
        if len(self.branches) == 1:
            words = "One answer; choose a token and take another candidate"
            return f"{self._about}{words}"
        every = sum(len(branch.blocks) for branch in self.branches)
        filled = every - sum(branch.num_shared for branch in self.branches)
        return (
            f"{self._about}{len(self.branches)} branches filled {filled} blocks; "
            f"without sharing they would fill {every}"
        )

    def _alt(self) -> str:
        return "; ".join(
            f"{self._tree.letter(b)} leaves {self._left(b)}, stands on {len(b.blocks)} "
            f"blocks, {b.num_shared} shared, and had {b.num_computed} tokens read: "
            f"{b.num_computed - _num_fed(b)} to go on and {_num_fed(b)} drawn"
            for b in self._tree.drawn()
        )

    def _to_page(self, branch: Branch) -> dict[str, Any]:
        """Labels, probabilities and blocks, ready to show."""
        return {
            "name": branch.name,
            "letter": self._tree.letter(branch),
            "parent": branch.parent or "",
            "left": self._left(branch),
            "start": branch.start,
            "tokens": [
                self._token(branch, branch.start + i, token)
                for i, token in enumerate(branch.tokens)
            ],
            "blocks": [[b, self._tree.lost_to(branch, b)] for b in branch.blocks],
            "num_shared": branch.num_shared,
            "num_to_go_on": branch.num_computed - _num_fed(branch),
            "num_fed": _num_fed(branch),
        }

    def _token(self, branch: Branch, at: int, token: BranchToken) -> dict[str, Any]:
        """A token and its candidates, each with the branch that has taken it."""
        takers = self._tree.takers(self._tree.owner(branch, at), at)
        return {
            "id": token.token_id,
            "text": self._label(token.token_id),
            "p": _probability(token.logprob),
            "top": [
                [i, self._label(i), _probability(p), takers[i].name]
                if i in takers
                else [i, self._label(i), _probability(p), ""]
                for i, p in token.top
            ],
        }


def _num_fed(branch: Branch) -> int:
    """Drawn tokens that the model read: the last one drawn is never read."""
    num_chosen = 0 if branch.parent is None else 1
    return len(branch.tokens) - num_chosen - 1


def _probability(logprob: float) -> float:
    return round(math.exp(logprob), 6)


def _cut(text: str, limit: int = 56) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
