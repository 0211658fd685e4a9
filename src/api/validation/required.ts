import { resolveObject } from '../generated-schema.ts';
import type { FieldSchema, TypeSchema, ValueSchema } from '../schema.ts';
import type { Findings } from './findings.ts';

/**
 * Required fields by the schema alone, for kinds and fields that nothing checks more closely. Source of the rule: what
 * OpenAPI calls required. Zero numbers, false, and empty lists and maps count as given: in Go they can't be told apart
 * from it. Kubernetes says nothing of the status.
 */
type Check = (object: any, path: string, findings: Findings) => void;
/** Of one field: its path is only made when something is to be said, or looked for below it. */
type Step = (value: any, path: string, name: string, findings: Findings) => void;

const checks = new WeakMap<TypeSchema, Check>();

/** Strings that may be empty although they are always written. */
const mayBeEmpty = new Set([
  // Told by validation, in upstream's own way.
  'io.k8s.api.admissionregistration.v1.ServiceReference.name',
  'io.k8s.api.admissionregistration.v1.ServiceReference.namespace',
  'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceColumnDefinition.jsonPath',
  'io.k8s.api.core.v1.HTTPHeader.value',
  'io.k8s.api.core.v1.Sysctl.value',
]);

export function validateRequired(schema: TypeSchema, object: any, findings: Findings): void {
  checkOf(schema)(object, '', findings);
}

function checkOf(schema: TypeSchema): Check {
  let check = checks.get(schema);
  if (check !== undefined) return check;
  const steps: [name: string, step: Step][] = [];
  // Put in place first: types refer to themselves.
  check = (object, path, findings) => {
    for (let i = 0; i < steps.length; i++) {
      const [name, step] = steps[i]!;
      step(object[name], path, name, findings);
    }
  };
  checks.set(schema, check);
  for (const [name, field] of Object.entries(schema.fields)) {
    // metadata has its own rules.
    if (name === 'status' || name === 'metadata' || name === 'apiVersion' || name === 'kind') continue;
    const step = fieldCheck(schema, name, field);
    if (step !== undefined) steps.push([name, step]);
  }
  return check;
}

const joined = (path: string, name: string): string => (path === '' ? name : `${path}.${name}`);

function fieldCheck(schema: TypeSchema, name: string, field: FieldSchema): Step | undefined {
  const inner = valueCheck(field.type);
  const required = field.required && !mayBeEmpty.has(`${schema.name}.${name}`);
  if (!required) {
    if (inner === undefined) return undefined;
    return (value, path, step, findings) => {
      if (value !== undefined && value !== null) inner(value, joined(path, step), findings);
    };
  }
  return (value, path, step, findings) => {
    if (value === undefined || value === null || value === '') {
      const place = joined(path, step);
      if (!findings.has(place)) findings.required(place);
    } else if (inner !== undefined) inner(value, joined(path, step), findings);
  };
}

function valueCheck(type: ValueSchema): Check | undefined {
  if (type.kind === 'array') {
    const each = valueCheck(type.items);
    if (each === undefined) return undefined;
    return (list, path, findings) => {
      for (let i = 0; i < list.length; i++) if (list[i] !== null) each(list[i], `${path}[${i}]`, findings);
    };
  }
  if (type.kind === 'map') {
    const each = valueCheck(type.values);
    if (each === undefined) return undefined;
    return (map, path, findings) => {
      for (const key in map) if (map[key] !== null) each(map[key], `${path}[${key}]`, findings);
    };
  }
  if (type.kind !== 'object') return undefined;
  const schema = resolveObject(type);
  if (!hasRequired(schema, new Set())) return undefined;
  return (object, path, findings) => checkOf(schema)(object, path, findings);
}

const known = new WeakMap<TypeSchema, boolean>();

function hasRequired(schema: TypeSchema, visiting: Set<TypeSchema>): boolean {
  const answer = known.get(schema);
  if (answer !== undefined) return answer;
  if (visiting.has(schema)) return false;
  visiting.add(schema);
  const found = Object.values(schema.fields).some((field) => {
    if (field.required) return true;
    let type = field.type;
    while (type.kind === 'array' || type.kind === 'map') type = type.kind === 'array' ? type.items : type.values;
    return type.kind === 'object' && hasRequired(resolveObject(type), visiting);
  });
  if (found || visiting.size === 1) known.set(schema, found);
  visiting.delete(schema);
  return found;
}
