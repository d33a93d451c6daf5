package fxshutdown

// CheckInvariants reports a combination of states that cannot be, on any of the
// connections.
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
