// Package nacos owns the tests that drive the registry with the real, unmodified
// clients of Nacos: nacos-sdk-go 1.1.6 (HTTP and datagrams), nacos-sdk-go 2.3.5
// (gRPC) and npm nacos 2.6.3 (HTTP). It has no code of the product. Every client is
// a process of its own, so that it can be killed like one.
package nacos
