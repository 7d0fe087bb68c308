/* What a reader needs to judge a map, as numbers with names: one list for every file and printer. */
#ifndef PLUMB_TSNE_NUMBERS_H
#define PLUMB_TSNE_NUMBERS_H

#include "base/json_build.h"
#include "tsne/map.h"

/* Adds dims, explained_1, explained_2 and, where there is a map, device, perplexity, tsne_kl, tsne_knn,
 * tsne_trustworthiness, tsne_continuity, tsne_spearman, the same with tsne_4_, doubtful, seeds, seeds_kl_low,
 * seeds_kl_high and seeds_disparity. What is not finite is left out. */
void pl_map_numbers(pl_json_builder *b, const pl_state_map *map);

#endif
