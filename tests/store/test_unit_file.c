/* Unit files: everything that is put comes back, equal content gives equal bytes (also from another process with other
 * garbage in its memory), and what is wrong to put is refused. Stock tools (h5ls) read the result. */
#include <sys/wait.h>

#include <float.h>

#include "store/fixture.h"

static char folder[PL_PATH_MAX];

static void in_folder(char path[PL_PATH_MAX], const char *name)
{
    OK(pl_path(path, "%s/%s", folder, name));
}

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

static pl_unit_reader *open_sample(void)
{
    char path[PL_PATH_MAX];
    in_folder(path, "sample.h5");
    OK(write_sample(path));
    pl_unit_reader *r;
    OK(pl_unit_open(&r, path));
    return r;
}

static void same_text(const char *a, const char *b)
{
    assert_true(!a == !b);
    if (a) assert_string_equal(a, b);
}

static void obs_come_back(void **state)
{
    (void)state;
    pl_unit_reader *r = open_sample();
    pl_frame *put, *got;
    OK(sample_obs(&put));
    OK(get_obs(r, &got));
    assert_int_equal(got->n_rows, ROWS);
    assert_int_equal(got->n_columns, put->n_columns);
    for (size_t c = 0; c < put->n_columns; c++) {
        const pl_column *a = &put->columns[c], *b = pl_frame_column(got, a->name);
        assert_non_null(b);
        assert_int_equal(a->kind, b->kind);
        for (size_t i = 0; i < ROWS; i++) switch (a->kind) {
            case PL_COLUMN_TEXT: /* a missing text is stored as "" */
                same_text(a->values.text[i] ? a->values.text[i] : "", b->values.text[i]);
                break;
            case PL_COLUMN_CATEGORY:
                same_text(a->values.text[i], b->values.text[i]);
                break;
            case PL_COLUMN_INTEGER:
                assert_true(a->values.integer[i] == b->values.integer[i]);
                break;
            case PL_COLUMN_REAL:
                assert_memory_equal(&a->values.real[i], &b->values.real[i], sizeof(double));
                break;
            case PL_COLUMN_BOOL:
                assert_int_equal(a->values.boolean[i], b->values.boolean[i]);
                break;
            }
    }
    pl_frame_free(put);
    pl_frame_free(got);
    pl_unit_close(r);
}

static void expect_not_finite(const pl_unit_reader *r, size_t n, const char *first)
{
    json_t *value;
    OK(pl_unit_get_attribute(r, "not_finite", &value));
    assert_int_equal(json_integer_value(value), n);
    json_decref(value);
    if (n == 0) {
        assert_int_equal(pl_unit_get_attribute(r, "not_finite_first", &value), PL_E_INPUT);
        return;
    }
    OK(pl_unit_get_attribute(r, "not_finite_first", &value));
    assert_string_equal(json_string_value(value), first);
    json_decref(value);
}

static void states_come_back(void **state)
{
    (void)state;
    pl_unit_reader *r = open_sample();
    pl_arena *arena;
    OK(pl_arena_create(&arena));
    const char **names;
    size_t n, rows, width;
    OK(pl_unit_list_states(r, arena, &names, &n));
    assert_int_equal(n, 3);
    assert_string_equal(names[0], "last.05");
    assert_string_equal(names[1], "last.final_norm");
    assert_string_equal(names[2], "mean.00");

    float *values;
    OK(pl_unit_get_states(r, "last.05", &values, &rows, &width));
    assert_int_equal(rows, ROWS);
    assert_int_equal(width, WIDTH);
    for (size_t i = 0; i < ROWS * WIDTH; i++) assert_true(values[i] == sample_value(i));
    free(values);
    OK(pl_unit_get_states(r, "last.final_norm", &values, &rows, &width));
    const float expected[] = {1.0f, 65504.0f, -65504.0f, NAN, 0.0f, 65504.0f, 65504.0f, 65504.0f};
    for (size_t i = 0; i < 8; i++) assert_true(values[i] == expected[i] || (isnan(values[i]) && isnan(expected[i])));
    free(values);
    /* bfloat16 has 7 bits of mantissa: half an ulp is at most 2^-8 of the value. */
    OK(pl_unit_get_states(r, "mean.00", &values, &rows, &width));
    bool exact = true;
    for (size_t i = 0; i < ROWS * WIDTH; i++) {
        assert_true(fabsf(values[i] - sample_value(i)) <= fabsf(sample_value(i)) / 256);
        exact = exact && values[i] == sample_value(i);
    }
    assert_false(exact);
    free(values);
    assert_int_equal(pl_unit_get_states(r, "last.77", &values, &rows, &width), PL_E_INPUT);
    assert_null(values);
    assert_int_equal(pl_unit_get_states(r, "../uns/plumb/logits", &values, &rows, &width), PL_E_INPUT);
    /* 70000, -infinity and 65520 do not fit float16; bfloat16 lost none. */
    json_t *over;
    OK(pl_unit_get_attribute(r, "out_of_range", &over));
    assert_int_equal(json_integer_value(over), 3);
    json_decref(over);
    /* The NaN beside them; in a half type the infinity is not counted twice. */
    expect_not_finite(r, 1, "last.final_norm, row 0");
    pl_arena_free(arena);
    pl_unit_close(r);
}

