#!/usr/bin/env bash
# Help, version and completion as shells read them; bash and fish complete for real where they are installed.
source "$(dirname "$0")/lib.sh"

same() { [ "$("${@:2}" 2>&1)" = "$1" ]; }
help=$("$PLUMB" --help)
check "-h is --help" same "$help" "$PLUMB" -h
check "help is --help" same "$help" "$PLUMB" help
check "help VERB is VERB --help" same "$("$PLUMB" run --help)" "$PLUMB" help run
check "VERB -h is VERB --help" same "$("$PLUMB" run --help)" "$PLUMB" run -h
check "-V is --version" same "$("$PLUMB" --version)" "$PLUMB" -V
check "the version is one line" bash -c "'$PLUMB' -V | grep -qE '^plumb [0-9]+\.[0-9]+\.[0-9]+\$' && [ \$('$PLUMB' -V | wc -l) -eq 1 ]"
expect "no such verb" 2 "'rnu' is no verb; did you mean 'run'" "$PLUMB" rnu
expect "no such verb: help" 2 "'rnu' is no verb" "$PLUMB" help rnu
expect "no such option" 2 'has no option --devise; did you mean --device' "$PLUMB" run x.yaml --devise cpu
expect "no such shell" 2 "expected bash, zsh or fish; found 'tcsh'" "$PLUMB" completion tcsh
check "the examples of the help are read" bash -c "'$PLUMB' --help | awk '/^  [a-z]/ {print \$1}' | while read -r verb; do
  example=\$('$PLUMB' \$verb --help | sed -n 's/^example: plumb //p'); [ -n \"\$example\" ] || exit 1
  cd '$tmp' && bash -c \"'$PLUMB' \${example%%>*} --help\" >/dev/null || exit 1; done"

# completes LINE EXPECTED...: what bash offers for the last word of the line.
completes() {
  local line=$1
  shift
  bash -c "
    source '$tmp/completion.bash'
    cd '$tmp/place' || exit 1
    read -ra COMP_WORDS <<<\"\${1//=/ = }\"
    [[ \$1 == *' ' || \$1 == *= ]] && [[ \$1 != *= ]] && COMP_WORDS+=('')
    COMP_CWORD=\$((\${#COMP_WORDS[@]} - 1))
    _plumb
    printf '%s\n' \"\${COMPREPLY[@]}\"" _ "$line" | sort >"$tmp/got"
  [ $# -gt 0 ] || set -- ''
  printf '%s\n' "$@" | sort | diff - "$tmp/got"
}
mkdir -p "$tmp/place/folder"
touch "$tmp/place/one.yaml" "$tmp/place/two words.yaml" "$tmp/place/texts.jsonl" "$tmp/place/else.txt"
"$PLUMB" completion bash >"$tmp/completion.bash"
check "bash: the script is well formed" bash -n "$tmp/completion.bash"
check "bash: verbs" completes "plumb st" status
check "bash: a verb in full" completes "plumb to" tokenize
check "bash: options" completes "plumb status --" --help --json --watch
check "bash: only the verb's options" completes "plumb status --dev"
check "bash: values of an option" completes "plumb run one.yaml --device c" cpu cuda
check "bash: values behind =" completes "plumb run one.yaml --device=c" cpu cuda
check "bash: every value behind =" completes "plumb run one.yaml --device=" cpu cuda auto
check "bash: experiments and folders" completes "plumb run " folder one.yaml "two words.yaml"
check "bash: folders" completes "plumb inspect " folder
check "bash: the second word" completes "plumb extract folder " folder texts.jsonl
check "bash: words are counted past options" completes "plumb extract --device cpu --json folder t" texts.jsonl
check "bash: shells" completes "plumb completion " bash zsh fish
check "bash: verbs behind help" completes "plumb help an" analyze

"$PLUMB" completion zsh >"$tmp/_plumb"
"$PLUMB" completion fish >"$tmp/plumb.fish"
if command -v zsh >/dev/null; then
  check "zsh: the script is well formed" zsh -n "$tmp/_plumb"
  check "zsh: compinit finds it" bash -c "[ \"\$(zsh -fc 'fpath=($tmp \$fpath); autoload -U compinit; compinit -u -D; print \$_comps[plumb]')\" = _plumb ]"
else
  skip "zsh is not installed"
fi
if command -v fish >/dev/null; then
  fish_completes() { fish --no-config -c "source $tmp/plumb.fish; complete -C '$1'" | cut -f1 | sort | xargs >"$tmp/got"; shift; [ "$(printf '%s\n' "$@" | sort | xargs)" = "$(cat "$tmp/got")" ]; }
  check "fish: the script is well formed" fish --no-config -n "$tmp/plumb.fish"
  check "fish: verbs" fish_completes "plumb st" status
  check "fish: options" fish_completes "plumb status --w" --watch
  check "fish: values" fish_completes "plumb run one.yaml --device c" cpu cuda
else
  skip "fish is not installed"
fi
exit $((failures > 0))
