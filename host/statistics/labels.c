#include "statistics/labels.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/memory.h"

double pl_f1(const int64_t *gold, const int64_t *predicted, size_t n)
{
    size_t both = 0, either = 0;
    for (size_t i = 0; i < n; i++) {
        bool two = (gold[i] == 0 || gold[i] == 1) && (predicted[i] == 0 || predicted[i] == 1);
        if (!two) return NAN;
        both += gold[i] == 1 && predicted[i] == 1;
        either += (size_t)(gold[i] == 1) + (size_t)(predicted[i] == 1);
    }
    return either ? 2.0 * (double)both / (double)either : 0.0;
}

double pl_mcc(const int64_t *gold, const int64_t *predicted, size_t n)
{
    int64_t most = 0;
    double *of_gold = NULL, *of_predicted, right = 0, all = (double)n, between = 0, gold_square = 0,
           predicted_square = 0;
    for (size_t i = 0; i < n; i++) {
        if (gold[i] < 0 || predicted[i] < 0) return NAN;
        most = gold[i] > most ? gold[i] : most;
        most = predicted[i] > most ? predicted[i] : most;
    }
    const size_t n_labels = (size_t)most + 1;
    if (pl_new(&of_gold, 2 * n_labels) != PL_OK) return NAN;
    of_predicted = of_gold + n_labels;
    for (size_t i = 0; i < n; i++) {
        of_gold[gold[i]]++;
        of_predicted[predicted[i]]++;
        right += gold[i] == predicted[i];
    }
    for (size_t l = 0; l < n_labels; l++) {
        between += of_gold[l] * of_predicted[l];
        gold_square += of_gold[l] * of_gold[l];
        predicted_square += of_predicted[l] * of_predicted[l];
    }
    free(of_gold);
    const double product = (all * all - gold_square) * (all * all - predicted_square);
    return product == 0 ? 0.0 : (right * all - between) / sqrt(product);
}
