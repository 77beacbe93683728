#include <stddef.h>
#include <stdint.h>

// The loops that touch every pixel of a frame. kernel.go has the same in Go.
void semblance_sum_rows(uint32_t *sums, const uint8_t *rows, size_t stride, size_t n, uint32_t head, uint32_t tail, size_t length);

// A column is a span of kernel.go.
typedef struct {
	int32_t first, n;
	uint32_t head, tail;
} semblance_column;

// usual is how many pixels most columns have between their first and last, or one less.
void semblance_squeeze_planes(float *red, float *green, float *blue, const uint32_t *sums, const semblance_column *columns, size_t n, int32_t usual, double norm);

void semblance_shrink_row(float *out, size_t n, float *line, const float *rows, size_t width, size_t stride, size_t count, size_t step);
