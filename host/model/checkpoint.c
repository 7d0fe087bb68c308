/* A checkpoint folder: config.json and the tensor directory, checked against each other before anything is loaded.
 *
 * Every tensor that the family's table expects must be there with its shape and a readable type, and every tensor that
 * is there must be expected or a known buffer: a wrong checkpoint never passes silently. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/config.h"
#include "model/weights.h"
#include "model/wrapper.h"

enum { SHAPE_TEXT = 256 };
static const size_t CONFIG_LIMIT_BYTES = 4u * 1024 * 1024;

/* Numbers in the place of '#' and '%'. */
static void fill_name(char out[PL__TENSOR_NAME], const char *prefix, const char *pattern, size_t layer, size_t head)
{
    size_t n = (size_t)snprintf(out, PL__TENSOR_NAME, "%s", prefix);
    for (const char *p = pattern; *p && n + 1 < PL__TENSOR_NAME; p++) {
        if (*p == '#' || *p == '%') {
            n += (size_t)snprintf(out + n, PL__TENSOR_NAME - n, "%zu", *p == '#' ? layer : head);
            continue;
        }
        out[n++] = *p;
        out[n] = 0;
    }
}

void pl__tensor_name(char out[PL__TENSOR_NAME], const char *prefix, const char *outer, const char *pattern,
                     size_t layer)
{
    const bool outside = *pattern == '^';
    fill_name(out, outside ? outer : prefix, pattern + outside, layer, 0);
}

/* Tensors of a fact in each layer. */
static size_t stored_heads(const pl_config *config, const pl__tensor_fact *fact)
{
    return fact->part != PL__BY_HEAD ? 1 : fact->slot == PL__Q_NORM ? config->H : config->G;
}

size_t pl__fact_count(const pl_config *config, const pl__tensor_fact *fact)
{
    if (!pl__holds(config, fact->when)) return 0;
    return fact->slot < PL__MODEL_SLOTS ? 1 : config->L * stored_heads(config, fact);
}

size_t pl__fact_layer(const pl_config *config, const pl__tensor_fact *fact, size_t at)
{
    return at / stored_heads(config, fact);
}

void pl__fact_name(char out[PL__TENSOR_NAME], const char *prefix, const char *outer, const pl_config *config,
                   const pl__tensor_fact *fact, size_t at)
{
    const bool outside = *fact->name == '^';
    const size_t heads = stored_heads(config, fact);
    fill_name(out, outside ? outer : prefix, fact->name + outside, at / heads, at % heads);
}

static const pl__tensor_fact *fact_of_slot(const pl_family *family, pl__slot slot)
{
    for (size_t i = 0; i < family->n_tensors; i++)
        if (family->tensors[i].slot == slot) return &family->tensors[i];
    return NULL;
}

/* The head's own fact, whether or not it holds: a classifier's, or the vocabulary's. */
static const pl__tensor_fact *head_of(const pl_config *config)
{
    const pl_family *family = config->family;
    for (size_t i = 0; i < family->n_tensors; i++) {
        const pl__tensor_fact *fact = &family->tensors[i];
        if (fact->slot == PL__HEAD && (fact->when == PL__IF_CLASSIFIER) == (config->n_labels > 0)) return fact;
    }
    return NULL;
}

static const pl_tensor *find_tensor(const pl_checkpoint *checkpoint, const pl__tensor_fact *fact, size_t at)
{
    char name[PL__TENSOR_NAME];
    pl__fact_name(name, checkpoint->prefix, checkpoint->outer, &checkpoint->config, fact, at);
    return pl_safetensors_find(checkpoint->tensors, name);
}

const pl_tensor *pl__checkpoint_tensor(const pl_checkpoint *checkpoint, const pl__tensor_fact *fact, size_t at)
{
    const pl_config *config = &checkpoint->config;
    const pl_tensor *t = find_tensor(checkpoint, fact, at);
    if (t || fact->slot != PL__EMBED || !config->tied) return t;
    /* Of a tied pair the head alone may be stored. */
    const pl__tensor_fact *head = head_of(config);
    return head ? find_tensor(checkpoint, head, 0) : NULL;
}

