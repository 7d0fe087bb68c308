/* The metrics of the stability table: one entry a metric, and one function that measures it. To add one is to add an
 * entry here and its function; rows, pooling over draws, bounds, the screen and its legend follow from the entry. */
#ifndef PLUMB_ANALYSIS_METRIC_H
#define PLUMB_ANALYSIS_METRIC_H

#include <math.h>
#include <stdbool.h>

#include "base/status.h"

/* What a metric has rows over. */
typedef enum pl_over {
    PL_OVER_ITEMS = 1,     /* the items alone, whatever the templates say */
    PL_OVER_TEMPLATE = 2,  /* each template */
    PL_OVER_TEMPLATES = 4, /* all templates of a member, from two on */
    PL_OVER_ROLE = 8,      /* the templates of a role, where there are several roles */
    PL_OVER_PAIR = 16,     /* two templates */
    PL_OVER_ID_OOD = 32,   /* those of role id against those of role ood */
    PL_OVER_HARDEST = 64,  /* the ood templates; all, when none is ood */
    PL_OVER_DEV = 128,     /* the dev templates together, from two on */
    PL_OVER_WHOLE = 256,   /* beside the others: measured on all draws together, where others are means over draws */
    PL_OVER_ORDERED = 512, /* two templates in this order, where the layer is probed */
} pl_over;

/* Where the first table a person reads shows it. */
typedef enum pl_screen {
    PL_SCREEN_NONE,
    PL_SCREEN_TEMPLATES, /* a column of the lines for templates; the report places it */
    PL_SCREEN_LINE,      /* a line of its own with its null value */
    PL_SCREEN_LAYERS,    /* a column of the lines for layers */
    PL_SCREEN_PROBES     /* a column of the lines for layers that are probed */
} pl_screen;

/* id: PL_METRIC_<id>
 * name, unit: of the table's columns
 * low, high: what the measure can be; intervals are cut there, not short of a value that is beyond (an unbiased
 *   component may be negative). Infinite: no such end
 * ends: pseudo-items at low and high that an interval is made with (statistics/crossed.h): 1 for shares, 1/2 for
 *   differences of shares, 0 for what is no mean of bounded values
 * preprocessing: "" for behaviour; of states, a letter each (pl__preprocessing in scope.h)
 * over: pl_over, added up
 * function: pl__metric_<function>, in behaviour.c, control.c, perplexity.c or representation.c
 * null: what its null value is
 * screen, label, hint: where and as what the screen shows it; the legend's second line. "" for none */
