// npm nacos as a client that takes orders, a line of JSON each: see
// protocol_test.go.
'use strict';

const readline = require('readline');
const { NacosNamingClient, NacosConfigClient } = require('nacos');

const out = process.stdout.write.bind(process.stdout);
process.stdout.write = process.stderr.write.bind(process.stderr); // libraries log there too
const say = answer => out(JSON.stringify(answer) + '\n');
const log = (...args) => process.stderr.write(args.map(a => (a instanceof Error ? a.stack : String(a))).join(' ') + '\n');
const logger = { debug() {}, info: log, warn: log, error: log, log };

const group = 'DEFAULT_GROUP';
const access = JSON.parse(process.env.TROUPE_NACOS_CLIENT);
const server = `${access.host}:${access.port}`;

const plain = hosts => (hosts || []).map(h => ({
  ip: h.ip, port: h.port, weight: h.weight, healthy: h.healthy, metadata: h.metadata,
}));

// What the client throws by itself, as while the server is away, it logs and goes on.
process.on('unhandledRejection', err => log('unhandled', err));

async function main() {
  const naming = new NacosNamingClient({
    logger, serverList: server, namespace: 'public', username: access.username, password: access.password,
  });
  naming.on('error', err => log(err));
  naming._hostReactor.on('error', err => log(err));
  const config = new NacosConfigClient({
    serverAddr: server, username: access.username, password: access.password, requestTimeout: 6000, cacheDir: access.dir,
  });
  config.on('error', err => log(err));
  await naming.ready();
  await config.ready();

  const instance = i => ({ ip: i.ip, port: i.port, weight: i.weight, healthy: true, enabled: true, ephemeral: !i.persistent, metadata: i.metadata || {} });
  const orders = {
    register: r => naming.registerInstance(r.service, instance(r.instance), group),
    update: r => naming.registerInstance(r.service, instance(r.instance), group),
    deregister: r => naming.deregisterInstance(r.service, instance(r.instance), group),
    list: async r => ({ instances: plain(await naming.getAllInstances(r.service, group, '', false)) }),
    services: async () => ({ names: (await naming._serverProxy.getServiceList(1, 100, group)).data }),
    subscribe: r => naming.subscribe({ serviceName: r.service, groupName: group }, hosts => say({ service: r.service, instances: plain(hosts) })),
    publish: async r => {
      if (!await config.publishSingle(r.key, group, r.content)) throw new Error('it said false');
    },
    get: async r => ({ content: await config.getConfig(r.key, group) || '' }),
    listen: r => { config.subscribe({ dataId: r.key, group }, content => say({ key: r.key, content: content || '' })); },
    remove: async r => {
      if (!await config.remove(r.key, group)) throw new Error('it said false');
    },
  };
  say({ ready: true });

  const lines = readline.createInterface({ input: process.stdin });
  lines.on('line', async line => {
    const r = JSON.parse(line);
    try {
      say({ ...(await orders[r.do](r)), id: r.id });
    } catch (err) {
      say({ id: r.id, error: String(err && err.message || err) });
    }
  });
  lines.on('close', () => process.exit(0));
}

main().catch(err => say({ error: String(err && err.message || err) }));
