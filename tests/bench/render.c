/* Prompts a second on one core: every template of a task over its items, again and again for about two seconds.
 *
 * Run: cmake --build build --target bench-render && build/tests/bench/bench-render TASK.yaml [SHOTS [MODEL [turns]]]
 * MODEL: a folder with a chat template, into which the prompts are put; `turns`: shots are turns.
 * Seconds are processor time. A prompt is all that pl_prompt_build makes: description, shots, the item's text, choices.
 * Two lines: the shots of one draw stand before all items of a template, as in a unit, and each item has others. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "task/task.h"

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static pl_status render(const pl_task *task, const pl_template *t, size_t k, const pl_chat_use *chat, bool one_draw,
                        size_t *prompts, size_t *bytes)
{
    enum { MOST_SHOTS = 64 };
    size_t shots[MOST_SHOTS];
    pl_arena *arena;
    PL_TRY(pl_arena_create(&arena));
    pl_status status = PL_OK;
    for (size_t i = 0; i < task->test->n && status == PL_OK; i++) {
        pl_prompt prompt;
        for (size_t s = 0; s < k && s < MOST_SHOTS; s++) shots[s] = ((one_draw ? 0 : i) + 1 + s) % task->fewshot->n;
        status = pl_prompt_build_chat(&prompt, task, t, i, shots, k, chat, arena);
        *prompts += 1;
        *bytes += status == PL_OK ? prompt.context_size : 0;
    }
    pl_arena_free(arena);
    return status;
}

/* For about two seconds. */
static pl_status measure(const pl_task *task, size_t k, const pl_chat_use *use, bool one_draw)
{
    size_t prompts = 0, bytes = 0;
    double begin = seconds(), took = 0;
    while ((took = seconds() - begin) < 2)
        for (size_t i = 0; i < task->n_templates; i++)
            PL_TRY(render(task, &task->templates[i], k, use, one_draw, &prompts, &bytes));
    printf("%s, %zu shots%s%s: %.0f prompts/s, %.1f MB/s, %.0f bytes a prompt\n", task->name, k,
           !k         ? ""
           : one_draw ? " of one draw"
                      : " of each item",
           use ? use->multiturn ? ", chat with turns" : ", chat" : "", (double)prompts / took,
           (double)bytes / took / 1e6, (double)bytes / (double)prompts);
    return PL_OK;
}

int main(int argc, char **argv)
{
    pl_task *task = NULL;
    size_t k = argc > 2 ? (size_t)atoi(argv[2]) : 0;
    pl_chat *chat = NULL;
    pl_chat_front *front = NULL;
    pl_status status;
    if (argc < 2) return fprintf(stderr, "usage: bench-render TASK.yaml [SHOTS [MODEL [turns]]]\n"), 2;
    PL_GOTO(status, done, pl_task_open(&task, argv[1]));
    PL_GOTO(status, done, pl_chat_front_create(&front));
    if (k > 0 && !task->fewshot) {
        status = pl_fail(PL_E_INPUT, "%s: no shots", argv[1]);
        goto done;
    }
    if (argc > 3) PL_GOTO(status, done, pl_chat_open(&chat, argv[3], NULL, NULL));
    const pl_chat_use use = {.chat = chat, .multiturn = argc > 4, .date = "2024-07-26", .front = front};
    for (int each = 0; each < (k ? 2 : 1) && status == PL_OK; each++)
        status = measure(task, k, chat ? &use : NULL, !each);
done:
    if (status != PL_OK) fprintf(stderr, "%s\n", pl_error_text());
    pl_chat_front_free(front);
    pl_chat_free(chat);
    pl_task_free(task);
    return status != PL_OK;
}
