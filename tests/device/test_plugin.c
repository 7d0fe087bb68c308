/* Opening plug-ins and the devices behind them: every mistake and every lack of a machine has its own line. */
#include "world.h"

/* ---- Files ---- */

/* Opens `name` with this plug-in and this text in the error; NULL unsets the variable. */
static void refused(const char *plugin, const char *name, pl_status code, const char *text)
{
    pl_gear gear;
    if (plugin)
        setenv("PLUMB_CUDA_PLUGIN", plugin, 1);
    else
        unsetenv("PLUMB_CUDA_PLUGIN");
    pl_status got = pl_gear_open(&gear, name, 1);
    if (got != code || !strstr(pl_error_text(), text)) {
        fail_msg("%s with %s: %s, '%s'; expected %s, '%s'", name, plugin ? plugin : "no plug-in named",
                 pl_status_text(got), got ? pl_error_text() : "", pl_status_text(code), text);
    }
    assert_null(strchr(pl_error_text(), '\n'));
    assert_null(gear.device);
    pl_gear_close(&gear);
}

static void test_files(void **state)
{
    (void)state;
    refused("/nowhere/plugin.so", "cuda", PL_E_UNSUPPORTED, "/nowhere/plugin.so: no such file; correct or unset");
    refused(__FILE__, "cuda", PL_E_UNSUPPORTED, "cannot be opened: ");
    refused(PLUGIN_NONE, "cuda", PL_E_UNSUPPORTED, "is no plug-in of plumb: it has no pl_plugin_backend");
    refused(PLUGIN_OTHER_VERSION, "cuda", PL_E_UNSUPPORTED, "was built for another version of plumb");
    refused(PLUGIN_NEEDING, "cuda", PL_E_UNSUPPORTED, "cannot be opened: libplumb_absent.so: cannot open shared object");
    refused(PLUGIN_NEEDING, "cuda", PL_E_UNSUPPORTED, "LD_LIBRARY_PATH");
}

static void test_names(void **state)
{
    (void)state;
    const char *wrong[] = {"gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:1x", "cuda:12345", "cuda-", "cudax", "CUDA", "", "cpu:0"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        refused("/nowhere", wrong[i], PL_E_USAGE, "expected cpu, cuda, cuda:<index> (from 0) or auto");
}

static void test_auto(void **state)
{
    (void)state;
    pl_gear gear;
    setenv("PLUMB_CUDA_PLUGIN", "/nowhere/plugin.so", 1);
    must(pl_gear_open(&gear, "auto", 1));
    assert_string_equal(gear.ops->name, "cpu");
    assert_non_null(strstr(gear.choice, "device auto: cpu, because /nowhere/plugin.so: no such file"));
    assert_int_equal(PL_REQUIRE(&gear, record_begin), PL_E_UNSUPPORTED);
    pl_gear_close(&gear);
    must(pl_gear_open(&gear, "cpu", 1));
    assert_string_equal(gear.choice, "");
    pl_gear_close(&gear);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_auto),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
