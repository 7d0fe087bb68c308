#include "analysis/policy.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "statistics/multiplicity.h"

static const double WOBBLE_THRESHOLD = 0.5;
enum { EXACT_TASKS = 12, SIGNS = 9999 };

const char *const pl_policy_names[PL_POLICIES] = {
#define X(id, name, what) name,
    PL_POLICY_TABLE(X)
#undef X
};
const char *const pl_policy_texts[PL_POLICIES] = {
#define X(id, name, what) what,
    PL_POLICY_TABLE(X)
#undef X
};
const char *const pl_policy_score_names[PL_POLICY_SCORES] = {
#define X(id, name, text) name,
    PL_POLICY_SCORE_TABLE(X)
#undef X
};
const char *const pl_policy_score_texts[PL_POLICY_SCORES] = {
#define X(id, name, text) text,
    PL_POLICY_SCORE_TABLE(X)
#undef X
};
const char *const pl_held_out_names[PL_HELD_OUTS] = {"", "task", "model"};

/* What a policy makes of a case. */
typedef struct decision {
    double tunes;   /* 1, 0; of the random one a chance */
    double utility; /* accuracy of what it takes */
    double trains;  /* tuning was paid for, be it taken or not */
    double claims;  /* 0: it says that it does not know */
} decision;

typedef struct scoring {
    const pl_policy_cases *cases;
    pl_policy_clusters clusters;
    double margin;
    decision *all[PL_HELD_OUTS][PL_POLICIES]; /* [cases]; NULL: the policy cannot be replayed so */
    const char *why[PL_HELD_OUTS][PL_POLICIES];
    double *weight, *scratch, *values;
} scoring;

/* ---- decisions ---- */

static bool has_threshold(pl_policy policy)
{
    return policy == PL_POLICY_ACCURACY_ONLY || policy == PL_POLICY_FLIPS_ONLY;
}

static double signal_of(pl_policy policy, const pl_policy_case *c)
{
    return policy == PL_POLICY_ACCURACY_ONLY ? -c->signals[PL_SIGNAL_ACCURACY] : c->signals[PL_SIGNAL_FLIPS];
}

static bool is_apart(const scoring *s, pl_held_out held_out, size_t a, size_t b)
{
    const size_t *of = held_out == PL_HELD_TASK ? s->clusters.task_of : s->clusters.model_of;
    return of[a] != of[b];
}

/* Mean utility over the cases that are apart from `without`, when those above the threshold are tuned. */
static double utility_above(const scoring *s, pl_policy policy, pl_held_out held_out, size_t without, double threshold)
{
    double sum = 0, n = 0;
    for (size_t i = 0; i < s->cases->n; i++) {
        const pl_policy_case *c = &s->cases->list[i];
        if (!is_apart(s, held_out, i, without)) continue;
        sum += signal_of(policy, c) > threshold ? c->tuned : c->repaired;
        n++;
    }
    return n > 0 ? sum / n : NAN;
}

/* The threshold that is best elsewhere; of equals the highest, which tunes least. */
static double learned_threshold(const scoring *s, pl_policy policy, pl_held_out held_out, size_t without)
{
    double best = INFINITY, top = utility_above(s, policy, held_out, without, INFINITY);
    double below = -INFINITY, all = utility_above(s, policy, held_out, without, below);
    for (size_t i = 0; i < s->cases->n; i++) {
        double threshold = signal_of(policy, &s->cases->list[i]);
        if (!is_apart(s, held_out, i, without) || isnan(threshold)) continue;
        double utility = utility_above(s, policy, held_out, without, threshold);
        if (utility > top || (utility == top && threshold > best && best < INFINITY)) {
            top = utility;
            best = threshold;
        }
    }
    return all > top ? below : best;
}

static decision decide(const scoring *s, pl_policy policy, pl_held_out held_out, size_t i, double share)
{
    const pl_policy_case *c = &s->cases->list[i];
    bool by_verdict = c->verdict == PL_FINETUNE, known = by_verdict || c->verdict == PL_PROMPT;
    decision d = {.claims = 1, .utility = NAN};
    switch (policy) {
    case PL_POLICY_ALWAYS_PROMPT:
        d.utility = c->prompted;
        break;
    case PL_POLICY_ALWAYS_TUNE:
        d.tunes = 1;
        break;
    case PL_POLICY_ACCURACY_ONLY:
    case PL_POLICY_FLIPS_ONLY:
        d.tunes = signal_of(policy, c) > learned_threshold(s, policy, held_out, i);
        break;
    case PL_POLICY_WOBBLE_FIRST:
        d.tunes = c->wobble_lo > WOBBLE_THRESHOLD;
        break;
    case PL_POLICY_VERDICT:
        d.tunes = by_verdict;
        d.claims = known;
        d.trains = 1;
        break;
    case PL_POLICY_STAGED:
        d.tunes = by_verdict && !c->is_enough;
        d.claims = known || c->is_enough;
        d.trains = !c->is_enough;
        break;
    case PL_POLICY_RANDOM:
        d.tunes = share;
        break;
    case PL_POLICY_ORACLE:
        d.tunes = c->tuned > fmax(c->repaired, c->prompted);
        d.utility = fmax(c->tuned, fmax(c->repaired, c->prompted));
        d.trains = 1;
        break;
    default:
        break;
    }
    if (isnan(d.utility)) d.utility = d.tunes * c->tuned + (1 - d.tunes) * c->repaired;
    if (d.trains == 0) d.trains = d.tunes;
    return d;
}

