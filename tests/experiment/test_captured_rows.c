/* Which rows of a unit keep states where some of the drawn items are too long for the model and skipped. */
#include "experiment/planned.h"

#include "experiment/draw.h"
#include "experiment/item.h"

enum { ITEMS = 80, KEPT = 20, SKIPPED = 4 };

static int ascending(const void *a, const void *b)
{
    size_t x = *(const size_t *)a, y = *(const size_t *)b;
    return (x > y) - (x < y);
}

static void put_rows(const bool *is_long)
{
    pl_bytes rows = {0};
    char text[128];
    for (size_t i = 0; i < ITEMS; i++) {
        size_t n = is_long[i] ? 100 : 1; /* the model has 96 positions */
        memset(text, 'a', n);
        text[n] = 0;
        OK(pl_bytes_format(&rows, "{\"t\":\"%s\",\"l\":%d}\n", text, (int)(i % 2)));
    }
    write_file("rows.jsonl", rows.data);
    write_file("rows.yaml", "include: base.yaml\ntask: rows\ntest_split: rows.jsonl\n");
    pl_bytes_free(&rows);
}

static void the_next_by_chance_stands_in(void **state)
{
    (void)state;
    size_t items[ITEMS], chance[ITEMS], wanted[ITEMS], n = 0;
    bool is_long[ITEMS] = {false};
    pl_spec *spec;
    pl_arena *arena;
    pl__items built;
    for (size_t i = 0; i < ITEMS; i++) items[i] = i;
    OK(pl_draw_captured(chance, items, ITEMS, KEPT, 1234));
    for (size_t i = 0; i < SKIPPED; i++) is_long[chance[3 * i]] = true;
    for (size_t i = 0; i < ITEMS; i++)
        if (!is_long[chance[i]]) wanted[n++] = chance[i];
    qsort(wanted, KEPT, sizeof *wanted, ascending);
    qsort(wanted + KEPT, n - KEPT, sizeof *wanted, ascending);
    put_rows(is_long);
    pl_plan *plan = plan_of(&spec, "name: e\nmodels: [m]\ntasks: [rows.yaml]\ntruncation: skip\n"
                                   "capture: {layers: [0], positions: [last], items: 20}\n"
                                   "arms: [{kind: prompt, shots: [0]}]\n");
    OK(pl_arena_create(&arena));
    OK(pl__items_build(&built, plan, &plan->units[0], arena));
    assert_int_equal(built.n_skipped, SKIPPED);
    assert_int_equal(built.n, n);
    for (size_t i = 0; i < n; i++) assert_int_equal(built.items[i].index, wanted[i]);
    pl_arena_free(arena);
    drop(plan, spec);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_next_by_chance_stands_in)};
    set_up();
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    remove_folder(root);
    return failures;
}
