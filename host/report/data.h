/* Rows of a result as a CSV file and as JSON: texts first, then numbers, under one list of names each. */
#ifndef PLUMB_REPORT_DATA_H
#define PLUMB_REPORT_DATA_H

#include "base/json.h"
#include "store/run_folder.h"

enum { PL__DATA_TEXTS = 24, PL__DATA_REALS = 48 }; /* at most so many of each */

typedef struct pl__data {
    size_t n_texts, n_reals;
    const char *const *text_names; /* [n_texts] */
    const char *const *real_names; /* [n_reals] */
    /* Of row i; numbers that are NaN are empty, in JSON null. */
    void (*fields)(const char *texts[PL__DATA_TEXTS], double reals[PL__DATA_REALS], const void *rows, size_t i);
} pl__data;

/* The file of the run folder; none where there are no rows. */
pl_status pl__data_csv(const pl_run_folder *run, const char *name, const pl__data *data, const void *rows, size_t n);
/* A list of objects as the object's member; none where there are no rows. */
pl_status pl__data_json(json_t *object, const char *key, const pl__data *data, const void *rows, size_t n);

#endif
