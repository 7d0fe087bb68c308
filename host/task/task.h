/* A task: a data set with its label set, written down in lm-evaluation-harness field names (formats.md, "Task file").
 *
 * One task has one or more templates: its own doc_to_text/doc_to_target/doc_to_choice is the template "default" (role
 * id) unless `plumb: templates:` lists others, which inherit what they do not set.
 *
 * Where the data are: task_data.c. `include: FILE` lends keys that the including file does not set. doc_to_text,
 * doc_to_target and doc_to_choice are the name of a field or a template; entries of a doc_to_choice list may be
 * templates. A field or value of lm-evaluation-harness that would have no effect here is an error, not ignored. */
#ifndef PLUMB_TASK_TASK_H
#define PLUMB_TASK_TASK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/digest.h"
#include "base/memory.h"
#include "base/role.h"
#include "jinja/jinja.h"
#include "task/chat.h"
#include "task/data.h"
#include "task/exact_match.h"
#include "task/filter.h"

typedef enum pl_output_type {
    PL_OUTPUT_MULTIPLE_CHOICE,
    PL_OUTPUT_LOGLIKELIHOOD,
    PL_OUTPUT_LOGLIKELIHOOD_ROLLING,
    PL_OUTPUT_GENERATE_UNTIL,
    PL_OUTPUT_TYPES
} pl_output_type;

const char *pl_output_type_name(pl_output_type type); /* lm-evaluation-harness' */

typedef struct pl_template {
    const char *name;
    pl_role role;
    pl_jinja *doc_to_text, *doc_to_target, *doc_to_choice; /* doc_to_choice: NULL without choices */
    pl_jinja *gen_prefix;  /* what an answer begins with, shown behind the item's text; NULL: nothing */
    bool several_contexts; /* doc_to_text is the index of the right one of doc_to_choice, which are contexts */
    bool several_right;    /* doc_to_target lists several right choices */
    const char *target_delimiter;
    json_t *config; /* all that decides its texts, under lm-evaluation-harness' names and as the files say it: doc_to_*,
                       description, delimiters, output_type */
    char digest[PL_HASH_TEXT]; /* XXH3-128 of config */
} pl_template;

typedef struct pl_task {
    const char *name, *path, *version;
    pl_output_type output_type;
    const char *description, *fewshot_delimiter;
    size_t num_fewshot; /* shots of an arm that names no number */
    size_t n_templates;
    pl_template *templates; /* in the file's order */
    pl_data *test;          /* what is evaluated: test_split, else validation_split */
    pl_data *fewshot;       /* where shots come from: fewshot_split, else training_split; NULL: none */
    bool first_shots;       /* sampler first_n: the first rows of the pool, in order, whatever the draw */
    bool fewshot_is_test;   /* the two have the same bytes: an item must never be among its own shots */
    size_t n_idle;
    const char **idle; /* keys that are accepted and change no number, each with its place, for people */
    const char *group; /* field whose equal values must not straddle shots and item; NULL: none */
    size_t n_calibration;
    const char **calibration; /* content-free inputs: what stands in an item's place for contextual calibration */
    size_t n_until;
    const char *
        *until; /* stop strings of generation; default: the few-shot delimiter, as lm-evaluation-harness has it */
    size_t max_gen_toks;
    pl_filter *filter;           /* what is done to a generated answer before it is compared */
    const char *unused_filters;  /* the other ones of filter_list, with commas; "": none */
    pl_exact_match *exact_match; /* with the flags of metric_list */
    json_t *metrics; /* a list of those of metric_list that are not there anyhow: f1, acc_bytes, ..; NULL: none */
    /* loglikelihood_rolling: tokens of a window, 0: the model's positions; fields that count an item's words and bytes,
     * NULL: those of the text. */
    size_t max_length;
    const char *words, *bytes;
    const char *frozen;          /* the task as one YAML file that stands alone */
    char digest[PL_SHA256_TEXT]; /* task_hash: SHA-256 of the task's canonical JSON, includes resolved */
    pl_arena *arena;
} pl_task;

/* Relative dataset paths are looked up beside the task file; ${VAR} comes from the environment. */
pl_status pl_task_open(pl_task **out, const char *path);
void pl_task_free(pl_task *task); /* takes NULL */

