/* The first table a person reads, at most 100 columns wide. One block a group (model, task, arm, readout, k): means
 * over draws where there are several, else the one draw. What is not shown here stands in stability.csv. */
#include "report/report.h"

#include <math.h>
#include <string.h>

#include "analysis/metric.h"
#include "base/visible.h"
#include "report/block.h"

enum { WIDTH = 100, NAME_WIDTH = 20, CELL_WIDTH = 25 }; /* a cell holds "-0.030 [-0.057, -0.003]" and two blanks */

/* Visible text (base/visible.h), cut (with "..") to `width` characters of UTF-8, and padded to them unless it ends its
 * line. */
static void put_text(FILE *out, const char *raw, size_t width, bool ends_line)
{
    char text[1024];
    pl_visible_text(text, sizeof text, raw);
    size_t characters = 0, bytes = 0;
    for (const char *c = text; *c; c++) characters += ((unsigned char)*c & 0xC0) != 0x80;
    if (characters <= width) {
        fprintf(out, "%s%*s%s", text, ends_line ? 0 : (int)(width - characters), "", ends_line ? "\n" : "");
        return;
    }
    for (size_t seen = 0; text[bytes]; bytes++) {
        seen += ((unsigned char)text[bytes] & 0xC0) != 0x80;
        if (seen == width - 1) break;
    }
    fprintf(out, "%.*s..%s", (int)bytes, text, ends_line ? "\n" : "");
}

/* "0.512" into `text`; "-" when not defined. */
static const char *number_text(char text[32], double value)
{
    if (isnan(value)) return "-";
    snprintf(text, 32, "%.3f", value + 0.0);
    return strcmp(text, "-0.000") ? text : text + 1;
}

/* An interval whose ends are one number at three digits: "0.9998 [0.9997, 0.9999]", "2e-06 [-1e-06, 5e-06]". */
static void narrow_text(char *text, size_t size, const pl_stability_row *row)
{
    bool small = fmax(fabs(row->lo), fabs(row->hi)) < 0.001;
    snprintf(text, size, small ? "%.0e [%.0e, %.0e]" : "%.4f [%.4f, %.4f]", row->value, row->lo, row->hi);
}

/* "0.512 [0.446, 0.578]", "0.512", or why there is no number. */
static void put_cell(FILE *out, const pl_stability_row *row, bool ends_line)
{
    char value[32], lo[32], hi[32], text[128];
    if (!row || isnan(row->value))
        snprintf(text, sizeof text, "%s", row && *row->why_empty ? row->why_empty : "-");
    else if (isnan(row->lo))
        snprintf(text, sizeof text, "%s", number_text(value, row->value));
    else if (!strcmp(number_text(lo, row->lo), number_text(hi, row->hi)))
        narrow_text(text, sizeof text, row);
    else
        snprintf(text, sizeof text, "%s [%s, %s]", number_text(value, row->value), lo, hi);
    put_text(out, text, CELL_WIDTH - 2, ends_line);
    if (!ends_line) fputs("  ", out);
}

/* "  name" in the first column of a block. */
static void put_name(FILE *out, const char *name)
{
    fputs("  ", out);
    put_text(out, name, NAME_WIDTH, false);
    fputs("  ", out);
}

static void put_header(FILE *out, const pl__block *b)
{
    const pl_stability_row *r = b->rows;
    char text[512];
    int size = snprintf(text, sizeof text, "%s, %s: %s, k = %lld, %s", r->model, r->task, r->arm, r->k, r->readout);
    size_t at = size > 0 && (size_t)size < sizeof text ? (size_t)size : sizeof text - 1;
    if (r->n_seeds > 1)
        snprintf(text + at, sizeof text - at, ", mean of %zu draws", r->n_seeds);
    else if (r->draw > 0 || r->order > 0)
        snprintf(text + at, sizeof text - at, ", draw %lld, order %lld", r->draw, r->order);
    put_text(out, text, WIDTH, true);
    for (size_t m = 0; m < b->table->n_random_models; m++)
        if (!strcmp(b->table->random_models[m], r->model)) fprintf(out, "random weights: no skill expected\n");
    if (*r->note) put_text(out, r->note, WIDTH, true);
}

