/* Prompt or tune: the first screen, and a subject's answer in sentences. All of it stands in verdict.csv. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "figure/markup.h"
#include "page/section.h"

typedef struct row {
    const pl_csv_table *table;
    size_t at;
} row;

static row row_of(const pl__subject *s)
{
    return (row){&s->run->verdict, s->verdict};
}

static const char *text(row r, const char *column)
{
    return pl_csv_field(r.table, r.at, column);
}

static double number(row r, const char *column)
{
    return pl_csv_number(r.table, r.at, column);
}

/* "0.650 [0.596, 0.701]" of the columns of these names. */
static const char *interval(char out[PL_MARKUP_INTERVAL], row r, const char *value, const char *lo, const char *hi)
{
    pl_markup_interval(out, number(r, value), number(r, lo), number(r, hi));
    return out;
}

/* "prompt calibrated k=4", "linear standard n=64"; "" where the side has no arm. */
static const char *arm_of(char out[256], row r, const char *arm, const char *k)
{
    const char *name = text(r, arm);
    bool shots = !strncmp(name, "prompt", 6);
    if (shots)
        snprintf(out, 256, "%s k=%s", name, text(r, k));
    else
        snprintf(out, 256, "%s", name);
    return out;
}

/* What a side of the verdict is as a condition, calibrated or not; NULL: it is none (an ensemble), or there is none. */
static const pl__condition *side_of(const pl__subject *s, const char *arm_column, const char *k_column)
{
    row r = row_of(s);
    const char *arm = text(r, arm_column), *calibrated = strstr(arm, " calibrated");
    size_t length = calibrated ? (size_t)(calibrated - arm) : strlen(arm);
    double k = *k_column ? number(r, k_column) : 0;
    for (size_t c = 0; c < s->n; c++)
        if (strlen(s->conditions[c].arm) == length && !strncmp(s->conditions[c].arm, arm, length) &&
            (double)s->conditions[c].k == k)
            return &s->conditions[c];
    return NULL;
}

size_t pl__chosen_conditions(const pl__subject *s, const pl__condition *out[2])
{
    size_t n = 0;
    if (s->verdict != SIZE_MAX) {
        const pl__condition *sides[] = {side_of(s, "prompt_arm", "prompt_k"), side_of(s, "tuned_arm", "")};
        for (size_t i = 0; i < 2; i++)
            if (sides[i]) out[n++] = sides[i];
    }
    if (n) return n;
    out[n++] = &s->conditions[0];
    if (s->n > 1) out[n++] = &s->conditions[s->n - 1];
    return n;
}

/* ---- the first screen ---- */

static void put_badge(pl__build *b, row r)
{
    const char *verdict = text(r, "verdict");
    const char *tone = !strcmp(verdict, "PROMPT")      ? "prompt"
                       : !strcmp(verdict, "FINE-TUNE") ? "tune"
                       : !strcmp(verdict, "NEITHER")   ? "neither"
                                                       : "open";
    pl__put(b, "<span class=\"badge ");
    pl__put(b, tone);
    pl__put(b, "\">");
    pl__put_text(b, verdict);
    if (!strcmp(text(r, "clearly"), "yes")) pl__put(b, ", clearly");
    pl__put(b, "</span>");
}

static void put_small(pl__build *b, const char *text)
{
    if (!*text) return;
    pl__put(b, "<small>");
    pl__put_text(b, text);
    pl__put(b, "</small>");
}

static void put_cell(pl__build *b, const char *value, const char *under, const char *steady)
{
    pl__put(b, "<td>");
    pl__put_text(b, value);
    put_small(b, under);
    put_small(b, steady);
    pl__put(b, "</td>");
}

/* How steady an arm is over wordings: what the first screen says of it beside its accuracy. */
static const char *steadiness(pl__build *b, const pl__condition *c)
{
    const pl__row *sd = c ? pl__row_of(c, "template_sd", "templates", "") : NULL;
    const pl__row *flips = c ? pl__row_of(c, "flip_rate", "templates", "") : NULL;
    char numbers[3][PL_MARKUP_NUMBER];
    pl_markup_number(numbers[0], sd ? sd->value : NAN);
    pl_markup_number(numbers[1], flips ? flips->value : NAN);
    pl_markup_number(numbers[2], flips ? flips->null_mean : NAN);
    const char *moves = *numbers[0] ? pl__say(b, "SD %s", numbers[0]) : "";
    const char *chance = *numbers[2] ? pl__say(b, " (by chance %s)", numbers[2]) : "";
    const char *flip = *numbers[1] ? pl__say(b, "flips %s%s", numbers[1], chance) : "";
    if (!*moves && !*flip) return "";
    return pl__say(b, "over wordings: %s%s%s", moves, *moves && *flip ? ", " : "", flip);
}

