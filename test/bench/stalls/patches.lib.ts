import {
  applyPatch,
  bodyBytes,
  containersOf,
  core,
  filled,
  jsonPatch,
  map,
  mergePatch,
  must,
  objectBytes,
  patch,
  podOf,
  post,
  type StallCase,
  smallFields,
  strategicPatch,
  times,
} from './requests.lib.ts';

/** A patch of the one map that every namespace has. */
const mapPatch = (name: string, document: string, contentType: string): StallCase => ({
  name,
  requests: (_round, namespace) => [patch(`${core(namespace, 'configmaps')}/kube-root-ca.crt`, document, contentType)],
});

/** Patches of every kind, and whose fields are. */
export const patchCases: StallCase[] = [
  mapPatch(
    'json patch: 10,000 insertions before a list of 300,000',
    `[{"op":"add","path":"/x","value":[${'0,'.repeat(300_000)}0]},${times(9998, () => '{"op":"add","path":"/x/0","value":0}')}]`,
    jsonPatch,
  ),
  mapPatch(
    'json patch: 10,000 moves within a list of 300,000',
    `[{"op":"add","path":"/x","value":[${'0,'.repeat(300_000)}0]},${times(9998, () => '{"op":"move","from":"/x/300000","path":"/x/0"}')}]`,
    jsonPatch,
  ),
  mapPatch(
    'json patch: 10,000 tests and copies of nothing in a map of 100,000',
    `[{"op":"add","path":"/x","value":{${smallFields(1_500_000)}}},${times(4999, () => '{"op":"copy","from":"/x/q","path":"/y"},{"op":"remove","path":"/x/k0"},{"op":"add","path":"/x/k0","value":0}'.split('},').join('},')).slice(0, 3300)}]`,
    jsonPatch,
  ),
  mapPatch(
    'json patch: 10,000 copies that are too much',
    `[{"op":"add","path":"/x","value":{${smallFields(1_000_000)}}},${times(9998, (i) => `{"op":"copy","from":"/x/k${i}","path":"/y${i}"}`)}]`,
    jsonPatch,
  ),
  mapPatch(
    'json patch: deep pointers',
    `[{"op":"add","path":"/x","value":${'{"a":'.repeat(900)}0${'}'.repeat(900)}},${times(1500, () => `{"op":"test","path":"/x${'/a'.repeat(899)}","value":{"a":0}}`)}]`,
    jsonPatch,
  ),
  {
    name: 'merge patch: 3 MiB of small fields',
    requests: (_round, namespace) => [
      patch(`${core(namespace, 'configmaps')}/kube-root-ca.crt`, `{"data":{${smallFields(bodyBytes)}}}`, mergePatch),
    ],
  },
  {
    name: 'strategic patch: 30,000 keyed items onto 14,000',
    async prepare(ask, namespace) {
      await must(
        ask,
        post(
          core(namespace, 'pods'),
          podOf('p', containersOf(`"env":[${times(14_000, (i) => `{"name":"E${i}","value":"v"}`)}]`)),
        ),
      );
    },
    requests: (_round, namespace) => [
      patch(
        `${core(namespace, 'pods')}/p`,
        `{"spec":{"containers":[{"name":"a","env":[${times(14_000, (i) => `{"name":"E${13_999 - i}","value":"w"}`)}]}]}}`,
        strategicPatch,
      ),
      patch(
        `${core(namespace, 'pods')}/p`,
        `{"spec":{"containers":[{"name":"a","$setElementOrder/env":[${times(30_000, (i) => `{"name":"F${i}"}`)}],"env":[${times(30_000, (i) => `{"name":"F${i}","value":"w"}`)}]}]}}`,
        strategicPatch,
      ),
      patch(
        `${core(namespace, 'pods')}/p`,
        `{"spec":{"containers":[{"name":"a","env":[${times(14_000, (i) => `{"$patch":"delete","name":"E${i}"}`)}]}]}}`,
        strategicPatch,
      ),
    ],
  },
  {
    name: 'strategic patch: primitive lists',
    async prepare(ask, namespace) {
      await must(
        ask,
        post(core(namespace, 'configmaps'), {
          metadata: { name: 'f', finalizers: times(40_000, (i) => `a.b/f${i}`) },
        }),
      );
    },
    requests: (_round, namespace) => [
      patch(
        `${core(namespace, 'configmaps')}/f`,
        { metadata: { '$deleteFromPrimitiveList/finalizers': times(40_000, (i) => `a.b/g${i}`) } },
        strategicPatch,
      ),
      patch(
        `${core(namespace, 'configmaps')}/f`,
        { metadata: { finalizers: times(60_000, (i) => `a.b/g${i}`) } },
        strategicPatch,
      ),
    ],
  },
  {
    name: 'apply: 20,000 keyed items, twice by two managers',
    requests: (round, namespace) => [
      ...['a', 'b'].map((manager) =>
        patch(
          `${core(namespace, 'pods')}/p-${round}?fieldManager=${manager}&force=true`,
          podOf(`p-${round}`, containersOf(`"env":[${times(20_000, (i) => `{"name":"E${i}","value":"${manager}"}`)}]`)),
          applyPatch,
        ),
      ),
    ],
  },
  {
    name: 'apply: a map of 32,000, again, with conflicts, without them',
    requests: (round, namespace) => [
      ...['a', 'b', 'c'].map((manager) =>
        patch(
          `${core(namespace, 'configmaps')}/p-${round}?fieldManager=${manager}&force=${manager === 'c'}`,
          map(
            `p-${round}`,
            filled(objectBytes / 2, (i) => `"k${i}":"${manager}"`),
          ),
          applyPatch,
        ),
      ),
      patch(`${core(namespace, 'configmaps')}/p-${round}?fieldManager=c`, map(`p-${round}`, '"a":"b"'), applyPatch),
    ],
  },
  {
    name: 'apply: 300 managers of 100 fields',
    async prepare(ask, namespace) {
      for (let manager = 0; manager < 300; manager++) {
        await must(
          ask,
          patch(
            `${core(namespace, 'configmaps')}/m?fieldManager=m${manager}&force=true`,
            map('m', times(100, (i) => `"k${manager}-${i}":""`).join(',')),
            applyPatch,
          ),
        );
      }
    },
    requests: (round, namespace) => [
      patch(`${core(namespace, 'configmaps')}/m?fieldManager=x&force=true`, map('m', `"x":"${round}"`), applyPatch),
      patch(`${core(namespace, 'configmaps')}/m`, `{"data":{"y":"${round}"}}`, mergePatch),
    ],
  },
  {
    name: 'managedFields: 3 MiB of small entries, as sent',
    requests: (round, namespace) => [
      post(
        core(namespace, 'configmaps'),
        `{"metadata":{"name":"f-${round}","managedFields":[${filled(objectBytes, (i) => `{"manager":"m${i}","operation":"Apply","apiVersion":"v1","fieldsType":"FieldsV1","fieldsV1":{"f:data":{"f:a":{}}}}`)}]},"data":{"a":"b"}}`,
      ),
      post(
        core(namespace, 'configmaps'),
        `{"metadata":{"name":"g-${round}","managedFields":[{"manager":"m","operation":"Apply","apiVersion":"v1","fieldsType":"FieldsV1","fieldsV1":{"f:data":{${filled(objectBytes, (i) => `"f:k${i}":{}`)}}}}]},"data":{"a":"b"}}`,
      ),
    ],
  },
  {
    name: 'managedFields: keyed items by 200,000 keys, as sent',
    requests: (round, namespace) => [
      post(
        core(namespace, 'pods'),
        `{"metadata":{"name":"g-${round}","managedFields":[{"manager":"m","operation":"Apply","apiVersion":"v1","fieldsType":"FieldsV1","fieldsV1":{"f:spec":{"f:containers":{${filled(objectBytes, (i) => `"k:{\\"name\\":\\"${i}\\"}":{}`)}}}}}]},"spec":{${containersOf('"tty":true')}}}`,
      ),
    ],
  },
];
