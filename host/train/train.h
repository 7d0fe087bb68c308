/* Full fine-tuning of a model on examples: data order, schedule, steps, evaluation, checkpoints. Names and defaults are
 * those of Hugging Face's Trainer.
 *
 *   pl_train_settings settings = pl_train_defaults();
 *   settings.learning_rate = 2e-5;
 *   PL_TRY(pl_train_create(&train, trainable, &settings, examples, n, identity, "checkpoints/1a2b"));
 *   PL_TRY(pl_train_run(train, &callbacks, &finished));     // resumes what stands in the folder
 *   if (finished) PL_TRY(pl_train_take_best(train));        // the masters of the best evaluation
 *   PL_TRY(pl_trainable_export(trainable, source, folder));
 *
 * Same settings, examples, model and device type: same bits, whatever the number of threads, and however often the run
 * was killed and resumed. */
#ifndef PLUMB_TRAIN_TRAIN_H
#define PLUMB_TRAIN_TRAIN_H

#include "model/trainable.h"

/* Tokens first..n-1 carry loss, each predicted from those before it; the last is never run. Classifier: ids = prompt +
 * [index of the label], first = n - 1. A text: first = 1. */
typedef struct pl_train_example {
    const int32_t *ids; /* [n], borrowed as long as the training lives */
    size_t n, first;    /* 1 <= first < n */
    const float *loss_weights; /* [n], finite, 0 or more: what the loss of a token from `first` on counts (0: it carries
                                * none); NULL: 1 for each. Borrowed */
} pl_train_example;

typedef enum pl_schedule { PL_SCHEDULE_LINEAR, PL_SCHEDULE_COSINE, PL_SCHEDULE_CONSTANT, PL_SCHEDULES } pl_schedule;
extern const char *const pl_schedule_names[PL_SCHEDULES]; /* "linear", "cosine", "constant" */

/* The loss of a global batch: mean over its tokens that carry loss (as HF Trainer), or mean over its examples of each
 * one's mean. Means are weighted by loss_weights. */
typedef enum pl_loss_mean { PL_LOSS_TOKENS, PL_LOSS_EXAMPLES, PL_LOSS_MEANS } pl_loss_mean;
extern const char *const pl_loss_mean_names[PL_LOSS_MEANS]; /* "tokens", "examples" */

typedef struct pl_train_settings {
    double learning_rate;                        /* 5e-5 */
    double num_train_epochs;                     /* 3 */
    size_t max_steps;                            /* 0: as the epochs say */
    size_t train_batch_size;                     /* 8, examples a step, over all lanes */
    size_t micro_batch_size;                     /* examples that run at once; 0: those of a lane */
    size_t lanes;                                /* 1: contiguous parts of a batch whose gradients are added in order */
    pl_schedule lr_scheduler_type;               /* linear; constant has its warm-up too */
    double warmup_ratio;                         /* 0 */
    size_t warmup_steps;                         /* 0; goes over warmup_ratio */
    double weight_decay;                         /* 0 */
    double adam_beta1, adam_beta2, adam_epsilon; /* .9, .999, 1e-8 */
    double max_grad_norm;                        /* 1; 0: no clipping */
    double dropout;              /* -1: the checkpoint's own; else at all its sites (embedding, attention, residual) */
    bool gradient_checkpointing; /* false; the same bits either way */
    pl_loss_mean loss_mean;      /* tokens */
    uint64_t order_seed, dropout_seed; /* 0 */
    size_t eval_steps;                 /* 0: at the end of each epoch; the last step always */
    double save_seconds; /* 300: training state on disk so often (and when it is stopped); 0: at each step */
} pl_train_settings;

pl_train_settings pl_train_defaults(void);
/* One line for a setting out of range; `where` stands before it. */
pl_status pl_train_check(const pl_train_settings *settings, const char *where);
/* Steps of a run: ceil(examples / batch) an epoch, ceil(epochs x that) in all, or max_steps. */
size_t pl_train_steps_per_epoch(const pl_train_settings *settings, size_t n_examples);
size_t pl_train_total_steps(const pl_train_settings *settings, size_t n_examples);
/* The rate of step 0, 1, ... of `total`, as transformers computes it. */
double pl_train_rate(const pl_train_settings *settings, size_t step, size_t total);
/* order[0..n) of an epoch: a permutation that depends on the order seed and the epoch alone. */
void pl_train_order(size_t *order, size_t n, uint64_t order_seed, size_t epoch);

