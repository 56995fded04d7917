/* A decoder over 4- and 8-bit weights, on the CPU.

   The threads do one part of a layer after another together (`work_queue.h`); what is small, such
   as a norm, each does for itself instead. Keys and values are float32 and found by
   slot: PagedAttention (arXiv 2309.06180). */

#include <math.h>

#include "attention.h"
#include "thread_pool.h"
#include "lanes.h"
#include "product.h"

enum { UNIT = 8 }; /* tokens times heads of a unit of attention, at most */
enum { FEW = 3, MANY = 8 }; /* tiles of an item: of a layer's matrices, of the head */
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
  int32_t num_rows, num_slots;             /* sequences; places for keys and values */
  const int64_t *rows;        /* [tokens] row of read_slots that a token may see */
  const int64_t *context_lens; /* [rows] tokens that a row's last token sees */
  const int64_t *positions;   /* [tokens] it sees slots 0 to its position */
  const int64_t *write_slots; /* [tokens] */
  const int64_t *read_slots;  /* [rows, context] */
  const int64_t *scored;      /* [num_scored] tokens that become logits */
  float *keys, *values;       /* [layers, slots, kv_heads, head_dim] */
  int64_t layer_size;         /* numbers from one layer of these to the next */
  float *x, *logits;          /* [tokens, width], changed; [num_scored, vocab] */
} Pass;
typedef struct {
  float *cos, *sin, *queries, *keys, *values, *mixed, *gated, *up, *room; /* a row a token */
  float *normed, *scores;   /* these, and the next, for each thread its own */
  Rounded rounded;
  int64_t normed_size, scores_size, num_blocks; /* of one thread */
  int32_t num_tokens;       /* computed at once, that all this has room for */
  int32_t max_context;      /* slots that a row of scores has room for */
} Scratch;

typedef struct {
  Worker worker;
  int num_units; /* of `attention`, in the part of a pass that is at worker */
  float *normed, *scores;
  Rounded rounded;
} Thread; /* one worker of a pass, and its own room */

static Thread thread_of(Worker worker, const Scratch *w) {
  int thread = worker.thread;
  Rounded rounded = {w->rounded.pairs + thread * w->num_blocks * PAIRS,
                 w->rounded.scales + thread * w->num_blocks,
                 w->rounded.sums + thread * w->num_blocks};
  return (Thread){worker, 0, w->normed + thread * w->normed_size,
                w->scores + thread * w->scores_size, rounded};
}

/* ---- the parts of a layer ---- */

/* Tiles `from` to `to` of y [n, out] = x [n, in] times m transposed, x being this thread's
   rounded numbers. */
static void multiply(const Matrix *m, int n, int from, int to, float *y,
                     const Thread *own) {
  for (int i = from; i < least(to, num_tiles(m)); i++) product(m, n, i, own->rounded, y);
}

/* Tiles of an item: `most`, or fewer, so that each thread finds three items. To take one
   costs 0.1 us: what was written before must have left the processor's store buffer. */
static int item_size(const Matrix *m, int most, const Thread *own) {
  int share = num_tiles(m) / (3 * own->worker.threads);
  return share ? least(share, most) : 1;
}

static int num_items(const Matrix *m, int size) { return (num_tiles(m) + size - 1) / size; }

static void rms_norm(int width, float eps, const float *x, const float *weight, float *y) {
  Floats squares = {0};
  for (int i = 0; i < width; i += LANES) squares += load(x + i) * load(x + i);
  float scale = 1 / sqrtf(sum(squares) / width + eps);
  for (int i = 0; i < width; i++) y[i] = x[i] * scale * weight[i];
}

/* All tokens, normed and rounded, in this thread's own room. */
static void normalise(const Model *m, int n, const float *x, const float *weight,
                      const Thread *own) {
  for (int t = 0; t < n; t++)
    rms_norm(m->width, m->norm_eps, x + t * m->width, weight, own->normed + t * m->width);
  prepare(n, m->width, own->normed, own->rounded);
}

/* Cosine and sine of each token's angles, position * frequency. */
static void measure_angles(const Model *m, const Pass *p, const Scratch *w, Thread *own) {
  int half = m->head_dim / 2;
  if (!begin(&own->worker, p->num_tokens)) return;
  EACH_ITEM(t, &own->worker)
    for (int i = 0; i < half; i++) {
      float angle = (float)p->positions[t] * m->frequencies[i];
      w->cos[t * half + i] = cosf(angle), w->sin[t * half + i] = sinf(angle);
    }
  end(&own->worker);
}

