/* The strength of the penalty by cross-validation within the training rows (logistic.h).
 *
 * A fold's features are made once and its fits go up the grid, each from the optimum of the one before. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "measure/logistic.h"
#include "measure/logistic_fit.h"
#include "measure/logistic_newton.h"

/* ---- folds ---- */

typedef struct row_of {
    size_t cluster, row;
} row_of;

/* Rows [first, first + n) of the list of rows by cluster. */
typedef struct group {
    size_t first, n, turn; /* turn: at random among those of one size */
} group;

static int by_cluster(const void *a, const void *b)
{
    const row_of *x = a, *y = b;
    if (x->cluster != y->cluster) return x->cluster < y->cluster ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

static int larger_first(const void *a, const void *b)
{
    const group *x = a, *y = b;
    if (x->n != y->n) return x->n > y->n ? -1 : 1;
    return (x->turn > y->turn) - (x->turn < y->turn);
}

/* What stands in the folds so far. */
typedef struct dealt {
    size_t n_classes, n_folds;
    size_t *count;  /* [n_folds, n_classes] */
    size_t *n_rows; /* [n_folds] */
    size_t *total;  /* [n_classes] */
    size_t *own;    /* [n_classes] of the group at hand */
} dealt;

/* What the group would add to sum over folds and classes of (count / total)^2, which is least when all are even. */
static double unevenness(const dealt *t, size_t fold)
{
    double sum = 0.0;
    for (size_t c = 0; c < t->n_classes; c++) {
        if (t->own[c] == 0) continue;
        double total = (double)t->total[c], own = (double)t->own[c] / total;
        sum += own * (2.0 * (double)t->count[fold * t->n_classes + c] / total + own);
    }
    return sum;
}

static size_t most_even(const dealt *t)
{
    size_t best = 0;
    double least = unevenness(t, 0);
    for (size_t f = 1; f < t->n_folds; f++) {
        double sum = unevenness(t, f);
        if (sum < least || (sum == least && t->n_rows[f] < t->n_rows[best])) {
            best = f;
            least = sum;
        }
    }
    return best;
}

static void deal(size_t *fold, dealt *t, const size_t *classes, const row_of *rows, const group *groups, size_t n)
{
    for (size_t g = 0; g < n; g++) {
        const row_of *own = rows + groups[g].first;
        memset(t->own, 0, t->n_classes * sizeof *t->own);
        for (size_t i = 0; i < groups[g].n; i++) t->own[classes[own[i].row]]++;
        size_t to = most_even(t);
        for (size_t c = 0; c < t->n_classes; c++) t->count[to * t->n_classes + c] += t->own[c];
        for (size_t i = 0; i < groups[g].n; i++) fold[own[i].row] = to;
        t->n_rows[to] += groups[g].n;
    }
}

/* Fills rows [n] and groups [n]; the number of groups. */
static size_t list_groups(row_of *rows, group *groups, const size_t *cluster, size_t n)
{
    size_t n_groups = 0;
    for (size_t i = 0; i < n; i++) rows[i] = (row_of){cluster ? cluster[i] : i, i};
    qsort(rows, n, sizeof *rows, by_cluster);
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || rows[i].cluster != rows[i - 1].cluster) groups[n_groups++] = (group){.first = i};
        groups[n_groups - 1].n++;
    }
    return n_groups;
}

pl_status pl_folds(size_t *fold, const size_t *classes, size_t n_classes, const size_t *cluster, size_t n,
                   size_t n_folds, uint64_t seed)
{
    pl_status status = PL_OK;
    dealt t = {.n_classes = n_classes, .n_folds = n_folds};
    row_of *rows = NULL;
    group *groups = NULL;
    size_t *turn = NULL, counts = 0, n_groups = 0;
    if (n_folds < 2) return pl_fail(PL_E_INPUT, "%zu folds, expected at least 2", n_folds);
    PL_TRY(pl_mul_size(&counts, n_folds, n_classes, "folds"));
    PL_GOTO(status, done, pl_new(&t.count, counts));
    PL_GOTO(status, done, pl_new(&t.n_rows, n_folds));
    PL_GOTO(status, done, pl_new(&t.total, n_classes));
    PL_GOTO(status, done, pl_new(&t.own, n_classes));
    PL_GOTO(status, done, pl_new(&rows, n));
    PL_GOTO(status, done, pl_new(&groups, n));
    PL_GOTO(status, done, pl_new(&turn, n));
    for (size_t i = 0; i < n; i++) t.total[classes[i]]++;
    n_groups = list_groups(rows, groups, cluster, n);
    pl_random_permutation(turn, n_groups, seed, PL_RANDOM_FOLDS, 0);
    for (size_t g = 0; g < n_groups; g++) groups[g].turn = turn[g];
    qsort(groups, n_groups, sizeof *groups, larger_first);
    deal(fold, &t, classes, rows, groups, n_groups);
done:
    free(turn);
    free(groups);
    free(rows);
    free(t.own);
    free(t.total);
    free(t.n_rows);
    free(t.count);
    return status;
}

