/* The rows of a unit file: /obs, label log-likelihoods, label words, and one JSON sample a row. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/json_build.h"
#include "base/utf8.h"
#include "experiment/item.h"
#include "store/obs.h"

static const char *truncated_text(const pl_encoded *e)
{
    return e->tokens_cut ? "truncate_left" : e->shots_dropped ? "drop_shots" : "no";
}

static pl_status set_learned(pl_obs *obs, size_t row, const pl_adaptation *a)
{
    const char *head = a->arm->kind == PL_ARM_FINETUNE ? pl_head_name(a->head) : NULL;
    PL_TRY(pl_obs_set_text(obs, PL_OBS_HEAD, row, head));
    PL_TRY(pl_obs_set_text(obs, PL_OBS_TRAIN_TEMPLATE, row, a->train_template));
    PL_TRY(pl_obs_set_text(obs, PL_OBS_LABELS, row, pl_labelling_name(a->labels)));
    pl_obs_set_integer(obs, PL_OBS_N_TRAIN, row, (int64_t)a->n_train);
    return PL_OK;
}

/* What all rows of a unit have in common. */
static pl_status set_cell(pl_obs *obs, size_t row, const pl_plan *plan, const pl_plan_unit *unit)
{
    PL_TRY(pl_obs_set_text(obs, PL_OBS_MODEL, row, plan->models[unit->model].spec->name));
    PL_TRY(pl_obs_set_text(obs, PL_OBS_TASK, row, plan->tasks[unit->task].task->name));
    PL_TRY(pl_obs_set_text(obs, PL_OBS_ARM, row, pl_arm_name(unit->arm->kind)));
    if (unit->adaptation) PL_TRY(set_learned(obs, row, unit->adaptation));
    if (unit->chat) {
        const char *how = !unit->chat->apply ? "plain" : unit->chat->multiturn ? "chat-multi" : "chat";
        PL_TRY(pl_obs_set_text(obs, PL_OBS_CHAT, row, how));
        PL_TRY(pl_obs_set_text(obs, PL_OBS_SYSTEM, row, unit->chat->system));
    }
    PL_TRY(pl_obs_set_text(obs, PL_OBS_READOUT, row, pl_readout_name(unit->readout)));
    PL_TRY(pl_obs_set_text(obs, PL_OBS_TEMPLATE, row, unit->template->name));
    PL_TRY(pl_obs_set_text(obs, PL_OBS_ROLE, row, pl_role_name(unit->role)));
    pl_obs_set_integer(obs, PL_OBS_DRAW, row, unit->draw);
    pl_obs_set_integer(obs, PL_OBS_ORDER, row, unit->order);
    pl_obs_set_integer(obs, PL_OBS_SEED, row, (int64_t)plan->spec->seed);
    return PL_OK;
}

/* What the readout made of the item. */
static pl_status set_outcome(pl_obs *obs, size_t row, const pl__item *item)
{
    PL_TRY(pl_obs_set_text(obs, PL_OBS_LABEL, row, item->label));
    PL_TRY(pl_obs_set_text(obs, PL_OBS_PREDICTION, row, item->prediction));
    PL_TRY(pl_obs_set_text(obs, PL_OBS_OUTCOME, row, pl_outcome_name(item->outcome)));
    pl_obs_set_integer(obs, PL_OBS_LABEL_INDEX, row, item->label_index);
    pl_obs_set_integer(obs, PL_OBS_PREDICTION_INDEX, row, item->prediction_index);
    pl_obs_set_bool(obs, PL_OBS_FINITE, row, item->finite);
    pl_obs_set_bool(obs, PL_OBS_CORRECT, row, item->correct);
    pl_obs_set_bool(obs, PL_OBS_ACC_NORM, row, item->correct_norm);
    pl_obs_set_bool(obs, PL_OBS_ACC_BYTES, row, item->correct_bytes);
    pl_obs_set_bool(obs, PL_OBS_ACC_MUTUAL_INFO, row, item->correct_mutual);
    pl_obs_set_bool(obs, PL_OBS_EXACT_MATCH, row, item->exact_match);
    pl_obs_set_bool(obs, PL_OBS_ANSWER_MATCH, row, item->answer_match);
    pl_obs_set_integer(obs, PL_OBS_N_WORDS, row, (int64_t)item->prompt.words);
    pl_obs_set_integer(obs, PL_OBS_N_BYTES, row, (int64_t)item->prompt.bytes);
    return PL_OK;
}

