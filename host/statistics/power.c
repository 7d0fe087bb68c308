#include "statistics/power.h"

#include <math.h>

#include "statistics/interval.h"

enum { FACTORS = 3, STEPS = 400, BISECTIONS = 60 };
static const double POWER = 0.80;
static const size_t LEVELS_MAX = (size_t)1 << 24;

static double normal_cdf(double x)
{
    return 0.5 * erfc(-x / sqrt(2.0));
}

/* Over y/se, whose density is 2 (df/2)^(df/2) / Gamma(df/2) y^(df-1) exp(-df y^2/2), by Simpson's rule. */
double pl_power_of_t(double mean, double sd, double se, double df, double critical)
{
    double width = 8.0 / sqrt(2.0 * df), low = fmax(0.0, 1.0 - width), high = 1.0 + 1.5 * width, sum = 0.0, all = 0.0;
    double scale = log(2.0) + 0.5 * df * log(0.5 * df) - lgamma(0.5 * df);
    for (int i = 0; i <= STEPS; i++) {
        double y = low + (high - low) * i / STEPS, bound = critical * se * y;
        double weight = (i == 0 || i == STEPS ? 1.0
                         : i % 2              ? 4.0
                                              : 2.0) *
                        exp(scale + (df - 1.0) * log(fmax(y, 1e-300)) - 0.5 * df * y * y);
        all += weight;
        sum += weight * (normal_cdf((mean - bound) / sd) + normal_cdf((-mean - bound) / sd));
    }
    return sum / all; /* by its own integral: the ends are cut */
}

/* ---- a study ---- */

pl_three_way pl_assumed_parts(double size)
{
    double of_items = 0.5 + 0.5 / size;
    return (pl_three_way){.item = 0.06 * of_items,
                          .template_main = 0.08 * 0.08,
                          .draw = 0.07 * 0.07,
                          .item_template = 0.06 * of_items,
                          .item_draw = 0.04 * of_items,
                          .template_draw = 0.05 * 0.05,
                          .rest = 0.15 * of_items};
}

typedef struct expected {
    pl_component components[FACTORS];
    double sd; /* of the mean */
} expected;

static double part(double value)
{
    return value > 0.0 ? value : 0.0;
}

static bool is_sample(const pl_study *study, size_t factor)
{
    static const size_t least[FACTORS] = {2, 2, PL_DRAWS_MIN};
    return study->levels[factor] >= least[factor];
}

static expected expect(const pl_study *study, double difference)
{
    const pl_three_way *p = &study->parts;
    double n = (double)study->levels[0], t = (double)study->levels[1], s = (double)study->levels[2];
    bool templates = is_sample(study, 1), draws = is_sample(study, 2);
    double i = part(p->item) / n, k = part(p->template_main) / t, d = part(p->draw) / s,
           it = part(p->item_template) / (n * t), is = part(p->item_draw) / (n * s),
           ts = part(p->template_draw) / (t * s), rest = part(p->rest) / (n * t * s);
    expected e = {{{i + it + is + rest, n - 1.0}, {k + it + ts + rest, t - 1.0}, {d + is + ts + rest, s - 1.0}}, 0.0};
    e.sd = sqrt(i + it + is + rest + (templates ? k : 0.0) + (draws ? d : 0.0) + (templates || draws ? ts : 0.0));
    /* Half a pseudo-item at each end. */
    double centre = difference * n / (n + 1.0);
    double squares = (n - 1.0) * n * e.components[0].variance + n * pow(difference - centre, 2) + 1.0 + centre * centre;
    e.components[0] = (pl_component){squares / (n * (n + 1.0)), n};
    e.sd *= n / (n + 1.0);
    for (size_t f = 1; f < FACTORS; f++)
        if (!is_sample(study, f)) e.components[f] = (pl_component){0.0, 0.0};
    return e;
}

static double sum_of(const pl_component components[FACTORS])
{
    return components[0].variance + components[1].variance + components[2].variance;
}

/* Satterthwaite's of the components as they are: of the sum's own spread. */
static double df_of_sum(const pl_component components[FACTORS])
{
    double squares = 0.0;
    for (size_t f = 0; f < FACTORS; f++)
        if (components[f].df > 0.0) squares += pow(components[f].variance, 2) / components[f].df;
    return pow(sum_of(components), 2) / squares;
}

static double half_width(const pl_component components[FACTORS])
{
    return pl_student_quantile(0.975, pl_satterthwaite(components, FACTORS)) * sqrt(sum_of(components));
}

static double power_at(const pl_study *study, double difference)
{
    expected e = expect(study, difference);
    double n = (double)study->levels[0];
    return pl_power_of_t(difference * n / (n + 1.0), e.sd, sqrt(sum_of(e.components)), df_of_sum(e.components),
                         pl_student_quantile(0.975, pl_satterthwaite(e.components, FACTORS)));
}

void pl_power_of(pl_power *out, const pl_study *study)
{
    *out = (pl_power){{NAN, NAN, NAN}, NAN, NAN};
    if (!is_sample(study, 0)) return;
    expected e = expect(study, 0.0);
    if (!(e.sd > 0.0)) return;
    for (size_t f = 0; f < FACTORS; f++) out->variance[f] = e.components[f].variance;
    out->half_width = half_width(e.components);
    double low = 0.0, high = 1.0;
    out->detectable = INFINITY;
    if (power_at(study, high) < POWER) return;
    for (int i = 0; i < BISECTIONS; i++) {
        double middle = 0.5 * (low + high);
        *(power_at(study, middle) < POWER ? &low : &high) = middle;
    }
    out->detectable = high;
}

/* ---- how many are needed ---- */

/* The half-width with so many levels of a factor. */
typedef double width_of(const void *of, size_t factor, size_t levels);

/* The least number of levels, from `least`, that is enough; 0: none is. */
static size_t search(width_of *width, const void *of, size_t factor, size_t least, double wanted)
{
    size_t low = least, high = least;
    while (!(width(of, factor, high) <= wanted)) {
        if (high >= LEVELS_MAX) return 0;
        low = high;
        high *= 2;
    }
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        *(width(of, factor, middle) <= wanted ? &high : &low) = middle;
    }
    return high;
}

static double study_width(const void *of, size_t factor, size_t levels)
{
    pl_study study = *(const pl_study *)of;
    study.levels[factor] = levels;
    expected e = expect(&study, 0.0);
    return half_width(e.components);
}

size_t pl_study_needed(const pl_study *study, size_t factor, double wanted)
{
    if (!is_sample(study, 0) || !is_sample(study, factor)) return 0;
    return search(study_width, study, factor, factor == 2 ? PL_DRAWS_MIN : 2, wanted);
}

static double crossed_width(const void *of, size_t factor, size_t levels)
{
    const pl_crossed *c = of;
    pl_component components[FACTORS];
    for (size_t f = 0; f < FACTORS; f++) components[f] = (pl_component){c->variance[f], c->variance_df[f]};
    pl_component *one = &components[factor];
    *one = (pl_component){one->variance * (one->df + 1.0) / (double)levels, (double)levels - 1.0};
    return half_width(components);
}

size_t pl_levels_needed(const pl_crossed *c, size_t factor, double wanted)
{
    if (isnan(c->se) || !(c->variance_df[factor] > 0.0)) return 0;
    size_t found = search(crossed_width, c, factor, factor == 2 ? PL_DRAWS_MIN : 2, wanted);
    /* Pseudo-items are none that anybody can add. */
    size_t ends = factor == 0 ? (size_t)(c->variance_df[0] + 1.0) - c->n_clusters : 0;
    return found > ends ? found - ends : found;
}
