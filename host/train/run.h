/* Inside of a training run: train.c makes it and runs it, step.c does one step, saved.c keeps it on disk, needs.c says
 * what memory it takes, ranks.c shares it with other processes. */
#ifndef PLUMB_TRAIN_RUN_H
#define PLUMB_TRAIN_RUN_H

#include <pthread.h>
#include <stdatomic.h>

#include "engine/graphs.h"
#include "train/batch.h"
#include "train/state.h"

/* Blocks first .. end - 1 of a pass that goes back in parts. */
typedef struct pl__part {
    size_t first, end;
} pl__part;

typedef struct pl__bucket pl__bucket; /* ranks.c */

/* Lanes first_lane .. first_lane + ranks - 1 of a global batch of n, one a rank. */
typedef struct pl__round {
    size_t n, first_lane;
    bool begun, last; /* lanes came before; none come after */
} pl__round;

/* Of a training in several processes. */
typedef struct pl__ranks {
    size_t rank, size; /* size 1: alone, and the rest is not there */
    pl_comm *comm;
    pl_stream *stream;   /* of all that moves and its sums, beside the pass */
    pl_event *reached;   /* what one stream waits for on the other */
    pl__bucket *buckets; /* [n_buckets], in the order in which they go */
    size_t n_buckets;
    pl__round round;   /* at hand */
    pl_comm *presence; /* of the CPU, on one machine: who lives and who made an end; else NULL */
    pthread_t thread;  /* looks there */
    bool watched;
    atomic_bool leaving;
    pl_view received;       /* [size, slice] f32: the slices of a bucket that are this rank's */
    pl_view message, heard; /* [1, n], [size, n] u8 */
    char *messages;         /* [size, n] */
} pl__ranks;

struct pl_train {
    pl_trainable *trainable; /* borrowed */
    pl_processor processor;
    pl_config config; /* with the dropout of this run */
    pl_train_settings settings;
    const pl_train_example *examples; /* borrowed */
    size_t n_examples, steps_per_epoch, total_steps, peak_bytes;
    char run[PL_HASH_TEXT]; /* whose run: identity, settings, examples, model */
    char *folder;           /* NULL: nothing is saved */

    pl_stream *stream;
    pl_tape *tape;
    pl__batch batch;
    pl_graphs graphs;                      /* recorded steps */
    pl_view factors, key, workspace, lane; /* lane: a lane's gradient, when there are several; among ranks it ends
                                              behind the last slice */
    pl__ranks ranks;
    pl__part part;              /* to be enqueued */
    size_t *order, order_epoch; /* [n_examples]: that epoch's; none yet: SIZE_MAX */
    double *weights;            /* [train_batch_size]: of loss, by member */

    size_t step; /* done */
    pl_train_step *steps;
    pl_train_evaluation *evaluations;
    size_t n_steps, steps_capacity, n_evaluations, evaluations_capacity, best; /* best: a step; 0: none yet */
    double best_score;
    double saved_s; /* clock */
};

/* One optimizer step; fills *record but its seconds. PL_E_NOT_FINITE: the weights are those of before. */
pl_status pl__train_step(pl_train *t, pl_train_step *record);
/* *loss += that of lane `lane` of a global batch; its gradient is added to `into` [1, elements]. */
pl_status pl__train_lane(pl_train *t, const size_t *members, size_t n, size_t lane, pl_view into, double *loss);
/* The examples of step `step` (from 0): members [n] of the epoch's order. */
void pl__train_members(pl_train *t, size_t step, const size_t **members, size_t *n);

/* One more evaluation; the first of equal scores is the best. */
pl_status pl__train_note_evaluation(pl_train *t, size_t step, double score);

/* The run's digest, and the files in its folder. */
pl_status pl__train_digest(pl_train *t, const char *identity);
pl_status pl__train_save(pl_train *t);
pl_status pl__train_restore(pl_train *t);
pl_status pl__train_save_best(pl_train *t);
pl_status pl__train_load_best(pl_train *t);

/* ranks.c. The gradient of the global batch by all ranks, in the gradient buffer of each; *loss: of all lanes. */
pl_status pl__ranks_gradient(pl_train *t, const size_t *members, size_t n, double *loss);
/* Blocks `part` of this rank's lane have gone back, behind the stream, in the round at hand: what is whole goes out. */
pl_status pl__ranks_send(pl_train *t, pl__part part);
/* Before a step: that all are at this one, of the same run; *stop: when any is asked to. Alone: nothing. */
pl_status pl__ranks_agree(pl_train *t, bool *stop);
void pl__ranks_leave(pl_train *t);

/* Bytes that training allocates besides the trainable model itself. */
size_t pl__train_own_bytes(const pl_processor *processor, const pl_config *config, pl_dtype compute,
                           const pl_train_settings *settings, const pl__capacity *capacity, size_t n_elements);
/* Sets peak_bytes; PL_E_MEMORY when the device has less. */
pl_status pl__train_needs(pl_train *t);

#endif
