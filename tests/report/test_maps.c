/* The maps of a planted run: which layers, what each starts from, rows of the table, and analysis.h5. */
#include "analysis/planted_run.h"

#include "base/file.h"
#include "report/report.h"
#include "store/matrices.h"

static int always_one(size_t item, size_t template, size_t draw)
{
    (void)template, (void)draw;
    return item % 2 == 0;
}

/* Two groups of items, which the templates move. */
static float grouped(size_t item, size_t template, size_t draw, size_t d)
{
    const double noise = pl_random_normal(1, PL_RANDOM_TEST, (uint32_t)(20 + template), item * PLANTED_WIDTH + d);
    return (float)(noise + (d == 0 && item % 2 ? 6.0 : 0.0) + (d == 1 ? 0.5 * (double)template : 0.0) +
                   0.1 * (double)draw);
}

static const pl_stability_row *find(const pl_stability_table *t, pl_metric_id metric, const char *arm,
                                    const char *layer)
{
    for (size_t i = 0; i < t->n; i++)
        if (t->rows[i].metric == metric && !strcmp(t->rows[i].layer, layer) &&
            !strncmp(t->rows[i].arm, arm, strlen(arm)))
            return &t->rows[i];
    return NULL;
}

/* Of prompts: no map of a layer without variance, one from components, one from the layer before; of the tuned model:
 * from the prompted model's. */
static void test_maps(void **state)
{
    (void)state;
    json_t *maps = json_pack("{s:[s],s:i,s:i,s:i}", "layers", "all", "perplexity", 10, "dims", 50, "seeds", 2);
    planted p = {.n = 50,
                 .t = 3,
                 .draws = 2,
                 .learned = 1,
                 .tuned = true,
                 .prediction = always_one,
                 .state = grouped,
                 .maps = maps};
    pl_stability_table *t = planted_table(&p);
    static const char *const starts[] = {"", "components", "layer 01", "", "prompt k=0", "prompt k=0"};
    assert_int_equal(t->maps.n, 6);
    for (size_t i = 0; i < 6; i++) {
        const pl_run_map *m = &t->maps.maps[i];
        assert_string_equal(m->start, starts[i]);
        assert_string_equal(m->layer, i % 3 == 0 ? "00" : i % 3 == 1 ? "01" : "final_norm");
        assert_string_equal(m->why, i % 3 == 0 ? "no variance" : "");
        assert_true(m->n == 50 && m->t == 3 && m->map.has_map == (i % 3 != 0));
        assert_string_equal(m->templates[2], "t2");
    }
    /* The same states but for a move of all: the tuned model's map is like the one that it starts from. */
    assert_true(pl_map_disparity(t->maps.maps[1].map.plain.at, t->maps.maps[4].map.plain.at, 150) < 0.25); /* 0.13 */
    const pl_state_map *map = &t->maps.maps[1].map;
    const pl_stability_row *row = find(t, PL_METRIC_TSNE_KNN, "prompt", "01");
    assert_true(row && row->value == map->plain.quality.knn_recall && row->null_mean == 10.0 / 149.0);
    assert_string_equal(row->contrast, "templates");
    row = find(t, PL_METRIC_TSNE_KL, "finetune", "final_norm");
    assert_true(row && row->value == t->maps.maps[5].map.plain.kl);
    row = find(t, PL_METRIC_TSNE_CONTINUITY, "prompt", "00");
    assert_true(row && isnan(row->value));
    assert_string_equal(row->why_empty, "no variance");
    /* The file, twice the same. */
    char path[PL_PATH_MAX + 16];
    float *values;
    size_t rows, width;
    pl_bytes first = {0}, again = {0};
    snprintf(path, sizeof path, "%s/analysis.h5", p.run.path);
    OK(pl_report_maps(&p.run, t));
    OK(pl_matrix_read(&values, &rows, &width, path, "/maps/001/tsne"));
    assert_true(rows == 150 && width == 2);
    assert_memory_equal(values, map->plain.at, 300 * sizeof *values);
    free(values);
    OK(pl_file_read(&first, path, 1 << 24));
    OK(pl_report_maps(&p.run, t));
    OK(pl_file_read(&again, path, 1 << 24));
    assert_true(first.size == again.size && memcmp(first.data, again.data, first.size) == 0);
    pl_bytes_free(&again);
    pl_bytes_free(&first);
    /* Without maps there is none. */
    const pl_stability_table none = {0};
    OK(pl_report_maps(&p.run, &none));
    assert_false(pl_file_exists(path));
    pl_stability_free(t);
    uproot(&p);
    json_decref(maps);
}

/* Words for layers, too few points, one template. */
static void test_choice(void **state)
{
    (void)state;
    static const char *const names[] = {"last.00", "last.01", "last.02", "last.03", "last.final_norm", "mean.02"};
    static const struct {
        const char *word;
        int wanted; /* bits */
    } cases[] = {{"all", 31}, {"half", 4}, {"last", 8}, {"final_norm", 16}, {"0", 1}, {"03", 8}, {"7", 0}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        json_t *layers = json_pack("[s]", cases[c].word);
        const pl_run_maps maps = {.layers = layers};
        bool wanted[6];
        pl__maps_choose(wanted, &maps, names, 6);
        for (int i = 0; i < 6; i++) assert_int_equal(wanted[i], cases[c].wanted >> i & 1);
        json_decref(layers);
    }
    json_t *maps = json_pack("{s:[s],s:i,s:i,s:i}", "layers", "last", "perplexity", 30, "dims", 50, "seeds", 1);
    planted few = {.n = 30, .t = 2, .draws = 1, .prediction = always_one, .state = grouped, .maps = maps};
    pl_stability_table *t = planted_table(&few);
    assert_true(t->maps.n == 1 && !t->maps.maps[0].map.has_map);
    assert_string_equal(t->maps.maps[0].why, "fewer than 100 points");
    OK(pl_report_maps(&few.run, t));
    char path[PL_PATH_MAX];
    json_t *group;
    OK(pl_path(path, "%s/analysis.h5", few.run.path));
    OK(pl_matrices_group(&group, path, "/maps/000", true));
    const json_t *pca = json_object_get(group, "pca");
    assert_int_equal(json_array_size(pca), 120);
    for (size_t i = 0; i < 120; i++)
        assert_true(json_real_value(json_array_get(pca, i)) == (double)t->maps.maps[0].map.pca[i]);
    assert_true(json_real_value(json_object_get(group, "explained_1")) > 0.0);
    assert_null(json_object_get(group, "tsne"));
    json_decref(group);
    pl_stability_free(t);
    uproot(&few);
    planted one = {.n = 110, .t = 1, .draws = 1, .prediction = always_one, .state = grouped, .maps = maps};
    t = planted_table(&one);
    assert_true(t->maps.n == 1 && t->maps.maps[0].map.has_map && t->maps.maps[0].n == 110);
    assert_null(find(t, PL_METRIC_WOBBLE, "prompt", "01"));
    pl_stability_free(t);
    uproot(&one);
    json_decref(maps);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_maps), cmocka_unit_test(test_choice)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
