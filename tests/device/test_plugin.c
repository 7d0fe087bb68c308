/* Opening plug-ins and the devices behind them: every mistake and every lack of a machine has its own line. Then what
 * the core of the CUDA backend does, on the emulated device: memory, streams, events, graphs, several host threads, and
 * a host that is out of memory at any of its calls. */
#include "world.h"

#include <pthread.h>

/* ---- Files ---- */

/* Opens `name` with this plug-in and this text in the error; NULL unsets the variable. */
static void refused(const char *plugin, const char *name, pl_status code, const char *text)
{
    pl_processor processor;
    if (plugin)
        setenv("PLUMB_CUDA_PLUGIN", plugin, 1);
    else
        unsetenv("PLUMB_CUDA_PLUGIN");
    pl_status got = pl_processor_open(&processor, name, 1);
    if (got != code || !strstr(pl_error_text(), text)) {
        fail_msg("%s with %s: %s, '%s'; expected %s, '%s'", name, plugin ? plugin : "no plug-in named",
                 pl_status_text(got), got ? pl_error_text() : "", pl_status_text(code), text);
    }
    assert_null(strchr(pl_error_text(), '\n'));
    assert_null(processor.device);
    pl_processor_close(&processor);
}

static void test_files(void **state)
{
    (void)state;
    refused("/nowhere/plugin.so", "cuda", PL_E_UNSUPPORTED, "/nowhere/plugin.so: no such file; correct or unset");
    refused(PLUMB_SOURCE_DIR "/tests/device/test_plugin.c", "cuda", PL_E_UNSUPPORTED, "cannot be opened: ");
    refused(PLUGIN_NONE, "cuda", PL_E_UNSUPPORTED, "is no plug-in of plumb: it has no pl_plugin_backend");
    refused(PLUGIN_OTHER_VERSION, "cuda", PL_E_UNSUPPORTED, "was built for another version of plumb");
    refused(PLUGIN_NEEDING, "cuda", PL_E_UNSUPPORTED,
            "cannot be opened: libplumb_absent.so: cannot open shared object");
    refused(PLUGIN_NEEDING, "cuda", PL_E_UNSUPPORTED, "LD_LIBRARY_PATH");
}

