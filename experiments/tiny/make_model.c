/* plumb-make-model: a checkpoint folder with random weights and a small tokenizer, made without Python or a network.
 *
 *   plumb-make-model OUT [--family gpt2|llama] [--shape tiny|124M] [--width C] [--heads H] [--kv-heads G] [--layers L]
 *                    [--inner F] [--vocab V] [--positions N] [--tokens N] [--dtype float32|bfloat16] [--seed S] TEXT
 * ...
 *
 * The TEXT files (JSON lines: their string values; anything else: as it stands) train a byte-level BPE of --tokens
 * tokens; V may be larger. config.json says "plumb_random_weights": true, so that results are marked "no skill
 * expected". The scales are not those of a network before training: they are chosen so that logits spread (a standard
 * deviation of about 1.5) and attention is sharp enough for predictions to differ over items and templates. The same
 * arguments give the same bytes, on any number of threads. */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/random.h"
#include "bpe.h"

typedef struct shape {
    const char *family, *dtype; /* "gpt2" or "llama"; "float32" or "bfloat16" */
    size_t C, H, G, L, F, V, positions, tokens, seed;
} shape;

/* One tensor: mean + deviation * normal. A vector has columns 0. */
typedef struct tensor {
    char name[96];
    size_t rows, columns, offset; /* offset in bytes into the data */
    double mean, deviation;
} tensor;

typedef struct tensors {
    tensor *list;
    size_t n, capacity, bytes, element_bytes;
} tensors;

typedef struct arguments {
    shape shape;
    const char *out;
    char **texts;
    size_t n_texts;
} arguments;

/* ---- arguments ---- */

static const shape shape_tiny = {"gpt2", "float32", 64, 4, 0, 4, 0, 512, 1024, 512, 1};
static const shape shape_124m = {"gpt2", "float32", 768, 12, 0, 12, 0, 50257, 1024, 512, 1};

static pl_status parse_size(size_t *out, const char *option, const char *text)
{
    char *end = NULL;
    unsigned long value = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || value > 10000000)
        return pl_fail(PL_E_USAGE, "%s %s: expected a number up to 10000000", option, text);
    *out = value;
    return PL_OK;
}

static pl_status parse_option(shape *s, const char *option, const char *value)
{
    const struct {
        const char *name;
        size_t *into;
    } sizes[] = {{"--width", &s->C},  {"--heads", &s->H}, {"--kv-heads", &s->G},          {"--layers", &s->L},
                 {"--inner", &s->F},  {"--vocab", &s->V}, {"--positions", &s->positions}, {"--tokens", &s->tokens},
                 {"--seed", &s->seed}};
    if (value == NULL) return pl_fail(PL_E_USAGE, "%s: expected a value behind it", option);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        if (strcmp(option, sizes[i].name) == 0) return parse_size(sizes[i].into, option, value);
    if (strcmp(option, "--family") == 0)
        s->family = value;
    else if (strcmp(option, "--dtype") == 0)
        s->dtype = value;
    else if (strcmp(option, "--shape") != 0)
        return pl_fail(PL_E_USAGE, "%s: no such option", option);
    return PL_OK;
}

static pl_status check_shape(shape *s)
{
    bool llama = strcmp(s->family, "llama") == 0;
    if (!llama && strcmp(s->family, "gpt2") != 0)
        return pl_fail(PL_E_USAGE, "--family %s: expected gpt2 or llama", s->family);
    if (strcmp(s->dtype, "float32") != 0 && strcmp(s->dtype, "bfloat16") != 0)
        return pl_fail(PL_E_USAGE, "--dtype %s: expected float32 or bfloat16", s->dtype);
    if (s->G == 0) s->G = llama && s->H % 2 == 0 ? s->H / 2 : s->H;
    if (s->F == 0) s->F = llama ? (s->C * 8 / 3 + 15) / 16 * 16 : 4 * s->C;
    if (s->C == 0 || s->H == 0 || s->L == 0 || s->positions == 0 || s->C % s->H != 0)
        return pl_fail(PL_E_USAGE,
                       "width %zu, heads %zu, layers %zu, positions %zu: expected none to be 0 and a width "
                       "that the heads divide",
                       s->C, s->H, s->L, s->positions);
    if (s->G > s->H || s->H % s->G != 0 || (!llama && s->G != s->H))
        return pl_fail(PL_E_USAGE, "--kv-heads %zu: expected a divisor of --heads %zu, and the same for gpt2", s->G,
                       s->H);
    if (s->V < s->tokens) return pl_fail(PL_E_USAGE, "--vocab %zu: expected at least --tokens %zu", s->V, s->tokens);
    return PL_OK;
}

