/* Parts of unit files for the page: rows that are unpacked again, what training came to, files that are none. */
#include "analysis/planted_run.h"

#include <zlib.h>

#include "base/file.h"
#include "base/json.h"
#include "page/unit_part.h"

static int gold(size_t item, size_t template, size_t draw)
{
    (void)template;
    (void)draw;
    return planted_gold(item);
}

static void unit_path(char path[PL_PATH_MAX], const planted *p)
{
    char id[64];
    planted_id(id, 0, 0, p->generate);
    OK(pl_run_folder_unit(path, &p->run, id));
}

/* What the browser makes of the bytes; a new reference. */
static json_t *unpacked(const pl__rows_part *part)
{
    static Bytef text[1 << 20];
    uLongf size = sizeof text;
    assert_int_equal(uncompress(text, &size, (const Bytef *)part->packed.data, part->packed.size), Z_OK);
    json_t *rows = json_loadb((const char *)text, size, 0, NULL);
    assert_non_null(rows);
    return rows;
}

static void test_rows(void **state)
{
    (void)state;
    planted p = {.n = 40, .t = 2, .draws = 1, .prediction = gold};
    pl_helper reader = pl__unit_reader();
    pl__rows_part part;
    char path[PL_PATH_MAX];
    bool there;
    plant_run(&p);
    unit_path(path, &p);
    OK(pl__unit_rows(&reader, path, 1 << 20, &part, &there));
    assert_true(there);
    assert_int_equal(part.n_rows, 40);
    assert_int_equal(part.n_shown, 40);
    json_t *rows = unpacked(&part);
    assert_int_equal(json_array_size(rows), 40);
    json_int_t id;
    int right;
    const char *label, *prediction, *prompt;
    json_t *answers, *ids, *values;
    assert_int_equal(
        json_unpack(json_array_get(rows, 7), "[I, s, s, i, s, o]", &id, &label, &prediction, &right, &prompt, &answers),
        0);
    assert_int_equal(id, 7);
    assert_string_equal(prompt, "prompt");
    assert_string_equal(label, prediction);
    assert_int_equal(right, 1);
    assert_int_equal(json_array_size(answers), 2);
    const char *answer;
    assert_int_equal(json_unpack(json_array_get(answers, 1), "[s, o, o]", &answer, &ids, &values), 0);
    assert_string_equal(answer, " yes");
    assert_int_equal(json_array_size(ids), 2);
    assert_string_equal(json_string_value(json_array_get(values, 0)), "-1.0000");
    json_decref(rows);
    /* Less room, fewer rows, the first ones; none at all. */
    size_t whole = part.packed.size;
    pl__rows_part_free(&part);
    OK(pl__unit_rows(&reader, path, whole * 2 / 3, &part, &there));
    assert_true(part.n_shown > 0 && part.n_shown < 40 && part.packed.size <= whole * 2 / 3);
    rows = unpacked(&part);
    assert_int_equal(json_array_size(rows), part.n_shown);
    json_decref(rows);
    pl__rows_part_free(&part);
    OK(pl__unit_rows(&reader, path, 10, &part, &there));
    assert_true(there && part.n_rows == 40 && part.n_shown == 0 && part.packed.size == 0);
    pl__rows_part_free(&part);
    pl_helper_stop(&reader);
    uproot(&p);
}

/* A file of nothing, one that is cut, one that is not there: no part, and the reader goes on. */
static void test_no_file(void **state)
{
    (void)state;
    planted p = {.n = 10, .t = 2, .draws = 1, .prediction = gold};
    pl_helper reader = pl__unit_reader();
    pl__rows_part part;
    pl__training_part training;
    char path[PL_PATH_MAX], cut[PL_PATH_MAX];
    pl_bytes bytes;
    bool there;
    plant_run(&p);
    unit_path(path, &p);
    OK(pl_path(cut, "%s/cut.h5", p.run.path));
    OK(pl_file_read(&bytes, path, 1 << 24));
    static const size_t sizes[] = {0, 100, 3000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        OK(pl_file_replace(cut, bytes.data, sizes[i]));
        OK(pl__unit_rows(&reader, cut, 1000, &part, &there));
        assert_false(there);
        pl__rows_part_free(&part);
        OK(pl__unit_training(&reader, cut, &training, &there));
        assert_false(there);
        pl__training_part_free(&training);
    }
    OK(pl__unit_rows(&reader, "/no such file", 1000, &part, &there));
    assert_false(there);
    pl__rows_part_free(&part);
    OK(pl__unit_training(&reader, path, &training, &there)); /* a unit that did not train */
    assert_false(there);
    pl__training_part_free(&training);
    OK(pl__unit_rows(&reader, path, 1000, &part, &there));
    assert_true(there);
    pl__rows_part_free(&part);
    pl_bytes_free(&bytes);
    pl_helper_stop(&reader);
    uproot(&p);
}

static void test_training(void **state)
{
    (void)state;
    static const double steps[] = {2, 1}, evaluations[] = {1, 1}, loss[] = {3, 2, 5}, rate[] = {.1, .05, .2},
                        at[] = {2, 1}, score[] = {.5, .75};
    const pl_numbers arrays[] = {{"loss", loss, 3, 0},          {"learning_rate", rate, 3, 0},
                                 {"evaluation_step", at, 2, 0}, {"evaluation_score", score, 2, 0},
                                 {"trial_steps", steps, 2, 0},  {"trial_evaluations", evaluations, 2, 0}};
    pl_helper reader = pl__unit_reader();
    pl__training_part part;
    pl_unit_writer *w;
    pl_frame *obs;
    pl_column *index;
    char folder[PL_PATH_MAX], path[PL_PATH_MAX];
    bool there;
    make_folder(folder);
    OK(pl_path(path, "%s/u.h5", folder));
    OK(pl_unit_create(&w, path));
    OK(pl_frame_create(&obs, 1));
    OK(pl_frame_add(obs, &index, "_index", PL_COLUMN_TEXT));
    OK(pl_frame_set_text(obs, index, 0, "0"));
    OK(pl_unit_put_obs(w, obs));
    pl_frame_free(obs);
    OK(pl_unit_put_numbers(w, "training", arrays, sizeof arrays / sizeof *arrays));
    OK(pl_unit_finish(w));
    OK(pl__unit_training(&reader, path, &part, &there));
    assert_true(there);
    assert_int_equal(part.n_trials, 2);
    assert_int_equal(part.n_steps, 3);
    assert_int_equal(part.n_evaluations, 2);
    assert_memory_equal(part.trial_steps, steps, sizeof steps);
    assert_memory_equal(part.loss, loss, sizeof loss);
    assert_memory_equal(part.learning_rate, rate, sizeof rate);
    assert_memory_equal(part.evaluation_score, score, sizeof score);
    pl__training_part_free(&part);
    pl_helper_stop(&reader);
    remove_folder(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_no_file),
                                       cmocka_unit_test(test_training)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
