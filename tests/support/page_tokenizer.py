"""The page's tokenizer outside a notebook: in node, and the strings to compare it on.

The node is the one that Playwright brings, so that every machine that tests has it.
"""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import playwright

from labkit.widgets.assets import VENDOR

__all__ = ["FRAGMENTS", "ids_in_node", "mixtures"]

NODE = Path(playwright.__file__).parent / "driver" / "node"
RUN = """
import { readFileSync } from 'node:fs';
const { file, vocabulary, texts, allowSpecial } = JSON.parse(readFileSync(0, 'utf8'));
const { load } = await import(file);
const tokenizer = await load(vocabulary);
const ids = texts.map((text) => tokenizer.encode(text, { allowSpecial }));
process.stdout.write(JSON.stringify(ids));
"""

# What a random text is put together from: what tokenizers are known to cut differently.
FRAGMENTS: tuple[tuple[str, ...], ...] = (
    ("def f(x):", "return", "    ", "\t", " = ", "==", "->", "x", "_a1", "#!", "/*"),
    (
        "\n",
        "\r\n",
        "\n\n",
        "\r",
        "\u2028",
        "\x85",
        " ",
        "  ",
        "   ",
        "\u00a0",
        "\u3000",
    ),
    (
        "'",
        '"',
        "`",
        "'s",
        "'t",
        "'re",
        "'ve",
        "'m",
        "'ll",
        "'d",
        "'S",
        "’s",
        "''",
        "'x",
    ),
    ("0", "7", "12", "2024", "3.14", "½", "Ⅷ", "²", "٣", "၅", "១", "𝟘", "五"),
    ("the", "The", " and", "Wort", "straße", "naïve", "e\u0301", "ﬁ", "I'm", "don't"),
    (
        "안녕하세요",
        "토큰",
        "한",
        "각",
        "こんにちは",
        "日本",
        "你好",
        "Привет",
        "مرحبا",
        "ไทย",
    ),
    (
        "🍓",
        "👩‍👩‍👧",
        "👍🏽",
        "🇰🇷",
        "\ufe0f",
        "\u200d",
        "\u200b",
        "\ufeff",
        "\U0001f9ff",
    ),
    ("!", "?!", "...", "—", "$", "€", "{}", "[", ")", ";", ":", "\\", "~~", "|"),
    ("<|im_end|>", "<|im_start|>", "<file_sep>", "<|im_", "end|>", "<", ">"),
    (
        "\x00",
        "\x04",
        "\x06",
        "\x13",
        "\x1c",
        "\x1d",
        "\x7f",
        "\U00040000",
        "\U00098765",
    ),
)


def mixtures(num: int, seed: int) -> list[str]:
    """As many different texts, the same for the same seed."""
    rng = random.Random(seed)
    found: dict[str, None] = {}
    while len(found) < num:
        kinds = rng.sample(FRAGMENTS, rng.randint(1, 5))
        parts = [rng.choice(rng.choice(kinds)) for _ in range(rng.randint(1, 24))]
        if rng.random() < 0.2:
            parts.append(_any_char(rng))
        rng.shuffle(parts)
        found["".join(parts)] = None
    return list(found)


def ids_in_node(
    vocabulary: Mapping[str, Any], texts: Sequence[str], *, allow_special: bool = False
) -> list[list[int]]:
    """The ids that the built vendor file gives for each of `texts`."""
    asked = {
        "file": (VENDOR / "tokenizer.js").as_uri(),
        "vocabulary": vocabulary,
        "texts": texts,
        "allowSpecial": allow_special,
    }
    command = [str(NODE), "--no-warnings", "--input-type=module", "--eval", RUN]
    told = json.dumps(asked).encode()
    done = subprocess.run(command, input=told, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    ids: list[list[int]] = json.loads(done.stdout)
    return ids


def _any_char(rng: random.Random) -> str:
    """Any character of Unicode, an unassigned one too, but for the surrogates."""
    code = rng.randrange(0x110000 - 0x800)
    return chr(code if code < 0xD800 else code + 0x800)
