/* JSON through jansson: files with a size limit, errors with line and column, canonical text, typed look-ups.
 *
 * json_t is reference-counted: functions here that give `json_t **out` give a new reference (json_decref it);
 * look-ups borrow. Duplicate keys are refused.
 *
 * Memory: jansson loses data when an allocation fails (its scanner drops a letter of a text and goes on), so that no
 * check of its results is enough. pl_json_guard() gives it an allocator that ends the process instead: after that every
 * value of jansson is whole, and NULL from it means text that is not UTF-8, or a number that is not finite. */
#ifndef PLUMB_BASE_JSON_H
#define PLUMB_BASE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/memory.h"
#include "base/status.h"

/* Once, before the first use of jansson: first thing in main(), and in a test that lets allocations fail. */
void pl_json_guard(void);

/* `where` names the text in errors (a path, "path:line"). An integer beyond 64 bits, such as the 10^30 that
 * transformers writes for "no limit", becomes the nearest real: no setting means its last digits. */
pl_status pl_json_parse(json_t **out, const char *text, size_t size, const char *where);
/* The same of a text that begins on `line` of the file, with every digit kept: an integer beyond 64 bits is *wide*, a
 * text of U+0000 and its digits. *wide says whether there is one; then no other text of the value holds U+0000. */
pl_status pl_json_parse_wide(json_t **out, bool *wide, const char *text, size_t size, const char *where, size_t line);
json_t *pl_json_wide(const char *digits, size_t size); /* NULL: out of memory */
const char *pl_json_wide_digits(const json_t *value);  /* NULL: not a wide integer */
pl_status pl_json_read(json_t **out, const char *path, size_t limit_bytes);

/* Sorted keys, no white space, reals with 17 digits: equal values give equal bytes. Appends to `out`. */
pl_status pl_json_canonical(pl_bytes *out, const json_t *value);
/* Two spaces an indent, insertion order, a newline at the end; replaces the file atomically. */
pl_status pl_json_write(const char *path, const json_t *value);

/* Typed look-ups: an absent or null key leaves *out alone; another type is PL_E_INPUT naming `where` and key. */
pl_status pl_json_get_text(const char **out, const json_t *object, const char *key, const char *where);
pl_status pl_json_get_size(size_t *out, const json_t *object, const char *key, const char *where);
pl_status pl_json_get_real(double *out, const json_t *object, const char *key, const char *where);
pl_status pl_json_get_bool(bool *out, const json_t *object, const char *key, const char *where);

#endif
