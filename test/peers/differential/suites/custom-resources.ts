import type { Twin } from '../twin.ts';
import { APPLY, MERGE, makeNamespace, PARTIAL, STRATEGIC, TABLE } from './objects.ts';

/** A custom resource with everything a definition can say. */
export async function customResources(twin: Twin): Promise<void> {
  const namespace = `custom-${twin.run}`;
  const group = `g${twin.run}.example.com`;
  await makeNamespace(twin, namespace);
  const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
  const schema = {
    type: 'object',
    required: ['spec'],
    properties: {
      spec: {
        type: 'object',
        required: ['size'],
        'x-kubernetes-validations': [
          { rule: 'self.size <= 10', message: 'too large' },
          {
            rule: '!has(oldSelf.color) || self.color == oldSelf.color',
            reason: 'FieldValueForbidden',
            messageExpression: "'was ' + oldSelf.color",
          },
        ],
        properties: {
          size: { type: 'integer', minimum: 1 },
          color: { type: 'string', enum: ['red', 'blue'], default: 'red' },
          names: {
            type: 'array',
            items: { type: 'string', maxLength: 5 },
            maxItems: 3,
            'x-kubernetes-list-type': 'set',
          },
          ports: {
            type: 'array',
            items: {
              type: 'object',
              required: ['port'],
              properties: { port: { type: 'integer' }, name: { type: 'string' } },
            },
            'x-kubernetes-list-type': 'map',
            'x-kubernetes-list-map-keys': ['port'],
          },
          free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
          any: { 'x-kubernetes-int-or-string': true },
          when: { type: 'string', format: 'date-time' },
          replicas: { type: 'integer' },
        },
      },
      status: {
        type: 'object',
        properties: { replicas: { type: 'integer' }, selector: { type: 'string' }, phase: { type: 'string' } },
      },
    },
  };
  const definition = (more: object = {}) => ({
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `things.${group}` },
    spec: {
      group,
      scope: 'Namespaced',
      names: {
        plural: 'things',
        singular: 'thing',
        kind: 'Thing',
        listKind: 'ThingList',
        shortNames: [`t${twin.run}`],
        categories: ['all'],
      },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: { openAPIV3Schema: schema },
          subresources: {
            status: {},
            scale: {
              specReplicasPath: '.spec.replicas',
              statusReplicasPath: '.status.replicas',
              labelSelectorPath: '.status.selector',
            },
          },
          selectableFields: [{ jsonPath: '.spec.color' }],
          additionalPrinterColumns: [
            { name: 'Size', type: 'integer', jsonPath: '.spec.size' },
            { name: 'Names', type: 'string', jsonPath: '.spec.names', priority: 1 },
            { name: 'When', type: 'date', jsonPath: '.spec.when' },
            { name: 'First', type: 'string', jsonPath: '.spec.ports[0].name' },
            { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
          ],
        },
        { name: 'v1beta1', served: true, storage: false, deprecated: true, schema: { openAPIV3Schema: schema } },
        { name: 'v1alpha1', served: false, storage: false, schema: { openAPIV3Schema: { type: 'object' } } },
      ],
    },
    ...more,
  });
  await twin.ask('define dry', { method: 'POST', path: `${definitions}?dryRun=All`, body: definition() });
  await twin.ask('define badly', {
    method: 'POST',
    path: definitions,
    body: { ...definition(), metadata: { name: 'other' } },
  });
  await twin.ask('define', { method: 'POST', path: definitions, body: definition() });
  for (const side of twin.sides) {
    for (let attempt = 0; attempt < 100; attempt++) {
      const { status } = await side.client.send({ path: `/apis/${group}/v1/things` });
      if (status === 200) break;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
  await new Promise((resolve) => setTimeout(resolve, 3000));
  await twin.ask('the definition', { path: `${definitions}/things.${group}` });
  await twin.ask('the definition as a table', { path: `${definitions}/things.${group}`, accept: TABLE });
  for (const path of [`/apis/${group}`, `/apis/${group}/v1`, `/apis/${group}/v1beta1`, `/apis/${group}/v1alpha1`])
    await twin.ask(`discovery ${path.replace(group, 'GROUP')}`, { path }, { unordered: true });
  await twin.ask(
    'aggregated discovery',
    { path: '/apis', accept: 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList' },
    { reduce: ({ json }) => json.items.find((one: any) => one.metadata.name === group) },
  );
  await twin.ask(
    'open api',
    { path: `/openapi/v3/apis/${group}/v1` },
    { unordered: true, reduce: ({ json, text }) => json ?? text },
  );
  const root = `/apis/${group}/v1/namespaces/${namespace}/things`;
  const thing = (name: string, spec: object | undefined = { size: 1 }, more: object = {}) => ({
    apiVersion: `${group}/v1`,
    kind: 'Thing',
    metadata: { name },
    ...(spec !== undefined && { spec }),
    ...more,
  });
  const post = (label: string, body: unknown, query = '', type = 'application/json') =>
    twin.ask(
      `create ${label}`,
      { method: 'POST', path: `${root}${query}`, body: body as object, type },
      { replace: [[/Bad_[a-z0-9]{5}/g, 'Bad_<random>']] },
    );
  await post(
    'a',
    thing(
      'a',
      {
        size: 1,
        names: ['x', 'y'],
        ports: [{ port: 80, name: 'http' }],
        when: '2026-01-01T00:00:00Z',
        free: { a: { b: 1 } },
        any: '5%',
      },
      { status: { phase: 'x' } },
    ),
  );
  await post('again', thing('a'));
  for (const [label, spec] of Object.entries<any>({
    'no spec': undefined,
    'no size': {},
    'text size': { size: 'x' },
    small: { size: 0 },
    large: { size: 11 },
    float: { size: 1.5 },
    enum: { size: 1, color: 'green' },
    'null enum': { size: 1, color: null },
    'long name': { size: 1, names: ['abcdef'] },
    'many names': { size: 1, names: ['a', 'b', 'c', 'd'] },
    'same names': { size: 1, names: ['a', 'a'] },
    'same ports': { size: 1, ports: [{ port: 1 }, { port: 1 }] },
    'no port': { size: 1, ports: [{}] },
    unknown: { size: 1, other: 1 },
    'bad date': { size: 1, when: 'yesterday' },
    'list for object': { size: 1, free: [] },
    'int or string': { size: 1, any: true },
    'spec list': [],
  })) {
    await post(label, thing('bad', spec), '?dryRun=All');
    await post(`${label} strictly`, thing('bad', spec), '?dryRun=All&fieldValidation=Strict');
  }
  for (const [label, body] of [
    ['nothing', ''],
    ['list', '[]'],
    ['broken', '{'],
    ['other kind', { apiVersion: `${group}/v1`, kind: 'Other', metadata: { name: 'x' } }],
    ['other version', { ...thing('x'), apiVersion: `${group}/v1beta1` }],
    ['no kind', { metadata: { name: 'x' }, spec: { size: 1 } }],
    ['no metadata', { apiVersion: `${group}/v1`, kind: 'Thing', spec: { size: 1 } }],
    ['labels', { ...thing('x'), metadata: { name: 'x', labels: { a: 1 } } }],
    ['generateName', { ...thing(''), metadata: { generateName: 'Bad_' } }],
    ['bad name', thing('A_B')],
    ['duplicate', `{"apiVersion":"${group}/v1","kind":"Thing","metadata":{"name":"x"},"spec":{"size":1,"size":2}}`],
  ] as [string, unknown][]) {
    await post(`from ${label}`, body, '?dryRun=All');
    await post(`from ${label} strictly`, body, '?dryRun=All&fieldValidation=Strict');
  }
  for (const type of ['text/plain', 'application/vnd.kubernetes.protobuf', 'application/yaml', 'application/cbor'])
    await post(`as ${type}`, thing('typed'), '?dryRun=All', type);
  await twin.ask('get', { path: `${root}/a` });
  await twin.ask('get v1beta1', { path: `${root.replace('/v1/', '/v1beta1/')}/a` });
  await twin.ask('get v1alpha1', { path: `${root.replace('/v1/', '/v1alpha1/')}/a` });
  await twin.ask('list', { path: root });
  for (const accept of [
    TABLE,
    PARTIAL,
    'application/json;as=Table;v=v1;g=meta.k8s.io',
    'application/vnd.kubernetes.protobuf',
    'application/vnd.kubernetes.protobuf,application/json',
    'application/yaml',
    'text/html',
    'application/*',
    'application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io',
  ]) {
    await twin.ask(`list as ${accept}`, { path: root, accept });
    await twin.ask(`get as ${accept}`, { path: `${root}/a`, accept });
  }
  for (const field of ['metadata.name', 'spec.color', 'spec.size', 'status.phase'])
    await twin.ask(`by ${field}`, { path: `${root}?fieldSelector=${field}%3Dred` });
  await twin.ask('by color in v1beta1', {
    path: `${root.replace('/v1/', '/v1beta1/')}?fieldSelector=spec.color%3Dred`,
  });
  const patch = (label: string, type: string, body: unknown, query = '', sub = '') =>
    twin.ask(label, { method: 'PATCH', path: `${root}/a${sub}${query}`, type, body: body as object });
  await patch('merge', MERGE, { spec: { size: 3 } });
  await patch('merge status by the object', MERGE, { status: { phase: 'z' } });
  await patch('merge unknown', MERGE, { spec: { other: 1 } });
  await patch('merge unknown strictly', MERGE, { spec: { other: 1 } }, '?fieldValidation=Strict');
  await patch('strategic', STRATEGIC, { spec: { size: 4 } });
  await patch('transition', MERGE, { spec: { color: 'blue' } });
  await patch('invalid', MERGE, { spec: { size: 40 } });
  await patch('apply', APPLY, thing('a', { size: 5, ports: [{ port: 80, name: 'web' }] }), '?fieldManager=applier');
  await patch(
    'apply forced',
    APPLY,
    thing('a', { size: 5, ports: [{ port: 80, name: 'web' }, { port: 81 }] }),
    '?fieldManager=applier&force=true',
  );
  await patch('apply unknown', APPLY, thing('a', { size: 5, other: 1 }), '?fieldManager=applier2&force=true');
  await patch('apply bad', APPLY, thing('a', { size: 'x' }), '?fieldManager=applier2&force=true');
  await patch(
    'apply duplicate',
    APPLY,
    thing('a', { size: 5, ports: [{ port: 80 }, { port: 80 }] }),
    '?fieldManager=applier2&force=true',
  );
  await patch('json', 'application/json-patch+json', [{ op: 'replace', path: '/spec/size', value: 6 }]);
  await patch(
    'status',
    MERGE,
    { status: { replicas: 2, selector: 'a=b', phase: 'Ready' }, spec: { size: 9 } },
    '?fieldManager=s',
    '/status',
  );
  await patch('status invalid', MERGE, { status: { replicas: 'x' } }, '', '/status');
  await twin.ask('scale without replicas', { path: `${root}/a/scale` });
  await patch('scale', MERGE, { spec: { replicas: 4 } }, '?fieldManager=scaler', '/scale');
  await twin.ask('scale', { path: `${root}/a/scale` });
  await twin.ask('put scale', {
    method: 'PUT',
    path: `${root}/a/scale`,
    body: { metadata: { name: 'a' }, spec: { replicas: 2 } },
  });
  await twin.ask('no such part', { path: `${root}/a/nothing` });
  await twin.ask('put', { method: 'PUT', path: `${root}/a`, body: thing('a', { size: 2 }) });
  await twin.ask('put without name', {
    method: 'PUT',
    path: `${root}/a`,
    body: { apiVersion: `${group}/v1`, kind: 'Thing', spec: { size: 2 } },
  });
  const now = await twin.prepare({ path: `${root}/a` });
  twin.note('a', now, ({ json }) => json);
  await twin.ask('put with revision', (side) => ({
    method: 'PUT',
    path: `${root}/a`,
    body: { ...side.notes['a'], spec: { ...side.notes['a'].spec, size: 7 } },
  }));
  await twin.ask('put with an old revision', (side) => ({
    method: 'PUT',
    path: `${root}/a`,
    body: { ...side.notes['a'], spec: { ...side.notes['a'].spec, size: 8 } },
  }));
  for (const [method, path] of [
    ['POST', `${root}/a`],
    ['PUT', root],
    ['HEAD', `${root}/a`],
    ['GET', `/apis/${group}/v1/things/a`],
    ['POST', `/apis/${group}/v1/things`],
    ['GET', `/apis/${group}/v1/nothings`],
    ['GET', `/apis/${group}/v2/things`],
    ['GET', `${root}/none`],
    ['DELETE', `${root}/none`],
    ['OPTIONS', root],
  ] as const)
    await twin.ask(`${method} ${path.replace(group, 'GROUP')}`, {
      method,
      path,
      ...(method === 'POST' || method === 'PUT' ? { body: {} } : {}),
    });
  await twin.ask(
    'watch',
    { path: `${root}?watch=1&resourceVersion=0&timeoutSeconds=1` },
    { reduce: ({ text }) => text.split('\n').map((line) => (line === '' ? '' : JSON.parse(line))) },
  );
  await twin.ask('delete', { method: 'DELETE', path: `${root}/a` });
  await twin.ask('delete collection', { method: 'DELETE', path: root });
  await twin.ask('change the group', {
    method: 'PATCH',
    path: `${definitions}/things.${group}`,
    type: MERGE,
    body: { spec: { group: 'other.example.com' } },
  });
  await twin.ask('change the scope', {
    method: 'PATCH',
    path: `${definitions}/things.${group}`,
    type: MERGE,
    body: { spec: { scope: 'Cluster' } },
  });
  await twin.ask('undefine', { method: 'DELETE', path: `${definitions}/things.${group}` });
  await policies(twin, namespace);
}

/** Policies in CEL: their refusals. */
async function policies(twin: Twin, namespace: string): Promise<void> {
  const root = '/apis/admissionregistration.k8s.io/v1';
  const name = `policy-${twin.run}`;
  const policy = {
    metadata: { name },
    spec: {
      failurePolicy: 'Fail',
      matchConstraints: {
        namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } },
        resourceRules: [
          {
            apiGroups: [''],
            apiVersions: ['v1'],
            operations: ['CREATE', 'UPDATE', 'DELETE'],
            resources: ['configmaps'],
          },
        ],
      },
      matchConditions: [
        { name: 'not-exempt', expression: "object == null || !object.metadata.name.startsWith('exempt')" },
      ],
      variables: [{ name: 'count', expression: 'object == null || !has(object.data) ? 0 : object.data.size()' }],
      validations: [
        { expression: "request.operation == 'DELETE' || variables.count < 2" },
        {
          expression: "request.operation == 'DELETE' || !object.metadata.name.startsWith('bad')",
          message: 'bad name',
          reason: 'Forbidden',
        },
        {
          expression: "request.operation == 'DELETE' || !object.metadata.name.startsWith('worse')",
          messageExpression: "'worse: ' + object.metadata.name",
          reason: 'Unauthorized',
        },
        {
          expression: "request.operation == 'DELETE' || object.metadata.name != 'broken' || object.data['none'] == 'x'",
        },
        { expression: "request.operation != 'DELETE' || oldObject.metadata.name != 'kept'", message: 'kept' },
      ],
      auditAnnotations: [{ key: 'count', valueExpression: 'string(variables.count)' }],
    },
  };
  await twin.ask('a policy', { method: 'POST', path: `${root}/validatingadmissionpolicies`, body: policy });
  await twin.ask('a bad policy', {
    method: 'POST',
    path: `${root}/validatingadmissionpolicies?dryRun=All`,
    body: {
      ...policy,
      spec: {
        ...policy.spec,
        validations: [{ expression: 'object.x +' }, { expression: 'nothing.x' }, { expression: '1' }],
      },
    },
  });
  await twin.ask('a binding', {
    method: 'POST',
    path: `${root}/validatingadmissionpolicybindings`,
    body: { metadata: { name }, spec: { policyName: name, validationActions: ['Deny', 'Audit'] } },
  });
  await twin.ask('a warning binding', {
    method: 'POST',
    path: `${root}/validatingadmissionpolicybindings`,
    body: { metadata: { name: `${name}-warn` }, spec: { policyName: name, validationActions: ['Warn'] } },
  });
  const maps = `/api/v1/namespaces/${namespace}/configmaps`;
  const body = { metadata: { name: 'x' }, data: { a: '1', b: '2', c: '3' } };
  for (const side of twin.sides) {
    for (let attempt = 0; attempt < 100; attempt++) {
      if ((await side.client.send({ method: 'POST', path: `${maps}?dryRun=All`, body })).status === 422) break;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
  await new Promise((resolve) => setTimeout(resolve, 1500));
  await twin.ask('too many', { method: 'POST', path: maps, body });
  for (const one of ['bad', 'worse', 'broken', 'exempt', 'fine', 'kept'])
    await twin.ask(`create ${one}`, {
      method: 'POST',
      path: maps,
      body: { metadata: { name: one }, data: { a: '1' } },
    });
  await twin.ask('update', { method: 'PATCH', path: `${maps}/fine`, type: MERGE, body: { data: { b: '2' } } });
  await twin.ask('delete kept', { method: 'DELETE', path: `${maps}/kept` });
  await twin.ask('delete all', { method: 'DELETE', path: maps });
  for (const one of [
    `${root}/validatingadmissionpolicybindings/${name}`,
    `${root}/validatingadmissionpolicybindings/${name}-warn`,
    `${root}/validatingadmissionpolicies/${name}`,
  ])
    await twin.ask(`delete ${one.split('/').at(-2)} ${one.endsWith('warn')}`, { method: 'DELETE', path: one });
}
