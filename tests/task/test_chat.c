/* Prompts as chats against lm-evaluation-harness (tests/golden/task/chats.json, made by make_chats.py), and where a
 * chat template and its special tokens are found. */
#include "tests.h"

#include "base/file.h"
#include "task/task.h"

#define TASKS PLUMB_SOURCE_DIR "/tests/golden/task/tasks/"

static char folder[PL_PATH_MAX];

static int set_up(void **state)
{
    (void)state;
    make_folder(folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    remove_folder(folder);
    return 0;
}

static void write_file(const char *name, const char *text)
{
    char path[PL_PATH_MAX];
    OK(pl_path(path, "%s/%s", folder, name));
    OK(pl_file_replace(path, text, strlen(text)));
}

static void drop_file(const char *name)
{
    char path[PL_PATH_MAX];
    OK(pl_path(path, "%s/%s", folder, name));
    remove(path);
}

/* A folder whose tokenizer has this template. */
static pl_chat *open_chat(const char *template)
{
    pl_chat *chat;
    json_t *config =
        json_pack("{s:s, s:s, s:{s:s}}", "chat_template", template, "bos_token", "<s>", "eos_token", "content", "</s>");
    char *text = json_dumps(config, 0);
    write_file("tokenizer_config.json", text);
    if (pl_chat_open(&chat, folder, NULL, NULL) != PL_OK) fail_msg("%s", pl_error_text());
    free(text);
    json_decref(config);
    return chat;
}

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

/* Where the item's text begins: behind it stands what the template makes of the text, and before it the same for
 * another item of the same shots. */
static void check_own(const pl_prompt *p, const pl_task *task, const pl_template *t, size_t item)
{
    pl_row row;
    json_t *text = NULL;
    if (t->several_contexts) {
        assert_memory_equal(p->context + p->own_offset, p->choice_texts[0], 3);
        return;
    }
    assert_true(p->own_offset <= p->context_size);
    OK(pl_row_open(&row, task->test, item));
    OK(pl_jinja_value(t->doc_to_text, row.item, &text));
    const char *own = json_string_value(text);
    size_t n = strlen(own);
    while (n > 0 && own[n - 1] == ' ') n--; /* templates trim */
    assert_true(p->context_size - p->own_offset >= n);
    assert_memory_equal(p->context + p->own_offset, own, n);
    json_decref(text);
    pl_row_close(&row);
}

/* A prompt with a front that others have left behind, and one without. */
static void check_front(const pl_task *task, const pl_template *t, size_t item, const size_t *shots, size_t k,
                        const pl_chat_use *use, pl_chat_front *front, pl_arena *arena)
{
    pl_chat_use with = *use;
    pl_prompt a, b;
    char message[1024] = "";
    with.front = front;
    pl_status status = pl_prompt_build_chat(&a, task, t, item, shots, k, use, arena);
    if (status != PL_OK) snprintf(message, sizeof message, "%s", pl_error_text());
    assert_int_equal(pl_prompt_build_chat(&b, task, t, item, shots, k, &with, arena), status);
    if (status != PL_OK) assert_string_equal(pl_error_text(), message);
    if (status != PL_OK) return;
    assert_string_equal(a.context, b.context);
    assert_int_equal(a.own_offset, b.own_offset);
    assert_int_equal(a.system_refused, b.system_refused);
    for (size_t i = 0; a.contexts && i < a.n_choices; i++) assert_string_equal(a.contexts[i].text, b.contexts[i].text);
}

/* One front for all items, with the shots, fewer, others, and these again; with a system text and without. */
static void check_fronts(const pl_task *task, const pl_template *t, const size_t *shots, size_t k,
                         const pl_chat_use *use, pl_arena *arena)
{
    pl_chat_front *front;
    pl_chat_use uses[] = {*use, *use};
    OK(pl_chat_front_create(&front));
    uses[1].system = use->system ? NULL : "Other. ";
    for (int round = 0; round < 2; round++)
        for (int u = 0; u < 2; u++)
            for (size_t item = 0; item < task->test->n && item < 3; item++) {
                check_front(task, t, item, shots, k, &uses[u], front, arena);
                if (round && k) check_front(task, t, item, shots, k - 1, &uses[u], front, arena);
                if (round && k > 1) check_front(task, t, item, shots + 1, k - 1, &uses[u], front, arena);
            }
    pl_chat_front_free(front);
}

static void check_case(const json_t *c, const pl_task *task, const pl_chat *chat, pl_arena *arena)
{
    const pl_template *t = pl_task_template(task, text_of(c, "template"));
    const json_t *list = json_object_get(c, "shots"), *choices = json_object_get(c, "choices");
    const pl_chat_use use = {.chat = chat,
                             .system = text_of(c, "system"),
                             .multiturn = json_is_true(json_object_get(c, "multiturn")),
                             .date = "2024-07-26"};
    size_t shots[4], k = json_array_size(list), item = (size_t)json_integer_value(json_object_get(c, "item"));
    pl_prompt p;
    assert_non_null(t);
    assert_true(k <= 4);
    for (size_t i = 0; i < k; i++) shots[i] = (size_t)json_integer_value(json_array_get(list, i));
    if (pl_prompt_build_chat(&p, task, t, item, shots, k, &use, arena) != PL_OK) fail_msg("%s", pl_error_text());
    assert_string_equal(p.context, text_of(c, "context"));
    assert_int_equal(p.context_size, strlen(p.context));
    assert_int_equal(p.contexts != NULL, json_is_array(json_object_get(c, "contexts")));
    for (size_t i = 0; p.contexts && i < p.n_choices; i++)
        assert_string_equal(p.contexts[i].text, json_string_value(json_array_get(json_object_get(c, "contexts"), i)));
    assert_int_equal(p.system_refused, json_is_true(json_object_get(c, "dropped")));
    if (task->output_type != PL_OUTPUT_GENERATE_UNTIL) {
        assert_int_equal(p.n_choices, json_array_size(choices));
        for (size_t i = 0; i < p.n_choices; i++)
            assert_string_equal(p.choices[i], json_string_value(json_array_get(choices, i)));
    }
    check_own(&p, task, t, item);
    if (chat) check_fronts(task, t, shots, k, &use, arena);
}

static void test_chats_as_lm_eval_makes_them(void **state)
{
    (void)state;
    json_t *golden;
    pl_task *task = NULL;
    const char *open = "";
    OK(pl_json_read(&golden, PLUMB_SOURCE_DIR "/tests/golden/task/chats.json", 4 << 20));
    const json_t *cases = json_object_get(golden, "cases");
    assert_true(json_array_size(cases) > 500);
    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *c = json_array_get(cases, i);
        const char *name = text_of(c, "chat");
        pl_chat *chat = name ? open_chat(text_of(json_object_get(golden, "templates"), name)) : NULL;
        pl_arena *arena;
        char path[PL_PATH_MAX];
        if (strcmp(open, text_of(c, "file"))) {
            pl_task_free(task);
            open = text_of(c, "file");
            OK(pl_path(path, TASKS "%s", open));
            OK(pl_task_open(&task, path));
        }
        OK(pl_arena_create(&arena));
        check_case(c, task, chat, arena);
        pl_arena_free(arena);
        pl_chat_free(chat);
    }
    pl_task_free(task);
    json_decref(golden);
}

