"""Text on its way in and out: tokenizer, chat template and the push parsers.

Everything here works on plain values, without torch and without I/O. The four push
parsers (two in `detokenizer`, `sse`, `markdown`) share the verbs `feed(piece)` and
`flush()`, and give the same result however their input is cut into pieces.
"""
