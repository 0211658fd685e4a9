import type { Both, Twin } from '../twin.ts';
import { MERGE } from './objects.ts';

/** Roles and bindings of every cluster, when somebody changes or deletes one. */
export async function defaultRoles(twin: Twin): Promise<void> {
  const rbac = '/apis/rbac.authorization.k8s.io/v1';
  const names = { reduce: ({ json }: any) => json?.items?.map((item: any) => item.metadata.name) ?? json };
  const role = `${rbac}/clusterroles/system:kube-dns`;
  const binding = `${rbac}/clusterrolebindings/system:kube-dns`;
  const changed = `${rbac}/clusterroles/system:heapster`;
  const inNamespace = `${rbac}/namespaces/kube-public/rolebindings/system:controller:bootstrap-signer`;
  const touched = [role, binding, changed, inNamespace];
  const originals: Both[] = [];
  for (const path of touched) originals.push(await twin.prepare({ path }, [200]));
  for (const path of [role, binding]) {
    await twin.ask(`get ${path}`, { path });
    await twin.ask(`dry deletion of ${path}`, { method: 'DELETE', path: `${path}?dryRun=All` });
    await twin.ask(`still there ${path}`, { path });
    await twin.ask(`delete ${path}`, { method: 'DELETE', path });
    await twin.ask(`gone ${path}`, { path });
    await twin.ask(`delete again ${path}`, { method: 'DELETE', path });
    await twin.ask(`patch what is gone ${path}`, { method: 'PATCH', path, type: MERGE, body: {} });
    const list = path.slice(0, path.lastIndexOf('/'));
    await twin.ask(`list without ${path}`, { path: `${list}?labelSelector=kubernetes.io/bootstrapping` }, names);
  }
  await twin.ask('its place taken', {
    method: 'POST',
    path: `${rbac}/clusterroles`,
    body: { metadata: { name: 'system:kube-dns' }, rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }] },
  });
  await twin.ask('taken again', { path: role });
  await twin.ask('deleted again', { method: 'DELETE', path: role });
  await twin.ask('gone again', { path: role });
  await twin.ask('changed', {
    method: 'PATCH',
    path: changed,
    type: MERGE,
    body: { rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }] },
  });
  await twin.ask('changed and deleted', { method: 'DELETE', path: changed });
  await twin.ask('changed and gone', { path: changed });
  await twin.ask('role binding deleted', { method: 'DELETE', path: inNamespace });
  await twin.ask('role binding gone', { path: inNamespace });
  await twin.ask('role bindings left', { path: `${rbac}/namespaces/kube-public/rolebindings` }, names);
  // A kube-apiserver that stays is as it was for the next run.
  for (const [index, path] of touched.entries()) {
    await twin.prepare((side) => {
      const { metadata, ...rest } = originals[index]![side.name].json;
      const { name, labels, annotations } = metadata;
      const body = { ...rest, metadata: { name, labels, annotations } };
      return { method: 'POST', path: path.slice(0, path.lastIndexOf('/')), body };
    });
  }
}
