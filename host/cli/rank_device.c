#include "cli/rank_device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/device.h"

pl_status pl__rank_device(char name[PL__DEVICE_NAME], const pl_launch *launch, const char *asked)
{
    const char *visible = getenv("CUDA_VISIBLE_DEVICES");
    const bool given = launch->by_launcher && visible && *visible && !strchr(visible, ',');
    const bool any = strcmp(asked, "auto") == 0, alone = launch->size == 1 || strcmp(asked, "cpu") == 0;
    if (strlen(asked) + 24 > PL__DEVICE_NAME) return pl_fail(PL_E_USAGE, "device '%s' is not known", asked);
    if (!alone && strchr(asked, ':'))
        return pl_fail(PL_E_USAGE, "--device %s is one device, and %zu ranks need one each: name it without its number",
                       asked, launch->size);
    if (alone)
        (void)snprintf(name, PL__DEVICE_NAME, "%s", asked);
    else if (any && !pl_device_count("cuda"))
        (void)snprintf(name, PL__DEVICE_NAME, "cpu");
    else
        (void)snprintf(name, PL__DEVICE_NAME, "%s:%zu", any ? "cuda" : asked, given ? 0 : launch->local);
    return PL_OK;
}
