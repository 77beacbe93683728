//go:build cgo && native

// Decoding of one PNG with libpng, row by row, so that a file that breaks off
// gives the rows before. Alpha is dropped, not multiplied in; 16 bits lose their
// lower 8; gamma and color profiles are left alone: what Pillow's convert("RGB")
// does.

#include "pngrows.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <png.h>

typedef struct {
  const uint8_t *data;
  size_t left;
  sem_png *out;
} source;

static void on_read(png_structp png, png_bytep to, size_t n) {
  source *s = png_get_io_ptr(png);
  if (n > s->left) {
    s->out->exhausted = 1;
    png_error(png, "the file ends early");
  }
  memcpy(to, s->data, n);
  s->data += n;
  s->left -= n;
}

static void on_error(png_structp png, png_const_charp text) {
  sem_png *out = png_get_error_ptr(png);
  snprintf(out->error, SEM_PNG_TEXT, "%s", text);
  png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp text) {
  sem_png *out = png_get_error_ptr(png);
  if (out->warnings++ == 0) snprintf(out->warning, SEM_PNG_TEXT, "%s", text);
  if (strstr(text, "IDAT: CRC error") != NULL || strstr(text, "PLTE: CRC error") != NULL || strstr(text, "IHDR: CRC error") != NULL)
    out->bad_crc = 1;
}

static void decode(png_structp png, png_infop info, uint8_t *rgb, uint32_t width, uint32_t height, sem_png *out) {
  png_read_info(png, info);
  png_set_palette_to_rgb(png);
  png_set_expand_gray_1_2_4_to_8(png);
  png_set_strip_16(png);
  png_set_gray_to_rgb(png);
  png_set_strip_alpha(png);
  out->passes = png_set_interlace_handling(png);
  png_read_update_info(png, info);
  if (png_get_image_width(png, info) != width || png_get_image_height(png, info) != height ||
      png_get_rowbytes(png, info) != (size_t)width * 3)
    png_error(png, "the headers disagree about the size");
  for (out->pass = 0; out->pass < out->passes; out->pass++) {
    out->rows = 0;
    for (uint32_t y = 0; y < height; y++, out->rows++)
      png_read_row(png, NULL, rgb + (size_t)y * width * 3);
  }
  png_read_end(png, NULL);
}

void sem_png_decode(const uint8_t *data, size_t size, uint8_t *rgb, uint32_t width, uint32_t height, sem_png *out) {
  source s = {data, size, out};
  png_infop info = NULL;
  png_structp png;
  memset(out, 0, sizeof *out);
  out->passes = 1;
  png = png_create_read_struct(PNG_LIBPNG_VER_STRING, out, on_error, on_warning);
  if (png == NULL || (info = png_create_info_struct(png)) == NULL) {
    snprintf(out->error, SEM_PNG_TEXT, "libpng does not start");
    png_destroy_read_struct(&png, &info, NULL);
    return;
  }
  if (setjmp(png_jmpbuf(png)) == 0) {
    png_set_read_fn(png, &s, on_read);
    png_set_user_limits(png, width, height);
    png_set_chunk_malloc_max(png, 16 << 20);
    png_set_chunk_cache_max(png, 64);
    // A wrong checksum is reported and the data used: damaged files are our trade.
    png_set_crc_action(png, PNG_CRC_WARN_USE, PNG_CRC_WARN_DISCARD);
    decode(png, info, rgb, width, height, out);
  }
  png_destroy_read_struct(&png, &info, NULL);
}

const char *sem_png_version(void) { return png_get_libpng_ver(NULL); }
