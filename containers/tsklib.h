// The part of The Sleuth Kit that is used, loaded when the first disk image comes and not
// before: with it a process loads some forty shared objects.
#ifndef SEM_TSKLIB_H
#define SEM_TSKLIB_H

#include <stddef.h>
#include <stdint.h>

typedef struct sem_disk sem_disk;
typedef struct sem_fs sem_fs;
typedef struct sem_file sem_file;

// A volume of the device.
typedef struct {
  int64_t start, size;  // bytes
  int kind;             // SEM_VOLUME_*
  char what[96];        // what the table calls it
} sem_volume;

enum { SEM_VOLUME_USED = 1, SEM_VOLUME_UNUSED = 2, SEM_VOLUME_TABLE = 3 };

// A file system.
typedef struct {
  char type[32];
  int64_t first_block, blocks, block_size, offset;  // offset of block 0 in the device, bytes
  int64_t all_blocks;  // those included that lie behind the end of the device
  int direct;     // blocks lie in the device as they are
  int zoned;      // its times are UTC; else local without a zone
  int encrypted;
} sem_fs_info;

// A name in a file system, or a further stream of one.
typedef struct {
  const char *path, *name, *stream;  // path ends with a slash; stream: NULL for the content itself
  uint64_t inode;
  uint16_t type, id;  // of the attribute that holds the content; 0: the usual one
  int kind;           // SEM_KIND_*
  int unlisted;       // the name is not in use
  int state;          // SEM_META_*
} sem_name;

enum { SEM_KIND_OTHER, SEM_KIND_FILE, SEM_KIND_FOLDER, SEM_KIND_LINK, SEM_KIND_VIRTUAL };
enum { SEM_META_NONE, SEM_META_USED, SEM_META_UNUSED };

enum { SEM_TIMES = 5, SEM_NAME_TIMES = 4 };

// What an inode says.
typedef struct {
  int64_t size;
  int64_t seconds[SEM_TIMES];  // modified, accessed, changed, created, deleted; 0: not kept
  uint32_t nanos[SEM_TIMES];
  int64_t name_seconds[SEM_NAME_TIMES];  // NTFS: the same of $FILE_NAME
  uint32_t name_nanos[SEM_NAME_TIMES];
  int unused, resident, compressed, encrypted;
  int plain;              // the content is what the runs say
  int64_t initialized;    // bytes of it that were ever written; the rest is zeros
  int64_t skip;           // bytes before the content in the first run
  int64_t runs;
  int64_t blocks, others; // of the runs that were looked at, those that are in use, meaning: by another file, once this one is deleted
  char link[256];
} sem_meta;

typedef struct {
  int64_t offset, addr, len;  // blocks; addr -1: zeros
} sem_run;

enum { SEM_TSK_OK = 0, SEM_TSK_NO_LIBRARY = -1, SEM_TSK_NO_MEMORY = -2, SEM_TSK_NONE = -3, SEM_TSK_FAILED = -4 };

int sem_tsk_load(char *version, size_t size);

// sem_disk_open makes a device of what semDiskRead(handle, ...) reads.
int sem_disk_open(uintptr_t handle, int64_t size, unsigned sector, sem_disk **out);
void sem_disk_close(sem_disk *d);

// sem_disk_volumes lists volumes in their order in the device, and calls the kind of
// table. SEM_TSK_NONE: there is no table. With guess, tables count that boot sectors of
// file systems pass for; where it is 2, also those whose volumes begin behind the end of
// the device.
int sem_disk_volumes(sem_disk *d, int guess, sem_volume **out, size_t *n, char *type, size_t type_size, int *backup);

// sem_fs_open opens the file system that begins at offset; type names one when several
// fit. index: of an APFS container, the volume in it; SEM_TSK_NONE behind the last.
int sem_fs_open(sem_disk *d, int64_t offset, int index, sem_fs **out, sem_fs_info *info, char *why, size_t why_size);
void sem_fs_close(sem_fs *f);

// sem_fs_walk calls semName(handle, ...) for every name, sem_fs_free semRange(handle,
// start, end) for every stretch of blocks that nothing uses, in bytes of the device.
int sem_fs_walk(sem_fs *f, uintptr_t handle, char *why, size_t why_size);
int sem_fs_free(sem_fs *f, uintptr_t handle, char *why, size_t why_size);

// sem_file_open opens the content of an inode.
int sem_file_open(sem_fs *f, uint64_t inode, uint16_t type, uint16_t id, sem_file **out, sem_meta *meta, char *why, size_t why_size);
// sem_file_runs writes at most n runs, in order.
size_t sem_file_runs(sem_file *f, sem_run *out, size_t n);
int64_t sem_file_read(sem_file *f, int64_t offset, char *buf, size_t n, char *why, size_t why_size);
void sem_file_close(sem_file *f);

#endif
