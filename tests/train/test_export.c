/* Trained models as Hugging Face checkpoints: the exported folder, loaded by our own loader, has the same weights and
 * gives the same logits; its numbers are transformers' own (golden.safetensors); it is there whole or not at all.
 * `--keep DIR`: trained checkpoints for make_train.py --check, which loads them in transformers. */
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "model/golden.h"
#include "train/runs.h"

static const char *kept = NULL;

static void train_some(subject *s, const examples *e)
{
    pl_train_settings settings = pl_train_defaults();
    settings.learning_rate = 1e-3;
    settings.max_steps = 4;
    pl_train_free(train_whole(s, &settings, e));
}

/* Logits [n, outputs] of one sequence; freed by the caller. */
static float *logits_of(pl_model *model, const int32_t *ids, size_t n, size_t *outputs_n)
{
    const sequence whole = {ids, 0, n, 0, 0};
    pl_kv *kv = kv_for(model, 1);
    outputs o;
    run_model(&o, model, kv, &whole, 1, 1);
    float *logits = malloc(o.N * o.V * sizeof *logits);
    memcpy(logits, o.logits, o.N * o.V * sizeof *logits);
    *outputs_n = o.V;
    outputs_free(&o);
    pl_model_processor(model)->ops->kv_free(kv);
    return logits;
}

static void keep_for_check(const char *name, subject *s, const examples *e)
{
    char folder[PL_PATH_MAX], path[PL_PATH_MAX];
    size_t n = e->list[0].n - (s->classifier ? 1 : 0), width;
    OK(pl_path(folder, "%s/%s", kept, name));
    OK(pl_trainable_export(s->trainable, s->folder, folder, PL_F32));
    int32_t ids[8] = {0};
    for (size_t i = 0; i < n; i++) ids[i] = e->ids[0][i];
    /* run_model asks for the probability of each next token too: a classifier has few outputs. */
    pl_checkpoint *checkpoint;
    pl_model *model;
    OK(pl_checkpoint_open(&checkpoint, folder));
    OK(pl_model_load(&model, &s->processor, checkpoint, PL_F32));
    pl_checkpoint_close(checkpoint);
    if (s->classifier) {
        for (size_t i = 0; i < n; i++) ids[i] = (int32_t)i % 3;
    }
    float *logits = logits_of(model, ids, n, &width);
    OK(pl_path(path, "%s/logits.txt", folder));
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    for (size_t i = 0; i < width; i++) fprintf(f, "%.9g\n", (double)logits[(n - 1) * width + i]);
    fclose(f);
    free(logits);
    pl_model_free(model);
}

static void test_round_trip(void **state)
{
    (void)state;
    const char *const cases[][2] = {{"gpt2-bare", "lm"},
                                    {"gpt2-bare", "classifier"},
                                    {"llama-grouped", "lm"},
                                    {"llama-grouped", "classifier"},
                                    {"llama-bias-linear", "lm"},
                                    {"neox", "lm"},
                                    {"qwen2", "lm"},
                                    {"qwen3", "lm"},
                                    {"mistral", "lm"},
                                    {"smollm3", "lm"},
                                    {"gemma2", "lm"},
                                    {"gemma3", "lm"},
                                    {"olmo2", "lm"},
                                    {"opt", "lm"},
                                    {"phi-tied", "lm"},
                                    {"phi3", "lm"},
                                    {"granite", "lm"},
                                    {"granite-hybrid", "lm"},
                                    {"gpt-neo", "lm"},
                                    {"gptj", "lm"},
                                    {"stablelm-parallel", "lm"},
                                    {"starcoder2", "lm"},
                                    {"falcon", "lm"},
                                    {"falcon-new", "lm"},
                                    {"bloom", "lm"},
                                    {"mpt", "lm"},
                                    {"stablelm-norms", "lm"},
                                    {"opt-behind", "lm"},
                                    {"opt-wider", "lm"},
                                    {"falcon-alibi", "lm"},
                                    {"gemma", "lm"}};
    const int32_t ids[] = {2, 0, 1, 1, 2, 0, 2};
    enum { N = sizeof ids / sizeof *ids };
    char folder[PL_PATH_MAX], out[PL_PATH_MAX];
    make_folder(folder);
    OK(pl_path(out, "%s/sub/model", folder));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        subject s;
        examples e;
        size_t width, again_width;
        open_subject(&s, cases[i][0], cases[i][1]);
        open_examples(&e, s.classifier);
        train_some(&s, &e);
        /* From the second case on it takes another's place. */
        OK(pl_trainable_export(s.trainable, s.folder, out, PL_F32));
        pl_checkpoint *checkpoint;
        pl_model *model;
        pl_trainable *again;
        OK(pl_checkpoint_open(&checkpoint, out));
        assert_int_equal(checkpoint->config.n_labels, s.classifier ? 3 : 0);
        const pl_trainable_options options = {
            .head = s.classifier ? PL_HEAD_CLASSIFIER : PL_HEAD_LM, .n_labels = 3, .head_seed = 99};
        OK(pl_trainable_create(&again, &s.processor, checkpoint, &options));
        OK(pl_model_load(&model, &s.processor, checkpoint, PL_F32));
        pl_checkpoint_close(checkpoint);
        float *w = masters(&s), *w_again = buffer_values(&s, pl_trainable_views(again).master);
        assert_memory_equal(w, w_again, masters_bytes(&s));
        float *logits = logits_of(pl_trainable_model(s.trainable), ids, N, &width),
              *loaded = logits_of(model, ids, N, &again_width);
        assert_int_equal(width, again_width);
        assert_memory_equal(logits, loaded, N * width * sizeof *logits);
        if (kept) {
            char name[64];
            snprintf(name, sizeof name, "%s-%s", cases[i][0], cases[i][1]);
            keep_for_check(name, &s, &e);
        }
        free(w);
        free(w_again);
        free(logits);
        free(loaded);
        pl_model_free(model);
        pl_trainable_free(again);
        close_examples(&e);
        close_subject(&s);
    }
    remove_folder(folder);
}

