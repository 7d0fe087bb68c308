/* Left-overs (left_over.h). A lock proves nothing about the writer of a temporary file, as locks may be private to a
 * node; the name of the writer in the file's name does. */
#include "store/left_over.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/temporary.h"
#include "store/claim.h"

static bool has_ending(const char *name, const char *ending)
{
    size_t n = strlen(name), m = strlen(ending);
    return n > m && !strcmp(name + n - m, ending);
}

/* The unit whose finished file "<id>.h5.<process>.tmp" was to become is there: nobody waits for that one any more. */
static bool is_overtaken(const pl_run_folder *run, const char *name)
{
    char unit_id[256];
    const char *end = strstr(name, ".h5.");
    if (!end || !pl_temporary_is_unknown(name)) return false;
    snprintf(unit_id, sizeof unit_id, "%.*s", (int)(end - name), name);
    return pl_run_folder_has(run, unit_id);
}

/* A lock file that nobody holds: taken and given back. */
static void remove_lock(const pl_run_folder *run, const char *unit_id)
{
    int lock;
    bool taken;
    if (pl_run_folder_claim(run, unit_id, &lock, &taken) == PL_OK && taken) pl_run_folder_release(run, unit_id, lock);
}

static void remove_one(const pl_run_folder *run, const char *folder, const char *name)
{
    static const char *const endings[] = {".lock", ".owner", ".owner.guard"};
    char path[PL_PATH_MAX], unit_id[256];
    if (pl_path(path, "%s/%s", folder, name) != PL_OK) return;
    if (pl_temporary_is_left(name, path) || is_overtaken(run, name)) pl_temporary_remove(path);
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        if (!has_ending(name, endings[i])) continue;
        snprintf(unit_id, sizeof unit_id, "%.*s", (int)(strlen(name) - strlen(endings[i])), name);
        bool finished = pl_run_folder_has(run, unit_id);
        path[strlen(path) - strlen(endings[i])] = 0;
        if (i == 0)
            remove_lock(run, unit_id);
        else
            pl__claim_sweep(path, finished);
    }
}

static pl_status remove_from_units(const pl_run_folder *run)
{
    char path[PL_PATH_MAX];
    PL_TRY(pl_path(path, "%s/units", run->path));
    DIR *folder = opendir(path);
    if (!folder) return pl_fail(PL_E_IO, "%s: cannot list the folder: %s", path, strerror(errno));
    for (const struct dirent *entry; (entry = readdir(folder));) remove_one(run, path, entry->d_name);
    closedir(folder);
    return PL_OK;
}

pl_status pl__left_overs_remove(const pl_run_folder *run)
{
    static const char *const folders[] = {".", "tasks", "numerics", "looks"};
    char path[PL_PATH_MAX];
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        PL_TRY(pl_path(path, "%s/%s", run->path, folders[i]));
        if (pl_folder_exists(path)) PL_TRY(pl_file_sweep(path));
    }
    return remove_from_units(run);
}
