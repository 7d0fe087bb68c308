/* Memory planned before the run: steps and pages shrink to what is free, results stay the same; what cannot fit is
 * refused in one line with its numbers. */
#include "engine/budget.h"
#include "engine/lazy_device.h"
#include "engine/questions.h"
#include "engine/same_results.h"

static const model_shape shape = {"llama", 64, 4, 2, 128, 4, 200, 150, 0};

typedef struct fixture {
    random_model lazy;
    pl_engine *engine;
    questions q;
} fixture;

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    char folder[PL_PATH_MAX];
    write_model(folder, &shape);
    open_lazy(&f->lazy, folder);
    remove_folder(folder);
    ask(&f->q, QUESTIONS, shape.positions - 4, shape.V, 3);
    OK(pl_engine_create(&f->engine, f->lazy.model, NULL));
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    pl_engine_free(f->engine);
    close_model(&f->lazy);
    free(f);
    return 0;
}

static size_t need(const fixture *f, const pl__memory *m, const pl__demand *d)
{
    const pl_config *c = f->engine->config;
    return d->state_bytes + pl_activations_bytes(f->lazy.model, m->n_rows, m->n_rows, d->logits) +
           m->n_rows * d->bytes_a_row + m->n_pages * f->lazy.processor.ops->kv_page_bytes(c->L, c->G, c->D, PL_F32);
}

static void everything_planned_fits(void **state)
{
    fixture *f = *state;
    const pl__demand demand = {.n_rows = 8192,
                               .state_rows = 100,
                               .state_bytes = 1 << 20,
                               .bytes_a_row = 3000,
                               .least_pages = 10,
                               .deepest_pages = 500,
                               .total_pages = 20000};
    pl__memory last = {0}, memory;
    size_t refused = 0;
    for (size_t mib = 256; mib >= 1; mib -= mib > 32 ? 8 : 1) {
        lazy_free_bytes = mib << 20;
        pl_status status = pl__memory_plan(&memory, f->engine, &demand);
        if (status != PL_OK) {
            assert_int_equal(status, PL_E_MEMORY);
            refused = mib;
            break;
        }
        assert_true(need(f, &memory, &demand) <= lazy_free_bytes);
        assert_true(memory.n_pages >= demand.least_pages && memory.n_rows <= demand.n_rows);
        if (last.n_rows) assert_true(memory.n_rows <= last.n_rows);
        /* Steps stay large while fewer pages will do. */
        if (memory.n_rows < 128) assert_true(memory.n_pages < demand.deepest_pages);
        last = memory;
    }
    assert_true(refused > 0);
    assert_true(last.n_rows < 128 && last.tight);
    lazy_free_bytes = (size_t)1 << 34;
    OK(pl__memory_plan(&memory, f->engine, &demand));
    assert_int_equal(memory.n_rows, 8192);
    assert_false(memory.tight);
}

static void a_full_device_is_told_with_numbers(void **state)
{
    fixture *f = *state;
    const pl__demand demand = {
        .n_rows = 64, .state_rows = 1000, .state_bytes = (size_t)7 << 20, .least_pages = 3, .total_pages = 3};
    pl__memory memory;
    lazy_free_bytes = (size_t)5 << 20;
    assert_int_equal(pl__memory_plan(&memory, f->engine, &demand), PL_E_MEMORY);
    const char *parts[] = {"captured states of 1000 rows need 7 MiB", "steps of 16 tokens", "(96 tokens)",
                           "4 MiB are free beside the weights",       "a lazy device",      "fewer layers"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (!strstr(pl_error_text(), parts[i])) fail_msg("'%s' lacks '%s'", pl_error_text(), parts[i]);
    lazy_free_bytes = (size_t)1 << 34;
}

/* A device that fills up between calls: the engine gives back what it kept, and the results stay. */
static void little_memory_changes_no_bit(void **state)
{
    fixture *f = *state;
    const size_t layers[] = {0, 2, 5};
    const pl_capture capture = {.n_layers = 3, .layers = layers, .positions = PL_POSITION_LAST | PL_POSITION_MEAN};
    pl_results *roomy, *close_;
    lazy_free_bytes = (size_t)1 << 34;
    OK(pl_engine_score(f->engine, f->q.requests, f->q.n, &capture, NULL, &roomy));
    assert_true(f->engine->n_rows >= 256);
    size_t rows = f->engine->n_rows, pages = f->engine->pages.n_pages;
    /* Free, beside what the engine holds and may give back. */
    lazy_free_bytes = 0;
    OK(pl_engine_score(f->engine, f->q.requests, f->q.n, &capture, NULL, &close_));
    assert_true(f->engine->n_rows < rows || f->engine->pages.n_pages < pages);
    same_all(roomy, close_, 0, "close");
    lazy_free_bytes = (size_t)1 << 34;
    pl_results_free(close_);
    OK(pl_engine_score(f->engine, f->q.requests, f->q.n, &capture, NULL, &close_));
    same_all(roomy, close_, 0, "roomy again");
    pl_results_free(close_);
    pl_results_free(roomy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_planned_fits),
        cmocka_unit_test(a_full_device_is_told_with_numbers),
        cmocka_unit_test(little_memory_changes_no_bit),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
