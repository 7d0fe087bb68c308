/* plumb tsne: a map of the states in any HDF5 file, and what stands beside it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json_build.h"
#include "base/progress.h"
#include "base/temporary.h"
#include "base/visible.h"
#include "cli/cli.h"
#include "store/matrices.h"
#include "tsne/numbers.h"

#define GROUP "/uns/plumb_tsne"

/* Everything one call holds. */
typedef struct mapping {
    const char *file, *out, *dataset;
    size_t rows, width, n; /* n: rows that are finite */
    float *values;         /* [rows, width]; the finite ones are moved to the front */
    size_t *row_of;        /* [n] */
    pl_processor processor;
    pl_map_settings settings;
    pl_state_map map;
    pl_progress progress;
    pl_arena *arena;
} mapping;

/* ---- what is read ---- */

/* The only matrix of the file that is no map. */
static pl_status only_matrix(mapping *m)
{
    const char **names;
    size_t n, kept = 0;
    pl_bytes list = {0};
    PL_TRY(pl_matrices_list(m->arena, m->file, &names, &n));
    for (size_t i = 0; i < n; i++)
        if (strncmp(names[i], GROUP "/", sizeof GROUP) != 0 && strcmp(names[i], "/obsm/X_tsne") != 0)
            names[kept++] = names[i];
    if (kept == 1) {
        m->dataset = names[0];
        return PL_OK;
    }
    if (kept == 0)
        return pl_fail(PL_E_INPUT, "%s: no matrix in it: expected a data set of two dims that holds reals", m->file);
    pl_status status = PL_OK;
    for (size_t i = 0; i < kept && i < 4 && status == PL_OK; i++)
        status = pl_bytes_format(&list, "%s%s", i ? ", " : "", names[i]);
    if (status == PL_OK)
        status = pl_fail(PL_E_USAGE, "%s holds %zu matrices (%s%s): name one with --dataset", m->file, kept, list.data,
                         kept > 4 ? ", ..." : "");
    pl_bytes_free(&list);
    return status;
}

static bool is_finite(const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(x[i])) return false;
    return true;
}

/* Moves the finite rows to the front. */
static pl_status keep_finite(mapping *m)
{
    PL_TRY(pl_arena_new(m->arena, &m->row_of, m->rows));
    size_t first = SIZE_MAX;
    for (size_t i = 0; i < m->rows; i++) {
        if (!is_finite(m->values + i * m->width, m->width)) {
            if (first == SIZE_MAX) first = i;
            continue;
        }
        if (m->n != i) memcpy(m->values + m->n * m->width, m->values + i * m->width, m->width * sizeof *m->values);
        m->row_of[m->n++] = i;
    }
    if (m->n < 2)
        return pl_fail(PL_E_INPUT, "%s: %s: %zu of %zu rows are finite: expected at least 2", m->file, m->dataset, m->n,
                       m->rows);
    if (m->n < m->rows)
        pl_print(stderr,
                 "warning: %s: %s: %zu of %zu rows have NaN or infinite values, row %zu first: they have no place\n",
                 m->file, m->dataset, m->rows - m->n, m->rows, first);
    return PL_OK;
}

static pl_status read_options(mapping *m, const pl_arguments *arguments)
{
    size_t perplexity = PL_MAP_PERPLEXITY;
    const char *device = arguments->values[PL_OPTION_DEVICE];
    m->settings = (pl_map_settings){.processor = &m->processor, .dims = PL_MAP_DIMS, .seeds = PL_MAP_SEEDS};
    PL_TRY(pl_argument_size(arguments, PL_OPTION_PERPLEXITY, &perplexity));
    PL_TRY(pl_argument_size(arguments, PL_OPTION_DIMS, &m->settings.dims));
    PL_TRY(pl_argument_size(arguments, PL_OPTION_SEEDS, &m->settings.seeds));
    PL_TRY(pl_argument_size(arguments, PL_OPTION_THREADS, &m->settings.threads));
    m->settings.perplexity = (double)perplexity;
    return pl_processor_open(&m->processor, device ? device : "cpu", (int)m->settings.threads);
}

/* A unit's bytes are vouched for by its sidecar. */
static pl_status refuse_unit(const mapping *m)
{
    char sidecar[PL_PATH_MAX];
    const size_t size = strlen(m->file);
    if (size < 3 || strcmp(m->file + size - 3, ".h5") != 0) return PL_OK;
    PL_TRY(pl_path(sidecar, "%.*s.json", (int)(size - 3), m->file));
    if (strcmp(m->out, m->file) != 0 || !strstr(m->file, "units/") || !pl_file_exists(sidecar)) return PL_OK;
    return pl_fail(PL_E_USAGE, "%s: a unit of a run, whose bytes must stay: give another file with --out FILE.h5",
                   m->file);
}

/* ---- the map ---- */