static pl_status fill_row(pl_obs *obs, size_t row, const pl__item *item, const pl_plan *plan, const pl_plan_unit *unit)
{
    char prompt_hash[PL_SHA256_TEXT], doc_hash[PL_SHA256_TEXT];
    PL_TRY(pl_row_hash(doc_hash, plan->tasks[unit->task].task->test, item->index));
    if (item->prompt.rolling) /* as there: of what the model is asked first */
        pl_sha256(prompt_hash, item->prompt.target, strlen(item->prompt.target));
    else
        pl_sha256(prompt_hash, item->prompt.context, item->prompt.context_size);
    PL_TRY(pl_obs_set_name(obs, row, item->index, unit->id));
    PL_TRY(pl_obs_set_text(obs, PL_OBS_DOC_HASH, row, doc_hash));
    PL_TRY(pl_obs_set_text(obs, PL_OBS_PROMPT_HASH, row, prompt_hash));
    PL_TRY(set_cell(obs, row, plan, unit));
    PL_TRY(set_outcome(obs, row, item));
    PL_TRY(pl_obs_set_text(obs, PL_OBS_TRUNCATED, row, truncated_text(&item->encoded)));
    pl_obs_set_integer(obs, PL_OBS_K, row, (int64_t)(unit->k - item->encoded.shots_dropped));
    pl_obs_set_integer(obs, PL_OBS_N_TOKENS, row, (int64_t)item->encoded.request.n);
    pl_obs_set_bool(obs, PL_OBS_MERGED, row, item->encoded.merged);
    return PL_OK;
}

static pl_status write_obs(const pl__items *items, const pl_plan *plan, const pl_plan_unit *unit,
                           pl_unit_writer *writer)
{
    pl_obs obs;
    const pl_task *task = plan->tasks[unit->task].task;
    unsigned of = task->output_type == PL_OUTPUT_LOGLIKELIHOOD_ROLLING ? PL_OBS_ROLLED : PL_OBS_SCORED;
    if (unit->readout == PL_READOUT_GENERATE) of = PL_OBS_GENERATED;
    if (unit->adaptation) of |= PL_OBS_LEARNED;
    if (unit->chat) of |= PL_OBS_CHATTED;
    if (of & PL_OBS_SCORED && pl_task_names(task, "acc_bytes")) of |= PL_OBS_BYTES;
    if (of & PL_OBS_SCORED && pl_task_names(task, "exact_match")) of |= PL_OBS_GREEDY;
    if (of & PL_OBS_SCORED && pl_task_names(task, "acc_mutual_info") && !pl_unit_has_head(unit)) of |= PL_OBS_MUTUAL;
    PL_TRY(pl_obs_create(&obs, items->n, of));
    pl_status status = PL_OK;
    for (size_t i = 0; i < items->n && status == PL_OK; i++) status = fill_row(&obs, i, &items->items[i], plan, unit);
    if (status == PL_OK) status = pl_unit_put_obs(writer, obs.frame);
    pl_obs_free(&obs);
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
        for (size_t c = 0; c < items->items[i].prompt.n_choices; c++, choice++) {
            const pl_request *r = &items->items[i].encoded.request;
            const char *text = items->items[i].prompt.choice_texts[c];
            const size_t last = items->items[i].prompt.rolling ? r->n_choices - 1 : c; /* all windows are one */
            loglik.score[choice] = items->items[i].score[c];
            loglik.choice_bytes[choice] = (uint32_t)strlen(text);
            loglik.choice_characters[choice] = (uint32_t)pl_utf8_count(text, strlen(text));
            for (size_t path = c; path <= last; path++)
                for (size_t t = r->choices[path].first; t < r->choices[path].n; t++)
                    loglik.token_ids[token++] = r->choices[path].ids[t];
        }
    return pl_unit_put_loglik(writer, &loglik);
}

