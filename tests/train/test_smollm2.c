/* Three training steps of SmolLM2-135M's layers at their own widths (576 wide, 9 heads over 3 of keys and values, 1536
 * inside), cut to 2 blocks and a vocabulary of 2,048: against PyTorch (tests/golden/train/make_smollm2.py) and, on
 * another device than the CPU, against the CPU. Minutes on the emulated device: tests/long/smollm2.sh. */
#include "base/file.h"
#include "train/runs.h"

/* As in test_steps.c: float32 on both sides, which sum in other orders. Bfloat16: operands are rounded (2^-9 each) and
 * averaged over sums, so losses are within a percent. */
static const double LOSS = 1e-5, NORM = 1e-5, WEIGHTS = 1e-4, LOSS_BF16 = 1e-2;

enum { EXAMPLES = 4, MOST_TOKENS = 33, SIGNS = 4, V = 2048, C = 576, KV = 192, F = 1536, BLOCKS = 2 };

/* ---- The formulas of make_smollm2.py ---- */

static uint32_t bits(size_t i, uint32_t stream)
{
    uint32_t v = (uint32_t)i * 2654435761u ^ (stream * 2246822519u + 374761393u);
    v = (v ^ v >> 15) * 2246822519u;
    v = (v ^ v >> 13) * 3266489917u;
    return v ^ v >> 16;
}

static float value(size_t i, uint32_t stream, double middle, double scale)
{
    return (float)(middle + ((double)(bits(i, stream) % 65536) - 32768.0) / 32768.0 * scale);
}

/* Of a block, in the order of their streams; columns 0: a vector. */
static const struct part {
    const char *name;
    size_t rows, columns;
    double scale;
} parts[] = {{"input_layernorm", C, 0, 1.0 / 8},    {"self_attn.q_proj", C, C, 1.0 / 16},
             {"self_attn.k_proj", KV, C, 1.0 / 16}, {"self_attn.v_proj", KV, C, 1.0 / 16},
             {"self_attn.o_proj", C, C, 1.0 / 16},  {"post_attention_layernorm", C, 0, 1.0 / 8},
             {"mlp.gate_proj", F, C, 1.0 / 16},     {"mlp.up_proj", F, C, 1.0 / 16},
             {"mlp.down_proj", C, F, 1.0 / 32}};
enum { PARTS = sizeof parts / sizeof *parts, TENSORS = 2 + BLOCKS * PARTS };

/* Name and shape of the tensor of a stream. */
static struct part tensor_of(size_t stream, char name[96])
{
    if (stream == 0 || stream == TENSORS - 1) {
        snprintf(name, 96, stream ? "model.norm.weight" : "model.embed_tokens.weight");
        return stream ? (struct part){name, C, 0, 1.0 / 8} : (struct part){name, V, C, 1.0 / 16};
    }
    struct part p = parts[(stream - 1) % PARTS];
    snprintf(name, 96, "model.layers.%zu.%s.weight", (stream - 1) / PARTS, p.name);
    p.name = name;
    return p;
}

static size_t elements(struct part p)
{
    return p.rows * (p.columns ? p.columns : 1);
}

