// Connects to itself each 20 ms and keeps every connection.
package main

import (
	"net"
	"time"
)

type server struct{ kept []net.Conn }

func (s *server) handle(address string) {
	c, err := net.Dial("tcp", address) // the leak
	if err != nil {
		panic(err)
	}
	s.kept = append(s.kept, c)
}

func main() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	s := &server{}
	for {
		s.handle(l.Addr().String())
		c, _ := l.Accept()
		c.Close()
		time.Sleep(20 * time.Millisecond)
	}
}
