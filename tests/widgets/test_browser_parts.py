"""What the shared scripts of all widgets do, in a bare page without a notebook."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from labkit.widgets.base import SHARED, STATIC, joined

pytestmark = pytest.mark.browser

SESSION = """
const signal = () => {
  const slots = new Set();
  return { connect: (slot) => slots.add(slot), disconnect: (slot) => slots.delete(slot),
           emit: (value) => [...slots].forEach((slot) => slot(null, value)), slots };
};
globalThis.session = { statusChanged: signal(), kernelChanged: signal() };
globalThis.model = {
  get: () => '', on() {}, off() {},  // no veil
  widget_manager: { context: { sessionContext: session } },
};
"""
DRAW = """async () => {
  const undo = lab.cleaner();
  const render = ({ el }) => el.append(
    lab.button('Run', undo, () => {}), lab.own(lab.button('Zoom', undo, () => {})));
  document.body.replaceChildren(lab.el('div'));
  globalThis.host = document.body.firstChild;
  globalThis.close = await lab.widget(render).render({ model, el: host });
}"""
STATE = """() => ({
  note: host.querySelector('.lab-asleep:not([hidden])')?.textContent ?? '',
  off: [...host.querySelectorAll('button')].map((node) => node.disabled),
  slots: session.statusChanged.slots.size + session.kernelChanged.slots.size,
})"""


@pytest.fixture(scope="module")
def bare(chrome: Browser) -> Iterator[Page]:
    """An empty page that has the shared scripts."""
    page = chrome.new_page()
    page.add_script_tag(content=joined(*SHARED) + SESSION)
    yield page
    page.close()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("lab.count(1, 'piece')", "1 piece"),
        ("lab.count(0, 'piece')", "0 pieces"),
        ("lab.count(1234, 'piece')", "1,234 pieces"),
        ("lab.count(2, 'entry', 'entries')", "2 entries"),
    ],
)
def test_a_number_and_its_word_agree(bare: Page, call: str, words: str) -> None:
    assert bare.evaluate(call) == words


def test_a_control_that_cannot_be_used_says_why(bare: Page) -> None:
    seen = bare.evaluate(
        """() => {
          const go = lab.reasoned(lab.button('Go', lab.cleaner(), () => {}));
          const look = () => [go.control.disabled, go.node.textContent,
            go.control.getAttribute('aria-description')];
          go.refuse('Give a prompt first.');
          const off = look();
          go.refuse('');
          return [off, look()];
        }"""
    )
    assert seen == [
        [True, "GoGive a prompt first.", "Give a prompt first."],
        [False, "Go", None],
    ]


def test_play_advances_to_the_end_and_starts_over_when_pressed_again(
    bare: Page,
) -> None:
    seen = bare.evaluate(
        """async () => {
          let step = 0, ended = null;
          const seen = [];
          const play = lab.player(lab.cleaner(), {
            everyMs: 1,
            rewind: () => { step = 0; },
            advance: () => {
              seen.push(step += 1);
              if (step === 3) ended();
              return step < 3;
            },
          });
          const once = () => new Promise((done) => {
            ended = done;
            play.node.click();
          });
          const names = [play.node.textContent];
          for (const round of [1, 2]) {
            const over = once();
            names.push(play.node.textContent);
            await over;
            await Promise.resolve();
            names.push(play.node.textContent);
          }
          return [seen, names];
        }"""
    )
    assert seen == [[1, 2, 3, 1, 2, 3], ["Play", "Pause", "Play", "Pause", "Play"]]


@pytest.mark.parametrize(
    "ending",
    [
        "session.statusChanged.emit('restarting')",
        "session.statusChanged.emit('autorestarting')",
        "session.statusChanged.emit('dead')",
        "session.kernelChanged.emit({ oldValue: { id: 1 }, newValue: null })",
    ],
)
def test_a_widget_tells_that_its_kernel_has_ended(bare: Page, ending: str) -> None:
    bare.evaluate(DRAW)
    for status in ("busy", "idle", "unknown"):
        bare.evaluate(f"session.statusChanged.emit('{status}')")
    assert bare.evaluate(STATE) == {"note": "", "off": [False, False], "slots": 2}
    bare.evaluate(ending)
    after = bare.evaluate(STATE)
    assert "has ended" in after["note"]
    assert "Shift+Enter" in after["note"]
    assert after["off"] == [True, False]
    assert after["slots"] == 0
    drawn_later = "async () => { host.lastChild.append(lab.el('button')); await 0; }"
    bare.evaluate(drawn_later)
    assert bare.evaluate(STATE)["off"] == [True, False, True]


def test_a_widget_that_is_removed_no_longer_listens_to_the_kernel(bare: Page) -> None:
    bare.evaluate(DRAW)
    bare.evaluate("close()")
    assert bare.evaluate(STATE)["slots"] == 0


@pytest.mark.parametrize("path", sorted(STATIC.glob("*.js")), ids=lambda p: p.name)
def test_no_widget_has_a_heading_or_an_empty_table_header(path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"lab\.el\('h[1-6]'", text)
    assert not re.search(r"lab\.el\('th'\)", text)
