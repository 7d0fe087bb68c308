/* Agreement of predictions over templates (agreement.h). Categories may be many (free answers), so an item's counts are
 * taken from its T codes, and the sums over categories without an item from what the item takes away. */
#include "measure/agreement.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"

/* P_e and P_g need sum_j c_j and sum_j c_j^2 of the category counts c only. */
typedef struct shares {
    double total, squares; /* sum c_j, sum c_j^2 */
} shares;

static double fleiss(double agreed, shares s)
{
    double by_chance = s.squares / (s.total * s.total);
    return by_chance < 1.0 ? (agreed - by_chance) / (1.0 - by_chance) : NAN;
}

/* sum p_j (1 - p_j) = 1 - sum p_j^2. One category only: nothing can disagree. */
static double gwet(double agreed, shares s, size_t n_categories)
{
    if (n_categories < 2) return 1.0;
    double by_chance = (1.0 - s.squares / (s.total * s.total)) / ((double)n_categories - 1.0);
    return by_chance < 1.0 ? (agreed - by_chance) / (1.0 - by_chance) : NAN;
}

/* sum_j n_ij^2 of one item: the number of ordered pairs of templates, itself included, that agree. */
static double item_squares(const int *codes, size_t t)
{
    size_t agreed = t;
    for (size_t a = 0; a < t; a++)
        for (size_t b = a + 1; b < t; b++) agreed += codes[a] == codes[b] ? 2 : 0;
    return (double)agreed;
}

/* sum_j c_j^2 without an item: each of its codes j takes n_ij from c_j, so sum_j (2 c_j n_ij - n_ij^2) goes. */
static shares without_item(shares s, const size_t *counts, const int *codes, size_t t)
{
    double gone = 0.0;
    for (size_t k = 0; k < t; k++) gone += 2.0 * (double)counts[codes[k]];
    return (shares){.total = s.total - (double)t, .squares = s.squares - gone + item_squares(codes, t)};
}

/* Kappa and AC1, and without each item. */
static void chance_corrected(pl_agreement *out, const int *codes, const size_t *counts, shares s, size_t n_categories)
{
    size_t n = out->n, t = out->t;
    double agreed = 1.0 - out->flip_rate, others = (double)n - 1.0;
    out->fleiss_kappa = fleiss(agreed, s);
    out->gwet_ac1 = gwet(agreed, s, n_categories);
    for (size_t i = 0; i < n; i++) {
        shares rest = without_item(s, counts, codes + i * t, t);
        double rest_agreed = agreed + (out->flip[i] - out->flip_rate) / others;
        out->fleiss_kappa_left_out[i] = n > 1 ? fleiss(rest_agreed, rest) : NAN;
        out->gwet_ac1_left_out[i] = n > 1 ? gwet(rest_agreed, rest, n_categories) : NAN;
    }
}

/* Which templates differ on how many items, and how many items all agree on. */
static void count_pairs(pl_agreement *out, const int *codes)
{
    size_t n = out->n, t = out->t, unanimous = 0;
    for (size_t i = 0; i < n; i++) {
        const int *c = codes + i * t;
        for (size_t a = 0; a < t; a++)
            for (size_t b = 0; b < t; b++) out->differ[a * t + b] += c[a] != c[b];
        unanimous += item_squares(c, t) == (double)t * (double)t;
    }
    out->unanimity = pl_wilson(unanimous, n);
}

pl_status pl_agreement_of(pl_agreement *out, const int *codes, size_t n, size_t t, size_t n_categories)
{
    pl_status status = PL_OK;
    size_t *counts = NULL, pairs = 0;
    shares s = {0};
    *out = (pl_agreement){.n = n, .t = t};
    if (n < 1 || t < 2)
        return pl_fail(PL_E_INPUT, "agreement: %zu items x %zu templates, expected at least 1 x 2", n, t);
    PL_TRY(pl_mul_size(&pairs, t, t, "pairs of templates"));
    PL_GOTO(status, done, pl_new(&counts, n_categories));
    PL_GOTO(status, done, pl_new(&out->flip, n));
    PL_GOTO(status, done, pl_new(&out->fleiss_kappa_left_out, n));
    PL_GOTO(status, done, pl_new(&out->gwet_ac1_left_out, n));
    PL_GOTO(status, done, pl_new(&out->differ, pairs));
    for (size_t i = 0; i < n * t; i++) {
        if (codes[i] < 0 || (size_t)codes[i] >= n_categories) {
            status = pl_fail(PL_E_INTERNAL, "agreement: category %d, expected 0..%zu", codes[i], n_categories - 1);
            goto done;
        }
        counts[codes[i]]++;
    }
    s.total = (double)n * (double)t;
    out->chance_unanimity = 0.0;
    for (size_t j = 0; j < n_categories; j++) {
        s.squares += (double)counts[j] * (double)counts[j];
        out->chance_unanimity += pow((double)counts[j] / s.total, (double)t);
    }
    out->chance_flip = 1.0 - s.squares / (s.total * s.total);
    for (size_t i = 0; i < n; i++)
        out->flip[i] = 1.0 - (item_squares(codes + i * t, t) - (double)t) / ((double)t * ((double)t - 1.0));
    out->flip_rate = pl_mean(out->flip, n);
    chance_corrected(out, codes, counts, s, n_categories);
    count_pairs(out, codes);
done:
    free(counts);
    if (status != PL_OK) pl_agreement_free(out);
    return status;
}

void pl_agreement_free(pl_agreement *agreement)
{
    free(agreement->differ);
    free(agreement->gwet_ac1_left_out);
    free(agreement->fleiss_kappa_left_out);
    free(agreement->flip);
    *agreement = (pl_agreement){0};
}
