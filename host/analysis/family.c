#include "analysis/family.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "statistics/multiplicity.h"

static int by_family(const pl_stability_row *a, const pl_stability_row *b)
{
    int template = (*a->template_name != '\0') - (*b->template_name != '\0'),
        mean = (a->n_seeds > 1) - (b->n_seeds > 1);
    if (a->metric != b->metric) return a->metric < b->metric ? -1 : 1;
    int contrast = strcmp(a->contrast, b->contrast);
    return contrast ? contrast : template ? template : mean;
}

/* Rows of a family in the table's order. */
static int by_family_then_place(const void *x, const void *y)
{
    const pl_stability_row *a = *(pl_stability_row *const *)x, *b = *(pl_stability_row *const *)y;
    int order = by_family(a, b);
    return order ? order : (a > b) - (a < b);
}

static pl_status adjust(pl_stability_row *const *rows, double *p, size_t n)
{
    double *adjusted = p + n;
    for (size_t i = 0; i < n; i++) p[i] = rows[i]->p;
    PL_TRY(pl_benjamini_hochberg(adjusted, p, n));
    for (size_t i = 0; i < n; i++) rows[i]->p_adjusted = adjusted[i];
    return PL_OK;
}

pl_status pl__families_adjust(pl_stability_row *rows, size_t n)
{
    pl_stability_row **tested = NULL;
    double *p = NULL;
    size_t n_tested = 0;
    pl_status status;
    PL_GOTO(status, done, pl_new(&tested, n));
    PL_GOTO(status, done, pl_new(&p, 2 * n));
    for (size_t i = 0; i < n; i++)
        if (!isnan(rows[i].p) && isnan(rows[i].p_adjusted)) tested[n_tested++] = &rows[i];
    qsort(tested, n_tested, sizeof *tested, by_family_then_place);
    for (size_t i = 0, end; i < n_tested; i = end) {
        for (end = i + 1; end < n_tested && by_family(tested[i], tested[end]) == 0; end++) continue;
        PL_GOTO(status, done, adjust(tested + i, p, end - i));
    }
done:
    free(p);
    free(tested);
    return status;
}
