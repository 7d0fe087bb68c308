/* Answers: a label read out of generated text, and a generated text held against a target. Only the continuation is
 * read, never the prompt.
 *
 * Two readings, and no other. `exact_match` is lm-evaluation-harness's metric (lm_eval 0.4.13,
 * exact_match_hf_evaluate): the two texts are equal, white space and all, after what its flags ask for. `answer_match`
 * is ours and lenient:
 *
 *   Case is folded beyond ASCII (Unicode's full case folding), so that STRASSE is Strasse with a sharp s.
 *   Dress is skipped: white space, quotes, brackets, and markup around an answer (**B**, $B$, `B`, _B_, <B>, <b>B</b>,
 *   # B, - B, \B, \boxed{B}). A sign is no dress: -1, +1, <5 and .5 are not 1 or 5.
 *   A label is named when the answer starts with it and it ends there: "positive." and "B) because" do, "positively",
 *   "well-being" (label well), "A/B", "C++" and "C#" (label C) do not; behind a digit, neither do "1.5", "1/2", "1,0",
 *   "1:30", "1-2", "1 000" and "1%". The longest label wins.
 *   Without labels the whole answer must equal the target, both without the dress at their two ends and without one
 *   final full stop. */
#ifndef PLUMB_TASK_ANSWER_H
#define PLUMB_TASK_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

/* Raised when an answer may be read differently: part of the identity of what was read. */
enum { PL_ANSWER_RULE = 2 };

/* NOT_FINITE: a log-likelihood or logit was NaN or infinite, so there is nothing to read. */
typedef enum pl_outcome { PL_OUTCOME_LABEL, PL_OUTCOME_OTHER, PL_OUTCOME_NONE, PL_OUTCOME_NOT_FINITE } pl_outcome;
const char *pl_outcome_name(pl_outcome outcome); /* "label", "other", "none", "not_finite" */

/* The label that an answer names, in *label. Nothing but white space, punctuation and symbols is `none`, any other
 * answer that names no label is `other`. Texts are valid UTF-8. */
pl_status pl_answer_label(pl_outcome *out, size_t *label, const char *text, size_t size, const char *const *labels,
                          size_t n_labels);

/* Whether an answer is the target, leniently (answer_match). */
pl_status pl_answer_match(bool *out, const char *text, size_t size, const char *target);

#endif
