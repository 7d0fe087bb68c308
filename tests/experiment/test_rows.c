/* Rows of the data before a model loads: bad ones are named by file and line; what stands in item and pool alike. */
#include "tests.h"

#include "base/file.h"
#include "experiment/rows.h"

typedef struct folder {
    char path[PL_PATH_MAX], task[PL_PATH_MAX];
} folder;

static void write_text(const folder *f, const char *name, const char *text)
{
    char path[PL_PATH_MAX];
    OK(pl_path(path, "%s/%s", f->path, name));
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
}

static const char head[] = "task: t\noutput_type: multiple_choice\ntest_split: d.jsonl\nfewshot_split: s.jsonl\n"
                           "doc_to_choice: ['no', 'yes']\ndoc_to_target: '{{label}}'\n";
static const char texts[] = "doc_to_text: \"Q: {{text|trim}}\\nA:\"\n";

static pl_task *open_task(folder *f, const char *more, const char *test, const char *pool)
{
    char yaml[2000];
    make_folder(f->path);
    snprintf(yaml, sizeof yaml, "%s%s", head, more);
    write_text(f, "t.yaml", yaml);
    write_text(f, "d.jsonl", test);
    write_text(f, "s.jsonl", pool);
    OK(pl_path(f->task, "%s/t.yaml", f->path));
    pl_task *task = NULL;
    OK(pl_task_open(&task, f->task));
    return task;
}

/* All items, all templates. */
static pl_status check(pl_rows *rows, const pl_task *task, size_t k, pl_arena *arena)
{
    size_t *items;
    const pl_template *templates[8];
    OK(pl_arena_new(arena, &items, task->test->n)); /* the rows borrow them */
    for (size_t i = 0; i < task->test->n; i++) items[i] = i;
    for (size_t i = 0; i < task->n_templates; i++) templates[i] = &task->templates[i];
    return pl_rows_check(rows, task, templates, task->n_templates, items, task->test->n, k, arena);
}

static void close_task(folder *f, pl_task *task, pl_arena *arena)
{
    pl_arena_free(arena);
    pl_task_free(task);
    remove_folder(f->path);
}

/* The last row is the bad one. */
static void refused(const char *more, const char *test, const char *pool, const char *place, const char *part)
{
    folder f;
    pl_rows rows;
    pl_arena *arena;
    pl_task *task = open_task(&f, more, test, pool);
    OK(pl_arena_create(&arena));
    REFUSED(check(&rows, task, 1, arena), PL_E_INPUT, part);
    if (!strstr(pl_error_text(), place)) fail_msg("expected '%s' in: %s", place, pl_error_text());
    close_task(&f, task, arena);
}

#define GOOD "{\"text\": \"a\", \"label\": 0}\n{\"text\": \"b\", \"label\": 1}\n"
#define POOL "{\"text\": \"c\", \"label\": 0}\n{\"text\": \"d\", \"label\": 1}\n"

static void test_bad_rows(void **state)
{
    (void)state;
    refused(texts, GOOD "{\"text\": \"x\", \"label\": -1}\n", POOL, "d.jsonl:3: ", "label '-1' is outside");
    refused(texts, GOOD "{\"text\": \"x\", \"label\": \"\"}\n", POOL, "d.jsonl:3: ", "outside");
    refused(texts, GOOD "{\"label\": 1}\n", POOL, "d.jsonl:3: ", "text");
    refused(texts, GOOD, POOL "{\"text\": \"x\", \"label\": 2}\n", "s.jsonl:3: ", "label '2' is outside");
    refused(texts, GOOD, POOL "{\"label\": 0}\n", "s.jsonl:3: ", "text");
    /* Only the second template shows the field that is not there. */
    refused("plumb: {templates: [{name: a, role: id, doc_to_text: '{{text}}:'}, {name: b, role: id, doc_to_text: "
            "'{{more}}:'}]}\n",
            "{\"text\": \"a\", \"label\": 0, \"more\": \"m\"}\n" GOOD,
            "{\"text\": \"c\", \"label\": 0, \"more\": \"m\"}\n", "d.jsonl:2: ", "more");
}

/* A pool without shots drawn from it is left alone. */
static void test_unused_pool(void **state)
{
    (void)state;
    folder f;
    pl_rows rows;
    pl_arena *arena;
    pl_task *task = open_task(&f, texts, GOOD, POOL "{\"text\": \"x\", \"label\": 7}\n");
    OK(pl_arena_create(&arena));
    OK(check(&rows, task, 0, arena));
    close_task(&f, task, arena);
}

/* Rows that read like the item: another column, other order, blanks, case, label as a text. The same question with
 * another answer gives nothing away. */
