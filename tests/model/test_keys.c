/* Every key of config.json that a family reads, against transformers itself (golden/models/make_keys.py): class
 * defaults, and the logits of models whose weights are made from their tensors' names. Nothing loads that transformers
 * does not run or computes otherwise, and what is refused although transformers runs it is listed here with its reason.
 */

#include "base/json.h"
#include "model/config.h"
#include "model/named_weights.h"
#include "model/outputs.h"

#define GOLDEN PLUMB_SOURCE_DIR "/tests/golden/models/keys.json"

/* ‖logits - reference‖ / ‖reference‖: float32 on both sides, seven digits in the file; another window, rotation or
 * activation gives more than 1e-4 with these weights. */
static const double TOLERANCE = 1e-5;

enum { N_IDS = 12 };

/* Refused although transformers runs it, each by a case at least. */
static const struct refusal {
    const char *message, *why;
} refusals[] = {
    {"activation 'tanh' is not supported", "no op has it"},
    {"sliding_window: expected 1 or more, or null, found 0", "a token would see nothing"},
    {"use_bidirectional_attention: true is not supported", "a token would see those behind it"},
    {"rope_theta: expected a number above 0, found null", "gemma3_text: null is the default there alone"},
    {"word_embed_proj_dim: expected 1 or more, or null, found 0", "nothing of the input would be left"},
    {"layer_norm_elementwise_affine: false is not supported", "no pass has it yet"},
    {"layerdrop: 0.5 is not supported", "training would leave out layers"},
    {"multiplier: expected a number above 0, found 0", "nothing of the input, scores or branches would be left"},
    {"layer_types is missing: all layers would be recurrent", "no op has them"},
    {"recurrent layers are not there", "no op has them"},
    {"a mixture of experts is not there", "no op has it"},
    {"window_size: expected 1 or more, or null, found 0", "a token would see nothing"},
    {"hidden_dropout: 0.5 is not supported", "stablelm, falcon: training would drop otherwise"},
    {"attention_dropout: 0.5 is not supported", "falcon: training would drop otherwise"},
    {"apply_residual_connection_post_layernorm: true is not supported", "no pass has it"},
    {"slow_but_exact: true is not supported", "bloom: biases are left out with tensor parallelism"},
    {"transformers ignores it", "mpt: MosaicML's own code does not"},
    {"transformers has no biases and ignores it", "mpt: MosaicML's own code does not"},
    {"attn_config.alibi: false is not supported", "mpt: MosaicML's own code has no ALiBi then"},
    {"attn_config.alibi_bias_max", "mpt: transformers takes 8, MosaicML's own code what it says"},
    {"attn_config.softmax_scale: expected a number above 0", "all scores would be equal"},
    {"attn_config.clip_qkv: 0.5 is not supported", "no pass has it yet"},
    {"rope_parameters beside rope_scaling is not supported", "transformers merges them into one another"},
    {"expected full_attention and sliding_attention alone", "transformers ignores what stands beside them"},
    {"has none: transformers gives all of its layers sliding_window", "transformers warns, and ignores them"},
    {"is sliding_attention, but use_sliding_window is false", "smollm3: flash and eager attention read it differently"},
};
enum { N_REFUSALS = sizeof refusals / sizeof *refusals };

/* ---- Cases ---- */

typedef struct world {
    pl_processor processor;
    char folder[PL_PATH_MAX];
    int32_t ids[N_IDS];
} world;

/* The distance of the last token's first logits. */
static double distance_of(const world *w, const char *text, const pl_config *c, const json_t *expected)
{
    write_checkpoint(w->folder, text, c);
    pl_checkpoint *checkpoint;
    pl_model *model;
    outputs o;
    OK(pl_checkpoint_open(&checkpoint, w->folder));
    OK(pl_model_load(&model, &w->processor, checkpoint, PL_F32));
    pl_checkpoint_close(checkpoint);
    pl_kv *kv = kv_for(model, 1);
    const sequence all = {w->ids, 0, N_IDS, 0, 0};
    run_model(&o, model, kv, &all, 1, 1);
    const double off = off_by(o.logits + (N_IDS - 1) * o.V, expected);
    outputs_free(&o);
    w->processor.ops->kv_free(kv);
    pl_model_free(model);
    return off;
}

static bool is_known(const char *message, bool seen[])
{
    for (size_t i = 0; i < N_REFUSALS; i++)
        if (strstr(message, refusals[i].message)) return seen[i] = true;
    return false;
}

