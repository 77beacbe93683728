// Decoding of the primary image of a HEIC or AVIF file with libheif.
#ifndef SEMBLANCE_HEIF_H
#define SEMBLANCE_HEIF_H

#include <stddef.h>
#include <stdint.h>

#define SEM_HEIF_TEXT 200

typedef struct {
  int width, height;   // of what was decoded or would be shown, or 0
  int bits;            // of a sample, as stored
  int unsupported;     // libheif has no decoder for it
  int too_large;       // over the limit on a side
  size_t exif;         // bytes of the EXIF block, 0 for none
  size_t xmp;          // bytes of the XMP packet behind it, 0 for none
  int warnings;
  char warning[SEM_HEIF_TEXT];  // the first
  char error[SEM_HEIF_TEXT];    // empty when there was none
} sem_heif;

// sem_heif_probe reads the headers: the size as shown, and the EXIF block and the
// XMP packet when there is room for them.
void sem_heif_probe(const uint8_t *data, size_t size, int max_side, uint8_t *metadata, size_t room, sem_heif *out);

// sem_heif_decode decodes the primary image into rgb, which has room for width
// by height pixels: as stored, or cropped and turned as shown.
void sem_heif_decode(const uint8_t *data, size_t size, int max_side, int stored, uint8_t *rgb, int width, int height, sem_heif *out);

#endif