static const char *why_not(const scoring *s, pl_policy policy, pl_held_out held_out)
{
    if (has_threshold(policy) && held_out == PL_HELD_TASK && s->clusters.n_tasks < 2)
        return "one task: no other one to learn a threshold from";
    if (has_threshold(policy) && held_out == PL_HELD_MODEL && s->clusters.n_models < 2)
        return "one model: no other one to learn a threshold from";
    for (size_t i = 0; i < s->cases->n; i++) {
        const pl_policy_case *c = &s->cases->list[i];
        if (policy == PL_POLICY_STAGED && !c->has_looks)
            return "a cell has no look: verdict.template_sd_max is not given, or it has one kind of arm";
        if (policy == PL_POLICY_WOBBLE_FIRST && isnan(c->wobble_lo)) return "a cell has no bound of wobble_margin";
        if (policy == PL_POLICY_FLIPS_ONLY && isnan(c->signals[PL_SIGNAL_FLIPS])) return "a cell has no flip_rate";
    }
    return NULL;
}

static pl_status decide_all(scoring *s)
{
    double share = 0;
    for (size_t i = 0; i < s->cases->n; i++) share += (s->cases->list[i].verdict == PL_FINETUNE) / (double)s->cases->n;
    for (int h = 0; h < PL_HELD_OUTS; h++)
        for (int p = 0; p < PL_POLICIES; p++) {
            if ((h > 0) != has_threshold((pl_policy)p)) continue;
            s->why[h][p] = why_not(s, (pl_policy)p, (pl_held_out)h);
            if (s->why[h][p]) continue;
            PL_TRY(pl_new(&s->all[h][p], s->cases->n));
            for (size_t i = 0; i < s->cases->n; i++)
                s->all[h][p][i] = decide(s, (pl_policy)p, (pl_held_out)h, i, share);
        }
    return PL_OK;
}

/* ---- scores ---- */

/* A score is the sum of the first part over the sum of the second. */
static void parts_of(double parts[2], const scoring *s, pl_policy_score score, const decision *d, size_t i)
{
    const pl_policy_case *c = &s->cases->list[i];
    double best = s->all[PL_HELD_NONE][PL_POLICY_ORACLE][i].utility,
           verdict = s->all[PL_HELD_NONE][PL_POLICY_VERDICT][i].utility;
    double gain = c->tuned - c->repaired, needs = gain > s->margin;
    double wrong = d->tunes * (gain <= 0) + (1 - d->tunes) * (gain >= s->margin);
    const double all[PL_POLICY_SCORES][2] = {
        [PL_POLICY_UTILITY] = {d->utility, 1},
        [PL_POLICY_REGRET] = {best - d->utility, 1},
        [PL_POLICY_CAPTURED] = {d->utility - c->prompted, best - c->prompted},
        [PL_POLICY_DIFFERENCE] = {d->utility - verdict, 1},
        [PL_POLICY_TUNED] = {d->tunes, 1},
        [PL_POLICY_SPENT] = {d->trains * c->tune_tokens, c->tune_tokens},
        [PL_POLICY_LOOKED] = {c->prompt_tokens, c->tune_tokens},
        [PL_POLICY_PRECISION] = {d->tunes * needs, d->tunes},
        [PL_POLICY_RECALL] = {d->tunes * needs, needs},
        [PL_POLICY_WRONG] = {d->claims * wrong, d->claims},
    };
    parts[0] = all[score][0];
    parts[1] = all[score][1];
}

static double score_of(const scoring *s, pl_policy_score score, const decision *all, const double *weight)
{
    double sums[2] = {0}, parts[2];
    for (size_t i = 0; i < s->cases->n; i++) {
        double w = weight ? weight[i] : 1;
        parts_of(parts, s, score, &all[i], i);
        if (w == 0) continue;
        sums[0] += w * parts[0];
        sums[1] += w * parts[1];
    }
    return sums[1] > 0 ? sums[0] / sums[1] : NAN;
}

/* Two-sided: as large a sum when each task's own has its sign by chance. */
static double sign_p(const scoring *s, const decision *all, double *of_task)
{
    const size_t n = s->clusters.n_tasks;
    double observed = 0, parts[2], reached = 0;
    memset(of_task, 0, n * sizeof *of_task);
    for (size_t i = 0; i < s->cases->n; i++) {
        parts_of(parts, s, PL_POLICY_DIFFERENCE, &all[i], i);
        of_task[s->clusters.task_of[i]] += parts[0];
        observed += parts[0];
    }
    const bool exact = n <= EXACT_TASKS;
    const size_t tries = exact ? (size_t)1 << n : SIGNS;
    for (size_t b = 0; b < tries; b++) {
        double sum = 0;
        for (size_t t = 0; t < n; t++) {
            bool minus = exact ? b >> t & 1 : pl_random_below(0, PL_RANDOM_PERMUTE, (uint32_t)b, t, 2);
            sum += minus ? -of_task[t] : of_task[t];
        }
        reached += fabs(sum) >= fabs(observed) - 1e-12;
    }
    return exact ? reached / (double)tries : (1 + reached) / (1 + (double)tries);
}

