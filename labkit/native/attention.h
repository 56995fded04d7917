/* softmax(q . k / sqrt(d)) . v for the queries that share a head of keys and values.

   Those are the G query heads of one KV head (Ainslie et al. 2023, arXiv 2305.13245) for
   some neighbouring tokens. A slot's heads lie side by side, so several of them are read
   a short stretch of slots at a time, one head after another: memory is read nearly in
   order, and stays in the first-level cache while all queries meet it. A query's result
   does not depend on what is computed with it. */

#pragma once

#include <math.h>

#include "lanes.h"

enum { QUERIES = 4 }; /* at a time: what the registers hold */
enum { REGISTERS = LANES == 16 ? 4 : 2 }; /* of a query's result, likewise */
typedef struct {
  int32_t head_dim, row_size;     /* numbers of a head; from one slot to the next */
  int32_t group, token_size;      /* queries a token; numbers from one token to the next */
  int32_t num_heads, num_queries; /* of keys and values, neighbours; of each, all tokens */
  int32_t end, width;             /* slots that the last token sees; of a row of scores */
  int32_t stretch, ahead;         /* slots read at once; asked for before their turn */
  const int64_t *positions;       /* of the tokens, rising: each sees slots 0 to its own */
  const int64_t *slots;           /* of the sequence, in order */
  const float *keys, *values;     /* of the first head, slot 0 */
  const float *queries;           /* of the first head, first token */
  float *mixed, *scores;          /* laid out like the queries; [heads, queries, width] */
} Heads;

static inline int64_t query_at(const Heads *h, int j) {
  return (int64_t)(j / h->group) * h->token_size + j % h->group * h->head_dim;
}

/* Head `k` of these, alone. */
static inline Heads head_of(const Heads *h, int k) {
  Heads one = *h;
  one.num_heads = 1;
  one.keys += k * h->head_dim, one.values += k * h->head_dim;
  one.queries += k * h->group * h->head_dim, one.mixed += k * h->group * h->head_dim;
  one.scores += (int64_t)k * h->num_queries * h->width;
  return one;
}

/* Ask for the keys or values of slot `c`, if there is one; to the second-level cache, since
   the first one takes fewer requests at a time. */
static inline void fetch(const Heads *h, const float *rows, int c) {
  const float *row = rows + h->slots[least(c, h->end - 1)] * h->row_size;
  for (int k = 0; k < h->num_heads * h->head_dim; k += 16) /* a cache line */
    __builtin_prefetch(row + k, 0, 2);
}

/* Ask for the first few. */
static inline void fetch_first(const Heads *h, const float *rows) {
  for (int c = 0; c < least(h->ahead, h->end); c++) fetch(h, rows, c);
}

/* scores[j, c] = query . key for n queries from `j` on; n known when compiled. */
static inline __attribute__((always_inline)) void dots(
    int n, const Heads *h, int j, int from, int to) {
  const float *q[QUERIES];
  for (int i = 0; i < n; i++) q[i] = h->queries + query_at(h, j + i);
  for (int c = from; c < to; c++) {
    const float *key = h->keys + h->slots[c] * h->row_size;
    fetch(h, h->keys, c + h->ahead);
    Floats s[4] = {0};
    for (int k = 0; k < h->head_dim; k += LANES)
      #pragma GCC unroll 4
      for (int i = 0; i < n; i++) s[i] += load(q[i] + k) * load(key + k);
    Floats sums = sums_of_four(s);
    for (int i = 0; i < n; i++) h->scores[(int64_t)(j + i) * h->width + c] = sums[i];
  }
}

/* mixed += scores . values for n queries from `j` on, `registers` registers from `k` on. */
static inline __attribute__((always_inline)) void mix(
    int n, int registers, const Heads *h, int j, int from, int to, int k) {
  Floats sums[QUERIES][REGISTERS];
  float *m[QUERIES];
  for (int i = 0; i < n; i++) m[i] = h->mixed + query_at(h, j + i) + k;
  for (int i = 0; i < n; i++)
    for (int r = 0; r < registers; r++) sums[i][r] = load(m[i] + r * LANES);
  for (int c = from; c < to; c++) {
    const float *value = h->values + h->slots[c] * h->row_size + k;
    fetch(h, h->values, c + h->ahead);
    for (int r = 0; r < registers; r++)
      for (int i = 0; i < n; i++)
        sums[i][r] += h->scores[(int64_t)(j + i) * h->width + c] *
                      load(value + r * LANES);
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
    int n, const Heads *h, int j, int from, int to) {
  int k = 0;
  for (; k + REGISTERS * LANES <= h->head_dim; k += REGISTERS * LANES)
    mix(n, REGISTERS, h, j, from, to, k);
  for (; k < h->head_dim; k += LANES) mix(n, 1, h, j, from, to, k);
}

#define EACH_FEW(h, call, from, to)                           \
  for (int j = 0; j < (h)->num_queries; j += QUERIES)         \
    switch ((h)->num_queries - j) {                           \
      case 1: call(1, h, j, from, to); break;                 \
      case 2: call(2, h, j, from, to); break;                 \
      case 3: call(3, h, j, from, to); break;                 \
      default: call(QUERIES, h, j, from, to);                 \
    }

/* Every stretch of slots, and in it one head after another. */
#define EACH_STRETCH(h, call)                                 \
  for (int from = 0; from < (h)->end; from += (h)->stretch)   \
    for (int k = 0; k < (h)->num_heads; k++) {                \
      Heads one = head_of(h, k);                              \
      int to = least(from + one.stretch, one.end);            \
      EACH_FEW(&one, call, from, to)                          \
    }

/* The mixed values of all queries; their scores are rewritten. */
static void softmax_attention(const Heads *h) {
  float scale = 1 / sqrtf((float)h->head_dim);
  EACH_STRETCH(h, dots)
  fetch_first(h, h->values);
  for (int k = 0; k < h->num_heads; k++) {
    Heads one = head_of(h, k);
    for (int j = 0; j < h->num_queries; j++) {
      int last = (int)h->positions[j / h->group];
      softmax(last, h->width, scale, one.scores + (int64_t)j * h->width);
      memset(one.mixed + query_at(h, j), 0, h->head_dim * sizeof(float));
    }
  }
  EACH_STRETCH(h, mix_all)
}
