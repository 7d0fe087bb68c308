#include "analysis/definition.h"

static const char three_way[] = "three-way random effects without clipping: Searle, Casella & McCulloch 1992";
static const char two_way[] = "two-way random effects, traces over dimensions: Searle, Casella & McCulloch 1992";
static const char procrustes[] =
    "Roschewitz et al., arXiv 2602.14486 (calibrated similarity); Schonemann 1966 (orthogonal Procrustes)";
static const char weighted[] =
    "weighted_perplexity of lm-evaluation-harness, rolling windows with a context of one token";
static const char similarity[] = "Roschewitz et al., arXiv 2602.14486 (calibrated similarity)";

static const pl_definition DEFINITIONS[PL_METRICS] = {
    [PL_METRIC_ACC] =
        {"mean over i of [y_i = g_i]; y_i: the label with the largest l, or the generated answer as the task's metric "
         "takes it",
         "definition"},
    [PL_METRIC_MAJORITY] = {"largest share of a label among g_i", "definition"},
    [PL_METRIC_ACC_NORM] = {"acc with y_i = argmax l / characters of the label", "acc_norm of lm-evaluation-harness"},
    [PL_METRIC_ACC_CC] =
        {"acc with y_i = argmax p_i(l) / q(l); p_i: softmax of l over the labels, q: its mean after content-free "
         "inputs behind the same shots",
         "contextual calibration: Zhao et al. 2021, arXiv 2102.09690"},
    [PL_METRIC_ACC_ENS] = {"acc of argmax over labels of the mean over dev templates of p_it", "definition"},
    [PL_METRIC_ACC_WORST] = {"min over t of acc_t; interval [min lo_t at 2.5 %, min hi_t at 2.5 %/T]",
                             "Bonferroni over templates"},
    [PL_METRIC_ACC_DROP] = {"mean acc over id templates minus mean acc over ood templates, paired by item",
                            "definition"},
    [PL_METRIC_FLIP_RATE] = {"1 - mean over i and pairs t < u of [y_it = y_iu]", "1 - P of Fleiss 1971"},
    [PL_METRIC_FLIP_DRAWS] =
        {"flip_rate with draws in place of templates, each template by itself; mean over templates",
         "1 - P of Fleiss 1971"},
    [PL_METRIC_FREE_ACC] = {"acc of the label that content-free inputs favour, given to every item", "control"},
    [PL_METRIC_FREE_ENTROPY] = {"- sum over labels of q log2 q; q: mean label shares after content-free inputs",
                                "Shannon 1948; content-free inputs: arXiv 2102.09690"},
    [PL_METRIC_TEMPLATE_SD] =
        {"sqrt(max(0, (MS_t - MS_it) / n)) of [y_it = g_i]; with draws (MS_t - MS_it - MS_ts + MS_its) / (n S)",
         "two-way random effects; F interval: Searle, Casella & McCulloch 1992"},
    [PL_METRIC_COCHRAN_Q] =
        {"(T - 1) (T sum C_t^2 - N^2) / (T N - sum R_i^2); C_t, R_i: right answers of a template, of an item; "
         "p by permuting within items",
         "Cochran 1950"},
    [PL_METRIC_DRAW_SD] = {"template_sd with draws and templates exchanged", "two-way random effects"},
    [PL_METRIC_MARGIN_ITEM] = {"(MS_i - MS_it - MS_is + MS_its) / (T S) of m = l(gold) - max of the others", three_way},
    [PL_METRIC_MARGIN_TEMPLATE] = {"(MS_t - MS_it - MS_ts + MS_its) / (n S) of the margin", three_way},
    [PL_METRIC_MARGIN_DRAW] = {"(MS_s - MS_is - MS_ts + MS_its) / (n T) of the margin", three_way},
    [PL_METRIC_MARGIN_ITEM_TEMPLATE] = {"(MS_it - MS_its) / S of the margin", three_way},
    [PL_METRIC_MARGIN_ITEM_DRAW] = {"(MS_is - MS_its) / T of the margin", three_way},
    [PL_METRIC_MARGIN_TEMPLATE_DRAW] = {"(MS_ts - MS_its) / n of the margin", three_way},
    [PL_METRIC_MARGIN_REST] = {"MS_its of the margin; of one draw MS_it", three_way},
    [PL_METRIC_WOBBLE_MARGIN] = {"s2_it / (s2_i + s2_it) of the margin", "wobble, of the readout alone"},
    [PL_METRIC_FLIP_FORCED] =
        {"mean over pairs t < u of 1/2 sum over labels |share_t - share_u|: total variation of the marginals",
         "lower bound of a coupling"},
    [PL_METRIC_FLIP_REST] = {"flip_rate - flip_forced", "definition"},
    [PL_METRIC_S2_ITEM] = {"(MS_i - MS_it) / T of the states, summed over dimensions", two_way},
    [PL_METRIC_S2_TEMPLATE] = {"(MS_t - MS_it) / n of the states, summed over dimensions", two_way},
    [PL_METRIC_S2_INTERACTION] = {"MS_it of the states, summed over dimensions", two_way},
    [PL_METRIC_SPREAD] = {"max over t of acc_t - min over t of acc_t",
                          "FormatSpread: Sclar et al. 2024, arXiv 2310.11324"},
    [PL_METRIC_UNANIMITY] = {"mean over i of [all y_it equal]", "definition"},
    [PL_METRIC_FLEISS_KAPPA] = {"(P - Pe) / (1 - Pe); P = 1 - flip_rate, Pe = sum over labels of share^2",
                                "Fleiss 1971"},
    [PL_METRIC_GWET_AC1] = {"(P - Pe) / (1 - Pe); Pe = sum over labels of share (1 - share) / (labels - 1)",
                            "Gwet 2008"},
    [PL_METRIC_JSD] = {"mean over i and pairs t < u of H((p + q) / 2) - (H(p) + H(q)) / 2, in bits", "Lin 1991"},
    [PL_METRIC_PREDICTION_ENTROPY] = {"- sum over labels of share log2 share, of the predicted labels", "Shannon 1948"},
    [PL_METRIC_BRIER] = {"mean over i of sum over labels (p_i(l) - [l = g_i])^2", "Brier 1950"},
    [PL_METRIC_NLL] = {"- mean over i of log p_i(g_i), p_i over the labels", "definition"},
    [PL_METRIC_PERPLEXITY] = {"exp(- mean over i of l_i); l_i: log-likelihood of the target behind its prompt",
                              "perplexity of lm-evaluation-harness"},
    [PL_METRIC_WORD_PERPLEXITY] = {"exp(- sum of l_i / sum of w_i); l_i: log-likelihood of a text in windows of the "
                                   "model's positions, each token "
                                   "once; w_i: its words, between white space",
                                   weighted},
    [PL_METRIC_BYTE_PERPLEXITY] = {"the same with w_i: the text's bytes as UTF-8", weighted},
    [PL_METRIC_TOKEN_PERPLEXITY] = {"the same with w_i: the tokens that are scored", "definition"},
    [PL_METRIC_BITS_PER_BYTE] = {"- sum of l_i / sum of b_i / ln 2; b_i: the text's bytes as UTF-8",
                                 "bits_per_byte of lm-evaluation-harness"},
    [PL_METRIC_PARSE_FAIL] = {"share of generated answers that hold no label", "definition"},
    [PL_METRIC_NOT_FINITE] = {"count of items with a log-likelihood or logit that is NaN or infinite", "definition"},
    [PL_METRIC_STATES_NOT_FINITE] = {"count of items with a state that is NaN or infinite", "definition"},
    [PL_METRIC_WOBBLE] = {"s2_interaction / (s2_item + s2_interaction)", two_way},
    [PL_METRIC_SHIFT] = {"s2_template / (s2_item + s2_template + s2_interaction)", two_way},
    [PL_METRIC_ICC] = {"s2_item / (s2_item + s2_template + s2_interaction)",
                       "ICC(2,1) of Shrout & Fleiss 1979, traces over dimensions"},
    [PL_METRIC_CKA_DEBIASED] =
        {"HSIC1(K, L) / sqrt(HSIC1(K, K) HSIC1(L, L)) of linear Gram matrices of centred states; mean over "
         "pairs of templates",
         "Kornblith et al. 2019, arXiv 1905.00414; HSIC1: Song et al. 2012"},
    [PL_METRIC_CKA_CAL] =
        {"max(0, (s - tau) / (1 - tau)); s: cka_debiased, tau: the 95 % quantile of s and of it with the items of "
         "one side permuted; one item of each group",
         similarity},
    [PL_METRIC_MKNN_CAL] = {"the same of the mean share of common 10 nearest neighbours", similarity},
    [PL_METRIC_CKA_CAL_CLASS] = {"cka_cal with permutations within gold labels alone", similarity},
    [PL_METRIC_MKNN_CAL_CLASS] = {"mknn_cal with permutations within gold labels alone", similarity},
    [PL_METRIC_PROCRUSTES_CAL] = {"the same of the nuclear norm |X' Y|; X, Y: scores of the first min(64, n/10) "
                                  "principal components of centred states, of Frobenius norm 1",
                                  procrustes},
    [PL_METRIC_PROCRUSTES_CAL_CLASS] = {"procrustes_cal with permutations within gold labels alone", procrustes},
    [PL_METRIC_CKA_CAL_TOKENS] = {"cka_cal of counts of each token in a prompt, in place of states", similarity},
    [PL_METRIC_MKNN_CAL_TOKENS] = {"mknn_cal of counts of each token in a prompt, in place of states", similarity},
    [PL_METRIC_PARTICIPATION_RATIO] = {"(sum of e)^2 / sum of e^2; e: eigenvalues of the covariance of the states",
                                       "Gao et al. 2017 (doi 10.1101/214262)"},
    [PL_METRIC_CKA_LENGTH] =
        {"HSIC1 of what a regression on the prompt's length predicts of the states, over that of the whole states; not "
         "debiased",
         "input confounding: Cui et al. 2022, arXiv 2202.00095"},
    [PL_METRIC_TSNE_KL] = {"sum over pairs of p log(p / q) at exaggeration 1", "van der Maaten & Hinton 2008"},
    [PL_METRIC_TSNE_KNN] = {"mean share of the 10 nearest in the states that are among the 10 nearest in the map",
                            "KNN of Kobak & Berens 2019"},
    [PL_METRIC_TSNE_TRUSTWORTHINESS] =
        {"1 - 2 / (n k (2 n - 3 k - 1)) sum of max(0, rank in the states - k) over the k nearest in the "
         "map; k = 12",
         "Venna & Kaski 2001"},
    [PL_METRIC_TSNE_CONTINUITY] = {"trustworthiness with map and states exchanged", "Venna & Kaski 2001"},
    [PL_METRIC_PROBE_ACC] =
        {"accuracy of an L2 logistic regression on states of held-out folds (whole clusters), its strength chosen "
         "inside the others",
         "probes: Alain & Bengio 2017, arXiv 1610.01644"},
    [PL_METRIC_PROBE_TRANSFER] = {"the same where the held-out items stand under another template", "definition"},
    [PL_METRIC_PROBE_GAP] = {"probe_acc - probe_transfer", "definition"},
    [PL_METRIC_PROBE_SELECTIVITY] = {"probe_acc - accuracy of probes of permuted labels",
                                     "control tasks: Hewitt & Liang 2019, arXiv 1909.03368"},
};

const pl_definition *pl_definition_of(pl_metric_id id)
{
    return &DEFINITIONS[id];
}
