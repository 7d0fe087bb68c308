/* Which device a rank takes. */
#ifndef PLUMB_CLI_RANK_DEVICE_H
#define PLUMB_CLI_RANK_DEVICE_H

#include "base/launch.h"

enum { PL__DEVICE_NAME = 64 };

/* `name`: alone, the device as it was asked for; among several ranks the one of this rank's number on its machine, or
 * the one that srun has given it. "auto": a GPU each where there are any, else the CPU for all. PL_E_USAGE when one
 * device was named for several ranks. */
pl_status pl__rank_device(char name[PL__DEVICE_NAME], const pl_launch *launch, const char *asked);

#endif
