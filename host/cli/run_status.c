#include "cli/run_status.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json_build.h"
#include "base/process.h"
#include "base/visible.h"
#include "store/stages.h"

enum { MAX_STATUS_BYTES = 1 << 20, SILENT_S = 1800 };

/* The states of a run, by rank: with several processes the first that one of them is in counts. */
static const struct {
    const char *state, *next;
} states[] = {
    {"running", "it runs"},
    {"done", "every unit that is needed is there and analysed"},
    {"failed", "units failed: mend the cause and run the same command again, it computes what is missing"},
    {"dead", "a process died: run the same command again, finished units are kept"},
    {"interrupted", "stopped by Ctrl-C: run the same command again, it goes on"},
    {"drained", "stopped by a signal: in Slurm it is back in the queue, else run the same command again"},
    {"silent", "a process on another host gave no sign of life: look there, or run the same command again"},
    {"incomplete", "run the same command again (without --shard): it computes what is missing, then analyses"},
};
enum { RUNNING, DONE, FAILED, INCOMPLETE = sizeof states / sizeof *states - 1 };

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static long long number_of(const json_t *object, const char *key)
{
    return (long long)json_integer_value(json_object_get(object, key));
}

static bool is(const char *text, const char *other)
{
    return strcmp(text, other) == 0;
}

static bool is_live(const char *state)
{
    return is(state, "running") || is(state, "starting") || is(state, "analysing");
}

/* ---- one process ---- */

/* What is true now of a process that wrote `recorded`. */
static const char *state_now(const json_t *process, const char *recorded, double silent_s, bool analysed)
{
    pl_life life = pl_process_life(json_object_get(process, "process"));
    if (is_live(recorded)) {
        if (life == PL_LIFE_DEAD) return "dead";
        return life == PL_LIFE_UNKNOWN && !(silent_s >= 0 && silent_s < SILENT_S) ? "silent" : recorded;
    }
    if (is(recorded, "done") && life == PL_LIFE_ALIVE && !analysed && is(text_of(process, "shard"), ""))
        return "analysing";
    return recorded;
}

/* The process as the files tell it, with `recorded`, `state` and `silent_s`. */
static pl_status judge(json_t **out, json_t *process, const char *path, bool analysed)
{
    pl_json_builder b;
    const char *key, *recorded = text_of(process, "state");
    json_t *value;
    if (!json_is_object(process) || !*recorded)
        return pl_fail(PL_E_INPUT, "%s: not the status of a process: 'state' is missing", path);
    double silent_s = pl_time_age_s(text_of(process, "updated"));
    pl_json_begin(&b);
    pl_json_put_text(&b, "state", state_now(process, recorded, silent_s, analysed));
    pl_json_put_text(&b, "recorded", recorded);
    if (silent_s >= 0)
        pl_json_put_real(&b, "silent_s", silent_s);
    else
        pl_json_put_null(&b, "silent_s");
    json_object_foreach(process, key, value)
    {
        if (!is(key, "state") && !is(key, "recorded") && !is(key, "silent_s")) pl_json_put_shared(&b, key, value);
    }
    return pl_json_end(&b, out, path);
}

static pl_status add(json_t *list, json_t *value)
{
    return json_array_append_new(list, value) == 0 ? PL_OK
                                                   : pl_fail(PL_E_MEMORY, "out of memory while reading a status");
}

/* A file that cannot be read costs its own line. */
static pl_status add_unreadable(json_t *list, const char *name)
{
    pl_json_builder b;
    json_t *one;
    pl_json_begin(&b);
    pl_json_put_text(&b, "file", name);
    pl_json_put_text(&b, "message", pl_error_text());
    PL_TRY(pl_json_end(&b, &one, name));
    return add(list, one);
}

