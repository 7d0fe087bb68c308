#include "cli/plan_power.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/contrasts.h"
#include "base/visible.h"
#include "experiment/primary_size.h"
#include "report/report.h"
#include "statistics/power.h"

enum { FACTORS = 3 };
static const char *const factor_names[FACTORS] = {"items", "templates", "draws"};

typedef struct power_line {
    const char *task, *readout, *model; /* model: NULL, for all of them */
    pl_primary_size size;
    bool assumed, draws_assumed; /* the variance; of draws alone */
    pl_study study;
    pl_power now, twice[FACTORS]; /* as planned; with twice the clusters, templates, draws */
    size_t needed[FACTORS];       /* for the half-width; 0: no number is enough */
} power_line;

struct pl__plan_power {
    size_t n;
    power_line *lines;
    double half_width;
};

/* ---- an earlier run ---- */

static const char *text_of(const json_t *contrast, const char *key)
{
    return json_string_value(json_object_get(contrast, key));
}

static bool has_contrast(const json_t *list, const json_t *contrast)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (json_equal(json_array_get(list, i), contrast)) return true;
    return false;
}

/* The run's components of variance; those of draws, where it had none, stay as they are assumed. */
static pl_status take_parts(power_line *line, const pl_contrasts_table *table, const char *from)
{
    const pl_contrast_row *row = NULL;
    for (size_t i = 0; i < table->n; i++) {
        const pl_contrast_row *r = &table->rows[i];
        if (!strcmp(r->kind, "primary") && !strcmp(r->task, line->task) && !strcmp(r->readout, line->readout) &&
            !strcmp(r->model, line->model))
            row = r;
    }
    if (!row || isnan(row->parts.item))
        return pl_fail(PL_E_INPUT, "%s: model %s, task %s: no variance of the primary contrast: %s", from, line->model,
                       line->task,
                       row && *row->why_empty ? row->why_empty
                       : row                  ? "it needs two templates, two items and a draw of both sides"
                                              : "it has no finished units of it");
    const pl_three_way assumed = line->study.parts;
    line->study.parts = row->parts;
    line->assumed = false;
    line->draws_assumed = isnan(row->parts.draw) && line->size.draws >= PL_DRAWS_MIN;
    if (!line->draws_assumed) return PL_OK;
    line->study.parts.draw = assumed.draw;
    line->study.parts.item_draw = assumed.item_draw;
    line->study.parts.template_draw = assumed.template_draw;
    return PL_OK;
}

static pl_status open_run(pl_run_view **view, pl_contrasts_table **table, const char *from, const json_t *primary)
{
    pl_run_folder run;
    PL_TRY(pl_run_folder_open(&run, from));
    PL_TRY(pl_run_view_open(view, &run));
    for (size_t i = 0; i < json_array_size(primary); i++)
        if (!has_contrast(pl_run_view_plan(*view)->primary, json_array_get(primary, i)))
            return pl_fail(PL_E_INPUT, "%s: its primary contrast of task '%s' is not the experiment's", from,
                           text_of(json_array_get(primary, i), "task"));
    return pl_contrasts_of_run(table, *view);
}

/* ---- the lines ---- */

static void finish_line(power_line *line, double half_width)
{
    pl_power_of(&line->now, &line->study);
    for (size_t f = 0; f < FACTORS; f++) {
        pl_study more = line->study;
        more.levels[f] *= 2;
        pl_power_of(&line->twice[f], &more);
        line->needed[f] = pl_study_needed(&line->study, f, half_width);
    }
}

static pl_status make_line(power_line *line, const pl_plan *plan, size_t contrast, size_t model,
                           const pl_contrasts_table *table, const char *from)
{
    const json_t *c = json_array_get(plan->spec->primary, contrast);
    *line = (power_line){.task = text_of(c, "task"),
                         .readout = text_of(c, "readout"),
                         .model = table ? plan->spec->models[model].name : NULL,
                         .assumed = true};
    PL_TRY(pl_primary_size_of(&line->size, plan, contrast));
    if (!line->size.found) return PL_OK;
    line->study = (pl_study){{line->size.clusters, line->size.templates, line->size.draws},
                             pl_assumed_parts((double)line->size.items / (double)line->size.clusters)};
    return table ? take_parts(line, table, from) : PL_OK;
}

static pl_status fill(pl__plan_power *p, const pl_plan *plan, const char *from)
{
    pl_run_view *view = NULL;
    pl_contrasts_table *table = NULL;
    size_t n = json_array_size(plan->spec->primary), n_models = from ? plan->n_models : 1;
    pl_status status = PL_OK;
    if (from && !n)
        return pl_fail(PL_E_USAGE, "--from: the experiment names no primary contrast, for which the run would tell "
                                   "the variance");
    if (from) PL_GOTO(status, done, open_run(&view, &table, from, plan->spec->primary));
    PL_GOTO(status, done, pl_new(&p->lines, n * n_models));
    for (size_t i = 0; i < n; i++)
        for (size_t m = 0; m < n_models; m++) {
            power_line *line = &p->lines[p->n++];
            PL_GOTO(status, done, make_line(line, plan, i, m, table, from));
            if (line->size.found && line->size.clusters && line->size.templates) finish_line(line, p->half_width);
        }
done:
    pl_contrasts_free(table);
    pl_run_view_close(view);
    return status;
}

