/* Small random checkpoints against transformers: every hidden state, logits, log-likelihoods and greedy ids. Two
 * sequences (5 and 66 tokens: more than two pages) run packed in one batch; greedy runs one token a step. */
#include "model/golden.h"

static const char *const folders[] = {
    "gpt2",          "gpt2-bare",         "gpt2-untied-bf16", "llama-tied",     "llama-grouped",
    "llama-bias-linear", "llama-llama3", "llama-yarn",       "llama-longrope",
};

static void open_model(pl_model **model, pl_gear *gear, const char *folder)
{
    pl_checkpoint *checkpoint;
    CHECK(pl_gear_open(gear, "cpu", 2));
    CHECK(pl_checkpoint_open(&checkpoint, folder));
    CHECK(pl_model_load(model, gear, checkpoint, PL_F32));
    pl_checkpoint_close(checkpoint);
}

static void test_folder(void **state)
{
    char folder[PL_PATH_MAX];
    pl_bytes text;
    pl_gear gear;
    pl_model *model;
    CHECK(pl_path(folder, "%s/tests/golden/models/%s", PLUMB_SOURCE_DIR, (const char *)*state));
    open_model(&model, &gear, folder);
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
    pl_gear_close(&gear);
}

int main(void)
{
    enum { N = sizeof folders / sizeof *folders };
    struct CMUnitTest tests[N];
    for (size_t i = 0; i < N; i++)
        tests[i] = (struct CMUnitTest){.name = folders[i], .test_func = test_folder,
                                       .initial_state = (void *)(uintptr_t)folders[i]};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
