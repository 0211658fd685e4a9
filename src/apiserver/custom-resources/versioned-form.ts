import { DecodeIssues } from '../../api/decode/issues.ts';
import { deepEqual } from '../../api/equality.ts';
import type { CustomResourceDefinition } from '../../api/generated/apiextensions-v1.ts';
import { cloneJson } from '../../api/json/json.ts';
import { type KubeObject, parseApiVersion } from '../../api/object.ts';
import type { VersionedForm } from '../../api/resource-definition.ts';
import {
  applySchemaDefaults,
  leadsToDefault,
  mostAddedBytes,
  TooManyDefaults,
} from '../../api/structural-schema/defaults.ts';
import { prune } from '../../api/structural-schema/prune.ts';
import { LoopPace } from '../pace.ts';
import type { Converter } from './conversion/webhook-converter.ts';
import { keepForm, noteGrowth } from './grown-forms.ts';
import { schemaOfVersion } from './version-schema.ts';

/**
 * One version's look at what is stored: defaults of the version it was written in, the other version's name (or what
 * `converter`, the definition's webhook, makes of it), and nothing that this version's schema does not know.
 * Source: apiextensions' crdConversionRESTOptionsGetter.
 */
export function versionedForm(
  crd: CustomResourceDefinition,
  versionName: string,
  converter: Converter | undefined,
  schemaOf: VersionedForm['schemaOf'],
): VersionedForm {
  const { group, versions } = crd.spec;
  const storage = versions.find((version) => version.storage)!;
  const versionOf = (apiVersion: string) =>
    versions.find(({ name }) => name === parseApiVersion(apiVersion).version) ?? storage;
  const apiVersion = `${group}/${versionName}`;
  const storedApiVersion = `${group}/${storage.name}`;
  // What was written since is pruned and defaulted already.
  const definedAt = Number(crd.metadata.resourceVersion);
  const seen = new WeakMap<KubeObject, KubeObject>();

  const named = (object: KubeObject, wanted: string): KubeObject =>
    object.apiVersion === wanted ? object : { ...object, apiVersion: wanted };
  const isCurrent = (stored: KubeObject) =>
    stored.apiVersion === apiVersion && Number(stored.metadata.resourceVersion) > definedAt;

  /** By the defaults of what was decoded last. */
  let addedBytes = 0;
  /** As decoded: with the defaults of the version it was written in. */
  const decoded = (stored: KubeObject): KubeObject => {
    const schema = schemaOfVersion(versionOf(stored.apiVersion!));
    addedBytes = 0;
    if (!leadsToDefault(schema)) return stored;
    const { metadata, ...content } = stored;
    const object = { ...cloneJson(content), metadata } as KubeObject;
    try {
      addedBytes = applySchemaDefaults(schema, object);
    } catch (error) {
      // What can be read is better than nothing: everybody who lists or watches meets the object.
      if (!(error instanceof TooManyDefaults)) throw error;
      addedBytes = mostAddedBytes;
    }
    return object;
  };
  const pruned = (converted: KubeObject): KubeObject => {
    const schema = schemaOfVersion(versionOf(converted.apiVersion!));
    const { kind, metadata, ...content } = converted;
    const kept = prune(schema, content, new DecodeIssues(false), (value) => value, true) as KubeObject;
    return { kind: kind!, ...kept, metadata };
  };
  /** Most often there was nothing to do: the stored bytes serve as they are. */
  const sameIfEqual = (stored: KubeObject, read: KubeObject) =>
    stored.apiVersion === apiVersion && deepEqual(read, stored) ? stored : read;

  const fromStored = (stored: KubeObject): KubeObject => {
    let object = seen.get(stored);
    if (object === undefined) {
      object = isCurrent(stored) ? stored : sameIfEqual(stored, pruned(named(decoded(stored), apiVersion)));
      seen.set(stored, object);
      if (object !== stored) {
        noteGrowth(object, addedBytes);
        keepForm(object, () => seen.delete(stored));
      }
    }
    return object;
  };

  if (converter === undefined) {
    const rename = (object: KubeObject, wanted: string) =>
      object.apiVersion === wanted ? object : pruned(named(object, wanted));
    return {
      storedApiVersion,
      toStored: (object) => rename(object, storedApiVersion),
      convert: rename,
      schemaOf,
      fromStored,
    };
  }
  const convert = async (object: KubeObject, wanted: string): Promise<KubeObject> => {
    if (object.apiVersion === wanted) return object;
    return pruned((await converter([object], wanted))[0]!);
  };
  return {
    storedApiVersion,
    toStored: (object) => (object.apiVersion === storedApiVersion ? object : convert(object, storedApiVersion)),
    convert,
    schemaOf,
    fromStored,
    async fromStoredRemotely(stored) {
      // There may be ten thousands.
      const pace = new LoopPace();
      const sent: KubeObject[] = [];
      for (const one of stored) {
        sent.push(decoded(one));
        if (pace.isDue) await pace.rest();
      }
      const converted = await converter(sent, apiVersion);
      const read: KubeObject[] = [];
      for (const [index, one] of stored.entries()) {
        read.push(isCurrent(one) ? one : sameIfEqual(one, pruned(converted[index]!)));
        if (pace.isDue) await pace.rest();
      }
      return read;
    },
  };
}
