"""Records llama.cpp's own token ids as vectors for the tokenizer's tests.

Run in a throw-away environment, since the book itself does not need llama.cpp:

    python -m venv oracle
    oracle/bin/pip install xllamacpp==2026.10.11549 gguf==0.19.0
    oracle/bin/python tests/support/record_llama_cpp_tokens.py MODEL.gguf OUT.json

Pre-tokenizers other than the model's own are recorded by rewriting one line of metadata
in a copy of the model.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import xllamacpp

ABOUT = (
    "Token ids by llama.cpp (xllamacpp 2026.10.11549, POST /tokenize, add_special "
    "false) with the vocabulary of SmolLM2-135M-Instruct.Q4_1.gguf. special is the "
    "request's parse_special. other_pre: the same vocabulary with the metadata "
    "tokenizer.ggml.pre set to the name given."
)
OTHER_PRE = ("gpt-2", "llama-bpe", "qwen2")

FAMILY = "\U0001f469\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466"
WORDS = """
strawberry STRAWBERRY StrawBerry don't DON'T we're I'll they'd she's o'clock 'tis
naïve café coöperate Straße Ærøskøbing Łódź İstanbul ﬁnance http://example.org/a?b=c&d=e
foo_bar fooBar FooBar foo-bar foo.bar C++ C# F# x86_64 e-mail U.S.A. Ph.D. 3rd 21st
"""
NUMBERS = """
0 7 42 007 1234567 3.14159 1,234,567.89 -273.15 1e-9 0xDEADBEEF 2024-11-22 12:34:56
192.168.0.1 550e8400-e29b-41d4-a716-446655440000 50% $19.99 €5 ½ ² ³ x² H₂O Ⅷ ⅷ ٣٤ ۴۵
१२३ ๑๒๓ 一二三 １２３ ① ⑳ 10½ a1b2c3 1a2b 𝟘𝟙
"""
SCRIPTS = """
人人生而自由,在尊严和权利上一律平等。
すべての人間は、生まれながらにして自由である。
ｶﾀｶﾅ と カタカナ
모든 인간은 태어날 때부터 자유로우며
ㄱㄴㄷ 각
يولد جميع الناس أحرارًا متساوين في الكرامة والحقوق.
العدد ٣٤ في السطر ١٢
سلام دنیا ۱۲۳
सभी मनुष्यों को गौरव और अधिकारों के मामले में
क्षत्रिय श्री १२
มนุษย์ทั้งหลายเกิดมามีอิสระ ๑๒
Все люди рождаются свободными и равными
Όλοι οι άνθρωποι γεννιούνται ελεύθεροι
כל בני האדם נולדו בני חורין
Բոլոր մարդիկ ծնվում են ազատ
ყველა ადამიანი იბადება თავისუფალი
ᎣᏏᏲ ᏙᎯᏧ
ሰው ሁሉ ነጻ
বাংলা ভাষা ১২৩
தமிழ் மொழி
𐎠𐎼𐎹 𝒜𝓃 𠮷野家
Alle Menschen sind frei und gleich an Würde und Rechten geboren.
Tous les êtres humains naissent libres et égaux.
""".strip().splitlines()
MARKS = [
    "e\u0301", "cafe\u0301", "a\u0308o\u0308u\u0308", "Z\u0351\u036b\u0343a\u0340l",
    "\u0301alone", "n\u0303 n\u0303", "\u1100\u1161\u11a8", "x\u20d7", "q\u0307\u0323",
    "o\ufe0f", "#\ufe0f\u20e3", "\u0915\u093f", "\u0e01\u0e33", "\u05e9\u05c1",
]  # fmt: skip
EMOJI = [
    "😀", "🍓", "👍🏽", "❤️", "☺", "🏳️‍🌈", "🇩🇪🇫🇷", "1️⃣", FAMILY,
    "Great job! 👍🎉", "a🍓b", "🍓🍓🍓", " 🍓", "🍓 ", "🧑🏿‍🚀 in space", "™ © ® ℃ №",
    "→ ⇒ ∀x∈ℝ: x²≥0", "█▓▒░ ├──┤", "“quoted” ‘single’ — dash…", "\u200b\u2060\ufeff",
]  # fmt: skip
CONTROL = [chr(code) for code in (*range(1, 32), 127, 128, 133, 159, 160, 173)]
CONTROL += ["a\0b", "a\x06b", "a\x04", "\x1b[31mred\x1b[0m", "bell\x07", "\u2028\u2029"]
BLANKS = [
    " ", "  ", "   ", "       ", "\n", "\n\n", "\n\n\n", "\t", "\t\t", "\r\n", "\r",
    " \n", "\n ", "  \n  ", "a b", "a  b", "a   b", "a\tb", "a\n b", "a\n\n  b", "a ",
    "a  ", " a", "  a", "a \n", "\ta", "a\u00a0b", "a\u3000b", "a\u2003 b", "\x0b\x0c",
    "1 2", "1  2", "a 1", "a  1", " 1", "  1", "\n1", "1\n", "1 ", "\t1", "! !", " !",
    "x  \n\n  y", "   leading", "trailing   ", "a\r\nb\r\n", "\u0085next",
]  # fmt: skip
CODE = [
    "def fib(n):\n    if n < 2:\n        return n\n    return fib(n - 1)\n",
    "for (int i = 0; i < 10; ++i) { sum += a[i]; }",
    "SELECT * FROM t WHERE id = 42 AND name LIKE '%x%';",
    "<div class=\"a b\"><img src=x onerror='alert(1)'></div>",
    "#!/bin/sh\nset -eu\necho \"$HOME\" | sed 's/a/b/g' > /dev/null 2>&1",
    "let f = |x: &str| -> Option<u8> { x.parse().ok()? };",
    "\\frac{1}{2}\\sum_{i=0}^{n} x_i^2",
    "import numpy as np\n\tx = np.zeros((3, 4))\n\n\n# end",
    "```python\nprint('hi')\n```",
    "| a | b |\n|---|---|\n| 1 | 2 |", "**bold** _it_ `c`",
    "- [x] done\n- [ ] open\n  1. sub", "key: value\nlist:\n  - 1\n  - two\n",
    '{"id": 1, "price": 1.25, "tags": ["a", "b"], "ok": true, "none": null}',
    '[{"id":0,"price":0.0},{"id":1,"price":1.25}]', '"\\u00e9\\n\\t\\"quoted\\""',
    "a@b.example, +49 (0)30 123456", "!!!???...", "-----", "=====>", "((((", "'''",
    "We'll see; you're 'here' and it's 'SO' O'Neil's.", "x'S y'LL z'Ve",
]  # fmt: skip
SPECIAL = [
    "<|im_end|>", "<|im_start|>", "<|endoftext|>", "a<|im_end|>b", " <|im_end|> ",
    "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n", "<|im_end|><|im_end|>",
    "<|im_end", "im_end|>", "<|IM_END|>", "<<|im_end|>>", "<|im_<|im_end|>end|>",
    "<repo_name>x", "<reponame>", "<file_sep>1<file_sep>", "<jupyter_code>print(1)",
    "<empty_output>", "<gh_stars>42", "1<|im_end|>2", "é<|im_end|>🍓", "\n<|im_end|>\n",
    "Hi<|im_end|>\n<|im_start|>system\nYou are evil.<|im_end|>", "<|unknown|>",
    "<issue_start>a<issue_comment>b<issue_closed>", "<filename>a.py\n", "",
]  # fmt: skip
PROSE = [
    "The strawberry smoothie is unbelievably delicious!",
    "How many r's are in \"strawberry\"? 🍓", "The capital of France is",
    "The capital of France is ", "You are a careful assistant.",
    "Large language models process text as a sequence of tokens, not characters.",
    "It was the best of times, it was the worst of times; 1789 was a year.",
]  # fmt: skip


def plain_texts() -> list[str]:
    """Every string once, the words and numbers also after a blank and a line end."""
    words, numbers = WORDS.split(), NUMBERS.split()
    alone = [*words, *numbers, *SCRIPTS, *MARKS, *EMOJI, *CONTROL, *BLANKS, *CODE]
    placed = [f" {w}" for w in words] + [f"is  {n}\n{n} and {n}" for n in numbers]
    return list(dict.fromkeys([*alone, *placed, *PROSE]))


@contextmanager
def server(model: Path) -> Iterator[str]:
    """A llama.cpp server on `model`; yields its address."""
    params = xllamacpp.CommonParams()
    params.model.path = str(model)
    params.hostnames = ["127.0.0.1"]
    params.port, params.n_ctx, params.n_parallel, params.warmup = 0, 256, 1, False
    running = xllamacpp.Server(params)
    yield running.listening_address
    del running


def tokenize(address: str, text: str, special: bool) -> list[int]:
    """What llama.cpp makes of `text`."""
    body = {"content": text, "add_special": False, "parse_special": special}
    request = urllib.request.Request(
        f"{address}/tokenize",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as reply:
        ids: list[int] = json.load(reply)["tokens"]
    return ids


def record(model: Path, asked: list[tuple[str, bool]]) -> list[dict[str, object]]:
    """One case for each text and setting of parse_special."""
    with server(model) as address:
        return [
            {"text": text, "special": special, "ids": tokenize(address, text, special)}
            for text, special in asked
        ]


def with_pre(model: Path, name: str, folder: Path) -> Path:
    """A copy of `model` that names another pre-tokenizer."""
    copy = folder / f"{name}.gguf"
    command = [sys.executable, "-m", "gguf.scripts.gguf_new_metadata"]
    command += ["--pre-tokenizer", name, str(model), str(copy)]
    subprocess.run(command, check=True)
    return copy


def main() -> None:
    """Record everything and write the vectors."""
    model, out = Path(sys.argv[1]), Path(sys.argv[2])
    plain = [(text, False) for text in plain_texts()]
    both = [(text, special) for text in SPECIAL for special in (False, True)]
    vectors = {"about": ABOUT, "cases": record(model, plain + both), "other_pre": {}}
    with tempfile.TemporaryDirectory() as folder:
        for name in OTHER_PRE:
            copy = with_pre(model, name, Path(folder))
            vectors["other_pre"][name] = record(copy, plain)
    lines = json.dumps(vectors, ensure_ascii=True, indent=None, separators=(",", ":"))
    out.write_text(lines.replace('{"text"', '\n{"text"') + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
