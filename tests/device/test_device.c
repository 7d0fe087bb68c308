/* Opening devices by name, thread counts, buffers, transfers and what a lacking op says. Transfers on every device. */
#include "world.h"

static void test_names(void **state)
{
    (void)state;
    pl_processor processor;
    setenv("PLUMB_CUDA_PLUGIN", "/nowhere", 1); /* also where there is a GPU */
    assert_int_equal(pl_processor_open(&processor, "cuda:0", 1), PL_E_UNSUPPORTED);
    assert_non_null(strstr(pl_error_text(), "--device cpu"));
    assert_null(processor.device);
    assert_int_equal(pl_processor_open(&processor, "tpu", 1), PL_E_USAGE);
    pl_processor_close(&processor);
    must(pl_processor_open(&processor, "auto", 1));
    pl_device_facts facts;
    must(processor.ops->facts(processor.device, &facts));
    assert_string_equal(facts.device_class, "cpu");
    assert_string_equal(facts.products, "plumb");
    assert_true(pl_backend_cpu.exact && pl_backend_cpu.shares_memory);
    assert_int_equal(facts.n_threads, 1);
    assert_true(facts.memory_bytes >= facts.free_bytes && facts.free_bytes > 0);
    assert_non_null(strstr(facts.name, "1 thread of "));
    pl_processor_close(&processor);
    pl_processor_close(&processor); /* takes {0} */
}

static int threads_of(const char *omp, const char *slurm, int asked)
{
    pl_processor processor;
    pl_device_facts facts;
    if (omp)
        setenv("OMP_NUM_THREADS", omp, 1);
    else
        unsetenv("OMP_NUM_THREADS");
    if (slurm)
        setenv("SLURM_CPUS_PER_TASK", slurm, 1);
    else
        unsetenv("SLURM_CPUS_PER_TASK");
    int n = -1;
    if (pl_processor_open(&processor, "cpu", asked) == PL_OK) {
        must(processor.ops->facts(processor.device, &facts));
        n = facts.n_threads;
        pl_processor_close(&processor);
    }
    unsetenv("OMP_NUM_THREADS");
    unsetenv("SLURM_CPUS_PER_TASK");
    return n;
}

static void test_threads(void **state)
{
    (void)state;
    assert_int_equal(threads_of("3", "5", 2), 2);
    assert_int_equal(threads_of("3", "5", 0), 3);
    assert_int_equal(threads_of("4,2", NULL, 0), 4);
    assert_int_equal(threads_of(NULL, "5", 0), 5);
    assert_in_range(threads_of(NULL, NULL, 0), 1, 1024);
    const char *wrong[] = {"0", "-1", "many", "3x", "1025", "99999999999999999999"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) assert_int_equal(threads_of(wrong[i], NULL, 0), -1);
    assert_int_equal(threads_of(NULL, NULL, 1025), -1);
    assert_int_equal(threads_of(NULL, NULL, -1), -1);
    assert_non_null(strstr(pl_error_text(), "1024"));
}

static void test_variants(void **state)
{
    (void)state;
    pl_processor processor;
    pl_device_facts facts;
    setenv("PLUMB_CPU", "portable", 1);
    must(pl_processor_open(&processor, "cpu", 1));
    must(processor.ops->facts(processor.device, &facts));
    assert_non_null(strstr(facts.name, "(portable)"));
    pl_processor_close(&processor);
    setenv("PLUMB_CPU", "vax", 1);
    assert_int_equal(pl_processor_open(&processor, "cpu", 1), PL_E_UNSUPPORTED);
    assert_non_null(strstr(pl_error_text(), "portable"));
    unsetenv("PLUMB_CPU");
}

