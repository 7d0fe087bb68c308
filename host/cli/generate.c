/* plumb generate: greedy text behind one prompt. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/json_build.h"
#include "base/visible.h"
#include "cli/session.h"

enum { DEFAULT_MAX_TOKENS = 64 };

static pl_status print(const pl_generation *g, bool json)
{
    if (!json) {
        bool people = isatty(STDOUT_FILENO); /* else every byte as it was generated */
        for (size_t i = 0, n; i < g->size; i += n) {
            char form[PL_VISIBLE];
            n = pl_visible(form, g->text + i, g->size - i);
            if (people && g->text[i] != '\n' && g->text[i] != '\t')
                fputs(form, stdout);
            else
                fwrite(g->text + i, 1, n, stdout);
        }
        puts("");
        return PL_OK;
    }
    pl_json_builder b;
    json_t *object;
    pl_json_begin(&b);
    pl_json_open_list(&b, "ids");
    for (size_t i = 0; i < g->ids.n; i++) pl_json_put_integer(&b, NULL, g->ids.data[i]);
    pl_json_close(&b);
    pl_json_put_bytes(&b, "text", g->text, g->size);
    pl_json_put_bool(&b, "finite", g->finite);
    PL_TRY(pl_json_end(&b, &object, "generate"));
    return pl_print_json(object, false);
}

/* The text so far has been printed; that it ends here is no choice of the model's. */
static pl_status check_finite(const pl_generation *g)
{
    if (g->finite) return PL_OK;
    return pl_fail(PL_E_NOT_FINITE,
                   "the logits after %zu generated tokens are NaN or infinite, so no token can be chosen: check the "
                   "weights, or compute in float32",
                   g->ids.n);
}

static pl_status generate(const pl__session *session, const pl_arguments *arguments, pl_generation **out)
{
    const char *prompt = arguments->values[PL_OPTION_PROMPT], *until = arguments->values[PL_OPTION_UNTIL];
    size_t max_tokens = DEFAULT_MAX_TOKENS;
    pl_ids ids = {0}, ends = {0};
    pl_status status;
    PL_TRY(pl_argument_size(arguments, PL_OPTION_MAX_TOKENS, &max_tokens));
    PL_GOTO(status, done,
            pl_tokenizer_encode(session->tokenizer, prompt, strlen(prompt),
                                !pl_argument_flag(arguments, PL_OPTION_NO_SPECIAL), &ids));
    int32_t bos = pl_tokenizer_bos(session->tokenizer), eos = pl_tokenizer_eos(session->tokenizer);
    if (ids.n == 0 && (bos >= 0 || eos >= 0)) PL_GOTO(status, done, pl_ids_append(&ids, bos >= 0 ? &bos : &eos, 1));
    if (ids.n == 0) {
        status =
            pl_fail(PL_E_INPUT, "--prompt: an empty prompt, and the tokenizer has neither bos nor eos to start from");
        goto done;
    }
    PL_GOTO(status, done, pl_stop_ids(&ends, &session->checkpoint->config, session->tokenizer));
    pl_request request = {.ids = ids.data, .n = ids.n, .gold = SIZE_MAX};
    PL_GOTO(status, done,
            pl_engine_generate(session->engine, session->tokenizer, &request, 1, max_tokens, &until, until ? 1 : 0,
                               ends.data, ends.n, NULL, out));
done:
    pl_ids_free(&ends);
    pl_ids_free(&ids);
    return status;
}

pl_status pl_verb_generate(const pl_arguments *arguments)
{
    if (!arguments->values[PL_OPTION_PROMPT])
        return pl_fail(PL_E_USAGE, "--prompt is missing: plumb generate MODEL --prompt TEXT");
    pl__session session;
    pl_generation *generation = NULL;
    PL_TRY(pl__session_open(&session, arguments->words[0], arguments, true));
    pl_status status = generate(&session, arguments, &generation);
    if (status == PL_OK) status = print(generation, pl_argument_flag(arguments, PL_OPTION_JSON));
    if (status == PL_OK) status = check_finite(generation);
    pl_generations_free(generation, 1);
    pl__session_close(&session);
    return status;
}
