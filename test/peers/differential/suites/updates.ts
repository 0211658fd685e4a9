import { goldenBases } from '../../../../src/apiserver/testing/golden.ts';
import type { Twin } from '../twin.ts';
import { MERGE, makeNamespace, plain } from './objects.ts';

/** Every kind, replaced: what is not there, without a revision, and with metadata that may not change. */
export async function updates(twin: Twin): Promise<void> {
  const namespace = `updates-${twin.run}`;
  await makeNamespace(twin, namespace);
  const chosen: [RegExp, string][] = [
    [/"(?:clusterIP|name)":"10\.(?:9[6-9]|1[01]\d)\.\d+\.\d+"/g, '"<service address>":""'],
    [/"10\.(9[6-9]|1[01][0-9])\.\d+\.\d+"/g, '"<service address>"'],
    [/"(nodePort|healthCheckNodePort)":\d+/g, '"$1":0'],
  ];
  const seen = new Set<string>();
  for (const { label, path: collection, object } of goldenBases()) {
    const kind = `${object.apiVersion}/${object.kind}`;
    if (seen.has(kind)) continue;
    seen.add(kind);
    const path = collection.replace('/namespaces/default/', `/namespaces/${namespace}/`);
    const body = plain(object, namespace);
    delete body.metadata.finalizers;
    const one = `${path}/${body.metadata.name}`;
    await twin.ask(`replace no ${label}`, { method: 'PUT', path: `${one}?dryRun=All`, body }, { replace: chosen });
    const created = await twin.prepare({ method: 'POST', path, body }, [200, 201, 409, 422]);
    if (created.kubernetes.status !== 201 || created.skypod.status !== 201) continue;
    await twin.ask(
      `replace ${label} without revision`,
      { method: 'PUT', path: `${one}?dryRun=All`, body },
      { bodyIgnored: true },
    );
    const metadata = { deletionGracePeriodSeconds: 7, labels: { 'a b': 'c' }, ownerReferences: [{ kind: 'X' }] };
    await twin.ask(`metadata of ${label}`, {
      method: 'PATCH',
      path: `${one}?dryRun=All`,
      type: MERGE,
      body: { metadata },
    });
    await twin.ask(`metadata of ${label} by its status`, {
      method: 'PATCH',
      path: `${one}/status?dryRun=All`,
      type: MERGE,
      body: { metadata },
    });
    await twin.prepare({ method: 'DELETE', path: `${one}?gracePeriodSeconds=0` }, [200, 202, 404, 409, 422]);
  }
}
