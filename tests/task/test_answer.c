/* Answers: labels read out of generated text, and whole answers held against a target. The first cases are those on
 * which the study's parser failed (stability.md, A.4 no. 3). */
#include "tests.h"

#include "task/answer.h"

typedef struct {
    const char *text, *label; /* NULL: other; "": none */
} answer_case;

static void check(const answer_case *cases, size_t n, const char *const *labels, size_t n_labels)
{
    for (size_t i = 0; i < n; i++) {
        pl_outcome outcome;
        size_t label = 99;
        OK(pl_answer_label(&outcome, &label, cases[i].text, strlen(cases[i].text), labels, n_labels));
        const char *wanted = cases[i].label;
        if (outcome == PL_OUTCOME_LABEL && wanted && strcmp(labels[label], wanted) == 0) continue;
        if (outcome == PL_OUTCOME_OTHER && !wanted) continue;
        if (outcome == PL_OUTCOME_NONE && wanted && !*wanted) continue;
        fail_msg("'%s': %s %s", cases[i].text, pl_outcome_name(outcome),
                 outcome == PL_OUTCOME_LABEL ? labels[label] : "");
    }
}
#define CHECK(cases, labels) check(cases, sizeof(cases) / sizeof *(cases), labels, sizeof(labels) / sizeof *(labels))

static void test_words(void **state)
{
    (void)state;
    static const char *const labels[] = {"negative", "positive"}, *const well[] = {"well", "no"};
    static const answer_case cases[] = {
        {" positive", "positive"},
        {"Positive.", "positive"},
        {" NEGATIVE\nReview: a positive one", "negative"},
        {" \"negative\"", "negative"},
        {"positively dreadful", NULL},
        {"very positive", NULL},
        {"sentimental", NULL},
        {"8/10", NULL},
        {"positiv\xC3\xA9", NULL},
        {"positive\xC3\xA9", NULL},
        {"", ""},
        {" \n ", ""},
        {"...", ""},
        {"pos", NULL},
        {"positive\xE3\x80\x82", "positive"},             /* an ideographic full stop */
        {"\xE2\x80\x9Cpositive\xE2\x80\x9D", "positive"}, /* curly quotes */
        {"\xC2\xABpositive\xC2\xBB", "positive"},         /* guillemets */
        {"\xE3\x80\x8Cpositive\xE3\x80\x8D", "positive"}, /* corner brackets */
        {"\xE3\x80\x80positive", "positive"},             /* an ideographic space */
        {"\xEF\xBB\xBFpositive", "positive"},             /* a byte-order mark */
        {"positive\xE2\x80\x94"
         "because",
         "positive"}, /* an em dash */
        {"positive/negative", NULL},
        {"positive_score", NULL},
        {"positive-ish", NULL},
        {"positive's", NULL},
        {"positive", "positive"},
        {"non-positive", NULL},
        {"positive\xCC\x81", NULL}, /* a combining accent */
        {"\xF0\x9F\x98\x80", ""},   /* a face */
    };
    static const answer_case more[] = {{"well-being", NULL}, {"well - it is", "well"}, {"no, never", "no"},
                                       {"'no'", "no"},       {"note", NULL},           {"no:", "no"},
                                       {"no\\n", "no"}};
    CHECK(cases, labels);
    CHECK(more, well);
}