/* An export of what was loaded, whatever type, shards, prefix and tying it had, gives transformers' values. */
static void test_golden(void **state)
{
    (void)state;
    const char *const models[] = {"gpt2",
                                  "gpt2-bare",
                                  "gpt2-untied-bf16",
                                  "llama-tied",
                                  "llama-grouped",
                                  "llama-bias-linear",
                                  "neox",
                                  "neox-sequential",
                                  "qwen3",
                                  "smollm3",
                                  "gemma3",
                                  "gemma3-untied",
                                  "olmo2",
                                  "opt-plain",
                                  "opt-behind",
                                  "opt-wider",
                                  "phi",
                                  "phi3",
                                  "wrapped-gemma3",
                                  "wrapped-llava",
                                  "wrapped-smolvlm"};
    char folder[PL_PATH_MAX], out[PL_PATH_MAX];
    make_folder(folder);
    OK(pl_path(out, "%s/model", folder));
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        subject s;
        pl_bytes text;
        pl_checkpoint *checkpoint;
        pl_model *model;
        open_subject(&s, models[i], "lm");
        OK(pl_trainable_export(s.trainable, s.folder, out, PL_F32));
        OK(pl_checkpoint_open(&checkpoint, out));
        assert_string_equal(checkpoint->config.dtype, "float32");
        OK(pl_model_load(&model, &s.processor, checkpoint, PL_F32));
        pl_checkpoint_close(checkpoint);
        pl_safetensors *reference = golden_open(&text, s.folder);
        double exported = golden_distance(model, reference),
               attached = golden_distance(pl_trainable_model(s.trainable), reference);
        print_message("%s: %.1e, attached %.1e\n", models[i], exported, attached);
        assert_true(exported <= GOLDEN_TOLERANCE);
        assert_true(attached <= GOLDEN_TOLERANCE);
        pl_safetensors_close(reference);
        pl_bytes_free(&text);
        pl_model_free(model);
        close_subject(&s);
    }
    remove_folder(folder);
}

/* Logits of a model with another cap of them; freed by the caller. */
static float *capped_logits(const char *model, pl_head_kind head, double softcap, size_t *width)
{
    const int32_t ids[] = {2, 0, 1, 1, 2};
    subject s = {0};
    pl_checkpoint *checkpoint;
    OK(pl_path(s.folder, GOLDEN_FOLDER "/../models/%s", model));
    OK(pl_processor_open(&s.processor, chosen_device(), 1));
    OK(pl_checkpoint_open(&checkpoint, s.folder));
    checkpoint->config.logit_softcap = softcap;
    const pl_trainable_options options = {.head = head, .n_labels = 3, .head_seed = 5};
    OK(pl_trainable_create(&s.trainable, &s.processor, checkpoint, &options));
    pl_checkpoint_close(checkpoint);
    float *logits = logits_of(pl_trainable_model(s.trainable), ids, sizeof ids / sizeof *ids, width);
    close_subject(&s);
    return logits;
}

