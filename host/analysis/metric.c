#include "analysis/metric.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

static const pl_metric METRICS[] = {
    {"acc", "share", 0, 1, "accuracy; label with the largest log-likelihood, or the generated answer"},
    {"acc_norm", "share", 0, 1, "accuracy with log-likelihoods divided by the label's length in characters"},
    {"acc_drop", "share", -1, 1, "accuracy over id templates minus accuracy over ood templates, paired by item"},
    {"acc_worst", "share", 0, 1, "accuracy of the worst ood template (of any template when none is ood)"},
    {"majority", "share", 0, 1, "accuracy of always giving the commonest gold label"},
    {"template_sd", "share", 0, 1, "SD of accuracy over templates, beyond the noise of the items"},
    {"spread", "share", 0, 1, "largest minus smallest accuracy over templates"},
    {"flip_rate", "share", 0, 1, "share of template pairs that predict differently for an item"},
    {"unanimity", "share", 0, 1, "share of items with one prediction under all templates"},
    {"fleiss_kappa", "1", -1, 1, "agreement of templates beyond chance (Fleiss)"},
    {"gwet_ac1", "1", -1, 1, "agreement of templates beyond chance (Gwet), steady when one label prevails"},
    {"jsd", "bit", 0, 1, "Jensen-Shannon divergence of label distributions between templates"},
    {"prediction_entropy", "bit", 0, INFINITY, "entropy of the predicted labels; 0: one answer for every item"},
    {"brier", "1", 0, 2, "Brier score, summed over labels"},
    {"nll", "nat", 0, INFINITY, "negative log-probability of the gold label among the labels"},
    {"parse_fail", "share", 0, 1, "share of generated answers that are no label"},
    {"wobble", "share", -INFINITY, INFINITY, "item x template part of the states' variance, beside the items' own"},
    {"shift", "share", -INFINITY, INFINITY,
     "part of the states' variance that is a move of all items with the template"},
    {"icc", "share", -INFINITY, INFINITY, "part of the states' variance that belongs to the items"},
    {"cka_debiased", "1", -1, 1, "similarity of two templates' states up to rotation (debiased linear CKA)"},
};

const pl_metric *pl_metric_find(const char *id)
{
    for (size_t i = 0; i < sizeof METRICS / sizeof *METRICS; i++)
        if (!strcmp(METRICS[i].id, id)) return &METRICS[i];
    return NULL;
}
