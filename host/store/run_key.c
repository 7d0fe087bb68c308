#include "store/run_key.h"

#include <stdio.h>
#include <string.h>

#include "base/temporary.h"
#include "store/unit_file.h"

pl_status pl_run_key_path(char path[PL_PATH_MAX], const pl_run_folder *run, const char *model)
{
    return pl_path(path, "%s/numerics/%s", run->path, model);
}

pl_status pl_run_key_get(char kept[PL_RUN_KEY_MAX], const pl_run_folder *run, const char *model)
{
    char path[PL_PATH_MAX];
    pl_bytes text = {0};
    kept[0] = 0;
    PL_TRY(pl_run_key_path(path, run, model));
    if (!pl_file_exists(path)) return PL_OK;
    PL_TRY(pl_file_read(&text, path, PL_RUN_KEY_MAX - 1));
    snprintf(kept, PL_RUN_KEY_MAX, "%.*s", (int)strcspn(text.data, "\n"), text.data);
    pl_bytes_free(&text);
    return PL_OK;
}

static pl_status put_first(const char *path, const char *key)
{
    char line[PL_RUN_KEY_MAX + 1];
    int n = snprintf(line, sizeof line, "%s\n", key);
    return pl_temporary_put_first(path, line, (size_t)n);
}

pl_status pl_run_key_agree(char kept[PL_RUN_KEY_MAX], const pl_run_folder *run, const char *model, const char *key)
{
    char path[PL_PATH_MAX], folder[PL_PATH_MAX];
    PL_TRY(pl_run_key_get(kept, run, model));
    if (kept[0]) return PL_OK;
    PL_TRY(pl_run_key_path(path, run, model));
    PL_TRY(pl_path_folder(folder, path));
    PL_TRY(pl_folder_make(folder));
    PL_TRY(put_first(path, key));
    PL_TRY(pl_run_key_get(kept, run, model));
    return kept[0] ? PL_OK : pl_fail(PL_E_INPUT, "%s: expected a numerics key, found nothing: remove the file", path);
}

pl_status pl_unit_key(char key[PL_RUN_KEY_MAX], const char *unit_path)
{
    pl_unit_reader *reader;
    json_t *value = NULL;
    key[0] = 0;
    PL_TRY(pl_unit_open(&reader, unit_path));
    pl_status status = pl_unit_get_attribute(reader, "numerics_key", &value);
    if (status == PL_OK && json_is_string(value)) snprintf(key, PL_RUN_KEY_MAX, "%s", json_string_value(value));
    json_decref(value);
    pl_unit_close(reader);
    return status == PL_E_MEMORY ? status : PL_OK;
}
