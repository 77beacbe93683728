// Reduction of one picture. See fitrows.c.
#ifndef SEMBLANCE_FIT_H
#define SEMBLANCE_FIT_H

#include <stdint.h>

// sem_fit averages a picture of width by height pixels of three bytes into one of w by
// h, not larger. sums has room for 3 * width numbers.
void sem_fit(const uint8_t *rgb, int64_t width, int64_t height, uint8_t *to, int64_t w, int64_t h, uint32_t *sums);

#endif