const pl__tensor_fact *pl__head_fact(const pl_config *config)
{
    return config->tied ? fact_of_slot(config->family, PL__EMBED) : head_of(config);
}

static const char *const *prefixes_of(const pl_config *config)
{
    return config->wrapper ? config->wrapper->prefixes : config->family->prefixes;
}

static void set_prefix(pl_checkpoint *c, size_t i)
{
    c->prefix = prefixes_of(&c->config)[i];
    c->outer = c->config.wrapper ? c->config.wrapper->outer[i] : "";
}

/* The first prefix under which the embedding stands, or, of a tied pair that stores the head alone, the final norm; the
 * family's usual one when there is none. */
static void find_prefix(pl_checkpoint *c)
{
    static const pl__slot slots[] = {PL__EMBED, PL__FINAL_NORM};
    const char *const *prefixes = prefixes_of(&c->config);
    for (size_t i = 0; i < sizeof slots / sizeof *slots; i++)
        for (size_t p = 0; prefixes[p]; p++) {
            char name[PL__TENSOR_NAME];
            pl__tensor_name(name, prefixes[p], "", fact_of_slot(c->config.family, slots[i])->name, 0);
            if (pl_safetensors_find(c->tensors, name)) {
                set_prefix(c, p);
                return;
            }
        }
    set_prefix(c, 0);
}

static void shape_text(char out[SHAPE_TEXT], const size_t *dims, size_t n)
{
    size_t used = (size_t)snprintf(out, SHAPE_TEXT, "[");
    for (size_t i = 0; i < n; i++)
        used += (size_t)snprintf(out + used, SHAPE_TEXT - used, "%s%zu", i ? ", " : "", dims[i]);
    snprintf(out + used, SHAPE_TEXT - used, "]");
}

static pl_status check_shape(const pl_tensor *t, const pl_config *config, const pl__tensor_fact *fact)
{
    size_t n = strlen(fact->dims), expected[PL_TENSOR_DIMS];
    bool same = n == t->n_dims;
    for (size_t i = 0; i < n; i++) {
        expected[i] = pl__dimension(config, fact->dims[i]);
        same = same && t->dims[i] == expected[i];
    }
    if (same) return PL_OK;
    char want[SHAPE_TEXT], have[SHAPE_TEXT];
    shape_text(want, expected, n);
    shape_text(have, t->dims, t->n_dims);
    return pl_fail(PL_E_INPUT, "%s: tensor '%s': expected shape %s by config.json, found %s", t->file, t->name, want,
                   have);
}

