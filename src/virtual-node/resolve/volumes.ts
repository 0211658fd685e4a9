import type {
  ConfigMap,
  DownwardAPIVolumeFile,
  KeyToPath,
  Pod,
  Volume,
  VolumeProjection,
} from '../../api/generated/core-v1.ts';
import type { VolumeFile } from '../../api/pool.ts';
import { containerNamed, missing } from './environment.ts';
import { fieldValue, resourceFieldValue } from './field-ref.ts';
import { type Lookups, ResolveError } from './lookups.ts';
import { tokenWish } from './references.ts';

const DEFAULT_MODE = 0o644;
/** Of a service account's token, where it is known who is to read it. */
const TOKEN_MODE = 0o600;

/** Kinds of volume that need no content from here; the host makes them. */
const madeByHost = ['emptyDir', 'image', 'hostPath'] as const;

/**
 * The files of a configMap, secret, projected or downwardAPI volume; undefined for volumes the host makes by itself.
 * @throws ResolveError with what follows `MountVolume.SetUp failed for volume "x" : ` in upstream's event.
 */
export function volumeFiles(pod: Pod, volume: Volume, lookups: Lookups): VolumeFile[] | undefined {
  if (volume.configMap !== undefined) {
    const { name = '', items, optional, defaultMode } = volume.configMap;
    return configMapFiles(name, items, optional, defaultMode ?? DEFAULT_MODE, lookups);
  }
  if (volume.secret !== undefined) {
    const { secretName = '', items, optional, defaultMode } = volume.secret;
    return secretFiles(secretName, items, optional, defaultMode ?? DEFAULT_MODE, lookups);
  }
  if (volume.downwardAPI !== undefined) {
    return downwardFiles(pod, volume.downwardAPI.items, volume.downwardAPI.defaultMode ?? DEFAULT_MODE, lookups);
  }
  if (volume.projected !== undefined) {
    const mode = volume.projected.defaultMode ?? DEFAULT_MODE;
    return projectedFiles(pod, volume.projected.sources ?? [], mode, lookups);
  }
  if (madeByHost.some((kind) => volume[kind] !== undefined)) return undefined;
  throw new ResolveError('no volume plugin matched');
}

function configMapFiles(
  name: string,
  items: readonly KeyToPath[] | undefined,
  optional: boolean | undefined,
  mode: number,
  lookups: Lookups,
): VolumeFile[] {
  const configMap = lookups.configMap(name);
  if (configMap === undefined && optional !== true) throw missing('configmap', name);
  const contents = configMap === undefined ? new Map<string, string>() : contentsOf(configMap);
  return pick(contents, items, optional, mode, (key) => `configmap references non-existent config key: ${key}`);
}

/** One text for all pods that mount it: their instances are kept in memory. */
const known = new WeakMap<ConfigMap, ReadonlyMap<string, string>>();

function contentsOf(configMap: ConfigMap): ReadonlyMap<string, string> {
  let contents = known.get(configMap);
  if (contents !== undefined) return contents;
  contents = new Map([
    ...Object.entries(configMap.data ?? {}).map(([key, text]) => [key, base64(text)] as const),
    ...Object.entries(configMap.binaryData ?? {}),
  ]);
  known.set(configMap, contents);
  return contents;
}

function secretFiles(
  name: string,
  items: readonly KeyToPath[] | undefined,
  optional: boolean | undefined,
  mode: number,
  lookups: Lookups,
): VolumeFile[] {
  const secret = lookups.secret(name);
  if (secret === undefined && optional !== true) throw missing('secret', name);
  const contents = new Map(Object.entries(secret?.data ?? {}));
  return pick(contents, items, optional, mode, (key) => `references non-existent secret key: ${key}`);
}

/** All keys, or the items in their order. */
function pick(
  contents: ReadonlyMap<string, string>,
  items: readonly KeyToPath[] | undefined,
  optional: boolean | undefined,
  defaultMode: number,
  missingKey: (key: string) => string,
): VolumeFile[] {
  if (items === undefined || items.length === 0) {
    return [...contents].map(([path, data]) => ({ path, data, mode: defaultMode }));
  }
  const files: VolumeFile[] = [];
  for (const { key, path, mode } of items) {
    const data = contents.get(key);
    if (data !== undefined) files.push({ path, data, mode: mode ?? defaultMode });
    else if (optional !== true) throw new ResolveError(missingKey(key));
  }
  return files;
}

function downwardFiles(
  pod: Pod,
  items: readonly DownwardAPIVolumeFile[] | undefined,
  defaultMode: number,
  lookups: Lookups,
): VolumeFile[] {
  return (items ?? []).map(({ path, fieldRef, resourceFieldRef, mode }) => {
    const text =
      fieldRef !== undefined
        ? fieldValue(pod, fieldRef.fieldPath)
        : resourceFieldRef !== undefined
          ? resourceFieldValue(
              pod,
              containerNamed(pod, resourceFieldRef.containerName ?? ''),
              resourceFieldRef,
              lookups,
            )
          : '';
    return { path, data: base64(text), mode: mode ?? defaultMode };
  });
}

/** Later sources win over earlier ones at the same path; every source's error is told, as upstream's aggregate. */
function projectedFiles(pod: Pod, sources: readonly VolumeProjection[], mode: number, lookups: Lookups): VolumeFile[] {
  const files = new Map<string, VolumeFile>();
  const errors: string[] = [];
  for (const source of sources) {
    try {
      for (const file of projectionFiles(pod, source, mode, lookups)) files.set(file.path, file);
    } catch (error) {
      if (!(error instanceof ResolveError)) throw error;
      errors.push(error.message);
    }
  }
  if (errors.length > 0) throw new ResolveError(errors.length === 1 ? errors[0] : `[${errors.join(', ')}]`);
  return [...files.values()];
}

function projectionFiles(pod: Pod, source: VolumeProjection, mode: number, lookups: Lookups): VolumeFile[] {
  if (source.secret !== undefined) {
    const { name = '', items, optional } = source.secret;
    return secretFiles(name, items, optional, mode, lookups);
  }
  if (source.configMap !== undefined) {
    const { name = '', items, optional } = source.configMap;
    return configMapFiles(name, items, optional, mode, lookups);
  }
  if (source.downwardAPI !== undefined) return downwardFiles(pod, source.downwardAPI.items, mode, lookups);
  if (source.serviceAccountToken !== undefined) {
    const token = lookups.token(tokenWish(source.serviceAccountToken));
    if (token === undefined) {
      throw new ResolveError(
        `failed to fetch token: serviceaccounts ${JSON.stringify(pod.spec.serviceAccountName ?? '')} not found`,
      );
    }
    const owner = onlyUser(pod);
    const isOwned = owner !== undefined || pod.spec.securityContext?.fsGroup !== undefined;
    return [
      {
        path: source.serviceAccountToken.path,
        data: base64(token),
        // The host lets the group of the pod's volumes read what belongs to its owner alone.
        mode: isOwned ? TOKEN_MODE : mode,
        ...(owner !== undefined && { owner }),
      },
    ];
  }
  throw new ResolveError('the projection has no source that is known here');
}

/** The user all containers are told to run as; undefined when one is not told, or they differ. Source: kubelet's FsUserFrom. */
function onlyUser({ spec }: Pod): number | undefined {
  const users = [...(spec.initContainers ?? []), ...spec.containers].map(
    ({ securityContext }) => securityContext?.runAsUser ?? spec.securityContext?.runAsUser,
  );
  return users.every((user) => user === users[0]) ? users[0] : undefined;
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');
