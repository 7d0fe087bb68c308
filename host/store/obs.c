#include "store/obs.h"

#include <stdio.h>

const pl_obs_description pl_obs_columns[PL_OBS_N] = {
#define X(id, name, kind, readout, meaning) {name, PL_COLUMN_##kind, PL_OBS_##readout, meaning},
    PL_OBS_COLUMNS(X)
#undef X
};

pl_status pl_obs_create(pl_obs *out, size_t n_rows, unsigned of)
{
    pl_column *ignored;
    *out = (pl_obs){0};
    PL_TRY(pl_frame_create(&out->frame, n_rows));
    pl_status status = PL_OK;
    bool has[PL_OBS_N];
    for (size_t c = 0; c < PL_OBS_N; c++) {
        has[c] = pl_obs_columns[c].of == PL_OBS_BOTH || pl_obs_columns[c].of & of;
        if (has[c])
            PL_GOTO(status, failed, pl_frame_add(out->frame, &ignored, pl_obs_columns[c].name, pl_obs_columns[c].kind));
    }
    /* Adding moves columns: their places are known now. */
    for (size_t c = 0, at = 0; c < PL_OBS_N; c++)
        if (has[c]) out->columns[c] = &out->frame->columns[at++];
    return PL_OK;
failed:
    pl_obs_free(out);
    return status;
}

pl_status pl_obs_set_text(pl_obs *obs, pl_obs_column column, size_t row, const char *text)
{
    return obs->columns[column] ? pl_frame_set_text(obs->frame, obs->columns[column], row, text) : PL_OK;
}

void pl_obs_set_integer(pl_obs *obs, pl_obs_column column, size_t row, int64_t value)
{
    if (obs->columns[column]) obs->columns[column]->values.integer[row] = value;
}

void pl_obs_set_bool(pl_obs *obs, pl_obs_column column, size_t row, int value)
{
    if (obs->columns[column]) obs->columns[column]->values.boolean[row] = value != 0;
}

pl_status pl_obs_set_name(pl_obs *obs, size_t row, size_t doc_id, const char *unit_id)
{
    char name[48];
    snprintf(name, sizeof name, "%zu-%.12s", doc_id, unit_id);
    pl_obs_set_integer(obs, PL_OBS_DOC_ID, row, (int64_t)doc_id);
    return pl_obs_set_text(obs, PL_OBS_INDEX, row, name);
}

void pl_obs_free(pl_obs *obs)
{
    pl_frame_free(obs->frame);
    *obs = (pl_obs){0};
}
