/* The filters, methods, functions and tests of the template language: one table row each, found by name. */
#include <string.h>

#include "jinja/tree.h"

static const pl__jinja_filter FILTERS[] = {
    {"trim", {"chars", NULL}, 0, pl__jinja_trim},
    {"lower", {NULL}, 0, pl__jinja_lower},
    {"upper", {NULL}, 0, pl__jinja_upper},
    {"capitalize", {NULL}, 0, pl__jinja_capitalize},
    {"title", {NULL}, 0, pl__jinja_title},
    {"truncate", {"length", "killwords", "end", "leeway", NULL}, 0, pl__jinja_truncate},
    {"replace", {"old", "new", "count", NULL}, 2, pl__jinja_replace},
    {"join", {"d", "attribute", NULL}, 0, pl__jinja_join},
    {"length", {NULL}, 0, pl__jinja_length_filter},
    {"count", {NULL}, 0, pl__jinja_length_filter},
    {"default", {"default_value", "boolean", NULL}, 0, pl__jinja_default},
    {"d", {"default_value", "boolean", NULL}, 0, pl__jinja_default},
    {"first", {NULL}, 0, pl__jinja_first_filter},
    {"last", {NULL}, 0, pl__jinja_last_filter},
    {"list", {NULL}, 0, pl__jinja_list_filter},
    {"reverse", {NULL}, 0, pl__jinja_reverse},
    {"map", {"", "", "", "", "", "attribute", "default", NULL}, 0, pl__jinja_map},
    {"select", {"", "", NULL}, 0, pl__jinja_select},
    {"reject", {"", "", NULL}, 0, pl__jinja_reject},
    {"selectattr", {"", "", "", NULL}, 0, pl__jinja_select_attribute},
    {"rejectattr", {"", "", "", NULL}, 0, pl__jinja_reject_attribute},
    {"sort", {"reverse", "case_sensitive", "attribute", NULL}, 0, pl__jinja_sort},
    {"unique", {"case_sensitive", "attribute", NULL}, 0, pl__jinja_unique},
    {"min", {"case_sensitive", "attribute", NULL}, 0, pl__jinja_min},
    {"max", {"case_sensitive", "attribute", NULL}, 0, pl__jinja_max},
    {"sum", {"attribute", "start", NULL}, 0, pl__jinja_sum},
    {"items", {NULL}, 0, pl__jinja_items},
    {"int", {"default", NULL}, 0, pl__jinja_int},
    {"float", {"default", NULL}, 0, pl__jinja_float},
    {"round", {"precision", "method", NULL}, 0, pl__jinja_round},
    {"abs", {NULL}, 0, pl__jinja_abs},
    {"string", {NULL}, 0, pl__jinja_string},
    {"wordcount", {NULL}, 0, pl__jinja_word_count},
    {"indent", {"width", "first", "blank", NULL}, 0, pl__jinja_indent},
    {"format", {"", "", "", "", "", "", "", "", NULL}, 0, pl__jinja_format_filter},
    {"tojson", {NULL}, 0, pl__jinja_tojson},
    {"safe", {NULL}, 0, pl__jinja_safe},
    {"dictsort", {"case_sensitive", "by", "reverse", NULL}, 0, pl__jinja_dictsort},
};

/* Of chat templates, before those. */
static const pl__jinja_filter CHAT_FILTERS[] = {
    {"tojson", {"ensure_ascii", "indent", "separators", "sort_keys", NULL}, 0, pl__jinja_chat_tojson},
};

