/* The table of verbs and options: every option of every verb is read, listed in its help and completed; what is unknown
 * is refused with the nearest word. */
#include "cli/verbs.h"
#include "tests.h"

enum { TEXT_BYTES = 1 << 16 };

static pl_status parse(pl_arguments *out, const pl__verb *verb, size_t n, const char *const *words)
{
    char *argv[16] = {(char[]){"plumb"}, (char *)(uintptr_t)verb->name};
    *out = (pl_arguments){0};
    for (size_t i = 0; i < n; i++) argv[2 + i] = (char *)(uintptr_t)words[i];
    return pl__arguments_parse(out, verb, 2 + (int)n, argv);
}

/* As many words as the verb must have. */
static size_t fill(const char **words, const pl__verb *verb)
{
    for (size_t i = 0; i < verb->least; i++) words[i] = "word";
    return verb->least;
}

static void test_every_option(void **state)
{
    (void)state;
    for (size_t v = 0; v < pl__n_verbs; v++)
        for (size_t o = 0; o < PL_OPTIONS; o++) {
            const pl__verb *verb = &pl__verbs[v];
            const pl__option *option = &pl__options[o];
            const char *words[8];
            char apart[64], joined[64];
            pl_arguments arguments;
            size_t n = fill(words, verb);
            snprintf(apart, sizeof apart, "--%s", option->name);
            snprintf(joined, sizeof joined, "--%s=3", option->name);
            words[n] = apart;
            words[n + 1] = "3";
            if (!pl__verb_takes(verb, o)) {
                REFUSED(parse(&arguments, verb, n + 2, words), PL_E_USAGE, "has no option --");
                free(arguments.words);
                continue;
            }
            OK(parse(&arguments, verb, option->value ? n + 2 : n + 1, words));
            assert_string_equal(arguments.values[o], option->value ? "3" : "");
            assert_int_equal(arguments.n_words, n);
            for (size_t other = 0; other < PL_OPTIONS; other++)
                if (other != o) assert_null(arguments.values[other]);
            free(arguments.words);

            words[n] = joined;
            if (option->value) {
                OK(parse(&arguments, verb, n + 1, words));
                assert_string_equal(arguments.values[o], "3");
            } else {
                REFUSED(parse(&arguments, verb, n + 1, words), PL_E_USAGE, "takes no value, found '3'");
            }
            free(arguments.words);

            words[n] = words[n + 1] = apart;
            if (option->value) {
                REFUSED(parse(&arguments, verb, n + 1, words), PL_E_USAGE, "needs a value: --");
            } else {
                REFUSED(parse(&arguments, verb, n + 2, words), PL_E_USAGE, "is given twice");
            }
            free(arguments.words);
        }
}

static void test_words(void **state)
{
    (void)state;
    const pl__verb *verb;
    pl_arguments arguments;
    OK(pl__verb_find(&verb, "tokenize"));
    OK(parse(&arguments, verb, 5, (const char *const[]){"model", "--json", "--", "--json", "-h"}));
    assert_int_equal(arguments.n_words, 3);
    assert_string_equal(arguments.words[1], "--json");
    assert_string_equal(arguments.words[2], "-h");
    assert_null(arguments.values[PL_OPTION_HELP]);
    free(arguments.words);
    OK(parse(&arguments, verb, 1, (const char *const[]){"-h"})); /* without the words that it wants */
    assert_non_null(arguments.values[PL_OPTION_HELP]);
    free(arguments.words);
    OK(pl__verb_find(&verb, "extract"));
    REFUSED(parse(&arguments, verb, 1, (const char *const[]){"model"}), PL_E_USAGE,
            "1 arguments, expected: plumb extract MODEL TEXTS.jsonl");
    free(arguments.words);
}

