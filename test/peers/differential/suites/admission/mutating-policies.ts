import type { Twin } from '../../twin.ts';
import { configMap, MERGE, makeNamespace, pod } from '../objects.ts';
import { keepParameters, policiesHeard, type Sort } from './policies-heard.ts';

const root = '/apis/admissionregistration.k8s.io/v1';

interface Case {
  mutations: object[];
  more?: object;
  /** Of ConfigMaps when absent. */
  ask?: { resource: string; group?: string; body: object };
}

const apply = (expression: string) => ({ patchType: 'ApplyConfiguration', applyConfiguration: { expression } });
const json = (expression: string) => ({ patchType: 'JSONPatch', jsonPatch: { expression } });

const cases: Record<string, Case> = {
  data: { mutations: [apply("Object{data: {'added': object.metadata.name}}")] },
  labels: { mutations: [apply("Object{metadata: Object.metadata{labels: {'a': 'b'}}}")] },
  'no type': { mutations: [apply("{'data': {'a': 'b'}}")] },
  'unknown field': { mutations: [apply("Object{nothing: 'x'}")] },
  'unknown label': { mutations: [apply("Object{metadata: Object.metadata{nothing: 'x'}}")] },
  'wrong type': { mutations: [apply('Object{data: 5}')] },
  fails: { mutations: [apply("Object{data: {'x': object.data['none']}}")] },
  'fails and is ignored': {
    mutations: [apply("Object{data: {'x': object.data['none']}}")],
    more: { failurePolicy: 'Ignore' },
  },
  patch: { mutations: [json("[JSONPatch{op: 'add', path: '/data/new', value: 'x'}]")] },
  'patch of nothing': { mutations: [json('[]')] },
  'patch in steps': {
    mutations: [
      json(
        "[JSONPatch{op: 'add', path: '/metadata/labels', value: {'a': 'b'}}, JSONPatch{op: 'test', path: '/metadata/labels/a', value: 'b'}, JSONPatch{op: 'copy', from: '/metadata/labels/a', path: '/data/copied'}, JSONPatch{op: 'move', from: '/data/a', path: '/data/moved'}]",
      ),
    ],
  },
  'patch that fails': { mutations: [json("[JSONPatch{op: 'remove', path: '/data/none'}]")] },
  'patch whose test fails': {
    mutations: [
      json(
        "[JSONPatch{op: 'test', path: '/data/a', value: 'none'}, JSONPatch{op: 'add', path: '/data/z', value: 'z'}]",
      ),
    ],
  },
  'patch to a wrong type': { mutations: [json("[JSONPatch{op: 'add', path: '/data/new', value: 5}]")] },
  'patch without value': { mutations: [json("[JSONPatch{op: 'add', path: '/data/new'}]")] },
  'patch of a wrong operation': { mutations: [json("[JSONPatch{op: 'other', path: '/data/new'}]")] },
  'patch that is a map': { mutations: [json("{'op': 'add'}")] },
  'patch with an escaped key': {
    mutations: [
      json(
        "[JSONPatch{op: 'add', path: '/metadata/annotations', value: {}}, JSONPatch{op: 'add', path: '/metadata/annotations/' + jsonpatch.escapeKey('example.com/a~b'), value: 'x'}]",
      ),
    ],
  },
  'patch of the name': { mutations: [json("[JSONPatch{op: 'replace', path: '/metadata/name', value: 'other'}]")] },
  'patch of an unknown field': { mutations: [json("[JSONPatch{op: 'add', path: '/nothing', value: 'x'}]")] },
  'both in turn': {
    mutations: [
      apply("Object{data: {'one': '1'}}"),
      json("[JSONPatch{op: 'add', path: '/data/two', value: object.data['one'] + '2'}]"),
    ],
  },
  'under a condition': {
    mutations: [apply("Object{data: {'x': 'y'}}")],
    more: { matchConditions: [{ name: 'no', expression: "object.metadata.name == 'none'" }] },
  },
  'with variables': {
    mutations: [apply("Object{data: {'x': variables.twice}}")],
    more: {
      variables: [
        { name: 'one', expression: 'object.metadata.name' },
        { name: 'twice', expression: 'variables.one + variables.one' },
      ],
    },
  },
  'with the namespace': {
    mutations: [
      apply(
        "Object{data: {'x': namespaceObject.metadata.name, 'y': request.userInfo.username, 'z': request.operation}}",
      ),
    ],
  },
  'to what is invalid': { mutations: [apply("Object{data: {'bad key': 'x'}}")] },
  'bad expression': { mutations: [apply('Object{')] },
  'of no such name': { mutations: [apply('nothing')] },
  'mixed up': { mutations: [{ patchType: 'JSONPatch', applyConfiguration: { expression: 'Object{}' } }] },
  'no mutations': { mutations: [] },
  'of no such type': { mutations: [{ patchType: 'Other', jsonPatch: { expression: '[]' } }] },
};
const template = { spec: { containers: [{ name: 'main', image: 'x' }] } };
const ofPods: Record<string, Case> = {
  container: {
    mutations: [
      apply(
        "Object{spec: Object.spec{containers: [Object.spec.containers{name: 'main', env: [Object.spec.containers.env{name: 'A', value: 'b'}]}, Object.spec.containers{name: 'side', image: 'y'}]}}",
      ),
    ],
  },
  'init container first': {
    mutations: [
      apply(
        "Object{spec: Object.spec{initContainers: [Object.spec.initContainers{name: 'mesh', image: 'mesh:1', restartPolicy: 'Always'}]}}",
      ),
    ],
    more: {
      matchConditions: [
        {
          name: 'no',
          expression: "!has(object.spec.initContainers) || !object.spec.initContainers.exists(e, e.name == 'mesh')",
        },
      ],
      reinvocationPolicy: 'IfNeeded',
    },
  },
  'an atomic list': {
    mutations: [
      apply("Object{spec: Object.spec{tolerations: [Object.spec.tolerations{key: 'a', operator: 'Exists'}]}}"),
    ],
  },
  'without a key': {
    mutations: [apply("Object{spec: Object.spec{containers: [Object.spec.containers{image: 'y'}]}}")],
  },
  'with the same keys': {
    mutations: [
      apply(
        "Object{spec: Object.spec{containers: [Object.spec.containers{name: 'a', image: 'y'}, Object.spec.containers{name: 'a', image: 'z'}]}}",
      ),
    ],
  },
  'a made value': {
    mutations: [
      json(
        "[JSONPatch{op: 'add', path: '/spec/tolerations/-', value: Object.spec.tolerations{key: 'q', operator: 'Exists'}}]",
      ),
    ],
  },
  'a priority': { mutations: [json("[JSONPatch{op: 'replace', path: '/spec/priority', value: 3}]")] },
  'a patch of a wrong index': {
    mutations: [json("[JSONPatch{op: 'replace', path: '/spec/containers/7/image', value: 'x'}]")],
  },
};
for (const one of Object.values(ofPods)) one.ask = { resource: 'pods', body: template };

