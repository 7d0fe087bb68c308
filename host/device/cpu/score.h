/* What `score` and `score_backward` share: the logits of rows, reduced to their maximum and sum. */
#ifndef PLUMB_DEVICE_CPU_SCORE_H
#define PLUMB_DEVICE_CPU_SCORE_H

#include "device/cpu/cpu.h"
#include "device/cpu/vmath.h"

/* The first `rows` rows of args->x: parts [rows, chunks] get each row's result in its first chunk; args->logits, where
 * there are any. Counts, targets and workspace are not read. */
void PL__WIDE(score_rows)(pl_stream *stream, const pl_score_args *args, pl__score_part *parts, size_t rows);

/* log p of a logit of the row with this result. */
static inline float pl__score_of(float logit, const pl__score_part *row)
{
    return (float)((double)logit - (double)row->max - pl__log(row->sum));
}

#endif
