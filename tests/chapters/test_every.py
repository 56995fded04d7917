"""Every chapter has a browser test, which also looks at the chapter as a whole."""

from __future__ import annotations

from tests.chapters import every
from tests.support.jupyter import ROOT


def test_every_chapter_that_is_written_is_looked_at_as_a_whole() -> None:
    sources = (ROOT / "chapters" / "src").glob("[0-9][0-9]_*.py")
    for number in sorted(path.name[:2] for path in sources):
        module = ROOT / "tests" / "chapters" / f"test_browser_{number}.py"
        text = module.read_text(encoding="utf-8")
        assert all(f"    {name},\n" in text for name in every.__all__), module.name
