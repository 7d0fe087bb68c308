#include "cli/session.h"

#include <stdio.h>

#include "base/visible.h"

pl_status pl__session_open(pl__session *out, const char *model, const pl_arguments *arguments, bool tokenizer)
{
    char folder[PL_PATH_MAX];
    size_t threads = 0;
    pl_engine_options options = {0};
    const char *device = arguments->values[PL_OPTION_DEVICE];
    *out = (pl__session){0};
    pl_dtype compute = PL_F32;
    pl_status status;
    PL_GOTO(status, failed, pl_argument_size(arguments, PL_OPTION_THREADS, &threads));
    PL_GOTO(status, failed, pl_argument_size(arguments, PL_OPTION_BATCH_TOKENS, &options.batch_tokens));
    if (arguments->values[PL_OPTION_COMPUTE])
        PL_GOTO(status, failed, pl_compute_parse(&compute, arguments->values[PL_OPTION_COMPUTE], "--compute"));
    PL_GOTO(status, failed, pl_model_find(folder, model));
    PL_GOTO(status, failed, pl_checkpoint_open(&out->checkpoint, folder));
    for (size_t i = 0; i < out->checkpoint->n_notes && !pl_argument_flag(arguments, PL_OPTION_QUIET); i++)
        pl_print(stderr, "%s\n", out->checkpoint->notes[i]);
    if (tokenizer) PL_GOTO(status, failed, pl_tokenizer_open(&out->tokenizer, folder));
    PL_GOTO(status, failed, pl_processor_open(&out->processor, device ? device : "auto", (int)threads));
    if (out->processor.choice[0] && !pl_argument_flag(arguments, PL_OPTION_QUIET))
        pl_print(stderr, "%s\n", out->processor.choice);
    PL_GOTO(status, failed, pl_model_load(&out->model, &out->processor, out->checkpoint, compute));
    PL_GOTO(status, failed, pl_engine_create(&out->engine, out->model, &options));
    return PL_OK;
failed:
    pl__session_close(out);
    return status;
}

void pl__session_close(pl__session *session)
{
    pl_engine_free(session->engine);
    pl_model_free(session->model);
    pl_processor_close(&session->processor);
    pl_tokenizer_free(session->tokenizer);
    pl_checkpoint_close(session->checkpoint);
    *session = (pl__session){0};
}