static void put_accuracy_line(FILE *out, const pl__block *b, const char *name, const pl_stability_row *acc,
                              const pl_stability_row *entropy)
{
    char chance[32], majority[32], bits[32];
    const pl_stability_row *most = pl__block_find(b, PL_METRIC_MAJORITY, "templates", "");
    put_name(out, name);
    put_cell(out, acc, false);
    fprintf(out, "%-9s%-10s%s\n", number_text(chance, acc->null_mean), number_text(majority, most ? most->value : NAN),
            number_text(bits, entropy ? entropy->value : NAN));
}

/* One line a template, in the table's order, then over templates and over those of a role. */
static void put_accuracy(FILE *out, const pl__block *b)
{
    static const char *const over[][2] = {
        {"templates", "all templates"}, {"id", "id templates"}, {"dev", "dev templates"}, {"ood", "ood templates"}};
    fprintf(out, "  %-*s  %-*s%-9s%-10s%s\n", (int)NAME_WIDTH, "template", (int)CELL_WIDTH, "accuracy", "chance",
            "majority", "entropy (bit)");
    for (size_t i = 0; i < b->n; i++) {
        const pl_stability_row *r = &b->rows[i];
        if (r->metric != PL_METRIC_ACC || !*r->template_name) continue;
        put_accuracy_line(out, b, r->template_name, r,
                          pl__block_find(b, PL_METRIC_PREDICTION_ENTROPY, "templates", r->template_name));
    }
    for (size_t o = 0; o < sizeof over / sizeof *over; o++) {
        const pl_stability_row *r = pl__block_find(b, PL_METRIC_ACC, over[o][0], "");
        if (r && r->n_templates > 1)
            put_accuracy_line(out, b, over[o][1], r, pl__block_find(b, PL_METRIC_PREDICTION_ENTROPY, over[o][0], ""));
    }
}

/* The metrics that have a line of their own. */
static void put_behaviour(FILE *out, const pl__block *b)
{
    char null[32];
    for (pl_metric_id id = 0; id < PL_METRICS; id++) {
        const pl_metric *metric = pl_metric_of(id);
        if (metric->screen != PL_SCREEN_LINE) continue;
        const pl_stability_row *r = pl__block_find(b, id, metric->over & PL_OVER_ID_OOD ? "id|ood" : "templates", "");
        if (!r) continue;
        put_name(out, metric->label);
        put_cell(out, r, !*r->null_name);
        if (*r->null_name) fprintf(out, "null %s (%s)\n", number_text(null, r->null_mean), r->null_name);
    }
}

/* The metrics of the lines for layers; the first names the lines. */
static size_t layer_metrics(pl_metric_id out[PL_METRICS], pl_screen screen)
{
    size_t n = 0;
    for (pl_metric_id id = 0; id < PL_METRICS; id++)
        if (pl_metric_of(id)->screen == screen) out[n++] = id;
    return n;
}

/* One line a position and layer, in the order of the first metric's rows. */
static void put_layers(FILE *out, const pl__block *b, pl_screen screen, const char *title)
{
    pl_metric_id metrics[PL_METRICS];
    size_t n = layer_metrics(metrics, screen);
    bool any = false;
    for (size_t i = 0; i < b->n; i++) {
        const pl_stability_row *r = &b->rows[i];
        if (r->metric != metrics[0] || pl__block_find_layer(b, r, metrics[0]) != r) continue;
        char name[128];
        if (!any) put_name(out, title);
        for (size_t m = 0; !any && m < n; m++) put_text(out, pl_metric_of(metrics[m])->label, CELL_WIDTH, m + 1 == n);
        any = true;
        snprintf(name, sizeof name, "%s %s", r->position, r->layer);
        put_name(out, name);
        for (size_t m = 0; m < n; m++) put_cell(out, pl__block_find_layer(b, r, metrics[m]), m + 1 == n);
    }
}

/* Broken at blanks; lines after the first are indented. */
static void put_wrapped(FILE *out, const char *text)
{
    size_t indent = 0;
    while (strlen(text) > WIDTH - indent) {
        size_t cut = WIDTH - indent;
        while (cut > 0 && text[cut] != ' ') cut--;
        if (cut == 0) cut = strcspn(text, " ");
        if (!text[cut]) break;
        fprintf(out, "%*s%.*s\n", (int)indent, "", (int)cut, text);
        text += cut + 1;
        indent = 4;
    }
    fprintf(out, "%*s%s\n", (int)indent, "", text);
}

