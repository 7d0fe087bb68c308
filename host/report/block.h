/* Blocks of the stability table, as it is shown: a group (model, task, arm, readout, k) is one block of means over its
 * draws where there are several, else a block a draw. */
#ifndef PLUMB_REPORT_BLOCK_H
#define PLUMB_REPORT_BLOCK_H

#include "analysis/stability.h"

typedef struct pl__block {
    const pl_stability_table *table;
    const pl_stability_row *rows; /* [n] */
    size_t n;
} pl__block;

/* The table's next block, the first of {table}; false: there is none. */
bool pl__block_next(pl__block *block);
/* The row of a behaviour metric over templates (or of one); NULL: there is none. */
const pl_stability_row *pl__block_find(const pl__block *block, pl_metric_id metric, const char *contrast,
                                       const char *template_name);
/* The row of a metric of a layer's states over all templates, in the first preprocessing; NULL: there is none. at: any
 * row of the layer. */
const pl_stability_row *pl__block_find_layer(const pl__block *block, const pl_stability_row *at, pl_metric_id metric);

/* Whether the block is of texts that are scored by themselves: it has no answers. */
bool pl__block_of_texts(const pl__block *block);
enum { PL__TEXTS_LINE = 256 };
/* Perplexities and bits a byte, with their intervals, in one line; template_name "": over all. */
void pl__block_texts(char out[PL__TEXTS_LINE], const pl__block *block, const char *template_name);

#endif