/* In a few words what keeps an answer from being sure, or how sure it is. */
static void put_sureness(pl__build *b, row r)
{
    double p = number(r, "p_adjusted");
    pl__put(b, "<td>");
    if (*text(r, "why"))
        pl__put_text(b, text(r, "why"));
    else if (*text(r, "towards"))
        pl__put_format(b, "nearest: %s, with p %.2g where .05 decides", text(r, "towards"), p);
    else
        pl__put_format(b, "p %.2g", p);
    pl__put(b, "<small>");
    if (*text(r, "towards"))
        pl__put_format(b, "most uncertain: %s; %.3g times as much of everything would decide",
                       text(r, "most_uncertain"), number(r, "together"));
    else if (*text(r, "generalises"))
        pl__put_format(b, "for other %s", text(r, "generalises"));
    pl__put(b, "</small>");
    pl__put(b, "</td>");
}

/* Of a subject without a verdict, the arm that looks best under the wordings that it would be judged by. */
static void put_best(pl__build *b, const pl__subject *s)
{
    const pl__row *best = NULL;
    const pl__condition *at = NULL;
    char value[PL_MARKUP_INTERVAL];
    for (size_t c = 0; c < s->n; c++) {
        const pl__row *r = pl__row_judged(&s->conditions[c], "acc");
        if (!r || isnan(r->value) || (best && r->value <= best->value)) continue;
        best = r;
        at = &s->conditions[c];
    }
    if (best) pl_markup_interval(value, best->value, best->lo, best->hi);
    const char *label = at ? at->label : "";
    const char *under = at && s->n > 1 ? pl__say(b, "%s, best of %zu in hindsight", label, s->n) : label;
    put_cell(b, best ? value : "not defined", under, steadiness(b, at));
}

static void put_line(pl__build *b, const pl__subject *s, size_t index)
{
    char value[PL_MARKUP_INTERVAL], arm[256];
    char link[64];
    snprintf(link, sizeof link, "<tr><th scope=row><a href=\"#s%zu\">", index);
    pl__put(b, link);
    pl__put_text(b, s->label);
    pl__put(b, "</a></th>");
    if (s->verdict == SIZE_MAX) {
        pl__put(b, "<td><span class=\"badge open\">no verdict</span></td>");
        put_best(b, s);
        pl__put(b, "<td colspan=3>No arm learns here: there is nothing to hold prompting against.</td></tr>\n");
        return;
    }
    row r = row_of(s);
    pl__put(b, "<td>");
    put_badge(b, r);
    pl__put(b, "</td>");
    put_cell(b, interval(value, r, "prompt_accuracy", "prompt_lo", "prompt_hi"),
             arm_of(arm, r, "prompt_arm", "prompt_k"), steadiness(b, side_of(s, "prompt_arm", "prompt_k")));
    put_cell(b, interval(value, r, "tuned_accuracy", "tuned_lo", "tuned_hi"), arm_of(arm, r, "tuned_arm", ""),
             steadiness(b, side_of(s, "tuned_arm", "")));
    put_cell(b, interval(value, r, "difference", "lo", "hi"), "", "");
    put_sureness(b, r);
    pl__put(b, "</tr>\n");
}

