#include "analysis/verdict.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/contrast.h"

static const double ABOVE_MAJORITY = 0.10, LEVEL = 0.05;

/* ---- the best arm of each side ---- */

static bool is_control(const pl__condition *c)
{
    return !strcmp(c->unit->labels, "shuffled");
}

static bool is_tuned(const pl__condition *c)
{
    return !strcmp(c->unit->kind, "finetune") && !is_control(c);
}

static bool is_prompt_side(const pl__condition *c)
{
    return strcmp(c->unit->kind, "finetune") != 0 && !is_control(c);
}

/* By dev items where every candidate says how it did on them; NULL else. */
static const pl__condition *best_on_dev_items(const pl__conditions *of, const double *dev_accuracy,
                                              pl__is_candidate *is_candidate)
{
    const pl__condition *best = NULL;
    double top = -1;
    for (size_t c = 0; c < of->n; c++) {
        if (!is_candidate(&of->list[c])) continue;
        if (isnan(dev_accuracy[c])) return NULL;
        if (dev_accuracy[c] <= top) continue;
        best = &of->list[c];
        top = dev_accuracy[c];
    }
    return best;
}

static pl_status choose(const pl__condition **best, pl_verdict_side *side, const pl__conditions *of,
                        const double *dev_accuracy, pl__is_candidate *is_candidate)
{
    *side = (pl_verdict_side){.arm = "", .chosen_by = "", .accuracy.value = NAN};
    for (size_t c = 0; c < of->n; c++) side->n_candidates += is_candidate(&of->list[c]);
    *best = best_on_dev_items(of, dev_accuracy, is_candidate);
    side->chosen_by = "dev items";
    if (!*best) {
        *best = pl__best_condition(of, of->list[0].unit->model, is_candidate);
        side->chosen_by = *best && pl__condition_n_templates(*best, PL_ROLE_DEV) ? "dev templates" : "id templates";
    }
    if (!*best) return PL_OK;
    if (side->n_candidates == 1) side->chosen_by = "";
    side->k = (*best)->unit->k;
    side->n_draws = (*best)->n_draws;
    PL_TRY(pl__condition_name(&side->arm, *best, of->arena));
    return pl__contrast(&side->accuracy, *best, NULL, PL_ROLE_OOD, of->arena);
}

static bool has_kind(const pl__conditions *of, bool (*is_kind)(const pl__condition *))
{
    for (size_t c = 0; c < of->n; c++)
        if (is_kind(&of->list[c])) return true;
    return false;
}

static bool has_shots(const pl__condition *c)
{
    return c->unit->k > 0;
}

static bool is_calibrated(const pl__condition *c)
{
    return c->calibrated;
}

static bool is_linear(const pl__condition *c)
{
    return !strcmp(c->unit->kind, "linear") && !is_control(c);
}

static pl_status name_not_tried(const char **out, const pl__conditions *of)
{
    const char *names[] = {has_kind(of, has_shots) ? "" : "shots",
                           has_kind(of, is_calibrated) ? "" : "contextual calibration",
                           has_kind(of, is_linear) ? "" : "a linear readout"};
    *out = "";
    for (size_t i = 0; i < 3; i++)
        if (*names[i])
            PL_TRY(pl_arena_format(of->arena, (char **)out, "%s%s%s", *out, **out ? ", " : "", names[i]));
    return PL_OK;
}

/* ---- a row ---- */

/* Why bounds would not hold for other items, wordings and draws; "" where they do. */
static const char *why_not(const pl_verdict_row *r)
{
    if (!*r->tuned.arm) return "no arm of kind finetune";
    if (!*r->prompt.arm) return "no arm that prompts, and no linear readout";
    if (isnan(r->difference.value)) return "no ood template: none is held out from the choices";
    if (!r->difference.over_templates) return "one ood wording: nothing is known of others";
    if (!r->difference.over_draws || !r->tuned.accuracy.over_draws)
        return "under three draws of an arm: nothing is known of others";
    if (isnan(r->difference.lo) || isnan(r->prompt.accuracy.lo) || isnan(r->tuned.accuracy.lo))
        return "nothing varies: there is no interval";
    return "";
}

