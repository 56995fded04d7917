"""The limits of a server, and the meter of one request: reserve, count, settle.

A refused request costs nothing. One that could never be let in is answered 400, since
waiting cannot help it; one that has to wait 429, with the seconds until it fits. Both
vendors' headers say what is left.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from labkit.clock import Clock
from labkit.dialects.events import ApiError, ChatRequest, Kind, Problem
from labkit.errors import ConfigError
from labkit.records import Usage
from server.limits.budgets import Budget, Decision, MemoryStore, Room, Store
from server.limits.policies import POLICIES, Asked
from server.outcomes import Outcome
from server.outputs import Listener, Observer, Output
from server.settings import Settings

__all__ = ["LIMIT_HEADERS", "Limiter", "Meter", "limiter_of"]

CHARS_A_TOKEN = 4  # of the estimate, before anything is tokenised
SETTINGS = {  # by the budget's name
    "requests": "rpm",
    "input_tokens": "itpm",
    "output_tokens": "otpm",
    "tokens": "tpm",
}
FORMS = (  # OpenAI's names of headers and Anthropic's, of one budget
    "x-ratelimit-limit-{}",
    "x-ratelimit-remaining-{}",
    "x-ratelimit-reset-{}",
    "anthropic-ratelimit-{}-limit",
    "anthropic-ratelimit-{}-remaining",
    "anthropic-ratelimit-{}-reset",
)
Header = tuple[bytes, bytes]


def limiter_of(settings: Settings, clock: Clock) -> Limiter | None:
    """The limiter that the settings ask for; `ConfigError` where they disagree."""
    kind = settings.limits
    used = () if kind == "off" else POLICIES[kind].reserve(Asked(0, 0))
    given = [n for n, short in SETTINGS.items() if getattr(settings, short)]
    for name in given:
        if name not in used:
            has = ", ".join(f"LAB_{SETTINGS[n].upper()}" for n in used) or "no budget"
            raise ConfigError(
                f"LAB_{SETTINGS[name].upper()} is set, but LAB_LIMITS={kind} has {has}"
            )
    if kind == "off":
        return None
    if not given:
        has = " or ".join(f"LAB_{SETTINGS[n].upper()}" for n in used)
        raise ConfigError(f"LAB_LIMITS={kind} limits nothing yet: set {has}")
    return Limiter(settings, MemoryStore(), clock)


class Limiter:
    """One policy, its budgets, and the store of what every tenant has left."""

    def __init__(self, settings: Settings, store: Store, clock: Clock) -> None:
        self.policy = POLICIES[settings.limits]
        self.store = store
        self.clock = clock
        self.default_max_tokens = settings.default_max_tokens
        used = self.policy.reserve(Asked(0, 0))
        given = {name: getattr(settings, short) for name, short in SETTINGS.items()}
        self._once = {n: most for n, most in given.items() if most and n in used}
        self._factors = _factors(settings.tiers)

    def budgets_of(self, tier: str) -> tuple[Budget, ...]:
        """What each tenant of a tier may spend."""
        factor = self._factors.get(tier, 1)
        return tuple(
            Budget(name, most * factor, most * factor)
            for name, most in self._once.items()
        )

    def meter(
        self, tenant: str, tier: str, tell: Callable[[Sequence[Header]], None]
    ) -> Meter:
        """The meter of one request; `tell` hears the headers for its answer."""
        return Meter(self, tenant, self.budgets_of(tier), tell)

    def now_ns(self) -> int:
        """The clock's time as a whole number."""
        return round(self.clock.now() * 1e9)


