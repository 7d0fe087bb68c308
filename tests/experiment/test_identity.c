/* A unit's identity: one is pinned as text and id, and every field that decides a number changes the id. What must not
 * change it (device, threads, batch, paths) is not in the structure; test_plan.c shows it whole. */
#include "tests.h"

#include "engine/engine.h"
#include "experiment/identity.h"

static const size_t layers[] = {0, 6, 13}, other_layers[] = {0, 6, 12};
static const int32_t stops[] = {0, 2}, other_stops[] = {0, 3};

/* How prompts are asked: each is another prompt. */
static const pl_identity_chat chats[] = {
    {.system = "S"},
    {.system = "S2"},
    {.template = "h"},
    {.template = "h2"},
    {.template = "h", .system = "S"},
    {.template = "h", .multiturn = true},
    {.template = "h", .date = "2024-07-26"},
    {.template = "h", .date = "2024-07-27"},
};

static pl_identity example(void)
{
    return (pl_identity){.model = "small",
                         .weights = "w",
                         .config = "c",
                         .tokenizer = "t",
                         .unicode = "utf8proc 15.0.0, PCRE2 14.0.0",
                         .task = "colours",
                         .template_name = "plain",
                         .template_digest = "d",
                         .role = "id",
                         .test_sha256 = "s",
                         .items_digest = "i",
                         .fewshot_sha256 = "f",
                         .readout = PL_READOUT_LOGLIKELIHOOD,
                         .k = 4,
                         .draw = 1,
                         .order = 2,
                         .balance = true,
                         .seed = 1234,
                         .truncation = PL_TRUNCATION_ERROR,
                         .compute = PL_F32,
                         .captures = true,
                         .n_layers = 3,
                         .layers = layers,
                         .positions = PL_POSITION_LAST | PL_POSITION_MEAN,
                         .storage = PL_F32,
                         .capture_items = SIZE_MAX};
}

/* Changing this text makes every unit that anybody has be computed again. Do it on purpose: raise PL_NUMERICS_VERSION
 * when bits change, PL_UNIT_FORMAT_VERSION when the file does. */
static const char golden_text[] =
    "{\"arm\":{\"balance\":true,\"draw\":1,\"k\":4,\"kind\":\"prompt\",\"order\":2},"
    "\"capture\":{\"dtype\":\"float32\",\"items\":\"all\",\"layers\":[0,6,13],\"positions\":[\"last\",\"mean\"]},"
    "\"compute\":\"float32\",\"config\":\"c\",\"fewshot_sha256\":\"f\",\"format\":2"
    ",\"generation\":null,\"items\":\"i\",\"model\":\"small\",\"numerics\":2,\"readout\":\"loglikelihood\",\"role\":"
    "\"id\",\"seed\":1234,"
    "\"task\":\"colours\",\"template\":\"plain\",\"template_digest\":\"d\",\"test_sha256\":\"s\",\"tokenizer\":\"t\","
    "\"truncation\":\"error\",\"unicode\":\"utf8proc 15.0.0, PCRE2 14.0.0\",\"weights\":\"w\"}";
static const char golden_id[] = "aadb6e6645b85297e5e20a9ddb1c9051";

static void one_identity_is_pinned(void **state)
{
    (void)state;
    pl_identity identity = example();
    pl_bytes text = {0};
    char id[PL_HASH_TEXT];
    OK(pl_identity_text(&text, &identity));
    assert_string_equal(text.data, golden_text);
    OK(pl_identity_id(id, &identity));
    assert_string_equal(id, golden_id);
    pl_bytes_free(&text);
}

/* The id of the example after one change, which must be a new one. */
static void check_new(const pl_identity *changed, const char *what)
{
    static char seen[64][PL_HASH_TEXT];
    static size_t n;
    char id[PL_HASH_TEXT];
    pl_identity plain = example();
    if (n == 0) OK(pl_identity_id(seen[n++], &plain));
    OK(pl_identity_id(id, changed));
    for (size_t i = 0; i < n; i++)
        if (strcmp(seen[i], id) == 0) fail_msg("%s: the id stays the same, or is that of another change", what);
    memcpy(seen[n++], id, sizeof id);
}