/* ---- held-out loss ---- */

/* One fold: the rows of the others with the classes that these have, numbered anew, and the held-out rows of them. */
typedef struct split {
    pl_labelled train;
    float *x, *held_x;                          /* [n, width] */
    size_t *classes, *held_classes, *new_class; /* [n], [n], [n_classes]: SIZE_MAX where there is no row */
    size_t n_held;
} split;

static void split_free(split *s)
{
    free(s->x);
    free(s->held_x);
    free(s->classes);
    free(s->held_classes);
    free(s->new_class);
}

static pl_status split_rows(split *s, const pl_labelled *rows, const size_t *fold, size_t held)
{
    size_t width = rows->width, n_train = 0;
    *s = (split){0};
    for (size_t i = 0; i < rows->n; i++) n_train += fold[i] != held;
    PL_TRY(pl_new(&s->x, n_train * width));
    PL_TRY(pl_new(&s->held_x, (rows->n - n_train) * width));
    PL_TRY(pl_new(&s->classes, rows->n));
    PL_TRY(pl_new(&s->held_classes, rows->n));
    PL_TRY(pl_new(&s->new_class, rows->n_classes));
    s->train = (pl_labelled){.width = width, .x = s->x, .classes = s->classes};
    for (size_t c = 0; c < rows->n_classes; c++) s->new_class[c] = SIZE_MAX;
    for (size_t i = 0; i < rows->n; i++)
        if (fold[i] != held) s->new_class[rows->classes[i]] = 0;
    for (size_t c = 0; c < rows->n_classes; c++)
        if (s->new_class[c] == 0) s->new_class[c] = s->train.n_classes++;
    for (size_t i = 0; i < rows->n; i++) {
        size_t class = s->new_class[rows->classes[i]];
        const float *x = rows->x + i * width;
        if (fold[i] != held) {
            memcpy(s->x + s->train.n * width, x, width * sizeof *x);
            s->classes[s->train.n++] = class;
        } else if (class != SIZE_MAX) {
            memcpy(s->held_x + s->n_held * width, x, width * sizeof *x);
            s->held_classes[s->n_held++] = class;
        }
    }
    return PL_OK;
}

/* sum[s] of -ln p over the held-out rows. */
static pl_status losses_of_split(double *sum, const split *s, bool standardise, const double *strengths,
                                 size_t n_strengths)
{
    pl_status status = PL_OK;
    pl__logistic_features features = {0};
    pl_logistic model = {0};
    size_t n_classes = s->train.n_classes;
    double *theta = NULL, *log_probs = NULL;
    PL_TRY(pl__logistic_features_of(&features, &s->train, standardise));
    PL_GOTO(status, done, pl_new(&theta, pl__logistic_rows(n_classes) * features.z_width));
    PL_GOTO(status, done, pl_new(&log_probs, s->n_held * n_classes));
    const pl__logistic_problem problem = {s->train.n, features.z_width, n_classes, features.z, s->classes};
    for (size_t at = 0; at < n_strengths; at++) {
        PL_GOTO(status, done, pl__logistic_solve(theta, &problem, strengths[at]));
        PL_GOTO(status, done, pl__logistic_model(&model, theta, &features, n_classes, strengths[at]));
        pl_logistic_predict(log_probs, &model, s->held_x, s->n_held);
        pl_logistic_free(&model);
        for (size_t i = 0; i < s->n_held; i++) sum[at] -= log_probs[i * n_classes + s->held_classes[i]];
    }
done:
    free(log_probs);
    free(theta);
    pl__logistic_features_free(&features);
    return status;
}

