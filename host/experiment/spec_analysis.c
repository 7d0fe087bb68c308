/* What the analysis makes on request; hashed as the verdict's settings are: another request is another run folder,
 * which adopts the units that are there. */
#include <string.h>

#include "base/json_build.h"
#include "experiment/spec_keys.h"
#include "experiment/spec_parts.h"

pl_status pl__read_analysis(pl_spec *spec, const pl_yaml_node *root)
{
    const pl_yaml_node *node = pl_yaml_get(root, "analysis");
    pl_json_builder b;
    static const char maps[] = "tsne"; /* a map of its own */
    bool any = false;
    if (!node) return PL_OK;
    if (node->kind != PL_YAML_MAP) return pl_yaml_fail(node, "analysis: expected a map, as {layer_pairs: true}");
    PL_TRY(pl_yaml_check_keys(node, pl_spec_analysis_keys));
    PL_TRY(pl__read_maps(spec, pl_yaml_get(node, maps)));
    pl_json_begin(&b);
    for (const pl_yaml_key *key = pl_spec_analysis_keys; key->name; key++) {
        const pl_yaml_node *value = pl_yaml_get(node, key->name);
        bool asked = false;
        if (!strcmp(key->name, maps)) continue;
        pl_status status = value ? pl_yaml_to_bool(&asked, value) : PL_OK;
        if (status != PL_OK) {
            pl_json_discard(&b);
            return status;
        }
        if (asked) pl_json_put_bool(&b, key->name, true);
        any = any || asked;
    }
    PL_TRY(pl_json_end(&b, &spec->analysis, "what the analysis is asked for"));
    if (any) return PL_OK;
    json_decref(spec->analysis);
    spec->analysis = NULL;
    return PL_OK;
}
