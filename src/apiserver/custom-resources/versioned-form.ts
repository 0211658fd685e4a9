import { DecodeIssues } from '../../api/decode-issues.ts';
import { deepEqual } from '../../api/equality.ts';
import type { CustomResourceDefinition } from '../../api/generated/apiextensions-v1.ts';
import { cloneJson } from '../../api/json.ts';
import { type KubeObject, parseApiVersion } from '../../api/object.ts';
import type { VersionedForm } from '../../api/resource-definition.ts';
import { internalError } from '../../api/status.ts';
import { applySchemaDefaults, leadsToDefault } from '../../api/structural-schema/defaults.ts';
import { prune } from '../../api/structural-schema/prune.ts';
import { schemaOfVersion } from './version-schema.ts';

/**
 * One version's look at what is stored: defaults of the version it was written in, the other version's name, and
 * nothing that this version's schema does not know. Source: apiextensions' crdConversionRESTOptionsGetter.
 */
export function versionedForm(crd: CustomResourceDefinition, versionName: string): VersionedForm {
  const { group, versions, conversion } = crd.spec;
  const storage = versions.find((version) => version.storage)!;
  const own = schemaOfVersion(versions.find(({ name }) => name === versionName)!);
  const apiVersion = `${group}/${versionName}`;
  const storedApiVersion = `${group}/${storage.name}`;
  // What was written since is pruned and defaulted already.
  const definedAt = Number(crd.metadata.resourceVersion);
  const seen = new WeakMap<KubeObject, KubeObject>();

  const convert = (object: KubeObject, wanted: string): KubeObject => {
    if (object.apiVersion === wanted) return object;
    if (conversion?.strategy === 'Webhook') {
      throw internalError(
        `conversion webhook for ${object.apiVersion}, Kind=${object.kind} failed: conversion by webhook is not served yet`,
      );
    }
    return { ...object, apiVersion: wanted };
  };

  const read = (stored: KubeObject): KubeObject => {
    const writtenIn = versions.find(({ name }) => name === parseApiVersion(stored.apiVersion!).version) ?? storage;
    const schema = schemaOfVersion(writtenIn);
    const isCurrent = stored.apiVersion === apiVersion && Number(stored.metadata.resourceVersion) > definedAt;
    if (isCurrent) return stored;
    let object = stored;
    if (leadsToDefault(schema)) {
      const { metadata, ...content } = stored;
      object = { ...cloneJson(content), metadata } as KubeObject;
      applySchemaDefaults(schema, object);
    }
    const { kind, metadata, ...content } = convert(object, apiVersion);
    const pruned = prune(own, content, new DecodeIssues(false), (value) => value, true) as KubeObject;
    // Most often there was nothing to do: the stored bytes serve as they are.
    if (stored.apiVersion === apiVersion && deepEqual({ ...pruned, kind, metadata }, stored)) return stored;
    return { kind: kind!, ...pruned, metadata };
  };

  return {
    toStored: (object) => convert(object, storedApiVersion),
    convert: async (object, wanted) => convert(object, wanted),
    fromStored(stored) {
      let object = seen.get(stored);
      if (object === undefined) {
        object = read(stored);
        seen.set(stored, object);
      }
      return object;
    },
  };
}
