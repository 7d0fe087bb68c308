#include "analysis/policy_case.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/arms.h"
#include "analysis/look.h"
#include "analysis/stability.h"

const char *const pl_signal_names[PL_SIGNALS] = {
#define X(id, name) name,
    PL_SIGNAL_TABLE(X)
#undef X
};

/* The tables of the half that decides, and the view of the half that scores. */
typedef struct halves {
    pl_run_view *decides, *scores;
    pl_stability_table *table;
    pl_arms_table *arms;
    pl_arena *scratch;
} halves;

/* ---- what decides ---- */

static bool is_subject(const char *model, const char *task, const char *readout, const pl_verdict_row *v)
{
    return !strcmp(model, v->model) && !strcmp(task, v->task) && !strcmp(readout, v->readout);
}

static const pl_arm_row *best_prompt(const halves *h, const pl_verdict_row *v, const char *role)
{
    for (size_t i = 0; i < h->arms->n; i++) {
        const pl_arm_row *r = &h->arms->rows[i];
        if (r->best && is_subject(r->model, r->task, r->readout, v) && !strcmp(r->role, role)) return r;
    }
    return NULL;
}

/* The deepest layer whose states have a row, halved. */
static long middle_layer(const halves *h, const pl_verdict_row *v, const pl_arm_row *prompt)
{
    long deepest = 0, middle = -1;
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < h->table->n; i++) {
            const pl_stability_row *r = &h->table->rows[i];
            if (r->metric != PL_METRIC_WOBBLE || !is_subject(r->model, r->task, r->readout, v) || r->k != prompt->k)
                continue;
            char *end;
            long layer = strtol(r->layer, &end, 10);
            if (*end || end == r->layer) continue;
            if (!pass && layer > deepest) deepest = layer;
            if (pass && (middle < 0 || labs(2 * layer - deepest) <= labs(2 * middle - deepest))) middle = layer;
        }
    return middle;
}

/* The row of a metric over all templates of the half, the mean over draws where there is one. */
static const pl_stability_row *find_row(const pl_stability_table *table, const pl_verdict_row *v,
                                        const pl_arm_row *prompt, pl_metric_id metric, long layer, const char *contrast)
{
    const pl_stability_row *found = NULL;
    for (size_t i = 0; i < table->n; i++) {
        const pl_stability_row *r = &table->rows[i];
        if (r->metric != metric || strcmp(r->contrast, contrast) || r->k != prompt->k || *r->template_name ||
            !is_subject(r->model, r->task, r->readout, v) || !pl_arm_is_of(prompt->arm, r->arm))
            continue;
        if (*r->layer && (strtol(r->layer, NULL, 10) != layer || !strcmp(r->layer, "final_norm"))) continue;
        if (*r->position && strcmp(r->position, "last")) continue;
        if (*r->preproc && strcmp(r->preproc, metric == PL_METRIC_CKA_DEBIASED ? "c" : "z")) continue;
        if (!found || r->draw < found->draw) found = r;
    }
    return found;
}

static void take_signals(pl_policy_case *c, const halves *h, const pl_verdict_row *v, const pl_arm_row *prompt)
{
    static const pl_metric_id metrics[PL_SIGNALS] = {[PL_SIGNAL_ENTROPY] = PL_METRIC_PREDICTION_ENTROPY,
                                                     [PL_SIGNAL_FLIPS] = PL_METRIC_FLIP_RATE,
                                                     [PL_SIGNAL_WOBBLE_MARGIN] = PL_METRIC_WOBBLE_MARGIN,
                                                     [PL_SIGNAL_WOBBLE] = PL_METRIC_WOBBLE,
                                                     [PL_SIGNAL_SHIFT] = PL_METRIC_SHIFT,
                                                     [PL_SIGNAL_CKA] = PL_METRIC_CKA_DEBIASED,
                                                     [PL_SIGNAL_PROBE_GAP] = PL_METRIC_PROBE_GAP};
    long middle = middle_layer(h, v, prompt);
    for (size_t s = 0; s < PL_SIGNALS; s++) {
        const pl_stability_row *row =
            s == PL_SIGNAL_ACCURACY ? NULL : find_row(h->table, v, prompt, metrics[s], middle, "templates");
        c->signals[s] = row ? row->value : NAN;
        if (s == PL_SIGNAL_WOBBLE_MARGIN && row) c->wobble_lo = row->lo;
    }
    c->signals[PL_SIGNAL_ACCURACY] = prompt->accuracy.value;
}

