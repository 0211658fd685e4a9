import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { VpcService } from '../../../api/pool.ts';
import { serviceElements } from './elements.ts';
import { TableState } from './table-state.ts';
import { vpcService } from './testing.ts';

const named = (...services: VpcService[]) => new Map(services.map((service) => [service.metadata.name, service]));

test('a service becomes elements: one frontend, one backend an endpoint', () => {
  const { elements, picks } = serviceElements(vpcService('web', '10.96.0.5', ['10.128.0.3', '10.128.0.2']));
  assert.deepEqual(picks, [{ at: 'service', count: 2 }]);
  assert.deepEqual(elements, [
    { map: 'services', key: '10.96.0.5 . tcp . 80', value: 'goto pick-2' },
    { map: 'backends', key: '10.96.0.5 . tcp . 80 . 0', value: '10.128.0.2 . 8080' },
    { map: 'backends', key: '10.96.0.5 . tcp . 80 . 1', value: '10.128.0.3 . 8080' },
    { map: 'hairpin', key: '10.128.0.2 . 10.128.0.2', value: '' },
    { map: 'hairpin', key: '10.128.0.3 . 10.128.0.3', value: '' },
  ]);
});

test('unready endpoints, nonsense written by hand, and the platform’s own addresses give nothing', () => {
  const elementsOf = (service: VpcService) => serviceElements(service).elements;
  const unready = vpcService('web', '10.96.0.5', ['10.128.0.2']);
  unready.spec.endpoints[0]!.ready = false;
  assert.deepEqual(elementsOf(unready), []);
  assert.deepEqual(elementsOf(vpcService('web', '10.96.0.5', ['10.128.0.2 }; flush ruleset; #'])), []);
  for (const address of ['169.254.64.4', '127.0.0.1', '255.255.255.255', '10.96.0.5 }']) {
    assert.deepEqual(elementsOf(vpcService('web', address, ['10.128.0.2'])), []);
  }
  assert.deepEqual(elementsOf(vpcService('kubernetes', '10.96.0.1', ['10.128.0.2'])), []);
  assert.deepEqual(elementsOf(vpcService('kube-dns', '10.96.0.10', ['10.128.0.2'])), []);
  assert.deepEqual(elementsOf(vpcService('headless', '', ['10.128.0.2'])), []);
  const badPort = vpcService('web', '10.96.0.5', ['10.128.0.2']);
  badPort.spec.endpoints[0]!.ports = { http: 70000 };
  assert.deepEqual(elementsOf(badPort), []);
});

test('an address of a further range is known as a service’s, also without endpoints', () => {
  const elementsOf = (addresses: string[]) => serviceElements(vpcService('web', '192.0.2.9', addresses)).elements;
  const known = { map: 'more-services', key: '192.0.2.9', value: '' };
  assert.deepEqual(elementsOf([]), [known]);
  assert.deepEqual(elementsOf(['10.128.0.2']), [
    { map: 'services', key: '192.0.2.9 . tcp . 80', value: 'goto pick-1' },
    { map: 'backends', key: '192.0.2.9 . tcp . 80 . 0', value: '10.128.0.2 . 8080' },
    known,
    { map: 'hairpin', key: '10.128.0.2 . 10.128.0.2', value: '' },
  ]);
});

test('a node port is every node’s: it needs no address', () => {
  const service = vpcService('web', '10.96.0.5', ['10.128.0.2'], {
    type: 'NodePort',
    ports: [{ name: 'http', protocol: 'UDP', port: 53, nodePort: 30053 }],
  });
  assert.deepEqual(
    serviceElements(service)
      .elements.filter(({ map }) => map !== 'hairpin')
      .map(({ map, key, value }) => `${map} ${key}: ${value}`),
    [
      'services 10.96.0.5 . udp . 53: goto pick-1',
      'backends 10.96.0.5 . udp . 53 . 0: 10.128.0.2 . 8080',
      'node-services udp . 30053: goto node-pick-1',
      'node-backends udp . 30053 . 0: 10.128.0.2 . 8080',
    ],
  );
});