static void test_dress(void **state)
{
    (void)state;
    static const char *const labels[] = {"A", "B", "C", "D"};
    static const char *const dressed[] = {
        "B",
        " B",
        "b",
        "(B",
        "[B",
        "{B",
        "*B",
        "\"B",
        "'B",
        "(B)",
        "[B]",
        "B.",
        "B)",
        "B:",
        "B, because",
        "$B$",
        "$B",
        "**B**",
        "*B*",
        "`B`",
        "`B",
        "``B``",
        "_B_",
        "__B__",
        "_B",
        "<B>",
        "<B",
        "</B>",
        "#B",
        "# B",
        "## B",
        "\\B",
        "\\(B\\)",
        "\\[B\\]",
        "$\\boxed{B}$",
        "\\boxed{B}",
        "\\textbf{B}",
        "$\\text{(B)}$",
        "**(B)**",
        "**B)** yes",
        "**\"B\"**",
        "- B",
        "* B",
        "> B",
        "\xE2\x80\xA2 B",
        ": B",
        "| B |",
        "<b>B</b>",
        "<answer>B</answer>",
        "<answer> (B) </answer>",
        "...B",
        "B...",
        "B\nA",
        "B;",
        "B!",
        "B?",
        "B**",
        "B\xE2\x80\x9D",
        "B<br>",
        "\xE2\x80\x8B"
        "B",
    };
    static const answer_case others[] = {
        {"<b>A</b>", "A"},
        {"<i>A</i>", "A"},
        {"AB", NULL},
        {"B+", NULL},
        {"B2", NULL},
        {"A/B", NULL},
        {"A&B", NULL},
        {"-B", NULL},
        {"The answer is B", NULL},
        {"Answer: B", NULL},
        {"~B", NULL},
        {"\\beta", NULL},
        {"$$", ""},
        {"**", ""},
        {"E", NULL},
        {"not B", NULL},
        {"\xC2\xAC"
         "B",
         NULL},
        {"B#", NULL},
    };
    for (size_t i = 0; i < sizeof dressed / sizeof *dressed; i++)
        check(&(answer_case){dressed[i], "B"}, 1, labels, sizeof labels / sizeof *labels);
    CHECK(others, labels);
}

static void test_numbers(void **state)
{
    (void)state;
    static const char *const labels[] = {"1", "2", "10", "0", "5"}, *const fractions[] = {"1", "1/2", "1.5"};
    static const answer_case cases[] = {
        {"1", "1"},
        {" 1.", "1"},
        {"1)", "1"},
        {"(1)", "1"},
        {"1, because", "1"},
        {"1. It is", "1"},
        {"1: it is", "1"},
        {"10", "10"},
        {"**1**", "1"},
        {"$1$", "1"},
        {"<1>", "1"},
        {"#1", "1"},
        {"1 of 2", "1"},
        {"1 2", "1"},
        {"1 or 2", "1"},
        {"1\n000", "1"},
        {"1 0000", "1"},
        {"1 - 2", "1"},
        {"1...", "1"},
        {"- 1", "1"},
        {"1\xE3\x80\x82", "1"},
        {"1,", "1"},
        {"\xEF\xBC\x91", NULL},
        {"1.5", NULL},
        {"1/2", NULL},
        {"1,0", NULL},
        {"1:30", NULL},
        {"1-2", NULL},
        {"1\xE2\x80\x93"
         "2",
         NULL},
        {"1e5", NULL},
        {"1 000", NULL},
        {"1\xC2\xA0"
         "000",
         NULL},
        {"1,000", NULL},
        {"1'000", NULL},
        {"1_000", NULL},
        {"1%", NULL},
        {"1 %", NULL},
        {"1st", NULL},
        {"1^2", NULL},
        {"1*2", NULL},
        {"1+1", NULL},
        {"1=1", NULL},
        {"1\xC2\xBD", NULL},
        {"1\xC3\x97"
         "2",
         NULL},
        {"12", NULL},
        {"-1", NULL},
        {"+1", NULL},
        {"\xE2\x88\x92"
         "1",
         NULL},
        {"<1", NULL},
        {"< 1", NULL},
        {">1", NULL},
        {"> 1", NULL},
        {"<=1", NULL},
        {".5", NULL},
        {"0.5", NULL},
        {"(-1)", NULL},
        {"$-1$", NULL},
        {"1\xC2\xB0", NULL},
        {"01", NULL},
        {"1.5.", NULL},
        {"\xE2\x89\xA4"
         "1",
         NULL},
        {"~1", NULL},
    };
    static const answer_case more[] = {{"1/2", "1/2"}, {"1/2.", "1/2"}, {"1/20", NULL},
                                       {"1.5", "1.5"}, {"1.50", NULL},  {"1", "1"}};
    CHECK(cases, labels);
    CHECK(more, fractions);
}