static void test_names(void **state)
{
    (void)state;
    const char *wrong[] = {"gpu",   "cuda:", "cuda:x", "cuda:-1", "cuda:1x", "cuda:12345",
                           "cuda-", "cudax", "CUDA",   "",        "cpu:0"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        refused("/nowhere", wrong[i], PL_E_USAGE, "expected cpu, cuda, cuda:<index> (from 0) or auto");
}

static void test_auto(void **state)
{
    (void)state;
    pl_processor processor;
    setenv("PLUMB_CUDA_PLUGIN", "/nowhere/plugin.so", 1);
    must(pl_processor_open(&processor, "auto", 1));
    assert_string_equal(processor.ops->name, "cpu");
    assert_non_null(strstr(processor.choice, "device auto: cpu, because /nowhere/plugin.so: no such file"));
    assert_null(processor.ops->record_begin);
    pl_processor_close(&processor);
    must(pl_processor_open(&processor, "cpu", 1));
    assert_string_equal(processor.choice, "");
    pl_processor_close(&processor);
}

/* ---- Devices ---- */

/* The same with the emulated device in a machine that lacks something; the variable is unset again. */
static void lacking(const char *variable, const char *value, const char *name, pl_status code, const char *text)
{
    setenv(variable, value, 1);
    refused(NULL, name, code, text);
    unsetenv(variable);
}

static void test_lacks(void **state)
{
    (void)state;
    lacking("CUEMU_FAIL", "no-driver", "cuda-emulated", PL_E_UNSUPPORTED, "no NVIDIA driver is installed");
    lacking("CUEMU_FAIL", "driver", "cuda-emulated", PL_E_UNSUPPORTED,
            "the NVIDIA driver is too old: it knows CUDA 11.4, libplumb_cuda.so was built with CUDA 12.4; update");
    setenv("CUDA_VISIBLE_DEVICES", "5", 1);
    lacking("CUEMU_DEVICES", "0", "cuda-emulated", PL_E_UNSUPPORTED,
            "the driver shows no GPU (CUDA_VISIBLE_DEVICES is '5')");
    unsetenv("CUDA_VISIBLE_DEVICES");
    lacking("CUEMU_DEVICES", "0", "cuda-emulated:1", PL_E_UNSUPPORTED, "(CUDA_VISIBLE_DEVICES is not set)");
    lacking("CUEMU_DEVICES", "2", "cuda-emulated:7", PL_E_UNSUPPORTED,
            "cuda-emulated:7 does not exist: there are 2, from cuda-emulated:0 to cuda-emulated:1");
    lacking("CUEMU_DEVICES", "1", "cuda-emulated:1", PL_E_UNSUPPORTED, "there is 1, from");
    lacking("CUEMU_ARCHITECTURE", "75", "cuda-emulated", PL_E_UNSUPPORTED, "is sm_75: plumb needs sm_80 or newer");
    lacking("CUEMU_FAIL", "busy", "cuda-emulated", PL_E_DEVICE, "is busy: another process has it");
    lacking("CUEMU_FAIL", "full", "cuda-emulated", PL_E_MEMORY, "has no room left for a CUDA context");
    lacking("PLUMB_CUDA_PLUGIN_", "", "cuda-emulated:9999", PL_E_UNSUPPORTED, "cuda-emulated:9999 does not exist");
}

static world emulated_open(const char *name)
{
    world w = {0};
    unsetenv("PLUMB_CUDA_PLUGIN");
    must(pl_processor_open(&w.processor, name, 3));
    must(w.processor.ops->stream_create(w.processor.device, &w.stream));
    return w;
}

static bool is_for_training(size_t entry)
{
    static const size_t offsets[] = {offsetof(pl_backend, weight_attach),
                                     offsetof(pl_backend, weight_attached_bytes),
                                     offsetof(pl_backend, parameters_create),
                                     offsetof(pl_backend, parameters_free),
                                     offsetof(pl_backend, norm_backward_workspace_bytes),
                                     offsetof(pl_backend, head_norm_backward_workspace_bytes),
                                     offsetof(pl_backend, linear_backward_workspace_bytes),
                                     offsetof(pl_backend, attention_backward_workspace_bytes),
                                     offsetof(pl_backend, score_backward_workspace_bytes),
                                     offsetof(pl_backend, gradient_norm_workspace_bytes),
#define X(op) offsetof(pl_backend, unchecked.op),
                                     PL_TRAINING_OPS(X)
#undef X
    };
    for (size_t i = 0; i < sizeof offsets / sizeof *offsets; i++)
        if (offsets[i] == entry * sizeof(void *)) return true;
    return false;
}

static void test_device(void **state)
{
    (void)state;
    world w = emulated_open("cuda-emulated");
    pl_device_facts facts;
    must(w.processor.ops->facts(w.processor.device, &facts));
    assert_string_equal(w.processor.ops->name, "cuda-emulated");
    assert_string_equal(facts.device_class, "cuda-emulated");
    assert_non_null(strstr(facts.name, "cuda-emulated:0 ("));
    assert_int_equal(facts.n_threads, 3);
    assert_true(facts.memory_bytes >= facts.free_bytes && facts.free_bytes > 0);
    assert_string_equal(w.processor.choice, "");

    /* The plug-in has every entry that the CPU backend has, but for training, and graphs. */
    const void *const *cpu = (const void *const *)&pl_backend_cpu, *const *cuda = (const void *const *)w.processor.ops;
    for (size_t i = offsetof(pl_backend, open) / sizeof(void *); i < sizeof(pl_backend) / sizeof(void *); i++) {
        if (cpu[i] && !cuda[i] && !is_for_training(i)) fail_msg("entry %zu of the table is missing", i);
    }
    assert_false(w.processor.ops->exact || w.processor.ops->shares_memory);
    assert_non_null(w.processor.ops->record_begin);

    /* A file of the wrong backend. */
    refused(PLUGIN_EMULATED, "cuda", PL_E_UNSUPPORTED, "is the backend 'cuda-emulated', expected 'cuda'");
    pl_processor other;
    must(pl_processor_open(&other, "auto", 1)); /* and auto never takes it */
    assert_string_equal(other.ops->name, "cpu");
    pl_processor_close(&other);
    world_close(&w);
}

static void test_memory(void **state)
{
    (void)state;
    world w = emulated_open("cuda-emulated");
    const pl_backend *ops = w.processor.ops;
    pl_device_facts before, during;
    pl_buffer *big = NULL;
    setenv("CUEMU_MEMORY_MIB", "2", 1);
    must(ops->facts(w.processor.device, &before));
    assert_int_equal(before.memory_bytes, 2 << 20);
    assert_int_equal(ops->buffer_create(w.processor.device, &big, 3 << 20), PL_E_MEMORY);
    assert_non_null(strstr(pl_error_text(), "3145728 bytes for a buffer cannot be had on cuda-emulated:0"));
    assert_non_null(strstr(pl_error_text(), "of its 2097152 bytes are free"));
    assert_null(big);
    must(ops->buffer_create(w.processor.device, &big, 1 << 20));
    must(ops->facts(w.processor.device, &during));
    assert_int_equal(before.free_bytes - during.free_bytes, 1 << 20);
    ops->buffer_free(big);
    must(ops->facts(w.processor.device, &during));
    assert_int_equal(before.free_bytes, during.free_bytes);
    unsetenv("CUEMU_MEMORY_MIB");
    ops->buffer_free(NULL);
    ops->stream_free(NULL);
    ops->event_free(NULL);
    ops->graph_free(NULL);
    ops->weight_free(NULL);
    ops->kv_free(NULL);
    ops->host_memory_free(w.processor.device, NULL);
    must(ops->buffer_create(w.processor.device, &big, 0)); /* nothing is something that can be freed */
    ops->buffer_free(big);
    assert_true(ops->weight_bytes(3, 5, PL_F32) >= 15 * sizeof(float));
    assert_true(ops->weight_bytes(3, 5, PL_BF16) >= 30 &&
                ops->weight_bytes(3, 5, PL_BF16) < ops->weight_bytes(3, 5, PL_F32));

    /* Pinned memory comes zeroed; rows of a view inside a view; nothing beside them is touched. */
    float *host;
    must(ops->host_memory_create(w.processor.device, (void **)&host, 24 * sizeof *host));
    for (size_t i = 0; i < 24; i++) assert_true(host[i] == 0.0f);
    for (size_t i = 0; i < 24; i++) host[i] = (float)i;
    pl_view v = guarded(&w, 6, 4, PL_F32, host);
    check_guards(&w, v);
    pl_view part = pl_view_columns(pl_view_rows(v, 2, 3), 1, 2);
    must(pl_fill_zero(&w.processor, w.stream, part));
    must(pl_download(&w.processor, w.stream, host, v));
    must(ops->stream_wait(w.stream));
    for (size_t i = 0; i < 24; i++) {
        size_t r = i / 4, c = i % 4;
        assert_true(host[i] == (r >= 2 && r < 5 && c >= 1 && c < 3 ? 0.0f : (float)i));
    }
    check_guards(&w, v);
    assert_int_equal(pl_download(&w.processor, w.stream, host, pl_view_rows(v, 3, 6)), PL_E_INTERNAL);
    assert_non_null(strstr(pl_error_text(), "download: from ends outside its buffer"));
    pl_view none = pl_view_rows(v, 0, 0);
    must(pl_upload(&w.processor, w.stream, none, NULL));
    must(pl_download(&w.processor, w.stream, NULL, none));
    must(pl_fill_zero(&w.processor, w.stream, none));
    release(&w, &v);
    ops->host_memory_free(w.processor.device, host);
    world_close(&w);
}

/* ---- Graphs, events, threads ---- */

static void expect_values(const world *w, pl_view v, float first)
{
    float got[8];
    must(pl_download(&w->processor, w->stream, got, v));
    must(w->processor.ops->stream_wait(w->stream));
    for (size_t i = 0; i < 8; i++) {
        if (got[i] != (first < 0 ? 0.0f : first + (float)i)) fail_msg("element %zu is %g, from %g", i, got[i], first);
    }
}

static void send_values(const world *w, pl_view v, float first)
{
    float data[8];
    for (size_t i = 0; i < 8; i++) data[i] = first + (float)i;
    must(pl_upload(&w->processor, w->stream, v, data));
    must(w->processor.ops->stream_wait(w->stream));
}

static void test_graphs(void **state)
{
    (void)state;
    world w = emulated_open("cuda-emulated");
    const pl_backend *ops = w.processor.ops;
    pl_view a, b, c;
    pl_graph *there, *back, *empty;
    must(pl_view_create(&w.processor, &a, 2, 4, PL_F32));
    must(pl_view_create(&w.processor, &b, 2, 4, PL_F32));
    must(pl_view_create(&w.processor, &c, 2, 4, PL_F32));
    send_values(&w, a, 1);

    must(ops->record_begin(w.stream));
    must(pl_op_copy(&w.processor, w.stream, &(pl_copy_args){.from = a, .to = b}));
    must(pl_op_copy(&w.processor, w.stream, &(pl_copy_args){.from = b, .to = c}));
    must(ops->record_end(w.stream, &there));
    expect_values(&w, c, -1); /* nothing ran */
    must(ops->record_begin(w.stream));
    must(pl_op_copy(&w.processor, w.stream, &(pl_copy_args){.from = c, .to = a}));
    must(pl_fill_zero(&w.processor, w.stream, c));
    must(ops->record_end(w.stream, &back));

    must(ops->replay(w.stream, there));
    expect_values(&w, c, 1);
    send_values(&w, a, 50); /* a replay sees what stands in the views now */
    expect_values(&w, c, 1);
    must(ops->replay(w.stream, there));
    expect_values(&w, c, 50);
    send_values(&w, c, 70);
    must(ops->replay(w.stream, back));
    expect_values(&w, a, 70);
    expect_values(&w, c, -1);
    must(ops->replay(w.stream, there));
    expect_values(&w, c, 70);

    /* A wait inside a recording spoils it; the stream works again after record_end. */
    pl_graph *spoiled = back;
    must(ops->record_begin(w.stream));
    assert_int_equal(ops->record_begin(w.stream), PL_E_DEVICE);
    assert_int_equal(ops->stream_wait(w.stream), PL_E_DEVICE);
    assert_non_null(strstr(pl_error_text(), "waiting for a stream on cuda-emulated:0"));
    assert_int_equal(ops->record_end(w.stream, &spoiled), PL_E_DEVICE);
    assert_null(spoiled);
    assert_int_equal(ops->record_end(w.stream, &spoiled), PL_E_DEVICE); /* none is under way */
    must(ops->record_begin(w.stream));
    must(ops->record_end(w.stream, &empty));
    must(ops->replay(w.stream, empty));
    must(ops->replay(w.stream, there));
    expect_values(&w, c, 70);

    ops->graph_free(empty);
    ops->graph_free(there);
    ops->graph_free(back);
    pl_view_free(&w.processor, &a);
    pl_view_free(&w.processor, &b);
    pl_view_free(&w.processor, &c);
    world_close(&w);
}

/* A step between two streams and an event that another thread waits for. */
typedef struct handover {
    const pl_backend *ops;
    pl_event *event;
    pl_status status;
} handover;

static void *wait_for_event(void *p)
{
    handover *h = p;
    h->status = h->ops->event_wait_host(h->event);
    return NULL;
}

static void test_events(void **state)
{
    (void)state;
    setenv("CUEMU_DEVICES", "2", 1);
    world w = emulated_open("cuda-emulated:1"); /* not the device that a new thread starts with */
    pl_stream *second, *elsewhere;
    pl_event *event;
    must(w.processor.ops->stream_create(w.processor.device, &second));
    must(w.processor.ops->event_create(w.processor.device, &event));
    must(w.processor.ops->event_wait(event, second)); /* never recorded: nothing to wait for */
    must(w.processor.ops->event_record(event, w.stream));
    must(w.processor.ops->event_wait(event, second));
    must(w.processor.ops->event_wait_host(event));
    pl_processor zero;
    must(pl_processor_open(&zero, "cuda-emulated:0", 1));
    must(w.processor.ops->event_record(event, w.stream)); /* wherever the thread was last */
    assert_int_equal(zero.ops->stream_create(zero.device, &elsewhere), PL_OK);
    assert_int_equal(zero.ops->event_record(event, elsewhere), PL_E_DEVICE); /* an event has one device */
    zero.ops->stream_free(elsewhere);
    pl_processor_close(&zero);
    handover h = {w.processor.ops, event, PL_E_INTERNAL};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, wait_for_event, &h), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    must(h.status);
    w.processor.ops->event_free(event);
    w.processor.ops->stream_free(second);
    world_close(&w);
    unsetenv("CUEMU_DEVICES");
}

