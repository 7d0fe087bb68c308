/* What log-likelihoods make of the items: sums, predictions, what is right. */
#include <math.h>
#include <string.h>

#include "base/utf8.h"
#include "experiment/item.h"

/* Score of each path, summed in double in the order of its tokens, and whether all of them are the likeliest. Windows
 * of a rolling text follow each other and are one. */
static pl_status sum_paths(pl__item *item, const pl_results *results, size_t row, pl_arena *arena)
{
    const size_t first = results->choice_indptr[row], n = results->choice_indptr[row + 1] - first;
    PL_TRY(pl_arena_new(arena, &item->score, n));
    PL_TRY(pl_arena_new(arena, &item->greedy, n));
    item->finite = true;
    for (size_t p = 0; p < n; p++) item->greedy[p] = true;
    for (size_t p = 0; p < n; p++) {
        const size_t c = item->prompt.rolling ? 0 : p;
        for (size_t t = results->token_indptr[first + p]; t < results->token_indptr[first + p + 1]; t++) {
            item->score[c] += (double)results->log_probability[t];
            item->greedy[c] = item->greedy[c] && results->greedy[t];
        }
        item->finite = item->finite && isfinite(item->score[c]);
    }
    return PL_OK;
}

/* What a choice's score is divided by, or held against. */
typedef enum reading { BY_SUM, BY_CHARACTER, BY_BYTE, LESS_OWN } reading;

static double value_of(const pl__item *item, size_t c, reading by)
{
    const char *text = item->prompt.choice_texts[c];
    size_t length = by == BY_CHARACTER ? pl_utf8_count(text, strlen(text)) : by == BY_BYTE ? strlen(text) : 1;
    if (by == LESS_OWN) return item->score[c] - item->score[item->prompt.n_choices + c];
    return item->score[c] / (length ? (double)length : 1.0);
}

/* The choice with the largest value; the first of equals. */
static size_t best_choice(const pl__item *item, reading by)
{
    size_t best = 0;
    double top = -INFINITY;
    for (size_t c = 0; c < item->prompt.n_choices; c++) {
        double value = value_of(item, c, by);
        if (value > top) top = value, best = c;
    }
    return best;
}

static void score_choices(pl__item *item)
{
    const pl_prompt *p = &item->prompt;
    size_t best = best_choice(item, BY_SUM);
    item->outcome = PL_OUTCOME_LABEL;
    item->prediction_index = (int64_t)best;
    item->prediction = p->choice_texts[best];
    item->correct = pl_prompt_is_right(p, best);
    item->correct_norm = pl_prompt_is_right(p, best_choice(item, BY_CHARACTER));
    item->correct_bytes = pl_prompt_is_right(p, best_choice(item, BY_BYTE));
    item->correct_mutual = p->unconditional && pl_prompt_is_right(p, best_choice(item, LESS_OWN));
    for (size_t c = 0; c < p->n_choices; c++)
        item->exact_match = item->exact_match || (item->greedy[c] && pl_prompt_is_right(p, c));
}

/* The target alone is right when every token of it is the likeliest; a rolling text is no answer. */
static void score_alone(pl__item *item)
{
    bool right = item->greedy[0] && !item->prompt.rolling;
    item->outcome = right ? PL_OUTCOME_LABEL : PL_OUTCOME_OTHER;
    item->prediction_index = right ? 0 : -1;
    item->prediction = right ? item->prompt.target : NULL;
    item->correct = item->correct_norm = right;
}

/* Moves the tokens of what is left of each item to the front. */
static void keep_choices(const pl__items *items, pl_results *results)
{
    size_t path = 0, kept_paths = 0, kept_tokens = 0;
    for (size_t i = 0; i < items->n; i++) {
        const pl_prompt *p = &items->items[i].prompt;
        const size_t end = results->choice_indptr[i + 1], from = path;
        for (; path < end; path++) {
            const bool whole = !p->rolling || path == from;
            const uint64_t begin = results->token_indptr[path], n = results->token_indptr[path + 1] - begin;
            if (!p->rolling && path - from >= p->n_choices) continue;
            memmove(results->log_probability + kept_tokens, results->log_probability + begin, n * sizeof(float));
            memmove(results->greedy + kept_tokens, results->greedy + begin, n);
            if (whole) results->token_indptr[kept_paths++] = kept_tokens;
            kept_tokens += n;
        }
        results->choice_indptr[i + 1] = kept_paths;
    }
    results->token_indptr[kept_paths] = kept_tokens;
}

static bool has_more_paths(const pl__items *items)
{
    for (size_t i = 0; i < items->n; i++)
        if (items->items[i].prompt.rolling || items->items[i].prompt.unconditional) return true;
    return false;
}

pl_status pl__items_score(pl__items *items, pl_results *results)
{
    for (size_t i = 0; i < items->n; i++) {
        pl__item *item = &items->items[i];
        PL_TRY(sum_paths(item, results, i, items->arena));
        item->label_index = pl__label_index(&item->prompt);
        item->label = item->prompt.choice_texts[item->prompt.gold];
        if (!item->finite) {
            pl__items_count_not_finite(items, i);
            item->outcome = PL_OUTCOME_NOT_FINITE;
            item->prediction_index = -1;
        } else if (item->prompt.alone)
            score_alone(item);
        else
            score_choices(item);
    }
    for (size_t i = 0; i < items->n_content_free; i++)
        PL_TRY(sum_paths(&items->content_free[i], results, items->n + i, items->arena));
    if (has_more_paths(items)) keep_choices(items, results);
    return PL_OK;
}
