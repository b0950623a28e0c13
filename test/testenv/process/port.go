package process

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
)

// Ports are handed out below Linux's ephemeral range (from 32768), so that an outgoing connection can't
// take one between FreePort and the listen of the program that it is for.
const (
	firstPort = 16000
	portCount = 16000
	// portStride separates the first ports of processes with neighbouring IDs: a prime, and more than
	// the ports of one environment.
	portStride = 977
)

var ports = struct {
	sync.Mutex
	next, used int
}{next: os.Getpid() * portStride % portCount}

// FreePort returns a port on 127.0.0.1 that is free for TCP and UDP. It returns each port at most once
// per process, and starts at a place of its own in each process, because several environments may run at once.
func FreePort() (int, error) {
	ports.Lock()
	defer ports.Unlock()
	for ports.used < portCount {
		port := firstPort + ports.next
		ports.next = (ports.next + 1) % portCount
		ports.used++
		if isFree(port) {
			return port, nil
		}
	}
	return 0, errors.New("no free port left on 127.0.0.1")
}

func isFree(port int) bool {
	address := fmt.Sprintf("127.0.0.1:%d", port)
	var config net.ListenConfig
	l, err := config.Listen(context.Background(), "tcp", address)
	if err != nil {
		return false
	}
	defer func() { _ = l.Close() }()
	u, err := config.ListenPacket(context.Background(), "udp", address)
	if err != nil {
		return false
	}
	return u.Close() == nil
}
