#!/usr/bin/env bash
# prometheus_client 0.26.0, seen on 2026-11-29.
#
# Metric names of inference servers carry a colon by custom, as in
# engine:tokens_total, and both text formats of Prometheus allow it. One would
# expect an endpoint to name a metric the same for every scraper. But the name
# depends on the Accept header: a scraper that asks for OpenMetrics 1.0.0 and
# says nothing of escaping, or says "underscores", gets engine_tokens_total,
# while the TYPE and HELP lines above it still name engine:tokens. The plain
# text format keeps the colon under the very same escaping, and OpenMetrics
# keeps it where the scraper asks for allow-utf-8, as Prometheus 3 does.
#
# So one look with curl shows the name that the dashboard uses, and an older
# Prometheus, or an agent, stores another: the panels stay empty. The project
# knows of it. Names without a colon are safe.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install --quiet prometheus_client==0.26.0
"$dir/venv/bin/python" - <<'PY'
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.exposition import choose_encoder

registry = CollectorRegistry()
Counter("engine:tokens", "Tokens written.", registry=registry).inc(7)
OPEN = "application/openmetrics-text;version=1.0.0"
EXPECTED = {
    "*/*": "engine:tokens_total 7.0",
    "text/plain;version=0.0.4": "engine:tokens_total 7.0",
    "text/plain;version=1.0.0;escaping=underscores": "engine:tokens_total 7.0",
    f"{OPEN};escaping=allow-utf-8": "engine:tokens_total 7.0",
    f"{OPEN};escaping=underscores": "engine_tokens_total 7.0",
    OPEN: "engine_tokens_total 7.0",
}
for accept, expected in EXPECTED.items():
    encoder, _ = choose_encoder(accept)
    lines = encoder(registry).decode().splitlines()
    sample = next(line for line in lines if "_total " in line and not line.startswith("#"))
    kind = next(line for line in lines if line.startswith("# TYPE"))
    print(f"{accept}\n    {kind}\n    {sample}")
    assert sample == expected
    assert kind.startswith("# TYPE engine:tokens")
PY
