/* Which device a test runs on: PLUMB_TEST_DEVICE, cpu unless it is set. ctest runs the tests of the contract once on
 * the CPU and once on the emulated CUDA backend; tests/gpu/run.sh runs the same programs on a GPU. */
#ifndef TESTS_DEVICE_CHOSEN_H
#define TESTS_DEVICE_CHOSEN_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/device.h"

/* Under a sanitizer the same cases run at smaller sizes. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SMALL = 1 };
#else
enum { SMALL = 0 };
#endif

enum { EXIT_SKIPPED = 77 };

static inline const char *chosen_device(void)
{
    const char *name = getenv("PLUMB_TEST_DEVICE");
    return name && *name ? name : "cpu";
}

static inline bool on_cuda(void)
{
    return strncmp(chosen_device(), "cuda", 4) == 0;
}

static inline bool on_emulator(void)
{
    return strcmp(chosen_device(), "cuda-emulated") == 0;
}

/* Many times slower than the device's own speed: fewer cases, smaller sizes. */
static inline bool small_sizes(void)
{
    return SMALL || on_emulator();
}

/* 77 after a line that says why when there is nothing to run on: no emulated plug-in in this build; no plug-in, no
 * driver or no GPU for device cuda. An emulated plug-in that is named and does not open is a failure. */
static inline int device_missing(void)
{
    const char *plugin = getenv("PLUMB_CUDA_PLUGIN");
    if (!on_cuda()) return 0;
    if (on_emulator()) {
        if (plugin && *plugin) return 0;
        printf("SKIP: this build has no emulated CUDA backend (PLUMB_CUDA_PLUGIN is not set)\n");
        return EXIT_SKIPPED;
    }
    pl_processor processor;
    pl_status status = pl_processor_open(&processor, chosen_device(), 0);
    if (status == PL_OK) pl_processor_close(&processor);
    if (status != PL_E_UNSUPPORTED) return 0;
    printf("SKIP: %s\n", pl_error_text());
    return EXIT_SKIPPED;
}

#endif
