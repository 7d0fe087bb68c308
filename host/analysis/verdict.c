#include "analysis/verdict.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/contrast.h"
#include "analysis/scope.h"
#include "statistics/template_variance.h"

static const double ABOVE_BASELINE = 0.10, LEVEL = 0.05;

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

static pl_status choose(pl__choice *choice, pl_verdict_side *side, const pl__conditions *of,
                        const double *const *dev_accuracy, pl__is_candidate *is_candidate)
{
    *side = (pl_verdict_side){.arm = "", .row = "", .chosen_by = "", .accuracy = pl__only_value(NAN)};
    PL_TRY(pl__choose(choice, of, is_candidate, dev_accuracy));
    if (!choice->best) return PL_OK;
    if (choice->n_candidates > 1)
        side->chosen_by = choice->by_dev_items          ? "dev items"
                          : choice->role == PL_ROLE_DEV ? "dev templates"
                                                        : "id templates";
    side->n_candidates = choice->n_candidates;
    side->chosen_share = choice->share;
    side->k = choice->best->unit->k;
    side->n_prompts = 1;
    for (size_t k = 0, n = 0; choice->best->ensembled && k < choice->best->t; k++)
        if (choice->best->roles[k] == PL_ROLE_OOD) side->n_prompts = ++n;
    side->n_draws = choice->judged.n_draws;
    PL_TRY(pl__condition_name(&side->arm, choice->best, of->arena));
    pl__condition row = *choice->best;
    row.ensembled = false;
    PL_TRY(pl__condition_name(&side->row, &row, of->arena));
    return pl__contrast(&side->accuracy, &choice->judged, NULL, PL_ROLE_OOD, of->arena);
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
        if (*names[i]) PL_TRY(pl_arena_format(of->arena, (char **)out, "%s%s%s", *out, **out ? ", " : "", names[i]));
    return PL_OK;
}

/* ---- a row ---- */

/* Why bounds would not hold for other items, wordings and draws; "" where they do. */
static const char *why_not(const pl_verdict_row *r)
{
    if (!*r->tuned.arm) return "no arm of kind finetune";
    if (!*r->prompt.arm) return "no arm that prompts, and no linear readout";
    if (isnan(r->require)) return "no default says what is required here: name verdict.require";
    if (isnan(r->difference.value)) return "no ood template: none is held out from the choices";
    if (!r->difference.over_templates) return "one ood wording: nothing is known of others";
    if (!r->difference.over_draws || !r->tuned.accuracy.over_draws)
        return "under three draws of an arm: nothing is known of others (draws, seeds: 3 or more)";
    if (isnan(r->difference.lo) || isnan(r->prompt.accuracy.lo) || isnan(r->tuned.accuracy.lo))
        return "nothing varies: there is no interval";
    return "";
}

/* The same of a look, which has the prompt side alone. */
static const char *why_not_enough(const pl_verdict_row *r, const pl__choice *prompt)
{
    const pl_crossed *accuracy = &r->prompt.accuracy;
    if (!prompt->best) return "no arm that prompts, and no linear readout";
    if (isnan(accuracy->value)) return "no ood template: none is held out from the choices";
    if (pl__condition_n_templates(&prompt->judged, PL_ROLE_OOD) < PL_TEMPLATE_SD_MIN)
        return "under four ood wordings: no bound on the template SD";
    if (prompt->judged.sampled && !accuracy->over_draws)
        return "under three draws of an arm: nothing is known of others (draws, seeds: 3 or more)";
    return isnan(accuracy->lo) || isnan(r->look.template_sd_hi) ? "nothing varies: there is no interval" : "";
}

/* The dev templates may have chosen badly, which would favour tuning. */
static pl_status look_back(pl_verdict_row *out, const pl__conditions *of, const pl__choice *prompt,
                           const pl__choice *tuned)
{
    const pl__condition *best = NULL;
    double top = -1;
    for (size_t c = 0; c < of->n; c++) {
        double accuracy = is_prompt_side(&of->list[c]) ? pl__condition_accuracy(&of->list[c], PL_ROLE_OOD) : NAN;
        if (!(accuracy > top)) continue;
        best = &of->list[c];
        top = accuracy;
    }
    if (!best || best == prompt->best) return PL_OK;
    out->hindsight_k = best->unit->k;
    PL_TRY(pl__condition_name(&out->hindsight, best, of->arena));
    return pl__contrast(&out->hindsight_difference, &tuned->judged, best, PL_ROLE_OOD, of->arena);
}

/* The SD is that of the arm that would be used. Judged answers are of several arms where the choice is open, whose
 * wordings' effects cancel in part. What an arm was chosen by, accuracy under dev templates, says nothing of its SD
 * under others. */
static pl_status look(pl_verdict_row *out, const pl__choice *prompt, const pl__verdict_rules *rules, pl_arena *arena)
{
    pl_verdict_look *l = &out->look;
    pl_mean_squares squares;
    double mean;
    l->stage = rules->stopped;
    l->template_sd_max = rules->template_sd_max;
    l->tail = LEVEL / (double)(rules->n_looks * rules->n_rows);
    if (!prompt->best) return PL_OK;
    l->accuracy_lo = pl_crossed_bound(&out->prompt.accuracy, l->tail);
    PL_TRY(pl__contrast_squares(&squares, &mean, prompt->best, PL_ROLE_OOD, arena));
    if (isnan(mean)) return PL_OK;
    l->template_sd = pl_template_sd_of(&squares, mean).value;
    double hi = pl_template_sd_upper(&squares, mean, l->tail);
    l->template_sd_hi = hi > PL_SHARE_SD_MAX ? PL_SHARE_SD_MAX : hi;
    l->template_sd_p = pl_template_sd_p(&squares, mean, l->template_sd_max);
    return PL_OK;
}