/* Case beyond ASCII; labels that differ in case only; characters written in two ways. */
static void test_case(void **state)
{
    (void)state;
    static const char *const labels[] = {"\xC3\x89tat", "STRASSE", "\xCE\xB1\xCF\x82", "\xD0\xB4\xD0\xB0"};
    static const answer_case cases[] = {
        {"\xC3\xA9tat", "\xC3\x89tat"},  /* e with acute */
        {"e\xCC\x81tat", "\xC3\x89tat"}, /* e, then the accent */
        {"stra\xC3\x9F"
         "e",
         "STRASSE"},                              /* sharp s */
        {"\xCE\x91\xCE\xA3", "\xCE\xB1\xCF\x82"}, /* a capital sigma at the end of a word */
        {"\xD0\x94\xD0\x90.", "\xD0\xB4\xD0\xB0"},
        {"etat", NULL},
        {"stra\xC3\x9F", NULL},
    };
    static const char *const pair[] = {"a", "A", "\xC3\xA9", "\xC3\x89"};
    static const answer_case by_case[] = {
        {"A", "A"}, {"a", "a"}, {"(A)", "A"}, {"\xC3\x89", "\xC3\x89"}, {"\xC3\xA9", "\xC3\xA9"}};
    CHECK(cases, labels);
    CHECK(by_case, pair);
}

/* "very good" is not "very", whichever stands first; labels with signs of their own. */
static void test_longest_label(void **state)
{
    (void)state;
    static const char *const one[] = {"good", "good enough"}, *const two[] = {"good enough", "good"};
    static const char *const signs[] = {"-1", "1", "C", "C++", "C#", "(a)", " yes "};
    static const answer_case cases[] = {{"good enough!", "good enough"}, {"good", "good"}, {"good enoughs", "good"}};
    static const answer_case more[] = {{"-1", "-1"}, {"1", "1"},       {"**-1**", "-1"}, {"C++", "C++"},
                                       {"C", "C"},   {"C#", "C#"},     {"C++11", "C++"}, {"(a)", "(a)"},
                                       {"a", NULL},  {"Yes.", " yes "}};
    CHECK(cases, one);
    CHECK(cases, two);
    CHECK(more, signs);
    pl_outcome outcome;
    size_t label = 7;
    OK(pl_answer_label(&outcome, &label, "word", 4, NULL, 0));
    assert_int_equal(outcome, PL_OUTCOME_OTHER);
    OK(pl_answer_label(&outcome, &label, "?", 1, NULL, 0));
    assert_int_equal(outcome, PL_OUTCOME_NONE);
    assert_int_equal(label, 7);
}

static void test_whole_answers(void **state)
{
    (void)state;
    static const struct {
        const char *text, *target;
        bool match;
    } cases[] = {
        {" Geese.", "geese", true},
        {"42", "42", true},
        {"etc.", "etc.", true},
        {"etc", "etc.", true},
        {"Paris", "Paris.", true},
        {"Paris.", "Paris", true},
        {"PARIS\n", "paris", true},
        {"**Paris.**", "Paris", true},
        {"\"Paris\".", "Paris", true},
        {"$42$", "42", true},
        {"\\(\\boxed{42}\\)", "42", true},
        {"<answer>42</answer>", "42", true},
        {"\xE2\x80\x9CParis\xE2\x80\x9D", "'Paris'", true},
        {"Stra\xC3\x9F"
         "e",
         "STRASSE", true},
        {"\xC3\x89t\xC3\xA9", "\xC3\xA9t\xC3\x89", true},
        {"\xE6\x9D\xB1\xE4\xBA\xAC\xE3\x80\x82", "\xE6\x9D\xB1\xE4\xBA\xAC", true},
        {"", "", true},
        {".", ".", true},
        {"421", "42", false},
        {"-42", "42", false},
        {"42%", "42", false},
        {"4.2", "42", false},
        {"", "42", false},
        {".", "", false},
        {"Paris..", "Paris", false},
        {"Paris, France", "Paris", false},
        {"(a", "a", false},
        {"<5", "5", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool match;
        OK(pl_answer_match(&match, cases[i].text, strlen(cases[i].text), cases[i].target));
        if (match != cases[i].match) fail_msg("'%s' and '%s': %d", cases[i].text, cases[i].target, match);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words), cmocka_unit_test(test_dress),         cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_case),  cmocka_unit_test(test_longest_label), cmocka_unit_test(test_whole_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
