// Decoding of one PNG with libpng. See pngrows.c.
#ifndef SEMBLANCE_PNG_H
#define SEMBLANCE_PNG_H

#include <stddef.h>
#include <stdint.h>

#define SEM_PNG_TEXT 200

typedef struct {
  int rows;        // rows written in the last pass that was begun
  int pass;        // that pass, from 0
  int passes;      // 1, or 7 when interlaced
  int exhausted;   // the file ended early
  int warnings;    // how many
  int bad_crc;     // a critical chunk's checksum was wrong
  char warning[SEM_PNG_TEXT];  // the first
  char error[SEM_PNG_TEXT];    // empty when there was none
} sem_png;

// sem_png_decode decodes into rgb, which has room for width by height pixels.
// Rows that are not reached stay as they are.
void sem_png_decode(const uint8_t *data, size_t size, uint8_t *rgb, uint32_t width, uint32_t height, sem_png *out);

const char *sem_png_version(void);

#endif
