package link

import (
	"math/rand/v2"
	"os"
	"syscall"
	"time"
)

// underWay is how many packets may be on the link in one direction: more than TCP
// sends at once in any test here.
const underWay = 10000

type packet struct {
	data []byte
	due  time.Time // when it arrives
}

// relay carries packets from one device to the other until they are closed.
func (l *Link) relay(from, to *os.File, cfg Config, seed uint64) {
	link := make(chan packet, underWay)
	l.relaying.Go(func() {
		defer close(link)
		random := rand.New(rand.NewPCG(seed, 0))
		buf := make([]byte, mtu)
		for {
			n, err := from.Read(buf)
			if err != nil {
				return // closed
			}
			if l.pulled.Load() || random.Float64() < cfg.Loss {
				l.lost.Add(1)
				continue
			}
			link <- packet{append([]byte(nil), buf[:n]...), time.Now().Add(cfg.RTT / 2)}
		}
	})
	l.relaying.Go(func() {
		for p := range link {
			sleepUntil(p.due)
			if l.pulled.Load() {
				l.lost.Add(1)
				continue
			}
			if _, err := to.Write(p.data); err != nil {
				l.lost.Add(1)
				continue
			}
			l.carried.Add(1)
		}
	})
}

// sleepUntil is exact to some 0.1 ms. Go's timers are exact to a millisecond when
// nothing else goes on, which is a whole round trip of a near client.
func sleepUntil(t time.Time) {
	for d := time.Until(t); d > 0; d = time.Until(t) {
		ts := syscall.NsecToTimespec(int64(d))
		syscall.Nanosleep(&ts, nil)
	}
}
