/* Random requests for tests of the engine: shared demonstrations, items of varied lengths, choices of one to four
 * tokens (some share a beginning, some merge with the prompt's last token), repeated prompts, prompts without choices.
 */
#ifndef PLUMB_TESTS_ENGINE_QUESTIONS_H
#define PLUMB_TESTS_ENGINE_QUESTIONS_H

#include "engine/engine.h"
#include "engine/random_model.h"

enum { QUESTIONS = 24, CHOICES = 4, PATH = 160 };

typedef struct questions {
    int32_t prompts[QUESTIONS][PATH], paths[QUESTIONS][CHOICES][PATH], suffixed[QUESTIONS][PATH];
    pl_choice choices[QUESTIONS][CHOICES];
    pl_request requests[QUESTIONS];
    size_t n;
} questions;

/* Prompts of at most `longest` tokens, ids below V. */
static inline void ask(questions *q, size_t n, size_t longest, size_t V, uint32_t seed)
{
    uint64_t draw = 0;
    *q = (questions){.n = n};
#define DRAW(bound) pl_random_below(3, PL_RANDOM_TEST, seed, draw++, (uint32_t)(bound))
    size_t shared[2] = {longest / 2 + DRAW(longest / 4), longest < 64 ? longest / 2 : 32};
    int32_t demonstrations[2][PATH];
    for (size_t d = 0; d < 2; d++)
        for (size_t i = 0; i < shared[d]; i++) demonstrations[d][i] = (int32_t)DRAW(V);
    for (size_t r = 0; r < n; r++) {
        pl_request *request = &q->requests[r];
        size_t d = DRAW(4) == 0, own = 1 + DRAW(longest - shared[d]);
        *request = (pl_request){.ids = q->prompts[r], .n = shared[d] + own, .choices = q->choices[r], .gold = SIZE_MAX};
        memcpy(q->prompts[r], demonstrations[d], shared[d] * sizeof(int32_t));
        for (size_t i = shared[d]; i < request->n; i++) q->prompts[r][i] = (int32_t)DRAW(i < shared[d] + 3 ? 2 : V);
        request->own_first = shared[d];
        if (r % 7 == 3) { /* the same prompt as an earlier request */
            request->n = q->requests[r / 2].n;
            memcpy(q->prompts[r], q->prompts[r / 2], sizeof q->prompts[r]);
            request->own_first = r % 2 ? 0 : request->n; /* everything, or nothing */
        }
        if (r % 8 == 5) request->n = 1, request->own_first = 0;
        if (r % 3 != 1) { /* the others have no suffix */
            static const int32_t suffix[] = {2, 0, 5};
            memcpy(q->suffixed[r], q->prompts[r], request->n * sizeof(int32_t));
            memcpy(q->suffixed[r] + request->n, suffix, sizeof suffix);
            request->suffixed = q->suffixed[r];
            request->n_suffixed = request->n + 3;
        }
        request->n_choices = r % 6 == 4 ? 0 : 1 + DRAW(CHOICES);
        if (request->n_choices && r % 5) request->gold = DRAW(request->n_choices);
        for (size_t c = 0; c < request->n_choices; c++) {
            int32_t *path = q->paths[r][c];
            size_t first = request->n, m = first + 1 + DRAW(4);
            memcpy(path, q->prompts[r], first * sizeof *path);
            if (c == 2 && first > 1) { /* a merged boundary */
                first--;
                path[first] = (int32_t)((size_t)(path[first] + 1) % V);
            }
            for (size_t i = request->n; i < m; i++) path[i] = (int32_t)DRAW(i == request->n ? 3 : V);
            q->choices[r][c] = (pl_choice){.ids = path, .n = m, .first = first};
        }
    }
#undef DRAW
}

#endif
