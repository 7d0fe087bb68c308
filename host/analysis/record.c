#include "analysis/record.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "measure/calibration.h"

/* What the table is made of; then what a sample has beside it. */
static const char *const columns[] = {"doc_id",      "doc_hash",         "label",  "prediction", "outcome",
                                      "label_index", "prediction_index", "finite", "correct",    "acc_norm",
                                      "exact_match", "answer_match",     "merged", "acc_bytes",  "acc_mutual_info",
                                      "n_words",     "n_bytes"};
static const char *const sample_columns[] = {"prompt_hash"};

enum { COLUMNS = sizeof columns / sizeof *columns, NO_TEXT = -1 };

/* ---- writing ---- */

static pl_status put_number(pl_bytes *out, uint64_t value)
{
    return pl_bytes_append(out, &value, sizeof value);
}

static pl_status put_text(pl_bytes *out, const char *text)
{
    int64_t size = text ? (int64_t)strlen(text) : NO_TEXT;
    PL_TRY(pl_bytes_append(out, &size, sizeof size));
    return text ? pl_bytes_append(out, text, (size_t)size) : PL_OK;
}

static bool is_text(pl_column_kind kind)
{
    return kind == PL_COLUMN_TEXT || kind == PL_COLUMN_CATEGORY;
}

static size_t element_bytes(pl_column_kind kind)
{
    return kind == PL_COLUMN_BOOL ? 1 : 8;
}

static pl_status put_column(pl_bytes *out, const pl_column *c, size_t n_rows)
{
    PL_TRY(put_text(out, c->name));
    PL_TRY(put_number(out, (uint64_t)c->kind));
    if (!is_text(c->kind)) return pl_bytes_append(out, c->values.boolean, n_rows * element_bytes(c->kind));
    for (size_t i = 0; i < n_rows; i++) PL_TRY(put_text(out, c->values.text[i]));
    return PL_OK;
}

static pl_status put_frame(pl_bytes *out, const pl_frame *frame)
{
    PL_TRY(put_number(out, frame->n_rows));
    PL_TRY(put_number(out, frame->n_columns));
    for (size_t c = 0; c < frame->n_columns; c++) PL_TRY(put_column(out, &frame->columns[c], frame->n_rows));
    return PL_OK;
}

static pl_status put_loglik(pl_bytes *out, const pl_loglik *l)
{
    PL_TRY(put_number(out, l->n_rows));
    PL_TRY(put_number(out, l->n_choices));
    if (l->n_rows == 0) return PL_OK;
    PL_TRY(pl_bytes_append(out, l->choice_indptr, (l->n_rows + 1) * sizeof *l->choice_indptr));
    PL_TRY(pl_bytes_append(out, l->token_indptr, (l->n_choices + 1) * sizeof *l->token_indptr));
    PL_TRY(pl_bytes_append(out, l->choice_characters, l->n_choices * sizeof *l->choice_characters));
    return pl_bytes_append(out, l->score, l->n_choices * sizeof *l->score);
}

/* Of each row's own choices, whose shares are among themselves. */
static pl_status bias_of_rows(double *bias, const pl_content_free *c, const pl_loglik *l, pl_arena *arena)
{
    double *scores;
    PL_TRY(pl_arena_new(arena, &scores, c->n * c->n_labels));
    for (size_t r = 0; r < l->n_rows; r++) {
        size_t first = l->choice_indptr[r], m = l->choice_indptr[r + 1] - first;
        for (size_t i = 0; i < c->n && m; i++)
            memcpy(scores + i * m, c->score + i * c->n_labels + first, m * sizeof *scores);
        (void)pl_calibration_bias(bias + first, scores, c->n, m);
    }
    return PL_OK;
}

/* Nothing when one of them is not finite. */
static pl_status put_if_finite(pl_bytes *out, const double *values, size_t n)
{
    bool finite = true;
    for (size_t i = 0; i < n; i++) finite = finite && isfinite(values[i]);
    PL_TRY(put_number(out, finite ? n : 0));
    return pl_bytes_append(out, values, finite ? n * sizeof *values : 0);
}