/* The numerics key tells bfloat16 products, and who makes them, from float32 ones. */
static void test_products(void **state)
{
    (void)state;
    if (on_cuda() || !cpu_has_bf16()) return;
    for (int amx = 0; amx < 2; amx++) {
        pl_device_facts facts;
        if (!amx) setenv("PLUMB_CPU", "avx512", 1);
        world w = world_open(1);
        pl_weight *weight;
        const pl_backend *ops = w.processor.ops;
        must(ops->weight_create(w.processor.device, &weight, 3, 5, PL_BF16));
        assert_int_equal(ops->weight_shape(weight).compute, PL_BF16);
        must(ops->facts(w.processor.device, &facts));
        if (!amx) assert_string_equal(facts.products, "plumb avx512-bf16");
        if (amx) assert_true(strncmp(facts.products, "plumb a", 7) == 0 && strstr(facts.products, "-bf16"));
        assert_non_null(strstr(facts.makers, "bfloat16"));
        ops->weight_free(weight);
        must(ops->facts(w.processor.device, &facts));
        assert_string_equal(facts.products, "plumb");
        world_close(&w);
        unsetenv("PLUMB_CPU");
    }
    if (cpu_has(PL_BF16X3)) {
        pl_device_facts facts;
        world w = world_open(1);
        pl_weight *split, *half;
        const pl_backend *ops = w.processor.ops;
        must(ops->weight_create(w.processor.device, &split, 3, 5, PL_BF16X3));
        assert_int_equal(ops->weight_shape(split).compute, PL_BF16X3);
        must(ops->facts(w.processor.device, &facts));
        assert_string_equal(facts.products, "plumb amx-bf16x3");
        assert_non_null(strstr(facts.makers, "in bfloat16 in three parts by amx-bf16x3"));
        must(ops->weight_create(w.processor.device, &half, 3, 5, PL_BF16));
        must(ops->facts(w.processor.device, &facts));
        assert_string_equal(facts.products, "plumb amx-bf16 amx-bf16x3");
        ops->weight_free(split);
        must(ops->facts(w.processor.device, &facts));
        assert_string_equal(facts.products, "plumb amx-bf16");
        ops->weight_free(half);
        world_close(&w);
    }
    setenv("PLUMB_CPU", "portable", 1);
    world w = world_open(1);
    pl_weight *weight = NULL;
    assert_int_equal(w.processor.ops->weight_create(w.processor.device, &weight, 3, 5, PL_BF16X3), PL_E_UNSUPPORTED);
    assert_string_equal(pl_error_text(),
                        "bf16x3 needs a CPU with AMX, this one computes with portable: choose dtype float32");
    assert_int_equal(w.processor.ops->weight_create(w.processor.device, &weight, 3, 5, PL_BF16), PL_E_UNSUPPORTED);
    assert_non_null(strstr(pl_error_text(), "AVX-512-BF16 or AMX"));
    world_close(&w);
    unsetenv("PLUMB_CPU");
}

static void test_transfers(void **state)
{
    (void)state;
    world w = world_open(1);
    pl_view v;
    must(pl_view_create(&w.processor, &v, 5, 8, PL_F32));
    float data[6] = {1, 2, 3, 4, 5, 6}, back[40];
    must(pl_download(&w.processor, w.stream, back, v));
    settle(&w);
    for (size_t i = 0; i < 40; i++) assert_true(back[i] == 0.0f); /* buffers come zeroed */
    pl_view part = pl_view_columns(pl_view_rows(v, 1, 3), 2, 2);
    send(&w, part, data);
    must(pl_download(&w.processor, w.stream, back, v));
    settle(&w);
    for (size_t i = 0; i < 40; i++) {
        size_t r = i / 8, c = i % 8;
        assert_true(back[i] == (r >= 1 && r < 4 && c >= 2 && c < 4 ? data[(r - 1) * 2 + c - 2] : 0.0f));
    }
    must(pl_fill_zero(&w.processor, w.stream, part));
    must(pl_download(&w.processor, w.stream, back, v));
    settle(&w);
    for (size_t i = 0; i < 40; i++) assert_true(back[i] == 0.0f);
    assert_int_equal(pl_upload(&w.processor, w.stream, pl_view_rows(v, 3, 3), back), PL_E_INTERNAL);
    assert_non_null(strstr(pl_error_text(), "upload: to"));
    pl_view_free(&w.processor, &v);
    pl_view_free(&w.processor, &v); /* takes {0} */
    assert_int_equal(pl_view_create(&w.processor, &v, SIZE_MAX / 2, 3, PL_F32), PL_E_INPUT);
    assert_int_equal(pl_view_create(&w.processor, &v, SIZE_MAX / 16, 1, PL_F32), PL_E_MEMORY);
    must(pl_view_create(&w.processor, &v, 3000, 1000, PL_F32)); /* a mapped buffer */
    must(pl_fill_zero(&w.processor, w.stream, v));
    settle(&w);
    pl_view_free(&w.processor, &v);
    void *memory;
    must(w.processor.ops->host_memory_create(w.processor.device, &memory, 100));
    w.processor.ops->host_memory_free(w.processor.device, memory);
    pl_event *event;
    must(w.processor.ops->event_create(w.processor.device, &event));
    must(w.processor.ops->event_record(event, w.stream));
    must(w.processor.ops->event_wait(event, w.stream));
    must(w.processor.ops->stream_wait(w.stream));
    w.processor.ops->event_free(event);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transfers), /* on every device; the rest is about names and the CPU */
        cmocka_unit_test(test_names),     cmocka_unit_test(test_threads),
        cmocka_unit_test(test_variants),  cmocka_unit_test(test_products),
    };
    int missing = device_missing();
    if (missing) return missing;
    return _cmocka_run_group_tests("device", tests, on_cuda() ? 1 : sizeof tests / sizeof *tests, NULL, NULL);
}
