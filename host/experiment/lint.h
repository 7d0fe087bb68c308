/* What is odd about the prompts of a plan, down to token ids, before anything runs. */
#ifndef PLUMB_EXPERIMENT_LINT_H
#define PLUMB_EXPERIMENT_LINT_H

#include "experiment/plan.h"

/* Rules: name and meaning, for help and the reference page. */
#define PL_LINT_RULES(X)                                                                                               \
    X(FAILS, "fails", "a run of these prompts would fail")                                                             \
    X(TRUNCATED, "truncated", "shots or tokens are cut, or items left out, by the truncation policy")                  \
    X(MERGED, "merged", "a token spans the border of prompt and answer")                                               \
    X(TRAILING_BLANK, "trailing_blank", "the prompt ends in white space, which is scored with the answer")             \
    X(DOUBLE_BOS, "double_bos", "the prompt begins with two bos tokens")                                               \
    X(SYSTEM_REFUSED, "system_refused", "the model's chat template refuses a system text: the prompt has none")        \
    X(SAME_FIRST, "same_first_token", "two answers begin with the same token")                                         \
    X(LENGTHS, "label_lengths", "answers of different numbers of tokens: acc favours the short ones")                  \
    X(LABEL_TOKENS, "label_tokens", "an answer of several tokens under this model's tokenizer")                        \
    X(NO_STOP, "no_stop", "generation without a stop text: answers run on to their longest")                           \
    X(STOP_IN_ANSWER, "stop_in_answer", "a right answer holds a stop text, and can never be generated whole")          \
    X(LEAK, "leak", "an evaluated item stands in the pool of shots; such rows are set aside for it")                   \
    X(NEAR_DUPLICATE, "near_duplicate", "an evaluated item has a near-duplicate in the pool of shots")

typedef enum pl_lint_rule {
#define X(id, name, meaning) PL_LINT_##id,
    PL_LINT_RULES(X)
#undef X
        PL_LINT_N
} pl_lint_rule;

const char *pl_lint_name(pl_lint_rule rule);
const char *pl_lint_meaning(pl_lint_rule rule);

/* One finding: of how many of the items that were looked at, and the first one. Texts are borrowed for the call. */
typedef struct pl_finding {
    pl_lint_rule rule;
    const pl_plan_unit *unit; /* a cell that shows it: the first draw of its model, template, shots and readout */
    size_t n, n_items;
    size_t first;       /* doc_id; SIZE_MAX: of no item */
    const char *detail; /* what there is to see, or "" */
} pl_finding;

/* Looks at up to `most` items of each model, task, template, number of shots and readout, first draw and order. A rule
 * is said once of a model, task, template and readout (of the task alone where it is about rows or stop texts), by the
 * first number of shots that shows it. */
pl_status pl_lint(const pl_plan *plan, size_t most, void (*take)(void *listener, const pl_finding *finding),
                  void *listener);

#endif
