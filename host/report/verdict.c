/* Prompt or tune: a few lines a model and task on the screen, verdict.csv and JSON. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "analysis/scope.h"
#include "base/visible.h"
#include "report/data.h"
#include "report/report.h"
#include "report/text.h"

/* ---- on the screen ---- */

static void share_text(char *out, size_t size, const pl_crossed *c)
{
    if (isnan(c->lo))
        snprintf(out, size, "%.3f", c->value);
    else
        snprintf(out, size, "%.3f [%.3f, %.3f]", c->value, c->lo, c->hi);
}

static void print_side(FILE *out, const char *label, const pl_verdict_side *side)
{
    char arm[PL__ARM_TEXT], accuracy[64];
    if (!*side->arm) return;
    pl__arm_text(arm, side->arm, side->k);
    share_text(accuracy, sizeof accuracy, &side->accuracy);
    pl_print(out, "    %-10s %s, %s", label, accuracy, arm);
    if (side->n_candidates > 1)
        pl_print(out, ": best of %zu by %s, %.0f %% own", side->n_candidates, side->chosen_by,
                 100.0 * side->chosen_share);
    fputc('\n', out);
}

static void print_difference(FILE *out, const pl_verdict_row *r)
{
    char difference[64];
    if (isnan(r->difference.value)) return;
    share_text(difference, sizeof difference, &r->difference);
    pl_print(out, "    difference %s", difference);
    if (!isnan(r->p)) fprintf(out, ", p %.2g", r->p_adjusted);
    if (!isnan(r->difference.lo)) fprintf(out, "; for other %s than these", pl__generalises(&r->difference));
    fprintf(out, "\n    seen       %zu items", r->n_items);
    if (r->difference.n_clusters < r->n_items) fprintf(out, " in %zu clusters", r->difference.n_clusters);
    fprintf(out, ", %zu ood wordings, %zu draws\n", r->n_templates, r->tuned.n_draws);
}

static void print_hindsight(FILE *out, const pl_verdict_row *r)
{
    char arm[PL__ARM_TEXT], difference[64];
    if (!*r->hindsight) return;
    pl__arm_text(arm, r->hindsight, r->hindsight_k);
    share_text(difference, sizeof difference, &r->hindsight_difference);
    pl_print(out, "    hindsight  tuned - %s, the best under ood: %s\n", arm, difference);
}

static const char *const components[] = {"items", "wordings", "draws"};

/* The largest part of what is too uncertain; items stand for their clusters. */
static void print_outlook(FILE *out, const pl_verdict_row *r)
{
    static const char *const bounds[] = {"accuracy prompted", "accuracy tuned", "the difference"};
    const pl__outlook *o = &r->outlook;
    const size_t have[] = {r->n_items, r->n_templates, r->tuned.n_draws};
    if (o->towards == PL_UNDECIDED) {
        fprintf(out, "    nearest    none: no study 1,000 times as large would decide, all else equal\n");
        return;
    }
    fprintf(out,
            "    nearest    %s: %s is too uncertain, %.0f %% of its variance by %s\n    would decide, all else equal: ",
            pl_verdict_name(o->towards), bounds[o->bound], 100.0 * o->share, components[o->component]);
    if (!isnan(o->alone))
        fprintf(out, "%.0f %s in place of %zu, or ", ceil(o->alone * (double)have[o->component] - 1e-9),
                components[o->component], have[o->component]);
    fprintf(out, "%.1f times as much of everything\n", o->together);
}

static void print_sensitivity(FILE *out, const pl_verdict_row *r)
{
    bool same = true;
    for (size_t s = 0; s < PL_SENSITIVITIES; s++) same = same && r->sensitivity[s] == r->verdict;
    fprintf(out, "    required   %.3f", r->require);
    if (*r->baseline_of) fprintf(out, " (%s %.3f)", r->baseline_of, r->baseline);
    fprintf(out, ", margin %.3f", r->margin);
    if (same)
        fprintf(out, "; the same with either halved or doubled\n");
    else
        fprintf(out, "\n    halved/doubled: margin %s/%s, requirement above %s %s/%s\n",
                pl_verdict_name(r->sensitivity[0]), pl_verdict_name(r->sensitivity[1]),
                *r->baseline_of ? r->baseline_of : "0", pl_verdict_name(r->sensitivity[2]),
                pl_verdict_name(r->sensitivity[3]));
}

