/* The schedule against a simulator of pages: a page is an array of (node, position) marks instead of keys and values.
 * Each step copies first, then writes all of its rows, then reads for each row everything the row may see, as the
 * device does. Also: each token is fresh exactly once, and pages that are too few make tokens run again. */
#include "tests.h"

#include "base/random.h"
#include "engine/schedule.h"

enum { MOST = 60, LONGEST = 200 };

typedef struct forest {
    int32_t ids[MOST][LONGEST];
    size_t n[MOST], count;
    pl__tree tree;
} forest;

typedef struct outcome {
    size_t n_steps, n_ran, n_again;
} outcome;

static uint64_t mark(uint32_t node, size_t position)
{
    return (uint64_t)node << 32 | (uint64_t)position;
}

static void check_row(const forest *f, const uint64_t (*pages)[PL_PAGE], const int32_t *row, uint32_t node, size_t own)
{
    for (size_t p = 0; p <= own; p++) {
        uint64_t expected = mark(pl__tree_at(&f->tree, node, p), p);
        if (pages[row[p / PL_PAGE]][p % PL_PAGE] != expected) fail_msg("node %u position %zu sees %zu", node, own, p);
    }
}

static outcome simulate(const forest *f, size_t n_pages, size_t capacity, uint64_t seed)
{
    pl__pages pool;
    pl__schedule schedule;
    assert_int_equal(pl__pages_open(&pool, n_pages), PL_OK);
    if (pl__schedule_open(&schedule, &f->tree, &pool, capacity, seed) != PL_OK) fail_msg("%s", pl_error_text());
    uint64_t(*pages)[PL_PAGE] = malloc(n_pages * sizeof *pages);
    uint8_t *ran = calloc(f->tree.n_nodes * LONGEST, 1);
    size_t width = schedule.longest;
    int32_t *table = malloc(capacity * width * sizeof *table);
    memset(pages, 0xff, n_pages * sizeof *pages);
    outcome result = {0};
    for (;;) {
        if (pl__schedule_next(&schedule) != PL_OK) fail_msg("%s", pl_error_text());
        const pl__step *step = &schedule.step;
        if (!step->n_rows) break;
        assert_true(step->n_rows <= capacity && step->n_copies <= step->n_chunks);
        result.n_steps++;
        for (size_t i = 0; i < step->n_copies; i++)
            memcpy(pages[step->copies[i][1]], pages[step->copies[i][0]], sizeof *pages);
        size_t row = 0;
        for (size_t i = 0; i < step->n_chunks; i++) {
            const pl__chunk *c = &step->chunks[i];
            assert_int_equal(c->row, row);
            assert_true(c->n > 0);
            row += c->n;
            pl__schedule_path(&schedule, c->node, c->first + c->n, table + i * width);
            for (size_t p = c->first; p < c->first + c->n; p++) {
                pages[table[i * width + p / PL_PAGE]][p % PL_PAGE] = mark(c->node, p);
                if (p < c->fresh) continue;
                assert_int_equal(ran[c->node * LONGEST + p], 0);
                ran[c->node * LONGEST + p] = 1;
            }
            if (c->fresh > c->first) assert_int_equal(ran[c->node * LONGEST + c->first], 1);
        }
        assert_int_equal(row, step->n_rows);
        for (size_t i = 0; i < step->n_chunks; i++) {
            const pl__chunk *c = &step->chunks[i];
            for (size_t p = c->first; p < c->first + c->n; p++)
                check_row(f, (const uint64_t(*)[PL_PAGE])pages, table + i * width, c->node, p);
        }
    }
    for (uint32_t node = 1; node < f->tree.n_nodes; node++)
        for (size_t p = f->tree.nodes[node].first; p < pl__node_end(&f->tree.nodes[node]); p++)
            assert_int_equal(ran[node * LONGEST + p], 1);
    result.n_ran = schedule.n_ran;
    result.n_again = schedule.n_again;
    assert_int_equal(result.n_ran, f->tree.n_tokens + result.n_again);
    pl__schedule_close(&schedule);
    assert_int_equal(pool.n_free, n_pages);
    pl__pages_close(&pool);
    free(pages);
    free(ran);
    free(table);
    return result;
}

