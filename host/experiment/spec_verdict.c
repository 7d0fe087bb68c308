/* What prompting and tuning are judged by, said before the run and hashed as the primary contrasts are: another
 * requirement is another run, and so is one that is staged, as its error is split over looks. Neither decides a unit's
 * numbers: units are shared between such runs. */
#include <math.h>

#include "base/json_build.h"
#include "experiment/spec_keys.h"
#include "experiment/spec_parts.h"

static const double TEMPLATE_SD_MAX = 0.05;

static pl_status read_share(double *out, const pl_yaml_node *map, const char *key)
{
    const pl_yaml_node *node = pl_yaml_get(map, key);
    if (!node) return PL_OK;
    PL_TRY(pl_yaml_to_real(out, node));
    return *out > 0.0 && *out <= 1.0
               ? PL_OK
               : pl_yaml_fail(node, "%s: expected a share above 0, 1 at most, found %g", key, *out);
}

pl_status pl__read_verdict(pl_spec *spec, const pl_yaml_node *root)
{
    double require = NAN, margin = NAN, sd_max = TEMPLATE_SD_MAX;
    const pl_yaml_node *node = pl_yaml_get(root, "verdict"), *staged = pl_yaml_get(root, "staged");
    pl_json_builder b;
    if (staged) PL_TRY(pl_yaml_to_bool(&spec->staged, staged));
    if (spec->staged && (!node || node->kind != PL_YAML_MAP || !pl_yaml_get(node, "require")))
        return pl_yaml_fail(staged,
                            "staged: expected the accuracy that is enough, found none: say it, for example verdict: "
                            "{require: 0.8}, or take `staged` out");
    if (!node) return PL_OK;
    if (node->kind != PL_YAML_MAP)
        return pl_yaml_fail(node, "verdict: expected a map, as {require: 0.8, margin: 0.03}");
    PL_TRY(pl_yaml_check_keys(node, pl_spec_verdict_keys));
    PL_TRY(read_share(&require, node, "require"));
    PL_TRY(read_share(&margin, node, "margin"));
    PL_TRY(read_share(&sd_max, node, "template_sd_max"));
    pl_json_begin(&b);
    if (!isnan(require)) pl_json_put_real(&b, "require", require);
    if (!isnan(margin)) pl_json_put_real(&b, "margin", margin);
    if (spec->staged) pl_json_put_real(&b, "template_sd_max", sd_max);
    return pl_json_end(&b, &spec->verdict, "the verdict's settings");
}