/* ---- one front for what differs in one thing only ---- */

typedef struct request {
    const pl_task *task;
    const pl_template *t;
    size_t item, shots[4], k;
    pl_chat_use use;
} request;

static void check_request(const request *r, pl_chat_front *front)
{
    pl_arena *arena;
    OK(pl_arena_create(&arena));
    check_front(r->task, r->t, r->item, r->shots, r->k, &r->use, front, arena);
    pl_arena_free(arena);
}

static const char DATED[] =
    "{{ strftime_now('%d %b') }}{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}";

/* All golden chats, each before and behind others that differ from it in one thing: its turns, its day, its chat
 * template, its template. */
static void test_one_front_for_all(void **state)
{
    (void)state;
    enum { MAX_TASKS = 8, CHATS = 4 };
    static const char *const names[CHATS] = {"chatml", "strict", "brackets", "dated"};
    json_t *golden;
    pl_chat_front *front;
    pl_chat *chats[CHATS];
    pl_task *tasks[MAX_TASKS];
    const char *files[MAX_TASKS];
    size_t n_tasks = 0, n_asked = 0;
    OK(pl_json_read(&golden, PLUMB_SOURCE_DIR "/tests/golden/task/chats.json", 4 << 20));
    OK(pl_chat_front_create(&front));
    for (size_t i = 0; i < CHATS; i++)
        chats[i] = open_chat(i + 1 < CHATS ? text_of(json_object_get(golden, "templates"), names[i]) : DATED);
    const json_t *cases = json_object_get(golden, "cases");
    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *c = json_array_get(cases, i), *list = json_object_get(c, "shots");
        size_t open = 0, chat = 0;
        if (!text_of(c, "chat")) continue;
        while (open < n_tasks && strcmp(files[open], text_of(c, "file"))) open++;
        if (open == n_tasks) {
            char path[PL_PATH_MAX];
            assert_true(n_tasks < MAX_TASKS);
            OK(pl_path(path, TASKS "%s", files[n_tasks] = text_of(c, "file")));
            OK(pl_task_open(&tasks[n_tasks++], path));
        }
        while (strcmp(names[chat], text_of(c, "chat"))) chat++;
        request r = {.task = tasks[open],
                     .t = pl_task_template(tasks[open], text_of(c, "template")),
                     .item = (size_t)json_integer_value(json_object_get(c, "item")),
                     .k = json_array_size(list),
                     .use = {.chat = chats[chat],
                             .system = text_of(c, "system"),
                             .multiturn = json_is_true(json_object_get(c, "multiturn")),
                             .date = "2024-07-26"}};
        for (size_t s = 0; s < r.k; s++) r.shots[s] = (size_t)json_integer_value(json_array_get(list, s));
        request others[] = {r, r, r, r, r};
        others[0].use.multiturn = !r.use.multiturn;
        others[1].use.chat = chats[(chat + 1) % CHATS];
        others[2].use.chat = others[3].use.chat = chats[CHATS - 1];
        others[3].use.date = "2023-01-02";
        others[4].t = &r.task->templates[0];
        for (size_t o = 0; o < sizeof others / sizeof *others; o++, n_asked++) {
            check_request(&r, front);
            check_request(&others[o], front);
        }
        for (size_t o = 0; o < sizeof others / sizeof *others; o++) check_request(&others[o], front);
    }
    assert_true(n_asked > 2000);
    for (size_t i = 0; i < CHATS; i++) pl_chat_free(chats[i]);
    for (size_t i = 0; i < n_tasks; i++) pl_task_free(tasks[i]);
    pl_chat_front_free(front);
    json_decref(golden);
}

