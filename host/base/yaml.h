/* YAML through libyaml, as a tree of nodes that know where they stand (line and column, from 1).
 *
 * A subset that has one reading: block and flow collections, plain and quoted scalars, comments. Anchors, aliases,
 * tags, several documents and duplicate keys are errors that say where. The nodes live in the document. */
#ifndef PLUMB_BASE_YAML_H
#define PLUMB_BASE_YAML_H

#include <stdbool.h>
#include <stddef.h>

#include "base/json.h"
#include "base/memory.h"
#include "base/status.h"

typedef enum pl_yaml_kind { PL_YAML_SCALAR, PL_YAML_LIST, PL_YAML_MAP } pl_yaml_kind;

typedef struct pl_yaml_node {
    pl_yaml_kind kind;
    bool quoted;                 /* a scalar in quotes or a block scalar: always a text */
    const char *file;            /* the name given when parsing */
    size_t line, column;         /* 0: stands in no file; then `file` says all, and errors give no place in it */
    const char *text;            /* scalars: NUL-terminated UTF-8 without NUL inside */
    size_t n;                    /* children: items of a list, pairs of a map */
    struct pl_yaml_node **keys;  /* maps: scalars */
    struct pl_yaml_node **items; /* lists and maps */
} pl_yaml_node;

typedef struct pl_yaml pl_yaml;

/* `name` stands in errors. The document owns a copy of everything. */
pl_status pl_yaml_parse(pl_yaml **out, const char *text, size_t size, const char *name);
pl_status pl_yaml_read(pl_yaml **out, const char *path);
const pl_yaml_node *pl_yaml_root(const pl_yaml *doc); /* borrowed; an empty document is an empty map */
void pl_yaml_free(pl_yaml *doc);                      /* takes NULL */

/* pl_fail with "file:line:column: " in front, or "file: " alone. */
pl_status pl_yaml_fail(const pl_yaml_node *at, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The value of a key of a map; NULL when absent. */
const pl_yaml_node *pl_yaml_get(const pl_yaml_node *map, const char *key);

/* A key that a map may have, as its reader checks it and the reference page explains it. A table ends with {NULL}. */
typedef struct pl_yaml_key {
    const char *name;
    const char *fallback; /* what holds when it is absent, or "required" */
    const char *meaning;
} pl_yaml_key;
/* A table with the place of its maps in a file: "arms[]". A list of them ends with {NULL}. */
typedef struct pl_yaml_section {
    const char *place;
    const pl_yaml_key *keys;
} pl_yaml_section;

/* PL_E_INPUT when the node is no map, or has a key that is not in the table; the message names the nearest known key
 * where one is close. */
pl_status pl_yaml_check_keys(const pl_yaml_node *map, const pl_yaml_key *known);

bool pl_yaml_is_null(const pl_yaml_node *node); /* null, ~ or nothing, without quotes */

/* Typed reads of a scalar node; the message says what was expected and what was found. */
pl_status pl_yaml_to_text(const char **out, const pl_yaml_node *node);
pl_status pl_yaml_to_size(size_t *out, const pl_yaml_node *node);
pl_status pl_yaml_to_integer(long long *out, const pl_yaml_node *node);
pl_status pl_yaml_to_real(double *out, const pl_yaml_node *node);
pl_status pl_yaml_to_bool(bool *out, const pl_yaml_node *node);

/* The whole node as JSON by YAML 1.2's core schema (null, true/false, integers, reals, texts). A new reference. */
pl_status pl_yaml_to_json(json_t **out, const pl_yaml_node *node);

#endif
