import type { Findings } from '../../validation/findings.ts';
import { itemsOf, type JsonSchema, propertyOf } from '../json-schema.ts';

/** Lists as sets and maps, and atomic maps: what server-side apply must be able to rely on. */
export function validateListRules(schema: JsonSchema, path: string, findings: Findings): void {
  const mapType = schema['x-kubernetes-map-type'] as string | undefined;
  const listType = schema['x-kubernetes-list-type'] as string | undefined;
  const mustBe = (type: string, extension: string) => {
    const detail = `must be ${type} if ${extension} is specified`;
    if (!schema.type) findings.required(`${path}.type`, detail);
    else findings.invalid(`${path}.type`, schema.type, detail);
  };
  if (mapType !== undefined) {
    if (schema.type !== 'object') mustBe('object', 'x-kubernetes-map-type');
    findings.optionalOneOf(mapType, `${path}.x-kubernetes-map-type`, ['atomic', 'granular']);
  }
  const items = itemsOf(schema);
  if (listType !== undefined && schema.type !== 'array') mustBe('array', 'x-kubernetes-list-type');
  else if (listType === 'set' && items !== undefined) validateSetItems(items, path, findings);
  findings.optionalOneOf(listType, `${path}.x-kubernetes-list-type`, ['atomic', 'set', 'map']);
  const keys = schema['x-kubernetes-list-map-keys'] ?? [];
  if (keys.length > 0 && listType !== 'map') {
    const detail = 'must be map if x-kubernetes-list-map-keys is non-empty';
    if (listType === undefined) findings.required(`${path}.x-kubernetes-list-type`, detail);
    else findings.invalid(`${path}.x-kubernetes-list-type`, listType, detail);
  }
  if (listType === 'map') validateMap(schema, keys, path, findings);
  if (items === undefined || (listType !== 'set' && listType !== 'map')) return;
  if (items.nullable === true) {
    findings.forbidden(`${path}.items.nullable`, `cannot be nullable when x-kubernetes-list-type is ${listType}`);
  }
  if (listType === 'map') validateKeys(items, keys, path, findings);
}

function validateSetItems(items: JsonSchema, path: string, findings: Findings): void {
  const detail = 'must be atomic as item of a list with x-kubernetes-list-type=set';
  const listType = items['x-kubernetes-list-type'];
  if (items.type === 'array' && listType !== undefined && listType !== 'atomic') {
    findings.invalid(`${path}.items.x-kubernetes-list-type`, listType, detail);
  }
  if (items.type === 'object' && items['x-kubernetes-map-type'] !== 'atomic') {
    findings.invalid(`${path}.items.x-kubernetes-map-type`, listType, detail);
  }
}

function validateMap(schema: JsonSchema, keys: string[], path: string, findings: Findings): void {
  if (keys.length === 0) {
    findings.required(`${path}.x-kubernetes-list-map-keys`, 'must not be empty if x-kubernetes-list-type is map');
  }
  if (schema.items === undefined) {
    findings.required(`${path}.items`, 'must have a schema if x-kubernetes-list-type is map');
    return;
  }
  const items = itemsOf(schema);
  if (items === undefined) {
    findings.invalid(`${path}.items`, schema.items, 'must only have a single schema if x-kubernetes-list-type is map');
    return;
  }
  if (items.type !== 'object') {
    const detail = "must be object if parent array's x-kubernetes-list-type is map";
    findings.invalid(`${path}.items.type`, items.type ?? '', detail);
    return;
  }
  const seen = new Set<string>();
  keys.forEach((key) => {
    const property = propertyOf(items, key);
    const keysPath = `${path}.x-kubernetes-list-map-keys`;
    if (property === undefined) findings.invalid(keysPath, keys, 'entries must all be names of item properties');
    else if (property.type === 'array' || property.type === 'object') {
      const detail = "must be a scalar type if parent array's x-kubernetes-list-type is map";
      findings.invalid(`${path}.items.properties[${key}].type`, items.type, detail);
    }
    if (seen.size === seen.add(key).size) findings.invalid(keysPath, keys, 'must not contain duplicate entries');
  });
}

function validateKeys(items: JsonSchema, keys: string[], path: string, findings: Findings): void {
  const required = new Set(items.required);
  for (const key of keys) {
    const property = propertyOf(items, key);
    if (property === undefined) continue;
    const at = `${path}.items.properties[${key}]`;
    if (!required.has(key) && property.default === undefined) {
      const detail =
        'this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property';
      findings.required(`${at}.default`, detail);
    }
    if (property.nullable === true) {
      const detail = 'this property is in x-kubernetes-list-map-keys, so it cannot be nullable';
      findings.forbidden(`${at}.nullable`, detail);
    }
  }
}
