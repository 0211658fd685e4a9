import { runAtOnce, type Steps } from '../../base/steps.ts';
import { elementOfItem, itemsAtOnce } from './list-items.ts';
import { alternativeOf, listOf, type MergeType, mapOf, type ScalarType, typeOfField } from './merge-type.ts';
import { fieldElement, type PathElement, printElement } from './path-element.ts';

/** Printed only where something is wrong with it. */
interface Path {
  parent: Path | undefined;
  element: PathElement;
}

interface Finding {
  path: Path | undefined;
  message: string;
}

/**
 * What keeps a configuration from being merged, in upstream's words: unknown fields, wrong types, duplicates in sets and
 * lists with keys; undefined when it is sound. Source: structured-merge-diff's TypedValue.Validate.
 */
export const validateConfiguration = (type: MergeType, configuration: unknown): string | undefined =>
  runAtOnce(validationSteps(type, configuration));

export function* validationSteps(type: MergeType, configuration: unknown): Steps<string | undefined> {
  const findings: Finding[] = [];
  yield* check(type, configuration, undefined, findings);
  if (findings.length === 0) return undefined;
  const lines = findings.map(({ path, message }) => (path === undefined ? message : `${printed(path)}: ${message}`));
  return lines.length === 1 ? lines[0] : ['errors:', ...lines.map((line) => `  ${line}`)].join('\n');
}

function printed(path: Path): string {
  let text = '';
  for (let at: Path | undefined = path; at !== undefined; at = at.parent) text = printElement(at.element) + text;
  return text;
}

function* check(type: MergeType, value: any, path: Path | undefined, findings: Finding[]): Steps<void> {
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
      let count = 0;
      for (const name in map) {
        if (++count % itemsAtOnce === 0) yield;
        const at: Path = { parent: path, element: fieldElement(name) };
        const fieldType = typeOfField(type.map!, name);
        if (fieldType === undefined) return void findings.push({ path: at, message: 'field not declared in schema' });
        yield* check(fieldType, map[name], at, findings);
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
        if (index % itemsAtOnce === itemsAtOnce - 1) yield;
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
        yield* check(listType!.items, list[index], { parent: path, element }, findings);
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
