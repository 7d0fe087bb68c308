/* The maps that the analysis is to make of a run's states: part of the run folder's hash, as the verdict's settings
 * are. */
#include <string.h>

#include "base/json_build.h"
#include "engine/engine.h"
#include "experiment/spec_keys.h"
#include "experiment/spec_parts.h"

static pl_status check_layer(const char *word, const pl_yaml_node *node)
{
    static const char *const known[] = {"all", "half", "last", "final_norm"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(word, known[i])) return PL_OK;
    if (*word && strspn(word, "0123456789") == strlen(word) && strlen(word) < 6) return PL_OK;
    return pl_yaml_fail(node, "layers: expected numbers, half, last, final_norm or all; found '%s'", word);
}

static pl_status put_layers(pl_json_builder *b, const pl_spec *spec, const pl_yaml_node *map)
{
    static const char *defaults[] = {"half", "last"};
    const char **words = defaults;
    size_t n = 2;
    const pl_yaml_node *node = pl_yaml_get(map, "layers");
    if (node) PL_TRY(pl__read_texts(spec, &words, &n, node));
    pl_json_open_list(b, "layers");
    for (size_t i = 0; i < n; i++) {
        if (node) PL_TRY(check_layer(words[i], node));
        pl_json_put_text(b, NULL, words[i]);
    }
    pl_json_close(b);
    return PL_OK;
}

static pl_status put_maps(pl_json_builder *b, const pl_spec *spec, const pl_yaml_node *map)
{
    size_t perplexity = 30, dims = 50, seeds = 5;
    PL_TRY(pl_yaml_check_keys(map, pl_spec_maps_keys));
    PL_TRY(pl__read_positive(&perplexity, map, "perplexity"));
    PL_TRY(pl__read_positive(&dims, map, "dims"));
    PL_TRY(pl__read_positive(&seeds, map, "seeds"));
    if (perplexity < 4) return pl_yaml_fail(map, "perplexity: expected 4 or more, found %zu", perplexity);
    PL_TRY(put_layers(b, spec, map));
    pl_json_put_size(b, "perplexity", perplexity);
    pl_json_put_size(b, "dims", dims);
    pl_json_put_size(b, "seeds", seeds);
    return PL_OK;
}

pl_status pl__read_maps(pl_spec *spec, const pl_yaml_node *map)
{
    pl_json_builder b;
    if (!map) return PL_OK;
    if (map->kind != PL_YAML_MAP) return pl_yaml_fail(map, "tsne: expected a map, as {layers: [half, last]}");
    if (!(spec->positions & PL_POSITION_LAST))
        return pl_yaml_fail(map, "tsne: maps are of position last, which capture.positions does not keep: add it");
    pl_json_begin(&b);
    pl_status status = put_maps(&b, spec, map);
    if (status == PL_OK) return pl_json_end(&b, &spec->maps, "the settings of maps");
    pl_json_discard(&b);
    return status;
}
