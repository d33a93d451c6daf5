package load

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fxshutdown/fxhttp/internal/draincheck"
)

func TestParse(t *testing.T) {
	const good = `{"schema":1,"verdict":"fail","total":{"sent":9,"answered":6,"lost":2,"refused_streams":1,"closed_idle":4},"rounds":[{"exited_ms":12.5,"killed":true}]}`
	want := Counts{Sent: 9, Lost: 2, RefusedStreams: 1, ClosedIdle: 4, ExitedMS: 12.5, Killed: true}
	if got, err := parse([]byte(good)); err != nil || got != want {
		t.Errorf("parse() = %+v, %v, want %+v", got, err, want)
	}
	for bad, want := range map[string]string{
		``:             "read the result of draincheck",
		`{"schema":2}`: "schema 2",
		`{"schema":1,"verdict":"error","error":"the port is taken"}`:               "the port is taken",
		`{"schema":1,"verdict":"pass","total":{"sent":1},"rounds":[]}`:             "0 rounds",
		`{"schema":1,"verdict":"pass","total":{"sent":0},"rounds":[{"exited":1}]}`: "nothing",
	} {
		if _, err := parse([]byte(bad)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("parse(%s) = %v, want an error with %q", bad, err, want)
		}
	}
}

func TestEachKindIsTheOnlyLoad(t *testing.T) {
	r := &Runner{Load: time.Second, Within: time.Second}
	for _, k := range Kinds() {
		args := r.args(k, "127.0.0.1:1", []string{"server"})
		for _, f := range []string{"-keepalive", "-newconn", "-late", "-slow", "-silent", "-halfheader", "-h2", "-h2c", "-pool"} {
			value := "" // the last counts
			for i, arg := range args {
				if arg == f {
					value = args[i+1]
				}
			}
			switch on := value != "0" && value != ""; {
			case value == "" && slices.Contains(draincheck.NoLoad, f):
				t.Errorf("%s: %s is left to draincheck", k.ID, f)
			case on != (f == k.Flags[0]):
				t.Errorf("%s: %s %q", k.ID, f, value)
			}
		}
		if tail := args[len(args)-2:]; tail[0] != "--" || tail[1] != "server" {
			t.Errorf("%s: the arguments end with %q, want the command", k.ID, tail)
		}
	}
}
