/* What the analysis of a run costs a unit, without a model: runs of planted units of 1 and of 40 items, then `analyze`
 * of them, a second `analyze` (nothing changed), and `status`, each as a process of its own.
 *
 *   bench-analysis PLUMB FOLDER [UNITS ...]     PLUMB: the program; FOLDER: some place in memory (/dev/shm/x)
 *   bench-analysis PLUMB FOLDER printed          one run of 800 items, 16 templates, 5 draws, 13 layers of width 768
 *
 * Units: numbers of shots x templates x draws; two labels, log-likelihoods, samples, states. Time and memory are what
 * wait4 says: memory is that of the largest process. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/random.h"
#include "store/obs.h"
#include "store/plan_file.h"
#include "store/run_folder.h"
#include "store/unit_file.h"

enum { TEMPLATES_MAX = 16 };

/* What a run is made of. Layers: the last is final_norm. */
typedef struct shape {
    size_t shots, templates, layers, width;
} shape;
static const shape small = {5, 5, 2, 64}, printed = {1, 16, 13, 768};
static shape run_shape;

static const char *const labels[] = {"negative", "positive"};
static const char *const names[TEMPLATES_MAX] = {"standard", "question", "statement", "dialogue", "fields", "t05",
                                                 "t06",      "t07",      "t08",       "t09",      "t10",    "t11",
                                                 "t12",      "t13",      "t14",       "t15"};

static void need(pl_status status)
{
    if (status == PL_OK) return;
    fprintf(stderr, "bench-analysis: %s\n", pl_error_text());
    exit(1);
}

typedef struct cell {
    size_t k, draw, template, n;
    char id[PL_HASH_TEXT];
} cell;

static cell cell_of(size_t unit, size_t items)
{
    size_t t = run_shape.templates, s = run_shape.shots;
    cell c = {.template = unit % t, .k = unit / t % s + (s == 1), .draw = unit / t / s, .n = items};
    pl_hash128(c.id, &c, offsetof(cell, id));
    return c;
}

/* A number in [0, 1) for each purpose. */
static double chance_of(const cell *c, size_t item, size_t purpose)
{
    const size_t key[] = {c->k, c->draw, c->template, item, purpose};
    uint64_t words[2];
    pl_hash128_words(words, key, sizeof key);
    return (double)(words[0] >> 11) / 9007199254740992.0;
}

static double margin_of(const cell *c, size_t item)
{
    return (item % 5 < 3 ? 1.0 : -1.0) + 2.0 * (chance_of(c, item, 0) - 0.5) + 0.3 * (double)c->template;
}

static void put_obs(pl_unit_writer *w, const cell *c)
{
    pl_obs obs;
    char hash[PL_SHA256_TEXT];
    need(pl_obs_create(&obs, c->n, PL_OBS_SCORED));
    for (size_t i = 0; i < c->n; i++) {
        size_t label = i % 5 < 3, prediction = margin_of(c, i) > 0.0;
        const struct {
            pl_obs_column column;
            const char *text;
        } texts[] = {{PL_OBS_MODEL, "small"},
                     {PL_OBS_TASK, "sentiment"},
                     {PL_OBS_ARM, "prompt"},
                     {PL_OBS_READOUT, "loglikelihood"},
                     {PL_OBS_TEMPLATE, names[c->template]},
                     {PL_OBS_ROLE, c->template ? "ood" : "id"},
                     {PL_OBS_LABEL, labels[label]},
                     {PL_OBS_PREDICTION, labels[prediction]},
                     {PL_OBS_OUTCOME, "label"},
                     {PL_OBS_TRUNCATED, "no"}};
        need(pl_obs_set_name(&obs, i, i, c->id));
        for (size_t t = 0; t < sizeof texts / sizeof *texts; t++)
            need(pl_obs_set_text(&obs, texts[t].column, i, texts[t].text));
        pl_sha256(hash, &i, sizeof i);
        need(pl_obs_set_text(&obs, PL_OBS_DOC_HASH, i, hash));
        pl_sha256(hash, &(size_t[]){i, c->k, c->draw, c->template}, 4 * sizeof(size_t));
        need(pl_obs_set_text(&obs, PL_OBS_PROMPT_HASH, i, hash));
        pl_obs_set_integer(&obs, PL_OBS_K, i, (int64_t)c->k);
        pl_obs_set_integer(&obs, PL_OBS_DRAW, i, (int64_t)c->draw);
        pl_obs_set_integer(&obs, PL_OBS_SEED, i, 1234);
        pl_obs_set_integer(&obs, PL_OBS_LABEL_INDEX, i, (int64_t)label);
        pl_obs_set_integer(&obs, PL_OBS_PREDICTION_INDEX, i, (int64_t)prediction);
        pl_obs_set_integer(&obs, PL_OBS_N_TOKENS, i, 120);
        pl_obs_set_bool(&obs, PL_OBS_FINITE, i, 1);
        pl_obs_set_bool(&obs, PL_OBS_CORRECT, i, prediction == label);
        pl_obs_set_bool(&obs, PL_OBS_ACC_NORM, i, prediction == label);
    }
    need(pl_unit_put_obs(w, obs.frame));
    pl_obs_free(&obs);
}

