"""One chat request, twelve layers, one trace: engine, parsers and widgets of the book.

Importing the package does no work and pulls in no heavy library; name what you need
(`from labkit.engine import Engine`). A chapter opens with `labkit.book`.
"""
