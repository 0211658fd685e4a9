import { runAtOnce, type Steps } from '../../base/steps.ts';
import type { KubeObject } from '../object.ts';
import { compareObjects, excludeFields } from './compare.ts';
import {
  difference,
  differenceSteps,
  equalSetsSteps,
  type FieldSet,
  isEmptySet,
  leaf,
  recursiveDifference,
  unionSteps,
} from './field-set.ts';
import type { MergeType } from './merge-type.ts';
import type { PathElement } from './path-element.ts';
import { signatureOf } from './signature.ts';
import { strippedFields, trackedTypeOf } from './tracked-type.ts';
import type { Versions } from './versions.ts';

/** An endpoint: where writes come from and what they cannot change. Made once: it is a cache's key. */
export interface Endpoint {
  apiVersion: string;
  type: MergeType;
  versions: Versions;
  /** '' for the resource itself. */
  subresource: string;
  /** What the endpoint resets to the old state; one object for all that reset alike. */
  reset: FieldSet;
}

/** What a write changed, as managers come to feel it. Shared by all writes that change the same fields. */
export interface Change {
  isSame: boolean;
  /** Modified or added: whose it was is in conflict. */
  conflicting: FieldSet;
  /** These, and what was removed. */
  taken: FieldSet;
  /** The writer's from now on. */
  own: FieldSet;
  /** The set without what the write took from it. */
  leave(set: FieldSet): Steps<FieldSet>;
  /** What the writer had and now has; the same set when that is no more and no less. */
  extend(set: FieldSet): Steps<FieldSet>;
}

interface KnownChange {
  change: Change;
  /** The address that it was made for; see Signature. */
  address: PathElement | undefined;
}

const known = new WeakMap<Endpoint, Map<string, KnownChange>>();
const knownLimit = 1000;

/** The change between two objects in the endpoint's version. */
function* changeAt(endpoint: Endpoint, before: unknown, after: unknown): Steps<Change> {
  const type = trackedTypeOf(endpoint.type, endpoint.reset);
  const signature = signatureOf(type, before, after);
  yield;
  if (signature === undefined) return yield* changeOf(endpoint, type, before, after);
  let changes = known.get(endpoint);
  if (changes === undefined) known.set(endpoint, (changes = new Map()));
  const { text, address } = signature;
  const like = changes.get(text);
  if (like !== undefined) {
    return like.address === address ? like.change : withAddress(like.change, like.address!, address!);
  }
  const change = yield* changeOf(endpoint, type, before, after);
  if (changes.size >= knownLimit) changes.clear();
  changes.set(text, { change, address });
  return change;
}

/** The same change of an object that has another address. */
function withAddress({ isSame, ...like }: Change, from: PathElement, to: PathElement): Change {
  const taken = renamed(like.taken, from, to);
  // Mostly they are one set.
  const own = like.own === like.taken ? taken : renamed(like.own, from, to);
  const conflicting = like.conflicting === like.taken ? taken : renamed(like.conflicting, from, to);
  return {
    isSame,
    conflicting,
    taken,
    own,
    leave: (set) => differenceSteps(set, taken),
    extend: (set) => extended(set, taken, own),
  };
}

/** Where a set holds the address that it was made with. */
const places = new WeakMap<FieldSet, PathElement[][]>();

function renamed(set: FieldSet, from: PathElement, to: PathElement): FieldSet {
  let paths = places.get(set);
  if (paths === undefined) places.set(set, (paths = pathsTo(set, from)));
  let result = set;
  for (const path of paths) result = renamedAt(result, path, 0, from, to);
  return result;
}

function pathsTo(set: FieldSet, wanted: PathElement): PathElement[][] {
  const paths: PathElement[][] = [];
  for (const element in set) {
    if (element === wanted) paths.push([]);
    else for (const path of pathsTo(set[element]!, wanted)) paths.push([element, ...path]);
  }
  return paths;
}

/** `from` has no other element beside it: the order of elements stays. */
function renamedAt(set: FieldSet, path: PathElement[], depth: number, from: PathElement, to: PathElement): FieldSet {
  if (depth === path.length) return { ...('.' in set && { '.': leaf }), [to]: set[from]! };
  const element = path[depth]!;
  return { ...set, [element]: renamedAt(set[element]!, path, depth + 1, from, to) };
}

function* extended(set: FieldSet, taken: FieldSet, own: FieldSet): Steps<FieldSet> {
  const left = yield* differenceSteps(set, taken);
  yield;
  const more = yield* unionSteps(left, own);
  yield;
  return (yield* equalSetsSteps(more, set)) ? set : more;
}

function* changeOf(endpoint: Endpoint, type: MergeType, before: unknown, after: unknown): Steps<Change> {
  const comparison = yield* compareObjects(type, before, after);
  yield;
  const { removed, modified, added } = excludeFields(comparison, endpoint.reset);
  yield;
  const conflicting = yield* unionSteps(modified, added);
  yield;
  const taken = yield* unionSteps(conflicting, removed);
  yield;
  const own = recursiveDifference(difference(conflicting, strippedFields), endpoint.reset);
  return {
    isSame: isEmptySet(taken),
    conflicting,
    taken,
    own,
    leave: remembered((set) => differenceSteps(set, taken)),
    extend: remembered((set) => extended(set, taken, own)),
  };
}

/** Sets are shared among objects that are alike, so what was computed for one serves all. */
function remembered(compute: (set: FieldSet) => Steps<FieldSet>): (set: FieldSet) => Steps<FieldSet> {
  const results = new WeakMap<FieldSet, FieldSet>();
  return function* (set) {
    let result = results.get(set);
    if (result === undefined) {
      result = yield* compute(set);
      results.set(set, result);
    }
    return result;
  };
}

/** One change as the version of each manager shows it. */
export class Changes {
  readonly #endpoint: Endpoint;
  readonly #before: KubeObject;
  readonly #after: KubeObject;
  readonly own: Change;
  #others: Map<string, Change | undefined> | undefined;

  private constructor(endpoint: Endpoint, before: KubeObject, after: KubeObject, own: Change) {
    this.#endpoint = endpoint;
    this.#before = before;
    this.#after = after;
    this.own = own;
  }

  static *between(endpoint: Endpoint, before: KubeObject, after: KubeObject): Steps<Changes> {
    return new Changes(endpoint, before, after, yield* changeAt(endpoint, before, after));
  }

  /** Undefined where the version is not served any more. */
  at(apiVersion: string): Change | undefined {
    if (apiVersion === this.#endpoint.apiVersion) return this.own;
    this.#others ??= new Map();
    if (!this.#others.has(apiVersion)) this.#others.set(apiVersion, this.#convert(apiVersion));
    return this.#others.get(apiVersion);
  }

  #convert(apiVersion: string): Change | undefined {
    const { versions, apiVersion: own } = this.#endpoint;
    if (apiVersion.split('/').length > 2) throw new Error(`unexpected GroupVersion string: ${apiVersion}`);
    const type = versions.typeOf(apiVersion);
    if (type === undefined) return undefined;
    const before = versions.convert(this.#before, own, apiVersion);
    const after = versions.convert(this.#after, own, apiVersion);
    return runAtOnce(changeOf(this.#endpoint, trackedTypeOf(type, this.#endpoint.reset), before, after));
  }
}
