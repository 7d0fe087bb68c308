/* Data files: JSONL, CSV (RFC 4180) and TSV with a header line, and plain text, a row {"text": line} each, as rows
 * (JSON objects).
 *
 * A file is gone through once, when it is opened, for its SHA-256 and where each row begins; it stays mapped, and a row
 * is parsed when it is asked for. Opening takes 16 bytes a row of memory, whatever the rows hold.
 *
 * In TSV a quote is a letter like any other. CSV and TSV values are texts, except that a column whose every value is a
 * plain decimal integer becomes integers. An integer beyond 64 bits is the text of its digits, and hashed as the number
 * that it is. Parquet is not read: the message says how to convert.
 *
 * Errors name the line. When the file is opened: an empty file, a line beyond PL_LINE_MAX, a blank line before the end;
 * in JSONL a line that does not begin with '{' and end with '}'; in CSV and TSV whatever can be wrong with a row, since
 * the kind of a column is known by all its values. When a row of JSONL is opened: whatever else is wrong with it. A row
 * of JSONL that nothing opens may be broken inside: only the SHA-256 sees it. A file that is written to while it is in
 * use is an error of the rows that changed. */
#ifndef PLUMB_TASK_DATA_H
#define PLUMB_TASK_DATA_H

#include "base/digest.h"
#include "base/file.h"
#include "base/json.h"
#include "base/status.h"

typedef struct pl_data {
    size_t n;
    char *where;                 /* the file as errors name it */
    char sha256[PL_SHA256_TEXT]; /* of the file */
    char path[PL_PATH_MAX];      /* absolute; "" when it came from memory */
    struct pl__source *source;
} pl_data;

/* The format follows the extension (.jsonl, .json lines, .csv, .tsv, .txt). `sha256`: the expected digest, or NULL. */
pl_status pl_data_read(pl_data **out, const char *path, const char *sha256);
/* The same from memory, which is copied; `format` is "jsonl", "csv", "tsv" or "text", `where` stands in errors. */
pl_status pl_data_parse(pl_data **out, const char *text, size_t size, const char *format, const char *where);
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
/* Where a row begins in the file, from 1. For messages: CSV and TSV are read up to it. */
size_t pl_row_line(const pl_data *data, size_t index);

#endif
