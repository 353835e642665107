package bench

import (
	"context"
	"fmt"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/mem"
)

// bytesCodec leaves messages as they are.
type bytesCodec struct{}

func (bytesCodec) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(v.([]byte))}, nil
}

func (bytesCodec) Unmarshal(data mem.BufferSlice, v any) error {
	*v.(*[]byte) = data.Materialize()
	return nil
}

func (bytesCodec) Name() string { return "proto" }

// bareGRPC is what grpc-go does by itself: the same clients, and a server that
// answers whatever comes with the same answer. It runs in this process, so that
// what it gives is rather more than a server of its own would.
func (x *registryCloud) bareGRPC() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	answer := appendPayload(nil, "HealthCheckResponse", "", `{"resultCode":200,"errorCode":0,"message":null,"requestId":null,"success":true}`)[grpcPrefix:]
	s := grpc.NewServer(grpc.ForceServerCodecV2(bytesCodec{}), grpc.WriteBufferSize(busyBuffer), grpc.ReadBufferSize(busyBuffer))
	s.RegisterService(&grpc.ServiceDesc{ServiceName: "Request", HandlerType: (*any)(nil), Methods: []grpc.MethodDesc{{
		MethodName: "request",
		Handler: func(_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			var asked []byte
			if err := decode(&asked); err != nil {
				return nil, err
			}
			return answer, nil
		},
	}}}, struct{}{})
	go func() { _ = s.Serve(l) }() // until it is stopped
	defer s.Stop()
	conns := make([]*client, registryConns)
	defer closeClients(conns)
	for i := range conns {
		h, err := dialH2(l.Addr().String(), busyBuffer)
		if err != nil {
			return "", err
		}
		conns[i] = &client{h2: h}
	}
	before := x.usage()
	rate, n, err := x.pumps(conns, registryInFlight, same("HealthCheckRequest", x.token, "{}"))
	if err != nil {
		return "", err
	}
	text := perSecond(rate, "requests")
	x.add(fmt.Sprintf("grpc-go alone: requests, %d connections", registryConns), text, "", x.others(before)+"; "+x.each(before, n))
	return text, nil
}
