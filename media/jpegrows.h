// Decoding of one JPEG with libjpeg-turbo. See jpegrows.c.
#ifndef SEMBLANCE_JPEG_H
#define SEMBLANCE_JPEG_H

#include <stddef.h>
#include <stdint.h>

#define SEM_JPEG_WARNINGS 4
#define SEM_JPEG_TEXT 200

// What came of it. Rows are stored ones, not scaled ones, unless said otherwise.
typedef struct {
  int width, height;     // of the decoded picture
  int rows;              // decoded rows that were written
  int bad_row;           // first row that is not genuine, -1 when all are
  int bad_scan;          // scan in which that was seen
  int exhausted;         // the data ended before the end marker
  int corrupt;           // warnings that mean wrong or missing pixels
  int scans;             // scans read
  int too_many_scans;    // stopped because of the limit on scans
  int incomplete;        // coefficients or components that never came
  size_t offset;         // bytes used when an error ended it
  int warnings;          // texts in warning
  char warning[SEM_JPEG_WARNINGS][SEM_JPEG_TEXT];
  char error[SEM_JPEG_TEXT];  // empty when there was none
} sem_jpeg;

// sem_jpeg_decode decodes data at 1/denom of its size into rgb, which has
// room for width by height pixels; anything else than that size is an error.
// Rows that are not reached stay as they are.
void sem_jpeg_decode(const uint8_t *data, size_t size, int denom, int max_scans,
                     uint8_t *rgb, int width, int height, sem_jpeg *out);

// sem_jpeg_version is libjpeg-turbo's version.
const char *sem_jpeg_version(void);

#endif
