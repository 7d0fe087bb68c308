/* Buckets and recorded passes, on a device that runs late (lazy_device.h): the same bits as the CPU's direct steps,
 * with recordings on and off, over many calls on one engine; few recordings serve many steps; the cache forgets. */
#include "engine/lazy_device.h"
#include "engine/questions.h"
#include "engine/same_results.h"
#include "engine/workspace.h"

static const model_shape shape = {"llama", 32, 4, 2, 48, 3, 77, 141, 0};

typedef struct fixture {
    random_model plain, lazy; /* runs directly; records */
    questions q;
} fixture;

/* The emulator, and sanitizers, do a fraction. */
static size_t n_questions(void)
{
    return small_sizes() ? 5 : QUESTIONS;
}

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    char folder[PL_PATH_MAX];
    write_model(folder, &shape);
    open_folder(&f->plain, folder, 1);
    open_recording(&f->lazy, folder, PL_F32);
    remove_folder(folder);
    ask(&f->q, n_questions(), shape.positions - 4, shape.V, 7);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    close_model(&f->plain);
    close_model(&f->lazy);
    free(f);
    return 0;
}

static pl_engine *engine_of(random_model *m, pl_engine_options options)
{
    pl_engine *engine;
    OK(pl_engine_create(&engine, m->model, &options));
    return engine;
}

static pl_engine *direct_engine_of(random_model *m, pl_engine_options options)
{
    setenv("PLUMB_GRAPHS", "off", 1);
    pl_engine *engine = engine_of(m, options);
    unsetenv("PLUMB_GRAPHS");
    return engine;
}

static void a_misspelt_switch_is_refused(void **state)
{
    (void)state;
    const model_shape shape = {"gpt2", 24, 3, 3, 96, 1, 61, 64, 0};
    char folder[PL_PATH_MAX];
    random_model m;
    pl_engine *engine;
    write_model(folder, &shape);
    open_folder(&m, folder, 1);
    setenv("PLUMB_GRAPHS", "of", 1);
    REFUSED(pl_engine_create(&engine, m.model, NULL), PL_E_USAGE, "PLUMB_GRAPHS is 'of': expected on or off");
    assert_null(engine);
    setenv("PLUMB_GRAPHS", "on", 1);
    OK(pl_engine_create(&engine, m.model, NULL));
    pl_engine_free(engine);
    unsetenv("PLUMB_GRAPHS");
    close_model(&m);
    remove_folder(folder);
}

static void buckets_hold_and_are_few(void **state)
{
    (void)state;
    size_t n_buckets = 0;
    for (size_t n = 1, last = 0; n <= 8192; n++) {
        size_t bucket = pl__bucket(n, 8192);
        assert_true(bucket >= n && bucket >= last && bucket <= 8192);
        assert_true(n <= 16 || bucket < 2 * n);
        assert_int_equal(pl__bucket(bucket, 8192), bucket);
        n_buckets += bucket != last;
        last = bucket;
    }
    assert_int_equal(n_buckets, 13); /* 16 .. 1024 by two, 1536, 2048, 3072, 4096, 6144, 8192 */
    assert_int_equal(pl__bucket(33, 50), 50);
    assert_int_equal(pl__bucket(3, 5), 5);
}

static void late_steps_give_the_same_bits(void **state)
{
    fixture *f = *state;
    const size_t layers[] = {0, 1, 3, 4};
    const pl_capture captures[] = {
        {4, layers, PL_POSITION_LAST | PL_POSITION_LABEL | PL_POSITION_MEAN | PL_POSITION_ALL | PL_POSITION_SUFFIX,
         true, false, NULL},
        {2, layers + 1, PL_POSITION_MEAN, false, false, NULL},
        {0, NULL, 0, false, true, NULL},
        {1, layers, PL_POSITION_LABEL, false, false, NULL},
    };
    const pl_engine_options options[] = {{.batch_tokens = 40},
                                         {.batch_tokens = 100, .shuffle_seed = 3},
                                         {.batch_tokens = 77, .no_sharing = true},
                                         {.batch_tokens = 33, .kv_tokens = 160},
                                         {0}};
    for (size_t o = 0; o < sizeof options / sizeof *options; o++) {
        if (small_sizes() && o % 2 == 0) continue;
        pl_engine *direct = direct_engine_of(&f->plain, options[o]), *late = engine_of(&f->lazy, options[o]),
                  *off = direct_engine_of(&f->lazy, options[o]);
        for (size_t i = 0; i < (small_sizes() ? 8 : 12); i++) {
            const pl_capture *capture = &captures[i % 4];
            size_t n = i < 8 ? f->q.n : f->q.n / 2; /* a smaller call in between */
            pl_results *a, *b, *c;
            OK(pl_engine_score(direct, f->q.requests, n, capture, NULL, &a));
            OK(pl_engine_score(late, f->q.requests, n, capture, NULL, &b));
            OK(pl_engine_score(off, f->q.requests, n, capture, NULL, &c));
            size_t rows = capture->logits_last ? n : capture->logits_all ? a->n_all : 0;
            same_all(a, b, rows, "recorded");
            same_all(a, c, rows, "recordings off");
            pl_results_free(a);
            pl_results_free(b);
            pl_results_free(c);
        }
        assert_int_equal(direct->graphs.n_recorded, 0);
        assert_int_equal(off->graphs.n_recorded, 0);
        assert_true(late->graphs.n_recorded > 0);
        pl_engine_free(direct);
        pl_engine_free(late);
        pl_engine_free(off);
    }
}

