import type { Side, Twin } from '../../twin.ts';
import { configMap, MERGE, makeNamespace, pod } from '../objects.ts';
import { settle } from './settle.ts';
import { type Reply, startWebhook } from './webhook.ts';

const root = '/apis/admissionregistration.k8s.io/v1';

const patch = (operations: object[]): Reply => ({
  response: {
    allowed: true,
    patchType: 'JSONPatch',
    patch: Buffer.from(JSON.stringify(operations)).toString('base64'),
  },
});

const validating: Record<string, Reply> = {
  allows: { response: { allowed: true } },
  'allows and warns': {
    response: { allowed: true, warnings: ['one', 'two "quoted"', 'x'.repeat(300), ''], auditAnnotations: { a: 'b' } },
  },
  denies: { response: { allowed: false } },
  'denies with a message': {
    response: { allowed: false, status: { message: 'because', code: 400, reason: 'BadRequest' } },
  },
  'denies with a reason': { response: { allowed: false, status: { reason: 'Gone' } } },
  'denies with code 200': { response: { allowed: false, status: { code: 200, message: 'fine' } } },
  'denies with details': {
    response: {
      allowed: false,
      status: {
        code: 422,
        message: 'm',
        reason: 'Invalid',
        details: { name: 'n', causes: [{ field: 'a', message: 'b', reason: 'c' }] },
      },
    },
  },
  'denies with status success': {
    response: { allowed: false, status: { status: 'Success', code: 451, message: 'law' } },
  },
  'has another uid': { response: { allowed: true, uid: 'other' } },
  'has no response': { response: undefined },
  'has another kind': { kind: 'Other', response: { allowed: true } },
  'has another version': { apiVersion: 'admission.k8s.io/v1beta1', response: { allowed: true } },
  'patches though it validates': patch([{ op: 'add', path: '/data/x', value: 'y' }]),
  'says no JSON': { text: 'hello' },
  'says nothing': { text: '' },
  'says an error': { status: 500, text: 'broken' },
  'is not found': { status: 404, text: '404 page not found' },
  redirects: { status: 302, text: '', headers: { location: '/elsewhere' } },
  'hangs up': { hangUp: true },
  'is slow': { delayMs: 2500, response: { allowed: true } },
};
const mutating: Record<string, Reply> = {
  patches: patch([{ op: 'add', path: '/data/x', value: 'y' }]),
  'patches nothing': patch([]),
  'patches what is not there': patch([{ op: 'remove', path: '/data/none' }]),
  'patches to a wrong type': patch([{ op: 'add', path: '/data/x', value: 5 }]),
  'patches to what is invalid': patch([{ op: 'add', path: '/data/bad key', value: 'x' }]),
  'patches the name': patch([{ op: 'replace', path: '/metadata/name', value: 'other' }]),
  'patches the uid': patch([{ op: 'replace', path: '/metadata/uid', value: 'other' }]),
  'patches an unknown field': patch([{ op: 'add', path: '/nothing', value: 'x' }]),
  'patches the kind': patch([{ op: 'replace', path: '/kind', value: 'Secret' }]),
  'patches by a test that fails': patch([{ op: 'test', path: '/data/a', value: 'none' }]),
  'patches with no list': {
    response: { allowed: true, patchType: 'JSONPatch', patch: Buffer.from('{"a":1}').toString('base64') },
  },
  'patches with no JSON': {
    response: { allowed: true, patchType: 'JSONPatch', patch: Buffer.from('hello').toString('base64') },
  },
  'patches in no base 64': { response: { allowed: true, patchType: 'JSONPatch', patch: '***' } },
  'patches without type': { response: { allowed: true, patch: Buffer.from('[]').toString('base64') } },
  'patches with another type': {
    response: { allowed: true, patchType: 'Other', patch: Buffer.from('[]').toString('base64') },
  },
  'has a type and no patch': { response: { allowed: true, patchType: 'JSONPatch' } },
  'denies and patches': {
    response: { allowed: false, patchType: 'JSONPatch', patch: Buffer.from('[]').toString('base64') },
  },
};

/** Webhooks: what is sent, and what comes of each answer. */
export async function webhooks(twin: Twin): Promise<void> {
  const hook = await startWebhook();
  try {
    await answers(twin, hook, 'validating', validating);
    await answers(twin, hook, 'mutating', { ...validating, ...mutating });
    await reviews(twin, hook);
    await configurations(twin, hook);
  } finally {
    await hook.close();
  }
}

type Hook = Awaited<ReturnType<typeof startWebhook>>;

