#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "base/visible.h"
#include "cli/verbs.h"

/* In JSON the hidden characters stand in texts only (those of C0 are escaped already): \u keeps the value the same. */
static bool put_text(FILE *out, const char *text)
{
    const char *from = text;
    uint32_t c;
    for (size_t n; *text; text += n) {
        n = pl_utf8_get(&c, text);
        if (c == '\n' || !pl_is_hidden(c)) continue;
        fwrite(from, 1, (size_t)(text - from), out);
        fprintf(out, "\\u%04x", (unsigned)c);
        from = text + n;
    }
    return fputs(from, out) >= 0 && fputc('\n', out) != EOF && !ferror(out);
}

pl_status pl_put_json(FILE *out, json_t *value, bool indented)
{
    if (!value) return pl_fail(PL_E_MEMORY, "out of memory while writing JSON");
    char *text = json_dumps(value, indented ? JSON_INDENT(2) : JSON_COMPACT);
    json_decref(value);
    if (!text) return pl_fail(PL_E_INTERNAL, "JSON: a value that cannot be written");
    bool ok = put_text(out, text);
    free(text);
    return ok ? PL_OK : pl_fail(PL_E_IO, "cannot write JSON to standard output");
}

pl_status pl_print_json(json_t *value, bool indented)
{
    return pl_put_json(stdout, value, indented);
}

static bool is_any(const char *word, const char *one, const char *other)
{
    return strcmp(word, one) == 0 || strcmp(word, other) == 0;
}

/* The verb with its words; what ends the program is its status. */
static pl_status run_verb(int argc, char **argv)
{
    const pl__verb *verb;
    pl_arguments arguments = {0};
    PL_TRY(pl__verb_find(&verb, argv[1]));
    pl_status status = pl__arguments_parse(&arguments, verb, argc, argv);
    if (status == PL_OK && arguments.values[PL_OPTION_HELP])
        pl__print_verb_help(stdout, verb);
    else if (status == PL_OK)
        status = verb->run(&arguments);
    free(arguments.words);
    return status;
}

int pl_cli_main(int argc, char **argv)
{
    pl_status status = PL_OK;
    if (argc < 2) {
        pl__print_help(stderr);
        return pl_status_exit_code(PL_E_USAGE);
    }
    if (is_any(argv[1], "--help", "-h"))
        pl__print_help(stdout);
    else if (is_any(argv[1], "--version", "-V"))
        printf("plumb %s\n", PLUMB_VERSION);
    else
        status = run_verb(argc, argv);
    if (status == PL_OK && (fflush(stdout) != 0 || ferror(stdout)))
        status = pl_fail(PL_E_IO, "cannot write to standard output");
    if (status != PL_OK) fprintf(stderr, "plumb: %s\n", pl_error_text());
    return pl_status_exit_code(status);
}
