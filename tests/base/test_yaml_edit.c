/* Changing YAML and writing it back: what is written reads back as the same keys, texts and values, whatever they hold;
 * an error about an override names it. */
#include "tests.h"

#include "base/environment.h"
#include "base/json.h"
#include "base/random.h"
#include "base/yaml_edit.h"

static const char *const HARD[] = {
    "",
    " ",
    "  x",
    "x  ",
    "\t",
    "\tx",
    "x\t",
    "- x",
    "-",
    "- ",
    "--",
    "---",
    "--- x",
    "...",
    "... x",
    "?",
    "? x",
    "?x",
    ":",
    ": x",
    "x: y",
    "x:",
    ":x",
    "#",
    "# x",
    "x # y",
    "x#y",
    "\"",
    "'",
    "\"x\"",
    "'x'",
    "it's",
    "\\",
    "\\n",
    "\n",
    "\n\n",
    "a\nb",
    "a\n\n b\n",
    "\na",
    "a\n",
    "\r",
    "a\r\nb",
    "~",
    "null",
    "Null",
    "NULL",
    "true",
    "True",
    "false",
    "FALSE",
    "yes",
    "no",
    "on",
    "1",
    "-1",
    "+1",
    "0",
    "007",
    "0x1F",
    "0o17",
    "1.5",
    ".5",
    "1.",
    "1e3",
    "1_000",
    ".inf",
    "-.INF",
    ".nan",
    "12e",
    "99999999999999999999",
    "1:30",
    "2001-01-01",
    "{",
    "}",
    "{}",
    "[",
    "]",
    "[]",
    "{a: b}",
    "[a, b]",
    ",",
    "a, b",
    "&a",
    "*a",
    "!t",
    "!!str x",
    "|",
    "|-",
    ">",
    "> x",
    "%",
    "%YAML 1.2",
    "@",
    "@x",
    "`",
    "`x`",
    "=",
    "<<",
    "$",
    "${",
    "$HOME",
    "a/b.c-d_e",
    "\x01",
    "\x1b[0m",
    "\x7f",
    "a\x02"
    "b",
    "\xC2\x80",
    "\xC2\x85",
    "a\xC2\x85"
    "b",
    "\xC2\xA0",
    "\xC2\xA0x",
    "\xC3\xA9t\xC3\xA9",
    "\xE2\x80\xA8",
    "a\xE2\x80\xA9"
    "b",
    "\xEF\xBB\xBF",
    "\xEF\xBB\xBFx",
    "\xEF\xBF\xBD",
    "\xEF\xBF\xBE",
    "\xEF\xBF\xBF",
    "\xED\x9F\xBF",
    "\xEE\x80\x80",
    "\xF0\x9F\x98\x80",
    "\xF4\x8F\xBF\xBF",
    "\xE6\x97\xA5\xE6\x9C\xAC",
    "e\xCC\x81",
    "{{ text }}\nA:",
    "a  b",
    "a - b",
    "a ? b",
    "key: |\n  x\n",
    "...\n---\n",
};
enum { N_HARD = sizeof HARD / sizeof *HARD };

static uint32_t below(uint64_t seed, uint32_t stream, uint32_t bound)
{
    return pl_random_below(seed, PL_RANDOM_TEST, stream, 0, bound);
}

/* Some hard text, or up to five of them run together, or one of many letters. */
static pl_status make_text(char **out, uint64_t seed, pl_arena *arena)
{
    pl_bytes text = {0};
    uint32_t n = below(seed, 0, 8) ? 1 + below(seed, 1, 5) : 400;
    for (uint32_t i = 0; i < n; i++) OK(pl_bytes_text(&text, HARD[below(seed, 2 + i, N_HARD)]));
    pl_status status = pl_arena_text(arena, out, text.data, text.size);
    pl_bytes_free(&text);
    return status;
}

