import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fillFamilies } from './ip-families.ts';

const filled = (spec: object) => {
  const findings = fillFamilies(spec);
  assert.deepEqual(findings, []);
  const { ipFamilyPolicy, ipFamilies } = spec as any;
  return [ipFamilyPolicy, ...ipFamilies].join(' ');
};
const refused = (spec: object) => fillFamilies(spec).map(({ field, message }) => `${field}: ${message}`);

test('families are those of the one range there is', () => {
  assert.equal(filled({ selector: { app: 'a' } }), 'SingleStack IPv4');
  assert.equal(filled({ ipFamilyPolicy: 'PreferDualStack' }), 'PreferDualStack IPv4');
  assert.equal(filled({ clusterIP: '10.96.0.7', clusterIPs: ['10.96.0.7'] }), 'SingleStack IPv4');
  assert.equal(filled({ clusterIP: 'None', clusterIPs: ['None'], selector: { app: 'a' } }), 'SingleStack IPv4');
});

test('a headless service without selector may name both', () => {
  assert.equal(filled({ clusterIP: 'None', clusterIPs: ['None'] }), 'RequireDualStack IPv4 IPv6');
  assert.equal(filled({ clusterIP: 'None', ipFamilyPolicy: 'SingleStack' }), 'SingleStack IPv4');
  assert.equal(filled({ clusterIP: 'None', ipFamilies: ['IPv6'] }), 'RequireDualStack IPv6 IPv4');
});

test('an address of a family that another has adds none: its finding is about the address', () => {
  const spec = { clusterIP: '10.96.0.7', clusterIPs: ['10.96.0.7', '10.96.0.8'], ipFamilyPolicy: 'PreferDualStack' };
  assert.equal(filled(spec), 'PreferDualStack IPv4');
});

test('what the network does not have is refused in upstream words', () => {
  assert.deepEqual(refused({ ipFamilies: ['IPv6'] }), [
    'spec.ipFamilies[0]: Invalid value: "IPv6": not configured on this cluster',
  ]);
  assert.deepEqual(refused({ ipFamilyPolicy: 'RequireDualStack', ipFamilies: ['IPv4', 'IPv6'] }), [
    'spec.ipFamilyPolicy: Invalid value: "RequireDualStack": this cluster is not configured for dual-stack services',
    'spec.ipFamilies[1]: Invalid value: "IPv6": not configured on this cluster',
  ]);
  assert.deepEqual(refused({ ipFamilies: ['IPv4', 'IPv6'] }), [
    `spec.ipFamilyPolicy: Invalid value: "SingleStack": must be 'RequireDualStack' or 'PreferDualStack' when multiple IP families are specified`,
  ]);
  assert.deepEqual(refused({ clusterIP: 'fd00::1', clusterIPs: ['fd00::1'] }), [
    'spec.clusterIPs[0]: Invalid value: ["fd00::1"]: IPv6 is not configured on this cluster',
  ]);
});
