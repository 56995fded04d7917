"""Which handler of Enter sends a message too early, in which browser."""

from __future__ import annotations

import pytest

from labkit.text.composition import CONFIRMED, HANDLERS, SENT, num_sends

EARLY = {
    "Chrome": {"naive": 1, "isComposing": 0, "isComposing and 229": 0},
    "Firefox": {"naive": 1, "isComposing": 0, "isComposing and 229": 0},
    "Safari": {"naive": 1, "isComposing": 1, "isComposing and 229": 0},
}


def test_only_both_checks_never_send_what_is_being_composed() -> None:
    early = {
        browser: {name: num_sends(trace, sends) for name, sends in HANDLERS.items()}
        for browser, trace in CONFIRMED.items()
    }
    assert early == EARLY


@pytest.mark.parametrize("handler", HANDLERS)
def test_the_next_enter_sends_once_with_every_handler(handler: str) -> None:
    assert num_sends(SENT, HANDLERS[handler]) == 1


@pytest.mark.parametrize("browser", CONFIRMED)
def test_each_order_of_events_names_the_page_that_states_it(browser: str) -> None:
    assert CONFIRMED[browser].source.startswith("https://")
    assert sum(e.kind == "compositionend" for e in CONFIRMED[browser].events) == 1