/* Sequences that share prefixes of random length with earlier ones. */
static void grow_forest(forest *f, uint32_t round, bool alone)
{
    uint64_t draw = 0;
    f->count = 1 + pl_random_below(2, PL_RANDOM_TEST, round, draw++, MOST - 1);
    uint32_t longest = 2 + pl_random_below(2, PL_RANDOM_TEST, round, draw++, LONGEST - 2);
    assert_int_equal(pl__tree_open(&f->tree), PL_OK);
    for (size_t i = 0; i < f->count; i++) {
        f->n[i] = 1 + pl_random_below(2, PL_RANDOM_TEST, round, draw++, longest);
        size_t from = i ? pl_random_below(2, PL_RANDOM_TEST, round, draw++, (uint32_t)i) : 0;
        size_t shared = i ? pl_random_below(2, PL_RANDOM_TEST, round, draw++, (uint32_t)f->n[from] + 1) : 0;
        for (size_t k = 0; k < f->n[i]; k++)
            f->ids[i][k] = k < shared ? f->ids[from][k] : (int32_t)pl_random_below(2, PL_RANDOM_TEST, round, draw++, 3);
        uint32_t end;
        assert_int_equal(pl__tree_insert(&f->tree, f->ids[i], f->n[i], (pl__sharing){.alone = alone}, &end), PL_OK);
    }
}

static void random_tries_with_many_pages(void **state)
{
    (void)state;
    forest *f = malloc(sizeof *f);
    for (uint32_t round = 0; round < 60; round++) {
        grow_forest(f, round, round % 7 == 6);
        const size_t capacities[] = {1, 7, 32, 200, 4096};
        for (size_t i = 0; i < 5; i++)
            assert_int_equal(simulate(f, 4000, capacities[i], i % 2 ? round + 1 : 0).n_again, 0);
        pl__tree_close(&f->tree);
    }
    free(f);
}

static void few_pages_run_tokens_again(void **state)
{
    (void)state;
    forest *f = malloc(sizeof *f);
    size_t again = 0;
    for (uint32_t round = 0; round < 60; round++) {
        grow_forest(f, 1000 + round, false);
        size_t longest, deepest;
        pl__schedule_pages(&f->tree, &longest, &deepest);
        for (size_t extra = 0; extra < 4; extra++)
            again += simulate(f, longest + extra, extra % 2 ? 16 : 300, extra / 2 ? round + 1 : 0).n_again;
        /* Enough for the worst path depth-first: nothing runs twice. */
        assert_int_equal(simulate(f, deepest, 300, 0).n_again, 0);
        assert_int_equal(simulate(f, deepest, 5, round + 1).n_again, 0);
        pl__tree_close(&f->tree);
    }
    assert_true(again > 0);
    free(f);
}

static void a_pool_below_the_longest_path_is_refused(void **state)
{
    (void)state;
    int32_t ids[70] = {0};
    pl__tree tree;
    pl__pages pool;
    pl__schedule schedule;
    uint32_t end;
    assert_int_equal(pl__tree_open(&tree), PL_OK);
    assert_int_equal(pl__tree_insert(&tree, ids, 70, (pl__sharing){0}, &end), PL_OK);
    assert_int_equal(pl__pages_open(&pool, 2), PL_OK);
    assert_int_equal(pl__schedule_open(&schedule, &tree, &pool, 8, 0), PL_E_INPUT);
    assert_non_null(strstr(pl_error_text(), "96 tokens (3 pages), the pool holds 64"));
    pl__schedule_close(&schedule);
    pl__pages_close(&pool);
    pl__tree_close(&tree);
}

/* 1 shared node of 100 tokens and 3 leaves of 10: the first leaf goes on in the shared page within the first step, the
 * others copy it in the second. */
static void a_small_unit_takes_two_steps(void **state)
{
    (void)state;
    forest *f = malloc(sizeof *f);
    f->count = 3;
    assert_int_equal(pl__tree_open(&f->tree), PL_OK);
    for (size_t i = 0; i < 3; i++) {
        uint32_t end;
        for (size_t k = 0; k < 110; k++) f->ids[i][k] = k < 100 ? 5 : (int32_t)i;
        assert_int_equal(pl__tree_insert(&f->tree, f->ids[i], 110, (pl__sharing){0}, &end), PL_OK);
    }
    outcome result = simulate(f, 100, 1024, 0);
    assert_int_equal(result.n_steps, 2);
    assert_int_equal(result.n_ran, 130);
    pl__tree_close(&f->tree);
    free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_tries_with_many_pages),
        cmocka_unit_test(few_pages_run_tokens_again),
        cmocka_unit_test(a_pool_below_the_longest_path_is_refused),
        cmocka_unit_test(a_small_unit_takes_two_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
