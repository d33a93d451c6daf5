package drain

import (
	"testing"
	"time"
)

func TestLatency(t *testing.T) {
	var d []time.Duration
	for i := 200; i > 0; i-- {
		d = append(d, time.Duration(i)*time.Millisecond)
	}
	if got, want := *latency(d), (Latency{Count: 200, P50: 100, P99: 198, Max: 200}); got != want {
		t.Errorf("latency() = %+v, want %+v", got, want)
	}
	if got, want := *latency(d[:1]), (Latency{Count: 1, P50: 1, P99: 1, Max: 1}); got != want {
		t.Errorf("latency() = %+v, want %+v", got, want)
	}
	if got := latency(nil); got != nil {
		t.Errorf("latency(nil) = %+v, want nil", got)
	}
}

func TestRequestEndsOnce(t *testing.T) {
	rec := &recorder{clock: &clock{}}
	q := rec.send()
	q.answered(time.Now(), 200, false)
	defer func() {
		if recover() == nil {
			t.Error("a request that ended twice went unnoticed")
		}
	}()
	q.lost(unanswered{})
}