static void put_legend(pl__build *b)
{
    pl__put(
        b,
        "<details><summary>What the words mean</summary><dl>\n"
        "<dt>PROMPT</dt><dd>prompted, the model reaches the accuracy that is required, and tuning adds less than "
        "the margin; or, in a staged run, it surely reaches it, its wordings agree, and tuning was not tried</dd>\n"
        "<dt>FINE-TUNE</dt><dd>tuned it reaches it, and is better than prompted; <em>clearly</em>: by more than "
        "the margin, beside the arm that looks best in hindsight too</dd>\n"
        "<dt>NEITHER</dt><dd>neither reaches it</dd>\n"
        "<dt>UNDECIDED</dt><dd>the data do not say</dd>\n"
        "<dt>prompted, tuned</dt><dd>the best arm of either side, chosen under dev wordings (tuned ones on the "
        "draws' dev items) and judged under ood wordings, on which nothing was trained or chosen; linear readouts "
        "of the frozen model stand on the prompt side; k: demonstrations in the prompt, n: labelled examples that were "
        "learned from, a draw: one choice of them</dd>\n"
        "<dt>over wordings</dt><dd>SD of accuracy, beyond the noise of the items; flips: the share of pairs of "
        "wordings "
        "that answer an item differently</dd>\n"
        "<dt>ensembled</dt><dd>one answer of many prompts: the calibrated ones under all wordings of the role, "
        "averaged; it costs as many prompts an item</dd>\n"
        "<dt>p</dt><dd>of data that speak for the verdict (or the nearest one) as much as these, were it wrong: "
        ".05 or less decides; by Holm over all verdicts of a run</dd>\n"
        "<dt>[lo, hi]</dt><dd>95 %, for other items, wordings and draws of the kind</dd></dl></details>\n");
}

/* Prompted and tuned beside each other, for all subjects. */
static void put_overview_figure(pl__build *b)
{
    pl__draft d;
    pl__draft_begin(&d, b, PL_FIGURE_DOTS, "The best of each side under new wordings", "side", "model and task",
                    "accuracy under ood wordings");
    pl__draft_bounds(&d, 0, 1);
    for (size_t i = 0; i < b->tables->n_subjects; i++) {
        const pl__subject *s = &b->tables->subjects[i];
        if (s->verdict == SIZE_MAX) continue;
        row r = row_of(s);
        double at = pl__draft_category(&d, s->label), required = number(r, "required");
        pl__draft_point(&d, "best prompted", at, number(r, "prompt_accuracy"), number(r, "prompt_lo"),
                        number(r, "prompt_hi"), NAN);
        pl__draft_point(&d, "best tuned", at, number(r, "tuned_accuracy"), number(r, "tuned_lo"), number(r, "tuned_hi"),
                        NAN);
        pl__draft_point(&d, "required", at, required, NAN, NAN, NAN);
    }
    pl__draft_put(&d, "overview",
                  "Bars: 95 % intervals for other items, wordings and draws of the kind. Required: the accuracy that "
                  "the verdict asks for.");
}

void pl__section_overview(pl__build *b)
{
    bool any = false;
    for (size_t i = 0; i < b->tables->n_subjects; i++) any = any || b->tables->subjects[i].verdict != SIZE_MAX;
    pl__put(b, "<section id=\"answer\">\n<h2>Prompt or tune?</h2>\n");
    if (!b->tables->n_subjects) pl__put(b, "<p>No finished units: nothing to report yet.</p>\n");
    if (b->tables->n_subjects) {
        pl__put(b, "<p class=words>A <em>wording</em>, or template, is how an item is asked: <em>id</em> as trained or "
                   "tried on, <em>dev</em> those by which arms are chosen, <em>ood</em> new ones, on which nothing was "
                   "trained or chosen. A <em>draw</em> is one choice of the demonstrations in a prompt, or of the "
                   "labelled examples that are learned from.</p>\n");
        pl__put(b, "<div class=wide><table class=verdicts><thead><tr><th>model, task</th><th>verdict</th>"
                   "<th>prompted, new wordings</th><th>tuned, new wordings</th><th>tuned minus prompted</th>"
                   "<th>how sure</th></tr></thead><tbody>\n");
        for (size_t i = 0; i < b->tables->n_subjects; i++) put_line(b, &b->tables->subjects[i], i);
        pl__put(b, "</tbody></table></div>\n");
    }
    if (any) put_legend(b);
    if (any && b->tables->n_subjects > 1) put_overview_figure(b);
    pl__put(b, "</section>\n");
}

/* ---- a subject's answer ---- */

static void put_side(pl__build *b, row r, const char *term, const char *side, const char *k)
{
    char value[PL_MARKUP_INTERVAL], arm[256], column[4][48];
    static const char *const parts[] = {"arm", "accuracy", "lo", "hi"};
    for (size_t i = 0; i < 4; i++) snprintf(column[i], sizeof *column, "%s_%s", side, parts[i]);
    if (!*text(r, column[0])) {
        pl__put_fact(b, term, "no such arm in this run");
        return;
    }
    char chosen[48], share[48];
    snprintf(chosen, sizeof chosen, "%s_chosen", side);
    snprintf(share, sizeof share, "%s_chosen_share", side);
    interval(value, r, column[1], column[2], column[3]);
    arm_of(arm, r, column[0], k);
    if (*text(r, chosen))
        pl__put_fact(b, term, "%s: %s, the best by %s; %.0f %% of the judged answers are its own", value, arm,
                     text(r, chosen), 100 * number(r, share));
    else
        pl__put_fact(b, term, "%s: %s", value, arm);
}

