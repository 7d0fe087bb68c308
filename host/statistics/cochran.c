#include "statistics/cochran.h"

#include <math.h>

#include "statistics/interval.h"

pl_cochran pl_cochran_q(const uint8_t *correct, size_t n, size_t stride, const size_t *templates, size_t t)
{
    double all = 0.0, of_templates = 0.0, of_items = 0.0, m = (double)t;
    for (size_t k = 0; k < t; k++) {
        double column = 0.0;
        for (size_t i = 0; i < n; i++) column += correct[i * stride + templates[k]];
        of_templates += column * column;
        all += column;
    }
    for (size_t i = 0; i < n; i++) {
        double row = 0.0;
        for (size_t k = 0; k < t; k++) row += correct[i * stride + templates[k]];
        of_items += row * row;
    }
    double mixed = m * all - of_items; /* an integer: exactly 0 without an item that templates differ on */
    if (!(mixed > 0.0)) return (pl_cochran){NAN, m - 1.0, NAN};
    double q = (m - 1.0) * (m * of_templates - all * all) / mixed;
    return (pl_cochran){q, m - 1.0, pl_chi_square_tail(q, m - 1.0)};
}
