"""Markdown that is still being written, as patches to a list of top-level blocks.

The parser is `safe_markdown`, always on the accumulated text. The invariant: after
`flush()` the blocks join to exactly `render(whole text)`, for each strategy and however
the text was cut into pieces, and no text is lost in them. Only link definitions leave
no text of their own: their addresses are in the links that use them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.token import Token

from labkit.text.links import LinkPolicy
from labkit.text.safe_markdown import SafeMarkdown

__all__ = ["BlockPatch", "MarkdownStream", "MarkdownWork", "Strategy", "render"]

_LINE_END: Final = re.compile(r"\r\n?|\n")


class Strategy(StrEnum):
    """What to do when a piece arrives."""

    FULL = "full"  # parse everything again, write every block again
    MEMO = "memo"  # keep finished blocks, parse the open one again
    LINES = "lines"  # as MEMO but once a line; its unfinished part is shown plain


@dataclass(frozen=True, slots=True)
class BlockPatch:
    """Top-level block `index` now reads `html`; "" where the block is gone.

    The last patch of each block that stays says `is_final`. A final block changes once
    more at most: by `flush()`, where a link definition came after its use.
    """

    index: int
    html: str
    is_final: bool


@dataclass(frozen=True, slots=True)
class MarkdownWork:
    """What a stream has cost so far."""

    num_parses: int = 0
    num_chars_parsed: int = 0
    num_blocks_written: int = 0  # patches that put other HTML, or the same again


@dataclass(frozen=True, slots=True)
class _Parsed:
    blocks: list[str]  # HTML
    starts: list[int]  # line on which each block begins
    references: dict[str, Any]  # link definitions, each with the lines it is on


def render(text: str, policy: LinkPolicy | None = None) -> str:
    """The HTML of a complete text."""
    return "".join(_parse(SafeMarkdown(policy or LinkPolicy()), text, {}).blocks)


class MarkdownStream:
    """Text pieces to block patches, by the strategy given."""

    def __init__(
        self, strategy: Strategy = Strategy.MEMO, policy: LinkPolicy | None = None
    ) -> None:
        self.strategy = strategy
        self.work = MarkdownWork()
        self._engine = SafeMarkdown(policy or LinkPolicy())
        self._pieces: list[str] = []  # all that was fed
        self._shown: list[BlockPatch] = []  # the newest patch of each block
        self._num_kept = 0  # finished blocks, before the open part
        self._references: dict[str, Any] = {}  # link definitions before the open part
        self._open = ""  # source that is parsed again
        self._open_html: list[str] = []  # its blocks
        self._unfinished = ""  # LINES: the text after the last line end

    @property
    def html(self) -> str:
        """All blocks as they are shown now."""
        return "".join(patch.html for patch in self._shown)

    def feed(self, piece: str) -> list[BlockPatch]:
        """The blocks that `piece` adds or changes."""
        if not piece:
            return []
        self._pieces.append(piece)
        complete = piece
        if self.strategy is Strategy.LINES:
            complete, self._unfinished = _cut_last_line(self._unfinished + piece)
        patches: list[BlockPatch] = []
        if complete:
            self._open += complete
            patches = self._reparse()
        return patches + self._show_open(is_final=False)

    def flush(self) -> list[BlockPatch]:
        """The end of the text: every block in its final form, where that is news."""
        self._num_kept = 0
        self._unfinished = ""
        if self.strategy is not Strategy.FULL:  # FULL has just parsed everything
            self._open_html = self._parse("".join(self._pieces), {}).blocks
        return self._show_open(is_final=True)

    def _reparse(self) -> list[BlockPatch]:
        """Parse the open part again; blocks that it cannot change any more are kept."""
        parsed = self._parse(self._open, self._references)
        num_done = self._num_finished(parsed)
        self._open_html = parsed.blocks[num_done:]
        if not num_done:
            return []
        patches = self._show(parsed.blocks[:num_done], is_final=True)
        self._num_kept += num_done
        self._advance(parsed, parsed.starts[num_done])
        return patches

    def _num_finished(self, parsed: _Parsed) -> int:
        """Blocks before the last one that begins on a complete line."""
        if self.strategy is Strategy.FULL:
            return 0
        num_lines = len(_LINE_END.findall(self._open))  # complete ones
        begun = [i for i, line in enumerate(parsed.starts) if line < num_lines]
        return begun[-1] if begun else 0

    def _advance(self, parsed: _Parsed, line: int) -> None:
        """Let the open part begin at `line`, and remember the definitions before it."""
        ends = [match.end() for match in _LINE_END.finditer(self._open)]
        self._open = self._open[ends[line - 1] :]
        for label, found in parsed.references.items():
            if label not in self._references and found["map"][1] <= line:
                self._references[label] = found

    def _show_open(self, *, is_final: bool) -> list[BlockPatch]:
        """Patches for the open part; a block that is no longer there becomes ""."""
        blocks = [*self._open_html]
        if self._unfinished:
            blocks.append(f"<p>{escapeHtml(self._unfinished)}</p>\n")
        end = self._num_kept + len(blocks)
        gone = [BlockPatch(old.index, "", is_final) for old in self._shown[end:]]
        del self._shown[end:]
        return self._show(blocks, is_final=is_final) + gone

    def _show(self, blocks: list[str], *, is_final: bool) -> list[BlockPatch]:
        """Patches for `blocks`, the first of them after the kept ones."""
        wanted = [
            BlockPatch(index, html, is_final)
            for index, html in enumerate(blocks, start=self._num_kept)
        ]
        return [patch for patch in wanted if self._put(patch)]

    def _put(self, patch: BlockPatch) -> bool:
        """Store `patch`; False where it is no news."""
        if patch.index == len(self._shown):
            self._shown.append(BlockPatch(patch.index, "", False))
        old = self._shown[patch.index]
        rewrites_all = self.strategy is Strategy.FULL and not patch.is_final
        self._shown[patch.index] = patch
        if rewrites_all or patch.html != old.html:
            written = self.work.num_blocks_written + 1
            self.work = replace(self.work, num_blocks_written=written)
            return True
        return patch != old

    def _parse(self, source: str, references: dict[str, Any]) -> _Parsed:
        work = self.work
        self.work = replace(
            work,
            num_parses=work.num_parses + 1,
            num_chars_parsed=work.num_chars_parsed + len(source),
        )
        return _parse(self._engine, source, references)


def _cut_last_line(text: str) -> tuple[str, str]:
    """Complete lines, and what comes after the last line end."""
    ends = [match.end() for match in _LINE_END.finditer(text)]
    cut = ends[-1] if ends else 0
    return text[:cut], text[cut:]


def _parse(engine: MarkdownIt, source: str, references: dict[str, Any]) -> _Parsed:
    """Top-level blocks of `source`, with `references` defined before it."""
    env: dict[str, Any] = {"references": dict(references)}
    parsed = _Parsed([], [], env["references"])
    block: list[Token] = []
    for token in engine.parse(source, env):
        block.append(token)
        if token.level == 0 and token.nesting <= 0 and token.type != "inline":
            assert block[0].map is not None, f"block {block[0].type} has no lines"
            parsed.starts.append(block[0].map[0])
            parsed.blocks.append(engine.renderer.render(block, engine.options, env))
            block = []
    return parsed
