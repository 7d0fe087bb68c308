/* The table of multimodal wrappers: names from transformers' modelling files and its table of renamed weights. */
#include "model/wrapper.h"

#include <string.h>

static const char *const llava_prefixes[] = {"model.language_model.", "language_model.model.", NULL};
static const char *const llava_outer[] = {"", "language_model."};
static const char *const llava_skipped[] = {"vision_tower.",
                                            "multi_modal_projector.",
                                            "image_newline",
                                            "model.vision_tower.",
                                            "model.multi_modal_projector.",
                                            "model.image_newline",
                                            NULL};
static const char *const idefics_prefixes[] = {"model.text_model.", NULL};
static const char *const idefics_outer[] = {""};
static const char *const idefics_skipped[] = {"model.vision_model.", "model.connector.", NULL};

static const pl__wrapper wrappers[] = {
    {"gemma3", "gemma3_text", true, false, llava_prefixes, llava_outer, llava_skipped},
    {"mistral3", "mistral", true, false, llava_prefixes, llava_outer, llava_skipped},
    {"llava", "llama", false, true, llava_prefixes, llava_outer, llava_skipped},
    {"idefics3", "llama", false, false, idefics_prefixes, idefics_outer, idefics_skipped},
    {"smolvlm", "llama", false, false, idefics_prefixes, idefics_outer, idefics_skipped},
};
enum { N_WRAPPERS = sizeof wrappers / sizeof *wrappers };

static const pl__wrapper *find(const json_t *object)
{
    const char *type = json_string_value(json_object_get(object, "model_type"));
    for (size_t i = 0; type && i < N_WRAPPERS; i++)
        if (strcmp(type, wrappers[i].model_type) == 0) return &wrappers[i];
    return NULL;
}

/* What the whole says goes over what its text part does. */
static pl_status take_over(json_t *text, const pl__wrapper *w, const json_t *object, const char *where)
{
    static const char *const keys[] = {"eos_token_id", "torch_dtype", "dtype", "plumb_random_weights"};
    bool tied = w->tied, own = false;
    int failed = 0;
    PL_TRY(pl_json_get_bool(&tied, object, "tie_word_embeddings", where));
    PL_TRY(pl_json_get_bool(&own, text, "tie_word_embeddings", where));
    failed |= json_object_set_new(text, "tie_word_embeddings", json_boolean(tied || (w->either && own)));
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        json_t *v = json_object_get(object, keys[i]);
        if (v) failed |= json_object_set(text, keys[i], v);
    }
    if (!json_object_get(text, "model_type")) failed |= json_object_set_new(text, "model_type", json_string(w->text));
    (void)json_object_del(text, "architectures");
    return failed ? pl_fail(PL_E_MEMORY, "out of memory for %s", where) : PL_OK;
}

pl_status pl__wrapper_open(const pl__wrapper **wrapper, json_t **text, json_t *object, const char *where)
{
    static const char ending[] = "ForConditionalGeneration";
    *wrapper = find(object);
    *text = NULL;
    if (!*wrapper) {
        *text = json_incref(object);
        return PL_OK;
    }
    const char *name = json_string_value(json_array_get(json_object_get(object, "architectures"), 0));
    const size_t n = name ? strlen(name) : 0, m = sizeof ending - 1;
    if (name && (n < m || strcmp(name + n - m, ending) != 0))
        return pl_fail(PL_E_UNSUPPORTED,
                       "%s: architectures: '%s' is not supported: of a %s only the text model of a %s is", where, name,
                       (*wrapper)->model_type, ending);
    const json_t *inner = json_object_get(object, "text_config");
    if (!json_is_object(inner))
        return pl_fail(PL_E_INPUT, "%s: text_config: expected an object: a %s is read for its text model alone", where,
                       (*wrapper)->model_type);
    *text = json_deep_copy(inner);
    if (!*text) return pl_fail(PL_E_MEMORY, "out of memory for %s", where);
    pl_status status = take_over(*text, *wrapper, object, where);
    if (status == PL_OK) return PL_OK;
    json_decref(*text);
    *text = NULL;
    return status;
}

pl_status pl__wrapper_names(pl_bytes *out)
{
    for (size_t i = 0; i < N_WRAPPERS; i++) PL_TRY(pl_bytes_format(out, "%s%s", i ? ", " : "", wrappers[i].model_type));
    return PL_OK;
}
