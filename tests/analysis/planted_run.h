/* A run folder with planted data, made through the store: what the tests of the table and of the report read.
 *
 * One model and task, N items with two labels, templates t0.. (t0 "id", the rest "ood"), some draws. What an item's
 * predictions and states are is said by functions that a test may replace. */
#ifndef PLUMB_TESTS_ANALYSIS_PLANTED_RUN_H
#define PLUMB_TESTS_ANALYSIS_PLANTED_RUN_H

#include "tests.h"

#include <math.h>

#include "analysis/run_view.h"
#include "analysis/stability.h"
#include "base/random.h"

enum { PLANTED_WIDTH = 6 };

typedef struct planted {
    size_t n, t, draws;
    size_t learned;      /* the last so many draws are those of arm linear, numbered from 0 */
    bool named;          /* draws of even number are those of arms with a name */
    bool tuned;          /* what learns is arm finetune, and prompts have no shots, unless: */
    bool shots;          /* two of them */
    size_t orders;       /* draws of arm prompt that are orders of one; 0: each is its own */
    bool twins;          /* the last two templates show the same prompts */
    bool generate;       /* readout generate in place of loglikelihood */
    bool random_weights; /* of the model */
    bool reversed;       /* odd templates store their rows in reverse order */
    size_t captured;     /* rows with states; 0: all */
    size_t norm_draws;   /* draws before this one also have acc_norm: label 0 always */
    bool open;           /* with generate: there are no choices, answers are texts */
    bool other_numerics; /* the last unit was made by another device class */
    pl_dtype storage;    /* of states */
    bool absent;         /* a state that is NaN is one that is not there */
    size_t merged;       /* rows of each unit that are marked so */
    size_t dev;          /* templates t1.. that are "dev" */
    json_t *primary;     /* contrasts of the plan, or NULL; borrowed */
    size_t cluster;      /* items of one plumb.group; 0: the task has none */
    bool own_choices;    /* each item's label words are its own */
    double free_margin;  /* of a content-free prompt's two scores; 0: there is none */
    bool silent;         /* the second of them gives neither label */
    bool uneven;         /* the last row has one choice, where the content-free prompts and the other rows have two */
    double dev_accuracy; /* what the file of the unit that adapted the model says; 0: there is none */
    double dev_tokens;   /* as above */
    json_t *verdict;     /* of the plan, or NULL; borrowed */
    json_t *analysis;    /* likewise */
    const char *second;  /* the last draw is the first one of a second model of this name; NULL: there is none */
    json_t *maps;        /* as above */
    /* 0 or 1; 2: no label (generate only) */
    int (*prediction)(size_t item, size_t template, size_t draw);
    /* Log-likelihood of label 1 minus that of label 0. */
    double (*margin)(size_t item, size_t template, size_t draw);
    float (*state)(size_t item, size_t template, size_t draw, size_t d); /* NULL: no states */
    bool (*finite)(size_t item, size_t template, size_t draw);           /* NULL: all are */
    int32_t (*token)(size_t item, size_t template, size_t place); /* of a prompt, then -1; NULL: the files have none */
    pl_run_folder run;
    pl_run_view *view; /* closed by uproot */
    char root[PL_PATH_MAX];
} planted;

static inline int planted_gold(size_t item)
{
    return item % 5 < 3;
}

