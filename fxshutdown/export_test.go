package fxshutdown

// CheckInvariants reports an impossible combination of states on any of the connections.
func (s *Server) CheckInvariants() error {
	for _, c := range s.conns.snapshot(nil) {
		c.mu.Lock()
		err := c.checkLocked()
		c.mu.Unlock()
		if err != nil {
			return err
		}
	}
	return nil
}
