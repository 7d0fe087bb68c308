/* Matrices of any HDF5 file, here of a unit file: found, read, added to a copy, replaced; the rest stays byte for byte
 * readable, nothing is left beside it, and a damaged file is one line of error. Layouts that only h5py makes:
 * tests/program/tsne.sh. */
#include "tests.h"

#include <dirent.h>
#include <math.h>
#include <sys/stat.h>

#include "base/file.h"
#include "store/matrices.h"
#include "store/unit_file.h"

static char folder[PL_PATH_MAX], path[PL_PATH_MAX + 16];
enum { ROWS = 4, WIDTH = 3 };

static int set_up(void **state)
{
    (void)state;
    make_folder(folder);
    snprintf(path, sizeof path, "%s/u.h5", folder);
    pl_unit_writer *w;
    pl_frame *obs;
    pl_column *index;
    float values[ROWS * WIDTH];
    for (int i = 0; i < ROWS * WIDTH; i++) values[i] = (float)i / 4.0f;
    OK(pl_unit_create(&w, path));
    OK(pl_frame_create(&obs, ROWS));
    OK(pl_frame_add(obs, &index, "_index", PL_COLUMN_TEXT));
    for (size_t i = 0; i < ROWS; i++) OK(pl_frame_set_text(obs, index, i, i ? "b" : "a"));
    OK(pl_unit_put_obs(w, obs));
    OK(pl_unit_put_states(w, "last.00", values, ROWS, WIDTH, PL_F32, NULL));
    OK(pl_unit_put_states(w, "last.01", values, ROWS, WIDTH, PL_BF16, NULL));
    OK(pl_unit_put_config(w, "{}", NULL));
    OK(pl_unit_finish(w));
    pl_frame_free(obs);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    remove_folder(folder);
    return 0;
}

static void test_found_and_read(void **state)
{
    (void)state;
    pl_arena *arena;
    const char **names;
    float *values;
    size_t n, rows, width;
    bool has;
    OK(pl_arena_create(&arena));
    OK(pl_matrices_list(arena, path, &names, &n));
    assert_int_equal(n, 2);
    assert_string_equal(names[0], "/obsm/last.00");
    assert_string_equal(names[1], "/obsm/last.01");
    pl_arena_free(arena);
    for (int i = 0; i < 2; i++) {
        OK(pl_matrix_read(&values, &rows, &width, path, i ? "/obsm/last.01" : "/obsm/last.00"));
        assert_true(rows == ROWS && width == WIDTH && values[11] == 2.75f);
        free(values);
    }
    OK(pl_matrices_have(&has, path, "/obs"));
    assert_true(has);
    OK(pl_matrices_have(&has, path, "/nothing"));
    assert_false(has);
    REFUSED(pl_matrix_read(&values, &rows, &width, path, "/obsm/last.02"), PL_E_INPUT,
            "u.h5: /obsm/last.02: expected an array");
    REFUSED(pl_matrix_read(&values, &rows, &width, path, "/obs"), PL_E_INPUT, "u.h5: /obs: expected an array");
    REFUSED(pl_matrix_read(&values, &rows, &width, path, "/obs/_index"), PL_E_INPUT, "expected 2 dims, found 1");
    REFUSED(pl_matrix_read(&values, &rows, &width, folder, "/obs"), PL_E_INPUT, "not a regular file");
}

static size_t members(void)
{
    size_t n = 0;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir));) n += e->d_name[0] != '.';
    closedir(dir);
    return n;
}

static void add(const char *to, float first)
{
    const float map[ROWS * 2] = {first, 1, 2, 3, 4, 5, 6, 7}, score[ROWS] = {1, 0, 1, 0};
    const pl_addition additions[] = {{"/obsm", "X_tsne", map, NULL, NULL, ROWS, 2},
                                     {"/uns/plumb_tsne", "reliability", score, NULL, NULL, ROWS, 0}};
    json_t *entries = json_pack("{s:s, s:i, s:f}", "dataset", "/obsm/last.00", "rows", ROWS, "kl", 0.5);
    OK(pl_matrices_add(to, path, additions, 2, &(pl_entries){"/uns/plumb_tsne", entries}, 1));
    json_decref(entries);
}

static void test_added_and_replaced(void **state)
{
    (void)state;
    float *values;
    size_t rows, width;
    struct stat st;
    pl_unit_reader *r;
    assert_int_equal(chmod(path, 0640), 0);
    for (int turn = 0; turn < 2; turn++) {
        add(path, (float)turn);
        OK(pl_matrix_read(&values, &rows, &width, path, "/obsm/X_tsne"));
        assert_true(rows == ROWS && width == 2 && values[0] == (float)turn && values[7] == 7.0f);
        free(values);
        OK(pl_unit_open(&r, path));
        OK(pl_unit_get_states(r, "last.01", &values, &rows, &width));
        assert_true(values[11] == 2.75f);
        free(values);
        pl_unit_close(r);
        assert_int_equal(members(), 1);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0640);
    }
    /* Elsewhere: the first file stays as it is. */
    char other[PL_PATH_MAX + 16];
    pl_file_stamp before, after;
    snprintf(other, sizeof other, "%s/other.h5", folder);
    assert_true(pl_file_stamp_get(&before, path));
    add(other, 9.0f);
    assert_true(pl_file_stamp_get(&after, path) && pl_file_stamp_equal(&before, &after));
    OK(pl_matrix_read(&values, &rows, &width, other, "/obsm/X_tsne"));
    assert_true(values[0] == 9.0f);
    free(values);
}