/* What decides the answers of a generating unit and how they are read, for its identity: stop strings, length, filter,
 * flags of exact_match and the version of our own reading. A new reference. */
pl_status pl_task_generation_json(json_t **out, const pl_task *task);

bool pl_task_names(const pl_task *task, const char *metric); /* whether it is one of task->metrics */

const pl_template *pl_task_template(const pl_task *task, const char *name); /* NULL: no such template */

/* The texts of one item under one template. Choices: `out[i]` is arena-owned. */
pl_status pl_task_choices(const pl_task *task, const pl_template *t, const pl_row *row, pl_arena *arena,
                          const char ***out, size_t *n);
/* The gold answer: its text (of several the first), and for multiple choice its index among the choices (a label
 * outside the set is an error that names the item); *label is SIZE_MAX where there are no choices. */
pl_status pl_task_target(const pl_task *task, const pl_template *t, const pl_row *row, pl_arena *arena,
                         const char **text, size_t *label);

/* One row as a template shows it: its question, appended to `question`, and its gold answer. Meets every error that a
 * prompt with the row could meet, the field of its group among them. */
pl_status pl_task_row(const pl_task *task, const pl_template *t, const pl_row *row, pl_arena *arena, pl_bytes *question,
                      const char **target, size_t *label);

/* A prompt: context (description, shots, the item's own text) and what may follow it. All memory is the arena's. */
typedef struct pl_prompt {
    const char *context;
    size_t context_size; /* bytes */
    size_t own_offset;   /* byte where the item's own text begins: what stands before is description and shots */
    bool system_refused; /* the model's chat template refuses a system text: there is none */
    size_t n_choices;
    /* target_delimiter + choice: the continuations that are scored; for loglikelihood one, the target as it is. */
    const char **choices;
    /* A whole context a choice [n_choices], where choices are contexts (`context` is the first), with the same
     * continuation behind all; NULL: `context` stands before all. */
    const struct pl_context {
        const char *text;
        size_t size; /* bytes */
    } * contexts;
    /* target_delimiter + choice [n_choices], of choices that are contexts too, where each is scored once more behind an
     * empty context (acc_mutual_info); else NULL. */
    const char **unconditional;
    const char **choice_texts; /* without the delimiter */
    size_t gold;               /* index among the choices, or SIZE_MAX (generation without choices) */
    const char *target;        /* gold text */
    /* Of several right choices all, as the task lists them; gold is the first. n_right 0: gold alone is right. */
    size_t n_right;
    const size_t *right; /* [n_right] */
    /* All right answers where the item has several and no choices: their texts, target first, and how Python writes
     * the list; else n_targets is 0. */
    size_t n_targets;
    const char **targets;
    const char *targets_text;
    bool
        alone; /* output_type loglikelihood: the one continuation is the target, right when it is what greedy text is */
    /* output_type loglikelihood_rolling: the target is scored by itself, window by window, and there is no context;
     * what its log-likelihood is divided by. */
    bool rolling;
    size_t words, bytes;
} pl_prompt;

/* Whether the choice is right. */
bool pl_prompt_is_right(const pl_prompt *prompt, size_t choice);

/* As lm-evaluation-harness builds it: description + (text + target_delimiter + target + fewshot_delimiter) a shot +
 * the item's text. shots[0..k) index task->fewshot; item indexes task->test. */
pl_status pl_prompt_build(pl_prompt *out, const pl_task *task, const pl_template *t, size_t item, const size_t *shots,
                          size_t k, pl_arena *arena);
/* The same as a chat. With a template: the messages system (its text, the fewshot_delimiter where neither has white
 * space there, and the description), shots as turns or in front of the item in one user turn, and the item; choices
 * then have no delimiter before them. `chat` NULL: pl_prompt_build. */
pl_status pl_prompt_build_chat(pl_prompt *out, const pl_task *task, const pl_template *t, size_t item,
                               const size_t *shots, size_t k, const pl_chat_use *chat, pl_arena *arena);
/* The same with a content-free item: every text and number of the item is `input` in what the template shows of it. The
 * choices are the item's; there is no gold answer. PL_E_INPUT where the template cannot show such an item. */
pl_status pl_prompt_build_content_free(pl_prompt *out, const pl_task *task, const pl_template *t, size_t item,
                                       const char *input, const size_t *shots, size_t k, const pl_chat_use *chat,
                                       pl_arena *arena);

#endif
