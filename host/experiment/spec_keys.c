#include "experiment/spec_keys.h"

const pl_yaml_key pl_spec_root_keys[] = {
    {"name", "required", "names the run folder: letters, digits, `-`, `_` and `.`"},
    {"models", "required", "checkpoints, each a path or a map; a factor of the sweep"},
    {"tasks", "required", "task files, relative to this file; a factor of the sweep"},
    {"templates", "all of a task's, with its roles", "which templates, by role; a factor of the sweep"},
    {"arms", "required", "ways to adapt; a factor of the sweep"},
    {"chat", "plain text", "whether prompts are asked as chats, and how; a factor of the sweep"},
    {"primary", "none", "the contrasts that the experiment is run for, one a task: part of the run folder's hash"},
    {"verdict", "its defaults", "what prompting and tuning are judged by: part of the run folder's hash"},
    {"analysis", "none of them", "what the analysis makes on request: part of the run folder's hash"},
    {"staged", "false",
     "true: arms run in the order of their cost, prompt, linear, finetune, for each model, task and readout as far as "
     "they are needed: see \"The verdict\". Needs `verdict.require`. Part of the run folder's hash, of no unit's id"},
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
    {"revision", "none",
     "a folder below `path`, or a list of them: checkpoints of one training run; a factor of the sweep. Each is called "
     "`name@revision`"},
    {"name", "the path's last part", "what the model is called in tables and files; unique in the experiment"},
    {"dtype", "`float32`",
     "type of products: `float32`, `bf16x3`, `bf16`, `fp16`, `tf32`; the CPU has `float32`, `bf16` where it has "
     "AVX-512-BF16 or AMX, and `bf16x3` where it has AMX: float32's accuracy, every number as the sum of three of "
     "bfloat16. Arms that learn follow it"},
    {0},
};

const pl_yaml_key pl_spec_template_keys[] = {
    {"id", "none", "names of in-distribution templates"},
    {"dev", "none", "names of templates that may be used for choices"},
    {"ood", "none", "names of out-of-distribution templates: never used for any choice"},
    {0},
};

const pl_yaml_key pl_spec_chat_keys[] = {
    {"apply", "`false`",
     "`true`: prompts are put into the model's chat template (`chat_template.jinja`, or `chat_template` of "
     "`tokenizer_config.json`) as lm-evaluation-harness does with `--apply_chat_template`: the description is the "
     "system "
     "text, shots and item are one user turn, and no `target_delimiter` stands before a choice; `[false, true]`: both"},
    {"system", "`null`",
     "the system text, as of `--system_instruction`: it stands before the description; with `apply: false` in front of "
     "the plain prompt. A list of texts and `null` makes conditions. A template that refuses system texts gets none, "
     "and "
     "it is said"},
    {"fewshot_as_multiturn", "`false`",
     "`true`: each shot is a turn of the user and one of the assistant, as of `--fewshot_as_multiturn`; `[false, "
     "true]`: "
     "both"},
    {"date", "`2024-07-26`", "the day that templates which ask for today's are told; it does not move on by itself"},
    {0},
};

const pl_yaml_key pl_spec_primary_keys[] = {
    {"task", "required", "name of the task; every model has the contrast"},
    {"arm", "required", "one arm, as below"},
    {"minus", "required",
     "the arm that it is held against, or `best_prompt`: the prompting arm that is best on dev templates"},
    {"metric", "`acc`", "`acc`, or `acc_cc`: prompting arms with contextual calibration"},
    {"templates", "`ood`", "role of the templates: `ood`, `dev` or `id`"},
    {"readout", "`loglikelihood`", "`loglikelihood` or `generate`"},
    {0},
};

const pl_yaml_key pl_spec_primary_arm_keys[] = {
    {"kind", "required", "`prompt`, `linear` or `finetune`"},
    {"name", "any", "of the arm"},
    {"shots", "any", "demonstrations (k)"},
    {"n_train", "any", "labelled examples"},
    {"head", "any", "`lm` or `classifier`"},
    {"train_templates", "any", "as tables name them: `standard`, `standard+short`"},
    {"labels", "any", "`given` or `shuffled`"},
    {"chat", "any", "as tables name it behind the `+`: `chat`, `chat-multi`, `chat-sys`, ..; `plain`"},
    {0},
};

