import type { Twin } from '../twin.ts';
import { definitionsPath } from './custom-definitions.ts';
import { APPLY, MERGE, makeNamespace } from './objects.ts';
import { refusedDefinitions } from './refused-definitions.ts';

const text = { type: 'string' };
const rule = (expression: string, more: object = {}) => ({ rule: expression, ...more });

const spec = {
  type: 'object',
  properties: {
    frozen: { ...text, 'x-kubernetes-validations': [rule('self == oldSelf', { message: 'frozen' })] },
    growing: {
      type: 'integer',
      'x-kubernetes-validations': [
        rule('!oldSelf.hasValue() || self >= oldSelf.value()', {
          optionalOldSelf: true,
          messageExpression: "self > 3 ? 'above three' : 'below'",
        }),
      ],
    },
    short: { ...text, maxLength: 5, pattern: '^[a-z]*$' },
    even: {
      type: 'integer',
      'x-kubernetes-validations': [rule('self % 2 == 0', { message: 'must be even', reason: 'FieldValueForbidden' })],
    },
    bounds: {
      type: 'object',
      properties: { low: { type: 'integer' }, high: { type: 'integer' } },
      'x-kubernetes-validations': [
        rule('!has(self.low) || !has(self.high) || self.low <= self.high', {
          messageExpression: "self.low > 2 ? 'low is above ' + 'high' : ''",
          reason: 'FieldValueRequired',
          fieldPath: '.high',
        }),
        rule('self.low != 13', { messageExpression: "self.low == 13 ? 'a\\nb' : 'x'", message: 'unlucky' }),
        rule('self.low != 14', { messageExpression: 'string(1 / 0)', message: 'fallback' }),
        rule('self.low != 15 || [1, 2][7] == 1'),
      ],
    },
    list: {
      type: 'array',
      maxItems: 10,
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['name'],
      items: {
        type: 'object',
        required: ['name'],
        properties: {
          name: { ...text, maxLength: 20 },
          value: {
            ...text,
            maxLength: 20,
            enum: ['a', 'b'],
            'x-kubernetes-validations': [rule("self == oldSelf || oldSelf != 'a'")],
          },
          old: { ...text, maxLength: 20, default: 'given' },
        },
      },
      'x-kubernetes-validations': [rule("self.exists(e, e.name == 'main')", { message: 'one must be main' })],
    },
    set: { type: 'array', maxItems: 5, 'x-kubernetes-list-type': 'set', items: { ...text, maxLength: 9 } },
    map: { type: 'object', additionalProperties: { ...text, maxLength: 4 }, maxProperties: 3 },
    format: { ...text, format: 'ipv4' },
    when: { ...text, format: 'date-time' },
    quantity: {
      'x-kubernetes-int-or-string': true,
      'x-kubernetes-validations': [rule('type(self) == string ? isQuantity(self) : self > 0')],
    },
    one: { type: 'object', properties: { a: text, b: text }, oneOf: [{ required: ['a'] }, { required: ['b'] }] },
    nullable: { ...text, nullable: true },
    free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
    embedded: { type: 'object', 'x-kubernetes-embedded-resource': true, 'x-kubernetes-preserve-unknown-fields': true },
  },
};
const schema = (more: object = {}) => ({
  openAPIV3Schema: {
    type: 'object',
    properties: {
      spec: { ...spec, properties: { ...spec.properties, ...more } },
      status: { type: 'object', properties: { replicas: { type: 'integer' }, phase: text } },
    },
    'x-kubernetes-validations': [
      rule("self.metadata.name != 'forbidden'"),
      rule('!has(self.spec) || !has(self.spec.frozen) || self.spec.frozen != self.metadata.name'),
    ],
  },
});

