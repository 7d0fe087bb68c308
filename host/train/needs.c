/* What memory a training run takes, said before its first step. */
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "train/run.h"

size_t pl__train_own_bytes(const pl_processor *processor, const pl_config *config, pl_dtype compute,
                           const pl_train_settings *s, const pl__capacity *c, size_t n_elements)
{
    const size_t tape = pl_tape_bytes(processor, config, compute, c->tokens, c->rows, s->gradient_checkpointing);
    return pl_size_sum(tape, pl__batch_bytes(processor, config, compute, *c) +
                                 (s->lanes > 1 ? n_elements * sizeof(float) : 0));
}

size_t pl_train_plan_bytes(const pl_processor *processor, const pl_config *config, const pl_trainable_options *options,
                           const pl_train_settings *settings, const pl_train_example *examples, size_t n_examples)
{
    pl__capacity capacity;
    pl_config trained = *config;
    size_t parameters;
    const size_t model = pl_trainable_bytes(processor, config, options, &parameters);
    if (options->head == PL_HEAD_CLASSIFIER) {
        trained.n_labels = options->n_labels;
        trained.tied = false;
    }
    if (pl__capacity_run(&capacity, settings, examples, n_examples) != PL_OK) return model;
    return pl_size_sum(model,
                       pl__train_own_bytes(processor, &trained, options->compute, settings, &capacity, parameters));
}

/* Bytes of this process in memory now, and the most so far; 0 where the system does not say. */
static void resident_bytes(size_t *now, size_t *most)
{
    struct rusage usage;
    unsigned long pages = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (f) {
        if (fscanf(f, "%lu %lu", &pages, &resident) != 2) resident = 0;
        (void)fclose(f);
    }
    *now = (size_t)resident * (size_t)sysconf(_SC_PAGESIZE);
    *most = getrusage(RUSAGE_SELF, &usage) == 0 ? (size_t)usage.ru_maxrss * 1024 : 0;
}

pl_status pl__train_needs(pl_train *t)
{
    const pl_model *model = pl_trainable_model(t->trainable);
    const size_t n = pl_trainable_views(t->trainable).master.columns;
    const size_t own =
        pl__train_own_bytes(&t->processor, &t->config, pl_model_compute(model), &t->settings, &t->batch.capacity, n);
    /* Gradients and moments are there, but on the host no page of them is touched before the first training. */
    const bool touched = !t->processor.ops->shares_memory || pl_trainable_is_touched(t->trainable);
    const size_t untouched = touched ? 0 : 3 * n * sizeof(float);
    const size_t to_come = pl_size_sum(own, untouched);
    size_t now, most;
    resident_bytes(&now, &most);
    t->peak_bytes = pl_size_sum(now, to_come) > most ? pl_size_sum(now, to_come) : most;
    pl_device_facts facts;
    PL_TRY(t->processor.ops->facts(t->processor.device, &facts));
    if (facts.free_bytes == 0 || to_come <= facts.free_bytes) return PL_OK;
    return pl_fail(PL_E_MEMORY,
                   "training needs %.2f GB more memory than the %.2f GB that %s has free: lower micro_batch_size (now "
                   "%zu), set gradient_checkpointing: true, or free memory",
                   (double)(to_come - facts.free_bytes) * 1e-9, (double)facts.free_bytes * 1e-9, facts.name,
                   pl__micro_size(&t->settings));
}
