//go:build cgo && native

#include "videolib.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/avutil.h>
#include <libavutil/display.h>
#include <libswscale/swscale.h>

// Every function that is called, by library. A header gives its type.
#define AVUTIL(X)                                                                                          \
  X(av_frame_alloc) X(av_frame_free) X(av_malloc) X(av_freep) X(av_strerror) X(av_dict_set) X(av_dict_get) X(av_dict_free) \
  X(av_rescale_q) X(av_log_set_level) X(av_display_rotation_get) X(avutil_version)
#define AVCODEC(X)                                                                                       \
  X(avcodec_find_decoder) X(avcodec_alloc_context3) X(avcodec_parameters_to_context) X(avcodec_open2)    \
  X(avcodec_send_packet) X(avcodec_receive_frame) X(avcodec_free_context) X(av_packet_alloc)             \
  X(av_packet_free) X(av_packet_unref) X(av_packet_rescale_ts) X(avcodec_parameters_copy) X(avcodec_get_name) X(avcodec_version)
#define AVFORMAT(X)                                                                                  \
  X(avformat_alloc_context) X(avformat_free_context) X(avio_alloc_context) X(avio_context_free)      \
  X(avformat_open_input) X(avformat_find_stream_info) X(av_read_frame) X(avformat_close_input)       \
  X(av_guess_frame_rate) X(av_stream_get_side_data) X(avformat_alloc_output_context2) X(avformat_new_stream) \
  X(avformat_write_header) X(av_interleaved_write_frame) X(av_write_trailer) X(avio_flush) X(avformat_version)
#define SWSCALE(X) X(sws_getCachedContext) X(sws_scale) X(sws_freeContext) X(swscale_version)

static struct {
#define FIELD(f) __typeof__(&f) f;
  AVUTIL(FIELD) AVCODEC(FIELD) AVFORMAT(FIELD) SWSCALE(FIELD)
#undef FIELD
  int loaded;
} av;

struct sem_video {
  int fd;
  int64_t size, at, deadline;
  int read_error, short_read, beyond;
  AVIOContext *io;
  AVFormatContext *format;
  AVCodecContext *codec;
  AVStream *stream;
  AVPacket *packet;
  AVFrame *frame;
  struct SwsContext *area, *smooth, *gray;
  int keyframes, draining, failed_drains;
  int64_t bad_packets;
  int64_t sound; // bytes of sound so far
};

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)
#define SONAME(name, major) "lib" name ".so." TEXT(major)

static void *library(const char *name, char *why, size_t size) {
  void *h = dlopen(name, RTLD_LAZY | RTLD_LOCAL);
  if (h == NULL) snprintf(why, size, "%s", dlerror());
  return h;
}

