#!/usr/bin/env bash
# pyrate-limiter 4.5.1 (PyPI), seen on 2026-11-29.
#
# The library's GCRA and TokenBucket take a weight, so a budget of model tokens can
# be one rate: `Rate(40_000_000, Duration.MINUTE)`. One would expect 40 million
# units to pass in a minute. Both algorithms keep time in whole microseconds and
# round the time of one unit up, which is exact for budgets of requests and not for
# budgets of tokens: 40 million a minute are 1.5 microseconds a unit, 2 are charged,
# and 30 million pass. From 60 million a minute on, every rate passes 60 million:
# of 120 million a minute half is lost. Nothing is raised or logged.
#
# The sliding window, the library's default, keeps an entry a unit and is exact, but
# nobody keeps 40 million entries.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check pyrate-limiter==4.5.1
venv/bin/python - <<'PY'
from pyrate_limiter import (
    GCRA,
    AbstractClock,
    Duration,
    Limiter,
    Rate,
    StateBucket,
    TokenBucket,
)


class ManualClock(AbstractClock):
    """Milliseconds that pass when they are told to."""

    time_ms = 1_000_000

    def now(self):
        return self.time_ms


def passed_in_a_minute(algorithm, per_minute):
    """Units let through in the minute after the burst is spent."""
    clock = ManualClock()
    rate = Rate(per_minute, Duration.MINUTE)
    bucket = StateBucket([rate], algorithm=algorithm, clock=clock)
    limiter = Limiter(bucket)
    weight = per_minute // 1000

    def take():
        return limiter.try_acquire("tenant", weight=weight, blocking=False)

    while take():
        pass
    passed = 0
    for _ in range(2000):
        clock.time_ms += 30
        while take():
            passed += weight
    return passed


for algorithm in (GCRA(), TokenBucket()):
    shares = {}
    for millions in (2, 20, 30, 40, 80, 120):
        limit = millions * 1_000_000
        passed = passed_in_a_minute(algorithm, limit)
        shares[millions] = round(passed / limit, 2)
        name = type(algorithm).__name__
        print(f"{name:11} {limit:11,} a minute: {passed:11,} passed")
    assert shares == {2: 1.0, 20: 1.0, 30: 1.0, 40: 0.75, 80: 0.75, 120: 0.5}, shares
PY
