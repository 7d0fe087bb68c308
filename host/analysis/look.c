#include "analysis/look.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const double MARGIN = 0.03;

static double setting(const pl_run_view *view, const char *key, double otherwise)
{
    const json_t *value = json_object_get(pl_run_view_plan(view)->verdict, key);
    return json_is_number(value) ? json_number_value(value) : otherwise;
}

static pl__verdict_rules rules_of(const pl_run_view *view)
{
    return (pl__verdict_rules){.require = setting(view, "require", NAN),
                               .margin = setting(view, "margin", MARGIN),
                               .n_looks = 1,
                               .n_rows = 1,
                               .template_sd_max = setting(view, "template_sd_max", NAN)};
}

pl__verdict_rules pl__rules_of(const pl_run_view *view, const pl_run_unit *unit)
{
    const pl_plan_file *plan = pl_run_view_plan(view);
    const pl_stages *stages = pl_run_view_stages(view);
    pl__verdict_rules rules = rules_of(view);
    const pl_stage_row *row = pl_stages_row(stages, (size_t)(unit->model_facts - plan->models),
                                            (size_t)(unit->task_facts - plan->tasks), unit->readout);
    if (!row || row->n_stages < 2) return rules;
    rules.n_looks = row->n_stages;
    rules.n_rows = stages->n_looked_at;
    if (row->stopped) rules.stopped = pl_stage_names[row->open];
    return rules;
}

static const pl_run_unit *find_subject(const pl_run_view *view, const pl_look_place *place)
{
    const pl_plan_file *plan = pl_run_view_plan(view);
    for (size_t i = 0; i < pl_run_view_n_units(view); i++) {
        const pl_run_unit *u = pl_run_view_unit(view, i);
        if (u->model_facts == &plan->models[place->model] && u->task_facts == &plan->tasks[place->task] &&
            !strcmp(u->readout, place->readout))
            return u;
    }
    return NULL;
}

static void take(pl_look *out, const pl_verdict_row *row)
{
    const pl_verdict_look *l = &row->look;
    *out = (pl_look){.enough = pl__verdict_is_enough(row),
                     .k = (size_t)row->prompt.k,
                     .accuracy = row->prompt.accuracy.value,
                     .accuracy_lo = l->accuracy_lo,
                     .template_sd = l->template_sd,
                     .template_sd_hi = l->template_sd_hi,
                     .require = row->require,
                     .template_sd_max = l->template_sd_max,
                     .tail = l->tail};
    snprintf(out->why, sizeof out->why, "%s", row->why);
    snprintf(out->arm, sizeof out->arm, "%s", row->prompt.arm);
}

pl_status pl__look(pl_look *out, pl_run_view *view, const pl_look_place *place, pl_arena *arena)
{
    const pl_run_unit *subject = find_subject(view, place);
    pl__verdict_rules rules = rules_of(view);
    pl__conditions of;
    const double **dev_accuracy;
    pl_verdict_row row;
    *out = (pl_look){.why = "no unit is finished",
                     .accuracy = NAN,
                     .accuracy_lo = NAN,
                     .template_sd = NAN,
                     .template_sd_hi = NAN,
                     .require = rules.require,
                     .template_sd_max = rules.template_sd_max,
                     .tail = NAN};
    if (!subject) return PL_OK;
    PL_TRY(pl__conditions_of(&of, view, subject, pl_stage_of(place->stage), arena));
    if (!of.n) return PL_OK;
    PL_TRY(pl__conditions_share(&of));
    if (of.too_few) {
        snprintf(out->why, sizeof out->why, "the arms share %zu of %zu items, expected at least %d %%", of.n_shared,
                 of.n_largest, (int)PL__KEPT_PERCENT_MIN);
        return PL_OK;
    }
    rules.n_looks = place->n_looks;
    rules.n_rows = place->n_rows;
    rules.stopped = place->stage;
    PL_TRY(pl_arena_new(arena, &dev_accuracy, of.n));
    PL_TRY(pl__verdict_row(&row, &of, dev_accuracy, &rules));
    take(out, &row);
    return PL_OK;
}

pl_status pl_look_at_run(pl_look *out, const pl_run_folder *run, const pl_look_place *place)
{
    pl_run_view *view;
    pl_arena *arena = NULL;
    pl_status status;
    PL_TRY(pl_run_view_open(&view, run));
    PL_GOTO(status, done, pl_arena_create(&arena));
    status = pl__look(out, view, place, arena);
done:
    pl_arena_free(arena);
    pl_run_view_close(view);
    return status;
}
