/* The memory that is said before the first step is the peak that getrusage tells afterwards, within a tenth; so is what
 * a plan says without a model, besides the process itself. */
#include <sys/resource.h>
#include <sys/wait.h>

#include "device/chosen.h"
#include "train/runs.h"

static const double TENTH = 0.1;

/* Large enough that the process itself (some 10 MB) does not decide: 8 million parameters, 130 MB. */
static const char config[] =
    "{\"model_type\": \"gpt2\", \"architectures\": [\"GPT2LMHeadModel\"], \"vocab_size\": 20000, "
    "\"n_embd\": 256, \"n_layer\": 4, \"n_head\": 4, \"n_positions\": 512}";

typedef struct shape {
    const char *name;
    size_t n_ids, first, batch, micro, lanes;
    bool checkpointing, again; /* again: a model that was trained before, in less memory */
} shape;

static const shape shapes[] = {
    {"loss at every position", 257, 1, 8, 0, 1, false, false},
    {"loss at the label, blocks run again", 400, 399, 8, 0, 1, true, false},
    {"two lanes, micro-batches of 2", 129, 128, 8, 2, 2, false, false},
    {"a model that was trained before", 257, 1, 8, 0, 1, false, true},
};

static double peak_bytes(void)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_maxrss * 1024;
}

/* In a process of its own, which has no other peak: what was said and planned is what is used. */
static bool is_true(const shape *h, const char *folder)
{
    enum { N = 16 };
    pl_train_example list[N];
    int32_t *ids = calloc(h->n_ids, sizeof *ids);
    pl_processor processor;
    pl_checkpoint *checkpoint;
    pl_trainable *trainable;
    pl_train *train;
    bool finished;
    for (size_t i = 0; i < h->n_ids; i++) ids[i] = (int32_t)(i * 37 % 20000);
    for (size_t i = 0; i < N; i++) list[i] = (pl_train_example){.ids = ids, .n = h->n_ids, .first = h->first};
    const pl_trainable_options options = {.random = true};
    OK(pl_processor_open(&processor, "cpu", 1));
    OK(pl_checkpoint_open_config(&checkpoint, folder));
    pl_train_settings s = pl_train_defaults();
    s.max_steps = 2;
    s.train_batch_size = h->batch;
    s.micro_batch_size = h->micro;
    s.lanes = h->lanes;
    s.gradient_checkpointing = h->checkpointing;
    const double planned = (double)pl_train_plan_bytes(&processor, &checkpoint->config, &options, &s, list, N),
                 before = peak_bytes();
    OK(pl_trainable_create(&trainable, &processor, checkpoint, &options));
    pl_checkpoint_close(checkpoint);
    if (h->again) {
        pl_train_settings small = s;
        small.train_batch_size = small.max_steps = 1;
        OK(pl_train_create(&train, trainable, &small, list, N, "", NULL));
        OK(pl_train_run(train, &no_callbacks, &finished));
        pl_train_free(train);
    }
    OK(pl_train_create(&train, trainable, &s, list, N, "", NULL));
    const double said = (double)pl_train_peak_bytes(train);
    OK(pl_train_run(train, &no_callbacks, &finished));
    const double used = peak_bytes(), own = used - before;
    print_message("%s: said %.0f MB, used %.0f MB; planned %.0f MB, used %.0f MB of its own\n", h->name, said * 1e-6,
                  used * 1e-6, planned * 1e-6, own * 1e-6);
    pl_train_free(train);
    pl_trainable_free(trainable);
    pl_processor_close(&processor);
    free(ids);
    return fabs(said / used - 1) <= TENTH && fabs(planned / own - 1) <= TENTH;
}

static void test_peak(void **state)
{
    (void)state;
    char folder[PL_PATH_MAX], path[PL_PATH_MAX];
    make_folder(folder);
    OK(pl_path(path, "%s/config.json", folder));
    OK(pl_file_replace(path, config, sizeof config - 1));
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            bool good = is_true(&shapes[i], folder);
            fflush(stdout);
            _exit(good ? 0 : 1);
        }
        int status;
        assert_true(waitpid(child, &status, 0) == child);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    remove_folder(folder);
}

/* Without a model: the parameters and at least their four buffers, and on top of them what every part of a run takes.
 */
static void test_plan(void **state)
{
    (void)state;
    examples e;
    subject s;
    pl_checkpoint *checkpoint;
    size_t parameters;
    open_examples(&e, false);
    open_subject(&s, "llama-grouped", "lm");
    OK(pl_checkpoint_open(&checkpoint, s.folder));
    const pl_config *config = &checkpoint->config;
    const pl_trainable_options options = {0};
    pl_train_settings settings = pl_train_defaults();
    const size_t model = pl_trainable_bytes(&s.processor, config, &options, &parameters);
    assert_int_equal(parameters, checkpoint->n_parameters);
    assert_true(model >= 4 * masters_bytes(&s));
    const size_t one = pl_train_plan_bytes(&s.processor, config, &options, &settings, e.list, N_EXAMPLES);
    pl__capacity capacity;
    OK(pl__capacity_run(&capacity, &settings, e.list, N_EXAMPLES));
    const size_t tape = pl_tape_bytes(&s.processor, config, PL_F32, capacity.tokens, capacity.rows, false),
                 batch = pl__batch_bytes(&s.processor, config, PL_F32, capacity);
    assert_int_equal(one, model + tape + batch);
    settings.lanes = 8; /* a lane's gradient more, and one example at a time */
    OK(pl__capacity_run(&capacity, &settings, e.list, N_EXAMPLES));
    const size_t lane = pl_train_plan_bytes(&s.processor, config, &options, &settings, e.list, N_EXAMPLES);
    assert_int_equal(lane, model + masters_bytes(&s) +
                               pl_tape_bytes(&s.processor, config, PL_F32, capacity.tokens, capacity.rows, false) +
                               pl__batch_bytes(&s.processor, config, PL_F32, capacity));
    /* What no memory holds is said so. */
    assert_true(pl_tape_bytes(&s.processor, config, PL_F32, SIZE_MAX / 4, 1, false) == SIZE_MAX);
    pl_checkpoint_close(checkpoint);
    close_subject(&s);
    close_examples(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_plan), cmocka_unit_test(test_peak)};
    /* A sanitizer has memory of its own. */
    return _cmocka_run_group_tests("memory", tests, SMALL ? 1 : 2, NULL, NULL);
}