/* sum[s] and how many rows it is over: none where the other folds hold one class only. */
static pl_status losses_of_fold(double *sum, size_t *n_held, const pl_labelled *rows, bool standardise,
                                const double *strengths, size_t n_strengths, const size_t *fold, size_t held)
{
    split s;
    pl_status status = split_rows(&s, rows, fold, held);
    if (status == PL_OK && s.train.n_classes >= 2 && s.n_held > 0) {
        *n_held = s.n_held;
        status = losses_of_split(sum, &s, standardise, strengths, n_strengths);
    }
    split_free(&s);
    return status;
}

static pl_status check_strengths(const double *strengths, size_t n)
{
    if (n == 0) return pl_fail(PL_E_INPUT, "logistic regression: no strength to choose from");
    for (size_t s = 0; s < n; s++)
        if (!(strengths[s] > 0.0 && isfinite(strengths[s])) || (s > 0 && !(strengths[s] > strengths[s - 1])))
            return pl_fail(PL_E_INPUT,
                           "logistic regression: strength %g at place %zu, expected numbers above 0 that ascend",
                           strengths[s], s + 1);
    return PL_OK;
}

pl_status pl_logistic_losses(double *loss, const pl_labelled *rows, bool standardise, const double *strengths,
                             size_t n_strengths, const size_t *fold, size_t n_folds)
{
    pl_status status = PL_OK;
    double *sums = NULL;
    size_t *n_held = NULL, values = 0, total = 0;
    PL_TRY(check_strengths(strengths, n_strengths));
    PL_TRY(pl__logistic_check(rows));
    PL_TRY(pl_mul_size(&values, n_folds, n_strengths, "losses of folds"));
    PL_GOTO(status, done, pl_new(&sums, values));
    PL_GOTO(status, done, pl_new(&n_held, n_folds));
    for (size_t f = 0; f < n_folds; f++)
        PL_GOTO(status, done,
                losses_of_fold(sums + f * n_strengths, &n_held[f], rows, standardise, strengths, n_strengths, fold, f));
    for (size_t f = 0; f < n_folds; f++) total += n_held[f];
    if (total == 0) {
        status = pl_fail(PL_E_INPUT,
                         "logistic regression: %zu rows leave no fold to choose a strength with: give one strength, or "
                         "take examples of every class from several clusters",
                         rows->n);
        goto done;
    }
    for (size_t s = 0; s < n_strengths; s++) {
        loss[s] = 0.0;
        for (size_t f = 0; f < n_folds; f++) loss[s] += sums[f * n_strengths + s];
        loss[s] /= (double)total;
    }
done:
    free(n_held);
    free(sums);
    return status;
}

pl_status pl_logistic_fit_best(pl_logistic *out, double *losses, const pl_labelled *rows, const size_t *cluster,
                               bool standardise, const pl_logistic_grid *grid)
{
    pl_status status = PL_OK;
    size_t *fold = NULL, best = 0;
    double *loss = NULL;
    *out = (pl_logistic){0};
    PL_TRY(check_strengths(grid->strengths, grid->n_strengths));
    PL_TRY(pl__logistic_check(rows));
    PL_GOTO(status, done, pl_new(&loss, grid->n_strengths));
    loss[0] = NAN;
    if (grid->n_strengths > 1) {
        PL_GOTO(status, done, pl_new(&fold, rows->n));
        PL_GOTO(status, done,
                pl_folds(fold, rows->classes, rows->n_classes, cluster, rows->n, grid->n_folds, grid->seed));
        PL_GOTO(status, done,
                pl_logistic_losses(loss, rows, standardise, grid->strengths, grid->n_strengths, fold, grid->n_folds));
        for (size_t s = 1; s < grid->n_strengths; s++)
            if (loss[s] < loss[best]) best = s;
    }
    if (losses) memcpy(losses, loss, grid->n_strengths * sizeof *losses);
    PL_GOTO(status, done, pl_logistic_fit(out, rows, standardise, grid->strengths[best]));
done:
    free(loss);
    free(fold);
    return status;
}
