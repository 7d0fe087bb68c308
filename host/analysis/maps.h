/* Maps of a run's states (tsne/map.h): one for each group's first member and each layer that the plan asks for.
 *
 * The items under all templates of the member are placed together: point k n + i is item i under template k. At most
 * PL_MAP_POINTS points: so many items, by chance, as that allows. Layer follows layer: each map starts from the one
 * before it (a film), the first from its principal components; a tuned model's starts from the map of the same layer of
 * the model it was tuned from, of the same items and templates, where there is one. */
#ifndef PLUMB_ANALYSIS_MAPS_H
#define PLUMB_ANALYSIS_MAPS_H

#include "analysis/layer.h"
#include "tsne/map.h"

enum { PL_MAP_POINTS = 5000 };

typedef struct pl_run_map {
    const pl_run_unit *unit; /* the member's first: model, task, arm, readout, k, draw, order, seed */
    const char *position, *layer;
    size_t n, t;                  /* items, templates */
    const int64_t *doc_id;        /* [n] */
    const char *const *templates; /* [t] */
    const char *start;            /* "components", "layer 03", "prompt k=0" */
    const char *why; /* why there is no map: `map` has components where the points are too few, else nothing; "": there
                        is one */
    pl_state_map map;
} pl_run_map;

typedef struct pl_run_maps {
    pl_map_settings settings;
    const json_t *layers; /* words of the plan; NULL: no maps */
    pl_run_map *maps;
    size_t n, capacity;
} pl_run_maps;

pl_status pl__maps_open(pl_run_maps *out, const pl_plan_file *plan, const pl_processor *on); /* on: borrowed */
/* wanted[n]: the states that a map is made of, by their names ("last.05"). */
void pl__maps_choose(bool *wanted, const pl_run_maps *maps, const char *const *names, size_t n);
/* Another map, of a layer; it is the last one until another is added. Texts are the arena's. */
pl_status pl__maps_add(pl_run_maps *maps, const pl__group *group, const pl__member *member, const pl__layer *layer,
                       pl_arena *arena);
void pl__maps_free(pl_run_maps *maps); /* takes {0} */

/* The number of a layer of the last token ("last.05"); -1: it has another position, or none (final_norm). */
long pl__layer_number(const char *name);

#endif
