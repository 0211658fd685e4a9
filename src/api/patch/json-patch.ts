import { runAtOnce, type Steps } from '../../base/steps.ts';
import { deepEqual } from '../equality.ts';
import { cloneJson, cloneSteps } from '../json/json.ts';
import { requestEntityTooLarge, StatusError } from '../status.ts';
import { badPatch, patchDoesNotApply } from './errors.ts';

/**
 * JSON Patch (RFC 6902). The first operation that fails fails the whole patch, with the message of Kubernetes' own
 * implementation (evanphx/json-patch). Neither `document` nor `patch` is changed; parts nothing touched are copied too.
 */
export function* jsonPatchSteps<T = any>(document: T, patch: unknown, isLarge = true): Steps<T> {
  if (!Array.isArray(patch)) {
    throw badPatch(`json: cannot unmarshal ${goKind(patch)} into Go value of type jsonpatch.Patch`);
  }
  if (patch.length > MAX_OPERATIONS) {
    const { reason } = requestEntityTooLarge(MAX_OPERATIONS);
    throw new StatusError(
      413,
      reason,
      `The allowed maximum operations in a JSON patch is ${MAX_OPERATIONS}, got ${patch.length}`,
    );
  }
  const root: Root = { document: yield* cloneSteps(document, isLarge), copiedBytes: 0, moved: 0 };
  yield;
  let yieldAt = movedBetweenYields;
  for (const operation of patch) {
    if (typeof operation !== 'object' || operation === null || Array.isArray(operation)) {
      throw badPatch(`json: cannot unmarshal ${goKind(operation)} into Go value of type jsonpatch.Operation`);
    }
    const { op, path } = operation as { op?: unknown; path?: unknown };
    if (typeof path !== 'string') throw patchDoesNotApply('missing path: missing value');
    const apply = Object.hasOwn(operations, String(op)) ? operations[String(op)] : undefined;
    if (apply === undefined) throw patchDoesNotApply(`Unexpected kind: ${op === undefined ? 'unknown' : op}`);
    apply(root, operation as Operation);
    root.moved += movedByAny + movedByCharacter * path.length;
    if (root.moved < yieldAt) continue;
    yieldAt = root.moved + movedBetweenYields;
    yield;
  }
  return root.document;
}

export const applyJsonPatch = <T = any>(document: T, patch: unknown): T => runAtOnce(jsonPatchSteps(document, patch));

/** A list's items are moved when one goes in or out before them: about a thousand million of them a second. */
const movedBetweenYields = 400_000;
const movedByAny = 500;
/** A pointer may be thousands of steps long. */
const movedByCharacter = 16;

const MAX_OPERATIONS = 10_000;
/** As kube-apiserver's: a document that copies itself into itself doubles with each operation. */
const MAX_COPIED_BYTES = 3 * 1024 * 1024;

interface Root {
  document: any;
  /** What copies have added so far, as JSON. */
  copiedBytes: number;
  /** Items of lists that moved to make room for others, and about as many for what else took as long. */
  moved: number;
}
interface Operation {
  op: string;
  path: string;
  from?: string;
  value?: unknown;
}

const operations: Record<string, (root: Root, operation: Operation) => void> = {
  // Upstream takes a value that is missing for null.
  add(root, { path, value = null }) {
    if (path === '') {
      root.document = cloneJson(value);
      return;
    }
    const target = locate(root, path);
    if (target === undefined) missing(`add operation does not apply: doc is missing path: ${JSON.stringify(path)}`);
    insert(root, target, cloneJson(value), `error in add for path: '${path}'`);
  },
  remove(root, { path }) {
    const target = path === '' ? undefined : locate(root, path);
    if (target === undefined) missing(`remove operation does not apply: doc is missing path: ${JSON.stringify(path)}`);
    take(root, target, `error in remove for path: '${path}'`);
  },
  replace(root, { path, value = null }) {
    if (path === '') {
      root.document = cloneJson(value);
      return;
    }
    const target = locate(root, path);
    if (target === undefined) missing(`replace operation does not apply: doc is missing path: ${path}`);
    // As upstream's implementation: a member that is not there is replaced all the same.
    if (Array.isArray(target.container) && !has(target)) {
      missing(`replace operation does not apply: doc is missing key: ${path}`);
    }
    setOwn(target, cloneJson(value));
  },
  move(root, { path, from }) {
    const source = locate(root, fromOf(from));
    if (source === undefined) missing(`move operation does not apply: doc is missing from path: ${from}`);
    const value = take(root, source, `error in move for path: '${source.key}'`);
    const target = locate(root, path);
    if (target === undefined) missing(`move operation does not apply: doc is missing destination path: ${path}`);
    insert(root, target, value, `error in move for path: '${path}'`);
  },
  copy(root, { path, from }) {
    const source = locate(root, fromOf(from));
    if (source === undefined) missing(`copy operation does not apply: doc is missing from path: ${from}`);
    if (Array.isArray(source.container) && !has(source)) {
      missing(`error in copy for from: '${from}': Unable to get nonexistent key: ${source.key}`);
    }
    const target = locate(root, path);
    if (target === undefined) missing(`copy operation does not apply: doc is missing destination path: ${path}`);
    // Upstream's implementation copies null where nothing is.
    const value = has(source) ? read(source) : null;
    const bytes = JSON.stringify(value).length;
    root.copiedBytes += bytes;
    root.moved += bytes;
    if (root.copiedBytes > MAX_COPIED_BYTES) {
      throw patchDoesNotApply(
        `Unable to complete the copy, the accumulated size increase of copy is ${root.copiedBytes}, exceeding the limit ${MAX_COPIED_BYTES}`,
      );
    }
    insert(root, target, cloneJson(value), `error while adding value during copy`);
  },
  test(root, { path, value }) {
    if (path === '') {
      if (!deepEqual(root.document, value)) throw patchDoesNotApply(`testing value ${path} failed: test failed`);
      return;
    }
    const target = locate(root, path);
    if (target === undefined) missing(`test operation does not apply: is missing path: ${path}`);
    const found = has(target) ? read(target) : undefined;
    const isSame =
      found === undefined || found === null ? value === null || value === undefined : deepEqual(found, value);
    if (!isSame) throw patchDoesNotApply(`testing value ${path} failed: test failed`);
  },
};

