/* The rows of a unit file: /obs, label log-likelihoods, label words, and one JSON sample a row. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/utf8.h"
#include "experiment/item.h"

/* The columns of /obs, in order. */
#define COLUMNS(X)                                                                                                     \
    X(INDEX, "_index", PL_COLUMN_TEXT)                                                                                 \
    X(DOC_ID, "doc_id", PL_COLUMN_INTEGER)                                                                             \
    X(DOC_HASH, "doc_hash", PL_COLUMN_TEXT)                                                                            \
    X(PROMPT_HASH, "prompt_hash", PL_COLUMN_TEXT)                                                                      \
    X(ARM, "arm", PL_COLUMN_CATEGORY)                                                                                  \
    X(READOUT, "readout", PL_COLUMN_CATEGORY)                                                                          \
    X(TEMPLATE, "template", PL_COLUMN_CATEGORY)                                                                        \
    X(ROLE, "role", PL_COLUMN_CATEGORY)                                                                                \
    X(K, "k", PL_COLUMN_INTEGER)                                                                                       \
    X(DRAW, "draw", PL_COLUMN_INTEGER)                                                                                 \
    X(ORDER, "order", PL_COLUMN_INTEGER)                                                                               \
    X(SEED, "seed", PL_COLUMN_INTEGER)                                                                                 \
    X(LABEL, "label", PL_COLUMN_CATEGORY)                                                                              \
    X(PREDICTION, "prediction", PL_COLUMN_CATEGORY)                                                                    \
    X(LABEL_INDEX, "label_index", PL_COLUMN_INTEGER)                                                                   \
    X(PREDICTION_INDEX, "prediction_index", PL_COLUMN_INTEGER)                                                         \
    X(OUTCOME, "outcome", PL_COLUMN_CATEGORY)                                                                          \
    X(FINITE, "finite", PL_COLUMN_BOOL)                                                                                \
    X(CORRECT, "correct", PL_COLUMN_BOOL)                                                                              \
    X(ACC_NORM, "acc_norm", PL_COLUMN_BOOL)                                                                            \
    X(EXACT_MATCH, "exact_match", PL_COLUMN_BOOL)                                                                      \
    X(ANSWER_MATCH, "answer_match", PL_COLUMN_BOOL)                                                                    \
    X(N_TOKENS, "n_tokens", PL_COLUMN_INTEGER)                                                                         \
    X(TRUNCATED, "truncated", PL_COLUMN_CATEGORY)                                                                      \
    X(MERGED, "merged", PL_COLUMN_BOOL)

enum column {
#define X(id, name, kind) id,
    COLUMNS(X)
#undef X
        N_COLUMNS
};

static const struct {
    const char *name;
    pl_column_kind kind;
} columns[N_COLUMNS] = {
#define X(id, name, kind) {name, kind},
    COLUMNS(X)
#undef X
};

static pl_status set_text(pl_frame *frame, enum column column, size_t row, const char *text)
{
    return pl_frame_set_text(frame, &frame->columns[column], row, text);
}

static const char *truncated_text(const pl_encoded *e)
{
    return e->tokens_cut ? "truncate_left" : e->shots_dropped ? "drop_shots" : "no";
}

