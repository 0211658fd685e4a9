import { goldenBases } from '../../../../src/apiserver/testing/golden.ts';
import type { Twin } from '../twin.ts';
import { MERGE, makeNamespace, plain, TABLE } from './objects.ts';

/** Every kind as kubectl get shows it, with objects that have something in every field. */
export async function tables(twin: Twin): Promise<void> {
  const namespace = `tables-${twin.run}`;
  const allocated: [RegExp, string][] = [
    [/"\d+s"/g, '"<age>"'],
    [/"10\.(9[6-9]|1[01][0-9])\.\d+\.\d+"/g, '"<service address>"'],
    [/"(nodePort|healthCheckNodePort)":\d+/g, '"$1":0'],
    [/:3[0-2]\d\d\d\//g, ':<node port>/'],
  ];
  await makeNamespace(twin, namespace);
  for (const { label, path: collection, object } of goldenBases()) {
    const path = collection.replace('/namespaces/default/', `/namespaces/${namespace}/`);
    const body = plain(object, namespace);
    const status = body.status;
    const created = await twin.ask(`create ${label}`, { method: 'POST', path, body }, { replace: allocated });
    if (created.kubernetes.status >= 300) continue;
    const one = `${path}/${body.metadata.name}`;
    if (status !== undefined) {
      await twin.ask(`status of ${label}`, (side) => ({
        method: 'PUT',
        path: `${one}/status`,
        body: { ...created[side.name].json, status },
      }));
    }
    await twin.ask(`get ${label}`, { path: one }, { replace: allocated });
    await twin.ask(`table of ${label}`, { path: one, accept: TABLE }, { replace: allocated });
    const selected = `${path}?fieldSelector=metadata.name%3D${body.metadata.name}`;
    await twin.ask(`table of all ${label}`, { path: selected, accept: TABLE }, { replace: allocated });
    await twin.ask(`yaml of ${label}`, { path: one, accept: 'application/yaml' }, { replace: allocated });
    const protobuf = 'application/vnd.kubernetes.protobuf';
    const shown = await twin.prepare({ path: one });
    await twin.ask(
      `protobuf of ${label}`,
      { path: one, accept: protobuf },
      // Revisions are of different lengths.
      {
        reduce: ({ bytes }, side) => ({ bytes: bytes.length - shown[side.name].json.metadata.resourceVersion.length }),
      },
    );
    await twin.ask(`delete ${label}`, { method: 'DELETE', path: one }, { replace: allocated });
    await twin.prepare(
      { method: 'PATCH', path: one, type: MERGE, body: { metadata: { finalizers: null } } },
      [200, 404, 422],
    );
  }
}