/* Of an item's prompt. */
static inline size_t planted_tokens(size_t item, size_t template)
{
    return 20 + 3 * template + item * item % 17;
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

static inline bool planted_finite(const planted *p, size_t item, size_t template, size_t draw)
{
    return !p->finite || p->finite(item, template, draw);
}

/* plan.json through the one writer that there is. */
static inline json_t *planted_plan(const planted *p)
{
    pl_planned_model models[2] = {{.name = "tiny",
                                   .weights = "w",
                                   .tokenizer = "t",
                                   .model_type = "gpt2",
                                   .parameters = 12345,
                                   .random_weights = p->random_weights}};
    models[1] = models[0];
    models[1].name = p->second;
    pl_planned_template templates[16];
    char names[16][32], texts[16][32], (*ids)[64] = calloc(p->t * p->draws, sizeof *ids);
    pl_planned_unit *units = calloc(p->t * p->draws, sizeof *units);
    assert_true(p->t <= 16 && ids && units);
    for (size_t k = 0; k < p->t; k++) {
        snprintf(names[k], sizeof names[k], "t%zu", k);
        snprintf(texts[k], sizeof texts[k], "{{item}}? t%zu", p->twins && k + 1 == p->t ? k - 1 : k);
        templates[k] = (pl_planned_template){
            .name = names[k],
            .role = k == 0        ? "id"
                    : k <= p->dev ? "dev"
                                  : "ood",
            .config = json_pack("{s:s,s:s,s:[s,s],s:s,s:s,s:s}", "doc_to_text", texts[k], "doc_to_target", "gold",
                                "doc_to_choice", "no", "yes", "target_delimiter", " ", "fewshot_delimiter", "\n\n",
                                "output_type", "multiple_choice")};
        if (p->cluster) json_object_set_new(templates[k].config, "plumb", json_pack("{s:s}", "group", "frame"));
    }
    pl_planned_task task = {.name = "colours",
                            .version = "1.0",
                            .task_hash = "cafe",
                            .filter = p->generate ? "strip" : "none",
                            .items = p->n,
                            .test_items = p->n + 2,
                            .n_labels = p->open ? 0 : 2,
                            .n_templates = p->t,
                            .templates = templates};
    for (size_t u = 0; u < p->t * p->draws; u++) {
        size_t k = u % p->t, s = u / p->t;
        planted_id(ids[u], k, s, p->generate);
        units[u] = (pl_planned_unit){.id = ids[u],
                                     .arm = "prompt",
                                     .readout = p->generate ? "generate" : "loglikelihood",
                                     .template_name = names[k],
                                     .role = templates[k].role,
                                     .k = p->tuned && !p->shots ? 0 : 2,
                                     .draw = p->orders ? s / p->orders : s,
                                     .order = p->orders ? s % p->orders : 0,
                                     .seed = 1234};
        if (p->named && s % 2 == 0) units[u].arm_name = "even";
        if (p->second && s + 1 == p->draws) {
            units[u].model = 1;
            units[u].draw = 0;
        }
        if (s + p->learned < p->draws) continue;
        units[u].arm = p->tuned ? "finetune" : "linear";
        units[u].head = p->tuned ? "lm" : "";
        units[u].train_template = "t0";
        units[u].labels = "given";
        units[u].learned_by = "a-fit";
        units[u].n_train = 16;
        units[u].k = 0;
        units[u].draw = s + p->learned - p->draws;
        units[u].order = 0;
    }
    const pl_plan_file file = {.name = "planted",
                               .primary = p->primary,
                               .verdict = p->verdict,
                               .analysis = p->analysis,
                               .maps = p->maps,
                               .hash = "0123456789abcdef",
                               .n_models = p->second ? 2 : 1,
                               .n_tasks = 1,
                               .n_units = p->t * p->draws,
                               .models = models,
                               .tasks = &task,
                               .units = units};
    json_t *plan;
    OK(pl_plan_file_json(&plan, &file));
    for (size_t k = 0; k < p->t; k++) json_decref(templates[k].config);
    free(ids);
    free(units);
    return plan;
}

static inline pl_column *planted_column(pl_frame *frame, const char *name, pl_column_kind kind)
{
    pl_column *column;
    OK(pl_frame_add(frame, &column, name, kind));
    return column;
}

/* The words of the two labels, and an answer that is neither; "" for an item that is not finite. */
static inline const char *planted_word(const planted *p, size_t item, size_t k, size_t s)
{
    static const char *const words[] = {"no", "yes", "none"};
    return planted_finite(p, item, k, s) ? words[p->prediction(item, k, s)] : NULL;
}

static inline void planted_texts(const planted *p, pl_frame *f, const size_t *item_of, size_t k, size_t s)
{
    static const char *const words[] = {"no", "yes"};
    char text[48];
    /* One at a time: a borrowed column lives until the next one is added. */
    pl_column *c = planted_column(f, "_index", PL_COLUMN_TEXT);
    for (size_t r = 0; r < p->n; r++) {
        snprintf(text, sizeof text, "%zu-unit", item_of[r]);
        OK(pl_frame_set_text(f, c, r, text));
    }
    c = planted_column(f, "doc_hash", PL_COLUMN_TEXT);
    for (size_t r = 0; r < p->n; r++) OK(pl_frame_set_text(f, c, r, words[planted_gold(item_of[r])]));
    c = planted_column(f, "prompt_hash", PL_COLUMN_TEXT);
    snprintf(text, sizeof text, "abcd%zu", p->twins && k + 1 == p->t ? k - 1 : k);
    for (size_t r = 0; r < p->n; r++) OK(pl_frame_set_text(f, c, r, text));
    c = planted_column(f, "label", PL_COLUMN_CATEGORY);
    for (size_t r = 0; r < p->n; r++) {
        snprintf(text, sizeof text, p->own_choices ? "%s%zu" : "%s", words[planted_gold(item_of[r])], item_of[r]);
        OK(pl_frame_set_text(f, c, r, text));
    }
    c = planted_column(f, "prediction", PL_COLUMN_CATEGORY);
    for (size_t r = 0; r < p->n; r++) OK(pl_frame_set_text(f, c, r, planted_word(p, item_of[r], k, s)));
    c = planted_column(f, "outcome", PL_COLUMN_CATEGORY);
    for (size_t r = 0; r < p->n; r++) {
        bool finite = planted_finite(p, item_of[r], k, s);
        OK(pl_frame_set_text(f, c, r, !finite ? "not_finite" : p->prediction(item_of[r], k, s) < 2 ? "label" : "none"));
    }
}

static inline void planted_obs(const planted *p, pl_unit_writer *w, const size_t *item_of, size_t k, size_t s)
{
    pl_frame *f;
    OK(pl_frame_create(&f, p->n));
    planted_texts(p, f, item_of, k, s);
    pl_column *c = planted_column(f, "doc_id", PL_COLUMN_INTEGER);
    for (size_t r = 0; r < p->n; r++) c->values.integer[r] = (int64_t)item_of[r];
    c = planted_column(f, "label_index", PL_COLUMN_INTEGER);
    for (size_t r = 0; r < p->n; r++) c->values.integer[r] = p->open ? -1 : planted_gold(item_of[r]);
    c = planted_column(f, "prediction_index", PL_COLUMN_INTEGER);
    for (size_t r = 0; r < p->n; r++) {
        int predicted = p->prediction(item_of[r], k, s);
        bool label = planted_finite(p, item_of[r], k, s) && predicted < 2 && !p->open;
        c->values.integer[r] = label ? predicted : -1;
    }
    c = planted_column(f, "finite", PL_COLUMN_BOOL);
    for (size_t r = 0; r < p->n; r++) c->values.boolean[r] = planted_finite(p, item_of[r], k, s);
    c = planted_column(f, "merged", PL_COLUMN_BOOL);
    for (size_t r = 0; r < p->merged; r++) c->values.boolean[r] = 1;
    c = planted_column(f, "correct", PL_COLUMN_BOOL);
    for (size_t r = 0; r < p->n; r++)
        c->values.boolean[r] =
            planted_finite(p, item_of[r], k, s) && p->prediction(item_of[r], k, s) == planted_gold(item_of[r]);
    c = planted_column(f, "n_tokens", PL_COLUMN_INTEGER);
    for (size_t r = 0; r < p->n; r++) c->values.integer[r] = (int64_t)planted_tokens(item_of[r], k);
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
    OK(pl_new(&l.score, 2 * n));
    OK(pl_new(&l.choice_bytes, 2 * n));
    OK(pl_new(&l.choice_characters, 2 * n));
    for (size_t r = 0; r < n; r++) {
        double margin = p->margin ? p->margin(item_of[r], k, s) : planted_margin(item_of[r], k, s);
        l.choice_indptr[r + 1] = 2 * (r + 1);
        l.token_indptr[2 * r + 1] = 3 * r + 1;
        l.token_indptr[2 * r + 2] = 3 * r + 3;
        l.values[3 * r] = -4.0f;
        l.values[3 * r + 1] = -1.0f;
        l.values[3 * r + 2] = planted_finite(p, item_of[r], k, s) ? (float)(margin - 3.0) : NAN;
        l.choice_characters[2 * r] = 2;
        l.choice_characters[2 * r + 1] = 3;
        l.score[2 * r] = -4.0;
        l.score[2 * r + 1] = (double)l.values[3 * r + 1] + (double)l.values[3 * r + 2];
    }
    if (p->uneven) {
        l.n_tokens = 3 * n - 2;
        l.choice_indptr[n] = l.n_choices = 2 * n - 1;
    }
    OK(pl_unit_put_loglik(w, &l));
    free(l.choice_indptr);
    free(l.token_indptr);
    free(l.token_ids);
    free(l.values);
    free(l.greedy);
    free(l.score);
    free(l.choice_bytes);
    free(l.choice_characters);
}

/* Two prompts with the margin and one with its opposite: p(label 1) = (2 q + (1 - q)) / 3, q that of the margin. */
static inline void planted_content_free(const planted *p, pl_unit_writer *w)
{
    const char *prompts[] = {"N/A", "[MASK]", ""};
    double m = p->free_margin, scores[] = {-4.0, m - 4.0, -90.0, m - 90.0, m - 1.0, -1.0};
    if (p->silent) scores[2] = scores[3] = -INFINITY;
    const pl_content_free c = {.n = 3, .n_labels = 2, .prompt = prompts, .score = scores};
    if (m != 0.0) OK(pl_unit_put_content_free(w, &c));
}

static inline void planted_states(const planted *p, pl_unit_writer *w, const size_t *item_of, size_t k, size_t s)
{
    static const char *const names[] = {"last.00", "last.01", "last.final_norm"};
    float *x = calloc(p->n * PLANTED_WIDTH, sizeof *x);
    uint8_t *absent = calloc(p->n, 1);
    assert_true(x && absent);
    for (size_t layer = 0; layer < 3; layer++) {
        for (size_t r = 0; r < p->n; r++)
            for (size_t d = 0; d < PLANTED_WIDTH; d++) {
                float value = p->state(item_of[r], k, s, d);
                if (layer == 0) value = 0.5f; /* the same last token everywhere */
                if (p->captured && item_of[r] >= p->captured) value = NAN;
                x[r * PLANTED_WIDTH + d] = value;
                absent[r] = p->absent && isnan(value);
            }
        OK(pl_unit_put_states(w, names[layer], x, p->n, PLANTED_WIDTH, p->storage, absent));
    }
    free(x);
    free(absent);
}

static inline void planted_prompts(const planted *p, pl_unit_writer *w, const size_t *item_of, size_t k)
{
    enum { MOST = 80 };
    uint64_t *indptr = calloc(p->n + 1, sizeof *indptr);
    int32_t *ids = calloc(p->n * MOST, sizeof *ids), id;
    assert_true(indptr && ids);
    for (size_t r = 0; r < p->n; r++) {
        indptr[r + 1] = indptr[r];
        for (size_t place = 0; (id = p->token(item_of[r], k, place)) >= 0; place++) ids[indptr[r + 1]++] = id;
        assert_true(indptr[r + 1] - indptr[r] <= MOST);
    }
    OK(pl_unit_put_tokens(w, indptr, p->n, ids));
    free(ids);
    free(indptr);
}

static inline void planted_samples(const planted *p, pl_unit_writer *w, const size_t *item_of)
{
    char **texts = calloc(p->n, sizeof *texts);
    assert_non_null(texts);
    for (size_t r = 0; r < p->n; r++) {
        json_t *sample =
            json_pack("{s:{s:I,s:I},s:i,s:[[s,s],[s,s]],s:[[[f,b]],[[f,b]]],s:[[f,b],[f,b]]}", "doc", "item",
                      (json_int_t)item_of[r], "frame", (json_int_t)(item_of[r] / (p->cluster ? p->cluster : 1)),
                      "target", planted_gold(item_of[r]), "arguments", "prompt", " no", "prompt", " yes", "resps", -4.0,
                      0, -3.0, 1, "filtered_resps", -4.0, 0, -3.0, 1);
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
    if (s + p->learned < p->draws) planted_content_free(p, w);
    planted_samples(p, w, item_of);
    if (p->state) planted_states(p, w, item_of, k, s);
    if (p->token) planted_prompts(p, w, item_of, k);
    bool other = p->other_numerics && k + 1 == p->t && s + 1 == p->draws;
    json_t *attributes =
        json_pack("{s:s}", "numerics_key", other ? "cuda; cuBLASLt; numerics 1" : "cpu; own; numerics 1");
    char config[64];
    snprintf(config, sizeof config, p->captured ? "{\"capture\":{\"items\":%zu}}" : "{}", p->captured);
    OK(pl_unit_put_config(w, config, attributes));
    json_decref(attributes);
    OK(pl_unit_finish(w));
    free(item_of);
}

/* The unit that adapted the model; it has no items. */
static inline void planted_learner(const planted *p)
{
    char path[PL_PATH_MAX];
    pl_unit_writer *w;
    pl_frame *f;
    OK(pl_run_folder_unit(path, &p->run, "a-fit"));
    OK(pl_unit_create(&w, path));
    OK(pl_frame_create(&f, 1));
    OK(pl_frame_set_text(f, planted_column(f, "_index", PL_COLUMN_TEXT), 0, "0-a-fit"));
    OK(pl_unit_put_obs(w, f));
    pl_frame_free(f);
    json_t *attributes =
        json_pack("{s:f,s:f}", "learned_accuracy", p->dev_accuracy, "learned_dev_tokens", p->dev_tokens);
    OK(pl_unit_put_config(w, "{}", attributes));
    json_decref(attributes);
    OK(pl_unit_finish(w));
}

/* The run folder with all its units. */
static inline void plant_run(planted *p)
{
    make_folder(p->root);
    json_t *plan = planted_plan(p), *manifest = json_object();
    OK(pl_run_folder_create(&p->run, p->root, "planted", "01234567", "name: planted\n", 14, manifest, plan));
    json_decref(plan);
    json_decref(manifest);
    for (size_t s = 0; s < p->draws; s++)
        for (size_t k = 0; k < p->t; k++) planted_unit(p, k, s);
    if (p->dev_accuracy > 0) planted_learner(p);
    p->view = NULL;
}

static inline pl_run_view *planted_view(planted *p)
{
    if (!p->view) OK(pl_run_view_open(&p->view, &p->run));
    return p->view;
}

/* Plants the run; its table, to be freed before it is uprooted. */
static inline pl_stability_table *planted_table(planted *p)
{
    pl_stability_table *t;
    plant_run(p);
    OK(pl_stability_of_run(&t, planted_view(p), NULL));
    return t;
}

static inline void uproot(planted *p)
{
    pl_run_view_close(p->view);
    p->view = NULL;
    remove_folder(p->root);
}

#endif