test('with a local policy a node port leads at each virtual node to its own endpoints, and nowhere without any', () => {
  const service = vpcService('web', '10.96.0.5', [], {
    type: 'NodePort',
    ports: [{ name: 'http', protocol: 'TCP', port: 80, nodePort: 30080 }],
    sessionAffinitySeconds: 60,
    externalLocal: true,
    localAt: ['10.112.0.1', '10.112.0.2', '10.112.0.3', '10.1.1.1'],
    endpoints: [
      { address: '10.128.0.2', ready: true, node: '10.112.0.1', ports: { http: 8080 } },
      { address: '10.128.0.3', ready: false, serving: true, node: '10.112.0.1', ports: { http: 8080 } },
      { address: '10.128.0.4', ready: false, serving: true, node: '10.112.0.2', ports: { http: 8080 } },
      { address: '10.128.0.5', ready: false, node: '10.112.0.3', ports: { http: 8080 } },
    ],
  });
  const shown = (text: string) => text.replaceAll(/sticky-[0-9a-f]+/g, 'sticky');
  const { elements, sticky } = serviceElements(service);
  assert.deepEqual(
    elements
      .filter(({ map }) => map !== 'hairpin' && map !== 'remember')
      .map(({ map, key, value }) => shown(`${map} ${key}: ${value}`)),
    [
      'services 10.96.0.5 . tcp . 80: goto sticky',
      'backends 10.96.0.5 . tcp . 80 . 0: 10.128.0.2 . 8080',
      'node-services tcp . 30080: goto node-sticky',
      'node-backends tcp . 30080 . 0: 10.128.0.2 . 8080',
      'services 10.112.0.1 . tcp . 30080: goto sticky',
      'backends 10.112.0.1 . tcp . 30080 . 0: 10.128.0.2 . 8080',
      'services 10.112.0.2 . tcp . 30080: goto sticky',
      'backends 10.112.0.2 . tcp . 30080 . 0: 10.128.0.4 . 8080',
      'services 10.112.0.3 . tcp . 30080: drop',
    ],
  );
  assert.equal(new Set(sticky.map(({ chain }) => chain)).size, 4, 'nodes remember clients apart');
});

test('pods of nodes that some endpoints are near to use none but those, all others any', () => {
  const service = vpcService('web', '10.96.0.5', [], {
    endpoints: [
      { address: '10.128.0.2', ready: true, near: ['10.112.0.1'], ports: { http: 8080 } },
      { address: '10.128.0.3', ready: true, near: ['10.112.0.2', '10.1.1.1'], ports: { http: 8080 } },
      { address: '10.128.0.4', ready: false, near: ['10.112.0.3'], ports: { http: 8080 } },
    ],
  });
  const words = ({ map, key, value }: { map: string; key: string; value: string }) => `${map} ${key}: ${value}`;
  const elements = () => serviceElements(service).elements.filter(({ map }) => map !== 'hairpin');
  assert.deepEqual(elements().map(words), [
    'services 10.96.0.5 . tcp . 80: goto pick-2',
    'backends 10.96.0.5 . tcp . 80 . 0: 10.128.0.2 . 8080',
    'backends 10.96.0.5 . tcp . 80 . 1: 10.128.0.3 . 8080',
    'local-services 1 . 10.96.0.5 . tcp . 80: goto local-pick-1',
    'local-backends 1 . 10.96.0.5 . tcp . 80 . 0: 10.128.0.2 . 8080',
    'local-services 2 . 10.96.0.5 . tcp . 80: goto local-pick-1',
    'local-backends 2 . 10.96.0.5 . tcp . 80 . 0: 10.128.0.3 . 8080',
  ]);
});