static pl_yaml_node *make_node(uint64_t seed, int depth, pl_arena *arena)
{
    pl_yaml_node *node;
    char *text;
    OK(pl_arena_new(arena, &node, 1));
    uint32_t kind = depth > 3 ? 0 : below(seed, 500, 4);
    *node = (pl_yaml_node){.kind = kind < 2 ? PL_YAML_SCALAR : kind == 2 ? PL_YAML_LIST : PL_YAML_MAP, .file = "made"};
    if (node->kind == PL_YAML_SCALAR) {
        OK(make_text(&text, seed, arena));
        node->text = text;
        node->quoted = below(seed, 501, 2);
        return node;
    }
    node->n = below(seed, 502, 5);
    OK(pl_arena_new(arena, &node->items, node->n));
    OK(pl_arena_new(arena, &node->keys, node->n));
    for (size_t i = 0; i < node->n; i++) {
        node->items[i] = make_node(seed * 31 + i + 1, depth + 1, arena);
        if (node->kind != PL_YAML_MAP) continue;
        OK(pl_arena_new(arena, &node->keys[i], 1));
        OK(make_text(&text, seed * 37 + i + 5, arena));
        *node->keys[i] = (pl_yaml_node){.kind = PL_YAML_SCALAR, .file = "made", .text = text};
        for (size_t k = 0; k < i; k++)
            if (strcmp(node->keys[k]->text, text) == 0) node->n = i; /* keys are different */
    }
    return node;
}

static void check_same(const pl_yaml_node *a, const pl_yaml_node *b, const char *emitted)
{
    if (a->kind != b->kind || a->n != b->n) fail_msg("another shape:\n%s", emitted);
    if (a->kind == PL_YAML_SCALAR) {
        json_t *x, *y;
        /* What is no value of JSON (.inf, many digits) is none on both sides. */
        bool whole = pl_yaml_to_json(&x, a) == PL_OK, again = pl_yaml_to_json(&y, b) == PL_OK;
        if (strcmp(a->text, b->text) != 0 || whole != again || (whole && !json_equal(x, y)))
            fail_msg("'%s' reads back as '%s':\n%s", a->text, b->text, emitted);
        json_decref(x);
        json_decref(y);
    }
    for (size_t i = 0; i < a->n; i++) {
        check_same(a->items[i], b->items[i], emitted);
        if (a->kind == PL_YAML_MAP && strcmp(a->keys[i]->text, b->keys[i]->text) != 0)
            fail_msg("key '%s' reads back as '%s'", a->keys[i]->text, b->keys[i]->text);
    }
}

static void check_round(const pl_yaml_node *node)
{
    pl_bytes text = {0}, again = {0};
    pl_yaml *doc;
    OK(pl_yaml_emit(&text, node));
    if (pl_yaml_parse(&doc, text.data, text.size, "emitted") != PL_OK) fail_msg("%s\n%s", pl_error_text(), text.data);
    check_same(node, pl_yaml_root(doc), text.data);
    OK(pl_yaml_emit(&again, pl_yaml_root(doc)));
    assert_int_equal(again.size, text.size);
    assert_memory_equal(again.data, text.data, text.size);
    pl_yaml_free(doc);
    pl_bytes_free(&text);
    pl_bytes_free(&again);
}

static void test_every_hard_text_reads_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_HARD; i++)
        for (int quoted = 0; quoted < 2; quoted++) {
            /* As a value, as an entry of a list, and as a key. */
            pl_yaml_node text = {.text = HARD[i], .quoted = quoted, .file = "made"}, *items[] = {&text};
            pl_yaml_node list = {.kind = PL_YAML_LIST, .n = 1, .items = items, .file = "made"}, *lists[] = {&list};
            pl_yaml_node map = {.kind = PL_YAML_MAP, .n = 1, .keys = items, .items = lists, .file = "made"};
            pl_yaml_node flat = {.kind = PL_YAML_MAP, .n = 1, .keys = items, .items = items, .file = "made"};
            check_round(&map);
            check_round(&flat);
            check_round(&list);
        }
}

static void test_random_trees_read_back(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 3000; seed++) {
        pl_arena *arena;
        OK(pl_arena_create(&arena));
        pl_yaml_node *node = make_node(seed * 1000003, 0, arena);
        if (node->kind != PL_YAML_SCALAR) check_round(node); /* an empty root is an empty map */
        pl_arena_free(arena);
    }
}

/* What the environment gives is frozen as it was. */
static void test_expanded_values_read_back(void **state)
{
    (void)state;
    static const char source[] = "path: ${PLUMB_TEST_HARD}\nlist: [\"${PLUMB_TEST_HARD}/x\", 5]\n";
    for (size_t i = 0; i < N_HARD; i++) {
        pl_yaml *doc;
        pl_arena *arena;
        pl_yaml_node *copy;
        setenv("PLUMB_TEST_HARD", HARD[i], 1);
        OK(pl_arena_create(&arena));
        OK(pl_yaml_parse(&doc, source, strlen(source), "f.yaml"));
        OK(pl_yaml_copy(&copy, pl_yaml_root(doc), arena));
        OK(pl_yaml_expand(copy, arena));
        assert_string_equal(pl_yaml_get(copy, "path")->text, HARD[i]);
        check_round(copy);
        pl_yaml_free(doc);
        pl_arena_free(arena);
    }
    unsetenv("PLUMB_TEST_HARD");
    pl_bytes out = {0};
    pl_yaml_node bad = {.text = "\xff", .file = "made"};
    REFUSED(pl_yaml_emit(&out, &bad), PL_E_INPUT, "is not UTF-8");
    pl_bytes_free(&out);
}