pl_status pl__verdict_row(pl_verdict_row *out, const pl__conditions *of, const double *dev_accuracy, double require,
                          double margin)
{
    const pl__condition *any = &of->list[0], *prompt, *tuned;
    double majority = any->n_kept ? (double)any->n_commonest / (double)any->n_kept : NAN;
    *out = (pl_verdict_row){.model = any->unit->model,
                            .task = any->unit->task,
                            .readout = any->unit->readout,
                            .majority = majority,
                            .require = isnan(require) ? fmin(1.0, majority + ABOVE_MAJORITY) : require,
                            .margin = margin,
                            .n_items = any->n_kept,
                            .difference.value = NAN,
                            .break_even = NAN,
                            .p = NAN,
                            .p_adjusted = NAN};
    PL_TRY(choose(&prompt, &out->prompt, of, dev_accuracy, is_prompt_side));
    PL_TRY(choose(&tuned, &out->tuned, of, dev_accuracy, is_tuned));
    PL_TRY(name_not_tried(&out->not_tried, of));
    if (prompt && tuned) {
        PL_TRY(pl__contrast(&out->difference, tuned, prompt, PL_ROLE_OOD, of->arena));
        out->n_templates = pl__contrast_n_templates(tuned, prompt, PL_ROLE_OOD);
    }
    out->why = why_not(out);
    return PL_OK;
}

/* The draws of a group were adapted by units of their own; several units evaluate what one of them made. */
static pl_status group_dev_accuracy(double *out, const pl__conditions *of, const pl_run_unit *group)
{
    const char *last = "";
    double sum = 0, n = 0;
    for (size_t i = 0; i < pl_run_view_n_units(of->view); i++) {
        double accuracy;
        const pl_run_unit *u = pl_run_view_unit(of->view, i);
        if (u->group != group->group || !u->done || !u->learned_by || !strcmp(last, u->learned_by)) continue;
        PL_TRY(pl_run_view_dev_accuracy(of->view, u, &accuracy));
        sum += accuracy;
        n++;
        last = u->learned_by;
    }
    *out = sum / n;
    return PL_OK;
}

pl_status pl__verdict_dev_accuracy(double *out, const pl__conditions *of)
{
    for (size_t c = 0; c < of->n; c++) {
        out[c] = NAN;
        if (is_tuned(&of->list[c])) PL_TRY(group_dev_accuracy(&out[c], of, of->list[c].unit));
    }
    return PL_OK;
}

/* ---- all rows ---- */

static double require_of(const pl_verdict_row *r, double times)
{
    bool above = r->require > r->majority;
    return above ? fmin(1.0, r->majority + times * (r->require - r->majority)) : r->require;
}

static void fill_cases(pl__case *cases, const pl_verdict_row *rows, size_t n, double margin, double require)
{
    for (size_t i = 0; i < n; i++) {
        const pl_verdict_row *r = &rows[i];
        cases[i] = (pl__case){.of = {r->prompt.accuracy, r->tuned.accuracy, r->difference},
                              .margin = margin * r->margin,
                              .require = require == 1.0 ? r->require : require_of(r, require),
                              .sound = !*r->why};
    }
}

static void take_decision(pl_verdict_row *r, const pl__case *c, pl_verdict verdict, double p, double adjusted, size_t n)
{
    r->verdict = verdict;
    r->clearly = verdict == PL_FINETUNE && r->difference.lo > r->margin;
    r->p = p;
    r->p_adjusted = adjusted;
    r->outlook = (pl__outlook){.alone = NAN, .together = NAN};
    if (verdict == PL_UNDECIDED && c->sound) r->outlook = pl__outlook_of(c, LEVEL / 2.0 / (double)n);
}

pl_status pl__verdicts_decide(pl_verdict_row *rows, size_t n)
{
    static const double margins[PL_SENSITIVITIES] = {0.5, 2, 1, 1}, requires[PL_SENSITIVITIES] = {1, 1, 0.5, 2};
    pl__case *cases = NULL;
    pl_verdict *verdicts = NULL;
    double *p = NULL, *adjusted = NULL;
    size_t n_sound = 0;
    pl_status status;
    for (size_t i = 0; i < n; i++) n_sound += !*rows[i].why;
    PL_GOTO(status, done, pl_new(&cases, n));
    PL_GOTO(status, done, pl_new(&verdicts, n));
    PL_GOTO(status, done, pl_new(&p, n));
    PL_GOTO(status, done, pl_new(&adjusted, n));
    for (size_t s = 0; s < PL_SENSITIVITIES; s++) {
        fill_cases(cases, rows, n, margins[s], requires[s]);
        PL_GOTO(status, done, pl__verdicts(verdicts, p, adjusted, cases, n));
        for (size_t i = 0; i < n; i++) rows[i].sensitivity[s] = verdicts[i];
    }
    fill_cases(cases, rows, n, 1.0, 1.0);
    PL_GOTO(status, done, pl__verdicts(verdicts, p, adjusted, cases, n));
    for (size_t i = 0; i < n; i++) take_decision(&rows[i], &cases[i], verdicts[i], p[i], adjusted[i], n_sound);
done:
    free(cases);
    free(verdicts);
    free(p);
    free(adjusted);
    return status;
}
