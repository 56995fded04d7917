"""What the Makefile runs: set-up, JupyterLab, all checks, generated files.

Only the standard library is used here, since these files run before anything is
installed. Whatever a reader can put right ends as one sentence with the remedy.
"""
