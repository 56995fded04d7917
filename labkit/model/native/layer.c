/* One decoder layer over 4-bit weights, for the few tokens of a decode step.

   Reads GGUF's own blocks of 32 weights (Q4_1, Q8_0) where they lie and widens them in
   registers; all arithmetic is float32, so a result differs from the plain path by the
   order of its sums only, and a token's result does not depend on the tokens beside it.
   Queries, keys and values go through slots: PagedAttention (arXiv 2309.06180). */

#include <math.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#ifdef __AVX2__
#include <immintrin.h>
#endif

enum { BLOCK = 32, LANES = 8, TILE = 8, SPINS = 1000 };
typedef float f8 __attribute__((vector_size(32)));
typedef int32_t i8 __attribute__((vector_size(32)));
typedef struct { uint16_t scale, lowest; uint8_t q[16]; } Q4_1; /* w = q*scale + lowest */
typedef struct { uint16_t scale; int8_t q[32]; } Q8_0;          /* w = q*scale */

typedef struct { const void *blocks; int32_t out, in, is_q8; } Matrix; /* [out, in] */
typedef struct {
  const float *attention_norm, *ffn_norm; /* [width] */
  Matrix query, key, value, output, gate, up, down;
} Layer;
typedef struct {
  int32_t width, ffn_width, num_heads, num_kv_heads, head_dim, num_threads;
  float norm_eps;
} Shape;
typedef struct {
  int32_t num_tokens, context;  /* context: width of a row of read_slots */
  const int64_t *rows;          /* [tokens] row of read_slots that a token may see */
  const int64_t *positions;     /* [tokens] it sees slots 0 to its position */
  const int64_t *write_slots;   /* [tokens] */
  const int64_t *read_slots;    /* [rows, context] */
  const float *cos, *sin;       /* [tokens, head_dim / 2] */
} Pass;
typedef struct { float *normed, *queries, *mixed, *gated, *up, *scores; } Scratch;

/* ---- eight weights as floats ---- */

static inline f8 all(float x) { return (f8){x, x, x, x, x, x, x, x}; }
static inline f8 load(const float *p) { f8 v; memcpy(&v, p, sizeof v); return v; }

#ifdef __AVX2__
static inline float half(uint16_t h) { return _cvtsh_ss(h); }
static inline void halves(const uint16_t *h, f8 *first, f8 *second) {
  int32_t both;
  memcpy(&both, h, sizeof both);
  __m128 pair = _mm_cvtph_ps(_mm_cvtsi32_si128(both));
  *first = (f8)_mm256_broadcastss_ps(pair);
  *second = (f8)_mm256_broadcastss_ps(_mm_movehdup_ps(pair));
}
static inline __m256i bytes(const uint8_t *q) {
  return _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)q));
}
static inline f8 low(const uint8_t *q) {
  return (f8)_mm256_cvtepi32_ps(_mm256_and_si256(bytes(q), _mm256_set1_epi32(15)));
}
static inline f8 high(const uint8_t *q) {
  return (f8)_mm256_cvtepi32_ps(_mm256_srli_epi32(bytes(q), 4));
}
static inline f8 whole(const int8_t *q) {
  return (f8)_mm256_cvtepi32_ps(
      _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)q)));
}
#else
static inline float half(uint16_t h) {
  _Float16 v; memcpy(&v, &h, sizeof v); return (float)v;
}
static inline void halves(const uint16_t *h, f8 *first, f8 *second) {
  *first = all(half(h[0])), *second = all(half(h[1]));
}
#define WIDEN(expression) \
  f8 v; for (int i = 0; i < LANES; i++) v[i] = (float)(expression); return v
static inline f8 low(const uint8_t *q) { WIDEN(q[i] & 15); }
static inline f8 high(const uint8_t *q) { WIDEN(q[i] >> 4); }
static inline f8 whole(const int8_t *q) { WIDEN(q[i]); }
#endif

