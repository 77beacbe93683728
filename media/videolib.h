// The part of FFmpeg's libraries that is used, loaded when the first video comes and
// not before: with them a process loads some 130 shared objects.
#ifndef SEM_VIDEOLIB_H
#define SEM_VIDEOLIB_H

#include <stddef.h>
#include <stdint.h>

typedef struct sem_video sem_video;

// What is known of a video from its headers.
typedef struct {
  char format[64], codec[64];
  int width, height;
  int rotation;            // degrees clockwise that the picture is turned to be shown: 0, 90, 180, 270
  int rate_num, rate_den;  // frames a second, guessed as ffmpeg does; 0 unknown
  int64_t duration;        // nanoseconds; 0 unknown
  int own_duration;        // of the stream; else of the container, whose sound may be longer
  int64_t start;           // of the container, nanoseconds
  int has_start;
  int videos;              // video streams, cover pictures not counted
  int covers;
  int streams;
} sem_video_info;

// A decoded frame.
typedef struct {
  int64_t pts;       // nanoseconds as written
  int64_t duration;  // nanoseconds; 0 unknown
  int has_pts, key, damaged, width, height;
} sem_video_frame;

enum {
  SEM_VIDEO_OK = 0,
  SEM_VIDEO_END = 1,
  SEM_VIDEO_NO_LIBRARY = -1,
  SEM_VIDEO_NOT_OPEN = -2,   // no demuxer, or a header that does not parse
  SEM_VIDEO_NO_VIDEO = -3,
  SEM_VIDEO_NO_DECODER = -4,
  SEM_VIDEO_NO_MEMORY = -5,
  SEM_VIDEO_DAMAGED = -6,
  SEM_VIDEO_UNREADABLE = -7, // the medium, not the video
  SEM_VIDEO_TIMEOUT = -8,
};

// sem_video_load loads the libraries, once, and fills version with theirs.
int sem_video_load(char *version, size_t size);

// sem_video_open reads headers. fd is read with pread and not closed. A failure fills
// why. max_pixels bounds every frame. After so many nanoseconds nothing more is read; 0
// is never. track is the ID of the stream that is decoded; 0 is the first of a video.
int sem_video_open(int fd, int64_t size, int64_t max_pixels, int64_t left, unsigned track, sem_video **out, sem_video_info *info, char *why, size_t why_size);

// sem_video_tag gives the i-th tag that the container (stream 0) or the stream that is
// decoded (1) has. It returns 0 when there are no more.
int sem_video_tag(const sem_video *v, int stream, int i, char *name, size_t name_size, char *value, size_t value_size);

// An audio stream, by the headers.
typedef struct {
  char codec[64], language[32], title[512];
  int channels, rate;
  int64_t duration; // nanoseconds; 0 unknown
  int64_t bit_rate; // bits a second; 0 unknown
  int64_t stated;   // nanoseconds that whole packets reach by a header that can be believed; 0 none
} sem_audio_info;

// sem_video_audio gives the i-th audio stream. It returns 0 when there are no more.
int sem_video_audio(const sem_video *v, int i, sem_audio_info *out);

// sem_sound_open reads headers, as sem_video_open does, of a file whose sound is read and
// not decoded: its audio streams. With look the beginning of the streams is looked at for
// what the headers do not say. It returns SEM_VIDEO_NO_VIDEO where there is no sound.
int sem_sound_open(int fd, int64_t size, int64_t left, int look, sem_video **out, sem_video_info *info, char *why, size_t why_size);

// A packet of an audio stream, valid until the next one.
typedef struct {
  int stream; // as sem_video_audio counts
  const uint8_t *data;
  int size, damaged; // damaged or cut off, by the container
  int64_t duration;  // nanoseconds; 0 unknown
  int64_t end;       // nanoseconds from the beginning of the file; 0 unknown
} sem_sound_packet;

// sem_sound_next gives the next packet. It returns SEM_VIDEO_END at the end, and
// SEM_VIDEO_DAMAGED where nothing behind can be read, or there is far more than the file
// can hold.
int sem_sound_next(sem_video *v, sem_sound_packet *out);

// A copy of one audio stream as a Matroska file, without decoding.
typedef struct sem_copy sem_copy;

// sem_copy_start begins the copy of the stream-th audio stream of what sem_sound_open has
// opened; nothing of that may be read before or beside it.
int sem_copy_start(sem_video *v, int stream, sem_copy **out, char *why, size_t why_size);

// sem_copy_next puts the next packet into the copy. It returns SEM_VIDEO_END after the last
// one, when the copy is whole.
int sem_copy_next(sem_video *v, sem_copy *c, char *why, size_t why_size);

// sem_copy_take moves what has been written since into dst, at most size bytes of it, and
// returns how many these were.
size_t sem_copy_take(sem_copy *c, uint8_t *dst, size_t size);

// sem_copy_counts tells how many packets are not whole, how many there are, how long these
// last together and where the last one ends.
void sem_copy_counts(const sem_copy *c, int *damaged, int64_t *packets, int64_t *length, int64_t *end);

void sem_copy_close(sem_copy *c);

// sem_video_start opens the decoder.
int sem_video_start(sem_video *v, int threads, int keyframes, char *why, size_t why_size);

// sem_video_next decodes the next frame in the order of showing.
int sem_video_next(sem_video *v, sem_video_frame *out);

// sem_video_rgb writes the present frame as RGB of a size: averaging areas, or, smooth,
// as ffmpeg's own scaling does by default. Rows and buffer need 64 bytes of room behind
// their end, which vector code may write.
int sem_video_rgb(sem_video *v, uint8_t *rgb, int stride, int width, int height, int smooth);

// sem_video_gray writes how bright the present frame is, in a grid of cells, row by row:
// of points in each cell, which costs little however large the frame.
int sem_video_gray(sem_video *v, uint8_t *gray, int columns, int rows);

// sem_video_counts tells how many packets did not decode, and of the reading: whether
// it failed, ended before the size that the file had, or was sent behind its end.
void sem_video_counts(const sem_video *v, int64_t *bad_packets, int *read_error, int *short_read, int *beyond);

void sem_video_close(sem_video *v);

#endif
