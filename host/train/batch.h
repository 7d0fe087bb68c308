/* One micro-batch: examples packed end to end, on the device. Nothing is shared and nothing is padded; an example of n
 * ids has n - 1 rows. */
#ifndef PLUMB_TRAIN_BATCH_H
#define PLUMB_TRAIN_BATCH_H

#include "train/train.h"

/* Does token i of an example carry loss? And how many do? */
/* Weight of token i's loss within its example, and of all; 0: it carries none. */
double pl__loss_weight(const pl_train_example *example, size_t i);
double pl__loss_weight_sum(const pl_train_example *example);
size_t pl__loss_tokens(const pl_train_example *example);

/* Sizes of a micro-batch, or the largest of several. */
typedef struct pl__capacity {
    size_t tokens, rows, sequences, runs, path_pages, pages;
} pl__capacity;
pl__capacity pl__capacity_of(const pl_train_example *examples, const size_t *members, size_t n);
pl__capacity pl__capacity_largest(pl__capacity a, pl__capacity b);
/* Of every micro-batch of a run. */
pl_status pl__capacity_run(pl__capacity *out, const pl_train_settings *settings, const pl_train_example *examples,
                           size_t n_examples);

/* Parts of a global batch: members [first, first + n) of lane l of a batch of `size`, and micro-batches of a lane. */
void pl__lane_part(size_t *first, size_t *n, size_t size, size_t lanes, size_t lane);
size_t pl__micro_size(const pl_train_settings *settings);

typedef struct pl__batch {
    pl_processor processor;
    size_t border; /* pl_config.border: an example is far by its rows, as it is when it is scored */
    pl__capacity capacity;
    pl_kv *kv;
    pl_view i32, f32;         /* [1, ...]: what all views of the batch lie in */
    int32_t *integers;        /* the same on the host */
    float *weights;           /* [rows] */
    float *log_probabilities; /* [rows], of the last pass */
    uint64_t *keys;           /* [tokens], for sorting */
    pl_view log_probability;  /* [1, rows] f32 */
    size_t n_rows;            /* that carry loss, of the last put: no more than its views have */
    pl_pass pass; /* batch, kv, head rows and targets, and `training` below, cut to what was put, or to the bucket it
                     falls in */
    pl_training training;
} pl__batch;

pl_status pl__batch_create(pl__batch *out, const pl_processor *processor, const pl_config *config, pl_dtype compute,
                           pl__capacity capacity);
void pl__batch_free(pl__batch *batch); /* takes {0} */
size_t pl__batch_bytes(const pl_processor *processor, const pl_config *config, pl_dtype compute, pl__capacity capacity);
/* weight[i]: of each of member i's tokens that carry loss. */
pl_status pl__batch_put(pl__batch *batch, pl_stream *stream, const pl_train_example *examples, const size_t *members,
                        const double *weight, size_t n);

#endif