/* A task about these rows, written into the folder; a group where `more` names one. */
static pl_task *write_task(const char *name, const char *description, const char *train, const char *test,
                           const char *more)
{
    char path[PL_PATH_MAX], file[64];
    pl_bytes text = {0};
    pl_task *task;
    snprintf(file, sizeof file, "%s-train.jsonl", name);
    write_file(file, train);
    snprintf(file, sizeof file, "%s-test.jsonl", name);
    write_file(file, test);
    OK(pl_bytes_format(&text,
                       "task: %s\ntraining_split: %s-train.jsonl\ntest_split: %s-test.jsonl\n"
                       "output_type: generate_until\ndoc_to_text: '{{ q }}'\ndoc_to_target: '{{ a }}'\n"
                       "description: '%s'\n%s",
                       name, name, name, description, more));
    snprintf(file, sizeof file, "%s.yaml", name);
    write_file(file, text.data);
    OK(pl_path(path, "%s/%s", folder, file));
    if (pl_task_open(&task, path) != PL_OK) fail_msg("%s", pl_error_text());
    pl_bytes_free(&text);
    return task;
}

static const char TRAIN[] = "{\"q\": \"t0\", \"a\": \"A\", \"g\": 0}\n{\"q\": \"t1\", \"a\": \"B\", \"g\": 1}\n";
static const char TEST[] = "{\"q\": \"good\", \"a\": \"A\", \"g\": 7}\n{\"q\": \"bad\", \"a\": \"B\", \"g\": 1}\n"
                           "{\"q\": \"good too\", \"a\": \"B\", \"g\": 8}\n";

