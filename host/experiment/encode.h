/* A prompt's text as token ids, by lm-evaluation-harness's rule for the boundary of prompt and label: white space at
 * the context's end (Python's str.rstrip) moves to the continuation; a path is the context's own ids, then what is left
 * of the ids of context + continuation after as many. Where the whole string's ids do not begin with the context's (a
 * token spans the boundary) the item is `merged`. Prompts that do not fit follow the experiment's truncation policy. */
#ifndef PLUMB_EXPERIMENT_ENCODE_H
#define PLUMB_EXPERIMENT_ENCODE_H

#include "engine/engine.h"
#include "experiment/plan.h"

/* One encoded item; ids live in the arena of the unit. */
typedef struct pl_encoded {
    pl_request request;   /* what the engine is asked: paths, of the item's choices first */
    size_t n_choices;     /* of the item: further paths are its choices behind an empty context. Of a rolling text 1:
                             its windows are the paths */
    bool merged;          /* a token spans the boundary of prompt and label, for some choice */
    size_t shots_dropped; /* by truncation: drop_shots */
    size_t tokens_cut;    /* by truncation: truncate_left */
    bool skipped;         /* by truncation: skip */
} pl_encoded;

typedef struct pl_encoder {
    const pl_tokenizer *tokenizer;
    pl_arena *arena;
    bool strip_eos;    /* the post-processor ends texts with eos, which has no place before a continuation */
    int32_t start;     /* what an empty context is conditioned on: bos, else eos; -1: neither */
    char *start_text;  /* its text: a context that begins with it gets no special tokens besides */
    size_t start_size; /* 0: no such text */
    char *prefix;      /* the last prefix (description and shots) and its length in tokens: items share it */
    size_t prefix_size, prefix_tokens;
    size_t window; /* tokens of a window of a rolling text; set by who encodes such */
} pl_encoder;

pl_status pl_encoder_create(pl_encoder *out, const pl_tokenizer *tokenizer, pl_arena *arena);

/* Encodes context and choices as they are; no truncation. Where choices are contexts, the prompt is what their contexts
 * have in common: tokens of the first ones on. A rolling text is cut as lm-evaluation-harness' rolling windows with a
 * context of one token are: the first one behind bos or eos, the last one as long as the others, with the tokens before
 * it that are scored elsewhere as its context. */
pl_status pl_encode(pl_encoder *encoder, const pl_prompt *prompt, pl_encoded *out);

/* For a head with a row a label: choice c becomes the prompt and "token" c, which is scored and never run. The prompt's
 * ids stay those that label words would follow, so that its states are at the same token. There is no state `label`. */
pl_status pl_encoded_label_paths(pl_encoded *encoded, pl_arena *arena);

/* Appends the ids of a text by itself: the same behind every prompt. PL_E_INPUT where it has none. */
pl_status pl_encode_suffix(pl_ids *out, const pl_tokenizer *tokenizer, const char *text);
/* Puts them behind the encoded prompt, for position `suffix`. */
pl_status pl_encoded_suffix(pl_encoder *encoder, pl_encoded *encoded, const pl_ids *suffix);

/* Positions that the item takes in the model: those of its longest path (see pl_choice_positions), of the prompt, and
 * with `room` tokens to generate those of all but the last of them. */
size_t pl_encoded_positions(const pl_encoded *encoded, size_t room, const pl_capture *capture);

/* Cuts tokens from the left (after bos) until the item takes at most `limit` positions. */
pl_status pl_encoded_cut(pl_encoder *encoder, pl_encoded *encoded, size_t room, const pl_capture *capture,
                         size_t limit);

#endif
