/* Figures: places of marks, well-formed XML for any numbers and texts, the same numbers as CSV and table. */
#include "tests.h"

#include <float.h>
#include <math.h>

#include "figure/axis.h"
#include "figure/figure.h"
#include "figure/markup.h"

static const char *const kinds[] = {"curve", "dots", "stack", "heat"};
enum { KINDS = sizeof kinds / sizeof *kinds };

static size_t count(const char *text, const char *what)
{
    size_t n = 0;
    for (const char *c = strstr(text, what); c; c = strstr(c + 1, what)) n++;
    return n;
}

/* Tags that close in the order in which they were opened, attributes in quotes, no bare < or & in texts. */
static void check_xml(const char *text)
{
    char open[32][24];
    size_t depth = 0;
    for (const char *c = text; *c; c++) {
        assert_true(*c != '&' || strcspn(c, ";") <= 5);
        if (*c != '<') continue;
        bool closes = c[1] == '/';
        const char *name = c + 1 + closes;
        size_t length = strcspn(name, " />\n");
        for (c = name + length; *c != '>'; c++) {
            if (*c != '"') continue;
            for (c++; *c != '"'; c++) assert_true(*c && *c != '<');
        }
        if (closes) {
            assert_true(depth > 0);
            depth--;
            if (strlen(open[depth]) != length || strncmp(open[depth], name, length))
                fail_msg("</%.*s> closes <%s>", (int)length, name, open[depth]);
        } else if (c[-1] != '/') {
            assert_true(depth < 32 && length < 24);
            snprintf(open[depth++], 24, "%.*s", (int)length, name);
        }
    }
    assert_int_equal(depth, 0);
}

static char *svg_of(const pl_figure *f)
{
    pl_bytes out = {0}, again = {0};
    OK(pl_figure_svg(&out, f));
    OK(pl_figure_svg(&again, f));
    assert_string_equal(out.data, again.data);
    check_xml(out.data);
    assert_null(strstr(out.data, "nan"));
    assert_null(strstr(out.data, "inf"));
    pl_bytes_free(&again);
    return out.data;
}

static const char *const names[] = {"first", "second"};

static pl_figure figure_of(pl_figure_kind kind, const pl_figure_series *series, size_t n)
{
    return (pl_figure){.kind = kind,
                       .title = "A title",
                       .description = "What it shows.",
                       .x_name = "place",
                       .value_name = "value",
                       .series_name = "arm",
                       .n_categories = 2,
                       .categories = names,
                       .n_series = n,
                       .series = series};
}

/* ---- axes ---- */

static void test_ticks(void **state)
{
    (void)state;
    static const struct {
        double low, high;
        bool fixed;
        double from, to, step;
        size_t n;
        const char *second;
    } cases[] = {{0, 1, false, 0, 1, 0.2, 6, "0.2"},
                 {0, 1, true, 0, 1, 0.2, 6, "0.2"},
                 {0.13, 0.87, false, 0, 1, 0.2, 6, "0.2"},
                 {0.13, 0.87, true, 0.13, 0.87, 0.2, 4, "0.4"},
                 {-0.3, 0.31, false, -0.4, 0.4, 0.2, 5, "-0.2"},
                 {0, 8, false, 0, 8, 2, 5, "2"},
                 {512, 4096, false, 0, 5000, 1000, 6, "1000"},
                 {3, 3, false, 2.85, 3.15, 0.05, 7, "2.90"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pl__axis a;
        char text[PL__TICK_TEXT];
        pl__axis_fit(&a, cases[i].low, cases[i].high, 6, cases[i].fixed);
        assert_float_equal(a.low, cases[i].from, 1e-9);
        assert_float_equal(a.high, cases[i].to, 1e-9);
        assert_float_equal(a.step, cases[i].step, 1e-9);
        assert_int_equal(a.n_ticks, cases[i].n);
        pl__axis_text(text, &a, 1);
        assert_string_equal(text, cases[i].second);
    }
}

static void test_any_range(void **state)
{
    (void)state;
    static const double ends[][2] = {{NAN, NAN},       {0, 0},         {-DBL_MAX, DBL_MAX}, {1e300, 1e300},
                                     {5e-324, 5e-324}, {1, 1 + 1e-15}, {-1e-9, 1e9},        {INFINITY, 3},
                                     {4, 3},           {0, 5e-324},    {DBL_MAX, DBL_MAX}};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        for (int fixed = 0; fixed < 2; fixed++) {
            pl__axis a;
            pl__axis_fit(&a, ends[i][0], ends[i][1], 6, fixed);
            a.from = 10;
            a.to = 110;
            assert_true(isfinite(a.low) && isfinite(a.high) && a.high > a.low && a.n_ticks <= 24);
            assert_float_equal(pl__axis_at(&a, a.low), 10, 1e-9);
            assert_float_equal(pl__axis_at(&a, a.high), 110, 1e-9);
            for (size_t t = 0; t < a.n_ticks; t++) assert_true(isfinite(pl__axis_tick(&a, t)));
        }
    }
}