static void few_recordings_serve_many_steps(void **state)
{
    fixture *f = *state;
    pl_engine *engine = engine_of(&f->lazy, (pl_engine_options){.batch_tokens = 32});
    size_t steps = 0;
    for (size_t i = 0; i < (small_sizes() ? 2 : 4); i++) {
        pl_results *results;
        OK(pl_engine_score(engine, f->q.requests, f->q.n, NULL, NULL, &results));
        steps += results->n_batches;
        pl_results_free(results);
    }
    if (!small_sizes() && engine->graphs.n_replayed * 2 < steps)
        fail_msg("%zu steps: %zu recorded, %zu replayed", steps, engine->graphs.n_recorded, engine->graphs.n_replayed);
    pl_engine_free(engine);
}

static void the_least_recently_used_goes(void **state)
{
    fixture *f = *state;
    if (small_sizes()) skip(); /* hundreds of calls */
    pl_engine *direct = direct_engine_of(&f->plain, (pl_engine_options){0}),
              *engine = engine_of(&f->lazy, (pl_engine_options){0});
    size_t recorded = 0;
    for (size_t round = 0; round < 2; round++)
        for (size_t set = 1; set < 32; set++)
            for (size_t position = 1; position <= 4; position *= 2)
                for (size_t again = 0; again < 2 + round; again++) {
                    size_t layers[5], n = 0;
                    for (size_t l = 0; l < 5; l++)
                        if (set >> l & 1) layers[n++] = l;
                    const pl_capture capture = {.n_layers = n, .layers = layers, .positions = (unsigned)position};
                    pl_results *a, *b;
                    OK(pl_engine_score(direct, f->q.requests + 1, 1, &capture, NULL, &a));
                    OK(pl_engine_score(engine, f->q.requests + 1, 1, &capture, NULL, &b));
                    same_all(a, b, 0, "recorded");
                    pl_results_free(a);
                    pl_results_free(b);
                    recorded = engine->graphs.n_recorded;
                }
    assert_true(recorded > PL_GRAPHS); /* 93 kinds of pass, each round anew */
    assert_true(engine->graphs.n_replayed > 0);
    pl_engine_free(direct);
    pl_engine_free(engine);
}

static void generations_are_the_same(void **state)
{
    fixture *f = *state;
    pl_engine *direct = direct_engine_of(&f->plain, (pl_engine_options){.batch_tokens = 50}),
              *late = engine_of(&f->lazy, (pl_engine_options){.batch_tokens = 50});
    pl_generation *a, *b;
    OK(pl_engine_generate(direct, NULL, f->q.requests, f->q.n, small_sizes() ? 6 : 20, NULL, 0, NULL, 0, NULL, &a));
    OK(pl_engine_generate(late, NULL, f->q.requests, f->q.n, small_sizes() ? 6 : 20, NULL, 0, NULL, 0, NULL, &b));
    for (size_t i = 0; i < f->q.n; i++) {
        assert_int_equal(a[i].ids.n, b[i].ids.n);
        assert_memory_equal(a[i].ids.data, b[i].ids.data, a[i].ids.n * sizeof *a[i].ids.data);
    }
    assert_true(late->graphs.n_replayed > 0);
    pl_generations_free(a, f->q.n);
    pl_generations_free(b, f->q.n);
    pl_engine_free(direct);
    pl_engine_free(late);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_misspelt_switch_is_refused),  cmocka_unit_test(buckets_hold_and_are_few),
        cmocka_unit_test(late_steps_give_the_same_bits), cmocka_unit_test(few_recordings_serve_many_steps),
        cmocka_unit_test(the_least_recently_used_goes),  cmocka_unit_test(generations_are_the_same),
    };
    int missing = device_missing();
    if (missing) return missing;
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
