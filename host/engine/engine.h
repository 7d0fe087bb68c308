/* The engine: prompts in; log-likelihoods, generations and hidden states out.
 *
 * All requests of a call form one prefix tree of token ids; every distinct token position runs once, packed depth-first
 * into batches, attending to shared pages of keys and values. A request's results have the same bits for any batch
 * size, order, packing, sharing on or off, and thread count (promise 1).
 *
 * Words of this folder, each with one meaning:
 *
 * path    token ids from the root of the prefix tree to a node (tree.h)
 *
 * step    what one forward pass computes: rows, one for each token position, packed into a batch (batch.h)
 *
 * chunk   consecutive tokens of one node in a step (schedule.h); cut into runs, as the device takes them
 *
 * range   consecutive tokens of a node, or rows of a step, that go to consecutive rows of a result
 *
 * want    what a row is computed for: a target's log-probability, the head's whole row, a state; a point is the want of
 *         one row (paths.h)
 *
 * slot    the row of a result to which a row of a step goes
 *
 * kept    a position (last, label, mean, all) whose states stay on the device until the call ends (capture.h)
 *
 * outlet  the way of states to a sink while the call goes on, through two buffers (outlet.h) */
#ifndef PLUMB_ENGINE_ENGINE_H
#define PLUMB_ENGINE_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "base/progress.h"
#include "model/model.h"
#include "tokenizer/tokenizer.h"

typedef struct pl_engine pl_engine;

typedef struct pl_engine_options {
    size_t batch_tokens;   /* capacity of a packed batch; 0: 1024, or 8192 on a device that replays steps */
    size_t kv_tokens;      /* capacity of the page pool; 0: from the device's free memory and the longest request */
    bool no_sharing;       /* run every request by itself (tests, baselines) */
    uint64_t shuffle_seed; /* not 0: a random order of requests and packing (tests) */
} pl_engine_options;

/* The model is borrowed. options NULL: defaults. */
pl_status pl_engine_create(pl_engine **out, pl_model *model, const pl_engine_options *options);
void pl_engine_free(pl_engine *engine); /* takes NULL */

/* One continuation to score: the whole token path (context and continuation) and where the continuation starts. */
typedef struct pl_choice {
    const int32_t *ids;
    size_t n, first; /* tokens first..n-1 are scored, first >= 1 */
} pl_choice;

typedef struct pl_request {
    const int32_t *ids; /* the prompt */
    size_t n;
    size_t own_first; /* `mean` runs over tokens own_first..n-1 without position 0 */
    size_t n_choices;
    const pl_choice *choices; /* a choice whose path does not begin with the prompt's ids runs by itself */
    size_t gold;              /* index for position `label`; SIZE_MAX: none */
    const int32_t *suffixed;  /* the prompt with a text behind it, whose last token is position `suffix` */
    size_t n_suffixed;        /* 0: none. Run only where that position is kept; nothing else reads it */
} pl_request;

enum {
    PL_POSITION_LAST = 1,
    PL_POSITION_LABEL = 2,
    PL_POSITION_MEAN = 4,
    PL_POSITION_ALL = 8,
    PL_POSITION_SUFFIX = 16
};

/* Where the states of all tokens (and logits) go while a call runs, instead of into its results. The calls come from
 * threads of the engine; the first one that fails ends the scoring call with its error. */
typedef struct pl_sink {
    void *context;
    pl_dtype dtype; /* of states: PL_F32, PL_F16 or PL_BF16; values that do not fit a half type become infinite */
    /* Once, before the first step: rows of `all`. */
    pl_status (*begin)(void *context, size_t n_all);
    /* Rows first_row..first_row + n - 1 of place `layer` of the capture's layers: [n, width]; of place n_layers: logits
     * [n, V] f32. By several threads at once, in no order, each row of each layer exactly once. States may be changed.
     */
    pl_status (*rows)(void *context, size_t layer, size_t first_row, size_t n, void *data);
} pl_sink;

/* What is kept: layers by index 0..L+1 (L + 1: final_norm), positions as a mask. */
typedef struct pl_capture {
    size_t n_layers;
    const size_t *layers; /* ascending */
    unsigned positions;
    bool logits_last, logits_all; /* extract --logits */
    const pl_sink *sink;          /* NULL: `all` and logits are in the results */
} pl_capture;