static void print_cost(FILE *out, const pl_verdict_row *r)
{
    const pl_verdict_side *tuned = &r->tuned;
    if (isnan(tuned->learn_tokens) || isnan(tuned->item_tokens) || isnan(r->prompt.item_tokens)) return;
    fprintf(out, "    cost       tuning %.0f tokens", tuned->learn_tokens);
    if (!isnan(tuned->learn_seconds)) fprintf(out, " and %.0f s", tuned->learn_seconds);
    fprintf(out, " a draw, all trials; an item %.1f tokens, prompted %.1f\n", tuned->item_tokens,
            r->prompt.item_tokens);
    if (isnan(r->break_even))
        fprintf(out, "    pays back  never by tokens\n");
    else
        fprintf(out, "    pays back  by tokens from %.2g items on\n", r->break_even);
}

/* What stopped a staged run. */
static void print_look(FILE *out, const pl_verdict_row *r)
{
    const pl_verdict_look *l = &r->look;
    fprintf(out,
            "    looked     after %s: accuracy at least %.3f, %.3f required;\n"
            "               template SD %.3f, at most %.3f, %.3f allowed;\n"
            "               bounds of %.4g %%, as the error is split over %zu looks",
            l->stage, l->accuracy_lo, r->require, l->template_sd, l->template_sd_hi, l->template_sd_max,
            100.0 * (1.0 - l->tail), r->n_looks);
    if (!isnan(r->p)) fprintf(out, "; p %.2g", r->p_adjusted);
    fprintf(out, "\n    seen       %zu items", r->n_items);
    if (r->prompt.accuracy.n_clusters < r->n_items) fprintf(out, " in %zu clusters", r->prompt.accuracy.n_clusters);
    fprintf(out, ", %zu ood wordings, %zu draws\n", r->n_templates, r->prompt.n_draws);
}

/* What is behind the verdict: both sides, or a look. */
static void print_evidence(FILE *out, const pl_verdict_row *r)
{
    print_side(out, "prompted", &r->prompt);
    if (*r->look.stage) {
        print_look(out, r);
        return;
    }
    print_side(out, "tuned", &r->tuned);
    print_difference(out, r);
    print_hindsight(out, r);
    if (!*r->why && r->verdict == PL_UNDECIDED) print_outlook(out, r);
    if (!*r->why) print_sensitivity(out, r);
    if (r->n_looks > 1)
        fprintf(out, "    staged     p is %zu times as large: the error is split over so many looks\n", r->n_looks);
    print_cost(out, r);
}

static void print_row(FILE *out, const pl_verdict_row *r)
{
    const char *stopped = *r->look.stage && r->verdict == PL_PROMPT ? ": enough; tuning was not tried" : "";
    pl_print(out, "  %s, %s, %s: %s%s%s%s%s\n", r->model, r->task, r->readout, pl_verdict_name(r->verdict),
             r->clearly ? ", clearly" : "", stopped, *r->why ? ": " : "", r->why);
    print_evidence(out, r);
    if (*r->wobble_first)
        fprintf(out,
                "    beside it  wobble-first, a naive policy, says %s: wobble_margin %.3f [%.3f, %.3f] against .5\n",
                r->wobble_first, r->wobble, r->wobble_lo, r->wobble_hi);
    if (*r->not_tried) pl_print(out, "    not tried on the prompt side: %s\n", r->not_tried);
}

pl_status pl_report_verdict_print(FILE *out, const pl_arms_table *arms)
{
    if (!arms->n_verdicts) return PL_OK;
    fputs("prompt or tune? Accuracy under wordings that nothing was trained or chosen on. The prompt side holds\n"
          "linear readouts of the frozen model, too.\n",
          out);
    for (size_t i = 0; i < arms->n_verdicts; i++) print_row(out, &arms->verdicts[i]);
    fputs("PROMPT: prompted it reaches what is required, and tuning adds less than the margin. FINE-TUNE: tuned\n"
          "it does, and is better than prompted; clearly: by more than the margin, in hindsight too. NEITHER:\n"
          "neither does. UNDECIDED: the data do not say. Bounds of 97.5 %, for other items, wordings and draws\n"
          "of the kind; p by Holm over all rows. own: of that arm; each answer is of one chosen without it.\n\n",
          out);
    return ferror(out) ? pl_fail(PL_E_IO, "the table cannot be written to the output") : PL_OK;
}

/* ---- as data ---- */

enum { TEXTS = 22, REALS = 46 };
static const char *const text_names[TEXTS] = {
    "model",         "task",           "readout",         "verdict",          "clearly", "prompt_arm",
    "prompt_chosen", "tuned_arm",      "tuned_chosen",    "generalises",      "why",     "not_tried",
    "margin_halved", "margin_doubled", "required_halved", "required_doubled", "towards", "most_uncertain",
    "wobble_first",  "hindsight_arm",  "baseline_of",     "stopped_after"};
