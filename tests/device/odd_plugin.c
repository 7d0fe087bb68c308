/* Shared objects that are no plug-in of this program, for test_plugin.c: CMake gives the function its name. A plug-in
 * of another version answers NULL. */
#include <stddef.h>

const void *ODD_PLUGIN_SYMBOL(int version);
const void *ODD_PLUGIN_SYMBOL(int version)
{
    (void)version;
    return NULL;
}
