/* A run folder with planted data, made through the store: what the tests of the table and of the report read.
 *
 * One model and task, N items with two labels, templates t0.. (t0 "id", the rest "ood"), some draws. What an item's
 * predictions and states are is said by functions that a test may replace. */
#ifndef PLUMB_TESTS_ANALYSIS_PLANTED_RUN_H
#define PLUMB_TESTS_ANALYSIS_PLANTED_RUN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>

#include "base/random.h"
#include "store/plan_file.h"
#include "store/run_folder.h"
#include "store/unit_file.h"

#define OK(call)                                                                                                       \
    do {                                                                                                               \
        if ((call) != PL_OK) fail_msg("%s: %s", #call, pl_error_text());                                               \
    } while (0)

enum { PLANTED_WIDTH = 6 };

typedef struct planted {
    size_t n, t, draws;
    bool generate;       /* readout generate in place of loglikelihood */
    bool random_weights; /* of the model */
    bool reversed;       /* odd templates store their rows in reverse order */
    size_t captured;     /* rows with states; 0: all */
    size_t norm_draws;   /* draws before this one also have acc_norm: label 0 always */
    /* 0 or 1; 2: no label (generate only) */
    int (*prediction)(size_t item, size_t template, size_t draw);
    /* Log-likelihood of label 1 minus that of label 0. */
    double (*margin)(size_t item, size_t template, size_t draw);
    float (*state)(size_t item, size_t template, size_t draw, size_t d); /* NULL: no states */
    pl_run_folder run;
    char root[PL_PATH_MAX];
} planted;

static inline int planted_gold(size_t item)
{
    return item % 5 < 3;
}

static inline double planted_margin(size_t item, size_t template, size_t draw)
{
    (void)draw;
    return (planted_gold(item) ? 1.0 : -1.0) + 0.1 * (double)template + 0.01 * (double)(item % 7);
}

static inline void planted_id(char out[64], size_t template, size_t draw, bool generate)
{
    snprintf(out, 64, "unit-%zu-%zu-%d", template, draw, (int)generate);
}

static inline json_t *planted_plan(const planted *p)
{
    enum { MOST_TEMPLATES = 32, MOST_UNITS = 1024 };
    static char ids[MOST_UNITS][64], names[MOST_TEMPLATES][8];
    static pl_planned_unit units[MOST_UNITS];
    pl_planned_model model = {
        .name = "tiny", .weights = "w", .tokenizer = "t", .model_type = "gpt2", .random_weights = p->random_weights};
    pl_planned_template templates[MOST_TEMPLATES];
    pl_planned_task task = {.name = "colours",
                            .version = "1.0",
                            .task_hash = "cafe",
                            .items = p->n,
                            .test_items = p->n,
                            .n_labels = 2,
                            .n_templates = p->t,
                            .templates = templates};
    pl_plan_file file = {.name = "planted",
                         .hash = "0123456789abcdef",
                         .n_models = 1,
                         .models = &model,
                         .n_tasks = 1,
                         .tasks = &task,
                         .units = units};
    json_t *json;
    assert_true(p->t <= MOST_TEMPLATES && p->t * p->draws <= MOST_UNITS);
    for (size_t k = 0; k < p->t; k++) {
        snprintf(names[k], sizeof names[k], "t%zu", k);
        templates[k] = (pl_planned_template){.name = names[k], .role = k == 0 ? "id" : "ood"};
    }
    for (size_t s = 0; s < p->draws; s++)
        for (size_t k = 0; k < p->t; k++, file.n_units++) {
            planted_id(ids[file.n_units], k, s, p->generate);
            units[file.n_units] = (pl_planned_unit){.id = ids[file.n_units],
                                                    .arm = "prompt",
                                                    .readout = p->generate ? "generate" : "loglikelihood",
                                                    .template_name = names[k],
                                                    .role = templates[k].role,
                                                    .k = 2,
                                                    .draw = s,
                                                    .seed = 1234};
        }
    OK(pl_plan_file_json(&json, &file));
    return json;
}

static inline pl_column *planted_column(pl_frame *frame, const char *name, pl_column_kind kind)
{
    pl_column *column;
    OK(pl_frame_add(frame, &column, name, kind));
    return column;
}

static inline void planted_obs(const planted *p, pl_unit_writer *w, const size_t *item_of, size_t k, size_t s)
{
    static const char *const texts[] = {"0", "1", "none"};
    pl_frame *f;
    OK(pl_frame_create(&f, p->n));
    /* One at a time: a borrowed column lives until the next one is added. */
    pl_column *c = planted_column(f, "_index", PL_COLUMN_TEXT);
    for (size_t r = 0; r < p->n; r++) {
        char text[32];
        snprintf(text, sizeof text, "%zu", item_of[r]);
        OK(pl_frame_set_text(f, c, r, text));
    }
    c = planted_column(f, "doc_id", PL_COLUMN_INTEGER);
    for (size_t r = 0; r < p->n; r++) c->values.integer[r] = (int64_t)item_of[r];
    c = planted_column(f, "doc_hash", PL_COLUMN_TEXT);
    for (size_t r = 0; r < p->n; r++) OK(pl_frame_set_text(f, c, r, texts[planted_gold(item_of[r])]));
    c = planted_column(f, "prompt_hash", PL_COLUMN_TEXT);
    for (size_t r = 0; r < p->n; r++) OK(pl_frame_set_text(f, c, r, "abcd"));
    c = planted_column(f, "label", PL_COLUMN_CATEGORY);
    for (size_t r = 0; r < p->n; r++) OK(pl_frame_set_text(f, c, r, texts[planted_gold(item_of[r])]));
    c = planted_column(f, "prediction", PL_COLUMN_CATEGORY);
    for (size_t r = 0; r < p->n; r++) OK(pl_frame_set_text(f, c, r, texts[p->prediction(item_of[r], k, s)]));
    c = planted_column(f, "outcome", PL_COLUMN_CATEGORY);
    for (size_t r = 0; r < p->n; r++)
        OK(pl_frame_set_text(f, c, r, p->prediction(item_of[r], k, s) < 2 ? "label" : "none"));
    c = planted_column(f, "correct", PL_COLUMN_BOOL);
    for (size_t r = 0; r < p->n; r++)
        c->values.boolean[r] = p->prediction(item_of[r], k, s) == planted_gold(item_of[r]);
    static const char *const generated[] = {"exact_match", "answer_match"};
    for (size_t i = 0; p->generate && i < 2; i++) {
        c = planted_column(f, generated[i], PL_COLUMN_BOOL);
        for (size_t r = 0; r < p->n; r++)
            c->values.boolean[r] = i > 0 || p->prediction(item_of[r], k, s) == planted_gold(item_of[r]);
    }
    if (s < p->norm_draws) {
        c = planted_column(f, "acc_norm", PL_COLUMN_BOOL);
        for (size_t r = 0; r < p->n; r++) c->values.boolean[r] = planted_gold(item_of[r]) == 0;
    }
    OK(pl_unit_put_obs(w, f));
    pl_frame_free(f);
}

/* Two labels, the second of two tokens. */
static inline void planted_loglik(const planted *p, pl_unit_writer *w, const size_t *item_of, size_t k, size_t s)
{
    size_t n = p->n;
    pl_loglik l = {.n_rows = n, .n_choices = 2 * n, .n_tokens = 3 * n};
    OK(pl_new(&l.choice_indptr, n + 1));
    OK(pl_new(&l.token_indptr, 2 * n + 1));
    OK(pl_new(&l.token_ids, 3 * n));
    OK(pl_new(&l.values, 3 * n));
    OK(pl_new(&l.greedy, 3 * n));
    OK(pl_new(&l.choice_bytes, 2 * n));
    OK(pl_new(&l.choice_characters, 2 * n));
    for (size_t r = 0; r < n; r++) {
        double margin = p->margin ? p->margin(item_of[r], k, s) : planted_margin(item_of[r], k, s);
        l.choice_indptr[r + 1] = 2 * (r + 1);
        l.token_indptr[2 * r + 1] = 3 * r + 1;
        l.token_indptr[2 * r + 2] = 3 * r + 3;
        l.values[3 * r] = -4.0f;
        l.values[3 * r + 1] = -1.0f;
        l.values[3 * r + 2] = (float)(margin - 3.0);
    }
    OK(pl_unit_put_loglik(w, &l));
    free(l.choice_indptr);
    free(l.token_indptr);
    free(l.token_ids);
    free(l.values);
    free(l.greedy);
    free(l.choice_bytes);
    free(l.choice_characters);
}

static inline void planted_states(const planted *p, pl_unit_writer *w, const size_t *item_of, size_t k, size_t s)
{
    static const char *const names[] = {"last.00", "last.01", "last.final_norm"};
    float *x = calloc(p->n * PLANTED_WIDTH, sizeof *x);
    assert_non_null(x);
    for (size_t layer = 0; layer < 3; layer++) {
        for (size_t r = 0; r < p->n; r++)
            for (size_t d = 0; d < PLANTED_WIDTH; d++) {
                float value = p->state(item_of[r], k, s, d);
                if (layer == 0) value = 0.5f; /* the same last token everywhere */
                if (p->captured && item_of[r] >= p->captured) value = NAN;
                x[r * PLANTED_WIDTH + d] = value;
            }
        OK(pl_unit_put_states(w, names[layer], x, p->n, PLANTED_WIDTH, PL_STORE_F32));
    }
    free(x);
}

static inline void planted_samples(const planted *p, pl_unit_writer *w, const size_t *item_of)
{
    char **texts = calloc(p->n, sizeof *texts);
    assert_non_null(texts);
    for (size_t r = 0; r < p->n; r++) {
        json_t *sample =
            json_pack("{s:{s:I},s:i,s:[[s,s],[s,s]],s:[[[f,b]],[[f,b]]],s:[[f,b],[f,b]]}", "doc", "item",
                      (json_int_t)item_of[r], "target", planted_gold(item_of[r]), "arguments", "prompt", " no",
                      "prompt", " yes", "resps", -4.0, 0, -3.0, 1, "filtered_resps", -4.0, 0, -3.0, 1);
        texts[r] = json_dumps(sample, JSON_COMPACT);
        json_decref(sample);
    }
    OK(pl_unit_put_samples(w, (const char *const *)texts, p->n));
    for (size_t r = 0; r < p->n; r++) free(texts[r]);
    free(texts);
}

static inline void planted_unit(const planted *p, size_t k, size_t s)
{
    char id[64], path[PL_PATH_MAX];
    pl_unit_writer *w;
    size_t *item_of = calloc(p->n, sizeof *item_of);
    assert_non_null(item_of);
    for (size_t r = 0; r < p->n; r++) item_of[r] = p->reversed && k % 2 ? p->n - 1 - r : r;
    planted_id(id, k, s, p->generate);
    OK(pl_run_folder_unit(path, &p->run, id));
    OK(pl_unit_create(&w, path));
    planted_obs(p, w, item_of, k, s);
    if (!p->generate) planted_loglik(p, w, item_of, k, s);
    planted_samples(p, w, item_of);
    if (p->state) planted_states(p, w, item_of, k, s);
    json_t *attributes = json_object();
    OK(pl_unit_put_config(w, "{}", attributes));
    json_decref(attributes);
    OK(pl_unit_finish(w));
    free(item_of);
}

/* The run folder with all its units. */
static inline void plant_run(planted *p)
{
    const char *temporary = getenv("TMPDIR");
    snprintf(p->root, sizeof p->root, "%s/plumb-planted-XXXXXX", temporary && *temporary ? temporary : "/tmp");
    assert_non_null(mkdtemp(p->root));
    json_t *plan = planted_plan(p), *manifest = json_object();
    assert_non_null(plan);
    OK(pl_run_folder_create(&p->run, p->root, "planted", "01234567", "name: planted\n", 14, manifest, plan));
    json_decref(plan);
    json_decref(manifest);
    for (size_t s = 0; s < p->draws; s++)
        for (size_t k = 0; k < p->t; k++) planted_unit(p, k, s);
}

static inline void uproot(planted *p)
{
    char command[PL_PATH_MAX + 16];
    snprintf(command, sizeof command, "rm -rf '%s'", p->root);
    assert_int_equal(system(command), 0);
}

#endif
