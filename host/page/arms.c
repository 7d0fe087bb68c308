/* How good and how steady each arm is: one table, and the figures of accuracy. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "figure/markup.h"
#include "page/section.h"

static const char *const roles[] = {"id", "dev", "ood"};
enum { ROLES = 3 };

/* Accuracy of a role; where all templates have one role there are rows over all of them alone. */
static const pl__row *accuracy(const pl__condition *c, const char *metric, const char *role)
{
    return pl__row_of(c, metric, role, "");
}

/* What an arm is judged by: under ood templates where templates have roles, else under all. */
static const pl__row *main_accuracy(const pl__condition *c, const char *metric, bool with_roles)
{
    return with_roles ? accuracy(c, metric, "ood") : pl__row_over_all(c, metric);
}

static bool has_roles(const pl__subject *s)
{
    for (size_t c = 0; c < s->n; c++)
        for (size_t r = 0; r < ROLES; r++)
            if (accuracy(&s->conditions[c], "acc", roles[r])) return true;
    return false;
}

/* ---- the table ---- */

static void put_value(pl__build *b, const pl__row *r, bool null)
{
    char value[PL_MARKUP_INTERVAL], bounds[2][PL_MARKUP_NUMBER], chance[PL_MARKUP_NUMBER];
    pl__put(b, "<td>");
    if (r && !isnan(r->value)) {
        pl_markup_number(value, r->value);
        pl_markup_number(bounds[0], r->lo);
        pl_markup_number(bounds[1], r->hi);
        pl_markup_number(chance, null ? r->null_mean : NAN);
        pl__put_text(b, value);
        if (*bounds[0]) {
            pl__put(b, "<small>");
            pl__put_format(b, "[%s, %s]", bounds[0], bounds[1]);
            pl__put(b, "</small>");
        }
        if (*chance) {
            pl__put(b, "<small>");
            pl__put_format(b, "by chance %s", r->null_mean > 0 && r->null_mean < 5e-4 ? "under 0.001" : chance);
            pl__put(b, "</small>");
        }
    } else if (r && *r->why_empty) {
        pl__put(b, "<small>");
        pl__put_text(b, r->why_empty);
        pl__put(b, "</small>");
    }
    pl__put(b, "</td>");
}

static void put_costs(pl__build *b, const pl__subject *s, const pl__condition *c, bool calibrated)
{
    static const char *const columns[] = {"learn_tokens", "learn_seconds", "item_tokens"};
    if (!s->run->arms.n) return;
    size_t at = SIZE_MAX;
    for (size_t r = 0; r < ROLES && at == SIZE_MAX; r++) at = pl__arm_row(s, c, calibrated, roles[ROLES - 1 - r]);
    for (size_t i = 0; i < 3; i++) {
        double value = at == SIZE_MAX ? NAN : pl_csv_number(&s->run->arms, at, columns[i]);
        pl__put(b, "<td>");
        if (!isnan(value)) pl__put_format(b, value >= 1000 ? "%.0f" : "%.3g", value);
        pl__put(b, "</td>");
    }
    const char *failed = at == SIZE_MAX ? "" : pl_csv_field(&s->run->arms, at, "failed");
    pl__put(b, "<td>");
    if (*failed) pl__put_format(b, "%s of %s", failed, pl_csv_field(&s->run->arms, at, "n_draws"));
    pl__put(b, "</td>");
}

static void put_name(pl__build *b, const char *label, const char *behind)
{
    pl__put(b, "<tr><th scope=row>");
    pl__put_text(b, label);
    pl__put(b, behind);
    pl__put(b, "</th>");
}