static pl_status read_process(const pl_run_folder *run, const char *name, bool analysed, json_t *processes,
                              json_t *unreadable)
{
    char path[PL_PATH_MAX];
    json_t *written = NULL, *process = NULL;
    PL_TRY(pl_path(path, "%s/%s", run->path, name));
    pl_status status = pl_json_read(&written, path, MAX_STATUS_BYTES);
    if (status == PL_OK) status = judge(&process, written, path, analysed);
    json_decref(written);
    return status == PL_OK ? add(processes, process) : add_unreadable(unreadable, name);
}

static pl_status read_processes(const pl_run_folder *run, bool analysed, json_t *processes, json_t *unreadable)
{
    pl_status status = PL_OK;
    struct dirent **names = NULL;
    int n = scandir(run->path, &names, NULL, alphasort);
    if (n < 0) return pl_fail(PL_E_IO, "%s: cannot list the folder: %s", run->path, strerror(errno));
    for (int i = 0; i < n; i++) {
        const char *name = names[i]->d_name;
        size_t size = strlen(name);
        bool ours = size >= 11 && strncmp(name, "status", 6) == 0 && is(name + size - 5, ".json") &&
                    (size == 11 || name[6] == '-');
        if (ours && status == PL_OK) status = read_process(run, name, analysed, processes, unreadable);
        free(names[i]);
    }
    free(names);
    return status;
}

/* ---- units ---- */

typedef struct units {
    size_t n, done, failed, not_needed;
    json_t *failures, *held, *unreadable;
} units;

static pl_status add_failure(units *u, const pl_plan_file *plan, const pl_planned_unit *unit, const char *path)
{
    pl_json_builder b;
    json_t *written = NULL, *failure;
    pl_status status = pl_json_read(&written, path, MAX_STATUS_BYTES);
    pl_json_begin(&b);
    pl_json_put_text(&b, "unit", unit->id);
    pl_json_put_text(&b, "model", plan->models[unit->model].name);
    pl_json_put_text(&b, "task", plan->tasks[unit->task].name);
    pl_json_put_text(&b, "template", unit->template_name);
    pl_json_put_size(&b, "k", unit->k);
    pl_json_put_text(&b, "message", status == PL_OK ? text_of(written, "message") : pl_error_text());
    json_decref(written);
    PL_TRY(pl_json_end(&b, &failure, path));
    u->failed++;
    return add(u->failures, failure);
}

/* Of an owner that lives here nothing need be said, and one that is dead here is taken over; of another host or
 * container only a person can tell. */
static pl_status add_held(units *u, const pl_run_folder *run, const pl_planned_unit *unit)
{
    pl_json_builder b;
    pl_unit_owner owner;
    json_t *one;
    char clear[PL_PATH_MAX + 16], quoted[PL_PATH_MAX];
    bool there;
    if (pl_run_folder_owner(&owner, &there, run, unit->id) != PL_OK) return add_unreadable(u->unreadable, unit->id);
    if (!there || owner.life != PL_LIFE_UNKNOWN) return PL_OK;
    PL_TRY(pl_path_quote(quoted, owner.path));
    snprintf(clear, sizeof clear, "rm -- %s", quoted);
    pl_json_begin(&b);
    pl_json_put_text(&b, "unit", unit->id);
    pl_json_put_text(&b, "file", owner.path);
    pl_json_put_bytes(&b, "owner", owner.who, strlen(owner.who));
    pl_json_put_real(&b, "age_s", owner.age_s);
    pl_json_put_text(&b, "clear", clear);
    PL_TRY(pl_json_end(&b, &one, owner.path));
    return add(u->held, one);
}

static pl_status read_unit(units *u, const pl_run_folder *run, const pl_plan_file *plan, const pl_planned_unit *unit)
{
    char path[PL_PATH_MAX], failed[PL_PATH_MAX];
    PL_TRY(pl_run_folder_unit(path, run, unit->id));
    if (pl_file_exists(path)) {
        u->done++;
        return PL_OK;
    }
    int stem = (int)(strlen(path) - strlen(".h5"));
    PL_TRY(pl_path(failed, "%.*s.failed.json", stem, path));
    if (pl_file_exists(failed)) PL_TRY(add_failure(u, plan, unit, failed));
    return add_held(u, run, unit);
}

