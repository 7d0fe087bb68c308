#include "analysis/policy_signal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const pl_outcome_names[PL_OUTCOMES] = {"gain of tuning", "flips"};

static const double RIDGE = 1.0;
enum { TERMS_MAX = PL_SIGNALS + 1, CELLS_MIN = 10 };

typedef struct judging {
    const pl_policy_cases *cases;
    pl_policy_clusters clusters;
    double margin;
    bool has[PL_SIGNALS];
    double *y, *centre;       /* [cases]: the outcome, its mean where the prediction was fitted */
    double *predicted[2];     /* [cases]: by behaviour, with representations */
    double *weight, *scratch; /* of a replicate */
    double *values;           /* [replicates] */
} judging;

/* ---- ridge ---- */

/* x of a x = b, a symmetric and positive definite [n, TERMS_MAX]; both are overwritten, x stands in b. */
static void solve(double (*a)[TERMS_MAX], double *b, size_t n)
{
    for (size_t j = 0; j < n; j++) { /* Cholesky */
        for (size_t k = 0; k < j; k++) a[j][j] -= a[j][k] * a[j][k];
        a[j][j] = sqrt(a[j][j]);
        for (size_t i = j + 1; i < n; i++) {
            for (size_t k = 0; k < j; k++) a[i][j] -= a[i][k] * a[j][k];
            a[i][j] /= a[j][j];
        }
    }
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < i; k++) b[i] -= a[i][k] * b[k];
        b[i] /= a[i][i];
    }
    for (size_t i = n; i-- > 0;) {
        for (size_t k = i + 1; k < n; k++) b[i] -= a[k][i] * b[k];
        b[i] /= a[i][i];
    }
}

/* The prediction of case `at` from those that `fits` names: signals [m] of x [cases, m]. */
static double predict(const double *x, const double *y, const bool *fits, size_t n, size_t m, size_t at, double *centre)
{
    double mean[TERMS_MAX] = {0}, scale[TERMS_MAX] = {0}, a[TERMS_MAX][TERMS_MAX] = {{0}}, b[TERMS_MAX] = {0};
    double y_mean = 0, count = 0, prediction;
    for (size_t i = 0; i < n; i++) {
        if (!fits[i]) continue;
        count++;
        y_mean += y[i];
        for (size_t j = 0; j < m; j++) mean[j] += x[i * m + j];
    }
    y_mean /= count;
    for (size_t j = 0; j < m; j++) mean[j] /= count;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; fits[i] && j < m; j++) scale[j] += (x[i * m + j] - mean[j]) * (x[i * m + j] - mean[j]);
    for (size_t j = 0; j < m; j++) scale[j] = scale[j] > 0 ? sqrt(scale[j] / count) : 1;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; fits[i] && j < m; j++) {
            double z = (x[i * m + j] - mean[j]) / scale[j];
            b[j] += z * (y[i] - y_mean);
            for (size_t k = 0; k <= j; k++) a[j][k] += z * (x[i * m + k] - mean[k]) / scale[k];
        }
    for (size_t j = 0; j < m; j++) a[j][j] += RIDGE;
    solve(a, b, m);
    prediction = y_mean;
    for (size_t j = 0; j < m; j++) prediction += b[j] * (x[at * m + j] - mean[j]) / scale[j];
    *centre = y_mean;
    return prediction;
}

static size_t gather(double *x, const judging *g, bool representations)
{
    size_t m = 0, at = 0;
    for (size_t s = 0; s < PL_SIGNALS; s++) m += g->has[s] && (s < PL_SIGNALS_BEHAVIOUR || representations);
    for (size_t i = 0; i < g->cases->n; i++)
        for (size_t s = 0; s < PL_SIGNALS; s++)
            if (g->has[s] && (s < PL_SIGNALS_BEHAVIOUR || representations)) x[at++] = g->cases->list[i].signals[s];
    return m;
}