int sem_video_load(char *version, size_t size) {
  if (!av.loaded) {
    void *h;
#define LOAD(f)                                             \
  if ((av.f = (__typeof__(&f))dlsym(h, #f)) == NULL) {      \
    snprintf(version, size, "there is no " #f);             \
    return SEM_VIDEO_NO_LIBRARY;                            \
  }
    if ((h = library(SONAME("avutil", LIBAVUTIL_VERSION_MAJOR), version, size)) == NULL) return SEM_VIDEO_NO_LIBRARY;
    AVUTIL(LOAD)
    if ((h = library(SONAME("avcodec", LIBAVCODEC_VERSION_MAJOR), version, size)) == NULL) return SEM_VIDEO_NO_LIBRARY;
    AVCODEC(LOAD)
    if ((h = library(SONAME("avformat", LIBAVFORMAT_VERSION_MAJOR), version, size)) == NULL) return SEM_VIDEO_NO_LIBRARY;
    AVFORMAT(LOAD)
    if ((h = library(SONAME("swscale", LIBSWSCALE_VERSION_MAJOR), version, size)) == NULL) return SEM_VIDEO_NO_LIBRARY;
    SWSCALE(LOAD)
#undef LOAD
    av.av_log_set_level(AV_LOG_QUIET);
    av.loaded = 1;
  }
  unsigned f = av.avformat_version(), c = av.avcodec_version(), s = av.swscale_version();
  snprintf(version, size, "libavcodec %u.%u.%u, libavformat %u.%u.%u, libswscale %u.%u.%u", c >> 16, c >> 8 & 255, c & 255, f >> 16, f >> 8 & 255,
           f & 255, s >> 16, s >> 8 & 255, s & 255);
  return SEM_VIDEO_OK;
}

static int64_t nanotime(void) {
  struct timespec now;
  return clock_gettime(CLOCK_MONOTONIC, &now) == 0 ? now.tv_sec * INT64_C(1000000000) + now.tv_nsec : 0;
}

static int too_late(void *opaque) {
  const sem_video *v = opaque;
  return v->deadline != 0 && nanotime() >= v->deadline;
}

static int read_at(void *opaque, uint8_t *buf, int n) {
  sem_video *v = opaque;
  if (too_late(v)) return AVERROR_EXIT;
  if (v->at > v->size) v->beyond = 1;
  if (v->at >= v->size) return AVERROR_EOF;
  ssize_t got;
  do got = pread(v->fd, buf, n, v->at);
  while (got < 0 && errno == EINTR);
  if (got < 0) {
    v->read_error = errno;
    return AVERROR(EIO);
  }
  if (got == 0) {
    v->short_read = 1;
    return AVERROR_EOF;
  }
  v->at += got;
  return (int)got;
}

static int64_t seek_to(void *opaque, int64_t offset, int whence) {
  sem_video *v = opaque;
  switch (whence & ~AVSEEK_FORCE) {
    case AVSEEK_SIZE: return v->size;
    case SEEK_SET: break;
    case SEEK_CUR: offset += v->at; break;
    case SEEK_END: offset += v->size; break;
    default: return AVERROR(EINVAL);
  }
  if (offset < 0) return AVERROR(EINVAL);
  return v->at = offset;
}

// A container may name other files. None is opened, whatever the cage says.
static int open_none(struct AVFormatContext *s, AVIOContext **pb, const char *url, int flags, AVDictionary **options) {
  (void)s, (void)pb, (void)url, (void)flags, (void)options;
  return AVERROR(EACCES);
}

static void explain(int code, char *why, size_t size) {
  if (av.av_strerror(code, why, size) < 0) snprintf(why, size, "error %d", code);
}

static int open_code(sem_video *v, int code) {
  if (too_late(v)) return SEM_VIDEO_TIMEOUT;
  if (v->read_error) return SEM_VIDEO_UNREADABLE;
  if (code == AVERROR(ENOMEM)) return SEM_VIDEO_NO_MEMORY;
  return SEM_VIDEO_NOT_OPEN;
}

static int64_t nanoseconds(int64_t ts, AVRational base) { return av.av_rescale_q(ts, base, (AVRational){1, 1000000000}); }

static int open_format(sem_video *v, int sound, int look, char *why, size_t size) {
  const int buffer = 256 << 10;
  uint8_t *mem = av.av_malloc(buffer);
  v->format = av.avformat_alloc_context();
  v->io = mem == NULL ? NULL : av.avio_alloc_context(mem, buffer, 0, v, read_at, NULL, seek_to);
  if (v->format == NULL || v->io == NULL) {
    if (v->io == NULL) av.av_freep(&mem);
    return SEM_VIDEO_NO_MEMORY;
  }
  v->format->pb = v->io;
  v->format->flags |= AVFMT_FLAG_CUSTOM_IO;
  v->format->io_open = open_none;
  v->format->interrupt_callback = (AVIOInterruptCB){too_late, v};
  AVDictionary *options = NULL;
  // What holds seized videos and sound; nothing that is a list of other files.
  av.av_dict_set(&options, "format_whitelist",
                 "mov,matroska,avi,mpeg,mpegvideo,mpegts,flv,asf,ogg,rm,mxf,wtv,ivf,nut,gxf,dv,dhav,h264,hevc,m4v,yuv4mpegpipe,"
                 "mp3,aac,wav,w64,flac,amr,caf,aiff,au,ac3,wv,ape", 0);
  // All packets of the sound, those too that an MP4 says are not to be heard.
  if (sound) av.av_dict_set(&options, "ignore_editlist", "1", 0);
  int code = av.avformat_open_input(&v->format, NULL, NULL, &options);  // frees format when it fails
  av.av_dict_free(&options);
  if (code == 0 && (look || v->format->ctx_flags & AVFMTCTX_NOHEADER)) code = av.avformat_find_stream_info(v->format, NULL);
  if (code < 0) {
    explain(code, why, size);
    return open_code(v, code);
  }
  return SEM_VIDEO_OK;
}

// choose takes the first video stream that is no cover picture, or that of an ID where
// there is one.
static void choose(sem_video *v, unsigned track, sem_video_info *info) {
  for (unsigned i = 0; i < v->format->nb_streams; i++) {
    AVStream *s = v->format->streams[i];
    s->discard = AVDISCARD_ALL;
    info->streams++;
    if (s->codecpar->codec_type != AVMEDIA_TYPE_VIDEO) continue;
    if (s->disposition & (AV_DISPOSITION_ATTACHED_PIC | AV_DISPOSITION_TIMED_THUMBNAILS)) {
      info->covers++;
      continue;
    }
    if (info->videos++ == 0 || track != 0 && s->id == (int)track && v->stream->id != (int)track) v->stream = s;
  }
}

static int turned(const sem_video *v) {
  size_t size = 0;
  const uint8_t *m = av.av_stream_get_side_data(v->stream, AV_PKT_DATA_DISPLAYMATRIX, &size);
  if (m == NULL || size < 9 * sizeof(int32_t)) return 0;
  double d = -av.av_display_rotation_get((const int32_t *)m);
  if (!(d > -1000 && d < 1000)) return 0;
  int n = (int)(d < 0 ? d / 90 - 0.5 : d / 90 + 0.5);
  return ((n % 4 + 4) % 4) * 90;
}

// tagged_duration is what the usual muxers of Matroska write of each stream.
static int64_t tagged_duration(AVStream *s) {
  AVDictionaryEntry *e = av.av_dict_get(s->metadata, "DURATION", NULL, 0);
  unsigned hours, minutes;
  double seconds;
  if (e == NULL || sscanf(e->value, "%5u:%2u:%lf", &hours, &minutes, &seconds) != 3 || minutes > 59 || !(seconds >= 0 && seconds < 60)) return 0;
  return (int64_t)((hours * 3600.0 + minutes * 60.0 + seconds) * 1e9);
}

static void describe(sem_video *v, sem_video_info *info) {
  AVStream *s = v->stream;
  snprintf(info->format, sizeof info->format, "%s", v->format->iformat->name);
  snprintf(info->codec, sizeof info->codec, "%s", av.avcodec_get_name(s->codecpar->codec_id));
  info->width = s->codecpar->width;
  info->height = s->codecpar->height;
  info->rotation = turned(v);
  AVRational r = av.av_guess_frame_rate(v->format, s, NULL);
  if (r.num > 0 && r.den > 0) info->rate_num = r.num, info->rate_den = r.den;
  if (s->duration != AV_NOPTS_VALUE && s->duration > 0)
    info->duration = nanoseconds(s->duration, s->time_base), info->own_duration = 1;
  else if ((info->duration = tagged_duration(s)) > 0)
    info->own_duration = 1;
  else if (v->format->duration != AV_NOPTS_VALUE && v->format->duration > 0)
    info->duration = nanoseconds(v->format->duration, AV_TIME_BASE_Q);
  if (info->duration < 0) info->duration = 0;
  if (v->format->start_time != AV_NOPTS_VALUE) {
    info->start = nanoseconds(v->format->start_time, AV_TIME_BASE_Q);
    info->has_start = 1;
  }
}

// open_file makes what the headers of a file are read into, and reads them.
static int open_file(int fd, int64_t size, int64_t left, int sound, int look, sem_video **out, sem_video_info *info, char *why, size_t why_size) {
  memset(info, 0, sizeof *info);
  sem_video *v = *out = calloc(1, sizeof *v);
  if (v == NULL) return SEM_VIDEO_NO_MEMORY;
  v->fd = fd;
  v->size = size;
  if (left > 0) v->deadline = nanotime() + left;
  return open_format(v, sound, look, why, why_size);
}

int sem_video_open(int fd, int64_t size, int64_t max_pixels, int64_t left, unsigned track, sem_video **out, sem_video_info *info, char *why, size_t why_size) {
  int code = open_file(fd, size, left, 0, 1, out, info, why, why_size);
  if (code != SEM_VIDEO_OK) return code;
  sem_video *v = *out;
  choose(v, track, info);
  if (v->stream == NULL) return SEM_VIDEO_NO_VIDEO;
  v->stream->discard = AVDISCARD_DEFAULT;
  describe(v, info);
  const AVCodec *c = av.avcodec_find_decoder(v->stream->codecpar->codec_id);
  if (c == NULL) return SEM_VIDEO_NO_DECODER;
  v->codec = av.avcodec_alloc_context3(c);
  v->packet = av.av_packet_alloc();
  v->frame = av.av_frame_alloc();
  if (v->codec == NULL || v->packet == NULL || v->frame == NULL) return SEM_VIDEO_NO_MEMORY;
  v->codec->max_pixels = max_pixels;
  return SEM_VIDEO_OK;
}

int sem_video_start(sem_video *v, int threads, int keyframes, char *why, size_t why_size) {
  int code = av.avcodec_parameters_to_context(v->codec, v->stream->codecpar);
  v->codec->pkt_timebase = v->stream->time_base;
  v->codec->thread_count = threads;
  v->keyframes = keyframes;
  // Not in the demuxer: that of MP4 then mixes up the times of frames that are left.
  if (keyframes) v->codec->skip_frame = AVDISCARD_NONKEY;
  if (code == 0) code = av.avcodec_open2(v->codec, NULL, NULL);
  if (code == 0) return SEM_VIDEO_OK;
  explain(code, why, why_size);
  return code == AVERROR(ENOMEM) ? SEM_VIDEO_NO_MEMORY : SEM_VIDEO_DAMAGED;
}

// feed gives the decoder one more packet, or tells it that there are none. What it
// refuses is counted: the next packet may be good.
static int feed(sem_video *v) {
  for (;;) {
    int code = av.av_read_frame(v->format, v->packet);
    if (code == AVERROR(ENOMEM)) return SEM_VIDEO_NO_MEMORY;
    if (too_late(v)) return SEM_VIDEO_TIMEOUT;
    if (code < 0) { // the end, or nothing behind can be read
      if (code != AVERROR_EOF) v->bad_packets++;
      v->draining = 1;
      av.avcodec_send_packet(v->codec, NULL);
      return SEM_VIDEO_OK;
    }
    int other = v->packet->stream_index != v->stream->index;
    if (other || (v->keyframes && !(v->packet->flags & AV_PKT_FLAG_KEY))) {
      av.av_packet_unref(v->packet);
      continue;
    }
    code = av.avcodec_send_packet(v->codec, v->packet);
    av.av_packet_unref(v->packet);
    if (code == AVERROR(ENOMEM)) return SEM_VIDEO_NO_MEMORY;
    if (code < 0) v->bad_packets++;
    return SEM_VIDEO_OK;
  }
}

int sem_video_next(sem_video *v, sem_video_frame *out) {
  for (;;) {
    int code = av.avcodec_receive_frame(v->codec, v->frame);
    if (code == 0) break;
    if (code == AVERROR(ENOMEM)) return SEM_VIDEO_NO_MEMORY;
    if (code == AVERROR_EOF) return SEM_VIDEO_END;
    if (code != AVERROR(EAGAIN)) v->bad_packets++;
    if (v->draining) { // one that is held back may be damaged, and the next one good
      if (code == AVERROR(EAGAIN) || ++v->failed_drains > 64) return SEM_VIDEO_END;
      continue;
    }
    if ((code = feed(v)) != SEM_VIDEO_OK) return code;
  }
  AVFrame *f = v->frame;
  memset(out, 0, sizeof *out);
  // FFmpeg's guess mends pts by dts, which mean nothing where frames are skipped.
  int64_t ts = v->keyframes && f->pts != AV_NOPTS_VALUE ? f->pts : f->best_effort_timestamp;
  out->has_pts = ts != AV_NOPTS_VALUE;
  if (out->has_pts) out->pts = nanoseconds(ts, v->stream->time_base);
  if (out->pts == INT64_MIN) out->has_pts = 0; // too large for nanoseconds: nobody's time
  if (f->pkt_duration > 0) out->duration = nanoseconds(f->pkt_duration, v->stream->time_base);
  out->key = f->key_frame;
  out->damaged = f->decode_error_flags != 0 || (f->flags & AV_FRAME_FLAG_CORRUPT) != 0;
  out->width = f->width;
  out->height = f->height;
  return SEM_VIDEO_OK;
}

int sem_video_rgb(sem_video *v, uint8_t *rgb, int stride, int width, int height, int smooth) {
  AVFrame *f = v->frame;
  struct SwsContext **s = smooth ? &v->smooth : &v->area;
  // The reference of vPDQ averages areas; that of TMK calls ffmpeg, which is bicubic.
  *s = av.sws_getCachedContext(*s, f->width, f->height, f->format, width, height, AV_PIX_FMT_RGB24, smooth ? SWS_BICUBIC : SWS_AREA, NULL, NULL, NULL);
  if (*s == NULL) return SEM_VIDEO_NO_MEMORY;
  uint8_t *planes[4] = {rgb};
  int strides[4] = {stride};
  int rows = av.sws_scale(*s, (const uint8_t *const *)f->data, f->linesize, 0, f->height, planes, strides);
  return rows == height ? SEM_VIDEO_OK : SEM_VIDEO_DAMAGED;
}

// bright_plane reports whether a frame's first plane is how bright its pixels are, a
// byte each.
static int bright_plane(int format) {
  switch (format) {
    case AV_PIX_FMT_YUV420P:
    case AV_PIX_FMT_YUVJ420P:
    case AV_PIX_FMT_YUVA420P:
    case AV_PIX_FMT_YUV422P:
    case AV_PIX_FMT_YUVJ422P:
    case AV_PIX_FMT_YUV444P:
    case AV_PIX_FMT_YUVJ444P:
    case AV_PIX_FMT_YUV411P:
    case AV_PIX_FMT_YUV410P:
    case AV_PIX_FMT_NV12:
    case AV_PIX_FMT_NV21:
    case AV_PIX_FMT_GRAY8: return 1;
  }
  return 0;
}

int sem_video_gray(sem_video *v, uint8_t *gray, int columns, int rows) {
  enum { points = 4 }; // a cell has so many by so many
  AVFrame *f = v->frame;
  if (!bright_plane(f->format)) {
    v->gray = av.sws_getCachedContext(v->gray, f->width, f->height, f->format, columns, rows, AV_PIX_FMT_GRAY8, SWS_AREA, NULL, NULL, NULL);
    if (v->gray == NULL) return SEM_VIDEO_NO_MEMORY;
    // Vector code writes behind the end of rows.
    enum { room = 64, most = 4096 };
    uint8_t row[most], *planes[4] = {row};
    int strides[4] = {columns + room};
    if (strides[0] * rows + room > most) return SEM_VIDEO_DAMAGED;
    if (av.sws_scale(v->gray, (const uint8_t *const *)f->data, f->linesize, 0, f->height, planes, strides) != rows) return SEM_VIDEO_DAMAGED;
    for (int y = 0; y < rows; y++) memcpy(gray + y * columns, row + y * strides[0], columns);
    return SEM_VIDEO_OK;
  }
  for (int y = 0; y < rows; y++) {
    for (int x = 0; x < columns; x++) {
      unsigned sum = 0;
      for (int j = 0; j < points; j++) {
        const uint8_t *line = f->data[0] + (ptrdiff_t)f->linesize[0] * ((int64_t)f->height * (y * points + j) / (rows * points));
        for (int i = 0; i < points; i++) sum += line[(int64_t)f->width * (x * points + i) / (columns * points)];
      }
      gray[y * columns + x] = sum / (points * points);
    }
  }
  return SEM_VIDEO_OK;
}

int sem_video_tag(const sem_video *v, int stream, int i, char *name, size_t name_size, char *value, size_t value_size) {
  AVDictionary *d = stream ? v->stream->metadata : v->format->metadata;
  AVDictionaryEntry *e = NULL;
  do e = av.av_dict_get(d, "", e, AV_DICT_IGNORE_SUFFIX);
  while (e != NULL && i-- > 0);
  if (e == NULL) return 0;
  snprintf(name, name_size, "%s", e->key);
  snprintf(value, value_size, "%s", e->value);
  return 1;
}

// stated_duration is what a header says of an audio stream, 0 where it says nothing or is
// known to be wrong in whole files: what is reckoned from a bit rate or from the end of the
// file, and what cameras and live streams write into AVI and FLV.
static int64_t stated_duration(const sem_video *v, const AVStream *s) {
  static const char *const honest[] = {"mp3", "flac", "wv", "wav", "w64", "aiff", "au", "caf"};
  const AVFormatContext *f = v->format;
  const char *name = f->iformat->name;
  if (f->duration_estimation_method == AVFMT_DURATION_FROM_BITRATE) return 0;
  int alone = 1;
  for (unsigned i = 0; i < f->nb_streams; i++)
    if (f->streams[i] != s && !(f->streams[i]->disposition & AV_DISPOSITION_ATTACHED_PIC)) alone = 0;
  if (strncmp(name, "matroska", 8) == 0) {
    int64_t own = tagged_duration((AVStream *)s), whole = f->duration > 0 ? nanoseconds(f->duration, AV_TIME_BASE_Q) : 0;
    if (own > 0 && whole > 0) return own < whole ? own : whole; // a tag may be left of a longer file
    return own > 0 ? own : alone ? whole : 0;
  }
  if (!alone || s->duration <= 0) return 0;
  for (size_t i = 0; i < sizeof honest / sizeof *honest; i++)
    if (strcmp(name, honest[i]) == 0) return nanoseconds(s->duration, s->time_base);
  return 0;
}

int sem_video_audio(const sem_video *v, int i, sem_audio_info *out) {
  for (unsigned k = 0; k < v->format->nb_streams; k++) {
    const AVStream *s = v->format->streams[k];
    const AVCodecParameters *c = s->codecpar;
    if (c->codec_type != AVMEDIA_TYPE_AUDIO || i-- > 0) continue;
    memset(out, 0, sizeof *out);
    snprintf(out->codec, sizeof out->codec, "%s", av.avcodec_get_name(c->codec_id));
#if LIBAVCODEC_VERSION_INT >= AV_VERSION_INT(59, 24, 100)
    out->channels = c->ch_layout.nb_channels;
#else
    out->channels = c->channels;
#endif
    out->rate = c->sample_rate;
    if (s->duration != AV_NOPTS_VALUE && s->duration > 0) out->duration = nanoseconds(s->duration, s->time_base);
    else out->duration = tagged_duration((AVStream *)s);
    out->bit_rate = c->bit_rate;
    out->stated = stated_duration(v, s);
    AVDictionaryEntry *e = av.av_dict_get(s->metadata, "language", NULL, 0);
    if (e != NULL) snprintf(out->language, sizeof out->language, "%s", e->value);
    e = av.av_dict_get(s->metadata, "title", NULL, 0);
    if (e != NULL) snprintf(out->title, sizeof out->title, "%s", e->value);
    return 1;
  }
  return 0;
}

int sem_sound_open(int fd, int64_t size, int64_t left, int look, sem_video **out, sem_video_info *info, char *why, size_t why_size) {
  int code = open_file(fd, size, left, 1, look, out, info, why, why_size);
  if (code != SEM_VIDEO_OK) return code;
  sem_video *v = *out;
  for (unsigned i = 0; i < v->format->nb_streams; i++) {
    AVStream *s = v->format->streams[i];
    info->streams++;
    if (s->codecpar->codec_type == AVMEDIA_TYPE_AUDIO) {
      if (v->stream == NULL) v->stream = s;
      continue;
    }
    s->discard = AVDISCARD_ALL;
    if (s->codecpar->codec_type == AVMEDIA_TYPE_VIDEO && s->disposition & (AV_DISPOSITION_ATTACHED_PIC | AV_DISPOSITION_TIMED_THUMBNAILS)) info->covers++;
  }
  if (v->stream == NULL) return SEM_VIDEO_NO_VIDEO;
  snprintf(info->format, sizeof info->format, "%s", v->format->iformat->name);
  if (v->format->duration != AV_NOPTS_VALUE && v->format->duration > 0) info->duration = nanoseconds(v->format->duration, AV_TIME_BASE_Q);
  return (v->packet = av.av_packet_alloc()) == NULL ? SEM_VIDEO_NO_MEMORY : SEM_VIDEO_OK;
}

int sem_sound_next(sem_video *v, sem_sound_packet *out) {
  for (;;) {
    av.av_packet_unref(v->packet);
    int code = av.av_read_frame(v->format, v->packet);
    if (code == AVERROR(ENOMEM)) return SEM_VIDEO_NO_MEMORY;
    if (too_late(v)) return SEM_VIDEO_TIMEOUT;
    if (code == AVERROR_EOF) return SEM_VIDEO_END;
    if (code < 0) return SEM_VIDEO_DAMAGED;
    if (v->packet->stream_index < 0 || (unsigned)v->packet->stream_index >= v->format->nb_streams) continue;
    const AVStream *s = v->format->streams[v->packet->stream_index];
    if (s->codecpar->codec_type != AVMEDIA_TYPE_AUDIO) continue;
    // An index can name the same bytes again and again.
    if ((v->sound += v->packet->size) / 4 > v->size + (1 << 20)) return SEM_VIDEO_DAMAGED;
    memset(out, 0, sizeof *out);
    for (int i = 0; i < v->packet->stream_index; i++)
      if (v->format->streams[i]->codecpar->codec_type == AVMEDIA_TYPE_AUDIO) out->stream++;
    out->data = v->packet->data;
    out->size = v->packet->size;
    out->damaged = (v->packet->flags & AV_PKT_FLAG_CORRUPT) != 0;
    if (v->packet->duration > 0) out->duration = nanoseconds(v->packet->duration, s->time_base);
    if (out->duration < 0 || out->duration >= INT64_MAX / 2) out->duration = 0; // nobody's time
    if (v->packet->pts != AV_NOPTS_VALUE) out->end = nanoseconds(v->packet->pts, s->time_base);
    out->end = out->end > 0 && out->end < INT64_MAX / 2 ? out->end + out->duration : 0;
    return SEM_VIDEO_OK;
  }
}

void sem_video_counts(const sem_video *v, int64_t *bad_packets, int *read_error, int *short_read, int *beyond) {
  *bad_packets = v->bad_packets;
  *read_error = v->read_error;
  *short_read = v->short_read;
  *beyond = v->beyond;
}

void sem_video_close(sem_video *v) {
  if (v == NULL) return;
  if (av.loaded) {
    av.sws_freeContext(v->area);
    av.sws_freeContext(v->smooth);
    av.sws_freeContext(v->gray);
    av.av_frame_free(&v->frame);
    av.av_packet_free(&v->packet);
    av.avcodec_free_context(&v->codec);
    if (v->format != NULL) av.avformat_close_input(&v->format);
    if (v->io != NULL) {
      av.av_freep(&v->io->buffer);
      av.avio_context_free(&v->io);
    }
  }
  free(v);
}

struct sem_copy {
  AVFormatContext *format;
  AVIOContext *io;
  AVStream *to;
  int from; // index of the stream
  uint8_t *bytes;
  size_t at, len, room;
  int no_memory, began;
  int held;    // the first packet has been read and not yet been copied
  int damaged; // packets that are not whole
  int64_t packets, length, end;
};

static int keep(void *opaque, uint8_t *buf, int n) {
  sem_copy *c = opaque;
  if (c->at == c->len) c->at = c->len = 0;
  if (c->len + n > c->room) {
    size_t room = 2 * c->room + n;
    uint8_t *more = realloc(c->bytes, room);
    if (more == NULL) {
      c->no_memory = 1;
      return AVERROR(ENOMEM);
    }
    c->bytes = more;
    c->room = room;
  }
  memcpy(c->bytes + c->len, buf, n);
  c->len += n;
  return n;
}

static int copy_code(sem_copy *c, int code, char *why, size_t size) {
  explain(code, why, size);
  return c->no_memory || code == AVERROR(ENOMEM) ? SEM_VIDEO_NO_MEMORY : SEM_VIDEO_NO_DECODER;
}

// next_of reads the next packet of the stream that is copied.
static int next_of(sem_video *v, sem_copy *c) {
  sem_sound_packet p;
  int code;
  do code = sem_sound_next(v, &p);
  while (code == SEM_VIDEO_OK && v->packet->stream_index != c->from);
  if (code != SEM_VIDEO_OK) return code;
  c->damaged += p.damaged;
  c->packets++;
  if (c->length < INT64_MAX / 2) c->length += p.duration;
  if (p.end > c->end) c->end = p.end;
  return code;
}

void sem_copy_counts(const sem_copy *c, int *damaged, int64_t *packets, int64_t *length, int64_t *end) {
  *damaged = c->damaged;
  *packets = c->packets;
  *length = c->length;
  *end = c->end;
}

// configured writes what a decoder has to know of AAC whose packets say it themselves
// (ADTS): Matroska wants it at the front (ISO/IEC 14496-3, 1.6.2.1).
static int configured(const AVPacket *p, AVCodecParameters *to) {
  if (to->codec_id != AV_CODEC_ID_AAC || to->extradata_size > 0 || p->size < 7 || p->data[0] != 0xff || (p->data[1] & 0xf6) != 0xf0) return 1;
  if ((to->extradata = av.av_malloc(2 + AV_INPUT_BUFFER_PADDING_SIZE)) == NULL) return 0;
  memset(to->extradata, 0, 2 + AV_INPUT_BUFFER_PADDING_SIZE);
  int object = (p->data[2] >> 6) + 1, rate = p->data[2] >> 2 & 15, channels = (p->data[2] & 1) << 2 | p->data[3] >> 6;
  to->extradata[0] = object << 3 | rate >> 1;
  to->extradata[1] = rate << 7 | channels << 3;
  to->extradata_size = 2;
  return 1;
}

int sem_copy_start(sem_video *v, int stream, sem_copy **out, char *why, size_t why_size) {
  sem_copy *c = *out = calloc(1, sizeof *c);
  if (c == NULL) return SEM_VIDEO_NO_MEMORY;
  c->from = -1;
  for (unsigned i = 0; i < v->format->nb_streams; i++) {
    AVStream *s = v->format->streams[i];
    if (s->codecpar->codec_type == AVMEDIA_TYPE_AUDIO && stream-- == 0) c->from = i;
    else s->discard = AVDISCARD_ALL;
  }
  if (c->from < 0) return SEM_VIDEO_NO_VIDEO;
  const int buffer = 64 << 10;
  uint8_t *mem = av.av_malloc(buffer);
  c->io = mem == NULL ? NULL : av.avio_alloc_context(mem, buffer, 1, c, NULL, keep, NULL);
  if (c->io == NULL) {
    av.av_freep(&mem);
    return SEM_VIDEO_NO_MEMORY;
  }
  int code = av.avformat_alloc_output_context2(&c->format, NULL, "matroska", NULL);
  if (code < 0) return copy_code(c, code, why, why_size);
  c->format->pb = c->io;
  // The same copy every time: no random numbers, no version.
  c->format->flags |= AVFMT_FLAG_CUSTOM_IO | AVFMT_FLAG_BITEXACT;
  AVStream *from = v->format->streams[c->from];
  if ((c->to = av.avformat_new_stream(c->format, NULL)) == NULL) return SEM_VIDEO_NO_MEMORY;
  if ((code = av.avcodec_parameters_copy(c->to->codecpar, from->codecpar)) < 0) return copy_code(c, code, why, why_size);
  c->to->codecpar->codec_tag = 0;
  if ((code = next_of(v, c)) != SEM_VIDEO_OK) return code == SEM_VIDEO_END ? SEM_VIDEO_DAMAGED : code;
  c->held = 1;
  if (!configured(v->packet, c->to->codecpar)) return SEM_VIDEO_NO_MEMORY;
  c->to->time_base = from->time_base;
  AVDictionaryEntry *e = av.av_dict_get(from->metadata, "language", NULL, 0);
  if (e != NULL) av.av_dict_set(&c->to->metadata, "language", e->value, 0);
  code = av.avformat_write_header(c->format, NULL);
  if (code < 0) return copy_code(c, code, why, why_size);
  c->began = 1;
  return SEM_VIDEO_OK;
}

int sem_copy_next(sem_video *v, sem_copy *c, char *why, size_t why_size) {
  int code = c->held ? SEM_VIDEO_OK : next_of(v, c);
  c->held = 0;
  if (code != SEM_VIDEO_OK && code != SEM_VIDEO_END) return code;
  int wrote;
  if (code == SEM_VIDEO_END) {
    wrote = av.av_write_trailer(c->format);
    av.avio_flush(c->io);
    c->began = 0;
  } else {
    av.av_packet_rescale_ts(v->packet, v->format->streams[c->from]->time_base, c->to->time_base);
    v->packet->stream_index = 0;
    v->packet->pos = -1;
    wrote = av.av_interleaved_write_frame(c->format, v->packet);
  }
  return wrote < 0 ? copy_code(c, wrote, why, why_size) : code;
}

size_t sem_copy_take(sem_copy *c, uint8_t *dst, size_t size) {
  size_t n = c->len - c->at;
  if (n > size) n = size;
  if (n > 0) memcpy(dst, c->bytes + c->at, n);
  c->at += n;
  return n;
}

void sem_copy_close(sem_copy *c) {
  if (c == NULL) return;
  if (c->format != NULL) {
    if (c->began) av.av_write_trailer(c->format); // frees what the muxer holds
    av.avformat_free_context(c->format);
  }
  if (c->io != NULL) {
    av.av_freep(&c->io->buffer);
    av.avio_context_free(&c->io);
  }
  free(c->bytes);
  free(c);
}
