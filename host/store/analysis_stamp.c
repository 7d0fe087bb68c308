#include "store/analysis_stamp.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/json_build.h"

enum { STAMP_FORMAT = 1, STAMP_BYTES_MAX = 1 << 16 };

/* Two changes of a file within a tick of the clock leave the same times: a file is left to rest so long first. */
static const double TICK_S = 0.02;

static bool begins(const char *name, const char *with)
{
    return strncmp(name, with, strlen(with)) == 0;
}

static bool ends(const char *name, const char *with)
{
    size_t n = strlen(name), m = strlen(with);
    return n > m && !strcmp(name + n - m, with);
}

static bool is_unit(const char *name)
{
    return ends(name, ".h5");
}

static bool is_look(const char *name)
{
    return ends(name, ".json");
}

static bool is_output(const char *name)
{
    static const char *const names[] = {"stability.csv", "arms.csv",   "verdict.csv", "contrasts.csv",
                                        "scorers.csv",   "screen.txt", "table.txt",   "table.json"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(name, names[i])) return true;
    return (begins(name, "results") && ends(name, ".json")) || (begins(name, "samples_") && ends(name, ".jsonl"));
}

/* ---- what a file is ---- */

typedef struct identities {
    pl_bytes text; /* a line a file */
    double youngest_s;
} identities;

