#include "store/text_heap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"

enum {
    KEPT = 16,            /* collections in memory: HDF5 itself fills up to 16 at a time */
    TIMES_OVER = 64,      /* how often the file's bytes may be read as collections */
    HEADER_BYTES = 16,    /* of a collection, and of an object in it */
    SMALLEST_BYTES = 4096 /* of a collection */
};

typedef struct collection {
    uint64_t address; /* 0: none */
    uint8_t *bytes;
    size_t size;
    uint32_t *at; /* [n]: where the object of an index stands; 0: nowhere */
    size_t n;
} collection;

struct pl__text_heap {
    int fd;
    const char *where;
    uint64_t file_bytes, left_bytes;
    collection kept[KEPT];
    size_t next;
};

static uint64_t number(const uint8_t *bytes, size_t size)
{
    uint64_t value = 0;
    memcpy(&value, bytes, size); /* little-endian, like the machine */
    return value;
}

pl_status pl__text_heap_open(pl__text_heap **out, const char *where)
{
    struct stat st;
    PL_TRY(pl_new(out, 1));
    pl__text_heap *heap = *out;
    heap->where = where;
    heap->fd = open(where, O_RDONLY | O_CLOEXEC);
    if (heap->fd >= 0 && fstat(heap->fd, &st) == 0) {
        heap->file_bytes = (uint64_t)st.st_size;
        if (__builtin_mul_overflow(heap->file_bytes, (uint64_t)TIMES_OVER, &heap->left_bytes))
            heap->left_bytes = UINT64_MAX;
        return PL_OK;
    }
    pl_status status = pl_fail(PL_E_IO, "%s: cannot open: %s", where, strerror(errno));
    pl__text_heap_close(heap);
    *out = NULL;
    return status;
}

static void forget(collection *c)
{
    free(c->bytes);
    free(c->at);
    *c = (collection){0};
}

void pl__text_heap_close(pl__text_heap *heap)
{
    if (!heap) return;
    for (size_t i = 0; i < KEPT; i++) forget(&heap->kept[i]);
    if (heap->fd >= 0) close(heap->fd);
    free(heap);
}

pl_status pl__text_heap_read(pl__text_heap *heap, void *out, size_t size, uint64_t address)
{
    if (address > heap->file_bytes || size > heap->file_bytes - address)
        return pl_fail(PL_E_INPUT, "%s: damaged: %zu bytes at %llu are beyond its end", heap->where, size,
                       (unsigned long long)address);
    for (size_t done = 0; done < size;) {
        ssize_t n = pread(heap->fd, (char *)out + done, size - done, (off_t)(address + done));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return pl_fail(PL_E_IO, "%s: cannot read: %s", heap->where, strerror(errno));
        if (n == 0) return pl_fail(PL_E_INPUT, "%s: damaged: it became shorter while it was read", heap->where);
        done += (size_t)n;
    }
    return PL_OK;
}

static pl_status damaged(const pl__text_heap *heap, uint64_t address, const char *what)
{
    return pl_fail(PL_E_INPUT, "%s: damaged: text heap at byte %llu: %s", heap->where, (unsigned long long)address,
                   what);
}

/* Objects stand one after another, each {index 2, count 2, nothing 4, size 8, its bytes, up to a multiple of 8}; index
 * 0 is the free space behind them. */
static pl_status index_objects(collection *c, const pl__text_heap *heap, uint64_t address)
{
    for (int fill = 0; fill < 2; fill++) {
        for (size_t at = HEADER_BYTES; c->size - at >= HEADER_BYTES;) {
            size_t index = (size_t)number(c->bytes + at, 2), size = (size_t)number(c->bytes + at + 8, 8),
                   room = c->size - at - HEADER_BYTES;
            if (index == 0) break;
            if (size > room) return damaged(heap, address, "an object is longer than the collection that it is in");
            if (fill)
                c->at[index] = (uint32_t)at;
            else if (index >= c->n)
                c->n = index + 1;
            size_t padded = (size + 7) & ~(size_t)7;
            at += HEADER_BYTES + (padded < room ? padded : room);
        }
        if (!fill) PL_TRY(pl_new(&c->at, c->n));
    }
    return PL_OK;
}

static pl_status load(collection *c, pl__text_heap *heap, uint64_t address)
{
    uint8_t header[HEADER_BYTES];
    PL_TRY(pl__text_heap_read(heap, header, sizeof header, address));
    uint64_t size = number(header + 8, 8);
    if (memcmp(header, "GCOL\1", 5) != 0) return damaged(heap, address, "expected a collection of texts");
    if (size < SMALLEST_BYTES || size > heap->file_bytes - address || size > UINT32_MAX)
        return damaged(heap, address, "a collection of a size that cannot be");
    if (size > heap->left_bytes) return damaged(heap, address, "collections are named over and over");
    heap->left_bytes -= size;
    c->size = (size_t)size;
    PL_TRY(pl_new(&c->bytes, c->size));
    PL_TRY(pl__text_heap_read(heap, c->bytes, c->size, address));
    PL_TRY(index_objects(c, heap, address));
    c->address = address;
    return PL_OK;
}

static pl_status find(const collection **out, pl__text_heap *heap, uint64_t address)
{
    for (size_t i = 0; i < KEPT; i++) {
        *out = &heap->kept[i];
        if ((*out)->address == address) return PL_OK;
    }
    collection *c = &heap->kept[heap->next++ % KEPT];
    forget(c);
    *out = c;
    pl_status status = load(c, heap, address);
    if (status != PL_OK) forget(c);
    return status;
}

pl_status pl__text_heap_get(pl__text_heap *heap, const char **text, size_t *size,
                            const uint8_t reference[PL__REFERENCE_BYTES])
{
    const collection *c;
    uint64_t length = number(reference, 4), address = number(reference + 4, 8), index = number(reference + 12, 4);
    *text = "";
    *size = 0;
    if (length == 0 || address == 0) return PL_OK;
    PL_TRY(find(&c, heap, address));
    size_t at = index < c->n ? c->at[index] : 0;
    if (at == 0) return damaged(heap, address, "a text names an object that is not there");
    if (length > number(c->bytes + at + 8, 8)) return damaged(heap, address, "a text is longer than its object");
    *text = (const char *)c->bytes + at + HEADER_BYTES;
    *size = (size_t)length;
    return PL_OK;
}
