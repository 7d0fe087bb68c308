/* Data files: JSON lines, a JSON array or an object with a list, CSV and TSV, and plain text, a row {"text": line}
 * each, as rows (JSON objects). A gzip file is read as what it holds.
 *
 * A file is gone through once, when it is opened, for its SHA-256 and where each row begins; it stays mapped, and a row
 * is parsed when it is asked for. Opening takes 16 bytes a row of memory, whatever the rows hold; a gzip file lies
 * unpacked in $TMPDIR while it is open.
 *
 * By its ending a .csv file is read after RFC 4180, and in .tsv a quote is a letter like any other; values are texts,
 * except that a column whose every value is a plain decimal integer becomes integers. With the form "csv" they are read
 * as Hugging Face's datasets reads them, with pandas (csv_value.h). An integer beyond 64 bits is the text of its
 * digits, and hashed as the number that it is. Parquet is not read: the message says how to convert.
 *
 * Errors name the line. When the file is opened: an empty file, a line beyond PL_LINE_MAX, a blank line before the end;
 * in JSONL a line that does not begin with '{' and end with '}'; in a JSON array whatever is wrong between its items;
 * in CSV and TSV whatever can be wrong with a row, since the kind of a column is known by all its values. When a row of
 * JSON is opened: whatever else is wrong with it. A row of JSON that nothing opens may be broken inside: only the
 * SHA-256 sees it. A file that is written to while it is in use is an error of the rows that changed. */
#ifndef PLUMB_TASK_DATA_H
#define PLUMB_TASK_DATA_H

#include <stdbool.h>
#include <stddef.h>

#include "base/digest.h"
#include "base/file.h"
#include "base/json.h"
#include "base/status.h"

/* How a file is read, where its ending does not say. {0}: all by its ending. Names are those of datasets' builders.
 * Who opens a file lends the form; the data have their own. */
typedef struct pl_data_form {
    const char *format;            /* "json", "csv", "text"; NULL: by the ending */
    const char *field;             /* json: the member that holds the list of rows; NULL: the file is it, or lines */
    const char *separator, *quote; /* csv: one byte; NULL: the format's own; a quote "": none */
    size_t skip_rows;              /* csv: lines left out before everything */
    size_t header;                 /* csv: which row, from 0, has the names */
    bool no_header;                /* csv: none has */
    size_t n_names;
    const char *const *names; /* csv: in place of the header's; with no_header NULL: "0", "1", ... */
} pl_data_form;

typedef struct pl_data {
    size_t n;
    char *where;                      /* the file as errors name it, of several the first */
    char file_sha256[PL_SHA256_TEXT]; /* of the file, unpacked; of several, of their digests a line each */
    char sha256[PL_SHA256_TEXT];      /* what stands for the rows: the same where the form is {0}, else of both */
    char path[PL_PATH_MAX];           /* absolute; "" when it came from memory or several files */
    pl_data_form *form; /* how they were read, without a format that the ending names anyway; of several as given */
    struct pl__source *source; /* NULL of several */
    size_t n_parts;
    struct pl_data **parts; /* [n_parts]: the files one behind the other; 0 of one file */
} pl_data;

/* The format follows the ending (.jsonl, .json, .csv, .tsv, .txt, each also with .gz behind it) or the form (NULL:
 * {0}). `sha256`: the expected digest of the file, packed or not, or NULL. */
pl_status pl_data_read(pl_data **out, const char *path, const char *sha256, const pl_data_form *form);
/* Several files as one set, in order; sha256 is NULL or [n], each NULL or expected. n > 0. */
pl_status pl_data_read_all(pl_data **out, const char *const *paths, const char *const *sha256, size_t n,
                           const pl_data_form *form);
/* The same from memory, which is copied; `format` is "jsonl", "csv", "tsv" or "text" where the form (or NULL) has none.
 * `where` stands in errors. */
pl_status pl_data_parse(pl_data **out, const char *text, size_t size, const char *format, const pl_data_form *form,
                        const char *where);
void pl_data_free(pl_data *data); /* takes NULL; after every row of it is closed */

/* One row. The last short ones that were opened are kept, so that the shots of a draw are parsed once. */
typedef struct pl_row {
    const pl_data *data;
    size_t index;
    json_t *item; /* an object, shared between threads: not to be changed */
} pl_row;

/* Any number of threads may open rows. Every row that is open is closed; pl_row_close takes {0}. */
pl_status pl_row_open(pl_row *out, const pl_data *data, size_t index);
void pl_row_close(pl_row *row);

/* SHA-256 of a row as lm-evaluation-harness hashes it: json.dumps(doc, indent=2, ensure_ascii=False). */
pl_status pl_row_hash(char out[PL_SHA256_TEXT], const pl_data *data, size_t index);
/* Which file a row is in, and where it begins there, from 1. For messages: a file is read up to it. */
const char *pl_row_file(const pl_data *data, size_t index);
size_t pl_row_line(const pl_data *data, size_t index);

#endif