/* The row of the head that makes the label's logit. */
static pl_status head_row(float *out, const pl__head *head, size_t label, int32_t token)
{
    if (!head->linear) return pl_checkpoint_unembedding(head->checkpoint, token, out);
    for (size_t i = 0; i < head->linear->width; i++)
        out[i] = (float)head->linear->coef[label * head->linear->width + i];
    return PL_OK;
}

/* The label words of the template, when every item has the same: their tokens and rows of the head. */
static pl_status write_labels(const pl__items *items, const pl_plan *plan, const pl_plan_unit *unit,
                              const pl__head *head, pl_unit_writer *writer)
{
    if (!plan->tasks[unit->task].fixed_labels || items->n == 0) return PL_OK;
    const pl_request *e = &items->items[0].encoded.request;
    size_t n_ids = 0, C = head->linear ? head->linear->width : head->checkpoint->config.E;
    pl_labels labels = {.n = items->items[0].prompt.n_choices, .width = C, .text = items->items[0].prompt.choice_texts};
    for (size_t c = 0; c < labels.n; c++) n_ids += e->choices[c].n - e->choices[c].first;
    PL_TRY(pl_arena_new(items->arena, &labels.indptr, labels.n + 1));
    PL_TRY(pl_arena_new(items->arena, &labels.ids, n_ids));
    PL_TRY(pl_arena_new(items->arena, &labels.unembedding, labels.n * C));
    for (size_t c = 0, at = 0; c < labels.n; c++) {
        const pl_choice *path = &e->choices[c];
        for (size_t t = path->first; t < path->n; t++) labels.ids[at++] = path->ids[t];
        labels.indptr[c + 1] = at;
        PL_TRY(head_row(labels.unembedding + c * C, head, c, path->ids[path->first]));
    }
    return pl_unit_put_labels(writer, &labels);
}

/* What the model says of the labels when there is nothing to judge; of choices of the items' own, in the order of
 * loglik. */
static pl_status write_content_free(const pl__items *items, pl_unit_writer *writer)
{
    if (!items->n_content_free) return PL_OK;
    size_t n = items->n_content_free, n_labels = items->content_free[0].prompt.n_choices;
    if (items->free_choice) n_labels = 0;
    for (size_t i = 0; items->free_choice && i < items->n; i++) n_labels += items->items[i].prompt.n_choices;
    pl_content_free c = {.n = n, .n_labels = n_labels};
    PL_TRY(pl_arena_new(items->arena, &c.prompt, n));
    PL_TRY(pl_arena_new(items->arena, &c.score, n * n_labels));
    for (size_t i = 0; i < n; i++) {
        c.prompt[i] = items->content_free[i].prompt.context;
        for (size_t l = 0; l < n_labels; l++)
            c.score[i * n_labels + l] = items->content_free[i].score[items->free_choice ? items->free_choice[l] : l];
    }
    return pl_unit_put_content_free(writer, &c);
}

/* A log-likelihood; as Python writes it where JSON has no number for it. */
static void put_number(pl_json_builder *b, double value)
{
    if (isfinite(value))
        pl_json_put_real(b, NULL, value);
    else
        pl_json_put_text(b, NULL, isnan(value) ? "nan" : value > 0 ? "inf" : "-inf");
}

/* Requests that the item was asked: choices, then those behind an empty context. */
static size_t n_asked(const pl_prompt *p)
{
    return p->n_choices * (p->unconditional ? 2 : 1);
}

/* [[score, greedy], ..] a request, each in one more list when `nested`; of a rolling text its score alone. */
static void put_scores(pl_json_builder *b, const char *key, const pl__item *item, bool nested)
{
    pl_json_open_list(b, key);
    for (size_t c = 0; c < n_asked(&item->prompt); c++) {
        if (nested) pl_json_open_list(b, NULL);
        if (!item->prompt.rolling) pl_json_open_list(b, NULL);
        put_number(b, item->score[c]);
        if (!item->prompt.rolling) {
            pl_json_put_bool(b, NULL, item->greedy[c]);
            pl_json_close(b);
        }
        if (nested) pl_json_close(b);
    }
    pl_json_close(b);
}

