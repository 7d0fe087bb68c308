/* How steady answers are over wordings and draws. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "page/section.h"

/* Metrics of all arms beside each other, each with what it is by chance. */
static void put_metrics(pl__build *b, const pl__subject *s, const char *const (*metrics)[2], size_t n,
                        const char *title, const char *value_name, const char *stem, const char *description)
{
    pl__draft d;
    pl__draft_begin(&d, b, PL_FIGURE_DOTS, pl__say(b, "%s: %s", title, s->label), "metric", "arm", value_name);
    for (size_t c = 0; c < s->n; c++) {
        double x = pl__draft_category(&d, s->conditions[c].label);
        for (size_t m = 0; m < n; m++)
            pl__draft_row(&d, metrics[m][1], x, pl__row_of(&s->conditions[c], metrics[m][0], "templates", ""));
    }
    if (pl__draft_put(&d, pl__say(b, "%s-%s", stem, s->stem), description))
        for (size_t m = 0; m < n; m++) pl__put_metric(b, metrics[m][0]);
}

static void put_flips(pl__build *b, const pl__subject *s)
{
    static const char *const metrics[][2] = {{"flip_rate", "between wordings"},
                                             {"flip_forced", "forced by label shares"},
                                             {"flip_draws", "between draws, one wording"}};
    put_metrics(
        b, s, metrics, 3, "Answers that flip", "share of pairs that answer an item differently", "flips",
        "Dashed: what it would be by chance (for flips between wordings, independent answers with the same label "
        "shares; forced: wordings exchanged within items). Bars: 95 % intervals.");
}

static void put_spread(pl__build *b, const pl__subject *s)
{
    static const char *const metrics[][2] = {{"template_sd", "over wordings"}, {"draw_sd", "over draws"}};
    put_metrics(b, s, metrics, 2, "How far accuracy moves", "SD of accuracy, beyond the noise of the items", "sd",
                "Dashed: the 95 % quantile when wordings are exchanged within items. Bars: 95 % intervals.");
}

static void put_variance(pl__build *b, const pl__subject *s)
{
    static const char *const metrics[][2] = {{"margin_item", "item"},
                                             {"margin_template", "wording"},
                                             {"margin_draw", "draw"},
                                             {"margin_item_template", "item x wording"},
                                             {"margin_item_draw", "item x draw"},
                                             {"margin_template_draw", "wording x draw"},
                                             {"margin_rest", "rest"}};
    pl__draft d;
    pl__draft_begin(&d, b, PL_FIGURE_STACK, pl__say(b, "What moves the readout margin: %s", s->label), "part", "arm",
                    "% of the margin's variance (nat^2)");
    for (size_t c = 0; c < s->n; c++)
        if (pl__row_of(&s->conditions[c], "margin_item", "templates", ""))
            pl__draft_category(&d, s->conditions[c].label);
    for (size_t m = 0; m < sizeof metrics / sizeof *metrics; m++) {
        for (size_t c = 0; c < s->n; c++) {
            const pl__row *r = pl__row_of(&s->conditions[c], metrics[m][0], "templates", "");
            if (r) pl__draft_row(&d, metrics[m][1], pl__draft_category(&d, s->conditions[c].label), r);
        }
    }
    if (pl__draft_put(
            &d, pl__say(b, "variance-%s", s->stem),
            "Shares of what is estimated above 0; the table has the variances themselves. The items' part is "
            "what the model should go by; the others are what moves it besides. With one draw, or one wording, "
            "the rest holds what could not be told apart."))
        for (size_t m = 0; m < sizeof metrics / sizeof *metrics; m++) pl__put_metric(b, metrics[m][0]);
}

/* ---- each wording ---- */

static void put_templates(pl__build *b, const pl__subject *s, const pl__condition *c)
{
    pl__draft d;
    size_t n = 0;
    pl__draft_begin(&d, b, PL_FIGURE_DOTS, pl__say(b, "Each wording: %s, %s", c->label, s->label), "role", "wording",
                    "accuracy");
    pl__draft_bounds(&d, 0, 1);
    for (size_t i = 0; i < c->n_rows; i++) {
        const pl__row *r = c->rows[i];
        if (strcmp(r->metric, "acc") || !*r->template_name) continue;
        pl__draft_floor(&d, "chance", r->null_mean);
        const char *role = pl__role_of(s, r->template_name);
        pl__draft_point(&d, role ? role : "all wordings", pl__draft_category(&d, r->template_name), r->value, r->lo,
                        r->hi, NAN);
        n++;
    }
    if (n < 2) pl__draft_drop(&d);
    const char *arm = "";
    if (b->status == PL_OK) b->status = pl__stem(b->tables->arena, &arm, c->label);
    pl__draft_put(&d, pl__say(b, "wordings-%s-%s", s->stem, arm), "Accuracy under each wording. Bars: 95 % intervals.");
}

static bool has_draws(const pl__condition *c)
{
    for (size_t i = 0; i < c->n_all; i++)
        if (c->all[i].n_seeds > 1) return true;
    return false;
}

/* Each draw's accuracy beside the mean over draws. */
static void put_draws(pl__build *b, const pl__subject *s)
{
    pl__draft d;
    pl__draft_begin(&d, b, PL_FIGURE_DOTS, pl__say(b, "Each draw: %s", s->label), "what", "arm", "accuracy");
    for (size_t c = 0; c < s->n; c++) {
        const pl__condition *at = &s->conditions[c];
        if (!has_draws(at)) continue;
        const char *over = pl__row_of(at, "acc", "ood", "") ? "ood" : "templates";
        double x = pl__draft_category(&d, at->label);
        const pl__row *mean = pl__row_of(at, "acc", over, "");
        if (mean) pl__draft_point(&d, "mean over draws", x, mean->value, mean->lo, mean->hi, NAN);
        for (size_t i = 0; i < at->n_all; i++) {
            const pl__row *r = &at->all[i];
            if (r->n_seeds == 1 && !*r->template_name && !strcmp(r->metric, "acc") && !strcmp(r->contrast, over))
                pl__draft_point(&d, "a draw", x, r->value, NAN, NAN, NAN);
        }
    }
    pl__draft_put(
        &d, pl__say(b, "draws-%s", s->stem),
        "A draw: which shots, or which examples were learned from, with the seed that follows from it; under ood "
        "wordings where there are some. Bars: 95 % intervals of the mean.");
}

void pl__section_behaviour(pl__build *b, const pl__subject *s)
{
    put_flips(b, s);
    put_spread(b, s);
    put_variance(b, s);
    put_draws(b, s);
    pl__part part = pl__open(b, "<details class=more><summary>Each wording, arm by arm</summary><div class=grid>\n");
    for (size_t c = 0; c < s->n; c++) put_templates(b, s, &s->conditions[c]);
    pl__close(b, part, "</div></details>\n");
}