test('a change touches only what differs', () => {
  const state = new TableState();
  state.reset(named(vpcService('web', '10.96.0.5', ['10.128.0.2']), vpcService('other', '10.96.0.6', ['10.128.0.2'])));
  assert.equal(state.change(named(vpcService('web', '10.96.0.5', ['10.128.0.2']))).script, '');

  const grown = state.change(named(vpcService('web', '10.96.0.5', ['10.128.0.2', '10.128.0.3']))).script;
  assert.equal(
    grown,
    [
      'add chain ip skypod pick-2',
      'flush chain ip skypod pick-2',
      'add rule ip skypod pick-2 meta mark set numgen random mod 2',
      'add rule ip skypod pick-2 dnat ip to ip daddr . meta l4proto . th dport . meta mark map @backends',
      'delete element ip skypod services { 10.96.0.5 . tcp . 80 }',
      'add element ip skypod services { 10.96.0.5 . tcp . 80 : goto pick-2 }',
      'add element ip skypod backends { 10.96.0.5 . tcp . 80 . 1 : 10.128.0.3 . 8080 }',
      'add element ip skypod hairpin { 10.128.0.3 . 10.128.0.3 }',
      '',
    ].join('\n'),
  );
  // The hairpin address of both services goes with the second of them.
  const first = state.change(new Map([['default.web', undefined]])).script;
  assert.match(first, /delete element ip skypod hairpin { 10.128.0.3 . 10.128.0.3 }/);
  const second = state.change(new Map([['default.other', undefined]])).script;
  assert.match(second, /delete element ip skypod hairpin { 10.128.0.2 . 10.128.0.2 }/);
});

test('UDP flows end with their endpoint, and at a node port when there is a first one', () => {
  const more = { ports: [{ name: 'http', protocol: 'UDP' as const, port: 53, nodePort: 30053 }] };
  const state = new TableState();
  state.reset(named(vpcService('dns', '10.96.0.5', [], more)));
  assert.deepEqual(state.change(named(vpcService('dns', '10.96.0.5', ['10.128.0.2'], more))).ended, [
    { port: '30053' },
  ]);
  assert.deepEqual(state.change(named(vpcService('dns', '10.96.0.5', ['10.128.0.2', '10.128.0.3'], more))).ended, []);
  assert.deepEqual(state.change(named(vpcService('dns', '10.96.0.5', [], more))).ended, [
    { address: '10.96.0.5', port: '53', endpoint: '10.128.0.2' },
    { address: '10.96.0.5', port: '53', endpoint: '10.128.0.3' },
    { port: '30053', endpoint: '10.128.0.2' },
    { port: '30053', endpoint: '10.128.0.3' },
  ]);
});

test('an address that passes from one service to another within one change', () => {
  const state = new TableState();
  state.reset(named(vpcService('old', '10.96.0.5', ['10.128.0.2'])));
  const change = state.change(
    new Map<string, VpcService | undefined>([
      ['default.new', vpcService('new', '10.96.0.5', ['10.128.0.3'])],
      ['default.old', undefined],
    ]),
  );
  assert.match(change.script, /delete element ip skypod backends { 10.96.0.5 . tcp . 80 . 0 }/);
  assert.match(change.script, /add element ip skypod backends { 10.96.0.5 . tcp . 80 . 0 : 10.128.0.3 . 8080 }/);
  assert.doesNotMatch(change.script, /element ip skypod services/);
});

test('affinity: who lost an endpoint is to be forgotten', () => {
  const affinity = { sessionAffinitySeconds: 100 };
  const state = new TableState();
  state.reset(named(vpcService('web', '10.96.0.5', ['10.128.0.2', '10.128.0.3'], affinity)));
  const grown = state.change(
    named(vpcService('web', '10.96.0.5', ['10.128.0.2', '10.128.0.3', '10.128.0.4'], affinity)),
  );
  assert.deepEqual(grown.forget, []);
  const shrunk = state.change(named(vpcService('web', '10.96.0.5', ['10.128.0.2', '10.128.0.4'], affinity)));
  assert.deepEqual(shrunk.forget[0]?.endpoints, ['10.128.0.2 . 8080', '10.128.0.4 . 8080']);
  const gone = state.change(new Map([['default.web', undefined]]));
  assert.deepEqual(gone.forget[0]?.endpoints, []);
});
