import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { openMemoryStore } from '../../store/memory/memory-store.ts';
import { type ApiCaller, apiCaller } from '../testing/api-caller.ts';
import { callerOf, configMaps, pod, pods, refusal, root } from '../testing/in-process-caller.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';
import { seriesOf } from './testing.ts';

const registration = '/clusters/a/apis/admissionregistration.k8s.io/v1';

describe('what admission counts', { timeout: 60_000 }, () => {
  let server: TestServer;
  let ask: ApiCaller;
  const { send, post } = callerOf(() => server.transport);
  before(async () => {
    server = await startTestServer(openMemoryStore(), { tenants: ['a'] });
    const { port } = await server.server.listen({ host: '127.0.0.1', port: 0 });
    const { certificatePem } = server.authority;
    ask = apiCaller(port, certificatePem, await server.authority.issuePlatformClient('operator'));
  });
  after(() => server.close());

  const figures = async () => seriesOf((await ask('GET', '/metrics')).text);
  const rules = [{ apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'], operations: ['CREATE'] }];
  const labelled = (name: string, labels: Record<string, string> = {}) => ({ metadata: { name, labels } });

  it('each plug-in and all together, by step, operation and outcome', async () => {
    const before = await figures();
    await post(configMaps, labelled('one'));
    await refusal(post('/clusters/a/api/v1/namespaces/none/configmaps', labelled('two')));
    const now = await figures();
    const grown = (name: string, labels: Record<string, string>) => now(name, labels) - before(name, labels);
    const step = 'apiserver_admission_step_admission_duration_seconds';
    assert.equal(grown(`${step}_count`, { type: 'admit', operation: 'CREATE', rejected: 'false' }), 1);
    assert.equal(grown(`${step}_count`, { type: 'admit', operation: 'CREATE', rejected: 'true' }), 1);
    assert.equal(grown(`${step}_summary_count`, { type: 'validate', operation: 'CREATE', rejected: 'false' }), 1);
    const plugin = 'apiserver_admission_controller_admission_duration_seconds_count';
    const lifecycle = { name: 'NamespaceLifecycle', type: 'admit', operation: 'CREATE' };
    assert.equal(grown(plugin, { ...lifecycle, rejected: 'false' }), 1);
    assert.equal(grown(plugin, { ...lifecycle, rejected: 'true' }), 1);
  });

  it('webhooks that do not answer, whether they fail open or not', async () => {
    const webhook = (name: string, failurePolicy: string) => ({
      name: `${name}.example.com`,
      admissionReviewVersions: ['v1'],
      sideEffects: 'None',
      failurePolicy,
      rules,
      clientConfig: { service: { namespace: 'default', name: 'nobody' } },
      objectSelector: { matchLabels: { ask: name } },
    });
    const path = `${registration}/validatingwebhookconfigurations`;
    await post(path, { metadata: { name: 'w' }, webhooks: [webhook('open', 'Ignore'), webhook('shut', 'Fail')] });
    await post(`${registration}/mutatingwebhookconfigurations`, {
      metadata: { name: 'w' },
      webhooks: [webhook('open', 'Ignore')],
    });
    await post(configMaps, labelled('passes', { ask: 'open' }));
    await refusal(post(configMaps, labelled('does-not', { ask: 'shut' })));
    const value = await figures();
    const of = (name: string, type: string) => ({ name: `${name}.example.com`, type });
    const operation = 'CREATE';
    assert.equal(value('apiserver_admission_webhook_fail_open_count', of('open', 'validating')), 1);
    assert.equal(value('apiserver_admission_webhook_fail_open_count', of('open', 'admit')), 1);
    const total = 'apiserver_admission_webhook_request_total';
    const unavailable = { operation, code: '503' };
    assert.equal(value(total, { ...of('open', 'validating'), ...unavailable, rejected: 'false' }), 1);
    assert.equal(value(total, { ...of('shut', 'validating'), ...unavailable, rejected: 'true' }), 1);
    assert.equal(
      value('apiserver_admission_webhook_rejection_count', {
        ...of('shut', 'validating'),
        operation,
        error_type: 'calling_webhook_error',
        rejection_code: '503',
      }),
      1,
    );
    const duration = 'apiserver_admission_webhook_admission_duration_seconds_count';
    assert.equal(value(duration, { ...of('shut', 'validating'), operation, rejected: 'true' }), 1);
    await send('DELETE', `${path}/w`);
    await send('DELETE', `${registration}/mutatingwebhookconfigurations/w`);
  });

  it('policies, by binding, error and what was done', async () => {
    const matchConstraints = { resourceRules: rules };
    await post(`${registration}/validatingadmissionpolicies`, {
      metadata: { name: 'p' },
      spec: {
        matchConstraints,
        validations: [
          { expression: "object.metadata.name != 'bad'" },
          { expression: "object.metadata.name != 'broken' || object.data.absent == 'x'" },
        ],
      },
    });
    await post(`${registration}/validatingadmissionpolicybindings`, {
      metadata: { name: 'b' },
      spec: { policyName: 'p', validationActions: ['Warn', 'Audit'] },
    });
    await post(`${registration}/mutatingadmissionpolicies`, {
      metadata: { name: 'm' },
      spec: {
        matchConstraints,
        failurePolicy: 'Ignore',
        reinvocationPolicy: 'Never',
        mutations: [
          {
            patchType: 'JSONPatch',
            jsonPatch: { expression: '[JSONPatch{op: "add", path: "/data", value: {"a": "b"}}]' },
          },
        ],
      },
    });
    await post(`${registration}/mutatingadmissionpolicybindings`, {
      metadata: { name: 'mb' },
      spec: { policyName: 'm' },
    });
    for (const name of ['good', 'bad', 'broken']) await post(configMaps, labelled(name));
    const value = await figures();
    const check = 'apiserver_validating_admission_policy_check';
    const of = (action: string) => ({ policy: 'p', policy_binding: 'b', enforcement_action: action });
    assert.equal(value(`${check}_total`, { ...of('warn'), error_type: 'invalid_error' }), 2);
    assert.equal(value(`${check}_total`, { ...of('audit'), error_type: 'invalid_error' }), 2);
    assert.equal(value(`${check}_total`, { ...of('deny'), error_type: 'invalid_error' }), 0);
    assert.equal(value(`${check}_duration_seconds_count`, { ...of('warn'), error_type: 'invalid_error' }), 2);
    const mutation = { policy: 'm', policy_binding: 'mb', error_type: 'no_error' };
    assert.equal(value('apiserver_mutating_admission_policy_check_total', mutation), 3);
    assert.equal(value('apiserver_mutating_admission_policy_check_duration_seconds_count', mutation), 3);
  });

  it('pods held to the level of their namespace', async () => {
    const labels = {
      'pod-security.kubernetes.io/enforce': 'baseline',
      'pod-security.kubernetes.io/warn': 'restricted',
    };
    await post(`${root}/namespaces`, labelled('held', labels));
    await post(`${root}/namespaces/held/serviceaccounts`, labelled('default'));
    await post(`${root}/namespaces/held/pods`, pod('fits'));
    await refusal(post(`${root}/namespaces/held/pods`, pod('does-not', { hostNetwork: true })));
    await post(pods, pod('free'));
    const value = await figures();
    const of = (decision: string, policy_level: string, mode: string) =>
      value('pod_security_evaluations_total', {
        decision,
        policy_level,
        policy_version: 'latest',
        mode,
        request_operation: 'create',
        resource: 'pod',
        subresource: '',
      });
    assert.equal(of('allow', 'baseline', 'enforce'), 1);
    assert.equal(of('deny', 'baseline', 'enforce'), 1);
    assert.equal(of('deny', 'restricted', 'warn'), 1, 'what is refused is not warned about');
    assert.equal(of('allow', 'privileged', 'enforce'), 1);
  });
});
