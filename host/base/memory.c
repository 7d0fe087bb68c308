#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/visible.h"

void pl_out_of_memory(const char *what)
{
    /* No buffer, no lock: whoever runs out may be inside anything. One write, so that two threads' lines stay whole. */
    char text[1024], line[1100];
    pl_visible_text(text, sizeof text, what);
    int n = snprintf(line, sizeof line, "plumb: out of memory: %s\n", text);
    ssize_t written = write(STDERR_FILENO, line, n > 0 ? (size_t)n : 0);
    (void)written;
    _exit(1);
}

pl_status pl_mul_size(size_t *out, size_t a, size_t b, const char *what)
{
    if (__builtin_mul_overflow(a, b, out))
        return pl_fail(PL_E_INPUT, "%s: %zu x %zu does not fit in memory", what, a, b);
    return PL_OK;
}

size_t pl_size_product(size_t a, size_t b)
{
    size_t out;
    return __builtin_mul_overflow(a, b, &out) ? SIZE_MAX : out;
}

size_t pl_size_sum(size_t a, size_t b)
{
    return a > SIZE_MAX - b ? SIZE_MAX : a + b;
}

pl_status pl_new_bytes(void **out, size_t n, size_t element_bytes)
{
    *out = NULL;
    size_t bytes;
    PL_TRY(pl_mul_size(&bytes, n, element_bytes, "array"));
    *out = calloc(bytes ? bytes : 1, 1);
    if (!*out) return pl_fail(PL_E_MEMORY, "out of memory: %zu bytes were asked for", bytes);
    return PL_OK;
}

pl_status pl_grow_bytes(void **array, size_t *capacity, size_t needed, size_t element_bytes)
{
    if (needed <= *capacity && *array) return PL_OK;
    size_t target = *capacity ? *capacity : 16, bytes;
    while (target < needed) {
        if (target > SIZE_MAX / 2) return pl_fail(PL_E_MEMORY, "out of memory: %zu elements were asked for", needed);
        target *= 2;
    }
    PL_TRY(pl_mul_size(&bytes, target, element_bytes, "array"));
    void *grown = realloc(*array, bytes);
    if (!grown) return pl_fail(PL_E_MEMORY, "out of memory: %zu bytes were asked for", bytes);
    memset((char *)grown + *capacity * element_bytes, 0, bytes - *capacity * element_bytes);
    *array = grown;
    *capacity = target;
    return PL_OK;
}

pl_status pl_copy_text(char **out, const char *text)
{
    *out = strdup(text);
    return *out ? PL_OK : pl_fail(PL_E_MEMORY, "out of memory: %zu bytes were asked for", strlen(text) + 1);
}

pl_status pl_bytes_append(pl_bytes *b, const void *data, size_t size)
{
    if (size > SIZE_MAX - b->size - 1) return pl_fail(PL_E_MEMORY, "out of memory: a text of %zu bytes", size);
    if (b->size + size >= b->capacity) PL_TRY(pl_grow(&b->data, &b->capacity, b->size + size + 1));
    if (size) memcpy(b->data + b->size, data, size);
    b->size += size;
    b->data[b->size] = 0;
    return PL_OK;
}

pl_status pl_bytes_text(pl_bytes *b, const char *text)
{
    return pl_bytes_append(b, text, strlen(text));
}

pl_status pl_bytes_format(pl_bytes *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = NULL;
    int n = vasprintf(&text, format, args);
    va_end(args);
    if (n < 0) return pl_fail(PL_E_MEMORY, "out of memory while formatting text");
    pl_status status = pl_bytes_append(b, text, (size_t)n);
    free(text);
    return status;
}

void pl_bytes_clear(pl_bytes *b)
{
    b->size = 0;
    if (b->data) b->data[0] = 0;
}

void pl_bytes_free(pl_bytes *b)
{
    if (!b) return;
    free(b->data);
    *b = (pl_bytes){0};
}

/* Blocks are chained; a request larger than a block gets a block of its own. */
struct block {
    struct block *next;
    size_t used, size;
    _Alignas(16) char data[];
};

struct pl_arena {
    struct block *blocks;
};

enum { FIRST_BLOCK_BYTES = 4 * 1024, BLOCK_BYTES = 64 * 1024 }; /* blocks double: many arenas hold little */

pl_status pl_arena_create(pl_arena **out)
{
    return pl_new(out, 1);
}

pl_status pl_arena_new_bytes(pl_arena *arena, void **out, size_t n, size_t element_bytes)
{
    *out = NULL;
    size_t bytes;
    PL_TRY(pl_mul_size(&bytes, n, element_bytes, "array"));
    if (bytes > SIZE_MAX / 2) return pl_fail(PL_E_MEMORY, "out of memory: %zu bytes were asked for", bytes);
    bytes = (bytes + 15) & ~(size_t)15;
    struct block *b = arena->blocks;
    if (!b || b->size - b->used < bytes) {
        size_t size = !b ? FIRST_BLOCK_BYTES : b->size < BLOCK_BYTES / 2 ? 2 * b->size : BLOCK_BYTES;
        if (size < bytes) size = bytes;
        b = calloc(1, sizeof *b + size);
        if (!b) return pl_fail(PL_E_MEMORY, "out of memory: %zu bytes were asked for", size);
        b->size = size;
        b->next = arena->blocks;
        arena->blocks = b;
    }
    *out = b->data + b->used;
    b->used += bytes;
    return PL_OK;
}

pl_status pl_arena_text(pl_arena *arena, char **out, const char *text, size_t size)
{
    PL_TRY(pl_arena_new(arena, out, size + 1));
    if (size) memcpy(*out, text, size);
    return PL_OK;
}

pl_status pl_arena_format(pl_arena *arena, char **out, const char *format, ...)
{
    *out = NULL;
    va_list args;
    va_start(args, format);
    char *text = NULL;
    int n = vasprintf(&text, format, args);
    va_end(args);
    if (n < 0) return pl_fail(PL_E_MEMORY, "out of memory while formatting text");
    pl_status status = pl_arena_text(arena, out, text, (size_t)n);
    free(text);
    return status;
}

void pl_arena_free(pl_arena *arena)
{
    if (!arena) return;
    for (struct block *b = arena->blocks, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    free(arena);
}
