//go:build cgo && native

// Decoding of one page of a TIFF with libtiff's RGBA interface, strip by strip
// or tile by tile, so that a damaged piece costs only itself.

#include "tiffrows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tiffio.h>

typedef struct {
  const uint8_t *data;
  uint64_t size, at;
  uint64_t pad;  // zeros that may still be given behind the end
  sem_tiff *out;
} source;

// on_read gives zeros behind the end: a strip that is cut off then decodes as
// far as it goes instead of not at all. Not without end, and not for directories: a tag that
// claims a billion numbers must break off.
static tmsize_t on_read(thandle_t h, void *to, tmsize_t n) {
  source *s = (source *)h;
  tmsize_t have = 0;
  if (s->at < s->size) have = (tmsize_t)(s->size - s->at < (uint64_t)n ? s->size - s->at : (uint64_t)n);
  if (have > 0) memcpy(to, s->data + s->at, (size_t)have);
  if (have < n) {
    s->out->exhausted = 1;
    if ((uint64_t)(n - have) > s->pad) {
      s->at += (uint64_t)have;
      return have;
    }
    s->pad -= (uint64_t)(n - have);
    memset((char *)to + have, 0, (size_t)(n - have));
  }
  s->at += (uint64_t)n;
  return n;
}

static tmsize_t on_write(thandle_t h, void *from, tmsize_t n) { (void)h, (void)from, (void)n; return -1; }

static toff_t on_seek(thandle_t h, toff_t off, int whence) {
  source *s = (source *)h;
  s->at = whence == SEEK_CUR ? s->at + off : whence == SEEK_END ? s->size + off : off;
  return s->at;
}

static int on_close(thandle_t h) { (void)h; return 0; }
static toff_t on_size(thandle_t h) { return ((source *)h)->size; }

static int on_error(TIFF *t, void *user, const char *module, const char *format, va_list args) {
  sem_tiff *out = user;
  (void)t, (void)module;
  if (out->error[0] == 0) vsnprintf(out->error, SEM_TIFF_TEXT, format, args);
  return 1;
}

static int on_warning(TIFF *t, void *user, const char *module, const char *format, va_list args) {
  sem_tiff *out = user;
  (void)t, (void)module;
  if (out->warnings++ == 0) vsnprintf(out->warning, SEM_TIFF_TEXT, format, args);
  return 1;
}

// place copies a decoded piece, whose rows come from the bottom up, to where it
// belongs. The piece may reach over the border.
static void place(const uint32_t *from, uint32_t pw, uint32_t ph, uint32_t x0, uint32_t y0,
                  uint8_t *rgb, uint32_t width, uint32_t height) {
  for (uint32_t y = 0; y < ph && y0 + y < height; y++) {
    const uint32_t *row = from + (size_t)(ph - 1 - y) * pw;
    uint8_t *to = rgb + ((size_t)(y0 + y) * width + x0) * 3;
    for (uint32_t x = 0; x < pw && x0 + x < width; x++, to += 3) {
      to[0] = (uint8_t)TIFFGetR(row[x]);
      to[1] = (uint8_t)TIFFGetG(row[x]);
      to[2] = (uint8_t)TIFFGetB(row[x]);
    }
  }
}

static int blank(const uint32_t *p, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (p[i] & 0xffffff) return 0;
  return 1;
}

// piece decodes one strip or tile and counts what came of it.
static void piece(TIFF *t, int tiled, uint32_t *raster, uint32_t pw, uint32_t ph, uint32_t x, uint32_t y,
                  uint8_t *rgb, uint32_t width, uint32_t height, sem_tiff *out) {
  int cut = out->exhausted, warned = out->warnings, ok;
  char kept[SEM_TIFF_TEXT];
  memcpy(kept, out->error, sizeof kept);
  out->error[0] = 0;
  out->exhausted = 0;
  ((source *)TIFFClientdata(t))->pad = (uint64_t)pw * ph * 8 + 65536;
  memset(raster, 0, (size_t)pw * ph * sizeof *raster);
  ok = tiled ? TIFFReadRGBATileExt(t, x, y, raster, 0) : TIFFReadRGBAStripExt(t, y, raster, 0);
  out->pieces++;
  if (!ok || out->exhausted || out->error[0] != 0 || out->warnings > warned) {  // warnings here are about data
    out->bad++;
    if (!ok || blank(raster, (size_t)pw * ph)) {
      out->lost++;
      ok = 0;
    }
  }
  if (ok) place(raster, pw, ph, x, y, rgb, width, height);
  out->exhausted |= cut;
  if (kept[0] != 0) memcpy(out->error, kept, sizeof kept);
}

