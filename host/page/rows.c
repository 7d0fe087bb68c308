#include "page/rows.h"

#include <ctype.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "page/map_part.h"

/* ---- the files of a run ---- */

static pl_status read_table(pl_csv_table *out, const pl_run_folder *run, const char *name, bool required)
{
    char path[PL_PATH_MAX];
    PL_TRY(pl_path(path, "%s/%s", run->path, name));
    if (pl_file_exists(path)) return pl_csv_read(out, path);
    if (!required) return PL_OK;
    return pl_fail(PL_E_INPUT, "%s: no such table; make it from the run's units: plumb analyze %s", path, run->path);
}

static pl_status read_maps(pl__run *run, pl_arena *arena)
{
    char path[PL_PATH_MAX];
    pl_helper reader = pl__map_reader();
    PL_TRY(pl_path(path, "%s/analysis.h5", run->folder->path));
    if (!pl_file_exists(path)) return PL_OK;
    pl_status status = pl__map_heads(&run->maps, &reader, path);
    if (status == PL_OK && !run->maps)
        status = pl_arena_text(arena, (char **)&run->no_maps, pl_error_text(), strlen(pl_error_text()));
    pl_helper_stop(&reader);
    return status;
}

static pl_status read_run(pl__run *out, const pl_run_folder *folder, pl_arena *arena)
{
    const char *slash = strrchr(folder->path, '/');
    out->folder = folder;
    out->name = slash && slash[1] ? slash + 1 : folder->path;
    PL_TRY(pl_run_view_open(&out->view, folder));
    out->plan = pl_run_view_plan(out->view);
    for (size_t u = 0; u < out->plan->n_units; u++)
        out->n_missing += !pl_run_folder_has(folder, out->plan->units[u].id);
    PL_TRY(read_table(&out->stability, folder, "stability.csv", true));
    PL_TRY(read_table(&out->arms, folder, "arms.csv", false));
    PL_TRY(read_table(&out->verdict, folder, "verdict.csv", false));
    PL_TRY(read_table(&out->contrasts, folder, "contrasts.csv", false));
    return read_maps(out, arena);
}

/* ---- the rows of a condition ---- */

typedef struct columns {
    size_t model, task, arm, readout, k, draw, order, seed, template_name, layer, position, preproc, metric, contrast,
        value, lo, hi, p_adjusted, n_seeds, null_mean, null_q95, null_name, generalises, why_empty, note;
} columns;

static columns columns_of(const pl_csv_table *t)
{
    return (columns){
        .model = pl_csv_column(t, "model"),
        .task = pl_csv_column(t, "task"),
        .arm = pl_csv_column(t, "arm"),
        .readout = pl_csv_column(t, "readout"),
        .k = pl_csv_column(t, "k"),
        .draw = pl_csv_column(t, "draw"),
        .order = pl_csv_column(t, "order"),
        .seed = pl_csv_column(t, "seed"),
        .template_name = pl_csv_column(t, "template"),
        .layer = pl_csv_column(t, "layer"),
        .position = pl_csv_column(t, "position"),
        .preproc = pl_csv_column(t, "preproc"),
        .metric = pl_csv_column(t, "metric"),
        .contrast = pl_csv_column(t, "contrast"),
        .value = pl_csv_column(t, "value"),
        .lo = pl_csv_column(t, "lo"),
        .hi = pl_csv_column(t, "hi"),
        .p_adjusted = pl_csv_column(t, "p_adjusted"),
        .n_seeds = pl_csv_column(t, "n_seeds"),
        .null_mean = pl_csv_column(t, "null_mean"),
        .null_q95 = pl_csv_column(t, "null_q95"),
        .null_name = pl_csv_column(t, "null_name"),
        .generalises = pl_csv_column(t, "generalises"),
        .why_empty = pl_csv_column(t, "why_empty"),
        .note = pl_csv_column(t, "note"),
    };
}

