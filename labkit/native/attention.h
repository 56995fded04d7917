/* softmax(q . k / sqrt(d)) . v for the queries that share a head of keys and values.

   Those are the G query heads of one KV head (Ainslie et al. 2023, arXiv 2305.13245) for
   some neighbouring tokens. Keys and values are read a stretch of slots at a time, which
   stays in the first-level cache while all queries meet it. A query's result does not
   depend on the queries beside it. */

#pragma once

#include <math.h>

#include "lanes.h"

enum { STRETCH = 64 }; /* slots */
enum { AHEAD_SLOTS = 16 };
enum { QUERIES = 4 };  /* at a time: what the registers hold */
enum { REGISTERS = LANES == 16 ? 4 : 2 }; /* of a query's result, likewise */
typedef struct {
  int32_t head_dim, row_size;   /* numbers of a head; from one slot to the next */
  int32_t group, token_size;    /* queries a token; numbers from one token to the next */
  int32_t num_queries, end;     /* of all tokens; slots that the last one sees */
  const int64_t *slots;         /* of the sequence, in order */
  const float *keys, *values;   /* of this head, slot 0 */
} Heads;

static inline const float *query_at(const Heads *h, const float *first, int j) {
  return first + (int64_t)(j / h->group) * h->token_size + j % h->group * h->head_dim;
}

/* Ask for the keys or values of slot `c`, if there is one; to the second-level cache, since
   the first one takes fewer requests at a time. */
static inline void fetch(const Heads *h, const float *rows, int c) {
  const float *row = rows + h->slots[least(c, h->end - 1)] * h->row_size;
  for (int k = 0; k < h->head_dim; k += 16) /* a cache line */
    __builtin_prefetch(row + k, 0, 2);
}

/* Ask for the first few. */
static inline void fetch_first(const Heads *h, const float *rows) {
  for (int c = 0; c < least(AHEAD_SLOTS, h->end); c++) fetch(h, rows, c);
}

/* scores[j * width + c] = query . key for n queries from `j` on; n known when compiled. */
static inline __attribute__((always_inline)) void dots(
    int n, const Heads *h, const float *queries, int j, int from, int to, int width,
    float *scores) {
  const float *q[QUERIES];
  for (int i = 0; i < n; i++) q[i] = query_at(h, queries, j + i);
  for (int c = from; c < to; c++) {
    const float *key = h->keys + h->slots[c] * h->row_size;
    fetch(h, h->keys, c + AHEAD_SLOTS);
    Floats s[4] = {0};
    for (int k = 0; k < h->head_dim; k += LANES)
      #pragma GCC unroll 4
      for (int i = 0; i < n; i++) s[i] += load(q[i] + k) * load(key + k);
    Floats sums = sums_of_four(s);
    for (int i = 0; i < n; i++) scores[(int64_t)(j + i) * width + c] = sums[i];
  }
}

/* mixed += scores . values for n queries from `j` on, `registers` registers from `k` on. */
static inline __attribute__((always_inline)) void mix(
    int n, int registers, const Heads *h, const float *scores, int j, int from, int to,
    int width, int k, float *mixed) {
  Floats sums[QUERIES][REGISTERS];
  float *m[QUERIES];
  for (int i = 0; i < n; i++) m[i] = (float *)query_at(h, mixed, j + i) + k;
  for (int i = 0; i < n; i++)
    for (int r = 0; r < registers; r++) sums[i][r] = load(m[i] + r * LANES);
  for (int c = from; c < to; c++) {
    const float *value = h->values + h->slots[c] * h->row_size + k;
    fetch(h, h->values, c + AHEAD_SLOTS);
    for (int r = 0; r < registers; r++)
      for (int i = 0; i < n; i++)
        sums[i][r] += scores[(j + i) * width + c] * load(value + r * LANES);
  }
  for (int i = 0; i < n; i++)
    for (int r = 0; r < registers; r++) store(m[i] + r * LANES, sums[i][r]);
}

/* One query's scores [width] to shares; those beyond `last` get none. */
static void softmax(int last, int width, float scale, float *scores) {
  Floats most = all(-INFINITY), total = {0};
  for (int c = last + 1; c < width; c++) scores[c] = -INFINITY;
  for (int c = 0; c < width; c += LANES) {
    store(scores + c, load(scores + c) * scale);
    most = larger(most, load(scores + c));
  }
  float best = largest(most);
  for (int c = 0; c < width; c += LANES) {
    Floats shares = exponential(load(scores + c) - best);
    store(scores + c, shares);
    total += shares;
  }
  float whole = 1 / sum(total);
  for (int c = 0; c < width; c += LANES) store(scores + c, load(scores + c) * whole);
  for (int c = last + 1; c < width; c++) scores[c] = 0;
}

static inline __attribute__((always_inline)) void mix_all(
    int n, const Heads *h, const float *scores, int j, int from, int to, int width,
    float *mixed) {
  int k = 0;
  for (; k + REGISTERS * LANES <= h->head_dim; k += REGISTERS * LANES)
    mix(n, REGISTERS, h, scores, j, from, to, width, k, mixed);
  for (; k < h->head_dim; k += LANES)
    mix(n, 1, h, scores, j, from, to, width, k, mixed);
}

#define EACH_FEW(n, call)                                   \
  for (int j = 0; j < n; j += QUERIES)                      \
    switch (n - j) {                                        \
      case 1: call(1); break;                               \
      case 2: call(2); break;                               \
      case 3: call(3); break;                               \
      default: call(QUERIES);                               \
    }

/* Queries and mixed are laid out alike; `scores` has room for LANES more than each query's
   slots. The positions are the tokens', one after another: each sees slots 0 to its own. */
static void softmax_attention(const Heads *h, const int64_t *positions,
                              const float *queries, float *scores, float *mixed) {
  int n = h->num_queries, end = h->end;
  int width = (end + LANES - 1) / LANES * LANES;
  for (int from = 0; from < end; from += STRETCH) {
    int to = least(from + STRETCH, end);
#define DOTS(few) dots(few, h, queries, j, from, to, width, scores)
    EACH_FEW(n, DOTS)
  }
  fetch_first(h, h->values);
  for (int j = 0; j < n; j++) {
    softmax((int)positions[j / h->group], width, 1 / sqrtf((float)h->head_dim),
            scores + (int64_t)j * width);
    memset((float *)query_at(h, mixed, j), 0, h->head_dim * sizeof(float));
  }
  for (int from = 0; from < end; from += STRETCH) {
    int to = least(from + STRETCH, end);
#define MIX(few) mix_all(few, h, scores, j, from, to, width, mixed)
    EACH_FEW(n, MIX)
  }
}