static const pl__jinja_filter METHODS[] = {
    {"strip", {"", NULL}, 0, pl__jinja_strip},
    {"lstrip", {"", NULL}, 0, pl__jinja_lstrip},
    {"rstrip", {"", NULL}, 0, pl__jinja_rstrip},
    {"split", {"sep", "maxsplit", NULL}, 0, pl__jinja_split},
    {"rsplit", {"sep", "maxsplit", NULL}, 0, pl__jinja_rsplit},
    {"splitlines", {"keepends", NULL}, 0, pl__jinja_splitlines},
    {"replace", {"", "", "", NULL}, 2, pl__jinja_replace_method},
    {"lower", {NULL}, 0, pl__jinja_lower_method},
    {"upper", {NULL}, 0, pl__jinja_upper_method},
    {"title", {NULL}, 0, pl__jinja_title_method},
    {"capitalize", {NULL}, 0, pl__jinja_capitalize_method},
    {"index", {"", "", "", NULL}, 1, pl__jinja_index},
    {"find", {"", "", "", NULL}, 1, pl__jinja_find},
    {"rindex", {"", "", "", NULL}, 1, pl__jinja_rindex},
    {"rfind", {"", "", "", NULL}, 1, pl__jinja_rfind},
    {"count", {"", "", "", NULL}, 1, pl__jinja_count},
    {"startswith", {"", "", "", NULL}, 1, pl__jinja_startswith},
    {"endswith", {"", "", "", NULL}, 1, pl__jinja_endswith},
    {"removeprefix", {"", NULL}, 1, pl__jinja_removeprefix},
    {"removesuffix", {"", NULL}, 1, pl__jinja_removesuffix},
    {"format", {"", "", "", "", "", "", "", "", NULL}, 0, pl__jinja_format_method},
    {"join", {"", NULL}, 1, pl__jinja_join_method},
    {"isdigit", {NULL}, 0, pl__jinja_isdigit},
    {"isalpha", {NULL}, 0, pl__jinja_isalpha},
    {"keys", {NULL}, 0, pl__jinja_keys},
    {"values", {NULL}, 0, pl__jinja_values},
    {"items", {NULL}, 0, pl__jinja_items_method},
    {"get", {"", "", NULL}, 1, pl__jinja_get},
};

static const pl__jinja_filter FUNCTIONS[] = {
    {"range", {"", "", "", NULL}, 1, pl__jinja_range},
};

static const pl__jinja_filter CHAT_FUNCTIONS[] = {
    {"raise_exception", {"message", NULL}, 1, pl__jinja_raise},
    {"strftime_now", {"format", NULL}, 1, pl__jinja_strftime},
};

static const pl__jinja_filter *find(const pl__jinja_filter *table, size_t n, const char *name, size_t size)
{
    for (size_t i = 0; i < n; i++)
        if (strlen(table[i].name) == size && memcmp(table[i].name, name, size) == 0) return &table[i];
    return NULL;
}

#define FIND(table) find(table, sizeof(table) / sizeof *(table), name, size)

const pl__jinja_filter *pl__jinja_filter_find(const pl_jinja *j, const char *name, size_t size)
{
    const pl__jinja_filter *found = j->is_chat ? FIND(CHAT_FILTERS) : NULL;
    return found ? found : FIND(FILTERS);
}

const pl__jinja_filter *pl__jinja_method_find(const char *name, size_t size)
{
    return FIND(METHODS);
}

const pl__jinja_filter *pl__jinja_function_find(const pl_jinja *j, const char *name, size_t size)
{
    const pl__jinja_filter *found = j->is_chat ? FIND(CHAT_FUNCTIONS) : NULL;
    return found ? found : FIND(FUNCTIONS);
}

const char *pl__jinja_filter_names(void)
{
    return "trim, lower, upper, capitalize, title, truncate, replace, join, length, count, default, first, last, list, "
           "reverse, map, select, reject, selectattr, rejectattr, sort, unique, min, max, sum, items, int, float, "
           "round, abs, string, wordcount, indent, format, tojson, safe, dictsort";
}

const char *pl__jinja_method_names(void)
{
    return "strip, lstrip, rstrip, split, rsplit, splitlines, replace, lower, upper, title, capitalize, index, find, "
           "rindex, rfind, count, startswith, endswith, removeprefix, removesuffix, format, join, isdigit, isalpha, "
           "keys, values, items, get";
}