static inline float sum(f8 v) {
  return ((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + (v[3] + v[7]));
}

static inline void store(float *p, f8 v) { memcpy(p, &v, sizeof v); }

/* e^x to float32's precision: 2^n * e^r with |r| <= ln(2)/2 and a polynomial for e^r
   (Cephes' expf), for x held within -87 and 88: its ends are 0 and infinity enough. */
static inline f8 exp8(f8 x) {
  f8 least = all(-87.0f), most = all(88.0f);
  f8 round = all(12582912.0f); /* 1.5 * 2^23: adding it rounds to a whole number */
  i8 is_less = x < least, is_more = x > most;
  x = (f8)(((i8)x & ~(is_less | is_more)) | ((i8)least & is_less) | ((i8)most & is_more));
  f8 n = (x * 1.44269504f + round) - round;
  f8 r = x - n * 0.693359375f + n * 2.12194440e-4f;
  f8 p = r * 1.9875691500e-4f + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  return p * (f8)((__builtin_convertvector(n, i8) + 127) << 23);
}

/* The 32 weights of block `g` of a row. A Q4_1 byte holds weights i and i + 16. */
static inline void widen(const Matrix *m, const void *row, int g, f8 w[4]) {
  if (m->is_q8) {
    const Q8_0 *b = (const Q8_0 *)row + g;
    f8 scale = all(half(b->scale));
    for (int i = 0; i < 4; i++) w[i] = whole(b->q + LANES * i) * scale;
  } else {
    const Q4_1 *b = (const Q4_1 *)row + g;
    f8 scale, lowest;
    halves(&b->scale, &scale, &lowest);
    w[0] = low(b->q) * scale + lowest;
    w[1] = low(b->q + LANES) * scale + lowest;
    w[2] = high(b->q) * scale + lowest;
    w[3] = high(b->q + LANES) * scale + lowest;
  }
}

/* ---- matrix times a few tokens ---- */

/* y[t * stride] = row . x[t] for n tokens, n known when compiled; x is [n, in]. */
static inline __attribute__((always_inline)) void dot(
    int n, const Matrix *m, int is_q8, const void *row, const float *x, float *y, int stride) {
  Matrix kind = {0, 0, 0, is_q8};
  f8 total[TILE] = {0}, w[4];
  for (int g = 0; g < m->in / BLOCK; g++) {
    widen(&kind, row, g, w);
    for (int t = 0; t < n; t++) {
      const float *p = x + t * m->in + BLOCK * g;
      f8 a = w[0] * load(p) + w[1] * load(p + LANES);
      f8 b = w[2] * load(p + 2 * LANES) + w[3] * load(p + 3 * LANES);
      total[t] += a + b;
    }
  }
  for (int t = 0; t < n; t++) y[t * stride] = sum(total[t]);
}

#define CASE(n) case n: dot(n, m, is_q8, row, x, y, stride); break;
static inline __attribute__((always_inline)) void dot_tile(
    int n, const Matrix *m, int is_q8, const void *row, const float *x, float *y, int stride) {
  switch (n) { CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7) CASE(8) }
}

/* Rows `from` to `to` - 1 of y [n, out] = x [n, in] times m transposed. */
static void rows_of(const Matrix *m, int n, const float *x, float *y, int from, int to) {
  size_t row_bytes = (size_t)(m->in / BLOCK) * (m->is_q8 ? sizeof(Q8_0) : sizeof(Q4_1));
  for (int t = 0; t < n; t += TILE) {
    int tile = n - t < TILE ? n - t : TILE;
    for (int o = from; o < to; o++) {
      const void *row = (const char *)m->blocks + o * row_bytes;
      const float *at = x + (size_t)t * m->in;
      float *to_y = y + (size_t)t * m->out + o;
      if (m->is_q8) dot_tile(tile, m, 1, row, at, to_y, m->out);
      else dot_tile(tile, m, 0, row, at, to_y, m->out);
    }
  }
}

/* ---- the parts of a layer; each is shared out among the threads of its caller ---- */

typedef struct { atomic_int arrived, round; } Barrier;
typedef struct { int thread, threads, round; Barrier *barrier; } Team;

