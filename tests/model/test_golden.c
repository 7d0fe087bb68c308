/* Small random checkpoints against transformers: every hidden state, logits, log-likelihoods and greedy ids. Two
 * sequences (5 and 66 tokens: more than two pages; or four on both sides of a border) run packed in one batch; greedy
 * runs one token a step. On a CUDA
 * device also in the 16-bit types and tf32, against the same float32 values. */
#include "model/golden.h"

static const char *const folders[] = {
    "gpt2",
    "gpt2-bare",
    "gpt2-untied-bf16",
    "llama-tied",
    "llama-grouped",
    "llama-bias-linear",
    "llama-llama3",
    "llama-yarn",
    "llama-longrope",
    "neox",
    "neox-sequential",
    "qwen2",
    "qwen3",
    "mistral",
    "smollm3",
    "gemma2",
    "gemma3",
    "gemma3-untied",
    "olmo2",
    "opt",
    "opt-plain",
    "phi",
    "phi-tied",
    "phi3",
    "granite",
    "granite-hybrid",
    "granite-turnless",
    "gpt-neo",
    "gptj",
    "gptj-tied",
    "stablelm",
    "stablelm-parallel",
    "starcoder2",
    "starcoder2-plain",
    "falcon",
    "falcon-new",
    "falcon-sequential",
    "bloom",
    "bloom-even",
    "mpt",
    "mpt-even",
    "phi-norms",
    "wrapped-gemma3",
    "wrapped-llava",
    "wrapped-smolvlm",
    "stablelm-norms",
    "gemma",
    "opt-behind",
    "opt-wider",
    "phi3-longrope",
    "falcon-alibi",
    "falcon-alibi-new",
};

typedef void alteration(pl_config *config);

static void open_model(pl_model **model, pl_processor *processor, const char *folder, pl_dtype compute,
                       alteration *alter)
{
    pl_checkpoint *checkpoint;
    OK(pl_processor_open(processor, chosen_device(), 2));
    OK(pl_checkpoint_open(&checkpoint, folder));
    if (alter) alter(&checkpoint->config);
    OK(pl_model_load(model, processor, checkpoint, compute));
    pl_checkpoint_close(checkpoint);
}

static void test_folder(void **state)
{
    char folder[PL_PATH_MAX];
    pl_bytes text;
    pl_processor processor;
    pl_model *model;
    OK(pl_path(folder, "%s/tests/golden/models/%s", PLUMB_SOURCE_DIR, (const char *)*state));
    open_model(&model, &processor, folder, PL_F32, NULL);
    pl_safetensors *golden = golden_open(&text, folder);

    double worst = golden_distance(model, golden);
    print_message("%s: %.2g\n", (const char *)*state, worst);
    assert_true(worst <= GOLDEN_TOLERANCE);

    size_t n, steps;
    int32_t *ids = golden_ids(golden, "ids.0", &n), *expected = golden_ids(golden, "greedy", &steps);
    greedy_steps(model, ids, n, steps);
    assert_memory_equal(ids + n, expected, steps * sizeof *ids);
    free(ids);
    free(expected);
    pl_safetensors_close(golden);
    pl_bytes_free(&text);
    pl_model_free(model);
    pl_processor_close(&processor);
}