static void put_condition(pl__build *b, const pl__subject *s, const pl__condition *c, bool with_roles)
{
    put_name(b, c->label, "");
    for (size_t r = 0; r < ROLES && with_roles; r++) put_value(b, accuracy(c, "acc", roles[r]), false);
    if (!with_roles) put_value(b, pl__row_over_all(c, "acc"), false);
    put_value(b, pl__row_of(c, "acc_worst", "ood", ""), false);
    put_value(b, pl__row_of(c, "template_sd", "templates", ""), false);
    put_value(b, pl__row_of(c, "draw_sd", "templates", ""), false);
    put_value(b, pl__row_of(c, "flip_rate", "templates", ""), true);
    put_value(b, pl__row_of(c, "unanimity", "templates", ""), true);
    put_costs(b, s, c, false);
    pl__put(b, "</tr>\n");
    const pl__row *calibrated = main_accuracy(c, "acc_cc", with_roles);
    if (!calibrated || isnan(calibrated->value)) return;
    put_name(b, c->label, ", calibrated");
    for (size_t r = 0; r < ROLES && with_roles; r++) put_value(b, accuracy(c, "acc_cc", roles[r]), false);
    if (!with_roles) put_value(b, calibrated, false);
    pl__put(b, "<td></td><td></td><td></td><td></td><td></td>");
    put_costs(b, s, c, true);
    pl__put(b, "</tr>\n");
}

static void put_table(pl__build *b, const pl__subject *s, bool with_roles)
{
    static const char *const metrics[] = {"acc",     "acc_worst", "acc_cc",   "template_sd",
                                          "draw_sd", "flip_rate", "unanimity"};
    for (size_t i = 0; i < sizeof metrics / sizeof *metrics; i++) pl__put_metric(b, metrics[i]);
    pl__put(b, "<div class=wide><table class=arms><thead><tr><th>arm</th>");
    pl__put(b, with_roles ? "<th>id wordings</th><th>dev wordings</th><th>ood wordings</th>" : "<th>accuracy</th>");
    pl__put(b, "<th>worst wording</th><th>SD over wordings</th><th>SD over draws</th><th>flips between wordings</th>"
               "<th>same answer under all</th>");
    if (s->run->arms.n)
        pl__put(b, "<th>tokens to learn</th><th>seconds</th><th>tokens an item</th><th>failed draws</th>");
    pl__put(b, "</tr></thead><tbody>\n");
    for (size_t c = 0; c < s->n; c++) put_condition(b, s, &s->conditions[c], with_roles);
    pl__put(b, "</tbody></table></div>\n");
}

/* ---- accuracy ---- */

static void put_floors(pl__draft *d, const pl__condition *c)
{
    const pl__row *acc = pl__row_over_all(c, "acc"), *most = pl__row_of(c, "majority", "templates", "");
    if (acc) pl__draft_floor(d, "chance", acc->null_mean);
    if (most) pl__draft_floor(d, "commonest label", most->value);
}

static void put_point(pl__draft *d, const char *series, double x, const pl__row *r)
{
    if (r) pl__draft_point(d, series, x, r->value, r->lo, r->hi, NAN);
}

/* The verdict's ensemble of wordings, which is no condition of the table. */
static void put_ensemble(pl__draft *d, const pl__subject *s)
{
    const pl_csv_table *t = &s->run->verdict;
    const char *arm = s->verdict == SIZE_MAX ? "" : pl_csv_field(t, s->verdict, "prompt_arm");
    if (!strstr(arm, " ensembled")) return;
    double x = pl__draft_category(d, pl__say(d->build, "%s k=%s", arm, pl_csv_field(t, s->verdict, "prompt_k")));
    pl__draft_point(d, "ood", x, pl_csv_number(t, s->verdict, "prompt_accuracy"),
                    pl_csv_number(t, s->verdict, "prompt_lo"), pl_csv_number(t, s->verdict, "prompt_hi"), NAN);
}

