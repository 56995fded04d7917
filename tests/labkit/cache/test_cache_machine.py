"""Random requests on one cache: its books, and what lies in its slots, stay true.

The machine writes into each slot which tokens lead up to it, as a model would, and
copies where it is told to. After every step each request must find its own prefix in
its slots, and the specification's invariants must hold.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
)

from labkit.cache.manager import CacheManager

SIZE, NUM_BLOCKS = 4, 12
TOKENS = st.lists(st.integers(0, 1), min_size=1, max_size=30)  # often a known prefix
SALTS = st.sampled_from([None, None, "a", "b"])


class CacheMachine(RuleBasedStateMachine):
    """Requests come, go on, fork and leave, in any order."""

    live = Bundle("live")
    thrown_out = Bundle("thrown_out")

    @initialize(is_caching=st.sampled_from([True, True, False]))
    def begin(self, is_caching: bool) -> None:
        self.cache = CacheManager(NUM_BLOCKS, SIZE, is_caching=is_caching)
        self.is_caching = is_caching
        self.cache.events = []
        self.memory: dict[int, Any] = {}  # slot → salt and tokens up to it
        self.ids: dict[str, list[int]] = {}
        self.salts: dict[str, str | None] = {}
        self.num_names = 0

    def name(self) -> str:
        self.num_names += 1
        return f"r{self.num_names}"

    def write(self, request: str, start: int, end: int) -> bool:
        """As an engine step: blocks, copies, keys and values, hashes."""
        if not self.cache.grow(request, end):
            return False
        if not self.own(request, start, end):
            return False
        for i, slot in enumerate(self.cache.tables[request].slots(start, end), start):
            self.memory[slot] = (self.salts[request], *self.ids[request][: i + 1])
        self.cache.commit(request, self.ids[request], end)
        return True

    def own(self, request: str, start: int, end: int) -> bool:
        """Make the positions writable and carry out the copies."""
        pairs = self.cache.writable(request, start, end)
        old = dict(self.memory)
        for source, own in pairs or ():
            for offset in range(SIZE):
                self.memory[own * SIZE + offset] = old.get(source * SIZE + offset)
        return pairs is not None

    def enter(self, request: str, ids: list[int], salt: str | None, use: bool) -> Any:
        before = self.cache.views()
        cached = self.cache.admit(request, ids, len(ids), salt=salt, use_cache=use)
        if cached is None:
            assert self.cache.views() == before, "a refusal changed something"
            return multiple()
        assert cached % SIZE == 0, "only whole blocks are hit"
        assert cached <= (len(ids) - 1 if use else 0), "a token is left to compute"
        self.ids[request], self.salts[request] = list(ids), salt
        assert self.write(request, cached, len(ids)), "admission had taken all blocks"
        return request

    @rule(target=live, ids=TOKENS, salt=SALTS, use=st.booleans())
    def add(self, ids: list[int], salt: str | None, use: bool) -> Any:
        return self.enter(self.name(), ids, salt, use)

    @rule(request=live, tokens=st.lists(st.integers(0, 1), min_size=1, max_size=6))
    def step(self, request: str, tokens: list[int]) -> None:
        before = len(self.ids[request])
        self.ids[request] += tokens
        if not self.write(request, before, before + len(tokens)):
            del self.ids[request][before:]
            self.cache.shrink(request, before)

    @rule(request=live, num_drafts=st.integers(1, 6))
    def draft_and_reject(self, request: str, num_drafts: int) -> None:
        """Speculation: blocks are written beyond what is known, then given back."""
        end = len(self.ids[request])
        if self.cache.grow(request, end + num_drafts):
            self.own(request, end, end + num_drafts)
        self.cache.shrink(request, end)

    @rule(target=live, parent=live, share=st.integers(0, 30))
    def fork(self, parent: str, share: int) -> str:
        child, ids = self.name(), self.ids[parent]
        num_shared = min(share, len(ids) - 1)
        self.cache.fork(parent, child, num_shared)
        self.ids[child], self.salts[child] = ids[:num_shared], self.salts[parent]
        return child

    @rule(request=consumes(live))
    def abort(self, request: str) -> None:
        self.cache.free(request)
        del self.ids[request]

    @rule(target=thrown_out, request=consumes(live))
    def preempt(self, request: str) -> tuple[list[int], str | None]:
        self.cache.free(request)
        return self.ids.pop(request) or [1], self.salts[request]

    @rule(target=live, old=consumes(thrown_out))
    def resume(self, old: tuple[list[int], str | None]) -> Any:
        return self.enter(self.name(), *old, use=True)

    @rule()
    def reset(self) -> None:
        assert self.cache.reset() == (not self.ids)
        if not self.ids:
            assert self.cache.counts().cached == 0

    @invariant()
    def every_request_finds_its_own_tokens(self) -> None:
        for request, ids in self.ids.items():
            slots = self.cache.tables[request].slots(0, len(ids))
            wanted = [(self.salts[request], *ids[: i + 1]) for i in range(len(ids))]
            assert [self.memory[slot] for slot in slots] == wanted

    @invariant()
    def books_balance(self) -> None:
        self.cache.check()
        counts = self.cache.counts()
        assert counts.free + counts.held + counts.cached == counts.total
        views = self.cache.views(self.ids)
        tables = [b for r in self.ids for b in self.cache.tables[r].blocks]
        assert {v.block: v.ref_count for v in views if v.ref_count} == Counter(tables)
        assert self.cache.num_free == sum(not view.ref_count for view in views)
        stats = self.cache.stats()
        assert stats.hit_tokens <= stats.query_tokens

    @invariant()
    def views_say_what_is_in_the_blocks(self) -> None:
        for view in self.cache.views(self.ids):
            if view.hash is not None:
                assert view.num_filled == SIZE, "only full blocks have a hash"
                last = self.memory[view.block * SIZE + SIZE - 1]
                assert last[-SIZE:] == view.token_ids
                assert self.is_caching

    @precondition(lambda self: not self.ids)
    @invariant()
    def nothing_is_used_when_nobody_is_there(self) -> None:
        assert self.cache.counts().held == 0


TestCache = seed(20261122)(CacheMachine).TestCase
TestCache.settings = settings(max_examples=40, stateful_step_count=50, deadline=None)