/* What one step did. */
typedef struct pl_train_step {
    size_t step;                               /* from 1 */
    double epoch;                              /* done after it: step / steps an epoch */
    double loss, gradient_norm, learning_rate; /* norm before clipping */
    size_t n_tokens, n_loss_tokens;            /* run; that carry loss */
    double seconds;                            /* with its evaluation, from the end of the step on */
} pl_train_step;

/* The answer of an evaluation after `step` steps. */
typedef struct pl_train_evaluation {
    size_t step;
    double score;
} pl_train_evaluation;

typedef struct pl_train_callbacks {
    void *user;
    /* After each step; NULL: none. An error ends the run. */
    pl_status (*step)(void *user, const pl_train_step *step);
    /* At eval_steps, or epoch ends, and after the last step; NULL: none, and the last weights are the best. The model
     * is for forward passes (pl_engine_*). Higher is better; the first of equal scores is kept. -INFINITY: these
     * weights are never the best; NaN ends the run. Must depend on the weights alone. */
    pl_status (*evaluate)(void *user, pl_model *model, size_t step, double *score);
    /* Asked before each step: true saves the state and ends the run, not finished; NULL: never. */
    bool (*stop)(void *user);
    const char *label; /* of the progress; NULL: quiet */
} pl_train_callbacks;

typedef struct pl_train pl_train;

/* `identity`: whose run this is (a unit's id), part of the saved state, as settings, examples and the model's shape
 * are. `folder`: where state and best weights stand; NULL: nothing is saved, and no evaluation keeps its weights (best
 * is the last). Checks settings and examples (PL_E_USAGE, PL_E_INPUT: one line), and that the memory suffices. */
pl_status pl_train_create(pl_train **out, pl_trainable *trainable, const pl_train_settings *settings,
                          const pl_train_example *examples, size_t n_examples, const char *identity,
                          const char *folder);
void pl_train_free(pl_train *train); /* takes NULL */

/* One training in several processes, each with a device of its own: the lanes are shared out (lane l is computed by rank
 * l % size), each lane's gradient travels in slices to the slices' owners, which add them in lane order, and all get the
 * sum: the bits are those of one process that computes the lanes one after another, and a state that some number of
 * ranks has left is resumed by any other. All ranks have the same settings, examples, model and folder; rank 0 alone
 * evaluates, saves, and has the best weights. */
typedef struct pl_train_place {
    size_t rank, size;
    const char *group; /* the name of this launch: the same for all its ranks, and no other launch's */
} pl_train_place;
/* Behind pl_train_create and before pl_train_run. Rank 0 puts the ranks' id into the folder, from where the others, who
 * wait for it, have it; what they wait for besides is in pl_train_run. PL_E_USAGE: more ranks than lanes, or no folder.
 * From here on a rank that ends makes the others' pl_train_run fail with PL_E_RANK within seconds. */
pl_status pl_train_join(pl_train *train, const pl_train_place *place);
/* From any thread: makes pl_train_run of every rank fail so. */
void pl_train_abort(pl_train *train);

/* The peak of this process's memory that training will need, in bytes: what it has now and what is to come. */
size_t pl_train_peak_bytes(const pl_train *train);
/* The same of a run that is planned, besides the process itself (about 30 MB): masters, gradients, moments, tape. */
size_t pl_train_plan_bytes(const pl_processor *processor, const pl_config *config, const pl_trainable_options *options,
                           const pl_train_settings *settings, const pl_train_example *examples, size_t n_examples);

/* Resumes from the folder's state where there is one (PL_E_INPUT with one line when it is another run's, or damaged),
 * and goes on to the end. PL_E_NOT_FINITE names step and examples; the state on disk stays as it was. */
pl_status pl_train_run(pl_train *train, const pl_train_callbacks *callbacks, bool *finished);

/* All steps and evaluations so far, also those before a resume; borrowed until the next call. */
const pl_train_step *pl_train_steps(const pl_train *train, size_t *n);
const pl_train_evaluation *pl_train_evaluations(const pl_train *train, size_t *n);
/* The step of the best evaluation, or the last step when there was none. */
size_t pl_train_best_step(const pl_train *train);
/* The masters become those of the best evaluation. */
pl_status pl_train_take_best(pl_train *train);

#endif
