/* Tokens times a matrix of 4- or 8-bit weights.

   GGUF's blocks of 32 weights (Q4_1: q*scale + lowest, Q8_0: q*scale) are laid out anew,
   a tile of ROWS rows side by side, so that a register holds weights of LANES rows and
   nothing is summed across lanes. Each block of 32 of a token's numbers is rounded to
   whole numbers of 16 bits with a scale of its own, the weights' q are whole already, and
   their products are summed exactly. A token's result does not depend on those beside
   it. */

#pragma once

#include "lanes.h"

enum { BLOCK = 32, PAIRS = BLOCK / 2, LARGEST = 32767 };
/* At a time: what the registers hold. An x86 processor without AVX2 has 16 of them, and
   each holds half a vector. */
#if defined WIDE
enum { TOKENS = 12 };
#elif defined __AVX2__ || defined __aarch64__
enum { TOKENS = 8 };
#else
enum { TOKENS = 4 };
#endif
enum { WIDTH = LANES == 16 ? 2 : 1 };   /* of a tile, in registers */
enum { ROWS = WIDTH * LANES };
/* Sums side by side from which on each is one chain: with fewer, a sum would wait for
   itself. VNNI's sum takes four cycles, AVX2's one, and it has half the registers. */
enum { ENOUGH = LANES == 16 ? 8 : 5 };
enum { AHEAD = 8192 };                  /* bytes that are asked for before their turn */
typedef struct { const uint8_t *tiles; int32_t out, in, is_q8; } Matrix; /* [out, in] */
typedef struct { int32_t *pairs; float *scales, *sums; } Rounded; /* tokens; see `prepare` */

static inline int num_words(int is_q8) { return is_q8 ? 8 : 4; } /* of a row's block */
static inline size_t block_bytes(int is_q8) { return is_q8 ? 34 : 20; } /* likewise */
static inline int32_t num_tiles(const Matrix *m) { return (m->out + ROWS - 1) / ROWS; }
static inline size_t tile_bytes(const Matrix *m) {
  return m->in / BLOCK * ROWS * block_bytes(m->is_q8);
}

/* ---- once, when a model is opened ---- */

/* Word `d` of a row's block: weights i and i + 16, for the 2 or 4 next i, in its halves. */
static inline uint32_t bytes_of(const uint8_t *q, int d) {
  uint16_t low, high;
  memcpy(&low, q + 2 * d, 2), memcpy(&high, q + PAIRS + 2 * d, 2);
  return low | (uint32_t)high << 16;
}
static inline uint32_t nibbles_of(const uint8_t *q, int d) {
  uint32_t word, other; /* Q4_1: byte i holds weights i and i + 16 */
  memcpy(&word, q + 4 * d, 4);
  other = (word ^ word >> 4) & 0x00f000f0u, word ^= other ^ other << 4;
  other = (word ^ word >> 8) & 0x0000ff00u, word ^= other ^ other << 8;
  return word;
}

/* Rows of GGUF blocks to one tile; rows past the end are zeros. A block of a tile is
   ROWS scales, ROWS lowest (Q4_1 only), then the words of 32 bits that hold the q, each of
   ROWS rows. */
static void pack_tile(const Matrix *m, const uint8_t *blocks, int first, uint8_t *tile) {
  int num_blocks = m->in / BLOCK, num_halves = m->is_q8 ? 1 : 2;
  size_t size = block_bytes(m->is_q8);
  memset(tile, 0, tile_bytes(m));
  for (int row = 0; row < ROWS && first + row < m->out; row++)
    for (int g = 0; g < num_blocks; g++) {
      const uint8_t *from = blocks + ((size_t)(first + row) * num_blocks + g) * size;
      uint8_t *to = tile + g * ROWS * size;
      for (int h = 0; h < num_halves; h++, from += 2, to += 2 * ROWS)
        memcpy(to + 2 * row, from, 2);
      for (int d = 0; d < num_words(m->is_q8); d++, to += 4 * ROWS) {
        uint32_t word = m->is_q8 ? bytes_of(from, d) : nibbles_of(from, d);
        memcpy(to + 4 * row, &word, 4);
      }
    }
}

/* ---- what no product can exceed ---- */

/* Multiplications and additions of 16 bits with nothing else to do, `rounds` times as many
   as registers hold sums; their number. */
static int64_t exercise(int rounds, int32_t *result) {
  int32_t pairs[PAIRS];
  Ints sums[TOKENS] = {0}, all_of_them = {0};
  Shorts weights = {1, 2, 3, 4, 5, 6, 7, 8};
  for (int p = 0; p < PAIRS; p++) pairs[p] = rounds + p;
  for (int i = 0; i < rounds; i++) {
    asm volatile("" : "+m"(pairs)); /* they might have changed: no product is left out */
    #pragma GCC unroll 16
    for (int t = 0; t < TOKENS; t++) sums[t] = add_pairs(sums[t], weights, all_ints(pairs[t]));
  }
  #pragma GCC unroll 16
  for (int t = 0; t < TOKENS; t++) all_of_them += sums[t];
  *result = all_of_them[0];
  return (int64_t)rounds * TOKENS * LANES * 4; /* two products and two sums a lane */
}

/* ---- for every product ---- */

/* The q of weights p and p + 16 of each row, in the halves of a lane. */
static inline Shorts pair_of(int is_q8, Shorts word, int p) {
  if (is_q8) return p % 2 ? word >> 8 : word << 8 >> 8;
  if (p % 4 == 3) return (Shorts)((UnsignedShorts)word >> 12);
  return word >> (4 * (p % 4)) & 15;
}