#define SHARE(total) \
  int from = (int)((int64_t)(total) * team->thread / team->threads); \
  int to = (int)((int64_t)(total) * (team->thread + 1) / team->threads)

/* Wait for the others. OpenMP's own barrier sleeps at once or spins for long, as the
   process was told to; between two parts of a layer only a short spin pays. */
static void meet(Team *team) {
  Barrier *b = team->barrier;
  int round = ++team->round;
  if (atomic_fetch_add(&b->arrived, 1) + 1 == round * team->threads) {
    atomic_store(&b->round, round);
    return;
  }
  for (int spins = 0; atomic_load(&b->round) < round; spins++)
    if (spins > SPINS) sched_yield();
}

static void rms_norm(int width, float eps, const float *x, const float *weight, float *y) {
  f8 squares = {0};
  for (int i = 0; i < width; i += LANES) squares += load(x + i) * load(x + i);
  float scale = 1 / sqrtf(sum(squares) / width + eps);
  for (int i = 0; i < width; i++) y[i] = x[i] * scale * weight[i];
}

static void matmul(const Matrix *m, int n, const float *x, float *y, Team *team) {
  SHARE(m->out);
  rows_of(m, n, x, y, from, to);
}

/* Turn each pair (x[i], x[i + d/2]) by its angle. */
static void rotate(int half_dim, const float *cos, const float *sin, float *x) {
  for (int i = 0; i < half_dim; i++) {
    float first = x[i], second = x[i + half_dim];
    x[i] = first * cos[i] - second * sin[i];
    x[i + half_dim] = second * cos[i] + first * sin[i];
  }
}

/* softmax(q . keys / sqrt(d)) . values over the slots 0 to `last`; mixed is [d].
   `scores` has room for the slots and for what fills their last eight. */
static void attend(int d, int row_size, const float *q, const float *keys,
                   const float *values, const int64_t *slots, int last, float *scores,
                   float *mixed) {
  float best = -INFINITY, scale = 1 / sqrtf((float)d);
  f8 total = {0};
  for (int c = 0; c <= last; c++) {
    const float *k = keys + slots[c] * row_size;
    f8 s = {0};
    for (int i = 0; i < d; i += LANES) s += load(q + i) * load(k + i);
    scores[c] = sum(s) * scale;
  }
  for (int c = 0; c <= last; c++) best = scores[c] > best ? scores[c] : best;
  for (int c = last + 1; c % LANES; c++) scores[c] = -INFINITY;
  for (int c = 0; c <= last; c += LANES) {
    f8 shares = exp8(load(scores + c) - best);
    store(scores + c, shares);
    total += shares;
  }
  for (int i = 0; i < d; i += LANES) {
    f8 sums = {0};
    for (int c = 0; c <= last; c++)
      sums += scores[c] * load(values + slots[c] * row_size + i);
    store(mixed + i, sums / sum(total));
  }
}

static void attention(const Shape *s, const Pass *p, const Scratch *w, const float *keys,
                      const float *values, Team *team) {
  int d = s->head_dim, group = s->num_heads / s->num_kv_heads;
  SHARE(p->num_tokens * s->num_heads);
  for (int i = from; i < to; i++) {
    int t = i / s->num_heads, kv_head = i % s->num_heads / group;
    attend(d, s->num_kv_heads * d, w->queries + (size_t)i * d, keys + kv_head * d,
           values + kv_head * d, p->read_slots + p->rows[t] * p->context,
           (int)p->positions[t], w->scores + (size_t)team->thread * (p->context + LANES),
           w->mixed + (size_t)i * d);
  }
}

