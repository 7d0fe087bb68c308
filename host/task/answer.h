/* Reading a label out of generated text. Only the continuation is read, never the prompt. */
#ifndef PLUMB_TASK_ANSWER_H
#define PLUMB_TASK_ANSWER_H

#include <stddef.h>

/* NOT_FINITE: a log-likelihood or logit was NaN or infinite, so there is nothing to read. */
typedef enum pl_outcome { PL_OUTCOME_LABEL, PL_OUTCOME_OTHER, PL_OUTCOME_NONE, PL_OUTCOME_NOT_FINITE } pl_outcome;
const char *pl_outcome_name(pl_outcome outcome); /* "label", "other", "none", "not_finite" */

/* The answer is the text without leading white space, quotes and opening brackets. It names a label when it starts with
 * it (ASCII letters compared without case; the longest label wins) and the label ends there: "positive." does,
 * "positively" and "very positive" do not. Nothing but white space and punctuation is `none`, the rest is `other`. */
pl_outcome pl_answer_label(const char *text, size_t size, const char *const *labels, size_t n_labels, size_t *label);

/* Equal after trimming white space and a final full stop, ASCII letters compared without case (exact_match). */
int pl_answer_equals(const char *text, size_t size, const char *target);

#endif