/* A head drawn on a checkpoint of every family that has classifiers. */
static void keep_classifiers(void)
{
    static const char *const models[] = {"gpt2",       "neox",   "llama-grouped", "mistral", "qwen2", "qwen3",
                                         "smollm3",    "gemma",  "gemma2",        "gemma3",  "olmo2", "opt",
                                         "opt-behind", "phi",    "phi3",          "gpt-neo", "gptj",  "stablelm",
                                         "starcoder2", "falcon", "falcon-alibi",  "bloom",   "mpt"};
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        char name[64];
        examples e;
        subject s = {.classifier = true};
        pl_checkpoint *checkpoint;
        const pl_trainable_options options = {.head = PL_HEAD_CLASSIFIER, .n_labels = 3, .head_seed = 5};
        OK(pl_path(s.folder, GOLDEN_FOLDER "/../models/%s", models[i]));
        OK(pl_processor_open(&s.processor, chosen_device(), 1));
        OK(pl_checkpoint_open(&checkpoint, s.folder));
        OK(pl_trainable_create(&s.trainable, &s.processor, checkpoint, &options));
        pl_checkpoint_close(checkpoint);
        open_examples(&e, true);
        snprintf(name, sizeof name, "%s-head", models[i]);
        keep_for_check(name, &s, &e);
        close_examples(&e);
        close_subject(&s);
    }
}

/* A classifier's scores are not capped as logits of tokens are, and a family that has none in transformers gets none.
 */
static void test_classifiers(void **state)
{
    (void)state;
    const pl_head_kind heads[] = {PL_HEAD_CLASSIFIER, PL_HEAD_LM};
    for (size_t i = 0; i < 2; i++) {
        size_t width;
        float *with = capped_logits("gemma2", heads[i], 0.25, &width),
              *without = capped_logits("gemma2", heads[i], 0, &width);
        assert_int_equal(memcmp(with, without, 5 * width * sizeof *with) == 0, heads[i] == PL_HEAD_CLASSIFIER);
        free(with);
        free(without);
    }
    if (kept) keep_classifiers();
    pl_processor processor;
    pl_checkpoint *checkpoint;
    pl_trainable *trainable;
    OK(pl_processor_open(&processor, chosen_device(), 1));
    OK(pl_checkpoint_open(&checkpoint, GOLDEN_FOLDER "/../models/granite"));
    const pl_trainable_options options = {.head = PL_HEAD_CLASSIFIER, .n_labels = 3};
    assert_int_equal(pl_trainable_create(&trainable, &processor, checkpoint, &options), PL_E_UNSUPPORTED);
    assert_non_null(strstr(pl_error_text(), "transformers has no sequence classifier of a granite: use head: lm"));
    pl_checkpoint_close(checkpoint);
    pl_processor_close(&processor);
}