/* --shape sets the defaults, wherever it stands; every other option then overrides one of them. */
static pl_status parse_arguments(arguments *a, int argc, char **argv)
{
    a->shape = shape_tiny;
    for (int i = 1; i + 1 < argc; i++) {
        if (strcmp(argv[i], "--shape") != 0) continue;
        if (strcmp(argv[i + 1], "124M") == 0)
            a->shape = shape_124m;
        else if (strcmp(argv[i + 1], "tiny") != 0)
            return pl_fail(PL_E_USAGE, "--shape %s: expected tiny or 124M", argv[i + 1]);
    }
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--", 2) == 0) {
            PL_TRY(parse_option(&a->shape, argv[i], i + 1 < argc ? argv[i + 1] : NULL));
            i++;
        } else if (a->out == NULL) {
            a->out = argv[i];
        } else {
            a->texts[a->n_texts++] = argv[i];
        }
    }
    if (a->out == NULL || a->n_texts == 0)
        return pl_fail(PL_E_USAGE,
                       "usage: plumb-make-model OUT [options] TEXT ...: expected a folder to write and at least "
                       "one text to train the tokenizer on");
    return check_shape(&a->shape);
}

/* ---- the tokenizer's texts ---- */

static pl_status append_strings(pl_bytes *out, const json_t *value)
{
    if (json_is_string(value)) {
        PL_TRY(pl_bytes_text(out, " "));
        PL_TRY(pl_bytes_text(out, json_string_value(value)));
        return pl_bytes_text(out, "\n");
    }
    size_t i;
    const char *key;
    json_t *inner;
    if (json_is_array(value)) {
        json_array_foreach(value, i, inner) PL_TRY(append_strings(out, inner));
    } else if (json_is_object(value)) {
        json_object_foreach((json_t *)value, key, inner) PL_TRY(append_strings(out, inner));
    }
    return PL_OK;
}

static pl_status append_lines(pl_bytes *out, const pl_bytes *file, const char *path)
{
    size_t at = 0;
    while (at < file->size) {
        const char *line = file->data + at, *end = memchr(line, '\n', file->size - at);
        size_t size = end == NULL ? file->size - at : (size_t)(end - line);
        json_t *value = NULL;
        if (size > 0) PL_TRY(pl_json_parse(&value, line, size, path));
        pl_status status = value == NULL ? PL_OK : append_strings(out, value);
        json_decref(value);
        PL_TRY(status);
        at += size + 1;
    }
    return PL_OK;
}

static pl_status append_file(pl_bytes *out, const char *path)
{
    pl_bytes file = {0};
    pl_status status = pl_file_read(&file, path, (size_t)64 << 20);
    size_t length = strlen(path);
    bool lines = length > 6 && strcmp(path + length - 6, ".jsonl") == 0;
    if (status == PL_OK) status = lines ? append_lines(out, &file, path) : pl_bytes_append(out, file.data, file.size);
    pl_bytes_free(&file);
    return status;
}