/* NaN and infinities are counted where a row has a state, put whole or in pieces; nothing said where there are none. */
static void values_that_are_no_numbers_are_counted(void **state)
{
    (void)state;
    char path[PL_PATH_MAX];
    const float clean[4] = {0, FLT_MAX, -FLT_MAX, FLT_MIN / 2}, broken[6] = {NAN, NAN, 1, INFINITY, -INFINITY, NAN};
    const uint8_t absent[3] = {1, 0, 0};
    for (int bad = 0; bad < 3; bad++) {
        pl_unit_writer *w;
        pl_frame *obs;
        pl_column *index;
        pl_unit_losses losses;
        pl_slab *slab;
        in_folder(path, "numbers.h5");
        OK(pl_unit_create(&w, path));
        OK(pl_frame_create(&obs, bad == 1 ? 3 : 2));
        OK(pl_frame_add(obs, &index, "_index", PL_COLUMN_TEXT));
        OK(pl_unit_put_obs(w, obs));
        pl_frame_free(obs);
        if (bad == 1)
            OK(pl_unit_put_states(w, "mean.03", broken, 3, 2, PL_F32, absent));
        else
            OK(pl_unit_put_states(w, "mean.03", clean, 2, 2, PL_F32, NULL));
        if (bad == 2) {
            float rows[6];
            memcpy(rows, broken, sizeof rows);
            OK(pl_unit_reserve_states_all(w, "07", 3, 2, PL_F32, &slab));
            OK(pl_slab_write(slab, 2, 1, rows + 4));
            OK(pl_slab_write(slab, 0, 2, rows));
        }
        OK(pl_unit_count_losses(w, &losses));
        const size_t n[3] = {0, 3, 5};
        const char *const first[3] = {"", "mean.03, row 1", "07, row 0"};
        assert_int_equal(losses.n_not_finite, n[bad]);
        assert_string_equal(losses.first, first[bad]);
        OK(pl_unit_put_config(w, "{}", NULL));
        OK(pl_unit_finish(w));
        pl_unit_reader *r;
        OK(pl_unit_open(&r, path));
        expect_not_finite(r, n[bad], first[bad]);
        pl_unit_close(r);
    }
}

static void all_states_come_back(void **state)
{
    (void)state;
    pl_unit_reader *r = open_sample();
    pl_arena *arena;
    OK(pl_arena_create(&arena));
    float *values;
    size_t rows, width, n_ranges;
    uint64_t *indptr, *ranges;
    int32_t *ids;
    OK(pl_unit_get_states_all(r, "05", &values, &rows, &width));
    assert_int_equal(rows, TOKENS);
    assert_int_equal(width, WIDTH);
    /* float16 has 10 bits of mantissa, and subnormals below 2^-14. */
    for (size_t i = 0; i < TOKENS * WIDTH; i++)
        assert_true(fabsf(values[i] - sample_value(i)) <= fabsf(sample_value(i)) / 2048 + 1e-7f);
    free(values);
    OK(pl_unit_get_ranges(r, arena, &indptr, &ranges, &n_ranges));
    assert_int_equal(n_ranges, 8);
    assert_memory_equal(indptr, sample_ranges_indptr, sizeof sample_ranges_indptr);
    assert_memory_equal(ranges, sample_ranges, sizeof sample_ranges);
    OK(pl_unit_get_tokens(r, arena, &indptr, &ids));
    assert_memory_equal(indptr, sample_tokens_indptr, sizeof sample_tokens_indptr);
    for (int i = 0; i < TOKENS; i++) assert_int_equal(ids[i], 3 * i);
    OK(pl_unit_get_logits(r, &values, &rows, &width));
    assert_int_equal(rows, TOKENS);
    assert_int_equal(width, VOCABULARY);
    for (size_t i = 0; i < TOKENS * VOCABULARY; i++) assert_true(values[i] == sample_value(i));
    free(values);
    pl_arena_free(arena);
    pl_unit_close(r);
}

