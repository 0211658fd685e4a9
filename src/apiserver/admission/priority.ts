import type { KubeObject } from '../../api/object.ts';
import { forbidden } from '../../api/status.ts';
import type { Objects } from '../objects.ts';
import type { ObjectFilter } from '../watch-cache/watch-cache.ts';
import type { AdmissionPlugin, AdmissionRequest } from './admission.ts';
import { forbid } from './forbid.ts';

const PRIORITY_CLASSES = { group: 'scheduling.k8s.io', resource: 'priorityclasses' };

/** Only the classes that every cluster has may be named so. */
const SYSTEM_PREFIX = 'system-';

const globalDefault: ObjectFilter = { matches: (object) => object['globalDefault'] === true };

/** A pod's priority comes from its class alone. Source: Priority upstream. */
export function priorityAdmission(objects: Objects): AdmissionPlugin {
  const defaultClass = async (tenant: string): Promise<KubeObject | undefined> => {
    const classes = await objects.entries(PRIORITY_CLASSES, { tenant }, globalDefault);
    return classes.map((entry) => entry.object).sort((a, b) => a['value'] - b['value'])[0];
  };
  const classOf = async (request: AdmissionRequest, name: string): Promise<KubeObject | undefined> => {
    if (name === '') return defaultClass(request.tenant);
    const entry = await objects.get(PRIORITY_CLASSES, request.tenant, '', name);
    if (entry === undefined) throw forbid(request, `no PriorityClass with name ${name} was found`);
    return entry.object;
  };
  const isPod = ({ group, resource }: AdmissionRequest['definition']) => group === '' && resource === 'pods';
  return {
    name: 'Priority',
    handles: ({ operation, definition, subresource }) =>
      subresource === '' &&
      (isPod(definition)
        ? operation === 'CREATE' || operation === 'UPDATE'
        : definition.group === PRIORITY_CLASSES.group && definition.resource === PRIORITY_CLASSES.resource),
    async admit(request) {
      if (!isPod(request.definition)) return;
      const { spec } = request.object!;
      if (request.operation === 'UPDATE') {
        spec.priority ??= request.oldObject!['spec'].priority;
        spec.preemptionPolicy ??= request.oldObject!['spec'].preemptionPolicy;
        return;
      }
      const priorityClass = await classOf(request, spec.priorityClassName ?? '');
      const priority = priorityClass?.['value'] ?? 0;
      const policy = priorityClass === undefined ? 'PreemptLowerPriority' : priorityClass['preemptionPolicy'];
      if (spec.priority !== undefined && spec.priority !== priority) {
        throw forbid(
          request,
          `the integer value of priority (${spec.priority}) must not be provided in pod spec; priority admission controller computed ${priority} from the given PriorityClass name`,
        );
      }
      if (policy !== undefined && spec.preemptionPolicy !== undefined && spec.preemptionPolicy !== policy) {
        throw forbid(
          request,
          `the string value of PreemptionPolicy (${spec.preemptionPolicy}) must not be provided in pod spec; priority admission controller computed ${policy} from the given PriorityClass name`,
        );
      }
      if (priorityClass !== undefined) spec.priorityClassName = priorityClass.metadata.name;
      spec.priority = priority;
      if (policy !== undefined) spec.preemptionPolicy = policy;
    },
    async validate(request) {
      if (request.operation === 'DELETE') {
        if (!request.name.startsWith(SYSTEM_PREFIX)) return;
        throw forbidden(request.definition, request.name, 'this is a system priority class and cannot be deleted');
      }
      if (isPod(request.definition) || request.object!['globalDefault'] !== true) return;
      const { name } = request.object!.metadata;
      const current = await defaultClass(request.tenant);
      if (current === undefined || current.metadata.name === name) return;
      throw forbidden(
        request.definition,
        name,
        `PriorityClass ${current.metadata.name} is already marked as default. Only one default can exist`,
      );
    },
  };
}
