/* plumb plan: what an experiment would cost, before anything is made: nothing is written, no weight is loaded. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json_build.h"
#include "base/visible.h"
#include "cli/cli.h"
#include "cli/plan_power.h"
#include "cli/results.h"
#include "experiment/estimate.h"
#include "experiment/tune.h"
#include "store/stages.h"

static const char method[] =
    "tokens: prompts of 8 items a cell, built and encoded, shared prefixes once, content-free inputs "
    "with each different choice; time: operations over a tried product of the model's shape at 60 %, "
    "and 20 ms a unit; disk: the parts of a unit file";

/* One line of the table: a model with a task. */
typedef struct line {
    pl_estimate cost;
    size_t finished;
    double seconds;
} line;

/* What the arms of a stage cost, of all models and tasks (store/stages.h). */
typedef struct stage {
    pl_estimate cost;
    double seconds;
} stage;

typedef struct planned {
    pl_spec *spec;
    pl_plan *plan;
    pl_run_folder run;
    line *lines; /* [n_models, n_tasks] */
    line total;
    stage stages[PL_STAGES]; /* of a staged experiment */
    size_t training_bytes;   /* of memory; 0: nothing is trained */
    pl__plan_power *power;
} planned;

static pl_status find_run(planned *p, const pl_arguments *arguments)
{
    PL_TRY(pl__results_folder(p->run.results, arguments));
    return pl_path(p->run.path, "%s/%s-%.8s", p->run.results, p->spec->name, p->plan->hash);
}

static void add_stages(planned *p, const pl_estimate *units, size_t model, double rate)
{
    for (size_t s = 0; s < PL_STAGES; s++) {
        pl_estimate own = {0};
        for (size_t u = 0; u < p->plan->n_units; u++) {
            const pl_plan_unit *unit = &p->plan->units[u];
            if (unit->model == model && pl_stage_of(pl_arm_name(unit->arm->kind)) == s)
                pl_estimate_add(&own, &units[u]);
        }
        pl_estimate_add(&p->stages[s].cost, &own);
        p->stages[s].seconds += pl_estimate_seconds(&own, rate);
    }
}

static pl_status add_up(planned *p, const pl_estimate *units, const pl_processor *processor)
{
    const pl_plan *plan = p->plan;
    for (size_t u = 0; u < plan->n_units; u++) {
        line *l = &p->lines[plan->units[u].model * plan->n_tasks + plan->units[u].task];
        bool finished = pl_run_folder_has(&p->run, plan->units[u].id);
        pl_estimate_add(&l->cost, &units[u]);
        pl_estimate_add(&p->total.cost, &units[u]);
        l->finished += finished;
        p->total.finished += finished;
    }
    for (size_t m = 0; m < plan->n_models; m++) {
        double rate;
        PL_TRY(pl_estimate_rate(&rate, processor, &plan->models[m]));
        add_stages(p, units, m, rate);
        for (size_t t = 0; t < plan->n_tasks; t++) {
            line *l = &p->lines[m * plan->n_tasks + t];
            l->seconds = pl_estimate_seconds(&l->cost, rate);
            p->total.seconds += l->seconds;
        }
    }
    return PL_OK;
}

/* The most memory that training takes. The first draw stands for the others. */
static pl_status add_training(planned *p, const pl_processor *processor)
{
    for (size_t u = 0; u < p->plan->n_units; u++) {
        const pl_plan_unit *unit = &p->plan->units[u];
        size_t bytes = 0;
        if (!unit->learns || unit->arm->kind != PL_ARM_FINETUNE || unit->draw > 0) continue;
        PL_TRY(pl_tune_bytes(&bytes, processor, p->plan, unit));
        if (bytes > p->training_bytes) p->training_bytes = bytes;
    }
    return PL_OK;
}

