#include "base/environment.h"

#include <stdlib.h>
#include <string.h>

static size_t name_size(const char *text)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";
    return *text >= '0' && *text <= '9' ? 0 : strspn(text, letters);
}

/* One reference; *text stands behind "${" and moves behind "}". */
static pl_status append_variable(pl_bytes *out, const pl_yaml_node *node, const char **text)
{
    const char *end = strchr(*text, '}');
    if (!end) return pl_yaml_fail(node, "'${' without '}' in '%.200s'", node->text);
    size_t n = name_size(*text);
    const char *behind = *text + n;
    bool has_default = strncmp(behind, ":-", 2) == 0;
    if (n == 0 || n > 255 || (behind != end && !has_default))
        return pl_yaml_fail(node, "'${%.*s}': expected ${NAME} or ${NAME:-default}",
                            (int)(end - *text > 100 ? 100 : end - *text), *text);
    char name[256];
    memcpy(name, *text, n);
    name[n] = 0;
    const char *value = getenv(name);
    *text = end + 1;
    if (value && (*value || !has_default)) return pl_bytes_text(out, value);
    if (has_default) return pl_bytes_append(out, behind + 2, (size_t)(end - behind - 2));
    return pl_yaml_fail(node, "the environment variable %s is not set; set it, or write ${%s:-default}", name, name);
}

pl_status pl_yaml_to_path(pl_bytes *out, const pl_yaml_node *node)
{
    const char *text;
    PL_TRY(pl_yaml_to_text(&text, node));
    for (;;) {
        const char *reference = strstr(text, "${");
        PL_TRY(pl_bytes_append(out, text, reference ? (size_t)(reference - text) : strlen(text)));
        if (!reference) return PL_OK;
        text = reference + 2;
        PL_TRY(append_variable(out, node, &text));
    }
}
