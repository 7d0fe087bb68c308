/* A staged run: which units wait for a look, and which are not needed (run_parts.h, store/stages.h). */
#include <stdio.h>

#include "experiment/run_parts.h"

bool pl__is_not_needed(const pl__runner *r, size_t unit)
{
    return r->stages.n && r->stages.need[unit] == PL_NOT_NEEDED;
}

pl_status pl__stages_begin(pl__runner *r)
{
    if (!r->spec->staged) return PL_OK;
    PL_TRY(pl_plan_file_read(&r->planned, &r->summary->folder));
    return pl_stages_open(&r->stages, r->planned, &r->summary->folder);
}

static const char *next_of(const pl_stage_row *row)
{
    size_t next = row->open + 1;
    while (next < PL_STAGES && !row->has[next]) next++;
    return pl_stage_names[next]; /* there is one: a look was due */
}

/* One line for people; in the log it is from who took the look. */
static pl_status tell(const pl__runner *r, const pl_stage_row *row, const pl_look *look, const pl_look_place *place,
                      bool taken)
{
    char text[PL_LOOK_TEXT], line[2 * PL_LOOK_TEXT];
    pl_look_text(text, look, place->stage);
    snprintf(line, sizeof line, "look: %s, %s, %s %s: %s%s", r->planned->models[place->model].name,
             r->planned->tasks[place->task].name, place->readout, text,
             look->enough ? "enough, the rest is not tried" : "goes on with ", look->enough ? "" : next_of(row));
    pl__say(r, line);
    return taken ? pl_run_folder_log(&r->summary->folder, "%s", line) : PL_OK;
}

/* Takes the looks at the row that are due. */
static pl_status look(pl__runner *r, pl_stage_row *row)
{
    const pl_run_folder *folder = &r->summary->folder;
    pl_look_place place;
    while (pl_stages_next_look(&place, &r->stages, row)) {
        pl_look look;
        bool there;
        PL_TRY(pl_look_get(&look, &there, folder, &place)); /* another process may have taken it */
        if (!there) {
            if (!pl_stages_is_finished(&r->stages, row, folder)) return PL_OK;
            pl_ahead_drop(&r->ahead); /* unit files are read by a fork, which is made without other threads at work */
            PL_TRY(r->options->look(&look, folder, &place));
            PL_TRY(pl_look_agree(&look, folder, r->planned, &place));
        }
        PL_TRY(tell(r, row, &look, &place, !there));
        PL_TRY(pl_stages_read(&r->stages, folder));
    }
    return PL_OK;
}

pl_status pl__unit_need(pl_need *need, pl__runner *r, const pl_plan_unit *unit)
{
    const size_t u = (size_t)(unit - r->plan->units);
    for (size_t j = 0; j < r->stages.n && r->stages.need[u] == PL_WAITING; j++) {
        pl_stage_row *row = &r->stages.rows[j];
        if (row->model == unit->model && row->task == unit->task) PL_TRY(look(r, row));
    }
    *need = r->stages.n ? r->stages.need[u] : PL_NEEDED;
    return PL_OK;
}
