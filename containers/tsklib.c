//go:build cgo && native

#define _DEFAULT_SOURCE
#include "tsklib.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <tsk/libtsk.h>
#include <tsk/pool/tsk_pool.h>

#include "_cgo_export.h"

// Every function that is called; a header gives its type.
#define TSK(X)                                                                                                  \
  X(tsk_version_get_str) X(tsk_error_get_errno) X(tsk_error_get_errstr) X(tsk_error_reset) X(tsk_img_open_external) \
  X(tsk_img_close) X(tsk_vs_open) X(tsk_vs_close) X(tsk_vs_type_toname) X(tsk_fs_open_img)      \
  X(tsk_fs_close) X(tsk_fs_type_toname) X(tsk_fs_dir_walk) X(tsk_fs_block_walk) X(tsk_fs_file_open_meta)            \
  X(tsk_fs_file_close) X(tsk_fs_file_attr_get) X(tsk_fs_file_attr_getsize) X(tsk_fs_file_attr_get_idx)              \
  X(tsk_fs_file_attr_get_type) X(tsk_fs_attr_read) X(tsk_fs_attr_run_free) X(tsk_pool_open_img_sing)                \
  X(tsk_pool_close) X(tsk_pool_unallocated_runs)

static struct {
#define FIELD(f) __typeof__(&f) f;
  TSK(FIELD)
#undef FIELD
  int loaded;
} tsk;

struct sem_disk {
  TSK_IMG_INFO img;  // first: The Sleuth Kit hands it back
  uintptr_t handle;
  unsigned sector;
  const TSK_POOL_INFO *pool;  // the container that was opened last, kept for its volumes
  int64_t pool_offset;
};

struct sem_fs {
  sem_disk *disk;
  TSK_FS_INFO *fs;
  const TSK_POOL_INFO *pool;
  TSK_IMG_INFO *img;  // of a volume of the pool
  int last;  // the only or last volume of a pool
};

struct sem_file {
  TSK_FS_FILE *file;
  const TSK_FS_ATTR *attr;
};

