import type { Steps } from '../../base/steps.ts';
import type { KubeObject } from '../object.ts';
import type { Endpoint } from './changes.ts';
import {
  differenceSteps,
  type FieldSet,
  intersectionSteps,
  isEmptySet,
  unionAllSteps,
  unionSteps,
} from './field-set.ts';
import { fieldSetSteps } from './field-set-of.ts';
import { fieldsOf, type Managed, type ManagedFieldsEntry } from './managed.ts';
import type { MergeType } from './merge-type.ts';
import { withNamedFields } from './reconcile.ts';
import { removeFields } from './remove.ts';

/**
 * The merged object without what the applier applied last time and not this time, as far as nobody else owns it.
 * `managed` has the applier's new set already. Source: structured-merge-diff's Updater.prune.
 */
export function* prune(
  endpoint: Endpoint,
  merged: KubeObject,
  managed: Managed,
  last: ManagedFieldsEntry | undefined,
): Steps<KubeObject> {
  if (last === undefined || isEmptySet(fieldsOf(last))) return merged;
  const { versions, apiVersion: ownVersion } = endpoint;
  const lastVersion = last.apiVersion ?? '';
  const lastType = versions.typeOf(lastVersion);
  if (lastType === undefined) return merged;
  const convert = (object: KubeObject, from: string, to: string) =>
    from === to ? object : versions.convert(object, from, to);

  const whole = convert(merged, ownVersion, lastVersion);
  const named = yield* withNamedFields(fieldsOf(last), lastType);
  yield;
  let pruned: KubeObject = yield* removeFields(lastType, whole, named);
  // Back comes what someone owns, in the version of the last configuration first.
  yield;
  const owned = yield* ownedByVersion(managed);
  yield;
  const others = [...owned.keys()].filter((version) => version !== lastVersion);
  for (const version of owned.has(lastVersion) ? [lastVersion, ...others] : others) {
    const type = versions.typeOf(version);
    if (type === undefined) continue;
    const wholeThere = convert(whole, lastVersion, version);
    const prunedThere = convert(pruned, lastVersion, version);
    const back = yield* addBackOwned(type, wholeThere, prunedThere, owned.get(version)!);
    pruned = convert(back, version, lastVersion);
    yield;
  }
  return convert(yield* addBackDangling(lastType, whole, pruned, fieldsOf(last)), lastVersion, ownVersion);
}

function* ownedByVersion(managed: Managed): Steps<Map<string, FieldSet>> {
  const sets = new Map<string, FieldSet[]>();
  for (const entry of managed.values()) {
    const version = entry.apiVersion ?? '';
    const known = sets.get(version);
    if (known === undefined) sets.set(version, [fieldsOf(entry)]);
    else known.push(fieldsOf(entry));
  }
  const owned = new Map<string, FieldSet>();
  for (const [version, all] of sets) owned.set(version, yield* unionAllSteps(all));
  return owned;
}

function* addBackOwned(type: MergeType, whole: KubeObject, pruned: KubeObject, owned: FieldSet): Steps<KubeObject> {
  const all = yield* namedFieldsOf(type, whole);
  const left = yield* namedFieldsOf(type, pruned);
  const kept = yield* unionSteps(left, yield* withNamedFields(owned, type));
  yield;
  const gone = yield* differenceSteps(all, kept);
  yield;
  return yield* removeFields(type, whole, gone);
}

/** Only what the last configuration had may go: not what stood in the same item or struct and is nobody's. */
function* addBackDangling(type: MergeType, whole: KubeObject, pruned: KubeObject, last: FieldSet): Steps<KubeObject> {
  const all = yield* namedFieldsOf(type, whole);
  const kept = yield* namedFieldsOf(type, pruned);
  const gone = yield* differenceSteps(all, kept);
  yield;
  const named = yield* withNamedFields(last, type);
  yield;
  const dangling = yield* intersectionSteps(gone, named);
  yield;
  return yield* removeFields(type, whole, dangling);
}

function* namedFieldsOf(type: MergeType, object: KubeObject): Steps<FieldSet> {
  const set = yield* fieldSetSteps(type, object);
  yield;
  const named = yield* withNamedFields(set, type);
  yield;
  return named;
}
