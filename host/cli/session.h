/* A model made ready for use by a verb: device, checkpoint, tokenizer, weights, engine. Shared inside the folder. */
#ifndef PLUMB_CLI_SESSION_H
#define PLUMB_CLI_SESSION_H

#include "cli/cli.h"
#include "engine/engine.h"

typedef struct pl__session {
    pl_processor processor;
    pl_checkpoint *checkpoint;
    pl_tokenizer *tokenizer;
    pl_model *model;
    pl_engine *engine;
} pl__session;

/* Reads --device, --compute, --threads and --batch-tokens. Without `tokenizer` there need be none: NULL. */
pl_status pl__session_open(pl__session *out, const char *model, const pl_arguments *arguments, bool tokenizer);
void pl__session_close(pl__session *session); /* takes {0} */

#endif
