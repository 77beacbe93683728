//go:build cgo && native

// Decoding of one JPEG with the libjpeg API of libjpeg-turbo instead of its
// TurboJPEG one, because only the former says in which row the data ended.
// Settings are the library's defaults (accurate integer DCT, fancy upsampling,
// block smoothing), the ones that Pillow and PDQ's reference decode with.

#include "jpegrows.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <jpeglib.h>
#include <jerror.h>

typedef struct {
  struct jpeg_error_mgr err;
  struct jpeg_source_mgr src;
  struct jpeg_progress_mgr progress;
  jmp_buf escape;
  int max_scans;
  int in_data;  // past the headers
  int seen[SEM_JPEG_WARNINGS];
  sem_jpeg *out;
} decoder;

static decoder *of(j_common_ptr cinfo) { return (decoder *)cinfo->client_data; }

static void on_error(j_common_ptr cinfo) {
  decoder *d = of(cinfo);
  char text[JMSG_LENGTH_MAX];
  if (d->out->error[0] == 0) {
    (*cinfo->err->format_message)(cinfo, text);
    snprintf(d->out->error, SEM_JPEG_TEXT, "%s", text);
  }
  longjmp(d->escape, 1);
}

// note keeps the text of a kind of warning once.
static void note(decoder *d, j_common_ptr cinfo, int code) {
  char text[JMSG_LENGTH_MAX];
  for (int i = 0; i < d->out->warnings; i++)
    if (d->seen[i] == code) return;
  if (d->out->warnings == SEM_JPEG_WARNINGS) return;
  (*cinfo->err->format_message)(cinfo, text);
  d->seen[d->out->warnings] = code;
  snprintf(d->out->warning[d->out->warnings++], SEM_JPEG_TEXT, "%s", text);
}

// on_message sees every warning. Those of the entropy decoder mean that pixels
// are made up from here on.
static void on_message(j_common_ptr cinfo, int level) {
  decoder *d = of(cinfo);
  j_decompress_ptr j = (j_decompress_ptr)cinfo;
  int code = cinfo->err->msg_code;
  if (level >= 0) return;
  cinfo->err->num_warnings++;
  switch (code) {
  case JWRN_HIT_MARKER:
  case JWRN_HUFF_BAD_CODE:
  case JWRN_ARITH_BAD_CODE:
  case JWRN_MUST_RESYNC:
    d->out->corrupt++;
    if (d->out->bad_row < 0) {
      d->out->bad_row = (int)j->input_iMCU_row * j->max_v_samp_factor * DCTSIZE;
      d->out->bad_scan = j->input_scan_number;
    }
  }
  note(d, cinfo, code);
}

static void src_nothing(j_decompress_ptr cinfo) { (void)cinfo; }

// src_fill is asked for bytes when there are no more: an end marker stands in.
static boolean src_fill(j_decompress_ptr cinfo) {
  static const JOCTET end[2] = {0xFF, JPEG_EOI};
  decoder *d = of((j_common_ptr)cinfo);
  d->out->exhausted = 1;
  if (!d->in_data) ERREXIT(cinfo, JERR_INPUT_EOF);
  cinfo->src->next_input_byte = end;
  cinfo->src->bytes_in_buffer = 2;
  return TRUE;
}

static void src_skip(j_decompress_ptr cinfo, long n) {
  struct jpeg_source_mgr *src = cinfo->src;
  if (n <= 0) return;
  if ((size_t)n > src->bytes_in_buffer) {
    src_fill(cinfo);
    return;
  }
  src->next_input_byte += n;
  src->bytes_in_buffer -= (size_t)n;
}

// on_progress stops a file whose many scans make little data into much work.
static void on_progress(j_common_ptr cinfo) {
  decoder *d = of(cinfo);
  if (((j_decompress_ptr)cinfo)->input_scan_number > d->max_scans) {
    d->out->too_many_scans = 1;
    longjmp(d->escape, 1);
  }
}

// incomplete counts what a file that ended early never sent: whole components of
// a sequential one, bits of coefficients of a progressive one.
static int incomplete(j_decompress_ptr cinfo) {
  int n = 0;
  for (int c = 0; c < cinfo->num_components; c++) {
    if (cinfo->comp_info[c].quant_table == NULL) n++;
    if (cinfo->progressive_mode && cinfo->coef_bits != NULL)
      for (int k = 0; k < DCTSIZE2; k++)
        if (cinfo->coef_bits[c][k] != 0) n++;
  }
  return n;
}