static pl_status predict_all(judging *g, pl_held_out held_out)
{
    const size_t n = g->cases->n, *of = held_out == PL_HELD_TASK ? g->clusters.task_of : g->clusters.model_of;
    double *x;
    bool *fits = NULL;
    PL_TRY(pl_new(&x, n * PL_SIGNALS));
    pl_status status = pl_new(&fits, n);
    for (int r = 0; r < 2 && status == PL_OK; r++) {
        size_t m = gather(x, g, r > 0);
        for (size_t i = 0; i < n; i++) {
            for (size_t j = 0; j < n; j++) fits[j] = of[j] != of[i];
            g->predicted[r][i] = predict(x, g->y, fits, n, m, i, &g->centre[i]);
        }
    }
    free(fits);
    free(x);
    return status;
}

/* ---- statistics of predictions ---- */

static double r_squared(const judging *g, int r, const double *weight)
{
    double left = 0, all = 0;
    for (size_t i = 0; i < g->cases->n; i++) {
        double w = weight ? weight[i] : 1, e = g->y[i] - g->predicted[r][i], d = g->y[i] - g->centre[i];
        left += w * e * e;
        all += w * d * d;
    }
    return all > 0 ? 1 - left / all : NAN;
}

static double auroc(const judging *g, int r, const double *weight)
{
    double won = 0, pairs = 0;
    for (size_t i = 0; i < g->cases->n; i++)
        for (size_t j = 0; j < g->cases->n && g->y[i] > g->margin; j++) {
            if (g->y[j] > g->margin) continue;
            double w = weight ? weight[i] * weight[j] : 1, a = g->predicted[r][i], b = g->predicted[r][j];
            pairs += w;
            won += w * (a > b ? 1 : a == b ? 0.5 : 0);
        }
    return pairs > 0 ? won / pairs : NAN;
}

typedef double statistic(const judging *g, int r, const double *weight);

/* which: 0 behaviour, 1 with representations, 2 their difference. */
static double value_of(const judging *g, statistic *of, int which, const double *weight)
{
    return which < 2 ? of(g, which, weight) : of(g, 1, weight) - of(g, 0, weight);
}

static void fill(pl_signal_row *row, const judging *g, statistic *of, int which)
{
    double bounds[2];
    size_t n = 0;
    row->value = value_of(g, of, which, NULL);
    row->why_empty = isnan(row->value) ? "tuning gains more than the margin everywhere, or nowhere" : "";
    for (uint32_t b = 0; b < PL_POLICY_REPLICATES && !isnan(row->value); b++) {
        pl_policy_resample(g->weight, g->scratch, &g->clusters, g->cases->n, b);
        double value = value_of(g, of, which, g->weight);
        if (!isnan(value)) g->values[n++] = value;
    }
    pl_policy_bounds(bounds, g->values, n);
    row->lo = bounds[0];
    row->hi = bounds[1];
}

/* ---- partial Spearman ---- */

/* Mean ranks of the values of each model's cases, centred. */
static void rank_within(double *out, const double *values, const judging *g)
{
    const size_t *model = g->clusters.model_of;
    for (size_t i = 0; i < g->cases->n; i++) {
        double below = 0, equal = 0, n = 0;
        for (size_t j = 0; j < g->cases->n; j++) {
            if (model[j] != model[i]) continue;
            n++;
            below += values[j] < values[i];
            equal += values[j] == values[i];
        }
        out[i] = below + (equal + 1) / 2 - (n + 1) / 2;
    }
}

/* What is left of v [n] beside the columns of z [n, m], all centred; weighted. */
static void residuals(double *v, const double *z, size_t n, size_t m, const double *weight)
{
    double a[TERMS_MAX][TERMS_MAX] = {{0}}, b[TERMS_MAX] = {0};
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < m; j++) {
            double w = weight ? weight[i] : 1;
            b[j] += w * z[i * m + j] * v[i];
            for (size_t k = 0; k <= j; k++) a[j][k] += w * z[i * m + j] * z[i * m + k];
        }
    for (size_t j = 0; j < m; j++) a[j][j] += 1e-9 * (a[j][j] + 1); /* of constant or equal columns */
    solve(a, b, m);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < m; j++) v[i] -= b[j] * z[i * m + j];
}

