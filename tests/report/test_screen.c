/* The screen that a run ends with: what it says of planted runs, and that it fits: 24 lines a model and task, the width
 * that there is, no number cut. */
#include "analysis/planted_run.h"

#include "base/terminal.h"
#include "report/report.h"
#include "report/text.h"

static int some_flips(size_t item, size_t template, size_t draw)
{
    bool wrong = template > 0 && (item + template + draw) % 4 == 0;
    return wrong ? !planted_gold(item) : planted_gold(item);
}

/* One answer for every item under template 1. */
static int one_answer(size_t item, size_t template, size_t draw)
{
    return template == 1 ? 0 : some_flips(item, template, draw);
}

static float noisy_state(size_t item, size_t template, size_t draw, size_t d)
{
    double a = pl_random_normal(1, PL_RANDOM_TEST, 0, item * PLANTED_WIDTH + d);
    double e = pl_random_normal(2 + draw, PL_RANDOM_TEST, (uint32_t) template, item * PLANTED_WIDTH + d);
    return (float)(20.0 + 2.0 * a + (double)template + e);
}

static char *laid_out(const char *screen, size_t width, bool colour)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    OK(pl_report_screen_print(out, screen, width, colour));
    fclose(out);
    return text;
}

static size_t characters(const char *line)
{
    size_t n = 0;
    for (const char *c = line; *c && *c != '\n'; c++) n += ((unsigned char)*c & 0xC0) != 0x80;
    return n;
}

/* No line is wider, no run of lines up to an empty one is longer than 24 with it. */
static void check_fits(const char *text, size_t width)
{
    size_t lines = 0;
    for (const char *line = text; *line; line = strchr(line, '\n') + 1) {
        if (characters(line) > width) fail_msg("over %zu columns: %.*s", width, (int)strcspn(line, "\n"), line);
        lines = *line == '\n' ? 0 : lines + 1;
        if (lines > 23) fail_msg("over 24 lines:\n%s", text);
    }
}

/* The screen of a planted run, as it is stored. */
static char *screen_of(planted *p)
{
    pl_report_tables r = {0};
    pl_bytes text = {0};
    pl_run_view *view = planted_view(p);
    OK(pl_stability_of_run(&r.table, view, NULL));
    OK(pl_arms_of_run(&r.arms, view));
    OK(pl_contrasts_of_run(&r.contrasts, view));
    OK(pl_scorers_of_run(&r.scorers, view));
    OK(pl_report_screen(&text, &r));
    pl_scorers_free(r.scorers);
    pl_contrasts_free(r.contrasts);
    pl_arms_free(r.arms);
    pl_stability_free(r.table);
    return text.data;
}

static void test_prompting(void **state)
{
    (void)state;
    planted p = {.n = 40, .t = 3, .draws = 1, .prediction = one_answer, .state = noisy_state, .random_weights = true};
    plant_run(&p);
    char *screen = screen_of(&p), *text = laid_out(screen, 100, false);
    if (getenv("PLUMB_SHOW")) fputs(text, stderr);
    check_fits(text, 100);
    assert_non_null(strstr(text, "tiny, colours: 40 items, loglikelihood\n  random weights: no skill expected\n"));
    assert_non_null(strstr(text, "no verdict: no arm was tuned beside a prompting one\n"));
    assert_non_null(strstr(text, " 1 of 3\n"));
    assert_non_null(strstr(text, "reference"));
    assert_non_null(strstr(text, "states: wobble ."));
    assert_non_null(strstr(text, "draws: 1:"));
    assert_null(strstr(text, "nan"));
    assert_null(strstr(text, "\x1b"));
    free(text);
    free(screen);
    uproot(&p);
}

static void test_verdict(void **state)
{
    (void)state;
    planted p = {.n = 30, .t = 6, .draws = 6, .learned = 3, .tuned = true, .prediction = some_flips};
    plant_run(&p);
    char *screen = screen_of(&p);
    const size_t widths[] = {40, 60, 80, 100, 160};
    for (size_t w = 0; w < sizeof widths / sizeof *widths; w++) {
        char *text = laid_out(screen, widths[w], false);
        if (getenv("PLUMB_SHOW")) fputs(text, stderr);
        check_fits(text, widths[w]);
        assert_non_null(strstr(text, "UNDECIDED"));
        free(text);
    }
    char *text = laid_out(screen, 100, true);
    assert_non_null(strstr(text, "\x1b[1;33m  UNDECIDED"));
    free(text);
    free(screen);
    uproot(&p);
}

