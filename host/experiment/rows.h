/* The rows of a task's data, looked at before a model loads: every evaluated row, and every row that may be a shot, is
 * rendered once with each template. A row that no prompt can hold is an error now (file, line and row), and what two
 * rows have in common is known: a shot that reads like the item would give its answer away.
 *
 * Cost: about 5 microseconds a row and template, and as much again to find near-duplicates in texts of 100 characters.
 */
#ifndef PLUMB_EXPERIMENT_ROWS_H
#define PLUMB_EXPERIMENT_ROWS_H

#include "experiment/overlap.h"
#include "task/task.h"

/* Hash of a row as a template shows it, question and answer, without differences of case and white space. */
typedef struct pl_row_key {
    uint64_t words[2];
} pl_row_key;

typedef struct pl_rows {
    pl_row_key **test;    /* [n_templates][test->n], of evaluated items */
    pl_row_key **fewshot; /* [n_templates][fewshot->n]; NULL: no shots are drawn */
    size_t *same;         /* [fewshot->n] the first row that reads alike with the first template */
    size_t n_twins;    /* evaluated items that stand in the pool too, with question and answer, under some template */
    size_t first_twin; /* the first of them; SIZE_MAX: none */
    pl_overlap near;   /* items (by place among the evaluated) near to a row of the pool, by the first template */
} pl_rows;

/* Fills *out from the arena. k: the most shots of a prompt; 0: the pool is left alone. */
pl_status pl_rows_check(pl_rows *out, const pl_task *task, const pl_template *const *templates, size_t n_templates,
                        const size_t *items, size_t n_items, size_t k, pl_arena *arena);

/* May this row of the pool not stand before the item? It reads like it, question and answer, or is of its group. */
bool pl_rows_give_away(const pl_rows *rows, const pl_task *task, size_t template, size_t item, size_t row);

#endif
