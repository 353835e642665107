package rpc

// handlers are all requests that are answered.
var handlers = map[string]*handler{
	"ServerCheckRequest": {"ServerCheckResponse", serverCheck, true},
	"HealthCheckRequest": {"HealthCheckResponse", healthCheck, false},

	"InstanceRequest":           {"InstanceResponse", instance, false},
	"BatchInstanceRequest":      {"BatchInstanceResponse", batchInstance, false},
	"PersistentInstanceRequest": {"InstanceResponse", persistentInstance, false},
	"ServiceQueryRequest":       {"QueryServiceResponse", serviceQuery, false},
	"SubscribeServiceRequest":   {"SubscribeServiceResponse", subscribeService, false},
	"ServiceListRequest":        {"ServiceListResponse", serviceList, false},
	"NamingFuzzyWatchRequest":   {"NamingFuzzyWatchResponse", namingFuzzyWatch, false},

	"ConfigPublishRequest":     {"ConfigPublishResponse", configPublish, false},
	"ConfigQueryRequest":       {"ConfigQueryResponse", configQuery, false},
	"ConfigRemoveRequest":      {"ConfigRemoveResponse", configRemove, false},
	"ConfigBatchListenRequest": {"ConfigChangeBatchListenResponse", configBatchListen, false},
	"ConfigFuzzyWatchRequest":  {"ConfigFuzzyWatchResponse", configFuzzyWatch, false},

	"LockOperationRequest": {"LockOperationResponse", lockOperation, false},
}

// serverCheck tells a client the id of its connection.
func serverCheck(c *call) error {
	if err := c.each(nothing); err != nil {
		return err
	}
	c.ok()
	c.text(`,"connectionId":`, c.conn.id)
	c.reply.b = append(c.reply.b, `,"supportAbilityNegotiation":true`...)
	return nil
}

func healthCheck(c *call) error { return c.each(nothing) }

// nothing wants no field.
func nothing([]byte) bool { return false }
