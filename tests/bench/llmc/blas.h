/* llm.c's two matrix products as calls of a BLAS (training.py renames the loops of train_gpt2.c and includes this): the
 * strongest form of that program on a CPU. Row-major: inp [B T, C], weight [OC, C], out [B T, OC]. */
#include <cblas.h>

static void matmul_forward(float *out, const float *inp, const float *weight, const float *bias, int B, int T, int C,
                           int OC)
{
    const int N = B * T;
    for (int n = 0; n < N && bias; n++)
        for (int o = 0; o < OC; o++) out[(size_t)n * (size_t)OC + (size_t)o] = bias[o];
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, N, OC, C, 1.0f, inp, C, weight, C, bias ? 1.0f : 0.0f, out,
                OC);
}

static void matmul_backward(float *dinp, float *dweight, float *dbias, const float *dout, const float *inp,
                            const float *weight, int B, int T, int C, int OC)
{
    const int N = B * T;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, N, C, OC, 1.0f, dout, OC, weight, C, 1.0f, dinp, C);
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, OC, C, N, 1.0f, dout, OC, inp, C, 1.0f, dweight, C);
    for (int n = 0; n < N && dbias; n++)
        for (int o = 0; o < OC; o++) dbias[o] += dout[(size_t)n * (size_t)OC + (size_t)o];
}