static pl_status write_tokenizer(const arguments *a, size_t *n_tokens)
{
    pl_bytes text = {0};
    bpe *tokenizer = NULL;
    pl_status status = PL_OK;
    for (size_t i = 0; i < a->n_texts && status == PL_OK; i++) status = append_file(&text, a->texts[i]);
    if (status == PL_OK) status = bpe_train(&tokenizer, text.data == NULL ? "" : text.data, text.size, a->shape.tokens);
    if (status == PL_OK) {
        *n_tokens = bpe_size(tokenizer);
        status = bpe_write(tokenizer, a->out);
    }
    bpe_free(tokenizer);
    pl_bytes_free(&text);
    return status;
}

/* ---- config.json ---- */

static pl_status write_config(const arguments *a, size_t n_tokens)
{
    const shape *s = &a->shape;
    json_int_t end = (json_int_t)n_tokens - 1;
    json_t *config = NULL;
    if (strcmp(s->family, "gpt2") == 0)
        config = json_pack("{s:[s], s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:s, s:b}", "architectures",
                           "GPT2LMHeadModel", "model_type", "gpt2", "vocab_size", (json_int_t)s->V, "n_positions",
                           (json_int_t)s->positions, "n_embd", (json_int_t)s->C, "n_layer", (json_int_t)s->L, "n_head",
                           (json_int_t)s->H, "n_inner", (json_int_t)s->F, "layer_norm_epsilon", 1e-5,
                           "activation_function", "gelu_new", "tie_word_embeddings", 1);
    else
        config = json_pack("{s:[s], s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:s, s:b}", "architectures",
                           "LlamaForCausalLM", "model_type", "llama", "vocab_size", (json_int_t)s->V,
                           "max_position_embeddings", (json_int_t)s->positions, "hidden_size", (json_int_t)s->C,
                           "intermediate_size", (json_int_t)s->F, "num_hidden_layers", (json_int_t)s->L,
                           "num_attention_heads", (json_int_t)s->H, "num_key_value_heads", (json_int_t)s->G, "head_dim",
                           (json_int_t)(s->C / s->H), "rms_norm_eps", 1e-5, "rope_theta", 10000.0, "hidden_act", "silu",
                           "tie_word_embeddings", 0);
    if (config == NULL || json_object_set_new(config, "bos_token_id", json_integer(end)) != 0 ||
        json_object_set_new(config, "eos_token_id", json_integer(end)) != 0 ||
        json_object_set_new(config, "torch_dtype", json_string(s->dtype)) != 0 ||
        json_object_set_new(config, "plumb_random_weights", json_true()) != 0) {
        json_decref(config);
        return pl_fail(PL_E_MEMORY, "no memory for config.json");
    }
    char path[PL_PATH_MAX];
    pl_status status = pl_path(path, "%s/config.json", a->out);
    if (status == PL_OK) status = pl_json_write(path, config);
    json_decref(config);
    return status;
}

/* ---- weights ---- */

static pl_status add(tensors *t, size_t rows, size_t columns, double mean, double deviation, const char *format, ...)
    __attribute__((format(printf, 6, 7)));
static pl_status add(tensors *t, size_t rows, size_t columns, double mean, double deviation, const char *format, ...)
{
    PL_TRY(pl_grow(&t->list, &t->capacity, t->n + 1));
    tensor *x = &t->list[t->n++];
    *x = (tensor){.rows = rows, .columns = columns, .offset = t->bytes, .mean = mean, .deviation = deviation};
    va_list list;
    va_start(list, format);
    vsnprintf(x->name, sizeof x->name, format, list);
    va_end(list);
    size_t count = 0;
    PL_TRY(pl_mul_size(&count, rows, columns == 0 ? 1 : columns, x->name));
    PL_TRY(pl_mul_size(&count, count, t->element_bytes, x->name));
    t->bytes += count;
    return PL_OK;
}

/* Deviations in units of 1/sqrt(fan-in): with inputs of variance 1 the outputs have this deviation. */
static const double sharp = 1.6;  /* queries, keys and values: scores deviate by about sharp^2 */
static const double strong = 1.2; /* everything else inside a block */
static const double spread = 1.5; /* logits */

