/* A process that makes a CUDA context and ends: what cudaFree(0) does, through the driver alone, so that no toolkit is
 * needed. The floor under every start-up time on a GPU (tests/bench/gpu_inference.py). */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

typedef int call_init(unsigned flags);
typedef int call_retain(void **context, int device);

static void *find(void *driver, const char *name)
{
    void *symbol = dlsym(driver, name);
    if (!symbol) fprintf(stderr, "bench-context: libcuda.so.1 has no %s\n", name);
    return symbol;
}

int main(void)
{
    void *driver = dlopen("libcuda.so.1", RTLD_NOW), *context = NULL;
    if (!driver) {
        fprintf(stderr, "bench-context: %s\n", dlerror());
        return 1;
    }
    void *init_symbol = find(driver, "cuInit"), *retain_symbol = find(driver, "cuDevicePrimaryCtxRetain");
    call_init *init;
    call_retain *retain;
    if (!init_symbol || !retain_symbol) return 1;
    memcpy(&init, &init_symbol, sizeof init); /* C has no cast from an object's to a function's pointer */
    memcpy(&retain, &retain_symbol, sizeof retain);
    int error = init(0);
    if (!error) error = retain(&context, 0);
    if (error) fprintf(stderr, "bench-context: the driver answers %d\n", error);
    return error != 0;
}
