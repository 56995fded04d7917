"""Facts that go out of date, from one dated file: prices, rules, models, GPUs.

`data/cards.json` has a source, a date and a status for each row; nothing in a chapter
types such a number. Money is `Decimal`. A row that lacks a field is refused by name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from labkit.errors import ConfigError
from labkit.figures.kv import GPU, ModelShape
from labkit.figures.prices import PriceCard

__all__ = ["CacheRule", "Cards", "read_cards"]

HOME = Path(__file__).parent / "data" / "cards.json"
ABOUT = ("status", "source", "read_on")  # where a row comes from


@dataclass(frozen=True, slots=True)
class CacheRule:
    """From how many tokens on a vendor caches, and in which steps."""

    vendor: str
    minimum_tokens: int
    step_tokens: int | None  # None: the vendor names none
    write_factor: Decimal  # times the price of input


@dataclass(frozen=True, slots=True)
class Cards:
    """Everything in the file; `about` says where a name's row comes from."""

    date: str
    prices: Mapping[str, PriceCard]
    rules: Mapping[str, CacheRule]
    models: Mapping[str, ModelShape]
    gpus: Mapping[str, GPU]
    about: Mapping[str, str]


def read_cards(path: Path = HOME) -> Cards:
    """Read the file; `ConfigError` names the row that is damaged."""
    data = json.loads(path.read_text(encoding="utf-8"))
    tables = ("prices", "rules", "models", "gpus")
    rows = [row for table in tables for row in data[table]]
    shortest = {_product(r): r["minimum_tokens"] for r in data["rules"]}
    return Cards(
        date=data["date"],
        prices={r["model"]: _price(r, data["date"], shortest) for r in data["prices"]},
        rules={r["vendor"]: _rule(r) for r in data["rules"]},
        models={r["name"]: _made(ModelShape, r) for r in data["models"]},
        gpus={r["name"]: _made(GPU, r) for r in data["gpus"]},
        about={_name(row): f"{row['status']}: {row['source']}" for row in rows},
    )


def _name(row: Mapping[str, Any]) -> str:
    return str(row.get("name") or row.get("model") or row.get("vendor"))


def _product(rule: Mapping[str, Any]) -> str:
    """The model in a rule's vendor, such as "Anthropic, Claude Opus 5"."""
    return str(rule["vendor"]).rpartition(", ")[2]


def _made(kind: Any, row: Mapping[str, Any]) -> Any:
    """`kind(**row)`, without the fields that say where the row comes from."""
    try:
        return kind(**{key: value for key, value in row.items() if key not in ABOUT})
    except TypeError as error:
        raise ConfigError(f"cards.json, {_name(row)}: {error}; mend the row") from error


def _price(row: Mapping[str, Any], date: str, shortest: Mapping[str, int]) -> PriceCard:
    """A row's prices, with the shortest prompt that the model's rule caches."""
    if row["model"] not in shortest:
        raise ConfigError(f"cards.json, {row['model']}: no rule names it; add one")
    money = ("input", "write", "write_long", "read", "output")
    amounts = {key: Decimal(row[key]) for key in money if key in row}
    given = {key: value for key, value in row.items() if key not in money}
    known = {"date": date, "minimum_tokens": shortest[row["model"]]}
    made: PriceCard = _made(PriceCard, {**given, **amounts, **known})
    return made


def _rule(row: Mapping[str, Any]) -> CacheRule:
    made: CacheRule = _made(
        CacheRule, {**row, "write_factor": Decimal(row["write_factor"])}
    )
    return made
