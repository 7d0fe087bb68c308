#include "base/gunzip.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

enum { PART = 256 * 1024, GZIP_WINDOW = 15 + 16 }; /* windowBits of inflateInit2: gzip's header and check are wanted */

typedef struct unpacking {
    const uint8_t *packed;
    size_t size, at; /* bytes of the file, and how many were taken */
    size_t made, most;
    int fd;
    const char *where;
    uint8_t part[PART];
} unpacking;

bool pl_is_gzip(const void *data, size_t size)
{
    return size >= 2 && memcmp(data, "\x1F\x8B", 2) == 0;
}

/* A file of no name: it ends with its last map, also when the process is killed. */
static pl_status open_nameless(int *fd, const char *where)
{
    const char *root = getenv("TMPDIR");
    char path[PL_PATH_MAX];
    if (!root || !*root) root = "/tmp";
    *fd = open(root, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (*fd >= 0) return PL_OK;
    PL_TRY(pl_path(path, "%s/plumb-XXXXXX", root)); /* a file system without O_TMPFILE */
    *fd = mkostemp(path, O_CLOEXEC);
    if (*fd < 0)
        return pl_fail(PL_E_IO, "%s: no room to unpack it in %s: %s; TMPDIR names another folder", where, root,
                       strerror(errno));
    unlink(path);
    return PL_OK;
}

static pl_status put(unpacking *u, size_t size)
{
    u->made += size;
    if (u->made > u->most)
        return pl_fail(PL_E_INPUT,
                       "%s: unpacks to more than %zu bytes, %d times its size: not the text that it should be; if it "
                       "is, unpack it: gunzip",
                       u->where, u->most, PL_GUNZIP_TIMES);
    if (pl_write_all(u->fd, u->part, size)) return PL_OK;
    return pl_fail(PL_E_IO, "%s: cannot unpack it, %zu bytes so far: %s; TMPDIR names the folder", u->where, u->made,
                   strerror(errno));
}

static pl_status refuse(const unpacking *u, const z_stream *z, int code)
{
    if (code == Z_MEM_ERROR) return pl_fail(PL_E_MEMORY, "%s: out of memory while unpacking", u->where);
    if (code == Z_BUF_ERROR || code == Z_OK)
        return pl_fail(PL_E_INPUT, "%s: ends within its gzip data: it was cut off; fetch it again", u->where);
    return pl_fail(PL_E_INPUT, "%s: byte %zu: damaged gzip data (%s); fetch it again", u->where, u->at,
                   z->msg ? z->msg : "no gzip header");
}

/* One member: header, data, check. */
static pl_status unpack_member(unpacking *u, z_stream *z)
{
    int code = Z_OK;
    while (code != Z_STREAM_END) {
        size_t left = u->size - u->at, given = left > UINT32_MAX ? UINT32_MAX : left;
        z->next_in = (z_const Bytef *)(uintptr_t)(u->packed + u->at);
        z->avail_in = (uInt)given;
        z->next_out = u->part;
        z->avail_out = PART;
        code = inflate(z, Z_NO_FLUSH);
        u->at += given - z->avail_in;
        if (code != Z_OK && code != Z_STREAM_END) return refuse(u, z, code);
        PL_TRY(put(u, PART - z->avail_out));
        if (code == Z_OK && u->at == u->size && z->avail_out) return refuse(u, z, Z_BUF_ERROR);
    }
    return PL_OK;
}

/* What stands behind a member: another one, or the zeros that fill a tape's block. */
static bool only_zeros(const unpacking *u)
{
    size_t at = u->at;
    while (at < u->size && u->packed[at] == 0) at++;
    return at == u->size;
}

static pl_status unpack_all(unpacking *u)
{
    z_stream z = {0};
    if (inflateInit2(&z, GZIP_WINDOW) != Z_OK)
        return pl_fail(PL_E_MEMORY, "%s: out of memory while unpacking", u->where);
    pl_status status = unpack_member(u, &z);
    while (status == PL_OK && !only_zeros(u)) {
        if (!pl_is_gzip(u->packed + u->at, u->size - u->at))
            status = pl_fail(PL_E_INPUT, "%s: byte %zu: other bytes behind the gzip data", u->where, u->at);
        else if (inflateReset(&z) == Z_OK)
            status = unpack_member(u, &z);
    }
    inflateEnd(&z);
    return status;
}

static pl_status map_made(pl_map *out, const unpacking *u)
{
    if (u->made == 0) return PL_OK;
    void *data = mmap(NULL, u->made, PROT_READ, MAP_SHARED, u->fd, 0);
    if (data == MAP_FAILED)
        return pl_fail(PL_E_IO, "%s: cannot map %zu unpacked bytes: %s", u->where, u->made, strerror(errno));
    out->data = data;
    out->size = u->made;
    return PL_OK;
}

pl_status pl_gunzip(pl_map *out, const void *packed, size_t size, const char *where)
{
    unpacking *u;
    *out = (pl_map){0};
    PL_TRY(pl_new(&u, 1));
    u->packed = packed;
    u->size = size;
    u->where = where;
    u->most = pl_size_product(size, PL_GUNZIP_TIMES);
    if (u->most < PL_GUNZIP_FREE_BYTES) u->most = PL_GUNZIP_FREE_BYTES;
    pl_status status = open_nameless(&u->fd, where);
    if (status == PL_OK) {
        status = unpack_all(u);
        if (status == PL_OK) status = map_made(out, u);
        close(u->fd);
    }
    free(u);
    return status;
}
