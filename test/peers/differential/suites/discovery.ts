import { eventually } from '../../../lib/eventually.ts';
import type { Answer } from '../client.ts';
import type { Side, Twin } from '../twin.ts';
import { customDefinitions, definitionsPath, forgetDefinitions } from './custom-definitions.ts';

/** Skypod has one more: it measures pods itself. */
const ofSkypod = 'metrics.k8s.io';

/** Groups by their names; their order is compared beside. */
const byGroup = (document: any) => ({
  ...document,
  items: Object.fromEntries(document.items.map((one: any) => [one.metadata.name ?? '', one])),
});
/** Documents of discovery, of any form. */
const shown = {
  unordered: true,
  reduce: ({ json, text }: Answer) => (json?.kind === 'APIGroupDiscoveryList' ? byGroup(json) : (json ?? text)),
};
const isNotOurs = (name: string) => name !== ofSkypod;

const aggregated = (version: string) =>
  `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList,application/json`;

/** What clients read first: groups, resources, versions, health. */
export async function discovery(twin: Twin): Promise<void> {
  const unordered = { unordered: true };
  for (const path of ['/api', '/apis', '/api/v1', '/version', '/version/']) await twin.ask(path, { path }, unordered);
  await twin.ask('/', { path: '/' }, unordered);
  const groups = await twin.ask(
    '/apis in order',
    { path: '/apis' },
    { reduce: ({ json }) => json.groups.map((one: any) => one.name).filter(isNotOurs) },
  );
  const versions = new Set<string>();
  for (const group of groups.kubernetes.json.groups) {
    await twin.ask(`/apis/${group.name}`, { path: `/apis/${group.name}` });
    for (const { groupVersion } of group.versions) versions.add(groupVersion);
  }
  for (const one of versions) await twin.ask(`/apis/${one}`, { path: `/apis/${one}` }, unordered);
  await twin.ask(
    '/api/v1 in order',
    { path: '/api/v1' },
    { reduce: ({ json }) => json.resources.map((one: any) => one.name) },
  );
  for (const version of ['v2', 'v2beta1']) {
    for (const path of ['/api', '/apis']) {
      const accept = aggregated(version);
      const both = await twin.ask(`${path} aggregated ${version}`, { path, accept }, shown);
      const tagged = (side: Side) => ({ 'if-none-match': String(both[side.name].headers['etag']) });
      await twin.ask(
        `${path} aggregated ${version}, unchanged`,
        (side) => ({ path, accept, headers: tagged(side) }),
        shown,
      );
      await twin.ask(
        `${path} aggregated ${version}, other tag`,
        { path, accept, headers: { 'if-none-match': '"x"' } },
        shown,
      );
    }
  }
  await twin.ask(
    '/apis aggregated, in order',
    { path: '/apis', accept: aggregated('v2') },
    { reduce: ({ json }) => json.items.map((one: any) => one.metadata.name).filter(isNotOurs) },
  );
  for (const accept of [
    'application/json;g=apidiscovery.k8s.io;v=v3;as=APIGroupDiscoveryList',
    'application/json;g=apidiscovery.k8s.io;v=v2;as=Other',
    'application/json;as=APIGroupDiscoveryList;v=v2;g=apidiscovery.k8s.io;profile=nopeer',
    'application/vnd.kubernetes.protobuf;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList',
    'application/yaml',
    'application/vnd.kubernetes.protobuf',
    'text/html',
    '*/*',
    'application/*',
    'application/json;as=Table;v=v1;g=meta.k8s.io',
  ]) {
    for (const path of ['/api', '/apis', '/apis/apps', '/apis/apps/v1', '/api/v1', '/version', '/']) {
      await twin.ask(`${path} as ${accept}`, { path, accept }, shown);
    }
  }
  for (const path of [
    '/apis/none',
    '/apis/none/v1',
    '/apis/apps/v2',
    '/api/v2',
    '/apis/apps/',
    '/api/',
    '/apis/',
    '/api/v1/',
    '/apis/apps/v1/',
    '/nothing',
    '/api/v1/nothing',
    '/healthz/nothing',
    '/openapi',
    '/openapi/v4',
    '/index.html',
    '/swagger.json',
    '/logs',
    '/logs/',
    '/debug/pprof/',
    '/metrics/slis',
    '/statusz',
    '/flagz',
    '/openid/v2',
    '/.well-known/x',
    '//api',
    '/api//v1',
    '/apis/apps/v1/namespaces',
    '/apis/apps/v1/deployments/x/y/z/q',
  ]) {
    await twin.ask(`GET ${path}`, { path }, { unordered: true });
  }
  for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'HEAD', 'TRACE']) {
    for (const path of [
      '/',
      '/api',
      '/apis',
      '/apis/apps',
      '/apis/apps/v1',
      '/version',
      '/healthz',
      '/openapi/v2',
      '/openapi/v3',
      '/nothing',
    ]) {
      await twin.ask(
        `${method} ${path}`,
        { method, path },
        {
          reduce: ({ json, text }) => json?.swagger ?? (path.startsWith('/openapi') ? '' : json) ?? text,
          unordered: true,
        },
      );
    }
  }
  await health(twin);
  await twin.ask('/.well-known/openid-configuration', { path: '/.well-known/openid-configuration' });
  await twin.ask(
    '/openid/v1/jwks',
    { path: '/openid/v1/jwks' },
    { reduce: ({ json }) => json.keys.map((key: any) => Object.keys(key).sort()) },
  );
  await customDiscovery(twin);
}