static long long integer_at(const pl_csv_table *t, size_t row, size_t column)
{
    return strtoll(pl_csv_at(t, row, column), NULL, 10);
}

static void read_row(pl__row *out, const pl_csv_table *t, const columns *c, size_t row)
{
    *out = (pl__row){
        .template_name = pl_csv_at(t, row, c->template_name),
        .layer = pl_csv_at(t, row, c->layer),
        .position = pl_csv_at(t, row, c->position),
        .preproc = pl_csv_at(t, row, c->preproc),
        .metric = pl_csv_at(t, row, c->metric),
        .contrast = pl_csv_at(t, row, c->contrast),
        .generalises = pl_csv_at(t, row, c->generalises),
        .null_name = pl_csv_at(t, row, c->null_name),
        .why_empty = pl_csv_at(t, row, c->why_empty),
        .note = pl_csv_at(t, row, c->note),
        .draw = integer_at(t, row, c->draw),
        .order = integer_at(t, row, c->order),
        .seed = integer_at(t, row, c->seed),
        .n_seeds = (size_t)fmax(0, pl_csv_number_at(t, row, c->n_seeds)),
        .value = pl_csv_number_at(t, row, c->value),
        .lo = pl_csv_number_at(t, row, c->lo),
        .hi = pl_csv_number_at(t, row, c->hi),
        .null_mean = pl_csv_number_at(t, row, c->null_mean),
        .null_q95 = pl_csv_number_at(t, row, c->null_q95),
        .p_adjusted = pl_csv_number_at(t, row, c->p_adjusted),
    };
}

/* What a number is, apart from its draw; equal numbers stand together, a mean over draws first, then the table's order.
 */
static int by_number(const void *a, const void *b)
{
    const pl__row *x = *(const pl__row *const *)a, *y = *(const pl__row *const *)b;
    const char *const of_x[] = {x->metric, x->contrast, x->template_name, x->layer, x->position, x->preproc};
    const char *const of_y[] = {y->metric, y->contrast, y->template_name, y->layer, y->position, y->preproc};
    for (size_t i = 0; i < sizeof of_x / sizeof *of_x; i++) {
        int order = strcmp(of_x[i], of_y[i]);
        if (order) return order;
    }
    return 0;
}

static int by_rank(const void *a, const void *b)
{
    const pl__row *x = *(const pl__row *const *)a, *y = *(const pl__row *const *)b;
    int order = by_number(a, b);
    if (order) return order;
    if ((x->n_seeds > 1) != (y->n_seeds > 1)) return x->n_seeds > 1 ? -1 : 1;
    return (x > y) - (x < y);
}

static int by_place(const void *a, const void *b)
{
    const pl__row *x = *(const pl__row *const *)a, *y = *(const pl__row *const *)b;
    return (x > y) - (x < y);
}

static pl_status choose_rows(pl__condition *c, pl_arena *arena)
{
    PL_TRY(pl_arena_new(arena, &c->rows, c->n_all));
    for (size_t i = 0; i < c->n_all; i++) c->rows[i] = &c->all[i];
    qsort(c->rows, c->n_all, sizeof *c->rows, by_rank);
    for (size_t i = 0; i < c->n_all; i++)
        if (!c->n_rows || by_number(&c->rows[c->n_rows - 1], &c->rows[i])) c->rows[c->n_rows++] = c->rows[i];
    qsort(c->rows, c->n_rows, sizeof *c->rows, by_place);
    return PL_OK;
}

const pl__row *pl__row_of(const pl__condition *c, const char *metric, const char *contrast, const char *template_name)
{
    for (size_t i = 0; i < c->n_rows; i++) {
        const pl__row *r = c->rows[i];
        if (!*r->layer && !strcmp(r->metric, metric) && !strcmp(r->contrast, contrast) &&
            !strcmp(r->template_name, template_name))
            return r;
    }
    return NULL;
}