/* What contextual calibration and mutual information take off each label's score. */
static pl_status put_free(pl_bytes *out, const pl_unit_reader *reader, const pl_loglik *l, pl_arena *arena)
{
    pl_content_free c;
    double *bias, *unconditional;
    PL_TRY(pl_unit_get_content_free(reader, arena, &c));
    PL_TRY(pl_arena_new(arena, &bias, c.n_labels));
    PL_TRY(pl_arena_new(arena, &unconditional, c.n_labels));
    pl_unconditional(unconditional, c.score, c.n, c.n_labels);
    if (c.n_labels == l->n_choices)
        PL_TRY(bias_of_rows(bias, &c, l, arena));
    else
        (void)pl_calibration_bias(bias, c.score, c.n, c.n_labels);
    PL_TRY(put_number(out, c.n_labels));
    PL_TRY(put_if_finite(out, bias, c.n_labels));
    return put_if_finite(out, unconditional, c.n_labels);
}

/* A unit that does not say who computed is like others that do not. */
static pl_status put_key(pl_bytes *out, const pl_unit_reader *reader)
{
    json_t *json = NULL;
    pl_status status = pl_unit_get_attribute(reader, "numerics_key", &json);
    if (status == PL_E_MEMORY) return status;
    const char *key = status == PL_OK ? json_string_value(json) : NULL;
    status = put_text(out, key ? key : "unknown");
    json_decref(json);
    return status;
}

/* capture.items of what decided the unit's numbers: the first so many rows have states. */
static pl_status put_captured(pl_bytes *out, const pl_unit_reader *reader, size_t n_rows)
{
    json_t *config;
    PL_TRY(pl_unit_get_config(reader, &config));
    const json_t *items = json_object_get(json_object_get(config, "capture"), "items");
    size_t n = json_is_integer(items) && json_integer_value(items) >= 0 ? (size_t)json_integer_value(items) : n_rows;
    json_decref(config);
    return put_number(out, n);
}

/* A number of /uns/plumb that the writer counted. */
static pl_status put_count(pl_bytes *out, const pl_unit_reader *reader, const char *name)
{
    json_t *json;
    PL_TRY(pl_unit_get_attribute(reader, name, &json));
    json_int_t n = json_integer_value(json);
    json_decref(json);
    return put_number(out, n > 0 ? (uint64_t)n : 0);
}

static pl_status put_samples(pl_bytes *out, const pl_unit_reader *reader, pl_arena *arena)
{
    pl_frame *frame;
    pl_column *column;
    const char **json;
    size_t n;
    PL_TRY(pl_unit_get_obs(reader, sample_columns, 1, &frame));
    pl_status status;
    PL_GOTO(status, done, pl_unit_get_samples(reader, arena, &json, &n));
    PL_GOTO(status, done, pl_frame_add(frame, &column, "samples", PL_COLUMN_TEXT));
    column->values.text = json;
    status = put_frame(out, frame);
done:
    pl_frame_free(frame);
    return status;
}

static pl_status put_unit(pl_bytes *out, const pl_unit_reader *reader, bool scored, pl_arena *arena)
{
    pl_frame *obs;
    pl_loglik loglik = {0};
    pl_status status;
    PL_TRY(pl_unit_get_obs(reader, columns, COLUMNS, &obs));
    PL_GOTO(status, done, put_frame(out, obs));
    PL_GOTO(status, done, put_key(out, reader));
    PL_GOTO(status, done, put_captured(out, reader, obs->n_rows));
    PL_GOTO(status, done, put_count(out, reader, "out_of_range"));
    PL_GOTO(status, done, put_count(out, reader, "not_finite"));
    if (scored) PL_GOTO(status, done, pl_unit_get_scores(reader, arena, &loglik));
    PL_GOTO(status, done, put_loglik(out, &loglik));
    PL_GOTO(status, done, put_free(out, reader, &loglik, arena));
    /* States are read by the analysis itself: what its opening of them might do is to happen here first. */
    PL_GOTO(status, done, pl_unit_check_states(reader, arena));
    status = put_samples(out, reader, arena);
done:
    pl_frame_free(obs);
    return status;
}

