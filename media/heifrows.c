//go:build cgo && native

// Decoding of the primary image of a HEIC or AVIF file with libheif.

#include "heifrows.h"

#include <stdio.h>
#include <string.h>

#include <libheif/heif.h>

// failed notes an error and reports whether there was one.
static int failed(struct heif_error e, sem_heif *out) {
  if (e.code == heif_error_Ok) return 0;
  if (out->error[0] == 0) snprintf(out->error, SEM_HEIF_TEXT, "%s", e.message == NULL ? "unknown error" : e.message);
  out->unsupported |= e.code == heif_error_Unsupported_filetype || e.code == heif_error_Unsupported_feature;
  out->too_large |= e.subcode == heif_suberror_Security_limit_exceeded;
  return 1;
}

// open reads the headers and gives the primary image's handle, or NULL.
static struct heif_image_handle *open_primary(struct heif_context *c, const uint8_t *data, size_t size, int max_side, sem_heif *out) {
  struct heif_image_handle *h = NULL;
  heif_context_set_maximum_image_size_limit(c, max_side);
  heif_context_set_max_decoding_threads(c, 0);
  if (failed(heif_context_read_from_memory_without_copy(c, data, size, NULL), out)) return NULL;
  if (failed(heif_context_get_primary_image_handle(c, &h), out)) return NULL;
  out->bits = heif_image_handle_get_luma_bits_per_pixel(h);
  return h;
}

// block copies the first metadata block of a type, and returns its size; 0 for none.
static size_t block(struct heif_image_handle *h, const char *type, const char *content, uint8_t *to, size_t room) {
  heif_item_id ids[16];
  int count = heif_image_handle_get_list_of_metadata_block_IDs(h, type, ids, 16);
  for (int i = 0; i < count; i++) {
    const char *is = heif_image_handle_get_metadata_content_type(h, ids[i]);
    if (content != NULL && (is == NULL || strcmp(is, content) != 0)) continue;
    size_t n = heif_image_handle_get_metadata_size(h, ids[i]);
    if (n == 0 || n > room) return 0;
    return heif_image_handle_get_metadata(h, ids[i], to).code == heif_error_Ok ? n : 0;
  }
  return 0;
}

static void probe(struct heif_image_handle *h, uint8_t *metadata, size_t room, sem_heif *out) {
  out->width = heif_image_handle_get_width(h);
  out->height = heif_image_handle_get_height(h);
  out->exif = block(h, "Exif", NULL, metadata, room);
  out->xmp = block(h, "mime", "application/rdf+xml", metadata + out->exif, room - out->exif);
}

static void copy_rows(struct heif_image *image, uint8_t *rgb, int width, int height, sem_heif *out) {
  int stride = 0;
  const uint8_t *p = heif_image_get_plane_readonly(image, heif_channel_interleaved, &stride);
  out->width = heif_image_get_width(image, heif_channel_interleaved);
  out->height = heif_image_get_height(image, heif_channel_interleaved);
  int step = heif_image_get_chroma_format(image) == heif_chroma_interleaved_RGBA ? 4 : 3;
  if (p == NULL || out->width != width || out->height != height || stride < step * width) {
    snprintf(out->error, SEM_HEIF_TEXT, "the headers disagree about the size");
    out->width = out->height = 0;
    return;
  }
  for (int y = 0; y < height; y++, rgb += (size_t)width * 3, p += stride)
    for (int x = 0; x < width; x++) memcpy(rgb + (size_t)x * 3, p + (size_t)x * (size_t)step, 3);
}

static void decode(struct heif_image_handle *h, int stored, uint8_t *rgb, int width, int height, sem_heif *out) {
  struct heif_image *image = NULL;
  struct heif_error w;
  struct heif_decoding_options *o = heif_decoding_options_alloc();
  if (o == NULL) {
    snprintf(out->error, SEM_HEIF_TEXT, "no memory");
    return;
  }
  o->ignore_transformations = (uint8_t)stored;
  o->convert_hdr_to_8bit = 1;
  if (!failed(heif_decode_image(h, &image, heif_colorspace_RGB, heif_image_handle_has_alpha_channel(h) ? heif_chroma_interleaved_RGBA : heif_chroma_interleaved_RGB, o), out)) {
    out->warnings = heif_image_get_decoding_warnings(image, 0, NULL, 0);
    if (out->warnings > 0 && heif_image_get_decoding_warnings(image, 0, &w, 1) == 1)
      snprintf(out->warning, SEM_HEIF_TEXT, "%s", w.message == NULL ? "" : w.message);
    copy_rows(image, rgb, width, height, out);
    heif_image_release(image);
  }
  heif_decoding_options_free(o);
}

static void with_primary(const uint8_t *data, size_t size, int max_side, int stored, uint8_t *to, size_t room, int width, int height, sem_heif *out) {
  struct heif_context *c = heif_context_alloc();
  struct heif_image_handle *h;
  memset(out, 0, sizeof *out);
  if (c == NULL) {
    snprintf(out->error, SEM_HEIF_TEXT, "libheif does not start");
    return;
  }
  if ((h = open_primary(c, data, size, max_side, out)) != NULL) {
    if (width > 0)
      decode(h, stored, to, width, height, out);
    else
      probe(h, to, room, out);
    heif_image_handle_release(h);
  }
  heif_context_free(c);
}

void sem_heif_probe(const uint8_t *data, size_t size, int max_side, uint8_t *metadata, size_t room, sem_heif *out) {
  with_primary(data, size, max_side, 0, metadata, room, 0, 0, out);
}

void sem_heif_decode(const uint8_t *data, size_t size, int max_side, int stored, uint8_t *rgb, int width, int height, sem_heif *out) {
  with_primary(data, size, max_side, stored, rgb, 0, width, height, out);
}
