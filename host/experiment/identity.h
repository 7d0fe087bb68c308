/* What a unit is: its id is the hash of all that decides its numbers, and holds no device, so that every node makes the
 * same ids. Beside it stands the numerics key: who computed. Units are shared where both are equal. */
#ifndef PLUMB_EXPERIMENT_IDENTITY_H
#define PLUMB_EXPERIMENT_IDENTITY_H

#include "base/digest.h"
#include "base/json.h"
#include "base/json_build.h"
#include "device/ops.h"
#include "experiment/spec.h"
#include "model/model.h"

/* Raised by hand when the bits of a result change: old units are then computed anew. */
enum { PL_NUMERICS_VERSION = 2 };

/* How prompts are asked. */
typedef struct pl_identity_chat {
    const char *system;   /* NULL: none */
    const char *template; /* digest of the model's chat template and special tokens; NULL: plain text */
    const char *date;     /* that the template is told; NULL: it does not ask */
    bool multiturn;
} pl_identity_chat;

/* All that a unit's file follows from; the names of model, task and template stand in it. No path, device, batch size,
 * rank or date. All is borrowed. */
typedef struct pl_identity {
    const char *model;                        /* its name in the experiment */
    const char *weights, *config, *tokenizer; /* digests: of the tensors, of what config.json decides, of the files */
    const char *unicode;                      /* of the tables that text passes through (pl_tokenizer_unicode) */
    const char *task, *template_name, *template_digest, *role;
    const char *test_sha256, *items_digest;
    const char *fewshot_sha256; /* NULL without shots */
    pl_readout readout;
    size_t k, draw, order;
    bool balance;                 /* shots are balanced over a label set */
    bool first_shots;             /* sampler first_n: they are the pool's first rows */
    const pl_identity_chat *chat; /* NULL: plain text without a system text */
    size_t n_content_free;        /* inputs that stand in an item's place for calibration; 0: none */
    const char *const *content_free;
    uint64_t seed;
    pl_truncation truncation;
    pl_dtype compute;
    bool captures; /* then the next five count */
    size_t n_layers, capture_items /* SIZE_MAX: all */;
    const size_t *layers;
    unsigned positions; /* PL_POSITION_* */
    const char *suffix; /* of that position; NULL: none */
    pl_dtype storage;
    const json_t *generation; /* what a generated answer depends on; NULL for another readout */
    size_t n_stops;           /* ids that end a generation */
    const int32_t *stops;
    const char *learned_by; /* the id of the unit that adapted the model; NULL: the checkpoint as it is */
    pl_arm_kind kind;       /* of that one's arm */
} pl_identity;

/* All that a unit follows from that adapts a model: what it learns from, and how. Borrowed. */
typedef struct pl_learning {
    const char *model, *weights, *config, *tokenizer, *unicode;
    const char *task, *fewshot_sha256;
    const char *examples; /* digest of rows, labels and their templates */
    pl_arm_kind kind;
    pl_labelling labels;
    size_t n_train, draw;
    bool balance;
    uint64_t seed;
    size_t n_templates, n_dev_templates;
    const pl_template *const *templates, *const *dev_templates;
    pl_truncation truncation;
    pl_dtype compute;
    const pl_identity_chat *chat; /* NULL: plain text without a system text */
    const char *until;            /* finetune: the text that ends an open answer; NULL: none is learned */
    pl_head_kind head;            /* finetune */
    const pl_recipe *recipe;      /* finetune; NULL: linear */
    const pl_config *facts;       /* finetune: the checkpoint's own dropouts, and how a new head is drawn */
    size_t n_layers;              /* linear */
    const size_t *layers;
    const char *group; /* linear: the field whose rows stay together in cross-validation; NULL: none */
} pl_learning;

pl_status pl_learning_text(pl_bytes *out, const pl_learning *learning);

/* Puts `chat`; nothing where it is NULL. */
void pl__put_chat(pl_json_builder *b, const pl_identity_chat *chat);

/* Appends the identity as canonical JSON: what the unit's id is the hash of, and what its file keeps. */
pl_status pl_identity_text(pl_bytes *out, const pl_identity *identity);
/* XXH3-128 of that text. */
pl_status pl_identity_id(char id[PL_HASH_TEXT], const pl_identity *identity);

/* "<device class>; <who makes the products>; numerics <N>": equal keys and equal ids mean equal bits. The facts are
 * those of a device that has the model's weights. */
enum { PL_NUMERICS_KEY = 224 };
void pl_numerics_key(char key[PL_NUMERICS_KEY], const pl_device_facts *facts);

#endif