const pl__row *pl__row_over_all(const pl__condition *c, const char *metric)
{
    const pl__row *found = pl__row_of(c, metric, "templates", "");
    size_t n = 0;
    if (found) return found;
    for (size_t i = 0; i < c->n_rows; i++) {
        const pl__row *r = c->rows[i];
        if (*r->layer || !*r->template_name || strcmp(r->metric, metric) || strcmp(r->contrast, "templates")) continue;
        found = r;
        n++;
    }
    return n == 1 ? found : NULL;
}

const pl__row *pl__row_judged(const pl__condition *c, const char *metric)
{
    const pl__row *ood = pl__row_of(c, metric, "ood", "");
    return ood ? ood : pl__row_over_all(c, metric);
}

/* ---- subjects and conditions: their rows stand together in the table ---- */

static bool same(const pl_csv_table *t, size_t a, size_t b, const size_t *keys, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(pl_csv_at(t, a, keys[i]), pl_csv_at(t, b, keys[i]))) return false;
    return true;
}

static pl_status read_condition(pl__condition *out, const pl_csv_table *t, const columns *c, size_t from, size_t to,
                                pl_arena *arena)
{
    pl__row *rows;
    char *label;
    PL_TRY(pl_arena_new(arena, &rows, to - from));
    for (size_t r = from; r < to; r++) read_row(&rows[r - from], t, c, r);
    *out = (pl__condition){
        .arm = pl_csv_at(t, from, c->arm), .k = integer_at(t, from, c->k), .all = rows, .n_all = to - from};
    bool shots = !strncmp(out->arm, "prompt", 6);
    PL_TRY(shots ? pl_arena_format(arena, &label, "%s k=%lld", out->arm, out->k)
                 : pl_arena_format(arena, &label, "%s", out->arm));
    out->label = label;
    return choose_rows(out, arena);
}

const char *pl__role_of(const pl__subject *s, const char *template_name)
{
    const pl_plan_file *plan = s->run->plan;
    for (size_t t = 0; t < plan->n_tasks; t++) {
        const pl_planned_task *task = &plan->tasks[t];
        for (size_t i = 0; i < task->n_templates && !strcmp(task->name, s->task); i++)
            if (!strcmp(task->templates[i].name, template_name)) return task->templates[i].role;
    }
    return NULL;
}

bool pl__is_of(const pl__subject *s, const pl_csv_table *t, size_t row)
{
    return !strcmp(pl_csv_field(t, row, "model"), s->model) && !strcmp(pl_csv_field(t, row, "task"), s->task) &&
           !strcmp(pl_csv_field(t, row, "readout"), s->readout);
}

static size_t verdict_row(const pl__subject *s)
{
    const pl_csv_table *v = &s->run->verdict;
    for (size_t r = 0; r < v->n; r++)
        if (pl__is_of(s, v, r)) return r;
    return SIZE_MAX;
}

/* A run's subjects, in the order of their first rows; their conditions need not stand together. */
static pl_status read_subjects(pl__tables *tables, size_t *capacity, pl__run *run)
{
    const pl_csv_table *t = &run->stability;
    const columns c = columns_of(t);
    const size_t keys[] = {c.model, c.task, c.readout, c.arm, c.k};
    enum { OF_SUBJECT = 3, OF_CONDITION = 5 };
    size_t first = tables->n_subjects;
    for (size_t from = 0, to; from < t->n; from = to) {
        for (to = from + 1; to < t->n && same(t, from, to, keys, OF_CONDITION); to++) continue;
        pl__subject *s = NULL;
        for (size_t i = first; i < tables->n_subjects && !s; i++) {
            pl__subject *at = &tables->subjects[i];
            if (!strcmp(at->model, pl_csv_at(t, from, c.model)) && !strcmp(at->task, pl_csv_at(t, from, c.task)) &&
                !strcmp(at->readout, pl_csv_at(t, from, c.readout)))
                s = at;
        }
        if (!s) {
            PL_TRY(pl_grow(&tables->subjects, capacity, tables->n_subjects + 1));
            s = &tables->subjects[tables->n_subjects++];
            *s = (pl__subject){.run = run,
                               .model = pl_csv_at(t, from, c.model),
                               .task = pl_csv_at(t, from, c.task),
                               .readout = pl_csv_at(t, from, c.readout)};
            s->verdict = verdict_row(s);
        }
        pl__condition *more;
        PL_TRY(pl_arena_new(tables->arena, &more, s->n + 1));
        if (s->n) memcpy(more, s->conditions, s->n * sizeof *more);
        s->conditions = more;
        PL_TRY(read_condition(&s->conditions[s->n], t, &c, from, to, tables->arena));
        s->n++;
    }
    return PL_OK;
}