static void put_loglik(pl_unit_writer *w, const cell *c)
{
    size_t n = c->n;
    pl_loglik l = {.n_rows = n, .n_choices = 2 * n, .n_tokens = 2 * n};
    need(pl_new(&l.choice_indptr, n + 1));
    need(pl_new(&l.token_indptr, 2 * n + 1));
    need(pl_new(&l.token_ids, 2 * n));
    need(pl_new(&l.values, 2 * n));
    need(pl_new(&l.greedy, 2 * n));
    need(pl_new(&l.score, 2 * n));
    need(pl_new(&l.choice_bytes, 2 * n));
    need(pl_new(&l.choice_characters, 2 * n));
    for (size_t i = 0; i < n; i++) l.choice_indptr[i + 1] = 2 * (i + 1);
    for (size_t j = 0; j < 2 * n; j++) {
        l.token_indptr[j + 1] = j + 1;
        l.values[j] = (float)(j % 2 ? margin_of(c, j / 2) - 3.0 : -3.0);
        l.score[j] = (double)l.values[j];
        l.choice_bytes[j] = l.choice_characters[j] = 8;
    }
    need(pl_unit_put_loglik(w, &l));
    void *const owned[] = {l.choice_indptr, l.token_indptr, l.token_ids,    l.values,
                           l.greedy,        l.score,        l.choice_bytes, l.choice_characters};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) free(owned[i]);
}

static void put_samples(pl_unit_writer *w, const cell *c)
{
    char **texts;
    need(pl_new(&texts, c->n));
    for (size_t i = 0; i < c->n; i++) {
        char prompt[1024];
        snprintf(prompt, sizeof prompt, "%s: the film number %zu had \"a plot\",\nand that was all there was to it.",
                 names[c->template], i);
        json_t *sample =
            json_pack("{s:{s:I,s:s,s:i},s:i,s:[[s,s],[s,s]],s:[[[f,b]],[[f,b]]],s:[[f,b],[f,b]]}", "doc", "id",
                      (json_int_t)i, "text", prompt + 8, "label", (int)(i % 5 < 3), "target", (int)(i % 5 < 3),
                      "arguments", prompt, " negative", prompt, " positive", "resps", -3.0, 0, margin_of(c, i) - 3.0, 1,
                      "filtered_resps", -3.0, 0, margin_of(c, i) - 3.0, 1);
        texts[i] = json_dumps(sample, JSON_COMPACT | JSON_REAL_PRECISION(17));
        json_decref(sample);
    }
    need(pl_unit_put_samples(w, (const char *const *)texts, c->n));
    for (size_t i = 0; i < c->n; i++) free(texts[i]);
    free(texts);
}

static void put_states(pl_unit_writer *w, const cell *c)
{
    size_t width = run_shape.width;
    float *x;
    need(pl_new(&x, c->n * width));
    for (size_t l = 0; l < run_shape.layers; l++) {
        char layer[32];
        snprintf(layer, sizeof layer, l + 1 < run_shape.layers ? "last.%02zu" : "last.final_norm", l + 1);
        for (size_t i = 0; i < c->n; i++) {
            float offset = (float)chance_of(c, i, 1 + l), label = i % 5 < 3 ? 0.1f : -0.1f;
            for (size_t d = 0; d < width; d++)
                x[i * width + d] =
                    sinf((float)((i + l) * width + d)) + offset * (float)(d % 3) + label * (float)(d % 2);
        }
        need(pl_unit_put_states(w, layer, x, c->n, width, PL_F32, NULL));
    }
    free(x);
}

static void write_unit(pl_run_folder *run, const cell *c)
{
    char path[PL_PATH_MAX];
    bool found;
    pl_unit_writer *w;
    json_t *entries = json_pack("{s:s,s:s,s:s,s:s}", "unit_id", c->id, "numerics_key", "cpu; plumb; numerics 2",
                                "compute_type", "float32", "model_type", "gpt2"),
           *sidecar = json_pack("{s:s}", "host", "bench");
    need(pl_run_folder_unit(path, run, c->id));
    need(pl_unit_create(&w, path));
    put_obs(w, c);
    put_loglik(w, c);
    put_samples(w, c);
    put_states(w, c);
    need(pl_unit_put_config(w, "{\"capture\":{\"items\":null}}", entries));
    need(pl_run_folder_finish(run, c->id, w, sidecar, &found));
    json_decref(entries);
    json_decref(sidecar);
}