static void loglik_and_labels_come_back(void **state)
{
    (void)state;
    pl_unit_reader *r = open_sample();
    pl_arena *arena;
    OK(pl_arena_create(&arena));
    pl_loglik l;
    OK(pl_unit_get_loglik(r, arena, &l));
    assert_int_equal(l.n_rows, ROWS);
    assert_int_equal(l.n_choices, 12);
    assert_int_equal(l.n_tokens, 14);
    assert_memory_equal(l.choice_indptr, sample_choice_indptr, sizeof sample_choice_indptr);
    assert_memory_equal(l.token_indptr, sample_token_indptr, sizeof sample_token_indptr);
    assert_memory_equal(l.token_ids, sample_token_ids, sizeof sample_token_ids);
    assert_memory_equal(l.values, sample_logprobs, sizeof sample_logprobs);
    assert_memory_equal(l.greedy, sample_greedy, sizeof sample_greedy);
    assert_memory_equal(l.choice_bytes, sample_choice_bytes, sizeof sample_choice_bytes);
    assert_memory_equal(l.choice_characters, sample_choice_characters, sizeof sample_choice_characters);
    assert_memory_equal(l.score, sample_score, sizeof sample_score);
    pl_labels labels;
    OK(pl_unit_get_labels(r, arena, &labels));
    assert_int_equal(labels.n, 2);
    assert_int_equal(labels.width, WIDTH);
    assert_string_equal(labels.text[1], " positive");
    assert_memory_equal(labels.indptr, sample_label_indptr, sizeof sample_label_indptr);
    assert_memory_equal(labels.ids, sample_label_ids, sizeof sample_label_ids);
    for (size_t i = 0; i < 2 * WIDTH; i++) assert_true(labels.unembedding[i] == sample_value(i));
    const char **json;
    size_t n;
    OK(pl_unit_get_samples(r, arena, &json, &n));
    assert_int_equal(n, ROWS);
    for (size_t i = 0; i < ROWS; i++) assert_string_equal(json[i], sample_samples[i]);
    pl_arena_free(arena);
    pl_unit_close(r);
}

static void attributes_come_back(void **state)
{
    (void)state;
    pl_unit_reader *r = open_sample();
    json_t *config, *value, *expected = sample_attributes();
    OK(pl_unit_get_config(r, &config));
    assert_int_equal(json_integer_value(json_object_get(config, "k")), 2);
    json_decref(config);
    const char *name;
    json_t *wanted;
    json_object_foreach(expected, name, wanted)
    {
        OK(pl_unit_get_attribute(r, name, &value));
        assert_true(json_equal(value, wanted));
        json_decref(value);
    }
    json_decref(expected);
    assert_int_equal(pl_unit_get_attribute(r, "no_such", &value), PL_E_INPUT);
    assert_non_null(strstr(pl_error_text(), "no_such"));
    OK(pl_unit_get_attribute(r, "hidden_states", &value));
    assert_non_null(strstr(json_string_value(value), "hidden_states[L]"));
    json_decref(value);
    pl_unit_close(r);
}