static pl_status fill_row(pl_frame *frame, size_t row, const pl__item *item, const pl_plan *plan,
                          const pl_plan_unit *unit)
{
    const pl_task *t = plan->tasks[unit->task].task;
    char index[32], prompt_hash[PL_SHA256_TEXT];
    snprintf(index, sizeof index, "%zu", item->index);
    pl_sha256(prompt_hash, item->prompt.context, item->prompt.context_size);
    PL_TRY(set_text(frame, INDEX, row, index));
    PL_TRY(set_text(frame, DOC_HASH, row, t->test->doc_hash[item->index]));
    PL_TRY(set_text(frame, PROMPT_HASH, row, prompt_hash));
    PL_TRY(set_text(frame, ARM, row, "prompt"));
    PL_TRY(set_text(frame, READOUT, row, pl_readout_name(unit->readout)));
    PL_TRY(set_text(frame, TEMPLATE, row, unit->template->name));
    PL_TRY(set_text(frame, ROLE, row, pl_role_name(unit->role)));
    PL_TRY(set_text(frame, LABEL, row, item->label));
    PL_TRY(set_text(frame, PREDICTION, row, item->finite ? item->prediction : NULL));
    PL_TRY(set_text(frame, OUTCOME, row, pl_outcome_name(item->outcome)));
    PL_TRY(set_text(frame, TRUNCATED, row, truncated_text(&item->encoded)));
    const struct {
        enum column column;
        size_t value;
    } integers[] = {{DOC_ID, item->index},    {K, unit->k - item->encoded.shots_dropped},
                    {DRAW, unit->draw},       {ORDER, unit->order},
                    {SEED, plan->spec->seed}, {N_TOKENS, item->encoded.n}};
    for (size_t i = 0; i < sizeof integers / sizeof *integers; i++)
        frame->columns[integers[i].column].values.integer[row] = (int64_t)integers[i].value;
    frame->columns[LABEL_INDEX].values.integer[row] = item->label_index;
    frame->columns[PREDICTION_INDEX].values.integer[row] = item->prediction_index;
    frame->columns[FINITE].values.boolean[row] = item->finite;
    frame->columns[CORRECT].values.boolean[row] = item->correct;
    frame->columns[ACC_NORM].values.boolean[row] = item->correct_norm;
    frame->columns[EXACT_MATCH].values.boolean[row] = item->exact_match;
    frame->columns[ANSWER_MATCH].values.boolean[row] = item->answer_match;
    frame->columns[MERGED].values.boolean[row] = item->encoded.merged;
    return PL_OK;
}

static pl_status write_obs(const pl__items *items, const pl_plan *plan, const pl_plan_unit *unit,
                           pl_unit_writer *writer)
{
    pl_frame *frame;
    pl_column *column;
    PL_TRY(pl_frame_create(&frame, items->n));
    pl_status status = PL_OK;
    for (size_t c = 0; c < N_COLUMNS && status == PL_OK; c++)
        status = pl_frame_add(frame, &column, columns[c].name, columns[c].kind);
    for (size_t i = 0; i < items->n && status == PL_OK; i++) status = fill_row(frame, i, &items->items[i], plan, unit);
    if (status == PL_OK) status = pl_unit_put_obs(writer, frame);
    pl_frame_free(frame);
    return status;
}

static pl_status write_loglik(const pl__items *items, const pl_results *results, pl_unit_writer *writer)
{
    size_t n_choices = results->choice_indptr[items->n], n_tokens = results->token_indptr[n_choices];
    pl_loglik loglik = {.n_rows = items->n,
                        .n_choices = n_choices,
                        .n_tokens = n_tokens,
                        .choice_indptr = results->choice_indptr,
                        .token_indptr = results->token_indptr,
                        .values = results->log_probability,
                        .greedy = results->greedy};
    PL_TRY(pl_arena_new(items->arena, &loglik.token_ids, n_tokens));
    PL_TRY(pl_arena_new(items->arena, &loglik.choice_bytes, n_choices));
    PL_TRY(pl_arena_new(items->arena, &loglik.choice_characters, n_choices));
    PL_TRY(pl_arena_new(items->arena, &loglik.score, n_choices));
    size_t choice = 0, token = 0;
    for (size_t i = 0; i < items->n; i++)
        for (size_t c = 0; c < items->items[i].encoded.n_choices; c++, choice++) {
            const pl_choice *path = &items->items[i].encoded.choices[c];
            const char *text = items->items[i].prompt.choice_texts[c];
            loglik.score[choice] = items->items[i].score[c];
            loglik.choice_bytes[choice] = (uint32_t)strlen(text);
            loglik.choice_characters[choice] = (uint32_t)pl_utf8_count(text, strlen(text));
            for (size_t t = path->first; t < path->n; t++) loglik.token_ids[token++] = path->ids[t];
        }
    return pl_unit_put_loglik(writer, &loglik);
}

