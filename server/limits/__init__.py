"""How much a tenant may ask for in a minute: budgets, whose rules, and the meter."""

from server.limits.budgets import Budget, Decision, MemoryStore, Store
from server.limits.meter import LIMIT_HEADERS, Limiter, Meter, limiter_of
from server.limits.policies import POLICIES, Asked, Policy

__all__ = [
    "LIMIT_HEADERS",
    "POLICIES",
    "Asked",
    "Budget",
    "Decision",
    "Limiter",
    "MemoryStore",
    "Meter",
    "Policy",
    "Store",
    "limiter_of",
]
