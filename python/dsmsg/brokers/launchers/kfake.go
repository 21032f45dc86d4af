// SPDX-License-Identifier: Apache-2.0

// kfake with one broker. Arguments: port, folder for the data ("" keeps them in memory), then
// name=value: user=NAME:PASSWORD (PLAIN and SCRAM-SHA-256), cert=FILE, key=FILE.
package main

import (
	"crypto/tls"
	"log"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"github.com/twmb/franz-go/pkg/kfake"
)

func main() {
	port, err := strconv.Atoi(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	options := []kfake.Opt{
		kfake.NumBrokers(1), kfake.Ports(port), kfake.AllowAutoTopicCreation(),
		kfake.WithLogger(kfake.BasicLogger(os.Stderr, kfake.LogLevelWarn)),
	}
	if os.Args[2] != "" {
		options = append(options, kfake.DataDir(os.Args[2]))
	}
	var cert, key string
	sasl := false
	for _, setting := range os.Args[3:] {
		name, value, _ := strings.Cut(setting, "=")
		switch name {
		case "user":
			user, password, _ := strings.Cut(value, ":")
			if !sasl {
				options = append(options, kfake.EnableSASL())
				sasl = true
			}
			for _, method := range []string{"PLAIN", "SCRAM-SHA-256"} {
				options = append(options, kfake.Superuser(method, user, password))
			}
		case "cert":
			cert = value
		case "key":
			key = value
		}
	}
	if cert != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			log.Fatal(err)
		}
		options = append(options, kfake.TLS(&tls.Config{Certificates: []tls.Certificate{pair}}))
	}
	cluster, err := kfake.NewCluster(options...)
	if err != nil {
		log.Fatal(err)
	}
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGINT, syscall.SIGTERM)
	<-end
	cluster.Close()
}
