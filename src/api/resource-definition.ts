import type { Steps } from '../base/steps.ts';
import type { StoredForm } from './conversion/index.ts';
import type { GroupVersionKind, GroupVersionResource, KubeObject } from './object.ts';
import type { TypeSchema } from './schema.ts';
import type { FieldError } from './status.ts';

/**
 * A resource is data. Built-in resources get theirs from `resources/`, custom ones from their
 * CustomResourceDefinition at run time; the API server takes the same path for both.
 */
export interface ResourceDefinition extends GroupVersionResource, GroupVersionKind {
  /** `pod` */
  singular: string;
  /** `PodList` */
  listKind: string;
  namespaced: boolean;
  shortNames: string[];
  /** `all` puts it into `kubectl get all`. */
  categories: string[];
  /** What the resource itself supports: create delete deletecollection get list patch update watch. */
  verbs: string[];
  schema: TypeSchema;
  subresources: SubresourceDefinition[];
  /** Table output: kubectl's columns, without the namespace that kubectl adds itself. */
  columns: ColumnDefinition[];
  /** Values a fieldSelector may ask for besides metadata.name and metadata.namespace; '' when the field is unset. */
  selectableFields: Record<string, (object: KubeObject) => string>;
  /** metadata.generation starts at 1 and grows with every change outside metadata and status. */
  hasGeneration: boolean;
  strategy: ResourceStrategy;
  /**
   * The objects are kept under another API and in its form: events.k8s.io/v1 shows the core group's events,
   * autoscaling/v1 the autoscalers of v2.
   */
  storedAs?: StoredForm;
  /** Versions of a custom resource share one stored object: converted wherever it is read and written. */
  versioned?: VersionedForm;
  /** Said to whoever uses a deprecated version. */
  deprecationWarning?: string;
  /** The resource is on its way out: nothing new may be created. */
  isTerminating?: boolean;
}

/** One version's look at stored objects; both ways give fresh objects or what they were given, never changed. */
export interface VersionedForm {
  /** The apiVersion that is stored today; objects written before may be of another. */
  readonly storedApiVersion: string;
  toStored(object: KubeObject): KubeObject | Promise<KubeObject>;
  /** The same object for the same input, as long as that lives; unless it is much larger, then for a while. */
  fromStored(object: KubeObject): KubeObject;
  /** An object of any version in another one of them (an apiVersion); rejects when the conversion webhook fails. */
  convert(object: KubeObject, apiVersion: string): KubeObject | Promise<KubeObject>;
  /** Of any version, the same one for versions whose schemas are alike; undefined when there is no such version. */
  schemaOf(apiVersion: string): TypeSchema | undefined;
  /**
   * Where a webhook converts, instead of fromStored: all of them in one call, in the same order. Rejects with the
   * StatusError that upstream would answer with.
   */
  fromStoredRemotely?(stored: KubeObject[]): Promise<KubeObject[]>;
}

export interface SubresourceDefinition {
  /** `status`, `scale`, `binding`, `eviction`, `log`, `exec`, `attach`, `portforward`, `proxy`, `token`, `finalize`, ... */
  name: string;
  /** Of the body it takes and gives, when not the resource's own kind: autoscaling/v1 Scale, policy/v1 Eviction ... */
  kind?: GroupVersionKind;
  verbs: string[];
  /** `scale` only: JSON paths as in a CRD (`.spec.replicas`). */
  scale?: { specReplicasPath: string; statusReplicasPath: string; labelSelectorPath?: string };
}

export interface ColumnDefinition {
  name: string;
  type: 'string' | 'integer' | 'number' | 'boolean' | 'date';
  format?: string;
  description: string;
  /** 0 shows always, 1 with `-o wide`. */
  priority: number;
  /** The cell; dates are printed by the server as ages relative to `nowMs`. */
  value(object: KubeObject, nowMs: number): string | number | boolean | null;
}

/**
 * What a kind does besides being data, each part a pure function. `object` is the writer's fresh copy and may be
 * mutated; `old` is shared and may not.
 */
export interface ResourceStrategy {
  /** A PUT must say which version it replaces. */
  requiresResourceVersion?: boolean;
  /** The rules of its own come before those of names and metadata, which are looked at when it keeps to them. */
  metadataLast?: boolean;
  /** A PUT makes what is not there. */
  createdByUpdates?: boolean;
  /** Defaults that depend on other fields; static ones are in the schema. Runs on every decode. */
  setDefaults?(object: KubeObject): void;
  /** The same where what a tenant says makes it long. */
  defaultsSteps?(object: KubeObject): Steps<void>;
  /** metadata.generation stays what it was at first. */
  generationStays?: boolean;
  /** A change of its annotations is one of what is asked for too (a deployment's). */
  annotationsCount?: boolean;
  /** A new object brings its status along (a node does). */
  keepsStatusOnCreate?: boolean;
  /**
   * Before validation and after admission: reset what clients may not set (status is reset generically). uid, name,
   * namespace and creationTimestamp are set.
   */
  prepareForCreate?(object: KubeObject): void;
  /** A generated name was taken: what was prepared with it goes with the next one. */
  rename?(object: KubeObject, taken: string): void;
  prepareForUpdate?(object: KubeObject, old: KubeObject): void;
  prepareForStatusUpdate?(object: KubeObject, old: KubeObject): void;
  /**
   * Beyond names, metadata and the schema's required fields, which are checked generically: call validateObject and
   * its siblings of `validation/index.ts`, which do both. `view` is the API the writer spoke, if not the stored one.
   */
  validateCreate?(object: KubeObject, view?: ResourceDefinition): FieldError[];
  validateUpdate?(object: KubeObject, old: KubeObject, view?: ResourceDefinition): FieldError[];
  validateStatusUpdate?(object: KubeObject, old: KubeObject): FieldError[];
  /**
   * The same three where what a tenant says makes them long: instead of them, and able to be cut. `ofMetadata` is what
   * is wrong with the metadata, which is told already.
   */
  checks?: {
    create(object: KubeObject, ofMetadata: readonly FieldError[]): Steps<FieldError[]>;
    update(object: KubeObject, old: KubeObject, ofMetadata: readonly FieldError[]): Steps<FieldError[]>;
    statusUpdate(object: KubeObject, old: KubeObject, ofMetadata: readonly FieldError[]): Steps<FieldError[]>;
  };
  /** Rules of subresources that write a part of the object (a pod's `resize`), by their names. */
  validateSubresourceUpdate?: Record<string, (object: KubeObject, old: KubeObject) => FieldError[]>;
  /** Findings for metadata.name; DNS-1123 subdomain when absent. `isPrefix`: it is a generateName. */
  validateName?(name: string, isPrefix: boolean): string[];
  /** Graceful deletion: how many seconds the object stays with a deletionTimestamp; 0 or undefined: none. */
  gracePeriodSeconds?(object: KubeObject, asked: number | undefined): number;
}
