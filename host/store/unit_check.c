#include "store/unit_check.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/sidecar.h"
#include "store/unit_file.h"

enum { MAX_BROKEN = 1000, MAX_SIDECAR_BYTES = 1 << 20 };

pl_status pl_unit_check_whole(const char *path, const char *unit_id)
{
    pl_unit_reader *reader;
    json_t *found = NULL;
    PL_TRY(pl_unit_open(&reader, path));
    pl_status status = pl_unit_get_attribute(reader, "unit_id", &found);
    const char *text = json_string_value(found);
    if (status == PL_OK && (!text || strcmp(text, unit_id) != 0))
        status = pl_fail(PL_E_INPUT, "%s: holds another unit: unit_id is '%s', expected '%s'", path, text ? text : "",
                         unit_id);
    json_decref(found);
    pl_unit_close(reader);
    return status;
}

pl_status pl_unit_digest(char out[PL_HASH_TEXT], const char *path)
{
    pl_map map;
    PL_TRY(pl_file_map(&map, path));
    pl_hash128(out, map.data, map.size);
    pl_file_unmap(&map);
    return PL_OK;
}

/* "" where there is none. */
static pl_status read_digest(char out[PL_HASH_TEXT], const char *sidecar)
{
    json_t *json;
    out[0] = 0;
    if (!pl_file_exists(sidecar)) return PL_OK;
    PL_TRY(pl_json_read(&json, sidecar, MAX_SIDECAR_BYTES));
    const char *text = json_string_value(json_object_get(json, PL_UNIT_DIGEST_KEY));
    if (text && strlen(text) == PL_HASH_TEXT - 1) memcpy(out, text, PL_HASH_TEXT);
    json_decref(json);
    return PL_OK;
}

pl_status pl_unit_check_intact(pl_unit_state *out, char reason[PL_PATH_MAX], const char *units_folder,
                               const char *unit_id)
{
    char path[PL_PATH_MAX], expected[PL_HASH_TEXT], found[PL_HASH_TEXT];
    *out = PL_UNIT_DAMAGED;
    reason[0] = 0;
    PL_TRY(pl_path(path, "%s/%s.json", units_folder, unit_id));
    pl_status status = read_digest(expected, path);
    if (status == PL_OK && expected[0]) {
        PL_TRY(pl_path(path, "%s/%s.h5", units_folder, unit_id));
        PL_TRY(pl_unit_digest(found, path));
        *out = strcmp(expected, found) ? PL_UNIT_DAMAGED : PL_UNIT_INTACT;
        if (*out == PL_UNIT_DAMAGED)
            snprintf(reason, PL_PATH_MAX, "%.3500s: its bytes have the digest %s, %s when it was written", path, found,
                     expected);
        return PL_OK;
    }
    if (status == PL_E_INPUT) { /* a sidecar that is no JSON: damaged too */
        snprintf(reason, PL_PATH_MAX, "%s", pl_error_text());
        return PL_OK;
    }
    *out = PL_UNIT_UNKNOWN;
    return status;
}

/* Renames to the first free <path>.broken-<n>. */
static pl_status move_aside(char aside[PL_PATH_MAX], const char *path)
{
    for (int n = 1; n <= MAX_BROKEN; n++) {
        PL_TRY(pl_path(aside, "%s.broken-%d", path, n));
        if (pl_file_exists(aside)) continue;
        if (rename(path, aside) == 0 || errno == ENOENT) return PL_OK; /* by another process already */
        return pl_fail(PL_E_IO, "%s: cannot rename to %s: %s", path, aside, strerror(errno));
    }
    return pl_fail(PL_E_INPUT, "%s: broken for the %dth time: check the disk, and remove %s.broken-*", path,
                   MAX_BROKEN + 1, path);
}

pl_status pl__run_folder_set_aside(pl_run_folder *run, const char *path, const char *reason)
{
    char aside[PL_PATH_MAX], why[1024];
    snprintf(why, sizeof why, "%s", reason); /* pl_error_text may be given */
    PL_TRY(move_aside(aside, path));
    if (run->n_broken++ == 0) snprintf(run->first_broken, sizeof run->first_broken, "%s", why);
    return pl_run_folder_log(run, "broken: %s; moved aside to %s and made again", why, strrchr(aside, '/') + 1);
}

/* Under the claim, so that nobody writes the unit meanwhile. */
static pl_status mend(pl_run_folder *run, const char *unit_id, const char *path, const char *sidecar)
{
    if (!pl_file_exists(path)) return PL_OK;
    pl_status status = pl_unit_check_whole(path, unit_id);
    if (status == PL_E_INPUT) return pl__run_folder_set_aside(run, path, pl_error_text());
    if (status != PL_OK || pl_file_exists(sidecar)) return PL_OK; /* what cannot be read is no fault of the unit */
    PL_TRY(pl__sidecar_remake(sidecar, unit_id, path));
    return pl_run_folder_log(run, "unit %s: had no sidecar; it has one without times now", unit_id);
}

static pl_status heal(pl_run_folder *run, const char *unit_id, const char *path)
{
    char sidecar[PL_PATH_MAX];
    int lock;
    bool taken;
    PL_TRY(pl_path(sidecar, "%s/units/%s.json", run->path, unit_id));
    if (pl_file_exists(sidecar) && pl_unit_check_whole(path, unit_id) != PL_E_INPUT) return PL_OK;
    PL_TRY(pl_run_folder_claim(run, unit_id, &lock, &taken));
    if (!taken) return PL_OK;
    pl_status status = mend(run, unit_id, path, sidecar);
    pl_run_folder_release(run, unit_id, lock);
    return status;
}

pl_status pl__units_heal(pl_run_folder *run)
{
    char folder[PL_PATH_MAX], path[PL_PATH_MAX], unit_id[256];
    struct dirent **entries;
    PL_TRY(pl_path(folder, "%s/units", run->path));
    int n = scandir(folder, &entries, NULL, alphasort);
    if (n < 0) return pl_fail(PL_E_IO, "%s: cannot list the folder: %s", folder, strerror(errno));
    pl_status status = PL_OK;
    for (int i = 0; i < n && status == PL_OK; i++) {
        const char *name = entries[i]->d_name;
        size_t size = strlen(name);
        if (size < 4 || size >= sizeof unit_id || strcmp(name + size - 3, ".h5") != 0) continue;
        snprintf(unit_id, sizeof unit_id, "%.*s", (int)(size - 3), name);
        status = pl_path(path, "%s/%s", folder, name);
        if (status == PL_OK) status = heal(run, unit_id, path);
    }
    for (int i = 0; i < n; i++) free(entries[i]);
    free(entries);
    return status;
}
