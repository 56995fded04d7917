#!/usr/bin/env bash
# aiolimiter 1.3.0 (PyPI), seen on 2026-11-29.
#
# `AsyncLimiter.acquire(amount)` waits until `amount` fits into a leaky bucket; with
# amounts, it can hold a client to a budget of tokens a minute. One would expect those
# who wait to be served in the order in which they came, or at least each of them some
# time. There is no such order: each waiter wakes when its own amount might fit and
# takes what is there. A large request that came first is passed by every small one
# that comes later, for as long as small ones come; it is served when they have
# stopped. No time-out or error tells of it.
#
# So one prompt of 10,000 tokens can wait for ever behind a stream of short ones, though
# the budget has room for it in every window.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check aiolimiter==1.3.0
venv/bin/python - <<'PY'
import asyncio

from aiolimiter import AsyncLimiter


async def order_of_service():
    limiter = AsyncLimiter(max_rate=10, time_period=0.2)  # 10 units, 50 a second
    served = []

    async def use(name, amount):
        await limiter.acquire(amount)
        served.append(name)

    await limiter.acquire(10)  # the bucket is full
    tasks = [asyncio.create_task(use("large", 10))]
    await asyncio.sleep(0)  # the large request waits before any small one is there
    for _ in range(10):  # 60 small ones, six times what fits into the bucket
        tasks += [asyncio.create_task(use("small", 1)) for _ in range(6)]
        await asyncio.sleep(0.1)
    await asyncio.gather(*tasks)
    return served


served = asyncio.run(order_of_service())
print(f"came first, served as number {served.index('large') + 1} of {len(served)}")
assert len(served) == 61
assert served[-1] == "large"
PY