interface Target {
  container: any;
  key: string;
}

/** The container the last part of a pointer lies in; undefined when there is none. */
function locate(root: Root, pointer: string): Target | undefined {
  const parts = pointer.split('/').slice(1).map(unescapePointer);
  const key = parts.pop();
  if (key === undefined) return undefined;
  let container = root.document;
  for (const part of parts) {
    const at = { container, key: part };
    if (!isContainer(container) || !has(at)) return undefined;
    container = read(at);
  }
  return isContainer(container) ? { container, key } : undefined;
}

const isContainer = (value: unknown): boolean => typeof value === 'object' && value !== null;
const unescapePointer = (part: string): string => part.replaceAll('~1', '/').replaceAll('~0', '~');

function indexOf(key: string, length: number): number {
  if (!/^-?\d+$/.test(key)) return -1;
  const index = Number(key);
  return index < 0 ? index + length : index;
}

function has({ container, key }: Target): boolean {
  if (!Array.isArray(container)) return Object.hasOwn(container, key);
  const index = indexOf(key, container.length);
  return index >= 0 && index < container.length;
}

function read({ container, key }: Target): unknown {
  return Array.isArray(container) ? container[indexOf(key, container.length)] : container[key];
}

function setOwn({ container, key }: Target, value: unknown): void {
  if (Array.isArray(container)) container[indexOf(key, container.length)] = value;
  else Object.defineProperty(container, key, { value, enumerable: true, configurable: true, writable: true });
}

function insert(root: Root, target: Target, value: unknown, context: string): void {
  const { container, key } = target;
  if (!Array.isArray(container)) {
    setOwn(target, value);
    return;
  }
  if (key === '-') {
    container.push(value);
    return;
  }
  if (!/^-?\d+$/.test(key)) {
    throw patchDoesNotApply(
      `${context}: value was not a proper array index: '${key}': strconv.Atoi: parsing ${JSON.stringify(key)}: invalid syntax`,
    );
  }
  const index = Number(key) < 0 ? Number(key) + container.length + 1 : Number(key);
  if (index < 0 || index > container.length) {
    throw patchDoesNotApply(`${context}: Unable to access invalid index: ${key}: invalid index referenced`);
  }
  root.moved += container.length - index;
  container.splice(index, 0, value);
}

function take(root: Root, target: Target, context: string): unknown {
  const { container, key } = target;
  if (!has(target)) {
    if (Array.isArray(container)) {
      throw patchDoesNotApply(`${context}: Unable to access invalid index: ${key}: invalid index referenced`);
    }
    missing(`${context}: Unable to remove nonexistent key: ${key}`);
  }
  const value = read(target);
  if (Array.isArray(container)) {
    const index = indexOf(key, container.length);
    root.moved += container.length - index;
    container.splice(index, 1);
  } else delete container[key];
  return value;
}

function fromOf(from: string | undefined): string {
  if (typeof from !== 'string') throw patchDoesNotApply('failed to decode from: missing value');
  return from;
}

function missing(message: string): never {
  throw patchDoesNotApply(`${message}: missing value`);
}

const goKind = (value: unknown): string =>
  Array.isArray(value) ? 'array' : typeof value === 'boolean' ? 'bool' : value === null ? 'null' : typeof value;
