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
pl_status pl__columns_create(pl__columns **out);
void pl__columns_free(pl__columns *columns); /* takes NULL */

/* Where a JSON array or an object with a list stands, between rows. */
typedef enum pl__json_place {
    PL__JSON_UNKNOWN, /* nothing was read */
    PL__JSON_LINES,   /* neither: an object a line */
    PL__JSON_MEMBERS, /* in the object, before the list */
    PL__JSON_FIRST,   /* behind the list's [ */
    PL__JSON_NEXT,    /* behind an item and its comma */
    PL__JSON_REST,    /* in the object, behind the list */
    PL__JSON_END
} pl__json_place;

/* What is known of a file between its rows, by the form that it is opened with. */
typedef struct pl__layout {
    const pl_data_form *form; /* never NULL; the data's */
    pl__columns *columns;     /* of CSV and TSV */
    pl__json_place json;
} pl__layout;

/* The bytes of a row without its line's end. */
size_t pl__own_bytes(const char *text, size_t size);

typedef struct pl__format {
    const char *name, *blanks; /* letters of a line that counts as blank; NULL: an empty line is a row like any other */
    bool cr_ends;              /* CR alone ends a line too */
    /* Looks at the row with which the piece begins. *bytes: its own with the line's end; 0: the piece ends within it.
     * *is_item: false for what is no row of data, such as a header line. */
    pl_status (*look)(pl__layout *layout, const pl__piece *piece, size_t *bytes, bool *is_item);
    /* Behind the last row: what only the whole file tells. NULL: nothing. */
    pl_status (*end)(const pl__layout *layout, const char *where);
    /* A row that `look` has seen. A new reference. *wide: a text that begins with U+0000 is an integer beyond 64 bits
     * (base/json.h), and no other text holds that character. */
    pl_status (*parse)(const pl__layout *layout, const pl__piece *piece, json_t **out, bool *wide);
} pl__format;

extern const pl__format pl__jsonl, pl__csv, pl__tsv, pl__csv_pandas, pl__text;

/* A form of one's own, freed with free(); NULL is {0}. */
pl_status pl__form_copy(pl_data_form **out, const pl_data_form *form);
/* The format that it names, or NULL. */
const pl__format *pl__form_format(const pl_data_form *form);
/* PL_E_INPUT: arguments of another format. */
pl_status pl__form_check(const pl_data_form *form, const pl__format *format, const char *where);
/* The digest of rows that are read so from a file of this digest. */
pl_status pl__form_digest(char out[PL_SHA256_TEXT], const char *sha256, const pl_data_form *form);

/* A list of rows in JSON (json_list.c): its beginning, which says what the file is (PL__JSON_LINES: no such list); what
 * stands behind it, row by row; whether it is whole where the file ends; and one element of it. */
pl_status pl__json_list_begin(pl__layout *layout, const pl__piece *piece, size_t *bytes);
pl_status pl__json_list_look(pl__layout *layout, const pl__piece *piece, size_t *bytes, bool *is_item);
pl_status pl__json_list_end(const pl__layout *layout, const char *where);
pl_status pl__json_list_parse(const pl__piece *piece, json_t **out, bool *wide);

/* Where a row stands, and a hash of its bytes: a file that is changed in place under the map is noticed. 16 bytes: a
 * row has at most PL_LINE_MAX bytes and its line's end. */
enum { PL__PLACE_BITS = 39, PL__ROW_BITS = 25 };
typedef struct pl__place {
    uint64_t at : PL__PLACE_BITS, size : PL__ROW_BITS;
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
    pl__layout layout;
    pl_map map;       /* the file, or what it was unpacked to */
    char *copy;       /* of a text in memory; NULL: mapped */
    const char *text; /* the whole file */
    size_t size;
    pl__place *places; /* [n] */
    size_t capacity;
    pthread_mutex_t lock; /* of what is kept */
    pl__kept kept[PL__KEPT_ROWS];
} pl__source;

pl_status pl__source_create(pl__source **out, const pl__format *format, const pl_data_form *form);
void pl__source_free(pl__source *source);

#endif