#define CHANGE(field, value)                                                                                           \
    do {                                                                                                               \
        pl_identity changed = example();                                                                               \
        changed.field = value;                                                                                         \
        check_new(&changed, #field);                                                                                   \
    } while (0)

static void every_field_changes_the_id(void **state)
{
    (void)state;
    CHANGE(model, "x");
    CHANGE(weights, "w2");
    CHANGE(config, "c2");
    CHANGE(tokenizer, "t2");
    CHANGE(unicode, "utf8proc 16.0.0, PCRE2 14.0.0");
    CHANGE(task, "x");
    CHANGE(template_name, "x");
    CHANGE(template_digest, "x");
    CHANGE(role, "ood");
    CHANGE(test_sha256, "x");
    CHANGE(items_digest, "x");
    CHANGE(fewshot_sha256, "x");
    CHANGE(fewshot_sha256, NULL);
    CHANGE(readout, PL_READOUT_GENERATE);
    CHANGE(k, 8);
    CHANGE(draw, 2);
    CHANGE(order, 1);
    CHANGE(balance, false);
    CHANGE(first_shots, true);
    CHANGE(seed, 1235);
    CHANGE(truncation, PL_TRUNCATION_SKIP);
    CHANGE(compute, PL_BF16);
    CHANGE(captures, false);
    CHANGE(n_layers, 2);
    CHANGE(layers, other_layers);
    CHANGE(positions, PL_POSITION_LAST);
    CHANGE(positions, PL_POSITION_LAST | PL_POSITION_LABEL);
    CHANGE(suffix, "\n");
    CHANGE(suffix, " =");
    CHANGE(storage, PL_F16);
    CHANGE(capture_items, 800);
    for (size_t i = 0; i < sizeof chats / sizeof *chats; i++) CHANGE(chat, &chats[i]);
}

/* Rows that keep states: of all drawn items, or of those that are not skipped. */
static void skipped_items_leave_their_place(void **state)
{
    (void)state;
    static const struct {
        pl_truncation truncation;
        const char *expected;
    } cases[] = {{PL_TRUNCATION_ERROR, "\"order\":\"chance\""}, {PL_TRUNCATION_SKIP, "\"order\":\"chance of kept\""}};
    for (size_t i = 0; i < 2; i++) {
        pl_bytes text = {0};
        pl_identity identity = example();
        identity.capture_items = 800;
        identity.truncation = cases[i].truncation;
        OK(pl_identity_text(&text, &identity));
        assert_non_null(strstr(text.data, cases[i].expected));
        pl_bytes_free(&text);
    }
}

static void a_generation_is_part_of_it(void **state)
{
    (void)state;
    pl_identity identity = example();
    json_t *a = json_pack("{s:i}", "max_gen_toks", 16), *b = json_pack("{s:i}", "max_gen_toks", 17);
    identity.readout = PL_READOUT_GENERATE;
    identity.stops = stops;
    identity.n_stops = 2;
    identity.generation = a;
    check_new(&identity, "generation");
    identity.generation = b;
    check_new(&identity, "generation of another length");
    identity.stops = other_stops;
    check_new(&identity, "another stop id");
    identity.n_stops = 1;
    check_new(&identity, "fewer stop ids");
    json_decref(a);
    json_decref(b);
}

/* What evaluates an adapted model, and what adapts it. */
static void learning_is_part_of_it(void **state)
{
    (void)state;
    static const pl_template one = {.name = "plain", .digest = "d1"}, two = {.name = "short", .digest = "d2"};
    const pl_template *const templates[] = {&one, &two};
    static const double rates[] = {1e-5, 5e-5};
    pl_recipe recipe = {.n_rates = 2, .learning_rate = rates, .settings = pl_train_defaults()};
    recipe.settings.micro_batch_size = 4;
    recipe.settings.lanes = 2;
    static const pl_config facts = {.embed_dropout = 0.1, .residual_dropout = 0.2, .attention_dropout = 0.3};
    const pl_learning learning = {.model = "small",
                                  .weights = "w",
                                  .config = "c",
                                  .tokenizer = "t",
                                  .unicode = "u",
                                  .task = "colours",
                                  .fewshot_sha256 = "f",
                                  .examples = "e",
                                  .kind = PL_ARM_FINETUNE,
                                  .n_train = 64,
                                  .draw = 1,
                                  .balance = true,
                                  .seed = 1234,
                                  .n_templates = 1,
                                  .n_dev_templates = 2,
                                  .templates = templates,
                                  .dev_templates = templates,
                                  .compute = PL_F32,
                                  .recipe = &recipe,
                                  .facts = &facts};
    static const char golden_learning[] =
        "{\"arm\":{\"adam_beta1\":0.90000000000000002,\"adam_beta2\":0.999,\"adam_epsilon\":1e-8,\"balance\":true,"
        "\"bf16"
        "\":false,\"dev_templates\":[{\"digest\":\"d1\",\"name\":\"plain\"},{\"digest\":\"d2\",\"name\":\"short\"}],"
        "\"draw\":1,\"dr"
        "opout\":{\"attention\":0.29999999999999999,\"embedding\":0.10000000000000001,\"residual\":0.20000000000000001"
        "},\"eval_steps\":0,\"gradient_checkpointing\":false,\"head\":\"lm\",\"kind\":\"finetune\","
        "\"labels\":\"gi"
        "ven\",\"lanes\":2,\"learning_rate\":[1.0000000000000001e-5,5.0000000000000002e-5],\"loss_mean\":\"tokens\",\"l"
        "r_scheduler_type\":\"linear\",\"max_grad_norm\":1.0,\"micro_batch_size\":4,\"n_train\":64,\"num_train_"
        "epochs\":"
        "3.0,\"train_batch_size\":8,\"train_templates\":[{\"digest\":\"d1\",\"name\":\"plain\"}],\"warmup_ratio\":0.0,"
        "\"warm"
        "up_steps\":0,\"weight_decay\":0.0},\"compute\":\"float32\",\"config\":\"c\",\"examples\":\"e\",\"fewshot_"
        "sha256\":\"f\""
        ",\"format\":2,\"model\":\"small\",\"numerics\":2,\"seed\":1234,\"stage\":\"learn\",\"task\":\"colours\","
        "\"tokenizer\":\"t"
        "\",\"truncation\":\"error\",\"unicode\":\"u\",\"weights\":\"w\"}";
    pl_bytes text = {0};
    OK(pl_learning_text(&text, &learning));
    assert_string_equal(text.data, golden_learning);
    pl_config padded = facts; /* its row of the embedding has no gradient from inputs */
    padded.has_padding = true;
    padded.padding = 2;
    pl_learning other = learning;
    other.facts = &padded;
    pl_bytes_clear(&text);
    OK(pl_learning_text(&text, &other));
    assert_non_null(strstr(text.data, "\"padding\":2"));
    other.chat = &chats[4];
    pl_bytes_clear(&text);
    OK(pl_learning_text(&text, &other));
    assert_non_null(strstr(text.data, "\"chat\":{\"fewshot_as_multiturn\":false,\"system\":\"S\",\"template\":\"h\"}"));
    pl_bytes_free(&text);
    pl_identity identity = example();
    identity.learned_by = "1a2b";
    identity.kind = PL_ARM_FINETUNE;
    check_new(&identity, "learned_by");
    identity.learned_by = "1a2c";
    check_new(&identity, "learned by another");
    identity.kind = PL_ARM_LINEAR;
    check_new(&identity, "learned another way");
}

static void content_free_inputs_are_part_of_it(void **state)
{
    (void)state;
    static const char *const inputs[] = {"N/A", ""}, *const others[] = {"N/A", "[MASK]"};
    pl_identity identity = example();
    identity.content_free = inputs;
    identity.n_content_free = 2;
    check_new(&identity, "content-free inputs");
    identity.content_free = others;
    check_new(&identity, "another content-free input");
    identity.n_content_free = 1;
    check_new(&identity, "fewer content-free inputs");
}

static void keys_name_device_makers_and_version(void **state)
{
    (void)state;
    pl_device_facts facts = {.device_class = "cuda-sm90", .products = "plumb"};
    char key[PL_NUMERICS_KEY];
    pl_numerics_key(key, &facts);
    assert_string_equal(key, "cuda-sm90; plumb; numerics 2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(one_identity_is_pinned),
                                       cmocka_unit_test(every_field_changes_the_id),
                                       cmocka_unit_test(skipped_items_leave_their_place),
                                       cmocka_unit_test(a_generation_is_part_of_it),
                                       cmocka_unit_test(learning_is_part_of_it),
                                       cmocka_unit_test(content_free_inputs_are_part_of_it),
                                       cmocka_unit_test(keys_name_device_makers_and_version)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
