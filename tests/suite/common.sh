# What the parts of the suite share; sourced by each of them from the top of the sources.
#
# A part runs by itself (`tests/suite/unit.sh`) or is called by tests/run.sh, which adds the counts up: every result is a
# line PASS, FAIL or SKIP in $PLUMB_COUNTS. A part ends with 0 unless the parts behind it cannot run without it.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
# Threads that wait for one another sleep: on a busy machine spinning ones take the time from those that they wait for.
export OMP_WAIT_POLICY="${OMP_WAIT_POLICY:-passive}"
export ASAN_OPTIONS=detect_stack_use_after_return=0 UBSAN_OPTIONS=print_stacktrace=1
own_counts=
if [ -z "${PLUMB_COUNTS:-}" ]; then
  PLUMB_COUNTS=$(mktemp) own_counts=1
  export PLUMB_COUNTS
  trap 'tests/suite/total.sh "$PLUMB_COUNTS"; code=$?; rm -f "$PLUMB_COUNTS"; exit $code' EXIT
fi

step() { printf '\n== %s (%d s)\n' "$*" $((SECONDS + ${PLUMB_SUITE_S:-0})); }
pass() { echo "PASS $*" >>"$PLUMB_COUNTS"; }
skip() { echo "SKIP $*" | tee -a "$PLUMB_COUNTS"; }
fail() { echo "FAIL $*" | tee -a "$PLUMB_COUNTS"; }

# Takes the PASS, FAIL and SKIP lines of a log over; shows those that are no PASS.
take() {
  grep -E '^(PASS|FAIL|SKIP)' "$1" >>"$PLUMB_COUNTS"
  grep -E '^(FAIL|SKIP)' "$1"
  return 0
}

# A build in a folder of its own; $1 folder, the rest goes to CMake.
build() {
  local folder=$1
  shift
  cmake -S . -B "$folder" -G Ninja "$@" >"$folder.log" 2>&1 && ninja -C "$folder" --quiet >>"$folder.log" 2>&1 && return 0
  grep -E 'error|Error|FAILED' "$folder.log" | head -20
  tail -5 "$folder.log"
  fail "build $folder (see $folder.log)"
  return 1
}

# Starts a command in the background once one of two lanes is free: most of a test's time is one process. End with wait.
two_at_a_time() {
  while (($(jobs -rp | wc -l) >= 2)); do wait -n; done
  "$@" &
}

# Runs a command into a log, and stops it when the log has not grown for ten minutes (124): on a machine under load a test
# takes as long as it takes, but it goes on.
until_quiet() {
  local log=$1 pid size=0 now quiet=$SECONDS
  shift
  : >"$log"
  setsid "$@" >"$log" 2>&1 &
  pid=$!
  while kill -0 $pid 2>/dev/null; do
    now=$(stat -c %s "$log")
    [ "$now" = "$size" ] || quiet=$SECONDS
    size=$now
    if ((SECONDS - quiet > 600)); then
      kill -TERM -- -$pid
      sleep 5
      kill -KILL -- -$pid 2>/dev/null
      wait $pid
      return 124
    fi
    sleep 0.5
  done
  wait $pid
}

# A script that prints PASS, FAIL and SKIP lines; $1 log, the rest is the command. It must end well and say something.
script() {
  local log=$1 code
  shift
  until_quiet "$log" "$@"
  code=$?
  take "$log"
  if [ $code -ne 0 ] && ! grep -q '^FAIL' "$log"; then tail -5 "$log"; fail "$* ended with $code"; fi
  grep -qE '^(PASS|SKIP|FAIL)' "$log" || fail "$* ran no test"
}

# ctests FOLDER WORDS...: ctest's programs of a build tree, those that the words choose; a line each, from the JUnit file,
# and one for each case that a program skipped.
ctests() {
  local log=$1/suite.log results=$1/results.txt
  (cd "$1" && ctest -j2 --timeout 1800 --output-on-failure --output-junit junit.xml "${@:2}") >"$log" 2>&1
  grep -E '^ *[0-9]+/[0-9]+ .*(Failed|Timeout|\*\*\*)|^\[ *(FAILED|ERROR) *\]|SUMMARY: .*Sanitizer' "$log" | head -60
  awk '/<testcase / {match($0, /name="[^"]*"/); name = substr($0, RSTART + 6, RLENGTH - 7); end = "PASS"}
       /<failure/ {end = "FAIL"} /<skipped/ {end = "SKIP"}
       /<\/testcase>|<testcase [^>]*\/>/ {print end, name}' "$1/junit.xml" >"$results"
  grep '^\[  SKIPPED \]' "$1/Testing/Temporary/LastTest.log" | grep -v 'test(s)' | sed 's/^\[  SKIPPED \]/SKIP case/' | sort -u >>"$results"
  take "$results"
  grep -q '^PASS' "$results" || fail "$1: ctest ${*:2} ran no test"
}
