/* A work-stealing queue: threads do one part of a pass after another together.

   A part is cut into items. Each thread takes those of its own range from the front, and
   then from the back of another's, so that one which sleeps, or has not woken yet, is not
   waited for: only the item it is computing is. Ranges are contiguous, as what lies side by
   side in memory is best read in turn (Blumofe and Leiserson 1999,
   10.1145/324133.324234). */

#pragma once

#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>

#include "lanes.h"

enum { MAX_THREADS = 64, CACHE_LINE = 64, SPINS = 1000 };
typedef struct { _Alignas(CACHE_LINE) _Atomic uint64_t left; } Range; /* see `range_of` */
typedef struct {
  _Alignas(CACHE_LINE) atomic_int part; /* the open one; all before it are done */
  _Alignas(CACHE_LINE) atomic_llong done; /* items, of all parts */
  Range ranges[MAX_THREADS];
} WorkQueue;
typedef struct {
  int thread, threads, part, taken;
  int64_t opened; /* items of the parts so far; known to thread 0 */
  WorkQueue *queue;
} Worker;

enum { ITEM_BITS = 20 };
#define ITEMS ((UINT64_C(1) << ITEM_BITS) - 1)

/* Items `from` to `to` of a part in one word, to be changed at one stroke. */
static inline uint64_t range_of(int part, int from, int to) {
  return (uint64_t)part << 2 * ITEM_BITS | (uint64_t)from << ITEM_BITS | (uint64_t)to;
}

static inline void wait_a_little(int spins) {
  if (spins > SPINS) sched_yield(); /* the one waited for may need this processor */
}

/* Enter the next part. It is opened by thread 0, when all before it is done; false for a
   thread that comes when it is over. */
static int begin(Worker *me, int total) {
  WorkQueue *q = me->queue;
  me->part++;
  if (me->thread == 0) {
    for (int i = 0; atomic_load(&q->done) < me->opened; i++) wait_a_little(i);
    for (int64_t i = 0; i < me->threads; i++)
      atomic_store(&q->ranges[i].left, range_of(me->part, total * i / me->threads,
                                                total * (i + 1) / me->threads));
    me->opened += total;
    atomic_store(&q->part, me->part);
  }
  for (int i = 0; atomic_load(&q->part) < me->part; i++) wait_a_little(i);
  return atomic_load(&q->part) == me->part;
}

/* An item of thread `owner`'s range; -1 when none is left, or the part is over. What a
   late thread has prepared for itself may be of a later part's numbers: it gets none. */
static inline int take_from(Worker *me, int owner) {
  _Atomic uint64_t *left = &me->queue->ranges[owner].left;
  uint64_t seen = atomic_load(left);
  for (;;) {
    int from = seen >> ITEM_BITS & ITEMS, to = seen & ITEMS, is_own = owner == me->thread;
    if (seen >> 2 * ITEM_BITS != (uint64_t)me->part || from == to) return -1;
    uint64_t rest = range_of(me->part, from + is_own, to - !is_own);
    if (atomic_compare_exchange_weak(left, &seen, rest)) return is_own ? from : to - 1;
  }
}

/* The next item to do; -1 when none is left. */
static int take(Worker *me) {
  for (int i = 0; i < me->threads; i++) {
    int item = take_from(me, (me->thread + i) % me->threads);
    if (item >= 0) return me->taken++, item;
  }
  return -1;
}

/* All that was taken of this part is done. */
static void end(Worker *me) {
  if (me->taken) atomic_fetch_add(&me->queue->done, me->taken);
  me->taken = 0;
}

#define EACH_ITEM(i, worker) for (int i = take(worker); i >= 0; i = take(worker))
