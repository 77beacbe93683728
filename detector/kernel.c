//go:build cgo && native

#include <string.h>

#include "kernel.h"

// One copy for AVX2 and one for every CPU, chosen when the program is loaded.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && defined(__linux__)
__attribute__((target_clones("avx2", "default")))
#endif
void semblance_sum_rows(uint32_t *restrict sums, const uint8_t *restrict rows, size_t stride, size_t n, uint32_t head, uint32_t tail, size_t length) {
	enum { BLOCK = 64 }; // sums of a block stay in registers while its rows pass
	for (size_t from = 0; from < length; from += BLOCK) {
		size_t width = length - from < BLOCK ? length - from : BLOCK;
		const uint8_t *row = rows + from;
		uint32_t block[BLOCK];
		if (width == BLOCK) {
			for (size_t i = 0; i < BLOCK; i++) block[i] = head * row[i];
			for (size_t j = 1; j + 1 < n; j++) {
				row += stride;
				for (size_t i = 0; i < BLOCK; i++) block[i] += (uint32_t)row[i] << 8;
			}
			if (n > 1) {
				row += stride;
				for (size_t i = 0; i < BLOCK; i++) block[i] += tail * row[i];
			}
			for (size_t i = 0; i < BLOCK; i++) sums[from + i] = block[i];
			continue;
		}
		for (size_t i = 0; i < width; i++) {
			uint32_t s = head * row[i];
			for (size_t j = 1; j + 1 < n; j++) s += (uint32_t)row[j * stride + i] << 8;
			if (n > 1) s += tail * row[(n - 1) * stride + i];
			sums[from + i] = s;
		}
	}
}

// Four values at once: a pixel's three and the next one's first, which is dropped.
typedef uint32_t four __attribute__((vector_size(16)));

static inline four load(const uint32_t *p) {
	four v;
	memcpy(&v, p, sizeof v);
	return v;
}

// narrow says that every result fits 32 bits and that four values can be read from
// every pixel's first one on.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && defined(__linux__)
__attribute__((target_clones("avx2", "default")))
#endif
static void squeeze_narrow(uint64_t *restrict out, const uint32_t *restrict sums, const semblance_column *restrict columns, size_t n) {
	for (size_t i = 0; i < n; i++, out += 3) {
		semblance_column c = columns[i];
		four r = {0, 0, 0, 0};
		if (c.n > 0) {
			const uint32_t *p = sums + 3 * (size_t)c.first;
			const uint32_t *last = p + 3 * (size_t)(c.n - 1);
			for (const uint32_t *q = p + 3; q < last; q += 3) r += load(q);
			r = (r << 8) + c.head * load(p);
			if (c.n > 1) r += c.tail * load(last);
		}
		out[0] = r[0];
		out[1] = r[1];
		out[2] = r[2];
	}
}

void semblance_squeeze(uint64_t *restrict out, const uint32_t *restrict sums, const semblance_column *restrict columns, size_t n, int narrow) {
	if (narrow) {
		squeeze_narrow(out, sums, columns, n);
		return;
	}
	for (size_t i = 0; i < n; i++, out += 3) {
		semblance_column c = columns[i];
		uint64_t r = 0, g = 0, b = 0;
		if (c.n > 0) {
			const uint32_t *p = sums + 3 * (size_t)c.first;
			const uint32_t *last = p + 3 * (size_t)(c.n - 1);
			uint64_t head = c.head, tail = c.tail, sr = 0, sg = 0, sb = 0;
			for (const uint32_t *q = p + 3; q < last; q += 3) {
				sr += q[0];
				sg += q[1];
				sb += q[2];
			}
			r = head * p[0] + (sr << 8);
			g = head * p[1] + (sg << 8);
			b = head * p[2] + (sb << 8);
			if (c.n > 1) {
				r += tail * last[0];
				g += tail * last[1];
				b += tail * last[2];
			}
		}
		out[0] = r;
		out[1] = g;
		out[2] = b;
	}
}