class Meter(Observer):
    """What one request has been charged so far."""

    def __init__(
        self,
        limiter: Limiter,
        tenant: str,
        budgets: tuple[Budget, ...],
        tell: Callable[[Sequence[Header]], None],
    ) -> None:
        self._limiter = limiter
        self._budgets = budgets
        self._tenant = tenant
        self._tell = tell
        self._asked: Asked | None = None  # once it was let in
        self._charged: dict[str, int] = {}
        self.on_event: Listener | None = None
        if limiter.policy.is_metered:
            self.on_event = self._count

    def reserve(self, chat: ChatRequest) -> None:
        """Take what the policy wants beforehand; `ApiError` where it is not there."""
        limiter = self._limiter
        num_chars = sum(len(message.text) for message in chat.messages)
        most = chat.max_tokens or limiter.default_max_tokens
        asked = Asked(math.ceil(num_chars / CHARS_A_TOKEN), most)
        costs = limiter.policy.reserve(asked)
        for budget in self._budgets:
            if costs[budget.name] > budget.burst:
                raise _never(budget, costs[budget.name])
        found = limiter.store.take(self._tenant, self._budgets, costs, limiter.now_ns())
        self._tell(_headers(found.rooms, limiter.clock.unix()))
        if not found.is_granted:
            raise _later(found)
        self._asked, self._charged = asked, dict(costs)

    def on_end(self, usage: Usage, outcome: Outcome) -> None:
        """Take or give back the difference to what it has cost."""
        asked, self._asked = self._asked, None
        if asked is not None:
            due = self._limiter.policy.settle(asked, usage, outcome)
            self._charge({n: due[n] - self._charged[n] for n in due})

    def _count(self, output: Output) -> None:
        """Take the tokens that have appeared since the last output."""
        more = output.usage.completion_tokens - self._charged.get("output_tokens", 0)
        if more > 0 and self._asked is not None:
            self._charge({"output_tokens": more})

    def _charge(self, more: dict[str, int]) -> None:
        limiter = self._limiter
        limiter.store.correct(self._tenant, self._budgets, more, limiter.now_ns())
        for name, by in more.items():
            self._charged[name] += by


def _factors(tiers: Sequence[str]) -> dict[str, int]:
    """How many times the limits each tier has."""
    found = {}
    for text in tiers:
        name, _, factor = text.partition("=")
        if not name or not re.fullmatch(r"[1-9][0-9]{0,5}", factor):
            raise ConfigError(
                f"LAB_TIERS has {text!r}: write a tier and a whole number, as in pro=10"
            )
        found[name] = int(factor)
    return found


def _never(budget: Budget, cost: int) -> ApiError:
    what = budget.name.replace("_", " ")
    text = (
        f"this request counts as {cost} {what} and the limit holds {budget.burst}: "
        "waiting cannot help, shorten the messages or lower max_tokens"
    )
    problem = Problem(400, text, code="above_rate_limit", should_retry=False)
    return ApiError(problem)


def _later(found: Decision) -> ApiError:
    wait_s, what = found.wait_ns / 1e9, str(found.binding).replace("_", " ")
    budgets = {room.budget.name: room.budget for room in found.rooms}
    limit = budgets[str(found.binding)].per_minute
    text = (
        f"the limit of {limit} {what} a minute is used up: try again in "
        f"{math.ceil(wait_s)} s"
    )
    return ApiError(
        Problem(
            429,
            text,
            Kind.RATE_LIMIT,
            code="rate_limit_exceeded",
            retry_after_s=wait_s,
        )
    )


def _dashed(name: str) -> str:
    return name.replace("_", "-")


# Every header that may tell of a limit; a page of another origin reads no others.
LIMIT_HEADERS = tuple(form.format(_dashed(name)) for name in SETTINGS for form in FORMS)


def _headers(rooms: Sequence[Room], unix: float) -> list[Header]:
    """What is left, in OpenAI's headers and in Anthropic's."""
    found: dict[str, str] = {}
    for room in rooms:
        name, full_s = _dashed(room.budget.name), room.full_in_ns / 1e9
        limit, left = str(room.budget.per_minute), str(room.remaining)
        moment = datetime.fromtimestamp(math.ceil(unix + full_s), UTC)
        resets = _go_duration(room.full_in_ns), f"{moment:%Y-%m-%dT%H:%M:%SZ}"
        texts = (limit, left, resets[0], limit, left, resets[1])
        found |= {f.format(name): text for f, text in zip(FORMS, texts, strict=True)}
    return [(name.encode(), text.encode()) for name, text in found.items()]


def _go_duration(length_ns: int) -> str:
    """As Go writes it and OpenAI sends it: `120ms`, `7.66s`, `6m0s`."""
    milliseconds = -(-length_ns // 1_000_000)
    if milliseconds < 1000:
        return f"{milliseconds}ms" if milliseconds else "0s"
    minutes, rest = divmod(milliseconds, 60_000)
    seconds = f"{rest / 1000:.3f}".rstrip("0").rstrip(".")
    return f"{minutes}m{seconds}s" if minutes else f"{seconds}s"
