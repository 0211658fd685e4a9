import type { KubeObject } from '../../api/object.ts';
import type { FieldError } from '../../api/status.ts';
import type { Identity } from '../identity/identity.ts';
import type { ObjectChange } from '../object-change.ts';

export interface WriteScope {
  tenant: string;
  namespace: string;
  name: string;
  dryRun: boolean;
}

/** Who writes, and how the API calls it: for rules that ask what else they may do. */
export interface StatusWriteScope extends WriteScope {
  identity: Identity;
  verb: 'update' | 'patch';
}

/**
 * What a kind's writes do besides writing the object: further changes that must happen with it or not at all (a
 * service and the claim of its address). Called again from the start when the commit finds that something has changed.
 */
export interface ResourceHooks {
  /** Before it is told what is wrong: what the write would claim is looked for first; throws why it cannot be had. */
  prepareCreate?(object: KubeObject, found: FieldError[], scope: WriteScope): Promise<void>;
  /** Before validation: fills in what the writer leaves out and means. */
  prepareUpdate?(object: KubeObject, old: KubeObject): void;
  /** After the validation of a new status: what the object alone does not tell of it. */
  checkStatusUpdate?(object: KubeObject, old: KubeObject, found: FieldError[], scope: StatusWriteScope): Promise<void>;
  /** Before a deletion is looked at: the state that is to be marked or to go, a copy or `old` itself. */
  prepareDelete?(old: KubeObject, nowMs: number): KubeObject;
  /** After validation, before the write; may fill in `object`. */
  onCreate?(object: KubeObject, scope: WriteScope): Promise<ObjectChange[]>;
  onUpdate?(object: KubeObject, old: KubeObject, scope: WriteScope): Promise<ObjectChange[]>;
  onDelete?(old: KubeObject, scope: WriteScope): Promise<ObjectChange[]>;
}