static void put_scored(pl_json_builder *b, const pl__item *item)
{
    const pl_prompt *p = &item->prompt;
    pl_json_open_list(b, "arguments");
    for (size_t c = 0; c < n_asked(p); c++) {
        const bool alone = c >= p->n_choices;
        pl_json_open_list(b, NULL);
        if (!p->rolling)
            pl_json_put_bytes(b, NULL,
                              alone         ? ""
                              : p->contexts ? p->contexts[c].text
                                            : p->context,
                              alone         ? 0
                              : p->contexts ? p->contexts[c].size
                                            : p->context_size);
        pl_json_put_text(b, NULL, alone ? p->unconditional[c - p->n_choices] : p->choices[c]);
        pl_json_close(b);
    }
    pl_json_close(b);
    put_scores(b, "resps", item, true);
    put_scores(b, "filtered_resps", item, false);
}

static void put_generated(pl_json_builder *b, const pl__item *item, const pl_task *t)
{
    pl_json_open_list(b, "arguments");
    pl_json_open_list(b, NULL);
    pl_json_put_bytes(b, NULL, item->prompt.context, item->prompt.context_size);
    pl_json_open(b, NULL);
    pl_json_open_list(b, "until");
    for (size_t i = 0; i < t->n_until; i++) pl_json_put_text(b, NULL, t->until[i]);
    pl_json_close(b);
    pl_json_put_size(b, "max_gen_toks", t->max_gen_toks);
    pl_json_close(b);
    pl_json_close(b);
    pl_json_close(b);
    pl_json_open_list(b, "resps");
    pl_json_open_list(b, NULL);
    pl_json_put_text(b, NULL, item->response);
    pl_json_close(b);
    pl_json_close(b);
    pl_json_open_list(b, "filtered_resps");
    pl_json_put_text(b, NULL, item->filtered);
    pl_json_close(b);
}

/* As lm-evaluation-harness has it: an index, a list of them, a text or a list of texts. */
static void put_target(pl_json_builder *b, const pl_prompt *p)
{
    if (p->n_targets || p->n_right) {
        pl_json_open_list(b, "target");
        for (size_t i = 0; i < p->n_targets; i++) pl_json_put_text(b, NULL, p->targets[i]);
        for (size_t i = 0; i < p->n_right; i++) pl_json_put_size(b, NULL, p->right[i]);
        pl_json_close(b);
        pl_json_put_text(b, "target_text", p->targets_text);
    } else if (p->gold == SIZE_MAX || p->alone || p->contexts)
        pl_json_put_text(b, "target", p->target);
    else
        pl_json_put_size(b, "target", p->gold);
}

/* lm-eval's sample fields that need the texts; the report joins them with /obs. A new reference. */
static pl_status sample_json(json_t **out, const pl__item *item, const pl_task *t)
{
    pl_json_builder b;
    pl_row doc;
    PL_TRY(pl_row_open(&doc, t->test, item->index));
    pl_json_begin(&b);
    pl_json_put_shared(&b, "doc", doc.item);
    pl_row_close(&doc);
    put_target(&b, &item->prompt);
    if (item->response)
        put_generated(&b, item, t);
    else
        put_scored(&b, item);
    return pl_json_end(&b, out, "a sample");
}

static pl_status write_samples(const pl__items *items, const pl_plan *plan, const pl_plan_unit *unit,
                               pl_unit_writer *writer)
{
    const char **texts;
    PL_TRY(pl_arena_new(items->arena, &texts, items->n));
    for (size_t i = 0; i < items->n; i++) {
        json_t *sample;
        PL_TRY(sample_json(&sample, &items->items[i], plan->tasks[unit->task].task));
        char *dump = json_dumps(sample, JSON_COMPACT | JSON_REAL_PRECISION(17)), *copy = NULL;
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

pl_status pl__items_write(const pl__items *items, const pl_plan *plan, const pl_plan_unit *unit, const pl__head *head,
                          const pl_results *results, pl_unit_writer *writer)
{
    PL_TRY(write_obs(items, plan, unit, writer));
    if (unit->readout == PL_READOUT_LOGLIKELIHOOD) {
        PL_TRY(write_loglik(items, results, writer));
        PL_TRY(write_labels(items, plan, unit, head, writer));
        PL_TRY(write_content_free(items, writer));
    }
    return write_samples(items, plan, unit, writer);
}