/* A run in stages would have looked at the prompt side's stages, and split its error over them and the verdict. */
static pl_status replay_looks(pl_policy_case *c, const halves *h, const pl_run_unit *subject)
{
    const pl_plan_file *plan = pl_run_view_plan(h->decides);
    bool has[PL_STAGES] = {0};
    size_t n_stages = 0;
    pl__verdict_rules rules = pl__rules_of(h->decides, subject);
    if (isnan(rules.template_sd_max)) return PL_OK;
    for (size_t i = 0; i < pl_run_view_n_units(h->decides); i++) {
        const pl_run_unit *u = pl_run_view_unit(h->decides, i);
        if (pl_run_unit_same_subject(u, subject) && pl_stage_of(u->kind) < PL_STAGES) has[pl_stage_of(u->kind)] = true;
    }
    for (size_t s = 0; s < PL_STAGES; s++) n_stages += has[s];
    c->has_looks = n_stages > 1;
    for (size_t s = 0; s + 1 < PL_STAGES && c->has_looks && !c->is_enough; s++) {
        if (!has[s]) continue;
        pl_look look;
        const pl_look_place place = {.model = (size_t)(subject->model_facts - plan->models),
                                     .task = (size_t)(subject->task_facts - plan->tasks),
                                     .readout = subject->readout,
                                     .stage = pl_stage_names[s],
                                     .n_looks = n_stages,
                                     .n_rows = h->arms->n_verdicts};
        PL_TRY(pl__look(&look, h->decides, &place, h->scratch));
        c->is_enough = look.enough;
    }
    return PL_OK;
}

/* ---- what it is worth ---- */

static pl_status accuracy_of(double *out, const pl__conditions *of, const char *arm, long long k, pl_arena *arena)
{
    *out = NAN;
    for (size_t i = 0; i < of->n + of->n_ensembles; i++) {
        const pl__condition *c = i < of->n ? &of->list[i] : &of->ensembles[i - of->n];
        const char *name;
        if (c->unit->k != k) continue;
        PL_TRY(pl__condition_name(&name, c, arena));
        if (!strcmp(name, arm)) *out = pl__condition_accuracy(c, PL_ROLE_OOD);
    }
    return PL_OK;
}

static const pl_run_unit *find_subject(const pl_run_view *view, const pl_verdict_row *v)
{
    for (size_t i = 0; i < pl_run_view_n_units(view); i++) {
        const pl_run_unit *u = pl_run_view_unit(view, i);
        if (is_subject(u->model, u->task, u->readout, v)) return u;
    }
    return NULL;
}

/* Prediction of an item under two templates differ, over pairs of the ood templates that score. */
static pl_status flips_of(double *out, pl_run_view *view, const pl_verdict_row *v, const pl_arm_row *prompt)
{
    double sum = 0, n = 0;
    *out = NAN;
    for (size_t i = 0; i < pl_run_view_n_units(view); i++) {
        const pl_run_unit *u = pl_run_view_unit(view, i);
        pl__group group;
        if (u->group != i || u->k != prompt->k || !is_subject(u->model, u->task, u->readout, v) ||
            !pl_arm_is_of(prompt->arm, u->arm))
            continue;
        PL_TRY(pl__group_read(&group, view, i));
        for (size_t s = 0; s < group.n_members; s++) {
            const pl__member *m = &group.members[s];
            for (size_t a = 0; a < m->t; a++)
                for (size_t b = a + 1; b < m->t; b++)
                    for (size_t x = 0; x < group.n; x++, n++) sum += m->codes[x * m->t + a] != m->codes[x * m->t + b];
        }
        pl__group_free(&group);
    }
    if (n > 0) *out = sum / n;
    return PL_OK;
}

/* Every prompting cell of the half. */
static double tokens_of_prompts(const halves *h, const pl_verdict_row *v)
{
    double sum = 0;
    for (size_t i = 0; i < h->arms->n; i++) {
        const pl_arm_row *r = &h->arms->rows[i];
        bool prompts = !strncmp(r->arm, "prompt", 6) && is_subject(r->model, r->task, r->readout, v);
        if (prompts && !strstr(r->arm, " calibrated"))
            sum += r->item_tokens * (double)r->n_items * (double)r->n_templates * (double)r->n_draws;
    }
    return sum;
}

static double tokens_of_tuning(const pl_verdict_side *tuned)
{
    double dev = tuned->learn_dev_tokens > 0 ? tuned->learn_dev_tokens : 0.0;
    return (3.0 * (tuned->learn_tokens - dev) + dev) * (double)tuned->n_draws;
}

static pl_status score(pl_policy_case *c, const halves *h, const pl_verdict_row *v, const pl_arm_row *prompt)
{
    const pl_run_unit *subject = find_subject(h->scores, v);
    pl__conditions of;
    c->prompted = c->repaired = c->tuned = c->ood_flips = NAN;
    if (!subject) return PL_OK;
    PL_TRY(pl__conditions_of(&of, h->scores, subject, PL_STAGES, h->scratch));
    if (!of.n) return PL_OK;
    PL_TRY(pl__conditions_share(&of));
    PL_TRY(accuracy_of(&c->prompted, &of, prompt->arm, prompt->k, h->scratch));
    PL_TRY(accuracy_of(&c->repaired, &of, v->prompt.arm, v->prompt.k, h->scratch));
    PL_TRY(accuracy_of(&c->tuned, &of, v->tuned.arm, v->tuned.k, h->scratch));
    return flips_of(&c->ood_flips, h->scores, v, prompt);
}

