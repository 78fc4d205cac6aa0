#!/bin/sh
# What does not leave stays in the outbox, and its reason in the log; the next minute tries again.
set -u
while :; do
  activesynth outbox send
  sleep 60
done
