#!/bin/sh
# Writes ten lines a second into a log and rotates it every second, as logrotate would: usage rotate.sh FILE
set -eu
n=0
while :; do
  n=$((n + 1))
  echo "line $n" >>"$1"
  if [ $((n % 10)) -eq 0 ]; then
    mv "$1" "$1.1"
  fi
  sleep 0.1
done
