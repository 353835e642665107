// npm eureka-js-client as a client that takes orders, a line of JSON each: see
// node_test.go.
'use strict';

const readline = require('readline');
const { Eureka } = require('eureka-js-client');

const say = answer => process.stdout.write(JSON.stringify(answer) + '\n');
const log = level => (...args) => process.stderr.write(level + ' ' + args.map(String).join(' ') + '\n');
const logger = { debug() {}, info: log('info'), warn: log('warn'), error: log('error'), level() {} };

const given = JSON.parse(process.env.TROUPE_EUREKA_CLIENT);
const client = new Eureka({
  logger,
  shouldUseDelta: given.delta,
  instance: {
    instanceId: `${given.host}:${given.app}`,
    app: given.app,
    hostName: given.host,
    ipAddr: given.ip,
    port: { $: given.port, '@enabled': 'true' },
    vipAddress: given.app.toLowerCase(),
    metadata: given.metadata,
    dataCenterInfo: { '@class': 'com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo', name: 'MyOwn' },
    leaseInfo: { renewalIntervalInSecs: given.renewal, durationInSecs: given.duration },
  },
  eureka: {
    serviceUrls: { default: [given.url] },
    heartbeatInterval: given.renewal * 1000,
    registryFetchInterval: 500,
    filterUpInstances: false,
  },
});

const metadata = m => {
  const { '@class': none, ...rest } = m || {};
  return rest;
};
const call = f => new Promise((done, failed) => f(err => (err ? failed(err) : done())));
const orders = {
  register: async () => { await call(done => client.start(done)); },
  cancel: async () => { await call(done => client.stop(done)); },
  list: async r => {
    await call(done => client.fetchRegistry(done));
    return {
      seen: (client.cache.app[r.app] || []).map(i => ({ ip: i.ipAddr, port: i.port.$, status: i.status, metadata: metadata(i.metadata) })),
    };
  },
};

readline.createInterface({ input: process.stdin }).on('line', async line => {
  const r = JSON.parse(line);
  try {
    say({ ...(await orders[r.do](r)), done: true });
  } catch (err) {
    say({ error: String(err && err.message || err) });
  }
}).on('close', () => process.exit(0));