/* No room on the disk: one line, nothing left, what was there stays. */
static void test_full_disk(void **state)
{
    (void)state;
    char folder[PL_PATH_MAX], out[PL_PATH_MAX], command[PL_PATH_MAX + 64];
    subject s;
    make_folder(folder);
    OK(pl_path(out, "%s/model", folder));
    open_subject(&s, "gpt2", "lm");
    OK(pl_trainable_export(s.trainable, s.folder, out, PL_F32));
    struct rlimit before, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = (struct rlimit){.rlim_cur = 20000, .rlim_max = before.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    REFUSED(pl_trainable_export(s.trainable, s.folder, out, PL_F32), PL_E_IO, "cannot write");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    snprintf(command, sizeof command, "test \"$(ls '%s')\" = model", folder);
    assert_int_equal(system(command), 0);
    pl_checkpoint *checkpoint;
    OK(pl_checkpoint_open(&checkpoint, out));
    pl_checkpoint_close(checkpoint);
    close_subject(&s);
    remove_folder(folder);
}

/* ---- Drawn weights ---- */

static double deviation(const pl_trainable *t, const char *name, double *mean)
{
    size_t n;
    float *w;
    double sum = 0, squares = 0;
    OK(pl_trainable_tensor(t, pl_trainable_views(t).master, name, &w, &n));
    for (size_t i = 0; i < n; i++) sum += (double)w[i];
    for (size_t i = 0; i < n; i++) squares += ((double)w[i] - sum / (double)n) * ((double)w[i] - sum / (double)n);
    free(w);
    *mean = sum / (double)n;
    return sqrt(squares / (double)n);
}

static void test_random(void **state)
{
    (void)state;
    subject s;
    pl_checkpoint *checkpoint;
    pl_trainable *t;
    double mean;
    open_subject(&s, "gpt2", "lm");
    OK(pl_checkpoint_open_config(&checkpoint, s.folder));
    pl_trainable_options options = {.random = true, .init_seed = 3};
    OK(pl_trainable_create(&t, &s.processor, checkpoint, &options));
    const double range = 0.02, few = 0.1; /* thousands of numbers: deviations within a few percent */
    assert_true(fabs(deviation(t, "transformer.wte.weight", &mean) / range - 1) < few);
    assert_true(fabs(deviation(t, "transformer.h.1.attn.c_attn.weight", &mean) / range - 1) < few);
    assert_true(fabs(deviation(t, "transformer.h.1.attn.c_proj.weight", &mean) / (range / 2) - 1) <
                few); /* sqrt(2 L) */
    assert_true(fabs(deviation(t, "transformer.h.0.mlp.c_proj.weight", &mean) / (range / 2) - 1) < few);
    assert_true(deviation(t, "transformer.h.0.mlp.c_proj.bias", &mean) == 0 && mean == 0);
    assert_true(deviation(t, "transformer.h.0.ln_1.weight", &mean) == 0 && mean == 1);
    assert_true(deviation(t, "transformer.ln_f.bias", &mean) == 0 && mean == 0);
    float *a = buffer_values(&s, pl_trainable_views(t).master);
    const size_t bytes = pl_trainable_views(t).master.columns * sizeof *a;
    pl_trainable_free(t);
    OK(pl_trainable_create(&t, &s.processor, checkpoint, &options));
    float *b = buffer_values(&s, pl_trainable_views(t).master);
    assert_memory_equal(a, b, bytes);
    pl_trainable_free(t);
    pl_checkpoint_close(checkpoint);

    /* A head alone, on the checkpoint's weights. */
    OK(pl_checkpoint_open(&checkpoint, s.folder));
    options = (pl_trainable_options){.head = PL_HEAD_CLASSIFIER, .n_labels = 200, .head_seed = 4};
    OK(pl_trainable_create(&t, &s.processor, checkpoint, &options));
    assert_true(fabs(deviation(t, "score.weight", &mean) / range - 1) < few);
    pl_trainable_free(t);
    options.compute = PL_F16;
    REFUSED(pl_trainable_create(&t, &s.processor, checkpoint, &options), PL_E_UNSUPPORTED, "bfloat16 or float32");
    options.compute = PL_F32;
    options.n_labels = 1;
    REFUSED(pl_trainable_create(&t, &s.processor, checkpoint, &options), PL_E_INPUT, "2 or more");
    pl_checkpoint_close(checkpoint);
    free(a);
    free(b);
    close_subject(&s);
}

/* The embedding's row of pad_token_id is drawn as transformers' nn.Embedding with padding_idx starts: zero. */
static void test_random_padding(void **state)
{
    (void)state;
    subject s;
    pl_checkpoint *checkpoint;
    pl_trainable *t;
    float *w;
    size_t n;
    open_subject(&s, "llama-grouped", "lm");
    OK(pl_checkpoint_open_config(&checkpoint, s.folder));
    checkpoint->config.has_padding = true;
    checkpoint->config.padding = 3;
    const pl_trainable_options options = {.random = true, .init_seed = 3};
    OK(pl_trainable_create(&t, &s.processor, checkpoint, &options));
    OK(pl_trainable_tensor(t, pl_trainable_views(t).master, "model.embed_tokens.weight", &w, &n));
    const size_t C = checkpoint->config.C;
    size_t zeros = 0;
    for (size_t i = 0; i < n; i++) zeros += w[i] == 0.0F;
    assert_int_equal(zeros, C);
    for (size_t i = 0; i < C; i++) assert_true(w[3 * C + i] == 0.0F);
    free(w);
    pl_trainable_free(t);
    pl_checkpoint_close(checkpoint);
    close_subject(&s);
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--keep") == 0) kept = argv[2];
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_round_trip),  cmocka_unit_test(test_golden),
                                       cmocka_unit_test(test_classifiers), cmocka_unit_test(test_full_disk),
                                       cmocka_unit_test(test_random),      cmocka_unit_test(test_random_padding)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