static void test_nearest(void **state)
{
    (void)state;
    const pl__verb *verb;
    pl_arguments arguments;
    REFUSED(pl__verb_find(&verb, "analyse"), PL_E_USAGE, "did you mean 'analyze'?");
    REFUSED(pl__verb_find(&verb, "satus"), PL_E_USAGE, "did you mean 'status'?");
    REFUSED(pl__verb_find(&verb, "frobnicate"), PL_E_USAGE, "'frobnicate' is no verb; plumb --help lists them");
    assert_null(verb);
    OK(pl__verb_find(&verb, "run"));
    REFUSED(parse(&arguments, verb, 2, (const char *const[]){"x", "--devise=cpu"}), PL_E_USAGE,
            "no option --devise=cpu; did you mean --device?");
    free(arguments.words);
    REFUSED(parse(&arguments, verb, 2, (const char *const[]){"x", "--frobnicate"}), PL_E_USAGE,
            "plumb run --help lists them");
    free(arguments.words);
}

static void test_sizes(void **state)
{
    (void)state;
    static const char *const bad[] = {"0", "-1", "", "1x", "many", "1e3", "99999999999", " 1"};
    pl_arguments arguments = {0};
    size_t n = 7;
    OK(pl_argument_size(&arguments, PL_OPTION_THREADS, &n));
    assert_int_equal(n, 7);
    arguments.values[PL_OPTION_THREADS] = "12";
    OK(pl_argument_size(&arguments, PL_OPTION_THREADS, &n));
    assert_int_equal(n, 12);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        arguments.values[PL_OPTION_THREADS] = bad[i];
        REFUSED(pl_argument_size(&arguments, PL_OPTION_THREADS, &n), PL_E_USAGE, "--threads: expected a number from 1");
    }
}

/* A table's text in memory; the caller frees it. */
static char *help_of(const pl__verb *verb)
{
    char *text = calloc(1, TEXT_BYTES);
    FILE *out = fmemopen(text, TEXT_BYTES, "w");
    if (verb)
        pl__print_verb_help(out, verb);
    else
        pl__print_help(out);
    fclose(out);
    return text;
}

static void has(const char *text, const char *part)
{
    if (!strstr(text, part)) fail_msg("'%s' expected in:\n%s", part, text);
}

static void test_help_lists_all(void **state)
{
    (void)state;
    char *all = help_of(NULL), *one, line[256];
    for (size_t v = 0; v < pl__n_verbs; v++) {
        const pl__verb *verb = &pl__verbs[v];
        snprintf(line, sizeof line, "\n  %s ", verb->name);
        has(all, line);
        has(all, verb->summary);
        one = help_of(verb);
        has(one, "\nexit codes: 0 done, 1 failed, 2 wrong usage or input");
        snprintf(line, sizeof line, "\nexample: plumb %s", verb->name);
        has(one, line);
        for (size_t o = 0; o < PL_OPTIONS; o++) {
            snprintf(line, sizeof line, "\n  --%s ", pl__options[o].name);
            if (pl__verb_takes(verb, o))
                has(one, line), has(one, pl__options[o].help);
            else
                assert_null(strstr(one, line));
        }
        free(one);
    }
    free(all);
}

static void test_completion_lists_all(void **state)
{
    (void)state;
    static const char *const shells[] = {"bash", "zsh", "fish"};
    for (size_t s = 0; s < 3; s++) {
        char *text = calloc(1, TEXT_BYTES), word[64];
        FILE *out = fmemopen(text, TEXT_BYTES, "w");
        OK(pl__print_completion(out, shells[s]));
        fclose(out);
        for (size_t v = 0; v < pl__n_verbs; v++) has(text, pl__verbs[v].name);
        for (size_t o = 0; o < PL_OPTIONS; o++) {
            snprintf(word, sizeof word, "%s%s", s == 2 ? "-l " : "--", pl__options[o].name);
            has(text, word);
            if (pl__options[o].words && pl__options[o].words[0] != '@') has(text, pl__options[o].words);
        }
        free(text);
    }
    REFUSED(pl__print_completion(stdout, "tcsh"), PL_E_USAGE, "expected bash, zsh or fish; found 'tcsh'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_option),   cmocka_unit_test(test_words),
        cmocka_unit_test(test_nearest),        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_help_lists_all), cmocka_unit_test(test_completion_lists_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
