#include "experiment/spec_keys.h"

const pl_yaml_key pl_spec_root_keys[] = {
    {"name", "required", "names the run folder: letters, digits, `-`, `_` and `.`"},
    {"models", "required", "checkpoints, each a path or a map; a factor of the sweep"},
    {"tasks", "required", "task files, relative to this file; a factor of the sweep"},
    {"templates", "all of a task's, with its roles", "which templates, by role; a factor of the sweep"},
    {"arms", "required", "ways to adapt; a factor of the sweep"},
    {"capture", "layers default, position last", "which hidden states are stored"},
    {"truncation", "`error`",
     "what happens to a prompt that is too long: `error`; `skip` leaves the item out of the cell (under 95 % kept is "
     "an "
     "error); `drop_shots` drops shots from the front; `truncate_left` cuts tokens after bos. Recorded per item in "
     "`/obs`"},
    {"items", "all", "evaluated items a task, a random choice that depends on `seed` alone"},
    {"seed", "1234", "keys every random choice: items, draws, orders"},
    {0},
};

const pl_yaml_key pl_spec_model_keys[] = {
    {"path", "required",
     "a checkpoint folder (relative to this file or to the working folder) or a name in the local Hugging Face cache; "
     "`${VAR}` and `${VAR:-default}` come from the environment"},
    {"name", "the path's last part", "what the model is called in tables and files; unique in the experiment"},
    {"dtype", "`float32`", "type of products: `float32`, `bf16`, `fp16`, `tf32`; the CPU has `float32` only"},
    {0},
};

const pl_yaml_key pl_spec_template_keys[] = {
    {"id", "none", "names of in-distribution templates"},
    {"dev", "none", "names of templates that may be used for choices"},
    {"ood", "none", "names of out-of-distribution templates: never used for any choice"},
    {0},
};

const pl_yaml_key pl_spec_arm_keys[] = {
    {"kind", "required", "`prompt`"},
    {"shots", "each task's `num_fewshot`", "demonstrations in front of the item (k); a factor of the sweep"},
    {"draws", "1",
     "sets of shots for each k > 0, each from a seed of its own; a factor of the sweep. With 1, a shot count means one "
     "set of shots. Where the pool has fewer distinct sets, fewer are planned, and it is said"},
    {"orders", "1", "orders of the shots of each draw for k > 1; order 0 is the draw's own; a factor of the sweep"},
    {"readout", "`loglikelihood`",
     "how a prediction is taken: `loglikelihood` of the choices, `generate` (greedy text); a factor of the sweep"},
    {"balance", "true",
     "a draw takes classes in turn, in an order that is counterbalanced over draws; without a label set there is "
     "nothing to balance"},
    {0},
};

const pl_yaml_key pl_spec_capture_keys[] = {
    {"layers", "`default`",
     "`all`; numbers (0 is the embedding's output, i what comes out of block i); `default` (0, a quarter, half, three "
     "quarters, last but one, last, `final_norm`); `half`; `last`; `final_norm`"},
    {"positions", "`[last]`",
     "`last` token of the prompt; `label`, the last token of the gold label; `mean` over the item's own tokens without "
     "position 0; `all`, every distinct token once; `[]` stores none"},
    {"dtype", "`float32`", "storage type: `float32`, `float16`, `bfloat16`; what does not fit is counted"},
    {"items", "all", "the first so many rows keep states"},
    {0},
};

const pl_yaml_section pl_spec_sections[] = {
    {"experiment", pl_spec_root_keys}, {"models[]", pl_spec_model_keys},  {"templates", pl_spec_template_keys},
    {"arms[]", pl_spec_arm_keys},      {"capture", pl_spec_capture_keys}, {NULL},
};
