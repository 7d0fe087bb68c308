/* The run folder (run_folder.h): its frozen files, the paths of its units, its log and status. Every file but the log
 * is replaced as a whole. plan.json is written last: where it is, the folder is set up. */
#include "store/run_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json_build.h"
#include "base/visible.h"
#include "store/claim.h"
#include "store/left_over.h"
#include "store/unit_check.h"

static const size_t plan_limit_bytes = (size_t)1 << 30;

static pl_status stem_path(char out[PL_PATH_MAX], const pl_run_folder *run, const char *unit_id)
{
    PL_TRY(pl_path_check_name("unit id", unit_id));
    return pl_path(out, "%s/units/%s", run->path, unit_id);
}

/* units/<id>.<ending> */
static pl_status unit_path(char out[PL_PATH_MAX], const pl_run_folder *run, const char *unit_id, const char *ending)
{
    PL_TRY(pl_path_check_name("unit id", unit_id));
    return pl_path(out, "%s/units/%s.%s", run->path, unit_id, ending);
}

/* The plan that is there must be the one that is asked for; both as canonical JSON. */
static pl_status compare_plan(const char *path, const json_t *found, const json_t *plan)
{
    pl_bytes a = {0}, b = {0};
    pl_status status;
    PL_GOTO(status, done, pl_json_canonical(&a, found));
    PL_GOTO(status, done, pl_json_canonical(&b, plan));
    if (a.size != b.size || memcmp(a.data, b.data, a.size) != 0)
        status = pl_fail(PL_E_INPUT,
                         "%s: the plan of this run folder is another one than this experiment makes: expected equal "
                         "plans; remove the folder, or use another --results folder or another name",
                         path);
done:
    pl_bytes_free(&a);
    pl_bytes_free(&b);
    return status;
}

/* A plan that was cut or overwritten is made again; nothing else than this experiment's could have stood there. */
static pl_status keep_plan(pl_run_folder *run, const char *path, const json_t *plan)
{
    json_t *found;
    pl_status status = pl_json_read(&found, path, plan_limit_bytes);
    if (status == PL_E_INPUT) return pl__run_folder_set_aside(run, path, pl_error_text());
    PL_TRY(status);
    status = compare_plan(path, found, plan);
    json_decref(found);
    return status;
}

static pl_status freeze(pl_run_folder *run, const char *experiment_yaml, size_t yaml_size, const json_t *manifest,
                        const json_t *plan)
{
    char path[PL_PATH_MAX];
    PL_TRY(pl_path(path, "%s/plan.json", run->path));
    if (pl_file_exists(path)) PL_TRY(keep_plan(run, path, plan));
    PL_TRY(pl_path(path, "%s/experiment.yaml", run->path));
    if (!pl_file_exists(path)) PL_TRY(pl_file_replace(path, experiment_yaml, yaml_size));
    PL_TRY(pl_path(path, "%s/manifest.json", run->path));
    if (!pl_file_exists(path)) PL_TRY(pl_json_write(path, manifest));
    PL_TRY(pl_path(path, "%s/plan.json", run->path));
    return pl_file_exists(path) ? PL_OK : pl_json_write(path, plan);
}

pl_status pl_run_folder_create(pl_run_folder *out, const char *results, const char *name, const char *hash,
                               const char *experiment_yaml, size_t yaml_size, const json_t *manifest,
                               const json_t *plan)
{
    char path[PL_PATH_MAX];
    PL_TRY(pl_path_check_name("experiment name", name));
    PL_TRY(pl_path_check_name("experiment hash", hash));
    out->n_broken = 0;
    out->first_broken[0] = 0;
    PL_TRY(pl_path(out->results, "%s", results));
    PL_TRY(pl_path(out->path, "%s/%s-%.8s", results, name, hash));
    PL_TRY(pl_path(path, "%s/units", out->path));
    PL_TRY(pl_folder_make(path));
    PL_TRY(freeze(out, experiment_yaml, yaml_size, manifest, plan));
    PL_TRY(pl__left_overs_remove(out));
    return pl__units_heal(out);
}

pl_status pl_run_folder_open(pl_run_folder *out, const char *path)
{
    char plan[PL_PATH_MAX];
    *out = (pl_run_folder){0};
    PL_TRY(pl_path(out->path, "%s", path));
    for (size_t n = strlen(out->path); n > 1 && out->path[n - 1] == '/'; n--) out->path[n - 1] = 0;
    PL_TRY(pl_path(plan, "%s/plan.json", out->path));
    if (!pl_folder_exists(out->path) || !pl_file_exists(plan))
        return pl_fail(PL_E_INPUT, "%s: no run folder: expected a folder with a plan.json, as `plumb run` makes it",
                       path);
    const char *slash = strrchr(out->path, '/'), *last = slash ? slash + 1 : out->path;
    if (!strcmp(last, ".") || !strcmp(last, "..")) return pl_path(out->results, "%s/..", path);
    return pl_path_folder(out->results, out->path);
}

pl_status pl_run_folder_plan(const pl_run_folder *run, json_t **plan)
{
    char path[PL_PATH_MAX];
    *plan = NULL;
    PL_TRY(pl_path(path, "%s/plan.json", run->path));
    return pl_json_read(plan, path, plan_limit_bytes);
}