void pl__section_accuracy(pl__build *b, const pl__subject *s)
{
    bool with_roles = has_roles(s);
    pl__draft d;
    pl__draft_begin(&d, b, PL_FIGURE_DOTS, pl__say(b, "Accuracy of each arm: %s", s->label), "wordings", "arm",
                    "accuracy");
    pl__draft_bounds(&d, 0, 1);
    for (size_t c = 0; c < s->n; c++) {
        const pl__condition *at = &s->conditions[c];
        double x = pl__draft_category(&d, at->label);
        put_floors(&d, at);
        for (size_t r = 0; r < ROLES; r++) put_point(&d, roles[r], x, accuracy(at, "acc", roles[r]));
        if (!with_roles) put_point(&d, "all wordings", x, pl__row_over_all(at, "acc"));
        const pl__row *calibrated = main_accuracy(at, "acc_cc", with_roles);
        if (!calibrated || isnan(calibrated->value)) continue;
        x = pl__draft_category(&d, pl__say(b, "%s, calibrated", at->label));
        for (size_t r = 0; r < ROLES; r++) put_point(&d, roles[r], x, accuracy(at, "acc_cc", roles[r]));
        if (!with_roles) put_point(&d, "all wordings", x, calibrated);
    }
    put_ensemble(&d, s);
    pl__draft_put(&d, pl__say(b, "accuracy-%s", s->stem),
                  "Mean over wordings of a role: id, as trained or tried on; dev, used for choices; ood, used for "
                  "neither. Bars: 95 % intervals for other items, wordings and draws of the kind.");
}

/* Tuned and other arms minus the best prompting arm, from arms.csv. */
static void put_differences(pl__build *b, const pl__subject *s)
{
    const pl_csv_table *t = &s->run->arms;
    pl__draft d;
    pl__draft_begin(&d, b, PL_FIGURE_DOTS, pl__say(b, "Each arm minus the best prompt: %s", s->label), "wordings",
                    "arm", "difference of accuracy, paired by item, wording and draw");
    pl__draft_floor(&d, "no difference", 0);
    for (size_t r = 0; r < t->n; r++) {
        if (!pl__is_of(s, t, r) || isnan(pl_csv_number(t, r, "difference")) ||
            isnan(pl_csv_number(t, r, "difference_lo")))
            continue;
        const char *arm = pl_csv_field(t, r, "arm");
        if (!strncmp(arm, "prompt", 6)) arm = pl__say(b, "%s k=%s", arm, pl_csv_field(t, r, "k"));
        pl__draft_point(&d, pl_csv_field(t, r, "role"), pl__draft_category(&d, arm), pl_csv_number(t, r, "difference"),
                        pl_csv_number(t, r, "difference_lo"), pl_csv_number(t, r, "difference_hi"), NAN);
    }
    pl__draft_put(
        &d, pl__say(b, "difference-%s", s->stem),
        "The best prompt is the prompting arm that is most accurate on these items under dev wordings (id where "
        "none is dev). Bars: 95 % intervals for other items, wordings and draws; one that leaves out 0 is a "
        "difference.");
}

/* Contrasts that the experiment names. */
static void put_primary(pl__build *b, const pl__subject *s)
{
    const pl_csv_table *t = &s->run->contrasts;
    pl__draft d;
    pl__draft_begin(&d, b, PL_FIGURE_DOTS, pl__say(b, "What the experiment was run for: %s", s->label), "contrast",
                    "contrast", "difference of accuracy");
    pl__draft_floor(&d, "no difference", 0);
    for (size_t r = 0; r < t->n; r++) {
        if (strcmp(pl_csv_field(t, r, "kind"), "primary") || !pl__is_of(s, t, r)) continue;
        const char *name = pl__say(b, "%s minus %s", pl_csv_field(t, r, "arm"), pl_csv_field(t, r, "minus_arm"));
        pl__draft_point(&d, "primary", pl__draft_category(&d, name), pl_csv_number(t, r, "difference"),
                        pl_csv_number(t, r, "lo"), pl_csv_number(t, r, "hi"), NAN);
    }
    pl__draft_put(&d, pl__say(b, "primary-%s", s->stem), "The primary contrast, named before the run.");
}

/* ---- against shots, and against labelled examples ---- */