static const char *const real_names[REALS] = {"prompt_k",
                                              "n_items",
                                              "n_clusters",
                                              "n_templates",
                                              "n_prompt_draws",
                                              "n_tuned_draws",
                                              "baseline",
                                              "required",
                                              "margin",
                                              "prompt_accuracy",
                                              "prompt_lo",
                                              "prompt_hi",
                                              "tuned_accuracy",
                                              "tuned_lo",
                                              "tuned_hi",
                                              "difference",
                                              "lo",
                                              "hi",
                                              "se",
                                              "df",
                                              "variance_items",
                                              "variance_templates",
                                              "variance_draws",
                                              "p",
                                              "p_adjusted",
                                              "alone",
                                              "together",
                                              "tuned_learn_tokens",
                                              "prompt_item_tokens",
                                              "tuned_item_tokens",
                                              "break_even_items",
                                              "prompt_chosen_share",
                                              "tuned_chosen_share",
                                              "wobble_margin",
                                              "wobble_margin_lo",
                                              "wobble_margin_hi",
                                              "hindsight_k",
                                              "hindsight_difference",
                                              "hindsight_lo",
                                              "hindsight_hi",
                                              "n_looks",
                                              "look_tail",
                                              "look_accuracy_lo",
                                              "look_template_sd",
                                              "look_template_sd_hi",
                                              "template_sd_max"};

static void fields_of(const char *texts[PL__DATA_TEXTS], double reals[PL__DATA_REALS], const void *rows, size_t i)
{
    const pl_verdict_row *r = (const pl_verdict_row *)rows + i;
    const pl_crossed *p = &r->prompt.accuracy, *f = &r->tuned.accuracy, *d = &r->difference;
    const bool open = r->outlook.towards != PL_UNDECIDED;
    const char *const t[TEXTS] = {r->model,
                                  r->task,
                                  r->readout,
                                  pl_verdict_name(r->verdict),
                                  r->clearly ? "yes" : "no",
                                  r->prompt.arm,
                                  r->prompt.chosen_by,
                                  r->tuned.arm,
                                  r->tuned.chosen_by,
                                  pl__generalises(*r->look.stage ? p : d),
                                  r->why,
                                  r->not_tried,
                                  pl_verdict_name(r->sensitivity[0]),
                                  pl_verdict_name(r->sensitivity[1]),
                                  pl_verdict_name(r->sensitivity[2]),
                                  pl_verdict_name(r->sensitivity[3]),
                                  open ? pl_verdict_name(r->outlook.towards) : "",
                                  open ? components[r->outlook.component] : "",
                                  r->wobble_first,
                                  r->hindsight,
                                  r->baseline_of,
                                  r->look.stage};
    const double x[REALS] = {(double)r->prompt.k,
                             (double)r->n_items,
                             (double)d->n_clusters,
                             (double)r->n_templates,
                             (double)r->prompt.n_draws,
                             (double)r->tuned.n_draws,
                             r->baseline,
                             r->require,
                             r->margin,
                             p->value,
                             p->lo,
                             p->hi,
                             f->value,
                             f->lo,
                             f->hi,
                             d->value,
                             d->lo,
                             d->hi,
                             d->se,
                             d->df,
                             d->variance[0],
                             d->variance[1],
                             d->variance[2],
                             r->p,
                             r->p_adjusted,
                             r->outlook.alone,
                             r->outlook.together,
                             r->tuned.learn_tokens,
                             r->prompt.item_tokens,
                             r->tuned.item_tokens,
                             r->break_even,
                             r->prompt.chosen_share,
                             r->tuned.chosen_share,
                             r->wobble,
                             r->wobble_lo,
                             r->wobble_hi,
                             *r->hindsight ? (double)r->hindsight_k : NAN,
                             r->hindsight_difference.value,
                             r->hindsight_difference.lo,
                             r->hindsight_difference.hi,
                             (double)r->n_looks,
                             r->look.tail,
                             r->look.accuracy_lo,
                             r->look.template_sd,
                             r->look.template_sd_hi,
                             r->look.template_sd_max};
    memcpy(texts, t, sizeof t);
    memcpy(reals, x, sizeof x);
}

static const pl__data data = {TEXTS, REALS, text_names, real_names, fields_of};

pl_status pl_report_verdict_csv(const pl_run_folder *run, const pl_arms_table *arms)
{
    return pl__data_csv(run, "verdict.csv", &data, arms->verdicts, arms->n_verdicts);
}

pl_status pl_report_verdict_json(json_t *object, const pl_arms_table *arms)
{
    return pl__data_json(object, "verdicts", &data, arms->verdicts, arms->n_verdicts);
}
