// Command callservice calls a service by its name: go run ./examples/callservice http://web/path
package main

import (
	"io"
	"log"
	"os"

	"github.com/troupe-cloud/troupe/balancer"
)

func main() {
	source := &balancer.Troupe{Servers: []string{"http://127.0.0.1:8848"}, User: os.Getenv("OS_USERNAME"), Password: os.Getenv("OS_PASSWORD")}
	services := &balancer.Services{Source: source}
	defer services.Close()
	resp, err := services.Client().Get(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(os.Stdout, resp.Body)
}
