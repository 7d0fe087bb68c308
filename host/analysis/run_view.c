#include "analysis/run_view.h"

#include <math.h>
#include <string.h>

pl_status pl_unit_entries(pl_unit_entry **out, size_t *n, const pl_plan_file *plan, const pl_run_folder *run,
                          pl_arena *arena)
{
    PL_TRY(pl_arena_new(arena, out, plan->n_units));
    *n = plan->n_units;
    for (size_t i = 0; i < plan->n_units; i++) {
        const pl_planned_unit *u = &plan->units[i];
        size_t n_labels = plan->tasks[u->task].n_labels;
        (*out)[i] = (pl_unit_entry){.id = u->id,
                                    .model = plan->models[u->model].name,
                                    .task = plan->tasks[u->task].name,
                                    .arm = u->arm,
                                    .readout = u->readout,
                                    .template_name = u->template_name,
                                    .role = u->role,
                                    .k = (long long)u->k,
                                    .draw = (long long)u->draw,
                                    .order = (long long)u->order,
                                    .seed = (long long)u->seed,
                                    .n_labels = n_labels,
                                    .chance = n_labels ? 1.0 / (double)n_labels : NAN,
                                    .random_weights = plan->models[u->model].random_weights,
                                    .done = pl_run_folder_has(run, u->id)};
    }
    return PL_OK;
}

bool pl_unit_entry_same_family(const pl_unit_entry *a, const pl_unit_entry *b)
{
    return a->k == b->k && !strcmp(a->model, b->model) && !strcmp(a->task, b->task) && !strcmp(a->arm, b->arm) &&
           !strcmp(a->readout, b->readout);
}

bool pl_unit_entry_same_member(const pl_unit_entry *a, const pl_unit_entry *b)
{
    return pl_unit_entry_same_family(a, b) && a->draw == b->draw && a->order == b->order && a->seed == b->seed;
}
