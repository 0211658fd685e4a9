import type { Ask } from '../client.ts';
import type { Twin } from '../twin.ts';
import { configMap, makeNamespace, PARTIAL, PARTIAL_LIST, PROTOBUF, pod, TABLE } from './objects.ts';

/** Reads disturb nobody: several at a time. */
class Several {
  readonly #open = new Set<Promise<unknown>>();

  async start(ask: Promise<unknown>): Promise<void> {
    const done: Promise<unknown> = ask.finally(() => this.#open.delete(done));
    this.#open.add(done);
    if (this.#open.size >= 24) await Promise.race(this.#open);
  }

  async end(): Promise<void> {
    await Promise.all(this.#open);
  }
}

/** get and list: selectors, revisions, pages, forms. */
export async function reading(twin: Twin): Promise<void> {
  const namespace = `reading-${twin.run}`;
  await makeNamespace(twin, namespace);
  const maps = `/api/v1/namespaces/${namespace}/configmaps`;
  const pods = `/api/v1/namespaces/${namespace}/pods`;
  for (const [index, name] of ['a', 'b', 'c', 'd', 'e'].entries()) {
    const labels = { app: index % 2 === 0 ? 'even' : 'odd', name };
    const made = await twin.prepare({ method: 'POST', path: maps, body: configMap(name, { a: name }, { labels }) });
    twin.note(name, made, ({ json }) => json.metadata.resourceVersion);
  }
  await twin.prepare({ method: 'POST', path: pods, body: pod('p', { metadata: { labels: { app: 'x' } } }) });
  await selectors(twin, namespace, maps);
  await fieldSelectors(twin, namespace);
  await revisions(twin, maps);
  await pages(twin, maps);
  await forms(twin, maps, pods);
  await notFound(twin, namespace);
}

async function selectors(twin: Twin, _namespace: string, maps: string): Promise<void> {
  const several = new Several();
  for (const selector of [
    'app=even',
    'app==even',
    'app!=even',
    'app in (even,odd)',
    'app notin (odd)',
    'app',
    '!app',
    'app=even,name=a',
    'name>1',
    'name<1',
    'name in (a,b',
    'app in ()',
    'app=',
    '=a',
    'app=even,',
    ',',
    '!',
    'a b',
    'app===x',
    'x/y/z=a',
    '-a=b',
    'a=b!',
    'app notin',
    'a>b',
    'a in (b,c),d',
    '()',
    'a=(b)',
    'app in (,)',
    'app in (a,,b)',
    'app=-',
    `${'a'.repeat(64)}=b`,
    `a=${'b'.repeat(64)}`,
    'EXAMPLE.com/a=b',
    'not in (a)',
    'in in (in)',
    'notin',
    'app!',
    'app ! = b',
  ]) {
    await several.start(
      twin.ask(
        `labels ${selector}`,
        { path: `${maps}?labelSelector=${encodeURIComponent(selector)}` },
        { reduce: ({ json, text }) => json?.items?.map((one: any) => one.metadata.name) ?? json ?? text },
      ),
    );
    await several.start(
      twin.ask(
        `watch labels ${selector}`,
        { path: `${maps}?watch=1&timeoutSeconds=1&resourceVersion=0&labelSelector=${encodeURIComponent(selector)}` },
        { reduce: ({ text }) => text.split('\n').length },
      ),
    );
  }
  for (const selector of [
    'metadata.name=a',
    'metadata.name!=a',
    'metadata.name==a',
    'metadata.name=a,metadata.name=b',
    'metadata.namespace=x',
    'data.a=1',
    'metadata.name',
    'metadata.name in (a)',
    'metadata.name=a\\',
    'metadata.name=a\\,b',
    ',',
    '=',
    'metadata.name=',
    'spec.nodeName=',
    'metadata.labels=x',
    'metadata.name=a=b',
    '!metadata.name',
    'metadata.name>a',
  ]) {
    const encoded = encodeURIComponent(selector);
    await several.start(
      twin.ask(
        `fields ${selector}`,
        { path: `${maps}?fieldSelector=${encoded}` },
        { reduce: ({ json, text }) => json?.items?.map((one: any) => one.metadata.name) ?? json ?? text },
      ),
    );
    await several.start(
      twin.ask(
        `fields ${selector} everywhere`,
        { path: `/api/v1/configmaps?fieldSelector=${encoded}&limit=1` },
        { reduce: ({ json }) => (json?.kind === 'Status' ? json : json?.items.length >= 0) },
      ),
    );
    await several.start(
      twin.ask(
        `watch fields ${selector}`,
        { path: `${maps}?watch=1&timeoutSeconds=1&fieldSelector=${encoded}` },
        { bodyIgnored: true },
      ),
    );
    await several.start(
      twin.ask(
        `fields ${selector} deleted`,
        { method: 'DELETE', path: `${maps}?dryRun=All&fieldSelector=${encoded}` },
        { reduce: ({ json, text }) => json?.items?.map((one: any) => one.metadata.name) ?? json ?? text },
      ),
    );
  }
  await several.end();
}

/** Which fields each kind can be selected by. */
async function fieldSelectors(twin: Twin, namespace: string): Promise<void> {
  const several = new Several();
  // A peer that stays may know definitions of earlier runs.
  const groups = (await twin.prepare({ path: '/apis' })).kubernetes.json.groups.filter(
    (group: any) => !group.name.endsWith('.example.com'),
  );
  const roots = [
    '/api/v1',
    ...groups.flatMap((group: any) => group.versions.map((one: any) => `/apis/${one.groupVersion}`)),
  ];
  const fields = [
    'metadata.name',
    'metadata.namespace',
    'spec.nodeName',
    'spec.restartPolicy',
    'spec.schedulerName',
    'spec.serviceAccountName',
    'spec.hostNetwork',
    'status.phase',
    'status.podIP',
    'status.podIPs',
    'status.nominatedNodeName',
    'status.replicas',
    'status.successful',
    'type',
    'reason',
    'reportingComponent',
    'source',
    'involvedObject.kind',
    'involvedObject.uid',
    'regarding.kind',
    'spec.unschedulable',
    'name',
    'spec.signerName',
    'spec.clusterIP',
    'spec.type',
    'spec.driver',
    'spec.podName',
    'spec.ipAddress',
    'metadata.uid',
    'immutable',
    'action',
    'reportingController',
    'reportingInstance',
    'note',
  ];
  for (const root of roots) {
    const resources = (await twin.prepare({ path: root })).kubernetes.json.resources.filter((one: any) =>
      one.verbs.includes('list'),
    );
    for (const resource of resources) {
      const collection = resource.namespaced
        ? `${root}/namespaces/${namespace}/${resource.name}`
        : `${root}/${resource.name}`;
      for (const field of fields) {
        await several.start(
          twin.ask(
            `${root}/${resource.name} by ${field}`,
            { path: `${collection}?fieldSelector=${field}%3Dnone-of-these` },
            { reduce: ({ json }) => (json?.kind === 'Status' ? json : json?.kind) },
          ),
        );
      }
    }
  }
  await several.end();
}

async function revisions(twin: Twin, maps: string): Promise<void> {
  const versions: [string, (notes: Record<string, any>) => string][] = [
    ['none', () => ''],
    ['0', () => '0'],
    ['of c', (notes) => notes['c']],
    ['1', () => '1'],
    ['far ahead', () => '99999999'],
    ['word', () => 'abc'],
    ['negative', () => '-1'],
    ['decimal', () => '1.5'],
    ['padded', () => '00'],
    ['huge', () => '99999999999999999999999'],
  ];
  const several = new Several();
  for (const [what, pick] of versions) {
    for (const match of ['', 'Exact', 'NotOlderThan', 'Other']) {
      for (const more of [
        '',
        '&limit=2',
        '&limit=2&continue=abc',
        '&watch=1&timeoutSeconds=1',
        '&watch=1&timeoutSeconds=1&sendInitialEvents=true',
        '&watch=1&timeoutSeconds=1&sendInitialEvents=true&allowWatchBookmarks=true',
        '&watch=1&timeoutSeconds=1&sendInitialEvents=false',
        '&sendInitialEvents=true',
      ]) {
        const ask = (side: { notes: Record<string, any> }): Ask => {
          const version = pick(side.notes);
          return {
            path: `${maps}?${version === '' ? '' : `resourceVersion=${version}&`}${match === '' ? '' : `resourceVersionMatch=${match}`}${more}`,
          };
        };
        const lines = {
          reduce: ({ json, text }: any) =>
            json?.items?.map((one: any) => one.metadata.name) ?? json ?? text.split('\n').map(eventLine),
        };
        await several.start(twin.ask(`list at ${what} match ${match || 'none'} ${more}`, ask, lines));
      }
    }
    await several.start(
      twin.ask(`get at ${what}`, (side) => ({ path: `${maps}/a?resourceVersion=${pick(side.notes)}` })),
    );
    await several.start(
      twin.ask(
        `delete collection at ${what}`,
        (side) => ({ method: 'DELETE', path: `${maps}?dryRun=All&resourceVersion=${pick(side.notes)}` }),
        { reduce: ({ json }) => (json.kind === 'Status' ? json : json.kind) },
      ),
    );
  }
  await several.end();
}

/** One event in a few words. */
export function eventLine(line: string): unknown {
  if (line === '') return '';
  try {
    const { type, object } = JSON.parse(line);
    if (type === 'ERROR') return { type, object };
    return `${type} ${object.kind} ${object.metadata?.name ?? ''} ${JSON.stringify(object.metadata?.annotations ?? {})}`;
  } catch {
    return line;
  }
}

async function pages(twin: Twin, maps: string): Promise<void> {
  const summary = {
    reduce: ({ json, text }: any) =>
      json?.items === undefined
        ? (json ?? text)
        : { metadata: json.metadata, names: json.items.map((one: any) => one.metadata.name) },
  };
  for (const limit of ['1', '2', '5', '100', '0', '-1', 'x', '1.5', '99999999999999999999'])
    await twin.ask(`limit ${limit}`, { path: `${maps}?limit=${limit}` }, summary);
  let page = await twin.ask('page 1', { path: `${maps}?limit=2` }, summary);
  for (const number of [2, 3]) {
    const token = (side: { name: 'kubernetes' | 'skypod' }) =>
      encodeURIComponent(page[side.name].json.metadata.continue);
    const tokenOf = page;
    await twin.ask(
      `page ${number} with revision`,
      (side) => ({ path: `${maps}?limit=2&continue=${token(side)}&resourceVersion=1` }),
      summary,
    );
    await twin.ask(
      `page ${number} with revision 0`,
      (side) => ({ path: `${maps}?limit=2&continue=${token(side)}&resourceVersion=0` }),
      summary,
    );
    await twin.ask(
      `page ${number} with match`,
      (side) => ({ path: `${maps}?limit=2&continue=${token(side)}&resourceVersionMatch=Exact` }),
      summary,
    );
    await twin.ask(
      `page ${number} in another namespace`,
      (side) => ({ path: `/api/v1/namespaces/default/configmaps?limit=2&continue=${token(side)}` }),
      summary,
    );
    await twin.ask(`page ${number} without limit`, (side) => ({ path: `${maps}?continue=${token(side)}` }), summary);
    await twin.ask(
      `page ${number} with labels`,
      (side) => ({ path: `${maps}?limit=2&labelSelector=app%3Deven&continue=${token(side)}` }),
      summary,
    );
    page = await twin.ask(
      `page ${number}`,
      (side) => ({ path: `${maps}?limit=2&continue=${encodeURIComponent(tokenOf[side.name].json.metadata.continue)}` }),
      summary,
    );
  }
  for (const token of [
    'abc',
    '!!!',
    'e30',
    'eyJ2IjoieCJ9',
    'eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MSwic3RhcnQiOiIuLi9hIn0',
    'eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MSwic3RhcnQiOiJhXHUwMDAwIn0',
  ]) {
    await twin.ask(`continue ${token}`, { path: `${maps}?limit=2&continue=${token}` }, summary);
  }
  await twin.ask('selected page', { path: `${maps}?limit=1&labelSelector=app%3Dodd` }, summary);
  await twin.ask('page at revision 0', { path: `${maps}?limit=1&resourceVersion=0` }, summary);
}

async function forms(twin: Twin, maps: string, pods: string): Promise<void> {
  const several = new Several();
  const targets: [string, string][] = [
    ['list', maps],
    ['get', `${maps}/a`],
    ['pods', pods],
    ['pod', `${pods}/p`],
    ['missing', `${maps}/missing`],
    ['watch', `${maps}?watch=1&resourceVersion=0&timeoutSeconds=1`],
  ];
  const accepts = [
    '*/*',
    'application/*',
    'application/json',
    'application/yaml',
    'text/html',
    'text/plain',
    'application/xml',
    'image/png',
    '',
    'application/json;q=0.5,application/yaml',
    'text/html,application/json;q=0.1',
    'application/json;pretty=1',
    'application/json;stream=watch',
    'application/yaml;stream=watch',
    'application/cbor',
    'application/cbor-seq',
    'application/json;charset=utf-8',
    'garbage',
    ';;',
    ',',
    TABLE,
    PARTIAL,
    PARTIAL_LIST,
    'application/json;as=Table;v=v1;g=meta.k8s.io',
    'application/json;as=Table;v=v1beta1;g=meta.k8s.io',
    'application/json;as=Table;v=v2;g=meta.k8s.io',
    'application/json;as=Table;v=v1;g=other',
    'application/json;as=Other;v=v1;g=meta.k8s.io',
    'application/json;as=PartialObjectMetadata;v=v1beta1;g=meta.k8s.io',
    'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io',
    'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io',
    'application/yaml;as=Table;v=v1;g=meta.k8s.io',
    'application/json;as=Table',
    'application/json;v=v1;g=meta.k8s.io',
    'application/json;as=Table;v=v2;g=meta.k8s.io,application/json',
  ];
  for (const [what, path] of targets) {
    for (const accept of accepts) {
      await several.start(
        twin.ask(
          `${what} as ${accept || 'nothing'}`,
          { path, ...(accept !== '' && { accept }) },
          {
            reduce: ({ json, text }) =>
              json ?? (text.startsWith('{') ? text.split('\n').map(parsed) : text.split('\n').map(scrubbed)),
          },
        ),
      );
    }
    const protobuf = [
      PROTOBUF,
      `${PROTOBUF};as=Table;v=v1;g=meta.k8s.io`,
      `${PROTOBUF};as=PartialObjectMetadata;v=v1;g=meta.k8s.io`,
      `${PROTOBUF};as=PartialObjectMetadataList;v=v1;g=meta.k8s.io`,
      `${PROTOBUF};stream=watch`,
      `${PROTOBUF},application/json`,
    ];
    for (const accept of protobuf)
      await several.start(twin.ask(`${what} as ${accept}`, { path, accept }, { bodyIgnored: true }));
    for (const pretty of ['1', 'true', '0', 'false', '', 'x']) {
      const joined = path.includes('?') ? `${path}&pretty=${pretty}` : `${path}?pretty=${pretty}`;
      await several.start(
        twin.ask(
          `${what} pretty=${pretty}`,
          { path: joined },
          {
            reduce: ({ text }) =>
              text
                .split('\n')
                .slice(0, 3)
                .map((line) => line.slice(0, 40)),
          },
        ),
      );
    }
    for (const agent of ['curl/8.0', 'Wget/1.21', 'Mozilla/5.0 (X11)', 'kubectl/1.36']) {
      await several.start(
        twin.ask(
          `${what} by ${agent}`,
          { path, headers: { 'user-agent': agent } },
          {
            reduce: ({ text }) =>
              text
                .split('\n')
                .slice(0, 3)
                .map((line) => line.slice(0, 40)),
          },
        ),
      );
    }
    for (const include of ['None', 'Metadata', 'Object', 'Other', '']) {
      const joined = path.includes('?') ? `${path}&includeObject=${include}` : `${path}?includeObject=${include}`;
      await several.start(
        twin.ask(
          `${what} table with ${include}`,
          { path: joined, accept: TABLE },
          { reduce: ({ json, text }) => json ?? text.split('\n').map(parsed) },
        ),
      );
      await several.start(
        twin.ask(
          `${what} without table with ${include}`,
          { path: joined },
          { reduce: ({ json, text }) => json ?? text.split('\n').map(parsed) },
        ),
      );
    }
    await several.start(
      twin.ask(`${what} gzip`, { path, headers: { 'accept-encoding': 'gzip' } }, { bodyIgnored: true }),
    );
    await several.start(twin.ask(`HEAD ${what}`, { method: 'HEAD', path }));
  }
  await several.end();
}

const scrubbed = (line: string) => line.replace(/resourceVersion: "?\d+"?/, 'resourceVersion: <revision>');

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return line;
  }
}

async function notFound(twin: Twin, namespace: string): Promise<void> {
  const several = new Several();
  for (const path of [
    '/api/v1/nothings',
    '/api/v1/namespaces/none/configmaps',
    '/api/v1/namespaces/none/configmaps/x',
    `/api/v1/namespaces/${namespace}/configmaps/x`,
    `/api/v1/namespaces/${namespace}/nothings`,
    `/api/v1/namespaces/${namespace}/nothings/x`,
    `/api/v1/namespaces/${namespace}/nodes`,
    '/api/v1/configmaps/x',
    '/api/v1/pods/x',
    `/api/v1/namespaces/${namespace}/configmaps/a/status`,
    `/api/v1/namespaces/${namespace}/pods/p/nothing`,
    `/api/v1/namespaces/${namespace}/pods/p/status`,
    `/api/v1/namespaces/${namespace}/pods/x/status`,
    `/api/v1/namespaces/${namespace}/pods/x/log`,
    '/api/v1/namespaces/x',
    '/api/v1/namespaces/x/status',
    '/api/v1/namespaces/x/finalize',
    '/api/v1/nodes/x',
    '/api/v1/nodes/x/status',
    '/apis/apps/v1/deployments/x',
    `/apis/apps/v1/namespaces/${namespace}/deployments/x`,
    `/apis/apps/v1/namespaces/${namespace}/deployments/x/scale`,
    `/apis/apps/v1/namespaces/${namespace}/pods`,
    '/apis/rbac.authorization.k8s.io/v1/clusterroles/x',
    '/apis/rbac.authorization.k8s.io/v1/clusterroles/system:x',
    '/api/v1/watch',
    '/api/v1/watch/namespaces/x',
    '/api/v1/proxy/x',
    '/api/v1/namespaces/',
    `/api/v1/namespaces/${namespace}/`,
    `/api/v1/namespaces/${namespace}/configmaps/`,
    `/api/v1/namespaces/${namespace}/configmaps/a/`,
    `/api/v1/namespaces/${namespace}/configmaps/A_b`,
    `/api/v1/namespaces/${namespace}/configmaps/%2e%2e`,
    `/api/v1/namespaces/${namespace}/configmaps/a%20b`,
    `/api/v1/namespaces/${namespace}/configmaps/a%2Fb`,
    '/api/v1/namespaces//configmaps',
    '/apis/authentication.k8s.io/v1/tokenreviews',
    '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
    `/api/v1/namespaces/${namespace}/bindings`,
    `/api/v1/componentstatuses/x`,
    `/api/v1/namespaces/${namespace}/serviceaccounts/default/token`,
    `/api/v1/namespaces/${namespace}/pods/p/binding`,
    `/api/v1/namespaces/${namespace}/pods/p/eviction`,
  ]) {
    await several.start(twin.ask(`GET ${path}`, { path }));
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'HEAD', 'CONNECT2'.slice(0, 7)]) {
      if (method === 'CONNECT') continue;
      const body = method === 'PATCH' || method === 'PUT' || method === 'POST' ? '{}' : undefined;
      const type = method === 'PATCH' ? 'application/merge-patch+json' : undefined;
      await several.start(
        twin.ask(`${method} ${path}`, {
          method,
          path: `${path}?dryRun=All`,
          ...(body !== undefined && { body }),
          ...(type !== undefined && { type }),
        }),
      );
    }
  }
  await several.end();
}