/* Returns 1 for a fault, which it tells. */
static size_t check_case(const world *w, const char *model_type, const json_t *sizes, const json_t *entry, bool seen[],
                         size_t *compared)
{
    const json_t *keys = json_array_get(entry, 0), *expected = json_array_get(entry, 1);
    json_t *object = json_deep_copy(sizes);
    assert_int_equal(json_object_update(object, (json_t *)(uintptr_t)keys), 0);
    json_object_set_new(object, "model_type", json_string(model_type));
    char *text = json_dumps(object, 0), *told = json_dumps(keys, JSON_COMPACT);
    pl_config c;
    size_t fault = 0;
    if (pl__config_parse(&c, text, strlen(text), "config.json") != PL_OK) {
        fault = json_is_array(expected) && !is_known(pl_error_text(), seen);
        if (fault) print_error("%s %s: %s\n", model_type, told, pl_error_text());
    } else if (!json_is_array(expected)) {
        print_error("%s %s: transformers does not run it, plumb does\n", model_type, told);
        fault = 1;
    } else {
        const double d = distance_of(w, text, &c, expected);
        *compared += 1;
        fault = !(d <= TOLERANCE);
        if (fault) print_error("%s %s: %.2g\n", model_type, told, d);
    }
    free(text);
    free(told);
    json_decref(object);
    return fault;
}

static void test_against_transformers(void **state)
{
    (void)state;
    world w;
    json_t *root, *family;
    const char *name;
    bool seen[N_REFUSALS] = {false};
    size_t wrong = 0;
    OK(pl_json_read(&root, GOLDEN, 1 << 22));
    OK(pl_processor_open(&w.processor, "cpu", 1));
    make_folder(w.folder);
    for (size_t i = 0; i < N_IDS; i++)
        w.ids[i] = (int32_t)json_integer_value(json_array_get(json_object_get(root, "ids"), i));
    json_object_foreach(json_object_get(root, "families"), name, family)
    {
        const json_t *cases = json_object_get(family, "cases"), *sizes = json_object_get(family, "sizes");
        size_t compared = 0;
        for (size_t i = 0; i < json_array_size(cases); i++)
            wrong += check_case(&w, name, sizes, json_array_get(cases, i), seen, &compared);
        print_message("%s: %zu configurations, %zu compared\n", name, json_array_size(cases), compared);
        assert_true(compared >= 20);
    }
    assert_int_equal(wrong, 0);
    for (size_t i = 0; i < N_REFUSALS; i++)
        if (!seen[i]) fail_msg("no case is refused with '%s' (%s)", refusals[i].message, refusals[i].why);
    remove_folder(w.folder);
    pl_processor_close(&w.processor);
    json_decref(root);
}

/* ---- Class defaults ---- */

static void parse_defaults(pl_config *out, const char *model_type, const json_t *needed, const char *key,
                           const json_t *value)
{
    json_t *object = json_deep_copy(needed);
    json_object_set_new(object, "model_type", json_string(model_type));
    if (key) json_object_set(object, key, (json_t *)(uintptr_t)value);
    char *text = json_dumps(object, 0);
    OK(pl__config_parse(out, text, strlen(text), "config.json"));
    free(text);
    json_decref(object);
}

static void check_default(const char *model_type, const json_t *needed, const pl_config *c, const pl__key_fact *fact,
                          const json_t *value)
{
    const char *field = (const char *)c + fact->field;
    double own = 0;
    pl_config named;
    switch (fact->kind) {
    case PL__SIZE:
    case PL__SIZE_OR_NULL:
        own = (double)*(const size_t *)(const void *)field;
        break;
    case PL__REAL:
    case PL__CAP:
    case PL__SCALE:
        own = *(const double *)(const void *)field;
        break;
    case PL__BOOL:
        if (json_is_true(value) != *(const bool *)field) fail_msg("%s: default of %s", model_type, fact->key);
        return;
    case PL__ACTIVATION:
        parse_defaults(&named, model_type, needed, fact->key, value);
        assert_int_equal(named.activation, c->activation);
        return;
    }
    if (own != json_number_value(value))
        fail_msg("%s: default of %s is %g, expected %g", model_type, fact->key, own, json_number_value(value));
}

static void test_defaults(void **state)
{
    (void)state;
    json_t *root, *family;
    const char *name;
    OK(pl_json_read(&root, GOLDEN, 1 << 22));
    json_object_foreach(json_object_get(root, "families"), name, family)
    {
        pl_config c;
        size_t checked = 0;
        const json_t *needed = json_object_get(family, "needed");
        parse_defaults(&c, name, needed, NULL, NULL);
        for (size_t i = 0; i < c.family->n_keys; i++) {
            const pl__key_fact *fact = &c.family->keys[i];
            const json_t *defaults = json_object_get(family, "defaults");
            const json_t *value = fact->key ? json_object_get(defaults, fact->key) : NULL;
            if (!value && fact->alias) value = json_object_get(defaults, fact->alias);
            if (!value || json_object_get(needed, fact->key)) continue;
            check_default(name, needed, &c, fact, value);
            checked++;
        }
        assert_true(checked >= 8); /* mpt has no more */
    }
    json_decref(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_against_transformers), cmocka_unit_test(test_defaults)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
