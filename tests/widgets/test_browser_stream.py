"""StreamView in JupyterLab: start, stop, replay, and the page's own fetch."""

from __future__ import annotations

import pytest
from playwright.sync_api import Route, expect

from tests.support.requests import openai_frames

pytestmark = pytest.mark.browser

HEAD = (
    "from labkit.widgets import StreamView\n"
    "from tests.support.requests import chunks\n"
    "from tests.support.streams import ScriptedSource\n"
    "hello = [{'role': 'user', 'content': 'hello'}]\n"
)
SLOW = "source = ScriptedSource(chunks(), pause_s=0.2)\n"
STATE = "print(view.status, len(view.chunks), source.streams[-1].is_cancelled)"


def test_stop_ends_the_stream_half_way(notebook) -> None:
    book = notebook(
        HEAD + SLOW, "view = StreamView(source, hello)\nview", "view.status"
    )
    view = book.widget("stream")
    view.get_by_role("button", name="Start").press("Enter")
    expect(view.locator(".lab-text")).to_contain_text("The answer")
    view.get_by_role("button", name="Stop").press("Enter")
    expect(view).to_have_attribute("data-status", "stopped")
    expect(view.locator("output")).to_contain_text("Stopped.")
    stamps = view.locator(".lab-dots .lab-stamp").count()
    assert 2 <= stamps < 13
    book.page.wait_for_timeout(600)  # three more chunks would have come
    assert view.locator(".lab-dots .lab-stamp").count() == stamps
    book.check()


def test_stop_works_while_a_cell_is_running(notebook) -> None:
    busy = "view = StreamView(source, hello)\ndisplay(view)\nview.run()\n" + STATE
    book = notebook(HEAD + SLOW)
    book.add_cell_and_run(busy)
    view = book.widget("stream")
    expect(view.locator(".lab-text")).to_contain_text("The")
    expect(view.locator("output")).to_have_text("Streaming.")
    view.get_by_role("button", name="Stop").press("Enter")
    expect(view).to_have_attribute("data-status", "stopped")
    expect(view.locator("output")).to_contain_text("Stopped.")
    book.wait_idle()
    assert "stopped" in book.outputs()
    assert "True" in book.outputs()
    book.check()


def test_broken_stream_is_said_and_the_next_one_tells_nothing_of_it(notebook) -> None:
    code = (
        "source = ScriptedSource(chunks(), pause_s=0.05, breaks_after=5)\n"
        "StreamView(source, hello)"
    )
    book = notebook(HEAD, code)
    view = book.widget("stream")
    start, said = view.get_by_role("button", name="Start"), view.locator("output")
    start.press("Enter")
    expect(view.locator(".lab-note")).to_contain_text("The stream broke off: its end")
    expect(said).to_contain_text("Failed. 4 pieces of text")
    book.add_cell_and_run("source._breaks_after, source._pause_s = None, 0.2")
    book.wait_idle()
    start.press("Enter")
    expect(said).to_have_text("Streaming.")
    expect(said).to_contain_text("Done. 10 pieces of text")
    view.get_by_label("Prompt").fill("   ")
    start.press("Enter")
    expect(view.locator(".lab-note")).to_contain_text("The prompt is empty")
    book.check()


def test_text_is_appended_piece_by_piece_and_is_never_markup(notebook) -> None:
    evil = "[StreamChunk(0, 0.1, 'content', '', '<img src=x onerror=alert(1)>')]"
    code = f"from labkit.records import StreamChunk\nStreamView.from_chunks({evil})"
    book = notebook(HEAD, code)
    text = book.widget("stream").locator(".lab-text")
    expect(text).to_have_text("<img src=x onerror=alert(1)>")
    assert text.locator("img").count() == 0
    names = text.evaluate("node => [...node.children].map(child => child.tagName)")
    assert names == ["SPAN", "I"]  # the piece, the caret
    book.check()


