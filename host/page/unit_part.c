#include "page/unit_part.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "base/json.h"
#include "base/path.h"
#include "store/unit_file.h"

static const size_t FILE_BYTES_MAX = (size_t)1 << 30;
enum { FILE_SECONDS_MAX = 60 };

/* ---- in the helper: rows ---- */

typedef struct unit_rows {
    pl_frame *obs;
    const char **samples; /* [n] */
    size_t n;
    pl_loglik loglik;
    uint64_t *own_indptr; /* [n + 1] of own_ids: each prompt's tokens behind description and shots; NULL: not kept */
    int32_t *own_ids;
    pl_arena *arena;
} unit_rows;

static const char *text_at(const unit_rows *u, const char *column, size_t row)
{
    const pl_column *c = pl_frame_column(u->obs, column);
    bool is_text = c && (c->kind == PL_COLUMN_TEXT || c->kind == PL_COLUMN_CATEGORY);
    return is_text ? c->values.text[row] : NULL;
}

/* Token ids and log-probabilities of a choice; empty lists where the unit has none. */
static void choice_tokens(json_t **ids, json_t **values, const unit_rows *u, size_t row, size_t choice)
{
    const pl_loglik *l = &u->loglik;
    *ids = json_array();
    *values = json_array();
    if (row >= l->n_rows || l->choice_indptr[row] + choice >= l->choice_indptr[row + 1]) return;
    size_t at = l->choice_indptr[row] + choice;
    for (uint64_t t = l->token_indptr[at]; t < l->token_indptr[at + 1]; t++) {
        char number[32];
        snprintf(number, sizeof number, "%.4f", (double)l->values[t]);
        bool put = json_array_append_new(*ids, json_integer(l->token_ids[t])) == 0;
        put = put && json_array_append_new(*values, json_string(number)) == 0;
        if (!put) pl_out_of_memory("rows of a unit for the report");
    }
}

/* NULL where the unit keeps none: no member of the row. */
static json_t *own_tokens(const unit_rows *u, size_t row)
{
    if (!u->own_indptr) return NULL;
    json_t *ids = json_array();
    for (uint64_t t = u->own_indptr[row]; t < u->own_indptr[row + 1]; t++)
        if (json_array_append_new(ids, json_integer(u->own_ids[t])) != 0)
            pl_out_of_memory("rows of a unit for the report");
    return ids;
}

/* The sample's arguments are pairs of prompt and answer; of generated ones the answer is the response. */
static json_t *answers_of(const unit_rows *u, size_t row, const json_t *sample)
{
    const json_t *arguments = json_object_get(sample, "arguments"), *resps = json_object_get(sample, "resps");
    json_t *answers = json_array(), *ids, *values;
    for (size_t c = 0; c < json_array_size(arguments); c++) {
        const char *text = json_string_value(json_array_get(json_array_get(arguments, c), 1));
        if (!text) text = json_string_value(json_array_get(json_array_get(resps, c), 0));
        choice_tokens(&ids, &values, u, row, c);
        if (json_array_append_new(answers, json_pack("[s?, o, o]", text, ids, values)) != 0)
            pl_out_of_memory("rows of a unit for the report");
    }
    return answers;
}

static pl_status put_row(pl_bytes *out, const unit_rows *u, size_t row)
{
    const pl_column *id = pl_frame_column(u->obs, "doc_id"), *correct = pl_frame_column(u->obs, "correct");
    json_t *sample = json_loads(u->samples[row], 0, NULL);
    const char *prompt = json_string_value(json_array_get(json_array_get(json_object_get(sample, "arguments"), 0), 0));
    json_t *made = json_pack("[I, s?, s?, i, s?, o, o*]",
                             (json_int_t)(id && id->kind == PL_COLUMN_INTEGER ? id->values.integer[row] : (int64_t)row),
                             text_at(u, "label", row), text_at(u, "prediction", row),
                             correct && correct->kind == PL_COLUMN_BOOL ? correct->values.boolean[row] : 0, prompt,
                             answers_of(u, row, sample), own_tokens(u, row));
    char *text = made ? json_dumps(made, JSON_COMPACT) : NULL;
    pl_status status = text ? PL_OK : pl_fail(PL_E_INPUT, "a sample that is no text");
    if (status == PL_OK) status = pl_bytes_format(out, "%s", row ? "," : "");
    if (status == PL_OK) status = pl_bytes_text(out, text);
    free(text);
    json_decref(made);
    json_decref(sample);
    return status;
}

