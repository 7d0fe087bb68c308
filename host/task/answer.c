#include "task/answer.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

static const char *const names[] = {"label", "other", "none", "not_finite"};

const char *pl_outcome_name(pl_outcome outcome)
{
    return names[outcome];
}

static bool is_space(char c)
{
    return isspace((unsigned char)c) != 0;
}

/* Letters, digits, and every byte of a character beyond ASCII continue a word. */
static bool continues_word(char c)
{
    return isalnum((unsigned char)c) || (unsigned char)c >= 0x80 || c == '_';
}

pl_outcome pl_answer_label(const char *text, size_t size, const char *const *labels, size_t n_labels, size_t *label)
{
    size_t start = 0, longest = 0;
    while (start < size && (is_space(text[start]) || (text[start] && strchr("\"'([{*", text[start])))) start++;
    bool found = false, word = false;
    for (size_t i = start; i < size; i++) word |= continues_word(text[i]);
    for (size_t i = 0; i < n_labels; i++) {
        const char *wanted = labels[i];
        while (is_space(*wanted)) wanted++;
        size_t n = strlen(wanted);
        while (n > 0 && is_space(wanted[n - 1])) n--;
        if (n <= longest || n > size - start || strncasecmp(text + start, wanted, n) != 0) continue;
        if (start + n < size && continues_word(text[start + n]) && continues_word(wanted[n - 1])) continue;
        *label = i;
        longest = n;
        found = true;
    }
    return found ? PL_OUTCOME_LABEL : word ? PL_OUTCOME_OTHER : PL_OUTCOME_NONE;
}

int pl_answer_equals(const char *text, size_t size, const char *target)
{
    size_t n = strlen(target);
    while (size > 0 && is_space(*text)) text++, size--;
    while (size > 0 && is_space(text[size - 1])) size--;
    while (n > 0 && is_space(*target)) target++, n--;
    while (n > 0 && is_space(target[n - 1])) n--;
    if (size > 0 && text[size - 1] == '.' && (n == 0 || target[n - 1] != '.')) size--;
    return size == n && strncasecmp(text, target, n) == 0;
}
