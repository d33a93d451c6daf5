#!/usr/bin/env bash
# What action.yml runs: draincheck with the flags and the command in ARGS. The table goes to
# the log and to the summary of the job.
set -uo pipefail
table=$(mktemp)
# The workflow's author wrote ARGS, with the quotes that a shell needs.
eval "set -- $ARGS"
"$RUNNER_TEMP/draincheck" -report "$REPORT" -junit "$JUNIT" "$@" 2>&1 | tee "$table"
code=${PIPESTATUS[0]}
{
	echo '### draincheck'
	echo '```'
	cat "$table"
	echo '```'
} >>"$GITHUB_STEP_SUMMARY"
rm "$table"
exit "$code"
