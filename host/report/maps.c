/* analysis.h5: the maps of a run's states, a group each (/maps/000, ...), in the order in which they were made. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/json_build.h"
#include "report/report.h"
#include "store/matrices.h"
#include "tsne/numbers.h"

enum { ARRAYS = 9, GROUP_NAME = 32 };

static pl_status numbers_of(json_t **out, const pl_run_map *m)
{
    pl_json_builder b;
    pl_json_begin(&b);
    pl_json_put_text(&b, "model", m->unit->model);
    pl_json_put_text(&b, "task", m->unit->task);
    pl_json_put_text(&b, "arm", m->unit->arm);
    pl_json_put_text(&b, "readout", m->unit->readout);
    pl_json_put_integer(&b, "k", m->unit->k);
    pl_json_put_integer(&b, "draw", m->unit->draw);
    pl_json_put_integer(&b, "order", m->unit->order);
    pl_json_put_integer(&b, "seed", m->unit->seed);
    pl_json_put_text(&b, "position", m->position);
    pl_json_put_text(&b, "layer", m->layer);
    pl_json_put_text(&b, "start", m->start);
    pl_json_put_text(&b, "why_empty", m->why);
    if (m->map.pca) pl_map_numbers(&b, &m->map);
    return pl_json_end(&b, out, "the numbers of a map");
}

/* Of each point 1 where it is not to be trusted; NULL without a map. */
static pl_status distrusted_of(const int64_t **out, const pl_run_map *m, pl_arena *arena)
{
    int64_t *all;
    *out = NULL;
    if (*m->why) return PL_OK;
    PL_TRY(pl_arena_new(arena, &all, m->map.reliability.n));
    for (size_t i = 0; i < m->map.reliability.n; i++) all[i] = m->map.reliability.doubtful[i];
    *out = all;
    return PL_OK;
}

/* Returns how many. */
static size_t arrays_of(pl_addition *out, const pl_run_map *m, const int64_t *distrusted, const char *group)
{
    const size_t points = m->n * m->t;
    const pl_reliability *r = &m->map.reliability;
    const pl_addition all[ARRAYS] = {
        {.group = group, .name = "doc_id", .integers = m->doc_id, .rows = m->n},
        {.group = group, .name = "template", .texts = m->templates, .rows = m->t},
        {.group = group, .name = "pca", .values = m->map.pca, .rows = points, .width = 2},
        {.group = group, .name = "tsne", .values = m->map.plain.at, .rows = points, .width = 2},
        {.group = group, .name = "exaggeration_4", .values = m->map.exaggerated.at, .rows = points, .width = 2},
        {.group = group, .name = "reliability", .values = r->score, .rows = points},
        {.group = group, .name = "agreement", .values = r->agreement, .rows = points},
        {.group = group, .name = "displacement", .values = r->displacement, .rows = points},
        {.group = group, .name = "distrusted", .integers = distrusted, .rows = points}};
    const size_t n = m->map.has_map ? ARRAYS : m->map.pca ? 3 : 2;
    for (size_t i = 0; i < n; i++) out[i] = all[i];
    return n;
}

pl_status pl_report_maps(const pl_run_folder *run, const pl_stability_table *table)
{
    const pl_run_maps *maps = &table->maps;
    pl_addition *additions = NULL;
    pl_entries *entries = NULL;
    char path[PL_PATH_MAX], (*groups)[GROUP_NAME] = NULL;
    size_t n = 0, made = 0;
    pl_status status;
    PL_TRY(pl_path(path, "%s/analysis.h5", run->path));
    if (maps->n == 0) {
        unlink(path);
        return PL_OK;
    }
    PL_GOTO(status, done, pl_new(&additions, maps->n * ARRAYS));
    PL_GOTO(status, done, pl_new(&entries, maps->n));
    PL_GOTO(status, done, pl_new(&groups, maps->n));
    for (; made < maps->n; made++) {
        json_t *numbers;
        PL_GOTO(status, done, numbers_of(&numbers, &maps->maps[made]));
        snprintf(groups[made], sizeof groups[made], "/maps/%03zu", made);
        entries[made] = (pl_entries){groups[made], numbers};
        const int64_t *distrusted;
        PL_GOTO(status, done, distrusted_of(&distrusted, &maps->maps[made], table->arena));
        n += arrays_of(additions + n, &maps->maps[made], distrusted, groups[made]);
    }
    status = pl_matrices_add(path, NULL, additions, n, entries, maps->n);
done:
    for (size_t i = 0; i < made; i++) json_decref((json_t *)(uintptr_t)entries[i].values);
    free(groups);
    free(entries);
    free(additions);
    return status;
}