static double seconds(struct timespec t)
{
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static pl_status add_file(identities *all, int folder, const char *name, const char *shown)
{
    struct stat st;
    const char *slash = strrchr(name, '/'); /* the same file by whatever path */
    int error = fstatat(folder, name, &st, 0) != 0 ? errno : 0;
    if (error == ENOENT) return pl_bytes_format(&all->text, "%s gone\n", name); /* a link that leads nowhere */
    if (error) return pl_fail(PL_E_IO, "%s: cannot be looked at: %s", shown, strerror(error));
    if (seconds(st.st_ctim) > all->youngest_s) all->youngest_s = seconds(st.st_ctim);
    return pl_bytes_format(&all->text, "%s %llu %lld.%09ld %lld.%09ld %llu %llu\n", slash ? slash + 1 : name,
                           (unsigned long long)st.st_size, (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec,
                           (long long)st.st_ctim.tv_sec, st.st_ctim.tv_nsec, (unsigned long long)st.st_ino,
                           (unsigned long long)st.st_dev);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The names in a folder that are wanted, in the arena. */
static pl_status list(char ***names, size_t *n, pl_arena *arena, DIR *folder, bool (*wanted)(const char *name))
{
    size_t capacity = 0;
    char **found = NULL;
    *n = 0;
    pl_status status = PL_OK;
    for (const struct dirent *entry; status == PL_OK && (entry = readdir(folder));) {
        if (!wanted(entry->d_name)) continue;
        status = pl_grow(&found, &capacity, *n + 1);
        if (status == PL_OK) status = pl_arena_text(arena, &found[*n], entry->d_name, strlen(entry->d_name));
        if (status == PL_OK) ++*n;
    }
    if (*n > 1) qsort(found, *n, sizeof *found, by_name);
    *names = found;
    return status;
}

static pl_status add_folder(identities *all, const char *path, bool (*wanted)(const char *name))
{
    pl_arena *arena = NULL;
    char **names = NULL;
    size_t n = 0;
    DIR *folder = opendir(path);
    if (!folder) return pl_fail(PL_E_IO, "%s: cannot list the folder: %s", path, strerror(errno));
    pl_status status = pl_arena_create(&arena);
    if (status == PL_OK) status = list(&names, &n, arena, folder, wanted);
    for (size_t i = 0; i < n && status == PL_OK; i++) status = add_file(all, dirfd(folder), names[i], path);
    free(names);
    pl_arena_free(arena);
    closedir(folder);
    return status;
}

static void finish(char out[PL_HASH_TEXT], identities *all)
{
    pl_hash128(out, all->text.data ? all->text.data : "", all->text.size);
    pl_bytes_free(&all->text);
}

static pl_status outputs_of(char out[PL_HASH_TEXT], const pl_run_folder *run)
{
    identities all = {0};
    pl_status status = add_folder(&all, run->path, is_output);
    finish(out, &all);
    return status;
}

/* A program that was built again is another one, whatever its version says. */
static pl_status program_of(char out[PL_HASH_TEXT])
{
    identities all = {0};
    pl_status status = add_file(&all, AT_FDCWD, "/proc/self/exe", "/proc/self/exe");
    if (status != PL_OK) status = pl_bytes_text(&all.text, "?"); /* no /proc: the version alone */
    if (status == PL_OK) status = pl_bytes_text(&all.text, PLUMB_VERSION);
    finish(out, &all);
    return status;
}

static pl_status read_inputs(identities *all, const pl_run_folder *run)
{
    char path[PL_PATH_MAX];
    PL_TRY(pl_path(path, "%s/plan.json", run->path));
    PL_TRY(add_file(all, AT_FDCWD, path, path));
    PL_TRY(pl_path(path, "%s/looks", run->path));
    if (pl_folder_exists(path)) PL_TRY(add_folder(all, path, is_look));
    PL_TRY(pl_path(path, "%s/units", run->path));
    return add_folder(all, path, is_unit);
}

pl_status pl_analysis_inputs(pl_analysis_stamp *out, const pl_run_folder *run)
{
    identities all = {0};
    struct timespec now, rest = {.tv_nsec = (long)(1e9 * TICK_S)};
    *out = (pl_analysis_stamp){0};
    pl_status status = read_inputs(&all, run);
    clock_gettime(CLOCK_REALTIME, &now);
    if (status == PL_OK && seconds(now) - all.youngest_s < TICK_S) nanosleep(&rest, NULL);
    finish(out->inputs, &all);
    return status;
}

/* ---- the stamp ---- */

static bool is_text(const json_t *json, const char *key, const char *expected)
{
    const char *text = json_string_value(json_object_get(json, key));
    return text && !strcmp(text, expected);
}

bool pl_analysis_stands(pl_analysis_stamp *stamp, const pl_run_folder *run)
{
    char path[PL_PATH_MAX], outputs[PL_HASH_TEXT], program[PL_HASH_TEXT];
    json_t *json = NULL;
    if (pl_path(path, "%s/analysis.json", run->path) != PL_OK || !pl_file_exists(path) ||
        pl_json_read(&json, path, STAMP_BYTES_MAX) != PL_OK)
        return false;
    const json_t *missing = json_object_get(json, "units_missing");
    bool stands = json_integer_value(json_object_get(json, "format")) == STAMP_FORMAT && json_is_integer(missing) &&
                  json_integer_value(missing) >= 0 && is_text(json, "inputs", stamp->inputs) &&
                  outputs_of(outputs, run) == PL_OK && is_text(json, "outputs", outputs) &&
                  program_of(program) == PL_OK && is_text(json, "program", program);
    if (stands) stamp->n_missing = (size_t)json_integer_value(missing);
    json_decref(json);
    return stands;
}

pl_status pl_analysis_stamp_put(const pl_analysis_stamp *stamp, const pl_run_folder *run)
{
    char path[PL_PATH_MAX], outputs[PL_HASH_TEXT], program[PL_HASH_TEXT];
    pl_json_builder b;
    json_t *json;
    PL_TRY(pl_path(path, "%s/analysis.json", run->path));
    PL_TRY(outputs_of(outputs, run));
    PL_TRY(program_of(program));
    pl_json_begin(&b);
    pl_json_put_integer(&b, "format", STAMP_FORMAT);
    pl_json_put_text(&b, "version", PLUMB_VERSION);
    pl_json_put_text(&b, "program", program);
    pl_json_put_text(&b, "inputs", stamp->inputs);
    pl_json_put_text(&b, "outputs", outputs);
    pl_json_put_size(&b, "units_missing", stamp->n_missing);
    PL_TRY(pl_json_end(&b, &json, path));
    pl_status status = pl_json_write(path, json);
    json_decref(json);
    return status;
}
