#!/usr/bin/env bash
# The bundle on a machine that has nothing: built from the test build, unpacked into a folder that becomes the root, with no
# shell, no C library and no /proc of its own but what the archive brings.
source "$(dirname "$0")/lib.sh"

exec 9>"$PLUMB_BUILD/.bundle.lock" # the bundle's folder is one: two tests at once take turns
flock 9
if ! cmake --build "$PLUMB_BUILD" --target bundle >"$tmp/bundle.log" 2>&1; then
  tail -5 "$tmp/bundle.log"
  fail "bundle is built"
  exit 1
fi
archive=$(ls "$PLUMB_BUILD"/plumb-*-linux-x86_64.tar.gz)
check "bundle is under 64 MiB ($(($(stat -c %s "$archive") >> 20)) MiB)" test "$(stat -c %s "$archive")" -lt $((64 << 20))
mkdir -p "$tmp/root/opt" "$tmp/root/tmp"
tar -xzf "$archive" -C "$tmp/root/opt"
top=/opt/$(basename "$archive" .tar.gz) here=$tmp/root/opt/$(basename "$archive" .tar.gz)

# Packed twice, the same bytes: no date and no name of the machine is in it.
before=$(sha256sum <"$archive")
cmake --build "$PLUMB_BUILD" --target bundle >"$tmp/bundle.log" 2>&1
check "packing again gives the same bytes" test "$before" = "$(sha256sum <"$archive")"

# The README's commands, one after the other, in a copy of the bundle.
cp -r "$here" "$tmp/readme"
sed -n '/^```sh$/,/^```$/p' "$here/README.md" | grep -v '^```' >"$tmp/readme.sh"
check "the README has commands" test "$(grep -c '^[a-z]' "$tmp/readme.sh")" -ge 8
check "the README's commands work" bash -c "cd '$tmp/readme' && bash -e '$tmp/readme.sh'"
check "the README's files are there" bash -c "cd '$tmp/readme' && ls $(grep -oE '\`(experiments|results|tests|bin|lib)/[^ \`*]*\`' "$here/README.md" | tr -d '\`' | grep -vE '^tests/|^results/demo' | xargs)"
rm -r "$tmp/readme"

# On this machine: through a symbolic link, from another folder, by relative path, with a space in the path.
mkdir "$tmp/a place"
cp -r "$here" "$tmp/a place/moved"
ln -s "$tmp/a place/moved/bin/plumb" "$tmp/link"
check "runs through a symbolic link" bash -c "cd / && '$tmp/link' --help | grep -q 'usage: plumb'"
check "runs by relative path" bash -c "cd '$tmp/a place/moved/lib' && ../bin/plumb --help | grep -q 'usage: plumb'"
check "runs from PATH" bash -c "PATH='$tmp/a place/moved/bin':\$PATH plumb --help | grep -q 'usage: plumb'"
rm "$tmp/a place/moved/libexec/plumb"
check "half an archive says so" bash -c "'$tmp/link' --help 2>&1 | grep -q 'unpack the whole archive'"
rm -r "$tmp/a place"

if [ "$(id -u)" -eq 0 ]; then enter=(chroot); else enter=(unshare --map-root-user chroot); fi
if ! "${enter[@]}" / /bin/true >"$tmp/enter.out" 2>&1; then
  skip "bundle in an empty root: $(tail -1 "$tmp/enter.out")"
  exit $((failures > 0))
fi
"${enter[@]}" "$tmp/root" "$top/bin/plumb" --help >"$tmp/enter.out" 2>&1
inside() { "${enter[@]}" "$tmp/root" "$top/bin/$1" "${@:2}"; }

check "--help" bash -c "grep -q 'usage: plumb' '$tmp/enter.out'"
for program in "$here"/libexec/* "$here"/lib/libplumb_*.so; do
  [ -e "$program" ] || continue
  unresolved=$("${enter[@]}" "$tmp/root" "$top/lib/ld-linux-x86-64.so.2" --library-path "$top/lib" --list "${program#"$tmp/root"}" 2>&1 |
    grep 'not found' | grep -vE 'lib(cublasLt|cuda)\.so') # CUDA's own are the host's
  [ -z "$unresolved" ] || fail "$(basename "$program") lacks a library: $unresolved"
done
check "bin/ holds plumb and plumb-make-model, nothing else" test "$(ls "$here/bin" | xargs)" = "plumb plumb-make-model"
check "the experiments are inside" test -e "$here/experiments/demo.yaml"
check "plumb-make-model" inside plumb-make-model "$top/experiments/models/drawn" --family gpt2 "$top"/experiments/tasks/{sentiment,plural}.yaml
check "inspect" bash -c "$(declare -f inside); $(declare -p enter tmp top); inside plumb inspect $top/experiments/models/drawn --json | $python -c 'import json,sys; assert json.load(sys.stdin)[\"family\"]==\"gpt2\"'"
small=(items=8 --threads 1 'arms.0.shots=[0,2]' arms.0.draws=1 arms.{1,2}.{n_train=16,seeds=1} 'arms.2.learning_rate=[1.0e-3]' 'tasks=[tiny/living.yaml]' --quiet)
check "run, end to end" inside plumb run "$top/experiments/demo.yaml" "${small[@]}" --results /tmp/results
run=$(run_of "$tmp/root/tmp/results")
check "the run is whole" test -e "$run/DONE" -a -e "$run/stability.csv"
# The same experiment by the build outside: the bundle computes the same bytes.
cp -r "$here/experiments" "$tmp/experiments"
check "the same run outside" "$PLUMB" run "$tmp/experiments/demo.yaml" "${small[@]}" --results "$tmp/results"
check "unit files are byte-identical" same_units "$run" "$(run_of "$tmp/results")"
check "generate" inside plumb generate "$top/experiments/tiny/small" --prompt " task living" --max-tokens 4
expect "--device cuda" 2 "^plumb: .*(cuda|CUDA|driver|GPU)" inside plumb generate "$top/experiments/tiny/small" --prompt " task living" --max-tokens 4 --device cuda
if [ -e "$here/tests/bin/device_test_norm" ]; then
  check "an op test of the GPU suite" env PLUMB_TEST_DEVICE=cpu "${enter[@]}" "$tmp/root" "$top/tests/bin/device_test_norm"
fi
# The GPU suite as an unpacked bundle runs it, on the emulated device.
emulated=$PLUMB_BUILD/libplumb_cuda_emulated.so
if [ -e "$emulated" ]; then
  check "the GPU suite from the bundle" env -u PLUMB -u PLUMB_MAKE_MODEL -u PLUMB_BUILD PLUMB_CUDA_PLUGIN="$emulated" \
    "$here/tests/gpu/run.sh" --emulated --no-bench
else
  fail "$emulated was not built"
fi
exit $((failures > 0))