/* The shots of a front are held against each item anew: its group, and its place where shots are of the test rows. */
static void test_a_front_leaks_nothing(void **state)
{
    (void)state;
    const struct {
        const char *name, *more, *message;
        size_t shots[2];
    } cases[] = {{"grouped", "plumb: {group: g}\n", "task grouped: item 1 and shot 1 have the same g", {0, 1}},
                 {"own", "fewshot_split: own-test.jsonl\n", "item 1 would stand among its own shots", {2, 1}}};
    pl_chat *chat = open_chat("{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pl_task *task = write_task(cases[i].name, "D. ", TRAIN, TEST, cases[i].more);
        for (int multiturn = 0; multiturn < 2; multiturn++) {
            pl_chat_front *front;
            pl_arena *arena;
            pl_prompt p;
            OK(pl_arena_create(&arena));
            OK(pl_chat_front_create(&front));
            pl_chat_use use = {.chat = chat, .multiturn = multiturn, .date = "2024-07-26"};
            check_front(task, task->templates, 0, cases[i].shots, 2, &use, front, arena);
            check_front(task, task->templates, 1, cases[i].shots, 2, &use, front, arena);
            use.front = front;
            OK(pl_prompt_build_chat(&p, task, task->templates, 0, cases[i].shots, 2, &use, arena));
            REFUSED(pl_prompt_build_chat(&p, task, task->templates, 1, cases[i].shots, 2, &use, arena), PL_E_INPUT,
                    cases[i].message);
            OK(pl_prompt_build_chat(&p, task, task->templates, 0, cases[i].shots, 2, &use, arena));
            pl_chat_front_free(front);
            pl_arena_free(arena);
        }
        pl_task_free(task);
    }
    pl_chat_free(chat);
}

/* A template of one task over the rows of another; and system texts that a template refuses with some items' texts, or
 * with the mark alone that stands for them: in every order on one front. */
static void test_what_a_front_keeps(void **state)
{
    (void)state;
    static const char *const chats[] = {
        "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}",
        "{% if messages[0].role == 'system' and 'bad' in messages[-1].content %}{{ raise_exception('bad') }}{% endif %}"
        "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}",
        "{% if messages[0].role == 'system' and '\x01' in messages[-1].content %}{{ raise_exception('mark') }}"
        "{% endif %}{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}"};
    pl_task *tasks[] = {write_task("one", "D. ", TRAIN, TEST, ""),
                        write_task("other", "Else. ", "{\"q\": \"o0\", \"a\": \"C\"}\n{\"q\": \"o1\", \"a\": \"D\"}\n",
                                   "{\"q\": \"good\", \"a\": \"A\"}\n{\"q\": \"bad\", \"a\": \"B\"}\n{\"q\": \"x\", "
                                   "\"a\": \"B\"}\n",
                                   "")};
    for (size_t c = 0; c < sizeof chats / sizeof *chats; c++) {
        pl_chat *chat = open_chat(chats[c]);
        pl_chat_front *front;
        request requests[12];
        size_t n = 0;
        OK(pl_chat_front_create(&front));
        for (int multiturn = 0; multiturn < 2; multiturn++)
            for (size_t task = 0; task < 2; task++)
                for (size_t item = 0; item < 3; item++)
                    requests[n++] = (request){.task = tasks[task],
                                              .t = tasks[0]->templates,
                                              .item = item,
                                              .shots = {1, 0},
                                              .k = 2,
                                              .use = {.chat = chat, .multiturn = multiturn, .date = "2024-07-26"}};
        for (size_t i = 0; i < n; i++)
            for (size_t k = 0; k < n; k++) {
                check_request(&requests[i], front);
                check_request(&requests[k], front);
            }
        pl_chat_front_free(front);
        pl_chat_free(chat);
    }
    for (size_t i = 0; i < 2; i++) pl_task_free(tasks[i]);
}

