/* Checkpoints whose weights are made from their tensors' names, as golden/models/make_keys.py makes them: no file need
 * be kept for a configuration. */
#ifndef PLUMB_TESTS_MODEL_NAMED_WEIGHTS_H
#define PLUMB_TESTS_MODEL_NAMED_WEIGHTS_H

#include <math.h>

#include "base/json.h"
#include "model/masters.h"
#include "tests.h"

/* The numbers of weight() in make_keys.py. */
static inline float weight_of(uint64_t hash, size_t i, bool bias, bool vector)
{
    uint64_t x = hash + (uint64_t)(i + 1) * 0x9E3779B97F4A7C15U;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9U;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBU;
    x = (x ^ (x >> 31)) >> 40;
    float u = (float)((double)x / 8388608 - 1);
    return u * (bias || vector ? 0.3F : 0.6F) + (vector && !bias ? 1.0F : 0.0F);
}

static inline bool ends_in_bias(const char *name)
{
    const size_t n = strlen(name);
    return n >= 4 && strcmp(name + n - 4, "bias") == 0;
}

static inline void add_tensor(pl_bytes *data, json_t *header, const pl_config *c, const pl__tensor_fact *fact,
                              size_t number)
{
    char name[PL__TENSOR_NAME];
    pl__fact_name(name, c->family->prefixes[0], "", c, fact, number);
    const size_t n = pl__fact_elements(c, fact), at = data->size;
    uint64_t hash = 0xCBF29CE484222325U;
    for (const char *p = name; *p; p++) hash = (hash ^ (uint8_t)*p) * 0x100000001B3U;
    for (size_t i = 0; i < n; i++) {
        const float value = weight_of(hash, i, ends_in_bias(name), !fact->dims[1]);
        OK(pl_bytes_append(data, &value, sizeof value));
    }
    json_t *shape = json_array();
    for (const char *d = fact->dims; *d; d++)
        json_array_append_new(shape, json_integer((json_int_t)pl__dimension(c, *d)));
    json_object_set_new(header, name,
                        json_pack("{s:s, s:o, s:[I, I]}", "dtype", "F32", "shape", shape, "data_offsets",
                                  (json_int_t)at, (json_int_t)data->size));
}

static inline void write_checkpoint(const char *folder, const char *text, const pl_config *c)
{
    char path[PL_PATH_MAX];
    OK(pl_path(path, "%s/config.json", folder));
    OK(pl_file_replace(path, text, strlen(text)));
    pl_bytes data = {0}, file = {0};
    json_t *header = json_object();
    for (size_t i = 0; i < c->family->n_tensors; i++)
        for (size_t l = 0; l < pl__fact_count(c, &c->family->tensors[i]); l++)
            add_tensor(&data, header, c, &c->family->tensors[i], l);
    char *head = json_dumps(header, JSON_COMPACT);
    const uint64_t length = strlen(head);
    OK(pl_bytes_append(&file, &length, sizeof length));
    OK(pl_bytes_append(&file, head, length));
    OK(pl_bytes_append(&file, data.data, data.size));
    OK(pl_path(path, "%s/model.safetensors", folder));
    OK(pl_file_replace(path, file.data, file.size));
    free(head);
    json_decref(header);
    pl_bytes_free(&data);
    pl_bytes_free(&file);
}

/* |values - expected| / |expected|; without bound where a value is not finite. */
static inline double off_by(const float *values, const json_t *expected)
{
    double above = 0, below = 0;
    for (size_t i = 0; i < json_array_size(expected); i++) {
        const double r = json_number_value(json_array_get(expected, i)), d = (double)values[i] - r;
        above += d * d;
        below += r * r;
    }
    return isfinite(above) ? sqrt(above / below) : INFINITY;
}

#endif
