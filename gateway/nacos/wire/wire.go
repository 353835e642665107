// Package wire owns the JSON shapes that Nacos clients read and write, over HTTP
// and over gRPC alike: how an endpoint, a service and a config look to them. It
// asks nobody anything; what is hot is appended and read by hand.
//
// Source: com.alibaba.nacos.api of 2.5 and 3.1, and what its clients put on the
// wire.
package wire