static void test_overrides(void **state)
{
    (void)state;
    static const char source[] = "items: 5\narms: [{shots: [0, 1], kind: prompt}]\n";
    static const struct {
        const char *assignment, *json, *message;
    } cases[] = {
        {"items=7", "{\"items\": 7, \"arms\": [{\"shots\": [0, 1], \"kind\": \"prompt\"}]}", NULL},
        {"items=", "{\"items\": null, \"arms\": [{\"shots\": [0, 1], \"kind\": \"prompt\"}]}", NULL},
        {"items=\"7\"", "{\"items\": \"7\", \"arms\": [{\"shots\": [0, 1], \"kind\": \"prompt\"}]}", NULL},
        {"arms.0.shots=[4]", "{\"items\": 5, \"arms\": [{\"shots\": [4], \"kind\": \"prompt\"}]}", NULL},
        {"arms.0.shots.1=x=y", "{\"items\": 5, \"arms\": [{\"shots\": [0, \"x=y\"], \"kind\": \"prompt\"}]}", NULL},
        {"a.b=c", "{\"items\": 5, \"arms\": [{\"shots\": [0, 1], \"kind\": \"prompt\"}], \"a\": {\"b\": \"c\"}}", NULL},
        {"items", NULL, "'items': expected key=value"},
        {"=5", NULL, "'=5': expected key=value"},
        {"arms.1.shots=0", NULL, "override arms.1.shots=0: '1' is no index of a list of 1"},
        {"items.x=0", NULL, "override items.x=0: 'x' has nothing to stand in"},
        {"items=[1", NULL, "override items=[1: not valid YAML"},
        {"items=*a", NULL, "override items=*a: alias *a"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pl_yaml *doc;
        pl_arena *arena;
        pl_yaml_node *copy;
        OK(pl_arena_create(&arena));
        OK(pl_yaml_parse(&doc, source, strlen(source), "f.yaml"));
        OK(pl_yaml_copy(&copy, pl_yaml_root(doc), arena));
        pl_status status = pl_yaml_override(copy, cases[i].assignment, arena);
        if (cases[i].message) {
            assert_int_not_equal(status, PL_OK);
            if (!strstr(pl_error_text(), cases[i].message)) fail_msg("%s: %s", cases[i].assignment, pl_error_text());
        } else {
            OK(status);
            json_t *found, *expected = json_loads(cases[i].json, 0, NULL);
            OK(pl_yaml_to_json(&found, copy));
            if (!json_equal(found, expected)) fail_msg("%s", cases[i].assignment);
            json_decref(found);
            json_decref(expected);
            check_round(copy);
        }
        pl_yaml_free(doc);
        pl_arena_free(arena);
    }
}

/* An error that a reader finds later names the assignment, not a place in a file that has none. */
static void test_errors_about_overrides_name_them(void **state)
{
    (void)state;
    pl_yaml *doc;
    pl_arena *arena;
    pl_yaml_node *copy;
    size_t size;
    static const pl_yaml_key known[] = {{"items", "", ""}, {NULL}};
    OK(pl_arena_create(&arena));
    OK(pl_yaml_parse(&doc, "items: 5\n", 9, "f.yaml"));
    OK(pl_yaml_copy(&copy, pl_yaml_root(doc), arena));
    OK(pl_yaml_override(copy, "items=many", arena));
    OK(pl_yaml_override(copy, "itmes=3", arena));
    REFUSED(pl_yaml_to_size(&size, pl_yaml_get(copy, "items")), PL_E_INPUT, "override items=many: expected an integer");
    REFUSED(pl_yaml_check_keys(copy, known), PL_E_INPUT,
            "override itmes=3: unknown key 'itmes'; did you mean 'items'?");
    pl_yaml_free(doc);
    pl_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_hard_text_reads_back),       cmocka_unit_test(test_random_trees_read_back),
        cmocka_unit_test(test_expanded_values_read_back),        cmocka_unit_test(test_overrides),
        cmocka_unit_test(test_errors_about_overrides_name_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
