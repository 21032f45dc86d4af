// SPDX-License-Identifier: Apache-2.0

// miniredis. Arguments: address, then name=value: user=NAME:PASSWORD, cert=FILE, key=FILE.
package main

import (
	"crypto/tls"
	"log"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alicebob/miniredis/v2"
)

func main() {
	server := miniredis.NewMiniRedis()
	var cert, key string
	for _, setting := range os.Args[2:] {
		name, value, _ := strings.Cut(setting, "=")
		switch name {
		case "user":
			user, password, _ := strings.Cut(value, ":")
			server.RequireUserAuth(user, password)
		case "cert":
			cert = value
		case "key":
			key = value
		}
	}
	var err error
	if cert == "" {
		err = server.StartAddr(os.Args[1])
	} else {
		var pair tls.Certificate
		if pair, err = tls.LoadX509KeyPair(cert, key); err == nil {
			err = server.StartAddrTLS(os.Args[1], &tls.Config{Certificates: []tls.Certificate{pair}})
		}
	}
	if err != nil {
		log.Fatal(err)
	}
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGINT, syscall.SIGTERM)
	<-end
	server.Close()
}
