#!/usr/bin/env bash
# The GPU suite on the emulated device at small size: that its script runs at the first try is shown without a GPU.
exec "$(dirname "$0")/run.sh" --emulated