/* One block of numbers, as block `at` of the rounded ones. */
static inline void prepare_block(const float *x, int at, Rounded to) {
  Floats most = {0}, total = {0};
  for (int i = 0; i < BLOCK; i += LANES) most = larger(most, absolute(load(x + i)));
  float top = largest(most), up = top > 0 ? LARGEST / top : 0;
  for (int i = 0; i < PAIRS; i += LANES) {
    Floats low = rounded(load(x + i) * up), high = rounded(load(x + PAIRS + i) * up);
    store_pairs(to.pairs + at * PAIRS + i, low, high);
    total += low + high;
  }
  to.scales[at] = top / LARGEST;
  to.sums[at] = sum(total) * to.scales[at];
}

/* Tokens x [n, in], rounded, as many together as are multiplied together: pairs
   [in / 32, tokens, 16] of numbers i and i + 16 of a block, scales and scaled sums
   [in / 32, tokens]. */
static void prepare(int n, int in, const float *x, Rounded to) {
  int num_blocks = in / BLOCK;
  for (int t = 0; t < n; t++) {
    int first = t / TOKENS * TOKENS, tokens = least(TOKENS, n - first);
    for (int g = 0; g < num_blocks; g++, x += BLOCK)
      prepare_block(x, first * num_blocks + g * tokens + t - first, to);
  }
}

/* y[t * stride + row] of one tile for n tokens; n and is_q8 known when compiled. Each load
   of a token's numbers serves all of a tile's registers, as a processor loads no more at a
   time than it multiplies. */
static inline __attribute__((always_inline)) void tile_product(
    int n, int is_q8, int num_blocks, const uint8_t *tile, Rounded x, float *y, int stride) {
  int pairs = PAIRS / num_words(is_q8); /* of a word */
  int chains = n * WIDTH >= ENOUGH ? 1 : n * WIDTH > 2 ? 2 : 4; /* of partial sums */
  Floats total[TOKENS * WIDTH] = {0};
  for (int g = 0; g < num_blocks; g++) {
    for (size_t i = 0; i < ROWS * block_bytes(is_q8); i += 64)
      __builtin_prefetch(tile + AHEAD + i);
    Floats scale[WIDTH], lowest[WIDTH];
    for (int k = 0; k < WIDTH; k++) scale[k] = halves(tile + 2 * k * LANES);
    tile += 2 * ROWS;
    for (int k = 0; k < WIDTH && !is_q8; k++) lowest[k] = halves(tile + 2 * k * LANES);
    tile += is_q8 ? 0 : 2 * ROWS;
    Ints part[2 * TOKENS * WIDTH] = {0};
    #pragma GCC unroll 8
    for (int d = 0; d < num_words(is_q8); d++) {
      Shorts words[WIDTH];
      for (int k = 0; k < WIDTH; k++, tile += sizeof(Shorts)) words[k] = load_shorts(tile);
      #pragma GCC unroll 4
      for (int p = d * pairs; p < (d + 1) * pairs; p++) {
        Shorts weights[WIDTH];
        for (int k = 0; k < WIDTH; k++) weights[k] = pair_of(is_q8, words[k], p);
        #pragma GCC unroll 32
        for (int i = 0; i < n * WIDTH; i++) {
          Ints *sums = part + i * chains + p % chains;
          Ints two = all_ints(x.pairs[i / WIDTH * PAIRS + p]);
          *sums = add_pairs(*sums, weights[i % WIDTH], two);
        }
      }
    }
    #pragma GCC unroll 32
    for (int i = 0; i < n * WIDTH; i++) {
      Ints whole = part[i * chains];
      int t = i / WIDTH, k = i % WIDTH;
      for (int c = 1; c < chains; c++) whole += part[i * chains + c];
      total[i] += __builtin_convertvector(whole, Floats) * (scale[k] * x.scales[t]);
      if (!is_q8) total[i] += lowest[k] * x.sums[t];
    }
    x.pairs += n * PAIRS, x.scales += n, x.sums += n;
  }
  #pragma GCC unroll 32
  for (int i = 0; i < n * WIDTH; i++)
    store(y + i / WIDTH * stride + i % WIDTH * LANES, total[i]);
}

#define CASE(k)                                                                         \
  case k:                                                                               \
    if (k <= TOKENS) tile_product(k, is_q8, num_blocks, tile, x, y, stride);            \
    break;
static inline __attribute__((always_inline)) void any_tokens(
    int n, int is_q8, int num_blocks, const uint8_t *tile, Rounded x, float *y, int stride) {
  switch (n) {
    CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6)
    CASE(7) CASE(8) CASE(9) CASE(10) CASE(11) CASE(12)
  }
}

/* Tile `index` of y [n, out] = x [n, in] times m transposed. */
static void product(const Matrix *m, int n, int index, Rounded x, float *y) {
  const uint8_t *tile = m->tiles + index * tile_bytes(m);
  int num_blocks = m->in / BLOCK, first = index * ROWS;
  int is_whole = first + ROWS <= m->out, stride = is_whole ? m->out : ROWS;
  for (int t = 0; t < n; t += TOKENS) {
    int tokens = least(TOKENS, n - t);
    float room[TOKENS * ROWS]; /* for a last tile that overhangs */
    float *to = y + (size_t)t * m->out + first, *at = is_whole ? to : room;
    if (m->is_q8) any_tokens(tokens, 1, num_blocks, tile, x, at, stride);
    else any_tokens(tokens, 0, num_blocks, tile, x, at, stride);
    for (int i = 0; i < tokens && !is_whole; i++)
      memcpy(to + (size_t)i * m->out, room + i * ROWS, (m->out - first) * sizeof(float));
    x.pairs += tokens * num_blocks * PAIRS;
    x.scales += tokens * num_blocks, x.sums += tokens * num_blocks;
  }
}
