package losing

func peek(uintptr, []byte) int { panic("losing: no way to look into a socket on Windows") }