const configuration = (
  twin: Twin,
  hook: Hook,
  side: Side,
  sort: string,
  namespace: string,
  path: string,
  more: object,
) => ({
  metadata: { name: `${path}-${twin.run}` },
  webhooks: [
    {
      name: `${path}.example.com`,
      clientConfig: { url: hook.url(side.name, path), caBundle: hook.caBundle },
      sideEffects: 'None',
      admissionReviewVersions: ['v1'],
      timeoutSeconds: 1,
      namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } },
      rules: [{ apiGroups: ['*'], apiVersions: ['*'], operations: ['*'], resources: ['*/*'], scope: 'Namespaced' }],
      ...(sort === 'mutating' && { reinvocationPolicy: 'Never' }),
      ...more,
    },
  ],
});

async function answers(
  twin: Twin,
  hook: Hook,
  sort: 'validating' | 'mutating',
  replies: Record<string, Reply>,
): Promise<void> {
  const all = Object.entries(replies).flatMap(([label, reply], index) =>
    ['Fail', 'Ignore'].map((failurePolicy) => ({
      label,
      reply,
      failurePolicy,
      path: `${sort}-${failurePolicy.toLowerCase()}-${index}`,
    })),
  );
  for (const { reply, failurePolicy, path } of all) {
    const namespace = `${path}-${twin.run}`;
    await makeNamespace(twin, namespace);
    hook.replies.set(path, reply);
    await twin.prepare(
      (side) => ({
        method: 'POST',
        path: `${root}/${sort}webhookconfigurations`,
        body: configuration(twin, hook, side, sort, namespace, path, { failurePolicy }),
      }),
      [201],
    );
  }
  await settle();
  await settle();
  for (const { label, failurePolicy, path } of all) {
    const maps = `/api/v1/namespaces/${path}-${twin.run}/configmaps`;
    await twin.ask(
      `${sort} webhook ${label}, ${failurePolicy}`,
      { method: 'POST', path: maps, body: configMap('m') },
      addresses,
    );
  }
  for (const { path } of all)
    await twin.prepare({ method: 'DELETE', path: `${root}/${sort}webhookconfigurations/${path}-${twin.run}` });
}

const addresses = {
  replace: [[/https:\/\/<address>\/(kubernetes|skypod)/g, 'https://<address>']] as [RegExp, string][],
};

