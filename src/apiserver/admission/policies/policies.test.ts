import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { ApiRequest } from '../../../api/transport.ts';
import { ManualClock } from '../../../base/clock.ts';
import { openMemoryStore } from '../../../store/memory/memory-store.ts';
import { refusal } from '../../testing/in-process-caller.ts';
import { startTestServer, type TestServer } from '../../testing/test-server.ts';

const root = '/clusters/a';
const registration = `${root}/apis/admissionregistration.k8s.io/v1`;
const configMaps = `${root}/api/v1/namespaces/default/configmaps`;
const rules = (resource: string, more: object = {}) => ({
  resourceRules: [
    {
      apiGroups: ['*'],
      apiVersions: ['*'],
      operations: ['CREATE', 'UPDATE', 'DELETE'],
      resources: [resource],
      ...more,
    },
  ],
});

describe('admission policies', { timeout: 60_000 }, () => {
  let server: TestServer;
  before(async () => {
    const clock = new ManualClock(Date.parse('2026-01-01T00:00:00Z'));
    server = await startTestServer(openMemoryStore(), { tenants: ['a', 'b'], clock });
  });
  after(() => server.close());

  const send = (method: ApiRequest['method'], path: string, body?: unknown) =>
    server.transport.request<any>({ method, path, body });
  const post = (path: string, body: unknown) => send('POST', path, body);
  const configMap = (name: string, data: Record<string, string> = {}, labels: Record<string, string> = {}) => ({
    metadata: { name, labels },
    data,
  });

  /** A policy and its binding while `use` runs. */
  async function withPolicy(
    kind: 'validating' | 'mutating',
    spec: object,
    binding: object,
    use: () => Promise<void>,
  ): Promise<void> {
    const metadata = { name: 'p' };
    const policies = `${registration}/${kind}admissionpolicies`;
    const bindings = `${registration}/${kind}admissionpolicybindings`;
    await post(policies, { metadata, spec });
    await post(bindings, { metadata: { name: 'b' }, spec: { policyName: 'p', ...binding } });
    try {
      await use();
    } finally {
      await send('DELETE', `${policies}/p`);
      await send('DELETE', `${bindings}/b`);
    }
  }
  const withValidation = (spec: object, use: () => Promise<void>, binding: object = { validationActions: ['Deny'] }) =>
    withPolicy('validating', { matchConstraints: rules('configmaps'), failurePolicy: 'Fail', ...spec }, binding, use);
  const withMutation = (spec: object, use: () => Promise<void>) => {
    const matchConstraints = rules('configmaps', { operations: ['CREATE', 'UPDATE'] });
    const defaults = { matchConstraints, failurePolicy: 'Fail', reinvocationPolicy: 'Never' };
    return withPolicy('mutating', { ...defaults, ...spec }, {}, use);
  };

  it('denies at the next write what a validation does not hold for, in upstream’s words', async () => {
    await withValidation({ validations: [{ expression: "object.data.a == 'x'" }] }, async () => {
      await post(configMaps, configMap('good', { a: 'x' }));
      const error = await refusal(post(configMaps, configMap('bad', { a: 'y' })));
      assert.equal(error.code, 422);
      assert.equal(error.reason, 'Invalid');
      assert.equal(
        error.message,
        `configmaps "bad" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: failed expression: object.data.a == 'x'`,
      );
      assert.match(error.details!.causes!.at(-1)!.message!, /^ValidatingAdmissionPolicy 'p' with binding 'b' denied/);
      const failed = await refusal(post(configMaps, { metadata: { name: 'none' } }));
      assert.match(failed.message, /expression 'object.data.a == 'x'' resulted in error: no such key: data$/);
      await post('/clusters/b/api/v1/namespaces/default/configmaps', configMap('bad', { a: 'y' }));
    });
    await post(configMaps, configMap('late', { a: 'y' }));
  });

  it('tells by message, messageExpression and reason, and knows variables', async () => {
    const variables = [
      { name: 'size', expression: 'has(object.data) ? size(object.data) : 0' },
      { name: 'doubled', expression: 'variables.size * 2' },
    ];
    const validations = [
      { expression: 'variables.doubled < 4', message: 'too many', reason: 'Forbidden' },
      {
        expression: 'variables.size < 3',
        messageExpression: "'at most two, not ' + string(variables.size)",
        message: 'unused',
      },
    ];
    await withValidation({ variables, validations: [validations[0]] }, async () => {
      const error = await refusal(post(configMaps, configMap('v', { a: '1', b: '2' })));
      assert.equal(error.code, 403);
      assert.match(error.message, /denied request: too many$/);
    });
    await withValidation({ variables, validations: [validations[1]] }, async () => {
      const error = await refusal(post(configMaps, configMap('v', { a: '1', b: '2', c: '3' })));
      assert.match(error.message, /denied request: at most two, not 3$/);
    });
  });

  it('looks at conditions, selectors, exclusions and the failure policy', async () => {
    const deny = { validations: [{ expression: 'false' }] };
    const matchConditions = [{ name: 'named', expression: "request.name.startsWith('held')" }];
    await withValidation({ ...deny, matchConditions }, async () => {
      await post(configMaps, configMap('free'));
      await refusal(post(configMaps, configMap('held')));
    });
    const selected = { ...rules('configmaps'), objectSelector: { matchLabels: { held: 'yes' } } };
    await withValidation({ ...deny, matchConstraints: selected }, async () => {
      await post(configMaps, configMap('free-2'));
      await refusal(post(configMaps, configMap('held-2', {}, { held: 'yes' })));
    });
    const namespaced = {
      ...rules('configmaps'),
      namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'other' } },
    };
    await withValidation({ ...deny, matchConstraints: namespaced }, async () => {
      await post(configMaps, configMap('free-3'));
    });
    const excluding = {
      ...rules('configmaps'),
      excludeResourceRules: [
        {
          apiGroups: [''],
          apiVersions: ['v1'],
          operations: ['*'],
          resources: ['configmaps'],
          resourceNames: ['spared'],
        },
      ],
    };
    await withValidation({ ...deny, matchConstraints: excluding }, async () => {
      await post(configMaps, configMap('spared'));
      await refusal(post(configMaps, configMap('not-spared')));
    });
    const failing = { validations: [{ expression: 'object.nothing == 1' }], failurePolicy: 'Ignore' };
    await withValidation(failing, async () => {
      await post(configMaps, configMap('ignored'));
    });
  });

  it('takes parameters by name and selector', async () => {
    await post(configMaps, configMap('limits', { most: '1' }, { limits: 'yes' }));
    const spec = {
      paramKind: { apiVersion: 'v1', kind: 'ConfigMap' },
      validations: [{ expression: 'size(object.data) <= int(params.data.most)' }],
    };
    const binding = (paramRef: object) => ({ validationActions: ['Deny'], paramRef });
    await withValidation(
      spec,
      async () => {
        await post(configMaps, configMap('small', { a: '1' }));
        await refusal(post(configMaps, configMap('large', { a: '1', b: '2' })));
      },
      binding({ name: 'limits', namespace: 'default', parameterNotFoundAction: 'Deny' }),
    );
    await withValidation(
      spec,
      async () => {
        await refusal(post(configMaps, configMap('large', { a: '1', b: '2' })));
      },
      binding({ selector: { matchLabels: { limits: 'yes' } }, parameterNotFoundAction: 'Deny' }),
    );
    await withValidation(
      spec,
      async () => {
        const error = await refusal(post(configMaps, configMap('any')));
        assert.match(
          error.message,
          /failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction$/,
        );
      },
      binding({ name: 'absent', parameterNotFoundAction: 'Deny' }),
    );
  });

  it('asks the authorizer, and sees who asks and deletions', async () => {
    const expression =
      "authorizer.group('').resource('configmaps').namespace('default').check('delete').allowed() && !authorizer.serviceAccount('default', 'nobody').path('/healthz-x').check('get').allowed() && request.operation == 'CREATE'";
    await withValidation({ validations: [{ expression }] }, async () => {
      await post(configMaps, configMap('asked'));
      const error = await refusal(send('DELETE', `${configMaps}/asked`));
      assert.match(error.message, /denied request: failed expression/);
    });
    await withValidation({ validations: [{ expression: "oldObject.metadata.name != 'asked'" }] }, async () => {
      await refusal(send('DELETE', `${configMaps}/asked`));
    });
    const names = { validations: [{ expression: "namespaceObject.metadata.name == 'default'" }] };
    await withValidation(names, async () => {
      await post(configMaps, configMap('in-namespace'));
    });
  });

  it('ends an expression that costs too much', async () => {
    const expression = 'lists.range(2000).all(i, lists.range(2000).all(j, i + j >= 0))';
    await withValidation({ validations: [{ expression }] }, async () => {
      const error = await refusal(post(configMaps, configMap('costly')));
      assert.match(error.message, /operation cancelled: actual cost limit exceeded$/);
    });
  });

  it('ends what costs too much together, by variables or by many policies', async () => {
    const ten = '[1,2,3,4,5,6,7,8,9,10]';
    const loops = `${ten}.all(a, ${ten}.all(b, ${ten}.all(c, ${ten}.all(d, ${ten}.all(e, true)))))`;
    const names = Array.from({ length: 60 }, (_, index) => `v${index}`);
    const variables = names.map((name) => ({ name, expression: loops }));
    const expression = names.map((name) => `variables.${name}`).join(' && ');
    await withValidation({ variables, validations: [{ expression }] }, async () => {
      assert.match((await refusal(post(configMaps, configMap('dear')))).message, /running out of cost budget/);
    });
    const validations = Array.from({ length: 12 }, () => ({ expression: loops }));
    const policies = `${registration}/validatingadmissionpolicies`;
    const bindings = `${registration}/validatingadmissionpolicybindings`;
    const many = Array.from({ length: 8 }, (_, index) => `many-${index}`);
    for (const name of many) {
      await post(policies, { metadata: { name }, spec: { matchConstraints: rules('configmaps'), validations } });
      await post(bindings, { metadata: { name }, spec: { policyName: name, validationActions: ['Deny'] } });
    }
    try {
      assert.match((await refusal(post(configMaps, configMap('dear')))).message, /running out of cost budget/);
    } finally {
      for (const name of many) {
        await send('DELETE', `${policies}/${name}`);
        await send('DELETE', `${bindings}/${name}`);
      }
    }
  });

  it('changes objects by ApplyConfiguration and JSONPatch', async () => {
    const mutations = [
      {
        patchType: 'ApplyConfiguration',
        applyConfiguration: {
          expression: "Object{metadata: Object.metadata{labels: {'by': 'policy'}}, data: {'added': string(1 + 1)}}",
        },
      },
      {
        patchType: 'JSONPatch',
        jsonPatch: {
          expression:
            "[JSONPatch{op: 'add', path: '/metadata/labels/' + jsonpatch.escapeKey('a/b'), value: object.metadata.labels.by}]",
        },
      },
    ];
    await withMutation({ mutations }, async () => {
      const made = await post(configMaps, configMap('mutated', { own: 'x' }));
      assert.deepEqual(made.metadata.labels, { by: 'policy', 'a/b': 'policy' });
      assert.deepEqual(made.data, { own: 'x', added: '2' });
    });
  });

  it('refuses what a mutation cannot do, and mismatched types', async () => {
    const apply = (expression: string) => ({
      mutations: [{ patchType: 'ApplyConfiguration', applyConfiguration: { expression } }],
    });
    await withMutation(apply('Object{metadata: Object.spec{}}'), async () => {
      const error = await refusal(post(configMaps, configMap('mismatched')));
      assert.match(
        error.message,
        /^policy 'p' with binding 'b' denied request: type mismatch: unexpected type name "Object.spec", expected "Object.metadata"/,
      );
    });
    await withMutation(apply('Object{nothing: 1}'), async () => {
      const error = await refusal(post(configMaps, configMap('unknown')));
      assert.match(error.message, /error applying patch: .*field not declared in schema/);
    });
    await withMutation({ ...apply('Object{nothing: 1}'), failurePolicy: 'Ignore' }, async () => {
      await post(configMaps, configMap('unknown'));
    });
  });

  it('lets nobody have parameters read that they may not read themselves', async () => {
    const access = `${root}/apis/rbac.authorization.k8s.io/v1`;
    await post(`${access}/clusterroles`, {
      metadata: { name: 'policies' },
      rules: [{ apiGroups: ['admissionregistration.k8s.io'], resources: ['*'], verbs: ['*'] }],
    });
    await post(`${access}/clusterrolebindings`, {
      metadata: { name: 'policies' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'policies' },
      subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'bob' }],
    });
    const bob = server.server.inProcess({ kind: 'tenant', tenant: 'a', name: 'bob', groups: ['g'] });
    const create = (resource: string, spec: object) =>
      bob.request({
        method: 'POST',
        path: `${registration}/${resource}`,
        body: { metadata: { name: 'of-bob' }, spec },
      });
    const spec = {
      matchConstraints: rules('configmaps'),
      paramKind: { apiVersion: 'v1', kind: 'Secret' },
      validations: [{ expression: 'params == null', messageExpression: 'string(params.data.key)' }],
    };
    const policy = await refusal(create('validatingadmissionpolicies', spec));
    assert.equal(
      policy.message,
      'ValidatingAdmissionPolicy.admissionregistration.k8s.io "of-bob" is invalid: spec.paramKind: Forbidden: ' +
        'user &{bob  [g] map[]} must have "get" permission on all objects of the referenced paramKind (kind=Secret, apiVersion=v1)',
    );
    await post(`${registration}/validatingadmissionpolicies`, { metadata: { name: 'of-bob' }, spec });
    const binding = { policyName: 'of-bob', validationActions: ['Deny'] };
    const paramRef = { name: 's', namespace: 'default', parameterNotFoundAction: 'Deny' };
    const refused = await refusal(create('validatingadmissionpolicybindings', { ...binding, paramRef }));
    assert.match(refused.message, /"get" permission on the object referenced by paramRef$/);
    const other = await refusal(
      create('validatingadmissionpolicybindings', { ...binding, policyName: 'none', paramRef }),
    );
    assert.match(other.message, /unable to get policy none to determine .* groups, versions and resources$/);
    await send('DELETE', `${registration}/validatingadmissionpolicies/of-bob`);
    await create('validatingadmissionpolicies', {
      ...spec,
      paramKind: undefined,
      validations: [{ expression: 'true' }],
    });
  });
});