static pl_status read_units(units *u, const pl_run_folder *run)
{
    pl_plan_file *plan = NULL;
    pl_stages stages = {0};
    pl_status status;
    PL_GOTO(status, done, pl_plan_file_read(&plan, run));
    PL_GOTO(status, done, pl_stages_open(&stages, plan, run));
    u->n = plan->n_units;
    for (size_t i = 0; i < plan->n_units; i++) {
        if (stages.need[i] != PL_NOT_NEEDED || pl_run_folder_has(run, plan->units[i].id))
            PL_GOTO(status, done, read_unit(u, run, plan, &plan->units[i]));
        else
            u->not_needed++;
    }
done:
    pl_stages_free(&stages);
    pl_plan_file_free(plan);
    return status;
}

/* ---- the run ---- */

static size_t state_of_run(const units *u, const json_t *processes, bool analysed)
{
    size_t i, best = INCOMPLETE;
    const json_t *process;
    json_array_foreach(processes, i, process)
    {
        const char *state = text_of(process, "state");
        for (size_t s = 0; s < best; s++)
            if (s != DONE && (is(state, states[s].state) || (s == RUNNING && is_live(state)))) best = s;
    }
    if (best == RUNNING) return RUNNING;
    if (u->done + u->not_needed == u->n) return analysed ? DONE : INCOMPLETE;
    return u->failed ? FAILED : best == FAILED ? INCOMPLETE : best;
}

/* Nothing runs that is known of, and a unit is kept: the same command alone would never finish. */
static const char *next_of(size_t state, const units *u)
{
    if (state == RUNNING || state == DONE || json_array_size(u->held) == 0) return states[state].next;
    return "a unit is held, see above: if that process is gone, give that command, then the run's same command again";
}

/* The rates of what runs, added; 0: nothing runs, or it has computed nothing yet. */
static double rate_of(const json_t *processes)
{
    double rate = 0;
    size_t i;
    const json_t *process;
    json_array_foreach(processes, i, process)
    {
        if (is_live(text_of(process, "state"))) rate += json_number_value(json_object_get(process, "units_per_s"));
    }
    return rate;
}

/* The slowest of what runs decides; 0: nothing is known. */
static double seconds_left_of(const json_t *processes)
{
    double most = 0;
    size_t i;
    const json_t *process;
    json_array_foreach(processes, i, process)
    {
        double left = json_number_value(json_object_get(process, "seconds_left"));
        if (is_live(text_of(process, "state")) && left > most) most = left;
    }
    return most;
}

static void put_rate(pl_json_builder *b, const char *key, double value, bool known)
{
    if (known)
        pl_json_put_real(b, key, value);
    else
        pl_json_put_null(b, key);
}

pl_status pl__run_status(json_t **out, const pl_run_folder *run)
{
    json_t *processes = json_array(), *unreadable = json_array();
    units u = {.failures = json_array(), .held = json_array(), .unreadable = unreadable};
    char path[PL_PATH_MAX];
    pl_json_builder b;
    pl_status status;
    *out = NULL;
    PL_GOTO(status, done, pl_path(path, "%s/DONE", run->path));
    bool analysed = pl_file_exists(path);
    PL_GOTO(status, done, read_units(&u, run));
    PL_GOTO(status, done, read_processes(run, analysed, processes, unreadable));
    size_t state = state_of_run(&u, processes, analysed), left = u.n - u.done - u.failed - u.not_needed;
    double seconds_left = seconds_left_of(processes);
    pl_json_begin(&b);
    pl_json_put_text(&b, "run", run->path);
    pl_json_put_text(&b, "state", states[state].state);
    pl_json_put_text(&b, "next", next_of(state, &u));
    pl_json_put_bool(&b, "analysed", analysed);
    pl_json_put_size(&b, "units", u.n);
    pl_json_put_size(&b, "done", u.done);
    pl_json_put_size(&b, "failed", u.failed);
    pl_json_put_size(&b, "not_needed", u.not_needed);
    pl_json_put_size(&b, "left", left);
    put_rate(&b, "units_per_s", rate_of(processes), state == RUNNING);
    put_rate(&b, "seconds_left", seconds_left, state == RUNNING && seconds_left > 0);
    pl_json_put_shared(&b, "failures", u.failures);
    pl_json_put_shared(&b, "held", u.held);
    pl_json_put_shared(&b, "processes", processes);
    pl_json_put_shared(&b, "unreadable", unreadable);
    status = pl_json_end(&b, out, "the status");
done:
    json_decref(u.failures);
    json_decref(u.held);
    json_decref(processes);
    json_decref(unreadable);
    return status;
}

