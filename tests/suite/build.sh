#!/usr/bin/env bash
# The build for speed, which the parts behind it use, and the tests that run in it alone (tests/CMakeLists.txt): with
# sanitizers they take many minutes, and run so in the long suite.
source "$(dirname "$0")/common.sh"
step "build for speed"
build build-test -DCMAKE_BUILD_TYPE=Release || exit 1

step "certificate and simulations; whole models and chosen products on the emulated device"
ctests build-test -L speed
