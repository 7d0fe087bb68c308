/* A small random checkpoint in a temporary folder, for tests of the engine: gpt2 or llama, any shape. */
#ifndef PLUMB_TESTS_ENGINE_RANDOM_MODEL_H
#define PLUMB_TESTS_ENGINE_RANDOM_MODEL_H

#include <stdbool.h>

#include "base/file.h"
#include "base/random.h"
#include "device/chosen.h"
#include "model/model.h"
#include "tests.h"

typedef struct model_shape {
    const char *family; /* "gpt2" or "llama" */
    size_t C, H, G, F, L, V, positions;
    size_t border; /* llama: paths of more tokens are far; 0: none is */
} model_shape;

typedef struct random_model {
    char folder[PL_PATH_MAX];
    pl_processor processor;
    pl_model *model;
    pl_dtype compute;
} random_model;

/* Header entry and data of one tensor; norms are near 1, all else has the given deviation. */
static inline void put_tensor(pl_bytes *header, pl_bytes *data, const char *name, size_t rows, size_t columns,
                              float mean, float deviation)
{
    size_t n = rows * (columns ? columns : 1), begin = data->size;
    char dims[64];
    if (columns)
        snprintf(dims, sizeof dims, "%zu,%zu", rows, columns);
    else
        snprintf(dims, sizeof dims, "%zu", rows);
    uint64_t x = 88172645463325252u + begin * 2654435761u;
    float chunk[1024];
    for (size_t i = 0; i < n; i += 1024) {
        size_t m = n - i < 1024 ? n - i : 1024;
        for (size_t k = 0; k < m; k++) {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            chunk[k] = mean + deviation * 1.7f * ((float)(x >> 40) / 8388608.0f - 1.0f);
        }
        OK(pl_bytes_append(data, chunk, m * sizeof *chunk));
    }
    OK(pl_bytes_format(header, "%s\"%s\":{\"dtype\":\"F32\",\"shape\":[%s],\"data_offsets\":[%zu,%zu]}",
                       header->size ? "," : "", name, dims, begin, data->size));
}

static inline void put_gpt2(pl_bytes *header, pl_bytes *data, const model_shape *s)
{
    char name[96];
    put_tensor(header, data, "wte.weight", s->V, s->C, 0, 0.3f);
    put_tensor(header, data, "wpe.weight", s->positions, s->C, 0, 0.1f);
    const struct {
        const char *name;
        size_t rows, columns;
        float mean, deviation;
    } parts[] = {
        {"ln_1.weight", s->C, 0, 1, 0.1f},
        {"ln_1.bias", s->C, 0, 0, 0.1f},
        {"attn.c_attn.weight", s->C, 3 * s->C, 0, 0.05f},
        {"attn.c_attn.bias", 3 * s->C, 0, 0, 0.1f},
        {"attn.c_proj.weight", s->C, s->C, 0, 0.05f},
        {"attn.c_proj.bias", s->C, 0, 0, 0.1f},
        {"ln_2.weight", s->C, 0, 1, 0.1f},
        {"ln_2.bias", s->C, 0, 0, 0.1f},
        {"mlp.c_fc.weight", s->C, s->F, 0, 0.05f},
        {"mlp.c_fc.bias", s->F, 0, 0, 0.1f},
        {"mlp.c_proj.weight", s->F, s->C, 0, 0.05f},
        {"mlp.c_proj.bias", s->C, 0, 0, 0.1f},
    };
    for (size_t l = 0; l < s->L; l++)
        for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
            snprintf(name, sizeof name, "h.%zu.%s", l, parts[i].name);
            put_tensor(header, data, name, parts[i].rows, parts[i].columns, parts[i].mean, parts[i].deviation);
        }
    put_tensor(header, data, "ln_f.weight", s->C, 0, 1, 0.1f);
    put_tensor(header, data, "ln_f.bias", s->C, 0, 0, 0.1f);
}

static inline void put_llama(pl_bytes *header, pl_bytes *data, const model_shape *s)
{
    char name[96];
    size_t kv = s->C / s->H * s->G;
    put_tensor(header, data, "model.embed_tokens.weight", s->V, s->C, 0, 0.3f);
    const struct {
        const char *name;
        size_t rows, columns;
        float mean, deviation;
    } parts[] = {
        {"input_layernorm.weight", s->C, 0, 1, 0.1f},     {"self_attn.q_proj.weight", s->C, s->C, 0, 0.1f},
        {"self_attn.k_proj.weight", kv, s->C, 0, 0.1f},   {"self_attn.v_proj.weight", kv, s->C, 0, 0.1f},
        {"self_attn.o_proj.weight", s->C, s->C, 0, 0.1f}, {"post_attention_layernorm.weight", s->C, 0, 1, 0.1f},
        {"mlp.gate_proj.weight", s->F, s->C, 0, 0.1f},    {"mlp.up_proj.weight", s->F, s->C, 0, 0.1f},
        {"mlp.down_proj.weight", s->C, s->F, 0, 0.1f},
    };
    for (size_t l = 0; l < s->L; l++)
        for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
            snprintf(name, sizeof name, "model.layers.%zu.%s", l, parts[i].name);
            put_tensor(header, data, name, parts[i].rows, parts[i].columns, parts[i].mean, parts[i].deviation);
        }
    put_tensor(header, data, "model.norm.weight", s->C, 0, 1, 0.1f);
    put_tensor(header, data, "lm_head.weight", s->V, s->C, 0, 0.3f);
}