/* ---- as text ---- */

static void print_process(FILE *out, const json_t *process)
{
    char left[32] = "", silent[32];
    const char *state = text_of(process, "state"), *shard = text_of(process, "shard");
    const json_t *who = json_object_get(process, "process");
    double rate = json_number_value(json_object_get(process, "units_per_s"));
    long long n = number_of(process, "units"), n_left = number_of(process, "left");
    pl_duration_text(silent, json_number_value(json_object_get(process, "silent_s")));
    pl_print(out, "  %s%s%s (pid %lld on %s%s): %lld of %lld units", state, *shard ? " " : "", shard,
             number_of(who, "pid"), text_of(who, "host"), is(state, "dead") ? ", is gone" : "", n - n_left, n);
    if (is_live(state)) {
        double seconds_left = json_number_value(json_object_get(process, "seconds_left"));
        pl_duration_text(left, seconds_left > 0 ? seconds_left : -1);
        pl_print(out, ", %.3g units/s, %s left", rate, left);
    }
    pl_print(out, ", last sign of life %s ago%s\n", silent,
             is(state, "silent") ? " (of another host or container: whether it lives cannot be asked from here)" : "");
}

void pl__run_status_print(FILE *out, const json_t *status)
{
    size_t i;
    const json_t *one, *left = json_object_get(status, "seconds_left");
    char text[32];
    pl_print(out, "%s: %lld of %lld units done, %lld failed, %lld left", text_of(status, "run"),
             number_of(status, "done"), number_of(status, "units"), number_of(status, "failed"),
             number_of(status, "left"));
    if (number_of(status, "not_needed")) pl_print(out, ", %lld not needed", number_of(status, "not_needed"));
    if (json_is_number(left)) {
        pl_duration_text(text, json_number_value(left));
        pl_print(out, "; %.3g units/s, %s left", json_number_value(json_object_get(status, "units_per_s")), text);
    }
    pl_print(out, "%s\n", json_is_true(json_object_get(status, "analysed")) ? "; analysed" : "");
    json_array_foreach(json_object_get(status, "processes"), i, one) print_process(out, one);
    json_array_foreach(json_object_get(status, "unreadable"), i, one)
        pl_print(out, "  %s cannot be read: %s\n", text_of(one, "file"), text_of(one, "message"));
    json_array_foreach(json_object_get(status, "failures"), i, one)
        pl_print(out, "  failed %s (%s, %s, %s, k %lld): %s\n", text_of(one, "unit"), text_of(one, "model"),
                 text_of(one, "task"), text_of(one, "template"), number_of(one, "k"), text_of(one, "message"));
    json_array_foreach(json_object_get(status, "held"), i, one)
    {
        pl_duration_text(text, json_number_value(json_object_get(one, "age_s")));
        pl_print(out, "  held %s for %s by '%s', which cannot be asked from here: if that process is gone: %s\n",
                 text_of(one, "unit"), text, text_of(one, "owner"), text_of(one, "clear"));
    }
    pl_print(out, "%s: %s\n", text_of(status, "state"), text_of(status, "next"));
}
