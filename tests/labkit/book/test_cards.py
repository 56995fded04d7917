"""The one file of perishable facts: complete, dated, sourced."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from labkit.book.cards import HOME, read_cards
from labkit.errors import ConfigError

DATA = json.loads(HOME.read_text(encoding="utf-8"))
TABLES = ("prices", "rules", "models", "gpus")


def test_every_row_says_where_it_comes_from() -> None:
    for row in (row for table in TABLES for row in DATA[table]):
        assert row["source"], row
        assert row["status"] in ("opened", "reported"), row


@pytest.mark.parametrize("table", ["prices", "rules"])
def test_what_perishes_soonest_has_the_day_it_was_read(table) -> None:
    assert all(row["read_on"] <= DATA["date"] for row in DATA[table])


def test_writes_and_reads_are_the_multiples_that_vendors_state() -> None:
    for card in read_cards().prices.values():
        assert card.write == card.input * Decimal("1.25")
        assert card.write_long == card.input * 2
        assert card.read == card.input / 10


def test_every_price_knows_the_shortest_prompt_that_is_cached() -> None:
    prices = read_cards().prices
    assert {name: card.minimum_tokens for name, card in prices.items()} == {
        "Claude Opus 5": 512,
        "Claude Sonnet 5": 1024,
        "Claude Haiku 4.5": 4096,
    }
    assert not prices["Claude Sonnet 5"].caches(1023)
    assert prices["Claude Sonnet 5"].caches(1024)


def test_a_price_without_a_rule_is_refused(tmp_path) -> None:
    path = tmp_path / "cards.json"
    path.write_text(json.dumps({**DATA, "rules": []}), encoding="utf-8")
    with pytest.raises(ConfigError, match="Claude Opus 5: no rule names it"):
        read_cards(path)


def test_names_are_found_with_their_source() -> None:
    cards = read_cards()
    assert cards.rules["OpenAI, before GPT-5.6"].step_tokens == 128
    assert cards.about["Llama-3-8B"].startswith("opened: config.json")
    assert set(cards.about) >= {*cards.prices, *cards.models, *cards.gpus}


def test_damaged_row_is_named(tmp_path) -> None:
    broken = {**DATA, "gpus": [{"name": "toy", "status": "opened", "source": "x"}]}
    path = tmp_path / "cards.json"
    path.write_text(json.dumps(broken), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"cards.json, toy: .*memory_gb"):
        read_cards(path)
