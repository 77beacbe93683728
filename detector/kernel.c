#include "kernel.h"

// One copy for AVX2 and one for every CPU, chosen when the program is loaded.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && defined(__linux__)
__attribute__((target_clones("avx2", "default")))
#endif
void semblance_add_row(uint32_t *restrict sums, const uint8_t *restrict row, uint32_t weight, size_t n) {
	for (size_t i = 0; i < n; i++) {
		sums[i] += weight * row[i];
	}
}
