/* Quality against scikit-learn and scipy, reliability on planted maps, and the whole map: few points, wrong perplexity,
 * duplicates, seeds, a start of one's own, the same bits. */
#include "tsne/states.h"

#include <omp.h>

#include "tsne/map.h"

static void test_quality(void **state)
{
    (void)state;
    json_t *root = golden(), *g = member(root, "map");
    const size_t n = (size_t)number(member(g, "n")), width = (size_t)number(member(g, "width"));
    float *x = floats(member(g, "x")), *y = floats(member(g, "y"));
    const pl_points points = {x, n, width}, map = {y, n, 2};
    int32_t *near = room(n * 20, sizeof *near), *map_near = room(n * PL_QUALITY_RANKS, sizeof *map_near);
    pl_quality q;
    OK(pl_neighbours(near, &points, 20));
    OK(pl_neighbours(map_near, &map, PL_QUALITY_RANKS));
    OK(pl_quality_of(&q, &points, near, 20, y, map_near));
    assert_close(q.trustworthiness, number(member(g, "trustworthiness")), 1e-12);
    assert_close(q.continuity, number(member(g, "continuity")), 1e-12);
    assert_true(fabs(q.knn_recall - 10.0 / 149.0) < 0.03 && fabs(q.spearman) < 0.15); /* y has nothing of x */
    /* A map that is the data, turned and scaled. */
    float *same = room(2 * n, sizeof *same);
    for (size_t i = 0; i < n; i++) {
        same[2 * i] = -4.0f * y[2 * i + 1];
        same[2 * i + 1] = 4.0f * y[2 * i];
    }
    int32_t *first = room(n * 20, sizeof *first);
    OK(pl_neighbours(first, &map, 20));
    OK(pl_quality_of(&q, &map, first, 20, same, map_near));
    assert_true(q.knn_recall == 1.0 && q.trustworthiness == 1.0 && q.continuity == 1.0);
    assert_close(q.spearman, 1.0, 1e-9);
    assert_close(pl_map_disparity(y, same, n), 0.0, 1e-12);
    g = member(root, "procrustes");
    float *a = floats(member(g, "a")), *b = floats(member(g, "b"));
    assert_close(pl_map_disparity(a, b, 20), number(member(g, "disparity")), 1e-12);
    free(b);
    free(a);
    free(first);
    free(same);
    free(map_near);
    free(near);
    free(y);
    free(x);
    json_decref(root);
}

static void test_hypergeometric(void **state)
{
    (void)state;
    json_t *root = golden(), *cases = member(root, "hypergeometric");
    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *c = json_array_get(cases, i);
        assert_true(fabs(pl_hypergeometric_tail((size_t)element(c, 0), (size_t)element(c, 1), (size_t)element(c, 2),
                                                (size_t)element(c, 3)) -
                         element(c, 4)) <= 1e-9 * element(c, 4) + 1e-300);
    }
    json_decref(root);
}

enum { OVERLAP = 400, OVERLAP_WIDTH = 10, OVERLAP_K = 90, MOVED = 40 };

/* The area under the curve for points that are marked to have lower scores than the others. */
static double area(const float *score, const bool *marked, size_t n)
{
    double wins = 0.0, pairs = 0.0;
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; marked[i] && j < n; j++) {
            if (marked[j]) continue;
            wins += score[i] < score[j] ? 1.0 : score[i] == score[j] ? 0.5 : 0.0;
            pairs += 1.0;
        }
    }
    return wins / pairs;
}

/* Two Gaussians that overlap; every tenth point of the map is moved to where a point of the other one stands. Each of
 * the two questions finds them, and so does the score. */
static void test_moved_points(void **state)
{
    (void)state;
    float *x = planted(OVERLAP, OVERLAP_WIDTH, 2, 0.8, 12);
    const pl_map_settings settings = {.processor = device(), .perplexity = 30.0, .dims = 50, .seeds = 1};
    pl_state_map map;
    OK(pl_state_map_of(&map, x, OVERLAP, OVERLAP_WIDTH, &settings));
    assert_true(map.reliability.n_doubtful < OVERLAP / 10);
    bool moved[OVERLAP] = {false};
    float *was = room(2 * OVERLAP, sizeof *was);
    memcpy(was, map.plain.at, 2 * OVERLAP * sizeof *was);
    for (size_t m = 0; m < MOVED; m++) {
        const size_t i = 10 * m, to = (i + 201) % OVERLAP; /* of the other parity: the other Gaussian */
        map.plain.at[2 * i] = was[2 * to] + 0.1f;
        map.plain.at[2 * i + 1] = was[2 * to + 1] - 0.1f;
        moved[i] = true;
    }
    const pl_points points = {x, OVERLAP, OVERLAP_WIDTH}, placed = {map.plain.at, OVERLAP, 2};
    int32_t *near = room(OVERLAP * OVERLAP_K, sizeof *near), *map_near = room(OVERLAP * PL_QUALITY_RANKS, sizeof *near);
    pl_affinity p;
    pl_reliability r;
    OK(pl_neighbours(near, &points, OVERLAP_K));
    OK(pl_neighbours(map_near, &placed, PL_QUALITY_RANKS));
    OK(pl_affinity_of(&p, &points, near, OVERLAP_K, 30.0));
    OK(pl_reliability_of(&r, &p, near, OVERLAP_K, map.plain.at, map_near, PL_QUALITY_RANKS));
    float back[OVERLAP];
    for (size_t i = 0; i < OVERLAP; i++) back[i] = -r.displacement[i];
    print_message("AUC: score %.3f, agreement %.3f, displacement %.3f; %zu doubtful before, %zu after\n",
                  area(r.score, moved, OVERLAP), area(r.agreement, moved, OVERLAP), area(back, moved, OVERLAP),
                  map.reliability.n_doubtful, r.n_doubtful);
    assert_true(area(r.score, moved, OVERLAP) >= 0.8);
    assert_true(area(r.agreement, moved, OVERLAP) >= 0.8);
    assert_true(area(back, moved, OVERLAP) >= 0.8);
    assert_true(r.n_doubtful >= map.reliability.n_doubtful + MOVED / 2);
    pl_reliability_free(&r);
    pl_affinity_free(&p);
    free(map_near);
    free(near);
    free(was);
    pl_state_map_free(&map);
    free(x);
}

