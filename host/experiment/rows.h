/* The rows of a task's data, looked at before a model loads: every evaluated row, and every row that may be a shot, is
 * rendered once with each template. A row that no prompt can hold is an error now (file, line and row), and what two
 * rows have in common is known: a shot that reads like the item would give its answer away. Rows are parsed one after
 * the other; what stays of each are hashes, and of the pool the first template's questions until near-duplicates are
 * found.
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
    size_t n_items;
    const size_t *items;                    /* [n_items] the evaluated items, ascending rows of task->test; borrowed */
    pl_row_key **test;                      /* [n_templates][n_items] */
    pl_row_key **fewshot;                   /* [n_templates][fewshot->n] */
    pl_row_key *test_group, *fewshot_group; /* [n_items], [fewshot->n] hash of a row's group; NULL: no groups */
    size_t *labels;                         /* [fewshot->n] pl_task_target's label with the first template */
    size_t *same;                           /* [fewshot->n] the first row that reads alike with the first template */
    size_t n_twins;    /* evaluated items that stand in the pool too, with question and answer, under some template */
    size_t first_twin; /* the first of them; SIZE_MAX: none */
    pl_overlap near;   /* items (by place among the evaluated) near to a row of the pool, by the first template */
} pl_rows;

/* Fills *out from the arena. items: ascending. k: the most shots of a prompt; 0: the pool is left alone, and what is
 * said of it is NULL. */
pl_status pl_rows_check(pl_rows *out, const pl_task *task, const pl_template *const *templates, size_t n_templates,
                        const size_t *items, size_t n_items, size_t k, pl_arena *arena);

/* May this row of the pool not stand before the item, a row of task->test? It reads like it, question and answer, or is
 * of its group. */
bool pl_rows_give_away(const pl_rows *rows, size_t template, size_t item, size_t row);

#endif