static void no_rows_come_back(void **state)
{
    (void)state;
    char path[PL_PATH_MAX];
    in_folder(path, "empty.h5");
    pl_unit_writer *w;
    pl_frame *obs;
    pl_column *index;
    const uint64_t zero = 0;
    OK(pl_unit_create(&w, path));
    OK(pl_frame_create(&obs, 0));
    OK(pl_frame_add(obs, &index, "_index", PL_COLUMN_TEXT));
    OK(pl_frame_add(obs, &index, "arm", PL_COLUMN_CATEGORY));
    OK(pl_unit_put_obs(w, obs));
    OK(pl_unit_put_states(w, "last.00", NULL, 0, 4, PL_BF16, NULL));
    OK(pl_unit_put_tokens(w, &zero, 0, NULL));
    OK(pl_unit_finish(w));
    pl_frame_free(obs);
    pl_unit_reader *r;
    OK(pl_unit_open(&r, path));
    OK(get_obs(r, &obs));
    assert_int_equal(obs->n_rows, 0);
    assert_int_equal(obs->n_columns, 2);
    pl_frame_free(obs);
    float *values;
    size_t rows, width;
    OK(pl_unit_get_states(r, "last.00", &values, &rows, &width));
    assert_int_equal(rows, 0);
    assert_int_equal(width, 4);
    free(values);
    pl_unit_close(r);
}

/* Many rows and categories: codes of two bytes, text heaps of many blocks. */
static void many_rows_come_back(void **state)
{
    (void)state;
    enum { MANY = 5000, KINDS = 300 };
    char path[PL_PATH_MAX], text[64];
    in_folder(path, "many.h5");
    pl_unit_writer *w;
    pl_frame *obs;
    pl_column *c;
    OK(pl_unit_create(&w, path));
    OK(pl_frame_create(&obs, MANY));
    OK(pl_frame_add(obs, &c, "_index", PL_COLUMN_TEXT));
    for (size_t i = 0; i < MANY; i++) {
        snprintf(text, sizeof text, "%zu", i);
        OK(pl_frame_set_text(obs, c, i, text));
    }
    OK(pl_frame_add(obs, &c, "kind", PL_COLUMN_CATEGORY));
    for (size_t i = 0; i < MANY; i++) {
        snprintf(text, sizeof text, "kind %zu", i * 7919 % KINDS);
        OK(pl_frame_set_text(obs, c, i, text));
    }
    OK(pl_unit_put_obs(w, obs));
    OK(pl_unit_finish(w));
    pl_unit_reader *r;
    pl_frame *got;
    OK(pl_unit_open(&r, path));
    OK(get_obs(r, &got));
    for (size_t i = 0; i < MANY; i++)
        for (size_t k = 0; k < 2; k++)
            assert_string_equal(obs->columns[k].values.text[i],
                                pl_frame_column(got, obs->columns[k].name)->values.text[i]);
    pl_frame_free(obs);
    pl_frame_free(got);
    pl_unit_close(r);
}

/* More than one conversion block, and an end that is not a whole block. */
static void large_halves_come_back(void **state)
{
    (void)state;
    enum { LARGE = 1500, C = 1024 };
    char path[PL_PATH_MAX];
    in_folder(path, "large.h5");
    float *values, *got;
    size_t rows, width;
    OK(pl_new(&values, LARGE * C));
    for (size_t i = 0; i < LARGE * C; i++) values[i] = (float)(i % 2048);
    pl_unit_writer *w;
    pl_frame *obs;
    pl_column *c;
    OK(pl_unit_create(&w, path));
    OK(pl_frame_create(&obs, LARGE));
    OK(pl_frame_add(obs, &c, "_index", PL_COLUMN_TEXT));
    OK(pl_unit_put_obs(w, obs));
    OK(pl_unit_put_states(w, "last.00", values, LARGE, C, PL_F16, NULL));
    OK(pl_unit_finish(w));
    pl_frame_free(obs);
    pl_unit_reader *r;
    OK(pl_unit_open(&r, path));
    OK(pl_unit_get_states(r, "last.00", &got, &rows, &width));
    assert_memory_equal(got, values, (size_t)LARGE * C * sizeof *values);
    free(got);
    free(values);
    pl_unit_close(r);
}

