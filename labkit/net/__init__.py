"""Talking to the server as a client does, and spoiling its bytes as networks do."""
