#include "analysis/verdict_rule.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "statistics/multiplicity.h"

static const double LEVEL = 0.05, OUTLOOK_MOST = 1000.0;

const char *pl_verdict_name(pl_verdict verdict)
{
    static const char *const names[PL_VERDICTS] = {"UNDECIDED", "PROMPT", "FINE-TUNE", "NEITHER"};
    return names[verdict];
}

/* ---- the rule ---- */

static double p_prompt(const pl__case *c)
{
    return fmax(pl_crossed_p_above(&c->of[PL__PROMPTED], c->require),
                1.0 - pl_crossed_p_above(&c->of[PL__DIFFERENCE], c->margin));
}

static double p_tuned(const pl__case *c)
{
    return fmax(pl_crossed_p_above(&c->of[PL__TUNED], c->require), pl_crossed_p_above(&c->of[PL__DIFFERENCE], 0.0));
}

double pl__p_enough(const pl__case *c)
{
    return fmin(1.0, c->n_looks * fmax(pl_crossed_p_above(&c->of[PL__PROMPTED], c->require), c->sd_p));
}

static double p_of(const pl__case *c)
{
    if (!c->sound) return NAN;
    return c->stopped ? pl__p_enough(c) : fmin(1.0, c->n_looks * 2.0 * fmin(p_prompt(c), p_tuned(c)));
}

static pl_verdict decide(const pl__case *c, double p, double adjusted, size_t n)
{
    if (!c->sound) return PL_UNDECIDED;
    if (c->stopped) return adjusted <= LEVEL ? PL_PROMPT : PL_UNDECIDED;
    if (adjusted <= LEVEL) {
        double times = p > 0.0 ? adjusted / p : (double)n; /* what Holm multiplied by */
        return c->n_looks * 2.0 * p_prompt(c) * times <= LEVEL ? PL_PROMPT : PL_FINETUNE;
    }
    bool neither = c->of[PL__PROMPTED].hi < c->require && c->of[PL__TUNED].hi < c->require;
    return neither ? PL_NEITHER : PL_UNDECIDED;
}

pl_status pl__verdicts(pl_verdict *verdicts, double *p, double *p_adjusted, const pl__case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) p[i] = p_of(&cases[i]);
    PL_TRY(pl_holm(p_adjusted, p, n));
    for (size_t i = 0; i < n; i++) verdicts[i] = decide(&cases[i], p[i], p_adjusted[i], n);
    return PL_OK;
}

/* ---- what would decide ---- */

/* The first bound that is too wide for the verdict in a study so many times as large; PL__BOUNDS: it would hold. Bounds
 * of NEITHER are those of the intervals, whatever the number of cases. */
static pl__bound too_wide(const pl__case *c, pl_verdict verdict, const double times[3], double tail)
{
    double low[PL__BOUNDS], high[PL__BOUNDS];
    if (verdict == PL_NEITHER) tail = LEVEL / 2.0;
    for (int b = 0; b < PL__BOUNDS; b++) {
        pl_crossed larger = pl_crossed_larger(&c->of[b], times);
        low[b] = pl_crossed_bound(&larger, tail);
        high[b] = pl_crossed_bound(&larger, 1.0 - tail);
    }
    switch (verdict) {
    case PL_PROMPT:
        if (!(high[PL__DIFFERENCE] < c->margin)) return PL__DIFFERENCE;
        return low[PL__PROMPTED] >= c->require ? PL__BOUNDS : PL__PROMPTED;
    case PL_FINETUNE:
        if (!(low[PL__DIFFERENCE] > 0.0)) return PL__DIFFERENCE;
        return low[PL__TUNED] >= c->require ? PL__BOUNDS : PL__TUNED;
    default:
        if (!(high[PL__TUNED] < c->require)) return PL__TUNED;
        return high[PL__PROMPTED] < c->require ? PL__BOUNDS : PL__PROMPTED;
    }
}

/* The least number of times, to a hundredth, that makes it hold; component 3: all of them. NaN: not within the most. */
static double times_needed(const pl__case *c, pl_verdict verdict, size_t component, double tail)
{
    double from = 1.0, to = OUTLOOK_MOST;
    for (int step = 0; to > from * 1.01 || step == 0; step++) {
        double at = step == 0 ? to : sqrt(from * to), times[3] = {1.0, 1.0, 1.0};
        for (size_t f = 0; f < 3; f++)
            if (component == 3 || component == f) times[f] = at;
        bool holds = too_wide(c, verdict, times, tail) == PL__BOUNDS;
        if (step == 0 && !holds) return NAN;
        if (holds)
            to = at;
        else
            from = at;
    }
    return to;
}

pl__outlook pl__outlook_of(const pl__case *c, double tail)
{
    static const double as_it_is[3] = {1.0, 1.0, 1.0};
    pl__outlook out = {.towards = PL_UNDECIDED, .together = NAN, .alone = NAN};
    for (pl_verdict v = PL_PROMPT; v < PL_VERDICTS; v++) {
        double times = times_needed(c, v, 3, tail);
        if (isnan(times) || times >= out.together) continue;
        out.towards = v;
        out.together = times;
    }
    if (out.towards == PL_UNDECIDED) return out;
    out.bound = too_wide(c, out.towards, as_it_is, tail);
    if (out.bound == PL__BOUNDS) out.bound = PL__DIFFERENCE;
    const double *parts = c->of[out.bound].variance;
    for (size_t f = 1; f < 3; f++)
        if (parts[f] > parts[out.component]) out.component = f;
    out.share = parts[out.component] / (parts[0] + parts[1] + parts[2]);
    out.alone = times_needed(c, out.towards, out.component, tail);
    return out;
}
