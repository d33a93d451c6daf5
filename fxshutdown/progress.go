package fxshutdown

import "time"

// Progress says what a stop is doing, until when, and what it still waits for. It is zero
// before a stop and after it.
type Progress struct {
	// Phase is the phase that is running, and empty until the first one begins.
	Phase PhaseName `json:"phase"`

	// ForceAt is when the contexts of requests that are still running are cancelled, and
	// EndAt when Stop returns, whatever is left. Both are zero if the stop has no limit.
	// They come closer if another Stop joins with less time, or when DrainTimeout begins.
	// Check IsZero before you subtract from them.
	ForceAt time.Time `json:"force_at,omitzero"`
	EndAt   time.Time `json:"end_at,omitzero"`

	// WaitsFor lists the requests in flight, and those that hijacked connections which are
	// still open, oldest first.
	WaitsFor []Request `json:"waits_for"`
}

// Progress returns how far a stop has come. Like Stats, it looks at every connection.
func (s *Server) Progress() (p Progress) {
	s.mu.Lock()
	st := s.stop
	s.mu.Unlock()
	if st == nil || isClosed(st.ended) {
		return p
	}
	st.mu.Lock()
	p.Phase = st.phaseNow
	st.mu.Unlock()
	forceAt, _, end := st.budget.moments()
	p.ForceAt, p.EndAt = s.conns.timeOf(forceAt), s.conns.timeOf(end)
	s.conns.holding(func(r Request, _ holdKind) { p.WaitsFor = append(p.WaitsFor, r) })
	oldestFirst(p.WaitsFor)
	return p
}
