#include "page/map_part.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "store/matrices.h"

static const size_t FILE_BYTES_MAX = (size_t)1 << 30;
enum { FILE_SECONDS_MAX = 60, GROUP_NAME = 48 };

/* ---- in the helper ---- */

static void name_group(char out[GROUP_NAME], size_t index)
{
    snprintf(out, GROUP_NAME, "/maps/%03zu", index);
}

static pl_status read_heads(json_t *list, const char *path)
{
    char group[GROUP_NAME];
    bool has = true;
    for (size_t i = 0; has; i++) {
        json_t *head;
        name_group(group, i);
        PL_TRY(pl_matrices_have(&has, path, group));
        if (!has) break;
        PL_TRY(pl_matrices_group(&head, path, group, false));
        if (json_array_append_new(list, head) != 0) return pl_fail(PL_E_MEMORY, "out of memory for maps");
    }
    return PL_OK;
}

/* "h <path>" for the heads, "<index> <path>" for a map. */
static pl_status work(pl_bytes *answer, const char *question)
{
    const char *path = strchr(question, ' ') + 1;
    char group[GROUP_NAME];
    json_t *value = NULL;
    pl_status status;
    if (*question == 'h') {
        value = json_array();
        status = read_heads(value, path);
    } else {
        name_group(group, (size_t)strtoull(question, NULL, 10));
        status = pl_matrices_group(&value, path, group, true);
    }
    if (status == PL_OK) status = pl_json_canonical(answer, value);
    json_decref(value);
    return status;
}

/* ---- here ---- */

pl_helper pl__map_reader(void)
{
    return (pl_helper){.work = work, .limit_bytes = FILE_BYTES_MAX, .limit_s = FILE_SECONDS_MAX};
}

static pl_status ask(json_t **out, pl_helper *reader, const char *what, const char *path)
{
    char question[PL_PATH_MAX];
    pl_bytes answer = {0};
    *out = NULL;
    PL_TRY(pl_path(question, "%s %s", what, path));
    pl_status status = pl_helper_reply(reader, question, &answer);
    if (status == PL_OK) status = pl_json_parse(out, answer.data, answer.size, path);
    pl_bytes_free(&answer);
    return status == PL_E_MEMORY ? status : PL_OK;
}

pl_status pl__map_heads(json_t **out, pl_helper *reader, const char *path)
{
    return ask(out, reader, "h", path);
}

pl_status pl__map_whole(json_t **out, pl_helper *reader, const char *path, size_t index)
{
    char what[32];
    snprintf(what, sizeof what, "%zu", index);
    return ask(out, reader, what, path);
}
