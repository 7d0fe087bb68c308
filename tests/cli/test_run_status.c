/* Where a run stands: running, interrupted, dead, silent and done are told apart, and one broken file costs its line.
 */
#include <signal.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/process.h"
#include "cli/run_status.h"
#include "store/plan_file.h"
#include "tests.h"

enum { UNITS = 3 };
static const char *const ids[UNITS] = {"aa", "bb", "cc"};

typedef struct world {
    char results[PL_PATH_MAX];
    pl_run_folder run;
    pid_t dead; /* a process that was and is no more */
} world;

static int make(void **state)
{
    world *w = calloc(1, sizeof *w);
    pl_planned_template template = {.name = "standard", .role = "id"};
    pl_planned_model model = {.name = "m", .weights = "w", .tokenizer = "t", .model_type = "gpt2"};
    pl_planned_task task = {.name = "t",
                            .version = "1",
                            .task_hash = "h",
                            .items = 2,
                            .test_items = 2,
                            .n_labels = 2,
                            .filter = "none",
                            .n_templates = 1,
                            .templates = &template};
    pl_planned_unit units[UNITS];
    pl_plan_file file = {.name = "status",
                         .hash = "0123456789abcdef",
                         .n_models = 1,
                         .n_tasks = 1,
                         .n_units = UNITS,
                         .models = &model,
                         .tasks = &task,
                         .units = units};
    json_t *plan, *manifest = json_object();
    int status;
    make_folder(w->results);
    for (size_t i = 0; i < UNITS; i++)
        units[i] = (pl_planned_unit){.id = ids[i],
                                     .arm = "prompt",
                                     .readout = "loglikelihood",
                                     .template_name = "standard",
                                     .role = "id",
                                     .k = i};
    OK(pl_plan_file_json(&plan, &file));
    OK(pl_run_folder_create(&w->run, w->results, "status", "01234567", "name: status\n", 13, manifest, plan));
    json_decref(plan);
    json_decref(manifest);
    w->dead = fork();
    if (w->dead == 0) _exit(0);
    assert_int_equal(waitpid(w->dead, &status, 0), w->dead);
    *state = w;
    return 0;
}

static int drop(void **state)
{
    world *w = *state;
    remove_folder(w->results);
    free(w);
    return 0;
}

static void put(const world *w, const char *name, const char *text)
{
    char path[PL_PATH_MAX];
    OK(pl_path(path, "%s/%s", w->run.path, name));
    OK(pl_file_replace(path, text, strlen(text)));
}

static void done(const world *w, size_t n)
{
    char name[64];
    for (size_t i = 0; i < n; i++) {
        snprintf(name, sizeof name, "units/%s.h5", ids[i]);
        put(w, name, "a unit");
    }
}

/* status[-shard].json as a run writes it; pid 0: this process; host NULL: this host; updated NULL: now. */
static void process(const world *w, const char *state, const char *shard, pid_t pid, const char *host,
                    const char *updated)
{
    char now[PL_TIME_TEXT];
    json_t *who;
    pl_time_text(now);
    OK(pl_process_record(&who));
    if (pid) json_object_set_new(who, "pid", json_integer(pid));
    if (host) json_object_set_new(who, "host", json_string(host));
    json_t *json =
        json_pack("{s:s,s:s,s:i,s:i,s:f,s:f,s:s,s:o}", "state", state, "shard", shard, "units", UNITS, "left", 2,
                  "units_per_s", 0.5, "seconds_left", 4.0, "updated", updated ? updated : now, "process", who);
    OK(pl_run_folder_status(&w->run, shard, json));
    json_decref(json);
}

/* The status; its state and that of its first process are what they must be. */
static json_t *stands(const world *w, const char *state, const char *first_process)
{
    json_t *status;
    OK(pl__run_status(&status, &w->run));
    assert_string_equal(json_string_value(json_object_get(status, "state")), state);
    const json_t *one = json_array_get(json_object_get(status, "processes"), 0);
    if (first_process) assert_string_equal(json_string_value(json_object_get(one, "state")), first_process);
    return status;
}

static long long number(const json_t *status, const char *key)
{
    return json_integer_value(json_object_get(status, key));
}

/* What is printed holds `part`, and ends with a line that begins with the state. */
static void prints(const json_t *status, const char *part)
{
    char text[8192] = "", last[64];
    FILE *out = fmemopen(text, sizeof text, "w");
    pl__run_status_print(out, status);
    fclose(out);
    snprintf(last, sizeof last, "\n%s: ", json_string_value(json_object_get(status, "state")));
    if (!strstr(text, part) || !strstr(text, last)) fail_msg("'%s' and '%s' expected in:\n%s", part, last, text);
}

static void test_nothing_yet(void **state)
{
    json_t *status = stands(*state, "incomplete", NULL);
    assert_int_equal(number(status, "left"), UNITS);
    assert_true(json_is_null(json_object_get(status, "seconds_left")));
    prints(status, "0 of 3 units done, 0 failed, 3 left\n");
    json_decref(status);
}

