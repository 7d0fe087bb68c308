/* Inside of the data reader: a file as pieces that hold whole rows, and the formats that find and parse them. */
#ifndef PLUMB_TASK_DATA_ROWS_H
#define PLUMB_TASK_DATA_ROWS_H

#include <pthread.h>

#include "base/lines.h"
#include "task/data.h"

/* Bytes of a file from the beginning of a row on. */
typedef struct pl__piece {
    const char *text;
    size_t size, line; /* line: on which text[0] stands */
    bool first, last;  /* no row was before; nothing follows in the file */
    const char *where;
} pl__piece;

/* What CSV and TSV keep of a file: its header line, and the kinds of its columns. */
typedef struct pl__columns pl__columns;

/* The bytes of a row without its line's end. */
size_t pl__own_bytes(const char *text, size_t size);

typedef struct pl__format {
    const char *name, *blanks; /* letters of a line that counts as blank; NULL: an empty line is a row like any other */
    /* Other kinds of text that are met under the same name, by the first row; NULL: none. */
    pl_status (*refuse)(const pl__piece *piece);
    /* Looks at the row with which the piece begins. *bytes: its own with the line's end; 0: the piece ends within it.
     * *is_item: false for a header line. */
    pl_status (*look)(pl__columns *columns, const pl__piece *piece, size_t *bytes, bool *is_item);
    /* A row that `look` has seen. A new reference. *wide: a text that begins with U+0000 is an integer beyond 64 bits
     * (base/json.h), and no other text holds that character. */
    pl_status (*parse)(const pl__columns *columns, const pl__piece *piece, json_t **out, bool *wide);
} pl__format;

extern const pl__format pl__jsonl, pl__csv, pl__tsv, pl__text;

pl_status pl__columns_create(pl__columns **out);
void pl__columns_free(pl__columns *columns); /* takes NULL */

/* Where a row stands, and a hash of its bytes: a file that is changed in place under the map is noticed. */
typedef struct pl__place {
    size_t at;
    uint64_t hash;
} pl__place;

/* Rows that were parsed: row i at place i % PL__KEPT_ROWS. Longer ones are not kept, which bounds the memory. */
enum { PL__KEPT_ROWS = 1024, PL__KEPT_BYTES = 4096 };
typedef struct pl__kept {
    size_t row;
    json_t *item; /* NULL: none */
} pl__kept;

typedef struct pl__source {
    const pl__format *format;
    pl__columns *columns;
    pl_map map;
    char *copy;        /* of a text in memory; NULL: mapped */
    const char *text;  /* the whole file */
    size_t size, end;  /* end: of the last row */
    pl__place *places; /* [n] */
    size_t capacity;
    pthread_mutex_t lock; /* of what is kept */
    pl__kept kept[PL__KEPT_ROWS];
} pl__source;

pl_status pl__source_create(pl__source **out, const pl__format *format);
void pl__source_free(pl__source *source);

#endif