/* Rows beyond 24 lines are left out with their count, never those of the verdict; columns that do not fit go whole. */
static void test_layout(void **state)
{
    (void)state;
    pl_bytes screen = {0};
    OK(pl_bytes_text(&screen,
                     "T\tmodel, task\nV\tFINE-TUNE, clearly\nH\tarm\taccuracy\tminus reference\tworst to best\tflips "
                     "(null)\tone answer\n"));
    for (int i = 0; i < 40; i++)
        OK(pl_bytes_format(&screen,
                           "%c\tfinetune lm standard n=%d\t.819 [.727, .906]\t+.170 [.088, .250]\t.500 to .810\t.448 "
                           "(.494)\t4 of 30\n",
                           i == 35 ? 'K' : 'R', 100 + i));
    OK(pl_bytes_text(&screen,
                     "N\tstates: here\nW\ta warning that is longer than the narrowest of terminals is wide\n"));
    for (size_t width = 40; width <= 140; width++) {
        char *text = laid_out(screen.data, width, false);
        check_fits(text, width);
        assert_non_null(strstr(text, ".819 [.727, .906]"));
        if (width >= 80) assert_non_null(strstr(text, "+.170 [.088, .250]"));
        for (const char *c = strstr(text, "+."); c; c = strstr(c + 1, "+."))
            assert_int_equal(strncmp(c, "+.170 [.088, .250]", 18), 0);
        assert_non_null(strstr(text, "n=135")); /* kept */
        assert_non_null(strstr(text, "22 more arms: --full\n"));
        assert_null(strstr(text, " \n"));
        free(text);
    }
    char *text = laid_out(screen.data, 140, false);
    assert_non_null(
        strstr(text, "  finetune lm standard n=100  .819 [.727, .906]  +.170 [.088, .250]  .500 to .810   .448 (.494) "
                     "  4 of 30\n"));
    free(text);
    text = laid_out("", 80, false);
    assert_string_equal(text, "");
    free(text);
    text = laid_out("T\nH\nK\nR\tx\nZ\tz\nno kind\n\t\t\n", 80, false); /* another's file: shown as far as it goes */
    free(text);
    pl_bytes_free(&screen);
}

static void test_numbers(void **state)
{
    (void)state;
    const struct {
        double value;
        bool sign;
        const char *text;
    } shares[] = {{0.8194, false, ".819"}, {-0.03, false, "-.030"},  {1.0, false, "1.000"},
                  {0.17, true, "+.170"},   {-0.0001, true, "+.000"}, {NAN, true, "-"}};
    const struct {
        double value;
        const char *text;
    } counts[] = {{850, "850"},     {286876, "287 k"}, {1.23e6, "1.23 M"},
                  {2734.2, "2734"}, {9999.6, "10 k"},  {2e18, "2e+06 T"}};
    char text[PL__SHARE_TEXT];
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++) {
        pl__share_text(text, shares[i].value, shares[i].sign);
        assert_string_equal(text, shares[i].text);
    }
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        pl__count_text(text, counts[i].value);
        assert_string_equal(text, counts[i].text);
    }
    pl__interval_text(text, 0.17, 0.088, 0.25, true);
    assert_string_equal(text, "+.170 [.088, .250]");
}

static void test_terminal(void **state)
{
    (void)state;
    FILE *none = fopen("/dev/null", "w");
    unsetenv("COLUMNS");
    assert_int_equal(pl_terminal_width(none), PL_TERMINAL_WIDTH);
    setenv("COLUMNS", "72", 1);
    assert_int_equal(pl_terminal_width(none), 72);
    setenv("COLUMNS", "3", 1);
    assert_int_equal(pl_terminal_width(none), 40);
    setenv("COLUMNS", "many", 1);
    assert_int_equal(pl_terminal_width(none), PL_TERMINAL_WIDTH);
    unsetenv("COLUMNS");
    assert_false(pl_terminal_colour(none));
    fclose(none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_prompting), cmocka_unit_test(test_verdict),
                                       cmocka_unit_test(test_layout), cmocka_unit_test(test_numbers),
                                       cmocka_unit_test(test_terminal)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