static void put_shots(pl__build *b, const pl__subject *s, bool with_roles)
{
    size_t n = 0;
    pl__draft d;
    pl__draft_begin(&d, b, PL_FIGURE_CURVE, pl__say(b, "More shots: %s", s->label), "wordings", "shots", "accuracy");
    pl__draft_bounds(&d, 0, 1);
    for (size_t c = 0; c < s->n; c++) {
        const pl__condition *at = &s->conditions[c];
        if (strncmp(at->arm, "prompt", 6)) continue;
        n++;
        put_floors(&d, at);
        for (size_t r = 0; r < ROLES; r++)
            put_point(&d, pl__say(b, "%s, %s", at->arm, roles[r]), (double)at->k, accuracy(at, "acc", roles[r]));
        if (!with_roles) put_point(&d, at->arm, (double)at->k, pl__row_over_all(at, "acc"));
        const pl__row *calibrated = main_accuracy(at, "acc_cc", with_roles);
        if (calibrated && !isnan(calibrated->value))
            put_point(&d, pl__say(b, "%s%s", at->arm, with_roles ? " calibrated, ood" : " calibrated"), (double)at->k,
                      calibrated);
    }
    if (n < 2) pl__draft_drop(&d);
    pl__draft_put(&d, pl__say(b, "shots-%s", s->stem),
                  "Accuracy of prompting by the number of demonstrations, mean over draws. Bands: 95 % intervals.");
}

/* "finetune lm standard n=64 shuffled" without its " n=64"; the number, 0 without one. */
static const char *without_size(pl__build *b, const char *arm, long *size)
{
    const char *at = strstr(arm, " n=");
    char *end, *text = "";
    *size = 0;
    if (!at) return arm;
    *size = strtol(at + 3, &end, 10);
    if (b->status == PL_OK) b->status = pl_arena_format(b->tables->arena, &text, "%.*s%s", (int)(at - arm), arm, end);
    return text;
}

static int by_size(const void *a, const void *b)
{
    long x = *(const long *)a, y = *(const long *)b;
    return (x > y) - (x < y);
}

/* The sizes of the subject's arms, ascending, as categories: from 64 to 800 no axis of numbers is easy to read. */
static void put_size_categories(pl__build *b, pl__draft *d, const pl__subject *s)
{
    long *sizes = NULL;
    if (b->status == PL_OK) b->status = pl_new(&sizes, s->n);
    for (size_t c = 0; c < s->n && b->status == PL_OK; c++) without_size(b, s->conditions[c].arm, &sizes[c]);
    if (sizes) qsort(sizes, s->n, sizeof *sizes, by_size);
    for (size_t c = 0; c < s->n && b->status == PL_OK; c++)
        if (sizes[c]) pl__draft_category(d, pl__say(b, "%ld", sizes[c]));
    free(sizes);
}

static void put_sizes(pl__build *b, const pl__subject *s, bool with_roles)
{
    long size;
    pl__draft d;
    pl__draft_begin(&d, b, PL_FIGURE_CURVE, pl__say(b, "More labelled examples: %s", s->label), "arm",
                    "labelled examples", with_roles ? "accuracy under ood wordings" : "accuracy");
    pl__draft_bounds(&d, 0, 1);
    put_size_categories(b, &d, s);
    for (size_t c = 0; c < s->n && d.figure.n_categories > 1; c++) {
        const pl__condition *at = &s->conditions[c];
        const char *arm = without_size(b, at->arm, &size);
        if (!size) continue;
        put_floors(&d, at);
        put_point(&d, arm, pl__draft_category(&d, pl__say(b, "%ld", size)), main_accuracy(at, "acc", with_roles));
    }
    pl__draft_put(
        &d, pl__say(b, "sizes-%s", s->stem),
        "Accuracy of the arms that learn by how many labelled examples they have, mean over draws. Bands: 95 % "
        "intervals.");
}

void pl__section_arms(pl__build *b, const pl__subject *s)
{
    bool with_roles = has_roles(s);
    put_table(b, s, with_roles);
    put_primary(b, s);
    put_differences(b, s);
    put_shots(b, s, with_roles);
    put_sizes(b, s, with_roles);
}
