/* What transformers adds to jinja2 for chat templates: raise_exception, strftime_now and a tojson of its own
 * (transformers/utils/chat_template_utils.py). The day is given, not looked up: prompts must not change with it. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "jinja/python.h"
#include "jinja/tree.h"

/* raise_exception(message): the template refuses the chat. */
pl_status pl__jinja_raise(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments, json_t **out)
{
    pl_bytes text = {0};
    (void)value, (void)out;
    pl_status status = pl_jinja_text(j, at, arguments[0], &text);
    if (status == PL_OK) {
        j->run->refused = true;
        status = pl_jinja_fail(j, at, "the template refuses the chat: %s", text.size ? text.data : "(no reason given)");
    }
    pl_bytes_free(&text);
    return status;
}

static bool read_date(const char *date, struct tm *out)
{
    *out = (struct tm){.tm_isdst = 0};
    if (!date || sscanf(date, "%4d-%2d-%2d", &out->tm_year, &out->tm_mon, &out->tm_mday) != 3) return false;
    out->tm_year -= 1900;
    out->tm_mon -= 1;
    return timegm(out) != (time_t)-1; /* fills the day of the week and of the year */
}

/* strftime_now(format), at midnight of the rendering's day. */
pl_status pl__jinja_strftime(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments, json_t **out)
{
    struct tm day;
    char text[1024];
    const char *format = json_is_string(arguments[0]) ? json_string_value(arguments[0]) : NULL;
    (void)value;
    if (!format || pl__jinja_is_mark(j, arguments[0], PL__J_UNDEFINED))
        return pl_jinja_fail(j, at, "strftime_now: expected a format such as \"%%d %%b %%Y\"");
    if (!read_date(j->run->date, &day)) return pl_jinja_fail(j, at, "strftime_now: no day is given");
    if (!*format) return pl__jinja_new_text(j, at, out, "", 0);
    /* Of directives those that C and Python have in common and that need no more than a day. */
    for (const char *c = strchr(format, '%'); c; c = strchr(c + 2, '%'))
        if (!c[1] || !strchr("aAbBdeHIjmMpSuUwWyYxXcD%F-", c[1]) ||
            (c[1] == '-' && (!c[2] || !strchr("dmHIMSjy", c[2]))))
            return pl_jinja_fail(j, at, "strftime_now: directive '%%%c' is not supported", c[1] ? c[1] : ' ');
    size_t n = strftime(text, sizeof text, format, &day);
    if (n == 0) return pl_jinja_fail(j, at, "strftime_now: more than %zu letters", sizeof text - 1);
    return pl__jinja_new_text(j, at, out, text, n);
}

static bool is_on(const pl_jinja *j, const json_t *argument)
{
    return argument && pl__jinja_true(j, argument);
}

/* tojson(ensure_ascii=false, indent=none, separators=none, sort_keys=false): json.dumps, without jinja2's escapes. */
pl_status pl__jinja_chat_tojson(const pl_jinja *j, size_t at, const json_t *value, json_t *const *arguments,
                                json_t **out)
{
    enum { ASCII, INDENT, SEPARATORS, SORT, MAX_INDENT = 64 };
    json_t *separators = NULL;
    long long indent = -1;
    pl_python_style style = {.ascii = is_on(j, arguments[ASCII]), .sorted = is_on(j, arguments[SORT])};
    pl_status status;
    if (arguments[INDENT] && !json_is_null(arguments[INDENT]) &&
        (!pl__jinja_whole(arguments[INDENT], &indent) || indent < 0 || indent > MAX_INDENT)) {
        status = pl_jinja_fail(j, at, "tojson: indent: expected 0 to %d", (int)MAX_INDENT);
        goto done;
    }
    style.indent = (int)indent;
    style.comma = indent < 0 ? ", " : ",";
    style.colon = ": ";
    if (arguments[SEPARATORS] && !json_is_null(arguments[SEPARATORS])) {
        PL_GOTO(status, done, pl__jinja_elements(j, at, arguments[SEPARATORS], &separators));
        const json_t *comma = json_array_get(separators, 0), *colon = json_array_get(separators, 1);
        if (json_array_size(separators) != 2 || !json_is_string(comma) || !json_is_string(colon)) {
            status = pl_jinja_fail(j, at, "tojson: separators: expected two texts");
            goto done;
        }
        style.comma = json_string_value(comma);
        style.colon = json_string_value(colon);
    }
    status = pl__jinja_dumps(j, at, value, &style, out);
done:
    json_decref(separators);
    return status;
}
