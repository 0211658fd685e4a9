import { goldenBases } from '../../../../src/apiserver/testing/golden.ts';
import type { Twin } from '../twin.ts';
import { makeNamespace, plain, TABLE } from './objects.ts';

/** Every kind as kubectl get shows it, with objects that have something in every field. */
export async function tables(twin: Twin): Promise<void> {
  const namespace = `tables-${twin.run}`;
  await makeNamespace(twin, namespace);
  for (const { label, path: collection, object } of goldenBases()) {
    const path = collection.replace('/namespaces/default/', `/namespaces/${namespace}/`);
    const body = plain(object, namespace);
    const status = body.status;
    const created = await twin.ask(`create ${label}`, { method: 'POST', path, body });
    if (created.kubernetes.status >= 300) continue;
    const one = `${path}/${body.metadata.name}`;
    if (status !== undefined) {
      await twin.ask(`status of ${label}`, (side) => ({
        method: 'PUT',
        path: `${one}/status`,
        body: { ...created[side.name].json, status },
      }));
    }
    await twin.ask(`get ${label}`, { path: one });
    await twin.ask(`table of ${label}`, { path: one, accept: TABLE });
    await twin.ask(`table of all ${label}`, {
      path: `${path}?fieldSelector=metadata.name%3D${body.metadata.name}`,
      accept: TABLE,
    });
    await twin.ask(`yaml of ${label}`, { path: one, accept: 'application/yaml' });
    const protobuf = 'application/vnd.kubernetes.protobuf';
    await twin.ask(
      `protobuf of ${label}`,
      { path: one, accept: protobuf },
      { reduce: ({ bytes }) => ({ bytes: bytes.length }) },
    );
    await twin.ask(`delete ${label}`, { method: 'DELETE', path: one });
  }
}