/* What stopped a staged run. */
static void put_look(pl__build *b, row r)
{
    pl__put_fact(b, "Tuned", "not tried: a look after stage %s was enough", text(r, "stopped_after"));
    pl__put_fact(b, "The look",
                 "accuracy at least %.3f, template SD %.3f, at most %.3f of %.3f allowed (bounds of %.4g %%: the error "
                 "is split over %s looks), p %.2g",
                 number(r, "look_accuracy_lo"), number(r, "look_template_sd"), number(r, "look_template_sd_hi"),
                 number(r, "template_sd_max"), 100 * (1 - number(r, "look_tail")), text(r, "n_looks"),
                 number(r, "p_adjusted"));
    pl__put_fact(b, "Holds for", "other %s than these: %s items, %s ood wordings, %s draws were seen",
                 *text(r, "generalises") ? text(r, "generalises") : "nothing", text(r, "n_items"),
                 text(r, "n_templates"), text(r, "n_prompt_draws"));
}

static void put_difference(pl__build *b, row r)
{
    char value[PL_MARKUP_INTERVAL];
    interval(value, r, "difference", "lo", "hi");
    if (*text(r, "towards")) /* its p is of the nearest verdict, and stands with it */
        pl__put_fact(b, "Tuned minus prompted", "%s", value);
    else
        pl__put_fact(b, "Tuned minus prompted", "%s, p %.2g", value, number(r, "p_adjusted"));
    pl__put_fact(b, "Holds for",
                 "other %s than these: %s items, %s ood wordings, %s draws prompted and %s tuned were seen",
                 *text(r, "generalises") ? text(r, "generalises") : "nothing", text(r, "n_items"),
                 text(r, "n_templates"), text(r, "n_prompt_draws"), text(r, "n_tuned_draws"));
    if (*text(r, "hindsight_arm")) {
        char arm[256];
        interval(value, r, "hindsight_difference", "hindsight_lo", "hindsight_hi");
        arm_of(arm, r, "hindsight_arm", "hindsight_k");
        pl__put_fact(b, "In hindsight", "%s looks best under the ood wordings themselves; tuned minus it: %s", arm,
                     value);
    }
}

/* A look goes by no margin. */
static void put_settings(pl__build *b, row r)
{
    char required[PL_MARKUP_NUMBER], baseline[PL_MARKUP_NUMBER], value[PL_MARKUP_NUMBER], margin[96] = "";
    const bool looked = *text(r, "stopped_after");
    pl_markup_number(required, number(r, "required"));
    pl_markup_number(baseline, number(r, "baseline"));
    pl_markup_number(value, number(r, "margin"));
    if (!looked) (void)snprintf(margin, sizeof margin, "; margin %s", value);
    if (*required && *text(r, "baseline_of"))
        pl__put_fact(b, "Required", "%s (%s: %s)%s", required, text(r, "baseline_of"), baseline, margin);
    else if (*required)
        pl__put_fact(b, "Required", "%s%s", required, margin);
    if (!looked)
        (void)snprintf(margin, sizeof margin, "margin halved %s, doubled %s; ", text(r, "margin_halved"),
                       text(r, "margin_doubled"));
    pl__put_fact(b, "With other settings", "%srequirement halved %s, doubled %s", margin, text(r, "required_halved"),
                 text(r, "required_doubled"));
}

static void put_cost(pl__build *b, row r)
{
    double learn = number(r, "tuned_learn_tokens"), even = number(r, "break_even_items");
    if (isnan(learn)) return;
    pl__put_fact(
        b, "Cost",
        "tuning %.0f tokens a draw, all trials; an item %.1f tokens tuned, %.1f prompted; tuning pays back %s", learn,
        number(r, "tuned_item_tokens"), number(r, "prompt_item_tokens"),
        isnan(even)
            ? "never, by tokens"
            : pl__say(b, "from %.0f items on (tokens of all draws; one that is learned from counts as three)", even));
}