/* The bits of a sequence's results do not depend on its company in the batch, nor on where it was cut. */
static void test_same_bits(void **state)
{
    char folder[PL_PATH_MAX];
    pl_bytes text;
    pl_processor processor;
    pl_model *model;
    OK(pl_path(folder, "%s/tests/golden/models/%s", PLUMB_SOURCE_DIR, (const char *)*state));
    open_model(&model, &processor, folder, PL_F32, NULL);
    pl_safetensors *golden = golden_open(&text, folder);
    const char *longest = pl_safetensors_find(golden, "ids.3") ? "ids.3" : "ids.1";
    size_t n, m;
    int32_t *ids = golden_ids(golden, longest, &n), *other = golden_ids(golden, "ids.0", &m);
    pl_kv *kv = kv_for(model, 2);
    outputs alone, packed, cut;

    const sequence whole = {ids, 0, n, 0, n}, company[2] = {{other, 0, m, 0, m}, {ids, 0, n, 1, n}};
    run_model(&alone, model, kv, &whole, 1, 1);
    run_model(&packed, model, kv, company, 2, 2);
    for (size_t l = 0; l < alone.n_states; l++)
        assert_memory_equal(state_of(&packed, l, m), state_of(&alone, l, 0),
                            n * state_width(&alone, l) * sizeof(float));
    assert_memory_equal(packed.logits + m * packed.V, alone.logits, n * alone.V * sizeof(float));

    /* The last 23 tokens after the others, whose prefix ends inside a page. */
    const sequence head = {ids, 0, n - 23, 0, n}, tail = {ids, n - 23, 23, 0, n};
    run_model(&cut, model, kv, &head, 1, 1);
    outputs_free(&cut);
    run_model(&cut, model, kv, &tail, 1, 1);
    assert_memory_equal(cut.logits, alone.logits + (n - 23) * alone.V, 23 * alone.V * sizeof(float));

    outputs_free(&alone);
    outputs_free(&packed);
    outputs_free(&cut);
    processor.ops->kv_free(kv);
    free(ids);
    free(other);
    pl_safetensors_close(golden);
    pl_bytes_free(&text);
    pl_model_free(model);
    pl_processor_close(&processor);
}

/* The same distance when products round their inputs to fewer bits: ROUNDING is of the order of the type's last bit
 * (2^-8 for bfloat16, 2^-11 for float16 and tf32) times the few dozen roundings that a value goes through in two or
 * three blocks, added at random. */
static const struct {
    pl_dtype compute;
    double tolerance;
} roundings[] = {{PL_BF16, 2e-2}, {PL_F16, 2.5e-3}, {PL_TF32, 2.5e-3}};

static void other_attention_scale(pl_config *c)
{
    c->attention_scale = c->attention_scale == 1 ? 1 / sqrt((double)c->D) : 1;
}

static double distance_of(const char *folder, pl_dtype compute, alteration *alter)
{
    pl_bytes text;
    pl_processor processor;
    pl_model *model;
    open_model(&model, &processor, folder, compute, alter);
    pl_safetensors *golden = golden_open(&text, folder);
    double worst = golden_distance(model, golden);
    pl_safetensors_close(golden);
    pl_bytes_free(&text);
    pl_model_free(model);
    pl_processor_close(&processor);
    return worst;
}

/* Within the bound; with a planted fault (attention with another scale) past it; and not what float32 gives. */
static void test_rounded(void **state)
{
    char folder[PL_PATH_MAX];
    OK(pl_path(folder, "%s/tests/golden/models/%s", PLUMB_SOURCE_DIR, (const char *)*state));
    for (size_t i = 0; i < sizeof roundings / sizeof *roundings; i++) {
        pl_dtype compute = roundings[i].compute;
        if (on_emulator() && compute != PL_BF16 && strcmp(*state, "gpt2") && strcmp(*state, "llama-grouped")) continue;
        double d = distance_of(folder, compute, NULL), planted = distance_of(folder, compute, other_attention_scale);
        print_message("%s, %s: %.2g; planted: %.2g\n", (const char *)*state, pl_dtype_name(compute), d, planted);
        assert_true(d <= roundings[i].tolerance);
        assert_true(planted > roundings[i].tolerance);
        assert_true(d > GOLDEN_TOLERANCE);
    }
}

int main(void)
{
    enum { N = sizeof folders / sizeof *folders };
    void (*const functions[])(void **state) = {test_folder, test_same_bits, test_rounded};
    struct CMUnitTest tests[3 * N];
    for (size_t i = 0; i < 3 * N; i++)
        tests[i] = (struct CMUnitTest){
            .name = folders[i % N], .test_func = functions[i / N], .initial_state = (void *)(uintptr_t)folders[i % N]};
    int missing = device_missing();
    if (missing) return missing;
    return _cmocka_run_group_tests("golden", tests, on_cuda() ? 3 * N : 2 * N, NULL, NULL);
}
