#include <stddef.h>
#include <stdint.h>

// The loops that touch every pixel of a frame. kernel.go has the same in Go.
void semblance_add_row(uint32_t *sums, const uint8_t *row, uint32_t weight, size_t n);