static double correlation(const double *a, const double *b, size_t n, const double *weight)
{
    double ab = 0, aa = 0, bb = 0;
    for (size_t i = 0; i < n; i++) {
        double w = weight ? weight[i] : 1;
        ab += w * a[i] * b[i];
        aa += w * a[i] * a[i];
        bb += w * b[i] * b[i];
    }
    return aa > 1e-12 && bb > 1e-12 ? ab / sqrt(aa * bb) : NAN;
}

/* ranks: [n] of the outcome, [n] of the signal, [n, m] of behaviour; own: [2 n] of scratch. */
static double partial(const double *ranks, double *own, size_t n, size_t m, const double *weight)
{
    memcpy(own, ranks, 2 * n * sizeof *own);
    residuals(own, ranks + 2 * n, n, m, weight);
    residuals(own + n, ranks + 2 * n, n, m, weight);
    return correlation(own, own + n, n, weight);
}

static pl_status fill_spearman(pl_signal_row *row, const judging *g, pl_signal signal)
{
    const size_t n = g->cases->n;
    size_t m = 0, count = 0, at = 0;
    double *ranks = NULL, *own = NULL, *column = NULL, bounds[2];
    pl_status status;
    for (size_t s = 0; s < PL_SIGNALS_BEHAVIOUR; s++) m += g->has[s];
    PL_GOTO(status, done, pl_new(&ranks, (2 + m) * n));
    PL_GOTO(status, done, pl_new(&own, 2 * n));
    PL_GOTO(status, done, pl_new(&column, 2 * n));
    rank_within(ranks, g->y, g);
    for (size_t i = 0; i < n; i++) column[i] = g->cases->list[i].signals[signal];
    rank_within(ranks + n, column, g);
    for (size_t s = 0; s < PL_SIGNALS_BEHAVIOUR; s++) {
        if (!g->has[s]) continue;
        for (size_t i = 0; i < n; i++) column[i] = g->cases->list[i].signals[s];
        rank_within(column + n, column, g);
        for (size_t i = 0; i < n; i++) ranks[2 * n + i * m + at] = column[n + i];
        at++;
    }
    row->value = partial(ranks, own, n, m, NULL);
    row->why_empty = isnan(row->value) ? "nothing varies beside behaviour" : "";
    for (uint32_t b = 0; b < PL_POLICY_REPLICATES && !isnan(row->value); b++) {
        pl_policy_resample(g->weight, g->scratch, &g->clusters, n, b);
        double value = partial(ranks, own, n, m, g->weight);
        if (!isnan(value)) g->values[count++] = value;
    }
    pl_policy_bounds(bounds, g->values, count);
    row->lo = bounds[0];
    row->hi = bounds[1];
done:
    free(ranks);
    free(own);
    free(column);
    return status;
}

/* ---- the table ---- */

static const char *why_nothing(const judging *g, const pl_signal_table *table)
{
    if (g->clusters.n_tasks < PL_POLICY_TASKS_MIN) return "under three tasks: nothing is known of others";
    if (g->cases->n / 2 < CELLS_MIN) return "under ten cells (models x tasks x readouts)";
    if (!table->n_signals[1]) return "no signal of the states is in every cell: capture layers";
    return NULL;
}

static pl_signal_row *new_row(pl_signal_table *table, const judging *g, pl_outcome outcome, const char *statistic,
                              const char *of, pl_held_out held_out)
{
    pl_signal_row *row = &table->rows[table->n++];
    *row = (pl_signal_row){.outcome = outcome,
                           .statistic = statistic,
                           .of = of,
                           .held_out = held_out,
                           .value = NAN,
                           .lo = NAN,
                           .hi = NAN,
                           .n_cells = g->cases->n / 2,
                           .n_tasks = g->clusters.n_tasks,
                           .n_models = g->clusters.n_models,
                           .why_empty = ""};
    return row;
}