static pl_status get_number(double *out, const pl_unit_reader *reader, const char *name)
{
    json_t *json;
    PL_TRY(pl_unit_get_attribute(reader, name, &json));
    *out = json_is_number(json) ? json_number_value(json) : NAN;
    json_decref(json);
    return PL_OK;
}

static pl_status put_learned(pl_bytes *out, const pl_unit_reader *reader)
{
    pl__learned learned;
    PL_TRY(get_number(&learned.dev_accuracy, reader, "learned_accuracy"));
    PL_TRY(get_number(&learned.dev_tokens, reader, "learned_dev_tokens"));
    return pl_bytes_append(out, &learned, sizeof learned);
}

pl_status pl__record_read(pl_bytes *answer, const char *question)
{
    pl_unit_reader *reader = NULL;
    pl_arena *arena;
    pl_status status;
    PL_TRY(pl_arena_create(&arena));
    PL_GOTO(status, done, pl_unit_open(&reader, question + 1));
    status = question[0] == 'l' ? put_learned(answer, reader) : put_unit(answer, reader, question[0] == 's', arena);
done:
    pl_unit_close(reader);
    pl_arena_free(arena);
    return status;
}

/* ---- reading ---- */

typedef struct cursor {
    const char *at;
    size_t left;
    pl_arena *arena;
    const char *path;
} cursor;

static pl_status is_cut(const cursor *c)
{
    return pl_fail(PL_E_INPUT, "%s: what was read of it is cut", c->path);
}

static pl_status take(cursor *c, void *out, size_t size)
{
    if (size > c->left) return is_cut(c);
    if (size > 0) memcpy(out, c->at, size);
    c->at += size;
    c->left -= size;
    return PL_OK;
}

/* n elements, in the arena: there are no more of them than bytes. */
static pl_status take_list(cursor *c, void *out, size_t n, size_t bytes)
{
    void *list;
    if (n > c->left / bytes) return is_cut(c);
    PL_TRY(pl_arena_new_bytes(c->arena, &list, n, bytes));
    PL_TRY(take(c, list, n * bytes));
    memcpy(out, &list, sizeof list);
    return PL_OK;
}

static pl_status take_number(cursor *c, size_t *out)
{
    uint64_t value = 0;
    PL_TRY(take(c, &value, sizeof value));
    *out = (size_t)value;
    return PL_OK;
}

static pl_status take_text(cursor *c, const char **out)
{
    int64_t size = 0;
    *out = NULL;
    PL_TRY(take(c, &size, sizeof size));
    if (size == NO_TEXT) return PL_OK;
    if (size < 0 || (uint64_t)size > c->left) return is_cut(c);
    PL_TRY(pl_arena_text(c->arena, (char **)out, c->at, (size_t)size));
    c->at += size;
    c->left -= (size_t)size;
    return PL_OK;
}

static pl_status take_column(cursor *c, pl_frame *frame)
{
    const char *name, **texts;
    size_t kind;
    void *values;
    pl_column *column;
    PL_TRY(take_text(c, &name));
    PL_TRY(take_number(c, &kind));
    if (!name || kind > PL_COLUMN_BOOL) return is_cut(c);
    if (!is_text((pl_column_kind)kind)) {
        PL_TRY(take_list(c, &values, frame->n_rows, element_bytes((pl_column_kind)kind)));
    } else {
        if (frame->n_rows > c->left / 8) return is_cut(c);
        PL_TRY(pl_arena_new(c->arena, &texts, frame->n_rows));
        for (size_t i = 0; i < frame->n_rows; i++) PL_TRY(take_text(c, &texts[i]));
        values = texts;
    }
    size_t n_rows = frame->n_rows;
    frame->n_rows = 0; /* it need not make room */
    pl_status status = pl_frame_add(frame, &column, name, (pl_column_kind)kind);
    frame->n_rows = n_rows;
    if (status == PL_OK) memcpy(&column->values, &values, sizeof values);
    return status;
}