/* One expected tensor; marks it as seen. */
static pl_status check_tensor(pl_checkpoint *c, bool *seen, const pl__tensor_fact *fact, size_t at)
{
    const pl_tensor *t = pl__checkpoint_tensor(c, fact, at);
    if (!t) {
        char name[PL__TENSOR_NAME], want[SHAPE_TEXT];
        size_t n = strlen(fact->dims), dims[PL_TENSOR_DIMS];
        for (size_t i = 0; i < n; i++) dims[i] = pl__dimension(&c->config, fact->dims[i]);
        shape_text(want, dims, n);
        pl__fact_name(name, c->prefix, c->outer, &c->config, fact, at);
        return pl_fail(PL_E_INPUT,
                       "%s: tensor '%s' is missing: expected shape %s (model_type %s, %zu layers by config.json)",
                       c->folder, name, want, c->config.model_type, c->config.L);
    }
    PL_TRY(check_shape(t, &c->config, fact));
    if (!t->readable)
        return pl_fail(PL_E_UNSUPPORTED, "%s: tensor '%s': type %s cannot be read: expected F32, F16 or BF16", t->file,
                       t->name, t->type);
    seen[t - pl_safetensors_at(c->tensors, 0)] = true;
    c->n_parameters += t->bytes / pl_dtype_bytes(t->dtype);
    return PL_OK;
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

static bool is_ignored(const pl_checkpoint *c, const char *name)
{
    char own[PL__TENSOR_NAME];
    for (const char *const *end = c->config.family->ignored; *end; end++)
        if (ends_with(name, *end)) return true;
    /* A tied checkpoint may hold an equal head all the same: the embedding is used. */
    const pl__tensor_fact *head = head_of(&c->config);
    if (!c->config.tied || !head || *head->name != '^') return false;
    pl__tensor_name(own, c->prefix, c->outer, head->name, 0);
    return strcmp(name, own) == 0;
}

/* Of a multimodal checkpoint: a tensor of what is not read. */
static bool is_skipped(const pl_config *config, const char *name)
{
    if (!config->wrapper) return false;
    for (const char *const *start = config->wrapper->skipped; *start; start++)
        if (strncmp(name, *start, strlen(*start)) == 0) return true;
    return false;
}

static void note(pl_checkpoint *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void note(pl_checkpoint *c, const char *format, ...)
{
    va_list arguments;
    if (c->n_notes == PL_NOTES) return;
    va_start(arguments, format);
    vsnprintf(c->notes[c->n_notes++], PL_NOTE_BYTES, format, arguments);
    va_end(arguments);
}

static pl_status check_tensors(pl_checkpoint *c)
{
    const pl_family *family = c->config.family;
    size_t n = pl_safetensors_count(c->tensors), n_skipped = 0;
    bool *seen;
    PL_TRY(pl_new(&seen, n));
    pl_status status = PL_OK;
    for (size_t i = 0; i < family->n_tensors; i++)
        for (size_t l = 0; l < pl__fact_count(&c->config, &family->tensors[i]); l++)
            PL_GOTO(status, done, check_tensor(c, seen, &family->tensors[i], l));
    for (size_t i = 0; i < n; i++) {
        const pl_tensor *t = pl_safetensors_at(c->tensors, i);
        const bool skipped = !seen[i] && is_skipped(&c->config, t->name);
        n_skipped += skipped;
        if (seen[i] || skipped || is_ignored(c, t->name)) continue;
        status = pl_fail(PL_E_INPUT,
                         "%s: tensor '%s' is not expected in a %s model of %zu layers: does config.json belong here?",
                         t->file, t->name, c->config.model_type, c->config.L);
        goto done;
    }
    if (c->config.wrapper)
        note(c, "%s: its text model (%s) alone is read: %zu tensors of the rest are skipped",
             c->config.wrapper->model_type, c->config.model_type, n_skipped);
done:
    free(seen);
    return status;
}

/* Whether two tensors of one shape hold the same numbers, whatever their types. */
static bool same_numbers(const pl_tensor *a, const pl_tensor *b)
{
    float x[256], y[256];
    size_t n = a->bytes / pl_dtype_bytes(a->dtype);
    if (a->dtype == b->dtype && memcmp(a->data, b->data, a->bytes) == 0) return true;
    for (size_t at = 0, part; at < n; at += part) {
        part = n - at < 256 ? n - at : 256;
        pl__tensor_floats(x, a, at, part);
        pl__tensor_floats(y, b, at, part);
        for (size_t i = 0; i < part; i++)
            if (!(x[i] == y[i])) return false;
    }
    return true;
}

/* Tied weights of which both are stored and differ are not tied, as in transformers 5. */
static pl_status settle_head(pl_checkpoint *c)
{
    const pl__tensor_fact *fact = head_of(&c->config);
    const pl_tensor *head = fact ? find_tensor(c, fact, 0) : NULL;
    const pl_tensor *embed = find_tensor(c, fact_of_slot(c->config.family, PL__EMBED), 0);
    if (!c->config.tied || !head || !embed) return PL_OK;
    PL_TRY(check_shape(head, &c->config, fact));
    if (!head->readable || !embed->readable ||
        head->bytes / pl_dtype_bytes(head->dtype) != embed->bytes / pl_dtype_bytes(embed->dtype))
        return PL_OK; /* what is wrong is told with its tensor */
    if (same_numbers(head, embed)) return PL_OK;
    c->config.tied = false;
    note(c,
         "tie_word_embeddings is true, but the stored %s differs from the embedding: it is used as the head, as in "
         "transformers 5",
         head->name);
    return PL_OK;
}

static pl_status read_config(pl_config *out, const char *folder)
{
    char path[PL_PATH_MAX];
    pl_bytes text;
    bool exists;
    PL_TRY(pl_path(path, "%s/config.json", folder));
    if (!pl_folder_exists(folder)) return pl_fail(PL_E_INPUT, "%s: no such folder", folder);
    PL_TRY(pl_file_find(&exists, path));
    if (!exists) return pl_fail(PL_E_INPUT, "%s: no config.json: expected a Hugging Face checkpoint folder", folder);
    PL_TRY(pl_file_read(&text, path, CONFIG_LIMIT_BYTES));
    pl_status status = pl__config_parse(out, text.data, text.size, path);
    pl_bytes_free(&text);
    return status;
}

/* The file need not be there; what it says of stops goes over config.json's, also when it says nothing. */
static pl_status read_generation_config(pl_config *out, const char *folder)
{
    char path[PL_PATH_MAX];
    pl_bytes text;
    bool exists;
    PL_TRY(pl_path(path, "%s/generation_config.json", folder));
    PL_TRY(pl_file_find(&exists, path));
    if (!exists) return PL_OK;
    PL_TRY(pl_file_read(&text, path, CONFIG_LIMIT_BYTES));
    pl_status status = pl__generation_config_parse(&out->stops, text.data, text.size, path);
    pl_bytes_free(&text);
    return status;
}

pl_status pl_checkpoint_open(pl_checkpoint **out, const char *folder)
{
    *out = NULL;
    pl_checkpoint *c;
    PL_TRY(pl_new(&c, 1));
    pl_status status;
    PL_GOTO(status, fail, pl_path(c->folder, "%s", folder));
    PL_GOTO(status, fail, read_config(&c->config, folder));
    PL_GOTO(status, fail, read_generation_config(&c->config, folder));
    PL_GOTO(status, fail, pl_safetensors_open(&c->tensors, folder));
    find_prefix(c);
    PL_GOTO(status, fail, settle_head(c));
    if (c->config.border)
        note(c,
             "longrope: a sequence of more than %zu tokens has other rotary angles at all of its positions, and shares "
             "nothing with shorter ones",
             c->config.border);
    PL_GOTO(status, fail, check_tensors(c));
    if (!c->config.dtype) {
        const pl_tensor *embed = pl__checkpoint_tensor(c, fact_of_slot(c->config.family, PL__EMBED), 0);
        c->config.dtype = pl_dtype_name(embed->dtype);
    }
    *out = c;
    return PL_OK;
fail:
    pl_checkpoint_close(c);
    return status;
}

pl_status pl_checkpoint_open_config(pl_checkpoint **out, const char *folder)
{
    *out = NULL;
    pl_checkpoint *c;
    PL_TRY(pl_new(&c, 1));
    pl_status status;
    PL_GOTO(status, fail, pl_path(c->folder, "%s", folder));
    PL_GOTO(status, fail, read_config(&c->config, folder));
    PL_GOTO(status, fail, read_generation_config(&c->config, folder));
    set_prefix(c, 0);
    if (!c->config.dtype) c->config.dtype = pl_dtype_name(PL_F32);
    *out = c;
    return PL_OK;
fail:
    pl_checkpoint_close(c);
    return status;
}

void pl_checkpoint_close(pl_checkpoint *checkpoint)
{
    if (!checkpoint) return;
    pl_safetensors_close(checkpoint->tensors);
    free(checkpoint);
}

pl_status pl_checkpoint_unembedding(const pl_checkpoint *checkpoint, int32_t token, float *out)
{
    const pl_config *config = &checkpoint->config;
    const size_t n = pl_config_outputs(config);
    if (token < 0 || (size_t)token >= n)
        return pl_fail(PL_E_INPUT, "%s: token %d: expected 0..%zu", checkpoint->folder, (int)token, n - 1);
    const pl_tensor *t = pl__checkpoint_tensor(checkpoint, pl__head_fact(config), 0);
    pl__tensor_floats(out, t, (size_t)token * config->E, config->E);
    return PL_OK;
}