/* Each thread has a device and its own streams; ops, transfers and graphs go to the device of the stream, whatever the
 * thread did before. */
typedef struct worker {
    const pl_processor *processors; /* [2] */
    float first;
    char trouble[256];
} worker;

/* Makes the other device the thread's current one. */
static pl_status turn_to(const pl_processor *processor)
{
    pl_device_facts facts;
    return processor->ops->facts(processor->device, &facts);
}

static pl_status work(const worker *job)
{
    for (size_t round = 0; round < 20; round++) {
        const pl_processor *processor = &job->processors[round % 2], *other = &job->processors[1 - round % 2];
        const pl_backend *ops = processor->ops;
        pl_stream *stream = NULL;
        pl_graph *graph = NULL;
        pl_view a = {0}, b = {0};
        pl_status status;
        float data[8], back[8];
        for (size_t i = 0; i < 8; i++) data[i] = job->first + (float)(8 * round + i);
        PL_GOTO(status, done, ops->stream_create(processor->device, &stream));
        PL_GOTO(status, done, pl_view_create(processor, &a, 1, 8, PL_F32));
        PL_GOTO(status, done, pl_view_create(processor, &b, 1, 8, PL_F32));
        PL_GOTO(status, done, turn_to(other));
        PL_GOTO(status, done, ops->record_begin(stream));
        PL_KEEP(status, turn_to(other));
        PL_KEEP(status, pl_op_copy(processor, stream, &(pl_copy_args){.from = a, .to = b}));
        PL_KEEP(status, ops->record_end(stream, &graph));
        if (status != PL_OK) goto done;
        PL_GOTO(status, done, turn_to(other));
        PL_GOTO(status, done, pl_upload(processor, stream, a, data));
        PL_GOTO(status, done, turn_to(other));
        PL_GOTO(status, done, ops->replay(stream, graph));
        PL_GOTO(status, done, pl_download(processor, stream, back, b));
        PL_GOTO(status, done, ops->stream_wait(stream));
        if (memcmp(data, back, sizeof data) != 0) status = pl_fail(PL_E_INTERNAL, "round %zu: other values", round);
    done:
        ops->graph_free(graph);
        pl_view_free(processor, &a);
        pl_view_free(processor, &b);
        ops->stream_free(stream);
        if (status != PL_OK) return status;
    }
    return PL_OK;
}

