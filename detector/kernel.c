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

// Sums of columns, times norm, as three planes. Four values can be read from every
// pixel's first one on, and results fit 31 bits, which is what turns four of them
// into doubles in one instruction.
typedef int32_t four_int __attribute__((vector_size(16)));
typedef double four_double __attribute__((vector_size(32)));
typedef float four_float __attribute__((vector_size(16)));

// inner_sum adds up count pixels. It is inlined with a count that is a constant, so
// that no branch depends on a column.
static inline __attribute__((always_inline)) four inner_sum(const uint32_t *p, int32_t count) {
	four r = {0, 0, 0, 0};
	for (int32_t k = 0; k < count; k++) r += load(p + 3 * k);
	return r;
}

static inline __attribute__((always_inline)) four_float squeeze_one(const uint32_t *restrict sums, semblance_column c, int32_t usual, double norm) {
	static const four one_more[2] = {{0, 0, 0, 0}, {~0u, ~0u, ~0u, ~0u}};
	four r = {0, 0, 0, 0};
	const uint32_t *p = sums + 3 * (size_t)c.first;
	const uint32_t *last = p + 3 * (size_t)(c.n - 1);
	uint32_t more = (uint32_t)(c.n - 2 - usual);
	if (more < 2) {
		r = inner_sum(p + 3, usual) + (load(p + 3 * (size_t)(usual + 1)) & one_more[more]);
		r = (r << 8) + c.head * load(p) + c.tail * load(last);
	} else if (c.n > 0) {
		r = (inner_sum(p + 3, c.n - 2) << 8) + c.head * load(p);
		if (c.n > 1) r += c.tail * load(last);
	}
	return __builtin_convertvector(__builtin_convertvector((four_int)r, four_double) * norm, four_float);
}

// Four pixels are turned into four values of each plane, which are stored at once.
static inline __attribute__((always_inline)) void squeeze(float *restrict red, float *restrict green, float *restrict blue, const uint32_t *restrict sums, const semblance_column *restrict columns, size_t n, int32_t usual, double norm) {
	size_t i = 0;
	for (; i + 4 <= n; i += 4) {
		four_float a = squeeze_one(sums, columns[i], usual, norm), b = squeeze_one(sums, columns[i + 1], usual, norm);
		four_float c = squeeze_one(sums, columns[i + 2], usual, norm), d = squeeze_one(sums, columns[i + 3], usual, norm);
		four_float ab = __builtin_shuffle(a, b, (four_int){0, 4, 1, 5}), cd = __builtin_shuffle(c, d, (four_int){0, 4, 1, 5});
		four_float r = __builtin_shuffle(ab, cd, (four_int){0, 1, 4, 5}), g = __builtin_shuffle(ab, cd, (four_int){2, 3, 6, 7});
		ab = __builtin_shuffle(a, b, (four_int){2, 6, 3, 7});
		cd = __builtin_shuffle(c, d, (four_int){2, 6, 3, 7});
		four_float bl = __builtin_shuffle(ab, cd, (four_int){0, 1, 4, 5});
		memcpy(red + i, &r, sizeof r);
		memcpy(green + i, &g, sizeof g);
		memcpy(blue + i, &bl, sizeof bl);
	}
	for (; i < n; i++) {
		four_float f = squeeze_one(sums, columns[i], usual, norm);
		red[i] = f[0];
		green[i] = f[1];
		blue[i] = f[2];
	}
}

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && defined(__linux__)
__attribute__((target_clones("avx2", "default")))
#endif
void semblance_squeeze_planes(float *restrict red, float *restrict green, float *restrict blue, const uint32_t *restrict sums, const semblance_column *restrict columns, size_t n, int32_t usual, double norm) {
	switch (usual) {
	case 0: squeeze(red, green, blue, sums, columns, n, 0, norm); break;
	case 1: squeeze(red, green, blue, sums, columns, n, 1, norm); break;
	case 2: squeeze(red, green, blue, sums, columns, n, 2, norm); break;
	case 3: squeeze(red, green, blue, sums, columns, n, 3, norm); break;
	case 4: squeeze(red, green, blue, sums, columns, n, 4, norm); break;
	case 5: squeeze(red, green, blue, sums, columns, n, 5, norm); break;
	case 6: squeeze(red, green, blue, sums, columns, n, 6, norm); break;
	default: squeeze(red, green, blue, sums, columns, n, usual, norm);
	}
}

// Rows first, which takes eight values at once, then columns; sums in one order.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && defined(__linux__)
__attribute__((target_clones("avx2", "default")))
#endif
void semblance_shrink_row(float *restrict out, size_t n, float *restrict line, const float *restrict rows, size_t width, size_t stride, size_t count, size_t step) {
	for (size_t x = 0; x < width; x++) line[x] = rows[x];
	for (size_t j = 1; j < count; j++)
		for (size_t x = 0; x < width; x++) line[x] += rows[j * stride + x];
	float all = (float)(step * step);
	for (size_t i = 0; i < n; i++) {
		size_t end = (i + 1) * step < width ? (i + 1) * step : width;
		float s = 0;
		for (size_t x = i * step; x < end; x++) s += line[x];
		out[i] = s / all;
	}
}
