import { generatedKinds } from '../../../api/generated-schema.ts';
import type { GroupVersionKind } from '../../../api/object.ts';

export interface GroupVersion {
  group: string;
  version: string;
}

const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1';

/** Every group and version that Kubernetes 1.36 knows, served or not: its options and watch events are in each of them. */
const knownVersions: [group: string, ...versions: string[]][] = [
  ['', 'v1'],
  ['admission.k8s.io', 'v1', 'v1beta1'],
  ['admissionregistration.k8s.io', 'v1', 'v1alpha1', 'v1beta1'],
  ['apiextensions.k8s.io', 'v1', 'v1beta1'],
  ['apiregistration.k8s.io', 'v1', 'v1beta1'],
  ['apps', 'v1', 'v1beta1', 'v1beta2'],
  ['authentication.k8s.io', 'v1', 'v1alpha1', 'v1beta1'],
  ['authorization.k8s.io', 'v1', 'v1beta1'],
  ['autoscaling', 'v1', 'v2'],
  ['batch', 'v1', 'v1beta1'],
  ['certificates.k8s.io', 'v1', 'v1alpha1', 'v1beta1'],
  ['coordination.k8s.io', 'v1', 'v1alpha2', 'v1beta1'],
  ['discovery.k8s.io', 'v1', 'v1beta1'],
  ['events.k8s.io', 'v1', 'v1beta1'],
  ['extensions', 'v1beta1'],
  ['flowcontrol.apiserver.k8s.io', 'v1', 'v1beta1', 'v1beta2', 'v1beta3'],
  ['imagepolicy.k8s.io', 'v1alpha1'],
  ['internal.apiserver.k8s.io', 'v1alpha1'],
  ['networking.k8s.io', 'v1', 'v1beta1'],
  ['node.k8s.io', 'v1', 'v1alpha1', 'v1beta1'],
  ['policy', 'v1', 'v1beta1'],
  ['rbac.authorization.k8s.io', 'v1', 'v1alpha1', 'v1beta1'],
  ['resource.k8s.io', 'v1', 'v1alpha3', 'v1beta1', 'v1beta2'],
  ['scheduling.k8s.io', 'v1', 'v1alpha2', 'v1beta1'],
  ['storage.k8s.io', 'v1', 'v1alpha1', 'v1beta1'],
  ['storagemigration.k8s.io', 'v1beta1'],
];

/** Not spoken of in documents of custom resources: clients do not speak them. */
const serversOwn = new Set([
  'admission.k8s.io',
  'apiextensions.k8s.io',
  'apiregistration.k8s.io',
  'imagepolicy.k8s.io',
]);

/** What the server says of itself is of the core group's version, whatever group it speaks of. */
const ofServer = new Set(['APIGroup', 'APIGroupList', 'APIResourceList', 'APIVersions', 'Status']);

let packages: Map<string, { group: string; version: string; kinds: Set<string> }> | undefined;

/**
 * The kinds a built-in type stands for, by its OpenAPI name; none for types that are parts of others.
 *
 * @param of the group and version whose document it is, whose kinds alone are said, or `custom` for one of custom
 *   resources; all of them when absent.
 */
export function groupVersionKindsOf(typeName: string, of?: GroupVersion | 'custom'): GroupVersionKind[] {
  packages ??= new Map(
    Object.entries(generatedKinds()).map(([name, { package: path, kinds }]) => {
      const at = name.lastIndexOf('/');
      return [path, { group: name.slice(0, Math.max(at, 0)), version: name.slice(at + 1), kinds: new Set(kinds) }];
    }),
  );
  const at = typeName.lastIndexOf('.');
  const [path, kind] = [typeName.slice(0, at), typeName.slice(at + 1)];
  if (path === meta) {
    if (ofServer.has(kind)) return [{ group: '', kind, version: 'v1' }];
    if (kind !== 'DeleteOptions' && kind !== 'WatchEvent') return [];
    const all = knownVersions.flatMap(([group, ...versions]) => versions.map((version) => ({ group, kind, version })));
    if (of === undefined) return all;
    if (of === 'custom') return all.filter(({ group }) => !serversOwn.has(group));
    return all.filter(({ group, version }) => group === '' || (group === of.group && version === of.version));
  }
  const known = packages.get(path);
  if (known === undefined || !known.kinds.has(kind)) return [];
  return [{ group: known.group, kind, version: known.version }];
}
