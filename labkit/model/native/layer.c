/* A decoder over 4- and 8-bit weights, on the CPU.

   The threads share out each part of a layer and meet before the next; what is small,
   such as a norm, each does for itself instead. Keys and values are float32 and found by
   slot: PagedAttention (arXiv 2309.06180). */

#include <math.h>
#include <sched.h>
#include <stdatomic.h>

#include "attention.h"
#include "lanes.h"
#include "product.h"

enum { SPINS = 1000 };
enum { TILE = 8 }; /* tokens whose queries share what they read */
typedef struct {
  const float *attention_norm, *ffn_norm; /* [width] */
  Matrix query, key, value, output, gate, up, down;
} Layer;
typedef struct {
  int32_t width, num_heads, num_kv_heads, head_dim, num_threads;
  float norm_eps;
  const Layer *layers;
  const float *final_norm;  /* [width] */
  const float *frequencies; /* [head_dim / 2] radians a position */
  Matrix head;
} Model;
typedef struct {
  int32_t num_tokens, num_scored, context; /* context: width of a row of read_slots */
  const int64_t *rows;        /* [tokens] row of read_slots that a token may see */
  const int64_t *positions;   /* [tokens] it sees slots 0 to its position */
  const int64_t *write_slots; /* [tokens] */
  const int64_t *read_slots;  /* [rows, context] */
  const int64_t *scored;      /* [num_scored] tokens that become logits */
  float *keys, *values;       /* [layers, slots, kv_heads, head_dim] */
  int64_t layer_size;         /* numbers a layer of these */
  float *x, *logits;          /* [tokens, width], changed; [num_scored, vocab] */
} Pass;
typedef struct {
  float *cos, *sin, *queries, *keys, *values, *mixed, *gated, *up, *room; /* a row a token */
  float *normed, *scores;   /* these, and the next, for each thread its own */
  Rounded rounded;
  int64_t normed_size, scores_size, num_blocks; /* of one thread */
  int32_t num_tokens;       /* that all this has room for */
} Scratch;

/* ---- threads ---- */

typedef struct { atomic_int arrived, round; } Barrier;
typedef struct {
  int thread, threads, round;
  Barrier *barrier;
  float *normed, *scores;
  Rounded rounded;
} Team;

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

static Team join(int thread, int threads, Barrier *barrier, const Scratch *w) {
  Rounded own = {w->rounded.pairs + thread * w->num_blocks * PAIRS,
                 w->rounded.scales + thread * w->num_blocks,
                 w->rounded.sums + thread * w->num_blocks};
  return (Team){thread, threads, 0, barrier, w->normed + thread * w->normed_size,
                w->scores + thread * w->scores_size, own};
}

/* ---- the parts of a layer ---- */

/* y [n, out] = x [n, in] times m transposed, x being this thread's rounded numbers: its
   share of y's tiles. */
static void multiply(const Matrix *m, int n, float *y, const Team *team) {
  SHARE(num_tiles(m));
  for (int i = from; i < to; i++) product(m, n, i, team->rounded, y);
}

static void rms_norm(int width, float eps, const float *x, const float *weight, float *y) {
  Floats squares = {0};
  for (int i = 0; i < width; i += LANES) squares += load(x + i) * load(x + i);
  float scale = 1 / sqrtf(sum(squares) / width + eps);
  for (int i = 0; i < width; i++) y[i] = x[i] * scale * weight[i];
}

/* All tokens, normed and rounded, in this thread's own room. */
static void normalise(const Model *m, int n, const float *x, const float *weight,
                      const Team *team) {
  for (int t = 0; t < n; t++)
    rms_norm(m->width, m->norm_eps, x + t * m->width, weight, team->normed + t * m->width);
  prepare(n, m->width, team->normed, team->rounded);
}

/* Cosine and sine of each token's angles, position * frequency. */
static void measure_angles(const Model *m, const Pass *p, const Scratch *w,
                           const Team *team) {
  int half = m->head_dim / 2;
  SHARE(p->num_tokens * half);
  for (int i = from; i < to; i++) {
    float angle = (float)p->positions[i / half] * m->frequencies[i % half];
    w->cos[i] = cosf(angle), w->sin[i] = sinf(angle);
  }
}