int sem_tsk_load(char *version, size_t size) {
  if (!tsk.loaded) {
    void *h = dlopen("libtsk.so.19", RTLD_LAZY | RTLD_LOCAL);
    if (h == NULL) {
      snprintf(version, size, "%s", dlerror());
      return SEM_TSK_NO_LIBRARY;
    }
#define LOAD(f)                                              \
  if ((tsk.f = (__typeof__(&f))dlsym(h, #f)) == NULL) {      \
    snprintf(version, size, "there is no " #f);              \
    return SEM_TSK_NO_LIBRARY;                               \
  }
    TSK(LOAD)
#undef LOAD
    tsk.loaded = 1;
  }
  snprintf(version, size, "%s", tsk.tsk_version_get_str());
  return SEM_TSK_OK;
}

// explain takes what went wrong in the call before, on the thread that made it.
static int explain(char *why, size_t size) {
  const char *s = tsk.tsk_error_get_errno() == 0 ? "" : tsk.tsk_error_get_errstr();
  snprintf(why, size, "%s", s == NULL ? "" : s);
  tsk.tsk_error_reset();
  return SEM_TSK_FAILED;
}

static ssize_t read_device(TSK_IMG_INFO *img, TSK_OFF_T off, char *buf, size_t n) {
  return semDiskRead(((sem_disk *)img)->handle, off, buf, n);
}

static void close_device(TSK_IMG_INFO *img) { (void)img; }

static void say_device(TSK_IMG_INFO *img, FILE *f) { (void)img, (void)f; }

int sem_disk_open(uintptr_t handle, int64_t size, unsigned sector, sem_disk **out) {
  sem_disk *d = *out = calloc(1, sizeof *d);
  if (d == NULL) return SEM_TSK_NO_MEMORY;
  d->handle = handle;
  d->sector = sector;
  if (tsk.tsk_img_open_external(d, size, sector, read_device, close_device, say_device) == NULL) {
    tsk.tsk_error_reset();
    free(d);
    *out = NULL;
    return SEM_TSK_NO_MEMORY;
  }
  return SEM_TSK_OK;
}

void sem_disk_close(sem_disk *d) {
  if (d == NULL) return;
  if (d->pool != NULL) tsk.tsk_pool_close(d->pool);
  tsk.tsk_img_close(&d->img);
  free(d);
}

// whole_blocks bounds what a superblock claims, so that bytes can be counted.
static int64_t whole_blocks(const TSK_FS_INFO *fs) {
  const TSK_DADDR_T most = fs->block_size == 0 ? 0 : INT64_MAX / 4 / fs->block_size;
  return (int64_t)(fs->last_block < most ? fs->last_block + 1 : most);
}

static TSK_VS_INFO *open_table(sem_disk *d, int guess) {
  const TSK_VS_TYPE_ENUM kinds[] = {TSK_VS_TYPE_DETECT, TSK_VS_TYPE_GPT, TSK_VS_TYPE_DOS, TSK_VS_TYPE_MAC, TSK_VS_TYPE_BSD, TSK_VS_TYPE_SUN};
  for (size_t i = 0; i < (guess ? sizeof kinds / sizeof *kinds : 1); i++) {
    TSK_VS_INFO *vs = tsk.tsk_vs_open(&d->img, 0, kinds[i]);
    if (vs != NULL) return vs;
    tsk.tsk_error_reset();
  }
  return NULL;
}

int sem_disk_volumes(sem_disk *d, int guess, sem_volume **out, size_t *n, char *type, size_t type_size, int *backup) {
  const TSK_OFF_T size = d->img.size;
  if (guess == 2) d->img.size = INT64_MAX / 4;  // The Sleuth Kit refuses tables that point behind the end
  TSK_VS_INFO *vs = open_table(d, guess);
  d->img.size = size;
  *out = NULL, *n = 0;
  if (vs == NULL) return SEM_TSK_NONE;
  snprintf(type, type_size, "%s", tsk.tsk_vs_type_toname(vs->vstype));
  *backup = vs->is_backup;
  size_t all = 0;
  for (const TSK_VS_PART_INFO *p = vs->part_list; p != NULL; p = p->next) all++;
  sem_volume *list = calloc(all + 1, sizeof *list);
  if (list == NULL) {
    tsk.tsk_vs_close(vs);
    return SEM_TSK_NO_MEMORY;
  }
  for (const TSK_VS_PART_INFO *p = vs->part_list; p != NULL; p = p->next) {
    sem_volume *v = &list[(*n)++];
    if (p->start > INT64_MAX / 2 / vs->block_size || p->len > INT64_MAX / 2 / vs->block_size) {
      (*n)--;
      continue;
    }
    v->start = (int64_t)vs->offset + (int64_t)p->start * vs->block_size;
    v->size = (int64_t)p->len * vs->block_size;
    v->kind = p->flags & TSK_VS_PART_FLAG_META ? SEM_VOLUME_TABLE : p->flags & TSK_VS_PART_FLAG_ALLOC ? SEM_VOLUME_USED : SEM_VOLUME_UNUSED;
    snprintf(v->what, sizeof v->what, "%s", p->desc == NULL ? "" : p->desc);
  }
  tsk.tsk_vs_close(vs);
  *out = list;
  return SEM_TSK_OK;
}

// open_type opens a file system of whichever type fits. Where several do, each is
// tried, what has the stronger signature first.
static TSK_FS_INFO *open_type(sem_disk *d, int64_t offset, char *why, size_t why_size) {
  const TSK_FS_TYPE_ENUM types[] = {TSK_FS_TYPE_DETECT,     TSK_FS_TYPE_NTFS_DETECT, TSK_FS_TYPE_EXT_DETECT, TSK_FS_TYPE_HFS_DETECT,
                                    TSK_FS_TYPE_FAT_DETECT, TSK_FS_TYPE_FFS_DETECT,  TSK_FS_TYPE_ISO9660_DETECT};
  for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
    TSK_FS_INFO *fs = tsk.tsk_fs_open_img(&d->img, offset, types[i]);
    if (fs != NULL) return fs;
    if (i == 0)
      explain(why, why_size);
    else
      tsk.tsk_error_reset();
  }
  return NULL;
}

static int open_pool(sem_disk *d, int64_t offset) {
  if (d->pool != NULL && d->pool_offset == offset) return 1;
  if (d->pool != NULL) tsk.tsk_pool_close(d->pool);
  d->pool = tsk.tsk_pool_open_img_sing(&d->img, offset, TSK_POOL_TYPE_APFS);
  d->pool_offset = offset;
  if (d->pool == NULL) tsk.tsk_error_reset();
  return d->pool != NULL;
}

static TSK_POOL_VOLUME_INFO *pool_volume(const TSK_POOL_INFO *pool, int index) {
  TSK_POOL_VOLUME_INFO *v = pool->vol_list;
  while (v != NULL && index-- > 0) v = v->next;
  return v;
}

static int is_zoned(TSK_FS_TYPE_ENUM type) {
  return !TSK_FS_TYPE_ISFAT(type) && !TSK_FS_TYPE_ISISO9660(type) && type != TSK_FS_TYPE_HFS_LEGACY;
}

static void describe(sem_fs *f, sem_fs_info *info) {
  TSK_FS_INFO *fs = f->fs;
  snprintf(info->type, sizeof info->type, "%s", tsk.tsk_fs_type_toname(fs->ftype));
  info->first_block = (int64_t)fs->first_block;
  info->blocks = (int64_t)fs->last_block_act + 1;
  info->all_blocks = whole_blocks(fs);
  info->block_size = fs->block_size;
  info->offset = f->pool == NULL ? fs->offset : (int64_t)f->pool->img_offset;
  info->direct = f->pool == NULL && fs->block_pre_size == 0 && fs->block_post_size == 0 && fs->ftype != TSK_FS_TYPE_YAFFS2;
  info->zoned = is_zoned(fs->ftype);
  info->encrypted = (fs->flags & TSK_FS_INFO_FLAG_ENCRYPTED) != 0;
}

int sem_fs_open(sem_disk *d, int64_t offset, int index, sem_fs **out, sem_fs_info *info, char *why, size_t why_size) {
  memset(info, 0, sizeof *info);
  sem_fs *f = *out = calloc(1, sizeof *f);
  if (f == NULL) return SEM_TSK_NO_MEMORY;
  f->disk = d;
  if (index == 0) f->fs = open_type(d, offset, why, why_size);
  if (f->fs == NULL && open_pool(d, offset)) {
    TSK_POOL_VOLUME_INFO *v = pool_volume(d->pool, index);
    if (v == NULL) return SEM_TSK_NONE;
    f->pool = d->pool;
    f->last = v->next == NULL;
    snprintf(info->type, sizeof info->type, "apfs");
    info->encrypted = (v->flags & TSK_POOL_VOLUME_FLAG_ENCRYPTED) != 0;
    f->img = d->pool->get_img_info(d->pool, v->block);
    if (f->img != NULL) f->fs = tsk.tsk_fs_open_img(f->img, d->pool->img_offset, TSK_FS_TYPE_APFS);
    if (f->fs == NULL) return explain(why, why_size);
  }
  if (f->fs == NULL) return index == 0 ? SEM_TSK_FAILED : SEM_TSK_NONE;
  int encrypted = info->encrypted;
  describe(f, info);
  info->encrypted |= encrypted;
  return SEM_TSK_OK;
}

void sem_fs_close(sem_fs *f) {
  if (f == NULL) return;
  if (f->fs != NULL) tsk.tsk_fs_close(f->fs);
  if (f->img != NULL) tsk.tsk_img_close(f->img);
  free(f);
}

static int kind_of(const TSK_FS_FILE *f) {
  if (f->name->type == TSK_FS_NAME_TYPE_VIRT || f->name->type == TSK_FS_NAME_TYPE_VIRT_DIR) return SEM_KIND_VIRTUAL;
  if (f->meta != NULL) {
    switch (f->meta->type) {
      case TSK_FS_META_TYPE_REG: return SEM_KIND_FILE;
      case TSK_FS_META_TYPE_DIR: return SEM_KIND_FOLDER;
      case TSK_FS_META_TYPE_LNK: return SEM_KIND_LINK;
      case TSK_FS_META_TYPE_VIRT:
      case TSK_FS_META_TYPE_VIRT_DIR: return SEM_KIND_VIRTUAL;
      case TSK_FS_META_TYPE_UNDEF: break;
      default: return SEM_KIND_OTHER;
    }
  }
  switch (f->name->type) {
    case TSK_FS_NAME_TYPE_DIR: return SEM_KIND_FOLDER;
    case TSK_FS_NAME_TYPE_LNK: return SEM_KIND_LINK;
    case TSK_FS_NAME_TYPE_REG:
    case TSK_FS_NAME_TYPE_UNDEF: return SEM_KIND_FILE;
    default: return SEM_KIND_OTHER;
  }
}

// is_stream reports whether an attribute is content beside the usual one.
static int is_stream(const TSK_FS_FILE *f, const TSK_FS_ATTR *a) {
  if (a->name == NULL || a->name[0] == 0 || a->size <= 0) return 0;
  if (TSK_FS_TYPE_ISNTFS(f->fs_info->ftype)) return a->type == TSK_FS_ATTR_TYPE_NTFS_DATA;
  return a->type == TSK_FS_ATTR_TYPE_HFS_RSRC && !(f->meta->flags & TSK_FS_META_FLAG_COMP);
}

typedef struct {
  uintptr_t handle;
} walk;

static TSK_WALK_RET_ENUM on_name(TSK_FS_FILE *f, const char *path, void *p) {
  uintptr_t handle = ((walk *)p)->handle;
  if (f->name == NULL || f->name->name == NULL || TSK_FS_ISDOT(f->name->name)) return TSK_WALK_CONT;
  sem_name n = {.path = path, .name = f->name->name, .inode = f->name->meta_addr, .kind = kind_of(f)};
  n.unlisted = (f->name->flags & TSK_FS_NAME_FLAG_UNALLOC) != 0;
  if (f->meta != NULL) n.state = f->meta->flags & TSK_FS_META_FLAG_UNALLOC ? SEM_META_UNUSED : SEM_META_USED;
  int has_streams = f->meta != NULL && (TSK_FS_TYPE_ISNTFS(f->fs_info->ftype) || TSK_FS_TYPE_ISHFS(f->fs_info->ftype) || f->fs_info->ftype == TSK_FS_TYPE_APFS);
  if (semName(handle, &n) != 0) return TSK_WALK_STOP;
  if (!has_streams || n.kind == SEM_KIND_VIRTUAL) return TSK_WALK_CONT;
  int count = tsk.tsk_fs_file_attr_getsize(f);
  for (int i = 0; i < count && i < 256; i++) {
    const TSK_FS_ATTR *a = tsk.tsk_fs_file_attr_get_idx(f, i);
    if (a == NULL || !is_stream(f, a)) continue;
    sem_name s = n;
    s.kind = SEM_KIND_FILE;
    s.stream = a->name;
    s.type = a->type;
    s.id = a->id;
    if (semName(handle, &s) != 0) return TSK_WALK_STOP;
  }
  tsk.tsk_error_reset();
  return TSK_WALK_CONT;
}

int sem_fs_walk(sem_fs *f, uintptr_t handle, char *why, size_t why_size) {
  walk w = {handle};
  TSK_FS_DIR_WALK_FLAG_ENUM flags = TSK_FS_DIR_WALK_FLAG_ALLOC | TSK_FS_DIR_WALK_FLAG_UNALLOC | TSK_FS_DIR_WALK_FLAG_RECURSE;
  if (tsk.tsk_fs_dir_walk(f->fs, f->fs->root_inum, flags, on_name, &w)) return explain(why, why_size);
  tsk.tsk_error_reset();
  return SEM_TSK_OK;
}

typedef struct {
  uintptr_t handle;
  int64_t offset, block, start, end;
} gather;

static int flush(gather *g) {
  int stop = g->end > g->start && semRange(g->handle, g->start, g->end) != 0;
  g->start = g->end = 0;
  return stop;
}

static TSK_WALK_RET_ENUM on_block(const TSK_FS_BLOCK *b, void *p) {
  gather *g = p;
  int64_t at = g->offset + (int64_t)b->addr * g->block;
  if (at != g->end || g->end == 0) {
    if (flush(g)) return TSK_WALK_STOP;
    g->start = at;
  }
  g->end = at + g->block;
  return TSK_WALK_CONT;
}

static int free_of_pool(sem_fs *f, gather *g, char *why, size_t why_size) {
  TSK_FS_ATTR_RUN *runs = tsk.tsk_pool_unallocated_runs(f->pool);
  if (runs == NULL) return explain(why, why_size);
  for (TSK_FS_ATTR_RUN *r = runs; r != NULL; r = r->next) {
    g->start = g->offset + (int64_t)r->addr * g->block;
    g->end = g->start + (int64_t)r->len * g->block;
    if (flush(g)) break;
  }
  tsk.tsk_fs_attr_run_free(runs);
  return SEM_TSK_OK;
}

int sem_fs_free(sem_fs *f, uintptr_t handle, char *why, size_t why_size) {
  gather g = {.handle = handle, .block = f->fs->block_size, .offset = f->pool == NULL ? f->fs->offset : (int64_t)f->pool->img_offset};
  if (f->pool != NULL) return f->last ? free_of_pool(f, &g, why, why_size) : SEM_TSK_OK;
  TSK_FS_BLOCK_WALK_FLAG_ENUM flags = TSK_FS_BLOCK_WALK_FLAG_UNALLOC | TSK_FS_BLOCK_WALK_FLAG_META | TSK_FS_BLOCK_WALK_FLAG_CONT | TSK_FS_BLOCK_WALK_FLAG_AONLY;
  uint8_t failed = tsk.tsk_fs_block_walk(f->fs, f->fs->first_block, f->fs->last_block_act, flags, on_block, &g);
  flush(&g);
  if (failed) return explain(why, why_size);
  tsk.tsk_error_reset();
  return SEM_TSK_OK;
}

// wall_clock undoes that The Sleuth Kit took local time for that of this machine.
static int64_t wall_clock(int64_t seconds) {
  time_t t = seconds;
  struct tm tm;
  return seconds == 0 || localtime_r(&t, &tm) == NULL ? 0 : timegm(&tm);
}

static void times_of(const TSK_FS_FILE *f, sem_meta *m) {
  const TSK_FS_META *t = f->meta;
  TSK_FS_TYPE_ENUM type = f->fs_info->ftype;
  m->seconds[0] = t->mtime, m->nanos[0] = t->mtime_nano;
  m->seconds[1] = t->atime, m->nanos[1] = t->atime_nano;
  m->seconds[2] = t->ctime, m->nanos[2] = t->ctime_nano;
  m->seconds[3] = t->crtime, m->nanos[3] = t->crtime_nano;
  if (!is_zoned(type))
    for (int i = 0; i < SEM_TIMES; i++) m->seconds[i] = wall_clock(m->seconds[i]);
  if (TSK_FS_TYPE_ISEXT(type)) m->seconds[4] = t->time2.ext2.dtime, m->nanos[4] = t->time2.ext2.dtime_nano;
  if (!TSK_FS_TYPE_ISNTFS(type)) return;
  m->name_seconds[0] = t->time2.ntfs.fn_mtime, m->name_nanos[0] = (uint32_t)t->time2.ntfs.fn_mtime_nano;
  m->name_seconds[1] = t->time2.ntfs.fn_atime, m->name_nanos[1] = (uint32_t)t->time2.ntfs.fn_atime_nano;
  m->name_seconds[2] = t->time2.ntfs.fn_ctime, m->name_nanos[2] = (uint32_t)t->time2.ntfs.fn_ctime_nano;
  m->name_seconds[3] = t->time2.ntfs.fn_crtime, m->name_nanos[3] = (uint32_t)t->time2.ntfs.fn_crtime_nano;
}

// count_others looks at the blocks of a deleted file, at most so many.
static void count_others(const TSK_FS_FILE *f, const TSK_FS_ATTR *a, sem_meta *m) {
  const int64_t most = 1 << 14;
  for (const TSK_FS_ATTR_RUN *r = a->nrd.run; r != NULL; r = r->next) {
    if (r->flags & (TSK_FS_ATTR_RUN_FLAG_FILLER | TSK_FS_ATTR_RUN_FLAG_SPARSE)) continue;
    for (TSK_DADDR_T i = 0; i < r->len && m->blocks < most; i++) {
      TSK_DADDR_T addr = r->addr + i;
      if (addr > f->fs_info->last_block_act) return;
      m->blocks++;
      m->others += (f->fs_info->block_getflags(f->fs_info, addr) & TSK_FS_BLOCK_FLAG_ALLOC) != 0;
    }
  }
}

static void content_of(sem_file *s, sem_meta *m) {
  const TSK_FS_ATTR *a = s->attr;
  m->size = a->size;
  m->resident = (a->flags & TSK_FS_ATTR_RES) != 0;
  m->compressed = (a->flags & TSK_FS_ATTR_COMP) != 0;
  m->encrypted = (a->flags & TSK_FS_ATTR_ENC) != 0;
  if (!(a->flags & TSK_FS_ATTR_NONRES)) return;
  for (const TSK_FS_ATTR_RUN *r = a->nrd.run; r != NULL && m->runs < INT32_MAX; r = r->next) {
    m->runs++;
    if (r->flags & TSK_FS_ATTR_RUN_FLAG_ENCRYPTED) m->encrypted = 1;
  }
  m->plain = a->r == NULL && !m->compressed && !m->encrypted && !m->resident;
  m->initialized = a->nrd.initsize;
  m->skip = a->nrd.skiplen;
  if (m->unused) count_others(s->file, a, m);
}

int sem_file_open(sem_fs *f, uint64_t inode, uint16_t type, uint16_t id, sem_file **out, sem_meta *m, char *why, size_t why_size) {
  memset(m, 0, sizeof *m);
  sem_file *s = *out = calloc(1, sizeof *s);
  if (s == NULL) return SEM_TSK_NO_MEMORY;
  s->file = tsk.tsk_fs_file_open_meta(f->fs, NULL, inode);
  if (s->file == NULL || s->file->meta == NULL) return explain(why, why_size);
  const TSK_FS_META *t = s->file->meta;
  m->size = t->size;
  m->unused = (t->flags & TSK_FS_META_FLAG_UNALLOC) != 0;
  times_of(s->file, m);
  if (t->link != NULL) snprintf(m->link, sizeof m->link, "%s", t->link);
  if (t->type == TSK_FS_META_TYPE_LNK) return SEM_TSK_OK;
  s->attr = type == 0 ? tsk.tsk_fs_file_attr_get(s->file) : tsk.tsk_fs_file_attr_get_type(s->file, type, id, 1);
  if (s->attr == NULL) {
    explain(why, why_size);
    return SEM_TSK_NONE;
  }
  content_of(s, m);
  tsk.tsk_error_reset();
  return SEM_TSK_OK;
}

size_t sem_file_runs(sem_file *f, sem_run *out, size_t n) {
  size_t i = 0;
  for (const TSK_FS_ATTR_RUN *r = f->attr->nrd.run; r != NULL && i < n; r = r->next, i++) {
    int zeros = r->flags & (TSK_FS_ATTR_RUN_FLAG_FILLER | TSK_FS_ATTR_RUN_FLAG_SPARSE);
    out[i] = (sem_run){(int64_t)r->offset, zeros ? -1 : (int64_t)r->addr, (int64_t)r->len};
  }
  return i;
}

int64_t sem_file_read(sem_file *f, int64_t offset, char *buf, size_t n, char *why, size_t why_size) {
  ssize_t got = tsk.tsk_fs_attr_read(f->attr, offset, buf, n, TSK_FS_FILE_READ_FLAG_NONE);
  if (got < 0) return explain(why, why_size);
  return got;
}

void sem_file_close(sem_file *f) {
  if (f == NULL) return;
  if (f->file != NULL) tsk.tsk_fs_file_close(f->file);
  free(f);
}
