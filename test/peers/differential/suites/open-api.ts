import { eventually } from '../../../lib/eventually.ts';
import type { Twin } from '../twin.ts';
import { customDefinitions, definitionsPath, forgetDefinitions } from './custom-definitions.ts';

/** The documents that kubectl explain, validation and code generators read. */
export async function openApi(twin: Twin): Promise<void> {
  // What earlier suites defined and forgot.
  for (const side of twin.sides) {
    await eventually(`${side.name} describes no custom resources any more`, async () => {
      const { json } = await side.client.send({ path: '/openapi/v3' });
      return Object.keys(json?.paths ?? {}).every((name) => !name.includes(`${twin.run}.example.com`));
    });
  }
  const index = await twin.ask(
    '/openapi/v3',
    { path: '/openapi/v3' },
    {
      reduce: ({ json }) =>
        Object.fromEntries(
          Object.entries<any>(json.paths).map(([name, value]) => [
            name,
            value.serverRelativeURL.replace(/hash=[0-9A-F]{128}$/, 'hash=<sha512>'),
          ]),
        ),
    },
  );
  const shared = Object.keys(index.kubernetes.json.paths).filter((name) => name in index.skypod.json.paths);
  for (const name of shared) {
    const both = await twin.prepare(
      (side) => ({ path: index[side.name].json.paths[name].serverRelativeURL.replace('/clusters/default', '') }),
      [200, 404],
    );
    await twin.compare(`/openapi/v3/${name} head`, both, { bodyIgnored: true });
    compareDocuments(
      twin,
      `/openapi/v3/${name}`,
      both.kubernetes.json,
      both.skypod.json,
      (document) => document?.components?.schemas,
    );
  }
  for (const accept of [
    'application/json',
    'application/com.github.proto-openapi.spec.v3.v1.0+protobuf',
    'application/com.github.proto-openapi.spec.v3@v1.0+protobuf',
    'text/plain',
    'application/yaml',
  ]) {
    await twin.ask(`/openapi/v3 as ${accept}`, { path: '/openapi/v3', accept }, { bodyIgnored: true });
    await twin.ask(
      `/openapi/v3/apis/apps/v1 as ${accept}`,
      { path: '/openapi/v3/apis/apps/v1', accept },
      { bodyIgnored: true },
    );
    await twin.ask(`/openapi/v2 as ${accept}`, { path: '/openapi/v2', accept }, { bodyIgnored: true });
  }
  for (const path of [
    '/openapi/v3/apis/none/v1',
    '/openapi/v3/api/v1?hash=0000',
    '/openapi/v3/',
    '/openapi/v2/',
    '/openapi/v3/api',
    '/openapi/v3/version',
    '/openapi/v3/logs',
  ]) {
    await twin.ask(`GET ${path}`, { path }, { reduce: ({ text, status }) => (status === 200 ? '<document>' : text) });
  }
  const tagged = await twin.prepare({ path: '/openapi/v3/apis/apps/v1' });
  await twin.ask('/openapi/v3/apis/apps/v1 unchanged', (side) => ({
    path: '/openapi/v3/apis/apps/v1',
    headers: { 'if-none-match': String(tagged[side.name].headers['etag']) },
  }));
  const v2 = await twin.prepare({ path: '/openapi/v2' });
  twin.compare('/openapi/v2 head', v2, { bodyIgnored: true });
  await twin.ask('/openapi/v2 unchanged', (side) => ({
    path: '/openapi/v2',
    headers: { 'if-none-match': String(v2[side.name].headers['etag']) },
  }));
  compareDocuments(twin, '/openapi/v2', v2.kubernetes.json, v2.skypod.json, (document) => document?.definitions);
  await customOpenApi(twin);
}

type Document = Record<string, any>;