static void *run_worker(void *p)
{
    worker *job = p;
    if (work(job) != PL_OK) (void)snprintf(job->trouble, sizeof job->trouble, "%.250s", pl_error_text());
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    enum { WORKERS = 4 };
    pl_processor processors[2];
    pthread_t threads[WORKERS];
    worker workers[WORKERS];
    unsetenv("PLUMB_CUDA_PLUGIN");
    setenv("CUEMU_DEVICES", "2", 1);
    must(pl_processor_open(&processors[0], "cuda-emulated:0", 1));
    must(pl_processor_open(&processors[1], "cuda-emulated:1", 1));
    for (size_t i = 0; i < WORKERS; i++) {
        workers[i] = (worker){.processors = processors, .first = 1000.0f * (float)(i + 1)};
        assert_int_equal(pthread_create(&threads[i], NULL, run_worker, &workers[i]), 0);
    }
    for (size_t i = 0; i < WORKERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_string_equal(workers[i].trouble, "");
    }
    pl_processor_close(&processors[1]);
    pl_processor_close(&processors[0]);
    unsetenv("CUEMU_DEVICES");
}

/* ---- The host out of memory ---- */

/* The plug-in's handles come from calloc, and the program's symbols are looked up before the C library's: this one
 * fails once, at the chosen call of this thread. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define REAL_CALLOC __interceptor_calloc
#else
#define REAL_CALLOC __libc_calloc
#endif
void *REAL_CALLOC(size_t n, size_t size);
static _Thread_local long fail_in = -1; /* calls until the one that fails; -1: none does */