typedef struct pl_results {
    size_t n_requests, n_layers, V;
    size_t *widths; /* [n_layers]: numbers of a state at each: pl_config_state_width */
    /* CSR over (request, choice) in order: log p of each scored token, and whether it was the arg max. */
    uint64_t *choice_indptr; /* [n_requests + 1] */
    uint64_t *token_indptr;  /* [choices + 1] */
    float *log_probability;  /* [tokens] */
    uint8_t *greedy;         /* [tokens] */
    /* States [n_layers][n_requests, width] by position; NULL where not captured. `label` rows without gold and `suffix`
     * rows without one are NaN. */
    float **last, **label, **mean, **suffix;
    /* `all`: each distinct token once, in tree order that depends on the requests alone. The ranges of a request give
     * one row after another: its prompt's n tokens, then tokens first..n-1 of each choice, then those of its suffix
     * where that is kept. */
    size_t n_all;
    float **all;          /* [n_layers][n_all, width]; NULL with a sink */
    uint64_t *all_indptr; /* [n_requests + 1] into all_ranges */
    uint64_t *all_ranges; /* pairs (first, count) */
    size_t n_all_ranges;  /* pairs */
    float *logits;        /* [n_requests, V] or [n_all, V]; NULL with a sink */
    /* What the run cost: tokens of all paths, each by itself; rows that ran; steps. */
    size_t tokens_in_requests, tokens_computed, n_batches;
} pl_results;

/* Of a model with a border (longrope) each result is what a pass over its sequence alone gives: the prompt, the prompt
 * with the suffix, a choice's path for its states, and that without its last token for its log-probabilities. */

/* Positions that the suffix's path takes up; 0 where it is not kept. */
size_t pl_suffix_positions(const pl_request *request, const pl_capture *capture);

/* Positions that a choice's path takes up: its last token needs none, since it is scored from the token before, unless
 * a state of its own (`label` of the gold choice, `all`) or its logits are kept. capture may be NULL. */
size_t pl_choice_positions(const pl_request *request, size_t choice, const pl_capture *capture);

/* capture and progress may be NULL; progress is advanced by requests. PL_E_INPUT names request and place: ids outside
 * the vocabulary, paths longer than the model's positions, nothing to score, more than fits into memory. */
pl_status pl_engine_score(pl_engine *engine, const pl_request *requests, size_t n, const pl_capture *capture,
                          pl_progress *progress, pl_results **out);
void pl_results_free(pl_results *results); /* takes NULL */

/* Appends the ids that end a generation: what the checkpoint says (pl_config.stops); where it says nothing, the
 * tokenizer's eos. (transformers would not stop there at all; lm-evaluation-harness stops at the tokenizer's eos.) */
pl_status pl_stop_ids(pl_ids *out, const pl_config *config, const pl_tokenizer *tokenizer);

/* Greedy continuations. `stops` are texts; generation ends before the first of them, at any id of `eos`, or after
 * max_tokens, or at the model's last position. Each token is the arg max of a pass over all before it: where that
 * becomes far (pl_config.border), it runs anew (transformers' generate does that for phi3; in other families its cache
 * keeps the near keys, and differs from its own use_cache=False). Only prompt ids of a request are read. The text is
 * decoded from the generated ids alone, so stops never match the prompt. tokenizer NULL (without stops): no text. */
typedef struct pl_generation {
    pl_ids ids; /* generated tokens, eos left out; those of a stop text are in */
    char *text; /* decoded, cut before the stop text; owned */
    size_t size;
    bool stopped; /* by a stop text or eos, not by max_tokens */
    bool finite;  /* false: a row of logits held NaN or had no finite maximum; the text ends before that token */
} pl_generation;
pl_status pl_engine_generate(pl_engine *engine, const pl_tokenizer *tokenizer, const pl_request *requests, size_t n,
                             size_t max_tokens, const char *const *stops, size_t n_stops, const int32_t *eos,
                             size_t n_eos, pl_progress *progress, pl_generation **out); /* [n]; pl_generations_free */
void pl_generations_free(pl_generation *generations, size_t n);

#endif