static void count_step(void *context)
{
    pl_progress *p = context;
    pl_progress_set(p, p->done + 1);
}

static pl_status make_map(mapping *m, bool quiet)
{
    double seconds;
    char text[32];
    m->settings.step = count_step;
    m->settings.context = &m->progress;
    if (m->n >= PL_MAP_LEAST) {
        PL_TRY(pl_map_seconds(&seconds, m->n, &m->settings));
        pl_duration_text(text, seconds);
        if (!quiet)
            pl_print(stderr, "%s: %s: %zu rows of %zu values, perplexity %g, %zu %s: about %s\n", m->file, m->dataset,
                     m->n, m->width, m->settings.perplexity, m->settings.seeds,
                     m->settings.seeds == 1 ? "seed" : "seeds", text);
    }
    pl_progress_start(&m->progress, "t-SNE", "iterations", pl_map_iterations(m->settings.seeds), quiet);
    PL_TRY(pl_state_map_of(&m->map, m->values, m->n, m->width, &m->settings));
    if (m->map.has_map) pl_progress_end(&m->progress);
    return PL_OK;
}

/* ---- what is written ---- */

/* [n, width] of the finite rows to [rows, width], NaN elsewhere. */
static pl_status scatter(const float **out, const mapping *m, const float *values, size_t width)
{
    float *all;
    PL_TRY(pl_arena_new(m->arena, &all, m->rows * width));
    for (size_t i = 0; i < m->rows * width; i++) all[i] = NAN;
    for (size_t i = 0; i < m->n; i++)
        for (size_t c = 0; c < width; c++) all[m->row_of[i] * width + c] = values[i * width + c];
    *out = all;
    return PL_OK;
}

/* The columns of the CSV and the arrays of the file: what a row has. */
typedef struct column {
    const char *group, *name, *heading; /* heading of one of width 1, or the start of "<heading>_1", "<heading>_2" */
    const float *values;                /* [rows, width] */
    size_t width;
} column;
enum { COLUMNS = 6 };

static pl_status columns_of(column out[COLUMNS], size_t *n, const mapping *m)
{
    bool has_obs;
    const pl_reliability *r = &m->map.reliability;
    PL_TRY(pl_matrices_have(&has_obs, m->file, "/obs"));
    /* /obsm is aligned with /obs. */
    const char *group =
        !has_obs || strncmp(m->dataset, "/obsm/", 6) == 0 || strcmp(m->dataset, "/X") == 0 ? "/obsm" : GROUP;
    const column all[COLUMNS] = {{GROUP, "pca", "pca", m->map.pca, 2},
                                 {group, "X_tsne", "tsne", m->map.plain.at, 2},
                                 {GROUP, "exaggeration_4", "tsne_4", m->map.exaggerated.at, 2},
                                 {GROUP, "reliability", "reliability", r->score, 1},
                                 {GROUP, "agreement", "agreement", r->agreement, 1},
                                 {GROUP, "displacement", "displacement", r->displacement, 1}};
    *n = m->map.has_map ? COLUMNS : 1;
    for (size_t i = 0; i < *n; i++) {
        out[i] = all[i];
        PL_TRY(scatter(&out[i].values, m, all[i].values, all[i].width));
    }
    return PL_OK;
}

static pl_status write_csv(const mapping *m, const column *columns, size_t n, const char *path)
{
    pl_bytes text = {0};
    pl_status status;
    PL_GOTO(status, done, pl_bytes_text(&text, "row"));
    for (size_t c = 0; c < n; c++) {
        if (columns[c].width == 1) PL_GOTO(status, done, pl_bytes_format(&text, ",%s", columns[c].heading));
        for (size_t k = 1; columns[c].width > 1 && k <= columns[c].width; k++)
            PL_GOTO(status, done, pl_bytes_format(&text, ",%s_%zu", columns[c].heading, k));
    }
    PL_GOTO(status, done, pl_bytes_text(&text, "\n"));
    for (size_t i = 0; i < m->rows; i++) {
        PL_GOTO(status, done, pl_bytes_format(&text, "%zu", i));
        for (size_t c = 0; c < n; c++) {
            for (size_t k = 0; k < columns[c].width; k++) {
                const double value = (double)columns[c].values[i * columns[c].width + k];
                PL_GOTO(status, done,
                        isnan(value) ? pl_bytes_text(&text, ",") : pl_bytes_format(&text, ",%.6g", value));
            }
        }
        PL_GOTO(status, done, pl_bytes_text(&text, "\n"));
    }
    status = pl_file_replace(path, text.data, text.size);
done:
    pl_bytes_free(&text);
    return status;
}