static void test_running(void **state)
{
    process(*state, "running", "", 0, NULL, NULL);
    done(*state, 1);
    json_t *status = stands(*state, "running", "running");
    assert_float_equal(json_number_value(json_object_get(status, "seconds_left")), 4, 1e-9); /* 2 units at 0.5/s */
    prints(status, "1 of 3 units done, 0 failed, 2 left; 0.5 units/s, 4 s left");
    json_decref(status);
}

static void test_dead(void **state)
{
    world *w = *state;
    process(w, "running", "", w->dead, NULL, NULL);
    json_t *status = stands(w, "dead", "dead");
    assert_true(json_is_null(json_object_get(status, "units_per_s")));
    prints(status, "is gone");
    json_decref(status);
    process(w, "running", "0-of-2", 0, NULL, NULL); /* one that lives outweighs it */
    json_decref(stands(w, "running", NULL));
}

static void test_stopped(void **state)
{
    world *w = *state;
    process(w, "interrupted", "", w->dead, NULL, NULL);
    json_decref(stands(w, "interrupted", "interrupted"));
    process(w, "drained", "", w->dead, NULL, NULL);
    json_decref(stands(w, "drained", "drained"));
}

static void test_other_host(void **state)
{
    world *w = *state;
    process(w, "running", "", 7, "node17", NULL);
    json_decref(stands(w, "running", "running"));
    process(w, "running", "", 7, "node17", "2001-01-01T00:00:00Z");
    json_t *status = stands(w, "silent", "silent");
    prints(status, "cannot be asked from here");
    json_decref(status);
    process(w, "running", "", 7, "node17", "yesterday");
    json_decref(stands(w, "silent", "silent"));
}

static void test_done(void **state)
{
    world *w = *state;
    done(w, UNITS);
    process(w, "done", "", 0, NULL, NULL);
    json_decref(stands(w, "running", "analysing"));
    process(w, "done", "", w->dead, NULL, NULL);
    json_decref(stands(w, "incomplete", "done"));
    put(w, "DONE", "");
    process(w, "running", "0-of-2", w->dead, NULL, NULL); /* of an earlier try: everything is there */
    json_t *status = stands(w, "done", "dead");
    prints(status, "; analysed\n");
    json_decref(status);
}

static void test_failed(void **state)
{
    world *w = *state;
    done(w, 1);
    put(w, "units/bb.failed.json", "{\"message\": \"no room\"}");
    put(w, "units/cc.failed.json", "no JSON");
    process(w, "failed", "", w->dead, NULL, NULL);
    json_t *status = stands(w, "failed", "failed");
    assert_int_equal(number(status, "failed"), 2);
    assert_int_equal(number(status, "left"), 0);
    prints(status, "failed bb (m, t, standard, k 1): no room");
    json_decref(status);
}

static void test_broken_files(void **state)
{
    world *w = *state;
    process(w, "running", "0-of-9", 0, NULL, NULL);
    put(w, "status-1-of-9.json", "{\"state\": ");
    put(w, "status-2-of-9.json", "{}");
    put(w, "status-3-of-9.json", "[1]");
    put(w, "status-4-of-9.json", "{\"state\": 3, \"units\": \"many\"}");
    put(w, "statusquo.json", "not ours");
    json_t *status = stands(w, "running", "running");
    assert_int_equal(json_array_size(json_object_get(status, "processes")), 1);
    assert_int_equal(json_array_size(json_object_get(status, "unreadable")), 4);
    prints(status, "status-1-of-9.json cannot be read: ");
    json_decref(status);
}

static void test_held(void **state)
{
    char who[PL_PROCESS_NAME_MAX], path[PL_PATH_MAX];
    pl_process_name(who);
    put(*state, "units/aa.owner", who); /* it lives, and here: nothing to say */
    put(*state, "units/bb.owner", "4711-9-0123abcd@node17\n");
    put(*state, "units/cc.owner", "");
    json_t *status = stands(*state, "incomplete", NULL);
    assert_int_equal(json_array_size(json_object_get(status, "held")), 2);
    prints(status, "by '4711-9-0123abcd@node17', which cannot be asked from here: if that process is gone: rm -- '");
    prints(status, "incomplete: a unit is held, see above: if that process is gone, give that command");
    json_decref(status);
    /* A file that is no owner costs its own line. */
    OK(pl_path(path, "%s/units/aa.owner", ((world *)*state)->run.path));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    status = stands(*state, "incomplete", NULL);
    assert_int_equal(json_array_size(json_object_get(status, "held")), 2);
    prints(status, "aa cannot be read: ");
    json_decref(status);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_nothing_yet, make, drop),
        cmocka_unit_test_setup_teardown(test_running, make, drop),
        cmocka_unit_test_setup_teardown(test_dead, make, drop),
        cmocka_unit_test_setup_teardown(test_stopped, make, drop),
        cmocka_unit_test_setup_teardown(test_other_host, make, drop),
        cmocka_unit_test_setup_teardown(test_done, make, drop),
        cmocka_unit_test_setup_teardown(test_failed, make, drop),
        cmocka_unit_test_setup_teardown(test_broken_files, make, drop),
        cmocka_unit_test_setup_teardown(test_held, make, drop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
