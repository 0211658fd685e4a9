import assert from 'node:assert/strict';
import { it } from 'node:test';
import { runAtOnce } from '../../../base/steps.ts';
import { Findings } from '../findings.ts';
import { validateWebhookConfiguration, validateWebhookConfigurationUpdate } from './webhook-configuration.ts';

const webhook = (more: object = {}) => ({
  name: 'a.example.com',
  clientConfig: { service: { namespace: 'ns', name: 'svc', path: '/a', port: 443 } },
  rules: [{ operations: ['CREATE'], apiGroups: [''], apiVersions: ['v1'], resources: ['pods'], scope: '*' }],
  sideEffects: 'None',
  admissionReviewVersions: ['v1'],
  ...more,
});

const found = (...webhooks: object[]) => {
  const findings = new Findings();
  runAtOnce(validateWebhookConfiguration({ webhooks }, findings));
  return findings.list.map(({ field, message }) => `${field}: ${message}`);
};

it('finds what is wrong with a webhook, in upstream words', () => {
  assert.deepEqual(found(webhook()), []);
  const rule = (more: object) => webhook({ rules: [{ ...webhook().rules[0], ...more }] });
  const client = (clientConfig: object) => webhook({ clientConfig });
  const cases: [object, ...string[]][] = [
    [
      webhook({ name: 'a.b' }),
      'name: Invalid value: "a.b": should be a domain with at least three segments separated by dots',
    ],
    [
      webhook({ sideEffects: 'Some' }),
      'sideEffects: Unsupported value: "Some": supported values: "None", "NoneOnDryRun"',
    ],
    [webhook({ sideEffects: undefined }), 'sideEffects: Required value: must specify one of None, NoneOnDryRun'],
    [
      webhook({ timeoutSeconds: 31 }),
      'timeoutSeconds: Invalid value: 31: the timeout value must be between 1 and 30 seconds',
    ],
    [
      webhook({ admissionReviewVersions: ['v2'] }),
      'admissionReviewVersions: Invalid value: ["v2"]: must include at least one of v1, v1beta1',
    ],
    [
      webhook({ admissionReviewVersions: [] }),
      'admissionReviewVersions: Required value: must specify one of v1, v1beta1',
    ],
    [
      rule({ operations: ['*', 'CREATE'] }),
      `rules[0].operations: Invalid value: ["*","CREATE"]: if '*' is present, must not specify other operations`,
    ],
    [rule({ apiVersions: [] }), 'rules[0].apiVersions: Required value'],
    [
      rule({ resources: ['*/*', 'pods'] }),
      `rules[0].resources: Invalid value: ["*/*","pods"]: if '*/*' is present, must not specify other resources`,
    ],
    [
      rule({ resources: ['pods/*', 'pods/log'] }),
      `rules[0].resources[1]: Invalid value: "pods/log": if 'pods/*' is present, must not specify pods/log`,
    ],
    [client({}), 'clientConfig: Required value: exactly one of url or service is required'],
    [
      client({ url: 'http://a/b' }),
      `clientConfig.url: Invalid value: "http": 'https' is the only allowed URL scheme; desired format: https://host[/path]`,
    ],
    [
      client({ url: 'https://u@a/b?c#d' }),
      'clientConfig.url: Invalid value: "u": user information is not permitted in the URL',
      'clientConfig.url: Invalid value: "d": fragments are not permitted in the URL',
      'clientConfig.url: Invalid value: "c": query parameters are not permitted in the URL',
    ],
    [
      client({ service: { namespace: 'a', name: 'b', path: '//' } }),
      'clientConfig.service.path: Invalid value: "//": segment[0] may not be empty',
    ],
    [
      webhook({ matchConditions: [{ name: '', expression: ' ' }] }),
      'matchConditions[0].expression: Required value',
      'matchConditions[0].name: Required value',
    ],
  ];
  for (const [given, ...expected] of cases)
    assert.deepEqual(
      found(given),
      expected.map((line) => `webhooks[0].${line}`),
    );
  assert.deepEqual(found(webhook(), webhook()), ['webhooks[1].name: Duplicate value: "a.example.com"']);
  const condition = { name: 'one', expression: '... [] bad expression' };
  assert.match(
    found(webhook({ matchConditions: [condition] }))[0]!,
    /^webhooks\[0\].matchConditions\[0\].expression: Invalid value: "... \[\] bad expression": compilation failed: /,
  );
  const many = Array.from({ length: 65 }, (_, index) => ({ name: `c${index}`, expression: 'true' }));
  assert.deepEqual(found(webhook({ matchConditions: many })), [
    'webhooks[0].matchConditions: Too many: 65: must have at most 64 items',
  ]);
});

it('holds an update to no more than what held before', () => {
  const old = {
    webhooks: [
      webhook({
        sideEffects: 'Some',
        admissionReviewVersions: ['v0'],
        matchConditions: [{ name: 'x', expression: 'bad(' }],
      }),
    ],
  };
  const findings = new Findings();
  runAtOnce(
    validateWebhookConfigurationUpdate({ webhooks: [{ ...old.webhooks[0], timeoutSeconds: 5 }] }, old, findings),
  );
  assert.deepEqual(findings.list, []);
});