/* ---- cells ---- */

static pl_status keep_text(const char **out, pl_arena *arena, const char *text)
{
    return pl_arena_text(arena, (char **)out, text, strlen(text));
}

static pl_status add_case(pl_policy_cases *cases, const halves *h, const pl_verdict_row *v, bool swapped)
{
    const pl_arm_row *prompt = best_prompt(h, v, "dev");
    const pl_run_unit *subject = find_subject(h->decides, v);
    if (!prompt) prompt = best_prompt(h, v, "id");
    if (!prompt || !*v->prompt.arm || !*v->tuned.arm) {
        cases->n_without += !swapped;
        return PL_OK;
    }
    pl_policy_case c = {.swapped = swapped,
                        .wobble_lo = NAN,
                        .require = v->require,
                        .verdict = v->verdict,
                        .prompt_tokens = tokens_of_prompts(h, v),
                        .tune_tokens = tokens_of_tuning(&v->tuned)};
    take_signals(&c, h, v, prompt);
    PL_TRY(replay_looks(&c, h, subject));
    PL_TRY(score(&c, h, v, prompt));
    if (isnan(c.prompted) || isnan(c.repaired) || isnan(c.tuned)) {
        cases->n_without += !swapped;
        return PL_OK;
    }
    PL_TRY(keep_text(&c.run, cases->arena, pl_run_view_folder(h->decides)->path));
    PL_TRY(keep_text(&c.model, cases->arena, v->model));
    PL_TRY(keep_text(&c.task, cases->arena, v->task));
    PL_TRY(keep_text(&c.readout, cases->arena, v->readout));
    PL_TRY(keep_text(&c.why, cases->arena, v->why));
    PL_TRY(keep_text(&c.arm, cases->arena, prompt->arm));
    PL_TRY(keep_text(&c.repaired_arm, cases->arena, v->prompt.arm));
    PL_TRY(keep_text(&c.tuned_arm, cases->arena, v->tuned.arm));
    PL_TRY(pl_grow(&cases->list, &cases->capacity, cases->n + 1));
    cases->list[cases->n++] = c;
    return PL_OK;
}

static pl_status refuse_parts(const pl_run_view *view)
{
    const pl_run_folder *run = pl_run_view_folder(view);
    const pl_stages *stages = pl_run_view_stages(view);
    for (size_t i = 0; i < stages->n; i++)
        if (stages->rows[i].stopped)
            return pl_fail(PL_E_INPUT,
                           "%s: a look has stopped a stage of this run: policies are replayed on runs of all "
                           "arms; run it without `staged`",
                           run->path);
    if (!pl_run_view_n_missing(view)) return PL_OK;
    return pl_fail(PL_E_INPUT,
                   "%s: %zu units are missing: policies are replayed on whole runs; finish it first "
                   "(plumb status names them)",
                   run->path, pl_run_view_n_missing(view));
}

static pl_status add_halves(pl_policy_cases *cases, const pl_run_folder *run, bool swapped)
{
    halves h = {0};
    pl_status status;
    PL_GOTO(status, done, pl_arena_create(&h.scratch));
    PL_GOTO(status, done, pl_run_view_open_part(&h.decides, run, (pl_run_part){PL_RUN_DECIDES, swapped}));
    PL_GOTO(status, done, refuse_parts(h.decides));
    PL_GOTO(status, done, pl_run_view_open_part(&h.scores, run, (pl_run_part){PL_RUN_SCORES, swapped}));
    PL_GOTO(status, done, refuse_parts(h.scores));
    PL_GOTO(status, done, pl_stability_of_run(&h.table, h.decides, NULL));
    PL_GOTO(status, done, pl_arms_of_run(&h.arms, h.decides));
    for (size_t v = 0; v < h.arms->n_verdicts && status == PL_OK; v++)
        status = add_case(cases, &h, &h.arms->verdicts[v], swapped);
done:
    pl_arms_free(h.arms);
    pl_stability_free(h.table);
    pl_run_view_close(h.scores);
    pl_run_view_close(h.decides);
    pl_arena_free(h.scratch);
    return status;
}

pl_status pl_policy_cases_add(pl_policy_cases *cases, const pl_run_folder *run)
{
    if (!cases->arena) PL_TRY(pl_arena_create(&cases->arena));
    PL_TRY(add_halves(cases, run, false));
    return add_halves(cases, run, true);
}

void pl_policy_cases_free(pl_policy_cases *cases)
{
    free(cases->list);
    pl_arena_free(cases->arena);
    *cases = (pl_policy_cases){0};
}
