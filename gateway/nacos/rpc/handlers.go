package rpc

// handlers are all requests that are answered.
var handlers = map[string]*handler{
	"ServerCheckRequest": {answer: "ServerCheckResponse", handle: serverCheck, early: true, light: true, quick: true},
	"HealthCheckRequest": {answer: "HealthCheckResponse", handle: healthCheck, light: true, quick: true},

	"InstanceRequest":      {answer: "InstanceResponse", change: instance},
	"BatchInstanceRequest": {answer: "BatchInstanceResponse", change: batchInstance},

	"PersistentInstanceRequest": {answer: "InstanceResponse", handle: persistentInstance},
	"ServiceQueryRequest":       {answer: "QueryServiceResponse", handle: serviceQuery, quick: true},
	"SubscribeServiceRequest":   {answer: "SubscribeServiceResponse", handle: subscribeService},
	"ServiceListRequest":        {answer: "ServiceListResponse", handle: serviceList},
	"NamingFuzzyWatchRequest":   {answer: "NamingFuzzyWatchResponse", handle: namingFuzzyWatch},

	"ConfigPublishRequest":     {answer: "ConfigPublishResponse", handle: configPublish},
	"ConfigQueryRequest":       {answer: "ConfigQueryResponse", handle: configQuery, quick: true},
	"ConfigRemoveRequest":      {answer: "ConfigRemoveResponse", handle: configRemove},
	"ConfigBatchListenRequest": {answer: "ConfigChangeBatchListenResponse", handle: configBatchListen},
	"ConfigFuzzyWatchRequest":  {answer: "ConfigFuzzyWatchResponse", handle: configFuzzyWatch},

	"LockOperationRequest": {answer: "LockOperationResponse", handle: lockOperation},
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
