package api

// SimplePaths are the reads that clients send all the time, and SimpleParams the
// parameters that they send with them. What asks for more than one content or list,
// as an archive does, is not among them.
var (
	SimplePaths = map[string]bool{
		Prefix + "/v1/cs/configs": true, Prefix + "/v2/cs/config": true, Prefix + "/v3/client/cs/config": true,
		Prefix + "/v1/ns/instance/list": true, Prefix + "/v2/ns/instance/list": true, Prefix + "/v3/client/ns/instance/list": true,
	}
	SimpleParams = map[string]bool{
		"dataId": true, "group": true, "tenant": true, "tag": true,
		"namespaceId": true, "groupName": true, "serviceName": true, "clusters": true, "clusterName": true, "healthyOnly": true,
		"udpPort": true, "clientIP": true, "ip": true, "app": true,
		paramToken: true, paramUsername: true, paramPassword: true,
	}
)