static void fill_row(pl_policy_row *row, const scoring *s)
{
    const decision *all = s->all[row->held_out][row->policy];
    double bounds[2];
    size_t n = 0;
    row->value = row->lo = row->hi = row->p = row->p_adjusted = NAN;
    row->generalises = row->why_empty = "";
    row->n_tasks = s->clusters.n_tasks;
    row->n_models = s->clusters.n_models;
    row->n_cells = s->cases->n / 2;
    if (!all) {
        row->why_empty = s->why[row->held_out][row->policy];
        return;
    }
    row->value = score_of(s, row->score, all, NULL);
    if (isnan(row->value)) {
        row->why_empty = row->score == PL_POLICY_PRECISION  ? "it tunes nowhere"
                         : row->score == PL_POLICY_RECALL   ? "tuning gains more than the margin nowhere"
                         : row->score == PL_POLICY_WRONG    ? "it claims nothing"
                         : row->score == PL_POLICY_CAPTURED ? "the oracle gains nothing"
                                                            : "no unit tells its tokens";
        return;
    }
    if (row->n_tasks < PL_POLICY_TASKS_MIN) {
        row->why_empty = "under three tasks: nothing is known of others";
        return;
    }
    for (uint32_t b = 0; b < PL_POLICY_REPLICATES; b++) {
        pl_policy_resample(s->weight, s->scratch, &s->clusters, s->cases->n, b);
        double value = score_of(s, row->score, all, s->weight);
        if (!isnan(value)) s->values[n++] = value;
    }
    pl_policy_bounds(bounds, s->values, n);
    row->lo = bounds[0];
    row->hi = bounds[1];
    row->generalises = row->n_models < PL_POLICY_MODELS_MIN ? "tasks" : "tasks, models";
    if (row->score == PL_POLICY_DIFFERENCE && row->policy != PL_POLICY_VERDICT) row->p = sign_p(s, all, s->scratch);
}

static pl_status adjust(pl_policy_table *table)
{
    double p[PL_HELD_OUTS * PL_POLICIES], adjusted[PL_HELD_OUTS * PL_POLICIES];
    size_t n = 0;
    for (size_t i = 0; i < table->n; i++)
        if (table->rows[i].score == PL_POLICY_DIFFERENCE) p[n++] = table->rows[i].p;
    PL_TRY(pl_holm(adjusted, p, n));
    for (size_t i = 0, at = 0; i < table->n; i++)
        if (table->rows[i].score == PL_POLICY_DIFFERENCE) table->rows[i].p_adjusted = adjusted[at++];
    return PL_OK;
}

pl_status pl_policies_score(pl_policy_table *out, const pl_policy_cases *cases, double margin)
{
    scoring s = {.cases = cases, .margin = margin};
    pl_status status;
    *out = (pl_policy_table){.margin = margin};
    if (!cases->n)
        return pl_fail(PL_E_INPUT,
                       "no model and task has a prompting and a tuned arm under ood wordings in both halves "
                       "of its items and wordings: there is nothing to choose between");
    PL_GOTO(status, done, pl_policy_clusters_of(&s.clusters, cases));
    PL_GOTO(status, done, pl_new(&s.weight, cases->n));
    PL_GOTO(status, done, pl_new(&s.scratch, s.clusters.n_tasks + s.clusters.n_models));
    PL_GOTO(status, done, pl_new(&s.values, PL_POLICY_REPLICATES));
    PL_GOTO(status, done, decide_all(&s));
    PL_GOTO(status, done, pl_new(&out->rows, (size_t)PL_HELD_OUTS * PL_POLICIES * PL_POLICY_SCORES));
    for (int p = 0; p < PL_POLICIES; p++)
        for (int h = 0; h < PL_HELD_OUTS; h++)
            for (int k = 0; k < PL_POLICY_SCORES && (h > 0) == has_threshold((pl_policy)p); k++) {
                pl_policy_row *row = &out->rows[out->n++];
                *row = (pl_policy_row){.policy = (pl_policy)p, .score = (pl_policy_score)k, .held_out = (pl_held_out)h};
                fill_row(row, &s);
            }
    status = adjust(out);
done:
    for (int h = 0; h < PL_HELD_OUTS; h++)
        for (int p = 0; p < PL_POLICIES; p++) free(s.all[h][p]);
    free(s.weight);
    free(s.scratch);
    free(s.values);
    pl_policy_clusters_free(&s.clusters);
    if (status != PL_OK) pl_policy_table_free(out);
    return status;
}

void pl_policy_table_free(pl_policy_table *table)
{
    free(table->rows);
    *table = (pl_policy_table){0};
}