/** What definitions add, for as long as they are there. */
async function customDiscovery(twin: Twin): Promise<void> {
  const group = `y${twin.run}.example.com`;
  const definitions = customDefinitions(group);
  for (const body of definitions) await twin.prepare({ method: 'POST', path: definitionsPath, body }, [201]);
  const accept = aggregated('v2');
  const unordered = { unordered: true };
  for (const side of twin.sides) {
    await eventually(`${side.name} tells of custom resources`, async () => {
      const [plain, whole] = await Promise.all([
        side.client.send({ path: `/apis/${group}/v1` }),
        side.client.send({ path: '/apis', accept }),
      ]);
      const item = whole.json?.items.find((one: any) => one.metadata.name === group);
      return plain.json?.resources?.length === 4 && item?.versions[0].resources.length === 2;
    });
  }
  for (const end of ['', '/', '/v1', '/v1beta1', '/v2', '/v1/none', '/v1/namespaces/a/none/b', '/v1/things/a/b']) {
    await twin.ask(`/apis/yRUN.example.com${end}`, { path: `/apis/${group}${end}` }, unordered);
  }
  for (const form of ['application/yaml', 'application/vnd.kubernetes.protobuf', 'text/html']) {
    // Upstream lists custom resources in no order.
    const options = { unordered: true, bodyIgnored: form.endsWith('protobuf') };
    await twin.ask(`/apis/yRUN.example.com/v1 as ${form}`, { path: `/apis/${group}/v1`, accept: form }, options);
  }
  for (const method of ['POST', 'DELETE', 'HEAD', 'OPTIONS']) {
    for (const end of ['', '/v1']) {
      await twin.ask(`${method} /apis/yRUN.example.com${end}`, { method, path: `/apis/${group}${end}` }, unordered);
    }
  }
  await twin.ask(
    '/apis with custom resources, aggregated',
    { path: '/apis', accept },
    { ...unordered, reduce: ({ json }) => json.items.find((one: any) => one.metadata.name === group) },
  );
  await forgetDefinitions(twin, definitions);
}

async function health(twin: Twin): Promise<void> {
  const names = (text: string) => text.split('\n').map((line) => line.replace(/^(\[.\]).* /, '$1CHECK '));
  const shape = { reduce: ({ text }: { text: string }) => [...new Set(names(text))] };
  for (const path of ['/healthz', '/livez', '/readyz']) {
    await twin.ask(path, { path });
    await twin.ask(`${path}/ping`, { path: `${path}/ping` });
    await twin.ask(`${path}/ping?verbose`, { path: `${path}/ping?verbose` });
    await twin.ask(`${path}/etcd`, { path: `${path}/etcd` });
    await twin.ask(`${path}/`, { path: `${path}/` });
    await twin.ask(`${path}?verbose`, { path: `${path}?verbose` }, shape);
    await twin.ask(`${path}?verbose=true`, { path: `${path}?verbose=true` }, shape);
    await twin.ask(`${path}?exclude=ping`, { path: `${path}?exclude=ping` }, shape);
    await twin.ask(
      `${path}?verbose&exclude=ping`,
      { path: `${path}?verbose&exclude=ping` },
      { reduce: ({ text }) => text.split('\n').filter((line) => line.includes('ping') || line.includes('passed')) },
    );
    await twin.ask(
      `${path}?verbose&exclude=a&exclude=b`,
      { path: `${path}?verbose&exclude=a&exclude=b` },
      { reduce: ({ text }) => text.split('\n').filter((line) => line.includes('warn') || line.includes('passed')) },
    );
    await twin.ask(`${path}?exclude=a`, { path: `${path}?exclude=a` });
    await twin.ask(`${path} as JSON`, { path, accept: 'application/json' });
  }
}
