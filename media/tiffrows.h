// Decoding of one page of a TIFF with libtiff. See tiffrows.c.
#ifndef SEMBLANCE_TIFF_H
#define SEMBLANCE_TIFF_H

#include <stddef.h>
#include <stdint.h>

#define SEM_TIFF_TEXT 200

typedef struct {
  int pieces;      // strips or tiles
  int bad;         // of which so many could not be decoded in full
  int lost;        // of which so many gave nothing
  int exhausted;   // something lies behind the file's end
  int warnings;
  char warning[SEM_TIFF_TEXT];  // the first
  char error[SEM_TIFF_TEXT];    // the first; empty when there was none
} sem_tiff;

// sem_tiff_decode decodes a page into rgb, which has room for width by height
// pixels. Pieces that give nothing stay as they are. memory bounds what libtiff
// may allocate at once.
void sem_tiff_decode(const uint8_t *data, size_t size, int page, int64_t memory,
                     uint8_t *rgb, uint32_t width, uint32_t height, sem_tiff *out);

const char *sem_tiff_version(void);

#endif