static pl_status read_rows(unit_rows *u, const char *path)
{
    static const char *const columns[] = {"doc_id", "label", "prediction", "correct"};
    pl_unit_reader *reader = NULL;
    PL_TRY(pl_unit_open(&reader, path));
    pl_status status = pl_unit_get_obs(reader, columns, sizeof columns / sizeof *columns, &u->obs);
    if (status == PL_OK) status = pl_unit_get_samples(reader, u->arena, &u->samples, &u->n);
    if (status == PL_OK && u->n != u->obs->n_rows)
        status = pl_fail(PL_E_INPUT, "%s: %zu samples of %zu rows", path, u->n, u->obs->n_rows);
    /* Units whose answers are generated have none; asked twice, as a file is whole and memory may have been short. */
    if (status == PL_OK && pl_unit_get_loglik(reader, u->arena, &u->loglik) != PL_OK &&
        pl_unit_get_loglik(reader, u->arena, &u->loglik) != PL_OK)
        u->loglik = (pl_loglik){0};
    if (status == PL_OK) status = pl_unit_get_tokens(reader, u->arena, &u->own_indptr, &u->own_ids);
    pl_unit_close(reader);
    return status;
}

pl_status pl__deflate(pl_bytes *out, const char *text, size_t bytes)
{
    uLongf size = compressBound(bytes);
    Bytef *data;
    PL_TRY(pl_new(&data, size));
    bool packed = compress2(data, &size, (const Bytef *)text, bytes, Z_DEFAULT_COMPRESSION) == Z_OK;
    pl_bytes_clear(out);
    pl_status status = packed ? pl_bytes_append(out, data, size) : pl_fail(PL_E_MEMORY, "out of memory in zlib");
    free(data);
    return status;
}

/* Text shrinks to a third to a thirtieth: rows beyond this many times what may be used are not even written. */
enum { SHRINKS_MOST = 40 };

/* Rows as JSON, one behind the other: row r ends at ends[r]; those that may fit, *n of them. */
static pl_status put_rows(pl_bytes *text, size_t *ends, size_t *n, const unit_rows *u, size_t most)
{
    PL_TRY(pl_bytes_text(text, "["));
    for (*n = 0; *n < u->n && text->size <= SHRINKS_MOST * most; ++*n) {
        PL_TRY(put_row(text, u, *n));
        ends[*n] = text->size;
    }
    return PL_OK;
}

/* As many of the first rows as fit, by a few tries; n: 0 where none does. */
static pl_status pack_rows(pl_bytes *out, size_t *n, const unit_rows *u, size_t most)
{
    pl_bytes text = {0};
    size_t *ends;
    PL_TRY(pl_arena_new(u->arena, &ends, u->n));
    pl_status status = put_rows(&text, ends, n, u, most);
    while (*n && status == PL_OK) {
        text.size = ends[*n - 1];
        status = pl_bytes_text(&text, "]");
        if (status == PL_OK) status = pl__deflate(out, text.data, text.size);
        if (status != PL_OK || out->size <= most) break;
        *n = (size_t)(0.95 * (double)*n * (double)most / (double)out->size);
    }
    if (!*n) pl_bytes_clear(out);
    pl_bytes_free(&text);
    return status;
}

static pl_status answer_rows(pl_bytes *answer, size_t most, const char *path)
{
    unit_rows u = {0};
    pl_bytes packed = {0};
    size_t n = 0;
    PL_TRY(pl_arena_create(&u.arena));
    pl_status status = read_rows(&u, path);
    if (status == PL_OK) status = pack_rows(&packed, &n, &u, most);
    const uint64_t head[2] = {u.n, n};
    if (status == PL_OK) status = pl_bytes_append(answer, head, sizeof head);
    if (status == PL_OK && packed.size) status = pl_bytes_append(answer, packed.data, packed.size);
    pl_bytes_free(&packed);
    pl_frame_free(u.obs);
    pl_arena_free(u.arena);
    return status;
}

/* ---- in the helper: training ---- */

static const char *const series[] = {"trial_steps",   "trial_evaluations", "loss",
                                     "learning_rate", "evaluation_step",   "evaluation_score"};
enum { SERIES = sizeof series / sizeof *series };

