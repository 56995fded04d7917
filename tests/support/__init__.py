"""Small real fakes and data shared by the tests."""
