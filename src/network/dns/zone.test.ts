import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CLUSTER_DOMAIN, type VpcService } from '../../api/pool.ts';
import { vpcService } from '../service/table/testing.ts';
import { answerFromZone, type ServiceLookup } from './zone.ts';

const services: VpcService[] = [
  vpcService('web', '10.96.0.5', ['10.128.0.2']),
  vpcService('db', '', ['10.128.0.3', '10.128.0.4'], {
    endpoints: [
      { address: '10.128.0.3', ready: true, hostname: 'db-0', ports: { http: 8080 } },
      { address: '10.128.0.4', ready: true, ports: { http: 8081 } },
      { address: '10.128.0.5', ready: false, hostname: 'db-2', ports: { http: 8080 } },
    ],
  }),
  vpcService('outside', '', [], { type: 'ExternalName', externalName: 'Example.COM.' }),
  vpcService('nobody', '', []),
];
const lookup: ServiceLookup = {
  get: (namespace, name) =>
    services.find(({ spec }) => spec.serviceRef.namespace === namespace && spec.serviceRef.name === name),
  hasNamespace: (namespace) => namespace === 'default',
  byServiceAddress: (address) => services.filter(({ spec }) => spec.clusterIPs.includes(address)),
  byEndpointAddress: (address) => services.filter(({ spec }) => spec.endpoints.some((e) => e.address === address)),
};
const ask = (name: string, type = 'A') => answerFromZone(name, type, lookup, CLUSTER_DOMAIN);
const addresses = (name: string) => ask(name)?.answers.map((record) => (record.type === 'A' ? record.address : record));
const svc = 'default.svc.cluster.local';

test('addresses of services, endpoints and pods', () => {
  assert.deepEqual(addresses(`web.${svc}`), ['10.96.0.5']);
  assert.deepEqual(addresses(`db.${svc}`), ['10.128.0.3', '10.128.0.4']);
  assert.deepEqual(addresses(`db-0.db.${svc}`), ['10.128.0.3']);
  assert.deepEqual(addresses(`10-128-0-4.db.${svc}`), ['10.128.0.4']);
  assert.deepEqual(addresses('10-128-0-9.default.pod.cluster.local'), ['10.128.0.9']);
});

test('what exists has no data of other types; what does not exist is a name error', () => {
  for (const name of [
    `web.${svc}`,
    svc,
    'svc.cluster.local',
    'cluster.local',
    `_tcp.web.${svc}`,
    'default.pod.cluster.local',
  ]) {
    assert.deepEqual(ask(name, 'AAAA'), { exists: true, answers: [], additionals: [] }, name);
  }
  for (const name of [
    `none.${svc}`,
    'web.elsewhere.svc.cluster.local',
    'elsewhere.svc.cluster.local',
    `db-2.db.${svc}`,
    `nobody.${svc}`,
    `a.b.c.web.${svc}`,
    `_none._tcp.web.${svc}`,
    '300-1-1-1.default.pod.cluster.local',
    'other.cluster.local',
    'kubernetes.io.default.svc.cluster.local',
  ]) {
    assert.equal(ask(name)?.exists, false, name);
  }
});

test('names outside the zone are not its affair', () => {
  assert.equal(ask('example.com'), undefined);
  assert.equal(ask('notcluster.local'), undefined);
  assert.equal(ask('8.8.8.8.in-addr.arpa', 'PTR'), undefined);
});

test('SRV records of named ports', () => {
  assert.deepEqual(ask(`_http._tcp.web.${svc}`, 'SRV'), {
    exists: true,
    answers: [{ type: 'SRV', name: `_http._tcp.web.${svc}`, target: `web.${svc}`, port: 80, weight: 100 }],
    additionals: [{ type: 'A', name: `web.${svc}`, address: '10.96.0.5' }],
  });
  assert.deepEqual(
    ask(`_http._tcp.db.${svc}`, 'SRV')?.answers.map((record) => record.type === 'SRV' && [record.target, record.port]),
    [
      [`db-0.db.${svc}`, 8080],
      [`10-128-0-4.db.${svc}`, 8081],
    ],
  );
  assert.equal(ask(`_http._udp.web.${svc}`, 'SRV')?.exists, false);
});

test('aliases and reverse names', () => {
  assert.deepEqual(ask(`outside.${svc}`)?.answers, [{ type: 'CNAME', name: `outside.${svc}`, target: 'example.com' }]);
  const pointers = (name: string) => ask(name, 'PTR')?.answers.map((record) => record.type === 'PTR' && record.target);
  assert.deepEqual(pointers('5.0.96.10.in-addr.arpa'), [`web.${svc}`]);
  assert.deepEqual(pointers('3.0.128.10.in-addr.arpa'), [`db-0.db.${svc}`]);
  assert.deepEqual(pointers('4.0.128.10.in-addr.arpa'), [`10-128-0-4.db.${svc}`]);
  assert.equal(ask('2.0.128.10.in-addr.arpa', 'PTR')?.exists, false, 'endpoints of cluster addresses have no name');
});
