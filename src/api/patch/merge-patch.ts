import { cloneJson } from '../json.ts';
import { badPatch } from './errors.ts';

/** JSON Merge Patch (RFC 7386): null removes, objects merge, everything else replaces. Changes neither argument. */
export function applyMergePatch<T = any>(document: T, patch: unknown): T {
  if (!isObject(patch)) throw badPatch('Invalid JSON Patch');
  return merge(document, patch);
}

function merge(target: any, patch: any): any {
  if (!isObject(patch)) return cloneJson(patch);
  const result: any = {};
  if (isObject(target)) {
    for (const key in target) if (!Object.hasOwn(patch, key)) setOwn(result, key, cloneJson(target[key]));
  }
  for (const key in patch) {
    if (patch[key] === null) continue;
    setOwn(result, key, merge(isObject(target) && Object.hasOwn(target, key) ? target[key] : undefined, patch[key]));
  }
  return result;
}

function setOwn(object: any, key: string, value: unknown): void {
  if (key !== '__proto__') object[key] = value;
  else Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
}

const isObject = (value: unknown): value is Record<string, any> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
