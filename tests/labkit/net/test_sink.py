"""The sink counts what a page fetches, and nothing else."""

from __future__ import annotations

from urllib.request import urlopen

from labkit.net.sink import Sink


def test_sink_remembers_paths_in_order() -> None:
    with Sink() as sink:
        for path in ("/a?secret=1", "/b"):
            with urlopen(sink.url + path, timeout=5) as reply:
                assert reply.headers["Content-Type"] == "image/gif"
                assert reply.read().startswith(b"GIF89a")
    assert sink.hits == ("/a?secret=1", "/b")


def test_closing_twice_is_harmless_and_keeps_the_hits() -> None:
    sink = Sink()
    with urlopen(sink.url + "/x", timeout=5) as reply:
        reply.read()
    sink.close()
    sink.close()
    assert sink.hits == ("/x",)


def test_two_sinks_live_side_by_side() -> None:
    with Sink() as one, Sink() as two:
        assert one.url != two.url


def test_waiting_ends_with_the_first_request_or_with_its_limit() -> None:
    with Sink() as sink:
        assert not sink.wait(0.01)
        with urlopen(sink.url + "/x", timeout=5) as reply:
            reply.read()
        assert sink.wait(5)
