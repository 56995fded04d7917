"""Wire formats: pure translators between a vendor's bytes and the neutral events."""