static void test_few_points(void **state)
{
    (void)state;
    float *x = planted(120, 6, 2, 3.0, 13);
    pl_map_settings settings = {.processor = device(), .perplexity = 30.0, .dims = 50, .seeds = 2};
    pl_state_map map;
    OK(pl_state_map_of(&map, x, 99, 6, &settings));
    assert_false(map.has_map);
    assert_true(map.pca[0] != 0.0f && map.explained[0] > map.explained[1] && map.explained[1] > 0.0);
    pl_state_map_free(&map);
    OK(pl_state_map_of(&map, x, 2, 6, &settings));
    assert_true(map.pca[1] == 0.0f);
    pl_state_map_free(&map);
    settings.perplexity = 40.0;
    REFUSED(pl_state_map_of(&map, x, 120, 6, &settings), PL_E_INPUT, "of 120 points each has 119: expected 4 to 39");
    settings.perplexity = 1.0;
    REFUSED(pl_state_map_of(&map, x, 120, 6, &settings), PL_E_INPUT, "perplexity 1");
    REFUSED(pl_state_map_of(&map, x, 1, 6, &settings), PL_E_INPUT, "expected at least 2 rows");
    free(x);
}

/* One feature, half of the points the same. */
static void test_odd_states(void **state)
{
    (void)state;
    float *x = planted(150, 1, 1, 0.0, 14);
    for (size_t i = 0; i < 75; i++) x[i] = 1.0f;
    const pl_map_settings settings = {.processor = device(), .perplexity = 20.0, .dims = 50, .seeds = 1};
    pl_state_map map;
    OK(pl_state_map_of(&map, x, 150, 1, &settings));
    assert_true(map.has_map && map.dims == 1);
    for (size_t i = 0; i < 300; i++) assert_true(isfinite(map.plain.at[i]) && isfinite(map.exaggerated.at[i]));
    for (size_t i = 0; i < 150; i++) assert_true(isfinite(map.reliability.score[i]));
    pl_state_map_free(&map);
    free(x);
}

static size_t counted;
static void count(void *context)
{
    counted += *(size_t *)context;
}

/* Seeds, steps and bits: with one thread and three, and what another start changes. */
static void test_whole_map(void **state)
{
    (void)state;
    enum { N = 150 };
    float *x = planted(N, 12, 3, 3.0, 15);
    size_t one_step = 1;
    pl_map_settings settings = {.processor = device(),
                                .perplexity = 15.0,
                                .dims = 5,
                                .seeds = 3,
                                .threads = 1,
                                .step = count,
                                .context = &one_step};
    pl_state_map one, three, other;
    const int before = omp_get_max_threads();
    OK(pl_state_map_of(&one, x, N, 12, &settings));
    assert_int_equal(counted, pl_map_iterations(3));
    settings.threads = 3;
    OK(pl_state_map_of(&three, x, N, 12, &settings));
    assert_memory_equal(one.plain.at, three.plain.at, 2 * N * sizeof *one.plain.at);
    assert_memory_equal(one.exaggerated.at, three.exaggerated.at, 2 * N * sizeof *one.plain.at);
    assert_memory_equal(one.reliability.score, three.reliability.score, N * sizeof *one.reliability.score);
    assert_memory_equal(one.seeds[2].at, three.seeds[2].at, 2 * N * sizeof *one.plain.at);
    assert_true(one.seeds[1].kl != one.plain.kl && one.seeds[1].kl != one.seeds[2].kl);
    assert_true(one.disparity >= 0.0 && one.disparity < 1.0);
    assert_true(one.plain.quality.knn_recall > 0.3 && one.plain.kl < one.exaggerated.kl);
    settings.start = one.plain.at;
    settings.seeds = 1;
    OK(pl_state_map_of(&other, x, N, 12, &settings));
    assert_true(isnan(other.disparity));
    assert_true(pl_map_disparity(other.plain.at, one.plain.at, N) < 0.2);
    assert_memory_not_equal(other.plain.at, one.plain.at, 2 * N * sizeof *one.plain.at);
    double seconds;
    OK(pl_map_seconds(&seconds, N, &settings));
    assert_true(seconds > 0.0 && seconds < 600.0);
    omp_set_num_threads(before);
    pl_state_map_free(&other);
    pl_state_map_free(&three);
    pl_state_map_free(&one);
    free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_quality),      cmocka_unit_test(test_hypergeometric),
                                       cmocka_unit_test(test_moved_points), cmocka_unit_test(test_few_points),
                                       cmocka_unit_test(test_odd_states),   cmocka_unit_test(test_whole_map)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
