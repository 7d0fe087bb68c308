/* The model that a run has loaded (run_parts.h). */
#include "base/clock.h"
#include "engine/certificate.h"
#include "experiment/run_parts.h"

/* A backend whose products are exact needs no trial: the tests are it. */
static pl_status certify(pl__runner *r, const char *name)
{
    pl_certificate certificate;
    r->certified = !r->processor.ops->exact;
    if (!r->certified) return PL_OK;
    PL_TRY(pl_certify(&certificate, r->model));
    return pl_run_folder_log(&r->summary->folder,
                             "model %s certified on %s: %zu paths of %zu tokens, the same bits in any batch, %.2f s",
                             name, r->device.name, certificate.n_paths, certificate.n_tokens, certificate.seconds);
}

void pl__unload(pl__runner *r)
{
    pl_engine_free(r->engine);
    pl_model_free(r->model);
    pl_checkpoint_close(r->tuned);
    r->engine = NULL;
    r->model = NULL;
    r->tuned = NULL;
    r->loaded = r->learner = SIZE_MAX;
}

static pl_status load(pl__runner *r, const pl_checkpoint *checkpoint, const pl_plan_model *m, const char *digest)
{
    PL_TRY(pl_model_load(&r->model, &r->processor, checkpoint, m->spec->compute));
    PL_TRY(pl_safetensors_verify(checkpoint->tensors, digest));       /* units are named by the digest */
    PL_TRY(r->processor.ops->facts(r->processor.device, &r->device)); /* the weights' products are known now */
    PL_TRY(certify(r, m->spec->name));
    pl_engine_options options = {.batch_tokens = r->options->batch_tokens, .no_sharing = r->options->no_sharing};
    return pl_engine_create(&r->engine, r->model, &options);
}

pl_status pl__load_model(pl__runner *r, size_t index)
{
    const pl_plan_model *m = &r->plan->models[index];
    double start = pl_clock_s();
    if (r->loaded == index && r->learner == SIZE_MAX) return PL_OK;
    pl__unload(r);
    PL_TRY(load(r, m->checkpoint, m, m->digest));
    for (size_t i = 0; i < m->checkpoint->n_notes; i++)
        PL_TRY(pl_run_folder_log(&r->summary->folder, "model %s: %s", m->spec->name, m->checkpoint->notes[i]));
    r->loaded = index;
    return pl_run_folder_log(&r->summary->folder, "model %s loaded in %.2f s", m->spec->name, pl_clock_s() - start);
}

pl_status pl__load_tuned(pl__runner *r, size_t learner, pl_checkpoint *checkpoint, const char *digest)
{
    size_t index = r->plan->units[learner].model;
    pl__unload(r);
    r->tuned = checkpoint;
    PL_TRY(load(r, checkpoint, &r->plan->models[index], digest));
    r->loaded = index;
    r->learner = learner;
    return PL_OK;
}
