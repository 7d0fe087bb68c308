#include "analysis/packed.h"

#include <stdlib.h>
#include <string.h>

static size_t element_bytes(pl_column_kind kind)
{
    return kind == PL_COLUMN_BOOL ? 1 : 8; /* a number, or a pointer */
}

static size_t padded(size_t bytes)
{
    return (bytes + 7) & ~(size_t)7;
}

/* What is in files and in memory already: the sums cannot overflow. */
static size_t bytes_of(const pl__record *record)
{
    const pl_frame *obs = record->obs;
    const pl_loglik *l = &record->loglik;
    size_t bytes = sizeof(pl__packed) + obs->n_columns * sizeof *obs->columns;
    for (size_t c = 0; c < obs->n_columns; c++) bytes += padded(obs->n_rows * element_bytes(obs->columns[c].kind));
    if (l->n_rows > 0)
        bytes += (l->n_rows + 1) * sizeof *l->choice_indptr + (l->n_choices + 1) * sizeof *l->token_indptr +
                 padded(l->n_choices * sizeof *l->choice_characters) + l->n_choices * sizeof *l->score;
    bytes += record->bias ? record->n_free * sizeof *record->bias : 0;
    return bytes + (record->unconditional ? record->n_free * sizeof *record->unconditional : 0);
}

static void *put(char **at, const void *data, size_t bytes)
{
    void *place = *at;
    if (bytes > 0) memcpy(place, data, bytes);
    *at += padded(bytes);
    return place;
}

static pl_status put_column(char **at, pl_column *out, const pl_column *in, size_t n_rows, pl_interned *texts)
{
    *out = *in;
    PL_TRY(pl_intern(texts, &out->name, in->name));
    void *values = put(at, in->values.boolean, n_rows * element_bytes(in->kind));
    memcpy(&out->values, &values, sizeof values);
    if (in->kind == PL_COLUMN_TEXT || in->kind == PL_COLUMN_CATEGORY)
        for (size_t i = 0; i < n_rows; i++) PL_TRY(pl_intern(texts, &out->values.text[i], in->values.text[i]));
    return PL_OK;
}

pl_status pl__pack(pl__packed **out, const pl__record *record, pl_interned *texts)
{
    const pl_frame *obs = record->obs;
    const pl_loglik *loglik = &record->loglik;
    size_t bytes = bytes_of(record);
    char *at;
    PL_TRY(pl_new_bytes((void **)&at, bytes, 1));
    pl__packed *p = (pl__packed *)at;
    at += sizeof *p;
    p->bytes = bytes;
    p->obs = (pl_frame){.n_rows = obs->n_rows, .n_columns = obs->n_columns};
    p->obs.columns = put(&at, obs->columns, obs->n_columns * sizeof *obs->columns);
    pl_status status;
    for (size_t c = 0; c < obs->n_columns; c++)
        PL_GOTO(status, failed, put_column(&at, &p->obs.columns[c], &obs->columns[c], obs->n_rows, texts));
    if (loglik->n_rows > 0) {
        p->loglik = (pl_loglik){.n_rows = loglik->n_rows, .n_choices = loglik->n_choices};
        p->loglik.choice_indptr = put(&at, loglik->choice_indptr, (loglik->n_rows + 1) * sizeof *loglik->choice_indptr);
        p->loglik.token_indptr = put(&at, loglik->token_indptr, (loglik->n_choices + 1) * sizeof *loglik->token_indptr);
        p->loglik.choice_characters =
            put(&at, loglik->choice_characters, loglik->n_choices * sizeof *loglik->choice_characters);
        p->loglik.score = put(&at, loglik->score, loglik->n_choices * sizeof *loglik->score);
    }
    p->n_free = record->n_free;
    if (record->bias) p->bias = put(&at, record->bias, record->n_free * sizeof *record->bias);
    if (record->unconditional)
        p->unconditional = put(&at, record->unconditional, record->n_free * sizeof *record->unconditional);
    *out = p;
    return PL_OK;
failed:
    free(p);
    *out = NULL;
    return status;
}
