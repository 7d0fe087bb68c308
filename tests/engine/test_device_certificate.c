/* The certificate of a device (engine/certificate.h): passed by the CPU and by a device that runs late; a device whose
 * products depend on the number of rows is caught, with what to do. */
#include "engine/certificate.h"

#include "engine/lazy_device.h"

static const model_shape shapes[] = {{"gpt2", 24, 3, 3, 96, 3, 61, 150, 0}, {"llama", 32, 4, 2, 48, 1, 77, 9, 0}};

static pl_status (*honest_linear)(pl_stream *stream, const pl_linear_args *args);

/* Another sum where there are many rows: one bit of one weighty number. */
static pl_status fickle_linear(pl_stream *stream, const pl_linear_args *args)
{
    PL_TRY(honest_linear(stream, args));
    if (args->accumulate || args->y.rows < 128) return PL_OK;
    PL_TRY(pl_backend_cpu.stream_wait(stream));
    float x;
    pl_view one = pl_view_columns(pl_view_rows(args->y, 5, 1), 3, 1);
    PL_TRY(pl_backend_cpu.unchecked.download(stream, &x, one));
    x *= 1 + 0x1p-22f;
    return pl_backend_cpu.unchecked.upload(stream, one, &x);
}

static void certify(bool fickle, bool late, const model_shape *shape)
{
    static pl_backend backend;
    char folder[PL_PATH_MAX];
    random_model m;
    write_model(folder, shape);
    if (late)
        open_lazy(&m, folder);
    else
        open_folder(&m, folder, 1);
    remove_folder(folder);
    if (fickle) {
        backend = pl_backend_cpu;
        honest_linear = backend.unchecked.linear;
        backend.unchecked.linear = fickle_linear;
        ((pl_processor *)(uintptr_t)pl_model_processor(m.model))->ops = &backend;
    }
    pl_certificate certificate = {0};
    pl_status status = pl_certify(&certificate, m.model);
    if (fickle) {
        assert_int_equal(status, PL_E_DEVICE);
        assert_non_null(strstr(pl_error_text(), "PLUMB_CUDA_PRODUCT=own"));
    } else {
        OK(status);
        assert_int_equal(certificate.n_paths, 24);
        assert_true(certificate.n_tokens >= 24);
    }
    close_model(&m);
}

static void honest_devices_pass(void **state)
{
    (void)state;
    for (size_t s = on_emulator(); s < 2; s++) { /* there the small one only */
        certify(false, false, &shapes[s]);
        if (!on_cuda()) certify(false, true, &shapes[s]);
    }
}

/* Its labels alone have logits. */
static void a_classifier_passes(void **state)
{
    (void)state;
    random_model m;
    pl_certificate certificate = {0};
    open_folder(&m, PLUMB_SOURCE_DIR "/tests/golden/train/llama-grouped-classifier", 1);
    OK(pl_certify(&certificate, m.model));
    assert_int_equal(certificate.n_paths, 24);
    close_model(&m);
}

static void a_fickle_product_is_caught(void **state)
{
    (void)state;
    if (on_cuda()) skip(); /* its product is the CPU's */
    certify(true, false, &shapes[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(honest_devices_pass), cmocka_unit_test(a_classifier_passes),
                                       cmocka_unit_test(a_fickle_product_is_caught)};
    int missing = device_missing();
    if (missing) return missing;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