/** MutatingAdmissionPolicy: both kinds of patches, what fails in them, parameters, and one more round. */
export async function mutatingPolicies(twin: Twin): Promise<void> {
  await keepParameters(twin);
  const made: [string, string, Case][] = [];
  for (const [label, one] of [...Object.entries(cases), ...Object.entries(ofPods)]) {
    const name = `map-${label.replaceAll(' ', '-')}-${twin.run}`;
    const namespace = name.slice(0, 63);
    const resource = one.ask?.resource ?? 'configmaps';
    const spec = {
      matchConstraints: {
        namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } },
        resourceRules: [
          { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE', 'UPDATE'], resources: [resource] },
        ],
      },
      reinvocationPolicy: 'Never',
      mutations: one.mutations,
      ...one.more,
    };
    const created = await twin.ask(`policy ${label}`, {
      method: 'POST',
      path: `${root}/mutatingadmissionpolicies`,
      body: { metadata: { name }, spec },
    });
    if (created.kubernetes.status !== 201) continue;
    await makeNamespace(twin, namespace);
    await twin.prepare({
      method: 'POST',
      path: `${root}/mutatingadmissionpolicybindings`,
      body: { metadata: { name }, spec: { policyName: name } },
    });
    made.push([label, name, one]);
  }
  await policiesHeard(twin, 'mutating');
  for (const [label, name, { ask }] of made) {
    const path = `/api/v1/namespaces/${name.slice(0, 63)}/${ask?.resource ?? 'configmaps'}`;
    const body = ask === undefined ? configMap('m') : pod('p');
    await twin.ask(`with ${label}`, { method: 'POST', path, body });
    await twin.ask(
      `with ${label}, dry`,
      { method: 'POST', path: `${path}?dryRun=All`, body: { ...body, metadata: { generateName: 'g-' } } },
      { replace: [[/g-[a-z0-9]{5}/g, 'g-<random>']] },
    );
    await twin.ask(`with ${label}, changed`, {
      method: 'PATCH',
      path: `${path}/${body.metadata.name}`,
      type: MERGE,
      body: { metadata: { annotations: { x: 'y' } } },
    });
    await twin.ask(`with ${label}, applied`, {
      method: 'PATCH',
      path: `${path}/applied?fieldManager=m`,
      type: 'application/apply-patch+yaml',
      body: { ...body, metadata: { name: 'applied' } },
    });
  }
  for (const [, name] of made) {
    for (const resource of ['mutatingadmissionpolicybindings', 'mutatingadmissionpolicies'])
      await twin.prepare({ method: 'DELETE', path: `${root}/${resource}/${name}` });
  }
  await parameters(twin, 'mutating');
  await parameters(twin, 'validating');
}

