/* Memory: checked products, zeroed arrays, a growing byte buffer and an arena for parsed trees. */
#ifndef PLUMB_BASE_MEMORY_H
#define PLUMB_BASE_MEMORY_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* Says "plumb: out of memory: <what>" and ends the process with exit code 1. The one place below main.c that may end
 * it, and only for libraries that cannot be made safe otherwise: those that drop data without an error (jansson), and
 * calls whose failure nobody could tell from an answer. What is finished is kept: files appear whole, by rename, and
 * what a process leaves half done is swept by the next. Plumb's own code returns PL_E_MEMORY. */
_Noreturn void pl_out_of_memory(const char *what);

/* *out = a * b, or PL_E_INPUT naming `what` on overflow. */
pl_status pl_mul_size(size_t *out, size_t a, size_t b, const char *what);

/* a * b and a + b of sizes that are said, not allocated: SIZE_MAX where they do not fit. */
size_t pl_size_product(size_t a, size_t b);
size_t pl_size_sum(size_t a, size_t b);

/* A zeroed array of n elements; the caller owns it and frees it with free(). n == 0 gives a pointer that may be freed.
 */
pl_status pl_new_bytes(void **out, size_t n, size_t element_bytes);
#define pl_new(out, n) pl_new_bytes((void **)(out), (n), sizeof **(out))

/* Makes room for `needed` elements in *array (capacity in *capacity), growing by doubling; old content is kept. */
pl_status pl_grow_bytes(void **array, size_t *capacity, size_t needed, size_t element_bytes);
#define pl_grow(array, capacity, needed) pl_grow_bytes((void **)(array), (capacity), (needed), sizeof **(array))

/* A copy of text; the caller frees it. */
pl_status pl_copy_text(char **out, const char *text);

/* A growing run of bytes, always followed by a NUL that is not counted. Start from {0}; release with pl_bytes_free. */
typedef struct pl_bytes {
    char *data;
    size_t size, capacity;
} pl_bytes;
pl_status pl_bytes_append(pl_bytes *b, const void *data, size_t size);
pl_status pl_bytes_text(pl_bytes *b, const char *text);
pl_status pl_bytes_format(pl_bytes *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void pl_bytes_clear(pl_bytes *b); /* keeps the memory */
void pl_bytes_free(pl_bytes *b);  /* takes NULL and {0} */

/* An arena: many small allocations released at once. */
typedef struct pl_arena pl_arena;
pl_status pl_arena_create(pl_arena **out);
pl_status pl_arena_new_bytes(pl_arena *arena, void **out, size_t n, size_t element_bytes); /* zeroed, 16-byte aligned */
#define pl_arena_new(arena, out, n) pl_arena_new_bytes((arena), (void **)(out), (n), sizeof **(out))
pl_status pl_arena_text(pl_arena *arena, char **out, const char *text, size_t size); /* NUL-terminated copy */
pl_status pl_arena_format(pl_arena *arena, char **out, const char *format, ...) __attribute__((format(printf, 3, 4)));
void pl_arena_free(pl_arena *arena); /* takes NULL */

#endif
