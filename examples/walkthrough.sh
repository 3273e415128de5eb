#!/usr/bin/env bash
# The whole loop on the example pairs: train, export, add, search, evaluate, serve.
# Run it with `make walkthrough`; docs/walkthrough.md explains each step.
# Further arguments go to `sightline train`, for example: --set schedule.epochs=1
set -euo pipefail
cd "$(dirname "$0")/.."
rm -rf data/walkthrough
PORT="${PORT:-8010}"

sightline train examples/pairs/train.jsonl --val examples/pairs/heldout.jsonl \
  --config configs/from-scratch-small.toml --out data/walkthrough/run "$@"
sightline models export local-dir:data/walkthrough/run/model --out data/walkthrough/model --name emoji
sightline add examples/pairs/heldout.jsonl --gallery data/walkthrough/gallery --model data/walkthrough/model
sightline search "a guitar" --gallery data/walkthrough/gallery
sightline evaluate retrieval examples/pairs/heldout.jsonl --model data/walkthrough/model --k 1,5,10

sightline serve --gallery data/walkthrough/gallery --port "$PORT" &
server=$!
trap 'kill "$server" 2>/dev/null || true; wait "$server" || true' EXIT
for _ in $(seq 600); do
  if curl --silent --fail "http://127.0.0.1:$PORT/readyz" >/dev/null; then break; fi
  sleep 0.2
done
curl --silent --fail "http://127.0.0.1:$PORT/v1/search?q=a+guitar&k=3"
