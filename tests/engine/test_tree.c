/* The prefix tree against brute force: every distinct (path, position) once, order by first insertion, places that stay
 * valid through splits. */
#include "tests.h"

#include "base/random.h"
#include "engine/tree.h"

static void insert_shared(pl__tree *tree, const int32_t *ids, size_t n, uint32_t *end)
{
    assert_int_equal(pl__tree_insert(tree, ids, n, (pl__sharing){0}, end), PL_OK);
}

static void splits_keep_places(void **state)
{
    (void)state;
    const int32_t a[] = {1, 2, 3, 4, 5}, b[] = {1, 2, 3, 9}, c[] = {1, 2}, d[] = {7}, e[] = {1, 2, 3, 4, 5, 6};
    pl__tree tree;
    assert_int_equal(pl__tree_open(&tree), PL_OK);
    uint32_t at_a, at_b, at_c, at_d, at_e, again;
    insert_shared(&tree, a, 5, &at_a);
    insert_shared(&tree, b, 4, &at_b);
    insert_shared(&tree, c, 2, &at_c);
    insert_shared(&tree, d, 1, &at_d);
    insert_shared(&tree, e, 6, &at_e);
    insert_shared(&tree, a, 5, &again);
    assert_int_equal(tree.n_tokens, 8);
    assert_int_equal(again, at_a);
    /* The end of a stays where its lower part is; its upper part is the common node of a, b and c. */
    assert_int_equal(tree.nodes[at_a].first, 3);
    assert_int_equal(pl__tree_at(&tree, at_a, 4), at_a);
    assert_int_equal(pl__tree_at(&tree, at_a, 2), at_c);
    assert_int_equal(pl__tree_at(&tree, at_b, 1), at_c);
    assert_int_equal(tree.nodes[at_e].parent, at_a);
    assert_int_equal(tree.nodes[at_d].parent, PL__ROOT);
    /* Pre-order by first insertion: root, {1,2,3}, {4,5}, {6}, {9}, {7}. */
    const uint32_t order[] = {PL__ROOT, at_c, at_a, at_e, at_b, at_d, PL__NONE};
    uint32_t at = PL__ROOT;
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        assert_int_equal(at, order[i]);
        if (at != PL__NONE) at = pl__tree_next(&tree, at);
    }
    pl__tree_close(&tree);
}

static void alone_shares_nothing(void **state)
{
    (void)state;
    const int32_t a[] = {1, 2, 3}, b[] = {1, 2, 4};
    pl__tree tree;
    assert_int_equal(pl__tree_open(&tree), PL_OK);
    uint32_t x, y, z;
    assert_int_equal(pl__tree_insert(&tree, a, 3, (pl__sharing){.alone = true}, &x), PL_OK);
    assert_int_equal(pl__tree_insert(&tree, b, 3, (pl__sharing){0}, &y), PL_OK);
    assert_int_equal(pl__tree_insert(&tree, a, 3, (pl__sharing){.alone = true}, &z), PL_OK);
    assert_int_equal(tree.n_tokens, 9);
    assert_int_equal(tree.nodes[PL__ROOT].n_children, 3);
    assert_true(x != y && y != z && x != z);
    pl__tree_close(&tree);
}

/* Does sequence i repeat the path of an earlier one up to position p? */
static int seen_before(const int32_t (*ids)[24], const size_t *n, size_t i, size_t p)
{
    for (size_t j = 0; j < i; j++) {
        size_t k = 0;
        while (k <= p && k < n[j] && ids[j][k] == ids[i][k]) k++;
        if (k > p) return 1;
    }
    return 0;
}

static void random_tries_match_brute_force(void **state)
{
    (void)state;
    enum { ROUNDS = 60, MOST = 120 };
    static int32_t ids[MOST][24];
    size_t n[MOST];
    for (uint32_t round = 0; round < ROUNDS; round++) {
        uint64_t draw = 0;
        uint32_t letters = 1 + round % 5;
        size_t count = 1 + pl_random_below(1, PL_RANDOM_TEST, round, draw++, MOST - 1), distinct = 0;
        uint32_t ends[MOST];
        pl__tree tree;
        assert_int_equal(pl__tree_open(&tree), PL_OK);
        for (size_t i = 0; i < count; i++) {
            n[i] = 1 + pl_random_below(1, PL_RANDOM_TEST, round, draw++, 23);
            for (size_t k = 0; k < n[i]; k++)
                ids[i][k] = (int32_t)pl_random_below(1, PL_RANDOM_TEST, round, draw++, letters);
            insert_shared(&tree, ids[i], n[i], &ends[i]);
            for (size_t p = 0; p < n[i]; p++) distinct += !seen_before((const int32_t(*)[24])ids, n, i, p);
            assert_int_equal(tree.n_tokens, distinct);
        }
        size_t in_nodes = 0, n_nodes = 0;
        for (uint32_t at = PL__ROOT; at != PL__NONE; at = pl__tree_next(&tree, at)) {
            in_nodes += tree.nodes[at].n_tokens;
            n_nodes++;
            size_t children = 0;
            for (uint32_t c = tree.nodes[at].first_child; c != PL__NONE; c = tree.nodes[c].next) {
                assert_int_equal(tree.nodes[c].parent, at);
                assert_int_equal(tree.nodes[c].first, pl__node_end(&tree.nodes[at]));
                for (uint32_t d = tree.nodes[c].next; d != PL__NONE; d = tree.nodes[d].next)
                    assert_int_not_equal(tree.nodes[c].tokens[0], tree.nodes[d].tokens[0]);
                children++;
            }
            assert_int_equal(children, tree.nodes[at].n_children);
        }
        assert_int_equal(in_nodes, distinct);
        assert_int_equal(n_nodes, tree.n_nodes);
        for (size_t i = 0; i < count; i++)
            for (size_t p = 0; p < n[i]; p++) {
                const pl__node *node = &tree.nodes[pl__tree_at(&tree, ends[i], p)];
                assert_true(p >= node->first && p < pl__node_end(node));
                assert_int_equal(node->tokens[p - node->first], ids[i][p]);
            }
        pl__tree_close(&tree);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splits_keep_places),
        cmocka_unit_test(alone_shares_nothing),
        cmocka_unit_test(random_tries_match_brute_force),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
