/* Threads that do one part of a pass after another together.

   A part is cut into items. Each thread takes those of its own share from the front, and
   then from the back of another's, so that one which sleeps, or has not woken yet, is not
   waited for: only the item in its hands is. Shares are runs, as what lies side by side in
   memory is best read in turn (work stealing: Blumofe and Leiserson 1999,
   10.1145/324133.324234). */

#pragma once

#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>

#include "lanes.h"

enum { MAX_THREADS = 64, CACHE_LINE = 64, SPINS = 1000 };
typedef struct { _Alignas(CACHE_LINE) _Atomic uint64_t left; } Share; /* see `share_of` */
typedef struct {
  _Alignas(CACHE_LINE) atomic_int part; /* the open one; all before it are done */
  _Alignas(CACHE_LINE) atomic_llong done; /* items, of all parts */
  Share shares[MAX_THREADS];
} Work;
typedef struct {
  int thread, threads, part, taken;
  int64_t opened; /* items of the parts so far; known to thread 0 */
  Work *work;
} Hand;

enum { ITEM_BITS = 20 };
#define ITEMS ((UINT64_C(1) << ITEM_BITS) - 1)

/* Items `from` to `to` of a part in one word, to be changed at one stroke. */
static inline uint64_t share_of(int part, int from, int to) {
  return (uint64_t)part << 2 * ITEM_BITS | (uint64_t)from << ITEM_BITS | (uint64_t)to;
}

static inline void wait_a_little(int spins) {
  if (spins > SPINS) sched_yield(); /* the one waited for may need this processor */
}

/* Enter the next part. It is opened by thread 0, when all before it is done; false for a
   thread that comes when it is over. */
static int begin(Hand *h, int total) {
  Work *w = h->work;
  h->part++;
  if (h->thread == 0) {
    for (int i = 0; atomic_load(&w->done) < h->opened; i++) wait_a_little(i);
    for (int64_t i = 0; i < h->threads; i++)
      atomic_store(&w->shares[i].left, share_of(h->part, total * i / h->threads,
                                                total * (i + 1) / h->threads));
    h->opened += total;
    atomic_store(&w->part, h->part);
  }
  for (int i = 0; atomic_load(&w->part) < h->part; i++) wait_a_little(i);
  return atomic_load(&w->part) == h->part;
}

/* An item of thread `owner`'s share; -1 when none is left, or the part is over. What a
   late thread has prepared for itself may be of a later part's numbers: it gets none. */
static inline int take_from(Hand *h, int owner) {
  _Atomic uint64_t *left = &h->work->shares[owner].left;
  uint64_t seen = atomic_load(left);
  for (;;) {
    int from = seen >> ITEM_BITS & ITEMS, to = seen & ITEMS, is_own = owner == h->thread;
    if (seen >> 2 * ITEM_BITS != (uint64_t)h->part || from == to) return -1;
    uint64_t rest = share_of(h->part, from + is_own, to - !is_own);
    if (atomic_compare_exchange_weak(left, &seen, rest)) return is_own ? from : to - 1;
  }
}

/* The next item to do; -1 when none is left. */
static int take(Hand *h) {
  for (int i = 0; i < h->threads; i++) {
    int item = take_from(h, (h->thread + i) % h->threads);
    if (item >= 0) return h->taken++, item;
  }
  return -1;
}

/* All that was taken of this part is done. */
static void end(Hand *h) {
  if (h->taken) atomic_fetch_add(&h->work->done, h->taken);
  h->taken = 0;
}

#define EACH_ITEM(i, hand) for (int i = take(hand); i >= 0; i = take(hand))