/* What the folder's template makes of one user turn; NULL: it has none, or none that works. */
static const char *render(const char *bos, const char *eos)
{
    static char shown[200];
    pl_chat *chat;
    pl_bytes text = {0};
    bool refused;
    json_t *messages = json_pack("[{s:s, s:s}]", "role", "user", "content", "q");
    pl_status status = pl_chat_open(&chat, folder, bos, eos);
    if (status == PL_OK) {
        assert_int_equal(strlen(pl_chat_digest(chat)), PL_HASH_TEXT - 1);
        status = pl_chat_render(chat, messages, false, "2024-07-26", &text, &refused);
        snprintf(shown, sizeof shown, "%.*s", (int)text.size, text.size ? text.data : "");
    }
    pl_bytes_free(&text);
    pl_chat_free(chat);
    json_decref(messages);
    return status == PL_OK ? shown : NULL;
}

static void test_where_templates_are_found(void **state)
{
    (void)state;
    drop_file("tokenizer_config.json");
    assert_null(render(NULL, NULL));
    assert_non_null(strstr(pl_error_text(), "the model has no chat template: expected chat_template.jinja"));
    write_file("tokenizer_config.json", "{\"chat_template\": null}");
    assert_null(render(NULL, NULL));
    write_file("tokenizer_config.json", "{\"chat_template\": [{\"name\": \"tool_use\", \"template\": \"t\"}, "
                                        "{\"name\": \"default\", \"template\": \"d{{ bos_token }}{{ eos_token }}\"}], "
                                        "\"eos_token\": {\"content\": \"E\"}}");
    assert_string_equal(render(NULL, NULL), "dE");
    assert_string_equal(render("B", "other"), "dBE"); /* what files name goes first */
    write_file("special_tokens_map.json", "{\"eos_token\": \"M\", \"bos_token\": {\"content\": \"N\"}}");
    assert_string_equal(render("B", NULL), "dNM");
    write_file("tokenizer_config.json", "{\"chat_template\": \"{{ bos_token }}{{ eos_token }}\", \"eos_token\": \"E\", "
                                        "\"added_tokens_decoder\": {}}");
    assert_string_equal(render("B", NULL), "BE");
    write_file("chat_template.jinja", "own {{ messages[0].content }}\n");
    assert_string_equal(render(NULL, NULL), "own q");
    write_file("chat_template.jinja", "{% if %}");
    assert_null(render(NULL, NULL));
    assert_non_null(strstr(pl_error_text(), "chat_template.jinja: template 1:7: expected an expression"));
    drop_file("chat_template.jinja");
    write_file("tokenizer_config.json", "{\"chat_template\": [{\"name\": \"tool_use\", \"template\": \"t\"}]}");
    assert_null(render(NULL, NULL));
    assert_non_null(strstr(pl_error_text(), "{name: default, template: a text}"));
    drop_file("special_tokens_map.json");
}