/* ---- marks ---- */

/* 250 pixels a unit: the axis goes from 0 to 1, from pixel names + 24 to 620. */
static void test_dots(void **state)
{
    (void)state;
    const pl_figure_point points[] = {{0, 0.25, 0, 0.5, 0.5}, {1, 1, NAN, NAN, NAN}};
    const pl_figure_series series = {"only", 2, points};
    const pl_figure_floor floor = {"chance", 0.5};
    pl_figure f = figure_of(PL_FIGURE_DOTS, &series, 1);
    f.bounded = true;
    f.high = 1;
    f.floors = &floor;
    f.n_floors = 1;
    char *svg = svg_of(&f);
    double left = pl_markup_width("second") + 24, width = 620 - left;
    char bar[80], marker[80];
    snprintf(bar, sizeof bar, "<path class=\"b\" d=\"M%.1f 62H%.1f\"/>", left, left + 0.5 * width);
    snprintf(marker, sizeof marker, "<path class=\"p\" d=\"M%.1f 62a", left + 0.25 * width - 3.8);
    assert_non_null(strstr(svg, bar));
    assert_non_null(strstr(svg, marker));
    assert_non_null(strstr(svg, "<title>only, first: 0.250 [0.000, 0.500]; by chance 0.500</title>"));
    assert_non_null(strstr(svg, "<title>only, second: 1.000</title>"));
    assert_non_null(strstr(svg, ">chance 0.500</text>"));
    assert_int_equal(count(svg, "class=\"p\""), 2);
    assert_int_equal(count(svg, "class=\"b\""), 1);
    assert_int_equal(count(svg, "class=\"n\""), 1);
    free(svg);
}

/* A gap in the middle: two runs of which the second is one point, with a bar in place of a band. */
static void test_curve(void **state)
{
    (void)state;
    const pl_figure_point points[] = {{0, 1, 0, 2, NAN}, {1, 2, 1, 3, NAN}, {2, NAN, NAN, NAN, NAN}, {4, 2, 1, 3, NAN}};
    const pl_figure_series series[] = {{"one", 4, points}, {"two", 1, points}};
    pl_figure f = figure_of(PL_FIGURE_CURVE, series, 2);
    f.categories = NULL;
    f.n_categories = 0;
    char *svg = svg_of(&f);
    /* x: 0 to 4 is 64 to 620; y: 0 to 3 is 274 to 54. */
    assert_non_null(strstr(svg, "<path class=\"l\" d=\"M64 "));
    assert_int_equal(count(svg, "class=\"r\""), 1);
    assert_int_equal(count(svg, "<path class=\"b\""), 2);
    assert_int_equal(count(svg, "<title>one, place "), 3);
    assert_int_equal(count(svg, "class=\"k c"), 2);
    free(svg);
    /* A series without points keeps its colour, and has no place in the legend. */
    const pl_figure_series with_empty[] = {{"absent", 0, NULL}, {"two", 4, points}};
    f.series = with_empty;
    svg = svg_of(&f);
    assert_null(strstr(svg, "absent"));
    assert_int_equal(count(svg, "class=\"k c1\""), 1);
    assert_int_equal(count(svg, "class=\"s c1\""), 1);
    free(svg);
}

/* Shares of what is above 0: 3 and 1 of 4; the value below 0 takes no room. */
static void test_stack(void **state)
{
    (void)state;
    const pl_figure_point a[] = {{0, 3, NAN, NAN, NAN}}, b[] = {{0, -2, NAN, NAN, NAN}}, c[] = {{0, 1, NAN, NAN, NAN}};
    const pl_figure_series series[] = {{"a", 1, a}, {"b", 1, b}, {"c", 1, c}};
    pl_figure f = figure_of(PL_FIGURE_STACK, series, 3);
    char *svg = svg_of(&f), piece[80];
    double left = pl_markup_width("second") + 24, width = 620 - left;
    snprintf(piece, sizeof piece, "d=\"M%.1f ", left + 0.75 * width);
    assert_int_equal(count(svg, "<path class=\"o\""), 2);
    assert_non_null(strstr(svg, piece));
    free(svg);
}

