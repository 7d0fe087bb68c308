#include "task/exact_match.h"

#include <stdlib.h>
#include <string.h>

#include "base/json_build.h"
#include "base/path.h"
#include "jinja/letters.h"
#include "task/python_regex.h"

enum { MAX_REGEXES = 64 };

struct pl_exact_match {
    bool ignore_case, ignore_punctuation, ignore_numbers;
    size_t n_regexes;
    pl__python_regex *regexes[MAX_REGEXES];
    char *sources[MAX_REGEXES];
};

/* ---- from YAML ---- */

static pl_status read_flag(bool *out, const pl_yaml_node *entry, const char *key)
{
    const pl_yaml_node *node = pl_yaml_get(entry, key);
    return node ? pl_yaml_to_bool(out, node) : PL_OK;
}

static pl_status read_regexes(pl_exact_match *metric, const pl_yaml_node *list)
{
    if (list->kind != PL_YAML_LIST || list->n > MAX_REGEXES)
        return pl_yaml_fail(list, "regexes_to_ignore: expected a list of up to %d patterns", (int)MAX_REGEXES);
    for (size_t i = 0; i < list->n; i++) {
        char where[PL_PATH_MAX];
        const char *pattern;
        PL_TRY(pl_yaml_to_text(&pattern, list->items[i]));
        PL_TRY(
            pl_path(where, "%s:%zu:%zu: regexes_to_ignore", list->file, list->items[i]->line, list->items[i]->column));
        PL_TRY(pl__python_regex_compile(&metric->regexes[i], pattern, where));
        metric->n_regexes = i + 1;
        PL_TRY(pl_copy_text(&metric->sources[i], pattern));
    }
    return PL_OK;
}

static pl_status read_flags(pl_exact_match *metric, const pl_yaml_node *entry)
{
    const pl_yaml_node *regexes = pl_yaml_get(entry, "regexes_to_ignore");
    PL_TRY(read_flag(&metric->ignore_case, entry, "ignore_case"));
    PL_TRY(read_flag(&metric->ignore_punctuation, entry, "ignore_punctuation"));
    PL_TRY(read_flag(&metric->ignore_numbers, entry, "ignore_numbers"));
    return regexes ? read_regexes(metric, regexes) : PL_OK;
}

pl_status pl_exact_match_make(pl_exact_match **out, const pl_yaml_node *entry)
{
    *out = NULL;
    pl_exact_match *metric = NULL;
    PL_TRY(pl_new(&metric, 1));
    pl_status status = entry ? read_flags(metric, entry) : PL_OK;
    if (status == PL_OK)
        *out = metric;
    else
        pl_exact_match_free(metric);
    return status;
}

void pl_exact_match_free(pl_exact_match *metric)
{
    if (!metric) return;
    for (size_t i = 0; i < MAX_REGEXES; i++) {
        pl__python_regex_free(metric->regexes[i]);
        free(metric->sources[i]);
    }
    free(metric);
}

pl_status pl_exact_match_flags(const pl_exact_match *metric, json_t **out)
{
    pl_json_builder b;
    pl_json_begin(&b);
    if (metric->ignore_case) pl_json_put_bool(&b, "ignore_case", true);
    if (metric->ignore_numbers) pl_json_put_bool(&b, "ignore_numbers", true);
    if (metric->ignore_punctuation) pl_json_put_bool(&b, "ignore_punctuation", true);
    if (metric->n_regexes) {
        pl_json_open_list(&b, "regexes_to_ignore");
        for (size_t i = 0; i < metric->n_regexes; i++) pl_json_put_text(&b, NULL, metric->sources[i]);
        pl_json_close(&b);
    }
    return pl_json_end(&b, out, "the flags of exact_match");
}

/* ---- comparing ---- */

static bool is_punctuation(char c)
{
    return c && strchr("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", c);
}

static void take_out(pl_bytes *text, bool punctuation, bool numbers)
{
    size_t n = 0;
    for (size_t i = 0; i < text->size; i++) {
        char c = text->data[i];
        if ((punctuation && is_punctuation(c)) || (numbers && c >= '0' && c <= '9')) continue;
        text->data[n++] = c;
    }
    text->size = n;
    if (text->data) text->data[n] = 0;
}

/* A text as the flags leave it. */
static pl_status changed(const pl_exact_match *metric, pl_bytes *out, const char *text, size_t size)
{
    pl_bytes next = {0};
    pl_status status;
    PL_GOTO(status, done, pl_bytes_append(out, text, size));
    for (size_t i = 0; i < metric->n_regexes; i++) {
        pl_bytes_clear(&next);
        PL_GOTO(status, done,
                pl__python_regex_remove(metric->regexes[i], &next, out->data ? out->data : "", out->size));
        pl_bytes swapped = *out;
        *out = next;
        next = swapped;
    }
    if (metric->ignore_case) {
        pl_bytes_clear(&next);
        PL_GOTO(status, done, pl_lower(&next, out->data ? out->data : "", out->size));
        pl_bytes swapped = *out;
        *out = next;
        next = swapped;
    }
    take_out(out, metric->ignore_punctuation, metric->ignore_numbers);
done:
    pl_bytes_free(&next);
    return status;
}

pl_status pl_exact_match_is(const pl_exact_match *metric, bool *out, const char *text, size_t size, const char *target)
{
    pl_bytes a = {0}, b = {0};
    pl_status status;
    PL_GOTO(status, done, changed(metric, &a, text, size));
    PL_GOTO(status, done, changed(metric, &b, target, strlen(target)));
    *out = a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
done:
    pl_bytes_free(&a);
    pl_bytes_free(&b);
    return status;
}
