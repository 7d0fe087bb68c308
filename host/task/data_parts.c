/* Several files as one set: each is opened by itself, and a row is looked for in the file that has it (data_row.c). */
#include <stdlib.h>
#include <string.h>

#include "task/data_rows.h"

static pl_status digest_parts(char out[PL_SHA256_TEXT], const pl_data *data, bool rows)
{
    pl_bytes all = {0};
    pl_status status = PL_OK;
    for (size_t i = 0; i < data->n_parts && status == PL_OK; i++)
        status = pl_bytes_format(&all, "%s\n", rows ? data->parts[i]->sha256 : data->parts[i]->file_sha256);
    if (status == PL_OK) pl_sha256(out, all.data, all.size);
    pl_bytes_free(&all);
    return status;
}

static pl_status read_parts(pl_data *data, const char *const *paths, const char *const *sha256, size_t n,
                            const pl_data_form *form)
{
    PL_TRY(pl_new(&data->parts, n));
    PL_TRY(pl_copy_text(&data->where, paths[0]));
    for (; data->n_parts < n; data->n_parts++) {
        pl_data *part;
        PL_TRY(pl_data_read(&part, paths[data->n_parts], sha256 ? sha256[data->n_parts] : NULL, form));
        data->parts[data->n_parts] = part;
        data->n += part->n;
    }
    PL_TRY(pl__form_copy(&data->form, form));
    PL_TRY(digest_parts(data->file_sha256, data, false));
    return digest_parts(data->sha256, data, true);
}

pl_status pl_data_read_all(pl_data **out, const char *const *paths, const char *const *sha256, size_t n,
                           const pl_data_form *form)
{
    if (n == 1) return pl_data_read(out, paths[0], sha256 ? sha256[0] : NULL, form);
    *out = NULL;
    pl_data *data;
    PL_TRY(pl_new(&data, 1));
    pl_status status = read_parts(data, paths, sha256, n, form);
    if (status == PL_OK)
        *out = data;
    else
        pl_data_free(data);
    return status;
}
