/* The gradient of every tensor of tiny models against PyTorch's, through a whole forward and backward pass. */
#include "train/runs.h"

/* ‖g - reference‖ / ‖reference‖ of a tensor: float32 on both sides; a forgotten branch, scale or transposition gives
 * more than 1e-2. */
static const double TENSOR = 1e-4;

/* Of a tensor; the scale below which a difference is rounding is that of all gradients together. */
static double tensor_off(const subject *s, const golden *g, const char *name, double scale)
{
    size_t n, k;
    float *got, *reference = golden_floats(g, name, &k);
    double off = 0, all = 0;
    OK(pl_trainable_tensor(s->trainable, pl_trainable_views(s->trainable).gradient, name, &got, &n));
    assert_int_equal(n, k);
    for (size_t i = 0; i < n; i++) {
        off += ((double)got[i] - (double)reference[i]) * ((double)got[i] - (double)reference[i]);
        all += (double)reference[i] * (double)reference[i];
    }
    free(got);
    free(reference);
    return sqrt(off) / fmax(sqrt(all), scale);
}

/* The loss, and the gradient of the mean over all tokens that carry it. */
static double all_gradients(subject *s, const examples *e, bool checkpointing)
{
    size_t members[N_EXAMPLES], loss_tokens = 0;
    for (size_t i = 0; i < N_EXAMPLES; i++) {
        members[i] = i;
        loss_tokens += e->list[i].n - e->list[i].first;
    }
    return add_gradients(s, e->list, members, N_EXAMPLES, 1 / (double)loss_tokens, checkpointing);
}

static void test_tensors(void **state)
{
    (void)state;
    const char *const cases[][2] = {{"gpt2", "lm"},
                                    {"llama-tied", "lm"},
                                    {"llama-grouped", "lm"},
                                    {"llama-bias-linear", "lm"},
                                    {"llama-grouped", "classifier"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int checkpointing = 0; checkpointing < 2; checkpointing++) {
            char name[128];
            subject s;
            examples e;
            open_subject(&s, cases[i][0], cases[i][1]);
            open_examples(&e, s.classifier);
            snprintf(name, sizeof name, "gradient-%s-%s", cases[i][0], cases[i][1]);
            golden g = open_golden(name);
            double loss = all_gradients(&s, &e, checkpointing != 0), worst = 0,
                   expected = (double)golden_number(&g, "loss", 0);
            for (size_t t = 0; t < pl_safetensors_count(g.tensors); t++) {
                const char *tensor = pl_safetensors_at(g.tensors, t)->name;
                if (strcmp(tensor, "loss") == 0) continue;
                double off = tensor_off(&s, &g, tensor, 1e-4);
                if (off > TENSOR) print_message("%s: %s is off by %.1e\n", name, tensor, off);
                worst = fmax(worst, off);
            }
            print_message("%s: loss %.1e, gradients %.1e\n", name, fabs(loss - expected) / expected, worst);
            assert_true(fabs(loss - expected) <= 1e-6 * expected);
            assert_true(worst <= TENSOR);
            close_golden(&g);
            close_examples(&e);
            close_subject(&s);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_tensors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