/* Turn each pair (x[i], x[i + d/2]) by its angle. */
static void rotate(int half_dim, const float *cos, const float *sin, float *x) {
  for (int i = 0; i < half_dim; i++) {
    float first = x[i], second = x[i + half_dim];
    x[i] = first * cos[i] - second * sin[i];
    x[i + half_dim] = second * cos[i] + first * sin[i];
  }
}

/* A head's queries, keys or values of all tokens, x [tokens, heads * head_dim]: queries and
   keys are turned by their positions, keys and values go to their slots. */
static void place(const Model *m, const Pass *p, const Scratch *w, float *x, int row_size,
                  int head, float *slots) {
  int d = m->head_dim;
  for (int t = 0; t < p->num_tokens; t++) {
    float *numbers = x + (size_t)t * row_size + head * d;
    if (x != w->values) rotate(d / 2, w->cos + t * d / 2, w->sin + t * d / 2, numbers);
    if (slots)
      memcpy(slots + (p->write_slots[t] * m->num_kv_heads + head) * d, numbers,
             d * sizeof(float));
  }
}

/* Queries, keys and values, a head at a time. */
static void project(const Model *m, const Pass *p, const Scratch *w, int index,
                    Thread *own) {
  const Layer *l = m->layers + index;
  const Matrix *matrices[] = {&l->query, &l->key, &l->value};
  float *results[] = {w->queries, w->keys, w->values};
  float *slots[] = {0, p->keys + index * p->layer_size, p->values + index * p->layer_size};
  int kv = m->num_kv_heads, tiles = m->head_dim / ROWS;
  if (!begin(&own->worker, m->num_heads + 2 * kv)) return;
  normalise(m, p->num_tokens, p->x, l->attention_norm, own);
  EACH_ITEM(i, &own->worker) {
    int after = i - m->num_heads, which = after < 0 ? 0 : 1 + after / kv;
    int head = after < 0 ? i : after % kv;
    const Matrix *matrix = matrices[which];
    multiply(matrix, p->num_tokens, head * tiles, (head + 1) * tiles, results[which], own);
    place(m, p, w, results[which], matrix->out, head, slots[which]);
  }
  end(&own->worker);
}

/* Neighbouring tokens of one row, and neighbouring heads of keys and values. */
typedef struct { int first, tokens, head, heads; } Unit;

/* Several heads are read a few slots at a time, so as to stay side by side, and take long
   enough over one that few need to be asked for; a lone head reads on. */
static Heads heads_of(const Model *m, const Pass *p, const Scratch *w, int64_t layer, Unit u,
                      const Thread *own) {
  int d = m->head_dim, group = m->num_heads / m->num_kv_heads, width = m->num_heads * d;
  int end = (int)p->positions[u.first + u.tokens - 1] + 1;
  int64_t slot = layer * p->layer_size + u.head * d;
  int64_t query = (int64_t)u.first * width + u.head * group * d;
  return (Heads){.head_dim = d, .row_size = m->num_kv_heads * d,
                 .group = group, .token_size = width,
                 .num_heads = u.heads, .num_queries = u.tokens * group,
                 .end = end, .width = (end + LANES - 1) / LANES * LANES,
                 .stretch = u.heads == 1 ? 64 : 8, .ahead = u.heads == 1 ? 16 : 8,
                 .positions = p->positions + u.first,
                 .slots = p->read_slots + p->rows[u.first] * p->context,
                 .keys = p->keys + slot, .values = p->values + slot,
                 .queries = w->queries + query, .mixed = w->mixed + query,
                 .scores = own->scores};
}

/* The tokens that follow `u`'s, with head 0; none are left where there are none. */
static Unit tokens_after(const Pass *p, Unit u) {
  Unit next = {u.first + u.tokens, 0, 0, 0};
  int most = least(UNIT, p->num_tokens - next.first);
  while (next.tokens < most && p->rows[next.first + next.tokens] == p->rows[next.first])
    next.tokens++;
  return next;
}

static int num_units(const Pass *p) {
  int n = 0;
  for (Unit u = tokens_after(p, (Unit){0}); u.tokens; u = tokens_after(p, u)) n++;
  return n;
}

