"""Where prompts part, why, and what it costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from labkit.errors import ConfigError, NeverFits
from labkit.widgets import PrefixMissExplainer
from labkit.widgets.prefix_cause import Cause, Miss, Prompt, compare, parted
from labkit.widgets.prefix_miss_explainer import MissTimes
from tests.support.pools import CARD, PAIRS, POLICY, WORDS, measured


def miss(first: str, second: str, block_size: int = 4) -> Miss:
    return compare(_prompt(first), _prompt(second), block_size)


def _prompt(text: str) -> Prompt:
    return Prompt(text, tuple(text.encode()))


CHATML = "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nHi<|im_end|>"
CASES = [
    ("", "abcd", Cause.EMPTY),
    ("abcd efgh", "abcd efgh", Cause.SAME),
    ("abcd", "abcd efgh", Cause.LONGER),
    ("<s> Hi", "<<s> Hi", Cause.DOUBLED),
    ("now 2026-11-22T06:47:01Z", "now 2026-11-22T06:47:02Z", Cause.TIME),
    ("It is 9:15 pm here", "It is 9:16 pm here", Cause.TIME),
    ("at 1763794021 go", "at 1763794099 go", Cause.TIME),
    ('t [{"n": "a"}, {"n": "b"}] x', 't [{"n": "b"}, {"n": "a"}] x', Cause.TOOLS),
    ('{"n": "a"}\n{"n": "b"}\n', '{"n": "b"}\n{"n": "a"}\n', Cause.TOOLS),
    ('k {"a": 1, "b": [2]} x', 'k {"b": [2], "a": 1} x', Cause.KEYS),
    (CHATML, "[INST] <<SYS>>Be kind.<</SYS>> Hi [/INST]", Cause.TEMPLATE),
    ("a  b c", "a b c", Cause.BLANKS),
    ("the red house", "the blue house", Cause.WORDS),
    ("b\na\n", "a\nb\n", Cause.WORDS),
]


@pytest.mark.parametrize(("first", "second", "cause"), CASES)
def test_cause_is_named(first, second, cause) -> None:
    assert miss(first, second).cause is cause
    if cause is not Cause.LONGER:
        assert miss(second, first).cause is cause


def test_hit_is_whole_blocks_and_never_the_last_token() -> None:
    found = miss("12345678", "12345678")
    assert (found.shared, found.hit, found.possible) == (8, 4, 4)
    found = miss("123456789", "1234567xy")
    assert (found.shared, found.hit, found.possible, found.missed) == (7, 4, 8, 4)


def test_the_book_s_numbers_of_a_timestamp() -> None:
    first, second = range(531), (*range(531), *range(900, 914))
    found = compare(Prompt("a", (*first, 7)), Prompt("b", second), 16)
    assert (found.shared, found.hit) == (531, 528)


def test_picture_shows_both_tokens_of_the_difference() -> None:
    drawing = PrefixMissExplainer(PAIRS, WORDS, CARD).record()
    differing = next(row for row in drawing.rows if row[-1] == "≠")
    assert differing[:4] == ("10", "0", "1", "2")
    assert drawing.title.startswith("Timestamp: token 10 differs, in block 0")


def test_price_lost_is_the_card_s() -> None:
    widget = PrefixMissExplainer(PAIRS, WORDS, CARD)
    missed = len(PAIRS["timestamp"][1]) // 16 * 16
    assert widget.miss.missed == missed
    want = f"USD {CARD.lost(missed) * 1000:,.2f} more for 1,000 such requests"
    assert want in widget.summary()


def test_run_measures_the_prompts_that_are_shown() -> None:
    widget = PrefixMissExplainer(PAIRS, WORDS, CARD, measured)
    widget.handle("run", {})
    assert widget.times == measured((), ())
    assert (
        "its prefill took 60.0 ms; it takes 80.0 ms with an empty" in widget.summary()
    )
    assert widget.note.endswith("The miss costs 55.0 ms.")
    assert ["time lost", "55.0 ms"] in widget.result["facts"]
    assert widget.status == "idle"


def test_edited_prompt_is_compared_anew_and_loses_its_times() -> None:
    widget = PrefixMissExplainer(PAIRS, WORDS, CARD, measured)
    widget.run()
    widget.set_state({"texts": [POLICY, POLICY]})
    assert widget.miss.cause is Cause.SAME
    assert (widget.times, widget.note) == (None, "")


def test_example_follows_what_stands_in_the_boxes() -> None:
    widget = PrefixMissExplainer(PAIRS, WORDS, CARD)
    assert widget.names == ["timestamp", "tools", "your own"]
    widget.set_state({"texts": ["a", "b"]})
    assert widget.name == "your own"
    widget.set_state({"texts": list(PAIRS["tools"])})
    assert widget.name == "tools"
    widget.set_state({"name": "your own"})
    assert (widget.texts, widget.name) == (["a", "b"], "your own")


def test_two_equal_prompts_differ_in_no_block() -> None:
    widget = PrefixMissExplainer({"same": (POLICY, POLICY)}, WORDS, CARD)
    assert widget.result["parts_in"] is None
    assert "only the block of the last token" in widget.result["remedy"]
    widget.texts = [POLICY, POLICY.replace("brief", "short", 1)]
    assert widget.result["parts_in"] == POLICY.index("brief") // 16


def test_what_differs_is_marked_in_both_texts() -> None:
    assert parted("now 06:47:01Z", "now 06:47:02Z") == (
        ("now 06:47:0", "1", "Z"),
        ("now 06:47:0", "2", "Z"),
    )
    assert parted("aa", "aaa") == (("aa", "", ""), ("aa", "a", ""))
    assert parted("same", "same") == (("same", "", ""),) * 2


def test_emptied_box_is_told_and_nothing_is_run() -> None:
    widget = PrefixMissExplainer(PAIRS, WORDS, CARD, measured)
    widget.set_state({"texts": [POLICY, ""]})
    title = widget.record().title
    assert title == "Nothing to compare: the second prompt is empty"
    widget.handle("run", {})
    assert widget.note.startswith("Nothing was run: a prompt is empty")
    assert widget.times is None


def test_engine_that_refuses_the_prompts_is_a_note() -> None:
    def refuse(first: Sequence[int], second: Sequence[int]) -> MissTimes:
        raise NeverFits("the prompt has 9,999 tokens: shorten it")

    widget = PrefixMissExplainer(PAIRS, WORDS, CARD, refuse)
    widget.handle("run", {})
    assert widget.note == "Nothing was run: the prompt has 9,999 tokens: shorten it."
    assert widget.status == "idle"


@pytest.mark.parametrize(
    ("times", "said"),
    [
        (MissTimes(80.0, 60.0, 5.0, 16), "The miss costs 55.0 ms."),
        (MissTimes(80.0, 60.0, 60.5, 16), "The miss costs too little to measure."),
        (MissTimes(60.0, 80.0, 5.0, 16), "the machine was busy with something else"),
    ],
)
def test_measured_times_are_judged_before_they_are_told(times, said) -> None:
    widget = PrefixMissExplainer(PAIRS, WORDS, CARD, lambda _a, _b: times)
    widget.run()
    assert said in widget.note
    assert "-" not in dict(widget.result["facts"])["time lost"]


def test_difference_that_comes_late_needs_no_remedy() -> None:
    late = "abcdefgh" * 8
    found = miss(f"{late} at 10:00", f"{late} at 11:00", 16)
    assert found.cause is Cause.TIME
    assert found.remedy.startswith("Nothing to mend: the difference comes so late")
    early = miss(f"At 10:00 {late}", f"At 11:00 {late}", 16)
    assert early.remedy.startswith("Move it behind")


def test_prompt_of_the_reader_is_compared_with_the_one_before_it() -> None:
    words = replace(WORDS, render=lambda chat: chat[0]["content"], opening="Hi there")
    widget = PrefixMissExplainer(PAIRS, words, CARD)
    widget.ask([{"role": "user", "content": "Hi you"}])
    assert (widget.texts, widget.name) == (["Hi there", "Hi you"], "your own")
    widget.ask([{"role": "user", "content": "Hello"}])
    assert widget.texts == ["Hi you", "Hello"]
    with pytest.raises(ConfigError, match="renders no chats"):
        PrefixMissExplainer(PAIRS, WORDS, CARD).ask([])


def test_times_come_back_with_the_example_they_were_measured_on() -> None:
    widget = PrefixMissExplainer(PAIRS, WORDS, CARD, measured)
    widget.run()
    widget.show("tools")
    assert widget.result["is_measured"] is False
    widget.show("timestamp")
    assert widget.times == measured((), ())
    assert ["time lost", "55.0 ms"] in widget.result["facts"]


def test_an_example_is_looked_at_without_being_shown() -> None:
    widget = PrefixMissExplainer(PAIRS, WORDS, CARD, measured)
    widget.run()
    before = widget.result
    assert widget.of("tools").cause is Cause.TOOLS
    assert (widget.name, widget.result) == ("timestamp", before)
    with pytest.raises(ConfigError, match="did you mean tools"):
        widget.of("tool")


def test_a_prompt_too_short_to_be_cached_loses_nothing_by_the_card() -> None:
    count = len(PAIRS["timestamp"][1])
    for minimum, is_cached in ((count, True), (count + 1, False)):
        card = replace(CARD, minimum_tokens=minimum)
        widget = PrefixMissExplainer(PAIRS, WORDS, card)
        assert ("would charge USD" in widget.summary()) is is_cached
        facts = dict(widget.result["facts"])
        assert (facts["1,000 requests lose"] == "0: too short") is not is_cached


def test_example_is_chosen_by_name() -> None:
    widget = PrefixMissExplainer(PAIRS, WORDS, CARD)
    assert widget.show("tools").cause is Cause.TOOLS
    assert widget.texts == list(PAIRS["tools"])


def test_what_cannot_be_done_is_refused() -> None:
    widget = PrefixMissExplainer(PAIRS, WORDS, CARD)
    with pytest.raises(ConfigError, match="did you mean tools"):
        widget.show("tool")
    with pytest.raises(ConfigError, match="no measure"):
        widget.run()
    with pytest.raises(ConfigError, match="give two"):
        widget.texts = ["one"]
    with pytest.raises(ConfigError, match="give at least one"):
        PrefixMissExplainer({}, WORDS, CARD)


def test_titles_keep_the_case_of_json_and_count_in_english() -> None:
    pairs = {"keys": ('{"a": 1, "b": 2} x', '{"b": 2, "a": 1} x'), "one": ("ab", "ac")}
    widget = PrefixMissExplainer(pairs, WORDS, CARD)
    assert widget.record().title.startswith("Order of JSON keys: token 2 differs")
    widget.show("one")
    assert widget.summary().count("1 token is shared") == 1


def test_a_pair_chosen_while_another_is_measured_is_not_given_its_times() -> None:
    def measure_and_edit(*ids: object) -> MissTimes:
        widget.texts = ["one prompt", "another one"]
        return measured(*ids)

    widget = PrefixMissExplainer(PAIRS, WORDS, CARD, measure_and_edit)
    widget.run()
    assert widget.times is None
    assert widget.note == ""
    assert widget.result["is_measured"] is False
