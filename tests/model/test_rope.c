/* Every rotary configuration that loads, against transformers itself (golden/models/make_rope.py): frequencies and
 * attention factor at each length that plumb lets in, and nothing that transformers would not run.
 *
 * A frequency passes within 2e-6 of its own size: a power and two or three roundings in float32 on both sides. */
#include <math.h>

#include "base/file.h"
#include "base/json.h"
#include "model/config.h"
#include "tests.h"

#define GOLDEN PLUMB_SOURCE_DIR "/tests/golden/models/rope.json"
static const double TOLERANCE = 2e-6;

static bool is_close(double a, double b)
{
    return fabs(a - b) <= TOLERANCE * fabs(b);
}

/* config.json of one case: the sizes of all, and its keys. */
static pl_status parse(pl_config *out, const json_t *sizes, const json_t *keys)
{
    json_t *object = json_deep_copy(sizes);
    assert_int_equal(json_object_update(object, (json_t *)(uintptr_t)keys), 0);
    char *text = json_dumps(object, 0);
    pl_status status = pl__config_parse(out, text, strlen(text), "config.json");
    free(text);
    json_decref(object);
    return status;
}

/* Whether the table is what plumb computes for an input of so many tokens. */
static bool is_same(const pl_config *c, const json_t *table, size_t tokens)
{
    float frequency[4];
    size_t n = c->rope.width / 2;
    const bool far = pl_is_far(c->border, tokens);
    if (n > 4 || json_array_size(table) != n + 1) return false;
    pl__rope_frequencies(frequency, &c->rope, far);
    bool same = is_close(c->rope.attention_factor, json_number_value(json_array_get(table, 0)));
    for (size_t i = 0; i < n; i++)
        same = same && is_close((double)frequency[i], json_number_value(json_array_get(table, i + 1)));
    return same;
}

/* What plumb refuses although transformers runs it; any other refusal is a fault. */
static const char *const refusals[] = {
    "settings for each kind of layer are not supported",
    "rope type 'proportional' is not supported",
};

static bool is_known(const char *message)
{
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
        if (strstr(message, refusals[i])) return true;
    return false;
}

static void test_against_transformers(void **state)
{
    (void)state;
    json_t *root;
    OK(pl_json_read(&root, GOLDEN, 1 << 22));
    const json_t *cases = json_object_get(root, "cases"), *tables = json_object_get(root, "tables"),
                 *sizes = json_object_get(root, "sizes");
    size_t compared = 0, beyond = 0, refused = 0, wrong = 0;
    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *keys = json_array_get(json_array_get(cases, i), 0);
        json_t *runs = json_array_get(json_array_get(cases, i), 1);
        bool is_run = json_object_size(runs) > 0;
        pl_config c;
        char *text = json_dumps(keys, JSON_COMPACT);
        const char *fault = NULL, *length;
        json_t *table;
        if (parse(&c, sizes, keys) != PL_OK) {
            refused += is_run;
            if (is_run && !is_known(pl_error_text())) fault = pl_error_text();
        } else if (!is_run) {
            fault = "transformers does not run it, plumb does";
        } else {
            json_object_foreach(runs, length, table)
            {
                const size_t tokens = strtoul(length, NULL, 10);
                if (tokens > c.max_positions) continue;
                compared++;
                beyond += pl_is_far(c.border, tokens);
                if (!is_same(&c, json_array_get(tables, (size_t)json_integer_value(table)), tokens)) fault = length;
            }
        }
        if (fault) print_error("%s: %s\n", text, fault);
        wrong += fault != NULL;
        free(text);
    }
    printf("%zu configurations: %zu lengths compared, %zu of them far, %zu refused that transformers runs\n",
           json_array_size(cases), compared, beyond, refused);
    assert_int_equal(wrong, 0);
    assert_true(compared > 2500 && beyond > 50);
    assert_int_equal(refused, sizeof refusals / sizeof *refusals);
    json_decref(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_against_transformers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