static Unit unit_at(const Pass *p, int index) {
  Unit u = tokens_after(p, (Unit){0});
  while (index--) u = tokens_after(p, u);
  return u;
}

/* A head of a lone row is an item; of several rows an item is all heads of a unit, as many
   at a time as there is room for. They wait until their successors' keys are asked for. */
static void attention(const Model *m, const Pass *p, const Scratch *w, int64_t layer,
                      Thread *own) {
  int is_alone = p->rows[0] == p->rows[p->num_tokens - 1];
  int heads = is_alone ? 1 : m->num_kv_heads, pieces = m->num_kv_heads / heads;
  Heads waiting = {0};
  if (!begin(&own->worker, own->num_units * pieces)) return;
  EACH_ITEM(i, &own->worker) {
    Unit u = unit_at(p, i / pieces);
    int after = (i % pieces + 1) * heads;
    for (u.head = after - heads; u.head < after; u.head += u.heads) {
      u.heads = least(after - u.head, UNIT / u.tokens);
      Heads next = heads_of(m, p, w, layer, u, own);
      fetch_first(&next, next.keys);
      if (waiting.num_heads) softmax_attention(&waiting);
      waiting = next;
    }
  }
  if (waiting.num_heads) softmax_attention(&waiting);
  end(&own->worker);
}

/* x += m . y for all tokens. */
static void add_product(const Matrix *m, const Pass *p, const float *y, float *room,
                        Thread *own) {
  int size = item_size(m, FEW, own);
  if (!begin(&own->worker, num_items(m, size))) return;
  prepare(p->num_tokens, m->in, y, own->rounded);
  EACH_ITEM(i, &own->worker) {
    int from = i * size, to = from + size, last = least(to * ROWS, m->out);
    multiply(m, p->num_tokens, from, to, room, own);
    for (int t = 0; t < p->num_tokens; t++)
      for (int o = t * m->out + from * ROWS; o < t * m->out + last; o++) p->x[o] += room[o];
  }
  end(&own->worker);
}

/* silu(gate . x) * (up . x) for all tokens. */
static void gated(const Model *m, const Pass *p, const Scratch *w, int index,
                  Thread *own) {
  const Layer *l = m->layers + index;
  int n = p->num_tokens, width = l->gate.out, size = item_size(&l->gate, FEW, own);
  if (!begin(&own->worker, num_items(&l->gate, size))) return;
  normalise(m, n, p->x, l->ffn_norm, own);
  EACH_ITEM(item, &own->worker) {
    int from = item * size, to = from + size;
    multiply(&l->gate, n, from, to, w->gated, own);
    multiply(&l->up, n, from, to, w->up, own);
    for (int t = 0; t < n; t++)
      for (int i = from * ROWS; i < least(to * ROWS, width); i += LANES) {
        float *gate = w->gated + t * width + i;
        store(gate, load(gate) / (1 + exponential(-load(gate))) *
                        load(w->up + t * width + i));
      }
  }
  end(&own->worker);
}

static void run_layer(const Model *m, const Pass *p, const Scratch *w, int index,
                      Thread *own) {
  const Layer *l = m->layers + index;
  project(m, p, w, index, own);
  attention(m, p, w, index, own);
  add_product(&l->output, p, w->mixed, w->room, own);
  gated(m, p, w, index, own);
  add_product(&l->down, p, w->gated, w->room, own);
}

