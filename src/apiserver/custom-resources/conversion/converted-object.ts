import { type KubeObject, parseApiVersion } from '../../../api/object.ts';
import { StatusError } from '../../../api/status.ts';
import { Findings } from '../../../api/validation/findings.ts';
import { validateAnnotations, validateLabels } from '../../../api/validation/metadata.ts';

/** `example.com/v1, Kind=Thing`, as Go prints it. */
export const describeVersion = ({ apiVersion, kind }: KubeObject): string => `${apiVersion}, Kind=${kind}`;

/** So much of what a webhook says is passed on. */
const shownCharacters = 4096;

/** As upstream, an error of no particular reason. */
export const failed = (message: string) =>
  new StatusError(500, '', message.length <= shownCharacters ? message : `${message.slice(0, shownCharacters)}…`);

const wrong = (original: KubeObject, why: string) =>
  failed(`conversion webhook for ${describeVersion(original)} returned invalid ${why}`);

/** Whatever is no text counts as absent. */
const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

/** A conversion may change what an object says, not which object it is. Source: validateConvertedObject upstream. */
export function checkConverted(original: KubeObject, converted: KubeObject, apiVersion: string, index: number): void {
  if (typeof converted !== 'object' || converted === null) throw wrong(original, `converted object at index ${index}`);
  if (converted.apiVersion !== apiVersion) {
    const got = showVersion(textOf(converted.apiVersion));
    throw wrong(
      original,
      `converted object at index ${index}: invalid groupVersion (expected ${apiVersion}, received ${got})`,
    );
  }
  if (converted.kind !== original.kind) {
    throw wrong(
      original,
      `converted object at index ${index}: invalid kind (expected ${original.kind}, received ${textOf(converted.kind)})`,
    );
  }
  const before = original.metadata;
  const after: Partial<KubeObject['metadata']> = converted.metadata ?? {};
  for (const [field, called] of [
    ['name', 'name'],
    ['namespace', 'namespace'],
    ['uid', 'UID'],
  ] as const) {
    const [was, is] = [before[field] ?? '', textOf(after[field])];
    if (was !== is) {
      throw wrong(original, `converted object at index ${index}: must have the same ${called}: ${was} != ${is}`);
    }
  }
}

const showVersion = (apiVersion: string) => {
  const { group, version } = parseApiVersion(apiVersion);
  return group === '' ? version : `${group}/${version}`;
};

/** Labels and annotations are the webhook's to set; the rest of metadata stays. Source: restoreObjectMeta upstream. */
export function withMetadataOf(original: KubeObject, converted: KubeObject): KubeObject {
  if (typeof converted.metadata !== 'object' || converted.metadata === null || Array.isArray(converted.metadata)) {
    const why = converted.metadata === undefined ? 'missing metadata in converted object' : 'invalid metadata';
    throw wrong(original, `metadata: ${why}`);
  }
  const metadata = { ...original.metadata };
  for (const field of ['labels', 'annotations'] as const) {
    const given: unknown = converted.metadata[field];
    if (given === undefined || given === null) {
      delete metadata[field];
      continue;
    }
    if (typeof given !== 'object' || Array.isArray(given)) {
      throw wrong(original, `metadata: invalid metadata.${field} in converted object`);
    }
    for (const [key, value] of Object.entries(given)) {
      if (typeof value === 'string') continue;
      throw wrong(original, `metadata: metadata.${field}[${key}] must be a string, but is not in converted object`);
    }
    const findings = new Findings();
    if (field === 'labels') validateLabels(given as Record<string, string>, 'metadata.labels', findings);
    else validateAnnotations(given as Record<string, string>, 'metadata.annotation', findings);
    if (findings.list.length > 0) {
      throw wrong(original, `metadata: ${findings.list.map((one) => `${one.field}: ${one.message}`).join(', ')}`);
    }
    metadata[field] = given as Record<string, string>;
  }
  const { kind, apiVersion, metadata: _metadata, ...content } = converted;
  return { kind: kind!, apiVersion: apiVersion!, metadata, ...content };
}
