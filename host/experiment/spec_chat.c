/* `chat` of an experiment file: how prompts are asked, a factor of the sweep. */
#include <stdio.h>
#include <string.h>

#include "experiment/spec_keys.h"
#include "experiment/spec_parts.h"

/* What a chat template that asks for the day is told: prompts must not change from one day to the next. It is the day
 * that Llama 3's own templates fall back to. */
static const char DAY[] = "2024-07-26";

/* One value or a list of them; an absent key is `otherwise`. */
static pl_status read_flags(bool out[2], const pl_yaml_node *map, const char *key)
{
    const pl_yaml_node *node = pl_yaml_get(map, key);
    pl__list l;
    out[0] = !node;
    out[1] = false;
    if (!node) return PL_OK;
    PL_TRY(pl__list_of(&l, node));
    for (size_t i = 0; i < l.n; i++) {
        bool value;
        PL_TRY(pl_yaml_to_bool(&value, pl__list_item(&l, i)));
        if (out[value]) return pl_yaml_fail(pl__list_item(&l, i), "%s: listed twice", key);
        out[value] = true;
    }
    return PL_OK;
}

/* Texts, NULL for null; an absent key is one NULL. */
static pl_status read_systems(pl_spec *spec, const char ***out, size_t *n, const pl_yaml_node *map)
{
    const pl_yaml_node *node = pl_yaml_get(map, "system");
    pl__list l = {.n = 1};
    if (node) PL_TRY(pl__list_of(&l, node));
    *n = l.n;
    PL_TRY(pl_arena_new(spec->arena, out, l.n));
    for (size_t i = 0; node && i < l.n; i++) {
        const pl_yaml_node *item = pl__list_item(&l, i);
        if (pl_yaml_is_null(item)) continue;
        PL_TRY(pl_yaml_to_text(&(*out)[i], item));
        if (!*(*out)[i]) return pl_yaml_fail(item, "system: expected a text that is not empty, or null");
    }
    for (size_t i = 0; i < l.n; i++)
        for (size_t j = 0; j < i; j++)
            if (!(*out)[i] == !(*out)[j] && (!(*out)[i] || !strcmp((*out)[i], (*out)[j])))
                return pl_yaml_fail(node, "system: the same one is listed twice");
    return PL_OK;
}

static pl_status read_day(pl_spec *spec, const pl_yaml_node *map)
{
    const pl_yaml_node *node = pl_yaml_get(map, "date");
    unsigned year, month, day;
    char end;
    spec->chat_date = DAY;
    if (!node) return PL_OK;
    PL_TRY(pl_yaml_to_text(&spec->chat_date, node));
    if (strlen(spec->chat_date) == 10 && sscanf(spec->chat_date, "%4u-%2u-%2u%c", &year, &month, &day, &end) == 3 &&
        year >= 1900 && month >= 1 && month <= 12 && day >= 1 && day <= 31)
        return PL_OK;
    return pl_yaml_fail(node, "date: expected a day as 2024-07-26, found '%s'", spec->chat_date);
}

/* What tables call a condition: chat, chat-multi, chat-sys, sys, ...; of several system texts with their number. */
static pl_status name_chat(pl_spec *spec, pl_spec_chat *c, size_t system, size_t n_systems)
{
    char number[24] = "", *label;
    if (n_systems > 1) snprintf(number, sizeof number, "%zu", system);
    PL_TRY(pl_arena_format(spec->arena, &label, "%s%s%s%s%s", c->apply ? "chat" : "", c->multiturn ? "-multi" : "",
                           c->apply && c->system ? "-" : "", c->system ? "sys" : "", c->system ? number : ""));
    c->label = label;
    return PL_OK;
}

/* Whether the shots' turns make a difference: only where there are turns. */
static bool is_condition(bool apply, bool multiturn, const bool turns[2])
{
    return apply || !multiturn || !turns[false];
}

pl_status pl__read_chat(pl_spec *spec, const pl_yaml_node *root)
{
    static const pl_spec_chat plain = {.label = ""};
    const pl_yaml_node *node = pl_yaml_get(root, "chat");
    bool apply[2], turns[2];
    const char **systems;
    size_t n_systems, n_texts = 0;
    pl_spec_chat *chats;
    spec->chats = &plain;
    spec->n_chats = 1;
    if (!node) return PL_OK;
    if (node->kind != PL_YAML_MAP) return pl_yaml_fail(node, "chat: expected a map, as {apply: [false, true]}");
    PL_TRY(pl_yaml_check_keys(node, pl_spec_chat_keys));
    PL_TRY(read_flags(apply, node, "apply"));
    PL_TRY(read_flags(turns, node, "fewshot_as_multiturn"));
    PL_TRY(read_systems(spec, &systems, &n_systems, node));
    PL_TRY(read_day(spec, node));
    if (turns[true] && !apply[true])
        return pl_yaml_fail(pl_yaml_get(node, "fewshot_as_multiturn"),
                            "fewshot_as_multiturn: shots are turns of a chat: expected apply: true beside it");
    for (size_t s = 0; s < n_systems; s++) n_texts += systems[s] != NULL;
    PL_TRY(pl_arena_new(spec->arena, &chats, 4 * n_systems));
    spec->chats = chats;
    spec->n_chats = 0;
    for (size_t a = 0; a < 2; a++)
        for (size_t s = 0, text = 0; apply[a] && s < n_systems; s++) {
            text += systems[s] != NULL;
            for (size_t t = 0; t < 2; t++) {
                pl_spec_chat *c = &chats[spec->n_chats];
                if (!turns[t] || !is_condition(a, t, turns)) continue;
                *c = (pl_spec_chat){.apply = a, .system = systems[s], .multiturn = a && t};
                PL_TRY(name_chat(spec, c, text, n_texts));
                spec->n_chats++;
            }
        }
    return PL_OK;
}

bool pl_spec_chat_needs_shots(const pl_spec *spec, const pl_spec_chat *chat)
{
    bool twin = false;
    for (size_t i = 0; i < spec->n_chats; i++) {
        const pl_spec_chat *c = &spec->chats[i];
        twin = twin || (!c->multiturn && c->apply == chat->apply && c->system == chat->system);
    }
    return chat->multiturn && twin;
}
