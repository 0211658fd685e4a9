import type { Volume, VolumeProjection } from '../../generated/core-v1.ts';

/** A path in a volume, and which of its sources puts something there ('': its only one). */
interface Place {
  path: string;
  source: string;
}

const printed = ({ path, source }: Place): string =>
  source === '' ? JSON.stringify(path) : `${JSON.stringify(path)} (${source})`;

/** Files of one volume that hide one another. Source: warningsForOverlappingVirtualPaths of pkg/api/pod. */
export function warnOfOverlappingPaths(volumes: Volume[], warnings: string[]): void {
  for (const { name, configMap, secret, downwardAPI, projected } of volumes) {
    const tell = (what: string, places: Place[]) => {
      for (const overlap of overlapsOf(places)) {
        warnings.push(`volume ${JSON.stringify(name)} (${what}): overlapping paths: ${overlap}`);
      }
    };
    if (configMap?.items) tell(`ConfigMap ${JSON.stringify(configMap.name ?? '')}`, placesOf(configMap.items));
    if (secret?.items) tell(`Secret ${JSON.stringify(secret.secretName ?? '')}`, placesOf(secret.items));
    if (downwardAPI?.items) tell('DownwardAPI', placesOf(downwardAPI.items));
    if (!projected) continue;
    const places: Place[] = [];
    for (const source of projected.sources ?? []) {
      if (Object.keys(source).length === 0) {
        warnings.push(`volume ${JSON.stringify(name)} (Projected) has no sources provided`);
      } else places.push(...projectedPlaces(source));
    }
    tell('Projected', places);
  }
}

const placesOf = (items: { path: string }[], source = ''): Place[] => items.map(({ path }) => ({ path, source }));

function projectedPlaces(source: VolumeProjection): Place[] {
  const { configMap, secret, downwardAPI, serviceAccountToken, clusterTrustBundle, podCertificate } = source;
  if (configMap?.items) return placesOf(configMap.items, `ConfigMap ${JSON.stringify(configMap.name ?? '')}`);
  if (secret?.items) return placesOf(secret.items, `Secret ${JSON.stringify(secret.name ?? '')}`);
  if (downwardAPI?.items) return placesOf(downwardAPI.items, 'DownwardAPI');
  if (serviceAccountToken) return placesOf([serviceAccountToken], 'ServiceAccountToken');
  if (clusterTrustBundle) {
    const name = clusterTrustBundle.name ?? clusterTrustBundle.signerName ?? '';
    return placesOf([clusterTrustBundle], `ClusterTrustBundle ${JSON.stringify(name)}`);
  }
  if (!podCertificate) return [];
  const { certificateChainPath, keyPath, credentialBundlePath } = podCertificate;
  const named = [
    [certificateChainPath, 'chain'],
    [keyPath, 'key'],
    [credentialBundlePath, 'credential bundle'],
  ] as const;
  return named.flatMap(([path, what]) => (path ? [{ path, source: `PodCertificate ${what}` }] : []));
}

function overlapsOf(places: Place[]): string[] {
  const overlaps: string[] = [];
  const before: Place[] = [];
  for (const { path, source } of places) {
    const place = { path: (path ?? '').replace(/\/+$/, ''), source };
    for (const other of before) if (overlap(place, other)) overlaps.push(`${printed(place)} with ${printed(other)}`);
    before.push(place);
  }
  return overlaps;
}

const overlap = (a: Place, b: Place): boolean =>
  a.path !== '' && b.path !== '' && (`${a.path}/`.startsWith(`${b.path}/`) || `${b.path}/`.startsWith(`${a.path}/`));