/** What is sent for each kind of request. */
async function reviews(twin: Twin, hook: Hook): Promise<void> {
  const namespace = `reviews-${twin.run}`;
  await makeNamespace(twin, namespace);
  for (const sort of ['mutating', 'validating']) {
    hook.replies.set(`seen-${sort}`, { response: { allowed: true } });
    await twin.prepare(
      (side) => ({
        method: 'POST',
        path: `${root}/${sort}webhookconfigurations`,
        body: configuration(twin, hook, side, sort, namespace, `seen-${sort}`, {}),
      }),
      [201],
    );
  }
  await settle();
  const at = `/api/v1/namespaces/${namespace}`;
  const maps = `${at}/configmaps`;
  const scales = `/apis/apps/v1/namespaces/${namespace}/deployments`;
  const template = { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'main', image: 'x' }] } };
  const asks: [string, any][] = [
    ['create', { method: 'POST', path: `${maps}?fieldManager=me&fieldValidation=Strict`, body: configMap('a') }],
    [
      'create with a generated name',
      { method: 'POST', path: `${maps}?dryRun=All`, body: { metadata: { generateName: 'g-' } } },
    ],
    ['dry create', { method: 'POST', path: `${maps}?dryRun=All`, body: configMap('dry') }],
    ['update', { method: 'PUT', path: `${maps}/a`, body: configMap('a', { b: 'c' }) }],
    ['patch', { method: 'PATCH', path: `${maps}/a?fieldManager=me`, type: MERGE, body: { data: { d: 'e' } } }],
    [
      'apply',
      {
        method: 'PATCH',
        path: `${maps}/b?fieldManager=me&force=true`,
        type: 'application/apply-patch+yaml',
        body: configMap('b'),
      },
    ],
    [
      'apply again',
      {
        method: 'PATCH',
        path: `${maps}/b?fieldManager=me`,
        type: 'application/apply-patch+yaml',
        body: configMap('b', { z: 'z' }),
      },
    ],
    ['patch without effect', { method: 'PATCH', path: `${maps}/a`, type: MERGE, body: {} }],
    [
      'delete dry',
      { method: 'DELETE', path: `${maps}/a?dryRun=All&propagationPolicy=Foreground&gracePeriodSeconds=3` },
    ],
    ['delete', { method: 'DELETE', path: `${maps}/a`, body: { preconditions: {}, propagationPolicy: 'Background' } }],
    ['delete all', { method: 'DELETE', path: `${maps}?labelSelector=!a` }],
    ['create a pod', { method: 'POST', path: `${at}/pods`, body: pod('p') }],
    [
      'bind',
      {
        method: 'POST',
        path: `${at}/pods/p/binding`,
        body: { metadata: { name: 'p' }, target: { kind: 'Node', name: 'n' } },
      },
    ],
    ['status', { method: 'PATCH', path: `${at}/pods/p/status`, type: MERGE, body: { status: { phase: 'Running' } } }],
    [
      'ephemeral containers',
      {
        method: 'PATCH',
        path: `${at}/pods/p/ephemeralcontainers`,
        type: 'application/strategic-merge-patch+json',
        body: { spec: { ephemeralContainers: [{ name: 'e', image: 'x' }] } },
      },
    ],
    [
      'resize',
      {
        method: 'PATCH',
        path: `${at}/pods/p/resize`,
        type: 'application/strategic-merge-patch+json',
        body: { spec: { containers: [{ name: 'main', resources: { requests: { cpu: '1' } } }] } },
      },
    ],
    [
      'evict',
      {
        method: 'POST',
        path: `${at}/pods/p/eviction`,
        body: { metadata: { name: 'p' }, deleteOptions: { dryRun: ['All'] } },
      },
    ],
    ['exec', { method: 'POST', path: `${at}/pods/p/exec?command=ls&stdout=true` }],
    ['attach', { method: 'POST', path: `${at}/pods/p/attach?stdout=true` }],
    ['port forward', { method: 'POST', path: `${at}/pods/p/portforward` }],
    ['proxy', { method: 'GET', path: `${at}/pods/p/proxy/x` }],
    ['delete a pod', { method: 'DELETE', path: `${at}/pods/p` }],
    ['delete a pod at once', { method: 'DELETE', path: `${at}/pods/p?gracePeriodSeconds=0` }],
    ['token', { method: 'POST', path: `${at}/serviceaccounts/default/token`, body: { spec: {} } }],
    [
      'create a deployment',
      {
        method: 'POST',
        path: scales,
        body: { metadata: { name: 'd' }, spec: { replicas: 1, selector: { matchLabels: { a: 'b' } }, template } },
      },
    ],
    ['scale', { method: 'PATCH', path: `${scales}/d/scale`, type: MERGE, body: { spec: { replicas: 2 } } }],
    [
      'put scale',
      { method: 'PUT', path: `${scales}/d/scale`, body: { metadata: { name: 'd' }, spec: { replicas: 3 } } },
    ],
    [
      'an old autoscaler',
      {
        method: 'POST',
        path: `/apis/autoscaling/v1/namespaces/${namespace}/horizontalpodautoscalers`,
        body: {
          metadata: { name: 'h' },
          spec: { maxReplicas: 2, scaleTargetRef: { kind: 'Deployment', name: 'd', apiVersion: 'apps/v1' } },
        },
      },
    ],
    [
      'an event',
      { method: 'POST', path: `${at}/events`, body: { metadata: { name: 'e' }, involvedObject: { namespace } } },
    ],
    [
      'a local review',
      {
        method: 'POST',
        path: `/apis/authorization.k8s.io/v1/namespaces/${namespace}/localsubjectaccessreviews`,
        body: { spec: { user: 'x', resourceAttributes: { namespace, verb: 'get', resource: 'pods' } } },
      },
    ],
    ['a namespace itself', { method: 'PATCH', path: at, type: MERGE, body: { metadata: { labels: { x: 'y' } } } }],
    [
      'finalize',
      {
        method: 'PUT',
        path: `${at}/finalize`,
        body: {
          apiVersion: 'v1',
          kind: 'Namespace',
          metadata: { name: namespace },
          spec: { finalizers: ['kubernetes'] },
        },
      },
    ],
  ];
  for (const [label, ask] of asks) {
    hook.seen.clear();
    await twin.prepare(ask, [200, 201, 202, 400, 404, 409, 422, 429, 500, 502, 503]);
    // Calls to the validating ones may go on after the answer to a CONNECT.
    const seen = (side: Side) => (hook.seen.get(side.name) ?? []).sort((a, b) => (a.path < b.path ? -1 : 1));
    twin.compareValues(`review of ${label}`, seen(twin.kubernetes), seen(twin.skypod), {
      replace: [
        [/g-[a-z0-9]{5}/g, 'g-<random>'],
        [/"fieldManager":"differential"/g, '"fieldManager":"differential"'],
      ],
    });
  }
  for (const sort of ['mutating', 'validating'])
    await twin.prepare({ method: 'DELETE', path: `${root}/${sort}webhookconfigurations/seen-${sort}-${twin.run}` });
}

