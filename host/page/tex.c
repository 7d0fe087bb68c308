#include "page/tex.h"

#include <string.h>

#include "base/visible.h"

static const char *command_of(char c)
{
    switch (c) {
    case '\\':
        return "\\textbackslash{}";
    case '{':
        return "\\{";
    case '}':
        return "\\}";
    case '$':
        return "\\$";
    case '&':
        return "\\&";
    case '#':
        return "\\#";
    case '%':
        return "\\%";
    case '_':
        return "\\_";
    case '^':
        return "\\textasciicircum{}";
    case '~':
        return "\\textasciitilde{}";
    case '<':
        return "\\textless{}";
    case '>':
        return "\\textgreater{}";
    case '|':
        return "\\textbar{}";
    case '"':
        return "\\textquotedbl{}";
    default:
        return NULL;
    }
}

pl_status pl__tex_text(pl_bytes *out, const char *text)
{
    size_t size = strlen(text);
    while (size) {
        char form[PL_VISIBLE];
        const size_t n = pl_visible(form, text, size);
        for (const char *at = form; *at; at++) { /* what is made visible holds backslashes and braces, too */
            const char *command = command_of(*at), alone[2] = {*at, 0};
            PL_TRY(pl_bytes_text(out, command ? command : alone));
        }
        text += n;
        size -= n;
    }
    return PL_OK;
}