pl_status pl_run_folder_unit(char out[PL_PATH_MAX], const pl_run_folder *run, const char *unit_id)
{
    return unit_path(out, run, unit_id, "h5");
}

bool pl_run_folder_has(const pl_run_folder *run, const char *unit_id)
{
    char path[PL_PATH_MAX];
    return pl_run_folder_unit(path, run, unit_id) == PL_OK && pl_file_exists(path);
}

pl_status pl_run_folder_claim(const pl_run_folder *run, const char *unit_id, int *lock, bool *taken)
{
    char stem[PL_PATH_MAX];
    bool supported;
    PL_TRY(stem_path(stem, run, unit_id));
    PL_TRY(pl__claim_lock(stem, lock, taken, &supported));
    return supported ? PL_OK : pl__claim_owner(stem, lock, taken);
}

void pl_run_folder_release(const pl_run_folder *run, const char *unit_id, int lock)
{
    char stem[PL_PATH_MAX];
    if (stem_path(stem, run, unit_id) == PL_OK)
        pl__claim_release(stem, lock);
    else if (lock >= 0)
        close(lock);
}

pl_status pl_run_folder_owner(pl_unit_owner *out, bool *there, const pl_run_folder *run, const char *unit_id)
{
    char stem[PL_PATH_MAX];
    PL_TRY(stem_path(stem, run, unit_id));
    return pl__claim_look(out, there, stem);
}

pl_status pl_run_folder_failed(const pl_run_folder *run, const char *unit_id, const char *message)
{
    char path[PL_PATH_MAX];
    PL_TRY(unit_path(path, run, unit_id, "failed.json"));
    pl_json_builder b;
    json_t *object;
    pl_json_begin(&b);
    pl_json_put_text(&b, "message", message);
    PL_TRY(pl_json_end(&b, &object, path));
    pl_status status = pl_json_write(path, object);
    json_decref(object);
    return status;
}

pl_status pl_run_folder_failure(bool *failed, char *message, size_t size, const pl_run_folder *run, const char *unit_id,
                                double since)
{
    enum { MESSAGE_MAX = 1 << 16 };
    char path[PL_PATH_MAX];
    struct stat found;
    json_t *object;
    message[0] = 0;
    PL_TRY(unit_path(path, run, unit_id, "failed.json"));
    *failed = stat(path, &found) == 0 && (double)found.st_mtim.tv_sec + 1e-9 * (double)found.st_mtim.tv_nsec >= since;
    if (!*failed || pl_json_read(&object, path, MESSAGE_MAX) != PL_OK) return PL_OK;
    const char *text = json_string_value(json_object_get(object, "message"));
    snprintf(message, size, "%s", text ? text : "");
    json_decref(object);
    return PL_OK;
}

static pl_status append_line(const char *path, const char *line, size_t size)
{
    int fd, error;
    PL_TRY(pl_file_open_shared(&fd, &error, path, O_WRONLY | O_CREAT | O_APPEND));
    /* One write: lines of several processes do not mix. */
    ssize_t n = write(fd, line, size);
    error = n < 0 ? errno : ENOSPC;
    close(fd);
    return n == (ssize_t)size ? PL_OK : pl_fail(PL_E_IO, "%s: cannot write: %s", path, strerror(error));
}

pl_status pl_run_folder_log(const pl_run_folder *run, const char *format, ...)
{
    char path[PL_PATH_MAX], stamp[PL_TIME_TEXT], *text = NULL;
    PL_TRY(pl_path(path, "%s/log.txt", run->path));
    va_list args;
    va_start(args, format);
    int n = vasprintf(&text, format, args);
    va_end(args);
    if (n < 0) return pl_fail(PL_E_MEMORY, "out of memory while writing %s", path);
    for (char *c = text; *c; c++)
        if (*c == '\n') *c = ' ';
    pl_time_text(stamp);
    pl_bytes line = {0};
    pl_status status = pl_bytes_format(&line, "%s ", stamp);
    if (status == PL_OK) status = pl_visible_append(&line, text, strlen(text));
    if (status == PL_OK) status = pl_bytes_text(&line, "\n");
    if (status == PL_OK) status = append_line(path, line.data, line.size);
    pl_bytes_free(&line);
    free(text);
    return status;
}

pl_status pl_run_folder_status(const pl_run_folder *run, const char *shard, const json_t *status)
{
    char path[PL_PATH_MAX];
    if (shard && *shard) {
        PL_TRY(pl_path_check_name("shard", shard));
        PL_TRY(pl_path(path, "%s/status-%s.json", run->path, shard));
    } else {
        PL_TRY(pl_path(path, "%s/status.json", run->path));
    }
    return pl_json_write(path, status);
}

pl_status pl_run_folder_done(const pl_run_folder *run)
{
    char path[PL_PATH_MAX];
    PL_TRY(pl_path(path, "%s/DONE", run->path));
    PL_TRY(pl_file_replace(path, "", 0));
    return pl__left_overs_remove(run);
}
