/* plumb status: what is finished, running and failed in a run folder, from the files alone. */
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/progress.h"
#include "cli/cli.h"
#include "store/run_folder.h"

enum { WATCH_SECONDS = 2, MAX_STATUS_BYTES = 1 << 20 };

/* The status.json files of all processes that work or worked in the run. */
static pl_status read_processes(const pl_run_folder *run, json_t *processes)
{
    char pattern[PL_PATH_MAX];
    glob_t found = {0};
    pl_status status = PL_OK;
    PL_TRY(pl_path(pattern, "%s/status*.json", run->path));
    if (glob(pattern, 0, NULL, &found) == 0)
        for (size_t i = 0; i < found.gl_pathc && status == PL_OK; i++) {
            json_t *one;
            status = pl_json_read(&one, found.gl_pathv[i], MAX_STATUS_BYTES);
            if (status == PL_OK) json_array_append_new(processes, one);
        }
    globfree(&found);
    return status;
}

static pl_status gather(const pl_run_folder *run, json_t **out)
{
    json_t *plan = NULL, *processes = json_array(), *failed = json_array();
    pl_status status;
    *out = NULL;
    PL_GOTO(status, done, pl_run_folder_plan(run, &plan));
    size_t i, done = 0, n_failed = 0;
    json_t *unit, *units = json_object_get(plan, "units");
    json_array_foreach(units, i, unit)
    {
        const char *id = json_string_value(json_object_get(unit, "id"));
        char path[PL_PATH_MAX];
        if (!id) continue;
        if (pl_run_folder_has(run, id)) {
            done++;
            continue;
        }
        PL_GOTO(status, done, pl_path(path, "%s/units/%s.failed.json", run->path, id));
        json_t *failure;
        if (!pl_file_exists(path) || pl_json_read(&failure, path, MAX_STATUS_BYTES) != PL_OK) continue;
        n_failed++;
        json_object_set_new(failure, "unit", json_string(id));
        json_array_append_new(failed, failure);
    }
    PL_GOTO(status, done, read_processes(run, processes));
    char done_path[PL_PATH_MAX];
    PL_GOTO(status, done, pl_path(done_path, "%s/DONE", run->path));
    *out = json_pack("{s:s,s:b,s:I,s:I,s:I,s:I,s:O,s:O}", "run", run->path, "analysed", (int)pl_file_exists(done_path),
                     "units", (json_int_t)json_array_size(units), "done", (json_int_t)done, "failed",
                     (json_int_t)n_failed, "left", (json_int_t)(json_array_size(units) - done - n_failed), "failures",
                     failed, "processes", processes);
    if (!*out) status = pl_fail(PL_E_MEMORY, "out of memory while reading the status");
done:
    json_decref(plan);
    json_decref(processes);
    json_decref(failed);
    return status;
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static void print(const json_t *status)
{
    size_t i;
    json_t *one;
    printf("%s: %lld of %lld units done, %lld failed, %lld left%s\n", text_of(status, "run"),
           (long long)json_integer_value(json_object_get(status, "done")),
           (long long)json_integer_value(json_object_get(status, "units")),
           (long long)json_integer_value(json_object_get(status, "failed")),
           (long long)json_integer_value(json_object_get(status, "left")),
           json_is_true(json_object_get(status, "analysed")) ? "; analysed" : "");
    json_array_foreach(json_object_get(status, "processes"), i, one)
    {
        char left[32];
        pl_duration_text(left, json_number_value(json_object_get(one, "seconds_left")));
        printf("  %s %s(pid %lld on %s): %lld of %lld units, %.3g units/s, %s left, last sign of life %s\n",
               text_of(one, "state"), text_of(one, "shard")[0] ? text_of(one, "shard") : "",
               (long long)json_integer_value(json_object_get(one, "pid")), text_of(one, "host"),
               (long long)(json_integer_value(json_object_get(one, "units")) -
                           json_integer_value(json_object_get(one, "left"))),
               (long long)json_integer_value(json_object_get(one, "units")),
               json_number_value(json_object_get(one, "units_per_s")), left, text_of(one, "updated"));
    }
    json_array_foreach(json_object_get(status, "failures"), i, one)
        printf("  failed %s: %s\n", text_of(one, "unit"), text_of(one, "message"));
}

pl_status pl_verb_status(const pl_arguments *arguments)
{
    pl_run_folder run;
    PL_TRY(pl_run_folder_open(&run, arguments->words[0]));
    for (;;) {
        json_t *status;
        PL_TRY(gather(&run, &status));
        bool over = json_integer_value(json_object_get(status, "left")) == 0;
        if (pl_argument_flag(arguments, PL_OPTION_JSON)) {
            PL_TRY(pl_print_json(status, true));
        } else {
            print(status);
            json_decref(status);
        }
        if (over || !pl_argument_flag(arguments, PL_OPTION_WATCH)) return PL_OK;
        fflush(stdout);
        sleep(WATCH_SECONDS);
    }
}