const pl_yaml_key pl_spec_verdict_keys[] = {
    {"require", "the commonest label's share (items with choices of their own: chance) + 0.1",
     "accuracy that is needed, above 0, at most 1; of every task"},
    {"margin", "0.03", "what tuning must bring, in accuracy, for prompting not to be enough; above 0, at most 1"},
    {"template_sd_max", "0.05",
     "of a run that is `staged`, else not read: the SD over templates that prompting may have to be enough; above 0, "
     "at "
     "most 1"},
    {0},
};

const pl_yaml_key pl_spec_analysis_keys[] = {
    {"layer_pairs", "false",
     "calibrated similarity of every layer with every layer: of the same unit, of a tuned model with the checkpoint as "
     "it is, of a model with an earlier one; and of all pairs of layers the mean and the largest. Of one draw and up "
     "to "
     "800 items; 13 layers take about 12 s a template and comparison"},
    {"top3", "false",
     "`wobble`, `cka_debiased` and `participation_ratio` also of states without the three dimensions that vary most "
     "within templates (`preproc` top3): twice the time of CKA"},
    {"length", "false",
     "`wobble` and `cka_debiased` also of states less what the prompt's number of tokens and its square predict, under "
     "each template (`preproc` length), and the share of CKA that this prediction makes (`cka_length`)"},
    {"tsne", "none", "maps of states at position last, as a map of the keys below; `{}` takes their defaults"},
    {0},
};

const pl_yaml_key pl_spec_maps_keys[] = {
    {"layers", "`[half, last]`",
     "which of the stored layers: numbers, `half` (the nearest to half way), `last` (the deepest number), "
     "`final_norm`, "
     "or `all`"},
    {"perplexity", "30", "neighbours that count for a point; fewer than a third of the points"},
    {"dims", "50", "principal components that a map is made of"},
    {"seeds", "5", "runs with other starts, for a band; 1: none"},
    {0},
};