/** What may be configured, and conditions. */
async function configurations(twin: Twin, hook: Hook): Promise<void> {
  const namespace = `conditions-${twin.run}`;
  await makeNamespace(twin, namespace);
  const maps = `/api/v1/namespaces/${namespace}/configmaps`;
  hook.replies.set('no', { response: { allowed: false, status: { message: 'no' } } });
  const forms: Record<string, object> = {
    'a condition that holds': { matchConditions: [{ name: 'a', expression: "object.metadata.name == 'm'" }] },
    'a condition that does not': { matchConditions: [{ name: 'a', expression: "object.metadata.name != 'm'" }] },
    'a condition that fails': { matchConditions: [{ name: 'a', expression: "object.data['none'] == 'm'" }] },
    'a condition that fails and one that does not hold': {
      matchConditions: [
        { name: 'a', expression: "object.data['none'] == 'm'" },
        { name: 'b', expression: 'false' },
      ],
    },
    'a failing condition ignored': {
      failurePolicy: 'Ignore',
      matchConditions: [{ name: 'a', expression: "object.data['none'] == 'm'" }],
    },
    'an authorizer': {
      matchConditions: [
        {
          name: 'a',
          expression:
            "!authorizer.group('').resource('configmaps').namespace(request.namespace).check('delete').allowed()",
        },
      ],
    },
    'an object selector': { objectSelector: { matchLabels: { a: 'b' } } },
    'a rule of another version': {
      matchPolicy: 'Exact',
      rules: [{ apiGroups: [''], apiVersions: ['v2'], operations: ['CREATE'], resources: ['configmaps'] }],
    },
    'a cluster rule': {
      rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['*'], resources: ['*'], scope: 'Cluster' }],
    },
    'a namespaced rule': {
      rules: [
        {
          apiGroups: [''],
          apiVersions: ['v1'],
          operations: ['CREATE'],
          resources: ['configmaps'],
          scope: 'Namespaced',
        },
      ],
    },
    'no rules': { rules: [] },
    'side effects': { sideEffects: 'NoneOnDryRun' },
    'unknown side effects': { sideEffects: 'Some' },
    'another review version': { admissionReviewVersions: ['v2'] },
    'old review version': { admissionReviewVersions: ['v1beta1', 'v1'] },
    'too long a timeout': { timeoutSeconds: 31 },
    'a bad name': { name: 'x' },
    'a bad condition': {
      matchConditions: [
        { name: 'a b', expression: 'object.' },
        { name: 'a', expression: '1' },
        { name: 'a', expression: 'params.x' },
      ],
    },
    'a bad rule': {
      rules: [
        { apiGroups: ['*', ''], apiVersions: [], operations: ['*', 'CREATE'], resources: ['*/*', 'pods', 'a/b/c'] },
      ],
    },
    'a service and a URL': { clientConfig: { url: 'https://x', service: { name: 'a', namespace: 'b' } } },
    'a plain URL': { clientConfig: { url: 'http://user@x/?q#f' } },
    'no such service': { clientConfig: { service: { name: 'none', namespace: 'none' } } },
    'a bad port': { clientConfig: { service: { name: 'none', namespace: 'none', port: 0, path: 'x' } } },
    'a bad bundle': { clientConfig: { url: 'https://x', caBundle: Buffer.from('x').toString('base64') } },
    'another bundle': { clientConfig: { url: hook.url('kubernetes', 'no') } },
  };
  for (const sort of ['validating', 'mutating']) {
    for (const [index, [label, form]] of Object.entries(forms).entries()) {
      const made = await twin.ask(
        `${sort} with ${label}`,
        (side) => {
          const body = configuration(twin, hook, side, sort, namespace, 'no', form);
          body.metadata.name = `form-${index}-${twin.run}`;
          return { method: 'POST', path: `${root}/${sort}webhookconfigurations`, body };
        },
        addresses,
      );
      if (made.kubernetes.status !== 201) continue;
      await settle();
      await twin.ask(
        `${sort} create with ${label}`,
        { method: 'POST', path: `${maps}?dryRun=All`, body: configMap('m') },
        { replace: [...addresses.replace, [/\(\\"[^)]*\)/g, '(<details>)']] },
      );
      await twin.prepare({ method: 'DELETE', path: `${root}/${sort}webhookconfigurations/form-${index}-${twin.run}` });
      await settle();
    }
  }
}
