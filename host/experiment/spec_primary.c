/* The primary contrasts of an experiment: what it is to show, said before it runs, one a task and readout. They are
 * frozen into plan.json and are part of the run folder's hash: another hypothesis is another run. */
#include <string.h>

#include "base/json_build.h"
#include "experiment/spec_keys.h"
#include "experiment/spec_parts.h"

static pl_status put_size(pl_json_builder *b, const pl_yaml_node *map, const char *key)
{
    size_t value;
    const pl_yaml_node *node = pl_yaml_get(map, key);
    if (!node) return PL_OK;
    PL_TRY(pl_yaml_to_size(&value, node));
    pl_json_put_size(b, key, value);
    return PL_OK;
}

static pl_status put_text(pl_json_builder *b, const pl_yaml_node *map, const char *key)
{
    const char *value;
    const pl_yaml_node *node = pl_yaml_get(map, key);
    if (!node) return PL_OK;
    PL_TRY(pl_yaml_to_text(&value, node));
    pl_json_put_text(b, key, value);
    return PL_OK;
}

/* One of the names, the first where the key is absent. */
static pl_status put_choice(pl_json_builder *b, const pl_yaml_node *map, const char *key, const char *const *names,
                            size_t n)
{
    size_t which = 0;
    const pl_yaml_node *node = pl_yaml_get(map, key);
    if (node) PL_TRY(pl__one_of(&which, node, names, n));
    pl_json_put_text(b, key, names[which]);
    return PL_OK;
}

static pl_status put_arm(pl_json_builder *b, const char *side, const pl_yaml_node *node)
{
    static const char *const kinds[] = {"prompt", "linear", "finetune"};
    static const char *const texts[] = {"name", "head", "train_templates", "labels", "chat"};
    if (node->kind != PL_YAML_MAP)
        return pl_yaml_fail(node, "%s: expected a map that tells one arm, as {kind: prompt, shots: 4}%s", side,
                            strcmp(side, "minus") ? "" : ", or best_prompt");
    PL_TRY(pl_yaml_check_keys(node, pl_spec_primary_arm_keys));
    if (!pl_yaml_get(node, "kind")) return pl_yaml_fail(node, "kind is missing; expected prompt, linear or finetune");
    pl_json_open(b, side);
    PL_TRY(put_choice(b, node, "kind", kinds, 3));
    PL_TRY(put_size(b, node, "shots"));
    PL_TRY(put_size(b, node, "n_train"));
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) PL_TRY(put_text(b, node, texts[i]));
    pl_json_close(b);
    return PL_OK;
}

static pl_status put_sides(pl_json_builder *b, const pl_yaml_node *node)
{
    const pl_yaml_node *arm = pl_yaml_get(node, "arm"), *minus = pl_yaml_get(node, "minus");
    if (!arm || !minus) return pl_yaml_fail(node, "a primary contrast needs arm and minus: what is compared with what");
    PL_TRY(put_arm(b, "arm", arm));
    if (minus->kind != PL_YAML_SCALAR) return put_arm(b, "minus", minus);
    const char *text;
    PL_TRY(pl_yaml_to_text(&text, minus));
    if (strcmp(text, "best_prompt")) return put_arm(b, "minus", minus);
    pl_json_put_text(b, "minus", text);
    return PL_OK;
}

static pl_status put_contrast(pl_json_builder *b, const pl_yaml_node *node)
{
    static const char *const metrics[] = {"acc", "acc_cc"}, *const roles[] = {"ood", "dev", "id"},
                             *const readouts[] = {"loglikelihood", "generate"};
    if (node->kind != PL_YAML_MAP)
        return pl_yaml_fail(node, "primary: expected a map, as {task: sst2, arm: {...}, minus: {...}, templates: ood}");
    PL_TRY(pl_yaml_check_keys(node, pl_spec_primary_keys));
    if (!pl_yaml_get(node, "task")) return pl_yaml_fail(node, "task is missing; expected the name of a task");
    pl_json_open(b, NULL);
    PL_TRY(put_text(b, node, "task"));
    PL_TRY(put_choice(b, node, "metric", metrics, 2));
    PL_TRY(put_choice(b, node, "templates", roles, 3));
    PL_TRY(put_choice(b, node, "readout", readouts, 2));
    PL_TRY(put_sides(b, node));
    pl_json_close(b);
    return PL_OK;
}

/* Two contrasts of one task and readout would be two hypotheses. */
static pl_status check_one_a_task(const json_t *list, const pl_yaml_node *node)
{
    static const char *const keys[] = {"task", "readout"};
    for (size_t i = 0; i < json_array_size(list); i++)
        for (size_t j = 0; j < i; j++) {
            bool same = true;
            for (size_t k = 0; k < 2; k++)
                same = same && json_equal(json_object_get(json_array_get(list, i), keys[k]),
                                          json_object_get(json_array_get(list, j), keys[k]));
            if (same)
                return pl_yaml_fail(node, "primary: task '%s' has two contrasts of one readout, expected one a task",
                                    json_string_value(json_object_get(json_array_get(list, i), "task")));
        }
    return PL_OK;
}

pl_status pl__read_primary(pl_spec *spec, const pl_yaml_node *root)
{
    const pl_yaml_node *node = pl_yaml_get(root, "primary");
    pl_json_builder b;
    pl__list l;
    json_t *made;
    if (!node) return PL_OK;
    PL_TRY(pl__list_of(&l, node));
    pl_json_begin(&b);
    pl_json_open_list(&b, "primary");
    pl_status status = PL_OK;
    for (size_t i = 0; i < l.n && status == PL_OK; i++) status = put_contrast(&b, pl__list_item(&l, i));
    if (status != PL_OK) {
        pl_json_discard(&b);
        return status;
    }
    pl_json_close(&b);
    PL_TRY(pl_json_end(&b, &made, "primary contrasts"));
    spec->primary = json_incref(json_object_get(made, "primary"));
    json_decref(made);
    return check_one_a_task(spec->primary, node);
}
