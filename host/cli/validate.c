/* plumb validate: the experiment, its tasks and their rows as a run would read them, and what is odd about the prompts.
 */
#include <stdio.h>

#include "base/visible.h"
#include "cli/cli.h"
#include "experiment/lint.h"

enum { MOST_ITEMS = 1000 }; /* of a cell, which are looked at */

typedef struct findings {
    const pl_plan *plan;
    size_t n;
    json_t *list; /* NULL: printed */
    bool lost;    /* for want of memory */
} findings;

static void take(void *listener, const pl_finding *f)
{
    findings *all = listener;
    char name[PL_UNIT_NAME];
    const char *task = all->plan->tasks[f->unit->task].task->name,
               *model = all->plan->models[f->unit->model].spec->name, *readout = pl_readout_name(f->unit->readout);
    pl_plan_unit_name(name, f->unit);
    all->n++;
    if (all->list) {
        json_t *one =
            json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:s, s:I, s:I, s:s}", "rule", pl_lint_name(f->rule),
                      "meaning", pl_lint_meaning(f->rule), "model", model, "task", task, "template",
                      f->unit->template->name, "readout", readout, "k", (json_int_t)f->unit->k, "cell", name, "n",
                      (json_int_t)f->n, "n_items", (json_int_t)f->n_items, "detail", f->detail);
        if (f->first != SIZE_MAX && json_object_set_new(one, "doc_id", json_integer((json_int_t)f->first)) != 0)
            all->lost = true;
        if (json_array_append_new(all->list, one) != 0) all->lost = true;
        return;
    }
    pl_print(stdout, "%s, %s, %s, %s: %s: %s", model, task, name, readout, pl_lint_name(f->rule),
             pl_lint_meaning(f->rule));
    if (f->first != SIZE_MAX) pl_print(stdout, " (%zu of %zu items; doc_id %zu)", f->n, f->n_items, f->first);
    pl_print(stdout, "%s%s\n", *f->detail ? ": " : "", f->detail);
}

static void say(void *listener, const char *line)
{
    (void)listener;
    pl_print(stdout, "%s\n", line);
}

pl_status pl_verb_validate(const pl_arguments *arguments)
{
    pl_spec *spec = NULL;
    pl_plan *plan = NULL;
    findings all = {0};
    bool json = pl_argument_flag(arguments, PL_OPTION_JSON);
    pl_status status;
    PL_GOTO(status, done, pl_spec_read(&spec, arguments->words[0], arguments->words + 1, arguments->n_words - 1));
    PL_GOTO(status, done, pl_plan_create(&plan, spec));
    all.plan = plan;
    if (json && !(all.list = json_array())) status = pl_fail(PL_E_MEMORY, "out of memory while validating");
    if (status == PL_OK) status = pl_lint(plan, MOST_ITEMS, take, &all);
    if (status == PL_OK && all.lost) status = pl_fail(PL_E_MEMORY, "out of memory while validating");
    if (status != PL_OK) goto done;
    if (json) {
        status = pl_print_json(json_pack("{s:I, s:O}", "units", (json_int_t)plan->n_units, "findings", all.list), true);
        goto done;
    }
    pl_plan_notes(plan, say, NULL);
    pl_print(stdout, "%s: %zu models, %zu tasks, %zu units: %zu findings\n", arguments->words[0], plan->n_models,
             plan->n_tasks, plan->n_units, all.n);
done:
    json_decref(all.list);
    pl_plan_free(plan);
    pl_spec_free(spec);
    return status;
}