/** Parameters: by name, by selector, of the namespace, missing, and of a kind that nobody has. */
async function parameters(twin: Twin, sort: Sort): Promise<void> {
  const namespace = `params-${sort}-${twin.run}`;
  await makeNamespace(twin, namespace);
  const maps = `/api/v1/namespaces/${namespace}/configmaps`;
  for (const name of ['one', 'two'])
    await twin.prepare({
      method: 'POST',
      path: maps,
      body: configMap(name, { value: name }, { labels: { param: 'yes' } }),
    });
  const forms: Record<string, object> = {
    name: { paramRef: { name: 'one', namespace, parameterNotFoundAction: 'Deny' } },
    'own namespace': { paramRef: { name: 'two', parameterNotFoundAction: 'Deny' } },
    selector: { paramRef: { selector: { matchLabels: { param: 'yes' } }, parameterNotFoundAction: 'Deny' } },
    'nothing denies': { paramRef: { name: 'none', namespace, parameterNotFoundAction: 'Deny' } },
    'nothing allows': { paramRef: { name: 'none', namespace, parameterNotFoundAction: 'Allow' } },
    'no selection denies': {
      paramRef: { selector: { matchLabels: { param: 'no' } }, parameterNotFoundAction: 'Deny' },
    },
    'no reference': {},
    'name and selector': { paramRef: { name: 'one', selector: {}, parameterNotFoundAction: 'Deny' } },
    'no action': { paramRef: { name: 'one' } },
    'a resource rule': {
      matchResources: {
        resourceRules: [{ apiGroups: [''], apiVersions: ['*'], operations: ['UPDATE'], resources: ['configmaps'] }],
      },
      paramRef: { name: 'one', namespace, parameterNotFoundAction: 'Deny' },
    },
    excluded: {
      matchResources: {
        excludeResourceRules: [
          { resourceNames: ['new'], apiGroups: ['*'], apiVersions: ['*'], operations: ['*'], resources: ['*'] },
        ],
      },
      paramRef: { name: 'one', namespace, parameterNotFoundAction: 'Deny' },
    },
    'an object selector': {
      matchResources: { objectSelector: { matchLabels: { a: 'b' } } },
      paramRef: { name: 'one', namespace, parameterNotFoundAction: 'Deny' },
    },
  };
  const [policies, bindings] = [`${root}/${sort}admissionpolicies`, `${root}/${sort}admissionpolicybindings`];
  const spec = {
    paramKind: { apiVersion: 'v1', kind: 'ConfigMap' },
    matchConstraints: {
      namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } },
      resourceRules: [
        { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE', 'UPDATE'], resources: ['configmaps'] },
      ],
    },
    ...(sort === 'mutating'
      ? { reinvocationPolicy: 'IfNeeded', mutations: [apply("Object{data: {'p-' + params.data.value: 'seen'}}")] }
      : {
          validations: [
            {
              expression: 'object.metadata.name == params.data.value',
              messageExpression: "'not ' + params.data.value + ' but ' + object.metadata.name",
            },
            { expression: '!has(object.data) || object.data.all(k, size(k) < 100)', message: 'too long' },
          ],
          auditAnnotations: [{ key: 'seen', valueExpression: 'string(params.data.value)' }],
        }),
  };
  for (const [label, form] of Object.entries(forms)) {
    const name = `params-${sort}-${label.replaceAll(' ', '-')}-${twin.run}`;
    await twin.prepare({ method: 'POST', path: policies, body: { metadata: { name }, spec } }, [201]);
    const bound = await twin.ask(`${sort} by ${label}`, {
      method: 'POST',
      path: bindings,
      body: {
        metadata: { name },
        spec: { policyName: name, ...(sort === 'validating' && { validationActions: ['Deny', 'Audit'] }), ...form },
      },
    });
    if (bound.kubernetes.status === 201) {
      await policiesHeard(twin, sort);
      await twin.ask(`${sort} create by ${label}`, {
        method: 'POST',
        path: `${maps}?dryRun=All`,
        body: configMap('new'),
      });
      await twin.ask(`${sort} update by ${label}`, {
        method: 'PATCH',
        path: `${maps}/one?dryRun=All`,
        type: MERGE,
        body: { data: { b: 'c' } },
      });
      await twin.ask(`${sort} create labelled by ${label}`, {
        method: 'POST',
        path: `${maps}?dryRun=All`,
        body: configMap('new', {}, { labels: { a: 'b' } }),
      });
      await twin.prepare({ method: 'DELETE', path: `${bindings}/${name}` });
    }
    await twin.prepare({ method: 'DELETE', path: `${policies}/${name}` });
  }
  for (const paramKind of [
    { apiVersion: 'none.example.com/v1', kind: 'None' },
    { apiVersion: 'a/b/c', kind: 'X' },
    { kind: 'ConfigMap' },
    {},
  ])
    await twin.ask(`${sort} of ${JSON.stringify(paramKind)}`, {
      method: 'POST',
      path: `${policies}?dryRun=All`,
      body: { metadata: { name: `params-kind-${twin.run}` }, spec: { ...spec, paramKind } },
    });
}