/** Rules with what was before, their messages, what was wrong already, and several versions of one resource. */
export async function customRules(twin: Twin): Promise<void> {
  const group = `rules-${twin.run}.example.com`;
  const namespace = `rules-${twin.run}`;
  const name = `ruled.${group}`;
  await makeNamespace(twin, namespace);
  const version = (one: string, storage: boolean, more: object = {}) => ({
    name: one,
    served: true,
    storage,
    schema: schema(),
    subresources: { status: {} },
    ...more,
  });
  const definition = {
    metadata: { name },
    spec: {
      group,
      scope: 'Namespaced',
      names: { plural: 'ruled', kind: 'Ruled', singular: 'ruled' },
      versions: [
        version('v1', true),
        version('v2', false, { deprecated: true }),
        version('v3', false, { deprecated: true, deprecationWarning: 'v3 is "old"' }),
      ],
    },
  };
  await twin.ask(
    'define',
    { method: 'POST', path: definitionsPath, body: definition },
    { reduce: ({ json }) => (json.kind === 'Status' ? json : json.spec) },
  );
  for (const side of twin.sides) {
    for (let attempt = 0; attempt < 100; attempt++) {
      if ((await side.client.send({ path: `/apis/${group}/v1/ruled` })).status === 200) break;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
  await new Promise((resolve) => setTimeout(resolve, 1500));
  const at = (one: string) => `/apis/${group}/${one}/namespaces/${namespace}/ruled`;
  const object = (content: object | undefined, more: object = {}, one = 'v1') => ({
    apiVersion: `${group}/${one}`,
    kind: 'Ruled',
    metadata: { name: 'a', ...more },
    ...(content !== undefined && { spec: content }),
  });
  for (const [label, content] of Object.entries<object>({
    even: { even: 3 },
    'even as text': { even: '3' },
    short: { short: 'TOO LONG' },
    bounds: { bounds: { low: 3, high: 2 } },
    'bounds with lines': { bounds: { low: 13 } },
    'bounds without message': { bounds: { low: 14 } },
    'bounds beyond': { bounds: { low: 15 } },
    'bounds absent': { bounds: {} },
    'several at once': {
      bounds: { low: 3, high: 2 },
      even: 1,
      short: 'X',
      list: [{ name: 'x', value: 'c' }],
      set: ['a', 'a'],
      map: { a: 'long enough', b: '', c: '', d: '' },
    },
    'list without main': { list: [{ name: 'x', value: 'a' }] },
    'list twice': { list: [{ name: 'main' }, { name: 'main' }] },
    'list without key': { list: [{ value: 'a' }] },
    'set twice': { set: ['a', 'b', 'a', 'a'] },
    format: { format: '1.2.3', when: 'yesterday' },
    quantity: { quantity: 'many' },
    'quantity below': { quantity: -1 },
    one: { one: {} },
    'one twice': { one: { a: '1', b: '2' } },
    nullable: { nullable: null, short: null },
    embedded: { embedded: { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'A B', labels: { 'x y': 1 } }, z: 1 } },
    'embedded without kind': { embedded: { z: 1 } },
    unknown: { other: 1, list: [{ name: 'main', more: 2 }], free: { kept: { deep: 1 } } },
    frozen: { frozen: 'a' },
  })) {
    for (const query of ['?dryRun=All', '?dryRun=All&fieldValidation=Strict'])
      await twin.ask(`create ${label} ${query.slice(11)}`, {
        method: 'POST',
        path: `${at('v1')}${query}`,
        body: object(content),
      });
  }
  await twin.ask('create forbidden', { method: 'POST', path: at('v1'), body: object({}, { name: 'forbidden' }) });
  for (const one of ['v1', 'v2', 'v3']) {
    await twin.ask(`create in ${one}`, {
      method: 'POST',
      path: at(one),
      body: object(
        { frozen: 'ice', growing: 5, list: [{ name: 'main', value: 'a' }], short: 'ok' },
        { name: one },
        one,
      ),
    });
    await twin.ask(`get ${one} by another version`, { path: `${at(one === 'v1' ? 'v2' : 'v1')}/${one}` });
  }
  const patch = (label: string, content: object, type = MERGE, query = '', one = 'v1') =>
    twin.ask(label, {
      method: 'PATCH',
      path: `${at(one)}/v1${query}`,
      type,
      body: type === APPLY ? { ...object(content, { name: 'v1' }, one) } : { spec: content },
    });
  await patch('frozen changed', { frozen: 'x' });
  await patch('frozen taken away', { frozen: null });
  await patch('shrinking', { growing: 4 });
  await patch('growing', { growing: 6 });
  await patch('a fixed value changed', { list: [{ name: 'main', value: 'b' }] });
  await patch(
    'applied by v2',
    { growing: 7, list: [{ name: 'main' }, { name: 'more', value: 'b' }], set: ['x'], map: { a: 'b' } },
    APPLY,
    '?fieldManager=one',
    'v2',
  );
  await patch(
    'applied by v1',
    { growing: 8, list: [{ name: 'more', value: 'a' }], set: ['y'] },
    APPLY,
    '?fieldManager=two',
    'v1',
  );
  await patch(
    'applied by v1 forced',
    { growing: 8, list: [{ name: 'more', value: 'a' }], set: ['y'] },
    APPLY,
    '?fieldManager=two&force=true',
    'v1',
  );
  await patch('applied by v2 with less', { growing: 8 }, APPLY, '?fieldManager=one', 'v2');
  await patch('applied by v3 by the same', { map: { c: 'd' } }, APPLY, '?fieldManager=one', 'v3');
  await twin.ask('status in v2', {
    method: 'PATCH',
    path: `${at('v2')}/v1/status?fieldManager=s`,
    type: MERGE,
    body: { status: { phase: 'x' }, metadata: { labels: { a: 'b' }, annotations: { c: 'd' } } },
  });
  await twin.ask('status of a wrong type', {
    method: 'PATCH',
    path: `${at('v1')}/v1/status`,
    type: MERGE,
    body: { status: { replicas: 'x' } },
  });
  await twin.ask('after it all', { path: `${at('v1')}/v1` });
  await ratcheting(twin, name, at('v1'), group);
  await migrating(twin, name, at, group);
  await refusedDefinitions(twin, definition);
  await twin.ask('undefine', { method: 'DELETE', path: `${definitionsPath}/${name}` }, { bodyIgnored: true });
}

/** What was wrong before may stay as it is. */
async function ratcheting(twin: Twin, name: string, path: string, group: string): Promise<void> {
  const body = {
    apiVersion: `${group}/v1`,
    kind: 'Ruled',
    metadata: { name: 'old' },
    spec: {
      short: 'abcde',
      even: 2,
      list: [
        { name: 'main', value: 'a' },
        { name: 'b', value: 'b' },
      ],
      set: ['long'],
      map: { a: 'long' },
      one: { a: '1' },
    },
  };
  await twin.ask('old create', { method: 'POST', path, body });
  const current = await twin.prepare({ path: `${definitionsPath}/${name}` });
  const stricter = (json: any) => {
    const copy = structuredClone(json.spec.versions);
    for (const {
      schema: { openAPIV3Schema: one },
    } of copy) {
      const { properties } = one.properties.spec;
      properties.short.maxLength = 3;
      properties.even['x-kubernetes-validations'][0].rule = 'self % 2 == 1';
      properties.list.items.properties.value.enum = ['c'];
      properties.list.maxItems = 1;
      properties.set.items.maxLength = 2;
      properties.map.additionalProperties.maxLength = 2;
      properties.one.required = ['c'];
      properties.one.properties.c = { type: 'string' };
      one.properties.spec.required = ['needed'];
      properties.needed = { type: 'string' };
      one.properties.spec['x-kubernetes-validations'] = [{ rule: 'has(self.growing)', message: 'must grow' }];
    }
    return copy;
  };
  await twin.ask(
    'stricter',
    (side) => ({
      method: 'PATCH',
      path: `${definitionsPath}/${name}`,
      type: MERGE,
      body: { spec: { versions: stricter(current[side.name].json) } },
    }),
    { reduce: ({ json }) => (json.kind === 'Status' ? json : json.spec) },
  );
  for (const side of twin.sides) {
    for (let attempt = 0; attempt < 100; attempt++) {
      if (
        (
          await side.client.send({
            method: 'POST',
            path: `${path}?dryRun=All`,
            body: { ...body, metadata: { name: 'new' } },
          })
        ).status === 422
      )
        break;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
  await new Promise((resolve) => setTimeout(resolve, 1500));
  await twin.ask('new of old form', { method: 'POST', path, body: { ...body, metadata: { name: 'new' } } });
  for (const content of [
    { metadata: { labels: { x: 'y' } } },
    { spec: { growing: 1 } },
    { spec: { short: 'abcdf' } },
    { spec: { even: 4 } },
    {
      spec: {
        list: [
          { name: 'main', value: 'a' },
          { name: 'b', value: 'b', old: 'x' },
        ],
      },
    },
    {
      spec: {
        list: [
          { name: 'b', value: 'b' },
          { name: 'main', value: 'a' },
        ],
      },
    },
    {
      spec: {
        list: [
          { name: 'main', value: 'a' },
          { name: 'b', value: 'b' },
          { name: 'c', value: 'c' },
        ],
      },
    },
    { spec: { list: [{ name: 'main', value: 'b' }] } },
    { spec: { set: ['long', 'more'] } },
    { spec: { map: { a: 'long', b: 'long' } } },
    { spec: { map: { a: 'other' } } },
    { spec: { one: { a: '2' } } },
    { spec: { needed: 'x' } },
    { spec: { needed: 'x', growing: 1, short: 'abc' } },
  ])
    await twin.ask(`old with ${JSON.stringify(content)}`, {
      method: 'PATCH',
      path: `${path}/old?dryRun=All`,
      type: MERGE,
      body: content,
    });
  await twin.ask('status of the old', {
    method: 'PATCH',
    path: `${path}/old/status`,
    type: MERGE,
    body: { status: { phase: 'p' } },
  });
}

/** Another version is stored, the first no longer served, then dropped. */
async function migrating(twin: Twin, name: string, at: (version: string) => string, group: string): Promise<void> {
  const path = `${definitionsPath}/${name}`;
  const current = await twin.prepare({ path });
  const change = async (label: string, make: (versions: any[]) => any[]) => {
    const reduce = {
      reduce: ({ json }: any) =>
        json.kind === 'Status'
          ? json
          : {
              versions: json.spec.versions.map((one: any) => [one.name, one.served, one.storage]),
              stored: json.status.storedVersions,
            },
    };
    await twin.ask(
      label,
      (side) => ({
        method: 'PATCH',
        path,
        type: MERGE,
        body: { spec: { versions: make(structuredClone(current[side.name].json.spec.versions)) } },
      }),
      reduce,
    );
    await new Promise((resolve) => setTimeout(resolve, 2000));
    for (const one of ['v1', 'v2', 'v3'])
      await twin.ask(
        `${label}: list ${one}`,
        { path: at(one) },
        { reduce: ({ json }) => json?.items?.map((item: any) => [item.apiVersion, item.metadata.name]) ?? json },
      );
    await twin.ask(`${label}: discovery`, { path: `/apis/${group}` });
  };
  await change('two stored', (versions) => versions.map((one) => ({ ...one, storage: one.name !== 'v3' })));
  await change('none stored', (versions) => versions.map((one) => ({ ...one, storage: false })));
  await change('v2 stored', (versions) => versions.map((one) => ({ ...one, storage: one.name === 'v2' })));
  await change('v1 not served', (versions) =>
    versions.map((one) => ({ ...one, storage: one.name === 'v2', served: one.name !== 'v1' })),
  );
  await change('v1 dropped while stored', (versions) =>
    versions.filter((one) => one.name !== 'v1').map((one) => ({ ...one, storage: one.name === 'v2' })),
  );
  await twin.ask(
    'stored versions told',
    { method: 'PATCH', path: `${path}/status`, type: MERGE, body: { status: { storedVersions: ['v2'] } } },
    { reduce: ({ json }) => json.status?.storedVersions ?? json },
  );
  await change('v1 dropped', (versions) =>
    versions.filter((one) => one.name !== 'v1').map((one) => ({ ...one, storage: one.name === 'v2' })),
  );
  // Upstream cannot delete what it cannot read, and would tell of the definition for ever.
  await change('v1 again', (versions) => versions.map((one) => ({ ...one, storage: one.name === 'v2' })));
}