static pl_status add_gpt2(tensors *t, const shape *s)
{
    double c = 1.0 / sqrt((double)s->C), f = 1.0 / sqrt((double)s->F);
    PL_TRY(add(t, s->V, s->C, 0, spread * c, "transformer.wte.weight"));
    PL_TRY(add(t, s->positions, s->C, 0, 0.5 * spread * c, "transformer.wpe.weight"));
    for (size_t l = 0; l < s->L; l++) {
        for (int k = 1; k <= 2; k++) {
            PL_TRY(add(t, s->C, 0, 1, 0.1, "transformer.h.%zu.ln_%d.weight", l, k));
            PL_TRY(add(t, s->C, 0, 0, 0.1, "transformer.h.%zu.ln_%d.bias", l, k));
        }
        PL_TRY(add(t, s->C, 3 * s->C, 0, sharp * c, "transformer.h.%zu.attn.c_attn.weight", l));
        PL_TRY(add(t, 3 * s->C, 0, 0, 0.1, "transformer.h.%zu.attn.c_attn.bias", l));
        PL_TRY(add(t, s->C, s->C, 0, strong * c, "transformer.h.%zu.attn.c_proj.weight", l));
        PL_TRY(add(t, s->C, 0, 0, 0.1, "transformer.h.%zu.attn.c_proj.bias", l));
        PL_TRY(add(t, s->C, s->F, 0, strong * c, "transformer.h.%zu.mlp.c_fc.weight", l));
        PL_TRY(add(t, s->F, 0, 0, 0.1, "transformer.h.%zu.mlp.c_fc.bias", l));
        PL_TRY(add(t, s->F, s->C, 0, strong * f, "transformer.h.%zu.mlp.c_proj.weight", l));
        PL_TRY(add(t, s->C, 0, 0, 0.1, "transformer.h.%zu.mlp.c_proj.bias", l));
    }
    PL_TRY(add(t, s->C, 0, 1, 0.1, "transformer.ln_f.weight"));
    return add(t, s->C, 0, 0, 0.1, "transformer.ln_f.bias");
}

static pl_status add_llama(tensors *t, const shape *s)
{
    double c = 1.0 / sqrt((double)s->C), f = 1.0 / sqrt((double)s->F);
    size_t kv = s->C / s->H * s->G;
    PL_TRY(add(t, s->V, s->C, 0, spread * c, "model.embed_tokens.weight"));
    for (size_t l = 0; l < s->L; l++) {
        PL_TRY(add(t, s->C, 0, 1, 0.1, "model.layers.%zu.input_layernorm.weight", l));
        PL_TRY(add(t, s->C, s->C, 0, sharp * c, "model.layers.%zu.self_attn.q_proj.weight", l));
        PL_TRY(add(t, kv, s->C, 0, sharp * c, "model.layers.%zu.self_attn.k_proj.weight", l));
        PL_TRY(add(t, kv, s->C, 0, sharp * c, "model.layers.%zu.self_attn.v_proj.weight", l));
        PL_TRY(add(t, s->C, s->C, 0, strong * c, "model.layers.%zu.self_attn.o_proj.weight", l));
        PL_TRY(add(t, s->C, 0, 1, 0.1, "model.layers.%zu.post_attention_layernorm.weight", l));
        PL_TRY(add(t, s->F, s->C, 0, strong * c, "model.layers.%zu.mlp.gate_proj.weight", l));
        PL_TRY(add(t, s->F, s->C, 0, strong * c, "model.layers.%zu.mlp.up_proj.weight", l));
        PL_TRY(add(t, s->C, s->F, 0, strong * f, "model.layers.%zu.mlp.down_proj.weight", l));
    }
    PL_TRY(add(t, s->C, 0, 1, 0.1, "model.norm.weight"));
    return add(t, s->V, s->C, 0, spread * c, "lm_head.weight");
}

/* Round to nearest even; there is no NaN here. */
static uint16_t to_bfloat16(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return (uint16_t)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}

