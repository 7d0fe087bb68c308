/* float32 to and from float16 and bfloat16: bit for bit what numpy and torch give (tests/golden/store/half.py), at any
 * length and alignment, with the values that do not fit counted. There is no tolerance: rounding is exact or wrong. */
#include "tests.h"

#include <math.h>

#include "base/digest.h"
#include "base/file.h"
#include "base/half.h"

static const char golden[] = PLUMB_SOURCE_DIR "/tests/golden/store/half.txt";

static float float_of(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static void values_match_numpy_and_torch(void **state)
{
    (void)state;
    FILE *file = fopen(golden, "r");
    assert_non_null(file);
    char line[256];
    unsigned bits, f16, bf16;
    size_t n = 0;
    while (fgets(line, sizeof line, file)) {
        if (sscanf(line, "value %x %x %x", &bits, &f16, &bf16) != 3) continue;
        const float x = float_of(bits);
        uint16_t a, b;
        pl_f16_from_f32(&a, &x, 1);
        pl_bf16_from_f32(&b, &x, 1);
        if (a != f16 || b != bf16)
            fail_msg("%08x: float16 %04x expected %04x, bfloat16 %04x expected %04x", bits, a, f16, b, bf16);
        n++;
    }
    fclose(file);
    assert_true(n > 1000);
}

static void sweeps_match_numpy_and_torch(void **state)
{
    (void)state;
    enum { N = 1 << 20 };
    FILE *file = fopen(golden, "r");
    assert_non_null(file);
    char line[256], f16[65] = "", bf16[65] = "", wide[65] = "", found[PL_SHA256_TEXT];
    while (fgets(line, sizeof line, file)) {
        sscanf(line, "sweep %64s %64s", f16, bf16);
        sscanf(line, "widen %64s", wide);
    }
    fclose(file);
    float *in = malloc(N * sizeof *in);
    uint16_t *out = malloc(N * sizeof *out);
    assert_true(in && out);
    for (uint32_t i = 0; i < N; i++) in[i] = float_of(i * 4099U);
    pl_f16_from_f32(out, in, N);
    pl_sha256(found, out, N * sizeof *out);
    assert_string_equal(found, f16);
    pl_bf16_from_f32(out, in, N);
    pl_sha256(found, out, N * sizeof *out);
    assert_string_equal(found, bf16);
    for (uint32_t i = 0; i <= 0x7c00; i++) out[i] = (uint16_t)i;
    pl_f32_from_f16(in, out, 0x7c01);
    pl_sha256(found, in, 0x7c01 * sizeof *in);
    assert_string_equal(found, wide);
    free(in);
    free(out);
}

/* Every half, widened and narrowed again, is itself; infinities become the largest finite value and are counted. */
static void all_halves_round_trip(void **state)
{
    (void)state;
    for (uint32_t h = 0; h < 65536; h++) {
        uint16_t in = (uint16_t)h, out;
        float wide;
        pl_f32_from_f16(&wide, &in, 1);
        size_t n_over = pl_f16_from_f32(&out, &wide, 1);
        uint32_t magnitude = h & 0x7fff;
        assert_int_equal(n_over, magnitude == 0x7c00);
        assert_int_equal(isnan(wide) != 0, magnitude > 0x7c00);
        assert_int_equal(out, magnitude == 0x7c00 ? h - 1 : magnitude > 0x7c00 ? h | 0x200 : h);

        pl_f32_from_bf16(&wide, &in, 1);
        n_over = pl_bf16_from_f32(&out, &wide, 1);
        assert_int_equal(n_over, magnitude == 0x7f80);
        assert_int_equal(isnan(wide) != 0, magnitude > 0x7f80);
        assert_int_equal(out, magnitude == 0x7f80 ? h - 1 : magnitude > 0x7f80 ? h | 0x40 : h);
    }
}

/* Blocks and their rest give the same, and nothing is written behind the end. */
static void any_length_and_place(void **state)
{
    (void)state;
    enum { N = 200 };
    float in[N], back[N + 1];
    uint16_t whole[N], part[N + 1], wide_whole[N];
    for (int i = 0; i < N; i++) in[i] = ldexpf((float)(i - 100) * 1.37f, i % 31 - 12);
    size_t n_over = pl_f16_from_f32(whole, in, N), n_single = 0;
    assert_true(n_over > 0 && n_over < N);
    for (int i = 0; i < N; i++) n_single += pl_f16_from_f32(&wide_whole[i], &in[i], 1);
    assert_int_equal(n_over, n_single);
    assert_memory_equal(whole, wide_whole, sizeof whole);
    for (size_t start = 0; start < 9; start++)
        for (size_t n = 0; n <= N - start; n++) {
            part[n] = 0xabcd;
            pl_f16_from_f32(part, in + start, n);
            assert_memory_equal(part, whole + start, n * sizeof *part);
            assert_int_equal(part[n], 0xabcd);
            back[n] = 77.0f;
            pl_f32_from_f16(back, part, n);
            for (size_t i = 0; i < n; i++) {
                float one;
                pl_f32_from_f16(&one, &part[i], 1);
                assert_true(one == back[i]);
            }
            assert_true(back[n] == 77.0f);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_match_numpy_and_torch),
        cmocka_unit_test(sweeps_match_numpy_and_torch),
        cmocka_unit_test(all_halves_round_trip),
        cmocka_unit_test(any_length_and_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