static inline void put_longrope(pl_bytes *text, const model_shape *s)
{
    static const char *const lists[] = {"short_factor", "long_factor"};
    OK(pl_bytes_format(text, ",\"rope_scaling\":{\"type\":\"longrope\",\"original_max_position_embeddings\":%zu",
                       s->border));
    for (size_t i = 0; i < 2; i++) {
        OK(pl_bytes_format(text, ",\"%s\":[1", lists[i]));
        for (size_t j = 1; j < s->C / s->H / 2; j++) OK(pl_bytes_format(text, ",%zu.5", i * 2 + j));
        OK(pl_bytes_text(text, "]"));
    }
    OK(pl_bytes_text(text, "}"));
}

static inline void write_config(const char *folder, const model_shape *s)
{
    pl_bytes text = {0};
    char path[PL_PATH_MAX];
    if (strcmp(s->family, "gpt2") == 0)
        OK(pl_bytes_format(&text,
                           "{\"model_type\":\"gpt2\",\"n_embd\":%zu,\"n_head\":%zu,\"n_inner\":%zu,\"n_layer\":%zu,"
                           "\"vocab_size\":%zu,\"n_positions\":%zu,\"bos_token_id\":0,\"eos_token_id\":0}",
                           s->C, s->H, s->F, s->L, s->V, s->positions));
    else
        OK(pl_bytes_format(&text,
                           "{\"model_type\":\"llama\",\"hidden_size\":%zu,\"num_attention_heads\":%zu,"
                           "\"num_key_value_heads\":%zu,\"intermediate_size\":%zu,\"num_hidden_layers\":%zu,"
                           "\"vocab_size\":%zu,\"max_position_embeddings\":%zu,\"tie_word_embeddings\":false,"
                           "\"bos_token_id\":1,\"eos_token_id\":2",
                           s->C, s->H, s->G, s->F, s->L, s->V, s->positions));
    if (s->border) put_longrope(&text, s);
    if (strcmp(s->family, "gpt2") != 0) OK(pl_bytes_text(&text, "}"));
    OK(pl_path(path, "%s/config.json", folder));
    OK(pl_file_replace(path, text.data, text.size));
    pl_bytes_free(&text);
}

static inline void write_model(char folder[PL_PATH_MAX], const model_shape *s)
{
    make_folder(folder);
    pl_bytes header = {0}, data = {0}, file = {0};
    if (strcmp(s->family, "gpt2") == 0)
        put_gpt2(&header, &data, s);
    else
        put_llama(&header, &data, s);
    uint64_t size = (header.size + 2 + 7) / 8 * 8; /* padded with blanks, as the format asks for */
    OK(pl_bytes_append(&file, &size, sizeof size));
    OK(pl_bytes_format(&file, "{%s}%*s", header.data, (int)(size - header.size - 2), ""));
    OK(pl_bytes_append(&file, data.data, data.size));
    char path[PL_PATH_MAX];
    OK(pl_path(path, "%s/model.safetensors", folder));
    OK(pl_file_replace(path, file.data, file.size));
    pl_bytes_free(&header);
    pl_bytes_free(&data);
    pl_bytes_free(&file);
    write_config(folder, s);
}

static inline void open_folder_as(random_model *m, const char *folder, int n_threads, pl_dtype compute)
{
    pl_checkpoint *checkpoint;
    m->compute = compute;
    OK(pl_processor_open(&m->processor, chosen_device(), n_threads));
    OK(pl_checkpoint_open(&checkpoint, folder));
    OK(pl_model_load(&m->model, &m->processor, checkpoint, compute));
    pl_checkpoint_close(checkpoint);
}

static inline void open_folder(random_model *m, const char *folder, int n_threads)
{
    open_folder_as(m, folder, n_threads, PL_F32);
}

static inline void close_model(random_model *m)
{
    pl_model_free(m->model);
    pl_processor_close(&m->processor);
}

#endif