/* Queries, keys and values of all tokens; keys and values go to their slots. */
static void project(const Shape *s, const Layer *l, const Pass *p, const Scratch *w,
                    float *keys, float *values, Team *team) {
  int d = s->head_dim, n = p->num_tokens, kv = s->num_kv_heads;
  float *k = w->gated, *v = w->up; /* not in use yet: [tokens, kv_heads * d] */
  matmul(&l->query, n, w->normed, w->queries, team);
  matmul(&l->key, n, w->normed, k, team);
  matmul(&l->value, n, w->normed, v, team);
  meet(team);
  SHARE(n * (s->num_heads + kv));
  for (int i = from; i < to; i++) {
    int t = i / (s->num_heads + kv), head = i % (s->num_heads + kv);
    const float *cos = p->cos + t * d / 2, *sin = p->sin + t * d / 2;
    if (head < s->num_heads) {
      rotate(d / 2, cos, sin, w->queries + ((size_t)t * s->num_heads + head) * d);
    } else {
      int source = (t * kv + head - s->num_heads) * d;
      size_t target = ((size_t)p->write_slots[t] * kv + head - s->num_heads) * d;
      rotate(d / 2, cos, sin, k + source);
      memcpy(keys + target, k + source, d * sizeof(float));
      memcpy(values + target, v + source, d * sizeof(float));
    }
  }
}

/* x += m . y for all tokens. */
static void add_product(const Matrix *m, int n, const float *y, float *x, float *room,
                        Team *team) {
  SHARE(m->out);
  rows_of(m, n, y, room, from, to);
  for (int t = 0; t < n; t++)
    for (int o = from; o < to; o++) x[t * m->out + o] += room[t * m->out + o];
}

static void gated(const Layer *l, int n, const Scratch *w, Team *team) {
  int ffn = l->gate.out;
  SHARE(ffn / LANES);
  from *= LANES, to *= LANES;
  rows_of(&l->gate, n, w->normed, w->gated, from, to);
  rows_of(&l->up, n, w->normed, w->up, from, to);
  for (int t = 0; t < n; t++)
    for (int o = t * ffn + from; o < t * ffn + to; o += LANES) {
      f8 gate = load(w->gated + o);
      store(w->gated + o, gate / (1 + exp8(-gate)) * load(w->up + o));
    }
}

static void normalise(const Shape *s, int n, const float *x, const float *weight, float *y,
                      Team *team) {
  SHARE(n);
  for (int t = from; t < to; t++)
    rms_norm(s->width, s->norm_eps, x + t * s->width, weight, y + t * s->width);
}

/* ---- what Python calls ---- */

#ifdef _OPENMP
#include <omp.h>
#define JOIN(b) { omp_get_thread_num(), omp_get_num_threads(), 0, b }
#else
#define JOIN(b) { 0, 1, 0, b }
#endif

static void run_layer(const Shape *s, const Layer *l, const Pass *p, const Scratch *w,
                      float *x, float *keys, float *values, Team *team) {
  int n = p->num_tokens;
  normalise(s, n, x, l->attention_norm, w->normed, team);
  meet(team);
  project(s, l, p, w, keys, values, team);
  meet(team);
  attention(s, p, w, keys, values, team);
  meet(team);
  add_product(&l->output, n, w->mixed, x, w->normed, team);
  meet(team);
  normalise(s, n, x, l->ffn_norm, w->normed, team);
  meet(team);
  gated(l, n, w, team);
  meet(team);
  add_product(&l->down, n, w->gated, x, w->normed, team);
  meet(team);
}

/* x [tokens, width] through `count` layers, in place; keys and values are the store's
   [layers, slots, kv_heads, d], `layer_size` floats a layer. */
void run_layers(const Shape *s, const Layer *layers, int32_t count, const Pass *p,
                const Scratch *w, float *x, float *keys, float *values,
                int64_t layer_size) {
  Barrier barrier = {0, 0};
  #pragma omp parallel num_threads(s->num_threads)
  {
    Team team = JOIN(&barrier);
    for (int i = 0; i < count; i++)
      run_layer(s, layers + i, p, w, x, keys + i * layer_size, values + i * layer_size,
                &team);
  }
}

/* y [n, out] = x [n, in] times m transposed. */
void multiply(const Shape *s, const Matrix *m, int32_t n, const float *x, float *y) {
  #pragma omp parallel num_threads(s->num_threads)
  {
    Team team = JOIN(0);
    matmul(m, n, x, y, &team);
  }
}
