/* JSON made key by key: the first failure is kept, later calls do nothing, and only the end is checked.
 *
 *   pl_json_builder b;
 *   pl_json_begin(&b);
 *   pl_json_put_text(&b, "task", name);
 *   pl_json_open_list(&b, "layers");
 *   for (...) pl_json_put_size(&b, NULL, layer);
 *   pl_json_close(&b);
 *   PL_TRY(pl_json_end(&b, &object, "plan.json"));
 *
 * Inside an object every value has a key, inside a list none (NULL). A key that is there already, a text that is not
 * UTF-8 and a missing key are mistakes of the program and fail with PL_E_INTERNAL, like a close without its open. */
#ifndef PLUMB_BASE_JSON_BUILD_H
#define PLUMB_BASE_JSON_BUILD_H

#include "base/json.h"

enum { PL_JSON_DEPTH = 12 };

typedef struct pl_json_builder {
    json_t *open[PL_JSON_DEPTH]; /* borrowed from open[0], which is owned */
    size_t depth;
    pl_status status;
    char at[64]; /* the key of the first failure */
} pl_json_builder;

void pl_json_begin(pl_json_builder *b); /* an empty object */

void pl_json_put_text(pl_json_builder *b, const char *key, const char *value); /* NULL: null */
void pl_json_put_bytes(pl_json_builder *b, const char *key, const char *value, size_t size);
void pl_json_put_integer(pl_json_builder *b, const char *key, long long value);
void pl_json_put_size(pl_json_builder *b, const char *key, size_t value);
void pl_json_put_real(pl_json_builder *b, const char *key, double value); /* not finite: null */
void pl_json_put_bool(pl_json_builder *b, const char *key, bool value);
void pl_json_put_null(pl_json_builder *b, const char *key);
/* Takes the reference, also on failure; NULL is out of memory. */
void pl_json_put(pl_json_builder *b, const char *key, json_t *value);
/* A shared value: takes a reference of its own. NULL is null. */
void pl_json_put_shared(pl_json_builder *b, const char *key, json_t *value);

void pl_json_open(pl_json_builder *b, const char *key);      /* an object inside */
void pl_json_open_list(pl_json_builder *b, const char *key); /* a list inside */
void pl_json_close(pl_json_builder *b);

/* The object as a new reference, or the first failure; `what` names it in the message. The builder is empty after. */
pl_status pl_json_end(pl_json_builder *b, json_t **out, const char *what);
void pl_json_discard(pl_json_builder *b);

#endif
