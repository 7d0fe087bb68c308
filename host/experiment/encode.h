/* A prompt's text as token ids, by lm-evaluation-harness's rule for the boundary of prompt and label: trailing spaces
 * of the context move to the continuation, context + continuation are encoded together, and the context's own encoding
 * says where the continuation starts. Prompts that do not fit follow the experiment's truncation policy. */
#ifndef PLUMB_EXPERIMENT_ENCODE_H
#define PLUMB_EXPERIMENT_ENCODE_H

#include "engine/engine.h"
#include "experiment/plan.h"

/* One encoded item; ids live in the arena of the unit. */
typedef struct pl_encoded {
    size_t n; /* tokens of the prompt */
    int32_t *ids;
    size_t own_first;
    size_t n_choices;
    pl_choice *choices;
    bool merged;          /* a token spans the boundary of prompt and label, for some choice */
    size_t shots_dropped; /* by truncation: drop_shots */
    size_t tokens_cut;    /* by truncation: truncate_left */
    bool skipped;         /* by truncation: skip */
} pl_encoded;

typedef struct pl_encoder {
    const pl_tokenizer *tokenizer;
    pl_arena *arena;
    size_t limit;   /* tokens that fit */
    bool strip_eos; /* the post-processor ends texts with eos, which has no place before a continuation */
    char *prefix;   /* the last prefix (description and shots) and its length in tokens: items share it */
    size_t prefix_size, prefix_tokens;
} pl_encoder;

/* limit: the longest path, in tokens. */
pl_status pl_encoder_create(pl_encoder *out, const pl_tokenizer *tokenizer, size_t limit, pl_arena *arena);

/* Encodes context and choices as they are; no truncation. */
pl_status pl_encode(pl_encoder *encoder, const pl_prompt *prompt, pl_encoded *out);

/* Tokens of the longest path: prompt and choice, or prompt and `room` generated tokens. */
size_t pl_encoded_length(const pl_encoded *encoded, size_t room);

/* Cuts tokens from the left (after bos) until the longest path has at most `limit` tokens. */
pl_status pl_encoded_cut(pl_encoded *encoded, size_t room, size_t limit, int32_t bos);

#endif