static void test_heat(void **state)
{
    (void)state;
    const pl_figure_point a[] = {{0, 0, NAN, NAN, NAN}, {1, 1, NAN, NAN, NAN}}, b[] = {{1, 0.5, NAN, NAN, NAN}};
    const pl_figure_series series[] = {{"a", 2, a}, {"b", 1, b}};
    pl_figure f = figure_of(PL_FIGURE_HEAT, series, 2);
    char *svg = svg_of(&f);
    assert_int_equal(count(svg, "h29v29h-29z"), 3);
    assert_int_equal(count(svg, "fill-opacity=\"0.04\" d=\"M"), 2); /* one of the scale */
    assert_int_equal(count(svg, "fill-opacity=\"1.00\" d=\"M"), 2);
    assert_non_null(strstr(svg, "fill-opacity=\"0.52\""));
    free(svg);
}

/* ---- what is anybody's ---- */

static void test_nothing(void **state)
{
    (void)state;
    const pl_figure_point none[] = {{0, NAN, NAN, NAN, NAN}, {1, INFINITY, -INFINITY, INFINITY, NAN}};
    const pl_figure_series empty = {"empty", 0, NULL}, undefined = {"undefined", 2, none};
    for (int kind = 0; kind < KINDS; kind++) {
        pl_figure f = figure_of((pl_figure_kind)kind, NULL, 0);
        char *svg = svg_of(&f);
        assert_non_null(strstr(svg, "No values."));
        free(svg);
        f = figure_of((pl_figure_kind)kind, &empty, 1);
        free(svg_of(&f));
        f = figure_of((pl_figure_kind)kind, &undefined, 1);
        assert_false(pl_figure_has_values(&f));
        free(svg_of(&f));
    }
}

static void test_any_value(void **state)
{
    (void)state;
    static const double values[] = {0, -DBL_MAX, DBL_MAX, 5e-324, -1e-300, 1e17, 0.1, -7};
    enum { N = sizeof values / sizeof *values };
    for (int kind = 0; kind < KINDS; kind++) {
        for (size_t i = 0; i < N; i++) {
            for (size_t j = 0; j < N; j++) {
                const pl_figure_point points[] = {{0, values[i], values[j], values[i], values[j]},
                                                  {1, values[j], NAN, values[i], NAN}};
                const pl_figure_series series[] = {{"a", 2, points}, {"b", 1, points}};
                pl_figure f = figure_of((pl_figure_kind)kind, series, 2);
                free(svg_of(&f));
            }
        }
    }
}

/* Texts of others: tags, quotes, entities, control characters, bytes that are no UTF-8; very long ones. */
static void test_any_text(void **state)
{
    (void)state;
    char longest[2000];
    memset(longest, '<', sizeof longest - 1);
    longest[sizeof longest - 1] = 0;
    const char *const evil[] = {"</title><script>alert(1)</script>",
                                "\"><img src=x onerror=alert(1)>",
                                "a&b&lt;'\x01\x1b[31m",
                                "\xff\xfe\xe2\x82",
                                longest,
                                ""};
    enum { N = sizeof evil / sizeof *evil };
    for (int kind = 0; kind < KINDS; kind++) {
        for (size_t i = 0; i < N; i++) {
            const char *const categories[] = {evil[i], evil[(i + 1) % N]};
            const pl_figure_point points[] = {{0, 0.2, 0.1, 0.3, NAN}, {1, 0.4, 0.1, 0.9, 0.5}};
            const pl_figure_series series[] = {{evil[i], 2, points}, {evil[(i + 2) % N], 2, points}};
            const pl_figure_floor floor = {evil[i], 0.5};
            pl_bytes html = {0};
            pl_figure f = {.kind = (pl_figure_kind)kind,
                           .title = evil[i],
                           .description = evil[i],
                           .x_name = evil[i],
                           .value_name = evil[i],
                           .series_name = evil[i],
                           .n_categories = 2,
                           .categories = categories,
                           .n_series = 2,
                           .series = series,
                           .n_floors = 1,
                           .floors = &floor};
            char *svg = svg_of(&f);
            assert_null(strstr(svg, "<script"));
            assert_null(strstr(svg, "<img"));
            OK(pl_figure_html(&html, &f));
            assert_null(strstr(html.data, "<script"));
            assert_null(strstr(html.data, "<img"));
            pl_bytes_free(&html);
            free(svg);
        }
    }
}

/* ---- numbers ---- */

