/* Captured layers by name, and states on their way into a unit file: what is kept, what is absent, what is counted. */
#include <math.h>

#include "base/temporary.h"
#include "experiment/finite.h"
#include "experiment/states.h"
#include "tests.h"

enum { L = 6, C = 2, N = 4 };

static void layers_have_names(void **state)
{
    (void)state;
    pl_arena *arena;
    size_t *layers, n;
    OK(pl_arena_create(&arena));
    const char *const mixed[] = {"last", "0", "final_norm", "half", "3", "0"};
    OK(pl_layers_resolve(&layers, &n, mixed, 6, L, "capture.layers", arena));
    const size_t expected[] = {0, 3, L, L + 1};
    assert_int_equal(n, 4);
    assert_memory_equal(layers, expected, sizeof expected);
    const char *const all[] = {"all"}, *const ends[] = {"default"};
    OK(pl_layers_resolve(&layers, &n, all, 1, L, "x", arena));
    assert_int_equal(n, L + 2);
    OK(pl_layers_resolve(&layers, &n, ends, 1, 1, "x", arena)); /* of one block: each once */
    assert_int_equal(n, 3);
    const char *const wrong[] = {"7", "-1", "", "1x", "Last", "18446744073709551616"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        REFUSED(pl_layers_resolve(&layers, &n, &wrong[i], 1, L, "capture.layers", arena), PL_E_INPUT,
                "capture.layers: expected a layer (0 to 6");
    pl_arena_free(arena);
}

/* Four items; item 1 has one token and so no mean, item 2 no gold label. */
static const pl_request requests[N] = {{.n = 3, .own_first = 1, .gold = 0},
                                       {.n = 1, .own_first = 0, .gold = 1},
                                       {.n = 5, .own_first = 0, .gold = SIZE_MAX},
                                       {.n = 5, .own_first = 2, .gold = 0}};

static pl_unit_writer *begin(const char *path)
{
    pl_unit_writer *w;
    pl_frame *obs;
    pl_column *index;
    OK(pl_unit_create(&w, path));
    OK(pl_frame_create(&obs, N));
    OK(pl_frame_add(obs, &index, "_index", PL_COLUMN_TEXT));
    OK(pl_unit_put_obs(w, obs));
    pl_frame_free(obs);
    return w;
}

/* Absent rows are NaN and no fault; any other NaN is one. */
static void what_is_absent_is_not_counted(void **state)
{
    (void)state;
    char folder[PL_PATH_MAX], path[PL_PATH_MAX];
    make_folder(folder);
    OK(pl_path(path, "%s/states.h5", folder));
    const size_t layers[] = {3, L + 1};
    size_t widths[] = {C, C};
    for (int broken = 0; broken < 2; broken++) {
        float last[2][N * C] = {{1, 2, 3, 4, 5, 6, 7, 8}}, mean[2][N * C] = {{1, 2, NAN, NAN, 5, 6, 7, 8}},
                          label[2][N * C] = {{1, 2, 3, 4, NAN, NAN, 7, 8}};
        float *last_of[] = {last[0], last[1]}, *mean_of[] = {mean[0], mean[1]}, *label_of[] = {label[0], label[1]};
        for (size_t c = 0; c < C; c++) mean[1][C + c] = label[1][2 * C + c] = NAN;
        if (broken) mean[1][2 * C] = NAN; /* item 2 has a mean */
        if (broken) last[1][3 * C] = NAN; /* beyond what is kept */
        const pl_results results = {
            .n_requests = N, .n_layers = 2, .widths = widths, .last = last_of, .label = label_of, .mean = mean_of};
        pl_unit_writer *w = begin(path);
        pl_unit_losses losses;
        OK(pl_states_write(w, &results, requests, layers, L, 3, PL_F32, false));
        OK(pl_unit_count_losses(w, &losses));
        assert_int_equal(losses.n_not_finite, broken);
        assert_string_equal(losses.first, broken ? "mean.final_norm, row 2" : "");
        OK(pl_unit_put_config(w, "{}", NULL));
        OK(pl_unit_finish(w));
        pl_unit_reader *r;
        float *values;
        size_t rows, width;
        OK(pl_unit_open(&r, path));
        OK(pl_unit_get_states(r, "last.03", &values, &rows, &width));
        for (size_t i = 0; i < 3 * C; i++) assert_true(values[i] == (float)(i + 1));
        for (size_t c = 0; c < C; c++) assert_true(isnan(values[3 * C + c]));
        free(values);
        OK(pl_unit_get_states(r, "label.final_norm", &values, &rows, &width));
        free(values);
        pl_unit_close(r);
    }
    remove_folder(folder);
}

static void states_that_exist(void **state)
{
    (void)state;
    const bool mean[N] = {true, false, true, true}, label[N] = {true, true, false, true};
    for (size_t i = 0; i < N; i++) {
        assert_true(pl_state_exists(&requests[i], PL_POSITION_LAST));
        assert_int_equal(pl_state_exists(&requests[i], PL_POSITION_MEAN), mean[i]);
        assert_int_equal(pl_state_exists(&requests[i], PL_POSITION_LABEL), label[i]);
    }
}

/* Without `all` and logits nothing is streamed, and the writer is made when it is asked for. */
static void a_file_is_made_once(void **state)
{
    (void)state;
    char folder[PL_PATH_MAX], path[PL_PATH_MAX], part[PL_PATH_MAX];
    make_folder(folder);
    OK(pl_path(path, "%s/file.h5", folder));
    const size_t layers[] = {0};
    const pl_config config = {.L = L, .C = C, .E = C, .V = 5};
    pl_capture capture = {.n_layers = 1, .layers = layers, .positions = PL_POSITION_LAST};
    pl_states_file file;
    pl_unit_writer *w;
    OK(pl_states_file_open(&file, path, &capture, &config, N, PL_F32));
    assert_null(capture.sink);
    OK(pl_states_file_writer(&file, &w));
    pl_unit_discard(w);
    pl_states_file_close(&file);

    capture.positions = PL_POSITION_ALL;
    OK(pl_states_file_open(&file, path, &capture, &config, N, PL_BF16));
    assert_non_null(capture.sink);
    assert_int_equal(capture.sink->dtype, PL_BF16);
    OK(capture.sink->begin(capture.sink->context, 3));
    uint16_t rows[3 * C] = {0};
    OK(capture.sink->rows(capture.sink->context, 0, 1, 2, rows));
    pl_states_file_close(&file); /* nobody took it: nothing stays */
    OK(pl_file_temporary(part, path));
    assert_int_not_equal(access(part, F_OK), 0);
    remove_folder(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layers_have_names),
        cmocka_unit_test(states_that_exist),
        cmocka_unit_test(what_is_absent_is_not_counted),
        cmocka_unit_test(a_file_is_made_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
