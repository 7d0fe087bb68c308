/* The strength of the penalty by cross-validation within the training rows (logistic.h).
 *
 * A fold's features are made once and its fits go up the grid, each from the optimum of the one before. Splits are the
 * folds of the sets, set by set; as many as fit into memory are solved together. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "device/logistic.h"
#include "measure/logistic.h"
#include "measure/logistic_fit.h"
#include "measure/logistic_solve.h"

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

/* Features, bases and held-out rows of the splits that are solved together: so many, or half of what the device has
 * free. */
static const size_t TOGETHER_BYTES = (size_t)512 << 20;

/* One fold: the rows of the others with the classes that these have, numbered anew, and the held-out rows of them. */
typedef struct split {
    pl_labelled train;
    float *x, *held_x;                          /* [n, width]; x is gone once the features are made */
    size_t *classes, *held_classes, *new_class; /* [n], [n], [n_classes]: SIZE_MAX where there is no row */
    size_t n_held;
    pl__logistic_features features;
    double *theta; /* [n_strengths, outputs, z_width] */
} split;

static void split_free(split *s)
{
    pl__logistic_features_free(&s->features);
    free(s->theta);
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

/* Whether the other folds have anything to be fitted on, and this one anything to predict. */
static bool is_used(const split *s)
{
    return s->train.n_classes >= 2 && s->n_held > 0;
}

static pl_status make_features(split *s, bool standardise, size_t n_strengths)
{
    PL_TRY(pl__logistic_features_of(&s->features, &s->train, standardise));
    free(s->x);
    s->x = NULL;
    return pl_new(&s->theta, n_strengths * pl_logistic_outputs(s->train.n_classes) * s->features.z_width);
}

/* sum[s] of -ln p over the held-out rows. */
static pl_status add_losses(double *sum, const split *s, const double *strengths, size_t n_strengths)
{
    const size_t n_classes = s->train.n_classes, size = pl_logistic_outputs(n_classes) * s->features.z_width;
    pl_status status = PL_OK;
    pl_logistic model = {0};
    double *log_probs = NULL;
    PL_TRY(pl_new(&log_probs, s->n_held * n_classes));
    for (size_t at = 0; at < n_strengths; at++) {
        PL_GOTO(status, done, pl__logistic_model(&model, s->theta + at * size, &s->features, n_classes, strengths[at]));
        pl_logistic_predict(log_probs, &model, s->held_x, s->n_held);
        pl_logistic_free(&model);
        for (size_t i = 0; i < s->n_held; i++) sum[at] -= log_probs[i * n_classes + s->held_classes[i]];
    }
done:
    free(log_probs);
    return status;
}

static size_t bytes_of(const split *s)
{
    const pl__logistic_features *f = &s->features;
    return (f->n * f->z_width + (f->basis ? f->n * f->width : 0)) * sizeof(double) +
           s->n_held * f->width * sizeof(float);
}

/* Splits that wait to be solved together. */
typedef struct batch {
    split *splits;                  /* [capacity] */
    double **sums;                  /* [capacity][n_strengths], borrowed */
    pl__logistic_problem *problems; /* [capacity] */
    size_t n, bytes;
} batch;

static void batch_empty(batch *b)
{
    for (size_t i = 0; i < b->n; i++) split_free(&b->splits[i]);
    b->n = b->bytes = 0;
}

static void batch_free(batch *b)
{
    batch_empty(b);
    free(b->splits);
    free(b->sums);
    free(b->problems);
}

static pl_status solve_batch(batch *b, const pl_processor *processor, const double *strengths, size_t n_strengths)
{
    if (b->n == 0) return PL_OK;
    for (size_t i = 0; i < b->n; i++) {
        const split *s = &b->splits[i];
        b->problems[i] = (pl__logistic_problem){s->train.n,    s->features.z_width, s->train.n_classes,
                                                s->features.z, s->classes,          s->theta};
    }
    PL_TRY(pl__logistic_solve(b->problems, b->n, processor, strengths, n_strengths));
    for (size_t i = 0; i < b->n; i++) PL_TRY(add_losses(b->sums[i], &b->splits[i], strengths, n_strengths));
    batch_empty(b);
    return PL_OK;
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

/* sums [n_sets, n_folds, n_strengths], n_held [n_folds], which is the same for every set. */
static pl_status sum_losses(double *sums, size_t *n_held, const pl_processor *processor, const pl_labelled *sets,
                            size_t n_sets, bool standardise, const double *strengths, size_t n_strengths,
                            const size_t *fold, size_t n_folds)
{
    batch b = {0};
    pl_status status = PL_OK;
    pl_device_facts facts;
    PL_TRY(processor->ops->facts(processor->device, &facts));
    const size_t together = facts.free_bytes / 2 < TOGETHER_BYTES ? facts.free_bytes / 2 : TOGETHER_BYTES;
    PL_GOTO(status, done, pl_new(&b.splits, n_sets * n_folds));
    PL_GOTO(status, done, pl_new(&b.sums, n_sets * n_folds));
    PL_GOTO(status, done, pl_new(&b.problems, n_sets * n_folds));
    for (size_t at = 0; at < n_sets * n_folds; at++) {
        split *s = &b.splits[b.n];
        const size_t f = at % n_folds;
        b.n++;
        PL_GOTO(status, done, split_rows(s, &sets[at / n_folds], fold, f));
        n_held[f] = is_used(s) ? s->n_held : 0;
        if (!is_used(s)) {
            split_free(s);
            b.n--;
            continue;
        }
        PL_GOTO(status, done, make_features(s, standardise, n_strengths));
        b.sums[b.n - 1] = sums + at * n_strengths;
        b.bytes += bytes_of(s);
        if (b.bytes >= together) PL_GOTO(status, done, solve_batch(&b, processor, strengths, n_strengths));
    }
    status = solve_batch(&b, processor, strengths, n_strengths);
done:
    batch_free(&b);
    return status;
}

pl_status pl_logistic_losses(double *loss, const pl_processor *processor, const pl_labelled *sets, size_t n_sets,
                             bool standardise, const double *strengths, size_t n_strengths, const size_t *fold,
                             size_t n_folds)
{
    pl_status status = PL_OK;
    double *sums = NULL;
    size_t *n_held = NULL, values = 0, total = 0;
    PL_TRY(check_strengths(strengths, n_strengths));
    for (size_t i = 0; i < n_sets; i++) PL_TRY(pl__logistic_check(&sets[i]));
    PL_TRY(pl_mul_size(&values, n_folds, n_strengths, "losses of folds"));
    PL_TRY(pl_mul_size(&values, values, n_sets, "losses of folds"));
    PL_GOTO(status, done, pl_new(&sums, values));
    PL_GOTO(status, done, pl_new(&n_held, n_folds));
    PL_GOTO(status, done,
            sum_losses(sums, n_held, processor, sets, n_sets, standardise, strengths, n_strengths, fold, n_folds));
    for (size_t f = 0; f < n_folds; f++) total += n_held[f];
    if (total == 0) {
        status = pl_fail(PL_E_INPUT,
                         "logistic regression: %zu rows leave no fold to choose a strength with: give one strength, or "
                         "take examples of every class from several clusters",
                         sets->n);
        goto done;
    }
    for (size_t i = 0; i < n_sets; i++) {
        for (size_t s = 0; s < n_strengths; s++) {
            double *mean = &loss[i * n_strengths + s];
            *mean = 0.0;
            for (size_t f = 0; f < n_folds; f++) *mean += sums[(i * n_folds + f) * n_strengths + s];
            *mean /= (double)total;
        }
    }
done:
    free(n_held);
    free(sums);
    return status;
}

pl_status pl_logistic_fit_best(pl_logistic *out, size_t *set, double *losses, const pl_processor *processor,
                               const pl_labelled *sets, size_t n_sets, const size_t *cluster, bool standardise,
                               const pl_logistic_grid *grid)
{
    pl_status status = PL_OK;
    const size_t n = sets->n, n_strengths = grid->n_strengths;
    size_t *fold = NULL, values = 0, best = 0;
    double *loss = NULL;
    *out = (pl_logistic){0};
    PL_TRY(check_strengths(grid->strengths, n_strengths));
    for (size_t i = 0; i < n_sets; i++) PL_TRY(pl__logistic_check(&sets[i]));
    PL_TRY(pl_mul_size(&values, n_sets, n_strengths, "losses"));
    PL_GOTO(status, done, pl_new(&loss, values));
    loss[0] = NAN;
    if (values > 1) {
        PL_GOTO(status, done, pl_new(&fold, n));
        PL_GOTO(status, done, pl_folds(fold, sets->classes, sets->n_classes, cluster, n, grid->n_folds, grid->seed));
        PL_GOTO(status, done,
                pl_logistic_losses(loss, processor, sets, n_sets, standardise, grid->strengths, n_strengths, fold,
                                   grid->n_folds));
        for (size_t at = 1; at < values; at++)
            if (loss[at] < loss[best]) best = at;
    }
    if (losses) memcpy(losses, loss, values * sizeof *losses);
    *set = best / n_strengths;
    PL_GOTO(status, done,
            pl_logistic_fit(out, processor, &sets[*set], standardise, grid->strengths[best % n_strengths]));
done:
    free(loss);
    free(fold);
    return status;
}