pl_status pl__verdict_row(pl_verdict_row *out, const pl__conditions *of, const double *const *dev_accuracy,
                          const pl__verdict_rules *rules)
{
    static const char *const baselines[] = {"commonest label", "chance", ""};
    const pl__condition *any = &of->list[0];
    pl__choice prompt, tuned;
    double baseline = pl__condition_baseline(any), by_default = baseline + ABOVE_BASELINE;
    *out = (pl_verdict_row){.model = any->unit->model,
                            .task = any->unit->task,
                            .readout = any->unit->readout,
                            .baseline_of = isnan(baseline) ? "" : baselines[any->baseline],
                            .baseline = baseline,
                            .require = !isnan(rules->require) ? rules->require
                                       : by_default < 1.0     ? by_default
                                                              : NAN,
                            .margin = rules->margin,
                            .n_items = any->n_kept,
                            .difference = pl__only_value(NAN),
                            .hindsight = "",
                            .hindsight_difference = pl__only_value(NAN),
                            .wobble_first = "",
                            .wobble = NAN,
                            .wobble_lo = NAN,
                            .wobble_hi = NAN,
                            .break_even = NAN,
                            .n_looks = rules->n_looks,
                            .look = {"", NAN, NAN, NAN, NAN, NAN, NAN},
                            .p = NAN,
                            .p_adjusted = NAN};
    PL_TRY(choose(&prompt, &out->prompt, of, dev_accuracy, is_prompt_side));
    PL_TRY(choose(&tuned, &out->tuned, of, dev_accuracy, is_tuned));
    PL_TRY(name_not_tried(&out->not_tried, of));
    if (prompt.best && tuned.best) {
        PL_TRY(pl__contrast(&out->difference, &tuned.judged, &prompt.judged, PL_ROLE_OOD, of->arena));
        out->n_templates = pl__contrast_n_templates(&tuned.judged, &prompt.judged, PL_ROLE_OOD);
        PL_TRY(look_back(out, of, &prompt, &tuned));
    }
    if (!rules->stopped) {
        out->why = why_not(out);
        return PL_OK;
    }
    PL_TRY(look(out, &prompt, rules, of->arena));
    out->n_templates = prompt.best ? pl__condition_n_templates(&prompt.judged, PL_ROLE_OOD) : 0;
    out->why = why_not_enough(out, &prompt);
    return PL_OK;
}

/* Each draw of a group was adapted by a unit of its own, which is asked once. */
static pl_status group_dev_accuracy(const double **out, const pl__conditions *of, const pl__condition *c)
{
    double *accuracy;
    bool *asked, all = true;
    PL_TRY(pl_arena_new(of->arena, &accuracy, c->n_draws));
    PL_TRY(pl_arena_new(of->arena, &asked, c->n_draws));
    for (size_t i = 0; i < pl_run_view_n_units(of->view); i++) {
        size_t d = 0;
        const pl_run_unit *u = pl_run_view_unit(of->view, i);
        if (u->group != c->unit->group || !u->done) continue;
        while (d < c->n_draws && c->draws[d] != u->draw) d++;
        if (d == c->n_draws || asked[d]) continue;
        asked[d] = true;
        pl__learned learned;
        PL_TRY(pl_run_view_learned(of->view, u, &learned));
        accuracy[d] = learned.dev_accuracy;
    }
    for (size_t d = 0; d < c->n_draws; d++) all = all && asked[d] && !isnan(accuracy[d]);
    *out = all ? accuracy : NULL;
    return PL_OK;
}

pl_status pl__verdict_dev_accuracy(const double **out, const pl__conditions *of)
{
    for (size_t c = 0; c < of->n; c++) {
        out[c] = NULL;
        if (is_tuned(&of->list[c])) PL_TRY(group_dev_accuracy(&out[c], of, &of->list[c]));
    }
    return PL_OK;
}

/* ---- all rows ---- */

static double require_of(const pl_verdict_row *r, double times)
{
    bool above = r->require > r->baseline;
    return above ? fmin(1.0, r->baseline + times * (r->require - r->baseline)) : r->require;
}

static pl__case case_of(const pl_verdict_row *r, double margin, double require)
{
    return (pl__case){.of = {r->prompt.accuracy, r->tuned.accuracy, r->difference},
                      .margin = margin * r->margin,
                      .require = require == 1.0 ? r->require : require_of(r, require),
                      .n_looks = (double)r->n_looks,
                      .stopped = *r->look.stage,
                      .sd_p = r->look.template_sd_p,
                      .sound = !*r->why};
}

static void fill_cases(pl__case *cases, const pl_verdict_row *rows, size_t n, double margin, double require)
{
    for (size_t i = 0; i < n; i++) cases[i] = case_of(&rows[i], margin, require);
}

bool pl__verdict_is_enough(const pl_verdict_row *row)
{
    const pl__case c = case_of(row, 1.0, 1.0);
    return c.sound && pl__p_enough(&c) <= row->look.tail * c.n_looks;
}

static void take_decision(pl_verdict_row *r, const pl__case *c, pl_verdict verdict, double p, double adjusted, size_t n)
{
    r->verdict = verdict;
    r->clearly = verdict == PL_FINETUNE && r->difference.lo > r->margin &&
                 (!*r->hindsight || r->hindsight_difference.lo > r->margin);
    r->p = p;
    r->p_adjusted = adjusted;
    r->outlook = (pl__outlook){.alone = NAN, .together = NAN};
    if (verdict == PL_UNDECIDED && c->sound && !c->stopped)
        r->outlook = pl__outlook_of(c, LEVEL / 2.0 / (c->n_looks * (double)n));
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
