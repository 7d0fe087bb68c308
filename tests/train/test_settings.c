/* Settings, schedules, the order of examples, and bad input in one line each. */
#include "train/runs.h"

static void test_defaults(void **state)
{
    (void)state;
    pl_train_settings s = pl_train_defaults();
    OK(pl_train_check(&s, "arm"));
    assert_int_equal(pl_train_total_steps(&s, 20), 9); /* 3 epochs of 3 batches: 8, 8 and 4 examples */
    s.num_train_epochs = 0.5;
    assert_int_equal(pl_train_total_steps(&s, 20), 2);
    s.max_steps = 5;
    assert_int_equal(pl_train_total_steps(&s, 20), 5);
}

static void refuse(pl_train_settings s, const char *key)
{
    REFUSED(pl_train_check(&s, "arm 2"), PL_E_USAGE, key);
    assert_non_null(strstr(pl_error_text(), "arm 2"));
}

static void test_refused(void **state)
{
    (void)state;
    const double wrong[] = {0, -1, NAN, INFINITY};
    pl_train_settings s = pl_train_defaults();
    for (size_t i = 0; i < 4; i++) {
        s.learning_rate = wrong[i];
        refuse(s, "learning_rate");
    }
    s = pl_train_defaults(), s.num_train_epochs = NAN, refuse(s, "num_train_epochs");
    s = pl_train_defaults(), s.dropout = 1, refuse(s, "dropout");
    s = pl_train_defaults(), s.weight_decay = -0.1, refuse(s, "weight_decay");
    s = pl_train_defaults(), s.adam_beta2 = 1, refuse(s, "adam_beta2");
    s = pl_train_defaults(), s.max_grad_norm = NAN, refuse(s, "max_grad_norm");
    s = pl_train_defaults(), s.train_batch_size = 0, refuse(s, "train_batch_size");
    s = pl_train_defaults(), s.lanes = 0, refuse(s, "lanes");
    s = pl_train_defaults(), s.lanes = 9, refuse(s, "lanes");
}

/* transformers 5.24: get_scheduler(kind, optimizer of rate 1, 4, 20), every fourth step. */
static void test_rates(void **state)
{
    (void)state;
    const struct {
        pl_schedule kind;
        double rates[5];
    } cases[] = {
        {PL_SCHEDULE_LINEAR, {0.0, 1.0, 0.75, 0.5, 0.25}},
        {PL_SCHEDULE_COSINE, {0.0, 1.0, 0.8535533905932737, 0.5, 0.14644660940672627}},
        {PL_SCHEDULE_CONSTANT, {0.0, 1.0, 1.0, 1.0, 1.0}},
    };
    for (size_t i = 0; i < 3; i++)
        for (size_t k = 0; k < 5; k++) {
            pl_train_settings s = pl_train_defaults();
            s.learning_rate = 1;
            s.lr_scheduler_type = cases[i].kind;
            s.warmup_steps = 4;
            assert_true(fabs(pl_train_rate(&s, 4 * k, 20) - cases[i].rates[k]) < 1e-12);
            s.warmup_steps = 0;
            s.warmup_ratio = 0.2;
            assert_true(fabs(pl_train_rate(&s, 4 * k, 20) - cases[i].rates[k]) < 1e-12);
        }
}

static void test_order(void **state)
{
    (void)state;
    enum { N = 50 };
    size_t a[N], b[N], seen[N] = {0};
    pl_train_order(a, N, 1, 0);
    for (size_t i = 0; i < N; i++) seen[a[i]]++;
    for (size_t i = 0; i < N; i++) assert_int_equal(seen[i], 1);
    pl_train_order(b, N, 1, 1);
    assert_memory_not_equal(a, b, sizeof a);
    pl_train_order(b, N, 2, 0);
    assert_memory_not_equal(a, b, sizeof a);
    pl_train_order(b, N, 1, 0);
    assert_memory_equal(a, b, sizeof a);
}

static void test_examples(void **state)
{
    (void)state;
    int32_t ids[120] = {1, 2, 3}, beyond[] = {1, 40, 3}, label[] = {1, 2, 3};
    subject lm, classifier;
    pl_train *train;
    pl_train_settings s = pl_train_defaults();
    open_subject(&lm, "gpt2-bare", "lm");
    open_subject(&classifier, "gpt2-bare", "classifier");
    const struct {
        subject *subject;
        pl_train_example example;
        const char *part;
    } cases[] = {{&lm, {.ids = ids, .n = 3, .first = 0}, "carry loss"},
                 {&lm, {.ids = ids, .n = 3, .first = 3}, "carry loss"},
                 {&lm, {.ids = ids, .n = 120, .first = 119}, "positions"},
                 {&lm, {.ids = beyond, .n = 3, .first = 2}, "id 40 at 1"},
                 {&classifier, {.ids = label, .n = 3, .first = 2}, "id 3"},
                 {&classifier, {.ids = ids, .n = 2, .first = 1}, NULL},
                 {&classifier, {.ids = (int32_t[]){1, 1, 1}, .n = 3, .first = 1}, "label alone"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (cases[i].part) {
            REFUSED(pl_train_create(&train, cases[i].subject->trainable, &s, &cases[i].example, 1, "", NULL),
                    PL_E_INPUT, cases[i].part);
            assert_null(train);
            continue;
        }
        OK(pl_train_create(&train, cases[i].subject->trainable, &s, &cases[i].example, 1, "", NULL));
        pl_train_free(train);
    }
    REFUSED(pl_train_create(&train, lm.trainable, &s, NULL, 0, "", NULL), PL_E_INPUT, "no examples");
    s.learning_rate = 0;
    REFUSED(pl_train_create(&train, lm.trainable, &s, &cases[0].example, 1, "", NULL), PL_E_USAGE, "learning_rate");
    close_subject(&lm);
    close_subject(&classifier);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_defaults), cmocka_unit_test(test_refused),
                                       cmocka_unit_test(test_rates), cmocka_unit_test(test_order),
                                       cmocka_unit_test(test_examples)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
