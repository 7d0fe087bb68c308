#!/usr/bin/env bash
# Prompts as chats: every condition's prompts, rows, ids and names, and what is said of them before a run. Then templates that may not be
# shipped (of tokenizers in $PLUMB_DATA and $PLUMB_SMOLLM2, and files or folders in PLUMB_CHAT_TEMPLATES), against transformers; needs a
# Python with lm_eval, which brings it (PLUMB_LM_EVAL, default python3); SKIP without.
source "$(dirname "$0")/lib.sh"
if "$python" -c 'import h5py' 2>/dev/null; then
  "$python" -B tests/program/chat.py "$PLUMB" "$root/experiments/tiny/large" "$tmp" || failures=1
else
  skip "chats (python3 has no h5py)"
fi

harness=${PLUMB_LM_EVAL:-python3}
templates=()
for folder in "$PLUMB_DATA"/tokenizers/*/ "${PLUMB_SMOLLM2:-}"; do
  [ -n "$folder" ] && [ -f "$folder/tokenizer_config.json" ] && templates+=("$folder")
done
read -ra more <<<"${PLUMB_CHAT_TEMPLATES:-}"
templates+=("${more[@]}")
if ! "$harness" -c 'import lm_eval, transformers' 2>/dev/null; then
  skip "chats of lm-evaluation-harness and of published templates: no Python with lm_eval; PLUMB_LM_EVAL names one"
elif [ ${#templates[@]} -eq 0 ]; then
  skip "published chat templates: none in PLUMB_DATA, PLUMB_SMOLLM2 and PLUMB_CHAT_TEMPLATES"
else
  check "published chat templates are read" bash -c '"$0" tests/golden/jinja/make_chat.py "${@:2}" >"$1"' "$harness" "$tmp/cases.json" "${templates[@]}"
  check "published chat templates give what transformers gives" env PLUMB_CHAT_CASES="$tmp/cases.json" "$PLUMB_BUILD/tests/jinja_test_chat"
fi
exit $((failures > 0))
