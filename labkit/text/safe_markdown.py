"""CommonMark with tables for text that nobody vouches for, and none of it lost.

Raw HTML is shown as text, and addresses go through a `LinkPolicy`. Where the parser
would drop text, it is kept: what is nested deeper than its limit becomes a paragraph,
cells that a table has no column for stay in the row's last cell, and what follows a
fence's language becomes the block's title.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml, mdTrim, unescapeAll
from markdown_it.renderer import RendererHTML
from markdown_it.rules_block import StateBlock, blockquote, list_block, table
from markdown_it.rules_block.table import escapedSplit, getLine
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

from labkit.text.links import LinkPolicy, host_of

__all__ = ["SafeMarkdown"]

Rule = Callable[[StateBlock, int, int, bool], bool]  # state, first line, end, silent

# Which blocks each rule may interrupt, as markdown-it has them by default.
_INTERRUPTS: Final = {
    "table": ["paragraph", "reference"],
    "blockquote": ["paragraph", "reference", "blockquote", "list"],
    "list": ["paragraph", "reference", "blockquote"],
}
_MAX_LEVELS: Final = 40  # of the blocks around one another; deeper ones are text
_LEVELS_A_LIST: Final = 2  # the list and its item; a quotation takes one


class SafeMarkdown(MarkdownIt):
    """CommonMark with tables, without raw HTML, with links and images by policy."""

    def __init__(self, policy: LinkPolicy) -> None:
        super().__init__(
            "commonmark",
            {"html": False, "maxNesting": _MAX_LEVELS},
            renderer_cls=lambda parser: _SafeRenderer(parser, policy),
        )
        self._policy = policy
        self.enable("table")
        rules = {
            "table": _table_with_all_cells,
            "blockquote": _unless_too_deep(blockquote),
            "list": _unless_too_deep(list_block),
        }
        for name, rule in rules.items():
            self.block.ruler.at(name, rule, {"alt": _INTERRUPTS[name]})

    def validateLink(self, url: str) -> bool:  # noqa: N802  # the base class's name
        """Asked for links and images alike; images are asked about once more."""
        return self._policy.allows_link(url)


def _unless_too_deep(rule: Rule) -> Rule:
    """`rule`, but below the parser's limit its lines are a paragraph.

    At the limit itself the parser skips whatever is left, without a word.
    """

    def guarded(state: StateBlock, start: int, end: int, silent: bool) -> bool:
        if state.level + _LEVELS_A_LIST >= state.md.options.maxNesting:
            return False
        return rule(state, start, end, silent)

    return guarded


def _table_with_all_cells(
    state: StateBlock, start: int, end: int, silent: bool
) -> bool:
    """The rule for tables; cells beyond the last column are joined to its cell."""
    first = len(state.tokens)
    if not table(state, start, end, silent):
        return False
    row: list[Token] = []
    for token in state.tokens[first:]:
        if token.type == "inline":
            row.append(token)
        elif token.type == "tr_close":
            _add_surplus(state, row)
            row = []
    return True


def _add_surplus(state: StateBlock, row: list[Token]) -> None:
    last = row[-1]
    assert last.map is not None, "a cell of a table has no line"
    cells = escapedSplit(mdTrim(getLine(state, last.map[0])))
    if cells[0] == "":  # before a row's first pipe
        del cells[0]
    if cells and cells[-1] == "":  # after its last one
        del cells[-1]
    if len(cells) > len(row):
        last.content = mdTrim("|".join(cells[len(row) - 1 :]))


class _SafeRenderer(RendererHTML):
    """Shows the text of an image whose address may not be fetched."""

    def __init__(self, parser: MarkdownIt, policy: LinkPolicy) -> None:
        super().__init__(parser)
        self._policy = policy

    def image(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType
    ) -> str:
        """An `img`, or where it would have been fetched from."""
        attributes = tokens[idx].attrs
        url = str(attributes.get("src", ""))
        if self._policy.allows_image(url):
            return super().image(tokens, idx, options, env)
        text = self.renderInlineAsText(tokens[idx].children, options, env)
        about = f"not loaded: {host_of(url)}"
        if title := attributes.get("title"):
            about += f" ({title})"
        return (
            f'<span class="lab-image-blocked" title="{escapeHtml(about)}">'
            f"{escapeHtml(text)}</span>"
        )

    def fence(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType
    ) -> str:
        """A block of code; what follows its language is its title."""
        about = mdTrim(unescapeAll(tokens[idx].info)).split(maxsplit=1)
        if len(about) > 1:
            tokens[idx].attrSet("title", about[1])
        return super().fence(tokens, idx, options, env)