const pl_yaml_key pl_spec_arm_keys[] = {
    {"kind", "required", "`prompt`; for `linear` and `finetune` see below"},
    {"name", "none",
     "tells the arm apart in tables (`finetune:long ...`) from another that differs in its recipe, layers or balance "
     "alone; unique in the experiment; letters, digits, `-`, `_` and `.`. It decides no number"},
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

const pl_yaml_key pl_spec_linear_keys[] = {
    {"kind", "required", "`linear`: L2 logistic regression on the frozen model's states at the prompt's last token"},
    {"name", "none", "as for `prompt`"},
    {"n_train", "required", "labelled examples of the fit; a factor of the sweep"},
    {"seeds", "1", "draws of the examples, the same that `finetune` and the shots of `prompt` have; a factor"},
    {"train_templates", "the first of role id",
     "a template's name, or a list of names; a name or list inside the list is one condition (a list: a mixture, each "
     "example under one of its templates, by seed); a factor of the sweep"},
    {"layers", "`final_norm`",
     "layers of the states, named as in `capture`; among several, inner cross-validation chooses"},
    {"labels", "`given`",
     "`given`, or `shuffled`: exchanged among the examples, a control that must end at chance; a factor of the sweep"},
    {"balance", "true", "a draw takes classes in turn"},
    {0},
};

/* Of every training, by the names of Hugging Face's Trainer. */
#define RECIPE_KEYS                                                                                                    \
    {"num_train_epochs", "3", "times that every example is seen"},                                                     \
        {"train_batch_size", "8", "examples of a step, over all lanes"},                                               \
        {"micro_batch_size", "a lane's share of `train_batch_size`", "examples that are computed at once in a lane"},  \
        {"lanes", "1", "parts of a step whose gradients are added in order; what several ranks share"},                \
        {"lr_scheduler_type", "`linear`", "`linear`, `cosine` or `constant`, behind the warm-up"},                     \
        {"loss_mean", "`tokens`", "a step's loss is the mean over its label `tokens`, or over its `examples`"},        \
        {"warmup_ratio", "0", "share of the steps in which the learning rate rises"},                                  \
        {"warmup_steps", "0", "the same as a number of steps"}, {"weight_decay", "0", "decoupled, of matrices only"},  \
        {"adam_beta1", "0.9", "of AdamW"}, {"adam_beta2", "0.999", "of AdamW"}, {"adam_epsilon", "1e-8", "of AdamW"},  \
        {"max_grad_norm", "1", "the gradient is scaled down to this norm; 0: never"},                                  \
        {"dropout", "the checkpoint's own", "probability at every site"},                                              \
        {"gradient_checkpointing", "false", "blocks are computed again in the backward pass: less memory, more time"}, \
    {                                                                                                                  \
        "bf16", "false", "products in bfloat16, weights and sums in float32; where the device has it"                  \
    }

const pl_yaml_key pl_spec_finetune_keys[] = {
    {"kind", "required", "`finetune`: all weights are trained"},
    {"name", "none", "as for `prompt`"},
    {"head", "`lm`",
     "`lm`: the label words through the vocabulary head, as prompting reads them; `classifier`: a head of its own with "
     "a row a label (Hugging Face's sequence classification); a factor of the sweep"},
    {"readout", "`loglikelihood`", "as for `prompt`; `generate` with head `lm` only; a factor of the sweep"},
    {"n_train", "required",
     "labelled examples; the last quarter of them is held out to choose the learning rate and the best step; a factor"},
    {"seeds", "1",
     "draws of the examples; order of the data and a new head have seeds of their own that follow from it; a factor"},
    {"train_templates", "the first of role id", "as for `linear`; a factor of the sweep"},
    {"labels", "`given`", "`given`, or `shuffled`, a control that must end at chance; a factor of the sweep"},
    {"balance", "true", "a draw takes classes in turn"},
    {"learning_rate", "5e-5", "a list is a grid: the best on dev items x dev templates counts, all are in the cost"},
    RECIPE_KEYS,
    {"eval_steps", "each epoch",
     "steps between evaluations on dev items x dev templates; the best one's weights count"},
    {"save", "false", "the tuned weights stay in `checkpoints/` as a Hugging Face checkpoint"},
    {0},
};

const pl_yaml_key pl_corpus_keys[] = {
    {"init", "`checkpoint`",
     "`checkpoint`, or `random`: the weights are drawn as Hugging Face initialises the family, and MODEL needs no more "
     "than config.json and a tokenizer. `untrained`: the drawn weights as they are, for a control model; there is no "
     "CORPUS then"},
    {"seed", "1234", "keys the drawn weights, the order of the texts and dropout"},
    {"learning_rate", "5e-5", "the highest rate"},
    RECIPE_KEYS,
    {"compute", "`float32`", "type of products: `float32`, `bf16x3` or `bf16` (which is what `bf16: true` asks for)"},
    {"dtype", "`float32`", "`float32` or `bfloat16`: type of the weights that are written"},
    {"max_steps", "as the epochs say", "ends after so many steps; the schedule is theirs"},
    {0},
};

const pl_yaml_key pl_spec_capture_keys[] = {
    {"layers", "`default`",
     "`all`; numbers (0 is the embedding's output, i what comes out of block i); `default` (0, a quarter, half, three "
     "quarters, last but one, last, `final_norm`); `half`; `last`; `final_norm`"},
    {"positions", "`[last]`",
     "`last` token of the prompt; `label`, the last token of the gold label; `mean` over the item's own tokens without "
     "position 0; `all`, every distinct token once; `[]` stores none"},
    {"suffix", "none",
     "a text that is put behind every prompt, the same for all templates and arms; the state of its last token is "
     "stored too, as position `suffix`. It changes no score"},
    {"dtype", "`float32`", "storage type: `float32`, `float16`, `bfloat16`; what does not fit is counted"},
    {"items", "all",
     "so many items keep states: a random choice that depends on `seed` alone, in the place of a skipped item "
     "(`truncation: skip`) the next one by chance; their rows stand first in a unit's file"},
    {0},
};

const pl_yaml_section pl_spec_sections[] = {
    {"experiment", pl_spec_root_keys},
    {"models[]", pl_spec_model_keys},
    {"templates", pl_spec_template_keys},
    {"chat", pl_spec_chat_keys},
    {"primary", pl_spec_primary_keys},
    {"primary: arm", pl_spec_primary_arm_keys},
    {"verdict", pl_spec_verdict_keys},
    {"analysis", pl_spec_analysis_keys},
    {"analysis: tsne", pl_spec_maps_keys},
    {"arms[]", pl_spec_arm_keys},
    {"arms[] of kind linear", pl_spec_linear_keys},
    {"arms[] of kind finetune", pl_spec_finetune_keys},
    {"plumb train", pl_corpus_keys},
    {"capture", pl_spec_capture_keys},
    {NULL},
};