pl_status pl__stem(pl_arena *arena, const char **out, const char *text)
{
    enum { LENGTH = 60 };
    char *stem;
    PL_TRY(pl_arena_text(arena, &stem, text, strnlen(text, LENGTH)));
    for (char *c = stem; *c; c++)
        if (!isalnum((unsigned char)*c) && *c != '-' && *c != '_') *c = '-';
    *out = stem;
    return PL_OK;
}

/* A subject is told by what is not the same for all of them. */
static pl_status name_subjects(pl__tables *t)
{
    bool runs = t->n_runs > 1, readouts = false;
    for (size_t i = 1; i < t->n_subjects; i++)
        readouts = readouts || strcmp(t->subjects[i].readout, t->subjects[0].readout);
    for (size_t i = 0; i < t->n_subjects; i++) {
        pl__subject *s = &t->subjects[i];
        char *label;
        PL_TRY(pl_arena_format(t->arena, &label, "%s%s%s, %s%s%s", runs ? s->run->name : "", runs ? ": " : "", s->model,
                               s->task, readouts ? ", " : "", readouts ? s->readout : ""));
        s->label = label;
        PL_TRY(pl__stem(t->arena, &s->stem, label));
    }
    return PL_OK;
}

pl_status pl__tables_read(pl__tables *out, const pl_run_folder *runs, size_t n)
{
    size_t capacity = 0;
    *out = (pl__tables){0};
    PL_TRY(pl_arena_create(&out->arena));
    PL_TRY(pl_arena_new(out->arena, &out->runs, n));
    out->n_runs = n;
    for (size_t r = 0; r < n; r++) PL_TRY(read_run(&out->runs[r], &runs[r], out->arena));
    for (size_t r = 0; r < n; r++) PL_TRY(read_subjects(out, &capacity, &out->runs[r]));
    return name_subjects(out);
}

void pl__tables_free(pl__tables *t)
{
    for (size_t r = 0; r < t->n_runs; r++) {
        pl_run_view_close(t->runs[r].view);
        pl_csv_free(&t->runs[r].stability);
        pl_csv_free(&t->runs[r].arms);
        pl_csv_free(&t->runs[r].verdict);
        pl_csv_free(&t->runs[r].contrasts);
        json_decref(t->runs[r].maps);
    }
    free(t->subjects);
    pl_arena_free(t->arena);
}

size_t pl__arm_row(const pl__subject *s, const pl__condition *c, bool calibrated, const char *role)
{
    const pl_csv_table *t = &s->run->arms;
    size_t arm = strlen(c->arm);
    for (size_t r = 0; r < t->n; r++) {
        const char *name = pl_csv_field(t, r, "arm");
        if (strncmp(name, c->arm, arm) || strcmp(name + arm, calibrated ? " calibrated" : "")) continue;
        if (integer_at(t, r, pl_csv_column(t, "k")) == c->k && pl__is_of(s, t, r) &&
            !strcmp(pl_csv_field(t, r, "role"), role))
            return r;
    }
    return SIZE_MAX;
}