static void pieces(TIFF *t, int64_t memory, uint8_t *rgb, uint32_t width, uint32_t height, sem_tiff *out) {
  uint32_t pw = width, ph = height, *raster;
  int tiled = TIFFIsTiled(t);
  if (tiled) {
    TIFFGetField(t, TIFFTAG_TILEWIDTH, &pw);
    TIFFGetField(t, TIFFTAG_TILELENGTH, &ph);
  } else {
    TIFFGetFieldDefaulted(t, TIFFTAG_ROWSPERSTRIP, &ph);
    if (ph > height) ph = height;
  }
  if (pw == 0 || ph == 0 || (uint64_t)pw > (uint64_t)memory / 4 / ph) {
    snprintf(out->error, SEM_TIFF_TEXT, "its strips or tiles are too large");
    return;
  }
  if ((raster = malloc((size_t)pw * ph * sizeof *raster)) == NULL) {
    snprintf(out->error, SEM_TIFF_TEXT, "no memory for a strip");
    return;
  }
  for (uint32_t y = 0; y < height && y + ph > y; y += ph)
    for (uint32_t x = 0; x < width && x + pw > x; x += pw) {
      uint32_t rows = !tiled && height - y < ph ? height - y : ph;
      piece(t, tiled, raster, pw, rows, x, y, rgb, width, height, out);
    }
  free(raster);
}

static void page_of(TIFF *t, int page, int64_t memory, uint8_t *rgb, uint32_t width, uint32_t height, sem_tiff *out) {
  uint32_t w = 0, h = 0;
  uint16_t extras = 0, *kinds = NULL;
  char text[1024] = "";
  if (!TIFFSetDirectory(t, (tdir_t)page)) return;
  TIFFGetField(t, TIFFTAG_IMAGEWIDTH, &w);
  TIFFGetField(t, TIFFTAG_IMAGELENGTH, &h);
  if (w != width || h != height) {
    snprintf(out->error, SEM_TIFF_TEXT, "the headers disagree about the size");
    return;
  }
  // As stored: the orientation is applied by the caller. And alpha is to be
  // dropped, not multiplied in, which libtiff does for the kind that is not yet.
  TIFFSetField(t, TIFFTAG_ORIENTATION, ORIENTATION_TOPLEFT);
  if (TIFFGetField(t, TIFFTAG_EXTRASAMPLES, &extras, &kinds) && extras > 0 && kinds[0] == EXTRASAMPLE_UNASSALPHA) {
    uint16_t straight[16];
    if (extras > 16) extras = 16;
    memcpy(straight, kinds, extras * sizeof *kinds);
    straight[0] = EXTRASAMPLE_ASSOCALPHA;
    TIFFSetField(t, TIFFTAG_EXTRASAMPLES, extras, straight);
  }
  if (!TIFFRGBAImageOK(t, text)) {
    snprintf(out->error, SEM_TIFF_TEXT, "%s", text);
    return;
  }
  pieces(t, memory, rgb, width, height, out);
}

void sem_tiff_decode(const uint8_t *data, size_t size, int page, int64_t memory,
                     uint8_t *rgb, uint32_t width, uint32_t height, sem_tiff *out) {
  source s = {data, size, 0, 0, out};
  TIFFOpenOptions *o;
  TIFF *t;
  memset(out, 0, sizeof *out);
  if ((o = TIFFOpenOptionsAlloc()) == NULL) {
    snprintf(out->error, SEM_TIFF_TEXT, "libtiff does not start");
    return;
  }
  TIFFOpenOptionsSetMaxSingleMemAlloc(o, (tmsize_t)memory);
  TIFFOpenOptionsSetErrorHandlerExtR(o, on_error, out);
  TIFFOpenOptionsSetWarningHandlerExtR(o, on_warning, out);
  t = TIFFClientOpenExt("picture", "rm", (thandle_t)&s, on_read, on_write, on_seek, on_close, on_size, NULL, NULL, o);
  TIFFOpenOptionsFree(o);
  if (t == NULL) return;
  page_of(t, page, memory, rgb, width, height, out);
  TIFFClose(t);
}

const char *sem_tiff_version(void) { return TIFFGetVersion(); }