/* A value depends on seed, tensor number and place alone, so threads may share the work as they like. */
static void fill(unsigned char *data, const tensor *x, uint32_t stream, uint64_t seed, bool half)
{
    size_t n = x->rows * (x->columns == 0 ? 1 : x->columns);
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < n; i++) {
        double normal = pl_random_normal(seed, PL_RANDOM_WEIGHTS, stream, i);
        float value = (float)(x->mean + x->deviation * normal);
        if (half)
            memcpy(data + 2 * i, &(uint16_t){to_bfloat16(value)}, 2);
        else
            memcpy(data + 4 * i, &value, 4);
    }
}

/* The JSON directory of a safetensors file, padded with blanks to a multiple of 8. */
static pl_status write_directory(pl_bytes *out, const tensors *t, const char *type)
{
    PL_TRY(pl_bytes_text(out, "{\"__metadata__\":{\"format\":\"pt\"}"));
    for (size_t i = 0; i < t->n; i++) {
        const tensor *x = &t->list[i];
        size_t end = i + 1 < t->n ? t->list[i + 1].offset : t->bytes;
        PL_TRY(pl_bytes_format(out, ",\"%s\":{\"dtype\":\"%s\",\"shape\":[%zu", x->name, type, x->rows));
        if (x->columns > 0) PL_TRY(pl_bytes_format(out, ",%zu", x->columns));
        PL_TRY(pl_bytes_format(out, "],\"data_offsets\":[%zu,%zu]}", x->offset, end));
    }
    PL_TRY(pl_bytes_text(out, "}"));
    while (out->size % 8 != 0) PL_TRY(pl_bytes_text(out, " "));
    return PL_OK;
}

static pl_status write_weights(const arguments *a)
{
    const shape *s = &a->shape;
    bool half = strcmp(s->dtype, "bfloat16") == 0;
    tensors t = {.element_bytes = half ? 2 : 4};
    pl_bytes directory = {0};
    unsigned char *file = NULL;
    char path[PL_PATH_MAX];
    pl_status status = PL_OK;
    PL_GOTO(status, done, strcmp(s->family, "gpt2") == 0 ? add_gpt2(&t, s) : add_llama(&t, s));
    PL_GOTO(status, done, write_directory(&directory, &t, half ? "BF16" : "F32"));
    PL_GOTO(status, done, pl_new(&file, 8 + directory.size + t.bytes));
    for (size_t i = 0; i < 8; i++) file[i] = (unsigned char)(directory.size >> (8 * i));
    memcpy(file + 8, directory.data, directory.size);
    for (size_t i = 0; i < t.n; i++)
        fill(file + 8 + directory.size + t.list[i].offset, &t.list[i], (uint32_t)i, s->seed, half);
    PL_GOTO(status, done, pl_path(path, "%s/model.safetensors", a->out));
    PL_GOTO(status, done, pl_file_replace(path, file, 8 + directory.size + t.bytes));
done:
    free(file);
    pl_bytes_free(&directory);
    free(t.list);
    return status;
}

int main(int argc, char **argv)
{
    arguments a = {0};
    size_t n_tokens = 0;
    pl_status status = pl_new(&a.texts, (size_t)argc);
    if (status == PL_OK) status = parse_arguments(&a, argc, argv);
    if (status == PL_OK) status = pl_folder_make(a.out);
    if (status == PL_OK) status = write_tokenizer(&a, &n_tokens);
    if (status == PL_OK) status = write_config(&a, n_tokens);
    if (status == PL_OK) status = write_weights(&a);
    if (status == PL_OK)
        printf("%s: %s, C=%zu H=%zu L=%zu V=%zu, %zu tokens in the tokenizer, %s, seed %zu; random weights\n", a.out,
               a.shape.family, a.shape.C, a.shape.H, a.shape.L, a.shape.V, n_tokens, a.shape.dtype, a.shape.seed);
    else
        fprintf(stderr, "plumb-make-model: %s\n", pl_error_text());
    free(a.texts);
    return pl_status_exit_code(status);
}
