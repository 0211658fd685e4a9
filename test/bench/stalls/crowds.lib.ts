import { envelope } from '../../../src/apiserver/protobuf/encode-protobuf.ts';
import {
  type Ask,
  type Asked,
  applyPatch,
  bodyBytes,
  core,
  custom,
  definitions,
  get,
  json,
  map,
  must,
  patch,
  post,
  type StallCase,
  times,
} from './requests.lib.ts';

const inFlight = 32;

async function mustAll(ask: Ask, asked: Asked[]): Promise<void> {
  for (let at = 0; at < asked.length; at += inFlight) {
    await Promise.all(asked.slice(at, at + inFlight).map((one) => must(ask, one)));
  }
}

const crowd = 10_000;
const kinds = 200;
const as = (kind: string, form = json) => ({ accept: `${form};as=${kind};v=v1;g=meta.k8s.io` });

/** A length-delimited field of protobuf. */
const field = (number: number, inner: Buffer): Buffer => {
  const length: number[] = [];
  let rest = inner.length;
  for (; rest > 127; rest >>>= 7) length.push((rest & 127) | 128);
  return Buffer.concat([Buffer.from([(number << 3) | 2, ...length, rest]), inner]);
};
const configMap = (inner: Buffer) => envelope('ConfigMap', 'v1', inner);
const named = (name: string) => field(1, field(1, Buffer.from(name)));
const protobuf = 'application/vnd.kubernetes.protobuf';
const postBytes = (path: string, body: Buffer): Asked => ({
  method: 'POST',
  path,
  body,
  headers: { 'content-type': protobuf },
});

/** Many objects, many kinds, and bodies in protobuf. */
export const crowdCases: StallCase[] = [
  {
    name: 'crowd: 10,000 objects listed in every form, by selectors, in pages, deleted in a dry run',
    prepare: (ask, namespace) =>
      mustAll(
        ask,
        times(crowd, (i) =>
          post(core(namespace, 'configmaps'), {
            metadata: { name: `m-${i}`, labels: { a: `${i}` } },
            data: { a: 'b' },
          }),
        ),
      ),
    requests: (_round, namespace) => {
      const path = core(namespace, 'configmaps');
      return [
        get(path),
        get(path, { 'accept-encoding': 'gzip' }),
        get(path, as('Table')),
        get(path, as('Table', protobuf)),
        get(path, as('PartialObjectMetadataList')),
        get(path, { accept: protobuf }),
        get(path, { accept: 'application/yaml' }),
        get(`${path}?pretty=true`),
        get(`${path}?labelSelector=a%3D9999`),
        get(`${path}?labelSelector=${encodeURIComponent(`a in (${times(5000, (i) => i)})`)}`),
        get(`${path}?fieldSelector=metadata.name!%3Dm-1`),
        get(`${path}?limit=1&resourceVersion=0`),
        get(`/api/v1/configmaps?limit=500`),
        { method: 'DELETE', path: `${path}?dryRun=All` },
      ];
    },
  },
  {
    name: 'crowd: discovery and documents of 200 definitions',
    prepare: (ask) =>
      mustAll(
        ask,
        times(kinds, (i) => post(definitions, custom(`Crowd${i}`, { type: 'object' }).definition)),
      ),
    requests: (round) => [
      // One more: what was made for them is made anew.
      post(definitions, custom(`Latecomer${round}`, { type: 'object' }).definition),
      get('/apis', {
        accept: 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList',
      }),
      get('/apis'),
      get('/apis/stalls.example.com/v1'),
      get('/openapi/v3'),
      get('/openapi/v3/apis/stalls.example.com/v1'),
      get('/openapi/v2'),
    ],
    cleanUp: async (ask) => {
      await ask({ method: 'DELETE', path: definitions });
    },
  },
  {
    name: 'protobuf: 3 MiB of small fields, of unknown ones, of one text in another',
    requests: (round, namespace) => {
      const entry = (i: number) =>
        field(2, Buffer.concat([field(1, Buffer.from(`k${i}`)), field(2, Buffer.from('v'))]));
      let deep = Buffer.from('x');
      for (let depth = 0; depth < 5000; depth++) deep = Buffer.from(field(1, deep));
      return [
        postBytes(
          core(namespace, 'configmaps'),
          configMap(Buffer.concat([named(`p-${round}`), ...times(30_000, entry)])),
        ),
        postBytes(
          core(namespace, 'configmaps'),
          configMap(Buffer.concat([named(`u-${round}`), Buffer.alloc(bodyBytes - 300, Buffer.from([0x78, 0x01]))])),
        ),
        postBytes(
          core(namespace, 'configmaps'),
          configMap(Buffer.concat([named(`n-${round}`), ...times(140_000, () => field(2, Buffer.alloc(0)))])),
        ),
        postBytes(core(namespace, 'configmaps'), configMap(deep)),
      ];
    },
  },
  {
    name: 'apply: as kubectl, over 250 KiB that it applied before, in conflict',
    async prepare(ask, namespace) {
      const data = times(7000, (i) => `"k${i}":"v"`).join(',');
      const last = JSON.stringify(map('l', data));
      await must(
        ask,
        post(
          core(namespace, 'configmaps'),
          `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"l","annotations":{"kubectl.kubernetes.io/last-applied-configuration":${last}}},"data":{${data}}}`,
        ),
      );
    },
    requests: (round, namespace) =>
      ['kubectl', 'other'].map((manager) =>
        patch(
          `${core(namespace, 'configmaps')}/l?fieldManager=${manager}`,
          map('l', times(7000, (i) => `"k${i}":"${manager}${round}"`).join(',')),
          applyPatch,
        ),
      ),
  },
];
