"""Who asks: API keys to tenants, checked before anything else of a request is read.

Only SHA-256 hashes of keys are kept. A slow hash protects a password that can be
guessed; a key is made at random from 256 bits, so there is nothing to guess, and it is
checked with every request. A hash is compared with all hashes that are known, in
constant time. No key is ever logged, traced or repeated in an answer.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hmac import compare_digest
from pathlib import Path
from typing import Any

from labkit.dialects.events import ApiError, Problem
from labkit.dialects.wire import from_json, mapping_of
from labkit.errors import ConfigError
from server.settings import Settings

__all__ = [
    "LOCAL",
    "Authentication",
    "Keyring",
    "Principal",
    "hash_of",
    "new_key",
    "with_own_key",
]

OPEN_PATH = "/health"  # answered without a key, then without counts
SHORTEST = 16  # characters of a key that somebody has chosen
KEY = re.compile(r"[!-~]+")  # what a header can carry, without spaces
NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")  # of tenants and tiers
HASH = re.compile(r"[0-9a-f]{64}")
LOOPBACK = ("127.0.0.1", "::1", "localhost")
ROW = '{"sha256": "…", "tenant": "acme", "tier": "standard"}'
Headers = Iterable[tuple[bytes, bytes]]
App = Callable[[Any, Any, Any], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Principal:
    """In whose name a request is made; what it makes belongs to the tenant."""

    tenant: str
    tier: str = "default"  # how many times the limits hold (LAB_TIERS)
    key_id: str = ""  # the first eight digits of the key's hash, which betray nothing


LOCAL = Principal("local")  # whoever uses a server of their own


def new_key() -> str:
    """A key that nobody can guess: 256 random bits."""
    return f"lab-{secrets.token_urlsafe(32)}"


def hash_of(key: str) -> str:
    """What is kept of a key."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def with_own_key(settings: Settings) -> Settings:
    """Settings with a key made up for them where none is set; on loopback only."""
    if settings.auth == "off" or settings.api_key.get_secret_value():
        return settings
    if settings.keys_file:
        return settings
    if settings.host not in LOOPBACK:
        raise ConfigError(
            f"LAB_HOST={settings.host!r} lets other machines in and no key is set: set "
            "LAB_API_KEY or LAB_KEYS_FILE, or LAB_AUTH=off if everybody may use it"
        )
    return settings.with_key(new_key())


class Keyring:
    """The keys of a server, as hashes, and whose they are."""

    def __init__(
        self, holders: Mapping[str, Principal], *, is_open: bool = False
    ) -> None:
        self.is_open = is_open  # everybody may ask, and is `LOCAL`
        self._holders = list(holders.items())

    def tenants(self) -> set[str]:
        """All that have a key."""
        return {holder.tenant for _, holder in self._holders}

    @classmethod
    def from_settings(cls, settings: Settings) -> Keyring:
        """The keys that the settings name; `ConfigError` where there is none."""
        if settings.auth == "off":
            return cls({}, is_open=True)
        holders = _from_file(settings.keys_file) if settings.keys_file else {}
        if key := settings.api_key.get_secret_value():
            if len(key) < SHORTEST or not KEY.fullmatch(key):
                raise ConfigError(
                    f"LAB_API_KEY has {len(key)} characters: use at least {SHORTEST} "
                    "ASCII letters, digits and signs, without spaces"
                )
            digest = hash_of(key)
            holders[digest] = Principal(LOCAL.tenant, LOCAL.tier, digest[:8])
        if not holders:
            raise ConfigError(
                "no API key is known: set LAB_API_KEY or LAB_KEYS_FILE, or "
                "LAB_AUTH=off to let everybody in"
            )
        return cls(holders)

    def holder(self, key: str) -> Principal | None:
        """Whose key it is; takes as long for a wrong one."""
        given, found = hash_of(key), None
        for digest, holder in self._holders:
            if compare_digest(given, digest):
                found = holder
        return found


class Authentication:
    """The ring inside the outermost one: finds a request's principal or answers 401.

    What comes through a trusted proxy has passed its login (Jupyter's) and needs no key
    of ours.
    """

    def __init__(self, app: App, keyring: Keyring) -> None:
        self._app = app
        self._keyring = keyring

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass the request on with its principal in `scope["state"]`."""
        if scope["type"] in ("http", "websocket"):
            state = scope["state"]
            try:
                is_trusted = bool(state.get("is_proxied"))
                state["principal"] = self._principal(scope["headers"], is_trusted)
            except ApiError:
                if scope["path"] != OPEN_PATH:
                    raise
                state["principal"] = None
        await self._app(scope, receive, send)

    def _principal(self, headers: Headers, is_trusted: bool) -> Principal:
        if self._keyring.is_open:
            return LOCAL
        given = _given_keys(headers)
        holder = self._keyring.holder(given[0]) if given else None
        if holder is None and is_trusted:  # a Bearer may be Jupyter's own
            return LOCAL
        if not given:
            text = "no API key: send one as `Authorization: Bearer …` or `x-api-key: …`"
            raise ApiError(Problem(401, text, code="missing_api_key"))
        if holder is None:
            text = "the API key is not one that this server knows"
            raise ApiError(Problem(401, text, code="invalid_api_key"))
        return holder


def _given_keys(headers: Headers) -> list[str]:
    """The keys a request brings, `x-api-key` first, as Anthropic prefers it."""
    found, bearers = [], []
    for name, raw in headers:
        text = raw.decode("latin-1").strip()
        if name == b"x-api-key" and text:
            found.append(text)
        elif name == b"authorization":
            scheme, _, key = text.partition(" ")
            if scheme.lower() == "bearer" and key.strip():
                bearers.append(key.strip())
    return found + bearers


def _from_file(name: str) -> dict[str, Principal]:
    """The holders in a keys file, by hash; `ConfigError` says which row is at fault."""
    try:
        text = Path(name).read_text("utf-8")
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is no UTF-8 text"
        raise ConfigError(f"LAB_KEYS_FILE={name!r} cannot be read: {why}") from None
    rows = mapping_of(from_json(text)).get("keys")
    if not isinstance(rows, list) or not rows:
        raise ConfigError(
            f'LAB_KEYS_FILE={name!r} has no keys: write {{"keys": [{ROW}]}}'
        )
    return _holders(name, rows)


def _holders(name: str, rows: Sequence[object]) -> dict[str, Principal]:
    found: dict[str, Principal] = {}
    for number, given in enumerate(rows, 1):
        row = mapping_of(given)
        digest, tenant = str(row.get("sha256")), str(row.get("tenant"))
        tier = str(row.get("tier", LOCAL.tier))
        is_whole = row.keys() <= {"sha256", "tenant", "tier"}
        names = NAME.fullmatch(tenant) and NAME.fullmatch(tier)
        if not (is_whole and HASH.fullmatch(digest) and names):
            raise ConfigError(
                f"LAB_KEYS_FILE={name!r}: key {number} is not of the form {ROW}, with "
                "the SHA-256 of a key as 64 small hexadecimal digits"
            )
        if digest in found:
            raise ConfigError(f"LAB_KEYS_FILE={name!r}: key {number} is there twice")
        found[digest] = Principal(tenant, tier, digest[:8])
    return found