/* Logits of the tokens that are scored. */
static void score(const Model *m, const Pass *p, Thread *own) {
  int size = item_size(&m->head, MANY, own);
  if (!begin(&own->worker, num_items(&m->head, size))) return;
  for (int i = 0; i < p->num_scored; i++)
    rms_norm(m->width, m->norm_eps, p->x + p->scored[i] * m->width, m->final_norm,
             own->normed + i * m->width);
  prepare(p->num_scored, m->width, own->normed, own->rounded);
  EACH_ITEM(i, &own->worker)
    multiply(&m->head, p->num_scored, i * size, (i + 1) * size, p->logits, own);
  end(&own->worker);
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

/* ---- what Python must not get wrong ---- */

/* Why a pass is refused. Whatever leads to an address is checked before anything is
   written; Python makes a sentence of it. */
enum { CONTEXT_LENS = 1, POSITIONS, WRITE_SLOTS, READ_SLOTS };

static int64_t refusal(int why, int64_t index) { return (int64_t)why << 48 | index; }

static inline int is_outside(int64_t i, int64_t size) {
  return (uint64_t)i >= (uint64_t)size;
}

static int is_last_of_row(const Pass *p, int t) {
  return t + 1 == p->num_tokens || p->rows[t + 1] != p->rows[t];
}

/* The tokens of a row stand one after another and end where its context ends. */
static int has_position(const Pass *p, int t) {
  int64_t next = is_last_of_row(p, t) ? p->context_lens[p->rows[t]] : p->positions[t + 1];
  return p->positions[t] >= 0 && p->positions[t] == next - 1;
}

/* 0, or why the pass is refused and the index of the first number that is at fault. */
static int64_t refused(const Pass *p, const Scratch *w) {
  int most = least(p->context, w->max_context);
  int64_t read = (int64_t)p->num_rows * p->context;
  for (int r = 0; r < p->num_rows; r++)
    if (p->context_lens[r] > most) return refusal(CONTEXT_LENS, r);
  for (int t = 0; t < p->num_tokens; t++) {
    if (!has_position(p, t)) return refusal(POSITIONS, t);
    if (is_outside(p->write_slots[t], p->num_slots)) return refusal(WRITE_SLOTS, t);
  }
  for (int64_t i = 0; i < read; i++)
    if (is_outside(p->read_slots[i], p->num_slots)) return refusal(READ_SLOTS, i);
  return 0;
}

/* ---- what Python calls ---- */

/* Sizes of the structs that Python fills, to be compared with its own. */
const int32_t struct_sizes[] = {sizeof(Matrix), sizeof(Layer), sizeof(Model),
                                sizeof(Pass), sizeof(Scratch)};

/* Bytes of a matrix once packed. */
int64_t packed_bytes(const Matrix *m) { return tile_bytes(m) * num_tiles(m); }

typedef struct { const Matrix *m; const uint8_t *blocks; uint8_t *tiles; } Packing;

static void pack_some(Worker worker, void *what) {
  const Packing *p = what;
  if (!begin(&worker, num_tiles(p->m))) return;
  EACH_ITEM(i, &worker)
    pack_tile(p->m, p->blocks, i * ROWS, p->tiles + i * tile_bytes(p->m));
  end(&worker);
}

/* Lay out a matrix's GGUF blocks anew, into `tiles`. */
void pack(const Matrix *m, const uint8_t *blocks, uint8_t *tiles, int32_t num_threads) {
  Packing packing = {m, blocks, tiles};
  run_together(num_threads, pack_some, &packing);
}

typedef struct { const Model *m; const Pass *p; const Scratch *w; int depth; } Forward;

static void forward_some(Worker worker, void *what) {
  const Forward *f = what;
  const Model *m = f->m;
  const Pass *p = f->p;
  const Scratch *w = f->w;
  Thread own = thread_of(worker, w);
  for (int t = 0; t < p->num_tokens; t += w->num_tokens) {
    Pass part = tokens_of(m, p, t, w->num_tokens);
    own.num_units = num_units(&part);
    measure_angles(m, &part, w, &own);
    for (int i = 0; i < f->depth; i++) run_layer(m, &part, w, i, &own);
  }
  for (int i = 0; i < p->num_scored; i += w->num_tokens) {
    Pass part = scored_of(m, p, i, w->num_tokens);
    score(m, &part, &own);
  }
}

/* The first `depth` layers, then the head; 0, or why nothing was computed. */
int64_t forward(const Model *m, const Pass *p, const Scratch *w, int32_t depth) {
  Forward pass = {m, p, w, depth};
  int64_t why = refused(p, w);
  if (!why) run_together(m->num_threads, forward_some, &pass);
  return why;
}

typedef struct { int items, rounds; atomic_llong done; } Exercise;

static void exert_some(Worker worker, void *what) {
  Exercise *e = what;
  if (!begin(&worker, e->items)) return;
  EACH_ITEM(i, &worker) {
    volatile int32_t kept;
    int32_t result;
    atomic_fetch_add(&e->done, exercise(e->rounds, &result));
    kept = result + i, (void)kept;
  }
  end(&worker);
}

/* What the threads can multiply and add together: number of operations that were done. */
int64_t exert(int32_t rounds, int32_t num_threads) {
  Exercise all = {64 * num_threads, rounds / 64, 0};
  run_together(num_threads, exert_some, &all);
  return atomic_load(&all.done);
}