__attribute__((visibility("default"))) void *calloc(size_t n, size_t size)
{
    if (fail_in >= 0 && fail_in-- == 0) return NULL;
    return REAL_CALLOC(n, size);
}

/* Makes one of everything and takes it down again, whatever failed. */
static pl_status make_everything(void)
{
    pl_processor processor;
    pl_view view = {0};
    pl_stream *stream = NULL;
    pl_event *event = NULL;
    pl_graph *graph = NULL;
    pl_weight *weight = NULL;
    pl_kv *kv = NULL;
    pl_status status = pl_processor_open(&processor, "cuda-emulated", 1);
    if (status != PL_OK) return status;
    PL_GOTO(status, done, pl_view_create(&processor, &view, 2, 3, PL_F32));
    PL_GOTO(status, done, processor.ops->stream_create(processor.device, &stream));
    PL_GOTO(status, done, processor.ops->event_create(processor.device, &event));
    PL_GOTO(status, done, processor.ops->weight_create(processor.device, &weight, 4, 8, PL_F32));
    PL_GOTO(status, done, processor.ops->kv_create(processor.device, &kv, 1, 1, 8, 2, PL_F32));
    PL_GOTO(status, done, processor.ops->record_begin(stream));
    PL_KEEP(status, pl_fill_zero(&processor, stream, view));
    PL_KEEP(status, processor.ops->record_end(stream, &graph));
done:
    processor.ops->graph_free(graph);
    processor.ops->kv_free(kv);
    processor.ops->weight_free(weight);
    processor.ops->event_free(event);
    processor.ops->stream_free(stream);
    pl_view_free(&processor, &view);
    pl_processor_close(&processor);
    return status;
}

static void test_no_memory(void **state)
{
    (void)state;
    long n = 0, n_failed = 0;
    unsetenv("PLUMB_CUDA_PLUGIN");
    must(make_everything());
    for (; n < 1000; n++) {
        fail_in = n;
        pl_status status = make_everything();
        bool over = fail_in >= 0; /* it never came to the n-th call */
        fail_in = -1;
        if (over) break;
        if (status == PL_OK) continue; /* a call that can do without */
        assert_int_equal(status, PL_E_MEMORY);
        assert_non_null(strstr(pl_error_text(), "memory"));
        n_failed++;
    }
    assert_true(n < 1000 && n_failed >= 7); /* device, buffer, stream, event, weight, pages, graph */
    must(make_everything());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),     cmocka_unit_test(test_names),  cmocka_unit_test(test_auto),
        cmocka_unit_test(test_lacks),     cmocka_unit_test(test_device), cmocka_unit_test(test_memory),
        cmocka_unit_test(test_graphs),    cmocka_unit_test(test_events), cmocka_unit_test(test_threads),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
