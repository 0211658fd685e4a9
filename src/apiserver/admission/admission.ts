import type { KubeObject } from '../../api/object.ts';
import type { ResourceDefinition } from '../../api/resource-definition.ts';
import type { Identity } from '../identity/identity.ts';

export interface AdmissionRequest {
  operation: 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT';
  definition: ResourceDefinition;
  /** '' for the resource itself. */
  subresource: string;
  tenant: string;
  namespace: string;
  /** '' while a generated name is not made yet. */
  name: string;
  /** The writer's own copy: mutating plug-ins change it in place. Absent for DELETE. */
  object?: KubeObject;
  /** Shared: never mutate. Absent for CREATE. */
  oldObject?: KubeObject;
  identity: Identity;
  dryRun: boolean;
  warnings: string[];
}

/** One plug-in of upstream's, under its name. Rejects with a StatusError. */
export interface AdmissionPlugin {
  name: string;
  handles(request: AdmissionRequest): boolean;
  admit?(request: AdmissionRequest): void | Promise<void>;
  validate?(request: AdmissionRequest): void | Promise<void>;
}

/** Mutating plug-ins run in the order of the list; validating ones after the object is valid and final. */
export class Admission {
  readonly #plugins: AdmissionPlugin[];

  constructor(plugins: AdmissionPlugin[]) {
    this.#plugins = plugins;
  }

  async mutate(request: AdmissionRequest): Promise<void> {
    for (const plugin of this.#plugins) {
      if (plugin.admit === undefined || !plugin.handles(request)) continue;
      const pending = plugin.admit(request);
      if (pending !== undefined) await pending;
    }
  }

  async validate(request: AdmissionRequest): Promise<void> {
    for (const plugin of this.#plugins) {
      if (plugin.validate === undefined || !plugin.handles(request)) continue;
      const pending = plugin.validate(request);
      if (pending !== undefined) await pending;
    }
  }
}