/* The checkpoint: config.json and model.safetensors. */
static void write_checkpoint(const char *folder)
{
    char path[PL_PATH_MAX], name[96];
    pl_bytes config, directory = {0};
    size_t bytes = 0;
    OK(pl_file_read(&config, GOLDEN_FOLDER "/smollm2-config.json", 1 << 16));
    OK(pl_path(path, "%s/config.json", folder));
    OK(pl_file_replace(path, config.data, config.size));
    pl_bytes_free(&config);
    for (size_t t = 0; t < TENSORS; t++) {
        const struct part p = tensor_of(t, name);
        OK(pl_bytes_format(&directory, "%c\"%s\":{\"dtype\":\"F32\",\"shape\":[%zu", t ? ',' : '{', name, p.rows));
        if (p.columns) OK(pl_bytes_format(&directory, ",%zu", p.columns));
        OK(pl_bytes_format(&directory, "],\"data_offsets\":[%zu,%zu]}", bytes, bytes + 4 * elements(p)));
        bytes += 4 * elements(p);
    }
    OK(pl_bytes_text(&directory, "}"));
    while (directory.size % 8) OK(pl_bytes_text(&directory, " "));
    char *file = malloc(8 + directory.size + bytes);
    assert_non_null(file);
    for (size_t i = 0; i < 8; i++) file[i] = (char)(directory.size >> 8 * i & 255);
    memcpy(file + 8, directory.data, directory.size);
    float *to = (float *)(void *)(file + 8 + directory.size);
    for (size_t t = 0; t < TENSORS; t++) {
        const struct part p = tensor_of(t, name);
        for (size_t i = 0; i < elements(p); i++) *to++ = value(i, (uint32_t)t, p.columns ? 0 : 1, p.scale);
    }
    OK(pl_path(path, "%s/model.safetensors", folder));
    OK(pl_file_replace(path, file, 8 + directory.size + bytes));
    free(file);
    pl_bytes_free(&directory);
}

/* ---- A run ---- */

typedef struct run {
    subject s;
    pl_train *train;
} run;

/* Trains what stands in the folder; PL_E_UNSUPPORTED, and nothing to close, where the device lacks the type. */
static pl_status train_on(run *r, const char *device, const char *folder, pl_dtype compute,
                          const pl_train_example *list)
{
    pl_checkpoint *checkpoint;
    bool finished;
    const pl_trainable_options options = {.compute = compute};
    pl_train_settings settings = pl_train_defaults();
    settings.max_steps = 3;
    settings.train_batch_size = EXAMPLES;
    settings.learning_rate = 2e-4;
    settings.weight_decay = 0.1;
    settings.adam_epsilon = 1e-5; /* a weight whose gradient is rounding alone does not move by it */
    settings.dropout = 0;
    *r = (run){0};
    OK(pl_processor_open(&r->s.processor, device, 0));
    OK(pl_checkpoint_open(&checkpoint, folder));
    pl_status status = pl_trainable_create(&r->s.trainable, &r->s.processor, checkpoint, &options);
    pl_checkpoint_close(checkpoint);
    if (status != PL_OK) {
        pl_processor_close(&r->s.processor);
        return status;
    }
    OK(pl_train_create(&r->train, r->s.trainable, &settings, list, EXAMPLES, "test", NULL));
    OK(pl_train_run(r->train, &no_callbacks, &finished));
    assert_true(finished);
    return PL_OK;
}

static void close_run(run *r)
{
    pl_train_free(r->train);
    close_subject(&r->s);
}

static float *weights(const run *r, const char *name, size_t n)
{
    float *w;
    size_t k;
    OK(pl_trainable_tensor(r->s.trainable, pl_trainable_views(r->s.trainable).master, name, &w, &k));
    assert_int_equal(k, n);
    return w;
}

static double worst(const run *r, const json_t *golden, const char *key)
{
    size_t n;
    const pl_train_step *steps = pl_train_steps(r->train, &n);
    const json_t *expected = json_object_get(golden, key);
    double most = 0;
    assert_int_equal(n, json_array_size(expected));
    for (size_t i = 0; i < n; i++) {
        const double e = json_real_value(json_array_get(expected, i));
        most = fmax(most, fabs((strcmp(key, "loss") ? steps[i].gradient_norm : steps[i].loss) - e) / e);
    }
    return most;
}

/* ||w - reference|| / ||reference - w0||: a sum with random signs has the norm for its standard deviation. */
static double weights_off(const run *r, const json_t *golden)
{
    char name[96];
    double off = 0, way = 0;
    for (size_t t = 0; t < TENSORS; t++) {
        const struct part p = tensor_of(t, name);
        const json_t *reference = json_object_get(json_object_get(golden, "tensors"), name);
        const double moved = json_real_value(json_object_get(reference, "moved"));
        float *w = weights(r, name, elements(p));
        double sums[SIGNS] = {0};
        assert_true(moved > 0);
        for (size_t i = 0; i < elements(p); i++) {
            const double by = (double)w[i] - (double)value(i, (uint32_t)t, p.columns ? 0 : 1, p.scale);
            for (size_t k = 0; k < SIGNS; k++) sums[k] += bits(i, (uint32_t)(2000 + t)) >> k & 1 ? by : -by;
        }
        for (size_t k = 0; k < SIGNS; k++) {
            const double d = sums[k] - json_real_value(json_array_get(json_object_get(reference, "signs"), k));
            off += d * d / SIGNS;
        }
        way += moved * moved;
        free(w);
    }
    return sqrt(off / way);
}