/* Turn each pair (x[i], x[i + d/2]) by its angle. */
static void rotate(int half_dim, const float *cos, const float *sin, float *x) {
  for (int i = 0; i < half_dim; i++) {
    float first = x[i], second = x[i + half_dim];
    x[i] = first * cos[i] - second * sin[i];
    x[i + half_dim] = second * cos[i] + first * sin[i];
  }
}

/* Queries and keys turned by their positions; keys and values to their slots. */
static void place(const Model *m, const Pass *p, const Scratch *w, int64_t layer,
                  const Team *team) {
  int d = m->head_dim, kv = m->num_kv_heads, all_heads = m->num_heads + kv;
  SHARE(p->num_tokens * all_heads);
  for (int i = from; i < to; i++) {
    int t = i / all_heads, head = i % all_heads;
    const float *cos = w->cos + t * d / 2, *sin = w->sin + t * d / 2;
    if (head < m->num_heads) {
      rotate(d / 2, cos, sin, w->queries + ((size_t)t * m->num_heads + head) * d);
    } else {
      int source = (t * kv + head - m->num_heads) * d;
      size_t target = layer * p->layer_size +
                      ((size_t)p->write_slots[t] * kv + head - m->num_heads) * d;
      rotate(d / 2, cos, sin, w->keys + source);
      memcpy(p->keys + target, w->keys + source, d * sizeof(float));
      memcpy(p->values + target, w->values + source, d * sizeof(float));
    }
  }
}

/* Neighbouring tokens of one row, and one head of keys and values. */
typedef struct { int first, tokens, head; } Unit;

static Heads heads_of(const Model *m, const Pass *p, int64_t layer, Unit u) {
  int d = m->head_dim, group = m->num_heads / m->num_kv_heads;
  int64_t at = layer * p->layer_size + u.head * d;
  return (Heads){d, m->num_kv_heads * d, group, m->num_heads * d, u.tokens * group,
                 (int)p->positions[u.first + u.tokens - 1] + 1,
                 p->read_slots + p->rows[u.first] * p->context, p->keys + at,
                 p->values + at};
}

/* The tokens that follow `u`'s, with head 0; none are left where there are none. */
static Unit tokens_after(const Pass *p, Unit u) {
  Unit next = {u.first + u.tokens, 0, 0};
  int most = least(TILE, p->num_tokens - next.first);
  while (next.tokens < most && p->rows[next.first + next.tokens] == p->rows[next.first])
    next.tokens++;
  return next;
}

static void attend(const Model *m, const Pass *p, const Scratch *w, int64_t layer, Unit u,
                   const Team *team) {
  if (u.tokens == 0) return;
  Heads h = heads_of(m, p, layer, u);
  int64_t at = (int64_t)u.first * h.token_size + u.head * h.group * h.head_dim;
  softmax_attention(&h, p->positions + u.first, w->queries + at, team->scores,
                    w->mixed + at);
}

/* Heads of a lone row are shared out; of several rows a thread takes whole ones, as a
   slot's heads lie side by side. A unit waits until its successor's keys are asked for. */
static void attention(const Model *m, const Pass *p, const Scratch *w, int64_t layer,
                      const Team *team) {
  int is_alone = p->rows[0] == p->rows[p->num_tokens - 1], number = 0;
  Unit waiting = {0, 0, 0};
  for (Unit u = tokens_after(p, waiting); u.tokens; u = tokens_after(p, u)) {
    for (; u.head < m->num_kv_heads; u.head++) {
      if ((is_alone ? number + u.head : number) % team->threads != team->thread) continue;
      Heads h = heads_of(m, p, layer, u);
      fetch_first(&h, h.keys);
      attend(m, p, w, layer, waiting, team);
      waiting = u;
    }
    number += is_alone ? m->num_kv_heads : 1;
  }
  attend(m, p, w, layer, waiting, team);
}

/* x += m . y for all tokens. */
static void add_product(const Matrix *m, const Pass *p, const float *y, float *room,
                        const Team *team) {
  SHARE(num_tiles(m));
  prepare(p->num_tokens, m->in, y, team->rounded);
  multiply(m, p->num_tokens, room, team);
  int end = least(to * LANES, m->out);
  for (int t = 0; t < p->num_tokens; t++)
    for (int o = t * m->out + from * LANES; o < t * m->out + end; o++) p->x[o] += room[o];
}