static pl_status take_frame(cursor *c, pl_frame **out)
{
    size_t n_rows, n_columns;
    PL_TRY(take_number(c, &n_rows));
    PL_TRY(take_number(c, &n_columns));
    PL_TRY(pl_frame_create(out, n_rows));
    for (size_t i = 0; i < n_columns; i++) PL_TRY(take_column(c, *out));
    return PL_OK;
}

static pl_status take_loglik(cursor *c, pl_loglik *l, size_t n_rows)
{
    PL_TRY(take_number(c, &l->n_rows));
    PL_TRY(take_number(c, &l->n_choices));
    if (l->n_rows == 0) return PL_OK;
    if (l->n_rows != n_rows) return is_cut(c);
    PL_TRY(take_list(c, &l->choice_indptr, n_rows + 1, sizeof *l->choice_indptr));
    if (l->n_choices >= c->left) return is_cut(c); /* so that n_choices + 1 is no overflow */
    PL_TRY(take_list(c, &l->token_indptr, l->n_choices + 1, sizeof *l->token_indptr));
    PL_TRY(take_list(c, &l->choice_characters, l->n_choices, sizeof *l->choice_characters));
    PL_TRY(take_list(c, &l->score, l->n_choices, sizeof *l->score));
    for (size_t i = 0; i < n_rows; i++)
        if (l->choice_indptr[i] > l->choice_indptr[i + 1]) return is_cut(c);
    return l->choice_indptr[n_rows] == l->n_choices ? PL_OK : is_cut(c);
}

static pl_status take_if_finite(cursor *c, double **out, size_t n)
{
    size_t there;
    PL_TRY(take_number(c, &there));
    if (there != n && there) return is_cut(c);
    return there ? take_list(c, out, n, sizeof **out) : PL_OK;
}

/* Scores of content-free inputs are those of the choices that every row has, or of all rows' own in turn. */
static pl_status take_free(cursor *c, pl__record *r)
{
    const pl_loglik *l = &r->loglik;
    PL_TRY(take_number(c, &r->n_free));
    PL_TRY(take_if_finite(c, &r->bias, r->n_free));
    PL_TRY(take_if_finite(c, &r->unconditional, r->n_free));
    if (!r->n_free || r->n_free == l->n_choices) return PL_OK;
    for (size_t i = 0; i < l->n_rows; i++)
        if (l->choice_indptr[i + 1] - l->choice_indptr[i] != r->n_free)
            return pl_fail(
                PL_E_INPUT,
                "%s: /uns/plumb/content_free/score: %zu columns, expected one for each of the %zu choices of "
                "row %zu (as for every row), or for each of all %zu; remove the unit and run it again",
                c->path, r->n_free, (size_t)(l->choice_indptr[i + 1] - l->choice_indptr[i]), i, l->n_choices);
    return PL_OK;
}

static pl_status take_unit(cursor *c, pl__record *r)
{
    PL_TRY(take_frame(c, &r->obs));
    PL_TRY(take_text(c, &r->numerics_key));
    PL_TRY(take_number(c, &r->n_captured));
    PL_TRY(take_number(c, &r->n_beyond));
    PL_TRY(take_number(c, &r->n_broken));
    PL_TRY(take_loglik(c, &r->loglik, r->obs->n_rows));
    PL_TRY(take_free(c, r));
    PL_TRY(take_frame(c, &r->samples));
    return r->numerics_key && r->samples->n_rows == r->obs->n_rows && c->left == 0 ? PL_OK : is_cut(c);
}

pl_status pl__record_parse(pl__record *out, const pl_bytes *bytes, const char *path)
{
    *out = (pl__record){0};
    PL_TRY(pl_arena_create(&out->arena));
    cursor c = {bytes->data, bytes->size, out->arena, path};
    pl_status status = take_unit(&c, out);
    if (status != PL_OK) pl__record_free(out);
    return status;
}

void pl__record_free(pl__record *r)
{
    pl_frame_free(r->obs);
    pl_frame_free(r->samples);
    pl_arena_free(r->arena);
    *r = (pl__record){0};
}