/* A group that is an array, a folder that is not there, files cut short at every place: one line, and nothing is left.
 */
static void test_refused(void **state)
{
    (void)state;
    const float one[ROWS] = {0};
    const pl_addition wrong = {"/obsm/last.00", "x", one, NULL, NULL, ROWS, 0};
    char copy[PL_PATH_MAX + 16];
    float *values;
    size_t rows, width;
    json_t *none = json_object();
    REFUSED(pl_matrices_add(path, path, &wrong, 1, NULL, 0), PL_E_INPUT, "/obsm/last.00: expected a group");
    REFUSED(pl_matrices_add("/nowhere/x.h5", path, &wrong, 1, NULL, 0), PL_E_IO, "/nowhere/x.h5");
    assert_int_equal(members(), 1);
    pl_bytes bytes = {0};
    OK(pl_file_read(&bytes, path, 1 << 20));
    snprintf(copy, sizeof copy, "%s/cut.h5", folder);
    for (size_t size = 0; size < bytes.size; size += 97) {
        const pl_addition good = {"/obsm", "X_tsne", one, NULL, NULL, ROWS, 0};
        FILE *f = fopen(copy, "w");
        assert_true(f && fwrite(bytes.data, 1, size, f) == size && fclose(f) == 0);
        if (pl_matrix_read(&values, &rows, &width, copy, "/obsm/last.00") == PL_OK)
            free(values);
        else
            assert_non_null(strstr(pl_error_text(), "cut.h5"));
        (void)pl_matrices_add(copy, copy, &good, 1, &(pl_entries){"/uns/plumb_tsne", none}, 1);
    }
    assert_int_equal(members(), 2);
    pl_bytes_free(&bytes);
    json_decref(none);
}

/* What was added to a group comes back as JSON, with arrays or without. */
static void test_group(void **state)
{
    (void)state;
    static const float pairs[] = {1.0f, -0.5f, NAN, 2.0f}, reals[] = {0.25f, INFINITY};
    static const int64_t ids[] = {7, -1};
    static const char *const texts[] = {"a", "<b>"};
    const pl_addition additions[] = {{.group = "/maps/000", .name = "at", .values = pairs, .rows = 2, .width = 2},
                                     {.group = "/maps/000", .name = "score", .values = reals, .rows = 2},
                                     {.group = "/maps/000", .name = "id", .integers = ids, .rows = 2},
                                     {.group = "/maps/000", .name = "word", .texts = texts, .rows = 2}};
    json_t *values = json_pack("{s:s, s:i, s:f}", "layer", "02", "k", 4, "kl", 0.5), *found;
    char other[PL_PATH_MAX + 16];
    pl_bytes text = {0};
    snprintf(other, sizeof other, "%s/maps.h5", folder);
    OK(pl_matrices_add(other, NULL, additions, 4, &(pl_entries){"/maps/000", values}, 1));
    OK(pl_matrices_group(&found, other, "/maps/000", false));
    assert_true(json_equal(found, values));
    json_decref(found);
    OK(pl_matrices_group(&found, other, "/maps/000", true));
    OK(pl_json_canonical(&text, found));
    assert_string_equal(text.data, "{\"at\":[1.0,-0.5,null,2.0],\"id\":[7,-1],\"k\":4,\"kl\":0.5,\"layer\":\"02\","
                                   "\"score\":[0.25,null],\"word\":[\"a\",\"<b>\"]}");
    json_decref(found);
    OK(pl_matrices_group(&found, other, "/maps", true)); /* groups are none of its values */
    assert_int_equal(json_object_size(found), 0);
    json_decref(found);
    REFUSED(pl_matrices_group(&found, other, "/maps/001", true), PL_E_INPUT, "maps.h5: /maps/001: cannot open");
    assert_null(found);
    REFUSED(pl_matrices_group(&found, folder, "/maps", true), PL_E_INPUT, "not a regular file");
    pl_bytes_free(&text);
    json_decref(values);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(test_found_and_read, set_up, tear_down),
                                       cmocka_unit_test_setup_teardown(test_added_and_replaced, set_up, tear_down),
                                       cmocka_unit_test_setup_teardown(test_refused, set_up, tear_down),
                                       cmocka_unit_test_setup_teardown(test_group, set_up, tear_down)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