// clang-format off
#define PL_METRIC_TABLE(X)                                                                                             \
    X(ACC, "acc", "share", 0, 1, 1, "", PL_OVER_TEMPLATE | PL_OVER_TEMPLATES | PL_OVER_ROLE, acc, "chance",            \
      PL_SCREEN_TEMPLATES, "accuracy", "0 to 1; beside it chance and the commonest label",                             \
      "accuracy; label with the largest log-likelihood, or the generated answer")                                      \
    X(MAJORITY, "majority", "share", 0, 1, 0, "", PL_OVER_ITEMS, majority, "chance",                                   \
      PL_SCREEN_TEMPLATES, "", "",                                                                                     \
      "accuracy of always giving the commonest gold label")                                                            \
    X(ACC_NORM, "acc_norm", "share", 0, 1, 1, "", PL_OVER_TEMPLATE | PL_OVER_TEMPLATES | PL_OVER_ROLE, acc_norm,       \
      "chance", PL_SCREEN_NONE, "", "",                                                                                \
      "accuracy with log-likelihoods divided by the label's length in characters")                                     \
    X(ACC_CC, "acc_cc", "share", 0, 1, 1, "", PL_OVER_TEMPLATE | PL_OVER_TEMPLATES | PL_OVER_ROLE, acc_cc,             \
      "chance", PL_SCREEN_NONE, "", "",                                                                                \
      "accuracy with label probabilities divided by those after content-free inputs (contextual calibration)")         \
    X(ACC_ENS, "acc_ens", "share", 0, 1, 1, "", PL_OVER_DEV, acc_ens, "chance",                                        \
      PL_SCREEN_NONE, "", "",                                                                                          \
      "accuracy of the dev templates together: label log-probabilities, averaged over them")                           \
    X(ACC_WORST, "acc_worst", "share", 0, 1, 0, "",                                                                    \
      PL_OVER_HARDEST | PL_OVER_WHOLE, acc_worst, "chance",                                                            \
      PL_SCREEN_NONE, "", "",                                                                                          \
      "accuracy of the worst ood template (of any template when none is ood)")                                         \
    X(ACC_DROP, "acc_drop", "share", -1, 1, 0.5, "", PL_OVER_ID_OOD, acc_drop, "no drop",                              \
      PL_SCREEN_LINE, "id - ood drop", "0 (null): no drop",                                                            \
      "accuracy over id templates minus accuracy over ood templates, paired by item")                                  \
    X(FLIP_RATE, "flip_rate", "share", 0, 1, 1, "", PL_OVER_TEMPLATES | PL_OVER_ROLE | PL_OVER_PAIR, flip_rate,        \
      "independent predictions", PL_SCREEN_LINE, "flip rate",                                                          \
      "0: steady; null: independent predictions with the same shares",                                                 \
      "share of template pairs that predict differently for an item")                                                  \
    X(FLIP_DRAWS, "flip_draws", "share", 0, 1, 1, "", PL_OVER_TEMPLATES | PL_OVER_WHOLE, flip_draws, "",               \
      PL_SCREEN_NONE, "", "",                                                                                          \
      "control of flip_rate: share of pairs of draws that predict differently for an item under one template")         \
    X(FREE_ACC, "free_acc", "share", 0, 1, 1, "", PL_OVER_TEMPLATE | PL_OVER_TEMPLATES | PL_OVER_ROLE, free_acc,       \
      "chance", PL_SCREEN_NONE, "", "",                                                                                \
      "control of acc: accuracy of always giving the label that is likeliest after content-free inputs")               \
    X(FREE_ENTROPY, "free_entropy", "bit", 0, INFINITY, 0, "", PL_OVER_TEMPLATE | PL_OVER_TEMPLATES, free_entropy,     \
      "uniform over labels", PL_SCREEN_NONE, "", "",                                                                   \
      "entropy of the labels' mean shares after content-free inputs; small: the prompt alone says the answer")         \
    X(TEMPLATE_SD, "template_sd", "share", 0, 1, 0, "", PL_OVER_TEMPLATES | PL_OVER_WHOLE, template_sd,                \
      "wordings exchanged within items", PL_SCREEN_LINE, "template SD",                                                \
      "0: steady; null: outcomes exchanged between wordings within items",                                             \
      "SD of accuracy over wordings (means over label words), beyond the noise of the items")                                                  \
    X(COCHRAN_Q, "cochran_q", "1", 0, INFINITY, 0, "", PL_OVER_TEMPLATES | PL_OVER_ROLE, cochran_q,                    \
      "templates of equal accuracy", PL_SCREEN_NONE, "", "",                                                           \
      "Cochran's Q: whether accuracy differs between templates, each item its own control; chi-square, df in df")      \
    X(DRAW_SD, "draw_sd", "share", 0, 1, 0, "", PL_OVER_TEMPLATES | PL_OVER_WHOLE, draw_sd, "", PL_SCREEN_LINE,        \
      "draw SD", "0: steady", "SD of accuracy over draws, beyond the noise of the items")                              \
    X(MARGIN_ITEM, "margin_item", "nat^2", -INFINITY, INFINITY, 0, "", PL_OVER_TEMPLATES | PL_OVER_WHOLE,              \
      margin_item, "", PL_SCREEN_LINE, "margin: item", "what is easy or hard whatever the wording",                    \
      "variance of the readout margin (nats) that is the items'")                                                      \
    X(MARGIN_TEMPLATE, "margin_template", "nat^2", -INFINITY, INFINITY, 0, "", PL_OVER_TEMPLATES | PL_OVER_WHOLE,      \
      margin_template, "", PL_SCREEN_LINE, "margin: templ.", "all items move together",                                \
      "variance of the readout margin that is the templates'")                                                         \
    X(MARGIN_DRAW, "margin_draw", "nat^2", -INFINITY, INFINITY, 0, "", PL_OVER_TEMPLATES | PL_OVER_WHOLE,              \
      margin_draw, "", PL_SCREEN_LINE, "margin: draw", "all items move together",                                      \
      "variance of the readout margin that is the draws'")                                                             \
    X(MARGIN_ITEM_TEMPLATE, "margin_item_template", "nat^2", -INFINITY, INFINITY, 0, "", PL_OVER_TEMPLATES | PL_OVER_WHOLE,\
      margin_item_template, "", PL_SCREEN_LINE, "margin: i x t", "items move apart from one template to another",      \
      "variance of the readout margin, item x template")                                                               \
    X(MARGIN_ITEM_DRAW, "margin_item_draw", "nat^2", -INFINITY, INFINITY, 0, "", PL_OVER_TEMPLATES | PL_OVER_WHOLE,    \
      margin_item_draw, "", PL_SCREEN_LINE, "margin: i x d", "items move apart from one draw to another",              \
      "variance of the readout margin, item x draw")                                                                   \
    X(MARGIN_TEMPLATE_DRAW, "margin_template_draw", "nat^2", -INFINITY, INFINITY, 0, "", PL_OVER_TEMPLATES | PL_OVER_WHOLE,\
      margin_template_draw, "", PL_SCREEN_LINE, "margin: t x d", "templates move apart from one draw to another",      \
      "variance of the readout margin, template x draw")                                                               \
    X(MARGIN_REST, "margin_rest", "nat^2", -INFINITY, INFINITY, 0, "", PL_OVER_TEMPLATES | PL_OVER_WHOLE,              \
      margin_rest, "", PL_SCREEN_LINE, "margin: rest", "with one draw all of the item x template part",                \
      "variance of the readout margin that is left")                                                                   \
    X(WOBBLE_MARGIN, "wobble_margin", "share", 0, 1, 0, "", PL_OVER_TEMPLATES, wobble_margin,           \
      "identical templates", PL_SCREEN_LINE, "margin: wobble", "0 (null): identical templates; 1: nothing of the item stays",\
      "item x template part of the readout margin's variance, beside the items' own")                                \
    X(FLIP_FORCED, "flip_forced", "share", 0, 1, 0, "", PL_OVER_TEMPLATES | PL_OVER_ROLE, flip_forced,                 \
      "templates exchanged within items", PL_SCREEN_LINE, "flips, forced", "calibration can repair them",              \
      "flips that the templates' different label shares force")                                                        \
    X(FLIP_REST, "flip_rest", "share", 0, 1, 0, "", PL_OVER_TEMPLATES | PL_OVER_ROLE, flip_rest, "",                   \
      PL_SCREEN_LINE, "flips, rest", "items change their order", "flips beyond those that label shares force")         \
    X(S2_ITEM, "s2_item", "1", -INFINITY, INFINITY, 0, "c", PL_OVER_TEMPLATES, s2_item, "", PL_SCREEN_NONE, "", "",    \
      "variance of the states that belongs to the items, summed over dimensions")                                      \
    X(S2_TEMPLATE, "s2_template", "1", -INFINITY, INFINITY, 0, "c", PL_OVER_TEMPLATES, s2_template, "", PL_SCREEN_NONE, "",\
      "", "variance of the states that belongs to the templates, summed over dimensions")                              \
    X(S2_INTERACTION, "s2_interaction", "1", -INFINITY, INFINITY, 0, "c", PL_OVER_TEMPLATES, s2_interaction, "",       \
      PL_SCREEN_NONE, "", "", "item x template variance of the states, summed over dimensions")                        \
    X(SPREAD, "spread", "share", 0, 1, 0, "", PL_OVER_TEMPLATES | PL_OVER_WHOLE, spread, "wordings exchanged within items",\
      PL_SCREEN_NONE, "", "",                                                                                          \
      "largest minus smallest accuracy over wordings (means over label words)")                                                                \
    X(UNANIMITY, "unanimity", "share", 0, 1, 1, "", PL_OVER_TEMPLATES, unanimity, "independent predictions",           \
      PL_SCREEN_NONE, "", "",                                                                                          \
      "share of items with one prediction under all templates")                                                        \
    X(FLEISS_KAPPA, "fleiss_kappa", "1", -1, 1, 0, "", PL_OVER_TEMPLATES, fleiss_kappa, "chance agreement",            \
      PL_SCREEN_NONE, "", "",                                                                                          \
      "agreement of templates beyond chance (Fleiss)")                                                                 \
    X(GWET_AC1, "gwet_ac1", "1", -1, 1, 0, "", PL_OVER_TEMPLATES, gwet_ac1, "chance agreement",                        \
      PL_SCREEN_NONE, "", "",                                                                                          \
      "agreement of templates beyond chance (Gwet), steady when one label prevails")                                   \
    X(JSD, "jsd", "bit", 0, 1, 0, "", PL_OVER_TEMPLATES, jsd, "unrelated items",                                       \
      PL_SCREEN_NONE, "", "",                                                                                          \
      "Jensen-Shannon divergence of label distributions between templates")                                            \
    X(PREDICTION_ENTROPY, "prediction_entropy", "bit", 0, INFINITY, 0, "", PL_OVER_TEMPLATE | PL_OVER_TEMPLATES,       \
      prediction_entropy, "uniform over labels", PL_SCREEN_TEMPLATES, "entropy",                                       \
      "a steady predictor with 0 bits has understood nothing",                                                         \
      "entropy of the predicted labels; 0: one answer for every item")                                                 \
    X(BRIER, "brier", "1", 0, 2, 0, "", PL_OVER_TEMPLATE, brier, "uniform over labels",                                \
      PL_SCREEN_NONE, "", "",                                                                                          \
      "Brier score, summed over labels")                                                                               \
    X(NLL, "nll", "nat", 0, INFINITY, 0, "", PL_OVER_TEMPLATE, nll, "uniform over labels",                             \
      PL_SCREEN_NONE, "", "",                                                                                          \
      "negative log-probability of the gold label among the labels")                                                   \
    X(PERPLEXITY, "perplexity", "1", 1, INFINITY, 0, "", PL_OVER_TEMPLATE | PL_OVER_TEMPLATES, perplexity, "",         \
      PL_SCREEN_NONE, "", "",                                                                                          \
      "of loglikelihood: exp of minus the mean log-likelihood of the targets")                                         \
    X(WORD_PERPLEXITY, "word_perplexity", "1", 1, INFINITY, 0, "", PL_OVER_TEMPLATE | PL_OVER_TEMPLATES,               \
      word_perplexity, "", PL_SCREEN_TEMPLATES, "a word", "",                                                          \
      "of loglikelihood_rolling: exp of minus the log-likelihood of all texts over their words")                       \
    X(BYTE_PERPLEXITY, "byte_perplexity", "1", 1, INFINITY, 0, "", PL_OVER_TEMPLATE | PL_OVER_TEMPLATES,               \
      byte_perplexity, "", PL_SCREEN_TEMPLATES, "a byte", "",                                                          \
      "of loglikelihood_rolling: exp of minus the log-likelihood of all texts over their bytes")                       \
    X(TOKEN_PERPLEXITY, "token_perplexity", "1", 1, INFINITY, 0, "", PL_OVER_TEMPLATE | PL_OVER_TEMPLATES,             \
      token_perplexity, "", PL_SCREEN_NONE, "", "",                                                                    \
      "of loglikelihood_rolling: the same over the tokens that were scored; says nothing across tokenizers")           \
    X(BITS_PER_BYTE, "bits_per_byte", "bit", 0, INFINITY, 0, "", PL_OVER_TEMPLATE | PL_OVER_TEMPLATES, bits_per_byte,  \
      "", PL_SCREEN_TEMPLATES, "bits a byte", "",                                                                      \
      "of loglikelihood_rolling: log2 of byte_perplexity")                                                             \
    X(PARSE_FAIL, "parse_fail", "share", 0, 1, 1, "", PL_OVER_TEMPLATE | PL_OVER_TEMPLATES | PL_OVER_ROLE,             \
      parse_fail, "", PL_SCREEN_LINE, "no label found", "such answers count as wrong",                                 \
      "share of generated answers that are no label")                                                                  \
    X(NOT_FINITE, "not_finite", "item", 0, INFINITY, 0, "", PL_OVER_TEMPLATE, not_finite, "",                          \
      PL_SCREEN_NONE, "", "",                                                                                          \
      "items with a log-likelihood or logit that is NaN or infinite: no prediction, in no mean")                       \
    X(STATES_NOT_FINITE, "states_not_finite", "item", 0, INFINITY, 0, "c", PL_OVER_TEMPLATES, states_not_finite,       \
      "", PL_SCREEN_NONE, "", "",                                                                                      \
      "items with a state of this layer that is NaN or infinite: in no number about the layer")                        \
    X(WOBBLE, "wobble", "share", 0, 1, 0, "cztl", PL_OVER_TEMPLATES, wobble, "identical templates",       \
      PL_SCREEN_LAYERS, "wobble", "0 (null): identical templates; 1: nothing of the item stays",                       \
      "item x template part of the states' variance, beside the items' own")                                           \
    X(SHIFT, "shift", "share", 0, 1, 0, "cz", PL_OVER_TEMPLATES, shift, "identical templates",          \
      PL_SCREEN_LAYERS, "shift", "0 (null): identical templates; 1: the template is all there is",                     \
      "part of the states' variance that is a move of all items with the template")                                    \
    X(ICC, "icc", "share", 0, 1, 0, "cz", PL_OVER_TEMPLATES, icc, "unrelated items",                    \
      PL_SCREEN_NONE, "", "",                                                                                          \
      "part of the states' variance that belongs to the items")                                                        \
    X(CKA_DEBIASED, "cka_debiased", "1", -1, 1, 0, "ctl", PL_OVER_TEMPLATES | PL_OVER_PAIR, cka_debiased,                \
      "independence", PL_SCREEN_LAYERS, "CKA", "0 (null): unrelated; 1: the same up to rotation and scale",            \
      "similarity of two templates' states up to rotation (debiased linear CKA)")                                      \
    X(CKA_LENGTH, "cka_length", "1", -1, 1, 0, "l", PL_OVER_TEMPLATES, cka_length, "", PL_SCREEN_NONE, "", "",           \
      "floor of cka_debiased: the share of it that length's prediction of the states makes; not debiased")  \
    X(PARTICIPATION_RATIO, "participation_ratio", "dimension", 0, INFINITY, 0, "ct", PL_OVER_TEMPLATES,                 \
      participation_ratio, "", PL_SCREEN_NONE, "", "",                                                                 \
      "dimensions that a template's states use: (tr S)^2/tr S^2 of their covariance; near 1: one dimension is all there is")\
    X(CKA_CAL, "cka_cal", "1", 0, 1, 0, "c", PL_OVER_TEMPLATES, cka_cal, "items of one template permuted",             \
      PL_SCREEN_NONE, "", "",                                                                                          \
      "cka_debiased above what permuted items reach: 0 at their 95 % quantile (null_q95), 1 for equal states")         \
    X(MKNN_CAL, "mknn_cal", "1", 0, 1, 0, "c", PL_OVER_TEMPLATES, mknn_cal, "items of one template permuted",          \
      PL_SCREEN_NONE, "", "",                                                                                          \
      "the same of the share of an item's 10 nearest neighbours that two templates have in common")                   \
    X(CKA_CAL_CLASS, "cka_cal_class", "1", 0, 1, 0, "c", PL_OVER_TEMPLATES, cka_cal_class,                              \
      "items of one template permuted within their labels", PL_SCREEN_NONE, "", "",                                     \
      "cka_cal with items permuted within their labels: what is similar beyond the label")                             \
    X(MKNN_CAL_CLASS, "mknn_cal_class", "1", 0, 1, 0, "c", PL_OVER_TEMPLATES, mknn_cal_class,                           \
      "items of one template permuted within their labels", PL_SCREEN_NONE, "", "",                                     \
      "mknn_cal with items permuted within their labels")                                                              \
    X(PROCRUSTES_CAL, "procrustes_cal", "1", 0, 1, 0, "c", PL_OVER_TEMPLATES, procrustes_cal,                           \
      "items of one template permuted", PL_SCREEN_NONE, "", "",                                                         \
      "the same of the Procrustes similarity of n/10 principal components (64 at most)")                                \
    X(PROCRUSTES_CAL_CLASS, "procrustes_cal_class", "1", 0, 1, 0, "c", PL_OVER_TEMPLATES, procrustes_cal_class,         \
      "items of one template permuted within their labels", PL_SCREEN_NONE, "", "",                                     \
      "procrustes_cal with items permuted within their labels")                                                        \
    X(CKA_CAL_TOKENS, "cka_cal_tokens", "1", 0, 1, 0, "c", PL_OVER_TEMPLATES, cka_cal_tokens,                           \
      "items of one template permuted", PL_SCREEN_NONE, "", "",                                                         \
      "floor of cka_cal: the same of bags of the prompts' tokens, behind description and shots")                       \
    X(MKNN_CAL_TOKENS, "mknn_cal_tokens", "1", 0, 1, 0, "c", PL_OVER_TEMPLATES, mknn_cal_tokens,                        \
      "items of one template permuted", PL_SCREEN_NONE, "", "",                                                         \
      "floor of mknn_cal: the same of bags of the prompts' tokens, behind description and shots")                      \
    X(PROBE_ACC, "probe_acc", "share", 0, 1, 1, "z", PL_OVER_TEMPLATES, probe_acc, "commonest label",                  \
      PL_SCREEN_PROBES, "probe accuracy", "null: the commonest label",                                                 \
      "accuracy of a linear probe on held-out items, under the template it learned under")           \
    X(PROBE_TRANSFER, "probe_transfer", "share", 0, 1, 1, "z", PL_OVER_TEMPLATES | PL_OVER_ORDERED, probe_transfer,    \
      "commonest label", PL_SCREEN_PROBES, "probe transfer", "null: the commonest label",                              \
      "the same under other templates (contrast a>b: learned under a, asked under b)")            \
    X(PROBE_GAP, "probe_gap", "share", -1, 1, 0.5, "z", PL_OVER_TEMPLATES, probe_gap, "no gap",                        \
      PL_SCREEN_PROBES, "probe gap", "0 (null): what is read off under one template holds under others",               \
      "probe_acc - probe_transfer")                                                                                    \
    X(PROBE_SELECTIVITY, "probe_selectivity", "share", -1, 1, 0.5, "z", PL_OVER_TEMPLATES, probe_selectivity,          \
      "permuted labels", PL_SCREEN_NONE, "", "",                                                                       \
      "probe_acc minus the accuracy of a probe of permuted labels, of them")                                          \
    X(TSNE_KL, "tsne_kl", "nat", 0, INFINITY, 0, "c", PL_OVER_TEMPLATES, tsne_kl, "", PL_SCREEN_NONE, "", "",          \
      "divergence of the layer's t-SNE map (analysis: tsne); between maps of as many points alone")                    \
    X(TSNE_KNN, "tsne_knn", "share", 0, 1, 0, "c", PL_OVER_TEMPLATES, tsne_knn, "places at random", PL_SCREEN_NONE,    \
      "", "", "share of a point's 10 nearest neighbours in the states that are among its 10 nearest in the map")       \
    X(TSNE_TRUSTWORTHINESS, "tsne_trustworthiness", "1", 0, 1, 0, "c", PL_OVER_TEMPLATES, tsne_trustworthiness, "",    \
      PL_SCREEN_NONE, "", "", "1: none of a point's 12 nearest in the map is far from it in the states")               \
    X(TSNE_CONTINUITY, "tsne_continuity", "1", 0, 1, 0, "c", PL_OVER_TEMPLATES, tsne_continuity, "",                   \
      PL_SCREEN_NONE, "", "", "1: none of a point's 12 nearest in the states is far from it in the map")
// clang-format on

typedef enum pl_metric_id {
#define X(id, ...) PL_METRIC_##id,
    PL_METRIC_TABLE(X)
#undef X
        PL_METRICS
} pl_metric_id;

struct pl__measured;
struct pl__scope;

typedef struct pl_metric {
    const char *name, *unit;
    double low, high;
    double ends;
    const char *preprocessing; /* "": behaviour */
    unsigned over;
    pl_status (*measure)(struct pl__measured *out, struct pl__scope *scope); /* scope.h */
    const char *null_name;
    pl_screen screen;
    const char *label, *hint, *meaning;
} pl_metric;

const pl_metric *pl_metric_of(pl_metric_id id); /* never NULL for an id of the enum */

#endif