/* One line a template. */
static void put_texts(FILE *out, const pl__block *b)
{
    char text[PL__TEXTS_LINE], name[256], line[PL__TEXTS_LINE + 264];
    for (size_t i = 0; i < b->n; i++) {
        if (b->rows[i].metric != PL_METRIC_WORD_PERPLEXITY || !*b->rows[i].template_name) continue;
        pl__block_texts(text, b, b->rows[i].template_name);
        pl_visible_text(name, sizeof name, b->rows[i].template_name);
        snprintf(line, sizeof line, "  %s: %s", name, text);
        put_wrapped(out, line);
    }
}

static pl_status put_remarks(FILE *out, const pl_stability_table *table)
{
    pl_status status = PL_OK;
    pl_bytes text = {0};
    for (size_t i = 0; i < table->n_remarks; i++) {
        pl_bytes_clear(&text);
        PL_GOTO(status, done, pl_visible_append(&text, table->remarks[i], strlen(table->remarks[i])));
        if (text.size) put_wrapped(out, text.data);
    }
    if (table->n_remarks > 0) fputc('\n', out);
done:
    pl_bytes_free(&text);
    return status;
}

static bool has_mean(const pl_stability_table *table)
{
    for (size_t i = 0; i < table->n; i++)
        if (!strcmp(table->rows[i].position, "mean")) return true;
    return false;
}

static void put_legend(FILE *out, const pl_stability_table *table)
{
    fprintf(out,
            "[lo, hi]: 95 %%, for other items, templates and draws of the kind (draws: from three on). For exactly\n"
            "these templates and draws: lo_these, hi_these in stability.csv, with methods and all else.\n"
            "What a metric is, its formula, null and source: plumb explain METRIC.\n");
    if (has_mean(table))
        fprintf(out, "mean (states): over the item's own tokens without position 0, whose activations are outliers\n");
}

pl_status pl_report_print(FILE *out, const pl_stability_table *table)
{
    if (table->n == 0) fprintf(out, "no finished units: nothing to report\n");
    for (pl__block b = {.table = table}; pl__block_next(&b);) {
        put_header(out, &b);
        if (pl__block_of_texts(&b))
            put_texts(out, &b);
        else
            put_accuracy(out, &b);
        put_behaviour(out, &b);
        put_layers(out, &b, PL_SCREEN_LAYERS, "states");
        put_layers(out, &b, PL_SCREEN_PROBES, "probes");
        fputc('\n', out);
    }
    PL_TRY(put_remarks(out, table));
    if (table->n > 0) put_legend(out, table);
    if (ferror(out)) return pl_fail(PL_E_IO, "the table cannot be written to the output");
    return PL_OK;
}

/* ---- chosen layers of what was printed ---- */

static bool is_head_of_layers(const char *line)
{
    return !strncmp(line, "  states ", 9) || !strncmp(line, "  probes ", 9);
}

/* Whether the list names the line's layer: "05" or "last.05". */
static bool is_listed(const char *list, const char *position, const char *layer)
{
    char full[160];
    snprintf(full, sizeof full, "%s.%s", position, layer);
    for (const char *at = list; *at;) {
        size_t size = strcspn(at, ",");
        if ((size == strlen(layer) && !strncmp(at, layer, size)) || (size == strlen(full) && !strncmp(at, full, size)))
            return true;
        at += size + (at[size] == ',');
    }
    return false;
}

pl_status pl_report_print_layers(FILE *out, const char *text, const char *layers)
{
    bool in_layers = false, any = false;
    char last[160] = "";
    for (const char *line = text, *end; *line; line = end) {
        char position[64], layer[64];
        end = line + strcspn(line, "\n");
        end += *end == '\n';
        if (is_head_of_layers(line))
            in_layers = true;
        else if (in_layers && sscanf(line, "  %63s %63s", position, layer) == 2 && !strncmp(line, "  ", 2)) {
            snprintf(last, sizeof last, "%s.%s", position, layer);
            if (!is_listed(layers, position, layer)) continue;
            any = true;
        } else
            in_layers = false;
        fwrite(line, 1, (size_t)(end - line), out);
    }
    if (any) return PL_OK;
    if (!*last) return pl_fail(PL_E_USAGE, "--layers %s: the run has no states", layers);
    return pl_fail(PL_E_USAGE, "--layers %s: the table has no such layer; expected layers as it names them, such as %s",
                   layers, last);
}