static pl_status add_power(planned *p, const pl_arguments *arguments)
{
    double half_width = 0.0; /* the usual one */
    PL_TRY(pl_argument_share(arguments, PL_OPTION_HALF_WIDTH, &half_width));
    return pl__plan_power_create(&p->power, p->plan, arguments->values[PL_OPTION_FROM], half_width);
}

static pl_status make(planned *p, const pl_arguments *arguments, const pl_processor *processor)
{
    pl_estimate *units = NULL;
    pl_status status;
    PL_TRY(pl_spec_read(&p->spec, arguments->words[0], arguments->words + 1, arguments->n_words - 1));
    PL_TRY(pl_plan_create(&p->plan, p->spec));
    PL_TRY(find_run(p, arguments));
    PL_TRY(pl_new(&p->lines, p->plan->n_models * p->plan->n_tasks));
    PL_GOTO(status, done, pl_new(&units, p->plan->n_units));
    PL_GOTO(status, done, pl_estimate_units(units, p->plan));
    PL_GOTO(status, done, add_training(p, processor));
    PL_GOTO(status, done, add_power(p, arguments));
    status = add_up(p, units, processor);
done:
    free(units);
    return status;
}

static void put_cost(pl_json_builder *b, const line *l)
{
    pl_json_put_size(b, "units", l->cost.n_units);
    pl_json_put_size(b, "finished", l->finished);
    pl_json_put_size(b, "prompts", l->cost.n_prompts);
    pl_json_put_real(b, "tokens", l->cost.tokens);
    pl_json_put_real(b, "operations", l->cost.operations);
    pl_json_put_real(b, "seconds", l->seconds);
    pl_json_put_real(b, "disk_bytes", l->cost.disk_bytes);
    if (l->cost.open_bytes > 0) pl_json_put_real(b, "tuned_weights_bytes", l->cost.open_bytes);
}

static double share_of(const planned *p, const stage *s)
{
    return p->total.seconds > 0 ? s->seconds / p->total.seconds : 0;
}

static void put_stages(pl_json_builder *b, const planned *p)
{
    pl_json_open_list(b, "stages");
    for (size_t s = 0; s < PL_STAGES; s++) {
        if (!p->stages[s].cost.n_units) continue;
        pl_json_open(b, NULL);
        pl_json_put_text(b, "stage", pl_stage_names[s]);
        pl_json_put_size(b, "units", p->stages[s].cost.n_units);
        pl_json_put_real(b, "seconds", p->stages[s].seconds);
        pl_json_put_real(b, "share", share_of(p, &p->stages[s]));
        pl_json_close(b);
    }
    pl_json_close(b);
}

static pl_status print_json(const planned *p, const char *device)
{
    pl_json_builder b;
    json_t *json;
    pl_json_begin(&b);
    pl_json_put_text(&b, "run", p->run.path);
    pl_json_put_text(&b, "device", device);
    put_cost(&b, &p->total);
    if (p->training_bytes) pl_json_put_size(&b, "training_memory_bytes", p->training_bytes);
    pl_json_open_list(&b, "parts");
    for (size_t i = 0; i < p->plan->n_models * p->plan->n_tasks; i++) {
        pl_json_open(&b, NULL);
        pl_json_put_text(&b, "model", p->plan->models[i / p->plan->n_tasks].spec->name);
        pl_json_put_text(&b, "task", p->plan->tasks[i % p->plan->n_tasks].task->name);
        put_cost(&b, &p->lines[i]);
        pl_json_close(&b);
    }
    pl_json_close(&b);
    if (p->spec->staged) put_stages(&b, p);
    pl__plan_power_json(&b, p->power);
    pl_json_put_text(&b, "method", method);
    PL_TRY(pl_json_end(&b, &json, "a plan"));
    return pl_print_json(json, true);
}