static void make_run(pl_run_folder *run, const char *folder, size_t units, size_t items)
{
    pl_planned_model model = {.name = "small", .weights = "w", .tokenizer = "t", .model_type = "gpt2", .parameters = 1};
    size_t n_templates = run_shape.templates;
    pl_planned_template templates[TEMPLATES_MAX];
    for (size_t t = 0; t < n_templates; t++) templates[t] = (pl_planned_template){names[t], t ? "ood" : "id", NULL};
    pl_planned_task task = {.name = "sentiment",
                            .version = "1.0",
                            .task_hash = "0",
                            .filter = "none",
                            .items = items,
                            .test_items = items,
                            .n_labels = 2,
                            .n_templates = n_templates,
                            .templates = templates};
    cell *cells;
    pl_planned_unit *planned;
    need(pl_new(&cells, units));
    need(pl_new(&planned, units));
    for (size_t u = 0; u < units; u++) {
        cells[u] = cell_of(u, items);
        planned[u] = (pl_planned_unit){.id = cells[u].id,
                                       .arm = "prompt",
                                       .readout = "loglikelihood",
                                       .template_name = names[cells[u].template],
                                       .role = templates[cells[u].template].role,
                                       .k = cells[u].k,
                                       .draw = cells[u].draw,
                                       .seed = 1234};
    }
    const pl_plan_file plan = {.name = "bench",
                               .hash = "0123456789abcdef",
                               .n_models = 1,
                               .n_tasks = 1,
                               .n_units = units,
                               .models = &model,
                               .tasks = &task,
                               .units = planned};
    json_t *json, *manifest = json_object();
    char name[64];
    snprintf(name, sizeof name, "units%zu-items%zu", units, items);
    need(pl_plan_file_json(&json, &plan));
    need(pl_run_folder_create(run, folder, name, "0123456789abcdef", "name: bench\n", 12, manifest, json));
    for (size_t u = 0; u < units; u++)
        if (!pl_run_folder_has(run, cells[u].id)) write_unit(run, &cells[u]);
    json_decref(json);
    json_decref(manifest);
    free(planned);
    free(cells);
}

/* Runs PLUMB VERB RUN with its output thrown away and prints its cost. */
static void measure(const char *plumb, const char *verb, const char *what, const pl_run_folder *run, size_t units,
                    size_t items)
{
    struct rusage usage;
    int code;
    fflush(stdout); /* or the child writes it too */
    double start = pl_clock_s();
    pid_t child = fork();
    if (child == 0) {
        if (!freopen("/dev/null", "w", stdout)) _exit(127);
        execl(plumb, plumb, verb, run->path, (char *)NULL);
        _exit(127);
    }
    if (child < 0 || wait4(child, &code, 0, &usage) < 0 || code != 0) {
        fprintf(stderr, "bench-analysis: %s %s %s failed\n", plumb, verb, run->path);
        exit(1);
    }
    double wall = pl_clock_s() - start, cpu = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                                              1e-6 * (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
    printf("| %zu | %zu | %s | %.2f | %.2f | %.3f | %.0f | %.1f |\n", items, units, what, wall, cpu,
           1e3 * wall / (double)units, (double)usage.ru_maxrss / 1024.0, (double)usage.ru_maxrss / (double)units);
    fflush(stdout);
}

/* The printed set: every number of it, from all states. */
static int run_printed(char **argv)
{
    enum { ITEMS = 800, DRAWS = 5 };
    pl_run_folder run;
    size_t units = DRAWS * printed.templates;
    run_shape = printed;
    make_run(&run, argv[2], units, ITEMS);
    measure(argv[1], "analyze", "analyze, printed set", &run, units, ITEMS);
    return 0;
}

int main(int argc, char **argv)
{
    static const size_t items[] = {1, 40}, usual[] = {1000, 5000};
    if (argc < 3) return fprintf(stderr, "usage: bench-analysis PLUMB FOLDER [UNITS ...]\n"), 2;
    size_t n = argc > 3 ? (size_t)argc - 3 : 2;
    run_shape = small;
    printf("| items | units | what | s | CPU s | ms a unit | MiB | KiB a unit |\n|---|---|---|---|---|---|---|---|\n");
    if (argc == 4 && !strcmp(argv[3], "printed")) return run_printed(argv);
    for (size_t i = 0; i < 2; i++)
        for (size_t u = 0; u < n; u++) {
            pl_run_folder run;
            size_t units = argc > 3 ? strtoul(argv[3 + u], NULL, 10) : usual[u];
            make_run(&run, argv[2], units, items[i]);
            measure(argv[1], "analyze", "analyze", &run, units, items[i]);
            measure(argv[1], "analyze", "analyze again", &run, units, items[i]);
            measure(argv[1], "status", "status", &run, units, items[i]);
        }
    return 0;
}
