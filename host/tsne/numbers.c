#include "tsne/numbers.h"

#include <math.h>
#include <stdio.h>

static void put_finite(pl_json_builder *b, const char *key, double value)
{
    if (isfinite(value)) pl_json_put_real(b, key, value);
}

static void put_chart(pl_json_builder *b, const char *name, const pl_chart *c)
{
    const struct {
        const char *name;
        double value;
    } all[] = {{"kl", c->kl},
               {"knn", c->quality.knn_recall},
               {"trustworthiness", c->quality.trustworthiness},
               {"continuity", c->quality.continuity},
               {"spearman", c->quality.spearman}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        char key[64];
        snprintf(key, sizeof key, "%s_%s", name, all[i].name);
        put_finite(b, key, all[i].value);
    }
}

void pl_map_numbers(pl_json_builder *b, const pl_state_map *map)
{
    double low = INFINITY, high = -INFINITY;
    pl_json_put_size(b, "dims", map->dims);
    put_finite(b, "explained_1", map->explained[0]);
    put_finite(b, "explained_2", map->explained[1]);
    if (!map->has_map) return;
    for (size_t s = 0; s < map->n_seeds; s++) {
        low = fmin(low, map->seeds[s].kl);
        high = fmax(high, map->seeds[s].kl);
    }
    pl_json_put_text(b, "device", map->device);
    put_finite(b, "perplexity", map->perplexity);
    put_chart(b, "tsne", &map->plain);
    put_chart(b, "tsne_4", &map->exaggerated);
    pl_json_put_size(b, "doubtful", map->reliability.n_doubtful);
    pl_json_put_size(b, "seeds", map->n_seeds);
    put_finite(b, "seeds_kl_low", low);
    put_finite(b, "seeds_kl_high", high);
    put_finite(b, "seeds_disparity", map->disparity);
}