static pl_status answer_training(pl_bytes *answer, const char *path)
{
    pl_unit_reader *reader = NULL;
    pl_arena *arena = NULL;
    pl_status status;
    PL_GOTO(status, done, pl_arena_create(&arena));
    PL_GOTO(status, done, pl_unit_open(&reader, path));
    for (size_t s = 0; s < SERIES; s++) {
        pl_numbers numbers = {.name = series[s]};
        PL_GOTO(status, done, pl_unit_get_numbers(reader, arena, "training", &numbers));
        const uint64_t n = numbers.n;
        PL_GOTO(status, done, pl_bytes_append(answer, &n, sizeof n));
        PL_GOTO(status, done, pl_bytes_append(answer, numbers.values, numbers.n * sizeof *numbers.values));
    }
done:
    pl_unit_close(reader);
    pl_arena_free(arena);
    return status;
}

/* "<most bytes> <path>" for rows, "t <path>" for training. */
static pl_status work(pl_bytes *answer, const char *question)
{
    const char *path = strchr(question, ' ') + 1;
    return *question == 't' ? answer_training(answer, path)
                            : answer_rows(answer, (size_t)strtoull(question, NULL, 10), path);
}

/* ---- here ---- */

pl_helper pl__unit_reader(void)
{
    return (pl_helper){.work = work, .limit_bytes = FILE_BYTES_MAX, .limit_s = FILE_SECONDS_MAX};
}

static pl_status ask(pl_helper *reader, const char *what, const char *path, pl_bytes *answer, bool *there)
{
    char question[PL_PATH_MAX];
    *there = false;
    PL_TRY(pl_path(question, "%s %s", what, path));
    pl_status status = pl_helper_reply(reader, question, answer);
    *there = status == PL_OK;
    return status == PL_E_MEMORY ? status : PL_OK;
}

pl_status pl__unit_rows(pl_helper *reader, const char *path, size_t most_bytes, pl__rows_part *out, bool *there)
{
    uint64_t head[2];
    char most[32];
    *out = (pl__rows_part){0};
    snprintf(most, sizeof most, "%zu", most_bytes);
    pl_status status = ask(reader, most, path, &out->packed, there);
    *there = *there && out->packed.size >= sizeof head;
    if (!*there) return status;
    memcpy(head, out->packed.data, sizeof head);
    out->n_rows = head[0];
    out->n_shown = head[1];
    out->packed.size -= sizeof head;
    memmove(out->packed.data, out->packed.data + sizeof head, out->packed.size);
    return PL_OK;
}

void pl__rows_part_free(pl__rows_part *part)
{
    pl_bytes_free(&part->packed);
}

/* The list at *at, which must lie within the answer; the count before it is checked. */
static const double *take(const pl_bytes *answer, size_t *at, size_t *n)
{
    uint64_t count;
    if (answer->size - *at < sizeof count) return NULL;
    memcpy(&count, answer->data + *at, sizeof count);
    *at += sizeof count;
    if (count > (answer->size - *at) / sizeof(double)) return NULL;
    const double *list = (const double *)(const void *)(answer->data + *at);
    *n = count;
    *at += count * sizeof *list;
    return list;
}

pl_status pl__unit_training(pl_helper *reader, const char *path, pl__training_part *out, bool *there)
{
    pl_bytes answer = {0};
    size_t at = 0, n[SERIES];
    const double *lists[SERIES] = {NULL};
    *out = (pl__training_part){0};
    PL_TRY(ask(reader, "t", path, &answer, there));
    out->numbers = (double *)(void *)answer.data; /* the bytes are ours from here on */
    for (size_t s = 0; s < SERIES && *there; s++) {
        lists[s] = take(&answer, &at, &n[s]);
        *there = lists[s] != NULL;
    }
    *there = *there && n[0] == n[1] && n[2] == n[3] && n[4] == n[5];
    if (!*there) return PL_OK;
    out->n_trials = n[0];
    out->n_steps = n[2];
    out->n_evaluations = n[4];
    out->trial_steps = lists[0];
    out->trial_evaluations = lists[1];
    out->loss = lists[2];
    out->learning_rate = lists[3];
    out->evaluation_step = lists[4];
    out->evaluation_score = lists[5];
    return PL_OK;
}

void pl__training_part_free(pl__training_part *part)
{
    free(part->numbers);
}
