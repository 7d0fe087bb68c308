/* Data files: JSONL, CSV (RFC 4180) and TSV with a header line, as lists of items (JSON objects).
 *
 * In TSV a quote is a letter like any other. CSV and TSV values are texts, except that a column whose every value is a
 * plain decimal integer becomes integers. An integer beyond 64 bits is the text of its digits, and hashed as the number
 * that it is. Malformed UTF-8, a row with another number of fields, a line that is no JSON
 * object, an empty file: errors with the line. Parquet is not read: the message says how to convert. */
#ifndef PLUMB_TASK_DATA_H
#define PLUMB_TASK_DATA_H

#include "base/digest.h"
#include "base/file.h"
#include "base/json.h"
#include "base/status.h"

typedef struct pl_data {
    size_t n;
    char *where;                      /* the file as errors name it */
    size_t *lines;                    /* [n] where each item begins in the file, from 1 */
    json_t **items;                   /* [n], owned */
    char (*doc_hash)[PL_SHA256_TEXT]; /* [n]: SHA-256 of the item as lm-evaluation-harness hashes it: json.dumps(doc,
                                         indent=2, ensure_ascii=False) */
    char sha256[PL_SHA256_TEXT];      /* of the file */
    char path[PL_PATH_MAX];           /* absolute; "" when it came from memory */
} pl_data;

/* The format follows the extension (.jsonl, .json lines, .csv, .tsv). `sha256`: the expected digest, or NULL. */
pl_status pl_data_read(pl_data **out, const char *path, const char *sha256);
/* The same from memory; `format` is "jsonl", "csv" or "tsv", `where` stands in errors. */
pl_status pl_data_parse(pl_data **out, const char *text, size_t size, const char *format, const char *where);
void pl_data_free(pl_data *data); /* takes NULL */

#endif