static pl_status judge_held_out(pl_signal_table *table, judging *g, pl_outcome outcome, pl_held_out held_out,
                                const char *why)
{
    static const char *const names[] = {"behaviour", "and representations", "increment"};
    if (!why && held_out == PL_HELD_MODEL && g->clusters.n_models < 2) why = "one model: no other one to fit to";
    if (!why) PL_TRY(predict_all(g, held_out));
    for (int which = 0; which < 3; which++) {
        pl_signal_row *row = new_row(table, g, outcome, "r2", names[which], held_out);
        if (why)
            row->why_empty = why;
        else
            fill(row, g, r_squared, which);
        if (which == 2) table->promotes[outcome] = table->promotes[outcome] && row->lo > 0;
        if (outcome != PL_OUTCOME_GAIN) continue;
        row = new_row(table, g, outcome, "auroc", names[which], held_out);
        if (why)
            row->why_empty = why;
        else
            fill(row, g, auroc, which);
    }
    return PL_OK;
}

static pl_status judge(pl_signal_table *table, judging *g)
{
    const char *why = why_nothing(g, table);
    for (int o = 0; o < PL_OUTCOMES; o++) {
        for (size_t i = 0; i < g->cases->n; i++) {
            const pl_policy_case *c = &g->cases->list[i];
            g->y[i] = o == PL_OUTCOME_GAIN ? c->tuned - c->repaired : c->ood_flips;
        }
        table->promotes[o] = true;
        PL_TRY(judge_held_out(table, g, (pl_outcome)o, PL_HELD_TASK, why));
        PL_TRY(judge_held_out(table, g, (pl_outcome)o, PL_HELD_MODEL, why));
        for (size_t s = PL_SIGNALS_BEHAVIOUR; s < PL_SIGNALS; s++) {
            pl_signal_row *row = new_row(table, g, (pl_outcome)o, "spearman", pl_signal_names[s], PL_HELD_NONE);
            if (why || !g->has[s])
                row->why_empty = why ? why : "a cell lacks it";
            else
                PL_TRY(fill_spearman(row, g, (pl_signal)s));
        }
    }
    return PL_OK;
}

pl_status pl_signals_judge(pl_signal_table *out, const pl_policy_cases *cases, double margin)
{
    enum { ROWS = PL_OUTCOMES * (12 + PL_SIGNALS) };
    judging g = {.cases = cases, .margin = margin};
    pl_status status;
    *out = (pl_signal_table){0};
    for (size_t s = 0; s < PL_SIGNALS; s++) {
        g.has[s] = cases->n > 0;
        for (size_t i = 0; i < cases->n; i++) g.has[s] = g.has[s] && !isnan(cases->list[i].signals[s]);
        out->has_signal[s] = g.has[s];
        out->n_signals[s >= PL_SIGNALS_BEHAVIOUR] += g.has[s];
    }
    PL_GOTO(status, done, pl_policy_clusters_of(&g.clusters, cases));
    PL_GOTO(status, done, pl_new(&g.y, cases->n));
    PL_GOTO(status, done, pl_new(&g.centre, cases->n));
    PL_GOTO(status, done, pl_new(&g.predicted[0], cases->n));
    PL_GOTO(status, done, pl_new(&g.predicted[1], cases->n));
    PL_GOTO(status, done, pl_new(&g.weight, cases->n));
    PL_GOTO(status, done, pl_new(&g.scratch, g.clusters.n_tasks + g.clusters.n_models));
    PL_GOTO(status, done, pl_new(&g.values, PL_POLICY_REPLICATES));
    PL_GOTO(status, done, pl_new(&out->rows, ROWS));
    status = judge(out, &g);
done:
    free(g.y);
    free(g.centre);
    free(g.predicted[0]);
    free(g.predicted[1]);
    free(g.weight);
    free(g.scratch);
    free(g.values);
    pl_policy_clusters_free(&g.clusters);
    if (status != PL_OK) pl_signal_table_free(out);
    return status;
}

void pl_signal_table_free(pl_signal_table *table)
{
    free(table->rows);
    *table = (pl_signal_table){0};
}
