"""`python -m scripts.bookbuild [--check] [chapters…]` builds or checks chapters."""

from scripts.bookbuild.build import main

__all__: list[str] = []

if __name__ == "__main__":
    raise SystemExit(main())
