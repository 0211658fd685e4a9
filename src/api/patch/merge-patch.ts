import { runAtOnce, type Steps } from '../../base/steps.ts';
import { cloneJson, cloneSteps, isContainer, setOwn } from '../json/json.ts';
import { badPatch } from './errors.ts';

/** JSON Merge Patch (RFC 7386): null removes, objects merge, everything else replaces. Changes neither argument. */
export function* mergePatchSteps<T = any>(document: T, patch: unknown, isLarge = true): Steps<T> {
  if (!isObject(patch)) throw badPatch('Invalid JSON Patch');
  return yield* merge(document, patch, isLarge);
}

export const applyMergePatch = <T = any>(document: T, patch: unknown): T => runAtOnce(mergePatchSteps(document, patch));

const membersAtOnce = 64;

function* merge(target: any, patch: any, isLarge: boolean): Steps<any> {
  if (!isObject(patch)) return yield* cloneSteps(patch, isLarge);
  const result: any = {};
  let count = 0;
  if (isObject(target)) {
    for (const key in target) {
      const member = target[key];
      if (!Object.hasOwn(patch, key)) {
        setOwn(result, key, isLarge && isContainer(member) ? yield* cloneSteps(member) : cloneJson(member));
      }
      if (++count % membersAtOnce === 0) yield;
    }
  }
  for (const key in patch) {
    const value = patch[key];
    if (value === null) continue;
    const before = isObject(target) && Object.hasOwn(target, key) ? target[key] : undefined;
    setOwn(result, key, isContainer(value) ? yield* merge(before, value, isLarge) : value);
    if (++count % membersAtOnce === 0) yield;
  }
  return result;
}

const isObject = (value: unknown): value is Record<string, any> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
