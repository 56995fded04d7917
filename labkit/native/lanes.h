/* As many floats as one register holds, and what is done with them.

   GCC's vector types become whatever the processor has: 16 lanes where it multiplies
   pairs of 16 bits in registers of 512 (AVX-512 VNNI), 8 on AVX2, pairs or quarters of
   these elsewhere. Only what C cannot say well needs intrinsics, and has a plain way
   beside it. */

#pragma once

#include <stdint.h>
#include <string.h>
#ifdef __AVX2__
#include <immintrin.h>
#endif

#if defined __AVX512VNNI__ && defined __AVX512F__
#define WIDE
enum { LANES = 16 };
#else
enum { LANES = 8 };
#endif
typedef float Floats __attribute__((vector_size(4 * LANES)));
typedef int32_t Ints __attribute__((vector_size(4 * LANES)));
typedef int16_t Shorts __attribute__((vector_size(4 * LANES))); /* two in each lane */
typedef uint16_t UnsignedShorts __attribute__((vector_size(4 * LANES)));
/* The same vectors wherever they lie in memory. GCC 12 copies a `memcpy` into an array of
   vectors in halves, by way of the stack, and reading them back as a whole waits for both
   stores; through these types one load of the full width goes straight to a register. */
typedef Floats FloatsAnywhere __attribute__((aligned(1), may_alias));
typedef Ints IntsAnywhere __attribute__((aligned(1), may_alias));
typedef Shorts ShortsAnywhere __attribute__((aligned(1), may_alias));

static inline int least(int a, int b) { return a < b ? a : b; }
static inline Floats all(float x) { return x - (Floats){0}; }
static inline Ints all_ints(int32_t x) { return x - (Ints){0}; }
static inline Floats load(const float *p) { return *(const FloatsAnywhere *)p; }
static inline void store(float *p, Floats v) { *(FloatsAnywhere *)p = v; }
static inline Shorts load_shorts(const void *p) { return *(const ShortsAnywhere *)p; }

static inline Floats larger(Floats a, Floats b) {
#ifdef WIDE
  return (Floats)_mm512_max_ps((__m512)a, (__m512)b);
#elif defined __AVX2__
  return (Floats)_mm256_max_ps((__m256)a, (__m256)b);
#else
  for (int i = 0; i < LANES; i++) a[i] = a[i] > b[i] ? a[i] : b[i];
  return a;
#endif
}
static inline Floats absolute(Floats v) { return (Floats)((Ints)v & 0x7fffffff); }

static inline Ints lanes(void) {
  static const int32_t order[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  Ints lane;
  memcpy(&lane, order, sizeof lane);
  return lane;
}

/* The same vector with lane i's number in lane i ^ step. */
static inline Floats swapped(Floats v, int step) {
#ifdef __clang__
  Floats other = v;
  for (int i = 0; i < LANES; i++) other[i] = v[i ^ step];
  return other;
#else
  return __builtin_shuffle(v, lanes() ^ step);
#endif
}
static inline float sum(Floats v) {
  for (int step = LANES / 2; step; step /= 2) v += swapped(v, step);
  return v[0];
}
/* Half of each of two vectors, so that both add up in half the lanes: those without `step`
   get the first one's sums, the others the second one's. */
static inline Floats merged(Floats first, Floats second, int step) {
#ifdef __clang__
  Floats v = first;
  for (int i = 0; i < LANES; i++)
    v[i] = i & step ? second[i - step] + second[i] : first[i] + first[i + step];
  return v;
#else
  Ints lane = lanes(), from_second = ((lane & step) > 0) & (LANES - step);
  return __builtin_shuffle(first, second, lane + from_second) +
         __builtin_shuffle(first, second, lane + step + from_second);
#endif
}
/* The sums of four vectors, in lanes 0 to 3; each is summed as if it were alone. */
static inline Floats sums_of_four(const Floats v[4]) {
  Floats pairs[2] = {merged(v[0], v[2], LANES / 2), merged(v[1], v[3], LANES / 2)};
  Floats s = merged(pairs[0], pairs[1], LANES / 4); /* v[0], v[1], v[2], v[3] by quarters */
  for (int step = LANES / 8; step; step /= 2) s += swapped(s, step);
#ifdef __clang__
  for (int i = 1; i < 4; i++) s[i] = s[i * LANES / 4];
  return s;
#else
  return __builtin_shuffle(s, (lanes() & 3) * (LANES / 4));
#endif
}
static inline float largest(Floats v) {
  for (int step = LANES / 2; step; step /= 2) v = larger(v, swapped(v, step));
  return v[0];
}

/* To the nearest whole number; beside 1.5 * 2^23 there is no room for a fraction. */
static inline Floats rounded(Floats v) { return (v + 12582912.0f) - 12582912.0f; }

/* Whole numbers of 16 bits, two in each lane. */
static inline void store_pairs(int32_t *p, Floats low, Floats high) {
  Ints pairs = (__builtin_convertvector(low, Ints) & 0xffff) |
               __builtin_convertvector(high, Ints) << 16;
  *(IntsAnywhere *)p = pairs;
}

/* total + first product + second product, in every lane: both have two numbers of 16 bits
   in each. */
static inline Ints add_pairs(Ints total, Shorts weights, Ints two) {
#if defined WIDE
  asm("vpdpwssd %2, %1, %0" : "+v"(total) : "v"(weights), "v"(two));
  return total;
#elif defined __AVX2__
  total += (Ints)_mm256_madd_epi16((__m256i)weights, (__m256i)two);
  asm("" : "+x"(total)); /* GCC 12 would reorder the sums, and spill partial ones */
  return total;
#else
  Ints low = (Ints)weights << 16 >> 16, high = (Ints)weights >> 16;
  return total + low * (two << 16 >> 16) + high * (two >> 16);
#endif
}

/* LANES finite floats of 16 bits, widened: exponent and fraction move to where a float
   has them, and the exponents' different offsets are a factor. */
static inline Floats halves(const void *p) {
#ifdef WIDE
  return (Floats)_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p));
#elif defined __AVX2__
  return (Floats)_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p));
#else
  uint16_t half[LANES];
  Ints bits;
  memcpy(half, p, sizeof half);
  for (int i = 0; i < LANES; i++) bits[i] = half[i];
  return (Floats)((Ints)((Floats)((bits & 0x7fff) << 13) * 0x1p112f) |
                  (bits & 0x8000) << 16);
#endif
}

/* e^x to float32's precision: 2^n * e^r with |r| <= ln(2)/2 and a polynomial for e^r
   (Cephes' expf), for x held within -87 and 88: its ends are 0 and infinity enough. */
static inline Floats exponential(Floats x) {
  Floats least = all(-87.0f), most = all(88.0f);
  Floats round = all(12582912.0f); /* 1.5 * 2^23: adding it rounds to a whole number */
  Ints is_less = x < least, is_more = x > most;
  x = (Floats)(((Ints)x & ~(is_less | is_more)) | ((Ints)least & is_less) |
               ((Ints)most & is_more));
  Floats n = (x * 1.44269504f + round) - round;
  Floats r = x - n * 0.693359375f + n * 2.12194440e-4f;
  Floats p = r * 1.9875691500e-4f + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  return p * (Floats)((__builtin_convertvector(n, Ints) + 127) << 23);
}
