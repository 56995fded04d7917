"""The box for a prompt in JupyterLab, by keyboard: ask, watch, stop, and go back."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

SOURCE = """\
import threading
from labkit.records import StreamChunk
from labkit.widgets.ask_box import AskBox

class Slow:
    error, is_complete = None, True
    def __init__(self):
        self.go = threading.Event()
    def __iter__(self):
        yield StreamChunk(0, 0.0, "content", "", text="Bon")
        self.go.wait(60)
        yield StreamChunk(1, 1.0, "content", "", text="jour")
    def cancel(self):
        self.go.set()
    def trace(self):
        return None

class Source:
    def stream(self, messages, **knobs):
        self.last = Slow()
        if "quick" in messages[-1]["content"]:
            self.last.go.set()
        return self.last

book = [{"role": "user", "content": "How many?"}]
box = AskBox(Source(), book, lambda messages: "1 picture below now works on it.")
box"""


def test_a_prompt_is_asked_watched_stopped_and_taken_back(notebook) -> None:
    page = notebook(SOURCE)
    box = page.widget("ask")
    prompt, answer = box.get_by_role("textbox"), box.locator(".lab-ask-answer")
    said = box.locator("output")
    expect(prompt).to_have_value("How many?")
    prompt.fill(" ")
    expect(box.get_by_role("button", name="Ask", exact=True)).to_be_disabled()
    expect(box.get_by_text("Type a prompt first.")).to_be_visible()
    prompt.fill("Say hello, slowly.")
    before = page.page.locator(".jp-Cell").count()
    prompt.press("Control+Enter")  # which is JupyterLab's key to run the cell
    expect(answer).to_have_text("Bon")  # while the answer is still being written
    expect(said).to_have_text("The answer is arriving.")
    expect(prompt).to_be_focused()
    box.get_by_role("button", name="Stop").press("Enter")
    expect(said).to_have_text("Stopped. The answer is not complete.")
    assert page.page.locator(".jp-Cell").count() == before
    prompt.fill("Say hello, quick.")
    box.get_by_role("button", name="Ask", exact=True).press("Enter")
    expect(answer).to_have_text("Bonjour")
    expect(said).to_have_text("The answer is complete: 7 characters.")
    expect(box.locator(".lab-note")).to_have_text("1 picture below now works on it.")
    box.get_by_role("button", name="Back to the book").press("Enter")
    expect(prompt).to_have_value("How many?")
    expect(answer).to_be_hidden()
    page.check()
