import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CommandError } from './command-error.ts';
import { type ControlPlaneFlags, controlPlaneArguments, parseControlPlaneFlags } from './control-plane-settings.ts';

const flags = (given: Partial<ControlPlaneFlags>): ControlPlaneFlags => ({
  store: 'lmdb',
  leaderElectLeaseDuration: '15s',
  leaderElectRenewDeadline: '10s',
  leaderElectRetryPeriod: '2s',
  ...given,
});
const parse = (given: Partial<ControlPlaneFlags>) => parseControlPlaneFlags(flags(given));

test('the store is lmdb, or an etcd by its members', () => {
  assert.equal(parse({}).etcd, undefined);
  assert.deepEqual(parse({ store: 'etcd://a:2379,10.0.0.1:2380,[::1]:2379/', etcdPrefix: '/mine/' }).etcd, {
    endpoints: ['a:2379', '10.0.0.1:2380', '[::1]:2379'],
    prefix: '/mine',
  });
  for (const store of ['etcd://', 'etcd://a', 'etcd://a:1,b', 'http://a:1', 'etcd://user@a:1', 'sqlite'])
    assert.throws(() => parse({ store }), /is not known: lmdb, or etcd:/, store);
  assert.throws(() => parse({ store: 'etcd://a:1', etcdCertfile: import.meta.filename }), /go together/);
  assert.throws(() => parse({ store: 'etcd://a:1', etcdCafile: '/nowhere' }), /--etcd-cafile: ENOENT/);
});

test('a flag that would do nothing is not passed over', () => {
  for (const [given, why] of [
    [{ etcdCafile: '/etc/etcd/ca.crt' }, '--etcd-cafile does nothing without --store etcd://HOST:PORT'],
    [
      { etcdPrefix: '/mine', clusterKeyFile: '/key' },
      '--etcd-prefix, --cluster-key-file do nothing without --store etcd://HOST:PORT',
    ],
    [{ auditLogMaxage: '30' }, '--audit-log-maxage does nothing without --audit-log-path FILE'],
    [{ auditLogPath: '-', auditLogMaxsize: '1' }, '--audit-log-maxsize does nothing without --audit-log-path FILE'],
    [
      { auditWebhookBatchMaxWait: '1s' },
      '--audit-webhook-batch-max-wait does nothing without --audit-webhook-config-file',
    ],
  ] as const)
    assert.throws(
      () => parse(given),
      (error: CommandError) => error.message === why && error.exitCode === 2,
    );
});

test('times of the election must fit together', () => {
  assert.deepEqual(parse({ leaderElectLeaseDuration: '1m30s', leaderElectRetryPeriod: '500ms' }).election, {
    leaseDurationMs: 90_000,
    renewDeadlineMs: 10_000,
    retryPeriodMs: 500,
  });
  assert.throws(() => parse({ leaderElectLeaseDuration: '10s' }), /must be longer than --leader-elect-renew-deadline/);
  assert.throws(() => parse({ leaderElectRetryPeriod: '9s' }), /must be longer than 1.2 times/);
  for (const time of ['15', '', '-1s', '1s2', 'fast', '0s'])
    assert.throws(() => parse({ leaderElectLeaseDuration: time }), /is not a time/, time);
});

test('peers are URLs; the child of `up` is given what `up` was given', () => {
  assert.deepEqual(parse({ peers: 'https://10.0.0.2:6443,https://[::1]' }).peers, [
    { host: '10.0.0.2', port: 6443 },
    { host: '::1', port: 443 },
  ]);
  for (const peers of ['10.0.0.2:6443', 'http://a:1', 'https://a:1/path'])
    assert.throws(() => parse({ peers }), /--peers: .* is not a control plane's URL/, peers);
  const given = controlPlaneArguments(flags({ store: 'etcd://a:1', peers: 'https://b:1' }));
  assert.deepEqual(given.slice(0, 2), ['--store', 'etcd://a:1']);
  assert.deepEqual(given.slice(given.indexOf('--peers')).slice(0, 2), ['--peers', 'https://b:1']);
});

test('webhooks are public unless told otherwise, and tenants have limits', () => {
  assert.deepEqual(parse({}).webhookEgress, { allowPrivateAddresses: false });
  assert.deepEqual(parse({ webhookEgress: 'any' }).webhookEgress, { allowPrivateAddresses: true });
  assert.throws(() => parse({ webhookEgress: 'private' }), /is not known: public, or any/);
  assert.deepEqual(parse({ tenantMaxObjects: '10', tenantMaxBytes: '2Gi' }).tenantLimits, {
    objects: 10,
    bytes: 2 * 1024 ** 3,
  });
  assert.deepEqual(parse({}).tenantLimits, {});
  assert.throws(() => parse({ tenantMaxBytes: 'much' }), /is not a quantity/);
  assert.throws(() => parse({ tenantMaxObjects: '1.5' }), /is not a whole number/);
});

test('virtual nodes are as large as the operator says', () => {
  assert.deepEqual(parse({}).nodeCapacity, {});
  assert.deepEqual(parse({ nodeCapacity: 'cpu=64,memory=256Gi' }).nodeCapacity, { cpu: '64', memory: '256Gi' });
  for (const nodeCapacity of ['cpu', 'cpu=0', 'cpu=much', 'gpu=1', 'cpu=1,'])
    assert.throws(() => parse({ nodeCapacity }), /--node-capacity .* is not known/, nodeCapacity);
});

test('authorizers, tokens and keys are read when the flags are', () => {
  assert.deepEqual(parse({}).access, {
    authorizers: undefined,
    tokenFile: undefined,
    tokenWebhook: undefined,
    formerTokenKeys: [],
    tokenIssuers: { extendExpiration: true },
  });
  const issuers = 'https://a.example,https://b.example';
  assert.deepEqual(
    parse({
      serviceAccountIssuer: issuers,
      serviceAccountMaxTokenExpiration: '2h',
      serviceAccountExtendTokenExpiration: 'false',
      apiAudiences: 'a,b',
    }).access.tokenIssuers,
    {
      serviceAccountIssuers: ['https://a.example', 'https://b.example'],
      maxExpirationSeconds: 7200,
      extendExpiration: false,
      apiAudiences: ['a', 'b'],
    },
  );
  for (const [given, why] of [
    [{ serviceAccountIssuer: 'a,' }, /should not be an empty string/],
    [{ serviceAccountIssuer: 'a,a' }, /"a" is already specified/],
    [{ serviceAccountIssuer: '://a' }, /contained a ':' but was not a valid URL/],
    [{ serviceAccountJwksUri: 'http://a' }, /requires https scheme, parsed as: http/],
    [{ serviceAccountMaxTokenExpiration: '59m' }, /must be between 1 hour and 2\^32 seconds/],
    [{ serviceAccountExtendTokenExpiration: 'no' }, /true or false/],
  ] as const)
    assert.throws(() => parse(given), why);
  for (const given of [
    { authorizationConfig: '/nowhere' },
    { tokenAuthFile: '/nowhere' },
    { authenticationTokenWebhookConfigFile: '/nowhere' },
    { serviceAccountKeyFile: '/nowhere' },
  ])
    assert.throws(() => parse(given), /^\w*Error: --[a-z-]+ \/nowhere: ENOENT/);
  assert.throws(() => parse({ authenticationTokenWebhookVersion: 'v2' }), /supported versions are "v1", "v1beta1"/);
  assert.throws(() => parse({ authenticationTokenWebhookCacheTtl: 'x' }), /is not a time/);
});