static void put_decides(pl__build *b, row r)
{
    double together = number(r, "together"), alone = number(r, "alone");
    if (*text(r, "why")) pl__put_fact(b, "Why not", "%s", text(r, "why"));
    if (*text(r, "towards")) {
        pl__put_fact(b, "Nearest verdict", "%s; most of the uncertainty is due to %s", text(r, "towards"),
                     text(r, "most_uncertain"));
        if (!isnan(alone))
            pl__put_fact(b, "Would decide alone", "%.3g times as many %s, all else equal", alone,
                         text(r, "most_uncertain"));
        if (!isnan(together)) pl__put_fact(b, "Would decide", "%.3g times as many items, wordings and draws", together);
    }
    if (*text(r, "not_tried")) pl__put_fact(b, "Not tried", "%s", text(r, "not_tried"));
    if (*text(r, "wobble_first")) {
        char value[PL_MARKUP_INTERVAL];
        interval(value, r, "wobble_margin", "wobble_margin_lo", "wobble_margin_hi");
        pl__put_fact(b, "A naive policy",
                     "tune where the answers' margins move from wording to wording: %s (wobble_margin %s; it tunes "
                     "where all of the interval is above .5); for comparison, no part of the verdict",
                     text(r, "wobble_first"), value);
    }
}

/* What the verdict comes to, in one sentence; counts of 100 items for shares. */
static void put_sentence(pl__build *b, row r)
{
    const char *verdict = text(r, "verdict");
    double prompt = 100 * number(r, "prompt_accuracy"), tuned = 100 * number(r, "tuned_accuracy");
    double lo = 100 * number(r, "lo"), hi = 100 * number(r, "hi"), required = 100 * number(r, "required");
    pl__put(b, "<p class=answer>");
    put_badge(b, r);
    pl__put(b, " ");
    const char *how = strncmp(text(r, "prompt_arm"), "prompt", 6)
                          ? "Leave the weights as they are: under new wordings a readout of the frozen model"
                          : "Prompt this model for this task: under new wordings it";
    if (!strcmp(verdict, "PROMPT") && *text(r, "stopped_after"))
        pl__put_format(b, "%s is right on %.0f of 100 items where %.0f are required: enough, and tuning was not tried.",
                       how, prompt, required);
    else if (!strcmp(verdict, "PROMPT"))
        pl__put_format(b, "%s is right on %.0f of 100 items, and tuning adds less than %.0f points.", how, prompt,
                       100 * number(r, "margin"));
    else if (!strcmp(verdict, "FINE-TUNE"))
        pl__put_format(b,
                       "Tune this model for this task: under new wordings it is right on %.0f of 100 items tuned and "
                       "on %.0f prompted; the difference is between %.0f and %.0f points.",
                       tuned, prompt, lo, hi);
    else if (!strcmp(verdict, "NEITHER"))
        pl__put_format(b,
                       "Neither is enough: under new wordings it is right on %.0f of 100 items tuned and on %.0f "
                       "prompted, and %.0f are required.",
                       tuned, prompt, required);
    else if (*text(r, "why") || isnan(prompt) || isnan(tuned))
        pl__put_format(b, "The data do not say whether to prompt or to tune: %s.", text(r, "why"));
    else
        pl__put_format(b,
                       "The data do not say whether to prompt or to tune: under new wordings it is right on %.0f of "
                       "100 items tuned and on %.0f prompted; the difference is between %.0f and %.0f points.",
                       tuned, prompt, lo, hi);
    pl__put(b, "</p>\n");
}

void pl__section_verdict(pl__build *b, const pl__subject *s)
{
    if (s->verdict == SIZE_MAX) {
        pl__put(b, "<p>No verdict: no arm learns in this run, so there is nothing to hold prompting against.</p>\n");
        return;
    }
    row r = row_of(s);
    put_sentence(b, r);
    pl__put(b, "<dl class=facts>\n");
    put_side(b, r, "Prompted", "prompt", "prompt_k");
    if (*text(r, "stopped_after")) {
        put_look(b, r);
    } else {
        put_side(b, r, "Tuned", "tuned", "");
        put_difference(b, r);
    }
    put_settings(b, r);
    put_cost(b, r);
    put_decides(b, r);
    pl__put(b, "</dl>\n");
}