static void test_tables(void **state)
{
    (void)state;
    const pl_figure_point points[] = {{0, 1.0 / 3, 0.25, NAN, 0.5}, {1, 2, NAN, NAN, NAN}};
    const pl_figure_series series = {"a, \"b\" <i>", 2, points};
    const pl_figure_floor floor = {"chance", 0.5};
    pl_figure f = figure_of(PL_FIGURE_DOTS, &series, 1);
    pl_bytes csv = {0}, html = {0};
    f.floors = &floor;
    f.n_floors = 1;
    OK(pl_figure_csv(&csv, &f));
    assert_string_equal(csv.data, "arm,place,value,lo,hi,by chance\n"
                                  "\"a, \"\"b\"\" <i>\",first,0.3333333333333333,0.25,,0.5\n"
                                  "\"a, \"\"b\"\" <i>\",second,2,,,\n"
                                  "chance,,0.5,,,\n");
    OK(pl_figure_html(&html, &f));
    assert_non_null(strstr(
        html.data,
        "<td>a, &quot;b&quot; &lt;i&gt;</td><td>first</td><td data-v=\"0.3333333333333333\">0.333</td><td>0.250</td>"
        "<td>0.500</td>"));
    check_xml(html.data);
    pl_bytes_free(&csv);
    pl_bytes_free(&html);
}

/* Two items under two templates in two panels: where they are, what colour and mark they have, which are faint. */
static void test_map(void **state)
{
    (void)state;
    static const int64_t item[] = {7, 9};
    static const char *const templates[] = {"bare", "<long>"}, *const labels[] = {"no", "yes"};
    static const double at[] = {0, 0, 10, 10, 0, 10, 10, 5}, same[8] = {3, 3, 3, 3, 3, 3, NAN, 3};
    const pl_figure_panel panels[] = {{"one", at}, {"two", same}};
    static const size_t label[] = {1, 2}; /* the second has none */
    static const bool faint[] = {false, false, true, false};
    const pl_figure_map map = {.n_items = 2,
                               .n_templates = 2,
                               .n_panels = 2,
                               .n_labels = 2,
                               .item = item,
                               .templates = templates,
                               .panels = panels,
                               .labels = labels,
                               .label = label,
                               .faint = faint};
    const pl_figure f = {.kind = PL_FIGURE_MAP, .title = "map", .description = "a map", .map = &map};
    char *svg = svg_of(&f);
    /* Legend of two lines, panels of 380 below it from x 10, points 6 inside of them. */
    const char *first = strstr(svg, ">one<"), *second = strstr(svg, ">two<");
    assert_true(first && second && strstr(svg, "&lt;long&gt;"));
    assert_non_null(strstr(first, "<path class=\"o c1\" opacity=\".22\" d=\"M16 96m-1.8-1.8h3.6v3.6h-3.6z\"/>"));
    assert_non_null(strstr(first, "<path class=\"o c1\" d=\"M16 464m-2 0a2 2"));
    assert_non_null(strstr(first, "<path class=\"o c6\" d=\"M384 96m-2 0a2 2"));
    assert_non_null(strstr(first, "<path class=\"o c6\" d=\"M384 280m-1.8-1.8"));
    assert_int_equal(count(second, "M596 280m"), 3); /* all in the middle; the fourth has no place */
    free(svg);
    pl_bytes csv = {0};
    OK(pl_figure_csv(&csv, &f));
    assert_string_equal(csv.data, "item,template,label,trusted,one 1,one 2,two 1,two 2\n"
                                  "7,bare,yes,yes,0,0,3,3\n"
                                  "9,bare,,yes,10,10,3,3\n"
                                  "7,<long>,yes,no,0,10,3,3\n"
                                  "9,<long>,,yes,10,5,,3\n");
    pl_bytes_free(&csv);
}

static void test_numbers(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text;
    } cases[] = {{0, "0.000"},       {-0.0, "0.000"},    {0.5, "0.500"},  {-0.25, "-0.250"}, {123.45, "123.5"},
                 {12345.6, "12346"}, {1.5e9, "1.5e+09"}, {7e-5, "7e-05"}, {NAN, ""},         {INFINITY, "infinite"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[PL_MARKUP_NUMBER];
        pl_markup_number(text, cases[i].value);
        assert_string_equal(text, cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ticks),   cmocka_unit_test(test_any_range), cmocka_unit_test(test_dots),
        cmocka_unit_test(test_curve),   cmocka_unit_test(test_stack),     cmocka_unit_test(test_heat),
        cmocka_unit_test(test_nothing), cmocka_unit_test(test_any_value), cmocka_unit_test(test_any_text),
        cmocka_unit_test(test_tables),  cmocka_unit_test(test_map),       cmocka_unit_test(test_numbers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