/* The label words of the template, when every item has the same: their tokens and unembedding rows. */
static pl_status write_labels(const pl__items *items, const pl_plan *plan, const pl_plan_unit *unit,
                              pl_unit_writer *writer)
{
    const pl_checkpoint *checkpoint = plan->models[unit->model].checkpoint;
    if (!plan->tasks[unit->task].fixed_labels || items->n == 0) return PL_OK;
    const pl_encoded *e = &items->items[0].encoded;
    size_t n_ids = 0, C = checkpoint->config.C;
    pl_labels labels = {.n = e->n_choices, .width = C, .text = items->items[0].prompt.choice_texts};
    for (size_t c = 0; c < e->n_choices; c++) n_ids += e->choices[c].n - e->choices[c].first;
    PL_TRY(pl_arena_new(items->arena, &labels.indptr, labels.n + 1));
    PL_TRY(pl_arena_new(items->arena, &labels.ids, n_ids));
    PL_TRY(pl_arena_new(items->arena, &labels.unembedding, labels.n * C));
    for (size_t c = 0, at = 0; c < labels.n; c++) {
        const pl_choice *path = &e->choices[c];
        for (size_t t = path->first; t < path->n; t++) labels.ids[at++] = path->ids[t];
        labels.indptr[c + 1] = at;
        PL_TRY(pl_checkpoint_unembedding(checkpoint, path->ids[path->first], labels.unembedding + c * C));
    }
    return pl_unit_put_labels(writer, &labels);
}

/* As Python writes it where JSON has no number for it. A new reference. */
static json_t *number(double value)
{
    return isfinite(value) ? json_real(value) : json_string(isnan(value) ? "nan" : value > 0 ? "inf" : "-inf");
}

/* lm-eval's sample fields that need the texts; the report joins them with /obs. */
static json_t *sample_json(const pl__item *item, const pl_task *t, const pl_results *results, size_t row)
{
    const pl_prompt *p = &item->prompt;
    json_t *arguments = json_array(), *resps = json_array(), *filtered = json_array();
    for (size_t c = 0; !item->response && c < p->n_choices; c++) {
        double sum = 0;
        size_t choice = results->choice_indptr[row] + c;
        int greedy = 1;
        for (size_t k = results->token_indptr[choice]; k < results->token_indptr[choice + 1]; k++) {
            sum += (double)results->log_probability[k];
            greedy &= results->greedy[k];
        }
        json_array_append_new(arguments, json_pack("[s%,s]", p->context, p->context_size, p->choices[c]));
        json_array_append_new(resps, json_pack("[[o,b]]", number(sum), greedy));
        json_array_append_new(filtered, json_pack("[o,b]", number(sum), greedy));
    }
    if (item->response) {
        json_t *until = json_array();
        for (size_t i = 0; i < t->n_until; i++) json_array_append_new(until, json_string(t->until[i]));
        json_array_append_new(arguments, json_pack("[s%,{s:o,s:I}]", p->context, p->context_size, "until", until,
                                                   "max_gen_toks", (json_int_t)t->max_gen_toks));
        json_array_append_new(resps, json_pack("[s]", item->response));
        json_array_append_new(filtered, json_string(item->filtered));
    }
    return json_pack("{s:O,s:o,s:o,s:o,s:o}", "doc", t->test->items[item->index], "target",
                     p->gold == SIZE_MAX ? json_string(p->target) : json_integer((json_int_t)p->gold), "arguments",
                     arguments, "resps", resps, "filtered_resps", filtered);
}

static pl_status write_samples(const pl__items *items, const pl_plan *plan, const pl_plan_unit *unit,
                               const pl_results *results, pl_unit_writer *writer)
{
    const char **texts;
    PL_TRY(pl_arena_new(items->arena, &texts, items->n));
    for (size_t i = 0; i < items->n; i++) {
        json_t *sample = sample_json(&items->items[i], plan->tasks[unit->task].task, results, i);
        char *dump = sample ? json_dumps(sample, JSON_COMPACT | JSON_REAL_PRECISION(17)) : NULL, *copy = NULL;
        json_decref(sample);
        if (!dump)
            return pl_fail(PL_E_INTERNAL, "unit %s: item %zu cannot be written as JSON", unit->id,
                           items->items[i].index);
        pl_status status = pl_arena_text(items->arena, &copy, dump, strlen(dump));
        free(dump);
        PL_TRY(status);
        texts[i] = copy;
    }
    return pl_unit_put_samples(writer, texts, items->n);
}

pl_status pl__items_write(const pl__items *items, const pl_plan *plan, const pl_plan_unit *unit,
                          const pl_results *results, pl_unit_writer *writer)
{
    PL_TRY(write_obs(items, plan, unit, writer));
    if (unit->readout == PL_READOUT_LOGLIKELIHOOD) {
        PL_TRY(write_loglik(items, results, writer));
        PL_TRY(write_labels(items, plan, unit, writer));
    }
    return write_samples(items, plan, unit, results, writer);
}