/* ||a - b|| / ||b - w0||. */
static double runs_off(const run *a, const run *b)
{
    char name[96];
    double off = 0, way = 0;
    for (size_t t = 0; t < TENSORS; t++) {
        const struct part p = tensor_of(t, name);
        float *x = weights(a, name, elements(p)), *y = weights(b, name, elements(p));
        for (size_t i = 0; i < elements(p); i++) {
            const double by = (double)y[i] - (double)value(i, (uint32_t)t, p.columns ? 0 : 1, p.scale);
            off += ((double)x[i] - (double)y[i]) * ((double)x[i] - (double)y[i]);
            way += by * by;
        }
        free(x);
        free(y);
    }
    return sqrt(off / way);
}

/* ---- The tests ---- */

static struct {
    char folder[PL_PATH_MAX];
    int32_t ids[EXAMPLES][MOST_TOKENS];
    pl_train_example list[EXAMPLES];
    json_t *golden;
} all;

static int set_up(void **state)
{
    (void)state;
    static const size_t lengths[EXAMPLES] = {9, 33, 5, 20}, firsts[EXAMPLES] = {1, 1, 3, 18};
    make_folder(all.folder);
    write_checkpoint(all.folder);
    for (size_t e = 0; e < EXAMPLES; e++) {
        for (size_t i = 0; i < lengths[e]; i++) all.ids[e][i] = (int32_t)(bits(i, (uint32_t)(1000 + e)) % V);
        all.list[e] = (pl_train_example){.ids = all.ids[e], .n = lengths[e], .first = firsts[e]};
    }
    OK(pl_json_read(&all.golden, GOLDEN_FOLDER "/smollm2.json", 1 << 20));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    remove_folder(all.folder);
    json_decref(all.golden);
    return 0;
}

static void test_float32(void **state)
{
    (void)state;
    run r, cpu;
    OK(train_on(&r, chosen_device(), all.folder, PL_F32, all.list));
    const double loss = worst(&r, all.golden, "loss"), norm = worst(&r, all.golden, "gradient_norm"),
                 off = weights_off(&r, all.golden);
    print_message("float32: loss %.1e, gradient norm %.1e, weights %.1e\n", loss, norm, off);
    assert_true(loss <= LOSS && norm <= NORM && off <= WEIGHTS);
    if (on_cuda()) {
        OK(train_on(&cpu, "cpu", all.folder, PL_F32, all.list));
        const double apart = runs_off(&r, &cpu);
        print_message("float32: %.1e from the CPU's weights\n", apart);
        assert_true(apart <= WEIGHTS);
        close_run(&cpu);
    }
    close_run(&r);
}

static void test_bfloat16(void **state)
{
    (void)state;
    run r;
    pl_status status = train_on(&r, chosen_device(), all.folder, PL_BF16, all.list);
    if (status == PL_E_UNSUPPORTED && !on_cuda()) {
        print_message("SKIP bfloat16: %s\n", pl_error_text());
        return;
    }
    OK(status);
    const double loss = worst(&r, all.golden, "loss"), norm = worst(&r, all.golden, "gradient_norm");
    print_message("bfloat16: loss %.1e, gradient norm %.1e, weights %.1e\n", loss, norm, weights_off(&r, all.golden));
    assert_true(loss <= LOSS_BF16 && loss > 1e-7);
    close_run(&r);
}

int main(void)
{
    const int missing = device_missing();
    if (missing) return missing;
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_float32), cmocka_unit_test(test_bfloat16)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
