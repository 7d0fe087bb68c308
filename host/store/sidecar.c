#include "store/sidecar.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/json_build.h"
#include "store/unit_check.h"

pl_status pl__sidecar_write(const char *path, const json_t *sidecar, const char *file)
{
    char digest[PL_HASH_TEXT];
    const char *key;
    json_t *value, *whole;
    pl_json_builder b;
    PL_TRY(pl_unit_digest(digest, file));
    pl_json_begin(&b);
    json_object_foreach((json_t *)(uintptr_t)sidecar, key, value)
    {
        if (strcmp(key, PL_UNIT_DIGEST_KEY) != 0) pl_json_put_shared(&b, key, value);
    }
    pl_json_put_text(&b, PL_UNIT_DIGEST_KEY, digest);
    PL_TRY(pl_json_end(&b, &whole, path));
    pl_status status = pl_json_write(path, whole);
    json_decref(whole);
    return status;
}

pl_status pl__sidecar_remake(const char *path, const char *unit_id, const char *file)
{
    pl_json_builder b;
    json_t *sidecar;
    pl_json_begin(&b);
    pl_json_put_text(&b, "unit", unit_id);
    pl_json_put_bool(&b, "remade", true);
    PL_TRY(pl_json_end(&b, &sidecar, path));
    pl_status status = pl__sidecar_write(path, sidecar, file);
    json_decref(sidecar);
    return status;
}

/* Whether another process has finished the unit: its file is there. One that is not whole is moved aside. */
static pl_status look(bool *found, pl_run_folder *run, const char *path, const char *unit_id)
{
    *found = false;
    if (!pl_file_exists(path)) return PL_OK;
    pl_status status = pl_unit_check_whole(path, unit_id);
    if (status == PL_E_INPUT) return pl__run_folder_set_aside(run, path, pl_error_text());
    *found = status == PL_OK;
    return status;
}

static pl_status finish(pl_run_folder *run, const char *unit_id, const char *path, pl_unit_writer **writer,
                        const json_t *sidecar, bool *found)
{
    char beside[PL_PATH_MAX];
    PL_TRY(pl_path(beside, "%s/units/%s.json", run->path, unit_id));
    PL_TRY(pl_unit_seal(*writer));
    PL_TRY(look(found, run, path, unit_id));
    if (*found) return PL_OK;
    PL_TRY(pl__sidecar_write(beside, sidecar, pl_unit_temporary(*writer)));
    pl_unit_writer *taken = *writer;
    *writer = NULL;
    return pl_unit_finish(taken);
}

/* What failed does not matter when another process has finished the unit since: it may have swept our file away. */
static pl_status forgive(pl_status status, const char *path, const char *unit_id, bool *found)
{
    char text[1024];
    if (status == PL_OK || !pl_file_exists(path)) return status;
    snprintf(text, sizeof text, "%s", pl_error_text());
    *found = pl_unit_check_whole(path, unit_id) == PL_OK;
    return *found ? PL_OK : pl_fail(status, "%s", text);
}

pl_status pl_run_folder_finish(pl_run_folder *run, const char *unit_id, pl_unit_writer *writer, const json_t *sidecar,
                               bool *found)
{
    char path[PL_PATH_MAX], failed[PL_PATH_MAX];
    *found = false;
    pl_status status = pl_run_folder_unit(path, run, unit_id);
    if (status == PL_OK) status = finish(run, unit_id, path, &writer, sidecar, found);
    pl_unit_discard(writer);
    PL_TRY(forgive(status, path, unit_id, found));
    PL_TRY(pl_path(failed, "%s/units/%s.failed.json", run->path, unit_id));
    if (unlink(failed) != 0 && errno != ENOENT)
        return pl_fail(PL_E_IO, "%s: cannot remove: %s", failed, strerror(errno));
    return PL_OK;
}
