#include <stddef.h>
#include <stdint.h>

// The loops that touch every pixel of a frame. kernel.go has the same in Go.
void semblance_add_row(uint32_t *sums, const uint8_t *row, uint32_t weight, size_t n);

// A column is a span of kernel.go.
typedef struct {
	int32_t first, n;
	uint32_t head, tail;
} semblance_column;

void semblance_squeeze(uint64_t *out, const uint32_t *sums, const semblance_column *columns, size_t n);
