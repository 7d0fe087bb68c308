#!/usr/bin/env bash
# The build for speed, which the parts behind it use.
source "$(dirname "$0")/common.sh"
step "build for speed"
build build-test -DCMAKE_BUILD_TYPE=Release || exit 1