/* This program again, as `PROGRAM --write PATH` (see main), with malloc filling memory with another byte. */
static void write_in_another_process(const char *path, const char *perturb)
{
    pid_t pid = fork();
    if (pid == 0) {
        setenv("MALLOC_PERTURB_", perturb, 1);
        setenv("TZ", "Asia/Tokyo", 1);
        execl("/proc/self/exe", "test_unit_file", "--write", path, (char *)NULL);
        _exit(127);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void equal_content_gives_equal_bytes(void **state)
{
    (void)state;
    static const char *const perturb[] = {"0", "85", "170", "255"};
    pl_bytes first = {0}, other = {0};
    char path[PL_PATH_MAX];
    in_folder(path, "sample.h5");
    OK(write_sample(path));
    OK(pl_file_read(&first, path, 1 << 24));
    OK(write_sample(path)); /* over the old file */
    OK(pl_file_read(&other, path, 1 << 24));
    assert_int_equal(first.size, other.size);
    assert_memory_equal(first.data, other.data, first.size);
    sleep(1); /* another second on the clock */
    for (size_t i = 0; i < 4; i++) {
        pl_bytes_free(&other);
        in_folder(path, perturb[i]);
        write_in_another_process(path, perturb[i]);
        OK(pl_file_read(&other, path, 1 << 24));
        assert_int_equal(first.size, other.size);
        assert_memory_equal(first.data, other.data, first.size);
    }
    pl_bytes_free(&other);
    pl_bytes_free(&first);
}

static void wrong_parts_are_refused(void **state)
{
    (void)state;
    char path[PL_PATH_MAX], part[PL_PATH_MAX];
    in_folder(path, "wrong.h5");
    pl_unit_writer *w;
    pl_frame *obs;
    pl_column *c;
    const float values[WIDTH] = {0};
    OK(pl_unit_create(&w, path));
    OK(pl_frame_create(&obs, 1));
    assert_int_equal(pl_unit_put_obs(w, obs), PL_E_INTERNAL); /* no index */
    pl_unit_discard(w);

    OK(pl_frame_add(obs, &c, "_index", PL_COLUMN_TEXT));
    assert_int_equal(pl_frame_add(obs, &c, "_index", PL_COLUMN_TEXT), PL_E_INTERNAL);
    OK(pl_frame_add(obs, &c, "text", PL_COLUMN_TEXT));
    OK(pl_frame_set_text(obs, c, 0, "a\xff"));
    assert_int_equal(pl_frame_set_text(obs, c, 1, "x"), PL_E_INTERNAL);
    OK(pl_unit_create(&w, path));
    assert_int_equal(pl_unit_put_obs(w, obs), PL_E_INPUT);
    assert_non_null(strstr(pl_error_text(), "not UTF-8 at byte 1"));
    pl_unit_discard(w);

    OK(pl_frame_set_text(obs, c, 0, "a"));
    OK(pl_unit_create(&w, path));
    OK(pl_unit_put_obs(w, obs));
    assert_int_equal(pl_unit_put_states(w, "last.00", values, 2, 2, PL_F32, NULL), PL_E_INTERNAL);
    assert_int_equal(pl_unit_put_states(w, "a/b", values, 1, WIDTH, PL_F32, NULL), PL_E_INPUT);
    assert_int_equal(pl_unit_put_states(w, "..", values, 1, WIDTH, PL_F32, NULL), PL_E_INPUT);
    OK(pl_unit_put_states(w, "last.00", values, 1, WIDTH, PL_F32, NULL));
    assert_int_equal(pl_unit_put_states(w, "last.00", values, 1, WIDTH, PL_F32, NULL), PL_E_INTERNAL);
    assert_int_equal(pl_unit_put_states(w, "last.01", values, SIZE_MAX / 2, 4, PL_F32, NULL), PL_E_INTERNAL);
    pl_unit_discard(w);

    OK(pl_unit_create(&w, path));
    assert_int_equal(pl_unit_finish(w), PL_E_INTERNAL); /* no obs */
    assert_false(pl_file_exists(path));
    OK(pl_file_temporary(part, path));
    assert_false(pl_file_exists(part));
    pl_frame_free(obs);
}

static void storage_names_are_parsed(void **state)
{
    (void)state;
    pl_dtype storage = PL_F32;
    OK(pl_storage_parse(&storage, "bfloat16"));
    assert_int_equal(storage, PL_BF16);
    assert_string_equal(pl_dtype_name(PL_F16), "float16");
    assert_int_equal(pl_storage_parse(&storage, "float8"), PL_E_INPUT);
}

static void h5ls_reads_it(void **state)
{
    (void)state;
    if (system("h5ls --version >/dev/null 2>&1") != 0) {
        print_message("SKIP: h5ls is not installed (package hdf5-tools)\n");
        skip();
    }
    char path[PL_PATH_MAX], command[2 * PL_PATH_MAX], line[512];
    in_folder(path, "sample.h5");
    OK(write_sample(path));
    snprintf(command, sizeof command, "h5ls -r '%s' 2>&1", path);
    FILE *out = popen(command, "r");
    assert_non_null(out);
    size_t n_found = 0;
    static const char *const wanted[] = {"/obs/arm/codes           Dataset {7}",
                                         "/obsm/last.final_norm    Dataset {7, 5}",
                                         "/uns/plumb/logits        Dataset {11, 13}"};
    while (fgets(line, sizeof line, out))
        for (size_t i = 0; i < 3; i++)
            if (!strncmp(line, wanted[i], strlen(wanted[i]))) n_found++;
    assert_int_equal(pclose(out), 0);
    assert_int_equal(n_found, 3);
}

/* Absent is no error; what is there comes back. */
static void content_free_scores_come_back(void **state)
{
    (void)state;
    char folder[PL_PATH_MAX], path[PL_PATH_MAX];
    const char *prompts[] = {"N/A:", ""};
    double scores[] = {-1.25, -2.5, -0.1, -1e300, 0.0, -3.0};
    const pl_content_free put = {.n = 2, .n_labels = 3, .prompt = prompts, .score = scores};
    pl_content_free got;
    pl_unit_writer *w;
    pl_unit_reader *r;
    pl_arena *arena;
    make_folder(folder);
    OK(pl_arena_create(&arena));
    OK(pl_path(path, "%s/u.h5", folder));
    OK(write_sample(path));
    OK(pl_unit_open(&r, path));
    OK(pl_unit_get_content_free(r, arena, &got));
    assert_true(got.n == 0 && got.n_labels == 0);
    pl_unit_close(r);
    OK(pl_unit_create(&w, path));
    OK(put_sample(w));
    OK(pl_unit_put_content_free(w, &put));
    OK(pl_unit_finish(w));
    OK(pl_unit_open(&r, path));
    OK(pl_unit_get_content_free(r, arena, &got));
    assert_true(got.n == 2 && got.n_labels == 3);
    assert_string_equal(got.prompt[0], "N/A:");
    assert_string_equal(got.prompt[1], "");
    assert_memory_equal(got.score, scores, sizeof scores);
    pl_unit_close(r);
    const pl_content_free none = {.n_labels = (size_t)1 << 60};
    OK(pl_unit_create(&w, path));
    OK(put_sample(w));
    OK(pl_unit_put_content_free(w, &none));
    OK(pl_unit_finish(w));
    OK(pl_unit_open(&r, path));
    OK(pl_unit_get_content_free(r, arena, &got));
    assert_true(got.n == 0 && got.n_labels == 0);
    pl_unit_close(r);
    pl_arena_free(arena);
    remove_folder(folder);
}

int main(int argc, char **argv)
{
    if (argc == 3 && !strcmp(argv[1], "--write")) {
        pl_status status = write_sample(argv[2]);
        if (status != PL_OK) fprintf(stderr, "%s\n", pl_error_text());
        return pl_status_exit_code(status);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(obs_come_back),
        cmocka_unit_test(states_come_back),
        cmocka_unit_test(values_that_are_no_numbers_are_counted),
        cmocka_unit_test(all_states_come_back),
        cmocka_unit_test(loglik_and_labels_come_back),
        cmocka_unit_test(content_free_scores_come_back),
        cmocka_unit_test(attributes_come_back),
        cmocka_unit_test(no_rows_come_back),
        cmocka_unit_test(many_rows_come_back),
        cmocka_unit_test(large_halves_come_back),
        cmocka_unit_test(equal_content_gives_equal_bytes),
        cmocka_unit_test(wrong_parts_are_refused),
        cmocka_unit_test(storage_names_are_parsed),
        cmocka_unit_test(h5ls_reads_it),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
