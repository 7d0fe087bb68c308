#include "analysis/metric.h"

#include "analysis/scope.h"

static const pl_metric METRICS[PL_METRICS] = {
#define X(id, name, unit, low, high, ends, preprocessing, over, function, null, screen, label, hint, meaning)          \
    {name, unit, low, high, ends, preprocessing, over, pl__metric_##function, null, screen, label, hint, meaning},
    PL_METRIC_TABLE(X)
#undef X
};

const pl_metric *pl_metric_of(pl_metric_id id)
{
    return &METRICS[id];
}