static uint8_t mul255(unsigned a, unsigned b) {
  unsigned t = a * b + 128;
  return (uint8_t)(((t >> 8) + t) >> 8);
}

// cmyk_row makes RGB of inverted CMYK, which is what Adobe writes and what
// every reader assumes. The arithmetic is Pillow's.
static void cmyk_row(const uint8_t *in, uint8_t *out, int width) {
  for (int x = 0; x < width; x++, in += 4, out += 3)
    for (int c = 0; c < 3; c++) {
      int v = (int)in[3] - mul255(255 - in[c], in[3]);
      out[c] = (uint8_t)(v < 0 ? 0 : v);
    }
}

static void rows(j_decompress_ptr cinfo, uint8_t *rgb, sem_jpeg *out) {
  int width = (int)cinfo->output_width, cmyk = cinfo->out_color_space == JCS_CMYK;
  JSAMPROW line = NULL;
  if (cmyk)
    line = (JSAMPROW)(*cinfo->mem->alloc_large)((j_common_ptr)cinfo, JPOOL_IMAGE, (size_t)width * 4);
  while (cinfo->output_scanline < cinfo->output_height) {
    uint8_t *to = rgb + (size_t)cinfo->output_scanline * (size_t)width * 3;
    JSAMPROW row = cmyk ? line : to;
    if (jpeg_read_scanlines(cinfo, &row, 1) != 1) break;
    if (cmyk) cmyk_row(line, to, width);
    out->rows = (int)cinfo->output_scanline;
  }
}

static void decode(j_decompress_ptr cinfo, decoder *d, int denom, uint8_t *rgb, int width, int height) {
  sem_jpeg *out = d->out;
  jpeg_read_header(cinfo, TRUE);
  cinfo->scale_num = 1;
  cinfo->scale_denom = (unsigned)denom;
  cinfo->out_color_space = cinfo->num_components == 4 ? JCS_CMYK : JCS_RGB;
  jpeg_calc_output_dimensions(cinfo);
  out->width = (int)cinfo->output_width;
  out->height = (int)cinfo->output_height;
  if (out->width != width || out->height != height) {
    snprintf(out->error, SEM_JPEG_TEXT, "the headers disagree about the size");
    return;
  }
  d->in_data = 1;
  jpeg_start_decompress(cinfo);
  rows(cinfo, rgb, out);
  out->incomplete = incomplete(cinfo);
  out->scans = cinfo->input_scan_number;
  jpeg_finish_decompress(cinfo);
}

void sem_jpeg_decode(const uint8_t *data, size_t size, int denom, int max_scans,
                     uint8_t *rgb, int width, int height, sem_jpeg *out) {
  struct jpeg_decompress_struct cinfo;
  decoder d;
  memset(&cinfo, 0, sizeof cinfo);
  memset(&d, 0, sizeof d);
  memset(out, 0, sizeof *out);
  out->bad_row = -1;
  d.out = out;
  d.max_scans = max_scans;
  cinfo.err = jpeg_std_error(&d.err);
  d.err.error_exit = on_error;
  d.err.emit_message = on_message;
  cinfo.client_data = &d;
  if (setjmp(d.escape) == 0) {
    jpeg_create_decompress(&cinfo);
    d.src.next_input_byte = data;
    d.src.bytes_in_buffer = size;
    d.src.init_source = d.src.term_source = src_nothing;
    d.src.fill_input_buffer = src_fill;
    d.src.skip_input_data = src_skip;
    d.src.resync_to_restart = jpeg_resync_to_restart;
    cinfo.src = &d.src;
    d.progress.progress_monitor = on_progress;
    cinfo.progress = &d.progress;
    decode(&cinfo, &d, denom, rgb, width, height);
  } else {
    out->scans = cinfo.input_scan_number;
  }
  out->offset = out->exhausted ? size : size - d.src.bytes_in_buffer;
  jpeg_destroy_decompress(&cinfo);
}

#define TEXT(x) TEXT_(x)
#define TEXT_(x) #x
const char *sem_jpeg_version(void) { return TEXT(LIBJPEG_TURBO_VERSION); }
