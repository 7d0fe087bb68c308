/* Sequence classifiers of every family that has them in transformers, against transformers' own logits
 * (golden/models/make_classifiers.py): the last token is pooled, behind the final norm where there is one, by a head
 * without a bias; caps and divisors of vocabulary logits stay away. */

#include "model/config.h"
#include "model/named_weights.h"
#include "model/outputs.h"

#define GOLDEN PLUMB_SOURCE_DIR "/tests/golden/models/classifiers.json"

/* As in test_keys.c. */
static const double TOLERANCE = 1e-5;

enum { N_IDS = 12 };

/* The text of config.json. */
static char *config_of(const char *model_type, const json_t *entry, const json_t *root)
{
    json_t *object = json_deep_copy(json_array_get(entry, 1)), *names = json_object();
    for (json_int_t i = 0; i < json_integer_value(json_object_get(root, "labels")); i++) {
        char key[24];
        snprintf(key, sizeof key, "%d", (int)i);
        json_object_set_new(names, key, json_string(key));
    }
    json_object_set_new(object, "model_type", json_string(model_type));
    json_object_set_new(object, "architectures", json_pack("[O]", json_array_get(entry, 0)));
    json_object_set_new(object, "id2label", names);
    json_object_set(object, "pad_token_id", json_object_get(root, "padding"));
    char *text = json_dumps(object, 0);
    json_decref(object);
    return text;
}

/* The distance of the last token's logits. */
static double distance_of(const pl_processor *processor, const char *folder, const char *text, const int32_t *ids,
                          const json_t *expected, void (*alter)(pl_config *config))
{
    pl_config c;
    pl_checkpoint *checkpoint;
    pl_model *model;
    outputs o;
    OK(pl__config_parse(&c, text, strlen(text), "config.json"));
    write_checkpoint(folder, text, &c);
    OK(pl_checkpoint_open(&checkpoint, folder));
    assert_int_equal(checkpoint->config.n_labels, json_array_size(expected));
    if (alter) alter(&checkpoint->config);
    OK(pl_model_load(&model, processor, checkpoint, PL_F32));
    pl_checkpoint_close(checkpoint);
    pl_kv *kv = kv_for(model, 1);
    const sequence all = {ids, 0, N_IDS, 0, 0};
    run_model(&o, model, kv, &all, 1, 1);
    const double off = off_by(o.logits + (N_IDS - 1) * o.V, expected);
    outputs_free(&o);
    processor->ops->kv_free(kv);
    pl_model_free(model);
    return off;
}

/* A small fault in what stands before the head, which these values have to show. */
static void other_eps(pl_config *config)
{
    config->norm_eps = 0.01;
}

static void test_against_transformers(void **state)
{
    (void)state;
    json_t *root, *cases;
    const char *name;
    char folder[PL_PATH_MAX];
    pl_processor processor;
    int32_t ids[N_IDS];
    size_t n_families = 0, wrong = 0, unseen = 0;
    OK(pl_json_read(&root, GOLDEN, 1 << 20));
    OK(pl_processor_open(&processor, "cpu", 1));
    make_folder(folder);
    for (size_t i = 0; i < N_IDS; i++)
        ids[i] = (int32_t)json_integer_value(json_array_get(json_object_get(root, "ids"), i));
    json_object_foreach(json_object_get(root, "families"), name, cases)
    {
        const char *known = pl__family_find(name)->classifier;
        double worst = 0;
        n_families += json_array_size(cases) > 0;
        assert_int_equal(known != NULL, json_array_size(cases) > 0);
        for (size_t i = 0; i < json_array_size(cases); i++) {
            const json_t *entry = json_array_get(cases, i), *expected = json_array_get(entry, 2);
            char *text = config_of(name, entry, root);
            assert_string_equal(known, json_string_value(json_array_get(entry, 0)));
            const double off = distance_of(&processor, folder, text, ids, expected, NULL);
            unseen += distance_of(&processor, folder, text, ids, expected, other_eps) <= TOLERANCE;
            if (!(off <= TOLERANCE)) print_error("%s, case %zu: %.2g\n", name, i, off);
            wrong += !(off <= TOLERANCE);
            worst = fmax(worst, off);
            free(text);
        }
        print_message("%s: %zu classifiers, %.2g\n", name, json_array_size(cases), worst);
    }
    assert_int_equal(wrong, 0);
    assert_int_equal(unseen, 0);
    assert_int_equal(n_families, 21);
    remove_folder(folder);
    pl_processor_close(&processor);
    json_decref(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_against_transformers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