/* A chat that is refused with a system text and without one is an error; a digest follows tokens and template. */
static void test_refusals(void **state)
{
    (void)state;
    pl_task *task;
    pl_arena *arena;
    pl_prompt p;
    pl_chat *chat = open_chat("{{ raise_exception('never') }}"), *other;
    pl_chat_use use = {.chat = chat, .system = "S"};
    OK(pl_arena_create(&arena));
    OK(pl_task_open(&task, TASKS "choice.yaml"));
    REFUSED(pl_prompt_build_chat(&p, task, task->templates, 0, NULL, 0, &use, arena), PL_E_INPUT,
            "chat_template: template 1:4: the template refuses the chat: never");
    const size_t shot = 0; /* of the item's own group */
    REFUSED(pl_prompt_build_chat(&p, task, task->templates, 0, &shot, 1, &use, arena), PL_E_INPUT,
            "have the same group");
    other = open_chat("{{ raise_exception('ever') }}");
    assert_string_not_equal(pl_chat_digest(chat), pl_chat_digest(other));
    assert_false(pl_chat_has_date(chat));
    pl_chat_free(other);
    pl_chat_free(chat);
    chat = open_chat(
        "{{ strftime_now('%d %b %Y') }}{% if messages[0].role == 'system' %}{{ messages[0].x.y }}{% endif %}");
    assert_true(pl_chat_has_date(chat));
    use = (pl_chat_use){.chat = chat, .system = "S", .date = "2024-07-26"};
    REFUSED(pl_prompt_build_chat(&p, task, task->templates, 0, NULL, 0, &use, arena), PL_E_INPUT,
            "looked for y in what is undefined"); /* a fault of the template is no refusal */
    pl_chat_free(chat);
    pl_task_free(task);
    pl_arena_free(arena);
}

/* A text that is scored by itself has no context: as in lm-evaluation-harness (construct_requests gives
 * loglikelihood_rolling the target alone, and fewshot_context's text to nobody) a chat, its system text and its turns
 * change nothing. */
static void test_rolling_is_no_chat(void **state)
{
    (void)state;
    static const char TASK[] = "task: texts\ntest_split: {path: texts.jsonl}\noutput_type: loglikelihood_rolling\n"
                               "doc_to_text: ''\ndoc_to_target: page\ndescription: Read. \n";
    char path[PL_PATH_MAX];
    pl_task *task;
    pl_arena *arena;
    pl_prompt plain, asked;
    write_file("texts.yaml", TASK);
    write_file("texts.jsonl", "{\"page\": \"One two  three.\"}\n");
    OK(pl_path(path, "%s/texts.yaml", folder));
    OK(pl_task_open(&task, path));
    OK(pl_arena_create(&arena));
    pl_chat *chat = open_chat("{{ raise_exception('a chat') }}");
    OK(pl_prompt_build(&plain, task, task->templates, 0, NULL, 0, arena));
    for (int turns = 0; turns < 2; turns++) {
        const pl_chat_use use = {.chat = chat, .system = "Be brief.", .multiturn = turns, .date = "2024-07-26"};
        OK(pl_prompt_build_chat(&asked, task, task->templates, 0, NULL, 0, &use, arena));
        assert_true(asked.rolling && asked.alone && asked.n_choices == 1);
        assert_string_equal(asked.context, "");
        assert_int_equal(asked.context_size, 0);
        assert_string_equal(asked.choices[0], plain.choices[0]);
        assert_string_equal(asked.choices[0], "One two  three.");
        assert_int_equal(asked.words, plain.words);
        assert_int_equal(asked.bytes, plain.bytes);
        assert_false(asked.system_refused);
    }
    pl_chat_free(chat);
    pl_arena_free(arena);
    pl_task_free(task);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chats_as_lm_eval_makes_them),
        cmocka_unit_test(test_one_front_for_all),
        cmocka_unit_test(test_a_front_leaks_nothing),
        cmocka_unit_test(test_what_a_front_keeps),
        cmocka_unit_test(test_where_templates_are_found),
        cmocka_unit_test(test_rolling_is_no_chat),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