def test_knobs_reach_the_source(notebook) -> None:
    code = (
        "source = ScriptedSource(chunks())\n"
        "StreamView(source, hello, max_tokens=40, temperature=0.7, seed=3)"
    )
    book = notebook(HEAD, code)
    view = book.widget("stream")
    view.get_by_label("Temperature").focus()
    book.page.keyboard.press("ArrowRight")
    expect(view.locator(".lab-field", has_text="Temperature")).to_contain_text("0.8")
    view.get_by_label("Max tokens").fill("12")
    view.get_by_role("button", name="Start").press("Space")
    expect(view).to_have_attribute("data-status", "done")
    book.add_cell_and_run("source.requests[-1][1]")
    book.wait_idle()
    assert "'max_tokens': 12, 'temperature': 0.8, 'seed': 3" in book.outputs()
    book.check()


def test_replay_slider_goes_back_in_the_stream(notebook) -> None:
    book = notebook(HEAD, "StreamView.from_chunks(chunks())")
    view = book.widget("stream")
    expect(view.locator(".lab-text")).to_have_text('The answer is "1" (1). 🍓')
    expect(view.locator(".lab-facts")).to_contain_text("gap p5030.0 ms")
    view.get_by_label("Show up to chunk").focus()
    book.page.keyboard.press("Home")
    expect(view.locator(".lab-text")).to_have_text("", use_inner_text=True)
    for _ in range(3):
        book.page.keyboard.press("ArrowRight")
    expect(view.locator(".lab-text")).to_have_text("The answer", use_inner_text=True)
    assert view.locator(".lab-dots .lab-later").count() == 10
    view.get_by_role("button", name="Replay").press("Enter")
    expect(view.locator(".lab-text")).to_have_text('The answer is "1" (1). 🍓')
    book.check()


def test_page_streams_itself_where_a_server_answers(notebook) -> None:
    sent: list[dict[str, str]] = []

    def answer(route: Route) -> None:
        sent.append(route.request.headers)
        head = {"content-type": "text/event-stream", "x-request-id": "run-1"}
        route.fulfill(headers=head, body=b"".join(openai_frames()))

    code = "view = StreamView(None, hello, transport='browser', max_tokens=9)"
    book = notebook(HEAD, f"{code}\nview.can_start = True\nview")
    models = {"object": "list", "data": [{"id": "tiny"}]}
    book.page.route("**/labkit/v1/models", lambda route: route.fulfill(json=models))
    book.page.route("**/labkit/v1/chat/completions", answer)
    view = book.widget("stream")
    view.get_by_role("button", name="Start").press("Enter")
    expect(view.locator(".lab-text")).to_have_text('The answer is "1" (1). 🍓')
    expect(view).to_have_attribute("data-status", "done")
    assert sent[0]["accept"] == "text/event-stream"
    assert sent[0]["x-lease-seconds"] == "6"
    book.add_cell_and_run("print(view.status, len(view.chunks), view.chunks[-2].usage)")
    book.wait_idle()
    assert "done 14 Usage(prompt_tokens=34, completion_tokens=10" in book.outputs()
    book.check()


@pytest.mark.parametrize(
    ("status", "kind"), [(200, "text/html"), (500, "application/json")]
)
def test_page_falls_back_to_the_kernel_and_says_so(notebook, status, kind) -> None:
    code = "StreamView(ScriptedSource(chunks()), hello, transport='browser')"
    book = notebook(HEAD, code)
    book.allow_failed_requests()
    book.page.route(
        "**/labkit/v1/**",
        lambda route: route.fulfill(status=status, content_type=kind, body="{}"),
    )
    view = book.widget("stream")
    view.get_by_role("button", name="Start").press("Enter")
    expect(view.locator(".lab-note")).to_contain_text("The kernel reads instead.")
    expect(view.locator(".lab-text")).to_have_text('The answer is "1" (1). 🍓')
    book.check()
