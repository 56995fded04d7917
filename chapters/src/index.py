# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # From Keystroke to Streamed Token
#
# ![The twelve layers of a request, in order](images/layers.svg)
#
# You type a question into a chat window and an answer appears, word by word. Between
# the two lie twelve layers. Each stop on the map below is a chapter about one of them,
# and all chapters follow the same request: *How many r's are in "strawberry"?* 🍓
#
# **Choose a stop** to open its chapter. Each chapter begins on its own, so you need not
# start at the first one. **Press Shift+Enter** until the map is drawn anew; then it
# also shows what you have done.

# %% tags=["plumbing"]
from labkit.book import start

lab = start(chapter="index")
# If labkit is missing: this book has no public address yet to install it from, so run
# `make lab` in a copy of the project and open the chapter there.

# %% tags=["map", "nbval-check-output"]
lab.contents()

# %% [markdown]
# ## How to read a chapter
#
# - **Shift+Enter** runs a cell and goes to the next one. The grey cells of code that
#   are folded prepare a picture; click on one to read it.
# - A section asks before it shows: lock your guess, or skip it, and the section's
#   results appear.
# - Type a prompt of your own into the box at a chapter's top. The pictures that take a
#   prompt then work on yours; the text and its ✓ claims stay about the book's request.
# - After a restart of the kernel, choose *Run → Run All Above Selected Cell*.
# - What you write and guess stays in this folder, and `make lab` brings you new
#   chapters when the book gets them.
