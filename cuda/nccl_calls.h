/* The part of NCCL's interface that plumb uses, so that a build needs no NCCL. tests/cuda/nccl_header.c holds it to
 * NVIDIA's own header where there is one, which is included before this one then.
 *
 * NCCL moves bytes here, and never adds: only ncclUint8 is sent. */
#ifndef PLUMB_CUDA_NCCL_CALLS_H
#define PLUMB_CUDA_NCCL_CALLS_H

#include <stddef.h>

#include <cuda_runtime_api.h>

/* ncclGetVersion's numbers: calls that do not block, and what ends them, work from 2.18 on. */
enum { PL__NCCL_LEAST = 21800, PL__NCCL_END = 30000 };

#define PL__NCCL_RESULTS(X)                                                                                            \
    X(ncclSuccess, 0)                                                                                                  \
    X(ncclSystemError, 2)                                                                                              \
    X(ncclRemoteError, 6)                                                                                              \
    X(ncclInProgress, 7)
enum { PL__NCCL_UINT8 = 1, PL__NCCL_ID_BYTES = 128 };

#ifdef __cplusplus
extern "C" {
#endif

#ifndef NCCL_MAJOR
#define X(name, value) name = value,
typedef enum { PL__NCCL_RESULTS(X) } ncclResult_t;
#undef X
typedef enum { ncclUint8 = PL__NCCL_UINT8 } ncclDataType_t;
typedef struct ncclComm *ncclComm_t;
typedef struct {
    char internal[PL__NCCL_ID_BYTES];
} ncclUniqueId;
typedef struct pl__nccl_config ncclConfig_t;
#endif

/* ncclConfig_t as it was in 2.14: later libraries take its size and version for what they are, and have their own
 * defaults for what came since. */
struct pl__nccl_config {
    size_t size;
    unsigned int magic, version;
    int blocking;
};
enum { PL__NCCL_CONFIG_VERSION = 21400 };
#define PL__NCCL_CONFIG_MAGIC 0xcafebeefu

/* name, result, parameters */
#define PL__NCCL_CALLS(X)                                                                                              \
    X(ncclGetVersion, ncclResult_t, (int *version))                                                                    \
    X(ncclGetUniqueId, ncclResult_t, (ncclUniqueId * id))                                                              \
    X(ncclCommInitRankConfig, ncclResult_t,                                                                            \
      (ncclComm_t * comm, int n_ranks, ncclUniqueId id, int rank, ncclConfig_t *config))                               \
    X(ncclCommFinalize, ncclResult_t, (ncclComm_t comm))                                                               \
    X(ncclCommDestroy, ncclResult_t, (ncclComm_t comm))                                                                \
    X(ncclCommAbort, ncclResult_t, (ncclComm_t comm))                                                                  \
    X(ncclCommGetAsyncError, ncclResult_t, (ncclComm_t comm, ncclResult_t * error))                                    \
    X(ncclGetErrorString, const char *, (ncclResult_t result))                                                         \
    X(ncclGroupStart, ncclResult_t, (void))                                                                            \
    X(ncclGroupEnd, ncclResult_t, (void))                                                                              \
    X(ncclSend, ncclResult_t,                                                                                          \
      (const void *from, size_t n, ncclDataType_t type, int peer, ncclComm_t comm, cudaStream_t stream))               \
    X(ncclRecv, ncclResult_t,                                                                                          \
      (void *to, size_t n, ncclDataType_t type, int peer, ncclComm_t comm, cudaStream_t stream))                       \
    X(ncclAllGather, ncclResult_t,                                                                                     \
      (const void *from, void *to, size_t n, ncclDataType_t type, ncclComm_t comm, cudaStream_t stream))               \
    X(ncclBroadcast, ncclResult_t,                                                                                     \
      (const void *from, void *to, size_t n, ncclDataType_t type, int root, ncclComm_t comm, cudaStream_t stream))

#define X(name, result, parameters) result name parameters;
PL__NCCL_CALLS(X)
#undef X

#ifdef __cplusplus
}
#endif
#endif
