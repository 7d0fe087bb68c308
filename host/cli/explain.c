/* plumb explain: what metrics are. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/definition.h"
#include "base/memory.h"
#include "base/nearest.h"
#include "base/terminal.h"
#include "cli/cli.h"

static pl_status find(pl_metric_id *out, const char *name)
{
    size_t least = PL_NEAR + 1;
    const char *near = NULL;
    for (pl_metric_id id = 0; id < PL_METRICS; id++) {
        const char *known = pl_metric_of(id)->name;
        size_t distance = pl_edit_distance(known, name);
        if (distance == 0) {
            *out = id;
            return PL_OK;
        }
        if (distance < least) {
            least = distance;
            near = known;
        }
    }
    if (near) return pl_fail(PL_E_USAGE, "'%s' is no metric; did you mean '%s'? plumb explain lists them", name, near);
    return pl_fail(PL_E_USAGE, "'%s' is no metric; plumb explain lists them", name);
}

/* "  label       text", broken at blanks to the width. */
static void print_field(const char *label, const char *text)
{
    enum { LABEL = 13 };
    const size_t width = pl_terminal_width(stdout) - LABEL;
    if (!*text) return;
    printf("  %-*s", LABEL - 2, label);
    while (strlen(text) > width) {
        size_t cut = width;
        while (cut > 0 && text[cut] != ' ') cut--;
        if (cut == 0) break;
        printf("%.*s\n%*s", (int)cut, text, LABEL, "");
        text += cut + 1;
    }
    printf("%s\n", text);
}

static void print_metric(pl_metric_id id)
{
    const pl_metric *m = pl_metric_of(id);
    const pl_definition *d = pl_definition_of(id);
    char range[96];
    printf("%s%s%s%s\n", m->name, *m->label ? " (" : "", m->label, *m->label ? ")" : "");
    print_field("is", m->meaning);
    print_field("read", m->hint);
    print_field("formula", d->formula);
    snprintf(range, sizeof range, "%s, from %g to %g", m->unit, m->low, m->high);
    print_field("unit", range);
    print_field("null", *m->null_name ? m->null_name : "none");
    print_field("source", d->source);
}

static json_t *json_of(pl_metric_id id)
{
    const pl_metric *m = pl_metric_of(id);
    const pl_definition *d = pl_definition_of(id);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "metric", m->name, "label", m->label, "meaning", m->meaning,
                     "formula", d->formula, "unit", m->unit, "null", m->null_name, "source", d->source);
}

static pl_status print_json(const pl_metric_id *ids, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; list && i < n; i++)
        if (json_array_append_new(list, json_of(ids[i])) != 0) {
            json_decref(list);
            list = NULL;
        }
    return pl_print_json(list, true);
}

pl_status pl_verb_explain(const pl_arguments *arguments)
{
    pl_metric_id *ids;
    size_t n = arguments->n_words;
    PL_TRY(pl_new(&ids, n ? n : PL_METRICS));
    pl_status status = PL_OK;
    for (size_t i = 0; i < n && status == PL_OK; i++) status = find(&ids[i], arguments->words[i]);
    for (; status == PL_OK && arguments->n_words == 0 && n < PL_METRICS; n++) ids[n] = (pl_metric_id)n;
    if (status == PL_OK && pl_argument_flag(arguments, PL_OPTION_JSON))
        status = print_json(ids, n);
    else if (status == PL_OK && arguments->n_words == 0) /* a line each */
        for (size_t i = 0; i < n; i++) printf("%-22s %s\n", pl_metric_of(ids[i])->name, pl_metric_of(ids[i])->meaning);
    else
        for (size_t i = 0; i < n && status == PL_OK; i++) print_metric(ids[i]);
    free(ids);
    return status;
}