pl_status pl__plan_power_create(pl__plan_power **out, const pl_plan *plan, const char *from, double half_width)
{
    *out = NULL;
    PL_TRY(pl_new(out, 1));
    (*out)->half_width = half_width > 0.0 ? half_width : PL_HALF_WIDTH_PERCENT / 100.0;
    pl_status status = fill(*out, plan, from);
    if (status == PL_OK) return PL_OK;
    pl__plan_power_free(*out);
    *out = NULL;
    return status;
}

void pl__plan_power_free(pl__plan_power *p)
{
    if (p) free(p->lines);
    free(p);
}

/* ---- what is said ---- */

static bool varies(const power_line *line, size_t factor)
{
    return line->now.variance[factor] > 0.0;
}

static void print_number(FILE *out, double difference)
{
    if (isfinite(difference))
        fprintf(out, "%.3f", difference);
    else
        fputs("none", out);
}

static void print_twice(FILE *out, const power_line *line)
{
    const char *join = " with twice the ";
    for (size_t f = 0; f < FACTORS; f++) {
        if (!varies(line, f)) continue;
        fprintf(out, "%s%s ", join, factor_names[f]);
        print_number(out, line->twice[f].detectable);
        join = ", the ";
    }
    fputc('\n', out);
}

static const char *source_of(const power_line *line)
{
    return line->assumed ? "assumed" : line->draws_assumed ? "the run's, of draws assumed" : "the run's";
}

static void print_line(FILE *out, const power_line *line, double half_width)
{
    const pl_primary_size *size = &line->size;
    pl_print(out, "  %s, %s%s%s: ", line->task, line->readout, line->model ? ", " : "", line->model ? line->model : "");
    if (!size->found) {
        fputs("a side of it is no arm of the experiment\n", out);
        return;
    }
    fprintf(out, "%zu items", size->items);
    if (size->clusters < size->items) fprintf(out, " in %zu groups", size->clusters);
    fprintf(out, ", %zu templates, %zu draws%s; variance: %s\n", size->templates, size->draws,
            size->drawn && size->draws < PL_DRAWS_MIN ? " (too few to speak for others)" : "", source_of(line));
    if (isnan(line->now.half_width)) {
        fputs("    too few items or templates to say more\n", out);
        return;
    }
    fprintf(out, "    half-width %.3f; differences from ", line->now.half_width);
    print_number(out, line->now.detectable);
    fputs(" on;", out);
    print_twice(out, line);
    const bool parts[FACTORS] = {varies(line, 0), varies(line, 1), varies(line, 2)};
    pl_report_needed(out, half_width, line->needed, parts, size->clusters < size->items);
}

void pl__plan_power_print(FILE *out, const pl__plan_power *p)
{
    if (p->n) fputs("primary contrasts: what they will show in 80 % of such runs, two-sided .05\n", out);
    for (size_t i = 0; i < p->n; i++) print_line(out, &p->lines[i], p->half_width);
}

static void put_line(pl_json_builder *b, const power_line *line, double half_width)
{
    static const char *const twice[FACTORS] = {"detectable_twice_items", "detectable_twice_templates",
                                               "detectable_twice_draws"},
                             *const needed[FACTORS] = {"clusters_needed", "templates_needed", "draws_needed"};
    pl_json_open(b, NULL);
    pl_json_put_text(b, "task", line->task);
    pl_json_put_text(b, "readout", line->readout);
    pl_json_put_text(b, "model", line->model);
    pl_json_put_bool(b, "found", line->size.found);
    pl_json_put_size(b, "items", line->size.items);
    pl_json_put_size(b, "clusters", line->size.clusters);
    pl_json_put_size(b, "templates", line->size.templates);
    pl_json_put_size(b, "draws", line->size.draws);
    pl_json_put_text(b, "variance", source_of(line));
    pl_json_put_real(b, "half_width", line->size.found ? line->now.half_width : NAN);
    pl_json_put_real(b, "detectable", line->size.found ? line->now.detectable : NAN);
    for (size_t f = 0; f < FACTORS; f++)
        pl_json_put_real(b, twice[f], varies(line, f) ? line->twice[f].detectable : NAN);
    pl_json_put_real(b, "half_width_wanted", half_width);
    for (size_t f = 0; f < FACTORS; f++)
        pl_json_put_real(b, needed[f], line->needed[f] ? (double)line->needed[f] : NAN);
    pl_json_close(b);
}

void pl__plan_power_json(pl_json_builder *b, const pl__plan_power *p)
{
    if (!p->n) return;
    pl_json_open_list(b, "primary");
    for (size_t i = 0; i < p->n; i++) put_line(b, &p->lines[i], p->half_width);
    pl_json_close(b);
}