static void print_line(const char *model, const char *task, const line *l)
{
    char duration[32];
    pl_duration_text(duration, l->seconds);
    pl_print(stdout, "%-24s %-16s %7zu %9zu %9zu %9.3g %9.3g %9s %9.3g\n", model, task, l->cost.n_units, l->finished,
             l->cost.n_prompts, l->cost.tokens, l->cost.operations, duration, l->cost.disk_bytes / 1e6);
}

static void say(void *listener, const char *line)
{
    (void)listener;
    pl_print(stdout, "%s\n", line);
}

static void print_stages(const planned *p)
{
    const json_t *verdict = p->spec->verdict;
    const char *join = "staged: ";
    for (size_t s = 0; s < PL_STAGES; s++) {
        if (!p->stages[s].cost.n_units) continue;
        pl_print(stdout, "%s%s %zu units, %.3g %% of the time", join, pl_stage_names[s], p->stages[s].cost.n_units,
                 100.0 * share_of(p, &p->stages[s]));
        join = "; then ";
    }
    pl_print(
        stdout,
        "; each model, task and readout stops where accuracy is surely %.3g or more and template SD surely %.3g or "
        "less\n",
        json_number_value(json_object_get(verdict, "require")),
        json_number_value(json_object_get(verdict, "template_sd_max")));
}

static void print(const planned *p, const char *device)
{
    printf("%-24s %-16s %7s %9s %9s %9s %9s %9s %9s\n", "model", "task", "units", "finished", "prompts", "tokens",
           "FLOP", "time", "MB");
    for (size_t i = 0; i < p->plan->n_models * p->plan->n_tasks; i++)
        print_line(p->plan->models[i / p->plan->n_tasks].spec->name, p->plan->tasks[i % p->plan->n_tasks].task->name,
                   &p->lines[i]);
    print_line("all", "", &p->total);
    if (p->total.cost.open_bytes > 0)
        pl_print(stdout, "tuned weights take up to %.3g MB more in each process, until their evaluations are done\n",
                 p->total.cost.open_bytes / 1e6);
    if (p->training_bytes)
        pl_print(stdout, "training takes up to %.3g GB of memory\n", (double)p->training_bytes / 1e9);
    pl_print(stdout, "on %s; %s\n", device, method);
    if (p->spec->staged) print_stages(p);
    pl__plan_power_print(stdout, p->power);
    pl_print(stdout, "nothing was run or written; `plumb run` would use %s\n", p->run.path);
    pl_plan_notes(p->plan, say, NULL);
}

/* Keys of task files that are accepted and change no number. */
static void print_idle(const pl_plan *plan)
{
    for (size_t t = 0; t < plan->n_tasks; t++) {
        const pl_task *task = plan->tasks[t].task;
        for (size_t i = 0; i < task->n_idle; i++)
            pl_print(stdout, "task %s: changes no number: %s\n", task->name, task->idle[i]);
    }
}

pl_status pl_verb_plan(const pl_arguments *arguments)
{
    planned p = {0};
    pl_processor processor = {0};
    pl_device_facts facts;
    size_t threads = 0;
    pl_status status;
    const char *device = arguments->values[PL_OPTION_DEVICE];
    PL_GOTO(status, done, pl_argument_size(arguments, PL_OPTION_THREADS, &threads));
    PL_GOTO(status, done, pl_processor_open(&processor, device ? device : "cpu", (int)threads));
    PL_GOTO(status, done, processor.ops->facts(processor.device, &facts));
    PL_GOTO(status, done, make(&p, arguments, &processor));
    if (pl_argument_flag(arguments, PL_OPTION_JSON))
        status = print_json(&p, facts.name);
    else
        print(&p, facts.name);
    if (pl_argument_flag(arguments, PL_OPTION_VERBOSE) && !pl_argument_flag(arguments, PL_OPTION_JSON))
        print_idle(p.plan);
done:
    free(p.lines);
    pl__plan_power_free(p.power);
    pl_plan_free(p.plan);
    pl_spec_free(p.spec);
    pl_processor_close(&processor);
    return status;
}