/* What a reader needs to judge the map: data sets of one value in the file, and what --json prints. */
static pl_status numbers_of(json_t **out, const mapping *m)
{
    pl_json_builder b;
    pl_json_begin(&b);
    pl_json_put_text(&b, "dataset", m->dataset);
    pl_json_put_text(&b, "version", PLUMB_VERSION);
    pl_json_put_size(&b, "rows", m->rows);
    pl_json_put_size(&b, "rows_placed", m->n);
    pl_map_numbers(&b, &m->map);
    return pl_json_end(&b, out, "the numbers of a map");
}

static pl_status write_map(const mapping *m, const column *columns, size_t n, const json_t *numbers)
{
    pl_addition additions[COLUMNS];
    for (size_t i = 0; i < n; i++)
        additions[i] = (pl_addition){.group = columns[i].group,
                                     .name = columns[i].name,
                                     .values = columns[i].values,
                                     .rows = m->rows,
                                     .width = columns[i].width == 1 ? 0 : columns[i].width};
    return pl_matrices_add(m->out, m->file, additions, n, &(pl_entries){GROUP, numbers}, 1);
}

static void print_chart(const char *name, const pl_chart *c)
{
    printf("  %-24s %8.4f %8.3f %10.3f %12.3f %10.3f\n", name, c->kl, c->quality.knn_recall, c->quality.trustworthiness,
           c->quality.continuity, c->quality.spearman);
}

static void print_summary(const mapping *m, const char *csv)
{
    const pl_state_map *map = &m->map;
    printf("  %zu points, %zu principal components, the first two %.1f %% and %.1f %% of the variance\n", m->n,
           map->dims, 100.0 * map->explained[0], 100.0 * map->explained[1]);
    if (!map->has_map) {
        printf("  no t-SNE: %zu points, fewer than %d, have no neighbourhoods to map; their principal components are "
               "there\n",
               m->n, (int)PL_MAP_LEAST);
    } else {
        printf("  %-24s %8s %8s %10s %12s %10s\n", "map", "KL", "k-NN", "trustworth", "continuity", "distances");
        print_chart("exaggeration 1", &map->plain);
        print_chart("exaggeration 4", &map->exaggerated);
        for (size_t s = 1; s < map->n_seeds; s++) {
            char name[48];
            snprintf(name, sizeof name, "exaggeration 1, seed %zu", s + 1);
            print_chart(name, &map->seeds[s]);
        }
        if (map->n_seeds > 1) printf("  shapes of the seeds differ by %.3f (Procrustes, 0 to 1)\n", map->disparity);
        printf(
            "  %zu of %zu points are not to be trusted (reliability); distances between clusters and their sizes mean "
            "nothing\n",
            map->reliability.n_doubtful, m->n);
    }
    fflush(stdout);
    pl_print(stdout, "  %s, %s\n", m->out, csv);
}

static pl_status put_out(const mapping *m, bool json)
{
    column columns[COLUMNS];
    size_t n, size = strlen(m->out);
    char csv[PL_PATH_MAX];
    json_t *numbers;
    if (size > 3 && strcmp(m->out + size - 3, ".h5") == 0) size -= 3;
    PL_TRY(pl_path(csv, "%.*s.tsne.csv", (int)size, m->out));
    PL_TRY(columns_of(columns, &n, m));
    PL_TRY(numbers_of(&numbers, m));
    pl_temporary_sweep(m->out); /* of one that was killed */
    pl_status status = write_map(m, columns, n, numbers);
    if (status == PL_OK) status = write_csv(m, columns, n, csv);
    if (status != PL_OK || !json) {
        json_decref(numbers);
        if (status == PL_OK) print_summary(m, csv);
        return status;
    }
    return pl_print_json(numbers, false);
}

pl_status pl_verb_tsne(const pl_arguments *arguments)
{
    char file[PL_PATH_MAX];
    mapping m = {.file = file, .dataset = arguments->values[PL_OPTION_DATASET]};
    pl_status status;
    PL_TRY(pl_path_real(file, arguments->words[0])); /* a link stays one */
    m.out = arguments->values[PL_OPTION_OUT] ? arguments->values[PL_OPTION_OUT] : file;
    PL_GOTO(status, done, pl_arena_create(&m.arena));
    PL_GOTO(status, done, read_options(&m, arguments));
    PL_GOTO(status, done, refuse_unit(&m));
    if (!m.dataset) PL_GOTO(status, done, only_matrix(&m));
    PL_GOTO(status, done, pl_matrix_read(&m.values, &m.rows, &m.width, m.file, m.dataset));
    PL_GOTO(status, done, keep_finite(&m));
    PL_GOTO(status, done, make_map(&m, pl_argument_flag(arguments, PL_OPTION_QUIET)));
    status = put_out(&m, pl_argument_flag(arguments, PL_OPTION_JSON));
done:
    pl_state_map_free(&m.map);
    pl_processor_close(&m.processor);
    free(m.values);
    pl_arena_free(m.arena);
    return status;
}