/* silu(gate . x) * (up . x) for all tokens. */
static void gated(const Layer *l, int n, const Scratch *w, const Team *team) {
  multiply(&l->gate, n, w->gated, team);
  multiply(&l->up, n, w->up, team);
  SHARE(num_tiles(&l->gate));
  for (int t = 0; t < n; t++)
    for (int i = from; i < to; i++) {
      int at = t * l->gate.out + i * LANES;
      Floats gate = load(w->gated + at);
      store(w->gated + at, gate / (1 + exponential(-gate)) * load(w->up + at));
    }
}

static void run_layer(const Model *m, const Pass *p, const Scratch *w, int index,
                      Team *team) {
  const Layer *l = m->layers + index;
  int n = p->num_tokens;
  normalise(m, n, p->x, l->attention_norm, team);
  multiply(&l->query, n, w->queries, team);
  multiply(&l->key, n, w->keys, team);
  multiply(&l->value, n, w->values, team);
  meet(team);
  place(m, p, w, index, team);
  meet(team);
  attention(m, p, w, index, team);
  meet(team);
  add_product(&l->output, p, w->mixed, w->room, team);
  meet(team);
  normalise(m, n, p->x, l->ffn_norm, team);
  gated(l, n, w, team);
  meet(team);
  add_product(&l->down, p, w->gated, w->room, team);
  meet(team);
}

/* Logits of the tokens that are scored. */
static void score(const Model *m, const Pass *p, const Team *team) {
  for (int i = 0; i < p->num_scored; i++)
    rms_norm(m->width, m->norm_eps, p->x + p->scored[i] * m->width, m->final_norm,
             team->normed + i * m->width);
  prepare(p->num_scored, m->width, team->normed, team->rounded);
  multiply(&m->head, p->num_scored, p->logits, team);
}

/* ---- a pass in parts that the room is large enough for ---- */

/* Some of the tokens; those before them must have been through all layers. */
static Pass tokens_of(const Model *m, const Pass *p, int start, int most) {
  Pass part = *p;
  part.num_tokens = least(most, p->num_tokens - start);
  part.rows += start, part.positions += start, part.write_slots += start;
  part.x += (size_t)start * m->width;
  return part;
}

static Pass scored_of(const Model *m, const Pass *p, int start, int most) {
  Pass part = *p;
  part.num_scored = least(most, p->num_scored - start);
  part.scored += start, part.logits += (size_t)start * m->head.out;
  return part;
}

/* ---- what Python calls ---- */

#ifdef _OPENMP
#include <omp.h>
#define THREAD omp_get_thread_num(), omp_get_num_threads()
#else
#define THREAD 0, 1
#endif

/* Bytes of a matrix once packed. */
int64_t packed_bytes(const Matrix *m) { return tile_bytes(m) * num_tiles(m); }

/* Lay out a matrix's GGUF blocks anew, into `tiles`. */
void pack(const Matrix *m, const uint8_t *blocks, uint8_t *tiles, int32_t num_threads) {
  #pragma omp parallel for num_threads(num_threads)
  for (int i = 0; i < num_tiles(m); i++)
    pack_tile(m, blocks, i * LANES, tiles + i * tile_bytes(m));
}

/* The first `depth` layers, then the head. */
void forward(const Model *m, const Pass *p, const Scratch *w, int32_t depth) {
  Barrier barrier = {0, 0};
  #pragma omp parallel num_threads(m->num_threads)
  {
    Team team = join(THREAD, &barrier, w);
    for (int t = 0; t < p->num_tokens; t += w->num_tokens) {
      Pass part = tokens_of(m, p, t, w->num_tokens);
      measure_angles(m, &part, w, &team); /* read after the first meeting */
      for (int i = 0; i < depth; i++) run_layer(m, &part, w, i, &team);
    }
    for (int i = 0; i < p->num_scored; i += w->num_tokens) {
      Pass part = scored_of(m, p, i, w->num_tokens);
      score(m, &part, &team);
    }
  }
}

/* What the threads can multiply and add together: number of operations that were done. */
int64_t exert(int32_t rounds, int32_t num_threads) {
  int64_t done = 0;
  #pragma omp parallel num_threads(num_threads) reduction(+ : done)
  {
    volatile int32_t kept;
    int32_t result;
    done += exercise(rounds, &result);
    kept = result, (void)kept;
  }
  return done;
}
