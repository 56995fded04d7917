"""What a chapter imports first: `start()` gives the handle, `claim()` a fact."""

from labkit.book.claims import ClaimFailed, claim
from labkit.book.lab import Lab
from labkit.book.start import start

__all__ = ["ClaimFailed", "Lab", "claim", "start"]
