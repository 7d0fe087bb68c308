/* The model under training, asked through the engine: the log-probability of each example's target is that of its
 * training loss, with either head, before and after training, in one call for all examples. */
#include "engine/engine.h"
#include "train/runs.h"

/* Of the tokens that carry loss, and of all labels of a classifier together. */
static void compare(subject *s, const examples *e)
{
    enum { LABELS = 3 };
    pl_request requests[N_EXAMPLES];
    pl_choice choices[N_EXAMPLES][LABELS];
    int32_t *ids[N_EXAMPLES][LABELS];
    pl_engine *engine;
    pl_results *results;
    const size_t n_choices = s->classifier ? LABELS : 1;
    for (size_t i = 0; i < N_EXAMPLES; i++) {
        const pl_train_example *x = &e->list[i];
        for (size_t c = 0; c < n_choices; c++) {
            ids[i][c] = malloc(x->n * sizeof *ids[i][c]);
            memcpy(ids[i][c], x->ids, x->n * sizeof *ids[i][c]);
            if (s->classifier) ids[i][c][x->n - 1] = (int32_t)c;
            choices[i][c] = (pl_choice){ids[i][c], x->n, x->first};
        }
        requests[i] =
            (pl_request){.ids = x->ids, .n = x->first, .n_choices = n_choices, .choices = choices[i], .gold = SIZE_MAX};
    }
    OK(pl_engine_create(&engine, pl_trainable_model(s->trainable), NULL));
    OK(pl_engine_score(engine, requests, N_EXAMPLES, NULL, NULL, &results));
    for (size_t i = 0; i < N_EXAMPLES; i++) {
        const size_t first = results->choice_indptr[i],
                     gold = s->classifier ? (size_t)e->list[i].ids[e->list[i].n - 1] : 0;
        double log_probability = 0, sum = 0;
        for (size_t k = results->token_indptr[first + gold]; k < results->token_indptr[first + gold + 1]; k++)
            log_probability += (double)results->log_probability[k];
        const double loss = add_gradients(s, e->list, &i, 1, 1, false);
        assert_true(fabs(log_probability + loss) <= 1e-5 * fmax(1, loss));
        for (size_t c = 0; s->classifier && c < LABELS; c++)
            sum += exp((double)results->log_probability[results->token_indptr[first + c]]);
        if (s->classifier) assert_true(fabs(sum - 1) < 1e-5);
    }
    for (size_t i = 0; i < N_EXAMPLES; i++)
        for (size_t c = 0; c < n_choices; c++) free(ids[i][c]);
    pl_results_free(results);
    pl_engine_free(engine);
}

static void test_scores(void **state)
{
    (void)state;
    const char *const cases[][2] = {
        {"gpt2-bare", "lm"}, {"gpt2-bare", "classifier"}, {"llama-grouped", "lm"}, {"llama-grouped", "classifier"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        subject s;
        examples e;
        open_subject(&s, cases[i][0], cases[i][1]);
        open_examples(&e, s.classifier);
        compare(&s, &e);
        pl_train_settings settings = pl_train_defaults();
        settings.learning_rate = 1e-3;
        pl_train_free(train_whole(&s, &settings, &e));
        compare(&s, &e);
        close_examples(&e);
        close_subject(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_scores)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
