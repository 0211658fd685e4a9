import { elementOfItem } from './list-items.ts';
import { alternativeOf, listOf, type MergeType, mapOf, type ScalarType, typeOfField } from './merge-type.ts';
import { fieldElement, type PathElement, printElement } from './path-element.ts';

interface Finding {
  path: string;
  message: string;
}

/**
 * What keeps a configuration from being merged, in upstream's words: unknown fields, wrong types, duplicates in sets and
 * lists with keys; undefined when it is sound. Source: structured-merge-diff's TypedValue.Validate.
 */
export function validateConfiguration(type: MergeType, configuration: unknown): string | undefined {
  const findings: Finding[] = [];
  check(type, configuration, '', findings);
  if (findings.length === 0) return undefined;
  const lines = findings.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`));
  return lines.length === 1 ? lines[0] : ['errors:', ...lines.map((line) => `  ${line}`)].join('\n');
}

function check(type: MergeType, value: any, path: string, findings: Finding[]): void {
  const say = (message: string) => findings.push({ path, message });
  switch (alternativeOf(type, value)) {
    case 'scalar': {
      const message = checkScalar(type.scalar!, value);
      if (message !== undefined) say(message);
      return;
    }
    case 'map': {
      if (value === null || value === undefined) return;
      const map = mapOf(value);
      if (map === undefined) return void say(`expected map, got ${printGo(value)}`);
      for (const name in map) {
        const at = `${path}${printElement(fieldElement(name))}`;
        const fieldType = typeOfField(type.map!, name);
        if (fieldType === undefined) return void findings.push({ path: at, message: 'field not declared in schema' });
        check(fieldType, map[name], at, findings);
      }
      return;
    }
    case 'list': {
      if (value === null || value === undefined) return;
      const list = listOf(value);
      if (list === undefined) return void say(`expected list, got ${printGo(value)}`);
      const { list: listType } = type;
      const seen = new Set<PathElement>();
      for (let index = 0; index < list.length; index++) {
        let element: PathElement = `i:${index}`;
        if (!listType!.atomic) {
          try {
            element = elementOfItem(listType!, list[index]);
          } catch (error) {
            return void say(`element ${index}: ${(error as Error).message}`);
          }
          if (seen.has(element)) say(`duplicate entries for key ${printElement(element)}`);
          seen.add(element);
        }
        check(listType!.items, list[index], `${path}${printElement(element)}`, findings);
      }
    }
  }
}

function checkScalar(type: ScalarType, value: unknown): string | undefined {
  if (value === null || value === undefined) return undefined;
  switch (type) {
    case 'numeric':
      return typeof value === 'number' ? undefined : `expected numeric (int or float), got ${goTypeOf(value)}`;
    case 'string':
      return typeof value === 'string'
        ? undefined
        : `expected string, got &value.valueUnstructured{Value:${typeof value === 'object' ? printGo(value) : JSON.stringify(value)}}`;
    case 'boolean':
      return typeof value === 'boolean' ? undefined : `expected boolean, got ${printGo(value)}`;
    default:
      return typeof value === 'object' ? `expected any scalar, got ${printGo(value)}` : undefined;
  }
}

const goTypeOf = (value: unknown) =>
  Array.isArray(value)
    ? '[]interface {}'
    : typeof value === 'object'
      ? 'map[string]interface {}'
      : typeof value === 'boolean'
        ? 'bool'
        : 'string';

const printGo = (value: unknown) => `&{${typeof value === 'string' ? value : JSON.stringify(value)}}`;
