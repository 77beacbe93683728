//go:build cgo && native

// The averages of fit.go, which says what they are, with a whole source row or column
// told from one that two new pixels share: only the latter need a weight of their own.

#include "fitrows.h"

#include <string.h>

#define FAST __attribute__((target_clones("avx2", "default"), optimize("O3")))

// add adds a row, weight times. 255 times all weights of a picture fit 32 bits: those
// of a column sum to its height.
FAST static void add(uint32_t *restrict sums, const uint8_t *restrict row, int64_t n, uint32_t weight) {
  for (int64_t i = 0; i < n; i++) sums[i] += weight * row[i];
}

// add4 adds four rows of one weight: most of the time goes into reading and writing sums.
FAST static void add4(uint32_t *restrict sums, const uint8_t *restrict row, int64_t n, uint32_t weight) {
  const uint8_t *restrict b = row + n, *restrict c = row + 2 * n, *restrict d = row + 3 * n;
  for (int64_t i = 0; i < n; i++) sums[i] += weight * (uint16_t)((uint16_t)(row[i] + b[i]) + (uint16_t)(c[i] + d[i]));
}

// columns sums new row y over the source rows that it covers.
static void columns(const uint8_t *rgb, int64_t width, int64_t height, int64_t y, int64_t h, uint32_t *sums) {
  int64_t n = 3 * width, from = y * height, end = (y + 1) * height;
  memset(sums, 0, (size_t)n * sizeof *sums);
  for (int64_t sy = from / h; sy < height && sy * h < end;) {
    if (sy * h >= from && (sy + 4) * h <= end) {
      add4(sums, rgb + sy * n, n, (uint32_t)h);
      sy += 4;
      continue;
    }
    int64_t lo = sy * h > from ? sy * h : from, hi = (sy + 1) * h < end ? (sy + 1) * h : end;
    add(sums, rgb + sy * n, n, (uint32_t)(hi - lo));
    sy++;
  }
}

// across sums n columns, four at a time so that the three channels fill whole vectors.
FAST static void across(const uint32_t *restrict sums, int64_t n, uint64_t *restrict c) {
  uint32_t lanes[12] = {0};
  int64_t i = 0;
  for (; i + 4 <= n; i += 4, sums += 12)
    for (int k = 0; k < 12; k++) lanes[k] += sums[k];
  for (; i < n; i++, sums += 3)
    for (int k = 0; k < 3; k++) lanes[k] += sums[k];
  for (int k = 0; k < 3; k++) c[k] = (uint64_t)lanes[k] + lanes[k + 3] + lanes[k + 6] + lanes[k + 9];
}

// quotient is n / total, which is at most 255: one division of the picture's serves all.
static uint8_t quotient(uint64_t n, uint64_t total, double inverse) {
  uint64_t q = (uint64_t)((double)n * inverse);
  if (q * total > n) q--;
  if ((q + 1) * total <= n) q++;
  return (uint8_t)q;
}

void sem_fit(const uint8_t *rgb, int64_t width, int64_t height, uint8_t *to, int64_t w, int64_t h, uint32_t *sums) {
  uint64_t total = (uint64_t)width * (uint64_t)height;
  double inverse = 1 / (double)total;
  for (int64_t y = 0; y < h; y++) {
    columns(rgb, width, height, y, h, sums);
    for (int64_t x = 0; x < w; x++, to += 3) {
      int64_t from = x * width, end = (x + 1) * width;
      int64_t first = (from + w - 1) / w, last = end / w;  // the whole columns
      uint64_t c[3];
      across(sums + 3 * first, last - first, c);
      for (int k = 0; k < 3; k++) {
        c[k] *= (uint64_t)w;
        if (first * w > from) c[k] += (uint64_t)(first * w - from) * sums[3 * (first - 1) + k];
        if (end > last * w) c[k] += (uint64_t)(end - last * w) * sums[3 * last + k];
        to[k] = quotient(c[k] + total / 2, total, inverse);
      }
    }
  }
}