static void test_twins(void **state)
{
    (void)state;
    static const char pool[] =
        "{\"text\": \"Item  0\", \"label\": 0, \"idx\": 9}\n{\"label\": 0, \"text\": \"item 0 \"}\n"
        "{\"text\": \"ITEM\\u00a00\", \"label\": \"no\"}\n{\"text\": \"item 0\", \"label\": 1}\n"
        "{\"text\": \"\\u00c9cole\", \"label\": 1}\n{\"text\": \"s\", \"label\": 1}\n";
    folder f;
    pl_rows rows;
    pl_arena *arena;
    pl_task *task = open_task(&f, "doc_to_text: \"Q: {{text|trim}}\\nA:\"\n",
                              "{\"text\": \"item 0\", \"label\": 0}\n{\"text\": \"\\u00e9cole\", \"label\": 1}\n"
                              "{\"text\": \"other\", \"label\": 1}\n",
                              pool);
    OK(pl_arena_create(&arena));
    OK(check(&rows, task, 2, arena));
    static const bool wanted[3][6] = {{true, true, true, false, false, false},
                                      {false, false, false, false, true, false}};
    for (size_t i = 0; i < 3; i++)
        for (size_t r = 0; r < 6; r++) assert_int_equal(pl_rows_give_away(&rows, 0, i, r), wanted[i][r]);
    assert_int_equal(rows.n_twins, 2);
    assert_int_equal(rows.first_twin, 0);
    assert_int_equal(rows.same[1], 0);
    assert_int_equal(rows.same[2], 0);
    assert_int_equal(rows.same[3], 3);
    REFUSED(check(&rows, task, 4, arena), PL_E_INPUT, "only 3 shots are left");
    close_task(&f, task, arena);
}

/* Rows of the item's group give it away; some of the data is evaluated. */
static void test_groups(void **state)
{
    (void)state;
    folder f;
    pl_rows rows;
    pl_arena *arena;
    static const size_t items[] = {0, 2};
    pl_task *task = open_task(&f, "doc_to_text: '{{text}}'\nplumb: {group: g}\n",
                              "{\"text\": \"a\", \"label\": 0, \"g\": {\"x\": 1, \"y\": 2}}\n"
                              "{\"text\": \"broken\", \"label\": 9}\n"
                              "{\"text\": \"b\", \"label\": 1, \"g\": 1}\n",
                              "{\"text\": \"c\", \"label\": 0, \"g\": {\"y\": 2, \"x\": 1}}\n"
                              "{\"text\": \"d\", \"label\": 1, \"g\": 1.0}\n"
                              "{\"text\": \"e\", \"label\": 1, \"g\": 1}\n");
    const pl_template *t = task->templates;
    OK(pl_arena_create(&arena));
    OK(pl_rows_check(&rows, task, &t, 1, items, 2, 2, arena));
    static const bool wanted[2][3] = {{true, false, false}, {false, false, true}};
    for (size_t i = 0; i < 2; i++)
        for (size_t r = 0; r < 3; r++) assert_int_equal(pl_rows_give_away(&rows, 0, items[i], r), wanted[i][r]);
    assert_int_equal(rows.labels[0], 0);
    assert_int_equal(rows.labels[2], 1);
    REFUSED(pl_rows_check(&rows, task, &t, 1, items, 2, 3, arena), PL_E_INPUT, "only 2 shots are left");
    REFUSED(check(&rows, task, 1, arena), PL_E_INPUT, "d.jsonl:2: no field 'g', by which task t groups its items");
    close_task(&f, task, arena);
}

/* Near-duplicates are told by the items' own words, not by the template's. */
static void test_near(void **state)
{
    (void)state;
    folder f;
    pl_rows rows;
    pl_arena *arena;
    pl_task *task =
        open_task(&f,
                  "doc_to_text: \"Read the following review with care and think: {{text}}\\nIs it a good one? "
                  "Answer with one word:\"\n",
                  "{\"text\": \"a film about nothing at all that I liked\", \"label\": 0}\n"
                  "{\"text\": \"bad\", \"label\": 1}\n",
                  "{\"text\": \"A film about nothing at all that I liked.\", \"label\": 1}\n"
                  "{\"text\": \"good\", \"label\": 1}\n");
    OK(pl_arena_create(&arena));
    OK(check(&rows, task, 1, arena));
    assert_int_equal(rows.near.n, 1);
    assert_int_equal(rows.near.first_item, 0);
    assert_int_equal(rows.near.first_row, 0);
    assert_int_equal(rows.n_twins, 0);
    close_task(&f, task, arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_bad_rows), cmocka_unit_test(test_unused_pool),
                                       cmocka_unit_test(test_twins), cmocka_unit_test(test_groups),
                                       cmocka_unit_test(test_near)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
