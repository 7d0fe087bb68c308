/* Matrices that threads fill piece by piece: the file has the bytes of one that was put whole, whatever the order and
 * the threads; what does not fit is counted; a missing row or a row outside is refused. */
#include <pthread.h>

#include "base/half.h"
#include "store/fixture.h"

enum { N = 3001, W = 17, THREADS = 4, STEP = 13 };

static char folder[PL_PATH_MAX];

static int set_up(void **state)
{
    (void)state;
    make_folder(folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    remove_folder(folder);
    return 0;
}

/* A few values are beyond float16, and two beyond bfloat16. */
static float *make_values(bool wild)
{
    float *values = malloc(N * W * sizeof *values);
    for (size_t i = 0; i < N * W; i++) values[i] = sample_value(i);
    if (!wild) return values;
    for (size_t i = 5; i < N * W; i += 4999) values[i] = i % 2 ? 1e6f : -65520.0f;
    values[7] = -INFINITY;
    values[20] = 3.4e38f;
    return values;
}

/* As a device gives them: infinite where they do not fit. */
static void *as_device(const float *values, pl_dtype storage)
{
    if (storage == PL_F32) {
        float *copy = malloc(N * W * sizeof *copy);
        memcpy(copy, values, N * W * sizeof *copy);
        return copy;
    }
    uint16_t *halves = malloc(N * W * sizeof *halves);
    const float limit = storage == PL_F16 ? 65520.0f : 3.39617752923046e38f;
    if (storage == PL_F16)
        pl_f16_from_f32(halves, values, N * W);
    else
        pl_bf16_from_f32(halves, values, N * W);
    for (size_t i = 0; i < N * W; i++)
        if (fabsf(values[i]) >= limit) halves[i]++;
    return halves;
}

static pl_unit_writer *begin(char path[PL_PATH_MAX], const char *name)
{
    pl_unit_writer *w;
    pl_frame *obs = NULL;
    OK(pl_path(path, "%s/%s", folder, name));
    OK(pl_unit_create(&w, path));
    OK(sample_obs(&obs));
    OK(pl_unit_put_obs(w, obs));
    pl_frame_free(obs);
    return w;
}

static void end(pl_unit_writer *w)
{
    OK(pl_unit_put_ranges(w, sample_ranges_indptr, ROWS, sample_ranges, 8));
    OK(pl_unit_put_config(w, "{}", NULL));
    OK(pl_unit_finish(w));
}

typedef struct share {
    pl_slab *slab;
    char *data;
    size_t row_bytes, first;
    pl_status status;
} share;

/* Every THREADS-th piece, from the end. */
static void *fill(void *argument)
{
    share *s = argument;
    for (size_t row = N; row > 0 && s->status == PL_OK;) {
        size_t n = row % STEP ? row % STEP : STEP;
        row -= n;
        if (row / STEP % THREADS == s->first) s->status = pl_slab_write(s->slab, row, n, s->data + row * s->row_bytes);
    }
    return NULL;
}

static void same_files(const char *a, const char *b)
{
    pl_bytes x = {0}, y = {0};
    OK(pl_file_read(&x, a, SIZE_MAX / 2));
    OK(pl_file_read(&y, b, SIZE_MAX / 2));
    assert_int_equal(x.size, y.size);
    assert_memory_equal(x.data, y.data, x.size);
    pl_bytes_free(&x);
    pl_bytes_free(&y);
}

/* Writes a matrix in pieces by threads, or by one call. */
static void put(pl_slab *slab, const float *values, pl_dtype storage, bool whole)
{
    char *data = as_device(values, storage);
    pthread_t threads[THREADS];
    share shares[THREADS];
    if (whole) OK(pl_slab_write(slab, 0, N, data));
    for (size_t t = 0; t < THREADS && !whole; t++) {
        shares[t] = (share){slab, data, W * pl_dtype_bytes(storage), t, PL_OK};
        assert_int_equal(pthread_create(&threads[t], NULL, fill, &shares[t]), 0);
    }
    for (size_t t = 0; t < THREADS && !whole; t++) {
        pthread_join(threads[t], NULL);
        assert_int_equal(shares[t].status, PL_OK);
    }
    free(data);
}

/* The largest finite value of the type where a value is beyond it, the nearest one elsewhere. */
static void holds(const char *path, const char *layer, const float *values, pl_dtype storage)
{
    pl_unit_reader *r;
    float *found, *expected = malloc(N * W * sizeof *expected);
    uint16_t *halves = malloc(N * W * sizeof *halves);
    size_t rows, width;
    memcpy(expected, values, N * W * sizeof *expected);
    if (storage == PL_F16) pl_f16_from_f32(halves, values, N * W), pl_f32_from_f16(expected, halves, N * W);
    if (storage == PL_BF16) pl_bf16_from_f32(halves, values, N * W), pl_f32_from_bf16(expected, halves, N * W);
    OK(pl_unit_open(&r, path));
    OK(pl_unit_get_states_all(r, layer, &found, &rows, &width));
    assert_true(rows == N && width == W);
    assert_memory_equal(found, expected, N * W * sizeof *found);
    pl_unit_close(r);
    free(found);
    free(expected);
    free(halves);
}

static void filled_by_threads_is_put_whole(void **state)
{
    (void)state;
    const pl_dtype storages[] = {PL_F32, PL_F16, PL_BF16};
    for (int wild = 0; wild < 2; wild++)
        for (size_t s = 0; s < 3; s++) {
            char paths[2][PL_PATH_MAX];
            float *values = make_values(wild);
            for (size_t whole = 0; whole < 2; whole++) {
                pl_unit_writer *w = begin(paths[whole], whole ? "whole.h5" : "pieces.h5");
                pl_slab *slabs[2];
                OK(pl_unit_reserve_states_all(w, "00", N, W, storages[s], &slabs[0]));
                OK(pl_unit_reserve_states_all(w, "01", N, W, storages[s], &slabs[1]));
                for (size_t i = 0; i < 2; i++) put(slabs[i], values, storages[s], whole);
                end(w);
                holds(paths[whole], "00", values, storages[s]);
                holds(paths[whole], "01", values, storages[s]);
            }
            same_files(paths[0], paths[1]);
            free(values);
        }
}

static void what_is_wrong_is_refused(void **state)
{
    (void)state;
    char path[PL_PATH_MAX], part[PL_PATH_MAX];
    float row[W] = {0};
    pl_slab *slab, *empty;
    pl_unit_writer *w = begin(path, "wrong.h5");
    OK(pl_unit_reserve_logits(w, 3, W, &slab));
    OK(pl_unit_reserve_states_all(w, "00", 0, W, PL_F16, &empty));
    assert_int_equal(pl_slab_write(slab, 3, 1, row), PL_E_INTERNAL);
    assert_int_equal(pl_slab_write(slab, SIZE_MAX, 2, row), PL_E_INTERNAL);
    OK(pl_slab_write(slab, 2, 1, row));
    OK(pl_unit_put_config(w, "{}", NULL));
    assert_int_equal(pl_unit_finish(w), PL_E_INTERNAL);
    assert_non_null(strstr(pl_error_text(), "'logits': 1 of 3 rows were written"));
    assert_int_not_equal(access(path, F_OK), 0);
    OK(pl_file_temporary(part, path));
    assert_int_not_equal(access(part, F_OK), 0);
    w = begin(path, "dropped.h5");
    OK(pl_unit_reserve_logits(w, 3, W, &slab));
    OK(pl_slab_write(slab, 0, 1, row));
    pl_unit_discard(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(filled_by_threads_is_put_whole),
                                       cmocka_unit_test(what_is_wrong_is_refused)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
