#!/usr/bin/env bash
# cmake --install: the program, the experiments and the documents, which work from where they are installed; and a build
# without tests, which needs no test package, bundles.
source "$(dirname "$0")/lib.sh"
check "cmake --install" cmake --install "$PLUMB_BUILD" --prefix "$tmp/prefix"
share=$tmp/prefix/share/plumb
PLUMB=$tmp/prefix/bin/plumb PLUMB_MAKE_MODEL=$tmp/prefix/bin/plumb-make-model
check "the programs, nothing else" test "$(ls "$tmp/prefix/bin" | xargs)" = "plumb plumb-make-model"
for file in experiments/demo.yaml experiments/REFERENCE.md experiments/tasks/sentiment.yaml experiments/slurm/run.sbatch experiments/paper/data/plural.test.jsonl; do
  check "$file" test -e "$share/$file"
done
check "the documents" test -e "$tmp/prefix/share/doc/plumb/README.md" -a -e "$tmp/prefix/share/doc/plumb/results/README.md"
check "no sources" bash -c "! find '$tmp/prefix' -name '*.[ch]' -o -name '*.cu' -o -name '*.cmake' | grep ."
tiny_model "$tmp/gpt2" gpt2
check "an installed experiment runs" "$PLUMB" run "$share/experiments/paper/states-map.yaml" models="[$tmp/gpt2]" items=4 --threads 1 --quiet --results "$tmp/results"

# Without tests: a stand-in for pkg-config that knows no cmocka.
mkdir "$tmp/bin"
real=$(command -v pkg-config)
printf '#!/bin/sh\ncase "$*" in *cmocka*) exit 1 ;; esac\nexec %s "$@"\n' "$real" >"$tmp/bin/pkg-config"
chmod +x "$tmp/bin/pkg-config"
check "configures without cmocka" env PATH="$tmp/bin:$PATH" PKG_CONFIG="$tmp/bin/pkg-config" cmake -S . -B "$tmp/build" -DCMAKE_BUILD_TYPE=Release -DPLUMB_TESTS=OFF
if [ -e "$tmp/build/bundle-files.txt" ]; then
  check "bundles plumb and plumb-make-model alone" test "$(grep -v libplumb_cuda "$tmp/build/bundle-files.txt" | xargs -n1 basename | sort | xargs)" = "plumb plumb-make-model"
else
  fail "no list of what is bundled"
fi
exit $((failures > 0))
