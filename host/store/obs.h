/* /obs of a unit file: its columns, their order, kinds and meaning. The one list: the writer fills it, the reference
 * page is held to it. Readers take a column by its name. */
#ifndef PLUMB_STORE_OBS_H
#define PLUMB_STORE_OBS_H

#include <stdbool.h>

#include "store/frame.h"

/* Which units have a column: every unit, or those that any of these bits is of. */
typedef enum pl_obs_of {
    PL_OBS_BOTH = 0,
    PL_OBS_SCORED = 1,
    PL_OBS_GENERATED = 2,
    PL_OBS_LEARNED = 4, /* of either readout, of arms that learn */
    PL_OBS_ROLLED = 8,  /* scored, of whole texts: no answers */
    /* Scored, where the task's metric_list names it. */
    PL_OBS_BYTES = 16,
    PL_OBS_GREEDY = 32,
    PL_OBS_MUTUAL = 64,
    PL_OBS_CHATTED = 128, /* of either readout, of prompts that are chats or have a system text */
    PL_OBS_MATCHED = PL_OBS_GENERATED | PL_OBS_GREEDY
} pl_obs_of;

/* X(id, name, kind, readout, meaning). A missing text is code -1 (pandas: NaN). */
#define PL_OBS_COLUMNS(X)                                                                                              \
    X(INDEX, "_index", TEXT, BOTH, "doc_id and the first 12 characters of the unit's id: unique over all unit files")  \
    X(DOC_ID, "doc_id", INTEGER, BOTH, "row of the evaluated data file, from 0")                                       \
    X(DOC_HASH, "doc_hash", TEXT, BOTH, "SHA-256 of the item's JSON, as lm-evaluation-harness makes it")               \
    X(PROMPT_HASH, "prompt_hash", TEXT, BOTH, "SHA-256 of the prompt's text")                                          \
    X(MODEL, "model", CATEGORY, BOTH, "name of the model in the experiment")                                           \
    X(TASK, "task", CATEGORY, BOTH, "name of the task")                                                                \
    X(ARM, "arm", CATEGORY, BOTH, "way to adapt the model: prompt, linear or finetune")                                \
    X(HEAD, "head", CATEGORY, LEARNED, "lm or classifier, of finetune")                                                \
    X(TRAIN_TEMPLATE, "train_template", CATEGORY, LEARNED, "what was learned on; a mixture has a + between names")     \
    X(N_TRAIN, "n_train", INTEGER, LEARNED, "labelled examples, dev items among them")                                 \
    X(LABELS, "labels", CATEGORY, LEARNED, "given, or shuffled: a control")                                            \
    X(CHAT, "chat", CATEGORY, CHATTED, "plain, chat, or chat-multi: shots are turns")                                  \
    X(SYSTEM, "system", CATEGORY, CHATTED, "the system text; missing where there is none")                             \
    X(READOUT, "readout", CATEGORY, BOTH, "loglikelihood or generate")                                                 \
    X(TEMPLATE, "template", CATEGORY, BOTH, "name of the template")                                                    \
    X(ROLE, "role", CATEGORY, BOTH, "of the template: id, dev or ood")                                                 \
    X(K, "k", INTEGER, BOTH, "shots in the prompt, those dropped to fit not counted")                                  \
    X(DRAW, "draw", INTEGER, BOTH, "which shots, or which examples were learned from")                                 \
    X(ORDER, "order", INTEGER, BOTH, "which order of the shots")                                                       \
    X(SEED, "seed", INTEGER, BOTH, "seed of the experiment")                                                           \
    X(LABEL, "label", CATEGORY, BOTH, "the right answer: the text of a choice, or the target")                         \
    X(PREDICTION, "prediction", CATEGORY, BOTH,                                                                        \
      "the answer given: the text of a choice, or an open answer; missing where there is none")                        \
    X(LABEL_INDEX, "label_index", INTEGER, BOTH, "place of the label among the item's choices; -1: open answer")       \
    X(PREDICTION_INDEX, "prediction_index", INTEGER, BOTH,                                                             \
      "place of the prediction among the item's choices; -1: none of them, or an open answer")                         \
    X(OUTCOME, "outcome", CATEGORY, BOTH,                                                                              \
      "label: a choice or the target; other: another answer; none: no answer; not_finite: see finite")                 \
    X(FINITE, "finite", BOOL, BOTH, "false: a log-likelihood or logit was NaN or infinite, there is no prediction")    \
    X(CORRECT, "correct", BOOL, BOTH, "the task's own metric; false without a prediction")                             \
    X(ACC_NORM, "acc_norm", BOOL, SCORED, "right when scores are divided by the choice's characters")                  \
    X(ACC_BYTES, "acc_bytes", BOOL, BYTES, "right when scores are divided by the choice's bytes")                      \
    X(ACC_MUTUAL_INFO, "acc_mutual_info", BOOL, MUTUAL, "right when each choice's score without context is taken off") \
    X(EXACT_MATCH, "exact_match", BOOL, MATCHED,                                                                       \
      "the answer is the target, by lm-evaluation-harness's metric; of choices: greedy text is a right one")           \
    X(ANSWER_MATCH, "answer_match", BOOL, GENERATED, "the answer names the label or target, read leniently")           \
    X(N_WORDS, "n_words", INTEGER, ROLLED, "words that word_perplexity is over")                                       \
    X(N_BYTES, "n_bytes", INTEGER, ROLLED, "bytes that byte_perplexity and bits_per_byte are over")                    \
    X(N_TOKENS, "n_tokens", INTEGER, BOTH, "tokens of the prompt")                                                     \
    X(TRUNCATED, "truncated", CATEGORY, BOTH, "no, truncate_left or drop_shots: what was done to make it fit")         \
    X(MERGED, "merged", BOOL, BOTH, "a token of the whole text spans the border of prompt and answer")

typedef enum pl_obs_column {
#define X(id, name, kind, readout, meaning) PL_OBS_##id,
    PL_OBS_COLUMNS(X)
#undef X
        PL_OBS_N
} pl_obs_column;

typedef struct pl_obs_description {
    const char *name;
    pl_column_kind kind;
    pl_obs_of of;
    const char *meaning;
} pl_obs_description;
extern const pl_obs_description pl_obs_columns[PL_OBS_N];

/* Rows of a unit that is being written. Setting a column that the unit lacks does nothing. */
typedef struct pl_obs {
    pl_frame *frame; /* owned */
    pl_column *columns[PL_OBS_N];
} pl_obs;

/* of: bits of pl_obs_of. */
pl_status pl_obs_create(pl_obs *out, size_t n_rows, unsigned of);
pl_status pl_obs_set_text(pl_obs *obs, pl_obs_column column, size_t row, const char *text); /* NULL: missing */
void pl_obs_set_integer(pl_obs *obs, pl_obs_column column, size_t row, int64_t value);
void pl_obs_set_bool(pl_obs *obs, pl_obs_column column, size_t row, int value);
/* _index and doc_id. */
pl_status pl_obs_set_name(pl_obs *obs, size_t row, size_t doc_id, const char *unit_id);
void pl_obs_free(pl_obs *obs); /* takes {0} */

#endif