function compareDocuments(
  twin: Twin,
  label: string,
  kubernetes: Document,
  skypod: Document,
  schemas: (document: Document) => Document,
): void {
  const unordered = { unordered: true };
  const rest = ({ paths: _p, definitions: _d, components: _c, parameters: _r, info: _i, ...others }: Document) =>
    others;
  twin.compareValues(`${label}: the document`, rest(kubernetes), rest(skypod), unordered);
  twin.compareValues(`${label}: info`, kubernetes['info'], skypod['info'], unordered);
  const keys = (value: Document | undefined) => Object.keys(value ?? {}).sort();
  twin.compareValues(`${label}: names of paths`, keys(kubernetes['paths']), keys(skypod['paths']), unordered);
  for (const path of keys(kubernetes['paths'])) {
    if (skypod['paths']?.[path] === undefined) continue;
    twin.compareValues(
      `${label}: path ${path}`,
      undescribed(kubernetes['paths'][path], kubernetes),
      undescribed(skypod['paths'][path], skypod),
      unordered,
    );
  }
  twin.compareValues(`${label}: names of schemas`, keys(schemas(kubernetes)), keys(schemas(skypod)), unordered);
  for (const name of keys(schemas(kubernetes))) {
    const other = schemas(skypod)?.[name];
    if (other !== undefined)
      twin.compareValues(
        `${label}: schema ${name}`,
        undescribed(schemas(kubernetes)[name], kubernetes),
        undescribed(other, skypod),
        unordered,
      );
  }
}

/** Without texts for people, and with references to parameters resolved. */
function undescribed(value: any, document: Document): any {
  if (Array.isArray(value)) return value.map((one) => undescribed(one, document));
  if (typeof value !== 'object' || value === null) return value;
  const reference = /^#\/parameters\/(.*)$/.exec(value.$ref ?? '');
  if (reference !== null) return undescribed(document['parameters'][reference[1]!], document);
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name, one]) => name !== 'description' || typeof one !== 'string')
      .map(([name, one]) => [name, undescribed(one, document)]),
  );
}

/** What definitions add, for as long as they are there. */
async function customOpenApi(twin: Twin): Promise<void> {
  const group = `x${twin.run}.example.com`;
  const definitions = customDefinitions(group);
  for (const body of definitions) await twin.prepare({ method: 'POST', path: definitionsPath, body }, [201]);
  const names = [`apis/${group}/v1`, `apis/${group}/v1beta1`];
  const marks = [`com.example.x${twin.run}.v1.BoxList`, `com.example.x${twin.run}.v1beta1.ThingList`];
  for (const side of twin.sides) {
    const read = async (path: string) => (await side.client.send({ path })).text;
    await eventually(`${side.name} describes custom resources`, async () => {
      const documents = await Promise.all(names.map((name) => read(`/openapi/v3/${name}`)));
      const version2 = await read('/openapi/v2');
      return (
        marks.every((mark, at) => documents[at]!.includes(mark) && version2.includes(mark)) &&
        documents[0]!.includes('.v1.ThingList')
      );
    });
  }
  for (const name of names) {
    const label = `/openapi/v3/${name.replace(twin.run, 'RUN')}`;
    const both = await twin.prepare({ path: `/openapi/v3/${name}` });
    twin.compare(`${label} head`, both, { bodyIgnored: true });
    compareDocuments(twin, label, both.kubernetes.json, both.skypod.json, (document) => document?.components?.schemas);
    await twin.ask(
      `${label} as protobuf`,
      { path: `/openapi/v3/${name}`, accept: 'application/com.github.proto-openapi.spec.v3.v1.0+protobuf' },
      { bodyIgnored: true },
    );
  }
  await twin.ask(`/openapi/v3/apis/xRUN.example.com`, { path: `/openapi/v3/apis/${group}` });
  await twin.ask(
    '/openapi/v3 with custom resources',
    { path: '/openapi/v3' },
    {
      reduce: ({ json, text }) => Object.keys((json ?? JSON.parse(text)).paths).filter((name) => name.includes(group)),
    },
  );
  const v2 = await twin.prepare({ path: '/openapi/v2' });
  const [kubernetes, skypod] = [v2.kubernetes.json, v2.skypod.json].map((document) => onlyOf(group, document));
  compareDocuments(
    twin,
    '/openapi/v2 of custom resources',
    kubernetes!,
    skypod!,
    (document) => document?.['definitions'],
  );
  await forgetDefinitions(twin, definitions);
}

/** Of a document of version 2 what is of a group, and the parameters that are referred to. */
function onlyOf(group: string, document: Document): Document {
  const model = `${group.split('.').reverse().join('.')}.`;
  const only = (members: Document, prefix: string) =>
    Object.fromEntries(Object.entries(members).filter(([name]) => name.startsWith(prefix)));
  return {
    parameters: document['parameters'],
    paths: only(document['paths'], `/apis/${group}/`),
    definitions: only(document['definitions'], model),
  };
}
