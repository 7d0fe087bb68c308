#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "base/visible.h"
#include "cli/verbs.h"

/* In JSON the hidden characters stand in texts only (those of C0 are escaped already): \u keeps the value the same. */
static pl_status put_text(pl_bytes *out, const char *text)
{
    const char *from = text;
    uint32_t c;
    for (size_t n; *text; text += n) {
        n = pl_utf8_get(&c, text);
        if (c == '\n' || !pl_is_hidden(c)) continue;
        PL_TRY(pl_bytes_append(out, from, (size_t)(text - from)));
        PL_TRY(pl_bytes_format(out, "\\u%04x", (unsigned)c));
        from = text + n;
    }
    return pl_bytes_append(out, from, (size_t)(text - from));
}

pl_status pl_json_visible(pl_bytes *out, json_t *value, bool indented)
{
    if (!value) return pl_fail(PL_E_MEMORY, "out of memory while writing JSON");
    char *text = json_dumps(value, (indented ? JSON_INDENT(2) : JSON_COMPACT) | JSON_ENCODE_ANY);
    json_decref(value);
    if (!text) return pl_fail(PL_E_INTERNAL, "JSON: a value that cannot be written");
    pl_status status = put_text(out, text);
    free(text);
    return status;
}

pl_status pl_put_json(FILE *out, json_t *value, bool indented)
{
    pl_bytes text = {0};
    pl_status status = pl_json_visible(&text, value, indented);
    if (status == PL_OK) status = pl_bytes_append(&text, "\n", 1);
    if (status == PL_OK && (fwrite(text.data, 1, text.size, out) != text.size || ferror(out)))
        status = pl_fail(PL_E_IO, "cannot write JSON to standard output");
    pl_bytes_free(&text);
    return status;
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
